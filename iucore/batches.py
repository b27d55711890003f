"""Batches: events that a route hands to its transport, under a lease whose number is the fencing token.

Take a batch and commit, send its events, record what became of them: never send inside the transaction that takes. The
caller owns the transaction: nothing here commits, retries or logs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from iucore import _call, _check
from iucore.delivery.transport import Event

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Batch:
    """Events of one route, in their order, and the lease on them.

    ``setting`` is the number of the route's setting (``setting_change`` of ``routes.show``); ``attempts`` says of each
    event which attempt this is, counted from 1.
    """

    claim: int
    route: str
    partition: int
    setting: int
    attempts: list[int]
    events: list[Event]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a record counted; ``resume_at``: nothing of the part of the route is handed out before."""

    sent: int
    failed: int
    dead: int
    resume_at: datetime | None


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a route would have sent: how many events were recorded, up to which position, and whether there is more."""

    route: str
    recorded: int
    upto: int
    remaining: bool


def take(
    connection: Connection | _call.Recorder,
    *,
    worker: str,
    routes: Sequence[str] | None = None,
    live: bool = False,
    limit: int = 1000,
    lease: timedelta = timedelta(minutes=1),
) -> Batch | None:
    """Take a batch of one route, or None when there is nothing to send. Calls ``fn_iu_delivery_take``.

    What is due again goes first. A batch whose lease ran out is counted as lost: its events come again, each alone.

    Args:
        connection: of the caller, at READ COMMITTED, who commits before sending.
        worker: its name, in one line.
        routes: only these; None: all.
        live: without it nothing is handed out.
        limit: how many events at most, 1 to 10000.
        lease: 100 milliseconds to 1 hour.

    Raises:
        InvalidError: IU012, IU013, IU017, IU038, IU054.

    >>> named = routes.list_routes(connection)[0].route
    >>> routes.configure(
    ...     connection, route=named, transport="file", target={"path": "/var/lib/events.jsonl"}, reason="pilot"
    ... ).changed
    True
    >>> routes.set_route(connection, route=named, enabled=True, reason="pilot").execution_enabled
    True
    >>> gates.set_gate(connection, gate="delivery", open=True, reason="pilot").changed
    True
    >>> batches.take(connection, worker="w1", live=True) is None
    True
    """
    named = _named(worker, routes, live, limit) | {"p_lease": lease}
    # A hundred thousand in a second: the driver's own tuples, which SQLAlchemy's rows take twice as long as.
    with _call.execute(connection, _call.Call("fn_iu_delivery_take", named)) as result:
        rows: Sequence[Any] = result.cursor.fetchall() if result.cursor else []
    if not rows:
        return None
    claim, route, partition, setting = rows[0][:4]
    return Batch(claim, route, partition, setting, [row[4] for row in rows], [Event._make(row[5:]) for row in rows])


def allowed(connection: Connection | _call.Recorder, *, claim: int) -> bool:
    """Whether the next events of a batch may be sent. Calls ``fn_iu_delivery_allowed``.

    To be asked before each hand-over. The gate is open, the route is on, and the lease is neither lost nor over.

    >>> batches.allowed(connection, claim=0)
    False
    """
    return bool(_call.scalar(connection, "fn_iu_delivery_allowed", {"p_claim": claim}))


def renew(connection: Connection | _call.Recorder, *, claim: int, lease: timedelta = timedelta(minutes=1)) -> int:
    """Prolong a lease; returns the claim that replaces the old one. Calls ``fn_iu_delivery_renew``.

    Raises:
        InvalidError: IU038, IU054.
        ConflictError: IU219, the lease is lost.

    >>> with connection.begin_nested():
    ...     batches.renew(connection, claim=0)
    Traceback (most recent call last):
    ...
    iucore.errors.ConflictError: ...
    """
    return int(_call.scalar(connection, "fn_iu_delivery_renew", {"p_claim": claim, "p_lease": lease}))


def record(
    connection: Connection | _call.Recorder,
    *,
    claim: int,
    handled: int,
    positions: Sequence[int] = (),
    outcomes: Sequence[str] = (),
    errors: Sequence[str | None] = (),
    unavailable: str | None = None,
    retry_after: timedelta | None = None,
    gone: bool = False,
) -> Recorded:
    """Record what became of a batch, and end it. Calls ``fn_iu_delivery_record``.

    Args:
        connection: of the caller, at READ COMMITTED, who commits.
        claim: of the batch, or its last renewal.
        handled: how many events, from the first, are dealt with; the others are taken again. All of them were sent but
            those in ``positions``.
        positions: the events of them that were not sent.
        outcomes: for each of those ``failed``, or ``deferred``: not handed over, and no attempt.
        errors: for each of those the reason, without secrets or payload.
        unavailable: what the target said when it takes nothing now: the route waits.
        retry_after: how long it wants to be left alone.
        gone: the target is not there any more: the route is switched off.

    Raises:
        InvalidError: IU012, IU013, IU038, IU055.
        ConflictError: IU219, the lease is lost: what was sent is sent again.

    >>> with connection.begin_nested():
    ...     batches.record(connection, claim=0, handled=0)
    Traceback (most recent call last):
    ...
    iucore.errors.ConflictError: ...
    """
    named: dict[str, object] = {"p_claim": claim, "p_handled": handled}
    if positions:
        for error in errors:
            if error is not None:
                _check.text(error, "errors")
        named |= {"p_positions": list(positions), "p_outcomes": list(outcomes), "p_errors": list(errors)}
    if unavailable is not None:
        _check.text(unavailable, "unavailable")
        named |= {"p_unavailable": unavailable, "p_retry_after": retry_after}
    if gone:
        named["p_gone"] = True
    return _call.one(connection, Recorded, "fn_iu_delivery_record", named)


def dry_run(
    connection: Connection | _call.Recorder,
    *,
    worker: str,
    routes: Sequence[str] | None = None,
    live: bool = False,
    limit: int = 1000,
) -> list[DryRun]:
    """Record for each route that may not send what it would have sent. Calls ``fn_iu_delivery_dry_run``.

    Args:
        connection: of the caller, at READ COMMITTED, who commits.
        worker: its name, in one line.
        routes: only these; None: all.
        live: whether routes that are on and configured may send while the gate is open; without it none may.
        limit: how many events of each route at most, 1 to 10000.

    Raises:
        InvalidError: IU012, IU013, IU017, IU038, IU054.

    >>> [route.recorded for route in batches.dry_run(connection, worker="w1", routes=["no.such"])]
    []
    """
    named = _named(worker, routes, live, limit)
    return _call.rows(connection, DryRun, "fn_iu_delivery_dry_run", named)


def _named(worker: str, routes: Sequence[str] | None, live: bool, limit: int) -> dict[str, Any]:
    given = {"p_worker": worker, "p_routes": None if routes is None else _check.texts(routes, "routes")}
    return _check.arguments(given) | {"p_live": live, "p_limit": limit}

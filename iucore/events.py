"""Events: what happened, written with the change that it tells; and the registered types of events.

A type has a lane: ``delayed`` keeps every event, ``immediate`` keeps one for each subject, for facts that can happen
once. The caller owns the transaction: nothing here commits, retries or logs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from iucore import _call, _check

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Event:
    """One event; ``subject`` is the address, key or name of what it happened to."""

    event_id: UUID
    event_type: str
    aggregatetype: str
    aggregateid: str
    subject: str
    delivery_lane: str
    payload: dict[str, Any]
    change_id: int
    actor: str
    claimed_actor: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class PrunedPart:
    """A quarter of a year that was emptied: how many events and attempts went, and when the first and the last was."""

    slot: int
    events: int
    attempts: int
    first_at: datetime
    last_at: datetime
    change_id: int


@dataclass(frozen=True, slots=True)
class EventType:
    """A registered type of events; ``change_id`` is None for one that came with iucore."""

    event_type: str
    title: str
    delivery_lane: str
    is_delta: bool
    change_id: int | None


@dataclass(frozen=True, slots=True)
class RegistryFinding:
    """Something wrong in the registries; ``subject`` is a type of events or a route."""

    code: str
    subject: str
    message: str
    hint: str


def list_events(
    connection: Connection | _call.Recorder,
    *,
    event_type: str | None = None,
    subject: str | None = None,
    change_id: int | None = None,
    after: UUID | None = None,
    limit: int | None = 1000,
) -> list[Event]:
    """Events, oldest first, page by page. Calls ``fn_iu_event_list``.

    For looking back, not for following: an event with a smaller id may be committed later.

    Args:
        connection: of the caller.
        event_type: only events of this type.
        subject: only events of this address, key or name.
        change_id: only events of this change.
        after: only events after the one with this id: the last of a page gives the next page.
        limit: how many at most; None: all of them.

    Raises:
        InvalidError: IU012, IU013.

    >>> born = units.create(connection, address="a/one", kind="text", title="One", body="1\\n", reason="first text")
    >>> [(event.event_type, event.subject) for event in events.list_events(connection, change_id=born.change_id)]
    [('unit.created', 'a/one')]
    """
    if after is not None:
        _check.of_type(after, UUID, "after")
    named = _check.arguments(
        {"p_limit": limit},
        p_event_type=event_type,
        p_subject=subject,
        p_change_id=change_id,
        p_after=None if after is None else str(after),
    )
    return _call.rows(connection, Event, "fn_iu_event_list", named)


def list_types(connection: Connection | _call.Recorder) -> list[EventType]:
    """The registered types of events. Calls ``fn_iu_event_type_list``.

    >>> {kind.delivery_lane for kind in events.list_types(connection) if kind.event_type.startswith("collection.")}
    {'delayed'}
    """
    return _call.rows(connection, EventType, "fn_iu_event_type_list", {})


def register_type(
    connection: Connection | _call.Recorder,
    *,
    event_type: str,
    title: str,
    lane: str,
    delta: bool,
    reason: str,
    actor: str | None = None,
    request_key: str | None = None,
) -> EventType:
    """A new type of events; the same again changes nothing. Calls ``fn_iu_event_type_register``.

    Args:
        connection: of the caller, who commits.
        event_type: subject and what happened, each ``[a-z][a-z0-9_]*``, joined by a full stop: ``invoice.paid``.
        title: 1 to 300 characters in one line.
        lane: ``delayed`` keeps every event, ``immediate`` one for each subject.
        delta: whether each event tells a different change of the same subject; such a type must be ``delayed``.
        reason: why, in one line.
        actor: who claims to do this.
        request_key: makes the call safe to repeat.

    Raises:
        InvalidError: IU011, IU012, IU013, IU016, IU017, IU034, IU035, IU037.
        GateClosedError: IU100.
        ConflictError: IU203, IU206.

    >>> events.register_type(
    ...     connection, event_type="invoice.paid", title="Paid", lane="delayed", delta=True, reason="bills"
    ... ).delivery_lane
    'delayed'
    >>> with connection.begin_nested():
    ...     events.register_type(
    ...         connection, event_type="invoice.sent", title="Sent", lane="immediate", delta=True, reason="bills"
    ...     )
    Traceback (most recent call last):
    ...
    iucore.errors.InvalidError: ...
    """
    named = _check.arguments(
        {"p_event_type": event_type, "p_title": title, "p_lane": lane, "p_delta": delta, "p_reason": reason},
        p_actor=actor,
        p_request_key=request_key,
    )
    return _call.one(connection, EventType, "fn_iu_event_type_register", named)


def check(connection: Connection | _call.Recorder) -> list[RegistryFinding]:
    """What is wrong in the registries of event types and routes; an empty list when nothing is.

    ``no_route``: a type without a route; ``delta_on_immediate``: a type that loses events; ``lane_differs``: a route on
    another lane than its type. Calls ``fn_iu_registry_check``.

    >>> [(finding.code, finding.subject) for finding in events.check(connection)]
    [('no_route', 'invoice.paid')]
    """
    return _call.rows(connection, RegistryFinding, "fn_iu_registry_check", {})


def wake(connection: Connection | _call.Recorder) -> bool:
    """Wake a worker that sleeps; whether one was told. Calls ``fn_iu_wake``.

    Use a short transaction of its own after the commit of a change, never that of the change itself: NOTIFY takes a
    lock of the whole cluster there. Where nobody calls it a worker looks by itself, a little later.

    >>> events.wake(connection)
    False
    """
    return bool(_call.scalar(connection, "fn_iu_wake", {}))


def prune(
    connection: Connection | _call.Recorder,
    *,
    before: datetime,
    reason: str,
    actor: str | None = None,
    request_key: str | None = None,
) -> list[PrunedPart]:
    """Empty the partitions whose events are all older and dealt with. Calls ``fn_iu_events_prune``.

    A partition is a quarter of a year, and the present one stays. The ledger stays verifiable: anchors keep the
    hashes at the ends of what went.

    Args:
        connection: of the caller, at READ COMMITTED, who commits.
        before: a moment in the past, with its time zone.
        reason: why, in one line.
        actor: who claims to do this.
        request_key: makes the call safe to repeat.

    Raises:
        InvalidError: IU012, IU013, IU016, IU017, IU018, IU038.
        GateClosedError: IU100.
        ConflictError: IU203, IU220: a route is to take some of the events yet; the detail names it.
        OperationError: IU910: somebody reads the events for long.

    >>> events.prune(connection, before=datetime.fromisoformat("2020-01-01T00:00Z"), reason="older than three years")
    []
    """
    named = _check.arguments(
        {"p_before": _check.moment(before), "p_reason": reason}, p_actor=actor, p_request_key=request_key
    )
    return _call.rows(connection, PrunedPart, "fn_iu_events_prune", named)

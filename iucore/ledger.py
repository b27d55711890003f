"""The ledger: every committed event in its final place, each with a hash that covers all before it.

One sequencer at a time gives the places; a reader that keeps the last position it dealt with hears every event once.
The caller owns the transaction: nothing here commits, retries or logs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from iucore import _call, _check

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Sequenced:
    """What one batch of the sequencer did.

    ``remaining``: there is more, call again at once; ``busy``: another session is at it, and nothing was done here.
    """

    sequenced: int
    head: int
    remaining: bool
    busy: bool


@dataclass(frozen=True, slots=True)
class Rebased:
    """What making the ledger go on in this cluster did. ``changed`` is False when it was of this cluster already."""

    sequenced: int
    head: int
    change_id: int
    changed: bool


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the ledger, and the end as the sequencer remembers it: they differ when a tail was cut.

    ``events`` is how many the ledger holds, ``anchor_position`` the last position that was pruned, None where nothing
    was. Before the first event the position is 0 and the hash empty.
    """

    position: int
    hash: bytes
    events: int
    sequenced_position: int
    sequenced_hash: bytes
    anchor_position: int | None

    def __post_init__(self) -> None:
        """Make bytes of what a driver gives for them."""
        object.__setattr__(self, "hash", bytes(self.hash))
        object.__setattr__(self, "sequenced_hash", bytes(self.sequenced_hash))


@dataclass(frozen=True, slots=True)
class Verified:
    """A page of the ledger, recomputed: its last position with its hash, how many events it has, and the first bad one.

    ``events`` is 0 behind the last page; ``bad_position`` and ``problem`` are None where all is well.
    """

    position: int
    hash: bytes
    events: int
    bad_position: int | None
    problem: str | None

    def __post_init__(self) -> None:
        """Make bytes of what a driver gives for them."""
        object.__setattr__(self, "hash", bytes(self.hash))


@dataclass(frozen=True, slots=True)
class Stray:
    """An event of the outbox that is not in the ledger and should be."""

    event_id: UUID
    event_type: str
    subject: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """One event in its place."""

    position: int
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
    traceparent: str | None
    created_at: datetime


def sequence(connection: Connection | _call.Recorder, *, limit: int = 10000) -> Sequenced:
    """Give the next events their places: one batch. Calls ``fn_iu_sequence``.

    Args:
        connection: of the caller, at READ COMMITTED, who commits.
        limit: how many events at most, 1 to 100000.

    Raises:
        InvalidError: IU038, IU054.
        OperationError: IU915, the ledger was written in another cluster: see ``rebase``.

    >>> with connection.begin():
    ...     for name in ("a", "b"):
    ...         made = units.create(connection, address=name, kind="text", title="T", body="", reason="new")
    >>> with connection.begin():
    ...     done = ledger.sequence(connection)
    >>> done
    Sequenced(sequenced=2, head=2, remaining=False, busy=False)
    """
    return _call.one(connection, Sequenced, "fn_iu_sequence", _check.arguments({"p_limit": limit}))


def rebase(
    connection: Connection | _call.Recorder, *, reason: str, actor: str | None = None, request_key: str | None = None
) -> Rebased:
    """Make the ledger go on in this cluster, after a restore into it. Calls ``fn_iu_sequencer_rebase``.

    In the cluster that wrote the ledger it changes nothing. Writers wait until it is done.

    Args:
        connection: of the caller, at READ COMMITTED, who commits.
        reason: why, in one line.
        actor: who claims to do this.
        request_key: makes the call safe to repeat.

    Raises:
        InvalidError: IU012, IU013, IU016, IU017, IU038.
        GateClosedError: IU100.
        ConflictError: IU203.

    >>> ledger.rebase(connection, reason="restored from the dump of Monday").changed
    False
    """
    named = _check.arguments({"p_reason": reason}, p_actor=actor, p_request_key=request_key)
    return _call.one(connection, Rebased, "fn_iu_sequencer_rebase", named)


def head(connection: Connection | _call.Recorder) -> Head:
    """The end of the ledger. Calls ``fn_iu_ledger_head``.

    It counts, so that it reads the whole ledger.

    >>> found = ledger.head(connection)
    >>> found.position, found.events, found.hash == found.sequenced_hash, found.anchor_position
    (2, 2, True, None)
    """
    return _call.one(connection, Head, "fn_iu_ledger_head", {})


def verify(
    connection: Connection | _call.Recorder,
    *,
    after: int | None = None,
    hash: bytes | None = None,
    limit: int = 10000,
) -> Verified:
    """Recompute a page of the ledger and compare it with the outbox. Calls ``fn_iu_ledger_verify``.

    Args:
        connection: of the caller.
        after: the position before the page; None: from where the ledger begins.
        hash: the hash of that position.
        limit: how many events at most.

    >>> page = ledger.verify(connection)
    >>> page.events > 0, page.problem, ledger.verify(connection, after=page.position, hash=page.hash).events
    (True, None, 0)
    """
    named = _check.arguments({"p_limit": limit})
    if after is not None:
        _check.of_type(after, int, "after")
        named["p_after"] = after
    if hash is not None:
        _check.of_type(hash, bytes, "hash")
        named["p_hash"] = hash
    return _call.one(connection, Verified, "fn_iu_ledger_verify", named)


def pages(
    connection: Connection,
    *,
    after: int | None = None,
    hash: bytes | None = None,
    upto: int | None = None,
    limit: int = 10000,
) -> Iterator[Verified]:
    """The pages of ``verify``, one after the other, to the end, to a position or to the first bad one.

    Give it a transaction at REPEATABLE READ to judge one moment of the ledger.

    Args:
        connection: of the caller.
        after: the position before the first page; None: from the beginning.
        hash: the hash of that position.
        upto: no page begins behind it; None: to the end of the ledger.
        limit: how many events a page has at most.

    >>> [(page.position, page.problem) for page in ledger.pages(connection, limit=1)]
    [(1, None), (2, None)]
    """
    while upto is None or after is None or after < upto:
        page = verify(connection, after=after, hash=hash, limit=limit)
        if page.events:
            yield page
        if not page.events or page.problem is not None:
            return
        after, hash = page.position, page.hash


def stray(connection: Connection | _call.Recorder, *, limit: int = 100) -> list[Stray]:
    """Events of the outbox that are not in the ledger and should be. Calls ``fn_iu_ledger_stray``.

    There are none unless somebody wrote the outbox past the functions.

    >>> ledger.stray(connection)
    []
    """
    return _call.rows(connection, Stray, "fn_iu_ledger_stray", _check.arguments({"p_limit": limit}))


def read(
    connection: Connection | _call.Recorder, *, after: int = 0, event_type: str | None = None, limit: int = 1000
) -> list[LoggedEvent]:
    """Events in their order, page by page. Calls ``fn_iu_log_read``.

    Args:
        connection: of the caller.
        after: only events after this position: the last of a page gives the next page.
        event_type: only events of this type.
        limit: how many at most.

    Raises:
        InvalidError: IU012, IU013.

    >>> first, second = ledger.read(connection, limit=2)
    >>> first.position, second.position, ledger.read(connection, after=1, limit=1) == [second]
    (1, 2, True)
    """
    _check.of_type(after, int, "after")
    named = {"p_after": after, **_check.arguments({"p_limit": limit}, p_event_type=event_type)}
    return _call.rows(connection, LoggedEvent, "fn_iu_log_read", named)

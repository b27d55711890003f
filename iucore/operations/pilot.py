"""A small durable pilot: one collection with two pieces, through every gate, and its rollback by governed verbs.

Nothing is physically deleted, so each apply takes the next number: ``pilot/1/...``, ``pilot/2/...``. The two pieces go
through the birth gate, two memberships through the composer, and one render is recorded: four composer events.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from iucore import collections, errors, units

if TYPE_CHECKING:
    from sqlalchemy import Connection

KEY = "pilot/{}/notice.md"
"""The key of the collection, by number."""

BODIES = {
    "purpose": "# Notice\n\nThis file is a pilot of governed text: “what went in comes out”, byte for byte. ✓\n\n",
    "contact": "Questions?\r\n\tAsk whoever typed: iucore pilot apply",
}
"""The pieces by the last segment of their address, in order. The render is their bodies and nothing else."""

EXPECTED_SHA256 = hashlib.sha256("".join(BODIES.values()).encode()).hexdigest()
"""Of the bytes that the pilot renders to."""

_NUMBER = re.compile(r"pilot/([1-9][0-9]{0,17})/")
_NAMES = (
    "select true as is_piece, u.address as name, u.deleted_change is null as is_live from iucore.information_unit as u"
    " where u.address >= 'pilot/' and u.address < 'pilot0'"
    " union all select false, c.key, c.deleted_change is null from iucore.collection as c"
    " where c.key >= 'pilot/' and c.key < 'pilot0'"
)


@dataclass(frozen=True, slots=True)
class Counted:
    """One count of the whole database, before and after; composer events by type and in all."""

    what: str
    before: int
    after: int
    difference: int


@dataclass(frozen=True, slots=True)
class Pilot:
    """A pilot of which something is live.

    ``state`` is ``live`` when it is whole and renders to the expected bytes, ``altered`` when it renders to others, and
    ``partial`` when its collection or one of its pieces was disposed of by itself.
    """

    number: int
    key: str
    state: Literal["live", "altered", "partial"]
    pieces: int
    members: int
    sha256: str | None
    expected_sha256: str


def status(connection: Connection) -> list[Pilot]:
    """Every pilot of which something is live: none or one, unless somebody made others by hand. Reads only."""
    with _snapshot(connection):
        return _live(connection)


def apply(connection: Connection) -> tuple[Pilot, list[Counted]]:
    """Make the next pilot and commit it; the counts are those of the whole database before and after.

    It is rolled back once on the way, under a savepoint: what could not be rolled back is not applied. So it takes
    ``iucore_operator``.

    Raises:
        iucore.errors.OperationError: IU913, a pilot is live.
        iucore.errors.GateClosedError: IU100, IU101.
    """
    with _snapshot(connection):
        if live := _live(connection):
            raise errors.OperationError(
                "a pilot is live",
                sqlstate="IU913",
                detail=", ".join(one.key for one in live),
                hint="Look at it: iucore pilot status; take it back: iucore pilot rollback",
            )
        before = _counts(connection)
        # Names stay taken: what was disposed of counts too.
        number = 1 + max(_numbers(row.name for row in connection.exec_driver_sql(_NAMES)), default=0)
        _make(connection, number)
        after = _counts(connection)
        made = _live(connection)
        if [(one.number, one.state) for one in made] != [(number, "live")]:
            raise errors.OperationError(
                "the pilot is not what it should be, and was not applied",
                sqlstate="IU914",
                detail="; ".join(f"{one.key}: {one.state}, sha256 {one.sha256}" for one in made) or "nothing is live",
                hint="Find out which object was altered: iucore inventory verify; iucore proof",
            )
        with connection.begin_nested() as savepoint:
            _dispose(connection, made[0])
            savepoint.rollback()
        return made[0], _compared(before, after)


def rollback(connection: Connection) -> tuple[list[Pilot], list[Counted]]:
    """Dispose of what is live, and commit: members removed, pieces and collection soft-deleted.

    Returns the pilots as they were, none when none was live. Takes ``iucore_operator``.

    Raises:
        iucore.errors.ConflictError: IU211, a piece stands in another collection; IU214, the collection does.
        iucore.errors.GateClosedError: IU100, IU101.
    """
    with _snapshot(connection):
        before, live = _counts(connection), _live(connection)
        for one in live:
            _dispose(connection, one)
        return live, _compared(before, _counts(connection))


@contextmanager
def _snapshot(connection: Connection) -> Iterator[None]:
    """A transaction that sees its own changes only: the counts differ by what the pilot does, whoever else writes."""
    connection.execution_options(isolation_level="REPEATABLE READ")
    with connection.begin():
        yield


def _make(connection: Connection, number: int) -> None:
    key, reason = KEY.format(number), "iucore pilot apply"
    for last, body in BODIES.items():
        units.create(
            connection, address=_address(number, last), kind="text", title=last.capitalize(), body=body, reason=reason
        )
    collections.create(connection, key=key, kind="file", title=f"Pilot {number}", reason=reason)
    for last in BODIES:
        collections.add(connection, key=key, member=_address(number, last), reason=reason)
    collections.record_render(connection, key=key, reason=reason)


def _dispose(connection: Connection, pilot: Pilot) -> None:
    reason = "iucore pilot rollback"
    collection_live, pieces = _parts(connection)[pilot.number]
    if collection_live:
        # Also the place of a piece that somebody soft-deleted, which no list of members shows.
        members = connection.exec_driver_sql(
            "select m.member_id from iucore.collection_member as m"
            " join iucore.collection as c on c.collection_id = m.collection_id"
            " where c.key = %s and m.closed_change is null order by m.member_id",
            (pilot.key,),
        ).scalars()
        for member_id in members.all():
            collections.remove(connection, key=pilot.key, member=f"@{member_id}", reason=reason)
    for last in pieces:
        address = _address(pilot.number, last)
        if standing := units.where_used(connection, address=address):
            raise errors.ConflictError(
                "a piece of the pilot stands in another collection",
                sqlstate="IU211",
                detail=f"piece: {address}, collection: {standing[0].key}",
                hint=f"Remove it there first: iucore collection remove {standing[0].key} {address} -m WHY",
            )
        units.soft_delete(connection, address=address, reason=reason)
    if collection_live:
        collections.soft_delete(connection, key=pilot.key, reason=reason)


def _address(number: int, last: str) -> str:
    return f"pilot/{number}/{last}"


def _live(connection: Connection) -> list[Pilot]:
    found = []
    for number, (collection_live, pieces) in sorted(_parts(connection).items()):
        key, members, digest = KEY.format(number), 0, None
        if collection_live:
            members = len(collections.members(connection, key=key))
            digest = hashlib.sha256(collections.render(connection, key=key).encode()).hexdigest()
        state: Literal["live", "altered", "partial"] = "partial"
        if collection_live and len(pieces) == len(BODIES):
            state = "live" if digest == EXPECTED_SHA256 else "altered"
        found.append(Pilot(number, key, state, len(pieces), members, digest, EXPECTED_SHA256))
    return found


def _parts(connection: Connection) -> dict[int, tuple[bool, list[str]]]:
    """What is live of each number: whether the collection is, and which pieces are, in order."""
    live = [row for row in connection.exec_driver_sql(_NAMES) if row.is_live]
    pieces_live = {row.name for row in live if row.is_piece}
    collections_live = {row.name for row in live if not row.is_piece}
    found: dict[int, tuple[bool, list[str]]] = {}
    for number in sorted(_numbers([*pieces_live, *collections_live])):
        pieces = [last for last in BODIES if _address(number, last) in pieces_live]
        collection_live = KEY.format(number) in collections_live
        if pieces or collection_live:
            found[number] = (collection_live, pieces)
    return found


def _numbers(names: Iterable[str]) -> set[int]:
    return {int(match[1]) for name in names if (match := _NUMBER.match(name))}


def _counts(connection: Connection) -> dict[str, int]:
    """Live pieces and collections, memberships, composer events; of the whole database."""
    one = connection.exec_driver_sql(
        "select (select count(*) from iucore.information_unit as u where u.deleted_change is null),"
        " (select count(*) from iucore.collection as c where c.deleted_change is null),"
        " (select count(*) from iucore.collection_member as m where m.closed_change is null)"
    ).one()
    counts = dict(zip(("pieces", "collections", "memberships"), one, strict=True))
    by_type = connection.exec_driver_sql(
        "select e.event_type, count(*) from iucore.v_composer_event as e group by e.event_type order by e.event_type"
    ).all()
    types = {str(row[0]): int(row[1]) for row in by_type}
    return {**counts, **types, "composer events": sum(types.values())}


def _compared(before: dict[str, int], after: dict[str, int]) -> list[Counted]:
    return [Counted(what, before.get(what, 0), count, count - before.get(what, 0)) for what, count in after.items()]

"""What one governed call changes: it is run in the caller's transaction, which is then rolled back or committed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from iucore import _call, collections, events, units
from iucore.errors import IucoreError

if TYPE_CHECKING:
    from sqlalchemy import Connection

Found = TypeVar("Found")

# How many renders are compared, and up to what size: a comparison of more would be read by nobody.
MAX_RENDERS = 20
MAX_BYTES = 1_048_576


@dataclass(frozen=True, slots=True)
class TableChange:
    """Rows of one table that the call opened, and rows that it closed."""

    table: str
    opened: int
    closed: int


@dataclass(frozen=True, slots=True)
class Emitted:
    """An event that the call emitted."""

    event_type: str
    subject: str
    delivery_lane: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rendered:
    """The text of a collection before and after the call; None where there is none, or where ``note`` says why not."""

    key: str
    before: str | None
    after: str | None
    note: str | None


@dataclass(frozen=True, slots=True)
class Effects:
    """What a call returned and did; ``more_renders`` counts the collections that were not looked at."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    change_ids: list[int]
    changes: list[TableChange]
    events: list[Emitted]
    renders: list[Rendered]
    more_renders: int


# A table, the column that names its subject, and the columns that name the changes which opened and closed a row.
TABLES = (
    ("information_unit", "unit_id", "change_id", None),
    ("unit_version", "unit_id", "change_id", None),
    ("unit_axis", "unit_id", "opened_change", "closed_change"),
    ("unit_deletion", "unit_id", "deleted_change", "restored_change"),
    ("collection", "collection_id", "change_id", None),
    ("collection_member", "collection_id", "opened_change", "closed_change"),
    ("collection_axis", "collection_id", "opened_change", "closed_change"),
)

_LAST = "select coalesce(max(change_id), 0) from iucore.change"
# A row of our own transaction is in progress, also one of a subtransaction; all others that can be seen are committed.
# The row has 32 bits of its transaction; the others are those of ours, or of the epoch beside.
_OWN = """
select c.change_id, c.subject
from iucore.change as c
cross join (select pg_current_xact_id()::text::bigint + 2147483648 as top) as t
where c.change_id > %(last)s
    and pg_xact_status((t.top - ((t.top - c.xmin::text::bigint) & 4294967295))::text::xid8) = 'in progress'
order by c.change_id
"""


def observe(
    connection: Connection, call: _call.Call, *, piece: str | None = None, collection: str | None = None
) -> Effects:
    """Run one governed call, and say what it did.

    Args:
        connection: of the caller, who commits or rolls back.
        call: the call.
        piece: the renders to compare are those of the collections in which this piece stands.
        collection: they are those of this collection and of every one in which it stands.

    Raises:
        IucoreError: as the call itself.
    """
    keys = _standing(connection, piece, collection)
    looked = keys[:MAX_RENDERS]
    before = {key: _render(connection, key) for key in looked}
    last = connection.exec_driver_sql(_LAST).scalar_one()
    found = _call.execute(connection, call)
    columns, rows = tuple(found.keys()), [tuple(row) for row in found]
    own = connection.exec_driver_sql(_OWN, {"last": last}).all()
    change_ids = [row.change_id for row in own]
    renders = []
    for key in looked:
        (old, no_old), (new, no_new) = before[key], _render(connection, key)
        renders.append(Rendered(key, old, new, no_new or no_old if old is None or new is None else None))
    return Effects(
        columns=columns,
        rows=rows,
        change_ids=change_ids,
        changes=_changes(connection, change_ids, {row.subject for row in own if row.subject is not None}),
        events=[event for change_id in change_ids for event in _events(connection, change_id)],
        renders=renders,
        more_renders=len(keys) - len(looked),
    )


def _standing(connection: Connection, piece: str | None, collection: str | None) -> list[str]:
    """The keys of the collections whose renders can change, the nearest first."""
    found: Iterable[units.Standing | collections.Standing] = ()
    if piece is not None:
        found = _unless_refused(connection, lambda: units.where_used(connection, address=piece))[0] or ()
    elif collection is not None:
        found = _unless_refused(connection, lambda: collections.where_used(connection, key=collection))[0] or ()
    return list(dict.fromkeys(([] if collection is None else [collection]) + [each.key for each in found]))


def _render(connection: Connection, key: str) -> tuple[str | None, str | None]:
    """The text of a collection, or why there is none to compare; neither where there is no such collection."""
    state, refusal = _unless_refused(connection, lambda: collections.show(connection, key=key))
    if state is not None and state.bytes > MAX_BYTES:
        return None, f"{state.bytes} bytes: too large to compare"
    if state is not None:
        text, refusal = _unless_refused(connection, lambda: collections.render(connection, key=key))
        if text is not None:
            return text, None
    return None, None if refusal is None or refusal.sqlstate == "IU003" else str(refusal)


def _unless_refused(connection: Connection, verb: Callable[[], Found]) -> tuple[Found | None, IucoreError | None]:
    """What a reading verb finds, or its refusal, which ends a savepoint and not the transaction."""
    try:
        with connection.begin_nested():
            return verb(), None
    except IucoreError as error:
        return None, error


def _changes(connection: Connection, change_ids: list[int], subjects: set[str]) -> list[TableChange]:
    """The rows opened and closed by some changes. They are looked for at the subjects, not in whole tables."""
    found = [TableChange("change", len(change_ids), 0)] if change_ids else []
    for table, subject, opened, closed in TABLES if subjects else ():
        home, name = ("information_unit", "address") if subject == "unit_id" else ("collection", "key")
        row = connection.exec_driver_sql(
            f"""
            select count(*) filter (where t.{opened} = any (%(ids)s)),
                count(*) filter (where {"false" if closed is None else f"t.{closed} = any (%(ids)s)"})
            from iucore.{home} as h
            join iucore.{table} as t on t.{subject} = h.{subject}
            where h.{name} = any (%(subjects)s)
            """,  # noqa: S608 (names are ours)
            {"ids": change_ids, "subjects": sorted(subjects)},
        ).one()
        if any(row):
            found.append(TableChange(table, *row))
    return found


def _events(connection: Connection, change_id: int) -> list[Emitted]:
    """The events of a change, all of them, in their order."""
    return [
        Emitted(event.event_type, event.subject, event.delivery_lane, event.payload)
        for event in events.list_events(connection, change_id=change_id, limit=None)
    ]

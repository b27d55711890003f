"""What an operator sees of a database: gates, inventory, outbox, ledger, routes, workers; and what is wrong with them.

Everything here only reads, by views and tables that ``iucore_reader`` may read. The caller owns the transaction: at
REPEATABLE READ all of it is of one moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from iucore import _check, gates, inventory
from iucore.errors import NotFoundError
from iucore.operations import migrate
from iucore.routes import list_routes

if TYPE_CHECKING:
    from sqlalchemy import Connection

LATE = 60
"""After how many seconds what waits is late."""

MOVED = """
select b.system_identifier <> c.system_identifier from iucore.sequencer_batch as b
cross join pg_control_system() as c order by b.batch desc limit 1
"""
"""Whether the ledger was written in another cluster; no row: nothing was sequenced yet."""

# Whether it is wrong, what it is, and the next command.
_Told = tuple[bool, str, str]

LAG_LIMIT = 100_000
"""Lag is counted up to one more than this."""


@dataclass(frozen=True, slots=True)
class RouteHealth:
    """A route: whether it could send, how far it is behind, what waits and what died.

    ``mode`` is ``off``, ``no transport``, ``gate closed`` or ``ready``. Lag is that of its type, whatever its filter
    takes, and of its dry run before it was ready for the first time.
    """

    route: str
    event_type: str | None
    mode: str
    transport: str | None
    position: int
    lag_events: int
    lag_seconds: float | None
    retries: int
    deferred: int
    dead: int
    last_error: str | None
    last_batch_at: datetime | None
    resume_at: datetime | None
    execution_enabled: bool
    live: bool
    title: str
    delivery_lane: str | None
    change_id: int | None
    switched_change: int | None


@dataclass(frozen=True, slots=True)
class RoutePart:
    """Where a part of a route stands: the newest row of its cursor. ``mode`` is ``live`` or ``dry_run``."""

    partition: int
    mode: str
    position: int
    worker: str | None
    made_at: datetime
    expires_at: datetime | None
    resume_at: datetime | None
    failures: int
    error: str | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """An event that a route sends again: when, after how many attempts, and why it failed."""

    position: int
    partition: int
    subject: str
    state: str
    attempts: int
    next_at: datetime | None
    error: str | None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that a route gave up, and why; ``state`` is ``open``, ``replayed`` or ``skipped``."""

    dead_letter: int
    route: str
    position: int
    event_id: UUID
    event_type: str
    subject: str
    attempts: int
    reason: str
    made_at: datetime
    closed_change: int | None
    state: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to deliver an event; ``attempt`` is 0 where nothing was to be sent."""

    route: str
    attempt: int
    outcome: str
    error: str | None
    worker: str | None
    made_at: datetime


@dataclass(frozen=True, slots=True)
class EventDetail:
    """One event; ``position``, ``hash`` and ``sequenced_at`` are None while it has no place in the ledger."""

    event_id: UUID
    position: int | None
    hash: str | None
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
    sequenced_at: datetime | None
    attempts: list[Attempt]


@dataclass(frozen=True, slots=True)
class Lane:
    """The outbox by lane: events that have no place in the ledger yet, and how long the oldest has waited."""

    lane: str
    unsequenced: int
    oldest_seconds: float | None


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker, and when it last took or recorded something."""

    worker: str
    last_seen: datetime
    routes: int


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong, and the next command to type."""

    what: str
    next: str


@dataclass(frozen=True, slots=True)
class Standby:
    """How far a standby is behind its primary.

    ``receiving``: whether it is connected to its primary. ``behind_seconds`` is 0 when it is, and has all that came;
    else the age of its last change, None where it never had one: without its primary it cannot know what it lacks.
    """

    receiving: bool
    behind_seconds: float | None
    last_change_at: datetime | None


@dataclass(frozen=True, slots=True)
class Status:
    """What a database looks like at one moment.

    ``inventory`` is as N/N; it and ``revision`` are None where there is none. ``head`` is the last position of the
    ledger, ``sequenced`` the last that the sequencer gave. ``standby`` is None on a primary.
    """

    at: datetime
    revision: str | None
    newest_revision: str
    inventory: str | None
    gates: list[gates.Gate]
    outbox: list[Lane]
    head: int
    sequenced: int
    sequenced_at: datetime | None
    routes: list[RouteHealth]
    workers: list[Worker]
    wrong: list[Finding]
    notes: list[Finding]
    standby: Standby | None = None


def routes(connection: Connection, *, route: str | None = None) -> list[RouteHealth]:
    """Every route with its health, by name; or the one that is named.

    Raises:
        InvalidError: IU012, IU013.
        NotFoundError: IU042.
    """
    if route is not None:
        _check.text(route, "route")
    rows = connection.exec_driver_sql(
        """
        select h.route, h.event_type, h.mode, h.transport, h.position, h.lag_events, h.lag_seconds::float8, h.retries,
            h.deferred, h.dead, h.last_error, h.last_batch_at, h.resume_at, h.execution_enabled, h.cursor_mode = 'live',
            r.title, r.delivery_lane, r.change_id, r.switched_change
        from iucore.v_route_health as h
        join iucore.route as r on r.route = h.route
        where %(route)s::text is null or h.route = %(route)s
        order by h.route
        """,
        {"route": route},
    )
    found = [RouteHealth(*row) for row in rows]
    if route is not None and not found:
        raise _no_route(route)
    return found


def _no_route(route: str) -> NotFoundError:
    hint = "List routes: iucore route list"
    return NotFoundError("route not found", sqlstate="IU042", detail=f"route: {route}", hint=hint)


def parts(connection: Connection, *, route: str) -> list[RoutePart]:
    """Where the parts of a route stand, those that send first."""
    rows = connection.exec_driver_sql(
        """
        select c.partition, c.mode, c.position, c.worker, c.made_at, c.expires_at, c.resume_at, c.failures, c.error
        from (
            select p.partition::integer as partition, 'live' as mode
            from iucore.route_partition as p
            where p.route = %(route)s
            union all
            select 0, 'dry_run'
        ) as p
        cross join lateral (
            select d.* from iucore.delivery_cursor as d
            where d.route = %(route)s and d.partition = p.partition and d.mode = p.mode
            order by d.seq desc
            limit 1
        ) as c
        order by c.mode desc, c.partition
        """,
        {"route": route},
    )
    return [RoutePart(*row) for row in rows]


def waiting(connection: Connection, *, route: str, limit: int = 1000) -> list[Waiting]:
    """The events that a route sends again, and those put aside behind them, by position."""
    rows = connection.exec_driver_sql(
        """
        select r.position, r.partition, r.subject, r.state, r.attempts, nullif(r.next_at, '-infinity'), r.error
        from iucore.delivery_retry as r
        where r.route = %(route)s
        order by r.position
        limit %(limit)s
        """,
        {"route": route, "limit": limit},
    )
    return [Waiting(*row) for row in rows]


def dead_letters(
    connection: Connection, *, route: str | None = None, closed: bool = False, after: int = 0, limit: int | None = 1000
) -> list[DeadLetter]:
    """Dead letters that are open, of all routes or of one; with ``closed`` also those that were replayed or skipped.

    Raises:
        InvalidError: IU012, IU013.
        NotFoundError: IU042.
    """
    if route is not None:
        _check.text(route, "route")
    rows = connection.exec_driver_sql(
        """
        select d.dead_letter, d.route, d.position, d.event_id, d.event_type, d.subject, d.attempts, d.reason, d.made_at,
            d.closed_change, d.state
        from iucore.v_dead_letter as d
        where d.dead_letter > %(after)s and (%(route)s::text is null or d.route = %(route)s)
            and (%(closed)s or d.closed_change is null)
        order by d.dead_letter
        limit %(limit)s
        """,
        {"after": after, "route": route, "closed": closed, "limit": limit},
    )
    found = [DeadLetter(*row) for row in rows]
    if route is not None and not found and not any(one.route == route for one in list_routes(connection)):
        raise _no_route(route)
    return found


def event(connection: Connection, *, event_id: UUID) -> EventDetail:
    """One event with its place in the ledger and the attempts to deliver it.

    Raises:
        NotFoundError: IU046.
    """
    row = connection.exec_driver_sql(
        """
        select e.event_id, l.position, encode(l.hash, 'hex') as hash, e.event_type, e.aggregatetype, e.aggregateid,
            e.subject, e.delivery_lane, e.payload, e.change_id, e.actor, e.claimed_actor, l.traceparent, e.created_at,
            l.sequenced_at
        from iucore.v_event as e
        left join iucore.event_log as l on l.event_id = e.event_id
        where e.event_id = %(id)s::uuid
        """,
        {"id": str(event_id)},
    ).one_or_none()
    if row is None:
        raise NotFoundError(
            "event not found",
            sqlstate="IU046",
            detail=f"event: {event_id}",
            hint="List events: iucore events list. Old ones may have been pruned.",
        )
    made = connection.exec_driver_sql(
        """
        select a.route, a.attempt, a.outcome, a.error, a.worker, a.made_at
        from iucore.v_delivery_attempt as a
        where a.position = %(position)s
        order by a.made_at, a.route, a.attempt
        """,
        {"position": row.position},
    )
    return EventDetail(**row._mapping, attempts=[Attempt(*attempt) for attempt in made])


def first_of_last(
    connection: Connection, *, count: int, event_type: str | None = None, prefix: str | None = None
) -> int:
    """The position before the last ``count`` events of a type and of subjects that begin so.

    It looks 100,000 places back at most.
    """
    position: int = connection.exec_driver_sql(
        """
        select coalesce(min(q.position) - 1, max(q.head), 0)
        from (
            select h.position as head, m.position
            from (select l.position from iucore.event_log as l order by l.position desc limit 1) as h
            left join lateral (
                select l.position from iucore.event_log as l
                where l.position > h.position - 100000 and (%(type)s::text is null or l.event_type = %(type)s)
                    and (%(prefix)s::text is null or starts_with(l.subject, %(prefix)s))
                order by l.position desc
                limit %(count)s
            ) as m on true
        ) as q
        """,
        {"count": count, "type": event_type, "prefix": prefix},
    ).scalar_one()
    return position


def status(connection: Connection, *, look: bool = True) -> Status:
    """What the database looks like now; ``look``: also compare it with the inventory of its revision."""
    revision, newest = migrate.current_of(connection), migrate.heads()[-1]
    if revision is None:
        at = connection.exec_driver_sql("select clock_timestamp()").scalar_one()
        missing = Finding("the database has no revision: iucore is not installed in it", "iucore db upgrade")
        return Status(at, None, newest, None, [], [], 0, 0, None, [], [], [missing], [])
    compared = None
    if look and revision in migrate.revisions():
        expected = inventory.expected(revision)
        different = inventory.compare(expected, inventory.actual(connection))
        gone = sum(one.status != "unexpected" for one in different)
        compared = (f"{len(expected) - gone}/{len(expected)}", len(different))
    if connection.exec_driver_sql("select to_regclass('iucore.v_outbox_health')").scalar() is None:
        # Older than delivery: there is nothing more to see.
        at = connection.exec_driver_sql("select clock_timestamp()").scalar_one()
        listed = gates.list_gates(connection)
        found = Status(at, revision, newest, None, listed, [], 0, 0, None, [], [], [], [])
    else:
        found = _delivery(connection, revision, newest)
    standby = _standby(connection)
    findings = [*_of_the_standby(standby), *_findings(found, compared, _moved(connection) if found.outbox else None)]
    return Status(
        found.at,
        revision,
        newest,
        None if compared is None else compared[0],
        found.gates,
        found.outbox,
        found.head,
        found.sequenced,
        found.sequenced_at,
        found.routes,
        found.workers,
        [Finding(what, command) for wrong, what, command in findings if wrong],
        [Finding(what, command) for wrong, what, command in findings if not wrong],
        standby,
    )


def _standby(connection: Connection) -> Standby | None:
    row = connection.exec_driver_sql(
        """
        select s.receiving,
            case when s.receiving and pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() then 0
                else extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp()) end::float8,
            pg_last_xact_replay_timestamp()
        from (select exists (select from pg_stat_get_wal_receiver() as r where r.pid is not null)) as s (receiving)
        where pg_is_in_recovery()
        """
    ).one_or_none()
    return None if row is None else Standby(*row)


def _delivery(connection: Connection, revision: str, newest: str) -> Status:
    lanes = connection.exec_driver_sql(
        "select clock_timestamp(), coalesce(greatest("
        "(select l.position from iucore.event_log as l order by l.position desc limit 1),"
        " (select max(a.position) from iucore.ledger_anchor as a)), 0),"
        " coalesce(h.head, 0), h.sequenced_at, h.lane, h.unsequenced, h.oldest_seconds::float8"
        " from iucore.v_outbox_health as h order by h.lane"
    ).all()
    workers = connection.exec_driver_sql(
        """
        select c.worker, max(c.made_at), count(distinct c.route)
        from iucore.route as r
        cross join lateral (
            select p.partition::integer as partition, 'live' as mode
            from iucore.route_partition as p
            where p.route = r.route
            union all
            select 0, 'dry_run'
        ) as p
        cross join lateral (
            select d.route, d.worker, d.made_at from iucore.delivery_cursor as d
            where d.route = r.route and d.partition = p.partition and d.mode = p.mode
            order by d.seq desc
            limit 1
        ) as c
        where c.worker is not null
        group by c.worker
        order by 2 desc, 1
        limit 20
        """
    )
    return Status(
        lanes[0][0],
        revision,
        newest,
        None,
        gates.list_gates(connection),
        [Lane(*row[4:]) for row in lanes],
        lanes[0][1],
        lanes[0][2],
        lanes[0][3],
        routes(connection),
        [Worker(*row) for row in workers],
        [],
        [],
    )


def _moved(connection: Connection) -> bool | None:
    """Whether the sequencer refuses because the ledger was written in another cluster; None: who asks may not know."""
    if not connection.exec_driver_sql("select has_table_privilege('iucore.sequencer_batch', 'select')").scalar():
        return None
    return bool(connection.exec_driver_sql(MOVED).scalar())


def _findings(found: Status, compared: tuple[str, int] | None, moved: bool | None) -> Iterator[_Told]:
    """What is wrong, and what is worth a word, the most pressing first."""
    if found.revision is not None and found.revision != found.newest_revision:
        if found.revision > found.newest_revision:
            yield True, f"revision {found.revision} is newer than this iucore", "pip install --upgrade iucore"
        else:
            yield True, f"revision {found.revision} is not the newest", "iucore db upgrade"
    if compared is not None and compared[1]:
        yield True, f"differs from the inventory: {_several(compared[1], 'object')}", "iucore inventory verify"
    for gate in found.gates:
        if not gate.is_open and gate.gate != "delivery":
            refused = "all governed writes" if gate.gate == "master" else "changes of collections"
            yield True, f"gate {gate.gate} is closed: {refused} are refused", f"iucore gate open {gate.gate} -m WHY"
    yield from _of_the_ledger(found, moved)
    if held := [route.route for route in found.routes if route.mode == "gate closed"]:
        yield True, f"gate delivery is closed, and routes are on: {', '.join(held)}", "iucore gate open delivery -m WHY"
    for route in found.routes:
        yield from _of_a_route(route, found.at)


def _of_the_standby(standby: Standby | None) -> Iterator[_Told]:
    if standby is None:
        return
    if not standby.receiving:
        told = f"this standby receives nothing; its last change is of {standby.last_change_at}"
        yield True, told, "select * from pg_stat_replication, on the primary; meanwhile read there, with --url"
    elif (standby.behind_seconds or 0) > LATE:
        told = f"this standby is {standby.behind_seconds:.0f} s behind its primary"
        yield True, told, "iucore status --url of the primary; a long query here holds up what it received"


def _of_the_ledger(found: Status, moved: bool | None) -> Iterator[_Told]:
    if found.head != found.sequenced:
        told = f"the ledger ends at {found.head}, the sequencer came to {found.sequenced}"
        yield True, told, "iucore ledger verify"
    unsequenced = sum(lane.unsequenced for lane in found.outbox)
    oldest = max((lane.oldest_seconds or 0.0 for lane in found.outbox), default=0.0)
    told = f"without a place in the ledger: {_several(unsequenced, 'event')}"
    if moved:
        what = "the ledger was written in another cluster: after a restore transaction ids mean something else"
        yield True, f"{what}; {told}", "iucore sequencer rebase -m WHY"
    elif unsequenced and found.sequenced_at is None:
        # Where nothing is delivered that may be as it should.
        used = any(route.execution_enabled for route in found.routes)
        yield used, f"no worker has run yet; {told}", "iucore worker run --once"
    elif oldest > LATE:
        command = "iucore worker run"
        if moved is None:
            command += " (if that says IU915, after a restore: iucore sequencer rebase -m WHY)"
        yield True, f"{told}, the oldest for {oldest:.0f} s", command


def _of_a_route(route: RouteHealth, at: datetime) -> Iterator[_Told]:
    name = route.route
    if route.dead:
        yield True, f"route {name} has {_several(route.dead, 'open dead letter')}", f"iucore route dead {name}"
    if route.mode == "no transport":
        command = f"iucore route configure {name} --transport webhook --target url=URL --target secret_env=NAME -m WHY"
        yield True, f"route {name} is on and has no transport", command
    if route.mode == "ready" and route.resume_at is not None and route.resume_at > at:
        yield True, f"route {name} waits for its target: {route.last_error}", f"iucore route show {name}"
    elif route.mode == "ready" and (route.lag_seconds or 0) > LATE:
        behind = f"{counted(route.lag_events)} and {route.lag_seconds:.0f} s behind"
        yield True, f"route {name} is {behind}", "iucore worker run --live"


def counted(lag: int) -> str:
    """A lag, which is counted up to a limit.

    >>> counted(1), counted(5), counted(100_001)
    ('1 event', '5 events', 'more than 100000 events')
    """
    return f"more than {_several(LAG_LIMIT, 'event')}" if lag > LAG_LIMIT else _several(lag, "event")


def _several(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"

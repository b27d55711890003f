"""From the outbox to the transport: sequencing, delivery with attempt rows, readers by position, and the peers.

A figure without limit of its own stands beside another of the same run; the note gives events in a second.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
from psycopg.types.string import TextLoader

from _bench import peers
from _bench.harness import DifferentError, Line, Skipped, paired
from _bench.server import Bench, Database, conninfo

_WORKER = Path(__file__).with_name("worker_process.py")
# Events as composer verbs make them, of a hundred subjects, in transactions of a thousand.
_FILL = """
do $$
begin
    for part in 1..{parts} loop
        insert into iucore.event_outbox (id, aggregatetype, aggregateid, type, payload, event_subject_ref,
            delivery_lane, change_id, actor)
        select iucore.fn_iu_uuid7(), 'collection', md5((n % 100)::text), 'piece_added',
            jsonb_build_object('address', 'bench/' || n, 'member', md5(n::text), 'version', 1), 'bench/' || n % 100,
            'delayed', 1, session_user
        from generate_series(1, 1000) as n;
        commit;
    end loop;
end
$$"""
# Some events in one transaction, as fn_iu_event_put makes them.
_WRITE = """
insert into iucore.event_outbox (id, aggregatetype, aggregateid, type, payload, event_subject_ref, delivery_lane,
    change_id, actor)
select iucore.fn_iu_uuid7(), 'collection', md5(n::text), 'piece_added', '{{"a": 1}}', 'bench/' || n, 'delayed', 1,
    session_user
from generate_series(1, {}) as n"""
_DEAD = """
select coalesce(sum(n_dead_tup), 0)::bigint from pg_stat_user_tables
where relname ~ '^(event_outbox|event_log|delivery_attempt|delivery_cursor|sequencer_batch)'"""


def delivery(bench: Bench) -> Iterator[Line]:
    """All of it; each part in a database of its own."""
    if not bench.own:
        raise Skipped("it sets options of its databases, and the server is not the bench's own")
    for commit in ("on", "off"):
        yield from _sequencing(bench, commit)
    yield from _enqueue(bench)
    for commit in ("on", "off"):
        yield from _end_to_end(bench, commit)
    yield from _beside_peers(bench)
    yield from _held(bench)
    yield from _latency(bench)
    yield from _wakes(bench)
    yield from _backlog(bench)


# --- the database ------------------------------------------------------------------------------------------------


@contextmanager
def _database(bench: Bench, commit: str = "on", events: int = 0, routes: int = 0) -> Iterator[Database]:
    """A database with so many events in its outbox, none in its ledger, and so many routes that take every event."""
    with bench.database() as database:
        with database.admin() as admin:
            admin.execute(f"alter database {database.url.database} set synchronous_commit = {commit}")
        with database.admin() as admin:
            admin.execute("insert into iucore.change (verb, subject, reason) values ('bench', 'bench', 'bench')")
            if routes:
                admin.execute("select * from iucore.fn_iu_gate_set('delivery', true, 'bench')")
            for n in range(routes):
                admin.execute(
                    "select * from iucore.fn_iu_route_register(%s, 'collection.piece_added', 'B', 'b')", [_route(n)]
                )
                admin.execute(
                    "select * from iucore.fn_iu_route_configure(%s, 'file', 'bench', p_partitions => 2)", [_route(n)]
                )
                admin.execute("select * from iucore.fn_iu_route_set(%s, true, 'bench')", [_route(n)])
            # What the preparation said is dealt with.
            _sequence(admin)
        _fill(database, events)
        yield database


def _route(number: int) -> str:
    return f"bench.r{number}"


def _fill(database: Database, events: int) -> None:
    with database.admin() as admin:
        if events:
            admin.execute(_FILL.format(parts=events // 1000))
        for table in ("event_outbox", "event_log", "delivery_attempt", "delivery_cursor"):
            admin.execute(f"vacuum (analyze) iucore.{table}")
        admin.execute("checkpoint")


def _one(connection: psycopg.Connection, statement: str, *arguments: object) -> Any:
    row = connection.execute(statement, arguments or None).fetchone()
    assert row is not None
    return row[0]


def _sequence(connection: psycopg.Connection) -> int:
    """The whole outbox gets its places."""
    total = 0
    while True:
        row = connection.execute("select sequenced, remaining from iucore.fn_iu_sequence(10000)").fetchone()
        assert row is not None
        total += row[0]
        if not row[1]:
            return total


def _server_seconds(database: Database) -> float:
    """Processor time of all processes of the server, those that ended included."""
    with database.admin() as admin:
        backend = Path("/proc", str(_one(admin, "select pg_backend_pid()")), "stat")
        parent = int(backend.read_text().rsplit(")", 1)[1].split()[1])
    total = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        # After the name: state, ppid, ...; utime and stime are the 12th and 13th, those of ended children the next two.
        if entry.name == str(parent):
            total += sum(map(int, fields[11:15]))
        elif fields[1] == str(parent):
            total += sum(map(int, fields[11:13]))
    return total / os.sysconf("SC_CLK_TCK")


# --- workers -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Run:
    """What workers did: seconds from the start of all to the end of the last."""

    seconds: float
    sent: int
    cpu: float
    memory: int
    ages: list[float]


@contextmanager
def _workers(
    database: Database, count: int, *, routes: Sequence[str], batch: int = 1000, **more: object
) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that are connected to nothing yet and wait for a line."""
    with ExitStack() as stack:
        started = []
        for number in range(count):
            options = {
                "url": conninfo(database.url),
                "routes": list(routes),
                "batch": batch,
                "name": f"w{number}",
                **more,
            }
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, str(_WORKER), json.dumps(options)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            stack.callback(process.kill)
            started.append(process)
        for process in started:
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise OSError("a worker did not start")
        yield started


def _go(processes: Sequence[subprocess.Popen[str]]) -> float:
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    return time.perf_counter()


def _ended(processes: Sequence[subprocess.Popen[str]], began: float) -> _Run:
    found = []
    for process in processes:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise OSError("a worker ended without a word")
        found.append(json.loads(line))
    return _Run(
        time.perf_counter() - began,
        sum(one["sent"] for one in found),
        sum(one["cpu"] for one in found),
        max(one["memory"] for one in found),
        sorted(age for one in found for age in one["ages"]),
    )


def _delivered(database: Database, count: int, *, routes: int, batch: int, events: int) -> _Run:
    """Everything that is in the outbox, from there to the attempt rows."""
    names = [_route(n) for n in range(routes)]
    with _workers(database, count, routes=names, batch=batch, once=True) as processes:
        run = _ended(processes, _go(processes))
    with database.admin() as admin:
        seen = _one(admin, "select count(*) from iucore.delivery_attempt where outcome = 'sent'")
    if seen != events * routes:
        raise DifferentError(f"{seen} attempts of {events * routes}")
    return run


# --- lines -------------------------------------------------------------------------------------------------------


def _rated(line: Line, note: str = "") -> Line:
    return replace(line, note=", ".join(filter(None, [f"{1 / line.ours:,.0f} events/s", note])))


def _plain(case: str, beside: str, ours: float, theirs: float, note: str = "") -> Line:
    """Seconds for an event beside those of something else in this run."""
    ratio = theirs / ours
    return _rated(Line("delivery", case, beside, "share", ours, theirs, ratio, ratio, ratio, 1), note)


def _sequencing(bench: Bench, commit: str) -> Iterator[Line]:
    """Places and hashes in batches of 10,000, beside one INSERT of the same rows in their order, hashes given."""
    events = bench.sizes.events
    with _database(bench, commit) as database, database.admin() as admin:
        admin.execute("create schema beside; create table beside.event_log (like iucore.event_log including all)")
        marks: list[int] = []

        def ours() -> float:
            _fill(database, events)
            marks.append(_one(admin, "select coalesce(max(position), 0) from iucore.event_log"))
            began = time.perf_counter()
            if _sequence(admin) != events:
                raise DifferentError("events were left without a place")
            return time.perf_counter() - began

        def theirs() -> float:
            began = time.perf_counter()
            done = admin.execute(
                """
                insert into beside.event_log (position, event_id, event_type, aggregatetype, aggregateid, subject,
                    delivery_lane, payload, change_id, actor, claimed_actor, traceparent, created_at, slot, hash)
                select l.position, l.event_id, l.event_type, l.aggregatetype, l.aggregateid, l.subject, l.delivery_lane,
                    l.payload, l.change_id, l.actor, l.claimed_actor, l.traceparent, l.created_at, l.slot, l.hash
                from iucore.event_log as l where l.position > %s order by l.position""",
                [marks[-1]],
            ).rowcount
            if done != events:
                raise DifferentError(f"{done} rows beside {events}")
            return time.perf_counter() - began

        case = f"sequencing, synchronous_commit {commit}"
        rounds = max(bench.sizes.rounds // 2, 1)
        yield _rated(paired("delivery", case, "INSERT of the same rows", ours, theirs, rounds=rounds, units=events))


def _enqueue(bench: Bench) -> Iterator[Line]:
    """A composer verb, its event with it, beside the bare insert of that event."""
    calls = bench.sizes.calls
    with _database(bench) as database, database.admin() as admin:
        admin.execute("select * from iucore.fn_iu_create('bench/a', 'text', 'A', 'a', 'bench')")
        admin.execute("select * from iucore.fn_iu_create('bench/b', 'text', 'B', 'b', 'bench')")
        admin.execute(
            "select * from iucore.fn_iu_collection_create('bench/f', 'file', 'F', 'bench',"
            """ p_members => '[{"piece": "bench/a"}, {"piece": "bench/b"}]')"""
        )
        database.settle()

        def ours() -> None:
            for n in range(calls):
                admin.execute(
                    "select * from iucore.fn_iu_collection_reorder('bench/f', 'bench/a', 'bench', p_at => %s)",
                    ["last" if n % 2 else "first"],
                )

        def theirs() -> None:
            for _ in range(calls):
                admin.execute(_WRITE.format(1))

        yield _rated(
            paired(
                "delivery",
                "enqueue: a composer verb",
                "INSERT of its event",
                ours,
                theirs,
                rounds=bench.sizes.rounds,
                units=calls,
                reads="times",
            )
        )


def _end_to_end(bench: Bench, commit: str) -> Iterator[Line]:
    """From the outbox to the attempt rows, sequencing included; the server's processor time of one route and eight."""
    events = bench.sizes.events
    cpu: dict[int, float] = {}
    for routes, batch, workers in ((1, 1000, 1), (1, 1000, 2), (1, 100, 1), (8, 1000, 1), (8, 1000, 2)):
        with _database(bench, commit, events, routes) as database:
            before = _server_seconds(database)
            run = _delivered(database, workers, routes=routes, batch=batch, events=events)
            used = _server_seconds(database) - before
            if workers == 1 and batch == 1000:
                cpu[routes] = used
            with database.admin() as admin:
                admin.execute("select pg_stat_force_next_flush()")
                dead = _one(admin, _DEAD)
            with database.admin() as admin:
                # The same rows as one statement stores them.
                admin.execute("create table beside (like iucore.delivery_attempt including all)")
                began = time.perf_counter()
                admin.execute(
                    "insert into beside (position, route, attempt, outcome, claim, made_at, slot) select position,"
                    " route, attempt, outcome, claim, made_at, slot from iucore.delivery_attempt where outcome = 'sent'"
                )
                limit = time.perf_counter() - began
        case = f"end to end, {routes} route{'s' if routes > 1 else ''}, batches of {batch}, {workers} worker"
        case += f"{'s' if workers > 1 else ''}, synchronous_commit {commit}"
        note = f"server {used:.1f} s of processor, worker {run.cpu:.1f} s, {dead} dead rows"
        if routes == 8 and workers == 1:
            note += f"; {cpu[8] / cpu[1]:.1f} times the server of one route"
        yield _plain(case, "INSERT of the attempts", run.seconds / events / routes, limit / events / routes, note)


def _beside_peers(bench: Bench) -> Iterator[Line]:
    """Our readers beside what others call a consumer, each in a database of its own, one after the other."""
    events = bench.sizes.events
    with _database(bench, events=events) as database, database.admin() as admin:
        _sequence(admin)
        admin.execute("vacuum (analyze) iucore.event_log")
        admin.execute("checkpoint")
        # As the loops of the peers: JSON as text.
        admin.adapters.register_loader("jsonb", TextLoader)
        pulls = []
        for _ in range(3):
            began, seen, after = time.perf_counter(), 0, 0
            while rows := admin.execute(
                "select position, event_id, payload from iucore.fn_iu_log_read(%s, null, 1000)", [after]
            ).fetchall():
                seen, after = seen + len(rows), rows[-1][0]
            pulls.append((time.perf_counter() - began) / seen)
        pull = statistics.median(pulls)
    delivered = 0.0
    with _database(bench, events=events, routes=1) as database:
        delivered = _delivered(database, 1, routes=1, batch=1000, events=events).seconds / events
    for name, peer in peers.PEERS.items() if bench.sizes.peers else ():
        few = {"procrastinate": 2_000, "pgqueuer": 20_000}.get(name, events)
        try:
            with bench.database("bench_peer") as database:
                found = peer(conninfo(database.url), min(few, events))
        except Skipped as why:
            print(f"   delivery: {name}: skipped: {why}", file=sys.stderr)
            continue
        about = f"{found.about}: {found.consumed:,.0f} events/s, enqueue {found.enqueued:,.0f}/s"
        yield _plain(f"reader by position, and {name}", name, pull, 1 / found.consumed, about)
        yield _plain(f"end to end, 1 route, 1 worker, and {name}", name, delivered, 1 / found.consumed, about)


def _held(bench: Bench) -> Iterator[Line]:
    """Events at a steady rate while a REPEATABLE READ snapshot is held: the last third beside the first."""
    seconds, rate = bench.sizes.hold, 8000
    with _database(bench, routes=1) as database, database.admin() as idle, database.admin() as admin:
        idle.execute("begin isolation level repeatable read")
        idle.execute("select count(*) from iucore.change")
        sizes = _sizes(admin)
        with _workers(database, 1, routes=[_route(0)], ages=True) as processes:
            began = _go(processes)
            counts = []
            stop = threading.Event()
            writer = threading.Thread(target=_write_steadily, args=(database, rate, stop))
            writer.start()
            for _ in range(3):
                before, at = _attempts(admin), time.perf_counter()
                time.sleep(seconds / 3)
                counts.append((_attempts(admin) - before) / (time.perf_counter() - at))
            stop.set()
            writer.join()
            _go(processes)
            run = _ended(processes, began)
        idle.execute("rollback")
        grown = {
            name: size / max(sizes.get(name, 1), 1)
            for name, size in _sizes(admin).items()
            if name in ("delivery_retry", "route_partition", "gate", "route", "event_type")
        }
        dead = _one(admin, _DEAD)
    note = f"{', '.join(f'{count:,.0f}' for count in counts)} events/s by thirds, {dead} dead rows"
    note += f", mutable tables grew {max(grown.values()):.1f} times" if grown else ""
    note += f", p99 {_percentile(run.ages, 0.99) * 1000:.1f} ms"
    yield _plain(
        f"a snapshot held for {seconds} s at {rate:,} events/s", "its first third", 1 / counts[-1], 1 / counts[0], note
    )


def _attempts(admin: psycopg.Connection) -> int:
    return int(_one(admin, "select count(*) from iucore.delivery_attempt where outcome = 'sent'"))


def _sizes(admin: psycopg.Connection) -> dict[str, int]:
    return dict(
        admin.execute(
            "select relname, pg_relation_size(oid) from pg_class"
            " where relnamespace = 'iucore'::regnamespace and relkind = 'r'"
        ).fetchall()
    )


def _write_steadily(database: Database, rate: int, stop: threading.Event, size: int = 80) -> None:
    """Transactions of some events, at a steady rate."""
    statement = _WRITE.format(size)
    with database.admin() as admin:
        began, done = time.perf_counter(), 0
        while not stop.is_set():
            admin.execute(statement)
            done += size
            ahead = done / rate - (time.perf_counter() - began)
            if ahead > 0:
                time.sleep(ahead)


def _percentile(ages: Sequence[float], share: float) -> float:
    return ages[min(int(len(ages) * share), len(ages) - 1)] if ages else float("nan")


def _latency(bench: Bench) -> Iterator[Line]:
    """From the making of an event to the transport, one event a transaction, a thousand in a second."""
    with _database(bench, routes=1) as database, _workers(database, 1, routes=[_route(0)], ages=True) as processes:
        began = _go(processes)
        stop = threading.Event()
        writer = threading.Thread(target=_write_steadily, args=(database, 1000, stop, 1))
        writer.start()
        time.sleep(bench.sizes.hold / 4)
        stop.set()
        writer.join()
        time.sleep(0.5)
        _go(processes)
        ages = _ended(processes, began).ages
    half, late = _percentile(ages, 0.5), _percentile(ages, 0.99)
    line = Line(
        "delivery",
        "from event to transport, 1,000 events/s",
        "p99",
        "times",
        half,
        late,
        half / late,
        half / late,
        half / late,
        1,
    )
    yield replace(
        line,
        note=f"p50 {half * 1000:.1f} ms, p99 {late * 1000:.1f} ms, most {ages[-1] * 1000:.1f} ms, {len(ages)} events",
    )


def _wakes(bench: Bench) -> Iterator[Line]:
    """Eight writers of one event a transaction, beside the same who call fn_iu_wake as the command line does."""
    seconds = max(bench.sizes.hold / 10, 1)
    with _database(bench, routes=1) as database, _workers(database, 1, routes=[_route(0)]) as processes:
        began = _go(processes)

        def writers(wake: bool) -> float:
            stop, counts = threading.Event(), []
            threads = [threading.Thread(target=_write_much, args=(database, stop, wake, counts)) for _ in range(8)]
            for thread in threads:
                thread.start()
            time.sleep(seconds)
            stop.set()
            for thread in threads:
                thread.join()
            return seconds / sum(counts)

        woken, quiet = [], []
        for _ in range(3):
            quiet.append(writers(False))
            woken.append(writers(True))
        _go(processes)
        _ended(processes, began)
    ratios = [theirs / ours for ours, theirs in zip(woken, quiet, strict=True)]
    ours, theirs = statistics.median(woken), statistics.median(quiet)
    yield _rated(
        Line(
            "delivery",
            "8 writers with wake-ups",
            "without",
            "share",
            ours,
            theirs,
            statistics.median(ratios),
            min(ratios),
            max(ratios),
            3,
        )
    )


def _write_much(database: Database, stop: threading.Event, wake: bool, counts: list[int]) -> None:
    """In the server, so that the client is not what is measured; a wake-up at most every 5 ms."""
    done, woken = 0, 0.0
    with psycopg.connect(conninfo(database.url), autocommit=True, prepare_threshold=0) as connection:
        while not stop.is_set():
            connection.execute(_WRITE.format(1))
            done += 1
            if wake and time.perf_counter() - woken > 0.005:
                connection.execute("select iucore.fn_iu_wake()")
                woken = time.perf_counter()
    counts.append(done)


def _backlog(bench: Bench) -> Iterator[Line]:
    """A large backlog, drained in order; the memory of the worker."""
    events = bench.sizes.backlog
    with _database(bench, "on", events, 1) as database:
        run = _delivered(database, 1, routes=1, batch=1000, events=events)
        with database.admin() as admin:
            began = time.perf_counter()
            _one(
                admin,
                "select count(*) from (select position, payload::text from iucore.event_log order by position) as l",
            )
            limit = time.perf_counter() - began
    note = f"{events:,} events, worker at most {run.memory / 2**20:.0f} MB"
    yield _plain("a backlog", "reading it once in the server", run.seconds / events, limit / events, note)

"""Other queues on PostgreSQL, and two in plain SQL: what the same events cost there.

Each function of ``PEERS`` takes the URL of a fresh database and a number of events. It enqueues the events in sets of
1,000, then one consumer with a handler that does nothing takes them all, in the peer's best documented batch mode. It
returns events per second of both, and raises ``Skipped`` where the peer is not to be had.

procrastinate and pgqueuer are no dependencies: where they cannot be imported, pip puts them into ``.iucore/peers`` of
the checkout, once. Each runs in a process of its own.
"""

from __future__ import annotations

import fcntl
import gc
import hashlib
import importlib.metadata
import importlib.util
import json
import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import psycopg

from _bench.harness import DifferentError, Skipped

SET = 1_000
"""Events in one transaction of a producer."""

Commit = Literal["on", "off"]

_ROOT = Path(__file__).resolve().parents[2]
_QUEUE = "bench"
_MODULES = ("procrastinate", "pgqueuer", "psycopg_pool", "asyncpg", "uvloop")
_PACKAGES = ("procrastinate>=3.10,<4", "pgqueuer>=1.6,<2", "psycopg[binary]>=3.2", "asyncpg>=0.30", "uvloop>=0.21")


@dataclass(frozen=True, slots=True)
class Rates:
    """Events per second of the producer and of the consumer, and what was measured: version and mode."""

    enqueued: float
    consumed: float
    about: str


# --- plain SQL -----------------------------------------------------------------------------------------------------


def skip_locked(url: str, events: int, *, batch: int = 1_000, synchronous_commit: Commit = "on") -> Rates:
    """The usual queue: take and delete in one statement, handle, commit. It records nothing."""
    take = """
        delete from job where ctid = any (array(
            select ctid from job order by id limit %s for update skip locked))
        returning id, payload::text"""
    with _connected(url, synchronous_commit) as connection:
        connection.execute("create table job (id bigint generated always as identity primary key, payload jsonb)")
        enqueued = _enqueue(
            connection, "insert into job (payload) select e::jsonb from unnest(%b::text[]) as e", events
        )

        def batches() -> Iterator[int]:
            while rows := connection.execute(take, [batch]).fetchall():
                rows.sort()  # DELETE returns them in any order.
                _handle(rows)
                connection.commit()
                yield len(rows)

        return Rates(enqueued, _consume(batches(), events), f"SKIP LOCKED and DELETE, batches of {batch:,}")


def log(
    url: str, events: int, *, batch: int = 1_000, synchronous_commit: Commit = "on", attempts: bool = True
) -> Rates:
    """A log, a cursor of inserted rows, a row for each attempt: two statements for a batch, no transaction meanwhile.

    There is no sequencer: of one producer the numbers are in the order of the commits. Without ``attempts`` it is a
    reader that pulls by position.
    """
    read = """
        select position, payload::text from log
        where position > coalesce((select max(position) from reached), 0) order by position limit %s"""
    record = "insert into reached (position) values (%b)"
    if attempts:
        record = f"""
            with done as ({record})
            insert into attempt (position, number, outcome) select p, 1, 'sent' from unnest(%b::bigint[]) as p"""
    with _connected(url, synchronous_commit) as connection:
        for table in (
            "log (position bigint generated always as identity primary key, payload jsonb)",
            "reached (position bigint primary key, at timestamptz default clock_timestamp())",
            "attempt (position bigint, number int, outcome text, at timestamptz default clock_timestamp(),"
            " primary key (position, number))",
        ):
            connection.execute(f"create table {table}")
        enqueued = _enqueue(
            connection, "insert into log (payload) select e::jsonb from unnest(%b::text[]) as e", events
        )
        connection.autocommit = True

        def batches() -> Iterator[int]:
            while rows := connection.execute(read, [batch]).fetchall():
                _handle(rows)
                positions = [position for position, _ in rows]
                connection.execute(record, [positions[-1], positions] if attempts else [positions[-1]])
                yield len(rows)

        mode = "a row for each attempt" if attempts else "no attempt rows"
        return Rates(enqueued, _consume(batches(), events), f"log and inserted cursor, {mode}, batches of {batch:,}")


# --- PgQ -----------------------------------------------------------------------------------------------------------


def pgq(url: str, events: int, *, batch: int = 1_000, synchronous_commit: Commit = "on", copy: bool = False) -> Rates:
    """PgQ, of Debian's postgresql-15-pgq3, which has it for Debian's server 15 only. It records nothing per event.

    A batch is what stands between two ticks: ``batch`` is 1,000 or a multiple. The ticks are made while events are
    enqueued, and counted nowhere: the ticker is a process of its own. ``copy``: the producer does not call
    ``insert_event`` for each event, but copies into the queue's table.
    """
    with _connected(url, synchronous_commit) as connection:
        if not connection.execute("select 1 from pg_available_extensions where name = 'pgq'").fetchone():
            raise Skipped("the server has no extension pgq (Debian: postgresql-15-pgq3)")
        for statement in (
            "create extension pgq",
            f"select pgq.create_queue('{_QUEUE}')",
            # A tick whenever it is asked for, also after a few events.
            f"select pgq.set_queue_config('{_QUEUE}', 'ticker_max_count', '1')",
            f"select pgq.register_consumer('{_QUEUE}', 'consumer')",
        ):
            connection.execute(statement)
        version = _value(connection, "select extversion from pg_extension where extname = 'pgq'")
        # Comment of pgq.current_event_table: "Event can be added to it without going via functions, e.g. by COPY."
        table = _value(connection, f"select pgq.current_event_table('{_QUEUE}')")

        def put_copy(payloads: list[str]) -> None:
            # Nothing in these payloads needs an escape.
            with connection.cursor().copy(f"copy {table} (ev_time, ev_type, ev_data) from stdin") as into:
                into.write("".join(f"now\tcreated\t{payload}\n" for payload in payloads))

        put = f"select count(pgq.insert_event('{_QUEUE}', 'created', e)) from unnest(%b::text[]) as e"
        enqueued = _enqueue(
            connection, put_copy if copy else put, events, then="select pgq.ticker()", every=max(1, batch // SET)
        )

        def batches() -> Iterator[int]:
            # The consumer loop of the PgQ documentation, one transaction for a batch.
            while number := _value(connection, f"select pgq.next_batch('{_QUEUE}', 'consumer')"):
                # All ten columns cost a fifth of the rate, and pgq.get_batch_cursor always returns all.
                rows = connection.execute(
                    "select ev_id, ev_type, ev_data from pgq.get_batch_events(%b)", [number]
                ).fetchall()
                _handle(rows)
                connection.execute("select pgq.finish_batch(%b)", [number])
                connection.commit()
                yield len(rows)

        way = "COPY" if copy else "insert_event"
        return Rates(enqueued, _consume(batches(), events), f"PgQ {version}, {way}, batches of {batch:,}")


# --- queues in Python ----------------------------------------------------------------------------------------------


def procrastinate(url: str, events: int, *, synchronous_commit: Commit = "on", concurrency: int = 3) -> Rates:
    """procrastinate: its worker fetches one job with each statement, and finishes ``concurrency`` of them meanwhile."""
    return _apart("procrastinate", url, events, synchronous_commit, concurrency=concurrency)


def pgqueuer(url: str, events: int, *, batch: int = 1_000, synchronous_commit: Commit = "on") -> Rates:
    """pgqueuer: it fetches and logs in batches."""
    return _apart("pgqueuer", url, events, synchronous_commit, batch=batch)


async def _procrastinate(url: str, events: int, *, concurrency: int) -> Rates:
    import procrastinate as peer

    logging.getLogger("procrastinate").setLevel(logging.WARNING)
    # A connection for each job that runs, one for the fetching, one to spare.
    pool = concurrency + 2
    app = peer.App(connector=peer.PsycopgConnector(conninfo=url, min_size=pool, max_size=pool))
    seen = 0

    @app.task(queue=_QUEUE)
    async def nothing(**_: object) -> None:
        nonlocal seen
        seen += 1

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        sets = [list(map(json.loads, each)) for each in _sets(events)]
        began = time.perf_counter()
        for each in sets:
            # Its documentation: howto/basics/batch_defer.
            await nothing.batch_defer_async(*each)
        enqueued = events / (time.perf_counter() - began)
        with psycopg.connect(url, autocommit=True) as own:
            _settle(own)
        began = time.perf_counter()
        # howto/concurrency; howto/production/delete_finished_jobs: deleting is less work than keeping.
        await app.run_worker_async(
            concurrency=concurrency,
            wait=False,
            listen_notify=False,
            delete_jobs="always",
            install_signal_handlers=False,
        )
        consumed = events / (time.perf_counter() - began)
    _same(seen, events)
    version = importlib.metadata.version("procrastinate")
    return Rates(enqueued, consumed, f"procrastinate {version}, batch_defer, concurrency {concurrency}")


async def _pgqueuer(url: str, events: int, *, batch: int) -> Rates:
    import asyncpg
    from pgqueuer import PgQueuer
    from pgqueuer.types import QueueExecutionMode

    with psycopg.connect(url) as known:  # asyncpg does not read every URL as libpq does.
        at = known.info
        place = {"host": at.host, "port": at.port, "user": at.user, "password": at.password, "database": at.dbname}
    # Its documentation: guides/performance-tuning (pool, batch size, autovac), comparisons/benchmarks (asyncpg, drain).
    async with asyncpg.create_pool(**place, min_size=5, max_size=5) as pool:
        worker = PgQueuer.from_asyncpg_pool(pool)
        queries = worker.qm.queries
        await queries.install()
        await queries.optimize_autovacuum()
        seen = 0

        @worker.entrypoint(_QUEUE)
        async def nothing(_: object) -> None:
            nonlocal seen
            seen += 1

        sets = [[payload.encode() for payload in each] for each in _sets(events)]
        began = time.perf_counter()
        for each in sets:
            await queries.enqueue([_QUEUE] * len(each), each, [0] * len(each))
        enqueued = events / (time.perf_counter() - began)
        with psycopg.connect(url, autocommit=True) as own:
            _settle(own)
        began = time.perf_counter()
        await worker.run(batch_size=batch, mode=QueueExecutionMode.drain)
        consumed = events / (time.perf_counter() - began)
    _same(seen, events)
    version = importlib.metadata.version("pgqueuer")
    return Rates(enqueued, consumed, f"pgqueuer {version}, asyncpg, batches of {batch:,}")


PEERS: dict[str, Callable[..., Rates]] = {
    "SKIP LOCKED": skip_locked,
    "log": log,
    "PgQ": pgq,
    "pgqueuer": pgqueuer,
    "procrastinate": procrastinate,
}
"""All take ``(url, events, *, synchronous_commit)``; all but procrastinate, which has no batches, take ``batch``."""


# --- a process and a folder for them -------------------------------------------------------------------------------


def _apart(name: str, url: str, events: int, synchronous_commit: Commit, **options: int) -> Rates:
    _commit(url, synchronous_commit)
    done = subprocess.run(
        [_python(), "-P", "-c", "from _bench import peers; peers._apart_main()"],
        input=json.dumps({"name": name, "url": url, "events": events, **options}),
        env=os.environ | {"PYTHONPATH": str(_ROOT / "scripts")},
        stdout=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        raise OSError(f"the process of {name} ended with {done.returncode}")
    return Rates(**json.loads(done.stdout.splitlines()[-1]))


def _apart_main() -> None:
    """In the process of a peer: the question on standard input, the answer on the last line of standard output."""
    import uvloop

    asked = json.load(sys.stdin)
    known: dict[str, Callable[..., Any]] = {"procrastinate": _procrastinate, "pgqueuer": _pgqueuer}
    peer = known[asked.pop("name")]
    gc.disable()  # As the harness does.
    print(json.dumps(asdict(uvloop.run(peer(**asked)))))


def _python() -> str:
    """A Python that can import the peers: this one, else that of ``.iucore/peers``, which is made when missing."""
    if all(map(importlib.util.find_spec, _MODULES)):
        return sys.executable
    home = _ROOT / ".iucore" / "peers"
    python, stamp, want = str(home / "bin" / "python"), home / "iucore-stamp", "\n".join((*_PACKAGES, str(home)))
    home.parent.mkdir(exist_ok=True)
    with home.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.is_file() and stamp.read_text() == want:
            return python
        pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        try:
            for command in ((sys.executable, "-m", "venv", "--clear", str(home)), (*pip, *_PACKAGES)):
                subprocess.run(command, check=True, capture_output=True, text=True)
        except subprocess.CalledProcessError as error:
            shutil.rmtree(home, ignore_errors=True)
            said = (error.stderr or error.stdout).strip().splitlines() or [str(error)]
            raise Skipped(f"procrastinate and pgqueuer cannot be installed: {said[-1]}") from error
        stamp.write_text(want)
    return python


# --- what all of them do alike -------------------------------------------------------------------------------------


def _sets(events: int) -> list[list[str]]:
    return [[_payload(n) for n in range(at, min(at + SET, events))] for at in range(0, events, SET)]


def _payload(number: int) -> str:
    """As of a birth."""
    sha256 = hashlib.sha256(str(number).encode()).hexdigest()
    return json.dumps({"kind": "text", "version": 1, "sha256": sha256, "number": number})


def _commit(url: str, synchronous_commit: Commit) -> None:
    """For every later session of the database, whatever connects."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'alter database "{connection.info.dbname}" set synchronous_commit = {synchronous_commit}')


@contextmanager
def _connected(url: str, synchronous_commit: Commit) -> Iterator[psycopg.Connection[Any]]:
    _commit(url, synchronous_commit)
    with psycopg.connect(url, prepare_threshold=0) as connection:
        yield connection


def _enqueue(
    connection: psycopg.Connection[Any],
    put: str | Callable[[list[str]], object],
    events: int,
    *,
    then: str = "",
    every: int = 1,
) -> float:
    """One transaction for a set. ``then`` is run after every so many sets and after the last; it does not count."""
    connection.commit()
    sets, spent = _sets(events), 0.0
    for number, payloads in enumerate(sets, 1):
        began = time.perf_counter()
        if callable(put):
            put(payloads)
        else:
            connection.execute(put, [payloads])
        connection.commit()
        spent += time.perf_counter() - began
        if then and (number % every == 0 or number == len(sets)):
            connection.execute(then)
            connection.commit()
    connection.autocommit = True
    _settle(connection)
    connection.autocommit = False
    return events / spent


def _settle(connection: psycopg.Connection[Any]) -> None:
    """Statistics, and nothing left to write: as a database in use."""
    connection.execute("vacuum (analyze)")
    connection.execute("checkpoint")


def _consume(batches: Iterator[int], events: int) -> float:
    began = time.perf_counter()
    seen = sum(batches)
    spent = time.perf_counter() - began
    _same(seen, events)
    return events / spent


def _handle(_: Sequence[Any]) -> None:
    """Nothing."""


def _value(connection: psycopg.Connection[Any], query: str) -> Any:
    row = connection.execute(query).fetchone()
    return row[0] if row else None


def _same(seen: int, events: int) -> None:
    if seen != events:
        raise DifferentError(f"{seen:,} events were handled of {events:,}")

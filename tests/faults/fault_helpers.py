"""Writers that repeat with the same request key until they know, a route worker, and what must hold afterwards."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from event_laws import assert_events
from psycopg.rows import tuple_row
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from iucore import _target, collections, units

ROUTES = ("unit.created", "unit.edited", "collection.piece_added")
DRIVERS = _target.DRIVERS
CLI = [sys.executable, "-m", "iucore.cli"]


def wait_for(condition: Callable[[], Any], what: str, seconds: float = 30, pause: float = 0.01) -> Any:
    """What the condition gives when it holds."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(pause)
    return found


def free_ports(count: int) -> list[int]:
    """Ports of the loopback that are free now, below those from which the system takes the ports of clients."""
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found += [port] if port not in found else []
    return found


def new_folder() -> Path:
    """A new folder that the server's user can enter (pytest's is closed to it under root); in memory where roomy."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 4 << 30
    folder = Path(tempfile.mkdtemp(prefix="iucore-", dir=memory if roomy else None))
    folder.chmod(0o755)
    return folder


@contextmanager
def open_folder() -> Iterator[Path]:
    """A new folder, which goes with the block."""
    folder = new_folder()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def environment() -> dict[str, str]:
    """Of a program that is told its database by --url alone."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "IUCORE_", "DATABASE_"))}
    return kept | {"PGPASSFILE": os.environ["PGPASSFILE"]}


def kill(pid: int) -> None:
    """By -9; gone already is as good."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def sql(url: str) -> psycopg.Connection[Any]:
    """A session that commits each statement."""
    return psycopg.connect(url, autocommit=True, row_factory=tuple_row)


@dataclass(frozen=True)
class Done:
    """A change that the database acknowledged."""

    key: str
    verb: str
    subject: str
    change_id: int


class Writer(threading.Thread):
    """Makes a piece, puts it into its collection and edits it twice, again and again.

    ``url`` gives the database for a number of tries: what it did not learn it asks elsewhere. An answer that does not
    come in ``patience`` seconds is not waited for: a primary that was left behind never gives one.
    """

    def __init__(self, name: str, url: Callable[[int], str], driver: str, *, patience: float = 5.0) -> None:
        super().__init__(daemon=True)
        self.name, self.driver, self.patience = name, driver, patience
        self.url = url
        self.done: list[Done] = []
        self.at: list[float] = [time.monotonic()]
        self.unknown = 0
        self.raised: BaseException | None = None
        self.stopped = threading.Event()
        self._tries = 0
        self._connection: Connection | None = None

    def run(self) -> None:
        try:
            self._write(
                "collection",
                self.name,
                lambda c, k: collections.create(c, **self._named(k), kind="file", title="F"),
            )
            while not self.stopped.is_set():
                self._piece(f"{self.name}/{len(self.done)}")
        except BaseException as error:
            self.raised = error
        finally:
            self._close()

    def _named(self, key: str) -> dict[str, Any]:
        return {"key": self.name, "reason": "fault", "request_key": key}

    def _piece(self, address: str) -> None:
        given = {"address": address, "reason": "fault"}
        self._write(
            "create",
            address,
            lambda c, k: units.create(c, **given, kind="text", title="T", body=f"{address} 1\n", request_key=k),
        )
        self._write("add", self.name, lambda c, k: collections.add(c, **self._named(k), member=address))
        for version in (1, 2):
            self._write(
                "edit",
                address,
                lambda c, k, version=version: units.edit(
                    c, **given, expected_version=version, body=f"{address} {version + 1}\n", request_key=k
                ),
            )

    def _write(self, verb: str, subject: str, call: Callable[[Connection, str], Any]) -> None:
        """One change, with one key, until its outcome is known."""
        key = f"{self.name}:{len(self.done)}"
        until = time.monotonic() + 120
        while True:
            try:
                answer = self._try(call, key)
                break
            except DBAPIError as error:
                # Only what says nothing about the change itself: the connection, the server, a wait that was given up.
                code = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None) or "08000"
                if not code.startswith(("08", "57P", "53", "40", "58", "XX001")) or time.monotonic() > until:
                    raise
                self.unknown += 1
                self._tries += 1
                self._close()
                time.sleep(0.1)
        self.done.append(Done(key, verb, subject, answer.change_id))
        self.at.append(time.monotonic())

    def _try(self, call: Callable[[Connection, str], Any], key: str) -> Any:
        if self._connection is None:
            engine = _target.create_engine(_target.Target(self.url(self._tries), "test"), driver=self.driver)
            self._connection = engine.connect()
        driver: Any = self._connection.connection.dbapi_connection
        with socket.socket(fileno=os.dup(driver.fileno())) as wire:
            given_up = threading.Timer(self.patience, _shut, [wire])
            given_up.start()
            try:
                with self._connection.begin():
                    return call(self._connection, key)
            finally:
                given_up.cancel()

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                connection.invalidate()
                connection.close()


def _shut(wire: socket.socket) -> None:
    with suppress(OSError):
        wire.shutdown(socket.SHUT_RDWR)


class Load:
    """Four writers, and a worker that sends what they do into a file."""

    def __init__(self, url: Callable[[int], str], folder: Path, *, patience: float = 5.0) -> None:
        self.url = url
        folder.mkdir(exist_ok=True)
        self.file, self.log = folder / "events.jsonl", folder / "worker.log"
        self.writers = [
            Writer(f"w{n}", lambda tries, n=n: url(tries + n), DRIVERS[n % 2], patience=patience) for n in range(4)
        ]
        self.worker: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """The routes on, the worker and the writers at work."""
        with sql(self.url(0)) as connection:
            for route in ROUTES:
                target = json.dumps({"path": str(self.file)})
                connection.execute(
                    "select iucore.fn_iu_route_configure(%s, 'file', 'r', %s, p_backoff_ms => 1)", [route, target]
                )
                connection.execute("select iucore.fn_iu_route_set(%s, true, 'r')", [route])
            connection.execute("select iucore.fn_iu_gate_set('delivery', true, 'r')")
        self.start_worker()
        for writer in self.writers:
            writer.start()
        # A worker that never reached its database ends when it cannot; who watches it starts it again.
        wait_for(lambda: self.check() or self.sent(), "the first event")

    def start_worker(self) -> None:
        """A worker with the transport of the package, as an operator starts it."""
        options = ["--live", "--lease", "3", "--name", "w", *(word for route in ROUTES for word in ("--route", route))]
        with self.log.open("ab") as log:
            self.worker = subprocess.Popen(
                [*CLI, "worker", "run", "--url", self.url(0), *options], stdout=log, stderr=log, env=environment()
            )

    def kill_worker(self) -> None:
        """By -9, and a new one."""
        assert self.worker is not None
        self.worker.kill()
        self.worker.wait()
        self.start_worker()

    def check(self) -> None:
        """Raise what a writer raised, or that the worker ended."""
        for writer in self.writers:
            if writer.raised is not None:
                raise writer.raised
        assert self.worker is not None and self.worker.poll() is None, self.log.read_text()[-3000:]

    def written(self) -> int:
        return sum(len(writer.done) for writer in self.writers)

    def all_write(self, seconds: float = 60) -> None:
        """Wait until each writer has made further changes."""
        before = [len(writer.done) for writer in self.writers]
        wait_for(
            lambda: self.check() or all(len(w.done) > n + 3 for w, n in zip(self.writers, before, strict=True)),
            "writes",
            seconds,
        )

    def sends(self) -> None:
        """Wait until the worker has sent more."""
        before = self.file.stat().st_size
        wait_for(lambda: self.check() or self.file.stat().st_size > before, "the worker")

    def gap(self, since: float) -> float:
        """The longest time, in seconds, in which one of the writers had no change acknowledged."""
        longest = 0.0
        for writer in self.writers:
            times = [at for at in list(writer.at) if at >= since]
            longest = max(longest, *(later - at for at, later in zip([since, *times], times, strict=False)), 0.0)
        return longest

    def stop(self) -> None:
        """The writers to the end of what they do, then the worker when nothing is left to send."""
        for writer in self.writers:
            writer.stopped.set()
        for writer in self.writers:
            writer.join(150)
            assert not writer.is_alive()
        self.check()
        with sql(self.url(0)) as connection:
            wait_for(lambda: self.check() or not self._left(connection), "the worker", 60, 0.1)
        assert self.worker is not None
        self.worker.terminate()
        assert self.worker.wait(20) == 0, self.log.read_text()[-3000:]

    def end(self) -> None:
        """Whatever happened: nothing of it stays."""
        for writer in self.writers:
            writer.stopped.set()
        if self.worker is not None:
            self.worker.kill()
            self.worker.wait()

    def _left(self, connection: psycopg.Connection[Any]) -> bool:
        row = connection.execute(
            "select (select sum(unsequenced) from iucore.v_outbox_health),"
            " (select sum(lag_events) from iucore.v_route_health where route = any(%s)),"
            " (select count(*) from iucore.delivery_retry),"
            " (select count(*) from iucore.v_route_part as p join iucore.route as r on r.route = p.route"
            "  where p.route = any(%s) and p.kind = 'claim')",
            [list(ROUTES), list(ROUTES)],
        ).fetchone()
        return row is None or any(row)

    def sent(self) -> Counter[str]:
        """How often each event, by its id, stands in the file."""
        lines = self.file.read_bytes().splitlines() if self.file.exists() else []
        return Counter(json.loads(line)["id"] for line in lines)


@dataclass(frozen=True)
class Found:
    """Figures of a run: all of ``lost``, ``doubled`` and ``unsent`` are 0."""

    acknowledged: int
    asked_again: int
    lost: int
    doubled: int
    unsent: int
    sent_twice: int


def found(load: Load, url: str, more: Sequence[Done] = ()) -> Found:
    """What the database has of the acknowledged changes; asserts the laws of events and the ledger."""
    done = [one for writer in load.writers for one in writer.done] + list(more)
    with sql(url) as connection:
        assert_events(connection)
        kept = connection.execute(
            "select request_key, change_id from iucore.change where request_key is not null"
        ).fetchall()
        lost = len({(one.key, one.change_id) for one in done} - set(kept))
        # Versions and places too few are lost too; too many, or a change that nobody knows of, was made twice.
        counted = {
            "versions": (
                "select u.address, count(*) from iucore.unit_version as v"
                " join iucore.information_unit as u on u.unit_id = v.unit_id group by 1",
                Counter(one.subject for one in done if one.verb in ("create", "edit")),
            ),
            "places": (
                "select c.key, count(*) from iucore.collection_member as m"
                " join iucore.collection as c on c.collection_id = m.collection_id group by 1",
                Counter(one.subject for one in done if one.verb == "add"),
            ),
        }
        doubled = len({key for key, _ in kept} - {one.key for one in done})
        for statement, expected in counted.values():
            there = Counter(dict(connection.execute(statement).fetchall()))
            doubled += (there - expected).total()
            lost = max(lost, (expected - there).total())
        events = {
            str(row[0])
            for row in connection.execute(
                "select event_id from iucore.event_log where event_type = any(%s)", [list(ROUTES)]
            ).fetchall()
        }
        assert connection.execute("select count(*) from iucore.dead_letter").fetchone() == (0,)
    sent = load.sent()
    assert set(sent) <= events, "what was sent is not known to the database"
    command = [*CLI, "ledger", "verify", "--url", url]
    verified = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
    assert verified.returncode == 0, verified.stderr
    return Found(
        acknowledged=len(done),
        asked_again=sum(writer.unknown for writer in load.writers),
        lost=lost,
        doubled=doubled,
        unsent=len(events - set(sent)),
        sent_twice=sum(count > 1 for count in sent.values()),
    )

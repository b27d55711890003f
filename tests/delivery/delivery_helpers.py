"""Events to deliver, a transport that remembers, and workers in threads and in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from servers import url_of

from iucore.delivery.transport import SENT, Event, Outcome, failed
from iucore.delivery.worker import RouteSummary, Worker

Rows = list[tuple[Any, ...]]


def wait_for(condition: Callable[[], Any], what: str, seconds: float = 20) -> Any:
    """Return what the condition gives when it holds."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.002)
    return found


class Place:
    """Makes routes and events in a database at head, and looks; its route and its type of events have its name."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        connection.autocommit = True
        self.connection = connection
        self.name = f"r{uuid.uuid4().hex}"
        self.type = f"test.{self.name}"
        self.call("event_type_register", event_type=self.type, title="T", lane="delayed", delta=True)
        self.made = 0

    @property
    def url(self) -> str:
        return url_of(self.connection.info.dbname)

    def rows(self, statement: str, *arguments: Any) -> Rows:
        return self.connection.execute(statement, arguments or None).fetchall()

    def value(self, statement: str, *arguments: Any) -> Any:
        ((value,),) = self.rows(statement, *arguments)
        return value

    def call(self, name: str, /, **arguments: Any) -> Rows:
        """A governed call, with a reason."""
        arguments.setdefault("reason", "test")
        casts = {"partitions": "::smallint", "max_attempts": "::smallint"}
        named = ", ".join(f"p_{key} => %({key})s{casts.get(key, '')}" for key in arguments)
        given = {key: json.dumps(value) if isinstance(value, dict) else value for key, value in arguments.items()}
        return self.connection.execute(f"select * from iucore.fn_iu_{name}({named})", given).fetchall()

    def gate(self, is_open: bool) -> None:
        self.call("gate_set", gate="delivery", open=is_open)

    def route(self, name: str | None = None, *, on: bool = True, gate: bool = True, **setting: Any) -> str:
        """A route for the events of the test, ready to send: quick to try again, unless told otherwise."""
        name = name or self.name
        self.call("route_register", route=name, event_type=self.type, title="T")
        self.configure(name, **setting)
        if on:
            self.switch(True, name)
        if gate:
            self.gate(True)
        return name

    def switch(self, on: bool, route: str | None = None) -> None:
        self.call("route_set", route=route or self.name, enabled=on)

    def configure(self, name: str | None = None, **setting: Any) -> None:
        quick = {"transport": "board", "backoff_ms": 1, "backoff_cap_ms": 1, "max_attempts": 3}
        self.call("route_configure", route=name or self.name, **quick | setting)

    def emit(self, subjects: Sequence[str]) -> None:
        """One event for each subject, in one change."""
        numbers = list(range(self.made, self.made + len(subjects)))
        self.made += len(subjects)
        self.connection.execute(
            """
            with made as (
                insert into iucore.change (verb, subject, reason) values ('test', 'test', 'test')
                returning change_id, actor
            )
            insert into iucore.event_outbox (id, aggregatetype, aggregateid, type, payload, event_subject_ref,
                delivery_lane, change_id, actor)
            select iucore.fn_iu_uuid7(), 'test', e.subject, %s, jsonb_build_object('n', e.n), e.subject, 'delayed',
                m.change_id, m.actor
            from made as m, unnest(%s::text[], %s::bigint[]) with ordinality as e (subject, n, ordinal)
            order by e.ordinal
            """,
            [self.name, list(subjects), numbers],
        )

    def sequence(self) -> list[int]:
        """Give every event its place; where those of the test stand."""
        while self.rows("select remaining from iucore.fn_iu_sequence()") == [(True,)]:
            pass
        return self.positions()

    def positions(self) -> list[int]:
        """Where the events of the test stand in the ledger."""
        found = self.rows("select position from iucore.event_log where event_type = %s order by 1", self.type)
        return [row[0] for row in found]

    def attempts(self) -> Rows:
        return self.rows(
            "select position, attempt, outcome from iucore.delivery_attempt where route = %s order by 1, made_at",
            self.name,
        )

    def outcomes(self, route: str | None = None) -> dict[str, int]:
        return dict(
            self.rows(
                "select outcome, count(*) from iucore.delivery_attempt where route = %s group by 1", route or self.name
            )
        )

    def dead(self) -> Rows:
        return self.rows(
            "select position, attempts, reason from iucore.dead_letter where route = %s and closed_change is null"
            " order by 1",
            self.name,
        )

    def retries(self) -> Rows:
        """What is to be sent again."""
        return self.rows(
            "select position, state, attempts from iucore.delivery_retry where route = %s order by 1", self.name
        )

    def cursors(self, columns: str, condition: str = "true") -> Rows:
        """The live cursors of the route, oldest first."""
        return self.rows(
            f"select {columns} from iucore.delivery_cursor"
            f" where route = %s and mode = 'live' and {condition} order by seq",
            self.name,
        )

    def claimed(self) -> bool:
        """Whether a worker has a batch of the route now; it has one part."""
        return self.cursors("kind")[-1:] == [("claim",)]


Script = Callable[[Event, int], Outcome]


class Board:
    """A transport that remembers. ``script`` says what becomes of an event, by how often it came before."""

    def __init__(self, script: Script | None = None, *, hand_over: int = 1) -> None:
        self.script = script
        self.hand_over = hand_over
        self.hand_overs: list[list[Event]] = []
        self.outcomes: list[tuple[int, str]] = []
        self.opened: list[tuple[str, dict[str, Any]]] = []
        self.closed = 0
        self.came: dict[int, int] = {}
        self._lock = threading.Lock()

    def open(self, name: str, target: Any, *, networks: Sequence[str], environ: Any) -> Board:
        self.opened.append((name, dict(target)))
        return self

    def send(self, events: Sequence[Event], *, deadline: float) -> Sequence[Outcome]:
        with self._lock:
            self.hand_overs.append(list(events))
        found = []
        for event in events:
            before = self.came.get(event.position, 0)
            self.came[event.position] = before + 1
            found.append(SENT if self.script is None else self.script(event, before))
            self.outcomes.append((event.position, found[-1].kind))
        return found

    def close(self) -> None:
        self.closed += 1

    @property
    def sent(self) -> list[int]:
        """Positions in the order in which they were sent."""
        return [position for position, kind in self.outcomes if kind == "sent"]

    def subjects(self) -> dict[str, list[int]]:
        """What came of each subject, in the order of coming."""
        found: dict[str, list[int]] = {}
        for events in self.hand_overs:
            for event in events:
                found.setdefault(event.subject, []).append(event.position)
        return found


def never(*_: Any, **__: Any) -> Board:
    """An opener that must not be called."""
    raise AssertionError("a transport was opened")


def failing(*positions: int, times: int = 1000) -> Script:
    """Fails the events at these positions so often."""
    return lambda event, before: failed("no") if event.position in positions and before < times else SENT


def made(place: Place, board: Board | None, **given: Any) -> Worker:
    """A live worker for the route of the place, unless told otherwise."""
    usual = {"routes": [place.name], "live": True, "listen": False}
    opener = {"open_transport": never if board is None else board.open}
    return Worker(given.pop("url", None) or place.url, **usual | opener | given)


def work(place: Place, board: Board | None = None, **given: Any) -> list[RouteSummary]:
    """A worker until it has nothing more to do: now, or for a while."""
    idle = given.pop("idle_exit", None)
    worker = made(place, board, **given)
    worker.run(threading.Event(), once=idle is None, idle_exit=idle)
    return worker.summary()


@contextmanager
def working(place: Place, board: Board, **given: Any) -> Iterator[list[str]]:
    """A worker in a thread while the block runs; gives what it says. What it raises is raised here."""
    said: list[str] = []
    stop = threading.Event()
    raised: list[BaseException] = []
    worker = made(place, board, **{"say": said.append} | given)

    def run() -> None:
        try:
            worker.run(stop)
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield said
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()
    if raised:
        raise raised[0]


# A worker in a process of its own. Its transport writes the positions that it sends into a file, and does what it is
# told at one of them: kill or stop its process.
PROCESS = """
import os, signal, sys, threading
from iucore.delivery.transport import SENT
from iucore.delivery.worker import Worker
url, route, path, name, at, what, lease, batch = sys.argv[1:]

class Board:
    hand_over = 1
    def send(self, events, *, deadline):
        (event,) = events
        if event.position == int(at):
            os.kill(os.getpid(), getattr(signal, what))
        os.write(file, b"%d\\n" % event.position)
        return [SENT]
    def close(self):
        pass

file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
Worker(url, routes=[route], live=True, lease=float(lease), batch=int(batch), name=name, listen=False,
    open_transport=lambda *_, **__: Board(), say=lambda line: print(line, file=sys.stderr, flush=True)).run(stop)
"""


def start_process(
    place: Place,
    path: Path,
    *,
    name: str = "p",
    at: int = 0,
    what: str = "SIGKILL",
    lease: float = 0.4,
    batch: int = 100,
) -> subprocess.Popen[str]:
    """Start such a worker; the caller ends it."""
    arguments = [place.url, place.name, str(path), name, str(at), what, str(lease), str(batch)]
    return subprocess.Popen([sys.executable, "-c", PROCESS, *arguments], stderr=subprocess.PIPE, text=True)


def positions_in(path: Path) -> list[int]:
    """What processes have sent."""
    return [int(line) for line in path.read_text().split()] if path.exists() else []

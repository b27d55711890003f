"""Processes that are killed or stopped, a database that goes away, a pooler, and no network at all."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from delivery_helpers import Board, Place, made, positions_in, start_process, wait_for, work, working

from iucore.delivery import loop
from iucore.delivery.sequencer import Sequencer
from iucore.delivery.transport import SENT, Event, Outcome
from iucore.embedded import Cluster
from iucore.operations import migrate

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def test_a_worker_that_was_paused_is_refused(place: Place, tmp_path: Path) -> None:
    """It stands still in the middle of a batch; another one takes over; awake again it is refused, and goes on."""
    place.route(max_attempts=5)
    place.emit([*"abcab"])
    positions = place.sequence()
    path = tmp_path / "sent"
    with start_process(place, path, at=positions[1], what="SIGSTOP") as process:
        try:
            wait_for(lambda: os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT), "the stop")
            assert positions_in(path) == positions[:1] and place.claimed()
            board = Board()
            assert work(place, board) == [], "the lease holds"
            wait_for(lambda: work(place, board), "the lease to run out")
            assert sorted(board.sent) == positions
            place.emit(["d"])
            process.send_signal(signal.SIGCONT)
            wait_for(lambda: place.outcomes().get("sent") == 6, "the new event")
            process.terminate()
            _, said = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == 0
    assert "event=lease_lost" in said
    # It finished the hand-over under way; nothing more of the old batch went out.
    *_, new = place.positions()
    assert positions_in(path) == [*positions[:2], new]
    assert place.outcomes() == {"lost": 5, "sent": 6}
    assert all(found == sorted(found) for found in board.subjects().values())


def test_an_event_that_kills_the_worker_is_a_dead_letter_at_the_limit(place: Place, tmp_path: Path) -> None:
    place.route(max_attempts=3)
    place.emit([f"s{number}" for number in range(1000)])
    positions = place.sequence()
    poison, path = positions[777], tmp_path / "sent"
    deaths = 0

    def done() -> bool:
        return place.outcomes().get("sent") == 999 and len(place.dead()) == 1

    until = time.monotonic() + 60
    while not done():
        assert time.monotonic() < until and deaths < 10
        with start_process(place, path, at=poison, lease=0.5) as process:
            try:
                wait_for(lambda: process.poll() is not None or done(), "death or the end", 60)
                deaths += process.poll() == -signal.SIGKILL
                process.terminate()
                process.communicate(timeout=20)
            finally:
                process.kill()
    assert deaths == 3
    assert place.dead() == [(poison, 3, "the worker did not record it before its lease ran out")]
    assert [row for row in place.attempts() if row[0] == poison] == [(poison, number, "lost") for number in (1, 2, 3)]
    assert set(positions_in(path)) == set(positions) - {poison}
    # Twice only what was sent and not recorded: the events of its batch.
    twice = [position for position in positions if positions_in(path).count(position) > 1]
    assert set(twice) <= set(positions[700:777])
    assert place.retries() == []


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("step", "number"),
    [("sequence", 1), ("wake", 1), ("take", 1), ("show", 2), ("allowed", 1), ("allowed", 2), ("record", 1)],
)
def test_the_session_is_lost_around_any_step(
    place: Place, monkeypatch: pytest.MonkeyPatch, step: str, number: int, when: str
) -> None:
    """Before a statement, or when it is done and its answer is on the way. Nothing is lost; twice comes only what was
    taken without knowing it.
    """
    place.route(max_attempts=3)
    place.emit([*"abaa"])
    if step not in ("sequence", "wake"):
        place.sequence()
    made_calls: list[str] = []
    call = loop.Session.call

    def killing(session: loop.Session, verb: Any, **arguments: Any) -> Any:
        made_calls.append(verb.__name__)
        if verb.__name__ != step or made_calls.count(step) != number:
            return call(session, verb, **arguments)

        def killed(connection: Any, **arguments: Any) -> Any:
            if when == "after":
                verb(connection, **arguments)
            connection.exec_driver_sql("select pg_terminate_backend(pg_backend_pid())")

        return call(session, killed, **arguments)

    monkeypatch.setattr(loop.Session, "call", killing)
    board, said = Board(), []
    work(place, board, lease=0.5, idle_exit=0.7, say=said.append)
    assert made_calls.count(step) >= number
    assert sorted(board.sent) == place.positions()
    assert all(found == sorted(found) for found in board.subjects().values())
    orphan = step == "take" and when == "after"
    assert place.outcomes() == ({"lost": 4, "sent": 4} if orphan else {"sent": 4})
    assert place.retries() == []
    assert {"event=database_lost", "event=database_back"} <= {line.split()[0] for line in said}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A server that a test may stop, with a database at head."""
    home = Path(tempfile.mkdtemp(prefix="iucore-"))
    home.chmod(0o755)
    cluster = Cluster(home / "pg")
    try:
        migrate.upgrade(cluster.up({"fsync": "off"}))
        yield cluster
    finally:
        cluster.down("immediate")
        shutil.rmtree(home)


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_the_database_goes_away_and_comes_back(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, mode: Any) -> None:
    """What was handed over is recorded when it is back; nothing is sent twice, and nobody asks all the time."""
    url = cluster.up({"fsync": "off"})
    asked: list[float] = []
    connected = loop.connected
    monkeypatch.setattr(loop, "connected", lambda engine: asked.append(time.monotonic()) or connected(engine))
    with psycopg.connect(url) as connection:
        place = Place(connection)
        place.route()
        place.emit([f"s{number % 9}" for number in range(120)])
    reached = threading.Event()

    def script(event: Event, before: int) -> Outcome:
        if len(board.came) == 40:
            reached.set()
        time.sleep(0.005)
        return SENT

    board = Board(script)
    with working(place, board, url=url, listen=True) as said:
        assert reached.wait(20)
        cluster.down(mode)
        asked.clear()
        wait_for(lambda: len(asked) > 3, "tries to connect")
        assert asked[3] - asked[0] > 0.3, "each after a longer wait"
        assert len(board.came) < 60, "it does not send what it cannot record"
        cluster.up({"fsync": "off"})
        with psycopg.connect(url, autocommit=True) as place.connection:
            wait_for(lambda: place.outcomes().get("sent") == 120, "all events")
            assert place.outcomes() == {"sent": 120}
            assert board.sent == place.positions(), "each once, in order"
    assert [line.split()[0] for line in said if "listening" not in line] == [
        "event=database_lost",
        "event=database_back",
    ]


@contextmanager
def pgbouncer(place: Place) -> Iterator[str]:
    """A pooler of transactions with two sessions for everybody; gives a URL."""
    assert PGBOUNCER is not None
    home = Path(tempfile.mkdtemp(prefix="iucore-"))
    home.chmod(0o755)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    info = place.connection.info
    password = Path(os.environ["PGPASSFILE"]).read_text().strip().rsplit(":", 1)[1]
    (home / "pgbouncer.ini").write_text(
        f"""
[databases]
{info.dbname} = host={info.host} port={info.port} user={info.user} password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 2
logfile =
pidfile =
"""
    )
    as_user: dict[str, Any] = {"user": "nobody", "group": "nogroup"} if os.geteuid() == 0 else {}
    process = subprocess.Popen(
        [PGBOUNCER, "-q", str(home / "pgbouncer.ini")], stderr=subprocess.PIPE, text=True, **as_user
    )
    url = f"postgresql://postgres@127.0.0.1:{port}/{info.dbname}"

    def answers() -> bool:
        assert process.poll() is None, process.stderr and process.stderr.read()
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            return False
        return True

    try:
        wait_for(answers, "the pooler")
        yield url
    finally:
        process.kill()
        process.communicate()
        shutil.rmtree(home)


@pytest.mark.skipif(PGBOUNCER is None, reason="needs pgbouncer")
@pytest.mark.parametrize("driver", ["psycopg2", "psycopg"])
def test_all_of_it_passes_through_a_pooler_of_transactions(place: Place, driver: str) -> None:
    """Three workers and a sequencer share two sessions of the server; none of them keeps anything in a session."""
    place.route(partitions=3)
    stop, said = threading.Event(), []
    came: list[int] = []
    boards = [Board(lambda event, _: came.append(event.position) or SENT) for _ in range(3)]
    with pgbouncer(place) as url:
        url = url.replace("postgresql:", f"postgresql+{driver}:")
        options: dict[str, Any] = {"url": url, "listen": True, "batch": 10, "say": said.append}
        loops: list[Any] = [made(place, board, name=f"w{n}", **options) for n, board in enumerate(boards)]
        loops.append(Sequencer(url, batch=50, listen=True, say=said.append))
        threads = [threading.Thread(target=one.run, args=(stop,)) for one in loops]
        for thread in threads:
            thread.start()
        try:
            for _ in range(10):
                place.emit([f"s{number % 11}" for number in range(30)])
            wait_for(lambda: place.outcomes().get("sent") == 300, "all events")
            # Idle for long enough to listen, if it would.
            wait_for(lambda: len(said) == 4, "four that do not listen")
            place.emit(["a"])
            assert place.rows("select iucore.fn_iu_wake()") == [(False,)], "nobody holds the lock"
            wait_for(lambda: place.outcomes().get("sent") == 301, "the last event")
        finally:
            stop.set()
            for thread in threads:
                thread.join(20)
        assert sorted(came) == place.positions()
        assert {line.split()[0] for line in said} == {"event=not_listening"} and "pooler" in said[0]
        sessions = place.rows(
            "select query from pg_stat_activity where datname = current_database() and query ilike '%%listen%%'"
            " and pid <> pg_backend_pid()"
        )
        assert sessions == []


def no_network() -> bool:
    """Whether this user may make an empty network namespace."""
    command = shutil.which("unshare")
    return command is not None and subprocess.run([command, "-n", "true"], capture_output=True).returncode == 0


@contextmanager
def through_a_file(place: Place) -> Iterator[str]:
    """A Unix socket that leads to the server, which has none; gives a URL."""
    home = Path(tempfile.mkdtemp(prefix="iucore-"))
    info = place.connection.info
    password = Path(os.environ["PGPASSFILE"]).read_text().strip().rsplit(":", 1)[1]

    def copy(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def serve() -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.create_connection((info.host, info.port))
            for pair in ((near, far), (far, near)):
                threading.Thread(target=copy, args=pair, daemon=True).start()

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(home / f".s.PGSQL.{info.port}"))
        listener.listen()
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"postgresql://{info.user}:{password}@/{info.dbname}?host={home}&port={info.port}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)
    shutil.rmtree(home)


# The command, in a process that then says which modules of transports, and of networks, were loaded.
DRY_RUN = """
import sys
from iucore.cli import main
try:
    main(["worker", "run", "--once", "--format", "json", *sys.argv[1:]])
except SystemExit as end:
    loaded = [name for name in sys.modules if name.startswith("iucore.delivery.transports.") or name in
        ("cloudevents", "nats", "confluent_kafka", "http.client", "urllib.request")]
    print(loaded, end.code, file=sys.stderr)
"""


@pytest.mark.skipif(not no_network(), reason="needs an empty network namespace")
def test_a_dry_run_reaches_nothing_but_the_database(place: Place) -> None:
    """Everything is switched on but --live, in a network namespace in which nothing can be reached."""
    place.route(transport="webhook", target={"url": "https://example.org/hook", "secret_env": "HOOK_SECRET"})
    place.emit([*"abcd"])
    with through_a_file(place) as url:
        command = ["unshare", "-n", sys.executable, "-c", DRY_RUN, "--route", place.name, "--url", url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stderr.splitlines()[-1] == "[] 0", done.stderr
    assert place.outcomes() == {"dry_run": 4} and place.dead() == [] and place.cursors("kind") == [("done",)]
    assert f'"route": "{place.name}"' in done.stdout and '"dry_run": 4' in done.stdout and '"sent": 0' in done.stdout

"""What the worker and the sequencer share: a loop of rounds, its sleep, and a database that may go away and come back.

Every statement is a transaction of its own, and nothing is kept in the session: it passes through a pooler of
transactions such as PgBouncer. Only a sleeper that listens has a session with a state, and it has none behind a pooler.
"""

from __future__ import annotations

import contextlib
import json
import random
import re
import select
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from iucore import _target
from iucore.errors import OperationError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Say = Callable[[str], None]

# Seconds.
SHORTEST_SLEEP, LONGEST_SLEEP = 0.001, 1.0
LISTEN_FROM = 0.05
_FIRST_BACKOFF, _LONGEST_BACKOFF = 0.1, 10.0
_SLICE = 0.05
_LISTEN_AGAIN = 5.0
_TALK_AGAIN = 5.0

# Gone for now: connections (08, 57P), conflicts between transactions (40), resources (53), a cancelled or timed-out
# statement (57014, 55P03), a standby in the place of the primary (25006, IU916), files and disks (58); also a login
# that is refused, and a database that is being restored or closed (28, 3D000, 55000), since it was there before.
_PASSING = re.compile(r"08...|40...|53...|57P0[1235]|57014|55P03|25006|IU916|58...|28...|3D000|55000")
# The server is asked for signs of life, so that a host that vanished is found in about a minute; libpq's names.
_ALIVE = {
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}


class OutageError(Exception):
    """The database cannot be reached now, or ended the statement for a reason that passes."""


def engine_for(database: str | _target.Target) -> Engine:
    """An engine for a worker: each statement a transaction, and a lost server is noticed.

    Args:
        database: a URL as everywhere, or what ``_target.resolve`` gave.
    """
    target = _target.resolve(database) if isinstance(database, str) else database
    given = _target.normalise_url(target.url).query
    alive = {name: value for name, value in _ALIVE.items() if name not in given}
    return _target.create_engine(
        target, isolation_level="AUTOCOMMIT", connect_args={"client_encoding": "utf8", **alive}
    )


def pause(stop: threading.Event, seconds: float, readable: int | None = None) -> bool:
    """Sleep until the time is over, ``stop`` is set, or a file can be read: then True.

    ``stop`` is looked at and never waited for: a signal handler that sets it cannot meet a lock held here.
    """
    end = time.monotonic() + seconds
    poll = select.poll()
    if readable is not None:
        poll.register(readable, select.POLLIN)
    while not stop.is_set() and (left := end - time.monotonic()) > 0:
        if readable is None:
            time.sleep(min(left, _SLICE))
        elif poll.poll(max(1, min(left, _SLICE) * 1000)):
            return True
    return False


def in_thread(job: Callable[[], Result], ended: Callable[[], object]) -> Future[Result]:
    """Run it in a thread that does not keep the process from ending; ``ended`` is called when its result is there."""
    future: Future[Result] = Future()

    def run() -> None:
        try:
            future.set_result(job())
        except BaseException as error:
            future.set_exception(error)
        finally:
            ended()

    threading.Thread(target=run, daemon=True).start()
    return future


class Talk:
    """Lines ``name=value`` for people and programs; of one kind about one route not more than one in some seconds."""

    def __init__(self, say: Say | None) -> None:
        """Talk to nobody when ``say`` is None."""
        self._say = say
        self._last: dict[tuple[str, str], tuple[float, int]] = {}

    def __call__(self, kind: str, route: str = "", *, always: bool = False, **values: object) -> None:
        """Say it, unless the same kind was said of the route just now; then the next line tells how many were not."""
        if self._say is None:
            return
        now = time.monotonic()
        last, unsaid = self._last.get((route, kind), (-_TALK_AGAIN, 0))
        if now - last < _TALK_AGAIN and not always:
            self._last[route, kind] = last, unsaid + 1
            return
        self._last[route, kind] = now, 0
        named = {"event": kind, **({"route": route} if route else {}), **values}
        if unsaid:
            named["unsaid"] = unsaid
        # A worker goes on when nobody hears it.
        with contextlib.suppress(OSError):
            self._say(" ".join(f"{name}={_word(value)}" for name, value in named.items() if value is not None))


def _word(value: object) -> str:
    text = str(value)
    return text if re.fullmatch(r"[\w.:/+-]+", text) else json.dumps(text)


class Session:
    """One connection that is made when it is needed, again and again."""

    def __init__(self, engine: Engine, talk: Talk, *, beside: Session | None = None) -> None:
        """Connect later; ``beside``: a session with the same database, which may have reached it before."""
        self._engine, self._talk, self._beside = engine, talk, beside
        self._connection: Connection | None = None
        self._reached = False
        self._lost_at: float | None = None
        self._failures = 0

    def call(
        self,
        verb: Callable[Concatenate[Connection, Parameters], Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Run a verb in a transaction of its own.

        Raises:
            OutageError: what went wrong passes by itself. Before the first statement worked it is raised as it came.
        """
        from sqlalchemy.exc import DBAPIError

        try:
            if self._connection is None:
                self._connection = connected(self._engine)
            result = verb(self._connection, *args, **kwargs)
        except (DBAPIError, OperationError) as error:
            if isinstance(error, OperationError) and error.sqlstate != "IU916":
                raise
            self.close()
            reached = self._reached or (self._beside is not None and self._beside._reached)
            if not reached or not passing(error):
                raise
            reason = " ".join(str(getattr(error, "orig", error)).split())[:200]
            if self._lost_at is None:
                self._lost_at = time.monotonic()
                self._talk("database_lost", reason=reason)
            raise OutageError(reason) from error
        self._reached, self._failures = True, 0
        if self._lost_at is not None:
            self._talk("database_back", seconds=round(time.monotonic() - self._lost_at, 1))
            self._lost_at = None
        return result

    def back_off(self, stop: threading.Event) -> None:
        """Sleep after an outage: longer each time, and not all workers as long."""
        longest = min(_FIRST_BACKOFF * 2.0**self._failures, _LONGEST_BACKOFF)
        self._failures = min(self._failures + 1, 30)
        pause(stop, longest * random.uniform(0.5, 1.0))  # noqa: S311

    def close(self) -> None:
        """Drop the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.close()


def connected(engine: Engine) -> Connection:
    """A connection of our own, in autocommit, that prepares nothing in the server."""
    connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    connection.detach()
    driver: Any = connection.connection.dbapi_connection
    if hasattr(driver, "prepare_threshold"):
        # Behind a pooler the next statement may run in another session, which does not know it.
        driver.prepare_threshold = None
    return connection


def passing(error: Any) -> bool:
    """Whether a driver's error, of a database that was reached before, passes by itself."""
    original = getattr(error, "orig", error)
    code = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None)
    if code is None:
        return type(original).__name__ in ("OperationalError", "InterfaceError", "ConnectionTimeout", "DatabaseError")
    return _PASSING.fullmatch(code) is not None


class Sleeper:
    """Sleeps, and lets ``fn_iu_wake`` end the sleep.

    While it listens it holds a shared advisory lock in a session of its own: what tells ``fn_iu_wake`` that somebody
    sleeps. Such a session cannot go through a pooler of transactions. A pooler shows itself: it gives its clients
    numbers of processes of its own at the start, since it must tell their requests to cancel apart. Where that number
    is not the one of the server's process, nothing listens, and polling carries.
    """

    def __init__(self, engine: Engine, talk: Talk, *, listen: bool) -> None:
        """Listen only when asked to."""
        self._engine, self._talk = engine, talk
        self._listen = listen
        self._connection: Connection | None = None
        self._again = 0.0
        self.armed = False

    def arm(self) -> bool:
        """Begin to hold the lock; whether it does so only now: then look once more before you sleep."""
        if self.armed or not self._listen or time.monotonic() < self._again:
            return False
        held = self._run("select pg_try_advisory_lock_shared(hashtextextended('iucore.sleeping', 0))")
        self.armed = bool(held)
        return self.armed

    def disarm(self) -> None:
        """Give the lock back: whoever commits now need not wake anybody."""
        if self.armed:
            self.armed = False
            self._run("select pg_advisory_unlock_shared(hashtextextended('iucore.sleeping', 0))")

    def sleep(self, stop: threading.Event, seconds: float) -> bool:
        """Sleep; whether somebody woke it."""
        if not self.armed or self._connection is None:
            pause(stop, seconds)
            return False
        driver: Any = self._connection.connection.dbapi_connection
        woken = pause(stop, seconds, driver.fileno())
        if woken:
            # Reads what arrived, too.
            self.disarm()
        return woken

    def close(self) -> None:
        """End the session, and with it the lock."""
        connection, self._connection, self.armed = self._connection, None, False
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.close()

    def _run(self, statement: str) -> Any:
        from sqlalchemy.exc import DBAPIError

        try:
            if self._connection is None and not self._open():
                return None
            assert self._connection is not None
            found = self._connection.exec_driver_sql(statement).scalar_one()
            driver: Any = self._connection.connection.dbapi_connection
            if isinstance(notices := getattr(driver, "notifies", None), list):
                notices.clear()
            return found
        except DBAPIError as error:
            # Nothing depends on it: look again later, and poll until then.
            self.close()
            self._again = time.monotonic() + _LISTEN_AGAIN
            self._talk("not_listening", reason=" ".join(str(error.orig).split())[:200])
            return None

    def _open(self) -> bool:
        self._connection = connection = connected(self._engine)
        driver: Any = connection.connection.dbapi_connection
        if driver.info.backend_pid != connection.exec_driver_sql("select pg_backend_pid()").scalar_one():
            self._listen = False
            self._talk("not_listening", reason="a pooler stands between, so that polling carries")
            self.close()
            return False
        if hasattr(driver, "add_notify_handler"):
            # psycopg 3 keeps what nobody handles.
            driver.add_notify_handler(lambda _: None)
        connection.exec_driver_sql("listen iucore_wake")
        return True


class Loop:
    """Rounds until there is nothing to do, then sleep, from a millisecond after work to a second."""

    def __init__(self, database: Engine | str, *, listen: bool = True, say: Say | None = None) -> None:
        """Keep what a subclass needs; connect later.

        Args:
            database: an engine, which is not used up, or a URL.
            listen: let ``fn_iu_wake`` end a sleep, where no pooler stands between.
            say: gets a line about each thing of note.
        """
        self._engine = engine_for(database) if isinstance(database, str) else database
        self._talk = Talk(say)
        self._session = Session(self._engine, self._talk)
        self._sleeper = Sleeper(self._engine, self._talk, listen=listen)
        # Seconds after which the next round is due, whatever the sleep would be; None: whenever.
        self._due: float | None = None

    def _begin(self) -> None:
        """What is done once, before the first round."""

    def _round(self, stop: threading.Event, *, once: bool) -> bool:
        """Do what there is; whether anything was done, or is left."""
        raise NotImplementedError

    def _end(self) -> None:
        """What is done at the end, whatever happened."""

    def _run(self, stop: threading.Event, *, once: bool, idle_exit: float | None) -> None:
        idle = SHORTEST_SLEEP
        worked_at = time.monotonic()
        begun = False
        try:
            while not stop.is_set():
                try:
                    if not begun:
                        self._begin()
                        begun = True
                    worked = self._round(stop, once=once)
                except OutageError:
                    self._sleeper.close()
                    self._session.back_off(stop)
                    continue
                now = time.monotonic()
                if worked:
                    idle, worked_at = SHORTEST_SLEEP, now
                    continue
                if once or (idle_exit is not None and now - worked_at >= idle_exit):
                    return
                if idle >= LISTEN_FROM and self._sleeper.arm():
                    # Whoever committed before the lock was held woke nobody: look once more.
                    continue
                seconds = idle if idle_exit is None else min(idle, worked_at + idle_exit - now)
                if self._due is not None:
                    seconds = min(seconds, max(self._due, SHORTEST_SLEEP))
                woken = self._sleeper.sleep(stop, seconds)
                idle = SHORTEST_SLEEP if woken else min(idle * 2, LONGEST_SLEEP)
        finally:
            self._sleeper.close()
            self._session.close()
            self._end()

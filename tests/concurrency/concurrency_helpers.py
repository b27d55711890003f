"""Sessions in threads of their own, and waiting for locks instead of sleeping."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

SERIALIZATION = "40001"
DEADLOCK = "40P01"


class Session:
    """One connection with a thread of its own; calls run in the thread and give a future."""

    def __init__(self, dsn: str) -> None:
        self.connection = psycopg.connect(dsn, autocommit=True, row_factory=dict_row)
        # A deadlock shows at once, and nothing waits for ever.
        self.connection.execute("set deadlock_timeout = '50ms'")
        self.connection.execute("set statement_timeout = '30s'")
        self.pid = self.connection.info.backend_pid
        self.pool = ThreadPoolExecutor(1)

    def execute(self, statement: str, arguments: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """Runs a statement here and now."""
        cursor = self.connection.execute(statement, arguments or None)
        return cursor.fetchall() if cursor.description else []

    def call(self, name: str, /, **arguments: Any) -> list[dict[str, Any]]:
        """A governed function, here and now."""
        statement = sql.SQL("select * from iucore.{}({})").format(
            sql.Identifier("fn_iu_" + name),
            sql.SQL(", ").join(sql.SQL("{} => %s").format(sql.Identifier("p_" + key)) for key in arguments),
        )
        values = [
            json.dumps(value) if isinstance(value, dict) or (isinstance(value, list) and name != "axis_set") else value
            for value in arguments.values()
        ]
        return self.connection.execute(statement, values).fetchall()

    def code(self, name: str, /, **arguments: Any) -> str | None:
        """Calls, and gives the SQLSTATE of the refusal or None."""
        try:
            self.call(name, **{"reason": "r", **arguments})
        except psycopg.Error as error:
            return error.sqlstate
        return None

    def later(self, name: str, /, **arguments: Any) -> Future[list[dict[str, Any]]]:
        """A governed function in the session's thread."""
        return self.pool.submit(self.call, name, **{"reason": "r", **arguments})

    def close(self) -> None:
        """Ends thread and connection."""
        self.pool.shutdown(cancel_futures=True)
        self.connection.close()


def state_of(future: Future[Any]) -> str | None:
    """SQLSTATE of what a future ended with, None for success."""
    error = future.exception(30)
    if error is None:
        return None
    assert isinstance(error, psycopg.Error), error
    return error.sqlstate


def wait_until_blocked(observer: Session, waiting: Session, by: Session | None = None) -> None:
    """Returns when the one session waits for a lock (of the other)."""
    deadline = time.monotonic() + 20
    while True:
        ((row),) = observer.execute("select pg_blocking_pids(%s) as pids", [waiting.pid])
        if row["pids"] and (by is None or by.pid in row["pids"]):
            return
        assert time.monotonic() < deadline, "the session waits for nobody"


def end_or_block(observer: Session, session: Session, future: Future[Any]) -> None:
    """Returns when the session has ended its call or waits for a lock."""
    while not future.done():
        ((row),) = observer.execute("select cardinality(pg_blocking_pids(%s)) as n", [session.pid])
        if row["n"]:
            return


def at_once(*jobs: Callable[[], Any]) -> list[Any]:
    """Runs jobs in threads that start together; raises what any of them raised."""
    gate = threading.Barrier(len(jobs))

    def run(job: Callable[[], Any]) -> Any:
        gate.wait(30)
        return job()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return [future.result(120) for future in [pool.submit(run, job) for job in jobs]]

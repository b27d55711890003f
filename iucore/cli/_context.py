"""One run of the command line: the common options, the connection, and the transaction of each call."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import click

from iucore.cli import _errors

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from iucore._call import Recorder
    from iucore._target import Target

FORMATS = ("table", "json", "jsonl", "tsv", "csv")
Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Row = TypeVar("Row")

PAGE = 1000


class Context:
    """What a command works with. The connection is made when it is first needed."""

    def __init__(self) -> None:
        """Start with nothing chosen."""
        self.url: str | None = None
        self.format: str | None = None
        self.debug = False
        self.quiet = False
        self.role = _errors.READER
        self.about_server = False
        self.committed = False
        self.recorder: Recorder | None = None
        self._target: Target | None = None
        self._connection: Connection | None = None

    @property
    def shape(self) -> str:
        """The format of the output."""
        return self.format or ("table" if sys.stdout.isatty() else "tsv")

    def say(self, message: str) -> None:
        """Talk, on stderr."""
        if not self.quiet:
            click.echo(message, err=True)

    def needs(self, role: str) -> None:
        """Know which role a login needs for this way of running the command."""
        if self.recorder is None:
            self.role = role

    def target(self) -> Target:
        """The database, told on stderr when it is first asked for."""
        if self._target is None:
            from iucore import _target
            from iucore.errors import OperationError

            try:
                reads = self.role in _errors.READERS and self.recorder is None and not self.about_server
                self._target = _target.resolve(self.url, reads=reads)
            except OperationError as error:
                if error.sqlstate != "IU907":
                    raise
                raise _errors.CannotConnectError(error.message, error.detail, error.hint) from error
            self.say(f"database: {self._target.display()} ({self._target.source})")
        return self._target

    @property
    def embedded(self) -> bool:
        """Whether the database is the embedded one."""
        return self._target is not None and self._target.source == "embedded"

    def engine(self) -> Engine:
        """An engine for the database."""
        from iucore import _target

        # Text must arrive as it is, whatever PGCLIENTENCODING says.
        return _target.create_engine(self.target(), connect_args={"client_encoding": "utf8"})

    def connection(self) -> Connection:
        """The connection of this run."""
        if self._connection is None:
            from sqlalchemy.exc import DBAPIError

            try:
                engine = self.engine()
                if engine.driver == "psycopg2":
                    _interruptible(True)
                self._connection = engine.connect()
            except DBAPIError as error:
                raise _errors.cannot_connect(error.orig, embedded=self.embedded) from error
        return self._connection

    @contextmanager
    def transaction(self, *, snapshot: bool = False) -> Iterator[Connection]:
        """A transaction on the connection of this run; ``snapshot``: every statement sees the same moment."""
        connection = self.connection()
        if snapshot:
            connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            # Of the transaction, not of the session, which a pooler may give to others. What is no traceparent, the
            # database leaves out.
            if (trace := os.environ.get("TRACEPARENT", "")) and trace.isascii():
                connection.exec_driver_sql("select set_config('iucore.traceparent', %(trace)s, true)", {"trace": trace})
            yield connection
        self.committed = self.role not in _errors.READERS

    def read(
        self,
        verb: Callable[Concatenate[Connection, Parameters], Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Run a reading verb now, also where the command is only printed as SQL."""
        with self.connection().begin():
            return verb(self.connection(), *args, **kwargs)

    def call(
        self,
        verb: Callable[Concatenate[Connection | Recorder, Parameters], Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Run a verb in a transaction of its own, or record it for ``iucore sql``."""
        if self.recorder is not None:
            return verb(self.recorder, *args, **kwargs)
        with self.transaction() as connection:
            return verb(connection, *args, **kwargs)

    def pages(
        self,
        verb: Callable[..., list[Row]],
        name: Callable[[Row], str],
        *,
        after: str = "",
        limit: int | None = None,
        **given: Any,
    ) -> Iterator[Row]:
        """The rows of a listing verb, fetched page by page in one snapshot; all of them unless there is a limit."""
        if self.recorder is not None:
            verb(self.recorder, after=after, limit=limit, **given)
        with self.transaction(snapshot=True) as connection:
            left = sys.maxsize if limit is None else limit
            while left and (page := verb(connection, after=after, limit=min(left, PAGE), **given)):
                yield from page
                after = name(page[-1])
                left -= len(page)

    def reads_views(self) -> None:
        """Refuse to become SQL: the command reads views and calls no governed function."""
        if self.recorder is not None:
            raise click.UsageError("This command has no governed SQL: it reads views.")

    def close(self) -> None:
        """End the connection; after a commit wake a worker first: never in the transaction of a change."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                if self.committed:
                    _wake(connection)
                connection.close()
            finally:
                if connection.engine.driver == "psycopg2":
                    _interruptible(False)


def _wake(connection: Connection) -> None:
    from sqlalchemy.exc import SQLAlchemyError

    from iucore import events
    from iucore.errors import IucoreError

    # What was asked for is done; polling carries where this cannot be had.
    with suppress(SQLAlchemyError, IucoreError), connection.begin():
        events.wake(connection)


def _interruptible(on: bool) -> None:
    """Let Ctrl-C cancel a running statement; by itself psycopg2 sees it only when the statement has ended."""
    from select import select

    from psycopg2 import Error, extensions

    def wait(connection: Any) -> None:
        try:
            while (state := connection.poll()) != extensions.POLL_OK:
                reads = [connection] if state == extensions.POLL_READ else []
                select(reads, [] if reads else [connection], [])
        except KeyboardInterrupt:
            # There is nothing to cancel while the connection is being made.
            with suppress(Error):
                connection.cancel()
            raise

    extensions.set_wait_callback(wait if on else None)


def coloured(stream: Any) -> bool:
    """Whether colours may be written there (https://no-color.org)."""
    return bool(stream.isatty()) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

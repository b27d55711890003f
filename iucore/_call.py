"""The only place that turns a Python call into SQL."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from iucore import errors

if TYPE_CHECKING:
    from sqlalchemy import Connection, CursorResult

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Call:
    """One governed call: a function of schema ``iucore`` and its named arguments."""

    function: str
    arguments: Mapping[str, Any]

    def statement(self) -> str:
        """The statement with driver placeholders; both drivers read ``%(name)s``."""
        named = ", ".join(f"{name} => %({name})s" for name in self.arguments)
        return f"select * from iucore.{self.function}({named})"  # noqa: S608 (names are ours, values are bound)

    def script(self) -> str:
        """The statement with literals, ready to paste into psql.

        >>> Call("fn_iu_show", {"p_address": "a/it's", "p_version": None}).script()
        "select * from iucore.fn_iu_show(p_address => 'a/it''s', p_version => null);"
        >>> print(Call("fn_iu_show", {"p_address": "a\\\\b"}).script())
        select * from iucore.fn_iu_show(p_address => E'a\\\\b');
        """
        named = ", ".join(f"{name} => {_literal(value)}" for name, value in self.arguments.items())
        return f"select * from iucore.{self.function}({named});"  # noqa: S608 (values are quoted)


class Recorder:
    """Stands in for a Connection: keeps the calls instead of running them."""

    def __init__(self) -> None:
        """Start with no calls."""
        self.calls: list[Call] = []


class Recorded(Exception):  # noqa: N818  (a signal to the caller that recorded, not an error)
    """Raised instead of returning rows when the connection is a Recorder."""


def _literal(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list | tuple):
        element = "bigint" if value and isinstance(value[0], int) else "text"
        return f"array[{', '.join(_literal(item) for item in value)}]::{element}[]"
    return _quoted(str(value))


# What a driver without a connection always quotes alike: see _quoted.
_STEADY = re.compile(r"[^\\\x80-\U0010ffff]+")
# What a terminal would take for a key or turn round when the script is pasted or read: control characters but the line
# feed, and characters of format (bidi, zero width).
_UNSEEN = re.compile(r"[\x01-\x09\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def _quoted(text: str) -> str:
    """A text as a literal, quoted by the driver; with a backslash in it as ``E''``, which every server reads one way.

    Without a connection the driver goes by the last one of the process: whether it doubles a backslash by its
    ``standard_conforming_strings``, what it takes for one character by its encoding. So it is given what depends on
    neither: runs of ASCII without backslash.
    """
    from psycopg2.extensions import QuotedString

    def quoted(run: re.Match[str]) -> str:
        literal: bytes = QuotedString(run[0]).getquoted()
        return literal[1:-1].decode("ascii")

    escaped = _UNSEEN.sub(lambda one: f"\\u{ord(one[0]):04X}", text.replace("\\", "\\\\"))
    inner = _STEADY.sub(quoted, escaped)
    return f"E'{inner}'" if "\\" in escaped else f"'{inner}'"


def translated(error: Exception, connection: Connection | None = None) -> errors.IucoreError | None:
    """Our exception for a driver error that carries one of our SQLSTATEs, or that a standby raised (IU916)."""
    original: Any = getattr(error, "orig", None)
    sqlstate = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None)
    if sqlstate == "25006":
        return _read_only(original, connection)
    shape = errors.class_for(sqlstate) if sqlstate else None
    if shape is None or sqlstate is None:
        return None
    diagnostics = original.diag
    return shape(
        diagnostics.message_primary or "",
        sqlstate=sqlstate,
        detail=diagnostics.message_detail or "",
        hint=diagnostics.message_hint or "",
    )


def _read_only(original: Any, connection: Connection | None) -> errors.OperationError:
    """IU916 for 25006. The server says at all times whether it is a standby, so that nothing is asked."""
    said = None
    if connection is not None and not connection.closed and not connection.invalidated:
        driver: Any = connection.connection.dbapi_connection
        said = driver.info.parameter_status("in_hot_standby")
    standby = {"on": "this server is a standby", "off": "the session is read-only"}
    return errors.OperationError(
        standby.get(said or "", "this server is a standby, or the session is read-only"),
        sqlstate="IU916",
        detail=original.diag.message_primary or "",
        hint="The session is made so by default_transaction_read_only: set it to off, or log in as another role."
        if said == "off"
        else "Write to the primary: name it with --url or IUCORE_DATABASE_URL. A URL with several hosts and"
        " target_session_attrs=read-write finds it.",
    )


def execute(connection: Connection | Recorder, call: Call, **options: Any) -> CursorResult[Any]:
    """Run one call, with options of the statement. Unknown SQLSTATEs pass through as SQLAlchemy raises them."""
    if isinstance(connection, Recorder):
        connection.calls.append(call)
        raise Recorded
    from sqlalchemy.exc import DBAPIError

    try:
        return connection.exec_driver_sql(call.statement(), dict(call.arguments), execution_options=options)
    except DBAPIError as error:
        own = translated(error, connection)
        if own is None:
            raise
        raise own from error


def rows(
    connection: Connection | Recorder, shape: Callable[..., Row], function: str, arguments: Mapping[str, Any]
) -> list[Row]:
    """Every row as a dataclass; its fields stand in the order of the function's result columns."""
    return [shape(*row) for row in execute(connection, Call(function, arguments))]


def one(
    connection: Connection | Recorder, shape: Callable[..., Row], function: str, arguments: Mapping[str, Any]
) -> Row:
    """The single row that the function returns."""
    return shape(*execute(connection, Call(function, arguments)).one())


def scalar(connection: Connection | Recorder, function: str, arguments: Mapping[str, Any]) -> Any:
    """The single value that the function returns."""
    return execute(connection, Call(function, arguments)).scalar_one()


def stream(
    connection: Connection, shape: Callable[..., Row], function: str, arguments: Mapping[str, Any], *, batch: int = 500
) -> Iterator[Row]:
    """Rows through a server-side cursor: memory stays bounded by ``batch`` rows."""
    # Options of the statement: those of Connection.execution_options would stay with the caller's connection.
    for row in execute(connection, Call(function, arguments), stream_results=True, max_row_buffer=batch):
        yield shape(*row)

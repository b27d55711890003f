"""What an error says, and the exit code that it gives."""

from __future__ import annotations

import re
import traceback
from typing import Any

import click

from iucore.errors import ConflictError, IucoreError

FAILED, DIFFERENT, FORBIDDEN, CONFLICT, UNREACHABLE, INTERRUPTED = 1, 3, 4, 5, 6, 130

_CONFLICTS = ("40001", "40P01", "55P03")
_NO_SCHEMA = ("42883", "42P01", "3F000")


class CannotConnectError(Exception):
    """No database can be reached."""

    def __init__(self, message: str, detail: str, hint: str) -> None:
        """Keep what to print."""
        super().__init__(message)
        self.message, self.detail, self.hint = message, detail, hint


def show(message: str, code: str = "", detail: str = "", hint: str = "") -> None:
    """Print an error on stderr: what, where, and the next command to type."""
    click.echo(f"error: {message}" + (f" ({code})" if code else ""), err=True)
    for line in detail.splitlines():
        click.echo(f"  {line}", err=True)
    if hint:
        click.echo(f"  hint: {hint}", err=True)


def explain(error: Exception, *, debug: bool) -> int:
    """Print an error and return the exit code."""
    if debug:
        click.echo("".join(traceback.format_exception(error)), nl=False, err=True)
    if isinstance(error, CannotConnectError):
        show(error.message, "", error.detail, error.hint)
        return UNREACHABLE
    if isinstance(error, IucoreError):
        show(error.message, error.sqlstate, error.detail, error.hint)
        return CONFLICT if isinstance(error, ConflictError) else FAILED
    if isinstance(error, OSError):
        name = "" if error.filename is None else str(error.filename)
        show(error.strerror or str(error), "", name)
        return FAILED
    original: Any = getattr(error, "orig", None)
    if original is not None:
        return _explain_driver(original)
    show(f"{type(error).__name__}: {error}", "", "", "This is a defect of iucore: type the command again with --debug.")
    return FAILED


def _explain_driver(original: Any) -> int:
    """An error of the server or the driver that is not one of ours."""
    code = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None) or ""
    diagnostics = getattr(original, "diag", None)
    message = getattr(diagnostics, "message_primary", None) or str(original).strip()
    detail = getattr(diagnostics, "message_detail", None) or ""
    hint = getattr(diagnostics, "message_hint", None) or ""
    if unreachable(original):
        show("cannot connect to the database, or the connection was lost", code, str(original).strip(), _WHERE)
        return UNREACHABLE
    if code == "42501":
        show(message, code, detail, hint or _ROLES)
        return FORBIDDEN
    if code in _NO_SCHEMA:
        show(message, code, detail, "Bring the database to this version of iucore: iucore db upgrade")
        return FAILED
    show(message, code, detail, hint or ("Type the command again." if code in _CONFLICTS else ""))
    return CONFLICT if code in _CONFLICTS else FAILED


_WHERE = "Start the embedded PostgreSQL with: iucore db up. Or name a database with --url or IUCORE_DATABASE_URL."
_ROLES = "Ask an operator: grant iucore_reader, iucore_author or iucore_operator to your login role."


def unreachable(original: Any) -> bool:
    """Whether a driver's error means that there is no connection (any more)."""
    code = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None)
    if code is None:
        return type(original).__name__ in ("OperationalError", "InterfaceError", "ConnectionTimeout")
    return re.fullmatch(r"08...|57P0[123]|28...|3D000|53300", code) is not None


def cannot_connect(original: Any) -> CannotConnectError:
    """The error for a connection that could not be made."""
    return CannotConnectError("cannot connect to the database", str(original).strip(), _WHERE)

"""What an error says, and the exit code that it gives."""

from __future__ import annotations

import errno
import re
from typing import TYPE_CHECKING, Any

import click

from iucore.errors import ConflictError, IucoreError

if TYPE_CHECKING:
    from iucore.cli._context import Context

FAILED, DIFFERENT, FORBIDDEN, CONFLICT, UNREACHABLE, INTERRUPTED = 1, 3, 4, 5, 6, 130

READER, AUTHOR, OPERATOR, OWNER = "iucore_reader", "iucore_author", "iucore_operator", "iucore_owner"
GATEKEEPER, AUDITOR = "iucore_gatekeeper", "iucore_auditor"
READERS = (READER, AUDITOR)

_CONFLICTS = ("40001", "40P01", "55P03")
_NO_SCHEMA = ("42883", "42P01", "3F000")


class CannotConnectError(Exception):
    """No database can be reached."""

    def __init__(self, message: str, detail: str, hint: str) -> None:
        """Keep what to print."""
        super().__init__(message)
        self.message, self.detail, self.hint = message, detail, hint


def visible(text: str, *, keep: str = "\n") -> str:
    """Text for a terminal: control, bidi and other characters that do not show are written as escapes."""
    return "".join(
        [
            character
            if character.isprintable() or character in keep
            else character.encode("unicode_escape", "backslashreplace").decode()
            for character in text
        ]
    )


def show(message: str, code: str = "", detail: str = "", hint: str = "") -> None:
    """Print an error on stderr: what, where, and the next command to type."""
    lines = [f"error: {message}" + (f" ({code})" if code else "")]
    lines += [f"  {line}" for line in detail.split("\n") if detail]
    lines += [f"  hint: {hint}"] if hint else []
    for line in lines:
        click.echo(visible(line, keep="\t"), err=True)


def explain(error: Exception, context: Context) -> int:
    """Print an error and return the exit code."""
    if context.debug:
        import traceback

        click.echo("".join(traceback.format_exception(error)), nl=False, err=True)
    if isinstance(error, CannotConnectError):
        show(error.message, "", error.detail, error.hint)
        return UNREACHABLE
    if isinstance(error, IucoreError):
        show(error.message, error.sqlstate, error.detail, error.hint)
        return CONFLICT if isinstance(error, ConflictError) else FAILED
    if isinstance(error, OSError) and context.committed:
        message = "the change is committed; only its output could not be written"
        show(message, "", error.strerror or str(error), "Do not repeat it. What was done: iucore events list")
        return FAILED
    if isinstance(error, OSError):
        name = "" if error.filename is None else str(error.filename)
        show(error.strerror or str(error), "", name, _FILES.get(error.errno or 0, ""))
        return FAILED
    original: Any = getattr(error, "orig", None)
    if original is not None:
        return _explain_driver(error, original, context)
    show(f"{type(error).__name__}: {error}", "", "", "This is a defect of iucore: type the command again with --debug.")
    return FAILED


def _explain_driver(error: Exception, original: Any, context: Context) -> int:
    """An error of the server or the driver that is not one of ours."""
    code = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None) or ""
    diagnostics = getattr(original, "diag", None)
    message = getattr(diagnostics, "message_primary", None) or str(original).strip()
    detail = getattr(diagnostics, "message_detail", None) or ""
    hint = getattr(diagnostics, "message_hint", None) or ""
    if code == "25006":
        from iucore._call import translated

        return explain(translated(error) or error, context)
    if unreachable(original):
        text = str(original).strip()
        show("cannot connect to the database, or the connection was lost", code, text, _way_in(text, context.embedded))
        return UNREACHABLE
    if code == "42501":
        needed = _MIGRATORS if context.role == OWNER else _ROLES.format(context.role)
        show(message, code, detail, hint or needed)
        return FORBIDDEN
    if code in _NO_SCHEMA:
        show(message, code, detail, "Bring the database to this version of iucore: iucore db upgrade")
        return FAILED
    if code == "53100":
        hint = _FULL
    show(message, code, detail, hint or ("Type the command again." if code in _CONFLICTS else ""))
    return CONFLICT if code in _CONFLICTS else FAILED


_ROLES = "Your login role needs this role: grant {} to LOGIN"
_MIGRATORS = "Connect as a role that may migrate: a member of iucore_owner with create on the database."
_FULL = "The disk of the server is full. Make room there and type the command again: nothing of it was written."
_PERMISSIONS = "Change the permissions, or name another file or folder."
_SPACE = "Make room there and type the command again."
_FILES = {
    errno.ENOENT: "Is the path right? A missing folder is not made.",
    errno.EACCES: _PERMISSIONS,
    errno.EPERM: _PERMISSIONS,
    errno.EROFS: "Name another file or folder.",
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: _SPACE,
}
_USER = "Are user and password right? A password may stand in the URL, in PGPASSWORD or in a passfile."
# What libpq, the drivers and the server say. (A server may speak another language: then none of them fits.)
_WAYS_IN = (
    (r"password|authentication|pg_hba\.conf|role .* does not exist", _USER),
    (r'database "(?P<name>[^"]+)" does not exist', "Make it: createdb {name}"),
    (r"translate host name|resolve host|service not known|No address associated", "Is the name of the host right?"),
    (r"service .* not found", "Is the service in pg_service.conf, or in the file that PGSERVICEFILE names?"),
    (r"too many|starting up|shutting down", "Type the command again in a moment."),
    (
        r"terminated abnormally|terminating connection",
        "Its log says why, such as a full disk. A change may be done or not: give the same --request-key again.",
    ),
)


def _way_in(text: str, embedded: bool) -> str:
    """What to do when a connection fails, by what was said about it."""
    for pattern, hint in _WAYS_IN:
        if found := re.search(pattern, text):
            return hint.format(**found.groupdict())
    return "Start it: iucore db up" if embedded else "Is the server running there, and are host and port right?"


def unreachable(original: Any) -> bool:
    """Whether a driver's error means that there is no connection (any more)."""
    code = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None)
    if code is None:
        return type(original).__name__ in ("OperationalError", "InterfaceError", "ConnectionTimeout")
    return re.fullmatch(r"08...|57P0[123]|28...|3D000|53300", code) is not None


def cannot_connect(original: Any, *, embedded: bool) -> CannotConnectError:
    """The error for a connection that could not be made."""
    text = str(original).strip()
    return CannotConnectError("cannot connect to the database", text, _way_in(text, embedded))

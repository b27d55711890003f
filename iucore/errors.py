"""Exceptions, chosen by SQLSTATE. The list of codes is ``sql/errcodes.txt``."""

from __future__ import annotations


class IucoreError(Exception):
    """A refusal by a governed function, or by the same check made in Python before sending.

    Attributes:
        sqlstate: five characters, as listed in ``sql/errcodes.txt``.
        message: what happened; short and stable.
        detail: which values; may be empty.
        hint: what to do next; may be empty.

    >>> raise_for("IU001", "piece not found", detail="address: a/b")
    Traceback (most recent call last):
    ...
    iucore.errors.NotFoundError: piece not found (IU001): address: a/b
    """

    def __init__(self, message: str, *, sqlstate: str, detail: str = "", hint: str = "") -> None:
        """Keep the four parts of the error apart, so that a caller can show each."""
        super().__init__(message)
        self.sqlstate = sqlstate
        self.message = message
        self.detail = detail
        self.hint = hint

    def __str__(self) -> str:
        """One line: message, code and the values concerned."""
        return f"{self.message} ({self.sqlstate})" + (f": {self.detail}" if self.detail else "")


class NotFoundError(IucoreError):
    """IU001 to IU009 and IU040 to IU049: the named thing does not exist."""


class InvalidError(IucoreError):
    """The rest of IU0xx: the input breaks a rule; nothing was written."""


class GateClosedError(IucoreError):
    """IU1xx: a gate refuses; the detail says who closed it, when and why, the hint how to open it."""


class ConflictError(IucoreError):
    """IU2xx: somebody else was first; look again and retry."""


class OperationError(IucoreError):
    """IU9xx: an operation on the database refuses to go on."""


def class_for(sqlstate: str) -> type[IucoreError] | None:
    """The exception class of an own SQLSTATE, None for any other state.

    >>> class_for("IU202").__name__
    'ConflictError'
    >>> class_for("IU040").__name__
    'NotFoundError'
    >>> class_for("23505") is None
    True
    """
    if len(sqlstate) != 5 or not sqlstate.startswith("IU") or not sqlstate[2:].isdigit():
        return None
    number = int(sqlstate[2:])
    if number < 10 or 40 <= number < 50:
        return NotFoundError
    if number < 100:
        return InvalidError
    return {1: GateClosedError, 2: ConflictError, 9: OperationError}.get(number // 100)


def raise_for(sqlstate: str, message: str, *, detail: str = "", hint: str = "") -> None:
    """Raise the exception that belongs to an own SQLSTATE (for checks made before sending)."""
    raise (class_for(sqlstate) or IucoreError)(message, sqlstate=sqlstate, detail=detail, hint=hint)

"""What is refused before it is sent, with the class and the SQLSTATE that the database would use."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from iucore.errors import raise_for

# The database has the same numbers in fn_iu_limit; a test compares.
MAX_BODY_BYTES = 16_777_216
MAX_ATTRIBUTES_DEPTH = 16

_ARGUMENT_DEPTH = 20


def arguments(required: Mapping[str, Any], **optional: Any) -> dict[str, Any]:
    """The named arguments of a call: optional ones only where they are given, every text in them checked.

    Raises:
        InvalidError: IU012, IU013.
    """
    named = {**required, **{name: value for name, value in optional.items() if value is not None}}
    for name, value in named.items():
        if isinstance(value, str):
            text(value, name.removeprefix("p_"))
        elif isinstance(value, list):
            for number, item in enumerate(value, start=1):
                text(item, f"{name.removeprefix('p_')} {number}")
    return named


def text(value: str, name: str) -> None:
    """Refuse text that PostgreSQL cannot store.

    Raises:
        InvalidError: IU012 for U+0000, IU013 for a lone surrogate, with the offset in characters.

    >>> text("a\\0b", "title")
    Traceback (most recent call last):
    ...
    iucore.errors.InvalidError: text holds U+0000 (IU012): title, character offset: 1
    """
    if "\0" in value:
        raise_for(
            "IU012",
            "text holds U+0000",
            detail=f"{name}, character offset: {value.index(chr(0))}",
            hint="PostgreSQL cannot store U+0000 in text; remove it.",
        )
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise_for(
                "IU013",
                "text holds a lone surrogate",
                detail=f"{name}, character offset: {error.start}",
                hint="Read the text as UTF-8, without surrogateescape.",
            )


def body(value: str, name: str = "body") -> None:
    """Refuse what ``text`` refuses, and a body over the limit.

    Raises:
        InvalidError: IU012, IU013, IU014.
    """
    text(value, name)
    length = len(value) if value.isascii() else len(value.encode())
    if length > MAX_BODY_BYTES:
        raise_for(
            "IU014",
            "body too large",
            detail=f"{name}, bytes: {length}, limit: {MAX_BODY_BYTES}",
            hint="Divide the text into several pieces.",
        )


def attributes(value: Mapping[str, Any], name: str = "attributes") -> str:
    """The attributes of a piece as JSON text.

    Raises:
        InvalidError: IU012, IU013, IU015.
    """
    return dumped(value, name, sqlstate="IU015", depth=MAX_ATTRIBUTES_DEPTH)


def dumped(value: Any, name: str, *, sqlstate: str, depth: int = _ARGUMENT_DEPTH) -> str:
    """A JSON value as text. The outermost value is at depth 0.

    Raises:
        InvalidError: IU012 or IU013 for a text in it; ``sqlstate`` when it is deeper than ``depth``, or has a number
            that JSON does not know.
    """
    level: list[Any] = [value]
    for _ in range(depth + 1):
        for item in level:
            for string in (item,) if isinstance(item, str) else item if isinstance(item, Mapping) else ():
                if isinstance(string, str):
                    text(string, name)
        level = [child for item in level for child in _children(item)]
        if not level:
            break
    else:
        raise_for(
            sqlstate, "JSON too deep", detail=f"{name}, limit: {depth} levels", hint="Use fewer levels of nesting."
        )
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise_for(sqlstate, "not a JSON value", detail=f"{name}: {error}", hint="JSON has no NaN and no Infinity.")
        raise


def moment(value: datetime | None) -> datetime | None:
    """A moment with its time zone. Without one it would mean what the session's setting says.

    Raises:
        InvalidError: IU018.
    """
    if value is not None and value.utcoffset() is None:
        raise_for(
            "IU018",
            "moment has no time zone",
            detail=f"moment: {value.isoformat()}",
            hint="Use an aware datetime, for example datetime.now(timezone.utc).",
        )
    return value


def _children(value: Any) -> Sequence[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    return value if isinstance(value, list | tuple) else ()

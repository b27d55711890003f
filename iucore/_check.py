"""What is refused before it is sent, with the class and the SQLSTATE that the database would use."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from iucore.errors import InvalidError, raise_for

# The database has the same numbers; tests compare.
MAX_BODY_BYTES = 16_777_216
MAX_ATTRIBUTES_DEPTH = 16

_ARGUMENT_DEPTH = 20
# Every other argument is text.
_TYPES: dict[str, type] = {
    "p_expected_version": int,
    "p_version": int,
    "p_from_version": int,
    "p_to_version": int,
    "p_limit": int,
    "p_as_of_change": int,
    "p_as_of": datetime,
    "p_values": list,
    "p_sha256": list,
    "p_keys": list,
    "p_addresses": list,
    "p_versions": list,
    "p_bodies": bool,
    "p_all_versions": bool,
    "p_similar": bool,
    "p_change_id": int,
    "p_open": bool,
    "p_enabled": bool,
    "p_delta": bool,
    "p_refuse_if_used": bool,
    "p_first": int,
    "p_last": int,
    "p_upto": int,
    "p_dead_letters": list,
    "p_positions": list,
    "p_networks": list,
    "p_routes": list,
    "p_ordered": bool,
    "p_partitions": int,
    "p_max_attempts": int,
    "p_backoff_ms": int,
    "p_backoff_cap_ms": int,
    "p_before": datetime,
}


def arguments(required: Mapping[str, Any], **optional: Any) -> dict[str, Any]:
    """The named arguments of a call: optional ones only where they are given, every text in them checked.

    Raises:
        InvalidError: IU012, IU013.
        TypeError: an argument is of another type; it is named.
    """
    named = {**required, **{name: value for name, value in optional.items() if value is not None}}
    for name, value in named.items():
        plain, expected = name.removeprefix("p_"), _TYPES.get(name, str)
        if value is None:
            continue
        if expected is str:
            text(value, plain)
        elif expected is list:
            for number, item in enumerate(value, start=1):
                if name in ("p_versions", "p_dead_letters", "p_positions"):
                    of_type(item, int, f"{plain} {number}")
                else:
                    text(item, f"{plain} {number}")
        else:
            of_type(value, expected, plain)
    return named


def of_type(value: Any, expected: type, name: str) -> None:
    """Refuse a value that the driver would send as something else, or not at all.

    Raises:
        TypeError: with the name of the argument.

    >>> of_type(b"a", str, "body")
    Traceback (most recent call last):
    ...
    TypeError: body must be str, not bytes
    """
    if not isinstance(value, expected) or (isinstance(value, bool) and expected is not bool):
        raise TypeError(f"{name} must be {expected.__name__}, not {type(value).__name__}")


def texts(values: Iterable[str], name: str) -> list[str]:
    """Several texts as a list; one text alone would become its letters.

    Raises:
        TypeError: with the name of the argument.
    """
    if isinstance(values, str | bytes):
        raise TypeError(f"{name} must be several str, not one {type(values).__name__}")
    return list(values)


def objects(items: Any, shape: type, name: str, example: str) -> list[Any]:
    """The objects of an array, each with no other names than those of its TypedDict.

    Raises:
        InvalidError: IU019.
    """
    given: list[Any] = list(items) if isinstance(items, Iterable) and not isinstance(items, Mapping | str) else [None]
    if not all(isinstance(item, Mapping) for item in given):
        raise_for(
            "IU019", f"the {name}s are not an array of objects", hint=f"Give an array of objects, such as {example}"
        )
    known = shape.__annotations__
    for ordinal, item in enumerate(given, start=1):
        for key in item:
            if key not in known:
                raise_for(
                    "IU019",
                    f"a {name} has an unknown name",
                    detail=f"{name} {ordinal}: {str(key)[:80]!r}",
                    hint=f"The names are: {', '.join(known)}",
                )
    return given


def text(value: str, name: str) -> None:
    """Refuse text that PostgreSQL cannot store.

    Raises:
        InvalidError: IU012 for U+0000, IU013 for a lone surrogate, with the offset in characters.

    >>> text("a\\0b", "title")
    Traceback (most recent call last):
    ...
    iucore.errors.InvalidError: text holds U+0000 (IU012): title, character offset: 1
    """
    of_type(value, str, name)
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


def body(value: str | None, name: str = "body") -> None:
    """Refuse what ``text`` refuses, no body at all, and a body over the limit.

    Raises:
        InvalidError: IU012, IU013, IU014, IU032.
    """
    if value is None:
        raise InvalidError("body missing", sqlstate="IU032", detail=name, hint="An empty body is '', not None.")
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
        TypeError: something in it is no JSON at all; ``name`` is named.
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
    except TypeError as error:
        raise TypeError(f"{name}: {error}") from None


def moment(value: datetime | None) -> datetime | None:
    """A moment with its time zone. Without one it would mean what the session's setting says.

    Raises:
        InvalidError: IU018.
    """
    if value is None:
        return None
    of_type(value, datetime, "as_of")
    if value.utcoffset() is None:
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

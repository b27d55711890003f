"""What commands are given: texts as exact bytes, JSON, places, moments."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from iucore.cli._context import Context
from iucore.cli._errors import visible
from iucore.errors import InvalidError

if TYPE_CHECKING:
    from iucore import collections, units

Function = TypeVar("Function", bound=Callable[..., Any])


class _Given(click.ParamType):  # type: ignore[type-arg]
    """A text that is not empty: an empty one is a variable of a script that was not set."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not value:
            self.fail("it is empty", param, ctx)
        return value


GIVEN = _Given()


class Seconds(click.FloatRange):
    """Seconds in a range. Not NaN, which no range refuses, and not infinity."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number; refuse what is none."""
        found = super().convert(value, param, ctx)
        if not math.isfinite(found):
            self.fail(f"{value!r} is not a number of seconds.", param, ctx)
        return found


def check_utf8(text: str, parameter: click.Parameter) -> None:
    """Refuse an argument whose bytes are no text; Python hands them on as lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        name = parameter.opts[-1] if isinstance(parameter, click.Option) else parameter.human_readable_name
        offset = len(text[: error.start].encode())
        raise InvalidError(
            f"the argument {name} is not UTF-8 at byte {offset}",
            sqlstate="IU013",
            hint="Convert it, for example with: iconv -f latin1 -t utf-8",
        ) from None


def read_bytes(path: str) -> bytes:
    """The bytes of a file, or of stdin for ``-``."""
    from pathlib import Path

    if path != "-":
        return Path(path).read_bytes()
    if sys.stdin is None:
        raise click.UsageError("stdin is closed: there is nothing to read.")
    return sys.stdin.buffer.read()


def read_text(path: str) -> str:
    """The text of a file, exactly; refuses U+0000 and what is not UTF-8, with the byte offset."""
    from iucore.textcode.cut import decode

    try:
        return decode(read_bytes(path))
    except InvalidError as error:
        error.detail = f"{'stdin' if path == '-' else path}, {error.detail}"
        raise


def body_options(function: Function) -> Function:
    """``--body`` and ``--file``."""
    function = click.option(
        "--file", metavar="PATH", type=GIVEN, help="Read the text from a file, - for stdin; bytes are kept."
    )(function)
    return click.option(
        "--body", metavar="TEXT", help='The text itself. "$(...)" in a shell drops the last line end; --file keeps it.'
    )(function)


def body_of(body: str | None, file: str | None) -> str | None:
    """The text that the two options give, if any."""
    if body is not None and file is not None:
        raise click.UsageError("Give either --body or --file, not both.")
    return read_text(file) if file is not None else body


def parse_json(text: str, option: str, sqlstate: str, example: str) -> Any:
    """A JSON value as Python objects."""
    import json

    def refuse(name: str) -> None:
        raise ValueError(f"JSON has no {name}")

    def whole(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            raise ValueError(f"a name stands twice in one object: {next(n for n in names if names.count(n) > 1)}")
        return found

    try:
        return json.loads(text.removeprefix("\ufeff"), parse_constant=refuse, object_pairs_hook=whole)
    except (ValueError, RecursionError) as error:
        raise InvalidError(
            f"{option} is not JSON",
            sqlstate=sqlstate,
            detail="too deeply nested" if isinstance(error, RecursionError) else str(error),
            hint=f"Write JSON, such as {example}",
        ) from error


def parse_attributes(text: str | None) -> dict[str, Any] | None:
    """The attributes of a piece."""
    if text is None:
        return None
    example = '\'{"owner": "hr"}\' (in single quotes)'
    value = parse_json(text, "--attributes", "IU015", example)
    if not isinstance(value, dict):
        raise InvalidError(
            "attributes are not a JSON object", sqlstate="IU015", hint=f"Write an object, such as {example}"
        )
    return value


def place_options(function: Function) -> Function:
    """``--first``, ``--last``, ``--before`` and ``--after``."""
    for option in (
        click.option("--after", metavar="MEMBER", help="Behind this member."),
        click.option("--before", metavar="MEMBER", help="In front of this member."),
        click.option("--last", is_flag=True, help="At the end."),
        click.option("--first", is_flag=True, help="At the beginning."),
    ):
        function = option(function)
    return function


def place_of(
    first: bool, last: bool, before: str | None, after: str | None, *, default: str | None
) -> tuple[str, str | None]:
    """The place and its anchor; ``default`` None: one of the options is needed."""
    given = (
        ("first", first, None),
        ("last", last, None),
        ("before", before is not None, before),
        ("after", after is not None, after),
    )
    chosen = [(at, anchor) for at, is_given, anchor in given if is_given]
    if len(chosen) > 1 or (not chosen and default is None):
        raise click.UsageError("Give one of --first, --last, --before and --after.")
    return chosen[0] if chosen else (default or "last", None)


def transitions_of(on: tuple[str, ...]) -> list[dict[str, str]] | None:
    """``OUTCOME=GOAL`` as transitions; a goal holds no equals sign, an outcome may."""
    result = []
    for item in on:
        outcome, sign, goal = item.rpartition("=")
        if not sign:
            raise click.UsageError(f"--on {item}: write OUTCOME=GOAL; the goal is a label, next or end.")
        result.append({"on": outcome, "to": goal})
    return result or None


def as_of_option(function: Function) -> Function:
    """``--as-of``."""
    return click.option(
        "--as-of", metavar="WHEN", help="As it was after a change (a number), or at a moment such as 2026-01-31T12:00Z."
    )(function)


def as_of(context: Context, when: str | None) -> tuple[int | None, datetime | None]:
    """The change or the moment; a moment without zone is one of this machine's."""
    if when is None:
        return None, None
    if when.isascii() and when.isdigit():
        if day := _day(when):
            context.say(f"read as change number {when}; for a moment write {day}")
        return min(int(when), 2**63 - 1), None
    refusal = f"--as-of {when}: give the number of a change, or a moment in ISO 8601 such as 2026-01-31T12:00:00Z."
    return None, parse_moment(when, refusal)


def parse_moment(text: str, refusal: str) -> datetime:
    """A moment; one without zone is one of this machine's."""
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise click.UsageError(refusal) from None


def _day(digits: str) -> date | None:
    """The day that somebody may have meant by the digits of a year or a day."""
    try:
        day = date.fromisoformat(f"{digits}0101" if len(digits) == 4 else digits if len(digits) == 8 else "")
    except ValueError:
        return None
    return day if 1900 <= day.year <= 2100 else None


def number(value: str) -> int:
    """A whole number from 1 that a bigint holds, as the type of an option."""
    try:
        found = int(value)
    except ValueError:
        found = 0
    if not 1 <= found < 2**63:
        raise click.BadParameter(f"{value!r} is not a number from 1 to {2**63 - 1}.")
    return found


def position(value: str) -> int:
    """A position of the ledger, or 0 for its beginning, as the type of an option."""
    return 0 if value.strip() == "0" else number(value)


def milliseconds(value: str) -> int:
    """A time such as ``500ms``, ``1s``, ``5min`` or ``1h`` in milliseconds, as the type of an option."""
    found = re.fullmatch(r"(\d{1,9})(ms|s|min|m|h)", value.strip(), re.ASCII)
    if found is None:
        raise click.BadParameter(f"{value!r} is not a time such as 500ms, 1s, 5min or 1h.")
    time = int(found[1]) * {"ms": 1, "s": 1000, "min": 60_000, "m": 60_000, "h": 3_600_000}[found[2]]
    if not 1 <= time <= 86_400_000:
        raise click.BadParameter(f"{value!r} is not a time from 1ms to 24h.")
    return time


def yes_option(function: Function) -> Function:
    """``--yes``, of a command that calls ``confirm``."""
    return click.option("--yes", is_flag=True, help="Do not ask.")(function)


def confirm(context: Context, address: str, yes: bool, *, collection: bool = False, what: str = "") -> None:
    """Let a destructive verb go on with ``yes``, or when the address is typed on a terminal; elsewhere want ``--yes``.

    On a terminal it first shows every collection in which the piece stands. With ``collection`` the address is the key
    of one; ``what`` says first what goes, where it is less than all places. Where the verb only becomes SQL there is
    nothing to confirm.
    """
    if yes or context.recorder is not None:
        return
    if not all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr)):
        raise click.UsageError("There is no terminal to confirm on: add --yes.")
    from iucore import collections, units

    found: list[units.Standing] | list[collections.Standing]
    if collection:
        name, found = "key", context.read(collections.where_used, key=address)
    else:
        name, found = "address", context.read(units.where_used, address=address)
    places = f"{len(found)} place{'' if len(found) == 1 else 's'}:" if found else "no collection."
    _ask(f"{what}\n" if what else "")
    _ask(f"{address} stands in {places}\n")
    for place in found:
        inside = "" if place.depth == 1 else " (inside another)"
        pinned = "" if place.pinned_version is None else f" (pinned to version {place.pinned_version})"
        _ask(f"  {place.kind} {place.key}{inside}{pinned}: {place.title}\n")
    _ask(f"To go on, type the {name}: ")
    # Not by click.prompt: where stdout is a pipe, it writes a space into it.
    if sys.stdin.readline().strip() != address:
        raise click.ClickException(f"That is not the {name}. Nothing was done.")


def _ask(text: str) -> None:
    click.echo(visible(text), nl=False, err=True)

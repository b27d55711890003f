"""``iucore cmd``."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, make_dataclass
from typing import TYPE_CHECKING, Any

import click

from iucore import commands
from iucore.cli._base import Function, Group, change_options, examples, pass_context
from iucore.cli._context import Context
from iucore.cli._diff import shown, unified
from iucore.cli._errors import DIFFERENT, visible
from iucore.cli._input import confirm, parse_json, parse_moment, read_text, yes_option
from iucore.cli._output import emit_one, emit_rows, write
from iucore.errors import InvalidError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from iucore.operations.effects import Effects

# How many events are told; JSON has them all.
_EVENTS = 20
_DIFF_LINES = 400


@dataclass(frozen=True, slots=True)
class _Listed:
    name: str
    purpose: str
    function: str
    writes: bool
    destructive: bool


@dataclass(frozen=True, slots=True)
class _Shown:
    name: str
    purpose: str
    function: str
    writes: bool
    destructive: bool
    role: str
    events: tuple[str, ...]
    fixed: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Taken:
    parameter: str
    type: str
    required: bool
    default: str | None
    help: str


@dataclass(frozen=True, slots=True)
class _Whole(_Shown):
    parameters: tuple[_Taken, ...]
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Diff:
    key: str
    diff: str | None
    note: str | None


@dataclass(frozen=True, slots=True)
class _Report:
    """What a run did, or would do, as one object."""

    command: str
    digest: str
    applied: bool
    change_ids: list[int]
    rows: list[dict[str, Any]]
    changes: list[Any]
    events: list[Any]
    diffs: list[_Diff]
    more_renders: int


@click.group(
    cls=Group,
    epilog=examples("iucore cmd list", "iucore cmd run dot_iu_where_used -p address=policies/leave"),
)
def cmd() -> None:
    """Operator commands: one line for each thing that an operator does."""


@cmd.command("list", epilog=examples("iucore cmd list", "iucore cmd list --format json"))
@pass_context
def list_(context: Context) -> None:
    """List the commands."""
    rows = [_Listed(one.name, one.purpose, one.function, one.writes, one.destructive) for one in commands.CATALOGUE]
    emit_rows(context, _Listed, rows)


def _names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001
    """The names that begin so, for the completion of a shell."""
    return [command.name for command in commands.CATALOGUE if command.name.startswith(incomplete)]


def _name_argument(function: Function) -> Function:
    return click.argument("name", shell_complete=_names)(function)


@cmd.command(epilog=examples("iucore cmd show dot_iu_add_piece", "iucore cmd show add-piece --format json"))
@_name_argument
@pass_context
def show(context: Context, name: str) -> None:
    """Show what the command NAME does, its parameters and two examples."""
    with _usage():
        found = commands.find(name)
    told: dict[str, Any] = {
        "name": found.name,
        "purpose": found.purpose,
        "function": found.function,
        "writes": found.writes,
        "destructive": found.destructive,
        "role": found.role,
        "events": found.events,
        "fixed": found.fixed,
    }
    taken = tuple(_Taken(one.name, one.type, one.required, one.default, one.help) for one in found.parameters)
    if context.shape == "table":
        emit_one(context, _Shown(**told))
        write(b"\n")
        emit_rows(context, _Taken, taken)
        write("\n".join(["Examples:", *(f"  {line}" for line in found.examples), ""]).encode())
    else:
        emit_one(context, _Whole(**told, parameters=taken, examples=found.examples))


def _parameter_options(function: Function) -> Function:
    function = change_options(required=False)(function)
    return click.option(
        "-p",
        "--param",
        "pairs",
        multiple=True,
        metavar="NAME=VALUE",
        help="A parameter. Of a text (body) and of JSON, @FILE reads the file, @- stdin; @@x is the text @x.",
    )(function)


@cmd.command(
    epilog=examples(
        "iucore cmd sql dot_iu_where_used -p address=policies/leave",
        "iucore cmd sql dot_iu_edit_piece -p address=policies/leave -p expected_version=1 -p body=@leave.md -m shorter "
        "| psql -X -1 -v ON_ERROR_STOP=1",
    ),
)
@_name_argument
@_parameter_options
@pass_context
def sql(context: Context, /, name: str, pairs: tuple[str, ...], **change: str | None) -> None:  # noqa: ARG001
    """Print the command NAME as one script for psql. No database is needed.

    The script is a header, and one statement in a transaction. With -X, -1 and ON_ERROR_STOP psql warns that the
    transaction has begun and is over; it does the same.
    """
    write(_resolved(name, pairs, change).script.encode())


@cmd.command(
    epilog=examples(
        "iucore cmd run dot_iu_add_piece -p key=handbook.md -p member=policies/pay -m 'asked for'",
        "iucore cmd run dot_iu_add_piece -p key=handbook.md -p member=policies/pay -m 'asked for' --apply",
        "iucore cmd run dot_iu_show_collection -p key=handbook.md",
    ),
)
@_name_argument
@_parameter_options
@click.option("--apply", is_flag=True, help="Commit; without it all is rolled back.")
@yes_option
@pass_context
def run(context: Context, /, name: str, pairs: tuple[str, ...], apply: bool, yes: bool, **change: str | None) -> None:
    """Run the command NAME, and show what it changes; without --apply nothing is written.

    Shown are the rows that it returns, how many rows it opens and closes in each table, its events, and the renders
    that become different. In tsv and csv stdout has only the returned rows, and stderr the rest; in json and jsonl all
    is one object. A command that only reads just runs.

    A destructive command with --apply asks for the address on a terminal, and wants --yes elsewhere. Numbers that a dry
    run shows (of changes and members) are drawn anew by --apply. Exit code 3 when dot_iu_validate finds an error.
    """
    governed = _resolved(name, pairs, change)
    command = governed.command
    context.needs(command.role)
    if not command.writes:
        with context.transaction() as connection:
            columns, rows = _fetched(connection, governed)
        emit_rows(context, *_shaped(columns, rows))
        return
    if apply and command.destructive:
        _confirm(context, governed, yes)
    effects = _observed(context, governed, apply)
    _tell(context, governed, effects, apply)
    if command.function == "fn_iu_record_validation" and any(row[0] == "error" for row in effects.rows):
        raise click.exceptions.Exit(DIFFERENT)


def _fetched(connection: Connection, governed: commands.GovernedSQL) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    from iucore import _call

    found = _call.execute(connection, governed.call)
    return tuple(found.keys()), [tuple(row) for row in found]


def _observed(context: Context, governed: commands.GovernedSQL, apply: bool) -> Effects:
    """Run it in a transaction, and end that as asked."""
    from iucore.operations import effects

    given, affects = governed.parameters, governed.command.affects
    piece = given["address"] if affects == "piece" else None
    collection = given["key"] if affects == "collection" else None
    with context.connection().begin() as transaction:
        observed = effects.observe(context.connection(), governed.call, piece=piece, collection=collection)
        if not apply:
            transaction.rollback()
    context.committed = apply
    return observed


def _confirm(context: Context, governed: commands.GovernedSQL, yes: bool) -> None:
    """Let a person type what goes: the address of the piece, or of what stands at the number of a member."""
    from iucore import collections

    given = governed.parameters
    address, is_collection = given.get("member", given.get("address")), False
    what = ""
    if "member" in given and not yes:
        for one in context.read(collections.members, key=given["key"]):
            if given["member"] in (one.address, f"@{one.member_id}"):
                address, is_collection = one.address, one.member_kind == "collection"
                what = f"This takes member @{one.member_id} ({address}) out of {given['key']}, and out of nothing else."
    confirm(context, address, yes, collection=is_collection, what=what)


# --- what is told ----------------------------------------------------------------------------------------------------


def _shaped(columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> tuple[type, list[Any]]:
    """The rows as objects of a class with the columns for fields."""
    shape = make_dataclass("Row", columns, frozen=True, slots=True)
    return shape, [shape(*row) for row in rows]


def _tell(context: Context, governed: commands.GovernedSQL, effects: Effects, applied: bool) -> None:
    diffs = [_diff_of(one.key, one.before, one.after, one.note) for one in effects.renders]
    shape, rows = _shaped(effects.columns, effects.rows)
    if context.shape in ("json", "jsonl"):
        report = _Report(
            command=governed.command.name,
            digest=governed.digest,
            applied=applied,
            change_ids=effects.change_ids,
            rows=[dict(zip(effects.columns, row, strict=True)) for row in effects.rows],
            changes=effects.changes,
            events=effects.events,
            diffs=diffs,
            more_renders=effects.more_renders,
        )
        emit_one(context, report)
    elif context.shape == "table":
        if len(rows) == 1:
            emit_one(context, rows[0])
        else:
            emit_rows(context, shape, rows)
        write(("\n" + _summary(effects, diffs, sys.stdout)).encode())
    else:
        emit_rows(context, shape, rows)
        context.say(_summary(effects, diffs, sys.stderr).rstrip("\n"))
    sys.stdout.flush()
    if applied:
        context.say(f"committed: {_changes_of(effects)}")
    else:
        context.say("dry run: nothing was written; to do it, type the same with --apply")


def _diff_of(key: str, before: str | None, after: str | None, note: str | None) -> _Diff:
    if note is not None:
        return _Diff(key, None, note)
    lines = unified(
        f"{key} as it is" if before is not None else "/dev/null", f"{key} as it becomes", before or "", after or ""
    )
    return _Diff(key, "".join(lines), None)


def _changes_of(effects: Effects) -> str:
    ids = effects.change_ids
    return "nothing" if not ids else f"change {', '.join(str(one) for one in ids)}"


def _summary(effects: Effects, diffs: list[_Diff], stream: Any) -> str:
    """The rest of what happened, as text."""
    from iucore.textcode.cut import split_lines

    lines = []
    if not effects.change_ids:
        lines.append("nothing changes: the request key was used before, and this is the first result")
    for change in effects.changes:
        closed = f", {change.closed} closed" if change.closed else ""
        lines.append(f"{change.table}: {change.opened} opened{closed}")
    for event in effects.events[:_EVENTS]:
        lines.append(f"event {event.event_type} of {event.subject}: {json.dumps(event.payload, ensure_ascii=False)}")
    if len(effects.events) > _EVENTS:
        lines.append(f"and {len(effects.events) - _EVENTS} more events")
    told = "".join(f"{visible(line)}\n" for line in lines)
    for diff in diffs:
        if diff.diff:
            parts = split_lines(diff.diff)
            told += shown(parts[:_DIFF_LINES], stream)
            if len(parts) > _DIFF_LINES:
                told += f"and {len(parts) - _DIFF_LINES} more lines; --format json has them all\n"
        else:
            told += f"render of {diff.key}: {visible(diff.note or 'no different')}\n"
    if effects.more_renders:
        told += f"and {effects.more_renders} more collections, not looked at\n"
    return told


# --- what is given ---------------------------------------------------------------------------------------------------


@contextmanager
def _usage() -> Iterator[None]:
    """A name or a parameter that does not fit is a mistake in the line that was typed: exit code 2."""
    try:
        yield
    except (NotFoundError, InvalidError) as error:
        if error.sqlstate not in ("IU036", "IU043"):
            raise
        raise click.UsageError(f"{error}\n  hint: {error.hint}") from error


def _resolved(name: str, pairs: tuple[str, ...], change: Mapping[str, str | None]) -> commands.GovernedSQL:
    with _usage():
        command = commands.find(name)
        return commands.resolve(command.name, **_given(command, pairs, change))


def _given(command: commands.Command, pairs: tuple[str, ...], change: Mapping[str, str | None]) -> dict[str, Any]:
    """The parameters as values of their types."""
    texts: dict[str, str] = {}
    for pair in [*pairs, *(f"{key}={value}" for key, value in change.items() if value is not None)]:
        key, sign, value = pair.partition("=")
        key = key.replace("-", "_")
        if not sign or not key:
            raise click.UsageError(f"-p {pair}: write NAME=VALUE.")
        if key in texts:
            raise click.UsageError(f"{key} is given twice.")
        texts[key] = value
    types = {one.name: one.type for one in command.parameters}
    if sum(value == "@-" and types.get(key) in ("text", "json") for key, value in texts.items()) > 1:
        raise click.UsageError("Only one parameter can be read from stdin.")
    return {key: _value(key, types.get(key), value) for key, value in texts.items()}


def _value(key: str, kind: commands.Type | None, text: str) -> Any:
    match kind:
        case "text" | "json":
            text = _read(key, text)
            return (
                parse_json(text, f"-p {key}", "IU036", "'{\"a\": [1]}' (in single quotes)") if kind == "json" else text
            )
        case "integer":
            if not re.fullmatch(r"-?[0-9]{1,19}", text):
                raise click.UsageError(f"-p {key}={text}: a whole number is wanted, such as 3.")
            return int(text)
        case "boolean":
            if text not in ("true", "false"):
                raise click.UsageError(f"-p {key}={text}: true or false is wanted.")
            return text == "true"
        case "moment":
            return parse_moment(text, f"-p {key}={text}: a moment in ISO 8601 is wanted, such as 2026-01-31T12:00:00Z.")
        case _:
            return text


def _read(key: str, text: str) -> str:
    """The text, or the file that it names."""
    if text.startswith("@@"):
        return text[1:]
    if not text.startswith("@"):
        return text
    try:
        return read_text(text[1:])
    except (FileNotFoundError, IsADirectoryError):
        raise click.UsageError(f"-p {key}={text}: there is no such file. For the text itself write @{text}") from None

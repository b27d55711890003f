"""``iucore status``."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from iucore.cli._base import Command, examples, pass_context
from iucore.cli._context import Context, coloured
from iucore.cli._errors import DIFFERENT, visible
from iucore.cli._input import GIVEN
from iucore.cli._output import emit_one, emit_rows, write
from iucore.cli.export import counted, must_be_folder, typed

if TYPE_CHECKING:
    from datetime import datetime

    from iucore.operations import health
    from iucore.textcode.status import FileStatus, Status


@click.command(
    cls=Command,
    epilog=examples(
        "iucore status",
        "iucore status handbook",
        "iucore status handbook --exit-code --quiet",
        "iucore status handbook --format json",
    ),
)
@click.argument("directory", metavar="[DIR]", type=GIVEN, required=False)
@click.option("--exit-code", is_flag=True, help="With DIR: end with 3 when something differs.")
@click.pass_context
@pass_context
def status(context: Context, ctx: click.Context, directory: str | None, exit_code: bool) -> None:
    """Say how the database is, or with DIR: what differs between the exported files in it and the database.

    Without DIR: gates, inventory, outbox, ledger, routes and workers, and for all that is wrong the next command to
    type. Exit code 3 when something is wrong. That is: a revision that is not the newest; a difference from the
    inventory; gate master or composer closed; an event that waits for its place longer than a minute; a ledger that
    ends where the sequencer did not; and of a route: open dead letters, on without a transport or while gate delivery
    is closed, a target that takes nothing now, more than a minute behind.

    A text for people, unless a --format is given.
    """
    if directory is None:
        if exit_code:
            raise click.UsageError("--exit-code is for DIR.")
        if not _database(context):
            ctx.exit(DIFFERENT)
        return
    from iucore.textcode import status as compared
    from iucore.textcode.cut import printable

    must_be_folder(directory)
    with context.transaction(snapshot=True) as connection:
        found = compared.status(connection, Path(directory))
    for odd in found.odd:
        context.say(f"not read: {odd}")
    if context.format is None:
        write("".join(f"{line}\n" for line in _report(found, directory)).encode("utf-8", "backslashreplace"))
    else:
        rows = [
            dataclasses.replace(each, path=printable(each.path), was=None if each.was is None else printable(each.was))
            for each in found.different
        ]
        emit_rows(context, compared.FileStatus, rows)
    if exit_code and found.different:
        ctx.exit(DIFFERENT)


def _database(context: Context) -> bool:
    """Print how the database is; whether nothing is wrong."""
    from iucore.operations import health

    with context.transaction(snapshot=True) as connection:
        found = health.status(connection)
    if context.format is None:
        write("".join(f"{visible(line)}\n" for line in _screen(found)).encode("utf-8", "backslashreplace"))
    else:
        emit_one(context, found)
    return not found.wrong


def _screen(found: health.Status) -> Iterator[str]:
    """One screen about the database."""
    if found.standby is not None:
        behind = found.standby.behind_seconds
        connected = "" if found.standby.receiving else ", receives nothing"
        yield f"{'standby':<11}{'no change yet' if behind is None else f'{_age(behind)} behind'}, read-only{connected}"
    if found.revision is not None:
        inventory = "not compared" if found.inventory is None else found.inventory
        yield f"{'revision':<11}{found.revision} of {found.newest_revision}, inventory {inventory}"
        yield f"{'gates':<11}{', '.join(f'{gate.gate} {_open(gate.is_open)}' for gate in found.gates)}"
    for name, lane in zip(("outbox", ""), found.outbox, strict=False):
        oldest = "" if lane.oldest_seconds is None else f", the oldest for {_age(lane.oldest_seconds)}"
        yield f"{name:<11}{lane.lane}: {lane.unsequenced} without a place in the ledger{oldest}"
    if found.outbox:
        ago = "" if found.sequenced_at is None else f", last sequenced {_ago(found.sequenced_at, found.at)}"
        yield f"{'ledger':<11}head {found.head}{ago}"
        yield from _routes(found)
        seen = [f"{worker.worker} ({_ago(worker.last_seen, found.at)})" for worker in found.workers[:_WORKERS]]
        seen += [f"{len(found.workers) - _WORKERS} more"] if len(found.workers) > _WORKERS else []
        yield f"{'workers':<11}{', '.join(seen) if seen else 'none seen'}"
    for heading, findings in (("wrong", found.wrong), ("note", found.notes)):
        for finding in findings:
            if found.revision is not None:
                yield ""
            yield f"{heading}: {finding.what}"
            yield f"  next: {finding.next}"
    if not found.wrong:
        yield ""
        yield "nothing is wrong"


def _routes(found: health.Status) -> Iterator[str]:
    """The routes that somebody cares for, and how many others there are."""
    from iucore.operations.health import counted

    shown = [each for each in found.routes if each.execution_enabled or each.live or each.dead or each.retries]
    rest = len(found.routes) - len(shown)
    yield f"{'routes':<11}{len(shown)} in use{f', {rest} off' if rest else ''}"
    width = max((len(each.route) for each in shown), default=0)
    for each in shown:
        behind = f", {counted(each.lag_events)} behind ({_age(each.lag_seconds or 0)})" if each.lag_events else ""
        waits = f", {each.retries} to send again" if each.retries else ""
        waits += f", {each.deferred} put aside" if each.deferred else ""
        dead = f", {each.dead} dead" if each.dead else ""
        yield f"  {each.route:<{width}}  {each.mode}, at {each.position}{behind}{waits}{dead}"


_WORKERS = 5


def _open(is_open: bool) -> str:
    return "open" if is_open else "closed"


def _age(seconds: float) -> str:
    """A time in its largest unit."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _ago(moment: datetime, at: datetime) -> str:
    return f"{_age(max((at - moment).total_seconds(), 0))} ago"


def _report(found: Status, directory: str) -> Iterator[str]:
    old = found.manifest
    asked = f"prefix {old.prefix}" if old.prefix is not None else counted(len(old.keys), "key")
    yield visible(f"Export of {asked}: {counted(len(old.files()), 'file')}, change {old.change}")
    groups = _groups(found)
    plan, export = typed("plan", directory), typed("export", "--to", directory)
    if not groups:
        yield "nothing differs"
        yield f"next, when you have edited: {plan}"
        return
    applied_first = ", when the edits above are applied" if "both" in groups else ""
    become = "pieces when an order names them" if old.layout == "pieces" else "collections"
    gone = "iucore collection restore KEY"
    headings = {
        "edited": ("Edited in the files:", "see what would change", plan, ""),
        "both": ("Edited in the files, and moved on in the database:", "see how they merge", plan, ""),
        "moved on": ("Moved on in the database:", "bring it in", export, applied_first),
        "new there": ("New in the database:", "bring it in", export, applied_first),
        "renamed": ("Renamed:", "have it written down", typed("apply", directory, "-m", "REASON"), ""),
        "new": ("New:", f"would become {become}", plan, ""),
        "generated": ("Edited, but never read back:", "write it again", f"{export} --discard-edits", ""),
        "deleted": ("Deleted:", "not acted on; bring back", export, ""),
        "gone": ("Gone from the database:", "bring it back", gone, f"; or take the file away: {export}"),
    }
    bold = coloured(sys.stdout)
    for group, (heading, what, command, more) in headings.items():
        if group in groups:
            yield ""
            yield f"\x1b[1m{heading}\x1b[0m" if bold else heading
            yield f"  ({what}: {command}{more if group != 'gone' or old.prefix is not None else ''})"
            yield from (f"        {_name(each, group)}" for each in groups[group])
    yield ""
    yield f"next: {next(command for group, (_, _, command, _) in headings.items() if group in groups)}"


def _name(each: FileStatus, group: str) -> str:
    from iucore.textcode.cut import printable

    was = "" if each.was is None else f"{printable(each.was)} -> "
    also = " (moved on in the database)" if each.database == "moved on" and group in ("renamed", "deleted") else ""
    return f"{was}{printable(each.path)}{also}"


def _groups(found: Status) -> dict[str, list[FileStatus]]:
    """What differs, by the heading under which it stands."""
    generated = {document.steps for document in found.manifest.documents}
    groups: dict[str, list[FileStatus]] = {}
    for each in found.different:
        group = each.file
        if (each.path if each.was is None else each.was) in generated and each.file == "edited":
            group = "generated"
        elif each.database in ("gone", "new"):
            group = "gone" if each.database == "gone" else "new there"
        elif each.file == "edited" and each.database == "moved on":
            group = "both"
        elif each.file == "unchanged":
            group = each.database
        groups.setdefault(group, []).append(each)
    return groups

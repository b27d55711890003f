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
from iucore.cli._output import emit_rows, write
from iucore.cli.export import counted, must_be_folder, typed

if TYPE_CHECKING:
    from iucore.textcode.status import FileStatus, Status


@click.command(
    cls=Command,
    epilog=examples(
        "iucore status handbook",
        "iucore status handbook --exit-code --quiet",
        "iucore status handbook --format json",
    ),
)
@click.argument("directory", metavar="DIR", type=GIVEN)
@click.option("--exit-code", is_flag=True, help="End with 3 when something differs.")
@click.pass_context
@pass_context
def status(context: Context, ctx: click.Context, directory: str, exit_code: bool) -> None:
    """Say which files of the export in DIR were edited, and what moved on in the database since.

    A text for people, unless a --format is given.
    """
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

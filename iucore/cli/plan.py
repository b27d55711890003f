"""``iucore plan``."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import click

from iucore.cli._base import Command, Function, examples, pass_context
from iucore.cli._context import Context, coloured
from iucore.cli._diff import words
from iucore.cli._errors import CONFLICT, DIFFERENT, visible
from iucore.cli._input import GIVEN
from iucore.cli._output import emit_rows, write
from iucore.cli.export import counted, must_be_folder, typed
from iucore.errors import InvalidError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from iucore.textcode.plan import Plan, PlannedFile, PlannedPiece

_LINES = 5
_WIDTH = 200
_KEYS = 10
_STATES = ("conflict", "edited", "new", "split", "moved", "merged", "missing")
_FILES = {
    "deleted": "deleted (not acted on)",
    "landed": "edited (the database says the same already)",
    "generated": "edited (never read back)",
}


@dataclass(frozen=True, slots=True)
class PlannedRow:
    """One piece that would change, without its texts."""

    path: str
    key: str
    state: str
    address: str
    version: int | None
    moved: bool
    forked: str | None
    elsewhere: tuple[str, ...]
    detail: str


def shaping(function: Function) -> Function:
    """The options that decide what a plan becomes."""
    for option in (
        click.option("--kind", metavar="KIND", help="A registered kind, of new pieces; else that of the piece before."),
        click.option(
            "--level", type=click.IntRange(1, 6), help="In new files deeper headings begin no piece; 6 unless given."
        ),
        click.option("--fork-piece", "fork_pieces", metavar="ADDRESS", multiple=True, help="Clone this edited piece."),
        click.option(
            "--fork",
            is_flag=True,
            help="Clone edited pieces that other documents show too, and leave those as they are.",
        ),
    ):
        function = option(function)
    return function


def shaped(
    connection: Connection,
    directory: str,
    fork: bool,
    fork_pieces: Collection[str],
    level: int | None,
    kind: str | None,
) -> Plan:
    """The plan that the options ask for; refuses to fork what is not edited, since that may be a slip of the hand."""
    from iucore.textcode import plan as planner

    made = planner.plan(connection, Path(directory), fork=fork, fork_pieces=fork_pieces, level=level or 6, kind=kind)
    edited = {piece.forked or piece.address for piece in made.pieces if piece.state in ("edited", "conflict")}
    if unknown := [address for address in fork_pieces if address not in edited]:
        raise click.UsageError(f"--fork-piece {unknown[0]}: no edited piece has this address.")
    return made


@click.command(
    cls=Command,
    epilog=examples(
        "iucore plan handbook",
        "iucore plan handbook -o plan.json --fork",
        "iucore plan handbook --exit-code --format tsv",
        "iucore plan handbook --conflict-files",
    ),
)
@click.argument("directory", metavar="DIR", type=GIVEN)
@click.option(
    "-o",
    "--output",
    metavar="PLAN",
    type=GIVEN,
    help="Write the plan there too, for iucore apply PLAN; whole or not at all, and into a folder that exists.",
)
@shaping
@click.option("--exit-code", is_flag=True, help="End with 3 when an apply would change something, 5 on conflicts.")
@click.option(
    "--conflict-files", is_flag=True, help="Write each file with conflicts as FILE.conflict too, with marks in it."
)
@click.pass_context
@pass_context
def plan(
    context: Context,
    ctx: click.Context,
    directory: str,
    output: str | None,
    fork: bool,
    fork_pieces: tuple[str, ...],
    level: int | None,
    kind: str | None,
    exit_code: bool,
    conflict_files: bool,
) -> None:
    """Show what the edited files in DIR would do to the database, piece by piece. It changes nothing.

    A text for people, unless a --format is given; json gives the plan itself, as --output writes it.
    """
    from iucore.textcode import apply as applier
    from iucore.textcode.tree import write_file, write_tree

    must_be_folder(directory)
    if output is not None:
        _check_output(directory, output)
    with context.transaction(snapshot=True) as connection:
        made = shaped(connection, directory, fork, fork_pieces, level, kind)
        theirs = _heads(connection, made) if context.format is None else {}
    if conflict_files and made.marked:
        write_tree(
            Path(directory),
            [(PurePosixPath(f"{path}.conflict"), text.encode()) for path, text in sorted(made.marked.items())],
        )
        for path in sorted(made.marked):
            context.say(f"written: {visible(str(Path(directory, path)))}.conflict")
    dumped = ""
    if output is not None or context.format == "json":
        dumped = applier.dump(made, directory=_relative(directory, Path(output or "plan").parent))
    if output is not None:
        write_file(Path(output), dumped.encode())
    if context.format is None:
        if output is not None:
            command = ["apply", output]
        else:
            command = ["apply", directory, *(["--fork"] if fork else [])]
            for address in fork_pieces:
                command += ["--fork-piece", address]
            command += ["--level", str(level)] if level else []
            command += ["--kind", kind] if kind else []
        lines = _report(made, theirs, directory, command)
        write("".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace"))
    elif context.format == "json":
        write(dumped.encode())
    else:
        emit_rows(context, PlannedRow, map(_row, made.pieces))
    if made.conflicts:
        context.say(f"{counted(len(made.conflicts), 'conflict')}: iucore apply refuses this until it is settled")
    if behind := moved_on(made):
        context.say(f"{counted(behind, 'file')} moved on in the database: {typed('status', directory)}")
    if exit_code and made.conflicts:
        ctx.exit(CONFLICT)
    if exit_code and _changes(made):
        ctx.exit(DIFFERENT)


def _check_output(directory: str, output: str) -> None:
    """A plan must not take the place of a document, nor be taken for one."""
    from iucore.textcode.cut import FOLDER_SUFFIXES
    from iucore.textcode.manifest import NAME

    path, folder = Path(os.path.realpath(output)), Path(os.path.realpath(directory))
    if path.is_relative_to(folder) and (path.suffix.lower() in FOLDER_SUFFIXES or path.name in (NAME, "ORDER")):
        raise click.UsageError(f"-o {output}: that is a name of the export's own; write the plan elsewhere.")


def _relative(directory: str, folder: Path) -> str:
    """The folder of the export, seen from the folder of the plan, so that both can be moved together."""
    found = os.path.relpath(os.path.realpath(directory), os.path.realpath(folder))
    try:
        found.encode()
    except UnicodeEncodeError:
        raise InvalidError(
            "the name of the folder is not UTF-8, and cannot be written into a plan",
            sqlstate="IU031",
            detail=found,
            hint="Rename the folder, or apply it without a plan: iucore apply DIR",
        ) from None
    return found


def _heads(connection: Connection, made: Plan) -> dict[str, str]:
    """What the database says now, of the pieces in conflict."""
    from iucore import units

    addresses = sorted({piece.forked or piece.address for piece in made.conflicts if piece.version is not None})
    if not addresses:
        return {}
    return {shown.address: shown.body or "" for shown in units.show_many(connection, addresses=addresses)}


def _row(piece: PlannedPiece) -> PlannedRow:
    from iucore.textcode.cut import printable

    return PlannedRow(
        printable(piece.path),
        piece.key,
        piece.state,
        piece.address,
        piece.version,
        piece.moved,
        piece.forked,
        piece.elsewhere,
        piece.detail,
    )


def moved_on(made: Plan) -> int:
    """How many files are as they were exported, when the database is not."""
    return sum(each.state == "moved on" for each in made.files)


def _changes(made: Plan) -> bool:
    """Whether an apply would change something, and be it only which file is which in the manifest."""
    return bool(made.calls) or any(each.state in ("renamed", "landed") for each in made.files)


# ------------------------------------------------------------------------------------------------------- for people


def _report(made: Plan, theirs: Mapping[str, str], directory: str, command: list[str]) -> Iterator[str]:
    listed = [each for each in made.files if each.state != "moved on"]
    files: dict[str, list[PlannedFile]] = {each.path: [] for each in listed}
    for each in listed:
        files[each.path].append(each)
    pieces: dict[str, list[PlannedPiece]] = {path: [] for path in files}
    for piece in made.pieces:
        pieces.setdefault(piece.path, []).append(piece)
    bold = coloured(sys.stdout)
    for path, own in pieces.items():
        heading = visible(_heading(path, files.get(path, []), own), keep="")
        yield f"\x1b[1m{heading}\x1b[0m" if bold else heading
        for piece in own:
            yield from _piece(piece, theirs)
        yield ""
    yield _summary(made)
    yield from _next(made, directory, command)


def _heading(path: str, files: list[PlannedFile], pieces: list[PlannedPiece]) -> str:
    from iucore.textcode.cut import printable

    said = [
        f"renamed from {printable(each.was)}" if each.was is not None else _FILES.get(each.state, each.state)
        for each in files
    ]
    key = next((key for key in [each.key for each in files] + [each.key for each in pieces] if key is not None), None)
    return f"{printable(path)}: {', '.join(said or ['edited'])}" + ("" if key is None else f"; collection {key}")


def _piece(piece: PlannedPiece, theirs: Mapping[str, str]) -> Iterator[str]:
    also = "moved too" if piece.moved and piece.state != "moved" else ""
    detail = "; ".join(filter(None, (piece.detail, also)))
    yield visible(f"  {piece.state} {piece.address}" + (f" ({detail})" if detail else ""), keep="")
    if piece.elsewhere:
        named = ", ".join(piece.elsewhere[:_KEYS])
        if len(piece.elsewhere) > _KEYS:
            named += f" and {len(piece.elsewhere) - _KEYS:,} more"
        yield visible(f"    also changes {counted(len(piece.elsewhere), 'other document')}: {named}", keep="")
        yield "    (clone instead: --fork)"
    if piece.state == "conflict" and piece.version is not None:
        old, here = piece.old or "", theirs.get(piece.forked or piece.address)
        if piece.old is None:
            return
        yield "    in the file:"
        yield from _part(old, -1) if piece.new is None else _diff(old, piece.new)
        if here is not None and here != old:
            yield "    in the database:"
            yield from _diff(old, here)
    elif piece.old is not None and piece.new is not None:
        yield from _diff(piece.old, piece.new)
    elif piece.new is not None or piece.old is not None:
        yield from _part(piece.new or piece.old or "", -1 if piece.new is None else 1)


def _diff(old: str, new: str) -> Iterator[str]:
    yield from (f"    {line}" for line in words(old, new, sys.stdout).splitlines())


def _part(text: str, sign: int) -> Iterator[str]:
    """The first lines of a text that comes or goes."""
    from iucore.textcode.cut import split_lines

    lines = split_lines(text)
    head = "".join(map(_short, lines[:_LINES]))
    marked = words("", head, sys.stdout) if sign > 0 else words(head, "", sys.stdout)
    yield from (f"    {line}" for line in marked.splitlines()[1:])
    if len(lines) > _LINES:
        yield f"    ({counted(len(lines) - _LINES, 'more line')})"


def _short(line: str) -> str:
    text = line.rstrip("\r\n")
    return line if len(text) <= _WIDTH else f"{text[:_WIDTH]}\u2026{line[len(text) :]}"


def _summary(made: Plan) -> str:
    states = [piece.state for piece in made.pieces]
    said = [f"{states.count(state):,} {state}" for state in _STATES if state in states]
    kinds = [each.state for each in made.files]
    said += [
        f"{counted(kinds.count(state), 'file')} {state}"
        for state in ("renamed", "deleted", "landed", "moved on")
        if state in kinds
    ]
    return f"{', '.join(said) or 'nothing would change'}; {made.unchanged:,} unchanged"


def _next(made: Plan, directory: str, command: list[str]) -> Iterator[str]:
    if made.conflicts:
        yield f"see both sides in one text: {typed('plan', directory, '--conflict-files')}"
        yield "to settle a conflict, let both sides say the same (such as what the database has) and apply; then edit"
    elif _changes(made):
        more = ["--allow-remove"] if made.missing else []
        yield f"next: {typed(*command, '-m', 'REASON', *more)}"
        if made.missing:
            yield "(--allow-remove lets missing pieces leave their collections; no piece is deleted)"
    elif moved_on(made):
        yield f"older than the database, and not applied; bring it in: {typed('export', '--to', directory)}"
    elif made.files:
        yield f"next: {typed('status', directory)}"
    else:
        yield f"next, when you have edited: {typed('plan', directory)}"

"""``iucore apply``."""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import click

from iucore import _call
from iucore.cli import _errors
from iucore.cli._base import Change, Command, examples, pass_context, writes
from iucore.cli._context import Context
from iucore.cli._input import GIVEN
from iucore.cli._output import emit_one
from iucore.cli.export import counted, must_be_folder, typed
from iucore.cli.plan import moved_on, shaped, shaping
from iucore.errors import ConflictError, InvalidError, IucoreError

if TYPE_CHECKING:
    from iucore.textcode.plan import Plan


@click.command(
    cls=Command,
    epilog=examples(
        'iucore apply handbook -m "shorter sentences"',
        "iucore apply handbook -m cleanup --allow-remove",
        "iucore apply plan.json -m reviewed",
    ),
)
@click.argument("source", metavar="DIR|PLAN", type=GIVEN)
@click.option(
    "--allow-remove",
    is_flag=True,
    help="Let pieces that are missing from the files leave their collections; no piece is deleted.",
)
@shaping
@writes
@pass_context
def apply(
    context: Context,
    source: str,
    allow_remove: bool,
    fork: bool,
    fork_pieces: tuple[str, ...],
    level: int | None,
    kind: str | None,
    change: Change,
) -> None:
    """Bring the edited files in DIR, or what a PLAN says, into the database: everything or nothing.

    Afterwards the folder and its manifest are brought up to date.
    """
    from iucore.textcode import apply as applier

    shape = (fork, fork_pieces, level, kind)
    made: Plan | None = None
    directory: str | None = source
    if Path(source).is_file():
        if shape != (False, (), None, None):
            raise click.UsageError("--fork, --fork-piece, --level and --kind are for DIR; in a PLAN it is decided.")
        made, directory = _read(source)
    else:
        must_be_folder(source)
    if context.recorder is not None:
        if made is None:
            with context.transaction(snapshot=True) as connection:
                made = shaped(connection, source, *shape)
        asked = applier.calls(made, allow_remove=allow_remove, **change)
        context.recorder.calls.extend(asked)
        again = "iucore export --to DIR" if directory is None else typed("export", "--to", directory)
        context.say(f"{counted(len(asked), 'call')}; when they have run, bring the folder up to date: {again}")
        raise _call.Recorded
    folder = directory if made is None or _is_there(made, directory) else None
    with context.transaction() as connection:
        if made is None:
            made = shaped(connection, source, *shape)
        done = applier.apply(connection, made, allow_remove=allow_remove, **change)
    if folder is not None:
        _finish(context, folder, made)
    emit_one(context, done)
    if behind := moved_on(made):
        again = "iucore export --to DIR" if directory is None else typed("export", "--to", directory)
        context.say(f"{counted(behind, 'file')} older than the database, and not applied; bring it in: {again}")
    elif not made.calls:
        context.say("nothing to do: the database says what the files say")
    if folder is None:
        there = "" if directory is None else f": {_errors.visible(directory, keep='')}"
        context.say(f"only the database is changed: the export that was planned on is not there{there}")


def _read(path: str) -> tuple[Plan, str | None]:
    """A plan, and the folder that it was made on as its file says, seen from the folder of that file."""
    from iucore.textcode import apply as applier
    from iucore.textcode.cut import MAX_FILE_BYTES

    with Path(path).open("rb") as file:
        data = file.read(MAX_FILE_BYTES + 1)
    try:
        if len(data) > MAX_FILE_BYTES:
            detail = f"it has more than {MAX_FILE_BYTES} bytes"
            raise InvalidError("the file is not a plan", sqlstate="IU051", detail=detail)
        made, more = applier.load(data.decode(errors="surrogateescape"))
    except InvalidError as error:
        error.detail = f"{path}: {error.detail}"
        raise
    directory = more.get("directory")
    if not isinstance(directory, str | None):
        raise InvalidError("the file is not a plan", sqlstate="IU051", detail=f"{path}: its directory is no text")
    return made, str(Path(path).parent / directory) if isinstance(directory, str) else None


def _is_there(made: Plan, directory: str | None) -> bool:
    """Whether the folder holds the export that was planned on.

    Raises:
        ConflictError: IU216, it does, and its files are not those that were planned on.
    """
    from iucore.textcode.cut import printable
    from iucore.textcode.export import MANIFEST
    from iucore.textcode.tree import Tree

    if directory is None or not Path(directory).is_dir():
        return False

    def sha256(path: str | PurePosixPath) -> str:
        try:
            return hashlib.sha256(tree.read(PurePosixPath(path))).hexdigest()
        except (FileNotFoundError, NotADirectoryError):
            return ""

    with Tree(Path(directory)) as tree:
        if sha256(MANIFEST) != made.manifest_sha256:
            return False
        planned = {result.path: result.file_sha256 for result in made.results} | dict(made.applied)
        if changed := [path for path, digest in sorted(planned.items()) if sha256(path) != digest]:
            raise ConflictError(
                "the files have changed since the plan was made",
                sqlstate="IU216",
                detail="\n".join(map(printable, changed)),
                hint=f"Make the plan again: {typed('plan', directory, '-o')} PLAN",
            )
    return True


def _finish(context: Context, directory: str, made: Plan) -> None:
    """Bring the folder up to date; what was committed is not called failed."""
    from sqlalchemy.exc import SQLAlchemyError

    from iucore.textcode import apply as applier
    from iucore.textcode.cut import printable

    done = "the change is committed" if made.calls else "nothing was to be changed in the database"
    message = f"{done}, but the folder could not be brought up to date"
    hint = f"Bring it up to date; nothing is done twice: {typed('apply', directory, '-m', 'REASON')}"
    try:
        with context.transaction(snapshot=True) as connection:
            left = applier.finish(connection, Path(directory), made)
    except (IucoreError, OSError, SQLAlchemyError) as error:
        detail = f"{error.strerror}: {error.filename}" if isinstance(error, OSError) else str(error)
        raise IucoreError(message, sqlstate="", detail=detail, hint=hint) from error
    except KeyboardInterrupt:
        _errors.show(message, hint=hint)
        raise
    for path in left:
        context.say(f"left as it is, since it was edited meanwhile: {printable(path)}")
    if left:
        context.say(f"next: {typed('plan', directory)}")

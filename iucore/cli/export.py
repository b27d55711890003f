"""``iucore export``, and what the commands on an exported folder share."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from iucore.cli._base import Command, examples, pass_context
from iucore.cli._context import Context
from iucore.cli._errors import visible
from iucore.cli._input import GIVEN
from iucore.cli._output import Progress, emit_one
from iucore.errors import NotFoundError


def typed(*words: str) -> str:
    """A command to type.

    >>> typed("plan", "my docs")
    "iucore plan 'my docs'"
    """
    return visible(shlex.join(["iucore", *words]))


def counted(number: int, what: str) -> str:
    """A number of things.

    >>> counted(1, "file"), counted(2000, "file")
    ('1 file', '2,000 files')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def must_be_folder(directory: str) -> None:
    """Refuse what is no folder before anything is asked.

    Raises:
        NotFoundError: IU044.
    """
    path = Path(directory)
    if not path.is_dir():
        there = path.is_symlink() or path.exists()
        raise NotFoundError(
            "this is not a folder" if there else "there is no such folder",
            sqlstate="IU044",
            detail=directory,
            hint="Name the folder of an export, or make one: iucore export --prefix KEY --to DIR",
        )


@click.command(
    cls=Command,
    epilog=examples(
        "iucore export --prefix handbook --to handbook",
        "iucore export handbook/leave.md handbook/pay.md --to work",
        "iucore export --to handbook",
        "iucore export --prefix handbook --to pieces --layout pieces",
    ),
)
@click.argument("keys", metavar="[KEY]...", nargs=-1)
@click.option(
    "--prefix", metavar="KEY", type=GIVEN, help="This collection and all below it, e.g. policies means policies/..."
)
@click.option(
    "--to", "directory", metavar="DIR", type=GIVEN, required=True, help="The folder, which is made if it is not there."
)
@click.option(
    "--layout",
    type=click.Choice(["documents", "pieces"]),
    help="A file for each collection (the default), or a file for each piece and one for each order.",
)
@click.option("--discard-edits", is_flag=True, help="Overwrite files that were edited since the last export.")
@pass_context
def export(
    context: Context,
    keys: tuple[str, ...],
    prefix: str | None,
    directory: str,
    layout: str | None,
    discard_edits: bool,
) -> None:
    """Write collections as text files to edit, and a manifest that says which bytes are which piece.

    Without KEY and --prefix it exports again what the manifest in DIR says. All files are replaced at once or none;
    one that is right already is not touched, one that was edited is not overwritten.
    """
    from iucore.textcode import export as exporter

    if keys and prefix is not None:
        raise click.UsageError("Give either a KEY or more, or --prefix.")
    if not keys and prefix is None:
        must_be_folder(directory)
    with context.transaction(snapshot=True) as connection:
        done = exporter.export(
            connection,
            Path(directory),
            keys=keys,
            prefix=prefix,
            layout=layout,
            discard_edits=discard_edits,
            progress=Progress(context, "exported"),
        )
    emit_one(context, done)
    if done.kept:
        kept = "1 edited file was" if done.kept == 1 else f"{done.kept:,} edited files were"
        context.say(f"{kept} left as it is: see what differs with {typed('status', directory)}")

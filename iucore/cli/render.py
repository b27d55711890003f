"""``iucore render``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import click

from iucore import collections
from iucore.cli._base import Command, examples, pass_context
from iucore.cli._context import Context
from iucore.cli._input import as_of, as_of_option
from iucore.cli._output import Progress, emit_one, write

if TYPE_CHECKING:
    from sqlalchemy import Connection


@click.command(
    cls=Command,
    epilog=examples(
        "iucore render handbook.md",
        "iucore render handbook.md --as-of 2026-01-31T12:00:00Z -o handbook.md",
        "iucore render check --as mermaid",
        "iucore render --prefix docs --to out",
    ),
)
@click.argument("key", required=False)
@click.option("-o", "--output", metavar="FILE", help="Write there instead of stdout; whole or not at all.")
@as_of_option
@click.option(
    "--as", "form", type=click.Choice(["checklist", "mermaid", "json"]), help="A workflow in another form than text."
)
@click.option("--prefix", metavar="KEY", help="Render every collection below this key.")
@click.option("--to", "directory", metavar="DIR", help="With --prefix: write each at its relative path below DIR.")
@pass_context
def render(
    context: Context,
    key: str | None,
    output: str | None,
    as_of: str | None,
    form: str | None,
    prefix: str | None,
    directory: str | None,
) -> None:
    """Write the exact bytes of the collection KEY, or of every collection below --prefix."""
    change, moment = _as_of(as_of)
    if key is None:
        if prefix is None or directory is None:
            raise click.UsageError("Give a KEY, or --prefix and --to.")
        if output is not None or form is not None:
            raise click.UsageError("--output and --as are for one KEY.")
        _tree(context, prefix, Path(directory), change, moment)
    elif prefix is not None or directory is not None:
        raise click.UsageError("Give either a KEY, or --prefix and --to.")
    elif form is not None:
        text = context.call(
            collections.render_workflow, key=key, format=form, as_of_change=change, as_of=moment
        ).encode()
        _put(output, [text])
    elif output in (None, "-") or context.recorder is not None:
        write(context.call(collections.render, key=key, as_of_change=change, as_of=moment).encode())
    else:
        with context.transaction() as connection:
            _put(output, _chunks(connection, key, change, moment))


_as_of = as_of


def _chunks(connection: Connection, key: str, change: int | None, moment: datetime | None) -> Iterator[bytes]:
    for piece in collections.render_pieces(connection, key=key, as_of_change=change, as_of=moment):
        yield piece.body.encode()


def _put(output: str | None, chunks: Iterator[bytes] | list[bytes]) -> None:
    from iucore.textcode.tree import write_tree

    if output in (None, "-"):
        write(b"".join(chunks))
        return
    path = Path(output or "")
    write_tree(path.parent, [(PurePosixPath(path.name), chunks)])


def _tree(context: Context, prefix: str, directory: Path, change: int | None, moment: datetime | None) -> None:
    """Every collection below the prefix; one that a fragment names is a part of another."""
    from iucore.textcode.cut import path_of_key
    from iucore.textcode.tree import write_tree

    if context.recorder is not None:
        raise click.UsageError("--to writes many files: print the SQL of one KEY.")
    with context.transaction(snapshot=True) as connection:
        keys = [key for key in _keys(connection, prefix) if "#" not in key]
        if change is not None or moment is not None:
            keys = [key for key in keys if _existed(connection, key, change, moment)]
        paths = [path_of_key(key, prefix) for key in keys]
        progress = Progress(context, "rendered", len(keys))

        def files() -> Iterator[tuple[PurePosixPath, Iterator[bytes]]]:
            for number, (key, path) in enumerate(zip(keys, paths, strict=True), start=1):
                yield path, _chunks(connection, key, change, moment)
                progress(number)

        done = write_tree(directory, files())
    emit_one(context, done)


def _keys(connection: Connection, prefix: str) -> Iterator[str]:
    after = ""
    while page := collections.list_collections(connection, prefix=f"{prefix}/", after=after):
        yield from (found.key for found in page)
        after = page[-1].key


def _existed(connection: Connection, key: str, change: int | None, moment: datetime | None) -> bool:
    born = collections.history(connection, key=key)[-1]
    return born.change_id <= change if change is not None else moment is not None and born.changed_at <= moment

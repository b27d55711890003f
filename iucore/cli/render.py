"""``iucore render``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import click

from iucore import collections
from iucore.cli._base import Change, Command, examples, pass_context, records
from iucore.cli._context import Context
from iucore.cli._errors import AUTHOR, READER
from iucore.cli._input import GIVEN, as_of, as_of_option
from iucore.cli._output import Progress, emit_one, write
from iucore.errors import InvalidError, NotFoundError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from iucore._call import Recorder


@click.command(
    cls=Command,
    role=READER,
    epilog=examples(
        "iucore render handbook.md",
        "iucore render handbook.md --as-of 2026-01-31T12:00:00Z -o handbook.md",
        "iucore render check --as mermaid",
        "iucore render --prefix docs --to out",
        'iucore render handbook.md --record -m "sent to print" -o handbook.md',
    ),
)
@click.argument("key", required=False)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=GIVEN,
    help="Write there instead of stdout (-); whole or not at all, and into a folder that exists.",
)
@as_of_option
@click.option(
    "--as", "form", type=click.Choice(["checklist", "mermaid", "json"]), help="A workflow in another form than text."
)
@click.option(
    "--prefix",
    metavar="KEY",
    type=GIVEN,
    help="Render this collection and all below it, e.g. policies means policies/...; needs --to.",
)
@click.option(
    "--to",
    "directory",
    metavar="DIR",
    type=GIVEN,
    help="With --prefix: write each at its relative path below DIR, which is made.",
)
@records
@pass_context
def render(
    context: Context,
    key: str | None,
    output: str | None,
    as_of: str | None,
    form: str | None,
    prefix: str | None,
    directory: str | None,
    change: Change | None,
) -> None:
    """Write the exact bytes of the collection KEY, or of every collection at or below --prefix."""
    if change is not None:
        if key is None or (as_of, form, prefix, directory) != (None, None, None, None):
            raise click.UsageError("--record is for the text of one KEY, as it is now.")
        _record(context, key, output, change)
        return
    then, moment = _as_of(context, as_of)
    if key is None:
        if prefix is None or directory is None:
            raise click.UsageError("Give a KEY, or --prefix and --to.")
        if output is not None or form is not None:
            raise click.UsageError("--output and --as are for one KEY.")
        _tree(context, prefix.rstrip("/") or prefix, Path(directory), then, moment)
    elif prefix is not None or directory is not None:
        raise click.UsageError("Give either a KEY, or --prefix and --to.")
    elif form is not None:
        text = context.call(collections.render_workflow, key=key, format=form, as_of_change=then, as_of=moment).encode()
        _put(output, [text])
    elif output in (None, "-") or context.recorder is not None:
        write(context.call(collections.render, key=key, as_of_change=then, as_of=moment).encode())
    else:
        with context.transaction() as connection:
            _put(output, _chunks(connection, key, then, moment))


_as_of = as_of


def _text_of(done: collections.RecordedRender) -> bytes:
    if done.body is None:
        raise click.ClickException(
            f"Change {done.change_id} recorded this render already, and its text (sha256 {done.sha256}) cannot be "
            "rendered any more: a change with a lower number was committed later."
        )
    return done.body.encode()


def _record(context: Context, key: str, output: str | None, change: Change) -> None:
    def verb(connection: Connection | Recorder, /, **given: Any) -> collections.RecordedRender:
        done = collections.record_render(connection, **given)
        if to_file:
            # Before the commit: when the file cannot be written, nothing is recorded.
            _put(output, [_text_of(done)])
        return done

    to_file = output not in (None, "-")
    context.needs(AUTHOR)
    done = context.call(verb, key=key, **change)
    if not to_file:
        # Behind the commit: whoever reads slowly would hold the collection.
        write(_text_of(done))
    context.say(
        f"recorded as change {done.change_id}: {done.pieces} pieces, {done.byte_length} bytes, sha256 {done.sha256}"
    )


def _chunks(connection: Connection, key: str, change: int | None, moment: datetime | None) -> Iterator[bytes]:
    for piece in collections.render_pieces(connection, key=key, as_of_change=change, as_of=moment):
        yield piece.body.encode()


def _put(output: str | None, chunks: Iterator[bytes] | list[bytes]) -> None:
    from iucore.textcode.tree import write_file

    if output is None or output == "-":
        write(b"".join(chunks))
    else:
        write_file(Path(output), chunks)


def _tree(context: Context, prefix: str, directory: Path, change: int | None, moment: datetime | None) -> None:
    """The collection of the prefix and every one below it; one that a fragment names is a part of another."""
    from iucore.textcode.export import document_path, selected
    from iucore.textcode.tree import write_tree

    if context.recorder is not None:
        raise click.UsageError("--to writes many files: print the SQL of one KEY.")
    past = change is not None or moment is not None
    with context.transaction(snapshot=True) as connection:
        keys = selected(connection, (), prefix)
        if past:
            keys = [key for key in keys if _existed(connection, key, change, moment)]
        if not keys:
            raise NotFoundError(
                "no collection at or below the prefix" + (" as of then" if past else ""),
                sqlstate="IU003",
                detail=f"prefix: {prefix}",
                hint="See what there is: iucore collection list",
            )
        paths = [document_path(key, "file", prefix) for key in keys]
        progress = Progress(context, "rendered", len(keys))
        finished: list[str] = []

        def files() -> Iterator[tuple[PurePosixPath, Iterator[bytes]]]:
            for key, path in zip(keys, paths, strict=True):
                yield path, _chunks(connection, key, change, moment)
                finished.append(str(path))
                progress(len(finished))

        try:
            done = write_tree(directory, files())
        except (InvalidError, OSError):
            if finished:
                context.say(f"written before, in the order of the keys: {len(finished)} files up to {finished[-1]}")
            raise
    emit_one(context, done)


def _existed(connection: Connection, key: str, change: int | None, moment: datetime | None) -> bool:
    born = collections.history(connection, key=key)[-1]
    return born.change_id <= change if change is not None else moment is not None and born.changed_at <= moment

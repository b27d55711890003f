"""``iucore closeout``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from iucore.cli import _errors
from iucore.cli._base import Command, change_options, examples, pass_context
from iucore.cli._context import Context
from iucore.cli._input import GIVEN
from iucore.cli._output import write

if TYPE_CHECKING:
    from pathlib import PurePosixPath

    from sqlalchemy import Connection


@click.command(
    cls=Command,
    role=_errors.READER,
    epilog=examples(
        "iucore closeout",
        "iucore closeout -o closeout.md",
        'iucore closeout --store operations/closeout-0022.md -m "release of November"',
    ),
)
@click.option("-o", "--output", metavar="FILE", type=GIVEN, help="Write it there; an existing file is replaced.")
@click.option("--run", "run_id", metavar="ID", type=GIVEN, help="Of this run; else of the newest of this database.")
@click.option("--store", "key", metavar="KEY", type=GIVEN, help="Also keep it as a governed file with this key.")
@change_options(required=False)
@pass_context
def closeout(
    context: Context,
    output: str | None,
    run_id: str | None,
    key: str | None,
    reason: str | None,
    actor: str | None,
    request_key: str | None,
) -> None:
    """Write a report in Markdown about a production apply or its way back, from measured facts.

    Outcome, revisions, backup, the checks of the preflight, objects by kind, inventory, rows before and after, proofs,
    delivery, gates, how ready it is to go back or to be switched off, and what was not done. Each section says whether
    its facts were measured now or written down by the run.

    --store keeps it as a collection of its own, cut at its headings: iucore render KEY gives the same bytes back.
    """
    from pathlib import Path

    from iucore.operations import apply
    from iucore.operations import closeout as operation

    if key is None and (reason, actor, request_key) != (None, None, None):
        raise click.UsageError("--reason, --actor and --request-key go with --store.")
    if key is not None and reason is None:
        raise click.UsageError("--store needs a reason: -m REASON.")
    if key is not None:
        context.needs(_errors.AUTHOR)
        _path(key)
    with context.transaction(snapshot=True) as connection:
        run = apply.run_of(connection, run_id)
        text = operation.report(connection, database=context.target().display(), run=run)
    if run is None:
        context.say("no run of this database is known here; next: iucore db apply")
    if output is not None:
        Path(output).write_bytes(text.encode())
        context.say(f"written: {output}")
    if key is not None:
        context.connection().execution_options(isolation_level="READ COMMITTED")
        with context.transaction() as connection:
            _store(connection, text, key, reason=reason, actor=actor, request_key=request_key)
        context.say(f"kept as {key}; next: iucore render {key}")
    if output is None:
        write(text.encode())


def _path(key: str) -> PurePosixPath:
    """The key as the name of a file, which is what the cutter makes keys of."""
    from iucore.errors import InvalidError
    from iucore.textcode import cut

    try:
        return cut.path_of_key(key, "")
    except InvalidError as error:
        error.hint = "Write KEY like the name of a file, such as operations/closeout-0022.md"
        raise


def _store(connection: Connection, text: str, key: str, **change: Any) -> None:
    """Cut the report and keep it; refuse when it would not render to the same bytes."""
    from iucore import collections
    from iucore.errors import ConflictError
    from iucore.textcode import cut

    document = cut.cut_document(text, path=_path(key), prefix="", level=2, suffix=".md")
    try:
        cut.apply(connection, cut.Plan((document,)), **change)
    except ConflictError as error:
        if error.sqlstate not in ("IU201", "IU204"):
            raise
        raise ConflictError(
            "the key is taken", sqlstate="IU204", detail=f"collection: {key}", hint="Choose another KEY for --store."
        ) from error
    if collections.render(connection, key=key) != text:
        raise ConflictError(
            "the report would not render to the same bytes, and was not kept",
            sqlstate="IU218",
            detail=f"collection: {key}",
            hint="Write it to a file instead: iucore closeout -o FILE",
        )

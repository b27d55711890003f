"""``iucore cut``."""

from __future__ import annotations

import time
from dataclasses import dataclass

import click

from iucore.cli import _errors
from iucore.cli._base import Command, change_options, examples, pass_context
from iucore.cli._context import Context
from iucore.cli._input import GIVEN
from iucore.cli._output import Progress, emit_rows

_REUSE = "An active piece with the same text is used again, not born anew; later edits of it show in every document."


@dataclass(frozen=True, slots=True)
class PlannedDocument:
    """One document of a plan."""

    path: str
    key: str
    pieces: int
    bytes: int


@click.command(
    cls=Command,
    epilog=examples(
        "iucore cut docs README.md --prefix handbook",
        'iucore cut docs --prefix handbook --level 2 --apply -m "first import"',
        "iucore cut 'notes/**/*.txt' --prefix notes --reuse --keep-going --apply -m import",
    ),
)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=GIVEN)
@click.option(
    "--prefix",
    required=True,
    metavar="KEY",
    type=GIVEN,
    help="Begin every key with this, e.g. policies gives policies/travel.md.",
)
@click.option("--apply", is_flag=True, help="Do it; without this the plan is only shown.")
@click.option(
    "--level", type=click.IntRange(1, 6), default=6, show_default=True, help="Deeper headings begin no piece."
)
@click.option("--reuse", is_flag=True, help=_REUSE)
@click.option("--nest", is_flag=True, help="A heading with deeper headings becomes a collection of its own.")
@click.option("--keep-going", is_flag=True, help="Cut the good files in spite of bad ones; the exit code stays 1.")
@click.option("--kind", default="text", show_default=True, metavar="KIND", help="A registered kind, of every piece.")
@click.option("--include", multiple=True, metavar="GLOB", help="In folders these files, instead of .md and .txt.")
@change_options(required=False)
@click.pass_context
@pass_context
def cut(
    context: Context,
    ctx: click.Context,
    paths: tuple[str, ...],
    prefix: str,
    apply: bool,
    level: int,
    reuse: bool,
    nest: bool,
    keep_going: bool,
    kind: str,
    include: tuple[str, ...],
    reason: str | None,
    actor: str | None,
    request_key: str | None,
) -> None:
    """Cut files, folders and globs into pieces that join to exactly the same bytes.

    A dry run unless --apply is given. All documents or none are stored.
    """
    from iucore import _call
    from iucore.errors import InvalidError
    from iucore.textcode import cut as cutter

    begin = time.monotonic()
    apply = apply or context.recorder is not None
    if apply and reason is None:
        raise click.UsageError("--apply needs a reason: -m REASON.")
    plan = cutter.read_paths(
        paths,
        prefix=prefix,
        level=level,
        nest=nest,
        include=include,
        keep_going=keep_going,
        progress=Progress(context, "read"),
    )
    for link in plan.links:
        context.say(f"not followed: {cutter.printable(link)} is a symbolic link")
    plan.check()
    for bad in plan.bad:
        _errors.show(str(bad), hint=bad.hint)
    if not plan.documents and not plan.bad:
        raise InvalidError(
            "there is nothing to cut",
            sqlstate="IU031",
            detail="no file was found in: " + ", ".join(map(cutter.printable, paths)),
            hint="Folders give .md, .markdown and .txt; name other files with --include GLOB.",
        )
    reused = 0
    if apply and context.recorder is None:
        with context.transaction() as connection:
            reused = cutter.apply(
                connection, plan, reason=reason or "", kind=kind, actor=actor, request_key=request_key, reuse=reuse
            ).reused
    else:
        known: dict[str, str] | None = None
        if reuse:
            known = context.read(cutter.reusable, plan=plan, kind=kind)
            reused = plan.reused(known)
        if context.recorder is not None:
            calls = plan.calls(reason=reason or "", kind=kind, actor=actor, request_key=request_key, reuse=known)
            context.recorder.calls.extend(calls)
            raise _call.Recorded
    emit_rows(
        context,
        PlannedDocument,
        [
            PlannedDocument(cutter.printable(str(each.path)), each.key, len(each.pieces), each.byte_length)
            for each in plan.documents
        ],
    )
    born = f"{plan.pieces - reused} {'' if apply else 'would be '}born"
    context.say(
        f"{len(plan.documents)} documents, {plan.pieces} pieces ({born}, {reused} used again), "
        f"{plan.contents} distinct contents, {plan.byte_length} bytes, {time.monotonic() - begin:.1f} s"
    )
    if plan.bad:
        context.say(f"{len(plan.bad)} files were left out")
    if not apply:
        looked = "" if reuse else " (without --reuse it does not look at the database)"
        context.say(f"dry run{looked}: nothing was written; do it with --apply -m REASON")
    if plan.bad:
        ctx.exit(_errors.FAILED)

"""``iucore ledger``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from iucore.cli import _errors
from iucore.cli._base import Group, examples, pass_context
from iucore.cli._context import Context
from iucore.cli._input import GIVEN, read_text
from iucore.cli._output import Progress, emit_one, write

if TYPE_CHECKING:
    from iucore.operations import audit

# What is no name of a file.
_LITERAL = re.compile(r"\d+:[0-9a-fA-F]*(:\d+)?")


@click.group(cls=Group, epilog=examples("iucore ledger verify", "iucore ledger anchor"))
def ledger() -> None:
    """The ledger: every event in its final place, each with a hash that covers all before it."""


@ledger.command(
    role=_errors.AUDITOR,
    epilog=examples(
        "iucore ledger verify",
        "iucore ledger verify --anchor anchors --format json",
        f"iucore ledger verify --anchor 2:{'0a' * 32}",
    ),
)
@click.option(
    "--anchor",
    "anchors",
    multiple=True,
    type=GIVEN,
    metavar="FILE|POSITION:HASH[:COUNT]",
    help="What iucore ledger anchor printed earlier; a file may hold many, - is stdin.",
)
@click.pass_context
@pass_context
def verify(context: Context, ctx: click.Context, anchors: tuple[str, ...]) -> None:
    """Recompute the ledger and compare it with the outbox, with the sequencer and with anchors kept elsewhere.

    It names the first bad position: where an event was edited, deleted, inserted or swapped, or the tail was cut. Who
    can write the database can rewrite all of the ledger: only an anchor that was kept elsewhere tells. Events of the
    outbox that should be in the ledger are listed as stray. Exit code 3 when something is wrong.
    """
    from iucore.operations import audit

    given = [one for text in anchors for one in audit.parse(text if _LITERAL.fullmatch(text) else read_text(text))]
    progress = Progress(context, "verified")
    with context.transaction(snapshot=True) as connection:
        found = audit.verify(
            connection,
            anchors=given,
            progress=lambda done, total: progress(done if done == total else done - done % 20, total),
        )
    emit_one(context, found)
    if _wrong(context, found):
        ctx.exit(_errors.DIFFERENT)


def _wrong(context: Context, found: audit.Verdict) -> bool:
    """Say what is wrong; whether anything is."""
    if found.older:
        context.say(f"{found.older} anchors not compared: the ledger was pruned up to {found.begin}")
    if found.bad_position is not None:
        context.say(f"first bad position {found.bad_position}: {found.problem}")
    if found.stray:
        context.say(
            f"{len(found.stray)} stray events: written past the functions; the first is {found.stray[0].event_id}"
        )
    if found.bad_position is not None or found.stray:
        context.say("next: compare with a backup; who could write these tables: select * from iucore.change")
        return True
    return False


@ledger.command(
    role=_errors.AUDITOR,
    epilog=examples("iucore ledger anchor", "iucore ledger anchor --format json"),
)
@click.pass_context
@pass_context
def anchor(context: Context, ctx: click.Context) -> None:
    """Print where the ledger ends, as POSITION:HASH:COUNT, or as what --format says.

    Append it to a file (>> anchors) that nobody who can write the database can write: iucore ledger verify --anchor
    finds by it what was cut off or rewritten since. Exit code 3 and no anchor when the end is not where the sequencer
    came to.
    """
    from iucore.operations import audit

    with context.transaction(snapshot=True) as connection:
        found = audit.anchor(connection)
    if found is None:
        context.say("no anchor: the ledger does not end where the sequencer came to; next: iucore ledger verify")
        ctx.exit(_errors.DIFFERENT)
    elif context.format is None:
        write(f"{found}\n".encode())
    else:
        emit_one(context, found)

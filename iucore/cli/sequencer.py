"""``iucore sequencer``."""

from __future__ import annotations

from dataclasses import dataclass

import click

from iucore.cli._base import Change, Group, examples, pass_context, writes
from iucore.cli._context import Context
from iucore.cli._errors import GATEKEEPER
from iucore.cli._input import Seconds
from iucore.cli._output import emit_one
from iucore.cli.worker import WORKER, Stop


@dataclass(frozen=True, slots=True)
class _Done:
    sequenced: int
    head: int
    seconds: float


@click.group(cls=Group, epilog=examples("iucore sequencer run --once", "iucore sequencer rebase -m 'restored'"))
def sequencer() -> None:
    """The sequencer: gives every committed event its place in the ledger.

    A worker sequences too: this is for where no worker runs, or those that do are told --no-sequence.
    """


@sequencer.command(role=WORKER, epilog=examples("iucore sequencer run --once", "iucore sequencer run --batch 50000"))
@click.option("--once", is_flag=True, help="End when every committed event has its place.")
@click.option("--idle-exit", type=Seconds(0), metavar="SECONDS", help="End after so long without work.")
@click.option(
    "--batch",
    type=click.IntRange(1, 100000),
    default=10000,
    show_default=True,
    metavar="N",
    help="Events in a transaction.",
)
@click.option("--no-listen", is_flag=True, help="Poll only. Behind a pooler such as PgBouncer it does so by itself.")
@pass_context
def run(context: Context, once: bool, idle_exit: float | None, batch: int, no_listen: bool) -> None:
    """Sequence until SIGTERM or Ctrl-C, and print how many events got their places.

    Several may run: one of all is at work at a time.
    """
    from iucore.delivery.loop import engine_for
    from iucore.delivery.sequencer import Sequencer

    with Stop.on_signals() as stop:
        running = Sequencer(engine_for(context.target()), batch=batch, listen=not no_listen, say=context.say)
        running.run(stop, once=once, idle_exit=idle_exit)
        emit_one(context, _Done(running.sequenced, running.head, running.seconds))


@sequencer.command(
    role=GATEKEEPER,
    epilog=examples(
        'iucore sequencer rebase -m "restored from the dump of Monday"',
        "iucore sequencer rebase -m restored --actor ann",
    ),
)
@writes
@pass_context
def rebase(context: Context, change: Change) -> None:
    """Let the ledger go on in this cluster, after a restore into it.

    The sequencer refuses to run in a cluster that it does not know (IU915): transaction ids mean something else there.
    """
    from iucore import ledger

    emit_one(context, context.call(ledger.rebase, **change))

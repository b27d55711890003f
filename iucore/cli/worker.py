"""``iucore worker``."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from iucore.cli._base import Group, examples, pass_context
from iucore.cli._context import Context
from iucore.cli._input import Seconds
from iucore.cli._output import emit_rows

WORKER = "iucore_worker"


class Stop(threading.Event):
    """Set by SIGTERM or SIGINT; a second signal ends the process as usual."""

    interrupted = False

    @classmethod
    @contextmanager
    def on_signals(cls) -> Iterator[Stop]:
        """Take the signals while the block runs; raise for an interrupt at its end."""
        stop = cls()

        def handle(number: int, _: Any) -> None:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
            stop.interrupted = stop.interrupted or number == signal.SIGINT
            stop.set()

        before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield stop
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        if stop.interrupted:
            raise KeyboardInterrupt


@click.group(cls=Group, epilog=examples("iucore worker run --once", "iucore worker run --live --route unit.edited"))
def worker() -> None:
    """The worker: hands events to the transports of routes.

    Nothing leaves until the gate delivery is open, the route is on, and the worker runs with --live.
    """


@worker.command(
    role=WORKER,
    epilog=examples(
        "iucore worker run --once",
        "iucore worker run --live",
        "iucore worker run --live --route unit.edited --route unit.created --name mail-1",
    ),
)
@click.option("--route", "routes", multiple=True, metavar="ROUTE", help="Only this route; may be given several times.")
@click.option("--live", is_flag=True, help="Send. Without it everything is a dry run: recorded, and not sent.")
@click.option("--once", is_flag=True, help="End when everything is sequenced and nothing is to be taken now.")
@click.option(
    "--batch", type=click.IntRange(1, 10000), default=1000, show_default=True, metavar="N", help="Events in a batch."
)
@click.option("--idle-exit", type=Seconds(0), metavar="SECONDS", help="End after so long without work.")
@click.option(
    "--lease",
    type=Seconds(0.1, 3600),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long a batch is ours; what is not recorded then is sent again.",
)
@click.option("--name", metavar="NAME", help="Of this worker, for people and metrics; else host and process.")
@click.option("--no-sequence", is_flag=True, help="Leave the sequencing to others.")
@click.option("--no-listen", is_flag=True, help="Poll only. Behind a pooler such as PgBouncer it does so by itself.")
@pass_context
def run(
    context: Context,
    routes: tuple[str, ...],
    live: bool,
    once: bool,
    batch: int,
    idle_exit: float | None,
    lease: float,
    name: str | None,
    no_sequence: bool,
    no_listen: bool,
) -> None:
    """Deliver until SIGTERM or Ctrl-C, and print what was done for each route.

    The hand-over under way is finished and recorded first; a second signal ends it at once. Several workers share the
    routes, and the parts of a route. Exit code 0 says that it ran, not that all was sent: iucore status tells what was
    not. Give a worker that is started again and again a --name, else metrics has one more series each time.
    """
    from iucore.delivery.loop import engine_for
    from iucore.delivery.worker import RouteSummary, Worker

    with Stop.on_signals() as stop:
        running = Worker(
            engine_for(context.target()),
            routes=routes or None,
            live=live,
            batch=batch,
            lease=lease,
            name=name,
            sequence=not no_sequence,
            listen=not no_listen,
            say=context.say,
        )
        running.run(stop, once=once, idle_exit=idle_exit)
        emit_rows(context, RouteSummary, running.summary())

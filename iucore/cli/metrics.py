"""``iucore metrics``."""

from __future__ import annotations

import click

from iucore.cli._base import Command, examples, pass_context
from iucore.cli._context import Context
from iucore.cli._output import write


@click.command(
    cls=Command,
    epilog=examples("iucore metrics", "iucore metrics --quiet --url postgresql://scraper@db/iucore"),
)
@pass_context
def metrics(context: Context) -> None:
    """Print the state of gates, outbox, ledger, routes and workers as OpenMetrics text.

    docs/grafana/iucore.json is a dashboard for it. It reads views and counts no attempts: a scrape stays cheap.
    """
    from iucore.operations import health
    from iucore.operations.metrics import openmetrics

    with context.transaction(snapshot=True) as connection:
        found = health.status(connection, look=False)
    write(openmetrics(found).encode())

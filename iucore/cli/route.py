"""``iucore route``."""

from __future__ import annotations

import click

from iucore import routes
from iucore.cli._base import Change, Group, examples, pass_context, writes
from iucore.cli._context import Context
from iucore.cli._errors import GATEKEEPER
from iucore.cli._output import emit_one, emit_rows


@click.group(cls=Group, epilog=examples("iucore route list", "iucore route off unit.edited -m 'the receiver is down'"))
def route() -> None:
    """Routes: where events go.

    Nothing leaves until the route is on, the gate delivery is open and the worker was started to send.
    """


@route.command("list", epilog=examples("iucore route list", "iucore route list --format json"))
@pass_context
def list_(context: Context) -> None:
    """List the routes, with the lanes of their types."""
    emit_rows(context, routes.ListedRoute, context.call(routes.list_routes))


@route.command(
    role=GATEKEEPER,
    epilog=examples(
        'iucore route register search.edited --type unit.edited --title "To the search" -m search',
        "iucore route register print.rendered --type collection.rendered --title Print -m print --actor ann",
    ),
)
@click.argument("name", metavar="ROUTE")
@click.option("--type", "event_type", required=True, metavar="TYPE", help="A registered type of events.")
@click.option("--title", required=True, metavar="TITLE", help="Its name for people.")
@writes
@pass_context
def register(context: Context, name: str, event_type: str, title: str, change: Change) -> None:
    """Register the route ROUTE for events of a type; it is off at first."""
    emit_one(context, context.call(routes.register, route=name, event_type=event_type, title=title, **change))


@route.command(
    role=GATEKEEPER,
    epilog=examples(
        'iucore route on unit.edited -m "the receiver is ready"', "iucore route on unit.edited -m ready --actor ann"
    ),
)
@click.argument("name", metavar="ROUTE")
@writes
@pass_context
def on(context: Context, name: str, change: Change) -> None:
    """Switch the route ROUTE on."""
    emit_one(context, context.call(routes.set_route, route=name, enabled=True, **change))


@route.command(
    role=GATEKEEPER,
    epilog=examples(
        'iucore route off unit.edited -m "the receiver is down"', "iucore route off unit.edited -m down --actor ann"
    ),
)
@click.argument("name", metavar="ROUTE")
@writes
@pass_context
def off(context: Context, name: str, change: Change) -> None:
    """Switch the route ROUTE off."""
    emit_one(context, context.call(routes.set_route, route=name, enabled=False, **change))

"""``iucore axis``."""

from __future__ import annotations

import click

from iucore import axes
from iucore.cli._base import Change, Group, examples, pass_context, writes
from iucore.cli._context import Context
from iucore.cli._errors import OPERATOR
from iucore.cli._output import emit_one, emit_rows


@click.group(cls=Group, epilog=examples("iucore axis list", "iucore axis set policies/leave risk high -m assessed"))
def axis() -> None:
    """Axes: dimensions of metadata on pieces, derived on collections."""


@axis.command(
    role=OPERATOR,
    epilog=examples(
        "iucore axis register risk --title Risk --rule highest --value low --value high -m audit",
        "iucore axis register topic --title Topic --rule union -m search",
    ),
)
@click.argument("name", metavar="AXIS")
@click.option("--title", required=True, metavar="TITLE", help="Its name for people.")
@click.option(
    "--rule",
    required=True,
    type=click.Choice(["union", "intersection", "highest", "latest"]),
    help="How a collection derives its value.",
)
@click.option("--value", "values", multiple=True, metavar="VALUE", help="An allowed value, lowest first; repeatable.")
@writes
@pass_context
def register(context: Context, name: str, title: str, rule: str, values: tuple[str, ...], change: Change) -> None:
    """Register the axis AXIS; without --value every value is allowed."""
    emit_one(context, context.call(axes.register, axis=name, title=title, rule=rule, values=values or None, **change))


@axis.command("list", epilog=examples("iucore axis list", "iucore axis list --format json"))
@pass_context
def list_(context: Context) -> None:
    """List the registered axes."""
    emit_rows(context, axes.Axis, context.call(axes.list_axes))


@axis.command(
    "set",
    epilog=examples(
        "iucore axis set policies/leave risk high -m assessed",
        "iucore axis set policies/leave topic --clear -m 'no topic'",
    ),
)
@click.argument("address")
@click.argument("name", metavar="AXIS")
@click.argument("values", metavar="[VALUE]...", nargs=-1)
@click.option("--clear", is_flag=True, help="Take all values away.")
@writes
@pass_context
def set_(context: Context, address: str, name: str, values: tuple[str, ...], clear: bool, change: Change) -> None:
    """Let the values of AXIS on the piece ADDRESS be exactly these."""
    if clear == bool(values):
        raise click.UsageError("Give values, or --clear to take all away.")
    found = context.call(axes.set_values, address=address, axis=name, values=values, **change)
    emit_rows(context, axes.PieceValue, found)


@axis.command(epilog=examples("iucore axis show policies/leave", "iucore axis show handbook.md --collection"))
@click.argument("name", metavar="ADDRESS|KEY")
@click.option("--collection", is_flag=True, help="Show the derived values of a collection.")
@pass_context
def show(context: Context, name: str, collection: bool) -> None:
    """Show the values of all axes on a piece, or those of a collection as of its last refresh."""
    if collection:
        emit_rows(context, axes.CollectionValue, context.call(axes.of_collection, key=name))
    else:
        emit_rows(context, axes.PieceValue, context.call(axes.show, address=name))


@axis.command(
    epilog=examples(
        "iucore axis refresh handbook.md -m weekly", "iucore axis refresh docs/a.md -m weekly --format json"
    )
)
@click.argument("key")
@writes
@pass_context
def refresh(context: Context, key: str, change: Change) -> None:
    """Derive the axes of the collection KEY from its pieces."""
    emit_rows(context, axes.RefreshedValue, context.call(axes.refresh, key=key, **change))

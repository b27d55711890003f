"""``iucore kind``."""

from __future__ import annotations

import click

from iucore import units
from iucore.cli._base import Change, Group, examples, pass_context, writes
from iucore.cli._context import Context
from iucore.cli._errors import OPERATOR
from iucore.cli._output import emit_one, emit_rows


@click.group(
    cls=Group,
    epilog=examples(
        "iucore kind list",
        'iucore kind register recipe --title Recipe --description "How a dish is made." -m kitchen',
    ),
)
def kind() -> None:
    """Kinds of pieces."""


@kind.command("list", epilog=examples("iucore kind list", "iucore kind list --format csv"))
@pass_context
def list_(context: Context) -> None:
    """List the registered kinds."""
    emit_rows(context, units.Kind, context.call(units.list_kinds))


@kind.command(
    role=OPERATOR,
    epilog=examples(
        'iucore kind register recipe --title Recipe --description "How a dish is made." -m kitchen',
        'iucore kind register faq --title FAQ --description "A question and its answer." -m support --actor ann',
    ),
)
@click.argument("name", metavar="KIND")
@click.option("--title", required=True, metavar="TITLE", help="Its name for people.")
@click.option("--description", required=True, metavar="TEXT", help="What it is, in one line.")
@writes
@pass_context
def register(context: Context, name: str, title: str, description: str, change: Change) -> None:
    """Register the kind KIND."""
    emit_one(context, context.call(units.register_kind, kind=name, title=title, description=description, **change))

"""``iucore pilot``."""

from __future__ import annotations

import click

from iucore.cli import _errors
from iucore.cli._base import Group, examples, pass_context
from iucore.cli._context import Context
from iucore.cli._output import emit_rows


@click.group(cls=Group, epilog=examples("iucore pilot apply", "iucore pilot status"))
def pilot() -> None:
    """A small durable pilot: try the governed way for real, and take it back by governed verbs.

    One collection, two pieces through the birth gate, two memberships, one recorded render: four composer events.
    Nothing is physically deleted, so each apply takes the next number: pilot/1/..., pilot/2/...
    """


@pilot.command(role=_errors.OPERATOR, epilog=examples("iucore pilot apply", "iucore pilot apply --format json"))
@pass_context
def apply(context: Context) -> None:
    """Make the pilot, and print the counts of the database before and after. Refused while one is live."""
    from iucore.operations import pilot as operation

    made, counts = operation.apply(context.connection())
    context.committed = True
    emit_rows(context, operation.Counted, counts)
    context.say(f"live: {made.key}; next: iucore render {made.key}, iucore pilot status, iucore pilot rollback")


@pilot.command(epilog=examples("iucore pilot status", "iucore pilot status --format json"))
@click.pass_context
@pass_context
def status(context: Context, ctx: click.Context) -> None:
    """Show what is live, and whether it renders to the expected bytes. Exit code 3 when it does not."""
    from iucore.operations import pilot as operation

    found = operation.status(context.connection())
    emit_rows(context, operation.Pilot, found)
    if not found:
        context.say("no pilot is live; next: iucore pilot apply")
    elif any(one.state != "live" for one in found):
        context.say("the pilot is not as it was made; next: iucore pilot rollback")
        ctx.exit(_errors.DIFFERENT)
    else:
        context.say("the render is the expected bytes; next: iucore pilot rollback")


@pilot.command(role=_errors.OPERATOR, epilog=examples("iucore pilot rollback", "iucore pilot rollback --format json"))
@pass_context
def rollback(context: Context) -> None:
    """Dispose of the live pilot, and print the counts before and after; can be applied again afterwards.

    Members are removed, the pieces and the collection soft-deleted; each is an event. With none live nothing is done.
    """
    from iucore.operations import pilot as operation

    gone, counts = operation.rollback(context.connection())
    context.committed = True
    emit_rows(context, operation.Counted, counts)
    if gone:
        context.say(f"disposed of: {', '.join(one.key for one in gone)}; next: iucore pilot apply")
    else:
        context.say("no pilot is live: nothing was done; next: iucore pilot apply")

"""``iucore event``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from iucore import events
from iucore.cli._base import Change, Group, examples, pass_context, writes
from iucore.cli._context import Context
from iucore.cli._errors import DIFFERENT, GATEKEEPER
from iucore.cli._input import number
from iucore.cli._output import emit_one, emit_rows

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from iucore._call import Recorder


@click.group(
    cls=Group, epilog=examples("iucore event list --subject policies/leave", "iucore event types --format json")
)
def event() -> None:
    """Events: what happened, written with the change that it tells; and the registered types of events."""


@event.command(
    "list",
    epilog=examples(
        "iucore event list --subject handbook.md --format jsonl",
        "iucore event list --type unit.edited --limit 50",
        "iucore event list --change 12",
    ),
)
@click.option("--type", "event_type", metavar="TYPE", help="Only events of this type.")
@click.option("--subject", metavar="NAME", help="Only events of this address, key or name.")
@click.option("--change", "change_id", type=number, metavar="N", help="Only events of this change.")
@click.option("--after", type=click.UUID, metavar="ID", help="Only events after this one.")
@click.option("--limit", type=number, metavar="N", help="How many at most; else all.")
@pass_context
def list_(
    context: Context,
    event_type: str | None,
    subject: str | None,
    change_id: int | None,
    after: UUID | None,
    limit: int | None,
) -> None:
    """List events, oldest first."""
    found = context.pages(
        _after,
        lambda one: str(one.event_id),
        after=str(after or ""),
        limit=limit,
        event_type=event_type,
        subject=subject,
        change_id=change_id,
    )
    emit_rows(context, events.Event, found)


def _after(connection: Connection | Recorder, *, after: str, **given: Any) -> list[events.Event]:
    return events.list_events(connection, after=UUID(after) if after else None, **given)


@event.command(epilog=examples("iucore event types", "iucore event types --format json"))
@pass_context
def types(context: Context) -> None:
    """List the registered types of events, with their lanes."""
    emit_rows(context, events.EventType, context.call(events.list_types))


@event.command(
    role=GATEKEEPER,
    epilog=examples(
        "iucore event register invoice.paid --title Paid --lane delayed --delta -m bills",
        "iucore event register invoice.drawn --title Drawn --lane immediate -m bills",
    ),
)
@click.argument("name", metavar="TYPE")
@click.option("--title", required=True, metavar="TITLE", help="Its name for people.")
@click.option(
    "--lane",
    required=True,
    type=click.Choice(["delayed", "immediate"]),
    help="Keep every event, or one for each subject.",
)
@click.option("--delta", is_flag=True, help="Each event is another change of the same subject; for delayed only.")
@writes
@pass_context
def register(context: Context, name: str, title: str, lane: str, delta: bool, change: Change) -> None:
    """Register the type of events TYPE, such as invoice.paid."""
    emit_one(
        context, context.call(events.register_type, event_type=name, title=title, lane=lane, delta=delta, **change)
    )


@event.command(epilog=examples("iucore event check", "iucore event check --format json"))
@click.pass_context
@pass_context
def check(context: Context, ctx: click.Context) -> None:
    """List what is wrong in the registries of event types and routes. Exit code 3 when anything is."""
    found = context.call(events.check)
    emit_rows(context, events.RegistryFinding, found)
    if found:
        ctx.exit(DIFFERENT)

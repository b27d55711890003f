"""``iucore events``."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from iucore import events as _events
from iucore import ledger
from iucore.cli import _context
from iucore.cli._base import Change, Group, examples, pass_context, writes
from iucore.cli._context import Context
from iucore.cli._errors import DIFFERENT, GATEKEEPER, visible
from iucore.cli._input import number, parse_moment, position
from iucore.cli._output import emit_one, emit_rows, write
from iucore.errors import NotFoundError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from iucore._call import Recorder

# How long it sleeps before it looks again: at first, and at most.
_SOON, _LATER = 0.02, 1.0


@click.group(
    cls=Group,
    epilog=examples("iucore events list --subject policies/leave", "iucore events tail -f --type unit.edited"),
)
def events() -> None:
    """Events: what happened, written with the change that it tells; and the registered types of events."""


@events.command(
    "list",
    epilog=examples(
        "iucore events list --subject handbook.md --format jsonl",
        "iucore events list --type unit.edited --limit 50",
        "iucore events list --change 12",
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
    _check_type(context, event_type)
    found = context.pages(
        _after,
        lambda one: str(one.event_id),
        after=str(after or ""),
        limit=limit,
        event_type=event_type,
        subject=subject,
        change_id=change_id,
    )
    emit_rows(context, _events.Event, found)


def _check_type(context: Context, event_type: str | None) -> None:
    """Refuse a type that nobody registered: of a misspelt one there would just be no events."""
    if event_type is None or context.recorder is not None:
        return
    if not any(one.event_type == event_type for one in context.read(_events.list_types)):
        raise NotFoundError(
            "event type not registered",
            sqlstate="IU041",
            detail=f"event type: {event_type}",
            hint="List event types: iucore events types",
        )


def _after(connection: Connection | Recorder, *, after: str, **given: Any) -> list[_events.Event]:
    return _events.list_events(connection, after=UUID(after) if after else None, **given)


@events.command(
    epilog=examples(
        "iucore events show 01a22057-7760-7eb0-9869-939dcf75c39d",
        "iucore events show 01a22057-7760-7eb0-9869-939dcf75c39d --format json",
    )
)
@click.argument("event_id", metavar="ID", type=click.UUID)
@pass_context
def show(context: Context, event_id: UUID) -> None:
    """Show the event ID: its place in the ledger, its hash, and the attempts to deliver it."""
    from iucore.operations import health

    context.reads_views()
    with context.transaction(snapshot=True) as connection:
        found = health.event(connection, event_id=event_id)
    emit_one(context, found)


@events.command(
    epilog=examples(
        "iucore events tail",
        "iucore events tail -f --subject policies/ --format jsonl",
        "iucore events tail --after 1200 --type unit.edited",
    )
)
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.option("--after", type=position, metavar="POSITION", help="All after this position; else the last ten.")
@click.option("--type", "event_type", metavar="TYPE", help="Only events of this type.")
@click.option("--subject", "prefix", metavar="PREFIX", help="Only events whose subject begins so.")
@pass_context
def tail(context: Context, follow: bool, after: int | None, event_type: str | None, prefix: str | None) -> None:
    """Print events by their places in the ledger: the last ten, or all after a position.

    An event has a place once a worker or a sequencer has run. On a terminal, one line for each event.
    """
    if follow and context.shape == "json":
        raise click.UsageError("With -f there is no end to close a JSON array: use --format jsonl.")
    if context.recorder is not None:
        context.call(ledger.read, after=after or 0, event_type=event_type)
    _check_type(context, event_type)
    if after is None:
        from iucore.operations import health

        after = context.read(health.first_of_last, count=10, event_type=event_type, prefix=prefix)
    found = _logged(context, after, event_type, prefix, follow)
    if context.shape == "table":
        for event in found:
            line = f"{event.position:>8}  {event.created_at:%Y-%m-%d %H:%M:%S%z}  {event.event_type}  {event.subject}"
            write(f"{visible(f'{line}  ({event.claimed_actor or event.actor})')}\n".encode("utf-8", "backslashreplace"))
    else:
        emit_rows(context, ledger.LoggedEvent, found)


def _logged(
    context: Context, after: int, event_type: str | None, prefix: str | None, follow: bool
) -> Iterator[ledger.LoggedEvent]:
    """Events of the ledger, each look in a transaction of its own; it sleeps longer the longer nothing comes."""
    sleep = _SOON
    while True:
        page = context.read(ledger.read, after=after, event_type=event_type, limit=_context.PAGE)
        if page:
            yield from (event for event in page if event.subject.startswith(prefix or ""))
            after, sleep = page[-1].position, _SOON
        elif not follow:
            return
        else:
            sys.stdout.buffer.flush()
            time.sleep(sleep)
            sleep = min(sleep * 2, _LATER)


@events.command(
    role=GATEKEEPER,
    epilog=examples(
        "iucore events prune --before 2026-01-01 -m 'kept for a year'",
        "iucore events prune --before 2026-01-31T12:00Z -m audit --format json",
    ),
)
@click.option("--before", required=True, metavar="MOMENT", help="In the past, such as 2026-01-31 or 2026-01-31T12:00Z.")
@writes
@pass_context
def prune(context: Context, before: str, change: Change) -> None:
    """Empty the quarters of a year in which every event is older and dealt with by every route.

    It refuses while a route is to take one of them, sends it again or has it as an open dead letter. The ledger stays
    verifiable: anchors keep the hashes at the ends of what went. Keep iucore ledger anchor first.
    """
    refusal = f"--before {before}: give a moment in ISO 8601, such as 2026-01-31T12:00:00Z."
    gone = context.call(_events.prune, before=parse_moment(before, refusal), **change)
    if not gone:
        context.say("nothing pruned: no quarter of a year is that old as a whole, or none of it has events")
    emit_rows(context, _events.PrunedPart, gone)


@events.command(epilog=examples("iucore events types", "iucore events types --format json"))
@pass_context
def types(context: Context) -> None:
    """List the registered types of events, with their lanes."""
    emit_rows(context, _events.EventType, context.call(_events.list_types))


@events.command(
    role=GATEKEEPER,
    epilog=examples(
        "iucore events register invoice.paid --title Paid --lane delayed --delta -m bills",
        "iucore events register invoice.drawn --title Drawn --lane immediate -m bills",
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
        context, context.call(_events.register_type, event_type=name, title=title, lane=lane, delta=delta, **change)
    )


@events.command(epilog=examples("iucore events check", "iucore events check --format json"))
@click.pass_context
@pass_context
def check(context: Context, ctx: click.Context) -> None:
    """List what is wrong in the registries of event types and routes. Exit code 3 when anything is."""
    found = context.call(_events.check)
    emit_rows(context, _events.RegistryFinding, found)
    if found:
        ctx.exit(DIFFERENT)

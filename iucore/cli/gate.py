"""``iucore gate``."""

from __future__ import annotations

import click

from iucore import gates
from iucore.cli._base import Change, Group, examples, pass_context, writes
from iucore.cli._context import Context
from iucore.cli._errors import GATEKEEPER
from iucore.cli._output import emit_one, emit_rows


@click.group(cls=Group, epilog=examples("iucore gate list", "iucore gate close master -m audit"))
def gate() -> None:
    """Gates: switches that refuse.

    master stops all governed writes, composer those of collections, delivery the sending of events.
    """


@gate.command("list", epilog=examples("iucore gate list", "iucore gate list --format json"))
@pass_context
def list_(context: Context) -> None:
    """List the gates, and who switched each last, when and why."""
    emit_rows(context, gates.Gate, context.call(gates.list_gates))


@gate.command(
    "open",
    role=GATEKEEPER,
    epilog=examples('iucore gate open master -m "audit is done"', "iucore gate open delivery -m 'go live' --actor ann"),
)
@click.argument("name", metavar="GATE")
@writes
@pass_context
def open_(context: Context, name: str, change: Change) -> None:
    """Open the gate GATE."""
    emit_one(context, context.call(gates.set_gate, gate=name, open=True, **change))


@gate.command(
    role=GATEKEEPER,
    epilog=examples("iucore gate close master -m audit", 'iucore gate close composer -m "the handbook is in print"'),
)
@click.argument("name", metavar="GATE")
@writes
@pass_context
def close(context: Context, name: str, change: Change) -> None:
    """Close the gate GATE; it waits for the writes that are under way. Whoever is refused reads the reason."""
    emit_one(context, context.call(gates.set_gate, gate=name, open=False, **change))


@gate.command(epilog=examples("iucore gate history", "iucore gate history master --format json"))
@click.argument("name", metavar="[GATE]", required=False)
@pass_context
def history(context: Context, name: str | None) -> None:
    """List every switch of GATE, or of all gates, newest first."""
    emit_rows(context, gates.PastSwitch, context.call(gates.history, gate=name))

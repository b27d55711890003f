"""``iucore proof``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from iucore.cli import _errors
from iucore.cli._base import Command, examples, pass_context
from iucore.cli._context import Context
from iucore.cli._output import emit_rows

if TYPE_CHECKING:
    from iucore._call import Call


@click.command(
    cls=Command,
    role=_errors.OPERATOR,
    epilog=examples("iucore proof", "iucore proof --format json"),
)
@click.pass_context
@pass_context
def proof(context: Context, ctx: click.Context) -> None:
    """Prove on the live database that the governed verbs do what they say, and leave nothing behind.

    Runs in one transaction that is rolled back: create, add, reorder, remove, validate, render, axes, retire,
    soft-delete, restore, bytes in and out, events, lanes, the operator commands, closed gates. Each is ok, fail or
    skip. It takes iucore_operator and iucore_gatekeeper to run all; what needs a role that the login lacks is skipped.

    Writers of the database may wait up to two seconds for the last proof, which closes a gate and is undone.

    Exit code 1 when a proof fails or none could be run, 4 when none could be run for want of a role.
    """
    from iucore.operations import proof as operation

    found: list[operation.Proof] = []

    def each() -> Iterator[operation.Proof]:
        for one in operation.run(context.connection(), resolve=call_of):
            found.append(one)
            yield one

    emit_rows(context, operation.Proof, each())
    count = Counter(one.outcome for one in found)
    roles = sorted({role for one in found if one.role for role in one.role.split(" and ")})
    lacking = f" (the login lacks {', '.join(roles)})" if roles else ""
    context.say(f"{count['ok']} ok, {count['fail']} failed, {count['skip']} skipped{lacking}")
    if count["fail"] or count["ok"] <= 1:
        # "Nothing left" alone shows nothing.
        ctx.exit(_errors.FORBIDDEN if roles and not count["fail"] else _errors.FAILED)


def call_of(name: str, **parameters: Any) -> Call:
    """The governed call of an operator command."""
    from iucore import commands

    return commands.resolve(name, **parameters).call

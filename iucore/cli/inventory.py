"""``iucore inventory``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from iucore import inventory as _inventory
from iucore.cli import _errors
from iucore.cli._base import Group, examples, pass_context
from iucore.cli._context import Context
from iucore.cli._output import Verdict, emit_one, emit_rows, write

if TYPE_CHECKING:
    from sqlalchemy import Connection


@click.group(cls=Group, epilog=examples("iucore inventory verify", "iucore inventory show --expected"))
def inventory() -> None:
    """What a database must contain, one line per object, and what it does contain."""


@inventory.command(
    epilog=examples("iucore inventory show", "iucore inventory show --expected --revision 0002 --format json")
)
@click.option("--expected", is_flag=True, help="What there must be, instead of what there is; needs no database.")
@click.option("--revision", metavar="REVISION", help="With --expected: at this revision; else the newest.")
@pass_context
def show(context: Context, expected: bool, revision: str | None) -> None:
    """List the objects with their fingerprints."""
    if revision is not None and not expected:
        raise click.UsageError("--revision is for --expected.")
    items = _inventory.expected(revision) if expected else context.read(_inventory.actual)
    emit_rows(context, _inventory.Item, items)


@inventory.command(epilog=examples("iucore inventory verify", "iucore inventory verify --format json"))
@click.pass_context
@pass_context
def verify(context: Context, ctx: click.Context) -> None:
    """Compare the database with what its revision must contain: N/N. Exit code 3 when there are differences."""
    with context.transaction() as connection:
        same = compare(context, connection)
    if not same:
        ctx.exit(_errors.DIFFERENT)


def compare(context: Context, connection: Connection) -> bool:
    """Print N/N and the differences; whether there are none."""
    from iucore.errors import OperationError
    from iucore.operations import migrate

    revision = migrate.current_of(connection)
    if revision is None:
        raise OperationError("database has no revision", sqlstate="IU912", hint="Upgrade it first: iucore db upgrade")
    expected = _inventory.expected(revision)
    differences = _inventory.compare(expected, _inventory.actual(connection))
    matching = len(expected) - sum(one.status != "unexpected" for one in differences)
    if context.shape in ("json", "jsonl"):
        emit_one(context, Verdict(revision, matching, len(expected), differences))
    else:
        lines = [f"{matching}/{len(expected)}", *(f"{one.status}\t{one.kind}\t{one.object}" for one in differences)]
        write("".join(f"{line}\n" for line in lines).encode())
    return not differences

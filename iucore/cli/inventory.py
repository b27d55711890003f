"""``iucore inventory``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from iucore import inventory as _inventory
from iucore.cli import _errors
from iucore.cli._base import Group, examples, pass_context
from iucore.cli._context import Context
from iucore.cli._output import emit_one, emit_rows, write
from iucore.commands import CATALOGUE

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
    """Compare the database with what its revision must contain: N/N. Exit code 3 when there are differences.

    The total comes first, then N/N of each kind and of the operator commands, whose functions must take the parameters
    of the catalogue, then one line for each difference.
    """
    with context.transaction() as connection:
        same = compare(context, connection, kinds=True)
    if not same:
        ctx.exit(_errors.DIFFERENT)


@dataclass(frozen=True, slots=True)
class Kind:
    """How many objects of a kind are as they must be, and how many there must be."""

    kind: str
    matching: int
    expected: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a comparison with the inventory found. Commands are counted by themselves, not in the total."""

    revision: str
    matching: int
    expected: int
    kinds: Sequence[Kind]
    differences: Sequence[_inventory.Difference]


def compare(context: Context, connection: Connection, *, kinds: bool = False) -> bool:
    """Print N/N, of each kind too when asked, and the differences; whether there are none."""
    from iucore.errors import OperationError
    from iucore.operations import migrate

    revision = migrate.current_of(connection)
    if revision is None:
        raise OperationError("database has no revision", sqlstate="IU912", hint="Upgrade it first: iucore db upgrade")
    expected = _inventory.expected(revision)
    differences = _inventory.compare(expected, _inventory.actual(connection))
    wanted = Counter(item.kind for item in expected)
    wrong = Counter(one.kind for one in differences if one.status != "unexpected")
    counted = [Kind(kind, wanted[kind] - wrong[kind], wanted[kind]) for kind in sorted(wanted)]
    matching = wanted.total() - wrong.total()
    # The catalogue is that of this iucore: a database at an older revision lacks what is newer.
    if revision in migrate.heads():
        missing = _without_function(connection)
        counted.append(Kind("commands", len(CATALOGUE) - len(missing), len(CATALOGUE)))
        differences += [_inventory.Difference("command", name, "missing") for name in missing]
    if context.shape in ("json", "jsonl"):
        emit_one(context, Verdict(revision, matching, len(expected), counted, differences))
    else:
        lines = [f"{matching}/{len(expected)}"]
        if kinds:
            lines += [f"{one.kind}\t{one.matching}/{one.expected}" for one in counted]
        lines += [f"{one.status}\t{one.kind}\t{one.object}" for one in differences]
        write("".join(f"{line}\n" for line in lines).encode())
    return not differences


def _without_function(connection: Connection) -> list[str]:
    """The commands whose function is not there, or does not take what the command gives it."""
    there = _inventory.arguments(connection)
    return [
        command.name
        for command in CATALOGUE
        if not any(
            {*(parameter.argument for parameter in command.parameters), *(f"p_{name}" for name in command.fixed)}
            <= arguments
            for arguments in there.get(command.function, [])
        )
    ]

"""``iucore preflight``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from iucore.cli import _errors
from iucore.cli._base import Command, examples, pass_context
from iucore.cli._context import Context
from iucore.cli._errors import OWNER
from iucore.cli._input import GIVEN
from iucore.cli._output import emit_rows
from iucore.cli.db import _settings

_TIMES = {
    "max_age": "How old the backup may be; else 24h, on staging 7d.",
    "rehearsal_age": "How old the rehearsal may be; else 7d, on staging 30d.",
    "transaction_age": "How old a transaction may be; else 1min, on staging 10min.",
    "lock_age": "How old one may be that holds a lock on a governed table; else 5s.",
    "sequencer_age": "How long an event may wait for its place in the ledger; else 60s.",
}


def _limits(function: Any) -> Any:
    for name, told in reversed(_TIMES.items()):
        function = click.option(f"--{name.replace('_', '-')}", metavar="TIME", help=told)(function)
    return function


@click.command(
    cls=Command,
    role=OWNER,
    epilog=examples(
        "iucore preflight",
        "iucore preflight --target staging --format json",
        "iucore preflight --base 0022 --expect-open master,composer,delivery --expect-on audit.all",
    ),
)
@click.option(
    "--target",
    type=click.Choice(["production", "staging"]),
    default="production",
    show_default=True,
    help="Which limits hold.",
)
@click.option("--backups", metavar="DIR", type=GIVEN, help="Where backups are; else IUCORE_BACKUPS.")
@click.option("--base", metavar="REVISION", help="The revision that there must be; else any that is known.")
@click.option(
    "--expect-open", metavar="GATES", help="The gates that are open; else IUCORE_EXPECT_OPEN, master,composer."
)
@click.option("--expect-on", metavar="ROUTES", help="The routes that are on; else IUCORE_EXPECT_ON, none.")
@click.option("--free-bytes", metavar="N", type=click.IntRange(0), help="Free on the server's disk; else as seen.")
@click.option("--connections", metavar="N", type=click.IntRange(0), help="How many must be free; else 5, on staging 2.")
@_limits
@click.pass_context
@pass_context
def preflight(
    context: Context,
    ctx: click.Context,
    target: str,
    backups: str | None,
    base: str | None,
    expect_open: str | None,
    expect_on: str | None,
    free_bytes: int | None,
    connections: int | None,
    max_age: str | None,
    rehearsal_age: str | None,
    transaction_age: str | None,
    lock_age: str | None,
    sequencer_age: str | None,
) -> None:
    """Look at 14 things that must be green before a production apply; nothing is written. Exit code 3 when one is red.

    Each check says what it looked at, what it found, and what to type next where it is red; one that cannot be made is
    red. What was seen is written down as evidence, which iucore db apply --preflight FILE holds the database against.
    """
    from iucore.operations import backup, evidence
    from iucore.operations import preflight as operation

    ages: dict[str, Any] = _settings(
        max_age=max_age,
        rehearsal_age=rehearsal_age,
        transaction_age=transaction_age,
        lock_age=lock_age,
        sequencer_age=sequencer_age,
    )
    if "max_age" in ages:
        ages["backup_age"] = ages.pop("max_age")
    limits = replace(operation.LIMITS[target], **ages)
    if connections is not None:
        limits = replace(limits, connections=connections)
    with context.transaction(snapshot=True) as connection:
        connection.exec_driver_sql("set transaction read only")
        seen = operation.preflight(
            connection,
            target=target,
            backups=backup.default_folder() if backups is None else Path(backups),
            limits=limits,
            base=base,
            expected=operation.Expected.of(expect_open, expect_on),
            free_bytes=free_bytes,
        )
    emit_rows(context, operation.Check, seen.checks)
    red = [str(check.number) for check in seen.checks if not check.green]
    context.say(f"evidence: {evidence.write('preflight', seen.identity, seen.body())}")
    if red:
        context.say(f"red: {', '.join(red)}; next: what each of them says")
        ctx.exit(_errors.DIFFERENT)
    context.say("all green; next: iucore db plan, then iucore db apply")

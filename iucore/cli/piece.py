"""``iucore piece``."""

from __future__ import annotations

import sys
from operator import attrgetter

import click

from iucore import units
from iucore.cli._base import Change, Function, Group, examples, pass_context, writes
from iucore.cli._context import Context
from iucore.cli._diff import shown, unified
from iucore.cli._errors import OPERATOR
from iucore.cli._input import body_of, body_options, confirm, number, parse_attributes, yes_option
from iucore.cli._output import emit_one, emit_rows, write


@click.group(cls=Group, epilog=examples("iucore piece list --prefix policies/", "iucore piece show policies/leave"))
def piece() -> None:
    """Pieces of governed text: birth, versions, history."""


@piece.command(
    epilog=examples(
        'iucore piece create policies/leave --kind policy --title Leave --body "Ask first." -m "first text"',
        'iucore piece create policies/pay --title Pay --file pay.md --attributes \'{"owner": "hr"}\' -m import',
    )
)
@click.argument("address")
@click.option("--kind", default="text", show_default=True, metavar="KIND", help="A registered kind.")
@click.option("--title", required=True, metavar="TITLE", help="1 to 300 characters in one line.")
@body_options
@click.option("--attributes", metavar="JSON", help="A JSON object.")
@writes
@pass_context
def create(
    context: Context,
    address: str,
    kind: str,
    title: str,
    body: str | None,
    file: str | None,
    attributes: str | None,
    change: Change,
) -> None:
    """Give birth to the piece ADDRESS; its text comes from --body or --file."""
    text = body_of(body, file)
    if text is None:
        raise click.UsageError("Give the text with --body or --file (- for stdin).")
    emit_one(
        context,
        context.call(
            units.create,
            address=address,
            kind=kind,
            title=title,
            body=text,
            attributes=parse_attributes(attributes),
            **change,
        ),
    )


def _expected_option(function: Function) -> Function:
    return click.option(
        "--expected-version",
        type=number,
        metavar="N",
        help="The version that you saw; without it, a change that someone made just before is overwritten.",
    )(function)


def _expected(context: Context, address: str, given: int | None, change: Change) -> int:
    """The version that the caller saw, else the head."""
    if given is not None:
        return given
    if change["request_key"] is not None:
        raise click.UsageError("--request-key needs --expected-version: when you retry, the head is another version.")
    return context.read(units.show, address=address).version


@piece.command(
    epilog=examples(
        "iucore piece edit policies/leave --file leave.md -m shorter",
        "iucore piece edit policies/leave --title Holidays --expected-version 2 -m renamed",
    )
)
@click.argument("address")
@body_options
@click.option("--title", metavar="TITLE", help="A new title.")
@click.option("--attributes", metavar="JSON", help="New attributes, a JSON object.")
@_expected_option
@writes
@pass_context
def edit(
    context: Context,
    address: str,
    body: str | None,
    file: str | None,
    title: str | None,
    attributes: str | None,
    expected_version: int | None,
    change: Change,
) -> None:
    """Write a new version of the piece ADDRESS; what is not given stays as it was."""
    text = body_of(body, file)
    if text is None and title is None and attributes is None:
        raise click.UsageError("Give at least one of --body, --file, --title and --attributes.")
    given = parse_attributes(attributes)
    emit_one(
        context,
        context.call(
            units.edit,
            address=address,
            expected_version=_expected(context, address, expected_version, change),
            body=text,
            title=title,
            attributes=given,
            **change,
        ),
    )


@piece.command(
    epilog=examples(
        'iucore piece clone policies/leave policies/leave-de -m "to translate"',
        "iucore piece clone policies/leave archive/leave --version 1 --title 'Leave (2025)' -m archive",
    )
)
@click.argument("source")
@click.argument("address")
@click.option("--version", type=number, metavar="N", help="Of the source; else its head.")
@click.option("--title", metavar="TITLE", help="Of the new piece; else the source's.")
@writes
@pass_context
def clone(context: Context, source: str, address: str, version: int | None, title: str | None, change: Change) -> None:
    """Make the piece ADDRESS with the content of SOURCE."""
    emit_one(context, context.call(units.clone, source=source, address=address, version=version, title=title, **change))


@piece.command(
    epilog=examples("iucore piece show policies/leave", "iucore piece show policies/leave --version 1 --body")
)
@click.argument("address")
@click.option("--version", type=number, metavar="N", help="Which version; else the head.")
@click.option("--body", is_flag=True, help="Print the bytes of the body and nothing else.")
@pass_context
def show(context: Context, address: str, version: int | None, body: bool) -> None:
    """Show one version of the piece ADDRESS."""
    found = context.call(units.show, address=address, version=version)
    if body:
        write(found.body.encode())
    else:
        emit_one(context, found)


@piece.command(
    epilog=examples("iucore piece history policies/leave", "iucore piece history policies/leave --format jsonl")
)
@click.argument("address")
@pass_context
def history(context: Context, address: str) -> None:
    """List the versions of the piece ADDRESS, newest first."""
    emit_rows(context, units.PastVersion, context.call(units.history, address=address))


@piece.command(epilog=examples("iucore piece diff policies/leave", "iucore piece diff policies/leave --from 1 --to 3"))
@click.argument("address")
@click.option("--from", "from_version", type=number, metavar="N", help="The older version; else the one before.")
@click.option("--to", "to_version", type=number, metavar="N", help="The newer version; else the head.")
@pass_context
def diff(context: Context, address: str, from_version: int | None, to_version: int | None) -> None:
    """Show what changed between two versions of the piece ADDRESS, as a unified diff."""
    both = context.call(units.diff_input, address=address, from_version=from_version, to_version=to_version)
    if context.shape in ("json", "jsonl"):
        emit_one(context, both)
        return
    if both.from_version != both.to_version:
        old = f"{both.address} version {both.from_version}: {both.from_title}"
        new = f"{both.address} version {both.to_version}: {both.to_title}"
        # Also where the text is the same: then the title or something else of the piece changed.
        lines = unified(old, new, both.from_body, both.to_body) or [f"--- {old}\n", f"+++ {new}\n"]
        write(shown(lines, sys.stdout).encode())


@piece.command(
    "where-used",
    epilog=examples("iucore piece where-used policies/leave", "iucore piece where-used policies/leave --format json"),
)
@click.argument("address")
@pass_context
def where_used(context: Context, address: str) -> None:
    """List the collections in which the piece ADDRESS stands."""
    emit_rows(context, units.Standing, context.call(units.where_used, address=address))


@piece.command(
    "list",
    epilog=examples(
        "iucore piece list --prefix policies/ --kind policy", "iucore piece list --after policies/leave --limit 50"
    ),
)
@click.option("--prefix", default="", metavar="TEXT", help="Only addresses that begin so.")
@click.option("--kind", metavar="KIND", help="Only pieces of this kind.")
@click.option("--after", default="", metavar="ADDRESS", help="Only addresses after this one.")
@click.option("--limit", type=number, metavar="N", help="How many at most; else all.")
@pass_context
def list_(context: Context, prefix: str, kind: str | None, after: str, limit: int | None) -> None:
    """List pieces by address."""
    found = context.pages(units.list_pieces, attrgetter("address"), prefix=prefix, kind=kind, after=after, limit=limit)
    emit_rows(context, units.ListedPiece, found)


@piece.command(
    role=OPERATOR,
    epilog=examples(
        'iucore piece lifecycle policies/leave retired -m "no longer in force"',
        'iucore piece lifecycle policies/leave active --expected-version 3 -m "in force again"',
    ),
)
@click.argument("address")
@click.argument("lifecycle", type=click.Choice(["draft", "active", "retired"]))
@_expected_option
@writes
@pass_context
def lifecycle(context: Context, address: str, lifecycle: str, expected_version: int | None, change: Change) -> None:
    """Set the lifecycle of the piece ADDRESS, as a new version."""
    expected = _expected(context, address, expected_version, change)
    emit_one(
        context,
        context.call(units.set_lifecycle, address=address, expected_version=expected, lifecycle=lifecycle, **change),
    )


@piece.command(
    role=OPERATOR,
    epilog=examples(
        'iucore piece retire policies/leave -m "no longer in force"',
        'iucore piece retire policies/leave --refuse-if-used --yes -m "no longer in force"',
    ),
)
@click.argument("address")
@click.option("--refuse-if-used", is_flag=True, help="Refuse while the piece stands in a collection.")
@click.option("--expected-version", type=number, metavar="N", help="Refuse when the head is another version.")
@yes_option
@writes
@pass_context
def retire(
    context: Context, address: str, refuse_if_used: bool, expected_version: int | None, yes: bool, change: Change
) -> None:
    """Retire the piece ADDRESS: no new use; it stays where it stands, and validate flags it there.

    On a terminal it shows where the piece stands and asks for its address.
    """
    confirm(context, address, yes)
    done = context.call(
        units.retire, address=address, refuse_if_used=refuse_if_used, expected_version=expected_version, **change
    )
    emit_one(context, done)


@piece.command(
    role=OPERATOR,
    epilog=examples(
        'iucore piece delete policies/leave -m "made by mistake"',
        'iucore piece delete policies/leave --yes -m "made by mistake"',
    ),
)
@click.argument("address")
@yes_option
@writes
@pass_context
def delete(context: Context, address: str, yes: bool, change: Change) -> None:
    """Take the piece ADDRESS out of every render and list of members; piece restore brings it back.

    Nothing is removed: versions, memberships and history stay. On a terminal it shows where the piece stands and asks
    for its address.
    """
    confirm(context, address, yes)
    emit_one(context, context.call(units.soft_delete, address=address, **change))


@piece.command(
    role=OPERATOR,
    epilog=examples(
        'iucore piece restore policies/leave -m "it was none"',
        'iucore piece restore policies/leave -m "it was none" --actor ann --format json',
    ),
)
@click.argument("address")
@writes
@pass_context
def restore(context: Context, address: str, change: Change) -> None:
    """Bring the deleted piece ADDRESS back, with each membership at its old place."""
    emit_one(context, context.call(units.restore, address=address, **change))

"""``iucore collection``."""

from __future__ import annotations

from operator import attrgetter

import click

from iucore import collections
from iucore.cli import _errors
from iucore.cli._base import Change, Group, examples, pass_context, records, writes
from iucore.cli._context import Context
from iucore.cli._input import (
    GIVEN,
    as_of,
    as_of_option,
    confirm,
    number,
    parse_json,
    place_of,
    place_options,
    read_text,
    transitions_of,
    yes_option,
)
from iucore.cli._output import emit_one, emit_rows
from iucore.errors import NotFoundError


@click.group(
    cls=Group, epilog=examples("iucore collection list", "iucore collection show policies/handbook.md --summary")
)
def collection() -> None:
    """Collections: files and workflows, ordered compositions of pieces.

    A MEMBER is named by its address or key when it stands there once, and always by @ and its number.
    """


@collection.command(
    epilog=examples(
        "iucore collection create handbook.md --title Handbook --piece policies/leave --piece policies/pay -m new",
        "iucore collection create onboarding --kind workflow --title Onboarding --members steps.json -m new",
    )
)
@click.argument("key")
@click.option("--kind", type=click.Choice(["file", "workflow"]), default="file", show_default=True, help="Its kind.")
@click.option("--title", required=True, metavar="TITLE", help="1 to 300 characters in one line.")
@click.option("--piece", "pieces", multiple=True, metavar="ADDRESS", help="A member; may be repeated, in order.")
@click.option(
    "--members",
    "file",
    metavar="PATH",
    type=GIVEN,
    help='A JSON array of {"piece"|"collection", "version"?, "label"?, "transitions"?}; - for stdin.',
)
@writes
@pass_context
def create(
    context: Context, key: str, kind: str, title: str, pieces: tuple[str, ...], file: str | None, change: Change
) -> None:
    """Make the collection KEY with its members."""
    if file is not None and pieces:
        raise click.UsageError("Give either --piece or --members, not both.")
    members = [collections.NewMember(piece=address) for address in pieces]
    if file is not None:
        members = parse_json(read_text(file), "--members", "IU019", '[{"piece": "policies/leave"}]')
    emit_one(context, context.call(collections.create, key=key, kind=kind, title=title, members=members, **change))


@collection.command(
    epilog=examples(
        "iucore collection add handbook.md policies/pay --after policies/leave -m more",
        "iucore collection add check steps/ask --label ask --on yes=next --on no=end -m branch",
    )
)
@click.argument("key")
@click.argument("member")
@place_options
@click.option("--nested", is_flag=True, help="MEMBER is the key of a collection.")
@click.option("--version", type=number, metavar="N", help="Pin this version of the piece; else it follows the head.")
@click.option("--label", metavar="LABEL", help="Of a workflow's step.")
@click.option("--on", multiple=True, metavar="OUTCOME=GOAL", help="Where a step leads; may be repeated.")
@writes
@pass_context
def add(
    context: Context,
    key: str,
    member: str,
    first: bool,
    last: bool,
    before: str | None,
    after: str | None,
    nested: bool,
    version: int | None,
    label: str | None,
    on: tuple[str, ...],
    change: Change,
) -> None:
    """Put the piece MEMBER into the collection KEY; at the end unless a place is given."""
    at, anchor = place_of(first, last, before, after, default="last")
    if nested and version is not None:
        raise click.UsageError("A nested collection has no version.")
    try:
        done = context.call(
            collections.add,
            key=key,
            member=member,
            at=at,
            anchor=anchor,
            member_kind="collection" if nested else "piece",
            version=version,
            label=label,
            transitions=transitions_of(on),
            **change,
        )
    except NotFoundError as error:
        if error.sqlstate == "IU001":
            error.hint = f"{error.hint} To add a collection use --nested.".lstrip()
        raise
    emit_one(context, done)


@collection.command(
    epilog=examples(
        "iucore collection remove handbook.md policies/pay -m obsolete",
        "iucore collection remove handbook.md @12 -m twice",
    )
)
@click.argument("key")
@click.argument("member")
@writes
@pass_context
def remove(context: Context, key: str, member: str, change: Change) -> None:
    """Take MEMBER out of the collection KEY."""
    emit_one(context, context.call(collections.remove, key=key, member=member, **change))


@collection.command(
    epilog=examples(
        "iucore collection move handbook.md policies/pay --first -m order",
        "iucore collection move handbook.md @12 --before policies/leave -m order",
    )
)
@click.argument("key")
@click.argument("member")
@place_options
@writes
@pass_context
def move(
    context: Context,
    key: str,
    member: str,
    first: bool,
    last: bool,
    before: str | None,
    after: str | None,
    change: Change,
) -> None:
    """Move MEMBER to another place of the collection KEY."""
    at, anchor = place_of(first, last, before, after, default=None)
    emit_one(context, context.call(collections.reorder, key=key, member=member, at=at, anchor=anchor, **change))


@collection.command(
    epilog=examples(
        'iucore collection pin handbook.md policies/pay -m "as signed"',
        'iucore collection pin handbook.md policies/pay --version 2 -m "as signed"',
    )
)
@click.argument("key")
@click.argument("member")
@click.option(
    "--version", type=number, metavar="N", help="Which version; else the head as it is now, which then stays."
)
@writes
@pass_context
def pin(context: Context, key: str, member: str, version: int | None, change: Change) -> None:
    """Let MEMBER of the collection KEY show one version, whatever its head becomes."""
    emit_one(context, context.call(collections.pin, key=key, member=member, version=version, **change))


@collection.command(
    epilog=examples(
        'iucore collection unpin handbook.md policies/pay -m "follow again"',
        "iucore collection unpin handbook.md @12 -m current",
    )
)
@click.argument("key")
@click.argument("member")
@writes
@pass_context
def unpin(context: Context, key: str, member: str, change: Change) -> None:
    """Let MEMBER of the collection KEY show the head of its piece again."""
    emit_one(context, context.call(collections.unpin, key=key, member=member, **change))


@collection.command(
    epilog=examples(
        "iucore collection replace handbook.md policies/pay policies/pay-2026 -m 'new year'",
        "iucore collection replace handbook.md @12 policies/pay --version 1 -m back",
    )
)
@click.argument("key")
@click.argument("member")
@click.argument("piece")
@click.option("--version", type=number, metavar="N", help="Pin this version of the new piece.")
@writes
@pass_context
def replace(context: Context, key: str, member: str, piece: str, version: int | None, change: Change) -> None:
    """Put PIECE at the place of MEMBER in the collection KEY."""
    emit_one(context, context.call(collections.replace, key=key, member=member, piece=piece, version=version, **change))


@collection.command(
    epilog=examples(
        "iucore collection step check steps/ask --label ask --on yes=next --on no=end -m branch",
        'iucore collection step check steps/ask -m "straight on"',
    )
)
@click.argument("key")
@click.argument("member")
@click.option("--label", metavar="LABEL", help="The name of the step; not given: it has none.")
@click.option("--on", multiple=True, metavar="OUTCOME=GOAL", help="Where it leads; not given: to the next step.")
@writes
@pass_context
def step(context: Context, key: str, member: str, label: str | None, on: tuple[str, ...], change: Change) -> None:
    """Name the step MEMBER of the workflow KEY, and say where it leads."""
    emit_one(
        context,
        context.call(
            collections.set_step, key=key, member=member, label=label, transitions=transitions_of(on), **change
        ),
    )


@collection.command(
    epilog=examples(
        "iucore collection show handbook.md", "iucore collection show handbook.md --as-of 2026-01-31T12:00Z"
    )
)
@click.argument("key")
@click.option("--summary", is_flag=True, help="Show the collection and its size instead of its members.")
@as_of_option
@pass_context
def show(context: Context, key: str, summary: bool, as_of: str | None) -> None:
    """List the members of the collection KEY in order."""
    if summary and as_of is not None:
        raise click.UsageError("--summary shows the present only; leave out --as-of.")
    if summary:
        emit_one(context, context.call(collections.show, key=key))
        return
    change, moment = _as_of(context, as_of)
    found = context.call(collections.members, key=key, as_of_change=change, as_of=moment)
    emit_rows(context, collections.Member, found)


_as_of = as_of


@collection.command(
    "list", epilog=examples("iucore collection list --prefix docs/", "iucore collection list --after docs/a.md")
)
@click.option("--prefix", default="", metavar="TEXT", help="Only keys that begin so.")
@click.option("--after", default="", metavar="KEY", help="Only keys after this one.")
@click.option("--limit", type=number, metavar="N", help="How many at most; else all.")
@pass_context
def list_(context: Context, prefix: str, after: str, limit: int | None) -> None:
    """List collections by key."""
    found = context.pages(collections.list_collections, attrgetter("key"), prefix=prefix, after=after, limit=limit)
    emit_rows(context, collections.ListedCollection, found)


@collection.command(
    role=_errors.READER,
    epilog=examples(
        "iucore collection validate handbook.md",
        "iucore collection validate check --format json",
        'iucore collection validate handbook.md --record -m "before the release"',
    ),
)
@click.argument("key")
@records
@click.pass_context
@pass_context
def validate(context: Context, ctx: click.Context, key: str, change: Change | None) -> None:
    """List what is wrong in the collection KEY. Exit code 3 when there are errors."""
    if change is None:
        found = context.call(collections.validate, key=key)
    else:
        context.needs(_errors.AUTHOR)
        found = context.call(collections.record_validation, key=key, **change)
    emit_rows(context, collections.Finding, found)
    errors = sum(finding.severity == "error" for finding in found)
    context.say(f"{errors} errors, {len(found) - errors} warnings")
    if errors:
        ctx.exit(_errors.DIFFERENT)


@collection.command(
    epilog=examples("iucore collection history handbook.md", "iucore collection history handbook.md --format json")
)
@click.argument("key")
@pass_context
def history(context: Context, key: str) -> None:
    """List the changes of the composition KEY, newest first."""
    emit_rows(context, collections.CompositionChange, context.call(collections.history, key=key))


@collection.command(
    epilog=examples(
        "iucore collection rebalance handbook.md -m housekeeping",
        "iucore collection rebalance docs/a.md -m housekeeping --actor ann",
    )
)
@click.argument("key")
@writes
@pass_context
def rebalance(context: Context, key: str, change: Change) -> None:
    """Give the members of the collection KEY new, short ranks; the order stays."""
    emit_one(context, context.call(collections.rebalance, key=key, **change))


@collection.command(
    "where-used",
    epilog=examples("iucore collection where-used chapter-1", "iucore collection where-used chapter-1 --format json"),
)
@click.argument("key")
@pass_context
def where_used(context: Context, key: str) -> None:
    """List the collections in which the collection KEY stands."""
    emit_rows(context, collections.Standing, context.call(collections.where_used, key=key))


@collection.command(
    role=_errors.OPERATOR,
    epilog=examples(
        'iucore collection delete handbook.md -m "made by mistake"',
        'iucore collection delete handbook.md --yes -m "made by mistake"',
    ),
)
@click.argument("key")
@yes_option
@writes
@pass_context
def delete(context: Context, key: str, yes: bool, change: Change) -> None:
    """Take the collection KEY away; its pieces stay, and collection restore brings it back.

    On a terminal it shows where the collection stands and asks for its key.
    """
    confirm(context, key, yes, collection=True)
    emit_one(context, context.call(collections.soft_delete, key=key, **change))


@collection.command(
    role=_errors.OPERATOR,
    epilog=examples(
        'iucore collection restore handbook.md -m "it was none"',
        'iucore collection restore handbook.md -m "it was none" --actor ann --format json',
    ),
)
@click.argument("key")
@writes
@pass_context
def restore(context: Context, key: str, change: Change) -> None:
    """Bring the deleted collection KEY back, with its members."""
    emit_one(context, context.call(collections.restore, key=key, **change))

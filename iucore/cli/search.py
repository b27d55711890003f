"""``iucore search``."""

from __future__ import annotations

import sys
from dataclasses import replace

import click

from iucore import units
from iucore.cli._base import Command, examples, pass_context
from iucore.cli._context import Context, coloured
from iucore.cli._input import number
from iucore.cli._output import Marked, emit_rows

_DROPPED = str.maketrans(dict.fromkeys(units.SNIPPET_MARKS))


@click.command(
    cls=Command,
    epilog=examples(
        'iucore search "annual leave"',
        "iucore search '\"ask first\" or notice -draft' --prefix policies/ --limit 5",
        "iucore search holiday --in handbook --all-versions --format json",
        "iucore search holliday --similar",
    ),
)
@click.argument("text")
@click.option("--prefix", default="", metavar="TEXT", help="Only addresses that begin so.")
@click.option("--in", "collection", metavar="KEY", help="Only pieces that stand in this collection now, nested or not.")
@click.option("--limit", type=number, default=20, show_default=True, metavar="N", help="How many at most.")
@click.option("--all-versions", is_flag=True, help="Older versions too; else the newest of each piece only.")
@click.option("--similar", is_flag=True, help="What is similar, at once; needs the extension pg_trgm.")
@pass_context
def search(
    context: Context, text: str, prefix: str, collection: str | None, limit: int, all_versions: bool, similar: bool
) -> None:
    """Search for pieces by what they say: words of title, address and body, the best first.

    All words of TEXT must be there; "a phrase" in quotes, or, and -not are understood. Where no words are found TEXT is
    looked for as a substring, and then, where the database has pg_trgm, what is similar; found_by says which. Retired
    pieces are found too, deleted ones are not.
    """
    found = context.call(
        units.search,
        text=text,
        prefix=prefix,
        collection=collection,
        limit=limit,
        all_versions=all_versions,
        similar=similar,
    )
    bold = context.shape == "table" and coloured(sys.stdout)
    emit_rows(
        context,
        units.SearchedPiece,
        [replace(one, snippet=Marked(one.snippet) if bold else one.snippet.translate(_DROPPED)) for one in found],
    )

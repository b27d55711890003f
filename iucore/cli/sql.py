"""``iucore sql``."""

from __future__ import annotations

import click

from iucore.cli._base import Command, examples, pass_context
from iucore.cli._context import Context
from iucore.cli._output import write

_GOVERNED = ("cut", "piece", "search", "kind", "collection", "axis", "render", "apply", "gate", "events", "route")


@click.command(
    cls=Command,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog=examples(
        "iucore sql piece create policies/leave --title Leave --body Ask. -m new",
        "iucore sql cut docs --prefix handbook -m import",
    ),
)
@click.argument("command", metavar="COMMAND...", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_context
@pass_context
def sql(context: Context, ctx: click.Context, command: tuple[str, ...]) -> None:
    """Print the governed SQL of COMMAND instead of running it.

    No database is needed, unless the command must look first (piece edit without --expected-version, cut --reuse, apply
    of a folder).
    """
    from iucore import _call

    if command[0] not in _GOVERNED:
        raise click.UsageError(f"{command[0]} has no governed SQL; those that have are: {', '.join(_GOVERNED)}.")
    root = ctx.find_root()
    name, found, arguments = root.command.resolve_command(root, list(command))  # type: ignore[attr-defined]
    recorder = context.recorder = _call.Recorder()
    try:
        with found.make_context(name, arguments, parent=root) as inner:
            found.invoke(inner)
    except _call.Recorded:
        pass
    lines = [call.script() for call in recorder.calls]
    if len(lines) > 1:
        lines = ["begin;", *lines, "commit;"]
    write("".join(f"{line}\n" for line in lines).encode())

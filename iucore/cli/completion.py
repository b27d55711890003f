"""``iucore completion``."""

from __future__ import annotations

import click

from iucore.cli._base import Command, examples
from iucore.cli._output import write


@click.command(
    cls=Command,
    epilog=examples("iucore completion bash", "iucore completion zsh"),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of SHELL.

    \b
    bash: iucore completion bash > ~/.local/share/bash-completion/completions/iucore
    zsh:  iucore completion zsh > a folder of $fpath, as _iucore
    fish: iucore completion fish > ~/.config/fish/completions/iucore.fish
    It is click's own: the same as _IUCORE_COMPLETE=bash_source iucore.
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"click knows no completion for {shell}.")
    write(found(ctx.find_root().command, {}, "iucore", "_IUCORE_COMPLETE").source().encode())

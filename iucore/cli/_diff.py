"""Two texts as a unified diff, for a pipe or for a terminal."""

from __future__ import annotations

from typing import TextIO

from iucore.cli._context import coloured
from iucore.cli._errors import visible


def unified(old_name: str, new_name: str, old: str, new: str) -> list[str]:
    """The lines of the diff with their ends; none where the texts are the same. A lone ``\\r`` ends a line too."""
    from difflib import unified_diff

    from iucore.textcode.cut import split_lines

    found = unified_diff(split_lines(old), split_lines(new), old_name, new_name)
    return [line if line.endswith(("\n", "\r")) else f"{line}\n\\ No newline at end of file\n" for line in found]


def shown(lines: list[str], stream: TextIO) -> str:
    """The lines for a stream: on a terminal what does not show is written as escapes, and there are colours."""
    if stream.isatty():
        lines = [visible(line, keep="\t\n") for line in lines]
    if coloured(stream):
        lines = [_colour(line) for line in lines]
    return "".join(lines)


def _colour(line: str) -> str:
    code = {"+": "32", "-": "31", "@": "36"}.get(line[0])
    text = line.rstrip("\r\n")
    return line if code is None else f"\x1b[{code}m{text}\x1b[0m{line[len(text) :]}"

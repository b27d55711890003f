"""Two texts as a unified diff, for a pipe or for a terminal, and as a diff of words, for a reader."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
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


# ---------------------------------------------------------------------------------------------------- a diff of words

_CONTEXT = 3
_TOKEN = re.compile(r"\r\n|\r|\n|\w+|[^\S\r\n]+|.", re.DOTALL)
_NO_END = ""  # the token that ends a text whose last line has no end
_ENDS = ("\r\n", "\r", "\n", _NO_END)
_NO_END_SAID = "\\ No newline at end of file"


def words(old: str, new: str, stream: TextIO) -> str:
    """The changed words in their lines, as ``git diff --word-diff`` shows them; nothing where the texts are the same.

    What went is [-red-], what came is {+green+}; where there are colours, without the brackets. What does not show is
    written as escapes, on a pipe too. A line end in the brackets is an escape; a line that went or came as a whole
    stands in a line of its own.
    """
    from iucore.textcode.cut import split_lines
    from iucore.textcode.merge import changes

    lines, other = split_lines(old), split_lines(new)
    page = _Page(coloured(stream))
    hunk: list[tuple[int, int, int, int]] = []
    for change in changes(lines, other):
        if hunk and change[0] - hunk[-1][1] > 2 * _CONTEXT:
            _put_hunk(page, lines, other, hunk)
            hunk = []
        hunk.append(change)
    if hunk:
        _put_hunk(page, lines, other, hunk)
    return "".join(page.lines)


@dataclass(slots=True)
class _Edit:
    """Tokens that both texts have, and what went and what came behind them."""

    kept: list[str]
    removed: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)

    @property
    def in_front(self) -> bool:
        """Whether what went and came stands at the beginning of a line."""
        return not self.kept or self.kept[-1] in _ENDS

    @property
    def one_sided(self) -> bool:
        return bool(self.removed) != bool(self.added)


@dataclass(slots=True)
class _Page:
    """Lines as they are shown; ``line`` is the one that is being written."""

    colours: bool
    lines: list[str] = field(default_factory=list)
    line: str = ""
    said: str = ""  # what stands below the line that is being written

    def heading(self, text: str) -> None:
        self.lines.append(f"\x1b[36m{text}\x1b[0m\n" if self.colours else f"{text}\n")

    def keep(self, tokens: Sequence[str]) -> None:
        for text, end in _by_line(tokens):
            self.line += visible(text, keep="\t\xa0") + ("\\r" if end and "\r" in end else "")
            if end is not None:
                self.end_line(_NO_END_SAID if end == _NO_END else "")

    def remove(self, tokens: Sequence[str]) -> None:
        rest = ""
        for text, end in _by_line(tokens):
            if self.line or end is None:
                rest += text + (end or "")
                self.said = self._marked(_NO_END_SAID, "-") if end == _NO_END else ""
            else:
                self.whole_line(text, end, "-")
        self.line += self._marked(rest, "-")

    def add(self, tokens: Sequence[str]) -> None:
        for text, end in _by_line(tokens):
            if end is not None and not self.line:
                self.whole_line(text, end, "+")
                continue
            self.line += self._marked(text + (end or ""), "+")
            if end is not None:
                self.end_line(self._marked(_NO_END_SAID, "+") if end == _NO_END else "")

    def whole_line(self, text: str, end: str, sign: str) -> None:
        self.line = self._marked(text + end.rstrip("\n") if text else end, sign)
        self.end_line(self._marked(_NO_END_SAID, sign) if end == _NO_END else "")

    def end_line(self, said: str = "") -> None:
        self.lines.append(f"{self.line}\n")
        self.lines += [f"{text}\n" for text in (self.said, said) if text]
        self.line = self.said = ""

    def _marked(self, text: str, sign: str) -> str:
        text = visible(text, keep="\t")
        if not text:
            return ""
        if self.colours:
            return f"\x1b[{31 if sign == '-' else 32}m{text}\x1b[0m"
        return f"[-{text}-]" if sign == "-" else f"{{+{text}+}}"


def _put_hunk(page: _Page, lines: list[str], other: list[str], hunk: list[tuple[int, int, int, int]]) -> None:
    (first, _, start, _), (_, last, _, stop) = hunk[0], hunk[-1]
    before, behind = min(_CONTEXT, first), min(_CONTEXT, len(lines) - last)
    was, now = _span(first - before, last + behind), _span(start - before, stop + behind)
    page.heading(f"@@ -{was} +{now} @@")
    position = first - before
    for a, b, c, d in [*hunk, (last + behind, last + behind, stop, stop)]:
        page.keep(_tokens(lines[position:a]))
        for edit in _edits(_tokens(lines[a:b]), _tokens(other[c:d])):
            page.keep(edit.kept)
            page.remove(edit.removed)
            page.add(edit.added)
        position = b
    if page.line:
        page.end_line()


def _span(start: int, stop: int) -> str:
    """Lines from 0 as a heading gives them; no lines stand behind the line that is named."""
    length = stop - start
    return f"{start + 1}" if length == 1 else f"{start + 1 if length else start},{length}"


def _tokens(lines: Sequence[str]) -> list[str]:
    """Words, runs of blanks, line ends and single other characters, with the marks that combine with them."""
    tokens: list[str] = []
    for line in lines:
        for token in _TOKEN.findall(line):
            if not token.isascii() and tokens and tokens[-1] not in _ENDS and unicodedata.category(token[0])[0] == "M":
                tokens[-1] += token
            else:
                tokens.append(token)
    if tokens and tokens[-1] not in _ENDS:
        tokens.append(_NO_END)
    return tokens


def _edits(old: list[str], new: list[str]) -> list[_Edit]:
    """The changes of tokens, arranged so that they read well and mean one thing."""
    from iucore.textcode.merge import changes

    edits: list[_Edit] = []
    position = 0
    for a, b, c, d in changes(old, new):
        edit = _Edit(old[position:a], old[a:b], new[c:d])
        position = b
        before = edits[-1] if edits else None
        if before and _all_blank(edit.kept) and before.removed and before.added and edit.removed and edit.added:
            before.removed += edit.kept + edit.removed
            before.added += edit.kept + edit.added
        else:
            edits.append(edit)
    edits.append(_Edit(old[position:]))
    return list(_by_whole_lines(edits))


def _all_blank(tokens: Sequence[str]) -> bool:
    return all(token.isspace() and token not in _ENDS for token in tokens)


def _by_whole_lines(edits: list[_Edit]) -> Iterator[_Edit]:
    """Changes that run over a line end, moved so that they are whole lines where they can be.

    A line that went or came with all its text, but whose end is kept, could not be told from a line that went or came
    as a whole: its end goes and comes too.
    """
    for edit, following in pairwise(edits):
        removed, added = edit.removed, edit.added
        end = following.kept[0] if following.kept else None
        rest = None
        if end in _ENDS and (end in removed) != (end in added) and not (edit.in_front and edit.one_sided):
            longer = removed if end in removed else added
            lines = [*longer[longer.index(end) + 1 :], end]
            rest = _Edit([end], lines, []) if longer is removed else _Edit([end], [], lines)
            del following.kept[0], longer[longer.index(end) :]
        if end in _ENDS and edit.in_front and edit.one_sided and (removed or added)[-1] not in _ENDS:
            del (rest or following).kept[0]
            removed.append(end)
            added.append(end)
        yield edit
        if rest:
            yield rest
    yield edits[-1]


def _by_line(tokens: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """The text of each line and its end; None for the last if it goes on."""
    start = 0
    for position, token in enumerate(tokens):
        if token in _ENDS:
            yield "".join(tokens[start:position]), token
            start = position + 1
    if start < len(tokens):
        yield "".join(tokens[start:]), None

"""Three-way merges of texts and of orders, and the steps that make one order of another. Nothing here knows files."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Hashable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Generic, Literal, TypeVar

from iucore.textcode.cut import split_lines

Token = TypeVar("Token", bound=Hashable)

# What `difflib` may cost at the worst in one call of `changes`, in comparisons of items.
_BUDGET = 20_000_000
_RUN = 6
_MAX_DEPTH = 32


def increasing(values: Sequence[int]) -> list[int]:
    """The positions of a longest strictly increasing subsequence; always the same one for the same values.

    >>> increasing([3, 1, 2, 0, 4])
    [1, 2, 4]
    """
    tails: list[int] = []  # tails[n]: the least value that ends an increasing run of n + 1
    ends: list[int] = []  # its position
    before: list[int] = []
    for position, value in enumerate(values):
        length = bisect_left(tails, value)
        before.append(ends[length - 1] if length else -1)
        if length == len(tails):
            tails.append(value)
            ends.append(position)
        else:
            tails[length] = value
            ends[length] = position
    found = []
    position = ends[-1] if ends else -1
    while position >= 0:
        found.append(position)
        position = before[position]
    return found[::-1]


# ------------------------------------------------------------------------------------------------------------ changes


def changes(old: Sequence[Hashable], new: Sequence[Hashable]) -> list[tuple[int, int, int, int]]:
    """Where ``old[a:b]`` became ``new[c:d]``, as (a, b, c, d) in order; something kept stands between any two.

    Not always the fewest changes, but never quadratic: items that stand once in both are the fixed points, and
    ``difflib`` compares what lies between them. Where that would cost too much, runs of items that stand once in both
    are the fixed points, and at last the first of equal items meets the first, the second the second.

    >>> changes("abcd", "xbcyd")
    [(0, 1, 0, 1), (3, 3, 3, 4)]
    """
    kept: list[tuple[int, int, int]] = []
    budget = _BUDGET
    ranges = [(0, len(old), 0, len(new), 0)]
    while ranges:
        a, b, c, d, depth = ranges.pop()
        start = a
        while a < b and c < d and old[a] == new[c]:
            a, c = a + 1, c + 1
        kept.append((start, c - (a - start), a - start))
        stop = b
        while a < b and c < d and old[b - 1] == new[d - 1]:
            b, d = b - 1, d - 1
        kept.append((b, d, stop - b))
        if a == b or c == d or depth == _MAX_DEPTH:
            continue
        one, other = old[a:b], new[c:d]
        pairs = _fixed_points(one, other)
        if not pairs:
            cost = _cost(one, other)
            if cost == 0:
                continue
            if cost <= budget:
                budget -= cost
                blocks = SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks()
                kept += [(a + i, c + j, length) for i, j, length in blocks]
                continue
            pairs = _fixed_points(_runs(one), _runs(other)) or _numbered_points(one, other)
        pairs = [pairs[position] for position in increasing([j for _, j in pairs])]
        left, right = a, c
        for i, j in [*pairs, (b - a, d - c)]:
            if left < a + i and right < c + j:
                ranges.append((left, a + i, right, c + j, depth + 1))
            left, right = a + i + 1, c + j + 1
        kept += [(a + i, c + j, 1) for i, j in pairs]
    found = []
    a = c = 0
    for i, j, length in [*sorted(block for block in kept if block[2]), (len(old), len(new), 0)]:
        if a < i or c < j:
            found.append((a, i, c, j))
        a, c = i + length, j + length
    return found


def _fixed_points(one: Sequence[Hashable], other: Sequence[Hashable]) -> list[tuple[int, int]]:
    """The positions of items that stand once in both, in the order of the first."""
    left, right = _once(one), _once(other)
    return [(i, right[item]) for item, i in left.items() if i >= 0 and right.get(item, -1) >= 0]


def _once(items: Sequence[Hashable]) -> dict[Hashable, int]:
    places: dict[Hashable, int] = {}
    for position, item in enumerate(items):
        places[item] = -1 if item in places else position
    return places


def _runs(items: Sequence[Hashable]) -> list[tuple[Hashable, ...]]:
    """For each item but the last ones, it and those that follow."""
    return list(zip(*(items[start:] for start in range(_RUN)), strict=False))


def _numbered_points(one: Sequence[Hashable], other: Sequence[Hashable]) -> list[tuple[int, int]]:
    """The first of equal items with the first, the second with the second, and so on."""
    places: dict[Hashable, deque[int]] = {}
    for position, item in enumerate(other):
        places.setdefault(item, deque()).append(position)
    return [(i, places[item].popleft()) for i, item in enumerate(one) if places.get(item)]


def _cost(one: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    """What ``difflib`` costs at the worst; 0 if nothing is equal."""
    left, right = Counter(one), Counter(other)
    equal = sum(count * right[item] for item, count in left.items() if item in right)
    return equal and (equal + len(one) + len(other)) * min(len(one), len(other))


# -------------------------------------------------------------------------------------------------------------- texts


@dataclass(frozen=True, slots=True)
class Clash:
    """Where both sides changed the same lines, in different ways.

    Attributes:
        line: the number of the first line in the base, from 1; of the line behind the place if both put lines there.
        base: the lines as they were.
        ours: what one side made of them.
        theirs: what the other side made of them.
    """

    line: int
    base: str
    ours: str
    theirs: str


@dataclass(frozen=True, slots=True)
class Merged:
    """What ``merge_text`` gives.

    Attributes:
        text: the merged text; None if there are clashes.
        clashes: in the order of the text.
        marked: the text, with both sides and the base between marks where they clash.
    """

    text: str | None
    clashes: tuple[Clash, ...]
    marked: str


def merge_text(
    base: str, ours: str, theirs: str, *, names: tuple[str, str, str] = ("file", "exported", "database")
) -> Merged:
    r"""Put the changes of both sides on the base, line by line.

    Changes of different lines merge, also of neighbouring ones; the same change on both sides is one. Changes of the
    same lines clash, and so do different lines that both put at the same place. A line end belongs to its line.
    ``names`` stand behind the marks: of ours, the base, and theirs.

    >>> merge_text("a\nb\nc\n", "A\nb\nc\n", "a\nb\n").text
    'A\nb\n'
    >>> merge_text("a\n", "b\n", "c\n").marked
    '<<<<<<< file\nb\n||||||| exported\na\n=======\nc\n>>>>>>> database\n'
    """
    lines = split_lines(base)
    sides = (split_lines(ours), split_lines(theirs))
    first = next((text[0] for text in (lines, *sides) if text), "")
    line_end = "\r\n" if first.endswith("\r\n") else "\n"

    def block(mark: str, text: str) -> str:
        return f"{mark}{line_end}{text}{'' if not text or _has_end(text) else line_end}"

    parts: list[str] = []
    clashes = []
    position = 0
    for hunk in _hunks(lines, sides):
        parts += lines[position : hunk.start]
        position = hunk.stop
        before = "".join(lines[hunk.start : hunk.stop])
        mine, yours = (hunk.text(side, sides[side], before) for side in (0, 1))
        if mine in (before, yours):
            parts.append(yours)
        elif yours == before:
            parts.append(mine)
        else:
            clashes.append(Clash(hunk.start + 1, before, mine, yours))
            marks = (f"<<<<<<< {names[0]}", f"||||||| {names[1]}", "=======", f">>>>>>> {names[2]}")
            parts += map(block, marks, (mine, before, yours, ""))
    parts += lines[position:]
    marked = "".join(parts)
    return Merged(None if clashes else marked, tuple(clashes), marked)


@dataclass(slots=True)
class _Hunk:
    """Lines of the base that were changed, with the changes of each side that overlap there."""

    start: int
    stop: int
    changes: tuple[list[tuple[int, int, int, int]], list[tuple[int, int, int, int]]] = field(
        default_factory=lambda: ([], [])
    )
    open: bool = False  # a side ends here, without a line end: nothing can stand behind it

    def text(self, side: int, lines: Sequence[str], before: str) -> str:
        """What a side made of these lines."""
        found = self.changes[side]
        if not found:
            return before
        (first, _, start, _), (_, last, _, stop) = found[0], found[-1]
        return "".join(lines[start - (first - self.start) : stop + (self.stop - last)])


def _hunks(lines: Sequence[str], sides: tuple[list[str], list[str]]) -> list[_Hunk]:
    hunks: list[_Hunk] = []
    found = [(change, number) for number, text in enumerate(sides) for change in changes(lines, text)]
    for change, side in sorted(found):
        start, stop, _, end = change
        hunk = hunks[-1] if hunks else None
        if hunk is None or not (
            (start < hunk.stop and stop > hunk.start)
            or start == stop == hunk.start == hunk.stop
            or (start == hunk.stop and hunk.open)
        ):
            hunk = _Hunk(start, stop)
            hunks.append(hunk)
        hunk.stop = max(hunk.stop, stop)
        hunk.changes[side].append(change)
        hunk.open = hunk.open or (end == len(sides[side]) > 0 and not _has_end(sides[side][-1]))
    return hunks


def _has_end(text: str) -> bool:
    return text.endswith(("\n", "\r"))


# ------------------------------------------------------------------------------------------------------------- orders

MOVED_BY_BOTH = "moved by both, to different places"
MOVED_AND_TAKEN_OUT = "moved in the file, taken out in the database"
TAKEN_OUT_AND_MOVED = "taken out in the file, moved in the database"


@dataclass(frozen=True, slots=True)
class OrderClash(Generic[Token]):
    """An item for which two orders do not go together, and why."""

    token: Token
    why: str


def merge_order(
    base: Sequence[Token], ours: Sequence[Token], theirs: Sequence[Token]
) -> tuple[list[Token], tuple[OrderClash[Token], ...]]:
    """Put on theirs what ours added to the base, took out of it and moved in it. Items are unique within each order.

    What ours added or moved stands behind the item that it follows in ours, the nearest one that is in the result.
    Whatever either side took out is out; what both added stands once, where theirs has it. Where orders clash the
    result is as theirs has it, without what ours took out.

    >>> merge_order("abcd", "bacd", "abcdx")
    (['b', 'a', 'c', 'd', 'x'], ())
    >>> merge_order("abc", "bca", "ab")
    (['b', 'a'], ())
    >>> merge_order("abcd", "bcda", "bcd")
    (['b', 'c', 'd'], (OrderClash(token='a', why='moved in the file, taken out in the database'),))
    """
    known, mine, yours = set(base), set(ours), set(theirs)
    by_us, by_them = _moved(base, ours), _moved(base, theirs)
    apart = _apart(ours, theirs, fixed=(known & mine & yours) - by_us - by_them, moved=by_us & by_them)
    clashes = []
    for token in base:
        if token in by_us and token not in yours:
            clashes.append(OrderClash(token, MOVED_AND_TAKEN_OUT))
        elif token in by_them and token not in mine:
            clashes.append(OrderClash(token, TAKEN_OUT_AND_MOVED))
        elif token in apart:
            clashes.append(OrderClash(token, MOVED_BY_BOTH))
    lifted = by_us - by_them
    standing = [token for token in theirs if token not in lifted and (token in mine or token not in known)]
    places = {token: place for place, token in enumerate(standing)}
    behind: dict[int, list[Token]] = {}  # what ours puts behind which place; -1: in front of all
    place = -1
    for token in ours:
        if token in places:
            place = places[token]
        elif token in yours or token not in known:
            behind.setdefault(place, []).append(token)
    result = behind.get(-1, [])
    for place, token in enumerate(standing):
        result.append(token)
        result += behind.get(place, ())
    return result, tuple(clashes)


def _moved(base: Sequence[Token], order: Sequence[Token]) -> set[Token]:
    places = {token: place for place, token in enumerate(base)}
    common = [token for token in order if token in places]
    still = increasing([places[token] for token in common])
    return set(common).difference([common[position] for position in still])


def _apart(
    ours: Sequence[Token], theirs: Sequence[Token], *, fixed: AbstractSet[Token], moved: AbstractSet[Token]
) -> set[Token]:
    """Which of the items that both moved stand in different places: between other fixed items, or in another order."""
    mine, yours = _gaps(ours, fixed, moved), _gaps(theirs, fixed, moved)
    together = [token for token, gap in mine.items() if gap == yours[token]]
    places = {token: place for place, token in enumerate(yours)}
    agreed = increasing([places[token] for token in together])
    return set(moved).difference([together[position] for position in agreed])


def _gaps(order: Iterable[Token], fixed: AbstractSet[Token], moved: AbstractSet[Token]) -> Mapping[Token, int]:
    """For each moved item, in order, how many fixed ones stand before it."""
    gaps = {}
    count = 0
    for token in order:
        if token in fixed:
            count += 1
        elif token in moved:
            gaps[token] = count
    return gaps


# -------------------------------------------------------------------------------------------------------------- steps


@dataclass(frozen=True, slots=True)
class Step(Generic[Token]):
    """One change of an order: ``first`` is in front of all, ``after`` right behind the anchor."""

    verb: Literal["remove", "reorder", "add"]
    token: Token
    at: Literal["first", "after"] | None = None
    anchor: Token | None = None


def steps(current: Sequence[Token], wanted: Sequence[Token]) -> list[Step[Token]]:
    """The steps that, one after another, make the wanted order of the current one. Items are unique within each.

    As few as possible are moved. An anchor is an item of both orders, so that no step needs to know what an earlier
    one added: additions behind one anchor come in reverse. Additions follow the moves; removals are last.

    >>> for step in steps("abc", "bxya"):
    ...     print(step.verb, step.token, step.at, step.anchor)
    reorder a after b
    add y after b
    add x after b
    remove c None None
    """
    places = {token: place for place, token in enumerate(wanted)}
    common = [token for token in current if token in places]
    still = {common[position] for position in increasing([places[token] for token in common])}
    standing = set(common)
    moves: list[Step[Token]] = []
    additions: list[Step[Token]] = []
    at: Literal["first", "after"] = "first"
    anchor: Token | None = None
    for token in wanted:
        if token not in standing:
            additions.append(Step("add", token, at, anchor))
            continue
        if token not in still:
            moves.append(Step("reorder", token, at, anchor))
        at, anchor = "after", token
    removals = [Step("remove", token) for token in current if token not in places]
    return [*moves, *reversed(additions), *removals]

"""Which piece is which part of an edited file. Pure: no file and no database is read.

The parts are made of cut positions, so that they join to the text whatever the heuristics say. What is called a
*segment* here is a run of the text that will be one part or the continuation of the part before.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import cached_property
from itertools import accumulate, pairwise

from iucore.textcode import cut

SAME = 0.3  # at its place, a piece less similar than this to what stands there is another piece
SAME_ELSEWHERE = 0.4  # the same, for a piece found at another place

_LEAF = 4096  # lines times lines that difflib may compare
_DEPTH = 40
_CANDIDATES = 5
_RARE = 20

_BLANK = " \t\r\n"
_BOM = "\ufeff"
_LAST_LINE = re.compile(r"[^\r\n]*\Z")
_LINE = re.compile(r"[^\r\n]*")
_ATX = re.compile(r" {0,3}(#{1,6})(?=[ \t\r\n]|\Z)")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*(?=[\r\n]|\Z)")
_SETEXT = re.compile(rf"[^\r\n]+(?:\r\n|\r|\n){_UNDERLINE.pattern}")
_FRONT_MATTER = re.compile(r"\ufeff?---[ \t]*[\r\n].*?[\r\n]---[ \t]*(?:\r\n|\r|\n|\Z)", re.DOTALL)
_BLANK_LINES = re.compile(r"(?:[ \t]*(?:\r\n|\r|\n))*")
_AFTER_BLANK = re.compile(r"(?:\A|\r\n|\r|\n)[ \t]*(?:\r\n|\r|\n)\Z")
_TOKEN = re.compile(r"\w+|\s+|[^\w\s]")
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"  # written without spaces
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")


@dataclass(frozen=True, slots=True)
class Part:
    """A run of the text: a piece as it stands now, or a new piece.

    Attributes:
        base: the index of the piece; None for a new one.
        body: the text.
        moved: the piece stands in another order than in the base.
        split_from: of a new piece, the base piece out of which most of its text came.
    """

    base: int | None
    body: str
    moved: bool = False
    split_from: int | None = None


@dataclass(frozen=True, slots=True)
class Alignment:
    """The parts join to the text; every base index is in one part or in ``missing``.

    ``merged`` tells of some that are missing which base piece's part now holds most of their text.
    """

    parts: tuple[Part, ...]
    missing: tuple[int, ...]
    merged: Mapping[int, int]


def align(base: Sequence[str], text: str, *, suffix: str) -> Alignment:
    r"""Find the pieces of a document in its edited text.

    First by untouched ranges, then by structure (new headings; for plain text paragraphs), then by similarity.

    Args:
        base: the bodies of the pieces, in order.
        text: the document now.
        suffix: of the file's name; it says what structure is, as in ``cut.cut``.

    >>> found = align(["# One\n", "# Two\ntext\n", "# Three\n"], "# One\n# 2\ntext\n# New\nmore\n", suffix=".md")
    >>> [(part.base, part.body) for part in found.parts], found.missing
    ([(0, '# One\n'), (1, '# 2\ntext\n'), (None, '# New\nmore\n')], (2,))
    """
    return _Aligner(base, text, suffix).align()


def similarity(one: str, other: str) -> float:
    """How much two texts share, by words and by pairs of neighbouring words: 0 nothing, 1 all. Symmetric, linear.

    >>> similarity("the quick brown fox", "The quick red fox")
    0.675
    """
    return 1.0 if one == other else _compare(_words(one), _words(other))


def closest(ones: Sequence[str], others: Sequence[str], *, least: float) -> list[tuple[int, int]]:
    """Pairs (index, index) of texts with at least this similarity, the most similar first; each text is in one pair.

    Only texts with rare words in common are compared, so that many texts on both sides are no harm.

    >>> closest(["a b c", "x y z"], ["x y", "q", "a b c d"], least=0.5)
    [(0, 2), (1, 0)]
    """
    bags = [_words(text) for text in others]
    holders: dict[str, list[int]] = defaultdict(list)
    for index, bag in enumerate(bags):
        for word in bag[0]:
            holders[word].append(index)
    pairs = []
    for index, text in enumerate(ones):
        bag = _words(text)
        if len(others) <= _CANDIDATES:
            candidates: Iterable[int] = range(len(others))
        else:
            rarest = sorted((word for word in bag[0] if word in holders), key=lambda word: (len(holders[word]), word))
            votes: dict[int, float] = defaultdict(float)
            for word in rarest[:_RARE]:
                for other in holders[word][:_RARE]:
                    votes[other] += 1 / len(holders[word])
            candidates = sorted(votes, key=lambda other: (-votes[other], other))[:_CANDIDATES]
        for other in candidates:
            score = _compare(bag, bags[other])
            if score >= least:
                pairs.append((-score, index, other))
    taken_ones: set[int] = set()
    taken_others: set[int] = set()
    result = []
    for _, index, other in sorted(pairs):
        if index not in taken_ones and other not in taken_others:
            taken_ones.add(index)
            taken_others.add(other)
            result.append((index, other))
    return result


_Bags = tuple[Counter[str], Counter[str]]


def _words(text: str) -> _Bags:
    words = _WORD.findall(text.lower()) or text.split()
    return Counter(words), Counter(map(" ".join, pairwise(["", *words, ""])))


def _compare(one: _Bags, other: _Bags) -> float:
    # Single words alone would find any two long texts of one language alike.
    return (_share(one[0], other[0]) + _share(one[1], other[1])) / 2


def _share(one: Counter[str], other: Counter[str]) -> float:
    if len(other) < len(one):
        one, other = other, one
    sizes = one.total() + other.total()
    return 2 * sum(min(count, other[key]) for key, count in one.items() if key in other) / sizes if sizes else 1.0


# ------------------------------------------------------------------------------------------------------ sequences


def _increasing(values: Sequence[int]) -> list[int]:
    """The positions of a longest strictly increasing subsequence."""
    tails: list[int] = []
    ends: list[int] = []  # the position of each tail
    before: list[int] = []
    for position, value in enumerate(values):
        length = bisect_left(tails, value)
        before.append(ends[length - 1] if length else -1)
        tails[length : length + 1] = [value]
        ends[length : length + 1] = [position]
    result = []
    position = ends[-1] if ends else -1
    while position >= 0:
        result.append(position)
        position = before[position]
    return result[::-1]


def _match(one: Sequence[str], other: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of positions at which both sequences have the same item, increasing on both sides.

    Common ends are taken off, then what is on each side once divides the rest (patience diff). Only small remainders
    without such an item go to difflib; large ones are halved.
    """
    known = set(one) & set(other)
    left = [index for index, item in enumerate(one) if item in known]
    right = [index for index, item in enumerate(other) if item in known]
    pairs: list[tuple[int, int]] = []
    work = [(0, len(left), 0, len(right), 0)]
    while work:
        a, b, c, d, depth = work.pop()
        while a < b and c < d and one[left[a]] == other[right[c]]:
            pairs.append((left[a], right[c]))
            a, c = a + 1, c + 1
        while a < b and c < d and one[left[b - 1]] == other[right[d - 1]]:
            b, d = b - 1, d - 1
            pairs.append((left[b], right[d]))
        if a == b or c == d:
            continue
        here, there = [one[left[i]] for i in range(a, b)], [other[right[i]] for i in range(c, d)]
        once = _once_in_both(here, there) if depth < _DEPTH else []
        if once:
            pairs += [(left[a + i], right[c + j]) for i, j in once]
            before = [(a, c), *((a + i + 1, c + j + 1) for i, j in once)]
            behind = [*((a + i, c + j) for i, j in once), (b, d)]
            work += [(a, b, c, d, depth + 1) for (a, c), (b, d) in zip(before, behind, strict=True)]
        elif (b - a) * (d - c) <= _LEAF:
            blocks = SequenceMatcher(None, here, there, autojunk=False).get_matching_blocks()
            pairs += [(left[a + i + k], right[c + j + k]) for i, j, size in blocks for k in range(size)]
        else:
            middle, centre = (a + b) // 2, (c + d) // 2
            work += [(a, middle, c, centre, depth), (middle, b, centre, d, depth)]
    return sorted(pairs)


def _once_in_both(one: Sequence[str], other: Sequence[str]) -> list[tuple[int, int]]:
    """The longest increasing pairs of positions of items that are once in each."""
    counts = Counter(one)
    other_counts = Counter(other)
    place = {item: index for index, item in enumerate(other) if other_counts[item] == 1}
    pairs = [(index, place[item]) for index, item in enumerate(one) if counts[item] == 1 and item in place]
    return [pairs[position] for position in _increasing([j for _, j in pairs])]


# --------------------------------------------------------------------------------------------------------- texts


def _is_blank(text: str) -> bool:
    return not text.removeprefix(_BOM).strip()


def _begin(text: str) -> int:
    """Where the first line begins that is not blank."""
    found = _BLANK_LINES.match(text, len(_BOM) if text.startswith(_BOM) else 0)
    return found.end() if found else 0


def _begins_line(text: str, position: int) -> bool:
    before = text[position - 1]
    return before == "\n" or (before == "\r" and text[position : position + 1] != "\n")


def _title(text: str) -> str:
    """The first line that is not blank, without the marks of a heading."""
    found = _LINE.match(text, _begin(text))
    return found.group().strip("# \t") if found else ""


def _below_first_line(text: str) -> str:
    lines = cut.split_lines(text.lstrip(_BLANK))
    return "".join(lines[1:]).strip()


def _lines(text: str) -> Counter[str]:
    return Counter(line for line in map(str.strip, cut.split_lines(text)) if line)


def _offsets(bodies: Iterable[str], start: int = 0) -> list[int]:
    """Where each begins, and where the last one ends."""
    return list(accumulate(map(len, bodies), initial=start))


@dataclass(slots=True)
class _Segment:
    start: int
    end: int
    base: int | None = None
    opens: bool = False  # begins with what begins a piece: if it is no piece of the base, it is a new one
    heads: bool = False  # begins with a heading, perhaps one that is too deep to begin a new piece
    kept: bool = False  # found whole
    lines: Counter[int] = field(default_factory=Counter)  # by base piece, how much of it a diff finds here


@dataclass(slots=True)
class _Gap:
    """What stands between two pieces that were found whole and in place."""

    bases: list[int]
    runs: list[tuple[int, int]]
    segments: list[_Segment] = field(default_factory=list)


class _Aligner:
    def __init__(self, base: Sequence[str], text: str, suffix: str) -> None:
        self.all = base
        self.numbers = [index for index, body in enumerate(base) if body]
        self.base = [base[index] for index in self.numbers]  # no empty ones from here on
        self.text = text
        self.suffix = suffix
        self.markdown = suffix.lower() in cut.MARKDOWN_SUFFIXES
        self.front = self.front_matter()
        self.whole: list[_Segment] = []
        self.left: set[int] = set()  # pieces that have no segment yet

    def align(self) -> Alignment:
        gaps = self.gaps()
        for gap in gaps:
            self.divide(gap)
            self.assign(gap)
        self.assign_elsewhere([segment for gap in gaps for segment in gap.segments])
        segments = self.whole + [segment for gap in gaps for segment in gap.segments]
        return self.finish(self.join(sorted(segments, key=lambda segment: segment.start)))

    # -- what is untouched

    def ends(self) -> tuple[int, int, int, int]:
        """How many pieces at the start and at the end are untouched, and which range of the text is between."""
        base, text = self.base, self.text
        first, heads = 0, [0]
        while first < len(base) and text.startswith(base[first], heads[-1]):
            heads.append(heads[-1] + len(base[first]))
            first += 1
        last, tails = 0, [len(text)]
        while last < len(base) and text.endswith(base[-1 - last], 0, tails[-1]):
            start = tails[-1] - len(base[-1 - last])
            if not self.fits(len(base) - 1 - last, start):
                break
            tails.append(start)
            last += 1
        # Where both claim the same, the fewest pieces shall be left over, and one that is keeps its first line.
        best = (len(base) + 1, False, 0, 0)
        behind = 0
        for count in range(first, -1, -1):
            while behind < last and count + behind < len(base) and tails[behind + 1] >= heads[count]:
                behind += 1
            while count + behind > len(base):
                behind -= 1
            over = len(base) - count - behind
            lost = over > 0 and not text.startswith(cut.split_lines(base[count][:1000])[0], heads[count], tails[behind])
            best = min(best, (over, lost, -count, behind))
            if (behind == last or not over) and not lost:
                break
        count, behind = -best[2], best[3]
        return count, behind, heads[count], tails[behind]

    def fits(self, index: int, position: int) -> bool:
        """Whether a piece that begins a line does so at this position of the text, too."""
        before = self.base[index - 1] if index else "\n"
        if before[-1] not in "\r\n" or position == 0 or _begins_line(self.text, position):
            return True
        # The line end in front may have been taken away. A heading is none then.
        line = _LAST_LINE.search(self.text, max(0, position - 1000), position)
        end = _LAST_LINE.search(before.rstrip("\r\n"), max(0, len(before) - 1000))
        return bool(line and end and line.group() == end.group() != "") and not self.depth(self.base[index])

    def gaps(self) -> list[_Gap]:
        base = self.base
        first, last, low, high = self.ends()
        found: list[tuple[int, int]] = []
        if len(base) > first + last:
            found = self.tiles(range(first, len(base) - last), low, high)
            if not found and (found := self.tiles(range(len(base)), 0, len(self.text))):
                first, last, low, high = 0, 0, 0, len(self.text)
        offsets = _offsets(base[:first])
        self.whole += [_Segment(a, b, i, kept=True) for i, (a, b) in enumerate(pairwise(offsets))]
        offsets = _offsets(base[len(base) - last :], high)
        self.whole += [_Segment(a, b, len(base) - last + i, kept=True) for i, (a, b) in enumerate(pairwise(offsets))]
        inner = range(first, len(base) - last)
        self.left = set(inner)
        if not inner:
            return [_Gap([], [(low, high)])] if low < high else []
        if len(inner) > 1 and not found:
            found = self.anchors(inner, low, high)
        self.left.difference_update(index for _, index in found)
        placed = [_Segment(start, start + len(base[index]), index, kept=True) for start, index in found]
        self.whole += placed
        in_place = set(_increasing([index for _, index in found]))
        gaps = []
        runs: list[tuple[int, int]] = []
        before = first
        position = low
        for number, segment in enumerate([*placed, _Segment(high, high, len(base) - last)]):
            if position < segment.start:
                runs.append((position, segment.start))
            position = segment.end
            if number in in_place or number == len(placed):
                here = segment.base if segment.base is not None else before
                bases = [index for index in range(before, here) if index in self.left]
                if bases or runs:
                    gaps.append(_Gap(bases, runs))
                runs = []
                before = here + 1
        return gaps

    def tiles(self, inner: range, low: int, high: int) -> list[tuple[int, int]]:
        """Where the pieces stand if this range is made of all of them, in whatever order; otherwise nothing."""
        text = self.text
        if high - low != sum(len(self.base[index]) for index in inner):
            return []
        beginning: dict[str, list[int]] = defaultdict(list)
        for index in inner:
            beginning[cut.split_lines(self.base[index])[0]].append(index)
        for indexes in beginning.values():
            indexes.sort(key=lambda index: (len(self.base[index]), -index))
        result = []
        lines = cut.split_lines(text[low:high])
        for start, line in zip(_offsets(lines, low), lines, strict=False):
            if start < low:
                continue
            indexes = beginning.get(line, [])
            last = range(len(indexes) - 1, max(len(indexes) - _RARE, 0) - 1, -1)  # the longest; taken from the end
            fitting = next((at for at in last if text.startswith(self.base[indexes[at]], start)), None)
            if fitting is None:
                return []
            result.append((start, indexes.pop(fitting)))
            low = start + len(self.base[result[-1][1]])
        return result if len(result) == len(inner) and low == high else []

    def anchors(self, inner: range, low: int, high: int) -> list[tuple[int, int]]:
        """Places of pieces that are found whole: by a line that is once in the base and once in the text."""
        base, text = self.base, self.text
        lines = cut.split_lines(text[low:high])
        counts = Counter(lines)
        once = {line: at for at, line in zip(_offsets(lines, low), lines, strict=False) if counts[line] == 1}
        pieces = {index: cut.split_lines(base[index]) for index in inner}
        counts = Counter(line for piece in pieces.values() for line in piece)
        found: list[tuple[int, int]] = []
        for index, piece in pieces.items():
            offset = 0
            for line in piece:
                if counts[line] == 1 and line in once:
                    start = once[line] - offset
                    if (
                        low <= start <= high - len(base[index])
                        and text.startswith(base[index], start)
                        and self.fits(index, start)
                    ):
                        found.append((start, index))
                    break
                offset += len(line)
        return self.extended(sorted(found), low, high)

    def extended(self, anchors: list[tuple[int, int]], low: int, high: int) -> list[tuple[int, int]]:
        """Without overlaps, and with the neighbours in the base that are the neighbours in the text too."""
        base, text = self.base, self.text
        free = self.left - {index for _, index in anchors}
        result: list[tuple[int, int]] = []
        position = low
        for number, (start, index) in enumerate(anchors):
            if start < position:
                continue
            before = []
            at, previous = start, index - 1
            while previous in free and at - len(base[previous]) >= position and text.endswith(base[previous], 0, at):
                if not self.fits(previous, at - len(base[previous])):
                    break
                at -= len(base[previous])
                before.append((at, previous))
                free.discard(previous)
                previous -= 1
            result += [*reversed(before), (start, index)]
            position, following = start + len(base[index]), index + 1
            limit = anchors[number + 1][0] if number + 1 < len(anchors) else high
            while following in free and text.startswith(base[following], position, limit):
                result.append((position, following))
                position += len(base[following])
                free.discard(following)
                following += 1
        return result

    # -- structure

    def front_matter(self) -> int:
        """Where the front matter of the text ends, with the blank lines behind it; 0 without."""
        found = (
            _FRONT_MATTER.match(self.text) if self.markdown and self.text[:4].startswith(("---", "\ufeff---")) else None
        )
        if found is None or cut.cut(found.group(), suffix=self.suffix)[0].kind != "front-matter":
            return 0
        blank = _BLANK_LINES.match(self.text, found.end())
        return blank.end() if blank else found.end()

    def depth(self, text: str) -> int:
        """Of the heading that begins a text; 0 when none does."""
        if not self.markdown:
            return 0
        start = _begin(text)
        if found := _ATX.match(text, start):
            return len(found.group(1))
        if found := _SETEXT.match(text, start):
            return 1 if found.group(1)[0] == "=" else 2
        return 0

    @cached_property
    def deepest(self) -> int:
        level = max(map(self.depth, self.base), default=0)
        return level if level and any(self.holds_deeper(body, level) for body in self.base) else 6

    def holds_deeper(self, body: str, level: int) -> bool:
        """Whether a piece has a deeper heading inside, so that the document was not cut at such ones."""
        lines = (line for line in cut.split_lines(body) if _ATX.match(line) or _UNDERLINE.match(line))
        if not any((found := _ATX.match(line)) is None or len(found.group(1)) > level for line in lines):
            return False
        return any(segment.level > level for segment in cut.cut(body, suffix=self.suffix)[1:])

    def structural(self, index: int) -> bool:
        """Whether structure tells where the piece begins: if it does not, the boundary is carried over by a diff."""
        if self.markdown:
            return self.depth(self.base[index]) > 0
        return index == 0 or _AFTER_BLANK.search(self.base[index - 1][-1000:]) is not None

    def headings(self, run: tuple[int, int], lines: list[str]) -> list[tuple[int, int, int]]:
        """Of a run of the text: line, number of lines and level of each heading; for plain text of each paragraph."""
        # The line in front keeps what looks like front matter from being it where it cannot be.
        inside = run[0] > 0 and not _begins_line(self.text, run[0])
        shift = int(run[0] > 0 and not inside)
        result = []
        for segment in cut.cut("\n" * shift + "x" * inside + "".join(lines), suffix=self.suffix):
            if segment.kind in ("section", "paragraph"):
                line = segment.line - 1 - shift
                while line < len(lines) - 1 and (line < 0 or _is_blank(lines[line])):
                    line += 1
                size = 1
                if segment.kind == "section" and not _ATX.match(lines[line].removeprefix(_BOM)):
                    rest = range(line + 1, len(lines))
                    size += next((at - line for at in rest if _UNDERLINE.match(lines[at])), 0)
                if line or not inside:
                    result.append((line, size, segment.level))
        return result

    def divide(self, gap: _Gap) -> None:
        """Cut a gap into segments: where pieces of the base begin, and where structure does that is new."""
        text = self.text
        old_lines = cut.split_lines("".join(self.base[index] for index in gap.bases))
        old_at = _offsets(old_lines)
        piece_at = _offsets(self.base[index] for index in gap.bases)
        lines: list[str] = []
        at: list[int] = []
        for start, end in gap.runs:
            here = cut.split_lines(text[start:end])
            at += _offsets(here, start)[:-1]
            lines += here
        pairs = _match([line.rstrip() for line in old_lines], [line.rstrip() for line in lines])
        old_of = {j: i for i, j in pairs}
        line_of = dict(pairs)
        solid = [(i, j) for i, j in pairs if lines[j].strip()]
        places = [j for _, j in solid]

        claims: dict[int, list[int]] = defaultdict(list)  # position: pieces that begin there
        exact: set[int] = set()
        soft: list[tuple[int, int]] = []
        vanished: Counter[int] = Counter()  # by stretch between two solid lines: piece starts that are not there
        for index, offset in zip(gap.bases, piece_at, strict=False):
            body = self.base[index]
            lead = body[: len(body) - len(body.lstrip(_BLANK))]
            lead = lead if len(lead) < len(body) else ""
            head = offset + len(lead)
            line = bisect_right(old_at, head) - 1
            if line in line_of:
                position = at[line_of[line]] + head - old_at[line]
                run = gap.runs[bisect_right(gap.runs, (position, len(text))) - 1]
                while lead and not (position - len(lead) >= run[0] and text.endswith(lead, 0, position)):
                    lead = lead[1:]
                claims[position - len(lead)].append(index)
                exact.add(index)
            elif self.structural(index):
                vanished[bisect_left(solid, (line, 0))] += 1
            else:
                soft.append((index, offset))
        if soft:
            carry = _Carry(old_lines, old_at, lines, at, pairs)
            for index, offset in soft:
                place = carry.place(offset)
                if place is not None:
                    claims[place].append(index)
        opening: dict[int, bool] = {}
        first = 0
        for run in gap.runs:
            count = bisect_left(at, run[1], first) - first
            numbers = range(first, first + count)
            first += count
            opening[run[0]] = bool(self.front) and run[0] in (0, self.front)
            if run[0] < self.front < run[1] and bisect_left(at, self.front) not in old_of:
                opening[self.front] = True
            here = [lines[j] for j in numbers]
            if not any(self.suspect(j, lines, old_of, old_lines) for j in numbers):
                continue
            fresh = []
            for line, size, level in self.headings(run, here):
                j = numbers[line]
                if line == 0 and not self.markdown and not self.after_blank(run[0]):
                    continue
                if not self.stood(j, size, old_of, old_lines):
                    fresh.append((level, j))
            deep = sorted((level, j) for level, j in fresh if level > self.deepest)
            for level, j in fresh:
                if level <= self.deepest:
                    opening[at[j]] = True
                    vanished[bisect_left(places, j)] -= 1
            for _, j in deep:
                stretch = bisect_left(places, j)
                if vanished[stretch] > 0:
                    vanished[stretch] -= 1
                    opening.setdefault(at[j], False)
                    claims.setdefault(at[j], [])
        self.build(gap, claims, exact, opening)
        segments = [segment for segment in gap.segments if segment.base is None]
        starts = [segment.start for segment in segments]
        for i, j in solid if starts and not self.left.isdisjoint(gap.bases) else ():
            segment = segments[max(bisect_right(starts, at[j]) - 1, 0)]
            owner = gap.bases[bisect_right(piece_at, old_at[i]) - 1]
            if segment.start <= at[j] < segment.end and owner in self.left:
                segment.lines[owner] += len(lines[j])

    def suspect(self, j: int, lines: list[str], old_of: Mapping[int, int], old_lines: list[str]) -> bool:
        """Whether a line may be one that begins something and did not stand there before."""
        if not self.markdown:
            return not self.stood(j, 1, old_of, old_lines)
        if j in old_of:
            return False
        return bool(_ATX.match(lines[j].removeprefix(_BOM)) or any(map(_UNDERLINE.match, lines[j : j + 2])))

    def stood(self, j: int, size: int, old_of: Mapping[int, int], old_lines: list[str]) -> bool:
        """Whether a heading is an untouched one; for plain text, whether a paragraph began with this line before."""
        i = old_of.get(j)
        if i is None:
            return False
        if self.markdown:
            return all(old_of.get(j + more) == i + more for more in range(size))
        return i == 0 or not old_lines[i - 1].strip()

    def after_blank(self, position: int) -> bool:
        return position == 0 or _AFTER_BLANK.search(self.text, max(0, position - 1000), position) is not None

    def build(self, gap: _Gap, claims: Mapping[int, list[int]], exact: set[int], opening: Mapping[int, bool]) -> None:
        cuts = sorted({*claims, *opening})
        for run in gap.runs:
            here = cuts[bisect_left(cuts, run[0]) : bisect_left(cuts, run[1])]
            for start, end in zip(here, [*here[1:], run[1]], strict=True):
                segment = _Segment(start, end, opens=opening.get(start, False) and not _is_blank(self.text[start:end]))
                segment.heads = segment.opens or (start in claims and not claims[start])
                wanting = claims.get(start, [])
                sure = [index for index in wanting if index in exact]
                wanting = sure or [*wanting[:1], *wanting[1:][-1:]]
                certain = len(wanting) == 1 and (bool(sure) or not segment.opens)
                if wanting:
                    body = self.text[start:end]
                    scores = [1.0 if certain else similarity(body, self.base[index]) for index in wanting]
                    if sure or not segment.opens or max(scores) >= SAME:
                        self.give(segment, wanting[scores.index(max(scores))])
                gap.segments.append(segment)

    # -- similarity

    def assign(self, gap: _Gap) -> None:
        """Give the pieces of a gap that do not begin as before the segments that begin as none did."""
        free = [index for index in gap.bases if index in self.left]
        if not free:
            return
        self.exchange(gap, free)
        free = [index for index in gap.bases if index in self.left]
        segments = [segment for segment in gap.segments if segment.base is None]
        open_ones = [segment for segment in segments if segment.heads or segment.start in (0, self.front)]
        self.pair_titles(open_ones, free, least=0.0)
        self.pair_lines(open_ones)
        self.pair(open_ones, free, least=SAME)
        free = [index for index in free if index in self.left]
        open_ones = [segment for segment in open_ones if segment.base is None]
        if len(free) == len(open_ones) == 1:
            body, old = self.text[open_ones[0].start : open_ones[0].end], self.base[free[0]]
            bare = not self.depth(self.base[free[0]]) and not (self.markdown and open_ones[0].heads)
            if bare or not (_below_first_line(body) or _below_first_line(old)):
                self.give(open_ones[0], free[0])

    def exchange(self, gap: _Gap, free: list[int]) -> None:
        """Of pieces that begin with the same line the diff may have taken the wrong one."""
        titles: dict[str, list[int]] = defaultdict(list)
        for index in free:
            titles[_title(self.base[index])].append(index)
        for segment in gap.segments:
            if segment.base is not None and (rivals := titles.get(_title(self.base[segment.base]), [])[:_RARE]):
                body = self.text[segment.start : segment.end]
                scores = [similarity(body, self.base[index]) for index in rivals]
                if max(scores) > similarity(body, self.base[segment.base]):
                    winner = rivals[scores.index(max(scores))]
                    rivals = titles[_title(self.base[winner])]
                    rivals[rivals.index(winner)] = segment.base
                    self.left.add(segment.base)
                    self.give(segment, winner)

    def assign_elsewhere(self, segments: list[_Segment]) -> None:
        if self.left:
            segments = [segment for segment in segments if segment.base is None and segment.heads]
            equal: dict[str, list[int]] = defaultdict(list)
            for index in sorted(self.left, reverse=True):
                equal[self.base[index]].append(index)
            for segment in segments:
                body = self.text[segment.start : segment.end]
                if equal.get(body) and _below_first_line(body):
                    self.give(segment, equal[body].pop())
            self.pair_titles([s for s in segments if s.base is None], sorted(self.left), least=SAME)
            self.pair(segments, sorted(self.left), least=SAME_ELSEWHERE)

    def pair_titles(self, segments: list[_Segment], bases: list[int], *, least: float) -> None:
        if not self.markdown:
            return
        ours: dict[str, list[_Segment]] = defaultdict(list)
        theirs: dict[str, list[int]] = defaultdict(list)
        for segment in segments:
            ours[_title(self.text[segment.start : segment.end])].append(segment)
        for index in bases:
            theirs[_title(self.base[index])].append(index)
        for title, found in ours.items():
            if title and len(found) == len(theirs.get(title, [])) == 1:
                body = self.text[found[0].start : found[0].end]
                if least <= 0 or similarity(body, self.base[theirs[title][0]]) >= least:
                    self.give(found[0], theirs[title][0])

    def pair_lines(self, segments: list[_Segment]) -> None:
        weights = [
            (-weight, number, index)
            for number, segment in enumerate(segments)
            for index, weight in segment.lines.items()
        ]
        for _, number, index in sorted(weights):
            segment = segments[number]
            if segment.base is None and index in self.left:
                body = self.text[segment.start : segment.end]
                if similarity(body, self.base[index]) >= SAME:
                    self.give(segment, index)

    def pair(self, segments: list[_Segment], bases: list[int], *, least: float) -> None:
        segments = [segment for segment in segments if segment.base is None]
        bases = [index for index in bases if index in self.left]
        if segments and bases:
            bodies = [self.text[segment.start : segment.end] for segment in segments]
            for one, other in closest(bodies, [self.base[index] for index in bases], least=least):
                self.give(segments[one], bases[other])

    def give(self, segment: _Segment, index: int) -> None:
        segment.base = index
        self.left.discard(index)

    # -- parts

    def join(self, segments: list[_Segment]) -> list[_Segment]:
        """Segments that are nobody's and begin nothing continue the one before."""
        text = self.text
        result: list[_Segment] = []
        for segment in segments:
            last = result[-1] if result else None
            if last is not None and segment.base is None and (not segment.opens or self.inner(segment, last)):
                last.end = segment.end
                last.kept = False
            elif last is not None and len(result) == 1 and last.base is None and not last.opens:
                # Text in front of everything: a new piece only where a heading comes next.
                blank = _is_blank(text[last.start : last.end])
                if blank or not self.depth(text[segment.start : segment.end]):
                    segment.start = last.start
                    segment.kept = False
                    result.pop()
                result.append(segment)
            else:
                if last is not None and segment.base is not None and self.goes_on(last, segment):
                    segment.start = last.start
                    segment.kept = False
                    result.pop()
                result.append(segment)
        return result

    def goes_on(self, last: _Segment, segment: _Segment) -> bool:
        """Whether a new paragraph of plain text goes on into a piece that began a paragraph: then it is the piece's."""
        plain = not self.markdown and last.base is None and segment.base is not None
        return plain and self.structural(segment.base or 0) and not self.after_blank(segment.start)

    def inner(self, segment: _Segment, last: _Segment) -> bool:
        """Whether the segment begins with a line that stands inside the piece before, in the base, and not yet now."""
        if last.base is None or last.kept or not self.markdown:
            return False
        line = cut.split_lines(self.text[segment.start : segment.end].lstrip(_BLANK))[0].strip()
        inside = _lines(_below_first_line(self.base[last.base]))
        return line in inside and inside[line] > _lines(_below_first_line(self.text[last.start : last.end]))[line]

    def finish(self, segments: list[_Segment]) -> Alignment:
        text = self.text
        parts = [
            Part(None if segment.base is None else self.numbers[segment.base], text[segment.start : segment.end])
            for segment in segments
        ]
        missing = tuple(self.numbers[index] for index in sorted(self.left))
        parts, merged = _origins(self.all, parts, missing)
        parts = _with_empty(self.all, parts)
        order = [(number, part.base) for number, part in enumerate(parts) if part.base is not None]
        in_place = {order[position][0] for position in _increasing([base for _, base in order])}
        moved = tuple(
            part if part.base is None or number in in_place else Part(part.base, part.body, moved=True)
            for number, part in enumerate(parts)
        )
        _check(self.all, text, moved, missing)
        return Alignment(moved, missing, merged)


class _Carry:
    """Carries places of the old text to the new one where no structure does: by the lines, then by the words."""

    def __init__(
        self, old: list[str], old_at: list[int], new: list[str], new_at: list[int], pairs: list[tuple[int, int]]
    ) -> None:
        self.old, self.old_at, self.new, self.new_at = old, old_at, new, new_at
        self.pairs = [(-1, -1), *pairs, (len(old), len(new))]
        self.blocks: dict[int, tuple[list[int], list[tuple[int, int]], list[tuple[int, int]]]] = {}

    def place(self, offset: int) -> int | None:
        line = bisect_right(self.old_at, offset) - 1
        number = bisect_right(self.pairs, (line, len(self.new))) - 1
        i, j = self.pairs[number]
        if i == line:
            return self.new_at[j] + offset - self.old_at[line]
        i, j = i + 1, j + 1
        end, until = self.pairs[number + 1]
        if j == until:
            return self.new_at[j] if j < len(self.new) else None
        if offset == self.old_at[i]:
            return self.new_at[j]
        if number not in self.blocks:
            self.blocks[number] = self.tokens(i, end, j, until)
        return self.inside(offset, *self.blocks[number])

    def tokens(
        self, i: int, end: int, j: int, until: int
    ) -> tuple[list[int], list[tuple[int, int]], list[tuple[int, int]]]:
        """Where the old tokens begin; where the new ones begin and end; which are the same."""
        old = _TOKEN.findall("".join(self.old[i:end]))
        new = [
            (self.new_at[k] + found.start(), found.group())
            for k in range(j, until)
            for found in _TOKEN.finditer(self.new[k])
        ]
        same = _match(old, [token for _, token in new])
        return _offsets(old, self.old_at[i]), [(start, start + len(token)) for start, token in new], same

    def inside(self, offset: int, old: list[int], new: list[tuple[int, int]], same: list[tuple[int, int]]) -> int:
        token = bisect_right(old, offset) - 1
        number = bisect_right(same, (token, len(new))) - 1
        if number < 0:
            return new[0][0]
        i, j = same[number]
        return new[j][0] + offset - old[i] if i == token else new[j][1]


# --------------------------------------------------------------------------------------------------------- parts


def _origins(base: Sequence[str], parts: list[Part], missing: Sequence[int]) -> tuple[list[Part], dict[int, int]]:
    """What became of lines that left their piece: into which piece one was merged, out of which one a new part came."""
    if not missing and all(part.base is not None for part in parts):
        return parts, {}
    lost: dict[str, list[int]] = defaultdict(list)
    gained: dict[str, list[int]] = defaultdict(list)
    for part in parts:
        if part.base is not None and part.body != base[part.base]:
            now, before = _lines(part.body), _lines(base[part.base])
            for line in before - now:
                lost[line].append(part.base)
            for line in now - before:
                gained[line].append(part.base)
    for index in missing:
        for line in _lines(base[index]):
            lost[line].append(index)

    def source(body: str, holders: Mapping[str, list[int]]) -> int | None:
        lines = _lines(_below_first_line(body)) or _lines(body)
        votes: Counter[int] = Counter()
        for line, count in lines.items():
            for index in holders.get(line, [])[:_RARE]:
                votes[index] += len(line) * count
        total = sum(len(line) * count for line, count in lines.items())
        best = min(votes, key=lambda index: (-votes[index], index), default=None)
        return best if best is not None and 2 * votes[best] >= total else None

    result = [
        part if part.base is not None else Part(None, part.body, split_from=source(part.body, lost)) for part in parts
    ]
    found = ((index, source(base[index], gained)) for index in missing)
    return result, {index: into for index, into in found if into is not None}


def _with_empty(base: Sequence[str], parts: list[Part]) -> list[Part]:
    """The pieces without text stand right behind their predecessor, as far as that is there."""
    if all(base):
        return parts
    present = {part.base for part in parts}
    behind: dict[int, list[Part]] = defaultdict(list)
    last = -1
    for index, body in enumerate(base):
        if not body:
            behind[last].append(Part(index, ""))
        elif index in present:
            last = index
    result = behind[-1]
    for part in parts:
        result.append(part)
        if part.base is not None:
            result += behind[part.base]
    return result


def _check(base: Sequence[str], text: str, parts: Iterable[Part], missing: Iterable[int]) -> None:
    parts = list(parts)
    indexes = sorted([*missing, *(part.base for part in parts if part.base is not None)])
    if "".join([part.body for part in parts]) != text or indexes != list(range(len(base))):
        raise cut.CutError("the parts do not join to the text, or a piece is lost or doubled; nothing may be changed")

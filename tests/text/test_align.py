"""Which piece is which part of an edited file: each case by example, the laws by Hypothesis."""

from __future__ import annotations

import functools
import os
import random
import tarfile
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iucore.textcode import cut
from iucore.textcode.align import _increasing, _match, align, closest, similarity

PLAIN = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
CHECKOUT = Path(__file__).resolve().parents[2]
CORPORA = Path(os.environ.get("IUCORE_CORPORA") or CHECKOUT.parent / "shared" / "corpora")

FRONT = "---\nname: x\n---\n\n"
INTRO = "intro to it\n\n"
A = "# A\n\nalpha one\nalpha two\n\n"
B = "## B\n\nbeta one\nbeta two\n\n"
C = "## C\n\ngamma one\ngamma two\n"
BASE = [INTRO, A, B, C]
TEXT = "".join(BASE)


def lawful(base, text, suffix=".md"):
    """The alignment, having checked what holds for all."""
    found = align(base, text, suffix=suffix)
    assert "".join(part.body for part in found.parts) == text
    order = [part.base for part in found.parts if part.base is not None]
    assert sorted([*order, *found.missing]) == list(range(len(base)))
    assert all(base[index] for index in found.missing)
    moved = [part.base for part in found.parts if part.moved]
    still = [index for index in order if index not in set(moved)]
    assert still == sorted(still)
    assert len(still) == len(_increasing(order))
    assert None not in moved
    assert all(part.body or not base[part.base] for part in found.parts)
    assert all(part.base is None or part.split_from is None for part in found.parts)
    assert set(found.merged) <= set(found.missing)
    assert set(found.merged.values()) <= set(order)
    return found


def seen(base, text, suffix=".md"):
    """In short: what stands for each part (its index, with the body where it changed), what is missing and merged."""
    found = lawful(base, text, suffix)
    parts = []
    for part in found.parts:
        sign = "new" if part.base is None else f"{part.base}"
        sign += ">" if part.moved else ""
        sign += f"<{part.split_from}" if part.split_from is not None else ""
        same = part.base is not None and part.body == base[part.base]
        parts.append(sign if same else (sign, part.body))
    return parts, found.missing, dict(found.merged)


def unharmed(*parts):
    return list(parts), (), {}


# ------------------------------------------------------------------------------------------------------- examples

EXAMPLES = {
    "nothing": (BASE, TEXT, unharmed("0", "1", "2", "3")),
    "edited": (
        BASE,
        TEXT.replace("beta one", "beta 1"),
        unharmed("0", "1", ("2", B.replace("beta one", "beta 1")), "3"),
    ),
    "moved": (BASE, INTRO + A + C + B, unharmed("0", "1", "3>", "2")),
    "moved and edited": (
        BASE,
        INTRO + C.replace("one", "1") + A + B,
        unharmed("0", ("3>", C.replace("one", "1")), "1", "2"),
    ),
    "moved, edited, renamed": (
        BASE,
        INTRO + C.replace("one", "1").replace("## C", "## Gammas") + A + B,
        unharmed("0", ("3>", "## Gammas\n\ngamma 1\ngamma two\n"), "1", "2"),
    ),
    "heading renamed and body edited": (
        BASE,
        TEXT.replace("## B\n\nbeta one", "## Betas\n\nbeta 1"),
        unharmed("0", "1", ("2", "## Betas\n\nbeta 1\nbeta two\n\n"), "3"),
    ),
    "heading level changed": (
        BASE,
        TEXT.replace("## B", "### B"),
        unharmed("0", "1", ("2", B.replace("## B", "### B")), "3"),
    ),
    "heading level and words changed": (
        BASE,
        TEXT.replace("## B", "#### Betas"),
        unharmed("0", "1", ("2", B.replace("## B", "#### Betas")), "3"),
    ),
    "two neighbours at their boundary": (
        BASE,
        TEXT.replace("beta two\n\n## C", "beta 2\n## Gammas"),
        unharmed("0", "1", ("2", "## B\n\nbeta one\nbeta 2\n"), ("3", C.replace("## C", "## Gammas"))),
    ),
    "duplicated": (BASE, INTRO + A + B + A + C, unharmed("0", "1", "2", ("new", A), "3")),
    "duplicated at once": (BASE, INTRO + A + A + B + C, unharmed("0", "1", ("new", A), "2", "3")),
    "merged": (
        BASE,
        TEXT.replace("## C\n\n", ""),
        (["0", "1", ("2", B + "gamma one\ngamma two\n")], (3,), {3: 2}),
    ),
    "split": (
        BASE,
        TEXT.replace("beta two\n", "## New\n\nbeta two\n"),
        unharmed("0", "1", ("2", "## B\n\nbeta one\n"), ("new<2", "## New\n\nbeta two\n\n"), "3"),
    ),
    "new section": (
        BASE,
        INTRO + A + "## New\n\nx\n\n" + B + C,
        unharmed("0", "1", ("new", "## New\n\nx\n\n"), "2", "3"),
    ),
    "new deeper heading": (
        BASE,
        INTRO + A + "### New\nx\n" + B + C,
        unharmed("0", "1", ("new", "### New\nx\n"), "2", "3"),
    ),
    "new deeper heading where such ones begin nothing": (
        [INTRO, A + "### Inside\n", B, C],
        INTRO + A + "### Inside\n### New\nx\n" + B + C,
        unharmed("0", ("1", A + "### Inside\n### New\nx\n"), "2", "3"),
    ),
    "section removed": (BASE, INTRO + A + C, (["0", "1", "3"], (2,), {})),
    "section rewritten": (
        BASE,
        INTRO + A + "## Other\n\nno word as before\n" + C,
        (["0", "1", ("new", "## Other\n\nno word as before\n"), "3"], (2,), {}),
    ),
    "body rewritten under its heading": (
        BASE,
        INTRO + A + "## B\n\nno word as before\n" + C,
        unharmed("0", "1", ("2", "## B\n\nno word as before\n"), "3"),
    ),
    "only a heading": (["# A\n", "# B\n", "# C\n"], "# A\n# Other\n# C\n", unharmed("0", ("1", "# Other\n"), "2")),
    "text appended": (BASE, TEXT + "end", unharmed("0", "1", "2", ("3", C + "end"))),
    "text behind a missing line end": (["# A\n", "# B"], "# A\n# B# C\n", unharmed("0", ("1", "# B# C\n"))),
    "text in front of a preamble": (BASE, "x\n" + TEXT, unharmed(("0", "x\n" + INTRO), "1", "2", "3")),
    "text in front of a heading": ([A, B], "x\n" + A + B, unharmed(("new", "x\n"), "0", "1")),
    "blank line in front of a heading": ([A, B], "\n" + A + B, unharmed(("0", "\n" + A), "1")),
    "section in front": ([INTRO, A], "# New\nx\n" + INTRO + A, unharmed(("new", "# New\nx\n"), "0", "1")),
    "preamble becomes a section": ([INTRO, A], "# Intro\n" + INTRO + A, unharmed(("new", "# Intro\n"), "0", "1")),
    "first heading removed": ([A, B], A.removeprefix("# A\n\n") + B, unharmed(("0", "alpha one\nalpha two\n\n"), "1")),
    "emptied": (BASE, "", ([], (0, 1, 2, 3), {})),
    "replaced": (BASE, "# Other\n\nno word\n", ([("new", "# Other\n\nno word\n")], (0, 1, 2, 3), {})),
    "was empty": ([], TEXT, unharmed(("new", INTRO), ("new", A), ("new", B), ("new", C))),
    "line ends": (
        BASE,
        TEXT.replace("\n", "\r\n"),
        unharmed(*((str(index), body.replace("\n", "\r\n")) for index, body in enumerate(BASE))),
    ),
    "line ends, and moved": (
        [body.replace("\n", "\r\n") for body in BASE],
        (INTRO + B + A + C).replace("\n", "\r\n"),
        unharmed("0", "2>", "1", "3"),
    ),
    "old line ends": (["# A\r\r", "# B\rb\r"], "# A\rx\r# B\rb\r", unharmed(("0", "# A\rx\r"), "1")),
    "spaces": (
        BASE,
        TEXT.replace("\n", " \n"),
        unharmed(*((str(index), body.replace("\n", " \n")) for index, body in enumerate(BASE))),
    ),
    "front matter edited": ([FRONT, A], FRONT.replace("x", "y") + A, unharmed(("0", FRONT.replace("x", "y")), "1")),
    "front matter added": ([INTRO, A], FRONT + INTRO + A, unharmed(("new", FRONT), "0", "1")),
    "front matter removed": ([FRONT, INTRO, A], INTRO + A, (["1", "2"], (0,), {})),
    "text behind front matter": ([FRONT, A], FRONT + "x\n" + A, unharmed("0", ("new", "x\n"), "1")),
    "heading behind front matter removed": (
        [FRONT, A, B],
        FRONT + A.removeprefix("# A\n\n") + B,
        unharmed("0", ("1", "alpha one\nalpha two\n\n"), "2"),
    ),
    "a rule is no front matter": (
        [A, B],
        A + "---\nname: x\n---\n" + B,
        unharmed(("0", A + "---\n"), ("new", "name: x\n---\n"), "1"),
    ),
    "byte order mark added": ([A, B], "\ufeff" + A + B, unharmed(("0", "\ufeff" + A), "1")),
    "byte order mark removed": (["\ufeff" + FRONT, A], FRONT + A, unharmed(("0", FRONT), "1")),
    "byte order mark before front matter": ([FRONT, A], "\ufeff" + FRONT + A, unharmed(("0", "\ufeff" + FRONT), "1")),
    "deeper headings inside a piece": (
        ["# T\n", "## A\naa aa\n### I\nbb bb bb\n", "## B\ncc cc cc\n"],
        "# T\n## B\ncc cc 3\n## A\naa 1\n### I\nbb bb 2\n",
        unharmed("0", ("2>", "## B\ncc cc 3\n"), ("1", "## A\naa 1\n### I\nbb bb 2\n")),
    ),
    "a heading inside a piece as deep as others": (
        ["# T\n", "# A\naa aa\n# I\nbb bb bb\n", "# B\ncc cc cc\n"],
        "# T\n# B\ncc cc 3\n# A\naa 1\n# I\nbb bb 2\n",
        unharmed("0", ("2>", "# B\ncc cc 3\n"), ("1", "# A\naa 1\n# I\nbb bb 2\n")),
    ),
    "a fence opened": (BASE, INTRO + A + "```\n" + B + C, unharmed("0", ("1", A + "```\n"), "2", "3")),
    "a heading in a fence": (
        BASE,
        INTRO + A + "```\n# no\n```\n" + B + C,
        unharmed("0", ("1", A + "```\n# no\n```\n"), "2", "3"),
    ),
    "underlined heading": (
        ["One\n===\nx\n", "Two\n===\ny\n"],
        "One\n===\nx\nToo\n===\ny\n",
        unharmed("0", ("1", "Too\n===\ny\n")),
    ),
    "equal headings": (
        ["# T\n", "## N\n\nalpha beta gamma\n\n", "## N\n\ndelta epsilon zeta\n\n", "## End\n"],
        "# T\n## N\n\ndelta epsilon eta\n\n## End\n",
        (["0", ("2", "## N\n\ndelta epsilon eta\n\n"), "3"], (1,), {}),
    ),
    "one of many equal lines": (["a\n"] * 5, "a\na\na\n", (["0", "1", "2"], (3, 4), {})),
    "blank pieces": (["\n", "a\n", "\n", "b\n", "\n"], "\na\n\nbb\n\n", unharmed("0", "1", "2", ("3", "bb\n"), "4")),
    "blank pieces around a move": (
        ["\n", "## A\nx y\n", "\n", "## B\nz w\n", "\n"],
        "\n## B\nz w\n\n## A\nx y\n\n",
        unharmed("0", "3>", "2>", "1", "4"),
    ),
    "boundaries inside a line": (
        ["the quick ", "brown fox\n", "jumps over", " the dog"],
        "the very quick red fox\njumps slowly over a dog",
        unharmed(("0", "the very quick "), ("1", "red fox\n"), ("2", "jumps slowly over"), ("3", " a dog")),
    ),
    "line ends that begin a piece": (
        ["## A\na", "\n\n## B\nb", "\n\n## C\nc"],
        "## A\naa\n\n## B\nbb\n\n## C\nc",
        unharmed(("0", "## A\naa"), ("1", "\n\n## B\nbb"), "2"),
    ),
    "line end in front of a heading lost": ([A, "## B\n"], A[:-2] + "## B\n", (([("0", A[:-2] + "## B\n")]), (1,), {})),
    "empty pieces": (
        ["", A, "", "", B, ""],
        B + A,
        unharmed("0", "4>", "5>", "1", "2", "3"),
    ),
    "empty pieces of one that is missing": ([A, B, "", C], A + C, (["0", "2", "3"], (1,), {})),
    "all empty": (["", ""], "", unharmed("0", "1")),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name):
    base, text, expected = EXAMPLES[name]
    assert seen(base, text) == expected


ONE, TWO, THREE = "one alpha\nbeta\n\n", "two gamma\ndelta\n\n", "three epsilon\n"
PLAIN_TEXT = {
    "paragraph new and others edited": (
        ONE.replace("beta", "b") + "new\n\n" + TWO.replace("two", "2") + THREE,
        unharmed(("0", "one alpha\nb\n\n"), ("new", "new\n\n"), ("1", "2 gamma\ndelta\n\n"), "2"),
    ),
    "split by a blank line": (
        "one alpha\n\nbeta\n\n" + TWO + THREE,
        unharmed(("0", "one alpha\n\n"), ("new<0", "beta\n\n"), "1", "2"),
    ),
    "blank line removed": (ONE[:-1] + TWO + THREE, unharmed(("0", ONE[:-1]), "1", "2")),
    "merged": (
        ONE[:-1] + "and gamma\ndelta\n\n" + THREE,
        ([("0", "one alpha\nbeta\nand gamma\ndelta\n\n"), "2"], (1,), {1: 0}),
    ),
    "rewritten at its place": (ONE + "no word\n\n" + THREE, unharmed("0", ("1", "no word\n\n"), "2")),
    "moved and edited": (
        THREE + "\n" + ONE + TWO.replace("delta", "delta delta"),
        unharmed(("2>", THREE + "\n"), "0", ("1", "two gamma\ndelta delta\n\n")),
    ),
    "removed": (ONE + THREE, (["0", "2"], (1,), {})),
    "a heading is nothing special": (ONE + TWO + "# New\n" + THREE, unharmed("0", "1", ("2", "# New\n" + THREE))),
}


@pytest.mark.parametrize("name", PLAIN_TEXT)
def test_plain_text(name):
    text, expected = PLAIN_TEXT[name]
    assert seen([ONE, TWO, THREE], text, ".txt") == expected


def test_large_files_are_not_quadratic():
    many = 200_000
    found = lawful(["a\n" * many], "a\n" * 50_000 + "b\n" + "a\n" * 100_000 + "c\n" + "a\n" * 50_000)
    assert len(found.parts) == 1
    base = [f"## {index}\n\nSame.\n\n" for index in range(3000)]
    found = lawful(base, "".join(base).replace("## ", "## Section "))
    assert [part.base for part in found.parts] == list(range(3000))


# ---------------------------------------------------------------------------------------------------- similarity

SOME_TEXT = st.text(alphabet="ab cdé中文.\n", max_size=40)


@PLAIN
@given(SOME_TEXT, SOME_TEXT)
def test_similarity_is_a_measure(one, other):
    assert similarity(one, one) == 1
    assert 0 <= similarity(one, other) <= 1
    assert similarity(one, other) == similarity(other, one)


def test_similarity():
    assert similarity("some words", "wholly other") == 0
    assert similarity("", "x") == 0
    assert similarity("re wrapped\nlines of text", "Re\nwrapped lines of text\n") == 1
    assert similarity("我们重写这句话", "我们改写这句话") > 0.5


def test_closest_takes_each_text_once():
    ones = [f"alpha beta number{index}" for index in range(50)]
    assert sorted(closest(ones, ones[::-1], least=0.9)) == [(index, 49 - index) for index in range(50)]
    assert closest(["a b c"], ["a b c", "a b c"], least=0.5) == [(0, 0)]
    assert closest([], ["a"], least=0) == []


@PLAIN
@given(st.lists(st.integers(0, 4), max_size=40), st.lists(st.integers(0, 4), max_size=40))
def test_matching_lines_increase(one, other):
    one, other = list(map(str, one)), list(map(str, other))
    pairs = _match(one, other)
    assert all(one[i] == other[j] for i, j in pairs)
    assert all(a < c and b < d for (a, b), (c, d) in pairwise(pairs))
    assert _match(one, one) == [(index, index) for index in range(len(one))]


# ----------------------------------------------------------------------------------------------------------- laws

LINES = [
    "",
    "",
    "a",
    "b",
    "some more words",
    "# A",
    "# B",
    "## C",
    "### D",
    "===",
    "---",
    "```",
    "  ",
    "- x",
    "中文 字",
]
LINES += ["\ufeff", "\ufeff# A", "a\x0cb\u2028c"]
LINE = st.tuples(st.sampled_from(LINES), st.sampled_from(["\n", "\n", "\n", "\r\n", "\r", ""])).map("".join)
BODY = st.lists(LINE, max_size=5).map("".join)
CALM = st.tuples(st.sampled_from(["", "a", "b", "some more words", "  ", "- x"]), st.sampled_from(["\n", "\r\n"]))
CALM_LINE = CALM.map("".join)
CALM_LINES = st.lists(CALM_LINE, max_size=4)
SUFFIX = st.sampled_from([".md", ".txt"])


@PLAIN
@given(st.lists(BODY, max_size=7), BODY, SUFFIX, st.data())
def test_any_text(base, text, suffix, data):
    if data.draw(st.booleans()):
        bodies = data.draw(st.permutations(base))
        start = data.draw(st.integers(0, len(bodies)))
        text = "".join([*bodies[:start], text, *bodies[start + 1 :]])
    assert lawful(base, text, suffix) == lawful(base, text, suffix)


@PLAIN
@given(st.lists(BODY, max_size=7), SUFFIX)
def test_no_edit_is_no_change(base, suffix):
    assert seen(base, "".join(base), suffix) == unharmed(*map(str, range(len(base))))


@PLAIN
@given(st.lists(st.lists(LINE, min_size=1, max_size=4).map("".join), max_size=7), SUFFIX, st.data())
def test_a_permutation_moves_only(bodies, suffix, data):
    base = [f"## {index}\n{body}\n" for index, body in enumerate(bodies)]
    order = data.draw(st.permutations(range(len(base))))
    found = lawful(base, "".join(base[index] for index in order), suffix)
    assert [(part.base, part.body) for part in found.parts] == [(index, base[index]) for index in order]


@PLAIN
@given(st.lists(CALM_LINES, min_size=1, max_size=6), SUFFIX, st.booleans(), st.data())
def test_an_edit_inside_a_piece_touches_only_that(bodies, suffix, headed, data):
    # Each with a first line of its own; in plain text no blank line inside, for that would divide a paragraph.
    def body(lines):
        return "".join(lines) if suffix == ".md" else "".join([*filter(str.strip, lines), "\n"])

    firsts = [f"## {index}\n" if headed else f"piece {index}\n" for index in range(len(bodies))]
    base = [first + body(lines) for first, lines in zip(firsts, bodies, strict=True)]
    index = data.draw(st.integers(0, len(base) - 1))
    lines = data.draw(st.lists(st.sampled_from(bodies[index]) | CALM_LINE if bodies[index] else CALM_LINE, max_size=5))
    edited = [*base[:index], firsts[index] + body(lines), *base[index + 1 :]]
    found = lawful(base, "".join(edited), suffix)
    assert [(part.base, part.body, part.moved) for part in found.parts] == [
        (number, text, False) for number, text in enumerate(edited)
    ]


@PLAIN
@given(st.lists(CALM_LINES, min_size=1, max_size=6), st.data())
def test_an_edit_among_equal_headings_touches_one(bodies, data):
    base = [f"## {index % 2}\n" + "".join(lines) for index, lines in enumerate(bodies)]
    index = data.draw(st.integers(0, len(base) - 1))
    edited = f"## {index % 2}\n" + "".join(data.draw(CALM_LINES))
    found = lawful(base, "".join([*base[:index], edited, *base[index + 1 :]]))
    assert [part.base for part in found.parts] == list(range(len(base)))
    assert sum(part.body != base[part.base] for part in found.parts) <= 1


# ------------------------------------------------------------------------------------------------- real documents


@functools.cache
def documents(name):
    """The first 150 with some pieces: to unpack a whole archive takes seconds."""
    archive = CORPORA / f"{name}.tar.xz"
    if not archive.is_file():
        pytest.skip("the archive is not here")
    found = []
    with tarfile.open(archive) as packed:
        for member in packed:
            if member.isfile() and member.name.endswith((".md", ".txt")) and member.size < 100_000:
                suffix = Path(member.name).suffix
                base = [piece.body for piece in cut.cut(packed.extractfile(member).read().decode(), suffix=suffix)]
                found += [(suffix, base)] if len(base) > 3 else []
                if len(found) == 150:
                    break
    return found


def scribbled(random, base):
    """The text after some edits of whatever kind."""
    pieces = list(base)
    for _ in range(random.randrange(1, 6)):
        index = random.randrange(len(pieces))
        lines = cut.split_lines(pieces[index])
        number = random.randrange(len(lines)) if lines else 0
        match random.choice(["insert", "delete", "replace", "move", "double", "remove", "rename", "section", "swap"]):
            case "insert":
                lines.insert(number, "an inserted line of text\n")
            case "delete":
                del lines[number : number + random.randrange(1, 4)]
            case "replace":
                lines[number : number + 1] = [f"another {line}" for line in lines[number : number + 1]]
            case "move":
                other = pieces.pop(index)
                pieces.insert(random.randrange(len(pieces) + 1), other)
                continue
            case "double":
                pieces.insert(random.randrange(len(pieces) + 1), pieces[index])
                continue
            case "remove":
                if len(pieces) > 1:
                    del pieces[index]
                continue
            case "rename":
                lines[:1] = ["## Renamed\n"]
            case "section":
                lines.insert(number, "## A new section\n")
            case "swap":
                lines.reverse()
        pieces[index] = "".join(lines)
    return "".join(pieces)


@pytest.mark.corpora
@pytest.mark.parametrize("name", ["site-policy", "runbooks", "commonmark-spec", "enhancements"])
def test_real_documents_scribbled_in(name):
    rng = random.Random(name)
    found = documents(name)
    for suffix, base in rng.sample(found, min(len(found), 60)):
        assert seen(base, "".join(base), suffix) == unharmed(*map(str, range(len(base))))
        for _ in range(3):
            lawful(base, scribbled(rng, base), suffix)


@pytest.mark.corpora
@pytest.mark.parametrize("name", ["site-policy", "runbooks", "enhancements"])
def test_real_documents_with_one_edit(name):
    rng = random.Random(name)
    found = [base for suffix, base in documents(name) if suffix == ".md" and len(set(base)) == len(base)]
    for base in rng.sample(found, min(len(found), 60)):
        index = rng.randrange(1, len(base))
        lines = cut.split_lines(base[index])
        if len(lines) < 4 or not lines[-1].endswith("\n") or not lines[0].startswith("#"):
            continue
        kept = [*base[:index], *base[index + 1 :]]
        body = "".join([*lines[:2], "an inserted line of text\n", *lines[2:]])
        others = list(map(str, range(len(base))))

        expected = [*others[:index], (others[index], body), *others[index + 1 :]]
        assert seen(base, "".join([*base[:index], body, *base[index + 1 :]])) == unharmed(*expected)

        if len("".join(lines[1:])) > 100:
            body = "".join(["## Renamed to this\n", *lines[1:]])
            found_parts = lawful(base, "".join([*base[:index], body, *base[index + 1 :]]))
            assert [part.base for part in found_parts.parts] == list(range(len(base)))

        at = rng.randrange(1, len(base))
        text = [*kept[:at], base[index], *kept[at:]]
        if all(body.endswith("\n") for body in base):
            parts = lawful(base, "".join(text)).parts
            assert [part.body for part in parts] == text
            assert sum(part.moved for part in parts) <= 1
            left = lawful(base, "".join(kept))
            assert [part.body for part in left.parts] == kept
            assert len(left.missing) == 1

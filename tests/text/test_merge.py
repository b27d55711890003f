"""Merging texts and orders, and the steps between two orders: against models, and by laws."""

from __future__ import annotations

import doctest
import itertools
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iucore.textcode import merge
from iucore.textcode.cut import split_lines
from iucore.textcode.merge import Clash, Merged, OrderClash, Step, changes, increasing, merge_order, merge_text, steps

ENDS = ["\n", "\r\n", "\r"]


def test_examples():
    failed, attempted = doctest.testmod(merge)
    assert attempted and not failed


# --------------------------------------------------------------------------------------------------------- increasing


@given(st.lists(st.integers(0, 9), max_size=9))
def test_increasing_is_a_longest_one(values):
    found = increasing(values)
    assert found == sorted(set(found))
    chosen = [values[position] for position in found]
    assert chosen == sorted(set(chosen))
    longer = itertools.combinations(values, len(found) + 1)
    assert not any(all(one < other for one, other in itertools.pairwise(run)) for run in longer)


# ------------------------------------------------------------------------------------------------------------ changes


def kept_of(old, new, found):
    """What is kept of both, by a list of changes; each must change something, and something is kept between two."""
    sides = ([], [])
    a = c = 0
    for number, (lo, hi, start, stop) in enumerate(found):
        assert (a < lo and c < start) or number == 0
        assert lo < hi or start < stop
        sides[0].extend(old[a:lo])
        sides[1].extend(new[c:start])
        a, c = hi, stop
    sides[0].extend(old[a:])
    sides[1].extend(new[c:])
    assert sides[0] == sides[1]
    return sides[0]


@pytest.mark.parametrize(("budget", "run"), [(merge._BUDGET, merge._RUN), (0, 2), (0, 99)])
@given(data=st.data())
@settings(max_examples=60)
def test_changes_are_changes(data, budget, run):
    letters = st.lists(st.sampled_from("abcd"), max_size=30)
    old, new = data.draw(letters), data.draw(letters)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merge, "_BUDGET", budget)
        patch.setattr(merge, "_RUN", run)
        kept_of(old, new, changes(old, new))
    assert changes(old, old) == []


@given(st.permutations(range(8)), st.integers(0, 8), st.integers(0, 8))
def test_changes_of_items_that_stand_once_are_fewest(order, start, stop):
    old, new = list(range(stop)), order[start:]
    common = [item for item in new if item in old]
    assert len(kept_of(old, new, changes(old, new))) == len(increasing(common))


def test_changes_of_equal_lines_are_not_quadratic():
    lines = ["x\n"] * 100_000
    start = time.process_time()
    assert changes(lines, ["a\n", *lines[:50_000], "b\n", *lines[50_000:], "c\n"]) == [
        (0, 0, 0, 1),
        (50_000, 50_000, 50_001, 50_002),
        (100_000, 100_000, 100_002, 100_003),
    ]
    assert time.process_time() - start < 3


def test_changes_of_long_lists_without_a_line_that_stands_once():
    dice = random.Random(4)
    old = [dice.randrange(200) for _ in range(20_000)]
    new = [-place if place and place % 200 == 0 else item for place, item in enumerate(old)]
    assert changes(old, new) == [(place, place + 1, place, place + 1) for place in range(200, 20_000, 200)]


def test_changes_of_odd_orders_are_not_quadratic():
    """Nothing repeats more often than it must, and each fixed point shows only the next one."""
    old = ["x"]
    for number in range(13):
        old = [*old, number, *old]
    start = time.process_time()
    kept_of(old, old[::-1] + old, changes(old, old[::-1] + old))
    kept_of(old[1:], [-1, *old[3000:], *old[:3000]], changes(old[1:], [-1, *old[3000:], *old[:3000]]))
    every_other = [item if place % 2 else -place - 1 for place, item in enumerate(range(20_000))]
    assert len(changes(range(20_000), every_other)) == 10_000
    assert time.process_time() - start < 5


# -------------------------------------------------------------------------------------------------------------- texts


@st.composite
def texts(draw):
    """Texts of few different lines, with all ends and with none at the last."""
    lines = draw(st.lists(st.sampled_from(["a", "b", "c", "d", ""]), max_size=7))
    ends = draw(st.sampled_from([[end] for end in ENDS] + [ENDS]))
    text = "".join(line + draw(st.sampled_from(ends)) for line in lines)
    return text.rstrip("\r\n") if draw(st.booleans()) else text


def take(marked: str, side: int) -> str:
    """The text with the version of one side (0 ours, 1 base, 2 theirs) where there are marks."""
    taken = []
    state = -1
    for line in split_lines(marked):
        mark = line[:7]
        if mark in ("<<<<<<<", "|||||||", "=======", ">>>>>>>"):
            assert line.rstrip("\r\n")[7:] == ["", " file", " exported", "", " database"][state + 2]
            state = state + 1 if state < 2 else -1
        elif state in (-1, side):
            taken.append(line)
    assert state == -1
    return "".join(taken)


@given(texts(), texts())
@settings(max_examples=150)
def test_one_side_alone_is_taken_as_it_is(base, text):
    assert merge_text(base, base, text) == Merged(text, (), text)
    assert merge_text(base, text, base) == Merged(text, (), text)
    assert merge_text(base, text, text) == Merged(text, (), text)


@given(texts(), texts(), texts())
@settings(max_examples=200)
def test_sides_may_be_swapped_and_marks_hold_both(base, ours, theirs):
    merged, swapped = merge_text(base, ours, theirs), merge_text(base, theirs, ours)
    assert merged.text == swapped.text
    assert [(clash.line, clash.base, clash.theirs, clash.ours) for clash in merged.clashes] == [
        (clash.line, clash.base, clash.ours, clash.theirs) for clash in swapped.clashes
    ]
    assert (merged.text is None) == bool(merged.clashes)
    if not merged.clashes:
        assert merged.marked == merged.text
    assert merged.marked.count("<<<<<<<") == len(merged.clashes)
    for clash in merged.clashes:
        assert clash.base != clash.ours != clash.theirs != clash.base
        assert clash.base in base and clash.ours in ours and clash.theirs in theirs
        assert "".join(split_lines(base)[clash.line - 1 :]).startswith(clash.base)
        assert clash.ours in take(merged.marked, 0)
        assert clash.base in take(merged.marked, 1)
        assert clash.theirs in take(merged.marked, 2)


@given(texts(), texts(), texts())
@settings(max_examples=150)
def test_no_line_is_glued_to_another(base, ours, theirs):
    base, ours, theirs = (text.replace("\r\n", "\n").replace("\r", "\n") for text in (base, ours, theirs))
    known = {line for text in (base, ours, theirs) for line in split_lines(text)}
    merged = merge_text(base, ours, theirs)
    if merged.text is not None:
        assert known.issuperset(split_lines(merged.text))


@st.composite
def scripts(draw):
    """A number of lines, and edits of two sides that do not overlap: (side, from, to, number of new lines)."""
    edits = []
    position = 0
    last = [-1, -1]
    for _ in range(draw(st.integers(0, 6))):
        side = draw(st.integers(0, 1))
        start = max(position + draw(st.integers(0, 2)), last[side] + 1)  # a side's own neighbours are one edit
        stop = start + draw(st.integers(0, 2))
        if edits and start == stop == edits[-1][1] == edits[-1][2]:
            start, stop = start + 1, stop + 1
        edits.append((side, start, stop, draw(st.integers(1 if start == stop else 0, 2))))
        position = last[side] = stop
    return position + draw(st.integers(0, 2)), edits


@given(scripts(), st.sampled_from(ENDS), st.booleans())
@settings(max_examples=200)
def test_edits_of_different_lines_merge(script, end, ended):
    count, edits = script

    def text(sides) -> str:
        lines = []
        position = 0
        for number, (side, start, stop, new) in enumerate(edits):
            if side in sides:
                lines += [f"line {line}" for line in range(position, start)]
                lines += [f"new {number} {line}" for line in range(new)]
                position = stop
        lines += [f"line {line}" for line in range(position, count)]
        return "".join(line + end for line in lines) + ("" if ended else "last")

    wanted = text((0, 1))
    assert merge_text(text(()), text((0,)), text((1,))) == Merged(wanted, (), wanted)


def test_an_overlap_is_a_clash_and_the_rest_merges():
    merged = merge_text("1\n2\n3\n4\n5\n6\n", "1\n2a\n3a\n4\n5\n", "0\n1\n2\n3b\n4b\n5\n6\n")
    assert merged == Merged(
        None,
        (Clash(2, "2\n3\n4\n", "2a\n3a\n4\n", "2\n3b\n4b\n"),),
        "0\n1\n<<<<<<< file\n2a\n3a\n4\n||||||| exported\n2\n3\n4\n=======\n2\n3b\n4b\n>>>>>>> database\n5\n",
    )


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "wanted"),
    [
        ("", "", "", ""),
        ("", "a", "", "a"),
        ("a", "", "a", ""),
        ("1\n2\n", "1a\n2\n", "1\n2b\n", "1a\n2b\n"),
        ("1\n2\n", "1\n", "1\n2\n3\n", "1\n3\n"),
        ("1\n2", "0\n1\n2", "1\n2b", "0\n1\n2b"),
        ("1\n2\n", "0\n1\n2\n", "1\n2", "0\n1\n2"),
        ("1\r\n2\r\n", "1a\r\n2\r\n", "1\r\n2\n", "1a\r\n2\n"),
        ("1\r2\r", "1a\r2\r", "1\r2\r3\r", "1a\r2\r3\r"),
        ("1\x0c\u20282\n3\n", "1\x0c\u20282\n4\n", "1\x0c\u20285\n3\n", "1\x0c\u20285\n4\n"),
        ("\ud8001\n2\n", "\ud8001\n3\n", "4\n2\n", "4\n3\n"),
    ],
)
def test_what_merges(base, ours, theirs, wanted):
    assert merge_text(base, ours, theirs) == Merged(wanted, (), wanted)


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "clash", "marked"),
    [
        ("", "a\n", "b", Clash(1, "", "a\n", "b"), "< f\na\n| e\n=\nb\n> d\n"),
        ("1\n", "1\n2\n", "1\n3\n", Clash(2, "", "2\n", "3\n"), "1\n< f\n2\n| e\n=\n3\n> d\n"),
        ("1\n", "", "1", Clash(1, "1\n", "", "1"), "< f\n| e\n1\n=\n1\n> d\n"),
        # The new line would stand behind a line that has lost its end.
        ("1\n2\n", "1\n2", "1\n2\n3\n", Clash(2, "2\n", "2", "2\n3\n"), "1\n< f\n2\n| e\n2\n=\n2\n3\n> d\n"),
        ("1\n2", "1\n2\n", "1\n2\n3", Clash(2, "2", "2\n", "2\n3"), "1\n< f\n2\n| e\n2\n=\n2\n3\n> d\n"),
        ("1\r\n", "1\n", "1\r", Clash(1, "1\r\n", "1\n", "1\r"), "< f\r\n1\n| e\r\n1\r\n=\r\n1\r> d\r\n"),
        ("1\n2\n3\n", "1\n3\n", "1\n2\n2b\n3\n", None, None),
        ("1\n2\n3\n4\n", "1\n4\n", "1\n2\nx\n3\n4\n", Clash(2, "2\n3\n", "", "2\nx\n3\n"), None),
    ],
)
def test_what_clashes(base, ours, theirs, clash, marked):
    merged = merge_text(base, ours, theirs, names=("f", "e", "d"))
    if clash is None:
        assert merged.text == "1\n2b\n3\n"
        return
    assert merged.text is None and merged.clashes == (clash,)
    if marked is not None:
        for mark in "<|=>":
            marked = marked.replace(mark, mark * 7)
        assert merged.marked == marked


def test_long_texts_merge_fast():
    dice = random.Random(5)
    lines = ["" if number % 3 == 2 else f"{dice.randrange(99)} words of line {number}" for number in range(30_000)]
    ours, theirs = lines.copy(), lines.copy()
    for place in range(0, 30_000, 60):
        ours[place] += " ours"
        theirs[place + 30] += " theirs"
    texts = ["\n".join(text) for text in (lines, ours, theirs)]
    start = time.process_time()
    merged = merge_text(*texts).text
    assert time.process_time() - start < 2
    both = [one if one != line else other for line, one, other in zip(lines, ours, theirs, strict=True)]
    assert merged == "\n".join(both)


# ------------------------------------------------------------------------------------------------------------- orders


def orders(letters: str = "abcdefgh"):
    return st.lists(st.sampled_from(letters), unique=True, max_size=len(letters))


@st.composite
def three_orders(draw):
    """A base, and two orders with some moves, removals and additions, some of them the same ones."""
    base = list("abcdefgh")[: draw(st.integers(0, 8))]
    sides = [base.copy(), base.copy()]
    for _ in range(draw(st.integers(0, 6))):
        token, place = draw(st.sampled_from("abcdefghxyz")), draw(st.integers(0, 9))
        gone = draw(st.integers(0, 3)) == 0
        for order in draw(st.sampled_from([sides[:1], sides[1:], sides])):
            if token in order:
                order.remove(token)
            if not gone:
                order.insert(place, token)
    return base, *sides


def moved(base, order):
    common = [token for token in order if token in base]
    still = increasing([base.index(token) for token in common])
    return [token for position, token in enumerate(common) if position not in still]


@given(three_orders())
@settings(max_examples=200)
def test_orders_merge_as_a_list_is_edited_by_hand(orders):
    base, ours, theirs = orders
    by_us, by_them = moved(base, ours), moved(base, theirs)
    wanted = [token for token in theirs if token not in base or token in ours]
    to_place = [token for token in ours if token in by_us and token in theirs and token not in by_them]
    wanted = [token for token in wanted if token not in to_place]
    to_place += [token for token in ours if token not in base and token not in theirs]
    for position, token in enumerate(ours):
        if token in to_place:
            before = [other for other in ours[:position] if other in wanted]
            wanted.insert(wanted.index(before[-1]) + 1 if before else 0, token)
    result, clashes = merge_order(base, ours, theirs)
    assert result == wanted
    assert set(result) == (set(base) & set(ours) & set(theirs)) | (set(ours) | set(theirs)) - set(base)
    for clash in clashes:
        expected = {
            merge.MOVED_BY_BOTH: clash.token in by_us and clash.token in by_them,
            merge.MOVED_AND_TAKEN_OUT: clash.token in by_us and clash.token not in theirs,
            merge.TAKEN_OUT_AND_MOVED: clash.token in by_them and clash.token not in ours,
        }
        assert expected[clash.why]
    alone = {token for token in by_us if token not in theirs} | {token for token in by_them if token not in ours}
    assert {clash.token for clash in clashes if clash.why != merge.MOVED_BY_BOTH} == alone
    _, swapped = merge_order(base, theirs, ours)
    assert len(swapped) == len(clashes)


@given(orders(), orders("abcdefghxyz"))
@settings(max_examples=150)
def test_one_order_alone_is_taken_as_it_is(base, order):
    assert merge_order(base, base, order) == (order, ())
    assert merge_order(base, order, base) == (order, ())
    assert merge_order(base, order, order) == (order, ())


@given(three_orders(), st.data())
@settings(max_examples=150)
def test_additions_of_one_side_leave_the_order_of_the_other(orders, data):
    base, order, _ = orders
    added = base.copy()
    for token in "123"[: data.draw(st.integers(0, 3))]:
        added.insert(data.draw(st.integers(0, len(added))), token)
    for sides in ((order, added), (added, order)):
        result, clashes = merge_order(base, *sides)
        assert [token for token in result if token not in "123"] == order and not clashes


@given(st.permutations("abcdef"), st.permutations("abcdef"))
@settings(max_examples=150)
def test_what_both_moved_is_together_or_a_clash(ours, theirs):
    """Without a clash, what both moved stands in the result as both have it to what neither moved and to each other."""
    by_us, by_them = moved("abcdef", ours), moved("abcdef", theirs)
    seen = [token for token in "abcdef" if (token in by_us) == (token in by_them)]
    result, clashes = merge_order("abcdef", ours, theirs)
    same = all(
        [token for token in order if token in seen] == [token for token in result if token in seen]
        for order in (ours, theirs)
    )
    assert same == (not clashes)


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "wanted", "clashes"),
    [
        ("abc", "abxc", "abyc", "abxyc", []),
        ("abc", "abxc", "axbc", "axbc", []),
        ("abcd", "dabc", "abc", "abc", [("d", merge.MOVED_AND_TAKEN_OUT)]),
        ("abcd", "abc", "dabc", "abc", [("d", merge.TAKEN_OUT_AND_MOVED)]),
        ("abcd", "dabc", "adbc", "adbc", [("d", merge.MOVED_BY_BOTH)]),
        ("abcde", "deabc", "edabc", "edabc", [("d", merge.MOVED_BY_BOTH)]),
        ("abcd", "abc", "abc", "abc", []),
        ("abcd", "dabcx", "dabyc", "dabycx", []),
    ],
)
def test_orders(base, ours, theirs, wanted, clashes):
    result, found = merge_order(base, ours, theirs)
    assert "".join(result) == wanted
    assert found == tuple(OrderClash(*clash) for clash in clashes)


# -------------------------------------------------------------------------------------------------------------- steps


def applied(current, found):
    order = list(current)
    for step in found:
        assert (step.anchor is None) == (step.at != "after")
        if step.verb != "add":
            order.remove(step.token)
        if step.verb == "remove":
            assert step.at is None
        else:
            assert step.token not in order
            order.insert(0 if step.at == "first" else order.index(step.anchor) + 1, step.token)
    return order


@given(orders("abcdefghij"), orders("abcdefghij"))
@settings(max_examples=200)
def test_steps_lead_from_one_order_to_the_other(current, wanted):
    found = steps(current, wanted)
    assert applied(current, found) == wanted
    verbs = [step.verb for step in found]
    assert verbs == sorted(verbs, key=["reorder", "add", "remove"].index)
    assert all(step.anchor in current and step.anchor in wanted for step in found if step.at == "after")
    assert {step.token for step in found if step.verb == "add"} == set(wanted) - set(current)
    assert {step.token for step in found if step.verb == "remove"} == set(current) - set(wanted)


def test_no_fewer_moves_would_do():
    start = tuple(range(6))
    moves = {start: 0}
    todo = [start]
    for order in todo:
        for token, place in itertools.product(order, range(6)):
            rest = [other for other in order if other != token]
            reached = (*rest[:place], token, *rest[place:])
            if reached not in moves:
                moves[reached] = moves[order] + 1
                todo.append(reached)
    assert len(moves) == 720
    for order, count in moves.items():
        found = steps(start, order)
        assert len(found) == count and applied(start, found) == list(order)


def test_steps_by_example():
    assert steps("abc", "abc") == []
    assert steps("", "xy") == [Step("add", "y", "first"), Step("add", "x", "first")]
    assert steps("ab", "") == [Step("remove", "a"), Step("remove", "b")]
    assert steps("abc", "cxab") == [Step("reorder", "c", "first"), Step("add", "x", "after", "c")]


def test_long_orders_are_fast():
    order = list(range(100_000))
    shuffled = list(range(50_000, 150_000))
    random.Random(6).shuffle(shuffled)
    start = time.process_time()
    found = steps(order, shuffled)
    assert time.process_time() - start < 2
    assert sum(step.verb == "remove" for step in found) == 50_000
    start = time.process_time()
    merge_order(order, shuffled, order[::-1])
    assert time.process_time() - start < 4

"""Removing, retiring, soft-deleting: what each leaves standing, what it refuses, and how it is taken back."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import psycopg
import pytest
from functions_helpers import Database, Row
from governed_calls import events_of, good_calls, last_change, prepare

from iucore.cli import main

ROOT = Path(__file__).parents[2]


@pytest.fixture
def abc(db: Database) -> Database:
    """Pieces a to f, each with its letter as body; the file `f` of a, b, c; `outer` of a, `f` and b at version 1."""
    db.call(
        "create_many",
        pieces=[{"address": name, "kind": "text", "title": name.upper(), "body": name} for name in "abcdef"],
    )
    db.file("f", "a", "b", "c")
    db.file("outer", "a", {"collection": "f"}, {"piece": "b", "version": 1})
    return db


def rows_of(db: Database, table: str) -> list[Any]:
    """Every row of a table, as text."""
    return db.query(f"select t::text from iucore.{table} as t order by 1")


def findings(db: Database, key: str, *codes: str) -> list[tuple[str, str, str]]:
    rows = db.call("collection_validate", key=key)
    return [(row["severity"], row["code"], row["address"]) for row in rows if row["code"] in codes]


# ---------------------------------------------------------------- remove


def test_removing_touches_one_place(abc: Database) -> None:
    before = last_change(abc)
    row = abc.one("collection_remove", key="f", member="b")
    assert [event for event, _, _ in events_of(abc, row["change_id"])] == ["collection.piece_removed"]
    assert (abc.render("f"), abc.render("outer")) == ("ac", "aacb")
    assert (abc.render("f", as_of_change=before), abc.render("outer", as_of_change=before)) == ("abc", "aabcb")
    # The piece lives: it is shown, edited and used as before; to take the removal back is to add it again.
    assert abc.one("show", address="b")["lifecycle"] == "active"
    assert abc.edit("b", "B")["changed"]
    abc.add("f", "b", at="after", anchor="a")
    assert (abc.render("f"), abc.render("outer")) == ("aBc", "aaBcb")


# ---------------------------------------------------------------- retire


def test_a_retired_piece_stays_and_gets_no_new_use(abc: Database) -> None:
    row = abc.one("retire", address="b", reason="no longer in force")
    assert (row["address"], row["version"], row["lifecycle"], row["places"], row["changed"]) == (
        "b",
        2,
        "retired",
        2,
        True,
    )
    assert [event for event, _, _ in events_of(abc, row["change_id"])] == ["unit.retired"]
    # Existing uses stay.
    assert (abc.render("f"), abc.render("outer")) == ("abc", "aabcb")
    assert findings(abc, "f", "retired") == [("warning", "retired", "b")]
    # Pinned to a version from before, it is as it was.
    assert findings(abc, "outer", "retired") == []
    # No new use, by any verb, pinned or not.
    for version in (None, 1, 2):
        abc.refuses("IU208", "collection_add", key="outer", member="b", version=version)
        abc.refuses("IU208", "collection_replace", key="f", member="a", piece="b", version=version)
        member = {"piece": "b"} if version is None else {"piece": "b", "version": version}
        abc.refuses("IU208", "collection_create", key="new", kind="file", title="T", members=[{"piece": "a"}, member])
        abc.refuses("IU208", "collection_create", key="new", kind="workflow", title="T", members=[member])
    # Where it stands it may be moved, pinned and unpinned, edited, cloned and described.
    abc.one("collection_reorder", key="f", member="b", at="first")
    abc.one("collection_pin", key="f", member="b", version=1)
    abc.one("collection_unpin", key="f", member="b")
    assert not abc.one("collection_replace", key="f", member="b", piece="b")["changed"]
    abc.one("clone", source="b", address="b2")
    abc.add("f", "b2")
    abc.edit("b", "B")
    assert abc.one("show", address="b")["lifecycle"] == "retired"
    assert abc.render("f") == "Bacb"
    # Taken back.
    abc.one("lifecycle_set", address="b", expected_version=3, lifecycle="active")
    abc.add("outer", "b")
    assert findings(abc, "f", "retired") == []


def test_a_piece_retired_by_its_lifecycle_is_retired(abc: Database) -> None:
    abc.one("lifecycle_set", address="d", expected_version=1, lifecycle="retired")
    abc.refuses("IU208", "collection_add", key="f", member="d")
    again = abc.one("retire", address="d")
    assert (again["changed"], again["version"]) == (False, 2)


def test_retiring_shows_beforehand_where_a_piece_stands(abc: Database) -> None:
    preview = abc.call("where_used", address="b")
    assert [(row["key"], row["pinned_version"], row["depth"]) for row in preview] == [("f", None, 1), ("outer", 1, 1)]
    assert [row["key"] for row in abc.call("where_used", address="c")] == ["f", "outer"]
    assert abc.one("retire", address="c")["places"] == 1
    assert abc.one("retire", address="d")["places"] == 0


def test_retire_unless_used(abc: Database) -> None:
    error = abc.refuses("IU211", "retire", address="b", refuse_if_used=True)
    assert error.diag.message_detail == "address: b, places: 2, in: f, outer"
    abc.one("collection_remove", key="f", member="b")
    abc.refuses("IU211", "retire", address="b", refuse_if_used=True)
    abc.one("collection_replace", key="outer", member="b", piece="c")
    assert abc.one("retire", address="b", refuse_if_used=True)["places"] == 0
    # A use in a soft-deleted collection counts, since that can be restored, and the refusal says so.
    abc.file("away", "e")
    abc.one("collection_soft_delete", key="away")
    error = abc.refuses("IU211", "retire", address="e", refuse_if_used=True)
    assert error.diag.message_detail == "address: e, places: 1, in: away (soft-deleted)"
    # A hidden place counts too: a soft-deleted piece is refused either way.
    abc.one("soft_delete", address="a")
    abc.refuses("IU209", "retire", address="a")


def test_retire_refuses(abc: Database) -> None:
    abc.edit("a", "A")
    abc.refuses("IU001", "retire", address="no")
    abc.refuses("IU001", "retire", address=None)
    abc.refuses("IU001", "retire", address="no", refuse_if_used=True)
    abc.refuses("IU202", "retire", address="a", expected_version=1)
    abc.refuses("IU016", "retire", address="a", reason="")
    assert abc.one("retire", address="a", expected_version=2)["version"] == 3


def test_a_key_stands_for_the_whole_call_of_a_retirement(abc: Database) -> None:
    first = abc.one("retire", address="b", request_key="k")
    abc.refuses("IU203", "retire", address="b", refuse_if_used=True, request_key="k")
    abc.one("collection_remove", key="f", member="b")
    assert abc.one("retire", address="b", request_key="k") == first
    unused = abc.one("retire", address="d", refuse_if_used=True, request_key="u")
    abc.one("lifecycle_set", address="d", expected_version=2, lifecycle="active")
    abc.add("f", "d")
    assert abc.one("retire", address="d", refuse_if_used=True, request_key="u") == unused


# ---------------------------------------------------------------- soft-delete


def steps(db: Database, format_: str) -> str:
    return str(db.one("render_workflow", key="w", format=format_)["fn_iu_render_workflow"])


def test_a_soft_deleted_piece_is_in_no_render(abc: Database) -> None:
    abc.file("w", "b", {"piece": "a", "label": "last"}, {"collection": "f"}, kind="workflow")
    renders = {format_: steps(abc, format_) for format_ in ("checklist", "mermaid", "json")}
    members, before = rows_of(abc, "collection_member"), last_change(abc)
    row = abc.one("soft_delete", address="b", reason="made by mistake")
    assert (row["address"], row["version"], row["lifecycle"], row["places"], row["changed"]) == (
        "b",
        1,
        "soft_deleted",
        3,
        True,
    )
    assert events_of(abc, row["change_id"]) == [("unit.soft_deleted", "b", {"version": 1, "places": 3})]
    # Gone: as text, as rows, in each format, in sizes and lists, nested and pinned.
    assert (abc.render("f"), abc.render("outer"), abc.render("w")) == ("ac", "aac", "aac")
    for key in ("f", "outer", "w"):
        assert "b" not in [piece["address"] for piece in abc.call("render_pieces", key=key)]
        assert "b" not in abc.members(key)
        shown = abc.one("collection_show", key=key)
        assert (shown["bytes"], shown["pieces"]) == (len(abc.render(key)), len(abc.render(key)))
        assert abc.value("select members from iucore.v_collection where key = %s", [key]) == len(abc.members(key))
    for format_, text in renders.items():
        assert "B" in text
        assert "B" not in steps(abc, format_)
    assert findings(abc, "f", "soft_deleted") == [("warning", "soft_deleted", "b")]
    # What stands is as it was: memberships, pins, places.
    assert rows_of(abc, "collection_member") == members
    # The past is as it was.
    assert (abc.render("f", as_of_change=before), abc.render("outer", as_of_change=before)) == ("abc", "aabcb")
    assert abc.render("f", as_of_change=row["change_id"]) == "ac"
    # It can still be looked at, and says what it is.
    assert abc.one("show", address="b")["lifecycle"] == "soft_deleted"
    assert [piece["lifecycle"] for piece in abc.call("list", prefix="b")] == ["soft_deleted"]
    assert abc.one("show", address="b", version=1)["body"] == "b"
    assert len(abc.call("history", address="b")) == 1
    assert {use["key"] for use in abc.call("where_used", address="b")} == {"f", "outer", "w"}
    restored = abc.one("restore", address="b")
    assert (restored["lifecycle"], restored["places"], restored["changed"]) == ("active", 3, True)
    assert events_of(abc, restored["change_id"]) == [("unit.restored", "b", {"version": 1, "places": 3})]
    assert rows_of(abc, "collection_member") == members
    assert (abc.render("f"), abc.render("outer"), abc.render("w")) == ("abc", "aabcb", "baabc")
    assert {format_: steps(abc, format_) for format_ in renders} == renders
    for change, text in ((before, "abc"), (row["change_id"], "ac"), (restored["change_id"], "abc")):
        assert abc.render("f", as_of_change=change) == text


def test_nothing_can_be_done_with_a_soft_deleted_piece(abc: Database) -> None:
    abc.one("axis_register", axis="x", title="X", rule="union")
    abc.call("axis_set", address="b", axis="x", values=["1"])
    abc.call("axis_refresh", key="f")
    deleted = abc.one("soft_delete", address="b", reason="made by mistake")["change_id"]
    cases: list[tuple[str, dict[str, Any]]] = [
        ("edit", {"address": "b", "expected_version": 1, "body": "x"}),
        ("edit", {"address": "b", "expected_version": 7, "body": "x"}),
        ("lifecycle_set", {"address": "b", "expected_version": 1, "lifecycle": "retired"}),
        ("retire", {"address": "b"}),
        ("clone", {"source": "b", "address": "new"}),
        ("clone", {"source": "b", "address": "new", "version": 1}),
        ("axis_set", {"address": "b", "axis": "x", "values": []}),
        ("soft_delete", {"address": "b"}),
        ("collection_add", {"key": "f", "member": "b"}),
        ("collection_add", {"key": "f", "member": "b", "version": 1}),
        ("collection_replace", {"key": "f", "member": "a", "piece": "b"}),
        ("collection_create", {"key": "new", "kind": "file", "title": "T", "members": [{"piece": "b"}]}),
        ("collection_create", {"key": "new", "kind": "file", "title": "T", "members": [{"piece": "b", "version": 1}]}),
    ]
    for verb, arguments in cases:
        error = abc.refuses("IU209", verb, **arguments)
        assert error.diag.message_detail == f"address: b, deleted by postgres in change {deleted}: made by mistake"
        assert "fn_iu_restore" in (error.diag.message_hint or "")
    # Its address stays taken.
    abc.refuses("IU201", "create", address="b", kind="text", title="T", body="")
    abc.refuses("IU201", "create_many", pieces=[{"address": "b", "kind": "text", "title": "T", "body": ""}])
    abc.refuses("IU201", "clone", source="a", address="b")
    # It counts for nothing that is derived.
    assert [(row["value"], row["state"]) for row in abc.call("axis_refresh", key="f")] == [("1", "removed")]
    assert abc.call("find_content", sha256=[abc.one("show", address="b")["content_sha256"]]) == []
    abc.one("restore", address="b")
    assert [(row["value"], row["state"]) for row in abc.call("axis_refresh", key="f")] == [("1", "added")]
    abc.refuses("IU210", "restore", address="b")
    abc.refuses("IU001", "restore", address="no")
    abc.refuses("IU001", "soft_delete", address=None)
    assert [row["address"] for row in abc.call("axis_show", address="b")] == ["b"]


def test_a_lifecycle_and_a_pin_outlast_a_deletion(abc: Database) -> None:
    abc.edit("b", "B")
    abc.one("retire", address="b")
    abc.one("soft_delete", address="b")
    assert abc.one("show", address="b")["lifecycle"] == "soft_deleted"
    assert abc.one("show", address="b", version=2)["lifecycle"] == "active"
    # Pinned while it is hidden: kept, and seen when it is back.
    abc.one("collection_pin", key="f", member="b", version=1)
    restored = abc.one("restore", address="b")
    assert (restored["lifecycle"], restored["version"]) == ("retired", 3)
    assert (abc.render("f"), abc.render("outer")) == ("abc", "aabcb")
    abc.refuses("IU208", "collection_add", key="f", member="b")


def test_a_workflow_goes_round_a_soft_deleted_step(abc: Database) -> None:
    abc.file(
        "w",
        {"piece": "a", "label": "one", "transitions": [{"on": "ok", "to": "three"}, {"on": "no", "to": "next"}]},
        {"piece": "b", "label": "two"},
        {"piece": "c", "label": "three"},
        kind="workflow",
    )
    abc.one("soft_delete", address="c")
    assert findings(abc, "w", "goto_nowhere") == [("error", "goto_nowhere", "a")]
    # The label is still its own.
    abc.refuses("IU207", "collection_add", key="w", member="d", label="three")
    abc.one("restore", address="c")
    assert abc.call("collection_validate", key="w") == []


def test_a_piece_that_stands_twice_comes_back_twice(abc: Database) -> None:
    abc.add("f", "b", at="first", version=1)
    abc.edit("b", "B")
    assert abc.one("soft_delete", address="b")["places"] == 3
    assert abc.render("f") == "ac"
    abc.refuses("IU205", "collection_remove", key="f", member="b")
    hidden = [row["member_id"] for row in abc.call("collection_validate", key="f") if row["code"] == "soft_deleted"]
    assert len(hidden) == 2
    # A hidden member can be taken out; then it stays out.
    abc.one("collection_remove", key="f", member=f"@{hidden[0]}")
    assert abc.one("restore", address="b")["places"] == 2
    assert abc.render("f") in ("aBc", "bac")


def shuffle(db: Database, dice: random.Random, seats: list[dict[str, str]]) -> None:
    """One change of `f`, and the same of `g`; a seat gives the numbers of its two members."""
    verb = dice.choice(["add", "collection_reorder", "collection_remove", "collection_rebalance", "collection_pin"])
    seat, anchor = dice.choice(seats), dice.choice(seats)
    at = dice.choice(["before", "after"])
    if verb == "add" or len(seats) < 4:
        new = {key: db.add(key, "n", at=at, anchor=anchor[key])["member_id"] for key in ("f", "g")}
        seats.append({key: f"@{number}" for key, number in new.items()})
        return
    for key in ("f", "g"):
        arguments: dict[str, Any] = {} if verb == "collection_rebalance" else {"member": seat[key]}
        if verb == "collection_reorder":
            arguments |= {"at": at, "anchor": anchor[key]}
        elif verb == "collection_pin":
            arguments |= {"version": 1}
        db.one(verb, key=key, **arguments)
    if verb == "collection_remove":
        seats.remove(seat)


@pytest.mark.parametrize("seed", range(4))
def test_restore_brings_back_each_place_whatever_happened_meanwhile(db: Database, seed: int) -> None:
    """Two collections go through the same changes; the piece of one is deleted meanwhile, that of its twin is not."""
    dice = random.Random(seed)
    letters = [("a", "a"), ("b", "b"), ("c", "c"), ("n", "n"), ("x", "X"), ("y", "X")]
    db.call(
        "create_many", pieces=[{"address": name, "kind": "text", "title": "T", "body": body} for name, body in letters]
    )
    order = ["a", "?", "b", "?", "c", "?"]
    seats: list[dict[str, str]] = [{} for _ in order]
    for key, own in (("f", "x"), ("g", "y")):
        db.file(key, *(own if name == "?" else name for name in order))
        for seat, row in zip(seats, db.call("collection_members", key=key), strict=True):
            seat[key] = f"@{row['member_id']}"
    db.file("above", {"collection": "f"}, "b")
    expected: dict[int, tuple[str, str]] = {}

    def keep(hidden: bool) -> None:
        text = db.render("g")
        shown = text.replace("X", "") if hidden else text
        assert (db.render("f"), db.render("above")) == (shown, shown + "b")
        expected[last_change(db)] = (shown, text)

    keep(False)
    for _ in range(3):
        for _ in range(dice.randint(0, 3)):
            shuffle(db, dice, seats)
            keep(False)
        db.one("soft_delete", address="x")
        keep(True)
        for _ in range(dice.randint(1, 8)):
            shuffle(db, dice, seats)
            keep(True)
        standing = rows_of(db, "collection_member")
        db.one("restore", address="x")
        keep(False)
        assert rows_of(db, "collection_member") == standing
    ours, others = (db.call("collection_members", key=key) for key in ("f", "g"))
    assert [(r["rank"], r["pinned"], r["version"], r["content_sha256"]) for r in ours] == [
        (r["rank"], r["pinned"], r["version"], r["content_sha256"]) for r in others
    ]
    # Before, during and after, each as it was then.
    for change, (shown, text) in expected.items():
        assert (db.render("f", as_of_change=change), db.render("g", as_of_change=change)) == (shown, text)
        assert db.render("above", as_of_change=change) == shown + "b"
        moment = db.value("select changed_at from iucore.change where change_id = %s", [change])
        assert db.render("f", as_of=moment) == shown
    assert len(db.query("select from iucore.unit_deletion")) == 3


# ---------------------------------------------------------------- collections


def test_a_soft_deleted_collection_is_in_no_list(abc: Database) -> None:
    members, before = rows_of(abc, "collection_member"), last_change(abc)
    row = abc.one("collection_soft_delete", key="outer", reason="made by mistake")
    change = row["change_id"]
    assert (row["key"], row["changed"]) == ("outer", True)
    assert events_of(abc, change) == [("collection.soft_deleted", "outer", {})]
    assert [row["key"] for row in abc.call("collection_list")] == ["f"]
    assert abc.query("select key from iucore.v_collection") == [("f",)]
    assert abc.query("select key, state from iucore.v_collection_status order by 1") == [
        ("f", "live"),
        ("outer", "soft_deleted"),
    ]
    # Its members and their pieces are not touched; it is not named as a use.
    assert rows_of(abc, "collection_member") == members
    assert abc.render("f") == "abc"
    assert [use["key"] for use in abc.call("where_used", address="b")] == ["f"]
    assert abc.call("collection_where_used", key="f") == []
    refusals: list[tuple[str, dict[str, Any]]] = [
        *((name, {"key": "outer"}) for name in ("render", "render_pieces", "collection_members", "collection_show")),
        *((name, {"key": "outer"}) for name in ("collection_validate", "collection_where_used", "collection_axes")),
        *((name, {"key": "outer"}) for name in ("collection_rebalance", "axis_refresh", "record_render")),
        *((name, {"key": "outer"}) for name in ("record_validation", "collection_soft_delete")),
        *((f"collection_{name}", {"key": "outer", "member": "a"}) for name in ("add", "remove", "pin", "unpin")),
        ("collection_reorder", {"key": "outer", "member": "a", "at": "last"}),
        ("collection_replace", {"key": "outer", "member": "a", "piece": "b"}),
        ("step_set", {"key": "outer", "member": "a"}),
        ("render_workflow", {"key": "outer", "format": "json"}),
        ("collection_add", {"key": "f", "member": "outer", "member_kind": "collection"}),
        ("collection_create", {"key": "new", "kind": "file", "title": "T", "members": [{"collection": "outer"}]}),
        # As of a time at which it was deleted, too.
        ("render", {"key": "outer", "as_of_change": change}),
        ("collection_members", {"key": "outer", "as_of_change": change}),
    ]
    for name, arguments in refusals:
        error = abc.refuses("IU212", name, **arguments)
        assert error.diag.message_detail == f"key: outer, deleted by postgres in change {change}: made by mistake"
        assert f"as of change {change - 1}" in (error.diag.message_hint or "")
    abc.refuses("IU204", "collection_create", key="outer", kind="file", title="T")
    # Its past is there.
    assert abc.render("outer", as_of_change=before) == "aabcb"
    assert [entry["verb"] for entry in abc.call("collection_history", key="outer")] == [
        "collection_soft_delete",
        "collection_create",
    ]
    # While it was away its pieces went on.
    abc.edit("a", "A")
    restored = abc.one("collection_restore", key="outer")
    assert events_of(abc, restored["change_id"]) == [("collection.restored", "outer", {})]
    assert rows_of(abc, "collection_member") == members
    assert abc.render("outer") == "AAbcb"
    assert abc.render("outer", as_of_change=before) == "aabcb"
    abc.refuses("IU212", "render", key="outer", as_of_change=change)
    assert abc.render("outer", as_of_change=restored["change_id"]) == "AAbcb"
    abc.refuses("IU213", "collection_restore", key="outer")
    abc.refuses("IU003", "collection_restore", key="no")
    abc.refuses("IU003", "collection_soft_delete", key=None)
    assert abc.call("collection_history", key="outer")[0]["verb"] == "collection_restore"


def test_a_collection_that_stands_in_another_is_not_deleted(abc: Database) -> None:
    error = abc.refuses("IU214", "collection_soft_delete", key="f")
    assert error.diag.message_detail == "key: f, in: outer"
    # Neither when that one is deleted itself: restored, it would miss a part.
    abc.one("collection_soft_delete", key="outer")
    error = abc.refuses("IU214", "collection_soft_delete", key="f")
    assert error.diag.message_detail == "key: f, in: outer (soft-deleted)"
    abc.one("collection_restore", key="outer")
    before = last_change(abc)
    abc.one("collection_remove", key="outer", member="f")
    abc.one("collection_soft_delete", key="f")
    # What it was part of is rendered with it as of then.
    assert abc.render("outer", as_of_change=before) == "aabcb"
    assert abc.render("outer") == "ab"


def test_a_nesting_repeated_after_its_child_was_deleted_gets_its_first_result(abc: Database) -> None:
    abc.file("child")
    add: dict[str, Any] = {"key": "f", "member": "child", "member_kind": "collection", "request_key": "k1"}
    create: dict[str, Any] = {
        "key": "new",
        "kind": "file",
        "title": "T",
        "members": [{"collection": "child"}],
        "request_key": "k2",
    }
    added, created = abc.one("collection_add", **add), abc.one("collection_create", **create)
    for key in ("f", "new"):
        abc.one("collection_remove", key=key, member="child")
    abc.one("collection_soft_delete", key="child")
    assert abc.one("collection_add", **add) == added
    assert abc.one("collection_create", **create) == created


def test_a_piece_and_its_collection_are_deleted_apart(abc: Database) -> None:
    abc.one("soft_delete", address="b")
    abc.one("collection_soft_delete", key="outer")
    abc.one("restore", address="b")
    abc.one("collection_restore", key="outer")
    assert abc.render("outer") == "aabcb"
    abc.one("collection_soft_delete", key="outer")
    abc.one("soft_delete", address="b")
    abc.one("collection_restore", key="outer")
    assert abc.render("outer") == "aac"
    abc.one("restore", address="b")
    assert abc.render("outer") == "aabcb"


# ---------------------------------------------------------------- all of them


def test_nothing_is_ever_physically_deleted(db: Database) -> None:
    """No table has fewer rows after any verb, and no function has a statement that could do it."""
    counts = db.counts()
    for at, verb in enumerate(good_calls("x")):
        prefix = f"x{at}"
        prepare(db, prefix)
        db.call(verb, **good_calls(prefix)[verb])
        now = db.counts()
        assert {name for name in counts if now[name] < counts[name]} == set(), verb
        counts = now
    bodies = db.query("select proname, prosrc from pg_proc where pronamespace = 'iucore'::regnamespace")
    able = r"\b(?:delete\s+from\s+\S+|truncate\s+(?:table\s+)?\S+|drop\s+\w+)"
    # What waits to be sent again is deleted when it was; old quarters of delivery are emptied, by one function. The
    # last is the trigger that refuses it.
    assert {(name, found) for name, body in bodies for found in re.findall(able, body, re.I)} == {
        *((f"fn_iu_{name}", "delete from iucore.delivery_retry") for name in ("delivery_fail", "delivery_record")),
        *((f"fn_iu_{name}", "delete from iucore.delivery_retry") for name in ("route_replay", "route_skip")),
        ("fn_iu_events_prune", "truncate table iucore.%I',"),
        ("fn_iu_make_slots", "truncate on"),
    }


DISPOSALS: dict[str, dict[str, Any]] = {
    "retire": {"address": "a"},
    "soft_delete": {"address": "a"},
    "restore": {"address": "a"},
    "collection_soft_delete": {"key": "outer"},
    "collection_restore": {"key": "outer"},
}


def test_who_may_dispose(abc: Database, login: Callable[[str], str]) -> None:
    for role in ("iucore_author", "iucore_reader", "iucore_gatekeeper", "iucore_worker", "iucore_auditor"):
        with psycopg.connect(plain(login(role))) as connection:
            other = Database(connection)
            for verb, arguments in DISPOSALS.items():
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    other.call(verb, **arguments)
            if role == "iucore_author":
                other.one("collection_remove", key="f", member="c")
    with psycopg.connect(plain(login("iucore_operator"))) as connection:
        operator = Database(connection)
        name = operator.value("select session_user")
        for verb in ("soft_delete", "restore", "retire", "collection_soft_delete", "collection_restore"):
            row: Row = operator.one(verb, **DISPOSALS[verb])
            assert abc.value("select actor from iucore.change where change_id = %s", [row["change_id"]]) == name
        for table in ("unit_deletion", "collection_deletion", "information_unit", "collection_member"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                operator.connection.execute(f"delete from iucore.{table}")


def plain(url: str) -> str:
    return url.replace("postgresql+psycopg2://", "postgresql://")


def test_the_page_names_what_there_is(shared: Database) -> None:
    """docs/disposal.md: its functions, codes, events, roles and commands exist."""
    page = (ROOT / "docs" / "disposal.md").read_text("utf-8")
    functions = set(re.findall(r"\bfn_iu_\w+", page))
    known = shared.query("select proname from pg_proc where pronamespace = 'iucore'::regnamespace")
    assert functions - {name for (name,) in known} == set()
    assert {f"fn_iu_{verb}" for verb in DISPOSALS} | {"fn_iu_collection_remove"} <= functions
    codes = (ROOT / "sql" / "errcodes.txt").read_text("utf-8")
    found = set(re.findall(r"\bIU\d{3}\b", page))
    assert {code for code in found if f"\n{code} " not in codes} == set()
    assert {f"IU2{n:02}" for n in range(8, 15)} <= found
    types = {name for (name,) in shared.query("select event_type from iucore.event_type")}
    assert set(re.findall(r"`((?:unit|collection)\.\w+)`", page)) - types == set()
    for words in set(re.findall(r"`iucore ([a-z -]+)", page)):
        command: click.Command = main
        for word in words.split():
            if not isinstance(command, click.Group):
                break
            found_command = command.get_command(click.Context(command), word)
            assert found_command is not None, words
            command = found_command
    for role in set(re.findall(r"\biucore_\w+", page)):
        assert shared.value("select to_regrole(%s) is not null", [role]), role

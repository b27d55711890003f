"""Collections: composing, nesting, looking back, validating, rendering; and axes."""

from __future__ import annotations

import datetime
import json
import re
import time
from typing import Any

import psycopg
import pytest
from functions_helpers import Database

MIB = 1024 * 1024


@pytest.fixture
def abc(db: Database) -> Database:
    """Pieces a to f, each with its own letter as body, and the file `f` of a, b and c."""
    db.call(
        "create_many",
        pieces=[{"address": name, "kind": "text", "title": name.upper(), "body": name} for name in "abcdef"],
    )
    db.file("f", "a", "b", "c")
    return db


def first_change(db: Database) -> int:
    return int(db.value("select max(change_id) from iucore.change"))


# ---------------------------------------------------------------- composing


def test_create_with_members(abc: Database) -> None:
    row = abc.file("g", "c", {"piece": "a", "version": 1}, {"collection": "f"}, "c")
    assert (row["key"], row["kind"], row["title"], row["members"]) == ("g", "file", "C", 4)
    members = abc.call("collection_members", key="g")
    assert [(m["position"], m["address"], m["member_kind"], m["version"], m["pinned"]) for m in members] == [
        (1, "c", "piece", 1, False),
        (2, "a", "piece", 1, True),
        (3, "f", "collection", None, False),
        (4, "c", "piece", 1, False),
    ]
    assert [m["title"] for m in members] == ["C", "A", "C", "C"]
    assert abc.render("g") == "caabcc"
    shown = abc.one("collection_show", key="g")
    assert (shown["members"], shown["pieces"], shown["bytes"], shown["depth"]) == (4, 6, 6, 2)
    assert abc.render(abc.file("empty")["key"]) == ""
    assert [row["key"] for row in abc.call("collection_list")] == ["empty", "f", "g"]
    assert [row["key"] for row in abc.call("collection_list", prefix="e")] == ["empty"]
    assert [row["key"] for row in abc.call("collection_list", after="empty", limit=1)] == ["f"]


CREATE_REFUSALS: dict[str, tuple[str, dict[str, Any]]] = {
    "taken": ("IU204", {"key": "f"}),
    "kind": ("IU025", {"kind": "folder"}),
    "no kind": ("IU025", {"kind": None}),
    "no list": ("IU019", {"members": None}),
    "an object": ("IU019", {"members": "{}"}),
    "scalars": ("IU019", {"members": "[1]"}),
    "addresses": ("IU019", {"members": '["a"]'}),
    "an empty member": ("IU019", {"members": [{}]}),
    "both": ("IU019", {"members": [{"piece": "a", "collection": "f"}]}),
    "a pinned collection": ("IU019", {"members": [{"collection": "f", "version": 1}]}),
    "version is text": ("IU019", {"members": [{"piece": "a", "version": "abc"}]}),
    "version is a fraction": ("IU019", {"members": [{"piece": "a", "version": 1.5}]}),
    "version is vast": ("IU019", {"members": [{"piece": "a", "version": 10**20}]}),
    "no piece": ("IU001", {"members": [{"piece": "a"}, {"piece": "no"}]}),
    "no version": ("IU002", {"members": [{"piece": "a", "version": 2}]}),
    "no collection": ("IU003", {"members": [{"collection": "no"}]}),
    "itself": ("IU003", {"members": [{"collection": "new"}]}),
    "label in a file": ("IU022", {"members": [{"piece": "a", "label": "x"}]}),
    "nul in a piece": ("IU012", {"members": r'[{"piece": "a\u0000"}]'}),
    "nul in a collection": ("IU012", {"members": r'[{"collection": "a\u0000"}]'}),
    "nul in a label": ("IU012", {"kind": "workflow", "members": r'[{"piece": "a", "label": "\u0000"}]'}),
    "nul in transitions": (
        "IU012",
        {"kind": "workflow", "members": r'[{"piece": "a", "transitions": [{"on": "\u0000", "to": "end"}]}]'},
    ),
    "lone surrogate": ("IU013", {"members": r'[{"piece": "\ud800"}]'}),
    "same label twice": (
        "IU207",
        {"kind": "workflow", "members": [{"piece": "a", "label": "x"}, {"piece": "b", "label": "x"}]},
    ),
}


@pytest.mark.parametrize("name", CREATE_REFUSALS)
@pytest.mark.parametrize("request_key", [None, "k"], ids=["plain", "with a request key"])
def test_create_refuses(shared: Database, name: str, request_key: str | None) -> None:
    code, change = CREATE_REFUSALS[name]
    arguments = {"key": "new", "kind": "file", "title": "T", "members": [], **change}
    shared.refuses(code, "collection_create", **arguments, request_key=request_key)


def test_add_at_every_place(abc: Database) -> None:
    abc.add("f", "d")
    abc.add("f", "e", at="first")
    abc.add("f", "f", at="before", anchor="b")
    assert abc.members("f") == ["e", "a", "f", "b", "c", "d"]
    row = abc.add("f", "a", at="after", anchor="c", version=1)
    assert (row["key"], row["address"], row["pinned_version"], row["changed"]) == ("f", "a", 1, True)
    assert abc.members("f") == ["e", "a", "f", "b", "c", "a", "d"]
    abc.add("f", "e", at="before", anchor=f"@{row['member_id']}")
    assert abc.members("f") == ["e", "a", "f", "b", "c", "e", "a", "d"]
    abc.file("empty")
    abc.add("empty", "a", at="first")
    assert abc.members("empty") == ["a"]


def test_add_refuses(abc: Database) -> None:
    abc.file("g", "a", "a")
    cases: list[tuple[str, dict[str, Any]]] = [
        ("IU001", {"member": "no"}),
        ("IU001", {"member": None}),
        ("IU002", {"member": "a", "version": 2}),
        ("IU003", {"member": "no", "member_kind": "collection"}),
        ("IU003", {"key": "no"}),
        ("IU003", {"key": None}),
        ("IU004", {"at": "before", "anchor": "d"}),
        ("IU004", {"at": "before", "anchor": "@99999"}),
        ("IU004", {"at": "before", "anchor": "@999999999999999999999"}),
        ("IU019", {"member_kind": "file"}),
        ("IU019", {"member_kind": None}),
        ("IU019", {"member": "g", "member_kind": "collection", "version": 1}),
        ("IU020", {"at": "middle"}),
        ("IU020", {"at": None}),
        ("IU020", {"at": "before"}),
        ("IU020", {"at": "after"}),
        ("IU020", {"at": "last", "anchor": "a"}),
        ("IU022", {"label": "x"}),
        ("IU022", {"transitions": []}),
        ("IU028", {"member": "f", "member_kind": "collection"}),
        ("IU205", {"key": "g", "at": "before", "anchor": "a"}),
    ]
    for code, change in cases:
        abc.refuses(code, "collection_add", **{"key": "f", "member": "a", **change})
    # A member of another collection is no anchor here.
    other = abc.call("collection_members", key="g")[0]["member_id"]
    abc.refuses("IU004", "collection_add", key="f", member="a", at="after", anchor=f"@{other}")


def test_remove(abc: Database) -> None:
    row = abc.one("collection_remove", key="f", member="b")
    assert (row["address"], row["changed"]) == ("b", True)
    assert abc.members("f") == ["a", "c"]
    abc.refuses("IU004", "collection_remove", key="f", member="b")
    abc.refuses("IU004", "collection_remove", key="f", member=f"@{row['member_id']}")
    abc.refuses("IU004", "collection_remove", key="f", member=None)
    twice = abc.add("f", "a")["member_id"]
    error = abc.refuses("IU205", "collection_remove", key="f", member="a")
    assert f"@{twice}" in error.diag.message_detail
    abc.one("collection_remove", key="f", member=f"@{twice}")
    assert abc.members("f") == ["a", "c"]
    assert abc.one("show", address="b")["body"] == "b"


def test_reorder_writes_one_row(abc: Database) -> None:
    for member, place, expected in [
        ("c", {"at": "first"}, "cab"),
        ("c", {"at": "last"}, "abc"),
        ("c", {"at": "before", "anchor": "b"}, "acb"),
        ("a", {"at": "after", "anchor": "b"}, "cba"),
        ("b", {"at": "after", "anchor": "a"}, "cab"),
    ]:
        before = abc.counts()
        row = abc.one("collection_reorder", key="f", member=member, **place)
        assert abc.render("f") == expected
        assert row["changed"] is True
        assert abc.counts()["collection_member"] == before["collection_member"] + 1
    head = abc.one("collection_show", key="f")["head_change"]
    for member, place in [
        ("c", {"at": "first"}),
        ("b", {"at": "last"}),
        ("a", {"at": "after", "anchor": "c"}),
        ("a", {"at": "before", "anchor": "a"}),
        ("a", {"at": "after", "anchor": "a"}),
    ]:
        before = abc.counts()
        assert abc.one("collection_reorder", key="f", member=member, **place)["changed"] is False
        assert abc.counts() == {**before, "change": before["change"] + 1}
    assert abc.render("f") == "cab"
    assert abc.one("collection_show", key="f")["head_change"] == head
    abc.refuses("IU004", "collection_reorder", key="f", member="d", at="first")
    abc.refuses("IU020", "collection_reorder", key="f", member="a", at="up")
    abc.refuses("IU004", "collection_reorder", key="f", member="a", at="before", anchor="d")


def test_pin_unpin(abc: Database) -> None:
    assert abc.one("collection_pin", key="f", member="b")["pinned_version"] == 1
    abc.edit("b", "B2")
    assert abc.render("f") == "abc"
    assert abc.one("collection_pin", key="f", member="b", version=1)["changed"] is False
    assert abc.one("collection_pin", key="f", member="b", version=2)["pinned_version"] == 2
    abc.edit("b", "B3")
    assert abc.render("f") == "aB2c"
    row = abc.one("collection_unpin", key="f", member="b")
    assert (row["pinned_version"], row["changed"]) == (None, True)
    assert abc.render("f") == "aB3c"
    assert abc.one("collection_unpin", key="f", member="b")["changed"] is False
    abc.refuses("IU002", "collection_pin", key="f", member="b", version=4)
    abc.file("g")
    abc.nest("f", "g")
    abc.refuses("IU019", "collection_pin", key="f", member="g")
    assert len({m["member_id"] for m in abc.call("collection_members", key="f")}) == 4


def test_replace_keeps_the_place_and_the_number(abc: Database) -> None:
    numbers = [m["member_id"] for m in abc.call("collection_members", key="f")]
    row = abc.one("collection_replace", key="f", member="b", piece="d", version=1)
    assert (row["member_id"], row["address"], row["pinned_version"]) == (numbers[1], "d", 1)
    assert abc.render("f") == "adc"
    assert abc.one("collection_replace", key="f", member="d", piece="d", version=1)["changed"] is False
    assert abc.one("collection_replace", key="f", member="d", piece="d")["pinned_version"] is None
    abc.file("g", "e")
    abc.nest("f", "g", at="first")
    abc.one("collection_replace", key="f", member="g", piece="b")
    assert abc.members("f") == ["b", "a", "d", "c"]
    assert [m["member_id"] for m in abc.call("collection_members", key="f")][1:] == numbers
    abc.refuses("IU001", "collection_replace", key="f", member="a", piece="no")
    abc.refuses("IU001", "collection_replace", key="f", member="a", piece=None)
    abc.refuses("IU002", "collection_replace", key="f", member="a", piece="b", version=2)
    abc.refuses("IU004", "collection_replace", key="f", member="e", piece="b")


def test_rebalance_keeps_order_members_and_past(abc: Database) -> None:
    abc.add("f", "d", at="after", anchor="a")
    before = abc.call("collection_members", key="f")
    as_of = first_change(abc)
    abc.edit("a", "A")
    assert abc.one("collection_rebalance", key="f")["changed"] is True
    after = abc.call("collection_members", key="f")
    assert [m["member_id"] for m in after] == [m["member_id"] for m in before]
    assert [m["rank"] for m in after] != [m["rank"] for m in before]
    assert abc.render("f") == "Adbc"
    assert abc.render("f", as_of_change=as_of) == "adbc"
    abc.file("empty")
    assert abc.one("collection_rebalance", key="empty")["changed"] is False


def test_a_piece_and_a_collection_may_share_a_name(abc: Database) -> None:
    abc.file("a", "d")
    abc.nest("f", "a")
    abc.refuses("IU205", "collection_remove", key="f", member="a")
    abc.one("collection_remove", key="f", member=f"@{abc.call('collection_members', key='f')[-1]['member_id']}")
    assert abc.members("f") == ["a", "b", "c"]


# ---------------------------------------------------------------- nesting


def test_nested_collections_render_in_place(abc: Database) -> None:
    abc.file("inner", "d", "e")
    abc.nest("f", "inner", at="after", anchor="a")
    abc.nest("f", "inner", at="first")
    assert abc.render("f") == "deadebc"
    pieces = abc.call("render_pieces", key="f")
    assert "".join(row["body"] for row in pieces) == "deadebc"
    assert [row["collection_key"] for row in pieces] == ["inner", "inner", "f", "inner", "inner", "f", "f"]
    abc.edit("d", "D")
    assert abc.render("f") == "DeaDebc"
    abc.one("collection_remove", key="inner", member="e")
    assert abc.render("f") == "DaDbc"


def test_cycles_are_refused(abc: Database) -> None:
    abc.file("g", {"collection": "f"})
    abc.file("h", {"collection": "g"}, "d")
    for parent, child in [("f", "f"), ("f", "g"), ("f", "h"), ("g", "h")]:
        error = abc.refuses("IU028", "collection_add", key=parent, member=child, member_kind="collection")
        assert f"{child} in {parent}" in error.diag.message_detail
    # Not a cycle: the same collection by two ways.
    abc.nest("h", "f")
    assert abc.render("h") == "abcdabc"


def test_depth_is_limited_from_both_sides(db: Database) -> None:
    limit = db.value("select iucore.fn_iu_limit('nesting_depth')")
    db.piece("p", "x")
    db.file("c1", "p")
    for n in range(2, limit + 1):
        db.file(f"c{n}", {"collection": f"c{n - 1}"})
    assert db.render(f"c{limit}") == "x"
    assert db.one("collection_show", key=f"c{limit}")["depth"] == limit
    db.refuses("IU027", "collection_create", key="x", kind="file", title="T", members=[{"collection": f"c{limit}"}])
    db.file("top")
    db.refuses("IU027", "collection_add", key="top", member=f"c{limit}", member_kind="collection")
    # From below: two towers that are too high together.
    db.file("d1", "p")
    for n in range(2, 12):
        db.file(f"d{n}", {"collection": f"d{n - 1}"})
    db.refuses("IU027", "collection_add", key="c1", member="d1", member_kind="collection")
    db.refuses("IU027", "collection_add", key="d1", member=f"c{limit - 10}", member_kind="collection")
    db.nest("d1", f"c{limit - 11}")
    assert db.one("collection_show", key="d11")["depth"] == limit


def test_a_doubling_nest_is_refused_at_the_gate_and_in_the_render(db: Database) -> None:
    limit = db.value("select iucore.fn_iu_limit('nesting_depth')")
    db.piece("p", "x")
    db.file("c1", "p", "p")
    for n in range(2, limit + 1):
        db.file(f"c{n}", {"collection": f"c{n - 1}"}, {"collection": f"c{n - 1}"})
    db.connection.execute("set statement_timeout = '2s'")
    assert db.render("c10") == "x" * 1024
    twice = [{"collection": f"c{limit}"}] * 2
    db.refuses("IU027", "collection_create", key="x", kind="file", title="T", members=twice)
    as_of = first_change(db)
    for arguments in ({"key": f"c{limit}"}, {"key": f"c{limit}", "as_of_change": as_of}, {"key": "c30"}):
        started = time.monotonic()
        assert str(2 ** int(arguments["key"][1:])) in str(db.refuses("IU026", "render", **arguments))
        db.refuses("IU026", "render_pieces", **arguments)
        assert time.monotonic() - started < 2
    shown = db.one("collection_show", key=f"c{limit}")
    assert (shown["pieces"], shown["bytes"], shown["depth"]) == (2**limit, 2**limit, limit)
    assert len(db.call("where_used", address="p")) == limit + 1  # c1 holds it twice
    assert len(db.call("collection_where_used", key="c1")) == limit
    assert db.call("axis_refresh", key=f"c{limit}") == []


def test_a_nest_over_the_size_limit_is_refused(db: Database) -> None:
    db.piece("p", "x" * (4 * MIB))
    db.file("c1", "p", "p")
    for n in range(2, 8):
        db.file(f"c{n}", {"collection": f"c{n - 1}"}, {"collection": f"c{n - 1}"})
    db.connection.execute("set statement_timeout = '2s'")
    error = db.refuses("IU026", "render", key="c7")  # 128 times 4 MiB
    assert "268435456" in error.diag.message_detail
    db.refuses("IU026", "render", key="c7", as_of_change=first_change(db))


def test_a_file_over_the_size_limit_is_refused(db: Database) -> None:
    db.piece("p", "x" * (16 * MIB))
    db.file("at", *["p"] * 16)
    db.file("over", *["p"] * 17)
    db.connection.execute("set statement_timeout = '8s'")
    db.refuses("IU026", "render", key="over")
    db.refuses("IU026", "render", key="over", as_of_change=first_change(db))
    assert db.value("select octet_length(iucore.fn_iu_render('at'))") == 256 * MIB


def test_a_large_workflow_ends_in_a_refusal_not_in_an_error_of_the_server(db: Database) -> None:
    db.piece("p", "\x01" * (16 * MIB))
    db.file("w", *["p"] * 12, kind="workflow")
    db.connection.execute("set statement_timeout = '10s'")
    db.refuses("IU026", "render_workflow", key="w", format="json")


# ---------------------------------------------------------------- looking back


def test_as_of_a_change(abc: Database) -> None:
    seen: dict[int, tuple[str, list[str]]] = {}

    def note() -> None:
        seen[first_change(abc)] = (abc.render("f"), abc.members("f"))

    note()
    for step in (
        lambda: abc.edit("a", "A2"),
        lambda: abc.add("f", "d", at="first"),
        lambda: abc.one("collection_pin", key="f", member="a"),
        lambda: abc.edit("a", "A3"),
        lambda: abc.one("collection_reorder", key="f", member="c", at="first"),
        lambda: abc.file("inner", "e"),
        lambda: abc.nest("f", "inner", at="after", anchor="b"),
        lambda: abc.edit("e", "E2"),
        lambda: abc.add("inner", "f"),
        lambda: abc.one("collection_replace", key="f", member="b", piece="d"),
        lambda: abc.one("collection_rebalance", key="f"),
        lambda: abc.one("collection_unpin", key="f", member="a"),
        lambda: abc.one("collection_remove", key="f", member="inner"),
    ):
        step()
        note()
    assert len({text for text, _ in seen.values()}) > 8
    for change, (text, members) in seen.items():
        assert abc.render("f", as_of_change=change) == text
        assert abc.members("f", as_of_change=change) == members
        bodies = [row["body"] for row in abc.call("render_pieces", key="f", as_of_change=change)]
        assert "".join(bodies) == text
        moment = abc.value("select changed_at from iucore.change where change_id = %s", [change])
        assert abc.render("f", as_of=moment) == text


def test_as_of_refuses(abc: Database) -> None:
    last = first_change(abc)
    born = abc.value("select change_id from iucore.collection")
    abc.file("w", "a", kind="workflow")
    first = abc.value("select min(changed_at) from iucore.change")
    future = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
    for name, arguments in (
        ("render", {"key": "f"}),
        ("render_pieces", {"key": "f"}),
        ("collection_members", {"key": "f"}),
        ("render_workflow", {"key": "w", "format": "json"}),
    ):
        for moment in ("infinity", "-infinity", future):
            abc.refuses("IU018", name, **arguments, as_of=moment)
        abc.refuses("IU018", name, **arguments, as_of_change=last, as_of="2020-01-01")
        abc.refuses("IU008", name, **arguments, as_of="2020-01-01")
        abc.refuses("IU008", name, **arguments, as_of=first - datetime.timedelta(microseconds=1))
        for change in (0, -1, last + 2, 2**62):
            abc.refuses("IU008", name, **arguments, as_of_change=change)
        abc.refuses("IU003", name, **arguments, as_of_change=born - 1)
        abc.refuses("IU003", name, **{**arguments, "key": "no"})
        abc.refuses("IU003", name, **{**arguments, "key": None})


def test_history_of_a_collection(abc: Database) -> None:
    abc.add("f", "d", reason="because", actor="Ann")
    abc.one("collection_reorder", key="f", member="d", at="last")  # changes nothing
    abc.one("collection_reorder", key="f", member="d", at="first")
    abc.edit("a", "A")
    abc.one("collection_remove", key="f", member="d")
    rows = abc.call("collection_history", key="f")
    assert [(row["verb"], row["opened"], row["closed"]) for row in rows] == [
        ("collection_remove", 0, 1),
        ("collection_reorder", 1, 1),
        ("collection_add", 1, 0),
        ("collection_create", 3, 0),
    ]
    assert (rows[2]["reason"], rows[2]["claimed_actor"], rows[2]["actor"]) == ("because", "Ann", "postgres")
    assert abc.one("collection_show", key="f")["head_change"] == rows[0]["change_id"]
    assert [row["verb"] for row in abc.call("collection_history", key=abc.file("empty")["key"])] == [
        "collection_create"
    ]


def test_where_used(abc: Database) -> None:
    abc.file("g", {"piece": "a", "version": 1}, {"collection": "f"}, "a")
    abc.file("h", {"collection": "g"})
    rows = abc.call("where_used", address="a")
    assert [(row["key"], row["pinned_version"], row["depth"]) for row in rows] == [
        ("f", None, 1),
        ("g", 1, 1),
        ("g", None, 1),
        ("h", None, 2),
    ]
    assert [row["member_id"] is None for row in rows] == [False, False, False, True]
    assert [row["key"] for row in abc.call("collection_where_used", key="f")] == ["g", "h"]
    abc.one("collection_remove", key="f", member="a")
    abc.one("collection_remove", key="h", member="g")
    assert [row["key"] for row in abc.call("where_used", address="a")] == ["g", "g"]
    assert abc.call("where_used", address="d") == []
    abc.refuses("IU003", "collection_where_used", key="no")


# ---------------------------------------------------------------- validating


def findings(db: Database, key: str) -> list[tuple[str, str, str | None]]:
    rows = db.call("collection_validate", key=key)
    assert all(row["message"] and row["hint"] and row["member_id"] for row in rows)
    # The pieces of most tests are single letters: that they share a line has a test of its own.
    return [(row["severity"], row["code"], row["address"]) for row in rows if row["code"] != "no_line_end"]


def damage(db: Database, statement: str) -> None:
    """What no role of iucore can do: a superuser with constraints switched off."""
    db.connection.execute("set session_replication_role = replica")
    assert db.connection.execute(statement).rowcount > 0
    db.connection.execute("reset session_replication_role")


def test_validate_finds_nothing_in_a_sound_file(abc: Database) -> None:
    abc.file("g", {"piece": "a", "version": 1}, {"collection": "f"}, "b")
    assert findings(abc, "g") == []
    assert findings(abc, abc.file("empty")["key"]) == []
    abc.refuses("IU003", "collection_validate", key="no")


def test_validate_sees_members_that_share_a_line(db: Database) -> None:
    for name, body in {"lf": "a\n", "cr": "a\r", "crlf": "a\r\n", "empty": "", "none": "a"}.items():
        db.piece(name, body)

    def sharing(key: str) -> list[str]:
        return [row["address"] for row in db.call("collection_validate", key=key) if row["code"] == "no_line_end"]

    db.file("f", "none", "lf", "cr", "crlf", "empty", "none", "lf", "none")
    assert sharing("f") == ["none", "none"], "the last member has no next one"
    db.file("w", "none", "lf", kind="workflow")
    assert sharing("w") == []


def test_validate_warns(abc: Database) -> None:
    abc.one("lifecycle_set", address="a", expected_version=1, lifecycle="retired")
    abc.one("lifecycle_set", address="c", expected_version=1, lifecycle="draft")
    abc.add("f", "b", at="first")
    assert findings(abc, "f") == [
        ("warning", "duplicate", "b"),
        ("warning", "retired", "a"),
        ("warning", "duplicate", "b"),
        ("warning", "draft", "c"),
    ]
    # Pinned to a version that was active, the place shows what it always showed.
    abc.one("collection_pin", key="f", member="a", version=1)
    assert ("warning", "retired", "a") not in findings(abc, "f")


@pytest.mark.damages
def test_validate_finds_damage(abc: Database) -> None:
    damage(abc, "update iucore.unit_content set body = 'X' where body = 'a'")
    assert findings(abc, "f") == [("error", "hash_mismatch", "a")]
    damage(abc, "delete from iucore.unit_content where body = 'X'")
    assert findings(abc, "f") == [("error", "hash_mismatch", "a")]
    for name in ("render", "render_pieces"):
        abc.refuses("IU033", name, key="f")
        abc.refuses("IU033", name, key="f", as_of_change=first_change(abc))
    damage(
        abc,
        "update iucore.collection_member set pinned_version = 9 from iucore.information_unit as u "
        "where u.unit_id = collection_member.unit_id and u.address = 'b'",
    )
    assert ("error", "dangling_pin", "b") in findings(abc, "f")
    damage(abc, "delete from iucore.information_unit where address = 'c'")
    assert ("error", "missing", None) in findings(abc, "f")
    abc.file("g")
    abc.file("h", {"collection": "g"}, "d")
    damage(abc, "delete from iucore.collection where key = 'g'")
    assert findings(abc, "h") == [("error", "missing", None)]
    damage(abc, "update iucore.information_unit set head_sha256 = sha256('e') where address = 'd'")
    assert ("error", "hash_mismatch", "d") in findings(abc, "h")


def test_a_cycle_by_damage_makes_no_reader_run_for_ever(abc: Database) -> None:
    abc.file("g", "a")
    abc.file("h", {"collection": "g"})
    damage(
        abc,
        "insert into iucore.collection_member (member_id, collection_id, rank, child_id, opened_change)"
        " select 99999, g.collection_id, 'b00', h.collection_id, h.change_id"
        " from iucore.collection as g, iucore.collection as h where g.key = 'g' and h.key = 'h'",
    )
    abc.connection.execute("set statement_timeout = '2s'")
    reads: list[tuple[str, dict[str, Any]]] = [
        ("render", {"key": "g"}),
        ("render", {"key": "g", "as_of_change": first_change(abc)}),
        ("render_pieces", {"key": "h"}),
        ("collection_show", {"key": "h"}),
    ]
    for name, arguments in reads:
        with pytest.raises(psycopg.Error) as caught:
            abc.call(name, **arguments)
        assert str(caught.value.sqlstate).startswith("IU"), caught.value
    assert {row["key"] for row in abc.call("where_used", address="a")} == {"f", "g", "h"}
    assert {row["key"] for row in abc.call("collection_where_used", key="g")} == {"g", "h"}
    abc.call("axis_refresh", key="g")
    abc.refuses("IU028", "collection_add", key="h", member="h", member_kind="collection")


def flow(db: Database, key: str, *steps: tuple[str, str | None, dict[str, str] | None]) -> None:
    """A workflow of (piece, label, {on: to})."""
    db.file(
        key,
        *(
            {
                "piece": piece,
                "label": label,
                "transitions": None if ways is None else [{"on": on, "to": to} for on, to in ways.items()],
            }
            for piece, label, ways in steps
        ),
        kind="workflow",
    )


def test_validate_a_workflow(abc: Database) -> None:
    flow(abc, "sound", ("a", "start", {"ok": "next", "no": "start"}), ("b", None, None), ("c", "last", {"done": "end"}))
    assert findings(abc, "sound") == []
    flow(abc, "nowhere", ("a", None, {"ok": "lost"}), ("b", None, None))
    assert findings(abc, "nowhere") == [("error", "goto_nowhere", "a"), ("warning", "unreachable", "b")]
    flow(abc, "stuck", ("a", None, {}), ("b", None, {"ok": "next"}))
    assert findings(abc, "stuck") == [
        ("error", "step_without_way_on", "a"),
        ("error", "step_without_way_on", "b"),
        ("warning", "unreachable", "b"),
    ]
    flow(abc, "skip", ("a", None, {"ok": "c"}), ("b", None, {"ok": "b2"}), ("d", "b2", {"ok": "c"}), ("c", "c", None))
    assert findings(abc, "skip") == [("warning", "unreachable", "b"), ("warning", "unreachable", "d")]


# ---------------------------------------------------------------- workflows


def test_step_set(abc: Database) -> None:
    flow(abc, "w", ("a", None, None), ("b", "b", None))
    ways = [{"on": "ok", "to": "b"}]
    assert abc.one("step_set", key="w", member="a", label="a", transitions=ways)["changed"] is True
    assert abc.one("step_set", key="w", member="a", label="a", transitions=ways)["changed"] is False
    members = abc.call("collection_members", key="w")
    assert [(m["label"], m["transitions"]) for m in members] == [("a", ways), ("b", None)]
    abc.refuses("IU207", "step_set", key="w", member="a", label="b")
    abc.refuses("IU207", "collection_add", key="w", member="c", label="b")
    assert abc.one("step_set", key="w", member="a")["changed"] is True
    assert abc.call("collection_members", key="w")[0]["label"] is None
    abc.refuses("IU022", "step_set", key="f", member="a", label="a")
    abc.refuses("IU022", "step_set", key="f", member="a")
    for label in ("", "A", "1", "next", "end", "a b", "a" * 64, "a\n", "é"):
        abc.refuses("IU022", "step_set", key="w", member="a", label=label)
        abc.refuses("IU022", "collection_add", key="w", member="c", label=label)
        abc.refuses("IU022", "collection_create", key="x", kind="workflow", title="T",
            members=[{"piece": "a", "label": label}])  # fmt: skip
    bad: list[Any] = [
        *("{}", '"x"', "1", "null", "[1]", '["x"]', "[[]]", "[{}]", "[null]"),
        [{"to": "b"}],
        [{"on": "ok"}],
        [{"on": "ok", "to": "B"}],
        [{"on": "", "to": "b"}],
        [{"on": "a\nb", "to": "b"}],
        [{"on": "\u202ex", "to": "b"}],
        [{"on": "x" * 101, "to": "b"}],
        [{"on": "ok", "to": "b", "if": 1}],
        [{"on": "ok", "to": "b"}] * 51,
    ]
    for transitions in bad:
        abc.refuses("IU022", "step_set", key="w", member="a", transitions=transitions)
        text = transitions if isinstance(transitions, str) else json.dumps(transitions)
        if text != "null":
            abc.refuses("IU022", "collection_create", key="x", kind="workflow", title="T",
                members=f'[{{"piece": "a", "transitions": {text}}}]')  # fmt: skip


NASTY = 'say "hi" <b>&lt; #quot; `x` %%{init: {"theme": "dark"}}%% | ] ) end'


def test_mermaid(abc: Database) -> None:
    abc.piece("nasty", "x", title=NASTY)
    flow(abc, "w", ("a", "start", {"ok": "next", 'so "so" | <x>': "start"}), ("nasty", None, {"go": "lost"}),
        ("b", None, {"stop": "end"}), ("c", None, None))  # fmt: skip
    text = abc.one("render_workflow", key="w", format="mermaid")["fn_iu_render_workflow"]
    lines = text.splitlines()
    assert lines[0] == "flowchart TD"
    assert '    s1["1. start: A"]' in lines
    assert '    s1 -->|"ok"| s2' in lines
    assert any(re.fullmatch(r'    s1 -->\|"[^"<>`|]*\|?[^"<>`]*"\| s1', line) for line in lines)
    # Quotes only around a label, no markup and no directive inside one.
    for line in lines[1:]:
        for label in re.findall(r'"([^"]*)"', line):
            assert not re.search(r"[<>`%]|&(?!\w+;)", label.replace("#lt;", "")), line
            assert "#quot;" in label or '"' not in label
        assert line.count('"') % 2 == 0
    assert "%%" not in text
    (title,) = re.findall(r's2\["(.*)"\]', text)
    assert unescape_mermaid(title) == "2. " + NASTY
    assert re.search(r's2 -->\|"go"\| lost2_1\[\["lost\?"\]\]', text)
    # `end` as the bare text of a node breaks Mermaid's parser.
    assert re.search(r's3 -->\|"stop"\| finish\(\["end"\]\)', text)
    assert re.search(r's4 --> finish\(\["end"\]\)', text)


def unescape_mermaid(text: str) -> str:
    names = {"quot": '"', "lt": "<", "gt": ">", "amp": "&"}
    return re.sub(r"#(\w+);", lambda m: chr(int(m[1])) if m[1].isdigit() else names[m[1]], text)


def test_checklist(abc: Database) -> None:
    abc.piece("long", "first\n\n```sh\nrun\n```\n\n\n", title="Do it")
    abc.piece("none", "", title="Nothing")
    flow(abc, "w", ("long", "start", {"ok": "next", "no": "start"}), ("none", None, None), ("c", None, None))
    text = abc.one("render_workflow", key="w", format="checklist")["fn_iu_render_workflow"]
    assert text == (
        "# C\n\n"
        "- [ ] 1. **Do it** (`start`) [ok -> next; no -> start]\n\n"
        "  first\n\n  ```sh\n  run\n  ```\n\n"
        "- [ ] 2. **Nothing**\n"
        "- [ ] 3. **C**\n\n  c\n\n"
    )


def test_workflow_json(abc: Database) -> None:
    abc.piece("odd", 'a"\\\u2028\x01', title="Odd")
    abc.file("inner", "e")
    flow(abc, "w", ("odd", "start", {"ok": "next", "no": "start"}), ("b", None, None))
    abc.nest("w", "inner")
    as_of = first_change(abc)
    got = json.loads(abc.one("render_workflow", key="w", format="json")["fn_iu_render_workflow"])
    assert (got["key"], got["title"]) == ("w", "C")
    assert [step["position"] for step in got["steps"]] == [1, 2, 3]
    first, second, third = got["steps"]
    assert (first["piece"], first["label"], first["body"], first["version"]) == ("odd", "start", 'a"\\\u2028\x01', 1)
    assert first["transitions"] == [{"on": "ok", "to": "next"}, {"on": "no", "to": "start"}]
    assert second["transitions"] == [{"to": "next"}]
    assert (third["collection"], third["transitions"]) == ("inner", [{"to": "end"}])
    assert "body" not in third
    abc.edit("b", "B2")
    abc.one("collection_remove", key="w", member="inner")
    old = abc.one("render_workflow", key="w", format="json", as_of_change=as_of)["fn_iu_render_workflow"]
    assert json.loads(old) == got


def test_workflow_formats(abc: Database) -> None:
    flow(abc, "w")
    assert abc.render("w") == ""
    for name in ("checklist", "mermaid", "json"):
        assert abc.one("render_workflow", key="w", format=name)["fn_iu_render_workflow"]
        abc.refuses("IU023", "render_workflow", key="f", format=name)
    for name in ("text", "", None, "JSON"):
        abc.refuses("IU023", "render_workflow", key="w", format=name)
    flow(abc, "v", ("a", "x", None), ("b", None, None))
    assert abc.render("v") == "ab"


# ---------------------------------------------------------------- axes


def axes(db: Database, key: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in db.call("collection_axes", key=key):
        found.setdefault(row["axis"], []).append(row["value"])
    return found


def test_axes_by_their_four_rules(abc: Database) -> None:
    levels = ["low", "middle", "high"]
    abc.one("axis_register", axis="topic", title="Topic", rule="union")
    abc.one("axis_register", axis="audience", title="Audience", rule="intersection")
    abc.one("axis_register", axis="risk", title="Risk", rule="highest", values=levels)
    abc.one("axis_register", axis="owner", title="Owner", rule="latest")
    for address, axis, values in [
        ("a", "topic", ["x", "y"]),
        ("b", "topic", ["y", "z"]),
        ("a", "audience", ["staff", "public"]),
        ("b", "audience", ["public", "board"]),
        ("a", "risk", ["high"]),
        ("b", "risk", ["low", "middle"]),
        ("b", "owner", ["Bob"]),
        ("a", "owner", ["Ann"]),
        ("d", "topic", ["elsewhere"]),
    ]:
        rows = abc.call("axis_set", address=address, axis=axis, values=values)
        assert [row["value"] for row in rows] == sorted(values)
    assert axes(abc, "f") == {}
    rows = abc.call("axis_refresh", key="f")
    assert {row["state"] for row in rows} == {"added"}
    assert axes(abc, "f") == {"topic": ["x", "y", "z"], "audience": ["public"], "risk": ["high"], "owner": ["Ann"]}
    before = abc.counts()
    assert {row["state"] for row in abc.call("axis_refresh", key="f")} == {"kept"}
    assert abc.counts() == {**before, "change": before["change"] + 1}
    abc.call("axis_set", address="b", axis="owner", values=["Bea"])
    abc.call("axis_set", address="a", axis="risk", values=[])
    abc.one("collection_remove", key="f", member="c")
    abc.file("inner", "d")
    abc.nest("f", "inner")
    states = {(row["axis"], row["value"]): row["state"] for row in abc.call("axis_refresh", key="f")}
    assert states[("risk", "high")] == "removed"
    assert states[("topic", "elsewhere")] == "added"
    assert axes(abc, "f") == {
        "topic": ["elsewhere", "x", "y", "z"],
        "audience": ["public"],
        "risk": ["middle"],
        "owner": ["Bea"],
    }
    assert abc.value("select count(*) from iucore.collection_axis where closed_change is not null") == 2
    assert [(row["axis"], row["rule"], row["axis_values"]) for row in abc.call("axis_list")] == [
        ("audience", "intersection", None),
        ("owner", "latest", None),
        ("risk", "highest", levels),
        ("topic", "union", None),
    ]


def test_axis_set_is_exact_and_keeps_history(abc: Database) -> None:
    abc.one("axis_register", axis="topic", title="Topic", rule="union")
    abc.call("axis_set", address="a", axis="topic", values=["x", "y", "x"])
    abc.call("axis_set", address="a", axis="topic", values=["y", "z"])
    assert [row["value"] for row in abc.call("axis_show", address="a")] == ["y", "z"]
    assert abc.call("axis_set", address="a", axis="topic", values=[]) == []
    assert abc.value("select count(*) from iucore.unit_axis where closed_change is not null") == 3


def test_axes_refuse(abc: Database) -> None:
    abc.one("axis_register", axis="risk", title="Risk", rule="highest", values=["low", "high"])
    abc.one("axis_register", axis="risk", title="Risk", rule="highest", values=["low", "high"])
    abc.refuses("IU206", "axis_register", axis="risk", title="Risk", rule="highest", values=["high", "low"])
    abc.refuses("IU206", "axis_register", axis="risk", title="Other", rule="highest", values=["low", "high"])
    abc.refuses("IU206", "axis_register", axis="risk", title="Risk", rule="union", values=["low", "high"])
    for change in (
        {"axis": None}, {"axis": ""}, {"axis": "Topic"}, {"axis": "a b"}, {"axis": "a\n"}, {"axis": "a" * 64},
        {"rule": None}, {"rule": "lowest"}, {"rule": "highest"},
        {"values": []}, {"values": ["x", "x"]}, {"values": ["x", None]}, {"values": [""]}, {"values": ["a\nb"]},
        {"values": [["a", "b"], ["c", "d"]]},
    ):  # fmt: skip
        abc.refuses("IU024", "axis_register", **{"axis": "topic", "title": "T", "rule": "union", **change})
    abc.refuses("IU011", "axis_register", axis="topic", title="", rule="union")
    abc.refuses("IU001", "axis_set", address="no", axis="risk", values=["low"])
    abc.refuses("IU006", "axis_set", address="a", axis="no", values=["low"])
    abc.refuses("IU007", "axis_set", address="a", axis="risk", values=["low", "extreme"])
    for values in (None, [""], ["a\u200b"], ["x" * 201], ["low", None]):
        abc.refuses("IU024", "axis_set", address="a", axis="risk", values=values)
    abc.refuses("IU003", "axis_refresh", key="no")
    abc.refuses("IU003", "collection_axes", key="no")


def test_bad_reasons_and_keys_of_composer_verbs(shared: Database) -> None:
    calls: dict[str, dict[str, Any]] = {
        "collection_add": {"key": "f", "member": "d"},
        "collection_remove": {"key": "f", "member": "a"},
        "collection_reorder": {"key": "f", "member": "a", "at": "last"},
        "collection_pin": {"key": "f", "member": "a"},
        "collection_unpin": {"key": "f", "member": "a"},
        "collection_replace": {"key": "f", "member": "a", "piece": "d"},
        "collection_rebalance": {"key": "f"},
        "collection_create": {"key": "x", "kind": "file", "title": "T"},
        "axis_refresh": {"key": "f"},
    }
    for verb, arguments in calls.items():
        shared.refuses("IU016", verb, **arguments, reason="")
        shared.refuses("IU017", verb, **arguments, actor="\n")
        shared.refuses("IU017", verb, **arguments, request_key="")
        if "key" in arguments and verb != "collection_create":
            shared.refuses("IU003", verb, **{**arguments, "key": "no"})
    with pytest.raises(psycopg.Error):
        shared.call("collection_add", key="f", member="d", reason=None)


def test_a_repeated_nested_call_takes_no_lock_of_all_nesting(db: Database) -> None:
    db.file("inner")
    db.file("outer")
    for name, arguments in {
        "collection_add": {"key": "outer", "member": "inner", "member_kind": "collection", "request_key": "k1"},
        "collection_create": {
            "key": "third",
            "kind": "file",
            "title": "T",
            "members": [{"collection": "inner"}],
            "request_key": "k2",
        },
    }.items():
        first = db.one(name, **arguments)
        generation = db.value("select generation from iucore.nesting_guard")
        assert db.one(name, **arguments) == first
        assert db.value("select generation from iucore.nesting_guard") == generation


def test_without_its_guard_nesting_is_refused(db: Database) -> None:
    db.file("inner")
    db.file("outer")
    damage(db, "delete from iucore.nesting_guard")
    db.refuses("IU904", "collection_add", key="outer", member="inner", member_kind="collection")


def test_members_with_unknown_names_are_refused(db: Database) -> None:
    db.piece("a", "x")
    members = [{"piece": "a", "verison": 1}]
    db.refuses("IU019", "collection_create", key="f", kind="file", title="T", members=members)


def test_validate_walks_a_long_workflow(db: Database) -> None:
    """The walk is in memory: 3,000 steps in a row took seconds as a recursive query."""
    db.piece("a", "x\n")
    db.file("w", *["a"] * 3000, kind="workflow")
    db.connection.execute("set statement_timeout = '2s'")
    codes = {row["code"] for row in db.call("collection_validate", key="w")}
    assert codes == {"duplicate"}

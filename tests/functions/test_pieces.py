"""Pieces: the birth gate, versions, clones, request keys, and everything that the gate must refuse."""

from __future__ import annotations

import hashlib
import json
import time
import unicodedata
import uuid
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from functions_helpers import WRITERS, Database
from governed_calls import grow_old, move_to_another_cluster
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

SHARED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
LIMIT = 16 * 1024 * 1024

BODIES = {
    "empty": "",
    "crlf": "a\r\nb\r\n",
    "lone cr": "a\rb\r\r\n",
    "bom": "\ufeffheading\n\ufeff",
    "form feed": "a\fb\v\x1c\x1d\x1e\x85c\u2028d\u2029e",
    "bidi": "\u202eabc\u202c \u2066x\u2069 \u200f\u061c",
    "nfd": "e\u0301 A\u030a \u1100\u1161",
    "nfc": "é Å 가",
    "ligature": "ﬁ ﬀ ① ％",
    "noncharacters": "\ufffe\uffff\ufdd0\U0010ffff",
    "controls": "".join(map(chr, range(1, 32))) + "\x7f\x80\x9f",
    "spaces": " \t\n  trailing  \n\n\n",
    "backslashes": r"\x00 \u0000 %s %% :name $1 {} '' \" \\",
    "emoji": "👩‍👩‍👧‍👦 🏳️‍🌈",
}

any_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=200)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def entry(address: str, body: Any = "b", **more: Any) -> dict[str, Any]:
    return {"address": address, "kind": "text", "title": "T", "body": body, **more}


# ---------------------------------------------------------------- birth


def test_birth(db: Database) -> None:
    row = db.piece("policy/retention#1", "kept for ten years\n", actor="Ann", attributes={"n": [1, "é"]})
    assert row == {
        "unit_id": row["unit_id"],
        "address": "policy/retention#1",
        "kind": "text",
        "version": 1,
        "title": "T",
        "lifecycle": "active",
        "content_sha256": sha256("kept for ten years\n"),
        "byte_length": 19,
        "change_id": row["change_id"],
        "changed": True,
    }
    shown = db.one("show", address="policy/retention#1")
    assert (shown["body"], shown["attributes"]) == ("kept for ten years\n", {"n": [1, "é"]})
    assert (shown["head_version"], shown["source_address"], shown["source_version"]) == (1, None, None)
    assert db.query("select verb, subject, actor, claimed_actor, reason, request_key from iucore.v_change") == [
        ("create", "policy/retention#1", "postgres", "Ann", "test", None)
    ]


def test_ids_are_uuid_version_7_in_time_order(db: Database) -> None:
    before = time.time_ns() // 1_000_000
    ids = [value for (value,) in db.query("select iucore.fn_iu_uuid7() from generate_series(1, 2000)")]
    after = time.time_ns() // 1_000_000
    assert len(set(ids)) == 2000
    assert {(value.version, value.variant) for value in ids} == {(7, uuid.RFC_4122)}
    stamps = [value.int >> 80 for value in ids]
    assert before <= stamps[0] <= stamps[-1] <= after
    # The fraction of a millisecond stands behind the version digit.
    times = [(value.int >> 80 << 12) + (value.int >> 64 & 0xFFF) for value in ids]
    assert times == sorted(times)
    assert len(set(times)) > 20


def test_many_are_born_in_one_call(db: Database) -> None:
    bodies = [f"body {n % 7}" for n in range(500)]
    # Not in the order of addresses: the answer keeps the order of the input.
    rows = db.call("create_many", pieces=[entry(f"p/{499 - n}", body) for n, body in enumerate(bodies)])
    assert [row["ordinal"] for row in rows] == list(range(1, 501))
    assert [row["address"] for row in rows] == [f"p/{499 - n}" for n in range(500)]
    assert [row["content_sha256"] for row in rows] == [sha256(body) for body in bodies]
    assert len({row["change_id"] for row in rows}) == 1
    assert db.value("select count(*) from iucore.unit_content") == 7
    assert db.one("show", address="p/3")["body"] == bodies[496]
    assert db.one("show", address="p/3")["attributes"] == {}


def test_many_keeps_attributes_and_takes_an_empty_list(db: Database) -> None:
    db.call("create_many", pieces=[entry("a", attributes={"k": "v"}), entry("b", attributes=None)])
    assert db.one("show", address="a")["attributes"] == {"k": "v"}
    assert db.one("show", address="b")["attributes"] == {}
    assert db.call("create_many", pieces=[]) == []


def test_content_is_stored_once(db: Database) -> None:
    db.piece("a", "same")
    db.piece("b", "same")
    db.call("create_many", pieces=[entry("c", "same"), entry("d", "same")])
    db.piece("e", "other")
    db.edit("e", "same")
    db.one("clone", source="a", address="f")
    assert sorted(db.query("select body, byte_length from iucore.unit_content")) == [("other", 5), ("same", 4)]
    assert db.value("select count(*) from iucore.unit_version where content_sha256 = sha256('same')") == 6


def test_content_is_compressed_by_lz4_where_the_server_has_it(db: Database) -> None:
    offered = db.value("select 'lz4' = any (enumvals) from pg_settings where name = 'default_toast_compression'")
    kept = db.value(
        "select attcompression from pg_attribute where attrelid = 'iucore.unit_content'::regclass and attname = 'body'"
    )
    assert kept in ({"l", b"l"} if offered else {"", b"", "\0"})
    db.piece("a", "the same words again and again " * 2000)
    assert db.value("select pg_column_compression(body) from iucore.unit_content") == ("lz4" if offered else "pglz")


def test_clients_cannot_be_told_apart_by_their_encoding(db: Database) -> None:
    db.connection.execute("set client_encoding = 'latin1'")
    row = db.one("create", address="a", kind="text", title="é", body="né\r\n")
    assert row["content_sha256"] == sha256("né\r\n")


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_bodies_come_back_byte_for_byte(shared: Database, body: str) -> None:
    round_trip(shared, uuid.uuid4().hex, body)


@given(body=any_text)
@settings(max_examples=60, suppress_health_check=SHARED)
@example(body="\r")
def test_any_body_comes_back_byte_for_byte(shared: Database, body: str) -> None:
    round_trip(shared, uuid.uuid4().hex, body)


def round_trip(db: Database, name: str, body: str) -> None:
    """Through create, create_many, edit and render."""
    expected = sha256(body)
    assert db.piece(name + "/1", body)["content_sha256"] == expected
    (many,) = db.call("create_many", pieces=[entry(name + "/2", body)])
    assert many["content_sha256"] == expected
    db.piece(name + "/3", body + "!")
    assert db.edit(name + "/3", body)["content_sha256"] == expected
    db.file(name, *(f"{name}/{n}" for n in (1, 2, 3)))
    assert db.render(name) == body * 3
    assert db.one("show", address=name + "/2")["body"] == body
    assert [row["body"] for row in db.call("render_pieces", key=name)] == [body] * 3


# ---------------------------------------------------------------- edit, clone, lifecycle


def test_edit_makes_a_version(db: Database) -> None:
    born = db.piece("a", "one", attributes={"k": 1})
    row = db.one("edit", address="a", expected_version=1, body="two")
    assert (row["version"], row["changed"], row["content_sha256"]) == (2, True, sha256("two"))
    assert row["change_id"] > born["change_id"]
    assert db.one("edit", address="a", expected_version=2, title="New")["version"] == 3
    assert db.one("edit", address="a", expected_version=3, attributes={})["version"] == 4
    shown = [db.one("show", address="a", version=n) for n in (1, 2, 3, 4)]
    assert [row["body"] for row in shown] == ["one", "two", "two", "two"]
    assert [row["title"] for row in shown] == ["T", "T", "New", "New"]
    assert [row["attributes"] for row in shown] == [{"k": 1}, {"k": 1}, {"k": 1}, {}]
    assert db.one("show", address="a")["version"] == 4


def test_edit_to_an_empty_body(db: Database) -> None:
    db.piece("a", "one")
    assert db.edit("a", "")["byte_length"] == 0
    assert db.one("show", address="a")["body"] == ""


def test_edit_on_a_stale_version_is_a_conflict(db: Database) -> None:
    db.piece("a", "one")
    db.edit("a", "two")
    for stale in (1, 3, 0, -1, None):
        error = db.refuses("IU202", "edit", address="a", expected_version=stale, body="mine")
        assert "head: 2" in error.diag.message_detail
    assert db.one("show", address="a")["body"] == "two"


def test_edit_that_changes_nothing(db: Database) -> None:
    born = db.piece("a", "one", attributes={"k": 1})
    before = db.counts()
    for same in ({}, {"body": "one"}, {"title": "T"}, {"attributes": {"k": 1}}):
        row = db.one("edit", address="a", expected_version=1, **same)
        assert row == {**born, "changed": False}
    after = db.counts()
    assert after.pop("change") == before.pop("change") + 4
    assert after == before


def test_clone_copies_no_bytes_and_names_its_source(db: Database) -> None:
    db.piece("a", "one", attributes={"k": 1}, title="First")
    db.edit("a", "two")
    before = db.counts()
    head = db.one("clone", source="a", address="b")
    old = db.one("clone", source="a", address="c", version=1, title="Copy")
    after = db.counts()
    assert after["unit_content"] == before["unit_content"]
    assert after["unit_version"] == before["unit_version"] + 2
    assert (head["version"], head["content_sha256"], head["title"]) == (1, sha256("two"), "First")
    assert (old["version"], old["content_sha256"], old["title"]) == (1, sha256("one"), "Copy")
    shown = db.one("show", address="c")
    assert (shown["source_address"], shown["source_version"], shown["attributes"]) == ("a", 1, {"k": 1})
    assert db.one("show", address="b")["source_version"] == 2
    db.edit("a", "three")
    assert db.one("show", address="b")["body"] == "two"
    db.one("clone", source="c", address="d")
    assert db.one("show", address="d")["source_address"] == "c"
    assert db.counts()["unit_content"] == before["unit_content"] + 1


def test_clone_refuses(db: Database) -> None:
    db.piece("a", "one")
    db.refuses("IU001", "clone", source="no", address="b")
    db.refuses("IU002", "clone", source="a", address="b", version=2)
    db.refuses("IU201", "clone", source="a", address="a")
    db.refuses("IU010", "clone", source="a", address="a b")
    db.refuses("IU011", "clone", source="a", address="b", title="")


def test_lifecycle(db: Database) -> None:
    db.piece("a", "one")
    row = db.one("lifecycle_set", address="a", expected_version=1, lifecycle="retired")
    assert (row["version"], row["lifecycle"], row["content_sha256"]) == (2, "retired", sha256("one"))
    assert db.one("lifecycle_set", address="a", expected_version=2, lifecycle="retired")["changed"] is False
    assert db.edit("a", "two")["lifecycle"] == "retired"
    assert db.one("lifecycle_set", address="a", expected_version=3, lifecycle="draft")["version"] == 4
    assert db.one("clone", source="a", address="b")["lifecycle"] == "active"
    db.refuses("IU202", "lifecycle_set", address="a", expected_version=1, lifecycle="active")
    db.refuses("IU001", "lifecycle_set", address="no", expected_version=1, lifecycle="active")
    for unknown in ("", "Active", "deleted", None):
        db.refuses("IU021", "lifecycle_set", address="a", expected_version=4, lifecycle=unknown)


# ---------------------------------------------------------------- readers


def test_history_and_diff(db: Database) -> None:
    db.piece("a", "one", actor="Ann")
    db.edit("a", "two", reason="better")
    db.one("lifecycle_set", address="a", expected_version=2, lifecycle="retired")
    history = db.call("history", address="a")
    assert [(row["version"], row["verb"], row["lifecycle"]) for row in history] == [
        (3, "lifecycle_set", "retired"),
        (2, "edit", "active"),
        (1, "create", "active"),
    ]
    assert [row["claimed_actor"] for row in history] == [None, None, "Ann"]
    assert history[1]["reason"] == "better"
    assert [row["byte_length"] for row in history] == [3, 3, 3]
    assert [row["changed_at"] for row in history] == sorted((row["changed_at"] for row in history), reverse=True)
    pairs = {(): (2, 3), (1,): (1, 3), (1, 2): (1, 2), (3, 1): (3, 1)}
    for given_versions, expected in pairs.items():
        named = dict(zip(("from_version", "to_version"), given_versions, strict=False))
        row = db.one("diff_input", address="a", **named)
        assert (row["from_version"], row["to_version"]) == expected
    row = db.one("diff_input", address="a", from_version=1, to_version=2)
    assert (row["from_body"], row["to_body"]) == ("one", "two")
    db.piece("new", "x")
    row = db.one("diff_input", address="new")
    assert (row["from_version"], row["to_version"]) == (1, 1)


def test_list_pages_by_prefix_in_byte_order(db: Database) -> None:
    names = ["A", "B/1", "a", "a/1", "a/2", "a/~z", "a0", "b", "b%C3%A9", "Z"]
    db.call("create_many", pieces=[entry(name) for name in names])
    db.one("create", address="r", kind="policy", title="P", body="")
    assert [row["address"] for row in db.call("list")] == sorted([*names, "r"])
    assert [row["address"] for row in db.call("list", prefix="a/")] == ["a/1", "a/2", "a/~z"]
    assert [row["address"] for row in db.call("list", kind="policy")] == ["r"]
    pages: list[str] = []
    while page := db.call("list", after=pages[-1] if pages else "", limit=3):
        pages += [row["address"] for row in page]
    assert pages == sorted([*names, "r"])


def test_find_content_names_active_heads(db: Database) -> None:
    db.piece("b", "one")
    db.piece("a", "one")
    db.piece("old", "two")
    db.edit("old", "three")
    db.piece("gone", "four")
    db.one("lifecycle_set", address="gone", expected_version=1, lifecycle="retired")
    wanted = [sha256(body) for body in ("one", "two", "three", "four", "five")]
    found = {row["content_sha256"]: row["address"] for row in db.call("find_content", sha256=wanted)}
    assert found == {sha256("one"): "a", sha256("three"): "old"}
    assert db.call("find_content", sha256=["zz", "", "ab", sha256("one").upper()]) == []


def test_readers_refuse_what_is_not_there(shared: Database) -> None:
    for name in ("show", "history", "diff_input", "where_used", "axis_show"):
        for address in ("no", None, "", "a ", "%"):
            shared.refuses("IU001", name, address=address)
    for version in (0, -1, 2, 2**62):
        shared.refuses("IU002", "show", address="a", version=version)
        shared.refuses("IU002", "diff_input", address="a", from_version=version)
        shared.refuses("IU002", "diff_input", address="a", to_version=version)


def test_kinds(db: Database) -> None:
    assert [row["kind"] for row in db.call("kind_list")] == [
        *("contract", "policy", "procedure", "prompt", "requirement", "runbook", "step", "text")
    ]
    row = db.one("kind_register", kind="faq", title="FAQ", description="A question and its answer.")
    again = db.one("kind_register", kind="faq", title="FAQ", description="A question and its answer.")
    assert row == again
    assert db.piece("a", "x", kind="faq")["kind"] == "faq"
    db.refuses("IU206", "kind_register", kind="faq", title="Other", description="A question and its answer.")
    for bad in (None, "", "Faq", "1a", "a b", "a_b", "é", "a" * 64, "a\n"):
        db.refuses("IU029", "kind_register", kind=bad, title="T", description="D")
    assert db.one("kind_register", kind="a" * 63, title="T", description="D")["kind"] == "a" * 63
    db.refuses("IU011", "kind_register", kind="x", title="", description="D")
    db.refuses("IU011", "kind_register", kind="x", title="T", description="two\nlines")


# ---------------------------------------------------------------- request keys

SCENE: dict[str, dict[str, Any]] = {
    "kind_register": {"kind": "faq", "title": "T", "description": "D"},
    "create": {"address": "new", "kind": "text", "title": "T", "body": "new", "attributes": {"k": 1}},
    "create_many": {"pieces": [entry("n2", "2"), entry("n1", "1")]},
    "edit": {"address": "a", "expected_version": 1, "body": "edited"},
    "clone": {"source": "a", "address": "copy"},
    "lifecycle_set": {"address": "b", "expected_version": 2, "lifecycle": "draft"},
    "collection_create": {"key": "g", "kind": "file", "title": "T", "members": [{"piece": "a"}, {"piece": "b"}]},
    "collection_add": {"key": "f", "member": "c", "at": "first"},
    "collection_remove": {"key": "f", "member": "b"},
    "collection_reorder": {"key": "f", "member": "a", "at": "last"},
    "collection_pin": {"key": "f", "member": "b"},
    "collection_unpin": {"key": "f", "member": "a"},
    "collection_replace": {"key": "f", "member": "b", "piece": "c"},
    "collection_rebalance": {"key": "f"},
    "step_set": {"key": "w", "member": "a", "label": "start", "transitions": [{"on": "ok", "to": "end"}]},
    "axis_register": {"axis": "risk", "title": "T", "rule": "highest", "values": ["low", "high"]},
    "axis_set": {"address": "a", "axis": "topic", "values": ["x", "y"]},
    "axis_refresh": {"key": "f"},
    "gate_set": {"gate": "delivery", "open": True},
    "event_type_register": {"event_type": "x.y", "title": "T", "lane": "delayed", "delta": True},
    "route_register": {"route": "mine", "event_type": "unit.created", "title": "T"},
    "route_set": {"route": "unit.created", "enabled": True},
    "soft_delete": {"address": "c"},
    "restore": {"address": "d"},
    "retire": {"address": "b"},
    "record_render": {"key": "f"},
    "record_validation": {"key": "f"},
    "collection_soft_delete": {"key": "w"},
    "collection_restore": {"key": "x"},
    "route_configure": {"route": "hooks", "transport": "nats", "target": {"stream": "s"}, "networks": ["10.0.0.0/8"]},
    "route_replay": {"route": "hooks", "first": 1, "last": 9},
    "route_skip": {"route": "hooks", "upto": 5},
    "sequencer_rebase": {},
    "events_prune": {"before": datetime.now(UTC) - timedelta(days=1)},
}


def build_scene(db: Database) -> None:
    for name in "abcd":
        db.piece(name, name)
    db.edit("b", "b2")
    # So far it is old; what is said of it may go when the route begins.
    grow_old(db)
    db.one("route_register", route="hooks", event_type=None, title="Hooks")
    db.one("route_configure", route="hooks", transport="file", target={"path": "p"})
    db.one("route_set", route="hooks", enabled=True)
    db.file("f", {"piece": "a", "version": 1}, "b")
    db.file("w", "a", "b", kind="workflow")
    db.one("axis_register", axis="topic", title="Topic", rule="union")
    db.call("axis_set", address="b", axis="topic", values=["z"])
    db.file("x", "a")
    db.one("soft_delete", address="d")
    db.one("collection_soft_delete", key="x")


def move_on(db: Database) -> None:
    """Everything that the first call touched changes afterwards."""
    for address, lifecycle in db.query("select address, lifecycle from iucore.v_piece"):
        if lifecycle == "soft_deleted":
            db.one("restore", address=address)
        elif lifecycle == "retired":
            head = db.value("select head_version from iucore.information_unit where address = %s", [address])
            db.one("lifecycle_set", address=address, expected_version=head, lifecycle="active")
        db.edit(address, "later", title="Later")
        db.call("axis_set", address=address, axis="topic", values=["later"])
    for key, state in db.query("select key, state from iucore.v_collection_status"):
        if state == "soft_deleted":
            db.one("collection_restore", key=key)
        for row in db.call("collection_members", key=key):
            db.one("collection_remove", key=key, member=f"@{row['member_id']}")
        db.add(key, "c")
        db.call("axis_refresh", key=key)
    for (route,) in db.query("select route from iucore.route where execution_enabled"):
        db.one("route_set", route=route, enabled=False)
    for (gate,) in db.query("select gate from iucore.gate where is_open"):
        db.one("gate_set", gate=gate, open=False)


@pytest.mark.parametrize("verb", SCENE)
def test_a_repeated_request_key_returns_the_first_result(db: Database, verb: str) -> None:
    build_scene(db)
    if verb == "sequencer_rebase":
        move_to_another_cluster(db)
    first = db.call(verb, **SCENE[verb], request_key="key 1", actor="Ann")
    assert first
    settled = db.counts()
    assert db.call(verb, **SCENE[verb], request_key="key 1", actor="Ann") == first
    assert db.counts() == settled
    move_on(db)
    settled = db.counts()
    assert db.call(verb, **SCENE[verb], request_key="key 1", actor="Ann") == first, "later changes leaked in"
    assert db.counts() == settled
    db.refuses("IU203", verb, **SCENE[verb], request_key="key 1", actor="Bob")
    db.refuses("IU203", verb, **SCENE[verb], request_key="key 1", actor="Ann", reason="another")


def test_a_request_key_stands_for_one_verb_and_one_set_of_arguments(db: Database) -> None:
    build_scene(db)
    others = {
        "create": {**SCENE["create"], "body": "x"},
        "create_many": {"pieces": [entry("n2", "x")]},
        "edit": {**SCENE["edit"], "body": "x"},
        "clone": {**SCENE["clone"], "title": "x"},
        "collection_create": {**SCENE["collection_create"], "members": []},
        "collection_add": {**SCENE["collection_add"], "at": "last"},
        "axis_set": {**SCENE["axis_set"], "values": ["x"]},
    }
    for verb, arguments in others.items():
        db.call(verb, **SCENE[verb], request_key=verb)
        db.refuses("IU203", verb, **arguments, request_key=verb)
    for verb in others:
        other = "clone" if verb == "create" else "create"
        db.refuses("IU203", other, **{**SCENE[other], "address": "free"}, request_key=verb)


def test_the_scene_has_every_writer() -> None:
    assert set(SCENE) == WRITERS


def test_a_refused_call_leaves_its_request_key_free(db: Database) -> None:
    db.refuses("IU014", "create", **entry("a", "x" * (LIMIT + 1)), request_key="k")
    assert db.piece("a", "x", request_key="k")["changed"] is True


@pytest.mark.parametrize("committed", [True, False], ids=["after commit", "before commit"])
def test_a_connection_cut_is_safe_to_retry(db: Database, committed: bool) -> None:
    call = "select unit_id::text, change_id::text from iucore.fn_iu_create('a', 'text', 'T', 'b', 'r', '{}', null, 'k')"
    with closing(psycopg.connect(db.connection.info.dsn, autocommit=True)) as doomed:
        pid = doomed.info.backend_pid
        # The answer is never read: what the client of a broken connection knows.
        doomed.pgconn.send_query((call if committed else "begin; " + call).encode())
        if committed:
            wait(db, "select exists (select from iucore.information_unit)", [])
        else:
            wait(db, "select state = 'idle in transaction' from pg_stat_activity where pid = %s", [pid])
        db.value("select pg_terminate_backend(%s)", [pid])
        wait(db, "select not exists (select from pg_stat_activity where pid = %s)", [pid])
        assert db.value("select count(*) from iucore.information_unit") == int(committed)
    row = db.piece("a", "b", reason="r", request_key="k")
    assert db.query("select unit_id, change_id from iucore.information_unit") == [(row["unit_id"], row["change_id"])]
    assert db.value("select count(*) from iucore.change") == 1


def wait(db: Database, condition: str, arguments: list[Any]) -> None:
    deadline = time.monotonic() + 20
    while not db.value(condition, arguments):
        assert time.monotonic() < deadline, condition


# ---------------------------------------------------------------- refusals: names

GOOD_ADDRESSES = [
    "a",
    "~",
    "A/b.c/%C3%A9_-",
    "a#b",
    "a/b#%20",
    "...",
    ".a",
    "a..b/.c",
    "0",
    "x" * 1024,
    "%C3%A9" * 170,
]
BAD_ADDRESSES = [
    None,
    "",
    " ",
    " a",
    "a ",
    "a b",
    "/a",
    "a/",
    "a//b",
    "/",
    ".",
    "..",
    "a/.",
    "a/..",
    "../a",
    "./a",
    "a/./b",
    "a/../b",
    "..#a",
    "a/..#b",
    "#",
    "#a",
    "a#",
    "a/#b",
    "a#b#c",
    "a#b/c",
    "a%2Fb",
    "a%00",
    "a%2f",
    "a%c3%a9",
    "a%",
    "a%2",
    "a%GG",
    "é",
    "a\n",
    "a\nb",
    "a\tb",
    "a:b",
    "a\\b",
    "a?b",
    "a*b",
    "a@b",
    "a+b",
    "@1",
    "a\u202eb",
    "a\u200bb",
    "\uff41",
    "а",  # Cyrillic
    "x" * 1025,
    "%C3%A9" * 171,
    # Encoded unreserved characters: two keys for one path, or a segment '..' in disguise.
    "%2E%2E",
    "a/%2E%2E/b",
    "%2e%2e/a",
    ".%2E",
    "%61",
    "%41",
    "%7E",
    "%30",
    "%2D",
    "%5F",
]


def test_well_formed_addresses(db: Database) -> None:
    for good in GOOD_ADDRESSES:
        assert db.piece(good)["address"] == good
        assert db.file(good)["key"] == good
        assert db.one("show", address=good)["address"] == good


def test_malformed_addresses(shared: Database) -> None:
    accepted = [bad for bad in BAD_ADDRESSES if shared.value("select iucore.fn_iu_is_address(%s)", [bad])]
    assert accepted == []
    for bad in BAD_ADDRESSES:
        shared.refuses("IU010", "create", **entry(bad))
        shared.refuses("IU010", "create_many", pieces=[entry("fine"), entry(bad)])
        shared.refuses("IU010", "clone", source="a", address=bad)
        shared.refuses("IU010", "collection_create", key=bad, kind="file", title="T")


FILLERS = {0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, 0x034F}
# Format characters that have a shape of their own.
VISIBLE_FORMAT = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}
NAMED = {
    "tab": "\t",
    "line feed": "\n",
    "carriage return": "\r",
    "escape": "\x1b",
    "delete": "\x7f",
    "next line": "\x85",
    "no-break space": "\xa0",
    "soft hyphen": "\xad",
    "grapheme joiner": "\u034f",
    "arabic letter mark": "\u061c",
    "hangul filler": "\u115f",
    "ogham space": "\u1680",
    "mongolian vowel separator": "\u180e",
    "en quad": "\u2000",
    "figure space": "\u2007",
    "hair space": "\u200a",
    "zero width space": "\u200b",
    "zero width joiner": "\u200d",
    "left-to-right mark": "\u200e",
    "right-to-left mark": "\u200f",
    "line separator": "\u2028",
    "paragraph separator": "\u2029",
    "embedding": "\u202a",
    "override": "\u202e",
    "narrow no-break space": "\u202f",
    "mathematical space": "\u205f",
    "word joiner": "\u2060",
    "isolate": "\u2066",
    "pop isolate": "\u2069",
    "braille blank": "\u2800",
    "ideographic space": "\u3000",
    "halfwidth filler": "\uffa0",
    "byte order mark": "\ufeff",
    "interlinear": "\ufff9",
    "noncharacter": "\ufffe",
    "musical": "\U0001d173",
    "tag": "\U000e0041",
    "variation selector": "\U000e0100",
}


@pytest.mark.parametrize("name", NAMED)
def test_titles_without_invisible_characters(shared: Database, fresh: str, name: str) -> None:
    character = NAMED[name]
    for title in (f"a{character}b", character, f"a{character}", f"{character}a"):
        shared.refuses("IU011", "create", **entry(fresh, title=title))
    title = f"a{character}b"
    shared.refuses("IU011", "create_many", pieces=[entry(fresh, title=title)])
    shared.refuses("IU011", "edit", address="a", expected_version=1, title=title)
    shared.refuses("IU011", "clone", source="a", address=fresh, title=title)
    shared.refuses("IU011", "collection_create", key=fresh, kind="file", title=title)
    shared.refuses("IU016", "create", **entry(fresh), reason=title)
    shared.refuses("IU017", "create", **entry(fresh), actor=title)
    shared.refuses("IU017", "create", **entry(fresh), request_key=title)
    # The same character is welcome in a body.
    assert shared.one("create", **entry(fresh, title))["byte_length"] == len(title.encode())


def test_every_code_point_in_a_title(shared: Database) -> None:
    every = [code for code in range(1, 0x110000) if not 0xD800 <= code <= 0xDFFF]
    taken = {
        code
        for (code,) in shared.query(
            "select c from unnest(%s::int[]) as c where iucore.fn_iu_is_name('a' || chr(c) || 'b', 300)",
            # Private and unassigned planes are of no interest here.
            [[code for code in every if code < 0x20000 or 0xE0000 <= code < 0xE1000]],
        )
    }
    by_category: dict[str, set[int]] = {}
    for code in every:
        by_category.setdefault(unicodedata.category(chr(code)), set()).add(code)
    invisible = (
        by_category["Cc"] | by_category["Zl"] | by_category["Zp"] | by_category["Zs"] | by_category["Cf"] | FILLERS
    ) - {0x20, *VISIBLE_FORMAT}
    assert sorted(map(hex, taken & invisible)) == []
    visible = {
        code for category, codes in by_category.items() if category[0] in "LNPS" for code in codes if code < 0x20000
    } - FILLERS
    assert sorted(map(hex, visible - taken - {0xFFFC, 0xFFFD})) == []


def test_lengths_of_titles_are_characters(db: Database) -> None:
    assert db.one("create", **entry("x", title="é" * 300))["title"] == "é" * 300
    assert db.one("create", **entry("y", title="🏳️ e\u0301 مرحبا 日本"))["title"] == "🏳️ e\u0301 مرحبا 日本"
    for bad in (None, "", " ", "a" * 301, " a", "a "):
        db.refuses("IU011", "create", **entry("z", title=bad))
        if bad is not None:
            db.refuses("IU011", "edit", address="x", expected_version=1, title=bad)


def test_reasons_actors_and_request_keys(db: Database) -> None:
    for bad in (None, "", " ", "two\nlines", "a" * 2001):
        db.refuses("IU016", "create", **entry("x"), reason=bad)
        db.refuses("IU016", "create_many", pieces=[entry("x")], reason=bad)
    for bad in ("", " ", "two\nlines", "a" * 201):
        db.refuses("IU017", "create", **entry("x"), actor=bad)
        db.refuses("IU017", "create", **entry("x"), request_key=bad)
    db.one("create", **entry("x"), reason="é" * 2000, actor="a" * 200, request_key="k" * 200)


def test_unknown_kinds(shared: Database) -> None:
    for bad in (None, "", "Text", "nope", "text "):
        shared.refuses("IU005", "create", **entry("x", kind=bad))
        shared.refuses("IU005", "create_many", pieces=[entry("x", kind=bad)])


def test_taken_addresses(db: Database) -> None:
    db.piece("a", "one")
    assert "a" in db.refuses("IU201", "create", **entry("a")).diag.message_detail
    for pieces, named in (
        ([entry("b"), entry("a")], ("piece 2 of 2", "address: a")),
        ([entry("c"), entry("b"), entry("b")], ("piece 2 of 3 (address twice in this call)", "address: b")),
    ):
        detail = db.refuses("IU201", "create_many", pieces=pieces).diag.message_detail
        assert all(words in detail for words in named), detail
    assert db.one("show", address="a")["body"] == "one"


# ---------------------------------------------------------------- refusals: texts

ESCAPED_NUL = r"""[{"address": %s, "kind": %s, "title": %s, "body": %s, "attributes": %s}]"""
PLAIN = ['"x"', '"text"', '"T"', '"b"', "{}"]


@pytest.mark.parametrize("place", range(5), ids=["address", "kind", "title", "body", "attributes"])
def test_nul_in_json(db: Database, place: int) -> None:
    for nul in (r"\u0000", r"a\u0000b", r"\\\u0000"):
        values = [*PLAIN]
        values[place] = f'{{"k": "{nul}"}}' if place == 4 else f'"{nul}"'
        db.refuses("IU012", "create_many", pieces=ESCAPED_NUL % tuple(values))
    values[place] = '{"\\u0000": 1}' if place == 4 else '"\\\\u0000"'
    if place == 3:  # a backslash and u0000 are six characters, not U+0000
        (row,) = db.call("create_many", pieces=ESCAPED_NUL % tuple(values))
        assert db.one("show", address=row["address"])["body"] == r"\u0000"
    elif place == 4:
        db.refuses("IU012", "create_many", pieces=ESCAPED_NUL % tuple(values))


@pytest.mark.parametrize("place", range(5), ids=["address", "kind", "title", "body", "attributes"])
@pytest.mark.parametrize("lone", [r"\ud800", r"a\udc00", r"\udc00\ud800", r"\ud83dx", r"\ud83d\u0041"])
def test_lone_surrogates_in_json(shared: Database, place: int, lone: str) -> None:
    values = [*PLAIN]
    values[place] = f'{{"k": "{lone}"}}' if place == 4 else f'"{lone}"'
    shared.refuses("IU013", "create_many", pieces=ESCAPED_NUL % tuple(values))


def test_a_pair_of_surrogates_is_a_character(db: Database) -> None:
    db.call("create_many", pieces=ESCAPED_NUL % ('"x"', '"text"', '"T"', r'"\ud83d\ude00"', "{}"))
    assert db.one("show", address="x")["body"] == "\U0001f600"


def test_nul_in_attributes_and_parameters(shared: Database) -> None:
    """The server's own input functions refuse before any function of ours runs."""
    shared.refuses("22P05", "create", **entry("x", attributes=r'{"k": "\u0000"}'))
    shared.refuses("22P02", "create", **entry("x", attributes=r'{"k": "\ud800"}'))
    before = shared.counts()
    with pytest.raises(psycopg.DataError):
        shared.call("create", **entry("x", "a\0b"), reason="r")
    assert shared.counts() == before


def offset_of(error: psycopg.Error) -> int:
    return int(error.diag.message_detail.rsplit(" ", 1)[1])


@given(
    data=st.binary(max_size=40)
    | st.lists(
        st.sampled_from(
            [
                b"a",
                b"\xc3\xa9",
                b"\xe2\x82\xac",
                b"\xf0\x9f\x98\x80",
                b"\xed\xa0\x80",
                b"\xc0\x80",
                b"\xf4\x90\x80\x80",
                b"\xe2\x82",
                b"\xff",
                b"\x80",
                b"\xf0\x9f\x98",
                b"\xc3",
                b"\xe0\x80\x80",
                b"\xed\x9f\xbf",
                b"\0",
            ]
        ),
        max_size=12,
    ).map(b"".join)
)
@settings(max_examples=400, suppress_health_check=SHARED)
def test_bytes_that_are_not_utf8_are_refused_with_their_offset(shared: Database, data: bytes) -> None:
    with shared.connection.transaction(force_rollback=True):
        try:
            text = shared.value("select iucore.fn_iu_text(%s)", [data])
        except psycopg.Error as error:
            if b"\0" in data:
                assert (error.sqlstate, offset_of(error)) == ("IU012", data.index(b"\0"))
            else:
                with pytest.raises(UnicodeDecodeError) as oracle:
                    data.decode()
                assert (error.sqlstate, offset_of(error)) == ("IU013", oracle.value.start)
            return
    assert text == data.decode()
    assert b"\0" not in data


def test_the_offset_in_a_large_text_is_found_quickly(shared: Database) -> None:
    data = ("é" * 4_000_000).encode() + b"\xff" + b"x" * 4_000_000
    started = time.monotonic()
    with pytest.raises(psycopg.Error) as caught:
        shared.value("select iucore.fn_iu_text(%s)", [data])
    assert (caught.value.sqlstate, offset_of(caught.value)) == ("IU013", 8_000_000)
    assert time.monotonic() - started < 10


def test_bodies_over_the_limit_in_bytes(db: Database) -> None:
    assert db.value("select iucore.fn_iu_limit('body_bytes')") == LIMIT
    db.piece("p", "x")
    for body in ("x" * (LIMIT + 1), "é" * (LIMIT // 2) + "x"):
        db.refuses("IU014", "create", **entry("x", body))
        db.refuses("IU014", "edit", address="p", expected_version=1, body=body)
        error = db.refuses("IU014", "create_many", pieces=[entry("x"), entry("y", body)])
        assert "piece 2 of 2" in error.diag.message_detail
    assert db.one("create", **entry("x", "é" * (LIMIT // 2)))["byte_length"] == LIMIT


def test_missing_bodies(shared: Database) -> None:
    shared.refuses("IU032", "create", **entry("x", None))
    shared.refuses("IU032", "create_many", pieces=[entry("x", None)])
    shared.refuses("IU032", "create_many", pieces=[{"address": "x", "kind": "text", "title": "T"}])


def nested(depth: int, inner: str = "1") -> str:
    """An object with a scalar `depth` levels down."""
    return '{"a":' * depth + inner + "}" * depth


BAD_ATTRIBUTES = {
    "array": "[]",
    "string": '"x"',
    "number": "1",
    "null": "null",
    "17 deep": nested(17),
    "17 deep in an array": nested(15, "[[1]]"),
    "5000 deep": nested(5000),
    "5000 arrays": '{"a":' + "[" * 5000 + "]" * 5000 + "}",
    "too many bytes": json.dumps({"k": "x" * 65536}),
}


@pytest.mark.parametrize("name", BAD_ATTRIBUTES)
def test_attributes_that_are_no_object_too_deep_or_too_large(shared: Database, name: str) -> None:
    bad = BAD_ATTRIBUTES[name]
    shared.refuses("IU015", "create", **entry("x", attributes=bad))
    shared.refuses("IU015", "edit", address="a", expected_version=1, attributes=bad)
    if name != "null":  # in the list, null stands for none
        shared.refuses("IU015", "create_many", pieces=ESCAPED_NUL % (*PLAIN[:4], bad))


def test_attributes_at_the_limit(db: Database) -> None:
    for name, good in {"deep": nested(16), "wide": json.dumps({"k": "x" * 65500}), "empty": "{}"}.items():
        assert db.one("create", **entry(name, attributes=good))["version"] == 1
    db.refuses("IU015", "create", **entry("x", attributes=None))


def test_numbers_that_the_server_cannot_hold(shared: Database) -> None:
    shared.refuses("IU019", "create_many", pieces=ESCAPED_NUL % (*PLAIN[:4], '{"k": 1e999999}'))


def test_json_too_deep_for_the_server(shared: Database) -> None:
    """Far deeper the server's parser itself refuses; nothing breaks and nothing is written."""
    deep = "[" * 200_000 + "]" * 200_000
    shared.refuses("54001", "create", **entry("x", attributes=f'{{"a": {deep}}}'))
    shared.refuses("54001", "create_many", pieces=deep)


BAD_LISTS = {
    "null": None,
    "an object": "{}",
    "a string": '"x"',
    "json null": "null",
    "scalars": "[1]",
    "arrays": "[[]]",
    "nulls": "[null]",
    "strings": '["x"]',
}


@pytest.mark.parametrize("name", BAD_LISTS)
def test_lists_of_another_shape(shared: Database, name: str) -> None:
    shared.refuses("IU019", "create_many", pieces=BAD_LISTS[name])


FAULTS: dict[str, dict[str, Any]] = {
    "IU010": {"address": "a b"},
    "IU005": {"kind": "nope"},
    "IU011": {"title": ""},
    "IU015": {"attributes": []},
    "IU032": {"body": None},
    "IU201": {"address": "a"},
}


@pytest.mark.parametrize("code", FAULTS)
def test_one_bad_piece_among_many_refuses_all_and_is_named(shared: Database, code: str) -> None:
    pieces = [entry(f"p/{n}") for n in range(50)]
    pieces[16] |= FAULTS[code]
    pieces[30] |= FAULTS["IU011"]
    # A fault in itself is named before an address that is taken.
    named, expected = ("31", "IU011") if code == "IU201" else ("17", code)
    error = shared.refuses(expected, "create_many", pieces=pieces)
    assert f"piece {named} of 50" in error.diag.message_detail

"""Gates: what a closed one refuses and says, what goes on behind it, who may switch it, and what a switch leaves."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from functions_helpers import WORKERS, WRITERS, Database
from governed_calls import COMPOSERS, events_of, good_calls, last_change, prepare


def switch(db: Database, gate: str, is_open: bool, **more: Any) -> dict[str, Any]:
    return db.one("gate_set", gate=gate, open=is_open, **more)


def test_every_writing_function_asks_the_gates(db: Database) -> None:
    """Whoever adds a writing function is caught here: one list, from the catalog."""
    definers = db.query("select proname from pg_proc where pronamespace = 'iucore'::regnamespace and prosecdef")
    assert {name.removeprefix("fn_iu_") for (name,) in definers} == WRITERS | WORKERS
    composers = db.query(
        "select proname from pg_proc where pronamespace = 'iucore'::regnamespace and prosecdef"
        " and prosrc ~ 'fn_iu_composer_(open|assert_gate)'"
    )
    assert {name.removeprefix("fn_iu_") for (name,) in composers} == COMPOSERS


def test_gates_at_birth(db: Database) -> None:
    rows = db.call("gate_list")
    assert [(row["gate"], row["is_open"], row["actor"], row["change_id"]) for row in rows] == [
        ("master", True, None, None),
        ("composer", True, None, None),
        ("delivery", False, None, None),
    ]
    assert db.call("gate_history") == []


@pytest.mark.parametrize(("gate", "code", "stopped"), [("master", "IU100", WRITERS), ("composer", "IU101", COMPOSERS)])
def test_a_closed_gate_refuses_every_verb_that_it_guards(db: Database, gate: str, code: str, stopped: set[str]) -> None:
    prepare(db, "x")
    closed = switch(db, gate, False, reason="audit")["change_id"]
    for verb, arguments in good_calls("x").items():
        if verb in stopped - {"gate_set"}:
            for request_key in (None, "k"):
                error = db.refuses(code, verb, **arguments, request_key=request_key)
                assert error.diag.message_primary == f"{gate} gate is closed"
                assert f"change {closed}: audit" in (error.diag.message_detail or "")
        else:
            undone(db, verb, arguments)
    switch(db, gate, True)
    # They were refused for the gate and nothing else.
    for verb, arguments in good_calls("x").items():
        undone(db, verb, arguments)


def undone(db: Database, verb: str, arguments: dict[str, Any]) -> None:
    """The call is good; its work is rolled back."""
    with db.connection.transaction(force_rollback=True):
        db.call(verb, **arguments)


def test_a_closed_composer_gate_is_seen_before_a_soft_deleted_collection(db: Database) -> None:
    db.file("f")
    db.one("collection_soft_delete", key="f")
    switch(db, "composer", False)
    db.refuses("IU101", "collection_rebalance", key="f")
    switch(db, "master", False)
    db.refuses("IU100", "collection_rebalance", key="f")


def test_reading_goes_on_behind_closed_gates(db: Database) -> None:
    prepare(db, "x")
    reads: dict[str, dict[str, Any]] = {
        "show": {"address": "x/a"},
        "list": {},
        "history": {"address": "x/a"},
        "where_used": {"address": "x/a"},
        "find_content": {"sha256": ["00"]},
        "search": {"text": "x"},
        "diff_input": {"address": "x/a"},
        "collection_list": {},
        "collection_show": {"key": "x/f"},
        "collection_members": {"key": "x/f"},
        "collection_history": {"key": "x/f"},
        "collection_where_used": {"key": "x/f"},
        "collection_validate": {"key": "x/f"},
        "collection_axes": {"key": "x/f"},
        "render": {"key": "x/f", "as_of_change": last_change(db)},
        "render_pieces": {"key": "x/f"},
        "render_workflow": {"key": "x/w", "format": "json"},
        "kind_list": {},
        "axis_list": {},
        "axis_show": {"address": "x/a"},
        "event_list": {},
        "event_type_list": {},
        "route_list": {},
        "registry_check": {},
    }
    before = {name: db.call(name, **arguments) for name, arguments in reads.items() if name in granted(db)}
    assert len(before) > 20
    for gate in ("composer", "master"):
        switch(db, gate, False)
    expected = {name: rows for name, rows in before.items() if name != "event_list"}
    assert {name: db.call(name, **reads[name]) for name in expected} == expected
    assert [row["is_open"] for row in db.call("gate_list")] == [False, False, False]


def granted(db: Database) -> set[str]:
    rows = db.query(
        "select proname from pg_proc where pronamespace = 'iucore'::regnamespace and provolatile <> 'v'"
        " and has_function_privilege('iucore_reader', oid, 'execute')"
    )
    return {name.removeprefix("fn_iu_") for (name,) in rows}


def test_a_refusal_says_who_when_why_and_how_to_open(db: Database, login: Callable[[str], str]) -> None:
    with as_role(login("iucore_gatekeeper")) as gatekeeper:
        name = gatekeeper.value("select session_user")
        switch(gatekeeper, "master", False, reason="the audit runs", actor="ann")
    row = db.call("gate_list")[0]
    error = db.refuses("IU100", "create", address="a", kind="text", title="T", body="")
    when = row["changed_at"].astimezone(tz=None).strftime("%Y")
    detail = error.diag.message_detail or ""
    assert re.fullmatch(
        rf"closed by {name} \(for ann, as claimed\) at {when}-\d\d-\d\d \d\d:\d\d:\d\d UTC, change"
        rf" {row['change_id']}: the audit runs",
        detail,
    ), detail
    at = db.value("select to_char(%s::timestamptz at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS')", [row["changed_at"]])
    assert at in detail
    # The hint is the statement that opens it.
    hint = error.diag.message_hint or ""
    assert "iucore gate open master -m WHY" in hint
    statement = re.search(r"select \* from .*?;", hint)
    assert statement
    assert db.query(statement[0])[0][:2] == ("master", True)
    db.piece("a")


def test_a_gate_that_was_never_switched_or_is_gone_is_closed(db: Database) -> None:
    with pytest.raises(psycopg.Error) as caught:
        db.query("select iucore.fn_iu_assert_gate('delivery')")
    assert (caught.value.sqlstate, caught.value.diag.message_detail) == ("IU102", "closed since it was made")
    switch(db, "delivery", True)
    db.query("select iucore.fn_iu_assert_gate('delivery')")
    db.connection.execute("delete from iucore.gate where gate in ('master', 'composer')")
    db.refuses("IU100", "create", address="a", kind="text", title="T", body="")


def test_what_a_call_finds_in_its_own_transaction_counts(db: Database) -> None:
    """Closed and opened in one transaction: each call goes by what stands at its moment."""
    with db.connection.transaction():
        switch(db, "master", False)
        with pytest.raises(psycopg.Error, match="master gate is closed"), db.connection.transaction():
            db.piece("a")
        switch(db, "master", True)
        db.piece("b")
    assert [row["address"] for row in db.call("list")] == ["b"]


def test_a_repeated_call_gets_its_first_result_behind_closed_gates(db: Database) -> None:
    firsts: dict[str, Any] = {}
    for verb, arguments in every_call_on_its_own(db).items():
        firsts[verb] = db.call(verb, **arguments, request_key=verb)
    for gate in ("composer", "master"):
        switch(db, gate, False)
    before = db.counts()
    for verb, arguments in every_call_on_its_own(db, ready=True).items():
        again = db.call(verb, **arguments, request_key=verb)
        assert again == firsts[verb], verb
    assert db.counts() == before
    # Another call with the key is told so, not the gate.
    db.refuses("IU203", "edit", address="edit/b", expected_version=1, body="x", request_key="edit")


def every_call_on_its_own(db: Database, ready: bool = False) -> dict[str, dict[str, Any]]:
    """One good call for each verb, none in the way of another."""
    calls = {}
    for verb in sorted(WRITERS):
        if not ready:
            prepare(db, verb.replace("_", ""))
        calls[verb] = good_calls(verb.replace("_", ""))[verb]
    calls["edit"] = {**calls["edit"], "address": "edit/b"}
    return calls


def test_only_the_gatekeeper_switches(db: Database, login: Callable[[str | None], str]) -> None:
    for role in ("iucore_reader", "iucore_author", "iucore_operator", "iucore_worker", "iucore_auditor", None):
        with as_role(login(role)) as other, pytest.raises(psycopg.errors.InsufficientPrivilege):
            switch(other, "delivery", True)
    with as_role(login("iucore_gatekeeper")) as gatekeeper:
        for gate in ("master", "composer"):
            assert switch(gatekeeper, gate, False)["changed"]
        assert switch(gatekeeper, "delivery", True)["changed"]
        # Behind a closed master gate the gatekeeper alone goes on, with gates alone.
        assert switch(gatekeeper, "composer", True)["changed"]
        gatekeeper.refuses("IU100", "route_set", route="unit.created", enabled=True)
        assert switch(gatekeeper, "master", True)["changed"]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            gatekeeper.piece("a")
    with as_role(login("iucore_author")) as author, pytest.raises(psycopg.errors.InsufficientPrivilege):
        author.connection.execute("update iucore.gate set is_open = true")


class as_role:  # noqa: N801
    """The functions as another login role calls them."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url.replace("postgresql+psycopg2://", "postgresql://"))

    def __enter__(self) -> Database:
        return Database(self.connection)

    def __exit__(self, *_: object) -> None:
        self.connection.close()


def test_each_switch_is_recorded(db: Database) -> None:
    changes = []
    for gate, is_open in [("master", False), ("composer", False), ("master", True), ("delivery", True)]:
        row = switch(db, gate, is_open, reason=f"{gate} {is_open}", actor="ann")
        assert (row["gate"], row["is_open"], row["changed"]) == (gate, is_open, True)
        assert events_of(db, row["change_id"]) == [("gate.switched", gate, {"open": is_open})]
        assert db.query(
            "select c.verb, c.subject, c.actor, c.claimed_actor, c.reason, s.gate, s.is_open"
            " from iucore.change as c join iucore.gate_switch as s using (change_id) where c.change_id = %s",
            [row["change_id"]],
        ) == [("gate_set", gate, "postgres", "ann", f"{gate} {is_open}", gate, is_open)]
        changes.append(row["change_id"])
    rows = db.call("gate_history")
    assert [row["change_id"] for row in rows] == changes[::-1]
    assert [(row["is_open"], row["reason"]) for row in db.call("gate_history", gate="master")] == [
        (True, "master True"),
        (False, "master False"),
    ]
    state = {row["gate"]: (row["is_open"], row["change_id"], row["claimed_actor"]) for row in db.call("gate_list")}
    assert state == {
        "master": (True, changes[2], "ann"),
        "composer": (False, changes[1], "ann"),
        "delivery": (True, changes[3], "ann"),
    }


@pytest.mark.parametrize("is_open", [True, False])
def test_switching_to_what_it_is_records_the_call_and_no_switch(db: Database, is_open: bool) -> None:
    switch(db, "master", is_open)
    before = db.counts()
    row = switch(db, "master", is_open, reason="again")
    assert (row["is_open"], row["changed"]) == (is_open, False)
    after = db.counts()
    assert {name for name in after if after[name] != before[name]} == {"change"}
    assert events_of(db, row["change_id"]) == []
    assert db.value("select reason from iucore.change where change_id = %s", [row["change_id"]]) == "again"
    keyed = switch(db, "master", is_open, request_key="k")
    assert not keyed["changed"]
    switch(db, "master", not is_open)
    assert switch(db, "master", is_open, request_key="k") == keyed
    assert db.call("gate_list")[0]["is_open"] == (not is_open)


def test_gate_set_refuses(db: Database) -> None:
    for code, change in [
        ("IU040", {"gate": "Master"}),
        ("IU040", {"gate": None}),
        ("IU037", {"open": None}),
        ("IU016", {"reason": " "}),
        ("IU016", {"reason": None}),
        ("IU017", {"actor": ""}),
        ("IU017", {"request_key": ""}),
    ]:
        db.refuses(code, "gate_set", **{"gate": "master", "open": False, **change})
    db.refuses("IU040", "gate_history", gate="no")
    switch(db, "delivery", True, request_key="k")
    db.refuses("IU203", "gate_set", gate="delivery", open=False, request_key="k")

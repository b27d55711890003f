"""Events: which, with what payload, in whose name; emitted with the change or not at all; lanes; nothing rewritten."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from event_laws import assert_events
from functions_helpers import WRITERS, Database
from governed_calls import events_of, good_calls, last_change, prepare, sequence, sha256

REGISTRY_CHECK = Path(__file__).parents[2] / "alembic/versions/0009_composer_registry/registry_check.sql"
Event = tuple[str, str, Any]


def expected_events(verb: str, member: dict[str, int], head: int) -> list[Event]:
    """The documented events of the good call of a verb below the prefix x."""
    born = {"kind": "text", "version": 1}
    added = [member["new/1"], member["new/2"], member["new/3"]]
    events: dict[str, list[Event]] = {
        "kind_register": [("kind.registered", "x-kind", {"title": "Kind"})],
        "create": [("unit.created", "x/new", {**born, "sha256": sha256("new")})],
        "create_many": [
            ("unit.created", "x/many2", {**born, "sha256": sha256("many2")}),
            ("unit.created", "x/many1", {**born, "sha256": sha256("many1")}),
        ],
        "edit": [("unit.edited", "x/a", {"version": 2, "sha256": sha256("edited"), "lifecycle": "active"})],
        "clone": [("unit.cloned", "x/clone", {**born, "sha256": sha256("b"), "source": "x/b", "source_version": 1})],
        "lifecycle_set": [("unit.lifecycle_set", "x/b", {"version": 2, "sha256": sha256("b"), "lifecycle": "draft"})],
        "retire": [("unit.retired", "x/d", {"version": 2, "sha256": sha256("d"), "lifecycle": "retired"})],
        "soft_delete": [("unit.soft_deleted", "x/b", {"version": 1, "places": 1})],
        "restore": [("unit.restored", "x/gone", {"version": 1, "places": 1})],
        "axis_register": [("axis.registered", "x-axis", {"title": "Axis", "rule": "latest"})],
        "axis_set": [("unit.axes_set", "x/c", {"axis": "x-topic", "values": ["y", "z"]})],
        "axis_refresh": [("collection.axes_refreshed", "x/f", {"added": 1, "removed": 0, "kept": 0})],
        "collection_create": [
            ("collection.created", "x/new", {"kind": "workflow", "title": "C", "members": 3}),
            ("collection.piece_added", "x/new", {"member": added[0], "piece": "x/c"}),
            ("collection.piece_added", "x/new", {"member": added[1], "collection": "x/inner"}),
            ("collection.piece_added", "x/new", {"member": added[2], "piece": "x/a", "version": 1}),
        ],
        "collection_add": [
            (
                "collection.piece_added",
                "x/f",
                {"member": member["x/c"], "piece": "x/c", "version": 1, "at": "before", "anchor": "x/a"},
            )
        ],
        "collection_remove": [("collection.piece_removed", "x/f", {"member": member["x/a"], "piece": "x/a"})],
        "collection_reorder": [
            ("collection.piece_reordered", "x/f", {"member": member["x/a"], "piece": "x/a", "at": "last"})
        ],
        "collection_pin": [("collection.piece_pinned", "x/f", {"member": member["x/a"], "piece": "x/a", "version": 1})],
        "collection_unpin": [("collection.piece_unpinned", "x/f", {"member": member["x/b"], "piece": "x/b"})],
        "collection_replace": [
            (
                "collection.piece_replaced",
                "x/f",
                {"member": member["x/a"], "piece": "x/c", "was": "x/a", "version": 1},
            )
        ],
        "collection_rebalance": [("collection.rebalanced", "x/f", {})],
        "collection_soft_delete": [("collection.soft_deleted", "x/f", {})],
        "collection_restore": [("collection.restored", "x/away", {})],
        "step_set": [("collection.step_set", "x/w", {"member": member["step"], "label": "start"})],
        "record_render": [
            ("collection.rendered", "x/f", {"sha256": sha256("ab"), "bytes": 2, "pieces": 2, "head_change": head})
        ],
        # A soft-deleted member, and a piece without line end before another.
        "record_validation": [("collection.validated", "x/f", {"errors": 0, "warnings": 2})],
        "gate_set": [("gate.switched", "delivery", {"open": True})],
        "event_type_register": [("event_type.registered", "x.done", {"lane": "delayed"})],
        "route_register": [("route.registered", "x.route", {"event_type": "unit.created"})],
        "route_set": [("route.switched", "unit.created", {"enabled": True})],
        "route_configure": [("route.configured", "x.hooks", {"transport": "nats"})],
        "route_replay": [("route.replayed", "x.hooks", {"first": 1, "events": 20})],
        "route_skip": [("route.skipped", "x.hooks", {"upto": 1, "events": 0})],
        # These two do nothing as they are called there: test_delivery.py has their events.
        "sequencer_rebase": [],
        "events_prune": [],
    }
    assert events.keys() == WRITERS
    return events[verb]


def members_by_name(db: Database) -> dict[str, int]:
    """Numbers of the members of x/f by address, of the step of x/w, and of x/new by place."""
    rows = db.query(
        "select c.key, u.address, m.member_id, m.rank from iucore.collection_member as m"
        " join iucore.collection as c using (collection_id) left join iucore.information_unit as u using (unit_id)"
        " where c.key in ('x/f', 'x/w', 'x/new') order by m.rank collate \"C\", m.row_id"
    )
    numbers = {address: member for key, address, member, _ in rows if key == "x/f"}
    numbers["step"] = next(member for key, _, member, _ in rows if key == "x/w")
    new = [member for key, _, member, _ in rows if key == "x/new"] or [0, 0, 0]
    return {"x/c": 0, **numbers, "new/1": new[0], "new/2": new[1], "new/3": new[2]}


def test_each_verb_emits_exactly_its_events(db: Database) -> None:
    prepare(db, "x")
    before = db.counts()
    head = db.value("select head_change from iucore.collection where key = 'x/f'")
    for verb, arguments in good_calls("x").items():
        with db.connection.transaction(force_rollback=True):
            db.call(verb, **arguments, actor="ann")
            change = last_change(db)
            expected = expected_events(verb, members_by_name(db), head)
            assert events_of(db, change) == expected, verb
            envelopes = set(
                db.query(
                    "select e.actor, e.claimed_actor, e.xid = pg_current_xact_id(), e.delivery_lane = t.delivery_lane,"
                    " t.is_delta = (e.delivery_lane = 'delayed'), e.event_type = e.aggregatetype || '.' || e.type"
                    " from iucore.event_outbox as e join iucore.event_type as t using (event_type)"
                    " where e.change_id = %s",
                    [change],
                )
            )
            assert envelopes == ({("postgres", "ann", True, True, True, True)} if expected else set()), verb
            assert db.value("select count(*) from iucore.event_outbox where change_id > %s", [change]) == 0
            ids_are_of_the_subjects(db, change)
    # Rolled back with the call: no event stays.
    assert db.counts() == before


def ids_are_of_the_subjects(db: Database, change: int) -> None:
    """Debezium's message key is the id of what the event is about."""
    wrong = db.query(
        "select e.* from iucore.event_outbox as e where e.change_id = %s and e.aggregateid is distinct from"
        " case e.aggregatetype when 'unit' then"
        " (select u.unit_id::text from iucore.information_unit as u where u.address = e.event_subject_ref)"
        " when 'collection' then (select c.collection_id::text from iucore.collection as c"
        " where c.key = e.event_subject_ref) else e.event_subject_ref end",
        [change],
    )
    assert wrong == []


def test_a_nested_collection_is_named_as_one(db: Database) -> None:
    db.file("inner")
    db.file("g")
    db.piece("p")
    row = db.nest("g", "inner", at="first")
    member = row["member_id"]
    assert events_of(db, row["change_id"]) == [
        ("collection.piece_added", "g", {"member": member, "collection": "inner", "at": "first"})
    ]
    db.add("g", "p")
    row = db.one("collection_reorder", key="g", member="inner", at="after", anchor="p")
    assert events_of(db, row["change_id"]) == [
        ("collection.piece_reordered", "g", {"member": member, "collection": "inner", "at": "after", "anchor": "p"})
    ]
    row = db.one("collection_replace", key="g", member="inner", piece="p")
    assert events_of(db, row["change_id"]) == [
        ("collection.piece_replaced", "g", {"member": member, "piece": "p", "was": "inner"})
    ]
    db.nest("g", "inner")
    row = db.one("collection_remove", key="g", member="inner")
    assert events_of(db, row["change_id"]) == [
        ("collection.piece_removed", "g", {"member": row["member_id"], "collection": "inner"})
    ]


def test_lifecycle_set_to_retired_is_the_event_of_a_retirement(db: Database) -> None:
    db.piece("a")
    row = db.one("lifecycle_set", address="a", expected_version=1, lifecycle="retired")
    assert [event for event, _, _ in events_of(db, row["change_id"])] == ["unit.retired"]


def test_nothing_is_emitted_when_nothing_changes(db: Database) -> None:
    prepare(db, "x")
    db.file("empty")
    db.one("retire", address="x/d")
    db.one("step_set", key="x/w", member="x/a", label="start")
    db.call("axis_refresh", key="x/f")
    for verb in ("kind_register", "axis_register", "event_type_register", "route_register"):
        db.call(verb, **good_calls("x")[verb])
    nothing: list[tuple[str, dict[str, Any]]] = [
        ("edit", {"address": "x/a", "expected_version": 1, "body": "a", "title": "T"}),
        ("lifecycle_set", {"address": "x/a", "expected_version": 1, "lifecycle": "active"}),
        ("retire", {"address": "x/d"}),
        ("collection_reorder", {"key": "x/f", "member": "x/a", "at": "first"}),
        ("collection_reorder", {"key": "x/f", "member": "x/a", "at": "before", "anchor": "x/a"}),
        ("collection_pin", {"key": "x/f", "member": "x/b", "version": 1}),
        ("collection_unpin", {"key": "x/f", "member": "x/a"}),
        ("collection_replace", {"key": "x/f", "member": "x/a", "piece": "x/a"}),
        ("collection_rebalance", {"key": "empty"}),
        ("step_set", {"key": "x/w", "member": "x/a", "label": "start"}),
        ("gate_set", {"gate": "master", "open": True}),
        ("route_set", {"route": "unit.created", "enabled": False}),
        ("kind_register", good_calls("x")["kind_register"]),
        ("axis_register", good_calls("x")["axis_register"]),
        ("event_type_register", good_calls("x")["event_type_register"]),
        ("route_register", good_calls("x")["route_register"]),
        ("axis_set", {"address": "x/a", "axis": "x-topic", "values": ["x", "x"]}),
        ("axis_refresh", {"key": "x/f"}),
        ("create_many", {"pieces": []}),
    ]
    for verb, arguments in nothing:
        before = db.counts()
        for row in db.call(verb, **arguments):
            assert row.get("changed") in (False, None), verb
        after = db.counts()
        # The call is recorded; that is all.
        assert {name: after[name] - before[name] for name in after if after[name] != before[name]} == {"change": 1}, (
            verb
        )


def test_replays_and_refusals_emit_nothing(db: Database) -> None:
    prepare(db, "x")
    for verb in ("edit", "collection_add", "record_render", "soft_delete"):
        arguments = good_calls("x")[verb]
        db.call(verb, **arguments, request_key=verb)
        before = db.counts()
        db.call(verb, **arguments, request_key=verb)
        assert db.counts() == before
    db.refuses("IU202", "edit", address="x/a", expected_version=1, body="other")


def test_many_in_one_statement_and_in_order(db: Database) -> None:
    size = 3000
    db.connection.execute(
        "create table public.seen (n bigint);"
        "create function public.count_new() returns trigger language plpgsql as $$ begin"
        " insert into public.seen select count(*) from new_rows; return null; end $$;"
        # Facts of the immediate lane are inserted into their partition.
        "create trigger seen after insert on iucore.event_outbox_0 referencing new table as new_rows"
        " for each statement execute function public.count_new();"
        "create trigger seen after insert on iucore.event_outbox referencing new table as new_rows"
        " for each statement execute function public.count_new();"
        "grant insert, select on public.seen to public"
    )
    order = [f"p/{n * 7919 % size}" for n in range(size)]
    assert len(set(order)) == size
    rows = db.call("create_many", pieces=[{"address": a, "kind": "text", "title": "T", "body": a} for a in order])
    assert db.query("select n from public.seen") == [(size,)]
    assert [subject for _, subject, _ in events_of(db, rows[0]["change_id"])] == order
    row = db.file("f", *order)
    assert db.query("select n from public.seen offset 1") == [(1,), (size,)]
    events = events_of(db, row["change_id"])
    assert events[0][0] == "collection.created"
    assert [payload["piece"] for _, _, payload in events[1:]] == order == db.members("f")
    db.connection.execute("drop trigger seen on iucore.event_outbox; drop trigger seen on iucore.event_outbox_0")


def test_events_are_rolled_back_with_their_change(db: Database) -> None:
    with db.connection.transaction():
        db.piece("kept")
        with pytest.raises(ZeroDivisionError), db.connection.transaction():
            db.piece("lost")
            raise ZeroDivisionError
    assert db.query("select event_subject_ref from iucore.event_outbox") == [("kept",)]


def test_the_real_and_the_claimed_actor(db: Database, login: Callable[[str], str]) -> None:
    url = login("iucore_author").replace("postgresql+psycopg2://", "postgresql://")
    with psycopg.connect(url) as connection:
        author = Database(connection)
        name = author.value("select session_user")
        author.piece("claimed", actor="the pope")
        author.piece("plain")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            author.connection.execute("insert into iucore.event_outbox (id) values (gen_random_uuid())")
        # Any reader sees the events through the view.
        rows = author.call("event_list", event_type="unit.created")
    assert [(row["subject"], row["actor"], row["claimed_actor"]) for row in rows] == [
        ("claimed", name, "the pope"),
        ("plain", name, None),
    ]


def test_event_list_filters_and_pages(db: Database) -> None:
    prepare(db, "x")
    everything = db.call("event_list")
    assert [row["event_id"] for row in everything] == sorted(row["event_id"] for row in everything)
    paged: list[Any] = []
    while page := db.call("event_list", after=paged[-1]["event_id"] if paged else None, limit=4):
        paged += page
    assert paged == everything
    assert {row["event_type"] for row in db.call("event_list", event_type="unit.created")} == {"unit.created"}
    assert {row["subject"] for row in db.call("event_list", subject="x/f")} == {"x/f"}
    change = everything[-1]["change_id"]
    assert {row["change_id"] for row in db.call("event_list", change_id=change)} == {change}
    composed = db.query("select event_id, key from iucore.v_composer_event order by event_id")
    assert [event for event, _ in composed] == [r["event_id"] for r in everything if r["aggregatetype"] == "collection"]


def test_the_status_of_a_collection_counts_its_events(db: Database) -> None:
    prepare(db, "x")
    columns = "state, members, hidden, events, last_event_type"
    rows = db.query(f"select key, {columns} from iucore.v_collection_status order by key")
    assert rows == [
        ("x/away", "soft_deleted", 1, 0, 3, "collection.soft_deleted"),
        ("x/f", "live", 2, 1, 4, "collection.piece_added"),
        ("x/inner", "live", 0, 0, 1, "collection.created"),
        ("x/w", "live", 1, 0, 2, "collection.piece_added"),
    ]


# ---------------------------------------------------------------- the table


def test_the_outbox_has_the_columns_of_debezium_beside_ours(db: Database) -> None:
    columns = dict(
        db.query(
            "select attname::text, format_type(atttypid, null) from pg_attribute"
            " where attrelid = 'iucore.event_outbox'::regclass and attnum > 0 and not attisdropped"
        )
    )
    assert columns == {
        "id": "uuid",
        "aggregatetype": "text",
        "aggregateid": "text",
        "type": "text",
        "payload": "jsonb",
        "event_type": "text",
        "event_subject_ref": "text",
        "delivery_lane": "text",
        "change_id": "bigint",
        "xid": "xid8",
        "actor": "text",
        "claimed_actor": "text",
        "created_at": "timestamp with time zone",
        "traceparent": "text",
        "slot": "smallint",
    }
    db.piece("a")
    assert db.value("select uuid_send(id)::text ~ '^.x.{12}7' from iucore.event_outbox")


REWRITES = [
    "update iucore.event_outbox set payload = '{}'",
    "update iucore.event_outbox set actor = 'x' where false",
    "delete from iucore.event_outbox",
    "delete from iucore.event_outbox where false",
    "truncate iucore.event_outbox",
    "truncate iucore.event_outbox cascade",
    "insert into iucore.event_outbox select * from iucore.event_outbox"
    " on conflict (id, slot) do update set actor = 'x'",
    "merge into iucore.event_outbox as e using (select 1) as s on true when matched then delete",
]


@pytest.mark.parametrize("role", ["postgres", "iucore_owner"])
def test_no_event_is_altered_or_deleted_even_by_the_owner(db: Database, role: str) -> None:
    prepare(db, "x")
    table = "select md5(string_agg(e::text, '' order by id)) from iucore.event_outbox as e"
    before = db.value(table)
    db.connection.execute(f"set role {role}")
    columns = "id, aggregatetype, aggregateid, type, payload, event_subject_ref, delivery_lane, change_id, xid, actor"
    for statement, partition in itertools.product(REWRITES, ("", "_0", *(f"_{quarter}" for quarter in range(1, 5)))):
        statement = statement.replace("outbox select *", f"outbox ({columns}, slot) select {columns}, slot")
        statement = statement.replace("iucore.event_outbox", "iucore.event_outbox" + partition)
        with pytest.raises(psycopg.Error) as caught:
            db.connection.execute(statement)
        assert caught.value.sqlstate == "IU110", (statement, caught.value)
        assert caught.value.diag.message_hint
    db.connection.execute("reset role")
    assert db.value(table) == before


# ---------------------------------------------------------------- lanes


def deltas(db: Database) -> list[str]:
    """Ten changes of one collection, and the types of the events that are there afterwards."""
    db.piece("a")
    db.piece("b")
    db.file("f", "a")
    for _ in range(3):
        db.add("f", "b", at="first")
        db.one("collection_reorder", key="f", member="a", at="first")
        db.one("collection_remove", key="f", member="b")
    assert db.members("f") == ["a"]
    rows = db.query("select type from iucore.event_outbox where aggregatetype = 'collection' order by id")
    return [event for (event,) in rows]


ALL_DELTAS = ["created", "piece_added", *["piece_added", "piece_reordered", "piece_removed"] * 3]


def test_on_the_delayed_lane_every_delta_stays(db: Database) -> None:
    assert deltas(db) == ALL_DELTAS


@pytest.mark.damages
def test_on_the_immediate_lane_every_delta_after_the_first_is_lost(db: Database) -> None:
    """Why composer events are on the delayed lane. By force, since the registry refuses it."""
    db.connection.execute("delete from iucore.route where event_type like 'collection.%'")
    forced = "update iucore.event_type set delivery_lane = 'immediate' where event_type like 'collection.%'"
    with pytest.raises(psycopg.errors.CheckViolation, match="ck_event_type_delta"):
        db.connection.execute(forced)
    db.connection.execute("alter table iucore.event_type drop constraint ck_event_type_delta")
    db.connection.execute(forced)
    assert deltas(db) == ["created", "piece_added", "piece_reordered", "piece_removed"]
    # The changes are there, with nobody to hear of them; the check and the law say so.
    assert {row["code"] for row in db.call("registry_check")} == {"delta_on_immediate", "no_route"}
    with pytest.raises(AssertionError, match="a change that opened or closed a row has an event"):
        assert_events(db.connection)


def test_the_registry_refuses_a_delta_on_the_immediate_lane(db: Database) -> None:
    arguments: dict[str, Any] = {"event_type": "x.moved", "title": "Moved", "lane": "immediate", "delta": True}
    error = db.refuses("IU035", "event_type_register", **arguments)
    assert "register the type on the lane delayed" in (error.diag.message_hint or "")
    assert "x.moved" in (error.diag.message_detail or "")
    row = db.one("event_type_register", **{**arguments, "lane": "delayed"})
    assert (row["delivery_lane"], row["is_delta"]) == ("delayed", True)
    # What it is cannot be changed by registering it again.
    db.refuses("IU206", "event_type_register", **{**arguments, "lane": "delayed", "delta": False})
    db.refuses("IU206", "event_type_register", **{**arguments, "lane": "immediate", "delta": False})
    assert db.one("event_type_register", **{**arguments, "event_type": "x.born", "delta": False})["event_type"]


def test_the_registries_refuse(db: Database) -> None:
    good: dict[str, Any] = {"event_type": "x.y", "title": "T", "lane": "delayed", "delta": True}
    for code, change in [
        *(
            ("IU034", {"event_type": name})
            for name in (None, "", "x", "x.", ".y", "X.y", "x.y.z", "x-y.z", "x y.z", "1.y")
        ),
        ("IU034", {"event_type": "a" * 64 + ".b"}),
        ("IU034", {"event_type": "x.y\n"}),
        ("IU034", {"lane": "fast"}),
        ("IU034", {"lane": None}),
        ("IU037", {"delta": None}),
        ("IU011", {"title": ""}),
        ("IU016", {"reason": ""}),
    ]:
        db.refuses(code, "event_type_register", **{**good, **change})
    route: dict[str, Any] = {"route": "r", "event_type": "unit.created", "title": "T"}
    for code, change in [
        *(("IU034", {"route": name}) for name in (None, "", "R", "a..b", "a.", "a b", "a\n")),
        ("IU041", {"event_type": "no.type"}),
        ("IU011", {"title": None}),
    ]:
        db.refuses(code, "route_register", **{**route, **change})
    # What is registered under a subject of iucore would stop the upgrade that brings it.
    db.refuses("IU034", "route_register", **{**route, "route": "unit.edited"})
    db.refuses("IU034", "event_type_register", **{**good, "event_type": "collection.approved"})
    db.one("route_register", **route)
    db.refuses("IU206", "route_register", **{**route, "title": "Another"})
    db.refuses("IU206", "route_register", **{**route, "event_type": None})
    db.refuses("IU042", "route_set", route="no", enabled=True)
    db.refuses("IU037", "route_set", route="unit.created", enabled=None)


def test_the_registry_is_sound_at_head(db: Database) -> None:
    assert db.call("registry_check") == []
    db.connection.execute(REGISTRY_CHECK.read_text())
    family = ["created", "piece_added", "piece_removed", "piece_reordered", "validated", "rendered", "axes_refreshed"]
    routes = {row["route"]: row for row in db.call("route_list")}
    types = {row["event_type"]: row for row in db.call("event_type_list")}
    for name in [*family, "piece_pinned"]:
        assert (types[f"collection.{name}"]["delivery_lane"], types[f"collection.{name}"]["is_delta"]) == (
            "delayed",
            True,
        )
    assert routes.keys() == types.keys()
    for name, route in routes.items():
        assert (route["event_type"], route["execution_enabled"], route["switched_change"]) == (name, False, None)
        assert route["delivery_lane"] == types[name]["delivery_lane"]
    facts = {name for name, row in types.items() if not row["is_delta"]}
    assert {name for name, row in types.items() if row["delivery_lane"] == "immediate"} == facts
    assert facts == {
        "unit.created",
        "unit.cloned",
        *(f"{name}.registered" for name in ("kind", "axis", "event_type", "route")),
    }


@pytest.mark.damages
@pytest.mark.parametrize(
    ("damage", "code", "subject"),
    [
        ("delete from iucore.route where route = 'collection.created'", "no_route", "collection.created"),
        (
            "alter table iucore.event_type drop constraint ck_event_type_delta;"
            "delete from iucore.route where route = 'unit.edited';"
            "update iucore.event_type set delivery_lane = 'immediate' where event_type = 'unit.edited';"
            "insert into iucore.route values ('unit.edited', 'unit.edited', 'immediate', 'T')",
            "delta_on_immediate",
            "unit.edited",
        ),
        (
            "alter table iucore.route drop constraint fk_route_type;"
            "update iucore.route set delivery_lane = 'immediate' where route = 'unit.edited'",
            "lane_differs",
            "unit.edited",
        ),
    ],
    ids=["no_route", "delta_on_immediate", "lane_differs"],
)
def test_both_checks_of_the_registry_find_damage(db: Database, damage: str, code: str, subject: str) -> None:
    db.connection.execute(damage)
    (row,) = db.call("registry_check")
    assert (row["code"], row["subject"]) == (code, subject)
    assert row["hint"]
    with pytest.raises(psycopg.Error) as caught:
        db.connection.execute(REGISTRY_CHECK.read_text())
    assert (caught.value.sqlstate, caught.value.diag.message_detail) == ("IU904", f"{subject} {code}")


def test_a_route_and_a_type_of_ones_own(db: Database) -> None:
    db.one("event_type_register", event_type="invoice.sent", title="Sent", lane="immediate", delta=False)
    assert [(row["code"], row["subject"]) for row in db.call("registry_check")] == [("no_route", "invoice.sent")]
    row = db.one("route_register", route="mail.invoices", event_type="invoice.sent", title="Mail")
    assert (row["delivery_lane"], row["execution_enabled"]) == ("immediate", False)
    assert db.call("registry_check") == []
    switched = db.one("route_set", route="mail.invoices", enabled=True, reason="go live")
    (route,) = [row for row in db.call("route_list") if row["route"] == "mail.invoices"]
    assert (route["execution_enabled"], route["switched_change"]) == (True, switched["change_id"])
    assert db.query("select * from iucore.route_switch") == [(switched["change_id"], "mail.invoices", True)]


# ---------------------------------------------------------------- the laws can fail


@pytest.mark.damages
@pytest.mark.parametrize(
    ("damage", "law"),
    [
        ("delete from iucore.event_outbox where event_type = 'unit.created'", "a piece has one birth event"),
        (
            "delete from iucore.event_outbox where event_type = 'collection.piece_added'",
            "a change that opened or closed",
        ),
        ("update iucore.event_outbox set change_id = 99999", "an event has a change"),
        ("update iucore.event_outbox set actor = 'x'", "an event has a change, with the same actors"),
        ("update iucore.event_outbox set delivery_lane = 'delayed', slot = 1", "stands on its lane"),
        ("update iucore.event_outbox set aggregateid = gen_random_uuid()::text", "a birth event has a piece"),
        ("update iucore.event_outbox set xid = '1' where type = 'created'", "of one transaction"),
        (
            "update iucore.event_outbox set change_id = 1000 - change_id, aggregateid = 'x';"
            "insert into iucore.change (change_id, verb, reason) overriding system value"
            " select 1000 - change_id, verb, reason from iucore.change",
            "in the order of its changes",
        ),
        ("delete from iucore.event_log where position = 1", "are counted without gap"),
        ("delete from iucore.event_log where position = 2", "are counted without gap"),
        ("delete from iucore.event_log where position = 3", "what the sequencer has seen is in the ledger"),
        ("delete from iucore.event_outbox where type = 'created'", "an event in the ledger is the one in the outbox"),
        ("update iucore.event_log set payload = '{}' where position = 3", "an event in the ledger is the one in the"),
        (
            "update iucore.event_log set event_id = (select event_id from iucore.event_log where position = 1)"
            " where position = 2",
            "an event in the ledger is the one in the outbox, once",
        ),
        (
            "update iucore.event_log set position = -position where position > 2;"
            "update iucore.event_log set position = 7 + position where position < 0",
            "the ledger has the events of one subject in the order of its changes",
        ),
    ],
    ids=lambda value: value[:70],
)
def test_the_laws_of_events_can_fail(db: Database, damage: str, law: str) -> None:
    db.piece("a")
    db.file("f", "a")
    db.add("f", "a")
    assert sequence(db) == 4
    assert_events(db.connection)
    for table in ("event_outbox", "event_log"):
        db.connection.execute(f"alter table iucore.{table} disable trigger user")
    db.connection.execute(damage)
    with pytest.raises(AssertionError, match=law):
        assert_events(db.connection)

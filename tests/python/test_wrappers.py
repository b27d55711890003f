"""The wrappers against a real database, with both drivers; and what is refused before it is sent."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

import iucore
from iucore import _call, _check, axes, collections, errors, events, gates, routes, units

AWKWARD = "\ufeffé %s %% :name \\n {x} 'quote' \"double\" \u202e\r\nlone\rformfeed\x0ce\u0301 \U0001f600\t\x01\n"


@pytest.fixture(params=["psycopg2", "psycopg"])
def either(request: pytest.FixtureRequest, url: str) -> Iterator[Connection]:
    engine = create_engine(url.replace("+psycopg2", f"+{request.param}"), poolclass=NullPool)
    with engine.connect() as connection:
        yield connection


def piece(connection: Connection, address: str, body: str = "text\n", **more: Any) -> units.Piece:
    return units.create(connection, address=address, kind="text", title="T", body=body, reason="r", **more)


def test_pieces(either: Connection) -> None:
    made = piece(either, "a/one", AWKWARD, attributes={"k": ["v", 1, None, {"é": True}]}, actor="ann", request_key="k1")
    assert isinstance(made.unit_id, UUID) and made.byte_length == len(AWKWARD.encode())
    assert (
        piece(either, "a/one", AWKWARD, attributes={"k": ["v", 1, None, {"é": True}]}, actor="ann", request_key="k1")
        == made
    )
    shown = units.show(either, address="a/one")
    assert shown.body == AWKWARD and shown.attributes == {"k": ["v", 1, None, {"é": True}]}
    assert shown.source_address is None and shown.changed_at.tzinfo is not None
    edited = units.edit(either, address="a/one", expected_version=1, title="New", attributes={}, reason="r")
    assert (edited.version, edited.title, edited.changed) == (2, "New", True)
    assert not units.edit(either, address="a/one", expected_version=2, title="New", reason="r").changed
    cloned = units.clone(either, source="a/one", address="a/two", version=1, title="Two", reason="r")
    assert cloned.content_sha256 == made.content_sha256
    assert units.show(either, address="a/two").source_address == "a/one"
    retired = units.set_lifecycle(either, address="a/two", expected_version=1, lifecycle="retired", reason="r")
    assert retired.lifecycle == "retired"
    assert [(past.version, past.verb) for past in units.history(either, address="a/two")] == [
        (2, "lifecycle_set"),
        (1, "clone"),
    ]
    assert units.history(either, address="a/one")[-1].claimed_actor == "ann"
    both = units.diff_input(either, address="a/one", from_version=1, to_version=2)
    assert (both.from_title, both.to_title, both.from_body) == ("T", "New", AWKWARD)
    born = units.create_many(
        either,
        pieces=[
            {"address": "b/1", "kind": "text", "title": "1", "body": AWKWARD, "attributes": {"n": 1}},
            {"address": "b/2", "kind": "text", "title": "2", "body": ""},
        ],
        reason="r",
    )
    assert [each.ordinal for each in born] == [1, 2]
    assert units.show(either, address="b/1").body == AWKWARD
    listed = units.list_pieces(either, prefix="b/", kind="text", after="b/1", limit=10)
    assert [each.address for each in listed] == ["b/2"]
    found = units.find_content(either, sha256=[made.content_sha256, "00" * 32])
    assert [each.address for each in found] == ["a/one"]
    assert units.find_content(either, sha256=[]) == []
    kind = units.register_kind(either, kind="note", title="Note", description="A note.", reason="r")
    assert kind in units.list_kinds(either)


def test_collections(either: Connection) -> None:
    for name in ("one", "two", "three"):
        piece(either, name, f"{name} \\ {AWKWARD}")
    made = collections.create(
        either,
        key="doc",
        kind="file",
        title="D",
        members=[{"piece": "one"}, {"piece": "two", "version": 1}],
        reason="r",
    )
    assert made.members == 2
    outer = collections.create(either, key="outer", kind="file", title="O", reason="r", request_key="o")
    assert collections.create(either, key="outer", kind="file", title="O", reason="r", request_key="o") == outer
    nested = collections.add(either, key="outer", member="doc", member_kind="collection", reason="r")
    assert nested.changed and nested.pinned_version is None
    third = collections.add(either, key="doc", member="three", at="before", anchor="two", version=1, reason="r")
    assert third.pinned_version == 1
    assert collections.unpin(either, key="doc", member=f"@{third.member_id}", reason="r").changed
    assert collections.pin(either, key="doc", member="three", reason="r").pinned_version == 1
    assert collections.reorder(either, key="doc", member="three", at="first", reason="r").changed
    assert not collections.reorder(either, key="doc", member="three", at="first", reason="r").changed
    before = collections.remove(either, key="doc", member="two", reason="r").change_id - 1
    assert collections.replace(either, key="doc", member="one", piece="two", reason="r").address == "two"
    assert collections.rebalance(either, key="doc", reason="r").member_id is None
    rows = collections.members(either, key="doc")
    assert [(row.position, row.address, row.pinned) for row in rows] == [(1, "three", True), (2, "two", False)]
    assert [row.address for row in collections.members(either, key="doc", as_of_change=before)] == [
        "three",
        "one",
        "two",
    ]
    state = collections.show(either, key="outer")
    assert isinstance(state.pieces, Decimal) and state.pieces == 2 and state.depth == 2
    assert [each.key for each in collections.list_collections(either, prefix="o")] == ["outer"]
    assert {each.verb for each in collections.history(either, key="doc")} >= {"collection_remove", "collection_replace"}
    text = "".join(f"{name} \\ {AWKWARD}" for name in ("three", "two"))
    assert collections.render(either, key="doc") == collections.render(either, key="outer") == text
    assert collections.render(either, key="doc", as_of_change=before).endswith(f"two \\ {AWKWARD}")
    pieces = list(collections.render_pieces(either, key="outer"))
    assert "".join(each.body for each in pieces) == text
    assert {each.collection_key for each in pieces} == {"doc"}
    assert collections.validate(either, key="doc") == []
    assert [each.key for each in units.where_used(either, address="two")] == ["doc", "outer"]
    assert [each.depth for each in collections.where_used(either, key="doc")] == [1]
    either.commit()
    assert collections.render(either, key="doc", as_of=datetime.now(UTC)) == text
    with pytest.raises(errors.NotFoundError, match="IU008"):
        collections.render(either, key="doc", as_of=datetime.now(UTC) - timedelta(days=1))


def test_workflows(either: Connection) -> None:
    piece(either, "one")
    piece(either, "two")
    collections.create(
        either,
        key="flow",
        kind="workflow",
        title="F",
        members=[{"piece": "one", "label": "start", "transitions": [{"on": "ja, é", "to": "end"}]}],
        reason="r",
    )
    collections.add(
        either, key="flow", member="two", label="more", transitions=[{"on": "x", "to": "start"}], reason="r"
    )
    assert collections.members(either, key="flow")[0].transitions == [{"on": "ja, é", "to": "end"}]
    found = [(each.severity, each.code) for each in collections.validate(either, key="flow")]
    assert found == [("warning", "unreachable")]
    assert collections.set_step(either, key="flow", member="one", label="start", reason="r").changed
    assert collections.validate(either, key="flow") == []
    for form, begin in {"checklist": "# F", "mermaid": "flowchart TD", "json": "{"}.items():
        assert collections.render_workflow(either, key="flow", format=form).startswith(begin)


def test_axes(either: Connection) -> None:
    piece(either, "one")
    piece(either, "two")
    collections.create(
        either, key="doc", kind="file", title="D", members=[{"piece": "one"}, {"piece": "two"}], reason="r"
    )
    axis = axes.register(either, axis="risk", title="Risk", rule="highest", values=["low", "hi\\gh"], reason="r")
    topic = axes.register(either, axis="topic", title="Topic", rule="union", reason="r")
    assert axis.axis_values == ["low", "hi\\gh"] and topic.axis_values is None
    assert axes.list_axes(either) == [axis, topic]
    assert [each.value for each in axes.set_values(either, address="one", axis="risk", values=["low"], reason="r")] == [
        "low"
    ]
    axes.set_values(either, address="two", axis="risk", values=("hi\\gh",), reason="r")
    axes.set_values(either, address="two", axis="topic", values=["a, b", '{"c"}'], reason="r")
    assert [(each.axis, each.value) for each in axes.show(either, address="two")] == [
        ("risk", "hi\\gh"),
        ("topic", "a, b"),
        ("topic", '{"c"}'),
    ]
    assert {(each.value, each.state) for each in axes.refresh(either, key="doc", reason="r")} == {
        ("hi\\gh", "added"),
        ("a, b", "added"),
        ('{"c"}', "added"),
    }
    assert len(axes.of_collection(either, key="doc")) == 3
    assert axes.set_values(either, address="two", axis="topic", values=[], reason="r") == []


def test_disposals(either: Connection) -> None:
    for name in ("one", "two"):
        piece(either, name, f"{name} {AWKWARD}")
    members = [{"piece": "one"}, {"piece": "two", "version": 1}, {"piece": "one"}]
    made = collections.create(either, key="doc", kind="file", title="D", members=members, reason="r")
    before = collections.render(either, key="doc")
    with pytest.raises(errors.ConflictError, match="IU211"), either.begin_nested():
        units.retire(either, address="one", refuse_if_used=True, reason="r")
    with pytest.raises(errors.ConflictError, match="IU202"), either.begin_nested():
        units.retire(either, address="one", expected_version=2, reason="r")
    retired = units.retire(either, address="one", expected_version=1, reason="r", request_key="k")
    assert (retired.version, retired.lifecycle, retired.places, retired.changed) == (2, "retired", 2, True)
    assert units.retire(either, address="one", expected_version=1, reason="r", request_key="k") == retired
    assert not units.retire(either, address="one", reason="r").changed
    assert {found.code for found in collections.validate(either, key="doc")} >= {"retired"}
    with pytest.raises(errors.ConflictError, match="IU208"), either.begin_nested():
        collections.add(either, key="doc", member="one", reason="r")
    deleted = units.soft_delete(either, address="one", reason="r", actor="ann")
    assert (deleted.unit_id, deleted.lifecycle, deleted.places) == (retired.unit_id, "soft_deleted", 2)
    assert units.show(either, address="one").lifecycle == "soft_deleted"
    assert collections.render(either, key="doc") == f"two {AWKWARD}"
    assert collections.render(either, key="doc", as_of_change=made.change_id) == before
    assert {found.code for found in collections.validate(either, key="doc")} >= {"soft_deleted"}
    for refused in (
        lambda: units.soft_delete(either, address="one", reason="r"),
        lambda: units.edit(either, address="one", expected_version=2, body="x", reason="r"),
        lambda: units.clone(either, source="one", address="copy", reason="r"),
        lambda: collections.add(either, key="doc", member="one", reason="r"),
    ):
        with pytest.raises(errors.ConflictError, match="IU209"), either.begin_nested():
            refused()
    restored = units.restore(either, address="one", reason="r")
    assert (restored.lifecycle, restored.places, restored.changed) == ("retired", 2, True)
    assert collections.render(either, key="doc") == before
    with pytest.raises(errors.ConflictError, match="IU210"), either.begin_nested():
        units.restore(either, address="one", reason="r")

    collections.create(either, key="outer", kind="file", title="O", members=[{"collection": "doc"}], reason="r")
    with pytest.raises(errors.ConflictError, match="IU214"), either.begin_nested():
        collections.soft_delete(either, key="doc", reason="r")
    collections.remove(either, key="outer", member="doc", reason="r")
    gone = collections.soft_delete(either, key="doc", reason="r")
    assert (gone.collection_id, gone.key, gone.changed) == (made.collection_id, "doc", True)
    with pytest.raises(errors.ConflictError, match="IU212"), either.begin_nested():
        collections.add(either, key="doc", member="two", reason="r")
    assert collections.restore(either, key="doc", reason="r").changed
    with pytest.raises(errors.ConflictError, match="IU213"), either.begin_nested():
        collections.restore(either, key="doc", reason="r")
    assert collections.render(either, key="doc") == before


def test_recorded_reads(either: Connection) -> None:
    piece(either, "one", AWKWARD)
    made = collections.create(either, key="doc", kind="file", title="D", members=[{"piece": "one"}] * 2, reason="r")
    recorded = collections.record_render(either, key="doc", reason="print", request_key="k")
    assert recorded.body == AWKWARD * 2 == collections.render(either, key="doc")
    assert recorded.sha256 == hashlib.sha256(recorded.body.encode()).hexdigest()
    assert (recorded.byte_length, recorded.pieces) == (len(recorded.body.encode()), 2)
    assert recorded.head_change == made.change_id < recorded.change_id
    assert collections.record_render(either, key="doc", reason="print", request_key="k") == recorded
    found = collections.record_validation(either, key="doc", reason="check")
    assert found == collections.validate(either, key="doc") and {each.code for each in found} == {"duplicate"}
    told = [event.event_type for event in events.list_events(either, subject="doc")]
    assert told[-2:] == ["collection.rendered", "collection.validated"]


def test_gates(either: Connection) -> None:
    assert all(gate.change_id is None and gate.changed_at is None for gate in gates.list_gates(either))
    assert gates.history(either) == []
    closed = gates.set_gate(either, gate="composer", open=False, reason="in print", actor="ann", request_key="k")
    assert (closed.gate, closed.is_open, closed.changed) == ("composer", False, True)
    assert (
        gates.set_gate(either, gate="composer", open=False, reason="in print", actor="ann", request_key="k") == closed
    )
    assert not gates.set_gate(either, gate="composer", open=False, reason="again").changed
    piece(either, "one")
    with pytest.raises(errors.GateClosedError, match="IU101") as caught, either.begin_nested():
        collections.create(either, key="doc", kind="file", title="D", reason="r")
    assert "in print" in caught.value.detail and "ann" in caught.value.detail
    assert "iucore gate open composer" in caught.value.hint
    gates.set_gate(either, gate="master", open=False, reason="audit")
    with pytest.raises(errors.GateClosedError, match="IU100"), either.begin_nested():
        piece(either, "two")
    with pytest.raises(errors.NotFoundError, match="IU040"), either.begin_nested():
        gates.set_gate(either, gate="nope", open=True, reason="r")
    gates.set_gate(either, gate="master", open=True, reason="done")
    assert [(past.gate, past.is_open, past.reason) for past in gates.history(either)] == [
        ("master", True, "done"),
        ("master", False, "audit"),
        ("composer", False, "in print"),
    ]
    assert [past.claimed_actor for past in gates.history(either, gate="composer")] == ["ann"]
    with pytest.raises(errors.NotFoundError, match="IU040"), either.begin_nested():
        gates.history(either, gate="nope")
    by_name = {gate.gate: gate for gate in gates.list_gates(either)}
    assert by_name["composer"].reason == "in print" and by_name["composer"].changed_at is not None
    assert by_name["master"].is_open and not by_name["delivery"].is_open


def test_events_and_routes(either: Connection) -> None:
    assert events.check(either) == []
    made = piece(either, "a/one", actor="ann")
    units.edit(either, address="a/one", expected_version=1, body="x", reason="r")
    told = events.list_events(either, subject="a/one")
    assert [(event.event_type, event.delivery_lane) for event in told] == [
        ("unit.created", "immediate"),
        ("unit.edited", "delayed"),
    ]
    first = told[0]
    assert isinstance(first.event_id, UUID) and first.created_at.tzinfo is not None
    assert (first.aggregatetype, first.aggregateid) == ("unit", str(made.unit_id))
    assert (first.change_id, first.claimed_actor) == (made.change_id, "ann") and isinstance(first.payload, dict)
    assert events.list_events(either, change_id=made.change_id) == [first]
    assert events.list_events(either, event_type="unit.edited", subject="a/one", limit=None) == told[1:]
    assert events.list_events(either, subject="a/one", limit=1) == [first]
    assert events.list_events(either, subject="a/one", after=first.event_id) == told[1:]
    assert events.list_events(either, event_type="it's \\", after=uuid4()) == []

    kind = events.register_type(
        either, event_type="bill.paid", title="Paid", lane="delayed", delta=True, reason="r", request_key="k"
    )
    assert kind in events.list_types(either)
    assert (
        events.register_type(
            either, event_type="bill.paid", title="Paid", lane="delayed", delta=True, reason="r", request_key="k"
        )
        == kind
    )
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"event_type": "Bill"}, "IU034"),
        ({"event_type": "bill.due", "lane": "sometimes"}, "IU034"),
        ({"event_type": "bill.due", "lane": "immediate"}, "IU035"),
        ({"event_type": "bill.due", "delta": None}, "IU037"),
        ({"event_type": "bill.paid", "delta": False}, "IU206"),
    ]
    for given, sqlstate in wrong:
        whole = {"title": "Paid", "lane": "delayed", "delta": True, "reason": "r", **given}
        with pytest.raises(errors.IucoreError) as caught, either.begin_nested():
            events.register_type(either, **whole)
        assert caught.value.sqlstate == sqlstate and caught.value.hint
    assert [(found.code, found.subject) for found in events.check(either)] == [("no_route", "bill.paid")]
    route = routes.register(either, route="bill.paid", event_type="bill.paid", title="Ledger", reason="r")
    assert (route.delivery_lane, route.execution_enabled) == ("delayed", False)
    assert events.check(either) == []
    with pytest.raises(errors.NotFoundError, match="IU041"), either.begin_nested():
        routes.register(either, route="x", event_type="nope.nope", title="X", reason="r")
    with pytest.raises(errors.NotFoundError, match="IU042"), either.begin_nested():
        routes.set_route(either, route="nope", enabled=True, reason="r")
    on = routes.set_route(either, route="bill.paid", enabled=True, reason="ready")
    assert (on.route, on.execution_enabled, on.changed) == ("bill.paid", True, True)
    assert not routes.set_route(either, route="bill.paid", enabled=True, reason="ready").changed
    listed = {each.route: each for each in routes.list_routes(either)}
    assert (listed["bill.paid"].change_id, listed["bill.paid"].switched_change) == (route.change_id, on.change_id)
    assert listed["unit.edited"].change_id is None and listed["unit.edited"].switched_change is None
    assert {each.route for each in listed.values()} == {each.event_type for each in events.list_types(either)}


def test_errors_keep_their_parts(either: Connection) -> None:
    with pytest.raises(errors.NotFoundError) as caught:
        units.show(either, address="nope")
    assert caught.value.sqlstate == "IU001" and "nope" in caught.value.detail and caught.value.hint
    either.rollback()
    piece(either, "one")
    with pytest.raises(errors.ConflictError, match="IU202"), either.begin_nested():
        units.edit(either, address="one", expected_version=7, title="X", reason="r")
    assert units.show(either, address="one").version == 1


def test_streaming_leaves_the_connection_as_it_was(either: Connection) -> None:
    piece(either, "one")
    collections.create(either, key="doc", kind="file", title="D", members=[{"piece": "one"}], reason="r")
    rows = collections.render_pieces(either, key="doc")
    assert next(rows).address == "one"
    assert list(rows) == []
    assert not either.get_execution_options().get("stream_results")
    assert piece(either, "two").version == 1


def test_limits_equal_those_of_the_database(connection: Connection) -> None:
    def limit(name: str) -> int:
        return connection.exec_driver_sql("select iucore.fn_iu_limit(%s)", (name,)).scalar_one()

    assert limit("body_bytes") == units.MAX_BODY_BYTES


def nested(levels: int) -> dict[str, Any]:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


def test_depth_is_counted_as_the_database_counts(connection: Connection) -> None:
    for levels in (15, 16, 17, 18):
        allowed = connection.exec_driver_sql(
            "select iucore.fn_iu_is_attributes(%s)", (_check.dumped(nested(levels), "x", sqlstate="IU015", depth=99),)
        ).scalar_one()
        try:
            _check.attributes(nested(levels))
        except errors.InvalidError:
            assert not allowed
        else:
            assert allowed


REFUSED = {
    "U+0000 in the body": ({"body": "a\0"}, "IU012"),
    "U+0000 in the title": ({"title": "a\0"}, "IU012"),
    "U+0000 in the reason": ({"reason": "a\0"}, "IU012"),
    "U+0000 in a value": ({"attributes": {"a": ["\0"]}}, "IU012"),
    "U+0000 in a name": ({"attributes": {"a": {"\0": 1}}}, "IU012"),
    "a surrogate in the body": ({"body": "ab\ud800"}, "IU013"),
    "a surrogate in the address": ({"address": "\udcff"}, "IU013"),
    "a surrogate in a value": ({"attributes": {"a": "\udfff"}}, "IU013"),
    "a large body": ({"body": "é" * (units.MAX_BODY_BYTES // 2 + 1)}, "IU014"),
    "deep attributes": ({"attributes": nested(17)}, "IU015"),
    "very deep attributes": ({"attributes": nested(100_000)}, "IU015"),
    "not a number": ({"attributes": {"a": float("nan")}}, "IU015"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_before_it_is_sent(case: str) -> None:
    given, sqlstate = REFUSED[case]
    whole: dict[str, Any] = {"address": "a", "kind": "text", "title": "T", "body": "", "reason": "r", **given}
    recorder = _call.Recorder()
    with pytest.raises(errors.class_for(sqlstate) or Exception) as caught:
        units.create(recorder, **whole)
    assert caught.value.sqlstate == sqlstate
    with pytest.raises(errors.IucoreError) as many:
        units.create_many(
            recorder, pieces=[{key: whole[key] for key in whole if key != "reason"}], reason=whole["reason"]
        )
    assert many.value.sqlstate == sqlstate
    assert recorder.calls == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("body", b"x"), ("address", 1), ("title", b"x"), ("attributes", {"a": b"x"}), ("reason", True), ("actor", ["a"])],
)
def test_other_types_are_refused_by_name(name: str, value: Any) -> None:
    whole: dict[str, Any] = {"address": "a", "kind": "text", "title": "T", "body": "", "reason": "r", name: value}
    with pytest.raises(TypeError, match=f"^{name}\\b.*(bytes|int|bool|list)"):
        units.create(_call.Recorder(), **whole)


def test_other_types_of_other_arguments() -> None:
    recorder = _call.Recorder()
    for match, call in {
        "^expected_version must be int": lambda: units.edit(recorder, address="a", expected_version="1", reason="r"),
        "^version must be int": lambda: units.show(recorder, address="a", version=True),
        "^values must be several": lambda: axes.set_values(recorder, address="a", axis="x", values="ab", reason="r"),
        "^values 2 must be str": lambda: axes.set_values(recorder, address="a", axis="x", values=["a", 1], reason="r"),
        "^sha256 must be several": lambda: units.find_content(recorder, sha256="ab"),
        "^as_of must be datetime": lambda: collections.render(recorder, key="k", as_of="2026-01-01"),
        "^open must be bool": lambda: gates.set_gate(recorder, gate="master", open="no", reason="r"),
        "^enabled must be bool": lambda: routes.set_route(recorder, route="r", enabled=1, reason="r"),
        "^refuse_if_used must be bool": lambda: units.retire(recorder, address="a", refuse_if_used=0, reason="r"),
        "^change_id must be int": lambda: events.list_events(recorder, change_id=True),
        "^after must be UUID": lambda: events.list_events(recorder, after="a/one"),
        "^piece 1, body must be str": lambda: units.create_many(recorder, pieces=[{"body": b"x"}], reason="r"),
    }.items():
        with pytest.raises(TypeError, match=match):
            call()
    for call in (
        lambda: units.create(recorder, address="a", kind="text", title="T", body=None, reason="r"),
        lambda: units.create_many(recorder, pieces=[{"address": "a", "kind": "text", "title": "T"}], reason="r"),
    ):
        with pytest.raises(errors.InvalidError, match="IU032"):
            call()
    assert recorder.calls == []


def test_unknown_names_are_refused() -> None:
    recorder = _call.Recorder()
    whole = {"address": "a", "kind": "text", "title": "T", "body": ""}
    with pytest.raises(errors.InvalidError, match=r"IU019.*piece 2: 'attribute'") as caught:
        units.create_many(recorder, pieces=[whole, {**whole, "attribute": {}}], reason="r")
    assert "address, kind, title, body, attributes" in caught.value.hint
    with pytest.raises(errors.InvalidError, match=r"IU019.*member 1: 'verison'") as caught:
        collections.create(recorder, key="k", kind="file", title="T", members=[{"verison": 1}], reason="r")
    assert "piece, collection, version, label, transitions" in caught.value.hint
    for pieces in (["a"], {"a": 1}, "ab"):
        with pytest.raises(errors.InvalidError, match="IU019"):
            units.create_many(recorder, pieces=pieces, reason="r")
    assert recorder.calls == []


def test_offsets_count_characters() -> None:
    with pytest.raises(errors.InvalidError, match="character offset: 2"):
        piece(_call.Recorder(), "a", "éé\ud800")


def test_deep_and_strange_arguments() -> None:
    recorder = _call.Recorder()
    deep: Any = nested(50_000)
    with pytest.raises(errors.InvalidError, match="IU019"):
        collections.create(recorder, key="k", kind="file", title="T", members=[deep], reason="r")
    with pytest.raises(errors.InvalidError, match="IU022"):
        collections.add(recorder, key="k", member="m", transitions=[deep], reason="r")
    with pytest.raises(errors.InvalidError, match="IU018"):
        collections.render(recorder, key="k", as_of=datetime(2026, 1, 1))
    with pytest.raises(errors.InvalidError, match="IU012"):
        axes.set_values(recorder, address="a", axis="x", values=["ok", "\0"], reason="r")
    assert recorder.calls == []


def test_a_body_at_the_limit(either: Connection) -> None:
    body = "é" * (units.MAX_BODY_BYTES // 2)
    assert piece(either, "big", body).byte_length == units.MAX_BODY_BYTES
    assert units.show(either, address="big").body == body


def test_scripts_say_the_same(either: Connection) -> None:
    """What a Recorder keeps does the same when it is pasted."""
    recorder = _call.Recorder()
    body = AWKWARD + "\\ \\\\ \\' $$ \\u0041"
    with pytest.raises(_call.Recorded):
        piece(recorder, "a/it", body, attributes={"a\\": "b'\\\""})
    with pytest.raises(_call.Recorded):
        axes.register(recorder, axis="x", title="X", rule="union", values=["a\\'b", "c,d"], reason="r")
    with pytest.raises(_call.Recorded):
        events.list_events(recorder, subject="it's", after=uuid4())
    with pytest.raises(_call.Recorded):
        gates.set_gate(recorder, gate="delivery", open=True, reason="a\\'b")
    for call in recorder.calls:
        either.exec_driver_sql(call.script(), execution_options={"no_parameters": True})
    shown = units.show(either, address="a/it")
    assert shown.body == body and shown.attributes == {"a\\": "b'\\\""}
    assert axes.list_axes(either)[0].axis_values == ["a\\'b", "c,d"]
    assert [(past.gate, past.is_open, past.reason) for past in gates.history(either)] == [("delivery", True, "a\\'b")]


def test_package_exports() -> None:
    assert iucore.units is units and iucore.collections is collections and iucore.axes is axes
    assert iucore.gates is gates and iucore.events is events and iucore.routes is routes
    assert set(iucore.__all__) <= set(dir(iucore))
    with pytest.raises(AttributeError):
        _ = iucore.nothing

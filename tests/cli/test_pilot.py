"""``iucore pilot``: a small durable pilot, its counts, and its rollback."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from iucore import collections, errors, events, gates, inventory, units
from iucore.cli import main
from iucore.operations import pilot

Run = Callable[..., Result]

APPLIED = {
    "pieces": 2,
    "collections": 1,
    "memberships": 2,
    "collection.created": 1,
    "collection.piece_added": 2,
    "collection.rendered": 1,
    "composer events": 4,
}
ROLLED_BACK = {
    "pieces": -2,
    "collections": -1,
    "memberships": -2,
    "collection.piece_removed": 2,
    "collection.soft_deleted": 1,
    "composer events": 3,
}


@pytest.fixture
def run(url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs ``iucore pilot`` in this process."""
    monkeypatch.setenv("IUCORE_DATABASE_URL", url)

    def invoke(*arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(main, ["pilot", *arguments])
        assert result.exit_code == code, f"{arguments}: exit {result.exit_code}\n{result.output}"
        return result

    return invoke


def rows(result: Result) -> list[Any]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def counted(result: Result) -> dict[str, int]:
    """What the counts differ by; each row adds up."""
    found = rows(result)
    assert all(one["after"] - one["before"] == one["difference"] for one in found)
    return {one["what"]: one["difference"] for one in found if one["difference"]}


def on(url: str) -> Any:
    return create_engine(url, poolclass=NullPool).begin()


def test_apply_status_rollback_and_again(run: Run, url: str, connection: Connection) -> None:
    assert rows(run("status", "--format", "jsonl")) == []
    for number in (1, 2, 3):
        key = f"pilot/{number}/notice.md"
        applied = run("apply", "--format", "jsonl")
        assert counted(applied) == APPLIED
        assert key in applied.stderr and "iucore pilot rollback" in applied.stderr

        (shown,) = rows(run("status", "--format", "jsonl"))
        assert (shown["number"], shown["key"], shown["state"]) == (number, key, "live")
        assert (shown["pieces"], shown["members"]) == (2, 2)
        assert shown["sha256"] == shown["expected_sha256"] == pilot.EXPECTED_SHA256
        rendered = CliRunner().invoke(main, ["render", key]).stdout_bytes
        assert rendered == "".join(pilot.BODIES.values()).encode()
        assert b"\r\n" in rendered and not rendered.endswith(b"\n")
        told = [event.event_type for event in events.list_events(connection, subject=key)]
        assert told == ["collection.created", *["collection.piece_added"] * 2, "collection.rendered"]
        (render,) = events.list_events(connection, event_type="collection.rendered", subject=key)
        assert render.payload["sha256"] == pilot.EXPECTED_SHA256
        for last in pilot.BODIES:
            (born,) = events.list_events(connection, subject=f"pilot/{number}/{last}")
            assert born.event_type == "unit.created"

        refused = run("apply", code=1)
        assert "a pilot is live (IU913)" in refused.stderr and key in refused.stderr
        assert "iucore pilot rollback" in refused.stderr

        assert counted(run("rollback", "--format", "jsonl")) == ROLLED_BACK
        assert rows(run("status", "--format", "jsonl")) == []
        nothing = run("rollback", "--format", "jsonl")
        assert counted(nothing) == {} and "nothing was done" in nothing.stderr
        connection.rollback()
        # Nothing is physically deleted: the past still renders.
        assert units.show(connection, address=f"pilot/{number}/purpose").lifecycle == "soft_deleted"
        past = collections.render(connection, key=key, as_of_change=render.change_id)
        assert past.encode() == rendered
        connection.rollback()
    assert inventory.compare(inventory.expected(), inventory.actual(connection)) == []


def test_counts_are_those_of_the_pilot_whoever_else_writes(url: str, connection: Connection) -> None:
    """The counts are of the whole database, and differ by what the pilot does."""
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            with on(url) as other:
                units.create(other, address=f"other/{number}", kind="text", title="O", body=f"{number}", reason="r")
                collections.create(
                    other,
                    key=f"other/{number}",
                    kind="file",
                    title="O",
                    members=[{"piece": f"other/{number}"}],
                    reason="r",
                )

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(3):
            made, counts = pilot.apply(connection)
            assert {one.what: one.difference for one in counts if one.difference} == APPLIED
            assert made.state == "live"
            gone, counts = pilot.rollback(connection)
            assert [one.number for one in gone] == [made.number]
            assert {one.what: one.difference for one in counts if one.difference} == ROLLED_BACK
    finally:
        stop.set()
        writer.join()


def test_an_edited_pilot_is_not_as_expected(run: Run, url: str) -> None:
    run("apply")
    with on(url) as connection:
        units.edit(connection, address="pilot/1/contact", expected_version=1, body="other\n", reason="try it")
    differing = run("status", "--format", "jsonl", code=3)
    (shown,) = rows(differing)
    assert shown["state"] == "altered" and shown["sha256"] != shown["expected_sha256"]
    assert "iucore pilot rollback" in differing.stderr
    assert counted(run("rollback", "--format", "jsonl")) == ROLLED_BACK
    assert counted(run("apply", "--format", "jsonl")) == APPLIED


@pytest.mark.parametrize("by_hand", ["piece", "collection", "member"])
def test_what_was_disposed_of_by_hand_is_taken_back_with_the_rest(run: Run, url: str, by_hand: str) -> None:
    run("apply")
    with on(url) as connection:
        if by_hand == "piece":
            units.soft_delete(connection, address="pilot/1/purpose", reason="by hand")
        elif by_hand == "collection":
            for last in pilot.BODIES:
                collections.remove(connection, key="pilot/1/notice.md", member=f"pilot/1/{last}", reason="by hand")
            collections.soft_delete(connection, key="pilot/1/notice.md", reason="by hand")
        else:
            collections.remove(connection, key="pilot/1/notice.md", member="pilot/1/purpose", reason="by hand")
    (shown,) = rows(run("status", "--format", "jsonl", code=3))
    assert shown["state"] == ("altered" if by_hand == "member" else "partial")
    assert "IU913" in run("apply", code=1).stderr
    run("rollback")
    assert rows(run("status", "--format", "jsonl")) == []
    with on(url) as connection:
        left = "select count(*) from iucore.collection_member as m where m.closed_change is null"
        assert connection.exec_driver_sql(left).scalar_one() == 0
    assert counted(run("apply", "--format", "jsonl")) == APPLIED


def test_a_piece_in_use_elsewhere_is_not_taken_away(run: Run, url: str) -> None:
    run("apply")
    with on(url) as connection:
        collections.create(
            connection, key="mine", kind="file", title="M", members=[{"piece": "pilot/1/purpose"}], reason="use"
        )
    refused = run("rollback", code=5)
    assert "IU211" in refused.stderr and "iucore collection remove mine pilot/1/purpose" in refused.stderr
    assert rows(run("status", "--format", "jsonl"))[0]["state"] == "live", "all or nothing"
    with on(url) as connection:
        collections.remove(connection, key="mine", member="pilot/1/purpose", reason="no use")
    run("rollback")


def test_a_pilot_that_stands_in_a_collection_is_not_taken_away(run: Run, url: str) -> None:
    run("apply")
    with on(url) as connection:
        collections.create(
            connection, key="mine", kind="file", title="M", members=[{"collection": "pilot/1/notice.md"}], reason="use"
        )
    refused = run("rollback", code=5).stderr
    assert "IU211" in refused or "IU214" in refused
    assert rows(run("status", "--format", "jsonl"))[0]["state"] == "live"


def test_names_of_others_are_left_alone(run: Run, url: str) -> None:
    with on(url) as connection:
        units.create(connection, address="pilot/7/mine", kind="text", title="M", body="mine\n", reason="mine")
        units.create(connection, address="pilot/x/purpose", kind="text", title="M", body="mine\n", reason="mine")
        collections.create(connection, key="pilot/03/notice.md", kind="file", title="M", reason="mine")
    assert rows(run("status", "--format", "jsonl")) == []
    run("apply")
    assert rows(run("status", "--format", "jsonl"))[0]["number"] == 8
    run("rollback")
    with on(url) as connection:
        assert units.show(connection, address="pilot/7/mine").lifecycle == "active"
        assert units.show(connection, address="pilot/x/purpose").lifecycle == "active"


def test_it_takes_an_operator(run: Run, url: str, login: Callable[[str | None], str]) -> None:
    for role in (None, "iucore_reader", "iucore_author", "iucore_gatekeeper"):
        refused = CliRunner().invoke(main, ["--url", login(role), "pilot", "apply"])
        assert refused.exit_code == 4 and "(42501)" in refused.stderr, refused.output
    assert rows(run("status", "--format", "jsonl")) == []
    operator = login("iucore_operator")
    for command in ("apply", "status", "rollback"):
        done = CliRunner().invoke(main, ["--url", operator, "pilot", command])
        assert done.exit_code == 0, done.output


@pytest.mark.parametrize("gate", ["master", "composer"])
def test_behind_a_closed_gate_nothing_is_done(run: Run, url: str, gate: str) -> None:
    with on(url) as connection:
        gates.set_gate(connection, gate=gate, open=False, reason="inspection")
    assert "inspection" in run("apply", code=1).stderr
    assert rows(run("status", "--format", "jsonl")) == []
    with on(url) as connection:
        assert units.list_pieces(connection) == []


def test_what_cannot_be_rolled_back_or_renders_otherwise_is_not_applied(run: Run, url: str) -> None:
    with on(url) as connection:
        definition = connection.exec_driver_sql(
            "select pg_get_functiondef('iucore.fn_iu_render'::regproc)"
        ).scalar_one()
        exact = {"no_parameters": True}
        connection.exec_driver_sql(
            "create or replace function iucore.fn_iu_render(p_key text, p_as_of_change bigint default null,"
            " p_as_of timestamptz default null) returns text language sql as $$ select 'other' $$",
            execution_options=exact,
        )
    refused = run("apply", code=1).stderr
    assert "IU914" in refused and "iucore inventory verify" in refused
    with on(url) as connection:
        connection.exec_driver_sql(definition, execution_options=exact)
        connection.exec_driver_sql("drop function iucore.fn_iu_collection_soft_delete", execution_options=exact)
    run("apply", code=1)
    with on(url) as connection:
        assert units.list_pieces(connection) == []


def test_two_at_once_make_one(url: str) -> None:
    for _ in range(5):
        outcomes: list[object] = []
        barrier = threading.Barrier(4)

        def apply(outcomes: list[object] = outcomes, barrier: threading.Barrier = barrier) -> None:
            with create_engine(url, poolclass=NullPool).connect() as connection:
                barrier.wait()
                try:
                    outcomes.append(pilot.apply(connection)[0].key)
                except (errors.IucoreError, DBAPIError) as error:
                    original = getattr(error, "orig", error)
                    outcomes.append(getattr(original, "sqlstate", None) or getattr(original, "pgcode", None))

        threads = [threading.Thread(target=apply) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with create_engine(url, poolclass=NullPool).connect() as connection:
            live = pilot.status(connection)
            assert [one.state for one in live] == ["live"], outcomes
            assert sorted(outcomes, key=str).count(live[0].key) == 1
            # A conflict (exit code 5), or the refusal because one is live.
            assert {one for one in outcomes if one != live[0].key} <= {"IU201", "IU204", "IU913", "40001"}, outcomes
        with create_engine(url, poolclass=NullPool).connect() as connection:
            pilot.rollback(connection)


@pytest.mark.parametrize("driver", ["psycopg2", "psycopg"])
def test_both_drivers(url: str, driver: str) -> None:
    engine = create_engine(url.replace("psycopg2", driver), poolclass=NullPool)
    with engine.connect() as connection:
        made, _ = pilot.apply(connection)
        assert pilot.status(connection) == [made]
        assert pilot.rollback(connection)[0] == [made]
        assert pilot.status(connection) == []

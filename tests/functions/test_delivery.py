"""Delivery in SQL: the ledger's beginnings, routes, batches with their leases, dry runs, replay, skip, and pruning."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from functions_helpers import Database, Row
from governed_calls import events_of, grow_old, last_change, move_to_another_cluster, sequence

EDITED = "unit.edited"
PAST = "the worker did not record it before its lease ran out"


# ---------------------------------------------------------------- a route and its events


def ready(db: Database, route: str = "r", event_type: str | None = EDITED, **setting: Any) -> None:
    """A route that may send: registered, configured, switched on, behind an open gate."""
    db.one("route_register", route=route, event_type=event_type, title="T")
    db.one("route_configure", route=route, **{"transport": "file", **setting})
    db.one("route_set", route=route, enabled=True)
    db.one("gate_set", gate="delivery", open=True)
    sequence(db)


def said(db: Database, *subjects: str) -> list[int]:
    """Edits the pieces in turn, births those that are new, and gives the positions of the edits."""
    before = sequence(db)
    for number, subject in enumerate(subjects):
        if not db.query("select from iucore.information_unit where address = %s", [subject]):
            db.piece(subject)
        db.edit(subject, f"{subject} {before} {number}")
    sequence(db)
    return [
        position
        for (position,) in db.query(
            "select position from iucore.event_log where event_type = %s and position > %s order by position",
            [EDITED, before],
        )
    ]


def take(db: Database, **more: Any) -> list[Row]:
    return db.call("delivery_take", **{"worker": "w", "live": True, **more})


def places(rows: Iterable[Row]) -> list[int]:
    return [row["position"] for row in rows]


def record(
    db: Database, rows: Sequence[Row], handled: int | None = None, not_sent: dict[int, str] | None = None, **more: Any
) -> Row:
    """Ends a claim; not_sent: position to failed or deferred."""
    not_sent = not_sent or {}
    return db.one(
        "delivery_record",
        claim=rows[0]["claim"],
        handled=len(rows) if handled is None else handled,
        positions=list(not_sent),
        outcomes=list(not_sent.values()),
        errors=["broken" if outcome == "failed" else None for outcome in not_sent.values()],
        **more,
    )


def attempts(db: Database, route: str = "r") -> list[tuple[int, int, str]]:
    """Position, number and outcome of each attempt."""
    return db.query(
        "select position, attempt, outcome from iucore.delivery_attempt where route = %s order by 1, 2, 3", [route]
    )


def newest(db: Database, route: str = "r", mode: str = "live", partition: int = 0) -> Row:
    """Where a part of a route stands."""
    cursor = db.connection.cursor(row_factory=psycopg.rows.dict_row)
    (row,) = cursor.execute(
        "select * from iucore.delivery_cursor where route = %s and mode = %s and partition = %s"
        " order by seq desc limit 1",
        [route, mode, partition],
    )
    return row


def waiting(db: Database, route: str = "r") -> list[tuple[int, str, int]]:
    """Position, state and attempts of what is to be sent again."""
    return db.query(
        "select position, state, attempts from iucore.delivery_retry where route = %s order by position", [route]
    )


@contextmanager
def by_force(db: Database) -> Iterator[None]:
    """What no role may do, for time that passed."""
    with db.connection.transaction():
        db.connection.execute("set local session_replication_role = replica")
        yield


def expire(db: Database) -> None:
    """Every lease runs out now, and no route waits for its target."""
    with by_force(db):
        db.connection.execute(
            "update iucore.delivery_cursor set expires_at = clock_timestamp() - interval '1 second'"
            " where expires_at > clock_timestamp()"
        )
        db.connection.execute("update iucore.delivery_cursor set resume_at = null where kind = 'done'")


def due(db: Database) -> None:
    """Whatever is to be sent again may be sent now."""
    db.connection.execute("update iucore.delivery_retry set next_at = '-infinity'")


def send_all(db: Database, route: str = "r", **more: Any) -> list[int]:
    """Sends what there is, in batches; gives the positions in the order in which they went."""
    sent: list[int] = []
    while rows := take(db, routes=[route], **more):
        sent += places(rows)
        record(db, rows)
    return sent


def edits(db: Database, number: int) -> int:
    """Many events of one subject at once, past the functions; gives the end of the ledger."""
    with db.connection.transaction():
        change = db.piece("many")["change_id"]
        db.connection.execute(
            "insert into iucore.event_outbox (id, aggregatetype, aggregateid, type, payload, event_subject_ref,"
            " delivery_lane, change_id, actor)"
            " select iucore.fn_iu_uuid7(), 'unit', 'many', 'edited', '{}', 'many', 'delayed', %s, 'postgres'"
            " from generate_series(1, %s)",
            [change, number],
        )
    return sequence(db)


# ---------------------------------------------------------------- taking and recording


def test_a_batch_from_its_taking_to_its_record(db: Database) -> None:
    ready(db)
    db.piece("a")
    db.connection.execute("set iucore.traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'")
    db.edit("a", "one", actor="ann")
    db.connection.execute("set iucore.traceparent = E'00-x\\r\\nCookie: 1'")
    db.edit("a", "two")
    db.connection.execute("reset iucore.traceparent")
    sequence(db)
    rows = take(db, lease="10 minutes")
    assert [row["attempt"] for row in rows] == [1, 1]
    assert {(row["claim"], row["route"], row["partition"]) for row in rows} == {(newest(db)["seq"], "r", 0)}
    assert rows[0]["setting"] == db.one("route_show", route="r")["setting_change"]
    # Each column is that of the event.
    columns = "position, event_id::text, event_type, aggregatetype, aggregateid, subject, delivery_lane, payload::text,"
    columns += " change_id, actor, claimed_actor, traceparent, created_at"
    logged = db.query(f"select {columns} from iucore.event_log where event_type = %s order by position", [EDITED])
    assert [tuple(row.values())[5:] for row in rows] == logged
    assert [row["traceparent"] for row in rows] == ["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", None]
    assert (rows[0]["actor"], rows[0]["claimed_actor"], rows[0]["subject"]) == ("postgres", "ann", "a")
    claim = newest(db)
    assert (claim["kind"], claim["worker"], claim["source"], claim["positions"]) == ("claim", "w", "log", places(rows))
    assert timedelta(minutes=9) < claim["expires_at"] - claim["made_at"] <= timedelta(minutes=10)
    assert take(db) == []
    assert record(db, rows) == {"sent": 2, "failed": 0, "dead": 0, "resume_at": None}
    done = newest(db)
    assert (done["kind"], done["position"], done["failures"]) == ("done", sequence(db), 0)
    assert attempts(db) == [(position, 1, "sent") for position in places(rows)]
    assert db.query("select route, outcome, worker, subject from iucore.v_delivery_attempt") == [
        ("r", "sent", "w", "a"),
        ("r", "sent", "w", "a"),
    ]
    assert waiting(db) == []


def test_who_finds_nothing_writes_nothing(db: Database) -> None:
    ready(db)
    said(db, "a")
    send_all(db)
    sequence(db)
    before = db.counts()
    with db.connection.transaction():
        assert take(db) == []
        db.call("delivery_dry_run", worker="w", routes=["r"], live=True)
        assert db.one("sequence")["sequenced"] == 0
        assert db.value("select pg_current_xact_id_if_assigned()") is None
    assert db.counts() == before


def test_batches_are_as_large_as_asked_and_in_order(db: Database) -> None:
    ready(db)
    positions = said(db, *"abcab")
    found = []
    while rows := take(db, limit=2):
        found.append(places(rows))
        record(db, rows)
    assert found == [positions[:2], positions[2:4], positions[4:]]


def test_only_what_was_dealt_with_counts(db: Database) -> None:
    ready(db)
    positions = said(db, *"abcd")
    record(db, take(db), handled=2)
    assert attempts(db) == [(position, 1, "sent") for position in positions[:2]]
    assert newest(db)["position"] == positions[1]
    rows = take(db)
    assert places(rows) == positions[2:]
    record(db, rows, handled=0)
    assert newest(db)["position"] == positions[1]
    assert send_all(db) == positions[2:]


# ---------------------------------------------------------------- leases


def test_a_claim_is_refused_when_it_has_run_out(db: Database) -> None:
    ready(db)
    said(db, "a", "b")
    rows = take(db)
    claim = rows[0]["claim"]
    assert db.one("delivery_allowed", claim=claim) == {"fn_iu_delivery_allowed": True}
    expire(db)
    assert db.one("delivery_allowed", claim=claim) == {"fn_iu_delivery_allowed": False}
    db.refuses("IU219", "delivery_record", claim=claim, handled=2)
    db.refuses("IU219", "delivery_renew", claim=claim)
    # Another worker has it.
    again = take(db, worker="other")
    error = db.refuses("IU219", "delivery_record", claim=claim, handled=2)
    assert str(again[0]["claim"]) in (error.diag.message_detail or "")
    db.refuses("IU219", "delivery_renew", claim=claim)
    record(db, again)
    db.refuses("IU219", "delivery_record", claim=again[0]["claim"], handled=1)
    for unknown in (None, 0, 999999, newest(db)["seq"]):
        db.refuses("IU219", "delivery_record", claim=unknown, handled=0)
        db.refuses("IU219", "delivery_renew", claim=unknown)
        assert db.one("delivery_allowed", claim=unknown) == {"fn_iu_delivery_allowed": False}


def test_a_renewed_claim_replaces_the_old_one(db: Database) -> None:
    ready(db)
    positions = said(db, "a", "b")
    (old, _) = (row["claim"] for row in take(db, lease="1 second"))
    new = db.one("delivery_renew", claim=old, lease="1 hour")["fn_iu_delivery_renew"]
    assert new > old
    assert newest(db)["positions"] == positions and newest(db)["worker"] == "w"
    assert newest(db)["expires_at"] - newest(db)["made_at"] > timedelta(minutes=59)
    assert [db.one("delivery_allowed", claim=one)["fn_iu_delivery_allowed"] for one in (old, new)] == [False, True]
    db.refuses("IU219", "delivery_record", claim=old, handled=2)
    db.refuses("IU219", "delivery_renew", claim=old)
    assert db.one("delivery_record", claim=new, handled=2)["sent"] == 2
    assert db.query("select distinct claim from iucore.delivery_attempt") == [(new,)]


@pytest.mark.parametrize("ordered", [True, False])
def test_what_kills_its_worker_goes_alone_and_dies_at_the_limit(db: Database, ordered: bool) -> None:
    ready(db, max_attempts=3, ordered=ordered)
    *innocent, poison = said(db, *"abcde")
    batches = []
    while rows := take(db) or (due(db), take(db))[1]:
        batches.append(places(rows))
        if poison in places(rows):
            expire(db)
        else:
            record(db, rows)
    assert batches[0] == [*innocent, poison]
    assert sorted(batches[1:]) == [[one] for one in sorted([*innocent, poison, poison])]
    assert attempts(db) == [
        *((one, number, outcome) for one in innocent for number, outcome in ((1, "lost"), (2, "sent"))),
        *((poison, number, "lost") for number in (1, 2, 3)),
    ]
    assert db.query(
        "select route, position, subject, event_type, attempts, reason, state from iucore.v_dead_letter"
    ) == [("r", poison, "e", EDITED, 3, PAST, "open")]
    assert waiting(db) == []
    assert send_all(db) == []


# ---------------------------------------------------------------- failures


def test_a_failing_event_waits_longer_each_time_and_dies_at_the_limit(db: Database) -> None:
    ready(db, max_attempts=4, backoff_ms=1000, backoff_cap_ms=3000)
    (position, other) = said(db, "a", "b")
    waits = []
    for number in (1, 2, 3, 4):
        rows = take(db)
        assert [row["attempt"] for row in rows if row["position"] == position] == [number]
        done = record(db, rows, not_sent={position: "failed"})
        assert (done["failed"], done["dead"]) == (1, int(number == 4))
        if number < 4:
            assert waiting(db) == [(position, "failed", number)]
            assert db.value("select error from iucore.delivery_retry") == "broken"
            waits.append(db.value("select extract(epoch from next_at - clock_timestamp()) from iucore.delivery_retry"))
            with by_force(db):
                db.connection.execute(
                    "update iucore.delivery_retry set next_at = clock_timestamp() + interval '1 hour'"
                )
            assert take(db) == []
            due(db)
    # A random part of 1, 2, 3 seconds.
    assert all(-1 < wait <= limit for wait, limit in zip(waits, (1, 2, 3), strict=True))
    assert attempts(db) == [(position, number, "failed") for number in (1, 2, 3, 4)] + [(other, 1, "sent")]
    assert db.query("select position, attempts, reason from iucore.dead_letter") == [(position, 4, "broken")]
    assert waiting(db) == [] and take(db) == []


def test_waits_are_spread_over_the_whole_of_their_limit(db: Database) -> None:
    ready(db, backoff_ms=86400000, backoff_cap_ms=86400000, ordered=False)
    positions = said(db, *(f"p{number}" for number in range(200)))
    record(db, take(db), not_sent=dict.fromkeys(positions, "failed"))
    hours = sorted(
        float(hours)
        for (hours,) in db.query(
            "select extract(epoch from next_at - clock_timestamp()) / 3600 from iucore.delivery_retry"
        )
    )
    assert len(hours) == 200 and hours[0] < 3 and hours[-1] > 21 and 8 < hours[100] < 16


def test_an_attempt_limit_of_one(db: Database) -> None:
    ready(db, max_attempts=1)
    (position,) = said(db, "a")
    assert record(db, take(db), not_sent={position: "failed"})["dead"] == 1
    assert waiting(db) == []


def test_a_long_reason_is_cut(db: Database) -> None:
    ready(db, max_attempts=1)
    (position, _) = said(db, "a", "b")
    (claim, _) = (row["claim"] for row in take(db))
    db.one("delivery_record", claim=claim, handled=1, positions=[position], outcomes=["failed"], errors=["x" * 9000])
    assert db.query("select length(reason) from iucore.dead_letter") == [(500,)]
    rows = take(db)
    record(db, rows, handled=0, unavailable="y" * 9000)
    assert len(newest(db)["error"]) == 500


# ---------------------------------------------------------------- order


def test_a_failing_subject_holds_back_itself_and_comes_in_order(db: Database) -> None:
    ready(db)
    a1, b1, a2 = said(db, "a", "b", "a")
    # The worker sends no event of a subject that failed in the same batch.
    record(db, take(db), not_sent={a1: "failed", a2: "deferred"})
    assert waiting(db) == [(a1, "failed", 1), (a2, "deferred", 0)]
    with by_force(db):
        db.connection.execute("update iucore.delivery_retry set next_at = 'infinity' where state = 'failed'")
    a3, b2, a4, c1 = said(db, "a", "b", "a", "c")
    rows = take(db)
    assert places(rows) == [b2, c1]
    assert newest(db)["deferred"] == [a3, a4]
    record(db, rows)
    assert waiting(db) == [(a1, "failed", 1), (a2, "deferred", 0), (a3, "deferred", 0), (a4, "deferred", 0)]
    assert take(db) == []
    # What comes for it later waits behind it.
    (a5,) = said(db, "a")
    assert take(db) == []
    due(db)
    rows = take(db, limit=2)
    assert places(rows) == [a1, a2]
    # It fails again.
    record(db, rows, not_sent={a1: "failed", a2: "deferred"})
    with by_force(db):
        db.connection.execute("update iucore.delivery_retry set next_at = 'infinity' where state = 'failed'")
    assert take(db) == []
    due(db)
    assert send_all(db, limit=2) == [a1, a2, a3, a4, a5]
    assert waiting(db) == []
    assert attempts(db) == sorted(
        [(a1, 1, "failed"), (a1, 2, "failed"), (a1, 3, "sent")]
        + [(one, 1, "sent") for one in (b1, a2, a3, b2, a4, c1, a5)]
    )


def test_a_dead_letter_no_longer_holds_back_its_subject(db: Database) -> None:
    ready(db, max_attempts=1)
    a1, a2 = said(db, "a", "a")
    record(db, take(db), not_sent={a1: "failed", a2: "deferred"})
    assert db.query("select position from iucore.dead_letter") == [(a1,)]
    assert send_all(db) == [a2]


def test_what_was_put_aside_and_not_passed_is_not_sent_twice(db: Database) -> None:
    ready(db)
    a1, _ = said(db, "a", "b")
    record(db, take(db), not_sent={a1: "failed"})
    with by_force(db):
        db.connection.execute("update iucore.delivery_retry set next_at = 'infinity'")
    b2, a2, c1 = said(db, "b", "a", "c")
    rows = take(db)
    assert places(rows) == [b2, c1]
    # Stopped between the two: the cursor stands before the event that was put aside.
    record(db, rows, handled=1)
    assert waiting(db) == [(a1, "failed", 1)]
    due(db)
    assert send_all(db) == [a1, a2, c1]
    assert [(position, number) for position, number, _ in attempts(db) if position in (a2, c1)] == [(a2, 1), (c1, 1)]


def test_without_order_a_failing_event_holds_back_nothing(db: Database) -> None:
    ready(db, ordered=False)
    a1, a2, b1 = said(db, "a", "a", "b")
    record(db, take(db), not_sent={a1: "failed"})
    with by_force(db):
        db.connection.execute("update iucore.delivery_retry set next_at = 'infinity'")
    (a3,) = said(db, "a")
    assert send_all(db) == [a3]
    due(db)
    assert send_all(db) == [a1]
    assert {position for position, _, outcome in attempts(db) if outcome == "sent"} == {a1, a2, b1, a3}


def test_a_lost_batch_keeps_the_order_of_each_subject(db: Database) -> None:
    ready(db)
    a1, b1, a2, b2 = said(db, "a", "b", "a", "b")
    take(db)
    expire(db)
    # Again lost: the first of a waits, and with it the second; b goes on.
    assert places(take(db)) == [a1]
    expire(db)
    (a3,) = said(db, "a")
    for alone in (b1, b2):
        rows = take(db)
        assert places(rows) == [alone]
        record(db, rows)
    due(db)
    assert send_all(db) == [a1, a2, a3]


# ---------------------------------------------------------------- parts and filters


def test_a_route_is_spread_over_its_parts_by_subject(db: Database) -> None:
    ready(db, partitions=4)
    subjects = [f"p{number}" for number in range(24)]
    positions = said(db, *subjects, *subjects)
    assert db.query("select partition from iucore.route_partition where route = 'r' order by 1") == [
        (0,),
        (1,),
        (2,),
        (3,),
    ]
    batches = [take(db) for _ in range(4)]
    assert take(db) == []
    assert sorted(rows[0]["partition"] for rows in batches) == [0, 1, 2, 3]
    assert sorted(place for rows in batches for place in places(rows)) == positions
    owners: dict[str, set[int]] = {}
    for rows in batches:
        assert places(rows) == sorted(places(rows))
        for row in rows:
            owners.setdefault(row["subject"], set()).add(row["partition"])
    assert {len(parts) for parts in owners.values()} == {1}
    # A failure in one part holds up no other.
    record(db, batches[0], not_sent={places(batches[0])[0]: "failed"})
    for rows in batches[1:]:
        assert record(db, rows)["sent"] == len(rows)
    assert db.query("select partition from iucore.delivery_retry") == [(batches[0][0]["partition"],)]


def test_the_number_of_parts_is_fixed_when_it_is_ready(db: Database) -> None:
    db.one("route_register", route="r", event_type=EDITED, title="T")
    db.one("route_configure", route="r", transport="file", partitions=2)
    db.one("route_configure", route="r", transport="file", partitions=3)
    db.one("route_set", route="r", enabled=True)
    error = db.refuses("IU222", "route_configure", route="r", transport="file", partitions=2)
    assert "partitions: 3, asked for: 2" in (error.diag.message_detail or "")
    assert db.one("route_configure", route="r", transport="nats", partitions=3)["changed"] is True
    db.one("route_set", route="r", enabled=False)
    db.refuses("IU222", "route_configure", route="r", transport="file")
    # Without a transport it can send nothing, and still has its parts.
    db.one("route_configure", route="r", transport=None, partitions=3)


def test_what_a_route_takes(db: Database) -> None:
    db.one("axis_register", axis="risk", title="R", rule="union")
    cases: dict[str, dict[str, Any]] = {
        "all": {"event_type": None},
        "edited": {},
        "below": {"subject_prefix": "x_/"},
        "every": {"event_type": None, "subject_prefix": "x_/"},
        "risky": {"event_type": None, "axis": "risk", "axis_value": "high"},
        "both": {"axis": "risk", "axis_value": "high", "subject_prefix": "x_/", "partitions": 3},
    }
    for route, setting in cases.items():
        ready(db, route, **setting)
    send_all(db, "all")
    before = sequence(db)
    for address in ("x_/a", "xy/a", "b", "x_/c"):
        db.piece(address)
        db.edit(address, "more")
    for address in ("x_/a", "b"):
        db.call("axis_set", address=address, axis="risk", values=["low", "high"])
    db.file("f", "b")
    db.call("axis_refresh", key="f")
    db.file("g", "x_/c")
    db.one("gate_set", gate="composer", open=False)
    sequence(db)
    log = db.query(
        "select position, event_type, subject from iucore.event_log where position > %s order by 1", [before]
    )
    wanted = {
        "all": [place for place, _, _ in log],
        "edited": [place for place, kind, _ in log if kind == EDITED],
        "below": [place for place, kind, name in log if kind == EDITED and name.startswith("x_/")],
        "every": [place for place, _, name in log if name.startswith("x_/")],
        "risky": [place for place, _, name in log if name in ("x_/a", "b", "f")],
        "both": [place for place, kind, name in log if kind == EDITED and name == "x_/a"],
    }
    assert [len(wanted[route]) for route in cases] == [len(log), 4, 2, 5, 9, 1]
    found = {route: send_all(db, route) for route in cases}
    assert found == wanted


def test_a_filter_looks_at_much_and_remembers_how_far(db: Database) -> None:
    """A part of a route for which nothing comes does not read the same history again and again."""
    ready(db, subject_prefix="none/")
    head = edits(db, 6000)
    assert take(db) == []
    assert newest(db)["position"] == head
    assert attempts(db) == []


# ---------------------------------------------------------------- the target


def test_an_unavailable_target_delays_the_route_and_counts_nothing(db: Database) -> None:
    ready(db, backoff_ms=1000, backoff_cap_ms=4000)
    positions = said(db, *"abc")
    row = record(db, take(db), handled=1, unavailable="503", retry_after="10 seconds")
    assert attempts(db) == [(positions[0], 1, "sent")]
    stands = newest(db)
    assert stands["resume_at"] == row["resume_at"]
    assert timedelta(seconds=9) < row["resume_at"] - stands["made_at"] < timedelta(seconds=11)
    assert (stands["failures"], stands["error"], stands["position"]) == (1, "503", positions[0])
    assert take(db) == []
    for failures in range(2, 7):
        expire(db)
        rows = take(db)
        assert places(rows) == positions[1:]
        assert {row["attempt"] for row in rows} == {1}
        row = record(db, rows, handled=0, unavailable="cannot connect")
        assert newest(db)["failures"] == failures
        limit = min(2 ** (failures - 1), 4)
        assert row["resume_at"] - newest(db)["made_at"] < timedelta(seconds=limit)
    # What the target asks for counts within reason.
    for asked, least, most in (("-1 hour", -1, 4), ("0", -1, 4), ("3 days", 3590, 3610)):
        expire(db)
        row = record(db, take(db), handled=0, unavailable="429", retry_after=asked)
        assert least < (row["resume_at"] - newest(db)["made_at"]).total_seconds() < most
    expire(db)
    assert send_all(db) == positions[1:]
    assert newest(db)["failures"] == 0 and newest(db)["error"] is None
    assert attempts(db) == [(position, 1, "sent") for position in positions]
    assert waiting(db) == [] and db.query("select from iucore.dead_letter") == []


def test_a_target_that_is_gone_switches_the_route_off(db: Database, login: Callable[[str | None], str]) -> None:
    ready(db)
    positions = said(db, "a", "b")
    url = login("iucore_worker").replace("postgresql+psycopg2://", "postgresql://")
    with psycopg.connect(url) as connection:
        worker = Database(connection)
        name = worker.value("select session_user")
        rows = take(worker)
        record(worker, rows, handled=1, unavailable="410", gone=True)
        assert take(worker) == []
    change = last_change(db)
    assert events_of(db, change) == [("route.switched", "r", {"enabled": False})]
    assert db.query("select verb, subject, actor, reason from iucore.change where change_id = %s", [change]) == [
        ("route_set", "r", name, "the target says that it is gone for ever")
    ]
    assert db.query("select execution_enabled, switched_change from iucore.route where route = 'r'") == [
        (False, change)
    ]
    assert db.query("select execution_enabled from iucore.route_switch order by change_id desc limit 1") == [(False,)]
    assert (newest(db)["change_id"], newest(db)["error"], newest(db)["position"]) == (change, "410", positions[0])
    # Switched on again it goes on where it stood.
    db.one("route_set", route="r", enabled=True)
    expire(db)
    assert send_all(db) == positions[1:]


def test_a_target_that_is_gone_behind_a_closed_master_gate(db: Database) -> None:
    ready(db, backoff_cap_ms=60000)
    said(db, "a")
    rows = take(db)
    db.one("gate_set", gate="master", open=False)
    before = db.counts()
    row = record(db, rows, handled=0, gone=True)
    after = db.counts()
    assert {name for name in after if after[name] != before[name]} == {"delivery_cursor"}
    assert timedelta(seconds=59) < row["resume_at"] - newest(db)["made_at"] < timedelta(seconds=61)
    assert newest(db)["error"] == "gone"
    assert db.value("select execution_enabled from iucore.route where route = 'r'") is True
    assert take(db) == []
    db.one("gate_set", gate="master", open=True)
    expire(db)
    record(db, take(db), handled=0, gone=True)
    assert db.value("select execution_enabled from iucore.route where route = 'r'") is False


def test_gone_twice_is_one_switch(db: Database) -> None:
    ready(db)
    said(db, "a")
    rows = take(db)
    db.one("route_set", route="r", enabled=False)
    before = last_change(db)
    record(db, rows, handled=0, gone=True)
    assert last_change(db) == before


# ---------------------------------------------------------------- the three switches


def test_nothing_is_handed_out_unless_all_three_switches_are_on(db: Database) -> None:
    ready(db)
    positions = said(db, "a", "b")
    for live in (False, None):
        assert take(db, live=live) == []
    switches: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
        ("gate_set", {"gate": "delivery", "open": False}, {"open": True}),
        ("route_set", {"route": "r", "enabled": False}, {"enabled": True}),
        ("route_configure", {"route": "r", "transport": None}, {"transport": "file"}),
    ]
    for verb, off, on in switches:
        db.one(verb, **off)
        assert take(db) == [], verb
        db.one(verb, **off | on)
        (claim, *_) = (row["claim"] for row in take(db))
        if verb != "route_configure":
            # Between two events.
            assert db.one("delivery_allowed", claim=claim)["fn_iu_delivery_allowed"]
            db.one(verb, **off)
            assert not db.one("delivery_allowed", claim=claim)["fn_iu_delivery_allowed"]
            # What was handed over before is recorded nevertheless.
            db.one("delivery_record", claim=claim, handled=0)
            db.one(verb, **off | on)
        else:
            db.one("delivery_record", claim=claim, handled=0)
    # The master gate stops no worker.
    db.one("gate_set", gate="master", open=False)
    assert send_all(db) == positions
    db.one("gate_set", gate="master", open=True)


def test_closing_the_gate_waits_for_no_worker(db: Database) -> None:
    """Not even for one that leaves its transaction open; what it took is not sent, since it asks before."""
    ready(db)
    said(db, "a")
    with psycopg.connect(db.connection.info.dsn) as worker:
        (claim,) = worker.execute("select claim from iucore.fn_iu_delivery_take('w', null, true)").fetchone()
        db.connection.execute("set lock_timeout = '2s'")
        db.one("gate_set", gate="delivery", open=False)
        worker.commit()
        assert worker.execute("select iucore.fn_iu_delivery_allowed(%s)", [claim]).fetchone() == (False,)


def test_routes_are_chosen_by_name(db: Database) -> None:
    ready(db, "one")
    ready(db, "two")
    positions = said(db, "a")
    assert take(db, routes=[]) == [] and take(db, routes=["none", None]) == []
    assert send_all(db, "two") == positions
    assert take(db, routes=["two"]) == []
    rows = take(db, routes=["two", "one"])
    assert rows[0]["route"] == "one"


# ---------------------------------------------------------------- dry run


def test_the_four_events_of_the_pilot_give_four_attempts(db: Database) -> None:
    for letter in "ab":
        db.piece(letter)
    db.file("f", "a", "b")
    before = sequence(db)
    db.one("collection_reorder", key="f", member="a", at="last")
    db.one("collection_remove", key="f", member="a")
    db.add("f", "a")
    db.one("record_render", key="f")
    sequence(db)
    rows = db.call("delivery_dry_run", worker="w")
    assert sum(row["recorded"] for row in rows) == before + 4
    found = db.query(
        "select a.route = l.event_type, a.attempt, a.outcome from iucore.delivery_attempt as a"
        " join iucore.event_log as l using (position) where position > %s",
        [before],
    )
    assert found == [(True, 0, "dry_run")] * 4
    assert db.query("select from iucore.dead_letter") == db.query("select from iucore.delivery_retry") == []
    # Once.
    counts = db.counts()
    assert db.call("delivery_dry_run", worker="w") == []
    assert db.counts() == counts


def test_a_dry_run_takes_nothing_from_what_is_sent_later(db: Database) -> None:
    ready(db)
    first = said(db, "a", "b")
    # May send: the dry run leaves it alone, unless the worker is not live.
    assert db.call("delivery_dry_run", worker="w", live=True, routes=["r"]) == []
    db.one("gate_set", gate="delivery", open=False)
    row = db.one("delivery_dry_run", worker="w", live=True, routes=["r"])
    assert row == {"route": "r", "recorded": 2, "upto": row["upto"], "remaining": False}
    more = said(db, "a")
    assert db.one("delivery_dry_run", worker="w", live=True, routes=["r"])["recorded"] == 1
    assert newest(db, mode="dry_run")["position"] >= more[0]
    assert attempts(db) == [(position, 0, "dry_run") for position in [*first, *more]]
    db.one("gate_set", gate="delivery", open=True)
    assert send_all(db) == [*first, *more]
    # Behind what was sent in earnest there is nothing left to try.
    db.one("route_set", route="r", enabled=False)
    assert db.call("delivery_dry_run", worker="w", routes=["r"]) == []
    last = said(db, "b")
    assert db.one("delivery_dry_run", worker="w", routes=["r"], limit=1)["recorded"] == 1
    db.one("route_set", route="r", enabled=True)
    assert send_all(db) == last


def test_a_dry_run_goes_in_parts(db: Database) -> None:
    ready(db)
    said(db, *"abcde")
    steps = []
    while rows := db.call("delivery_dry_run", worker="w", routes=["r"], limit=2):
        steps += [(row["recorded"], row["remaining"]) for row in rows]
    assert steps == [(2, True), (2, True), (1, False)]


def test_a_new_route_begins_with_what_comes(db: Database) -> None:
    said(db, "a")
    db.one("route_register", route="r", event_type=EDITED, title="T")
    db.one("route_register", route="all", event_type=None, title="T")
    # The event of its own registration is the first that a route of every type hears.
    sequence(db)
    assert db.call("delivery_dry_run", worker="w", routes=["r"]) == []
    db.call("delivery_dry_run", worker="w", routes=["all"])
    assert db.query("select l.event_type from iucore.delivery_attempt join iucore.event_log as l using (position)") == [
        ("route.registered",),
        ("route.registered",),
    ]


def test_two_dry_runs_at_once_record_once(db: Database) -> None:
    ready(db)
    said(db, "a")
    with psycopg.connect(db.connection.info.dsn) as other:
        other.execute("select * from iucore.fn_iu_delivery_dry_run('other', array['r'])")
        assert db.call("delivery_dry_run", worker="w", routes=["r"]) == []
        other.commit()
    assert db.call("delivery_dry_run", worker="w", routes=["r"]) == []
    assert len(attempts(db)) == 1


# ---------------------------------------------------------------- ready to send


def test_a_route_is_sent_what_happens_from_when_it_was_ready(db: Database) -> None:
    db.one("gate_set", gate="delivery", open=True)
    db.one("route_register", route="r", event_type=EDITED, title="T")
    said(db, "a")
    db.one("route_set", route="r", enabled=True)
    said(db, "a")
    assert db.query("select from iucore.route_partition") == []
    assert take(db) == []
    db.refuses("IU221", "route_replay", route="r", first=1)
    change = db.one("route_configure", route="r", transport="file")["change_id"]
    assert (newest(db)["kind"], newest(db)["change_id"]) == ("done", change)
    positions = said(db, "a")
    # Once: what is configured and switched later moves nothing.
    db.one("route_configure", route="r", transport="nats")
    db.one("route_set", route="r", enabled=False)
    db.one("route_set", route="r", enabled=True)
    assert send_all(db) == positions


# ---------------------------------------------------------------- configure


def test_how_a_route_delivers(db: Database) -> None:
    db.one("route_register", route="r", event_type=EDITED, title="T")
    shown = db.one("route_show", route="r")
    defaults = {
        "target": {},
        "networks": [],
        "subject_prefix": None,
        "axis": None,
        "axis_value": None,
        "ordered": True,
        "partitions": 1,
        "max_attempts": 8,
        "backoff_ms": 1000,
        "backoff_cap_ms": 300000,
    }
    assert {name: shown[name] for name in defaults} == defaults
    assert (shown["transport"], shown["setting_change"], shown["event_type"]) == (None, None, EDITED)
    db.one("axis_register", axis="risk", title="R", rule="union")
    setting: dict[str, Any] = {
        "transport": "webhook",
        "target": {"url": "https://hooks.example/x", "secret_env": "SECRET"},
        "networks": ["10.0.0.0/8", "fd00::/8"],
        "subject_prefix": "x/",
        "axis": "risk",
        "axis_value": "high",
        "ordered": False,
        "partitions": 64,
        "max_attempts": 100,
        "backoff_ms": 86400000,
        "backoff_cap_ms": 86400000,
    }
    row = db.one("route_configure", route="r", **setting, actor="ann")
    assert (row["route"], row["transport"], row["changed"]) == ("r", "webhook", True)
    # The event tells nobody the target.
    assert events_of(db, row["change_id"]) == [("route.configured", "r", {"transport": "webhook"})]
    shown = db.one("route_show", route="r")
    assert {name: shown[name] for name in setting} == setting
    assert shown["setting_change"] == row["change_id"]
    before = db.counts()
    again = db.one("route_configure", route="r", **setting)
    assert again["changed"] is False
    after = db.counts()
    assert {name: after[name] - before[name] for name in after if after[name] != before[name]} == {"change": 1}
    # The whole of it: what is not given is as by default.
    db.one("route_configure", route="r", transport="file")
    shown = db.one("route_show", route="r")
    assert {name: shown[name] for name in defaults} == defaults
    assert db.query("select count(*) from iucore.route_setting") == [(2,)]
    # The first configuration to the defaults is one, too.
    assert db.one("route_configure", route="unit.created", transport=None)["changed"] is True


def test_a_setting_takes_effect_with_the_next_batch(db: Database) -> None:
    ready(db)
    said(db, "a")
    rows = take(db)
    row = db.one("route_configure", route="r", transport="file", max_attempts=1)
    assert rows[0]["setting"] < row["change_id"]
    assert record(db, rows, not_sent={places(rows)[0]: "failed"})["dead"] == 1
    said(db, "a")
    assert {one["setting"] for one in take(db)} == {row["change_id"]}


def test_configure_refuses(db: Database) -> None:
    db.one("route_register", route="r", event_type=EDITED, title="T")
    good: dict[str, Any] = {"route": "r", "transport": "file"}
    refused: list[tuple[str, dict[str, Any]]] = [
        *(("IU039", {"transport": name}) for name in ("", "File", "1a", "a-b", "a b", "a\n", "a" * 64, "é")),
        *(("IU039", {"target": target}) for target in ("[]", "null", "1", '"a"', None, {"a": "x" * 8000})),
        *(
            ("IU039", {"target": {"url": url}})
            for url in ("https://user:secret@host/", "nats://token@host:4222", "http://:p@h", "x://a b@c")
        ),
        ("IU039", {"target": {"a": [{"b": "redis://:pass@host"}]}}),
        *(("IU039", {"target": {"secret_env": [f"{prefix}token"]}}) for prefix in ("whsec_", "WhSec_")),
        *(
            ("IU039", {"networks": networks})
            for networks in (["10.0.0.1/8"], ["host"], [""], [None], ["10.0.0.0/8", "::1/200"], [["10.0.0.0/8"]])
        ),
        *(("IU039", {"subject_prefix": prefix}) for prefix in ("", "a\nb", "a\u0001", "x" * 513)),
        ("IU039", {"axis": "risk"}),
        ("IU039", {"axis_value": "high"}),
        ("IU006", {"axis": "no", "axis_value": "high"}),
        *(("IU054", {"partitions": number}) for number in (0, -1, 65, None, 2**31 - 1)),
        *(("IU054", {"max_attempts": number}) for number in (0, -1, 101, None)),
        *(("IU054", {"backoff_ms": number}) for number in (0, -1, 86400001, None, 300001)),
        *(("IU054", {"backoff_cap_ms": number}) for number in (0, 999, 86400001, None)),
        ("IU054", {"ordered": None}),
        *(("IU042", {"route": name}) for name in ("no", None, "", "R", "' or true --")),
        ("IU016", {"reason": ""}),
        ("IU017", {"actor": "\n"}),
    ]
    for code, change in refused:
        error = db.refuses(code, "route_configure", **{**good, **change})
        assert not re.search(r"user:|secret|token|:pass", str(error)), "an error does not repeat the secret"
    db.one("gate_set", gate="master", open=False)
    db.refuses("IU100", "route_configure", **good)
    db.refuses("IU042", "route_show", route="no")
    db.refuses("IU042", "route_show", route=None)


# ---------------------------------------------------------------- refusals of the worker's functions


def test_what_a_worker_is_refused(db: Database) -> None:
    ready(db)
    positions = said(db, "a", "b")
    for name in ("delivery_take", "delivery_dry_run"):
        for worker in (None, "", "a\nb", "x" * 201, "a\u200bb"):
            db.refuses("IU017", name, worker=worker)
        for limit in (None, 0, -1, 10001):
            db.refuses("IU054", name, worker="w", limit=limit)
    for limit in (None, 0, -1, 100001):
        db.refuses("IU054", "sequence", limit=limit)
    (claim, _) = (row["claim"] for row in take(db))
    for lease in (None, "0", "99 milliseconds", "-1 minute", "1 hour 1 second", "infinity"):
        if lease == "infinity" and db.connection.info.server_version < 170000:
            continue
        db.refuses("IU054", "delivery_take", worker="w", live=True, lease=lease)
        db.refuses("IU054", "delivery_renew", claim=claim, lease=lease)
    good: dict[str, Any] = {
        "claim": claim,
        "handled": 2,
        "positions": [positions[0]],
        "outcomes": ["failed"],
        "errors": ["x"],
    }
    for change in (
        {"handled": None},
        {"handled": -1},
        {"handled": 3},
        {"handled": 0},
        {"positions": [positions[1]], "handled": 1},
        {"positions": []},
        {"positions": None},
        {"positions": [positions[1] + 1]},
        {"positions": [None]},
        {"outcomes": []},
        {"outcomes": None},
        {"outcomes": ["sent"]},
        {"outcomes": ["lost"]},
        {"outcomes": [None]},
        {"errors": []},
        {"errors": ["x", "y"]},
        {"errors": None},
        {"positions": None, "outcomes": None, "errors": None},
    ):
        db.refuses("IU055", "delivery_record", **{**good, **change})
    # A position twice would be one attempt more than was made.
    twice = {"positions": [positions[0]] * 2, "outcomes": ["failed"] * 2, "errors": ["x"] * 2}
    db.refuses("IU055", "delivery_record", **{**good, **twice})
    assert db.one("delivery_record", **good)["failed"] == 1


def test_an_old_snapshot_is_refused(db: Database) -> None:
    ready(db)
    said(db, "a")
    (claim,) = (row["claim"] for row in take(db))
    calls: dict[str, dict[str, Any]] = {
        "sequence": {},
        "delivery_take": {"worker": "w", "live": True},
        "delivery_renew": {"claim": claim},
        "delivery_record": {"claim": claim, "handled": 1},
        "delivery_dry_run": {"worker": "w"},
        "route_replay": {"route": "r", "first": 1},
        "route_skip": {"route": "r", "upto": 1},
        "sequencer_rebase": {},
        "events_prune": {"before": datetime.now(UTC)},
    }
    for level in ("repeatable read", "serializable"):
        db.connection.execute(f"set default_transaction_isolation = '{level}'")
        for name, arguments in calls.items():
            db.refuses("IU038", name, **arguments)


# ---------------------------------------------------------------- replay


def dead(db: Database, *positions: int) -> list[int]:
    """Numbers of the open dead letters at these positions."""
    rows = db.query(
        "select dead_letter from iucore.dead_letter where position = any(%s) and closed_change is null order by 1",
        [list(positions)],
    )
    return [number for (number,) in rows]


def test_dead_letters_are_replayed(db: Database) -> None:
    ready(db, max_attempts=2)
    a, b, _ = said(db, *"abc")
    for _ in range(2):
        due(db)
        rows = take(db)
        record(db, rows, not_sent={one: "failed" for one in (a, b) if one in places(rows)})
    assert len(dead(db, a, b)) == 2 and waiting(db) == []
    # A batch that is under way stays.
    said(db, "c")
    rows = take(db)
    row = db.one("route_replay", route="r", dead_letters=dead(db, b))
    assert (row["route"], row["events"]) == ("r", 1)
    record(db, rows)
    assert events_of(db, row["change_id"]) == [("route.replayed", "r", {"dead_letters": 1, "events": 1})]
    assert db.query("select position, state, closed_change from iucore.v_dead_letter order by 1") == [
        (a, "open", None),
        (b, "replayed", row["change_id"]),
    ]
    assert waiting(db) == [(b, "replay", 0)]
    rows = take(db)
    # Counted anew, and dead anew.
    assert [(one["position"], one["attempt"]) for one in rows] == [(b, 1)]
    record(db, rows, not_sent={b: "failed"})
    due(db)
    assert record(db, take(db), not_sent={b: "failed"})["dead"] == 1
    assert db.query("select position, state from iucore.v_dead_letter order by dead_letter") == [
        (a, "open"),
        (b, "replayed"),
        (b, "open"),
    ]
    db.one("route_replay", route="r", dead_letters=dead(db, a, b))
    assert send_all(db) == [a, b]


def test_a_range_is_replayed(db: Database) -> None:
    ready(db)
    positions = said(db, *"abcde")
    rows = take(db, limit=3)
    record(db, rows)
    # Only what was passed: the rest comes anyway.
    row = db.one("route_replay", route="r", first=positions[1], last=positions[4])
    assert row["events"] == 2
    assert events_of(db, row["change_id"]) == [
        ("route.replayed", "r", {"first": positions[1], "last": positions[4], "events": 2})
    ]
    assert waiting(db) == [(positions[1], "replay", 0), (positions[2], "replay", 0)]
    assert send_all(db) == positions[1:]
    db.refuses("IU054", "route_replay", route="r", first=10**9, last=10**12)
    # In between are events of other types.
    assert db.one("route_replay", route="r", first=1, last=sequence(db))["events"] == 5


def test_a_route_goes_back(db: Database) -> None:
    before = said(db, "a", "b")
    ready(db, partitions=2, backoff_ms=86400000, backoff_cap_ms=86400000)
    positions = said(db, *"abcdef")
    rows = take(db, limit=1)
    record(db, rows, not_sent={places(rows)[0]: "failed"})
    claims = [take(db), take(db)]
    held = next(rows for rows in claims if rows)
    row = db.one("route_replay", route="r", first=before[1])
    assert events_of(db, row["change_id"])[0][2] == {"first": before[1], "events": row["events"]}
    # Whoever has a batch loses it; nothing is left to be sent apart.
    db.refuses("IU219", "delivery_record", claim=held[0]["claim"], handled=1)
    assert waiting(db) == []
    assert sorted(send_all(db)) == [before[1], *positions]
    # It never goes forward.
    more = said(db, *"abcdef")
    db.one("route_replay", route="r", first=more[-1])
    assert sorted(send_all(db)) == more
    db.refuses("IU054", "route_replay", route="r", first=10**12)
    assert newest(db, partition=0)["position"] <= sequence(db)
    assert len(said(db, "a")) == len(send_all(db)) == 1


def test_replay_refuses(db: Database) -> None:
    ready(db, max_attempts=1)
    ready(db, "other", max_attempts=1)
    (position,) = said(db, "a")
    for route in ("r", "other"):
        record(db, take(db, routes=[route]), not_sent={position: "failed"})
    numbers = dict(db.query("select route, dead_letter from iucore.dead_letter"))
    for arguments in (
        {},
        {"dead_letters": None},
        {"dead_letters": []},
        {"dead_letters": [numbers["r"]], "first": 1},
        {"dead_letters": [numbers["r"]], "last": 1},
        {"last": 1},
        {"first": 2, "last": 1},
        {"first": 0},
        {"first": -1, "last": 3},
        {"dead_letters": list(range(10001))},
    ):
        db.refuses("IU054", "route_replay", route="r", **arguments)
    for letters in ([numbers["other"]], [numbers["r"], 999], [None], [-1]):
        db.refuses("IU045", "route_replay", route="r", dead_letters=letters)
        db.refuses("IU045", "route_skip", route="r", dead_letters=letters)
    for route in ("no", None):
        db.refuses("IU042", "route_replay", route=route, first=1)
        db.refuses("IU042", "route_skip", route=route, upto=1)
    for name, arguments in (("route_replay", {"first": 1}), ("route_skip", {"upto": 1})):
        db.refuses("IU221", name, route="unit.created", **arguments)
        db.refuses("IU016", name, route="r", **arguments, reason=None)
    db.one("route_replay", route="r", dead_letters=[numbers["r"]])
    db.refuses("IU045", "route_replay", route="r", dead_letters=[numbers["r"]])


def test_a_range_that_is_too_large_is_refused(db: Database) -> None:
    ready(db)
    head = edits(db, 10001)
    db.refuses("IU054", "route_replay", route="r", first=1, last=head)
    while rows := take(db, limit=10000):
        record(db, rows)
    assert db.one("route_replay", route="r", first=head - 9999, last=head)["events"] == 10000


# ---------------------------------------------------------------- skip


def test_dead_letters_are_given_up(db: Database) -> None:
    ready(db, max_attempts=1)
    a, b = said(db, "a", "b")
    record(db, take(db), not_sent={a: "failed", b: "failed"})
    row = db.one("route_skip", route="r", dead_letters=dead(db, a))
    assert row["events"] == 1
    assert events_of(db, row["change_id"]) == [("route.skipped", "r", {"dead_letters": 1, "events": 1})]
    assert db.query("select position, state from iucore.v_dead_letter order by 1") == [(a, "skipped"), (b, "open")]
    assert attempts(db) == [(a, 0, "skipped"), (a, 1, "failed"), (b, 1, "failed")]
    assert send_all(db) == []


def test_events_that_wait_are_given_up_and_release_their_subject(db: Database) -> None:
    ready(db, backoff_ms=86400000, backoff_cap_ms=86400000)
    a1, a2, b1 = said(db, "a", "a", "b")
    record(db, take(db), not_sent={a1: "failed", a2: "deferred", b1: "failed"})
    with by_force(db):
        db.connection.execute("update iucore.delivery_retry set next_at = 'infinity' where state = 'failed'")
    assert take(db) == []
    for positions in ([a1, 10**9], [None], [a1, a1 - 1]):
        db.refuses("IU045", "route_skip", route="r", positions=positions)
    row = db.one("route_skip", route="r", positions=[a1])
    assert events_of(db, row["change_id"]) == [("route.skipped", "r", {"positions": 1, "events": 1})]
    assert send_all(db) == [a2]
    assert waiting(db) == [(b1, "failed", 1)]
    assert attempts(db) == [(a1, 0, "skipped"), (a1, 1, "failed"), (a2, 1, "sent"), (b1, 1, "failed")]


def test_a_route_moves_on(db: Database) -> None:
    ready(db, partitions=2)
    first = said(db, *"abcdefgh")
    behind, ahead = take(db), take(db)
    record(db, ahead)
    positions = said(db, *"abcdefgh")
    row = db.one("route_skip", route="r", upto=first[-1])
    payload = events_of(db, row["change_id"])[0][2]
    assert (payload["upto"], payload["events"]) == (first[-1], row["events"]) and row["events"] > 0
    db.refuses("IU219", "delivery_record", claim=behind[0]["claim"], handled=1)
    assert sorted(send_all(db)) == positions
    # Never backwards, nor beyond the end of the ledger.
    assert db.one("route_skip", route="r", upto=1)["events"] == 0
    db.one("route_skip", route="r", upto=10**12)
    assert newest(db)["position"] <= sequence(db)
    assert send_all(db) == []
    assert len(said(db, "a")) == len(send_all(db)) == 1


def test_moving_on_gives_up_what_waits_before(db: Database) -> None:
    ready(db)
    a1, b1, c1 = said(db, "a", "b", "c")
    record(db, take(db), not_sent={a1: "failed", c1: "failed"})
    db.one("route_skip", route="r", upto=b1)
    assert waiting(db) == [(c1, "failed", 1)]
    assert attempts(db) == [(a1, 0, "skipped"), (a1, 1, "failed"), (b1, 1, "sent"), (c1, 1, "failed")]


def test_skip_refuses(db: Database) -> None:
    ready(db)
    for arguments in (
        {},
        {"dead_letters": []},
        {"positions": []},
        {"upto": 0},
        {"upto": 1, "positions": [1]},
        {"dead_letters": [1], "positions": [1]},
        {"positions": list(range(10001))},
    ):
        db.refuses("IU054", "route_skip", route="r", **arguments)


# ---------------------------------------------------------------- the sequencer


def test_what_its_own_transaction_writes_is_left_for_the_next_window(db: Database) -> None:
    """No snapshot names the transaction that takes it."""
    db.piece("before")
    with psycopg.connect(db.connection.info.dsn) as other:
        own = Database(other)
        other.autocommit = False
        own.piece("first")
        db.piece("meanwhile")
        assert own.one("sequence")["sequenced"] == 2
        own.piece("second")
        assert own.one("sequence")["sequenced"] == 0
        other.commit()
    assert db.one("sequence")["sequenced"] == 2
    assert [row["subject"] for row in db.call("log_read")] == ["before", "meanwhile", "first", "second"]
    assert db.call("ledger_stray") == []


def test_a_ledger_of_another_cluster(db: Database) -> None:
    db.piece("a")
    move_to_another_cluster(db)
    db.piece("b")
    error = db.refuses("IU915", "sequence")
    assert "iucore sequencer rebase" in (error.diag.message_hint or "")
    row = db.one("sequencer_rebase")
    assert (row["sequenced"], row["head"], row["changed"]) == (2, 3, True)
    ((kind, subject, payload),) = events_of(db, row["change_id"])
    assert (kind, subject, payload["from"], payload["position"]) == ("delivery.rebased", "sequencer", "1", 1)
    again = db.one("sequencer_rebase")
    assert (again["sequenced"], again["head"], again["changed"]) == (0, 3, False)
    assert events_of(db, again["change_id"]) == []
    db.piece("c")
    assert db.one("sequence")["sequenced"] == 1
    assert db.one("ledger_verify")["bad_position"] is None
    db.one("gate_set", gate="master", open=False)
    db.refuses("IU100", "sequencer_rebase")
    db.refuses("IU016", "sequencer_rebase", reason="")


def test_the_ledger_is_read_from_a_position(db: Database) -> None:
    said(db, *"abc")
    rows = db.call("log_read")
    assert places(rows) == list(range(1, 7))
    assert places(db.call("log_read", after=2, limit=3)) == [3, 4, 5]
    assert [row["event_type"] for row in db.call("log_read", event_type=EDITED, after=2)] == [EDITED] * 2
    assert db.call("log_read", after=6) == []


# ---------------------------------------------------------------- pruning


def prune(db: Database, **more: Any) -> list[Row]:
    return db.call("events_prune", **{"before": datetime.now(UTC) - timedelta(days=1), **more})


def quarter(db: Database, days: int) -> int:
    return int(
        db.value(
            "select date_part('quarter', clock_timestamp() at time zone 'UTC' - make_interval(days => %s))", [days]
        )
    )


def test_old_quarters_are_emptied(db: Database) -> None:
    ready(db)
    said(db, "a", "b", "a")
    send_all(db)
    db.call("delivery_dry_run", worker="w")
    grow_old(db)
    cut = sequence(db)
    old = db.query("select max(position), count(*) from iucore.event_log where slot > 0")[0]
    tried = db.value("select count(*) from iucore.delivery_attempt")
    facts = db.query("select id from iucore.event_outbox where delivery_lane = 'immediate' order by 1")
    fresh = said(db, "c")
    assert send_all(db) == fresh
    where = {
        (route, mode): newest(db, route, mode)["position"]
        for route, mode in db.query("select distinct route, mode from iucore.delivery_cursor")
    }
    (row,) = prune(db)
    assert (row["slot"], row["events"], row["attempts"]) == (quarter(db, 100), old[1], tried)
    assert row["first_at"] <= row["last_at"] < datetime.now(UTC) - timedelta(days=99)
    # An anchor says where the ledger begins now; the event names the quarters.
    change = row["change_id"]
    assert db.query("select max(position) from iucore.ledger_anchor where change_id = %s", [change]) == [(old[0],)]
    ((kind, subject, payload),) = events_of(db, change)
    assert (kind, subject) == ("delivery.pruned", "events")
    assert [(one["slot"], one["events"]) for one in payload["quarters"]] == [(row["slot"], old[1])]
    # Gone from each table; facts and what is new stay.
    for table in ("event_outbox", "event_log", "delivery_attempt", "delivery_cursor", "sequencer_batch"):
        assert db.query(f"select from iucore.{table} where slot = %s", [row["slot"]]) == [], table
    assert set(facts) <= set(db.query("select id from iucore.event_outbox where slot = 0"))
    # Every cursor stands where it stood.
    assert {(route, mode): newest(db, route, mode)["position"] for route, mode in where} == where
    # The ledger verifies from the anchor on, before and after it goes on.
    for head in (cut + len(fresh) + 1, sequence(db)):
        verified = db.one("ledger_verify")
        assert verified["bad_position"] is None
        assert verified["position"] == max(head, verified["position"])
        end = db.one("ledger_head")
        assert (end["position"], end["hash"]) == (end["sequenced_position"], end["sequenced_hash"])
        assert end["anchor_position"] == old[0]
    assert db.call("ledger_stray") == []
    # Nothing is left that is old; the triggers are as they were.
    assert prune(db) == []
    assert events_of(db, last_change(db)) == []
    with pytest.raises(psycopg.Error) as caught:
        db.connection.execute(f"delete from iucore.event_log_{row['slot']}")
    assert caught.value.sqlstate == "IU110"
    # Delivery goes on.
    assert send_all(db) == []
    assert send_all(db) == [] and said(db, "a") == send_all(db)


def test_a_ledger_of_which_only_facts_are_left_ends_at_its_anchor(db: Database) -> None:
    said(db, "a")
    db.one("gate_set", gate="delivery", open=True)
    grow_old(db)
    prune(db)
    end = db.one("ledger_head")
    assert (end["position"], end["hash"]) == (end["sequenced_position"], end["sequenced_hash"])
    assert end["position"] == end["anchor_position"] == 3
    assert db.one("ledger_verify")["events"] == db.value("select count(*) from iucore.event_log") > 0
    assert sequence(db) == 4
    assert db.one("ledger_verify")["bad_position"] is None


def test_two_quarters_go_the_oldest_first(db: Database) -> None:
    said(db, "a")
    grow_old(db, 100)
    said(db, "a", "b")
    # The first ones are 200 days old now.
    grow_old_again(db)
    said(db, "a")
    rows = prune(db)
    assert [row["slot"] for row in rows] == [quarter(db, 200), quarter(db, 100)]
    assert rows[0]["last_at"] < rows[1]["first_at"]
    assert db.value("select count(*) from iucore.ledger_anchor") >= 2
    assert db.one("ledger_verify")["bad_position"] is None
    assert db.value("select count(*) from iucore.event_log where slot > 0") == 1


def grow_old_again(db: Database) -> None:
    """Moves what is old to the quarter before it, and what is new to that one."""
    with by_force(db):
        db.connection.execute("truncate iucore.event_log, iucore.sequencer_batch")
        for days in (200, 100):
            to = f"date_part('quarter', clock_timestamp() at time zone 'UTC' - interval '{days} days')::smallint"
            when = "<" if days == 200 else ">"
            db.connection.execute(
                f"update iucore.event_outbox set slot = {to}, created_at = created_at - interval '100 days'"
                f" where slot > 0 and created_at {when} clock_timestamp() - interval '50 days'"
            )
        db.connection.execute("update iucore.change set changed_at = changed_at - interval '100 days'")
    sequence(db)
    with by_force(db):
        db.connection.execute("update iucore.event_log set sequenced_at = created_at")


def test_the_quarter_of_now_and_what_is_not_old_enough_stay(db: Database) -> None:
    said(db, "a")
    assert prune(db, before=datetime.now(UTC)) == []
    grow_old(db)
    assert prune(db, before=datetime.now(UTC) - timedelta(days=101)) == []
    assert db.query("select from iucore.ledger_anchor") == []
    # One attempt that is young keeps its quarter.
    db.call("delivery_dry_run", worker="w")
    with by_force(db):
        db.connection.execute("update iucore.delivery_attempt set slot = %s", [quarter(db, 100)])
    assert prune(db) == []


def blocked_by_unsequenced(db: Database) -> str:
    grow_old(db)
    with by_force(db):
        db.connection.execute(
            "delete from iucore.event_log where position = (select max(position) from iucore.event_log)"
        )
    return "is not in the ledger yet"


def blocked_by_route(db: Database) -> str:
    grow_old(db)
    return "route r stands at position"


def blocked_by_retry(db: Database) -> str:
    rows = take(db)
    record(db, rows, not_sent={places(rows)[0]: "failed"})
    grow_old(db)
    return "route r sends position"


def blocked_by_dead_letter(db: Database) -> str:
    db.one("route_configure", route="r", transport="file", max_attempts=1)
    rows = take(db)
    record(db, rows, not_sent={places(rows)[0]: "failed"})
    grow_old(db)
    return "route r has open dead letters"


@pytest.mark.damages
@pytest.mark.parametrize(
    "block",
    [blocked_by_unsequenced, blocked_by_route, blocked_by_retry, blocked_by_dead_letter],
    ids=lambda f: f.__name__,
)
def test_what_is_still_needed_is_not_pruned(db: Database, block: Callable[[Database], str]) -> None:
    ready(db)
    said(db, "a", "b")
    why = block(db)
    error = db.refuses("IU220", "events_prune", before=datetime.now(UTC) - timedelta(days=1))
    assert why in (error.diag.message_detail or "")
    assert re.search(r"iucore (status|route)", error.diag.message_hint or "")
    if block is not blocked_by_unsequenced:
        # The way out that the hint names.
        numbers = [number for (number,) in db.query("select dead_letter from iucore.dead_letter")]
        if numbers:
            db.one("route_skip", route="r", dead_letters=numbers)
        db.one("route_skip", route="r", upto=sequence(db))
        assert len(prune(db)) == 1
        assert db.one("ledger_verify")["bad_position"] is None


def test_what_a_route_would_never_take_does_not_hold_up_pruning(db: Database) -> None:
    ready(db, "other", event_type="collection.created")
    ready(db, "narrow", subject_prefix="x/")
    said(db, "a", "b")
    grow_old(db)
    assert len(prune(db)) == 1


def test_prune_refuses(db: Database) -> None:
    for before in (None, "infinity", "-infinity", datetime.now(UTC) + timedelta(days=1)):
        db.refuses("IU018", "events_prune", before=before)
    good = {"before": datetime.now(UTC) - timedelta(days=1)}
    db.refuses("IU016", "events_prune", **good, reason=" ")
    db.refuses("IU017", "events_prune", **good, actor="")
    db.one("gate_set", gate="master", open=False)
    db.refuses("IU100", "events_prune", **good)


def test_a_pruned_call_is_repeated_with_its_first_result(db: Database) -> None:
    said(db, "a")
    grow_old(db)
    before = datetime.now(UTC) - timedelta(days=1)
    first = prune(db, before=before, request_key="k")
    assert len(first) == 1
    assert prune(db, before=before, request_key="k") == first
    db.refuses("IU203", "events_prune", before=before - timedelta(days=1), request_key="k")


# ---------------------------------------------------------------- waking


def test_only_a_worker_that_sleeps_is_woken(db: Database, login: Callable[[str | None], str]) -> None:
    with psycopg.connect(db.connection.info.dsn, autocommit=True) as sleeper:
        sleeper.execute("listen iucore_wake")
        assert db.one("wake") == {"fn_iu_wake": False}
        assert list(sleeper.notifies(timeout=0.1)) == []
        sleeper.execute("select pg_advisory_lock_shared(hashtextextended('iucore.sleeping', 0))")
        for role in ("iucore_author", "iucore_gatekeeper", "iucore_worker"):
            url = login(role).replace("postgresql+psycopg2://", "postgresql://")
            with psycopg.connect(url, autocommit=True) as caller:
                assert Database(caller).one("wake") == {"fn_iu_wake": True}
                found = list(sleeper.notifies(timeout=5, stop_after=1))
                assert [(note.channel, note.payload) for note in found] == [("iucore_wake", "")]
        sleeper.execute("select pg_advisory_unlock_all()")
        assert db.one("wake") == {"fn_iu_wake": False}


# ---------------------------------------------------------------- gatekeepers while a batch is out


@pytest.mark.parametrize("upto", [False, True])
def test_a_skipped_event_does_not_come_back_with_its_batch(db: Database, upto: bool) -> None:
    ready(db)
    (position,) = said(db, "a")
    record(db, take(db), not_sent={position: "failed"})
    due(db)
    out = take(db)
    assert places(out) == [position]
    db.one("route_skip", route="r", **({"upto": position} if upto else {"positions": [position]}))
    db.refuses("IU219", "delivery_record", claim=out[0]["claim"], handled=1)
    expire(db)
    assert take(db) == [] and waiting(db) == []
    assert attempts(db) == [(position, 0, "skipped"), (position, 1, "failed")]


def test_a_replay_fences_a_batch_that_is_out(db: Database) -> None:
    ready(db)
    positions = said(db, "a", "b", "c")
    out = take(db)
    assert db.one("route_replay", route="r", first=positions[0])["events"] >= 3
    db.refuses("IU219", "delivery_record", claim=out[0]["claim"], handled=3)
    assert send_all(db) == positions
    # A range of what is out: the batch comes again.
    more = said(db, "a", "b")
    out = take(db)
    db.one("route_replay", route="r", first=more[1], last=more[1])
    db.refuses("IU219", "delivery_record", claim=out[0]["claim"], handled=2)
    assert send_all(db) == more
    # A range that a retry batch holds: what it records must not take the replay away.
    (last,) = said(db, "a")
    record(db, take(db), not_sent={last: "failed"})
    due(db)
    out = take(db)
    assert db.one("route_replay", route="r", first=last, last=last)["events"] == 1
    db.refuses("IU219", "delivery_record", claim=out[0]["claim"], handled=1)
    assert send_all(db) == [last]


def test_what_has_no_place_yet_is_the_past_too(db: Database) -> None:
    """A route begins behind everything that was committed before, sequenced or not."""
    db.piece("a")
    db.edit("a", "b")
    db.one("route_register", route="r", event_type=EDITED, title="T")
    db.one("route_configure", route="r", transport="file")
    db.one("gate_set", gate="delivery", open=True)
    assert db.value("select count(*) from iucore.event_log") == 0, "nobody has sequenced yet"
    db.one("route_set", route="r", enabled=True)
    sequence(db)
    assert take(db) == []
    later = said(db, "a")
    assert send_all(db) == later


def test_events_of_another_cluster_before_the_first_batch(db: Database) -> None:
    db.piece("a")
    with by_force(db):
        db.connection.execute("update iucore.event_outbox set xid = '900000000'")
    db.refuses("IU915", "sequence")
    assert db.value("select sum(unsequenced) from iucore.v_outbox_health") == 1
    rebased = db.one("sequencer_rebase")
    assert (rebased["sequenced"], rebased["changed"]) == (2, True)
    db.edit("a", "b")
    sequence(db)
    assert db.value("select count(*) from iucore.event_log") == 3


def test_pruning_does_not_wait_for_a_reader_and_holds_nothing_meanwhile(db: Database) -> None:
    ready(db)
    grow_old(db)
    with psycopg.connect(db.connection.info.dsn) as reader:
        reader.execute("select count(*) from iucore.event_log").fetchone()
        error = db.refuses("IU910", "events_prune", before=datetime.now(UTC) - timedelta(days=1))
        assert "reads" in error.diag.message_primary
    assert db.call("events_prune", before=datetime.now(UTC) - timedelta(days=1))


@pytest.mark.damages
def test_an_edit_of_a_fact_that_a_prune_left_is_found(db: Database) -> None:
    said(db, "a", "b")
    grow_old(db)
    prune(db)
    assert db.one("ledger_verify")["bad_position"] is None
    kept = db.value("select max(position) from iucore.event_log where slot = 0")
    with by_force(db):
        db.connection.execute("update iucore.event_log set actor = 'forged' where position = %s", [kept])
    assert db.one("ledger_verify")["bad_position"] == kept


@pytest.mark.damages
def test_what_was_forged_in_the_outbox_is_named(db: Database) -> None:
    db.piece("a")
    sequence(db)
    given = "aggregatetype, aggregateid, type, payload, event_subject_ref, change_id, actor, created_at, 'delayed'"
    columns = given.replace("'delayed'", "delivery_lane")
    with by_force(db):
        # A known id in another partition, and a transaction that was never given.
        db.connection.execute(
            f"insert into iucore.event_outbox (id, xid, {columns}, slot) select id, xid, {given}, 1"
            " from iucore.event_outbox limit 1"
        )
        db.connection.execute(
            f"insert into iucore.event_outbox (id, xid, {columns}) select gen_random_uuid(), '900000000', {given}"
            " from iucore.event_outbox where slot = 0 limit 1"
        )
    assert len(db.call("ledger_stray")) == 2


def test_many_events_behind_one_cost_no_more_than_their_subject(db: Database) -> None:
    """The plan steps from subject to subject: what waits behind the first of one is not read."""
    ready(db, backoff_ms=86400000, backoff_cap_ms=86400000)
    edits(db, 3000)
    rows = take(db, limit=10000)
    positions = places(rows)
    failing = dict.fromkeys(positions, "deferred") | {positions[0]: "failed"}
    record(db, rows, not_sent=failing)
    with by_force(db):
        db.connection.execute("update iucore.delivery_retry set next_at = 'infinity' where state = 'failed'")
    counted = "select idx_tup_fetch + seq_tup_read from pg_stat_xact_user_tables where relname = 'delivery_retry'"
    with db.connection.transaction():
        before = db.value(counted)
        assert db.value("select iucore.fn_iu_delivery_due('r', 0::smallint, true, 1000)") is None
        assert db.value(counted) - before < 10
    db.connection.execute("update iucore.delivery_retry set next_at = '-infinity'")
    assert send_all(db, limit=10000) == positions

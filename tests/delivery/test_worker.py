"""The worker: what it sends, in which order, how often, and what it leaves to be seen."""

from __future__ import annotations

import itertools
import threading
import time
from typing import Any

import pytest
from delivery_helpers import Board, Place, failing, never, wait_for, work, working
from sqlalchemy import create_engine, event
from sqlalchemy.pool import NullPool

from iucore import batches
from iucore.delivery import loop
from iucore.delivery import worker as worker_module
from iucore.delivery.transport import SENT, Event, failed, gone, unavailable
from iucore.delivery.worker import RouteSummary, Worker
from iucore.errors import InvalidError, NotFoundError, OperationError


@pytest.mark.parametrize("driver", ["psycopg2", "psycopg"])
def test_it_sends_in_the_order_of_the_ledger(place: Place, driver: str) -> None:
    place.route()
    place.emit(["a", "b", "a", "c"])
    board = Board()
    (summary,) = work(place, board, url=place.url.replace("psycopg2", driver), name="w-1")
    assert board.sent == place.positions() and len(board.sent) == 4
    assert (summary.route, summary.sent, summary.failed, summary.dead, summary.dry_run) == (place.name, 4, 0, 0, 0)
    assert place.attempts() == [(position, 1, "sent") for position in board.sent]
    assert board.opened == [("board", {})] and board.closed == 1
    assert place.cursors("worker", "kind = 'claim'") == [("w-1",)]
    # An event is what the ledger says.
    (first, *_) = board.hand_overs[0]
    found = place.rows(
        "select position, event_id::text, event_type, aggregatetype, aggregateid, subject, delivery_lane,"
        " payload::text, change_id, actor, claimed_actor, traceparent, created_at"
        " from iucore.event_log where position = %s",
        first.position,
    )
    assert [first] == [Event(*row) for row in found]
    # Nothing again.
    assert work(place, board) == [] and len(board.sent) == 4


def test_what_was_before_is_not_sent(place: Place) -> None:
    place.emit(["old"])
    place.sequence()
    place.route()
    place.emit(["new"])
    board = Board()
    work(place, board)
    assert [event.subject for events in board.hand_overs for event in events] == ["new"]


def test_the_default_is_a_dry_run_and_takes_nothing_from_what_is_sent_later(place: Place) -> None:
    place.route()
    place.emit(["a", "b"])
    worker = Worker(place.url, listen=False, open_transport=never)
    worker.run(threading.Event(), once=True)
    found = {row.route: row for row in worker.summary()}
    assert (found[place.name].sent, found[place.name].dry_run) == (0, 2)
    assert place.outcomes() == {"dry_run": 2} and not place.claimed()
    board = Board()
    work(place, board)
    assert board.sent == place.positions() and place.outcomes() == {"dry_run": 2, "sent": 2}


def test_each_switch_is_needed(place: Place) -> None:
    """Sent only with all three; else each event is recorded as a dry run, once."""
    expected = 0
    for number, (gate, route_on, live) in enumerate(itertools.product([False, True], repeat=3)):
        name = place.route(f"{place.name}.r{number}", on=False, gate=False)
        if route_on:
            place.switch(True, name)
        place.gate(gate)
        place.emit(["a"])
        board = Board()
        opener = board if gate and route_on and live else None
        work(place, opener, live=live, routes=[name])
        expected = int(gate and route_on and live)
        assert len(board.sent) == expected
        assert place.outcomes(name).get("sent", 0) == expected
        if not expected:
            # All that was made so far, or since the route could send.
            assert place.outcomes(name)["dry_run"] >= 1
    assert expected == 1


@pytest.mark.parametrize("what", ["gate", "route"])
@pytest.mark.parametrize("ordered", [True, False])
def test_closed_between_two_events_it_stops_and_loses_nothing(place: Place, what: str, ordered: bool) -> None:
    place.route(ordered=ordered)
    place.emit([f"s{number % 4}" for number in range(10)])

    def close(event: Event, before: int) -> Any:
        if len(board.outcomes) == 3:
            switch(False)
        return SENT

    def switch(on: bool) -> None:
        place.gate(on) if what == "gate" else place.switch(on)

    board = Board(close)
    assert [row.sent for row in work(place, board)] == [4]
    assert len(board.outcomes) == 4
    switch(True)
    work(place, board)
    assert board.sent == place.positions()
    # Meanwhile they were as in a dry run, which takes nothing away.
    assert place.outcomes() == {"sent": 10, "dry_run": 6} and place.retries() == []


def test_a_hand_over_is_the_grain_of_the_gate(place: Place) -> None:
    place.route(ordered=False)
    place.emit([f"s{number}" for number in range(10)])
    board = Board(lambda event, _: place.gate(False) or SENT if len(board.hand_overs) == 2 else SENT, hand_over=4)
    work(place, board)
    assert [len(events) for events in board.hand_overs] == [4, 4]
    place.gate(True)
    work(place, board)
    assert board.sent == place.positions()


def test_a_failing_event_comes_again_later_and_is_dead_at_the_limit(place: Place) -> None:
    place.route(max_attempts=4, backoff_ms=40, backoff_cap_ms=60)
    place.emit(["a", "b", "c"])
    first, bad, last = place.sequence()
    times: list[float] = []

    def script(event: Event, before: int) -> Any:
        if event.position != bad:
            return SENT
        times.append(time.monotonic())
        return failed(f"no {before}")

    board, said = Board(script), []
    (summary,) = work(place, board, idle_exit=0.5, say=said.append)
    assert board.sent == [first, last]
    assert board.came[bad] == 4
    assert place.dead() == [(bad, 4, "no 3")]
    assert [row for row in place.attempts() if row[0] == bad] == [(bad, number, "failed") for number in (1, 2, 3, 4)]
    assert place.retries() == []
    assert (summary.sent, summary.failed, summary.dead) == (2, 4, 1)
    assert any(
        line.startswith(f"event=failed route={place.name} failed=1") and 'reason="no 0"' in line for line in said
    )
    assert any(
        line.startswith(f"event=dead route={place.name} failed=1 dead=1") and "attempt=4" in line for line in said
    )
    # Each wait is a part of a limit that doubles up to the cap.
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert all(gap < limit + 0.3 for gap, limit in zip(gaps, (0.04, 0.06, 0.06), strict=True))

    letters = place.value("select array_agg(dead_letter) from iucore.dead_letter where route = %s", place.name)
    place.call("route_replay", route=place.name, dead_letters=letters)
    board.script = None
    work(place, board)
    assert board.sent == [first, last, bad] and place.dead() == []


def test_a_failing_subject_holds_back_itself_only(place: Place) -> None:
    place.route(max_attempts=2, backoff_ms=60_000, backoff_cap_ms=60_000)
    place.emit(["a", "b", "a", "b", "a"])
    a1, b1, a2, b2, a3 = place.sequence()
    board = Board(failing(a1, times=1))
    work(place, board)
    assert board.outcomes == [(a1, "failed"), (b1, "sent"), (b2, "sent")]
    place.emit(["a", "c"])
    work(place, board)
    assert [event.subject for event in board.hand_overs[-1]] == ["c"]
    place.rows(
        "update iucore.delivery_retry set next_at = clock_timestamp() where route = %s and position = %s returning 1",
        place.name,
        a1,
    )
    work(place, board)
    *_, a4, _ = place.positions()
    assert board.subjects()["a"] == [a1, a1, a2, a3, a4]
    assert place.outcomes() == {"failed": 1, "sent": 7} and place.retries() == []


def test_unordered_nobody_waits(place: Place) -> None:
    place.route(ordered=False, backoff_ms=60_000, backoff_cap_ms=60_000)
    place.emit(["a"] * 5)
    first, *others = place.sequence()
    board = Board(failing(first), hand_over=3)
    work(place, board)
    assert board.sent == others and [len(events) for events in board.hand_overs] == [3, 2]
    assert len(place.retries()) == 1


def test_in_one_hand_over_no_subject_twice(place: Place) -> None:
    place.route()
    place.emit([*"aabcabdda"])
    positions = place.sequence()
    board = Board(hand_over=4)
    work(place, board)
    for events in board.hand_overs:
        assert len({event.subject for event in events}) == len(events) <= 4
    assert sorted(board.sent) == positions
    assert all(found == sorted(found) for found in board.subjects().values())
    assert ["".join(event.subject for event in events) for events in board.hand_overs] == ["abcd", "abd", "a", "a"]


def test_what_was_not_handed_over_before_a_stop_is_not_sent_twice(place: Place) -> None:
    """With several in one hand-over the order is another; what is left between is put aside."""
    place.route()
    place.emit([*"aabcaab"])
    positions = place.sequence()
    board = Board(lambda event, _: place.gate(False) or SENT if event.subject == "c" else SENT, hand_over=3)
    work(place, board)
    assert board.sent == [positions[0], positions[2], positions[3]]
    assert place.retries() == [(positions[1], "deferred", 0)]
    board.script = None
    place.gate(True)
    work(place, board)
    assert sorted(board.sent) == positions
    assert all(found == sorted(found) for found in board.subjects().values())


def test_two_statements_for_a_batch_of_any_size(place: Place) -> None:
    place.route()
    place.emit([f"s{number % 50}" for number in range(1500)])
    place.sequence()
    engine = create_engine(place.url, poolclass=NullPool)
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    board = Board(hand_over=1000)
    worker = Worker(engine, live=True, listen=False, sequence=False, routes=[place.name], open_transport=board.open)
    worker.run(threading.Event(), once=True)
    kinds = [statement.partition("fn_iu_")[2].partition("(")[0] for statement in statements if "fn_iu_" in statement]
    # Beside them fn_iu_delivery_allowed, each time that 10 milliseconds are over.
    assert [kind for kind in kinds if kind in ("delivery_take", "delivery_record")] == [
        *["delivery_take", "delivery_record"] * 2,
        "delivery_take",
    ]
    assert len(board.sent) == 1500 and len(board.hand_overs) == 30


def test_unavailable_waits_counts_nothing_and_recovers(place: Place) -> None:
    place.route(backoff_ms=60_000, backoff_cap_ms=60_000)
    place.emit([*"abc"])
    a, b, c = place.sequence()
    down = True
    board = Board(lambda event, _: unavailable("HTTP 429", 0.2) if event.position == b and down else SENT)
    with working(place, board) as said:
        wait_for(lambda: len(board.outcomes) >= 5, "several tries")
        assert place.cursors("error, failures", "resume_at is not null")[:2] == [("HTTP 429", 1), ("HTTP 429", 2)]
        down = False
        wait_for(lambda: place.outcomes().get("sent") == 3, "all sent")
    assert board.sent == [a, b, c]
    assert place.outcomes() == {"sent": 3} and place.dead() == []
    talked = [line.split()[0] for line in said]
    assert talked == ["event=unavailable", "event=recovered"], "one line while it lasts"
    assert 'reason="HTTP 429"' in said[0] and "until=" in said[0]


@pytest.mark.parametrize("retry_after", [None, 0, -1.0, float("nan")])
def test_unavailable_without_a_time_backs_off(place: Place, retry_after: float | None) -> None:
    place.route(backoff_ms=60_000, backoff_cap_ms=60_000)
    place.emit(["a"])
    board = Board(lambda *_: unavailable("down", retry_after))
    work(place, board, idle_exit=0.2)
    # A random part of a minute: not now.
    assert len(board.outcomes) < 5
    (wait,) = place.cursors("resume_at - made_at", "resume_at is not null")[0]
    assert 0 < wait.total_seconds() <= 60


def test_what_a_hand_over_sent_beside_an_unavailable_event_counts(place: Place) -> None:
    place.route(backoff_ms=1, backoff_cap_ms=1)
    place.emit([*"abcde"])
    positions = place.sequence()
    board = Board(
        lambda event, before: unavailable("full") if event.position == positions[1] and not before else SENT,
        hand_over=3,
    )
    work(place, board, idle_exit=0.1)
    assert sorted(board.sent) == positions and board.came == {**dict.fromkeys(positions, 1), positions[1]: 2}
    assert place.outcomes() == {"sent": 5}


def test_gone_switches_the_route_off(place: Place) -> None:
    place.route()
    place.emit([*"abc"])
    a, b, _ = place.sequence()
    said: list[str] = []
    board = Board(lambda event, _: gone("HTTP 410") if event.position == b else SENT)
    work(place, board, say=said.append)
    assert board.outcomes == [(a, "sent"), (b, "gone")]
    assert not place.value("select execution_enabled from iucore.route where route = %s", place.name)
    assert said[0].startswith(f"event=gone route={place.name}") and 'reason="HTTP 410"' in said[0]
    board.script = None
    place.switch(True)
    work(place, board)
    assert board.sent == place.positions()


class SecretError(Exception):
    """With something in its text that nobody should read."""


def test_what_a_transport_raises_is_a_failure_and_its_text_stays_here(place: Place) -> None:
    place.route(max_attempts=1)
    place.emit([*"ab"])
    a, b = place.sequence()

    def script(event: Event, _: int) -> Any:
        if event.position == a:
            raise SecretError("password")
        return SENT

    board, said = Board(script), []
    work(place, board, say=said.append)
    assert place.dead() == [(a, 1, "SecretError")] and board.sent == [b]
    assert "password" not in "".join(said)


@pytest.mark.parametrize("answer", [[], [SENT, SENT], [None], None, ["sent"]])
def test_a_transport_that_answers_wrongly_fails(place: Place, answer: Any) -> None:
    place.route(max_attempts=1)
    place.emit(["a"])

    class Wrong(Board):
        def send(self, events: Any, *, deadline: float) -> Any:
            return answer

    work(place, Wrong())
    assert place.outcomes() == {"failed": 1} and len(place.dead()) == 1


@pytest.mark.parametrize(
    ("reason", "kept"),
    [("a\0b\nc\u202e", "a b c"), ("\ud800x", "x"), ("", "failed"), ("x" * 2000, "x" * 500), (None, "failed")],
)
def test_any_reason_can_be_recorded(place: Place, reason: Any, kept: str) -> None:
    place.route(max_attempts=1)
    place.emit(["a"])
    work(place, Board(lambda *_: worker_module.Outcome("failed", reason)))
    assert [row[2] for row in place.dead()] == [kept]


def test_a_transport_that_cannot_be_opened_is_unavailable_and_told_once(place: Place) -> None:
    place.route(backoff_ms=1, backoff_cap_ms=1)
    place.emit(["a"])
    tried: list[str] = []

    def opener(name: str, *_: Any, **__: Any) -> Any:
        tried.append(name)
        raise OperationError("the transport is not installed", sqlstate="IU921", detail="nats", hint="pip install it")

    board = Board()
    board.open = opener  # type: ignore[method-assign]
    with working(place, board) as said:
        wait_for(lambda: len(tried) > 3, "several tries")
    assert [line for line in said if "transport_not_opened" in line] == [
        f'event=transport_not_opened route={place.name} reason="the transport is not installed (IU921): nats"'
        ' hint="pip install it"'
    ]
    assert place.outcomes() == {}
    assert "IU921" in place.cursors("error", "error is not null")[0][0]
    # A foreign error may hold anything.
    board.open = lambda *_, **__: [][0]  # type: ignore[method-assign]
    with working(place, board) as said:
        wait_for(lambda: len(said) > 1, "the line")
    assert "reason=IndexError" in said[0]


def test_a_new_setting_opens_another_transport(place: Place) -> None:
    place.route(target={"path": "one"}, networks=["10.0.0.0/8"])
    place.emit(["a"])
    board = Board()
    with working(place, board):
        wait_for(lambda: place.outcomes() == {"sent": 1}, "the first")
        place.configure(transport="other", target={"path": "two"})
        place.emit(["b"])
        wait_for(lambda: place.outcomes() == {"sent": 2}, "the second")
        assert board.closed == 1
    assert board.opened == [("board", {"path": "one"}), ("other", {"path": "two"})] and board.closed == 2


def test_a_lease_is_renewed_while_it_sends(place: Place) -> None:
    place.route()
    place.emit([*"abcdefgh"])
    board = Board(lambda *_: time.sleep(0.08) or SENT)
    work(place, board, lease=0.3)
    assert place.outcomes() == {"sent": 8} and len(board.outcomes) == 8
    assert len(place.cursors("seq", "kind = 'claim'")) > 2


def test_a_hand_over_that_outlasts_the_lease_is_lost(place: Place) -> None:
    place.route(max_attempts=2)
    place.emit(["slow", "quick"])
    slow, quick = place.sequence()
    said: list[str] = []
    board = Board(lambda event, _: time.sleep(0.35) or SENT if event.position == slow else SENT)
    work(place, board, lease=0.2, idle_exit=0.5, say=said.append)
    assert place.dead() == [(slow, 2, "the worker did not record it before its lease ran out")]
    assert [row for row in place.attempts() if row[0] == slow] == [(slow, 1, "lost"), (slow, 2, "lost")]
    assert [row[2] for row in place.attempts() if row[0] == quick] == ["lost", "sent"]
    assert any(line.startswith(f"event=lease_lost route={place.name} partition=0 claim=") for line in said)


def test_deadline_is_within_the_lease(place: Place) -> None:
    place.route()
    place.emit(["a"])
    seen: list[float] = []

    class Clock(Board):
        def send(self, events: Any, *, deadline: float) -> Any:
            seen.append(deadline - time.monotonic())
            return super().send(events, deadline=deadline)

    work(place, Clock(), lease=10)
    assert 8 < seen[0] <= 9


def test_a_moved_route_takes_the_lease_away(place: Place) -> None:
    """A gatekeeper skips while a worker has a batch: what it recorded afterwards is refused, and it goes on."""
    place.route()
    place.emit([*"abc"])
    positions = place.sequence()
    moved: list[int] = []

    def script(event: Event, _: int) -> Any:
        if not moved:
            moved.append(event.position)
            place.call("route_skip", route=place.name, upto=positions[1])
        return SENT

    board, said = Board(script), []
    work(place, board, say=said.append)
    assert board.sent == [positions[0], positions[2]] and place.outcomes() == {"sent": 1}
    assert any(line.startswith("event=lease_lost") for line in said)


def test_told_to_stop_it_records_what_it_handed_over(place: Place) -> None:
    place.route()
    place.emit([*"abcdef"])
    stop = threading.Event()
    board = Board(lambda *_: stop.set() or SENT if len(board.outcomes) == 2 else SENT)
    worker = Worker(place.url, live=True, listen=False, routes=[place.name], open_transport=board.open)
    worker.run(stop)
    assert len(board.sent) == 3 and place.outcomes() == {"sent": 3} and not place.claimed()
    assert worker.summary() == [RouteSummary(place.name, 3, 0, 0, 0, worker.summary()[0].seconds)]


def test_what_is_asked_is_checked(place: Place) -> None:
    place.route()
    with pytest.raises(NotFoundError, match="IU042"):
        work(place, routes=["no.such"])
    for wrong in ({"batch": 0}, {"batch": 10**12}, {"lease": 0.0}, {"lease": float("nan")}, {"lease": float("inf")}):
        with pytest.raises(InvalidError, match="IU054"):
            work(place, **wrong)  # type: ignore[arg-type]
    with pytest.raises(InvalidError, match="IU017"):
        work(place, name="two\nlines")
    with pytest.raises(InvalidError, match="IU012"):
        work(place, name="a\0")


def test_without_sequencing_it_leaves_that_to_others(place: Place) -> None:
    place.route()
    place.emit(["a"])
    board = Board()
    assert work(place, board, sequence=False) == [] and place.positions() == []
    place.rows("select * from iucore.fn_iu_sequence()")
    work(place, board, sequence=False)
    assert board.sent == place.positions()


def test_once_waits_for_whoever_sequences(place: Place, admin: Any) -> None:
    import psycopg

    place.route()
    place.emit(["a"])
    board = Board()
    with psycopg.connect(place.connection.info.dsn) as other:
        other.execute("select * from iucore.fn_iu_sequence()")
        thread = threading.Thread(target=work, args=(place, board))
        thread.start()
        wait_for(
            lambda: place.rows(
                "select from pg_stat_activity where datname = current_database() and query like '%%sequence%%'"
                " and pid not in (pg_backend_pid(), %s) and application_name = 'iucore'",
                other.info.backend_pid,
            ),
            "the worker to ask",
        )
        assert thread.is_alive() and board.sent == []
        other.commit()
    thread.join(20)
    assert board.sent == place.positions() and len(board.sent) == 1


def sleeping(place: Place) -> bool:
    return bool(
        place.rows(
            "select from pg_locks where locktype = 'advisory' and mode = 'ShareLock' and granted"
            " and database = (select oid from pg_database where datname = current_database())"
        )
    )


@pytest.mark.parametrize("driver", ["psycopg2", "psycopg"])
def test_it_can_be_woken(place: Place, driver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place.route()
    # Only a wake-up ends this sleep in the time of the test.
    monkeypatch.setattr(loop, "LONGEST_SLEEP", 600.0)
    monkeypatch.setattr(loop, "LISTEN_FROM", 0.004)
    real, slept = loop.Sleeper.sleep, []
    monkeypatch.setattr(
        loop.Sleeper,
        "sleep",
        lambda self, stop, seconds: slept.append(self.armed) or real(self, stop, 600.0 if self.armed else seconds),
    )
    board = Board()
    assert place.rows("select iucore.fn_iu_wake()") == [(False,)], "nobody sleeps"
    with working(place, board, url=place.url.replace("psycopg2", driver), listen=True) as said:
        for number in range(1, 4):
            wait_for(lambda: sleeping(place), "the worker to sleep")
            wait_for(lambda: slept and slept[-1], "the sleep")
            place.emit(["a"])
            assert place.rows("select iucore.fn_iu_wake()") == [(True,)]
            wait_for(lambda n=number: len(board.sent) == n, "the event")
    assert said == [] and not sleeping(place)


def test_it_polls_where_nobody_wakes_it(place: Place) -> None:
    place.route()
    board = Board()
    with working(place, board, listen=False):
        place.emit(["a"])
        wait_for(lambda: place.outcomes() == {"sent": 1}, "the event")
        assert not sleeping(place)


def test_idle_exit(place: Place) -> None:
    place.route()
    began = time.monotonic()
    assert work(place, idle_exit=0.2) == []
    assert 0.2 <= time.monotonic() - began < 5


def test_a_library_that_takes_batches_itself(place: Place) -> None:
    """The wrappers as a program uses them that is no worker."""
    from datetime import timedelta

    place.route()
    place.emit([*"ab"])
    place.sequence()
    with create_engine(place.url, poolclass=NullPool).connect() as connection:
        batch = batches.take(
            connection, worker="mine", routes=[place.name], live=True, limit=10, lease=timedelta(seconds=5)
        )
        connection.commit()
        assert batch is not None and batch.attempts == [1, 1] and batch.route == place.name and batch.partition == 0
        assert batches.take(connection, worker="other", routes=[place.name], live=True) is None, "it is taken"
        assert batches.allowed(connection, claim=batch.claim)
        claim = batches.renew(connection, claim=batch.claim, lease=timedelta(seconds=5))
        assert not batches.allowed(connection, claim=batch.claim) and batches.allowed(connection, claim=claim)
        done = batches.record(
            connection,
            claim=claim,
            handled=2,
            positions=[batch.events[1].position],
            outcomes=["failed"],
            errors=["no"],
        )
        connection.commit()
        assert (done.sent, done.failed, done.dead, done.resume_at) == (1, 1, 0, None)

"""Whatever fails: the events of a subject come in the order of the ledger, and each is sent once or a dead letter."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import psycopg
from delivery_helpers import Board, Place, made, wait_for, work
from hypothesis import given, settings
from hypothesis import strategies as st
from servers import times

from iucore.delivery.transport import SENT, Event, Outcome, failed, unavailable

LIMIT = 3
ANSWERS = st.sampled_from(["sent", "sent", "sent", "failed", "raises", "unavailable", "gate"])


class Model(Board):
    """Answers by a script, and asserts at each event that it may come now."""

    def __init__(self, place: Place, script: Sequence[str], *, hand_over: int, ordered: bool, in_order: bool) -> None:
        super().__init__(hand_over=hand_over)
        self.place, self.answers, self.ordered, self.in_order = place, iter(script), ordered, in_order
        self.log: list[int] = []
        self.subject_of: dict[int, str] = {}
        self.failures: dict[int, int] = {}
        self.done: set[int] = set()
        # The worker takes what is raised for a failure of the transport.
        self.wrong: list[str] = []

    def check(self, holds: bool, what: str) -> None:
        if not holds:
            self.wrong.append(what)

    def load(self) -> None:
        found = self.place.rows(
            "select position, subject from iucore.event_log where event_type = %s order by 1", self.place.type
        )
        self.log, self.subject_of = [row[0] for row in found], dict(found)

    def send(self, events: Sequence[Event], *, deadline: float) -> Sequence[Outcome]:
        self.check(time.monotonic() < deadline, "in time")
        self.check(1 <= len(events) <= self.hand_over, "not too many")
        if self.ordered and not self.in_order:
            self.check(len({event.subject for event in events}) == len(events), "no subject twice")
        found: list[Outcome] = []
        raises = False
        for event in events:
            if self.in_order and found and found[-1] is not SENT:
                break
            self.check(event.position not in self.done, "sent or dead, and not again")
            if self.ordered:
                earlier = [at for at in self.log if at < event.position and self.subject_of[at] == event.subject]
                before = {one.position for one in events[: len(found)]}
                self.check(set(earlier) <= self.done | before, "earlier events of the subject first")
            answer = next(self.answers, "sent")
            raises = raises or answer == "raises"
            if answer == "gate":
                self.place.gate(False)
            found.append(
                failed("no") if answer == "failed" else unavailable("down", 0) if answer == "unavailable" else SENT
            )
        if raises:
            found = [failed("raised")] * len(events)
        for event, outcome in zip(events, found, strict=not self.in_order):
            self.outcomes.append((event.position, outcome.kind))
            if outcome.kind == "failed":
                self.failures[event.position] = self.failures.get(event.position, 0) + 1
            if outcome.kind == "sent" or self.failures.get(event.position) == LIMIT:
                self.done.add(event.position)
        if raises:
            raise ValueError
        return found


def test_model(delivery_database: psycopg.Connection[Any]) -> None:
    @settings(max_examples=times(50))
    @given(
        st.lists(st.text("abcd", min_size=1, max_size=8), min_size=1, max_size=3),
        st.lists(ANSWERS, max_size=40),
        st.integers(1, 4),
        st.integers(1, 6),
        st.booleans(),
        st.booleans(),
    )
    def run(bursts: list[str], script: list[str], hand_over: int, batch: int, ordered: bool, in_order: bool) -> None:
        place = Place(delivery_database)
        place.route(ordered=ordered, max_attempts=LIMIT)
        board = Model(place, script, hand_over=hand_over, ordered=ordered, in_order=in_order)
        for burst in bursts:
            place.emit(burst)
            place.sequence()
            board.load()
            work(place, board, batch=batch)
            place.gate(True)
        until = time.monotonic() + 20
        while len(board.done) < len(board.log):
            assert time.monotonic() < until, (board.outcomes, place.retries())
            work(place, board, batch=batch)
            place.gate(True)
        assert board.wrong == []
        dead = {position for position, count in board.failures.items() if count == LIMIT}
        assert {row[0] for row in place.dead()} == dead
        assert sorted(board.sent) == sorted(set(board.log) - dead)
        assert place.retries() == []
        # The record is what happened.
        recorded: dict[int, list[str]] = {}
        for position, _, outcome in place.attempts():
            if outcome != "dry_run":
                recorded.setdefault(position, []).append(outcome)
        assert recorded == {
            position: ["failed"] * board.failures.get(position, 0) + ["sent"] * (position not in dead)
            for position in board.log
        }

    run()


def test_workers_share_the_parts_of_a_route(place: Place) -> None:
    place.route(partitions=4)
    subjects = [f"s{number * 7 % 23}" for number in range(600)]
    stop = threading.Event()
    came: list[Event] = []  # to all of them, in the order of coming

    def script(event: Event, before: int) -> Outcome:
        came.append(event)
        time.sleep(0.0002)
        return SENT

    boards = [Board(script) for _ in range(3)]
    workers = [made(place, board, batch=20, name=f"w{number}") for number, board in enumerate(boards)]
    threads = [threading.Thread(target=worker.run, args=(stop,)) for worker in workers]
    for thread in threads:
        thread.start()
    for begin in range(0, 600, 200):
        place.emit(subjects[begin : begin + 200])
    wait_for(lambda: place.outcomes().get("sent") == 600, "all events")
    stop.set()
    for thread in threads:
        thread.join(20)
    positions = place.positions()
    assert sorted(event.position for event in came) == positions, "each once"
    by_subject: dict[str, list[int]] = {}
    for event in came:
        by_subject.setdefault(event.subject, []).append(event.position)
    assert len(by_subject) == 23 and all(found == sorted(found) for found in by_subject.values())
    assert sum(bool(board.outcomes) for board in boards) > 1, "more than one was at work"
    assert place.outcomes() == {"sent": 600}
    assert place.value("select count(distinct worker) from iucore.delivery_cursor where route = %s", place.name) > 1

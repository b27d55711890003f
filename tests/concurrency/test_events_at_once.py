"""Events under concurrency: the order of ids within a subject is the order of its changes."""

from __future__ import annotations

import random
from collections.abc import Callable

from concurrency_helpers import Session, at_once, state_of, wait_until_blocked
from event_laws import assert_events

Sessions = Callable[[int], list[Session]]
CALLS = 60

ORDER = """
select e.change_id, e.xid::text, e.type from iucore.event_outbox as e
where e.event_subject_ref = %s and e.aggregatetype = %s order by e.id
"""


def test_the_events_of_one_collection_are_in_the_order_of_its_changes(sessions: Sessions) -> None:
    """Eight writers on two collections, in transactions of one to three calls."""
    writers = sessions(8)
    first = writers[0]
    first.call("create", address="p", kind="text", title="T", body="p", reason="r")
    for key in "fg":
        first.call("collection_create", key=key, kind="file", title="T", reason="r")

    def write(session: Session, seed: int) -> int:
        dice = random.Random(seed)
        done = 0
        while done < CALLS:
            session.execute("begin")
            # In sorted order, as programs must that change two collections at once.
            for key in sorted(dice.choices("fg", k=dice.randint(1, 3))):
                session.call("collection_add", key=key, member="p", at=dice.choice(["first", "last"]), reason="r")
                done += 1
            if dice.random() < 0.3:
                session.call("create", address=f"x/{seed}/{done}", kind="text", title="T", body="b", reason="r")
            session.execute("commit")
        return done

    total = sum(at_once(*(lambda s=s, n=n: write(s, n) for n, s in enumerate(writers))))
    added = 0
    for key in "fg":
        changes = [row["change_id"] for row in first.execute(ORDER, [key, "collection"])]
        # created, and one event for each change of the composition: none lost, none twice, none out of order.
        assert changes == sorted(set(changes))
        opened = "select distinct opened_change as n from iucore.collection_member join iucore.collection"
        rows = first.execute(f"{opened} using (collection_id) where key = %s order by 1", [key])
        assert changes[1:] == [row["n"] for row in rows]
        added += len(changes) - 1
    assert added == total
    assert_events(first.connection)


def test_an_event_waits_for_the_collection_and_takes_its_id_after_it(sessions: Sessions) -> None:
    first, second, observer = sessions(3)
    first.call("create", address="p", kind="text", title="T", body="p", reason="r")
    first.call("collection_create", key="f", kind="file", title="T", reason="r")
    first.execute("begin")
    first.call("collection_add", key="f", member="p", reason="r")
    waiting = second.later("collection_add", key="f", member="p")
    wait_until_blocked(observer, second, first)
    # Later in the first transaction, yet before the second in the order of ids.
    first.call("collection_add", key="f", member="p", reason="r")
    first.execute("commit")
    assert state_of(waiting) is None
    rows = observer.execute(ORDER, ["f", "collection"])
    xids = [row["xid"] for row in rows]
    assert xids[1] == xids[2] != xids[3]
    assert [row["change_id"] for row in rows] == sorted(row["change_id"] for row in rows)


def test_a_fact_registered_twice_at_once_is_one_event(sessions: Sessions) -> None:
    racers = sessions(6)
    for number in range(20):
        codes = at_once(
            *(lambda s=s, n=number: s.code("kind_register", kind=f"k{n}", title="K", description="D") for s in racers)
        )
        assert set(codes) == {None}
    rows = racers[0].execute("select count(*) as n from iucore.event_outbox where event_type = 'kind.registered'")
    assert rows == [{"n": 20}]

"""Collections under concurrency: cycles, one place, many writers, and the order of changes."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from concurrency_helpers import SERIALIZATION, Session, at_once, end_or_block, state_of, wait_until_blocked
from servers import times

Sessions = Callable[[int], list[Session]]
RACES = times(200)


def pieces(session: Session, *names: str) -> None:
    session.call(
        "create_many",
        pieces=[{"address": name, "kind": "text", "title": "T", "body": name} for name in names],
        reason="r",
    )


def file(session: Session, key: str, *members: Any) -> None:
    items = [{"piece": member} if isinstance(member, str) else member for member in members]
    session.call("collection_create", key=key, kind="file", title="T", members=items, reason="r")


def nest(session: Session, key: str, child: str) -> str | None:
    return session.code("collection_add", key=key, member=child, member_kind="collection")


CYCLES = """
with recursive inside as (
    select collection_id as top, child_id as id, 1 as level from iucore.collection_member
    where child_id is not null and closed_change is null
    union
    select i.top, m.child_id, i.level + 1 from inside as i
    join iucore.collection_member as m on m.collection_id = i.id and m.child_id is not null and m.closed_change is null
    where i.level < 40
)
select count(*) as n from inside where top = id
"""


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read"])
def test_nesting_both_ways_never_makes_a_cycle(sessions: Sessions, isolation: str) -> None:
    racers = sessions(2)
    for number in range(RACES):
        for side in "ab":
            file(racers[0], f"{side}{number}")

    def race(session: Session, number: int, key: str, child: str) -> str | None:
        session.execute(f"begin isolation level {isolation}")
        session.execute("select count(*) from iucore.collection")  # takes the snapshot, where one is kept
        together.wait(30)
        code = nest(session, f"{key}{number}", f"{child}{number}")
        session.execute("rollback" if code else "commit")
        return code

    together = threading.Barrier(2)
    outcomes: list[str | None] = []
    for number in range(RACES):
        codes = at_once(
            lambda n=number: race(racers[0], n, "a", "b"),
            lambda n=number: race(racers[1], n, "b", "a"),
        )
        assert codes.count(None) == 1, codes
        outcomes += codes
    assert set(outcomes) <= {None, "IU028", SERIALIZATION}
    if isolation == "read committed":
        assert SERIALIZATION not in outcomes
    assert racers[0].execute(CYCLES)[0]["n"] == 0


def test_the_second_way_round_waits_and_is_refused(sessions: Sessions) -> None:
    first, second, observer = sessions(3)
    for key in "abc":
        file(first, key)
    assert nest(first, "b", "c") is None
    first.execute("begin")
    assert nest(first, "a", "b") is None
    waiting = second.later("collection_add", key="c", member="a", member_kind="collection")
    wait_until_blocked(observer, second, first)
    first.execute("commit")
    assert state_of(waiting) == "IU028"


def test_depth_is_checked_against_what_others_do(sessions: Sessions) -> None:
    first, second, observer = sessions(3)
    for tower in "xy":
        file(first, f"{tower}1")
        for level in range(2, 17):
            file(first, f"{tower}{level}", {"collection": f"{tower}{level - 1}"})
    file(first, "top")
    first.execute("begin")
    assert nest(first, "x1", "y16") is None  # 32 levels under x16
    waiting = second.later("collection_add", key="top", member="x16", member_kind="collection")
    wait_until_blocked(observer, second, first)
    first.execute("commit")
    assert state_of(waiting) == "IU027"


@pytest.mark.parametrize(
    "place", [{"at": "first"}, {"at": "last"}, {"at": "after", "anchor": "a"}], ids=lambda p: p["at"]
)
def test_two_inserts_at_one_place_both_succeed(sessions: Sessions, place: dict[str, str]) -> None:
    first, second, observer = sessions(3)
    pieces(first, *"abcd")
    file(first, "f", "a", "b")
    first.execute("begin")
    first.call("collection_add", key="f", member="c", reason="r", **place)
    waiting = second.later("collection_add", key="f", member="d", **place)
    wait_until_blocked(observer, second, first)
    first.execute("commit")
    assert state_of(waiting) is None
    text = observer.call("render", key="f")[0]["fn_iu_render"]
    assert text == {"first": "dcab", "last": "abcd", "after": "adcb"}[place["at"]]


def test_an_insert_at_repeatable_read_does_not_build_on_an_old_snapshot(sessions: Sessions) -> None:
    first, second = sessions(2)
    pieces(first, *"abc")
    file(first, "f", "a")
    second.execute("begin isolation level repeatable read")
    second.execute("select * from iucore.v_collection")
    first.call("collection_add", key="f", member="b", reason="r")
    assert second.code("collection_add", key="f", member="c") == SERIALIZATION
    second.execute("rollback")


def test_inserts_at_one_place_from_many_sessions(sessions: Sessions) -> None:
    racers = sessions(6)
    pieces(racers[0], *"ab", *(f"p{n}" for n in range(6)))
    file(racers[0], "f", "a", "b")

    def insert(session: Session, number: int) -> list[str | None]:
        return [session.code("collection_add", key="f", member=f"p{number}", at="after", anchor="a") for _ in range(20)]

    for codes in at_once(*(lambda s=s, n=n: insert(s, n) for n, s in enumerate(racers))):
        assert codes == [None] * 20
    members = racers[0].call("collection_members", key="f")
    assert len(members) == 122
    assert len({row["rank"] for row in members}) == 122
    # At the place after `a`, the newest stands first.
    inner = [row["member_id"] for row in members[1:-1]]
    assert inner == sorted(inner, reverse=True)


def test_removing_twice_at_once(sessions: Sessions) -> None:
    first, second, observer = sessions(3)
    pieces(first, "a")
    file(first, "f", "a")
    first.execute("begin")
    first.call("collection_remove", key="f", member="a", reason="r")
    waiting = second.later("collection_remove", key="f", member="a")
    wait_until_blocked(observer, second, first)
    first.execute("commit")
    assert state_of(waiting) == "IU004"


NAMES = [f"p{n}" for n in range(6)]
DOCUMENTED = {None, "IU004", "IU019", "IU020", "IU027", "IU028", "IU202"}


def random_call(session: Session, dice: random.Random, keys: list[str]) -> str | None:
    """One random verb on a random collection; members are named by number, as an outside program would."""
    key = dice.choice(keys)
    verb = dice.choice(
        ["add", "add", "reorder", "reorder", "remove", "pin", "unpin", "replace", "nest", "edit", "many"]
    )
    if verb == "edit":
        address = dice.choice(NAMES)
        head = session.call("show", address=address)[0]["version"]
        return session.code("edit", address=address, expected_version=head, body=f"{dice.random()}")
    if verb == "many":
        shared = [f"shared {n}" for n in range(5)]
        dice.shuffle(shared)
        new = [
            {"address": f"n/{dice.getrandbits(64):x}", "kind": "text", "title": "T", "body": body} for body in shared
        ]
        return session.code("create_many", pieces=new)
    if verb == "add":
        return session.code("collection_add", key=key, member=dice.choice(NAMES), at=dice.choice(["first", "last"]))
    if verb == "nest":
        return nest(session, key, dice.choice(keys))
    members = [f"@{row['member_id']}" for row in session.call("collection_members", key=key)]
    if not members:
        return None
    named: dict[str, Any] = {"key": key, "member": dice.choice(members)}
    if verb == "reorder":
        named |= {"at": dice.choice(["before", "after"]), "anchor": dice.choice(members)}
    elif verb == "replace":
        named |= {"piece": dice.choice(NAMES)}
    elif verb == "remove" and len(members) < 4:
        return None
    return session.code(f"collection_{verb}", **named)


@pytest.mark.parametrize("collections", [1, 8])
def test_eight_writers_in_random_verbs(sessions: Sessions, collections: int) -> None:
    writers = sessions(8)
    pieces(writers[0], *NAMES)
    keys = [f"c{n}" for n in range(collections)]
    for key in keys:
        file(writers[0], key, *NAMES)

    def work(session: Session, seed: int) -> list[str | None]:
        dice = random.Random(seed)
        return [random_call(session, dice, keys) for _ in range(160)]

    codes = [code for part in at_once(*(lambda s=s, n=n: work(s, n) for n, s in enumerate(writers))) for code in part]
    assert set(codes) <= DOCUMENTED, set(codes) - DOCUMENTED
    assert codes.count(None) > len(codes) / 2
    check_consistency(writers[0], keys)


def check_consistency(session: Session, keys: list[str]) -> None:
    assert session.execute(CYCLES)[0]["n"] == 0
    # No two states of one membership overlap, and each names the changes that made and ended it.
    overlaps = session.execute(
        "select a.member_id from iucore.collection_member as a join iucore.collection_member as b"
        " on b.member_id = a.member_id and b.row_id > a.row_id"
        " where int8range(a.opened_change, coalesce(a.closed_change, 1000000000))"
        " && int8range(b.opened_change, coalesce(b.closed_change, 1000000000))"
    )
    assert overlaps == []
    heads = session.execute(
        "select c.key from iucore.collection as c where c.head_change is distinct from (select"
        " max(greatest(m.opened_change, m.closed_change)) from iucore.collection_member as m"
        " where m.collection_id = c.collection_id)"
    )
    assert heads == []
    # Versions of a piece are numbered without a gap, in the order of their changes.
    versions = session.execute(
        "select unit_id from iucore.unit_version group by unit_id having count(*) <> max(version)"
        " or array_agg(version order by change_id) <> array_agg(version order by version)"
    )
    assert versions == []
    for key in keys:
        members = session.call("collection_members", key=key)
        assert [row["rank"] for row in members] == sorted({row["rank"] for row in members})
        assert [row["code"] for row in session.call("collection_validate", key=key) if row["severity"] == "error"] == []
        history = [row["change_id"] for row in session.call("collection_history", key=key)]
        for change in history[:: max(1, len(history) // 12)]:
            past = session.call("collection_members", key=key, as_of_change=change)
            assert [row["rank"] for row in past] == sorted({row["rank"] for row in past})
            text = render_or_code(session, key, change)
            assert text is not None


def render_or_code(session: Session, key: str, change: int | None = None) -> str | None:
    """The text; a nest that has grown too large to render may say so, anything else is a failure."""
    try:
        return str(session.call("render", key=key, as_of_change=change)[0]["fn_iu_render"])
    except psycopg.Error as error:
        assert error.sqlstate == "IU026", error
        return "IU026"


def test_changes_of_one_collection_are_seen_in_their_order(sessions: Sessions) -> None:
    """Whoever looks, whenever: what is committed is a beginning of the final list of changes."""
    *writers, reader = sessions(5)
    pieces(writers[0], *NAMES)
    file(writers[0], "f", *NAMES)
    file(writers[0], "g")
    running = threading.Event()
    running.set()
    seen: list[list[int]] = []

    def work(session: Session, seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(60):
            # Longer than one call, so that numbers drawn without a lock would be committed in another order.
            session.execute("begin")
            session.call(
                "collection_add", key="f", member=dice.choice(NAMES), at=dice.choice(["first", "last"]), reason="r"
            )
            if dice.random() < 0.5:
                session.call(
                    "create", address=f"x/{dice.getrandbits(64):x}", kind="text", title="T", body="b", reason="r"
                )
            session.execute("commit")

    def look() -> None:
        while running.is_set():
            seen.append([row["change_id"] for row in reader.call("collection_history", key="f")])

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        at_once(*(lambda s=s, n=n: work(s, n) for n, s in enumerate(writers)))
    finally:
        running.clear()
        watcher.join(30)
    final = [row["change_id"] for row in reader.call("collection_history", key="f")]
    assert len(final) == 241
    assert len({len(part) for part in seen}) > 3, "the reader saw the list grow"
    for part in seen:
        assert part == final[len(final) - len(part) :]


def test_as_of_a_change_that_had_to_wait_for_its_request_key(sessions: Sessions) -> None:
    """The number of a change is drawn before it waits; what is born meanwhile has a higher number."""
    first, second, third, observer = sessions(4)
    file(first, "f")
    first.execute("begin")
    first.call("create", address="x", kind="text", title="T", body="b", reason="r", request_key="k")
    waiting = second.later("collection_add", key="f", member="late", request_key="k")
    wait_until_blocked(observer, second, first)
    pieces(third, "late")
    first.execute("rollback")
    (row,) = waiting.result(20)
    assert observer.call("render", key="f", as_of_change=row["change_id"])[0]["fn_iu_render"] == "late"
    assert observer.call("collection_members", key="f", as_of_change=row["change_id"])[0]["address"] == "late"


def test_as_of_a_collection_that_had_to_wait_for_the_nesting(sessions: Sessions) -> None:
    first, second, third, observer = sessions(4)
    for key in "abd":
        file(first, key)
    first.execute("begin")
    assert nest(first, "a", "b") is None
    waiting = second.later(
        "collection_create", key="c", kind="file", title="T", members=[{"collection": "d"}, {"piece": "late"}]
    )
    wait_until_blocked(observer, second, first)
    pieces(third, "late")
    first.execute("commit")
    (row,) = waiting.result(20)
    assert observer.call("render", key="c", as_of_change=row["change_id"])[0]["fn_iu_render"] == "late"


@pytest.mark.parametrize("way_out", ["remove", "replace"])
def test_no_past_holds_a_cycle(sessions: Sessions, way_out: str) -> None:
    """b leaves a while a waits to go into b: as of no change may both stand in each other."""
    first, second, third, observer = sessions(4)
    pieces(first, "p")
    for key in "abgh":
        file(first, key, "p")
    assert nest(first, "a", "b") is None
    first.execute("begin")
    assert nest(first, "g", "h") is None
    into = second.later("collection_add", key="b", member="a", member_kind="collection")
    wait_until_blocked(observer, second, first)
    more = {"piece": "p"} if way_out == "replace" else {}
    out = third.later(f"collection_{way_out}", key="a", member="b", **more)
    end_or_block(observer, third, out)
    first.execute("commit")
    assert state_of(out) is None
    assert state_of(into) in (None, "IU028")
    observer.execute("set statement_timeout = '2s'")
    born = observer.execute("select max(change_id) as n from iucore.collection")[0]["n"]
    last = observer.execute("select max(change_id) as n from iucore.change")[0]["n"]
    for change in range(born, last + 1):
        for key in "ab":
            assert set(observer.call("render", key=key, as_of_change=change)[0]["fn_iu_render"]) == {"p"}

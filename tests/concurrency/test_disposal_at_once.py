"""Disposal under concurrency: each race ends in a state that one order of its calls explains."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from concurrency_helpers import SERIALIZATION, Session, at_once, state_of, wait_until_blocked
from servers import times

Sessions = Callable[[int], list[Session]]
RACES = times(200)
ISOLATIONS = ["read committed", "repeatable read"]
Call = tuple[str, dict[str, Any]]


def piece(session: Session, address: str) -> None:
    session.call("create", address=address, kind="text", title="T", body=address, reason="r")


def many(session: Session, *addresses: str) -> None:
    pieces = [{"address": address, "kind": "text", "title": "T", "body": address} for address in addresses]
    session.call("create_many", pieces=pieces, reason="r")


def file(session: Session, key: str, *members: Any) -> None:
    items = [{"piece": member} if isinstance(member, str) else member for member in members]
    session.call("collection_create", key=key, kind="file", title="T", members=items, reason="r")


def run_races(sessions: Sessions, isolation: str, one: Callable[[int], Call], two: Callable[[int], Call]) -> list[Any]:
    """Two sessions start their calls together, round after round; the codes of each round."""
    racers = sessions(2)
    together = threading.Barrier(2)

    def work(session: Session, call: Callable[[int], Call]) -> list[str | None]:
        codes = []
        for number in range(RACES):
            name, arguments = call(number)
            session.execute(f"begin isolation level {isolation}")
            session.execute("select from iucore.change limit 1")  # takes the snapshot, where one is kept
            together.wait(30)
            code = session.code(name, **arguments)
            session.execute("rollback" if code else "commit")
            codes.append(code)
        return codes

    first, second = at_once(lambda: work(racers[0], one), lambda: work(racers[1], two))
    return list(zip(first, second, strict=True))


def pieces_are_sound(session: Session) -> None:
    """What a piece says of itself is what its deletions say; no state overlaps another."""
    wrong = session.execute(
        "select u.address from iucore.information_unit as u where u.deleted_change is distinct from"
        " (select d.deleted_change from iucore.unit_deletion as d"
        " where d.unit_id = u.unit_id and d.restored_change is null)"
    )
    assert wrong == []
    overlaps = session.execute(
        "select a.unit_id from iucore.unit_deletion as a join iucore.unit_deletion as b"
        " on b.unit_id = a.unit_id and b.deleted_change > a.deleted_change"
        " where a.restored_change is null or a.restored_change > b.deleted_change"
    )
    assert overlaps == []
    wrong = session.execute(
        "select c.key from iucore.collection as c where c.deleted_change is distinct from"
        " (select d.deleted_change from iucore.collection_deletion as d"
        " where d.collection_id = c.collection_id and d.restored_change is null)"
    )
    assert wrong == []


def verbs_of(session: Session, subject: str, *verbs: str) -> list[str]:
    """The events of a subject that these verbs made, in order."""
    rows = session.execute(
        "select e.type from iucore.event_outbox as e join iucore.change as c using (change_id)"
        " where e.event_subject_ref = %s and c.verb = any (%s) order by e.id",
        [subject, list(verbs)],
    )
    return [row["type"] for row in rows]


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_soft_delete_against_restore(sessions: Sessions, isolation: str) -> None:
    """One piece, deleted and restored at once, again and again."""
    (observer,) = sessions(1)
    piece(observer, "p")
    file(observer, "f", "p")
    outcomes = run_races(
        sessions,
        isolation,
        lambda number: ("soft_delete", {"address": "p"}),
        lambda number: ("restore", {"address": "p"}),
    )
    allowed = {(None, None), (None, "IU210"), ("IU209", None)}
    if isolation == "repeatable read":
        allowed = {(one, two) for one in (None, "IU209", SERIALIZATION) for two in (None, "IU210", SERIALIZATION)}
    assert set(outcomes) <= allowed, set(outcomes) - allowed
    # Deleted and restored by turns; the last of them is how it stands.
    happened = verbs_of(observer, "p", "soft_delete", "restore")
    assert len(happened) == sum(codes.count(None) for codes in outcomes)
    assert happened == [("soft_deleted", "restored")[n % 2] for n in range(len(happened))]
    pieces_are_sound(observer)
    text = observer.call("render", key="f")[0]["fn_iu_render"]
    assert text == ("p" if len(happened) % 2 == 0 else "")
    # As of each of them it was shown or not.
    changes = observer.execute(
        "select change_id, verb from iucore.change where verb in ('soft_delete', 'restore') order by change_id"
    )
    assert [row["verb"] for row in changes] == [("soft_delete", "restore")[n % 2] for n in range(len(changes))]
    for row in changes[:: max(1, len(changes) // 40)]:
        then = observer.call("render", key="f", as_of_change=row["change_id"])[0]["fn_iu_render"]
        assert then == ("p" if row["verb"] == "restore" else "")


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_soft_delete_against_add(sessions: Sessions, isolation: str) -> None:
    (observer,) = sessions(1)
    many(observer, *(f"p{number}" for number in range(RACES)))
    file(observer, "f")
    outcomes = run_races(
        sessions,
        isolation,
        lambda number: ("soft_delete", {"address": f"p{number}"}),
        lambda number: ("collection_add", {"key": "f", "member": f"p{number}"}),
    )
    allowed = {(None, None), (None, "IU209")} | ({(None, SERIALIZATION)} if isolation == "repeatable read" else set())
    assert set(outcomes) <= allowed, set(outcomes) - allowed
    pieces_are_sound(observer)
    added = [f"p{number}" for number, (_, code) in enumerate(outcomes) if code is None]
    # Whoever came first: nothing is shown, and all that was added comes back.
    assert observer.call("render", key="f")[0]["fn_iu_render"] == ""
    hidden = [row["address"] for row in observer.call("collection_validate", key="f") if row["code"] == "soft_deleted"]
    assert sorted(hidden) == sorted(added)
    for address in added:
        observer.call("restore", address=address, reason="r")
    assert [row["address"] for row in observer.call("collection_members", key="f")] == added


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_soft_delete_against_edit(sessions: Sessions, isolation: str) -> None:
    (observer,) = sessions(1)
    many(observer, *(f"p{number}" for number in range(RACES)))
    outcomes = run_races(
        sessions,
        isolation,
        lambda number: ("soft_delete", {"address": f"p{number}"}),
        lambda number: ("edit", {"address": f"p{number}", "expected_version": 1, "body": "edited"}),
    )
    allowed = {(None, None), (None, "IU209")}
    if isolation == "repeatable read":
        allowed |= {(None, SERIALIZATION), (SERIALIZATION, None)}
    assert set(outcomes) <= allowed, set(outcomes) - allowed
    pieces_are_sound(observer)
    for number, (deleted, edited) in enumerate(outcomes):
        happened = verbs_of(observer, f"p{number}", "soft_delete", "edit")
        # An edit comes before the deletion or not at all.
        assert happened == ["edited"] * (edited is None) + ["soft_deleted"] * (deleted is None)


@pytest.mark.parametrize("isolation", ISOLATIONS)
@pytest.mark.parametrize("verb", ["collection_add", "collection_replace", "collection_create"])
def test_retire_unless_used_against_a_new_use(sessions: Sessions, isolation: str, verb: str) -> None:
    """Never both: retired because it stood nowhere, and standing somewhere."""
    (observer,) = sessions(1)
    many(observer, "other", *(f"p{number}" for number in range(RACES)))
    file(observer, "f", "other")

    def use(number: int) -> Call:
        return {
            "collection_add": (verb, {"key": "f", "member": f"p{number}"}),
            "collection_replace": (verb, {"key": "f", "member": "@1", "piece": f"p{number}"}),
            "collection_create": (
                verb,
                {"key": f"c{number}", "kind": "file", "title": "T", "members": [{"piece": f"p{number}"}]},
            ),
        }[verb]

    outcomes = run_races(
        sessions, isolation, lambda number: ("retire", {"address": f"p{number}", "refuse_if_used": True}), use
    )
    assert (None, None) not in outcomes
    if isolation == "repeatable read":
        # An older snapshot may overlook a use: the call refuses to answer from one.
        assert set(outcomes) == {("IU038", None)}
    else:
        assert set(outcomes) <= {(None, "IU208"), ("IU211", None)}, set(outcomes)
    used = observer.execute(
        "select u.address from iucore.collection_member as m join iucore.information_unit as u using (unit_id)"
        " join iucore.unit_version as v on v.unit_id = u.unit_id and v.version = u.head_version"
        " where v.lifecycle = 'retired'"
    )
    assert used == []


def test_refuse_if_used_with_an_old_snapshot(sessions: Sessions) -> None:
    """A snapshot from before the use must not let the piece be retired as unused."""
    first, second = sessions(2)
    many(first, "p", "unused")
    file(first, "f")
    second.execute("begin isolation level repeatable read")
    second.execute("select * from iucore.v_piece")
    first.call("collection_add", key="f", member="p", reason="r")
    assert second.code("retire", address="p", refuse_if_used=True) == "IU038"
    second.execute("rollback")
    assert first.call("show", address="p")[0]["lifecycle"] == "active"


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_retire_unless_used_waits_for_a_use_under_way(sessions: Sessions, end: str) -> None:
    first, second, observer = sessions(3)
    piece(first, "p")
    file(first, "f")
    first.execute("begin")
    first.call("collection_add", key="f", member="p", reason="r")
    waiting = second.later("retire", address="p", refuse_if_used=True)
    wait_until_blocked(observer, second, first)
    first.execute(end)
    assert state_of(waiting) == ("IU211" if end == "commit" else None)
    # And the way round.
    piece(first, "q")
    first.execute("begin")
    first.call("retire", address="q", refuse_if_used=True, reason="r")
    waiting = second.later("collection_add", key="f", member="q")
    wait_until_blocked(observer, second, first)
    first.execute(end)
    assert state_of(waiting) == ("IU208" if end == "commit" else None)


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_collection_soft_delete_against_nest(sessions: Sessions, isolation: str) -> None:
    (observer,) = sessions(1)
    file(observer, "top")
    for number in range(RACES):
        file(observer, f"c{number}")
    outcomes = run_races(
        sessions,
        isolation,
        lambda number: ("collection_soft_delete", {"key": f"c{number}"}),
        lambda number: ("collection_add", {"key": "top", "member": f"c{number}", "member_kind": "collection"}),
    )
    allowed = {(None, "IU212"), ("IU214", None)}
    if isolation == "repeatable read":
        allowed |= {(None, SERIALIZATION), (SERIALIZATION, None)}
    assert set(outcomes) <= allowed, set(outcomes) - allowed
    pieces_are_sound(observer)
    nested_and_deleted = observer.execute(
        "select c.key from iucore.collection_member as m join iucore.collection as c on c.collection_id = m.child_id"
        " where m.closed_change is null and c.deleted_change is not null"
    )
    assert nested_and_deleted == []
    assert observer.call("render", key="top")[0]["fn_iu_render"] == ""


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_each_disposal_waits_for_what_is_under_way(sessions: Sessions, end: str) -> None:
    """Each pair: the first is under way, the second waits; then the second goes on from what the first left."""
    first, second, observer = sessions(3)
    many(first, *"abcde")
    for key in "fg":
        file(first, key)
    first.call("soft_delete", address="d", reason="r")
    pairs: list[tuple[Call, Call, str | None, str | None]] = [
        (("edit", {"address": "a", "expected_version": 1, "body": "x"}), ("soft_delete", {"address": "a"}), None, None),
        (("soft_delete", {"address": "b"}), ("soft_delete", {"address": "b"}), "IU209", None),
        (("soft_delete", {"address": "c"}), ("restore", {"address": "c"}), None, "IU210"),
        (("restore", {"address": "d"}), ("restore", {"address": "d"}), "IU210", None),
        (("retire", {"address": "e"}), ("soft_delete", {"address": "e"}), None, None),
        (
            ("collection_soft_delete", {"key": "f"}),
            ("collection_add", {"key": "f", "member": "e"}),
            "IU212",
            None if end == "commit" else "IU209",
        ),
        (("collection_soft_delete", {"key": "g"}), ("collection_soft_delete", {"key": "g"}), "IU212", None),
    ]
    for (name, arguments), (other, others), committed, rolled_back in pairs:
        first.execute("begin")
        first.call(name, **arguments, reason="r")
        waiting = second.later(other, **others)
        wait_until_blocked(observer, second, first)
        first.execute(end)
        assert state_of(waiting) == (committed if end == "commit" else rolled_back), (name, other)
    pieces_are_sound(observer)


def test_readers_never_wait_for_a_disposal(sessions: Sessions) -> None:
    first, reader = sessions(2)
    piece(first, "p")
    file(first, "f", "p")
    reader.execute("set lock_timeout = '5s'")
    first.execute("begin")
    first.call("soft_delete", address="p", reason="r")
    assert reader.call("render", key="f")[0]["fn_iu_render"] == "p"
    first.execute("commit")
    assert reader.call("render", key="f")[0]["fn_iu_render"] == ""
    # A reader that looks twice in one snapshot sees one state.
    reader.execute("begin isolation level repeatable read")
    assert reader.call("render", key="f")[0]["fn_iu_render"] == ""
    first.call("restore", address="p", reason="r")
    assert reader.call("render", key="f")[0]["fn_iu_render"] == ""
    assert reader.call("collection_members", key="f") == []
    reader.execute("commit")
    assert reader.call("render", key="f")[0]["fn_iu_render"] == "p"

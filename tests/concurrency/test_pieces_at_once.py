"""Pieces under concurrency: one address, one version, one request key, contents in opposite order."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from functools import partial
from typing import Any

import psycopg
import pytest
from concurrency_helpers import DEADLOCK, SERIALIZATION, Session, at_once, end_or_block, state_of, wait_until_blocked

Sessions = Callable[[int], list[Session]]


def piece(address: str, body: str = "b") -> dict[str, Any]:
    return {"address": address, "kind": "text", "title": "T", "body": body}


def create(address: str = "a", **more: Any) -> tuple[str, dict[str, Any]]:
    return "create", {**piece(address), **more}


def many(*addresses: str, **more: Any) -> tuple[str, dict[str, Any]]:
    return "create_many", {"pieces": [piece(address) for address in addresses], **more}


CLONE = ("clone", {"source": "source", "address": "a"})
COLLECTION = ("collection_create", {"key": "a", "kind": "file", "title": "T", "members": []})
BIRTHS = {
    "create and create": (create(), create(body="other"), "IU201"),
    "create and many": (create(body="other"), many("z", "a"), "IU201"),
    "many and create": (many("b", "a"), create(body="other"), "IU201"),
    "many and many": (many("b", "a"), many("a", "c"), "IU201"),
    "clone and create": (CLONE, create(), "IU201"),
    "create and clone": (create(), CLONE, "IU201"),
    "collections": (COLLECTION, COLLECTION, "IU204"),
}


@pytest.mark.parametrize("name", BIRTHS)
@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_one_address_is_born_once(sessions: Sessions, name: str, end: str) -> None:
    first, second, observer = sessions(3)
    one, two, code = BIRTHS[name]
    first.call(*create("source")[:1], **create("source")[1], reason="r")
    first.execute("begin")
    first.call(one[0], **one[1], reason="r")
    waiting = second.later(two[0], **two[1])
    wait_until_blocked(observer, second, first)
    first.execute(end)
    if end == "rollback":
        assert state_of(waiting) is None
    else:
        assert state_of(waiting) == code
        error = waiting.exception()
        assert isinstance(error, psycopg.Error)
        assert error.diag.message_detail is not None
        assert error.diag.message_detail.endswith(": a"), error.diag.message_detail
        assert observer.execute("select count(*) as n from iucore.change")[0]["n"] == 2
    table = "collection where key" if code == "IU204" else "information_unit where address"
    assert observer.execute(f"select count(*) as n from iucore.{table} = 'a'")[0]["n"] == 1


def test_two_editors_of_one_version(sessions: Sessions) -> None:
    first, second, observer = sessions(3)
    first.call("create", **piece("a"), reason="r")
    first.execute("begin")
    first.call("edit", address="a", expected_version=1, body="first", reason="r")
    waiting = second.later("edit", address="a", expected_version=1, body="second")
    wait_until_blocked(observer, second, first)
    first.execute("commit")
    assert state_of(waiting) == "IU202"
    assert observer.call("show", address="a")[0]["body"] == "first"
    # The same after the first gave up: the second goes on.
    first.execute("begin")
    first.call("edit", address="a", expected_version=2, body="third", reason="r")
    waiting = second.later("edit", address="a", expected_version=2, body="fourth")
    wait_until_blocked(observer, second, first)
    first.execute("rollback")
    assert state_of(waiting) is None
    assert observer.call("show", address="a")[0]["body"] == "fourth"


@pytest.mark.parametrize("verb", ["edit", "lifecycle_set"])
def test_editors_at_repeatable_read_cannot_build_on_an_old_snapshot(sessions: Sessions, verb: str) -> None:
    first, second = sessions(2)
    first.call("create", **piece("a"), reason="r")
    second.execute("begin isolation level repeatable read")
    second.execute("select * from iucore.v_piece")
    first.call("edit", address="a", expected_version=1, body="first", reason="r")
    change = {"body": "x"} if verb == "edit" else {"lifecycle": "draft"}
    assert second.code(verb, address="a", expected_version=1, **change) == SERIALIZATION
    second.execute("rollback")


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read"])
def test_racing_editors_lose_no_version(sessions: Sessions, isolation: str) -> None:
    racers = sessions(2)
    racers[0].call("create", **piece("a"), reason="r")
    for session in racers:
        session.execute(f"set default_transaction_isolation = '{isolation}'")
    for version in range(1, 41):
        codes = at_once(
            *(
                partial(session.code, "edit", address="a", expected_version=version, body=f"{version} {number}")
                for number, session in enumerate(racers)
            )
        )
        assert codes.count(None) == 1, codes
        assert set(codes) - {None} <= {"IU202", SERIALIZATION}
    assert racers[0].call("show", address="a")[0]["version"] == 41


KEYED = {
    "create": create(request_key="k"),
    "many": many("a", "b", request_key="k"),
    "edit": ("edit", {"address": "source", "expected_version": 1, "body": "x", "request_key": "k"}),
    "add": ("collection_add", {"key": "f", "member": "source", "request_key": "k"}),
    "collection": ("collection_create", {**COLLECTION[1], "request_key": "k"}),
    "axis": ("axis_set", {"address": "source", "axis": "x", "values": ["1"], "request_key": "k"}),
}


@pytest.mark.parametrize("name", KEYED)
@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_one_request_key_at_once_is_one_call(sessions: Sessions, name: str, end: str) -> None:
    first, second, observer = sessions(3)
    first.call("create", **piece("source"), reason="r")
    first.call("collection_create", key="f", kind="file", title="T", reason="r")
    first.call("axis_register", axis="x", title="X", rule="union", reason="r")
    verb, arguments = KEYED[name]
    first.execute("begin")
    result = first.call(verb, **arguments, reason="r")
    waiting = second.later(verb, **arguments)
    wait_until_blocked(observer, second, first)
    first.execute(end)
    if end == "commit":
        assert waiting.result(20) == result
    else:
        assert [row.keys() for row in waiting.result(20)] == [row.keys() for row in result]
    counts = observer.execute(
        "select (select count(*) from iucore.change where request_key = 'k') as calls,"
        " (select count(*) from iucore.change_result) as results"
    )
    assert counts == [{"calls": 1, "results": 1}]


def test_one_request_key_from_many_sessions(sessions: Sessions) -> None:
    racers = sessions(6)
    for number in range(15):
        results = at_once(
            *(
                partial(session.call, "create", **piece(f"p/{number}"), reason="r", request_key=f"k{number}")
                for session in racers
            )
        )
        assert all(result == results[0] for result in results)
    counts = racers[0].execute(
        "select (select count(*) from iucore.change) as changes,"
        " (select count(*) from iucore.information_unit) as pieces"
    )
    assert counts == [{"changes": 15, "pieces": 15}]


def test_another_call_with_a_key_in_use_is_refused(sessions: Sessions) -> None:
    first, second, observer = sessions(3)
    first.execute("begin")
    first.call("create", **piece("a"), reason="r", request_key="k")
    waiting = second.later("create", **piece("b"), request_key="k")
    wait_until_blocked(observer, second, first)
    first.execute("commit")
    assert state_of(waiting) == "IU203"


def test_shared_contents_in_opposite_order_do_not_deadlock(sessions: Sessions) -> None:
    """Four sessions, each with the same bodies in another order, by every verb that stores a body."""
    racers = sessions(4)
    racers[0].call("create_many", pieces=[piece(f"edited/{n}") for n in range(4)], reason="r")

    def store(session: Session, number: int, turn: int) -> str | None:
        bodies = [f"body {turn} {n}" for n in range(25)]
        random.Random(number * 1000 + turn).shuffle(bodies)
        pieces = [piece(f"{number}/{turn}/{n}", body) for n, body in enumerate(bodies)]
        if number < 2:
            return session.code("create_many", pieces=pieces if number else list(reversed(pieces)))
        session.execute("begin")
        try:
            if number == 2:
                return session.code("create", **pieces[0])
            return session.code("edit", address=f"edited/{number}", expected_version=turn + 1, body=bodies[0])
        finally:
            session.execute("commit")

    for turn in range(60):
        codes = at_once(*(partial(store, session, number, turn) for number, session in enumerate(racers)))
        assert codes == [None] * 4, codes
    assert racers[0].execute("select count(*) as n from iucore.unit_content")[0]["n"] == 60 * 25 + 1


def test_shared_addresses_and_contents_do_not_deadlock(sessions: Sessions) -> None:
    """The same pieces, one by one and in lists, in opposite order: one wins, nobody is torn down by the server."""
    racers = sessions(4)

    def store(session: Session, number: int, turn: int) -> str | None:
        pieces = [piece(f"{turn}/{n}", f"body {turn} {n % 5}") for n in range(12)]
        if number % 2:
            pieces.reverse()
        if number < 2:
            return session.code("create_many", pieces=pieces)
        return session.code("create", **pieces[0])

    for turn in range(150):
        codes = at_once(*(partial(store, session, number, turn) for number, session in enumerate(racers)))
        assert DEADLOCK not in codes
        assert set(codes) <= {None, "IU201"}, codes
        assert None in codes


def test_a_list_and_a_piece_do_not_wait_for_each_other(sessions: Sessions) -> None:
    """A list stopped between its first and second content holds nothing that a birth with the second needs first."""
    third, one, other, observer = sessions(4)
    early, late = sorted(("x", "y"), key=lambda body: hashlib.sha256(body.encode()).digest())
    third.execute("begin")
    third.call("create", **piece("third", early), reason="r")
    waiting = one.later("create_many", pieces=[piece("a", late), piece("b", early)])
    wait_until_blocked(observer, one, third)
    born = other.later("create", **piece("a", late))
    end_or_block(observer, other, born)
    third.execute("commit")
    assert sorted([state_of(waiting) or "", state_of(born) or ""]) == ["", "IU201"]


@pytest.mark.parametrize("values", [("a", "b"), ("a", "a")], ids=["different", "same"])
def test_axis_values_at_repeatable_read_are_exact(sessions: Sessions, values: tuple[str, str]) -> None:
    first, second = sessions(2)
    first.call("create", **piece("p"), reason="r")
    first.call("axis_register", axis="x", title="X", rule="union", reason="r")
    second.execute("begin isolation level repeatable read")
    second.execute("select * from iucore.v_piece")
    first.call("axis_set", address="p", axis="x", values=[values[0]], reason="r")
    assert second.code("axis_set", address="p", axis="x", values=[values[1]]) == SERIALIZATION
    second.execute("rollback")
    assert [row["value"] for row in first.call("axis_show", address="p")] == [values[0]]


def test_axis_refresh_at_repeatable_read(sessions: Sessions) -> None:
    first, second = sessions(2)
    first.call("create", **piece("p"), reason="r")
    first.call("axis_register", axis="x", title="X", rule="union", reason="r")
    first.call("axis_set", address="p", axis="x", values=["a"], reason="r")
    first.call("collection_create", key="f", kind="file", title="T", members=[{"piece": "p"}], reason="r")
    second.execute("begin isolation level repeatable read")
    second.execute("select * from iucore.v_piece")
    first.call("axis_refresh", key="f", reason="r")
    assert second.code("axis_refresh", key="f") == SERIALIZATION
    second.execute("rollback")

"""Random verbs against a model in plain Python: texts, members, histories, and the past at every change."""

from __future__ import annotations

import copy
import itertools
import random
from dataclasses import dataclass, field
from typing import Any

import pytest
from functions_helpers import Database
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

BODIES = st.sampled_from(["", "a", "b\r\n", "é", "e\u0301", "\ufeff", "x\n\n", "\r", "long " * 50])
PLACES = st.sampled_from(["first", "last", "before", "after"])
SEEDS = st.integers(0, 2**16)


@dataclass
class Version:
    body: str
    title: str
    lifecycle: str


@dataclass
class Member:
    number: int
    name: str
    nested: bool
    pinned: int | None = None


@dataclass
class World:
    pieces: dict[str, list[Version]] = field(default_factory=dict)
    collections: dict[str, list[Member]] = field(default_factory=dict)

    def text(self, key: str) -> str:
        """What a collection renders to."""
        return "".join(self.text(m.name) if m.nested else self.shown(m).body for m in self.collections[key])

    def shown(self, member: Member) -> Version:
        """The version that a member shows."""
        return self.pieces[member.name][(member.pinned or 0) - 1]

    def below(self, key: str) -> set[str]:
        """The collection and all that is inside it."""
        return {key}.union(*(self.below(m.name) for m in self.collections[key] if m.nested))

    def depth(self, key: str) -> int:
        """Levels of a nest."""
        return 1 + max((self.depth(m.name) for m in self.collections[key] if m.nested), default=0)


def machine(db: Database) -> type[RuleBasedStateMachine]:
    """The state machine on one database; every example has a prefix of its own."""
    prefixes = itertools.count()

    class Verbs(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.prefix = f"e{next(prefixes)}/"
            self.names = itertools.count()
            self.world = World()
            self.past: dict[int, World] = {}
            self.changed: set[str] = set()

        def name(self) -> str:
            return f"{self.prefix}{next(self.names)}"

        def done(self, row: dict[str, Any], *keys: str) -> None:
            """Keeps the state as of the change that was just made, and what to look at."""
            self.past[row["change_id"]] = copy.deepcopy(self.world)
            self.changed = set(keys) or set(self.world.collections)

        def pick(self, seed: int, of: Any) -> Any:
            return random.Random(seed).choice(sorted(of))

        def member(self, seed: int, key: str) -> Member:
            return random.Random(seed).choice(self.world.collections[key])

        def with_members(self) -> list[str]:
            return [key for key, members in self.world.collections.items() if members]

        def called(self, key: str, member: Member) -> str:
            """The address when it is not ambiguous, else the number."""
            alone = [m.name for m in self.world.collections[key]].count(member.name) == 1
            return member.name if alone and member.number % 2 else f"@{member.number}"

        @initialize(bodies=st.lists(BODIES, min_size=2, max_size=4))
        def begin(self, bodies: list[str]) -> None:
            rows = db.call(
                "create_many",
                pieces=[{"address": self.name(), "kind": "text", "title": "T", "body": body} for body in bodies],
            )
            for row, body in zip(rows, bodies, strict=True):
                self.world.pieces[row["address"]] = [Version(body, "T", "active")]
            members = [*self.world.pieces, next(iter(self.world.pieces))]
            for seats in (members, []):
                key = self.name()
                row = db.file(key, *seats)
                numbers = [m["member_id"] for m in db.call("collection_members", key=key)]
                self.world.collections[key] = [Member(n, name, False) for n, name in zip(numbers, seats, strict=True)]
                self.done(row, key)

        @rule(body=BODIES)
        def create(self, body: str) -> None:
            row = db.piece(self.name(), body)
            self.world.pieces[row["address"]] = [Version(body, "T", "active")]
            self.done(row)

        @rule(seed=SEEDS, body=BODIES | st.none(), title=st.sampled_from([None, "T", "U"]))
        def edit(self, seed: int, body: str | None, title: str | None) -> None:
            address = self.pick(seed, self.world.pieces)
            versions = self.world.pieces[address]
            old = versions[-1]
            row = db.one("edit", address=address, expected_version=len(versions), body=body, title=title)
            new = Version(old.body if body is None else body, title or old.title, old.lifecycle)
            assert row["changed"] == (new != old)
            if new != old:
                versions.append(new)
                self.done(row)
            assert row["version"] == len(versions)

        @rule(seed=SEEDS, back=st.integers(0, 3))
        def clone(self, seed: int, back: int) -> None:
            source = self.pick(seed, self.world.pieces)
            versions = self.world.pieces[source]
            version = max(1, len(versions) - back)
            row = db.one("clone", source=source, address=self.name(), version=version if back else None)
            origin = versions[version - 1]
            self.world.pieces[row["address"]] = [Version(origin.body, origin.title, "active")]
            self.done(row)

        @rule(seed=SEEDS, lifecycle=st.sampled_from(["draft", "active", "retired"]))
        def lifecycle(self, seed: int, lifecycle: str) -> None:
            address = self.pick(seed, self.world.pieces)
            versions = self.world.pieces[address]
            row = db.one("lifecycle_set", address=address, expected_version=len(versions), lifecycle=lifecycle)
            assert row["changed"] == (versions[-1].lifecycle != lifecycle)
            if row["changed"]:
                versions.append(Version(versions[-1].body, versions[-1].title, lifecycle))
                self.done(row)

        @precondition(lambda self: len(self.world.collections) < 5)
        @rule(seed=SEEDS, size=st.integers(0, 3))
        def compose(self, seed: int, size: int) -> None:
            dice = random.Random(seed)
            seats = [dice.choice(sorted(self.world.pieces)) for _ in range(size)]
            key = self.name()
            row = db.file(key, *({"piece": name, "version": 1} for name in seats))
            numbers = [m["member_id"] for m in db.call("collection_members", key=key)]
            self.world.collections[key] = [Member(n, name, False, 1) for n, name in zip(numbers, seats, strict=True)]
            self.done(row, key)

        def place(self, key: str, at: str, seed: int, moving: Member | None = None) -> tuple[str, str | None, int]:
            """A place as arguments, and its index among the members that stay."""
            stay = [m for m in self.world.collections[key] if m is not moving]
            if at in ("before", "after") and not stay:
                at = "last"
            if at == "first":
                return at, None, 0
            if at == "last":
                return at, None, len(stay)
            index = random.Random(seed).randrange(len(stay))
            return at, self.called(key, stay[index]), index + (at == "after")

        @rule(seed=SEEDS, at=PLACES, pinned=st.booleans())
        def add(self, seed: int, at: str, pinned: bool) -> None:
            key = self.pick(seed, self.world.collections)
            name = self.pick(seed + 1, self.world.pieces)
            version = random.Random(seed).randint(1, len(self.world.pieces[name])) if pinned else None
            at, anchor, index = self.place(key, at, seed)
            row = db.add(key, name, at=at, anchor=anchor, version=version)
            self.world.collections[key].insert(index, Member(row["member_id"], name, False, version))
            self.done(row, key)

        @rule(seed=SEEDS, at=PLACES)
        def nest(self, seed: int, at: str) -> None:
            key = self.pick(seed, self.world.collections)
            child = self.pick(seed + 1, self.world.collections)
            at, anchor, index = self.place(key, at, seed)
            arguments = {"key": key, "member": child, "at": at, "anchor": anchor, "member_kind": "collection"}
            if key in self.world.below(child):
                db.refuses("IU028", "collection_add", **arguments)
                return
            if len(self.world.text(child)) > 20_000:
                return
            row = db.one("collection_add", **arguments)
            self.world.collections[key].insert(index, Member(row["member_id"], child, True))
            self.done(row)

        @precondition(lambda self: self.with_members())
        @rule(seed=SEEDS)
        def remove(self, seed: int) -> None:
            key = self.pick(seed, self.with_members())
            member = self.member(seed, key)
            row = db.one("collection_remove", key=key, member=self.called(key, member))
            assert row["member_id"] == member.number
            self.world.collections[key].remove(member)
            self.done(row)

        @precondition(lambda self: self.with_members())
        @rule(seed=SEEDS, at=PLACES)
        def move(self, seed: int, at: str) -> None:
            key = self.pick(seed, self.with_members())
            member = self.member(seed, key)
            members = self.world.collections[key]
            at, anchor, index = self.place(key, at, seed, member)
            row = db.one("collection_reorder", key=key, member=self.called(key, member), at=at, anchor=anchor)
            assert row["changed"] == (members.index(member) != index)
            members.remove(member)
            members.insert(index, member)
            if row["changed"]:
                self.done(row)

        @precondition(lambda self: self.with_members())
        @rule(seed=SEEDS, which=st.sampled_from(["head", "old", "unpin"]))
        def pin(self, seed: int, which: str) -> None:
            key = self.pick(seed, self.with_members())
            member = self.member(seed, key)
            named = {"key": key, "member": self.called(key, member)}
            if member.nested:
                if which != "unpin":
                    db.refuses("IU019", "collection_pin", **named)
                return
            versions = self.world.pieces[member.name]
            version = {"head": len(versions), "old": 1, "unpin": None}[which]
            if version is None:
                row = db.one("collection_unpin", **named)
            else:
                row = db.one("collection_pin", **named, version=1 if which == "old" else None)
            assert row["pinned_version"] == version
            assert row["changed"] == (member.pinned != version)
            member.pinned = version
            if row["changed"]:
                self.done(row)

        @precondition(lambda self: self.with_members())
        @rule(seed=SEEDS, pinned=st.booleans())
        def replace(self, seed: int, pinned: bool) -> None:
            key = self.pick(seed, self.with_members())
            member = self.member(seed, key)
            name = self.pick(seed + 1, self.world.pieces)
            version = 1 if pinned else None
            row = db.one("collection_replace", key=key, member=self.called(key, member), piece=name, version=version)
            assert row["changed"] == ((member.nested, member.name, member.pinned) != (False, name, version))
            member.nested, member.name, member.pinned = False, name, version
            if row["changed"]:
                self.done(row)

        @rule(seed=SEEDS)
        def rebalance(self, seed: int) -> None:
            key = self.pick(seed, self.world.collections)
            row = db.one("collection_rebalance", key=key)
            if row["changed"]:
                self.done(row)

        @precondition(lambda self: self.past)
        @rule(seed=SEEDS)
        def look_back(self, seed: int) -> None:
            """Any past change shows what stood then."""
            change = random.Random(seed).choice(sorted(self.past))
            world = self.past[change]
            for key in world.collections:
                assert db.render(key, as_of_change=change) == world.text(key)
                check_members(db, world, key, as_of_change=change)

        @precondition(lambda self: self.world.pieces)
        @rule(seed=SEEDS)
        def histories(self, seed: int) -> None:
            address = self.pick(seed, self.world.pieces)
            versions = self.world.pieces[address]
            rows = list(reversed(db.call("history", address=address)))
            assert [(row["version"], row["title"], row["lifecycle"]) for row in rows] == [
                (n, version.title, version.lifecycle) for n, version in enumerate(versions, 1)
            ]
            assert [db.one("show", address=address, version=n)["body"] for n in range(1, len(rows) + 1)] == [
                version.body for version in versions
            ]
            users = {key for key, members in self.world.collections.items() if address in [m.name for m in members]}
            above = {key for key in self.world.collections if users & self.world.below(key)}
            assert {row["key"] for row in db.call("where_used", address=address)} == above

        @invariant()
        def renders_are_as_the_model(self) -> None:
            for key in self.changed:
                assert db.render(key) == self.world.text(key)
                check_members(db, self.world, key)
                shown = db.one("collection_show", key=key)
                text = self.world.text(key)
                assert (shown["bytes"], shown["depth"]) == (len(text.encode()), self.world.depth(key))
            self.changed = set()

        def teardown(self) -> None:
            for change, world in self.past.items():
                for key in world.collections:
                    assert db.render(key, as_of_change=change) == world.text(key)

    return Verbs


def check_members(db: Database, world: World, key: str, **as_of: Any) -> None:
    """Order, numbers, pins and titles."""
    rows = db.call("collection_members", key=key, **as_of)
    assert [(row["member_id"], row["address"], row["member_kind"], row["pinned"]) for row in rows] == [
        (m.number, m.name, "collection" if m.nested else "piece", m.pinned is not None) for m in world.collections[key]
    ]
    for row, member in zip(rows, world.collections[key], strict=True):
        if not member.nested:
            version = world.shown(member)
            expected = (member.pinned or len(world.pieces[member.name]), version.title, version.lifecycle)
            assert (row["version"], row["title"], row["lifecycle"]) == expected


@pytest.mark.parametrize(("examples", "steps"), [(25, 15), (12, 50)], ids=["short", "long"])
def test_random_verbs_agree_with_the_model(db: Database, examples: int, steps: int) -> None:
    run_state_machine_as_test(
        machine(db),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
            database=None,
        ),
    )

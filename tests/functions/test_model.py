"""Random verbs against a model in plain Python: texts, members, histories, events, and the past at every change."""

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
from servers import times

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
    # Soft-deleted pieces and collections; what stands where stays as it is.
    hidden: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)

    def live(self) -> list[str]:
        """The collections that are not soft-deleted."""
        return [key for key in self.collections if key not in self.gone]

    def seen(self, key: str) -> list[Member]:
        """The members of a collection that are shown."""
        return [m for m in self.collections[key] if m.nested or m.name not in self.hidden]

    def text(self, key: str) -> str:
        """What a collection renders to."""
        return "".join(self.text(m.name) if m.nested else self.shown(m).body for m in self.seen(key))

    def places(self, name: str) -> int:
        """How often a piece stands anywhere, seen or not."""
        return sum(m.name == name and not m.nested for members in self.collections.values() for m in members)

    def unusable(self, name: str) -> str | None:
        """Why a piece may not be put anywhere."""
        if name in self.hidden:
            return "IU209"
        return "IU208" if self.pieces[name][-1].lifecycle == "retired" else None

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

        def done(self, row: dict[str, Any], *keys: str, events: list[tuple[str, str]]) -> None:
            """Keeps the state as of the change that was just made, and what to look at; it has exactly these events."""
            self.past[row["change_id"]] = copy.deepcopy(self.world)
            self.changed = set(keys) or set(self.world.collections)
            assert self.emitted(row["change_id"]) == events

        def emitted(self, change: int) -> list[tuple[str, str]]:
            """Type and subject of the events of a change."""
            return db.query(
                "select event_type, event_subject_ref from iucore.event_outbox where change_id = %s order by id",
                [change],
            )

        def nothing_done(self) -> None:
            """The call that was just made is recorded, and nobody hears of it."""
            assert self.emitted(db.value("select max(change_id) from iucore.change")) == []

        def pick(self, seed: int, of: Any) -> Any:
            return random.Random(seed).choice(sorted(of))

        def member(self, seed: int, key: str) -> Member:
            return random.Random(seed).choice(self.world.collections[key])

        def with_members(self) -> list[str]:
            return [key for key in self.world.live() if self.world.collections[key]]

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
                self.done(row, key, events=self.composed(key, len(seats)))
            births = self.emitted(rows[0]["change_id"])
            assert births == [("unit.created", address) for address in self.world.pieces]

        def composed(self, key: str, members: int) -> list[tuple[str, str]]:
            return [("collection.created", key), *[("collection.piece_added", key)] * members]

        @rule(body=BODIES)
        def create(self, body: str) -> None:
            row = db.piece(self.name(), body)
            self.world.pieces[row["address"]] = [Version(body, "T", "active")]
            self.done(row, events=[("unit.created", row["address"])])

        @rule(seed=SEEDS, body=BODIES | st.none(), title=st.sampled_from([None, "T", "U"]))
        def edit(self, seed: int, body: str | None, title: str | None) -> None:
            address = self.pick(seed, self.world.pieces)
            versions = self.world.pieces[address]
            old = versions[-1]
            call = {"address": address, "expected_version": len(versions), "body": body, "title": title}
            if address in self.world.hidden:
                db.refuses("IU209", "edit", **call)
                return
            row = db.one("edit", **call)
            new = Version(old.body if body is None else body, title or old.title, old.lifecycle)
            assert row["changed"] == (new != old)
            if new != old:
                versions.append(new)
                self.done(row, events=[("unit.edited", address)])
            else:
                self.nothing_done()
            assert row["version"] == len(versions)

        @rule(seed=SEEDS, back=st.integers(0, 3))
        def clone(self, seed: int, back: int) -> None:
            source = self.pick(seed, self.world.pieces)
            versions = self.world.pieces[source]
            version = max(1, len(versions) - back)
            call = {"source": source, "address": self.name(), "version": version if back else None}
            if source in self.world.hidden:
                db.refuses("IU209", "clone", **call)
                return
            row = db.one("clone", **call)
            origin = versions[version - 1]
            self.world.pieces[row["address"]] = [Version(origin.body, origin.title, "active")]
            self.done(row, events=[("unit.cloned", row["address"])])

        @rule(seed=SEEDS, lifecycle=st.sampled_from(["draft", "active", "retired"]))
        def lifecycle(self, seed: int, lifecycle: str) -> None:
            address = self.pick(seed, self.world.pieces)
            versions = self.world.pieces[address]
            call = {"address": address, "expected_version": len(versions), "lifecycle": lifecycle}
            if address in self.world.hidden:
                db.refuses("IU209", "lifecycle_set", **call)
                return
            self.lived(address, lifecycle, db.one("lifecycle_set", **call))

        def lived(self, address: str, lifecycle: str, row: dict[str, Any]) -> None:
            """A piece has a lifecycle now, by whichever verb."""
            versions = self.world.pieces[address]
            assert row["changed"] == (versions[-1].lifecycle != lifecycle)
            if row["changed"]:
                versions.append(Version(versions[-1].body, versions[-1].title, lifecycle))
                event = "unit.retired" if lifecycle == "retired" else "unit.lifecycle_set"
                self.done(row, events=[(event, address)])
            else:
                self.nothing_done()

        @rule(seed=SEEDS, refuse=st.booleans())
        def retire(self, seed: int, refuse: bool) -> None:
            address = self.pick(seed, self.world.pieces)
            places = self.world.places(address)
            if refuse and places:
                db.refuses("IU211", "retire", address=address, refuse_if_used=True)
            elif address in self.world.hidden:
                db.refuses("IU209", "retire", address=address, refuse_if_used=refuse)
            else:
                row = db.one("retire", address=address, refuse_if_used=refuse)
                assert (row["lifecycle"], row["places"]) == ("retired", places)
                self.lived(address, "retired", row)

        @rule(seed=SEEDS)
        def soft_delete(self, seed: int) -> None:
            address = self.pick(seed, self.world.pieces)
            if address in self.world.hidden:
                db.refuses("IU209", "soft_delete", address=address)
                return
            row = db.one("soft_delete", address=address)
            assert (row["lifecycle"], row["places"]) == ("soft_deleted", self.world.places(address))
            self.world.hidden.add(address)
            self.done(row, events=[("unit.soft_deleted", address)])

        @rule(seed=SEEDS, deleted=st.booleans())
        def restore(self, seed: int, deleted: bool) -> None:
            address = self.pick(seed, (deleted and self.world.hidden) or self.world.pieces)
            if address not in self.world.hidden:
                db.refuses("IU210", "restore", address=address)
                return
            row = db.one("restore", address=address)
            assert row["lifecycle"] == self.world.pieces[address][-1].lifecycle
            assert row["places"] == self.world.places(address)
            self.world.hidden.remove(address)
            self.done(row, events=[("unit.restored", address)])

        @rule(seed=SEEDS)
        def delete_collection(self, seed: int) -> None:
            key = self.pick(seed, self.world.collections)
            nested = any(m.nested and m.name == key for members in self.world.collections.values() for m in members)
            if key in self.world.gone or nested:
                db.refuses("IU212" if key in self.world.gone else "IU214", "collection_soft_delete", key=key)
                return
            row = db.one("collection_soft_delete", key=key)
            self.world.gone.add(key)
            self.done(row, key, events=[("collection.soft_deleted", key)])

        @rule(seed=SEEDS, deleted=st.booleans())
        def restore_collection(self, seed: int, deleted: bool) -> None:
            key = self.pick(seed, (deleted and self.world.gone) or self.world.collections)
            if key not in self.world.gone:
                db.refuses("IU213", "collection_restore", key=key)
                return
            row = db.one("collection_restore", key=key)
            self.world.gone.remove(key)
            self.done(row, key, events=[("collection.restored", key)])

        @precondition(lambda self: self.world.gone)
        @rule(seed=SEEDS, verb=st.sampled_from(["rebalance", "add", "remove"]))
        def change_a_deleted_collection(self, seed: int, verb: str) -> None:
            key, name = self.pick(seed, self.world.gone), self.pick(seed, self.world.pieces)
            db.refuses("IU212", f"collection_{verb}", key=key, **({} if verb == "rebalance" else {"member": name}))

        @precondition(lambda self: len(self.world.collections) < 5)
        @rule(seed=SEEDS, size=st.integers(0, 3))
        def compose(self, seed: int, size: int) -> None:
            dice = random.Random(seed)
            seats = [dice.choice(sorted(self.world.pieces)) for _ in range(size)]
            key = self.name()
            items = [{"piece": name, "version": 1} for name in seats]
            faults = [code for code in map(self.world.unusable, seats) if code]
            if faults:
                db.refuses(faults[0], "collection_create", key=key, kind="file", title="C", members=items)
                return
            row = db.file(key, *items)
            numbers = [m["member_id"] for m in db.call("collection_members", key=key)]
            self.world.collections[key] = [Member(n, name, False, 1) for n, name in zip(numbers, seats, strict=True)]
            self.done(row, key, events=self.composed(key, size))

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

        @precondition(lambda self: self.world.live())
        @rule(seed=SEEDS, at=PLACES, pinned=st.booleans())
        def add(self, seed: int, at: str, pinned: bool) -> None:
            key = self.pick(seed, self.world.live())
            name = self.pick(seed + 1, self.world.pieces)
            version = random.Random(seed).randint(1, len(self.world.pieces[name])) if pinned else None
            at, anchor, index = self.place(key, at, seed)
            fault = self.world.unusable(name)
            if fault:
                db.refuses(fault, "collection_add", key=key, member=name, at=at, anchor=anchor, version=version)
                return
            row = db.add(key, name, at=at, anchor=anchor, version=version)
            self.world.collections[key].insert(index, Member(row["member_id"], name, False, version))
            self.done(row, key, events=[("collection.piece_added", key)])

        @precondition(lambda self: self.world.live())
        @rule(seed=SEEDS, at=PLACES)
        def nest(self, seed: int, at: str) -> None:
            key = self.pick(seed, self.world.live())
            child = self.pick(seed + 1, self.world.collections)
            at, anchor, index = self.place(key, at, seed)
            arguments = {"key": key, "member": child, "at": at, "anchor": anchor, "member_kind": "collection"}
            if child in self.world.gone or key in self.world.below(child):
                db.refuses("IU212" if child in self.world.gone else "IU028", "collection_add", **arguments)
                return
            if len(self.world.text(child)) > 20_000:
                return
            row = db.one("collection_add", **arguments)
            self.world.collections[key].insert(index, Member(row["member_id"], child, True))
            self.done(row, events=[("collection.piece_added", key)])

        @precondition(lambda self: self.with_members())
        @rule(seed=SEEDS)
        def remove(self, seed: int) -> None:
            key = self.pick(seed, self.with_members())
            member = self.member(seed, key)
            row = db.one("collection_remove", key=key, member=self.called(key, member))
            assert row["member_id"] == member.number
            self.world.collections[key].remove(member)
            self.done(row, events=[("collection.piece_removed", key)])

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
                self.done(row, events=[("collection.piece_reordered", key)])
            else:
                self.nothing_done()

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
                event = "collection.piece_unpinned" if version is None else "collection.piece_pinned"
                self.done(row, events=[(event, key)])
            else:
                self.nothing_done()

        @precondition(lambda self: self.with_members())
        @rule(seed=SEEDS, pinned=st.booleans())
        def replace(self, seed: int, pinned: bool) -> None:
            key = self.pick(seed, self.with_members())
            member = self.member(seed, key)
            name = self.pick(seed + 1, self.world.pieces)
            version = 1 if pinned else None
            call = {"key": key, "member": self.called(key, member), "piece": name, "version": version}
            other = (member.nested, member.name, member.pinned) != (False, name, version)
            fault = self.world.unusable(name)
            if other and fault:
                db.refuses(fault, "collection_replace", **call)
                return
            row = db.one("collection_replace", **call)
            assert row["changed"] == other
            member.nested, member.name, member.pinned = False, name, version
            if other:
                self.done(row, events=[("collection.piece_replaced", key)])
            else:
                self.nothing_done()

        @precondition(lambda self: self.world.live())
        @rule(seed=SEEDS)
        def rebalance(self, seed: int) -> None:
            key = self.pick(seed, self.world.live())
            row = db.one("collection_rebalance", key=key)
            if row["changed"]:
                self.done(row, events=[("collection.rebalanced", key)])
            else:
                self.nothing_done()

        @precondition(lambda self: self.world.live())
        @rule(seed=SEEDS, verb=st.sampled_from(["record_render", "record_validation"]))
        def record(self, seed: int, verb: str) -> None:
            """What is recorded changes nothing, and is an event."""
            key = self.pick(seed, self.world.live())
            rows = db.call(verb, key=key)
            change = db.value("select max(change_id) from iucore.change")
            if verb == "record_render":
                assert rows[0]["body"] == self.world.text(key)
            event = {"record_render": "collection.rendered", "record_validation": "collection.validated"}[verb]
            self.done({"change_id": change}, key, events=[(event, key)])

        @precondition(lambda self: self.past)
        @rule(seed=SEEDS)
        def look_back(self, seed: int) -> None:
            """Any past change shows what stood then."""
            change = random.Random(seed).choice(sorted(self.past))
            world = self.past[change]
            for key in world.collections:
                if key in world.gone:
                    db.refuses("IU212", "render", key=key, as_of_change=change)
                    continue
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
            assert {row["key"] for row in db.call("where_used", address=address)} == above - self.world.gone
            head = "soft_deleted" if address in self.world.hidden else versions[-1].lifecycle
            assert db.one("show", address=address)["lifecycle"] == head

        @invariant()
        def renders_are_as_the_model(self) -> None:
            for key in self.changed:
                if key in self.world.gone:
                    db.refuses("IU212", "render", key=key)
                    continue
                assert db.render(key) == self.world.text(key)
                check_members(db, self.world, key)
                check_findings(db, self.world, key)
                shown = db.one("collection_show", key=key)
                text = self.world.text(key)
                assert (shown["bytes"], shown["depth"]) == (len(text.encode()), self.world.depth(key))
            self.changed = set()

        def teardown(self) -> None:
            for change, world in self.past.items():
                for key in world.live():
                    assert db.render(key, as_of_change=change) == world.text(key)

    return Verbs


def check_members(db: Database, world: World, key: str, **as_of: Any) -> None:
    """Order, numbers, pins and titles."""
    rows = db.call("collection_members", key=key, **as_of)
    assert [(row["member_id"], row["address"], row["member_kind"], row["pinned"]) for row in rows] == [
        (m.number, m.name, "collection" if m.nested else "piece", m.pinned is not None) for m in world.seen(key)
    ]
    for row, member in zip(rows, world.seen(key), strict=True):
        if not member.nested:
            version = world.shown(member)
            expected = (member.pinned or len(world.pieces[member.name]), version.title, version.lifecycle)
            assert (row["version"], row["title"], row["lifecycle"]) == expected


def check_findings(db: Database, world: World, key: str) -> None:
    """Validation flags every hidden member, and every one that shows a retired version."""
    rows = db.call("collection_validate", key=key)
    hidden = [m.number for m in world.collections[key] if m not in world.seen(key)]
    assert sorted(row["member_id"] for row in rows if row["code"] == "soft_deleted") == sorted(hidden)
    retired = [m.number for m in world.seen(key) if not m.nested and world.shown(m).lifecycle == "retired"]
    assert [row["member_id"] for row in rows if row["code"] == "retired"] == retired


@pytest.mark.parametrize(("examples", "steps"), [(25, 15), (12, 50)], ids=["short", "long"])
def test_random_verbs_agree_with_the_model(db: Database, examples: int, steps: int) -> None:
    run_state_machine_as_test(
        machine(db),
        settings=settings(
            max_examples=times(examples),
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
            database=None,
        ),
    )
    if steps == 50 and times(examples) == examples:
        # Every verb of the machine did something.
        happened = {event for (event,) in db.query("select distinct event_type from iucore.event_outbox")}
        assert happened == {
            *(f"unit.{name}" for name in ("created", "cloned", "edited", "lifecycle_set", "retired")),
            *(f"unit.{name}" for name in ("soft_deleted", "restored")),
            *(
                f"collection.piece_{name}"
                for name in ("added", "removed", "reordered", "pinned", "unpinned", "replaced")
            ),
            *(f"collection.{name}" for name in ("created", "rebalanced", "rendered", "validated")),
            *(f"collection.{name}" for name in ("soft_deleted", "restored")),
        }

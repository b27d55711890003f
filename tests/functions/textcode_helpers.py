"""Folders, documents and random edits for the laws of text-as-code."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import psycopg
from event_laws import assert_events
from hypothesis import strategies as st
from servers import url_of
from sqlalchemy import create_engine, text

from iucore import collections, units
from iucore.textcode import apply as applying
from iucore.textcode import cut, manifest
from iucore.textcode.export import Exported, current, export, standing
from iucore.textcode.plan import Plan, plan

Tree = dict[str, bytes]


def tree(directory: Path) -> Tree:
    """Every file of a folder but the manifest."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.name != manifest.NAME
    }


def whole(directory: Path) -> Tree:
    """Every file of a folder."""
    return {**tree(directory), manifest.NAME: (directory / manifest.NAME).read_bytes()}


def replace_tree(directory: Path, new: Mapping[str, bytes]) -> None:
    """Write what differs, and remove what is not there any more."""
    old = tree(directory)
    for path in old.keys() - new.keys():
        (directory / path).unlink()
    for path, data in new.items():
        if old.get(path) != data:
            (directory / path).parent.mkdir(parents=True, exist_ok=True)
            (directory / path).write_bytes(data)


def read_manifest(directory: Path) -> manifest.Manifest:
    """The manifest of a folder."""
    return manifest.load((directory / manifest.NAME).read_bytes())


class World:
    """One database; every example has a prefix and folders of its own in it."""

    def __init__(self, url: str, folder: Path) -> None:
        self.engine = create_engine(url)
        self.folder = folder
        self.numbers = itertools.count(1)

    def prefix(self) -> str:
        """A prefix that nothing has."""
        return f"w{next(self.numbers)}"

    def directory(self) -> Path:
        """A folder that is not there."""
        return self.folder / f"d{next(self.numbers)}"

    def born(self, bodies: Mapping[str, str], kind: str = "text") -> None:
        """Pieces, by address."""
        pieces: list[units.NewPiece] = [
            {"address": address, "kind": kind, "title": "T", "body": body} for address, body in bodies.items()
        ]
        with self.engine.begin() as connection:
            units.create_many(connection, pieces=pieces, reason="test")

    def composed(self, key: str, members: Iterable[Any], kind: str = "file") -> None:
        """A collection; a member is an address, or what ``collections.create`` takes."""
        given = [{"piece": member} if isinstance(member, str) else member for member in members]
        with self.engine.begin() as connection:
            collections.create(connection, key=key, kind=kind, title="C", members=given, reason="test")  # type: ignore[arg-type]

    def imported(self, prefix: str, files: Mapping[str, str], *, nest: bool = False, level: int = 6) -> None:
        """Documents as ``iucore cut`` makes them."""
        documents = tuple(
            cut.cut_document(body, path=PurePosixPath(path), prefix=prefix, nest=nest, level=level)
            for path, body in files.items()
        )
        with self.engine.begin() as connection:
            cut.apply(connection, cut.Plan(documents), reason="test")

    def handmade(self, key: str, *bodies: str, kind: str = "file") -> list[str]:
        """A document of pieces with just these bodies; their addresses."""
        addresses = [f"{key}#p{number}" for number in range(1, len(bodies) + 1)]
        if bodies:
            self.born(dict(zip(addresses, bodies, strict=True)))
        self.composed(key, addresses, kind)
        return addresses

    def edit(self, address: str, body: str) -> None:
        """A new version of a piece, made in the database."""
        with self.engine.begin() as connection:
            head = units.show(connection, address=address)
            units.edit(connection, address=address, expected_version=head.version, body=body, reason="test")

    def do(self, verb: Any, **arguments: Any) -> Any:
        """One governed call, committed."""
        with self.engine.begin() as connection:
            return verb(connection, **{"reason": "test", **arguments})

    def render(self, key: str) -> str:
        """The text of a collection."""
        with self.engine.begin() as connection:
            return collections.render(connection, key=key)

    def body(self, address: str) -> str:
        """The head of a piece."""
        with self.engine.begin() as connection:
            return units.show(connection, address=address).body

    def members(self, key: str) -> list[str]:
        """Addresses and keys in order."""
        with self.engine.begin() as connection:
            return [member.address for member in collections.members(connection, key=key)]

    def counts(self) -> dict[str, int]:
        """Rows of the tables that any change adds to."""
        names = ("change", "event_outbox", "information_unit", "unit_version", "collection", "collection_member")
        statement = " union all ".join(f"select '{name}', count(*) from iucore.{name}" for name in names)
        with self.engine.begin() as connection:
            return {str(name): int(count) for name, count in connection.execute(text(statement))}

    def deleted(self, prefix: str) -> int:
        """How many pieces and collections below a prefix are soft-deleted."""
        with self.engine.begin() as connection:
            return sum(
                connection.execute(
                    text(f"select count(*) from iucore.{table} where {name} like :p and deleted_change is not null"),
                    {"p": f"{prefix}%"},
                ).scalar_one()
                for table, name in (("information_unit", "address"), ("collection", "key"))
            )

    def compositions(self, keys: Sequence[str]) -> dict[str, Any]:
        """What each collection shows now."""
        with self.engine.begin() as connection:
            found = standing(connection, current(connection, keys).values())
        return {
            key: [(one.members, one.within, one.address, one.version, one.pinned, one.label) for one in each.pieces]
            for key, each in found.items()
        }

    def export(self, directory: Path, **asked: Any) -> Exported:
        """Export, at one moment."""
        with self.engine.begin() as connection:
            return export(connection, directory, **asked)

    def plan(self, directory: Path, **asked: Any) -> Plan:
        """Plan, at one moment."""
        with self.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            return plan(connection, directory, **asked)

    def apply(self, made: Plan, **asked: Any) -> applying.Applied:
        """Apply, and commit; a plan goes through its file."""
        loaded, _ = applying.load(applying.dump(made))
        assert (loaded.calls, loaded.pieces, loaded.base) == (made.calls, made.pieces, made.base)
        with self.engine.begin() as connection:
            return applying.apply(connection, loaded, **{"reason": "test", "allow_remove": True, **asked})

    def finish(self, directory: Path, made: Plan) -> list[str]:
        """Bring the folder up to date."""
        with self.engine.begin() as connection:
            return applying.finish(connection, directory, made)

    def bring(self, directory: Path, *, allow_remove: bool = True, **asked: Any) -> Plan:
        """Plan, apply and finish."""
        made = self.plan(directory, **asked)
        self.apply(made, allow_remove=allow_remove)
        assert self.finish(directory, made) == []
        return made


@contextmanager
def one_world(admin: psycopg.Connection[Any], template: str, folder: Path) -> Iterator[World]:
    """A world on a clone of the template; the laws of events hold in it at the end."""
    name = f"t_{uuid.uuid4().hex}"
    admin.execute(f'create database {name} template "{template}"')
    made = World(url_of(name), folder)
    yield made
    made.engine.dispose()
    info = admin.info
    with psycopg.connect(host=info.host, port=info.port, user=info.user, dbname=name) as connection:
        assert_events(connection)
    admin.execute(f"drop database {name} with (force)")


# ---------------------------------------------------------------------------------------------------------- documents

LINES = [
    "The first line of a text that people write.",
    "Owners are named for each part.",
    "Nothing is decided before the review, and the review is public.",
    "- a list item\n- and another one",
    "See *section two* for what it costs.",
    "x",
    "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich.",
    "```\n# no heading\n```",
    "It was agreed in May; it is agreed no more.",
    "",
]
TITLES = ["Summary", "Goals", "Non-goals", "Risks", "Design", "Alternatives", "Notes"]
HAND = [
    "",
    "no line end",
    "one line\n",
    "# Hand\n\nmade\n",
    "crlf\r\nmore\r\n",
    "old mac\rline",
    "\n",
    "two\n\nparagraphs, really\n",
    "ends with a heading\n# Tail",
    "| a | b |\n|---|---|\n",
]


@st.composite
def sections(draw: st.DrawFn, most: int = 5) -> str:
    """Markdown with headings."""
    parts = [draw(st.sampled_from(["", "", "Preamble without heading.\n\n", "---\ntitle: x\n---\n\n"]))]
    for _ in range(draw(st.integers(1, most))):
        lines = draw(st.lists(st.sampled_from(LINES), max_size=3))
        title = draw(st.sampled_from(TITLES))
        parts.append(f"{'#' * draw(st.integers(1, 3))} {title}\n\n" + "".join(f"{line}\n" for line in lines))
        parts.append(draw(st.sampled_from(["", "\n"])))
    made = "".join(parts)
    if draw(st.integers(0, 5)) == 0:
        made = made.rstrip("\n")
    return made.replace("\n", "\r\n") if draw(st.integers(0, 5)) == 0 else made


paragraphs = st.lists(
    st.lists(st.sampled_from(LINES[:3] + LINES[4:9]), min_size=1, max_size=3), min_size=1, max_size=4
).map(lambda found: "\n".join("".join(f"{line}\n" for line in lines) for lines in found))


@dataclass
class Library:
    """Documents below a prefix, still to be made; everything that names another names it by number."""

    markdown: list[str] = field(default_factory=list)
    nested: list[str] = field(default_factory=list)
    plain: list[str] = field(default_factory=list)
    hand: list[list[str]] = field(default_factory=list)
    shared: list[int] = field(default_factory=list)  # numbers of pieces that a further document is made of
    pinned: list[tuple[int, bool]] = field(default_factory=list)  # the same, pinned; edited behind the pin or not
    annex: list[str] = field(default_factory=list)  # a collection that stands in two documents
    flow: list[str] = field(default_factory=list)

    def make(self, world: World, prefix: str) -> set[str]:
        """Make it; the addresses of pieces that cannot be edited in one file without contradiction."""
        files = {f"md{number}.md": body for number, body in enumerate(self.markdown)}
        files |= {f"sub/txt{number}.txt": body for number, body in enumerate(self.plain)}
        world.imported(prefix, files)
        world.imported(prefix, {f"nest{number}.md": body for number, body in enumerate(self.nested)}, nest=True)
        addresses: list[str] = []
        for number, bodies in enumerate(self.hand):
            addresses += world.handmade(f"{prefix}/hand{number}.md", *bodies)
        with world.engine.begin() as connection:
            there = [one.address for one in units.list_pieces(connection, prefix=f"{prefix}/", limit=None)]
        touchy: set[str] = set()
        if self.shared and there:
            chosen = list(dict.fromkeys(there[number % len(there)] for number in self.shared))
            world.composed(f"{prefix}/shared.md", chosen)
        if self.pinned and there:
            chosen_pins = {there[number % len(there)]: behind for number, behind in self.pinned}
            world.composed(f"{prefix}/pinned.md", [{"piece": address, "version": 1} for address in chosen_pins])
            for address, behind in chosen_pins.items():
                if behind:
                    world.edit(address, world.body(address) + "behind the pin\n")
        if self.annex:
            root = f"{prefix}/one.md#annex"
            world.born({f"{root}-{number}": body for number, body in enumerate(self.annex)})
            world.composed(root, [f"{root}-{number}" for number in range(len(self.annex))])
            for key in ("one.md", "two.md"):
                world.born(
                    {f"{prefix}/{key}#front": f"# Front of {key}\n", f"{prefix}/{key}#back": f"# Back of {key}\n"}
                )
                world.composed(
                    f"{prefix}/{key}",
                    [f"{prefix}/{key}#front", {"collection": root}, f"{prefix}/{key}#back"],
                )
        if self.flow:
            world.handmade(f"{prefix}/flow", *self.flow, kind="workflow")
        return touchy


def libraries(nested: bool = True, pinned: bool = True, shared: bool = True) -> st.SearchStrategy[Library]:
    """Small libraries with something of everything."""
    none: st.SearchStrategy[Any] = st.just([])
    bodies = st.lists(st.sampled_from(HAND), max_size=5)
    return st.builds(
        Library,
        markdown=st.lists(sections(), min_size=1, max_size=2),
        nested=none | st.lists(sections(), max_size=1) if nested else none,
        plain=none | st.lists(paragraphs, max_size=1),
        hand=none | st.lists(bodies, max_size=2),
        shared=none | st.lists(st.integers(0, 20), max_size=3) if shared else none,
        pinned=none | st.lists(st.tuples(st.integers(0, 20), st.booleans()), max_size=2) if pinned else none,
        annex=none | st.lists(st.sampled_from(HAND[1:]), min_size=1, max_size=3) if nested else none,
        flow=none | st.lists(st.sampled_from(HAND[2:4]), max_size=3),
    )


entangled: st.SearchStrategy[Library] = st.builds(
    Library,
    markdown=st.lists(sections(3), min_size=1, max_size=2),
    nested=st.lists(sections(4), max_size=1),
    hand=st.lists(st.lists(st.sampled_from(HAND[1:]), min_size=1, max_size=3, unique=True), max_size=1),
    shared=st.lists(st.integers(0, 20), min_size=1, max_size=3),
    pinned=st.lists(st.tuples(st.integers(0, 20), st.booleans()), max_size=2),
    annex=st.just([]) | st.lists(st.sampled_from(HAND[2:]), min_size=1, max_size=3),
)
"""Libraries with pieces that stand in more than one document, pinned and in nested collections too."""


# -------------------------------------------------------------------------------------------------------------- edits

VERBS_OF_TEXTS = ("line", "words", "insert", "cut_line", "head", "drop", "retitle", "move", "twice")
VERBS_OF_FILES = ("across", "new_file", "rename_file", "delete_file", "rewrite", "empty")

Edit = tuple[str, int, int, int, str]


def edits(verbs: Sequence[str], most: int = 4) -> st.SearchStrategy[list[Edit]]:
    """A script: what to do, to which file, at which place, to which place, with which text."""
    numbers = st.integers(0, 30)
    texts = st.sampled_from([*LINES, "## Sudden heading", "a new word", "\ttabbed"])
    return st.lists(st.tuples(st.sampled_from(verbs), numbers, numbers, numbers, texts), min_size=1, max_size=most)


def edited(files: Mapping[str, bytes], script: Iterable[Edit]) -> Tree:
    """The files after a script."""
    now = {path: data.decode() for path, data in files.items()}
    for number, (verb, which, at, to, new) in enumerate(script):
        paths = sorted(path for path in now if not path.endswith(".steps.md"))
        if verb == "new_file" or not paths:
            now[f"new{number}.md"] = f"# New {which}\n\n{new}\n\n## More\n\n{new}\n"
            continue
        path = paths[which % len(paths)]
        body = now[path]
        suffix = PurePosixPath(path).suffix
        lines = cut.split_lines(body)
        parts = [segment.body for segment in cut.cut(body, suffix=suffix)]
        end = "\r\n" if "\r\n" in body else "\n"
        i, j = at % len(lines) if lines else 0, at % len(parts) if parts else 0
        if verb in ("line", "words") and lines:
            kept = lines[i].rstrip("\r\n")
            lines[i] = (f"{kept} {new}" if verb == "words" else new).replace("\n", end) + lines[i][len(kept) :]
            now[path] = "".join(lines)
        elif verb == "insert":
            now[path] = "".join([*lines[:i], f"{new}\n".replace("\n", end), *lines[i:]])
        elif verb == "cut_line":
            now[path] = "".join([*lines[:i], *lines[i + 1 :]])
        elif verb == "head":
            inserted = f"## Inserted {to}\n\n{new}\n".replace("\n", end)
            now[path] = "".join([*parts[:j], inserted, *parts[j:]])
        elif verb == "drop":
            now[path] = "".join([*parts[:j], *parts[j + 1 :]])
        elif verb == "retitle" and parts and parts[j].startswith("#"):
            first, *rest = cut.split_lines(parts[j])
            parts[j] = "".join([f"{first.split(' ')[0]} Another title{end}", *rest])
            now[path] = "".join(parts)
        elif verb == "move" and parts:
            taken = parts.pop(j)
            parts.insert(to % (len(parts) + 1), taken)
            now[path] = "".join(parts)
        elif verb == "twice" and parts:
            parts.insert(to % (len(parts) + 1), parts[j])
            now[path] = "".join(parts)
        elif verb == "across" and parts:
            other = paths[to % len(paths)]
            if other != path:
                now[path] = "".join([*parts[:j], *parts[j + 1 :]])
                there = [segment.body for segment in cut.cut(now[other], suffix=PurePosixPath(other).suffix)]
                place = at % (len(there) + 1)
                now[other] = "".join([*there[:place], parts[j], *there[place:]])
        elif verb == "rename_file":
            now[f"renamed/{number}{suffix}"] = now.pop(path)
        elif verb == "delete_file":
            del now[path]
        elif verb == "rewrite":
            now[path] = f"# Rewritten\n\n{new}\n"
        elif verb == "empty":
            now[path] = ""
    return {path: body.encode() for path, body in now.items()}

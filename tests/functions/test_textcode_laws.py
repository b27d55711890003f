"""The laws of text-as-code, over generated documents and random edits, in one database."""

from __future__ import annotations

import os
import random
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import Phase, assume, event, given, settings
from hypothesis import strategies as st
from pytest_postgresql.executors.noop import NoopExecutor
from servers import times
from textcode_helpers import (
    VERBS_OF_FILES,
    VERBS_OF_TEXTS,
    Library,
    World,
    edited,
    edits,
    entangled,
    libraries,
    one_world,
    read_manifest,
    replace_tree,
    tree,
    whole,
)

from iucore import collections
from iucore.errors import ConflictError, InvalidError
from iucore.textcode.manifest import Document, Manifest, Piece
from iucore.textcode.plan import PlannedPiece
from iucore.textcode.status import status


@pytest.fixture(scope="module")
def world(
    admin: psycopg.Connection[Any], at_head: NoopExecutor, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """One database for all laws."""
    with one_world(admin, at_head.template_dbname, tmp_path_factory.mktemp("laws")) as made:
        yield made


def examples(number: int) -> settings:
    """So many examples, and none of them made smaller: each is a dozen transactions."""
    return settings(max_examples=times(number), phases=[Phase.explicit, Phase.generate])


LAYOUTS = st.sampled_from(["documents", "documents", "documents", "pieces"])


@examples(6)
@given(library=libraries(), layout=LAYOUTS, by_prefix=st.booleans())
def test_what_was_not_edited_changes_nothing(world: World, library: Library, layout: str, by_prefix: bool) -> None:
    prefix, one, other = world.prefix(), world.directory(), world.directory()
    library.make(world, prefix)
    before = world.counts()
    with world.engine.begin() as connection:
        keys = [c.key for c in collections.list_collections(connection, prefix=prefix, limit=None) if "#" not in c.key]
    asked: dict[str, Any] = {"prefix": prefix} if by_prefix else {"keys": keys}
    done = world.export(one, layout=layout, **asked)
    world.export(other, layout=layout, **asked)
    first = whole(one)
    assert whole(other) == first
    assert done.documents == len(keys)
    if layout == "documents":
        for document in read_manifest(one).documents:
            assert first[document.path].decode() == world.render(document.key)
    stamps = {path: (one / path).stat().st_mtime_ns for path in first}
    again = world.export(one)
    assert (again.written, whole(one)) == (0, first)
    made = world.plan(one, fork=True)
    assert (made.calls, made.pieces, made.files, made.touched) == ((), (), (), ())
    assert made.unchanged == done.pieces
    with world.engine.begin() as connection:
        assert status(connection, one).different == []
    assert world.apply(made, allow_remove=False).documents == 0
    assert world.finish(one, made) == []
    assert whole(one) == first
    assert {path: (one / path).stat().st_mtime_ns for path in first} == stamps
    assert world.counts() == before


@examples(15)
@given(library=libraries(), script=edits([*VERBS_OF_TEXTS * 2, *VERBS_OF_FILES]))
def test_what_is_edited_lands_byte_for_byte(world: World, library: Library, script: Any) -> None:
    prefix, folder = world.prefix(), world.directory()
    library.make(world, prefix)
    world.export(folder, prefix=prefix)
    base, files = read_manifest(folder), tree(folder)
    wanted = edited(files, script)
    replace_tree(folder, wanted)
    before, shown = world.counts(), world.compositions([one.key for one in base.documents])
    try:
        made = world.plan(folder, fork=True)
    except InvalidError as error:
        assert error.sqlstate == "IU053", error
        event("IU053")
        return
    assert world.counts() == before, "a plan writes nothing"
    assert tree(folder) == wanted
    if made.conflicts:
        event("conflict")
        for clash in made.conflicts:
            assert contradictory(clash, base), clash
        with pytest.raises(ConflictError) as refused:
            world.apply(made)
        assert refused.value.sqlstate == "IU215"
        assert (world.counts(), tree(folder)) == (before, wanted)
        return
    if made.missing:
        with pytest.raises(InvalidError) as missing:
            world.apply(made, allow_remove=False)
        assert missing.value.sqlstate == "IU052"
        assert world.counts() == before
    done = world.apply(made)
    event(f"calls: {min(done.calls, 5)}")
    after = world.counts()
    assert (after == before) == (not made.calls)
    assert world.deleted(prefix) == 0
    # What the files say is what the database says.
    paths = {one.path: one for one in base.documents}
    renamed = {one.was: one.path for one in made.files if one.was is not None}
    expected = {renamed.get(path, path): one.key for path, one in paths.items()}
    expected |= {one.path: one.key for one in made.results}
    gone = {one.path for one in made.files if one.state == "deleted"}
    # A collection that stands in two documents is edited in both.
    annexed = {one.path for one in base.documents if library.annex and one.path in ("one.md", "two.md")}
    annexed |= {renamed[path] for path in annexed if path in renamed}
    texts = {path: data for path, data in wanted.items() if not path.endswith(".steps.md")}
    for path in texts.keys() & annexed:
        texts[path] = world.render(expected[path]).encode()
    for path, data in texts.items():
        assert world.render(expected[path]).encode() == data, path
    # The effect is what the plan says.
    now = world.compositions([one.key for one in base.documents])
    for document in base.documents:
        if document.key not in made.touched:
            assert now[document.key] == shown[document.key], document.key
        if renamed.get(document.path, document.path) not in wanted:
            continue
        said = {one.address for one in made.pieces} | {one.forked for one in made.pieces}
        versions = {(row[2], row[3]) for row in now[document.key]}
        for piece in document.pieces:
            if piece.address not in said:
                assert (piece.address, piece.version) in versions
    # The folder is what an export makes.
    assert world.finish(folder, made) == []
    left = {path: data for path, data in tree(folder).items() if not path.endswith(".steps.md")}
    assert left == texts
    again = world.plan(folder, fork=True)
    assert (again.calls, again.pieces) == ((), ())
    assert {one.state for one in again.files} <= {"deleted"}
    if gone or renamed or any(one.state == "generated" for one in made.files):
        return
    fresh = world.directory()
    world.export(fresh, prefix=prefix)
    assert whole(fresh) == whole(folder)
    unchanged = whole(folder)
    assert world.export(folder).written == 0
    assert whole(folder) == unchanged
    shutil.rmtree(fresh)


# ---------------------------------------------------------------------------------------------------- two editors

BODIES = st.sampled_from(
    [
        "# One\n\nfirst of one\nsecond of one\n\n",
        "# Two\n\ntext of two\n",
        "### Three\n",
        "# Four\r\n\r\ncrlf of four\r\n",
    ]
)


def part_edit(body: str, kind: str, word: str) -> str:
    """An edit inside one piece, or the piece with a new one behind it."""
    end = "\r\n" if "\r\n" in body else "\n"
    if kind == "words":
        first = body.split(end)[0]
        return body.replace(first, f"{first} {word}", 1)
    if kind == "line":
        return f"{body}a line of {word}{end}"
    return f"{body}# Section of {word}{end}{end}new text of {word}{end}"


@examples(4)
@given(
    count=st.integers(2, 6),
    one=st.integers(0, 20),
    other=st.integers(0, 20),
    kinds=st.tuples(st.sampled_from(["words", "line", "new"]), st.sampled_from(["words", "line", "new"])),
    shapes=st.lists(BODIES, min_size=6, max_size=6),
    layout=st.sampled_from(["documents", "pieces"]),
)
def test_editors_of_different_pieces_both_land_in_either_order(
    world: World, count: int, one: int, other: int, kinds: tuple[str, str], shapes: list[str], layout: str
) -> None:
    one, other = one % count, other % count
    if one == other:
        other = (one + 1) % count
    if layout == "pieces":
        kinds = tuple("line" if kind == "new" else kind for kind in kinds)  # type: ignore[assignment]
    bodies = [f"{shape.split()[0]} {number} {shape[2:]}" for number, shape in enumerate(shapes[:count])]
    ends = []
    for turn in (1, -1):
        prefix = world.prefix()
        addresses = world.handmade(f"{prefix}/a.md", *bodies)
        folders = [world.directory(), world.directory()]
        for folder in folders:
            world.export(folder, keys=[f"{prefix}/a.md"], layout=layout)
        editors = list(zip(folders, (one, other), kinds, ("Anna", "Berta"), strict=True))
        for folder, which, kind, word in editors:
            new = [part_edit(body, kind, word) if at == which else body for at, body in enumerate(bodies)]
            (document,) = read_manifest(folder).documents
            if layout == "pieces":
                (folder / (document.pieces[which].file or "")).write_bytes(new[which].encode())
            else:
                (folder / document.path).write_bytes("".join(new).encode())
        for folder, which, kind, _ in editors[::turn]:
            made = world.plan(folder)
            assert made.conflicts == []
            assert made.unchanged == count - (kind != "new")
            if kind != "new":
                assert [(piece.state, piece.address) for piece in made.pieces] == [("edited", addresses[which])]
            world.apply(made, allow_remove=False)
            assert world.finish(folder, made) == []
            assert world.plan(folder).pieces == ()
        ends.append(world.render(f"{prefix}/a.md"))
        both = [
            part_edit(body, kinds[0], "Anna")
            if at == one
            else part_edit(body, kinds[1], "Berta")
            if at == other
            else body
            for at, body in enumerate(bodies)
        ]
        assert ends[-1] == "".join(both)
        last = folders[0] if turn == -1 else folders[1]
        if layout == "documents":
            assert [*tree(last).values()] == [ends[-1].encode()]
        for folder in folders:
            world.export(folder)
        assert whole(folders[0]) == whole(folders[1])
    assert ends[0] == ends[1]


@examples(8)
@given(
    lines=st.integers(3, 8),
    one=st.integers(0, 30),
    other=st.integers(0, 30),
    layout=st.sampled_from(["documents", "pieces"]),
    shared=st.booleans(),
)
def test_editors_of_one_piece_merge_or_conflict(
    world: World, lines: int, one: int, other: int, layout: str, shared: bool
) -> None:
    one, other = one % lines, other % lines
    body = [f"line {number}\n" for number in range(lines)]
    mine = [f"{line[:-1]} of Anna\n" if at == one else line for at, line in enumerate(body)]
    theirs = [f"{line[:-1]} of Berta\n" if at == other else line for at, line in enumerate(body)]
    prefix = world.prefix()
    (address,) = world.handmade(f"{prefix}/a.md", "".join(body))
    if shared:
        world.composed(f"{prefix}/b.md", [address])
    folders = [world.directory(), world.directory()]
    for folder, new in zip(folders, (mine, theirs), strict=True):
        world.export(folder, prefix=prefix, layout=layout)
        path = next(path for path in tree(folder) if path.endswith(".md") and "b.md" not in path)
        (folder / path).write_bytes("".join(new).encode())
    first = world.bring(folders[0])
    assert world.body(address) == "".join(mine)
    if shared:
        assert world.render(f"{prefix}/b.md") == "".join(mine)
        assert first.pieces[0].elsewhere == (f"{prefix}/b.md",)
    before, left = world.counts(), whole(folders[1])
    made = world.plan(folders[1])
    if one == other:
        assert [piece.address for piece in made.conflicts] == [address]
        with pytest.raises(ConflictError) as refused:
            world.apply(made)
        assert refused.value.sqlstate == "IU215"
        assert world.counts() == before
        marked = made.marked[path]
        assert all(mark in marked for mark in ("<<<<<<< ", "=======\n", ">>>>>>> ", " of Anna", " of Berta"))
        assert whole(folders[1]) == left
        return
    assert made.conflicts == []
    world.apply(made)
    both = [theirs[at] if at == other else line for at, line in enumerate(mine)]
    assert world.body(address) == "".join(both)
    assert world.finish(folders[1], made) == []
    assert (folders[1] / path).read_bytes() == "".join(both).encode()
    assert world.plan(folders[1]).files == ()


@examples(12)
@given(
    count=st.integers(4, 8),
    one=st.tuples(st.integers(0, 30), st.integers(0, 30)),
    other=st.tuples(st.integers(0, 30), st.integers(0, 30)),
    layout=st.sampled_from(["documents", "pieces"]),
    here=st.sampled_from(["move", "add", "remove"]),
    there=st.sampled_from(["move", "add", "remove"]),
)
def test_orders_merge_when_they_touch_different_pieces(
    world: World, count: int, one: Any, other: Any, layout: str, here: str, there: str
) -> None:
    prefix = world.prefix()
    bodies = [f"# Part {number}\n\ntext of part {number}, {word}\n" for number, word in enumerate("abcdefgh"[:count])]
    addresses = world.handmade(f"{prefix}/a.md", *bodies)
    world.born({f"{prefix}/extra/1": "# Extra by one\n\nfor one\n", f"{prefix}/extra/2": "# Extra by two\n\nfor two\n"})
    mine, theirs = one[0] % count, other[0] % count
    if mine == theirs:
        theirs = (mine + 1) % count
    folder = world.directory()
    world.export(folder, keys=[f"{prefix}/a.md"], layout=layout)

    def changed(order: list[str], what: str, which: int, to: int, extra: str) -> list[str]:
        order = list(order)
        if what == "add":
            order.insert(to % (len(order) + 1), extra)
            return order
        order.remove(addresses[which])
        if what == "move":
            order.insert(to % (len(order) + 1), addresses[which])
        return order

    # Two neighbours that change places: either may be the one that moved.
    assume(here != "move" or abs(mine - one[1] % count) != 1)
    ours = changed(addresses, here, mine, one[1], f"{prefix}/extra/1")
    now = changed(addresses, there, theirs, other[1], f"{prefix}/extra/2")
    # In the database by calls.
    at: dict[str, Any] = {
        "key": f"{prefix}/a.md",
        "member": addresses[theirs] if there != "add" else f"{prefix}/extra/2",
    }
    place = now.index(at["member"]) if at["member"] in now else 0
    if there == "remove":
        world.do(collections.remove, **at)
    else:
        where = {"at": "after", "anchor": now[place - 1]} if place else {"at": "first"}
        world.do(collections.add if there == "add" else collections.reorder, **at, **where)
    assert world.members(f"{prefix}/a.md") == now
    # In the folder.
    (path,) = [path for path in tree(folder) if layout == "documents" or path.endswith("ORDER")]
    text = {**dict(zip(addresses, bodies, strict=True)), f"{prefix}/extra/1": "# Extra by one\n\nfor one\n"}
    (folder / path).write_text("".join(text[each] if layout == "documents" else f"{each}\n" for each in ours))
    before = world.counts()
    made = world.plan(folder)
    assert made.conflicts == []
    world.apply(made)
    after = world.members(f"{prefix}/a.md")
    named = {f"{prefix}/a.md#extra-by-one": f"{prefix}/extra/1"}
    after = [named.get(each, each) for each in after]
    assert set(after) == (set(ours) & set(now)) | (set(ours) | set(now)) - set(addresses)
    still = {addresses[mine], addresses[theirs]}
    calm = [each for each in addresses if each not in still]
    assert [each for each in after if each in calm] == calm
    assert world.counts()["information_unit"] == before["information_unit"] + (layout == "documents" and here == "add")
    assert world.finish(folder, made) == []
    assert {one.state for one in world.plan(folder).files} <= {"moved on"}
    assert world.plan(folder).calls == ()


# ------------------------------------------------------------------------------------------------- the layout of pieces

ORDER_VERBS = ("line", "words", "insert", "cut_line", "reorder", "take_out", "add", "new", "twice_in")


@examples(12)
@given(
    library=libraries(),
    script=st.lists(
        st.tuples(st.sampled_from(ORDER_VERBS), st.integers(0, 30), st.integers(0, 30), st.integers(0, 30)),
        min_size=1,
        max_size=4,
    ),
)
def test_the_layout_of_pieces(world: World, library: Library, script: Any) -> None:
    prefix, folder = world.prefix(), world.directory()
    library.make(world, prefix)
    world.export(folder, prefix=prefix, layout="pieces")
    base = read_manifest(folder)
    files = {path: data.decode() for path, data in tree(folder).items()}
    orders = {one.path: files[one.path].splitlines() for one in base.documents}
    texts = {piece.file or "": files[piece.file or ""] for one in base.documents for piece in one.pieces}
    bodies = {piece.address: piece.file or "" for one in base.documents for piece in one.pieces if not piece.pinned}
    for number, (verb, which, at, to) in enumerate(script):
        if verb in ("line", "words", "insert", "cut_line") and texts:
            path = sorted(texts)[which % len(texts)]
            texts[path] = edited({"x.md": texts[path].encode()}, [(verb, 0, at, to, f"edit {number}")])["x.md"].decode()
            continue
        path = sorted(orders)[which % len(orders)]
        lines = orders[path]
        if verb == "reorder" and len(lines) > 1:
            taken = lines.pop(1 + at % (len(lines) - 1))
            lines.insert(1 + to % len(lines), taken)
        elif verb == "take_out" and len(lines) > 1:
            del lines[1 + at % (len(lines) - 1)]
        elif verb == "add" and bodies:
            lines.insert(1 + to % len(lines), sorted(bodies)[at % len(bodies)])
        elif verb == "new":
            lines.insert(1 + to % len(lines), f"new-{number}")
            suffix = ".txt" if path.endswith(".txt/ORDER") else ".md"
            texts[str(Path(path).with_name(f"new-{number}{suffix}"))] = f"# New {number}\n"
    wanted = {**files, **{path: "\n".join(lines) + "\n" for path, lines in orders.items()}, **texts}
    wanted_bytes = {path: body.encode() for path, body in wanted.items()}
    replace_tree(folder, wanted_bytes)
    before = world.counts()
    made = world.plan(folder)
    assert world.counts() == before
    if made.conflicts:
        event("conflict")
        assert library.pinned
        with pytest.raises(ConflictError):
            world.apply(made)
        assert (world.counts(), tree(folder)) == (before, wanted_bytes)
        return
    world.apply(made)
    assert (world.counts() == before) == (not made.calls)
    assert world.deleted(prefix) == 0
    assert world.finish(folder, made) == []
    again = world.plan(folder)
    assert (again.calls, again.pieces, again.files) == ((), (), ())
    # Every text that the editor wrote is at its piece; a file that no order names any more may have gone.
    left = tree(folder)
    kept = {piece.file: piece for one in read_manifest(folder).documents for piece in one.pieces}
    # A version that is pinned is edited for all who show it, and then stands in a file of its own.
    through_a_pin = {
        piece.address
        for one in base.documents
        for piece in one.pieces
        if piece.pinned and texts[piece.file or ""] != files[piece.file or ""]
    }
    for path, body in texts.items():
        if path in kept and not kept[path].pinned and kept[path].address not in through_a_pin:
            assert left[path].decode() == body
    # And every order is what its file said: a new file has the address that its name gives it.
    for one in base.documents:
        key = one.key

        def named(line: str, key: str = key) -> str:
            return f"{key}#{line}" if line.startswith("new-") else line.removeprefix("collection ").split("@")[0]

        assert world.members(key) == [named(line) for line in orders[one.path][1:]], key
        lines = [named(line) for line in left[one.path].decode().splitlines()[1:]]
        assert lines == world.members(key), key
    fresh = world.directory()
    world.export(fresh, prefix=prefix, layout="pieces")
    assert whole(fresh) == whole(folder)
    shutil.rmtree(fresh)


# -------------------------------------------------------------------------------------- what an edit does to the others


def marked(script: Any) -> Any:
    """A script whose every text has a word of its own."""
    return [(verb, which, at, to, f"{new} mark{number}q") for number, (verb, which, at, to, new) in enumerate(script)]


EDITS_OF_SHARED = (*VERBS_OF_TEXTS, *VERBS_OF_TEXTS, "words", "line", "across", "rewrite", "empty", "delete_file")


@examples(15)
@given(library=entangled, script=edits(EDITS_OF_SHARED).map(marked), fork=st.booleans())
def test_no_edit_is_lost_and_nothing_else_changes(world: World, library: Library, script: Any, fork: bool) -> None:
    prefix, folder = world.prefix(), world.directory()
    library.make(world, prefix)
    world.export(folder, prefix=prefix)
    base, files = read_manifest(folder), tree(folder)
    wanted = edited(files, script)
    replace_tree(folder, wanted)
    before = world.counts()
    try:
        made = world.plan(folder, fork=fork)
    except InvalidError as error:
        assert error.sqlstate == "IU053", error
        assert library.annex, error
        event("IU053")
        return
    if made.conflicts:
        event("conflict")
        for clash in made.conflicts:
            assert contradictory(clash, base), clash
        with pytest.raises(ConflictError):
            world.apply(made)
        assert (world.counts(), tree(folder)) == (before, wanted)
        return
    world.apply(made)
    event(f"fork {fork}, edited elsewhere too: {any(piece.elsewhere for piece in made.pieces)}")
    assert world.deleted(prefix) == 0
    after = world.directory()
    world.export(after, prefix=prefix)
    now = {one.key: one for one in read_manifest(after).documents}
    shown = tree(after)
    pieces = {one.key: {(piece.address, piece.version) for piece in one.pieces} for one in base.documents}
    owners: dict[str, set[str]] = {}
    for one in base.documents:
        for piece in one.pieces:
            owners.setdefault(piece.address, set()).add(one.path)
    changed = {path for path, data in wanted.items() if path in files and files[path] != data}
    annexed = {
        one.path for one in base.documents if any(piece.within and "annex" in piece.within[0] for piece in one.pieces)
    }
    said: dict[str, set[str | None]] = {one.key: set() for one in base.documents}
    keys = {one.path: one.key for one in base.documents}
    for planned in made.pieces:
        # Where it is, where else it is edited, and where it was.
        for key in (planned.key, *planned.elsewhere, keys.get(planned.detail.removeprefix("from "), planned.key)):
            said.setdefault(key, set()).update((planned.address, planned.forked))
        assert not (planned.forked and planned.elsewhere), planned
    for one in base.documents:
        text = shown[one.path]
        # What nobody else edits is what the file says; of what others edit too, no word is lost.
        others = set().union(*(owners[piece.address] for piece in one.pieces)) - {one.path}
        alone = not changed & others
        if one.path in changed and (alone or (fork and one.path not in annexed)):
            assert text == wanted[one.path], one.path
        if one.path in changed:
            for number in range(len(script)):
                word = f"mark{number}q".encode()
                assert word not in wanted[one.path] or word in text, (one.path, word)
        # What was not edited is what it was, but for edits of pieces that it shares.
        elif (fork or alone) and not (one.path in annexed and changed & annexed):
            assert text == files[one.path], one.path
        if one.path not in changed and text != files[one.path]:
            assert any(one.key in planned.elsewhere for planned in made.pieces), one.path
        # The plan names what differs between the two exports, and nothing else differs.
        assert one.key in made.touched or text == files[one.path], one.key
        there = {(piece.address, piece.version) for piece in now[one.key].pieces}
        names = said[one.key]
        if one.path in annexed:
            names = set().union(*(said[each.key] for each in base.documents if each.path in annexed))
        assert {address for address, _ in pieces[one.key] ^ there} <= names, one.key
    for planned in made.pieces:
        if planned.state == "edited" and planned.new is not None:
            assert world.body(planned.address) == planned.new
            assert planned.new.encode() in shown[next(one.path for one in now.values() if one.key == planned.key)]
    assert world.finish(folder, made) == []
    left = tree(folder)
    assert left == {path: data for path, data in shown.items() if path in left}
    assert shown.keys() - left.keys() == files.keys() - wanted.keys()
    assert world.plan(folder, fork=fork).calls == ()
    shutil.rmtree(after)


REASONS = (
    "a clone would change that",
    "it is pinned to version",
    "it was edited where it shows version",
    "on the same lines",
    "taken out in",
)


def contradictory(piece: PlannedPiece, base: Manifest) -> bool:
    """Whether there is a reason for a conflict: the piece stands in more than one place."""
    times = sum(each.address == piece.address for one in base.documents for each in one.pieces)
    pinned = any(each.address == piece.address and each.pinned for one in base.documents for each in one.pieces)
    return any(reason in piece.detail for reason in REASONS) and (times > 1 or pinned)


# ---------------------------------------------------------------------------------------------- many editors, any order


def write(folder: Path, one: Document, piece: Piece, body: str) -> None:
    """Put a text in the place of a piece."""
    path, start = folder / (piece.file or one.path), 0 if piece.file else piece.start
    data = path.read_bytes()
    path.write_bytes(data[:start] + body.encode() + data[start + piece.bytes :])


def new_body(body: str, kind: str, word: str) -> str:
    """What an editor makes of a piece."""
    return "" if kind == "drop" else part_edit(body, kind, word)


@examples(3)
@given(
    library=libraries(pinned=False),
    choices=st.lists(
        st.tuples(st.integers(0, 60), st.sampled_from(["words", "new", "drop"])),
        min_size=2,
        max_size=4,
        unique_by=lambda one: one[0],
    ),
    order=st.permutations(range(4)),
    layout=LAYOUTS,
)
def test_the_order_of_applies_does_not_matter(
    world: World, library: Library, choices: Any, order: list[int], layout: str
) -> None:
    ends = []
    kinds = {kind for _, kind in choices}
    for turn in (range(4), order, None):
        prefix, folder = world.prefix(), world.directory()
        library.make(world, prefix)
        world.export(folder, prefix=prefix, layout=layout)
        base = tree(folder)
        # Each piece at one of its places, by its text; one that stands twice in a file cannot be told from itself.
        places: dict[str, tuple[Document, Piece, str]] = {}
        for one in read_manifest(folder).documents:
            texts = [world.body(piece.address) for piece in one.pieces]
            for piece, body in zip(one.pieces, texts, strict=True):
                if body.strip() and texts.count(body) == 1 and "```" not in body and not body.startswith("---"):
                    places.setdefault(piece.address, (one, piece, body))
        assume(len(places) > len(choices))
        chosen = dict(zip(sorted(places), range(len(places)), strict=True))
        by_number = {number % len(places): (number, kind) for number, kind in choices}
        editors = []
        for address, at in chosen.items():
            if at not in by_number:
                continue
            number, kind = by_number[at]
            one, piece, body = places[address]
            if (
                layout == "pieces"
                or body.count("\r")
                or not body.endswith("\n")
                or (kind == "new" and "drop" in kinds)
                or piece.within
            ):
                kind = "words"
            if kind == "drop" and len(one.pieces) < 3:
                kind = "words"
            editors.append((one, piece, body, kind, f"editor{number}"))
        everything = world.directory()
        shutil.copytree(folder, everything)

        if turn is None:
            # From the end of each file on, so that the places before stay where they are.
            for one, piece, body, kind, word in sorted(editors, key=lambda each: -each[1].start):
                write(everything, one, piece, new_body(body, kind, word))
            world.bring(everything)
        else:
            mine = []
            for one, piece, body, kind, word in editors:
                own = world.directory()
                shutil.copytree(folder, own)
                write(own, one, piece, new_body(body, kind, word))
                mine.append(own)
            for number in turn:
                if number < len(mine):
                    made = world.bring(mine[number])
                    assert made.conflicts == []
            for own in mine:
                world.export(own)
                assert whole(own) == whole(mine[0])
            everything = world.directory()
            world.export(everything, prefix=prefix, layout=layout)
        assert tree(everything) != base
        ends.append(
            {path.replace(prefix, "w"): data.decode().replace(prefix, "w") for path, data in tree(everything).items()}
        )
    assert ends[0] == ends[1]
    assert ends[0] == ends[2]


# -------------------------------------------------------------------------------------------------- real documents

CORPORA = Path(os.environ.get("IUCORE_CORPORA") or Path(__file__).resolve().parents[2].parent / "shared" / "corpora")


@pytest.mark.corpora
@pytest.mark.parametrize(("name", "nest"), [("site-policy", False), ("runbooks", True), ("enhancements", False)])
def test_real_documents(world: World, name: str, nest: bool) -> None:
    archive = CORPORA / f"{name}.tar.xz"
    if not archive.is_file():
        pytest.skip("the archive is not here")
    chance = random.Random(name)
    files: dict[str, str] = {}
    with tarfile.open(archive) as packed:
        found = [one for one in packed if one.isfile() and one.name.endswith(".md") and one.size < 40_000]
        for one in chance.sample(found, 6):
            files[one.name] = packed.extractfile(one).read().decode()  # type: ignore[union-attr]
    prefix, folder = world.prefix(), world.directory()
    world.imported(prefix, files, nest=nest)
    world.export(folder, prefix=prefix)
    before = {path: body.encode() for path, body in files.items()}
    assert tree(folder) == before
    assert world.plan(folder).files == ()
    verbs = ("line", "words", "insert", "cut_line", "head", "drop", "retitle", "across")
    # Once each: a second new name would be the first one again.
    for turn, of_files in enumerate([("rename_file",), ("new_file",), ()]):
        allowed = (*verbs, *of_files)
        script = [
            (
                chance.choice(allowed),
                chance.randrange(99),
                chance.randrange(999),
                chance.randrange(999),
                f"turn {turn}, edit {number}",
            )
            for number in range(4)
        ]
        wanted = edited(tree(folder), script)
        replace_tree(folder, wanted)
        keys = {one.path: one.key for one in read_manifest(folder).documents}
        shown = world.compositions(list(keys.values()))
        made = world.bring(folder)
        assert tree(folder) == wanted, script
        now = {one.path: one.key for one in read_manifest(folder).documents}
        assert [path for path, data in wanted.items() if world.render(now[path]).encode() != data] == [], script
        # A piece whose text was not touched is the same piece in the same version.
        for path, key in keys.items():
            if before.get(path) == wanted.get(path):
                assert world.compositions([key])[key] == shown[key]
        assert len(made.pieces) <= 40, script
        before = wanted
    left = whole(folder)
    assert (world.plan(folder).files, world.export(folder).written, whole(folder)) == ((), 0, left)

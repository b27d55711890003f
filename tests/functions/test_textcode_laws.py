"""The laws of text-as-code, over generated documents and random edits, in one database."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import assume, event, given, settings
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
    libraries,
    one_world,
    read_manifest,
    replace_tree,
    tree,
    whole,
)

from iucore import collections
from iucore.errors import ConflictError, InvalidError
from iucore.textcode.status import status


@pytest.fixture(scope="module")
def world(
    admin: psycopg.Connection[Any], at_head: NoopExecutor, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """One database for all laws."""
    with one_world(admin, at_head.template_dbname, tmp_path_factory.mktemp("laws")) as made:
        yield made


LAYOUTS = st.sampled_from(["documents", "documents", "documents", "pieces"])


@settings(max_examples=times(15))
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


@settings(max_examples=times(60))
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
        assert library.pinned, made.conflicts
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


@settings(max_examples=times(20))
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


@settings(max_examples=times(15))
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


@settings(max_examples=times(20))
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
    assert world.plan(folder).files == ()
    assert world.plan(folder).calls == ()


# ------------------------------------------------------------------------------------------------- the layout of pieces

ORDER_VERBS = ("line", "words", "insert", "cut_line", "reorder", "take_out", "add", "new", "twice_in")


@settings(max_examples=times(30))
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
            texts[str(Path(path).with_name(f"new-{number}.md"))] = f"# New {number}\n"
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
        lines = [line.split("@")[0] for line in left[one.path].decode().splitlines()[1:]]
        assert lines == [f"{key}#{line}" if line.startswith("new-") else line.split("@")[0] for line in orders[one.path][1:]]
    fresh = world.directory()
    world.export(fresh, prefix=prefix, layout="pieces")
    assert whole(fresh) == whole(folder)
    shutil.rmtree(fresh)

"""Text-as-code by examples: what a plan says, what an apply does, and what is refused with nothing done."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pytest_postgresql.executors.noop import NoopExecutor
from sqlalchemy import text
from textcode_helpers import World, one_world, read_manifest, tree, whole

from iucore import collections, units
from iucore._call import Call
from iucore.errors import ConflictError, InvalidError, IucoreError
from iucore.textcode import apply as applying

GUIDE = "# Guide\n\nfirst words\n## Two\n\ntext of two\n## Three\n\ntext of three\n"


@pytest.fixture(scope="module")
def world(
    admin: psycopg.Connection[Any], at_head: NoopExecutor, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """One database for all examples."""
    with one_world(admin, at_head.template_dbname, tmp_path_factory.mktemp("examples")) as made:
        yield made


@pytest.fixture
def prefix(world: World) -> str:
    """A prefix of the test's own."""
    return world.prefix()


@pytest.fixture
def folder(world: World) -> Path:
    """A folder of the test's own, not there yet."""
    return world.directory()


def guide(world: World, prefix: str, folder: Path, *, layout: str = "documents", **files: str) -> Path:
    """The guide, exported; its file."""
    world.imported(prefix, {"guide.md": GUIDE, **files})
    world.export(folder, prefix=prefix, layout=layout)
    return folder / "guide.md"


def rewrite(path: Path, old: str, new: str) -> None:
    """Edit a file."""
    found = path.read_bytes().decode()
    assert old in found
    path.write_bytes(found.replace(old, new, 1).encode())


def said(made: Any, prefix: str) -> list[tuple[str, str]]:
    """What a plan says of pieces, shortly."""
    return [(piece.state, piece.address.removeprefix(f"{prefix}/")) for piece in made.pieces]


def refused(code: str, call: Callable[[], Any]) -> IucoreError:
    """The call is refused with this code."""
    with pytest.raises(IucoreError) as caught:
        call()
    assert caught.value.sqlstate == code, caught.value
    assert caught.value.hint
    return caught.value


# ------------------------------------------------------------------------------------------------------- what it does


def test_states_of_pieces(world: World, prefix: str, folder: Path) -> None:
    file = guide(world, prefix, folder)
    one, two, three = "# Guide\n\nfirst words\n", "## Two\n\ntext of two\n", "## Three\n\ntext of three\n"
    for body, states in (
        (one + two.replace("text", "words") + three, [("edited", "guide.md#two")]),
        (one + three + two, [("moved", "guide.md#three")]),
        (one + "## New\n\nnew\n" + two + three, [("new", "guide.md#new")]),
        (one + "## Two\n\ntext\n## Of\n\ntwo\n" + three, [("edited", "guide.md#two"), ("new", "guide.md#of")]),
        (one + three, [("missing", "guide.md#two")]),
    ):
        file.write_text(body)
        made = world.plan(folder)
        assert {piece[1] for piece in said(made, prefix)} >= {piece[1] for piece in states if piece[0] != "moved"}, body
        assert len(made.pieces) == len(states)


def test_missing_pieces_need_leave_and_are_not_deleted(world: World, prefix: str, folder: Path) -> None:
    file = guide(world, prefix, folder)
    rewrite(file, "## Two\n\ntext of two\n", "")
    before, left = world.counts(), whole(folder)
    made = world.plan(folder)
    assert refused("IU052", lambda: world.apply(made, allow_remove=False)).detail == f"guide.md: {prefix}/guide.md#two"
    assert (world.counts(), whole(folder)) == (before, left)
    world.apply(made)
    assert world.body(f"{prefix}/guide.md#two") == "## Two\n\ntext of two\n"
    assert world.members(f"{prefix}/guide.md") == [f"{prefix}/guide.md#guide", f"{prefix}/guide.md#three"]


def test_a_deleted_file_is_never_written_nor_acted_on(world: World, prefix: str, folder: Path) -> None:
    file = guide(world, prefix, folder, **{"other.md": "# Other\n\ntext\n"})
    world.composed(f"{prefix}/shared.md", [f"{prefix}/guide.md#two"])
    world.export(folder)
    for name in ("other.md", "shared.md"):
        (folder / name).unlink()
    rewrite(file, "## Two\n\ntext of two\n", "")
    before = world.compositions([f"{prefix}/other.md", f"{prefix}/shared.md"])
    made = world.bring(folder, fork=True)
    assert [one.path for one in made.files if one.state == "deleted"] == ["other.md", "shared.md"]
    assert world.compositions([f"{prefix}/other.md", f"{prefix}/shared.md"]) == before
    assert made.touched == (f"{prefix}/guide.md",)
    assert sorted(tree(folder)) == ["guide.md"]


def test_a_deleted_file_stays_away_when_its_piece_is_edited_elsewhere(world: World, prefix: str, folder: Path) -> None:
    file = guide(world, prefix, folder)
    world.composed(f"{prefix}/shared.md", [f"{prefix}/guide.md#two"])
    world.export(folder)
    (folder / "shared.md").unlink()
    rewrite(file, "text of two", "words of two")
    made = world.bring(folder)
    assert made.touched == (f"{prefix}/guide.md", f"{prefix}/shared.md")
    assert sorted(tree(folder)) == ["guide.md"]


@pytest.mark.parametrize("by", ["prefix", "keys"])
def test_a_new_file_is_a_new_collection_that_stays_in_the_export(
    world: World, prefix: str, folder: Path, by: str
) -> None:
    world.imported(prefix, {"guide.md": GUIDE})
    asked: dict[str, Any] = {"prefix": prefix} if by == "prefix" else {"keys": [f"{prefix}/guide.md"]}
    world.export(folder, **asked)
    (file,) = [folder / path for path in tree(folder)]
    new = file.with_name("new.md")
    new.write_text("# New\n\ntext\n## More\n\nmore\n")
    made = world.bring(folder)
    assert said(made, prefix) == [("new", "new.md#new"), ("new", "new.md#more")]
    assert world.render(f"{prefix}/new.md") == new.read_text()
    left = whole(folder)
    assert world.plan(folder).files == ()
    world.export(folder)
    assert whole(folder) == left


def test_a_renamed_file_keeps_its_collection(world: World, prefix: str, folder: Path) -> None:
    file = guide(world, prefix, folder)
    (folder / "deep").mkdir()
    moved = file.rename(folder / "deep" / "manual.md")
    rewrite(moved, "text of two", "words of two")
    made = world.bring(folder)
    assert [(one.path, one.state, one.was) for one in made.files] == [
        ("deep/manual.md", "renamed", "guide.md"),
        ("deep/manual.md", "edited", None),
    ]
    assert said(made, prefix) == [("edited", "guide.md#two")]
    assert world.render(f"{prefix}/guide.md") == moved.read_text()
    assert [(one.path, one.key) for one in read_manifest(folder).documents] == [
        ("deep/manual.md", f"{prefix}/guide.md")
    ]
    left = whole(folder)
    assert world.plan(folder).files == ()
    assert world.export(folder).written == 0
    assert whole(folder) == left


def test_a_renamed_file_is_no_change_of_the_database(world: World, prefix: str, folder: Path) -> None:
    file = guide(world, prefix, folder)
    moved = file.rename(folder / "manual.md")
    before = world.counts()
    made = world.bring(folder)
    assert (made.calls, world.counts()) == ((), before)
    assert sorted(tree(folder)) == ["manual.md"]
    assert [one.path for one in read_manifest(folder).documents] == ["manual.md"]
    assert world.plan(folder).files == ()
    assert moved.read_text() == GUIDE


def test_a_section_moves_to_another_file_and_keeps_its_address(world: World, prefix: str, folder: Path) -> None:
    file = guide(world, prefix, folder, **{"other.md": "# Other\n\n## Words\n\nwords\n"})
    section = "## Two\n\ntext of two\n"
    rewrite(file, section, "")
    rewrite(folder / "other.md", "words\n", f"words\n{section}")
    before = world.counts()["information_unit"]
    made = world.plan(folder)
    assert said(made, prefix) == [("moved", "guide.md#two")]
    world.apply(made, allow_remove=False)
    assert world.counts()["information_unit"] == before
    assert world.members(f"{prefix}/other.md") == [
        f"{prefix}/other.md#other",
        f"{prefix}/other.md#words",
        f"{prefix}/guide.md#two",
    ]


def test_fork_keeps_the_other_documents(world: World, prefix: str, folder: Path) -> None:
    file = guide(world, prefix, folder)
    world.composed(f"{prefix}/shared.md", [f"{prefix}/guide.md#two"])
    world.export(folder)
    rewrite(file, "text of two", "words of two")
    assert world.plan(folder).pieces[0].elsewhere == (f"{prefix}/shared.md",)
    before = world.render(f"{prefix}/shared.md")
    made = world.bring(folder, fork=True)
    assert made.touched == (f"{prefix}/guide.md",)
    assert [(one.state, one.forked) for one in made.pieces] == [("edited", f"{prefix}/guide.md#two")]
    assert (world.render(f"{prefix}/shared.md"), world.render(f"{prefix}/guide.md")) == (before, file.read_text())
    with world.engine.begin() as connection:
        assert units.show(connection, address=made.pieces[0].address).source_address == f"{prefix}/guide.md#two"


def annexed(world: World, prefix: str, folder: Path, *, layout: str = "documents") -> None:
    """A collection that stands in two documents."""
    one, two = f"{prefix}/a.md#annex-one", f"{prefix}/a.md#annex-two"
    world.born({one: "## Annex one\n\ntext of one\n", two: "## Annex two\n\ntext of two\n"})
    world.composed(f"{prefix}/a.md#annex", [one, two])
    for name in ("a", "b"):
        world.born({f"{prefix}/{name}.md#top": f"# Top of {name}\n"})
        world.composed(f"{prefix}/{name}.md", [f"{prefix}/{name}.md#top", {"collection": f"{prefix}/a.md#annex"}])
    world.export(folder, prefix=prefix, layout=layout)


def test_fork_keeps_the_other_documents_of_a_nested_collection(world: World, prefix: str, folder: Path) -> None:
    annexed(world, prefix, folder)
    rewrite(folder / "a.md", "text of one", "words of one")
    before = world.render(f"{prefix}/b.md")
    try:
        made = world.plan(folder, fork=True)
    except InvalidError:
        return
    if not made.conflicts:
        world.apply(made)
    assert world.render(f"{prefix}/b.md") == before


@pytest.mark.parametrize("fork", [False, True])
def test_edited_in_one_document_and_taken_out_in_another(world: World, prefix: str, folder: Path, fork: bool) -> None:
    annexed(world, prefix, folder)
    rewrite(folder / "a.md", "text of two", "words of two")
    rewrite(folder / "b.md", "## Annex two\n\ntext of two\n", "")
    before = world.counts()
    refusal = None
    try:
        made = world.plan(folder, fork=fork)
        world.apply(made)
    except IucoreError as error:
        refusal = error.sqlstate
    # Nobody's edit is lost without a word.
    assert refusal in ("IU053", "IU215"), refusal or world.render(f"{prefix}/a.md")
    assert world.counts() == before


@pytest.mark.parametrize("layout", ["documents", "pieces"])
@pytest.mark.parametrize("fork", [False, True])
def test_a_nested_collection_taken_out_of_one_document_stays_in_the_other(
    world: World, prefix: str, folder: Path, layout: str, fork: bool
) -> None:
    annexed(world, prefix, folder, layout=layout)
    if layout == "documents":
        rewrite(folder / "b.md", "## Annex one\n\ntext of one\n## Annex two\n\ntext of two\n", "")
    else:
        rewrite(folder / prefix / "b.md" / "ORDER", f"collection {prefix}/a.md#annex\n", "")
    before = world.render(f"{prefix}/a.md")
    world.bring(folder, fork=fork)
    assert world.render(f"{prefix}/b.md") == "# Top of b\n"
    assert world.render(f"{prefix}/a.md") == before
    assert world.members(f"{prefix}/b.md") == [f"{prefix}/b.md#top"]


@pytest.mark.parametrize("change", ["drop", "new"])
def test_a_plan_says_that_another_document_shows_the_collection_too(
    world: World, prefix: str, folder: Path, change: str
) -> None:
    annexed(world, prefix, folder)
    section = "## Annex one\n\ntext of one\n"
    rewrite(folder / "a.md", section, "" if change == "drop" else f"{section}## Annex new\n\ntext\n")
    (piece,) = world.plan(folder).pieces
    assert piece.elsewhere == (f"{prefix}/b.md",)


def test_a_nested_section_is_edited_and_moved_as_one(world: World, prefix: str, folder: Path) -> None:
    body = "# Top\n\ntop\n## One\n\none\n### One A\n\none a\n## Two\n\ntwo\n### Two A\n\ntwo a\n"
    world.imported(prefix, {"nest.md": body}, nest=True)
    world.export(folder, prefix=prefix)
    file = folder / "nest.md"
    one, two = "## One\n\none\n### One A\n\none a\n", "## Two\n\ntwo\n### Two A\n\ntwo a, edited\n"
    file.write_text(f"# Top\n\ntop\n{two}{one}")
    made = world.bring(folder)
    assert sorted(call.function for call in made.calls) == ["fn_iu_collection_reorder", "fn_iu_edit"]
    assert world.render(f"{prefix}/nest.md") == file.read_text()


def test_pinned_members_are_pinned_to_the_edit(world: World, prefix: str, folder: Path) -> None:
    (address,) = world.handmade(f"{prefix}/a.md", "text\n")
    world.composed(f"{prefix}/pinned.md", [{"piece": address, "version": 1}])
    world.export(folder, prefix=prefix)
    (folder / "pinned.md").write_text("words\n")
    made = world.bring(folder)
    assert [call.function for call in made.calls] == ["fn_iu_edit", "fn_iu_collection_pin"]
    assert [world.render(f"{prefix}/{name}.md") for name in ("pinned", "a")] == ["words\n", "words\n"]
    (folder / "a.md").write_text("floating\n")
    world.bring(folder)
    assert [world.render(f"{prefix}/{name}.md") for name in ("pinned", "a")] == ["words\n", "floating\n"]
    (folder / "pinned.md").write_text("signed\n")
    (conflict,) = world.plan(folder).conflicts
    assert "it is pinned to version 2, and the piece has version 3 by now" in conflict.detail
    made = world.bring(folder, fork=True)
    assert [world.render(f"{prefix}/{name}.md") for name in ("pinned", "a")] == ["signed\n", "floating\n"]


def test_titles_follow_headings(world: World, prefix: str, folder: Path) -> None:
    file = guide(world, prefix, folder)
    rewrite(file, "## Two", "## Second")
    made = world.bring(folder)
    assert said(made, prefix) == [("edited", "guide.md#two")]
    with world.engine.begin() as connection:
        assert units.show(connection, address=f"{prefix}/guide.md#two").title == "Second"


def test_a_workflow_is_edited_and_its_steps_are_only_shown(world: World, prefix: str, folder: Path) -> None:
    world.born({f"{prefix}/flow#a": "# A\n\ndo\n", f"{prefix}/flow#b": "# B\n\ncheck\n"})
    steps = [
        {"piece": f"{prefix}/flow#a", "label": "start"},
        {"piece": f"{prefix}/flow#b", "label": "again", "transitions": [{"on": "wrong", "to": "start"}]},
    ]
    world.composed(f"{prefix}/flow", steps, "workflow")
    world.export(folder, prefix=prefix)
    assert sorted(tree(folder)) == ["flow.md", "flow.steps.md"]
    rewrite(folder / "flow.md", "check", "check twice")
    shown = (folder / "flow.steps.md").read_bytes()
    world.bring(folder)
    assert world.render(f"{prefix}/flow") == (folder / "flow.md").read_text()
    fresh = world.directory()
    world.export(fresh, prefix=prefix)
    assert whole(fresh) == whole(folder)
    (folder / "flow.steps.md").write_text("scribbled\n")
    made = world.plan(folder)
    assert ([one.state for one in made.files], made.calls) == (["generated"], ())
    assert shown != b"scribbled\n"


def test_order_of_the_layout_of_pieces(world: World, prefix: str, folder: Path) -> None:
    guide(world, prefix, folder, layout="pieces", **{"other.md": "# Other\n"})
    order = folder / prefix / "guide.md" / "ORDER"
    head = order.read_text().splitlines()[0]
    (order.parent / "new.md").write_text("## New\n")
    key = f"{prefix}/guide.md"
    order.write_text(f"{head}\n{key}#three\nnew\n{prefix}/other.md#other\n{key}#guide\n")
    made = world.bring(folder)
    assert (
        sorted(said(made, prefix))
        == [
            ("missing", "guide.md#two"),
            ("moved", "guide.md#guide"),
            ("moved", "other.md#other"),
            ("new", "guide.md#new"),
        ]
        or len(made.pieces) == 4
    )
    assert world.members(key) == [f"{key}#three", f"{key}#new", f"{prefix}/other.md#other", f"{key}#guide"]


def test_a_piece_that_left_takes_its_file_along(world: World, prefix: str, folder: Path) -> None:
    guide(world, prefix, folder, layout="pieces")
    order = folder / prefix / "guide.md" / "ORDER"
    rewrite(order, f"{prefix}/guide.md#two\n", "")
    world.bring(folder)
    assert world.plan(folder).files == ()
    fresh = world.directory()
    world.export(fresh, prefix=prefix, layout="pieces")
    assert whole(fresh) == whole(folder)


def test_a_piece_that_left_comes_back_by_its_line(world: World, prefix: str, folder: Path) -> None:
    guide(world, prefix, folder, layout="pieces")
    order = folder / prefix / "guide.md" / "ORDER"
    before = order.read_text()
    rewrite(order, f"{prefix}/guide.md#two\n", "")
    world.bring(folder)
    order.write_text(before)
    births = world.counts()["information_unit"]
    world.bring(folder)
    assert world.render(f"{prefix}/guide.md") == GUIDE
    assert world.counts()["information_unit"] == births


def test_a_conflict_of_a_piece_is_marked_in_its_file(world: World, prefix: str, folder: Path) -> None:
    guide(world, prefix, folder, layout="pieces")
    name = f"{prefix}/guide.md/two.md"
    rewrite(folder / name, "text of two", "words of the file")
    world.edit(f"{prefix}/guide.md#two", "## Two\n\nwords of the database\n")
    made = world.plan(folder)
    assert [one.path for one in made.conflicts] == [name]
    assert list(made.marked) == [name]
    assert "words of the file\n" in made.marked[name]
    assert "text of three" not in made.marked[name]


def test_a_shared_piece_moves_to_another_file_edited_and_forked(world: World, prefix: str, folder: Path) -> None:
    section = "## Two\n\ntext of two, which is long enough\n"
    file = guide(world, prefix, folder, **{"other.md": f"# Other\n\n## Words\n\nwords\n{section}"})
    moved = f"{prefix}/other.md#two"
    world.composed(f"{prefix}/shared.md", [moved])
    world.export(folder)
    rewrite(folder / "other.md", section, "")
    rewrite(file, "## Three\n", section.replace("enough", "enough now") + "## Three\n")
    made = world.bring(folder, fork=True, allow_remove=False)
    (piece,) = made.pieces
    assert (piece.state, piece.forked, piece.elsewhere) == ("edited", moved, ())
    assert world.render(f"{prefix}/guide.md") == file.read_text()
    assert world.render(f"{prefix}/shared.md") == section


def test_a_pinned_piece_moves_out_of_its_collection_edited(world: World, prefix: str, folder: Path) -> None:
    part = "## Part {0}\n\ntext of {0} with words\n"
    key = f"{prefix}/a.md"
    world.born({f"{key}#{letter}": part.format(letter) for letter in "abc"})
    world.composed(f"{key}#in", [{"piece": f"{key}#a", "version": 1}, f"{key}#b"])
    world.composed(key, [{"collection": f"{key}#in"}, f"{key}#c"])
    world.export(folder, prefix=prefix)
    wanted = part.format("b") + part.format("c") + part.format("a").replace("words", "words, edited")
    (folder / "a.md").write_text(wanted)
    world.bring(folder, allow_remove=False)
    assert world.render(key) == wanted


def test_one_new_file_in_two_orders_is_one_piece(world: World, prefix: str, folder: Path) -> None:
    guide(world, prefix, folder, layout="pieces", **{"other.md": "# Other\n"})
    (folder / prefix / "clause.md").write_text("## Clause\n")
    for name in ("guide.md", "other.md"):
        order = folder / prefix / name / "ORDER"
        order.write_text(f"{order.read_text()}{prefix}/clause.md\n")
    world.bring(folder)
    for name in ("guide.md", "other.md"):
        assert world.members(f"{prefix}/{name}")[-1] == f"{prefix}/clause"


def test_a_line_may_name_a_file_of_the_export(world: World, prefix: str, folder: Path) -> None:
    guide(world, prefix, folder, layout="pieces", **{"other.md": "# Other\n"})
    order = folder / prefix / "other.md" / "ORDER"
    order.write_text(f"{order.read_text()}{prefix}/guide.md/two.md\n")
    world.bring(folder)
    assert world.members(f"{prefix}/other.md") == [f"{prefix}/other.md#other", f"{prefix}/guide.md#two"]


@pytest.mark.parametrize("name", ["clause.txt", "my clause.markdown", "Clause.MD"])
def test_a_new_file_with_another_suffix_is_not_left_behind(world: World, prefix: str, folder: Path, name: str) -> None:
    guide(world, prefix, folder, layout="pieces")
    order = folder / prefix / "guide.md" / "ORDER"
    (order.parent / name).write_text("## Clause\n")
    order.write_text(f"{order.read_text()}{name}\n")
    world.bring(folder)
    assert world.plan(folder).files == ()


# ------------------------------------------------------------------------------------------------- the base has moved

MOVES: dict[str, Callable[[World, str], Any]] = {
    "edit": lambda world, key: world.edit(f"{key}#two", "## Two\n\nedited\n"),
    "edit of another piece": lambda world, key: world.edit(f"{key}#three", "## Three\n\nedited\n"),
    "title": lambda world, key: world.do(units.edit, address=f"{key}#two", expected_version=1, title="Another"),
    "lifecycle": lambda world, key: world.do(
        units.set_lifecycle, address=f"{key}#two", expected_version=1, lifecycle="draft"
    ),
    "add": lambda world, key: (world.born({f"{key}#x": "x\n"}), world.do(collections.add, key=key, member=f"{key}#x")),
    "remove": lambda world, key: world.do(collections.remove, key=key, member=f"{key}#three"),
    "move": lambda world, key: world.do(collections.reorder, key=key, member=f"{key}#three", at="first"),
    "pin": lambda world, key: world.do(collections.pin, key=key, member=f"{key}#three"),
    "replace": lambda world, key: world.do(collections.replace, key=key, member=f"{key}#three", piece=f"{key}#guide"),
    "soft delete": lambda world, key: world.do(units.soft_delete, address=f"{key}#two"),
    "soft delete of another piece": lambda world, key: world.do(units.soft_delete, address=f"{key}#three"),
    "soft delete of the collection": lambda world, key: world.do(collections.soft_delete, key=key),
}


@pytest.mark.parametrize("move", MOVES)
def test_a_plan_is_refused_when_its_base_has_moved(world: World, prefix: str, folder: Path, move: str) -> None:
    file = guide(world, prefix, folder, **{"other.md": "# Other\n"})
    rewrite(file, "text of two", "words of two")
    made = world.plan(folder)
    MOVES[move](world, f"{prefix}/guide.md")
    before, left = world.counts(), whole(folder)
    refused("IU216", lambda: world.apply(made))
    assert (world.counts(), whole(folder)) == (before, left)


def test_a_plan_is_not_refused_for_what_others_do_elsewhere(world: World, prefix: str, folder: Path) -> None:
    file = guide(world, prefix, folder, **{"other.md": "# Other\n"})
    rewrite(file, "text of two", "words of two")
    made = world.plan(folder)
    world.edit(f"{prefix}/other.md#other", "# Other, edited\n")
    world.apply(made)
    assert world.finish(folder, made) == []
    assert world.render(f"{prefix}/guide.md") == file.read_text()
    refused("IU216", lambda: world.apply(made))


# ------------------------------------------------------------------------------------------------------------ at once


def blocked(world: World) -> None:
    """Returns when a session of this database waits for a lock."""
    deadline = time.monotonic() + 20
    waiting = text(
        "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    )
    while True:
        with world.engine.begin() as connection:
            if connection.execute(waiting).scalar_one():
                return
        assert time.monotonic() < deadline, "nobody waits"


def edit_two(connection: Any, key: str) -> None:
    units.edit(connection, address=f"{key}#two", expected_version=1, body="## Two\n\nby another\n", reason="test")


def take_out_three(connection: Any, key: str) -> None:
    collections.remove(connection, key=key, member=f"{key}#three", reason="test")


@pytest.mark.parametrize(("other", "codes"), [(edit_two, {"IU202"}), (take_out_three, {"IU218"})])
@pytest.mark.parametrize("commits", [True, False])
def test_apply_beside_another_writer(
    world: World, prefix: str, folder: Path, other: Callable[..., None], codes: set[str], commits: bool
) -> None:
    file = guide(world, prefix, folder)
    rewrite(file, "text of two\n", "words of two\n## New\n\nnew\n")
    made = world.plan(folder)
    left = whole(folder)
    with ThreadPoolExecutor(1) as pool, world.engine.connect() as connection:
        other(connection, f"{prefix}/guide.md")
        before = world.counts()
        applied = pool.submit(world.apply, made)
        blocked(world)
        if commits:
            connection.commit()
        else:
            connection.rollback()
        if not commits:
            applied.result(30)
            assert world.render(f"{prefix}/guide.md") == file.read_text()
            return
        error = applied.exception(30)
    assert isinstance(error, ConflictError)
    assert error.sqlstate in codes
    after = world.counts()
    assert after["information_unit"] == before["information_unit"]
    assert after["change"] == before["change"] + 1
    assert whole(folder) == left


def test_two_applies_of_one_plan_at_once_are_one(world: World, prefix: str, folder: Path) -> None:
    file = guide(world, prefix, folder)
    rewrite(file, "text of two\n", "words of two\n## New\n\nnew\n")
    made = world.plan(folder)
    gate = threading.Barrier(2)

    def run() -> str:
        gate.wait(30)
        try:
            world.apply(made)
        except IucoreError as error:
            return error.sqlstate
        return "done"

    with ThreadPoolExecutor(2) as pool:
        ends = [one.result(60) for one in [pool.submit(run) for _ in range(2)]]
    assert ends.count("done") == 1
    assert set(ends) <= {"done", "IU201", "IU202", "IU216", "IU218"}
    assert world.render(f"{prefix}/guide.md") == file.read_text()


# ------------------------------------------------------------------------------------------- while somebody still types


def test_what_is_typed_meanwhile_is_kept(world: World, prefix: str, folder: Path) -> None:
    file = guide(world, prefix, folder)
    rewrite(file, "text of two", "words of two")
    made = world.plan(folder)
    world.apply(made)
    rewrite(file, "text of three", "typed meanwhile")
    assert world.finish(folder, made) == ["guide.md"]
    assert "typed meanwhile" in file.read_text()
    again = world.plan(folder)
    assert said(again, prefix) == [("edited", "guide.md#three")]
    world.bring(folder)
    assert world.render(f"{prefix}/guide.md") == file.read_text()


def test_a_killed_finish_is_made_up_for(world: World, prefix: str, folder: Path) -> None:
    file = guide(world, prefix, folder)
    rewrite(file, "text of two\n", "words of two\n## New\n\nnew\n")
    made = world.plan(folder)
    world.apply(made)
    again = world.plan(folder)
    assert ([one.state for one in again.files], again.calls, again.pieces) == (["landed"], (), ())
    world.apply(again)
    assert world.finish(folder, again) == []
    assert world.plan(folder).files == ()


def test_a_killed_finish_is_made_up_for_in_the_layout_of_pieces(world: World, prefix: str, folder: Path) -> None:
    guide(world, prefix, folder, layout="pieces")
    path = folder / prefix / "guide.md" / "two.md"
    rewrite(path, "text of two", "words of two")
    world.apply(world.plan(folder))
    again = world.bring(folder)
    assert again.calls == ()
    assert world.plan(folder).files == ()


def test_a_new_file_whose_finish_was_killed(world: World, prefix: str, folder: Path) -> None:
    guide(world, prefix, folder)
    (folder / "new.md").write_text("# New\n\ntext\n")
    world.apply(world.plan(folder))
    before = world.counts()
    try:
        again = world.plan(folder)
    except IucoreError:
        again = None
    assert world.counts() == before
    # Either the plan sees that it has landed, or an export takes it in.
    if again is None or again.conflicts:
        world.export(folder)
    else:
        world.bring(folder)
    assert world.plan(folder).files == ()
    assert (folder / "new.md").read_text() == "# New\n\ntext\n"


def test_plans_survive_their_file(world: World, prefix: str, folder: Path) -> None:
    file = guide(world, prefix, folder)
    rewrite(file, "text of two", "wörds of \u202etwo\u2069")
    made = world.plan(folder)
    written = applying.dump(made, directory="x")
    loaded, more = applying.load(written)
    assert (loaded, more) == (made, {"directory": "x"})
    for damaged in (written.replace("wörds", "words"), written[:-20], "[]", written.replace('"version": 1,', "", 1)):
        refused("IU051", lambda damaged=damaged: applying.load(damaged))  # type: ignore[misc]


# ------------------------------------------------------------------------------------- what a first reader ran into


def test_a_new_file_whose_folder_was_not_brought_up_to_date_has_landed(world: World, prefix: str, folder: Path) -> None:
    file = guide(world, prefix, folder)
    (folder / "new.md").write_text("# New\n\nhello\n")
    rewrite(file, "text of two", "words of two")
    world.apply(world.plan(folder))
    again = world.plan(folder)
    assert {one.path: one.state for one in again.files} == {"guide.md": "landed", "new.md": "landed"}
    assert not again.calls
    world.apply(again)
    world.finish(folder, again)
    assert world.plan(folder).files == ()
    (folder / "other.md").write_text("# Other\n")
    world.apply(world.plan(folder))
    (folder / "other.md").write_text("# Other, edited\n")
    assert said(world.plan(folder), prefix) == [("conflict", "other.md#other-edited")]


def test_a_reverted_folder_is_called_older(world: World, prefix: str, folder: Path) -> None:
    file = guide(world, prefix, folder)
    before = whole(folder)
    rewrite(file, "text of two", "words of two")
    world.bring(folder)
    for path, data in before.items():
        (folder / path).write_bytes(data)
    made = world.plan(folder)
    assert [(one.path, one.state) for one in made.files] == [("guide.md", "moved on")]
    assert not made.calls and not made.pieces


def test_an_export_knows_a_file_that_was_renamed(world: World, prefix: str, folder: Path) -> None:
    file = guide(world, prefix, folder, **{"other.md": "# Other\n\ntext\n"})
    file.rename(folder / "renamed.md")
    world.export(folder)
    assert sorted(tree(folder)) == ["other.md", "renamed.md"]
    assert world.plan(folder).files == ()
    (folder / "renamed.md").rename(folder / "again.md")
    rewrite(folder / "again.md", "text of two", "words of two")
    assert world.export(folder).kept == 1
    made = world.plan(folder)
    assert said(made, prefix) == [("edited", "guide.md#two")]
    world.bring(folder)
    assert sorted(tree(folder)) == ["again.md", "other.md"]


@pytest.mark.parametrize(
    "more", [{"p_actor": "the boss"}, {"p_reason": "r"}, {"p_body": {"a": 1}}, {"p_body": None}, {"p_x) --": "1"}]
)
def test_a_forged_call_is_refused(world: World, prefix: str, folder: Path, more: dict[str, Any]) -> None:
    file = guide(world, prefix, folder)
    rewrite(file, "text of two", "words of two")
    made = world.plan(folder)
    forged = [Call(one.function, {**one.arguments, **more}) for one in made.calls]
    before = world.counts()
    refused("IU051", lambda: world.apply(replace(made, calls=tuple(forged))))
    assert world.counts() == before


def test_a_manifest_that_gives_a_piece_to_another_is_refused(world: World, prefix: str, folder: Path) -> None:
    file = guide(world, prefix, folder)
    rewrite(folder / "iucore-manifest.json", '#two"', '#three"')
    rewrite(file, "text of two", "words of two")
    refused("IU050", lambda: world.plan(folder))


def test_a_manifest_with_conflict_marks_says_what_to_do(world: World, prefix: str, folder: Path) -> None:
    guide(world, prefix, folder)
    path = folder / "iucore-manifest.json"
    path.write_bytes(b"<<<<<<< HEAD\n" + path.read_bytes())
    path.write_bytes(path.read_bytes().replace(b'"change"', b'\n<<<<<<< HEAD\n"change"', 1))
    assert "git checkout --ours" in refused("IU050", lambda: world.plan(folder)).hint

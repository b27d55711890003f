"""``iucore export``, ``status``, ``plan`` and ``apply``: what they print, what they leave, and their exit codes."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result
from psycopg.errors import SerializationFailure

from iucore.cli import main
from iucore.textcode import apply as applier
from iucore.textcode.manifest import NAME

Run = Callable[..., Result]

A = "# A\n\none\ntwo\nthree\n\n# B\n\nbee\n\n# C\n\nsea\n"
B = "# D\n\ndee\n\n# E\n\neel\n"


@pytest.fixture
def run(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in this process, on the database of the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IUCORE_DATABASE_URL", url)

    def invoke(*arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == code, f"{arguments}: exit {result.exit_code}\n{result.output}"
        assert "Traceback" not in result.output and "defect" not in result.output
        return result

    return invoke


@pytest.fixture
def out(run: Run, tmp_path: Path) -> Path:
    """Two documents in the database, exported to ``out``."""
    make(run, tmp_path, {"a.md": A, "sub/b.md": B})
    run("export", "--prefix", "docs", "--to", "out")
    return tmp_path / "out"


@pytest.fixture
def changes(url: str) -> Callable[[], int]:
    """How many changes there are."""

    def count() -> int:
        with psycopg.connect(url.replace("+psycopg2", "")) as connection:
            found = connection.execute("select count(*) from iucore.change").fetchone()
        assert found is not None
        return int(found[0])

    return count


def make(run: Run, folder: Path, files: dict[str, str]) -> None:
    source = folder / "source"
    for name, text in files.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(text.encode())
    run("cut", str(source), "--prefix", "docs", "--apply", "-m", "import")
    shutil.rmtree(source)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_bytes().decode()
    assert old in text
    path.write_bytes(text.replace(old, new, 1).encode())


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def objects(result: Result) -> Any:
    return json.loads(result.stdout)


def piece_edit(run: Run, address: str, text: str) -> None:
    run("piece", "edit", address, "--body", text, "-m", "there")


def manifest_of(out: Path) -> Any:
    return json.loads((out / NAME).read_text())


def rewrite(out: Path, change: Callable[[Any], None]) -> None:
    content = manifest_of(out)
    change(content)
    (out / NAME).write_text(json.dumps(content))


# --- export ----------------------------------------------------------------------------------------------------------


def test_export(run: Run, out: Path, changes: Callable[[], int]) -> None:
    before, written = tree(out), changes()
    assert before["a.md"] == A.encode() and before["sub/b.md"] == B.encode() and NAME in before
    again = objects(run("export", "--prefix", "docs/", "--to", "out", "--format", "json"))
    assert again == {
        "documents": 2,
        "pieces": 5,
        "written": 0,
        "unchanged": 3,
        "removed": 0,
        "kept": 0,
        "byte_length": len((A + B).encode()),
        "change": again["change"],
    }
    assert run("export", "--to", "out").stdout.startswith("documents\tpieces\twritten\t")
    run("export", "docs/a.md", "docs/sub/b.md", "--to", "two")
    assert set(tree(out.parent / "two")) == {"docs/a.md", "docs/sub/b.md", NAME}
    run("export", "--prefix", "docs", "--to", "pieces", "--layout", "pieces")
    assert (out.parent / "pieces" / "docs/a.md/ORDER").exists()
    assert tree(out) == before and changes() == written


def test_export_keeps_what_was_edited(run: Run, out: Path) -> None:
    edit(out / "a.md", "one", "1")
    edited = tree(out)
    kept = run("export", "--to", "out")
    assert "1 edited file was left as it is: see what differs with iucore status out" in kept.stderr
    assert tree(out) == edited
    piece_edit(run, "docs/a.md#b", "# B\n\nthere\n\n")
    refused = run("export", "--to", "out", code=5)
    assert "(IU217)" in refused.stderr and "a.md" in refused.stderr and "--discard-edits" in refused.stderr
    assert refused.stdout == "" and tree(out) == edited
    run("export", "--to", "out", "--discard-edits")
    assert (out / "a.md").read_text() == A.replace("bee", "there")


WRONG = {
    "export: keys and prefix": (["export", "docs/a.md", "--prefix", "docs", "--to", "x"], 2, "either a KEY"),
    "export: nowhere": (["export", "docs/a.md"], 2, "--to"),
    "export: empty": (["export", "docs/a.md", "--to", ""], 2, "it is empty"),
    "export: no such layout": (["export", "docs/a.md", "--to", "x", "--layout", "nope"], 2, "--layout"),
    "export: no such key": (["export", "docs/nope", "--to", "x"], 1, "IU003"),
    "export: no such prefix": (["export", "--prefix", "nope", "--to", "x"], 1, "IU003"),
    "export: nothing said, nothing there": (["export", "--to", "nope"], 1, "there is no such folder (IU044)"),
    "export: nothing said, no manifest": (["export", "--to", "empty"], 1, "the folder holds no export (IU044)"),
    "export: another one is there": (["export", "docs/a.md", "--to", "out"], 5, "(IU217)"),
    "export: another layout is there": (["export", "--to", "out", "--layout", "pieces"], 5, "(IU217)"),
    "status: no folder": (["status", "nope"], 1, "there is no such folder (IU044)"),
    "status: a file": (["status", "out/a.md"], 1, "this is not a folder (IU044)"),
    "status: no manifest": (["status", "empty"], 1, f"no {NAME} in "),
    "plan: no folder": (["plan", "nope"], 1, "iucore export --prefix KEY --to DIR"),
    "plan: no manifest": (["plan", "empty"], 1, "the folder holds no export (IU044)"),
    "plan: level": (["plan", "out", "--level", "7"], 2, "--level"),
    "plan: into a missing folder": (["plan", "out", "-o", "nope/plan"], 1, "nope"),
    "plan: over the manifest": (["plan", "out", "-o", f"out/{NAME}"], 2, "a name of the export's own"),
    "plan: over a document": (["plan", "out", "-o", "out/sub/b.md"], 2, "a name of the export's own"),
    "plan: fork what is not edited": (["plan", "out", "--fork-piece", "docs/nope"], 2, "--fork-piece docs/nope: no"),
    "apply: no folder": (["apply", "nope", "-m", "r"], 1, "there is no such folder (IU044)"),
    "apply: no manifest": (["apply", "empty", "-m", "r"], 1, "the folder holds no export (IU044)"),
    "apply: no plan": (["apply", "out/a.md", "-m", "r"], 1, "the file is not a plan, or was altered (IU051)"),
    "apply: no reason": (["apply", "out"], 2, "--reason"),
    "apply: a pipe": (["apply", "pipe", "-m", "r"], 1, "this is not a folder (IU044)"),
    "apply: fork what is not edited": (["apply", "out", "-m", "r", "--fork-piece", "x"], 2, "--fork-piece x: no"),
    "apply: a plan and --fork": (["apply", "out/a.md", "-m", "r", "--fork"], 2, "for DIR"),
    "apply: a plan and --fork-piece": (["apply", "out/a.md", "-m", "r", "--fork-piece", "x"], 2, "for DIR"),
    "apply: a plan and --level": (["apply", "out/a.md", "-m", "r", "--level", "6"], 2, "for DIR"),
    "apply: a plan and --kind": (["apply", "out/a.md", "-m", "r", "--kind", "text"], 2, "for DIR"),
}


def test_wrong_input(run: Run, out: Path, tmp_path: Path, changes: Callable[[], int]) -> None:
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "pipe")
    before, written = tree(tmp_path), changes()
    for case, (arguments, code, says) in WRONG.items():
        result = run(*arguments, code=code)
        assert says in result.stderr, f"{case}: {result.stderr}"
        assert result.stdout == "", case
    assert tree(tmp_path) == before and changes() == written


# --- status ----------------------------------------------------------------------------------------------------------


def test_status(run: Run, tmp_path: Path) -> None:
    names = ("same", "edited", "moved", "both", "old", "deleted", "gone")
    make(run, tmp_path, {f"{name}.md": f"# {name}\n\nfirst of {name}\n\n# Two\n\nsecond\n" for name in names})
    run("export", "--prefix", "docs", "--to", "out")
    out = tmp_path / "out"
    nothing = run("status", "out", "--exit-code")
    assert nothing.stdout.splitlines()[1:] == ["nothing differs", "next, when you have edited: iucore plan out"]
    assert objects(run("status", "out", "--format", "json")) == []
    edit(out / "edited.md", "first", "1st")
    edit(out / "both.md", "first", "1st")
    make(run, tmp_path, {"there.md": "# There\n"})
    for name in ("moved", "both"):
        piece_edit(run, f"docs/{name}.md#two", "# Two\n\nthere\n")
    (out / "old.md").rename(out / "ren\u202eamed.md")
    (out / "deleted.md").unlink()
    (out / "new.md").write_text("# New\n")
    (out / "link.md").symlink_to(out / "new.md")
    run("collection", "delete", "docs/gone.md", "--yes", "-m", "r")
    found = run("status", "out", "--exit-code", code=3)
    assert "not read: link.md: is a symbolic link" in found.stderr
    lines = found.stdout.splitlines()
    assert lines[0].startswith("Export of prefix docs: 7 files, change ")
    assert lines[1:] == [
        "",
        "Edited in the files:",
        "  (see what would change: iucore plan out)",
        "        edited.md",
        "",
        "Edited in the files, and moved on in the database:",
        "  (see how they merge: iucore plan out)",
        "        both.md",
        "",
        "Moved on in the database:",
        "  (bring it in: iucore export --to out, when the edits above are applied)",
        "        moved.md",
        "",
        "New in the database:",
        "  (bring it in: iucore export --to out, when the edits above are applied)",
        "        docs/there.md",
        "",
        "Renamed:",
        "  (have it written down: iucore apply out -m REASON)",
        "        old.md -> ren\\u202eamed.md",
        "",
        "New:",
        "  (would become collections: iucore plan out)",
        "        new.md",
        "",
        "Deleted:",
        "  (not acted on; bring back: iucore export --to out)",
        "        deleted.md",
        "",
        "Gone from the database:",
        "  (bring it back: iucore collection restore KEY; or take the file away: iucore export --to out)",
        "        gone.md",
        "",
        "next: iucore plan out",
    ]
    assert run("status", "out").stdout == found.stdout, "without --exit-code it ends with 0"
    listed = {each["path"]: each for each in objects(run("status", "out", "--format", "json"))}
    assert listed["ren\\u202eamed.md"] == {
        "path": "ren\\u202eamed.md",
        "key": "docs/old.md",
        "file": "renamed",
        "database": "unchanged",
        "was": "old.md",
    }
    assert set(listed) == {
        *("edited.md", "moved.md", "both.md", "deleted.md", "gone.md", "new.md", "docs/there.md"),
        "ren\\u202eamed.md",
    }
    rows = run("status", "out", "--format", "tsv", "--exit-code", code=3).stdout.splitlines()
    assert rows[0] == "path\tkey\tfile\tdatabase\twas" and len(rows) == 9


def test_status_of_keys_pieces_and_workflows(run: Run, tmp_path: Path) -> None:
    make(run, tmp_path, {"a.md": A})
    run("collection", "create", "flow", "--kind", "workflow", "--title", "F", "--piece", "docs/a.md#b", "-m", "r")
    run("export", "docs/a.md", "flow", "--to", "keys dir")
    (tmp_path / "keys dir" / "flow.steps.md").write_text("changed\n")
    found = run("status", "keys dir").stdout
    assert "Export of 2 keys: 3 files" in found and "Edited, but never read back:" in found
    assert "(write it again: iucore export --to 'keys dir' --discard-edits)" in found
    planned = run("plan", "keys dir", "--exit-code").stdout
    assert "flow.steps.md: edited (never read back)" in planned and "nothing would change; 4 unchanged" in planned
    run("export", "--to", "keys dir", "--discard-edits")
    assert "nothing differs" in run("status", "keys dir").stdout
    run("export", "docs/a.md", "--to", "pieces", "--layout", "pieces")
    (tmp_path / "pieces" / "docs" / "a.md" / "more.md").write_text("# More\n")
    assert "(would become pieces when an order names them: iucore plan pieces)" in run("status", "pieces").stdout


# --- plan and apply --------------------------------------------------------------------------------------------------


def test_round_trip(run: Run, out: Path, changes: Callable[[], int]) -> None:
    before = changes()
    assert run("plan", "out", "--exit-code").stdout.splitlines() == [
        "nothing would change; 5 unchanged",
        "next, when you have edited: iucore plan out",
    ]
    nothing = run("apply", "out", "-m", "r", "--format", "json")
    assert objects(nothing) == {"calls": 0, "born": 0, "edited": 0, "documents": 0}
    assert "nothing to do" in nothing.stderr and changes() == before
    edit(out / "a.md", "two", "2 \u202e")
    edit(out / "sub/b.md", "# E", "# New\n\n1\n2\n3\n4\n5\n\n# E")
    planned = run("plan", "out")
    assert planned.stdout.splitlines() == [
        "a.md: edited; collection docs/a.md",
        "  edited docs/a.md#a",
        "    @@ -1,6 +1,6 @@",
        "    # A",
        "    ",
        "    one",
        "    [-two-]{+2 \\u202e+}",
        "    three",
        "    ",
        "",
        "sub/b.md: edited; collection docs/sub/b.md",
        "  new docs/sub/b.md#new",
        "    {+# New+}",
        "    {+\\n+}",
        "    {+1+}",
        "    {+2+}",
        "    {+3+}",
        "    (3 more lines)",
        "",
        "1 edited, 1 new; 4 unchanged",
        "next: iucore apply out -m REASON",
    ]
    assert changes() == before and run("plan", "out", "--exit-code", code=3).stdout == planned.stdout
    edited = tree(out)
    done = run("apply", "out", "-m", "why", "--actor", "ann", "--request-key", "k", "--format", "json")
    assert objects(done) == {"calls": 3, "born": 1, "edited": 1, "documents": 2}
    assert {**tree(out), NAME: b""} == {**edited, NAME: b""}, "the files are right already"
    for key in ("a.md", "sub/b.md"):
        assert run("render", f"docs/{key}").stdout.encode() == (out / key).read_bytes()
    past = objects(run("piece", "history", "docs/a.md#a", "--format", "json"))[0]
    assert (past["reason"], past["claimed_actor"]) == ("why", "ann")
    after = tree(out)
    assert "nothing differs" in run("status", "out").stdout
    run("export", "--to", "out")
    assert tree(out) == after
    assert "nothing to do" in run("apply", "out", "-m", "why", "--request-key", "k").stderr, "a retry"


def test_formats_of_a_plan(run: Run, out: Path, tmp_path: Path) -> None:
    edit(out / "a.md", "two", "2")
    rows = run("plan", "out", "--format", "tsv").stdout.splitlines()
    assert rows == [
        "path\tkey\tstate\taddress\tversion\tmoved\tforked\telsewhere\tdetail",
        "a.md\tdocs/a.md\tedited\tdocs/a.md#a\t1\tfalse\t\t[]\t",
    ]
    line = json.loads(run("plan", "out", "--format", "jsonl").stdout)
    assert line["address"] == "docs/a.md#a" and "old" not in line
    assert "docs/a.md#a" in run("plan", "out", "--format", "table").stdout
    run("plan", "out", "--format", "csv", "--exit-code", code=3)
    printed = run("plan", "out", "--format", "json").stdout
    assert json.loads(printed)["directory"] == "out"
    said = run("plan", "out", "-o", "plan.json").stdout
    assert (tmp_path / "plan.json").read_text() == printed
    assert "next: iucore apply plan.json -m REASON" in said
    (tmp_path / "plans").mkdir()
    run("plan", "out", "-o", "plans/plan.json")
    made, more = applier.load((tmp_path / "plans" / "plan.json").read_text())
    assert more == {"directory": "../out"} and [piece.state for piece in made.pieces] == ["edited"]


def test_a_folder_whose_name_is_no_text(run: Run, out: Path, tmp_path: Path) -> None:
    name = "o\udcff"
    try:
        out.rename(tmp_path / name)
    except OSError:
        pytest.skip("the file system takes no such name")
    edit(tmp_path / name / "a.md", "two", "2")
    assert "next: iucore plan 'o\\udcff'" in run("status", name).stdout
    assert "(IU031)" in run("plan", name, "-o", "plan", code=1).stderr and not (tmp_path / "plan").exists()
    run("apply", name, "-m", "r")
    assert run("render", "docs/a.md").stdout == A.replace("two", "2")


def test_a_plan_is_applied_with_its_folder(run: Run, out: Path, tmp_path: Path) -> None:
    edit(out / "a.md", "two", "2")
    (tmp_path / "plans").mkdir()
    run("plan", "out", "-o", "plans/plan.json")
    (tmp_path / "moved").mkdir()
    out.rename(tmp_path / "moved" / "out")
    (tmp_path / "plans").rename(tmp_path / "moved" / "plans")
    done = run("apply", "moved/plans/plan.json", "-m", "r")
    assert "only the database" not in done.stderr
    assert run("render", "docs/a.md").stdout == A.replace("two", "2")
    assert "nothing differs" in run("status", "moved/out").stdout


def test_a_plan_without_its_folder(run: Run, out: Path, tmp_path: Path) -> None:
    edit(out / "a.md", "two", "2")
    run("plan", "out", "-o", "plan.json")
    out.rename(tmp_path / "away")
    done = run("apply", "plan.json", "-m", "r")
    assert "only the database is changed: the export that was planned on is not there: out" in done.stderr
    assert run("render", "docs/a.md").stdout == A.replace("two", "2")
    assert "moved on" in run("status", "away", "--format", "tsv").stdout
    # One that is there, and is another.
    run("export", "--to", "away")
    edit(tmp_path / "away" / "a.md", "three", "3")
    run("plan", "away", "-o", "plan.json")
    shutil.rmtree(tmp_path / "away")
    run("export", "docs/a.md", "--to", "away")
    other = tree(tmp_path / "away")
    assert "only the database" in run("apply", "plan.json", "-m", "r").stderr
    assert tree(tmp_path / "away") == other and "3" in run("render", "docs/a.md").stdout


def test_a_plan_that_is_refused(run: Run, out: Path, tmp_path: Path, changes: Callable[[], int]) -> None:
    edit(out / "a.md", "two", "2")
    run("plan", "out", "-o", "plan.json")
    plan = tmp_path / "plan.json"
    good = plan.read_text()
    before = changes()
    edit(out / "a.md", "three", "3")
    edited = run("apply", "plan.json", "-m", "r", code=5)
    assert "the files have changed since the plan was made (IU216)" in edited.stderr and "a.md" in edited.stderr
    (out / "a.md").unlink()
    assert "(IU216)" in run("apply", "plan.json", "-m", "r", code=5).stderr
    (out / "a.md").write_text(A.replace("two", "2"))
    plan.write_text(good.replace('"new": "# A', '"new": "# X'))
    tampered = run("apply", "plan.json", "-m", "r", code=1)
    assert "(IU051)" in tampered.stderr and "plan.json: its digest is another" in tampered.stderr
    for text in ("", "[]", "{}", "\udcff", good[:-100], good.replace('"version": 1', '"version": 2', 1)):
        plan.write_bytes(text.encode(errors="surrogateescape"))
        assert "(IU051)" in run("apply", "plan.json", "-m", "r", code=1).stderr
    with plan.open("wb") as file:
        file.truncate(1 << 30)
    assert "it has more than" in run("apply", "plan.json", "-m", "r", code=1).stderr
    assert changes() == before
    plan.write_text(good)
    piece_edit(run, "docs/a.md#a", "# A\n\nthere\n\n")
    before = changes()
    moved = run("apply", "plan.json", "-m", "r", code=5)
    assert "(IU216)" in moved.stderr and moved.stdout == "" and changes() == before


def forged(good: str, change: Callable[[Any], None]) -> str:
    """A plan that was changed by somebody who knows how to make the digest."""
    content = json.loads(good)
    del content["digest"]
    change(content)
    text = json.dumps(content, ensure_ascii=False, sort_keys=True)
    return json.dumps({**content, "digest": hashlib.sha256(text.encode()).hexdigest()}, ensure_ascii=False)


def test_a_forged_plan(run: Run, out: Path, tmp_path: Path, changes: Callable[[], int]) -> None:
    edit(out / "a.md", "two", "2")
    run("plan", "out", "-o", "plan.json")
    good, before = (tmp_path / "plan.json").read_text(), changes()
    (tmp_path / "secret").write_text("secret\n")

    def function(content: Any) -> None:
        content["calls"][0]["function"] = "fn_iu_delete"

    def argument(content: Any) -> None:
        content["calls"][0]["arguments"]["p_body => 'x'); delete from iucore.change; --"] = "x"

    def no_function(content: Any) -> None:
        content["calls"][0]["function"] = ["fn_iu_edit"]

    def no_arguments(content: Any) -> None:
        content["calls"][0]["arguments"] = ["p_address"]

    def outside(content: Any) -> None:
        content["applied"] = {"../secret": "0" * 64}

    for change in (function, argument, no_function, no_arguments, outside):
        (tmp_path / "plan.json").write_text(forged(good, change))
        says = "IU031" if change is outside else "IU051"
        assert f"({says})" in run("apply", "plan.json", "-m", "r", code=1).stderr, change.__name__
        assert changes() == before
    (tmp_path / "plan.json").write_text(forged(good, lambda content: content.pop("directory")))
    assert "only the database is changed" in run("apply", "plan.json", "-m", "r").stderr


def test_conflicts(run: Run, out: Path, changes: Callable[[], int]) -> None:
    edit(out / "a.md", "two", "two in the file")
    edit(out / "a.md", "bee", "bee in the file")
    piece_edit(run, "docs/a.md#a", "# A\n\none\ntwo in the database\u202e\nthree\n\n")
    before, edited = changes(), tree(out)
    planned = run("plan", "out", "-o", "plan.json")
    lines = planned.stdout.splitlines()
    assert "  conflict docs/a.md#a (the same lines were edited in the database)" in lines
    assert "    two{+ in the file+}" in lines and "    two{+ in the database\\u202e+}" in lines
    assert lines.index("    in the file:") < lines.index("    in the database:")
    assert "1 conflict, 1 edited; 3 unchanged" in lines
    assert "1 conflict: iucore apply refuses this until it is settled" in planned.stderr
    assert run("plan", "out", "--exit-code", code=5).stdout != ""
    assert tree(out) == edited
    for source in ("out", "plan.json"):
        refused = run("apply", source, "-m", "r", code=5)
        assert "(IU215)" in refused.stderr and "a.md: docs/a.md#a" in refused.stderr and refused.stdout == ""
    written = run("plan", "out", "--conflict-files")
    assert "written: out/a.md.conflict" in written.stderr
    marked = tree(out).pop("a.md.conflict").decode()
    assert (
        "<<<<<<< file\ntwo in the file\n" in marked and ">>>>>>> database\n" in marked and "bee in the file" in marked
    )
    assert {name: data for name, data in tree(out).items() if name != "a.md.conflict"} == edited
    assert changes() == before
    assert "a.md.conflict" not in run("status", "out").stdout
    # Settled as the report says.
    edit(out / "a.md", "two in the file", "two in the database\u202e")
    run("apply", "out", "-m", "r")
    assert "bee in the file" in run("render", "docs/a.md").stdout
    edit(out / "a.md", "two in the database\u202e", "two in both")
    run("apply", "out", "-m", "r")
    assert run("render", "docs/a.md").stdout == (out / "a.md").read_text()
    (out / "a.md.conflict").unlink()
    (out / "a.md.conflict").symlink_to(out.parent / "elsewhere")
    edit(out / "a.md", "two in both", "mine")
    piece_edit(run, "docs/a.md#a", "# A\n\none\nyours\nthree\n\n")
    assert "(IU031)" in run("plan", "out", "--conflict-files", code=1).stderr
    assert not (out.parent / "elsewhere").exists()


def test_what_does_not_overlap_merges(run: Run, out: Path) -> None:
    edit(out / "a.md", "one", "1")
    piece_edit(run, "docs/a.md#a", "# A\n\none\ntwo\n3\n\n")
    run("apply", "out", "-m", "r")
    merged = A.replace("one", "1").replace("three", "3")
    assert run("render", "docs/a.md").stdout == merged == (out / "a.md").read_text()
    assert "nothing differs" in run("status", "out").stdout


def test_missing(run: Run, out: Path, changes: Callable[[], int]) -> None:
    edit(out / "a.md", "# B\n\nbee\n\n", "")
    planned = run("plan", "out", "--exit-code", code=3).stdout
    assert "  missing docs/a.md#b\n    [-# B-]\n" in planned and "1 missing; 4 unchanged" in planned
    assert "next: iucore apply out -m REASON --allow-remove" in planned
    before = changes()
    refused = run("apply", "out", "-m", "r", code=1)
    assert "(IU052)" in refused.stderr and "a.md: docs/a.md#b" in refused.stderr and "--allow-remove" in refused.stderr
    run("plan", "out", "-o", "plan.json")
    assert "(IU052)" in run("apply", "plan.json", "-m", "r", code=1).stderr
    assert changes() == before
    run("apply", "plan.json", "-m", "r", "--allow-remove")
    assert run("render", "docs/a.md").stdout == (out / "a.md").read_text() == A.replace("# B\n\nbee\n\n", "")
    assert run("piece", "show", "docs/a.md#b", "--body").stdout == "# B\n\nbee\n\n", "the piece is still there"


def test_fork(run: Run, out: Path) -> None:
    run("collection", "create", "other", "--title", "O", "--piece", "docs/a.md#b", "-m", "r")
    edit(out / "a.md", "bee", "bees")
    planned = run("plan", "out").stdout
    assert "    also changes 1 other document: other\n    (clone instead: --fork)\n" in planned
    forked = run("plan", "out", "--fork", "--level", "2", "--kind", "policy").stdout
    assert "also changes" not in forked and "in place of docs/a.md#b" in forked
    assert "next: iucore apply out --fork --level 2 --kind policy -m REASON" in forked
    one = run("plan", "out", "--fork-piece", "docs/a.md#b", "-o", "plan.json").stdout
    assert "in place of docs/a.md#b" in one
    done = objects(run("apply", "out", "--fork", "-m", "r", "--format", "json"))
    assert (done["born"], done["edited"]) == (1, 1)
    assert run("render", "other").stdout == "# B\n\nbee\n\n"
    assert run("render", "docs/a.md").stdout == A.replace("bee", "bees")
    edit(out / "a.md", "sea", "seas")
    run("apply", "out", "--fork-piece", "docs/a.md#c", "-m", "r")
    assert run("piece", "show", "docs/a.md#c", "--body").stdout == "# C\n\nsea\n"
    assert run("render", "docs/a.md").stdout == (out / "a.md").read_text()


def test_edits_of_shared_pieces_bring_the_other_files_up_to_date(run: Run, tmp_path: Path) -> None:
    make(run, tmp_path, {"a.md": A})
    for number in range(12):
        key = f"docs/more{number:02}.md"
        run("collection", "create", key, "--title", "O", "--piece", "docs/a.md#b", "-m", "r")
    run("export", "--prefix", "docs", "--to", "out")
    edit(tmp_path / "out" / "a.md", "bee", "bees")
    planned = run("plan", "out").stdout
    assert "also changes 12 other documents: docs/more00.md, " in planned and "docs/more09.md and 2 more\n" in planned
    run("apply", "out", "-m", "r")
    assert (tmp_path / "out" / "more11.md").read_text() == "# B\n\nbees\n\n"
    assert "nothing differs" in run("status", "out").stdout


def test_new_files(run: Run, out: Path) -> None:
    (out / "sub" / "c.md").write_text("# New\n\ntext\n\n## Deep\n\nmore\n")
    planned = run("plan", "out", "--exit-code", code=3).stdout
    assert "sub/c.md: new; collection docs/sub/c.md\n  new docs/sub/c.md#new\n    {+# New+}\n" in planned
    assert "2 new; 5 unchanged" in planned
    assert "1 new; 5 unchanged" in run("plan", "out", "--level", "1").stdout
    run("apply", "out", "--level", "1", "--kind", "policy", "-m", "r")
    assert run("render", "docs/sub/c.md").stdout == (out / "sub" / "c.md").read_text()
    assert objects(run("piece", "show", "docs/sub/c.md#new", "--format", "json"))["kind"] == "policy"
    assert "nothing differs" in run("status", "out").stdout
    (out / "d.md").write_text("# Taken\n")
    run("collection", "create", "docs/d.md", "--title", "D", "-m", "r")
    taken = run("plan", "out")
    assert "  conflict docs/d.md#taken (there is a collection docs/d.md: rename the file" in taken.stdout
    assert "(IU215)" in run("apply", "out", "-m", "r", code=5).stderr


def test_renamed_files(run: Run, out: Path) -> None:
    (out / "a.md").rename(out / "z.md")
    planned = run("plan", "out", "--exit-code", code=3).stdout
    assert planned.splitlines() == [
        "z.md: renamed from a.md; collection docs/a.md",
        "",
        "1 file renamed; 5 unchanged",
        "next: iucore apply out -m REASON",
    ]
    assert "nothing to do" in run("apply", "out", "-m", "r").stderr
    assert "nothing differs" in run("status", "out").stdout, "the new name is written down"
    (out / "z.md").rename(out / "y.md")
    edit(out / "y.md", "two", "2")
    assert "y.md: renamed from z.md, edited; collection docs/a.md" in run("plan", "out").stdout
    run("apply", "out", "-m", "r")
    assert run("render", "docs/a.md").stdout == A.replace("two", "2")
    run("export", "--to", "out")
    assert set(tree(out)) == {"y.md", "sub/b.md", NAME}


def test_deleted_files_are_not_acted_on(run: Run, out: Path) -> None:
    (out / "a.md").unlink()
    planned = run("plan", "out", "--exit-code").stdout
    assert "a.md: deleted (not acted on); collection docs/a.md" in planned and "1 file deleted; 5 unchanged" in planned
    assert planned.endswith("next: iucore status out\n")
    assert "nothing to do" in run("apply", "out", "-m", "r").stderr
    assert run("render", "docs/a.md").stdout == A
    run("export", "--to", "out")
    assert (out / "a.md").read_text() == A


def test_moved_and_merged(run: Run, out: Path) -> None:
    (out / "a.md").write_text("# C\n\nsea\n# A\n\none\ntwo\nthree\n\n# B\n\nbees\n\n")
    planned = run("plan", "out").stdout
    assert "  moved docs/a.md#c\n" in planned and "  edited docs/a.md#b\n" in planned
    run("apply", "out", "-m", "r")
    assert run("render", "docs/a.md").stdout == (out / "a.md").read_text()
    edit(out / "sub/b.md", "# E\n\n", "")
    assert "  merged docs/sub/b.md#e (into docs/sub/b.md#d)" in run("plan", "out").stdout
    run("apply", "out", "-m", "r", "--allow-remove")
    assert run("render", "docs/sub/b.md").stdout == (out / "sub/b.md").read_text()


def test_what_is_hidden_in_a_text_is_shown(run: Run, out: Path) -> None:
    edit(out / "a.md", "bee", "b\u200bee \x1b]0;t\x07\x1b[31m \u202e" + "x" * 300)
    (out / "new.md").write_text("# N\u2066ew\n\n" + "\x1b[31m" + "y" * 300 + "\u2066\n")
    planned = run("plan", "out").stdout
    assert "b\\u200bee \\x1b]0;t\\x07\\x1b[31m \\u202e" in planned and "N\\u2066ew" in planned
    assert not {"\x1b", "\u200b", "\u202e", "\u2066", "\x07"}.intersection(planned)
    assert "y" * 150 in planned and "y" * 250 not in planned and "\u2026" in planned


def test_sql_of_an_apply(run: Run, url: str, out: Path, changes: Callable[[], int]) -> None:
    edit(out / "a.md", "two", "it's 2")
    edit(out / "a.md", "# C", "# N\n\nnew\n\n# C")
    before, files = changes(), tree(out)
    printed = run("sql", "apply", "out", "-m", "why", "--actor", "ann", "--request-key", "k")
    script = printed.stdout
    assert script.startswith("begin;\n") and script.endswith("commit;\n") and "p_reason => 'why'" in script
    assert "p_actor => 'ann'" in script and "p_request_key => 'k:1'" in script and "p_request_key => 'k:2'" in script
    assert "bring the folder up to date: iucore export --to out" in printed.stderr
    assert changes() == before and tree(out) == files
    run("plan", "out", "-o", "plan.json")
    run_again = run("sql", "apply", "plan.json", "-m", "why", "--actor", "ann", "--request-key", "k")
    assert run_again.stdout == script and "database: " not in run_again.stderr
    with psycopg.connect(url.replace("+psycopg2", ""), autocommit=True) as connection:
        connection.execute(script.encode())
    assert run("render", "docs/a.md").stdout == (out / "a.md").read_text()
    run("export", "--to", "out")
    assert "nothing differs" in run("status", "out").stdout
    assert run("sql", "apply", "out", "-m", "why").stdout == ""
    edit(out / "a.md", "# B\n\nbee\n\n", "")
    assert "(IU052)" in run("sql", "apply", "out", "-m", "r", code=1).stderr
    assert "fn_iu_collection_remove" in run("sql", "apply", "out", "-m", "r", "--allow-remove").stdout
    assert "no governed SQL" in run("sql", "plan", "out", code=2).stderr


# --- what happens behind the commit ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [OSError(28, "No space left on device", "out/a.md"), SerializationFailure("x"), KeyboardInterrupt()],
    ids=["disk", "database", "ctrl-c"],
)
def test_what_was_committed_is_not_called_failed(
    run: Run, out: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    from sqlalchemy.exc import DBAPIError

    def broken(*_: Any) -> list[str]:
        raise DBAPIError("select", None, error) if isinstance(error, SerializationFailure) else error

    edit(out / "a.md", "two", "2")
    with monkeypatch.context() as patched:
        patched.setattr(applier, "finish", broken)
        done = run("apply", "out", "-m", "r", code=130 if isinstance(error, KeyboardInterrupt) else 1)
    assert "the change is committed, but the folder could not be brought up to date" in done.stderr
    assert "Bring it up to date; nothing is done twice: iucore apply out -m REASON" in done.stderr
    if isinstance(error, OSError):
        assert "No space left on device: out/a.md" in done.stderr
    assert run("render", "docs/a.md").stdout == A.replace("two", "2")
    run("export", "--to", "out")
    assert "nothing differs" in run("status", "out").stdout


def test_a_file_that_is_edited_meanwhile_is_left(run: Run, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finish = applier.finish

    def slow(*given: Any) -> list[str]:
        edit(out / "a.md", "one", "one more")
        return finish(*given)

    edit(out / "a.md", "two", "2")
    with monkeypatch.context() as patched:
        patched.setattr(applier, "finish", slow)
        done = run("apply", "out", "-m", "r")
    assert "left as it is, since it was edited meanwhile: a.md\nnext: iucore plan out\n" in done.stderr
    assert "one more\n2" in (out / "a.md").read_text()
    run("apply", "out", "-m", "r")
    assert run("render", "docs/a.md").stdout == (out / "a.md").read_text()


# --- hostile folders -------------------------------------------------------------------------------------------------


def _document(content: Any) -> Any:
    return content["documents"][0]


def _set(name: str, value: Any) -> Callable[[Any], None]:
    return lambda content: _document(content).update({name: value})


def _set_piece(name: str, value: Any) -> Callable[[Any], None]:
    return lambda content: _document(content)["pieces"][1].update({name: value})


def _shift(content: Any) -> None:
    one, two = _document(content)["pieces"][:2]
    one["bytes"] -= 2
    two["start"] -= 2
    two["bytes"] += 2


LIES = {
    "no JSON": (lambda out: (out / NAME).write_text("{"), "IU050"),
    "a gap": (_set_piece("start", 3), "IU050"),
    "ranges": (_shift, "IU050"),
    "length": (_set("bytes", 1), "IU050"),
    "version": (_set_piece("version", 9), "IU050"),
    "sha256 of a piece": (_set_piece("sha256", "0" * 64), "IU050"),
    "another piece": (_set_piece("address", "docs/sub/b.md#d"), "IU050"),
    "no such piece": (_set_piece("address", "docs/nope"), "IU050"),
    "another database": (_set("collection", "00000000-0000-0000-0000-000000000001"), "IU050"),
    "another format": (lambda content: content.update(format="x"), "IU050"),
    "another version": (lambda content: content.update(version=2), "IU050"),
    "..": (_set("path", "../secret.md"), "IU031"),
    "absolute": (_set("path", "/etc/passwd"), "IU031"),
    ".git": (_set("path", ".GIT/config"), "IU031"),
    "case": (_set("path", "SUB/B.md"), "IU031"),
}


@pytest.mark.parametrize("case", LIES)
def test_a_manifest_that_lies(run: Run, out: Path, tmp_path: Path, case: str, changes: Callable[[], int]) -> None:
    (tmp_path / "secret.md").write_text("secret\n")
    (edit_it, code) = LIES[case]
    if case == "no JSON":
        edit_it(out)
    else:
        rewrite(out, edit_it)
    edit(out / "sub/b.md", "dee", "dew")
    before, written = tree(tmp_path), changes()
    for arguments in (["status", "out"], ["plan", "out"], ["apply", "out", "-m", "r"]):
        refused = run(*arguments, code=1)
        assert f"({code})" in refused.stderr, arguments
        assert refused.stdout == "" and "secret\n" not in refused.stderr
    assert tree(tmp_path) == before and changes() == written


def test_a_manifest_of_another_database(
    run: Run, out: Path, new_database: Callable[..., str], changes: Callable[[], int]
) -> None:
    from iucore.operations import migrate

    other = new_database()
    migrate.upgrade(other)
    before, written = tree(out), changes()
    for arguments in (["status", "out"], ["plan", "out"], ["apply", "out", "-m", "r"]):
        assert "is in this database" in run("--url", other, *arguments, code=1).stderr
    assert tree(out) == before and changes() == written


@pytest.mark.parametrize("case", ["link", "folder link", "manifest link", "pipe", "folder", "sparse"])
def test_a_hostile_folder(run: Run, out: Path, tmp_path: Path, case: str, changes: Callable[[], int]) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "b.md").write_text("secret\n")
    name = "a.md"
    if case == "link":
        (out / "a.md").unlink()
        (out / "a.md").symlink_to(tmp_path / "secret" / "b.md")
    elif case == "folder link":
        name = "sub"
        shutil.rmtree(out / "sub")
        (out / "sub").symlink_to(tmp_path / "secret")
    elif case == "manifest link":
        name = NAME
        (out / NAME).rename(tmp_path / "manifest")
        (out / NAME).symlink_to(tmp_path / "manifest")
    elif case == "pipe":
        (out / "a.md").unlink()
        os.mkfifo(out / "a.md")
    elif case == "folder":
        (out / "a.md").unlink()
        (out / "a.md").mkdir()
    else:
        with (out / "a.md").open("wb") as file:
            file.truncate(1 << 30)
    written = changes()
    for arguments in (
        ["status", "out"],
        ["plan", "out", "-o", "plan.json"],
        ["apply", "out", "-m", "r"],
        ["export", "--to", "out", "--discard-edits"],
    ):
        refused = run(*arguments, code=1)
        assert "(IU031)" in refused.stderr and name in refused.stderr, arguments
        assert refused.stdout == "" and not (tmp_path / "plan.json").exists()
    assert (tmp_path / "secret" / "b.md").read_text() == "secret\n" and changes() == written


# --- real processes --------------------------------------------------------------------------------------------------


def test_a_reader_may_look_and_not_apply(run: Run, out: Path, login: Callable[[str | None], str]) -> None:
    edit(out / "a.md", "two", "2")
    reader, nobody = login("iucore_reader"), login(None)
    for arguments in (["status", "out"], ["plan", "out"], ["export", "--prefix", "docs", "--to", "x"]):
        run("--url", reader, *arguments)
        assert "grant iucore_reader to" in run("--url", nobody, *arguments, code=4).stderr
    assert "grant iucore_author to" in run("--url", reader, "apply", "out", "-m", "r", code=4).stderr
    run("--url", login("iucore_author"), "apply", "out", "-m", "r")


def test_drivers(run: Run, url: str, out: Path) -> None:
    other = url.replace("+psycopg2", "").replace("postgresql://", "postgresql+psycopg://")
    edit(out / "a.md", "two", "2%s")
    for arguments in (["status", "out"], ["plan", "out"], ["apply", "out", "-m", "r"], ["export", "--to", "out"]):
        run("--url", other, *arguments)
    assert run("render", "docs/a.md").stdout == A.replace("two", "2%s")


def test_colours_and_headings_on_a_terminal(run: Run, url: str, out: Path) -> None:
    edit(out / "a.md", "two", "2 \u202e")
    kept = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    for arguments, wanted in (
        (["plan", "out"], ["\x1b[1ma.md: edited", "\x1b[31mtwo\x1b[0m", "\x1b[32m2 \\u202e\x1b[0m"]),
        (["status", "out"], ["\x1b[1mEdited in the files:\x1b[0m"]),
    ):
        controller, terminal = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "iucore.cli", *arguments],
            stdin=terminal,
            stdout=terminal,
            stderr=subprocess.DEVNULL,
            env={**kept, "TERM": "xterm-256color", "IUCORE_DATABASE_URL": url},
        )
        os.close(terminal)
        shown = b""
        while block := _read(controller):
            shown += block
        os.close(controller)
        assert process.wait(60) == 0
        for text in wanted:
            assert text in shown.decode(), arguments


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux says EIO when the last writer has ended
        return b""

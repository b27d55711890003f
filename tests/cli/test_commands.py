"""Every command against a real database: what it prints, what it leaves, and its exit code."""

from __future__ import annotations

import csv
import io
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Connection

from iucore import collections, units
from iucore.cli import _context, main
from iucore.operations import migrate

AWKWARD = "\ufeff# É\r\nlone\rtab\t\\ %s 'x' \u202e\x0c\n"
HEAVY = ("sqlalchemy", "alembic", "rich", "markdown_it", "psycopg2", "psycopg", "mdit_py_plugins", "platformdirs")

Run = Callable[..., Result]


@pytest.fixture
def run(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in this process, on the database of the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IUCORE_DATABASE_URL", url)

    def invoke(*arguments: str, code: int = 0, stdin: str | bytes | None = None) -> Result:
        result = CliRunner().invoke(main, arguments, input=stdin)
        assert result.exit_code == code, f"{arguments}: exit {result.exit_code}\n{result.output}"
        return result

    return invoke


def environment(url: str | None = None, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "IUCORE_", "DATABASE_"))}
    kept["PGPASSFILE"] = os.environ["PGPASSFILE"]
    return {**kept, **({"IUCORE_DATABASE_URL": url} if url else {}), **more}


def real(*arguments: str, env: dict[str, str], stdin: bytes = b"", **more: Any) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "iucore.cli", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, env=env, check=False, timeout=60, **more)


def objects(result: Result) -> Any:
    return json.loads(result.stdout)


def make(run: Run, address: str, body: str = "text\n", *more: str) -> dict[str, Any]:
    return objects(
        run("--format", "json", "piece", "create", address, "--title", "T", "--file", "-", "-m", "r", *more, stdin=body)
    )


# --- pieces and kinds ------------------------------------------------------------------------------------------------


def test_piece_create_show_and_exact_bytes(run: Run, tmp_path: Path) -> None:
    (tmp_path / "body.md").write_bytes(AWKWARD.encode())
    made = run(
        *("piece", "create", "a/one", "--kind", "policy", "--title", "One", "--file", "body.md", "-m", "first"),
        *("--attributes", '{"owner": "hr"}', "--actor", "ann", "--request-key", "k", "--format", "json"),
    )
    assert objects(made)["version"] == 1 and objects(made)["byte_length"] == len(AWKWARD.encode())
    assert run("piece", "show", "a/one", "--body").stdout_bytes == AWKWARD.encode()
    shown = objects(run("piece", "show", "a/one", "--format", "json"))
    assert shown["body"] == AWKWARD and shown["attributes"] == {"owner": "hr"} and shown["kind"] == "policy"
    past = objects(run("piece", "history", "a/one", "--format", "json"))
    assert [(each["version"], each["claimed_actor"], each["reason"]) for each in past] == [(1, "ann", "first")]
    assert run("piece", "create", "a/two", "--title", "T", "--body", "x", "-m", "r").stdout.startswith("unit_id\t")


def test_piece_edit_clone_lifecycle_diff(run: Run) -> None:
    make(run, "a/one", "one\ntwo\nthree")
    assert objects(run("--format", "json", "piece", "edit", "a/one", "--title", "New", "-m", "r"))["version"] == 2
    edited = run(
        *("--format", "json", "piece", "edit", "a/one", "--file", "-", "--expected-version", "2", "-m", "r"),
        stdin="one\n2\nthree\n",
    )
    assert objects(edited)["version"] == 3
    stale = run("piece", "edit", "a/one", "--body", "x", "--expected-version", "1", "-m", "r", code=5)
    assert "(IU202)" in stale.stderr and "hint:" in stale.stderr and stale.stdout == ""
    diff = run("piece", "diff", "a/one").stdout
    assert diff.splitlines() == [
        "--- a/one version 2: New",
        "+++ a/one version 3: New",
        "@@ -1,3 +1,3 @@",
        " one",
        "-two",
        "-three",
        "\\ No newline at end of file",
        "+2",
        "+three",
    ]
    renamed = run("piece", "diff", "a/one", "--from", "1", "--to", "2").stdout
    assert renamed.splitlines() == ["--- a/one version 1: T", "+++ a/one version 2: New"]
    assert run("piece", "diff", "a/one", "--from", "2", "--to", "2").stdout == ""
    assert objects(run("piece", "diff", "a/one", "--format", "json"))["to_body"] == "one\n2\nthree\n"
    assert "+2\n" in run("piece", "diff", "a/one", "--format", "table").stdout
    run("piece", "clone", "a/one", "a/two", "--version", "1", "--title", "Copy", "-m", "r")
    assert run("piece", "show", "a/two", "--body").stdout == "one\ntwo\nthree"
    retired = run("piece", "lifecycle", "a/two", "retired", "-m", "r", "--format", "jsonl")
    assert json.loads(retired.stdout)["lifecycle"] == "retired"
    run("piece", "lifecycle", "a/two", "gone", "-m", "r", code=2)
    assert (
        "(IU202)" in run("piece", "lifecycle", "a/two", "active", "--expected-version", "1", "-m", "r", code=5).stderr
    )
    used = run("piece", "where-used", "a/one")
    assert used.stdout == "key\tkind\ttitle\tmember_id\tpinned_version\tdepth\n"


def test_lists_are_whole_unless_limited(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_context, "PAGE", 2)
    for number in range(5):
        make(run, f"a/{number}")
        run("collection", "create", f"a/{number}", "--title", "T", "-m", "r")
    first = run("piece", "list", "--prefix", "a/", "--limit", "3", "--format", "jsonl")
    assert [json.loads(line)["address"] for line in first.stdout.splitlines()] == ["a/0", "a/1", "a/2"]
    rest = run("piece", "list", "--prefix", "a/", "--kind", "text", "--after", "a/1", "--format", "json")
    assert [each["address"] for each in objects(rest)] == ["a/2", "a/3", "a/4"]
    for what in ("piece", "collection"):
        for shape, lines in {"tsv": 6, "csv": 6, "jsonl": 5, "table": 9}.items():
            assert run(what, "list", "--format", shape).stdout.count("\n") == lines, shape
        assert len(objects(run(what, "list", "--format", "json"))) == 5
    run("piece", "list", "--limit", "0", code=2)
    assert "p_limit => null" in run("sql", "piece", "list").stdout


def test_kinds(run: Run) -> None:
    made = run(
        "kind", "register", "faq", "--title", "FAQ", "--description", "An answer.", "-m", "r", "--format", "json"
    )
    assert objects(made)["kind"] == "faq"
    assert "faq" in {each["kind"] for each in objects(run("kind", "list", "--format", "json"))}
    other = run("kind", "register", "faq", "--title", "X", "--description", "Y.", "-m", "r", code=5)
    assert "(IU206)" in other.stderr


WRONG = {
    "unknown address": (["piece", "show", "nope"], 1, "IU001"),
    "unknown version": (["piece", "show", "one", "--version", "9"], 1, "IU002"),
    "unknown kind": (["piece", "create", "x", "--kind", "nope", "--title", "T", "--body", "", "-m", "r"], 1, "IU005"),
    "bad address": (["piece", "create", "a b", "--title", "T", "--body", "", "-m", "r"], 1, "IU010"),
    "bad title": (["piece", "create", "x", "--title", "a\u202eb", "--body", "", "-m", "r"], 1, "IU011"),
    "taken": (["piece", "create", "one", "--title", "T", "--body", "", "-m", "r"], 5, "IU201"),
    "attributes of another type": (["piece", "edit", "one", "--attributes", "[1]", "-m", "r"], 1, "IU015"),
    "attributes no JSON": (["piece", "edit", "one", "--attributes", "{", "-m", "r"], 1, "IU015"),
    "attributes NaN": (["piece", "edit", "one", "--attributes", '{"a": NaN}', "-m", "r"], 1, "IU015"),
    "attributes deep": (["piece", "edit", "one", "--attributes", "[" * 50_000, "-m", "r"], 1, "IU015"),
    "surrogate": (["piece", "edit", "one", "--body", "a\udcff", "-m", "r"], 1, "IU013"),
    "empty reason": (["piece", "edit", "one", "--body", "a", "-m", ""], 1, "IU016"),
    "empty actor": (["piece", "edit", "one", "--body", "a", "-m", "r", "--actor", ""], 1, "IU017"),
    "unknown collection": (["collection", "show", "nope"], 1, "IU003"),
    "unknown axis": (["axis", "set", "one", "nope", "v", "-m", "r"], 1, "IU006"),
    "unknown change": (["render", "doc", "--as-of", "99999"], 1, "IU008"),
    "future": (["render", "doc", "--as-of", "2999-01-01T00:00Z"], 1, "IU018"),
    "not a workflow": (["render", "doc", "--as", "json"], 1, "IU023"),
    "unknown member": (["collection", "move", "doc", "nope", "--first", "-m", "r"], 1, "IU004"),
    "no reason": (["piece", "edit", "one", "--body", "a"], 2, "--reason"),
    "no text": (["piece", "create", "x", "--title", "T", "-m", "r"], 2, "--file"),
    "two texts": (["piece", "edit", "one", "--body", "a", "--file", "b", "-m", "r"], 2, "not both"),
    "nothing to edit": (["piece", "edit", "one", "-m", "r"], 2, "at least one"),
    "no such file": (["piece", "edit", "one", "--file", "nope.md", "-m", "r"], 1, "nope.md"),
    "no such command": (["piece", "burn"], 2, "No such command"),
    "no such group": (["burn"], 2, "No such command"),
    "no such option": (["piece", "show", "one", "--burn"], 2, "No such option"),
    "version 0": (["piece", "show", "one", "--version", "0"], 2, "not a number from 1"),
    "huge version": (["piece", "show", "one", "--version", str(2**63)], 2, "not a number from 1"),
    "two places": (["collection", "move", "doc", "one", "--first", "--last", "-m", "r"], 2, "one of --first"),
    "no place": (["collection", "move", "doc", "one", "-m", "r"], 2, "one of --first"),
    "bad moment": (["render", "doc", "--as-of", "yesterday"], 2, "ISO 8601"),
    "bad goal": (["collection", "step", "doc", "one", "--on", "x", "-m", "r"], 2, "OUTCOME=GOAL"),
    "a step of a file": (["collection", "step", "doc", "one", "--label", "x", "-m", "r"], 1, "IU022"),
    "no values": (["axis", "set", "one", "risk", "-m", "r"], 2, "--clear"),
    "render nothing": (["render"], 2, "--prefix"),
    "render both": (["render", "doc", "--prefix", "a", "--to", "b"], 2, "either a KEY"),
    "bad format": (["--format", "xml", "kind", "list"], 2, "xml"),
    "bad url": (["--url", "mysql://x", "kind", "list"], 1, "IU030"),
    "cut without a reason": (["cut", ".", "--prefix", "x", "--apply"], 2, "-m REASON"),
    "cut level 7": (["cut", ".", "--prefix", "x", "--level", "7"], 2, "--level"),
    "cut with a bad prefix": (["cut", ".", "--prefix", "a//b"], 1, "IU010"),
    "cut nothing": (["cut", "nothing-here", "--prefix", "x"], 1, "nothing-here"),
    "cut an empty folder": (["cut", ".", "--prefix", "x"], 1, "nothing to cut"),
    "sql of db": (["sql", "db", "up"], 2, "governed SQL"),
    "sql of nothing": (["sql"], 2, "COMMAND"),
    "unknown revision": (["db", "upgrade", "9999"], 1, "IU912"),
    "bad time": (["db", "upgrade", "--wait", "soon"], 2, "--wait"),
    "downgrade without asking": (["db", "downgrade", "base"], 2, "no terminal to confirm on: add --yes"),
    "upgrade to an older revision": (["db", "upgrade", "0001"], 1, "iucore db downgrade 0001"),
    "sql from nowhere": (["db", "sql", "0002"], 2, "FROM:TO"),
    "a retry without a version": (
        ["piece", "edit", "one", "--body", "a", "-m", "r", "--request-key", "k"],
        2,
        "--request-key needs --expected-version",
    ),
    "a retry of a lifecycle": (
        ["piece", "lifecycle", "one", "retired", "-m", "r", "--request-key", "k"],
        2,
        "--request-key needs --expected-version",
    ),
    "delete without asking": (["piece", "delete", "one", "-m", "r"], 2, "no terminal to confirm on: add --yes"),
    "retire without asking": (["piece", "retire", "one", "-m", "r"], 2, "no terminal to confirm on: add --yes"),
    "delete a collection without asking": (["collection", "delete", "doc", "-m", "r"], 2, "add --yes"),
    "delete nothing": (["piece", "delete", "nope", "--yes", "-m", "r"], 1, "IU001"),
    "delete no collection": (["collection", "delete", "nope", "--yes", "-m", "r"], 1, "IU003"),
    "delete without a reason": (["piece", "delete", "one", "--yes"], 2, "--reason"),
    "retire what is used": (["piece", "retire", "one", "--refuse-if-used", "--yes", "-m", "r"], 5, "IU211"),
    "retire another version": (["piece", "retire", "one", "--expected-version", "9", "--yes", "-m", "r"], 5, "IU202"),
    "retire version 0": (["piece", "retire", "one", "--expected-version", "0", "--yes", "-m", "r"], 2, "not a number"),
    "restore what is there": (["piece", "restore", "one", "-m", "r"], 5, "IU210"),
    "restore a collection that is there": (["collection", "restore", "doc", "-m", "r"], 5, "IU213"),
    "record without a reason": (["render", "doc", "--record"], 2, "--record needs -m REASON"),
    "a reason without record": (["render", "doc", "-m", "r"], 2, "go with --record"),
    "an actor without record": (["collection", "validate", "doc", "--actor", "ann"], 2, "go with --record"),
    "record the past": (["render", "doc", "--as-of", "1", "--record", "-m", "r"], 2, "as it is now"),
    "record a form": (["render", "doc", "--as", "json", "--record", "-m", "r"], 2, "as it is now"),
    "record many": (["render", "--prefix", "doc", "--to", "out", "--record", "-m", "r"], 2, "as it is now"),
    "record nothing": (["render", "--record", "-m", "r"], 2, "as it is now"),
    "record into a missing folder": (["render", "doc", "-o", "nope/x", "--record", "-m", "r"], 1, "nope"),
    "unknown gate": (["gate", "close", "nope", "-m", "r"], 1, "IU040"),
    "history of an unknown gate": (["gate", "history", "nope"], 1, "IU040"),
    "close without a reason": (["gate", "close", "master"], 2, "--reason"),
    "close with an empty reason": (["gate", "close", "master", "-m", ""], 1, "IU016"),
    "unknown route": (["route", "on", "nope", "-m", "r"], 1, "IU042"),
    "a route of an unknown type": (["route", "register", "x", "--type", "x.y", "--title", "X", "-m", "r"], 1, "IU041"),
    "bad route": (["route", "register", "X", "--type", "unit.edited", "--title", "X", "-m", "r"], 1, "IU034"),
    "bad event type": (["events", "register", "paid", "--title", "P", "--lane", "delayed", "-m", "r"], 1, "IU034"),
    "bad lane": (["events", "register", "a.b", "--title", "P", "--lane", "slow", "-m", "r"], 2, "--lane"),
    "a lane that loses events": (
        ["events", "register", "a.b", "--title", "P", "--lane", "immediate", "--delta", "-m", "r"],
        1,
        "IU035",
    ),
    "events of change x": (["events", "list", "--change", "x"], 2, "not a number"),
    "events after no id": (["events", "list", "--after", "x"], 2, "--after"),
    "no url": (["--url", "", "kind", "list"], 2, "it is empty"),
    "no data": (["db", "status", "--data", ""], 2, "it is empty"),
    "no file": (["piece", "edit", "one", "--file", "", "-m", "r"], 2, "it is empty"),
    "no output": (["render", "doc", "-o", ""], 2, "it is empty"),
    "no folder": (["render", "--prefix", "doc", "--to", ""], 2, "it is empty"),
    "no prefix": (["render", "--prefix", "", "--to", "out"], 2, "it is empty"),
    "cut without a prefix": (["cut", ".", "--prefix", ""], 2, "it is empty"),
    "cut without a name": (["cut", "", "--prefix", "x"], 2, "it is empty"),
    "a version of a collection": (
        ["collection", "add", "doc", "doc", "--nested", "--version", "1", "-m", "r"],
        2,
        "no version",
    ),
    "a collection as a piece": (["collection", "add", "doc", "doc", "-m", "r"], 1, "--nested"),
    "render below nothing": (["render", "--prefix", "do", "--to", "out"], 1, "IU003"),
    "render into a missing folder": (["render", "doc", "-o", "nope/x"], 1, "nope"),
    "escapes": (["piece", "show", "a\x1b[31m\u202e"], 1, "a\\x1b[31m\\u202e"),
    "escapes in usage": (["piece", "show", "a", "--\x1b[31m"], 2, "\\x1b[31m"),
    "not UTF-8": (["piece", "show", "é\udcff"], 1, "the argument ADDRESS is not UTF-8 at byte 2 (IU013)"),
    "an option that is not UTF-8": (
        ["piece", "edit", "one", "--body", "\udcff", "-m", "r"],
        1,
        "argument --body is not",
    ),
}


def test_wrong_input(run: Run, tmp_path: Path) -> None:
    make(run, "one")
    run("collection", "create", "doc", "--title", "D", "--piece", "one", "-m", "r")
    run("axis", "register", "risk", "--title", "Risk", "--rule", "union", "-m", "r")
    before = run("-q", "piece", "history", "one").stdout
    for case, (arguments, code, says) in WRONG.items():
        result = run(*arguments, code=code)
        assert says in result.stderr, f"{case}: {result.stderr}"
        assert result.stdout == "" and "Traceback" not in result.stderr and "\x1b" not in result.stderr, case
    assert [path.name for path in tmp_path.iterdir()] == []
    assert run("-q", "piece", "history", "one").stdout == before


def test_bytes_that_are_no_text(run: Run) -> None:
    for data, code, offset in ((b"ab\xff", "IU013", 2), (b"a\0", "IU012", 1), (b"\xed\xa0\x80", "IU013", 0)):
        refused = run("piece", "create", "x", "--title", "T", "--file", "-", "-m", "r", stdin=data, code=1)
        assert f"({code})" in refused.stderr and f"byte offset: {offset}" in refused.stderr


# --- collections, axes, render ---------------------------------------------------------------------------------------


def test_collections(run: Run, tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        make(run, name, f"{name} {AWKWARD}")
    made = run(
        *("collection", "create", "doc", "--title", "D", "--piece", "one", "--piece", "two", "-m", "r"),
        *("--format", "json"),
    )
    assert objects(made)["members"] == 2 and objects(made)["kind"] == "file"
    run("collection", "add", "doc", "three", "--before", "two", "--version", "1", "-m", "r")
    rows = objects(run("collection", "show", "doc", "--format", "json"))
    assert [(row["address"], row["pinned"]) for row in rows] == [("one", False), ("three", True), ("two", False)]
    run("collection", "unpin", "doc", f"@{rows[1]['member_id']}", "-m", "r")
    pinned = objects(run("collection", "pin", "doc", "one", "-m", "r", "--format", "json"))
    assert pinned["pinned_version"] == 1 and pinned["changed"] is True
    moved = objects(run("collection", "move", "doc", "two", "--first", "-m", "r", "--format", "json"))
    assert moved["changed"] is True
    run("collection", "replace", "doc", "three", "two", "--version", "1", "-m", "r")
    ambiguous = run("collection", "remove", "doc", "two", "-m", "r", code=5)
    assert "(IU205)" in ambiguous.stderr and "@" in ambiguous.stderr
    run("collection", "remove", "doc", "one", "-m", "r")
    run("collection", "rebalance", "doc", "-m", "r")
    assert run("render", "doc").stdout_bytes == (f"two {AWKWARD}" * 2).encode()
    before = moved["change_id"]
    expected = "".join(f"{name} {AWKWARD}" for name in ("two", "one", "three"))
    assert run("render", "doc", "--as-of", str(before)).stdout_bytes == expected.encode()
    assert len(objects(run("collection", "show", "doc", "--as-of", str(before), "--format", "json"))) == 3
    summary = objects(run("collection", "show", "doc", "--summary", "--format", "json"))
    assert summary["pieces"] == 2 and isinstance(summary["bytes"], int)
    warned = run("collection", "validate", "doc", "--format", "json")
    assert {each["code"] for each in objects(warned)} == {"duplicate"} and "0 errors, 2 warnings" in warned.stderr
    run("collection", "create", "outer", "--title", "O", "-m", "r")
    run("collection", "add", "outer", "doc", "--nested", "-m", "r")
    used = objects(run("collection", "where-used", "doc", "--format", "json"))
    assert [each["key"] for each in used] == ["outer"]
    listed = objects(run("collection", "list", "--format", "json"))
    assert [each["key"] for each in listed] == ["doc", "outer"]
    assert objects(run("collection", "history", "doc", "--format", "json"))[-1]["verb"] == "collection_create"
    assert "(IU028)" in run("collection", "add", "doc", "outer", "--nested", "-m", "r", code=1).stderr


def test_workflow(run: Run, tmp_path: Path) -> None:
    make(run, "ask")
    make(run, "do")
    steps = [{"piece": "ask", "label": "ask", "transitions": [{"on": "a=b", "to": "lost"}]}, {"piece": "do"}]
    (tmp_path / "steps.json").write_text(json.dumps(steps))
    run("collection", "create", "w", "--kind", "workflow", "--title", "W", "--members", "steps.json", "-m", "r")
    broken = run("collection", "validate", "w", "--format", "json", code=3)
    assert {each["code"] for each in objects(broken)} == {"goto_nowhere", "unreachable"}
    run("collection", "step", "w", "ask", "--label", "ask", "--on", "a=b=end", "--on", "no=next", "-m", "r")
    assert objects(run("collection", "validate", "w", "--format", "json")) == []
    assert objects(run("collection", "show", "w", "--format", "json"))[0]["transitions"] == [
        {"on": "a=b", "to": "end"},
        {"on": "no", "to": "next"},
    ]
    run("collection", "add", "w", "do", "--label", "again", "--on", "x=ask", "-m", "r")
    assert run("render", "w", "--as", "mermaid").stdout.startswith("flowchart TD\n")
    assert run("render", "w", "--as", "checklist").stdout.startswith("# W\n")
    run("render", "w", "--as", "json", "-o", "w.json")
    assert json.loads((tmp_path / "w.json").read_text())["key"] == "w"
    both = ["collection", "create", "x", "--title", "X", "--members", "steps.json", "--piece", "do", "-m", "r"]
    run(*both, code=2)
    for text, says in {
        "{}": 'such as [{"piece": "a/one"}',
        "1": 'such as [{"piece": "a/one"}',
        '["do"]': 'such as [{"piece": "a/one"}',
        "{": 'such as [{"piece": ',
        '[{"piece": "do"}, {"piece": "ask", "verison": 1}]': "member 2: 'verison'",
        '[{"piece": "do", "version": "1"}]': 'member 1: "1"',
        '[{"piece": "do", "version": 1.5}]': "member 1: 1.5",
    }.items():
        (tmp_path / "bad.json").write_text(text)
        bad = run("collection", "create", "x", "--title", "X", "--members", "bad.json", "-m", "r", code=1)
        assert "(IU019)" in bad.stderr and says in bad.stderr, text


def test_axes(run: Run) -> None:
    make(run, "one")
    run("collection", "create", "doc", "--title", "D", "--piece", "one", "-m", "r")
    run(
        "axis",
        "register",
        "risk",
        "--title",
        "Risk",
        "--rule",
        "highest",
        "--value",
        "low",
        "--value",
        "high",
        "-m",
        "r",
    )
    assert objects(run("axis", "list", "--format", "json"))[0]["axis_values"] == ["low", "high"]
    assert objects(run("axis", "set", "one", "risk", "high", "-m", "r", "--format", "json"))[0]["value"] == "high"
    refused = run("axis", "set", "one", "risk", "huge", "-m", "r", code=1)
    assert "(IU007)" in refused.stderr
    assert run("axis", "refresh", "doc", "-m", "r").stdout.splitlines()[1] == "doc\trisk\thigh\tadded"
    assert run("axis", "show", "doc", "--collection").stdout.splitlines()[1].startswith("doc\trisk\thigh\t")
    assert run("axis", "show", "one").stdout.splitlines()[1].startswith("one\trisk\thigh\t")
    run("axis", "set", "one", "risk", "--clear", "-m", "r")
    assert len(run("axis", "show", "one").stdout.splitlines()) == 1


def test_render_to_a_file_and_a_folder(run: Run, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "a b").mkdir(parents=True)
    (source / "one.md").write_bytes(AWKWARD.encode())
    (source / "a b" / "zwei ä.md").write_bytes(b"# A\n\n## B\n\ntext\n")
    run("cut", "source", "--prefix", "docs", "--nest", "--apply", "-m", "import")
    done = run("render", "--prefix", "docs", "--to", "out", "--format", "json")
    assert objects(done) == {
        "written": 2,
        "unchanged": 0,
        "byte_length": sum(path.stat().st_size for path in source.rglob("*.md")),
    }
    for path in ("one.md", "a b/zwei ä.md"):
        assert (tmp_path / "out" / path).read_bytes() == (source / path).read_bytes()
    change = max(each["head_change"] for each in objects(run("collection", "list", "--format", "json")))
    (tmp_path / "later.md").write_text("# Later\n")
    run("cut", "later.md", "--prefix", "docs", "--apply", "-m", "more")
    then = run("render", "--prefix", "docs", "--to", "then", "--as-of", str(change), "--format", "json")
    assert objects(then)["written"] == 2 and not (tmp_path / "then" / "later.md").exists()
    run("render", "docs/one.md", "-o", "file.md")
    assert (tmp_path / "file.md").read_bytes() == AWKWARD.encode()
    assert run("render", "docs/one.md", "-o", "-").stdout_bytes == AWKWARD.encode()
    (tmp_path / "link.md").symlink_to("file.md")
    refused = run("render", "docs/one.md", "-o", "link.md", code=1).stderr
    assert "(IU031)" in refused and f"{tmp_path / 'link.md'}" in refused and "is a symbolic link" in refused
    assert "(IU003)" in run("render", "nope", "-o", "new.md", code=1).stderr
    assert not (tmp_path / "new.md").exists() and not list(tmp_path.glob(".iucore-*"))
    make(run, "p")
    run("collection", "create", "docs/%2E%2E", "--title", "X", "--piece", "p", "-m", "r", code=1)
    run("collection", "create", "docs/one.md/below", "--title", "X", "--piece", "p", "-m", "r")
    refused = run("render", "--prefix", "docs", "--to", "out", code=1).stderr
    assert "(IU031)" in refused and "3 files up to one.md" in refused
    assert (tmp_path / "out" / "one.md").read_bytes() == AWKWARD.encode()


def test_render_at_and_below_a_prefix(run: Run, tmp_path: Path) -> None:
    make(run, "p")
    for key in ("a/doc", "a/doc/below", "a/docs", "a"):
        run("collection", "create", key, "--title", "T", "--piece", "p", "-m", "r")
    for prefix in ("a/doc", "a/doc/"):
        run("render", "--prefix", prefix, "--to", f"out{len(prefix)}")
        assert sorted(path.name for path in (tmp_path / f"out{len(prefix)}").iterdir()) == ["below", "doc"]
    missing = run("render", "--prefix", "a/doc", "--to", "then", "--as-of", "1", code=1).stderr
    assert "(IU003)" in missing and "as of then" in missing and not (tmp_path / "then").exists()


def test_digits_that_look_like_a_day(run: Run) -> None:
    for digits, day in {"2026": "2026-01-01", "20261124": "2026-11-24"}.items():
        told = run("render", "doc", "--as-of", digits, code=1).stderr
        assert f"read as change number {digits}; for a moment write {day}" in told
    for digits in ("1", "1500", "20261350", "20269"):
        assert "read as" not in run("render", "doc", "--as-of", digits, code=1).stderr


# --- disposals, gates, events, routes --------------------------------------------------------------------------------


def test_disposals(run: Run) -> None:
    for name in ("one", "two"):
        make(run, name, f"{name}\n")
    run("collection", "create", "doc", "--title", "D", "--piece", "one", "--piece", "two", "-m", "r")
    deleted = objects(run("piece", "delete", "one", "--yes", "-m", "mistake", "--format", "json"))
    assert (deleted["lifecycle"], deleted["places"]) == ("soft_deleted", 1)
    assert run("render", "doc").stdout == "two\n"
    assert "(IU209)" in run("piece", "delete", "one", "--yes", "-m", "r", code=5).stderr
    edit = run("piece", "edit", "one", "--body", "x", "-m", "r", code=5).stderr
    assert "(IU209)" in edit and "hint:" in edit
    assert "soft_deleted" in run("collection", "validate", "doc").stdout
    restored = objects(run("piece", "restore", "one", "-m", "back", "--format", "json"))
    assert (restored["lifecycle"], restored["places"]) == ("active", 1)
    assert run("render", "doc").stdout == "one\ntwo\n"
    retired = objects(run("piece", "retire", "one", "--expected-version", "1", "--yes", "-m", "r", "--format", "json"))
    assert (retired["lifecycle"], retired["version"], retired["places"]) == ("retired", 2, 1)
    assert run("render", "doc").stdout == "one\ntwo\n"
    assert "retired" in run("collection", "validate", "doc").stdout
    assert "(IU208)" in run("collection", "add", "doc", "one", "-m", "r", code=5).stderr
    run("collection", "create", "outer", "--title", "O", "-m", "r")
    run("collection", "add", "outer", "doc", "--nested", "-m", "r")
    assert "(IU214)" in run("collection", "delete", "doc", "--yes", "-m", "r", code=5).stderr
    assert objects(run("collection", "delete", "outer", "--yes", "-m", "r", "--format", "json"))["changed"] is True
    assert "(IU212)" in run("collection", "add", "outer", "two", "-m", "r", code=5).stderr
    assert objects(run("collection", "restore", "outer", "-m", "r", "--format", "json"))["key"] == "outer"
    assert run("render", "outer").stdout == "one\ntwo\n"


def test_recorded_reads(run: Run, tmp_path: Path) -> None:
    make(run, "one", AWKWARD)
    run("collection", "create", "doc", "--title", "D", "--piece", "one", "--piece", "one", "-m", "r")
    printed = run("render", "doc", "--record", "-m", "print", "--actor", "ann")
    assert printed.stdout_bytes == (AWKWARD * 2).encode() and "recorded as change " in printed.stderr
    run("render", "doc", "--record", "-m", "print", "-o", "doc.md", "--request-key", "k")
    run("render", "doc", "--record", "-m", "print", "-o", "doc.md", "--request-key", "k")
    assert (tmp_path / "doc.md").read_bytes() == (AWKWARD * 2).encode()
    run("render", "doc", "--record", "-m", "print", "-o", "missing/doc.md", code=1)
    validated = run("collection", "validate", "doc", "--record", "-m", "check", "--format", "json")
    assert {each["code"] for each in objects(validated)} == {"duplicate"}
    told = objects(run("events", "list", "--subject", "doc", "--format", "json"))
    assert [each["event_type"] for each in told][-3:] == [
        "collection.rendered",
        "collection.rendered",
        "collection.validated",
    ], "what could not be written was not recorded"
    assert told[-3]["claimed_actor"] == "ann"
    renders = [each for each in told if each["event_type"] == "collection.rendered"]
    assert len(renders) == 2, "a repeated request key is one render"
    make(run, "step")
    run("collection", "create", "w", "--kind", "workflow", "--title", "W", "--piece", "step", "-m", "r")
    run("collection", "step", "w", "step", "--on", "x=nowhere", "-m", "r")
    run("collection", "validate", "w", "--record", "-m", "check", code=3)
    assert "collection.validated" in run("events", "list", "--subject", "w").stdout, "findings are recorded too"


def test_gates(run: Run) -> None:
    listed = objects(run("gate", "list", "--format", "json"))
    assert [(each["gate"], each["is_open"]) for each in listed] == [
        ("master", True),
        ("composer", True),
        ("delivery", False),
    ]
    make(run, "one")
    closed = objects(run("gate", "close", "composer", "-m", "in print", "--actor", "ann", "--format", "json"))
    assert (closed["gate"], closed["is_open"], closed["changed"]) == ("composer", False, True)
    refused = run("collection", "create", "doc", "--title", "D", "-m", "r", code=1)
    assert refused.stdout == "" and "(IU101)" in refused.stderr and "in print" in refused.stderr
    assert "ann" in refused.stderr and "iucore gate open composer" in refused.stderr
    make(run, "two")
    run("gate", "close", "master", "-m", "audit")
    told = run("piece", "edit", "one", "--body", "x", "-m", "r", code=1).stderr
    assert "(IU100)" in told and "audit" in told and "hint:" in told
    assert run("piece", "show", "one", "--body").stdout == "text\n"
    assert objects(run("gate", "open", "master", "-m", "done", "--format", "json"))["is_open"] is True
    run("gate", "open", "composer", "-m", "printed")
    run("collection", "create", "doc", "--title", "D", "-m", "r")
    past = objects(run("gate", "history", "--format", "json"))
    assert [(each["gate"], each["is_open"]) for each in past] == [
        ("composer", True),
        ("master", True),
        ("master", False),
        ("composer", False),
    ]
    assert len(objects(run("gate", "history", "composer", "--format", "json"))) == 2


def test_events(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_context, "PAGE", 2)
    change = make(run, "one")["change_id"]
    for number in range(4):
        run("piece", "edit", "one", "--body", f"{number}", "-m", "r")
    found = objects(run("events", "list", "--subject", "one", "--format", "json"))
    assert [each["event_type"] for each in found] == ["unit.created", *["unit.edited"] * 4]
    assert objects(run("events", "list", "--change", str(change), "--format", "json")) == found[:1]
    edited = ["events", "list", "--type", "unit.edited", "--subject", "one", "--format", "jsonl"]
    assert [json.loads(line) for line in run(*edited).stdout.splitlines()] == found[1:]
    assert run(*edited, "--limit", "3").stdout.count("\n") == 3
    assert run(*edited, "--after", found[2]["event_id"]).stdout.count("\n") == 2
    assert run("events", "list", "--subject", "nope").stdout.count("\n") == 1
    types = {each["event_type"]: each for each in objects(run("events", "types", "--format", "json"))}
    assert types["unit.edited"]["is_delta"] is True and types["unit.created"]["delivery_lane"] == "immediate"
    assert run("events", "check").stdout == "code\tsubject\tmessage\thint\n"
    run("events", "register", "bill.paid", "--title", "Paid", "--lane", "delayed", "--delta", "-m", "r")
    wrong = run("events", "check", "--format", "json", code=3)
    assert [(each["code"], each["subject"]) for each in objects(wrong)] == [("no_route", "bill.paid")]
    routed = run("route", "register", "ledger", "--type", "bill.paid", "--title", "L", "-m", "r", "--format", "json")
    assert objects(routed)["execution_enabled"] is False
    run("events", "check")
    other = run("events", "register", "bill.paid", "--title", "Paid", "--lane", "immediate", "-m", "r", code=5).stderr
    assert "(IU206)" in other


def test_routes(run: Run) -> None:
    listed = objects(run("route", "list", "--format", "json"))
    assert len(listed) >= 8 and not any(each["execution_enabled"] for each in listed)
    on = objects(run("route", "on", "unit.edited", "-m", "ready", "--format", "json"))
    assert (on["execution_enabled"], on["changed"]) == (True, True)
    assert objects(run("route", "on", "unit.edited", "-m", "again", "--format", "json"))["changed"] is False
    enabled = [each for each in objects(run("route", "list", "--format", "json")) if each["execution_enabled"]]
    assert [(each["route"], each["switched_change"]) for each in enabled] == [("unit.edited", on["change_id"])]
    assert objects(run("route", "off", "unit.edited", "-m", "down", "--format", "json"))["execution_enabled"] is False


# --- cut -------------------------------------------------------------------------------------------------------------


def test_cut(run: Run, tmp_path: Path, connection: Connection) -> None:
    (tmp_path / "a.md").write_text("# A\n\nsame\n\n# B\n\nmore\n")
    (tmp_path / "b.md").write_text("# A\n\nsame\n\n")
    dry = run("cut", "a.md", "b.md", "--prefix", "docs")
    assert dry.stdout.splitlines() == [
        "path\tkey\tpieces\tbytes",
        "a.md\tdocs/a.md\t2\t21",
        "b.md\tdocs/b.md\t1\t11",
    ]
    assert "2 documents, 3 pieces (3 would be born, 0 used again)" in dry.stderr
    assert "dry run (without --reuse it does not look at the database)" in dry.stderr
    assert units.list_pieces(connection) == []
    run("cut", "a.md", "--prefix", "docs", "--apply", "-m", "import", "--request-key", "k", "--kind", "policy")
    run("cut", "a.md", "--prefix", "docs", "--apply", "-m", "import", "--request-key", "k", "--kind", "policy")
    taken = run("cut", "a.md", "--prefix", "docs", "--apply", "-m", "again", code=5)
    assert "(IU201)" in taken.stderr
    other = run("cut", "b.md", "--prefix", "docs", "--reuse")
    assert "(1 would be born, 0 used again)" in other.stderr, "a piece of another kind was used"
    dry = run("cut", "b.md", "--prefix", "docs", "--reuse", "--kind", "policy")
    assert "(0 would be born, 1 used again)" in dry.stderr and "without --reuse" not in dry.stderr
    run("cut", "b.md", "--prefix", "docs", "--reuse", "--kind", "policy", "--apply", "-m", "r")
    connection.rollback()
    assert len(units.list_pieces(connection, kind="policy")) == 2 == len(units.list_pieces(connection))
    assert run("render", "docs/b.md").stdout == "# A\n\nsame\n\n"


def test_cut_names_every_bad_file(run: Run, tmp_path: Path, connection: Connection) -> None:
    (tmp_path / "good.md").write_text("# Good\n")
    (tmp_path / "bad1.md").write_bytes(b"abc\xff")
    (tmp_path / "bad2.txt").write_bytes(b"a\0")
    refused = run("cut", ".", "--prefix", "d", "--apply", "-m", "r", code=1)
    assert "bad1.md: not UTF-8 at byte 3 (IU013)" in refused.stderr and "bad2.txt" in refused.stderr
    assert collections.list_collections(connection) == []
    connection.rollback()
    kept = run("cut", ".", "--prefix", "d", "--apply", "-m", "r", "--keep-going", code=1)
    assert "2 files were left out" in kept.stderr
    assert [each.key for each in collections.list_collections(connection)] == ["d/good.md"]


# --- output ----------------------------------------------------------------------------------------------------------


def test_formats(run: Run) -> None:
    make(run, "one", 'a\tb\nc\\d\r,"é\u202e\x1b[31m')
    body = 'a\tb\nc\\d\r,"é\u202e\x1b[31m'
    header, row, *rest = run("piece", "show", "one", "--format", "tsv").stdout_bytes.decode().split("\n")
    values = dict(zip(header.split("\t"), row.split("\t"), strict=True))
    assert values["body"] == 'a\\tb\\nc\\\\d\\r,"é\u202e\x1b[31m' and rest == [""]
    assert values["attributes"] == "{}" and values["source_address"] == ""
    text = run("piece", "show", "one", "--format", "csv").stdout_bytes.decode()
    assert next(csv.DictReader(io.StringIO(text, newline="")))["body"] == body
    assert json.loads(run("piece", "show", "one", "--format", "jsonl").stdout_bytes)["body"] == body
    assert run("piece", "list", "--format", "jsonl").stdout.count("\n") == 1
    assert objects(run("piece", "where-used", "one", "--format", "json")) == []
    table = run("piece", "show", "one", "--format", "table").stdout
    assert "\x1b" not in table and "\\x1b[31m" in table and "\\u202e" in table
    table = run("piece", "list", "--format", "table").stdout
    assert table.splitlines()[1].split()[:2] == ["address", "kind"]
    digest = objects(run("piece", "list", "--format", "json"))[0]["content_sha256"]
    assert len(digest) == 64 and digest[:12] in table and digest[:13] not in table
    assert (
        digest[:12] in (shown := run("piece", "show", "one", "--format", "table").stdout) and digest[:13] not in shown
    )


def test_target_is_told_once_without_password(run: Run, login: Callable[[str | None], str]) -> None:
    secret = login("iucore_reader")
    password = secret.split("@")[0].rpartition(":")[2]
    told = run("--url", secret, "piece", "edit", "nope", "--body", "x", "-m", "r", code=1).stderr
    assert told.count("database: ") == 1 and password not in told and "(--url)" in told
    wrong = run("--url", secret.replace(password, "s3cret"), "kind", "list", code=6).stderr
    assert "s3cret" not in wrong
    assert "database" not in run("kind", "list", "-q").stderr


def test_debug_shows_the_traceback(run: Run) -> None:
    told = run("--debug", "piece", "show", "nope", code=1).stderr
    assert "Traceback" in told and "error: " in told


# --- db and inventory ------------------------------------------------------------------------------------------------


def test_migrations(run: Run, new_database: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    empty = new_database()
    monkeypatch.setenv("IUCORE_DATABASE_URL", empty)
    assert run("db", "current").stdout == "base\n"
    assert objects(run("db", "current", "--format", "json")) == {"revision": None}
    missing = run("piece", "list", code=1)
    assert "iucore db upgrade" in missing.stderr
    assert "(IU912)" in run("inventory", "verify", code=1).stderr
    assert run("db", "upgrade", "0002", "--wait", "30s").stdout == "0002\n"
    assert "next: iucore db upgrade" in run("db", "current").stderr
    newer = run("db", "downgrade", "0003", "--yes", code=1).stderr
    assert "the database is at an older revision: 0002" in newer and "iucore db upgrade 0003" in newer
    older = run("db", "upgrade", "0001", code=1).stderr
    assert "the database is at a newer revision: 0002" in older and "iucore db downgrade 0001" in older
    assert "iucore db upgrade" in run("collection", "list", code=1).stderr
    head = migrate.heads()[0]
    upgraded = run("db", "upgrade", "--lock-timeout", "5s", "--statement-timeout", "5min")
    assert upgraded.stdout == f"{head}\n" and f"0002 -> {head}" in upgraded.stderr
    verified = run("db", "verify").stdout
    assert verified == f"{verified.split('/')[0]}/{verified.split('/')[0]}\n"
    run("piece", "create", "one", "--title", "T", "--body", "x", "-m", "r")
    assert "(IU903)" in run("db", "downgrade", "base", "--yes", code=1).stderr
    assert run("db", "downgrade", "base", "--yes", "--lose-rows").stdout == "base\n"


def test_inventory(run: Run, url: str) -> None:
    shown = objects(run("inventory", "show", "--format", "json"))
    assert shown == objects(run("inventory", "show", "--expected", "--format", "json"))
    assert len(objects(run("inventory", "show", "--expected", "--revision", "0001", "--format", "json"))) < len(shown)
    run("inventory", "show", "--revision", "0001", code=2)
    number = len(shown)
    total, *kinds = run("inventory", "verify").stdout.splitlines()
    assert total == f"{number}/{number}"
    counted = {kind: ratio.split("/") for kind, ratio in (line.split("\t") for line in kinds)}
    assert all(matching == expected for matching, expected in counted.values())
    assert counted.pop("commands") == ["17", "17"]
    assert sum(int(expected) for _, expected in counted.values()) == number
    assert {"function", "view", "table", "index", "event_type", "route", "gate"} <= set(counted)
    with psycopg.connect(url.replace("+psycopg2", ""), autocommit=True) as connection:
        connection.execute("drop function iucore.fn_iu_list")
        connection.execute("comment on view iucore.v_piece is 'other'")
        connection.execute("create table iucore.extra (a int)")
    differing = run("inventory", "verify", code=3).stdout.splitlines()
    assert differing[0] == f"{number - 2}/{number}"
    assert {line.split("\t")[0] for line in differing if line.count("\t") == 2} == {"missing", "altered", "unexpected"}
    found = objects(run("inventory", "verify", "--format", "json", code=3))
    assert found["matching"] == number - 2 and {"kind", "object", "status"} == set(found["differences"][0])
    assert run("db", "verify", code=3).stdout.startswith(f"{number - 2}/{number}\n")
    with psycopg.connect(url.replace("+psycopg2", ""), autocommit=True) as connection:
        connection.execute("drop function iucore.fn_iu_retire")
    lines = run("inventory", "verify", code=3).stdout.splitlines()
    assert "commands\t16/17" in lines and "missing\tcommand\tdot_iu_retire_piece" in lines


def test_db_sql_and_url(run: Run, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run("db", "sql").stdout_bytes.decode()
    assert whole == migrate.offline_sql()
    assert run("db", "sql", "0002:0003").stdout_bytes.decode() == migrate.offline_sql("0002", "0003")
    assert "(IU912)" in run("db", "sql", "0002:9999", code=1).stderr
    secret = url.replace("@", ":s3cret@", 1)
    assert "s3cret" not in run("--url", secret, "db", "url").stdout
    assert run("--url", secret, "db", "url", "--with-password").stdout == f"{secret}\n"


def test_roles(run: Run, login: Callable[[str | None], str]) -> None:
    make(run, "one")
    reader, nobody = login("iucore_reader"), login(None)
    assert run("--url", reader, "piece", "show", "one", "--body").stdout == "text\n"
    edit = ["piece", "edit", "one", "--body", "x", "-m", "r"]
    retire = ["piece", "lifecycle", "one", "retired", "-m", "r"]
    close = ["gate", "close", "master", "-m", "r"]
    for role, line in (
        ("reader", ["piece", "list"]),
        ("reader", ["sql", *edit]),
        ("author", edit),
        ("author", ["collection", "create", "doc", "--title", "D", "-m", "r"]),
        ("author", ["axis", "refresh", "doc", "-m", "r"]),
        ("reader", ["render", "doc"]),
        ("reader", ["collection", "validate", "doc"]),
        ("reader", ["gate", "list"]),
        ("reader", ["events", "list"]),
        ("author", ["render", "doc", "--record", "-m", "r"]),
        ("author", ["collection", "validate", "doc", "--record", "-m", "r"]),
        ("operator", retire),
        ("operator", ["piece", "retire", "one", "--yes", "-m", "r"]),
        ("operator", ["piece", "delete", "one", "--yes", "-m", "r"]),
        ("operator", ["piece", "restore", "one", "-m", "r"]),
        ("operator", ["collection", "delete", "doc", "--yes", "-m", "r"]),
        ("operator", ["collection", "restore", "doc", "-m", "r"]),
        ("gatekeeper", close),
        ("gatekeeper", ["gate", "open", "master", "-m", "r"]),
        ("gatekeeper", ["route", "on", "unit.edited", "-m", "r"]),
        ("gatekeeper", ["route", "register", "x", "--type", "unit.edited", "--title", "X", "-m", "r"]),
        ("gatekeeper", ["events", "register", "a.b", "--title", "P", "--lane", "delayed", "-m", "r"]),
        ("operator", ["kind", "register", "faq", "--title", "FAQ", "--description", "An answer.", "-m", "r"]),
        ("operator", ["axis", "register", "a", "--title", "A", "--rule", "union", "-m", "r"]),
    ):
        refused = run("--url", nobody, *line, code=4).stderr
        assert "(42501)" in refused and f"hint: Your login role needs this role: grant iucore_{role} to" in refused, (
            line
        )
    assert "a member of iucore_owner" in run("--url", nobody, "db", "downgrade", "base", "--yes", code=4).stderr
    assert "iucore_author" in run("--url", reader, *edit, code=4).stderr
    author = login("iucore_author")
    run("--url", author, *edit)
    assert "iucore_operator" in run("--url", author, *retire, code=4).stderr
    operator, gatekeeper = login("iucore_operator"), login("iucore_gatekeeper")
    run("--url", operator, *retire)
    assert "iucore_gatekeeper" in run("--url", operator, *close, code=4).stderr
    run("--url", gatekeeper, *close)
    run("--url", gatekeeper, "gate", "open", "master", "-m", "r")
    assert "iucore_author" in run("--url", gatekeeper, *edit, "--expected-version", "1", code=4).stderr


def test_both_drivers(run: Run, url: str) -> None:
    other = url.replace("+psycopg2", "+psycopg")
    run("--url", other, "piece", "create", "one", "--title", "T", "--file", "-", "-m", "r", stdin=AWKWARD)
    assert run("--url", other, "piece", "show", "one", "--body").stdout_bytes == AWKWARD.encode()
    assert "(IU001)" in run("--url", other, "piece", "show", "nope", code=1).stderr
    assert "hint: iucore" not in run("--url", other, "kind", "list").stderr


def test_no_connection(
    run: Run, url: str, login: Callable[[str | None], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = login(None)
    before, _, place = known.rpartition("@")
    causes = {
        "postgresql://u@127.0.0.1:1/x": "Is the server running there",
        "postgresql://u@nowhere.invalid/x": "the name of the host",
        f"{known.rpartition('/')[0]}/nope": "createdb nope",
        f"{before}x@{place}": "user and password",
        "postgresql:///?service=nope": "pg_service.conf",
    }
    for one, says in causes.items():
        for driver in ("postgresql+psycopg2", "postgresql+psycopg"):
            for command in (["kind", "list"], ["db", "upgrade"]):
                named = f"{driver}:{one.partition(':')[2]}"
                told = run("--url", named, *command, code=6).stderr
                assert f"hint: {says}" in told or f" {says}" in told.rpartition("hint:")[2], told
                assert "iucore db up" not in told.replace("iucore db upgrade", "")
    monkeypatch.delenv("IUCORE_DATABASE_URL")
    for name in [name for name in os.environ if name.startswith("PG") and name != "PGPASSFILE"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("IUCORE_PGDATA", str(tmp_path / "pg"))
    told = run("kind", "list", code=6)
    assert "iucore db up" in told.stderr and not (tmp_path / "pg").exists()


# --- sql -------------------------------------------------------------------------------------------------------------

SCRIPTS = {
    "piece create": "piece create a/new --title T --body 'back\\slash' -m r",
    "piece edit": "piece edit one --expected-version 1 --body x -m r",
    "piece show": "piece show one",
    "piece list": "piece list",
    "search": "search text --prefix o",
    "kind register": "kind register faq --title FAQ --description Answer -m r",
    "collection create": "collection create new --title N --piece one -m r",
    "collection add": "collection add doc one --first -m r",
    "collection validate": "collection validate doc",
    "axis register": "axis register topic --title Topic --rule union --value a -m r",
    "piece retire": "piece retire two --refuse-if-used -m r",
    "piece delete": "piece delete two -m r",
    "piece restore": "piece restore two -m r",
    "collection delete": "collection delete other -m r",
    "collection restore": "collection restore other -m r",
    "a recorded validation": "collection validate doc --record -m r",
    "a recorded render": "render doc --record -m r",
    "gate close": "gate close delivery -m r",
    "gate list": "gate list",
    "events register": "events register bill.paid --title Paid --lane delayed --delta -m r",
    "events list": 'events list --subject "it\'s"',
    "route register": "route register ledger --type bill.paid --title Ledger -m r",
    "route on": "route on ledger -m r",
    "render": "render doc",
    "render to a file": "render doc -o file",
    "cut": "cut a.md --prefix docs -m r",
}


def test_sql_prints_what_runs(run: Run, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shlex

    make(run, "one")
    make(run, "two")
    run("collection", "create", "other", "--title", "O", "-m", "r")
    run("collection", "create", "doc", "--title", "D", "--piece", "one", "-m", "r")
    (tmp_path / "a.md").write_text("# A\n\n## B\n\nit's %s :x\n")
    printed = {}
    with monkeypatch.context() as without:
        without.setenv("IUCORE_DATABASE_URL", "postgresql://u@127.0.0.1:1/x")
        for case, line in SCRIPTS.items():
            printed[case] = run("sql", *shlex.split(line)).stdout_bytes.decode()
        run("sql", "piece", "edit", "one", "--body", "x", "-m", "r", code=6)
    assert printed["cut"].startswith("begin;\n") and printed["cut"].endswith("commit;\n")
    assert not (tmp_path / "file").exists()
    with psycopg.connect(url.replace("+psycopg2", ""), autocommit=True) as connection:
        for case, script in printed.items():
            assert script.count("select * from iucore.fn_iu_") >= 1, case
            connection.execute(script.encode())
    assert run("render", "docs/a.md").stdout == "# A\n\n## B\n\nit's %s :x\n"
    assert run("piece", "show", "one", "--body").stdout == "x"
    looked = run("sql", "piece", "edit", "one", "--body", "y", "-m", "r").stdout
    assert "p_expected_version => 2" in looked
    assert run("piece", "show", "one", "--body").stdout == "x"
    assert "(IU012)" in run("sql", "piece", "edit", "one", "--file", "-", "-m", "r", stdin=b"\0", code=1).stderr
    assert "one KEY" in run("sql", "render", "--prefix", "docs", "--to", "x", code=2).stderr


def test_sql_in_a_fresh_process(url: str) -> None:
    body = "back\\slash \\n 'quote' é"
    printed = real("sql", "piece", "create", "a", "--title", "T", "--body", body, "-m", "r", env=environment())
    assert printed.returncode == 0 and printed.stderr == b""
    with psycopg.connect(url.replace("+psycopg2", ""), autocommit=True) as connection:
        connection.execute(printed.stdout)
    assert real("piece", "show", "a", "--body", env=environment(url)).stdout.decode() == body


# --- real processes --------------------------------------------------------------------------------------------------


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys\nfrom iucore.cli import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\n"
    )
    for arguments in (["--help"], ["--version"], ["piece", "edit", "--help"], ["cut", "--help"], ["db", "--help"]):
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments], capture_output=True, env=environment(), check=True, timeout=60
        )
        assert done.stderr.decode().splitlines()[-1] == "[]", arguments
        assert done.stdout


def test_streams_and_exit_codes(url: str, tmp_path: Path) -> None:
    env = environment(url, LC_ALL="C")
    body = AWKWARD.encode()
    made = real("piece", "create", "one", "--title", "Té", "--file", "-", "-m", "r", env=env, stdin=body)
    assert made.returncode == 0 and made.stdout.startswith(b"unit_id\t") and b"database: " in made.stderr
    assert real("piece", "show", "one", "--body", env=env).stdout == body
    assert "Té".encode() in real("piece", "list", env=env).stdout
    assert "Té".encode() in real("piece", "list", "--format", "json", "-q", env=env).stdout
    missing = real("piece", "show", "nope", env=env)
    assert (missing.returncode, missing.stdout) == (1, b"") and b"Traceback" not in missing.stderr
    assert real("piece", "show", env=env).returncode == 2
    assert real("piece", "edit", "one", "--body", "x", "--expected-version", "9", "-m", "r", env=env).returncode == 5
    nothing = environment(IUCORE_PGDATA=str(tmp_path / "pg"))
    assert real("kind", "list", env=nothing).returncode == 6
    closed = f"{shlex.quote(sys.executable)} -m iucore.cli piece create two --title T --body x -m r >&-"
    done = subprocess.run(["bash", "-c", closed], capture_output=True, env=env, check=False, timeout=60)
    assert done.returncode == 1 and b"stdout is closed" in done.stderr and b"Traceback" not in done.stderr
    assert real("piece", "show", "two", env=env).returncode == 1
    unreadable = real("piece", "edit", "one", "--body", b"\xff", "-m", "r", env=env)  # type: ignore[arg-type]
    assert unreadable.returncode == 1 and b"IU013" in unreadable.stderr


def test_the_client_encoding_of_the_environment_does_not_matter(url: str) -> None:
    env = environment(url, PGCLIENTENCODING="LATIN1")
    body = "\u20ac \U0001f600\n".encode()
    assert real("piece", "create", "one", "--title", "T", "--file", "-", "-m", "r", env=env, stdin=body).returncode == 0
    assert real("piece", "show", "one", "--body", env=env).stdout == body


def test_a_reader_that_goes_away(url: str) -> None:
    env = environment(url)
    command = f"{shlex.quote(sys.executable)} -m iucore.cli db sql | head -c 10; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, env=env, check=False, timeout=60)
    assert done.returncode == 0 and len(done.stdout) == 10
    assert b"Broken" not in done.stderr and b"Traceback" not in done.stderr and b"error" not in done.stderr


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def on_a_terminal(arguments: list[str], env: dict[str, str]) -> str:
    """What a command writes when stdout is a terminal."""
    import pty

    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "iucore.cli", *arguments],
        stdin=terminal,
        stdout=terminal,
        stderr=subprocess.DEVNULL,
        env={**env, "TERM": "xterm-256color"},
    )
    os.close(terminal)
    written = b""
    while True:
        try:
            block = os.read(controller, 65536)
        except OSError:  # Linux says EIO when the last writer has ended
            break
        if not block:
            break
        written += block
    os.close(controller)
    assert process.wait(60) == 0
    return written.decode()


def test_colours_on_a_terminal_only(url: str, connection: Connection) -> None:
    units.create(connection, address="one", kind="text", title="T", body="a\n", reason="r")
    units.edit(connection, address="one", expected_version=1, body="b \x1b]0;title\x07\n", reason="r")
    connection.commit()
    env = environment(url)
    coloured = on_a_terminal(["piece", "diff", "one"], env)
    assert "\x1b[31m-a" in coloured and "\x1b[32m+b" in coloured and "\x1b]0;" not in coloured
    plain = on_a_terminal(["piece", "diff", "one"], {**env, "NO_COLOR": "1"})
    assert "-a" in plain and "\x1b" not in plain
    assert "\x1b[1m" in on_a_terminal(["piece", "list"], env)
    table = on_a_terminal(["piece", "list"], {**env, "NO_COLOR": "1"})
    assert "address" in table and "\t" not in table
    assert "\x1b[3" not in table
    assert b"\x1b[31m" not in real("piece", "diff", "one", env=env).stdout


def test_reset_asks_on_a_terminal_and_wants_yes_elsewhere(tmp_path: Path) -> None:
    env = environment(IUCORE_PGDATA=str(tmp_path / "pg"))
    refused = real("db", "reset", env=env)
    assert refused.returncode == 2 and b"--yes" in refused.stderr
    done = real("db", "reset", "--yes", env=env)
    assert done.returncode == 0 and b"nothing stands there" in done.stderr


def answered(arguments: list[str], env: dict[str, str], answer: str) -> tuple[int, bytes, str]:
    """Exit code, stdout and what is said on a terminal, where the answer is typed when the question stands there."""
    import fcntl
    import pty
    import select
    import termios

    def on_its_terminal() -> None:
        # Ctrl-C reaches those whose terminal it is. A run in the background ignores SIGINT, and children inherit that.
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "iucore.cli", *arguments],
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=terminal,
        env=env,
        start_new_session=True,
        preexec_fn=on_its_terminal,
    )
    os.close(terminal)
    said = b""
    while True:
        if not select.select([controller], [], [], 60)[0]:
            process.kill()
            raise AssertionError(f"it waits: {said!r}")
        try:
            block = os.read(controller, 65536)
        except OSError:  # Linux says EIO when the last writer has ended
            break
        if not block:
            break
        said += block
        if answer and said.endswith((b"type the address: ", b"type the key: ")):
            os.write(controller, answer.encode())
            answer = ""
    assert process.stdout is not None
    printed = process.stdout.read()
    process.stdout.close()
    os.close(controller)
    return process.wait(60), printed, said.decode()


def test_disposals_show_the_places_and_ask_on_a_terminal(url: str, connection: Connection) -> None:
    for name in ("a/one", "a/two"):
        units.create(connection, address=name, kind="text", title="T", body="x\n", reason="r")
    members: list[collections.NewMember] = [{"piece": "a/one", "version": 1}, {"piece": "a/one"}]
    collections.create(connection, key="doc", kind="file", title="The doc", members=members, reason="r")
    nested: list[collections.NewMember] = [{"collection": "doc"}]
    collections.create(connection, key="outer", kind="file", title="Outer", members=nested, reason="r")
    connection.commit()
    env = environment(url)
    delete = ["piece", "delete", "a/one", "-m", "r", "--format", "json"]
    for wrong in ("a/two\n", "\n", "yes\n", "\x04"):
        code, printed, said = answered(delete, env, wrong)
        assert (code, printed) == (1, b""), said
        assert "That is not the address. Nothing was done." in said
    assert answered(delete, env, "\x03")[0] == 130
    code, printed, said = answered(delete, env, "a/one\n")
    assert code == 0 and json.loads(printed)["lifecycle"] == "soft_deleted", "stdout is data only"
    assert (
        said.replace("\r\n", "\n")
        .partition("\n")[2]
        .startswith(
            "a/one stands in 3 places:\n"
            "  file doc (pinned to version 1): The doc\n"
            "  file doc: The doc\n"
            "  file outer (inside another): Outer\n"
            "To go on, type the address: "
        )
    )
    code, _, said = answered(["-q", "piece", "retire", "a/two", "-m", "r"], env, "a/two\n")
    assert code == 0 and said.startswith("a/two stands in no collection.\r\nTo go on, type the address: ")
    code, _, said = answered(["collection", "delete", "outer", "-m", "r"], env, "outer\n")
    assert code == 0 and "outer stands in no collection." in said
    code, _, said = answered(["piece", "delete", "nope", "-m", "r"], env, "nope\n")
    assert code == 1 and "(IU001)" in said and "type the address" not in said
    code, _, said = answered(["piece", "delete", "a/two", "--yes", "-m", "r"], env, "")
    assert code == 0 and "type the address" not in said


@pytest.mark.parametrize("driver", ["psycopg2", "psycopg"])
def test_ctrl_c_cancels_what_waits(url: str, admin: psycopg.Connection, connection: Connection, driver: str) -> None:
    units.create(connection, address="one", kind="text", title="T", body="a\n", reason="r")
    connection.commit()
    units.edit(connection, address="one", expected_version=1, body="b\n", reason="holds the row")
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "iucore.cli",
            "piece",
            "edit",
            "one",
            "--body",
            "c",
            "--expected-version",
            "1",
            "-m",
            "r",
        ],
        env=environment(url.replace("psycopg2", driver)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A run in the background (nohup, CI) ignores SIGINT, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    waiting = "select count(*) from pg_stat_activity where datname = %s and wait_event_type = 'Lock'"
    name = url.rpartition("/")[2]
    until(lambda: process.poll() is not None or admin.execute(waiting, (name,)).fetchone() == (1,))
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 130, told
    assert b"Traceback" not in told and told.endswith(b"\ninterrupted\n")
    sessions = "select count(*) from pg_stat_activity where datname = %s and application_name = 'iucore'"
    until(lambda: admin.execute(sessions, (name,)).fetchone() == (0,))


def test_ctrl_c_while_python_loads() -> None:
    script = """
import sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "click":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Finder())
from iucore.cli import main
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, env=environment(), check=False)
    assert (done.returncode, done.stderr) == (130, b"interrupted\n")


def test_completion() -> None:
    for shell in ("bash", "zsh", "fish"):
        printed = real("completion", shell, env=environment())
        assert printed.returncode == 0 and b"_IUCORE_COMPLETE" in printed.stdout
    asked = environment(_IUCORE_COMPLETE="bash_complete", COMP_WORDS="iucore pie", COMP_CWORD="1")
    script = "from iucore.cli import main; main(prog_name='iucore')"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, env=asked, check=True, timeout=60)
    assert found.stdout.split() == [b"plain,piece"]


def test_embedded_server(tmp_path_factory: pytest.TempPathFactory, server: Any) -> None:
    import shutil
    import tempfile

    # Where the server's user can reach it when the tests run as root.
    home = Path(tempfile.mkdtemp(prefix="iucore-cli-"))
    home.chmod(0o755)
    env = environment(IUCORE_PGDATA=str(home / "pg"), IUCORE_PG_BIN=str(server.programs))
    del env["PGPASSFILE"]
    try:
        assert json.loads(real("db", "status", "--format", "json", env=env).stdout)["state"] == "absent"
        up = real("db", "up", env=env)
        assert up.returncode == 0 and up.stdout.startswith(b"postgresql://"), up.stderr
        assert b"runs already" in real("db", "up", env=env).stderr
        assert real("db", "url", env=env).stdout == up.stdout
        assert json.loads(real("db", "status", "--format", "json", env=env).stdout)["state"] == "running"
        assert real("db", "upgrade", env=env).returncode == 0
        assert b"(embedded)" in real("kind", "list", env=env).stderr
        if (server.programs / "psql").is_file() or shutil.which("psql"):
            asked = real("db", "psql", "-XAtc", "select 1", env=env)
            assert asked.stdout == b"1\n", asked.stderr
        (home / "pg.iucore" / "passfile").unlink()
        lost = real("db", "psql", env=env)
        assert lost.returncode == 6 and b"passfile" in lost.stderr and b"db down && iucore db up" in lost.stderr
        down = real("db", "down", env=env)
        assert down.returncode == 0 and b"stopped" in down.stderr
        assert b"was not running" in real("db", "down", env=env).stderr
        assert real("kind", "list", env=env).returncode == 6
        assert b"removed" in real("db", "reset", "--yes", env=env).stderr and not (home / "pg").exists()
    finally:
        real("db", "reset", "--yes", env=env)
        shutil.rmtree(home)


def test_psql_on_a_named_database(url: str, login: Callable[[str | None], str]) -> None:
    import shutil

    if shutil.which("psql") is None:
        pytest.skip("no psql")
    env = environment(login("iucore_reader"))
    del env["PGPASSFILE"]
    asked = real("db", "psql", "-XAtc", "select count(*) > 0 from iucore.fn_iu_kind_list()", env=env)
    assert asked.stdout == b"t\n", asked.stderr
    assert real("db", "psql", "-c", "select no", env=env).returncode == 1

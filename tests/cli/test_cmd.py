"""``iucore cmd``: each of the commands as a script, as a dry run and applied; wrong input; who may."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result
from servers import HOST, USER, Server
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

from iucore import collections, commands, units
from iucore.cli import main
from iucore.operations import migrate

GOLDEN = Path(__file__).parent / "golden"
BODY = "# Leave\r\n\nAsk 'first'. \\n is no line end, \\\n\\q nor is $$ :name\t\n  Người lao động \U0001f600  \n"
MEMBERS = [{"piece": "policies/leave"}, {"piece": "policies/leave-de", "version": 1}]
STEPS = [{"piece": "policies/leave-de", "label": "read", "transitions": [{"on": "done", "to": "end"}]}]
# One of each, in an order in which all of them can run: the golden files, and what is run for real.
SCENARIO: dict[str, dict[str, Any]] = {
    "create_piece": {
        "address": "policies/leave",
        "kind": "policy",
        "title": "Leave: 'nghỉ phép'",
        "body": BODY,
        "reason": "first \\ text",
        "attributes": {"owner": "hr", "tags": ["a'b", "\\", "é"]},
        "actor": "ann",
        "request_key": "scenario-1",
    },
    "edit_piece": {"address": "policies/leave", "expected_version": 1, "body": f"{BODY}-- end", "reason": "more"},
    "clone_piece": {
        "source": "policies/leave",
        "address": "policies/leave-de",
        "version": 1,
        "title": "Urlaub",
        "reason": "to translate",
    },
    "create_file": {"key": "handbook.md", "title": "Handbook", "members": MEMBERS, "reason": "first edition"},
    "create_workflow": {"key": "onboarding", "title": "Onboarding", "members": STEPS, "reason": "new"},
    "add_piece": {
        "key": "onboarding",
        "member": "policies/leave",
        "at": "before",
        "anchor": "policies/leave-de",
        "version": 1,
        "label": "start",
        "transitions": [{"on": "it's read", "to": "read"}],
        "reason": "a step before",
    },
    "remove_piece": {"key": "onboarding", "member": "policies/leave", "reason": "obsolete"},
    "reorder_piece": {"key": "handbook.md", "member": "policies/leave-de", "at": "first", "reason": "german first"},
    "pin_piece": {"key": "handbook.md", "member": "policies/leave", "version": 1, "reason": "as signed"},
    "validate": {"key": "handbook.md", "reason": "before the release"},
    "render": {"key": "handbook.md", "reason": "sent to print"},
    "refresh_axes": {"key": "handbook.md", "reason": "weekly"},
    "retire_piece": {
        "address": "policies/leave-de",
        "refuse_if_used": False,
        "expected_version": 1,
        "reason": "no longer in force",
    },
    "soft_delete_piece": {"address": "policies/leave-de", "reason": "under review"},
    "restore_piece": {"address": "policies/leave-de", "reason": "reviewed"},
    "where_used": {"address": "policies/leave"},
    "show_collection": {"key": "handbook.md"},
}

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


def with_an_axis(url: str) -> None:
    """An axis with a value on a piece of the scenario: something to refresh."""
    with psycopg.connect(url.replace("+psycopg2", "")) as connection:
        connection.execute("select iucore.fn_iu_axis_register('topic', 'Topic', 'union', 'r')")
        connection.execute("select iucore.fn_iu_axis_set('policies/leave', 'topic', array['time'], 'r')")


def given(parameters: dict[str, Any]) -> list[str]:
    """Parameters as they are typed."""
    typed = []
    for name, value in parameters.items():
        if name == "reason":
            typed += ["-m", value]
        else:
            typed += ["-p", f"{name}={value if isinstance(value, str) else json.dumps(value)}"]
    return typed


def state(url: str) -> dict[str, str]:
    """Every table by its content."""
    with psycopg.connect(url.replace("+psycopg2", "")) as connection:
        tables = [
            name
            for (name,) in connection.execute(
                "select c.relname from pg_class as c where c.relnamespace = 'iucore'::regnamespace and c.relkind = 'r'"
            )
        ]
        return {
            table: connection.execute(
                f"select md5(coalesce(string_agg(t::text, '|' order by t::text), '')) from iucore.{table} as t"
            ).fetchone()[0]
            for table in tables
        }


def anonymous(report: dict[str, Any]) -> dict[str, Any]:
    """What a run reports, but for what differs from run to run."""
    kept = {name: value for name, value in report.items() if name not in ("applied", "change_ids")}
    kept["rows"] = [{k: v for k, v in row.items() if not hidden(k)} for row in kept["rows"]]
    kept["events"] = [{**event, "payload": {**event["payload"], "member": None}} for event in kept["events"]]
    return kept


def hidden(column: str) -> bool:
    return column.endswith(("_id", "_at")) or column == "head_change"


# --- the scripts -----------------------------------------------------------------------------------------------------


def test_a_golden_file_for_each() -> None:
    assert [f"dot_iu_{name}" for name in SCENARIO] == [command.name for command in commands.CATALOGUE]
    assert {path.name for path in GOLDEN.iterdir()} == {f"{command.name}.sql" for command in commands.CATALOGUE}


@pytest.mark.parametrize("name", SCENARIO)
def test_printed_script_is_golden(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No database is needed. To write the files anew: python tests/cli/test_cmd.py"""
    monkeypatch.setenv("IUCORE_DATABASE_URL", "postgresql://u@127.0.0.1:1/x")
    printed = CliRunner().invoke(main, ["cmd", "sql", name, *given(SCENARIO[name])])
    assert printed.exit_code == 0 and printed.stderr == ""
    assert printed.stdout_bytes == (GOLDEN / f"dot_iu_{name}.sql").read_bytes()
    assert printed.stdout_bytes.decode() == commands.resolve(name, **SCENARIO[name]).script


def as_psql(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "t" if value else "f"
    return json.dumps(value) if isinstance(value, list | dict) else str(value)


def test_golden_scripts_equal_the_library(server: Server, url: str, new_database: Callable[..., str]) -> None:
    """The files as they stand through psql, the same through the library in another database: rows, bytes, events."""
    other = new_database()
    migrate.upgrade(other)
    command = [server.programs / "psql", "-X", "-1", "-v", "ON_ERROR_STOP=1", "--csv", "-q"]
    command += ["-h", HOST, "-p", str(server.port), "-U", USER, "-d", url.rpartition("/")[2]]
    engine = create_engine(other, poolclass=NullPool)
    for name, parameters in SCENARIO.items():
        if name == "refresh_axes":
            with_an_axis(url)
            with_an_axis(other)
        done = subprocess.run([*command, "-f", GOLDEN / f"dot_iu_{name}.sql"], capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        printed = list(csv.DictReader(io.StringIO(done.stdout.decode(), newline="")))
        catalogued = commands.find(name)
        module, _, verb = catalogued.verb.partition(".")
        with engine.connect() as connection, connection.begin():
            answer = getattr({"units": units, "collections": collections}.get(module) or commands.axes, verb)(
                connection, **catalogued.fixed, **parameters
            )
        rows = answer if isinstance(answer, list) else [answer]
        called = [{k: as_psql(getattr(row, k)) for k in type(row).__slots__} for row in rows]
        assert [{k: v for k, v in row.items() if not hidden(k)} for row in printed] == [
            {k: v for k, v in row.items() if not hidden(k)} for row in called
        ], name
    with psycopg.connect(url.replace("+psycopg2", "")) as one, psycopg.connect(other.replace("+psycopg2", "")) as two:
        for query in (
            "select u.address, v.version, v.title, v.lifecycle, v.attributes, k.body from iucore.unit_version as v"
            " join iucore.information_unit as u using (unit_id) join iucore.unit_content as k using (content_sha256)"
            " order by 1, 2",
            "select key, iucore.fn_iu_render(key) from iucore.collection order by 1",
            "select verb, subject, actor, claimed_actor, reason, request_key from iucore.change order by change_id",
            "select event_type, event_subject_ref, payload - 'head_change' from iucore.event_outbox"
            " order by change_id, event_type, payload::text",
        ):
            assert one.execute(query).fetchall() == two.execute(query).fetchall()
        (stored,) = one.execute("select body from iucore.unit_content order by byte_length limit 1").fetchone()
        assert stored.encode() == BODY.encode()


# --- run -------------------------------------------------------------------------------------------------------------


def test_each_command_dry_and_applied(run: Run, url: str) -> None:
    for name, parameters in SCENARIO.items():
        if name == "refresh_axes":
            with_an_axis(url)
        command = commands.find(name)
        typed = ["cmd", "run", name, *given(parameters), "--format", "json"]
        before = state(url)
        dry = run(*typed)
        assert state(url) == before, f"{name} left something"
        if not command.writes:
            assert json.loads(dry.stdout) and "dry run" not in dry.stderr
            assert json.loads(run(*typed, "--apply").stdout) == json.loads(dry.stdout)
            continue
        assert dry.stderr.endswith("dry run: nothing was written; to do it, type the same with --apply\n")
        done = run(*typed, "--apply", "--yes")
        assert state(url) != before, name
        would, did = json.loads(dry.stdout), json.loads(done.stdout)
        assert (would["applied"], did["applied"]) == (False, True)
        assert anonymous(would) == anonymous(did), name
        assert did["command"] == command.name and did["digest"] == commands.resolve(name, **parameters).digest
        assert len(did["change_ids"]) == 1 and done.stderr.endswith(f"committed: change {did['change_ids'][0]}\n")
        assert did["changes"][0] == {"table": "change", "opened": 1, "closed": 0}
        assert {event["event_type"] for event in did["events"]} == set(command.events), name


def opened(report: dict[str, Any]) -> dict[str, tuple[int, int]]:
    return {change["table"]: (change["opened"], change["closed"]) for change in report["changes"]}


def test_what_is_shown(run: Run) -> None:
    def report(name: str, *typed: str, **parameters: Any) -> dict[str, Any]:
        return json.loads(run("cmd", "run", name, *given(parameters), "--format", "json", *typed).stdout)

    applied = ("--apply", "--yes")
    piece = {"kind": "text", "title": "T", "reason": "r"}
    made = report("create_piece", *applied, address="a", body="one\ntwo\n", **piece)
    assert opened(made) == {"change": (1, 0), "information_unit": (1, 0), "unit_version": (1, 0)} and not made["diffs"]
    report("create_piece", *applied, address="b", body="three", **piece)
    file = report("create_file", *applied, key="f", title="F", reason="r", members=[{"piece": "a"}, {"piece": "b"}])
    assert opened(file) == {"change": (1, 0), "collection": (1, 0), "collection_member": (2, 0)}
    assert [event["event_type"] for event in file["events"]] == ["collection.created"] + 2 * ["collection.piece_added"]
    assert file["diffs"][0]["diff"].startswith(
        "--- /dev/null\n+++ f as it becomes\n@@ -0,0 +1,3 @@\n+one\n+two\n+three\n"
    )
    report("create_file", *applied, key="whole", title="W", reason="r", members=[{"collection": "f"}])
    edited = report("edit_piece", address="a", expected_version=1, body="one\n2\n", reason="r")
    assert [diff["key"] for diff in edited["diffs"]] == ["f", "whole"], "also what stands above"
    assert edited["diffs"][0]["diff"].splitlines() == [
        "--- f as it is",
        "+++ f as it becomes",
        "@@ -1,3 +1,3 @@",
        " one",
        "-two",
        "+2",
        " three",
        "\\ No newline at end of file",
    ]
    moved = report("reorder_piece", key="f", member="b", at="first", reason="r")
    assert opened(moved) == {"change": (1, 0), "collection_member": (1, 1)} and len(moved["diffs"]) == 2
    gone = report("soft_delete_piece", *applied, address="a", reason="r")
    assert opened(gone) == {"change": (1, 0), "unit_deletion": (1, 0)}
    assert "-one\n-two\n" in gone["diffs"][0]["diff"]
    back = report("restore_piece", address="a", reason="r")
    assert opened(back)["unit_deletion"] == (0, 1) and "+one\n+two\n" in back["diffs"][1]["diff"]
    same = report("edit_piece", address="b", expected_version=1, body="three", reason="nothing new")
    assert opened(same) == {"change": (1, 0)} and [diff["diff"] for diff in same["diffs"]] == ["", ""]
    retired = report("retire_piece", address="b", reason="r")
    assert opened(retired) == {"change": (1, 0), "unit_version": (1, 0)}


def test_a_repeated_request_changes_nothing(run: Run, url: str) -> None:
    typed = ["cmd", "run", "create_piece", *given(SCENARIO["create_piece"]), "--apply"]
    run(*typed)
    before = state(url)
    again = run(*typed)
    assert "nothing changes: the request key was used before" in again.stderr and "committed: nothing" in again.stderr
    assert state(url) == before and "policies/leave" in again.stdout
    report = json.loads(run(*typed, "--format", "json").stdout)
    assert report["rows"] and not report["changes"] and not report["events"] and not report["change_ids"]


def test_formats(run: Run) -> None:
    run("cmd", "run", "create_piece", *given(SCENARIO["create_piece"]), "--apply")
    typed = ("cmd", "run", "edit_piece", *given(SCENARIO["edit_piece"]))
    for form, comma in (("tsv", "\t"), ("csv", ",")):
        result = run(*typed, "--format", form)
        header, row = result.stdout.splitlines()
        assert header.split(comma)[:4] == ["unit_id", "address", "kind", "version"] and row.count(comma) == 9
        assert "unit_version: 1 opened\nevent unit.edited of policies/leave: {" in result.stderr
    assert run(*typed, "--quiet").stderr == ""
    table = run(*typed, "--format", "table")
    assert "version         2 " in table.stdout and "unit_version: 1 opened" in table.stdout
    assert "unit_version" not in table.stderr and "dry run" in table.stderr
    line = run(*typed, "--format", "jsonl").stdout
    assert line.count("\n") == 1 and json.loads(line)["rows"][0]["version"] == 2
    assert run("cmd", "run", "where_used", "-p", "address=policies/leave").stdout.startswith("key\tkind\t")


def test_limits_of_what_is_told(run: Run, url: str) -> None:
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection, connection.begin():
        units.create(connection, address="a", kind="text", title="T", body="x\n", reason="r")
        for number in range(23):
            collections.create(
                connection, key=f"f{number:02}", kind="file", title="F", members=[{"piece": "a"}], reason="r"
            )
    edit = ("cmd", "run", "edit_piece", *given({"address": "a", "expected_version": 1, "body": "y\n", "reason": "r"}))
    told = run(*edit, "--format", "table").stdout
    assert told.count("as it becomes") == 20 and told.endswith("and 3 more collections, not looked at\n")
    assert json.loads(run(*edit, "--format", "json").stdout)["more_renders"] == 3
    many = given({"key": "many", "title": "M", "reason": "r", "members": [{"piece": "a"}] * 1100})
    told = run("cmd", "run", "create_file", *many, "--format", "table").stdout
    assert told.count("\nevent ") == 20 and "\nand 1081 more events\n" in told
    assert len(json.loads(run("cmd", "run", "create_file", *many, "--format", "json").stdout)["events"]) == 1101


def test_values_from_files_and_stdin(run: Run, tmp_path: Path) -> None:
    (tmp_path / "body.md").write_bytes(BODY.encode())
    (tmp_path / "attributes.json").write_text('{"owner": "hr"}')
    base = ("-p", "kind=text", "-p", "title=@T", "-m", "r", "--apply")
    run(
        "cmd",
        "run",
        "create_piece",
        "-p",
        "address=a",
        "-p",
        "body=@body.md",
        "-p",
        "attributes=@attributes.json",
        *base,
    )
    run("cmd", "run", "create_piece", "-p", "address=b", "-p", "body=@-", *base, stdin=BODY.encode())
    run("cmd", "run", "create_piece", "-p", "address=c", "-p", "body=@@body.md", *base)
    shown = [json.loads(run("piece", "show", address, "--format", "json").stdout) for address in "abc"]
    assert [piece["body"] for piece in shown] == [BODY, BODY, "@body.md"]
    assert shown[0]["attributes"] == {"owner": "hr"} and shown[0]["title"] == "@T", "a line is never a file"
    run("cmd", "run", "create-piece", "-p", "address=d", "-p", "body=", *base)
    assert json.loads(run("piece", "show", "d", "--format", "json").stdout)["body"] == ""
    run(
        "cmd",
        "run",
        "create_piece",
        "-p",
        "address=e",
        "-p",
        "body=a=b=c",
        *base,
        "--actor",
        "ann",
        "--request-key",
        "k",
    )
    past = json.loads(run("piece", "history", "e", "--format", "json").stdout)
    assert past[0]["claimed_actor"] == "ann"
    run("cmd", "run", "edit_piece", "-p", "address=e", "-p", "expected-version=1", "-p", "title=New", "-m", "r")
    seen = run("cmd", "run", "show_collection", "-p", "key=none", "-p", "as_of=2026-01-31T12:00:00Z", code=1)
    assert "(IU003)" in seen.stderr or "(IU008)" in seen.stderr


PIECE = ("-p", "address=a", "-p", "kind=text", "-p", "title=T", "-p", "body=x")
WRONG: dict[str, tuple[list[str], int, str]] = {
    "no such command": (
        ["cmd", "show", "dot_iu_creat_piece"],
        2,
        "(IU043): dot_iu_creat_piece; nearest: dot_iu_create",
    ),
    "no such command to run": (["cmd", "run", "rendr"], 2, "nearest: dot_iu_render"),
    "no such command to print": (["cmd", "sql", "qqqq"], 2, "iucore cmd list"),
    "no name": (["cmd", "run"], 2, "NAME"),
    "no verb": (["cmd", "rnu"], 2, "rnu"),
    "missing": (["cmd", "run", "create_piece", "-p", "address=a"], 2, "kind: missing; title: missing; body: missing"),
    "unknown": (["cmd", "run", "create_piece", *PIECE, "-p", "ttle=x", "-m", "r"], 2, "ttle: unknown, nearest: title"),
    "reason of a reader": (["cmd", "run", "where_used", "-p", "address=a", "-m", "r"], 2, "reason: unknown"),
    "no sign": (["cmd", "run", "where_used", "-p", "address"], 2, "NAME=VALUE"),
    "twice": (["cmd", "run", "where_used", "-p", "address=a", "-p", "address=b"], 2, "address is given twice"),
    "reason twice": (["cmd", "run", "create_piece", *PIECE, "-p", "reason=x", "-m", "r"], 2, "reason is given twice"),
    "number": (["cmd", "run", "pin_piece", "-p", "version=one"], 2, "a whole number is wanted"),
    "number as Python": (["cmd", "run", "pin_piece", "-p", "version=1_000"], 2, "a whole number is wanted"),
    "number too large": (["cmd", "run", "pin_piece", "-p", f"version={2**63}"], 2, "version: must be a whole number"),
    "boolean": (["cmd", "run", "retire_piece", "-p", "refuse_if_used=yes"], 2, "true or false is wanted"),
    "JSON": (["cmd", "run", "create_file", "-p", "members=[{]"], 2, "-p members is not JSON (IU036)"),
    "JSON of another shape": (["cmd", "run", "create_file", "-p", "members=3"], 2, "members: must be a JSON object or"),
    "moment": (["cmd", "run", "show_collection", "-p", "as_of=yesterday"], 2, "a moment in ISO 8601 is wanted"),
    "no such file": (["cmd", "sql", "create_piece", "-p", "body=@none.md"], 2, "write @@none.md"),
    "stdin twice": (["cmd", "sql", "create_piece", "-p", "body=@-", "-p", "attributes=@-"], 2, "Only one parameter"),
    "not UTF-8": (["cmd", "sql", "create_piece", "-p", "title=\udc80"], 1, "(IU013)"),
    "shape of a member": (
        ["cmd", "run", "create_file", "-p", "key=f", "-p", "title=F", "-p", 'members=[{"x": 1}]', "-m", "r"],
        1,
        "(IU019)",
    ),
    "no such kind": (["cmd", "run", "create_piece", *PIECE, "-p", "kind=none", "-m", "r"], 2, "kind is given twice"),
    "no such piece": (["cmd", "run", "soft_delete_piece", "-p", "address=none", "-m", "r"], 1, "(IU001)"),
    "no such collection": (["cmd", "run", "render", "-p", "key=none", "-m", "r"], 1, "(IU003)"),
    "no reason": (["cmd", "run", "create_piece", *PIECE, "-m", ""], 1, "(IU016)"),
    "stale": (
        ["cmd", "run", "edit_piece", "-p", "address=a", "-p", "expected_version=7", "-p", "body=y", "-m", "r"],
        5,
        "(IU202)",
    ),
    "taken": (["cmd", "run", "create_piece", *PIECE, "-m", "r"], 5, "(IU201)"),
    "destructive without a terminal": (
        ["cmd", "run", "soft_delete_piece", "-p", "address=a", "-m", "r", "--apply"],
        2,
        "--yes",
    ),
}


def test_wrong_input(run: Run, url: str) -> None:
    run("cmd", "run", "create_piece", *PIECE, "-m", "r", "--apply")
    before = state(url)
    for case, (arguments, code, told) in WRONG.items():
        result = run(*arguments, code=code)
        assert told in result.stderr, f"{case}: {result.stderr}"
        assert result.stdout == "" and "Traceback" not in result.stderr, case
        assert code == 2 or "hint:" in result.stderr, case
    assert "byte offset: 3" in run("cmd", "sql", "create_piece", "-p", "body=@-", stdin=b"abc\xff", code=1).stderr
    assert state(url) == before


def test_closed_gates_refuse(run: Run, url: str) -> None:
    run("cmd", "run", "create_piece", *PIECE, "-m", "r", "--apply")
    with psycopg.connect(url.replace("+psycopg2", ""), autocommit=True) as connection:
        connection.execute("select iucore.fn_iu_gate_set('composer', false, 'audit')")
        file = ("cmd", "run", "create_file", *given({"key": "f", "title": "F", "reason": "r"}))
        assert "(IU101)" in run(*file, code=1).stderr and "(IU101)" in run(*file, "--apply", code=1).stderr
        run("cmd", "run", "edit_piece", *given({"address": "a", "expected_version": 1, "body": "y", "reason": "r"}))
        connection.execute("select iucore.fn_iu_gate_set('master', false, 'audit')")
        for typed in (
            ("edit_piece", *given({"address": "a", "expected_version": 1, "body": "y", "reason": "r"})),
            ("soft_delete_piece", *given({"address": "a", "reason": "r"}), "--apply", "--yes"),
        ):
            refused = run("cmd", "run", *typed, code=1)
            assert "(IU100)" in refused.stderr and "audit" in refused.stderr and refused.stdout == ""
        assert "key\tkind" in run("cmd", "run", "where_used", "-p", "address=a").stdout


def test_who_may(run: Run, login: Callable[[str], str]) -> None:
    run("cmd", "run", "create_piece", *PIECE, "-m", "r", "--apply")
    edit = ("cmd", "run", "edit_piece", *given({"address": "a", "expected_version": 1, "body": "y", "reason": "r"}))
    delete = ("cmd", "run", "soft_delete_piece", *given({"address": "a", "reason": "r"}))
    reader, author, operator = (login(f"iucore_{role}") for role in ("reader", "author", "operator"))
    run("cmd", "run", "where_used", "-p", "address=a", "--url", reader)
    assert "grant iucore_author to" in run(*edit, "--url", reader, code=4).stderr
    assert "unit.edited" in run(*edit, "--url", author).stderr
    assert "grant iucore_operator to" in run(*delete, "--url", author, code=4).stderr
    assert "unit.soft_deleted" in run(*delete, "--url", operator).stderr


def test_without_a_database(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IUCORE_DATABASE_URL", "postgresql://u@127.0.0.1:1/x")
    assert len(run("cmd", "list").stdout.splitlines()) == 18
    run("cmd", "sql", "where_used", "-p", "address=a")
    run("cmd", "run", "where_used", "-p", "address=a", code=6)


# --- a person at a terminal ------------------------------------------------------------------------------------------


@pytest.fixture
def typing(url: str, tmp_path: Path) -> Iterator[Callable[..., tuple[int, str]]]:
    """Runs a command with a terminal for stdin and stderr, and types a line; gives the exit code and what is told."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("IUCORE_", "DATABASE_"))}

    def run(line: str, *arguments: str) -> tuple[int, str]:
        theirs, ours = pty.openpty()
        try:
            os.write(theirs, f"{line}\n".encode())
            process = subprocess.Popen(
                [sys.executable, "-m", "iucore.cli", *arguments],
                stdin=ours,
                stdout=subprocess.DEVNULL,
                stderr=ours,
                cwd=tmp_path,
                env={**kept, "IUCORE_DATABASE_URL": url, "PYTHONPATH": str(Path(__file__).parents[2])},
            )
            os.close(ours)
            told = b""
            while True:
                try:
                    chunk = os.read(theirs, 65536)
                except OSError:  # the other end is closed
                    break
                if not chunk:
                    break
                told += chunk
            return process.wait(60), told.decode()
        finally:
            os.close(theirs)

    yield run


def test_destructive_commands_ask(run: Run, url: str, typing: Callable[..., tuple[int, str]]) -> None:
    run("cmd", "run", "create_piece", *PIECE, "-m", "r", "--apply")
    made = run(
        *("cmd", "run", "create_file", "-p", "key=f", "-p", "title=F", "-p", 'members=[{"piece": "a"}]', "-m", "r"),
        *("--apply", "--format", "json"),
    )
    assert json.loads(made.stdout)["applied"]
    (member,) = json.loads(run("collection", "list", "--format", "json").stdout)
    number = json.loads(run("cmd", "run", "show_collection", "-p", "key=f", "--format", "json").stdout)[0]["member_id"]
    before = state(url)
    delete = ("cmd", "run", "soft_delete_piece", "-p", "address=a", "-m", "r", "--apply")
    code, told = typing("b", *delete)
    assert code == 1 and "a stands in 1 place" in told and "Nothing was done" in told
    assert state(url) == before and member["key"] == "f"
    code, told = typing("b", *delete[:-1])
    assert code == 0 and "dry run" in told and "To go on" not in told, "a dry run asks nothing"
    remove = ("cmd", "run", "remove_piece", "-p", "key=f", "-p", f"member=@{number}", "-m", "r", "--apply")
    code, told = typing("@1", *remove)
    assert code == 1 and "To go on, type the address" in told and state(url) == before
    code, told = typing("a", *remove)
    assert code == 0 and "committed: change" in told
    code, told = typing("a", *delete)
    assert code == 0 and "committed: change" in told
    run("cmd", "run", "restore_piece", "-p", "address=a", "-m", "r", "--apply")
    assert run("render", "f").stdout == ""


def test_removing_a_collection_asks_for_its_key(run: Run, typing: Callable[..., tuple[int, str]]) -> None:
    run("cmd", "run", "create_file", "-p", "key=part", "-p", "title=P", "-m", "r", "--apply")
    whole = ("-p", "key=whole", "-p", "title=W", "-p", 'members=[{"collection": "part"}]', "-m", "r", "--apply")
    run("cmd", "run", "create_file", *whole)
    code, told = typing(
        "part", "cmd", "run", "remove_piece", "-p", "key=whole", "-p", "member=part", "-m", "r", "--apply"
    )
    assert code == 0 and "type the key" in told, told


# --- list, show, examples --------------------------------------------------------------------------------------------


def test_list_and_show(run: Run) -> None:
    listed = json.loads(run("cmd", "list", "--format", "json").stdout)
    assert [one["name"] for one in listed] == [command.name for command in commands.CATALOGUE]
    assert {one["name"] for one in listed if one["destructive"]} == {
        "dot_iu_remove_piece",
        "dot_iu_retire_piece",
        "dot_iu_soft_delete_piece",
    }
    for command in commands.CATALOGUE:
        table = run("cmd", "show", command.name, "--format", "table").stdout
        assert command.purpose in table and all(f"  {line}\n" in table for line in command.examples)
        assert all(parameter.name in table for parameter in command.parameters)
    one = json.loads(run("cmd", "show", "Add-Piece", "--format", "json").stdout)
    assert one["name"] == "dot_iu_add_piece" and one["fixed"] == {"member_kind": "piece"}
    assert one["parameters"][0] == {
        "parameter": "key",
        "type": "line",
        "required": True,
        "default": None,
        "help": "Of the collection.",
    }
    assert run("cmd", "show", "add_piece").stdout.startswith("name\tpurpose\t")


def test_names_are_completed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from iucore.cli import main; main(prog_name='iucore')"],
        env={
            **os.environ,
            "_IUCORE_COMPLETE": "bash_complete",
            "COMP_WORDS": "iucore cmd run dot_iu_re",
            "COMP_CWORD": "3",
        },
        capture_output=True,
        check=True,
        text=True,
    )
    assert "dot_iu_render" in done.stdout and "dot_iu_restore_piece" in done.stdout and "add_piece" not in done.stdout


def test_every_example_runs(run: Run, tmp_path: Path) -> None:
    """In the order of the catalogue, as a new user would type them."""
    (tmp_path / "leave.md").write_text("Ask first.\n")
    (tmp_path / "steps.json").write_text('[{"piece": "policies/leave", "label": "tell"}]')
    for command in commands.CATALOGUE:
        for line in command.examples:
            typed = shlex.split(line)
            assert typed[:4] == ["iucore", "cmd", "run", command.name]
            result = run(*typed[1:])
            assert ("dry run" in result.stderr) == (command.writes and "--apply" not in typed), line
            assert result.stdout, line


def test_the_example_of_sql_runs(run: Run, server: Server, url: str, connection: Connection) -> None:
    run("cmd", "run", "create_piece", *PIECE, "-m", "r", "--apply")
    typed = ("-p", "address=a", "-p", "expected_version=1", "-p", "body=@-", "-m", "r")
    printed = run("cmd", "sql", "edit_piece", *typed, stdin=BODY.encode())
    where = ("-h", HOST, "-p", str(server.port), "-U", USER, "-d", url.rpartition("/")[2])
    subprocess.run(
        [server.programs / "psql", "-X", "-1", "-v", "ON_ERROR_STOP=1", *where],
        input=printed.stdout_bytes,
        capture_output=True,
        check=True,
    )
    assert units.show(connection, address="a").body == BODY


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for scenario, values in SCENARIO.items():
        (GOLDEN / f"dot_iu_{scenario}.sql").write_bytes(commands.resolve(scenario, **values).script.encode())


def test_what_was_committed_is_not_called_failed(url: str, tmp_path: Path) -> None:
    """The output may fail after the commit: to repeat the command would do it twice."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full")
    environment = os.environ | {"IUCORE_DATABASE_URL": url}
    line = [sys.executable, "-m", "iucore.cli", "cmd", "run", "create_piece", "--apply", "-m", "r"]
    given = ["-p", "address=a", "-p", "kind=text", "-p", "title=T", "-p", "body=x"]
    with full.open("w") as stdout:
        done = subprocess.run(
            [*line, *given],
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=tmp_path,
            check=False,
        )
    assert done.returncode == 1
    assert "is committed" in done.stderr and "Do not repeat it" in done.stderr
    with psycopg.connect(url.replace("+psycopg2", "")) as connection:
        assert connection.execute("select count(*) from iucore.information_unit").fetchall() == [(1,)]


def test_a_script_has_no_character_that_a_terminal_would_take(run: Run) -> None:
    body = "a\tb\r\nc \x01 \u202e \ufeff € end"
    script = run(
        *("cmd", "sql", "create_piece", "-p", "address=a", "-p", "kind=text", "-p", "title=T", "-m", "r"),
        *("-p", f"body={body}"),
    ).stdout
    assert "E'a\\u0009b\\u000D\nc \\u0001 \\u202E \\uFEFF € end'" in script
    assert not set(script) & set("\t\r\x01\u202e\ufeff")


def test_validate_with_an_error_ends_with_3(run: Run, url: str) -> None:
    with psycopg.connect(url.replace("+psycopg2", "")) as connection:
        connection.execute("select iucore.fn_iu_create('a', 'step', 'A', 'a', 'r')")
        connection.execute(
            "select iucore.fn_iu_collection_create('w', 'workflow', 'W', 'r',"
            """ '[{"piece": "a", "transitions": [{"on": "ok", "to": "nowhere"}]}]')"""
        )
    assert "goto_nowhere" in run("cmd", "run", "validate", "-p", "key=w", "-m", "r", code=3).stdout


def test_a_name_that_stands_twice_loses_nothing(run: Run) -> None:
    twice = '[{"piece": "a", "piece": "b"}]'
    told = run("cmd", "run", "create_file", "-p", "key=f", "-p", "title=T", "-p", f"members={twice}", "-m", "r", code=2)
    assert "stands twice in one object: piece" in told.stderr


def test_a_recorded_render_whose_text_is_gone_says_so(run: Run, url: str, tmp_path: Path) -> None:
    """A change with a lower number is committed after the render: as of the render the text is another now."""
    place = url.replace("+psycopg2", "")
    record = ("render", "f", "--record", "-m", "r", "--request-key", "k")
    with psycopg.connect(place) as first, psycopg.connect(place, autocommit=True) as other:
        other.execute("select iucore.fn_iu_create('a', 'text', 'A', 'old', 'r')")
        other.execute("""select iucore.fn_iu_collection_create('f', 'file', 'F', 'r', '[{"piece": "a"}]')""")
        first.execute("select iucore.fn_iu_edit('a', 1, 'r', 'new')")
        assert run(*record).stdout == "old"
        first.commit()
    for more in ((), ("-o", str(tmp_path / "f.md"))):
        again = run(*record, *more, code=1)
        assert "cannot be rendered any more" in again.stderr
        assert again.stdout == ""
    assert not (tmp_path / "f.md").exists()
    with psycopg.connect(place) as connection:
        count = connection.execute("select count(*) from iucore.v_event where event_type = 'collection.rendered'")
        assert count.fetchall() == [(1,)]


def test_what_the_pilot_committed_is_not_called_failed(url: str) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    environment = os.environ | {"IUCORE_DATABASE_URL": url}
    with Path("/dev/full").open("w") as stdout:
        done = subprocess.run(
            [sys.executable, "-m", "iucore.cli", "pilot", "apply"],
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            check=False,
        )
    assert (done.returncode, "Do not repeat it" in done.stderr) == (1, True), done.stderr

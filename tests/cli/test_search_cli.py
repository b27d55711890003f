"""``iucore search``: its formats, what is bold, and what a reader is told."""

from __future__ import annotations

import csv
import json
import os
import pty
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from servers import USER
from sqlalchemy import Connection

from iucore import units
from iucore.cli import main

Run = Callable[..., Result]
BODY = "Ask a week before. \x02Holidays\x03 are \u202epaid.\n"


@pytest.fixture
def run(url: str, connection: Connection) -> Run:
    units.create(connection, address="policies/leave", kind="policy", title="\u00a1Leave [red]", body=BODY, reason="r")
    units.create(connection, address="policies/pay", kind="policy", title="Pay", body="Holidays too.\n", reason="r")
    connection.commit()

    def invoke(*arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(main, ["--url", url, "search", *arguments])
        assert result.exit_code == code, result.output
        return result

    return invoke


def test_formats_have_the_snippet_without_marks(run: Run) -> None:
    rows = json.loads(run("week holidays", "--format", "json").stdout)
    assert [(row["address"], row["found_by"], row["lifecycle"], row["places"]) for row in rows] == [
        ("policies/leave", "words", "active", 0)
    ]
    assert rows[0]["snippet"] == "Ask a week before. Holidays are \u202epaid. "
    assert 0 < rows[0]["rank"] < 1
    names = ["address", "kind", "version", "title", "lifecycle", "places", "found_by", "rank", "snippet"]
    assert list(rows[0]) == names
    assert run("holidays", "--format", "tsv").stdout.splitlines()[0].split("\t") == names
    table = list(csv.DictReader(run("holidays", "--format", "csv").stdout.splitlines()))
    assert {row["address"] for row in table} == {"policies/leave", "policies/pay"}
    assert len(run("holidays", "--limit", "1", "--format", "jsonl").stdout.splitlines()) == 1
    shown = run("holidays", "--prefix", "policies/l", "--format", "table").stdout
    assert "Holidays are \\u202epaid." in shown and "\x1b" not in shown and "\\x02" not in shown


def on_a_terminal(url: str, *arguments: str, **environment: str) -> str:
    """What the command writes on a terminal of 300 columns."""
    process, terminal = pty.fork()
    if process == 0:
        os.environ |= {"TERM": "xterm", "COLUMNS": "300", "LANG": "C.UTF-8"} | environment
        os.execv(sys.executable, [sys.executable, "-m", "iucore.cli", "--url", url, "-q", "search", *arguments])
    text = b""
    try:
        while part := os.read(terminal, 65536):
            text += part
    except OSError:
        pass  # the terminal is closed
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0, text
    return text.decode()


def test_what_was_found_is_bold_on_a_terminal(run: Run, url: str) -> None:
    shown = on_a_terminal(url, "holidays", "--prefix", "policies/l")
    assert "Ask a week before. \x1b[1mHolidays\x1b[0m are \\u202epaid." in shown
    assert "\u00a1Leave [red]" in shown
    plain = on_a_terminal(url, "holidays", "--prefix", "policies/l", NO_COLOR="1")
    assert "Ask a week before. Holidays are" in plain and "\x02" not in plain


def test_refusals_say_what_to_type(run: Run) -> None:
    assert "hint:" in run(" ", code=1).stderr
    assert "(IU003)" in run("x", "--in", "nope", code=1).stderr
    told = run("x", "--similar", code=1).stderr
    assert "(IU057)" in told and "create extension pg_trgm" in told
    assert run("nothing of it").stdout.splitlines()[1:] == []
    run("x", "--limit", "0", code=2)


def test_as_sql_and_as_a_reader(run: Run, url: str, login: Callable[[str | None], str], tmp_path: Path) -> None:
    printed = CliRunner().invoke(main, ["sql", "search", "it's", "--in", "k", "--all-versions"]).stdout
    assert "iucore.fn_iu_search(p_text => 'it''s'" in printed and "p_collection => 'k'" in printed
    reader = CliRunner().invoke(main, ["--url", login("iucore_reader"), "search", "holidays", "--format", "tsv"])
    assert reader.exit_code == 0 and "policies/pay" in reader.stdout and USER not in reader.stdout
    stranger = CliRunner().invoke(main, ["--url", login(None), "search", "holidays"])
    assert stranger.exit_code == 4 and "grant iucore_reader" in stranger.stderr

"""``iucore worker``: options, what it prints, exit codes, signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result
from delivery_helpers import Place, wait_for

from iucore.cli import main

COMMAND = [sys.executable, "-m", "iucore.cli", "worker", "run"]


def run(*arguments: str, code: int = 0) -> Result:
    done = CliRunner().invoke(main, ["worker", "run", *arguments])
    assert done.exit_code == code, done.output
    return done


def test_once(place: Place) -> None:
    place.route()
    place.emit([*"abc"])
    arguments = ("--url", place.url, "--route", place.name, "--once", "--format", "json")
    done = run(*arguments)
    (row,) = json.loads(done.stdout)
    assert row.pop("seconds") >= 0
    assert row == {"route": place.name, "sent": 0, "failed": 0, "dead": 0, "dry_run": 3}
    assert done.stderr.startswith("database: postgresql://") and done.stderr.count("\n") == 1
    assert json.loads(run(*arguments).stdout) == []
    assert run("-q", *arguments).stderr == ""


def test_a_transport_that_is_missing_is_told(place: Place) -> None:
    place.route(transport="no_such", backoff_ms=60_000, backoff_cap_ms=60_000)
    place.emit(["a"])
    done = run("--url", place.url, "--route", place.name, "--once", "--live", "--format", "tsv")
    assert done.stdout == "route\tsent\tfailed\tdead\tdry_run\tseconds\n" + done.stdout.splitlines()[1] + "\n"
    assert f'event=transport_not_opened route={place.name} reason="no transport has this name (IU920): ' in done.stderr
    assert f"event=unavailable route={place.name} until=" in done.stderr
    assert place.outcomes() == {}


def test_live_with_the_transport_of_the_package(place: Place, tmp_path: Any) -> None:
    """From the command line to a file, through the entry point."""
    pytest.importorskip("cloudevents")
    path = tmp_path / "events.jsonl"
    place.route(transport="file", target={"path": str(path)})
    place.emit([*"abca"])
    done = run("--url", place.url, "--route", place.name, "--once", "--live", "--format", "jsonl")
    assert json.loads(done.stdout)["sent"] == 4
    assert [json.loads(line)["type"] for line in path.read_text().splitlines()] == [place.type] * 4


@pytest.mark.parametrize(
    "wrong",
    [["--batch", "0"], ["--batch", "10001"], ["--lease", "0"], ["--lease", "3601"], ["--idle-exit", "-1"], ["--x"]],
)
def test_usage(wrong: list[str]) -> None:
    run(*wrong, code=2)


def test_what_it_cannot_do(place: Place, new_database: Callable[..., str]) -> None:
    done = run("--url", place.url, "--route", "no.such", code=1)
    assert "IU042" in done.stderr and "iucore route list" in done.stderr
    done = run("--url", new_database(), "--once", code=1)
    assert "iucore db upgrade" in done.stderr
    done = run("--url", "postgresql://nobody@127.0.0.1:1/x", "--once", code=6)
    assert "cannot connect" in done.stderr and done.stdout == ""


def test_its_role_is_enough_and_is_needed(url: str, login: Callable[[str], str]) -> None:
    assert run("--url", login("iucore_worker"), "--once", "--live").exit_code == 0
    done = run("--url", login("iucore_reader"), "--once", code=4)
    assert "grant iucore_worker to LOGIN" in done.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_signals(place: Place, number: int, code: int) -> None:
    """It ends by itself, and prints what it did."""
    place.route()
    place.emit(["a"])
    command = [*COMMAND, "--url", place.url, "--route", place.name, "--format", "jsonl"]
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            wait_for(lambda: place.outcomes() == {"dry_run": 1}, "the event")
            process.send_signal(number)
            out, said = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == code, said
    assert json.loads(out)["dry_run"] == 1 and "Traceback" not in said
    assert ("interrupted" in said) == (number == signal.SIGINT)

"""A streaming standby serves every command that only reads, and refuses all that write."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from fault_helpers import sql, wait_for
from sqlalchemy import text
from standby_helpers import Pair, streaming

from iucore import _target, ledger, units
from iucore.cli import _errors, main
from iucore.delivery import loop
from iucore.errors import OperationError
from iucore.operations import health, migrate

# What each reading command is given. What names files: see the test.
READING: dict[str, tuple[str, ...]] = {
    "axis list": (),
    "axis show": ("a/one",),
    "cmd list": (),
    "cmd show": ("dot_iu_where_used",),
    "collection history": ("book",),
    "collection list": (),
    "collection show": ("book",),
    "collection validate": ("book",),
    "collection where-used": ("book",),
    "events check": (),
    "events list": (),
    "events show": ("EVENT",),
    "events tail": (),
    "events types": (),
    "export": ("book", "--to", "files"),
    "gate history": ("delivery",),
    "gate list": (),
    "inventory show": (),
    "inventory verify": (),
    "kind list": (),
    "ledger anchor": (),
    "ledger verify": (),
    "metrics": (),
    "piece diff": ("a/one", "--from", "1", "--to", "2"),
    "piece history": ("a/one",),
    "piece list": (),
    "piece show": ("a/one",),
    "piece where-used": ("a/one",),
    "pilot status": (),
    "plan": ("files",),
    "render": ("book",),
    "route dead": ("unit.edited",),
    "route list": (),
    "route show": ("unit.edited",),
    "search": ("one",),
    "status": (),
}
# They ask no database, or are about the server that is written to.
OTHER = {"completion", "sql"}
OF_THE_PRIMARY = ("db", "preflight", "backup", "closeout")


def commands(group: click.Command, name: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(group, click.Group):
        yield " ".join(name), group
        return
    for each in group.list_commands(click.Context(group)):
        found = group.get_command(click.Context(group), each)
        assert found is not None
        yield from commands(found, (*name, each))


def run(*arguments: str, code: int | None = 0) -> Result:
    result = CliRunner().invoke(main, arguments)
    assert code is None or result.exit_code == code, f"{arguments}: exit {result.exit_code}\n{result.output}"
    return result


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """With a little of everything in it."""
    with streaming() as pair:
        url = ("--url", pair.primary.url())
        migrate.upgrade(pair.primary.url())
        why = (*url, "-m", "r")
        run("piece", "create", "a/one", "--title", "One", "--body", "one\n", *why)
        run("piece", "edit", "a/one", "--body", "two\n", *why)
        run("collection", "create", "book", "--title", "Book", *why)
        run("collection", "add", "book", "a/one", *why)
        run("axis", "register", "topic", "--title", "Topic", "--rule", "union", *why)
        run("axis", "set", "a/one", "topic", "leave", *why)
        run("gate", "open", "delivery", *why)
        run("worker", "run", "--once", *url)
        pair.caught_up()
        yield pair


def steady(output: str) -> Any:
    """Without what is of the moment of asking, or only of a standby."""
    output = re.sub(r'"(at|behind_seconds|oldest_seconds|lag_seconds)": [^,\n]+', r'"\1": 0', output)
    return re.sub(r'(?s)"standby": (null|\{.*?\})', '"standby": 0', output)


def test_every_reading_command_is_served(pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reading = {
        name
        for name, command in commands(main)
        if getattr(command, "role", "") in _errors.READERS and name.split()[0] not in OF_THE_PRIMARY
    }
    assert reading - OTHER == READING.keys() - {"route show"}, "a new command: give it arguments here"
    (event, *_) = json.loads(run("events", "list", "--format", "json", "--url", pair.primary.url()).stdout)
    for name, given in READING.items():
        answers = []
        for server in (pair.primary, pair.standby):
            place = tmp_path / server.data.name
            place.mkdir(exist_ok=True)
            monkeypatch.chdir(place)
            form = [] if name in ("metrics", "render") else ["--format", "json"]
            command = [
                *name.split(),
                *(event["event_id"] if word == "EVENT" else word for word in given),
                *form,
                "--url",
                server.url(),
            ]
            result = run(*command, code=None)
            answers.append((result.exit_code, steady(result.stdout)))
        assert answers[0][0] in (0, 3) and answers[0][1], (name, answers[0], result.stderr)
        assert answers[0] == answers[1], name
    first, second = ((tmp_path / each.data.name) for each in (pair.primary, pair.standby))
    assert (first / "files/book").read_bytes() == (second / "files/book").read_bytes()


@pytest.mark.parametrize(
    "command",
    [
        "piece create a/two --title Two --body two -m r",
        "piece edit a/one --body three -m r",
        "collection add book a/one -m r",
        "collection validate book --record -m r",
        "render book --record -m r",
        "axis set a/one topic other -m r",
        "kind register k --title K --description D -m r",
        "gate close delivery -m r",
        "route on unit.edited -m r",
        "cmd run dot_iu_retire_piece -p address=a/one -p reason=r",
        "pilot apply",
        "sequencer run --once",
        "worker run --once",
        "db downgrade 0021 --yes",
    ],
)
def test_every_write_is_refused(pair: Pair, command: str) -> None:
    result = run(*command.split(), "--url", pair.standby.url(), code=1)
    assert "error: this server is a standby" in result.stderr and "(IU916)" in result.stderr, result.stderr
    assert "hint: Write to the primary: " in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("driver", _target.DRIVERS)
def test_the_library_names_the_reason(pair: Pair, driver: str) -> None:
    given = {"address": "a/two", "kind": "text", "title": "T", "body": "b", "reason": "r"}
    engine = _target.create_engine(_target.Target(pair.standby.url(), "test"), driver=driver)
    with engine.connect() as connection, pytest.raises(OperationError, match="this server is a standby") as refused:
        units.create(connection, **given)
    assert refused.value.sqlstate == "IU916" and "read-only transaction" in refused.value.detail
    engine = _target.create_engine(_target.Target(pair.primary.url(), "test"), driver=driver)
    with engine.connect() as connection:
        connection.execute(text("set transaction read only"))
        with pytest.raises(OperationError, match="the session is read-only") as refused:
            units.create(connection, **given)
    assert refused.value.sqlstate == "IU916" and "default_transaction_read_only" in refused.value.hint


@pytest.mark.parametrize("driver", _target.DRIVERS)
def test_a_worker_waits_for_its_primary(pair: Pair, driver: str) -> None:
    """Where the address of its primary leads to a standby for a while."""
    url = pair.standby.url().replace("postgresql:", f"postgresql+{driver}:")
    session = loop.Session(loop.engine_for(url), loop.Talk(None))
    for reached in (False, True):
        with pytest.raises(loop.OutageError if reached else OperationError, match="standby"):
            session.call(ledger.sequence)
        assert session.call(health.status, look=False).standby is not None
    session.close()


@pytest.mark.parametrize("driver", _target.DRIVERS)
@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize(("session", "standby"), [("read-write", False), ("prefer-standby", True)])
def test_several_hosts_find_the_right_one(pair: Pair, first: int, driver: str, session: str, standby: bool) -> None:
    target = _target.Target(pair.url(first, session), "test")
    assert f"target_session_attrs={session}" in target.display()
    with _target.create_engine(target, driver=driver).connect() as connection:
        assert connection.execute(text("select pg_is_in_recovery()")).scalar() is standby


@pytest.mark.parametrize("variables", [("DATABASE_READ_URL",), ("IUCORE_DATABASE_READ_URL", "DATABASE_READ_URL")])
def test_reading_goes_to_the_standby(pair: Pair, monkeypatch: pytest.MonkeyPatch, variables: tuple[str, ...]) -> None:
    standby, primary = (re.sub(r"\?.*", "", each.url()) for each in (pair.standby, pair.primary))
    monkeypatch.setenv("IUCORE_DATABASE_URL", pair.primary.url())
    for name in variables:
        monkeypatch.setenv(name, pair.standby.url() if name == variables[0] else "postgresql://nowhere.invalid/x")
    told: Callable[[str], str] = lambda host: f"database: {host}?sslmode=disable"  # noqa: E731
    for reading in ("piece list", "render book", "ledger verify", "cmd run dot_iu_where_used -p address=a/one"):
        result = run(*reading.split())
        assert result.stderr.startswith(told(standby)) and f"({variables[0]})" in result.stderr
    for writing in (
        "kind register k1 --title K --description D -m r",
        "collection validate book --record -m r",
        "db current",
    ):
        result = run(*writing.split(), *(["--request-key", writing] if "-m" in writing else []))
        assert result.stderr.startswith(told(primary)) and "(IUCORE_DATABASE_URL)" in result.stderr
    # What looks before it writes looks where it writes.
    result = run("sql", "piece", "edit", "a/one", "--body", "x", "-m", "r")
    assert result.stderr.startswith(told(primary))
    assert run("piece", "list", "--url", pair.primary.url()).stderr.startswith(told(primary))


def test_status_tells_how_far_it_is_behind(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IUCORE_DATABASE_URL", pair.primary.url())
    monkeypatch.setenv("DATABASE_READ_URL", pair.standby.url())

    def standby() -> Any:
        return json.loads(run("status", "--format", "json", code=None).stdout)["standby"]

    assert (
        json.loads(run("status", "--format", "json", "--url", pair.primary.url(), code=None).stdout)["standby"] is None
    )
    wait_for(lambda: standby()["behind_seconds"] == 0, "the standby")
    assert re.search(r"^standby +0 s behind, read-only$", run("status", code=None).stdout, re.MULTILINE)
    with sql(pair.standby.url()) as connection:
        connection.execute("select pg_wal_replay_pause()")
        try:
            run("piece", "create", "a/late", "--title", "T", "--body", "b", "-m", "r")
            found = wait_for(lambda: standby() if standby()["behind_seconds"] > 0 else None, "the lag")
            assert found["receiving"] and "a/late" not in run("piece", "list").stdout
            monkeypatch.setattr(health, "LATE", 0)
            assert "this standby is " in run("status", code=3).stdout
        finally:
            connection.execute("select pg_wal_replay_resume()")
    wait_for(lambda: "a/late" in run("piece", "list").stdout, "the change")


def test_a_plan_on_a_standby_that_is_behind_is_refused(pair: Pair, tmp_path: Path) -> None:
    """It knows less than the files: what it would say of them would be wrong."""
    folder = str(tmp_path / "files")
    with sql(pair.standby.url()) as connection:
        connection.execute("select pg_wal_replay_pause()")
        try:
            run("collection", "add", "book", "a/one", "-m", "r", "--url", pair.primary.url())
            run("export", "book", "--to", folder, "--url", pair.primary.url())
            for command in (["plan", folder], ["status", folder], ["export", "--to", folder]):
                result = run(*command, "--url", pair.standby.url(), code=1)
                assert "(IU050)" in result.stderr and "A standby may be behind" in result.stderr
        finally:
            connection.execute("select pg_wal_replay_resume()")

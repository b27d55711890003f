"""What an operator sees of delivery, and does to it: events, route, ledger, status, metrics."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from sqlalchemy import Connection

from iucore import batches, gates, ledger, routes, units
from iucore.cli import _context, main
from iucore.errors import InvalidError
from iucore.operations import health, metrics

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., Result]


@pytest.fixture
def run(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in this process, on the database of the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IUCORE_DATABASE_URL", url)

    def invoke(*arguments: str, code: int = 0, stdin: str | None = None) -> Result:
        result = CliRunner().invoke(main, arguments, input=stdin)
        assert result.exit_code == code, f"{arguments}: exit {result.exit_code}\n{result.output}"
        return result

    return invoke


def got(run: Run, *arguments: str, code: int = 0) -> Any:
    return json.loads(run(*arguments, "--format", "json", code=code).stdout)


def make(connection: Connection, *addresses: str, edits: int = 0) -> None:
    for address in addresses:
        units.create(connection, address=address, kind="text", title="T", body=address, reason="r")
        for version in range(1, edits + 1):
            units.edit(connection, address=address, expected_version=version, body=f"{address} {version}", reason="r")
    connection.commit()


def sequence(connection: Connection) -> int:
    while ledger.sequence(connection).remaining:
        connection.commit()
    connection.commit()
    done = ledger.sequence(connection)
    connection.commit()
    return done.head


def go_live(connection: Connection, route: str = "unit.edited", *, attempts: int = 8, ordered: bool = True) -> None:
    """The first two of the three switches."""
    target = {"path": "/tmp/never-written.jsonl"}
    routes.configure(
        connection, route=route, transport="file", target=target, max_attempts=attempts, ordered=ordered, reason="r"
    )
    routes.set_route(connection, route=route, enabled=True, reason="r")
    gates.set_gate(connection, gate="delivery", open=True, reason="r")
    connection.commit()
    sequence(connection)


def fail(connection: Connection, *, error: str = "HTTP 500", unavailable: str | None = None) -> list[int]:
    """What a worker records of a batch that fails; the positions of it."""
    batch = batches.take(connection, worker="w1", live=True)
    connection.commit()
    assert batch is not None
    positions = [event.position for event in batch.events]
    if unavailable is not None:
        batches.record(
            connection, claim=batch.claim, handled=0, unavailable=unavailable, retry_after=timedelta(hours=1)
        )
    else:
        several = len(positions)
        batches.record(
            connection,
            claim=batch.claim,
            handled=several,
            positions=positions,
            outcomes=["failed"] * several,
            errors=[error] * several,
        )
    connection.commit()
    return positions


# --- events ----------------------------------------------------------------------------------------------------------


def test_show_an_event(run: Run, connection: Connection) -> None:
    make(connection, "one", edits=1)
    born, edited = got(run, "events", "list", "--subject", "one")
    shown = got(run, "events", "show", born["event_id"])
    assert (shown["position"], shown["hash"], shown["sequenced_at"], shown["attempts"]) == (None, None, None, [])
    assert {name: shown[name] for name in born} == born
    sequence(connection)
    batches.dry_run(connection, worker="w1")
    connection.commit()
    shown = got(run, "events", "show", edited["event_id"])
    assert shown["position"] == 2 and re.fullmatch("[0-9a-f]{64}", shown["hash"])
    (attempt,) = shown["attempts"]
    assert (attempt["route"], attempt["outcome"], attempt["error"]) == ("unit.edited", "dry_run", None)
    unknown = run("events", "show", "01a22057-7760-7eb0-9869-939dcf75c39d", code=1).stderr
    assert "(IU046)" in unknown and "iucore events list" in unknown
    run("events", "show", "x", code=2)


def test_tail(run: Run, connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    assert got(run, "events", "tail") == []
    make(connection, "a/one", "b/two", edits=7)
    assert got(run, "events", "tail") == [], "no place yet"
    assert sequence(connection) == 16
    monkeypatch.setattr(_context, "PAGE", 3)

    def positions(*more: str) -> list[int]:
        return [each["position"] for each in got(run, "events", "tail", *more)]

    assert positions() == list(range(7, 17)), "the last ten"
    assert positions("--after", "0") == list(range(1, 17))
    assert positions("--after", "14") == [15, 16] and positions("--after", "99") == []
    assert positions("--type", "unit.created") == [1, 9]
    assert positions("--subject", "a/", "--after", "5") == [6, 7, 8]
    assert positions("--subject", "a/", "--type", "unit.created") == [1]
    assert positions("--subject", "nope") == []
    for verb in ("tail", "list"):
        told = run("events", verb, "--type", "unit.edted", code=1).stderr
        assert "(IU041)" in told and "iucore events types" in told
    first, *_ = run("events", "tail", "--after", "15", "--format", "tsv").stdout.splitlines()
    assert first.split("\t")[0] == "position"
    line = run("events", "tail", "--after", "15", "--format", "table").stdout
    assert re.fullmatch(r" +16  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+\d{4}  unit\.edited  b/two  \(postgres\)\n", line)
    assert "jsonl" in run("events", "tail", "-f", "--format", "json", code=2).stderr
    run("events", "tail", "--after", "-1", code=2)


def test_tail_follows(connection: Connection, url: str) -> None:
    """In a process of its own: what comes is printed at once, whole lines, and Ctrl-C ends it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("IUCORE_")}
    make(connection, "old")
    sequence(connection)
    with subprocess.Popen(
        [
            sys.executable,
            "-m",
            "iucore.cli",
            "events",
            "tail",
            "-f",
            "--after",
            "0",
            "--subject",
            "new",
            "--format",
            "jsonl",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**environment, "IUCORE_DATABASE_URL": url},
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        for name in ("new/1", "other", "new/2"):
            make(connection, name)
            sequence(connection)
            if name != "other":
                assert json.loads(process.stdout.readline())["subject"] == name
        process.send_signal(signal.SIGINT)
        rest, told = process.communicate(timeout=20)
    assert rest == b"" and process.returncode == 130
    assert told.decode().splitlines()[1:] == ["", "interrupted"]


PAST = """
set local session_replication_role = replica;
update iucore.event_outbox set created_at = created_at - interval '3 months', slot =
    date_part('quarter', now() at time zone 'UTC' - interval '3 months')::smallint where slot <> 0;
update iucore.change set changed_at = changed_at - interval '3 months';
"""


def test_prune(run: Run, connection: Connection, url: str) -> None:
    make(connection, "one", edits=3)
    with psycopg.connect(url.replace("+psycopg2", "")) as past:
        past.execute(PAST)
    moment = (datetime.now(UTC) - timedelta(days=2)).isoformat()
    sequence(connection)
    with psycopg.connect(url.replace("+psycopg2", "")) as past:
        past.execute(
            "set local session_replication_role = replica;"
            " update iucore.event_log set sequenced_at = sequenced_at - interval '3 months'"
        )
    none = run("events", "prune", "--before", "2020-01-01", "-m", "old")
    assert "nothing pruned" in none.stderr and none.stdout.startswith("slot\t") and none.stdout.count("\n") == 1
    (part,) = got(run, "events", "prune", "--before", moment, "-m", "old")
    assert part["events"] == 3 and part["change_id"] > 0
    assert got(run, "ledger", "verify")["problem"] is None
    assert wrong(run) == {}
    run("events", "prune", "--before", "yesterday", "-m", "old", code=2)
    run("events", "prune", "--before", moment, code=2)
    assert "(IU018)" in run("events", "prune", "--before", "2999-01-01", "-m", "r", code=1).stderr


def test_prune_refuses(run: Run, connection: Connection, url: str) -> None:
    make(connection, "one", edits=3)
    with psycopg.connect(url.replace("+psycopg2", "")) as past:
        past.execute(PAST)
    moment = datetime.now(UTC).isoformat()
    refused = run("events", "prune", "--before", moment, "-m", "old", code=5).stderr
    assert "(IU220)" in refused and "is not in the ledger yet" in refused and "iucore status" in refused


# --- routes ----------------------------------------------------------------------------------------------------------


def test_list_routes(run: Run, connection: Connection) -> None:
    make(connection, "one", edits=2)
    sequence(connection)
    listed = {each["route"]: each for each in got(run, "route", "list")}
    edited = listed["unit.edited"]
    assert (edited["mode"], edited["lag_events"], edited["retries"], edited["dead"]) == ("off", 2, 0, 0)
    assert edited["lag_seconds"] > 0 and edited["live"] is False and edited["title"]
    assert {each["mode"] for each in listed.values()} == {"off"}
    table = run("route", "list", "--format", "table").stdout
    assert "lag_seconds" in table and "switched_change" not in table
    assert run("sql", "route", "list").stdout == "select * from iucore.fn_iu_route_list();\n"
    run("route", "on", "unit.edited", "-m", "r")
    assert {each["mode"] for each in got(run, "route", "list") if each["execution_enabled"]} == {"no transport"}


def test_register_for_every_type(run: Run) -> None:
    made = got(run, "route", "register", "audit.all", "--all-types", "--title", "A", "-m", "r")
    assert (made["event_type"], made["execution_enabled"]) == (None, False)
    for wrong in ([], ["--all-types", "--type", "unit.edited"]):
        told = run("route", "register", "x", *wrong, "--title", "A", "-m", "r", code=2).stderr
        assert "either --type or --all-types" in told


def test_configure(run: Run, connection: Connection) -> None:
    run("route", "register", "audit.all", "--all-types", "--title", "A", "-m", "r")
    run("axis", "register", "topic", "--title", "Topic", "--rule", "union", "--value", "law", "-m", "r")
    done = got(
        run,
        *("route", "configure", "audit.all", "--transport", "webhook", "--target", "url=http://10.1.2.3/a=b"),
        *(
            "--target",
            "secret_env=NEW",
            "--target",
            "secret_env=OLD",
            "--target",
            "timeout=2.5",
            "--network",
            "10.0.0.0/8",
        ),
        *("--network", "fd00::/8", "--subject-prefix", "policies/", "--axis", "topic=law", "--unordered"),
        *("--partitions", "4", "--max-attempts", "3", "--backoff", "500ms", "--backoff-cap", "2min", "-m", "r"),
    )
    assert (done["transport"], done["changed"]) == ("webhook", True)
    shown = got(run, "route", "show", "audit.all")
    wanted = {
        "event_type": None,
        "transport": "webhook",
        "target": {"url": "http://10.1.2.3/a=b", "secret_env": ["NEW", "OLD"], "timeout": 2.5},
        "networks": ["10.0.0.0/8", "fd00::/8"],
        "subject_prefix": "policies/",
        "axis": "topic",
        "axis_value": "law",
        "ordered": False,
        "partitions": 4,
        "max_attempts": 3,
        "backoff_ms": 500,
        "backoff_cap_ms": 120_000,
        "setting_change": done["change_id"],
        "mode": "off",
        "waiting": [],
    }
    assert {name: shown[name] for name in wanted} == wanted
    assert [(each["mode"], each["position"]) for each in shown["cursors"]] == [("dry_run", 0)]
    same = ("route", "configure", "audit.all", "--transport", "file", "--target-json", '{"path": "/x/y"}', "-m", "r")
    assert got(run, *same)["changed"] is True
    assert got(run, *same)["changed"] is False
    shown = got(run, "route", "show", "audit.all")
    assert (shown["subject_prefix"], shown["networks"], shown["ordered"], shown["partitions"]) == (None, [], True, 1)
    assert got(run, "route", "configure", "audit.all", "-m", "r")["transport"] is None, "nothing can be sent any more"


CONFIGURE = ("route", "configure", "unit.edited", "-m", "r")
WRONG = {
    "no route": (["route", "configure", "nope", "--transport", "file", "--target", "path=/x/y", "-m", "r"], 1, "IU042"),
    "no axis": ([*CONFIGURE, "--axis", "nope=x"], 1, "IU006"),
    "an axis without value": ([*CONFIGURE, "--axis", "nope"], 2, "AXIS=VALUE"),
    "a target of no transport": ([*CONFIGURE, "--target", "a=b"], 2, "--transport"),
    "no pair": ([*CONFIGURE, "--transport", "file", "--target", "path"], 2, "KEY=VALUE"),
    "two targets": ([*CONFIGURE, "--transport", "file", "--target", "a=b", "--target-json", "{}"], 2, "not both"),
    "no JSON": ([*CONFIGURE, "--transport", "file", "--target-json", "{"], 1, "IU039"),
    "no object": ([*CONFIGURE, "--transport", "file", "--target-json", "[]"], 2, "object"),
    "a wrong target": ([*CONFIGURE, "--transport", "file", "--target", "pad=/x"], 1, "IU922"),
    "no network": ([*CONFIGURE, "--transport", "own", "--network", "10.0.0.1/8"], 1, "IU039"),
    "a user in a URL": ([*CONFIGURE, "--transport", "own", "--target", "url=http://a:b@c/"], 1, "IU039"),
    "no time": ([*CONFIGURE, "--backoff", "1 day"], 2, "such as 500ms"),
    "a cap below": ([*CONFIGURE, "--backoff", "2s", "--backoff-cap", "1s"], 1, "IU054"),
    "too late": ([*CONFIGURE, "--backoff-cap", "99999h"], 2, "1ms to 24h"),
    "at once": ([*CONFIGURE, "--backoff", "0ms"], 2, "1ms to 24h"),
    "65 partitions": ([*CONFIGURE, "--partitions", "65"], 2, "1<=x<=64"),
    "many partitions": ([*CONFIGURE, "--partitions", "9999999999"], 2, "1<=x<=64"),
    "no partition": ([*CONFIGURE, "--partitions", "0"], 2, "1<=x<=64"),
    "many attempts": ([*CONFIGURE, "--max-attempts", "999999999999"], 2, "1<=x<=100"),
    "show no route": (["route", "show", "nope"], 1, "IU042"),
    "nothing to replay": (["route", "replay", "unit.edited", "-m", "r"], 2, "Give one of --dead"),
    "two things to replay": (
        ["route", "replay", "unit.edited", "--dead", "1", "--from", "1", "-m", "r"],
        2,
        "Give one of",
    ),
    "no range": (["route", "replay", "unit.edited", "--positions", "1-x", "-m", "r"], 2, "such as 100-200"),
    "never ready": (["route", "replay", "unit.edited", "--from", "1", "-m", "r"], 5, "IU221"),
    "never ready to skip": (["route", "skip", "unit.edited", "--upto", "1", "-m", "r"], 5, "IU221"),
    "nothing to skip": (["route", "skip", "unit.edited", "-m", "r"], 2, "Give one of --dead"),
    "dead letters of no route": (["route", "dead", "nope"], 1, "IU042"),
    "replay the dead of no route": (["route", "replay", "nope", "--all-dead", "-m", "r"], 1, "IU042"),
    "skip the dead of no route": (["route", "skip", "nope", "--all-dead", "-m", "r"], 1, "IU042"),
    "the dead of what was never ready": (["route", "replay", "unit.edited", "--all-dead", "-m", "r"], 5, "IU221"),
    "SQL for no dead letter": (["sql", "route", "replay", "unit.edited", "--all-dead", "-m", "r"], 1, "IU045"),
    "a lease that is no number": (["worker", "run", "--lease", "nan"], 2, "'nan'"),
    "a worker without end": (["worker", "run", "--idle-exit", "nan"], 2, "'nan'"),
    "an endless time": (["worker", "run", "--idle-exit", "inf"], 2, "'inf'"),
    "a sequencer without end": (["sequencer", "run", "--idle-exit", "nan"], 2, "'nan'"),
    "replay without a reason": (["route", "replay", "unit.edited", "--from", "1"], 2, "--reason"),
    "an anchor that is none": (["ledger", "verify", "--anchor", "5:abc"], 1, "IU056"),
    "no file of anchors": (["ledger", "verify", "--anchor", "nope"], 1, "nope"),
    "exit code without a folder": (["status", "--exit-code"], 2, "DIR"),
}


def test_what_is_wrong_is_said(run: Run) -> None:
    for case, (line, code, told) in WRONG.items():
        result = run(*line, code=code)
        assert told in result.stderr, f"{case}: {result.stderr}"
        assert result.stdout == "", case
    unknown = run(*CONFIGURE, "--transport", "carrier_pigeon")
    assert "target not checked: no transport has this name here" in unknown.stderr


@pytest.mark.parametrize(
    "setting",
    [
        *({"partitions": number} for number in (0, 65, 9_999_999_999)),
        *({"max_attempts": number} for number in (0, 101, 999_999_999_999)),
        *({"backoff_ms": number, "backoff_cap_ms": 10**12} for number in (0, 1, 10**11)),
        {"backoff_cap_ms": 999},
    ],
)
def test_ranges_of_a_setting(connection: Connection, setting: dict[str, int]) -> None:
    """Also numbers that the database would take for another function's."""
    with pytest.raises(InvalidError, match="IU054"):
        routes.configure(connection, route="unit.edited", transport="file", reason="r", **setting)
    connection.rollback()


def test_a_secret_in_the_place_of_a_name_is_not_kept(run: Run) -> None:
    for secret in ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"):
        target = ("--transport", "webhook", "--target", "url=https://h/", "--target", f"secret_env={secret}")
        told = run(*CONFIGURE, *target, code=1).stderr
        assert "(IU922)" in told and "secret_env holds a secret" in told and secret[6:] not in told
    assert got(run, "route", "show", "unit.edited")["target"] == {}


def test_no_dead_letter_is_said_to_who_may_close_some(
    run: Run, connection: Connection, login: Callable[[str | None], str]
) -> None:
    go_live(connection)
    worker = login("iucore_worker")
    for verb in ("replay", "skip"):
        line = ("route", verb, "unit.edited", "--all-dead", "-m", "r")
        told = run(*line, code=1).stderr
        assert "no open dead letter (IU045)" in told and "iucore route dead --all" in told
        assert "grant iucore_gatekeeper to" in run("--url", worker, *line, code=4).stderr


def test_nothing_is_replayed_beyond_the_end(run: Run, connection: Connection) -> None:
    go_live(connection)
    assert "(IU054)" in run("route", "replay", "unit.edited", "--from", "99999", "-m", "r", code=1).stderr


def test_the_first_lines_of_the_page_work(run: Run, connection: Connection, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "delivery.md").read_text("utf-8")
    (block,) = [part for part in page.split("```")[1::2] if "iucore route on audit.all" in part]
    lines = [line.partition(" #")[0] for line in block.replace("/var/lib/audit", str(tmp_path)).splitlines() if line]
    assert len(lines) == 7
    for line in lines:
        if "open delivery" in line:
            sequence(connection)
            make(connection, "one", edits=1)
        run(*shlex.split(line)[1:], *(["--once"] if line.startswith("iucore worker run --live") else []))
    sent = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text("utf-8").splitlines()]
    assert {"unit.created", "unit.edited"} <= {each["type"] for each in sent}


def test_dead_letters(run: Run, connection: Connection) -> None:
    go_live(connection, attempts=1, ordered=False)
    make(connection, "one", "two", "three", edits=2)
    sequence(connection)
    failed = fail(connection, error="HTTP 500")
    dead = got(run, "route", "dead")
    assert [each["position"] for each in dead] == failed and len(failed) == 6
    assert {each["reason"] for each in dead} == {"HTTP 500"} and {each["state"] for each in dead} == {"open"}
    assert "payload" not in dead[0]
    assert got(run, "route", "dead", "unit.edited") == dead and got(run, "route", "dead", "unit.created") == []
    numbers = [each["dead_letter"] for each in dead]
    assert [
        each["dead_letter"] for each in got(run, "route", "dead", "--after", str(numbers[0]), "--limit", "2")
    ] == numbers[1:3]
    (health_of,) = [each for each in got(run, "route", "list") if each["dead"]]
    assert (health_of["route"], health_of["dead"], health_of["last_error"]) == ("unit.edited", 6, "HTTP 500")
    told = got(run, "status", code=3)
    assert "iucore route dead unit.edited" in [each["next"] for each in told["wrong"]]
    one = got(run, "route", "skip", "unit.edited", "--dead", str(numbers[0]), "-m", "gone")
    assert one["events"] == 1
    two = got(
        run, "route", "replay", "unit.edited", "--dead", str(numbers[1]), "--dead", str(numbers[2]), "-m", "again"
    )
    assert two["events"] == 2
    states = [each["state"] for each in got(run, "route", "dead", "--all")]
    assert states == ["skipped", "replayed", "replayed", "open", "open", "open"]
    assert [each["state"] for each in got(run, "route", "show", "unit.edited")["waiting"]] == ["replay", "replay"]
    skipped = got(run, "route", "skip", "unit.edited", "--position", str(failed[1]), "-m", "no")
    assert skipped["events"] == 1
    assert "(IU045)" in run("route", "skip", "unit.edited", "--position", str(failed[1]), "-m", "no", code=1).stderr
    assert got(run, "route", "replay", "unit.edited", "--all-dead", "-m", "again")["events"] == 3
    assert got(run, "route", "dead") == []
    taken = batches.take(connection, worker="w1", live=True)
    assert taken is not None and [event.position for event in taken.events] == failed[2:]
    connection.rollback()
    attempts = got(run, "events", "show", dead[0]["event_id"])["attempts"]
    assert [(each["outcome"], each["error"]) for each in attempts] == [("failed", "HTTP 500"), ("skipped", None)]


def test_replay_and_skip_by_position(run: Run, connection: Connection) -> None:
    make(connection, "one", edits=3)
    sequence(connection)
    go_live(connection)
    assert batches.take(connection, worker="w1", live=True) is None, "what was before is not sent"
    connection.rollback()
    assert got(run, "route", "replay", "unit.edited", "--positions", "2-3", "-m", "r")["events"] == 2
    assert got(run, "route", "replay", "unit.edited", "--positions", "4", "-m", "r")["events"] == 1
    waiting = got(run, "route", "show", "unit.edited")["waiting"]
    assert [each["position"] for each in waiting] == [2, 3, 4]
    assert got(run, "route", "skip", "unit.edited", "--upto", "3", "-m", "r")["events"] >= 0
    assert [each["position"] for each in got(run, "route", "show", "unit.edited")["waiting"]] == [4]
    assert got(run, "route", "replay", "unit.edited", "--from", "1", "-m", "r")["events"] >= 4
    shown = got(run, "route", "show", "unit.edited")
    assert shown["waiting"] == [] and shown["lag_events"] == 3 and shown["mode"] == "ready"
    assert [each["position"] for each in shown["cursors"] if each["mode"] == "live"] == [0]
    again = got(run, "route", "replay", "unit.edited", "--from", "1", "-m", "r", "--request-key", "k")
    assert got(run, "route", "replay", "unit.edited", "--from", "1", "-m", "r", "--request-key", "k") == again


def test_sql_of_routes_and_events(run: Run, url: str, connection: Connection) -> None:
    make(connection, "one", edits=3)
    sequence(connection)
    go_live(connection)
    printed = [
        run("sql", *line.split()).stdout
        for line in (
            "route register audit.all --all-types --title A -m r",
            "route configure audit.all --transport file --target path=/x/its --partitions 2 --unordered -m r",
            "route replay unit.edited --positions 2-3 -m r",
            "route skip unit.edited --position 2 --position 3 -m r",
            "route skip unit.edited --upto 4 -m r",
            "route show unit.edited",
            "events prune --before 2020-01-01 -m r",
            "events tail --after 2 --type unit.edited",
        )
    ]
    with psycopg.connect(url.replace("+psycopg2", ""), autocommit=True) as own:
        for script in printed:
            assert script.startswith("select * from iucore.fn_iu_"), script
            own.execute(script.encode())
    assert got(run, "route", "show", "audit.all")["target"] == {"path": "/x/its"}
    for line in ("route dead", "events show 01a22057-7760-7eb0-9869-939dcf75c39d"):
        assert "reads views" in run("sql", *line.split(), code=2).stderr


# --- ledger ----------------------------------------------------------------------------------------------------------


def test_ledger(run: Run, connection: Connection, tmp_path: Path) -> None:
    assert run("ledger", "anchor").stdout == "0::0\n"
    make(connection, "one", edits=4)
    sequence(connection)
    line = run("ledger", "anchor").stdout
    position, hash, count = line.strip().split(":")
    assert (position, count) == ("5", "5")
    assert got(run, "ledger", "anchor") == {"position": 5, "hash": hash, "count": 5}
    found = got(run, "ledger", "verify")
    assert (found["positions"], found["head"], found["hash"], found["count"]) == (5, 5, hash, 5)
    assert (found["bad_position"], found["problem"], found["stray"]) == (None, None, [])
    for shape in ("json", "jsonl", "tsv", "csv"):
        (tmp_path / shape).write_text(run("ledger", "anchor", "--format", shape).stdout)
        assert got(run, "ledger", "verify", "--anchor", shape)["anchors"] == 1
    (tmp_path / "anchors").write_text(line * 2)
    assert got(run, "ledger", "verify", "--anchor", "anchors", "--anchor", line.strip())["anchors"] == 3
    assert run("ledger", "verify", "--anchor", "-", stdin=line).stderr.count("\n") == 1
    wrong = run("ledger", "verify", "--anchor", f"5:{'0' * 64}", code=3)
    assert "first bad position 5: the hash is not that of the anchor" in wrong.stderr
    cut = run("ledger", "verify", "--anchor", f"7:{'0' * 64}:7", "--quiet", code=3)
    assert cut.stderr == "" and "an anchor knows position 7" in cut.stdout


@pytest.mark.damages
def test_ledger_of_a_damaged_database(run: Run, connection: Connection, url: str) -> None:
    make(connection, "one", edits=4)
    sequence(connection)
    with psycopg.connect(url.replace("+psycopg2", ""), autocommit=True) as own:
        own.execute("set session_replication_role = replica")
        own.execute("delete from iucore.event_log where position > 3")
        found = run("ledger", "verify", code=3)
        assert "first bad position 4: the tail is cut: the sequencer came to position 5" in found.stderr
        assert "2 stray events" in found.stderr and "next: " in found.stderr
        assert run("ledger", "anchor", code=3).stdout == ""
        told = got(run, "status", code=3)
        assert {"what": "the ledger ends at 3, the sequencer came to 5", "next": "iucore ledger verify"} in told[
            "wrong"
        ]
        own.execute("update iucore.event_log set subject = 'x' where position = 2")
        found = run("ledger", "verify", code=3)
        assert "first bad position 2: the hash is not that of the event in its place" in found.stderr


# --- status ----------------------------------------------------------------------------------------------------------


def wrong(run: Run, *more: str) -> dict[str, str]:
    result = CliRunner().invoke(main, ["status", "--format", "json", *more])
    told = json.loads(result.stdout)
    assert result.exit_code == (3 if told["wrong"] else 0), result.output
    return {each["what"]: each["next"] for each in told["wrong"]}


def test_status(run: Run, connection: Connection) -> None:
    screen = run("status").stdout
    assert screen.splitlines()[-1] == "nothing is wrong"
    assert re.search(r"^revision   (\d{4}) of \1, inventory (\d+)/\2$", screen, re.MULTILINE)
    assert re.search(r"^gates +master open, composer open, delivery closed$", screen, re.MULTILINE)
    assert re.search(r"^workers +none seen$", screen, re.MULTILINE) and re.search(
        r"^routes +0 in use, \d+ off$", screen, re.M
    )
    make(connection, "one", edits=2)
    screen = run("status").stdout
    assert "delayed: 2 without a place in the ledger, the oldest for 0 s" in screen
    assert (
        "note: no worker has run yet; without a place in the ledger: 3 events\n  next: iucore worker run --once"
        in screen
    )
    sequence(connection)
    batches.dry_run(connection, worker="w1")
    connection.commit()
    screen = run("status").stdout
    assert re.search(r"^ledger +head 3, last sequenced \d s ago$", screen, re.MULTILINE)
    assert re.search(r"^workers +w1 \(\d s ago\)$", screen, re.MULTILINE) and "note" not in screen
    assert len(screen.splitlines()) < 24
    told = got(run, "status")
    assert (told["head"], told["sequenced"], told["inventory"].split("/")[0]) == (3, 3, told["inventory"].split("/")[1])
    assert [each["worker"] for each in told["workers"]] == ["w1"] and len(told["routes"]) > 20


def test_status_says_what_is_wrong(run: Run, connection: Connection, url: str) -> None:
    assert wrong(run) == {}
    run("gate", "close", "composer", "-m", "r")
    assert wrong(run) == {
        "gate composer is closed: changes of collections are refused": "iucore gate open composer -m WHY"
    }
    run("gate", "open", "composer", "-m", "r")
    run("route", "on", "unit.edited", "-m", "r")
    (found,) = [next for what, next in wrong(run).items() if what == "route unit.edited is on and has no transport"]
    assert found.startswith("iucore route configure unit.edited --transport")
    run("route", "configure", "unit.edited", "--transport", "file", "--target", "path=/x/y", "-m", "r")
    assert wrong(run)["gate delivery is closed, and routes are on: unit.edited"] == "iucore gate open delivery -m WHY"
    run("gate", "open", "delivery", "-m", "r")
    sequence(connection)
    assert wrong(run) == {}
    make(connection, "one", edits=2)
    with psycopg.connect(url.replace("+psycopg2", ""), autocommit=True) as own:
        own.execute("set session_replication_role = replica")
        own.execute(
            "update iucore.event_outbox set created_at = created_at - interval '2 minutes'"
            " where id not in (select event_id from iucore.event_log)"
        )
    ((what, command),) = wrong(run).items()
    assert re.fullmatch(r"without a place in the ledger: 3 events, the oldest for 12\d s", what)
    assert command == "iucore worker run"
    sequence(connection)
    ((what, command),) = wrong(run).items()
    assert re.fullmatch(r"route unit\.edited is 2 events and 12\d s behind", what)
    assert command == "iucore worker run --live"
    screen = run("status", code=3).stdout
    assert re.search(r"^  unit\.edited  ready, at \d+, 2 events behind \(2 min\)$", screen, re.MULTILINE)
    fail(connection, unavailable="HTTP 503")
    assert wrong(run) == {"route unit.edited waits for its target: HTTP 503": "iucore route show unit.edited"}


def test_status_after_a_restore_into_another_cluster(
    run: Run, connection: Connection, url: str, login: Callable[[str | None], str]
) -> None:
    make(connection, "one")
    sequence(connection)
    with psycopg.connect(url.replace("+psycopg2", ""), autocommit=True) as own:
        own.execute(
            "insert into iucore.sequencer_batch (system_identifier, seen, position, hash)"
            " select 1, b.seen, b.position, b.hash from iucore.sequencer_batch as b order by b.batch desc limit 1"
        )
        make(connection, "two")
        ((what, command),) = wrong(run).items()
        assert what.startswith("the ledger was written in another cluster") and what.endswith("ledger: 1 event")
        assert command == "iucore sequencer rebase -m WHY"
        # Who may not read the sequencer's batches is told what it may be, once an event is late.
        reader = login("iucore_reader")
        assert wrong(run, "--url", reader) == {}
        own.execute("set session_replication_role = replica")
        own.execute(
            "update iucore.event_outbox set created_at = created_at - interval '2 minutes'"
            " where id not in (select event_id from iucore.event_log)"
        )
    ((what, command),) = wrong(run, "--url", reader).items()
    assert what.startswith("without a place in the ledger: 1 event")
    assert command.startswith("iucore worker run (") and "IU915" in command and "iucore sequencer rebase" in command
    run("sequencer", "rebase", "-m", "r")
    sequence(connection)
    assert wrong(run) == {}


@pytest.mark.parametrize(
    ("trace", "kept"),
    [
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", True),
        (f"00-{'0' * 32}-b7ad6b7169203331-01", False),
        (f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01", False),
        ("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", False),
    ],
)
def test_a_trace_that_is_none_is_not_kept(
    run: Run, connection: Connection, monkeypatch: pytest.MonkeyPatch, trace: str, kept: bool
) -> None:
    monkeypatch.setenv("TRACEPARENT", trace)
    run("piece", "create", "one", "--title", "T", "--body", "b", "-m", "r")
    sequence(connection)
    event_id = got(run, "events", "list")[0]["event_id"]
    assert got(run, "events", "show", event_id)["traceparent"] == (trace if kept else None)


def test_status_of_a_database_without_iucore_and_of_an_older_one(
    run: Run, new_database: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IUCORE_DATABASE_URL", new_database())
    screen = run("status", code=3).stdout
    assert screen == "wrong: the database has no revision: iucore is not installed in it\n  next: iucore db upgrade\n"
    assert run("metrics").stdout.splitlines()[-1] == "# EOF"
    run("db", "upgrade", "0019")
    assert wrong(run) == {"revision 0019 is not the newest": "iucore db upgrade"}
    assert "iucore_gate_open" in run("metrics").stdout


def test_status_is_one_moment_and_only_reads(run: Run, connection: Connection) -> None:
    run("status")
    (before,) = connection.exec_driver_sql("select count(*) from iucore.change").one()
    connection.rollback()
    run("metrics")
    assert connection.exec_driver_sql("select count(*) from iucore.change").scalar_one() == before


# --- metrics ---------------------------------------------------------------------------------------------------------


def families(text: str) -> dict[str, Any]:
    return {family.name: family for family in text_string_to_metric_families(text)}


def test_metrics(run: Run, connection: Connection) -> None:
    run("route", "register", "audit.all", "--all-types", "--title", "A", "-m", "r")
    go_live(connection, attempts=1, ordered=False)
    make(connection, "one", edits=2)
    sequence(connection)
    fail(connection)
    make(connection, "two", edits=1)
    text = run("metrics").stdout
    assert text.endswith("# EOF\n")
    found = families(text)

    def value(name: str, **labels: str) -> float:
        family = found[re.sub("_(total|info)$", "", name)]
        (sample,) = [one for one in family.samples if one.name == name and labels.items() <= one.labels.items()]
        return float(sample.value)

    assert value("iucore_gate_open", gate="delivery") == 1
    assert (
        value("iucore_outbox_unsequenced", lane="delayed") == 1 == value("iucore_outbox_unsequenced", lane="immediate")
    )
    assert value("iucore_outbox_oldest_seconds", lane="delayed") > 0
    assert value("iucore_route_dead_letters", route="unit.edited") == 2
    assert value("iucore_route_dead_letters", route="unit.created") == 0
    assert value("iucore_route_enabled", route="unit.edited") == value("iucore_route_ready", route="unit.edited") == 1
    assert value("iucore_route_enabled", route="audit.all") == value("iucore_route_ready", route="audit.all") == 0
    head = int(connection.exec_driver_sql("select max(position) from iucore.event_log").scalar_one())
    assert value("iucore_ledger_events_total") == head == value("iucore_route_lag_events", route="audit.all")
    assert value("iucore_schema_info", revision=health.migrate.heads()[-1]) == 1
    assert value("iucore_worker_last_batch_timestamp_seconds", worker="w1") == pytest.approx(time.time(), abs=120)
    units_of = {family.name: family.unit for family in found.values()}
    assert units_of["iucore_route_lag_seconds"] == "seconds" and units_of["iucore_route_retries"] == ""
    assert {family.name for family in found.values()} == {metric.name for metric in metrics.METRICS}
    assert all(family.documentation.endswith(".") for family in found.values())


def test_metrics_escape(connection: Connection) -> None:
    """Whatever a worker is called."""
    odd = 'w "1" \\ é {},='
    batches.dry_run(connection, worker=odd)
    make(connection, "one")
    sequence(connection)
    batches.dry_run(connection, worker=odd)
    connection.commit()
    found = families(metrics.openmetrics(health.status(connection, look=False)))
    assert [one.labels for one in found["iucore_worker_last_batch_timestamp_seconds"].samples] == [{"worker": odd}]
    assert metrics._escaped('a"\n\\') == 'a\\"\\n\\\\'


def test_every_expression_of_the_dashboard_names_metrics_that_exist() -> None:
    board = json.loads((ROOT / "docs" / "grafana" / "iucore.json").read_text())
    names = {metric.name + {"counter": "_total", "info": "_info"}.get(metric.type, "") for metric in metrics.METRICS}
    used: set[str] = set()
    for panel in board["panels"]:
        for target in panel["targets"]:
            found = set(re.findall(r"\biucore_\w+", target["expr"]))
            assert found and found <= names, target["expr"]
            used |= found
    for variable in board["templating"]["list"]:
        assert set(re.findall(r"\biucore_\w+", variable["query"])) <= names
    assert used == names, "and every metric is on it"
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    places = [tuple(panel["gridPos"].values()) for panel in board["panels"]]
    assert all(x + w <= 24 for x, _, w, _ in places)


# --- roles -----------------------------------------------------------------------------------------------------------


def test_roles(run: Run, login: Callable[[str | None], str], connection: Connection) -> None:
    make(connection, "one", edits=1)
    sequence(connection)
    nobody = login(None)
    event_id = got(run, "events", "list")[0]["event_id"]
    reads = (
        ["events", "tail"],
        ["events", "show", event_id],
        ["route", "list"],
        ["route", "dead"],
        ["status"],
        ["metrics"],
    )
    keeps = (
        ["route", "show", "unit.edited"],
        ["route", "configure", "unit.edited", "--transport", "file", "--target", "path=/x/y", "-m", "r"],
        ["route", "on", "unit.edited", "-m", "r"],
        ["route", "replay", "unit.edited", "--from", "1", "-m", "r"],
        ["route", "skip", "unit.edited", "--upto", "1", "-m", "r"],
        ["events", "prune", "--before", "2020-01-01", "-m", "r"],
    )
    audits = (["ledger", "verify"], ["ledger", "anchor"])
    reader, author = login("iucore_reader"), login("iucore_author")
    for role, lines in (("reader", reads), ("gatekeeper", keeps), ("auditor", audits)):
        allowed = login(f"iucore_{role}")
        for line in lines:
            for refused in (nobody, *((reader, author) if role != "reader" else ())):
                told = run("--url", refused, *line, code=4).stderr
                assert f"needs this role: grant iucore_{role} to" in told, line
            assert "42501" not in run("--url", allowed, *line).stderr

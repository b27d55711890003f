"""``iucore proof``: what it shows, what it finds, and that it leaves nothing, however it ends."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

from iucore import axes, collections, gates, inventory, units
from iucore.cli import main
from iucore.cli.proof import call_of
from iucore.operations import proof

NAMES = [
    *("create", "add", "reorder", "remove", "validate", "render", "axes", "retire", "soft-delete", "restore"),
    *("collection soft-delete", "round trip", "events", "lane keeps", "lane refuses", "commands", "gate closed"),
    "nothing left",
]

Run = Callable[..., Result]


@pytest.fixture
def run(url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs ``iucore proof`` in this process."""
    monkeypatch.setenv("IUCORE_DATABASE_URL", url)

    def invoke(*arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(main, ["proof", *arguments])
        assert result.exit_code == code, f"exit {result.exit_code}\n{result.output}"
        return result

    return invoke


@pytest.fixture
def filled(url: str) -> str:
    """A database with content and history of its own."""
    with create_engine(url, poolclass=NullPool).begin() as connection:
        for name in ("a", "b"):
            units.create(connection, address=name, kind="text", title=name, body=f"{name}\n", reason="fill")
        collections.create(
            connection, key="f", kind="file", title="F", members=[{"piece": "a"}, {"piece": "b"}], reason="fill"
        )
        axes.register(connection, axis="risk", title="Risk", rule="union", reason="fill")
        axes.set_values(connection, address="a", axis="risk", values=["high"], reason="fill")
        units.soft_delete(connection, address="b", reason="fill")
        gates.set_gate(connection, gate="delivery", open=True, reason="fill")
    return url


def state(url: str) -> dict[str, str]:
    """A hash of every row of every table, and of the inventory."""
    with create_engine(url, poolclass=NullPool).connect() as connection:
        tables = connection.exec_driver_sql(
            "select format('%%I.%%I', schemaname, tablename) from pg_tables"
            " where schemaname not in ('pg_catalog', 'information_schema')",
        ).scalars()
        found = {
            table: connection.exec_driver_sql(
                "select count(*) || ' ' || md5(coalesce(string_agg(t::text, E'\\n' order by t::text), ''))"
                f" from {table} as t"
            ).scalar_one()
            for table in tables.all()
        }
        items = inventory.render(inventory.actual(connection))
    assert len(found) > 15
    return {**found, "inventory": hashlib.sha256(items.encode()).hexdigest()}


def on(url: str, sql: str) -> None:
    with create_engine(url, poolclass=NullPool).begin() as connection:
        connection.exec_driver_sql(sql, execution_options={"no_parameters": True})


def outcomes(result: Result) -> dict[str, str]:
    return {one["name"]: one["outcome"] for one in map(json.loads, result.stdout.splitlines())}


def shown(result: Result) -> dict[str, str]:
    return {one["name"]: one["shown"] for one in map(json.loads, result.stdout.splitlines())}


def test_every_proof_is_ok_and_nothing_is_left(filled: str, run: Run) -> None:
    before = state(filled)
    result = run("--format", "jsonl")
    assert outcomes(result) == dict.fromkeys(NAMES, "ok")
    assert list(outcomes(result)) == NAMES
    assert all(shown(result).values())
    assert result.stderr.splitlines()[-1] == "18 ok, 0 failed, 0 skipped"
    assert state(filled) == before
    lines = run("--format", "tsv").stdout.splitlines()
    assert [line.split("\t")[:2] for line in lines[1:]] == [["ok", name] for name in NAMES]
    assert state(filled) == before


def test_both_drivers_and_any_default_isolation(filled: str) -> None:
    before = state(filled)
    for driver, level in (("psycopg", "repeatable read"), ("psycopg2", "serializable")):
        engine = create_engine(
            re.sub(r"\+\w+://", f"+{driver}://", filled),
            poolclass=NullPool,
            connect_args={"options": f"-c default_transaction_isolation={level.replace(' ', chr(92) + ' ')}"},
        )
        with engine.connect() as connection:
            found = list(proof.run(connection, resolve=call_of))
        assert [(one.outcome, one.name) for one in found] == [("ok", name) for name in NAMES], driver
    assert state(filled) == before


# What somebody did to the database, and the proofs that must fail; all others stay ok.
BROKEN = {
    "the composer gate is never asked": (
        "create or replace function iucore.fn_iu_composer_assert_gate() returns void language plpgsql"
        " as $$ begin end $$",
        {"gate closed"},
    ),
    "a type has no route": (
        "delete from iucore.route where route = 'collection.created'",
        {"lane keeps"},
    ),
    "a verb emits nothing": (
        "do $$ begin execute regexp_replace(pg_get_functiondef('iucore.fn_iu_restore'::regproc),"
        " 'perform iucore.fn_iu_event_put.*?;', 'null;'); end $$",
        {"restore"},
    ),
    "a restore is an error": (
        "drop function iucore.fn_iu_collection_restore",
        {"collection soft-delete"},
    ),
    "a constraint lets deltas through to the lane that loses them": (
        "do $$ begin execute replace(pg_get_functiondef('iucore.fn_iu_event_type_register'::regproc),"
        " 'if p_delta and p_lane', 'if false and p_lane'); end $$;"
        " alter table iucore.event_type drop constraint ck_event_type_delta",
        {"lane refuses"},
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_broken_fails_and_hides_nothing_else(filled: str, run: Run, case: str) -> None:
    sql, wanted = BROKEN[case]
    on(filled, sql)
    before = state(filled)
    result = run("--format", "jsonl", code=1)
    found = outcomes(result)
    assert list(found) == NAMES
    assert {name for name, outcome in found.items() if outcome == "fail"} == wanted, shown(result)
    assert set(found.values()) == {"ok", "fail"}
    assert f"{len(wanted)} failed" in result.stderr
    assert state(filled) == before


def test_what_a_role_may_not_is_skipped(filled: str, run: Run, login: Callable[[str | None], str]) -> None:
    before = state(filled)
    as_operator = run("--url", login("iucore_operator"), "--format", "jsonl")
    skipped = {name for name, outcome in outcomes(as_operator).items() if outcome == "skip"}
    assert skipped == {"lane refuses", "gate closed"}
    assert "needs iucore_gatekeeper" in shown(as_operator)["gate closed"]
    assert as_operator.stderr.splitlines()[-1] == "16 ok, 0 failed, 2 skipped (the login lacks iucore_gatekeeper)"

    as_author = run("--url", login("iucore_author"), "--format", "jsonl")
    assert "iucore_operator" in as_author.stderr.splitlines()[-1]
    assert outcomes(as_author)["restore"] == "skip" and outcomes(as_author)["gate closed"] == "skip"

    for role in ("iucore_reader", None):
        nobody = run("--url", login(role), "--format", "jsonl", code=4)
        assert "fail" not in outcomes(nobody).values()
    assert state(filled) == before


def test_a_lost_grant_is_no_lack_of_a_role(filled: str, run: Run, login: Callable[[str | None], str]) -> None:
    on(filled, "revoke execute on function iucore.fn_iu_retire from iucore_operator")
    result = run("--url", login("iucore_operator"), "--format", "jsonl", code=1)
    assert {name for name, outcome in outcomes(result).items() if outcome == "fail"} == {"retire", "commands"}
    assert "permission denied for function fn_iu_retire (42501)" in shown(result)["retire"]


@pytest.mark.parametrize("gate", ["composer", "master"])
def test_behind_a_closed_gate_nothing_fails(filled: str, run: Run, gate: str) -> None:
    with create_engine(filled, poolclass=NullPool).begin() as connection:
        gates.set_gate(connection, gate=gate, open=False, reason="inspection")
    before = state(filled)
    result = run("--format", "jsonl", code=1 if gate == "master" else 0)
    assert "fail" not in outcomes(result).values()
    assert outcomes(result)["reorder"] == "skip" and "inspection" in shown(result)["reorder"]
    assert state(filled) == before


def test_a_writer_that_takes_long_keeps_the_last_proof_from_running(filled: str, run: Run) -> None:
    with create_engine(filled, poolclass=NullPool).connect() as writer:
        units.create(writer, address="slow", kind="text", title="Slow", body="slow", reason="long transaction")
        result = run("--format", "jsonl")
        writer.rollback()
    assert [name for name, outcome in outcomes(result).items() if outcome != "ok"] == ["gate closed"]
    assert outcomes(result)["gate closed"] == "skip" and "2s" in shown(result)["gate closed"]


def test_other_writers_are_not_in_the_way_and_not_stopped(filled: str) -> None:
    """Between two proofs nothing is locked for others, and what they commit stays."""
    with create_engine(filled, poolclass=NullPool).connect() as connection:
        for number, one in enumerate(proof.run(connection)):
            assert one.outcome == "ok"
            with create_engine(filled, poolclass=NullPool).begin() as other:
                other.exec_driver_sql("set local lock_timeout = '1s'")
                name = f"other/{number}"
                units.create(other, address=name, kind="text", title="O", body="\ufeff# Héading\r\n\r\n", reason="r")
                collections.add(other, key="f", member=name, reason="r")
    with create_engine(filled, poolclass=NullPool).connect() as connection:
        assert len(units.list_pieces(connection, prefix="other/")) == len(NAMES) - 1


def test_a_caller_that_stops_asking_leaves_nothing(filled: str) -> None:
    before = state(filled)
    with create_engine(filled, poolclass=NullPool).connect() as connection:
        proofs = proof.run(connection)
        assert [next(proofs).name for _ in range(3)] == NAMES[:3]
        proofs.close()
        assert not connection.in_transaction()
        assert state(filled) == before


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT], ids=lambda sign: sign.name)
def test_killed_in_the_middle_it_leaves_nothing(filled: str, connection: Connection, sign: signal.Signals) -> None:
    before = state(filled)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("IUCORE_", "PG", "DATABASE_"))}
    environment = {**kept, "PGPASSFILE": os.environ["PGPASSFILE"], "IUCORE_DATABASE_URL": filled}
    holder = create_engine(filled, poolclass=NullPool).connect()
    holder.exec_driver_sql("lock table iucore.axis in access exclusive mode")
    command = [sys.executable, "-m", "iucore.cli", "proof", "--format", "jsonl"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        # In the middle of its transaction, at the proof of axes.
        until(lambda: _others(connection, "wait_event_type = 'Lock'") == 1)
        process.send_signal(sign)
        out, _ = process.communicate(timeout=30)
    finally:
        holder.rollback()
        holder.close()
    assert process.returncode == (-9 if sign == signal.SIGKILL else 130)
    assert b"nothing left" not in out
    until(lambda: _others(connection, "state <> 'idle'") == 0)
    connection.rollback()
    assert state(filled) == before


def test_help_says_what_and_how() -> None:
    text = CliRunner().invoke(main, ["proof", "--help"]).stdout
    assert "rolled back" in text and "iucore_gatekeeper" in text


def _others(connection: Connection, condition: str) -> Any:
    connection.rollback()
    return connection.exec_driver_sql(
        "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        f" and backend_type = 'client backend' and {condition}",
        execution_options={"no_parameters": True},
    ).scalar_one()


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)

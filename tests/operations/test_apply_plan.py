"""``iucore db plan``: what it says of a revision is what the revision says and what was measured."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, pool

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from _migrations import HEAD, LOCKS, walk

from iucore.cli import main
from iucore.operations import migrate, migration_plan
from iucore.operations.migration_plan import MODES

ROOT = Path(__file__).resolve().parents[2]
REVISIONS = migrate.revisions()


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(main, ["db", "plan", *arguments])
    assert result.exit_code == code, result.output
    return result.output if code else result.stdout


def test_locks_are_those_that_are_measured_now(new_database: Callable[[], str]) -> None:
    """Each revision up and down on a database with rows; scripts/locks writes the file."""
    measured = list(walk(new_database(), 20))
    assert [(one.revision, one.direction) for one in measured] == [
        (revision, direction) for revision in REVISIONS for direction in ("up", "down")
    ]
    assert all(one.seconds > 0 for one in measured)
    assert LOCKS.read_text() == HEAD + "".join(f"{line}\n" for line in migration_plan.lines(measured))


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_revision_declares_the_locks_that_keep_writers_out(revision: str) -> None:
    """Both ways: nothing is measured that the docstring does not name, and nothing named that is not measured."""
    measured = {
        lock.table: lock.mode
        for lock in migration_plan.recorded_locks().get((revision, "up"), [])
        if MODES.index(lock.mode) >= MODES.index("SHARE") and not lock.table.startswith("v_")
    }
    assert migration_plan.declared(migration_plan.said(revision).locks) == measured


@pytest.mark.parametrize("revision", REVISIONS)
def test_the_plan_names_every_file_that_runs(revision: str) -> None:
    said = migration_plan.said(revision)
    assert said.title and said.objects and said.locks and said.loses
    names = [*said.up, *said.down]
    assert said.up and said.down and all((ROOT / "alembic" / "versions" / name).is_file() for name in names)
    before = REVISIONS[REVISIONS.index(revision) - 1] if revision != REVISIONS[0] else None
    # The script for psql holds each file, byte for byte, in this order.
    for files, script in (
        (said.up, migrate.offline_sql(before, revision)),
        (said.down, migrate.offline_sql(revision, before or "base")),
    ):
        at = 0
        for name in files:
            at = script.index((ROOT / "alembic" / "versions" / name).read_bytes().decode().strip(), at)


def test_plan_from_where_the_database_is(new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    url = new_database()
    migrate.upgrade(url, "0019")
    engine = create_engine(url, poolclass=pool.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("select * from iucore.fn_iu_create('a', 'text', 'A', 'a', 'r')")
    monkeypatch.setenv("IUCORE_DATABASE_URL", url)
    steps = json.loads(run("0021", "--format", "json"))
    assert [(step["revision"], step["direction"], step["reversible"]) for step in steps] == [
        ("0020", "up", "loses rows"),
        ("0021", "up", "loses rows"),
    ]
    outbox = next(lock for lock in steps[0]["locks"] if lock["table"] == "event_outbox")
    assert (outbox["mode"], outbox["does"]) == ("ACCESS EXCLUSIVE", "rewrites")
    assert steps[0]["rewrite_bytes"] == outbox["bytes"] > 8192 and steps[1]["rewrite_bytes"] == 0
    with engine.begin() as connection:
        size = "select pg_total_relation_size('iucore.event_outbox')"
        assert connection.exec_driver_sql(size).scalar_one() == outbox["bytes"]

    text = run("0020")
    assert "0019 -> 0020: 1 revision" in text and "rewriting" in text
    assert "ACCESS EXCLUSIVE      event_outbox          the table is rewritten: " in text
    assert "back     loses the ledger" in text and "28 in 0020_ledger: outbox_aside.sql" in text

    back = json.loads(run("0018", "--format", "json"))
    assert [(step["revision"], step["direction"]) for step in back] == [("0019", "down")]
    assert back[0]["files"] == ["0019_export/undo.sql"]
    assert json.loads(run("0019", "--format", "json")) == []
    assert run("0019:0020", "--sql") == run("0020", "--sql") == migrate.offline_sql("0019", "0020")
    assert migrate.current(url) == "0019"


def test_plan_of_any_two_revisions_asks_no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IUCORE_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nowhere")
    up = json.loads(run("base:head", "--format", "json"))
    assert [step["revision"] for step in up] == REVISIONS
    assert {lock["bytes"] for step in up for lock in step["locks"]} == {None}
    down = json.loads(run("head:base", "--format", "json"))
    assert [step["revision"] for step in down] == REVISIONS[::-1]
    assert "unknown revision (IU912)" in run("0001:9999", code=1)
    assert "hint: Known revisions: base, 0001" in run("x:head", code=1)
    assert "--lose-rows is for --sql" in run("--lose-rows", code=2)


def test_the_lock_is_that_of_the_migrations() -> None:
    """alembic/env.py imports nothing of iucore, and the other way round."""
    found = re.search(r"^LOCK = (\w+)$", (ROOT / "alembic" / "env.py").read_text(), re.MULTILINE)
    assert found is not None and int(found[1], 0) == migrate.LOCK

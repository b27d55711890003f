"""``iucore db apply`` and ``rollback``: looked at before, under one lock, proven afterwards, written down."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from apply_helpers import HEAD, REVISIONS, Place, place, prepared
from sqlalchemy import Connection

from iucore import errors, inventory
from iucore.operations import apply, evidence, migrate
from iucore.operations.preflight import Expected

BEFORE = "0019"


@pytest.fixture(scope="module")
def shared(admin: psycopg.Connection, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with prepared(admin, tmp_path_factory.mktemp("apply"), BEFORE) as made:
        yield made


@pytest.fixture
def old(shared: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A database of an older release, ready for an apply."""
    return shared.begin(monkeypatch, BEFORE)


def options(of: Place, **more: Any) -> apply.Options:
    return apply.Options(backups=of.backups, **more)


def refused(sqlstate: str, verb: Callable[[], Any]) -> errors.OperationError:
    with pytest.raises(errors.OperationError) as refusal:
        verb()
    assert refusal.value.sqlstate == sqlstate, refusal.value
    assert refusal.value.hint
    return refusal.value


def test_apply_and_back(old: Place) -> None:
    state = old.state()
    done = old.objects("db", "apply", "--yes")
    assert old.whole() == HEAD
    assert (done["outcome"], done["direction"], done["before"]["revision"]) == ("done", "up", BEFORE)
    assert [one["revision"] for one in done["measured"]] == REVISIONS[REVISIONS.index(BEFORE) + 1 :]
    assert [check["number"] for check in done["checks"]] == list(range(1, 15))
    assert all(check["green"] for check in done["checks"])
    assert {one["outcome"] for one in done["proofs"]} == {"ok"} and len(done["proofs"]) > 15
    assert done["after"]["counts"]["information_unit"] == done["before"]["counts"]["information_unit"] == 1
    assert Path(done["backup"]["folder"]).parent == old.backups and done["backup"]["sha256"]
    assert [(one["outcome"], one["run"]) for one in old.runs()] == [("begun", done["run"]), ("done", done["run"])]
    # What is measured in the run is what was measured beforehand.
    planned = {step["revision"]: [lock["table"] for lock in step["locks"]] for step in done["plan"]}
    assert {one["revision"]: [lock["table"] for lock in one["locks"]] for one in done["measured"]} == planned

    nothing = old.run("db", "apply", "--yes")
    assert nothing.stdout == "" and "already: nothing was done" in nothing.stderr
    assert len(old.runs()) == 2

    old.ready()
    gone = old.run("--format", "json", "db", "rollback", "--yes")
    assert f"to undo it: iucore db apply {HEAD}" in gone.stderr
    back = json.loads(gone.stdout)
    assert (back["outcome"], back["direction"], back["goal"]) == ("done", "down", BEFORE)
    assert sorted(map(int, back["left_out"])) == sorted(apply.BACKWARDS)
    assert old.state() == state
    again = old.run("db", "rollback", "--yes", code=1)
    assert "the newest run went back already (IU912)" in again.stderr


def test_a_red_preflight_is_refused_and_nothing_happens(old: Place) -> None:
    old.execute("create function iucore.fn_iu_stray() returns int language sql return 1")
    state = old.state()
    result = old.run("db", "apply", "--yes", code=1)
    assert "the preflight is red, and nothing was done (IU940)" in result.stderr
    assert "; next: " in result.stderr and "hint: Make them green one by one, then: iucore db apply" in result.stderr
    assert old.state() == state and old.runs() == []


def test_without_a_terminal_it_asks_for_yes(old: Place) -> None:
    for verb in ("apply", "rollback"):
        assert "add --yes" in old.run("db", verb, code=2).stderr
    assert old.whole() == BEFORE


def test_a_reader_idle_in_transaction_is_named_and_a_retry_succeeds(old: Place) -> None:
    state = old.state()
    with old.engine.connect() as reader:
        reader.exec_driver_sql("select * from iucore.v_event")
        pid = reader.exec_driver_sql("select pg_backend_pid()").scalar_one()
        error = refused(
            "IU910", lambda: apply.apply(old.engine, options=options(old, settings={"lock_timeout": "300ms"}))
        )
        assert f"pid {pid} (" in error.detail and "idle in transaction" in error.detail
        assert "holds ACCESS SHARE on event_outbox" in error.detail
        assert old.state() == state and old.runs() == []
        assert reader.exec_driver_sql("select 1").scalar_one() == 1, "nobody was ended"
    assert apply.apply(old.engine, options=options(old)).outcome == "done"
    assert old.whole() == HEAD


def test_a_short_reader_is_waited_for(old: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with old.engine.connect() as reader:
        reader.exec_driver_sql("select * from iucore.v_event")
        monkeypatch.setattr(apply.time, "sleep", lambda _: reader.rollback())
        assert apply.apply(old.engine, options=options(old)).outcome == "done"


def test_a_reader_who_comes_later_ends_it_at_a_revision(old: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each revision is whole or not there; what was applied is told, and written down."""
    with old.engine.connect() as reader:
        told: list[str] = []

        def begins(line: str) -> None:
            told.append(line)
            if line.startswith("run "):
                # 0022 wants it for its foreign keys, 0020 and 0021 do not.
                reader.exec_driver_sql("lock table iucore.axis in row exclusive mode")

        error = refused(
            "IU910",
            lambda: apply.apply(old.engine, options=options(old, settings={"lock_timeout": "300ms"}), tell=begins),
        )
        assert "applied before: 0020, 0021" in error.detail
        assert old.whole() == "0021"
    begun, failed = old.runs()
    assert (begun["outcome"], failed["outcome"], failed["after"]["revision"]) == ("begun", "failed", "0021")
    assert "IU910" in failed["error"]


@contextmanager
def meanwhile(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> Iterator[None]:
    """Something happens between the preflight and the lock."""
    alone = migrate.alone

    def late(connection: Connection, **more: Any) -> Any:
        happens()
        return alone(connection, **more)

    with monkeypatch.context() as patch:
        patch.setattr(migrate, "alone", late)
        yield


def test_a_state_that_changed_in_between_is_refused(old: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    happenings = {
        "a gate": "select iucore.fn_iu_gate_set('delivery', true, 'r')",
        "an object": "create function iucore.fn_iu_stray() returns int language sql return 1",
    }
    for what, sql in happenings.items():
        with meanwhile(monkeypatch, lambda sql=sql: old.execute(sql)):
            refused("IU943", lambda: apply.apply(old.engine, options=options(old)))
        assert migrate.current(old.url) == BEFORE, what
        old.execute(
            "select iucore.fn_iu_gate_set('delivery', false, 'r'); drop function if exists iucore.fn_iu_stray()"
        )
    with meanwhile(monkeypatch, lambda: migrate.upgrade(old.url, "0020")):
        refused("IU943", lambda: apply.apply(old.engine, options=options(old)))
    assert old.whole() == "0020" and old.runs() == []


def test_a_preflight_that_is_old_when_the_lock_comes_is_refused(old: Place) -> None:
    refused("IU941", lambda: apply.apply(old.engine, options=options(old, preflight_age="0ms")))
    assert old.whole() == BEFORE


def test_the_preflight_that_was_signed_must_fit(old: Place, new_database: Callable[[], str], tmp_path: Path) -> None:
    old.run("preflight")
    with old.engine.connect() as connection:
        newest = evidence.newest("preflight", evidence.identity(connection))
    assert newest is not None
    refused("IU941", lambda: apply.apply(old.engine, options=options(old, preflight_age="1ms"), signed=newest.path))

    other = place(new_database, tmp_path, BEFORE)
    refused("IU942", lambda: apply.apply(other.engine, options=options(other), signed=newest.path))

    old.execute("select iucore.fn_iu_gate_set('composer', false, 'r')")
    old.execute("select iucore.fn_iu_gate_set('composer', true, 'r')")
    old.execute("select iucore.fn_iu_gate_set('delivery', true, 'r')")
    as_it_is = options(old, expected=Expected(open=frozenset({"master", "composer", "delivery"})))
    refused("IU943", lambda: apply.apply(old.engine, options=as_it_is, signed=newest.path))
    old.execute("select iucore.fn_iu_gate_set('delivery', false, 'r')")
    done = old.run("db", "apply", "0020", "--yes", "--preflight", str(newest.path))
    assert "outcome    done" in done.stdout
    missing = old.run("db", "apply", "--yes", "--preflight", str(tmp_path / "nothing.json"), code=1)
    assert "Traceback" not in missing.output and "nothing.json" in missing.stderr


def test_what_is_wrong_afterwards_is_an_error_and_is_written_down(old: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    upgrade = migrate.upgrade
    new = {*inventory.expected(HEAD)} - {*inventory.expected(REVISIONS[-2])}
    function = min(item.object for item in new if item.kind == "function")

    def and_then(*arguments: Any, **more: Any) -> None:
        upgrade(*arguments, **more)
        old.execute(f"comment on function {function} is 'another'")

    monkeypatch.setattr(migrate, "upgrade", and_then)
    error = refused("IU944", lambda: apply.apply(old.engine, options=options(old)))
    assert f"inventory: altered function {function}" in error.detail and "verify.sql: " in error.detail
    assert old.runs()[-1]["outcome"] == "unproven"
    monkeypatch.undo()


def test_rollback_refuses_to_lose_rows_and_says_how_to_keep_them(old: Place) -> None:
    old.run("db", "apply", "--yes")
    old.execute("select iucore.fn_iu_sequence()")
    state = old.state()
    old.ready()
    result = old.run("db", "rollback", "--yes", code=1)
    assert "going back would lose rows (IU903)" in result.stderr
    assert "iucore backup create" in result.stderr and f"iucore db rollback {BEFORE} --lose-rows" in result.stderr
    assert old.state() == state
    assert old.runs()[-1]["outcome"] == "failed"
    back = old.objects("db", "rollback", BEFORE, "--lose-rows", "--yes")
    assert back["outcome"] == "done" and old.whole() == BEFORE


def test_rollback_wants_a_backup_but_no_sound_database(old: Place) -> None:
    old.run("db", "apply", "--yes")
    old.ready()
    old.execute("create function iucore.fn_iu_stray() returns int language sql return 1")
    old.execute("select iucore.fn_iu_gate_set('master', false, 'something is wrong')")
    error = refused("IU940", lambda: apply.rollback(old.engine, options=options(old, backup_age="1ms")))
    assert error.detail.startswith("3 ") and "\n" not in error.detail
    # Closing the gate is a row that the way back to 0019 keeps.
    result = old.run("db", "rollback", "--yes", code=1)
    assert "inventory: unexpected function iucore.fn_iu_stray()" in result.stderr
    assert migrate.current(old.url) == BEFORE


def test_rollback_without_a_run_asks_for_the_revision(old: Place) -> None:
    assert (
        "no run of this database is known here"
        in refused("IU912", lambda: apply.rollback(old.engine, options=options(old))).message
    )
    assert "iucore db apply" in refused("IU912", lambda: apply.rollback(old.engine, HEAD, options=options(old))).hint
    assert "iucore db rollback" in refused("IU912", lambda: apply.apply(old.engine, "0001", options=options(old))).hint
    refused("IU912", lambda: apply.apply(old.engine, "9999", options=options(old)))


def test_two_at_once(old: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second has seen what is no more."""
    others = [("db", "apply", "--yes")]
    with meanwhile(monkeypatch, lambda: old.run(*others.pop()) if others else None):
        refused("IU943", lambda: apply.apply(old.engine, options=options(old)))
    assert old.whole() == HEAD

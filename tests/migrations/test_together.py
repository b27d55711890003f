"""Migrators at once, in the way of others, and killed."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable

import pytest
from migration_helpers import LOCK, READER, REVISIONS, at, child, differences, engine_for, have, holding, until, waiting
from sqlalchemy import create_engine

from iucore import errors
from iucore.operations import migrate

FIRST, HEAD = REVISIONS[0].id, REVISIONS[-1].id
ROUNDS = 6

# One upgrade for each line that comes in: how many revisions it ran, or its error.
UPGRADER = """
import json, logging, sys
from iucore.operations import migrate
ran = []
log = logging.getLogger("alembic.runtime.migration")
log.setLevel(logging.INFO)
log.addHandler(type("Ran", (logging.Handler,), {"emit": lambda self, record: ran.append(record.getMessage())})())
print(json.dumps("ready"), flush=True)
for line in sys.stdin:
    ran.clear()
    try:
        migrate.upgrade(line.strip(), wait="60s")
        print(json.dumps(sum(one.startswith("Running upgrade") for one in ran)), flush=True)
    except Exception as error:
        print(json.dumps(repr(error)), flush=True)
"""


def test_of_four_upgraders_at_once_one_applies_and_all_end_well(new_database: Callable[[], str]) -> None:
    upgraders = [child(UPGRADER) for _ in range(4)]
    try:
        assert [json.loads(one.stdout.readline()) for one in upgraders] == ["ready"] * 4
        for _ in range(ROUNDS):
            url = new_database()
            for one in upgraders:
                one.stdin.write(f"{url}\n")
                one.stdin.flush()
            outcomes = sorted(json.loads(one.stdout.readline()) for one in upgraders)
            assert outcomes == [0, 0, 0, len(REVISIONS)]
            assert differences(HEAD, url) == []
    finally:
        for one in upgraders:
            one.communicate(timeout=60)
    assert [one.returncode for one in upgraders] == [0] * 4


def test_four_databases_of_one_server_at_once(new_database: Callable[[], str]) -> None:
    """They share the roles."""
    upgraders = [child(UPGRADER) for _ in range(4)]
    urls = [new_database() for _ in upgraders]
    try:
        for one in upgraders:
            one.stdout.readline()
        for one, url in zip(upgraders, urls, strict=True):
            one.stdin.write(f"{url}\n")
            one.stdin.flush()
        assert [json.loads(one.stdout.readline()) for one in upgraders] == [len(REVISIONS)] * 4
    finally:
        for one in upgraders:
            one.communicate(timeout=60)
    assert [differences(HEAD, url) for url in urls] == [[]] * 4


def test_a_reader_in_the_way_ends_the_upgrade_and_nothing_has_changed(new_database: Callable[[], str]) -> None:
    url = at(new_database, FIRST)
    with holding(url, READER):
        with pytest.raises(errors.OperationError) as failure:
            migrate.upgrade(url, lock_timeout="200ms")
        assert failure.value.sqlstate == "IU910"
        assert failure.value.hint
    assert migrate.current(url) == FIRST
    assert differences(FIRST, url) == []
    migrate.upgrade(url)
    assert differences(HEAD, url) == []


def test_a_migrator_that_runs_too_long_is_named(new_database: Callable[[], str]) -> None:
    url = new_database()
    with holding(url, f"select pg_advisory_lock({LOCK})"), pytest.raises(errors.OperationError) as failure:
        migrate.upgrade(url, wait="200ms")
    assert failure.value.sqlstate == "IU911"
    assert failure.value.hint
    assert have(url) == []


def test_an_upgrader_killed_on_its_way_leaves_nothing_behind(new_database: Callable[[], str]) -> None:
    url = at(new_database, FIRST)
    with holding(url, READER):
        upgrader = child(UPGRADER.replace('wait="60s"', 'lock_timeout="60s"'))
        upgrader.stdin.write(f"{url}\n")
        upgrader.stdin.flush()
        until(lambda: waiting(url), "the upgrader to wait for the reader")
        upgrader.send_signal(signal.SIGKILL)
        assert upgrader.wait(30) == -signal.SIGKILL
        upgrader.communicate()
    migrate.upgrade(url)
    assert migrate.current(url) == HEAD
    assert differences(HEAD, url) == []


def test_a_session_ended_by_the_server_leaves_nothing_behind(new_database: Callable[[], str]) -> None:
    url = at(new_database, FIRST)
    with holding(url, READER) as reader:
        upgrader = child(UPGRADER.replace('wait="60s"', 'lock_timeout="60s"'))
        upgrader.stdin.write(f"{url}\n")
        upgrader.stdin.flush()
        until(lambda: waiting(url), "the upgrader to wait for the reader")
        reader.exec_driver_sql(
            "select pg_terminate_backend(pid) from pg_locks where not granted and locktype = 'relation'"
            " and database = (select oid from pg_database where datname = current_database())"
        )
        assert json.loads(upgrader.stdout.readline()) == "ready"
        assert "OperationalError" in json.loads(upgrader.stdout.readline())
        upgrader.communicate(timeout=60)
    migrate.upgrade(url)
    assert differences(HEAD, url) == []


@pytest.mark.parametrize("driver", ["psycopg2", "psycopg"])
def test_a_pooled_session_is_given_back_as_it_was(new_database: Callable[[], str], driver: str) -> None:
    url = at(new_database, FIRST)
    scheme = f"postgresql+{driver}://"
    engine = create_engine(scheme + url.partition("://")[2], pool_size=1, max_overflow=0)
    names = ("lock_timeout", "statement_timeout", "search_path", "iucore.undo_may_lose_rows")

    def state() -> list[object]:
        with engine.connect() as connection:
            pid = connection.exec_driver_sql("select pg_backend_pid()").scalar()
            held = connection.exec_driver_sql(
                "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()"
            ).scalar()
            values = [
                connection.exec_driver_sql("select coalesce(current_setting(%s, true), '')", (name,)).scalar()
                for name in names
            ]
            return [pid, held, *values]

    with engine.begin() as connection:
        connection.exec_driver_sql("set lock_timeout = '7s'; set search_path = public")
    before = state()
    assert before[1:4] == [0, "7s", "0"]
    with holding(url, READER), pytest.raises(errors.OperationError):
        migrate.upgrade(engine, lock_timeout="100ms")
    assert state() == before
    migrate.upgrade(engine)
    assert state() == before
    migrate.downgrade(engine, FIRST, lose_rows=True)
    assert state() == before
    assert migrate.current(engine) == FIRST
    engine.dispose()


def test_an_unknown_revision_is_named(new_database: Callable[[], str]) -> None:
    url = at(new_database, HEAD)
    for attempt in (migrate.upgrade, migrate.downgrade):
        with pytest.raises(errors.OperationError) as failure:
            attempt(url, "9999")
        assert (failure.value.sqlstate, failure.value.detail) == ("IU912", "revision: 9999")
        assert HEAD in failure.value.hint
    with pytest.raises(errors.OperationError):
        migrate.offline_sql("9999", "head")

    # A database that a newer iucore has upgraded.
    with engine_for(url).begin() as connection:
        connection.exec_driver_sql("update public.iucore_alembic_version set version_num = '9999'")
    with pytest.raises(errors.OperationError) as failure:
        migrate.upgrade(url)
    assert failure.value.sqlstate == "IU912"
    assert "9999" in failure.value.detail
    with engine_for(url).connect() as connection, pytest.raises(errors.OperationError):
        migrate.verify(connection)


def test_a_database_without_iucore_has_no_revision(new_database: Callable[[], str]) -> None:
    url = new_database()
    assert migrate.current(url) is None
    with engine_for(url).connect() as connection, pytest.raises(errors.OperationError) as failure:
        migrate.verify(connection)
    assert failure.value.sqlstate == "IU912"

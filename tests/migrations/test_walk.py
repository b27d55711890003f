"""Up, down and up again at every revision, and the three ways to the same database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from migration_helpers import (
    EXACT,
    PREVIOUS,
    REVISIONS,
    TREE,
    at,
    counts,
    differences,
    engine_for,
    fill,
    have,
    loses_nothing,
    psql,
    run_psql,
)

from iucore import errors, inventory
from iucore.operations import migrate

HEAD = REVISIONS[-1].id


def test_walk_on_an_empty_database(new_database: Callable[[], str]) -> None:
    url = new_database()
    for revision in REVISIONS:
        for step, target in ((migrate.upgrade, revision.id), (migrate.downgrade, PREVIOUS[revision.id])):
            step(url, target)
            assert (target, differences(target, url)) == (target, [])
        migrate.upgrade(url, revision.id)
        assert differences(revision.id, url) == []
    migrate.downgrade(url, "base")
    assert have(url) == []
    assert migrate.current(url) is None
    migrate.upgrade(url)
    assert differences(HEAD, url) == []


def test_walk_on_a_filled_database(new_database: Callable[[], str]) -> None:
    url = new_database()
    refused = []
    for revision in REVISIONS:
        before = PREVIOUS[revision.id]
        migrate.upgrade(url, revision.id)
        with engine_for(url).begin() as connection:
            called = fill(connection, f"walk{revision.id}")
        rows = counts(url)
        if called and not loses_nothing(revision):
            with pytest.raises(errors.OperationError) as refusal:
                migrate.downgrade(url, before)
            assert refusal.value.sqlstate == "IU903"
            assert refusal.value.hint
            assert migrate.current(url) == revision.id
            assert differences(revision.id, url) == []
            assert counts(url) == rows
            refused.append(revision.id)
        migrate.downgrade(url, before, lose_rows=True)
        assert (before, differences(before, url)) == (before, [])
        migrate.upgrade(url, revision.id)
        assert (revision.id, differences(revision.id, url)) == (revision.id, [])
    assert refused == [one.id for one in REVISIONS if one.id != "0001" and not loses_nothing(one)]
    migrate.downgrade(url, "base", lose_rows=True)
    assert have(url) == []


OUTBOX = """
select id, aggregatetype, aggregateid, type, payload, event_type, event_subject_ref, delivery_lane, change_id,
    xid::text, actor, claimed_actor, created_at
from iucore.event_outbox order by id
"""


def test_every_event_stays_as_it_was_when_the_outbox_is_made_anew(new_database: Callable[[], str]) -> None:
    url = at(new_database, "0019")
    engine = engine_for(url)

    def events() -> list[tuple[object, ...]]:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(OUTBOX, execution_options=EXACT)]

    for name in ("one", "two"):
        with engine.begin() as connection:
            fill(connection, name)
    before = events()
    assert {row[7] for row in before} == {"immediate", "delayed"} and len({row[9] for row in before}) == 2
    migrate.upgrade(url, "0020")
    assert events() == before
    with engine.connect() as connection:
        placed = "select count(*) from iucore.event_outbox as o where o.slot <> case o.delivery_lane"
        placed += " when 'immediate' then 0 else date_part('quarter', o.created_at at time zone 'UTC') end"
        assert connection.exec_driver_sql(placed).scalar() == 0
    with engine.begin() as connection:
        # The promise of the immediate lane holds for the old events as well.
        connection.exec_driver_sql("select iucore.fn_iu_sequence()")
        connection.exec_driver_sql(
            "set local iucore.traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'"
        )
        fill(connection, "three")
    after = events()
    assert after[: len(before)] == before and len(after) > len(before)
    with pytest.raises(errors.OperationError) as refusal:
        migrate.downgrade(url, "0019")
    assert refusal.value.sqlstate == "IU903"
    migrate.downgrade(url, "0019", lose_rows=True)
    assert events() == after
    assert differences("0019", url) == []
    migrate.upgrade(url)
    assert events() == after
    assert differences(HEAD, url) == []


def test_a_refusal_on_the_way_back_leaves_the_database_where_it_was(
    new_database: Callable[[], str], tmp_path: Path
) -> None:
    """Only an early revision would lose rows; the later ones are not undone for it."""
    url = at(new_database, HEAD)
    with engine_for(url).begin() as connection:
        connection.exec_driver_sql("select * from iucore.fn_iu_create('a', 'text', 'A', 'a', 'r')")
    with pytest.raises(errors.OperationError) as refusal:
        migrate.downgrade(url, "base")
    assert refusal.value.sqlstate == "IU903"
    assert migrate.current(url) == HEAD
    assert differences(HEAD, url) == []
    if psql() is not None:
        script = tmp_path / "down.sql"
        script.write_bytes(migrate.offline_sql(HEAD, "base").encode("utf-8"))
        assert run_psql(url, script).returncode != 0
        assert migrate.current(url) == HEAD
        assert differences(HEAD, url) == []


def test_a_reader_may_ask_for_the_revision(login: Callable[[str], str], url: str) -> None:
    assert migrate.current(login("iucore_reader")) == HEAD


def test_head_keeps_its_rows_through_no_operation(new_database: Callable[[], str]) -> None:
    url = at(new_database, HEAD)
    with engine_for(url).begin() as connection:
        assert fill(connection, "walk")
    rows = counts(url)
    migrate.upgrade(url)
    assert counts(url) == rows
    assert differences(HEAD, url) == []


def test_two_roads_lead_to_one_database(new_database: Callable[[], str]) -> None:
    by_present, by_past = new_database(), at(new_database, HEAD)
    with engine_for(by_present).begin() as connection:
        connection.exec_driver_sql("set local check_function_bodies = off")
        for path in TREE.present_order():
            connection.exec_driver_sql(path.read_bytes().decode("utf-8"), execution_options=EXACT)
    assert inventory.compare(inventory.expected(), have(by_present)) == []
    assert inventory.compare(have(by_past), have(by_present)) == []


@pytest.mark.skipif(psql() is None, reason="no psql on this machine")
def test_offline_online_and_psql_give_the_same(new_database: Callable[[], str], tmp_path: Path) -> None:
    online, offline, files = at(new_database, HEAD), new_database(), new_database()
    script = tmp_path / "up.sql"
    script.write_bytes(migrate.offline_sql().encode("utf-8"))
    done = run_psql(offline, script)
    assert done.returncode == 0, done.stderr
    done = run_psql(files, *(revision.folder / name for revision in REVISIONS for name in revision.files))
    assert done.returncode == 0, done.stderr
    assert have(online) == have(offline) == have(files) == inventory.expected()
    assert migrate.current(offline) == HEAD
    done = run_psql(files, REVISIONS[-1].folder / "verify.sql")
    assert done.returncode == 0, done.stderr

    # The script is for one revision, and says so.
    again = run_psql(offline, script)
    assert again.returncode != 0
    assert "script is for another revision" in again.stderr
    assert have(offline) == have(online)

    # Down, and up once more over the version table that is left.
    down = tmp_path / "down.sql"
    down.write_bytes(migrate.offline_sql(HEAD, "base").encode("utf-8"))
    done = run_psql(offline, down, script)
    assert done.returncode == 0, done.stderr
    assert have(offline) == have(online)


@pytest.mark.skipif(psql() is None, reason="no psql on this machine")
def test_offline_step_by_step(new_database: Callable[[], str], tmp_path: Path) -> None:
    url = new_database()
    for revision in REVISIONS:
        script = tmp_path / f"{revision.id}.sql"
        script.write_bytes(migrate.offline_sql(PREVIOUS[revision.id], revision.id).encode("utf-8"))
        done = run_psql(url, script)
        assert done.returncode == 0, done.stderr
        assert differences(revision.id, url) == []


def test_offline_script_carries_the_frozen_bytes() -> None:
    script = migrate.offline_sql().encode("utf-8")
    place = 0
    for revision in REVISIONS:
        for name in revision.files:
            found = script.find((revision.folder / name).read_bytes(), place)
            assert found >= 0, name
            place = found


@pytest.mark.parametrize("driver", ["psycopg2", "psycopg"])
def test_both_drivers_give_the_same(new_database: Callable[[], str], driver: str) -> None:
    url = new_database()
    engine = engine_for(url, driver)
    migrate.upgrade(engine)
    with engine.connect() as connection:
        assert inventory.actual(connection) == inventory.expected()
        migrate.verify(connection)
    migrate.downgrade(engine, "base")
    assert have(url) == []


def test_inventory_does_not_depend_on_the_search_path(new_database: Callable[[], str]) -> None:
    query = (TREE.sql / "inventory.sql").read_text("utf-8")
    url = at(new_database, HEAD)
    with engine_for(url).connect() as connection:
        for path in ("iucore, public", '"$user", public', "pg_catalog"):
            connection.exec_driver_sql(f"set search_path = {path}")
            rows = connection.exec_driver_sql(query, execution_options=EXACT).all()
            catalog = [item for item in inventory.expected() if item.kind not in ("event_type", "gate", "route")]
            assert [inventory.Item(*row) for row in rows] == catalog, path
            assert inventory.actual(connection) == inventory.expected()
            assert connection.exec_driver_sql("show search_path").scalar() == path

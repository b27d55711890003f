"""The preflight: each check fails alone, every pair fails together and nothing else, and nothing is ever written."""

from __future__ import annotations

import itertools
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from apply_helpers import HEAD, REVISIONS, Place
from servers import url_of
from sqlalchemy import Connection

from iucore import _paths, errors
from iucore.operations import migrate, preflight
from iucore.operations.preflight import LIMITS, Limits, Preflight

# Any statement of DDL in the database is refused while the switch is on.
GUARD = """
create function public.refuse_ddl() returns event_trigger language plpgsql as $$
begin
    if current_setting('preflight.guard', true) = 'on' then
        raise exception 'DDL: %', tg_tag;
    end if;
end $$;
create event trigger refuse_ddl on ddl_command_start execute function public.refuse_ddl();
"""
WRITTEN = "select sum(n_tup_ins + n_tup_upd + n_tup_del) from pg_stat_xact_all_tables"


@dataclass
class World:
    """A database with one pending revision at which all is green, and what a run of the preflight is given."""

    place: Place
    patch: pytest.MonkeyPatch
    given: dict[str, Any] = field(default_factory=dict)
    limits: Limits = field(default_factory=lambda: replace(LIMITS["production"], lock_age="20ms"))

    @contextmanager
    def altered(self, sql: str) -> Iterator[Connection]:
        """A transaction in which the database is otherwise; it is rolled back."""
        with self.place.engine.connect() as connection:
            if sql:
                connection.exec_driver_sql(sql, execution_options={"no_parameters": True})
            yield connection
            connection.rollback()

    def seen(self, *numbers: int) -> Preflight:
        """What the preflight sees while the checks of these numbers are made to fail; it writes nothing, ever."""
        sql = [DAMAGES[number] for number in numbers if isinstance(DAMAGES[number], str)]
        with ExitStack() as stack:
            for number in numbers:
                if callable(DAMAGES[number]):
                    stack.enter_context(DAMAGES[number](self))
            connection = stack.enter_context(self.altered(";".join(sql)))
            return self.of(connection)

    def of(self, connection: Connection, **more: Any) -> Preflight:
        """What it sees in a transaction that is under way."""
        connection.exec_driver_sql("set local preflight.guard = 'on'")
        written = connection.exec_driver_sql(WRITTEN).scalar()
        given = {"backups": self.place.backups, "limits": self.limits} | self.given | more
        seen = preflight.preflight(connection, **given)
        assert connection.exec_driver_sql(WRITTEN).scalar() == written
        assert [check.number for check in seen.checks] == [*range(1, 15)]
        assert all((check.next is None) is check.green for check in seen.checks)
        assert seen.green is all(check.green for check in seen.checks)
        return seen


@pytest.fixture(scope="module")
def ready(admin: psycopg.Connection, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A database of the revision before, with a backup and a rehearsal; at the end it is as it was."""
    name = f"t_{uuid.uuid4().hex}"
    admin.execute(f"create database {name} template template0 encoding 'UTF8'")
    place = Place(url_of(name), tmp_path_factory.mktemp("preflight"))
    migrate.upgrade(place.url, REVISIONS[-2])
    place.execute("select * from iucore.fn_iu_create('a', 'text', 'A', E'a\\n', 'r')")
    place.execute(GUARD)
    place.ready()
    before = place.state()
    yield place
    assert place.state() == before
    admin.execute(f"drop database {name} with (force)")


@pytest.fixture
def world(ready: Place, monkeypatch: pytest.MonkeyPatch) -> World:
    """The same database for every test: what a test does is rolled back."""
    for name, value in ready.environment.items():
        monkeypatch.setenv(name, value)
    return World(ready, monkeypatch)


@contextmanager
def old_server(world: World) -> Iterator[None]:
    with world.patch.context() as patch:
        patch.setattr(preflight, "FLOORS", dict.fromkeys(preflight.FLOORS, 99))
        yield


@contextmanager
def given(world: World, name: str, value: Any) -> Iterator[None]:
    world.given[name] = value
    yield
    del world.given[name]


@contextmanager
def altered_file(world: World) -> Iterator[None]:
    """Where the migrations stand, one was edited."""
    copy = world.place.folder / "alembic"
    if not copy.exists():
        shutil.copytree(_paths.alembic_dir(), copy, ignore=shutil.ignore_patterns("__pycache__"))
        with (copy / "versions" / "0001_schema" / "roles.sql").open("a") as file:
            file.write("-- and one more line\n")
    with world.patch.context() as patch:
        patch.setattr(_paths, "alembic_dir", lambda: copy)
        yield


@contextmanager
def another_session(world: World, sql: str) -> Iterator[Connection]:
    with world.place.engine.connect() as connection:
        connection.exec_driver_sql(sql)
        yield connection


@contextmanager
def migrator(world: World) -> Iterator[None]:
    """Another session holds the migrators' lock, outside of any transaction."""
    with another_session(world, f"select pg_advisory_lock({migrate.LOCK})") as connection:
        connection.commit()
        yield


@contextmanager
def reader(world: World) -> Iterator[None]:
    """Another session has been holding a lock for longer than the limit."""
    with another_session(world, "lock table iucore.unit_axis in access share mode"):
        time.sleep(0.03)
        yield


@contextmanager
def no_evidence(world: World) -> Iterator[None]:
    with world.patch.context() as patch:
        patch.setenv("IUCORE_EVIDENCE", str(world.place.folder / "nothing"))
        yield


# By the number of the check that it makes red: SQL in the transaction, or what happens outside of it.
DAMAGES: dict[int, str | Callable[[World], AbstractContextManager[None]]] = {
    1: old_server,
    2: "alter table iucore.axis owner to postgres",
    3: lambda world: given(world, "backups", world.place.folder / "elsewhere"),
    4: "insert into public.iucore_alembic_version values ('0001')",
    5: altered_file,
    6: "drop index iucore.idx_change_moment",
    7: "revoke select on iucore.v_event from iucore_reader",
    8: "alter table iucore.gate_switch add constraint ck_more check (change_id > 0) not valid",
    9: migrator,
    10: reader,
    11: "select * from iucore.fn_iu_gate_set('composer', false, 'r')",
    12: "insert into iucore.dead_letter (route, position, event_id, event_type, subject, attempts, reason)"
    " select route, 1, gen_random_uuid(), 'unit.created', 'a', 8, 'r' from iucore.route limit 1",
    13: no_evidence,
    14: lambda world: given(world, "free_bytes", 1000),
}


def red(seen: Preflight) -> list[int]:
    return [check.number for check in seen.checks if not check.green]


def test_all_green(world: World) -> None:
    seen = world.seen()
    assert red(seen) == [], [check for check in seen.checks if not check.green]
    assert (seen.revision, seen.newest_revision, seen.target) == (REVISIONS[-2], HEAD, "production")
    with world.place.engine.connect() as connection:
        assert preflight.state(connection) == seen.state


def test_what_proves_that_nothing_is_written_would_see_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    name, looked_at, look = preflight._CHECKS[8]

    def writing(sql: str) -> Preflight:
        def writes(looks: Any) -> Any:
            looks.connection.exec_driver_sql(sql)
            return look(looks)

        monkeypatch.setattr(
            preflight, "_CHECKS", (*preflight._CHECKS[:8], (name, looked_at, writes), *preflight._CHECKS[9:])
        )
        return world.seen()

    assert "DDL: CREATE TABLE" in writing("create table public.t (a int)").checks[8].figure
    with pytest.raises(AssertionError):
        writing("insert into iucore.unit_kind values ('x', 'x', 'x')")


@pytest.mark.parametrize("number", DAMAGES)
def test_each_fails_alone(world: World, number: int) -> None:
    seen = world.seen(number)
    assert red(seen) == [number], seen.checks
    found = seen.checks[number - 1]
    assert not found.figure.startswith("error: ")
    assert found.next


# Shares of the pairs, so that more than one process can work on them.
@pytest.mark.parametrize("first", range(1, 14))
def test_every_pair(world: World, first: int) -> None:
    for second in range(first + 1, 15):
        seen = world.seen(first, second)
        assert red(seen) == [first, second], seen.checks


def test_pairs_are_91() -> None:
    assert sorted(DAMAGES) == [*range(1, 15)]
    assert len(list(itertools.combinations(DAMAGES, 2))) == 91


def test_all_at_once(world: World) -> None:
    assert red(world.seen(*DAMAGES)) == [*DAMAGES]


def test_the_state_tells_what_a_migration_would_meet(world: World) -> None:
    before = world.seen().state
    for numbers in ((1, 3, 5, 9, 10, 12, 13, 14), (2,), (4,), (6,), (7,), (8,), (11,)):
        assert (world.seen(*numbers).state == before) is (len(numbers) > 1), numbers


@pytest.mark.parametrize(
    ("number", "sql", "figure"),
    [
        (2, "alter role iucore_reader login", "altered role iucore_reader"),
        (2, "grant iucore_worker to iucore_reader", "altered role iucore_reader"),
        (2, "alter function iucore.fn_iu_is_address(text) owner to postgres", "fn_iu_is_address is owned by postgres"),
        (6, "delete from iucore.route where route = 'unit.created'", "missing route unit.created"),
        (6, "drop trigger trg_route_setting_append_only on iucore.route_setting", "missing trigger"),
        (7, "create function iucore.fn_iu_stray() returns int language sql return 1", "unexpected function"),
        (7, "alter function iucore.fn_iu_is_address(text) set work_mem = '8MB'", "altered function"),
        (7, "grant insert on iucore.axis to public", "altered table iucore.axis"),
        (7, "comment on view iucore.v_event is 'mine'", "altered view iucore.v_event"),
        (7, "update iucore.route set title = 'mine' where route = 'unit.created'", "altered route unit.created"),
        (8, "update pg_index set indisvalid = false where indexrelid = 'iucore.idx_route_type'::regclass", "invalid"),
        (
            8,
            "create index idx_half on iucore.axis (title);"
            "update pg_index set indisvalid = false where indexrelid = 'iucore.idx_half'::regclass",
            "index iucore.idx_half: invalid",
        ),
        (11, "select iucore.fn_iu_route_set('unit.created', true, 'r')", "route unit.created is on"),
        (11, "select iucore.fn_iu_gate_set('delivery', true, 'r')", "gate delivery is open"),
    ],
)
def test_other_damages(world: World, number: int, sql: str, figure: str) -> None:
    with world.altered(sql) as connection:
        seen = world.of(connection)
    assert red(seen) == [number], seen.checks
    assert figure in seen.checks[number - 1].figure


def test_what_is_expected_can_be_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    sql = "select iucore.fn_iu_route_set('unit.created', true, 'r'), iucore.fn_iu_gate_set('delivery', true, 'r')"
    expected = preflight.Expected.of("master,composer,delivery", "unit.created")
    with world.altered(sql) as connection:
        assert red(world.of(connection, expected=expected)) == []
        assert red(world.of(connection)) == [11]
        monkeypatch.setenv("IUCORE_EXPECT_OPEN", "master, composer, delivery")
        monkeypatch.setenv("IUCORE_EXPECT_ON", "unit.created")
        assert red(world.of(connection)) == []
    assert red(world.seen()) == [11], "what is expected is not there"
    monkeypatch.delenv("IUCORE_EXPECT_OPEN")
    monkeypatch.delenv("IUCORE_EXPECT_ON")
    world.given["base"] = REVISIONS[-2]
    assert red(world.seen()) == []
    world.given["base"] = REVISIONS[-3]
    assert world.seen().checks[3].figure == f"at {REVISIONS[-2]}, expected {REVISIONS[-3]}"


def test_limits(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, limit in (
        (3, {"backup_age": "1ms"}),
        (13, {"rehearsal_age": "1ms"}),
        (14, {"connections": 100_000}),
    ):
        monkeypatch.setattr(world, "limits", replace(LIMITS["production"], **limit))
        assert red(world.seen()) == [number]
    monkeypatch.setattr(world, "limits", replace(LIMITS["production"], transaction_age="20ms"))
    with another_session(world, "select 1"):
        time.sleep(0.03)
        seen = world.seen()
        assert red(seen) == [10] and "idle in transaction" in seen.checks[9].figure
    monkeypatch.setattr(world, "limits", LIMITS["production"])
    with world.altered("select iucore.fn_iu_sequence()") as connection:
        connection.exec_driver_sql("select * from iucore.fn_iu_create('b', 'text', 'B', 'b', 'r')")
        assert red(world.of(connection)) == []
        assert red(world.of(connection, limits=replace(LIMITS["production"], sequencer_age="0s"))) == [12]
    with pytest.raises(errors.OperationError, match="IU939"):
        world.given["target"] = "somewhere"
        world.seen()


def test_a_server_elsewhere_whose_disk_is_not_known(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "_server_free", lambda _: None)
    seen = world.seen()
    assert red(seen) == [14] and "server: not known from here" in seen.checks[13].figure
    assert "--free-bytes" in str(seen.checks[13].next)
    world.given["free_bytes"] = 10**12
    assert red(world.seen()) == []
    del world.given["free_bytes"]
    monkeypatch.setenv("IUCORE_FREE_BYTES", "1")
    assert red(world.seen()) == [14]
    monkeypatch.delenv("IUCORE_FREE_BYTES")
    monkeypatch.setattr(world, "limits", LIMITS["staging"])
    assert red(world.seen()) == []


def test_backups_that_will_not_do(world: World, tmp_path: Path) -> None:
    sound = next(world.place.backups.iterdir())

    def copied(edit: Callable[[Path], object]) -> str:
        folder = tmp_path / uuid.uuid4().hex
        shutil.copytree(sound, folder / sound.name)
        edit(folder / sound.name)
        world.given["backups"] = folder
        seen = world.seen()
        assert red(seen) == [3], seen.checks
        return seen.checks[2].figure

    def flip(folder: Path) -> None:
        data = bytearray((folder / "database.dump").read_bytes())
        data[len(data) // 2] ^= 1
        (folder / "database.dump").write_bytes(data)

    assert "sha256" in copied(flip)
    assert "manifest.json" in copied(lambda folder: (folder / "manifest.json").write_text("{}"))
    assert "database.dump" in copied(lambda folder: (folder / "database.dump").write_bytes(b""))
    assert "none of this database" in copied(shutil.rmtree)


def test_a_backup_of_another_database_does_not_count(world: World, new_database: Callable[[], str]) -> None:
    other = Place(new_database(), world.place.folder / "other")
    migrate.upgrade(other.url)
    other.run("backup", "create", "--to", str(other.backups))
    world.given["backups"] = other.backups
    seen = world.seen()
    assert red(seen) == [3] and seen.checks[2].figure.startswith("none of this database")


def test_a_version_table_of_a_stranger(world: World, login: Callable[[str | None], str]) -> None:
    """The upgrade itself would refuse (IU902)."""
    stranger = login(None).partition("//")[2].partition(":")[0]
    with world.altered(f"alter table public.iucore_alembic_version owner to {stranger}") as connection:
        seen = world.of(connection)
    assert red(seen) == [2] and f"belongs to {stranger}, who may not migrate" in seen.checks[1].figure


@pytest.mark.parametrize("sql", ["alter table public.iucore_alembic_version rename version_num to other"])
def test_a_database_that_is_quite_broken_is_red_and_no_crash(world: World, sql: str, tmp_path: Path) -> None:
    with world.altered(sql) as connection:
        seen = world.of(connection)
    assert {4, 6, 7, 13} <= {*red(seen)} and seen.revision is None and seen.state == ""
    for broken in ("nothing", "syntax"):
        folder = tmp_path / broken
        (folder / "versions").mkdir(parents=True)
        (folder / "versions" / "0001_x.py").write_text("revision = (" if broken == "syntax" else "")
        with world.patch.context() as patch, world.altered("") as connection:
            patch.setattr(_paths, "alembic_dir", lambda folder=folder: folder)
            seen = world.of(connection)
        assert {5, 6, 13} <= {*red(seen)} and seen.newest_revision == ""


def test_a_check_that_errors_is_red_and_says_why(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "LOCK_TIMEOUT", "30ms")
    with another_session(world, "lock table iucore.gate in access exclusive mode"):
        time.sleep(0.03)
        seen = world.seen()
    assert {10, 11} <= {*red(seen)}
    assert seen.checks[10].figure.startswith("error: canceling statement due to lock timeout")
    assert "pg_terminate_backend" in str(seen.checks[10].next)
    assert seen.state == ""
    with world.altered("alter table iucore.v_dead_letter rename to v_other") as connection:
        seen = world.of(connection)
    assert red(seen) == [6, 7, 12]
    assert seen.checks[11].figure.startswith('error: relation "iucore.v_dead_letter" does not exist')


def test_rights_that_a_login_lacks(
    world: World, admin: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name = f"u_{uuid.uuid4().hex}"
    admin.execute(f"create role {name} login in role iucore_reader")
    try:
        with another_session(world, "select 1"), world.altered(f"set local session authorization {name}") as connection:
            seen = world.of(connection)
        assert {2, 10, 12} <= {*red(seen)}
        assert seen.checks[1].next == f"grant iucore_owner to {name}"
        assert seen.checks[9].next == f"grant pg_read_all_stats to {name}"
        assert seen.checks[11].next == f"grant iucore_owner to {name}"
        assert "server: not known from here" in seen.checks[13].figure
        admin.execute(f"grant iucore_owner, pg_monitor to {name}")
        with another_session(world, "select 1"), world.altered(f"set local session authorization {name}") as connection:
            seen = world.of(connection)
            assert red(seen) == [2], seen.checks
            assert "may not write the version table" in seen.checks[1].figure
        with (
            another_session(world, "select 1"),
            world.altered(f"{seen.checks[1].next}; set local session authorization {name}") as connection,
        ):
            assert red(world.of(connection)) == []
    finally:
        admin.execute(f"drop role {name}")


def test_command(world: World) -> None:
    place = world.place
    assert place.run("preflight", "--format", "json").exit_code == 0
    found = place.objects("preflight")
    assert [check["number"] for check in found] == [*range(1, 15)]
    assert {*found[0]} == {"number", "name", "looked_at", "figure", "green", "next"}
    result = place.run("preflight", "--base", "0001", "--format", "json", "--max-age", "1ms", code=3)
    assert "red: 3, 4; next: " in result.stderr
    path = Path(next(line for line in result.stderr.splitlines() if line.startswith("evidence: ")).split(": ")[1])
    assert path.stat().st_mode & 0o777 == 0o600
    assert "--max-age 1x: write a number" in place.run("preflight", "--max-age", "1x", code=2).stderr


def test_the_command_reads_only(world: World) -> None:
    """Not even by a check that tried to write."""
    with world.patch.context() as patch:
        name, looked_at, _ = preflight._CHECKS[3]

        def writes(looks: Any) -> Any:
            return looks.connection.exec_driver_sql("create table public.t (a int)"), True, None

        patch.setattr(preflight, "_CHECKS", ((name, looked_at, writes),) * 14)
        found = world.place.run("preflight", code=3)
    assert "cannot execute CREATE TABLE in a read-only transaction" in found.stdout

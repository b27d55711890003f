"""A backup restored: by a drill, and for good."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from backup_helpers import CLI, fill, forged, libpq, make, restore, rows, run
from click.testing import Result
from servers import url_of
from sqlalchemy.engine import make_url

from iucore.operations import backup, drill, migrate, scratch
from iucore.operations.backup import GLOBALS, Backup

MEMBER = 'backup drill\'s "member"'


@pytest.fixture(scope="module")
def original(
    admin: psycopg.Connection[Any], at_head: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Backup]:
    """The backup of a database with events in the ledger, and with a member of a role."""
    name = f"t_drill_{os.getpid()}"
    member = psycopg.sql.Identifier(f"{MEMBER} {os.getpid()}")
    admin.execute(f'create database {name} template "{at_head.template_dbname}"')
    admin.execute(psycopg.sql.SQL("create role {} login noinherit password 'secret'").format(member))
    admin.execute(psycopg.sql.SQL("grant iucore_author to {} with admin option").format(member))
    try:
        fill(url_of(name))
        with libpq(url_of(name)) as connection:
            connection.execute("select * from iucore.fn_iu_sequence()")
        yield make(url_of(name), tmp_path_factory.mktemp("drill"))
    finally:
        admin.execute(f"drop database {name} with (force)")
        admin.execute(psycopg.sql.SQL("drop role {}").format(member))


@pytest.fixture
def copy(original: Backup, tmp_path: Path) -> Path:
    folder = tmp_path / "copy"
    shutil.copytree(original.folder, folder)
    return folder


@pytest.fixture(scope="module")
def spare(original: Backup) -> Iterator[str]:
    """Another server, without a role of iucore."""
    with scratch.server(at_least=backup.major(original.server_version)) as url:
        yield url


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary files that every user can enter."""
    folder = Path(tempfile.mkdtemp(prefix="iucore-test-"))
    folder.chmod(0o755)
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []
    folder.rmdir()


def roles_and_databases(url: str) -> set[tuple[Any, ...]]:
    with libpq(url, database="postgres") as connection:
        return set(
            connection.execute(
                "select 'role', rolname, rolcanlogin::text from pg_roles where rolname !~ '^pg_' union all"
                " select 'database', datname, '' from pg_database union all"
                " select 'member', roleid::regrole::text, member::regrole::text from pg_auth_members"
                " where roleid::regrole::text !~ '^pg_'"
            ).fetchall()
        )


SQL = Path(__file__).resolve().parents[2] / "sql"


def different(done: Result) -> list[str]:
    return [row["what"] for row in rows(done) if not row["same"]]


@pytest.mark.usefixtures("temporary")
def test_all_is_the_same(original: Backup) -> None:
    done = run("backup", "drill", original.folder, "--format", "json")
    compared = {row["what"]: (row["wanted"], row["found"], row["same"]) for row in rows(done)}
    assert all(same for _, _, same in compared.values())
    assert {f"table iucore.{table}" for table in original.rows} <= compared.keys()
    assert compared["table iucore.unit_content"][0].startswith("5 rows, ")
    assert original.rows["event_log"] > 5
    assert compared["revision"][0] == migrate.heads()[0]
    wanted, found, _ = compared["inventory, with owners and grants"]
    assert wanted == found and int(found.split("/")[0]) > 1000
    assert f"verify.sql of {original.revision}" in compared
    assert "everything is as in the database" in done.stderr


def test_what_differs_is_named(copy: Path, spare: str) -> None:
    def change(said: dict[str, Any]) -> None:
        said["rows"]["unit_content"] += 1
        said["hashes"]["unit_version"] = "0" * 64
        said["sequences"]["change_change_id_seq"] += 1
        said["rows"]["gone"], said["hashes"]["gone"] = 1, "0"
        said["revision"] = "0001"

    forged(copy, change)
    done = run("backup", "drill", copy, "--scratch", spare, "--format", "json", code=3)
    assert different(done) == [
        "table iucore.gone",
        "table iucore.unit_content",
        "table iucore.unit_version",
        "sequence iucore.change_change_id_seq",
        "revision",
    ]
    assert "5 differ" in done.stderr


def test_lost_grants_and_owners_of_the_source_are_named(url: str, spare: str, tmp_path: Path) -> None:
    with libpq(url) as connection:
        connection.execute("grant execute on function iucore.fn_iu_assert_read_committed to public")
        connection.execute("alter view iucore.v_change owner to postgres")
        connection.execute("create table public.of_a_neighbour as select 1 as n")
    made = make(url, tmp_path)
    before = roles_and_databases(spare)
    done = run("backup", "drill", made.folder, "--scratch", spare, "--format", "json", code=3)
    assert different(done)[:3] == [
        "inventory, with owners and grants",
        "function iucore.fn_iu_assert_read_committed()",
        "view iucore.v_change",
    ]
    found = {row["what"]: row["found"] for row in rows(done)}
    assert found["view iucore.v_change"] == "altered, as it was in the database"
    forged(made.folder, lambda said: said["drift"].clear())
    done = run("backup", "drill", made.folder, "--scratch", spare, "--format", "json", code=3)
    assert {row["what"]: row["found"] for row in rows(done)}["view iucore.v_change"] == "altered by the restore"
    assert roles_and_databases(spare) == before, "what the drill made is dropped"


def test_on_a_server_with_roles_of_its_own(original: Backup, url: str) -> None:
    def standing() -> set[tuple[Any, ...]]:
        """Other tests make databases and logins of their own there."""
        ours = {role.name for role in original.roles if role.name.startswith("iucore_")}
        found = roles_and_databases(url)
        return {row for row in found if row[1] in ours and row[2] in (*ours, "true", "false")} | {
            row for row in found if row[1].startswith("iucore_drill")
        }

    before = standing()
    assert different(run("backup", "drill", original.folder, "--scratch", url, "--format", "json")) == []
    assert standing() == before and len(before) > 7


def test_one_drill_at_a_time_on_a_server(original: Backup, spare: str) -> None:
    with libpq(spare) as connection:
        connection.execute("select pg_advisory_lock(%s)", (drill._LOCK,))
        said = run("backup", "drill", original.folder, "--scratch", spare, code=1).stderr
    assert "another drill is under way" in said


def test_an_archive_that_cannot_be_restored(url: str, spare: str, tmp_path: Path) -> None:
    with libpq(url) as connection:
        connection.execute("create table public.kept (n int check (n > 0))")
        connection.execute("insert into public.kept values (1)")
        connection.execute("create function public.f(n int) returns bool immutable return n > 0")
        connection.execute("alter table public.kept add check (public.f(n))")
        # What holds no longer is found by a restore alone.
        connection.execute("create or replace function public.f(n int) returns bool immutable return n > 1")
    made = make(url, tmp_path)
    before = roles_and_databases(spare)
    said = run("backup", "drill", made.folder, "--scratch", spare, code=1).stderr
    assert "IU933" in said and "violates check constraint" in said and "--scratch URL" in said
    assert roles_and_databases(spare) == before


def test_a_damaged_one_is_not_restored(copy: Path) -> None:
    (copy / GLOBALS).write_text("drop role postgres;")
    assert "IU931" in run("backup", "drill", copy, code=1).stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(original: Backup, spare: str, number: signal.Signals) -> None:
    before = roles_and_databases(spare)
    process = subprocess.Popen(
        [*CLI, "backup", "drill", str(original.folder), "--scratch", spare], stderr=subprocess.PIPE, text=True
    )
    until = time.monotonic() + 30
    with libpq(spare, database="postgres") as connection:
        while not connection.execute("select from pg_stat_activity where datname ~ '^iucore_drill'").rowcount:
            assert time.monotonic() < until and process.poll() is None
    process.send_signal(number)
    said = process.communicate(timeout=30)[1]
    assert process.returncode == 130, said
    assert roles_and_databases(spare) == before


def test_a_temporary_server_that_was_left_is_removed(original: Backup, temporary: Path) -> None:
    process = subprocess.Popen([*CLI, "backup", "drill", str(original.folder)], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    while "restoring" not in process.stderr.readline():
        assert process.poll() is None
    process.kill()
    process.communicate()
    (left,) = temporary.iterdir()
    with scratch.server(at_least=backup.major(original.server_version)):
        assert not left.exists()


# ---------------------------------------------------------------------------------------------------- check-restore


@pytest.fixture
def target(spare: str) -> Iterator[Callable[..., str]]:
    """Makes a database on the other server; everything there is dropped at the end."""
    made: list[str] = []

    def make_target() -> str:
        made.append(f"restored_{len(made)}")
        with libpq(spare, database="postgres") as connection:
            connection.execute(f"create database {made[-1]} template template0 encoding 'UTF8'")
        return made[-1]

    yield make_target
    with libpq(spare, database="postgres") as connection:
        for name in made:
            connection.execute(f"drop database {name} with (force)")
        for (role,) in connection.execute(
            "select quote_ident(rolname) from pg_roles where rolname !~ '^(pg_|postgres)'"
        ):
            connection.execute(f"drop role {role}")


def check(spare: str, database: str, code: int = 3) -> list[dict[str, str]]:
    url = make_url(spare).set(database=database).render_as_string(hide_password=False)
    found = rows(run("db", "check-restore", "--url", url, "--format", "json", code=code))
    assert all(row["next"] for row in found)
    return list(found)


def of(found: list[dict[str, str]], lost: str) -> dict[str, str]:
    return {row["object"]: row["found"] for row in found if row["lost"] == lost}


def globals_run(original: Backup, spare: str) -> None:
    text = (original.folder / GLOBALS).read_text()
    with libpq(spare, database="postgres") as connection:
        connection.execute(text)
        connection.execute(text)  # type: ignore[call-overload]


def test_restored_for_good(original: Backup, spare: str, target: Callable[..., str]) -> None:
    globals_run(original, spare)
    with libpq(spare, database="postgres") as connection:
        found = connection.execute(
            "select rolcanlogin, rolinherit, rolpassword is null, pg_has_role(oid, 'iucore_author', 'member'),"
            " (select admin_option from pg_auth_members where member = a.oid)"
            " from pg_authid as a where rolname = %s",
            (f"{MEMBER} {os.getpid()}",),
        ).fetchall()
    assert found == [(True, False, True, True, True)]
    restored = target()
    restore(original, spare, restored, "--exit-on-error")
    (only,) = check(spare, restored)
    assert (only["lost"], only["object"]) == ("ledger", "iucore.sequencer_batch")
    assert original.system_identifier in only["found"]
    assert "IU915" in only["next"] and "iucore sequencer rebase -m WHY" in only["next"]
    url = make_url(spare).set(database=restored).render_as_string(hide_password=False)
    run("sequencer", "rebase", "-m", "restored", "--url", url)
    assert check(spare, restored, code=0) == []


def test_lost_owners_and_grants_are_named(original: Backup, spare: str, target: Callable[..., str]) -> None:
    globals_run(original, spare)
    restored = target()
    restore(original, spare, restored, "--no-owner", "--no-acl")
    found = check(spare, restored)
    owners, privileges = of(found, "owner"), of(found, "privileges")
    assert {"iucore", "iucore.v_piece", "iucore.information_unit", "iucore.change_change_id_seq"} <= owners.keys()
    assert owners["iucore"] == "owned by postgres, not by iucore_owner"
    functions = {row["object"] for row in found if row["kind"] == "function"}
    assert functions == {name for name in owners if "(" in name} and len(functions) > 100
    assert "every grant is lost" in privileges["iucore.information_unit"]
    # What is to be done is said exactly.
    with libpq(spare, database=restored) as connection:
        for row in sorted(found, key=lambda row: row["lost"]):
            if row["lost"] in ("owner", "privileges"):
                connection.execute(row["next"])
        if of(found, "default privileges"):
            connection.execute((SQL / "grants" / "default_privileges.sql").read_text())
    assert [row["lost"] for row in check(spare, restored)] == ["ledger"]


def test_restored_without_roles(original: Backup, spare: str, target: Callable[..., str]) -> None:
    restored = target()
    restore(original, spare, restored)
    found = check(spare, restored)
    missing = of(found, "role")
    names = ["auditor", "author", "gatekeeper", "operator", "owner", "reader", "worker"]
    assert missing == {f"iucore_{name}": "there is no such role" for name in names}
    assert of(found, "default privileges").keys() == {"iucore_owner * functions", "iucore_owner * types"}
    assert of(found, "owner")["iucore.v_piece"].startswith("owned by postgres")


def test_restored_from_the_schema_alone(original: Backup, spare: str, target: Callable[..., str]) -> None:
    globals_run(original, spare)
    restored = target()
    with libpq(spare, database=restored) as connection:
        connection.execute("create schema iucore")
    restore(original, spare, restored, "--schema=iucore")
    (only,) = check(spare, restored)
    assert (only["lost"], only["object"]) == ("revision", "public.iucore_alembic_version")
    with libpq(spare, database=restored) as connection:
        connection.execute("create table public.iucore_alembic_version (version_num varchar(32) primary key)")
        connection.execute(f"insert into public.iucore_alembic_version values ('{original.revision}')")
    found = check(spare, restored)
    assert of(found, "default privileges").keys() == {"iucore_owner * functions", "iucore_owner * types"}
    assert "iucore" in of(found, "owner"), "the schema was made by hand"


def test_single_losses(url: str) -> None:
    assert run("db", "check-restore", "--url", url).stdout.splitlines()[1:] == []
    with libpq(url) as connection:
        connection.execute("revoke select on iucore.unit_version from iucore_reader")
        connection.execute("grant update on iucore.unit_content to iucore_author")
        connection.execute("grant execute on function iucore.fn_iu_create to public")
        connection.execute("alter table iucore.axis owner to postgres")
        connection.execute("drop view iucore.v_change")
    found = json.loads(run("db", "check-restore", "--url", url, "--format", "json", code=3).stdout)
    assert of(found, "privileges")["iucore.unit_version"] == "iucore_reader lacks select"
    assert of(found, "privileges")["iucore.unit_content"] == "iucore_author has update"
    create = next(one for name, one in of(found, "privileges").items() if name.startswith("iucore.fn_iu_create("))
    assert create == "PUBLIC has execute"
    assert of(found, "owner") == {"iucore.axis": "owned by postgres, not by iucore_owner"}
    assert of(found, "object")["iucore.v_change"] == "missing"


def test_a_login_that_may_not_ask(url: str, login: Callable[[str], str], new_database: Callable[..., str]) -> None:
    found = rows(run("db", "check-restore", "--url", login("iucore_reader"), "--format", "json", code=3))
    assert [(row["lost"], row["found"]) for row in found] == [("ledger", "this login may not ask")]
    assert "IU912" in run("db", "check-restore", "--url", new_database(), code=1).stderr

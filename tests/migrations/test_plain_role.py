"""docs/install.md: a role that is no superuser migrates, where a DBA made the roles beforehand."""

from __future__ import annotations

import re
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from migration_helpers import ROOT, differences
from sqlalchemy.engine import make_url

from iucore import errors
from iucore.cli import main
from iucore.embedded import Cluster
from iucore.operations import migrate

ROLES = ROOT / "sql" / "grants" / "roles.sql"
# The last revision before the seven roles.
BEFORE = "0004"


@pytest.fixture
def migrator(admin: psycopg.Connection, url: str, new_database: Callable[[], str]) -> Iterator[tuple[str, str]]:
    """A login with `create` on an empty database and nothing else: its URL and its name. `url` made the roles."""
    database = make_url(new_database())
    name = f"m_{uuid.uuid4().hex}"
    password = admin.pgconn.password.decode()
    admin.execute(f"create role {name} login password '{password}'")
    admin.execute(f"grant create on database {database.database} to {name}")
    yield database.set(username=name, password=password).render_as_string(hide_password=False), name
    with psycopg.connect(admin.info.dsn, password=password, dbname=database.database, autocommit=True) as cleaner:
        cleaner.execute(f"reassign owned by {name} to current_user")
        cleaner.execute(f"drop owned by {name}")
    admin.execute(f"drop role {name}")


def on(admin: psycopg.Connection, url: str, statement: str) -> None:
    password = admin.pgconn.password.decode()
    with psycopg.connect(
        admin.info.dsn, password=password, dbname=make_url(url).database, autocommit=True
    ) as connection:
        connection.execute(statement)


def test_a_plain_role_is_told_what_it_lacks_and_then_migrates(
    admin: psycopg.Connection, migrator: tuple[str, str]
) -> None:
    url, name = migrator
    with pytest.raises(errors.OperationError) as refusal:
        migrate.upgrade(url)
    assert refusal.value.sqlstate == "IU902"
    assert f"grant create on schema public to {name}" in refusal.value.hint
    on(admin, url, f"grant create on schema public to {name}")

    with pytest.raises(errors.OperationError) as refusal:
        migrate.upgrade(url)
    assert refusal.value.sqlstate == "IU902"
    assert f"grant iucore_owner to {name}" in refusal.value.hint
    admin.execute(refusal.value.hint.removeprefix("Ask a DBA to run: "))

    migrate.upgrade(url)
    head = migrate.heads()[0]
    assert migrate.current(url) == head
    assert differences(head, url) == []
    migrate.downgrade(url, "base")
    assert migrate.current(url) is None


# --- a server that has no role of iucore yet --------------------------------------------------------------------------


@dataclass(frozen=True)
class Bare:
    """A server of its own, as a DBA and as a migrating role that may not create roles see it."""

    dba: str
    """URL of the maintenance database, as superuser."""
    database: str
    """URL of the database to install in, as superuser."""
    migrator: str
    """The same, as the migrating role."""

    def run(self, statements: str, url: str | None = None) -> list[tuple[object, ...]]:
        """As the DBA."""
        with psycopg.connect(url or self.database, autocommit=True) as connection:
            cursor = connection.execute(statements)
            return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="module")
def bare_server() -> Iterator[str]:
    # Not below pytest's own folder: the server's user must be able to reach it when the tests run as root.
    home = Path(tempfile.mkdtemp(prefix="iucore-test-"))
    home.chmod(0o755)
    cluster = Cluster(home / "postgres")
    try:
        yield cluster.up({"fsync": "off"})
    finally:
        cluster.down("immediate")
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def bare(bare_server: str) -> Iterator[Bare]:
    place = make_url(bare_server)
    bare = Bare(
        bare_server,
        bare_server.replace(f"/{place.database}?", "/policies?"),
        f"postgresql://migrator:secret@{place.host}:{place.port}/policies",
    )
    bare.run("create role migrator login password 'secret'", bare.dba)
    bare.run("create database policies encoding 'UTF8' template template0", bare.dba)
    bare.run("grant create on database policies to migrator; grant create on schema public to migrator")
    yield bare
    bare.run("drop database policies with (force)", bare.dba)
    roles = [name for (name,) in bare.run("select rolname from pg_roles where rolname ~ '^iucore_'", bare.dba)]
    bare.run("".join(f"drop role {name};" for name in [*roles, "migrator"]), bare.dba)


def refusal(url: str, revision: str = "head") -> errors.OperationError:
    with pytest.raises(errors.OperationError) as caught:
        migrate.upgrade(url, revision)
    assert caught.value.sqlstate == "IU902"
    return caught.value


def pasted(hint: str) -> str:
    """The statements of a hint."""
    return re.sub(r"^Ask a DBA to run(?: sql/grants/roles\.sql, or)?: ", "", hint)


def test_a_dba_runs_roles_sql_beforehand(bare: Bare) -> None:
    """In another database of the server, as the file says; then the migrating role needs no right of the cluster."""
    bare.run(ROLES.read_text("utf-8"), bare.dba)
    assert bare.run("select count(*) from pg_roles where rolname ~ '^iucore_'") == [(7,)]
    assert (
        bare.run(
            "select rolname from pg_roles where rolname ~ '^(iucore_|migrator)'"
            " and (rolsuper or rolcreaterole or rolcreatedb or rolbypassrls or rolreplication)"
        )
        == []
    )
    # What is still missing is said in one line.
    bare.run(pasted(refusal(bare.migrator).hint))
    migrate.upgrade(bare.migrator)
    head = migrate.heads()[0]
    assert migrate.current(bare.migrator) == head
    assert differences(head, bare.database) == []
    # Running the file again changes nothing, by whomever.
    bare.run(ROLES.read_text("utf-8"))
    bare.run(ROLES.read_text("utf-8"), bare.migrator)
    assert differences(head, bare.database) == []
    # The whole way down and up once more, without the DBA.
    migrate.downgrade(bare.migrator, "base")
    migrate.upgrade(bare.migrator)
    assert differences(head, bare.database) == []


def test_the_hint_of_a_missing_role_is_all_that_a_dba_has_to_paste(bare: Bare) -> None:
    """From the revision with four roles on: three roles and two memberships are missing."""
    four = "".join(f"create role iucore_{name} nologin;" for name in ("owner", "reader", "author", "operator"))
    bare.run(four + "grant iucore_reader to iucore_author; grant iucore_author to iucore_operator")
    bare.run(pasted(refusal(bare.migrator, BEFORE).hint))
    migrate.upgrade(bare.migrator, BEFORE)
    hint = refusal(bare.migrator).hint
    assert migrate.current(bare.migrator) == BEFORE, "a refused revision left nothing behind"
    for name in ("gatekeeper", "worker", "auditor"):
        assert f"create role iucore_{name} nologin;" in hint
    assert "create role iucore_owner" not in hint
    bare.run(pasted(hint))
    migrate.upgrade(bare.migrator)
    assert differences(migrate.heads()[0], bare.database) == []


def test_the_hint_of_a_missing_membership_is_to_be_pasted_too(bare: Bare) -> None:
    """Somebody made the roles and forgot who is a member of whom."""
    bare.run(ROLES.read_text("utf-8"), bare.dba)
    bare.run(pasted(refusal(bare.migrator).hint))
    migrate.upgrade(bare.migrator, BEFORE)
    bare.run("revoke iucore_reader from iucore_gatekeeper; revoke iucore_reader from iucore_auditor")
    for role in ("gatekeeper", "auditor"):
        hint = refusal(bare.migrator).hint
        assert f"grant iucore_reader to iucore_{role}" in hint
        bare.run(pasted(hint))
    migrate.upgrade(bare.migrator)
    assert differences(migrate.heads()[0], bare.database) == []


# --- what docs/install.md says, run -----------------------------------------------------------------------------------

INSTALL = (ROOT / "docs" / "install.md").read_text("utf-8")


def blocks(heading: str) -> list[tuple[str, str]]:
    """The fenced blocks below a heading, up to the next one: their language and their text."""
    section = re.split(r"^#+ .*$", INSTALL.partition(f"\n{heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    return re.findall(r"^```(\w*)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


def leftovers(bare: Bare) -> list[object]:
    """What of iucore is in the database or in the cluster."""
    return bare.run(
        "select nspname::text from pg_namespace where nspname = 'iucore' union all"
        " select relname::text from pg_class where relname ~ 'iucore' union all"
        " select 'defaults' from pg_default_acl union all"
        " select rolname::text from pg_roles where rolname ~ '^iucore_' union all"
        " select 'create' where has_schema_privilege('migrator', 'public', 'create')"
        " or has_database_privilege('migrator', 'policies', 'create')"
    )


def test_installing_by_hand_and_removing_as_written(bare: Bare) -> None:
    bare.run("revoke create on database policies from migrator; revoke create on schema public from migrator")
    by_hand, grants = blocks("#### Where the migrating role may not create roles")[1:]
    for _, statements in (by_hand, grants):
        bare.run(statements)
    migrate.upgrade(bare.migrator)
    assert differences(migrate.heads()[0], bare.database) == []
    bare.run("grant iucore_operator to migrator; select iucore.fn_iu_create('a', 'text', 'A', 'a', 'r')")
    assert len(leftovers(bare)) > 8
    (_, shell), (_, revoked), (_, dropped) = blocks("## Removing it")
    done = CliRunner().invoke(main, ["--url", bare.migrator, *shell.split()[1:]])
    assert (shell.split()[0], done.exit_code) == ("iucore", 0), done.output
    bare.run(revoked)
    bare.run(dropped)
    assert leftovers(bare) == []
    assert bare.run("select rolname from pg_roles where rolname = 'migrator'") == [("migrator",)]


def test_a_role_that_may_create_roles_needs_no_dba_as_on_managed_services(bare: Bare) -> None:
    place = make_url(bare.database)
    bare.run("create role master login password 'secret' createrole createdb", bare.dba)
    with psycopg.connect(
        host=place.host, port=place.port, user="master", password="secret", dbname="postgres", autocommit=True
    ) as master:
        master.execute("create database handbook encoding 'UTF8' template template0")
    url = place.set(username="master", password="secret", database="handbook").render_as_string(hide_password=False)
    migrate.upgrade(url)
    assert differences(migrate.heads()[0], url) == []
    # Another role migrates another database of the cluster: who made the roles grants.
    with psycopg.connect(bare.database, autocommit=True) as connection:
        modern = connection.info.server_version >= 160000
    with psycopg.connect(
        host=place.host, port=place.port, user="master", password="secret", dbname="handbook", autocommit=True
    ) as master:
        master.execute("grant iucore_owner to migrator" + (" with inherit true, set true" if modern else ""))
        migrate.upgrade(bare.migrator)
        drop = blocks("## Removing it")[-1][1]
        migrate.downgrade(url, "base")
        with pytest.raises(psycopg.errors.DependentObjectsStillExist):
            master.execute(drop)
        migrate.downgrade(bare.migrator, "base")
        master.execute(drop)
    bare.run("drop database handbook with (force)", bare.dba)
    bare.run("drop role master", bare.dba)
    assert bare.run("select from pg_roles where rolname ~ '^iucore_'") == []


def test_the_example_of_a_restore_names_the_newest_revision() -> None:
    found = re.findall(r"iucore_alembic_version values \('(\d+)'\)|iucore db sql (\d+):base", INSTALL)
    assert [max(pair) for pair in found] == [migrate.heads()[0]] * 2

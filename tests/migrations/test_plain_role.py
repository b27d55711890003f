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
from migration_helpers import ROOT, differences
from sqlalchemy.engine import make_url

from iucore import errors
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

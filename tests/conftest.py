"""One server for the whole run, one template database at head for each worker, one clone for each test that asks."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from event_laws import events_asserted
from hypothesis import HealthCheck, settings
from pytest_postgresql import factories
from servers import HOST, USER, Server, url_of
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

from iucore.embedded import Cluster, find_programs
from iucore.operations import migrate

# The same examples on every machine: a failure here is a failure everywhere. Databases make examples slow, not wrong.
settings.register_profile(
    "iucore", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
settings.load_profile("iucore")

# Speed for throw-away data; the product never sets these.
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "autovacuum": "off",
}


def pytest_configure(config: pytest.Config) -> None:
    """Start the server in the process that starts the workers; they find it through the environment."""
    if hasattr(config, "workerinput"):
        _use_server(config)
        return
    if config.option.collectonly:
        return
    # Not below pytest's own folder: the server's user must be able to reach it when the tests run as root.
    home = Path(tempfile.mkdtemp(prefix="iucore-test-"))
    home.chmod(0o755)
    cluster = Cluster(home / "postgres")
    config.stash[_HOME], config.stash[_CLUSTER] = home, cluster
    cluster.up(SETTINGS)
    os.environ["IUCORE_TEST_PORT"] = str(cluster.status().port)
    os.environ["IUCORE_TEST_BIN"] = str(find_programs())
    os.environ["PGPASSFILE"] = str(cluster.passfile)
    _use_server(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the server and remove its folder."""
    if _CLUSTER in config.stash:
        config.stash[_CLUSTER].down("immediate")
        shutil.rmtree(config.stash[_HOME], ignore_errors=True)


_HOME = pytest.StashKey[Path]()
_CLUSTER = pytest.StashKey[Cluster]()


def _use_server(config: pytest.Config) -> None:
    config.option.postgresql_host = HOST
    config.option.postgresql_port = os.environ["IUCORE_TEST_PORT"]
    config.option.postgresql_user = USER
    for name in [name for name in os.environ if name.startswith("IUCORE_") and not name.startswith("IUCORE_TEST_")]:
        if name not in ("IUCORE_PG_BIN", "IUCORE_CORPORA"):
            del os.environ[name]
    for name in ("DATABASE_URL", "DATABASE_READ_URL"):
        os.environ.pop(name, None)


@pytest.fixture(scope="session")
def server() -> Server:
    """The server of this run."""
    return Server(int(os.environ["IUCORE_TEST_PORT"]), Path(os.environ["IUCORE_TEST_BIN"]))


@pytest.fixture(scope="session")
def admin() -> Iterator[psycopg.Connection]:
    """An autocommit connection to the maintenance database."""
    with psycopg.connect(host=HOST, port=os.environ["IUCORE_TEST_PORT"], user=USER, autocommit=True) as connection:
        yield connection


@pytest.fixture
def new_database(admin: psycopg.Connection) -> Iterator[Callable[..., str]]:
    """Makes an empty database and returns its URL; dropped at the end of the test."""
    made: list[str] = []

    def make(options: str = "") -> str:
        name = f"t_{uuid.uuid4().hex}"
        admin.execute(f"create database {name} template template0 encoding 'UTF8' {options}")
        made.append(name)
        return url_of(name)

    yield make
    for name in made:
        admin.execute(f"drop database {name} with (force)")


def _to_head(**connect: str) -> None:
    migrate.upgrade(url_of(connect["dbname"]))


at_head = factories.postgresql_noproc(dbname="iucore_test", load=[_to_head])
postgresql = factories.postgresql("at_head")


@pytest.fixture(autouse=True)
def events_hold(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each test: no piece without event, no event without change."""
    with events_asserted(request):
        yield


@pytest.fixture
def url(postgresql: psycopg.Connection) -> str:
    """URL of a database at head, of this test alone."""
    return url_of(postgresql.info.dbname)


@pytest.fixture
def connection(url: str) -> Iterator[Connection]:
    """A SQLAlchemy connection to that database; the test owns the transaction, nothing is committed for it."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        yield connection


@pytest.fixture
def login(admin: psycopg.Connection, url: str) -> Iterator[Callable[[str], str]]:
    """Makes a login role that is a member of a role of iucore; returns the URL to log in with it."""
    made: list[str] = []
    password = Path(os.environ["PGPASSFILE"]).read_text().strip().rsplit(":", 1)[1]

    def make(member_of: str | None) -> str:
        name = f"u_{uuid.uuid4().hex}"
        admin.execute(f"create role {name} login password '{password}'")
        if member_of:
            admin.execute(f"grant {member_of} to {name}")
        made.append(name)
        return url.replace(f"//{USER}@", f"//{name}:{password}@")

    yield make
    for name in made:
        # A session that has just been closed may still be dropping its temporary tables, which belong to the role.
        until = time.monotonic() + 30
        while admin.execute("select from pg_stat_activity where usename = %s", (name,)).rowcount:
            assert time.monotonic() < until, f"{name} is still logged in"
            time.sleep(0.01)
        admin.execute(f"drop role {name}")

"""docs/install.md: a role that is no superuser migrates, where a DBA made the roles beforehand."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import psycopg
import pytest
from migration_helpers import differences
from sqlalchemy.engine import make_url

from iucore import errors
from iucore.operations import migrate


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

"""A version table that a stranger made beforehand is not trusted: its trigger would run as the migrating role."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import pytest
from migration_helpers import REVISIONS, engine_for

from iucore import errors
from iucore.operations import migrate

PLANT = """
grant create on schema public to {role};
create table public.seen (who text);
grant insert on public.seen to public;
set role {role};
create table public.iucore_alembic_version (version_num varchar(32) primary key);
grant all on public.iucore_alembic_version to public;
create function public.planted() returns trigger language plpgsql as
    $$ begin insert into public.seen values (current_user); return new; end $$;
create trigger planted before insert or update on public.iucore_alembic_version
    for each row execute function public.planted();
reset role;
"""


def test_a_version_table_of_a_stranger_is_refused(new_database: Callable[[], str]) -> None:
    url, role = new_database(), f"iu_stranger_{secrets.token_hex(4)}"
    engine = engine_for(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"create role {role}")
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql(PLANT.format(role=role))
        with pytest.raises(errors.OperationError) as refusal:
            migrate.upgrade(url)
        assert refusal.value.sqlstate == "IU902"
        assert role in refusal.value.detail
        assert "alter table" in refusal.value.hint
        with engine.begin() as connection:
            assert connection.exec_driver_sql("select * from public.seen").all() == []
            connection.exec_driver_sql("drop table public.iucore_alembic_version")
        migrate.upgrade(url)
        assert migrate.current(url) == REVISIONS[-1].id
    finally:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"drop owned by {role}")
            connection.exec_driver_sql(f"drop role {role}")

"""How a migration runs: the connection, the timeouts, the lock, and ``op.run_sql``. Imports nothing of iucore.

Settings, each as ``-x name=value``:

    url             the database (else IUCORE_DATABASE_URL, else sqlalchemy.url of alembic.ini)
    wait            how long to wait for another migrator (5min)
    lock_timeout    how long a statement may wait for a lock (5s)
    statement_timeout  how long a statement may run (15min)
    lose_rows=yes   let an undo lose rows
    transaction=all one transaction for all revisions (each has its own): for going back, where a refusal at one
                    revision must not leave the database at another
    verify=no       do not run a revision's verify.sql after it
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from logging.config import fileConfig
from pathlib import Path
from typing import Any

from alembic import context, util
from alembic.operations import MigrateOperation, Operations
from sqlalchemy import Connection, create_engine, pool
from sqlalchemy.exc import SQLAlchemyError

VERSIONS = Path(__file__).resolve().parent / "versions"
VERSION_TABLE = "iucore_alembic_version"
# Any number will do, as long as it never changes: "iucore" in ASCII.
LOCK = 0x6975636F7265
UNITS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}


class MigratorBusy(util.CommandError):
    """Another migrator holds the lock for longer than we wait."""

    sqlstate = "IU911"
    hint = "Wait for it to end, or look for it: select * from pg_locks where locktype = 'advisory'."


@Operations.register_operation("run_sql")
class RunSql(MigrateOperation):
    """Run a frozen file, byte for byte the same online, offline and through ``psql -f``."""

    def __init__(self, sql: str) -> None:
        self.sql = sql

    @classmethod
    def run_sql(cls, operations: Operations, path: str) -> None:
        """Run the file at ``path``, relative to ``versions/``."""
        operations.invoke(cls(read(path)))


@Operations.implementation_for(RunSql)
def _run_sql(operations: Operations, operation: RunSql) -> None:
    emit(operations.migration_context, operation.sql)


def read(path: str) -> str:
    """The text of a file below ``versions/``, with its line ends as they are."""
    file = (VERSIONS / path).resolve()
    if not file.is_relative_to(VERSIONS):
        raise util.CommandError(f"not below {VERSIONS}: {path}")
    return file.read_bytes().decode("utf-8")


def emit(target: Any, sql: str) -> None:
    """Write the text to the script, or send it as it is: neither binds, ``%`` nor white space are looked at."""
    if target.as_sql:
        target.impl.static_output(sql)
    else:
        target.connection.exec_driver_sql(sql, execution_options={"no_parameters": True})


def verify(*, ctx: Any, step: Any, **_: Any) -> None:
    """Inside the transaction of a revision that has just been applied: undo it unless it made what it should."""
    if step.is_upgrade and not step.is_stamp and setting("verify", "yes") != "no":
        file = Path(step.up_revision.path).with_suffix("") / "verify.sql"
        if file.exists():
            emit(ctx, file.read_bytes().decode("utf-8"))


def setting(name: str, default: str) -> str:
    """One ``-x name=value``."""
    return str(context.get_x_argument(as_dictionary=True).get(name, default))


def duration(name: str, default: str) -> str:
    """A duration as PostgreSQL writes it, checked since it is put into the offline script."""
    value = setting(name, default)
    if not re.fullmatch(r"[0-9]{1,9}(ms|s|min|h)", value):
        raise util.CommandError(f"-x {name}={value}: not a duration such as 500ms, 5s, 15min, 1h")
    return value


def seconds(value: str) -> float:
    """A checked duration in seconds."""
    number, unit = re.fullmatch(r"([0-9]+)([a-z]+)", value).groups()  # type: ignore[union-attr]
    return int(number) * UNITS[unit]


def settings() -> dict[str, str]:
    """What every migration sets in its session. With pg_temp last, no temporary table stands before ours."""
    return {
        "lock_timeout": duration("lock_timeout", "5s"),
        "statement_timeout": duration("statement_timeout", "15min"),
        "search_path": "pg_catalog, pg_temp",
        "iucore.undo_may_lose_rows": "on" if setting("lose_rows", "no") == "yes" else "off",
    }


def configure(**options: Any) -> None:
    """What online and offline have in common."""
    context.configure(
        target_metadata=None,
        transaction_per_migration=setting("transaction", "each") != "all",
        version_table=VERSION_TABLE,
        version_table_schema="public",
        on_version_apply=verify,
        **options,
    )


# The version table stands in schema public, which from PostgreSQL 15 on is not open to everybody. Where it is, a table
# that a stranger made beforehand would run the stranger's trigger with the rights of the migrating role. Default
# privileges of that role in the whole database would give others rights on what it makes for iucore.
ROOM = f"""do $iu_room$
declare
    v_owner text;
    v_defaults text;
begin
    select string_agg(format('%s on %s to %s', lower(a.privilege_type),
            case d.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions'
                when 'T' then 'types' else 'schemas' end, coalesce(quote_ident(r.rolname), 'public')), ', ')
    into v_defaults
    from pg_default_acl as d
    cross join aclexplode(d.defaclacl) as a
    left join pg_roles as r on r.oid = a.grantee
    where d.defaclrole = to_regrole(quote_ident(current_user)) and d.defaclnamespace = 0
        and d.defaclobjtype in ('r', 'S', 'f', 'T', 'n')
        and a.grantee <> d.defaclrole and not (a.grantee = 0 and d.defaclobjtype in ('f', 'T'));
    if v_defaults is not null then
        raise exception using errcode = 'IU902',
            message = 'default privileges of the migrating role would open iucore to others',
            detail = format('role: %s, default privileges: %s', current_user, v_defaults),
            hint = format('Migrate as a role without them, or take them back: alter default privileges for role %I '
                'revoke ...; where they are needed give them schema by schema: ... in schema NAME grant ...',
                current_user);
    end if;
    select pg_get_userbyid(c.relowner) into v_owner
    from pg_class as c
    where c.oid = to_regclass('public.{VERSION_TABLE}')
        and c.relowner <> (select r.oid from pg_roles as r where r.rolname = current_user)
        and not (select r.rolsuper from pg_roles as r where r.oid = c.relowner)
        and c.relowner <> (select d.datdba from pg_database as d where d.datname = current_database())
        and not coalesce(pg_has_role(c.relowner, to_regrole('iucore_owner')::oid, 'member'), false);
    if v_owner is not null then
        raise exception using errcode = 'IU902', message = 'the version table belongs to a role that may not migrate',
            detail = format('table: public.{VERSION_TABLE}, owner: %s', v_owner),
            hint = format('Look who made it and why, with its triggers. Where it is yours: '
                'alter table public.{VERSION_TABLE} owner to %I;', current_user);
    end if;
    if to_regclass('public.{VERSION_TABLE}') is null and not (
        case when to_regnamespace('public') is null then false else has_schema_privilege('public', 'create') end
    ) then
        raise exception using errcode = 'IU902', message = 'schema public is missing or may not be written',
            detail = format('role: %s, table to be made: public.{VERSION_TABLE}', current_user),
            hint = format('Ask a DBA to run: create schema if not exists public; grant create on schema public to %I;',
                current_user);
    end if;
end
$iu_room$;"""

# A script made for another revision than the database's stops here. A database that was taken back to nothing
# keeps the empty version table, and the script makes it anew.
GUARD = """do $iu_guard$
declare
    v_found text;
begin
    if to_regclass('public.{table}') is not null then
        select string_agg(version_num, ', ') into v_found from public.{table};
        if v_found is null and {start} is null then
            drop table public.{table};
        end if;
    end if;
    if v_found is distinct from {start} then
        raise exception using errcode = 'object_not_in_prerequisite_state', message = 'script is for another revision',
            detail = format('script: %s, database: %s', coalesce({start}, 'base'), coalesce(v_found, 'base')),
            hint = format('Make it anew with: scripts/offline-sql %s:head', coalesce(v_found, 'base'));
    end if;
end
$iu_guard$;"""

# What was taken back to nothing, or never got beyond it, leaves nothing. A table that another role owns stays, and one
# that somebody reads just now or has built upon.
LEAVE = f"""do $iu_leave$
begin
    if exists (
        select from pg_class as c
        where c.oid = to_regclass('public.{VERSION_TABLE}') and pg_has_role(c.relowner, 'usage')
    ) then
        if not exists (select from public.{VERSION_TABLE}) then
            drop table public.{VERSION_TABLE};
        end if;
    end if;
exception
    when lock_not_available or dependent_objects_still_exist then
        null;
end
$iu_leave$;"""


def offline() -> None:
    """Write a script that runs unchanged in ``psql -X -v ON_ERROR_STOP=1 -f``."""
    configure(dialect_name="postgresql", dialect_opts={"paramstyle": "named"}, literal_binds=True)
    start = context.get_starting_revision_argument()
    at = "null::text" if start in (None, "base") else f"'{context.script.get_revision(start).revision}'::text"
    chosen = settings()
    lines = [
        "-- Run it with: psql -X -v ON_ERROR_STOP=1 -f FILE",
        "set client_encoding = 'UTF8';",
        "set standard_conforming_strings = on;",
        "set statement_timeout = 0;",
        f"set lock_timeout = '{duration('wait', '5min')}';",
        f"select pg_catalog.pg_advisory_lock({LOCK});",
        f"set search_path = {chosen.pop('search_path')};",
        *(f"set {name} = '{value}';" for name, value in chosen.items()),
        ROOM,
        GUARD.replace("{table}", VERSION_TABLE).replace("{start}", at),
    ]
    context.static_output("\n".join(lines))
    with context.begin_transaction():
        context.run_migrations()
    if not context.get_revision_argument():
        context.static_output(LEAVE)
    context.static_output(f"select pg_catalog.pg_advisory_unlock({LOCK});")


def run(connection: Connection, sql: str, *values: Any) -> Any:
    """One value from one statement, in a transaction of its own."""
    value = connection.exec_driver_sql(sql, tuple(values)).scalar()
    connection.commit()
    return value


@contextmanager
def alone(connection: Connection) -> Iterator[None]:
    """Hold the migrators' lock, with our settings, and leave the session as it was found.

    The lock is tried again and again rather than waited for in the server: a statement that waits holds a snapshot, and
    for that snapshot a ``create index concurrently`` of the other migrator would wait in turn.
    """
    wait = duration("wait", "5min")
    until = time.monotonic() + seconds(wait)
    while not run(connection, "select pg_catalog.pg_try_advisory_lock(%s)", LOCK):
        if time.monotonic() >= until:
            raise MigratorBusy(f"another migrator is still running after {wait}")
        time.sleep(0.1)
    before: dict[str, str] = {}
    try:
        for name, value in settings().items():
            before[name] = run(connection, "select pg_catalog.current_setting(%s, true)", name) or ""
            run(connection, "select pg_catalog.set_config(%s, %s, false)", name, value)
        yield
    finally:
        try:
            connection.rollback()
            for name, value in before.items():
                run(connection, "select pg_catalog.set_config(%s, %s, false)", name, value)
            run(connection, "select pg_catalog.pg_advisory_unlock(%s)", LOCK)
        except SQLAlchemyError:
            # The session is gone or unusable: closing it gives the lock back.
            with suppress(SQLAlchemyError):
                connection.invalidate()


def migrate(connection: Connection) -> None:
    """Run the revisions and commit them."""
    if connection.in_transaction():
        raise util.CommandError("the connection is inside a transaction; migrations commit by themselves")
    with alone(connection):
        connection.exec_driver_sql(ROOM, execution_options={"no_parameters": True})
        connection.commit()
        configure(connection=connection)
        try:
            with context.begin_transaction():
                context.run_migrations()
            # Reading the revision has begun a transaction, and where nothing was to do nobody has ended it.
            connection.commit()
        finally:
            leave(connection)


def leave(connection: Connection) -> None:
    """Drop the version table where it is empty; after an error that left the session unusable do nothing."""
    with suppress(SQLAlchemyError):
        connection.rollback()
        connection.exec_driver_sql(LEAVE, execution_options={"no_parameters": True})
        connection.commit()


def online() -> None:
    """Use the caller's connection, else open one."""
    given = context.config.attributes.get("connection")
    if given is not None:
        migrate(given)
        return
    url = setting(
        "url", os.environ.get("IUCORE_DATABASE_URL") or context.config.get_main_option("sqlalchemy.url") or ""
    )
    if not url:
        raise util.CommandError("no database: give -x url=postgresql://..., or set IUCORE_DATABASE_URL")
    # SQLAlchemy reads the plain scheme as another driver from version to version.
    url = re.sub(r"^postgres(ql)?://", "postgresql+psycopg2://", url)
    engine = create_engine(url, poolclass=pool.NullPool)
    with engine.connect() as connection:
        migrate(connection)


if context.config.config_file_name is not None:
    fileConfig(context.config.config_file_name, disable_existing_loggers=False)
if context.is_offline_mode():
    offline()
else:
    online()

"""Every revision up and down on a database with rows, measured: for scripts/locks, scripts/bench and the tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, create_engine, pool

from iucore.operations import migrate, migration_plan

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ROOT / "alembic" / "locks.txt"
HEAD = """\
# The strongest lock that each revision takes on each table that stood before it, until its commit, and what it does.
# Measured on a small database with rows by scripts/locks; do not edit. What only takes ACCESS SHARE is left out.
# revision  direction  mode  does  table
"""
EXACT = {"no_parameters": True}
MEMBERS = 1_000
"""In each collection."""


def walk(url: str, pieces: int) -> Iterator[migration_plan.Measured]:
    """Each revision up, down and up again, on an empty database that is filled as soon as there is room for rows."""
    engine = create_engine(url, poolclass=pool.NullPool)
    before = "base"
    with engine.connect() as connection:
        for revision in migrate.revisions():
            with migration_plan.measuring(connection) as up:
                migrate.upgrade(connection, revision)
            yield up[0]
            _fill(connection, pieces)
            with migration_plan.measuring(connection) as down:
                migrate.downgrade(connection, before, lose_rows=True)
            yield down[0]
            migrate.upgrade(connection, revision)
            _fill(connection, pieces)
            before = revision


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows that are made as soon as ``function`` is there, while ``missing`` is true."""

    function: str
    missing: str
    sql: str


FILL = (
    Rows(
        "fn_iu_create_many",
        "not exists (select from iucore.information_unit)",
        """
        select count(*) from iucore.fn_iu_create_many((
            select json_agg(json_build_object('address', 'm/' || n, 'kind', 'text', 'title', 'T', 'body', 'Body ' || n))
            from generate_series(1, {pieces}) as n), 'measured')
        """,
    ),
    Rows(
        "fn_iu_collection_create",
        "not exists (select from iucore.collection)",
        """
        select count(*) from generate_series(0, ({pieces} - 1) / {members}) as f
        cross join lateral iucore.fn_iu_collection_create('m/f/' || f, 'file', 'F', 'measured', (
            select json_agg(json_build_object('piece', 'm/' || n))
            from generate_series(f * {members} + 1, least((f + 1) * {members}, {pieces})) as n))
        """,
    ),
    Rows(
        "fn_iu_axis_set",
        "not exists (select from iucore.axis)",
        """
        select iucore.fn_iu_axis_register('m', 'M', 'union', p_reason => 'measured');
        select count(*) from generate_series(1, {pieces} / 10) as n
        cross join lateral iucore.fn_iu_axis_set('m/' || n, 'm', array['x'], p_reason => 'measured')
        """,
    ),
    Rows(
        "fn_iu_soft_delete",
        "not exists (select from iucore.unit_deletion)",
        "select iucore.fn_iu_soft_delete('m/' || {pieces}, 'measured')",
    ),
    Rows(
        "fn_iu_sequence",
        "not exists (select from iucore.event_log)",
        "select iucore.fn_iu_sequence(10000) from generate_series(0, {pieces} / 5000)",
    ),
    Rows(
        "fn_iu_delivery_dry_run",
        "not exists (select from iucore.route_setting)",
        "select iucore.fn_iu_route_configure('unit.created', 'file', 'measured');"
        " select iucore.fn_iu_route_set('unit.created', true, 'measured')",
    ),
)


def _fill(connection: Connection, pieces: int) -> None:
    for rows in FILL:
        functions = "select proname::text from pg_proc where pronamespace = 'iucore'::regnamespace"
        there = rows.function in connection.exec_driver_sql(functions).scalars().all()
        if there and connection.exec_driver_sql(f"select {rows.missing}").scalar():
            sql = rows.sql.replace("{pieces}", str(pieces)).replace("{members}", str(MEMBERS))
            connection.exec_driver_sql(sql, execution_options=EXACT)
        connection.commit()
    tables = (
        "select string_agg(oid::regclass::text, ', ') from pg_class"
        " where relnamespace = 'iucore'::regnamespace and relkind in ('r', 'p')"
    )
    connection.exec_driver_sql(f"analyze {connection.exec_driver_sql(tables).scalar_one()}")
    connection.commit()

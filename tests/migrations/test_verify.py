"""``verify.sql`` by mutation: whatever happens to any object of a revision, its verify.sql fails and names it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from migration_helpers import EXACT, REVISIONS, Revision, at, delta, engine_for, want
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from iucore import errors
from iucore.inventory import Item
from iucore.operations import migrate

FUNCTION = (
    "alter function {0} cost 77",
    "alter function {0} owner to current_user",
    "grant execute on function {0} to public",
    "alter function {0} set search_path = public",
    "alter function {0} leakproof",
    "alter function {0} parallel restricted",
    "comment on function {0} is 'altered'",
    "alter function {0} set statement_timeout = 1",
)
AGGREGATE = (
    "comment on aggregate {0} is 'altered'",
    "alter aggregate {0} owner to current_user",
    "grant execute on function {0} to public",
    "create or replace aggregate {1} (sfunc = {2}, stype = bytea, initcond = 'altered')",
    "create function iucore.fn_altered(bytea, text, bytea) returns bytea language sql as 'select $1';"
    " create or replace aggregate {1} (sfunc = iucore.fn_altered, stype = bytea)",
)
TABLE = (
    "comment on table {0} is 'altered'",
    "alter table {0} owner to current_user",
    "grant insert on {0} to public",
    "alter table {0} enable row level security",
    "alter table {0} set (fillfactor = 50)",
    "alter table {0} replica identity full",
)
COLUMN = (
    "comment on column {0} is 'altered'",
    "grant update ({column}) on {table} to public",
    "alter table {table} alter column {column} set statistics 7",
    "alter table {table} alter column {column} set (n_distinct = 5)",
)
ROLE = (
    "comment on role {0} is 'altered'",
    "alter role {0} login",
    "alter role {0} createrole",
    "alter role {0} set search_path = public",
)
# Rows that came with iucore. What refers to them is not asked.
ROW = {
    "gate": ("update iucore.gate set title = 'altered'", "update iucore.gate set is_open = not is_open"),
    "event_type": (
        "update iucore.event_type set title = 'altered'",
        "update iucore.event_type set is_delta = false,"
        " delivery_lane = case delivery_lane when 'delayed' then 'immediate' else 'delayed' end",
    ),
    "route": (
        "update iucore.route set title = 'altered'",
        "update iucore.route set execution_enabled = not execution_enabled",
        "update iucore.route set event_type = 'unit.altered'",
    ),
}


# The partitions of quarters are made by one function: one quarter stands for all.
ALIKE = re.compile(
    r"^iucore\.(event_outbox|event_log|sequencer_batch|delivery_cursor|delivery_attempt)_[234]\b|_[234]_"
)


@pytest.mark.parametrize("revision", REVISIONS, ids=lambda one: one.path.stem)
def test_every_object_that_is_dropped_or_altered_is_found(new_database: Callable[[], str], revision: Revision) -> None:
    url = at(new_database, revision.id)
    made = [item for item in delta(revision.id) if not ALIKE.search(item.object)]
    script = (revision.folder / "verify.sql").read_text("utf-8")
    tried: set[tuple[str, str]] = set()
    with engine_for(url).connect() as connection:
        migrate.verify(connection)
        for number, item in enumerate(made):
            for statement in mutations(connection, item, number):
                connection.exec_driver_sql(statement, execution_options=EXACT)
                with pytest.raises(DBAPIError) as failure:
                    connection.exec_driver_sql(script, execution_options=EXACT)
                connection.rollback()
                diagnostics = failure.value.orig.diag
                assert diagnostics.sqlstate == "IU904", (statement, diagnostics.message_primary)
                assert f"{item.kind} {item.object} is " in diagnostics.message_detail, statement
                assert diagnostics.message_hint
                tried.add((item.kind, item.object))
        migrate.verify(connection)
    assert tried == {(item.kind, item.object) for item in made}


def test_verify_raises_our_error(new_database: Callable[[], str]) -> None:
    url = at(new_database, REVISIONS[0].id)
    victim = next(item for item in want(REVISIONS[0].id) if item.kind == "function")
    with engine_for(url).connect() as connection:
        connection.exec_driver_sql(f"comment on function {victim.object} is 'altered'", execution_options=EXACT)
        with pytest.raises(errors.OperationError) as failure:
            migrate.verify(connection)
    assert failure.value.sqlstate == "IU904"
    assert failure.value.detail == f"function {victim.object} is altered"


def test_verify_reads_only(new_database: Callable[[], str]) -> None:
    url = at(new_database, REVISIONS[-1].id)
    with engine_for(url).connect() as connection:
        connection.exec_driver_sql("set transaction read only")
        migrate.verify(connection)


MEDDLER = """
create function public.meddle() returns event_trigger language plpgsql as $$
begin
    if to_regclass('iucore.unit_kind') is not null then
        grant delete on iucore.unit_kind to iucore_reader;
    end if;
end
$$;
create event trigger meddle on ddl_command_end when tag in ('CREATE VIEW') execute function public.meddle();
"""


def test_an_upgrade_that_makes_something_else_is_undone(new_database: Callable[[], str]) -> None:
    """An event trigger of somebody else can change what a revision makes."""
    url = at(new_database, REVISIONS[0].id)
    with engine_for(url).begin() as connection:
        connection.exec_driver_sql(MEDDLER, execution_options=EXACT)
    with pytest.raises(errors.OperationError) as failure:
        migrate.upgrade(url, REVISIONS[1].id)
    assert failure.value.sqlstate == "IU904"
    assert migrate.current(url) == REVISIONS[0].id


# An aggregate as it is declared, with the names of its arguments, and the function of its state.
DECLARED = """
select format('iucore.%%s(%%s)', p.proname, pg_get_function_arguments(p.oid)), a.aggtransfn::text
from pg_aggregate as a join pg_proc as p on p.oid = a.aggfnoid where p.oid = to_regprocedure(%s)
"""


def partitioned(connection: Connection, name: str) -> bool:
    """Whether a table has partitions."""
    kind = connection.exec_driver_sql("select relkind from pg_class where oid = %s::regclass", (name,)).scalar()
    return kind == "p"


def partition_of(connection: Connection, name: str) -> str | None:
    """The table of which one is a partition, or the index of which one is a part."""
    return connection.exec_driver_sql(
        "select inhparent::regclass::text from pg_inherits where inhrelid = %s::regclass", (name,)
    ).scalar()


def parent_table(connection: Connection, index: str) -> str:
    """The table of an index."""
    return connection.exec_driver_sql(
        "select indrelid::regclass::text from pg_index where indexrelid = %s::regclass", (index,)
    ).scalar_one()


def mutations(connection: Connection, item: Item, number: int) -> Iterator[str]:
    """One statement that alters the object and, where it can be dropped, one that drops it."""
    name = item.object
    parent, _, last = name.rpartition(".")
    match item.kind:
        case "function" if aggregate := connection.exec_driver_sql(DECLARED, (name,)).one_or_none():
            for statement in AGGREGATE:
                yield statement.format(name, *aggregate)
            yield f"drop aggregate {name} cascade"
        case "function":
            yield FUNCTION[number % len(FUNCTION)].format(name)
            yield f"drop function {name} cascade"
        case "table":
            statement = TABLE[number % len(TABLE)]
            # A table with partitions keeps no rows itself.
            yield (TABLE[0] if "fillfactor" in statement and partitioned(connection, name) else statement).format(name)
            yield f"drop table {name} cascade"
        case "view":
            yield f"comment on view {name} is 'altered'"
            yield f"grant insert on {name} to public"
            yield f"drop view {name} cascade"
        case "column":
            of_view = connection.exec_driver_sql(
                "select relkind in ('v', 'm') from pg_class where oid = %s::regclass", (parent,)
            ).scalar()
            statement = COLUMN[0 if of_view else number % len(COLUMN)]
            yield statement.format(name, table=parent, column=last)
            if of_view:
                yield f"drop view {parent} cascade"
            elif last == "slot" or partition_of(connection, parent):
                # A part of the key, or of the table above.
                yield f"drop table {parent} cascade"
            else:
                yield f"alter table {parent} drop column {last} cascade"
        case "constraint":
            yield f"comment on constraint {last} on {parent} is 'altered'"
            whole = partition_of(connection, parent)
            yield f"drop table {parent} cascade" if whole else f"alter table {parent} drop constraint {last} cascade"
            foreign = connection.exec_driver_sql(
                "select contype = 'f' from pg_constraint where conrelid = %s::regclass and conname = %s", (parent, last)
            ).scalar()
            if foreign:
                yield f"alter table {parent} disable trigger all"
                yield f"alter table {parent} alter constraint {last} deferrable initially deferred"
        case "index":
            yield f"comment on index {name} is 'altered'"
            owner = connection.exec_driver_sql(
                "select format('alter table %%s drop constraint %%I cascade', conrelid::regclass, conname)"
                " from pg_constraint where conindid = %s::regclass and contype in ('p', 'u', 'x')",
                (name,),
            ).scalar()
            # What is attached goes with what is above.
            above = partition_of(connection, name)
            yield f"drop table {parent_table(connection, name)}" if above else owner or f"drop index {name}"
        case "trigger":
            yield f"alter table {parent} disable trigger {last}"
            yield f"drop trigger {last} on {parent}"
        case "sequence":
            yield f"comment on sequence {name} is 'altered'"
            yield f"alter sequence {name} increment by 7"
            identity = connection.exec_driver_sql(
                "select format('alter table %%s alter column %%I drop identity', d.refobjid::regclass, a.attname)"
                " from pg_depend d join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid"
                " where d.classid = 'pg_class'::regclass and d.objid = %s::regclass and d.deptype = 'i'",
                (name,),
            ).scalar()
            yield identity or f"drop sequence {name} cascade"
        case "role":
            yield ROLE[number % len(ROLE)].format(name)
            yield f"grant pg_monitor to {name}"
            for group in connection.exec_driver_sql(
                "select m.roleid::regrole from pg_auth_members m where m.member = %s::regrole", (name,)
            ).scalars():
                yield f"revoke {group} from {name}"
        case "schema":
            yield f"comment on schema {name} is 'altered'"
            yield f"grant create on schema {name} to public"
            yield f"drop schema {name} cascade"
        case "type":
            yield f"comment on type {name} is 'altered'"
            yield f"drop type {name} cascade"
        case "default_privilege":
            role, where, what = name.rsplit(" ", 2)
            place = "" if where == "*" else f"in schema {where}"
            yield f"alter default privileges for role {role} {place} grant all on {what} to public"
        case "gate" | "event_type" | "route":
            for what in (*ROW[item.kind], f"delete from iucore.{item.kind}"):
                yield f"set local session_replication_role = replica; {what} where {item.kind} = '{name}'"
        case _:
            raise AssertionError(f"no mutation for this kind of object: {item.kind}")

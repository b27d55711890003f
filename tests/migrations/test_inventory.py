"""What a fingerprint sees, and what it leaves out on purpose."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from migration_helpers import EXACT, REVISIONS, at, differences, engine_for, fill
from sqlalchemy import Connection
from sqlalchemy.exc import InternalError, ProgrammingError

from iucore import errors, inventory
from iucore.embedded import Cluster
from iucore.operations import migrate

# A toy beside the real objects, so that these tests do not depend on them.
TOY = """
create table iucore.toy (id bigint primary key, a text not null default 'a', b text, constraint ck_toy check (a <> b));
create table iucore.toy_part (id bigint constraint fk_toy_part references iucore.toy (id));
create index idx_toy on iucore.toy (a) where b is not null;
create view iucore.v_toy as select t.id, t.a as x from iucore.toy as t join iucore.toy as u on u.id = t.id;
create function iucore.fn_toy(p_a text, p_b text default 'b') returns text language plpgsql
as $f$ begin return pg_catalog.upper((select t.a from iucore.toy as t limit 1)); end $f$;
create function iucore.fn_toy_guard() returns trigger language plpgsql as $f$ begin return new; end $f$;
create trigger trg_toy before insert on iucore.toy for each row execute function iucore.fn_toy_guard();
create type iucore.toy_mood as enum ('one', 'two');
create domain iucore.toy_name as text constraint ck_toy_name check (value <> '');
alter table iucore.toy enable row level security;
create policy only_a on iucore.toy to iucore_reader using (a = 'a');
alter default privileges for role iucore_owner in schema iucore grant select on tables to iucore_reader;
"""

SEEN = {
    "body: a schema's name is gone": (
        "create or replace function iucore.fn_toy(p_a text, p_b text default 'b') returns text language plpgsql"
        " as $f$ begin return pg_catalog.upper((select t.a from toy as t limit 1)); end $f$",
        {"function iucore.fn_toy(text, text)"},
    ),
    "argument's default": (
        "create or replace function iucore.fn_toy(p_a text, p_b text default 'c') returns text language plpgsql"
        " as $f$ begin return pg_catalog.upper((select t.a from iucore.toy as t limit 1)); end $f$",
        {"function iucore.fn_toy(text, text)"},
    ),
    "view reads another column": (
        "create or replace view iucore.v_toy as"
        " select t.id, t.b as x from iucore.toy as t join iucore.toy as u on u.id = t.id",
        {"view iucore.v_toy"},
    ),
    "view barrier": ("alter view iucore.v_toy set (security_barrier = true)", {"view iucore.v_toy"}),
    "column default": ("alter table iucore.toy alter column a set default 'b'", {"column iucore.toy.a"}),
    "not null": ("alter table iucore.toy alter column a drop not null", {"column iucore.toy.a"}),
    "column type": ("alter table iucore.toy_part alter column id type int", {"column iucore.toy_part.id"}),
    "column collation": ('alter table iucore.toy_part add column c text collate "C"', {"column iucore.toy_part.c"}),
    "storage": ("alter table iucore.toy alter column b set storage external", {"column iucore.toy.b"}),
    "column privilege": ("grant update (b) on iucore.toy to iucore_reader", {"column iucore.toy.b"}),
    "grant option": ("grant select on iucore.toy to iucore_reader with grant option", {"table iucore.toy"}),
    "constraint not validated": (
        "alter table iucore.toy drop constraint ck_toy, add constraint ck_toy check (a <> b) not valid",
        {"constraint iucore.toy.ck_toy"},
    ),
    "foreign key switched off": (
        "alter table iucore.toy_part disable trigger all",
        {"constraint iucore.toy_part.fk_toy_part"},
    ),
    "trigger off": ("alter table iucore.toy disable trigger trg_toy", {"trigger iucore.toy.trg_toy"}),
    "trigger on a replica": ("alter table iucore.toy enable always trigger trg_toy", {"trigger iucore.toy.trg_toy"}),
    "index invalid": (
        "update pg_index set indisvalid = false where indexrelid = 'iucore.idx_toy'::regclass",
        {"index iucore.idx_toy"},
    ),
    "index condition": (
        "drop index iucore.idx_toy; create index idx_toy on iucore.toy (a) where b is null",
        {"index iucore.idx_toy"},
    ),
    "row security off": ("alter table iucore.toy disable row level security", {"table iucore.toy"}),
    "policy": ("alter policy only_a on iucore.toy using (true)", {"policy iucore.toy.only_a"}),
    "label of an enum": ("alter type iucore.toy_mood rename value 'two' to 'three'", {"type iucore.toy_mood"}),
    "check of a domain": (
        "alter domain iucore.toy_name drop constraint ck_toy_name",
        {"constraint iucore.toy_name.ck_toy_name"},
    ),
    "rule": (
        "create rule nothing as on delete to iucore.toy do instead nothing",
        {"rule iucore.toy.nothing"},
    ),
    "default privilege": (
        "alter default privileges for role iucore_owner in schema iucore grant delete on tables to iucore_reader",
        {"default_privilege iucore_owner iucore tables"},
    ),
    "one more column": ("alter table iucore.toy add column c int", {"column iucore.toy.c"}),
}

LEFT_OUT = {
    "compression": "alter table iucore.toy alter column b set compression pglz",
    "statistics": "insert into iucore.toy values (1, 'a', 'c'); analyze iucore.toy",
    "order of columns": "alter table iucore.toy_part drop column id, add column id bigint"
    " constraint fk_toy_part references iucore.toy (id)",
    "objects of others": "create table public.toy (id int); create schema elsewhere",
}


@pytest.fixture
def toy(new_database: Callable[[], str]) -> Iterator[Connection]:
    with engine_for(at(new_database, REVISIONS[0].id)).connect() as connection:
        connection.exec_driver_sql(TOY, execution_options=EXACT)
        connection.commit()
        yield connection


def changed(connection: Connection, before: list[inventory.Item], sql: str) -> set[str]:
    """The objects that differ after a change, which is rolled back."""
    until = time.monotonic() + 30
    while True:
        try:
            connection.exec_driver_sql(sql, execution_options=EXACT)
            break
        except InternalError as error:
            # Roles belong to the server: another test alters the same one at this moment.
            connection.rollback()
            assert "concurrently updated" in str(error) and time.monotonic() < until, sql
    found = inventory.compare(before, inventory.actual(connection))
    connection.rollback()
    return {f"{one.kind} {one.object}" for one in found}


def changed_within(connection: Connection, sql: str) -> set[str]:
    """The same in a transaction under way, which goes on."""
    before = inventory.actual(connection)
    savepoint = connection.begin_nested()
    connection.exec_driver_sql(sql, execution_options=EXACT)
    found = inventory.compare(before, inventory.actual(connection))
    savepoint.rollback()
    return {f"{one.kind} {one.object}" for one in found}


def test_each_change_is_seen_at_its_object_alone(toy: Connection) -> None:
    before = inventory.actual(toy)
    assert {name: changed(toy, before, sql) for name, (sql, _) in SEEN.items()} == {
        name: objects for name, (_, objects) in SEEN.items()
    }


def test_what_differs_between_servers_is_left_out(toy: Connection) -> None:
    before = inventory.actual(toy)
    cases = dict(LEFT_OUT)
    if toy.exec_driver_sql("select current_setting('server_version_num')::int").scalar_one() >= 170000:
        cases["maintain"] = "grant maintain on iucore.toy to iucore_reader"
    assert {name: changed(toy, before, sql) for name, sql in cases.items()} == {name: set() for name in cases}


def test_lines_are_read_as_they_are_written() -> None:
    items = inventory.expected()
    assert inventory.parse(inventory.render(items)) == items
    assert items == sorted(items, key=lambda item: (item.kind.encode(), item.object.encode()))
    assert len({(item.kind, item.object) for item in items}) == len(items)


def test_expected_of_an_unknown_revision() -> None:
    with pytest.raises(errors.OperationError) as failure:
        inventory.expected("9999")
    assert failure.value.sqlstate == "IU912"
    assert inventory.expected(REVISIONS[-1].id) == inventory.expected()


# --- a database at head, altered out of band --------------------------------------------------------------------------

# Each is one thing that somebody does past the functions, and the objects at which it must be found.
OUT_OF_BAND = {
    "body of a function: the gate says yes": (
        "create or replace function iucore.fn_iu_composer_assert_gate() returns void language plpgsql"
        " set search_path = pg_catalog, pg_temp as $$ begin end $$",
        {"function iucore.fn_iu_composer_assert_gate()"},
    ),
    "a blank in a body": (
        "do $$ begin execute replace(pg_get_functiondef('iucore.fn_iu_soft_delete'::regproc), 'begin', 'begin ');"
        " end $$",
        {"function iucore.fn_iu_soft_delete(text, text, text, text)"},
    ),
    "owner of a function": (
        "alter function iucore.fn_iu_soft_delete owner to current_user",
        {"function iucore.fn_iu_soft_delete(text, text, text, text)"},
    ),
    "search_path of a function": (
        "alter function iucore.fn_iu_soft_delete set search_path = public, pg_catalog",
        {"function iucore.fn_iu_soft_delete(text, text, text, text)"},
    ),
    "search_path reset": (
        "alter function iucore.fn_iu_soft_delete reset search_path",
        {"function iucore.fn_iu_soft_delete(text, text, text, text)"},
    ),
    "volatility": (
        "alter function iucore.fn_iu_gate_list volatile",
        {"function iucore.fn_iu_gate_list()"},
    ),
    "security definer off": (
        "alter function iucore.fn_iu_soft_delete security invoker",
        {"function iucore.fn_iu_soft_delete(text, text, text, text)"},
    ),
    "strict": (
        "alter function iucore.fn_iu_assert_gate strict",
        {"function iucore.fn_iu_assert_gate(text)"},
    ),
    "execute granted to public": (
        "grant execute on function iucore.fn_iu_gate_set to public",
        {"function iucore.fn_iu_gate_set(text, boolean, text, text, text)"},
    ),
    "execute revoked": (
        "revoke execute on function iucore.fn_iu_gate_set from iucore_gatekeeper",
        {"function iucore.fn_iu_gate_set(text, boolean, text, text, text)"},
    ),
    "grant option": (
        "grant execute on function iucore.fn_iu_gate_set to iucore_gatekeeper with grant option",
        {"function iucore.fn_iu_gate_set(text, boolean, text, text, text)"},
    ),
    "function renamed": (
        "alter function iucore.fn_iu_gate_list rename to fn_iu_gates",
        {"function iucore.fn_iu_gate_list()", "function iucore.fn_iu_gates()"},
    ),
    "overload": (
        "create function iucore.fn_iu_render(p_key bigint) returns text language sql as 'select null::text'",
        {"function iucore.fn_iu_render(bigint)"},
    ),
    "comment lost": (
        "comment on function iucore.fn_iu_gate_list is null",
        {"function iucore.fn_iu_gate_list()"},
    ),
    "comment of a column lost": (
        "comment on column iucore.event_outbox.xid is null",
        {"column iucore.event_outbox.xid"},
    ),
    "trigger disabled": (
        "alter table iucore.event_outbox disable trigger trg_event_outbox_append_only",
        {"trigger iucore.event_outbox.trg_event_outbox_append_only"},
    ),
    "trigger dropped": (
        "drop trigger trg_event_outbox_append_only on iucore.event_outbox",
        {"trigger iucore.event_outbox.trg_event_outbox_append_only"},
    ),
    "trigger of a foreign key disabled": (
        "alter table iucore.gate_switch disable trigger all",
        {"constraint iucore.gate_switch.fk_gate_switch_change", "constraint iucore.gate_switch.fk_gate_switch_gate"},
    ),
    "constraint not validated": (
        "alter table iucore.event_type drop constraint ck_event_type_delta, add constraint ck_event_type_delta"
        " check (not (is_delta and delivery_lane = 'immediate')) not valid",
        {"constraint iucore.event_type.ck_event_type_delta"},
    ),
    "constraint dropped": (
        "alter table iucore.event_type drop constraint ck_event_type_delta",
        {"constraint iucore.event_type.ck_event_type_delta"},
    ),
    "index dropped": (
        "drop index iucore.idx_event_outbox_idempotent",
        {"index iucore.idx_event_outbox_idempotent"},
    ),
    "index invalid": (
        "update pg_index set indisvalid = false where indexrelid = 'iucore.idx_event_outbox_idempotent'::regclass",
        {"index iucore.idx_event_outbox_idempotent"},
    ),
    "index no longer unique": (
        "drop index iucore.idx_event_outbox_idempotent; create index idx_event_outbox_idempotent"
        " on iucore.event_outbox_0 (event_type, event_subject_ref) where delivery_lane = 'immediate'",
        {"index iucore.idx_event_outbox_idempotent"},
    ),
    "one more index": (
        "create index idx_more on iucore.event_outbox_3 (created_at)",
        {"index iucore.idx_more"},
    ),
    "default": (
        "alter table iucore.route alter column execution_enabled set default true",
        {"column iucore.route.execution_enabled"},
    ),
    "not null dropped": (
        "alter table iucore.event_outbox alter column actor drop not null",
        {"column iucore.event_outbox.actor", *(f"column iucore.event_outbox_{n}.actor" for n in range(5))},
    ),
    "type of a column": (
        "alter table iucore.gate alter column title type varchar(300)",
        {"column iucore.gate.title"},
    ),
    "one more column": (
        "alter table iucore.gate add column by_whom text",
        {"column iucore.gate.by_whom"},
    ),
    "column dropped": (
        "alter table iucore.gate drop column title",
        {"column iucore.gate.title", "gate composer", "gate delivery", "gate master"},
    ),
    "one more table": (
        "create table iucore.more ()",
        {"table iucore.more"},
    ),
    "one more view": (
        "create view iucore.v_more as select",
        {"view iucore.v_more"},
    ),
    "view without its owner's eyes": (
        "alter view iucore.v_event set (security_invoker = true)",
        {"view iucore.v_event"},
    ),
    "view of another kind": (
        "do $$ begin execute 'create or replace view iucore.v_event as '"
        " || rtrim(pg_get_viewdef('iucore.v_event'::regclass), ';') || ' where false'; end $$",
        {"view iucore.v_event"},
    ),
    "owner of a table": ("alter table iucore.event_outbox owner to current_user", {"table iucore.event_outbox"}),
    "insert granted": ("grant insert on iucore.event_outbox to iucore_author", {"table iucore.event_outbox"}),
    "update of one column granted": (
        "grant update (is_open) on iucore.gate to iucore_operator",
        {"column iucore.gate.is_open"},
    ),
    "select revoked": ("revoke select on iucore.v_event from iucore_reader", {"view iucore.v_event"}),
    "row security": ("alter table iucore.event_outbox enable row level security", {"table iucore.event_outbox"}),
    "unlogged": ("alter table iucore.change_result set unlogged", {"table iucore.change_result"}),
    "options of a table": (
        "alter table iucore.route_switch set (autovacuum_enabled = off)",
        {"table iucore.route_switch"},
    ),
    "options of a partition": (
        "alter table iucore.event_outbox_1 set (autovacuum_enabled = off)",
        {"table iucore.event_outbox_1"},
    ),
    "trigger of a partition disabled": (
        "alter table iucore.event_log_2 disable trigger trg_event_log_append_only",
        {"trigger iucore.event_log_2.trg_event_log_append_only"},
    ),
    "partition detached": (
        "alter table iucore.delivery_attempt detach partition iucore.delivery_attempt_3",
        {"table iucore.delivery_attempt_3"},
    ),
    "aggregate of another function": (
        "create function iucore.fn_more(bytea, text, bytea) returns bytea language sql immutable as 'select $1';"
        "create or replace aggregate iucore.fn_iu_ledger_chain(p_said text, p_before bytea)"
        " (sfunc = iucore.fn_more, stype = bytea)",
        {"function iucore.fn_iu_ledger_chain(text, bytea)", "function iucore.fn_more(bytea, text, bytea)"},
    ),
    "aggregate with another beginning": (
        "create or replace aggregate iucore.fn_iu_ledger_chain(p_said text, p_before bytea)"
        " (sfunc = iucore.fn_iu_ledger_hash, stype = bytea, initcond = 'x')",
        {"function iucore.fn_iu_ledger_chain(text, bytea)"},
    ),
    "rule": (
        "create rule lost as on insert to iucore.event_outbox do instead nothing",
        {"rule iucore.event_outbox.lost"},
    ),
    "role made a login": ("alter role iucore_owner login", {"role iucore_owner"}),
    "role given createdb": ("alter role iucore_author createdb", {"role iucore_author"}),
    "setting of a role": (
        "alter role iucore_operator set session_replication_role = replica",
        {"role iucore_operator"},
    ),
    "membership added": ("grant iucore_gatekeeper to iucore_worker", {"role iucore_worker"}),
    "membership revoked": ("revoke iucore_author from iucore_operator", {"role iucore_operator"}),
    "default privilege": (
        "alter default privileges for role iucore_owner in schema iucore grant insert on tables to public",
        {"default_privilege iucore_owner iucore tables"},
    ),
    "default privilege reset": (
        "alter default privileges for role iucore_owner grant execute on functions to public",
        {"default_privilege iucore_owner * functions"},
    ),
    "sequence": (
        "alter sequence iucore.change_change_id_seq increment by 2",
        {"sequence iucore.change_change_id_seq"},
    ),
    "privilege on a sequence": (
        "grant usage on sequence iucore.collection_member_id to iucore_author",
        {"sequence iucore.collection_member_id"},
    ),
    "privilege on the schema": ("grant create on schema iucore to iucore_author", {"schema iucore"}),
    "lane of an event type": (
        "set local session_replication_role = replica;"
        " alter table iucore.event_type drop constraint ck_event_type_delta;"
        " update iucore.event_type set delivery_lane = 'immediate' where event_type = 'collection.piece_added'",
        {"event_type collection.piece_added", "constraint iucore.event_type.ck_event_type_delta"},
    ),
    "event type no longer a delta": (
        "update iucore.event_type set is_delta = false where event_type = 'collection.piece_added'",
        {"event_type collection.piece_added"},
    ),
    "event type deleted": (
        "set local session_replication_role = replica; delete from iucore.event_type where event_type = 'unit.created'",
        {"event_type unit.created"},
    ),
    "event type made to look as ours": (
        "insert into iucore.event_type (event_type, title, delivery_lane, is_delta)"
        " values ('a.b', 'A', 'delayed', true)",
        {"event_type a.b"},
    ),
    "route switched on": (
        "update iucore.route set execution_enabled = true where route = 'collection.created'",
        {"route collection.created"},
    ),
    "route deleted": (
        "delete from iucore.route where route = 'collection.created'",
        {"route collection.created"},
    ),
    "gate opened": ("update iucore.gate set is_open = true where gate = 'delivery'", {"gate delivery"}),
    "gate closed": ("update iucore.gate set is_open = false where gate = 'master'", {"gate master"}),
    "gate deleted": ("delete from iucore.gate where gate = 'composer'", {"gate composer"}),
    "table of gates dropped": (
        "drop table iucore.gate_switch",
        {
            *(
                "gate composer",
                "gate delivery",
                "gate master",
                "table iucore.gate_switch",
                "index iucore.pk_gate_switch",
            ),
            *(f"column iucore.gate_switch.{name}" for name in ("change_id", "gate", "is_open")),
            *(
                f"constraint iucore.gate_switch.{name}"
                for name in ("pk_gate_switch", "fk_gate_switch_change", "fk_gate_switch_gate")
            ),
        },
    ),
}


def test_each_single_change_out_of_band_is_found(connection: Connection) -> None:
    assert len(OUT_OF_BAND) >= 30
    before = inventory.actual(connection)
    assert inventory.compare(inventory.expected(), before) == []
    found = {name: changed(connection, before, sql) for name, (sql, _) in OUT_OF_BAND.items()}
    assert found == {name: objects for name, (_, objects) in OUT_OF_BAND.items()}
    assert inventory.compare(inventory.expected(), inventory.actual(connection)) == []


def test_governed_switches_and_registrations_are_no_difference(connection: Connection) -> None:
    use(connection)
    assert inventory.compare(inventory.expected(), inventory.actual(connection)) == []
    for sql, object_ in (
        ("update iucore.gate set is_open = not is_open where gate = 'delivery'", "gate delivery"),
        ("update iucore.gate set change_id = null where gate = 'composer'", "gate composer"),
        (
            "update iucore.route set execution_enabled = false where route = 'collection.created'",
            "route collection.created",
        ),
        (
            "update iucore.route set switched_change = null where route = 'collection.created'",
            "route collection.created",
        ),
    ):
        assert changed_within(connection, sql) == {object_}, sql


def test_a_reader_that_lost_a_grant_is_told_which(url: str, login: Callable[[str | None], str]) -> None:
    reader, other = login("iucore_reader"), login(None)
    assert differences(REVISIONS[-1].id, reader) == []
    with engine_for(url).begin() as connection:
        connection.exec_driver_sql("revoke select on iucore.gate from iucore_reader")
    found = {(one.status, one.kind, one.object) for one in differences(REVISIONS[-1].id, reader)}
    assert found == {
        ("altered", "table", "iucore.gate"),
        *(("missing", "gate", name) for name in ("composer", "delivery", "master")),
    }
    with engine_for(url).begin() as connection:
        connection.exec_driver_sql("revoke usage on schema iucore from iucore_reader")
    assert ("altered", "schema", "iucore") in {
        (one.status, one.kind, one.object) for one in differences(REVISIONS[-1].id, reader)
    }
    with pytest.raises(ProgrammingError, match="permission denied"):
        differences(REVISIONS[-1].id, other)


def test_registry_is_read_where_its_tables_are(new_database: Callable[[], str]) -> None:
    """The statements go with the revisions that brought their tables."""
    kinds = {query.kind: query.tables for query in inventory.registry_queries()}
    assert set(kinds) == {"gate", "event_type", "route"}
    for revision in REVISIONS:
        items = inventory.expected(revision.id)
        tables = {item.object for item in items if item.kind == "table"}
        for kind, needed in kinds.items():
            assert needed <= tables or not any(item.kind == kind for item in items)
        verify = (revision.folder / "verify.sql").read_text("utf-8")
        for table in {"iucore.gate", "iucore.event_type", "iucore.route"} - tables:
            assert f"from {table} as" not in verify, revision.id
    assert {item.kind for item in inventory.expected()} >= set(kinds)


# --- no false alarm ---------------------------------------------------------------------------------------------------


def use(connection: Connection) -> None:
    """Rows in every table, switches switched and types registered, all by governed calls; not committed."""
    fill(connection, "walk")
    for call in (
        "fn_iu_gate_set('delivery', true, 'use')",
        "fn_iu_gate_set('composer', false, 'use')",
        "fn_iu_gate_set('composer', true, 'use')",
        "fn_iu_route_set('collection.created', true, 'use')",
        "fn_iu_event_type_register('invoice.paid', 'Paid', 'immediate', false, 'use')",
        "fn_iu_route_register('invoice.paid', 'invoice.paid', 'Paid', 'use')",
        "fn_iu_soft_delete('walk/a', 'use')",
    ):
        connection.exec_driver_sql(f"select iucore.{call}", execution_options=EXACT)


def maintained(url: str) -> None:
    """What a server does with its tables, and a DBA by hand."""
    with engine_for(url).connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        for statement in ("vacuum full", "vacuum freeze analyze", "reindex schema iucore", "checkpoint"):
            connection.exec_driver_sql(statement)
        for table in ("gate", "route", "event_type"):
            connection.exec_driver_sql(f"cluster iucore.{table} using pk_{table}")
            connection.exec_driver_sql(f"alter table iucore.{table} set without cluster")


def restored(url: str, into: str, folder: Path, *options: str) -> None:
    """``pg_dump`` of one database, and ``pg_restore`` into another."""
    if not (Path(os.environ["IUCORE_TEST_BIN"]) / "pg_dump").exists():
        pytest.skip("this server comes without pg_dump")
    archive = folder / "dump"
    for program, *arguments in (
        ("pg_dump", "-Fc", "-f", str(archive), "-d", plain(url)),
        ("pg_restore", "--exit-on-error", *options, "-d", plain(into), str(archive)),
    ):
        found = Path(os.environ["IUCORE_TEST_BIN"]) / program
        done = subprocess.run([found, *arguments], capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr


def plain(url: str) -> str:
    return re.sub(r"^postgresql\+\w+://", "postgresql://", url)


def test_no_false_alarm_after_use_and_maintenance(url: str) -> None:
    with engine_for(url).begin() as connection:
        use(connection)
    assert differences(REVISIONS[-1].id, url) == []
    maintained(url)
    assert differences(REVISIONS[-1].id, url) == []
    with engine_for(url).connect() as connection:
        migrate.verify(connection)


def test_no_false_alarm_after_dump_and_restore(url: str, new_database: Callable[[], str], tmp_path: Path) -> None:
    with engine_for(url).begin() as connection:
        use(connection)
    copy = new_database()
    restored(url, copy, tmp_path)
    assert differences(REVISIONS[-1].id, copy) == []
    with engine_for(copy).connect() as connection:
        migrate.verify(connection)


def test_restore_without_owners_and_grants_names_each(
    url: str, new_database: Callable[[], str], tmp_path: Path
) -> None:
    """--no-owner --no-acl: each object that had an owner or a grant is named, and nothing else."""
    copy = new_database()
    restored(url, copy, tmp_path, "--no-owner", "--no-acl")
    found = differences(REVISIONS[-1].id, copy)
    owned = {
        (item.kind, item.object)
        for item in inventory.expected()
        if item.kind in ("schema", "table", "view", "sequence", "function", "type")
    }
    assert {(one.kind, one.object) for one in found if one.status == "altered"} == owned
    # A role is listed while it owns or is granted something here; default privileges are grants.
    lost = {(item.kind, item.object) for item in inventory.expected() if item.kind in ("role", "default_privilege")}
    assert {(one.kind, one.object) for one in found if one.status == "missing"} == lost
    assert [one for one in found if one.status == "unexpected"] == []


def test_no_false_alarm_after_a_restart() -> None:
    # Not below pytest's own folder: the server's user must be able to reach it when the tests run as root.
    home = Path(tempfile.mkdtemp(prefix="iucore-test-"))
    home.chmod(0o755)
    cluster = Cluster(home / "postgres")
    try:
        url = cluster.up({"fsync": "off"})
        migrate.upgrade(url)
        with engine_for(url).begin() as connection:
            use(connection)
        for mode in ("fast", "immediate"):
            cluster.down(mode)
            url = cluster.up({"fsync": "off"})
            assert differences(REVISIONS[-1].id, url) == []
    finally:
        cluster.down("immediate")
        shutil.rmtree(home, ignore_errors=True)

"""What a fingerprint sees, and what it leaves out on purpose."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from migration_helpers import EXACT, REVISIONS, at, engine_for
from sqlalchemy import Connection

from iucore import errors, inventory

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
    connection.exec_driver_sql(sql, execution_options=EXACT)
    found = inventory.compare(before, inventory.actual(connection))
    connection.rollback()
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

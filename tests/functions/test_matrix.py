"""sql/grants/matrix.txt says who may what: every cell is compared with the catalog, and the refusals are tried."""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from functions_helpers import Database
from psycopg import sql
from sqlalchemy.engine import make_url

from iucore.operations import migrate

MATRIX = Path(__file__).resolve().parents[2] / "sql" / "grants" / "matrix.txt"
OWNER = "iucore_owner"
# The last revision before the roles of this matrix.
BEFORE = "0004"

PRIVILEGES = {
    "schema": ("usage", "create"),
    "table": ("select", "insert", "update", "delete", "truncate", "references", "trigger"),
    "view": ("select", "insert", "update", "delete", "truncate", "references", "trigger"),
    "sequence": ("usage", "select", "update"),
    "function": ("execute",),
    "type": ("usage",),
    "rowtype": ("usage",),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the matrix."""

    kind: str
    object: str
    privilege: str
    roles: tuple[str, ...]


def lines() -> list[Line]:
    """The lines of the file; an object that is granted to nobody has no role."""
    found = []
    for text in MATRIX.read_text("utf-8").splitlines():
        words = text.split("#")[0].split()
        if words:
            kind, name, privilege, *roles = words
            assert (privilege == "-") == (not roles), text
            found.append(Line(kind, name, privilege, tuple(roles)))
    return found


LINES = lines()
ROLES = [line.object for line in LINES if line.kind == "role"]
MEMBERS = {line.object: line.roles for line in LINES if line.kind == "role"}
GRANTED = [line for line in LINES if line.kind in PRIVILEGES]


def those_of(role: str) -> set[str]:
    """A role with all that it is a member of, and PUBLIC."""
    found, before = {role, "public"}, set()
    while found != before:
        before = set(found)
        found |= {group for group, members in MEMBERS.items() if before & set(members)}
    return found


def wanted(objects: list[tuple[str, str]], privileges: dict[str, tuple[str, ...]]) -> dict[tuple[str, ...], bool]:
    """What the matrix says of every cell: (role, kind, object, privilege)."""
    granted = {(line.kind, line.object, line.privilege): set(line.roles) for line in GRANTED}
    cells = {}
    for role in [*ROLES, "public"]:
        theirs = those_of(role)
        for kind, name in objects:
            for privilege in privileges[kind]:
                direct = granted.get((kind, name, privilege)) or granted.get((kind, "*", privilege)) or set()
                cells[role, kind, name, privilege] = role == OWNER or bool(direct & theirs)
    return cells


OBJECTS = """
select 'schema', nspname::text from pg_namespace where nspname = 'iucore'
union all
select case when c.relkind in ('v', 'm') then 'view' when c.relkind = 'S' then 'sequence' else 'table' end,
    c.relname::text
from pg_class as c
where c.relnamespace = 'iucore'::regnamespace and c.relkind not in ('i', 'I', 'c', 't')
union all
select 'function', p.proname::text from pg_proc as p where p.pronamespace = 'iucore'::regnamespace
union all
-- A type that was made by itself is no row type, and must be named.
select case when c.relkind in ('r', 'p', 'v', 'm') then 'rowtype' else 'type' end, y.typname::text
from pg_type as y
left join pg_class as c on c.oid = y.typrelid
where y.typnamespace = 'iucore'::regnamespace and not exists (select from pg_type as e where e.typarray = y.oid)
order by 1, 2
"""

CELL = {
    "schema": "has_schema_privilege(r.role, 'iucore', w.privilege)",
    "table": "has_table_privilege(r.role, 'iucore.' || quote_ident(w.object), w.privilege)",
    "view": "has_table_privilege(r.role, 'iucore.' || quote_ident(w.object), w.privilege)",
    "sequence": "has_sequence_privilege(r.role, 'iucore.' || quote_ident(w.object), w.privilege)",
    "function": "has_function_privilege(r.role, ('iucore.' || quote_ident(w.object))::regproc, w.privilege)",
    "type": "has_type_privilege(r.role, 'iucore.' || quote_ident(w.object), w.privilege)",
    "rowtype": "has_type_privilege(r.role, 'iucore.' || quote_ident(w.object), w.privilege)",
}


def catalog(db: Database, objects: list[tuple[str, str]], privileges: dict[str, tuple[str, ...]]) -> Any:
    """What the catalog says of the same cells."""
    asked = [(kind, name, privilege) for kind, name in objects for privilege in privileges[kind]]
    case = " ".join(f"when '{kind}' then {expression}" for kind, expression in CELL.items())
    rows = db.query(
        f"select r.role, w.kind, w.object, w.privilege, case w.kind {case} end"
        " from unnest(%s::text[], %s::text[], %s::text[]) as w (kind, object, privilege)"
        " cross join unnest(%s::text[]) as r (role)",
        [*(list(column) for column in zip(*asked, strict=True)), [*ROLES, "public"]],
    )
    return {tuple(row[:4]): row[4] for row in rows}


ACLS = """
select 'schema', nspname::text, coalesce(nspacl, acldefault('n', nspowner)), nspowner
from pg_namespace where nspname = 'iucore'
union all
select case when relkind in ('v', 'm') then 'view' when relkind = 'S' then 'sequence' else 'table' end, relname::text,
    coalesce(relacl, acldefault(case when relkind = 'S' then 's' else 'r' end::"char", relowner)), relowner
from pg_class where relnamespace = 'iucore'::regnamespace and relkind not in ('i', 'I', 'c', 't')
union all
select 'function', proname::text, coalesce(proacl, acldefault('f', proowner)), proowner
from pg_proc where pronamespace = 'iucore'::regnamespace
"""


def check(db: Database) -> int:
    """Every cell of a database that has all objects of the matrix; returns how many there are."""
    objects = db.query(OBJECTS)
    named = Counter((line.kind, line.object) for line in GRANTED if line.object != "*")
    here = Counter(one for one in objects if one[0] != "rowtype")
    assert sorted((named - here).keys()) == [], "the matrix names what is not there, or names it twice"
    assert sorted((here - named).keys()) == [], "the matrix does not name an object, or a function is overloaded"
    count = compare(db, objects)
    grants(db)
    attributes(db)
    return count


def compare(db: Database, objects: list[tuple[str, str]]) -> int:
    privileges = dict(PRIVILEGES)
    if db.value("select current_setting('server_version_num')::int") >= 170000:
        privileges |= {kind: (*privileges[kind], "maintain") for kind in ("table", "view")}
    want, have = wanted(objects, privileges), catalog(db, objects, privileges)
    assert have.keys() == want.keys()
    differ = [(*cell, "has" if have[cell] else "lacks") for cell in want if have[cell] is not want[cell]]
    assert differ == []
    assert len({cell[0] for cell in want}) == 8
    return len(want)


def grants(db: Database) -> None:
    """The grants themselves: none but those of the file, all by the owner, none to be passed on, none on a column."""
    rows = db.query(
        f"select o.kind, o.object, lower(x.privilege_type), coalesce(r.rolname, 'public')::text, x.is_grantable,"
        f" x.grantor = o.owner from ({ACLS}) as o (kind, object, acl, owner) cross join aclexplode(o.acl) as x"
        " left join pg_roles as r on r.oid = x.grantee where x.grantee <> o.owner"
    )
    direct = {
        (line.kind, line.object, line.privilege, role)
        for line in GRANTED
        if line.kind != "rowtype"
        for role in line.roles
    }
    assert {row[:4] for row in rows} == direct
    assert len(rows) == len(direct)
    assert [row for row in rows if row[4] or not row[5]] == []
    assert (
        db.query(
            f"select o.kind, o.object from ({ACLS}) as o (kind, object, acl, owner) where o.owner <> '{OWNER}'::regrole"
        )
        == []
    )
    assert (
        db.query(
            "select a.attrelid::regclass, a.attname from pg_attribute as a join pg_class as c on c.oid = a.attrelid"
            " where c.relnamespace = 'iucore'::regnamespace and a.attacl is not null"
        )
        == []
    )
    # Only what is declared is set, in the whole database: nothing but the owner's own right.
    defaults = {line.object for line in LINES if line.kind == "default"}
    assert defaults == {"functions", "types"}
    assert db.query(
        "select d.defaclrole::regrole::text, d.defaclnamespace::int, d.defaclobjtype, x.grantee::regrole::text,"
        " x.privilege_type, x.is_grantable from pg_default_acl as d cross join aclexplode(d.defaclacl) as x"
        " order by d.defaclobjtype"
    ) == [(OWNER, 0, "T", OWNER, "USAGE", False), (OWNER, 0, "f", OWNER, "EXECUTE", False)]


def attributes(db: Database) -> None:
    """No role of iucore can log in or has a right of the cluster; the memberships are those of the file."""
    assert db.query(
        "select rolname, rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolbypassrls, rolreplication"
        " from pg_roles where rolname like 'iucore\\_%' order by rolname collate \"C\""
    ) == [(role, *[False] * 6) for role in sorted(ROLES)]
    rows = db.query(
        "select g.rolname::text, r.rolname::text, m.admin_option from pg_auth_members as m"
        " join pg_roles as g on g.oid = m.roleid join pg_roles as r on r.oid = m.member"
        " where r.rolname like 'iucore\\_%'"
    )
    assert {row[:2] for row in rows} == {(group, role) for group, roles in MEMBERS.items() for role in roles}
    assert not any(row[2] for row in rows)


def open_database(url: str) -> psycopg.Connection[Any]:
    place = make_url(url)
    return psycopg.connect(
        host=place.host,
        port=place.port,
        user=place.username,
        password=place.password,
        dbname=place.database,
        autocommit=True,
    )


@pytest.fixture
def at(url: str) -> Iterator[Callable[[str], Database]]:
    """Opens a database of the test server by its URL."""
    opened: list[psycopg.Connection[Any]] = []

    def make(url: str) -> Database:
        opened.append(open_database(url))
        return Database(opened[-1])

    yield make
    for connection in opened:
        connection.close()


# ---------------------------------------------------------------- the file itself


def test_the_file_is_complete_in_itself() -> None:
    assert len(ROLES) == 7
    known = {*PRIVILEGES, "role", "default"}
    for line in LINES:
        assert line.kind in known, line
        assert set(line.roles) <= {*ROLES, "public"}, line
        assert "public" not in line.roles or line.kind == "rowtype", line
        assert OWNER not in line.roles, line
        assert line.privilege in (*PRIVILEGES.get(line.kind, ("member",)), "-"), line
    assert len({(line.kind, line.object, line.privilege) for line in LINES}) == len(LINES)
    # Not one privilege to write is given to anybody.
    assert {line.privilege for line in GRANTED} == {"usage", "select", "execute", "-"}
    assert those_of("iucore_operator") == {"iucore_operator", "iucore_author", "iucore_reader", "public"}
    assert those_of("iucore_worker") == {"iucore_worker", "public"}


# ---------------------------------------------------------------- every cell


def test_every_cell_after_upgrade(db: Database) -> None:
    count = check(db)
    print(f"matrix: {count}/{count} cells")
    assert count > 5000


def test_every_cell_after_going_back_and_up_again(url: str, at: Callable[[str], Database]) -> None:
    migrate.downgrade(url, BEFORE)
    old = at(url)
    # The grants that the older objects have are those of the matrix, apart from the worker's way into the schema.
    objects = [one for one in old.query(OBJECTS) if one != ("schema", "iucore")]
    named = {(line.kind, line.object) for line in GRANTED}
    gone = [one for one in objects if one[0] != "rowtype" and one not in named]
    assert gone == []
    privileges = dict(PRIVILEGES)
    want, have = wanted(objects, privileges), catalog(old, objects, privileges)
    assert [cell for cell in want if have[cell] and not want[cell]] == []
    # What an older revision did not grant yet came with these roles.
    later = {cell[0] for cell in want if want[cell] and not have[cell]}
    assert later <= {"iucore_auditor", "iucore_worker"}
    migrate.upgrade(url)
    check(at(url))


def test_every_cell_after_dump_and_restore(
    url: str, at: Callable[[str], Database], new_database: Callable[[], str], tmp_path: Path
) -> None:
    if not (Path(os.environ["IUCORE_TEST_BIN"]) / "pg_dump").exists():
        pytest.skip("this server comes without pg_dump")
    before = check(at(url))
    copy = new_database()
    archive = tmp_path / "dump"
    for program, *arguments in (
        ("pg_dump", "--format=custom", "--file", str(archive), "--dbname", url),
        ("pg_restore", "--exit-on-error", "--dbname", copy, str(archive)),
    ):
        plain = [re.sub(r"^postgresql\+\w+:", "postgresql:", argument) for argument in arguments]
        program = str(Path(os.environ["IUCORE_TEST_BIN"]) / program)
        done = subprocess.run([program, *plain], capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
    assert check(at(copy)) == before


@pytest.mark.parametrize(
    "statement",
    [
        "grant insert on iucore.gate to iucore_author",
        "grant truncate on iucore.event_outbox to iucore_operator",
        "grant select on iucore.change_result to iucore_reader",
        "grant select on iucore.event_outbox_1 to iucore_reader",
        "grant insert on iucore.delivery_attempt_2 to iucore_worker",
        "grant execute on function iucore.fn_iu_delivery_fail to iucore_worker",
        "revoke execute on function iucore.fn_iu_sequence from iucore_worker",
        "revoke select on iucore.gate from iucore_worker",
        "grant select on iucore.gate to iucore_reader with grant option",
        "grant update (is_open) on iucore.gate to iucore_gatekeeper",
        "grant usage on sequence iucore.collection_member_id to iucore_author",
        "grant create on schema iucore to iucore_operator",
        "grant usage on schema iucore to public",
        "grant execute on function iucore.fn_iu_change_open to iucore_author",
        "grant execute on function iucore.fn_iu_gate_set to iucore_operator",
        "revoke execute on function iucore.fn_iu_create from iucore_author",
        "grant execute on function iucore.fn_iu_show to public",
        "revoke usage on type iucore.gate from public",
        "alter table iucore.gate owner to current_user",
        "create table iucore.more ()",
        "create view iucore.v_more as select 1",
        "create sequence iucore.more",
        "create type iucore.more as enum ('a')",
        "create function iucore.fn_iu_more() returns int language sql as 'select 1'",
        "create function iucore.fn_iu_show(int) returns int language sql as 'select 1'",
        "drop view iucore.v_composer_event",
        "alter default privileges for role iucore_owner in schema iucore grant select on tables to iucore_reader",
        "alter default privileges for role iucore_owner grant execute on functions to public",
    ],
)
def test_a_cell_that_differs_is_seen(shared: Database, statement: str) -> None:
    with shared.connection.transaction(force_rollback=True):
        shared.connection.execute(statement)
        with pytest.raises(AssertionError):
            check(shared)


# ---------------------------------------------------------------- tried


def outcome(connection: psycopg.Connection[Any], statement: str | sql.Composed) -> str | None:
    """The SQLSTATE with which a statement ends, rolled back in any case."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(statement)
    except psycopg.Error as error:
        return error.sqlstate
    return None


WRITES = (
    "insert into {0} default values",
    "insert into {0} ({1}) overriding system value select {1} from {0}",
    "update {0} set {1} = {1}",
    "update {0} set {1} = null where false",
    "delete from {0}",
    "delete from {0} where false",
    "truncate {0}",
    "truncate {0} cascade",
    "merge into {0} as t using (select 1) as s on true when matched then delete",
    "copy {0} from stdin",
    "lock table {0} in row exclusive mode",
    "lock table {0} in access exclusive mode",
    "alter table {0} disable trigger all",
    "drop table {0}",
)
# Who may read may not lock, and so holds up nobody who writes.
LOCKS = ("select * from {0} for key share", "select * from {0} for update")


def test_no_role_writes_a_table_whatever_it_tries(db: Database, login: Callable[[str | None], str]) -> None:
    tables = [
        (name, column)
        for name, column in db.query(
            "select c.relname::text, min(a.attname::text) from pg_class as c join pg_attribute as a"
            " on a.attrelid = c.oid and a.attnum > 0 and a.attidentity = '' and a.attgenerated = ''"
            " where c.relnamespace = 'iucore'::regnamespace and c.relkind in ('r', 'p', 'v') group by 1 order by 1"
        )
    ]
    may_read = {
        (role, line.object)
        for role in ROLES
        for line in GRANTED
        if line.privilege == "select" and set(line.roles) & those_of(role)
    }
    before = db.counts()
    tried = 0
    for role in [*ROLES, None]:
        if role == OWNER:
            continue
        with open_database(login(role)) as connection:
            assert outcome(connection, "set role iucore_owner") == "42501"
            assert outcome(connection, "set session authorization iucore_owner") == "42501"
            for table, column in tables:
                name = sql.Identifier("iucore", table)
                for statement in WRITES:
                    if statement.startswith("drop") and table.startswith("v_"):
                        continue
                    ended = outcome(connection, sql.SQL(statement).format(name, sql.Identifier(column)))
                    # A view that is no simple one is not to be written by anybody, and says so first; no view has rows
                    # to be truncated.
                    allowed = {"42501", "55000", "42809", "0A000"} if table.startswith("v_") else {"42501"}
                    assert ended in allowed, (role, statement, table, ended)
                    tried += 1
                ended = outcome(connection, sql.SQL("select * from {}").format(name))
                assert ended == (None if (role, table) in may_read else "42501"), (role, table, ended)
                tried += 1
                for statement in () if table.startswith("v_") else LOCKS:
                    assert outcome(connection, sql.SQL(statement).format(name)) == "42501", (role, statement, table)
                    tried += 1
            for sequence in (line.object for line in GRANTED if line.kind == "sequence"):
                for statement in (f"nextval('iucore.{sequence}')", f"setval('iucore.{sequence}', 1)"):
                    assert outcome(connection, sql.SQL(f"select {statement}").format()) == "42501", (role, statement)
                    tried += 1
    assert db.counts() == before
    print(f"tried: {tried}, refused as declared")


def test_each_function_is_open_to_its_roles_alone(db: Database, login: Callable[[str | None], str]) -> None:
    functions = db.query(
        "select p.proname::text, p.proargtypes::regtype[]::text[], p.prorettype = 'trigger'::regtype,"
        " p.provariadic <> 0 from pg_proc as p"
        " where p.pronamespace = 'iucore'::regnamespace order by 1"
    )
    may = {line.object: set(line.roles) for line in GRANTED if line.kind == "function"}
    before = db.counts()
    for role in [*ROLES, None]:
        if role == OWNER:
            continue
        theirs = those_of(role or "public")
        with open_database(login(role)) as connection:
            for name, arguments, trigger, variadic in functions:
                # Not plain nulls: a strict function of those is not even called.
                nulls = [f"(select null::{one})" for one in arguments]
                if variadic:
                    nulls[-1] = f"variadic {nulls[-1]}"
                ended = outcome(
                    connection, sql.SQL("select iucore.{}({})").format(sql.Identifier(name), sql.SQL(", ".join(nulls)))
                )
                if theirs & may[name]:
                    # Called, whatever it says of a null.
                    assert ended is None or ended[:2] in ("IU", "22"), (role, name, ended)
                else:
                    assert ended == "42501" or (trigger and ended == "0A000"), (role, name, ended)
    assert db.counts() == before


def test_what_runs_with_the_rights_of_its_caller_names_only_what_the_caller_may(db: Database) -> None:
    """A function of a reader that called an internal one would refuse with 42501 somewhere deep inside."""
    sources = dict(
        db.query(
            "select p.proname::text, regexp_replace(p.prosrc, '--[^\n]*', '', 'g') from pg_proc as p"
            " where p.pronamespace = 'iucore'::regnamespace and not p.prosecdef"
        )
    )
    sources |= dict(
        db.query(
            "select c.relname::text, pg_get_viewdef(c.oid) from pg_class as c"
            " where c.relnamespace = 'iucore'::regnamespace and c.relkind = 'v'"
        )
    )
    may = {line.object: set(line.roles) for line in GRANTED if line.kind in ("function", "table", "view")}
    for name, source in sources.items():
        used = set(re.findall(r"\biucore\.(\w+)", source)) & set(may)
        if name.startswith("v_"):
            # A view reads its tables with the rights of its owner, and calls functions with those of the reader.
            used = {one for one in used if one.startswith("fn_")}
        for role in may[name]:
            assert {one for one in used if not may[one] & those_of(role)} == set(), (name, role)

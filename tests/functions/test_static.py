"""What must hold of every object: owners, rights, search paths, comments, codes, and findings of plpgsql_check."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from functions_helpers import WORKERS, WRITERS, Database
from sqlalchemy.engine import make_url

ROOT = Path(__file__).resolve().parents[2]
SQL = ROOT / "sql"

FUNCTIONS = """
select p.proname, p.prosecdef, p.provolatile, coalesce(p.proconfig, '{}'), pg_get_userbyid(p.proowner),
    has_function_privilege('iucore_reader', p.oid, 'execute'), p.prosrc, l.lanname,
    p.prorettype = 'trigger'::regtype, has_function_privilege('iucore_operator', p.oid, 'execute')
from pg_proc as p join pg_language as l on l.oid = p.prolang
where p.pronamespace = 'iucore'::regnamespace
order by p.proname
"""


def writes(source: str) -> bool:
    return re.search(r"\b(insert into|update iucore|delete from)\b", re.sub(r"--.*", "", source)) is not None


def test_writers_are_security_definer_with_a_safe_search_path(db: Database) -> None:
    functions = {row[0]: row for row in db.query(FUNCTIONS)}
    definers = {name for name, row in functions.items() if row[1]}
    assert definers == {"fn_iu_" + name for name in WRITERS | WORKERS}
    for name in definers:
        assert "search_path=pg_catalog, pg_temp" in functions[name][3], name
        assert functions[name][2] == "v", name
        assert not functions[name][5], f"{name} is a writer that a reader may call"
    # What writes without being a definer can be reached through a definer only.
    for name, row in functions.items():
        if writes(row[6]) and not row[1]:
            assert not row[5], f"{name} writes and can be called by a reader"
            assert not row[9], f"{name} writes and can be called by an operator"
    # A function without SET is inlined: it may be in SQL only, and names everything with its schema.
    for name, row in functions.items():
        if not any(setting.startswith("search_path=") for setting in row[3]):
            # An aggregate has no text of its own.
            assert row[7] == "sql" or (name, row[7]) == ("fn_iu_ledger_chain", "internal"), name
            assert not re.search(r"\b(from|join|update|into)\s+(?!iucore\.|\()(v_|[a-z]+_[a-z_]+\s)", row[6]), name


def test_everything_belongs_to_the_owner_role(db: Database) -> None:
    assert {row[4] for row in db.query(FUNCTIONS)} == {"iucore_owner"}
    assert (
        db.query(
            "select relname, pg_get_userbyid(relowner) from pg_class"
            " where relnamespace = 'iucore'::regnamespace and pg_get_userbyid(relowner) <> 'iucore_owner'"
        )
        == []
    )
    assert db.value("select pg_get_userbyid(nspowner) from pg_namespace where nspname = 'iucore'") == "iucore_owner"
    assert db.query("select rolcanlogin, rolsuper, rolbypassrls from pg_roles where rolname = 'iucore_owner'") == [
        (False, False, False)
    ]


def test_public_has_no_right(db: Database) -> None:
    assert (
        db.query(
            "select p.proname from pg_proc as p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as a"
            " where p.pronamespace = 'iucore'::regnamespace and a.grantee = 0"
        )
        == []
    )
    assert (
        db.query(
            "select c.relname from pg_class as c, aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) as a"
            " where c.relnamespace = 'iucore'::regnamespace and a.grantee = 0"
        )
        == []
    )
    assert (
        db.query(
            "select 1 from pg_namespace as n, aclexplode(n.nspacl) as a where n.nspname = 'iucore' and a.grantee = 0"
        )
        == []
    )


def test_no_role_but_the_owner_may_write_a_table(db: Database) -> None:
    assert (
        db.query(
            "select c.relname, a.grantee::regrole, a.privilege_type from pg_class as c, aclexplode(c.relacl) as a"
            " where c.relnamespace = 'iucore'::regnamespace and a.grantee <> c.relowner"
            " and a.privilege_type <> 'SELECT'"
        )
        == []
    )


def test_no_function_is_overloaded(db: Database) -> None:
    names = [row[0] for row in db.query(FUNCTIONS)]
    assert len(names) == len(set(names))
    assert names == sorted(path.stem for path in (SQL / "functions").glob("*.sql"))


def test_every_object_has_a_comment(db: Database) -> None:
    assert (
        db.query(
            """
        select 'function', proname::text from pg_proc
        where pronamespace = 'iucore'::regnamespace and obj_description(oid, 'pg_proc') is null
        union all
        select 'relation', relname from pg_class
        where relnamespace = 'iucore'::regnamespace and relkind in ('r', 'v', 'm', 'S', 'p')
            and obj_description(oid, 'pg_class') is null
            -- The sequence of an identity column is part of its column.
            and not exists (select from pg_depend as d where d.objid = pg_class.oid and d.deptype = 'i')
        union all
        select 'column', c.relname || '.' || a.attname from pg_class as c join pg_attribute as a on a.attrelid = c.oid
        -- The columns of a partition are those of its table.
        where c.relnamespace = 'iucore'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
            and a.attnum > 0 and not a.attisdropped and col_description(c.oid, a.attnum) is null
        union all
        select 'schema', nspname from pg_namespace
        where nspname = 'iucore' and obj_description(oid, 'pg_namespace') is null
        """
        )
        == []
    )


def test_names_of_constraints_and_indexes_follow_the_rule(db: Database) -> None:
    names = db.query(
        # PostgreSQL itself names what a partition has from its table.
        "select conname from pg_constraint where connamespace = 'iucore'::regnamespace and contype <> 'n'"
        " and conparentid = 0 and coninhcount = 0"
        " union select relname from pg_class where relnamespace = 'iucore'::regnamespace and relkind in ('i', 'I')"
        " and not relispartition"
    )
    assert len(names) > 80
    assert [name for (name,) in names if not re.match(r"(pk|fk|uq|ck|idx)_[a-z0-9_]+$", name)] == []


READS: dict[str, dict[str, Any]] = {
    "as_of": {"change": None, "moment": None},
    "axis_list": {},
    "axis_show": {"address": "a"},
    "collection_axes": {"key": "f"},
    "collection_history": {"key": "f"},
    "collection_list": {},
    "collection_members": {"key": "f"},
    "collection_show": {"key": "f"},
    "collection_validate": {"key": "f"},
    "collection_where_used": {"key": "f"},
    "diff_input": {"address": "a"},
    "event_list": {},
    "event_type_list": {},
    "export_collections": {"keys": ["f", "g"]},
    "export_pieces": {"keys": ["f", "g"]},
    "find_content": {"sha256": ["ab"]},
    "gate_history": {},
    "gate_list": {},
    "history": {"address": "a"},
    "is_address": {"text": "a"},
    "is_attributes": {"attributes": "{}"},
    "is_name": {"text": "a", "max_characters": 3},
    "kind_list": {},
    "limit": {"name": "body_bytes"},
    "list": {},
    "registry_check": {},
    "render": {"key": "f"},
    "render_pieces": {"key": "f"},
    "render_workflow": {"key": "w", "format": "json"},
    "route_lag": {"event_type": "unit.created", "after": 0},
    "route_list": {},
    "search": {"text": "x"},
    "show": {"address": "a"},
    "show_many": {"addresses": ["a"]},
    "text": {"bytes": b"a"},
    "where_used": {"address": "a"},
}


# What is granted to another role than the reader.
READS_OF: dict[str, dict[str, dict[str, Any]]] = {
    "iucore_auditor": {
        "ledger_hash": {"hash": None, "said": "a", "before": b""},
        "ledger_head": {},
        "ledger_stray": {},
        "ledger_text": {
            **dict.fromkeys(("event_id", "event_type", "aggregatetype", "aggregateid", "subject", "delivery_lane")),
            **dict.fromkeys(("payload", "change_id", "actor", "claimed_actor", "traceparent", "created_at")),
        },
        "ledger_verify": {},
        "log_read": {},
    },
    "iucore_worker": {"log_read": {}, "route_show": {"route": "unit.created"}},
    "iucore_gatekeeper": {"route_show": {"route": "unit.created"}},
}


def test_readers_run_in_a_read_only_transaction_and_as_a_reader(
    db: Database, login: Callable[[str | None], str]
) -> None:
    db.piece("a", "x")
    db.file("f", "a", {"piece": "a", "version": 1})
    db.file("g", {"collection": "f"})
    db.file("w", "a", kind="workflow")
    db.one("route_configure", route="unit.created", transport="file")
    db.one("route_set", route="unit.created", enabled=True)
    db.one("sequence")
    db.call("delivery_dry_run", worker="w")
    functions = {row[0]: row for row in db.query(FUNCTIONS)}
    with log_in(login("iucore_reader")) as connection:
        reader = Database(connection)
        connection.execute("set default_transaction_read_only = on")
        for name, arguments in READS.items():
            assert functions["fn_iu_" + name][2] in "si", f"{name} is not stable"
            assert not functions["fn_iu_" + name][1], f"{name} does not run with the rights of its caller"
            reader.call(name, **arguments)
        assert reader.call("show", address="a")[0]["body"] == "x"
        assert reader.render("g") == "xx"
        assert reader.render("f", as_of_change=db.value("select max(change_id) from iucore.change")) == "xx"
        views = [view for (view,) in db.query("select viewname from pg_views where schemaname = 'iucore'")]
        assert len(views) >= 10
        for view in views:
            if view == "v_route_setting":
                refused(connection, f"select * from iucore.{view}")
            else:
                assert reader.query(f"select * from iucore.{view}") or view == "v_dead_letter"
    for role, reads in READS_OF.items():
        with log_in(login(role)) as connection:
            connection.execute("set default_transaction_read_only = on")
            for name, arguments in reads.items():
                assert functions["fn_iu_" + name][2] in "si", f"{name} is not stable"
                assert not functions["fn_iu_" + name][1], f"{name} does not run with the rights of its caller"
                assert Database(connection).call(name, **arguments) or name == "ledger_stray"
    # Whatever else a reader may call is called by these, or refuses.
    known = {*READS, *(name for reads in READS_OF.values() for name in reads)}
    rest = {name for name, row in functions.items() if row[5]} - {"fn_iu_" + name for name in known}
    inner = re.compile(
        r"fn_iu_(assert|refuse|is|text|pieces|members|standing|collection_id|collection_find|collection_measure|unit_id|mermaid|workflow|uuid7)"
    )
    assert {name for name in rest if not inner.match(name)} == set()
    for name in rest - {"fn_iu_uuid7"}:
        assert functions[name][2] in "si", f"{name} is not stable"


def log_in(url: str) -> psycopg.Connection[Any]:
    place = make_url(url)
    return psycopg.connect(
        host=place.host,
        port=place.port,
        user=place.username,
        password=place.password,
        dbname=place.database,
        autocommit=True,
    )


def refused(connection: psycopg.Connection[Any], statement: str) -> None:
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(statement)
    assert caught.value.sqlstate == "42501", f"{statement}: {caught.value}"


def test_an_author_passes_the_gate_and_only_the_gate(db: Database, login: Callable[[str | None], str]) -> None:
    with log_in(login("iucore_author")) as connection:
        author = Database(connection)
        author.piece("a", "x", actor="Ann")
        author.file("f", "a")
        author.edit("a", "y")
        assert author.render("f") == "y"
        user = connection.info.user
        assert author.query("select distinct actor from iucore.v_change") == [(user,)]
        connection.execute("create temp table mine (n int)")
        tables = [name for (name,) in db.query("select tablename from pg_tables where schemaname = 'iucore'")]
        assert len(tables) >= 12
        for table in tables:
            (column,) = db.query(
                "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 order by attnum desc",
                ["iucore." + table],
            )[0]
            refused(connection, f"insert into iucore.{table} default values")
            refused(connection, f"update iucore.{table} set {column} = {column}")
            refused(connection, f"delete from iucore.{table}")
            refused(connection, f"truncate iucore.{table}")
            refused(connection, f"alter table iucore.{table} add column n int")
        for statement in (
            "select nextval('iucore.collection_member_id')",
            "select setval('iucore.collection_member_id', 1)",
            "create table iucore.mine (n int)",
            "create function iucore.fn() returns int language sql as 'select 1'",
            "drop function iucore.fn_iu_limit",
            "set role iucore_owner",
            "select iucore.fn_iu_change_open('create', 'x', 'r', null, null, null)",
            "select iucore.fn_iu_content_put('x')",
            "select iucore.fn_iu_version_put('a', 2, 'x', null, null, null, 'edit', 'r', null, null)",
            "select iucore.fn_iu_ranks_spread(gen_random_uuid(), 1)",
            "select iucore.fn_iu_kind_register('k', 'T', 'D', 'r')",
            "select iucore.fn_iu_axis_register('k', 'T', 'union', 'r')",
            "select iucore.fn_iu_lifecycle_set('a', 2, 'retired', 'r')",
        ):
            refused(connection, statement)
    with log_in(login("iucore_operator")) as connection:
        operator = Database(connection)
        operator.one("kind_register", kind="k", title="T", description="D")
        operator.one("lifecycle_set", address="a", expected_version=2, lifecycle="retired")
        operator.piece("b", "x", kind="k")
        refused(connection, "delete from iucore.unit_version")


def test_a_reader_calls_no_writer_and_a_stranger_nothing(db: Database, login: Callable[[str | None], str]) -> None:
    db.piece("a", "x")
    signatures = dict(
        db.query(
            "select proname::text, pronargs from pg_proc where pronamespace = 'iucore'::regnamespace and prosecdef"
        )
    )
    assert len(signatures) == len(WRITERS | WORKERS)
    with log_in(login("iucore_reader")) as connection:
        for name, arguments in signatures.items():
            refused(connection, f"select iucore.{name}({', '.join(['null'] * arguments)})")
    with log_in(login(None)) as connection:
        refused(connection, "select * from iucore.fn_iu_show('a')")
        refused(connection, "select * from iucore.unit_content")


def test_temporary_tables_of_the_same_name_fool_nobody(db: Database, login: Callable[[str | None], str]) -> None:
    db.piece("taken", "x")
    tables = [name for (name,) in db.query("select tablename from pg_tables where schemaname = 'iucore'")]
    with log_in(login("iucore_author")) as connection:
        author = Database(connection)
        for table in tables:
            # What an author may not even read is taken from the catalog.
            columns = db.value(
                "select string_agg(quote_ident(attname) || ' ' || format_type(atttypid, atttypmod), ', '"
                " order by attnum) from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped",
                ["iucore." + table],
            )
            connection.execute(f"create temp table {table} ({columns})")
        connection.execute("insert into unit_kind (kind, title, description) values ('forged', 'F', 'F')")
        connection.execute("delete from information_unit")
        connection.execute(
            "create function pg_temp.fn_iu_is_address(text) returns boolean language sql as 'select true'"
        )
        connection.execute("create function pg_temp.sha256(bytea) returns bytea language sql as 'select $1'")
        connection.execute("create function pg_temp.same(text, text) returns boolean language sql as 'select true'")
        connection.execute("create operator pg_temp.= (leftarg = text, rightarg = text, procedure = pg_temp.same)")
        connection.execute("set search_path = pg_temp, iucore, pg_catalog")
        author.refuses("IU005", "create", address="x", kind="forged", title="T", body="b")
        author.refuses("IU005", "create_many", pieces=[{"address": "x", "kind": "forged", "title": "T", "body": "b"}])
        author.refuses("IU201", "create", address="taken", kind="text", title="T", body="b")
        author.refuses("IU010", "create", address="a b", kind="text", title="T", body="b")
        row = author.one("create", address="new", kind="text", title="T", body="b")
        author.one("collection_create", key="f", kind="file", title="T", members=[{"piece": "new"}])
    assert db.one("show", address="new")["unit_id"] == row["unit_id"]
    assert db.one("show", address="new")["content_sha256"] == row["content_sha256"]
    assert row["content_sha256"].startswith("3e23e8160039594a")
    assert db.members("f") == ["new"]


# ---------------------------------------------------------------- codes


def listed_codes() -> dict[str, str]:
    lines = (SQL / "errcodes.txt").read_text().splitlines()
    rows = [line.split(None, 2) for line in lines if re.match(r"IU\d{3}\b", line)]
    codes = [row[0] for row in rows]
    assert len(codes) == len(set(codes))
    assert len({row[1] for row in rows}) == len(rows), "two codes have one condition name"
    return {row[0]: row[2] for row in rows}


def sources() -> dict[str, str]:
    return {path.name: re.sub(r"--.*", "", path.read_text()) for path in SQL.rglob("*.sql")}


def test_every_code_that_is_raised_is_listed_and_the_other_way_round() -> None:
    listed = listed_codes()
    raised = {code for text in sources().values() for code in re.findall(r"'(IU\d{3})'", text)}
    assert raised
    assert raised - set(listed) == set()
    by_client = {code for code, meaning in listed.items() if "(client)" in meaning or code.startswith("IU9")}
    assert {code for code in listed if code not in by_client} - raised == set()


def test_every_error_says_what_which_and_what_next() -> None:
    found = 0
    for name, text in sources().items():
        for statement in re.findall(r"raise exception using(.*?);\s*(?=\n)", text, re.S):
            found += 1
            for part in ("errcode =", "message =", "detail =", "hint ="):
                assert part in statement, f"{name}: no {part} in {statement.strip()[:120]}"
    assert found > 30
    # Nothing raises in another way.
    for name, text in sources().items():
        assert not re.search(r"raise exception (?!using)", text), name


def test_headers_name_the_codes_that_a_function_raises() -> None:
    """A header that lists its codes lists at least those in its own text."""
    for path in (SQL / "functions").glob("*.sql"):
        text = path.read_text()
        header = "\n".join(re.findall(r"^\s*--.*", text, re.M))
        own = set(re.findall(r"errcode = '(IU\d{3})'", text))
        assert own <= set(re.findall(r"IU\d{3}", header)), (
            f"{path.name}: {own - set(re.findall(r'IU[0-9]{3}', header))}"
        )


# ---------------------------------------------------------------- plpgsql_check

CHECK = """
select p.proname::text, c.level, c.lineno, c.message, c.detail
from pg_proc as p
join pg_language as l on l.oid = p.prolang
cross join lateral plpgsql_check_function_tb(p.oid, fatal_errors => false, performance_warnings => true,
    security_warnings => true, extra_warnings => true) as c
where l.lanname = 'plpgsql' and p.pronamespace = 'iucore'::regnamespace and p.prorettype <> 'trigger'::regtype
"""


def test_plpgsql_check_finds_nothing(db: Database) -> None:
    if not db.value("select exists (select from pg_available_extensions where name = 'plpgsql_check')"):
        pytest.skip("this server has no plpgsql_check")
    db.connection.execute("create extension plpgsql_check")
    assert db.query(CHECK) == []
    # The check itself sees something.
    db.connection.execute(
        "create function iucore.fn_iu_wrong() returns int language plpgsql as 'begin return no_such(1); end'"
    )
    assert {row[0] for row in db.query(CHECK)} == {"fn_iu_wrong"}

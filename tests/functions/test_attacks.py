"""Attacks by somebody who may log in: each is refused, or changes nothing."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from functions_helpers import WORKERS, WRITERS, Database, Row
from governed_calls import grow_old
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.string import TextLoader
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from iucore import inventory

SQL = Path(__file__).resolve().parents[2] / "sql"

OLD = datetime.now(UTC) - timedelta(days=1)
# The lease that the stage holds, and its one event.
CLAIM = 5
TAKEN = 19
# A call of each writing function that succeeds on the stage.
WRITES: dict[str, dict[str, Any]] = {
    "kind_register": {"kind": "memo", "title": "T", "description": "D"},
    "create": {"address": "x", "kind": "text", "title": "T", "body": "b"},
    "create_many": {"pieces": '[{"address": "x", "kind": "text", "title": "T", "body": "b"}]'},
    "edit": {"address": "a", "expected_version": 1, "body": "y", "title": "T", "attributes": "{}"},
    "clone": {"source": "a", "address": "x", "title": "T"},
    "lifecycle_set": {"address": "a", "expected_version": 1, "lifecycle": "draft"},
    "collection_create": {"key": "x", "kind": "file", "title": "T", "members": '[{"piece": "a"}]'},
    "collection_add": {"key": "w", "member": "c", "at": "before", "anchor": "a", "label": "m", "transitions": "[]"},
    "collection_remove": {"key": "f", "member": "a"},
    "collection_reorder": {"key": "f", "member": "a", "at": "after", "anchor": "b"},
    "collection_pin": {"key": "f", "member": "a", "version": 1},
    "collection_unpin": {"key": "f", "member": "b"},
    "collection_replace": {"key": "f", "member": "a", "piece": "c"},
    "collection_rebalance": {"key": "f"},
    "step_set": {"key": "w", "member": "a", "label": "m", "transitions": '[{"on": "ok", "to": "end"}]'},
    "axis_register": {"axis": "more", "title": "T", "rule": "highest", "values": ["low", "high"]},
    "axis_set": {"address": "a", "axis": "topic", "values": ["v"]},
    "axis_refresh": {"key": "f"},
    "gate_set": {"gate": "delivery", "open": False},
    "event_type_register": {"event_type": "memo.sent", "title": "T", "lane": "delayed", "delta": True},
    "route_register": {"route": "more", "event_type": "unit.created", "title": "T"},
    "route_set": {"route": "unit.created", "enabled": True},
    "soft_delete": {"address": "c"},
    "restore": {"address": "d"},
    "retire": {"address": "c"},
    "record_render": {"key": "f"},
    "record_validation": {"key": "f"},
    "collection_soft_delete": {"key": "g"},
    "collection_restore": {"key": "h"},
    "route_configure": {"route": "hooks", "transport": "nats", "target": '{"stream": "s"}', "networks": ["10.0.0.0/8"]},
    "route_replay": {"route": "hooks", "first": 1},
    "route_skip": {"route": "hooks", "upto": 9},
    "sequencer_rebase": {},
    "events_prune": {"before": OLD},
}
# What a closed composer gate stops; a closed master gate stops all but gate_set.
COMPOSER = {name for name in WRITES if re.match(r"collection_|step_|record_|axis_refresh", name)}

# A call of each function of a worker that does something on the stage.
WORKS: dict[str, dict[str, Any]] = {
    "sequence": {},
    "delivery_take": {"worker": "w", "routes": ["more"], "live": True},
    "delivery_allowed": {"claim": CLAIM},
    "delivery_renew": {"claim": CLAIM},
    "delivery_record": {
        "claim": CLAIM,
        "handled": 1,
        "positions": [TAKEN],
        "outcomes": ["failed"],
        "errors": ["x"],
    },
    "delivery_dry_run": {"worker": "w"},
    "wake": {},
}

# A call of each reading function that has an argument of text, and of those whose result an attacker might bend.
READS: dict[str, dict[str, Any]] = {
    "as_of": {"change": 1, "moment": None},
    "assert_render": {"key": "f", "pieces": 1, "bytes": 1},
    "axis_list": {},
    "axis_show": {"address": "a"},
    "collection_axes": {"key": "f"},
    "collection_find": {"key": "f"},
    "collection_history": {"key": "f"},
    "collection_id": {"key": "f"},
    "collection_list": {"prefix": "f", "after": ""},
    "collection_members": {"key": "f"},
    "collection_show": {"key": "f"},
    "collection_validate": {"key": "f"},
    "collection_where_used": {"key": "f"},
    "diff_input": {"address": "a"},
    "event_list": {"event_type": "unit.created", "subject": "a"},
    "event_type_list": {},
    "export_collections": {"keys": ["f"]},
    "export_pieces": {"keys": ["f"]},
    "find_content": {"sha256": ["ab"], "kind": "text"},
    "gate_history": {"gate": "master"},
    "gate_list": {},
    "history": {"address": "a"},
    "is_address": {"text": "a"},
    "is_attributes": {"attributes": '{"a": [1]}'},
    "is_name": {"text": "a", "max_characters": 3},
    "is_open": {"opened": 1, "closed": 2, "as_of": 1},
    "kind_list": {},
    "limit": {"name": "body_bytes"},
    "ledger_hash": {"hash": None, "said": "a", "before": b"b"},
    "ledger_head": {},
    "ledger_stray": {},
    "ledger_text": {
        "event_id": "00000000-0000-7000-8000-000000000000",
        "event_type": "unit.created",
        "aggregatetype": "unit",
        "aggregateid": "a",
        "subject": "a",
        "delivery_lane": "immediate",
        "payload": '{"a": 1.50}',
        "change_id": 1,
        "actor": "a",
        "claimed_actor": None,
        "traceparent": "",
        "created_at": OLD,
    },
    "ledger_verify": {},
    "list": {"prefix": "a", "kind": "text", "after": ""},
    "log_read": {"event_type": "unit.created"},
    "mermaid_text": {"text": "a"},
    "refuse_deleted_collection": {"key": "h", "change_id": 1},
    "refuse_unknown_piece": {"address": "a"},
    "registry_check": {},
    "render": {"key": "f"},
    "render_pieces": {"key": "f"},
    "render_workflow": {"key": "w", "format": "mermaid"},
    "route_lag": {"event_type": "unit.created", "after": 0},
    "route_list": {},
    "route_show": {"route": "hooks"},
    "search": {"text": "a", "prefix": "", "collection": "f", "limit": 9, "all_versions": True},
    "show": {"address": "a"},
    "show_many": {"addresses": ["a"], "versions": [1], "bodies": True},
    "text": {"bytes": b"a"},
    "text_prefix": {"bytes": b"ab", "length": 1},
    "unit_id": {"address": "a"},
    "uuid7": {},
    "where_used": {"address": "a"},
}


@dataclass(frozen=True)
class Stage:
    """A database with something of each kind in it, and the way in for an attacker."""

    db: Database
    """As superuser."""
    log_in: Callable[..., psycopg.Connection[Any]]
    """Logs in as a member of the roles named, who may also make schemas and temporary objects."""


@pytest.fixture
def stage(db: Database, admin: psycopg.Connection[Any], login: Callable[[str | None], str]) -> Iterator[Stage]:
    for letter in "abcd":
        db.piece(letter, letter)
    db.file("f", "a", {"piece": "b", "version": 1})
    db.file("g")
    db.file("h")
    db.file("w", kind="workflow")
    db.add("w", "a", label="start")
    db.one("axis_register", axis="topic", title="T", rule="union")
    db.one("soft_delete", address="d")
    db.one("collection_soft_delete", key="h")
    grow_old(db)
    for route, event_type in (("hooks", None), ("more", "unit.created")):
        db.one("route_register", route=route, event_type=event_type, title="T")
    db.one("gate_set", gate="delivery", open=True)
    for route in ("hooks", "more"):
        db.one("route_configure", route=route, transport="file", target={"path": "p"})
        db.one("route_set", route=route, enabled=True)
    db.piece("e", "e")
    db.one("sequence")
    (taken,) = db.call("delivery_take", worker="w", routes=["hooks"], live=True, limit=1, lease="1 hour")
    assert (taken["claim"], taken["position"]) == (CLAIM, TAKEN)
    db.edit("e", "f")
    opened: list[psycopg.Connection[Any]] = []
    users: list[str] = []

    def log_in(*roles: str, **more: Any) -> psycopg.Connection[Any]:
        place = make_url(login(roles[0] if roles else None))
        users.append(str(place.username))
        for role in roles[1:]:
            admin.execute(f"grant {role} to {place.username}")
        db.connection.execute(f"grant create on database {place.database} to {place.username}")
        opened.append(
            psycopg.connect(
                host=place.host,
                port=place.port,
                user=place.username,
                password=place.password,
                dbname=place.database,
                autocommit=True,
                **more,
            )
        )
        # As text: a style of dates that the attacker sets is not one that the driver can read.
        opened[-1].adapters.register_loader("timestamptz", TextLoader)
        return opened[-1]

    yield Stage(db, log_in)
    for connection in opened:
        connection.close()
    for user in users:
        db.connection.execute(f"drop owned by {user} cascade")


ALL = ("iucore_operator", "iucore_gatekeeper", "iucore_auditor", "iucore_worker")
CALLS = WRITES | WORKS | READS
# They refuse where the isolation of the caller would show them the past.
READ_COMMITTED = {
    "delivery_dry_run",
    "delivery_record",
    "delivery_renew",
    "delivery_take",
    "events_prune",
    "route_replay",
    "route_skip",
    "sequence",
    "sequencer_rebase",
}


def call(
    connection: psycopg.Connection[Any], name: str, arguments: dict[str, Any], fate: str = "rollback"
) -> list[Row]:
    """A call in a transaction of its own that is taken back."""
    if name in WRITES:
        arguments = {"reason": "attack", **arguments}
    names = sql.SQL(", ").join(sql.SQL("{} => %s").format(sql.Identifier("p_" + key)) for key in arguments)
    statement = sql.SQL("select * from iucore.{}({})").format(sql.Identifier("fn_iu_" + name), names)
    with connection.transaction(force_rollback=fate == "rollback"), connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement, list(arguments.values())).fetchall()


def state_of(
    connection: psycopg.Connection[Any], name: str, arguments: dict[str, Any], fate: str = "rollback"
) -> tuple[str | None, Any]:
    """The SQLSTATE of the call, or what it returned without what is new in each call."""
    try:
        rows = call(connection, name, arguments, fate)
    except psycopg.Error as error:
        return error.sqlstate, None
    fresh = re.compile(r"(_id|_at|_change|moment)$|^(fn_iu_)?uuid7$|^(claim|since|fn_iu_delivery_renew)$")
    return None, [{key: value for key, value in row.items() if not fresh.search(key)} for row in rows]


def catalogue(db: Database) -> list[inventory.Item]:
    """Every object of iucore with its fingerprint."""
    info = db.connection.info
    url = f"postgresql+psycopg://{info.user}@{info.host}:{info.port}/{info.dbname}"
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        return inventory.actual(connection)


def contents(db: Database) -> dict[str, str]:
    """A hash of the rows of every table."""
    names = [
        name
        for (name,) in db.query(
            "select relname::text from pg_class where relnamespace = 'iucore'::regnamespace and relkind = 'r'"
        )
    ]
    return {
        name: db.value(f"select md5(coalesce(string_agg(t::text, '|' order by t::text), '')) from iucore.{name} as t")
        for name in names
    }


def normal(stage: Stage) -> dict[str, tuple[str | None, Any]]:
    """What each call does when nobody attacks."""
    with stage.log_in(*ALL) as connection:
        return {name: state_of(connection, name, arguments) for name, arguments in CALLS.items()}


def test_the_calls_of_these_tests_are_all_and_succeed(stage: Stage) -> None:
    assert set(WRITES) == WRITERS
    assert set(WORKS) == WORKERS
    granted = {
        name.removeprefix("fn_iu_")
        for (name,) in stage.db.query(
            "select proname::text from pg_proc where pronamespace = 'iucore'::regnamespace and not prosecdef"
            " and exists (select from unnest(%s::text[]) as r (role)"
            " where has_function_privilege(r.role, oid, 'execute'))",
            [["iucore_reader", *ALL]],
        )
    }
    # What takes ids only is called by the others.
    assert {*READS} <= granted
    assert granted - {*READS} == {
        "collection_measure",
        # An aggregate.
        "ledger_chain",
        "members_at",
        "pieces_at",
        "refuse_content",
        "standing_in",
        "workflow_reached",
        "workflow_ways",
    }
    failed = {name: state for name, (state, _) in normal(stage).items() if state}
    assert failed == {"refuse_unknown_piece": "IU001", "refuse_deleted_collection": "IU212"}


# ---------------------------------------------------------------- names that are taken by the attacker

TYPES = ("text", "jsonb", "json", "uuid", "bytea", "name", "record", "timestamptz", "int8", "bool", "xid8", "regclass")


def shadow_relations(stage: Stage, connection: psycopg.Connection[Any], schema: str) -> list[str]:
    """A table for each relation of iucore, with its columns, made by the attacker; returns their names.

    Gates are open in it, nothing is deleted or taken, and each request key has been used.
    """
    kind = "temp table" if schema == "pg_temp" else "table"
    made = []
    for name, columns in stage.db.query(
        "select c.relname::text, string_agg(format('%I %s', a.attname, format_type(a.atttypid, null)), ', '"
        " order by a.attnum) from pg_class as c join pg_attribute as a on a.attrelid = c.oid"
        " where c.relnamespace = 'iucore'::regnamespace and c.relkind in ('r', 'p', 'v') and a.attnum > 0"
        " and not a.attisdropped group by 1"
    ):
        connection.execute(f"create {kind} {schema}.{name} ({columns})")
        # The functions run as iucore_owner, who shall not be stopped by a lack of rights.
        connection.execute(f"grant all on {schema}.{name} to public")
        made.append(f"{schema}.{name}")
    for gate in ("master", "composer", "delivery"):
        connection.execute(f"insert into {schema}.gate values ('{gate}', 'T', true, null)")
    connection.execute(f"insert into {schema}.unit_kind (kind, title, description) values ('forged', 'F', 'F')")
    connection.execute(f"insert into {schema}.change_result select n, '{{}}' from generate_series(1, 999) as n")
    connection.execute(f"insert into {schema}.change (change_id, request_key, verb) values (1, 'used', 'create')")
    connection.execute(f"insert into {schema}.nesting_guard select from generate_series(1, 3)")
    for sequence in ("collection_member_id", "change_change_id_seq"):
        temp = "temp " if schema == "pg_temp" else ""
        connection.execute(f"create {temp}sequence {schema}.{sequence}")
        connection.execute(f"grant all on sequence {schema}.{sequence} to public")
    return made


def shadow_types(connection: psycopg.Connection[Any], schema: str) -> None:
    """Types named as those of pg_catalog and, by the tables, as those of iucore."""
    for name in TYPES:
        connection.execute(f'create type {schema}."{name}" as (forged pg_catalog.int4)')


def hashes(connection: psycopg.Connection[Any], tables: list[str]) -> dict[str, Any]:
    return {
        table: connection.execute(
            f"select pg_catalog.count(*), pg_catalog.md5(pg_catalog.string_agg(t::pg_catalog.text, '|'))"
            f" from {table} as t"
        ).fetchone()
        for table in tables
    }


def assert_gates_hold(stage: Stage, connection: psycopg.Connection[Any]) -> None:
    """Behind a closed gate each writer of this session refuses with the code of the gate."""
    stage.db.one("gate_set", gate="master", open=False)
    before = contents(stage.db)
    states = {name: state_of(connection, name, one)[0] for name, one in WRITES.items() if name != "gate_set"}
    assert states == dict.fromkeys(states, "IU100")
    states = {
        name: state_of(connection, name, one | {"request_key": "used"})[0]
        for name, one in WRITES.items()
        if name != "gate_set"
    }
    assert states == dict.fromkeys(states, "IU100")
    assert contents(stage.db) == before
    stage.db.one("gate_set", gate="master", open=True)
    stage.db.one("gate_set", gate="composer", open=False)
    states = {name: state_of(connection, name, one)[0] for name, one in WRITES.items()}
    assert states == {name: "IU101" if name in COMPOSER else None for name in WRITES}
    stage.db.one("gate_set", gate="composer", open=True)


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ("pg_temp", "pg_temp, iucore, pg_catalog"),
        ("pg_temp", "iucore, pg_temp"),
        ("pg_temp", "''"),
        ("mine", "mine, pg_catalog, iucore"),
    ],
)
def test_tables_types_and_sequences_of_our_names(stage: Stage, schema: str, path: str) -> None:
    want = normal(stage)
    connection = stage.log_in(*ALL)
    if schema == "mine":
        connection.execute("create schema mine; grant all on schema mine to public")
    tables = shadow_relations(stage, connection, schema)
    shadow_types(connection, schema)
    connection.execute(f"set search_path = {path}")
    before = hashes(connection, tables)
    for isolation in ("read committed", "serializable"):
        connection.execute(f"set default_transaction_isolation = '{isolation}'")
        for name, arguments in (WRITES | WORKS).items():
            unsuitable = isolation == "serializable" and name in READ_COMMITTED
            state = ("IU038", None) if unsuitable else want[name]
            assert state_of(connection, name, arguments) == state, (name, isolation)
    connection.execute("set default_transaction_isolation = 'read committed'")
    # Nothing was written into the attacker's tables either.
    assert hashes(connection, tables) == before
    refused = {"create": {"kind": "forged"}, "create_many": {"pieces": "[{}]"}, "edit": {"address": "forged"}}
    for name, change in refused.items():
        assert (state_of(connection, name, WRITES[name] | change)[0] or "").startswith("IU0"), name
    assert_gates_hold(stage, connection)
    # A gate that named its table without the schema would be open now.
    stage.db.one("gate_set", gate="master", open=False)
    stage.db.connection.execute(
        "do $$ begin execute replace(pg_get_functiondef('iucore.fn_iu_assert_gate'::regproc), 'iucore.gate', 'gate');"
        " end $$"
    )
    if schema == "pg_temp":
        assert state_of(connection, "create", WRITES["create"])[0] is None
    else:
        assert state_of(connection, "create", WRITES["create"])[0] == "42P01"


# ---------------------------------------------------------------- functions and operators of the attacker

PAIRED = (
    "text",
    "varchar",
    "int4",
    "int8",
    "float8",
    "uuid",
    "jsonb",
    "bytea",
    "bool",
    "timestamptz",
    "text[]",
    "jsonpath",
)
ARGUMENTS = (*PAIRED, "bpchar", "name", "int2", "numeric", "json", "xid8")
OPERATORS = {
    "bool": ("=", "<>", "<", ">", "<=", ">=", "~", "!~", "~~", "!~~", "^@", "@>", "?"),
    "text": ("||", "->>", "#>>"),
    "jsonb": ("->", "#>"),
    "int8": ("+", "-", "*", "/", "%"),
}
PLANTED = "XX999"


def planted(name: str, arguments: tuple[str, ...], returns: str) -> str:
    body = f"begin raise exception using errcode = '{PLANTED}', message = 'planted {name}({', '.join(arguments)})'; end"
    return f'create function trap."{name}"({", ".join(arguments)}) returns {returns} language plpgsql as $f${body}$f$'


def plant(db: Database) -> int:
    """A schema with an operator for each pair of types and a function for most lists of them: each raises when called.

    It holds every name that the SQL of iucore calls without a schema. An exact match in a schema later in the path is
    called rather than an inexact one in pg_catalog, so that it is the exact ones that must be there.
    """
    source = "\n".join(
        re.sub(r"--.*", "", path.read_text("utf-8"))
        for part in ("functions", "views")
        for path in (SQL / part).iterdir()
    )
    called = sorted(set(re.findall(r"(?<![.\w])([a-z_0-9]+)\(", source)))
    names = [
        name
        for (name,) in db.query(
            "select distinct proname::text from pg_proc where pronamespace = 'pg_catalog'::regnamespace"
            " and proname = any(%s) and proname <> all('{exists,row}') order by 1",
            [called],
        )
    ]
    assert len(names) > 60
    statements = []
    for returns, symbols in OPERATORS.items():
        for left, right in itertools.product(ARGUMENTS, repeat=2):
            statements.append(planted(f"op_{returns}", (left, right), returns))
            statements.extend(
                f"create operator trap.{symbol} (leftarg = {left}, rightarg = {right}, function = trap.op_{returns})"
                for symbol in symbols
            )
    for name in names:
        for length, types in ((0, ()), (1, ARGUMENTS), (2, PAIRED), (3, ("text", "int4", "bool"))):
            statements.extend(planted(name, one, "text") for one in itertools.product(types, repeat=length))
    db.connection.execute("create schema trap; set check_function_bodies = off")
    for start in range(0, len(statements), 1000):
        db.connection.execute(";".join(statements[start : start + 1000]))
    db.connection.execute("grant usage on schema trap to public; reset check_function_bodies")
    return len(statements)


def test_functions_and_operators_of_the_attacker_are_never_called(stage: Stage) -> None:
    want = normal(stage)
    assert plant(stage.db) > 10000
    connection = stage.log_in(*ALL)
    # The trap works: in the caller's own statement what is planted is called.
    for path, statement in (
        ("trap", "select array_position(array['a'], 'a'::text)"),
        ("trap, pg_catalog", "select 1 where 'a'::text = 'a'::text"),
        ("trap, pg_catalog", "select sha256('a'::bytea)"),
    ):
        connection.execute(f"set search_path = {path}")
        with pytest.raises(psycopg.Error) as caught:
            connection.execute(statement)
        assert caught.value.sqlstate == PLANTED
    # First in the path, even before pg_catalog: no writer cares, nor a reader that does more than one plain query.
    connection.execute("set search_path = trap, pg_catalog, pg_temp, iucore")
    got = {name: state_of(connection, name, one) for name, one in (WRITES | WORKS).items()}
    assert got == {name: want[name] for name in WRITES | WORKS}
    settled = {
        name.removeprefix("fn_iu_")
        for (name,) in stage.db.query(
            "select proname::text from pg_proc where pronamespace = 'iucore'::regnamespace and proconfig is not null"
        )
    }
    assert len(settled & {*READS}) > 20
    for name in settled & {*READS}:
        assert state_of(connection, name, READS[name]) == want[name], name
    # After pg_catalog, where a schema that all may write into stands in everybody's path: no reader calls it either,
    # and so nobody is made to run the attacker's function with his own rights.
    connection.execute("set search_path = trap")
    got = {name: state_of(connection, name, one) for name, one in READS.items()}
    assert {name: (got[name], want[name]) for name in READS if got[name] != want[name]} == {}
    views = stage.db.query(
        "select relname::text from pg_class where relnamespace = 'iucore'::regnamespace and relkind = 'v'"
    )
    for (view,) in views:
        connection.execute(f"select * from iucore.{view}").fetchall()
    connection.execute("set search_path = trap, pg_catalog")
    assert_gates_hold(stage, connection)
    # A writer that had lost its path would be caught.
    stage.db.connection.execute("alter function iucore.fn_iu_create reset search_path")
    assert state_of(connection, "create", WRITES["create"])[0] == PLANTED


def test_a_plan_made_under_the_attackers_path_is_not_used_by_a_writer(stage: Stage) -> None:
    """The writers ask fn_iu_is_address and others, which are inlined: a session may have called them before."""
    connection = stage.log_in(*ALL)
    for statement in (
        "create schema mine",
        "create function mine.yes(text, text) returns bool language sql immutable as 'select true'",
        "create function mine.no(text, text) returns bool language sql immutable as 'select false'",
        "create function mine.octet_length(text) returns int4 language sql immutable as 'select 5'",
        "create function mine.char_length(text) returns int4 language sql immutable as 'select 1'",
        "create operator mine.~ (leftarg = text, rightarg = text, function = mine.yes)",
        "create operator mine.!~ (leftarg = text, rightarg = text, function = mine.yes)",
        "create operator mine.= (leftarg = text, rightarg = text, function = mine.yes)",
        "create operator mine.<> (leftarg = text, rightarg = text, function = mine.no)",
        "set search_path = mine, pg_catalog",
        "prepare fooled as select iucore.fn_iu_is_address($1), iucore.fn_iu_is_name($1, 10), a.a"
        " from (values ($1)) as a (a)",
    ):
        connection.execute(statement)
    for _ in range(12):
        row = connection.execute("execute fooled (E'a b\\n')").fetchone()
        assert row is not None and row[0] is True, "the attacker fools himself"
        assert state_of(connection, "create", WRITES["create"] | {"address": "a b\n"})[0] == "IU010"
        assert state_of(connection, "create", WRITES["create"] | {"title": "a b\n"})[0] == "IU011"
        assert state_of(connection, "create", WRITES["create"] | {"reason": "a b\n"})[0] == "IU016"
        assert state_of(connection, "collection_create", WRITES["collection_create"] | {"key": "a b"})[0] == "IU010"
        assert state_of(connection, "create", WRITES["create"] | {"address": "a"})[0] == "IU201"
    connection.execute("set search_path = public")
    for _ in range(6):
        assert connection.execute("execute fooled ('a b')").fetchone() == (False, True, "a b")


# ---------------------------------------------------------------- settings

SETTINGS = {
    "iucore.undo_may_lose_rows": "on",
    "standard_conforming_strings": "off",
    "escape_string_warning": "off",
    "backslash_quote": "on",
    "array_nulls": "off",
    "transform_null_equals": "on",
    "bytea_output": "escape",
    "datestyle": "German, DMY",
    "intervalstyle": "sql_standard",
    "timezone": "Asia/Kathmandu",
    "extra_float_digits": "-15",
    "xmloption": "document",
    "quote_all_identifiers": "on",
    "row_security": "off",
    "check_function_bodies": "off",
    "default_transaction_isolation": "serializable",
    "work_mem": "64kB",
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_nestloop": "off",
    "enable_indexscan": "off",
    "enable_hashagg": "off",
    "enable_sort": "off",
    "from_collapse_limit": "1",
    "join_collapse_limit": "1",
    "geqo_threshold": "2",
    "jit": "off",
    "synchronous_commit": "off",
    "default_text_search_config": "pg_catalog.simple",
    "client_min_messages": "error",
    "lc_numeric": "C",
    "lc_time": "C",
    "search_path": '""',
}
NOT_FOR_USERS = {
    "session_replication_role": "replica",
    "lo_compat_privileges": "on",
    "ignore_checksum_failure": "on",
    "allow_system_table_mods": "on",
    "zero_damaged_pages": "on",
    "session_preload_libraries": "x",
    "temp_file_limit": "1",
    "log_statement": "none",
    "dynamic_library_path": "/tmp",
}
OF_PLPGSQL = {
    "plpgsql.variable_conflict": "use_variable",
    "plpgsql.check_asserts": "off",
    "plpgsql.extra_errors": "all",
}


def test_no_setting_of_a_session_changes_what_a_call_does(stage: Stage) -> None:
    want = normal(stage)
    connection = stage.log_in(*ALL)
    for name, value in (SETTINGS | OF_PLPGSQL).items():
        try:
            connection.execute("select set_config(%s, %s, false)", [name, value])
        except psycopg.errors.InsufficientPrivilege:
            assert name == "plpgsql.variable_conflict"
    # The isolation alone matters, and to these.
    connection.execute("reset default_transaction_isolation")
    got = {name: state_of(connection, name, one) for name, one in CALLS.items()}
    assert {name: (got[name], want[name]) for name in want if got[name] != want[name]} == {}
    connection.execute("set default_transaction_isolation = 'serializable'")
    got = {name: state_of(connection, name, one) for name, one in CALLS.items()}
    want |= dict.fromkeys(READ_COMMITTED, ("IU038", None))
    assert {name: (got[name], want[name]) for name in want if got[name] != want[name]} == {}
    connection.execute("set default_transaction_isolation = 'read committed'")
    # Where it was set before the language was loaded it is thrown away.
    assert connection.execute("show plpgsql.variable_conflict").fetchone() == ("error",)
    wrong = WRITES["event_type_register"] | {"event_type": "unitxcreated"}
    assert state_of(connection, "event_type_register", wrong)[0] == "IU034"
    assert state_of(connection, "route_register", WRITES["route_register"] | {"route": "unit xx"})[0] == "IU034"
    for name in NOT_FOR_USERS:
        with pytest.raises(psycopg.Error) as caught:
            connection.execute("select set_config(%s, %s, false)", [name, NOT_FOR_USERS[name]])
        assert caught.value.sqlstate in ("42501", "55P02"), name
    assert_gates_hold(stage, connection)


def test_settings_given_when_logging_in_do_not_help_either(stage: Stage) -> None:
    for setting in ("session_replication_role=replica", "plpgsql.variable_conflict=use_variable", "role=iucore_owner"):
        try:
            connection = stage.log_in(*ALL, options=f"-c {setting}")
        except psycopg.OperationalError as error:
            assert "permission denied" in str(error)
        else:
            call(connection, "create", WRITES["create"])
            name, value = setting.split("=")
            assert connection.execute(f"show {name}").fetchone() != (value,), setting


# ---------------------------------------------------------------- statements that are refused

REFUSED = (
    "set role iucore_owner",
    "set local role iucore_owner",
    "set session authorization iucore_owner",
    "set session authorization postgres",
    "set session_replication_role = replica",
    "alter schema iucore owner to current_user",
    "alter schema iucore rename to other",
    "alter table iucore.gate owner to current_user",
    "alter table iucore.gate disable trigger all",
    "alter table iucore.event_outbox disable trigger trg_event_outbox_append_only",
    "alter table iucore.event_outbox disable trigger user",
    "alter table iucore.gate enable row level security",
    "alter table iucore.gate drop constraint pk_gate",
    "alter table iucore.gate set schema mine",
    "alter table iucore.gate alter is_open set default true",
    "alter table iucore.gate set (fillfactor = 10)",
    "alter table iucore.gate replica identity nothing",
    "alter index iucore.idx_event_outbox_idempotent rename to x",
    "drop index iucore.idx_event_outbox_idempotent",
    "drop trigger trg_event_outbox_append_only on iucore.event_outbox",
    "drop table iucore.gate",
    "drop schema iucore cascade",
    "drop owned by iucore_owner",
    "reassign owned by iucore_owner to current_user",
    "drop role iucore_owner",
    "alter role iucore_owner login",
    "alter role iucore_author superuser",
    "alter role current_user bypassrls",
    "alter role iucore_gatekeeper set search_path = mine",
    "create role iucore_friend in role iucore_owner",
    "alter function iucore.fn_iu_create owner to current_user",
    "alter function iucore.fn_iu_create reset search_path",
    "alter function iucore.fn_iu_create security invoker",
    "alter function iucore.fn_iu_create set search_path = mine",
    "alter function iucore.fn_iu_create rename to fn_iu_create_old",
    "alter function iucore.fn_iu_create set schema mine",
    "alter function iucore.fn_iu_create depends on extension plpgsql",
    "drop function iucore.fn_iu_assert_gate",
    "create or replace function iucore.fn_iu_composer_assert_gate() returns void language sql as 'select'",
    "create or replace function iucore.fn_iu_assert_gate(p_gate text) returns void language sql as 'select'",
    "create function iucore.fn_iu_assert_gate(p_gate varchar) returns void language sql as 'select'",
    "create function iucore.fn_iu_more() returns int language sql as 'select 1'",
    "create table iucore.more ()",
    "create temp table t as select * from iucore.collection_member; create index on iucore.collection_member (label)",
    "create view iucore.v_more as select 1",
    "create type iucore.more as (a int)",
    "create operator iucore.= (leftarg = text, rightarg = text, function = pg_catalog.texteq)",
    "create trigger trg_mine before insert on iucore.change for each row execute function mine.fn()",
    "create trigger trg_mine after insert on iucore.gate execute function mine.fn()",
    "create rule mine as on insert to iucore.change do instead nothing",
    'create or replace rule "_RETURN" as on select to iucore.v_piece do instead select 1',
    "create policy mine on iucore.gate using (true)",
    "create event trigger mine on ddl_command_start execute function mine.fn()",
    "create statistics mine.s on gate, title from iucore.gate",
    "create table mine.child () inherits (iucore.gate)",
    "create table mine.child (like iucore.gate); alter table mine.child inherit iucore.gate",
    "create table mine.child (gate text references iucore.gate)",
    "create publication mine for table iucore.change",
    "create cast (iucore.gate as text) with inout as implicit",
    "create operator class mine.c default for type iucore.gate using btree as operator 1 <",
    "create function mine.c() returns int language c as 'x', 'y'",
    "alter database {database} set session_replication_role = replica",
    "alter database {database} owner to current_user",
    "alter default privileges for role iucore_owner grant all on tables to current_user",
    "alter default privileges for role iucore_owner in schema iucore grant execute on functions to public",
    "grant iucore_owner to current_user",
    "grant iucore_operator to iucore_reader",
    "grant iucore_reader to iucore_worker",
    "grant execute on function iucore.fn_iu_assert_gate to current_user",
    "grant execute on function iucore.fn_iu_change_open(text, text, text, text, text, jsonb) to current_user",
    "grant usage on sequence iucore.collection_member_id to current_user",
    "comment on table iucore.gate is 'mine'",
    "comment on function iucore.fn_iu_create is 'mine'",
    "cluster iucore.gate using pk_gate",
    "reindex table iucore.gate",
    "lock table iucore.gate in row share mode",
    "lock table iucore.gate in exclusive mode",
    "lock table iucore.gate in access exclusive mode",
    "lock table iucore.nesting_guard in share mode",
    "lock table iucore.v_piece in exclusive mode",
    "select * from iucore.gate for share",
    "select nextval('iucore.collection_member_id')",
    "copy iucore.gate from program 'true'",
    "copy iucore.gate from '/dev/null'",
    "copy (select 1) to program 'true'",
    "update pg_catalog.pg_proc set prosecdef = false where proname = 'fn_iu_create'",
    "update pg_catalog.pg_class set relowner = 10",
    "delete from pg_catalog.pg_auth_members",
    "select pg_catalog.pg_read_file('/etc/passwd')",
    "select pg_catalog.lo_export(1, '/tmp/x')",
    "with x as (insert into iucore.gate_switch values (1, 'master', true) returning *) select * from x",
    "merge into iucore.gate as t using (select 1) as s on true when matched then update set is_open = true",
    "update mine.through set is_open = true",
    "insert into mine.through values ('more', 'T', true, null)",
)
# Refused too, or PostgreSQL only warns and does nothing.
IDLE = (
    "grant insert on iucore.change to current_user",
    "grant update on iucore.gate to current_user",
    "grant select on iucore.gate to public",
    "grant all on iucore.change to current_user",
    "grant execute on all functions in schema iucore to public",
    "grant select on all tables in schema iucore to public",
    "grant execute on function iucore.fn_iu_create to public",
    "grant usage on schema iucore to public",
    "revoke select on iucore.gate from iucore_reader",
    "revoke execute on function iucore.fn_iu_gate_set from iucore_gatekeeper",
    "revoke usage on schema iucore from iucore_reader",
    "alter system set session_replication_role = replica",
    "vacuum full iucore.gate",
    "analyze iucore.gate",
)


def test_statements_that_would_open_a_door_are_refused(stage: Stage) -> None:
    connection = stage.log_in(*ALL)
    connection.execute("create schema mine")
    connection.execute("create function mine.fn() returns trigger language plpgsql as 'begin return null; end'")
    connection.execute("create view mine.through as select * from iucore.gate")
    before, rows = catalogue(stage.db), contents(stage.db)
    database = connection.info.dbname
    ended = {}
    for statement in REFUSED:
        try:
            with connection.transaction(force_rollback=True):
                connection.execute(statement.replace("{database}", database))
        except psycopg.Error as error:
            ended[statement] = error.sqlstate
        else:
            ended[statement] = None
    assert {one: state for one, state in ended.items() if state != "42501"} == {}
    for statement in IDLE:
        try:
            connection.execute(statement)
        except psycopg.Error as error:
            assert error.sqlstate == "42501", statement
    assert catalogue(stage.db) == before
    assert contents(stage.db) == rows


def test_a_reader_holds_up_nobody(stage: Stage) -> None:
    """The strongest locks that who may only read can get let writers and the gatekeeper go on."""
    reader = stage.log_in("iucore_reader")
    relations = stage.db.query(
        "select c.relname::text from pg_class as c where c.relnamespace = 'iucore'::regnamespace"
        " and c.relkind in ('r', 'p', 'v') and has_table_privilege('iucore_reader', c.oid, 'select')"
    )
    reader.execute("begin isolation level serializable")
    for (name,) in relations:
        reader.execute(f"lock table iucore.{name} in access share mode")
        reader.execute(f"select * from iucore.{name}").fetchall()
    connection = stage.log_in(*ALL)
    connection.execute("set lock_timeout = '2s'")
    states = {name: state_of(connection, name, one)[0] for name, one in (WRITES | WORKS).items()}
    # But partitions of events are not emptied while somebody reads them.
    assert {name: state for name, state in states.items() if state} == {"events_prune": "IU910"}
    reader.rollback()


def test_an_advisory_lock_of_a_stranger_holds_up_its_one_request_key(stage: Stage) -> None:
    """Whoever may connect may take advisory locks: he must guess a request key, and stops calls with that key alone."""
    stranger, author = stage.log_in(), stage.log_in("iucore_author")
    stranger.execute("select pg_advisory_lock(hashtextextended('guessed', 0))")
    author.execute("set lock_timeout = '100ms'")
    assert state_of(author, "create", WRITES["create"] | {"request_key": "guessed"})[0] == "55P03"
    assert state_of(author, "create", WRITES["create"] | {"request_key": "other"})[0] is None
    assert state_of(author, "create", WRITES["create"])[0] is None


# ---------------------------------------------------------------- who it was


def test_the_recorded_actor_is_who_logged_in(stage: Stage) -> None:
    connection = stage.log_in("iucore_operator", "iucore_gatekeeper")
    user = connection.info.user
    for role in (None, "iucore_author", "iucore_operator", "none"):
        connection.execute(f"set role {role}" if role else "reset role")
        for claimed in (None, "postgres", "iucore_owner", "Ann"):
            arguments = WRITES["edit"] | {"actor": claimed, "body": f"{role} {claimed}"}
            arguments["expected_version"] = stage.db.value(
                "select head_version from iucore.information_unit where address = 'a'"
            )
            row = call(connection, "edit", arguments, "commit")[0]
            for table in ("change", "event_outbox"):
                assert stage.db.query(
                    f"select actor, claimed_actor from iucore.{table} where change_id = %s", [row["change_id"]]
                ) == [(user, claimed)], (role, table)
    connection.execute("set role iucore_gatekeeper")
    stage_row = call(connection, "gate_set", WRITES["gate_set"] | {"actor": "somebody else"}, "commit")[0]
    assert stage.db.query(
        "select actor, claimed_actor from iucore.fn_iu_gate_history('delivery') where change_id = %s",
        [stage_row["change_id"]],
    ) == [(user, "somebody else")]
    # Inside a function of another owner too.
    connection.execute("reset role")
    owner = stage.log_in("iucore_author")
    owner.execute("create schema mine; grant usage on schema mine to public")
    owner.execute(
        "create function mine.fn() returns bigint language sql security definer as"
        " $f$ select change_id from iucore.fn_iu_create('by/proxy', 'text', 'T', 'b', 'r', p_actor => 'Bob') $f$"
    )
    ((change,),) = connection.execute("select mine.fn()").fetchall()
    assert stage.db.query("select actor, claimed_actor from iucore.change where change_id = %s", [change]) == [
        (user, "Bob")
    ]


# ---------------------------------------------------------------- text that looks like SQL

HOSTILE = (
    "'; drop table iucore.gate cascade; --",
    "'); update iucore.gate set is_open = true; --",
    "a' || (select iucore.fn_iu_gate_set('master', false, 'x')) || '",
    "$$; drop schema iucore cascade; $$",
    "$iu$ $body$ $_$ $f$",
    "%s %I %L %% %1$I %999999999s",
    "\\'; select 1; --",
    "\\",
    "E'\\x27\\047\\u0027'",
    '"; drop table iucore.gate; --',
    "{0} :name ${1} $1",
    "/* */ -- \n; select pg_sleep(0)",
    "a\u202eb\u2066c",
    "\u0001\u007f\ufeff\ufffe",
    "\U000f0000\U0010ffff",
    "null",
    "",
    " ",
    "*",
    "..",
    "../../etc/passwd",
    "(",
    "[a-",
    "{a,b}",
    '{"a": 1}',
    '[{"piece": "a"}]',
    "iucore.gate",
    "x" * 5000,
    "a/" * 40000,
)
JSONS = (
    "{",
    "[]",
    "{}",
    "null",
    "1e400000",
    '"text"',
    '["a"]',
    "[null]",
    "[[]]",
    '{"a": "\\u0000"}',
    '{"a": "\\ud800"}',
    "[" * 200 + "]" * 200,
    "[" * 20000 + "]" * 20000,
    *(json.dumps({"a": one, one: "a"}) for one in HOSTILE),
    *(json.dumps([{"piece": one}]) for one in HOSTILE),
    *(json.dumps([{"on": one, "to": one}]) for one in HOSTILE),
    *(json.dumps([{"address": one, "kind": one, "title": one, "body": one}]) for one in HOSTILE),
    *(json.dumps([{"address": "x/1", "kind": "text", "title": one, "body": one}]) for one in HOSTILE),
    *(json.dumps([{"collection": one, "label": one, "version": one}]) for one in HOSTILE),
)
# What is no JSON, or holds what a text cannot, is refused before the call; so is what is nested deeper than the stack.
DATA_ERRORS = {"22P02", "22P05", "54001", "22003"}
OTHERS_OF_WRITERS = ("reason", "actor", "request_key")


def arguments_of(db: Database) -> dict[str, dict[str, str]]:
    """The types of the arguments of each function."""
    return {
        name.removeprefix("fn_iu_"): dict(zip((one.removeprefix("p_") for one in names), types, strict=True))
        for name, names, types in db.query(
            "select proname::text, proargnames[1:pronargs], proargtypes::regtype[]::text[] from pg_proc"
            " where pronamespace = 'iucore'::regnamespace and pronargs > 0 and proargnames is not null"
        )
    }


def hostile(kind: str) -> list[Any]:
    """Values for an argument of a type."""
    return {
        "text": list(HOSTILE),
        "jsonb": list(JSONS),
        "json": list(JSONS),
        "text[]": [[], [None], *([one] for one in HOSTILE), [*HOSTILE], [["a"], ["b"]]],
        "bytea": [one.encode() for one in HOSTILE] + [b"\x00", b"\xff\xfe", b"\xed\xa0\x80"],
    }.get(kind, [])


PARTS = 4


@pytest.mark.parametrize("part", range(PARTS))
def test_text_that_looks_like_sql_stays_text_or_is_refused(stage: Stage, part: int) -> None:
    connection = stage.log_in(*ALL)
    signatures = arguments_of(stage.db)
    before, rows = catalogue(stage.db), contents(stage.db)
    tried = 0
    unwanted: dict[tuple[Any, ...], str | None] = {}
    stored = 0
    for name, base in list(CALLS.items())[part::PARTS]:
        for argument, kind in signatures.get(name, {}).items():
            # What all writers have is looked at in one place: there the half will do.
            for value in hostile(kind)[: 12 if argument in OTHERS_OF_WRITERS else None]:
                arguments = {"reason": "attack", **base} if name in WRITES else base
                state, _ = state_of(connection, name, arguments | {argument: value})
                tried += 1
                if state is None:
                    stored += 1
                elif not (state.startswith("IU") or (kind in ("json", "jsonb") and state in DATA_ERRORS)):
                    unwanted[name, argument, str(value)[:60]] = state
    assert unwanted == {}
    print(f"injection: {tried} calls, {tried - stored} refused, {stored} kept as text")
    assert tried > 500 and stored > 100
    assert catalogue(stage.db) == before
    assert contents(stage.db) == rows


def test_what_is_kept_is_kept_to_the_letter(stage: Stage) -> None:
    connection = stage.log_in(*ALL)
    kept = 0
    for number, value in enumerate(HOSTILE):
        body = call(connection, "create", WRITES["create"] | {"address": f"body/{number}", "body": value}, "commit")
        assert stage.db.one("show", address=f"body/{number}")["body"] == value
        assert body[0]["byte_length"] == len(value.encode())
        for argument, column in (("title", None), ("reason", "reason"), ("actor", "claimed_actor")):
            arguments = WRITES["create"] | {"address": f"{argument}/{number}", argument: value}
            state, _ = state_of(connection, "create", arguments, "commit")
            assert state in (None, "IU011", "IU016", "IU017")
            if state is None:
                kept += 1
                where = f"{argument}/{number}"
                shown = (
                    stage.db.one("show", address=where)["title"]
                    if column is None
                    else stage.db.value(
                        f"select {column} from iucore.change where subject = %s and verb = 'create'", [where]
                    )
                )
                assert shown == value
        attributes = json.dumps({"a": value})
        arguments = WRITES["create"] | {"address": f"attributes/{number}", "attributes": attributes}
        state, _ = state_of(connection, "create", arguments, "commit")
        assert state == (None if len(attributes) < 65536 else "IU015")
        if state is None:
            assert stage.db.one("show", address=f"attributes/{number}")["attributes"] == {"a": value}
        # The key returns its first result to the letter, and belongs to who used it first.
        arguments = WRITES["create"] | {"address": f"key/{number}", "request_key": value}
        state, first = state_of(connection, "create", arguments, "commit")
        assert state in (None, "IU017")
        if state is None:
            assert state_of(connection, "create", arguments, "commit") == (None, first)
            assert state_of(connection, "create", arguments | {"body": "other"}, "commit")[0] == "IU203"
            assert state_of(stage.db.connection, "create", arguments, "commit")[0] == "IU203"
    assert kept > 30


def test_no_text_with_u0000_comes_in(stage: Stage) -> None:
    """The protocol cannot carry it in a text; escaped in JSON the gate refuses it."""
    connection = stage.log_in(*ALL)
    for pieces in (
        '[{"address": "x", "kind": "text", "title": "T", "body": "a\\u0000b"}]',
        '[{"address": "x\\u0000", "kind": "text", "title": "T", "body": "b"}]',
    ):
        assert state_of(connection, "create_many", {"pieces": pieces})[0] in ("IU012", "IU019")
    with pytest.raises(psycopg.Error) as caught:
        call(connection, "create", WRITES["create"] | {"body": "a\x00b"})
    assert caught.value.sqlstate in (None, "22021")

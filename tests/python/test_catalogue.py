"""The operator commands: the catalogue against the catalog and its page, and what a command becomes, run by psql."""

from __future__ import annotations

import doctest
import hashlib
import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import psycopg
import psycopg2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers import HOST, USER, Server
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

from iucore import _call, commands, errors, units
from iucore.operations import effects

ROOT = Path(__file__).resolve().parents[2]
BY_NAME = {command.name: command for command in commands.CATALOGUE}
WANTED = """create_piece edit_piece clone_piece create_file create_workflow add_piece remove_piece reorder_piece
    pin_piece validate render refresh_axes retire_piece soft_delete_piece restore_piece where_used show_collection"""
SQL_TYPES = {
    "line": {"text"},
    "text": {"text"},
    "integer": {"bigint"},
    "boolean": {"boolean"},
    "json": {"json", "jsonb"},
    "moment": {"timestamp with time zone"},
}
VALUES: dict[str, Any] = {
    "line": "a/one",
    "text": "Text.\n",
    "integer": 1,
    "boolean": True,
    "json": [],
    "moment": datetime(2026, 1, 31, 12, tzinfo=UTC),
}
# Everything that a reader of SQL, of psql or of a terminal might take for something else.
AWKWARD = [
    "",
    "'",
    "\\",
    "\\'",
    "''\\\\''",
    "a\\nb",
    "\n\\q\n\\! false\n\\.\n",
    "$$ $x$ $1 ${a}",
    ":name :'name' :\"name\" %s %% %(x)s {x}",
    "-- remark\n/* open",
    "'; rollback; select 1/0; --",
    "commit;\nbegin;\n",
    "one\r\ntwo\rthree\n\r\n",
    "trailing \t \n  \n",
    "\ufeffbom, e\u0301, \u202e, \u2028, \u0085, \x7f, \x1b[31m, \x01\x0c\x0b",
    "\U0001f600\U0001f1fb\U0001f1f3 Người lao động",
    "あ'い\\う 表示 能力 \u8868\\",
    "E'\\047' U&'\\0041' \\u0041 \\x41 \\101",
    "exit\nquit\nhelp\n",
    "\u00ff\u0100\ud7ff\ue000\ufffd\U0010ffff",
]


# --- the catalogue ---------------------------------------------------------------------------------------------------


def test_seventeen_commands() -> None:
    assert [command.name for command in commands.CATALOGUE] == [f"dot_iu_{name}" for name in WANTED.split()]


FUNCTION = """
    select p.proargnames[1:p.pronargs] as names, p.pronargs - p.pronargdefaults as required, p.provolatile,
        array(select format_type(t.oid, null) from unnest(p.proargtypes) with ordinality as t (oid, n) order by t.n)
            as types,
        array(select pg_get_function_arg_default(p.oid, n) from generate_series(1, p.pronargs) as n order by n)
            as defaults,
        array(
            select r.rolname::text from aclexplode(p.proacl) as a join pg_roles as r on r.oid = a.grantee
            where r.oid <> p.proowner
        ) as granted
    from pg_proc as p
    where p.pronamespace = 'iucore'::regnamespace and p.proname = %(function)s
"""


def test_commands_equal_their_functions(connection: Connection) -> None:
    for command in commands.CATALOGUE:
        (row,) = connection.exec_driver_sql(FUNCTION, {"function": command.function}).all()
        given = {parameter.argument: parameter for parameter in command.parameters}
        assert len(given) == len(command.parameters), command.name
        assert given.keys() | {f"p_{fixed}" for fixed in command.fixed} == set(row.names), command.name
        assert [name for name in row.names if name in given] == list(given), "in the order of the function"
        assert row.granted == [command.role], command.name
        assert command.writes == (row.provolatile == "v") == bool(command.events), command.name
        assert command.writes or not command.destructive
        for place, (argument, kind, default) in enumerate(zip(row.names, row.types, row.defaults, strict=True)):
            if argument in given:
                parameter, case = given[argument], (command.name, argument)
                assert kind in SQL_TYPES[parameter.type], case
                assert parameter.required == (place < row.required), case
                plain = None if default is None or default.startswith("NULL") else default
                assert parameter.default == (plain and re.sub(r"^'(.*)'::\w+$", r"\1", plain)), case


@pytest.mark.parametrize("name", BY_NAME)
def test_command_calls_its_function(name: str) -> None:
    command = BY_NAME[name]
    governed = commands.resolve(name, **{one.name: VALUES[one.type] for one in command.parameters if one.required})
    assert governed.command is command and governed.call.function == command.function
    assert {f"p_{one.name}" for one in command.parameters if one.required} <= governed.call.arguments.keys()
    assert all(governed.call.arguments.get(f"p_{key}", value) == value for key, value in command.fixed.items())
    assert (command.affects == "piece") <= any(one.name == "address" for one in command.parameters)
    assert (command.affects == "collection") <= any(one.name == "key" for one in command.parameters)
    assert command.name.isascii() and command.purpose.isascii() and "\n" not in command.purpose


def test_examples_of_the_module() -> None:
    failed, attempted = doctest.testmod(commands, optionflags=doctest.ELLIPSIS)
    assert attempted and not failed


def test_events_are_registered(connection: Connection) -> None:
    known = set(connection.exec_driver_sql("select event_type from iucore.event_type").scalars())
    assert {event for command in commands.CATALOGUE for event in command.events} <= known


def test_page_is_what_the_catalogue_says() -> None:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "scripts" / "_reference.py")
    assert spec is not None and spec.loader is not None
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    page = (ROOT / "docs" / "reference" / "commands.md").read_text()
    assert page == reference.catalogue(), "run scripts/reference"
    assert all(f"\n## {name}\n" in page for name in BY_NAME)


def test_every_table_with_changes_is_watched(connection: Connection) -> None:
    found = connection.exec_driver_sql(
        """
        select c.conrelid::regclass::text as home, a.attname
        from pg_constraint as c
        join pg_attribute as a on a.attrelid = c.conrelid and a.attnum = any (c.conkey)
        where c.contype = 'f' and c.confrelid = 'iucore.change'::regclass
        """
    ).all()
    watched = {(f"iucore.{table}", column) for table, _, *columns in effects.TABLES for column in columns if column}
    # Heads, registries, switches and what belongs to the call itself: none of the commands opens rows of them.
    others = {"axis", "unit_kind", "gate", "gate_switch", "event_type", "route", "route_switch", "change_result"}
    others |= {"event_outbox", "collection_deletion", "route_setting", "dead_letter", "ledger_anchor"}
    heads = {("iucore.collection", "head_change"), ("iucore.collection", "deleted_change")}
    heads |= {("iucore.information_unit", "deleted_change")}
    left = {(home, name) for home, name in found if home.removeprefix("iucore.") not in others} - heads
    assert left == watched


# --- resolve ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "typed", ["dot_iu_add_piece", "dot-iu-add-piece", "add_piece", "add-piece", "DOT_IU_Add-Piece"]
)
def test_names_that_are_accepted(typed: str) -> None:
    assert commands.find(typed).name == "dot_iu_add_piece"


@pytest.mark.parametrize(
    ("typed", "nearest"),
    [
        ("dot_iu_creat_piece", "dot_iu_create_piece"),
        ("restor-piece", "dot_iu_restore_piece"),
        ("rendr", "dot_iu_render"),
    ],
)
def test_mistyped_name(typed: str, nearest: str) -> None:
    with pytest.raises(errors.NotFoundError) as caught:
        commands.resolve(typed)
    assert caught.value.sqlstate == "IU043" and f"nearest: {nearest}" in caught.value.detail
    assert "iucore cmd list" in caught.value.hint


def test_name_that_is_like_nothing() -> None:
    with pytest.raises(errors.NotFoundError) as caught:
        commands.find("xyzzy" * 100)
    assert "nearest" not in caught.value.detail and len(caught.value.detail) == 80


PIECE = {"address": "a/one", "kind": "text", "title": "T", "body": "x", "reason": "r"}
WRONG: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "unknown": ("create_piece", {**PIECE, "attribute": {}}, "IU036", "attribute: unknown, nearest: attributes"),
    "unlike": ("create_piece", {**PIECE, "qqq": 1}, "IU036", "qqq: unknown"),
    "missing": (
        "create_piece",
        {"address": "a"},
        "IU036",
        "kind: missing; title: missing; body: missing",
    ),
    "none": ("create_piece", {**PIECE, "body": None}, "IU036", "body: missing"),
    "bytes": ("create_piece", {**PIECE, "body": b"x"}, "IU036", "body: must be text, not bytes"),
    "number for text": ("create_piece", {**PIECE, "title": 3}, "IU036", "title: must be text, not int"),
    "text for json": ("create_piece", {**PIECE, "attributes": "{}"}, "IU036", "attributes: must be a JSON object or"),
    "no json": ("create_piece", {**PIECE, "attributes": {"a": {1, 2}}}, "IU036", "attributes"),
    "text for number": ("pin_piece", {"version": "1"}, "IU036", "version: must be a whole number that a bigint holds"),
    "boolean for number": ("pin_piece", {"version": True}, "IU036", "not bool"),
    "over a bigint": ("pin_piece", {"version": 2**63}, "IU036", "version"),
    "number for boolean": ("retire_piece", {"refuse_if_used": 1}, "IU036", "must be true or false, not int"),
    "text for moment": ("show_collection", {"key": "k", "as_of": "2026-01-01"}, "IU036", "must be a moment"),
    "moment without zone": ("show_collection", {"key": "k", "as_of": datetime(2026, 1, 1)}, "IU018", "2026"),
    "U+0000": ("create_piece", {**PIECE, "body": "a\0"}, "IU012", "offset: 1"),
    "surrogate": ("create_piece", {**PIECE, "title": "\udc80"}, "IU013", "title"),
    "surrogate in JSON": ("create_piece", {**PIECE, "attributes": {"a": "\ud800"}}, "IU013", "attributes"),
    "body too large": ("create_piece", {**PIECE, "body": "x" * 16_777_217}, "IU014", "16777217"),
    "no such name in a member": (
        "create_file",
        {"key": "k", "title": "T", "reason": "r", "members": [{"peace": "a"}]},
        "IU019",
        "peace",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_parameters(case: str) -> None:
    name, parameters, code, told = WRONG[case]
    with pytest.raises(errors.InvalidError) as caught:
        commands.resolve(name, **parameters)
    assert caught.value.sqlstate == code and told in caught.value.detail and caught.value.hint


def test_none_is_not_given() -> None:
    bare, same = commands.resolve("create_piece", **PIECE), commands.resolve("create_piece", **PIECE, actor=None)
    assert bare.digest == same.digest and bare.script == same.script and "p_actor" not in same.script


def test_digest_is_of_the_name_and_the_parameters() -> None:
    base = commands.resolve("create_piece", **PIECE, attributes={"a": 1, "b": [2]})
    same = commands.resolve("dot-iu-create-piece", attributes={"b": [2], "a": 1}, **dict(reversed(PIECE.items())))
    assert base.digest == same.digest and base.script.splitlines()[0] == same.script.splitlines()[0]
    others = [commands.resolve("create_piece", **{**PIECE, key: f"{value}."}) for key, value in PIECE.items()]
    others.append(commands.resolve("create_piece", **PIECE))
    others.append(commands.resolve("create_file", key="a/one", title="T", reason="r"))
    others.append(commands.resolve("create_workflow", key="a/one", title="T", reason="r"))
    assert len({base.digest, *(other.digest for other in others)}) == len(others) + 1
    moment = datetime(2026, 1, 31, 12, tzinfo=UTC)
    there = moment.astimezone(timezone(timedelta(hours=7)))
    both = [commands.resolve("show_collection", key="k", as_of=each).digest for each in (moment, there)]
    assert both[0] == both[1]


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=200))
def test_nothing_leaves_the_header(text: str) -> None:
    governed = commands.resolve(
        "create_piece", address=text, kind=text, title=text, body=text, reason=text, attributes={text: [text]}
    )
    header, rest = governed.script.split("\nbegin;\n", 1)
    lines = header.split("\n")
    assert header.isascii() and header.isprintable() == (len(lines) == 1)
    assert len(lines) == 8 and all(line.startswith("-- ") and line.replace("\x7f", "").isprintable() for line in lines)
    assert lines[-1] == f"-- digest: sha256 {governed.digest}"
    assert rest.startswith("set local client_encoding = 'UTF8';\nselect * from iucore.fn_iu_create(")
    assert rest.endswith(");\ncommit;\n")


def test_long_values_are_shortened_in_the_header() -> None:
    body = "Ask first.\n" * 1000
    script = commands.resolve("create_piece", **{**PIECE, "body": body}).script
    digest = hashlib.sha256(body.encode()).hexdigest()
    assert f"... (11000 bytes, sha256 {digest})\n" in script
    assert all(len(line) < 250 for line in script.split("\nbegin;\n")[0].splitlines())


def test_the_script_does_not_depend_on_what_the_process_did_before(server: Server) -> None:
    fresh = (
        "import sys; from iucore import commands; sys.stdout.buffer.write("
        "commands.resolve('create_piece', address='a', kind='text', title='T', reason='r', body=sys.argv[1])"
        ".script.encode())"
    )
    body = "".join(AWKWARD)
    alone = subprocess.run([sys.executable, "-c", fresh, body], capture_output=True, check=True, cwd=ROOT).stdout
    for options in ("-c standard_conforming_strings=off", "-c standard_conforming_strings=on"):
        for encoding in ("SJIS", "BIG5", "GB18030", "LATIN1", "UTF8"):
            with psycopg2.connect(
                host=HOST, port=server.port, user=USER, dbname="postgres", options=options, client_encoding=encoding
            ) as connection:
                connection.cursor().execute("select 1")
            connection.close()
            given = commands.resolve("create_piece", address="a", kind="text", title="T", reason="r", body=body)
            assert given.script.encode() == alone, (options, encoding)


# --- what psql makes of it -------------------------------------------------------------------------------------------


def psql_of(server: Server, url: str, *more: str) -> list[Any]:
    """psql, as the issue says."""
    where = ("-h", HOST, "-p", str(server.port), "-U", USER, "-d", url.rpartition("/")[2])
    return [server.programs / "psql", "-X", "-1", "-v", "ON_ERROR_STOP=1", "-f", "-", *where, *more]


@pytest.fixture
def psql(server: Server, url: str) -> Any:
    """Runs a script on the database of the test; returns stdout."""

    def run(script: str, **environment: str) -> str:
        done = subprocess.run(
            psql_of(server, url, "--csv", "-q"),
            input=script.encode(),
            capture_output=True,
            env={**os.environ, "PGCLIENTENCODING": "UTF8", **environment},
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr.decode(errors="replace")[-2000:]
        told = [line for line in done.stderr.decode().splitlines() if "WARNING" not in line]
        assert not told, "nothing but that a transaction has begun or is over"
        return done.stdout.decode()

    return run


@pytest.fixture
def own(url: str) -> Iterator[Connection]:
    """A connection that sees what psql commits."""
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection


SCRAM = "-c standard_conforming_strings=off -c escape_string_warning=off"


def test_every_body_survives(psql: Any, own: Connection) -> None:
    for options in ("", SCRAM):
        for encoding in ("UTF8", "LATIN1", "WIN1252", "SQL_ASCII", "EUC_JP", "SJIS", "BIG5", "GB18030"):
            place = f"{encoding.lower()}{len(options)}"
            scripts = [
                commands.resolve(
                    "create_piece",
                    address=f"{place}/{number}",
                    kind="text",
                    title="T",
                    body=body,
                    reason="r",
                    attributes={"b": body},
                ).script
                for number, body in enumerate(AWKWARD)
            ]
            psql("".join(scripts), PGCLIENTENCODING=encoding, PGOPTIONS=options)
            for number, body in enumerate(AWKWARD):
                piece = units.show(own, address=f"{place}/{number}")
                assert piece.body.encode() == body.encode() and piece.attributes == {"b": body}, (place, number)
                assert piece.content_sha256 == hashlib.sha256(body.encode()).hexdigest()


PIECE_AWKWARD = {"kind": "text", "title": "Nghỉ phép \\ 'x' \U0001f600", "body": "é", "reason": "lý do \\ 'y'"}


def test_the_script_stands_between_others(psql: Any, own: Connection) -> None:
    """The encoding of the client is its own again afterwards, and one script alone runs in ``-1`` as it is."""
    printed = psql(
        "\\pset tuples_only on\nshow client_encoding;\n"
        + commands.resolve("create_piece", address="a/é".replace("é", "e"), **PIECE_AWKWARD).script
        + "show client_encoding;\n",
        PGCLIENTENCODING="LATIN1",
    )
    assert printed.splitlines()[0] == printed.splitlines()[-1] == "LATIN1"
    assert units.show(own, address="a/e").title == PIECE_AWKWARD["title"]


def test_a_refusal_leaves_nothing(server: Server, url: str, own: Connection) -> None:
    script = commands.resolve("create_piece", **{**PIECE, "kind": "nonsense"}).script
    done = subprocess.run(psql_of(server, url), input=script.encode(), capture_output=True, check=False, timeout=60)
    assert done.returncode == 3 and b"kind" in done.stderr
    assert own.exec_driver_sql("select count(*) from iucore.change").scalar_one() == 0


BODIES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=80) | st.text(
    st.sampled_from("'\\\"$\n\r\t :;-/*%{}EUxuq0!é表\U0001f600\ufeff"), max_size=60
)
TITLES = st.text(st.sampled_from("aé表\U0001f600'\\\"$%:;-/*{} "), max_size=30).map(lambda text: f"t{text}t")
# All that was written below an address, but ids and moments.
WRITTEN = """
    select substr(u.address, length(%(place)s) + 1) as address, u.kind, v.version, v.title, v.attributes, k.body,
        encode(v.content_sha256, 'hex') as sha256, c.verb, c.actor, c.claimed_actor, c.reason, e.event_type,
        replace(e.payload::text, %(place)s, '') as payload
    from iucore.information_unit as u
    join iucore.unit_version as v on v.unit_id = u.unit_id
    join iucore.unit_content as k on k.content_sha256 = v.content_sha256
    join iucore.change as c on c.change_id = v.change_id
    join iucore.event_outbox as e on e.change_id = c.change_id
    where starts_with(u.address, %(place)s)
    order by u.address, v.version
"""


# The examples share one database, each below addresses of its own.
@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(pieces=st.lists(st.tuples(BODIES, TITLES), min_size=15, max_size=30))
def test_printed_sql_equals_the_library(psql_batch: Any, pieces: list[tuple[str, str]]) -> None:
    """Births and edits by the printed scripts and by the library: all the same but ids and moments, the same bytes."""
    psql, own, counter = psql_batch
    counter[0] += 1
    printed, called = f"printed{counter[0]:03}/", f"called{counter[0]:03}/"
    scripts = []
    for number, (body, title) in enumerate(pieces):
        rest = {"kind": "text", "title": title, "body": body, "reason": title, "attributes": {title: [body]}}
        new = {"expected_version": 1, "body": body + title, "reason": title, "actor": title}
        scripts.append(commands.resolve("create_piece", address=f"{printed}{number:03}", **rest).script)
        scripts.append(commands.resolve("edit_piece", address=f"{printed}{number:03}", **new).script)
        units.create(own, address=f"{called}{number:03}", **rest)
        units.edit(own, address=f"{called}{number:03}", **new)
    psql("".join(scripts))
    first, second = ([tuple(row) for row in own.exec_driver_sql(WRITTEN, {"place": at})] for at in (printed, called))
    assert first == second and len(first) == 2 * len(pieces)
    stored = [row[5].encode() for row in first]
    assert stored == [text.encode() for body, title in pieces for text in (body, body + title)]


@pytest.fixture
def psql_batch(psql: Any, own: Connection) -> tuple[Any, Connection, list[int]]:
    return psql, own, [0]


# --- effects ---------------------------------------------------------------------------------------------------------


def test_only_own_changes_are_counted(connection: Connection, own: Connection) -> None:
    """Also those of a function with a subtransaction, and not what another session commits in between."""
    with connection.begin() as transaction:
        units.create(connection, address="a/one", kind="text", title="T", body="x", reason="mine")
        units.create(own, address="a/two", kind="text", title="T", body="other", reason="of another session")
        call = commands.resolve("create_file", key="f", title="F", reason="r", members=[{"piece": "a/one"}]).call
        found = effects.observe(connection, call, collection="f")
        (last,) = found.change_ids
        seen = connection.exec_driver_sql("select change_id, reason from iucore.change order by change_id").all()
        assert len(seen) == 3
        mine = connection.exec_driver_sql(effects._OWN, {"last": 0}).all()
        assert [row.change_id for row in mine] == [seen[0].change_id, last]
        transaction.rollback()
    assert [change.table for change in found.changes] == ["change", "collection", "collection_member"]
    assert (found.renders[0].before, found.renders[0].after) == (None, "x")


def test_effects_of_a_refusal_are_its_error(connection: Connection) -> None:
    call = commands.resolve("edit_piece", address="a/none", expected_version=1, body="x", reason="r").call
    with connection.begin(), pytest.raises(errors.NotFoundError, match="IU001"):
        effects.observe(connection, call, piece="a/none")


def test_renders_over_the_limits(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effects, "MAX_RENDERS", 2)
    monkeypatch.setattr(effects, "MAX_BYTES", 10)
    with connection.begin():
        units.create(connection, address="a", kind="text", title="T", body="x" * 8, reason="r")
        for number in range(5):
            made = commands.resolve("create_file", key=f"f{number}", title="F", reason="r", members=[{"piece": "a"}])
            _call.execute(connection, made.call)
        call = commands.resolve("edit_piece", address="a", expected_version=1, body="y" * 11, reason="r").call
        found = effects.observe(connection, call, piece="a")
    assert [one.key for one in found.renders] == ["f0", "f1"] and found.more_renders == 3
    assert all(one.before == "x" * 8 and one.after is None for one in found.renders)
    assert found.renders[0].note == "11 bytes: too large to compare"


def test_both_drivers(url: str) -> None:
    with psycopg.connect(url.replace("+psycopg2", ""), autocommit=True) as plain:
        plain.execute(commands.resolve("create_piece", **PIECE).script)
    for driver in ("psycopg2", "psycopg"):
        engine = create_engine(url.replace("+psycopg2", f"+{driver}"), poolclass=NullPool)
        with engine.connect() as connection, connection.begin() as transaction:
            call = commands.resolve("edit_piece", address="a/one", expected_version=1, body="y", reason="r").call
            found = effects.observe(connection, call, piece="a/one")
            assert [event.event_type for event in found.events] == ["unit.edited"]
            assert [(one.table, one.opened) for one in found.changes] == [("change", 1), ("unit_version", 1)]
            transaction.rollback()

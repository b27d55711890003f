"""What is measured. Each job makes its own rows, in a database of its own."""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import psycopg

from _bench import archive, data, delivery, migrations, textcode
from _bench.harness import DifferentError, Line, Side, Skipped, paired, with_growth
from _bench.server import Bench, Database

# --- birth ---------------------------------------------------------------------------------------------------------

_CREATE = """
select * from iucore.fn_iu_create(p_address => %(address)s, p_kind => %(kind)s, p_title => %(title)s,
    p_body => %(body)s, p_reason => %(reason)s)"""
# The shortest statement that stores the same rows: no check but those of the tables, no function of iucore's own.
_INSERT = """
with g as (
    insert into beside.change (verb, subject, reason) values ('create', %(address)s, %(reason)s) returning change_id
),
c as (
    insert into beside.unit_content (content_sha256, byte_length, body)
    values (sha256(convert_to(%(body)s, 'UTF8')), octet_length(%(body)s), %(body)s)
    on conflict do nothing
),
u as (
    insert into beside.information_unit (unit_id, address, kind, head_version, head_sha256, change_id)
    select {uuid}, %(address)s, %(kind)s, 1, sha256(convert_to(%(body)s, 'UTF8')), g.change_id from g
    returning unit_id, head_sha256, change_id
)
{event}
insert into beside.unit_version (unit_id, version, content_sha256, title, lifecycle, attributes, change_id)
select u.unit_id, 1, u.head_sha256, %(title)s, 'active', '{{}}', u.change_id from u
returning unit_id, version, encode(content_sha256, 'hex'), change_id"""
_INSERT_EVENT = """,
e as (
    insert into beside.event_outbox_0
        (id, aggregatetype, aggregateid, type, payload, event_subject_ref, delivery_lane, change_id, actor, slot)
    select {uuid}, 'unit', u.unit_id::text, 'created',
        jsonb_build_object('kind', %(kind)s::text, 'version', 1, 'sha256', encode(u.head_sha256, 'hex')), %(address)s,
        'immediate', u.change_id, session_user, 0
    from u
)"""


def birth(bench: Bench) -> Iterator[Line]:
    """One piece, one transaction."""
    for commit, clients in itertools.product(("on", "off"), bench.sizes.clients):
        with bench.database() as database, ExitStack() as stack:
            database.clone_tables()
            connections = [stack.enter_context(database.author(commit)) for _ in range(clients)]
            pool = stack.enter_context(ThreadPoolExecutor(clients))
            prefix = f"birth/{commit}/{clients}"
            uuid = "uuidv7()" if connections[0].info.server_version >= 180000 else "gen_random_uuid()"
            who = f"{clients} client{'s'[: clients - 1]}, synchronous_commit {commit}"
            event = _INSERT_EVENT.format(uuid=uuid)
            yield paired(
                "birth",
                who,
                "one INSERT statement, event included",
                _births(_CREATE, prefix, bench.sizes.births, connections, pool),
                _births(_INSERT.format(uuid=uuid, event=event), prefix, bench.sizes.births, connections, pool),
                rounds=bench.sizes.rounds,
                units=bench.sizes.births * clients,
            )
            _assert_same(database)


def governance(bench: Bench) -> Iterator[Line]:
    """What the gate and the event of a birth cost: births as they are, beside births without one of them."""
    without = {
        "the gate": "create or replace function iucore.fn_iu_assert_gate(p_gate text) returns void language plpgsql"
        " set search_path = pg_catalog, pg_temp as $$ begin end $$",
        "the event": "create or replace function iucore.fn_iu_event_put(p_aggregatetype text, p_type text,"
        " p_change_id bigint, p_aggregateids text[], p_subjects text[], p_payloads jsonb[]) returns void"
        " language plpgsql set search_path = pg_catalog, pg_temp as $$ begin end $$",
    }
    for names in (["the gate"], ["the event"], ["the gate", "the event"]):
        with bench.database() as whole, bench.database("bench_part") as part, ExitStack() as stack:
            with part.admin() as connection:
                for name in names:
                    connection.execute(without[name])
            ours, theirs = (stack.enter_context(database.author("on")) for database in (whole, part))
            pool = stack.enter_context(ThreadPoolExecutor(1))
            yield paired(
                "governance",
                f"birth, 1 client, without {' and '.join(names)}",
                "the same without",
                _births(_CREATE, "birth", bench.sizes.births, [ours], pool),
                _births(_CREATE, "birth", bench.sizes.births, [theirs], pool),
                rounds=bench.sizes.rounds,
                units=bench.sizes.births,
            )


def _births(
    statement: str, prefix: str, births: int, connections: Sequence[psycopg.Connection], pool: ThreadPoolExecutor
) -> Side:
    rounds = itertools.count()

    def client(connection: psycopg.Connection, rows: list[dict[str, str]]) -> None:
        for row in rows:
            connection.execute(statement, row).fetchone()

    def side() -> float:
        number = next(rounds)
        rows = [
            [piece | {"reason": data.REASON} for piece in data.pieces(f"{prefix}/{number}/{who}", births)]
            for who in range(len(connections))
        ]
        began = time.perf_counter()
        if len(connections) == 1:
            client(connections[0], rows[0])
        else:
            list(pool.map(client, connections, rows))
        return time.perf_counter() - began

    return side


def _assert_same(database: Database) -> None:
    differences = database.differences()
    if differences:
        raise DifferentError(f"{differences} rows stand on one side only")


def create_many(bench: Bench) -> Iterator[Line]:
    """Thousands of pieces, one transaction."""
    lines = []
    for pieces in bench.sizes.many:
        with bench.database() as database, database.author() as connection:
            database.clone_tables()
            lines.append(
                paired(
                    "create_many",
                    f"{pieces:,} pieces",
                    "COPY into the same tables",
                    _many(connection, f"many/{pieces}", pieces),
                    _copies(connection, f"many/{pieces}", pieces),
                    rounds=bench.sizes.rounds,
                    units=pieces,
                )
            )
            _assert_same(database)
    yield from with_growth(lines)


def _many(connection: psycopg.Connection, prefix: str, pieces: int) -> Side:
    rounds = itertools.count()

    def side() -> float:
        rows = json.dumps(data.pieces(f"{prefix}/{next(rounds)}", pieces))
        began = time.perf_counter()
        connection.execute("select * from iucore.fn_iu_create_many(%s, %s)", (rows, data.REASON)).fetchall()
        return time.perf_counter() - began

    return side


def _copies(connection: psycopg.Connection, prefix: str, pieces: int) -> Side:
    rounds = itertools.count()
    ids = data.uuids()
    copies = {
        "unit_content": "content_sha256, byte_length, body",
        "information_unit": "unit_id, address, kind, head_version, head_sha256, change_id",
        "unit_version": "unit_id, version, content_sha256, title, lifecycle, attributes, change_id",
        "event_outbox_0": "id, aggregatetype, aggregateid, type, payload, event_subject_ref, delivery_lane, change_id,"
        " actor, slot",
    }

    def side() -> float:
        number = next(rounds)
        change = 1_000_000_000 + pieces * 1_000 + number  # known beforehand, so that the rows can be written beforehand
        contents, units, versions, events = [], [], [], []
        for piece, unit in zip(data.pieces(f"{prefix}/{number}", pieces), ids, strict=False):
            digest = data.sha256(piece["body"])
            contents.append((digest, len(piece["body"].encode()), piece["body"]))
            units.append((unit, piece["address"], piece["kind"], 1, digest, change))
            versions.append((unit, 1, digest, piece["title"], "active", "{}", change))
            payload = json.dumps({"kind": piece["kind"], "version": 1, "sha256": digest[2:]})
            event = (next(ids), "unit", unit, "created", payload, piece["address"], "immediate", change)
            events.append((*event, connection.info.user, 0))
        buffers = [data.copy_text(rows) for rows in (contents, units, versions, events)]
        began = time.perf_counter()
        with connection.transaction(), connection.cursor() as cursor:
            cursor.execute(
                "insert into beside.change (change_id, verb, reason) overriding system value"
                " values (%s, 'create_many', %s)",
                (change, data.REASON),
            )
            for (table, columns), buffer in zip(copies.items(), buffers, strict=True):
                with cursor.copy(f"copy beside.{table} ({columns}) from stdin") as copy:
                    copy.write(buffer)
        return time.perf_counter() - began

    return side


# --- render --------------------------------------------------------------------------------------------------------

_BARE = """
select octet_length(string_agg(c.body, '' order by m.rank collate "C"))
from iucore.collection_member as m
join iucore.information_unit as u on u.unit_id = m.unit_id
join iucore.unit_content as c on c.content_sha256 = u.head_sha256
where m.collection_id = (select k.collection_id from iucore.collection as k where k.key = %(key)s)
    and m.closed_change is null"""
_BARE_PINNED = """
select octet_length(string_agg(c.body, '' order by m.rank collate "C"))
from iucore.collection_member as m
join iucore.unit_version as v on v.unit_id = m.unit_id and v.version = m.pinned_version
join iucore.unit_content as c on c.content_sha256 = v.content_sha256
where m.collection_id = (select k.collection_id from iucore.collection as k where k.key = %(key)s)
    and m.closed_change is null"""
_BARE_NESTED = """
select octet_length(string_agg(c.body, '' order by p.rank collate "C", m.rank collate "C"))
from iucore.collection_member as p
join iucore.collection_member as m on m.collection_id = p.child_id and m.closed_change is null
join iucore.information_unit as u on u.unit_id = m.unit_id
join iucore.unit_content as c on c.content_sha256 = u.head_sha256
where p.collection_id = (select k.collection_id from iucore.collection as k where k.key = %(key)s)
    and p.closed_change is null"""
_RENDER = "select octet_length(iucore.fn_iu_render(%(key)s, %(change)s))"


def render(bench: Bench) -> Iterator[Line]:
    """The text of a document; its length is returned, so that the way to the client dilutes nothing."""
    sizes = bench.sizes
    outer, inner = sizes.nest
    with bench.database() as database, database.author() as connection, database.author() as limit:
        # The limit at its best: what the planner needs to know to read from memory and to sort there.
        limit.execute("set work_mem = '64MB'")
        limit.execute("set random_page_cost = 1.1")
        addresses = data.load(connection, "render", max(*sizes.pieces, outer * inner))
        for pieces in sizes.pieces:
            data.compose(connection, f"render/{pieces}", data.of_pieces(addresses[:pieces]))
            data.compose(connection, f"render/{pieces}/pinned", data.of_pieces(addresses[:pieces], version=1))
        for number in range(outer):
            members = data.of_pieces(addresses[number * inner : (number + 1) * inner])
            data.compose(connection, f"render/nested/{number}", members)
        data.compose(connection, "render/nested", [{"collection": f"render/nested/{n}"} for n in range(outer)])
        past = _one(connection, "select max(change_id) from iucore.change")
        database.settle()

        def line(case: str, key: str, pieces: int, bare: str, change: int | None = None) -> Line:
            arguments = {"key": key, "change": change}
            texts = {_one(connection, statement, arguments) for statement in (_RENDER, bare)}
            if change is None and len(texts) > 1:
                raise DifferentError(f"{key} renders to different lengths")
            calls = max(1, min(50, 10_000 // pieces))
            return paired(
                "render",
                case,
                "string_agg over the same rows",
                _repeated(connection, _RENDER, arguments, calls),
                _repeated(limit, bare, arguments, calls),
                rounds=sizes.rounds,
                units=calls * pieces,
                note="times for one piece",
            )

        def sized(case: str, suffix: str, bare: str, change: int | None = None) -> list[Line]:
            return with_growth(
                [line(f"{n:,} pieces{case}", f"render/{n}{suffix}", n, bare, change) for n in sizes.pieces]
            )

        yield from sized("", "", _BARE)
        yield from sized(", pinned", "/pinned", _BARE_PINNED)
        yield line(f"{outer:,} collections of {inner:,}", "render/nested", outer * inner, _BARE_NESTED)
        # A past that differs from now: every 10th piece is edited, and 1 in 100 is moved.
        connection.execute(
            "select count(*) from iucore.information_unit as u, lateral iucore.fn_iu_edit(u.address, 1, %s,"
            " p_body => u.address || ' edited') where right(u.address, 1) = '0'",
            (data.REASON,),
        )
        source = random.Random("past")
        for pieces in sizes.pieces:
            for _ in range(max(1, min(1_000, pieces // 100))):
                member, anchor = source.sample(addresses[:pieces], 2)
                connection.execute(_MOVE, _named(f"render/{pieces}", member, anchor))
        database.settle()
        yield from sized(", as of an old change", "", _BARE, past)
        yield line(f"{outer:,} collections of {inner:,}, as of", "render/nested", outer * inner, _BARE_NESTED, past)


def _repeated(connection: psycopg.Connection, statement: str, arguments: dict[str, Any], calls: int) -> Side:
    def side() -> None:
        for _ in range(calls):
            connection.execute(statement, arguments).fetchone()

    return side


def _one(connection: psycopg.Connection, statement: str, arguments: dict[str, Any] | None = None) -> Any:
    row = connection.execute(statement, arguments).fetchone()
    assert row is not None
    return row[0]


# --- the composer --------------------------------------------------------------------------------------------------

_MOVE = "select * from iucore.fn_iu_collection_reorder(%(key)s, %(member)s, %(reason)s, 'after', %(anchor)s)"
_ADD = "select * from iucore.fn_iu_collection_add(%(key)s, %(member)s, %(reason)s, 'after', %(anchor)s)"
_REMOVE = "select * from iucore.fn_iu_collection_remove(%(key)s, %(member)s, %(reason)s)"
_PIN = "select * from iucore.fn_iu_collection_pin(%(key)s, %(member)s, %(reason)s)"
_UNPIN = "select * from iucore.fn_iu_collection_unpin(%(key)s, %(member)s, %(reason)s)"


def _named(key: str, member: str, anchor: str | None = None) -> dict[str, Any]:
    return {"key": key, "member": member, "anchor": anchor, "reason": data.REASON}


def compose(bench: Bench) -> Iterator[Line]:
    """Move, add and pin one piece at a random place, one transaction each, beside that in the smallest collection."""
    sizes = bench.sizes
    smallest, *larger = sizes.pieces
    with bench.database() as database:
        with database.author() as connection:
            addresses = data.load(connection, "compose", max(sizes.pieces))
            spare = data.load(connection, "spare", sizes.calls)
            for pieces in sizes.pieces:
                data.compose(connection, f"compose/{pieces}", data.of_pieces(addresses[:pieces]))
        database.settle()

        def side(connection: psycopg.Connection, verb: str, pieces: int) -> Side:
            source = random.Random(f"{verb} {pieces}")
            key = f"compose/{pieces}"

            def run() -> float:
                if verb == "move":
                    calls = [_named(key, *source.sample(addresses[:pieces], 2)) for _ in range(sizes.calls)]
                    return _spent(connection, _MOVE, calls)
                if verb == "add":
                    calls = [_named(key, member, source.choice(addresses[:pieces])) for member in spare]
                    return _spent(connection, _ADD, calls, _REMOVE)
                calls = [_named(key, source.choice(addresses[:pieces])) for _ in range(sizes.calls)]
                return _spent(connection, _PIN, calls, _UNPIN, each=True)

            return run

        for commit in ("on", "off"):
            with database.author(commit) as connection:
                for verb, pieces in itertools.product(("move", "add", "pin"), larger):
                    yield paired(
                        verb,
                        f"one of {pieces:,}, synchronous_commit {commit}",
                        f"one of {smallest:,}",
                        side(connection, verb, pieces),
                        side(connection, verb, smallest),
                        rounds=sizes.rounds,
                        units=sizes.calls,
                        reads="times",
                    )


def _spent(
    connection: psycopg.Connection,
    statement: str,
    calls: list[dict[str, Any]],
    undo: str | None = None,
    *,
    each: bool = False,
) -> float:
    """Seconds of the calls; those of taking them back do not count."""
    spent = 0.0
    for arguments in calls:
        began = time.perf_counter()
        connection.execute(statement, arguments).fetchone()
        spent += time.perf_counter() - began
        if undo and each:
            connection.execute(undo, arguments)
    if undo and not each:
        for arguments in calls:
            connection.execute(undo, arguments)
    return spent


def edit(bench: Bench) -> Iterator[Line]:
    """One word of one piece edited, committed, and the document read as text."""
    sizes = bench.sizes
    with bench.database() as database:
        with database.author() as connection:
            addresses = data.load(connection, "edit", sizes.document)
            data.compose(connection, "edit/document", data.of_pieces(addresses))
            data.compose(connection, "edit/single", data.of_pieces(addresses[-1:]))
        database.settle()

        def side(connection: psycopg.Connection, key: str, own: list[str]) -> Side:
            source = random.Random(key)

            def run() -> float:
                spent = 0.0
                for _ in range(max(1, sizes.calls // 4)):
                    address = source.choice(own)
                    version, body = connection.execute(
                        "select version, body from iucore.fn_iu_show(%s)", (address,)
                    ).fetchone()  # type: ignore[misc]
                    words = body.split(" ")
                    words[source.randrange(len(words))] = f"word{source.random()}"
                    began = time.perf_counter()
                    connection.execute(
                        "select * from iucore.fn_iu_edit(%s, %s, %s, %s)",
                        (address, version, data.REASON, " ".join(words)),
                    ).fetchone()
                    text = _one(connection, "select iucore.fn_iu_render(%(key)s)", {"key": key})
                    spent += time.perf_counter() - began
                    if " ".join(words) not in text:
                        raise DifferentError(f"{key} does not show the edit")
                return spent

            return run

        for commit in ("on", "off"):
            with database.author(commit) as connection:
                yield paired(
                    "edit",
                    f"a word among {sizes.document:,} pieces, document read, synchronous_commit {commit}",
                    "a document of 1 piece",
                    side(connection, "edit/document", addresses[:-1]),
                    side(connection, "edit/single", addresses[-1:]),
                    rounds=sizes.rounds,
                    units=max(1, sizes.calls // 4),
                    reads="times",
                )


def ranks(bench: Bench) -> Iterator[Line]:
    """Inserts at one place, then random moves in what they made: the last calls beside the first."""
    sizes = bench.sizes
    with bench.database() as database, database.author("off") as connection:
        first, last, *others = data.load(connection, "ranks", sizes.inserts + 2)
        data.compose(connection, "ranks/one", data.of_pieces([first, last]))
        # Other rows in the table, so that plans kept by the session are those of a database in use.
        data.compose(connection, "ranks/other", data.of_pieces(others))
        database.settle()
        source = random.Random("ranks")
        inserts = [_named("ranks/one", address, first) for address in others]
        moves = [_named("ranks/one", *source.sample(others, 2)) for _ in range(sizes.moves)]
        for job, statement, calls in (("insert at one place", _ADD, inserts), ("move at random", _MOVE, moves)):
            spent = [_spent(connection, statement, [arguments]) for arguments in calls]
            longest = _one(
                connection,
                "select max(length(m.rank)) from iucore.collection_member as m"
                " join iucore.collection as k using (collection_id) where k.key = 'ranks/one'",
            )
            edge = min(sizes.edge, len(calls) // 2)
            yield _ends("ranks", f"{len(calls):,} x {job}", spent, edge, f"longest rank {longest} characters")


def _ends(job: str, case: str, spent: list[float], edge: int, note: str) -> Line:
    """The last calls beside the first; the band is that of tenths of them."""
    tenth = max(1, edge // 10)
    pairs = [
        (
            statistics.median(spent[-edge + at : len(spent) - edge + at + tenth]),
            statistics.median(spent[at : at + tenth]),
        )
        for at in range(0, edge - tenth + 1, tenth)
    ]
    ratios = [late / early for late, early in pairs]
    late, early = statistics.median(spent[-edge:]), statistics.median(spent[:edge])
    slowest = f"{note}; slowest call {max(spent) * 1e3:.0f} ms"
    beside = f"the first {edge:,}"
    return Line(
        job, case, beside, "times", late, early, late / early, min(ratios), max(ratios), len(ratios), note=slowest
    )


# --- the library and the command line --------------------------------------------------------------------------------


def library(bench: Bench) -> Iterator[Line]:
    """One call through the library beside the same statement run by hand on the same connection."""
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    from iucore import units

    calls = bench.sizes.calls * 10
    with bench.database() as database, database.author() as author:
        (address,) = data.load(author, "library", 1)
        url = database.url.set(drivername="postgresql+psycopg")
        engine = create_engine(url, poolclass=NullPool, connect_args={"prepare_threshold": 0})
        statement = "select * from iucore.fn_iu_show(p_address => %(p_address)s)"
        with engine.connect() as connection:

            def ours() -> None:
                for _ in range(calls):
                    units.show(connection, address=address)

            def theirs() -> None:
                for _ in range(calls):
                    connection.exec_driver_sql(statement, {"p_address": address}).one()

            yield paired(
                "library",
                "units.show",
                "exec_driver_sql",
                ours,
                theirs,
                rounds=bench.sizes.rounds,
                units=calls,
                reads="times",
            )


def start(bench: Bench) -> Iterator[Line]:
    """A command from the shell until it ends."""
    if importlib.util.find_spec("iucore.cli.__main__") is None:
        raise Skipped("there is no iucore.cli")

    def side(*arguments: str) -> Side:
        def run() -> None:
            for _ in range(bench.sizes.starts):
                subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, env=os.environ)

        return run

    yield paired(
        "start",
        "iucore --help",
        'python -c "import click"',
        side("-m", "iucore.cli", "--help"),
        side("-c", "import click"),
        rounds=bench.sizes.rounds,
        units=bench.sizes.starts,
        reads="times",
    )


JOBS: dict[str, Callable[[Bench], Iterator[Line]]] = {
    "birth": birth,
    "governance": governance,
    "create_many": create_many,
    "render": render,
    "compose": compose,
    "edit": edit,
    "ranks": ranks,
    "archive": archive.archive,
    "textcode": textcode.textcode,
    "delivery": delivery.delivery,
    "migrations": migrations.migrations,
    "library": library,
    "start": start,
}

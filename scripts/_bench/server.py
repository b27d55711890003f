"""The databases of a run, and the tables to compare with."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
from sqlalchemy import URL, make_url

from _bench.harness import Skipped
from iucore.embedded import Cluster
from iucore.operations import migrate

AUTHOR = "iucore_author"
# Against noise only, and the same for both sides of a pair: no checkpoint and no vacuum in the middle of a round.
QUIET = {"autovacuum": "off", "checkpoint_timeout": "1h", "max_wal_size": "8GB"}


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything."""

    rounds: int = 7
    births: int = 300
    clients: tuple[int, ...] = (1, 2)
    many: tuple[int, ...] = (1_000, 10_000)
    pieces: tuple[int, ...] = (10, 1_000, 100_000)
    nest: tuple[int, int] = (100, 1_000)
    calls: int = 40
    document: int = 5_000
    inserts: int = 10_000
    moves: int = 2_000
    edge: int = 1_000
    files: int | None = None
    starts: int = 3
    events: int = 200_000
    backlog: int = 1_000_000
    hold: float = 60
    peers: bool = True


QUICK = Sizes(
    rounds=5,
    births=100,
    many=(100, 1_000),
    pieces=(10, 1_000, 10_000),
    nest=(20, 100),
    calls=20,
    document=500,
    inserts=2_000,
    moves=400,
    edge=200,
    files=60,
    starts=1,
    events=20_000,
    backlog=100_000,
    hold=6,
)


class Bench:
    """A server, what to measure on it, and how much."""

    def __init__(self, url: str, sizes: Sizes, *, own: bool, corpora: Path | None = None) -> None:
        """Name the server.

        Args:
            url: of a database at head. ``own``: it is a template from which each job gets its own copy; else every
                job works in it.
            sizes: how much.
            own: see ``url``.
            corpora: the folder with the document archives.
        """
        self.url = make_url(url)
        self.sizes = sizes
        self.corpora = corpora
        self.own = own

    @contextlib.contextmanager
    def database(self, name: str = "bench_job") -> Iterator[Database]:
        """A database at head, under a name of its own where two are needed at once."""
        if not self.own:
            if name != "bench_job":
                raise Skipped("it needs two databases, and the server is not the bench's own")
            yield Database(self.url)
            return
        url = self.url.set(database=name)
        with psycopg.connect(conninfo(self.url.set(database="postgres")), autocommit=True) as admin:
            admin.execute(f"drop database if exists {name} with (force)")
            admin.execute(f"create database {name} template {self.url.database}")
            try:
                yield Database(url)
            finally:
                admin.execute(f"drop database {name} with (force)")


@dataclass(frozen=True, slots=True)
class Database:
    """One database at head."""

    url: URL

    @contextlib.contextmanager
    def author(self, synchronous_commit: str = "on") -> Iterator[psycopg.Connection]:
        """A connection that may do what an author may, on both sides; each statement is its own transaction."""
        with psycopg.connect(conninfo(self.url), autocommit=True, prepare_threshold=0) as connection:
            connection.execute(f"set role {AUTHOR}")
            connection.execute(f"set synchronous_commit = {synchronous_commit}")
            yield connection

    @contextlib.contextmanager
    def admin(self) -> Iterator[psycopg.Connection]:
        """A connection of the superuser."""
        with psycopg.connect(conninfo(self.url), autocommit=True) as connection:
            yield connection

    def settle(self) -> None:
        """A database in use, as after a quiet night: changes and collections of others, statistics, nothing to write.

        Foreign keys keep the plan that they had first in a session; in an empty database that would be a scan.
        """
        with self.admin() as connection:
            connection.execute(
                "select count(*) from generate_series(1, 1000) as n, lateral iucore.fn_iu_create("
                "'others/' || n || '/' || txid_current(), 'text', 'Other', 'Other ' || n, 'scripts/bench')"
            )
            connection.execute(
                "select count(*) from generate_series(1, 100) as n, lateral iucore.fn_iu_collection_create("
                "'others/' || n || '/' || txid_current(), 'file', 'Other', 'scripts/bench')"
            )
            tables = connection.execute(
                "select string_agg(oid::regclass::text, ', ') from pg_class"
                " where relnamespace = 'iucore'::regnamespace and relkind = 'r'"
            ).fetchone()
            connection.execute(f"vacuum (analyze) {tables[0]}")  # type: ignore[index]
            connection.execute("checkpoint")

    def clone_tables(self) -> None:
        """Schema ``beside``: the tables of iucore again, with their rows, indexes, constraints and foreign keys."""
        with self.admin() as connection, connection.transaction():
            connection.execute("drop schema if exists beside cascade")
            connection.execute("create schema beside")
            tables = connection.execute(
                "select relname, array_to_string(reloptions, ', ') from pg_class"
                " where relnamespace = 'iucore'::regnamespace and relkind = 'r' order by 1"
            ).fetchall()
            for table, options in tables:
                having = f" with ({options})" if options else ""
                connection.execute(f"create table beside.{table} (like iucore.{table} including all){having}")
                columns = ", ".join(
                    column
                    for (column,) in connection.execute(
                        "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0"
                        " and not attisdropped and attgenerated = '' order by attnum",
                        [f"iucore.{table}"],
                    ).fetchall()
                )
                connection.execute(
                    f"insert into beside.{table} ({columns}) overriding system value"
                    f" select {columns} from iucore.{table}"
                )
            for table, name, definition in connection.execute(
                "select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint"
                " where contype = 'f' and connamespace = 'iucore'::regnamespace order by 1, 2"
            ).fetchall():
                table, definition = (part.replace("iucore.", "beside.") for part in (table, definition))
                connection.execute(f"alter table {table} add constraint {name} {definition}")
            for table, column in connection.execute(
                "select attrelid::regclass::text, attname from pg_attribute a join pg_class c on c.oid = a.attrelid"
                " where c.relnamespace = 'beside'::regnamespace and c.relkind = 'r' and attidentity <> ''"
            ).fetchall():
                connection.execute(
                    f"select setval(pg_get_serial_sequence('{table}', '{column}'),"
                    f" (select coalesce(max({column}), 0) + 1 from {table}), false)"
                )
            connection.execute(f"grant usage on schema beside to {AUTHOR}")
            connection.execute(f"grant all on all tables in schema beside to {AUTHOR}")

    def differences(self) -> int:
        """How many rows stand on one side only, apart from ids, numbers and moments."""
        query = """
            select e.event_type, e.event_subject_ref, e.aggregateid = u.unit_id::text, e.payload, e.delivery_lane,
                e.actor, e.claimed_actor, u.address, u.kind, u.head_version, u.head_sha256, v.version,
                v.content_sha256, v.title, v.lifecycle, v.attributes, c.byte_length, c.body, g.verb, g.subject, g.actor,
                g.claimed_actor, g.reason
            from {0}.information_unit as u
            join {0}.unit_version as v on v.unit_id = u.unit_id and v.change_id = u.change_id
            join {0}.unit_content as c on c.content_sha256 = v.content_sha256
            join {0}.change as g on g.change_id = u.change_id
            left join {0}.event_outbox_0 as e on e.change_id = u.change_id and e.aggregateid = u.unit_id::text"""
        ours, theirs = query.format("iucore"), query.format("beside")
        with self.admin() as connection:
            row = connection.execute(
                f"select count(*) from (({ours} except all {theirs}) union all ({theirs} except all {ours})) as d"
            ).fetchone()
        assert row is not None
        return int(row[0])


def conninfo(url: URL) -> str:
    """For psycopg 3."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


@contextlib.contextmanager
def own_server(fsync: bool) -> Iterator[tuple[str, str]]:
    """An embedded server of this run alone; yields the URL of a template at head, and what the server is."""
    home = Path(tempfile.mkdtemp(prefix="iucore-bench-"))
    home.chmod(0o755)  # As root the server runs as another user, who must be able to enter.
    cluster = Cluster(home / "postgres")
    try:
        url = make_url(cluster.up({**QUIET, "fsync": "on" if fsync else "off"}))
        with psycopg.connect(conninfo(url.set(database="postgres")), autocommit=True) as admin:
            admin.execute("create database bench_head")
            row = admin.execute("show server_version").fetchone()
        assert row is not None
        head = url.set(database="bench_head")
        migrate.upgrade(conninfo(head))
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
        about = (
            f"PostgreSQL {row[0].split()[0]}, fsync {'on' if fsync else 'off'}, {os.cpu_count()} cores,"
            f" {memory:.0f} GiB, load {os.getloadavg()[0]:.1f} at the beginning"
        )
        yield conninfo(head), about
    finally:
        cluster.down("immediate")
        shutil.rmtree(home, ignore_errors=True)

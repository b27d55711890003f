"""What migrations will do to a database, and what they did: files, objects, locks, rewrites, the way back.

What a revision says of itself stands in its docstring (Objects, Locks, Loses). Which lock it takes on which table was
measured, on a small database with rows in every table, and stands in ``alembic/locks.txt``; ``measuring`` measures it
where a migration runs.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import event

from iucore import _paths, errors
from iucore.operations import migrate

if TYPE_CHECKING:
    from sqlalchemy import Connection

MODES = (
    "ACCESS SHARE",
    "ROW SHARE",
    "ROW EXCLUSIVE",
    "SHARE UPDATE EXCLUSIVE",
    "SHARE",
    "SHARE ROW EXCLUSIVE",
    "EXCLUSIVE",
    "ACCESS EXCLUSIVE",
)
"""The modes of a lock on a table, each stronger than those before it."""

Direction = Literal["up", "down"]
Does = Literal["drops", "rewrites", "scans", "writes", "locks"]


@dataclass(frozen=True, slots=True)
class TableLock:
    """The strongest lock that a revision takes on a table that was there before, until its commit.

    ``does`` is the first of these that happens: it drops the table, rewrites it, writes rows, scans it, only locks it.
    ``bytes`` (with indexes and TOAST) and ``rows`` (an estimate) are those of the target, from pg_class; None where the
    table is not there or no database was asked.
    """

    table: str
    mode: str
    does: Does
    bytes: int | None = None
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """What one revision did in a database: ``seconds`` from its first statement to its commit, and its locks."""

    revision: str
    direction: Direction
    seconds: float
    locks: list[TableLock]


@dataclass(frozen=True, slots=True)
class Step:
    """One revision, up or down.

    ``locks`` were measured beforehand; ``declared`` is what the revision says of them. ``reversible`` is ``yes``,
    ``loses rows`` (going back refuses while there are some: ``loses``) or ``no`` (there is no undo.sql).
    """

    revision: str
    direction: Direction
    title: str
    files: list[str]
    objects: str
    declared: str
    locks: list[TableLock]
    rewrite_bytes: int
    reversible: Literal["yes", "loses rows", "no"]
    loses: str


@dataclass(frozen=True, slots=True)
class Said:
    """What the docstring of a revision says, and which files it runs: versions/-relative, in order."""

    revision: str
    title: str
    objects: str
    locks: str
    loses: str
    up: tuple[str, ...]
    down: tuple[str, ...]


def plan(start: str | None, end: str, *, connection: Connection | None = None) -> list[Step]:
    """The steps from a revision (None: nothing) to another, in the order in which they run; sizes from the connection.

    Raises:
        iucore.errors.OperationError: IU912, a revision is not known.
    """
    known = ["base", *migrate.revisions()]
    places = []
    for revision in (start or "base", end):
        if revision != "head" and revision not in known:
            raise errors.OperationError(
                "unknown revision",
                sqlstate="IU912",
                detail=f"revision: {revision}",
                hint=f"Known revisions: {', '.join(known)}. Which is mine: iucore db current",
            )
        places.append(len(known) - 1 if revision == "head" else known.index(revision))
    begin, stop = places
    direction: Direction = "up" if begin <= stop else "down"
    chosen = known[begin + 1 : stop + 1] if direction == "up" else known[stop + 1 : begin + 1][::-1]
    sizes = {} if connection is None else _sizes(connection)
    recorded = recorded_locks()
    return [_step(said(revision), direction, recorded.get((revision, direction), []), sizes) for revision in chosen]


def recorded_locks() -> dict[tuple[str, Direction], list[TableLock]]:
    """What ``alembic/locks.txt`` says, by revision and direction: each lock without the sizes.

    >>> recorded_locks()["0010", "up"]
    [TableLock(table='information_unit', mode='ACCESS EXCLUSIVE', does='locks', bytes=None, rows=None)]
    """
    found: dict[tuple[str, Direction], list[TableLock]] = {}
    for line in (_paths.alembic_dir() / "locks.txt").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            revision, direction, mode, does, table = line.split("  ")
            lock = TableLock(table, mode, does)  # type: ignore[arg-type]
            found.setdefault((revision, direction), []).append(lock)  # type: ignore[arg-type]
    return found


def lines(measured: Sequence[Measured]) -> list[str]:
    """Measurements as lines of ``alembic/locks.txt``.

    >>> lines([Measured("0010", "up", 0.1, [TableLock("information_unit", "ACCESS EXCLUSIVE", "locks")])])
    ['0010  up  ACCESS EXCLUSIVE  locks  information_unit']
    """
    return [
        "  ".join((one.revision, one.direction, lock.mode, lock.does, lock.table))
        for one in measured
        for lock in one.locks
    ]


def said(revision: str) -> Said:
    """What a revision says of itself, read without running it.

    >>> said("0010").locks
    'ACCESS EXCLUSIVE on information_unit for a moment (a column without default).'
    """
    path = next((_paths.alembic_dir() / "versions").glob(f"{revision}_*.py"))
    tree = ast.parse(path.read_text("utf-8"))
    text = ast.get_docstring(tree) or ""
    sections = {
        found[1]: " ".join(found[2].split())
        for found in re.finditer(r"^(Objects|Locks|Loses)[^:\n]*:\n((?: .*\n?)+)", text + "\n", re.MULTILINE)
    }
    files = [f"{path.stem}/{name}" for name in _constant(tree, "FILES")]
    down = [
        str(node.args[0].value)
        for function in tree.body
        if isinstance(function, ast.FunctionDef) and function.name == "downgrade"
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant)
    ]
    return Said(
        revision,
        text.partition("\n")[0].rstrip("."),
        sections.get("Objects", ""),
        sections.get("Locks", ""),
        sections.get("Loses", ""),
        tuple(files),
        tuple(down),
    )


def text_of(files: Sequence[str]) -> str:
    """The SQL of files below ``versions/``, each under a comment with its name."""
    folder = _paths.alembic_dir() / "versions"
    return "\n".join(f"-- {name}\n{(folder / name).read_bytes().decode('utf-8')}" for name in files)


@contextmanager
def measuring(connection: Connection) -> Iterator[list[Measured]]:
    """Measure every revision that ``migrate.upgrade`` or ``downgrade`` commits on this connection within the block.

    Before each commit it asks pg_locks for the locks that the transaction holds on tables and views that stood before
    it began, and the statistics of the transaction for what was scanned and written; a changed file node is a rewrite.
    A way back of several revisions is one transaction, and so one measurement, under the oldest of them.
    """
    found: list[Measured] = []
    before: list[Any] = []
    order = ["", *migrate.revisions()]

    def begun(given: Connection) -> None:
        before[:] = [_version(given), {row[0]: row for row in _ask(given, _TABLES)}]

    def ended(given: Connection) -> None:
        at = _version(given)
        if not before or at == before[0]:
            return
        up = order.index(at) > order.index(before[0])
        later = at if up else order[order.index(at) + 1]
        spent = _ask(given, "select extract(epoch from clock_timestamp() - transaction_timestamp())::float8")[0][0]
        found.append(Measured(later, "up" if up else "down", spent, _locks(given, before[1])))

    event.listen(connection, "begin", begun)
    event.listen(connection, "commit", ended)
    try:
        yield found
    finally:
        event.remove(connection, "begin", begun)
        event.remove(connection, "commit", ended)


def declared(text: str) -> dict[str, str]:
    """Tables and modes that the Locks section of a revision names, as ``MODE on table, table and table``.

    >>> declared("SHARE ROW EXCLUSIVE on change, then on route, for keys; ACCESS EXCLUSIVE on event_outbox: while")
    {'change': 'SHARE ROW EXCLUSIVE', 'route': 'SHARE ROW EXCLUSIVE', 'event_outbox': 'ACCESS EXCLUSIVE'}
    """
    found: dict[str, str] = {}
    modes = "|".join(sorted(MODES, key=len, reverse=True))
    for mode, tables in re.findall(rf"\b({modes}) on ((?:(?:then on |and )?[a-z_]+(?:, | (?=and ))?)+)", text):
        for name in re.findall(r"[a-z_]+", tables):
            if name not in ("then", "on", "and", "for", "a", "moment", "nothing"):
                found[name] = mode
    return found


def _step(found: Said, direction: Direction, locks: list[TableLock], sizes: dict[str, tuple[int, int]]) -> Step:
    sized = [
        TableLock(lock.table, lock.mode, lock.does, *sizes[lock.table]) if lock.table in sizes else lock
        for lock in locks
    ]
    undo = (_paths.alembic_dir() / "versions" / Path(found.up[0]).parent / "undo.sql").exists()
    loses_nothing = re.match(r"(nothing|none)\b", found.loses, re.IGNORECASE) is not None
    return Step(
        found.revision,
        direction,
        found.title,
        list(found.up if direction == "up" else found.down),
        found.objects,
        found.locks,
        sized,
        sum(lock.bytes or 0 for lock in sized if lock.does == "rewrites"),
        "no" if not undo else "yes" if loses_nothing else "loses rows",
        found.loses,
    )


def _constant(tree: ast.Module, name: str) -> Sequence[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == name:
            return tuple(ast.literal_eval(node.value))
    return ()


def _sizes(connection: Connection) -> dict[str, tuple[int, int]]:
    """Bytes and rows of each table and its partitions, rows as the last analyze saw them."""
    rows = connection.exec_driver_sql(
        "select t.name, sum(pg_total_relation_size(t.oid))::bigint, sum(greatest(t.reltuples, 0))::bigint from ("
        " select c.oid, c.reltuples, coalesce(r.relname, c.relname)::text as name from pg_class as c"
        " left join pg_class as r on c.relispartition and r.oid = pg_partition_root(c.oid)"
        " where c.relnamespace = to_regnamespace('iucore') and c.relkind in ('r', 'p')) as t group by t.name"
    )
    return {str(row[0]): (int(row[1]), int(row[2])) for row in rows}


# Tables and views of everybody but the system, partitions under the name of the table; ours without the schema. The
# version table is left out: every revision writes its row.
_TABLES = """
select c.oid, coalesce(nullif(n.nspname, 'iucore') || '.', '') || coalesce(r.relname, c.relname) as name, c.relkind,
    coalesce(pg_relation_filenode(c.oid), 0), pg_stat_get_xact_numscans(c.oid),
    pg_stat_get_xact_tuples_inserted(c.oid) + pg_stat_get_xact_tuples_updated(c.oid)
        + pg_stat_get_xact_tuples_deleted(c.oid)
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
left join pg_class as r on c.relispartition and r.oid = pg_partition_root(c.oid)
where c.relkind in ('r', 'p', 'v', 'm') and n.nspname not in ('information_schema', 'pg_catalog')
    and n.nspname !~ '^pg_(toast|temp)' and c.oid is distinct from to_regclass('public.iucore_alembic_version')
"""
_HELD = """
select l.relation, l.mode, pg_stat_get_xact_numscans(l.relation),
    pg_stat_get_xact_tuples_inserted(l.relation) + pg_stat_get_xact_tuples_updated(l.relation)
        + pg_stat_get_xact_tuples_deleted(l.relation)
from pg_locks as l
where l.pid = pg_backend_pid() and l.locktype = 'relation' and l.granted
    and l.database = (select d.oid from pg_database as d where d.datname = current_database())
"""


def _locks(connection: Connection, before: dict[int, Any]) -> list[TableLock]:
    now = {row[0]: row for row in _ask(connection, _TABLES)}
    names = {row[1] for row in now.values()}
    strongest: dict[str, int] = {}
    does: dict[str, set[str]] = {}
    for oid, mode, scans, written in _ask(connection, _HELD):
        if oid not in before:
            continue
        _, name, kind, node, scanned_before, written_before = before[oid]
        # "AccessExclusiveLock" as SQL writes it.
        rank = MODES.index(" ".join(re.findall(r"[A-Z][a-z]+", mode.removesuffix("Lock"))).upper())
        strongest[name] = max(strongest.get(name, 0), rank)
        done = does.setdefault(name, set())
        if kind != "v" and (oid not in now or now[oid][3] != node):
            done.add("rewrites" if name in names else "drops")
        if kind == "v" and name not in names:
            done.add("drops")
        if kind != "v" and scans > scanned_before:
            done.add("scans")
        if written > written_before:
            done.add("writes")
    order: tuple[Does, ...] = ("drops", "rewrites", "writes", "scans", "locks")
    found = [
        TableLock(name, MODES[rank], next(one for one in order if one in does[name] or one == "locks"))
        for name, rank in sorted(strongest.items(), key=lambda item: (-item[1], item[0]))
    ]
    # Whoever only names a table takes the weakest lock: it keeps nobody from reading or writing.
    return [lock for lock in found if (lock.mode, lock.does) != (MODES[0], "locks")]


def _version(connection: Connection) -> str:
    table = _ask(connection, "select to_regclass('public.iucore_alembic_version')")[0][0]
    rows = _ask(connection, "select version_num from public.iucore_alembic_version") if table else []
    return str(rows[0][0]) if rows else ""


def _ask(connection: Connection, sql: str) -> list[Any]:
    """On the driver's own cursor: a query of SQLAlchemy within an event of the transaction would begin another."""
    cursor = connection.connection.cursor()
    try:
        cursor.execute(sql)
        return list(cursor.fetchall())
    finally:
        cursor.close()

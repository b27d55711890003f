"""What a database at a revision must contain, one line per object, and what it does contain.

The rows come from ``sql/inventory.sql``; those of gates, event types and routes, which are rows themselves, from
``sql/inventory_registry.sql``. A fingerprint covers an object's definition, owner, privileges, settings, comment and
state, and is the same on every supported major version of PostgreSQL.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from iucore import _paths, errors

if TYPE_CHECKING:
    from sqlalchemy import Connection

_SAFE_PATH = "pg_catalog, pg_temp"
# The tables that are there, but for those that a reader may not read. For any other login that is an error.
_READ = (
    "select n.nspname || '.' || c.relname from pg_class as c join pg_namespace as n on n.oid = c.relnamespace"
    " where n.nspname = 'iucore' and c.relkind in ('r', 'p')"
    " and (has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select')"
    " or not exists (select from pg_roles as r where r.rolname = 'iucore_reader' and pg_has_role(r.oid, 'usage')))"
)


@dataclass(frozen=True, slots=True, order=True)
class Item:
    """One object of schema ``iucore``, or one that belongs to it (a role, a default privilege).

    >>> Item(kind="view", object="iucore.v_piece", fingerprint="0123")
    Item(kind='view', object='iucore.v_piece', fingerprint='0123')
    """

    kind: str
    object: str
    fingerprint: str


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """One object that is missing, altered, or there unexpectedly."""

    kind: str
    object: str
    status: Literal["missing", "altered", "unexpected"]


@dataclass(frozen=True, slots=True)
class RegistryQuery:
    """One statement of ``sql/inventory_registry.sql``: the kind of its rows, and the tables that must be there."""

    kind: str
    tables: frozenset[str]
    sql: str


def actual(connection: Connection) -> list[Item]:
    """What the database contains, in the order of ``inventory.txt``.

    Calls no governed function: reads the catalog, as any role may, and the tables of gates, event types and routes,
    which takes ``iucore_reader``. Where a reader may not read one of them, a grant was lost: the table is then named as
    altered, and its rows as missing. Runs in the caller's transaction.
    """
    path = connection.exec_driver_sql("select pg_catalog.current_setting('search_path')").scalar_one()
    local = "select pg_catalog.set_config('search_path', %s, true)"
    connection.exec_driver_sql(local, (_SAFE_PATH,))
    items = _items(connection, (_paths.sql_dir() / "inventory.sql").read_text("utf-8"))
    tables = set(connection.exec_driver_sql(_READ).scalars())
    for query in registry_queries():
        if query.tables <= tables:
            items += _items(connection, query.sql)
    connection.exec_driver_sql(local, (path,))
    return sorted(items, key=lambda item: (item.kind.encode(), item.object.encode()))


def registry_queries() -> list[RegistryQuery]:
    """The statements of ``sql/inventory_registry.sql``, without comments and semicolons.

    >>> [query.kind for query in registry_queries()]
    ['gate', 'event_type', 'route']
    """
    text = (_paths.sql_dir() / "inventory_registry.sql").read_text("utf-8")
    parts = re.findall(r"^-- (\w+): (.+)\n(select\b(?s:.*?));\n", text, re.MULTILINE)
    return [
        RegistryQuery(kind, frozenset(tables.split(", ")), re.sub(r"^ *--.*\n", "", sql, flags=re.MULTILINE))
        for kind, tables, sql in parts
    ]


def arguments(connection: Connection) -> dict[str, list[frozenset[str]]]:
    """The names of the arguments that each function of schema ``iucore`` takes; one set for each overload."""
    found: dict[str, list[frozenset[str]]] = {}
    query = (
        "select p.proname, array(select u.name from unnest(p.proargnames) with ordinality as u (name, nth)"
        " where p.proargmodes is null or p.proargmodes[u.nth] in ('i', 'b', 'v'))"
        " from pg_catalog.pg_proc as p join pg_catalog.pg_namespace as n on n.oid = p.pronamespace"
        " where n.nspname = 'iucore'"
    )
    for name, names in connection.exec_driver_sql(query):
        found.setdefault(name, []).append(frozenset(names))
    return found


def _items(connection: Connection, query: str) -> list[Item]:
    return [Item(*row) for row in connection.exec_driver_sql(query, execution_options={"no_parameters": True})]


def expected(revision: str | None = None) -> list[Item]:
    """What a database at a revision must contain; ``None`` is the newest.

    Raises:
        iucore.errors.OperationError: IU912, the revision is not known.
    """
    if revision is None:
        return parse((_paths.sql_dir() / "inventory.txt").read_text("utf-8"))
    return parse((_folder(revision) / "inventory.txt").read_text("utf-8"))


def compare(expected: Iterable[Item], actual: Iterable[Item]) -> list[Difference]:
    """Every difference, sorted; an empty list means N/N.

    >>> want = [Item("view", "iucore.v_a", "1"), Item("view", "iucore.v_b", "2")]
    >>> have = [Item("view", "iucore.v_b", "3"), Item("view", "iucore.v_c", "4")]
    >>> [(one.object, one.status) for one in compare(want, have)]
    [('iucore.v_a', 'missing'), ('iucore.v_b', 'altered'), ('iucore.v_c', 'unexpected')]
    """
    want = {(item.kind, item.object): item.fingerprint for item in expected}
    have = {(item.kind, item.object): item.fingerprint for item in actual}
    differences = [Difference(*name, status="missing") for name in want.keys() - have.keys()]
    differences += [Difference(*name, status="unexpected") for name in have.keys() - want.keys()]
    differences += [
        Difference(*name, status="altered") for name in want.keys() & have.keys() if want[name] != have[name]
    ]
    return sorted(differences)


def parse(text: str) -> list[Item]:
    """The lines of an ``inventory.txt``: fingerprint, two spaces, kind, a space, object.

    >>> parse("0123  default_privilege iucore_owner * functions")
    [Item(kind='default_privilege', object='iucore_owner * functions', fingerprint='0123')]
    """
    items = []
    for line in text.splitlines():
        fingerprint, _, rest = line.partition("  ")
        kind, _, name = rest.partition(" ")
        items.append(Item(kind=kind, object=name, fingerprint=fingerprint))
    return items


def render(items: Iterable[Item]) -> str:
    """The text of an ``inventory.txt``.

    >>> render([Item("view", "iucore.v_piece", "0123")])
    '0123  view iucore.v_piece\\n'
    """
    return "".join(f"{item.fingerprint}  {item.kind} {item.object}\n" for item in items)


def fingerprint(items: Iterable[Item]) -> str:
    """The sha256 of a whole inventory.

    >>> fingerprint([])[:12]
    'e3b0c44298fc'
    """
    return hashlib.sha256(render(items).encode()).hexdigest()


def _folder(revision: str) -> Path:
    folders = {
        folder.name.partition("_")[0]: folder
        for folder in sorted((_paths.alembic_dir() / "versions").glob("[0-9]*_*/"))
    }
    if revision not in folders:
        raise errors.OperationError(
            "unknown revision",
            sqlstate="IU912",
            detail=f"revision: {revision}",
            hint=f"Known revisions: {', '.join(folders)}",
        )
    return folders[revision]

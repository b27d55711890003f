"""What the tests of the migrations share."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, pool

from iucore import inventory
from iucore.inventory import Item
from iucore.operations import migrate

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from _revisions import Revision, Tree, complaint  # noqa: E402

TREE = Tree(ROOT)
REVISIONS = TREE.revisions()
PREVIOUS = dict(zip([one.id for one in REVISIONS], ["base", *(one.id for one in REVISIONS)], strict=False))
EXACT = {"no_parameters": True}
LOCK = int(re.search(r"^LOCK = (\w+)", (ROOT / "alembic" / "env.py").read_text("utf-8"), re.MULTILINE)[1], 0)

__all__ = ["REVISIONS", "ROOT", "TREE", "Revision", "complaint"]


def engine_for(url: str, driver: str = "psycopg2") -> Engine:
    """An engine that keeps no connection."""
    return create_engine(re.sub(r"^postgresql(\+\w+)?://", f"postgresql+{driver}://", url), poolclass=pool.NullPool)


def have(url: str) -> list[Item]:
    """The inventory of a database."""
    with engine_for(url).connect() as connection:
        return inventory.actual(connection)


def want(revision: str) -> list[Item]:
    """The frozen inventory of a revision; nothing at "base"."""
    return [] if revision == "base" else inventory.expected(revision)


def differences(revision: str, url: str) -> list[inventory.Difference]:
    """What a database has otherwise than its revision says."""
    return inventory.compare(want(revision), have(url))


def delta(revision: str) -> list[Item]:
    """The objects that a revision made or replaced."""
    before = set(want(PREVIOUS[revision]))
    return [item for item in want(revision) if item not in before]


def psql() -> str | None:
    """A psql: beside the programs of the test server, else on the PATH."""
    places = (os.environ.get("IUCORE_TEST_BIN"), os.environ.get("PATH"))
    return next((found for place in places if place and (found := shutil.which("psql", path=place))), None)


def run_psql(url: str, *files: Path) -> subprocess.CompletedProcess[str]:
    """``psql -X -v ON_ERROR_STOP=1 -f`` on each file, in one session."""
    program = psql()
    assert program is not None
    plain = re.sub(r"^postgresql\+\w+://", "postgresql://", url)
    arguments = [part for file in files for part in ("-f", str(file))]
    command = [program, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", plain, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def until(condition: Callable[[], object], what: str, seconds: float = 30) -> None:
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.02)


@contextmanager
def holding(url: str, sql: str) -> Iterator[Connection]:
    """A transaction that holds a lock."""
    with engine_for(url).connect() as connection:
        connection.exec_driver_sql(sql)
        yield connection
        connection.rollback()


READER = "lock table public.iucore_alembic_version in share mode"
"""A reader that lets all of a revision run, and makes it wait at its last step."""


def waiting(url: str) -> bool:
    """Whether a session of the database waits for a lock on a table."""
    with engine_for(url).connect() as connection:
        return bool(
            connection.exec_driver_sql(
                "select count(*) from pg_locks where not granted and locktype = 'relation'"
                " and database = (select oid from pg_database where datname = current_database())"
            ).scalar()
        )


def child(code: str, *arguments: str) -> subprocess.Popen[str]:
    """A Python of its own."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


FILL: dict[str, str] = {
    "fn_iu_create": """
        select iucore.fn_iu_create('walk/a', 'text', 'A', E'one\\n', 'fill');
        select iucore.fn_iu_create('walk/b', 'text', 'B', E'two\\n', 'fill');
        select iucore.fn_iu_create('walk/c', 'step', 'C', E'', 'fill');
    """,
    "fn_iu_edit": "select iucore.fn_iu_edit('walk/a', 1, p_body => E'one more\\n', p_reason => 'fill');",
    "fn_iu_clone": "select iucore.fn_iu_clone('walk/a', 'walk/d', p_reason => 'fill');",
    "fn_iu_lifecycle_set": "select iucore.fn_iu_lifecycle_set('walk/b', 1, 'active', p_reason => 'fill');",
    "fn_iu_collection_create": """
        select iucore.fn_iu_collection_create(
            'walk/file', 'file', 'F',
            p_members => '[{"piece": "walk/a"}, {"piece": "walk/b", "version": 1}]', p_reason => 'fill');
        select iucore.fn_iu_collection_create('walk/flow', 'workflow', 'W', p_reason => 'fill');
    """,
    "fn_iu_collection_add": """
        select iucore.fn_iu_collection_add('walk/file', 'walk/d', p_reason => 'fill');
        select iucore.fn_iu_collection_add('walk/flow', 'walk/c', p_label => 'go', p_reason => 'fill');
    """,
    "fn_iu_collection_remove": "select iucore.fn_iu_collection_remove('walk/file', 'walk/b', p_reason => 'fill');",
    "fn_iu_axis_register": """
        select iucore.fn_iu_axis_register('walk', 'Walk', 'union', p_values => array['x', 'y'], p_reason => 'fill');
    """,
    "fn_iu_axis_set": "select iucore.fn_iu_axis_set('walk/a', 'walk', array['x'], p_reason => 'fill');",
    "fn_iu_axis_refresh": "select iucore.fn_iu_axis_refresh('walk/file', p_reason => 'fill');",
    "fn_iu_gate_set": """
        select iucore.fn_iu_gate_set(g.gate, not g.is_open, 'fill') from iucore.gate as g where g.gate = 'delivery';
    """,
    "fn_iu_event_type_register": """
        select iucore.fn_iu_event_type_register('walk.done', 'Walk', 'delayed', true, 'fill');
    """,
    "fn_iu_route_register": "select iucore.fn_iu_route_register('walk', 'walk.done', 'Walk', 'fill');",
    # A route of every type, where there can be one.
    "fn_iu_sequence": """
        do $$
        begin
            if not (select a.attnotnull from pg_attribute as a
                where a.attrelid = 'iucore.route'::regclass and a.attname = 'event_type')
            then
                insert into iucore.route (route, title, change_id)
                select 'walk.all', 'All', max(c.change_id) from iucore.change as c;
            end if;
        end
        $$;
    """,
    "fn_iu_route_configure": """
        select iucore.fn_iu_route_configure(r, 'file', 'fill') from unnest(array['walk', 'walk.all']) as r;
    """,
    "fn_iu_route_set": "select iucore.fn_iu_route_set(r.route, not r.execution_enabled, 'fill') from iucore.route r;",
    "fn_iu_soft_delete": "select iucore.fn_iu_soft_delete('walk/d', 'fill');",
    "fn_iu_retire": "select iucore.fn_iu_retire('walk/c', 'fill');",
    "fn_iu_collection_soft_delete": "select iucore.fn_iu_collection_soft_delete('walk/flow', 'fill');",
    # What was committed before.
    "fn_iu_log_read": "select iucore.fn_iu_sequence();",
    "fn_iu_delivery_dry_run": "select iucore.fn_iu_delivery_dry_run('fill');",
}
"""Governed calls that leave rows behind, by the function that they need, in order."""


def fill(connection: Connection, name: str) -> int:
    """Make rows under ``name`` by each governed function that the database has; return how many were called."""
    called = 0
    for function, sql in FILL.items():
        found = connection.exec_driver_sql(
            "select exists (select from pg_catalog.pg_proc p where p.proname = %s"
            " and p.pronamespace = to_regnamespace('iucore'))",
            (function,),
        ).scalar()
        if found:
            connection.exec_driver_sql(sql.replace("walk", name), execution_options=EXACT)
            called += 1
    return called


def loses_nothing(revision: Revision) -> bool:
    """Whether the docstring says that going back loses no rows."""
    section = re.search(r"^Loses\b[^:]*:\s*(\S+)", revision.text, re.MULTILINE)
    return section is not None and section[1].rstrip(".,;").lower() in ("nothing", "none")


def counts(url: str) -> dict[str, int]:
    """How many rows each table of iucore has."""
    with engine_for(url).connect() as connection:
        tables = connection.exec_driver_sql(
            "select format('%I.%I', schemaname, tablename) from pg_tables where schemaname = 'iucore' order by 1",
            execution_options=EXACT,
        ).scalars()
        return {
            table: connection.exec_driver_sql(f"select count(*) from {table}").scalar_one() for table in tables.all()
        }


def at(new_database: Callable[[], str], revision: str) -> str:
    """A new database at a revision."""
    url = new_database()
    if revision != "base":
        migrate.upgrade(url, revision)
    return url

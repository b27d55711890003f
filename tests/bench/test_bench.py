"""The harness at tiny sizes: what it prints is whole, and the pairs store the same rows. Never a time."""

from __future__ import annotations

import io
import json
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from _bench import harness
from _bench.archive import NAME
from _bench.jobs import JOBS
from _bench.server import Bench, Sizes

from iucore.operations import migrate

TINY = Sizes(
    rounds=1,
    births=3,
    clients=(1, 2),
    many=(5, 20),
    pieces=(2, 10),
    nest=(2, 3),
    calls=4,
    document=10,
    inserts=20,
    moves=10,
    edge=5,
    starts=1,
    events=2_000,
    backlog=2_000,
    hold=0.8,
    peers=False,
)


@pytest.fixture
def bench(url: str, tmp_path: Path) -> Bench:
    with tarfile.open(tmp_path / NAME, "w:xz") as packed:
        for name, text in (("a.md", "# A\n\nOne.\n"), ("b/c.md", "Two.\r\n\n# C\n"), ("d.png", "no document")):
            member = tarfile.TarInfo(name)
            member.size = len(text)
            packed.addfile(member, io.BytesIO(text.encode()))
    return Bench(url, TINY, own=False, corpora=tmp_path)


def test_every_job_gives_whole_lines(bench: Bench):
    lines = []
    for name, job in JOBS.items():
        if name in ("governance", "delivery", "migrations"):  # they need databases of their own
            with pytest.raises(harness.Skipped):
                list(job(bench))
            continue
        made = list(job(bench))
        assert made, name
        lines += made
    for line in lines:
        assert line.job and line.case and line.beside
        assert 0 <= line.low <= line.ratio <= line.high
        # Rows this few may fit into free space.
        assert line.low > 0 or line.case == "bytes in the database"
        assert line.reads in ("share", "times")
    assert len({(line.job, line.case) for line in lines}) == len(lines)
    whole = next(line for line in lines if line.job == "archive")
    assert whole.note.startswith("2/2 identical, 3 pieces")

    assert len(harness.as_table(lines).splitlines()) == len(lines) + 1
    assert len({row.count("|") for row in harness.as_markdown(lines).splitlines()}) == 1
    assert len(json.loads(harness.as_json("about", lines))["lines"]) == len(lines)


@pytest.mark.parametrize("job", ["birth", "create_many"])
def test_pairs_store_the_same_rows(bench: Bench, job: str):
    list(JOBS[job](bench))
    with bench.database() as database, database.admin() as connection:
        assert database.differences() == 0
        for table in ("information_unit", "unit_version", "unit_content", "change"):
            (counts,) = connection.execute(
                f"select array[(select count(*) from iucore.{table}), (select count(*) from beside.{table})]"
            )
            assert counts[0][0] == counts[0][1] > 0, table
        connection.execute("update beside.unit_version set title = 'Another' where ctid = '(0,1)'")
        assert database.differences() == 2


def test_delivery_gives_whole_lines(new_database: Callable[[], str]):
    url = new_database()
    migrate.upgrade(url)
    own = Bench(url, TINY, own=True)
    lines = list(JOBS["delivery"](own))
    assert len({line.case for line in lines}) == len(lines) > 15
    for line in lines:
        assert line.beside and line.note and 0 < line.low <= line.ratio <= line.high


def test_the_tables_beside_are_the_same_tables(bench: Bench):
    query = """
        select conrelid::regclass::text, pg_get_constraintdef(oid) from pg_constraint
        where connamespace = '{0}'::regnamespace and contype <> 'n'
            and (select c.relkind from pg_class as c where c.oid = conrelid) = 'r'
        union all
        select tablename, regexp_replace(indexdef, 'INDEX [^ ]+ ON', 'INDEX ON') from pg_indexes
        where schemaname = '{0}' and indexdef not like '% ON ONLY %'
        union all
        select relname, array_to_string(reloptions, ' ') from pg_class
        where relnamespace = '{0}'::regnamespace and relkind = 'r'"""
    with bench.database() as database:
        database.clone_tables()
        with database.admin() as connection:
            ours, theirs = (
                {
                    tuple(str(cell).replace("iucore.", "").replace("beside.", "") for cell in row)
                    for row in connection.execute(query.format(schema))
                }
                for schema in ("iucore", "beside")
            )
    assert ours == theirs and len(ours) > 50


def test_without_the_archive_the_job_says_so(bench: Bench, tmp_path: Path):
    (tmp_path / NAME).unlink()
    with pytest.raises(harness.Skipped, match="IUCORE_CORPORA"):
        list(JOBS["archive"](bench))

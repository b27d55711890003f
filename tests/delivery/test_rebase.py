"""A database that was restored into another cluster: transaction ids mean something else there, and nothing is lost."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cluster_helpers import own_cluster
from psycopg.rows import tuple_row
from servers import Server
from sqlalchemy.engine import make_url
from test_sequencer_laws import WRITER, assert_ledger, sequence, value

ROLES = Path(__file__).resolve().parents[2] / "sql" / "grants" / "roles.sql"
BURN = "do $$ begin for n in 1..{} loop perform pg_current_xact_id(); commit; end loop; end $$"


@pytest.fixture
def restored(postgresql: psycopg.Connection[Any], server: Server, tmp_path: Path) -> Iterator[psycopg.Connection[Any]]:
    """A dump of a database whose ledger lacks its last events, in a new cluster with lower transaction ids."""
    source = psycopg.connect(postgresql.info.dsn, autocommit=True, row_factory=tuple_row)
    source.execute(WRITER)
    # A new cluster begins near 700, and the restore takes some hundreds.
    source.execute(BURN.format(5000))
    for n in range(1, 6):
        source.execute(f"call public.write_one({n})")
    sequence(source)
    for n in range(1, 4):
        source.execute(f"call public.write_one({n})")
    dump = tmp_path / "dump"
    environment = {**os.environ, "PGUSER": "postgres"}
    info = source.info
    subprocess.run(
        [
            server.programs / "pg_dump",
            "-Fc",
            "-f",
            dump,
            "-h",
            info.host,
            "-p",
            str(info.port),
            "-U",
            info.user,
            info.dbname,
        ],
        check=True,
        env=environment,
    )
    source.close()
    with own_cluster({"fsync": "off"}) as cluster:
        url = make_url(cluster.url())
        there = {"host": url.host, "port": url.port, "user": url.username, "passfile": str(cluster.passfile)}
        with psycopg.connect(dbname="postgres", autocommit=True, **there) as admin:
            admin.execute(ROLES.read_text("utf-8"))
            admin.execute("create database restored template template0 encoding 'UTF8'")
        subprocess.run(
            [server.programs / "pg_restore", "-d", "restored", dump],
            check=True,
            env={**os.environ, **{f"PG{key.upper()}": str(part) for key, part in there.items()}},
        )
        connection = psycopg.connect(dbname="restored", autocommit=True, row_factory=tuple_row, **there)
        yield connection
        connection.close()


def test_it_goes_on_after_a_rebase(restored: psycopg.Connection[Any]) -> None:
    highest = value(restored, "select max(xid::text::bigint) from iucore.event_outbox")
    assert value(restored, "select pg_current_xact_id()::text::bigint") < highest, "the ids are lower here"
    with pytest.raises(psycopg.Error) as caught:
        sequence(restored)
    assert caught.value.sqlstate == "IU915"
    assert "rebase" in (caught.value.diag.message_hint or "")
    restored.execute("call public.write_one(1)")
    with pytest.raises(psycopg.Error):
        sequence(restored)
    assert restored.execute(
        "select sequenced, changed from iucore.fn_iu_sequencer_rebase('restored from a dump')"
    ).fetchone() == (5, True), "three that the dump had unsequenced, one since, and its own"
    assert_ledger(restored)
    assert sequence(restored) == 0
    # New transactions pass through the ids of the old cluster: nothing comes twice, and nothing is held back.
    total = value(restored, "select count(*) from iucore.event_outbox")
    while value(restored, "select pg_current_xact_id()::text::bigint") < highest + 10:
        for n in range(1, 4):
            restored.execute(f"call public.write_one({n})")
        assert sequence(restored, 2) == 3
        total += 3
        assert value(restored, "select count(*) from iucore.event_log") == total
        restored.execute(BURN.format(500))
    assert_ledger(restored)
    assert restored.execute("select sequenced, changed from iucore.fn_iu_sequencer_rebase('again')").fetchone() == (
        0,
        False,
    )


def test_a_writer_under_way_is_waited_for(restored: psycopg.Connection[Any]) -> None:
    with psycopg.connect(restored.info.dsn, autocommit=True) as writer:
        writer.execute("begin")
        writer.execute("call public.write_one(7)")
        restored.execute("set lock_timeout = '100ms'")
        with pytest.raises(psycopg.Error) as caught:
            restored.execute("select * from iucore.fn_iu_sequencer_rebase('r')")
        assert caught.value.sqlstate == "55P03"
        writer.execute("commit")
        restored.execute("reset lock_timeout")
        restored.execute("select * from iucore.fn_iu_sequencer_rebase('r')")
    sequence(restored)
    assert_ledger(restored)


def test_what_the_transaction_of_the_rebase_says_afterwards_is_not_lost(restored: psycopg.Connection[Any]) -> None:
    restored.execute("begin")
    restored.execute("call public.write_one(1)")
    restored.execute("select * from iucore.fn_iu_sequencer_rebase('r')")
    restored.execute("call public.write_one(2)")
    restored.execute("commit")
    assert sequence(restored) == 1
    restored.execute("call public.write_one(3)")
    assert sequence(restored) == 1
    assert_ledger(restored)

"""The server is killed (-9) between every two steps of sequencer and worker, and inside each of them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import psycopg
from cluster_helpers import kill_server, own_cluster
from psycopg.rows import tuple_row
from sqlalchemy.engine import make_url
from test_sequencer_laws import WRITER, assert_ledger, value

from iucore.operations import migrate

ROUTE = "test.all"
PREPARE = f"""
select iucore.fn_iu_route_register('{ROUTE}', 'collection.rebalanced', 'T', 'r');
select iucore.fn_iu_route_configure('{ROUTE}', 'file', 'r', '{{"path": "/nowhere"}}', p_backoff_ms => 1);
select iucore.fn_iu_route_set('{ROUTE}', true, 'r');
select iucore.fn_iu_gate_set('delivery', true, 'r');
"""
TAKE = "select claim, position, payload from iucore.fn_iu_delivery_take('w', null, true, 4, '100 milliseconds')"


def test_nothing_is_lost_and_only_what_was_not_recorded_comes_twice() -> None:
    with own_cluster({"fsync": "off"}) as cluster:
        url = make_url(migrated(cluster.url()))
        there = {"host": url.host, "port": url.port, "user": url.username, "dbname": url.database}
        there["passfile"] = str(cluster.passfile)

        def connect() -> psycopg.Connection[Any]:
            return psycopg.connect(autocommit=True, row_factory=tuple_row, **there)

        connection = connect()
        connection.execute(WRITER)
        connection.execute(PREPARE)
        sent: Counter[int] = Counter()
        repeated: set[int] = set()
        written = 0
        claim: int | None = None
        batch: list[int] = []

        def write() -> None:
            nonlocal written
            connection.execute("do $$ begin for n in 1..6 loop call public.write_one(n); end loop; end $$")

        def sequence() -> None:
            connection.execute("select * from iucore.fn_iu_sequence()")

        def take() -> None:
            nonlocal claim, batch
            rows = connection.execute(TAKE).fetchall()
            claim, batch = (rows[0][0], [row[1] for row in rows]) if rows else (None, [])

        def record() -> None:
            nonlocal claim, batch
            if claim is not None:
                connection.execute("select * from iucore.fn_iu_delivery_record(%s, %s)", [claim, len(batch)])

        steps = (write, sequence, take, record)
        for inside in (False, True):
            for victim in range(len(steps)):
                for nth, step in enumerate(steps):
                    if nth == victim and inside:
                        connection.execute("begin")
                    try:
                        step()
                    except psycopg.Error as error:
                        assert error.sqlstate == "IU219", error  # the lease ran out while the server was away
                    kept = not (nth == victim and inside)
                    written += 6 if step is write and kept else 0
                    if step is take and kept:
                        sent.update(batch)  # the transport has them, whatever happens now
                    if step is record and not kept:
                        repeated.update(batch)
                    if nth == victim:
                        repeated.update(batch if step is take else [])
                        kill_server(cluster)
                        connection.close()
                        cluster.up({"fsync": "off"})
                        connection = connect()
                        if not kept and step is take:
                            claim, batch = None, []
        # The rest, with everything alive; a claim that was never recorded comes again when its lease is over.
        while True:
            sequence()
            take()
            sent.update(batch)
            record()
            pending = value(
                connection,
                "select (select count(*) from iucore.delivery_retry) + (select lag_events from iucore.v_route_health"
                f" where route = '{ROUTE}')",
            )
            if not pending:
                break
        assert_ledger(connection)
        positions = {
            row[0]
            for row in connection.execute(
                "select position from iucore.event_log where event_type = 'collection.rebalanced'"
            ).fetchall()
        }
        assert len(positions) == written
        assert set(sent) == positions, "each event was sent"
        assert {position for position, count in sent.items() if count > 1} <= repeated
        assert value(connection, "select count(*) from iucore.dead_letter") == 0
        connection.close()


def migrated(url: str) -> str:
    """The database at head."""
    migrate.upgrade(url)
    return url

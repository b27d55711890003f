"""Capture of the outbox by logical replication, as docs/how-to/debezium.md says: the shape that the router reads."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import psycopg
from cluster_helpers import own_cluster
from psycopg.rows import dict_row
from sqlalchemy.engine import make_url
from test_sequencer_laws import WRITER

from iucore.operations import migrate

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "debezium.md"
# What the outbox event router reads by default.
ROUTED = {"id": "uuid", "aggregatetype": "text", "aggregateid": "text", "type": "text", "payload": "jsonb"}


def test_a_subscription_receives_every_event_once_and_in_order() -> None:
    with own_cluster({"fsync": "off", "wal_level": "logical"}) as cluster:
        migrate.upgrade(cluster.url())
        url = make_url(cluster.url())
        there: dict[str, Any] = {"host": url.host, "port": url.port, "user": url.username}
        there["passfile"] = str(cluster.passfile)
        with (
            psycopg.connect(dbname=url.database, autocommit=True, row_factory=dict_row, **there) as source,
            psycopg.connect(dbname="postgres", autocommit=True, row_factory=dict_row, **there) as receiver,
        ):
            source.execute(WRITER)
            (statements,) = re.findall(r"```sql\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
            source.execute(statements)
            columns = source.execute(
                "select attname, format_type(atttypid, null) as type from pg_attribute"
                " where attrelid = 'iucore.event_outbox'::regclass and attnum > 0 and attgenerated = '' order by attnum"
            ).fetchall()
            assert {c["attname"]: c["type"] for c in columns if c["attname"] in ROUTED} == ROUTED
            named = re.search(r"additional\.placement=(.*)", GUIDE.read_text("utf-8"))
            assert named
            assert {part.split(":")[0] for part in named[1].split(",")} <= {c["attname"] for c in columns}
            receiver.execute("create schema iucore")
            shape = ", ".join(f"{column['attname']} {column['type']}" for column in columns)
            receiver.execute(f"create table iucore.event_outbox ({shape}, arrived bigint generated always as identity)")
            # In one cluster the slot is made first: CREATE SUBSCRIPTION would wait for its own transaction.
            source.execute("select pg_create_logical_replication_slot('captured', 'pgoutput')")
            password = cluster.passfile.read_text("utf-8").strip().rsplit(":", 1)[1]
            connection = (
                f"host={url.host} port={url.port} user={url.username} dbname={url.database} password={password}"
            )
            receiver.execute(
                f"create subscription captured connection '{connection}'"
                " publication iucore_outbox with (create_slot = false, slot_name = 'captured', copy_data = false)"
            )
            for n in range(40):
                source.execute(f"call public.write_one({1 + n % 7})")
            # One fact of the immediate lane, in the partition of its own.
            source.execute("select iucore.fn_iu_create('captured', 'text', 'T', 'b', 'r')")
            names = ", ".join(column["attname"] for column in columns)
            want = source.execute(f"select {names} from iucore.event_outbox order by id").fetchall()
            wait_for(receiver, names, want)
            # A quarter of long ago, by hand; then it is pruned.
            source.execute(
                "insert into iucore.event_outbox (id, aggregatetype, aggregateid, type, payload, event_subject_ref,"
                " delivery_lane, change_id, actor, created_at, slot) select '01000000-0000-7000-8000-000000000000',"
                " aggregatetype, aggregateid, type, payload, event_subject_ref, delivery_lane, change_id, actor,"
                " '2020-01-02', (iucore.fn_iu_slot() + 1) % 4 + 1 from iucore.event_outbox where slot <> 0 limit 1"
            )
            old = source.execute(f"select {names} from iucore.event_outbox order by created_at limit 1").fetchall()
            source.execute("select * from iucore.fn_iu_sequence()")
            pruned = source.execute("select events from iucore.fn_iu_events_prune(clock_timestamp(), 'r')").fetchall()
            assert pruned == [{"events": 1}]
            # The event that says so is the only thing that arrives.
            old += source.execute(f"select {names} from iucore.event_outbox order by id desc limit 1").fetchall()
            wait_for(receiver, names, want + old)
            receiver.execute("alter subscription captured disable")
            receiver.execute("alter subscription captured set (slot_name = none)")
            receiver.execute("drop subscription captured")


def wait_for(receiver: psycopg.Connection[Any], names: str, want: list[Any]) -> None:
    """Until the receiver has so many rows; then they are the same, in this order."""
    deadline = time.monotonic() + 20
    while True:
        got = receiver.execute(f"select {names} from iucore.event_outbox order by arrived").fetchall()
        if len(got) >= len(want) or time.monotonic() > deadline:
            break
        time.sleep(0.01)
    assert got == want

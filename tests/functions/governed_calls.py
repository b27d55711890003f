"""One good call of every writing function, each on subjects of its own."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

from functions_helpers import WRITERS, Database

# What the composer gate stops.
COMPOSERS = {
    "collection_create",
    "collection_add",
    "collection_remove",
    "collection_reorder",
    "collection_pin",
    "collection_unpin",
    "collection_replace",
    "collection_rebalance",
    "collection_soft_delete",
    "collection_restore",
    "step_set",
    "axis_refresh",
    "record_render",
    "record_validation",
}


def sha256(text: str) -> str:
    """As the database writes it."""
    return hashlib.sha256(text.encode()).hexdigest()


def prepare(db: Database, at: str) -> None:
    """The subjects below a prefix: pieces a to d and gone, files f, inner and away, workflow w, an axis, a route."""
    db.call(
        "create_many",
        pieces=[{"address": f"{at}/{name}", "kind": "text", "title": "T", "body": name} for name in [*"abcd", "gone"]],
    )
    db.file(f"{at}/f", f"{at}/a", {"piece": f"{at}/b", "version": 1}, f"{at}/gone")
    db.file(f"{at}/inner")
    db.file(f"{at}/away", f"{at}/a")
    db.file(f"{at}/w", f"{at}/a", kind="workflow")
    db.one("axis_register", axis=f"{at}-topic", title="Topic", rule="union")
    db.call("axis_set", address=f"{at}/a", axis=f"{at}-topic", values=["x"])
    db.one("soft_delete", address=f"{at}/gone")
    db.one("collection_soft_delete", key=f"{at}/away")
    db.one("route_register", route=f"{at}.hooks", event_type="unit.edited", title="Hooks")
    db.one("route_configure", route=f"{at}.hooks", transport="file")
    db.one("route_set", route=f"{at}.hooks", enabled=True)


def good_calls(at: str) -> dict[str, dict[str, Any]]:
    """Arguments with which each writing function does something below a prefix that was prepared."""
    calls: dict[str, dict[str, Any]] = {
        "kind_register": {"kind": f"{at}-kind", "title": "Kind", "description": "D"},
        "create": {"address": f"{at}/new", "kind": "text", "title": "T", "body": "new"},
        "create_many": {
            "pieces": [
                {"address": f"{at}/{name}", "kind": "text", "title": "T", "body": name} for name in ("many2", "many1")
            ]
        },
        "edit": {"address": f"{at}/a", "expected_version": 1, "body": "edited"},
        "clone": {"source": f"{at}/b", "address": f"{at}/clone"},
        "lifecycle_set": {"address": f"{at}/b", "expected_version": 1, "lifecycle": "draft"},
        "retire": {"address": f"{at}/d"},
        "soft_delete": {"address": f"{at}/b"},
        "restore": {"address": f"{at}/gone"},
        "axis_register": {"axis": f"{at}-axis", "title": "Axis", "rule": "latest"},
        "axis_set": {"address": f"{at}/c", "axis": f"{at}-topic", "values": ["z", "y"]},
        "axis_refresh": {"key": f"{at}/f"},
        "collection_create": {
            "key": f"{at}/new",
            "kind": "workflow",
            "title": "C",
            "members": [{"piece": f"{at}/c"}, {"collection": f"{at}/inner"}, {"piece": f"{at}/a", "version": 1}],
        },
        "collection_add": {"key": f"{at}/f", "member": f"{at}/c", "at": "before", "anchor": f"{at}/a", "version": 1},
        "collection_remove": {"key": f"{at}/f", "member": f"{at}/a"},
        "collection_reorder": {"key": f"{at}/f", "member": f"{at}/a", "at": "last"},
        "collection_pin": {"key": f"{at}/f", "member": f"{at}/a"},
        "collection_unpin": {"key": f"{at}/f", "member": f"{at}/b"},
        "collection_replace": {"key": f"{at}/f", "member": f"{at}/a", "piece": f"{at}/c", "version": 1},
        "collection_rebalance": {"key": f"{at}/f"},
        "collection_soft_delete": {"key": f"{at}/f"},
        "collection_restore": {"key": f"{at}/away"},
        "step_set": {"key": f"{at}/w", "member": f"{at}/a", "label": "start"},
        "record_render": {"key": f"{at}/f"},
        "record_validation": {"key": f"{at}/f"},
        "gate_set": {"gate": "delivery", "open": True},
        "event_type_register": {"event_type": f"{at}.done", "title": "Done", "lane": "delayed", "delta": True},
        "route_register": {"route": f"{at}.route", "event_type": "unit.created", "title": "Route"},
        "route_set": {"route": "unit.created", "enabled": True},
        "route_configure": {"route": f"{at}.hooks", "transport": "nats", "target": {"stream": "s"}, "ordered": False},
        "route_replay": {"route": f"{at}.hooks", "first": 1},
        "route_skip": {"route": f"{at}.hooks", "upto": 1},
        # In the cluster of the ledger, and without anything old: recorded, and that is all.
        "sequencer_rebase": {},
        "events_prune": {"before": datetime(2020, 1, 1, tzinfo=UTC)},
    }
    assert calls.keys() == WRITERS, calls.keys() ^ WRITERS
    return calls


def last_change(db: Database) -> int:
    """The newest change."""
    return int(db.value("select max(change_id) from iucore.change"))


def events_of(db: Database, change: int) -> list[tuple[str, str, Any]]:
    """Type, subject and payload of the events of a change, in the order of their ids."""
    return db.query(
        "select event_type, event_subject_ref, payload from iucore.event_outbox where change_id = %s order by id",
        [change],
    )


def sequence(db: Database) -> int:
    """Everything that is committed gets its place; returns the last position."""
    while (row := db.one("sequence"))["remaining"]:
        pass
    return int(row["head"])


def grow_old(db: Database, days: int = 100) -> None:
    """Moves delivery and the changes of a database into the past, and so into another quarter of the year."""
    sequence(db)
    with db.connection.transaction():
        db.connection.execute("set local session_replication_role = replica")
        past = f"interval '{days} days'"
        slot = f"date_part('quarter', clock_timestamp() at time zone 'UTC' - {past})::smallint"
        db.connection.execute(f"update iucore.change set changed_at = changed_at - {past}")
        # The hashes hold the time: they are made anew.
        db.connection.execute("truncate iucore.event_log, iucore.sequencer_batch")
        for lane in ("slot = 0", "slot > 0"):
            moved = "" if lane == "slot = 0" else f", slot = {slot}"
            db.connection.execute(
                f"update iucore.event_outbox set created_at = created_at - {past}{moved} where {lane}"
            )
        for table in ("delivery_attempt", "delivery_cursor"):
            db.connection.execute(f"update iucore.{table} set made_at = made_at - {past}, slot = {slot}")
    sequence(db)
    with db.connection.transaction():
        db.connection.execute("set local session_replication_role = replica")
        db.connection.execute(f"update iucore.event_log set sequenced_at = sequenced_at - {past}")
        db.connection.execute(f"update iucore.sequencer_batch set made_at = made_at - {past}, slot = {slot}")


def move_to_another_cluster(db: Database) -> None:
    """As after a restore: the ledger remembers another system identifier."""
    sequence(db)
    db.connection.execute(
        "insert into iucore.sequencer_batch (system_identifier, seen, position, hash)"
        " select 1, '1:1:', b.position, b.hash from iucore.sequencer_batch as b order by b.batch desc limit 1"
    )

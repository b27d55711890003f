"""What holds between changes, rows and events in every database at head, whatever a test did in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg.rows import tuple_row

# Every column of a table that names the change which opened, closed or switched its row.
COLUMNS = """
select format('select %1$L as at, t.%2$I as change_id from iucore.%1$I as t where t.%2$I is not null',
    c.relname, a.attname)
from pg_catalog.pg_class as c
join pg_catalog.pg_attribute as a on a.attrelid = c.oid
where c.relnamespace = 'iucore'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
    and a.atttypid = 'int8'::regtype and a.attname ~ '(^|_)change(_id)?$'
    and c.relname not in ('change', 'change_result', 'event_outbox', 'event_log')
order by 1
"""

# What is older was pruned, and its events with it.
PRUNED = """
select coalesce(max((q.quarter ->> 'last_at')::timestamptz), '-infinity')
from iucore.event_outbox as e cross join lateral jsonb_array_elements(e.payload -> 'quarters') as q (quarter)
where e.event_type = 'delivery.pruned'
"""

LAWS = {
    "a piece has one birth event, of the change that bore it": """
        select u.address from iucore.information_unit as u
        where (
            select count(*) from iucore.event_outbox as e
            where e.event_type = case when u.source_unit_id is null then 'unit.created' else 'unit.cloned' end
                and e.aggregateid = u.unit_id::text and e.change_id = u.change_id and e.event_subject_ref = u.address
        ) <> 1
    """,
    "a birth event has a piece": """
        select e.event_subject_ref from iucore.event_outbox as e
        where e.event_type in ('unit.created', 'unit.cloned')
            and not exists (select from iucore.information_unit as u where u.unit_id::text = e.aggregateid)
    """,
    "an event has a change, with the same actors": """
        select e.event_type, e.change_id from iucore.event_outbox as e
        left join iucore.change as c on c.change_id = e.change_id
        where c.change_id is null or (c.actor, c.claimed_actor) is distinct from (e.actor, e.claimed_actor)
    """,
    "an event has a registered type and stands on its lane": """
        select e.event_type, e.delivery_lane from iucore.event_outbox as e
        left join iucore.event_type as t on t.event_type = e.event_type
        where t.delivery_lane is distinct from e.delivery_lane
    """,
    "all events of a change are of one transaction": """
        select e.change_id from iucore.event_outbox as e group by e.change_id having count(distinct e.xid) > 1
    """,
    "the events of one subject are in the order of its changes": """
        select o.aggregatetype, o.aggregateid, o.change_id from (
            select e.*, lag(e.change_id) over (partition by e.aggregatetype, e.aggregateid order by e.id) as before
            from iucore.event_outbox as e
        ) as o
        where o.before > o.change_id
    """,
    "the positions of the ledger are counted without gap, but where an anchor stands at its end": """
        select l.position
        from (
            select e.position, lag(e.position, 1, 0::bigint) over (order by e.position) as before
            from iucore.event_log as e
        ) as l
        where l.position <> l.before + 1
            and not exists (select from iucore.ledger_anchor as a where a.position = l.position - 1)
    """,
    "an event in the ledger is the one in the outbox, once": """
        select l.position from iucore.event_log as l
        left join iucore.event_outbox as o on o.id = l.event_id and o.slot = l.slot
        where o.id is null or (l.event_type, l.aggregatetype, l.aggregateid, l.subject, l.delivery_lane, l.payload,
            l.change_id, l.actor, l.claimed_actor, l.traceparent, l.created_at)
            is distinct from (o.event_type, o.aggregatetype, o.aggregateid, o.event_subject_ref, o.delivery_lane,
            o.payload, o.change_id, o.actor, o.claimed_actor, o.traceparent, o.created_at)
        union all
        select max(l.position) from iucore.event_log as l group by l.event_id having count(*) > 1
    """,
    "what the sequencer has seen is in the ledger": """
        select o.id
        from (select q.* from iucore.sequencer_batch as q order by q.batch desc limit 1) as b
        join iucore.event_outbox as o on pg_visible_in_snapshot(o.xid, b.seen)
        where b.system_identifier = (select s.system_identifier from pg_control_system() as s)
            and not exists (select from iucore.event_log as l where l.event_id = o.id)
    """,
    "the ledger has the events of one subject in the order of its changes": """
        select o.aggregatetype, o.aggregateid, o.position from (
            select l.*, lag(l.change_id) over w as before
            from iucore.event_log as l
            window w as (partition by l.aggregatetype, l.aggregateid order by l.position)
        ) as o
        where o.before > o.change_id
    """,
}


def assert_events(connection: psycopg.Connection[Any]) -> None:
    """No piece without event, no event without change, no row opened or closed by a change without event; the ledger is
    whole.
    """
    cursor = connection.cursor(row_factory=tuple_row)
    columns = [statement for (statement,) in cursor.execute(COLUMNS).fetchall()]
    assert len(columns) > 15, "the columns are found"
    laws = LAWS | {
        "a change that opened or closed a row has an event": f"""
            select t.at, t.change_id from ({" union all ".join(columns)}) as t
            join iucore.change as c on c.change_id = t.change_id and c.changed_at > ({PRUNED})
            where not exists (select from iucore.event_outbox as e where e.change_id = t.change_id)
        """
    }
    broken = {law: rows for law, query in laws.items() if (rows := cursor.execute(query).fetchmany(5))}
    assert not broken, broken


@contextmanager
def events_asserted(request: pytest.FixtureRequest) -> Iterator[None]:
    """Asserts the laws in the test's own database when the test is over, unless it is marked as damaging them."""
    own = "postgresql" in request.fixturenames and not request.node.get_closest_marker("damages")
    dsn = request.getfixturevalue("postgresql").info.dsn if own else None
    yield
    if dsn is not None:
        with psycopg.connect(dsn, autocommit=True) as connection:
            assert_events(connection)

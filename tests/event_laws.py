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
where c.relnamespace = 'iucore'::regnamespace and c.relkind = 'r' and a.atttypid = 'int8'::regtype
    and a.attname ~ '(^|_)change(_id)?$' and c.relname not in ('change', 'change_result', 'event_outbox')
order by 1
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
}


def assert_events(connection: psycopg.Connection[Any]) -> None:
    """No piece without event, no event without change, no row opened or closed by a change without event."""
    cursor = connection.cursor(row_factory=tuple_row)
    columns = [statement for (statement,) in cursor.execute(COLUMNS).fetchall()]
    assert len(columns) > 15, "the columns are found"
    laws = LAWS | {
        "a change that opened or closed a row has an event": f"""
            select t.at, t.change_id from ({" union all ".join(columns)}) as t
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

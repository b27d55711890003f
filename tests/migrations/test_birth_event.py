"""Pieces that are born while the database is upgraded get the event of their birth."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from migration_helpers import REVISIONS, at, engine_for, until, waiting

from iucore.operations import migrate

CREATE = "select * from iucore.fn_iu_create('{0}', 'text', 'T', '{0}', 'r')"
WITHOUT = """
select u.address from iucore.information_unit as u
where not exists (
    select from iucore.event_outbox as e
    where e.aggregateid = u.unit_id::text and e.event_type in ('unit.created', 'unit.cloned')
)
"""


def test_a_call_that_runs_the_old_functions_is_waited_for(new_database: Callable[[], str]) -> None:
    url = at(new_database, "0011")
    engine = engine_for(url)
    with engine.connect() as writer, ThreadPoolExecutor(1) as pool:
        writer.exec_driver_sql(CREATE.format("before"))
        writer.commit()
        # Born by the function of 0011, and not committed while 0012 replaces it.
        writer.exec_driver_sql(CREATE.format("between"))
        migrate.upgrade(url, "0012")
        upgrade = pool.submit(migrate.upgrade, url)
        until(lambda: waiting(url), "the upgrade waits for the writer", 20)
        assert migrate.current(url) == "0012"
        writer.commit()
        upgrade.result(timeout=60)
        writer.exec_driver_sql(CREATE.format("after"))
        writer.commit()
        assert migrate.current(url) == REVISIONS[-1].id
        assert writer.exec_driver_sql(WITHOUT).all() == []
        events = writer.exec_driver_sql(
            "select e.subject, e.change_id = u.change_id from iucore.v_event as e"
            " join iucore.information_unit as u on u.address = e.subject"
            " where e.event_type = 'unit.created' order by e.subject"
        ).all()
        assert [tuple(row) for row in events] == [("after", True), ("before", True), ("between", True)]

"""The sequencer: whatever the order in which transactions commit, every event has one place and none is lost."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.rows import tuple_row
from servers import times

# What a governed function does under the lock of its subject: the number of the change, and one event. The subject
# counts its events itself, so that the order of commits is known afterwards.
WRITER = """
create table public.subject (n int primary key, events int not null default 0);
insert into public.subject select g from generate_series(1, 100) as g;
create procedure public.write_one(p_subject int) language plpgsql as $$
declare
    v_nth int;
    v_change bigint;
begin
    update public.subject set events = events + 1 where n = p_subject returning events into v_nth;
    insert into iucore.change (verb, subject, reason) values ('test', p_subject::text, 'r')
    returning change_id into v_change;
    perform iucore.fn_iu_event_put('collection', 'rebalanced', v_change, array[p_subject::text], array[p_subject::text],
        array[jsonb_build_object('nth', v_nth)]);
end
$$;
"""
INVERSIONS = """
select count(*) from (
    select (payload ->> 'nth')::int as nth, row_number() over (partition by subject order by position) as want
    from iucore.event_log where event_type = 'collection.rebalanced'
) as o where o.nth <> o.want
"""


def open_session(dsn: str) -> psycopg.Connection[Any]:
    return psycopg.connect(dsn, autocommit=True, row_factory=tuple_row)


def value(connection: psycopg.Connection[Any], statement: str, *arguments: Any) -> Any:
    row = connection.execute(statement, arguments or None).fetchone()
    assert row is not None
    return row[0]


def sequence(connection: psycopg.Connection[Any], limit: int = 10_000) -> int:
    """Until nothing remains; how many events got a place."""
    total = 0
    while True:
        row = connection.execute("select sequenced, remaining, busy from iucore.fn_iu_sequence(%s)", [limit]).fetchone()
        assert row is not None
        assert not row[2]
        total += row[0]
        if not row[1]:
            return total


def assert_ledger(connection: psycopg.Connection[Any]) -> None:
    """Positions 1 to n, each event of the outbox once, the chain as recomputed, no inversion within a subject."""
    assert connection.execute(
        "select count(*), coalesce(min(position), 1), coalesce(max(position), 0), count(distinct event_id)"
        " from iucore.event_log"
    ).fetchone() == ((n := value(connection, "select count(*) from iucore.event_outbox")), 1, n, n)
    assert value(connection, INVERSIONS) == 0
    after: tuple[Any, Any] = (None, None)
    while True:
        page = connection.execute(
            'select "position", hash, events, bad_position, problem from iucore.fn_iu_ledger_verify(%s, %s, 50000)',
            after,
        ).fetchone()
        assert page is not None
        assert page[3:] == (None, None)
        after = page[:2]
        if not page[2]:
            break
    assert after[0] == n
    assert connection.execute("select * from iucore.fn_iu_ledger_stray()").fetchall() == []


@pytest.fixture
def writers(postgresql: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    connection = open_session(postgresql.info.dsn)
    connection.execute(WRITER)
    return connection


@pytest.fixture
def opened(postgresql: psycopg.Connection[Any], writers: psycopg.Connection[Any]) -> Iterator[list[Any]]:
    sessions = [open_session(postgresql.info.dsn) for _ in range(4)]
    yield sessions
    for session in [*sessions, writers]:
        session.close()


def test_a_lower_id_that_commits_later_is_not_lost(
    writers: psycopg.Connection[Any], opened: list[psycopg.Connection[Any]]
) -> None:
    slow, fast, *_ = opened
    slow.execute("begin")
    slow.execute("call public.write_one(1)")
    fast.execute("call public.write_one(2)")
    assert sequence(writers) == 1
    fast.execute("call public.write_one(3)")
    assert sequence(writers) == 1, "a transaction under way holds back its own events only"
    slow.execute("commit")
    assert sequence(writers) == 1
    ids = [row[0] for row in writers.execute("select event_id from iucore.event_log order by position").fetchall()]
    assert ids[2] == min(ids), "the lowest id stands last"
    assert sequence(writers) == 0
    assert_ledger(writers)


def test_two_snapshots_of_one_long_transaction(
    writers: psycopg.Connection[Any], opened: list[psycopg.Connection[Any]]
) -> None:
    """A writer that is under way in many windows is neither lost nor read again."""
    slow, other, fast, _ = opened
    slow.execute("begin")
    slow.execute("call public.write_one(1)")
    for n in range(2, 12):
        other.execute("begin")
        other.execute(f"call public.write_one({n})")
        fast.execute(f"call public.write_one({n + 20})")
        assert sequence(writers) == (1 if n == 2 else 2)
        other.execute("commit")
    slow.execute("rollback")
    assert sequence(writers) == 1
    assert_ledger(writers)


def test_an_idle_sequencer_writes_nothing(writers: psycopg.Connection[Any]) -> None:
    writers.execute("call public.write_one(1)")
    sequence(writers)
    before = value(writers, "select count(*) from iucore.sequencer_batch")
    for _ in range(5):
        assert sequence(writers) == 0
    assert value(writers, "select count(*) from iucore.sequencer_batch") == before


def test_a_second_sequencer_waits_for_nobody(
    writers: psycopg.Connection[Any], opened: list[psycopg.Connection[Any]]
) -> None:
    one, two, *_ = opened
    writers.execute("call public.write_one(1)")
    one.execute("begin")
    assert one.execute("select sequenced, busy from iucore.fn_iu_sequence()").fetchone() == (1, False)
    assert two.execute("select sequenced, busy from iucore.fn_iu_sequence()").fetchone() == (0, True)
    one.execute("rollback")
    assert two.execute("select sequenced, busy from iucore.fn_iu_sequence()").fetchone() == (1, False)
    assert_ledger(writers)


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_an_old_snapshot_is_refused(writers: psycopg.Connection[Any], level: str) -> None:
    writers.execute(f"begin isolation level {level}")
    with pytest.raises(psycopg.Error) as caught:
        writers.execute("select * from iucore.fn_iu_sequence()")
    assert caught.value.sqlstate == "IU038"
    writers.execute("rollback")


def test_a_window_larger_than_a_batch_is_read_in_parts(
    writers: psycopg.Connection[Any], opened: list[psycopg.Connection[Any]]
) -> None:
    """While it is, transactions with lower and higher ids commit: they come in a later window."""
    low, *_ = opened
    low.execute("begin")
    low.execute("call public.write_one(100)")
    writers.execute("do $$ begin for n in 1..25 loop call public.write_one(1 + n % 10); end loop; end $$")
    for want in (10, 10):
        row = writers.execute("select sequenced, remaining from iucore.fn_iu_sequence(10)").fetchone()
        assert row == (want, True)
        writers.execute("call public.write_one(1)")
    low.execute("commit")
    # The rest of the window, then what came meanwhile.
    row = writers.execute("select sequenced, remaining from iucore.fn_iu_sequence(10)").fetchone()
    assert row == (5, True)
    assert sequence(writers, 10) == 3
    assert_ledger(writers)


STEP = st.one_of(
    st.tuples(st.just("write"), st.integers(0, 3), st.integers(1, 6)),
    st.tuples(st.sampled_from(["commit", "rollback"]), st.integers(0, 3), st.just(0)),
    st.tuples(st.just("sequence"), st.integers(1, 4), st.just(0)),
)


def test_any_interleaving(writers: psycopg.Connection[Any], opened: list[psycopg.Connection[Any]]) -> None:
    """Four transactions write, commit and roll back in any order, with batches of any size between: the ledger has
    exactly what was committed, each subject in the order of its commits."""

    @settings(max_examples=times(60))
    @given(steps=st.lists(STEP, min_size=1, max_size=30))
    def run(steps: list[tuple[str, int, int]]) -> None:
        held: dict[int, set[int]] = {n: set() for n in range(4)}
        for step, who, subject in steps:
            if step == "sequence":
                writers.execute("select * from iucore.fn_iu_sequence(%s)", [who])
            elif step == "write":
                if any(subject in subjects for other, subjects in held.items() if other != who):
                    continue  # it would wait for the other's lock
                if not held[who]:
                    opened[who].execute("begin")
                held[who].add(subject)
                opened[who].execute(f"call public.write_one({subject})")
            elif held[who]:
                opened[who].execute(step)
                held[who].clear()
        for who, subjects in held.items():
            if subjects:
                opened[who].execute("commit")
        sequence(writers, 3)
        assert_ledger(writers)

    run()


# One batch after the other, until somebody kills it.
SEQUENCER = """
import sys, time, psycopg2
connection = psycopg2.connect(sys.argv[1])
connection.autocommit = True
cursor = connection.cursor()
while True:
    cursor.execute("select sequenced, remaining from iucore.fn_iu_sequence(500)")
    if not cursor.fetchone()[0]:
        time.sleep(0.002)
"""


def test_eight_writers_and_a_sequencer_that_is_killed(
    postgresql: psycopg.Connection[Any], writers: psycopg.Connection[Any]
) -> None:
    events = times(100_000)
    each = events // 8
    dsn = postgresql.info.dsn

    def write(seed: int) -> None:
        with open_session(dsn) as connection:
            # Some transactions write several events, some wait a little before they commit.
            connection.execute(
                f"""
                do $$
                begin
                    perform setseed({seed / 10});
                    for n in 1..{each} loop
                        call public.write_one(1 + floor(random() * 100)::int);
                        if random() < 0.01 then
                            perform pg_sleep(0.003);
                        end if;
                        commit;
                    end loop;
                end
                $$
                """
            )

    killed = 0
    with ThreadPoolExecutor(8) as pool:
        running = [pool.submit(write, seed) for seed in range(8)]
        while True:
            finished = all(future.done() for future in running)
            with subprocess.Popen([sys.executable, "-c", SEQUENCER, dsn]) as process:
                time.sleep(0.5)
                process.kill()
            killed += 1
            if finished:
                break
        for future in running:
            future.result()
    assert killed >= 2
    # The backend of a client that was killed may still be at its last batch.
    while value(writers, "select busy from iucore.fn_iu_sequence()"):
        time.sleep(0.01)
    sequence(writers)
    assert value(writers, "select count(*) from iucore.event_log") == each * 8
    assert_ledger(writers)

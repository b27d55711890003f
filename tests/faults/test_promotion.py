"""A synchronous standby is promoted by hand when its primary is killed: a failover without its manager."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from fault_helpers import Done, Found, Load, found, kill, sql, wait_for
from standby_helpers import Pair, streaming

from iucore.embedded import Cluster
from iucore.operations import migrate


@pytest.fixture
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    with streaming(synchronous=request.param) as pair:
        migrate.upgrade(pair.url())
        yield pair


def fail_over(pair: Pair, *, also: int | None = None) -> None:
    """The primary is killed, then another process, and the standby takes its place."""
    pid = pair.primary.status().pid
    assert pid is not None
    kill(pid)
    if also is not None:
        kill(also)
        wait_for(lambda: not Path(f"/proc/{also}").exists(), "its end")
    wait_for(lambda: promoted(pair.standby), "the promotion")


def promoted(standby: Cluster) -> bool:
    with suppress(psycopg.OperationalError), sql(standby.url()) as connection:
        return connection.execute("select pg_promote()").fetchone() == (True,)
    return False


def receiver(standby: Cluster) -> int:
    """The process that takes what the primary sends."""
    with sql(standby.url()) as connection:
        (pid,) = connection.execute("select pid from pg_stat_wal_receiver").fetchone() or (0,)
    assert isinstance(pid, int) and pid
    return pid


@pytest.mark.parametrize("pair", [True], indirect=True)
def test_nothing_acknowledged_is_lost(pair: Pair, tmp_path: Path) -> None:
    load = Load(pair.url, tmp_path)
    try:
        load.start()
        load.all_write()
        load.sends()
        since = time.monotonic()
        fail_over(pair)
        load.all_write()
        load.sends()
        gap = load.gap(since)
        load.stop()
        seen = found(load, pair.standby.url())
        # What is looked for is found.
        done = load.writers[0].done
        edit = next(one for one in reversed(done) if one.verb == "edit")
        assert found(load, pair.standby.url(), [Done("k", "edit", edit.subject, 1)]).lost == 1
        done.remove(edit)
        assert found(load, pair.standby.url()).doubled == 2
    except BaseException as error:
        error.add_note(load.log.read_text()[-3000:])
        raise
    finally:
        load.end()
    assert seen == Found(seen.acknowledged, seen.asked_again, 0, 0, 0, seen.sent_twice)
    assert seen.asked_again > 0 and gap <= 30


@pytest.mark.parametrize(
    "pair", [False, pytest.param(True, marks=pytest.mark.faults)], indirect=True, ids=["asynchronous", "synchronous"]
)
def test_what_a_standby_did_not_receive(pair: Pair, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """An asynchronous primary acknowledges it, and it is lost; a synchronous one does not acknowledge it."""
    synchronous = "asynchronous" not in request.node.name
    load = Load(pair.url, tmp_path, patience=1.0)
    try:
        load.start()
        load.all_write()
        assert load.worker is not None
        load.worker.kill()
        behind = receiver(pair.standby)
        os.kill(behind, signal.SIGSTOP)
        before = load.written()
        if synchronous:
            time.sleep(1)
        else:
            wait_for(lambda: load.written() > before + 50, "writes")
        written = load.written() - before
        for writer in load.writers:
            writer.stopped.set()
        if synchronous:
            assert written <= len(load.writers), "at most what was on its way"
        else:
            for writer in load.writers:
                writer.join()
        # With it goes what the network still held.
        fail_over(pair, also=behind)
        for writer in load.writers:
            writer.join(60)
            assert writer.raised is None
        lost = found(load, pair.standby.url()).lost
        assert lost == 0 if synchronous else lost >= written
    finally:
        load.end()

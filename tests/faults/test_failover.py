"""Three PostgreSQL under Patroni and etcd, in synchronous mode: writers and a worker go on through every fault."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from fault_helpers import Found, Load, found, sql, wait_for
from patroni_helpers import MISSING, Node, Patroni, patroni

from iucore.operations import migrate

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(
        bool(MISSING), reason=f"needs {' and '.join(MISSING)}: scripts/patroni installs them (etcd as root on Debian)"
    ),
]

WRITE_GAP = 30.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[Patroni]:
    with patroni() as cluster:
        yield cluster


def switchover(cluster: Patroni, old: Node) -> Callable[[], None]:
    cluster.switchover()
    return lambda: None


def server_killed(cluster: Patroni, old: Node) -> Callable[[], None]:
    old.kill_server()
    return lambda: None


def node_lost(cluster: Patroni, old: Node) -> Callable[[], None]:
    old.kill()

    def back() -> None:
        cluster.start_etcd(old)
        cluster.start_patroni(old)

    return back


def patroni_frozen(cluster: Patroni, old: Node) -> Callable[[], None]:
    """Its server goes on as a primary that nobody follows: it can acknowledge nothing."""
    old.signal(signal.SIGSTOP)
    return lambda: old.signal(signal.SIGCONT)


@pytest.mark.parametrize("fault", [switchover, server_killed, node_lost, patroni_frozen])
def test_nothing_acknowledged_is_lost(
    cluster: Patroni,
    fault: Callable[[Patroni, Node], Callable[[], None]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = fault.__name__
    migrate.upgrade(cluster.new_database(name))
    url = partial(cluster.url, database=name)
    with sql(url()) as connection:
        (version,) = connection.execute("show server_version").fetchone() or ("",)
    load = Load(url, cluster.nodes[0].folder.parent / name)
    try:
        load.start()
        load.all_write()
        old, since = cluster.whole(), time.monotonic()
        back = fault(cluster, old)
        if fault is not server_killed:
            # Patroni may start a killed server again where it is.
            wait_for(lambda: cluster.leader() not in (None, old), "another primary", 60, 0.2)
        load.all_write()
        back()
        cluster.whole()
        load.all_write()
        gap = load.gap(since)
        load.stop()
        seen = found(load, url())
    except BaseException as error:
        error.add_note(load.log.read_text()[-2000:] + "".join(node.log() for node in cluster.nodes))
        raise
    finally:
        load.end()
    with capsys.disabled():
        print(f"\n{name}: PostgreSQL {version}, write gap {gap:.1f} s, {seen}")
    assert seen == Found(seen.acknowledged, seen.asked_again, 0, 0, 0, seen.sent_twice)
    assert gap <= WRITE_GAP

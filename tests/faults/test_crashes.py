"""Postmaster, backend, worker and command line are killed (-9) under four writers, again and again."""

from __future__ import annotations

import json
import random
import subprocess
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from fault_helpers import CLI, Done, Found, Load, environment, found, kill, open_folder, sql, wait_for

from iucore.embedded import Cluster
from iucore.operations import migrate

SETTINGS = {"fsync": "off"}


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A server of its own, with a database at head."""
    with open_folder() as folder:
        cluster = Cluster(folder / "pg")
        try:
            migrate.upgrade(cluster.up(SETTINGS))
            yield cluster
        finally:
            cluster.down("immediate")


class Killer:
    """Kills one thing in each round."""

    def __init__(self, cluster: Cluster, load: Load) -> None:
        self.cluster, self.load = cluster, load
        self.done: list[Done] = []
        self.kills = 0

    def postmaster(self) -> None:
        """Its children end when they notice; then it is started again."""
        pid = self.cluster.status().pid
        assert pid is not None
        kill(pid)
        wait_for(lambda: self.cluster.status().state == "stopped", "the end of the server", pause=0.005)
        self.cluster.up(SETTINGS)

    def backend(self) -> None:
        """The server ends every session and recovers."""
        with sql(self.cluster.url()) as connection:
            pids = connection.execute(
                "select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()"
            ).fetchall()
        kill(random.choice(pids)[0])

    def worker(self) -> None:
        self.load.kill_worker()

    def command(self) -> None:
        """Wherever it is; typed again with the same key until it answers."""
        address = f"cli/{len(self.done)}"
        options = ["--title", "T", "--body", f"{address}\n", "-m", "r", "--request-key", address, "--format", "json"]
        command = [*CLI, "piece", "create", address, *options, "--url", self.cluster.url()]
        for moment in (0.3, 0.45, 0.6):
            first = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
            time.sleep(random.uniform(moment - 0.1, moment + 0.1))
            first.kill()
            first.wait()
        answer = subprocess.run(command, capture_output=True, env=environment(), check=False)
        assert answer.returncode == 0, answer.stderr
        self.done.append(Done(address, "create", address, json.loads(answer.stdout)["change_id"]))

    def round(self, number: int) -> None:
        time.sleep(random.uniform(0.0, 0.2))
        victims = (self.postmaster, self.backend, self.worker, self.command)
        victims[number % len(victims)]()
        self.load.all_write()
        self.load.sends()


@pytest.mark.parametrize("rounds", [4, pytest.param(50, marks=pytest.mark.faults)])
def test_nothing_acknowledged_is_lost(
    cluster: Cluster, rounds: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    random.seed(rounds)
    load = Load(lambda _: cluster.url(), tmp_path)
    killer = Killer(cluster, load)
    began = time.monotonic()
    try:
        load.start()
        for number in range(rounds):
            killer.round(number)
        load.stop()
        seen = found(load, cluster.url(), killer.done)
    except BaseException as error:
        error.add_note(load.log.read_text()[-3000:] + cluster.log.read_text()[-3000:])
        raise
    finally:
        load.end()
    with capsys.disabled() if rounds > 10 else nullcontext():
        print(f"\n{rounds} rounds in {time.monotonic() - began:.0f} s, PostgreSQL {cluster.status().version}: {seen}")
    assert seen == Found(seen.acknowledged, seen.asked_again, 0, 0, 0, seen.sent_twice)

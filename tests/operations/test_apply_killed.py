"""Client, backend or server is killed (-9) in the middle of an apply: before a revision or after it, never between."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest
from apply_helpers import HEAD, REVISIONS, Place, command, process_environment
from sqlalchemy.engine import make_url

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "delivery"))

from cluster_helpers import kill_server, own_cluster

from iucore.embedded import Cluster
from iucore.operations import migrate

FAST = {"fsync": "off", "autovacuum": "off"}
# In the middle of a revision: at its last step, where it waits for whoever holds the row of the version.
HOLD = "update public.iucore_alembic_version set version_num = version_num"
WAITING = """
select pid from pg_stat_activity
where application_name like 'iucore run %' and wait_event_type = 'Lock' and datname = current_database()
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with own_cluster(FAST) as running:
        yield running


def connect(of: Place, dbname: str | None = None) -> psycopg.Connection:
    url = make_url(of.url)
    return psycopg.connect(
        host=url.host,
        port=url.port,
        user=url.username,
        dbname=dbname or url.database,
        passfile=str(url.query["passfile"]),
        autocommit=True,
    )


def make(cluster: Cluster, folder: Path, revision: str) -> Place:
    """A database at a revision on the server that is to be killed."""
    url = make_url(cluster.url())
    name = f"k_{time.monotonic_ns()}"
    with connect(Place(cluster.url(), folder), "postgres") as admin:
        admin.execute(f"create database {name} template template0 encoding 'UTF8'")
    of = Place(url.set(database=name).render_as_string(hide_password=False), folder)
    migrate.upgrade(of.url, revision)
    of.ready()
    return of


def start(of: Place, goal: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command("db", "apply", goal, "--yes", "--lock-timeout", "1min"),
        env=process_environment(of),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def until(condition: Callable[[], object], what: str, seconds: float = 40) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.02)


def kill_in(of: Place, cluster: Cluster, victim: str, goal: str) -> None:
    """Kill the victim while the first pending revision waits at its last step."""
    with closing(connect(of)) as looker, closing(connect(of)) as holder:
        holder.execute("begin")
        holder.execute(HOLD)
        client = start(of, goal)
        try:
            until(lambda: looker.execute(WAITING).fetchone() or client.poll() is not None, "the apply to wait")
            row = looker.execute(WAITING).fetchone()
            assert row is not None, client.stdout.read().decode()
            if victim == "client":
                client.kill()
                holder.execute("rollback")
                until(
                    lambda: (
                        looker.execute(
                            "select from pg_stat_activity where application_name like 'iucore run %'"
                        ).fetchone()
                        is None
                    ),
                    "its session to end",
                )
            elif victim == "backend":
                os.kill(row[0], signal.SIGKILL)
            else:
                kill_server(cluster)
            said = client.communicate(timeout=60)[0].decode()
            assert client.returncode != 0, said
            assert "Traceback" not in said
        finally:
            client.kill()
            client.wait()
    if victim == "postmaster":
        cluster.up(FAST)

    def answers() -> bool:
        try:
            with connect(of):
                return True
        except psycopg.OperationalError:
            return False

    until(answers, "the server to be back")


def killed(of: Place, cluster: Cluster, victim: str, goal: str) -> None:
    state = of.state()
    kill_in(of, cluster, victim, goal)
    assert of.state() == state, "the revision did not commit: everything is as before"
    done = subprocess.run(
        command("db", "apply", goal, "--yes"), env=process_environment(of), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    assert of.whole() == goal


VICTIMS = ("client", "backend", "postmaster")
PAIRS = list(pairwise(REVISIONS))


def test_killed_in_the_newest_revisions(cluster: Cluster, tmp_path: Path) -> None:
    of = make(cluster, tmp_path, REVISIONS[-3])
    for victim in VICTIMS:
        killed(of, cluster, victim, HEAD)
        migrate.downgrade(of.url, REVISIONS[-3], lose_rows=True)


@pytest.mark.faults
@pytest.mark.parametrize(("before", "goal"), PAIRS, ids=[goal for _, goal in PAIRS])
def test_killed_in_every_revision(cluster: Cluster, tmp_path: Path, before: str, goal: str) -> None:
    of = make(cluster, tmp_path, before)
    for victim in VICTIMS:
        killed(of, cluster, victim, goal)
        migrate.downgrade(of.url, before, lose_rows=True)


def kill_at_random(cluster: Cluster, folder: Path, source: random.Random, before: str) -> str:
    """Kill client or server at any moment of an apply to the newest revision; returns where it stood then."""
    of = make(cluster, folder, before)
    with closing(connect(of)) as looker:
        client = start(of, "head")
        until(
            lambda: (
                client.poll() is not None
                or looker.execute(
                    "select 1 from pg_stat_activity where application_name like 'iucore run %'"
                ).fetchone()
            ),
            "the run to begin",
        )
        time.sleep(source.uniform(0, 1))
        if source.random() < 0.5:
            client.kill()
        else:
            kill_server(cluster)
    client.communicate(timeout=60)
    cluster.up(FAST)
    at = of.whole()
    assert at in REVISIONS
    if at != HEAD:
        if at != before:
            of.ready()
        of.run("db", "apply", "--yes")
    assert of.whole() == HEAD
    return at


def test_killed_at_any_moment(cluster: Cluster, tmp_path: Path) -> None:
    kill_at_random(cluster, tmp_path, random.Random(6), REVISIONS[-6])


@pytest.mark.faults
def test_killed_at_any_moment_again_and_again(cluster: Cluster, tmp_path: Path) -> None:
    source = random.Random(60)
    stood = {kill_at_random(cluster, tmp_path / str(nth), source, REVISIONS[0]) for nth in range(30)}
    assert len(stood) > 3, "the kills fell into different revisions"

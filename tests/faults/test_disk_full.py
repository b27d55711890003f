"""The disk of the server is full: the command line names the cause, and when there is room all goes on."""

from __future__ import annotations

import errno
import json
import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from fault_helpers import CLI, Done, Found, Load, environment, found, open_folder, sql, wait_for

from iucore.cli import _errors
from iucore.embedded import Cluster
from iucore.errors import OperationError
from iucore.operations import migrate

SETTINGS = {"fsync": "off", "max_wal_size": "48MB", "min_wal_size": "32MB", "autovacuum": "off"}
SIZE = "128m"


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of its own, in memory."""
    folder.mkdir()
    if shutil.which("mount") is None:
        pytest.skip("a small disk cannot be mounted: there is no mount")
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=755", "iucore-test", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted: {mounted.stderr.splitlines()[0]}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Take the last byte."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError as error:
                assert error.errno == errno.ENOSPC
    return ballast


@pytest.fixture(params=["data", "wal"])
def place(request: pytest.FixtureRequest) -> Iterator[tuple[Cluster, Path, str]]:
    """A server with a database at head; its data or its write-ahead log stands on a small disk."""
    with open_folder() as folder, small_disk(folder / "disk") as disk:
        on_disk, beside = (disk / "pg", folder / "wal") if request.param == "data" else (folder / "pg", disk / "wal")
        cluster = Cluster(on_disk)
        try:
            cluster.up(SETTINGS)
            cluster.down()
            owner = cluster.data.stat()
            shutil.move(cluster.data / "pg_wal", beside)
            subprocess.run(["chown", "-R", f"{owner.st_uid}:{owner.st_gid}", str(beside)], check=True)
            (cluster.data / "pg_wal").symlink_to(beside)
            migrate.upgrade(cluster.up(SETTINGS))
            yield cluster, disk, request.param
        finally:
            cluster.down("immediate")


def create(url: str, address: str, size: int) -> subprocess.CompletedProcess[str]:
    """What an operator types, with a body that cannot be made smaller."""
    options = ["--title", "T", "--file", "-", "-m", "r", "--request-key", address, "--format", "json"]
    return subprocess.run(
        [*CLI, "piece", "create", address, *options, "--url", url],
        input=random.Random(address).randbytes(size // 2).hex(),
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )


def test_a_lost_connection_says_what_to_do() -> None:
    lost = "server closed the connection unexpectedly\n\tThis probably means the server terminated abnormally"
    hint = _errors.cannot_connect(psycopg.OperationalError(lost), embedded=False).hint
    assert "full disk" in hint and "--request-key" in hint


def test_nothing_acknowledged_is_lost(place: tuple[Cluster, Path, str], tmp_path: Path) -> None:
    cluster, disk, full = place
    url = cluster.url()
    load = Load(lambda _: url, tmp_path)
    done: list[Done] = []

    def typed(size: int) -> subprocess.CompletedProcess[str]:
        key = f"cli/{len(done)}"
        answer = create(url, key, size)
        if answer.returncode == 0:
            done.append(Done(key, "create", key, json.loads(answer.stdout)["change_id"]))
        return answer

    try:
        load.start()
        load.all_write()
        ballast = fill(disk)
        if full == "data":
            # The server goes on, and refuses what needs room.
            refused = wait_for(lambda: answer if (answer := typed(2_000_000)).returncode else None, "the refusal")
            assert refused.returncode == 1, refused.stderr
            assert re.search(r"error: could not extend file .*: No space left on device \(53100\)", refused.stderr)
            assert "hint: The disk of the server is full. Make room there" in refused.stderr
            assert create(url, "too/big", 2_000_000).returncode == 1 and cluster.status().state == "running"
        else:
            # It ends, and starts again only when there is room: its log has the cause.
            with pytest.raises(psycopg.OperationalError), sql(url) as connection:
                while True:
                    connection.execute("select pg_switch_wal()")
            wait_for(lambda: cluster.status().state == "stopped", "the end of the server")
            with pytest.raises(OperationError) as failed:
                cluster.up(SETTINGS)
            assert "No space left on device" in failed.value.detail and "iucore db up" in failed.value.hint
            assert typed(1).returncode == 6
        ballast.unlink()
        assert cluster.up(SETTINGS) == url
        wait_for(lambda: typed(2_000_000).returncode == 0, "the answer")
        load.all_write()
        load.sends()
        load.stop()
        seen = found(load, url, done)
    except BaseException as error:
        error.add_note(load.log.read_text()[-3000:])
        raise
    finally:
        load.end()
    assert seen == Found(seen.acknowledged, seen.asked_again, 0, 0, 0, seen.sent_twice)
    assert seen.asked_again > 0

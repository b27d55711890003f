"""A server of a test's own: to be restored into, or to be killed."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from iucore.embedded import Cluster


@contextmanager
def own_cluster(settings: dict[str, str] | None = None) -> Iterator[Cluster]:
    """A running cluster in a folder that its user can enter; it ends with the block."""
    folder = Path(tempfile.mkdtemp(prefix="iucore-"))
    folder.chmod(0o755)
    cluster = Cluster(folder / "pg")
    try:
        cluster.up(settings)
        yield cluster
    finally:
        cluster.down("immediate")
        shutil.rmtree(folder)


def kill_server(cluster: Cluster) -> None:
    """The postmaster by -9; its children end by themselves when they notice."""
    pid = int((cluster.data / "postmaster.pid").read_text().splitlines()[0])
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while cluster.status().state not in ("stopped", "absent"):
        assert time.monotonic() < deadline, "the server is still there"
        time.sleep(0.01)

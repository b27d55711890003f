"""A temporary PostgreSQL from the server programs at hand, to be thrown away; gone at the end, however it ends."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from iucore.embedded import Cluster
from iucore.errors import OperationError
from iucore.operations import programs

_PREFIX = "iucore-scratch-"
# Nothing of it needs to outlive a crash.
_SETTINGS = {"fsync": "off", "full_page_writes": "off", "autovacuum": "off", "max_wal_size": "4GB"}


@contextmanager
def server(*, at_least: int) -> Iterator[str]:
    """Start one below the folder for temporary files (``TMPDIR``), and yield its URL, as its superuser.

    Args:
        at_least: the lowest major version that will do.

    Raises:
        iucore.errors.OperationError: IU908, no server programs of that version; IU907 and IU909, as ``Cluster.up``.
    """
    _sweep()
    found = programs.find("postgres", at_least=at_least)
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
    cluster = Cluster(folder / "pg", found.path.resolve().parent)
    try:
        # As root the server runs as another user, who must be able to enter.
        folder.chmod(0o755)
        yield cluster.up(_SETTINGS)
    finally:
        cluster.down("immediate")
        shutil.rmtree(folder, ignore_errors=True)


def _sweep() -> None:
    """Remove those whose process was killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
        with suppress(OSError, OperationError):
            if folder.lstat().st_uid == os.geteuid() and pid.isdigit() and not Path("/proc", pid).exists():
                Cluster(folder / "pg").down("immediate")
                shutil.rmtree(folder)

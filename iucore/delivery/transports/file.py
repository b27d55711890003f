"""The transport ``file``: JSON lines, appended and on the disk before they count as sent.

Target: ``{"path": "/var/lib/iucore/events.jsonl", "source": "/iucore"}``.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from iucore.delivery.transport import SENT, Event, Outcome, unavailable
from iucore.delivery.transports._envelope import DEFAULT_SOURCE, envelope_or_failed
from iucore.delivery.transports._target import Target

_KNOWN = ("path", "source")
_NOT_REGULAR = "the path is not a regular file"
# Close-on-exec is Python's default. Without NONBLOCK the opening of a pipe would wait for its reader.
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK


class File:
    """Appends a line an event. The file is opened for each hand-over, so that it can be moved away at any time."""

    hand_over = 1000
    in_order = True

    def __init__(self, target: Mapping[str, object], *, networks: Sequence[str], environ: Mapping[str, str]) -> None:  # noqa: ARG002
        """Check the target; the file is made with the first event."""
        self.check(target, networks=networks)
        read = Target("file", target, _KNOWN)
        self._synced: tuple[int, int] | None = None
        self._path, self._source = Path(read.text("path")), read.text("source", DEFAULT_SOURCE)
        # A link or a pipe would be refused at every event: say so at once.
        with contextlib.suppress(OSError):
            if not stat.S_ISREG(self._path.lstat().st_mode):
                raise read.error("path is not a regular file")

    @staticmethod
    def check(target: Mapping[str, object], *, networks: Sequence[str]) -> None:  # noqa: ARG004
        """Check the target without looking at the disk."""
        read = Target("file", target, _KNOWN)
        path = Path(read.text("path"))
        if not path.is_absolute() or not path.name or ".." in path.parts:
            raise read.error("path is not absolute and plain")
        read.text("source", DEFAULT_SOURCE)

    def send(self, events: Sequence[Event], *, deadline: float) -> Sequence[Outcome]:
        """Append the events and wait for the disk once, up to the first that cannot be printed."""
        lines: list[bytes] = []
        outcomes: list[Outcome] = []
        for event in events:
            line = envelope_or_failed(event, source=self._source)
            if isinstance(line, Outcome):
                outcomes.append(line)
                break
            lines.append(line + b"\n")
        if lines:
            done = self._append(b"".join(lines), deadline)
            # Behind what was not written nothing was tried.
            return [SENT] * len(lines) + outcomes if done is SENT else [done]
        return outcomes

    def close(self) -> None:
        """Nothing is held open."""

    def _append(self, lines: bytes, deadline: float) -> Outcome:
        try:
            file = os.open(self._path, _FLAGS, 0o600)
            try:
                found = os.fstat(file)
                if not stat.S_ISREG(found.st_mode):
                    return unavailable(_NOT_REGULAR)
                if not _locked(file, deadline):
                    return unavailable("another process holds the file")
                _write(file, lines)
                # The name of a new file is on the disk too before anything in it counts as sent.
                if self._synced != (found.st_dev, found.st_ino):
                    _sync_folder(self._path.parent)
                    self._synced = found.st_dev, found.st_ino
            finally:
                os.close(file)
        except OSError as error:
            # A link, a device or a folder in the place of the file.
            if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
                return unavailable(_NOT_REGULAR)
            return unavailable(f"the file cannot be written: {errno.errorcode.get(error.errno or 0, 'OSError')}")
        return SENT


def _locked(file: int, deadline: float) -> bool:
    """Whether the file is ours alone: workers of a route's partitions may write to one file."""
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.01)
        else:
            return True


def _write(file: int, lines: bytes) -> None:
    """Append the lines and wait for the disk. A line that a crash left torn is ended first."""
    size = os.fstat(file).st_size
    if size and os.pread(file, 1, size - 1) != b"\n":
        lines = b"\n" + lines
    rest = memoryview(lines)
    try:
        while rest:
            rest = rest[os.write(file, rest) :]
        os.fsync(file)
    except OSError:
        # Nothing of it counts as sent: take back what was written, as far as the disk lets us.
        with contextlib.suppress(OSError):
            os.ftruncate(file, size)
        raise


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

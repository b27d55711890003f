"""The sequencer as a process of its own. A worker sequences too, unless told not to; one of all is at it at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from iucore import events, ledger
from iucore.delivery.loop import Loop, Say, Session, pause

if TYPE_CHECKING:
    from sqlalchemy import Engine

# How many batches in one round: what is in its place is delivered before the rest of a long backlog has one.
_BATCHES = 20
_BUSY_SECONDS = 0.005


class Sequencing:
    """Gives events their places, and wakes whoever sleeps when there are new ones."""

    def __init__(self, session: Session, *, batch: int) -> None:
        """Work with a session that nobody else uses meanwhile."""
        self._session, self._batch = session, batch
        self._found_before = False
        self.left = False
        self.sequenced = 0
        self.head: int | None = None

    def run(
        self,
        stop: threading.Event,
        *,
        wait: bool,
        batches: int = _BATCHES,
        placed: Callable[[], object] | None = None,
    ) -> bool:
        """Sequence; whether anything was done, or is left: then ``left`` says so too.

        Args:
            stop: ends it after the batch under way.
            wait: also where another session is at it.
            batches: how many at most.
            placed: called after each batch that gave events their places.
        """
        found = 0
        for _ in range(batches):
            done = self._session.call(ledger.sequence, limit=self._batch)
            self.head = done.head
            found += done.sequenced
            if done.sequenced and placed is not None:
                placed()
            if done.busy and wait:
                pause(stop, _BUSY_SECONDS)
            if stop.is_set() or not (done.remaining or (done.busy and wait)):
                break
        self.sequenced += found
        if found and not self._found_before:
            self._session.call(events.wake)
        self._found_before = found > 0
        self.left = done.remaining or (done.busy and wait)
        return found > 0 or self.left


class Sequencer(Loop):
    """Gives events their places in the ledger, and does nothing else."""

    def __init__(
        self, database: Engine | str, *, batch: int = 10000, listen: bool = True, say: Say | None = None
    ) -> None:
        """Connect later.

        Args:
            database: an engine, or a URL; its role is iucore_worker.
            batch: how many events at most in one transaction, 1 to 100000.
            listen: let ``fn_iu_wake`` end a sleep, where no pooler stands between.
            say: gets a line about each thing of note.
        """
        super().__init__(database, listen=listen, say=say)
        self._sequencing = Sequencing(self._session, batch=batch)
        self.seconds = 0.0

    @property
    def sequenced(self) -> int:
        """How many events got their places."""
        return self._sequencing.sequenced

    @property
    def head(self) -> int:
        """The last position of the ledger that it saw."""
        return self._sequencing.head or 0

    def run(self, stop: threading.Event, *, once: bool = False, idle_exit: float | None = None) -> None:
        """Run until ``stop`` is set.

        Args:
            stop: another thread or a signal handler sets it; the batch under way is finished.
            once: end when every committed event has its place.
            idle_exit: end after so many seconds without work.

        Raises:
            OperationError: IU915, the ledger was written in another cluster.
            DBAPIError: the database cannot be reached at the start, or refuses.
        """
        began = time.monotonic()
        try:
            self._run(stop, once=once, idle_exit=idle_exit)
        finally:
            self.seconds = round(time.monotonic() - began, 3)

    def _round(self, stop: threading.Event, *, once: bool) -> bool:
        worked = self._sequencing.run(stop, wait=once)
        if worked:
            self._sleeper.disarm()
        return worked

"""The worker: takes batches of routes, hands them to transports, and records what became of them.

Without ``live`` it opens and imports no transport: what would have been sent is recorded as a dry run.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from iucore import batches, routes
from iucore.delivery import transport as transports
from iucore.delivery.loop import Loop, OutageError, Say, Session, Talk, in_thread
from iucore.delivery.sequencer import Sequencing
from iucore.delivery.transport import Event, Outcome, Transport
from iucore.errors import ConflictError, InvalidError, IucoreError

if TYPE_CHECKING:
    from concurrent.futures import Future

    from sqlalchemy import Engine

    from iucore.batches import Batch

OpenTransport = Callable[..., Transport]

# How many batches in one round, so that nothing else waits for a long backlog.
_BATCHES = 100
# An answer about the gate may be so old before a further part of one hand-over, in seconds.
_ALLOWED_SECONDS = 0.01
# A dry run need not be quick, least of all where others wait to be sent: seconds between two looks.
_DRY_RUN_SECONDS, _DRY_RUN_SECONDS_LIVE = 0.1, 1.0
# The part of a lease that is kept for recording, in seconds at most.
_KEPT, _KEPT_SECONDS = 0.1, 5.0
# How long a worker that is to stop tries to record while the database is away.
_STOPPING_SECONDS = 5.0
# How long it waits at most for events to get their places before it looks for others.
_WAIT_SECONDS = 0.05
_REASON_LENGTH = 500


@dataclass(frozen=True, slots=True)
class RouteSummary:
    """What a worker did for a route; ``seconds``: how long it was at it."""

    route: str
    sent: int
    failed: int
    dead: int
    dry_run: int
    seconds: float


@dataclass(slots=True)
class _Count:
    sent: int = 0
    failed: int = 0
    dead: int = 0
    dry_run: int = 0
    seconds: float = 0.0
    waiting: bool = False


@dataclass(frozen=True, slots=True)
class _Opened:
    """A transport that was opened for a setting of a route."""

    setting: int
    ordered: bool
    hand_over: int
    in_order: bool
    transport: Transport


class _Lease:
    """The lease on a batch, on our own clock: it ends here no later than in the database."""

    def __init__(self, claim: int, began: float, seconds: float) -> None:
        self.claim, self.began, self._seconds = claim, began, seconds
        self._set(began)

    def _set(self, began: float) -> None:
        self.end = began + self._seconds
        self.half = began + self._seconds / 2
        self.deadline = self.end - min(self._seconds * _KEPT, _KEPT_SECONDS)

    def renewed(self, claim: int, began: float) -> None:
        self.claim = claim
        self._set(began)


class _Beside:
    """Sequencing, of a backlog in a thread: events get their places while those before them are sent.

    What fits in one batch is sequenced in turn with sending: two threads would only take the cores from each other. It
    has a session of its own.
    """

    def __init__(self, engine: Engine, talk: Talk, beside: Session) -> None:
        self._session = Session(engine, talk, beside=beside)
        self._sequencing = Sequencing(self._session, batch=10000)
        self._changed = threading.Event()
        self._running: Future[bool] | None = None

    @property
    def head(self) -> int | None:
        return self._sequencing.head

    def begin(self, stop: threading.Event, *, wait: bool) -> bool:
        """Sequence a batch, and begin a thread for what is left; whether there was anything.

        One that is not over is left alone: that of a long backlog, or of a round that an outage ended.
        """
        if self._running is not None:
            return True
        found = self._sequencing.run(stop, wait=wait, batches=1)
        if self._sequencing.left:
            self._running = in_thread(
                lambda: self._sequencing.run(stop, wait=wait, placed=self._changed.set), self._changed.set
            )
        return found

    def placing(self) -> bool:
        """Whether events may get their places from now on: then ``wait`` waits for the next ones."""
        self._changed.clear()
        return self._running is not None and not self._running.done()

    def wait(self) -> None:
        """Wait until events got their places, or none will."""
        self._changed.wait(_WAIT_SECONDS)

    def result(self, *, wait: bool) -> bool:
        """Whether the run found something, or is not over; it raises what the run raised."""
        if self._running is None or not (wait or self._running.done()):
            return self._running is not None
        running, self._running = self._running, None
        return running.result()

    def close(self) -> None:
        """End the session; a statement that does not end is left to end by itself."""
        with contextlib.suppress(Exception):
            if self._running is not None:
                self._running.result(_STOPPING_SECONDS)
            self._session.close()


class _Outcomes:
    """What became of the events of a batch so far."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = events
        self.known: list[str | None] = [None] * len(events)
        self.reasons: dict[int, str] = {}
        self.failing: set[str] = set()
        self.stopped: Outcome | None = None

    def take_up(self, numbers: Sequence[int], outcomes: Sequence[Outcome]) -> None:
        for number, outcome in zip(numbers, outcomes, strict=True):
            if outcome.kind == "sent":
                self.known[number] = "sent"
            elif outcome.kind == "failed":
                self.known[number] = "failed"
                self.reasons[number] = _plain(outcome.reason, "failed")
                self.failing.add(self.events[number].subject)
            elif self.stopped is None or outcome.kind == "gone":
                self.stopped = outcome

    def arguments(self) -> dict[str, Any]:
        """For ``batches.record``: all up to the last one that was handed over; before it, what was not, is deferred."""
        events, known = self.events, self.known
        handled = len(known)
        while handled and known[handled - 1] is None:
            handled -= 1
        given: dict[str, Any] = {"handled": handled}
        others = [number for number in range(handled) if known[number] != "sent"]
        if others:
            given |= {
                "positions": [events[number].position for number in others],
                "outcomes": [known[number] or "deferred" for number in others],
                "errors": [self.reasons.get(number) for number in others],
            }
        if self.stopped is not None:
            given["unavailable"] = _plain(self.stopped.reason, self.stopped.kind)
            # A target that wants to be asked again at once waits as long as any other.
            if self.stopped.retry_after is not None and self.stopped.retry_after > 0:
                given["retry_after"] = timedelta(seconds=min(self.stopped.retry_after, 3600.0))
            given["gone"] = self.stopped.kind == "gone"
        return given


class Worker(Loop):
    """Delivers events of routes until it is told to stop. One thread uses it."""

    def __init__(
        self,
        database: Engine | str,
        *,
        routes: Sequence[str] | None = None,
        live: bool = False,
        batch: int = 1000,
        lease: float = 60.0,
        name: str | None = None,
        sequence: bool = True,
        listen: bool = True,
        open_transport: OpenTransport = transports.open_transport,
        environ: Mapping[str, str] | None = None,
        say: Say | None = None,
    ) -> None:
        """Connect later.

        Args:
            database: an engine, or a URL; its role is iucore_worker.
            routes: only these; None: all.
            live: send, where the gate delivery is open and the route is on; else everything is a dry run.
            batch: how many events at most under one lease, 1 to 10000.
            lease: seconds, 0.1 to 3600; a hand-over that takes longer is sent again, maybe by another worker.
            name: of the worker, in one line; None: host and process.
            sequence: give events their places too.
            listen: let ``fn_iu_wake`` end a sleep, where no pooler stands between.
            open_transport: makes the transports; takes what ``transport.open_transport`` takes.
            environ: where the variables are that targets name; None: of the process.
            say: gets a line about each thing of note.
        """
        super().__init__(database, listen=listen, say=say)
        self._routes = None if routes is None else list(routes)
        self._live, self._batch, self._lease = live, batch, lease
        self._name = name or f"{socket.gethostname()}:{os.getpid()}"[-200:]
        self._open_transport = open_transport
        self._environ = os.environ if environ is None else environ
        self._beside = _Beside(self._engine, self._talk, self._session) if sequence else None
        self._counts: dict[str, _Count] = {}
        self._opened: dict[str, _Opened] = {}
        self._warned: set[tuple[str, int]] = set()
        self._dry_run_head: int | None = None
        self._dry_run_at = 0.0

    def run(self, stop: threading.Event, *, once: bool = False, idle_exit: float | None = None) -> None:
        """Run until ``stop`` is set.

        Args:
            stop: another thread or a signal handler sets it; the hand-over under way is finished and recorded.
            once: end when all is sequenced and no route has anything to take now.
            idle_exit: end after so many seconds without work.

        Raises:
            NotFoundError: IU042 for a route that was named.
            InvalidError: IU054 for a batch or lease out of range.
            OperationError: IU915, the ledger was written in another cluster.
            DBAPIError: the database cannot be reached at the start, or refuses.
        """
        self._run(stop, once=once, idle_exit=idle_exit)

    def summary(self) -> list[RouteSummary]:
        """What was done so far, by route."""
        return [
            RouteSummary(route, one.sent, one.failed, one.dead, one.dry_run, round(one.seconds, 3))
            for route, one in sorted(self._counts.items())
        ]

    def _begin(self) -> None:
        # Here: not a number is no interval, and a larger one no integer of PostgreSQL.
        if not (1 <= self._batch <= 10_000 and 0.1 <= self._lease <= 3600):
            raise InvalidError(
                "size or lease of a batch invalid",
                sqlstate="IU054",
                detail=f"batch: {self._batch}, lease: {self._lease} s",
                hint="Give a batch of 1 to 10000 events and a lease of 0.1 to 3600 seconds.",
            )
        for route in self._routes or ():
            self._session.call(routes.show, route=route)

    def _end(self) -> None:
        if self._beside is not None:
            self._beside.close()
        for opened in self._opened.values():
            _close(opened.transport)
        self._opened.clear()

    def _round(self, stop: threading.Event, *, once: bool) -> bool:
        worked = self._beside is not None and self._beside.begin(stop, wait=once)
        if worked:
            self._sleeper.disarm()
        if self._live:
            worked = self._take_all(stop) or worked
        if self._beside is not None:
            worked = self._beside.result(wait=not self._live) or worked
        return self._dry_run(once=once) or worked

    def _take_all(self, stop: threading.Event) -> bool:
        """Deliver what there is, and what gets its place meanwhile; whether there was anything."""
        worked = False
        for _ in range(_BATCHES):
            # Before it looks: what gets its place later ends the wait.
            placing = self._beside is not None and self._beside.placing()
            if stop.is_set():
                return True
            began = time.monotonic()
            batch = self._session.call(
                batches.take,
                worker=self._name,
                routes=self._routes,
                live=True,
                limit=self._batch,
                lease=timedelta(seconds=self._lease),
            )
            if batch is not None:
                worked = True
                self._sleeper.disarm()
                self._deliver(batch, _Lease(batch.claim, began, self._lease), stop)
                self._count(batch.route).seconds += time.monotonic() - began
                if len(batch.events) < self._batch and not placing:
                    # No backlog: what came meanwhile gets its place first.
                    return True
            elif self._beside is None or not placing:
                return worked
            else:
                self._beside.wait()
        return worked

    def _dry_run(self, *, once: bool) -> bool:
        """Record what was not sent; whether there was anything."""
        head = None if self._beside is None else self._beside.head
        began = time.monotonic()
        since = began - self._dry_run_at
        changed = head is not None and head != self._dry_run_head
        least = _DRY_RUN_SECONDS if changed and not self._live else _DRY_RUN_SECONDS_LIVE
        if not once and since < least:
            self._due = least - since if changed else None
            return False
        found = self._session.call(
            batches.dry_run, worker=self._name, routes=self._routes, live=self._live, limit=self._batch
        )
        now = time.monotonic()
        remaining = any(row.remaining for row in found)
        self._due, self._dry_run_head = None, head
        self._dry_run_at = 0.0 if remaining else now
        for row in found:
            if not row.recorded:
                continue
            count = self._count(row.route)
            count.dry_run += row.recorded
            count.seconds += (now - began) / len(found)
        return bool(found)

    def _deliver(self, batch: Batch, lease: _Lease, stop: threading.Event) -> None:
        """Send a batch and record it, come what may."""
        outcomes = _Outcomes(batch.events)
        try:
            opened = self._transport(batch)
            if isinstance(opened, Outcome):
                outcomes.stopped = opened
            elif opened is not None:
                self._send(opened, outcomes, lease, stop)
        except OutageError:
            pass  # What is known is recorded, when the database is back.
        except ConflictError as error:
            if error.sqlstate != "IU219":
                raise
            self._lost(batch, error)
            return
        given = outcomes.arguments()
        recorded = self._record(batch, lease, given, stop)
        if recorded is not None:
            self._tell(batch, outcomes, given, recorded)

    def _transport(self, batch: Batch) -> _Opened | Outcome | None:
        """The transport for a batch; an outcome when it cannot be had; None when the setting was altered since."""
        opened = self._opened.get(batch.route)
        if opened is not None and opened.setting == batch.setting:
            return opened
        shown = self._session.call(routes.show, route=batch.route)
        if shown.setting_change != batch.setting or shown.transport is None:
            return None
        if opened is not None:
            del self._opened[batch.route]
            _close(opened.transport)
        try:
            transport = self._open_transport(
                shown.transport, shown.target, networks=shown.networks, environ=self._environ
            )
            in_order = bool(getattr(transport, "in_order", False))
            opened = _Opened(batch.setting, shown.ordered, max(1, int(transport.hand_over)), in_order, transport)
        except Exception as error:
            # The text of a foreign error may hold anything.
            reason = str(error) if isinstance(error, IucoreError) else type(error).__name__
            if (batch.route, batch.setting) not in self._warned:
                self._warned.add((batch.route, batch.setting))
                hint = error.hint if isinstance(error, IucoreError) else None
                self._talk("transport_not_opened", batch.route, always=True, reason=_plain(reason, ""), hint=hint)
            return transports.unavailable(reason)
        self._opened[batch.route] = opened
        return opened

    def _send(self, opened: _Opened, outcomes: _Outcomes, lease: _Lease, stop: threading.Event) -> None:
        """Hand over what may be handed over."""
        events = outcomes.events
        # Taking the batch asked the same.
        allowed_for, allowed_until = opened.hand_over, lease.began + _ALLOWED_SECONDS
        waiting = list(_hand_overs(events, opened))[::-1]
        while waiting:
            numbers = waiting.pop()
            if opened.ordered and outcomes.failing:
                numbers = [number for number in numbers if events[number].subject not in outcomes.failing]
                if not numbers:
                    continue
            if stop.is_set():
                return
            now = time.monotonic()
            if now >= lease.half:
                lease.renewed(
                    self._session.call(batches.renew, claim=lease.claim, lease=timedelta(seconds=self._lease)), now
                )
            if len(numbers) > allowed_for or now > allowed_until:
                if not self._session.call(batches.allowed, claim=lease.claim):
                    return
                allowed_for, allowed_until = opened.hand_over, time.monotonic() + _ALLOWED_SECONDS
            allowed_for -= len(numbers)
            if time.monotonic() >= lease.deadline:
                return
            found = _sent(opened, [events[number] for number in numbers], lease.deadline)
            outcomes.take_up(numbers[: len(found)], found)
            if outcomes.stopped is not None:
                return
            if len(found) < len(numbers):
                waiting.append(numbers[len(found) :])

    def _record(
        self, batch: Batch, lease: _Lease, given: dict[str, Any], stop: threading.Event
    ) -> batches.Recorded | None:
        """Record a batch, also when the database has to come back first; None when the lease was lost."""
        give_up, stopping = lease.end, False
        while True:
            try:
                return self._session.call(batches.record, claim=lease.claim, **given)
            except ConflictError as error:
                if error.sqlstate != "IU219":
                    raise
                self._lost(batch, error)
                return None
            except OutageError as error:
                if stop.is_set() and not stopping:
                    give_up, stopping = min(give_up, time.monotonic() + _STOPPING_SECONDS), True
                if time.monotonic() >= give_up:
                    self._lost(batch, error)
                    return None
                # Not to be cut short: what was sent and is not recorded is sent again.
                self._session.back_off(threading.Event() if stopping else stop)

    def _lost(self, batch: Batch, error: Exception) -> None:
        reason = error.detail if isinstance(error, IucoreError) else str(error)
        self._talk("lease_lost", batch.route, partition=batch.partition, claim=batch.claim, reason=reason)

    def _tell(self, batch: Batch, outcomes: _Outcomes, given: dict[str, Any], recorded: batches.Recorded) -> None:
        count = self._count(batch.route)
        count.sent += recorded.sent
        count.failed += recorded.failed
        count.dead += recorded.dead
        if recorded.failed:
            first = next(number for number, known in enumerate(outcomes.known) if known == "failed")
            self._talk(
                "dead" if recorded.dead else "failed",
                batch.route,
                failed=recorded.failed,
                dead=recorded.dead or None,
                position=batch.events[first].position,
                attempt=batch.attempts[first],
                reason=outcomes.reasons[first],
            )
        if outcomes.stopped is not None:
            count.waiting = True
            self._talk(
                outcomes.stopped.kind,
                batch.route,
                until=recorded.resume_at and recorded.resume_at.isoformat(timespec="milliseconds"),
                reason=given["unavailable"],
            )
        elif recorded.sent and count.waiting:
            count.waiting = False
            self._talk("recovered", batch.route, sent=recorded.sent)

    def _count(self, route: str) -> _Count:
        return self._counts.setdefault(route, _Count())


def _hand_overs(events: Sequence[Event], opened: _Opened) -> Iterator[list[int]]:
    """The numbers of the events of each hand-over.

    On an ordered route no hand-over has two events of one subject, unless the transport stops at the first that it does
    not send: the first ones of all subjects go first, then the second ones, and so on.
    """
    size = opened.hand_over
    parts = [list(range(len(events)))]
    if opened.ordered and size > 1 and not opened.in_order:
        parts = []
        seen: dict[str, int] = {}
        for number, event in enumerate(events):
            rank = seen.get(event.subject, 0)
            seen[event.subject] = rank + 1
            if rank == len(parts):
                parts.append([])
            parts[rank].append(number)
    for part in parts:
        for begin in range(0, len(part), size):
            yield part[begin : begin + size]


def _sent(opened: _Opened, events: list[Event], deadline: float) -> Sequence[Outcome]:
    """What the transport says; what it raises, or says wrongly, is a failure of all."""
    try:
        found = list(opened.transport.send(events, deadline=deadline))
    except Exception as error:
        return [transports.failed(type(error).__name__)] * len(events)
    least = 1 if opened.in_order else len(events)
    if not least <= len(found) <= len(events) or not all(isinstance(outcome, Outcome) for outcome in found):
        return [transports.failed("the transport did not give an outcome for each event")] * len(events)
    return found


def _plain(reason: str | None, otherwise: str) -> str:
    """A reason in one line that the database can hold."""
    text = "".join(letter if letter.isprintable() else " " for letter in reason or otherwise)
    return " ".join(text.encode("utf-8", "replace").decode().split())[:_REASON_LENGTH] or otherwise


def _close(transport: Transport) -> None:
    with contextlib.suppress(Exception):
        transport.close()

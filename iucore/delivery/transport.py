"""What a transport is: it takes events of a route, sends them, and says of each what became of it.

A package offers one under the entry point group ``iucore.transports``: a name and a class. The class is called with the
route's target, by keyword ``networks`` and ``environ``, and gives a ``Transport``. It checks there and connects later,
at its first ``send``. It may have a ``check(target, *, networks)``, which checks without the environment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, NamedTuple, Protocol

from iucore.errors import OperationError

GROUP = "iucore.transports"


class Event(NamedTuple):
    """One event of the log, as a route sees it; ``payload`` is JSON text, as PostgreSQL prints jsonb.

    A named tuple, with the id as text: a worker makes a hundred thousand in a second, and a frozen dataclass takes
    seven times as long, a UUID object as long as all the rest.
    """

    position: int
    event_id: str
    event_type: str
    aggregatetype: str
    aggregateid: str
    subject: str
    delivery_lane: str
    payload: str
    change_id: int
    actor: str
    claimed_actor: str | None
    traceparent: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one event.

    Attributes:
        kind: ``sent``; ``failed`` is the event's and counts as an attempt; ``unavailable`` is the target's, delays the
            whole route and is not counted; ``gone`` switches the route off.
        reason: why it was not sent, for people: one line without a secret, an address with a query or a body.
        retry_after: seconds after which the target wants to be asked again.
    """

    kind: Literal["sent", "failed", "unavailable", "gone"]
    reason: str | None = None
    retry_after: float | None = None


SENT = Outcome("sent")


def failed(reason: str) -> Outcome:
    """The event was not taken; another attempt may be made.

    >>> failed("HTTP 500").kind
    'failed'
    """
    return Outcome("failed", reason)


def unavailable(reason: str, retry_after: float | None = None) -> Outcome:
    """The target takes nothing now, whatever the event.

    >>> unavailable("HTTP 429", retry_after=30).retry_after
    30
    """
    return Outcome("unavailable", reason, retry_after)


def gone(reason: str) -> Outcome:
    """The target is not there any more, for good.

    >>> gone("HTTP 410").kind
    'gone'
    """
    return Outcome("gone", reason)


class Transport(Protocol):
    """Sends events. Used by one thread at a time.

    On an ordered route no hand-over has two events of one subject, since the second must not go when the first fails.
    A transport with the attribute ``in_order = True`` gets all in their order: it sends one after the other and stops
    at the first that it does not send. It may then give fewer outcomes than events; the others come again at once.
    """

    @property
    def hand_over(self) -> int:
        """How many events ``send`` takes at most; the worker looks at the gate before each hand-over."""

    def send(self, events: Sequence[Event], *, deadline: float) -> Sequence[Outcome]:
        """Send the events and give an outcome for each, in their order.

        Args:
            events: 1 to ``hand_over`` of them. An event may come again: the receiver knows it by its id.
            deadline: of the worker's lease, on the clock of ``time.monotonic``. Return before it.

        What this raises counts as ``failed`` for all of the events, with the name of the exception as the reason.
        """

    def close(self) -> None:
        """Close connections; nothing is sent after it."""


def open_transport(
    name: str, target: Mapping[str, object], *, networks: Sequence[str], environ: Mapping[str, str]
) -> Transport:
    """The transport of a route, checked and not yet connected.

    Args:
        name: as registered under the entry point group ``iucore.transports``.
        target: the route's setting, without secrets: it names the environment variables that hold them.
        networks: what the route allows beside public addresses, as ``10.0.0.0/8``.
        environ: the environment variables.

    Raises:
        OperationError: IU920 no such transport; IU921 its extra is not installed; IU922 the target is wrong; IU923 an
            environment variable that the target names is missing or unusable.
    """
    transport: Transport = _load(name)(target, networks=networks, environ=environ)
    return transport


def check_target(name: str, target: Mapping[str, object], *, networks: Sequence[str]) -> None:
    """Check a route's target without connecting and without the environment; as far as its transport can.

    Raises:
        OperationError: IU920, IU921, IU922 as ``open_transport``.
    """
    check = getattr(_load(name), "check", None)
    if check is not None:
        check(target, networks=networks)


def names() -> list[str]:
    """The registered transports, also those whose extra is not installed.

    >>> {"file", "webhook", "nats", "kafka"} <= set(names())
    True
    """
    return sorted({entry.name for entry in entry_points(group=GROUP)})


def target_error(transport: str, detail: str, *, hint: str) -> OperationError:
    """The error of a wrong target, to raise; the detail must not repeat a value that may be secret.

    >>> raise target_error("file", "path is missing", hint='Give it: {"path": "/var/lib/events.jsonl"}')
    Traceback (most recent call last):
    ...
    iucore.errors.OperationError: the target of the transport is wrong (IU922): file: path is missing
    """
    return OperationError(
        "the target of the transport is wrong", sqlstate="IU922", detail=f"{transport}: {detail}", hint=hint
    )


def environment_error(transport: str, variable: str, what: str) -> OperationError:
    """The error of an environment variable that a target names, to raise; ``what`` must not repeat its value.

    >>> raise environment_error("webhook", "HOOK_SECRET", "is not set")
    Traceback (most recent call last):
    ...
    iucore.errors.OperationError: an environment variable of the transport is unusable (IU923): webhook: HOOK_SECRET ...
    """
    return OperationError(
        "an environment variable of the transport is unusable",
        sqlstate="IU923",
        detail=f"{transport}: {variable} {what}",
        hint=f"Set {variable} where the worker runs, and start the worker again.",
    )


def _load(name: str) -> Callable[..., Any]:
    found: dict[str, EntryPoint] = {entry.name: entry for entry in entry_points(group=GROUP)}
    entry = found.get(name)
    if entry is None:
        raise OperationError(
            "no transport has this name",
            sqlstate="IU920",
            detail=f"transport: {name}",
            hint=f"Known: {', '.join(sorted(found)) or 'none'}. Others come with the packages that offer them.",
        )
    try:
        loaded: Callable[..., Any] = entry.load()
    except ImportError as error:
        own = entry.value.startswith("iucore.")
        package = "iucore" if own or entry.dist is None else entry.dist.name
        raise OperationError(
            "the transport is not installed",
            sqlstate="IU921",
            detail=f"transport: {name}, missing: {error.name or 'unknown'}",
            hint=f"Install the extra: pip install 'iucore[{name}]'" if own else f"Install what {package} needs.",
        ) from error
    return loaded

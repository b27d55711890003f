"""Routes: where events of a type go, or of every type. A route is born switched off and sends nothing until it is on.

The caller owns the transaction: nothing here commits, retries or logs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from iucore import _call, _check
from iucore.errors import InvalidError

if TYPE_CHECKING:
    from sqlalchemy import Connection

_MAX_BACKOFF_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Route:
    """A new route, with the lane of its type; both are None where it takes every type."""

    route: str
    event_type: str | None
    title: str
    delivery_lane: str | None
    execution_enabled: bool
    change_id: int


@dataclass(frozen=True, slots=True)
class ListedRoute:
    """A route; None for ``change_id``: it came with iucore, for ``switched_change``: it was never switched.

    ``event_type`` and ``delivery_lane`` are None where it takes every type.
    """

    route: str
    event_type: str | None
    title: str
    delivery_lane: str | None
    execution_enabled: bool
    change_id: int | None
    switched_change: int | None


@dataclass(frozen=True, slots=True)
class RouteState:
    """What a route became. ``changed`` is False when it was so already."""

    route: str
    execution_enabled: bool
    change_id: int
    changed: bool


@dataclass(frozen=True, slots=True)
class RouteSetting:
    """A route and how it delivers.

    ``event_type`` is None where it takes every type, ``transport`` and ``setting_change`` where nothing was configured.
    The target holds no secrets, only the names of environment variables of the worker. Backoff is in milliseconds.
    """

    route: str
    event_type: str | None
    title: str
    delivery_lane: str | None
    execution_enabled: bool
    transport: str | None
    target: dict[str, Any]
    networks: list[str]
    subject_prefix: str | None
    axis: str | None
    axis_value: str | None
    ordered: bool
    partitions: int
    max_attempts: int
    backoff_ms: int
    backoff_cap_ms: int
    setting_change: int | None


@dataclass(frozen=True, slots=True)
class ConfiguredRoute:
    """What configuring a route did. ``changed`` is False when it was set so already."""

    route: str
    transport: str | None
    change_id: int
    changed: bool


@dataclass(frozen=True, slots=True)
class MovedEvents:
    """How many events of a route are sent again, or were given up."""

    route: str
    events: int
    change_id: int


def list_routes(connection: Connection | _call.Recorder) -> list[ListedRoute]:
    """The registered routes. Calls ``fn_iu_route_list``.

    >>> [route.route for route in routes.list_routes(connection) if route.execution_enabled]
    []
    """
    return _call.rows(connection, ListedRoute, "fn_iu_route_list", {})


def register(
    connection: Connection | _call.Recorder,
    *,
    route: str,
    event_type: str | None,
    title: str,
    reason: str,
    actor: str | None = None,
    request_key: str | None = None,
) -> Route:
    """A new route, switched off; the same again changes nothing. Calls ``fn_iu_route_register``.

    It begins with what happens from now on; ``replay`` lets it begin earlier.

    Args:
        connection: of the caller, who commits.
        route: its name, parts ``[a-z][a-z0-9_]*`` joined by full stops.
        event_type: a registered type of events; None: every type.
        title: 1 to 300 characters in one line.
        reason: why, in one line.
        actor: who claims to do this.
        request_key: makes the call safe to repeat.

    Raises:
        NotFoundError: IU041.
        InvalidError: IU011, IU012, IU013, IU016, IU017, IU034.
        GateClosedError: IU100.
        ConflictError: IU203, IU206.

    >>> routes.register(
    ...     connection, route="search.edited", event_type="unit.edited", title="To the search", reason="search"
    ... ).execution_enabled
    False
    """
    named = _check.arguments(
        {"p_route": route, "p_event_type": event_type, "p_title": title, "p_reason": reason},
        p_actor=actor,
        p_request_key=request_key,
    )
    return _call.one(connection, Route, "fn_iu_route_register", named)


def set_route(
    connection: Connection | _call.Recorder,
    *,
    route: str,
    enabled: bool,
    reason: str,
    actor: str | None = None,
    request_key: str | None = None,
) -> RouteState:
    """Switch the execution of a route on or off. Calls ``fn_iu_route_set``.

    Events leave only when the delivery gate is open too and the worker was started to send.

    Raises:
        NotFoundError: IU042.
        InvalidError: IU012, IU013, IU016, IU017, IU037.
        GateClosedError: IU100.
        ConflictError: IU203.

    >>> routes.set_route(connection, route="search.edited", enabled=True, reason="the index is ready").changed
    True
    """
    named = _check.arguments(
        {"p_route": route, "p_enabled": enabled, "p_reason": reason}, p_actor=actor, p_request_key=request_key
    )
    return _call.one(connection, RouteState, "fn_iu_route_set", named)


def show(connection: Connection | _call.Recorder, *, route: str) -> RouteSetting:
    """A route and how it delivers. Calls ``fn_iu_route_show``.

    Raises:
        NotFoundError: IU042.
        InvalidError: IU012, IU013.

    >>> setting = routes.show(connection, route="search.edited")
    >>> setting.transport, setting.ordered, setting.max_attempts
    (None, True, 8)
    """
    return _call.one(connection, RouteSetting, "fn_iu_route_show", _check.arguments({"p_route": route}))


def configure(
    connection: Connection | _call.Recorder,
    *,
    route: str,
    transport: str | None,
    reason: str,
    target: Mapping[str, Any] | None = None,
    networks: Iterable[str] | None = None,
    subject_prefix: str | None = None,
    axis: str | None = None,
    axis_value: str | None = None,
    ordered: bool = True,
    partitions: int = 1,
    max_attempts: int = 8,
    backoff_ms: int = 1000,
    backoff_cap_ms: int = 300000,
    actor: str | None = None,
    request_key: str | None = None,
) -> ConfiguredRoute:
    """Say how a route delivers: the whole of it, what is not given is as by default. Calls ``fn_iu_route_configure``.

    Args:
        connection: of the caller, who commits.
        route: a registered route.
        transport: such as ``webhook``; None: nothing can be sent.
        reason: why, in one line.
        target: for the transport; no secrets, only the names of environment variables of the worker.
        networks: networks, such as ``10.1.0.0/16``, that may be sent to though they are not public.
        subject_prefix: only events of subjects that begin so.
        axis: with ``axis_value``: only events of pieces or collections that have this value on this axis.
        axis_value: see ``axis``.
        ordered: whether events of one subject are sent in their order, each after the one before.
        partitions: how many workers can send at once, 1 to 64; fixed once the route was ready to send.
        max_attempts: after how many failures an event becomes a dead letter, 1 to 100.
        backoff_ms: how long the second attempt waits at most; each later one twice as long.
        backoff_cap_ms: how long an attempt waits at most.
        actor: who claims to do this.
        request_key: makes the call safe to repeat.

    Raises:
        NotFoundError: IU006, IU042.
        InvalidError: IU012, IU013, IU016, IU017, IU039, IU054.
        GateClosedError: IU100.
        ConflictError: IU203, IU222.

    >>> routes.configure(
    ...     connection, route="search.edited", transport="file", target={"path": "edited.jsonl"}, reason="search"
    ... ).changed
    True
    """
    named = _check.arguments(
        {
            "p_route": route,
            "p_transport": transport,
            "p_reason": reason,
            "p_target": _check.dumped(dict(target or {}), "target", sqlstate="IU039"),
            "p_networks": _check.texts(networks or (), "networks"),
            "p_ordered": ordered,
            "p_partitions": partitions,
            "p_max_attempts": max_attempts,
            "p_backoff_ms": backoff_ms,
            "p_backoff_cap_ms": backoff_cap_ms,
        },
        p_subject_prefix=subject_prefix,
        p_axis=axis,
        p_axis_value=axis_value,
        p_actor=actor,
        p_request_key=request_key,
    )
    # A number that is no integer of PostgreSQL would not find the function.
    if not (
        1 <= partitions <= 64
        and 1 <= max_attempts <= 100
        and 1 <= backoff_ms <= _MAX_BACKOFF_MS
        and backoff_ms <= backoff_cap_ms <= _MAX_BACKOFF_MS
    ):
        raise InvalidError(
            "setting of a route out of range",
            sqlstate="IU054",
            detail=f"partitions: {partitions}, attempts: {max_attempts}, backoff: {backoff_ms} to {backoff_cap_ms} ms",
            hint="Give 1 to 64 partitions, 1 to 100 attempts, 1 to 86400000 milliseconds, the cap not below the first.",
        )
    return _call.one(connection, ConfiguredRoute, "fn_iu_route_configure", named)


def replay(
    connection: Connection | _call.Recorder,
    *,
    route: str,
    reason: str,
    dead_letters: Iterable[int] | None = None,
    first: int | None = None,
    last: int | None = None,
    actor: str | None = None,
    request_key: str | None = None,
) -> MovedEvents:
    """Send events of a route again; receivers know an event by its id. Calls ``fn_iu_route_replay``.

    Args:
        connection: of the caller, at READ COMMITTED, who commits.
        route: one that was ready to send.
        reason: why, in one line.
        dead_letters: the numbers of open dead letters of the route, up to 10000; they are closed.
        first: instead of dead letters: the first position.
        last: the last position, with up to 10000 events in between; None: the route goes back and sends all from
            ``first`` on.
        actor: who claims to do this.
        request_key: makes the call safe to repeat.

    Raises:
        NotFoundError: IU042, IU045.
        InvalidError: IU012, IU013, IU016, IU017, IU038, IU054.
        GateClosedError: IU100.
        ConflictError: IU203, IU221.

    >>> with connection.begin_nested():
    ...     routes.replay(connection, route="search.edited", first=10**9, reason="beyond the end of the ledger")
    Traceback (most recent call last):
    ...
    iucore.errors.InvalidError: ...
    """
    named = _check.arguments(
        {"p_route": route, "p_reason": reason},
        p_dead_letters=None if dead_letters is None else list(dead_letters),
        p_first=first,
        p_last=last,
        p_actor=actor,
        p_request_key=request_key,
    )
    return _call.one(connection, MovedEvents, "fn_iu_route_replay", named)


def skip(
    connection: Connection | _call.Recorder,
    *,
    route: str,
    reason: str,
    dead_letters: Iterable[int] | None = None,
    positions: Iterable[int] | None = None,
    upto: int | None = None,
    actor: str | None = None,
    request_key: str | None = None,
) -> MovedEvents:
    """Give events of a route up. Calls ``fn_iu_route_skip``.

    Args:
        connection: of the caller, at READ COMMITTED, who commits.
        route: one that was ready to send.
        reason: why, in one line.
        dead_letters: the numbers of open dead letters of the route, up to 10000; they are closed.
        positions: instead: events that wait to be sent again, by their positions, up to 10000.
        upto: instead: all up to this position; the route moves on.
        actor: who claims to do this.
        request_key: makes the call safe to repeat.

    Raises:
        NotFoundError: IU042, IU045.
        InvalidError: IU012, IU013, IU016, IU017, IU038, IU054.
        GateClosedError: IU100.
        ConflictError: IU203, IU221.

    >>> routes.skip(connection, route="search.edited", upto=1, reason="the index was built from the tables").events
    0
    """
    named = _check.arguments(
        {"p_route": route, "p_reason": reason},
        p_dead_letters=None if dead_letters is None else list(dead_letters),
        p_positions=None if positions is None else list(positions),
        p_upto=upto,
        p_actor=actor,
        p_request_key=request_key,
    )
    return _call.one(connection, MovedEvents, "fn_iu_route_skip", named)

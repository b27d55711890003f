"""Routes: where events of a type go. A route sends nothing while its execution is disabled, as it is at birth.

The caller owns the transaction: nothing here commits, retries or logs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from iucore import _call, _check

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Route:
    """A new route, with the lane of its type."""

    route: str
    event_type: str
    title: str
    delivery_lane: str
    execution_enabled: bool
    change_id: int


@dataclass(frozen=True, slots=True)
class ListedRoute:
    """A route; None for ``change_id``: it came with iucore, for ``switched_change``: it was never switched."""

    route: str
    event_type: str
    title: str
    delivery_lane: str
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
    event_type: str,
    title: str,
    reason: str,
    actor: str | None = None,
    request_key: str | None = None,
) -> Route:
    """A new route, switched off; the same again changes nothing. Calls ``fn_iu_route_register``.

    Args:
        connection: of the caller, who commits.
        route: its name, parts ``[a-z][a-z0-9_]*`` joined by full stops.
        event_type: a registered type of events.
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

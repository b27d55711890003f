"""Axes: dimensions of metadata with values on pieces, and derived on collections by the rule of the axis.

The caller owns the transaction: nothing here commits, retries or logs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from iucore import _call, _check

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Axis:
    """A registered axis; ``axis_values`` None means that every value is allowed."""

    axis: str
    title: str
    rule: str
    axis_values: list[str] | None
    change_id: int


@dataclass(frozen=True, slots=True)
class PieceValue:
    """One value of an axis on a piece."""

    address: str
    axis: str
    value: str
    opened_change: int


@dataclass(frozen=True, slots=True)
class CollectionValue:
    """One derived value of an axis on a collection, as of its last refresh."""

    key: str
    axis: str
    value: str
    opened_change: int


@dataclass(frozen=True, slots=True)
class RefreshedValue:
    """One value of a refresh; ``state`` is ``added``, ``removed`` or ``kept``."""

    key: str
    axis: str
    value: str
    state: str


def register(
    connection: Connection | _call.Recorder,
    *,
    axis: str,
    title: str,
    rule: str,
    reason: str,
    values: Sequence[str] | None = None,
    actor: str | None = None,
    request_key: str | None = None,
) -> Axis:
    """A new axis; the same again changes nothing. Calls ``fn_iu_axis_register``.

    Args:
        connection: of the caller, who commits.
        axis: a lower-case letter followed by ``a-z 0-9 _ -``.
        title: 1 to 300 characters in one line.
        rule: how a collection derives it: ``union``, ``intersection``, ``highest`` or ``latest``.
        reason: why, in one line.
        values: the only ones allowed, lowest first; None allows every value. ``highest`` needs them.
        actor: who claims to do this.
        request_key: makes the call safe to repeat.

    Raises:
        InvalidError: IU011, IU012, IU013, IU016, IU017, IU024.
        GateClosedError: IU100.
        ConflictError: IU203, IU206.

    >>> axes.register(
    ...     connection, axis="risk", title="Risk", rule="highest", values=["low", "high"], reason="audit"
    ... ).axis_values
    ['low', 'high']
    """
    named = _check.arguments(
        {"p_axis": axis, "p_title": title, "p_rule": rule, "p_reason": reason},
        p_values=None if values is None else _check.texts(values, "values"),
        p_actor=actor,
        p_request_key=request_key,
    )
    return _call.one(connection, Axis, "fn_iu_axis_register", named)


def list_axes(connection: Connection | _call.Recorder) -> list[Axis]:
    """The registered axes. Calls ``fn_iu_axis_list``.

    >>> [axis.axis for axis in axes.list_axes(connection)]
    ['risk']
    """
    return _call.rows(connection, Axis, "fn_iu_axis_list", {})


def set_values(
    connection: Connection | _call.Recorder,
    *,
    address: str,
    axis: str,
    values: Sequence[str],
    reason: str,
    actor: str | None = None,
    request_key: str | None = None,
) -> list[PieceValue]:
    """The values of an axis on a piece become exactly these; none takes all away. Calls ``fn_iu_axis_set``.

    Raises:
        NotFoundError: IU001, IU006, IU007.
        InvalidError: IU012, IU013, IU016, IU017, IU024.
        GateClosedError: IU100.
        ConflictError: IU203, IU209.

    >>> leave = units.create(
    ...     connection, address="policies/leave", kind="policy", title="Leave", body="Ask.\\n", reason="first text"
    ... )
    >>> [
    ...     held.value
    ...     for held in axes.set_values(
    ...         connection, address="policies/leave", axis="risk", values=["high"], reason="assessed"
    ...     )
    ... ]
    ['high']
    """
    named = _check.arguments(
        {"p_address": address, "p_axis": axis, "p_values": _check.texts(values, "values"), "p_reason": reason},
        p_actor=actor,
        p_request_key=request_key,
    )
    return _call.rows(connection, PieceValue, "fn_iu_axis_set", named)


def show(connection: Connection | _call.Recorder, *, address: str) -> list[PieceValue]:
    """The values of all axes on a piece. Calls ``fn_iu_axis_show``.

    Raises:
        NotFoundError: IU001.
        InvalidError: IU012, IU013.

    >>> [(held.axis, held.value) for held in axes.show(connection, address="policies/leave")]
    [('risk', 'high')]
    """
    return _call.rows(connection, PieceValue, "fn_iu_axis_show", _check.arguments({"p_address": address}))


def refresh(
    connection: Connection | _call.Recorder,
    *,
    key: str,
    reason: str,
    actor: str | None = None,
    request_key: str | None = None,
) -> list[RefreshedValue]:
    """Derive the axes of a collection from its pieces, through all nesting. Calls ``fn_iu_axis_refresh``.

    Raises:
        NotFoundError: IU003.
        InvalidError: IU012, IU013, IU016, IU017.
        GateClosedError: IU100, IU101.
        ConflictError: IU203, IU212.

    >>> handbook = collections.create(
    ...     connection,
    ...     key="handbook",
    ...     kind="file",
    ...     title="Handbook",
    ...     members=[{"piece": "policies/leave"}],
    ...     reason="first edition",
    ... )
    >>> [(value.value, value.state) for value in axes.refresh(connection, key="handbook", reason="weekly")]
    [('high', 'added')]
    """
    named = _check.arguments({"p_key": key, "p_reason": reason}, p_actor=actor, p_request_key=request_key)
    return _call.rows(connection, RefreshedValue, "fn_iu_axis_refresh", named)


def of_collection(connection: Connection | _call.Recorder, *, key: str) -> list[CollectionValue]:
    """The derived values of all axes on a collection. Calls ``fn_iu_collection_axes``.

    Raises:
        NotFoundError: IU003.
        InvalidError: IU012, IU013.
        ConflictError: IU212.

    >>> [(value.axis, value.value) for value in axes.of_collection(connection, key="handbook")]
    [('risk', 'high')]
    """
    return _call.rows(connection, CollectionValue, "fn_iu_collection_axes", _check.arguments({"p_key": key}))

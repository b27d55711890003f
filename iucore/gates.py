"""Gates: switches that refuse. ``master`` all governed writes, ``composer`` those of collections, ``delivery`` sending.

The caller owns the transaction: nothing here commits, retries or logs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from iucore import _call, _check

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate as it stands, and who switched it last, when and why; all None when it stands as it came."""

    gate: str
    title: str
    is_open: bool
    actor: str | None
    claimed_actor: str | None
    reason: str | None
    change_id: int | None
    changed_at: datetime | None


@dataclass(frozen=True, slots=True)
class GateState:
    """What a gate became. ``changed`` is False when it stood so already."""

    gate: str
    is_open: bool
    change_id: int
    changed: bool


@dataclass(frozen=True, slots=True)
class PastSwitch:
    """One switch of a gate: what it became, and who switched it, when and why."""

    gate: str
    is_open: bool
    actor: str
    claimed_actor: str | None
    reason: str
    change_id: int
    changed_at: datetime


def list_gates(connection: Connection | _call.Recorder) -> list[Gate]:
    """The gates as they stand. Calls ``fn_iu_gate_list``.

    >>> [(gate.gate, gate.is_open) for gate in gates.list_gates(connection)]
    [('master', True), ('composer', True), ('delivery', False)]
    """
    return _call.rows(connection, Gate, "fn_iu_gate_list", {})


def set_gate(
    connection: Connection | _call.Recorder,
    *,
    gate: str,
    open: bool,
    reason: str,
    actor: str | None = None,
    request_key: str | None = None,
) -> GateState:
    """Open or close a gate; a closed one does not stop this call. Calls ``fn_iu_gate_set``.

    It waits for every governed write under way, and those wait for it until the caller commits.

    Args:
        connection: of the caller, who commits.
        gate: ``master``, ``composer`` or ``delivery``.
        open: True to open it, False to close it.
        reason: why, in one line; whoever is refused reads it.
        actor: who claims to do this.
        request_key: makes the call safe to repeat.

    Raises:
        NotFoundError: IU040.
        InvalidError: IU012, IU013, IU016, IU017, IU037.
        ConflictError: IU203.

    >>> gates.set_gate(connection, gate="master", open=False, reason="audit").changed
    True
    >>> with connection.begin_nested():
    ...     units.create(connection, address="a", kind="text", title="A", body="", reason="late")
    Traceback (most recent call last):
    ...
    iucore.errors.GateClosedError: ...
    >>> gates.set_gate(connection, gate="master", open=True, reason="audit is done").is_open
    True
    """
    named = _check.arguments(
        {"p_gate": gate, "p_open": open, "p_reason": reason}, p_actor=actor, p_request_key=request_key
    )
    return _call.one(connection, GateState, "fn_iu_gate_set", named)


def history(connection: Connection | _call.Recorder, *, gate: str | None = None) -> list[PastSwitch]:
    """Every switch of a gate, or of all of them, newest first. Calls ``fn_iu_gate_history``.

    Raises:
        NotFoundError: IU040.
        InvalidError: IU012, IU013.

    >>> [(past.is_open, past.reason) for past in gates.history(connection, gate="master")]
    [(True, 'audit is done'), (False, 'audit')]
    """
    return _call.rows(connection, PastSwitch, "fn_iu_gate_history", _check.arguments({}, p_gate=gate))

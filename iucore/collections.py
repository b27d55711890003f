"""Collections: ordered compositions of pieces and of other collections, and their renders.

A member is named by its address (or key) when it stands once in the collection, and by ``@`` and its number always.
The caller owns the transaction: nothing here commits, retries or logs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict
from uuid import UUID

from iucore import _call, _check
from iucore.errors import InvalidError

if TYPE_CHECKING:
    from sqlalchemy import Connection

Transitions = Sequence[Mapping[str, str]]
"""Where a step leads: ``{"on": outcome, "to": label | "next" | "end"}``, at most 50."""


_EXAMPLE = '[{"piece": "a/one"}, {"piece": "a/two", "version": 1}, {"collection": "annex.md"}]'


class NewMember(TypedDict):
    """One member for ``create``: either ``piece`` (an address) or ``collection`` (a key)."""

    piece: NotRequired[str]
    collection: NotRequired[str]
    version: NotRequired[int]
    label: NotRequired[str]
    transitions: NotRequired[Transitions]


@dataclass(frozen=True, slots=True)
class Collection:
    """A new collection; ``members`` counts those that it was made with."""

    collection_id: UUID
    key: str
    kind: str
    title: str
    members: int
    change_id: int


@dataclass(frozen=True, slots=True)
class Composed:
    """What a composer verb did to a member. ``changed`` is False when everything was so already."""

    collection_id: UUID
    key: str
    member_id: int | None
    address: str | None
    pinned_version: int | None
    change_id: int
    changed: bool


@dataclass(frozen=True, slots=True)
class CollectionState:
    """A collection with its size: pieces and bytes through all nesting, as they would render."""

    collection_id: UUID
    key: str
    kind: str
    title: str
    members: int
    pieces: Decimal
    bytes: Decimal
    depth: int
    created_change: int
    head_change: int
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class ListedCollection:
    """A collection in a list; ``members`` counts its own, not those of nested ones."""

    key: str
    kind: str
    title: str
    members: int
    created_change: int
    head_change: int
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Member:
    """One member, not expanded; ``position`` counts from 1."""

    position: int
    member_id: int
    member_kind: str
    address: str
    version: int | None
    pinned: bool
    title: str
    lifecycle: str | None
    content_sha256: str | None
    byte_length: int | None
    label: str | None
    transitions: list[dict[str, str]] | None
    rank: str


@dataclass(frozen=True, slots=True)
class CompositionChange:
    """One change of the composition, with the number of member rows that it opened and closed."""

    change_id: int
    verb: str
    opened: int
    closed: int
    actor: str
    claimed_actor: str | None
    reason: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong in a collection; ``severity`` is ``error`` or ``warning``."""

    severity: str
    code: str
    member_id: int
    address: str | None
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class RenderedPiece:
    """One piece of a render, and the collection (perhaps nested) whose member it is."""

    collection_key: str
    member_id: int
    address: str
    version: int
    content_sha256: str
    byte_length: int
    body: str


@dataclass(frozen=True, slots=True)
class ExportedCollection:
    """A collection to be exported.

    ``change_id`` is the newest change of its composition, through all nesting; ``composition_sha256`` is equal when the
    same versions of the same pieces stand in the same places.
    """

    key: str
    collection_id: UUID
    kind: str
    title: str
    change_id: int
    composition_sha256: str


@dataclass(frozen=True, slots=True)
class ExportedPiece:
    """One piece of a collection, where it stands, without its body.

    ``members`` are the numbers of the memberships that lead from the collection to the piece, the last one its own;
    ``within`` are the keys of the nested collections on that way. ``change_id`` made the version.
    """

    key: str
    within: list[str]
    members: list[int]
    address: str
    kind: str
    version: int
    head_version: int
    pinned: bool
    title: str
    label: str | None
    content_sha256: str
    byte_length: int
    change_id: int


@dataclass(frozen=True, slots=True)
class RecordedRender:
    """A render that was recorded: its text in ``body``, and the composition (``head_change``) that it shows.

    ``body`` is None where a call is repeated and the text of its first time cannot be rendered any more, since a change
    with a lower number was committed later.
    """

    key: str
    sha256: str
    byte_length: int
    pieces: int
    head_change: int
    change_id: int
    body: str | None


@dataclass(frozen=True, slots=True)
class Disposed:
    """What a disposal or a restore made of a collection. ``changed`` is False when it was so already."""

    collection_id: UUID
    key: str
    change_id: int
    changed: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """A collection in which a collection stands; at ``depth`` 1 with its membership, deeper through nesting."""

    key: str
    kind: str
    title: str
    member_id: int | None
    pinned_version: int | None
    depth: int


def create(
    connection: Connection | _call.Recorder,
    *,
    key: str,
    kind: str,
    title: str,
    reason: str,
    members: Iterable[NewMember] | None = None,
    actor: str | None = None,
    request_key: str | None = None,
) -> Collection:
    """A new file or workflow with its members, in one call. Calls ``fn_iu_collection_create``.

    Args:
        connection: of the caller, who commits.
        key: grammar as an address.
        kind: ``file`` or ``workflow``.
        title: 1 to 300 characters in one line.
        reason: why, in one line.
        members: in order; ``{"piece": address}`` or ``{"collection": key}``, for a piece also a ``version`` to pin, in
            a workflow also ``label`` and ``transitions``.
        actor: who claims to do this.
        request_key: makes the call safe to repeat.

    Raises:
        NotFoundError: IU001, IU002, IU003.
        InvalidError: IU010, IU011, IU012, IU013, IU016, IU017, IU019, IU022, IU025, IU027, IU028.
        GateClosedError: IU100, IU101.
        ConflictError: IU203, IU204, IU207, IU208, IU209, IU212.

    >>> born = units.create_many(
    ...     connection,
    ...     pieces=[
    ...         {"address": "guide/one", "kind": "text", "title": "One", "body": "# One\\n"},
    ...         {"address": "guide/two", "kind": "text", "title": "Two", "body": "Second.\\n"},
    ...         {"address": "guide/three", "kind": "text", "title": "Three", "body": "Third.\\n"},
    ...     ],
    ...     reason="import",
    ... )
    >>> collections.create(
    ...     connection,
    ...     key="guide.md",
    ...     kind="file",
    ...     title="Guide",
    ...     members=[{"piece": "guide/one"}, {"piece": "guide/two"}],
    ...     reason="first edition",
    ... ).members
    2
    """
    named = _check.arguments(
        {"p_key": key, "p_kind": kind, "p_title": title, "p_reason": reason},
        p_members=None if members is None else _members(members),
        p_actor=actor,
        p_request_key=request_key,
    )
    return _call.one(connection, Collection, "fn_iu_collection_create", named)


def add(
    connection: Connection | _call.Recorder,
    *,
    key: str,
    member: str,
    reason: str,
    at: str = "last",
    anchor: str | None = None,
    member_kind: str = "piece",
    version: int | None = None,
    label: str | None = None,
    transitions: Transitions | None = None,
    actor: str | None = None,
    request_key: str | None = None,
) -> Composed:
    """Put a piece or a collection at a place. Calls ``fn_iu_collection_add``.

    Args:
        connection: of the caller, who commits.
        key: of the collection.
        member: the address of a piece, or the key of a collection.
        reason: why, in one line.
        at: ``first``, ``last``, ``before`` or ``after``; the latter two need an anchor.
        anchor: a member that stands there now.
        member_kind: ``piece`` or ``collection``.
        version: of the piece, to pin it; None floats.
        label: of a workflow's step.
        transitions: of a workflow's step; see ``Transitions``.
        actor: who claims to do this.
        request_key: makes the call safe to repeat.

    Raises:
        NotFoundError: IU001, IU002, IU003, IU004.
        InvalidError: IU012, IU013, IU016, IU017, IU019, IU020, IU022, IU027, IU028.
        GateClosedError: IU100, IU101.
        ConflictError: IU203, IU205, IU207, IU208, IU209, IU212.

    >>> collections.add(
    ...     connection, key="guide.md", member="guide/three", at="after", anchor="guide/one", reason="more"
    ... ).changed
    True
    """
    named = _check.arguments(
        {"p_key": key, "p_member": member, "p_reason": reason, "p_at": at},
        p_anchor=anchor,
        p_member_kind=None if member_kind == "piece" else member_kind,
        p_version=version,
        p_label=label,
        p_transitions=_transitions(transitions),
        p_actor=actor,
        p_request_key=request_key,
    )
    return _call.one(connection, Composed, "fn_iu_collection_add", named)


def remove(
    connection: Connection | _call.Recorder,
    *,
    key: str,
    member: str,
    reason: str,
    actor: str | None = None,
    request_key: str | None = None,
) -> Composed:
    """Take a member out; what stood there before can still be rendered as of then. Calls ``fn_iu_collection_remove``.

    Raises:
        NotFoundError: IU003, IU004.
        InvalidError: IU012, IU013, IU016, IU017.
        GateClosedError: IU100, IU101.
        ConflictError: IU203, IU205, IU212.

    >>> collections.remove(connection, key="guide.md", member="guide/two", reason="obsolete").address
    'guide/two'
    """
    named = _check.arguments(
        {"p_key": key, "p_member": member, "p_reason": reason}, p_actor=actor, p_request_key=request_key
    )
    return _call.one(connection, Composed, "fn_iu_collection_remove", named)


def reorder(
    connection: Connection | _call.Recorder,
    *,
    key: str,
    member: str,
    reason: str,
    at: str,
    anchor: str | None = None,
    actor: str | None = None,
    request_key: str | None = None,
) -> Composed:
    """Move a member to another place; ``at`` and ``anchor`` as in ``add``. Calls ``fn_iu_collection_reorder``.

    Raises:
        NotFoundError: IU003, IU004.
        InvalidError: IU012, IU013, IU016, IU017, IU020.
        GateClosedError: IU100, IU101.
        ConflictError: IU203, IU205, IU212.

    >>> collections.reorder(connection, key="guide.md", member="guide/three", at="first", reason="upside down").changed
    True
    """
    named = _check.arguments(
        {"p_key": key, "p_member": member, "p_reason": reason, "p_at": at},
        p_anchor=anchor,
        p_actor=actor,
        p_request_key=request_key,
    )
    return _call.one(connection, Composed, "fn_iu_collection_reorder", named)


def pin(
    connection: Connection | _call.Recorder,
    *,
    key: str,
    member: str,
    reason: str,
    version: int | None = None,
    actor: str | None = None,
    request_key: str | None = None,
) -> Composed:
    """Show one version of a piece, whatever its head becomes; None is the head. Calls ``fn_iu_collection_pin``.

    Raises:
        NotFoundError: IU002, IU003, IU004.
        InvalidError: IU012, IU013, IU016, IU017, IU019.
        GateClosedError: IU100, IU101.
        ConflictError: IU203, IU205, IU212.

    >>> collections.pin(connection, key="guide.md", member="guide/one", reason="as signed").pinned_version
    1
    """
    named = _check.arguments(
        {"p_key": key, "p_member": member, "p_reason": reason},
        p_version=version,
        p_actor=actor,
        p_request_key=request_key,
    )
    return _call.one(connection, Composed, "fn_iu_collection_pin", named)


def unpin(
    connection: Connection | _call.Recorder,
    *,
    key: str,
    member: str,
    reason: str,
    actor: str | None = None,
    request_key: str | None = None,
) -> Composed:
    """Let a member float: show the head of its piece. Calls ``fn_iu_collection_unpin``.

    Raises:
        NotFoundError: IU003, IU004.
        InvalidError: IU012, IU013, IU016, IU017.
        GateClosedError: IU100, IU101.
        ConflictError: IU203, IU205, IU212.

    >>> collections.unpin(connection, key="guide.md", member="guide/one", reason="follow again").changed
    True
    """
    named = _check.arguments(
        {"p_key": key, "p_member": member, "p_reason": reason}, p_actor=actor, p_request_key=request_key
    )
    return _call.one(connection, Composed, "fn_iu_collection_unpin", named)


def replace(
    connection: Connection | _call.Recorder,
    *,
    key: str,
    member: str,
    piece: str,
    reason: str,
    version: int | None = None,
    actor: str | None = None,
    request_key: str | None = None,
) -> Composed:
    """Put another piece at the place of a member. Calls ``fn_iu_collection_replace``.

    Raises:
        NotFoundError: IU001, IU002, IU003, IU004.
        InvalidError: IU012, IU013, IU016, IU017.
        GateClosedError: IU100, IU101.
        ConflictError: IU203, IU205, IU208, IU209, IU212.

    >>> collections.replace(
    ...     connection, key="guide.md", member="guide/three", piece="guide/two", reason="better"
    ... ).address
    'guide/two'
    """
    named = _check.arguments(
        {"p_key": key, "p_member": member, "p_piece": piece, "p_reason": reason},
        p_version=version,
        p_actor=actor,
        p_request_key=request_key,
    )
    return _call.one(connection, Composed, "fn_iu_collection_replace", named)


def set_step(
    connection: Connection | _call.Recorder,
    *,
    key: str,
    member: str,
    reason: str,
    label: str | None = None,
    transitions: Transitions | None = None,
    actor: str | None = None,
    request_key: str | None = None,
) -> Composed:
    """Name a step of a workflow and say where it leads; None takes away. Calls ``fn_iu_step_set``.

    Raises:
        NotFoundError: IU003, IU004.
        InvalidError: IU012, IU013, IU016, IU017, IU022.
        GateClosedError: IU100, IU101.
        ConflictError: IU203, IU205, IU207, IU212.

    >>> flow = collections.create(
    ...     connection,
    ...     key="check",
    ...     kind="workflow",
    ...     title="Check",
    ...     members=[{"piece": "guide/one", "label": "start"}, {"piece": "guide/two"}],
    ...     reason="new",
    ... )
    >>> collections.set_step(
    ...     connection,
    ...     key="check",
    ...     member="guide/two",
    ...     label="again",
    ...     transitions=[{"on": "wrong", "to": "start"}, {"on": "right", "to": "end"}],
    ...     reason="may fail",
    ... ).changed
    True
    """
    named = _check.arguments(
        {"p_key": key, "p_member": member, "p_reason": reason},
        p_label=label,
        p_transitions=_transitions(transitions),
        p_actor=actor,
        p_request_key=request_key,
    )
    return _call.one(connection, Composed, "fn_iu_step_set", named)


def rebalance(
    connection: Connection | _call.Recorder,
    *,
    key: str,
    reason: str,
    actor: str | None = None,
    request_key: str | None = None,
) -> Composed:
    """New, short ranks for all members; the order stays. Calls ``fn_iu_collection_rebalance``.

    Raises:
        NotFoundError: IU003.
        InvalidError: IU012, IU013, IU016, IU017.
        GateClosedError: IU100, IU101.
        ConflictError: IU203, IU212.

    >>> collections.rebalance(connection, key="guide.md", reason="housekeeping").member_id is None
    True
    """
    named = _check.arguments({"p_key": key, "p_reason": reason}, p_actor=actor, p_request_key=request_key)
    return _call.one(connection, Composed, "fn_iu_collection_rebalance", named)


def show(connection: Connection | _call.Recorder, *, key: str) -> CollectionState:
    """One collection with its size. Calls ``fn_iu_collection_show``.

    Raises:
        NotFoundError: IU003.
        InvalidError: IU012, IU013.
        ConflictError: IU212.

    >>> int(collections.show(connection, key="guide.md").pieces)
    2
    """
    return _call.one(connection, CollectionState, "fn_iu_collection_show", _check.arguments({"p_key": key}))


def list_collections(
    connection: Connection | _call.Recorder, *, prefix: str = "", after: str = "", limit: int | None = 1000
) -> list[ListedCollection]:
    """Collections by key, page by page. Calls ``fn_iu_collection_list``.

    Args:
        connection: of the caller.
        prefix: only keys that begin so.
        after: only keys after this one: the last of a page gives the next page.
        limit: how many at most; None: all of them.

    Raises:
        InvalidError: IU012, IU013.

    >>> [found.key for found in collections.list_collections(connection)]
    ['check', 'guide.md']
    """
    named = _check.arguments({"p_prefix": prefix, "p_after": after, "p_limit": limit})
    return _call.rows(connection, ListedCollection, "fn_iu_collection_list", named)


def members(
    connection: Connection | _call.Recorder,
    *,
    key: str,
    as_of_change: int | None = None,
    as_of: datetime | None = None,
) -> list[Member]:
    """The members in order, not expanded; now, or as of a change or a moment. Calls ``fn_iu_collection_members``.

    Raises:
        NotFoundError: IU003, IU008.
        InvalidError: IU012, IU013, IU018 (also for a moment without time zone).
        ConflictError: IU212.

    >>> [member.address for member in collections.members(connection, key="guide.md")]
    ['guide/two', 'guide/one']
    """
    named = _check.arguments({"p_key": key}, p_as_of_change=as_of_change, p_as_of=_check.moment(as_of))
    return _call.rows(connection, Member, "fn_iu_collection_members", named)


def history(connection: Connection | _call.Recorder, *, key: str) -> list[CompositionChange]:
    """The changes of the composition itself, newest first. Calls ``fn_iu_collection_history``.

    Raises:
        NotFoundError: IU003.
        InvalidError: IU012, IU013.

    >>> [change.reason for change in collections.history(connection, key="check")]
    ['may fail', 'new']
    """
    return _call.rows(connection, CompositionChange, "fn_iu_collection_history", _check.arguments({"p_key": key}))


def validate(connection: Connection | _call.Recorder, *, key: str) -> list[Finding]:
    """What is wrong in a collection; an empty list when nothing is. Calls ``fn_iu_collection_validate``.

    Raises:
        NotFoundError: IU003.
        InvalidError: IU012, IU013.
        ConflictError: IU212.

    >>> collections.validate(connection, key="check")
    []
    """
    return _call.rows(connection, Finding, "fn_iu_collection_validate", _check.arguments({"p_key": key}))


def render(
    connection: Connection | _call.Recorder,
    *,
    key: str,
    as_of_change: int | None = None,
    as_of: datetime | None = None,
) -> str:
    """The text: the bodies in order, nothing in between. A pure read. Calls ``fn_iu_render``.

    Args:
        connection: of the caller.
        key: of the collection.
        as_of_change: render as it was after this change.
        as_of: render as it was at this moment; an aware datetime.

    Raises:
        NotFoundError: IU003, IU008.
        InvalidError: IU012, IU013, IU018, IU026 (over 256 MiB), IU033.
        ConflictError: IU212.

    >>> collections.render(connection, key="guide.md")
    'Second.\\n# One\\n'
    """
    named = _check.arguments({"p_key": key}, p_as_of_change=as_of_change, p_as_of=_check.moment(as_of))
    text: str = _call.scalar(connection, "fn_iu_render", named)
    return text


def record_render(
    connection: Connection | _call.Recorder,
    *,
    key: str,
    reason: str,
    actor: str | None = None,
    request_key: str | None = None,
) -> RecordedRender:
    """The text as it is now, as ``render`` gives it, and the fact that it was rendered. Calls ``fn_iu_record_render``.

    Raises:
        NotFoundError: IU003.
        InvalidError: IU012, IU013, IU016, IU017, IU026 (over 256 MiB), IU033.
        GateClosedError: IU100, IU101.
        ConflictError: IU203, IU212.

    >>> recorded = collections.record_render(connection, key="guide.md", reason="sent to print")
    >>> recorded.body, recorded.byte_length, recorded.pieces
    ('Second.\\n# One\\n', 14, 2)
    """
    named = _check.arguments({"p_key": key, "p_reason": reason}, p_actor=actor, p_request_key=request_key)
    return _call.one(connection, RecordedRender, "fn_iu_record_render", named)


def record_validation(
    connection: Connection | _call.Recorder,
    *,
    key: str,
    reason: str,
    actor: str | None = None,
    request_key: str | None = None,
) -> list[Finding]:
    """What is wrong in a collection, and the fact that it was validated. Calls ``fn_iu_record_validation``.

    Raises:
        NotFoundError: IU003.
        InvalidError: IU012, IU013, IU016, IU017.
        GateClosedError: IU100, IU101.
        ConflictError: IU203, IU212.

    >>> collections.record_validation(connection, key="check", reason="before the release")
    []
    """
    named = _check.arguments({"p_key": key, "p_reason": reason}, p_actor=actor, p_request_key=request_key)
    return _call.rows(connection, Finding, "fn_iu_record_validation", named)


def render_pieces(
    connection: Connection | _call.Recorder,
    *,
    key: str,
    as_of_change: int | None = None,
    as_of: datetime | None = None,
) -> Iterator[RenderedPiece]:
    """The same text piece by piece, through a server-side cursor. Calls ``fn_iu_render_pieces``.

    The rows come as they are asked for, inside the caller's transaction.

    Raises:
        NotFoundError: IU003, IU008; from the first row on.
        InvalidError: IU012, IU013, IU018, IU026 (over 10 million pieces), IU033.
        ConflictError: IU212.

    >>> [(piece.address, piece.version) for piece in collections.render_pieces(connection, key="guide.md")]
    [('guide/two', 1), ('guide/one', 1)]
    """
    named = _check.arguments({"p_key": key}, p_as_of_change=as_of_change, p_as_of=_check.moment(as_of))
    if isinstance(connection, _call.Recorder):
        _call.execute(connection, _call.Call("fn_iu_render_pieces", named))
        raise AssertionError("a Recorder always raises")
    return _call.stream(connection, RenderedPiece, "fn_iu_render_pieces", named)


def export_collections(connection: Connection | _call.Recorder, *, keys: Sequence[str]) -> list[ExportedCollection]:
    """Those of several collections that can be looked at now, by key. Calls ``fn_iu_export_collections``.

    Raises:
        InvalidError: IU012, IU013, IU026 (over 10 million pieces through nesting).

    >>> [found.title for found in collections.export_collections(connection, keys=["guide.md", "nothing"])]
    ['Guide']
    """
    named = _check.arguments({"p_keys": _check.texts(keys, "keys")})
    return _call.rows(connection, ExportedCollection, "fn_iu_export_collections", named)


def export_pieces(connection: Connection | _call.Recorder, *, keys: Sequence[str]) -> list[ExportedPiece]:
    """The pieces of several collections, by key and in order, as they render now. Calls ``fn_iu_export_pieces``.

    Raises:
        InvalidError: IU012, IU013, IU026 (over 10 million pieces through nesting).

    >>> [(piece.address, piece.version) for piece in collections.export_pieces(connection, keys=["guide.md"])]
    [('guide/two', 1), ('guide/one', 1)]
    """
    named = _check.arguments({"p_keys": _check.texts(keys, "keys")})
    return _call.rows(connection, ExportedPiece, "fn_iu_export_pieces", named)


def render_workflow(
    connection: Connection | _call.Recorder,
    *,
    key: str,
    format: str,
    as_of_change: int | None = None,
    as_of: datetime | None = None,
) -> str:
    """A workflow as a Markdown ``checklist``, a ``mermaid`` flowchart or ``json``. Calls ``fn_iu_render_workflow``.

    Raises:
        NotFoundError: IU003, IU008.
        InvalidError: IU012, IU013, IU018, IU023, IU026, IU033.
        ConflictError: IU212.

    >>> print(collections.render_workflow(connection, key="check", format="mermaid"))  # doctest: +ELLIPSIS
    flowchart TD
        s1["1. start: One"]
    ...
    """
    named = _check.arguments(
        {"p_key": key, "p_format": format}, p_as_of_change=as_of_change, p_as_of=_check.moment(as_of)
    )
    text: str = _call.scalar(connection, "fn_iu_render_workflow", named)
    return text


def where_used(connection: Connection | _call.Recorder, *, key: str) -> list[Standing]:
    """Every collection in which a collection stands now. Calls ``fn_iu_collection_where_used``.

    Raises:
        NotFoundError: IU003.
        InvalidError: IU012, IU013.
        ConflictError: IU212.

    >>> collections.where_used(connection, key="guide.md")
    []
    """
    return _call.rows(connection, Standing, "fn_iu_collection_where_used", _check.arguments({"p_key": key}))


def soft_delete(
    connection: Connection | _call.Recorder,
    *,
    key: str,
    reason: str,
    actor: str | None = None,
    request_key: str | None = None,
) -> Disposed:
    """Take a collection away, to be restored; its pieces stay. Calls ``fn_iu_collection_soft_delete``.

    What it was can still be seen: as of a change or a moment before.

    Raises:
        NotFoundError: IU003.
        InvalidError: IU012, IU013, IU016, IU017.
        GateClosedError: IU100, IU101.
        ConflictError: IU203, IU212, IU214 while it stands in another collection.

    >>> collections.soft_delete(connection, key="check", reason="made by mistake").changed
    True
    """
    named = _check.arguments({"p_key": key, "p_reason": reason}, p_actor=actor, p_request_key=request_key)
    return _call.one(connection, Disposed, "fn_iu_collection_soft_delete", named)


def restore(
    connection: Connection | _call.Recorder,
    *,
    key: str,
    reason: str,
    actor: str | None = None,
    request_key: str | None = None,
) -> Disposed:
    """Bring a soft-deleted collection back with its members. Calls ``fn_iu_collection_restore``.

    Raises:
        NotFoundError: IU003.
        InvalidError: IU012, IU013, IU016, IU017.
        GateClosedError: IU100, IU101.
        ConflictError: IU203, IU213.

    >>> collections.restore(connection, key="check", reason="it was none").changed
    True
    """
    named = _check.arguments({"p_key": key, "p_reason": reason}, p_actor=actor, p_request_key=request_key)
    return _call.one(connection, Disposed, "fn_iu_collection_restore", named)


def _members(given: Iterable[NewMember]) -> str:
    members = _check.objects(given, NewMember, "member", _EXAMPLE)
    for ordinal, member in enumerate(members, start=1):
        version = member.get("version")
        if version is not None and (not isinstance(version, int) or isinstance(version, bool)):
            raise InvalidError(
                "the version of a member is not a whole number",
                sqlstate="IU019",
                detail=f"member {ordinal}: {json.dumps(version, default=str)[:80]}",
                hint='Write it without quotes, such as {"piece": "a/two", "version": 1}',
            )
    return _check.dumped(members, "members", sqlstate="IU019")


def _transitions(value: Any) -> str | None:
    return None if value is None else _check.dumped(value, "transitions", sqlstate="IU022")

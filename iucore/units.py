"""Pieces of governed text: birth, versions, clones, kinds, and what can be asked about them.

The caller owns the transaction: nothing here commits, retries or logs. Every writing function records ``reason`` (one
line), a claimed ``actor`` beside the login role, and an optional ``request_key``: the same key with the same call
returns the first result and writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict
from uuid import UUID

from iucore import _call, _check

if TYPE_CHECKING:
    from sqlalchemy import Connection

MAX_BODY_BYTES = _check.MAX_BODY_BYTES
"""The limit of one body, in bytes of UTF-8."""


_EXAMPLE = '[{"address": "a/one", "kind": "text", "title": "One", "body": "1\\n"}]'


class NewPiece(TypedDict):
    """One piece for ``create_many``."""

    address: str
    kind: str
    title: str
    body: str
    attributes: NotRequired[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Piece:
    """What a verb made of a piece. ``changed`` is False when nothing differed and no version was written."""

    unit_id: UUID
    address: str
    kind: str
    version: int
    title: str
    lifecycle: str
    content_sha256: str
    byte_length: int
    change_id: int
    changed: bool


@dataclass(frozen=True, slots=True)
class BornPiece:
    """One piece of ``create_many``; ``ordinal`` counts from 1 in the order given."""

    ordinal: int
    unit_id: UUID
    address: str
    version: int
    content_sha256: str
    change_id: int


@dataclass(frozen=True, slots=True)
class PieceVersion:
    """One version of a piece with its body; ``source_address`` is the piece that it was cloned from."""

    unit_id: UUID
    address: str
    kind: str
    version: int
    head_version: int
    title: str
    lifecycle: str
    attributes: dict[str, Any]
    content_sha256: str
    byte_length: int
    source_address: str | None
    source_version: int | None
    change_id: int
    changed_at: datetime
    body: str


@dataclass(frozen=True, slots=True)
class ShownPiece:
    """One of several pieces; ``ordinal`` is its place, from 1, among those asked for."""

    ordinal: int
    address: str
    kind: str
    version: int
    head_version: int
    title: str
    lifecycle: str
    content_sha256: str
    byte_length: int
    body: str | None


@dataclass(frozen=True, slots=True)
class PastVersion:
    """One line of a piece's history: the version, and who made it, when and why."""

    version: int
    title: str
    lifecycle: str
    content_sha256: str
    byte_length: int
    change_id: int
    verb: str
    actor: str
    claimed_actor: str | None
    reason: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class DiffInput:
    """Two versions of a piece, side by side."""

    address: str
    from_version: int
    from_title: str
    from_body: str
    to_version: int
    to_title: str
    to_body: str


@dataclass(frozen=True, slots=True)
class ListedPiece:
    """The head of a piece, without its body."""

    address: str
    kind: str
    version: int
    title: str
    lifecycle: str
    content_sha256: str
    byte_length: int
    change_id: int


@dataclass(frozen=True, slots=True)
class FoundContent:
    """The first active piece, by address, whose head has this content."""

    content_sha256: str
    address: str
    kind: str


SNIPPET_MARKS = ("\x02", "\x03")
"""What stands in a snippet before and behind what was found."""


@dataclass(frozen=True, slots=True)
class SearchedPiece:
    """A version of a piece that says what was searched for.

    ``places`` counts the collections' places where the piece stands now, whatever the version. ``found_by`` is
    ``words``, ``substring`` or ``similar``. ``rank`` compares results of one search by words or by similarity, and is 0
    for a substring. ``snippet`` is a part of the body in one line, with ``SNIPPET_MARKS``.
    """

    address: str
    kind: str
    version: int
    title: str
    lifecycle: str
    places: int
    found_by: str
    rank: Decimal
    snippet: str


@dataclass(frozen=True, slots=True)
class Standing:
    """A collection in which a piece stands; at ``depth`` 1 with its membership, deeper through nesting."""

    key: str
    kind: str
    title: str
    member_id: int | None
    pinned_version: int | None
    depth: int


@dataclass(frozen=True, slots=True)
class Disposed:
    """What a disposal or a restore made of a piece.

    ``places`` counts its memberships that are affected. ``changed`` is False when the piece was so already.
    """

    unit_id: UUID
    address: str
    version: int
    lifecycle: str
    places: int
    change_id: int
    changed: bool


@dataclass(frozen=True, slots=True)
class Kind:
    """A registered kind of pieces."""

    kind: str
    title: str
    description: str
    change_id: int | None


def create(
    connection: Connection | _call.Recorder,
    *,
    address: str,
    kind: str,
    title: str,
    body: str,
    reason: str,
    attributes: Mapping[str, Any] | None = None,
    actor: str | None = None,
    request_key: str | None = None,
) -> Piece:
    """The birth gate: a new piece with its first version. Calls ``fn_iu_create``.

    Args:
        connection: of the caller, who commits.
        address: segments of RFC 3986 unreserved characters and ``%XX``, joined by ``/``; at most 1024 bytes.
        kind: a registered kind.
        title: 1 to 300 characters in one line.
        body: exactly what a render will give back; at most ``MAX_BODY_BYTES`` bytes in UTF-8.
        reason: why, in one line.
        attributes: a JSON object, at most 16 levels deep; None is an empty one.
        actor: who claims to do this.
        request_key: makes the call safe to repeat.

    Raises:
        NotFoundError: IU005.
        InvalidError: IU010, IU011, IU012, IU013, IU014, IU015, IU016, IU017, IU032.
        GateClosedError: IU100.
        ConflictError: IU201, IU203.

    >>> leave = units.create(
    ...     connection,
    ...     address="policies/leave",
    ...     kind="policy",
    ...     title="Leave",
    ...     body="Ask a week before.\\n",
    ...     reason="first text",
    ... )
    >>> leave.version, leave.byte_length, leave.changed
    (1, 19, True)
    """
    _check.body(body)
    named = _check.arguments(
        {"p_address": address, "p_kind": kind, "p_title": title, "p_body": body, "p_reason": reason},
        p_attributes=None if attributes is None else _check.attributes(attributes),
        p_actor=actor,
        p_request_key=request_key,
    )
    return _call.one(connection, Piece, "fn_iu_create", named)


def create_many(
    connection: Connection | _call.Recorder,
    *,
    pieces: Iterable[NewPiece],
    reason: str,
    actor: str | None = None,
    request_key: str | None = None,
) -> list[BornPiece]:
    """The birth gate for many pieces in one call, all or nothing. Calls ``fn_iu_create_many``.

    Raises:
        NotFoundError: IU005.
        InvalidError: IU010 to IU017, IU019, IU032; the detail names the piece by its ordinal.
        GateClosedError: IU100.
        ConflictError: IU201, IU203.

    >>> born = units.create_many(
    ...     connection,
    ...     pieces=[
    ...         {"address": "guide/one", "kind": "text", "title": "One", "body": "1\\n"},
    ...         {"address": "guide/two", "kind": "text", "title": "Two", "body": "2\\n"},
    ...     ],
    ...     reason="import",
    ... )
    >>> [(piece.ordinal, piece.address) for piece in born]
    [(1, 'guide/one'), (2, 'guide/two')]
    """
    items = _check.objects(pieces, NewPiece, "piece", _EXAMPLE)
    for ordinal, piece in enumerate(items, start=1):
        _check.body(piece.get("body"), f"piece {ordinal}, body")
        if isinstance(piece.get("attributes"), Mapping):
            _check.attributes(piece["attributes"], f"piece {ordinal}, attributes")
    named = _check.arguments(
        {"p_pieces": _check.dumped(items, "pieces", sqlstate="IU019"), "p_reason": reason},
        p_actor=actor,
        p_request_key=request_key,
    )
    return _call.rows(connection, BornPiece, "fn_iu_create_many", named)


def edit(
    connection: Connection | _call.Recorder,
    *,
    address: str,
    expected_version: int,
    reason: str,
    body: str | None = None,
    title: str | None = None,
    attributes: Mapping[str, Any] | None = None,
    actor: str | None = None,
    request_key: str | None = None,
) -> Piece:
    """A new version on top of the one that the caller saw. Calls ``fn_iu_edit``.

    Body, title and attributes stay as they were where None is given. When nothing differs no version is written and
    ``changed`` is False.

    Raises:
        NotFoundError: IU001.
        InvalidError: IU011 to IU017.
        GateClosedError: IU100.
        ConflictError: IU202 when the piece has moved on since ``expected_version``; IU203, IU209.

    >>> units.edit(
    ...     connection, address="policies/leave", expected_version=1, body="Ask a day before.\\n", reason="shorter"
    ... ).version
    2
    >>> with connection.begin_nested():
    ...     units.edit(connection, address="policies/leave", expected_version=1, title="Leave", reason="late")
    Traceback (most recent call last):
    ...
    iucore.errors.ConflictError: ...
    """
    if body is not None:
        _check.body(body)
    named = _check.arguments(
        {"p_address": address, "p_expected_version": expected_version, "p_reason": reason},
        p_body=body,
        p_title=title,
        p_attributes=None if attributes is None else _check.attributes(attributes),
        p_actor=actor,
        p_request_key=request_key,
    )
    return _call.one(connection, Piece, "fn_iu_edit", named)


def clone(
    connection: Connection | _call.Recorder,
    *,
    source: str,
    address: str,
    reason: str,
    version: int | None = None,
    title: str | None = None,
    actor: str | None = None,
    request_key: str | None = None,
) -> Piece:
    """A new piece with the content of another and its provenance; no body is copied. Calls ``fn_iu_clone``.

    Args:
        connection: of the caller, who commits.
        source: the address of the piece to clone.
        address: of the new piece.
        reason: why, in one line.
        version: of the source; None is its head.
        title: of the new piece; None is the source's.
        actor: who claims to do this.
        request_key: makes the call safe to repeat.

    Raises:
        NotFoundError: IU001, IU002.
        InvalidError: IU010, IU011, IU012, IU013, IU016, IU017.
        GateClosedError: IU100.
        ConflictError: IU201, IU203, IU209.

    >>> units.clone(
    ...     connection, source="policies/leave", version=1, address="policies/leave-de", reason="translation"
    ... ).byte_length
    19
    """
    named = _check.arguments(
        {"p_source": source, "p_address": address, "p_reason": reason},
        p_version=version,
        p_title=title,
        p_actor=actor,
        p_request_key=request_key,
    )
    return _call.one(connection, Piece, "fn_iu_clone", named)


def set_lifecycle(
    connection: Connection | _call.Recorder,
    *,
    address: str,
    expected_version: int,
    lifecycle: str,
    reason: str,
    actor: str | None = None,
    request_key: str | None = None,
) -> Piece:
    """``draft``, ``active`` or ``retired``, as a new version with the same body. Calls ``fn_iu_lifecycle_set``.

    Raises:
        NotFoundError: IU001.
        InvalidError: IU012, IU013, IU016, IU017, IU021.
        GateClosedError: IU100.
        ConflictError: IU202, IU203, IU209.

    >>> units.set_lifecycle(
    ...     connection, address="policies/leave-de", expected_version=1, lifecycle="draft", reason="not checked yet"
    ... ).lifecycle
    'draft'
    """
    named = _check.arguments(
        {
            "p_address": address,
            "p_expected_version": expected_version,
            "p_lifecycle": lifecycle,
            "p_reason": reason,
        },
        p_actor=actor,
        p_request_key=request_key,
    )
    return _call.one(connection, Piece, "fn_iu_lifecycle_set", named)


def retire(
    connection: Connection | _call.Recorder,
    *,
    address: str,
    reason: str,
    refuse_if_used: bool = False,
    expected_version: int | None = None,
    actor: str | None = None,
    request_key: str | None = None,
) -> Disposed:
    """No new use of a piece: it stays where it stands, and validate flags it there. Calls ``fn_iu_retire``.

    ``where_used`` is the preview. ``set_lifecycle`` takes a piece back into use.

    Args:
        connection: of the caller, who commits.
        address: of the piece.
        reason: why, in one line.
        refuse_if_used: refuse while the piece stands in a collection.
        expected_version: the version that the caller saw; None takes the head as it is.
        actor: who claims to do this.
        request_key: makes the call safe to repeat.

    Raises:
        NotFoundError: IU001.
        InvalidError: IU012, IU013, IU016, IU017, IU038.
        GateClosedError: IU100.
        ConflictError: IU202, IU203, IU209, IU211.

    >>> retired = units.retire(connection, address="policies/leave-de", reason="no longer in force")
    >>> retired.lifecycle, retired.places, retired.changed
    ('retired', 0, True)
    >>> units.retire(connection, address="policies/leave-de", reason="twice").changed
    False
    """
    named = _check.arguments(
        {"p_address": address, "p_reason": reason, "p_refuse_if_used": refuse_if_used},
        p_expected_version=expected_version,
        p_actor=actor,
        p_request_key=request_key,
    )
    return _call.one(connection, Disposed, "fn_iu_retire", named)


def soft_delete(
    connection: Connection | _call.Recorder,
    *,
    address: str,
    reason: str,
    actor: str | None = None,
    request_key: str | None = None,
) -> Disposed:
    """Take a piece out of every render and every list of members, to be restored. Calls ``fn_iu_soft_delete``.

    Nothing is removed: its versions, its memberships and what was rendered as of before stay.

    Raises:
        NotFoundError: IU001.
        InvalidError: IU012, IU013, IU016, IU017.
        GateClosedError: IU100.
        ConflictError: IU203, IU209.

    >>> deleted = units.soft_delete(connection, address="policies/leave-de", reason="made by mistake")
    >>> deleted.lifecycle, deleted.changed
    ('soft_deleted', True)
    """
    named = _check.arguments({"p_address": address, "p_reason": reason}, p_actor=actor, p_request_key=request_key)
    return _call.one(connection, Disposed, "fn_iu_soft_delete", named)


def restore(
    connection: Connection | _call.Recorder,
    *,
    address: str,
    reason: str,
    actor: str | None = None,
    request_key: str | None = None,
) -> Disposed:
    """Bring a soft-deleted piece back, with each membership at its old place. Calls ``fn_iu_restore``.

    Raises:
        NotFoundError: IU001.
        InvalidError: IU012, IU013, IU016, IU017.
        GateClosedError: IU100.
        ConflictError: IU203, IU210.

    >>> units.restore(connection, address="policies/leave-de", reason="it was none").lifecycle
    'retired'
    """
    named = _check.arguments({"p_address": address, "p_reason": reason}, p_actor=actor, p_request_key=request_key)
    return _call.one(connection, Disposed, "fn_iu_restore", named)


def show(connection: Connection | _call.Recorder, *, address: str, version: int | None = None) -> PieceVersion:
    """One version of a piece with its body; the head when no version is given. Calls ``fn_iu_show``.

    Raises:
        NotFoundError: IU001, IU002.
        InvalidError: IU012, IU013.

    >>> units.show(connection, address="policies/leave", version=1).body
    'Ask a week before.\\n'
    """
    named = _check.arguments({"p_address": address}, p_version=version)
    return _call.one(connection, PieceVersion, "fn_iu_show", named)


def show_many(
    connection: Connection | _call.Recorder,
    *,
    addresses: Sequence[str],
    versions: Sequence[int] | None = None,
    bodies: bool = True,
) -> list[ShownPiece]:
    """Versions of several pieces; what does not exist is left out. Calls ``fn_iu_show_many``.

    Args:
        connection: of the caller.
        addresses: of the pieces; one may stand several times.
        versions: one for each address; None gives the heads.
        bodies: whether the texts come too.

    Raises:
        InvalidError: IU012, IU013.

    >>> [(shown.ordinal, shown.body) for shown in units.show_many(connection, addresses=["nothing", "guide/two"])]
    [(2, '2\\n')]
    """
    if versions is not None and len(versions) != len(addresses):
        raise ValueError(f"{len(addresses)} addresses, but {len(versions)} versions")
    named = _check.arguments(
        {"p_addresses": _check.texts(addresses, "addresses"), "p_bodies": bodies},
        p_versions=None if versions is None else list(versions),
    )
    return _call.rows(connection, ShownPiece, "fn_iu_show_many", named)


def history(connection: Connection | _call.Recorder, *, address: str) -> list[PastVersion]:
    """Every version of a piece, newest first. Calls ``fn_iu_history``.

    Raises:
        NotFoundError: IU001.
        InvalidError: IU012, IU013.

    >>> [(past.version, past.reason) for past in units.history(connection, address="policies/leave")]
    [(2, 'shorter'), (1, 'first text')]
    """
    return _call.rows(connection, PastVersion, "fn_iu_history", _check.arguments({"p_address": address}))


def diff_input(
    connection: Connection | _call.Recorder,
    *,
    address: str,
    from_version: int | None = None,
    to_version: int | None = None,
) -> DiffInput:
    """Two versions side by side; without numbers the head and the one before it. Calls ``fn_iu_diff_input``.

    Raises:
        NotFoundError: IU001, IU002.
        InvalidError: IU012, IU013.

    >>> both = units.diff_input(connection, address="policies/leave")
    >>> both.from_body, both.to_body
    ('Ask a week before.\\n', 'Ask a day before.\\n')
    """
    named = _check.arguments({"p_address": address}, p_from_version=from_version, p_to_version=to_version)
    return _call.one(connection, DiffInput, "fn_iu_diff_input", named)


def list_pieces(
    connection: Connection | _call.Recorder,
    *,
    prefix: str = "",
    kind: str | None = None,
    after: str = "",
    limit: int | None = 1000,
) -> list[ListedPiece]:
    """Pieces by address, page by page. Calls ``fn_iu_list``.

    Args:
        connection: of the caller.
        prefix: only addresses that begin so.
        kind: only pieces of this kind.
        after: only addresses after this one: the last of a page gives the next page.
        limit: how many at most; None: all of them.

    Raises:
        InvalidError: IU012, IU013.

    >>> [piece.address for piece in units.list_pieces(connection, prefix="guide/")]
    ['guide/one', 'guide/two']
    """
    named = _check.arguments({"p_prefix": prefix, "p_after": after, "p_limit": limit}, p_kind=kind)
    return _call.rows(connection, ListedPiece, "fn_iu_list", named)


def find_content(
    connection: Connection | _call.Recorder, *, sha256: Sequence[str], kind: str | None = None
) -> list[FoundContent]:
    """Active pieces whose head has one of these contents, at most one for each. Calls ``fn_iu_find_content``.

    Args:
        connection: of the caller.
        sha256: digests of the bodies in UTF-8, in hex.
        kind: only pieces of this kind.

    Raises:
        InvalidError: IU012, IU013.

    >>> import hashlib
    >>> digest = hashlib.sha256(b"1\\n").hexdigest()
    >>> [found.address for found in units.find_content(connection, sha256=[digest])]
    ['guide/one']
    """
    named = _check.arguments({"p_sha256": _check.texts(sha256, "sha256"), "p_kind": kind})
    return _call.rows(connection, FoundContent, "fn_iu_find_content", named)


def search(
    connection: Connection | _call.Recorder,
    *,
    text: str,
    prefix: str = "",
    collection: str | None = None,
    limit: int | None = 20,
    all_versions: bool = False,
    similar: bool = False,
) -> list[SearchedPiece]:
    """Pieces that say a text, the best first; soft-deleted ones are left out. Calls ``fn_iu_search``.

    Words of title, address and body are looked for; where none are found the text as a substring; where that is not
    found either, what is similar, by the extension pg_trgm where the database has it. There is no index: it takes about
    0.3 s for 100,000 pieces of 300 bytes.

    Args:
        connection: of the caller.
        text: 1 to 1000 characters; words that must all be there, ``"a phrase"``, ``or``, ``-not``.
        prefix: only addresses that begin so.
        collection: only pieces that stand in the collection with this key now, or in one nested in it.
        limit: how many at most; None: all of them.
        all_versions: older versions too; else the newest of each piece only.
        similar: at once by similarity.

    Raises:
        NotFoundError: IU003.
        InvalidError: IU012, IU013, IU057.
        ConflictError: IU212.

    >>> [(found.address, found.found_by) for found in units.search(connection, text="day before")]
    [('policies/leave', 'words')]
    """
    named = _check.arguments(
        {
            "p_text": text,
            "p_prefix": prefix,
            "p_limit": limit,
            "p_all_versions": all_versions,
            "p_similar": similar,
        },
        p_collection=collection,
    )
    return _call.rows(connection, SearchedPiece, "fn_iu_search", named)


def where_used(connection: Connection | _call.Recorder, *, address: str) -> list[Standing]:
    """Every collection in which a piece stands now. Calls ``fn_iu_where_used``.

    Raises:
        NotFoundError: IU001.
        InvalidError: IU012, IU013.

    >>> units.where_used(connection, address="policies/leave")
    []
    """
    return _call.rows(connection, Standing, "fn_iu_where_used", _check.arguments({"p_address": address}))


def register_kind(
    connection: Connection | _call.Recorder,
    *,
    kind: str,
    title: str,
    description: str,
    reason: str,
    actor: str | None = None,
    request_key: str | None = None,
) -> Kind:
    """A new kind of pieces; the same again changes nothing. Calls ``fn_iu_kind_register``.

    Raises:
        InvalidError: IU011, IU012, IU013, IU016, IU017, IU029.
        GateClosedError: IU100.
        ConflictError: IU203, IU206.

    >>> units.register_kind(
    ...     connection, kind="recipe", title="Recipe", description="How a dish is made.", reason="kitchen"
    ... ).kind
    'recipe'
    """
    named = _check.arguments(
        {"p_kind": kind, "p_title": title, "p_description": description, "p_reason": reason},
        p_actor=actor,
        p_request_key=request_key,
    )
    return _call.one(connection, Kind, "fn_iu_kind_register", named)


def list_kinds(connection: Connection | _call.Recorder) -> list[Kind]:
    """The registered kinds. Calls ``fn_iu_kind_list``.

    >>> "recipe" in [kind.kind for kind in units.list_kinds(connection)]
    True
    """
    return _call.rows(connection, Kind, "fn_iu_kind_list", {})

"""The ledger recomputed from end to end, and compared with the sequencer and with anchors that were kept elsewhere.

An edited, deleted, inserted or swapped event breaks the chain; of a cut tail the sequencer or an anchor knows more than
the ledger; when all of it was rewritten, the sequencer's memory included, an anchor tells.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from iucore import ledger
from iucore.errors import InvalidError

if TYPE_CHECKING:
    from sqlalchemy import Connection

STRAYS = 100


@dataclass(frozen=True, slots=True)
class Anchor:
    """The end of the ledger at some moment, to be kept where nobody who can write the database can write.

    ``count`` is how many events it held: fewer than ``position`` where some were pruned; None where it was not kept.

    >>> str(Anchor(position=2, hash="ab", count=2))
    '2:ab:2'
    """

    position: int
    hash: str
    count: int | None

    def __str__(self) -> str:
        """As ``parse`` reads it."""
        return f"{self.position}:{self.hash}" + ("" if self.count is None else f":{self.count}")


# The hash of a position as it stands, or as a prune kept it.
_KEPT = """
select l.hash from iucore.event_log as l where l.position = %(position)s
union all
select a.hash from iucore.ledger_anchor as a where a.position = %(position)s
limit 1
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found. ``bad_position`` and ``problem`` are None where nothing is wrong with the chain.

    Attributes:
        positions: how many were checked, up to the first bad one.
        begin: the last position that was pruned, 0 where nothing was; facts before it stay, and are checked too.
        head: the last position of the ledger.
        hash: of the head, in hex.
        count: how many events the ledger holds.
        anchors: how many anchors were compared.
        older: anchors whose position was pruned, so that nothing is left to compare.
        bad_position: the first bad position.
        problem: what is wrong there.
        stray: events of the outbox that should be in the ledger, up to 100.
    """

    positions: int
    begin: int
    head: int
    hash: str
    count: int
    anchors: int
    older: int
    bad_position: int | None
    problem: str | None
    stray: Sequence[ledger.Stray]


def anchor(connection: Connection) -> Anchor | None:
    """The end of the ledger; None when it is not where the sequencer came to, so that it is no anchor."""
    head = ledger.head(connection)
    if (head.position, head.hash) != (head.sequenced_position, head.sequenced_hash):
        return None
    return Anchor(head.position, head.hash.hex(), head.events)


def verify(
    connection: Connection,
    *,
    anchors: Iterable[Anchor] = (),
    progress: Callable[[int, int], None] | None = None,
    limit: int = 10_000,
) -> Verdict:
    """Recompute the ledger up to the first bad position. Give it a transaction at REPEATABLE READ.

    >>> verify.__module__
    'iucore.operations.audit'
    """
    head = ledger.head(connection)
    begin = head.anchor_position or 0
    checked, at = 0, 0
    bad: tuple[int, str] | None = None
    for page in ledger.pages(connection, limit=limit):
        if page.bad_position is not None:
            bad = page.bad_position, page.problem or ""
            checked += max(0, min(page.events, page.bad_position - at) - 1)
        else:
            checked += page.events
        at = page.position
        if progress is not None:
            progress(min(checked, head.events), head.events)
    given = list(anchors)
    compared: list[Anchor] = []
    for one in given:
        kept = connection.exec_driver_sql(_KEPT, {"position": one.position}).scalar()
        if kept is not None:
            compared.append(one)
            bad = _first(bad, _against(one, begin, bytes(kept)))
        elif one.position > begin:
            compared.append(one)
    bad = _first(bad, _end(head, compared))
    return Verdict(
        positions=checked,
        begin=begin,
        head=head.position,
        hash=head.hash.hex(),
        count=head.events,
        anchors=len(compared),
        older=len(given) - len(compared),
        bad_position=None if bad is None else bad[0],
        problem=None if bad is None else bad[1],
        stray=ledger.stray(connection, limit=STRAYS),
    )


def _first(one: tuple[int, str] | None, other: tuple[int, str] | None) -> tuple[int, str] | None:
    if one is None or other is None:
        return one or other
    return one if one[0] <= other[0] else other


def _against(one: Anchor, begin: int, hash: bytes) -> tuple[int, str] | None:
    """What is wrong by an anchor, for whose position the ledger has a hash."""
    if one.hash != hash.hex():
        return one.position, "the hash is not that of the anchor: this event or one before it was rewritten"
    if one.count is not None and not one.position - begin <= one.count <= one.position:
        return one.position, f"the anchor counted {one.count} events, which this ledger cannot have held"
    return None


def _end(head: ledger.Head, anchors: Sequence[Anchor]) -> tuple[int, str] | None:
    """What is wrong with the end of the ledger."""
    last = max((one.position for one in anchors), default=0)
    if last > head.position:
        return head.position + 1, f"the tail is cut: an anchor knows position {last}"
    if head.sequenced_position > head.position:
        return head.position + 1, f"the tail is cut: the sequencer came to position {head.sequenced_position}"
    if head.sequenced_position < head.position:
        return head.sequenced_position + 1, "the event was not put there by the sequencer"
    if head.sequenced_hash != head.hash:
        return head.position, "the hash is not the one that the sequencer remembers"
    return None


def parse(text: str) -> list[Anchor]:
    """Anchors as ``iucore ledger anchor`` prints them: ``POSITION:HASH:COUNT`` lines, JSON or tab-separated.

    Raises:
        InvalidError: IU056.

    >>> hash = "0" * 64
    >>> parse(f"2:{hash}") == parse(f"2:{hash.upper()}\\n") == parse('{"position": 2, "hash": "%s"}' % hash)
    True
    >>> parse(f"position\\thash\\tcount\\n2\\t{hash}\\t2\\n3\\t{hash}\\t3") == parse(f"2:{hash}:2\\n3:{hash}:3")
    True
    """
    try:
        whole = json.loads(text)
        found = [_object(item) for item in (whole if isinstance(whole, list) else [whole])]
    except ValueError:
        lines = [line.strip() for line in text.splitlines()]
        lines = [line for line in lines if line and not line.startswith(("#", "position"))]
        found = [_object(json.loads(line)) if line.startswith("{") else _fields(line) for line in lines]
    if not found:
        raise _invalid("it is empty")
    return found


def _object(value: Any) -> Anchor:
    if not isinstance(value, dict):
        raise _invalid("not an object")
    return _made(value.get("position"), value.get("hash"), value.get("count"))


def _fields(line: str) -> Anchor:
    position, _, rest = line.replace("\t", ":").replace(",", ":").partition(":")
    digest, _, count = rest.partition(":")
    numbers = [int(each) if each.isascii() and each.isdigit() else None for each in (position, count or "0")]
    if None in numbers:
        raise _invalid(line)
    return _made(numbers[0], digest, numbers[1] if count else None)


def _made(position: Any, digest: Any, count: Any) -> Anchor:
    known = isinstance(position, int) and isinstance(digest, str) and (count is None or isinstance(count, int))
    if not known or len(digest) != (64 if position else 0) or digest.strip("0123456789abcdefABCDEF") or position < 0:
        raise _invalid(f"position {position}")
    return Anchor(position, digest.lower(), count)


def _invalid(what: str) -> InvalidError:
    return InvalidError(
        "anchor of the ledger invalid",
        sqlstate="IU056",
        detail=f"anchor: {what[:120]}",
        hint="Give a file, or what iucore ledger anchor printed: POSITION:HASH:COUNT, with 64 hex digits.",
    )

"""Prove the composer and the operator surface on a live database, and leave nothing behind.

One transaction holds everything and is rolled back. Each proof runs under a savepoint of its own, makes what it needs
under names with a random suffix, and is undone before the next one begins: a failure hides no other proof, and a lock
is held for one proof at most. Only numbers drawn from sequences are used up.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NoReturn
from uuid import UUID

from sqlalchemy.exc import DBAPIError

from iucore import _call, axes, collections, errors, events, gates, units

if TYPE_CHECKING:
    from sqlalchemy import Connection, NestedTransaction

_REASON = "iucore proof, rolled back"
_AUTHOR, _OPERATOR, _GATEKEEPER = "iucore_author", "iucore_operator", "iucore_gatekeeper"
# A writer of the live database waits behind a proof that waits for a lock, so that none waits long.
_LOCK_TIMEOUT = "2s"
# What a careless step on the way would change: a mark of byte order, ends of lines, no end of line, blanks, a character
# of four bytes, a combining one, what drivers and psql read as their own. Each run puts its own name in: content is
# stored once, and two sessions that store the same at once wait for each other.
_BODIES = (
    "\ufeff# Héading {}\r\n\r\n",
    "a\tb {}  \n",
    "",
    "lone\rcarriage, no end of line {}",
    "e\u0301 😀 %s :x $1 \\ ' $$ {}\n",
)


@dataclass(frozen=True, slots=True)
class Proof:
    """One proof: what it showed, what went wrong instead, or why it could not be run.

    ``role`` is the role that the login lacks, where that is why.
    """

    outcome: Literal["ok", "fail", "skip"]
    name: str
    shown: str
    role: str | None = None


def run(connection: Connection, *, resolve: Callable[..., _call.Call] | None = None) -> Iterator[Proof]:
    """Run every proof in one transaction of its own, and yield each as it ends; the transaction is rolled back.

    ``resolve`` gives the governed call of an operator command by its name and parameters; without it the commands are
    not proven. The connection must have no transaction under way. The last proof is that nothing was left. It takes
    ``iucore_operator`` and ``iucore_gatekeeper`` to run all of them; a proof whose role the login lacks is skipped, and
    so is one that a closed gate or a busy lock keeps from being run.
    """
    with connection.begin() as transaction:
        connection.exec_driver_sql("set transaction isolation level read committed")
        connection.exec_driver_sql(f"set local lock_timeout = '{_LOCK_TIMEOUT}'")
        live = _Live(connection)
        try:
            for case in _CASES:
                yield _prove(live, case)
            if resolve is not None:
                yield _prove(live, _Case("commands", (_OPERATOR,), partial(_commands, resolve=resolve)))
            yield _prove(live, _GATES)
        finally:
            # Also when the caller asks for no more proofs.
            transaction.rollback()
    with connection.begin():
        yield _prove(live, _LAST)


class _NotShownError(Exception):
    """A proof found something else than it should."""


@dataclass(frozen=True, slots=True)
class _Case:
    name: str
    roles: tuple[str, ...]
    show: Callable[[_Live], str]


def _prove(live: _Live, case: _Case) -> Proof:
    live.begin(case.name)
    savepoint = live.connection.begin_nested()
    try:
        return Proof("ok", case.name, case.show(live))
    except _NotShownError as error:
        return Proof("fail", case.name, str(error))
    except errors.GateClosedError as error:
        return Proof("skip", case.name, str(error))
    except errors.IucoreError as error:
        return Proof("fail", case.name, str(error))
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        original: Any = error.orig
        code = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None)
        said = original.diag.message_primary or str(original).strip()
        if code is None:
            raise
        savepoint.rollback()
        if code == "42501" and (lacking := live.lacks(case.roles)):
            return Proof("skip", case.name, f"needs {lacking}: {said}", lacking)
        if code == "55P03":
            return Proof("skip", case.name, f"another session held the lock for {_LOCK_TIMEOUT}: {said}")
        return Proof("fail", case.name, f"{said} ({code})")
    finally:
        if savepoint.is_active:
            savepoint.rollback()


class _Live:
    """The database while it is proven: names for one proof, and what the proofs ask of it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.root = f"proof-{secrets.token_hex(8)}"
        self.place = self.root
        self.bodies = tuple(body.format(self.root) for body in _BODIES)
        # An id of the minute before: what the proofs emit comes after it.
        self.after = UUID(
            connection.exec_driver_sql(
                "select rpad(lpad(to_hex((extract(epoch from clock_timestamp() - interval '1 minute') * 1000)::bigint),"
                " 12, '0'), 32, '0')"
            ).scalar_one()
        )

    def begin(self, name: str) -> None:
        """Names of the next proof."""
        self.place = f"{self.root}/{name.replace(' ', '-')}"

    def name(self, last: str) -> str:
        """An address or key of this proof."""
        return f"{self.place}/{last}"

    def piece(self, last: str, body: str | None = None, kind: str = "text") -> units.Piece:
        """A piece through the birth gate."""
        text = f"{self.name(last)}\n" if body is None else body
        return units.create(self.connection, address=self.name(last), kind=kind, title=last, body=text, reason=_REASON)

    def file(self, last: str, *pieces: str) -> collections.Collection:
        """A file of pieces that are made for it."""
        for piece in pieces:
            self.piece(piece)
        return collections.create(
            self.connection,
            key=self.name(last),
            kind="file",
            title=last,
            members=[{"piece": self.name(piece)} for piece in pieces],
            reason=_REASON,
        )

    def order(self, last: str) -> list[str]:
        """The last segments of the members, in order."""
        members = collections.members(self.connection, key=self.name(last))
        return [member.address.rpartition("/")[2] for member in members]

    def text(self, last: str) -> str:
        """The render."""
        return collections.render(self.connection, key=self.name(last))

    def emitted(self, change_id: int) -> list[str]:
        """The types of the events of a change; seen before any commit, they belong to this transaction."""
        found = events.list_events(self.connection, change_id=change_id, after=self.after)
        return sorted(event.event_type for event in found)

    def told(self, event_type: str, last: str) -> int:
        """How many events of a type there are of a piece or a collection."""
        found = events.list_events(self.connection, event_type=event_type, subject=self.name(last), after=self.after)
        return len(found)

    def refused(self, sqlstate: str, *, by: Callable[[], object]) -> errors.IucoreError:
        """The error with which a call is refused; it leaves nothing, and the proof goes on."""
        with self.undone():
            try:
                by()
            except errors.IucoreError as error:
                if error.sqlstate == sqlstate:
                    return error
                raise _NotShownError(f"refused with another code than {sqlstate}: {error}") from error
        raise _NotShownError(f"not refused with {sqlstate}")

    @contextmanager
    def undone(self) -> Iterator[None]:
        """A savepoint that is always rolled back."""
        savepoint: NestedTransaction = self.connection.begin_nested()
        try:
            yield
        finally:
            savepoint.rollback()

    def lacks(self, roles: Sequence[str]) -> str | None:
        """The roles that the login does not have, None when it has all."""
        query = "select pg_catalog.pg_has_role(current_user, %s, 'usage')"
        lacking = [role for role in roles if not self.connection.exec_driver_sql(query, (role,)).scalar()]
        return " and ".join(lacking) or None


def _same(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        _differs(what, found, wanted)


def _differs(what: str, found: object, wanted: object) -> NoReturn:
    raise _NotShownError(f"{what}: {_short(found)}, not {_short(wanted)}")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}..."


def _create(live: _Live) -> str:
    piece = live.piece("a", live.bodies[0])
    _same("version", piece.version, 1)
    shown = units.show(live.connection, address=live.name("a"))
    _same("body", shown.body, live.bodies[0])
    _same("sha256", shown.content_sha256, hashlib.sha256(live.bodies[0].encode()).hexdigest())
    _same("events of the birth", live.emitted(piece.change_id), ["unit.created"])
    live.refused("IU201", by=lambda: live.piece("a"))
    made = live.file("f", "b", "c")
    _same("members", live.order("f"), ["b", "c"])
    wanted = ["collection.created", "collection.piece_added", "collection.piece_added"]
    _same("events of the collection", live.emitted(made.change_id), wanted)
    return "a piece is born with its bytes, a collection with its members; each with its events"


def _add(live: _Live) -> str:
    live.file("f", "a", "c")
    for last, at, anchor in (("b", "before", "c"), ("z", "last", None), ("0", "first", None)):
        live.piece(last)
        added = collections.add(
            live.connection,
            key=live.name("f"),
            member=live.name(last),
            at=at,
            anchor=anchor and live.name(anchor),
            reason=_REASON,
        )
        _same("events", live.emitted(added.change_id), ["collection.piece_added"])
    _same("order", live.order("f"), ["0", "a", "b", "c", "z"])
    live.refused(
        "IU001",
        by=lambda: collections.add(live.connection, key=live.name("f"), member=live.name("nobody"), reason=_REASON),
    )
    return "members stand first, before an anchor and last; each with its event; an unknown piece is refused"


def _reorder(live: _Live) -> str:
    live.file("f", "a", "b", "c")
    moved = collections.reorder(live.connection, key=live.name("f"), member=live.name("c"), at="first", reason=_REASON)
    _same("order", live.order("f"), ["c", "a", "b"])
    _same("events", live.emitted(moved.change_id), ["collection.piece_reordered"])
    before = collections.render(live.connection, key=live.name("f"), as_of_change=moved.change_id - 1)
    _same("render as of before", before, "".join(f"{live.name(last)}\n" for last in "abc"))
    return "a member moves with its event; the order before can still be rendered"


def _remove(live: _Live) -> str:
    live.file("f", "a", "b")
    collections.create(
        live.connection,
        key=live.name("g"),
        kind="file",
        title="g",
        members=[{"piece": live.name("b")}],
        reason=_REASON,
    )
    removed = collections.remove(live.connection, key=live.name("f"), member=live.name("b"), reason=_REASON)
    _same("members", live.order("f"), ["a"])
    _same("events", live.emitted(removed.change_id), ["collection.piece_removed"])
    _same("members elsewhere", live.order("g"), ["b"])
    _same("lifecycle", units.show(live.connection, address=live.name("b")).lifecycle, "active")
    return "the piece leaves one collection with its event, and stands on in the other"


def _validate(live: _Live) -> str:
    live.piece("ask", kind="step")
    collections.create(
        live.connection,
        key=live.name("w"),
        kind="workflow",
        title="w",
        members=[{"piece": live.name("ask"), "label": "ask"}],
        reason=_REASON,
    )
    _same("findings of a sound one", collections.validate(live.connection, key=live.name("w")), [])
    collections.set_step(
        live.connection,
        key=live.name("w"),
        member=live.name("ask"),
        label="ask",
        transitions=[{"on": "no", "to": "nowhere"}],
        reason=_REASON,
    )
    found = collections.validate(live.connection, key=live.name("w"))
    if not any(finding.severity == "error" for finding in found):
        _differs("findings where a step leads nowhere", found, "an error")
    recorded = collections.record_validation(live.connection, key=live.name("w"), reason=_REASON)
    _same("findings when recorded", recorded, found)
    _same("recorded validations", live.told("collection.validated", "w"), 1)
    return "a sound workflow has no finding, a step that leads nowhere is an error; recorded, it is an event"


def _render(live: _Live) -> str:
    live.file("f", "a", "b")
    wanted = f"{live.name('a')}\n{live.name('b')}\n"
    _same("render", live.text("f"), wanted)
    pieces = collections.render_pieces(live.connection, key=live.name("f"))
    _same("render piece by piece", "".join(piece.body for piece in pieces), wanted)
    units.edit(live.connection, address=live.name("b"), expected_version=1, body="edited\n", reason=_REASON)
    wanted = f"{live.name('a')}\nedited\n"
    recorded = collections.record_render(live.connection, key=live.name("f"), reason=_REASON)
    _same("recorded render", recorded.body, wanted)
    _same("its sha256", recorded.sha256, hashlib.sha256(wanted.encode()).hexdigest())
    _same("its events", live.emitted(recorded.change_id), ["collection.rendered"])
    return "the bodies in order and nothing between; a floating member follows its head; recorded, it is an event"


def _axes(live: _Live) -> str:
    live.file("f", "a", "b")
    axis = live.root
    axes.register(live.connection, axis=axis, title=axis, rule="union", reason=_REASON)
    for last, values in (("a", ["x"]), ("b", ["y", "x"])):
        axes.set_values(live.connection, address=live.name(last), axis=axis, values=values, reason=_REASON)
    axes.refresh(live.connection, key=live.name("f"), reason=_REASON)
    found = axes.of_collection(live.connection, key=live.name("f"))
    _same("values of the collection", sorted(held.value for held in found if held.axis == axis), ["x", "y"])
    _same("events of the values", [live.told("unit.axes_set", last) for last in "ab"], [1, 1])
    _same("events of the refresh", live.told("collection.axes_refreshed", "f"), 1)
    return "a collection derives its values from those of its pieces; each step with its event"


def _retire(live: _Live) -> str:
    live.file("f", "a", "b")
    before = live.text("f")
    live.refused(
        "IU211",
        by=lambda: units.retire(live.connection, address=live.name("a"), refuse_if_used=True, reason=_REASON),
    )
    retired = units.retire(live.connection, address=live.name("a"), reason=_REASON)
    _same("places", retired.places, 1)
    _same("events", live.emitted(retired.change_id), ["unit.retired"])
    _same("render where it stands", live.text("f"), before)
    found = collections.validate(live.connection, key=live.name("f"))
    _same("findings where it stands", [(one.severity, one.code) for one in found], [("warning", "retired")])
    live.refused(
        "IU208", by=lambda: collections.add(live.connection, key=live.name("f"), member=live.name("a"), reason=_REASON)
    )
    return "it stays where it stands and is flagged there, no new use is let in, and it can be blocked while in use"


def _soft_delete(live: _Live) -> str:
    made = live.file("f", "a", "b")
    deleted = units.soft_delete(live.connection, address=live.name("a"), reason=_REASON)
    _same("places", deleted.places, 1)
    _same("events", live.emitted(deleted.change_id), ["unit.soft_deleted"])
    _same("render", live.text("f"), f"{live.name('b')}\n")
    _same("members", live.order("f"), ["b"])
    _same("lifecycle", units.show(live.connection, address=live.name("a")).lifecycle, "soft_deleted")
    past = collections.render(live.connection, key=live.name("f"), as_of_change=made.change_id)
    _same("render as of before", past, f"{live.name('a')}\n{live.name('b')}\n")
    for by in (
        lambda: collections.add(live.connection, key=live.name("f"), member=live.name("a"), reason=_REASON),
        lambda: units.soft_delete(live.connection, address=live.name("a"), reason=_REASON),
        lambda: units.clone(live.connection, source=live.name("a"), address=live.name("z"), reason=_REASON),
    ):
        live.refused("IU209", by=by)
    return "it is in no render and no list of members, can be neither used nor changed, and the past still shows it"


def _restore(live: _Live) -> str:
    live.file("f", "a", "b", "c", "d")
    collections.pin(live.connection, key=live.name("f"), member=live.name("b"), version=1, reason=_REASON)
    before = [member for member in collections.members(live.connection, key=live.name("f")) if member.pinned]
    units.soft_delete(live.connection, address=live.name("b"), reason=_REASON)
    collections.remove(live.connection, key=live.name("f"), member=live.name("c"), reason=_REASON)
    live.piece("e")
    collections.add(live.connection, key=live.name("f"), member=live.name("e"), at="first", reason=_REASON)
    restored = units.restore(live.connection, address=live.name("b"), reason=_REASON)
    _same("events", live.emitted(restored.change_id), ["unit.restored"])
    _same("order", live.order("f"), ["e", "a", "b", "d"])
    after = [member for member in collections.members(live.connection, key=live.name("f")) if member.pinned]
    _same("its membership", [(one.member_id, one.rank) for one in after], [(one.member_id, one.rank) for one in before])
    live.refused("IU210", by=lambda: units.restore(live.connection, address=live.name("b"), reason=_REASON))
    return "each membership is back at its place with its pin, though the collection changed meanwhile"


def _dispose_collection(live: _Live) -> str:
    live.file("f", "a")
    before = live.text("f")
    deleted = collections.soft_delete(live.connection, key=live.name("f"), reason=_REASON)
    _same("events", live.emitted(deleted.change_id), ["collection.soft_deleted"])
    live.refused(
        "IU212",
        by=lambda: collections.remove(live.connection, key=live.name("f"), member=live.name("a"), reason=_REASON),
    )
    _same("lifecycle of its piece", units.show(live.connection, address=live.name("a")).lifecycle, "active")
    restored = collections.restore(live.connection, key=live.name("f"), reason=_REASON)
    _same("events of the restore", live.emitted(restored.change_id), ["collection.restored"])
    _same("render", live.text("f"), before)
    return "a collection goes and comes back as it was, its pieces stay"


def _round_trip(live: _Live) -> str:
    units.create_many(
        live.connection,
        pieces=[
            {"address": live.name(str(number)), "kind": "text", "title": str(number), "body": body}
            for number, body in enumerate(live.bodies)
        ],
        reason=_REASON,
    )
    collections.create(
        live.connection,
        key=live.name("f"),
        kind="file",
        title="f",
        members=[{"piece": live.name(str(number))} for number in range(len(live.bodies))],
        reason=_REASON,
    )
    went, came = "".join(live.bodies).encode(), live.text("f").encode()
    _same("bytes", came, went)
    shown = [units.show(live.connection, address=live.name(str(number))).body for number in range(len(live.bodies))]
    _same("bodies", shown, list(live.bodies))
    return f"{len(went)} bytes in {len(live.bodies)} bodies went in and came out the same"


def _events(live: _Live) -> str:
    made = live.file("f", "a", "b")
    with live.undone():
        undone = collections.remove(live.connection, key=live.name("f"), member=live.name("a"), reason=_REASON)
        _same("events before the undoing", live.emitted(undone.change_id), ["collection.piece_removed"])
    _same("events after the undoing", live.emitted(undone.change_id), [])
    live.refused(
        "IU004", by=lambda: collections.remove(live.connection, key=live.name("f"), member="@0", reason=_REASON)
    )
    found = events.list_events(live.connection, subject=live.name("f"), after=live.after)
    _same("changes that told of it", {event.change_id for event in found}, {made.change_id})
    return "an event is there with its change, before any commit, and goes with it; a refused call leaves none"


def _lane_keeps(live: _Live) -> str:
    live.file("f", "a", "b")
    for last in "baba":
        collections.reorder(live.connection, key=live.name("f"), member=live.name(last), at="first", reason=_REASON)
    found = events.list_events(
        live.connection, event_type="collection.piece_reordered", subject=live.name("f"), after=live.after
    )
    _same("events of four moves", len(found), 4)
    _same("their lane", {event.delivery_lane for event in found}, {"delayed"})
    _same("findings of the registry", [(one.code, one.subject) for one in events.check(live.connection)], [])
    return "four moves in one collection are four events, on the lane that keeps all"


def _lane_refuses(live: _Live) -> str:
    name = f"{live.root.replace('-', '_')}.told"
    refused = live.refused(
        "IU035",
        by=lambda: events.register_type(
            live.connection, event_type=name, title="Proof", lane="immediate", delta=True, reason=_REASON
        ),
    )
    kept = events.register_type(
        live.connection, event_type=name, title="Proof", lane="delayed", delta=True, reason=_REASON
    )
    _same("lane", kept.delivery_lane, "delayed")
    return f"a type of deltas is refused on immediate: {refused.message} (IU035)"


def _commands(live: _Live, *, resolve: Callable[..., _call.Call]) -> str:
    names, reason = {last: live.name(last) for last in ("a", "b", "f", "w")}, _REASON
    a, b, f = names["a"], names["b"], names["f"]
    steps: list[tuple[str, dict[str, Any]]] = [
        ("create_piece", {"address": a, "kind": "text", "title": "A", "body": live.bodies[4], "reason": reason}),
        ("edit_piece", {"address": a, "expected_version": 1, "body": live.bodies[0], "reason": reason}),
        ("clone_piece", {"source": a, "address": b, "version": 1, "reason": reason}),
        ("create_file", {"key": f, "title": "F", "members": [{"piece": a}], "reason": reason}),
        ("create_workflow", {"key": names["w"], "title": "W", "reason": reason}),
        ("add_piece", {"key": f, "member": b, "reason": reason}),
        ("reorder_piece", {"key": f, "member": b, "at": "first", "reason": reason}),
        ("pin_piece", {"key": f, "member": a, "version": 1, "reason": reason}),
        ("validate", {"key": f, "reason": reason}),
        ("refresh_axes", {"key": f, "reason": reason}),
        ("render", {"key": f, "reason": reason}),
        ("show_collection", {"key": f}),
        ("where_used", {"address": a}),
        ("retire_piece", {"address": b, "reason": reason}),
        ("soft_delete_piece", {"address": a, "reason": reason}),
        ("restore_piece", {"address": a, "reason": reason}),
        ("remove_piece", {"key": f, "member": b, "reason": reason}),
    ]
    rows: dict[str, list[Any]] = {}
    for step, parameters in steps:
        rows[step] = list(_call.execute(live.connection, resolve(f"dot_iu_{step}", **parameters)).all())
    _same("render", rows["render"][0].body, live.bodies[4] * 2)
    _same("members shown", [row.address for row in rows["show_collection"]], [b, a])
    _same("where used", [row.key for row in rows["where_used"]], [f])
    _same("members in the end", live.order("f"), ["a"])
    return f"each of the {len(steps)} operator commands resolves and does its work"


def _gate_closed(live: _Live) -> str:
    live.file("f", "a", "b")
    # From here to the end of the proof every other writer waits.
    gates.set_gate(live.connection, gate="composer", open=False, reason=_REASON)
    refused = live.refused(
        "IU101",
        by=lambda: collections.remove(live.connection, key=live.name("f"), member=live.name("a"), reason=_REASON),
    )
    if _REASON not in refused.detail or not refused.hint:
        _differs("what the refusal says", refused.detail, "who closed it and why")
    live.piece("c")
    gates.set_gate(live.connection, gate="master", open=False, reason=_REASON)
    live.refused("IU100", by=lambda: live.piece("d"))
    for gate in ("master", "composer"):
        gates.set_gate(live.connection, gate=gate, open=True, reason=_REASON)
    collections.remove(live.connection, key=live.name("f"), member=live.name("a"), reason=_REASON)
    return (
        "closed, composer refuses composers (IU101) and says why, master refuses every write (IU100); open, they pass"
    )


def _nothing_left(live: _Live) -> str:
    prefix = f"{live.root}/"
    left = {
        "pieces": [one.address for one in units.list_pieces(live.connection, prefix=prefix)],
        "collections": [one.key for one in collections.list_collections(live.connection, prefix=prefix)],
        "events": live.connection.exec_driver_sql(
            "select e.subject from iucore.v_event as e where e.event_id > %s and starts_with(e.subject, %s)",
            (str(live.after), live.root),
        )
        .scalars()
        .all(),
    }
    for what, names in left.items():
        _same(what, list(names), [])
    return "everything was rolled back"


_CASES = (
    _Case("create", (_AUTHOR,), _create),
    _Case("add", (_AUTHOR,), _add),
    _Case("reorder", (_AUTHOR,), _reorder),
    _Case("remove", (_AUTHOR,), _remove),
    _Case("validate", (_AUTHOR,), _validate),
    _Case("render", (_AUTHOR,), _render),
    _Case("axes", (_OPERATOR,), _axes),
    _Case("retire", (_OPERATOR,), _retire),
    _Case("soft-delete", (_OPERATOR,), _soft_delete),
    _Case("restore", (_OPERATOR,), _restore),
    _Case("collection soft-delete", (_OPERATOR,), _dispose_collection),
    _Case("round trip", (_AUTHOR,), _round_trip),
    _Case("events", (_AUTHOR,), _events),
    _Case("lane keeps", (_AUTHOR,), _lane_keeps),
    _Case("lane refuses", (_GATEKEEPER,), _lane_refuses),
)
# Last: it makes all other writers wait.
_GATES = _Case("gate closed", (_AUTHOR, _GATEKEEPER), _gate_closed)
_LAST = _Case("nothing left", ("iucore_reader",), _nothing_left)

"""The operator commands: one name for each thing that an operator does, and the governed call that it becomes.

The catalogue is data; ``resolve`` looks a command up, checks what it is given, and gives back one governed statement.
The check of a value is the library's own: the function of the concept module that a command names says what it would
send, and nothing is sent.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any, Literal

from iucore import _call, axes, collections, units
from iucore.errors import InvalidError, NotFoundError

PREFIX = "dot_iu_"

Type = Literal["line", "text", "integer", "boolean", "json", "moment"]
"""What a value is: a line and a text are ``str`` (a text may come from a file), a moment is an aware datetime."""

_PYTHON: dict[Type, tuple[Any, str]] = {
    "line": (str, "text"),
    "text": (str, "text"),
    "integer": (int, "a whole number that a bigint holds"),
    "boolean": (bool, "true or false"),
    "json": (dict | list | tuple, "a JSON object or array"),
    "moment": (datetime, "a moment with a time zone"),
}
# Whose renders a command can change.
Affects = Literal["piece", "collection", "nothing"]
_MODULES = {"units": units, "collections": collections, "axes": axes}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a command; ``default`` is what the function takes without it, None where that is nothing."""

    name: str
    type: Type
    help: str
    required: bool = True
    default: str | None = None

    @property
    def argument(self) -> str:
        """The argument of the governed function."""
        return f"p_{self.name}"


@dataclass(frozen=True, slots=True)
class Command:
    """One operator command.

    Attributes:
        name: what is typed.
        purpose: what it does, in one line.
        function: the governed function that it calls.
        verb: the function of a concept module that calls it, which checks the values.
        parameters: in the order of the function's arguments.
        fixed: arguments that the command itself gives.
        writes: whether it writes.
        destructive: whether something is gone from a render or from use afterwards, so that a person must confirm it.
        role: what a login needs to run it.
        events: the types of the events that it emits.
        affects: whose renders it can change: those in which a piece stands, or that of a collection and what is above.
        examples: two command lines.
    """

    name: str
    purpose: str
    function: str
    verb: str
    parameters: tuple[Parameter, ...]
    writes: bool
    destructive: bool
    role: str
    events: tuple[str, ...]
    affects: Affects
    examples: tuple[str, str]
    fixed: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GovernedSQL:
    """One ready-to-run governed call: what was asked for, and the statement that it is.

    Attributes:
        command: of the catalogue.
        parameters: as given, by name.
        call: the governed function and its arguments.
        digest: sha256 over the name of the command and its parameters, in hex: the same for the same order.
    """

    command: Command
    parameters: Mapping[str, Any]
    call: _call.Call
    digest: str

    @property
    def script(self) -> str:
        r"""One pasteable text for psql, or for any other client: a header, and one statement in a transaction.

        The header is ASCII. The encoding is set for the transaction only, so that what comes after it is read as UTF-8
        whatever the client's own is. It may stand in ``psql -1``, which then warns that a transaction has begun.

        >>> print(resolve("where_used", address="policies/leave").script)
        -- dot_iu_where_used: List every collection in which a piece stands.
        --   address: "policies/leave"
        -- digest: sha256 6c1b7891bd543e18b387609ead9847f7302ee99b7b2183227fb06907f76a80dd
        begin;
        set local client_encoding = 'UTF8';
        select * from iucore.fn_iu_where_used(p_address => 'policies/leave');
        commit;
        <BLANKLINE>
        """
        lines = [
            f"-- {self.command.name}: {self.command.purpose}",
            *(f"--   {name}: {_remark(value)}" for name, value in self.parameters.items()),
            f"-- digest: sha256 {self.digest}",
            "begin;",
            "set local client_encoding = 'UTF8';",
            self.call.script(),
            "commit;",
        ]
        return "".join(f"{line}\n" for line in lines)


_KEY = Parameter("key", "line", "Of the collection.")
_REASON = Parameter("reason", "line", "Why, in one line.")
_MEMBERS = Parameter(
    "members",
    "json",
    'In order: [{"piece": address}, {"piece": address, "version": 1}, {"collection": key}]; in a workflow also "label" '
    'and "transitions".',
    required=False,
    default="[]",
)
_CALLER = (
    Parameter("actor", "line", "Who claims to do this; stored beside the login role.", required=False),
    Parameter(
        "request_key",
        "line",
        "Give the same one when you retry: the first result is returned and nothing is written.",
        required=False,
    ),
)
_AUTHOR, _OPERATOR, _READER = "iucore_author", "iucore_operator", "iucore_reader"

CATALOGUE: tuple[Command, ...] = (
    Command(
        name="dot_iu_create_piece",
        purpose="Give birth to a piece, with its first text.",
        function="fn_iu_create",
        verb="units.create",
        parameters=(
            Parameter("address", "line", "Its name for good: segments joined by /, such as policies/leave."),
            Parameter("kind", "line", "A registered kind, such as text or policy."),
            Parameter("title", "line", "1 to 300 characters in one line."),
            Parameter("body", "text", "The text, exactly as it will render."),
            _REASON,
            Parameter("attributes", "json", "A JSON object.", required=False, default="{}"),
            *_CALLER,
        ),
        writes=True,
        destructive=False,
        role=_AUTHOR,
        events=("unit.created",),
        affects="nothing",
        examples=(
            "iucore cmd run dot_iu_create_piece -p address=policies/leave -p kind=policy -p title=Leave "
            "-p body=@leave.md -m 'first text' --apply",
            "iucore cmd run dot_iu_create_piece -p address=policies/pay -p kind=policy -p title=Pay "
            "-p body='Paid monthly.' -p attributes='{\"owner\": \"hr\"}' -m 'first text' --apply",
        ),
    ),
    Command(
        name="dot_iu_edit_piece",
        purpose="Write a new version of a piece; what is not given stays as it was.",
        function="fn_iu_edit",
        verb="units.edit",
        parameters=(
            Parameter("address", "line", "Of the piece."),
            Parameter("expected_version", "integer", "The version that you saw; another one is a conflict."),
            _REASON,
            Parameter("body", "text", "The new text.", required=False),
            Parameter("title", "line", "The new title.", required=False),
            Parameter("attributes", "json", "The new attributes, a JSON object.", required=False),
            *_CALLER,
        ),
        writes=True,
        destructive=False,
        role=_AUTHOR,
        events=("unit.edited",),
        affects="piece",
        examples=(
            "iucore cmd run dot_iu_edit_piece -p address=policies/leave -p expected_version=1 -p body=@leave.md "
            "-m shorter",
            "iucore cmd run dot_iu_edit_piece -p address=policies/leave -p expected_version=1 -p title=Holidays "
            "-m renamed --apply",
        ),
    ),
    Command(
        name="dot_iu_clone_piece",
        purpose="Make a new piece with the text of another.",
        function="fn_iu_clone",
        verb="units.clone",
        parameters=(
            Parameter("source", "line", "Address of the piece to clone."),
            Parameter("address", "line", "Of the new piece."),
            _REASON,
            Parameter("version", "integer", "Of the source; else its head.", required=False),
            Parameter("title", "line", "Of the new piece; else the source's.", required=False),
            *_CALLER,
        ),
        writes=True,
        destructive=False,
        role=_AUTHOR,
        events=("unit.cloned",),
        affects="nothing",
        examples=(
            "iucore cmd run dot_iu_clone_piece -p source=policies/leave -p address=policies/leave-de "
            "-m 'to translate' --apply",
            "iucore cmd run dot_iu_clone_piece -p source=policies/leave -p version=1 -p address=archive/leave "
            "-p title='Leave (2025)' -m archive --apply",
        ),
    ),
    Command(
        name="dot_iu_create_file",
        purpose="Make a file: a collection that renders its pieces one after the other.",
        function="fn_iu_collection_create",
        verb="collections.create",
        fixed={"kind": "file"},
        parameters=(
            Parameter("key", "line", "Its name for good, such as handbook.md."),
            Parameter("title", "line", "1 to 300 characters in one line."),
            _REASON,
            _MEMBERS,
            *_CALLER,
        ),
        writes=True,
        destructive=False,
        role=_AUTHOR,
        events=("collection.created", "collection.piece_added"),
        affects="collection",
        examples=(
            "iucore cmd run dot_iu_create_file -p key=handbook.md -p title=Handbook "
            '-p members=\'[{"piece": "policies/leave"}]\' -m "first edition" --apply',
            "iucore cmd run dot_iu_create_file -p key=annex.md -p title=Annex -m 'to be filled' --apply",
        ),
    ),
    Command(
        name="dot_iu_create_workflow",
        purpose="Make a workflow: a collection whose members are steps that lead to one another.",
        function="fn_iu_collection_create",
        verb="collections.create",
        fixed={"kind": "workflow"},
        parameters=(
            Parameter("key", "line", "Its name for good, such as onboarding."),
            Parameter("title", "line", "1 to 300 characters in one line."),
            _REASON,
            _MEMBERS,
            *_CALLER,
        ),
        writes=True,
        destructive=False,
        role=_AUTHOR,
        events=("collection.created", "collection.piece_added"),
        affects="collection",
        examples=(
            "iucore cmd run dot_iu_create_workflow -p key=onboarding -p title=Onboarding "
            '-p members=\'[{"piece": "policies/leave", "label": "read"}]\' -m new --apply',
            "iucore cmd run dot_iu_create_workflow -p key=offboarding -p title=Offboarding -p members=@steps.json "
            "-m new --apply",
        ),
    ),
    Command(
        name="dot_iu_add_piece",
        purpose="Put a piece at a place of a collection.",
        function="fn_iu_collection_add",
        verb="collections.add",
        fixed={"member_kind": "piece"},
        parameters=(
            _KEY,
            Parameter("member", "line", "Address of the piece."),
            _REASON,
            Parameter(
                "at", "line", "first, last, before or after; the latter two need an anchor.", False, default="last"
            ),
            Parameter("anchor", "line", "A member that stands there now: its address, or @ and its number.", False),
            Parameter("version", "integer", "To pin it to this version; else it shows the head.", required=False),
            Parameter("label", "line", "Of a workflow's step.", required=False),
            Parameter(
                "transitions",
                "json",
                'Of a workflow\'s step: [{"on": outcome, "to": label}]; to may also be next or end.',
                required=False,
            ),
            *_CALLER,
        ),
        writes=True,
        destructive=False,
        role=_AUTHOR,
        events=("collection.piece_added",),
        affects="collection",
        examples=(
            "iucore cmd run dot_iu_add_piece -p key=handbook.md -p member=policies/pay -m 'asked for' --apply",
            "iucore cmd run dot_iu_add_piece -p key=handbook.md -p member=archive/leave -p at=before "
            "-p anchor=policies/pay -p version=1 -m history --apply",
        ),
    ),
    Command(
        name="dot_iu_remove_piece",
        purpose="Take a member out of a collection; the piece lives on everywhere else.",
        function="fn_iu_collection_remove",
        verb="collections.remove",
        parameters=(
            _KEY,
            Parameter("member", "line", "Its address, or @ and its number."),
            _REASON,
            *_CALLER,
        ),
        writes=True,
        destructive=True,
        role=_AUTHOR,
        events=("collection.piece_removed",),
        affects="collection",
        examples=(
            "iucore cmd run dot_iu_remove_piece -p key=handbook.md -p member=archive/leave -m obsolete",
            "iucore cmd run dot_iu_remove_piece -p key=handbook.md -p member=archive/leave -m obsolete --apply --yes",
        ),
    ),
    Command(
        name="dot_iu_reorder_piece",
        purpose="Move a member to another place of its collection.",
        function="fn_iu_collection_reorder",
        verb="collections.reorder",
        parameters=(
            _KEY,
            Parameter("member", "line", "Its address, or @ and its number."),
            _REASON,
            Parameter("at", "line", "first, last, before or after; the latter two need an anchor."),
            Parameter("anchor", "line", "A member that stands there now: its address, or @ and its number.", False),
            *_CALLER,
        ),
        writes=True,
        destructive=False,
        role=_AUTHOR,
        events=("collection.piece_reordered",),
        affects="collection",
        examples=(
            "iucore cmd run dot_iu_reorder_piece -p key=handbook.md -p member=policies/pay -p at=first "
            "-m 'money first' --apply",
            "iucore cmd run dot_iu_reorder_piece -p key=handbook.md -p member=policies/pay -p at=after "
            "-p anchor=policies/leave -m back --apply",
        ),
    ),
    Command(
        name="dot_iu_pin_piece",
        purpose="Let a member show one version of its piece, whatever the head becomes.",
        function="fn_iu_collection_pin",
        verb="collections.pin",
        parameters=(
            _KEY,
            Parameter("member", "line", "Its address, or @ and its number."),
            _REASON,
            Parameter("version", "integer", "Of the piece; else the head of now.", required=False),
            *_CALLER,
        ),
        writes=True,
        destructive=False,
        role=_AUTHOR,
        events=("collection.piece_pinned",),
        affects="collection",
        examples=(
            "iucore cmd run dot_iu_pin_piece -p key=handbook.md -p member=policies/leave -m 'as signed' --apply",
            "iucore cmd run dot_iu_pin_piece -p key=handbook.md -p member=policies/leave -p version=1 "
            "-m 'as signed' --apply",
        ),
    ),
    Command(
        name="dot_iu_validate",
        purpose="Look for what is wrong in a collection, and record that it was looked for.",
        function="fn_iu_record_validation",
        verb="collections.record_validation",
        parameters=(_KEY, _REASON, *_CALLER),
        writes=True,
        destructive=False,
        role=_AUTHOR,
        events=("collection.validated",),
        affects="nothing",
        examples=(
            "iucore cmd run dot_iu_validate -p key=handbook.md -m 'before the release'",
            "iucore cmd run dot_iu_validate -p key=onboarding -m weekly --apply --format json",
        ),
    ),
    Command(
        name="dot_iu_render",
        purpose="Render a collection, and record the sha256 of its text.",
        function="fn_iu_record_render",
        verb="collections.record_render",
        parameters=(_KEY, _REASON, *_CALLER),
        writes=True,
        destructive=False,
        role=_AUTHOR,
        events=("collection.rendered",),
        affects="nothing",
        examples=(
            "iucore cmd run dot_iu_render -p key=handbook.md -m 'sent to print' --apply",
            "iucore cmd run dot_iu_render -p key=handbook.md -p request_key=print-7 -m 'sent to print' --apply "
            "--format json",
        ),
    ),
    Command(
        name="dot_iu_refresh_axes",
        purpose="Derive the axes of a collection from those of its pieces.",
        function="fn_iu_axis_refresh",
        verb="axes.refresh",
        parameters=(_KEY, _REASON, *_CALLER),
        writes=True,
        destructive=False,
        role=_AUTHOR,
        events=("collection.axes_refreshed",),
        affects="nothing",
        examples=(
            "iucore cmd run dot_iu_refresh_axes -p key=handbook.md -m weekly",
            "iucore cmd run dot_iu_refresh_axes -p key=handbook.md -p actor=ann -m weekly --apply",
        ),
    ),
    Command(
        name="dot_iu_retire_piece",
        purpose="Allow no new use of a piece; where it stands it stays, and is flagged.",
        function="fn_iu_retire",
        verb="units.retire",
        parameters=(
            Parameter("address", "line", "Of the piece."),
            _REASON,
            Parameter(
                "refuse_if_used", "boolean", "Refuse while it stands in a collection.", required=False, default="false"
            ),
            Parameter("expected_version", "integer", "The version that you saw; else the head.", required=False),
            *_CALLER,
        ),
        writes=True,
        destructive=True,
        role=_OPERATOR,
        events=("unit.retired",),
        affects="piece",
        examples=(
            "iucore cmd run dot_iu_retire_piece -p address=archive/leave -p refuse_if_used=true -m obsolete",
            "iucore cmd run dot_iu_retire_piece -p address=archive/leave -m 'no longer in force' --apply --yes",
        ),
    ),
    Command(
        name="dot_iu_soft_delete_piece",
        purpose="Take a piece out of every render, until it is restored.",
        function="fn_iu_soft_delete",
        verb="units.soft_delete",
        parameters=(Parameter("address", "line", "Of the piece."), _REASON, *_CALLER),
        writes=True,
        destructive=True,
        role=_OPERATOR,
        events=("unit.soft_deleted",),
        affects="piece",
        examples=(
            "iucore cmd run dot_iu_soft_delete_piece -p address=policies/pay -m 'under review'",
            "iucore cmd run dot_iu_soft_delete_piece -p address=policies/pay -m 'under review' --apply --yes",
        ),
    ),
    Command(
        name="dot_iu_restore_piece",
        purpose="Bring a soft-deleted piece back to where it stood.",
        function="fn_iu_restore",
        verb="units.restore",
        parameters=(Parameter("address", "line", "Of the piece."), _REASON, *_CALLER),
        writes=True,
        destructive=False,
        role=_OPERATOR,
        events=("unit.restored",),
        affects="piece",
        examples=(
            "iucore cmd run dot_iu_restore_piece -p address=policies/pay -m reviewed",
            "iucore cmd run dot_iu_restore_piece -p address=policies/pay -m reviewed --apply",
        ),
    ),
    Command(
        name="dot_iu_where_used",
        purpose="List every collection in which a piece stands.",
        function="fn_iu_where_used",
        verb="units.where_used",
        parameters=(Parameter("address", "line", "Of the piece."),),
        writes=False,
        destructive=False,
        role=_READER,
        events=(),
        affects="nothing",
        examples=(
            "iucore cmd run dot_iu_where_used -p address=policies/leave",
            "iucore cmd run dot_iu_where_used -p address=policies/leave --format json",
        ),
    ),
    Command(
        name="dot_iu_show_collection",
        purpose="List the members of a collection in order.",
        function="fn_iu_collection_members",
        verb="collections.members",
        parameters=(
            _KEY,
            Parameter("as_of_change", "integer", "As it was after this change.", required=False),
            Parameter("as_of", "moment", "As it was at this moment, such as 2026-01-31T12:00:00Z.", required=False),
        ),
        writes=False,
        destructive=False,
        role=_READER,
        events=(),
        affects="nothing",
        examples=(
            "iucore cmd run dot_iu_show_collection -p key=handbook.md",
            "iucore cmd run dot_iu_show_collection -p key=handbook.md -p as_of_change=10",
        ),
    ),
)
"""The commands, in the order in which somebody needs them."""

_BY_NAME = {command.name: command for command in CATALOGUE}


def find(name: str) -> Command:
    """The command of a name; ``dot-iu-render``, ``render`` and capitals are read as ``dot_iu_render``.

    Raises:
        NotFoundError: IU043, with the nearest names.

    >>> find("Dot-Iu-Add-Piece").name, find("render").name
    ('dot_iu_add_piece', 'dot_iu_render')
    >>> find("creat_peice")
    Traceback (most recent call last):
    ...
    iucore.errors.NotFoundError: command not found (IU043): creat_peice; nearest: dot_iu_create_piece, ...
    """
    plain = name.lower().replace("-", "_").removeprefix(PREFIX)
    if found := _BY_NAME.get(PREFIX + plain):
        return found
    nearest = get_close_matches(plain, [known.removeprefix(PREFIX) for known in _BY_NAME], cutoff=0.5)
    raise NotFoundError(
        "command not found",
        sqlstate="IU043",
        detail=name[:80] + (f"; nearest: {', '.join(PREFIX + each for each in nearest)}" if nearest else ""),
        hint="See what there is: iucore cmd list",
    )


def resolve(name: str, /, **parameters: Any) -> GovernedSQL:
    """The governed statement of a command. Needs no database and sends nothing.

    A parameter that is None is not given. Of a value only what the library checks is checked here: whether an address
    exists is for the database to say.

    Raises:
        NotFoundError: IU043.
        InvalidError: IU036 for a parameter that is unknown, missing or of another type; IU012, IU013, IU014, IU015,
            IU018, IU019, IU022, IU032 as the function of the library that is called.

    >>> governed = resolve("dot_iu_pin_piece", key="handbook.md", member="policies/leave", reason="as signed")
    >>> governed.call.function
    'fn_iu_collection_pin'
    >>> resolve("dot_iu_pin_piece", key="handbook.md", membre="policies/leave", version="1", reason="as signed")
    Traceback (most recent call last):
    ...
    iucore.errors.InvalidError: parameters invalid (IU036): membre: unknown, nearest: member; member: missing; ...
    """
    command = find(name)
    given = {key: value for key, value in parameters.items() if value is not None}
    if faults := _faults(command, given):
        raise _invalid(command, "; ".join(faults))
    module, _, verb = command.verb.partition(".")
    recorder = _call.Recorder()
    try:
        getattr(_MODULES[module], verb)(recorder, **command.fixed, **given)
    except _call.Recorded:
        pass
    except TypeError as error:
        raise _invalid(command, str(error)) from None
    (call,) = recorder.calls
    ordered = {each.name: given[each.name] for each in command.parameters if each.name in given}
    return GovernedSQL(command, ordered, call, _digest(command.name, ordered))


def nearest_parameter(command: Command, name: str) -> str:
    """What to say about a parameter that a command does not have."""
    near = get_close_matches(name.lower(), [each.name for each in command.parameters], n=1, cutoff=0.5)
    return f"{name}: unknown" + (f", nearest: {near[0]}" if near else "")


def _faults(command: Command, given: Mapping[str, Any]) -> list[str]:
    known = {each.name: each for each in command.parameters}
    unknown = [nearest_parameter(command, name) for name in given if name not in known]
    missing = [f"{each.name}: missing" for each in command.parameters if each.required and each.name not in given]
    wrong = [
        f"{name}: must be {_PYTHON[known[name].type][1]}, not {type(value).__name__}"
        for name, value in given.items()
        if name in known and not _fits(known[name].type, value)
    ]
    return unknown + missing + wrong


def _fits(kind: Type, value: Any) -> bool:
    if kind == "integer":
        return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63
    return isinstance(value, _PYTHON[kind][0])


def _invalid(command: Command, detail: str) -> InvalidError:
    names = ", ".join(each.name if each.required else f"[{each.name}]" for each in command.parameters)
    return InvalidError(
        "parameters invalid",
        sqlstate="IU036",
        detail=detail,
        hint=f"The parameters of {command.name} are: {names}. See iucore cmd show {command.name}",
    )


def _plain(value: Any) -> Any:
    """A value as JSON knows it; a moment in UTC, so that two ways to write it are one."""
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value


def _digest(name: str, given: Mapping[str, Any]) -> str:
    # Through JSON twice: keys that are no text have become text before they are sorted.
    plain = json.loads(json.dumps([name, {key: _plain(value) for key, value in given.items()}]))
    return hashlib.sha256(json.dumps(plain, sort_keys=True, separators=(",", ":")).encode("ascii")).hexdigest()


_SHOWN = 60


def _remark(value: Any) -> str:
    """A value inside a comment: ASCII in one line, and a long one by its beginning, length and sha256."""
    whole = value if isinstance(value, str) else json.dumps(_plain(value), ensure_ascii=False)
    if len(whole) <= _SHOWN:
        return json.dumps(value if isinstance(value, str) else _plain(value))
    data = whole.encode()
    return f"{json.dumps(whole[:40])}... ({len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()})"

"""A plan as a file, and what it says done to the database, all or nothing."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any

from iucore import _call, _check, collections
from iucore._call import Call
from iucore.errors import ConflictError, InvalidError
from iucore.textcode.export import refresh
from iucore.textcode.plan import Base, Plan, PlannedFile, PlannedPiece, Result, digest_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

FORMAT = "iucore-plan"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Applied:
    """What an apply did: how many governed calls, and in how many documents something changed."""

    calls: int
    born: int
    edited: int
    documents: int


def dump(plan: Plan, **more: Any) -> str:
    """A plan as JSON, with a digest of itself; ``more`` is kept beside it."""
    fields = {name: value for name, value in _plain(plan).items() if name != "marked"}
    content = {"format": FORMAT, "version": VERSION, **more, **fields}
    return json.dumps({**content, "digest": _digest(content)}, ensure_ascii=False, indent=1) + "\n"


def load(text: str) -> tuple[Plan, dict[str, Any]]:
    """A plan out of JSON, and what was kept beside it.

    Raises:
        InvalidError: IU051, it is not a plan, of another version, or not as it was written.

    >>> empty = Plan("", (), (), 0, (), Base((), (), ""), (), ())
    >>> load(dump(empty, directory="docs")) == (empty, {"directory": "docs"})
    True
    >>> load("{}")
    Traceback (most recent call last):
    ...
    iucore.errors.InvalidError: the file is not a plan, or was altered (IU051): its format is not 'iucore-plan'
    """
    try:
        content = json.loads(text)
        if not isinstance(content, dict):
            raise ValueError("it is not an object")
        digest = content.pop("digest", None)
        if content.get("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT!r}")
        if content.get("version") != VERSION:
            raise ValueError(f"its version is {content.get('version')!r}, and this iucore reads version {VERSION}")
        if digest != _digest(content):
            raise ValueError("its digest is another")
        names = {field.name for field in dataclasses.fields(Plan)} - {"marked"}
        more = {name: value for name, value in content.items() if name not in {*names, "format", "version"}}
        fields = {name: content[name] for name in names}
        plan = Plan(
            **{
                **fields,
                "files": tuple(PlannedFile(**each) for each in fields["files"]),
                "pieces": tuple(
                    PlannedPiece(**{**each, "elsewhere": tuple(each["elsewhere"])}) for each in fields["pieces"]
                ),
                "calls": tuple(Call(each["function"], each["arguments"]) for each in fields["calls"]),
                "base": Base(
                    tuple(fields["base"]["keys"]), tuple(fields["base"]["addresses"]), fields["base"]["sha256"]
                ),
                "results": tuple(Result(**each) for each in fields["results"]),
                "touched": tuple(fields["touched"]),
            }
        )
        _check_types(plan)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InvalidError(
            "the file is not a plan, or was altered",
            sqlstate="IU051",
            detail=str(error),
            hint="Make it again: iucore plan DIR -o PLAN",
        ) from None
    return plan, more


_TYPES = {"str": (str,), "int": (int,), "bool": (bool,), "str | None": (str, NoneType), "int | None": (int, NoneType)}


def _check_types(value: Any) -> None:
    """That fields hold what their types say, as far as JSON may have given something else."""
    for field in dataclasses.fields(value):
        held = getattr(value, field.name)
        if type(held) not in _TYPES.get(str(field.type), (type(held),)):
            raise ValueError(f"{field.name} is {held!r:.80}")
        for item in held if isinstance(held, tuple) else (held,):
            if dataclasses.is_dataclass(item):
                _check_types(item)
            elif isinstance(held, tuple) and not isinstance(item, str):
                raise ValueError(f"{field.name} holds {item!r:.80}")


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


# What a plan may ask for: a plan is a file, and files come from anywhere.
_ALLOWED = {
    "fn_iu_create_many": {"p_pieces"},
    "fn_iu_clone": {"p_source", "p_address", "p_version"},
    "fn_iu_edit": {"p_address", "p_expected_version", "p_body", "p_title"},
    "fn_iu_collection_create": {"p_key", "p_kind", "p_title", "p_members"},
    "fn_iu_collection_add": {"p_key", "p_member", "p_at", "p_anchor", "p_version"},
    "fn_iu_collection_remove": {"p_key", "p_member"},
    "fn_iu_collection_reorder": {"p_key", "p_member", "p_at", "p_anchor"},
    "fn_iu_collection_pin": {"p_key", "p_member", "p_version"},
    "fn_iu_collection_replace": {"p_key", "p_member", "p_piece"},
}


def _check_call(call: Call) -> None:
    """Refuse what no plan asks for: names become part of the statement, and values are sent as they are."""
    allowed = _ALLOWED.get(call.function) if isinstance(call.function, str) else None
    named = isinstance(call.arguments, Mapping) and allowed is not None and call.arguments.keys() <= allowed
    if not named or not all(type(value) in (str, int) for value in call.arguments.values()):
        detail = str(call.function)
        raise InvalidError(
            "the plan asks for a call that no plan makes",
            sqlstate="IU051",
            detail=detail,
            hint="Make it again: iucore plan DIR -o PLAN",
        )
    for name, value in call.arguments.items():
        if isinstance(value, str):
            _check.text(value, name.removeprefix("p_"))


def calls(
    plan: Plan,
    *,
    reason: str,
    allow_remove: bool = False,
    actor: str | None = None,
    request_key: str | None = None,
) -> list[Call]:
    """The governed calls of a plan as they are made; arguments as ``apply``.

    Raises:
        ConflictError: IU215.
        InvalidError: IU052; IU051, the plan asks for what no plan asks for.

    >>> calls(Plan("", (), (), 0, (), Base((), (), ""), (), ()), reason="nothing")
    []
    """
    if plan.conflicts:
        raise ConflictError(
            "the files and the database contradict each other",
            sqlstate="IU215",
            detail="\n".join(f"{piece.path}: {piece.address}: {piece.detail}" for piece in plan.conflicts),
            hint="See both sides: iucore plan DIR. Beside the files: iucore plan DIR --conflict-files",
        )
    if plan.missing and not allow_remove:
        raise InvalidError(
            "pieces are missing from the files",
            sqlstate="IU052",
            detail="\n".join(f"{piece.path}: {piece.address}" for piece in plan.missing),
            hint="Let them leave their collections with --allow-remove (no piece is deleted), or put their text back.",
        )
    made = []
    for number, call in enumerate(plan.calls, start=1):
        _check_call(call)
        shared = {
            "p_reason": reason,
            "p_actor": actor,
            "p_request_key": None if request_key is None else f"{request_key}:{number}",
        }
        given = {name: value for name, value in shared.items() if value is not None}
        made.append(Call(call.function, {**call.arguments, **given}))
    return made


def apply(
    connection: Connection,
    plan: Plan,
    *,
    reason: str,
    allow_remove: bool = False,
    actor: str | None = None,
    request_key: str | None = None,
) -> Applied:
    """Do what a plan says with governed calls, within the caller's transaction; it must be rolled back on an error.

    At the end the render of every edited document is compared with what the plan promised.

    Args:
        connection: of the caller, who commits; at READ COMMITTED.
        plan: what to do.
        reason: recorded with every call.
        allow_remove: let pieces that are missing from the files leave their collections.
        actor: the claimed actor.
        request_key: each call gets it with ``:1``, ``:2``, ... behind it.

    Raises:
        InvalidError: IU052, pieces are missing and ``allow_remove`` was not given; as the governed calls.
        ConflictError: IU215, the plan has conflicts; IU216, its base has moved on; IU218, a document would not be as
            planned; as the governed calls.
        GateClosedError: IU100, IU101.

    >>> apply(connection, Plan("", (), (), 0, (), Base((), (), hashlib.sha256().hexdigest()), (), ()), reason="nothing")
    Applied(calls=0, born=0, edited=0, documents=0)
    """
    asked = calls(plan, reason=reason, allow_remove=allow_remove, actor=actor, request_key=request_key)
    check_base(connection, plan)
    for call in asked:
        _call.execute(connection, call)
    for result in plan.results:
        text = collections.render(connection, key=result.key)
        if hashlib.sha256(text.encode()).hexdigest() != result.sha256:
            raise ConflictError(
                "a document would not be as planned",
                sqlstate="IU218",
                detail=f"{result.path}: {result.key}",
                hint="Somebody changed it meanwhile: type the command again. Nothing was done.",
            )
    made = [call.function for call in plan.calls]
    return Applied(
        len(made),
        sum(piece.state in ("new", "split") or piece.forked is not None for piece in plan.pieces),
        made.count("fn_iu_edit"),
        len(plan.touched) if made else 0,
    )


def check_base(connection: Connection, plan: Plan) -> None:
    """That what the plan was made on is still so.

    Raises:
        ConflictError: IU216.
    """
    if digest_of(connection, plan.base.keys, plan.base.addresses) != plan.base:
        raise ConflictError(
            "what the plan was made on has moved on",
            sqlstate="IU216",
            detail=f"one of: {', '.join(plan.base.keys[:10])}",
            hint="Make the plan again: iucore plan DIR -o PLAN",
        )


def finish(connection: Connection, directory: Path, plan: Plan) -> list[str]:
    """Bring the folder and its manifest up to date when a plan was applied and committed; at REPEATABLE READ.

    Returns:
        The paths of files that were edited meanwhile and left as they are.

    Raises:
        As ``export``.
    """
    return refresh(
        connection,
        directory,
        keys=plan.touched,
        files={result.path: result.file_sha256 for result in plan.results} | dict(plan.applied),
        renamed={each.was: each.path for each in plan.files if each.was is not None},
        landed={result.path for result in plan.results if result.file_sha256 == result.sha256},
        trusted=plan.manifest_sha256,
    )

"""Evidence: JSON files that bind what was seen or done to one database.

A file stands at ``<folder>/<system identifier>-<oid of the database>/<kind>-<number>-<moment in UTC>-<random>.json``.
It is written whole, and holds the sha256 of its content: a file that was cut or edited is refused by name. The digest
tells damage, not forgery: whoever may write the folder can compute it as well. The number counts up, so that a clock
that was set back does not make an old file the newest.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from iucore.errors import OperationError

if TYPE_CHECKING:
    from sqlalchemy import Connection

Kind = Literal["preflight", "rehearsal", "run"]


@dataclass(frozen=True, slots=True)
class Identity:
    """Which database: ``system_identifier`` is that of its cluster, of which a standby has the same.

    >>> here = Identity("7301", "texts", 16384, "18.1")
    >>> here.same_database(Identity("7301", "texts", 16384, "18.2"))
    True
    """

    system_identifier: str
    database: str
    database_oid: int
    server_version: str

    def same_database(self, other: Identity) -> bool:
        """Whether both are one database, whichever minor version its server has."""
        return asdict(self) | {"server_version": ""} == asdict(other) | {"server_version": ""}


@dataclass(frozen=True, slots=True)
class Evidence:
    """One file: what was written into it, and when."""

    path: Path
    kind: Kind
    number: int
    made_at: datetime
    identity: Identity
    body: dict[str, Any]


def folder() -> Path:
    """Where evidence is: ``IUCORE_EVIDENCE``, else ``iucore/evidence`` among this user's own state."""
    named = os.environ.get("IUCORE_EVIDENCE")
    if named:
        return Path(named).expanduser()
    from platformdirs import user_state_path

    return user_state_path("iucore") / "evidence"


def identity(connection: Connection) -> Identity:
    """The database of a connection, in the caller's transaction; any login may ask."""
    row = connection.exec_driver_sql(
        "select s.system_identifier::text, d.datname::text, d.oid::bigint,"
        " pg_catalog.current_setting('server_version')"
        " from pg_catalog.pg_database as d cross join pg_catalog.pg_control_system() as s"
        " where d.datname = pg_catalog.current_database()"
    ).one()
    return Identity(*row)


def write(kind: Kind, identity: Identity, body: Mapping[str, Any]) -> Path:
    """Write one file, whole or not at all, and lastingly; ``body`` is JSON. Only its owner may read it.

    Raises:
        OSError: it cannot be written.
    """
    now, place = datetime.now(UTC), _place(identity)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    number = 1 + max((int(path.name.split("-")[1]) for path in place.glob(f"{kind}-[0-9]*-*.json")), default=0)
    content = {
        "kind": kind,
        "number": number,
        "made_at": now.isoformat(timespec="microseconds"),
        "identity": asdict(identity),
        "body": dict(body),
    }
    text = json.dumps({**content, "digest": digest(content)}, ensure_ascii=False, indent=2) + "\n"
    path = place / f"{kind}-{number:06}-{now:%Y%m%dT%H%M%S.%fZ}-{secrets.token_hex(4)}.json"
    work = path.with_suffix(".new")
    descriptor = os.open(work, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        work.replace(path)
    except OSError:
        work.unlink(missing_ok=True)
        raise
    handle = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    return path


def read(path: Path) -> Evidence:
    """One file, whichever database it is of.

    Raises:
        iucore.errors.OperationError: IU935, it is not as it was written.
        OSError: it cannot be read.
    """
    try:
        content = json.loads(path.read_bytes())
        if content.pop("digest") != digest(content):
            raise ValueError("its sha256 is another")
        made_at, about = datetime.fromisoformat(content["made_at"]), Identity(**content["identity"])
        if content["kind"] not in get_args(Kind) or made_at.tzinfo is None or not isinstance(content["body"], dict):
            raise ValueError("it is of another shape")
        return Evidence(path, content["kind"], int(content["number"]), made_at, about, content["body"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise OperationError(
            "evidence is not as it was written",
            sqlstate="IU935",
            detail=f"{path}: {error}",
            hint="Move the file away and type the command again; what it told must be looked at anew.",
        ) from error


def every(kind: Kind, identity: Identity) -> list[Evidence]:
    """All evidence of a kind about this very database, under its present name, the newest first.

    Raises:
        iucore.errors.OperationError: IU935, a file is not as it was written; IU936, one is of another database, or of
            another kind than its name says.
    """
    found = []
    for path in _place(identity).glob(f"{kind}-*.json"):
        one = read(path)
        if one.kind != kind or _place(one.identity) != _place(identity):
            raise OperationError(
                "evidence stands where that of another database should",
                sqlstate="IU936",
                detail=f"{path}: {one.kind} of system {one.identity.system_identifier}, {one.identity.database}"
                f" (oid {one.identity.database_oid})",
                hint="Move the file away and type the command again; nothing in it is about this database.",
            )
        if one.identity.same_database(identity):
            found.append(one)
    return sorted(found, key=lambda one: (one.number, one.made_at), reverse=True)


def newest(kind: Kind, identity: Identity) -> Evidence | None:
    """The newest evidence of a kind about this very database; None: there is none.

    Raises:
        iucore.errors.OperationError: IU935, IU936 as ``every``.
    """
    return next(iter(every(kind, identity)), None)


def _place(identity: Identity) -> Path:
    return folder() / f"{identity.system_identifier}-{identity.database_oid}"


def digest(content: Mapping[str, Any]) -> str:
    """A checksum over what a file of JSON says, whatever its layout.

    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

"""A drill: a backup restored into a scratch database, and compared with what its manifest says."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, pool
from sqlalchemy.exc import DBAPIError

from iucore import _target, inventory
from iucore.errors import OperationError
from iucore.operations import backup, migrate, programs, scratch

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

    from iucore.operations.backup import Backup

Told = Callable[[str], None]

_EXACT = {"no_parameters": True}
# Any number will do: "drill" in ASCII.
_LOCK = 0x6472696C6C


@dataclass(frozen=True, slots=True)
class Compared:
    """One thing that was compared: what the backup says, and what stood in the scratch database."""

    what: str
    wanted: str
    found: str
    same: bool


def drill(folder: Path, *, server: str | None = None, tell: Told = lambda _: None) -> Generator[Compared, None, None]:
    """Verify a backup, restore it, and yield each comparison: rows, hashes, sequences, owners and grants.

    Args:
        folder: of the backup.
        server: the URL of a server on which a database, and the roles that are missing there, may be made; they are
            dropped at the end. Roles that are there are left as they are. None: a temporary server is started.
        tell: gets a line about each step.

    What was made is dropped when the iterator ends or is closed.

    Raises:
        iucore.errors.OperationError: IU931, the backup is damaged; IU933, it could not be restored; as
            ``scratch.server``.
    """
    found = backup.verify(folder, tell=tell)
    # What a newer pg_dump wrote, an older server may not be able to read.
    major = max(backup.major(found.server_version), backup.major(found.client_version))
    if server is None:
        tell("starting a temporary PostgreSQL")
        with scratch.server(at_least=major) as url:
            yield from _on(_target.normalise_url(url), found, own=True, tell=tell)
    else:
        yield from _on(_target.normalise_url(server), found, own=False, tell=tell)


def _on(url: URL, found: Backup, *, own: bool, tell: Told) -> Iterator[Compared]:
    engine = _engine(url, isolation_level="AUTOCOMMIT")
    with _database(engine, found, own=own) as (name, there):
        tell(f"restoring {found.bytes} bytes into {name}")
        pg_restore = programs.find("pg_restore", at_least=backup.major(found.client_version))
        arguments, settings = programs.environment(url, database=name)
        # What these are for would begin to run, or does not fit in another place.
        left_out = ["--no-subscriptions", "--no-publications", "--no-tablespaces", "--no-security-labels"]
        try:
            programs.run(pg_restore, ["--exit-on-error", *left_out, *arguments, found.folder / backup.DUMP], settings)
        except programs.ProgramError as error:
            raise _not_restored(error.said) from error
        tell("comparing")
        with _engine(url.set(database=name)).connect() as connection, connection.begin():
            yield from _compared(connection, found, there)


def _compared(connection: Connection, found: Backup, there: set[str]) -> Iterator[Compared]:
    """``there``: roles that the server had before, which are as they are."""
    now = backup.content(connection)
    for table in sorted(found.rows.keys() | now.rows.keys()):
        wanted, has = (
            f"{one.rows[table]} rows, {one.hashes[table][:12]}" if table in one.rows else "no such table"
            for one in (found, now)
        )
        same = (found.rows.get(table), found.hashes.get(table)) == (now.rows.get(table), now.hashes.get(table))
        yield Compared(f"table iucore.{table}", wanted, has, same)
    for name in sorted(found.sequences.keys() | now.sequences.keys()):
        low, value = found.sequences.get(name), now.sequences.get(name)
        same = low is not None and value is not None and value >= low
        yield Compared(f"sequence iucore.{name}", f"at least {low}", str(value), same)
    revision = migrate.current_of(connection)
    yield Compared("revision", str(found.revision), str(revision), revision == found.revision)
    if revision is not None:
        yield from _owners_and_grants(connection, revision, found, there)


def _owners_and_grants(connection: Connection, revision: str, found: Backup, there: set[str]) -> Iterator[Compared]:
    expected, actual = (
        [item for item in items if item.kind != "role" or item.object not in there]
        for items in (inventory.expected(revision), inventory.actual(connection))
    )
    differences = inventory.compare(expected, actual)
    matching = len(expected) - sum(one.status != "unexpected" for one in differences)
    total = f"{len(expected)}/{len(expected)}"
    yield Compared("inventory, with owners and grants", total, f"{matching}/{len(expected)}", not differences)
    now = backup.drift(connection, revision)
    for one in differences:
        name = f"{one.kind} {one.object}"
        restored = found.drift.get(name) == now[name]
        yield Compared(
            name,
            "as the revision says",
            f"{one.status}, as it was in the database" if restored else f"{one.status} by the restore",
            False,
        )
    try:
        migrate.verify(connection)
    except OperationError as error:
        if error.sqlstate != "IU904":
            raise
        yield Compared(f"verify.sql of {revision}", "passes", f"{error.message}: {error.detail}", False)
    else:
        yield Compared(f"verify.sql of {revision}", "passes", "passes", True)


@contextmanager
def _database(engine: Engine, found: Backup, *, own: bool) -> Iterator[tuple[str, set[str]]]:
    """An empty database and the roles of the backup; what was made is dropped.

    Yields its name and the roles that were there before.
    """
    name = f"iucore_drill_{secrets.token_hex(6)}"
    made: list[str] = []
    with _refusing():
        session = engine.connect()
    with session:
        try:
            with _refusing():
                there = _prepare(session, found, made, own=own)
                session.exec_driver_sql(f"create database {name} template template0 encoding 'UTF8'")
            yield name, there
        finally:
            if not own:
                # Not in that session, which an interrupt may have closed.
                with suppress(DBAPIError), engine.connect() as connection:
                    connection.exec_driver_sql(f"drop database if exists {name} with (force)")
                    for role in made:
                        with suppress(DBAPIError):
                            connection.exec_driver_sql(f"drop role if exists {backup.identifier(role)}")


def _prepare(session: Connection, found: Backup, made: list[str], *, own: bool) -> set[str]:
    """Make the roles, and add to ``made`` the names of those; returns those that were there and are left alone."""
    _refuse_older(session, found)
    # Held as long as the session: another drill would take our roles for those of the server.
    if not session.exec_driver_sql("select pg_catalog.pg_try_advisory_lock(%s)", (_LOCK,)).scalar():
        raise _not_restored("another drill is under way on this server")
    if own:
        session.exec_driver_sql((found.folder / backup.GLOBALS).read_text("utf-8"), execution_options=_EXACT)
        for role in found.roles:
            if role.superuser:
                session.exec_driver_sql(f"alter role {backup.identifier(role.name)} superuser")
        return set()
    there = set(session.exec_driver_sql("select r.rolname::text from pg_catalog.pg_roles as r").scalars())
    for role in found.roles:
        if role.name not in there:
            made.append(role.name)
            for statement in role.statements():
                session.exec_driver_sql(statement, execution_options=_EXACT)
    for one in found.memberships:
        # Between two roles that were there nothing is granted, not even for a moment.
        if one.role not in there or one.member not in there:
            session.exec_driver_sql(one.statement(), execution_options=_EXACT)
    return there


def _refuse_older(connection: Connection, found: Backup) -> None:
    version = str(connection.exec_driver_sql("select pg_catalog.current_setting('server_version')").scalar_one())
    if backup.major(version) < max(backup.major(found.server_version), backup.major(found.client_version)):
        raise _not_restored(
            f"the scratch server is PostgreSQL {version}, the backup of {found.server_version} by pg_dump"
            f" {found.client_version}"
        )


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise _not_restored(str(error.orig).strip()) from error


def _not_restored(why: str) -> OperationError:
    return OperationError(
        "the backup could not be restored",
        sqlstate="IU933",
        detail=why,
        hint="Where the scratch server lacks something (an extension, a right, a version), name one that has it:"
        " iucore backup drill DIR --scratch URL",
    )


def _engine(url: URL, **options: Any) -> Engine:
    return create_engine(url, poolclass=pool.NullPool, connect_args={"client_encoding": "utf8"}, **options)

"""Upgrade and downgrade a database through alembic's own API; no ``alembic.ini`` is needed.

Each function takes a SQLAlchemy ``Engine`` or a URL and opens its own connection, or takes a ``Connection`` without a
transaction; it prints and logs nothing. Alembic keeps the running migration in globals of the process, so within one
process one runs at a time; between processes and machines an advisory lock in the database sees to it.
"""

from __future__ import annotations

import argparse
import io
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, pool
from sqlalchemy.exc import DBAPIError

from iucore import _call, _paths, _target, errors

LOCK = 0x6975636F7265
"""The migrators' advisory lock, as in ``alembic/env.py``."""

_UNITS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_ONE_AT_A_TIME = threading.Lock()
_VERSION_TABLE = "public.iucore_alembic_version"


def upgrade(target: Engine | Connection | str, revision: str = "head", **settings: str) -> None:
    """Apply every revision up to ``revision``; each commits by itself, after its ``verify.sql`` has passed.

    ``settings`` are those of ``alembic/env.py``: ``wait``, ``lock_timeout``, ``statement_timeout``, as ``"500ms"``.

    Raises:
        iucore.errors.OperationError: IU901, IU902 and IU904 from the server; IU910, another session holds a lock;
            IU911, another migration is still running; IU912, the revision is not known.
        iucore.errors.InvalidError: IU030, the URL cannot be read.
    """
    _known(revision)
    _run(target, lambda config: command.upgrade(config, revision), settings)


def downgrade(target: Engine | Connection | str, revision: str, *, lose_rows: bool = False, **settings: str) -> None:
    """Undo revisions, newest first, until ``revision`` (``"base"``: all of them) is the current one: all or none.

    Raises:
        iucore.errors.OperationError: IU903, rows would be lost and ``lose_rows`` is not given; and as ``upgrade``.
    """
    _known(revision)
    _run(
        target,
        lambda config: command.downgrade(config, revision),
        settings | _back(lose_rows),
    )


def current(target: Engine | str) -> str | None:
    """The revision that the database is at; ``None`` for one without iucore."""
    with _connected(target) as connection:
        return current_of(connection)


def current_of(connection: Connection) -> str | None:
    """The revision that the database is at, in the caller's transaction."""
    if connection.exec_driver_sql(f"select pg_catalog.to_regclass('{_VERSION_TABLE}')").scalar() is None:
        return None
    found = connection.exec_driver_sql(f"select version_num from {_VERSION_TABLE}").scalar()  # noqa: S608
    return None if found is None else str(found)


def heads() -> list[str]:
    """The newest revision of this version of iucore; a list, since alembic allows several."""
    return list(_scripts().get_heads())


def revisions() -> list[str]:
    """Every revision, oldest first."""
    return [script.revision for script in _scripts().walk_revisions()][::-1]


def offline_sql(start: str | None = None, end: str = "head", *, lose_rows: bool = False, **settings: str) -> str:
    """A script for ``psql -X -v ON_ERROR_STOP=1 -f`` that goes from ``start`` (``None``: nothing) to ``end``.

    The script checks that the database is at ``start``, takes the migrators' lock and sets the timeouts.

    Raises:
        iucore.errors.OperationError: IU912, a revision is not known.
    """
    for revision in (start or "base", end):
        _known(revision)
    order = ["base", *revisions()]
    places = [order.index(_plain(revision)) for revision in (start or "base", end)]
    verb: Callable[..., None] = command.upgrade if places[0] <= places[1] else command.downgrade
    output = io.StringIO(newline="")
    chosen = settings | (_back(lose_rows) if verb is command.downgrade else {})
    with _alembic(chosen, output) as config:
        verb(config, f"{order[places[0]]}:{order[places[1]]}", sql=True)
    return output.getvalue()


@contextmanager
def alone(connection: Connection, *, wait: str = "5min") -> Iterator[None]:
    """Hold the migrators' lock in the session of a connection without a transaction, for more than one migration.

    ``upgrade`` and ``downgrade`` on this connection take it once more and give that back: the lock counts.

    Raises:
        iucore.errors.OperationError: IU911, another migration is still running after ``wait``.
    """
    until = time.monotonic() + seconds(wait)
    # Tried again and again, not waited for in the server: what waits there holds a snapshot.
    while not _value(connection, "select pg_catalog.pg_try_advisory_lock(%s)"):
        if time.monotonic() >= until:
            raise errors.OperationError(
                "another migration is still running",
                sqlstate="IU911",
                detail=f"waited {wait}",
                hint="Wait for it to end, or look for it: select * from pg_locks where locktype = 'advisory'.",
            )
        time.sleep(0.1)
    try:
        yield
    finally:
        # Where the session is gone, the lock is.
        with suppress(DBAPIError):
            if not connection.invalidated:
                connection.rollback()
                _value(connection, "select pg_catalog.pg_advisory_unlock(%s)")


def seconds(duration: str) -> float:
    """A duration such as ``"500ms"``, ``"15min"`` or ``"1d"`` in seconds.

    >>> seconds("500ms"), seconds("15min")
    (0.5, 900.0)
    """
    found = re.fullmatch(r"([0-9]{1,9})(ms|s|min|h|d)", duration)
    if found is None:
        raise ValueError(f"not a duration such as 500ms, 5s, 15min, 1h, 1d: {duration}")
    return int(found[1]) * _UNITS[found[2]]


def _value(connection: Connection, sql: str) -> Any:
    value = connection.exec_driver_sql(sql, (LOCK,)).scalar()
    connection.commit()
    return value


def verify(connection: Connection) -> None:
    """Run ``verify.sql`` of the revision that the database is at, in the caller's transaction; read only.

    Raises:
        iucore.errors.OperationError: IU904, an object that the revision made is missing or altered; IU912, the database
            is at no revision, or at one that is not known.
    """
    revision = current_of(connection)
    if revision is None:
        raise errors.OperationError(
            "database has no revision", sqlstate="IU912", hint="Upgrade it first: iucore db upgrade"
        )
    _known(revision)
    script = next((_paths.alembic_dir() / "versions").glob(f"{revision}_*/verify.sql")).read_bytes().decode("utf-8")
    with translated():
        connection.exec_driver_sql(script, execution_options={"no_parameters": True})


def _back(lose_rows: bool) -> dict[str, str]:
    return {"lose_rows": "yes" if lose_rows else "no", "transaction": "all"}


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(_paths.alembic_dir()))


def _plain(revision: str) -> str:
    return heads()[0] if revision == "head" else revision


def _known(revision: str) -> None:
    known = revisions()
    if revision not in ("head", "base", *known):
        raise errors.OperationError(
            "unknown revision",
            sqlstate="IU912",
            detail=f"revision: {revision}",
            hint=f"Known revisions: {', '.join(known)}",
        )


def _run(target: Engine | Connection | str, verb: Callable[[Config], None], settings: dict[str, str]) -> None:
    with translated(), _connected(target) as connection, _alembic(settings) as config:
        config.attributes["connection"] = connection
        verb(config)


@contextmanager
def _connected(target: Engine | Connection | str) -> Iterator[Connection]:
    if isinstance(target, Connection):
        yield target
        return
    if isinstance(target, Engine):
        with target.connect() as connection:
            yield connection
        return
    engine = create_engine(_target.normalise_url(target), poolclass=pool.NullPool)
    with engine.connect() as connection:
        yield connection


@contextmanager
def _alembic(settings: dict[str, str], output: io.StringIO | None = None) -> Iterator[Config]:
    arguments = [f"{name}={value}" for name, value in settings.items()]
    config = Config(output_buffer=output, cmd_opts=argparse.Namespace(x=arguments))
    config.set_main_option("script_location", str(_paths.alembic_dir()).replace("%", "%%"))
    with _ONE_AT_A_TIME:
        yield config


@contextmanager
def translated() -> Iterator[None]:
    """Our exceptions for what the server and alembic raise; anything else passes through."""
    try:
        yield
    except DBAPIError as error:
        own = _call.translated(error)
        if own is None and _sqlstate(error) == "55P03":
            own = errors.OperationError(
                "another session holds a lock that the migration needs",
                sqlstate="IU910",
                detail=str(error.orig).strip(),
                hint="Nothing of the revision was applied. Try again when that session has ended.",
            )
        if own is None:
            raise
        raise own from error
    except CommandError as error:
        sqlstate = getattr(error, "sqlstate", "IU912")
        message = "another migration is still running" if sqlstate == "IU911" else "alembic refuses"
        hint = getattr(error, "hint", "The database may be at a revision of a newer iucore: iucore db current")
        raise errors.OperationError(message, sqlstate=sqlstate, detail=str(error), hint=hint) from error


def _sqlstate(error: DBAPIError) -> Any:
    return getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None)

"""Which database: ``--url``, ``IUCORE_DATABASE_URL``, ``DATABASE_URL``, libpq's own settings, or the embedded one.

Where only reading is done ``IUCORE_DATABASE_READ_URL`` and ``DATABASE_READ_URL`` go before the variables.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote

from iucore.errors import InvalidError, OperationError

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine

DRIVERS = ("psycopg2", "psycopg")

_READ_VARIABLES = ("IUCORE_DATABASE_READ_URL", "DATABASE_READ_URL")
_VARIABLES = ("IUCORE_DATABASE_URL", "DATABASE_URL")
# One of these names a server or database; PGUSER or PGPASSWORD alone do not.
_LIBPQ = {"PGSERVICE": "service", "PGHOST": "host", "PGHOSTADDR": "hostaddr", "PGPORT": "port", "PGDATABASE": "dbname"}
_SCHEME = re.compile(r"postgres(?:ql)?(?:\+(?P<driver>\w+))?://", re.IGNORECASE)
_SECRET = re.compile(r"pass|secret", re.IGNORECASE)
_HINT = "Write postgresql://USER@HOST:PORT/DATABASE, or libpq's form: host=HOST dbname=DATABASE"


@dataclass(frozen=True, slots=True)
class Target:
    """A database to work on.

    Attributes:
        url: as given or found; may hold a password.
        source: where it comes from: ``--url``, the name of a variable, ``PG*`` or ``embedded``.
    """

    url: str
    source: str

    def display(self) -> str:
        """The URL without password, passfile and other secrets, to show to people.

        >>> Target("postgresql://ann:secret@db.example/texts?passfile=/a&sslmode=require", "--url").display()
        'postgresql://ann@db.example/texts?sslmode=require'
        """
        try:
            parts = _parts(self.url)
        except InvalidError:
            return "(a URL that cannot be read)"
        if self.source == "PG*":
            names = {**_LIBPQ, "PGUSER": "user"}
            parts = {**{key: os.environ[name] for name, key in names.items() if os.environ.get(name)}, **parts}
        parts.pop("driver", None)
        shown = {key: value for key, value in parts.items() if value and not _SECRET.search(key)}
        user = quote(shown.pop("user", ""), safe="")
        hosts, ports = shown.pop("host", "").split(","), shown.pop("port", "").split(",")
        if any(host.startswith(("/", "@")) for host in hosts):
            shown["host"], hosts = ",".join(hosts), [""]
        places = [
            (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")
            for host, port in zip(hosts, ports if len(ports) == len(hosts) else ports * len(hosts), strict=False)
        ]
        database = quote(shown.pop("dbname", ""), safe="")
        query = "&".join(f"{key}={quote(value, safe='/,:')}" for key, value in shown.items())
        return (
            "postgresql://"
            + (f"{user}@" if user else "")
            + ",".join(places)
            + (f"/{database}" if database or query else "")
            + (f"?{query}" if query else "")
        )


def resolve(
    url: str | None = None, *, reads: bool = False, start_embedded: bool = False, data: str | Path | None = None
) -> Target:
    """Choose the database.

    Args:
        url: what the caller named; goes before everything else.
        reads: nothing is written, so that a standby will do.
        start_embedded: start the embedded server when nothing else is named and it does not run.
        data: the data folder of the embedded server.

    Raises:
        InvalidError: IU030 the URL cannot be read.
        OperationError: IU907 nothing is named and no embedded server runs; others as ``Cluster.up``.

    >>> resolve("postgresql://db.example/texts").source
    '--url'
    """
    variables = (*_READ_VARIABLES, *_VARIABLES) if reads else _VARIABLES
    named = [("--url", url)] if url is not None else [(name, os.environ.get(name)) for name in variables]
    for source, value in named:
        if value is not None and (value.strip() or source == "--url"):
            _parts(value)
            return Target(value.strip(), source)
    if any(os.environ.get(name) for name in _LIBPQ):
        return Target("postgresql://", "PG*")

    from iucore.embedded import Cluster

    cluster = Cluster.default(data)
    if start_embedded:
        return Target(cluster.up(), "embedded")
    status = cluster.status()
    if status.state == "running":
        return Target(cluster.url(), "embedded")
    raise OperationError(
        "no database is named, and the embedded PostgreSQL is not running",
        sqlstate="IU907",
        detail=f"data folder: {status.data} ({status.state})",
        hint="Start it with: iucore db up. Or name a database with --url or IUCORE_DATABASE_URL.",
    )


def normalise_url(url: str, driver: str | None = None) -> URL:
    """A SQLAlchemy URL with a driver in it, from every form that libpq reads and from SQLAlchemy's own.

    Args:
        url: ``postgresql://`` or ``postgres://`` (also with several hosts, and with ``+psycopg2`` or ``+psycopg``), or
            keywords such as ``host=... dbname=...``.
        driver: the driver when the URL names none; psycopg2 when this is None too.

    Raises:
        InvalidError: IU030 the URL cannot be read, or names another database system or driver.

    >>> normalise_url("postgres://ann@db.example/texts").drivername
    'postgresql+psycopg2'
    >>> normalise_url("postgresql+psycopg://db.example/texts").drivername
    'postgresql+psycopg'
    """
    from sqlalchemy import URL

    parts = _parts(url)
    chosen = parts.pop("driver", "") or driver or DRIVERS[0]
    if chosen not in DRIVERS:
        raise _invalid(f"driver {chosen} is not one of {', '.join(DRIVERS)}")
    host, port = parts.pop("host", ""), parts.pop("port", "")
    query: dict[str, str | tuple[str, ...]] = {}
    if "," in host or "," in port or host.startswith(("/", "@")):
        # SQLAlchemy keeps several hosts, and socket folders, in the query.
        query = {"host": host, **({"port": port} if port else {})}
        host, port = "", ""
    elif port and not (port.isascii() and port.isdigit()):
        raise _invalid("the port is not a number")
    user, password, database = (parts.pop(name, "") for name in ("user", "password", "dbname"))
    return URL.create(
        f"postgresql+{chosen}",
        username=user or None,
        password=password or None,
        host=host or None,
        port=int(port) if port else None,
        database=database or None,
        query={**query, **{key: value for key, value in parts.items() if value}},
    )


def create_engine(target: Target, *, driver: str | None = None, **options: Any) -> Engine:
    """An engine without a pool: one connection for one command.

    Args:
        target: from ``resolve``.
        driver: as in ``normalise_url``.
        options: passed on to ``sqlalchemy.create_engine``.

    Raises:
        InvalidError: IU030 as ``normalise_url``, or the driver is not installed.
    """
    import sqlalchemy
    from sqlalchemy.pool import NullPool

    url = normalise_url(target.url, driver)
    arguments: dict[str, Any] = {"fallback_application_name": "iucore", **options.pop("connect_args", {})}
    if "passfile" in url.query and url.password is None:
        # An empty password keeps libpq from taking PGPASSWORD, which would go before the named passfile.
        arguments.setdefault("password", "")
    try:
        return sqlalchemy.create_engine(url, connect_args=arguments, **{"poolclass": NullPool, **options})
    except ModuleNotFoundError as error:
        raise InvalidError(
            "the database driver is not installed",
            sqlstate="IU030",
            detail=str(error),
            hint="pip install 'iucore[psycopg]', or write postgresql+psycopg2://",
        ) from error


def _parts(url: str) -> dict[str, str]:
    """libpq's parameters of a URL or keyword string, by libpq's own parser, and ``driver`` when the URL names one."""
    import psycopg2
    from psycopg2.extensions import parse_dsn

    text = url.strip()
    scheme = _SCHEME.match(text)
    if not text or "\0" in text:
        raise _invalid("it is empty" if not text else "it holds a NUL")
    if scheme is None and "://" in text.split("=")[0]:
        raise _invalid("it is not a PostgreSQL URL")
    if scheme:
        before, mark, query = text[scheme.end() :].partition("?")
        authority, _, path = before.partition("/")
        if authority.count("@") > 1 or "@" in path:
            # libpq would take the rest of the password for a host, and show it.
            raise _invalid("there is an @ too many", "Write @ in a password as %40, and / as %2F.")
        text = f"postgresql://{before}{mark}{_libpq_query(query) if scheme['driver'] else query}"
    try:
        parts: dict[str, str] = parse_dsn(text)
    except (psycopg2.Error, ValueError) as error:
        # What libpq quotes may be a piece of the password.
        reason = " ".join(str(error).removeprefix("invalid dsn: ").split())
        if "@" in reason or not reason.startswith(("invalid URI query parameter", "invalid connection option")):
            reason = re.sub(r'"[^"]*"', '"..."', reason)
        raise _invalid(reason) from None
    return {**parts, "driver": scheme["driver"].lower()} if scheme and scheme["driver"] else parts


def _libpq_query(query: str) -> str:
    """A query as SQLAlchemy writes it, in libpq's form: a plus is a space, several hosts are one value."""
    pairs = parse_qsl(query, keep_blank_values=True)
    hosts = [value for key, value in pairs if key == "host"]
    places = [re.fullmatch(r"([\w.-]*):(\d+)", host) for host in hosts]
    if len(hosts) > 1 or any(places):
        pairs = [(key, value) for key, value in pairs if key != "host"]
        pairs += [("host", ",".join(place[1] if place else host for host, place in zip(hosts, places, strict=True)))]
        pairs += [("port", ",".join(place[2] for place in places if place))] if all(places) else []
    return "&".join(f"{key}={quote(value, safe='/,:')}" for key, value in pairs)


def _invalid(detail: str, hint: str = _HINT) -> InvalidError:
    return InvalidError("the database URL cannot be read", sqlstate="IU030", detail=detail, hint=hint)

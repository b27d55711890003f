"""A rehearsal: the pending revisions on a scratch copy of the schema, up, down and up again.

The copy has every object of schema ``iucore`` with owners, privileges and comments, the roles, default privileges,
and the rows of ``REGISTRIES``, which hold no content. What was seen is written down as evidence, bound to the database,
its revision and inventory, and to the frozen hashes of the migrations. It says nothing of how long a revision runs on
many rows, or of rows that would break a new constraint.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, pool
from sqlalchemy.exc import DBAPIError

from iucore import _paths, _target, errors, inventory
from iucore.operations import evidence, migrate, programs
from iucore.operations.scratch import server

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

    from iucore.inventory import Item
    from iucore.operations.evidence import Evidence, Identity

REGISTRIES = (
    "unit_kind",
    "axis",
    "event_type",
    "gate",
    "gate_switch",
    "route",
    "route_switch",
    "route_setting",
    "route_partition",
)
"""The tables whose rows are copied, in the order of their foreign keys; of ``change`` those that they name."""

_EXACT = {"no_parameters": True}
_DUMP_OPTIONS = (
    "--encoding=UTF8",
    "--lock-wait-timeout=5s",
    "--no-tablespaces",
    "--no-toast-compression",
    "--no-publications",
    "--no-subscriptions",
)
# Commands of psql, a setting that a server before 17 does not know, an option that minor releases keep for themselves.
_NOT_PORTABLE = re.compile(
    r"^(\\(un)?restrict \w+|SET transaction_timeout = 0;|ALTER TABLE ONLY .* SET \(pg_attver=\d+\);)$", re.MULTILINE
)
# A change that a registry names is copied with its number, verb and moment alone.
_BARE = {
    "subject": None,
    "actor": "rehearsal",
    "claimed_actor": None,
    "reason": "copied for a rehearsal",
    "request_key": None,
    "request_digest": None,
}


@dataclass(frozen=True, slots=True)
class Bound:
    """What a rehearsal holds for: ``base`` and ``goal`` are revisions, the rest sha256 (inventory, frozen hashes)."""

    base: str | None
    goal: str
    fingerprint: str
    frozen: str


@dataclass(frozen=True, slots=True)
class Step:
    """One step ``to`` a revision; ``inventory`` is as N/N, of what there had to be."""

    step: str
    to: str
    seconds: float
    inventory: str
    fingerprint: str
    as_expected: bool


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What was seen; ``rows`` counts the rows that were copied, ``wrong`` is empty when all went well."""

    bound: Bound
    scratch: str
    server_version: str
    rows: dict[str, int]
    steps: list[Step]
    wrong: list[str]
    path: Path


@dataclass(frozen=True, slots=True)
class _Copy:
    """What is taken from the database."""

    identity: Identity
    bound: Bound
    items: list[Item]
    schema: str
    privileges: list[str]
    rows: dict[str, list[Any]]


def bound(base: str | None, goal: str = "head") -> Bound:
    """What a rehearsal from a revision (None: nothing) to another must hold for now.

    It is made only of a database that is as its revision says, so that its inventory is that of the revision.

    Raises:
        iucore.errors.OperationError: IU912, the revision is not known.
    """
    fingerprint = inventory.fingerprint([] if base is None else inventory.expected(base))
    return Bound(base, migrate.heads()[0] if goal == "head" else goal, fingerprint, frozen())


def misfit(found: Evidence, wanted: Bound) -> str | None:
    """Why a rehearsal is not about what is wanted; None: it is."""
    for name, words in (
        ("base", "began at another revision"),
        ("goal", "went to another revision"),
        ("frozen", "was of other migrations"),
        ("fingerprint", "was of other objects"),
    ):
        if (seen := found.body["bound"][name]) != getattr(wanted, name):
            return f"it {words}: {seen}, not {getattr(wanted, name)}"
    return None


def failed(found: Evidence) -> bool:
    """Whether a rehearsal did not come to its end, or not to the same database."""
    return bool(found.body["wrong"]) or len(found.body["steps"]) != 4


def rehearse(
    connection: Connection,
    *,
    goal: str = "head",
    scratch: str | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Rehearsal | None:
    """Rehearse the revisions up to ``goal`` on a copy, and write down what was seen; None: nothing is pending.

    ``connection`` has no transaction; the database is only read, by ``pg_dump --schema-only`` among others, which wants
    the rights of ``iucore_owner``. ``scratch`` is the URL of another server on which a database may be made, and is
    dropped at the end; without it a temporary server is started from the embedded programs.

    Raises:
        iucore.errors.OperationError: IU937, the copy did not come back to the same; IU938, the scratch server cannot be
            used; IU908, no ``pg_dump`` that is new enough; IU912, the revision is not known or not newer.
    """
    with migrate.translated(), connection.begin():
        connection.exec_driver_sql("set transaction isolation level repeatable read, read only")
        base = migrate.current_of(connection)
        if not _pending(base, goal):
            return None
        copy = _copy(connection, base, goal)
    tell(f"copied: {len(copy.items)} objects at {base or 'base'}, {sum(map(len, copy.rows.values()))} rows")
    with _scratch_database(copy, scratch, tell) as (url, shown):
        steps, wrong, version = _walk(url, copy, own_server=scratch is None, tell=tell)
    rows = {table: len(found) for table, found in copy.rows.items()}
    body = {
        "bound": asdict(copy.bound),
        "scratch": shown,
        "server_version": version,
        "rows": rows,
        "steps": [asdict(step) for step in steps],
        "wrong": wrong,
    }
    path = evidence.write("rehearsal", copy.identity, body)
    if wrong:
        raise errors.OperationError(
            "the rehearsal did not come back to the same database",
            sqlstate="IU937",
            detail="\n".join([*wrong, f"evidence: {path}"]),
            hint="Do not apply it. What each revision does: iucore db plan",
        )
    return Rehearsal(copy.bound, shown, version, rows, steps, wrong, path)


def frozen() -> str:
    """The sha256 of the list of frozen hashes, which names every file of the past."""
    return hashlib.sha256((_paths.alembic_dir() / "frozen.sha256").read_bytes()).hexdigest()


def _pending(base: str | None, goal: str) -> bool:
    order = ["base", *migrate.revisions()]
    at, to = base or "base", migrate.heads()[0] if goal == "head" else goal
    if at in order and at == to:
        return False
    if at not in order or to not in order or order.index(to) < order.index(at):
        raise errors.OperationError(
            "there is no way up to that revision",
            sqlstate="IU912",
            detail=f"database: {at}, asked for: {to}",
            hint=f"Known revisions: {', '.join(order)}",
        )
    return True


# ---------------------------------------------------------------------------------------------------------- the copy


def _copy(connection: Connection, base: str | None, goal: str) -> _Copy:
    """Everything of one moment: the dump reads the snapshot of this transaction."""
    items, identity = inventory.actual(connection), evidence.identity(connection)
    if different := inventory.compare([] if base is None else inventory.expected(base), items):
        raise errors.OperationError(
            "the database is not as its revision says, and cannot be rehearsed",
            sqlstate="IU904",
            detail="\n".join(f"{one.status} {one.kind} {one.object}" for one in different),
            hint="Mend what is named, then type it again: iucore inventory verify",
        )
    there = connection.exec_driver_sql("select pg_catalog.to_regnamespace('iucore') is not null").scalar_one()
    return _Copy(
        identity,
        bound(base, goal),
        items,
        _dump(connection, identity) if there else "",
        list(connection.exec_driver_sql(_DEFAULT_PRIVILEGES, execution_options=_EXACT).scalars()),
        _rows(connection) if there else {},
    )


def _dump(connection: Connection, identity: Identity) -> str:
    """The schema as SQL that every server of the same or a later version takes."""
    major = int(identity.server_version.partition(".")[0])
    snapshot = connection.exec_driver_sql("select pg_catalog.pg_export_snapshot()").scalar_one()
    arguments, settings = programs.environment(connection.engine.url)
    pieces: list[bytes] = []
    try:
        programs.run(
            programs.find("pg_dump", at_least=major),
            [*arguments, "--schema-only", "--schema=iucore", f"--snapshot={snapshot}", *_DUMP_OPTIONS],
            settings,
            take=pieces.append,
        )
    except programs.ProgramError as error:
        raise errors.OperationError(
            "the schema could not be dumped for the rehearsal",
            sqlstate="IU938",
            detail=error.said,
            hint="Connect as a role that may migrate: a member of iucore_owner.",
        ) from error
    text = b"".join(pieces).decode("utf-8")
    return _NOT_PORTABLE.sub("", text)


def _rows(connection: Connection) -> dict[str, list[Any]]:
    """The rows of the registries as JSON, and of the changes that they name the bare ones."""
    found: dict[str, list[Any]] = {}
    named: set[int] = set()
    for table in REGISTRIES:
        if connection.exec_driver_sql(f"select pg_catalog.to_regclass('iucore.{table}')").scalar() is None:
            continue
        found[table] = list(connection.exec_driver_sql(f"select to_jsonb(t) from iucore.{table} as t").scalars())  # noqa: S608
        named |= {row[name] for row in found[table] for name in ("change_id", "switched_change") if row.get(name)}
    changes = connection.exec_driver_sql(
        "select to_jsonb(c) || %s::jsonb from iucore.change as c where c.change_id = any(%s)",
        (json.dumps(_BARE), sorted(named)),
    ).scalars()
    return {"change": list(changes), **found}


# What pg_dump leaves out when it dumps one schema.
_DEFAULT_PRIVILEGES = """
with own as (
    select r.rolname, r.oid, d.defaclacl,
        case d.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions'
            when 'T' then 'types' when 'n' then 'schemas' end as kind
    from pg_default_acl as d
    join pg_roles as r on r.oid = d.defaclrole
    where d.defaclnamespace = 0 and r.rolname like 'iucore\\_%'
)
select s.statement
from (
    select 1 as step, format('alter default privileges for role %I revoke all on %s from public, %I',
        o.rolname, o.kind, o.rolname) as statement
    from own as o
    union all
    select 2, format('alter default privileges for role %I grant %s on %s to %s%s', o.rolname,
        x.privilege_type, o.kind, case x.grantee when 0 then 'public' else quote_ident(g.rolname) end,
        case when x.is_grantable then ' with grant option' else '' end)
    from own as o
    cross join aclexplode(o.defaclacl) as x
    left join pg_roles as g on g.oid = x.grantee
) as s
order by s.step, s.statement
"""


# ------------------------------------------------------------------------------------------------- the scratch server


@contextmanager
def _scratch_database(copy: _Copy, scratch: str | None, tell: Callable[[str], None]) -> Iterator[tuple[URL, str]]:
    """An empty database that is gone at the end."""
    if scratch is None:
        tell("a temporary PostgreSQL is started")
        with server(at_least=int(copy.identity.server_version.partition(".")[0])) as made:
            yield _target.normalise_url(made), "temporary"
        return
    url, shown = _target.normalise_url(scratch), _target.Target(scratch, "--scratch").display()
    name = f"iucore_rehearsal_{secrets.token_hex(4)}"
    engine = create_engine(url, poolclass=pool.NullPool, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            if evidence.identity(connection).system_identifier == copy.identity.system_identifier:
                raise _unusable("it is the server of the database itself: roles belong to the whole server", shown)
            connection.exec_driver_sql(f"create database {name} template template0 encoding 'UTF8'")
    except DBAPIError as error:
        raise _unusable(str(error.orig).strip(), shown) from error
    try:
        tell(f"database {name} on {shown}")
        yield url.set(database=name), f"{shown}, database {name}"
    finally:
        with suppress(DBAPIError), engine.connect() as connection:
            connection.exec_driver_sql(f"drop database if exists {name} with (force)")


def _unusable(why: str, shown: str) -> errors.OperationError:
    return errors.OperationError(
        "the scratch server cannot be used",
        sqlstate="IU938",
        detail=f"{shown}: {why}",
        hint="Name another server of the same version, as a superuser of it: iucore db rehearse --scratch URL",
    )


# ------------------------------------------------------------------------------------------------------ up, down, up


def _walk(url: URL, copy: _Copy, *, own_server: bool, tell: Callable[[str], None]) -> tuple[list[Step], list[str], str]:
    """Restore the copy, then go up, down and up; what is wrong ends it."""
    base, goal = copy.bound.base, copy.bound.goal
    engine = create_engine(url, poolclass=pool.NullPool)
    steps: list[Step] = []
    wrong: list[str] = []
    seen: list[list[Item]] = []

    def went(step: str, to: str, verb: Callable[[], object], must_be: Callable[[], list[Item]]) -> bool:
        began = time.monotonic()
        try:
            verb()
        except (errors.OperationError, DBAPIError) as error:
            said = f"{error}" if isinstance(error, errors.OperationError) else str(error.orig).strip()
            wrong.append(f"{step} to {to}: {said}")
            return False
        taken = time.monotonic() - began
        with engine.connect() as connection:
            found = _without_roles(inventory.actual(connection), own_server)
        expected = _without_roles(must_be(), own_server)
        differ = inventory.compare(expected, found)
        seen.append(found)
        told = f"{len(expected) - sum(one.status != 'unexpected' for one in differ)}/{len(expected)}"
        steps.append(Step(step, to, round(taken, 3), told, inventory.fingerprint(found), not differ))
        tell(f"{step} to {to}: {taken:.1f} s, inventory {told}")
        wrong.extend(f"{step} to {to}: {one.status} {one.kind} {one.object}" for one in differ)
        return not differ

    target = url.render_as_string(hide_password=False)
    all_well = (
        went("restore", base or "base", lambda: _restore(url, copy), lambda: copy.items)
        and went("up", goal, lambda: migrate.upgrade(target, goal), lambda: inventory.expected(goal))
        and went("down", base or "base", lambda: migrate.downgrade(target, base or "base"), lambda: seen[0])
        and went("up again", goal, lambda: migrate.upgrade(target, goal), lambda: seen[1])
    )
    assert all_well or wrong
    with engine.connect() as connection:
        version = str(connection.exec_driver_sql("select current_setting('server_version')").scalar_one())
    return steps, wrong, version


def _restore(url: URL, copy: _Copy) -> None:
    """Make the roles that are missing, the schema, its rows, the default privileges and the version table."""
    with create_engine(url, poolclass=pool.NullPool).begin() as connection:
        run = partial(connection.exec_driver_sql, execution_options=_EXACT)
        run((_paths.sql_dir() / "grants" / "roles.sql").read_text("utf-8"))
        if copy.schema:
            run(copy.schema)
            run("reset all")
        for table, rows in copy.rows.items():
            if rows:
                connection.exec_driver_sql(
                    f"insert into iucore.{table} overriding system value"  # noqa: S608
                    f" select * from jsonb_populate_recordset(null::iucore.{table}, %s::jsonb)",
                    (json.dumps(rows),),
                )
        for statement in copy.privileges:
            run(statement)
        if copy.bound.base is not None:
            run("create table public.iucore_alembic_version (version_num varchar(32) not null primary key)")
            run(f"insert into public.iucore_alembic_version values ('{copy.bound.base}')")  # noqa: S608
            run("grant select on public.iucore_alembic_version to iucore_reader")


def _without_roles(items: list[Item], own_server: bool) -> list[Item]:
    """On a server that has roles of its own, they are as they are there."""
    return items if own_server else [item for item in items if item.kind != "role"]

"""The preflight: 14 checks that must be green before a production apply.

It only reads: no statement of it writes, or locks more than a reader does. Each check runs in a savepoint of its own,
and one that ends with an error is red. What is wrong is told once: of the inventory, roles and owners are for check 2,
objects that are not there for 6, invalid indexes and constraints for 8, everything else that differs for 7.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy.exc import DBAPIError

from iucore import _paths, errors, inventory
from iucore.operations import backup, evidence, health, migrate, rehearsal

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from iucore.inventory import Difference, Item
    from iucore.operations.evidence import Identity

FLOORS = {15: 14, 16: 10, 17: 6, 18: 0}
"""The lowest minor version of each major: below it a dump may run code where it is restored (CVE-2025-8714, -8715)."""

LOCK_TIMEOUT = "2s"
"""How long a check waits for a lock that another session holds on a catalog or a table; then it is red."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is still green; durations as ``"24h"``. See ``LIMITS``.

    Attributes:
        backup_age: of the newest backup.
        rehearsal_age: of the rehearsal of the pending revisions.
        transaction_age: of any transaction in the database.
        lock_age: of a transaction that holds a lock on a governed table.
        sequencer_age: of an event that has no place in the ledger, where there is a sequencer.
        connections: how many must be free.
        lossy: whether acknowledged changes may be lost with the primary.
        unknown_disk: whether the free space of the server may be unknown.
        other_major: whether the rehearsal may have been on another major version than that of the server.
    """

    backup_age: str
    rehearsal_age: str
    transaction_age: str
    lock_age: str
    sequencer_age: str
    connections: int
    lossy: bool
    unknown_disk: bool
    other_major: bool


LIMITS: Mapping[str, Limits] = {
    "production": Limits("24h", "7d", "1min", "5s", "60s", 5, lossy=False, unknown_disk=False, other_major=False),
    "staging": Limits("7d", "30d", "10min", "5s", "60s", 2, lossy=True, unknown_disk=True, other_major=True),
}
"""The limits of each target."""


@dataclass(frozen=True, slots=True)
class Expected:
    """The gates that are open and the routes that are on, of all others the contrary; as born unless it is said."""

    open: frozenset[str] = frozenset({"master", "composer"})
    on: frozenset[str] = frozenset()

    @classmethod
    def of(cls, opened: str | None = None, on: str | None = None) -> Expected:
        """Names with commas between; None: what ``IUCORE_EXPECT_OPEN`` and ``IUCORE_EXPECT_ON`` say, else as born.

        >>> sorted(Expected.of("master, composer,delivery").open)
        ['composer', 'delivery', 'master']
        """
        given = {
            "open": os.environ.get("IUCORE_EXPECT_OPEN") if opened is None else opened,
            "on": os.environ.get("IUCORE_EXPECT_ON") if on is None else on,
        }
        return cls(
            **{
                name: frozenset(part.strip() for part in text.split(",") if part.strip())
                for name, text in given.items()
                if text is not None
            }
        )


@dataclass(frozen=True, slots=True)
class Check:
    """One check: what was looked at, what was found, whether that is as it must be, and the next step when not."""

    number: int
    name: str
    looked_at: str
    figure: str
    green: bool
    next: str | None


@dataclass(frozen=True, slots=True)
class Preflight:
    """All checks at one moment.

    ``state`` is that of ``state()``. It and ``newest_revision`` are empty, and ``revision`` is None, where they could
    not be found out: a check is red then.
    """

    at: datetime
    identity: Identity
    target: str
    revision: str | None
    newest_revision: str
    state: str
    checks: list[Check]

    @property
    def green(self) -> bool:
        """Whether all of them are."""
        return all(check.green for check in self.checks)

    def body(self) -> dict[str, Any]:
        """What is written down as evidence."""
        said = {"at": self.at.isoformat(), "green": self.green, "checks": [asdict(check) for check in self.checks]}
        return said | {name: getattr(self, name) for name in ("target", "revision", "newest_revision", "state")}


def preflight(
    connection: Connection,
    *,
    target: str = "production",
    backups: Path,
    max_age: str | None = None,
    limits: Limits | None = None,
    base: str | None = None,
    expected: Expected | None = None,
    free_bytes: int | None = None,
) -> Preflight:
    """Look at everything, in the caller's transaction; nothing is written.

    Args:
        connection: of a login that may migrate.
        target: ``production`` or ``staging``: which limits hold.
        backups: the folder of the backups.
        max_age: how old the backup may be, instead of the limit of the target.
        limits: instead of those of the target.
        base: the revision that the database must be at; None: any that this iucore knows.
        expected: the state of gates and routes; None: ``Expected.of()``.
        free_bytes: what is free on the disk of the server, as its DBA says; None: ``IUCORE_FREE_BYTES``, else what can
            be seen from here.

    Raises:
        iucore.errors.OperationError: IU939, the target is unknown.
    """
    if target not in LIMITS:
        raise errors.OperationError(
            "no target has this name",
            sqlstate="IU939",
            detail=f"target: {target}",
            hint=f"Targets: {', '.join(LIMITS)}",
        )
    chosen = limits or LIMITS[target]
    if free_bytes is None and (given := os.environ.get("IUCORE_FREE_BYTES", "")).isdigit():
        free_bytes = int(given)
    settings = {"search_path": "pg_catalog, pg_temp", "lock_timeout": LOCK_TIMEOUT}
    before = {name: _value(connection, "select current_setting(%s)", name) for name in settings}
    _set(connection, settings)
    looks = _Looks(
        connection,
        backups=backups,
        limits=chosen if max_age is None else replace(chosen, backup_age=max_age),
        base=base,
        expected=expected or Expected.of(),
        free_bytes=free_bytes,
    )
    found = [looks.check(number, *one) for number, one in enumerate(_CHECKS, 1)]
    revision, newest, seen = (
        looks.tried(look) for look in (lambda: looks.revision, lambda: migrate.heads()[-1], looks.state)
    )
    made = Preflight(
        at=_value(connection, "select clock_timestamp()"),
        identity=evidence.identity(connection),
        target=target,
        revision=None if isinstance(revision, Exception) else revision,
        newest_revision="" if newest is None or isinstance(newest, Exception) else newest,
        state="" if seen is None or isinstance(seen, Exception) else seen,
        checks=found,
    )
    _set(connection, before)
    return made


def state(connection: Connection) -> str:
    """A sha256 over revision, inventory, gates, routes, frozen hashes and system identifier, as they are now."""
    return _Looks(connection).state()


# ----------------------------------------------------------------------------------------------------- what is shared

# The figure, whether it is green, and the next step.
_Told = tuple[str, bool, str | None]


Found = TypeVar("Found")


@dataclass
class _Looks:
    """What more than one check looks at is looked at once."""

    connection: Connection
    backups: Path = field(default_factory=Path)
    limits: Limits = LIMITS["production"]
    base: str | None = None
    expected: Expected = field(default_factory=Expected)
    free_bytes: int | None = None

    def check(self, number: int, name: str, looked_at: str, look: Callable[[_Looks], _Told]) -> Check:
        found = self.tried(lambda: look(self))
        if isinstance(found, Exception):
            return Check(number, name, looked_at, f"error: {_said(found)}", False, _way_out(found, self.login))
        figure, green, then = found
        return Check(number, name, looked_at, figure, green, None if green else then)

    def tried(self, look: Callable[[], Found]) -> Found | Exception:
        """What was found, or the error; the transaction goes on."""
        try:
            with self.connection.begin_nested():
                return look()
        except DBAPIError as error:
            if error.connection_invalidated:
                raise
            return error
        except Exception as error:  # whatever a damaged catalog or installation leads to
            return error

    @cached_property
    def login(self) -> str:
        return str(_value(self.connection, "select current_user"))

    @cached_property
    def revisions(self) -> list[str]:
        """The rows of the version table; none where there is no table."""
        if _value(self.connection, "select to_regclass('public.iucore_alembic_version')") is None:
            return []
        rows = self.connection.exec_driver_sql("select version_num from public.iucore_alembic_version")
        return [str(value) for value in rows.scalars()]

    @cached_property
    def revision(self) -> str | None:
        """The one that the others look at; where there are several, the newest that is known."""
        known = migrate.revisions()
        return max(self.revisions, key=lambda one: (one in known, one), default=None)

    @cached_property
    def _items(self) -> list[Item] | Exception:
        return self.tried(lambda: inventory.actual(self.connection))

    @property
    def items(self) -> list[Item]:
        """What there is; an error is kept too, since it may have waited for a lock."""
        if isinstance(self._items, Exception):
            raise self._items
        return self._items

    @cached_property
    def declared(self) -> list[Item]:
        return [] if self.revision is None else inventory.expected(self.revision)

    @cached_property
    def differences(self) -> list[Difference]:
        return inventory.compare(self.declared, self.items)

    @cached_property
    def foreign_owners(self) -> dict[str, str]:
        """What the inventory expects and another role owns: name without arguments, and the role."""
        owned = {one.object.partition("(")[0] for one in self.declared}
        rows = self.connection.exec_driver_sql(_OWNERS, execution_options={"no_parameters": True})
        return {name: owner for name, owner in rows if name in owned}

    @cached_property
    def invalid(self) -> dict[tuple[str, str], str]:
        """Indexes and constraints that are not valid: kind and name, and what is wrong."""
        rows = self.connection.exec_driver_sql(_INVALID, execution_options={"no_parameters": True})
        return {(kind, name): wrong for kind, name, wrong in rows}

    @cached_property
    def identity(self) -> Identity:
        return evidence.identity(self.connection)

    @cached_property
    def newest_backup(self) -> backup.Backup | None:
        """The newest of this very database that says of itself that it is whole."""
        return next((one for one in self._own_backups() if one.problem is None), None)

    def _own_backups(self) -> list[backup.Backup]:
        return [
            one
            for one in backup.backups(self.backups)
            if one.problem is not None or one.identity.same_database(self.identity)
        ]

    @cached_property
    def switches(self) -> tuple[dict[str, bool], dict[str, bool]]:
        """Gates, whether they are open, and routes, whether they are on; empty where the revision has none."""
        found = []
        for table, name, switch in (("gate", "gate", "is_open"), ("route", "route", "execution_enabled")):
            there = _value(self.connection, f"select to_regclass('iucore.{table}') is not null")
            sql = f"select {name}, {switch} from iucore.{table} order by 1"  # noqa: S608
            found.append({row[0]: row[1] for row in self.connection.exec_driver_sql(sql)} if there else {})
        return found[0], found[1]

    def state(self) -> str:
        gates, routes = self.switches
        seen = {
            "revisions": sorted(self.revisions),
            "inventory": inventory.fingerprint(self.items),
            "gates": gates,
            "routes": routes,
            "frozen": rehearsal.frozen(),
            "system_identifier": self.identity.system_identifier,
        }
        return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()


# Owner of each object, named as in the inventory but for the arguments of functions.
_OWNERS = """
select o.name, pg_get_userbyid(o.owner)
from (
    select n.nspname::text as name, n.nspowner as owner from pg_namespace as n where n.nspname = 'iucore'
    union all
    select 'iucore.' || c.relname, c.relowner from pg_class as c
    where c.relnamespace = to_regnamespace('iucore') and c.relkind in ('r', 'p', 'f', 'v', 'm', 'S')
    union all
    select 'iucore.' || p.proname, p.proowner from pg_proc as p where p.pronamespace = to_regnamespace('iucore')
    union all
    select 'iucore.' || y.typname, y.typowner from pg_type as y
    left join pg_class as c on c.oid = y.typrelid
    where y.typnamespace = to_regnamespace('iucore')
        and (y.typtype in ('e', 'd', 'r', 'm') or (y.typtype = 'c' and c.relkind = 'c'))
    union all
    select 'iucore.' || s.stxname, s.stxowner from pg_statistic_ext as s
    where s.stxnamespace = to_regnamespace('iucore')
) as o (name, owner)
where pg_get_userbyid(o.owner) <> 'iucore_owner'
order by o.name collate "C"
"""

_INVALID = """
select 'index', 'iucore.' || c.relname, concat_ws(', ', case when not i.indisvalid then 'invalid' end,
    case when not i.indisready then 'not ready' end, case when not i.indislive then 'being dropped' end)
from pg_index as i
join pg_class as c on c.oid = i.indexrelid
where c.relnamespace = to_regnamespace('iucore') and not (i.indisvalid and i.indisready and i.indislive)
union all
select case k.contype when 'n' then 'column' else 'constraint' end,
    case when k.contype = 'n' then format('iucore.%s.%s', c.relname, a.attname)
        else concat('iucore.', coalesce(c.relname, y.typname), '.', k.conname) end, 'not validated'
from pg_constraint as k
left join pg_class as c on c.oid = k.conrelid
left join pg_attribute as a on a.attrelid = k.conrelid and a.attnum = k.conkey[1]
left join pg_type as y on y.oid = k.contypid
where k.connamespace = to_regnamespace('iucore') and not k.convalidated
order by 1, 2
"""


# --------------------------------------------------------------------------------------------------------- the checks


def _server(looks: _Looks) -> _Told:
    number, version, recovering, names, commits = looks.connection.exec_driver_sql(
        "select current_setting('server_version_num')::integer, current_setting('server_version'), pg_is_in_recovery(),"
        " current_setting('synchronous_standby_names'), current_setting('synchronous_commit')"
    ).one()
    major, minor = divmod(number, 10_000)
    floor = FLOORS.get(major, 0 if major > max(FLOORS) else None)
    if floor is None or minor < floor:
        wanted = f"{major}.{floor}" if floor is not None else f"{min(FLOORS)}.{FLOORS[min(FLOORS)]}"
        return f"{version}, lowest {wanted}", False, f"Upgrade the server to {wanted} or later."
    if recovering:
        return f"{version}, a standby", False, "Name the primary: iucore preflight --url URL"
    standbys, synchronous = looks.connection.exec_driver_sql(_STANDBYS).one()
    if not standbys:
        return f"{version}, primary, no standby", True, None
    if names.strip() and not synchronous:
        told = f"{version}, primary, {standbys} connected, none of them one of those that commits wait for: {names}"
        return told, False, "Start the standby that is named, or name one that is connected: synchronous_standby_names"
    if names.strip() and commits not in ("off", "local"):
        return f"{version}, primary, {standbys} connected, synchronous: {names}", True, None
    why = "synchronous_standby_names is empty" if not names.strip() else f"synchronous_commit is {commits}"
    return (
        f"{version}, primary, {standbys} connected, asynchronous, which is lossy: {why}",
        looks.limits.lossy,
        "alter system set synchronous_standby_names = 'NAME' and pg_reload_conf(), or Patroni's synchronous_mode",
    )


# Logical subscribers and pg_basebackup are no standbys. What a login may not see counts.
_STANDBYS = """
select count(*), count(*) filter (where r.sync_state is null or r.sync_state in ('sync', 'quorum'))
from pg_stat_replication as r
left join pg_replication_slots as s on s.active_pid = r.pid
where s.slot_type is distinct from 'logical' and r.state is distinct from 'backup'
"""


def _roles(looks: _Looks) -> _Told:
    rows = looks.connection.exec_driver_sql(_MAY_MIGRATE, {"roles": list(_ROLES)})
    missing, may_create, member, creates, stranger, writes = rows.one()
    wrong = [f"{one.status} role {one.object}" for one in looks.differences if one.kind == "role"]
    wrong += [f"{name} is owned by {owner}" for name, owner in looks.foreign_owners.items()]
    if not may_create:
        # Whoever may, makes in the upgrade those that the revision does not declare yet.
        wrong += [told for name in missing if (told := f"missing role {name}") not in wrong]
    if wrong:
        return _some(wrong), False, "psql -f sql/grants/roles.sql; alter TABLE ... owner to iucore_owner"
    if not (member or may_create):
        return f"{looks.login} is no member of iucore_owner", False, f"grant iucore_owner to {looks.login}"
    if not creates:
        granted = f'grant create on database "{looks.identity.database}" to {looks.login}'
        return f"{looks.login} may not create in this database", False, granted
    if stranger is not None:
        told = f"the version table belongs to {stranger}, who may not migrate"
        return told, False, f"alter table public.iucore_alembic_version owner to {looks.login}"
    if not writes:
        told, what = f"{looks.login} may not write the version table, or make it", "on public.iucore_alembic_version"
        if not looks.revisions:
            what = f"on schema public to {looks.login}, as the owner of it, or insert, update, delete {what}"
            return told, False, f"grant create {what}"
        return told, False, f"grant select, insert, update, delete {what} to {looks.login}"
    declared = sum(one.kind == "role" for one in looks.declared)
    return f"{declared} roles, all objects owned by iucore_owner, {looks.login} may migrate", True, None


_ROLES = (
    "iucore_owner",
    "iucore_reader",
    "iucore_author",
    "iucore_operator",
    "iucore_gatekeeper",
    "iucore_worker",
    "iucore_auditor",
)

# From 16 on a member may lack the right to become the role.
_MAY_MIGRATE = """
select array(select w.name from unnest(%(roles)s::text[]) as w (name) where to_regrole(w.name) is null),
    (select r.rolsuper or r.rolcreaterole from pg_roles as r where r.rolname = current_user),
    coalesce(pg_has_role(to_regrole('iucore_owner')::oid, 'usage') and pg_has_role(to_regrole('iucore_owner')::oid,
        case when current_setting('server_version_num')::integer >= 160000 then 'set' else 'member' end), false),
    to_regnamespace('iucore') is not null or has_database_privilege(current_database(), 'create'),
    (
        -- As alembic/env.py asks.
        select pg_get_userbyid(c.relowner) from pg_class as c
        where c.oid = to_regclass('public.iucore_alembic_version')
            and c.relowner <> (select r.oid from pg_roles as r where r.rolname = current_user)
            and not (select r.rolsuper from pg_roles as r where r.oid = c.relowner)
            and c.relowner <> (select d.datdba from pg_database as d where d.datname = current_database())
            and not coalesce(pg_has_role(c.relowner, to_regrole('iucore_owner')::oid, 'member'), false)
    ),
    case
        when to_regnamespace('public') is null then false
        when to_regclass('public.iucore_alembic_version') is null then has_schema_privilege('public', 'create')
        else (
            select bool_and(has_table_privilege(to_regclass('public.iucore_alembic_version'), w.privilege))
            from unnest(array['select', 'insert', 'update', 'delete']) as w (privilege)
        )
    end
"""


def _backup(looks: _Looks) -> _Told:
    found = looks.newest_backup
    make = "iucore backup create"
    if found is None:
        damaged = [f"{one.folder}: {one.problem}" for one in looks._own_backups()]
        told = f"none of this database in {looks.backups}" + (f"; {_some(damaged)}" if damaged else "")
        return told, False, make
    age, young = _age(found.made_at, looks.limits.backup_age)
    told = f"{found.folder.name}, {age} old, limit {looks.limits.backup_age}, {_size(found.bytes)}"
    if not young:
        return told, False, make
    try:
        backup.verify(found.folder, identity=looks.identity)
    except errors.OperationError as error:
        return f"{told}; {_said(error)}", False, f"{make}; what is wrong: iucore backup verify {found.folder}"
    client = f"pg_dump {found.client_version}, server {found.server_version}"
    return f"{told}, every block read, sha256 {found.sha256[:12]}, {client}, at {found.revision or 'base'}", True, None


def _base(looks: _Looks) -> _Told:
    rows = looks.revisions
    if len(rows) > 1:
        return (
            f"{len(rows)} rows: {', '.join(rows)}",
            False,
            "Leave the one that iucore inventory verify confirms in public.iucore_alembic_version.",
        )
    at = rows[0] if rows else "base"
    if not rows and _value(looks.connection, "select to_regnamespace('iucore')") is not None:
        return "no row, and there is a schema iucore", False, "Put back the version table: docs/install.md"
    if looks.base is not None and at != looks.base:
        return f"at {at}, expected {looks.base}", False, "Look which one is right: iucore db current"
    if rows and at not in migrate.revisions():
        return f"at {at}, which this iucore does not know", False, "pip install --upgrade iucore"
    said = "as expected" if looks.base is not None else "one row" if rows else "nothing is installed"
    return f"at {at}, {said}", True, None


def _frozen(_: _Looks) -> _Told:
    folder, again = _paths.alembic_dir(), "pip install --force-reinstall iucore"
    try:
        heads = migrate.heads()
        lines = (folder / "frozen.sha256").read_text("utf-8").splitlines()
    except Exception as error:  # what a revision that was edited raises
        return f"the revisions cannot be read: {_said(error)}", False, again
    listed: dict[str, str] = {}
    for line in lines:
        digest, _sep, name = line.partition("  ")
        listed[name] = digest
    there = {
        path.relative_to(folder).as_posix(): path
        for path in (folder / "versions").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    wrong = [f"missing {name}" for name in sorted(listed.keys() - there.keys())]
    wrong += [f"not frozen {name}" for name in sorted(there.keys() - listed.keys())]
    for name in sorted(listed.keys() & there.keys()):
        if hashlib.sha256(there[name].read_bytes()).hexdigest() != listed[name]:
            wrong.append(f"altered {name}")
    if len(heads) != 1:
        wrong.append(f"{len(heads)} heads: {', '.join(heads)}")
    if wrong:
        return _some(wrong), False, again
    return f"head {heads[0]}, {len(listed)} files as frozen", True, None


def _inventory(looks: _Looks) -> _Told:
    missing = [one for one in looks.differences if one.status == "missing" and one.kind != "role"]
    told = f"{len(looks.declared) - len(missing)}/{len(looks.declared)} at {looks.revision or 'base'}"
    if missing:
        return f"{told}; {_named(missing)}", False, "iucore inventory verify"
    return told, True, None


def _drift(looks: _Looks) -> _Told:
    foreign = looks.foreign_owners
    differ = [
        one
        for one in looks.differences
        if one.status != "missing"
        and one.kind != "role"
        and (one.kind, one.object) not in looks.invalid
        and not (one.status == "altered" and one.object.partition("(")[0] in foreign)
    ]
    if differ:
        return _named(differ), False, "iucore inventory verify; put back what is altered, drop what is unexpected"
    return f"0 altered, 0 unexpected of {len(looks.items)}", True, None


def _valid(looks: _Looks) -> _Told:
    if looks.invalid:
        told = [f"{kind} {name}: {wrong}" for (kind, name), wrong in looks.invalid.items()]
        fix = "reindex index concurrently INDEX, or drop it; alter table TABLE validate constraint NAME"
        return _some(told), False, fix
    return "0 invalid, 0 not validated", True, None


def _alone(looks: _Looks) -> _Told:
    key = {"high": migrate.LOCK >> 32, "low": migrate.LOCK & 0xFFFFFFFF}
    migrators = list(looks.connection.exec_driver_sql(_MIGRATORS, key).scalars())
    prepared = list(looks.connection.exec_driver_sql(_PREPARED).scalars())
    if migrators:
        return (
            f"migrator: {', '.join(migrators)}",
            False,
            "Wait for it to end, or end it: select pg_terminate_backend(PID)",
        )
    if prepared:
        return f"prepared: {_some(prepared)}", False, "commit prepared 'NAME', or rollback prepared 'NAME'"
    return "no migrator, no prepared transaction", True, None


_MIGRATORS = """
select concat('pid ', l.pid, case when l.granted then '' else ' (waiting)' end)
from pg_locks as l
where l.locktype = 'advisory' and l.classid = %(high)s and l.objid = %(low)s and l.objsubid = 1
    and l.database = (select d.oid from pg_database as d where d.datname = current_database())
    and l.pid is distinct from pg_backend_pid()
order by l.granted desc, l.pid
"""
_PREPARED = """
select concat(p.gid, ' since ', date_trunc('second', p.prepared))
from pg_prepared_xacts as p where p.database = current_database() order by p.prepared
"""


def _quiet(looks: _Looks) -> _Told:
    limits = looks.limits
    rows = looks.connection.exec_driver_sql(
        _SESSIONS,
        {"long": migrate.seconds(limits.transaction_age), "locked": migrate.seconds(limits.lock_age)},
    ).all()
    if hidden := [row.pid for row in rows if row.hidden]:
        told = f"{len(hidden)} sessions of other roles cannot be looked into"
        return told, False, f"grant pg_read_all_stats to {looks.login}"
    if rows:
        sessions = [f"pid {row.pid} ({row.who}), {row.age:.0f} s{row.holds}" for row in rows]
        return _some(sessions), False, "Let it end, or end it: select pg_terminate_backend(PID)"
    return f"none over {limits.transaction_age}, none with a lock over {limits.lock_age}", True, None


# Autovacuum gives way by itself. Rows of other roles are hidden from who may not read all statistics.
_SESSIONS = """
select s.pid, s.hidden, s.age::float8, s.who, coalesce(', locks ' || s.tables, '') as holds
from (
    select a.pid, a.query = '<insufficient privilege>' as hidden,
        extract(epoch from clock_timestamp() - a.xact_start) as age,
        concat_ws(', ', a.usename, nullif(a.application_name, ''), a.state) as who,
        (
            select string_agg(distinct c.relname, ', ')
            from pg_locks as l
            join pg_class as c on c.oid = l.relation
            where l.pid = a.pid and l.granted and l.database = a.datid
                and (c.relnamespace = to_regnamespace('iucore') or c.oid = to_regclass('public.iucore_alembic_version'))
        ) as tables
    from pg_stat_activity as a
    where a.datname = current_database() and a.pid <> pg_backend_pid()
        and coalesce(a.backend_type, '') not in ('autovacuum worker', 'parallel worker')
) as s
where s.hidden or s.age > %(long)s or (s.tables is not null and s.age > %(locked)s)
order by s.age desc nulls last, s.pid
"""


def _switched(looks: _Looks) -> _Told:
    gates, routes = looks.switches
    expected = looks.expected
    wrong = [
        f"gate {gate} is {'open' if is_open else 'closed'}"
        for gate, is_open in gates.items()
        if is_open != (gate in expected.open)
    ]
    wrong += [
        f"route {route} is {'on' if is_on else 'off'}"
        for route, is_on in routes.items()
        if is_on != (route in expected.on)
    ]
    if wrong:
        then = "iucore gate open|close, iucore route on|off; or say what is expected: --expect-open, --expect-on"
        return _some(wrong), False, then
    opened = ", ".join(gate for gate, is_open in gates.items() if is_open) or "none"
    on = ", ".join(route for route, is_on in routes.items() if is_on) or "none"
    return f"open: {opened}; on: {on}", True, None


def _outbox(looks: _Looks) -> _Told:
    connection = looks.connection
    if _value(connection, "select to_regclass('iucore.v_outbox_health')") is None:
        return "no delivery at this revision", True, None
    waiting, oldest, runs = connection.exec_driver_sql(
        "select coalesce(sum(h.unsequenced), 0), coalesce(max(h.oldest_seconds), 0)::float8,"
        " bool_or(h.sequenced_at is not null) from iucore.v_outbox_health as h"
    ).one()
    moved = _value(connection, health.MOVED)
    dead = _value(connection, "select count(*) from iucore.v_dead_letter as d where d.state = 'open'")
    told = f"{waiting} events without a place, the oldest for {oldest:.0f} s; {dead} open dead letters"
    if moved:
        return f"the ledger was written in another cluster; {told}", False, "iucore sequencer rebase -m WHY"
    if runs and oldest > migrate.seconds(looks.limits.sequencer_age):
        return f"{told}; limit {looks.limits.sequencer_age}", False, "iucore worker run --once; why: iucore status"
    if dead:
        return told, False, "iucore route dead; then for each iucore route replay or skip ROUTE --dead N -m WHY"
    return told if runs else f"{told}; no worker has run yet", True, None


def _rehearsed(looks: _Looks) -> _Told:
    known = migrate.revisions()
    at = looks.revision
    if at is not None and at not in known:
        return f"at {at}, which this iucore does not know", False, "pip install --upgrade iucore"
    pending = known[0 if at is None else known.index(at) + 1 :]
    if not pending:
        return "nothing is pending", True, None
    versions = _paths.alembic_dir() / "versions"
    lacking = [
        f"{name} of {revision}"
        for revision in pending
        for name in ("undo.sql", "verify.sql")
        if not any(versions.glob(f"{revision}_*/{name}"))
    ]
    if lacking:
        return f"missing: {_some(lacking)}", False, "pip install --force-reinstall iucore"
    told = f"{len(pending)} pending, each with undo.sql and verify.sql"
    wanted, make = rehearsal.bound(at), "iucore db rehearse"
    every = evidence.every("rehearsal", looks.identity)
    fitting = [one for one in every if rehearsal.misfit(one, wanted) is None]
    if not fitting:
        why = f"the newest does not fit: {rehearsal.misfit(every[0], wanted)}" if every else "none"
        return f"{told}; rehearsal: {why}", False, make
    major = looks.identity.server_version.partition(".")[0]
    same = [one for one in fitting if str(one.body["server_version"]).partition(".")[0] == major]
    newest = [*same, *fitting][0]
    if rehearsal.failed(newest):
        return f"{told}; the newest rehearsal failed: {_some(newest.body['wrong'])}", False, make
    age, young = _age(newest.made_at, looks.limits.rehearsal_age)
    told += f"; rehearsed up, down and up on {newest.body['server_version']}"
    told += f", {age} ago, limit {looks.limits.rehearsal_age}"
    if young and not same and not looks.limits.other_major:
        then = f"{make} --scratch URL of a server of PostgreSQL {major}, or install its server programs here"
        return f"{told}; the server is of {major}", False, then
    return told, young, make


def _room(looks: _Looks) -> _Told:
    database, largest, free_slots = looks.connection.exec_driver_sql(_SIZES).one()
    found = looks.tried(lambda: looks.newest_backup)
    dump = database if found is None or isinstance(found, Exception) else found.bytes
    of = "as the tables are large" if dump == database else "as the newest backup"
    need = 2 * dump + largest
    told = f"wanted {_size(need)} (twice a dump of {_size(dump)}, {of}, and the largest table, {_size(largest)})"
    places = {f"backups ({looks.backups})": _free(looks.backups)}
    server = looks.free_bytes if looks.free_bytes is not None else _server_free(looks)
    if server is not None:
        places["server" + (", as given" if looks.free_bytes is not None else "")] = server
    told += "; free " + ", ".join(f"{name}: {_size(free)}" for name, free in places.items())
    if server is None:
        told += ", server: not known from here"
    told += f"; {free_slots} connections free, wanted {looks.limits.connections}"
    if any(free < need for free in places.values()):
        return told, False, "Make room on the disk that is named, or name another folder: --backups DIR"
    if server is None and not looks.limits.unknown_disk:
        return told, False, "Ask the DBA of the server and say it: iucore preflight --free-bytes N"
    if free_slots < looks.limits.connections:
        return told, False, "Close sessions, or raise max_connections."
    return told, True, None


# The governed tables with their indexes and TOAST; and the sessions that this login may still open.
_SIZES = """
select s.total::bigint, s.largest::bigint, least(
    current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
        - coalesce(current_setting('reserved_connections', true)::integer, 0)
        - (select count(*) from pg_stat_activity as a where a.usesysid is not null),
    case when d.datconnlimit >= 0 then d.datconnlimit
        - (select count(*) from pg_stat_activity as a where a.datid = d.oid and a.usesysid is not null)
    end
)
from pg_database as d
cross join (
    select coalesce(sum(pg_total_relation_size(c.oid)), 0) as total,
        coalesce(max(pg_total_relation_size(c.oid)), 0) as largest
    from pg_class as c
    where c.relnamespace = to_regnamespace('iucore') and c.relkind = 'r'
) as s
where d.datname = current_database()
"""


def _server_free(looks: _Looks) -> int | None:
    """What is free on the disk of the server's data folder, where that is surely on this machine."""
    data, by_socket, near = looks.connection.exec_driver_sql(
        "select case when pg_has_role('pg_read_all_settings', 'usage') then current_setting('data_directory') end,"
        " inet_server_addr() is null, coalesce(inet_server_addr() = inet_client_addr(), true)"
    ).one()
    if data is None or not near:
        return None
    with suppress(OSError):
        try:
            # A tunnel, or the port of a container, also ends at an address of this machine.
            with (Path(data) / "global" / "pg_control").open("rb") as file:
                same = int.from_bytes(file.read(8), sys.byteorder) == int(looks.identity.system_identifier)
        except PermissionError:
            same = by_socket
        return _free(Path(data)) if same else None
    return None


def _free(folder: Path) -> int:
    """What is free where a folder is, or will be made."""
    there = next(one for one in [folder.absolute(), *folder.absolute().parents] if one.exists())
    found = os.statvfs(there)
    return found.f_bavail * found.f_frsize


_CHECKS: tuple[tuple[str, str, Callable[[_Looks], _Told]], ...] = (
    ("server", "version, recovery, pg_stat_replication, synchronous_standby_names", _server),
    ("roles", "roles, memberships, owners of all objects, what this login may", _roles),
    ("backup", "the newest backup of this database: age, sha256, every block, versions", _backup),
    ("base", "public.iucore_alembic_version", _base),
    ("migrations", "heads, alembic/frozen.sha256", _frozen),
    ("inventory", "objects, gates, event types and routes that the revision declares", _inventory),
    ("drift", "fingerprints: definition, privileges, settings, comment; objects that are not declared", _drift),
    ("validity", "pg_index, pg_constraint", _valid),
    ("alone", "the migrators' advisory lock, pg_prepared_xacts", _alone),
    ("quiet", "pg_stat_activity, pg_locks on governed tables", _quiet),
    ("switches", "gates, execution_enabled of every route", _switched),
    ("outbox", "v_outbox_health, sequencer_batch, v_dead_letter", _outbox),
    ("rehearsal", "undo.sql and verify.sql of each pending revision, evidence of a rehearsal", _rehearsed),
    ("room", "free disk for backups and server, pg_total_relation_size, max_connections", _room),
)


# ------------------------------------------------------------------------------------------------------ small helpers


def _value(connection: Connection, sql: str, *values: Any) -> Any:
    return connection.exec_driver_sql(sql, values).scalar_one_or_none()


def _set(connection: Connection, settings: Mapping[str, str]) -> None:
    for setting in settings.items():
        connection.exec_driver_sql("select pg_catalog.set_config(%s, %s, true)", setting)


def _age(made_at: datetime, limit: str) -> tuple[str, bool]:
    """How old it is, and whether that is within the limit. What comes from the future is not: a clock was set."""
    age = datetime.now(UTC) - made_at
    young = timedelta(minutes=-1) <= age <= timedelta(seconds=migrate.seconds(limit))
    return str(timedelta(seconds=round(age.total_seconds()))), young


def _named(differences: Iterable[Difference]) -> str:
    return _some([f"{one.status} {one.kind} {one.object}" for one in differences])


def _some(told: list[str]) -> str:
    more = len(told) - 5
    return "; ".join(told[:5]) + (f"; and {more} more" if more > 0 else "")


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def _said(error: Exception) -> str:
    text = str(error.orig).strip() if isinstance(error, DBAPIError) else str(error) or type(error).__name__
    return " ".join(text.split())


def _way_out(error: Exception, login: str) -> str:
    code = getattr(getattr(error, "orig", None), "sqlstate", None) or getattr(
        getattr(error, "orig", None), "pgcode", None
    )
    if code == "42501" and "iucore_alembic_version" in str(error):
        return f"grant select, insert, update, delete on public.iucore_alembic_version to {login}"
    if code == "42501":
        return f"grant iucore_owner to {login}"
    if code == "55P03":
        return "Let the session that holds the lock end, or end it: select pg_terminate_backend(PID)"
    return getattr(error, "hint", "") or "Look at what the error names: iucore db verify"

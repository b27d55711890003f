"""What a restore lost: owners, privileges, roles, default privileges, the cluster of the ledger. It only reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from iucore import _paths, inventory
from iucore.errors import OperationError
from iucore.operations import backup, migrate

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from iucore.inventory import Difference

OWNER = "iucore_owner"

_AGAIN = "only where nothing was written since: globals.sql, drop schema iucore cascade, and the whole restore again"
_ROLES = "psql -X -v ON_ERROR_STOP=1 -f globals.sql (or sql/grants/roles.sql), then restore again"
_FOLLOWS = "comes back with the owners and privileges that are named"
_DEFAULTS = "psql -X -v ON_ERROR_STOP=1 -f sql/grants/default_privileges.sql"
_REBASE = "IU915: iucore sequencer rebase -m WHY"


@dataclass(frozen=True, slots=True)
class Lost:
    """One thing that is not as the revision has it; ``next`` is what to do: SQL where there is a single statement."""

    lost: Literal["owner", "privileges", "role", "default privileges", "ledger", "revision", "object"]
    kind: str
    object: str
    found: str
    next: str


@dataclass(frozen=True, slots=True)
class _Standing:
    """An object in the catalog: its owner, and to whom which privilege is granted; None: nothing is stored.

    ``table`` is that whose column draws from it, for a sequence: the owner of both is changed with the table's.
    """

    owner: str
    table: str | None
    grants: frozenset[tuple[str, str]] | None


def check(connection: Connection) -> list[Lost]:
    """Everything that is not as the revision has it, in the caller's transaction; nothing: writers may be let in.

    Takes a login that may read the ledger: ``iucore_auditor``, ``iucore_owner`` or a superuser.

    Raises:
        iucore.errors.OperationError: IU912, there is no iucore here, or its revision is not known.
    """
    revision = migrate.current_of(connection)
    if revision is None:
        if connection.exec_driver_sql("select pg_catalog.to_regnamespace('iucore')").scalar() is None:
            raise OperationError(
                "there is no iucore in this database", sqlstate="IU912", hint="Restore one first: iucore backup list"
            )
        hint = "the revision stands in manifest.json; docs/install.md says how to write it down again"
        found = "not there, or empty: the dump was of the schema alone"
        return [Lost("revision", "table", "public.iucore_alembic_version", found, hint)]
    differences = inventory.compare(inventory.expected(revision), inventory.actual(connection))
    granted = _matrix() if revision in migrate.heads() else None
    standing = _standing(connection)
    roles = set(connection.exec_driver_sql("select r.rolname::text from pg_catalog.pg_roles as r").scalars())
    lost = [each for one in differences for each in _of_a_difference(one, standing, granted, roles)]
    return [*sorted(lost, key=lambda one: (one.lost, one.kind, one.object)), *_ledger(connection)]


def _of_a_difference(
    one: Difference,
    standing: dict[tuple[str, str], _Standing],
    granted: dict[tuple[str, str], frozenset[tuple[str, str]]] | None,
    roles: set[str],
) -> Iterator[Lost]:
    if one.kind == "role" and one.status == "missing":
        has = "there is no such role" if one.object not in roles else "it owns and may do nothing in this database"
        yield Lost("role", one.kind, one.object, has, _ROLES if one.object not in roles else _FOLLOWS)
        return
    if one.kind == "default_privilege":
        yield Lost("default privileges", one.kind, one.object, one.status, _DEFAULTS)
        return
    # A function is named with its arguments; none of ours is overloaded.
    key = one.kind, one.object.partition("(")[0].removeprefix("iucore.")
    here = standing.get(key)
    told = False
    if one.status == "altered" and here is not None:
        if here.owner != OWNER:
            told = True
            named = f"{one.kind} {one.object}" if here.table is None else f"table iucore.{here.table}"
            repair = f"alter {named} owner to {OWNER};"
            yield Lost("owner", one.kind, one.object, f"owned by {here.owner}, not by {OWNER}", repair)
        wanted = None if granted is None else granted.get(key)
        if has := _wrong_grants(one.kind, here, wanted):
            told = True
            yield Lost(
                "privileges", one.kind, one.object, has, _AGAIN if wanted is None else _repair(one, here, wanted)
            )
    if not told:
        yield Lost("object", one.kind, one.object, one.status, "iucore db verify")


def _wrong_grants(kind: str, here: _Standing, wanted: frozenset[tuple[str, str]] | None) -> str:
    """What is granted otherwise; '' for nothing. ``wanted`` is None where only the catalog can be asked."""
    has = _effective(kind, here)
    if wanted is None:
        open_to_all = sorted(privilege for grantee, privilege in has if grantee == "PUBLIC")
        told = f"PUBLIC has {', '.join(open_to_all)}" if open_to_all else ""
        return told or ("none are stored" if here.grants is None and kind not in ("sequence", "table") else "")
    if has == wanted:
        return ""
    if here.grants is None:
        return "none are stored: every grant is lost, and PUBLIC has what PostgreSQL gives by default"
    parts = [f"{grantee} lacks {privilege}" for grantee, privilege in sorted(wanted - has)]
    parts += [f"{grantee} has {privilege}" for grantee, privilege in sorted(has - wanted)]
    return ", ".join(parts)


def _repair(one: Difference, here: _Standing, wanted: frozenset[tuple[str, str]]) -> str:
    """SQL that grants what is missing and revokes what is too much."""
    has = _effective(one.kind, here)
    on = f"{'table' if one.kind == 'view' else one.kind} {one.object}"
    taken = [f"revoke {privilege} on {on} from {_role(role)};" for role, privilege in sorted(has - wanted)]
    given = [f"grant {privilege} on {on} to {_role(role)};" for role, privilege in sorted(wanted - has)]
    return " ".join([*taken, *given])


def _effective(kind: str, here: _Standing) -> frozenset[tuple[str, str]]:
    """Where nothing is stored, PostgreSQL gives PUBLIC what it always does."""
    if here.grants is not None:
        return here.grants
    return frozenset({("PUBLIC", "execute")}) if kind == "function" else frozenset()


def _role(name: str) -> str:
    return "public" if name == "PUBLIC" else backup.identifier(name)


_CATALOG = """
with object as (
    select 'schema' as kind, n.nspname::text as name, n.nspowner as owner, n.nspacl as acl, null::text as linked
    from pg_catalog.pg_namespace as n
    where n.nspname = 'iucore'
    union all
    select case c.relkind when 'S' then 'sequence' when 'v' then 'view' else 'table' end, c.relname::text, c.relowner,
        c.relacl, t.relname::text
    from pg_catalog.pg_class as c
    left join pg_catalog.pg_depend as d on c.relkind = 'S' and d.classid = 'pg_catalog.pg_class'::regclass
        and d.objid = c.oid and d.refclassid = 'pg_catalog.pg_class'::regclass and d.deptype in ('a', 'i')
    left join pg_catalog.pg_class as t on t.oid = d.refobjid
    where c.relnamespace = pg_catalog.to_regnamespace('iucore') and c.relkind in ('r', 'p', 'v', 'S')
    union all
    select 'function', p.proname::text, p.proowner, p.proacl, null
    from pg_catalog.pg_proc as p
    where p.pronamespace = pg_catalog.to_regnamespace('iucore')
)
select o.kind, o.name, pg_catalog.pg_get_userbyid(o.owner)::text, o.linked, o.acl is not null,
    coalesce((
        select array_agg(coalesce(r.rolname, 'PUBLIC')::text || ' ' || lower(x.privilege_type))
        from pg_catalog.aclexplode(o.acl) as x
        left join pg_catalog.pg_roles as r on r.oid = x.grantee
        where x.grantee <> o.owner and x.privilege_type <> 'MAINTAIN'
    ), '{}')
from object as o
"""


def _standing(connection: Connection) -> dict[tuple[str, str], _Standing]:
    rows = connection.exec_driver_sql(_CATALOG, execution_options={"no_parameters": True})
    return {
        (kind, name): _Standing(owner, table, frozenset(_pair(grant) for grant in grants) if stored else None)
        for kind, name, owner, table, stored, grants in rows
    }


def _pair(grant: str) -> tuple[str, str]:
    grantee, _, privilege = grant.rpartition(" ")
    return grantee, privilege


def _matrix() -> dict[tuple[str, str], frozenset[tuple[str, str]]]:
    """What ``sql/grants/matrix.txt`` grants on each object of the newest revision."""
    found: dict[tuple[str, str], frozenset[tuple[str, str]]] = {}
    for line in (_paths.sql_dir() / "grants" / "matrix.txt").read_text("utf-8").splitlines():
        words = line.split("#")[0].split()
        if words and words[0] in ("schema", "table", "view", "sequence", "function"):
            kind, name, privilege, *roles = words
            pairs = {(role, privilege) for role in roles}
            found[kind, name] = found.get((kind, name), frozenset()) | pairs
    return found


def _ledger(connection: Connection) -> Iterator[Lost]:
    if connection.exec_driver_sql("select pg_catalog.to_regclass('iucore.sequencer_batch')").scalar() is None:
        return
    asked = "select pg_catalog.has_table_privilege('iucore.{}', 'select')"
    if not all(connection.exec_driver_sql(asked.format(name)).scalar() for name in ("sequencer_batch", "event_outbox")):
        yield Lost(
            "ledger", "table", "iucore.sequencer_batch", "this login may not ask", "grant iucore_auditor to LOGIN"
        )
        return
    row = connection.exec_driver_sql(_CLUSTER).one()
    if row.foreign_to_this:
        found = f"written in the cluster {row.known or '(none yet)'}, this one is {row.here}"
        yield Lost("ledger", "table", "iucore.sequencer_batch", found, _REBASE)


# As fn_iu_sequence sees it: before the first batch a restore shows in transaction ids that this cluster has not given.
_CLUSTER = """
select b.system_identifier::text as known, c.system_identifier::text as here,
    case when b.batch is null then exists (
        select from iucore.event_outbox as o
        where o.xid >= pg_snapshot_xmax(pg_current_snapshot())
            and o.xid is distinct from pg_current_xact_id_if_assigned()
    ) else b.system_identifier <> c.system_identifier end as foreign_to_this
from pg_control_system() as c
left join lateral (
    select s.batch, s.system_identifier from iucore.sequencer_batch as s order by s.batch desc limit 1
) as b on true
"""

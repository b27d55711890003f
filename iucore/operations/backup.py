"""Backups: an archive of pg_dump, the roles that it needs, and a manifest of what was in the database at that moment.

A backup is a folder ``<database>-<moment>`` with four files, readable by its owner only::

    database.dump   the whole database, in the custom format of pg_dump
    globals.sql     the roles that it names, and their memberships; never a password
    manifest.json   which database, which versions, row counts and hashes of every governed table
    SHA256SUMS      of the three, for sha256sum -c

It is written under another name and renamed when all of it is on disk. Archive and manifest are of one snapshot. The
hashes are checksums, against files that were damaged or edited by mistake: who may write the folder may forge it.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import iucore
from iucore import embedded, inventory
from iucore.errors import OperationError
from iucore.operations import evidence, migrate, programs

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from iucore.operations.evidence import Identity

DUMP, GLOBALS, MANIFEST, SUMS = "database.dump", "globals.sql", "manifest.json", "SHA256SUMS"

Told = Callable[[str], None]

_FORMAT = 1
_CHUNK = 1024 * 1024
_LOCK_WAIT = "1min"
_UNFINISHED = ".unfinished"


@dataclass(frozen=True, slots=True)
class Role:
    """A role as ``globals.sql`` makes it. Superuser and other rights of the cluster it does not give."""

    name: str
    login: bool
    inherit: bool
    connection_limit: int
    valid_until: str | None
    comment: str | None
    superuser: bool

    def statements(self) -> list[str]:
        """SQL that makes the role where it is missing."""
        name = identifier(self.name)
        options = ["login" if self.login else "nologin", "inherit" if self.inherit else "noinherit"]
        if self.connection_limit != -1:
            options.append(f"connection limit {self.connection_limit}")
        if self.valid_until is not None:
            options.append(f"valid until {_literal(self.valid_until)}")
        made = [f"create role {name} {' '.join(options)};"]
        if self.comment is not None:
            made.append(f"comment on role {name} is {_literal(self.comment)};")
        return made


@dataclass(frozen=True, slots=True)
class Membership:
    """A role that is granted to another. ``options`` are None where they are as the member's own attributes say."""

    role: str
    member: str
    admin: bool
    inherit: bool | None
    set: bool | None

    def statement(self) -> str:
        """SQL that grants it; where it is granted already nothing changes."""
        options = ["admin option"] if self.admin else []
        # Only 16 and later know these two; "with admin option" is written as all versions read it.
        if self.inherit is not None or self.set is not None:
            options = [f"admin {_word(self.admin)}"]
            options += [
                f"{name} {_word(value)}"
                for name, value in (("inherit", self.inherit), ("set", self.set))
                if value is not None
            ]
        with_options = f" with {', '.join(options)}" if options else ""
        return f"grant {identifier(self.role)} to {identifier(self.member)}{with_options};"


@dataclass(frozen=True, slots=True)
class Backup:
    """One backup, as its manifest says.

    ``bytes`` and ``sha256`` are of the archive, taken from the pipe while it was written. ``rows`` and ``hashes`` are
    of every table of schema ``iucore``; below its value in ``sequences`` none may stand after a restore.
    ``drift`` is the fingerprint of each object that was not as the revision says, '' where it was missing.
    ``database_bytes`` is the size of the database itself. ``problem`` says why it is no backup to rely on; None:
    nothing is wrong by what can be seen without reading the archive (``verify`` reads it).
    """

    folder: Path
    made_at: datetime
    problem: str | None = None
    system_identifier: str = ""
    database: str = ""
    database_oid: int = 0
    server_version: str = ""
    client_version: str = ""
    revision: str | None = None
    snapshot: str = ""
    sha256: str = ""
    bytes: int = 0
    toc_entries: int = 0
    globals_sha256: str = ""
    globals_bytes: int = 0
    database_bytes: int = 0
    iucore_version: str = ""
    rows: dict[str, int] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)
    sequences: dict[str, int] = field(default_factory=dict)
    drift: dict[str, str] = field(default_factory=dict)
    roles: list[Role] = field(default_factory=list)
    memberships: list[Membership] = field(default_factory=list)

    @property
    def identity(self) -> Identity:
        """The database of which it is."""
        return evidence.Identity(self.system_identifier, self.database, self.database_oid, self.server_version)


@dataclass(frozen=True, slots=True)
class Content:
    """What the governed tables hold at one moment, as in ``Backup``."""

    rows: dict[str, int]
    hashes: dict[str, str]
    sequences: dict[str, int]


# -------------------------------------------------------------------------------------------------------------- making


def default_folder() -> Path:
    """Where backups are kept unless a folder is named: ``IUCORE_BACKUPS``, else a folder of this user."""
    if given := os.environ.get("IUCORE_BACKUPS"):
        return Path(given).expanduser()
    from platformdirs import user_data_path

    return user_data_path("iucore") / "backups"


def create(
    connection: Connection, url: str, to: Path, *, compress: int | None = None, tell: Told = lambda _: None
) -> Backup:
    """Dump the database that a connection is to, in one snapshot that the connection holds until the end.

    Args:
        connection: without a transaction under way; it must be able to read every table.
        url: of the same database, for pg_dump.
        to: the folder in which the folder of the backup is made.
        compress: 0 (not at all) to 9; None: what pg_dump does by itself.
        tell: gets a line about each step.

    Raises:
        iucore.errors.OperationError: IU908, no pg_dump of the server's version; IU930, the backup could not be made,
            and nothing is left of it; IU934, the login may not read a table.
    """
    with connection.begin():
        connection.exec_driver_sql("set transaction isolation level repeatable read, read only")
        _settle(connection)
        server = int(connection.exec_driver_sql("select current_setting('server_version_num')").scalar_one()) // 10000
        pg_dump = programs.find("pg_dump", at_least=server)
        pg_restore = programs.find("pg_restore", at_least=pg_dump.major)
        _refuse_unreadable(connection)
        identity = evidence.identity(connection)
        with _folder(to, identity.database) as work:
            snapshot = connection.exec_driver_sql("select pg_catalog.pg_export_snapshot()").scalar_one()
            made_at = datetime.now(UTC)
            # Before the dump: a sequence does not heed the snapshot and only grows.
            sequences = _sequences(connection)
            roles, memberships = _roles(connection)
            tell(f"dumping {identity.database} with pg_dump {pg_dump.version}")
            arguments, settings = programs.environment(url, database=identity.database)
            options = ["--format=custom", "--no-toast-compression", "--encoding=UTF8", f"--snapshot={snapshot}"]
            options += [f"--lock-wait-timeout={_LOCK_WAIT}"]
            options += [] if compress is None else [f"--compress={compress}"]
            with _written(work / DUMP) as (write, wrote):
                try:
                    warned = programs.run(pg_dump, [*options, *arguments], settings, take=write)
                except programs.ProgramError as error:
                    raise _not_made(error.said, _way_out(error.said)) from error
            for line in warned.splitlines():
                tell(line)
            tell(f"{wrote.bytes} bytes; counting and hashing the governed tables")
            rows, hashes = _content(connection)
            revision = migrate.current_of(connection)
            backup = Backup(
                folder=work,
                made_at=made_at,
                system_identifier=identity.system_identifier,
                database=identity.database,
                database_oid=identity.database_oid,
                server_version=identity.server_version,
                client_version=pg_dump.version,
                revision=revision,
                snapshot=snapshot,
                sha256=wrote.digest.hexdigest(),
                bytes=wrote.bytes,
                toc_entries=_entries(pg_restore, work / DUMP)[0],
                database_bytes=connection.exec_driver_sql("select pg_database_size(current_database())").scalar_one(),
                iucore_version=iucore.__version__,
                rows=rows,
                hashes=hashes,
                sequences=sequences,
                drift=drift(connection, revision),
                roles=roles,
                memberships=memberships,
            )
            return _finish(work, backup)


def content(connection: Connection) -> Content:
    """Rows, hashes and sequences of the governed tables, in the caller's transaction.

    A hash is the sum of a hash of each row: it does not depend on their order. It is computed in the server, under
    settings of this transaction that make the text of a row the same everywhere.
    """
    _settle(connection)
    return Content(*_content(connection), _sequences(connection))


def drift(connection: Connection, revision: str | None) -> dict[str, str]:
    """The fingerprints of the objects that are not as a revision says, as in ``Backup``; of an unknown one, none."""
    if revision not in migrate.revisions():
        return {}
    actual = inventory.actual(connection)
    there = {(item.kind, item.object): item.fingerprint for item in actual}
    differences = inventory.compare(inventory.expected(revision), actual)
    return {f"{one.kind} {one.object}": there.get((one.kind, one.object), "") for one in differences}


_TABLES = (
    "select c.relname::text from pg_catalog.pg_class as c"
    " where c.relnamespace = pg_catalog.to_regnamespace('iucore') and {} order by c.relname collate \"C\""
)

# 128 bits of the sha256 of each row, added up in two halves. A row is written as PostgreSQL writes a composite value.
_HASH = """
select count(*),
    encode(sha256(convert_to(concat_ws(' ', count(*), sum(('x' || left(r.hash, 16))::bit(64)::bigint),
        sum(('x' || substr(r.hash, 17, 16))::bit(64)::bigint)), 'UTF8')), 'hex')
from (select encode(sha256(convert_to(t::text, 'UTF8')), 'hex') as hash from iucore.{} as t) as r
"""


def _content(connection: Connection) -> tuple[dict[str, int], dict[str, str]]:
    rows: dict[str, int] = {}
    hashes: dict[str, str] = {}
    for table in _names(connection, "c.relkind in ('r', 'p') and not c.relispartition"):
        rows[table], hashes[table] = connection.exec_driver_sql(_HASH.format(identifier(table))).one()
    return rows, hashes


def _sequences(connection: Connection) -> dict[str, int]:
    # A sequence that was never drawn from stands at its start, and counts as one below.
    query = "select last_value - case when is_called then 0 else 1 end from iucore.{}"
    return {
        name: connection.exec_driver_sql(query.format(identifier(name))).scalar_one()
        for name in _names(connection, "c.relkind = 'S'")
    }


def _names(connection: Connection, which: str) -> list[str]:
    return list(connection.exec_driver_sql(_TABLES.format(which)).scalars())


def _settle(connection: Connection) -> None:
    """Settings of this transaction: nothing of ours is shadowed, rows read the same everywhere, nobody ends it."""
    wanted = {
        "search_path": "pg_catalog, pg_temp",
        "timezone": "UTC",
        "datestyle": "ISO, YMD",
        "intervalstyle": "postgres",
        "bytea_output": "hex",
        "extra_float_digits": "1",
        "xmlbinary": "base64",
        "lc_monetary": "C",
        "row_security": "off",
        "lock_timeout": _LOCK_WAIT,
        "statement_timeout": "0",
        # It is idle while pg_dump works.
        "idle_in_transaction_session_timeout": "0",
        "transaction_timeout": "0",
    }
    connection.exec_driver_sql(
        "select pg_catalog.set_config(s.name, w.value, true)"
        " from unnest(%s::text[], %s::text[]) as w (name, value)"
        # Not every version has all of them.
        " join pg_catalog.pg_settings as s on lower(s.name) = w.name",
        (list(wanted), list(wanted.values())),
    )


# What pg_dump reads: all but the system's own, temporary tables and what belongs to an extension.
_UNREADABLE = """
select format('%I.%I', n.nspname, c.relname)
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'S') and c.relpersistence <> 't'
    and n.nspname <> 'information_schema' and n.nspname not like 'pg\\_%'
    and not exists (
        select from pg_depend as d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
    )
    and not (has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select'))
order by 1
"""


def _refuse_unreadable(connection: Connection) -> None:
    found = list(connection.exec_driver_sql(_UNREADABLE, execution_options={"no_parameters": True}).scalars())
    if not found:
        return
    login = connection.exec_driver_sql("select pg_catalog.quote_ident(session_user)").scalar_one()
    raise OperationError(
        "the login may not read the whole database",
        sqlstate="IU934",
        detail=f"login: {login}; no right to read {_several(found)}",
        hint=f"A DBA runs: grant pg_read_all_data to {login}. (Where the database holds nothing else, a member of"
        " iucore_owner and iucore_reader may too.)",
    )


# Every role that an object of this database names, those of iucore, and who is a member of them.
_ROLES = """
with recursive named as (
    select r.oid from pg_roles as r where r.rolname like 'iucore\\_%'
    union
    select d.refobjid
    from pg_shdepend as d
    join pg_database as b on b.oid = d.dbid
    where b.datname = current_database() and d.refclassid = 'pg_authid'::regclass
    union
    select b.datdba from pg_database as b where b.datname = current_database()
    union
    select m.member
    from named as n
    join pg_auth_members as m on m.roleid = n.oid
    join pg_roles as g on g.oid = m.roleid and g.rolname like 'iucore\\_%'
)
select r.rolname::text, r.rolcanlogin, r.rolinherit, r.rolconnlimit, r.rolvaliduntil::text,
    shobj_description(r.oid, 'pg_authid'), r.rolsuper
from pg_roles as r
where r.oid in (select n.oid from named as n) and r.rolname not like 'pg\\_%'
order by r.rolname collate "C"
"""

# Up to 15 the member decides whether it inherits, and may always "set role". Several grantors count as one.
_MEMBERSHIPS = """
select g.rolname::text, r.rolname::text, bool_or(m.admin_option),
    nullif(bool_or(coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, r.rolinherit)), r.rolinherit),
    nullif(bool_or(coalesce((to_jsonb(m) ->> 'set_option')::boolean, true)), true)
from pg_auth_members as m
join pg_roles as g on g.oid = m.roleid
join pg_roles as r on r.oid = m.member
where g.rolname = any(%s) and r.rolname = any(%s)
group by g.rolname, r.rolname, r.rolinherit
order by g.rolname collate "C", r.rolname collate "C"
"""


def _roles(connection: Connection) -> tuple[list[Role], list[Membership]]:
    roles = [Role(*row) for row in connection.exec_driver_sql(_ROLES, execution_options={"no_parameters": True})]
    names = [role.name for role in roles]
    return roles, [Membership(*row) for row in connection.exec_driver_sql(_MEMBERSHIPS, (names, names))]


def globals_sql(backup: Backup) -> str:
    """The text of ``globals.sql``, for ``psql -X -v ON_ERROR_STOP=1 -f`` before the archive is restored."""
    lines = [
        f"-- The roles of the backup of database {_one_line(backup.database)}, to be made before pg_restore.",
        "-- A role that is there is left as it is. Not kept: passwords, rights such as superuser, settings.",
    ]
    for role in backup.roles:
        body = "\n    ".join(role.statements())
        there = f"not exists (select from pg_catalog.pg_roles as r where r.rolname = {_literal(role.name)})"
        text = f"begin\n  if {there} then\n    {body}\n  end if;\nend"
        tag = next(tag for number in count() if (tag := f"$iu{number}$") not in text)
        lines.append(f"do {tag}\n{text}\n{tag};")
    lines += [membership.statement() for membership in backup.memberships]
    return "\n".join(lines) + "\n"


# ------------------------------------------------------------------------------------------------------------- writing


@contextmanager
def _folder(to: Path, database: str) -> Iterator[Path]:
    """An unfinished folder below ``to``; whatever ends the block early, nothing of it is left."""
    to = to.absolute()
    name = re.sub(r"[^\w.-]", "_", database)[:60].strip(".") or "database"
    work = to / f".{name}-{secrets.token_hex(6)}{_UNFINISHED}"
    with _explained(to):
        to.mkdir(parents=True, exist_ok=True, mode=0o700)
        _sweep(to)
        work.mkdir(mode=0o700)
    descriptor = os.open(work, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # Held while we live: by this a later run knows that it is not left over.
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with _explained(to):
            yield work
    finally:
        os.close(descriptor)
        shutil.rmtree(work, ignore_errors=True)


def _sweep(to: Path) -> None:
    """Remove what a killed run left."""
    for left in to.glob(f".*{_UNFINISHED}"):
        # An empty one may have been made just now, by a run that does not hold it yet.
        with suppress(OSError):
            descriptor = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if any(left.iterdir()):
                    shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(descriptor)


@dataclass(slots=True)
class _Wrote:
    bytes: int = 0
    digest: Any = field(default_factory=hashlib.sha256)


@contextmanager
def _written(path: Path) -> Iterator[tuple[Callable[[bytes], None], _Wrote]]:
    """A new file; what is written is counted and hashed on its way, and on disk at the end of the block."""
    wrote = _Wrote()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:

        def write(piece: bytes) -> None:
            file.write(piece)
            wrote.digest.update(piece)
            wrote.bytes += len(piece)

        yield write, wrote
        file.flush()
        os.fsync(file.fileno())


def _write(path: Path, text: str) -> str:
    """A small file; returns its sha256."""
    with _written(path) as (write, wrote):
        write(text.encode())
    return str(wrote.digest.hexdigest())


def _finish(work: Path, backup: Backup) -> Backup:
    """Write what stands beside the archive, and give the folder its name."""
    to = work.parent
    text = globals_sql(backup)
    said = _as_json(backup) | {"globals_sha256": _write(work / GLOBALS, text), "globals_bytes": len(text.encode())}
    manifest = json.dumps(said | {"digest": evidence.digest(said)}, indent=1, ensure_ascii=False) + "\n"
    sums = {DUMP: backup.sha256, GLOBALS: said["globals_sha256"], MANIFEST: _write(work / MANIFEST, manifest)}
    _write(work / SUMS, _sums(sums))
    embedded.sync_folder(work)
    name = f"{work.name[1:].removesuffix(_UNFINISHED).rpartition('-')[0]}-{backup.made_at:%Y%m%dT%H%M%SZ}"
    for number in count(1):
        folder = to / (name if number == 1 else f"{name}-{number}")
        try:
            work.rename(folder)
        except OSError as error:
            # Another one of the same second: a folder is never renamed over one that has something in it.
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
                raise
            continue
        break
    embedded.sync_folder(to)
    return _read(folder)


def _sums(digests: dict[str, str]) -> str:
    return "".join(f"{digest}  {name}\n" for name, digest in digests.items())


@contextmanager
def _explained(to: Path) -> Iterator[None]:
    """An error of the file system as one of ours."""
    try:
        yield
    except OSError as error:
        first = "Make room there" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "Make it writable"
        raise _not_made(
            f"{error.filename or to}: {error.strerror or error} ({errno.errorcode.get(error.errno or 0, '?')})",
            f"{first}, or name another folder: iucore backup create --to DIR",
        ) from error


def _not_made(why: str, hint: str) -> OperationError:
    return OperationError(
        "the backup could not be made, and nothing is left of it", sqlstate="IU930", detail=why, hint=hint
    )


def _way_out(said: str) -> str:
    if "lock" in said and "timeout" in said:
        return "Another session holds a lock: type it again when it has ended, such as a migration."
    if "permission denied" in said or "must be" in said or "row-level security" in said:
        return "Back up as a role that may read all of it, such as a member of pg_read_all_data with bypassrls."
    return "Mend what pg_dump says, and type it again."


# ------------------------------------------------------------------------------------------------------------- reading


def backups(folder: Path) -> list[Backup]:
    """The backups in a folder, the newest first; one that is damaged says so in ``problem``.

    Looks at the manifests and at the sizes of the files, and does not read the archives.

    Raises:
        iucore.errors.OperationError: IU931, the folder cannot be read.
    """
    if not folder.exists():
        return []
    try:
        found = [_read(one) for one in folder.absolute().iterdir() if one.is_dir() and _of_ours(one)]
    except OSError as error:
        raise OperationError(
            "the folder of backups cannot be read",
            sqlstate="IU931",
            detail=f"{error.filename or folder}: {error.strerror}",
            hint="Name another one: iucore backup list DIR, or IUCORE_BACKUPS",
        ) from error
    return sorted(found, key=lambda one: (one.made_at, one.folder.name), reverse=True)


def _of_ours(folder: Path) -> bool:
    """Whether it is a backup, whole or not; of one that may not be read the name tells."""
    if folder.name.endswith(_UNFINISHED):
        return False
    try:
        return not {DUMP, GLOBALS, MANIFEST, SUMS}.isdisjoint(path.name for path in folder.iterdir())
    except PermissionError:
        return re.search(r"-\d{8}T\d{6}Z(-\d+)?$", folder.name) is not None


def verify(folder: Path, *, identity: Identity | None = None, tell: Told = lambda _: None) -> Backup:
    """Read all of a backup: manifest, sums, globals, and every block of the archive, decompressed by pg_restore.

    Args:
        folder: of the backup.
        identity: the database of which it must be; None: of any.
        tell: gets a line about each step.

    Raises:
        iucore.errors.OperationError: IU931, it is damaged, with a line for each check that failed; IU932, it is of
            another database; IU908, no pg_restore can read it.
    """
    backup = _read(folder)
    if backup.problem is not None:
        raise _damaged(folder, [backup.problem, *_others_inside(folder)])
    if identity is not None and not backup.identity.same_database(identity):
        raise OperationError(
            "the backup is of another database",
            sqlstate="IU932",
            detail=f"folder: {folder}\nbackup: {_named(backup.identity)}\nhere: {_named(identity)}",
            hint="Make one of this database: iucore backup create",
        )
    pg_restore = programs.find("pg_restore", at_least=major(backup.client_version))
    tell(f"reading {backup.bytes} bytes")
    wrong = list(_wrong_files(folder, backup))
    wrong += _wrong_archive(pg_restore, folder / DUMP, backup)
    if wrong:
        raise _damaged(folder, wrong)
    return backup


def _wrong_files(folder: Path, backup: Backup) -> Iterator[str]:
    """What a hash of each file finds."""
    wanted = {DUMP: backup.sha256, GLOBALS: backup.globals_sha256}
    try:
        for name, digest in wanted.items():
            if _sha256(folder / name) != digest:
                yield f"{name}: its sha256 is not that of the manifest, which was taken while it was written"
        if (folder / SUMS).read_bytes() != _sums(wanted | {MANIFEST: _sha256(folder / MANIFEST)}).encode():
            yield f"{SUMS}: it, or {MANIFEST}, was altered after it was written"
    except OSError as error:
        yield f"{error.filename or 'reading'}: {error.strerror}"


def _wrong_archive(pg_restore: programs.Program, archive: Path, backup: Backup) -> Iterator[str]:
    """What pg_restore finds: the list of contents, and each block of data."""
    try:
        entries, database = _entries(pg_restore, archive)
        if entries != backup.toc_entries:
            yield f"{archive.name}: {entries} entries in its list of contents, {backup.toc_entries} in the manifest"
        if database != _one_line(backup.database):
            yield f"{archive.name}: it is of database {database}, the manifest of {backup.database}"
        programs.run(pg_restore, ["--file=-", archive])
    except programs.ProgramError as error:
        yield f"{archive.name}: pg_restore cannot read it: {error.said}"
    if major(backup.client_version) < major(backup.server_version):
        yield f"{archive.name}: pg_dump {backup.client_version} is older than its server {backup.server_version}"


def _entries(pg_restore: programs.Program, archive: Path) -> tuple[int, str]:
    """How many entries an archive has by its own header, and its database."""
    pieces: list[bytes] = []
    programs.run(pg_restore, ["--list", archive], take=pieces.append)
    text = b"".join(pieces).decode("utf-8", "replace")
    head = dict(re.findall(r"^; +(TOC Entries|dbname): (.*)$", text, re.MULTILINE))
    return int(head.get("TOC Entries", 0)), head.get("dbname", "")


def _read(folder: Path) -> Backup:
    """A backup by its manifest and the sizes of its files; ``problem`` says what is wrong with them."""
    try:
        said = json.loads((folder / MANIFEST).read_bytes())
        if said.pop("digest") != evidence.digest(said):
            raise ValueError("its digest does not fit: it was altered after it was written")
        if said.pop("format") != _FORMAT:
            raise ValueError("it is of a newer iucore")
        said["made_at"] = datetime.fromisoformat(said["made_at"])
        said["roles"] = [Role(**role) for role in said["roles"]]
        said["memberships"] = [Membership(**one) for one in said["memberships"]]
        backup = Backup(folder=folder, **said)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        moment = folder.stat().st_mtime if folder.exists() else 0
        return Backup(folder, datetime.fromtimestamp(moment, UTC), f"{MANIFEST}: {why}")
    sizes = {DUMP: backup.bytes, GLOBALS: backup.globals_bytes, SUMS: None}
    wrong = [text for name, size in sizes.items() if (text := _wrong_size(folder / name, size))]
    return replace(backup, problem="; ".join(wrong) or None)


def _wrong_size(path: Path, size: int | None) -> str | None:
    try:
        found = path.stat().st_size
    except OSError as error:
        return f"{path.name}: {error.strerror}"
    if size is None or found == size:
        return None
    return f"{path.name}: {found or 'no'} bytes, {size} were written"


def _others_inside(folder: Path) -> Iterator[str]:
    with suppress(OperationError):
        if folder.is_dir() and (inside := backups(folder)):
            yield f"it is a folder of backups; the newest: {inside[0].folder}"


def _damaged(folder: Path, wrong: list[str]) -> OperationError:
    return OperationError(
        "the backup is damaged",
        sqlstate="IU931",
        detail="\n".join([f"folder: {folder}", *wrong]),
        hint="Do not rely on it. Others: iucore backup list; a new one: iucore backup create",
    )


# ------------------------------------------------------------------------------------------------------ small helpers


def _as_json(backup: Backup) -> dict[str, Any]:
    left_out = ("folder", "problem")
    plain = {one.name: getattr(backup, one.name) for one in fields(backup) if one.name not in left_out}
    return plain | {
        "format": _FORMAT,
        "made_at": backup.made_at.isoformat(),
        "roles": [asdict(role) for role in backup.roles],
        "memberships": [asdict(one) for one in backup.memberships],
    }


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _named(identity: Identity) -> str:
    return f"system {identity.system_identifier}, database {identity.database} (oid {identity.database_oid})"


def major(version: str) -> int:
    """The major version.

    >>> major("18.6")
    18
    """
    found = re.match(r"\d+", version)
    return int(found[0]) if found else 0


def identifier(name: str) -> str:
    """A name as SQL has it.

    >>> print(identifier('our "own" texts'))
    "our ""own"" texts"
    """
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def _one_line(text: str) -> str:
    """As pg_dump writes a name in a comment."""
    return text.replace("\n", " ").replace("\r", " ")


def _literal(value: str) -> str:
    """As every server reads it, whatever its standard_conforming_strings."""
    escaped = value.replace("\\", "\\\\").replace("'", "''")
    return f"E'{escaped}'" if "\\" in value else f"'{escaped}'"


def _word(value: bool) -> str:
    return "true" if value else "false"


def _several(names: list[str]) -> str:
    more = len(names) - 5
    return ", ".join(names[:5]) + (f" and {more} more" if more > 0 else "")

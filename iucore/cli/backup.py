"""``iucore backup``."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from iucore.cli import _context, _errors
from iucore.cli._base import Group, examples, pass_context
from iucore.cli._context import Context
from iucore.cli._input import GIVEN
from iucore.cli._output import emit_one, emit_rows
from iucore.errors import OperationError

if TYPE_CHECKING:
    from iucore.operations.backup import Backup
    from iucore.operations.drill import Compared


@click.group(cls=Group, epilog=examples("iucore backup create --to /var/backups/iucore", "iucore backup list"))
def backup() -> None:
    """Backups of the whole database, verified and restored for trial.

    A backup is a folder with an archive of pg_dump, the roles, and a manifest.
    """


@dataclass(frozen=True, slots=True)
class Listed:
    """A backup in a list. ``state`` is ``complete``, or what is wrong."""

    folder: str
    made_at: datetime
    age: str
    bytes: int
    revision: str | None
    database: str
    state: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A backup by itself. ``rows`` are those of all governed tables."""

    folder: str
    made_at: datetime
    database: str
    system_identifier: str
    revision: str | None
    server_version: str
    client_version: str
    bytes: int
    toc_entries: int
    tables: int
    rows: int
    sha256: str


@backup.command(
    role=_errors.OWNER,
    epilog=examples("iucore backup create --to /var/backups/iucore", "iucore backup create --compress 0 --format json"),
)
@click.option("--to", metavar="DIR", type=GIVEN, help="Where to make it; else IUCORE_BACKUPS, else this user's own.")
@click.option(
    "--compress", type=click.IntRange(0, 9), metavar="LEVEL", help="0: not at all; else what pg_dump does by itself."
)
@click.pass_context
@pass_context
def create(context: Context, ctx: click.Context, to: str | None, compress: int | None) -> None:
    """Make a backup of the whole database, in a folder of its own below DIR.

    pg_dump reads one snapshot, the counts and hashes of the manifest are of the same. It takes a login that may read
    all tables. The folder appears when everything is on disk.
    """
    from iucore.operations import backup as operation

    folder = operation.default_folder() if to is None else Path(to)
    try:
        with _interruptible():
            made = operation.create(
                context.connection(), context.target().url, folder, compress=compress, tell=context.say
            )
    except OperationError as error:
        if error.sqlstate != "IU934":
            raise
        _errors.show(error.message, error.sqlstate, error.detail, error.hint)
        ctx.exit(_errors.FORBIDDEN)
    emit_one(context, _shown(made))
    context.say(f"next: iucore backup drill {shlex.quote(str(made.folder))}")


@backup.command(epilog=examples("iucore backup verify DIR", "iucore backup verify DIR --for-database --format json"))
@click.argument("folder", metavar="DIR", type=GIVEN)
@click.option("--for-database", is_flag=True, help="It must be of the chosen database; so with --url.")
@pass_context
def verify(context: Context, folder: str, for_database: bool) -> None:
    """Read all of the backup in DIR: manifest, sums, roles, and every block of the archive.

    Without --for-database and --url no database is asked.
    """
    from iucore.operations import backup as operation
    from iucore.operations import evidence

    wanted = context.read(evidence.identity) if for_database or context.url is not None else None
    with _interruptible():
        found = operation.verify(Path(folder), identity=wanted, tell=context.say)
    emit_one(context, _shown(found))


@backup.command(
    epilog=examples("iucore backup drill DIR", "iucore backup drill DIR --scratch postgresql://postgres@spare/postgres")
)
@click.argument("folder", metavar="DIR", type=GIVEN)
@click.option("--scratch", metavar="URL", type=GIVEN, help="A server to make a database on; else a temporary one.")
@click.pass_context
@pass_context
def drill(context: Context, ctx: click.Context, folder: str, scratch: str | None) -> None:
    """Restore the backup in DIR into a scratch database, compare, and drop it again.

    Rows and hashes of each table, sequences, owners and grants, verify.sql: a line for each comparison. Exit code 3
    when something differs. The temporary server stands below TMPDIR. On a server that --scratch names the roles that
    are missing are made and dropped; it takes a superuser there, or one who may do all that.
    """
    from iucore.operations import drill as operation

    different = 0

    def each(rows: Iterator[Compared]) -> Iterator[Compared]:
        nonlocal different
        for row in rows:
            different += not row.same
            yield row

    with (
        _interruptible(statements=True),
        closing(operation.drill(Path(folder), server=scratch, tell=context.say)) as rows,
    ):
        emit_rows(context, operation.Compared, each(rows))
    context.say(f"{different} differ" if different else "everything is as in the database at that moment")
    if different:
        ctx.exit(_errors.DIFFERENT)


@backup.command("list", epilog=examples("iucore backup list", "iucore backup list /var/backups/iucore --format json"))
@click.argument("folder", metavar="[DIR]", type=GIVEN, required=False)
@pass_context
def list_(context: Context, folder: str | None) -> None:
    """List the backups in DIR, the newest first; a damaged one says what is wrong. The archives are not read."""
    from iucore.operations import backup as operation

    where = operation.default_folder() if folder is None else Path(folder)
    context.say(f"folder: {where.absolute()}")
    emit_rows(context, Listed, [_listed(one) for one in operation.backups(where)])


def _listed(found: Backup) -> Listed:
    return Listed(
        str(found.folder),
        found.made_at,
        _age((datetime.now(UTC) - found.made_at).total_seconds()),
        found.bytes,
        found.revision,
        found.database,
        found.problem or "complete",
    )


def _shown(found: Backup) -> Shown:
    return Shown(
        str(found.folder),
        found.made_at,
        found.database,
        found.system_identifier,
        found.revision,
        found.server_version,
        found.client_version,
        found.bytes,
        found.toc_entries,
        len(found.rows),
        sum(found.rows.values()),
        found.sha256,
    )


def _age(seconds: float) -> str:
    """For people: the largest unit that fits."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} s"


@contextmanager
def _interruptible(*, statements: bool = False) -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does; what it cleans up then is not interrupted again.

    ``statements``: also those that run on other connections than that of the context, which sees to its own.
    """

    def handle(*_: Any) -> None:
        for number in before:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    if statements:
        _context._interruptible(True)
    try:
        yield
    finally:
        if statements:
            _context._interruptible(False)
        for number, handler in before.items():
            signal.signal(number, handler)

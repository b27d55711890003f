"""``iucore db``."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from iucore.cli import _errors
from iucore.cli._base import Group, examples, pass_context
from iucore.cli._context import Context
from iucore.cli._errors import OWNER
from iucore.cli._input import GIVEN
from iucore.cli._output import emit_one, emit_rows, emit_value, write

if TYPE_CHECKING:
    from iucore.embedded import Cluster
    from iucore.operations.apply import Options as ApplyOptions
    from iucore.operations.apply import Run

Function = TypeVar("Function", bound=Callable[..., Any])


@click.group(cls=Group, epilog=examples("iucore db up", "iucore db upgrade"))
def db() -> None:
    """The database: the embedded PostgreSQL, and the migrations on any database."""


_DATA = "The data folder; else IUCORE_PGDATA, else this user's own."


def _data_option(function: Function) -> Function:
    return click.option("--data", metavar="DIR", type=GIVEN, help=_DATA)(function)


def _timeout_options(function: Function) -> Function:
    for option in (
        click.option("--statement-timeout", metavar="TIME", help="How long a statement may run, such as 15min."),
        click.option("--lock-timeout", metavar="TIME", help="How long to wait for a lock, such as 5s."),
        click.option("--wait", metavar="TIME", help="How long to wait for another migrator, such as 5min."),
    ):
        function = option(function)
    return function


def _settings(**given: str | None) -> dict[str, str]:
    for name, value in given.items():
        if value is not None and not re.fullmatch(r"\d{1,9}(ms|s|min|h|d)", value):
            raise click.UsageError(f"--{name.replace('_', '-')} {value}: write a number and ms, s, min, h or d.")
    return {name: value for name, value in given.items() if value is not None}


def _cluster(data: str | None) -> Cluster:
    from iucore.embedded import Cluster

    return Cluster.default(data)


def _confirm(what: str, yes: bool) -> None:
    if yes:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise click.UsageError(f"This {what}. There is no terminal to confirm on: add --yes.")
    click.confirm(f"This {what}. Go on?", abort=True, err=True)


@db.command(epilog=examples("iucore db up", "iucore db up --data ./pg"))
@_data_option
@pass_context
def up(context: Context, data: str | None) -> None:
    """Start the embedded PostgreSQL, made at the first time, and print its URL."""
    cluster = _cluster(data)
    ran = cluster.status().state == "running"
    url = cluster.up()
    context.say(f"embedded PostgreSQL {'runs already' if ran else 'started'}: {cluster.data}")
    if data is not None:
        context.say(f"for the other commands: export IUCORE_PGDATA={shlex.quote(str(cluster.data))}")
    if not ran:
        context.say("next: iucore db upgrade")
    emit_value(context, "url", url)


@db.command(epilog=examples("iucore db down", "iucore db down --mode smart"))
@_data_option
@click.option(
    "--mode",
    type=click.Choice(["smart", "fast", "immediate"]),
    default="fast",
    show_default=True,
    help="fast ends sessions, smart waits for them, immediate leaves recovery to the next start.",
)
@pass_context
def down(context: Context, data: str | None, mode: Any) -> None:
    """Stop the embedded PostgreSQL."""
    cluster = _cluster(data)
    stopped = cluster.down(mode)
    context.say(f"embedded PostgreSQL {'stopped' if stopped else 'was not running'}: {cluster.data}")


@db.command(epilog=examples("iucore db status", "iucore db status --format json"))
@_data_option
@pass_context
def status(context: Context, data: str | None) -> None:
    """Show the embedded PostgreSQL: whether it runs, where its data and its log are."""
    emit_one(context, _cluster(data).status())


@db.command(epilog=examples("iucore db url", "iucore db url --with-password"))
@click.option("--with-password", is_flag=True, help="As it was given; the embedded one never has a password in it.")
@pass_context
def url(context: Context, with_password: bool) -> None:
    """Print the URL of the chosen database."""
    target = context.target()
    emit_value(context, "url", target.url if with_password or target.source == "embedded" else target.display())


@db.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog=examples("iucore db psql", "iucore db psql -c 'select * from iucore.v_change limit 5'"),
)
@click.argument("arguments", metavar="[PSQL ARGUMENT]...", nargs=-1, type=click.UNPROCESSED)
@pass_context
def psql(context: Context, arguments: tuple[str, ...]) -> None:
    """Become psql on the chosen database."""
    from iucore import _target
    from iucore.embedded import Cluster
    from iucore.errors import OperationError

    target = context.target()
    environment = dict(os.environ)
    if target.source == "embedded":
        argv = Cluster.default().psql_argv()
    else:
        program = shutil.which("psql")
        if program is None:
            raise OperationError(
                "no psql was found",
                sqlstate="IU908",
                detail="looked in PATH",
                hint="Install the PostgreSQL client programs.",
            )
        parsed = _target.normalise_url(target.url)
        if parsed.password is not None:  # not in the arguments: every user of the machine can see those
            environment["PGPASSWORD"] = str(parsed.password)
        plain = parsed.set(drivername="postgresql")._replace(password=None)
        argv = [program, plain.render_as_string(hide_password=False)]
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(argv[0], [*argv, *arguments], environment)  # noqa: S606


@db.command(epilog=examples("iucore db reset", "iucore db reset --data ./pg --yes"))
@_data_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_context
def reset(context: Context, data: str | None, yes: bool) -> None:
    """Stop the embedded PostgreSQL and remove its data."""
    cluster = _cluster(data)
    _confirm(f"removes the data in {cluster.data}", yes)
    removed = cluster.reset()
    context.say(f"{'removed' if removed else 'nothing stands there'}: {cluster.data}")


@db.command(role=OWNER, epilog=examples("iucore db upgrade", "iucore db upgrade 0002 --lock-timeout 30s"))
@click.argument("revision", default="head")
@_timeout_options
@pass_context
def upgrade(
    context: Context, revision: str, wait: str | None, lock_timeout: str | None, statement_timeout: str | None
) -> None:
    """Apply the migrations up to REVISION, the newest unless one is given."""
    from iucore.operations import migrate

    settings = _settings(wait=wait, lock_timeout=lock_timeout, statement_timeout=statement_timeout)
    engine = context.engine()
    before = migrate.current(engine)
    _towards(before, revision, up=True)
    migrate.upgrade(engine, revision, **settings)
    _moved(context, before, migrate.current(engine))


@db.command(role=OWNER, epilog=examples("iucore db downgrade 0003", "iucore db downgrade base --lose-rows --yes"))
@click.argument("revision")
@click.option("--lose-rows", is_flag=True, help="Go back even when rows are lost with their tables.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_timeout_options
@pass_context
def downgrade(
    context: Context,
    revision: str,
    lose_rows: bool,
    yes: bool,
    wait: str | None,
    lock_timeout: str | None,
    statement_timeout: str | None,
) -> None:
    """Undo the migrations down to REVISION; base undoes all."""
    from iucore.operations import migrate

    settings = _settings(wait=wait, lock_timeout=lock_timeout, statement_timeout=statement_timeout)
    _confirm(f"takes the database back to {revision}{', losing rows' if lose_rows else ''}", yes)
    engine = context.engine()
    before = migrate.current(engine)
    _towards(before, revision, up=False)
    migrate.downgrade(engine, revision, lose_rows=lose_rows, **settings)
    _moved(context, before, migrate.current(engine))


def _towards(before: str | None, revision: str, *, up: bool) -> None:
    """Refuse to upgrade to an older revision and to downgrade to a newer one; unknown ones are refused later."""
    from iucore.operations import migrate

    order = ["base", *migrate.revisions(), "head"]
    at = before or "base"
    if at not in order or revision not in order or (order.index(revision) >= order.index(at)) is up or at == revision:
        return
    _errors.show(
        f"the database is at {'a newer' if up else 'an older'} revision: {at}",
        hint=f"To go {'back' if up else 'on'} to {revision}: iucore db {'downgrade' if up else 'upgrade'} {revision}",
    )
    raise click.exceptions.Exit(_errors.FAILED)


def _moved(context: Context, before: str | None, after: str | None) -> None:
    context.say(f"revision: {before or 'base'} -> {after or 'base'}")
    emit_value(context, "revision", after, absent="base")


@db.command(epilog=examples("iucore db current", "iucore db current --format json"))
@pass_context
def current(context: Context) -> None:
    """Print the revision that the database is at; base for none."""
    from iucore.operations import migrate

    revision = context.read(migrate.current_of)
    if revision not in migrate.heads():
        context.say(f"newest: {migrate.heads()[0]}; next: iucore db upgrade")
    emit_value(context, "revision", revision, absent="base")


@db.command(epilog=examples("iucore db verify", "iucore db verify --format json"))
@click.pass_context
@pass_context
def verify(context: Context, ctx: click.Context) -> None:
    """Run the checks of the revision and compare the inventory. Exit code 3 when there are differences."""
    from iucore.cli.inventory import compare
    from iucore.errors import OperationError
    from iucore.operations import migrate

    with context.transaction() as connection:
        same = compare(context, connection)
        try:
            migrate.verify(connection)
        except OperationError as error:
            if error.sqlstate != "IU904":
                raise
            _errors.show(error.message, error.sqlstate, error.detail, error.hint)
            same = False
    if not same:
        ctx.exit(_errors.DIFFERENT)


@db.command(role=_errors.AUDITOR, epilog=examples("iucore db check-restore", "iucore db check-restore --format json"))
@click.pass_context
@pass_context
def check_restore(context: Context, ctx: click.Context) -> None:
    """After a restore, before writers are let in: name every owner, grant, role and default privilege that is lost.

    And whether the ledger was written in another cluster. It only reads. Exit code 3 when something is lost.
    """
    from iucore.operations import restored

    with context.transaction() as connection:
        found = restored.check(connection)
    emit_rows(context, restored.Lost, found)
    if found:
        context.say(f"{len(found)} are not as they must be: let nobody write")
        ctx.exit(_errors.DIFFERENT)
    context.say("nothing is lost")


@db.command(epilog=examples("iucore db sql", "iucore db sql 0002:0004"))
@click.argument("span", metavar="[FROM:TO]", required=False)
@click.option("--lose-rows", is_flag=True, help="Let a script that goes back lose rows.")
@pass_context
def sql(context: Context, span: str | None, lose_rows: bool) -> None:
    """Print the SQL of the migrations for psql; everything up to the newest unless FROM:TO is given."""
    from iucore.operations import migrate

    start, colon, end = (span or ":").partition(":")
    if not colon:
        raise click.UsageError(f"{span}: write FROM:TO, such as base:{span}; base is nothing.")
    text = migrate.offline_sql(start if start not in ("", "base") else None, end or "head", lose_rows=lose_rows)
    context.say("apply it with: psql -X -v ON_ERROR_STOP=1 -f FILE")
    write(text.encode())


@db.command(epilog=examples("iucore db plan", "iucore db plan 0020 --format json", "iucore db plan 0019:head --sql"))
@click.argument("span", metavar="[REVISION | FROM:TO]", required=False)
@click.option("--sql", "as_sql", is_flag=True, help="Print the SQL, for psql.")
@click.option("--lose-rows", is_flag=True, help="With --sql: let a script that goes back lose rows.")
@pass_context
def plan(context: Context, span: str | None, as_sql: bool, lose_rows: bool) -> None:
    """Show what each revision would do: objects, locks, rewrites, what is lost on the way back, files.

    From where the database is to the newest, or to REVISION, on or back. FROM:TO asks no database, and so has no sizes;
    base is nothing. The locks are the strongest that a revision takes on a table that is there before it, and were
    measured; a table that is rewritten or scanned is named with its size in this database. A text for people, unless a
    --format is given.
    """
    from iucore.cli._migrations import plan_lines
    from iucore.operations import migrate, migration_plan

    if lose_rows and not as_sql:
        raise click.UsageError("--lose-rows is for --sql.")
    start, colon, end = (span or "head").partition(":")
    if colon:
        begin: str | None = None if start in ("", "base") else start
        steps = migration_plan.plan(begin, end or "head")
    else:
        end = start
        with context.transaction() as connection:
            begin = migrate.current_of(connection)
            steps = migration_plan.plan(begin, end, connection=connection)
    goal = migrate.heads()[0] if end in ("", "head") else end
    if as_sql:
        if steps:
            write(migrate.offline_sql(begin, goal, lose_rows=lose_rows).encode())
    elif context.format is None:
        write("".join(f"{_errors.visible(line)}\n" for line in plan_lines(steps, begin, goal)).encode())
    else:
        emit_rows(context, migration_plan.Step, steps)
    back = steps and steps[0].direction == "down"
    context.say(f"next: iucore db {'rollback' if back else 'apply'} {goal}" if steps else f"at {goal}: nothing to do")


@db.command(role=OWNER, epilog=examples("iucore db rehearse", "iucore db rehearse --to 0020 --format json"))
@click.option(
    "--scratch", metavar="URL", help="A server to make a database on; else IUCORE_SCRATCH_URL, or an own one."
)
@click.option("--to", "goal", metavar="REVISION", default="head", help="Up to this revision; else the newest.")
@pass_context
def rehearse(context: Context, scratch: str | None, goal: str) -> None:
    """Try the pending revisions on a scratch copy of the schema: up, down and up again.

    The copy has the objects, the roles and the rows of registries, no content; the database itself is only read. On
    the scratch server a database is made and dropped again; without one a temporary PostgreSQL is started from the
    embedded programs. One line for each step; exit code 1 when the copy did not come back to the same.
    """
    from iucore.operations import rehearsal

    chosen = scratch or os.environ.get("IUCORE_SCRATCH_URL") or None
    done = rehearsal.rehearse(context.connection(), goal=goal, scratch=chosen, tell=context.say)
    emit_rows(context, rehearsal.Step, [] if done is None else done.steps)
    if done is None:
        context.say("nothing is pending: there is nothing to rehearse")
    else:
        context.say(f"evidence: {done.path}; next: iucore preflight")


_AGE = "How old the backup may be, such as 24h; else as the target has it."
_SEEN = "How old the preflight may be when it begins."


def _run_options(function: Function) -> Function:
    for option in (
        click.option("--yes", is_flag=True, help="Do not ask."),
        click.option("--preflight-age", metavar="TIME", default="15min", show_default=True, help=_SEEN),
        click.option("--max-age", metavar="TIME", help=_AGE),
        click.option("--free-bytes", metavar="N", type=click.IntRange(0), help="Free on the server's disk."),
        click.option("--expect-on", metavar="ROUTES", help="The routes that are on; else none."),
        click.option("--expect-open", metavar="GATES", help="The gates that are open; else master,composer."),
        click.option("--backups", metavar="DIR", type=GIVEN, help="Where backups are; else IUCORE_BACKUPS."),
        click.option("--target", default="production", show_default=True, help="production or staging."),
    ):
        function = option(function)
    return _timeout_options(function)


@db.command(role=OWNER, epilog=examples("iucore db apply", "iucore db apply 0020 --backups /var/backups --yes"))
@click.argument("revision", default="head")
@click.option("--preflight", "signed", metavar="FILE", type=GIVEN, help="Only if all is as this evidence saw it.")
@_run_options
@pass_context
def apply(context: Context, /, revision: str, signed: str | None, yes: bool, **given: Any) -> None:
    """Apply the migrations up to REVISION as in production: looked at before, under one lock, proven afterwards.

    The preflight must be green. Then, under the migrators' lock, the database is compared with what the preflight saw;
    each revision runs and is verified; inventory, proofs and counts are looked at; all of it is written down as
    evidence (iucore closeout). A session in the way ends it after --lock-timeout with IU910: type it again. What was
    applied stays applied: each revision is whole or not there.
    """
    from pathlib import Path

    from iucore.cli.proof import call_of
    from iucore.operations import apply as operation

    options = _options(**given)
    _confirm(f"applies the migrations up to {revision}", yes)
    run = operation.apply(
        context.engine(),
        revision,
        options=options,
        signed=None if signed is None else Path(signed),
        resolve=call_of,
        tell=context.say,
    )
    _ran(context, run, revision)


@db.command(role=OWNER, epilog=examples("iucore db rollback", "iucore db rollback 0019 --yes"))
@click.argument("revision", required=False)
@click.option("--lose-rows", is_flag=True, help="Go back even when rows are lost with their tables.")
@_run_options
@pass_context
def rollback(context: Context, /, revision: str | None, lose_rows: bool, yes: bool, **given: Any) -> None:
    """Go back to REVISION by the road of apply; to where the newest run began, unless one is given.

    All revisions or none are undone. It refuses while rows would be lost (IU903). It needs a green preflight with a
    fresh backup, but for what is about going on: expected base, inventory, drift, indexes, gates, outbox, rehearsal.
    """
    from iucore.operations import apply as operation

    options = _options(**given)
    _confirm(f"takes the database back to {revision or 'where the newest run began'}", yes)
    run = operation.rollback(context.engine(), revision, options=options, lose_rows=lose_rows, tell=context.say)
    _ran(context, run, revision or "where the newest run began")


def _options(
    *, target: str, backups: str | None, expect_open: str | None, expect_on: str | None, free_bytes: Any, **times: Any
) -> ApplyOptions:
    from pathlib import Path

    from iucore.operations import backup
    from iucore.operations.apply import Options
    from iucore.operations.preflight import Expected

    settings = _settings(**times)
    return Options(
        backups=backup.default_folder() if backups is None else Path(backups),
        target=target,
        expected=Expected.of(expect_open, expect_on),
        free_bytes=free_bytes,
        backup_age=settings.pop("max_age", None),
        preflight_age=settings.pop("preflight_age"),
        settings=settings,
    )


def _ran(context: Context, run: Run | None, revision: str) -> None:
    from iucore.cli._migrations import run_lines

    if run is None:
        context.say(f"the database is at {revision} already: nothing was done")
    elif context.format is None:
        write("".join(f"{_errors.visible(line)}\n" for line in run_lines(run)).encode())
    else:
        emit_one(context, run)
    if run is not None:
        verb, before = "rollback" if run.direction == "up" else "apply", run.before.revision or "base"
        context.say(f"next: iucore closeout --run {run.run}; to undo it: iucore db {verb} {before}")

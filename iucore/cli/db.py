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
from iucore.cli._output import emit_one, emit_value, write

if TYPE_CHECKING:
    from iucore.embedded import Cluster

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

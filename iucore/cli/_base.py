"""What every command shares: lazy groups, the common options, and one place that ends a run."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, TypedDict, TypeVar

import click

from iucore.cli import _errors
from iucore.cli._context import FORMATS, Context
from iucore.cli._input import GIVEN, check_utf8

Function = TypeVar("Function", bound=Callable[..., Any])
pass_context = click.make_pass_decorator(Context, ensure=True)


class Change(TypedDict):
    """What every writing command is told about the change."""

    reason: str
    actor: str | None
    request_key: str | None


def examples(*lines: str) -> str:
    """An epilog with examples, one a line, not wrapped."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


def _set(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def callback(ctx: click.Context, _: click.Parameter, value: Any) -> None:
        context = ctx.ensure_object(Context)
        if value:
            setattr(context, name, value)

    return callback


def _common() -> list[click.Parameter]:
    """Options that may stand before or behind the command."""
    return [
        click.Option(
            ["--url"],
            metavar="URL",
            type=GIVEN,
            expose_value=False,
            callback=_set("url"),
            help="The database; else IUCORE_DATABASE_URL, DATABASE_URL, PG*, the embedded one.",
        ),
        click.Option(
            ["--format"],
            type=click.Choice(FORMATS),
            expose_value=False,
            callback=_set("format"),
            help="Format of the output; else a table on a terminal, tsv elsewhere. Not for render, sql and metrics.",
        ),
        click.Option(
            ["--debug"],
            is_flag=True,
            expose_value=False,
            callback=_set("debug"),
            help="Show the traceback of an error.",
        ),
        click.Option(
            ["-q", "--quiet"],
            is_flag=True,
            expose_value=False,
            callback=_set("quiet"),
            help="Say nothing on stderr but errors.",
        ),
    ]


# Commands about the database that is written to, never about a standby of it.
_OF_THE_PRIMARY = ("db", "preflight", "backup", "closeout")


def _topmost(ctx: click.Context) -> str | None:
    """The name of the command below the root."""
    while ctx.parent is not None and ctx.parent.parent is not None:
        ctx = ctx.parent
    return ctx.info_name


_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


class Command(click.Command):
    """A command with the common options."""

    def __init__(self, *args: Any, role: str | None = None, **kwargs: Any) -> None:
        """Add the common options behind the own ones; ``role``: what a login needs, unless it follows from them."""
        # Not from the parent: click keeps the help option that the first caller's context gave.
        kwargs.setdefault("context_settings", _SETTINGS)
        super().__init__(*args, **kwargs)
        self.role = role or (_errors.AUTHOR if any(one.name == "reason" for one in self.params) else _errors.READER)
        self.params += _common()

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse what is not UTF-8, but for names of files."""
        rest = super().parse_args(ctx, args)
        for parameter in self.params:
            value = ctx.params.get(parameter.name or "") if parameter.type is click.STRING else None
            for text in value if isinstance(value, tuple) else (value or "",):
                check_utf8(text, parameter)
        return rest

    def invoke(self, ctx: click.Context) -> Any:
        """Run it, knowing which role a login needs."""
        context = ctx.ensure_object(Context)
        context.role = _errors.READER if context.recorder is not None else self.role
        context.about_server = _topmost(ctx) in _OF_THE_PRIMARY
        return super().invoke(ctx)


class Group(click.Group):
    """A group of such commands."""

    command_class = Command


class Root(click.Group):
    """The outermost group: imports a command when it is asked for, and turns what it raises into an exit code."""

    def __init__(self, *args: Any, commands_of: Mapping[str, str], **kwargs: Any) -> None:
        """Take the names of the commands and a line about each; command ``x`` is ``x`` in ``iucore.cli.x``."""
        kwargs.setdefault("context_settings", _SETTINGS)
        super().__init__(*args, **kwargs)
        self.params += _common()
        self.commands_of = commands_of

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The names, in the order of the list."""
        return list(self.commands_of)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command, imported now."""
        if cmd_name not in self.commands_of:
            return None
        command: click.Command = getattr(import_module(f"iucore.cli.{cmd_name}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.commands_of.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; whatever it raises is printed on stderr and becomes the exit code."""
        context = ctx.ensure_object(Context)
        if sys.stdout is None:
            _errors.show("stdout is closed", hint="Nothing was done. Send the output somewhere, such as >/dev/null")
            ctx.exit(_errors.FAILED)
        try:
            try:
                super().invoke(ctx)
            finally:
                context.close()
            sys.stdout.flush()
        except click.exceptions.Exit:
            raise
        except click.ClickException as error:
            vars(error)["message"] = _errors.visible(error.message)
            raise
        except BrokenPipeError:
            _discard_output()
        except (KeyboardInterrupt, click.Abort):
            click.echo("\ninterrupted", err=True)
            ctx.exit(_errors.INTERRUPTED)
        except Exception as error:
            code = _errors.explain(error, context)
            try:
                sys.stdout.flush()
            except OSError:
                _discard_output()
            ctx.exit(code)


def _discard_output() -> None:
    """What stdout could not take is not tried again at exit: Python would end with 120."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def writes(function: Function) -> Function:
    """Add the options of a change; the command gets them as ``change``."""

    def decorated(*args: Any, reason: str, actor: str | None, request_key: str | None, **kwargs: Any) -> Any:
        return function(*args, change=Change(reason=reason, actor=actor, request_key=request_key), **kwargs)

    decorated.__doc__, decorated.__name__ = function.__doc__, function.__name__
    decorated.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
    return change_options(required=True)(decorated)  # type: ignore[return-value]


def records(function: Function) -> Function:
    """Add ``--record`` and the options of a change to a reading command; ``change`` is None where it only reads."""

    def decorated(
        *args: Any, record: bool, reason: str | None, actor: str | None, request_key: str | None, **kwargs: Any
    ) -> Any:
        if not record and (reason, actor, request_key) != (None, None, None):
            raise click.UsageError("--reason, --actor and --request-key go with --record.")
        if record and reason is None:
            raise click.UsageError("--record needs -m REASON, in one line.")
        change = Change(reason=reason, actor=actor, request_key=request_key) if record and reason is not None else None
        return function(*args, change=change, **kwargs)

    decorated.__doc__, decorated.__name__ = function.__doc__, function.__name__
    decorated.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
    flag = click.option("--record", is_flag=True, help="Write down that this was done, with an event; needs a reason.")
    return flag(change_options(required=False)(decorated))  # type: ignore[return-value]


def change_options(*, required: bool) -> Callable[[Function], Function]:
    """The options ``--reason``, ``--actor`` and ``--request-key``."""

    def add(function: Function) -> Function:
        for option in (
            click.option(
                "--request-key",
                metavar="KEY",
                help="Give the same key when you retry: the first result is returned and nothing is written.",
            ),
            click.option("--actor", metavar="NAME", help="Who claims to do this; stored beside the login role."),
            click.option("-m", "--reason", required=required, metavar="REASON", help="Why, in one line."),
        ):
            function = option(function)
        return function

    return add

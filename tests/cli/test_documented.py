"""Every command is documented: a docstring, two examples that parse, a help for each option."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from iucore.cli import _COMMANDS, main


def walk(command: click.Command, path: tuple[str, ...], parent: click.Context | None = None) -> Iterator[tuple]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path[-1], parent=parent)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from walk(found, (*path, name), context)


COMMANDS = dict(walk(main, ("iucore",)))
LEAVES = {path: command for path, command in COMMANDS.items() if not isinstance(command, click.Group)}


def examples_of(command: click.Command) -> list[str]:
    lines = (command.epilog or "").splitlines()
    assert lines[:2] == ["\b", "Examples:"]
    return [line.strip() for line in lines[2:]]


def parsed(line: str) -> tuple[str, ...]:
    """The path of the command that the line names; fails where the line does not parse. Runs nothing."""
    arguments = shlex.split(line)
    if "|" in arguments:
        arguments = arguments[: arguments.index("|")]
    assert arguments.pop(0) == "iucore"
    command: click.Command = main
    context = main.make_context("iucore", arguments)
    path = ["iucore"]
    while isinstance(command, click.Group):
        name, found, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        assert name is not None and found is not None
        path.append(name)
        command, context = found, found.make_context(name, rest, parent=context)
    return tuple(path)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_documented(path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    assert command.help and command.help[0].isupper() and "." in command.help
    lines = examples_of(command)
    assert len(lines) >= 2 and len(set(lines)) == len(lines)
    for line in lines:
        named = parsed(line)
        assert named[: len(path)] == path, "the example is one of this command"
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{parameter.opts} has no help"
    shown = CliRunner().invoke(main, [*path[1:], "--help"])
    assert shown.exit_code == 0
    for line in lines:
        assert line in shown.stdout, "examples are not wrapped"


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_common_options(path: tuple[str, ...]) -> None:
    names = {name for parameter in LEAVES[path].params for name in parameter.opts}
    assert {"--url", "--format", "--debug", "--quiet"} <= names
    if "--reason" in names:
        assert {"-m", "--actor", "--request-key"} <= names


def test_list_of_commands_says_what_the_commands_say() -> None:
    assert list(_COMMANDS) == [path[1] for path in COMMANDS if len(path) == 2]
    assert all(line.endswith(".") for line in _COMMANDS.values())


def test_hints_of_the_database_name_commands_that_exist() -> None:
    named = {
        tuple(found.split())
        for path in (Path(__file__).resolve().parents[2] / "sql").rglob("*.sql")
        for found in re.findall(r"\b(iucore (?:[a-z]+)(?: [a-z-]+)?)", path.read_text())
        if found.split()[1] in _COMMANDS
    }
    assert len(named) > 10
    assert {path for path in named if path not in COMMANDS and path[:2] not in LEAVES} == set()


def test_governed_commands_of_the_issue_exist() -> None:
    wanted = {
        "db": "up down status url psql reset upgrade downgrade current verify sql",
        "piece": "create edit clone show history diff where-used list lifecycle retire delete restore",
        "kind": "list register",
        "collection": "create add remove move pin unpin replace step show list validate history rebalance where-used"
        " delete restore",
        "axis": "register list set show refresh",
        "gate": "list open close history",
        "events": "list show tail prune types register check",
        "route": "list show register configure on off replay skip dead",
        "ledger": "verify anchor",
        "inventory": "show verify",
    }
    for group, names in wanted.items():
        assert {("iucore", group, name) for name in names.split()} <= set(COMMANDS)
    assert {("iucore", name) for name in ("cut", "render", "sql", "status", "metrics", "completion")} <= set(COMMANDS)

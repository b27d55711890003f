"""The client programs of PostgreSQL: where they are, how they connect, and one run of one of them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from iucore import _target, embedded
from iucore.errors import InvalidError, OperationError

if TYPE_CHECKING:
    from sqlalchemy import URL

_CHUNK = 1024 * 1024
_SAID_LINES = 40
_END_SECONDS = 10.0
# Where distributions keep one folder for each major version: PATH has only one of them.
_VERSIONED = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")


@dataclass(frozen=True, slots=True)
class Program:
    """A program and its version, such as 18 and ``18.6``."""

    path: Path
    major: int
    version: str


class ProgramError(Exception):
    """A program ended with an error.

    Attributes:
        name: of the program.
        status: what it ended with; negative for a signal.
        said: the end of what it said on stderr.
    """

    def __init__(self, name: str, status: int, said: str) -> None:
        """Keep what there is to show."""
        super().__init__(f"{name} ended with {status}")
        self.name, self.status, self.said = name, status, said or f"{name} ended with status {status} and said nothing"


def find(name: str, *, at_least: int = 0) -> Program:
    """A client program of a major version at least that of the server.

    What ``IUCORE_PG_BIN`` names is taken before all others. Those are looked for in PATH, where distributions keep
    them, in the wheel and where ``pg_config`` says. Of them the nearest major version wins: what a newer pg_dump writes
    an older server may not be able to restore.

    Args:
        name: such as ``pg_dump``.
        at_least: the lowest major version that will do.

    Raises:
        iucore.errors.OperationError: IU908, none is there, or all are too old.
    """
    named = os.environ.get("IUCORE_PG_BIN")
    first = list(_found([Path(named).expanduser()], name)) if named else []
    if fitting := [one for one in first if one.major >= at_least]:
        return fitting[0]
    others = list(_found(_folders(), name))
    if fitting := [one for one in others if one.major >= at_least]:
        # min() keeps the order among equals.
        return min(fitting, key=lambda one: one.major) if at_least else fitting[0]
    old = ", ".join(f"{one.path} ({one.version})" for one in [*first, *others])
    wanted = f" {at_least}" if at_least else ""
    raise OperationError(
        f"no {name} of PostgreSQL{wanted}{' or later' if at_least else ''} was found",
        sqlstate="IU908",
        detail=f"too old: {old}" if old else "looked in IUCORE_PG_BIN, PATH, pg_config --bindir and the wheel",
        hint=f"Install the client programs of PostgreSQL{wanted} (Debian: postgresql-client{wanted.replace(' ', '-')}),"
        " or set IUCORE_PG_BIN to the bin folder that has them.",
    )


def environment(url: URL | str, *, database: str | None = None) -> tuple[list[str], dict[str, str]]:
    """Arguments and environment for a client program to connect; it never asks for a password.

    The password is in the environment alone: arguments can be seen by every user of the machine.

    Args:
        url: a SQLAlchemy URL, or what ``--url`` takes.
        database: another database than that of the URL.

    Raises:
        iucore.errors.InvalidError: IU030, the URL cannot be read, or holds a secret other than the password.

    >>> arguments, settings = environment("postgresql://ann:secret@db.example/our texts")
    >>> arguments, settings["PGPASSWORD"]
    (['--no-password', "--dbname=host='db.example' user='ann' dbname='our texts'"], 'secret')
    """
    parsed = _target.normalise_url(url) if isinstance(url, str) else url
    settings = {**os.environ, "PGCLIENTENCODING": "UTF8"}
    query = {key: value if isinstance(value, str) else ",".join(value) for key, value in parsed.query.items()}
    if secret := next((key for key in query if re.search(r"pass(?!file)|secret", key)), None):
        raise InvalidError(
            "the database URL holds a secret that only an argument could hand to a program",
            sqlstate="IU030",
            detail=f"parameter: {secret}",
            hint="Name a service of pg_service.conf that holds it: postgresql://?service=NAME",
        )
    if parsed.password is not None:
        settings["PGPASSWORD"] = str(parsed.password)
    elif "passfile" in query:
        # It would go before the passfile that was named.
        settings.pop("PGPASSWORD", None)
    parts = {
        "host": parsed.host,
        "port": parsed.port,
        "user": parsed.username,
        "dbname": parsed.database if database is None else database,
        **query,
    }
    text = " ".join(f"{key}={_quoted(str(value))}" for key, value in parts.items() if value is not None)
    return ["--no-password", *([f"--dbname={text}"] if text else [])], settings


def run(
    program: Program,
    arguments: Sequence[str | Path],
    settings: Mapping[str, str] | None = None,
    *,
    take: Callable[[bytes], object] = len,
) -> str:
    """Run a program to its end and hand over what it writes, piece by piece; returns the end of what it said on stderr.

    Whatever ends this early, an interrupt too, ends the program.

    Args:
        program: from ``find``.
        arguments: what follows its name.
        settings: its environment; None: ours.
        take: gets each piece of its stdout; without it they are read and forgotten.

    Raises:
        ProgramError: it ended with an error.
    """
    name = program.path.name
    with _running([str(program.path), *map(str, arguments)], settings) as (process, output, said):
        while piece := os.read(output.fileno(), _CHUNK):
            take(piece)
        status = process.wait()
        said.join()
        if status:
            raise ProgramError(name, status, said.text())
        return said.text()


class _Said(threading.Thread):
    """Reads stderr beside stdout, so that neither fills up, and keeps its end."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self.stream = stream
        self.lines: deque[bytes] = deque(maxlen=_SAID_LINES)

    def run(self) -> None:
        self.lines.extend(self.stream)

    def text(self) -> str:
        return b"".join(self.lines).decode("utf-8", "replace").strip()


@contextmanager
def _running(
    argv: list[str], settings: Mapping[str, str] | None
) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes], _Said]]:
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=settings,
        # Ctrl-C comes to us, and we end it.
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        said = _Said(process.stderr)
        said.start()
        yield process, process.stdout, said
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        process.stdout.close()


def _folders() -> Iterator[Path]:
    for part in os.environ.get("PATH", os.defpath).split(os.pathsep):
        if part:
            yield Path(part)
    for pattern in _VERSIONED:
        yield from sorted(Path("/").glob(pattern[1:]), reverse=True)
    yield from embedded.installed_programs()


def _found(folders: Sequence[Path] | Iterator[Path], name: str) -> Iterator[Program]:
    seen = set()
    for folder in folders:
        # A folder of PATH may be closed to us.
        there = shutil.which(name, path=str(folder))
        if there is None:
            continue
        path = Path(there)
        real = path.resolve()
        # Debian's wrapper chooses a version anew at each call; what it chooses from is looked at by itself.
        if real in seen or real.name == "pg_wrapper":
            continue
        seen.add(real)
        told = subprocess.run([path, "--version"], capture_output=True, text=True, errors="replace", check=False).stdout
        if number := re.search(r"\(PostgreSQL\) ((\d+)\S*)", told):
            yield Program(path, int(number[2]), number[1])


def _quoted(value: str) -> str:
    """A value of a connection string."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"

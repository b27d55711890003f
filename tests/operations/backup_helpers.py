"""A database with something in it, its backup, and copies of that to be damaged."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psycopg
from click.testing import CliRunner, Result
from sqlalchemy import create_engine, pool
from sqlalchemy.engine import make_url

from iucore import _target, collections, units
from iucore.cli import main
from iucore.operations import backup, programs
from iucore.operations.backup import Backup

CLI = [sys.executable, "-m", "iucore.cli"]


def run(*arguments: str | Path, code: int = 0) -> Result:
    """A command, in this process."""
    done = CliRunner().invoke(main, [*map(str, arguments)])
    assert done.exit_code == code, f"{arguments}: exit {done.exit_code}\n{done.output}"
    return done


def rows(done: Result) -> Any:
    return json.loads(done.stdout)


def fill(url: str) -> None:
    """Pieces with bytes of every sort, in a collection."""
    bodies = ["# a\r\n", "tab\t\\ \\. \\N\n", "", "é😀\u0301 no end", os.urandom(60000).hex()]
    with create_engine(url, poolclass=pool.NullPool).begin() as connection:
        for number, body in enumerate(bodies):
            units.create(connection, address=f"b/{number}", kind="text", title="T", body=body, reason="r")
        members = [{"piece": f"b/{number}"} for number in range(len(bodies))]
        collections.create(connection, key="b.md", kind="file", title="B", members=members, reason="r")


def make(url: str, to: Path, **options: Any) -> Backup:
    with create_engine(_target.normalise_url(url), poolclass=pool.NullPool).connect() as connection:
        return backup.create(connection, url, to, **options)


def libpq(url: str, **changes: Any) -> psycopg.Connection[Any]:
    """An autocommit connection by psycopg."""
    plain = make_url(url).set(drivername="postgresql", **changes).render_as_string(hide_password=False)
    return psycopg.connect(plain, autocommit=True)


def restore(made: Backup, url: str, database: str, *options: str) -> None:
    """As a DBA would; errors do not end it."""
    arguments, settings = programs.environment(url, database=database)
    command = [programs.find("pg_restore", at_least=backup.major(made.client_version)).path, *options, *arguments]
    subprocess.run([*command, made.folder / backup.DUMP], env=settings, capture_output=True, check=False)


def forged(folder: Path, change: Callable[[dict[str, Any]], object] = lambda _: None) -> Path:
    """Make digests and sums fit what stands there now, as somebody would who hides a damage."""
    said = json.loads((folder / backup.MANIFEST).read_text())
    archive = (folder / backup.DUMP).read_bytes()
    said |= {"sha256": hashlib.sha256(archive).hexdigest(), "bytes": len(archive)}
    change(said)
    del said["digest"]
    plain = json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    said["digest"] = hashlib.sha256(plain.encode()).hexdigest()
    (folder / backup.MANIFEST).write_text(json.dumps(said))
    names: Sequence[str] = (backup.DUMP, backup.GLOBALS, backup.MANIFEST)
    sums = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (folder / backup.SUMS).write_text("".join(sums))
    return folder

"""A database that is ready for a production apply, and what the tests of applying look at."""

from __future__ import annotations

import json
import os
import re
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result
from servers import url_of
from sqlalchemy import Engine, create_engine, pool

from iucore import inventory
from iucore.cli import main
from iucore.operations import evidence, migrate

ROOT = Path(__file__).resolve().parents[2]
HEAD = migrate.heads()[0]
REVISIONS = migrate.revisions()


@dataclass(frozen=True)
class Place:
    """A database and the folders of its backups and its evidence; commands are run in this process."""

    url: str
    folder: Path

    @property
    def engine(self) -> Engine:
        return create_engine(self.url, poolclass=pool.NullPool)

    @property
    def backups(self) -> Path:
        return self.folder / "backups"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "IUCORE_DATABASE_URL": re.sub(r"^postgresql\+\w+:", "postgresql:", self.url),
            "IUCORE_BACKUPS": str(self.backups),
            "IUCORE_EVIDENCE": str(self.folder / "evidence"),
        }

    def run(self, *arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(main, arguments, env=self.environment)
        assert result.exit_code == code, f"{arguments}: exit {result.exit_code}\n{result.output}"
        return result

    def objects(self, *arguments: str) -> Any:
        return json.loads(self.run("--format", "json", *arguments).stdout)

    def ready(self) -> None:
        """A fresh backup, and a rehearsal where something is pending."""
        self.run("backup", "create", "--to", str(self.backups))
        if migrate.current(self.url) != HEAD:
            self.run("db", "rehearse")

    def runs(self) -> list[dict[str, Any]]:
        """What the runs wrote down, oldest first."""
        with self.engine.connect() as connection:
            return [one.body for one in evidence.every("run", evidence.identity(connection))][::-1]

    def begin(self, monkeypatch: pytest.MonkeyPatch, revision: str) -> Place:
        """As it was made, without runs; calls in this process find its folders."""
        for name, value in self.environment.items():
            monkeypatch.setenv(name, value)
        self.execute("drop function if exists iucore.fn_iu_stray()")
        for gate, is_open in (("master", True), ("composer", True), ("delivery", False)):
            self.execute(f"select iucore.fn_iu_gate_set('{gate}', {is_open}, 'r')")
        migrate.downgrade(self.url, revision, lose_rows=True)
        assert self.whole() == revision
        for kind in ("run", "preflight"):
            for path in (self.folder / "evidence").rglob(f"{kind}-*"):
                path.unlink()
        return self

    def state(self) -> tuple[str | None, str]:
        """The revision and the fingerprint of everything."""
        with self.engine.connect() as connection:
            return migrate.current_of(connection), inventory.render(inventory.actual(connection))

    def whole(self) -> str | None:
        """The revision, after a look whether the database is exactly as it says."""
        revision, found = self.state()
        expected = inventory.expected(revision) if revision is not None else []
        assert inventory.compare(expected, inventory.parse(found)) == []
        return revision

    def execute(self, sql: str) -> None:
        with self.engine.begin() as connection:
            connection.exec_driver_sql(sql, execution_options={"no_parameters": True})


def place(new_database: Callable[[], str], folder: Path, revision: str) -> Place:
    """A new database at a revision, with rows where there can be some."""
    made = Place(new_database(), folder)
    if revision != "base":
        migrate.upgrade(made.url, revision)
    if revision >= "0003" and revision != "base":
        made.execute(
            "select * from iucore.fn_iu_create('a', 'text', 'A', E'a\\n', 'r');"
            " select * from iucore.fn_iu_collection_create('f', 'file', 'F', 'r', '[{\"piece\": \"a\"}]')"
        )
    return made


@contextmanager
def prepared(admin: psycopg.Connection, folder: Path, revision: str) -> Iterator[Place]:
    """Such a database for the tests of a module, with backup and rehearsal; each test calls ``begin``."""
    name = f"t_{uuid.uuid4().hex}"
    admin.execute(f"create database {name} template template0 encoding 'UTF8'")
    try:
        made = place(lambda: url_of(name), folder, revision)
        made.ready()
        yield made
    finally:
        admin.execute(f"drop database {name} with (force)")


def command(*arguments: str) -> list[str]:
    """The command line in a process of its own."""
    return [sys.executable, "-m", "iucore.cli", *arguments]


def process_environment(of: Place) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("IUCORE_", "DATABASE_"))}
    return {**kept, **of.environment, "PYTHONPATH": str(ROOT)}

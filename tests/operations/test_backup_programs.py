"""The client programs: which one is taken, how it connects, and how it ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from backup_helpers import libpq, make
from sqlalchemy.engine import make_url

from iucore import errors
from iucore.operations import backup, programs
from iucore.operations.programs import Program

SHELL = Program(Path("/bin/sh"), 0, "0")
Install = Callable[[str, str], Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a program that tells its version into a folder; only these folders are looked in."""
    folders: list[Path] = []
    monkeypatch.setattr(programs, "_folders", lambda: folders)
    monkeypatch.delenv("IUCORE_PG_BIN", raising=False)

    def put(folder: str, version: str) -> Path:
        path = tmp_path / folder / "pg_dump"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\necho 'pg_dump (PostgreSQL) {version}'\n")
        path.chmod(0o755)
        if path.parent not in folders:
            folders.append(path.parent)
        return path

    return put


def test_the_nearest_major_that_is_not_too_old(install: Install) -> None:
    old, newest, fitting = install("a", "15.4"), install("b", "18.1"), install("c", "16.2 (Debian 16.2-1)")
    again = install("d", "16.9")
    assert programs.find("pg_dump") == Program(old, 15, "15.4")
    assert programs.find("pg_dump", at_least=16) == Program(fitting, 16, "16.2")
    assert programs.find("pg_dump", at_least=17).path == newest
    assert again.is_file()


def test_the_named_folder_goes_before_all(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    exact, named = install("a", "16.1"), install("own folder", "18.1")
    monkeypatch.setenv("IUCORE_PG_BIN", str(named.parent))
    assert programs.find("pg_dump", at_least=16).path == named
    install("own folder", "15.1")
    assert programs.find("pg_dump", at_least=16).path == exact, "a too old one does not stand in the way"


def test_missing_and_too_old(install: Install, monkeypatch: pytest.MonkeyPatch, url: str, tmp_path: Path) -> None:
    with pytest.raises(errors.OperationError) as caught:
        programs.find("pg_dump")
    assert caught.value.sqlstate == "IU908"
    assert "no pg_dump of PostgreSQL was found" in caught.value.message
    old = install("a", "9.6.24")
    monkeypatch.setenv("IUCORE_PG_BIN", str(old.parent))
    with pytest.raises(errors.OperationError) as caught:
        make(url, tmp_path / "to")
    assert caught.value.sqlstate == "IU908"
    assert f"too old: {old} (9.6.24)" in caught.value.detail
    assert "postgresql-client-" in caught.value.hint and "IUCORE_PG_BIN" in caught.value.hint
    assert not (tmp_path / "to").exists()


def test_a_password_is_in_the_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "of another")
    arguments, settings = programs.environment("postgresql://ann:s%40cret@db.example:5433/texts?sslmode=require")
    assert settings["PGPASSWORD"] == "s@cret"
    assert "s@cret" not in " ".join(arguments) and "sslmode='require'" in arguments[-1]
    arguments, settings = programs.environment("postgresql://ann@db.example/texts?passfile=/x")
    assert "PGPASSWORD" not in settings and "passfile='/x'" in arguments[-1]
    assert programs.environment("postgresql://")[1]["PGPASSWORD"] == "of another"
    assert programs.environment("postgresql://", database="a 'b' \\")[0][-1] == "--dbname=dbname='a \\'b\\' \\\\'"
    with pytest.raises(errors.InvalidError, match="secret"):
        programs.environment("postgresql://db.example/texts?sslpassword=x")


def test_a_login_with_a_password_of_its_own(url: str, login: Callable[[str], str], tmp_path: Path) -> None:
    given = make_url(login("pg_read_all_data"))
    with libpq(url) as connection:
        connection.execute(f"alter role {given.username} password 'o''wn %4'")
    made = make(given.set(password="o'wn %4").render_as_string(hide_password=False), tmp_path)
    assert backup.verify(made.folder).rows == made.rows


def test_both_outputs_are_read() -> None:
    taken: list[bytes] = []
    noise = "i=0; while [ $i -lt 5000 ]; do echo out$i; echo err$i-$i-$i-$i-$i-$i-$i >&2; i=$((i+1)); done; exit 3"
    with pytest.raises(programs.ProgramError) as caught:
        programs.run(SHELL, ["-c", noise], take=taken.append)
    assert b"".join(taken).splitlines()[-1] == b"out4999"
    assert programs.run(SHELL, ["-c", "echo careful >&2"]) == "careful"
    assert (caught.value.status, caught.value.said.splitlines()[-1][:7]) == (3, "err4999")


def test_what_ends_us_ends_it(tmp_path: Path) -> None:
    def take(_: bytes) -> None:
        raise KeyboardInterrupt

    pid = tmp_path / "pid"
    with pytest.raises(KeyboardInterrupt):
        programs.run(SHELL, ["-c", f"echo $$ >'{pid}'; echo; exec sleep 300"], take=take)
    until = time.monotonic() + 10
    while Path(f"/proc/{pid.read_text().strip()}").exists():
        assert time.monotonic() < until

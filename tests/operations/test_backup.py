"""Backups: made, read, and refused when anything about them is not as it was."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from backup_helpers import CLI, fill, forged, libpq, make, rows, run
from psycopg import sql
from servers import url_of
from sqlalchemy.engine import make_url

from iucore import errors
from iucore.operations import backup, migrate, programs
from iucore.operations.backup import DUMP, GLOBALS, MANIFEST, SUMS, Backup


@pytest.fixture(scope="module")
def originals(
    admin: psycopg.Connection[Any], at_head: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Backup]]:
    """Two backups of one database, compressed and not."""
    name = f"t_backup_{os.getpid()}"
    admin.execute(f'create database {name} template "{at_head.template_dbname}"')
    try:
        fill(url_of(name))
        to = tmp_path_factory.mktemp("backups")
        yield {"compressed": make(url_of(name), to), "plain": make(url_of(name), to, compress=0)}
    finally:
        admin.execute(f"drop database {name} with (force)")


@pytest.fixture
def copy(originals: dict[str, Backup], tmp_path: Path) -> Callable[[str], Path]:
    """A fresh copy of one of the two."""

    def make_copy(which: str) -> Path:
        folder = tmp_path / which
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(originals[which].folder, folder)
        return folder

    return make_copy


def refusal(folder: Path) -> str:
    with pytest.raises(errors.OperationError) as caught:
        backup.verify(folder)
    assert caught.value.sqlstate == "IU931"
    assert caught.value.hint
    return caught.value.detail


# ------------------------------------------------------------------------------------------------------------- making


def test_made_verified_and_listed(url: str, tmp_path: Path, login: Callable[[str], str]) -> None:
    fill(url)
    ann = str(make_url(login("iucore_author")).username)
    to = tmp_path / "to be made"
    made = rows(run("backup", "create", "--to", to, "--url", url, "--format", "json"))
    folder = Path(made["folder"])
    assert folder.parent == to
    assert {path.name for path in to.rglob("*")} == {folder.name, DUMP, GLOBALS, MANIFEST, SUMS}
    assert {path.stat().st_mode & 0o077 for path in [folder, *folder.iterdir()]} == {0}
    assert subprocess.run(["sha256sum", "--check", "--quiet", SUMS], cwd=folder, check=False).returncode == 0

    said = json.loads((folder / MANIFEST).read_text())
    with libpq(url) as connection:
        one = connection.execute(
            "select system_identifier::text, current_database(), (select oid from pg_database where datname ="
            " current_database())::bigint, current_setting('server_version') from pg_control_system()"
        ).fetchone()
        tables = "select count(*) from iucore.unit_content", "select count(*) from iucore.collection_member"
        counted = [connection.execute(query).fetchone()[0] for query in tables]  # type: ignore[index]
    keys = ("system_identifier", "database", "database_oid", "server_version")
    assert tuple(said[key] for key in keys) == one
    assert [said["rows"][name] for name in ("unit_content", "collection_member")] == counted == [5, 5]
    assert said["rows"].keys() == said["hashes"].keys() and len(set(said["hashes"].values())) > 10
    assert said["revision"] == migrate.heads()[0]
    assert said["bytes"] == (folder / DUMP).stat().st_size
    assert said["sha256"] == hashlib.sha256((folder / DUMP).read_bytes()).hexdigest()
    assert said["toc_entries"] > 1000 and said["database_bytes"] > said["bytes"]

    roles = (folder / GLOBALS).read_text()
    assert f'create role "{ann}" login inherit;' in roles
    assert f'grant "iucore_author" to "{ann}";' in roles
    assert "password" not in roles.partition("\ndo ")[2].lower()
    assert "superuser" not in roles.partition("\ndo ")[2].lower()

    assert rows(run("backup", "verify", folder, "--format", "json")) == made
    assert rows(run("backup", "verify", folder, "--for-database", "--url", url, "--format", "json")) == made
    listed = rows(run("backup", "list", to, "--format", "json"))
    assert [(one["folder"], one["state"], one["revision"]) for one in listed] == [
        (str(folder), "complete", said["revision"])
    ]


def test_newest_first_and_the_damaged_are_not_hidden(copy: Callable[[str], Path], tmp_path: Path) -> None:
    older, newer = copy("compressed"), copy("plain")
    broken = tmp_path / "broken"
    shutil.copytree(older, broken)
    (broken / MANIFEST).write_text((older / MANIFEST).read_text().replace('"rows"', '"Rows"'))
    cut = tmp_path / "cut"
    shutil.copytree(older, cut)
    (cut / DUMP).write_bytes((older / DUMP).read_bytes()[:-1])
    (tmp_path / "something else").mkdir()
    found = {one.folder: one.problem for one in backup.backups(tmp_path)}
    whole = [one.folder for one in backup.backups(tmp_path) if one.problem is None]
    assert whole == [newer, older]
    assert found.keys() == {older, newer, broken, cut}
    assert "altered" in (found[broken] or "")
    assert DUMP in (found[cut] or "")
    assert backup.backups(tmp_path / "absent") == []


def test_the_dump_and_the_counts_are_of_one_moment(url: str, tmp_path: Path) -> None:
    fill(url)

    def write(_: str) -> None:
        """Between the steps of the backup somebody commits."""
        with libpq(url) as other:
            other.execute(
                "select * from iucore.fn_iu_create(%s, 'text', 'T', 'b', p_reason => 'r')", (f"late/{time.time_ns()}",)
            )

    made = make(url, tmp_path, tell=write)
    pieces: list[bytes] = []
    program = programs.find("pg_restore", at_least=backup.major(made.client_version))
    programs.run(program, ["--file=-", made.folder / DUMP], take=pieces.append)
    text = b"".join(pieces).decode()
    block = re.search(r"^COPY iucore\.information_unit .*?\n(.*?)^\\\.$", text, re.MULTILINE | re.DOTALL)
    assert block is not None
    with libpq(url) as connection:
        count = connection.execute("select count(*) from iucore.information_unit").fetchone()
    assert count is not None
    assert made.rows["information_unit"] == len(block[1].splitlines()) == 5 < count[0]


@pytest.mark.parametrize("name", ['o\'r "texts"', "тексты=x ${HOME} %s :x", "-a\\b/../c"])
def test_any_name_of_a_database(admin: psycopg.Connection[Any], at_head: Any, tmp_path: Path, name: str) -> None:
    admin.execute(
        sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(at_head.template_dbname))
    )
    try:
        url = make_url(url_of("x")).set(database=name).render_as_string(hide_password=False)
        made = make(url, tmp_path)
        assert (made.database, made.folder.parent) == (name, tmp_path)
        assert backup.verify(made.folder).rows == made.rows
    finally:
        admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def test_a_database_without_iucore(new_database: Callable[..., str], tmp_path: Path) -> None:
    made = make(new_database(), tmp_path)
    assert (made.revision, made.rows) == (None, {})
    assert backup.verify(made.folder).toc_entries > 0


# ----------------------------------------------------------------------------------------------------------- refusals


def test_what_the_login_may_not_read_is_named(url: str, login: Callable[[str | None], str], tmp_path: Path) -> None:
    stranger = login("iucore_reader")
    refused = run("backup", "create", "--to", tmp_path / "to", "--url", stranger, code=4)
    assert "IU934" in refused.stderr
    assert "iucore.change_result" in refused.stderr
    assert "grant pg_read_all_data to" in refused.stderr
    assert not list(tmp_path.rglob("*.dump"))
    with libpq(url) as connection:
        connection.execute("create table public.neighbour (n int)")
        owner = login("iucore_owner")
        connection.execute(f"grant iucore_reader to {make_url(owner).username}")
        refused = run("backup", "create", "--to", tmp_path / "to", "--url", owner, code=4)
        assert "no right to read public.neighbour" in refused.stderr
        connection.execute("drop table public.neighbour")
        make(owner, tmp_path)
    # No superuser is needed.
    made = make(login("pg_read_all_data"), tmp_path)
    assert backup.verify(made.folder).rows == made.rows


def test_another_database(
    copy: Callable[[str], Path], new_database: Callable[..., str], originals: dict[str, Backup]
) -> None:
    folder = copy("compressed")
    refused = run("backup", "verify", folder, "--url", new_database(), code=1)
    assert "IU932" in refused.stderr
    assert f"database {originals['compressed'].database}" in refused.stderr
    home = url_of(originals["compressed"].database)
    run("backup", "verify", folder, "--url", home)
    # A database of the same name and number, in another cluster.
    forged(folder, lambda said: said.update(system_identifier="7000000000000000000"))
    assert "IU932" in run("backup", "verify", folder, "--url", home, code=1).stderr


@pytest.mark.parametrize("which", ["compressed", "plain"])
def test_32_damaged_archives_of_each_sort(copy: Callable[[str], Path], which: str) -> None:
    folder, chance = copy(which), random.Random(which)
    whole = (folder / DUMP).read_bytes()
    backup.verify(folder)
    places = [0, 4, 5, 7, 20, 100, 2000, len(whole) // 2, len(whole) - 2000, len(whole) - 1]
    places += [chance.randrange(len(whole)) for _ in range(10)]
    ends = [0, 1, 5, 11, 4096, len(whole) // 3, len(whole) - 1000, len(whole) - 1]
    damaged = [whole[:at] + bytes([whole[at] ^ (1 << chance.randrange(8))]) + whole[at + 1 :] for at in places]
    damaged += [whole[:end] for end in ends]
    damaged += [whole + b"\0", whole[: len(whole) // 2] + whole[len(whole) // 2 + 4096 :]]
    damaged += [whole[:5000] + bytes(512) + whole[5512:], whole[-1000:] + whole[1000:]]
    assert len(damaged) == 32
    for archive in damaged:
        assert archive != whole
        (folder / DUMP).write_bytes(archive)
        assert DUMP in refusal(folder)
    (folder / DUMP).write_bytes(whole)
    backup.verify(folder)


@pytest.mark.parametrize("which", ["compressed", "plain"])
def test_pg_restore_reads_every_block(copy: Callable[[str], Path], which: str) -> None:
    """Also where every checksum was made to fit the damage."""
    folder = copy(which)
    whole = (folder / DUMP).read_bytes()
    for archive in (whole[:-5000], whole[: len(whole) // 2], whole[:200], b"", b"PGDMP" + whole[:5], whole[1:]):
        (folder / DUMP).write_bytes(archive)
        forged(folder)
        assert f"{DUMP}: pg_restore cannot read it" in refusal(folder)
    if which == "compressed":
        starts = [found.start() for found in re.finditer(b"\x78\x9c", whole)]
        at = max(itertools.pairwise(starts), key=lambda one: one[1] - one[0])[0] + 1000  # the longest block
        (folder / DUMP).write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        forged(folder)
        assert "pg_restore cannot read it" in refusal(folder)


def test_the_sidecars(copy: Callable[[str], Path]) -> None:
    def edited(name: str, old: str, new: str) -> str:
        folder = copy("compressed")
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1))
        return refusal(folder)

    assert f"{MANIFEST}: its digest does not fit" in edited(MANIFEST, '"unit_content": 5', '"unit_content": 6')
    assert MANIFEST in edited(MANIFEST, '"format": 1', '"format": 2')
    assert MANIFEST in edited(MANIFEST, "{", "[")
    # Also what changes nothing that it says.
    assert MANIFEST in edited(MANIFEST, "\n", "\n ")
    assert f"{GLOBALS}: its sha256" in edited(GLOBALS, "nologin", "NOLOGIN")
    assert GLOBALS in edited(GLOBALS, "nologin", "login superuser")
    assert SUMS in edited(SUMS, "a", "b")
    for name in (DUMP, GLOBALS, MANIFEST, SUMS):
        folder = copy("compressed")
        (folder / name).unlink()
        assert name in refusal(folder)
    assert MANIFEST in refusal(folder.parent / "absent")
    copy("compressed")
    assert "a folder of backups" in refusal(folder.parent)


def test_the_archive_of_another_backup(copy: Callable[[str], Path], url: str, tmp_path: Path) -> None:
    other = make(url, tmp_path / "other")
    folder = copy("compressed")
    shutil.copy(other.folder / DUMP, folder / DUMP)
    assert DUMP in refusal(folder)
    assert f"it is of database {other.database}" in refusal(forged(folder))


def test_a_client_older_than_its_server(copy: Callable[[str], Path]) -> None:
    folder = forged(copy("compressed"), lambda said: said.update(client_version="14.1"))
    assert "pg_dump 14.1 is older than its server" in refusal(folder)


# -------------------------------------------------------------------------------------------------------- being ended


@pytest.fixture
def slow(url: str, login: Callable[[str], str], tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A backup whose pg_dump waits for a lock; it was given a password in its URL."""
    with libpq(url) as holder:
        holder.execute("create table public.held (n int)")
        holder.execute("begin")
        holder.execute("lock table public.held")
        given = login("pg_read_all_data")
        process = subprocess.Popen(
            [*CLI, "backup", "create", "--to", str(tmp_path), "--url", given], stderr=subprocess.PIPE, text=True
        )
        try:
            wait_for(lambda: dumping(url) == 1)
            yield process, tmp_path
        finally:
            process.kill()
            process.wait()
            holder.close()
            wait_for(lambda: dumping(url) == 0)


def dumping(url: str) -> int:
    with libpq(url) as connection:
        row = connection.execute(
            "select count(*) from pg_stat_activity where datname = current_database()"
            " and application_name = 'pg_dump' and wait_event_type = 'Lock'"
        ).fetchone()
    assert row is not None
    return int(row[0])


def wait_for(reached: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not reached():
        assert time.monotonic() < until
        time.sleep(0.02)


def children(pid: int) -> list[list[str]]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [Path(f"/proc/{child}/cmdline").read_text().split("\0") for child in found]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(slow: tuple[subprocess.Popen[str], Path], url: str, number: signal.Signals) -> None:
    process, to = slow
    (dump,) = children(process.pid)
    assert "--format=custom" in dump and "--no-toast-compression" in dump
    assert not any("secret" in part or "password=" in part for part in dump), "others can see the arguments"
    assert backup.backups(to) == []
    process.send_signal(number)
    said = process.communicate(timeout=30)[1]
    assert process.returncode == 130, said
    assert said.splitlines()[-1] == "interrupted"
    assert list(to.iterdir()) == []
    assert dumping(url) == 0


def test_killed(slow: tuple[subprocess.Popen[str], Path], url: str) -> None:
    process, to = slow
    process.kill()
    process.wait()
    assert len(list(to.iterdir())) == 1
    assert backup.backups(to) == []
    left = next(to.iterdir())
    with libpq(url) as connection:
        held = "select pg_terminate_backend(pid) from pg_locks where relation = 'public.held'::regclass and granted"
        connection.execute(held)
    made = make(url, to)
    assert not left.exists()
    assert [one.folder for one in backup.backups(to)] == [made.folder]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=300k", "iucore-test", str(disk)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a small disk cannot be mounted")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_disk_full(small_disk: Path, url: str) -> None:
    said = run("backup", "create", "--to", small_disk, "--url", url, code=1).stderr
    assert "IU930" in said
    assert "No space left on device (ENOSPC)" in said
    assert "Make room there" in said
    assert list(small_disk.iterdir()) == []


def test_where_nothing_can_be_written(url: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = run("backup", "create", "--to", tmp_path / "file", "--url", url, code=1).stderr
    assert "IU930" in said and "EEXIST" in said


def test_pg_dump_says_why(url: str, tmp_path: Path, login: Callable[[str], str]) -> None:
    with libpq(url) as connection:
        connection.execute("create table public.kept (n int)")
        connection.execute("alter table public.kept enable row level security")
    with pytest.raises(errors.OperationError) as caught:
        make(login("pg_read_all_data"), tmp_path)
    assert caught.value.sqlstate == "IU930"
    assert "row-level security" in caught.value.detail and "bypassrls" in caught.value.hint
    assert list(tmp_path.iterdir()) == []

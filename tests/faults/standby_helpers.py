"""A primary and a streaming standby of it, made by pg_basebackup."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fault_helpers import open_folder, sql, wait_for

from iucore import embedded
from iucore.embedded import Cluster

NAME = "second"


@dataclass(frozen=True)
class Pair:
    """Two servers with one content."""

    primary: Cluster
    standby: Cluster
    folder: Path

    def caught_up(self) -> None:
        """Wait until the standby shows what the primary has now."""
        with sql(self.primary.url()) as first, sql(self.standby.url()) as second:
            (upto,) = first.execute("select pg_current_wal_flush_lsn()").fetchone() or (None,)
            wait_for(
                lambda: second.execute("select pg_last_wal_replay_lsn() >= %s::pg_lsn", [upto]).fetchone() == (True,),
                "the standby",
            )

    def url(self, first: int = 0, session: str = "read-write") -> str:
        """Both, beginning with one; what can be written is chosen, or what the session shall be."""
        ports = [each.status().port for each in (self.primary, self.standby)]
        hosts = ",".join(f"127.0.0.1:{ports[(first + n) % 2]}" for n in range(2))
        rest = f"passfile={self.primary.passfile}&target_session_attrs={session}&connect_timeout=3"
        return f"postgresql://postgres@{hosts}/iucore?sslmode=disable&{rest}"


def base_backup(primary: Cluster, standby: Cluster) -> None:
    """Copy a running primary into the place of a standby, which has the passwords of its primary."""
    programs = embedded._reachable_programs(embedded.find_programs())
    replication = standby.data.parent / "replication"
    standby.side.mkdir()
    (standby.side / "lock").touch()
    standby.data.mkdir(mode=0o700)
    for passfile in (standby.passfile, replication):
        shutil.copy(primary.passfile, passfile)
    if account := embedded._account():
        for path in (standby.data, replication):
            os.chown(path, account.pw_uid, account.pw_gid)
    source = f"postgresql://postgres@127.0.0.1:{primary.status().port}?application_name={NAME}&passfile={replication}"
    command = [programs / "pg_basebackup", "-D", standby.data, "-d", source, "-R", "-X", "stream", "-c", "fast", "-N"]
    subprocess.run(
        [str(part) for part in command],
        check=True,
        cwd="/",
        env=embedded._environment(),
        **embedded._identity(),
    )


@contextmanager
def streaming(*, synchronous: bool = False) -> Iterator[Pair]:
    """A primary with an empty database ``iucore``, and its standby; both end with the block."""
    given = {"fsync": "off", "hot_standby_feedback": "on"}
    with open_folder() as folder:
        pair = Pair(Cluster(folder / "primary"), Cluster(folder / "standby"), folder)
        try:
            pair.primary.up(given)
            base_backup(pair.primary, pair.standby)
            pair.standby.up(given)
            if synchronous:
                with sql(pair.primary.url()) as connection:
                    connection.execute(f"alter system set synchronous_standby_names = {NAME}")
                    connection.execute("select pg_reload_conf()")
                    wait_for(
                        lambda: (
                            connection.execute("select from pg_stat_replication where sync_state = 'sync'").fetchone()
                            is not None
                        ),
                        "the synchronous standby",
                    )
            yield pair
        finally:
            for each in (pair.standby, pair.primary):
                each.down("immediate")
                shutil.rmtree(each.data, ignore_errors=True)

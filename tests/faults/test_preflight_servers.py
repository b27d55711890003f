"""What the preflight says of a primary with a standby, of the standby itself, and of a prepared transaction."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fault_helpers import open_folder, sql, wait_for
from sqlalchemy import create_engine, pool
from standby_helpers import NAME, Pair, streaming

from iucore import _target
from iucore.cli import main
from iucore.embedded import Cluster
from iucore.operations import migrate, preflight
from iucore.operations.preflight import Check

PENDING_NOTHING = [3]  # there is no backup


@pytest.fixture
def look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[int, Check]]:
    """The checks by their number."""
    monkeypatch.setenv("IUCORE_EVIDENCE", str(tmp_path / "evidence"))

    def look(url: str, **more: Any) -> dict[int, Check]:
        engine = create_engine(_target.normalise_url(url), poolclass=pool.NullPool)
        with engine.begin() as connection:
            seen = preflight.preflight(connection, backups=tmp_path / "backups", **more)
        return {check.number: check for check in seen.checks}

    return look


def red(checks: dict[int, Check]) -> list[int]:
    return [number for number, check in checks.items() if not check.green]


@contextmanager
def replication(pair: Pair, setting: str, wanted: str) -> Iterator[None]:
    """The primary waits for other standbys than before."""
    with sql(pair.primary.url()) as connection:
        connection.execute("set synchronous_commit = local")
        connection.execute(f"alter system set synchronous_standby_names = '{setting}'")
        connection.execute("select pg_reload_conf()")
        wait_for(
            lambda: connection.execute("select sync_state from pg_stat_replication").fetchone() == (wanted,), wanted
        )
        yield
        connection.execute("alter system reset synchronous_standby_names")
        connection.execute("select pg_reload_conf()")
        wait_for(
            lambda: connection.execute("select sync_state from pg_stat_replication").fetchone() == ("async",), "async"
        )


def test_standbys(look: Callable[..., dict[int, Check]]) -> None:
    with streaming() as pair:
        migrate.upgrade(pair.primary.url())
        pair.caught_up()

        lossy = look(pair.primary.url())
        assert red(lossy) == [1, *PENDING_NOTHING]
        assert "asynchronous, which is lossy" in lossy[1].figure
        assert "synchronous_standby_names" in (lossy[1].next or "")

        tolerated = look(pair.primary.url(), target="staging")
        assert red(tolerated) == PENDING_NOTHING
        assert "lossy" in tolerated[1].figure

        with replication(pair, NAME, "sync"):
            assert red(look(pair.primary.url())) == PENDING_NOTHING
        # One that is connected, and for which nobody waits.
        with replication(pair, "another", "async"):
            assert red(look(pair.primary.url())) == [1, *PENDING_NOTHING]

        standby = look(pair.standby.url())
        assert red(standby) == [1, *PENDING_NOTHING]
        assert "a standby" in standby[1].figure

        shown = CliRunner().invoke(main, ["--url", pair.standby.url(), "--format", "json", "preflight"])
        assert shown.exit_code == 3
        assert [check["number"] for check in json.loads(shown.stdout)] == [*range(1, 15)]


def test_prepared_transaction(look: Callable[..., dict[int, Check]]) -> None:
    with open_folder() as folder:
        cluster = Cluster(folder / "pg")
        try:
            url = cluster.up({"fsync": "off", "max_prepared_transactions": "2"})
            migrate.upgrade(url)
            engine = create_engine(_target.normalise_url(url), poolclass=pool.NullPool)
            with engine.connect() as connection:
                connection.exec_driver_sql("select * from iucore.fn_iu_create('a', 'text', 'A', E'a\\n', 'r')")
                connection.exec_driver_sql("prepare transaction 'half'")
                connection.commit()
            found = look(url)
            assert red(found) == [*PENDING_NOTHING, 9]
            assert "half" in found[9].figure
            with sql(url) as connection:
                connection.execute("rollback prepared 'half'")
            assert red(look(url)) == PENDING_NOTHING
        finally:
            cluster.down("immediate")

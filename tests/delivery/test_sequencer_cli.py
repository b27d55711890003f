"""``iucore sequencer``, and the sequencer as a part of a program."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import psycopg
import pytest
from click.testing import CliRunner, Result
from delivery_helpers import Place, wait_for

from iucore.cli import main
from iucore.delivery.sequencer import Sequencer
from iucore.errors import OperationError


def run(*arguments: str, code: int = 0) -> Result:
    done = CliRunner().invoke(main, ["sequencer", *arguments])
    assert done.exit_code == code, done.output
    return done


def test_once(place: Place) -> None:
    place.sequence()
    place.emit(["a"] * 25)
    done = json.loads(run("run", "--url", place.url, "--once", "--batch", "10", "--format", "json").stdout)
    assert done["sequenced"] >= 25 and done["head"] == place.value("select max(position) from iucore.event_log")
    assert len(place.positions()) == 25
    assert json.loads(run("run", "--url", place.url, "--once", "--format", "json").stdout)["sequenced"] == 0


def test_it_runs_until_it_is_told_to_stop(place: Place) -> None:
    stop = threading.Event()
    sequencer = Sequencer(place.url)
    thread = threading.Thread(target=sequencer.run, args=(stop,))
    thread.start()
    for number in range(1, 4):
        place.emit([*"ab"])
        wait_for(lambda n=number: len(place.positions()) == 2 * n, "the events")
    stop.set()
    thread.join(20)
    assert sequencer.sequenced >= 6 and sequencer.head >= place.positions()[-1] and sequencer.seconds > 0


def test_usage_and_idle_exit(place: Place) -> None:
    run("run", "--batch", "0", code=2)
    run("rebase", code=2)
    run("run", "--url", place.url, "--idle-exit", "0.1")


@pytest.fixture
def elsewhere(postgresql: psycopg.Connection) -> Place:
    """As restored into another cluster: the ledger remembers the one that it was written in."""
    place = Place(postgresql)
    place.emit(["a"])
    place.sequence()
    place.connection.execute(
        "insert into iucore.sequencer_batch (system_identifier, seen, position, hash)"
        " select 1, '1:1:', b.position, b.hash from iucore.sequencer_batch as b order by b.batch desc limit 1"
    )
    place.emit(["b"])
    return place


def test_in_an_unknown_cluster_nothing_runs_before_it_is_rebased(elsewhere: Place) -> None:
    for command in (["sequencer", "run"], ["worker", "run"]):
        done = CliRunner().invoke(main, [*command, "--once", "--url", elsewhere.url])
        assert done.exit_code == 1
        assert "IU915" in done.stderr and "iucore sequencer rebase -m WHY" in done.stderr
    with pytest.raises(OperationError, match="IU915"):
        Sequencer(elsewhere.url).run(threading.Event(), once=True)
    arguments = ("rebase", "--url", elsewhere.url, "-m", "restored", "--format", "json")
    assert json.loads(run(*arguments).stdout)["changed"] is True
    assert json.loads(run(*arguments).stdout)["changed"] is False
    run("run", "--once", "--url", elsewhere.url)
    assert len(elsewhere.positions()) == 2


def test_roles(url: str, login: Callable[[str], str]) -> None:
    run("run", "--once", "--url", login("iucore_worker"))
    assert "grant iucore_worker to LOGIN" in run("run", "--once", "--url", login("iucore_author"), code=4).stderr
    assert (
        "grant iucore_gatekeeper to LOGIN" in run("rebase", "-m", "x", "--url", login("iucore_worker"), code=4).stderr
    )
    run("rebase", "-m", "x", "--url", login("iucore_gatekeeper"))

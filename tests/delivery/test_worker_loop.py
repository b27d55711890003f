"""The loop under the worker and the sequencer: its talk, its sleep, and which errors pass."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

import pytest
from delivery_helpers import Place
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from iucore import events
from iucore.delivery import loop


def test_talk_is_one_line_a_kind_and_route_for_some_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    said: list[str] = []
    talk = loop.Talk(said.append)
    talk("failed", "a.b", reason='say "no"\u202e', nothing=None)
    talk("failed", "a.b", reason="again")
    talk("failed", "a.b", reason="again")
    talk("failed", "c", position=7)
    talk("dead", "a.b", always=True)
    talk("dead", "a.b", always=True)
    now += 5.1
    talk("failed", "a.b", reason="later")
    assert said == [
        'event=failed route=a.b reason="say \\"no\\"\\u202e"',
        "event=failed route=c position=7",
        "event=dead route=a.b",
        "event=dead route=a.b",
        "event=failed route=a.b reason=later unsaid=2",
    ]
    loop.Talk(None)("failed")

    def broken(line: str) -> None:
        raise BrokenPipeError

    loop.Talk(broken)("failed")


def test_a_pause_ends_when_it_is_told_to() -> None:
    stop = threading.Event()
    began = time.monotonic()
    assert loop.pause(stop, 0.02) is False
    assert time.monotonic() - began >= 0.02
    reader, writer = os.pipe()
    os.write(writer, b"x")
    assert loop.pause(stop, 60, reader) is True
    threading.Timer(0.05, stop.set).start()
    assert loop.pause(stop, 60) is False
    assert loop.pause(stop, 60, reader) is False
    assert time.monotonic() - began < 20
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("driver", ["psycopg2", "psycopg"])
@pytest.mark.parametrize(
    ("statement", "passes"),
    [
        ("select pg_terminate_backend(pg_backend_pid())", True),
        ("do $$ begin raise sqlstate '40001'; end $$", True),
        ("do $$ begin raise sqlstate '40P01'; end $$", True),
        ("do $$ begin raise sqlstate '53100'; end $$", True),
        ("do $$ begin raise sqlstate '25006'; end $$", True),
        ("set statement_timeout = 1; select pg_sleep(1)", True),
        ("select iucore.fn_iu_no_such()", False),
        ("do $$ begin raise sqlstate '42501'; end $$", False),
        ("select 1 / 0", False),
    ],
)
def test_which_errors_pass(place: Place, driver: str, statement: str, passes: bool) -> None:
    """Once the database was reached; before that none does."""
    engine = create_engine(place.url.replace("psycopg2", driver), poolclass=NullPool)

    def verb(connection: Any) -> None:
        connection.exec_driver_sql(statement)

    said: list[str] = []
    session = loop.Session(engine, loop.Talk(said.append))
    with pytest.raises(DBAPIError):
        session.call(verb)
    assert said == []
    assert session.call(events.wake) is False
    with pytest.raises(loop.OutageError if passes else DBAPIError):
        session.call(verb)
    assert len(said) == passes
    assert session.call(events.wake) is False
    assert len(said) == 2 * passes
    session.close()


def test_the_wait_after_an_outage_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(loop, "pause", lambda stop, seconds: waits.append(seconds))
    session = loop.Session(create_engine("postgresql+psycopg2://nobody@127.0.0.1:1/x"), loop.Talk(None))
    for _ in range(40):
        session.back_off(threading.Event())
    assert all(longest / 2 <= wait <= longest for wait, longest in zip(waits, (0.1, 0.2, 0.4, 0.8, 1.6), strict=False))
    assert all(5 <= wait <= 10 for wait in waits[7:]) and len(set(waits)) > 30


def test_an_engine_of_a_program_stays_as_it_was(place: Place) -> None:
    """A pool of the caller gets no connection in autocommit back."""
    engine = create_engine(place.url)
    connection = loop.connected(engine)
    connection.exec_driver_sql("select 1")
    connection.close()
    with engine.connect() as own:
        assert own.get_isolation_level() == "READ COMMITTED"
        own.exec_driver_sql("create temporary table t ()")
        own.rollback()
        assert own.exec_driver_sql("select to_regclass('pg_temp.t')").scalar() is None
    engine.dispose()


def test_what_a_url_says_about_time_outs_goes_before(place: Place) -> None:
    engine = loop.engine_for(f"{place.url}?connect_timeout=3")
    with engine.connect() as connection:
        driver: Any = connection.connection.dbapi_connection
        parameters = driver.info.dsn_parameters
    assert parameters["connect_timeout"] == "3" and parameters["tcp_user_timeout"] == "60000"

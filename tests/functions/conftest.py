"""Databases at head for the tests of the functions."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from event_laws import assert_events
from functions_helpers import Database
from pytest_postgresql.executors.noop import NoopExecutor


@pytest.fixture
def db(postgresql: psycopg.Connection[Any]) -> Database:
    """A database of the test's own, called as superuser."""
    return Database(postgresql)


@pytest.fixture(scope="session")
def shared(admin: psycopg.Connection[Any], at_head: NoopExecutor) -> Iterator[Database]:
    """One database for all tests that are refused everything, or that use names of their own.

    It holds the pieces a, b and c, and the files f (of them) and g (empty).
    """
    name = f"t_{uuid.uuid4().hex}"
    admin.execute(f'create database {name} template "{at_head.template_dbname}"')
    info = admin.info
    with psycopg.connect(host=info.host, port=info.port, user=info.user, dbname=name) as connection:
        database = Database(connection)
        for letter in "abc":
            database.piece(letter, letter)
        database.file("f", "a", "b", "c")
        database.file("g")
        yield database
        assert_events(connection)
    admin.execute(f"drop database {name} with (force)")


@pytest.fixture
def fresh() -> str:
    """A name that nothing in the shared database has."""
    return uuid.uuid4().hex

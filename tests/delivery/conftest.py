"""One database for all tests of the worker: each has a type of events and a route of its own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from delivery_helpers import Place
from event_laws import assert_events
from pytest_postgresql.executors.noop import NoopExecutor


@pytest.fixture(scope="session")
def delivery_database(admin: psycopg.Connection[Any], at_head: NoopExecutor) -> Iterator[psycopg.Connection[Any]]:
    """A database at head that the tests share."""
    name = f"t_{uuid.uuid4().hex}"
    admin.execute(f'create database {name} template "{at_head.template_dbname}"')
    info = admin.info
    with psycopg.connect(host=info.host, port=info.port, user=info.user, dbname=name, autocommit=True) as connection:
        yield connection
        assert_events(connection)
    admin.execute(f"drop database {name} with (force)")


@pytest.fixture
def place(delivery_database: psycopg.Connection[Any]) -> Place:
    """A place of the test's own."""
    return Place(delivery_database)

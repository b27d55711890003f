"""Sessions on a database of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from concurrency_helpers import Session


@pytest.fixture
def sessions(postgresql: psycopg.Connection[Any]) -> Iterator[Callable[[int], list[Session]]]:
    """Opens as many sessions as asked; all are closed at the end."""
    opened: list[Session] = []

    def open_sessions(count: int) -> list[Session]:
        new = [Session(postgresql.info.dsn) for _ in range(count)]
        opened.extend(new)
        return new

    yield open_sessions
    for session in opened:
        if not session.connection.closed:
            session.connection.cancel_safe(timeout=5)
        session.close()

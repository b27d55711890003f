"""A database of its own for each test that asks."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from functions_helpers import Database


@pytest.fixture
def db(postgresql: psycopg.Connection[Any]) -> Database:
    """A database at head, called as superuser."""
    return Database(postgresql)

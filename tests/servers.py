"""Where the test server is, for fixtures and for tests that start programs of their own."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
USER = "postgres"


def times(whole: int) -> int:
    """How often a race is run or an example tried: a tenth on the further servers of one run (scripts/test)."""
    return max(whole // 10, 4) if os.environ.get("IUCORE_TEST_BRIEF") else whole


def url_of(dbname: str, user: str = USER, driver: str = "postgresql+psycopg2") -> str:
    """URL of a database on the test server; the password comes from PGPASSFILE."""
    return f"{driver}://{user}@{HOST}:{os.environ['IUCORE_TEST_PORT']}/{dbname}"


@dataclass(frozen=True)
class Server:
    """The test server."""

    port: int
    programs: Path

    def url(self, dbname: str) -> str:
        """URL of one of its databases."""
        return url_of(dbname)

"""Measure which locks every revision takes, on a small database with rows, and write alembic/locks.txt."""

from __future__ import annotations

import argparse
import os

from _freeze import scratch
from _migrations import HEAD, LOCKS, walk

from iucore.operations import migration_plan

PIECES = 20


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/locks", description=__doc__)
    parser.add_argument("--url", default=os.environ.get("IUCORE_DATABASE_URL"), help="a server for a scratch database")
    options = parser.parse_args()
    with scratch(options.url) as url:
        lines = migration_plan.lines(list(walk(url, PIECES)))
    LOCKS.write_text(HEAD + "".join(f"{line}\n" for line in lines), "utf-8")
    print(f"{len(lines)} locks written to {LOCKS.name}")


if __name__ == "__main__":
    main()

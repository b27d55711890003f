"""Print the SQL that takes a database from one revision to another, for psql -X -v ON_ERROR_STOP=1 -f FILE."""

from __future__ import annotations

import argparse
import sys

from iucore import errors
from iucore.operations import migrate


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/offline-sql", description=__doc__)
    parser.add_argument("range", nargs="?", default="base:head", help="FROM:TO; base:head when left out")
    parser.add_argument("--lose-rows", action="store_true", help="let an undo lose rows")
    options = parser.parse_args()
    start, colon, end = options.range.partition(":")
    if not colon:
        start, end = "base", options.range
    try:
        script = migrate.offline_sql(start or None, end or "head", lose_rows=options.lose_rows)
    except errors.IucoreError as error:
        raise SystemExit(f"{error}\n{error.hint}") from error
    sys.stdout.buffer.write(script.encode("utf-8"))


if __name__ == "__main__":
    main()

"""scripts/bench: what to measure and how to print it."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from _bench import harness
from _bench.archive import NAME
from _bench.jobs import JOBS
from _bench.server import QUICK, Bench, Sizes, own_server
from iucore.errors import IucoreError

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Measure and print; 1 when the two sides of a pair did different work. Never a verdict on seconds."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description="iucore beside PostgreSQL's own limit.")
    parser.add_argument("--quick", action="store_true", help="small sizes: about a minute")
    parser.add_argument(
        "--only", action="append", choices=JOBS, metavar="JOB", help=f"of: {', '.join(JOBS)}; repeatable"
    )
    parser.add_argument(
        "--fsync", choices=("on", "off"), default="on", help="of the server that is started for the run"
    )
    parser.add_argument("--format", choices=("table", "markdown", "json"), default="table")
    parser.add_argument("--corpora", type=Path, help=f"the folder that has {NAME} (or IUCORE_CORPORA)")
    options = parser.parse_args()
    corpora = options.corpora or Path(os.environ.get("IUCORE_CORPORA") or ROOT.parent / "shared" / "corpora")
    sizes = QUICK if options.quick else Sizes()
    lines: list[harness.Line] = []
    with own_server(options.fsync == "on") as (url, about):
        bench = Bench(url, sizes, own=True, corpora=corpora)
        about += f"; {'--quick' if options.quick else 'full'} sizes, {sizes.rounds} rounds"
        print(about, file=sys.stderr)
        for name in options.only or JOBS:
            try:
                for line in JOBS[name](bench):
                    lines.append(line)
                    print(f"   {line.job}: {line.case}: {line.ratio:.2f}", file=sys.stderr, flush=True)
            except harness.Skipped as why:
                print(f"   {name}: skipped: {why}", file=sys.stderr)
    if options.format == "json":
        print(harness.as_json(about, lines))
    elif options.format == "markdown":
        print(f"{about}.\n\n{harness.as_markdown(lines)}")
    else:
        print(harness.as_table(lines))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (IucoreError, harness.DifferentError, OSError) as error:
        print(f"{error}\n{getattr(error, 'hint', '')}".rstrip(), file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)

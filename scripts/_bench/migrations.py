"""Every revision up and down on a database with many pieces, beside the same on one with few."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from _migrations import walk

from _bench.harness import Line, Skipped
from _bench.server import Bench, conninfo

FEW = 20


def migrations(bench: Bench) -> Iterator[Line]:
    """Once each: a revision is run once. The note has the strongest lock on each table that stood before it."""
    if not bench.own:
        raise Skipped("it needs two databases, and the server is not the bench's own")
    many = bench.sizes.pieces[-1]
    with _empty(bench, "bench_few") as few, _empty(bench, "bench_many") as lots:
        for small, large in zip(walk(few, FEW), walk(lots, many), strict=True):
            ratio = large.seconds / small.seconds
            locks = [f"{lock.table} {lock.mode}{_DOES[lock.does]}" for lock in large.locks if lock.table[:2] != "v_"]
            yield Line(
                "migrations",
                f"{large.revision} {large.direction}, {many:,} pieces",
                f"{FEW} pieces",
                "times",
                large.seconds,
                small.seconds,
                ratio,
                ratio,
                ratio,
                1,
                note="; ".join(locks),
            )


_DOES = {"drops": " (dropped)", "rewrites": " (rewritten)", "scans": " (scanned)", "writes": " (rows)", "locks": ""}


@contextmanager
def _empty(bench: Bench, name: str) -> Iterator[str]:
    with psycopg.connect(conninfo(bench.url.set(database="postgres")), autocommit=True) as admin:
        admin.execute(f"drop database if exists {name} with (force)")
        admin.execute(f"create database {name} template template0 encoding 'UTF8'")
        try:
            url = bench.url.set(database=name, drivername="postgresql+psycopg2")
            yield url.render_as_string(hide_password=False)
        finally:
            admin.execute(f"drop database {name} with (force)")

"""What ``iucore db plan``, ``apply`` and ``rollback`` print."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iucore.operations.apply import Run
    from iucore.operations.migration_plan import Step, TableLock

_DOES = {
    "drops": "the table is dropped",
    "rewrites": "the table is rewritten",
    "writes": "rows are written",
    "scans": "the table is scanned",
    "locks": "",
}


def plan_lines(steps: Sequence[Step], start: str | None, end: str) -> Iterator[str]:
    """A plan for people to read."""
    count = f"{len(steps)} revision{'' if len(steps) == 1 else 's'}"
    asked = any(lock.bytes is not None for step in steps for lock in step.locks)
    rewrites = f", rewriting {size(sum(step.rewrite_bytes for step in steps))}" if asked else ""
    yield f"{start or 'base'} -> {end}: {count}{rewrites}"
    for step in steps:
        yield ""
        yield f"{step.revision} {step.direction}  {step.title}"
        yield from _wrapped("objects", step.objects)
        yield from _wrapped("locks", step.declared)
        for lock in step.locks:
            yield f"    {lock.mode:<22}{lock.table:<22}{_about(lock)}".rstrip()
        back = {"yes": "loses nothing", "no": "none: there is no undo.sql", "loses rows": f"loses {step.loses}"}
        yield from _wrapped("back" if step.direction == "up" else "loses", back[step.reversible])
        folder = step.files[0].partition("/")[0]
        names = ", ".join(name.removeprefix(f"{folder}/") for name in step.files)
        yield from _wrapped("files", f"{len(step.files)} in {folder}: {names}")


def run_lines(run: Run) -> Iterator[str]:
    """What a run did."""
    from iucore.operations.apply import tally

    after = run.after
    yield f"run        {run.run}"
    yield f"outcome    {run.outcome}"
    yield f"revision   {run.before.revision or 'base'} -> {(after and after.revision) or 'base'}"
    for one in run.measured:
        yield f"           {one.revision} {one.direction} {one.seconds:.3f} s"
    if after is not None:
        yield f"inventory  {after.inventory}"
    yield f"proofs     {run.proofs_left_out or tally(one.outcome for one in run.proofs)}"
    if after is not None:
        changed = [
            f"{table} {run.before.counts.get(table, 0)} -> {rows}"
            for table, rows in after.counts.items()
            if rows != run.before.counts.get(table, 0)
        ]
        yield f"rows       {', '.join(changed) or 'as before'}"
    if run.backup is not None:
        yield f"backup     {run.backup.get('folder')}"


def size(count: int) -> str:
    """Bytes in their largest unit.

    >>> size(0), size(8192), size(3 * 2**30)
    ('0 bytes', '8 kB', '3 GB')
    """
    for unit, one in (("GB", 2**30), ("MB", 2**20), ("kB", 2**10)):
        if count >= one:
            return f"{count / one:.0f} {unit}"
    return f"{count} bytes"


def _about(lock: TableLock) -> str:
    does = _DOES[lock.does]
    here = "" if lock.bytes is None else f"{size(lock.bytes)}, about {lock.rows} rows"
    return ": ".join(part for part in (does, here) if part)


def _wrapped(name: str, text: str) -> list[str]:
    return textwrap.wrap(text, 110, initial_indent=f"  {name:<9}", subsequent_indent=" " * 11)

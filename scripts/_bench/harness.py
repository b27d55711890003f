"""Pairs measured in turns, ratios with their band, and the table."""

from __future__ import annotations

import gc
import json
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

Side = Callable[[], float | None]
"""Does the job once. Returns the seconds that count, or None when all of it counts."""

Reads = Literal["share", "times"]
"""``share``: the limit's time over ours, 1 is limit, more is better; ``times``: ours over theirs, less is better."""


@dataclass(frozen=True, slots=True)
class Line:
    """One pair. ``ours`` and ``theirs`` are median seconds for one unit of work; the ratio is the median of rounds."""

    job: str
    case: str
    beside: str
    reads: Reads
    ours: float
    theirs: float
    ratio: float
    low: float
    high: float
    rounds: int
    growth: float | None = None
    note: str = ""


class Skipped(Exception):  # noqa: N818  (not an error)
    """The job cannot be done here; says why."""


class DifferentError(Exception):
    """The two sides of a pair did not do the same work: their ratio would mean nothing."""


def paired(
    job: str,
    case: str,
    beside: str,
    ours: Side,
    theirs: Side,
    *,
    rounds: int,
    units: int = 1,
    reads: Reads = "share",
    note: str = "",
) -> Line:
    """Run ours, theirs, ours, theirs, ...: one round to warm up, then ``rounds`` that count."""
    return turns(job, case, ours, {beside: theirs}, rounds=rounds, units=units, reads=reads, note=note)[0]


def turns(
    job: str,
    case: str,
    ours: Side,
    others: Mapping[str, Side],
    *,
    rounds: int,
    units: int = 1,
    reads: Reads = "share",
    note: str = "",
) -> list[Line]:
    """As ``paired``, with several others that take turns; a line for each of them."""
    # No pause of the garbage collector in the middle of one side.
    gc.collect()
    gc.disable()
    try:
        spent = [(_seconds(ours), [_seconds(side) for side in others.values()]) for _ in range(rounds + 1)][1:]
    finally:
        gc.enable()
    lines = []
    for number, beside in enumerate(others):
        pairs = [(own, other[number]) for own, other in spent]
        ratios = [b / a if reads == "share" else a / b for a, b in pairs]
        lines.append(
            Line(
                job,
                case,
                beside,
                reads,
                statistics.median(a for a, _ in pairs) / units,
                statistics.median(b for _, b in pairs) / units,
                statistics.median(ratios),
                min(ratios),
                max(ratios),
                rounds,
                note=note,
            )
        )
    return lines


def _seconds(side: Side) -> float:
    began = time.perf_counter()
    own = side()
    return time.perf_counter() - began if own is None else own


def with_growth(lines: Sequence[Line]) -> list[Line]:
    """Each line's time for one unit, relative to the first line's."""
    return [replace(line, growth=line.ours / lines[0].ours) for line in lines]


# --- printing ----------------------------------------------------------------------------------------------------

_HEAD = ("job", "case", "beside", "ours", "theirs", "ratio", "min..max", "reads", "growth", "note")


def _time(value: float) -> str:
    if not value:
        return ""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value / 1e-6:.3g} µs"


def _cells(line: Line) -> tuple[str, ...]:
    return (
        line.job,
        line.case,
        line.beside,
        _time(line.ours),
        _time(line.theirs),
        f"{line.ratio:.2f}" if line.reads == "share" else f"{line.ratio:.2f}x",
        f"{line.low:.2f}..{line.high:.2f}",
        "of the limit" if line.reads == "share" else "times",
        "" if line.growth is None else f"{line.growth:.3g}",
        line.note,
    )


def as_table(lines: Iterable[Line]) -> str:
    """Columns for a terminal."""
    rows = [_HEAD, *map(_cells, lines)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def as_markdown(lines: Iterable[Line]) -> str:
    """A table to paste into docs/performance.md."""
    rows = [_HEAD, ("---",) * len(_HEAD), *map(_cells, lines)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def as_json(about: str, lines: Iterable[Line]) -> str:
    """One object; times in seconds."""
    return json.dumps({"about": about, "lines": [asdict(line) for line in lines]}, indent=2)

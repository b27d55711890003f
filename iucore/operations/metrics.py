"""The state of delivery as OpenMetrics text, for a collector to read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from iucore.operations.health import Status

# The labels of a sample, and its value.
_Sample = tuple[Mapping[str, str], float | int]


@dataclass(frozen=True, slots=True)
class Metric:
    """A family of samples. ``unit`` is the end of the name, where it has one."""

    name: str
    type: str
    help: str
    samples: Callable[[Status], list[_Sample]]
    unit: str | None = None


def _gates(found: Status) -> list[_Sample]:
    return [({"gate": gate.gate}, int(gate.is_open)) for gate in found.gates]


def _lanes(value: str) -> Callable[[Status], list[_Sample]]:
    return lambda found: [({"lane": lane.lane}, getattr(lane, value) or 0) for lane in found.outbox]


def _of_routes(value: str) -> Callable[[Status], list[_Sample]]:
    return lambda found: [({"route": route.route}, int(getattr(route, value))) for route in found.routes]


def _lag_seconds(found: Status) -> list[_Sample]:
    return [({"route": route.route}, route.lag_seconds or 0) for route in found.routes]


def _last_batch(found: Status) -> list[_Sample]:
    return [
        ({"route": route.route}, _epoch(route.last_batch_at))
        for route in found.routes
        if route.last_batch_at is not None
    ]


def _epoch(moment: datetime) -> float:
    return round(moment.timestamp(), 3)


METRICS = (
    Metric(
        "iucore_schema",
        "info",
        "The revision of the database.",
        lambda found: [({"revision": found.revision or "", "newest": found.newest_revision}, 1)],
    ),
    Metric("iucore_gate_open", "gauge", "Whether the gate is open.", _gates),
    Metric(
        "iucore_outbox_unsequenced",
        "gauge",
        "Events that have no place in the ledger yet, by lane.",
        _lanes("unsequenced"),
    ),
    Metric(
        "iucore_outbox_oldest_seconds",
        "gauge",
        "How long the oldest event without a place in the ledger has waited, by lane; 0 when there is none.",
        _lanes("oldest_seconds"),
        unit="seconds",
    ),
    Metric(
        "iucore_ledger_events",
        "counter",
        "Events that got a place: its last position.",
        lambda found: [({}, found.head)],
    ),
    Metric(
        "iucore_ledger_last_batch_timestamp_seconds",
        "gauge",
        "When the sequencer last gave a place.",
        lambda found: [] if found.sequenced_at is None else [({}, _epoch(found.sequenced_at))],
        unit="seconds",
    ),
    Metric("iucore_route_enabled", "gauge", "Whether the route is on.", _of_routes("execution_enabled")),
    Metric(
        "iucore_route_ready",
        "gauge",
        "Whether the route is on and has a transport, and the gate delivery is open.",
        lambda found: [({"route": route.route}, int(route.mode == "ready")) for route in found.routes],
    ),
    Metric(
        "iucore_route_position",
        "gauge",
        "Where the route stands, its part that is furthest behind.",
        _of_routes("position"),
    ),
    Metric(
        "iucore_route_lag_events",
        "gauge",
        "Events of its type behind where the route stands, whatever its filter takes; counted up to 100001.",
        _of_routes("lag_events"),
    ),
    Metric(
        "iucore_route_lag_seconds",
        "gauge",
        "The age of the first of these events; 0 when there is none.",
        _lag_seconds,
        unit="seconds",
    ),
    Metric("iucore_route_retries", "gauge", "Events that failed and are sent again.", _of_routes("retries")),
    Metric(
        "iucore_route_deferred",
        "gauge",
        "Events put aside behind one of their subject that failed.",
        _of_routes("deferred"),
    ),
    Metric("iucore_route_dead_letters", "gauge", "Open dead letters.", _of_routes("dead")),
    Metric(
        "iucore_route_last_batch_timestamp_seconds",
        "gauge",
        "When a worker last took or recorded something for the route.",
        _last_batch,
        unit="seconds",
    ),
    Metric(
        "iucore_worker_last_batch_timestamp_seconds",
        "gauge",
        "When the worker last took or recorded something.",
        lambda found: [({"worker": worker.worker}, _epoch(worker.last_seen)) for worker in found.workers],
        unit="seconds",
    ),
)


def openmetrics(found: Status) -> str:
    """The text of every metric that has samples."""
    return "".join(f"{line}\n" for line in _lines(found))


def _lines(found: Status) -> Iterator[str]:
    for metric in METRICS:
        samples = metric.samples(found)
        if not samples:
            continue
        yield f"# TYPE {metric.name} {metric.type}"
        if metric.unit is not None:
            yield f"# UNIT {metric.name} {metric.unit}"
        yield f"# HELP {metric.name} {_escaped(metric.help)}"
        end = {"counter": "_total", "info": "_info"}.get(metric.type, "")
        for labels, value in samples:
            named = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items())
            yield f"{metric.name}{end}{f'{{{named}}}' if named else ''} {value}"
    yield "# EOF"


def _escaped(text: str) -> str:
    r"""A text between quotes, or of a help.

    >>> print(_escaped('a "b"\n\\'))
    a \"b\"\n\\
    """
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')

"""One worker in a process of its own, with a transport that does nothing: options and result are JSON.

Not for people: scripts/bench starts it.
"""

from __future__ import annotations

import json
import resource
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

from iucore.delivery.transport import SENT, Event, Outcome
from iucore.delivery.worker import Worker


class Nothing:
    """Takes everything, in order; remembers how old each event was when it got it, where asked to."""

    in_order = True

    def __init__(self, ages: list[float] | None, size: int) -> None:
        self.hand_over = size
        self._ages = ages

    def send(self, events: Sequence[Event], *, deadline: float) -> Sequence[Outcome]:  # noqa: ARG002
        if self._ages is not None:
            now = time.time()
            self._ages.extend(now - event.created_at.timestamp() for event in events)
        return [SENT] * len(events)

    def close(self) -> None:
        pass


def main() -> None:
    """Connect, say that it is ready, wait for a line, run."""
    options: dict[str, Any] = json.loads(sys.argv[1])
    ages: list[float] | None = [] if options.get("ages") else None
    worker = Worker(
        options["url"],
        routes=options["routes"],
        live=True,
        batch=options["batch"],
        name=options["name"],
        sequence=options.get("sequence", True),
        listen=options.get("listen", True),
        open_transport=lambda *_, **__: Nothing(ages, options["batch"]),
    )
    stop = threading.Event()

    def wait() -> None:
        sys.stdin.readline()
        stop.set()

    print("ready", flush=True)
    sys.stdin.readline()
    threading.Thread(target=wait, daemon=True).start()
    began, used = time.perf_counter(), time.process_time()
    worker.run(stop, once=options.get("once", False))
    spent = time.perf_counter() - began
    found = {
        "seconds": spent,
        "cpu": time.process_time() - used,
        "sent": sum(one.sent for one in worker.summary()),
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "ages": sorted(ages or ()),
    }
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()

"""The envelope of every transport: CloudEvents 1.0 in JSON, structured mode.

The attributes are checked and printed by the SDK. The data is put in as PostgreSQL printed it: the SDK would read and
print it again, and so alter numbers (``1.10``, more than 17 digits) that Python's floats do not hold.
"""

from __future__ import annotations

from datetime import UTC
from typing import Any

from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from iucore.delivery.transport import Event, Outcome, failed

CONTENT_TYPE = "application/cloudevents+json; charset=UTF-8"
DEFAULT_SOURCE = "/iucore"

_FORMAT = JSONFormat()


def envelope(event: Event, *, source: str) -> bytes:
    """The event in one line of UTF-8, without a newline.

    ``sequence`` is the position with leading zeros, so that it sorts as text as the specification wants; ``changeid``
    is text because integers of CloudEvents have 32 bits.
    """
    attributes: dict[str, Any] = {
        "specversion": "1.0",
        "id": event.event_id,
        "source": source,
        "type": event.event_type,
        "subject": event.subject,
        "time": event.created_at.astimezone(UTC),
        "datacontenttype": "application/json",
        "sequence": f"{event.position:019}",
        "changeid": str(event.change_id),
    }
    if event.traceparent is not None:
        attributes["traceparent"] = event.traceparent
    # jsonb is printed in one line, and ends the object that the SDK printed.
    return _FORMAT.write(CloudEvent(attributes))[:-1] + b', "data": ' + event.payload.encode() + b"}"


def envelope_or_failed(event: Event, *, source: str) -> bytes | Outcome:
    """The envelope, or why there is none: an event that cannot be printed must not hold up others of its hand-over."""
    try:
        return envelope(event, source=source)
    except Exception as error:
        return failed(f"no envelope: {type(error).__name__}")

"""The transport ``kafka``: one message an event, with the event's subject as its key.

Target: ``{"bootstrap": ["host:9092"], "topic": "iucore"}``, and ``timeout`` (seconds, 10), ``source``, ``config_env``,
which names an environment variable with more settings of librdkafka as a JSON object, such as those of SASL and TLS.

The producer is idempotent and waits for all replicas (acks=all). A message that they hold: sent. No broker answers, or
the queue is full: unavailable. A refusal, or no acknowledgement in time while brokers answer: failed.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from iucore.delivery.transport import SENT, Event, Outcome, environment_error, failed, unavailable
from iucore.delivery.transports._envelope import CONTENT_TYPE, DEFAULT_SOURCE, envelope_or_failed
from iucore.delivery.transports._target import Target, end_of

_KNOWN = ("bootstrap", "topic", "timeout", "source", "config_env")
_HOST = re.compile(r"([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}")
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
# What the promises of this module stand on, and what would load foreign code.
_RESERVED = {
    "acks",
    "bootstrap.servers",
    "delivery.timeout.ms",
    "enable.idempotence",
    "message.timeout.ms",
    "metadata.broker.list",
    "plugin.library.paths",
    "request.required.acks",
    "transactional.id",
}
_HEADERS: list[tuple[str, str | bytes | None]] = [("content-type", CONTENT_TYPE.encode())]
_PROBE_SECONDS = 5.0
_PURGE_SECONDS = 1.0
_DOWN = (KafkaError._ALL_BROKERS_DOWN, KafkaError._AUTHENTICATION)
_LATE = (KafkaError._MSG_TIMED_OUT, KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT, KafkaError._TIMED_OUT)


class Kafka:
    """Produces a hand-over and waits for the report of every message."""

    hand_over = 1000

    def __init__(self, target: Mapping[str, object], *, networks: Sequence[str], environ: Mapping[str, str]) -> None:
        """Check the target and the settings of the environment; librdkafka checks them too, without a broker."""
        self.check(target, networks=networks)
        read = Target("kafka", target, _KNOWN)
        self._topic, self._source = read.text("topic"), read.text("source", DEFAULT_SOURCE)
        self._timeout = read.seconds("timeout", 10.0)
        # librdkafka would print its log, in which brokers and their answers stand.
        silent = logging.Logger("iucore.kafka")
        silent.addHandler(logging.NullHandler())
        self._settings: dict[str, Any] = {
            "client.id": "iucore",
            **_settings(read, environ),
            "enable.idempotence": True,
            "acks": "all",
            "message.timeout.ms": int(self._timeout * 1000),
            "error_cb": self._note,
            "logger": silent,
        }
        try:
            Producer(self._settings)
        except (KafkaException, TypeError, ValueError):
            variable = read.optional("config_env") or ""
            raise environment_error("kafka", variable, "holds a setting that librdkafka refuses") from None
        self._settings["bootstrap.servers"] = ",".join(read.texts("bootstrap"))
        self._producer: Producer | None = None
        self._down = self._broken = False

    @staticmethod
    def check(target: Mapping[str, object], *, networks: Sequence[str]) -> None:  # noqa: ARG004
        """Check the target without the environment."""
        read = Target("kafka", target, _KNOWN)
        if not all(_HOST.fullmatch(host) for host in read.texts("bootstrap")):
            raise read.error("bootstrap is not a list of host:port")
        if not _TOPIC.fullmatch(read.text("topic")):
            raise read.error("topic is not 1 to 249 letters, digits, full stops, underscores and hyphens")
        read.variable("config_env")
        read.seconds("timeout", 10.0)
        read.text("source", DEFAULT_SOURCE)

    def send(self, events: Sequence[Event], *, deadline: float) -> Sequence[Outcome]:
        """Produce the events, and wait until each is acknowledged or given up."""
        end = end_of(self._timeout, deadline)
        if end <= time.monotonic():
            return [unavailable("no time is left of the lease")] * len(events)
        try:
            producer = self._connected(end)
        except KafkaException as error:
            self.close()
            return [unavailable(f"no broker answers: {_name(error.args[0])}")] * len(events)
        # None: not acknowledged yet.
        outcomes: list[Outcome | None] = [None] * len(events)
        for number, event in enumerate(events):
            outcomes[number] = self._produce(producer, event, outcomes, number, end)
        producer.flush(max(end - time.monotonic(), 0.0))
        if None in outcomes:
            # Whatever is not acknowledged will come again: it must not be sent behind the worker's back too.
            producer.purge()
            producer.flush(_PURGE_SECONDS)
            self._broken = True
        late = self._late()
        done = [late if outcome is None else outcome for outcome in outcomes]
        if self._broken or self._down or late in done:
            self.close()
        return done

    def close(self) -> None:
        """Drop the producer, and with it its connections."""
        if self._producer is not None:
            self._producer.purge()
            self._producer.flush(_PURGE_SECONDS)
            self._producer = None
        self._down = self._broken = False

    def _connected(self, end: float) -> Producer:
        if self._producer is None:
            self._producer = Producer(self._settings)
            # Without brokers every message would wait for its time-out, and count as an attempt.
            self._producer.list_topics(self._topic, timeout=max(0.1, min(_PROBE_SECONDS, end - time.monotonic())))
            self._down = False
        return self._producer

    def _produce(
        self, producer: Producer, event: Event, outcomes: list[Outcome | None], number: int, end: float
    ) -> Outcome | None:
        body = envelope_or_failed(event, source=self._source)
        if isinstance(body, Outcome):
            return body
        report = self._reporter(outcomes, number)
        while True:
            try:
                producer.produce(self._topic, body, key=event.subject.encode(), headers=_HEADERS, on_delivery=report)
            except BufferError:
                if time.monotonic() >= end:
                    return unavailable("the producer's queue is full")
                producer.poll(0.05)
            except KafkaException as error:
                return failed(f"Kafka: {_name(error.args[0])}")
            else:
                # A report may have come while this waited for room, never for this message: reports come in poll.
                return None

    def _reporter(self, outcomes: list[Outcome | None], number: int) -> Callable[[KafkaError | None, Message], None]:
        def report(error: KafkaError | None, _message: Message) -> None:
            if error is None:
                outcomes[number], self._down = SENT, False
            elif error.code() in _LATE:
                outcomes[number] = self._late()
            else:
                self._broken = self._broken or bool(error.fatal())
                outcomes[number] = failed(f"Kafka: {_name(error)}")

        return report

    def _late(self) -> Outcome:
        return unavailable("no broker answers") if self._down else failed("no acknowledgement in time")

    def _note(self, error: KafkaError) -> None:
        """What librdkafka tells beside the reports of messages."""
        self._down = self._down or error.code() in _DOWN
        self._broken = self._broken or bool(error.fatal())


def _name(error: KafkaError) -> str:
    """The name of the error; its text may hold addresses and the answers of a server."""
    return error.name()


def _settings(read: Target, environ: Mapping[str, str]) -> dict[str, Any]:
    variable = read.optional("config_env")
    if variable is None:
        return {}
    text = environ.get(variable, "").strip()
    if not text:
        raise environment_error("kafka", variable, "is not set")
    try:
        settings = json.loads(text)
    except ValueError:
        settings = None
    if not isinstance(settings, dict) or not all(isinstance(one, str | int | float) for one in settings.values()):
        raise environment_error("kafka", variable, "is not a JSON object of texts, numbers, true and false")
    reserved = sorted(key for key in settings if key in _RESERVED)
    if reserved:
        raise environment_error("kafka", variable, f"holds what iucore sets: {', '.join(reserved)}")
    if any(key.endswith("_cb") or key == "logger" for key in settings):
        raise environment_error("kafka", variable, "holds what only a program can set")
    return settings

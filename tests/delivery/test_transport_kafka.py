"""The transport ``kafka``, on the mock cluster that librdkafka has."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from transport_helpers import closed_port, event, silent_server, soon

from iucore.delivery.transport import SENT, Outcome, check_target
from iucore.delivery.transports import kafka
from iucore.delivery.transports._envelope import envelope
from iucore.delivery.transports.kafka import Kafka
from iucore.errors import OperationError

BODY = '{"text": "planted-body"}'


@pytest.fixture(autouse=True)
def nothing_is_told(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    caplog.set_level(logging.INFO)
    yield
    assert "planted" not in caplog.text + "".join(capfd.readouterr())


class Cluster:
    """Three brokers that live in a producer of their own."""

    def __init__(self) -> None:
        self._producer = Producer({"test.mock.num.brokers": 3, "bootstrap.servers": "x", "log_level": 0})
        brokers = self._producer.list_topics(timeout=10).brokers.values()
        self.bootstrap = [f"{broker.host}:{broker.port}" for broker in brokers]

    def messages(self, topic: str) -> list[Message]:
        consumer = Consumer({"bootstrap.servers": ",".join(self.bootstrap), "group.id": "test", "log_level": 0})
        try:
            partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
            consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
            ends = [consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=10) for number in partitions]
            found: list[Message] = []
            end = time.monotonic() + 20
            while len(found) < sum(high - low for low, high in ends):
                assert time.monotonic() < end
                message = consumer.poll(1)
                if message is not None:
                    assert message.error() is None
                    found.append(message)
            return found
        finally:
            consumer.close()


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def opened() -> Iterator[Callable[..., Kafka]]:
    made: list[Kafka] = []

    def open_(bootstrap: list[str], settings: dict[str, Any] | None = None, **other: Any) -> Kafka:
        target = {"bootstrap": bootstrap, "topic": "iucore", "timeout": 5, **other}
        environ = {} if settings is None else {"SETTINGS": json.dumps(settings)}
        made.append(Kafka(target | ({"config_env": "SETTINGS"} if settings else {}), networks=[], environ=environ))
        return made[-1]

    yield open_
    for transport in made:
        transport.close()


def send(transport: Kafka, *positions: int, seconds: float = 30.0, **other: Any) -> list[Outcome]:
    batch = [event(n, **({"payload": BODY} | other)) for n in positions or (1,)]
    outcomes = list(transport.send(batch, deadline=soon(seconds)))
    assert "planted" not in repr(outcomes) + repr(transport)
    return outcomes


def test_a_hand_over_is_produced_with_the_subject_as_key(cluster: Cluster, opened: Callable[..., Kafka]) -> None:
    transport = opened(cluster.bootstrap, source="/here")
    batch = [event(n, subject=f"a/größe{n % 7}", payload=BODY) for n in range(1, 1001)]
    assert list(transport.send(batch, deadline=soon())) == [SENT] * 1000
    assert send(transport, 1001) == [SENT]
    messages = cluster.messages("iucore")
    assert len(messages) == 1001
    by_id = {json.loads(message.value())["id"]: message for message in messages}
    for one in batch:
        message = by_id[str(one.event_id)]
        assert message.value() == envelope(one, source="/here")
        assert message.key() == one.subject.encode()
        assert message.headers() == [("content-type", b"application/cloudevents+json; charset=UTF-8")]
    for subject in {one.subject for one in batch}:
        own = [message for message in messages if message.key() == subject.encode()]
        assert len({message.partition() for message in own}) == 1
        sequence = [json.loads(message.value())["sequence"] for message in own]
        assert sequence == sorted(sequence)


def test_promises_of_the_producer(cluster: Cluster, opened: Callable[..., Kafka]) -> None:
    settings = opened(cluster.bootstrap, {"compression.type": "zstd", "client.id": "mine"})._settings
    assert settings["enable.idempotence"] is True
    assert settings["acks"] == "all"
    assert settings["message.timeout.ms"] == 5000
    assert settings["client.id"] == "mine"
    assert settings["compression.type"] == "zstd"


def test_nobody_listens_or_says_anything(opened: Callable[..., Kafka]) -> None:
    begun = time.monotonic()
    transport = opened([f"127.0.0.1:{closed_port()}"], timeout=1)
    for _ in range(2):
        outcomes = send(transport, 1, 2, 3)
        assert {one.kind for one in outcomes} == {"unavailable"}
        assert all((one.reason or "").startswith("no broker answers: _") for one in outcomes)
    with silent_server() as port:
        (outcome,) = send(opened([f"127.0.0.1:{port}"], timeout=1))
        assert outcome.kind == "unavailable"
    assert time.monotonic() - begun < 10
    (outcome,) = send(transport, seconds=-1)
    assert outcome == Outcome("unavailable", "no time is left of the lease")


def test_the_cluster_goes_and_comes_back(opened: Callable[..., Kafka]) -> None:
    first = Cluster()
    transport = opened(first.bootstrap, timeout=3)
    assert send(transport, 1) == [SENT]
    del first
    outcomes = send(transport, 2, 3)
    assert {one.kind for one in outcomes} <= {"unavailable", "failed"}
    outcomes = send(transport, 2, 3)
    assert {one.kind for one in outcomes} == {"unavailable"}
    second = Cluster()
    transport._settings["bootstrap.servers"] = ",".join(second.bootstrap)
    assert send(transport, 2, 3) == [SENT] * 2
    assert len(second.messages("iucore")) == 2


def test_no_acknowledgement_in_time(cluster: Cluster, opened: Callable[..., Kafka]) -> None:
    """The broker takes its time for everything; the lease ends before."""
    slow = Producer({"test.mock.num.brokers": 1, "test.mock.broker.rtt": 300, "bootstrap.servers": "x", "log_level": 0})
    (broker,) = slow.list_topics(timeout=20).brokers.values()
    transport = opened([f"{broker.host}:{broker.port}"], timeout=20)
    assert send(transport, 1) == [SENT]
    begun = time.monotonic()
    assert send(transport, 2, 3, seconds=0.15) == [Outcome("failed", "no acknowledgement in time")] * 2
    assert time.monotonic() - begun < 3
    assert send(transport, 2, 3) == [SENT] * 2


def test_a_message_too_large_holds_up_no_other(cluster: Cluster, opened: Callable[..., Kafka]) -> None:
    transport = opened(cluster.bootstrap)
    batch = [event(1), event(2, payload=json.dumps("x" * 2_000_000)), event(3, subject=""), event(4)]
    assert [one.reason for one in transport.send(batch, deadline=soon())] == [
        None,
        "Kafka: MSG_SIZE_TOO_LARGE",
        "no envelope: CloudEventValidationError",
        None,
    ]
    assert len(cluster.messages("iucore")) == 2


def test_a_small_queue_is_waited_for(cluster: Cluster, opened: Callable[..., Kafka]) -> None:
    transport = opened(cluster.bootstrap, {"queue.buffering.max.messages": 10})
    assert send(transport, *range(1, 201)) == [SENT] * 200
    assert len(cluster.messages("iucore")) == 200


class Fake:
    """A producer that reports what a test wants."""

    def __init__(self, reports: list[KafkaError | BufferError | KafkaException | None]) -> None:
        self.reports, self.told, self.purged = reports, [], 0

    def produce(self, *_: Any, on_delivery: Callable[..., None], **__: Any) -> None:
        report = self.reports[0] if isinstance(self.reports[0], BufferError) else self.reports.pop(0)
        if isinstance(report, BufferError | KafkaException):
            raise report
        self.told.append((on_delivery, report))

    def poll(self, timeout: float) -> None:
        time.sleep(timeout)

    def flush(self, _timeout: float) -> int:
        while self.told:
            report, error = self.told.pop(0)
            report(error, None)
        return 0

    def purge(self) -> None:
        self.purged += 1

    def list_topics(self, *_: Any, **__: Any) -> None:
        return None


def error(code: int, **how: Any) -> KafkaError:
    return KafkaError(code, "planted-answer", **how)


@pytest.mark.parametrize(
    ("report", "kind", "reason", "dropped"),
    [
        (error(KafkaError._MSG_TIMED_OUT), "failed", "no acknowledgement in time", True),
        (error(KafkaError._PURGE_INFLIGHT), "failed", "no acknowledgement in time", True),
        (error(KafkaError.TOPIC_AUTHORIZATION_FAILED), "failed", "Kafka: TOPIC_AUTHORIZATION_FAILED", False),
        (error(KafkaError.INVALID_RECORD), "failed", "Kafka: INVALID_RECORD", False),
        (error(KafkaError._FATAL, fatal=True), "failed", "Kafka: _FATAL", True),
        (KafkaException(error(KafkaError._UNKNOWN_TOPIC)), "failed", "Kafka: _UNKNOWN_TOPIC", False),
        (BufferError("planted"), "unavailable", "the producer's queue is full", False),
    ],
)
def test_reports(
    report: Any,
    kind: str,
    reason: str,
    dropped: bool,
    monkeypatch: pytest.MonkeyPatch,
    opened: Callable[..., Kafka],
) -> None:
    """``dropped``: the producer is of no use any more."""
    transport = opened(["127.0.0.1:1"], timeout=0.3)
    monkeypatch.setattr(kafka, "Producer", lambda _settings: Fake([None, report]))
    assert send(transport, 1, 2) == [SENT, Outcome(kind, reason)]  # type: ignore[arg-type]
    assert (transport._producer is None) == dropped


def test_brokers_that_are_all_down_are_the_target_s_fault(
    monkeypatch: pytest.MonkeyPatch, opened: Callable[..., Kafka]
) -> None:
    for code in (KafkaError._ALL_BROKERS_DOWN, KafkaError._AUTHENTICATION):
        transport = opened(["127.0.0.1:1"])
        fake = Fake([error(KafkaError._MSG_TIMED_OUT)])
        fake.poll = lambda _timeout: None  # type: ignore[method-assign]
        monkeypatch.setattr(kafka, "Producer", lambda _settings, fake=fake: fake)
        transport._connected(soon())
        transport._note(error(code))
        assert send(transport) == [Outcome("unavailable", "no broker answers")]
        assert transport._producer is None
        monkeypatch.undo()


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (None, "is not set"),
        ("planted", "is not a JSON object of texts, numbers, true and false"),
        ("[]", "is not a JSON object of texts, numbers, true and false"),
        ('{"a": ["planted"]}', "is not a JSON object of texts, numbers, true and false"),
        ('{"acks": "planted"}', "holds what iucore sets: acks"),
        (
            '{"bootstrap.servers": "planted", "enable.idempotence": false}',
            "holds what iucore sets: bootstrap.servers, ",
        ),
        ('{"plugin.library.paths": "planted"}', "holds what iucore sets: plugin.library.paths"),
        ('{"error_cb": "planted"}', "holds what only a program can set"),
        ('{"planted.setting": "planted"}', "holds a setting that librdkafka refuses"),
        ('{"security.protocol": "planted"}', "holds a setting that librdkafka refuses"),
        ('{"linger.ms": "planted"}', "holds a setting that librdkafka refuses"),
    ],
)
def test_unusable_settings(value: str | None, what: str) -> None:
    target = {"bootstrap": "example.com:9092", "topic": "t", "config_env": "SETTINGS"}
    with pytest.raises(OperationError) as caught:
        Kafka(target, networks=[], environ={} if value is None else {"SETTINGS": value})
    assert caught.value.sqlstate == "IU923"
    assert caught.value.detail.startswith(f"kafka: SETTINGS {what}")
    assert "planted" not in str(caught.value).replace("planted.setting", "") + caught.value.hint


def test_wrong_targets() -> None:
    for bootstrap in (
        "example.com",
        "SASL_SSL://ann:planted@example.com:9092",
        "example.com:9092/x",
        "ann@a.b:1",
        "a:b:1",
    ):
        with pytest.raises(OperationError, match="bootstrap") as caught:
            check_target("kafka", {"bootstrap": bootstrap, "topic": "t"}, networks=[])
        assert "planted" not in str(caught.value) + caught.value.hint
    for topic in ("a b", "größe", "x" * 250, "a/b"):
        with pytest.raises(OperationError, match="topic"):
            check_target("kafka", {"bootstrap": "example.com:1", "topic": topic}, networks=[])
    for name in ("planted-name", "größe", "whsec_planted"):
        with pytest.raises(OperationError, match="config_env") as caught:
            check_target("kafka", {"bootstrap": "example.com:1", "topic": "t", "config_env": name}, networks=[])
        assert "planted" not in str(caught.value)
    check_target("kafka", {"bootstrap": ["[::1]:9092", "10.0.0.1:9092"], "topic": "a.b-c_d"}, networks=[])


def test_a_closed_transport_leaves_no_threads(cluster: Cluster, opened: Callable[..., Kafka]) -> None:
    before = threading.active_count()
    transport = opened(cluster.bootstrap)
    send(transport)
    transport.close()
    assert threading.active_count() <= before

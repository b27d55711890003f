"""The transport ``webhook``: signatures, addresses, limits, and what it makes of answers."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook as Oracle
from standardwebhooks.webhooks import WebhookVerificationError
from transport_helpers import (
    LOOPBACK,
    OK,
    TRACE,
    Answer,
    Request,
    closed_port,
    event,
    receiver,
    says,
    silent_server,
    soon,
    status,
)

from iucore.delivery.transport import SENT, Outcome, check_target
from iucore.delivery.transports import webhook
from iucore.delivery.transports._addresses import allowed, parse_networks, public
from iucore.delivery.transports._envelope import envelope
from iucore.delivery.transports.webhook import Webhook
from iucore.errors import OperationError

OLD, NEW = ("whsec_" + base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))
PATH, QUERY, BODY = "/planted-path", "token=planted-query", '{"text": "planted-body"}'
PLANTED = (OLD, NEW, OLD[6:], NEW[6:], "planted-path", "planted-query", "planted-body", "planted-answer", "bytes([")
HOOK = f"{PATH}?{QUERY}"


@pytest.fixture(autouse=True)
def nothing_is_told(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """No log and no output of any test here holds what was planted."""
    caplog.set_level(0)
    yield
    told = caplog.text + "".join(capfd.readouterr())
    assert not [secret for secret in PLANTED if secret in told]


def hook(url: str, *, networks: list[str] | None = None, **other: Any) -> Webhook:
    target = {"url": url, "secret_env": "NEW", **other}
    return Webhook(target, networks=LOOPBACK if networks is None else networks, environ={"OLD": OLD, "NEW": NEW})


def send(transport: Webhook, *, seconds: float = 30.0, **other: Any) -> Outcome:
    (outcome,) = transport.send([event(**({"payload": BODY} | other))], deadline=soon(seconds))
    shown = repr(outcome) + repr(transport) + repr(transport._settings) + repr(transport._connection)
    assert not [secret for secret in PLANTED if secret in shown]
    return outcome


def test_signature_is_verified_by_the_oracle() -> None:
    with receiver() as server:
        transport = hook(server.url(HOOK), secret_env=["OLD", "NEW"], source="/here")
        one = event(traceparent=TRACE)
        assert transport.send([one], deadline=soon()) == [SENT]
        (request,) = server.requests
    assert request.head == f"POST {HOOK} HTTP/1.1"
    assert request.body == envelope(one, source="/here")
    assert request.headers["webhook-id"] == str(one.event_id)
    assert abs(int(request.headers["webhook-timestamp"]) - time.time()) < 60
    assert request.headers["content-type"] == "application/cloudevents+json; charset=UTF-8"
    assert request.headers["host"] == f"127.0.0.1:{server.port}"
    assert len(request.headers["webhook-signature"].split(" ")) == 2
    for secret in (OLD, NEW):
        assert Oracle(secret).verify(request.body, request.headers) == json.loads(request.body)
    for wrong in (request.body + b" ", request.body.replace(b"a/1", b"a/2")):
        with pytest.raises(WebhookVerificationError):
            Oracle(NEW).verify(wrong, request.headers)
    with pytest.raises(WebhookVerificationError):
        Oracle(NEW).verify(request.body, request.headers | {"webhook-id": "other"})
    with pytest.raises(WebhookVerificationError):
        Oracle("whsec_" + "A" * 44).verify(request.body, request.headers)


def test_rotation_signs_with_what_is_named_only() -> None:
    with receiver() as server:
        send(hook(server.url()))
        (request,) = server.requests
    Oracle(NEW).verify(request.body, request.headers)
    with pytest.raises(WebhookVerificationError):
        Oracle(OLD).verify(request.body, request.headers)


@pytest.mark.parametrize(
    ("secret", "what"),
    [
        (None, "is not set"),
        ("", "is not set"),
        (OLD[6:], "is not whsec_ and base64"),
        ("whsec_?planted-body?", "is not whsec_ and base64"),
        ("whsec_" + base64.b64encode(b"planted-body").decode(), "does not hold 24 to 64 bytes"),
        ("whsec_" + "A" * 400, "does not hold 24 to 64 bytes"),
    ],
)
def test_unusable_secrets(secret: str | None, what: str) -> None:
    environ = {} if secret is None else {"HOOK_SECRET": secret}
    with pytest.raises(OperationError) as caught:
        Webhook({"url": "https://example.com", "secret_env": "HOOK_SECRET"}, networks=[], environ=environ)
    assert caught.value.sqlstate == "IU923"
    assert caught.value.detail == f"webhook: HOOK_SECRET {what}"
    assert not secret or secret not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/",
        "file:///etc/passwd",
        "example.com",
        "https://",
        "https:///path",
        "https://ann:planted-query@example.com/",
        "https://ann@example.com/",
        "https://exa mple.com/",
        "https://example.com/a b",
        "https://example.com/#planted-query",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://example.com:planted-query/",
        "https://[::1/",
        "https://bücher.example/",
        "https://example.com\\@evil.example/",
        "http://example.com/planted-path",
    ],
)
def test_wrong_urls_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(OperationError) as caught:
        check_target("webhook", {"url": url, "secret_env": "S"}, networks=[])
    assert caught.value.sqlstate == "IU922"
    assert "planted" not in str(caught.value) + caught.value.hint
    assert "url" in caught.value.detail


def test_wrong_networks_and_names_are_refused() -> None:
    target = {"url": "https://example.com", "secret_env": "S"}
    with pytest.raises(OperationError, match="network"):
        check_target("webhook", target, networks=["10.0.0.1/8"])
    for name in ("planted-body", "1A", "SÄCRET", "A" * 101, ["S", "A B"]):
        with pytest.raises(OperationError, match="secret_env does not name") as caught:
            check_target("webhook", target | {"secret_env": name}, networks=[])
        assert "planted" not in str(caught.value)


@pytest.mark.parametrize("secret", [OLD, OLD.replace("whsec_", "WhSec_"), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
def test_a_secret_in_the_place_of_a_name_is_refused_and_not_repeated(secret: str) -> None:
    for names in (secret, ["S", secret]):
        with pytest.raises(OperationError, match="secret_env holds a secret") as caught:
            check_target("webhook", {"url": "https://example.com", "secret_env": names}, networks=[])
        assert caught.value.sqlstate == "IU922"
        assert secret[6:] not in str(caught.value) + caught.value.hint


# ---------------------------------------------------------------- answers


@pytest.mark.parametrize(
    ("code", "kind", "reason"),
    [
        (200, "sent", None),
        (201, "sent", None),
        (202, "sent", None),
        (204, "sent", None),
        (299, "sent", None),
        (300, "failed", "HTTP 300: redirects are not followed"),
        (304, "failed", "HTTP 304: redirects are not followed"),
        (400, "failed", "HTTP 400"),
        (401, "failed", "HTTP 401"),
        (404, "failed", "HTTP 404"),
        (408, "failed", "HTTP 408"),
        (410, "gone", "HTTP 410"),
        (429, "unavailable", "HTTP 429"),
        (500, "failed", "HTTP 500"),
        (502, "failed", "HTTP 502"),
        (503, "unavailable", "HTTP 503"),
        (504, "failed", "HTTP 504"),
        (999, "failed", "HTTP 999"),
    ],
)
def test_statuses(code: int, kind: str, reason: str | None) -> None:
    with receiver(status(code, "X-Told: planted-answer")) as server:
        assert send(hook(server.url(HOOK))) == Outcome(kind, reason)  # type: ignore[arg-type]
        assert len(server.requests) == 1


def in_(seconds: float) -> str:
    return format_datetime((datetime.now(UTC) + timedelta(seconds=seconds)).replace(microsecond=0), usegmt=True)


@pytest.mark.parametrize("code", [429, 503])
@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        ("0", 0, 0),
        ("120", 120, 120),
        ("999999", 3600, 3600),
        ("9" * 400, 3600, 3600),
        (lambda: in_(90), 80, 91),
        (lambda: in_(-90), 0, 0),
        (lambda: in_(90000), 3600, 3600),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600, 3600),
        ("Fri, 01 Jan 2021 00:00:00", 0, 0),
    ],
)
def test_retry_after(code: int, header: str | Callable[[], str], least: float, most: float) -> None:
    text = header if isinstance(header, str) else header()
    with receiver(status(code, f"Retry-After: {text}")) as server:
        outcome = send(hook(server.url()))
    assert outcome.kind == "unavailable"
    assert outcome.retry_after is not None
    assert least <= outcome.retry_after <= most


@pytest.mark.parametrize("header", ["soon", "-5", "1.5", "", "٣", "Fri, 99 Zzz 2021 00:00:00 GMT"])
def test_a_retry_after_that_is_none(header: str) -> None:
    with receiver(says(f"HTTP/1.1 503 X\r\nContent-Length: 0\r\nRetry-After: {header}\r\n\r\n".encode())) as server:
        assert send(hook(server.url())) == Outcome("unavailable", "HTTP 503", None)


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(code: int) -> None:
    with receiver() as other, receiver(status(code, f"Location: {other.url()}")) as server:
        assert send(hook(server.url())) == Outcome("failed", f"HTTP {code}: redirects are not followed")
        assert not other.connections


def test_no_proxy_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as proxy, receiver() as server:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url())
        monkeypatch.delenv("no_proxy", raising=False)
        assert send(hook(server.url())) == SENT
        assert (server.connections, proxy.connections) == (1, 0)


@pytest.mark.parametrize(
    "data",
    [
        b"planted-answer\r\n\r\n",
        b"HTTP/1.1 planted-answer\r\n\r\n",
        b"HTTP/1.1 200" + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-A: planted-answer\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX-A: " + b"x" * 100_000 + b"\r\n\r\n",
        b"\x00\xff\x16\x03\x01",
    ],
    ids=range(6),
)
def test_what_is_not_http(data: bytes) -> None:
    def answer(connection: socket.socket, _request: Request) -> bool:
        connection.sendall(data)
        return False

    with receiver(answer) as server:
        assert send(hook(server.url(HOOK))) == Outcome("failed", "the answer is not HTTP")


def test_a_connection_that_is_closed_or_reset_before_an_answer() -> None:
    def reset(connection: socket.socket, _request: Request) -> bool:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False

    for answer in (reset, lambda _connection, _request: False):
        with receiver(answer) as server:
            assert send(hook(server.url())) == Outcome("failed", "the connection was closed before an answer")
            assert len(server.requests) == 1


EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
GOING_ON = b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.mark.parametrize("interim", [EARLY, EARLY * 3 + GOING_ON, b"HTTP/1.1 102 Processing\n\n" * 10, GOING_ON * 10])
@pytest.mark.parametrize("whole", [True, False])
def test_interim_answers_are_passed_over(interim: bytes, whole: bool) -> None:
    def answer(connection: socket.socket, _request: Request) -> bool:
        data = interim + (OK if len(server.requests) < 3 else OK.replace(b"200", b"500"))
        for part in [data] if whole else [data[n : n + 7] for n in range(0, len(data), 7)]:
            connection.sendall(part)
        return True

    with receiver(answer) as server:
        transport = hook(server.url(HOOK))
        outcomes = [send(transport, position=n) for n in (1, 2, 3)]
        assert outcomes == [SENT, SENT, Outcome("failed", "HTTP 500")]
        assert server.connections == 1


@pytest.mark.parametrize("interim", [GOING_ON, EARLY, b"HTTP/1.1 103 E\r\nX-A: " + b"a" * 60_000 + b"\r\n\r\n"])
def test_endless_interim_answers_cost_no_time(interim: bytes) -> None:
    def answer(connection: socket.socket, _request: Request) -> bool:
        while True:
            connection.sendall(interim)

    with receiver(answer) as server:
        begun = time.monotonic()
        assert send(hook(server.url(HOOK))) == Outcome("failed", "the answer is not HTTP")
        assert time.monotonic() - begun < 4


def test_another_protocol_is_no_interim_answer() -> None:
    with receiver(says(b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\n")) as server:
        assert send(hook(server.url(HOOK))) == Outcome("failed", "HTTP 101")


@pytest.mark.parametrize(
    "torn",
    [b"HTT", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nConten", EARLY, EARLY + b"HTTP/1.1 2"],
)
def test_a_torn_answer_is_none(torn: bytes) -> None:
    with receiver(lambda connection, _request: connection.sendall(torn) is not None) as server:
        outcome = send(hook(server.url(HOOK)))
    assert outcome == Outcome("failed", "the connection was closed before an answer")


# ---------------------------------------------------------------- connections


def test_a_connection_is_kept() -> None:
    with receiver() as server:
        transport = hook(server.url())
        assert [send(transport, position=n) for n in range(1, 6)] == [SENT] * 5
        assert server.connections == 1
        transport.close()
        assert send(transport) == SENT
        assert server.connections == 2


def test_a_kept_connection_that_was_closed_is_replaced() -> None:
    def once(connection: socket.socket, _request: Request) -> bool:
        connection.sendall(OK)
        return False

    with receiver(once) as server:
        transport = hook(server.url())
        for n in range(1, 4):
            assert send(transport, position=n) == SENT
            time.sleep(0.05)
        assert server.connections == 3
        assert len(server.requests) == 3


def test_a_kept_connection_that_closes_under_the_request_is_replaced_once() -> None:
    """The receiver closes when the second request is there: the event goes once more, over a new connection."""

    def answer(connection: socket.socket, request: Request) -> bool:
        if len(server.requests) == 2:
            return False
        connection.sendall(OK)
        return True

    with receiver(answer) as server:
        transport = hook(server.url())
        assert send(transport, position=1) == SENT
        assert send(transport, position=2) == SENT
        assert [request.connection for request in server.requests] == [1, 1, 2]


def test_an_answer_nobody_asked_for_is_not_taken_for_the_next() -> None:
    with receiver(says(OK + b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n")) as server:
        transport = hook(server.url())
        assert send(transport, position=1) == SENT
        time.sleep(0.05)
        assert send(transport, position=2) == SENT


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + OK,
    ],
)
def test_shapes_of_answers(head: bytes) -> None:
    with receiver(lambda connection, _request: bool(connection.sendall(head))) as server:
        transport = hook(server.url())
        assert [send(transport, position=n) for n in (1, 2)] == [SENT, SENT]


def test_nothing_listens_and_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = Outcome("unavailable", "no connection: ConnectionRefusedError")
    assert send(hook(f"http://127.0.0.1:{closed_port()}{HOOK}")) == refused
    resolves(monkeypatch, socket.gaierror(-2, "planted-answer"))
    assert send(hook(f"https://nowhere.example{HOOK}")) == Outcome("unavailable", "the name was not found")
    resolves(monkeypatch, [])
    assert send(hook(f"https://nowhere.example{HOOK}")) == Outcome("unavailable", "the name was not found")


def test_a_slow_resolver_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(2) or [])
    start = time.monotonic()
    assert send(hook("https://slow.example", timeout=0.2)) == Outcome("unavailable", "the name was not found in time")
    assert time.monotonic() - start < 1.9


def test_no_time_left_is_not_the_event_s_fault() -> None:
    with receiver() as server:
        assert send(hook(server.url()), seconds=-1) == Outcome("unavailable", "no time is left of the lease")
        assert not server.connections


# ---------------------------------------------------------------- time and size


def drip(start: bytes, endless: bytes) -> Answer:
    """A byte now and then, each before any time-out of a single read."""

    def answer(connection: socket.socket, _request: Request) -> bool:
        connection.sendall(start)
        for _ in range(400):
            connection.sendall(endless)
            time.sleep(0.02)
        return False

    return answer


@pytest.mark.parametrize(
    ("start", "endless"),
    [(b"", b"H"), (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"), (b"HTTP/1.1 200 OK\r\nX-A: ", b"b")],
    ids=["status", "headers", "header"],
)
def test_a_dripping_server_gains_no_time(start: bytes, endless: bytes) -> None:
    with receiver(drip(start, endless)) as server:
        begun = time.monotonic()
        assert send(hook(server.url(), timeout=0.5)) == Outcome("failed", "no answer in time")
        assert 0.4 < time.monotonic() - begun < 4


def test_the_lease_ends_earlier_than_the_timeout() -> None:
    with receiver(drip(b"", b"H")) as server:
        begun = time.monotonic()
        assert send(hook(server.url(), timeout=60), seconds=0.5).reason == "no answer in time"
        assert time.monotonic() - begun < 4


def test_a_silent_and_a_never_reading_server() -> None:
    with silent_server() as port:
        begun = time.monotonic()
        big = json.dumps("x" * 30_000_000)
        for payload in (BODY, big):
            outcome = send(hook(f"http://127.0.0.1:{port}", timeout=0.5), payload=payload)
            assert outcome == Outcome("failed", "no answer in time")
        assert time.monotonic() - begun < 3


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"]
)
def test_an_endless_answer_is_cut(head: bytes) -> None:
    """The status counts; the rest is neither waited for nor kept."""
    got = [0]

    def answer(connection: socket.socket, _request: Request) -> bool:
        connection.sendall(head)
        try:
            while True:
                got[0] += connection.send(b"planted-answer" * 1000)
        finally:
            server.ended.set()

    with receiver(answer) as server:
        begun = time.monotonic()
        transport = hook(server.url())
        assert send(transport) == SENT
        assert time.monotonic() - begun < 4
        assert transport._connection is None
        assert server.ended.wait(10)
        # What the kernel held in its buffers counts too.
        assert got[0] < 16_000_000


@pytest.mark.parametrize("header", [b"", b"Content-Length: 500\r\n"])
def test_a_dripping_body_delays_two_seconds_at_most(header: bytes) -> None:
    with receiver(drip(b"HTTP/1.1 200 OK\r\n" + header + b"\r\n", b"x")) as server:
        begun = time.monotonic()
        assert send(hook(server.url(), timeout=60)) == SENT
        assert time.monotonic() - begun < 4


# ---------------------------------------------------------------- addresses


def resolves(monkeypatch: pytest.MonkeyPatch, *answers: list[str] | OSError) -> list[str]:
    """The resolver gives these answers, one a question; the last for all later questions."""
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, *_: object, **__: object) -> list[Any]:
        answer = answers[min(len(asked), len(answers) - 1)]
        asked.append(host)
        if isinstance(answer, OSError):
            raise answer
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port))
            for one in answer
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


def connects(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Nothing is connected to; what would be is noted."""
    to: list[tuple[str, int]] = []

    def connect(address: Any, port: int, _seconds: float) -> socket.socket:
        to.append((str(address), port))
        raise ConnectionRefusedError

    monkeypatch.setattr(webhook, "_connect", connect)
    return to


REFUSED = [
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254"),
    *("168.63.129.16", "169.254.169.254", "169.254.0.1", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1"),
    *("192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255"),
    *("240.0.0.1", "255.255.255.255", "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254"),
    *("::ffff:8.8.8.8", "::127.0.0.1", "::8.8.8.8", "64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::a00:1"),
    *("100::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1", "2002:7f00:1::", "2002:a9fe:a9fe::"),
    *("2002:808:808::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%1", "fec0::1"),
    *("ff02::1", "ff0e::1"),
]
PUBLIC = ["8.8.8.8", "1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "2001:4860:4860::8888", "2620:fe::9"]


@pytest.mark.parametrize("address", REFUSED)
def test_refused_addresses(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    to = connects(monkeypatch)
    reason = "the address is not public, and no network of the route allows it"
    for answer in ([address], [PUBLIC[0], address], [address, PUBLIC[3]], [*PUBLIC, address]):
        resolves(monkeypatch, answer)
        assert send(hook(f"https://name.example{HOOK}", networks=[])) == Outcome("unavailable", reason)
    assert not to


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    to = connects(monkeypatch)
    resolves(monkeypatch, [address])
    assert send(hook("https://name.example", networks=[])).kind == "unavailable"
    assert to == [(address, 443)]


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0"],
)
def test_written_in_other_ways(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real resolver reads numbers in many ways; what it makes of them is what is looked at."""
    to = connects(monkeypatch)
    outcome = send(hook(f"https://{host}/", networks=[]))
    assert outcome.reason in (
        "the address is not public, and no network of the route allows it",
        "the name was not found",
    )
    assert not to


def test_networks_of_the_route_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    to = connects(monkeypatch)
    networks = ["10.1.0.0/16", "fd00::/8", "169.254.169.254"]
    for address, fits in [
        ("10.1.2.3", True),
        ("10.2.2.3", False),
        ("::ffff:10.1.2.3", True),
        ("::ffff:10.2.2.3", False),
        ("fd12::1", True),
        ("fe80::1", False),
        ("169.254.169.254", True),
        ("2002:a01:203::1", False),
        ("64:ff9b::a01:203", False),
    ]:
        resolves(monkeypatch, [address])
        to.clear()
        for scheme in ("https", "http"):
            outcome = send(hook(f"{scheme}://name.example", networks=networks))
            assert outcome.kind == "unavailable"
            assert outcome.reason is not None
            assert outcome.reason.startswith("no connection" if fits else "the address is not public"), address
        assert to == ([(str(ip_address(address)), port) for port in (443, 80)] if fits else [])


@pytest.mark.parametrize("address", PUBLIC)
def test_plain_http_is_for_networks_of_the_route_only(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    to = connects(monkeypatch)
    resolves(monkeypatch, [address])
    assert send(hook("http://name.example", networks=["10.0.0.0/8"])).kind == "unavailable"
    assert not to


def test_a_name_that_changes_its_address_gains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """One question a connection; what was looked at is what is connected to."""
    asked = resolves(monkeypatch, ["8.8.8.8"], ["127.0.0.1"])
    to = connects(monkeypatch)
    assert send(hook("https://name.example", networks=[])).kind == "unavailable"
    assert (asked, to) == (["name.example"], [("8.8.8.8", 443)])
    assert str(send(hook("https://name.example", networks=[])).reason).startswith("the address is not public")
    assert len(to) == 1


def test_the_socket_goes_where_the_check_looked(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as server:
        asked = resolves(monkeypatch, ["127.0.0.1"], OSError("asked again"))
        assert send(hook(f"http://name.example:{server.port}/")) == SENT
        assert asked == ["name.example"]
        assert server.requests[0].headers["host"] == f"name.example:{server.port}"


def test_the_next_address_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as server:
        resolves(monkeypatch, ["127.0.0.2", "::1", "127.0.0.1"])
        assert send(hook(f"http://name.example:{server.port}/")) == SENT


@given(st.ip_addresses())
def test_public_is_never_more_than_global(address: Any) -> None:
    if public(address):
        assert address.is_global
        assert not (address.is_private or address.is_loopback or address.is_link_local or address.is_multicast)
        assert not (address.is_reserved or address.is_unspecified)
        if address.version == 6:
            assert not (address.ipv4_mapped or address.sixtofour or address.teredo)


@given(st.ip_addresses(v=4))
def test_an_address_inside_an_address_is_never_public(inner: Any) -> None:
    number = int(inner)
    for outer in (
        (0xFFFF << 32) | number,
        number,
        (0x64FF9B << 96) | number,
        (0x2002 << 112) | (number << 80) | 1,
        (0x20010000 << 96) | (number ^ 0xFFFFFFFF),
    ):
        assert not public(ip_address(outer.to_bytes(16, "big")))


@given(st.ip_addresses(v=4), st.integers(0, 32))
def test_a_network_allows_its_own_and_mapped_addresses(inner: Any, bits: int) -> None:
    network = ip_network((inner, bits), strict=False)
    mapped = ip_address(((0xFFFF << 32) | int(inner)).to_bytes(16, "big"))
    assert allowed(inner, parse_networks([str(network)]))
    assert allowed(mapped, parse_networks([str(network)]))


# ---------------------------------------------------------------- TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return str(tmp_path / "ca.pem")


def tls_for(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


def test_tls_checks_the_name_and_tells_it(authority: trustme.CA, ca_file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str | None] = []
    context = tls_for(authority, "name.example")
    context.sni_callback = lambda _object, name, _context: asked.append(name)
    with receiver(tls=context) as server:
        resolves(monkeypatch, ["127.0.0.1"])
        transport = hook(f"https://name.example:{server.port}{HOOK}", ca_file=ca_file)
        assert [send(transport, position=n) for n in (1, 2, 3)] == [SENT] * 3
        assert asked == ["name.example"]
        assert server.connections == 1
        Oracle(NEW).verify(server.requests[0].body, server.requests[0].headers)
        other = send(hook(f"https://other.example:{server.port}{HOOK}", ca_file=ca_file))
        assert other == Outcome("unavailable", "the certificate is not valid for the name")
        unknown = send(hook(f"https://name.example:{server.port}{HOOK}"))
        assert unknown == Outcome("unavailable", "the certificate is not valid for the name")
        assert len(server.requests) == 3


def test_tls_to_an_address(authority: trustme.CA, ca_file: str) -> None:
    with receiver(tls=tls_for(authority, "127.0.0.1")) as server:
        assert send(hook(server.url(), ca_file=ca_file)) == SENT


def test_a_kept_tls_connection_that_was_closed_is_replaced(authority: trustme.CA, ca_file: str) -> None:
    def answer(connection: socket.socket, _request: Request) -> bool:
        if len(server.requests) == 3:
            return False
        connection.sendall(OK)
        return len(server.requests) != 1

    with receiver(answer, tls=tls_for(authority, "127.0.0.1")) as server:
        transport = hook(server.url(), ca_file=ca_file)
        for n in (1, 2, 3):
            assert send(transport, position=n) == SENT
            time.sleep(0.05)
        assert [request.connection for request in server.requests] == [1, 2, 2, 3]


def test_no_tls_handshake() -> None:
    with receiver() as server, silent_server() as port:
        plain = send(hook(f"https://127.0.0.1:{server.port}{HOOK}", timeout=1))
        assert plain.kind == "unavailable"
        assert plain.reason is not None
        assert plain.reason.startswith("no TLS handshake")
        begun = time.monotonic()
        silent = send(hook(f"https://127.0.0.1:{port}{HOOK}", timeout=0.3))
        assert silent == Outcome("unavailable", "no TLS handshake in time")
        assert time.monotonic() - begun < 4


def test_a_dripping_tls_server_gains_no_time(authority: trustme.CA, ca_file: str) -> None:
    with receiver(drip(b"", b"H"), tls=tls_for(authority, "127.0.0.1")) as server:
        begun = time.monotonic()
        outcome = send(hook(server.url(), ca_file=ca_file, timeout=0.5))
        assert outcome == Outcome("failed", "no answer in time")
        assert time.monotonic() - begun < 4


def test_a_wrong_ca_file_is_refused_when_opened(tmp_path: Path) -> None:
    (tmp_path / "planted-path").write_text("planted-body")
    for path in (tmp_path / "planted-path", tmp_path / "none-planted-path"):
        with pytest.raises(OperationError) as caught:
            hook("https://example.com", ca_file=str(path))
        assert "planted" not in str(caught.value) + caught.value.hint


def test_descriptors_do_not_leak() -> None:
    with receiver(status(500)) as server:
        transport = hook(server.url())
        for n in range(1, 20):
            send(transport, position=n)
        before = len(list(Path("/proc/self/fd").iterdir()))
        for n in range(20, 60):
            send(transport, position=n)
        time.sleep(0.2)
        assert len(list(Path("/proc/self/fd").iterdir())) <= before + 4

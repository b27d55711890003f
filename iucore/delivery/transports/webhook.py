"""The transport ``webhook``: one POST an event, signed as Standard Webhooks says.

Target: ``{"url": "https://...", "secret_env": "NAME"}``, and ``timeout`` (seconds for everything, 10), ``source``,
``ca_file`` (the authorities of a private certificate). The environment variable holds ``whsec_`` and base64; a list of
names signs with each of them, for as long as a secret is changed.

2xx: sent. 410: gone. 429 and 503: unavailable, with Retry-After. No name, an address that the route does not allow, no
connection, no TLS: unavailable. All other answers, redirects too, and no answer in time: failed. Interim answers (1xx)
are passed over.

It stands on ``http.client``: the libraries above it have no public place to check the address that is connected to, and
limit each read, not the whole answer.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import io
import math
import queue
import re
import select
import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse
from ipaddress import ip_address
from typing import Any, cast
from urllib.parse import urlsplit

from iucore import __version__
from iucore.delivery.transport import SENT, Event, Outcome, environment_error, failed, gone, unavailable
from iucore.delivery.transports._addresses import Address, Network, allowed, parse_networks, public
from iucore.delivery.transports._envelope import CONTENT_TYPE, DEFAULT_SOURCE, envelope_or_failed
from iucore.delivery.transports._target import Target, end_of

_KNOWN = ("url", "secret_env", "timeout", "source", "ca_file")
_PREFIX = "whsec_"
_MAX_RETRY_AFTER = 3600.0
_MAX_ANSWER = 64 * 1024
_MAX_HEAD = 128 * 1024
_MAX_INTERIM = 10
_BLANK_LINE = re.compile(rb"\n\r?\n")
# Not 101, which is final: nobody asked for another protocol.
_INTERIM = re.compile(rb"HTTP/[0-9.]+ +1(?!01)[0-9][0-9]\b")
# An answer is known by its status: the body is read for the next request on the connection only.
_BODY_SECONDS = 2.0


class _RefusedError(Exception):
    """The name leads to an address that the route does not allow."""


class _UnreachableError(Exception):
    """There is no connection; the argument says why, without the address."""


@dataclass(frozen=True, slots=True)
class _Settings:
    https: bool
    host: str
    port: int
    request: str = field(repr=False)
    secret_env: list[str]
    timeout: float
    source: str
    networks: list[Network]


class Webhook:
    """Posts events to one URL, over a connection that is kept."""

    hand_over = 1

    def __init__(self, target: Mapping[str, object], *, networks: Sequence[str], environ: Mapping[str, str]) -> None:
        """Check the target and read the secrets."""
        self._settings = _read(target, networks)
        self._tls = Target("webhook", target, _KNOWN).authorities("ca_file") if self._settings.https else None
        self._keys = [_key(variable, environ) for variable in self._settings.secret_env]
        self._connection: _Connection | None = None

    @staticmethod
    def check(target: Mapping[str, object], *, networks: Sequence[str]) -> None:
        """Check the target without the secrets, and without asking for the name's addresses."""
        _read(target, networks)

    def send(self, events: Sequence[Event], *, deadline: float) -> Sequence[Outcome]:
        """Post the events one after the other."""
        return [self._send(event, deadline) for event in events]

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _send(self, event: Event, deadline: float) -> Outcome:
        body = envelope_or_failed(event, source=self._settings.source)
        if isinstance(body, Outcome):
            return body
        end = end_of(self._settings.timeout, deadline)
        if end <= time.monotonic():
            return unavailable("no time is left of the lease")
        headers = self._headers(event.event_id, body)
        done: Outcome | None = None
        try:
            if self._connection is not None and self._connection.waiting():
                # Closed by the other side, or something was sent that nobody asked for.
                self.close()
            if self._connection is not None:
                # A kept connection may be closed under the request: then once more over a new one.
                with contextlib.suppress(ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
                    done = self._post(self._connection, headers, body, end)
            if done is None:
                self.close()
                self._connection = _Connection(self._settings, self._tls)
                self._connection.open(end)
                done = self._post(self._connection, headers, body, end)
        except _RefusedError:
            done = unavailable("the address is not public, and no network of the route allows it")
        except _UnreachableError as error:
            done = unavailable(str(error))
        except TimeoutError:
            done = failed("no answer in time")
        except ConnectionError:
            done = failed("the connection was closed before an answer")
        except HTTPException:
            done = failed("the answer is not HTTP")
        except OSError as error:
            done = failed(f"no answer: {type(error).__name__}")
        if done is not SENT:
            self.close()
        return done

    def _headers(self, event_id: str, body: bytes) -> dict[str, str]:
        now = str(int(time.time()))
        signed = f"{event_id}.{now}.".encode() + body
        signatures = [base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in self._keys]
        return {
            "Content-Type": CONTENT_TYPE,
            "Content-Length": str(len(body)),
            "User-Agent": f"iucore/{__version__}",
            "webhook-id": event_id,
            "webhook-timestamp": now,
            "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
        }

    def _post(self, connection: _Connection, headers: dict[str, str], body: bytes, end: float) -> Outcome:
        connection.until(end)
        connection.request("POST", self._settings.request, body=body, headers=headers)
        with connection.getresponse() as answer:
            done = _outcome(answer.status, answer.getheader("Retry-After"))
            if not _read_body(connection, answer, end):
                self.close()
        return done


class _Connection(HTTPConnection):
    """To an address that was checked, with one end for everything that happens on it."""

    def __init__(self, settings: _Settings, tls: ssl.SSLContext | None) -> None:
        super().__init__(settings.host, settings.port)
        # Of http.client: the header Host leaves out the port that the scheme implies.
        self.default_port = 443 if settings.https else 80
        # Never connect again by itself, which would go round the checks.
        self.auto_open = 0
        self._settings, self._tls = settings, tls
        self._wire: _Wire | None = None

    def open(self, end: float) -> None:
        """Connect to the first address that answers, if all of them are allowed."""
        found = _resolve(self._settings.host, self._settings.port, end)
        for address in found:
            # Plain HTTP is for networks that the route names.
            if not allowed(address, self._settings.networks) and not (self._settings.https and public(address)):
                raise _RefusedError
        reason = "no connection"
        for number, address in enumerate(found):
            try:
                # No address may use up the time of those after it.
                share = _left(end) / (len(found) - number)
                plain = _connect(address, self._settings.port, share)
            except TimeoutError:
                reason = "no connection in time"
            except OSError as error:
                reason = f"no connection: {type(error).__name__}"
            else:
                self._wire = _Wire(self._encrypted(plain, end), end)
                self.sock = cast(Any, self._wire)
                return
        raise _UnreachableError(reason)

    def _encrypted(self, plain: socket.socket, end: float) -> socket.socket:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is None:
            return plain
        try:
            plain.settimeout(_left(end))
            return self._tls.wrap_socket(plain, server_hostname=self._settings.host)
        except ssl.SSLCertVerificationError:
            reason = "the certificate is not valid for the name"
        except TimeoutError:
            reason = "no TLS handshake in time"
        except (OSError, ValueError) as error:
            reason = f"no TLS handshake: {type(error).__name__}"
        plain.close()
        raise _UnreachableError(reason)

    def until(self, end: float) -> None:
        """Set the end for what happens next."""
        if self._wire is not None:
            self._wire.end = end

    def waiting(self) -> bool:
        """Whether something can be read though nothing was asked."""
        return self._wire is None or self._wire.waiting()


class _Wire:
    """What http.client needs of a socket, with one end for all reads and writes.

    Each may wait only for what is left, so that a server that sends a byte a second gains nothing.
    """

    def __init__(self, sock: socket.socket, end: float) -> None:
        self._socket, self.end = sock, end

    def sendall(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            self._socket.settimeout(_left(self.end))
            rest = rest[self._socket.send(rest) :]

    def read(self) -> bytes:
        self._socket.settimeout(_left(self.end))
        return self._socket.recv(_MAX_ANSWER)

    def read_into(self, buffer: Any) -> int:
        self._socket.settimeout(_left(self.end))
        return self._socket.recv_into(buffer)

    def makefile(self, mode: str) -> io.BufferedReader:  # noqa: ARG002
        return io.BufferedReader(_Reader(self))

    def waiting(self) -> bool:
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))

    def close(self) -> None:
        self._socket.close()


class _Reader(io.RawIOBase):
    """One answer, from the status line of the final one on."""

    def __init__(self, wire: _Wire) -> None:
        self._wire = wire
        self._begun: bytes | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._begun is None:
            self._begun = _final(self._wire)
        if not self._begun:
            return self._wire.read_into(buffer)
        part, self._begun = self._begun[: len(buffer)], self._begun[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


def _final(wire: _Wire) -> bytes:
    """The whole head of the final answer, with what came along behind it.

    http.client passes over 100 only, without end, and takes a head that is cut for a whole one.
    """
    got = bytearray()
    for _ in range(_MAX_INTERIM + 1):
        looked = 0
        while (end := _BLANK_LINE.search(got, looked)) is None:
            looked = max(len(got) - 2, 0)
            more = wire.read()
            got += more
            if (b"\n" in got or not more) and got[:5] != b"HTTP/"[: len(got)]:
                raise HTTPException
            if not more:
                raise ConnectionResetError
            if len(got) > _MAX_HEAD:
                raise HTTPException
        if _INTERIM.match(got) is None:
            return bytes(got)
        del got[: end.end()]
    raise HTTPException


def _connect(address: Address, port: int, seconds: float) -> socket.socket:
    """To the address itself: the name is not asked for again."""
    plain = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_STREAM)
    try:
        plain.settimeout(seconds)
        plain.connect((str(address), port))
    except BaseException:
        plain.close()
        raise
    return plain


def _left(end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _resolve(host: str, port: int, end: float) -> list[Address]:
    """The addresses of the name. The system's resolver knows no time limit: it is asked in a thread."""
    answer: queue.SimpleQueue[list[Address] | None] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answer.put([ip_address(str(entry[4][0])) for entry in found])
        except (OSError, ValueError):
            answer.put(None)

    threading.Thread(target=ask, daemon=True, name="iucore-resolve").start()
    try:
        addresses = answer.get(timeout=_left(end))
    except (queue.Empty, TimeoutError):
        raise _UnreachableError("the name was not found in time") from None
    if not addresses:
        raise _UnreachableError("the name was not found")
    return list(dict.fromkeys(addresses))


def _outcome(status: int, retry_after: str | None) -> Outcome:
    reason = f"HTTP {status}"
    if 200 <= status < 300:
        return SENT
    if status == 410:
        return gone(reason)
    if status in (429, 503):
        return unavailable(reason, _seconds(retry_after))
    return failed(f"{reason}: redirects are not followed" if 300 <= status < 400 else reason)


def _seconds(retry_after: str | None) -> float | None:
    """Of Retry-After, a number or a date; an hour at most, None for what is neither."""
    if retry_after is None:
        return None
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return _MAX_RETRY_AFTER if len(text) > 5 else min(float(text), _MAX_RETRY_AFTER)
    try:
        when = parsedate_to_datetime(text)
        left = (when if when.tzinfo else when.replace(tzinfo=UTC)) - datetime.now(UTC)
    except (ValueError, OverflowError, TypeError):
        return None
    return min(max(float(math.ceil(left.total_seconds())), 0.0), _MAX_RETRY_AFTER)


def _read_body(connection: _Connection, answer: HTTPResponse, end: float) -> bool:
    """Read a short body away; whether the connection can take another request."""
    connection.until(min(end, time.monotonic() + _BODY_SECONDS))
    try:
        left = _MAX_ANSWER
        while left > 0 and (part := answer.read1(left)):
            left -= len(part)
        return left > 0 and not answer.will_close
    except (OSError, HTTPException, ValueError):
        return False


def _key(variable: str, environ: Mapping[str, str]) -> bytes:
    text = environ.get(variable, "").strip()
    if not text:
        raise environment_error("webhook", variable, "is not set")
    try:
        if not text.startswith(_PREFIX):
            raise ValueError
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except (ValueError, binascii.Error):
        raise environment_error("webhook", variable, f"is not {_PREFIX} and base64") from None
    if not 24 <= len(key) <= 64:
        raise environment_error("webhook", variable, "does not hold 24 to 64 bytes")
    return key


def _read(target: Mapping[str, object], networks: Sequence[str]) -> _Settings:
    read = Target("webhook", target, _KNOWN)
    url = read.text("url")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise read.error("url is not a URL") from None
    if not url.isascii() or " " in url or "\\" in url or "#" in url or not host or port == 0:
        raise read.error("url is not a plain URL in ASCII")
    if parts.username is not None or parts.password is not None:
        raise read.error("url holds a user or a password; the signature is what the receiver checks")
    if parts.scheme not in ("https", "http"):
        raise read.error("url is neither https:// nor http://")
    try:
        known = parse_networks(networks)
    except ValueError:
        raise read.error("a network of the route is not written as 10.0.0.0/8") from None
    https = parts.scheme == "https"
    if not https and not known:
        raise read.error("url is http://, which is for networks that the route allows, and it allows none")
    read.optional("ca_file")
    return _Settings(
        https=https,
        host=host,
        port=port or (443 if https else 80),
        request=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
        secret_env=read.variables("secret_env"),
        timeout=read.seconds("timeout", 10.0),
        source=read.text("source", DEFAULT_SOURCE),
        networks=known,
    )

"""The transport ``nats``: publishes to JetStream, with the event's id as Nats-Msg-Id.

Target: ``{"servers": ["nats://host:4222"], "subject": "iucore.{event_type}"}``, and ``timeout`` (seconds, 10),
``source``, ``ca_file``, and one of ``token_env``, ``login_env`` (``user:password``) and ``credentials_env`` (the text
of a credentials file, or its path), which name environment variables. A server ``tls://`` always gets TLS.

An acknowledgement of a stream: sent, also of one that has the event already. No connection, or a lost one, and answers
of 500 and above, as of a full stream: unavailable, and no stream for a subject that is the same for all events. No
stream for a subject made of the event, a refusal, or no acknowledgement in time: failed.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import string
import threading
import time
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import nats.errors
import nats.js.errors
from nats.aio.client import Client, RawCredentials

from iucore.delivery.transport import SENT, Event, Outcome, environment_error, failed, unavailable
from iucore.delivery.transports._envelope import CONTENT_TYPE, DEFAULT_SOURCE, envelope_or_failed
from iucore.delivery.transports._target import Target, end_of

T = TypeVar("T")

_LOGINS = ("token_env", "login_env", "credentials_env")
_KNOWN = ("servers", "subject", "timeout", "source", "ca_file", *_LOGINS)
_FIELDS = ("event_type", "aggregatetype", "delivery_lane")
_SUBJECT = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_CONNECT_SECONDS = 5.0
_CLOSE_SECONDS = 1.0
# What says that there is no connection; the event is not to blame.
_LOST = (
    nats.errors.ConnectionClosedError,
    nats.errors.ConnectionReconnectingError,
    nats.errors.ConnectionDrainingError,
    nats.errors.OutboundBufferLimitError,
    nats.errors.StaleConnectionError,
    OSError,
)


class Nats:
    """Publishes a hand-over at once and waits for every acknowledgement.

    The client is asynchronous: it lives in a thread of its own, and so answers the server's pings between hand-overs.
    """

    hand_over = 100

    def __init__(self, target: Mapping[str, object], *, networks: Sequence[str], environ: Mapping[str, str]) -> None:
        """Check the target and read the secrets."""
        self.check(target, networks=networks)
        read = Target("nats", target, _KNOWN)
        self._servers, self._subject = read.texts("servers"), read.text("subject")
        self._timeout, self._source = read.seconds("timeout", 10.0), read.text("source", DEFAULT_SOURCE)
        self._options = _login(read, environ)
        if any(server.startswith("tls:") for server in self._servers) or read.optional("ca_file"):
            self._options["tls"] = read.authorities("ca_file")
        self._client: _Client | None = None
        self._closing: set[asyncio.Future[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @staticmethod
    def check(target: Mapping[str, object], *, networks: Sequence[str]) -> None:  # noqa: ARG004
        """Check the target without the secrets."""
        read = Target("nats", target, _KNOWN)
        for server in read.texts("servers"):
            _check_server(read, server)
        try:
            fields = {name for _, name, *_ in string.Formatter().parse(read.text("subject")) if name is not None}
            fits = _SUBJECT.fullmatch(read.text("subject").format_map(dict.fromkeys(_FIELDS, "a")))
        except (ValueError, LookupError, AttributeError):
            fields, fits = {""}, None
        if not fields <= set(_FIELDS) or not fits:
            raise read.error(f"subject is not words joined by full stops, with {{{'}, {'.join(_FIELDS)}}} in it or not")
        logins = [key for key in _LOGINS if read.optional(key)]
        if len(logins) > 1:
            raise read.error(f"{' and '.join(logins)} are more than one way to log in")
        for key in logins:
            read.variable(key)
        read.optional("ca_file")
        read.seconds("timeout", 10.0)
        read.text("source", DEFAULT_SOURCE)

    def send(self, events: Sequence[Event], *, deadline: float) -> Sequence[Outcome]:
        """Publish the events at once, and wait until each is acknowledged or given up."""
        end = end_of(self._timeout, deadline)
        if end <= time.monotonic():
            return [unavailable("no time is left of the lease")] * len(events)
        try:
            return self._run(self._send(events, end))
        except CancelledError:
            # The client ends its own tasks when it is closed under them.
            return [unavailable("the connection was lost")] * len(events)

    def close(self) -> None:
        """Close the connection and end the thread."""
        if self._loop is None or self._thread is None:
            return
        with contextlib.suppress(Exception):
            self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._loop = self._thread = None

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            # What the client cannot tell anybody it would print, and addresses with it.
            self._loop.set_exception_handler(lambda _loop, _context: None)
            self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="iucore-nats")
            self._thread.start()
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _send(self, events: Sequence[Event], end: float) -> list[Outcome]:
        try:
            client = await self._connected(end)
        except TimeoutError:
            return [unavailable("no connection in time")] * len(events)
        except Exception as error:
            return [unavailable(f"no connection: {type(error).__name__}")] * len(events)
        tasks = [asyncio.ensure_future(self._publish(client, event, end)) for event in events]
        lost = asyncio.ensure_future(client.lost.wait())
        try:
            done = asyncio.ensure_future(asyncio.wait(tasks))
            await asyncio.wait([done, lost], timeout=end - time.monotonic(), return_when=asyncio.FIRST_COMPLETED)
            # A lost connection says nothing to those who wait for an answer.
            reason = unavailable("the connection was lost") if lost.done() else failed("no acknowledgement in time")
            return [task.result() if task.done() and not task.cancelled() else reason for task in tasks]
        finally:
            if not all(task.done() for task in tasks):
                self._drop()
            for task in (*tasks, lost, done):
                task.cancel()
            await asyncio.gather(*tasks, lost, done, return_exceptions=True)

    async def _publish(self, client: _Client, event: Event, end: float) -> Outcome:
        body = envelope_or_failed(event, source=self._source)
        if isinstance(body, Outcome):
            return body
        subject = self._subject.format_map({name: getattr(event, name) for name in _FIELDS})
        if not _SUBJECT.fullmatch(subject):
            return failed("no subject of NATS can be made of it")
        headers = {"Nats-Msg-Id": event.event_id, "Content-Type": CONTENT_TYPE}
        try:
            # The end is watched outside: there a time-out and a lost connection are told apart.
            await client.jetstream().publish(subject, body, timeout=end - time.monotonic() + 1, headers=headers)
        except nats.js.errors.NoStreamResponseError:
            # Of a subject that depends on the event other events may be taken.
            return (failed if "{" in self._subject else unavailable)("no stream takes the subject")
        except nats.js.errors.APIError as error:
            reason = f"JetStream answers {error.code} ({error.err_code})"
            return unavailable(reason) if (error.code or 0) >= 500 else failed(reason)
        except nats.errors.TimeoutError:
            return failed("no acknowledgement in time")
        except nats.errors.MaxPayloadError:
            return failed("larger than the server takes")
        except _LOST:
            return unavailable("the connection was lost")
        except Exception as error:
            return failed(type(error).__name__)
        return SENT

    async def _connected(self, end: float) -> _Client:
        if self._client is not None and self._client.is_connected:
            return self._client
        self._drop()
        self._client = client = _Client()
        await asyncio.wait_for(
            client.connect(
                self._servers,
                # The next hand-over connects again; meanwhile nothing is kept that the worker does not know of.
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                connect_timeout=2,
                error_cb=_say_nothing,
                closed_cb=client.closed,
                **self._options,
            ),
            min(_CONNECT_SECONDS, end - time.monotonic()),
        )
        return client

    def _drop(self) -> None:
        """Leave the connection; the client closes it beside what comes next."""
        if self._client is not None:
            closing = asyncio.ensure_future(self._client.close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
            self._client = None

    async def _end(self) -> None:
        self._drop()
        if self._closing:
            _, late = await asyncio.wait(self._closing, timeout=_CLOSE_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


class _Client(Client):
    def __init__(self) -> None:
        super().__init__()
        self.lost = asyncio.Event()

    async def closed(self) -> None:
        self.lost.set()

    def _process_info(self, info: dict[str, Any], *others: Any, **named: Any) -> Any:
        # The client speaks TLS when the server asks for it, whatever the URL says: who stands between could say no, and
        # would be told the password. (Asynchronous in newer releases, and not in older ones.)
        server = self._current_server
        if not self.is_connected and server is not None and server.uri.scheme == "tls" and not info.get("tls_required"):
            raise nats.errors.SecureConnWantedError
        return super()._process_info(info, *others, **named)


async def _say_nothing(_error: Exception) -> None:
    pass


def _check_server(read: Target, server: str) -> None:
    try:
        parts = urlsplit(server)
        fits = parts.scheme in ("nats", "tls") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if not fits or not server.isascii():
        raise read.error("servers is not a list of nats://host:port or tls://host:port")
    if parts.username is not None or parts.password is not None:
        raise read.error(f"servers holds a user or a password; use {', '.join(_LOGINS)}")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise read.error("servers holds more than a host and a port")


def _login(read: Target, environ: Mapping[str, str]) -> dict[str, Any]:
    """The options of the client for the one login that the target names."""
    for key in _LOGINS:
        variable = read.optional(key)
        if variable is None:
            continue
        secret = environ.get(variable, "").strip()
        if not secret:
            raise environment_error("nats", variable, "is not set")
        if key == "token_env":
            return {"token": secret}
        if key == "login_env":
            user, colon, password = secret.partition(":")
            if not colon:
                raise environment_error("nats", variable, "is not user:password")
            return {"user": user, "password": password}
        if "\n" not in secret:
            try:
                secret = Path(secret).read_text("utf-8")
            except (OSError, ValueError):
                raise environment_error("nats", variable, "does not name a readable file") from None
        if "BEGIN NATS USER JWT" not in secret or "BEGIN USER NKEY SEED" not in secret:
            raise environment_error("nats", variable, "does not hold the credentials of a user")
        return {"user_credentials": RawCredentials(secret)}
    return {}

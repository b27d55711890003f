"""Events, a receiver of webhooks and servers for the tests of the transports. Everything stays on the loopback."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from iucore.delivery.transport import Event

LOOPBACK = ["127.0.0.0/8", "::1/128"]
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def event(position: int = 1, **other: Any) -> Event:
    given: dict[str, Any] = {
        "position": position,
        "event_id": str(UUID(int=(7 << 76) | (2 << 62) | position)),
        "event_type": "unit.created",
        "aggregatetype": "unit",
        "aggregateid": f"a/{position}",
        "subject": f"a/{position}",
        "delivery_lane": "delayed",
        "payload": '{"n": 1.10, "text": "größer \\" \\\\ \\u2028"}',
        "change_id": 5,
        "actor": "ann",
        "claimed_actor": None,
        "traceparent": None,
        "created_at": datetime(2026, 5, 1, 12, 30, 0, 250000, UTC),
    }
    return Event(**(given | other))


def soon(seconds: float = 30.0) -> float:
    return time.monotonic() + seconds


@dataclass
class Request:
    head: str
    headers: dict[str, str]
    body: bytes
    connection: int


Answer = Callable[[socket.socket, Request], bool]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def says(data: bytes) -> Answer:
    """Answer with these bytes, and keep the connection."""

    def answer(connection: socket.socket, _request: Request) -> bool:
        connection.sendall(data)
        return True

    return answer


def status(code: int, *headers: str) -> Answer:
    lines = [f"HTTP/1.1 {code} Whatever", "Content-Length: 0", *headers, "", ""]
    return says("\r\n".join(lines).encode())


@dataclass
class Receiver:
    """A small HTTP server that does exactly what a test wants, byte by byte."""

    answer: Answer = field(default_factory=lambda: says(OK))
    tls: ssl.SSLContext | None = None
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    host: str = "127.0.0.1"
    ended: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str = "/hook") -> str:
        return f"http{'s' if self.tls else ''}://{self.host}:{self.port}{path}"

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._talk, args=(connection, self.connections), daemon=True).start()

    def _talk(self, connection: socket.socket, number: int) -> None:
        try:
            if self.tls is not None:
                connection = self.tls.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as stream:
                while head := stream.readline().decode():
                    headers = {}
                    while line := stream.readline().decode().strip():
                        name, _, value = line.partition(":")
                        headers[name.lower()] = value.strip()
                    body = stream.read(int(headers.get("content-length", 0)))
                    request = Request(head.strip(), headers, body, number)
                    self.requests.append(request)
                    if not self.answer(connection, request):
                        return
        except (OSError, ValueError):
            pass


@contextmanager
def receiver(answer: Answer | None = None, *, tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    made = Receiver(tls=tls)
    if answer is not None:
        made.answer = answer
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made.port = listener.getsockname()[1]
        thread = threading.Thread(target=made.serve, args=(listener,), daemon=True)
        thread.start()
        try:
            yield made
        finally:
            made.ended.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def silent_server() -> Iterator[int]:
    """Takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        yield int(listener.getsockname()[1])

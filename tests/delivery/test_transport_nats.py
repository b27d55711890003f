"""The transport ``nats``, on a nats-server that each test starts."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nats
import nkeys
import pytest
import trustme
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy
from transport_helpers import closed_port, event, silent_server, soon

from iucore.delivery.transport import SENT, Outcome, check_target
from iucore.delivery.transports._envelope import envelope
from iucore.delivery.transports.nats import Nats
from iucore.errors import OperationError

PROGRAM = shutil.which("nats-server") or shutil.which("nats-server", path="/usr/sbin:/usr/local/sbin")
needs_server = pytest.mark.skipif(PROGRAM is None, reason="nats-server is not installed")
TOKEN, PASSWORD, BODY = "planted-token", "planted-password", '{"text": "planted-body"}'


@pytest.fixture(autouse=True)
def nothing_is_told(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    caplog.set_level(logging.INFO)
    yield
    assert "planted" not in caplog.text + "".join(capfd.readouterr())


@dataclass
class Server:
    folder: Path
    port: int
    options: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    scheme: str = "nats"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def start(self) -> None:
        store = self.folder / "store"
        line = [str(PROGRAM), "-a", "127.0.0.1", "-p", str(self.port), "-sd", str(store), *self.options]
        self.process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert time.monotonic() < end
                assert self.process.poll() is None
                time.sleep(0.02)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def jetstream(self, work: Callable[[JetStreamContext], Awaitable[Any]], **login: Any) -> Any:
        async def run() -> Any:
            client = await nats.connect(self.url, **login)
            try:
                return await work(client.jetstream())
            finally:
                await client.close()

        return asyncio.run(run())

    def add_stream(self, name: str = "iucore", **settings: Any) -> None:
        self.jetstream(lambda stream: stream.add_stream(name=name, subjects=[f"{name}.>"], **settings))

    def messages(self) -> list[Any]:
        async def read(stream: JetStreamContext) -> list[Any]:
            count = (await stream.stream_info("iucore")).state.messages
            return [await stream.get_msg("iucore", n) for n in range(1, count + 1)]

        return list(self.jetstream(read))


@contextmanager
def serve(folder: Path, *options: str, jetstream: bool = True) -> Iterator[Server]:
    server = Server(folder, closed_port(), (*(["-js"] if jetstream else []), *options))
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serve(tmp_path) as made:
        yield made


@pytest.fixture
def opened() -> Iterator[Callable[..., Nats]]:
    made: list[Nats] = []

    def open_(url: str, environ: dict[str, str] | None = None, **other: Any) -> Nats:
        target = {"servers": [url], "subject": "iucore.{event_type}", "timeout": 5, **other}
        made.append(Nats(target, networks=[], environ=environ or {}))
        return made[-1]

    yield open_
    for transport in made:
        transport.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "iucore-nats"]


def send(transport: Nats, *positions: int, seconds: float = 30.0, **other: Any) -> list[Outcome]:
    batch = [event(n, **({"payload": BODY} | other)) for n in positions or (1,)]
    outcomes = list(transport.send(batch, deadline=soon(seconds)))
    assert "planted" not in repr(outcomes) + repr(transport) + repr(transport._client)
    return outcomes


@needs_server
def test_a_hand_over_is_published_with_ids_and_acknowledged(server: Server, opened: Callable[..., Nats]) -> None:
    server.add_stream()
    transport = opened(server.url, source="/here")
    assert send(transport, *range(1, 101)) == [SENT] * 100
    messages = server.messages()
    by_id = {message.headers["Nats-Msg-Id"]: message for message in messages}
    assert len(by_id) == 100
    for n in range(1, 101):
        one = event(n, payload=BODY)
        message = by_id[str(one.event_id)]
        assert message.data == envelope(one, source="/here")
        assert message.subject == "iucore.unit.created"
        assert message.headers["Content-Type"] == "application/cloudevents+json; charset=UTF-8"


@needs_server
def test_an_event_that_comes_again_is_kept_once(server: Server, opened: Callable[..., Nats]) -> None:
    server.add_stream()
    assert send(opened(server.url), 1, 2) == [SENT] * 2
    assert send(opened(server.url), 2, 3, 1) == [SENT] * 3
    assert len(server.messages()) == 3


@needs_server
def test_no_stream_and_no_jetstream(server: Server, tmp_path: Path, opened: Callable[..., Nats]) -> None:
    failed = Outcome("failed", "no stream takes the subject")
    assert send(opened(server.url), 1, 2) == [failed] * 2
    fixed = opened(server.url, subject="iucore.all")
    assert send(fixed, 1, 2) == [Outcome("unavailable", "no stream takes the subject")] * 2
    (tmp_path / "plain").mkdir()
    with serve(tmp_path / "plain", jetstream=False) as plain:
        assert send(opened(plain.url)) == [failed]


@needs_server
def test_one_without_a_stream_holds_up_no_other(server: Server, opened: Callable[..., Nats]) -> None:
    server.jetstream(lambda stream: stream.add_stream(name="iucore", subjects=["iucore.unit.*"]))
    transport = opened(server.url)
    batch = [event(1), event(2, event_type="collection.created"), event(3, subject=""), event(4, event_type="a b")]
    outcomes = transport.send([*batch, event(5)], deadline=soon())
    assert [one.reason for one in outcomes] == [
        None,
        "no stream takes the subject",
        "no envelope: CloudEventValidationError",
        "no subject of NATS can be made of it",
        None,
    ]


@needs_server
def test_a_full_stream_is_the_target_s_fault(server: Server, opened: Callable[..., Nats]) -> None:
    server.add_stream(max_msgs=2, discard=DiscardPolicy.NEW)
    transport = opened(server.url)
    assert send(transport, 1, 2) == [SENT] * 2
    (outcome,) = send(transport, 3)
    assert (outcome.kind, outcome.reason) == ("unavailable", "JetStream answers 503 (10077)")


@needs_server
def test_too_large_for_stream_or_server(server: Server, opened: Callable[..., Nats]) -> None:
    server.add_stream(max_msg_size=2000)
    transport = opened(server.url)
    (outcome,) = send(transport, payload=json.dumps("x" * 3000))
    assert (outcome.kind, outcome.reason) == ("failed", "JetStream answers 400 (10054)")
    (outcome,) = send(transport, payload=json.dumps("x" * 2_000_000))
    assert (outcome.kind, outcome.reason) == ("failed", "larger than the server takes")
    assert send(transport) == [SENT]


@needs_server
def test_the_server_goes_and_comes_back(server: Server, opened: Callable[..., Nats]) -> None:
    server.add_stream()
    transport = opened(server.url)
    assert send(transport, 1) == [SENT]
    server.stop()
    time.sleep(0.2)
    for _ in range(2):
        (outcome,) = send(transport, 2)
        assert outcome.kind == "unavailable"
    server.start()
    assert send(transport, 2, 3) == [SENT] * 2
    assert len(server.messages()) == 3


@needs_server
def test_the_server_is_killed_under_the_hand_over(server: Server, opened: Callable[..., Nats]) -> None:
    """What is not acknowledged is unavailable at once, not failed after its time."""
    server.add_stream()
    transport = opened(server.url, timeout=20)
    assert send(transport, 1) == [SENT]
    assert server.process is not None
    server.process.send_signal(19)  # SIGSTOP
    killer = threading.Timer(0.5, server.stop)
    killer.start()
    begun = time.monotonic()
    outcomes = send(transport, *range(2, 50))
    killer.join()
    assert {(one.kind, one.reason) for one in outcomes} == {("unavailable", "the connection was lost")}
    assert time.monotonic() - begun < 5


@needs_server
def test_no_acknowledgement_in_time(server: Server, opened: Callable[..., Nats]) -> None:
    server.add_stream()
    transport = opened(server.url, timeout=1.5)
    assert send(transport, 1) == [SENT]
    assert server.process is not None
    server.process.send_signal(19)  # SIGSTOP
    begun = time.monotonic()
    assert send(transport, 2, 3) == [Outcome("failed", "no acknowledgement in time")] * 2
    # The next one connects anew, and so learns that nobody is there.
    (outcome,) = send(transport, 2)
    assert outcome == Outcome("unavailable", "no connection in time")
    assert time.monotonic() - begun < 8
    server.process.send_signal(18)  # SIGCONT
    assert send(transport, 2, 3) == [SENT] * 2
    assert len(server.messages()) == 3


@needs_server
def test_an_idle_transport_answers_pings(tmp_path: Path, opened: Callable[..., Nats]) -> None:
    config = tmp_path / "server.conf"
    config.write_text('ping_interval: "100ms"\nping_max: 1\n')
    with serve(tmp_path, "-c", str(config)) as server:
        server.add_stream()
        transport = opened(server.url)
        assert send(transport, 1) == [SENT]
        client = transport._client
        time.sleep(1.5)
        assert send(transport, 2) == [SENT]
        assert transport._client is client


def test_nobody_listens_or_says_anything(opened: Callable[..., Nats]) -> None:
    begun = time.monotonic()
    (outcome,) = send(opened(f"nats://127.0.0.1:{closed_port()}"))
    assert outcome.kind == "unavailable"
    assert time.monotonic() - begun < 3
    with silent_server() as port:
        assert send(opened(f"nats://127.0.0.1:{port}", timeout=0.5)) == [
            Outcome("unavailable", "no connection in time")
        ]
    (outcome,) = send(opened("nats://127.0.0.1:1"), seconds=-1)
    assert outcome == Outcome("unavailable", "no time is left of the lease")


@needs_server
def test_logins(tmp_path: Path, opened: Callable[..., Nats]) -> None:
    for options, key, good, bad in [
        (["--auth", TOKEN], "token_env", TOKEN, "planted-wrong"),
        (["--user", "ann", "--pass", PASSWORD], "login_env", f"ann:{PASSWORD}", "ann:planted-wrong"),
    ]:
        folder = tmp_path / key
        folder.mkdir()
        with serve(folder, *options) as server:
            login = {"token": TOKEN} if key == "token_env" else {"user": "ann", "password": PASSWORD}
            server.jetstream(lambda stream: stream.add_stream(name="iucore", subjects=["iucore.>"]), **login)
            assert send(opened(server.url, {"SECRET": good}, **{key: "SECRET"})) == [SENT]
            (outcome,) = send(opened(server.url, {"SECRET": bad}, **{key: "SECRET"}))
            assert outcome.kind == "unavailable"
            (outcome,) = send(opened(server.url))
            assert outcome.kind == "unavailable"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@needs_server
def test_tls(tmp_path: Path, authority: trustme.CA, opened: Callable[..., Nats]) -> None:
    made = authority.issue_cert("127.0.0.1")
    made.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    made.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    options = ("--tls", "--tlscert", str(tmp_path / "cert.pem"), "--tlskey", str(tmp_path / "key.pem"))
    with serve(tmp_path, *options) as server:
        for scheme in ("tls", "nats"):
            url = f"{scheme}://127.0.0.1:{server.port}"
            (outcome,) = send(opened(url, ca_file=str(tmp_path / "ca.pem")))
            assert outcome == Outcome("failed", "no stream takes the subject")
            (outcome,) = send(opened(url))
            assert outcome.kind == "unavailable"
            assert outcome.reason is not None
            assert outcome.reason.startswith("no connection")


@needs_server
def test_tls_is_not_given_up(tmp_path: Path, opened: Callable[..., Nats]) -> None:
    """A server, or whoever stands before it, that does not ask for TLS gets no token."""
    with serve(tmp_path) as server:
        (outcome,) = send(opened(f"tls://127.0.0.1:{server.port}", {"SECRET": TOKEN}, token_env="SECRET"))
        assert outcome.kind == "unavailable"
    got: list[bytes] = []

    def listen(listener: socket.socket) -> None:
        try:
            while True:
                connection, _ = listener.accept()
                connection.settimeout(1)
                connection.sendall(b'INFO {"server_id":"x","version":"2.9.10","max_payload":1048576}\r\n')
                try:
                    got.append(connection.recv(4096))
                except OSError:
                    got.append(b"")
                connection.close()
        except OSError:
            pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=listen, args=(listener,), daemon=True)
        thread.start()
        url = f"tls://127.0.0.1:{listener.getsockname()[1]}"
        (outcome,) = send(opened(url, {"SECRET": TOKEN}, token_env="SECRET"))
        assert outcome.kind == "unavailable"
        time.sleep(1.2)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)
    assert got
    assert not [data for data in got if data]


@pytest.mark.parametrize(
    "server",
    [
        "example.com",
        "http://example.com",
        "nats://",
        "nats://planted-token@example.com",
        "nats://ann:planted-password@example.com",
        "nats://example.com:0",
        "nats://example.com:x",
        "nats://example.com/path",
        "nats://example.com?token=planted-token",
        "nats://bücher.example",
    ],
)
def test_wrong_servers(server: str) -> None:
    for servers in (server, ["nats://good.example", server]):
        with pytest.raises(OperationError) as caught:
            check_target("nats", {"servers": servers, "subject": "a"}, networks=[])
        assert "servers" in caught.value.detail
        assert "planted" not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize(
    "subject", ["a b", "a..b", ".a", "a.", "a.*", "a.>", "{}", "{0}", "{payload}", "{event_type.__class__}", "{", "a}b"]
)
def test_wrong_subjects(subject: str) -> None:
    with pytest.raises(OperationError, match="subject"):
        check_target("nats", {"servers": "nats://example.com", "subject": subject}, networks=[])


def test_unusable_secrets(tmp_path: Path) -> None:
    target = {"servers": "nats://example.com", "subject": "a"}
    (tmp_path / "file").write_text("planted-token")
    for key, value, what in [
        ("token_env", None, "is not set"),
        ("login_env", "planted-password", "is not user:password"),
        ("credentials_env", "planted-token", "does not name a readable file"),
        ("credentials_env", str(tmp_path / "file"), "does not hold the credentials of a user"),
        ("credentials_env", "planted\ntoken", "does not hold the credentials of a user"),
    ]:
        with pytest.raises(OperationError) as caught:
            Nats(target | {key: "SECRET"}, networks=[], environ={} if value is None else {"SECRET": value})
        assert (caught.value.sqlstate, caught.value.detail) == ("IU923", f"nats: SECRET {what}")
        assert "planted" not in str(caught.value) + caught.value.hint
    with pytest.raises(OperationError, match="more than one way"):
        check_target("nats", target | {"token_env": "A", "login_env": "B"}, networks=[])
    with pytest.raises(OperationError, match="token_env does not name"):
        check_target("nats", target | {"token_env": "planted-token"}, networks=[])
    with pytest.raises(OperationError, match="login_env holds a secret"):
        check_target("nats", target | {"login_env": "whsec_planted"}, networks=[])


@needs_server
def test_credentials_of_a_user(tmp_path: Path, opened: Callable[..., Nats]) -> None:
    """A nkey signs the server's nonce; the account is made here, as the tool of NATS would."""

    def key(prefix: int) -> nkeys.KeyPair:
        return nkeys.from_seed(nkeys.encode_seed(os.urandom(32), prefix))

    def token(signer: nkeys.KeyPair, subject: str, name: str, kind: str, more: dict[str, Any]) -> str:
        def part(data: bytes) -> str:
            return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

        claims = {
            "jti": name,
            "iat": int(time.time()),
            "iss": signer.public_key.decode(),
            "name": name,
            "sub": subject,
            "nats": {"type": kind, "version": 2, **more},
        }
        head = part(json.dumps({"typ": "JWT", "alg": "ed25519-nkey"}).encode())
        signed = f"{head}.{part(json.dumps(claims).encode())}"
        return f"{signed}.{part(signer.sign(signed.encode()))}"

    operator, account, user = (
        key(prefix) for prefix in (nkeys.PREFIX_BYTE_OPERATOR, nkeys.PREFIX_BYTE_ACCOUNT, nkeys.PREFIX_BYTE_USER)
    )
    limits = {"subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "conn": -1, "leaf": -1}
    account_name, user_name = account.public_key.decode(), user.public_key.decode()
    (tmp_path / "server.conf").write_text(
        f"operator: {token(operator, operator.public_key.decode(), 'o', 'operator', {})}\n"
        "resolver: MEMORY\n"
        f"resolver_preload: {{ {account_name}: "
        f"{token(operator, account_name, 'a', 'account', {'limits': limits})} }}\n"
    )
    plain = {"subs": -1, "data": -1, "payload": -1}
    credentials = (
        f"-----BEGIN NATS USER JWT-----\n{token(account, user_name, 'u', 'user', plain)}\n"
        "------END NATS USER JWT------\n"
        f"\n-----BEGIN USER NKEY SEED-----\n{user.seed.decode()}\n------END USER NKEY SEED------\n"
    )
    (tmp_path / "user.creds").write_text(credentials)
    with serve(tmp_path, "-c", str(tmp_path / "server.conf"), jetstream=False) as server:
        for secret in (credentials, str(tmp_path / "user.creds")):
            (outcome,) = send(opened(server.url, {"SECRET": secret}, credentials_env="SECRET"))
            assert outcome.reason == "no stream takes the subject"
        (outcome,) = send(opened(server.url))
        assert outcome.kind == "unavailable"

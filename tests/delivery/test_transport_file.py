"""The transport ``file``, and what is the same for all transports: their targets, their extras, their envelope."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import subprocess
import sys
import threading
import time
from decimal import Decimal
from pathlib import Path

import pytest
from cloudevents.core.formats.json import JSONFormat
from transport_helpers import TRACE, event, soon

from iucore.delivery.transport import SENT, check_target, names, open_transport
from iucore.delivery.transports._envelope import envelope
from iucore.delivery.transports.file import File
from iucore.errors import OperationError

ROOT = Path(__file__).resolve().parents[2]
BUILT_IN = {
    "file": {"path": "/nowhere/at/all.jsonl"},
    "webhook": {"url": "https://example.com/", "secret_env": "S"},
    "nats": {"servers": ["nats://example.com"], "subject": "iucore.{event_type}"},
    "kafka": {"bootstrap": ["example.com:9092"], "topic": "iucore"},
}
ENVIRONMENT = {"S": "whsec_" + "A" * 32}


def file(path: Path, **other: object) -> File:
    return File({"path": str(path), **other}, networks=[], environ={})


# ---------------------------------------------------------------- the envelope


def test_envelope_is_cloudevents_json_with_the_data_as_postgresql_printed_it() -> None:
    one = event(7, traceparent=TRACE)
    printed = envelope(one, source="/here")
    assert b"\n" not in printed
    assert printed.endswith(b'"data": ' + one.payload.encode() + b"}")
    read = JSONFormat().read(None, printed)
    assert read.get_attributes() == {
        "specversion": "1.0",
        "id": str(one.event_id),
        "source": "/here",
        "type": "unit.created",
        "subject": "a/7",
        "time": one.created_at,
        "datacontenttype": "application/json",
        "sequence": "0000000000000000007",
        "changeid": "5",
        "traceparent": TRACE,
    }
    assert json.loads(printed)["time"] == "2026-05-01T12:30:00.250000Z"
    assert "traceparent" not in json.loads(envelope(event(), source="/here"))


@pytest.mark.parametrize("number", ["1.10", "123456789012345678901234567890.5", "1e400", "0.1000000000000000055"])
def test_numbers_stay_exact(number: str) -> None:
    printed = envelope(event(payload=f'{{"n": {number}}}'), source="/")
    assert json.loads(printed, parse_float=Decimal)["data"]["n"] == Decimal(number)
    assert number in printed.decode()


@pytest.mark.parametrize("payload", ["null", "[]", '"text"', "{}", "3"])
def test_any_json_may_be_the_data(payload: str) -> None:
    assert json.loads(envelope(event(payload=payload), source="/"))["data"] == json.loads(payload)


def test_positions_sort_as_text() -> None:
    positions = [1, 9, 10, 99, 2**31, 2**63 - 1]
    printed = [json.loads(envelope(event(one), source="/"))["sequence"] for one in positions]
    assert printed == sorted(printed)


# ---------------------------------------------------------------- names, targets, extras


def test_the_four_are_registered() -> None:
    assert set(names()) >= set(BUILT_IN)
    with pytest.raises(OperationError) as caught:
        open_transport("pigeon", {}, networks=[], environ={})
    assert caught.value.sqlstate == "IU920"
    assert all(name in caught.value.hint for name in BUILT_IN)


@pytest.mark.parametrize("name", BUILT_IN)
def test_open_and_check_connect_to_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection")

    for way in ("getaddrinfo", "create_connection", "socket"):
        monkeypatch.setattr(f"socket.{way}", refuse)
    check_target(name, BUILT_IN[name], networks=[])
    transport = open_transport(name, BUILT_IN[name], networks=[], environ=ENVIRONMENT)
    assert transport.hand_over >= 1
    transport.close()
    transport.close()
    assert not Path("/nowhere").exists()


@pytest.mark.parametrize("name", BUILT_IN)
def test_unknown_keys_are_refused_with_the_known_ones(name: str) -> None:
    for wrong in ({"bucket": 1}, {"https://hunter2@host": "x"}):
        with pytest.raises(OperationError) as caught:
            check_target(name, BUILT_IN[name] | wrong, networks=[])
        assert caught.value.sqlstate == "IU922"
        assert all(key in caught.value.hint for key in BUILT_IN[name])
        assert "hunter2" not in str(caught.value) + caught.value.hint
    with pytest.raises(OperationError, match="bucket"):
        check_target(name, BUILT_IN[name] | {"bucket": 1}, networks=[])


@pytest.mark.parametrize("name", BUILT_IN)
def test_missing_and_misshapen_keys_are_refused(name: str) -> None:
    for key in BUILT_IN[name]:
        with pytest.raises(OperationError, match=f"{key} is missing"):
            check_target(name, {k: v for k, v in BUILT_IN[name].items() if k != key}, networks=[])
        for wrong in (3, "", [], {}, "two\nlines", [None], True):
            with pytest.raises(OperationError) as caught:
                check_target(name, BUILT_IN[name] | {key: wrong}, networks=[])
            assert caught.value.sqlstate == "IU922"
    with pytest.raises(OperationError, match="source"):
        check_target(name, BUILT_IN[name] | {"source": ""}, networks=[])
    if name != "file":
        for wrong in (0, -1, True, "10", 601, float("nan")):
            with pytest.raises(OperationError, match="timeout"):
                check_target(name, BUILT_IN[name] | {"timeout": wrong}, networks=[])


HIDE = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"cloudevents", "nats", "confluent_kafka"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hidden())
"""


@pytest.mark.parametrize("name", BUILT_IN)
def test_without_the_extra_nothing_can_be_imported_and_the_error_names_it(name: str) -> None:
    code = f"""{HIDE}
import iucore.delivery.transport as transport
from iucore.errors import OperationError
assert {name!r} in transport.names()
try:
    import iucore.delivery.transports.{name}
except ModuleNotFoundError:
    pass
else:
    raise SystemExit("imported")
for work in (
    lambda: transport.open_transport({name!r}, {BUILT_IN[name]!r}, networks=[], environ={ENVIRONMENT!r}),
    lambda: transport.check_target({name!r}, {BUILT_IN[name]!r}, networks=[]),
):
    try:
        work()
    except OperationError as error:
        print(error.sqlstate, error.hint)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"IU921 Install the extra: pip install 'iucore[{name}]'"] * 2


def test_the_default_installation_has_nothing_that_a_transport_needs() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    default = " ".join(project["dependencies"])
    for name in BUILT_IN:
        needs = project["optional-dependencies"][name]
        assert any(one.startswith("cloudevents") for one in needs)
        assert not [one for one in needs if one.partition(">")[0].partition("[")[0] in default]


# ---------------------------------------------------------------- the file


def test_lines_are_appended_and_fsynced_once_a_hand_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, synced = tmp_path / "events.jsonl", []
    fsync = os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda fd: (synced.append(str(Path(f"/proc/self/fd/{fd}").readlink())), fsync(fd))[1]
    )
    transport = file(path, source="/s")
    assert not path.exists()
    batch = [event(n) for n in range(1, 1001)]
    assert transport.send(batch, deadline=soon()) == [SENT] * 1000
    assert synced == [str(path), str(tmp_path)]
    assert transport.send([event(1001)], deadline=soon()) == [SENT]
    assert synced == [str(path), str(tmp_path), str(path)]
    lines = path.read_bytes().splitlines(keepends=True)
    assert [json.loads(line)["sequence"] for line in lines] == [f"{n:019}" for n in range(1, 1002)]
    assert all(line.endswith(b"}\n") for line in lines)
    assert path.stat().st_mode & 0o777 == 0o600
    # Moved away, as by a rotation: a new one, whose name is on the disk too.
    path.rename(tmp_path / "old")
    transport.send([event(1002)], deadline=soon())
    assert synced[-2:] == [str(path), str(tmp_path)]


def test_a_torn_line_is_ended_first(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"whole": 1}\n{"to')
    assert file(path).send([event()], deadline=soon()) == [SENT]
    assert path.read_bytes().startswith(b'{"whole": 1}\n{"to\n{"specversion"')
    assert path.read_bytes().count(b"\n") == 3


def test_links_and_what_is_no_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "broken").symlink_to(tmp_path / "new")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "broken", "folder", "pipe"):
        with pytest.raises(OperationError, match="not a regular file"):
            file(tmp_path / name)
        # Put there later.
        transport = file(tmp_path / "later")
        (tmp_path / name).rename(tmp_path / "later")
        (outcome,) = transport.send([event()], deadline=soon())
        assert (outcome.kind, outcome.reason) == ("unavailable", "the path is not a regular file")
        (tmp_path / "later").rename(tmp_path / name)
    assert not (tmp_path / "new").exists()
    assert (tmp_path / "file").read_bytes() == b""
    for wrong in ("relative.jsonl", "/a/../b", "/"):
        with pytest.raises(OperationError, match="absolute and plain"):
            file(Path(wrong)) if wrong != "/a/../b" else File({"path": wrong}, networks=[], environ={})


def test_no_folder_is_the_target_s_fault(tmp_path: Path) -> None:
    outcomes = file(tmp_path / "none" / "events.jsonl").send([event(1), event(2)], deadline=soon())
    assert [(one.kind, one.reason) for one in outcomes] == [("unavailable", "the file cannot be written: ENOENT")]


@pytest.mark.parametrize("when", ["write", "fsync"])
def test_a_full_disk_leaves_nothing_half_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    path = tmp_path / "events.jsonl"
    transport = file(path)
    transport.send([event(1)], deadline=soon())
    before, write = path.read_bytes(), os.write
    room = [50]

    def full(fd: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, "planted-secret")
        done = write(fd, bytes(data)[: room[0]])
        room[0] -= done
        return done

    def broken(_fd: int) -> None:
        raise OSError(errno.ENOSPC, "planted-secret")

    with monkeypatch.context() as patched:
        patched.setattr(os, when, {"write": full, "fsync": broken}[when])
        outcomes = transport.send([event(2), event(3)], deadline=soon())
    assert [(one.kind, one.reason) for one in outcomes] == [("unavailable", "the file cannot be written: ENOSPC")]
    assert path.read_bytes() == before
    assert transport.send([event(2), event(3)], deadline=soon()) == [SENT, SENT]
    assert len(path.read_bytes().splitlines()) == 3


def test_a_really_full_disk() -> None:
    """/dev/full is no regular file, and so is refused before it is full."""
    with pytest.raises(OperationError, match="not a regular file"):
        file(Path("/dev/full"))


def test_workers_do_not_mix_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"

    def work(first: int) -> None:
        transport = file(path)
        for n in range(first, first + 50):
            assert set(transport.send([event(n, payload=json.dumps("x" * 5000))] * 3, deadline=soon())) == {SENT}

    threads = [threading.Thread(target=work, args=(first,)) for first in (0, 1000, 2000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([json.loads(line) for line in path.read_bytes().splitlines()]) == 450


def test_a_held_file_is_waited_for_until_the_deadline(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.touch()
    with path.open() as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        start = time.monotonic()
        (outcome,) = file(path).send([event()], deadline=soon(0.2))
        assert (outcome.kind, outcome.reason) == ("unavailable", "another process holds the file")
        assert time.monotonic() - start < 2


def test_it_stops_at_an_event_that_cannot_be_printed(tmp_path: Path) -> None:
    batch = [event(1), event(2)._replace(subject=""), event(3)]
    transport = file(tmp_path / "events.jsonl")
    outcomes = transport.send(batch, deadline=soon())
    assert transport.in_order
    assert [one.kind for one in outcomes] == ["sent", "failed"], "the third was not tried: it is handed over again"
    assert outcomes[1].reason == "no envelope: CloudEventValidationError"
    assert len((tmp_path / "events.jsonl").read_bytes().splitlines()) == 1


def test_killed_while_it_writes_nothing_sent_is_lost(tmp_path: Path) -> None:
    """A process is killed at any moment: every position that it reported is in the file, in whole lines."""
    path = tmp_path / "events.jsonl"
    code = f"""
import sys
sys.path.insert(0, {str(ROOT / "tests" / "delivery")!r})
from transport_helpers import event, soon
from iucore.delivery.transports.file import File
transport = File({{"path": {str(path)!r}}}, networks=[], environ={{}})
for n in range(int(sys.argv[1]), 10**9, 10):
    transport.send([event(k, payload='"' + "x" * 20000 + '"') for k in range(n, n + 10)], deadline=soon())
    print(n, flush=True)
"""
    reported: set[int] = set()
    for first in (0, 10**6, 2 * 10**6):
        worker = subprocess.Popen([sys.executable, "-c", code, str(first)], stdout=subprocess.PIPE, cwd=ROOT)
        assert worker.stdout is not None
        firsts = [int(worker.stdout.readline()) for _ in range(20)]
        worker.kill()
        rest, _ = worker.communicate()
        firsts += [int(line) for line in rest.splitlines(keepends=True) if line.endswith(b"\n")]
        reported |= {n + k for n in firsts for k in range(10)}
    found, torn = set(), 0
    for line in path.read_bytes().split(b"\n"):
        try:
            found.add(int(json.loads(line)["sequence"]))
        except ValueError:
            torn += 1
    assert reported <= found
    assert torn <= 4  # one a kill, and the end of the file

"""docs/how-to/write-a-transport.md: its transport, installed as a package of somebody else, works."""

from __future__ import annotations

import importlib
import re
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_transport_file import BUILT_IN
from transport_helpers import event, soon

from iucore.delivery import transport
from iucore.delivery.transports import file, kafka, nats, webhook
from iucore.errors import OperationError

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "how-to" / "write-a-transport.md").read_text("utf-8")


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What pip makes of a package with this module and this entry point."""
    (tmp_path / "pipe_transport.py").write_text(block("python"))
    information = tmp_path / "pipe_transport-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: pipe-transport\nVersion: 1.0\n")
    entry = block("toml").replace('[project.entry-points."iucore.transports"]', "[iucore.transports]").replace('"', "")
    (information / "entry_points.txt").write_text(entry)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield
    sys.modules.pop("pipe_transport", None)


def test_it_is_short() -> None:
    lines = [line for line in block("python").splitlines() if line.strip() and not line.startswith(("import", "from"))]
    assert len(lines) <= 25


def test_it_sends(installed: None, tmp_path: Path) -> None:
    path, got = str(tmp_path / "pipe.sock"), []

    def answer(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rw", encoding="utf-8") as lines:
            for line in lines:
                got.append(line)
                lines.write("no\n" if len(got) == 2 else "ok\n")
                lines.flush()

    assert "pipe" in transport.names()
    transport.check_target("pipe", {"path": path}, networks=[])
    opened = transport.open_transport("pipe", {"path": path}, networks=[], environ={})
    assert opened.hand_over == 50
    batch = [event(n) for n in (1, 2, 3)]
    assert [one.kind for one in opened.send(batch, deadline=soon())] == ["unavailable"] * 3
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        thread = threading.Thread(target=answer, args=(listener,))
        thread.start()
        outcomes = opened.send(batch, deadline=soon())
        thread.join(10)
    assert [one.kind for one in outcomes] == ["sent", "failed", "sent"]
    assert outcomes[1].reason == "the program does not say ok"
    assert [line.split()[:2] for line in got] == [[str(one.event_id), one.subject] for one in batch]
    opened.close()
    with pytest.raises(OperationError, match="path is the one key"):
        transport.open_transport("pipe", {}, networks=[], environ={})


def test_a_foreign_transport_that_misses_something_names_its_package(installed: None, tmp_path: Path) -> None:
    (tmp_path / "pipe_transport.py").write_text("import surely_not_there\n")
    with pytest.raises(OperationError) as caught:
        transport.open_transport("pipe", {}, networks=[], environ={})
    assert caught.value.sqlstate == "IU921"
    assert "surely_not_there" in caught.value.detail
    assert "pipe-transport" in caught.value.hint


def test_the_page_lists_the_keys_of_the_four() -> None:
    for name, module in {"file": file, "webhook": webhook, "nats": nats, "kafka": kafka}.items():
        (row,) = re.findall(rf"^\| `{name}` \| (.*) \| (.*) \|$", PAGE, re.MULTILINE)
        must, may = (re.findall(r"`(\w+)`", cell) for cell in row)
        assert set(must) == set(BUILT_IN[name])
        assert set(must + may) == set(module._KNOWN)


def test_examples_of_the_modules() -> None:
    import doctest

    from iucore.delivery.transports import _addresses

    for module in (transport, _addresses):
        flags = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
        failed, attempted = doctest.testmod(module, optionflags=flags)
        assert attempted
        assert not failed

"""A tree is replaced by a process that is killed at every step: it is the old tree or the new one, never a mixture."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

from iucore.textcode.tree import Tree

# Loads the product once. For each line it forks a process that replaces the tree, and kills itself before the n-th
# call that changes something; with "recover" it only opens it. Answers with the end of that process and the call.
PARENT = """
import itertools, json, os, signal, sys
from pathlib import Path, PurePosixPath
from concurrent.futures import ThreadPoolExecutor  # so that no child has to load it
from iucore.textcode.tree import Tree

def act(directory, new, gone):
    with Tree(Path(directory)) as tree:
        if new is None:
            return
        for name in tree.scan():
            tree.read(name)
        for name in ("iucore-manifest.json", "swap"):
            tree.read(PurePosixPath(name))
        with tree.stage() as stage:
            for name, content in new.items():
                stage.put(PurePosixPath(name), content.encode())
            for name in gone:
                stage.remove(PurePosixPath(name))
            stage.commit()

def patch(step):
    count = itertools.count()
    def killing(name, call):
        def kill(*args, **kwargs):
            if name == "open" and not args[1] & os.O_CREAT:
                return call(*args, **kwargs)
            if next(count) == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **kwargs) if name != "fsync" else None
        return kill
    for name in ("rename", "replace", "unlink", "rmdir", "mkdir", "open", "fsync", "fchmod"):
        setattr(os, name, killing(name, getattr(os, name)))
    return count

for line in sys.stdin:
    directory, new, gone, step = json.loads(line)
    child = os.fork()
    if not child:
        count = patch(step)
        act(directory, new, gone)
        done = next(count)
        Path(directory).with_suffix(".count").write_text(str(done))
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""

OLD = {f"d{number % 5}/e/{number}.md": f"old {number}" for number in range(60)} | {
    "iucore-manifest.json": "old",
    "swap": "a file that becomes a folder",
    "other/x.md": "in a folder that becomes a file",
    "same/same.md": "same",
}
NEW = {
    name: text.replace("old", "new") for name, text in OLD.items() if not name.startswith(("d1/", "swap", "other"))
} | {
    "other": "a file now",
    "swap/deep/er.md": "a folder now",
    "n/e/w.md": "new",
    "iucore-manifest.json": "new",
}
GONE = sorted(OLD.keys() - NEW.keys())
Everything = dict[str, tuple[str, int]]


@pytest.fixture(scope="module")
def parent() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()
    assert process.returncode == 0


class Place:
    """The old tree, again and again, and a process that does not survive it."""

    def __init__(self, home: Path, parent: subprocess.Popen[str]) -> None:
        self.original, self.directory, self.parent = home / "original", home / "tree", parent
        for name, text in OLD.items():
            path = self.original / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            path.chmod(0o604)

    def reset(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)
        shutil.copytree(self.original, self.directory, copy_function=os.link)  # quick; no file is written in place

    def run(self, step: int, *, recover: bool = False) -> int:
        assert self.parent.stdin is not None and self.parent.stdout is not None
        request = [str(self.directory), None if recover else NEW, GONE, step]
        self.parent.stdin.write(json.dumps(request) + "\n")
        self.parent.stdin.flush()
        return int(self.parent.stdout.readline())

    def steps(self, *, recover: bool = False) -> int:
        """How many calls there are in all, when nobody is killed."""
        assert self.run(-1, recover=recover) == 0
        return int(self.directory.with_suffix(".count").read_text())

    def content(self) -> Everything:
        """Every file with its mode, every folder; stage folders are not part of the tree."""
        found = {}
        for folder, folders, files in os.walk(self.directory):
            folders[:] = [name for name in folders if not name.startswith(".iucore-stage-")]
            for name in [*folders, *files]:
                path = Path(folder) / name
                text = "" if path.is_dir() else path.read_text()
                found[str(path.relative_to(self.directory))] = (text, stat.S_IMODE(path.stat().st_mode))
        return found

    def stages(self) -> list[Path]:
        return list(self.directory.glob(".iucore-stage-*"))

    def journal(self) -> bool:
        return any((folder / "journal").exists() for folder in self.stages())

    def write(self) -> None:
        """Any later command that writes."""
        with Tree(self.directory) as tree, tree.stage() as stage:
            stage.put(PurePosixPath("later.md"), b"")
            stage.commit()
        (self.directory / "later.md").unlink()


@pytest.fixture(scope="module")
def place(parent: subprocess.Popen[str]) -> Iterator[Place]:
    """In memory, where there is such a place: whoever is killed has lost nothing that he wrote."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as home:
        yield Place(Path(home), parent)


@pytest.fixture(scope="module")
def trees(place: Place) -> tuple[Everything, Everything, int]:
    """The old tree, the new one, and the number of steps between them."""
    place.reset()
    old = place.content()
    steps = place.steps()
    new = place.content()
    assert {name: text for name, (text, _) in new.items() if (place.directory / name).is_file()} == NEW
    assert not place.stages() and steps > 200
    return old, new, steps


@pytest.fixture(autouse=True)
def without_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def sample(steps: int, size: int) -> list[int]:
    """All, or the first, the last and some between."""
    if steps <= size:
        return list(range(steps))
    chosen = random.Random(steps).sample(range(10, steps - 10), size - 20)
    return sorted([*range(10), *chosen, *range(steps - 10, steps)])


def test_killed_at_any_step_it_is_the_old_tree_or_the_new(place, trees):
    old, new, steps = trees
    outcomes = []
    for step in sample(steps, 60):
        place.reset()
        assert place.run(step) == -signal.SIGKILL
        journal = place.journal()
        assert journal or place.content() in (old, new), step
        with Tree(place.directory) as tree:
            assert tree.recovered is journal, step
        content = place.content()
        assert content in (old, new), step
        outcomes.append(content == new)
        place.write()
        assert not place.stages() and place.content() == content, step
    # One point of no return.
    assert outcomes == sorted(outcomes) and set(outcomes) == {False, True}


def test_killed_again_while_it_recovers_it_is_the_new_tree(place, trees):
    _, new, steps = trees
    choose = random.Random(1)
    again = 0
    for step in choose.sample(range(steps // 2, steps), 20):
        place.reset()
        place.run(step)
        if not place.journal():
            continue
        while place.journal():
            again += place.run(choose.randrange(60), recover=True) == -signal.SIGKILL
        assert place.content() == new
        place.write()
        assert not place.stages()
    assert again > 8


def test_two_at_once_and_one_is_killed(place, trees):
    """The lock goes with the process that held it."""
    _, new, _ = trees
    place.reset()
    assert place.run(3) == -signal.SIGKILL
    assert place.stages()
    assert place.run(-1) == 0
    assert place.content() == new and not place.stages()

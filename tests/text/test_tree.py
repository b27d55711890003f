"""Files in a folder: whole, only inside it, through no link; many at once or none."""

from __future__ import annotations

import errno
import itertools
import json
import os
import shutil
import socket
import stat
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iucore import errors
from iucore.textcode import tree
from iucore.textcode.tree import Tree, Written, check_names, write_file, write_tree

AS_ROOT = os.geteuid() == 0


def write(directory: Path, **files: bytes) -> Written:
    return write_tree(directory, [(PurePosixPath(name), content) for name, content in files.items()])


def refused(directory: Path, path: PurePosixPath, content: bytes = b"x") -> errors.InvalidError:
    with pytest.raises(errors.InvalidError) as caught:
        write_tree(directory, [(path, content)])
    assert caught.value.sqlstate == "IU031"
    return caught.value


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_files_are_written_at_their_paths(tmp_path):
    target = tmp_path / "new" / "folder"
    files = [
        (PurePosixPath("a.md"), b"a\r\n\xff"),
        (PurePosixPath("x/y/b c.md"), [b"one ", b"", b"two"]),
        (PurePosixPath("x/y/empty"), b""),
        (PurePosixPath("x", os.fsdecode(b"\xff\n")), iter([b"z"])),
    ]
    assert write_tree(target, files) == Written(4, 0, 12)
    assert everything(target) == {"a.md": b"a\r\n\xff", "x/y/b c.md": b"one two", "x/y/empty": b"", "x/\udcff\n": b"z"}
    assert write_tree(tmp_path / "none", []) == Written(0, 0, 0)


@pytest.mark.parametrize("size", [0, 10, tree._MEMORY, tree._MEMORY + 1, 3 * tree._MEMORY + 7])
def test_what_is_equal_is_not_touched(tmp_path, size):
    content = os.urandom(size)

    def chunks(data: bytes):
        return (data[start : start + 100_000] for start in range(0, len(data), 100_000))

    assert write_tree(tmp_path, [(PurePosixPath("f"), chunks(content))]) == Written(1, 0, size)
    file = tmp_path / "f"
    os.utime(file, ns=(1, 1))
    before = file.stat()
    assert write_tree(tmp_path, [(PurePosixPath("f"), chunks(content))]) == Written(0, 1, size)
    assert write_tree(tmp_path, [(PurePosixPath("f"), content)]) == Written(0, 1, size)
    after = file.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, 1)
    changed = content[:-1] + bytes([content[-1] ^ 1]) if content else b"x"
    for other in (changed, content + b"x", content[: size // 2]):
        if other != file.read_bytes():
            assert write_tree(tmp_path, [(PurePosixPath("f"), chunks(other))]).written == 1
        assert file.read_bytes() == other
    assert names(tmp_path) == ["f"]


def test_a_mode_is_kept_and_the_umask_obeyed(tmp_path):
    mask = os.umask(0o027)
    try:
        write(tmp_path, new=b"a", old=b"a")
        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640
        (tmp_path / "old").chmod(0o755)
        write(tmp_path, old=b"b")
        assert stat.S_IMODE((tmp_path / "old").stat().st_mode) == 0o755
    finally:
        os.umask(mask)


def test_a_second_name_of_the_file_keeps_the_old_bytes(tmp_path):
    write(tmp_path, a=b"old")
    os.link(tmp_path / "a", tmp_path / "b")
    write(tmp_path, a=b"new")
    assert everything(tmp_path) == {"a": b"new", "b": b"old"}


@pytest.mark.parametrize(
    "path",
    [
        PurePosixPath(),
        PurePosixPath("."),
        PurePosixPath(".."),
        PurePosixPath("../x"),
        PurePosixPath("a/../../x"),
        PurePosixPath("a/.."),
        PurePosixPath("/etc/x"),
        PurePosixPath("//x"),
        PurePosixPath("a\0b"),
        PurePosixPath("é" * 128),
        PurePosixPath("y" * 256, "x"),
        PurePosixPath("\ud800"),
    ],
    ids=ascii,
)
def test_names_are_refused(tmp_path, path):
    target = tmp_path / "target"
    refused(target, path)
    assert everything(tmp_path) == {}
    assert not (tmp_path / "x").exists()


def test_the_name_is_told(tmp_path):
    assert "'..'" in refused(tmp_path, PurePosixPath("a/../b")).detail


def test_a_name_of_255_bytes_is_written(tmp_path):
    write_tree(tmp_path, [(PurePosixPath("é" * 127 + "x"), b"1")])
    assert everything(tmp_path) == {"é" * 127 + "x": b"1"}


def test_one_path_twice_is_refused(tmp_path):
    with pytest.raises(errors.InvalidError):
        write_tree(tmp_path, [(PurePosixPath("a"), b"1"), (PurePosixPath("a"), b"2")])
    assert everything(tmp_path) == {"a": b"1"}


@pytest.mark.parametrize("depth", [0, 1, 2, 3])
@pytest.mark.parametrize("dangling", [False, True])
def test_a_link_at_any_component_is_refused(tmp_path, depth, dangling):
    outside = tmp_path / "outside"
    target = tmp_path / "target"
    parts = ["a", "b", "c", "file"]
    folder = target.joinpath(*parts[:depth])
    folder.mkdir(parents=True)
    if not dangling:
        outside.mkdir()
        outside.joinpath(*parts[depth + 1 : -1]).mkdir(parents=True, exist_ok=True)
    (folder / parts[depth]).symlink_to(outside)
    refused(target, PurePosixPath(*parts))
    assert everything(tmp_path) == {}
    assert outside.exists() is not dangling


def test_a_link_to_a_file_is_neither_followed_nor_replaced(tmp_path):
    outside = tmp_path / "outside"
    outside.write_bytes(b"precious")
    target = tmp_path / "target"
    target.mkdir()
    (target / "file").symlink_to(outside)
    for content in (b"x", b"precious"):
        refused(target, PurePosixPath("file"), content)
    assert outside.read_bytes() == b"precious"
    assert (target / "file").is_symlink()


def test_what_is_no_file_stands_in_the_way(tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "plain").write_bytes(b"1")
    for name, what in {"folder": "a folder", "pipe": "a named pipe", "pipe/x": "", "plain/x": ""}.items():
        assert what in refused(tmp_path, PurePosixPath(name)).detail
    assert str(tmp_path / "folder") in refused(tmp_path, PurePosixPath("folder")).detail
    assert (tmp_path / "plain").read_bytes() == b"1"


@pytest.mark.parametrize("where", ["folder", "file"])
def test_a_link_put_in_place_after_the_look_leads_nowhere(tmp_path, where):
    """The content is produced after the folder was opened and the target looked at: the swap happens exactly there."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(b"precious")
    target = tmp_path / "target"
    write_tree(target, [(PurePosixPath("a/file"), b"old")])

    def swapping():
        if where == "folder":
            (target / "a").rename(target / "moved")
            (target / "a").symlink_to(outside)
        else:
            (target / "a/file").unlink()
            (target / "a/file").symlink_to(outside / "file")
        yield b"new"

    write_tree(target, [(PurePosixPath("a/file"), swapping())])
    assert everything(outside) == {"file": b"precious"}
    if where == "folder":
        assert (target / "moved/file").read_bytes() == b"new"
    else:
        assert not (target / "a/file").is_symlink()
        assert (target / "a/file").read_bytes() == b"new"


def test_a_folder_swapped_for_a_link_between_two_files_is_refused(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    target = tmp_path / "target"

    def files():
        yield PurePosixPath("a/one"), b"1"
        (target / "a").rename(target / "moved")
        (target / "a").symlink_to(outside)
        yield PurePosixPath("a/two"), b"2"

    with pytest.raises(errors.InvalidError):
        write_tree(target, files())
    assert everything(outside) == {}


@pytest.mark.parametrize("produced", [0, 10, tree._MEMORY + 1])
def test_a_render_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, produced):
    write(tmp_path, file=b"old")

    def failing():
        yield b"x" * produced
        raise RuntimeError("the connection is gone")

    with pytest.raises(RuntimeError):
        write_tree(tmp_path, [(PurePosixPath("file"), failing())])
    assert everything(tmp_path) == {"file": b"old"}
    assert names(tmp_path) == ["file"]


def test_one_file_makes_no_folder_and_errors_name_it(tmp_path, monkeypatch):
    assert write_file(tmp_path / "file", b"1") == Written(1, 0, 1)
    with pytest.raises(FileNotFoundError):
        write_file(tmp_path / "nope" / "file", b"1")
    assert everything(tmp_path) == {"file": b"1"} and names(tmp_path) == ["file"]

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device", ".iucore-00.tmp")

    monkeypatch.setattr(tree.os, "rename", full)
    with pytest.raises(OSError, match=r"No space.*/file'$") as caught:
        write_file(tmp_path / "file", b"2")
    assert caught.value.filename == str(tmp_path / "file")
    assert everything(tmp_path) == {"file": b"1"}


def test_no_descriptor_is_left_open(tmp_path):
    before = len(names(Path("/proc/self/fd")))
    write(tmp_path, a=b"1")
    write_tree(tmp_path, [(PurePosixPath("x/y/z"), b"1")])
    refused(tmp_path, PurePosixPath("x/y/z/no"))
    refused(tmp_path, PurePosixPath("x/y"))
    assert len(names(Path("/proc/self/fd"))) == before


def test_memory_stays_bounded(tmp_path):
    tracemalloc.start()
    try:
        write_tree(tmp_path, [(PurePosixPath("large"), (b"x" * 65536 for _ in range(640)))])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (tmp_path / "large").stat().st_size == 640 * 65536
    assert peak < 4 * 1024 * 1024


def test_a_link_made_just_before_our_folder_is_refused(tmp_path, monkeypatch):
    outside = tmp_path / "outside"
    outside.mkdir()
    target = tmp_path / "target"

    def faster(name, dir_fd):
        os.symlink(outside, name, dir_fd=dir_fd)
        raise FileExistsError(name)

    target.mkdir()
    monkeypatch.setattr(tree.os, "mkdir", faster)
    with pytest.raises(errors.InvalidError):
        tree.write_tree(target, [(PurePosixPath("a/file"), b"1")])
    assert everything(outside) == {}


# ---------------------------------------------------------------------------------------------------------- names


def names_refused(*paths: str | PurePosixPath) -> str:
    with pytest.raises(errors.InvalidError) as caught:
        check_names(map(PurePosixPath, paths))
    assert caught.value.sqlstate == "IU031"
    return caught.value.detail


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            ".",
            "..",
            "../a",
            "a/../b",
            "/a",
            "//a",
            "a\0b",
            "\ud800",
            "y" * 256,
            "a/" + "é" * 128,
            "x/" * 2100 + "x",
        ),
        *("a\\b", "a\nb", "a\x7fb", "a\x85b", "\x1b[2J", "c:a", "a<b", "a>b", 'a"b', "a|b", "a?b", "a*b", "a\udcffb"),
        *(
            ".git/config",
            "a/.git",
            ".GIT/x",
            ".Git",
            "git~1/x",
            "GIT~1",
            ".g\u200cit",
            "\ufeff.git",
            ".git\u206f/hooks/x",
        ),
        *(".git.", ".git ", ".git. .", ".git ./x", ".hg/x", ".HG", "a/.svn/x", ".sVn ", ".g\u202ei\u200dt."),
        *(
            "con",
            "CON",
            "nul.md",
            "a/aux.tar.gz",
            "Prn .md",
            "com1",
            "COM9.txt",
            "lpt0",
            "com¹.md",
            "conin$",
            "CONOUT$",
        ),
        *("a.", "a ", "a./b", "a /b", "iucore-manifest.json", "IUCORE-manifest.json", "a/iucore-manifest.json/b"),
        *(".iucore-stage-00/0", ".iucore-x", "a/.IUCORE-x", "a.md.conflict", "a.CONFLICT/b"),
    ],
    ids=ascii,
)
def test_a_name_that_may_not_be_is_refused(name):
    assert repr(str(PurePosixPath(name))) in names_refused("fine.md", name)


@pytest.mark.parametrize(
    "one, other",
    [
        ("a/README.md", "a/readme.md"),
        ("caf\u00e9.md", "cafe\u0301.md"),
        ("stra\u00dfe.md", "STRASSE.md"),
        ("\u212b.md", "\u00e5.md"),
        ("a\u0345\u0301.md", "\u00e1\u0399.md"),
        ("Docs/a.md", "docs/b.md"),
        ("a.md", "A.md/b"),
        ("a.md/b", "a.md"),
        ("x/a", "x/a/b/c"),
        ("a.md", "a.md"),
    ],
    ids=ascii,
)
def test_two_paths_that_cannot_stand_side_by_side_are_refused(one, other):
    detail = names_refused("fine.md", one, "b.md", other)
    if PurePosixPath(one).parent == PurePosixPath(other).parent:
        assert repr(one) in detail and repr(other) in detail


def test_ordinary_names_pass():
    names = ".github/x.md .gitignore .gitx git git~ a.git console.md com.md com10 lpt ~ a~1 ...a -x #x [x](y) é/日本.md"
    check_names(map(PurePosixPath, [*names.split(), "a b/c d.md", "é" * 127, "x" * 255, "conflict", "iucore-manifest"]))
    check_names([])


# ----------------------------------------------------------------------------------------------------------- tree

A = PurePosixPath("a/file.md")


def read_refused(directory: Path, path: PurePosixPath = A, **options: int) -> str:
    with Tree(directory) as opened, pytest.raises(errors.InvalidError) as caught:
        opened.read(path, **options)
    assert caught.value.sqlstate == "IU031"
    return caught.value.detail


def fill(directory: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(content)
    return directory


@pytest.fixture
def target(tmp_path: Path) -> Path:
    fill(tmp_path / "outside", {"file.md": b"precious"})
    return fill(tmp_path / "target", {"a/file.md": b"old"})


@pytest.fixture(autouse=True)
def nothing_is_left_open() -> Iterator[None]:
    before = len(names(Path("/proc/self/fd")))
    yield
    assert len(names(Path("/proc/self/fd"))) == before


def special(path: Path, kind: str) -> None:
    if kind == "link":
        path.symlink_to(path.parent.parent.parent / "outside/file.md")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        here = Path.cwd()
        os.chdir(path.parent)  # the name of a socket may not be long
        try:
            with socket.socket(socket.AF_UNIX) as server:
                server.bind(path.name)
        finally:
            os.chdir(here)
    elif kind == "device":
        try:
            os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))
            path.open("rb").close()
        except PermissionError:
            pytest.skip("no device node can be made and opened here")
    elif kind == "folder":
        path.mkdir()


KINDS = {"link": "symbolic link", "pipe": "named pipe", "socket": "socket", "device": "device", "folder": "a folder"}


def test_a_file_is_read(target):
    with Tree(target) as opened:
        assert opened.read(A) == b"old"
        assert opened.directory == target and not opened.recovered
        for absent in ("b", "b/c", "a/b", "a/file.md/x"):
            with pytest.raises(FileNotFoundError, match=f"target/{absent}") as caught:
                opened.read(PurePosixPath(absent))
            assert caught.value.filename == str(target / absent)
    opened.close()


def test_the_folder_itself_may_be_a_link(target, tmp_path):
    (tmp_path / "link").symlink_to(target)
    with Tree(tmp_path / "link") as opened:
        assert opened.read(A) == b"old"
        with opened.stage() as stage:
            stage.put(A, b"new")
            stage.commit()
    assert everything(target) == {"a/file.md": b"new"}


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        Tree(tmp_path / "x/y")
    Tree(tmp_path / "x/y", create=True).close()
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        Tree(tmp_path / "file")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_regular_file_is_not_read(target, kind):
    (target / A).unlink()
    special(target / A, kind)
    assert "a/file.md" in (detail := read_refused(target)) and KINDS[kind] in detail


@pytest.mark.parametrize("kind", KINDS)
def test_what_takes_the_place_of_a_file_after_the_look_is_not_read(target, kind, monkeypatch):
    def swapping(name, *args, **kwargs):
        if name == A.name:
            monkeypatch.undo()
            (target / A).unlink()
            special(target / A, kind)
        return opening(name, *args, **kwargs)

    opening = os.open
    monkeypatch.setattr(os, "open", swapping)
    read_refused(target)


@pytest.mark.parametrize("kind", ["link", "pipe", "socket", "device"])
def test_what_is_no_folder_is_not_entered(target, kind):
    shutil.rmtree(target / "a")
    (target / "b").mkdir()
    special(target / "b/a", kind)
    (target / "b/a").rename(target / "a")
    assert KINDS[kind] in read_refused(target)
    (target / "b/c").symlink_to(target.parent / "outside")
    assert "symbolic link" in read_refused(target, PurePosixPath("b/c/file.md"))


def test_a_folder_that_becomes_a_link_again_and_again_leads_nowhere(target):
    """A thread swaps the folder for a link to the outside and back, as fast as it can."""
    stop = threading.Event()

    def swap():
        while not stop.is_set():
            (target / "a").rename(target / "away")
            (target / "a").symlink_to(target.parent / "outside")
            (target / "a").unlink()
            (target / "away").rename(target / "a")

    thread = threading.Thread(target=swap)
    thread.start()
    both, outcomes = {b"old", errors.InvalidError}, set()
    try:
        with Tree(target) as opened:
            begin = time.monotonic()
            # On a busy machine one of the two may have no turn for long.
            while (passed := time.monotonic() - begin) < 0.4 or (passed < 30 and not outcomes >= both):
                try:
                    outcomes.add(opened.read(A))
                except (errors.InvalidError, FileNotFoundError) as error:
                    outcomes.add(type(error))
    finally:
        stop.set()
        thread.join()
    assert both <= outcomes <= {*both, FileNotFoundError}


@pytest.mark.parametrize("path", ["", ".", "..", "../outside/file.md", "a/../../outside/file.md", "/etc/passwd", "\0"])
def test_a_path_that_leads_out_is_not_read(target, path):
    read_refused(target, PurePosixPath(path))


@pytest.mark.parametrize("path", [".git/config", "a/.GIT/config", "git~1/config", ".g\u200cit/config"])
def test_version_control_is_not_read(target, path):
    fill(target, {path: b"secret"})
    assert "version control" in read_refused(target, PurePosixPath(path))


def test_a_gigabyte_of_nothing_is_refused_at_once(target):
    with (target / A).open("wb") as file:
        file.truncate(1024**3)
    tracemalloc.start()
    begin = time.perf_counter()
    try:
        assert "larger than 268435456 bytes" in read_refused(target)
        assert tracemalloc.get_traced_memory()[1] < 1024 * 1024
    finally:
        tracemalloc.stop()
    assert time.perf_counter() - begin < 0.5


def test_the_limit_is_the_last_size_that_is_read(target):
    with Tree(target) as opened:
        assert opened.read(A, limit=3) == b"old"
    assert "larger than 2 bytes" in read_refused(target, limit=2)


@pytest.mark.parametrize("content", [b"", b"OLD", b"longer"])
def test_a_file_that_changes_while_it_is_read_is_refused(target, content, monkeypatch):
    def changing(descriptor):
        status = stating(descriptor)
        if stat.S_ISREG(status.st_mode):
            monkeypatch.undo()
            (target / A).write_bytes(content)
            os.utime(target / A, ns=(1, 1))
        return status

    stating = os.fstat
    with Tree(target) as opened:
        monkeypatch.setattr(os, "fstat", changing)
        with pytest.raises(errors.ConflictError, match=r"IU217.*a/file\.md"):
            opened.read(A)


def test_a_scan_finds_documents_and_tells_what_only_looks_like_one(target):
    fill(
        target,
        dict.fromkeys(["b.MD", "B.txt", "c.markdown", "d.rst", "x/é.md", "x/z z.txt", "no.md.conflict"], b""),
    )
    fill(target, {f"{folder}/n.md": b"" for folder in [".git", ".hg", ".x", "a/.svn", "y.conflict"]})
    fill(target, {".hidden.md": b"", "iucore-manifest.json": b""})
    (target / os.fsdecode(b"\xff\x1b.md")).touch()
    for name, place in {
        "l.md": "outside/file.md",
        "l": "outside",
        "x/l": "outside",
        "l.py": "outside",
        "d.md": "no",
    }.items():
        (target / name).symlink_to(target.parent / place)
    os.mkfifo(target / "pipe.txt")
    os.mkfifo(target / "pipe")
    (target / "folder.md").mkdir()
    with Tree(target) as opened:
        found = ["B.txt", "a/file.md", "b.MD", "c.markdown", "x/z z.txt", "x/é.md", os.fsdecode(b"\xff\x1b.md")]
        assert [str(path) for path in opened.scan()] == found
        assert opened.odd == [
            "d.md: is a symbolic link",
            "l.md: is a symbolic link",
            "l: is a symbolic link",
            "pipe.txt: is a named pipe",
            "x/l: is a symbolic link",
        ]
        shutil.rmtree(target / "x")
        assert len(opened.scan()) == 5 and len(opened.odd) == 4


def test_a_folder_that_becomes_a_link_during_a_scan_is_not_entered(target, monkeypatch):
    def swapping(name, *args, **kwargs):
        if name == "a":
            monkeypatch.undo()
            (target / "a").rename(target / "away")
            (target / "a").symlink_to(target.parent / "outside")
        return opening(name, *args, **kwargs)

    opening = os.open
    with Tree(target) as opened:
        monkeypatch.setattr(os, "open", swapping)
        assert opened.scan() == []
        assert opened.odd == ["a: is no longer a folder"]


def test_a_scan_of_a_very_deep_folder_ends(target):
    descriptor = os.open(target, os.O_RDONLY)
    for _ in range(500):
        os.mkdir("d" * 9, dir_fd=descriptor)
        below = os.open("d" * 9, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    os.close(descriptor)
    with Tree(target) as opened:
        assert opened.scan() == [A]
        assert [message[-20:] for message in opened.odd] == [": is too deep a folder"[-20:]]


# ---------------------------------------------------------------------------------------------------------- stage


def replace(directory: Path, puts: dict[str, bytes], *removals: str, read: bool = True) -> Written:
    """As an export does: looks at everything, stages, commits."""
    with Tree(directory, create=True) as opened:
        for name in (*puts, *removals) if read else ():
            try:
                opened.read(PurePosixPath(name))
            except (FileNotFoundError, errors.InvalidError):
                continue
        with opened.stage() as stage:
            for name, content in puts.items():
                stage.put(PurePosixPath(name), content)
            for name in removals:
                stage.remove(PurePosixPath(name))
            return stage.commit()


class Killed(BaseException):
    """Stands for SIGKILL behind the journal, where a test wants to stay alive."""


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """A commit that is killed as soon as the journal has its name; returns the stage folder."""

    def run(directory: Path, puts: dict[str, bytes], *removals: str) -> Path:
        def kill(*_):
            raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(tree._Moves, "run", kill)
            with pytest.raises(Killed):
                replace(directory, puts, *removals)
        [folder] = directory.glob(".iucore-stage-*")
        assert (folder / "journal").exists()
        return folder

    return run


def conflict(call: Callable[[], object]) -> errors.ConflictError:
    with pytest.raises(errors.ConflictError) as caught:
        call()
    assert caught.value.sqlstate == "IU217"
    return caught.value


def test_files_come_and_go_at_once(target):
    fill(target, {"b/c/gone.md": b"1", "b/stays.md": b"2", "d/e/gone.md": b"3"})
    done = replace(
        target, {"a/file.md": b"new", "x/y/z.md": b"z", "b/stays.md": b"2"}, "b/c/gone.md", "d/e/gone.md", "no"
    )
    assert done == Written(2, 1, 5)
    assert everything(target) == {"a/file.md": b"new", "x/y/z.md": b"z", "b/stays.md": b"2"}
    assert names(target) == ["a", "b", "x"] and names(target / "b") == ["stays.md"]


def test_without_a_commit_nothing_happens(target):
    with Tree(target) as opened, opened.stage() as stage:
        stage.put(A, b"new")
        stage.put(PurePosixPath("x/y"), b"new")
        [folder] = target.glob(".iucore-stage-*")
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert everything(target) == {"a/file.md": b"old"} and names(target) == ["a"]
    with pytest.raises(RuntimeError), Tree(target) as opened, opened.stage() as stage:
        stage.put(A, b"new")
        raise RuntimeError
    assert everything(target) == {"a/file.md": b"old"} and names(target) == ["a"]


@pytest.mark.parametrize("size", [0, 10, tree._MEMORY + 1])
def test_a_stage_does_not_touch_what_is_equal(target, size):
    content = os.urandom(size)
    (target / A).write_bytes(content)
    before = (target / A).stat()
    for data in (content, iter([content[:5], content[5:]])):
        with Tree(target) as opened, opened.stage() as stage:
            stage.put(A, data)
            assert stage.commit() == Written(0, 1, size)
    after = (target / A).stat()
    assert (after.st_ino, after.st_mtime_ns, after.st_ctime_ns) == (
        before.st_ino,
        before.st_mtime_ns,
        before.st_ctime_ns,
    )
    assert replace(target, {str(A): content + b"x"}) == Written(1, 0, size + 1)


def test_modes_are_kept_and_the_umask_obeyed_by_a_stage(target):
    mask = os.umask(0o027)
    try:
        (target / A).chmod(0o604)
        (target / "a").chmod(0o711)
        fill(target, {"b/x": b""})
        (target / "b").chmod(0o711)
        replace(target, {"a/file.md": b"new", "n/n.md": b"n", "b/y": b""}, "b/x")
        modes = {name: stat.S_IMODE((target / name).stat().st_mode) for name in ["a/file.md", "a", "n/n.md", "n", "b"]}
        assert modes == {"a/file.md": 0o604, "a": 0o711, "n/n.md": 0o640, "n": 0o750, "b": 0o711}
    finally:
        os.umask(mask)


def test_a_folder_in_which_somebody_put_something_stays(target):
    fill(target, {"b/c/gone.md": b"1", "b/c/mine": b"2", "d/gone.md": b""})
    (target / "d/mine").mkdir()
    replace(target, {}, "b/c/gone.md", "d/gone.md")
    assert everything(target) == {"a/file.md": b"old", "b/c/mine": b"2"}
    assert (target / "d/mine").is_dir()


def test_a_file_takes_the_place_of_a_folder_and_a_folder_that_of_a_file(target):
    replace(target, {"a": b"1"}, "a/file.md")
    assert everything(target) == {"a": b"1"}
    replace(target, {"a/b/c": b"2", "a/d": b"3"}, "a")
    assert everything(target) == {"a/b/c": b"2", "a/d": b"3"}
    (target / "a/mine").mkdir()
    with pytest.raises(errors.InvalidError, match="target/a' is a folder"):
        replace(target, {"a": b"1"}, "a/b/c", "a/d")
    with pytest.raises(errors.InvalidError, match="target/a/d' is a file, not a folder"):
        replace(target, {"a/d/e/f": b"1"})
    assert everything(target) == {"a/b/c": b"2", "a/d": b"3"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("when", ["before", "between", "removal"])
def test_what_is_no_regular_file_is_neither_replaced_nor_removed(target, kind, when):
    with Tree(target) as opened, opened.stage() as stage:
        opened.read(A)
        if when == "between":
            stage.put(A, b"new")
        (target / A).unlink()
        special(target / A, kind)
        with pytest.raises(errors.InvalidError, match=r"IU031.*a/file\.md"):
            if when == "before":
                stage.put(A, b"new")
            elif when == "removal":
                stage.remove(A)
            stage.put(PurePosixPath("new"), b"new")
            stage.commit()
    assert names(target) == ["a"] and names(target / "a") == ["file.md"]
    assert everything(target.parent / "outside") == {"file.md": b"precious"}


@pytest.mark.parametrize("removal", [False, True])
@pytest.mark.parametrize("when", ["before", "between"])
def test_a_stage_follows_no_link(target, when, removal):
    with Tree(target) as opened, opened.stage() as stage:
        opened.read(A)
        if when == "between":
            stage.remove(A) if removal else stage.put(A, b"new")
        (target / "a").rename(target / "away")
        (target / "a").symlink_to(target.parent / "outside")
        with pytest.raises(errors.InvalidError, match="target/a' is a symbolic link"):
            if when == "before":
                stage.remove(A) if removal else stage.put(A, b"new")
            stage.commit()
    assert everything(target.parent / "outside") == {"file.md": b"precious"}
    assert names(target) == ["a", "away"]


@pytest.mark.parametrize("removal", [False, True])
def test_a_link_that_comes_behind_the_journal_leads_nowhere(target, removal, monkeypatch):
    """The folder is swapped when the last look is over; the next command finishes when it is back."""

    def swapping(source, *args, **kwargs):
        renaming(source, *args, **kwargs)
        if source == "journal.tmp":
            (target / "a").rename(target / "away")
            (target / "a").symlink_to(target.parent / "outside")

    renaming = os.rename
    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", swapping)
        with pytest.raises(errors.InvalidError, match="target/a' is a symbolic link"):
            replace(target, {} if removal else {"a/file.md": b"new"}, *["a/file.md"] * removal)
    assert everything(target.parent / "outside") == {"file.md": b"precious"}
    assert (target / "away/file.md").read_bytes() == b"old"
    with pytest.raises(errors.InvalidError):
        Tree(target)
    (target / "a").unlink()
    (target / "away").rename(target / "a")
    with Tree(target) as opened:
        assert opened.recovered
    assert everything(target) == ({} if removal else {"a/file.md": b"new"})


@pytest.mark.parametrize("how", ["edited", "touched", "replaced", "mode", "not read", "appeared"])
@pytest.mark.parametrize("removal", [False, True])
@pytest.mark.parametrize("late", [False, True])
def test_a_file_that_changed_meanwhile_is_not_lost(target, how, removal, late):
    path = PurePosixPath("a/new.md") if how == "appeared" else A

    def change():
        if how == "touched":
            os.utime(target / path)
        elif how == "replaced":
            write_file(target / path, b"OLD")
            os.utime(target / path, ns=(1, 1))
        elif how == "mode":
            (target / path).chmod(0o600)
        elif how != "not read":
            (target / path).write_bytes(b"mine")

    with Tree(target) as opened, opened.stage() as stage:
        if how == "appeared":
            with pytest.raises(FileNotFoundError):
                opened.read(path)
        elif how != "not read":
            opened.read(path)
        if not late:
            change()
        stage.remove(path) if removal else stage.put(path, b"new")
        stage.put(PurePosixPath("other"), b"new")
        if late:
            change()
        error = conflict(stage.commit)
    assert repr(str(path)) in error.detail and ("not there before" in error.detail) is (how in ("not read", "appeared"))
    assert names(target) == ["a"]
    assert (target / path).read_bytes() in (b"mine", b"OLD", b"old")


def test_a_file_that_was_equal_and_changes_is_a_conflict_and_one_that_went_is_none(target):
    with Tree(target) as opened, opened.stage() as stage:
        stage.put(A, b"old")
        (target / A).write_bytes(b"mine")
        assert "'a/file.md'" in conflict(stage.commit).detail
    with Tree(target) as opened, opened.stage() as stage:
        opened.read(A)
        stage.put(A, b"new")
        (target / A).unlink()
        assert stage.commit().written == 1
    assert everything(target) == {"a/file.md": b"new"}


def test_many_conflicts_are_ten_names_and_a_number(target):
    fill(target, {f"{number:02}": b"" for number in range(15)})
    detail = conflict(lambda: replace(target, {f"{number:02}": b"x" for number in range(15)}, read=False)).detail
    assert detail.startswith("'00' (not there before), '01'") and detail.endswith("'09' (not there before), and 5 more")


def test_what_a_commit_wrote_counts_as_read(target):
    with Tree(target) as opened:
        opened.read(A)
        for content in (b"1", b"2", b"2", b"3"):
            with opened.stage() as stage:
                stage.put(A, content)
                stage.commit()
    assert everything(target) == {"a/file.md": b"3"}


@pytest.mark.parametrize(
    "name", ["../x", "/x", ".git/hooks/post-checkout", "a/.GIT/x", "a\nb", "nul", ".iucore-stage-0/1"]
)
def test_a_stage_takes_no_name_that_may_not_be(target, name):
    with Tree(target) as opened, opened.stage() as stage:
        for call in (lambda: stage.put(PurePosixPath(name), b""), lambda: stage.remove(PurePosixPath(name))):
            with pytest.raises(errors.InvalidError) as caught:
                call()
            assert caught.value.sqlstate == "IU031"


def test_a_stage_takes_our_own_files_and_each_name_once(target):
    assert replace(target, {"iucore-manifest.json": b"{}", "a.md.conflict": b"<"}).written == 2
    with Tree(target) as opened, opened.stage() as stage:
        stage.put(A, b"1")
        for call in (lambda: stage.put(A, b""), lambda: stage.remove(A)):
            with pytest.raises(errors.InvalidError, match="comes twice"):
                call()
    for other in ("A/x.md", "x/iucore-manifest.json"):
        with pytest.raises(errors.InvalidError):
            replace(target, {"a/file.md": b"new", other: b""})
    assert (target / A).read_bytes() == b"old"


@pytest.mark.parametrize("produced", [0, 10, tree._MEMORY + 1])
def test_data_that_breaks_off_leaves_nothing(target, produced):
    def failing():
        yield b"x" * produced
        raise RuntimeError("the connection is gone")

    with Tree(target) as opened, opened.stage() as stage:
        opened.read(A)
        with pytest.raises(RuntimeError):
            stage.put(A, failing())
        stage.put(PurePosixPath("b"), b"b")
        assert stage.commit().written == 1
    assert everything(target) == {"a/file.md": b"old", "b": b"b"}


def test_memory_of_a_stage_stays_bounded(target):
    tracemalloc.start()
    try:
        for _ in range(2):
            with Tree(target) as opened, opened.stage() as stage:
                stage.put(PurePosixPath("large"), (b"x" * 65536 for _ in range(640)))
                stage.commit()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (target / "large").stat().st_size == 640 * 65536
    assert peak < 4 * 1024 * 1024


def test_everything_is_on_the_disk_before_the_point_of_no_return(target, monkeypatch):
    """The files, the journal and both folders before the journal has its name, the places before it goes."""
    log: list[tuple[str, object]] = []

    def inode(path: Path) -> int:
        return path.lstat().st_ino

    def syncing(descriptor):
        fsync(descriptor)
        log.append(("sync", os.fstat(descriptor).st_ino))

    def renaming(source, name, **kwargs):
        rename(source, name, **kwargs)
        log.append(("rename", name))
        if name == "journal":
            log.append(("stage", inode(next(target.glob(".iucore-stage-*")))))
            log.append(("journal", inode(next(target.glob(".iucore-stage-*/journal")))))

    def unlinking(name, **kwargs):
        unlink(name, **kwargs)
        log.append(("unlink", name))

    fsync, rename, unlink = os.fsync, os.rename, os.unlink
    for name, call in {"fsync": syncing, "rename": renaming, "unlink": unlinking}.items():
        monkeypatch.setattr(os, name, call)
    fill(target, {"c/d/e": b""})
    replace(target, {"a/file.md": b"new", "x/y/z": b"z"}, "c/d/e")
    [stage] = [what for kind, what in log if kind == "stage"]
    [journal] = [what for kind, what in log if kind == "journal"]
    point, end = log.index(("rename", "journal")), log.index(("unlink", "journal"))
    before = {what for kind, what in log[:point] if kind == "sync"}
    assert before == {stage, journal, inode(target), inode(target / A), inode(target / "x/y/z")}
    first = min(index for index, (kind, what) in enumerate(log) if kind in ("rename", "unlink") and index > point)
    assert ("sync", stage) in log[point:first]
    last = max(index for index, entry in enumerate(log) if entry in (("rename", "z"), ("unlink", "e")))
    after = {what for kind, what in log[last:end] if kind == "sync"}
    assert after == {inode(target), inode(target / "a"), inode(target / "x"), inode(target / "x/y")}


def test_a_file_goes_to_another_file_system_by_copying(target, monkeypatch):
    def refusing(source, name, **kwargs):
        if source.isdigit():
            raise OSError(errno.EXDEV, "Invalid cross-device link", source)
        rename(source, name, **kwargs)

    rename = os.rename
    (target / A).chmod(0o604)
    monkeypatch.setattr(os, "rename", refusing)
    content = os.urandom(3 * tree._BLOCK + 7)
    assert replace(target, {"a/file.md": content, "b": b""}).written == 2
    assert everything(target) == {"a/file.md": content, "b": b""}
    assert stat.S_IMODE((target / A).stat().st_mode) == 0o604


@pytest.fixture
def plain() -> Iterator[Path]:
    """A folder of a plain user, as whom the test then runs."""
    folder = Path(tempfile.mkdtemp(prefix="iucore-tree-"))
    folder.chmod(0o755)
    try:
        if AS_ROOT:
            os.chown(folder, 65534, 65534)
            os.setegid(65534)
            os.seteuid(65534)
        yield folder
    finally:
        if AS_ROOT:
            os.seteuid(0)
            os.setegid(0)
        shutil.rmtree(folder)


def test_a_folder_that_may_not_be_written_is_seen_before_anything_is_done(plain):
    fill(plain, {"a/file.md": b"old", "b/file.md": b"old"})
    (plain / "b").chmod(0o555)
    for puts, removals in [({"b/file.md": b""}, []), ({"b/new/new": b""}, []), ({}, ["b/file.md"])]:
        with pytest.raises(PermissionError, match=f"{plain.name}/b'"):
            replace(plain, {"a/file.md": b"new", **puts}, *removals)
    (plain / "b").chmod(0o755)
    assert everything(plain) == {"a/file.md": b"old", "b/file.md": b"old"} and names(plain) == ["a", "b"]


@pytest.mark.skipif(not AS_ROOT, reason="needs root")
def test_the_work_of_another_user_is_left_to_him(plain, killed):
    stale, folder = plain / ".iucore-stage-00", killed(plain, {"b": b"new"})
    stale.mkdir(mode=0o700)
    os.seteuid(0)
    os.setegid(0)
    with pytest.raises(errors.InvalidError, match="belongs to the user 65534"):
        Tree(plain)
    assert (folder / "journal").exists() and stale.exists()
    os.chown(stale, 0, 0)
    os.seteuid(65534)
    with Tree(plain) as opened:
        assert opened.recovered
        assert replace(plain, {"c": b""}).written == 1
    assert everything(plain) == {"b": b"new", "c": b""} and stale.exists()


def test_two_do_not_write_at_once(target):
    with Tree(target) as one, one.stage() as stage:
        stage.put(PurePosixPath("b"), b"")
        with Tree(target) as other:
            assert other.read(A) == b"old"
            error = conflict(lambda: other.stage().__enter__())
            assert error.message == "another iucore command is writing here" and str(target) in error.detail
            conflict(lambda: one.stage().__enter__())
        assert len(list(target.glob(".iucore-stage-*"))) == 1
    with Tree(target) as one, one.stage():
        pass


def test_nobody_reads_while_files_change_their_places(target, monkeypatch):
    def reading(*args):
        assert conflict(lambda: Tree(target)).message == "another iucore command is writing here"
        return run(*args)

    run = tree._Moves.run
    monkeypatch.setattr(tree._Moves, "run", reading)
    assert replace(target, {"b": b""}).written == 1


# ------------------------------------------------------------------------------------------------------- recovery


def test_the_next_tree_finishes_what_has_a_journal(target, killed):
    killed(target, {"a/file.md": b"new", "x/y": b"1"}, "gone")
    with Tree(target) as opened:
        assert opened.recovered and opened.read(A) == b"new"
    assert everything(target) == {"a/file.md": b"new", "x/y": b"1"} and names(target) == ["a", "x"]
    with Tree(target) as opened:
        assert not opened.recovered


def test_a_stage_finishes_first_what_another_left_meanwhile(target, killed):
    with Tree(target) as opened:
        killed(target, {"b": b"1"})
        with opened.stage() as stage:
            assert opened.recovered
            stage.put(PurePosixPath("c"), b"2")
            stage.commit()
    assert everything(target) == {"a/file.md": b"old", "b": b"1", "c": b"2"}


def test_a_reader_leaves_stale_folders_and_a_writer_takes_them_away(target):
    stale = target / ".iucore-stage-0123456789abcdef"
    fill(stale, {"0": b"", "journal.tmp": b""})
    (stale / "l").symlink_to(target.parent / "outside")
    others = {".iucore-stage-x": "folder", ".iucore-stage-aa": "link", ".iucore-stage-bb": "file"}
    (target / ".iucore-stage-x").mkdir()
    (target / ".iucore-stage-aa").symlink_to(target.parent / "outside")
    (target / ".iucore-stage-bb").touch()
    fill(target / ".iucore-stage-cc", {"folder/file": b""})
    with Tree(target) as opened:
        assert opened.scan() == [A] and stale.exists()
        with opened.stage():
            assert not stale.exists()
    assert names(target) == sorted([*others, ".iucore-stage-cc", "a"])
    assert everything(target.parent / "outside") == {"file.md": b"precious"}


@pytest.mark.parametrize("way", ["moves it away", "drops the rest", "made it equal"])
def test_an_edit_after_the_kill_is_not_lost(target, killed, way):
    folder = killed(target, {"a/file.md": b"new", "b": b"1"})
    (target / A).write_bytes(b"mine")
    error = conflict(lambda: Tree(target))
    assert error.detail == "'a/file.md'" and str(folder) in error.hint
    assert names(target) == [folder.name, "a"]
    if way == "drops the rest":
        shutil.rmtree(folder)
    else:
        (target / A).rename(target / "mine")
    with Tree(target) as opened:
        assert opened.recovered is (way != "drops the rest")
    assert (target / A).read_bytes() == (b"mine" if way == "drops the rest" else b"new")


def test_a_file_that_came_where_one_was_to_go_stays(target, killed):
    killed(target, {"b": b"1"}, "a/file.md")
    (target / A).write_bytes(b"mine")
    Tree(target).close()
    assert everything(target) == {"a/file.md": b"mine", "b": b"1"}


def test_an_edit_between_the_last_look_and_the_rename_is_kept(target, monkeypatch):
    def editing(*args):
        (target / A).write_bytes(b"mine")
        return run(*args)

    run = tree._Moves.run
    with monkeypatch.context() as patch:
        patch.setattr(tree._Moves, "run", editing)
        assert "rm -r" in conflict(lambda: replace(target, {"a/file.md": b"new"})).hint
    assert (target / A).read_bytes() == b"mine"
    conflict(lambda: Tree(target))


def journal_of(puts: object = (), removals: object = (), **more: object) -> bytes:
    return json.dumps({"iucore-journal": 1, "put": puts, "remove": removals, **more}).encode()


def plant(directory: Path, journal: bytes, **staged: bytes) -> Path:
    folder = directory / ".iucore-stage-0123456789abcdef"
    folder.mkdir(mode=0o700)
    (folder / "journal").write_bytes(journal)
    for name, content in {"0": b"evil", **staged}.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize(
    "journal",
    [
        *(b"", b"{", b"[]", b"null", b"{}", b"\xff", b"[" * 100_000, b"1" * 5000, b'{"iucore-journal": 1}'),
        journal_of(more=1),
        journal_of({}),
        journal_of([1]),
        journal_of([["0", "x"]]),
        journal_of([["0", "x", None, None]]),
        journal_of(removals=[["a/file.md"]]),
        journal_of(removals="a/file.md"),
        b'{"iucore-journal": 2, "put": [], "remove": []}',
        *(journal_of([["0", "x", old]]) for old in (1, "x", [1], [1, 2, 3, "4"], [1, 2, 3, True], [1, 2, 3, 4, 5], {})),
        *(
            journal_of([[staged, "x", None]])
            for staged in (
                0,
                None,
                "",
                "../0",
                "/etc/passwd",
                "journal",
                "../../a/file.md",
                "x/0",
                ".",
                "٣",
                "0\n",
                ["0"],
            )
        ),
        *(
            journal_of(*entry)
            for path in (
                *("", ".", "..", "../x", "a/../../x", "/tmp/x", "//x", "a//x", "./x", "a/", "x\0", "\ud800", None, 1),
                *(".git/hooks/post-checkout", ".GIT/config", "git~1/x", ".g\u200cit/x", ".hg/hgrc", "a/.svn/x", "nul"),
                *(".iucore-stage-0123456789abcdef/1", "a/iucore-manifest.json", "y" * 256, "x/" * 3000 + "x", "a\\b"),
            )
            for entry in (([["0", path, None]],), ([["0", "fine", None]], [[path, [1, 2, 3, 4]]]))
        ),
        journal_of([["0", "x", None], ["0", "y", None]]),
        journal_of([["0", "x", None], ["1", "x", None]]),
        journal_of([["0", "x", None], ["1", "X", None]]),
        journal_of([["0", "x", None], ["1", "x/y", None]]),
        journal_of([["0", "fine", None], ["1", "link/x", None]]),
        journal_of([["0", "fine", None], ["1", "link", None]]),
        journal_of([["0", "fine", None], ["1", "a", None]]),
        journal_of([["0", "fine", None], ["1", "a/file.md/x", None]]),
        journal_of([["0", "fine", None]], [["link/file.md", [1, 2, 3, 4]]]),
    ],
    ids=lambda journal: ascii(journal[:60]),
)
def test_a_journal_that_iucore_did_not_write_is_refused_as_a_whole(target, journal):
    (target / "link").symlink_to(target.parent / "outside")
    folder = plant(target, journal, **{"1": b"evil"})
    with pytest.raises(errors.InvalidError) as caught:
        Tree(target)
    assert caught.value.sqlstate == "IU031" and str(target) in caught.value.detail
    assert names(target) == [folder.name, "a", "link"] and names(folder) == ["0", "1", "journal"]
    assert names(target.parent) == ["outside", "target"]
    assert everything(target.parent / "outside") == {"file.md": b"precious"}
    assert (target / A).read_bytes() == b"old"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["journal", "0"])
def test_a_journal_or_a_staged_file_that_is_no_regular_file_is_refused(target, kind, name):
    folder = plant(target, journal_of([["1", "fine", None], ["0", "x", None]]), **{"1": b""})
    (folder / name).unlink()
    special(target / "a/special", kind)
    (target / "a/special").rename(folder / name)
    with pytest.raises(errors.InvalidError, match=KINDS[kind]):
        Tree(target)
    assert names(target) == [folder.name, "a"]


def test_a_journal_that_came_with_a_clone_is_refused(target):
    plant(target, journal_of([["0", "x", None]])).chmod(0o755)
    with pytest.raises(errors.InvalidError, match="iucore did not make it here"):
        Tree(target)
    assert not (target / "x").exists()


def test_a_journal_without_end_is_refused_at_once(target):
    folder = plant(target, b"")
    with (folder / "journal").open("wb") as file:
        file.truncate(1024**3)
    with pytest.raises(errors.InvalidError, match="larger than"):
        Tree(target)


def test_a_well_formed_journal_of_somebody_else_replaces_and_removes_no_file(target):
    """What the docstring of ``Tree`` promises: new files inside the folder are all that it can do."""
    status = (target / A).stat()
    guess = [status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns + 1]
    folder = plant(target, journal_of([["0", "a/file.md", guess]], [["a/file.md", guess]]))
    conflict(lambda: Tree(target))
    (folder / "journal").write_bytes(
        journal_of([["0", "b/new.md", None], ["7", "nothing", None]], [["a/file.md", guess]])
    )
    Tree(target).close()
    assert everything(target) == {"a/file.md": b"old", "b/new.md": b"evil"}


# ----------------------------------------------------------------------------------------------------------- laws

NAMES = st.sampled_from(["a", "b", "c.md", "é", "x y"])
CONTENTS = st.sampled_from([b"", b"1", b"2", b"x" * 5000])


def without_files_in_files(files: dict[tuple[str, ...], bytes]) -> dict[str, bytes]:
    kept = {path: data for path, data in files.items() if not any(path[:end] in files for end in range(1, len(path)))}
    return {"/".join(path): data for path, data in kept.items()}


TREES = st.dictionaries(st.lists(NAMES, min_size=1, max_size=3).map(tuple), CONTENTS, max_size=6).map(
    without_files_in_files
)


def exactly(directory: Path) -> dict[str, bytes]:
    """All files; and no folder is empty, no stage folder left."""
    found = everything(directory)
    folders = {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_dir()}
    assert folders == {str(folder) for path in found for folder in PurePosixPath(path).parents[:-1]}
    return found


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is not waited for: these laws hold without it, and it would be for minutes."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.mark.usefixtures("quick")
@given(TREES, TREES, TREES)
@settings(suppress_health_check=list(HealthCheck))
def test_after_a_commit_it_is_the_new_tree_and_without_one_the_old(old, new, third):
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        replace(directory, old)
        assert exactly(directory) == old
        with Tree(directory) as opened, opened.stage() as stage:
            for path, content in new.items():
                if not (directory / path).is_dir():
                    stage.put(PurePosixPath(path), content)
        assert exactly(directory) == old
        done = replace(directory, new, *(old.keys() - new.keys()))
        unchanged = len(old.items() & new.items())
        length = sum(map(len, new.values()))
        assert done == Written(len(new) - unchanged, unchanged, length)
        assert exactly(directory) == new
        assert replace(directory, new) == Written(0, len(new), length)
        replace(directory, third, *(new.keys() - third.keys()))
        assert exactly(directory) == third


@pytest.mark.usefixtures("quick")
@given(
    TREES, TREES, st.integers(0, 60), st.sampled_from([OSError(errno.EIO, "Input/output error"), KeyboardInterrupt()])
)
@settings(max_examples=200, suppress_health_check=list(HealthCheck))
def test_whatever_fails_at_whatever_step_it_is_the_old_tree_or_the_new(old, new, step, error):
    count = itertools.count()

    def failing(call):
        def fail(*args, **kwargs):
            if next(count) == step:
                raise error
            return call(*args, **kwargs)

        return fail

    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        directory = Path(name)
        replace(directory, old)
        for function in ("rename", "unlink", "mkdir", "fsync", "rmdir", "fchmod", "access"):
            patch.setattr(os, function, failing(getattr(os, function)))
        try:
            replace(directory, new, *(old.keys() - new.keys()))
            failed = False
        except (OSError, KeyboardInterrupt):
            failed = True
        patch.undo()
        with Tree(directory) as opened:
            if opened.recovered or not failed:
                assert everything(directory).items() >= new.items()
            with opened.stage():
                pass  # takes away what is stale
        assert exactly(directory) in ([old, new] if failed else [new])

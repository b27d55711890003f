"""Writing documents into a folder: whole, only inside it, through no link."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path, PurePosixPath

import pytest

from iucore import errors
from iucore.textcode import tree
from iucore.textcode.tree import Written, write_file, write_tree


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
    import tracemalloc

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

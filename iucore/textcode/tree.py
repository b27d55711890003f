"""Write rendered documents into a folder: never outside it, never through a symbolic link."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from iucore.errors import InvalidError

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OTHERS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
}
_MEMORY = 1024 * 1024
_BLOCK = 256 * 1024


@dataclass(frozen=True, slots=True)
class Written:
    """How many files were written, how many already held these bytes and were left alone, and the bytes of both."""

    written: int
    unchanged: int
    byte_length: int


def write_tree(directory: Path, files: Iterable[tuple[PurePosixPath, Iterable[bytes] | bytes]]) -> Written:
    """Write each file at its path below ``directory``, which is made if it does not exist.

    A file appears whole or not at all: it is written beside its place and renamed. One that already holds the same
    bytes is not touched. Memory is bounded by 1 MiB and the largest chunk, whatever the size of a file. When a file is
    refused, those before it stand.

    Raises:
        InvalidError: IU031, with the name: it is empty, ``.`` or ``..``, holds a slash or U+0000, is longer than 255
            bytes or comes twice; or a symbolic link or something that is neither file nor folder stands in the way.
        OSError: the operating system refuses.
    """
    directory.mkdir(parents=True, exist_ok=True)
    return _write(directory, files)


def write_file(path: Path, content: Iterable[bytes] | bytes) -> Written:
    """Write one file as ``write_tree`` does; its folder must exist.

    Raises:
        InvalidError: IU031, as ``write_tree``.
        OSError: the operating system refuses.
    """
    path = path.absolute()
    return _write(path.parent, [(PurePosixPath(path.name), content)])


def _write(directory: Path, files: Iterable[tuple[PurePosixPath, Iterable[bytes] | bytes]]) -> Written:
    root = os.open(directory, _FOLDER)
    written = unchanged = total = 0
    seen: set[PurePosixPath] = set()
    try:
        for relative, content in files:
            path = directory.absolute() / relative
            *folders, name = _checked(relative, path)
            if relative in seen:
                raise _refused(path, name, "comes twice")
            seen.add(relative)
            try:
                with _opened(root, path, folders) as parent:
                    changed, length = _put(parent, path, name, (content,) if isinstance(content, bytes) else content)
            except OSError as error:
                error.filename = str(path)  # not the file beside it that is renamed at the end
                raise
            total += length
            written += changed
            unchanged += not changed
    finally:
        os.close(root)
    return Written(written, unchanged, total)


def _refused(path: Path, name: str, why: str) -> InvalidError:
    return InvalidError(
        "the file is not written",
        sqlstate="IU031",
        detail=f"{str(path)!r}: {name!r} {why}",
        hint="Name another file or folder. For stdout: -o -",
    )


def _checked(relative: PurePosixPath, path: Path) -> tuple[str, ...]:
    if not relative.parts:
        raise _refused(path, "", "is empty")
    for name in relative.parts:
        if name in ("", ".", ".."):
            raise _refused(path, name, "is not the name of a file")
        if "/" in name or "\0" in name:
            raise _refused(path, name, "holds a slash or U+0000")
        try:
            length = len(os.fsencode(name))
        except UnicodeEncodeError:
            raise _refused(path, name, "cannot be encoded") from None
        if length > 255:
            raise _refused(path, name, "is longer than 255 bytes")
    return relative.parts


@contextmanager
def _opened(root: int, path: Path, folders: list[str]) -> Iterator[int]:
    """The folder of a file. Each step opens relative to the descriptor before it: a swapped name leads nowhere."""
    current = os.dup(root)
    try:
        for name in folders:
            try:
                below = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=current)
            except FileNotFoundError:
                with suppress(FileExistsError):  # somebody was faster; what it is, the next line decides
                    os.mkdir(name, dir_fd=current)
                below = _open_folder(path, name, current)
            except OSError as error:
                raise _as_refusal(error, path, name) from error
            os.close(current)
            current = below
        yield current
    finally:
        os.close(current)


def _open_folder(path: Path, name: str, parent: int) -> int:
    try:
        return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=parent)
    except OSError as error:
        raise _as_refusal(error, path, name) from error


def _as_refusal(error: OSError, path: Path, name: str) -> Exception:
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return _refused(path, name, "is not a folder, or is a symbolic link")
    return error


def _put(parent: int, path: Path, name: str, chunks: Iterable[bytes]) -> tuple[bool, int]:
    """Whether the file was written, and its length."""
    mode = _present_mode(parent, path, name)
    stream = iter(chunks)
    head = bytearray()
    for chunk in stream:
        head += chunk
        if len(head) > _MEMORY:
            break
    else:
        if mode is not None and _same(parent, name, head):
            return False, len(head)
    temporary = f".iucore-{secrets.token_hex(8)}.tmp"
    descriptor = os.open(temporary, _CREATE, 0o666, dir_fd=parent)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            file.write(head)
            head.clear()
            for chunk in stream:
                file.write(chunk)
            length = file.tell()
            file.flush()
            if mode is not None:
                if length > _MEMORY and _same_file(parent, name, descriptor, length):
                    os.unlink(temporary, dir_fd=parent)
                    return False, length
                os.fchmod(descriptor, mode)
        # A rename replaces a link that was put in place meanwhile; it never follows one.
        os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=parent)
        raise
    return True, length


def _present_mode(parent: int, path: Path, name: str) -> int | None:
    try:
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        raise _refused(path, name, f"is {_OTHERS.get(stat.S_IFMT(status.st_mode), 'a device')}, not a regular file")
    return stat.S_IMODE(status.st_mode)


def _same(parent: int, name: str, content: bytearray) -> bool:
    try:
        descriptor = os.open(name, _READ, dir_fd=parent)
    except OSError:
        return False  # gone, replaced by a link, or not readable: write it
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        return (
            stat.S_ISREG(status.st_mode) and status.st_size == len(content) and file.read(len(content) + 1) == content
        )


def _same_file(parent: int, name: str, other: int, length: int) -> bool:
    try:
        descriptor = os.open(name, _READ, dir_fd=parent)
    except OSError:
        return False
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size != length:
            return False
        position = 0
        while block := file.read(_BLOCK):
            if os.pread(other, len(block), position) != block:
                return False
            position += len(block)
        return position == length

"""Files in a folder: only inside it, through no symbolic link, and all of them or none.

``write_tree`` and ``write_file`` write files one by one. A ``Tree`` reads a folder that anybody may have filled, and
its ``Stage`` replaces many files at once, so that whoever kills the process finds the old ones or the new ones.
"""

from __future__ import annotations

import errno
import fcntl
import functools
import json
import os
import re
import secrets
import shlex
import stat
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any

from iucore.errors import ConflictError, InvalidError
from iucore.textcode.cut import FOLDER_SUFFIXES, MAX_FILE_BYTES, printable

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_KINDS = {
    stat.S_IFREG: "a file",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
}
_MEMORY = 1024 * 1024
_BLOCK = 256 * 1024
_MAX_PATH = 4096

_MANIFEST = "iucore-manifest.json"
_CONFLICT = ".conflict"
_STAGE = re.compile(r"\.iucore-stage-[0-9a-f]+")
_STAGED = re.compile(r"[0-9]{1,9}")
_JOURNAL = "journal"
_DRAFT = "journal.tmp"
_MAX_JOURNAL = 64 * 1024 * 1024
# Why a folder stays: it holds something, it is gone, it is a mount point, or its own folder may not be written.
_STAYS = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT, errno.ENOTDIR, errno.EBUSY, errno.EACCES, errno.EPERM)
_AGAIN = "Nothing was written. Look at what changed, and run the command again."

# Control characters, what a Windows file name cannot hold, and bytes that are not UTF-8 (as Python decodes them).
_BAD_CHARACTER = re.compile(r'[\x00-\x1f\x7f-\x9f\\<>:"|?*\udc80-\udcff]')
# Code points that HFS+ passes over when it compares names (as git's core.protectHFS).
_IGNORED = dict.fromkeys([*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF])
_VERSION_CONTROL = re.compile(r"\.(git|hg|svn)|(git|hg|svn)~[0-9]+")
_DEVICE = re.compile(r"con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]")

# Inode, size, mtime and ctime in nanoseconds. Not the device: its number may be another one after a restart.
_Signature = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Written:
    """How many files were written, how many already held these bytes and were left alone, and the bytes of both."""

    written: int
    unchanged: int
    byte_length: int


# --------------------------------------------------------------------------------------------------- file by file


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
    root = _Root.open(directory)
    written = unchanged = total = 0
    seen: set[PurePosixPath] = set()
    try:
        for path, content in files:
            if why := _no_file(path):
                raise root.refused(path, why)
            if path in seen:
                raise root.refused(path, "comes twice")
            seen.add(path)
            with root.parent(path, make=True) as parent:
                old = root.present(parent, path)
                temporary = f".iucore-{secrets.token_hex(8)}.tmp"
                with _beside(parent, temporary, content, old) as (changed, length):
                    if changed:
                        # A rename replaces a link that was put in place meanwhile; it never follows one.
                        os.rename(temporary, path.name, src_dir_fd=parent, dst_dir_fd=parent)
            total += length
            written += changed
            unchanged += not changed
    finally:
        root.close()
    return Written(written, unchanged, total)


# ---------------------------------------------------------------------------------------------------------- names


def check_names(paths: Iterable[PurePosixPath]) -> None:
    """Refuse paths that cannot be files side by side on every system, in a folder that belongs to git and to iucore.

    Refused are absolute paths, ``..``, names that are empty or longer than 255 bytes or not UTF-8, control characters,
    the characters ``\\ < > : " | ? *``, a dot or space at the end, the device names of Windows, the folders of version
    control in any spelling, the names that iucore uses itself, two paths that differ in nothing but case or Unicode
    form, and a path that is a folder of another.

    Raises:
        InvalidError: IU031, with the path, or both.

    >>> check_names([PurePosixPath("a/b.md"), PurePosixPath("A/c.md")])
    Traceback (most recent call last):
    ...
    iucore.errors.InvalidError: the path is refused (IU031): 'a' and 'A' differ only in case or Unicode form
    """
    _check_names(paths, ours=False)


def _check_names(paths: Iterable[PurePosixPath], *, ours: bool) -> None:
    seen: dict[str, tuple[PurePosixPath, bool]] = {}
    for path in paths:
        if why := _unfit(path, ours=ours):
            raise _refused(f"{str(path)!r} {why}")
        folded = ""
        for depth, name in enumerate(path.parts, 1):
            folded = f"{folded}/{_folded(name)}"
            is_file = depth == len(path.parts)
            if folded not in seen:
                seen[folded] = PurePosixPath(*path.parts[:depth]), is_file
                continue
            here, (other, other_is_file) = PurePosixPath(*path.parts[:depth]), seen[folded]
            if here != other:
                raise _refused(f"{str(other)!r} and {str(here)!r} differ only in case or Unicode form")
            if is_file and other_is_file:
                raise _refused(f"{str(path)!r} comes twice")
            if is_file or other_is_file:
                raise _refused(f"{str(here)!r} is a file and a folder")


def _unfit(path: PurePosixPath, *, ours: bool) -> str:
    """Why the path is no name for a document, or, if ``ours``, for any file that a stage writes."""
    if why := _no_file(path):
        return why
    for name in path.parts:
        folded = _folded(name)
        if bad := _BAD_CHARACTER.search(name):
            return f"holds {bad[0]!r}"
        if _is_version_control(name):
            return "belongs to version control"
        if name[-1] in ". ":
            return "ends with a dot or a space"
        if _DEVICE.fullmatch(folded.split(".")[0].rstrip(" ")):
            return "is the name of a device on Windows"
        if folded.startswith(".iucore-"):
            return "is a name that iucore uses itself"
    last = _folded(path.name)
    if ours and (str(path) == _MANIFEST or last.endswith(_CONFLICT)):
        return ""
    if any(_folded(name) == _MANIFEST or _folded(name).endswith(_CONFLICT) for name in path.parts):
        return "is a name that iucore uses itself"
    return ""


def _no_file(path: PurePosixPath) -> str:
    """Why the path names no file below a folder."""
    if not path.parts:
        return "is empty"
    for name in path.parts:
        if name in ("", ".", ".."):
            return f"holds {name!r}, which is not the name of a file"
        if "/" in name:
            return "is absolute"
        if "\0" in name:
            return "holds U+0000"
        try:
            length = len(os.fsencode(name))
        except UnicodeEncodeError:
            return "cannot be encoded"
        if length > 255:
            return f"holds a name longer than 255 bytes: {name!r}"
    if len(os.fsencode(path)) > _MAX_PATH:
        return f"is longer than {_MAX_PATH} bytes"
    return ""


def _is_version_control(name: str) -> bool:
    return _VERSION_CONTROL.fullmatch(_folded(name.translate(_IGNORED)).rstrip(". ")) is not None


@functools.lru_cache(4096)
def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


def _refused(detail: str) -> InvalidError:
    return InvalidError("the path is refused", sqlstate="IU031", detail=detail)


# ----------------------------------------------------------------------------------------------------------- tree


class Tree:
    """A folder that anybody may have filled. Nothing outside it is read or written, and no symbolic link followed.

    Every step below the folder opens relative to the descriptor before it. The folder itself may be named by a link.
    A reader does not hold off a writer: who acts on what was read does it through ``stage``, which looks again.

    Opening finishes the work of a ``Stage`` that was killed behind its journal. The journal may be somebody else's:
    one from a clone is refused for the mode of its folder, one with a name that ``put`` would refuse, or with a link in
    its way, is refused as a whole. A hostile journal that passes can put files of its own stage folder where no file
    stands, and remove empty folders, inside this folder: it cannot foretell the inode and ctime without which no
    present file is replaced or removed.

    Attributes:
        directory: its absolute path.
        recovered: whether such work was finished.
        odd: what ``scan`` found and passed over, such as ``"a.md: is a symbolic link"``.

    Raises:
        ConflictError: IU217: another command is finishing its work here; or a file that is to be replaced was changed
            after the kill.
        InvalidError: IU031: a journal is refused.
        OSError: the folder cannot be opened.
    """

    def __init__(self, directory: Path, *, create: bool = False) -> None:
        """Open the folder, which is made with its parents if ``create``."""
        if create:
            directory.mkdir(parents=True, exist_ok=True)
        self._root = _Root.open(directory)
        self._open = True
        self.directory = self._root.directory
        self._seen: dict[PurePosixPath, _Signature] = {}
        self.recovered = False
        self.odd: list[str] = []
        try:
            if self._journals():
                with self._root.locked():
                    self._recover()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give the descriptor back; a second time does nothing."""
        if self._open:
            self._open = False
            self._root.close()

    def __enter__(self) -> Tree:
        """The tree itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def read(self, path: PurePosixPath, *, limit: int = MAX_FILE_BYTES) -> bytes:
        """The bytes of a regular file; ``Stage.commit`` replaces it only if it is still the one that was read.

        Raises:
            FileNotFoundError: there is no such file.
            InvalidError: IU031: it is no regular file, a link leads to it, it is larger than ``limit`` (nothing of it
                is read then), or the path leads out of the folder or into version control.
            ConflictError: IU217: it changes while it is read.
            OSError: it cannot be read.
        """
        if why := _no_file(path):
            raise self._root.refused(path, why)
        if any(map(_is_version_control, path.parts)):
            raise self._root.refused(path, "belongs to version control")
        try:
            with self._root.parent(path) as parent:
                data, self._seen[path] = self._root.read(parent, path, limit)
        except NotADirectoryError as error:  # below a file there is none
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), error.filename) from error
        return data

    def scan(self) -> list[PurePosixPath]:
        """The regular files with a suffix of documents, sorted by their bytes; ``odd`` lists what only looks like one.

        Passes over names that begin with a dot and ``*.conflict``.
        """
        found: list[PurePosixPath] = []
        odd: list[str] = []
        folders = [PurePosixPath()]
        while folders:
            folder = folders.pop()
            try:
                with self._root.folder(folder) as descriptor, os.scandir(descriptor) as entries:
                    for entry in entries:
                        if entry.name.startswith(".") or _folded(entry.name).endswith(_CONFLICT):
                            continue
                        path = folder / entry.name
                        suffix = path.suffix.lower()
                        if entry.is_dir(follow_symlinks=False):
                            if len(os.fsencode(path)) > _MAX_PATH:
                                odd.append(f"{printable(str(path))}: is too deep a folder")
                            else:
                                folders.append(path)
                        elif suffix in FOLDER_SUFFIXES and entry.is_file(follow_symlinks=False):
                            found.append(path)
                        elif suffix in FOLDER_SUFFIXES or (not suffix and entry.is_symlink()):
                            status = entry.stat(follow_symlinks=False)
                            odd.append(f"{printable(str(path))}: is {_kind(status)}")
            except (FileNotFoundError, NotADirectoryError):
                continue  # it went while we looked
            except InvalidError:
                odd.append(f"{printable(str(folder))}: is no longer a folder")
        self.odd = sorted(odd)
        return sorted(found, key=os.fsencode)

    def stage(self) -> Stage:
        """A replacing of files, to be used as a context manager."""
        return Stage(self)

    def _journals(self) -> bool:
        with self._stages() as stages:
            return any(stage.status(_JOURNAL) for stage in stages)

    @contextmanager
    def _stages(self) -> Iterator[list[_Root]]:
        with ExitStack() as stack:
            stages: list[_Root] = []
            for name in sorted(filter(_STAGE.fullmatch, _names(self._root.descriptor))):
                # No folder, just removed, or another user's, who alone can finish it.
                with suppress(FileNotFoundError, NotADirectoryError, PermissionError, InvalidError):
                    descriptor = stack.enter_context(self._root.folder(PurePosixPath(name)))
                    stages.append(_Root(descriptor, self._root.directory / name))
            yield stages

    def _recover(self, *, tidy: bool = False) -> None:
        """Finish what stands in journals and, if ``tidy``, take away stage folders without one. Needs the lock."""
        with self._stages() as stages:
            journals = [(stage, _load(stage)) for stage in stages if stage.status(_JOURNAL)]
            for stage, moves in journals:
                moves.check(self._root, stage, recovering=True)
            for stage, moves in journals:
                moves.run(self._root, stage)
                self.recovered = True
            for stage in stages if tidy else [stage for stage, _ in journals]:
                if os.fstat(stage.descriptor).st_uid == os.geteuid():
                    _discard(self._root, stage)


class Stage:
    """Files that are put beside a tree, in a folder ``.iucore-stage-<hex>``, and take their places all at once.

    Until ``commit`` the tree is as before, and stays so if it is never called. A process that is killed leaves the old
    tree before the journal has its name, and afterwards one that the next ``Tree`` here finishes. The same holds when
    the machine stops, as far as the file system keeps what was synchronised.

    Only one can be open in a folder (an advisory lock on the folder, which a network file system may not share between
    machines). ``commit`` looks at each file once more just before it replaces it; an edit in the microseconds between
    is lost.
    """

    def __init__(self, tree: Tree) -> None:
        """Use ``Tree.stage``."""
        self._tree = tree
        self._root = tree._root
        self._stack = ExitStack()
        self._puts: list[tuple[str, PurePosixPath, _Signature | None]] = []
        self._removals: list[tuple[PurePosixPath, _Signature | None]] = []
        self._kept: list[tuple[PurePosixPath, _Signature]] = []
        self._named: set[PurePosixPath] = set()
        self._total = 0

    def __enter__(self) -> Stage:
        """Take the lock, tidy up behind those who were killed and make the stage folder.

        Raises:
            ConflictError: IU217: somebody else has the lock.
        """
        with ExitStack() as stack:
            stack.enter_context(self._root.locked())
            self._tree._recover(tidy=True)
            name = f".iucore-stage-{secrets.token_hex(8)}"
            os.mkdir(name, 0o700, dir_fd=self._root.descriptor)
            descriptor = stack.enter_context(self._root.folder(PurePosixPath(name)))
            self._folder = _Root(descriptor, self._root.directory / name)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Without a journal everything staged vanishes; with one (the commit failed behind it) it stays."""
        with self._stack:
            if not self._folder.status(_JOURNAL):
                _discard(self._root, self._folder)

    def put(self, path: PurePosixPath, data: Iterable[bytes] | bytes) -> None:
        """Stage a file. Bytes that stand there already are left alone; a file that is replaced keeps its mode.

        Raises:
            InvalidError: IU031: the name is refused (as ``check_names``, but for the manifest and ``*.conflict``), or
                a link or something that is no regular file is in the way.
            OSError: the operating system refuses.
        """
        self._name(path)
        with self._standing(path) as old:
            staged = str(len(self._puts))
            with self._root.naming(path), _beside(self._folder.descriptor, staged, data, old) as (changed, length):
                self._total += length
                if changed:
                    self._puts.append((staged, path, self._tree._seen.get(path)))
                elif old is not None:
                    self._kept.append((path, _signature(old.status)))

    def remove(self, path: PurePosixPath) -> None:
        """Stage that a file goes, and with it the folders that it leaves empty. One that is not there may go, too.

        Raises:
            InvalidError: IU031: the name is refused, as by ``put``.
        """
        self._name(path)
        self._removals.append((path, self._tree._seen.get(path)))

    def commit(self) -> Written:
        """Put everything in its place: first the files that go, then those that come, in the order of ``put``.

        Raises:
            ConflictError: IU217: a file is not the one that was read, or was not read at all.
            InvalidError: IU031: something that is no regular file is in the way, or two names are one.
            OSError: the operating system refuses.

            Nothing was done then; but if it happened only behind the journal, the next ``Tree`` here goes on.
        """
        root, folder = self._root, self._folder
        if self._puts:
            from concurrent.futures import ThreadPoolExecutor

            # One fsync after another would wait for the disk each time; side by side they share its turns.
            with ThreadPoolExecutor(8) as pool:
                for _ in pool.map(lambda put: _sync_file(folder.descriptor, put[0]), self._puts):
                    pass
        changed = [_named(path, was) for path, was in self._kept if not _is_same(root.status(path), was)]
        if changed:
            raise _changed(changed, _AGAIN)
        moves = _Moves(tuple(self._puts), tuple(self._removals))
        _check_names((path for _, path, _ in moves.puts), ours=True)
        going = moves.check(root, folder)
        if self._puts or going:
            # When the journal has its name, everything that it names is on the disk; when it loses it, all renames are.
            with _beside(folder.descriptor, _DRAFT, moves.dump(), None):
                _sync_file(folder.descriptor, _DRAFT)
            _sync(folder.descriptor)
            _sync(root.descriptor)
            os.rename(_DRAFT, _JOURNAL, src_dir_fd=folder.descriptor, dst_dir_fd=folder.descriptor)
            _sync(folder.descriptor)
            self._tree._seen.update(moves.run(root, folder))
            _discard(root, folder)
        return Written(len(self._puts), len(self._kept), self._total)

    def _name(self, path: PurePosixPath) -> None:
        if why := _unfit(path, ours=True):
            raise self._root.refused(path, why)
        if path in self._named:
            raise self._root.refused(path, "comes twice")
        self._named.add(path)

    @contextmanager
    def _standing(self, path: PurePosixPath) -> Iterator[_Standing | None]:
        with ExitStack() as stack:
            old = None
            # A folder in its place may be one that goes: that is seen at the end.
            with suppress(FileNotFoundError, NotADirectoryError):
                parent = stack.enter_context(self._root.parent(path))
                status = _status(parent, path.name)
                if status is not None and not stat.S_ISDIR(status.st_mode):
                    old = self._root.present(parent, path)
            yield old


@dataclass(frozen=True, slots=True)
class _Moves:
    """What a journal says: staged files with their places, and files that go; with what stands there before."""

    puts: tuple[tuple[str, PurePosixPath, _Signature | None], ...]
    removals: tuple[tuple[PurePosixPath, _Signature | None], ...]

    def dump(self) -> bytes:
        puts = [[staged, str(path), old] for staged, path, old in self.puts]
        removals = [[str(path), old] for path, old in self.removals]
        return json.dumps({"iucore-journal": 1, "put": puts, "remove": removals}).encode("ascii")

    @classmethod
    def load(cls, data: bytes) -> _Moves:
        """Raises ValueError for everything that ``dump`` does not write."""
        raw = json.loads(data)
        if not isinstance(raw, dict) or raw.keys() != {"iucore-journal", "put", "remove"} or raw["iucore-journal"] != 1:
            raise ValueError("it is of another shape or version")
        puts = []
        for entry in _rows(raw["put"], 3):
            if not isinstance(entry[0], str) or not _STAGED.fullmatch(entry[0]):
                raise ValueError(f"{entry[0]!r} is not the name of a staged file")
            puts.append((entry[0], _as_path(entry[1]), _as_signature(entry[2])))
        removals = [(_as_path(entry[0]), _as_signature(entry[1])) for entry in _rows(raw["remove"], 2)]
        if len({staged for staged, _, _ in puts}) < len(puts):
            raise ValueError("a staged file has two places")
        try:
            _check_names((path for _, path, _ in puts), ours=True)
        except InvalidError as error:
            raise ValueError(error.detail) from error
        return cls(tuple(puts), tuple(removals))

    def check(self, root: _Root, stage: _Root, *, recovering: bool = False) -> int:
        """How many files go. Raises what forbids to run this, before anything is done."""
        changed: list[str] = []
        going: set[PurePosixPath] = set()
        for path, signature in self.removals:
            status = root.status(path)
            if _is_same(status, signature):
                going.add(path)
            elif status is not None and not recovering:
                root.must_be_regular(path, status)
                changed.append(_named(path, signature))
        emptied = _folders_of(path for path, _ in self.removals)
        places: dict[PurePosixPath, list[tuple[PurePosixPath, _Signature | None]]] = {
            path.parent: [] for path in sorted(going)
        }
        for staged, path, signature in self.puts:
            if self._is_staged(stage, staged):
                places.setdefault(path.parent, []).append((path, signature))
        for folder, pending in places.items():
            with root.nearest(folder) as (descriptor, here):
                root.must_be_writable(here, descriptor)
                if here != folder:
                    # What is in the way of the next step down is a file, if anything.
                    blocking = here / folder.parts[len(here.parts)]
                    if blocking not in going and root.present(descriptor, blocking):
                        raise root.refused(blocking, "is a file, not a folder")
                    continue
                for path, signature in pending:
                    status = _status(descriptor, path.name)
                    if status is None or (stat.S_ISDIR(status.st_mode) and _vanishes(root, path, going, emptied)):
                        continue
                    root.must_be_regular(path, status)
                    if not _is_same(status, signature):
                        changed.append(_named(path, signature))
        if changed:
            raise _changed(
                changed,
                f"A killed command was about to replace it. Move it away, and the next command finishes that; or drop "
                f"what it had left to do: rm -r {shlex.quote(str(stage.directory))}"
                if recovering
                else _AGAIN,
            )
        return len(going)

    def run(self, root: _Root, stage: _Root) -> dict[PurePosixPath, _Signature]:
        """Do it, or what is left of it: a second time changes nothing. Returns what stands at the places now."""
        new: dict[PurePosixPath, _Signature] = {}
        for path, signature in self.removals:
            with suppress(FileNotFoundError, NotADirectoryError), root.parent(path) as parent:
                # Not the same: a file that came after ours had gone.
                if _is_same(_status(parent, path.name), signature):
                    os.unlink(path.name, dir_fd=parent)
        filled = _folders_of(path for _, path, _ in self.puts)
        emptied = _folders_of(path for path, _ in self.removals)
        for folder in sorted(emptied - filled, key=lambda folder: -len(folder.parts)):
            try:
                with root.parent(folder) as parent:
                    os.rmdir(folder.name, dir_fd=parent)
            except OSError as error:
                if error.errno not in _STAYS:
                    raise
        for staged, path, signature in self.puts:
            if not self._is_staged(stage, staged):
                continue  # done before the kill
            with root.parent(path, make=True) as parent:
                old = root.present(parent, path)
                if old is not None and _signature(old.status) != signature:
                    hint = f"To drop what is left to do: rm -r {shlex.quote(str(stage.directory))}"
                    raise _changed([_named(path, signature)], hint)
                _move(stage, staged, parent, path.name)
                new[path] = _signature(os.stat(path.name, dir_fd=parent, follow_symlinks=False))
        for folder in sorted(filled | emptied | {PurePosixPath()}):
            with suppress(FileNotFoundError, NotADirectoryError), root.folder(folder) as descriptor:
                _sync(descriptor)
        return new

    @staticmethod
    def _is_staged(stage: _Root, staged: str) -> bool:
        status = _status(stage.descriptor, staged)
        if status is not None:
            stage.must_be_regular(PurePosixPath(staged), status)
        return status is not None


def _load(stage: _Root) -> _Moves:
    path = PurePosixPath(_JOURNAL)
    status = os.fstat(stage.descriptor)
    if status.st_uid != os.geteuid():
        raise stage.refused(path, f"belongs to the user {status.st_uid}, who alone can finish what it says")
    if status.st_mode & 0o077:
        raise stage.refused(path, "stands in a folder that is open to others, so that iucore did not make it here")
    data, _ = stage.read(stage.descriptor, path, _MAX_JOURNAL)
    try:
        return _Moves.load(data)
    except (ValueError, RecursionError) as error:
        raise stage.refused(path, f"is no journal of iucore: {error}") from error


def _rows(raw: object, width: int) -> list[list[Any]]:
    if not isinstance(raw, list) or not all(isinstance(row, list) and len(row) == width for row in raw):
        raise ValueError("it is of another shape")
    return raw


def _as_path(raw: object) -> PurePosixPath:
    if not isinstance(raw, str) or str(PurePosixPath(raw)) != raw:
        raise ValueError(f"{raw!r} is not a path")
    if why := _unfit(PurePosixPath(raw), ours=True):
        raise ValueError(f"{raw!r} {why}")
    return PurePosixPath(raw)


def _as_signature(raw: object) -> _Signature | None:
    if raw is None:
        return None
    if not isinstance(raw, list) or len(raw) != 4 or any(type(number) is not int for number in raw):
        raise ValueError("a signature is not of four numbers")
    return raw[0], raw[1], raw[2], raw[3]


def _folders_of(paths: Iterable[PurePosixPath]) -> set[PurePosixPath]:
    return {folder for path in paths for folder in path.parents[:-1]}


def _vanishes(root: _Root, path: PurePosixPath, going: Collection[PurePosixPath], emptied: set[PurePosixPath]) -> bool:
    """Whether nothing stands in the folder but files that go and the folders that they empty."""
    folders = [path]
    while folders:
        folder = folders.pop()
        if folder not in emptied:
            return False
        with root.folder(folder) as descriptor, os.scandir(descriptor) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(folder / entry.name)
                elif folder / entry.name not in going:
                    return False
    return True


def _discard(root: _Root, stage: _Root) -> None:
    """Take a stage folder away, the journal first; a folder inside it is not ours and keeps it."""
    for name in (_JOURNAL, *_names(stage.descriptor)):
        with suppress(OSError):
            os.unlink(name, dir_fd=stage.descriptor)
    with suppress(OSError):
        os.rmdir(stage.directory.name, dir_fd=root.descriptor)


def _named(path: PurePosixPath, signature: _Signature | None) -> str:
    return repr(str(path)) + ("" if signature else " (not there before)")


def _changed(names: list[str], hint: str) -> ConflictError:
    more = [f"and {len(names) - 10} more"] if len(names) > 10 else []
    return ConflictError("the file changed meanwhile", sqlstate="IU217", detail=", ".join(names[:10] + more), hint=hint)


# ----------------------------------------------------------------------------------------------- one step at a time


@dataclass(frozen=True, slots=True)
class _Root:
    """An opened folder, and its name for messages."""

    descriptor: int
    directory: Path

    @classmethod
    def open(cls, directory: Path) -> _Root:
        return cls(os.open(directory, _FOLDER), directory.absolute())

    def close(self) -> None:
        os.close(self.descriptor)

    def refused(self, path: PurePosixPath, why: str) -> InvalidError:
        return _refused(f"{str(self.directory / path)!r} {why}")

    @contextmanager
    def naming(self, path: PurePosixPath) -> Iterator[None]:
        """Errors of the operating system name the file, not the one beside it."""
        try:
            yield
        except OSError as error:
            error.filename = str(self.directory / path)
            if error.filename2 is not None:
                del error.filename2
            raise

    @contextmanager
    def folder(self, path: PurePosixPath, *, make: bool = False) -> Iterator[int]:
        """A folder below. Each step opens relative to the descriptor before it: a swapped name leads nowhere.

        Raises:
            FileNotFoundError, NotADirectoryError: it is not there, or a file is; not if ``make``.
            InvalidError: IU031: a link or anything else stands in the way.
        """
        current = os.dup(self.descriptor)
        try:
            for depth, name in enumerate(path.parts, 1):
                try:
                    below = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=current)
                except FileNotFoundError:
                    if not make:
                        raise
                    with suppress(FileExistsError):  # somebody was faster; what it is, the next step decides
                        os.mkdir(name, dir_fd=current)
                    below = self._entered(current, PurePosixPath(*path.parts[:depth]), make=True)
                except OSError:
                    below = self._entered(current, PurePosixPath(*path.parts[:depth]), make=make)
                os.close(current)
                current = below
            yield current
        finally:
            os.close(current)

    def _entered(self, parent: int, path: PurePosixPath, *, make: bool) -> int:
        try:
            return os.open(path.name, _FOLDER | os.O_NOFOLLOW, dir_fd=parent)
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.ENOTDIR):
                raise
            status = os.stat(path.name, dir_fd=parent, follow_symlinks=False)
            if stat.S_ISREG(status.st_mode) and not make:
                raise
            raise self.refused(path, f"is {_kind(status)}, not a folder") from error

    @contextmanager
    def parent(self, path: PurePosixPath, *, make: bool = False) -> Iterator[int]:
        """The folder of a file; raises as ``folder``."""
        with self.naming(path), self.folder(path.parent, make=make) as descriptor:
            yield descriptor

    @contextmanager
    def nearest(self, path: PurePosixPath) -> Iterator[tuple[int, PurePosixPath]]:
        """The folder, or the nearest one above it that is there."""
        with ExitStack() as stack:
            for here in (path, *path.parents):
                with suppress(FileNotFoundError, NotADirectoryError):
                    descriptor = stack.enter_context(self.folder(here))
                    break
            yield descriptor, here

    def status(self, path: PurePosixPath | str) -> os.stat_result | None:
        """Of what stands there itself, never of what a link leads to."""
        path = PurePosixPath(path)
        with suppress(FileNotFoundError, NotADirectoryError), self.parent(path) as parent:
            return _status(parent, path.name)
        return None

    def present(self, parent: int, path: PurePosixPath) -> _Standing | None:
        """The regular file that stands there, if anything does."""
        status = _status(parent, path.name)
        if status is None:
            return None
        self.must_be_regular(path, status)
        return _Standing(parent, path.name, status)

    def must_be_regular(self, path: PurePosixPath, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise self.refused(path, f"is {_kind(status)}, not a regular file")

    def must_be_writable(self, folder: PurePosixPath, descriptor: int) -> None:
        if not os.access(".", os.W_OK | os.X_OK, dir_fd=descriptor, effective_ids=True):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self.directory / folder))

    def read(self, parent: int, path: PurePosixPath, limit: int) -> tuple[bytes, _Signature]:
        """The bytes of a regular file of at most ``limit`` bytes, and what it was then."""
        if self.present(parent, path) is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.directory / path))
        opened = _open_regular(parent, path.name)
        if opened is None:
            raise self.refused(path, "is not a regular file")
        descriptor, status = opened
        with os.fdopen(descriptor, "rb") as file:
            if status.st_size > limit:
                raise self.refused(path, f"is larger than {limit} bytes")
            data = file.read(status.st_size + 1)
            signature = _signature(status)
            if len(data) != status.st_size or _signature(os.fstat(descriptor)) != signature:
                raise _changed([repr(str(path))], "Run the command again when nobody writes the file.")
        return data, signature

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds everybody else off who asks for the same; the kernel takes the lock from a process that ends."""
        descriptor = os.open(".", _FOLDER, dir_fd=self.descriptor)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ConflictError(
                    "another iucore command is writing here",
                    sqlstate="IU217",
                    detail=str(self.directory),
                    hint="Run the command again when the other one is done.",
                ) from None
            yield
        finally:
            os.close(descriptor)


@dataclass(frozen=True, slots=True)
class _Standing:
    """A regular file that stands where another is to be."""

    parent: int
    name: str
    status: os.stat_result

    def holds(self, content: bytearray | int, length: int) -> bool:
        """Whether its bytes are these, or those of the file with this descriptor."""
        if self.status.st_size != length:
            return False
        try:
            opened = _open_regular(self.parent, self.name)
        except OSError:
            return False  # gone, or not readable
        if opened is None:
            return False
        descriptor, status = opened
        with os.fdopen(descriptor, "rb") as file:
            if _signature(status) != _signature(self.status):
                return False
            position = 0
            while block := file.read(_BLOCK):
                end = position + len(block)
                other = os.pread(content, len(block), position) if isinstance(content, int) else content[position:end]
                if block != other:
                    return False
                position = end
            return position == length


@contextmanager
def _beside(
    folder: int, name: str, content: Iterable[bytes] | bytes, old: _Standing | None, *, mode: int | None = None
) -> Iterator[tuple[bool, int]]:
    """Write a new file, unless ``old`` holds the same bytes: whether it is written, and the length.

    It is taken away when the block, which may rename it, raises. It has the mode given, or that of ``old``.
    """
    if old is not None:
        mode = stat.S_IMODE(old.status.st_mode)
    stream = iter((content,) if isinstance(content, bytes) else content)
    head = bytearray()
    for chunk in stream:
        head += chunk
        if len(head) > _MEMORY:
            break
    else:
        if old is not None and old.holds(head, len(head)):
            yield False, len(head)
            return
    descriptor = os.open(name, _CREATE, 0o666, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            file.write(head)
            head.clear()
            for chunk in stream:
                file.write(chunk)
            length = file.tell()
            file.flush()
            equal = length > _MEMORY and old is not None and old.holds(descriptor, length)
            if mode is not None:
                os.fchmod(descriptor, mode)
        if equal:
            os.unlink(name, dir_fd=folder)
        yield not equal, length
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=folder)
        raise


def _move(stage: _Root, staged: str, parent: int, name: str) -> None:
    try:
        os.rename(staged, name, src_dir_fd=stage.descriptor, dst_dir_fd=parent)
        return
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    # Another file system is mounted below the tree.
    temporary = f"{stage.directory.name}-{staged}.tmp"
    with suppress(FileNotFoundError):
        os.unlink(temporary, dir_fd=parent)
    descriptor = os.open(staged, _READ, dir_fd=stage.descriptor)
    with os.fdopen(descriptor, "rb") as file:
        mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
        with _beside(parent, temporary, iter(functools.partial(file.read, _BLOCK), b""), None, mode=mode):
            _sync_file(parent, temporary)
            os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
    _sync(parent)
    os.unlink(staged, dir_fd=stage.descriptor)


def _open_regular(folder: int, name: str) -> tuple[int, os.stat_result] | None:
    """None: it is something else. Opening waits for nobody, and follows no link."""
    try:
        descriptor = os.open(name, _READ, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):  # a link; a socket
            return None
        raise
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode):
        return descriptor, status
    os.close(descriptor)
    return None


def _names(folder: int) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries]


def _sync(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some file systems cannot, for folders
            raise


def _sync_file(folder: int, name: str) -> None:
    descriptor = os.open(name, _READ, dir_fd=folder)
    try:
        _sync(descriptor)
    finally:
        os.close(descriptor)


def _status(folder: int, name: str) -> os.stat_result | None:
    with suppress(FileNotFoundError):
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    return None


def _signature(status: os.stat_result) -> _Signature:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _is_same(status: os.stat_result | None, signature: _Signature | None) -> bool:
    return status is not None and stat.S_ISREG(status.st_mode) and _signature(status) == signature


def _kind(status: os.stat_result) -> str:
    return _KINDS.get(stat.S_IFMT(status.st_mode), "a device")

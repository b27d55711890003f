"""A folder, the manifest in it and the database, compared file by file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from iucore import units
from iucore.collections import ExportedCollection
from iucore.textcode import manifest
from iucore.textcode.align import closest
from iucore.textcode.export import (
    check_not_behind,
    check_ranges,
    current,
    file_digests,
    is_same,
    read_manifest,
    selected,
)
from iucore.textcode.manifest import Document, Manifest
from iucore.textcode.tree import Tree

if TYPE_CHECKING:
    from sqlalchemy import Connection

ALIKE = 0.6
"""From this similarity on a text is taken for another one that was edited and moved."""


@dataclass(frozen=True, slots=True)
class FileStatus:
    """One file of an export, or one that is new beside them.

    Attributes:
        path: below the folder.
        key: of its collection; None for a new file.
        file: ``unchanged``, ``edited``, ``renamed``, ``deleted`` or ``new``, compared with what was exported; ``-`` for
            a collection that has no file yet.
        database: ``unchanged``, ``moved on``, ``gone`` or ``new``, compared with what was exported; ``-`` for a new
            file.
        was: the path that a renamed file had.
    """

    path: str
    key: str | None
    file: str
    database: str
    was: str | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """What differs; ``odd`` names what stands in the folder and is no regular file."""

    manifest: Manifest
    files: tuple[FileStatus, ...]
    odd: tuple[str, ...]

    @property
    def different(self) -> list[FileStatus]:
        """The files that are not as they were exported, here or there."""
        return [each for each in self.files if (each.file, each.database) != ("unchanged", "unchanged")]


@dataclass(frozen=True, slots=True)
class Found:
    """The files of a folder beside what the manifest says.

    Attributes:
        digests: sha256 of each file of the export that is there, by the path in the manifest.
        current: the collections of the export as they are in the database now, by key.
        renamed: the path in the manifest to the path where its file stands now.
        new: files that belong to nothing in the manifest.
        odd: what is no regular file.
    """

    digests: Mapping[str, str]
    current: Mapping[str, ExportedCollection]
    renamed: Mapping[str, str]
    new: tuple[str, ...]
    odd: tuple[str, ...]


def look(connection: Connection, tree: Tree, old: Manifest) -> Found:
    """Read every file of an export, and find those that were renamed by what they hold.

    Raises:
        InvalidError: IU031, something stands where a file should; IU050, the manifest lies about a file.
    """
    with ThreadPoolExecutor(max_workers=1) as pool:
        reading = pool.submit(_read, tree, old)
        # The server works meanwhile.
        now = current(connection, [document.key for document in old.documents])
        digests = reading.result()
    documents = {document.path: document for document in old.documents} if old.layout == "documents" else {}
    known = file_digests(old)
    lost = {path: digest for path, digest in known.items() if path not in digests}
    extra = [str(path) for path in tree.scan() if str(path) not in known]
    renamed: dict[str, str] = {}
    if lost and extra:
        fresh = {path: tree.read(PurePosixPath(path)) for path in extra}
        by_digest = {digest: path for path, digest in lost.items()}
        for path, data in fresh.items():
            digest = hashlib.sha256(data).hexdigest()
            if (was := by_digest.pop(digest, None)) is not None:
                renamed[was], digests[was] = path, digest
        left = [path for path in lost if path in documents and path not in renamed]
        others = [path for path in extra if path not in renamed.values()]
        texts = [_text(connection, documents[path]) for path in left if others]
        for nth, other in closest(texts, [fresh[path].decode(errors="replace") for path in others], least=ALIKE):
            path = others[other]
            renamed[left[nth]], digests[left[nth]] = path, hashlib.sha256(fresh[path]).hexdigest()
    new = tuple(path for path in extra if path not in renamed.values())
    return Found(digests, now, renamed, new, tuple(tree.odd))


def _read(tree: Tree, old: Manifest) -> dict[str, str]:
    """The sha256 of each file that is there, by its path; one that is not edited is compared with the manifest."""
    documents = {document.path: document for document in old.documents} if old.layout == "documents" else {}
    digests = {}
    for path in sorted(old.files()):
        try:
            data = tree.read(PurePosixPath(path))
        except FileNotFoundError:
            continue
        digests[path] = hashlib.sha256(data).hexdigest()
        document = documents.get(path)
        if document is not None and digests[path] == document.sha256:
            check_ranges(document, data)
    return digests


def _text(connection: Connection, document: Document) -> str:
    shown = units.show_many(
        connection,
        addresses=[piece.address for piece in document.pieces],
        versions=[piece.version for piece in document.pieces],
    )
    return "".join(piece.body or "" for piece in shown)


def check_database(
    connection: Connection, old: Manifest, found: Mapping[str, ExportedCollection], moved: Iterable[Document]
) -> None:
    """That the manifest is of this database, and tells the truth about the versions of documents that moved on.

    Raises:
        InvalidError: IU050.
    """
    if old.documents and not any(document.key in found for document in old.documents):
        raise manifest.invalid("none of its collections is in this database")
    for document in old.documents:
        now = found.get(document.key)
        if now is not None and now.collection_id != document.collection:
            raise manifest.invalid(f"{document.path}: {document.key} is another collection in this database")
        if now is not None and (now.kind, now.title) != (document.kind, document.title):
            raise manifest.invalid(f"{document.path}: {document.key} has another kind or title in this database")
    check_not_behind(connection, old)
    stale = {
        (piece.address, piece.version, piece.sha256, piece.bytes): piece
        for document in moved
        for piece in document.pieces
    }
    asked = list(stale.values())
    truth = units.show_many(
        connection, addresses=[one.address for one in asked], versions=[one.version for one in asked], bodies=False
    )
    there = {(shown.address, shown.version): shown for shown in truth}
    for piece in asked:
        shown_piece = there.get((piece.address, piece.version))
        if shown_piece is None:
            raise manifest.invalid(f"{piece.address} has no version {piece.version} in this database")
        if (shown_piece.content_sha256, shown_piece.byte_length) != (piece.sha256, piece.bytes):
            raise manifest.invalid(f"{piece.address} version {piece.version} has another text in this database")


def status(connection: Connection, directory: Path) -> Status:
    """Compare a folder with what was exported into it, and that with the database.

    Raises:
        NotFoundError: IU044, the folder holds no export.
        InvalidError: IU031, IU050.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     done = export(connection, Path(folder), keys=["guide.md"])
    ...     status(connection, Path(folder)).different
    []
    """
    with Tree(directory) as tree:
        old = read_manifest(tree)
        there = look(connection, tree, old)
    found = there.current
    moved = [document for document in old.documents if not is_same(document, found.get(document.key))]
    check_database(connection, old, found, moved)
    moved_on = {document.key for document in moved}
    known = file_digests(old)
    files = []
    for document in old.documents:
        now = found.get(document.key)
        database = "gone" if now is None else "moved on" if document.key in moved_on else "unchanged"
        own = [document.path, *dict.fromkeys(piece.file for piece in document.pieces if piece.file is not None)]
        if document.steps is not None:
            own.append(document.steps)
        for path in own:
            if path != document.path and known[path] == there.digests.get(path):
                continue
            digest = there.digests.get(path)
            if digest is None:
                state = "deleted"
            elif digest != known[path]:
                state = "edited"
            else:
                state = "renamed" if path in there.renamed else "unchanged"
            was = path if path in there.renamed else None
            files.append(FileStatus(there.renamed.get(path, path), document.key, state, database, was))
    files += [FileStatus(path, None, "new", "-") for path in there.new]
    exported = {document.key for document in old.documents}
    for key in selected(connection, old.keys, old.prefix):
        if key not in exported:
            files.append(FileStatus(key, key, "-", "new"))
    return Status(old, tuple(dict.fromkeys(files)), there.odd)

"""Collections as a folder of text files, with a manifest that says which bytes are which piece."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote_to_bytes
from uuid import UUID

from iucore import collections
from iucore.collections import ExportedCollection, ExportedPiece
from iucore.errors import ConflictError, NotFoundError
from iucore.textcode import cut, manifest
from iucore.textcode.manifest import Document, Manifest, Piece
from iucore.textcode.tree import Tree, check_names

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from iucore.textcode.tree import Stage

    class Digest(Protocol):
        """What hashlib gives."""

        def update(self, data: bytes, /) -> None:
            """Take more bytes."""


MANIFEST = PurePosixPath(manifest.NAME)
ORDER = "ORDER"
"""The file that gives the order of a document in the layout of pieces; no piece's file is named so."""

_AT_ONCE = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export did. ``kept`` counts files that were edited and whose collection has not moved on."""

    documents: int
    pieces: int
    written: int
    unchanged: int
    removed: int
    kept: int
    byte_length: int
    change: int


@dataclass(frozen=True, slots=True)
class Standing:
    """A collection as it is in the database now. ``change`` is the newest that made it so."""

    key: str
    collection: UUID
    kind: str
    title: str
    change: int
    pieces: tuple[ExportedPiece, ...]

    def document(self, path: str, sha256: str, layout: str) -> Document:
        """Its entry in a manifest."""
        pieces = []
        start = 0
        for piece in self.pieces:
            file = None
            if layout == "pieces":
                file = piece_path(piece.address, self.key, piece.version if piece.pinned else None)
            pieces.append(
                Piece(
                    piece.address,
                    piece.version,
                    piece.content_sha256,
                    start,
                    piece.byte_length,
                    tuple(piece.members),
                    tuple(piece.within),
                    piece.pinned,
                    piece.label,
                    file,
                )
            )
            start += piece.byte_length
        steps = steps_path(self.key, path) if self.kind == "workflow" else None
        return Document(
            path, self.key, self.collection, self.kind, self.title, self.change, sha256, start, tuple(pieces), steps
        )


def current(connection: Connection, keys: Sequence[str]) -> dict[str, ExportedCollection]:
    """The collections among the keys that can be looked at now. Calls ``fn_iu_export_collections``."""
    return {each.key: each for each in collections.export_collections(connection, keys=keys)}


def is_same(document: Document, now: ExportedCollection | None) -> bool:
    """Whether a collection is what it was when it was exported."""
    return (
        now is not None
        and now.collection_id == document.collection
        and now.change_id <= document.change
        and now.composition_sha256 == document.composition_sha256()
    )


def standing(connection: Connection, now: Iterable[ExportedCollection]) -> dict[str, Standing]:
    """The collections with their pieces. Calls ``fn_iu_export_pieces``."""
    heads = {each.key: each for each in now}
    pieces: dict[str, list[ExportedPiece]] = {key: [] for key in heads}
    for piece in collections.export_pieces(connection, keys=list(heads)) if heads else ():
        pieces[piece.key].append(piece)
    found = {}
    for key, head in heads.items():
        change = max([head.change_id, *(piece.change_id for piece in pieces[key])])
        found[key] = Standing(key, head.collection_id, head.kind, head.title, change, tuple(pieces[key]))
    return found


def read_manifest(tree: Tree) -> Manifest:
    """The manifest of a folder.

    Raises:
        NotFoundError: IU044, there is none.
        InvalidError: IU050; IU031.
    """
    return manifest.load(manifest_bytes(tree))


def check_not_behind(connection: Connection, old: Manifest) -> None:
    """That the database has the changes that the files have: a standby may lag behind them.

    Raises:
        InvalidError: IU050.
    """
    newest = connection.exec_driver_sql("select max(change_id) from iucore.change").scalar_one() or 0
    if old.change > newest:
        raise manifest.invalid(
            f"it is of change {old.change}, and the newest of this database is {newest}",
            "A standby may be behind: name the primary with --url. Or the database was restored: export again to"
            " another folder.",
        )


def manifest_bytes(tree: Tree) -> bytes:
    """As ``read_manifest``, not yet looked into."""
    try:
        return tree.read(MANIFEST)
    except FileNotFoundError:
        raise NotFoundError(
            "the folder holds no export",
            sqlstate="IU044",
            detail=f"no {manifest.NAME} in {cut.printable(tree.directory)}",
            hint="Make one: iucore export --prefix KEY --to DIR",
        ) from None


def export(
    connection: Connection,
    directory: Path,
    *,
    keys: Sequence[str] = (),
    prefix: str | None = None,
    layout: str | None = None,
    discard_edits: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Exported:
    """Write collections as files, and the manifest beside them; all files or none appear.

    A file whose bytes are right already is not touched. One that was edited since the last export stays as it is when
    its collection has not moved on; when it has, the export refuses.

    Args:
        connection: of the caller; at REPEATABLE READ all files show one moment.
        directory: made if it does not exist.
        keys: of the collections.
        prefix: instead of keys: this collection and all below it. With neither, what the manifest there says.
        layout: ``documents``, a file for each collection (the default), or ``pieces``, a file for each piece.
        discard_edits: overwrite edited files.
        progress: called after each document with (done, in all).

    Raises:
        NotFoundError: IU003 (no such collection), IU044 (neither keys nor prefix nor a manifest).
        InvalidError: IU031 (a name that may not be, two names that are one, a link in the way), IU050, IU026.
        ConflictError: IU217, files were edited and would be overwritten; another export is there; IU212.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     export(connection, Path(folder), keys=["guide.md"]).written
    2
    """
    prefix = None if prefix is None else prefix.rstrip("/") or prefix
    if layout is not None and layout not in manifest.LAYOUTS:
        raise ValueError(f"layout must be one of {', '.join(manifest.LAYOUTS)}, not {layout!r}")
    if not keys and prefix is None:
        with Tree(directory) as tree:
            there = read_manifest(tree)
            keys, prefix, layout = there.keys, there.prefix, layout or there.layout
    found = current(connection, selected(connection, keys, prefix))
    missing = [key for key in keys if key not in found]
    if missing or not found:
        raise NotFoundError(
            "no such collection" if missing else "no collection at or below the prefix",
            sqlstate="IU003",
            detail=f"keys: {', '.join(missing)}" if missing else f"prefix: {prefix}",
            hint="See what there is: iucore collection list",
        )
    with Tree(directory, create=True) as tree:
        try:
            old = read_manifest(tree)
        except NotFoundError:
            old = Manifest(layout or "documents", prefix, tuple(sorted(keys)), ())
        new = Manifest(layout or old.layout, prefix, tuple(sorted(keys)) if prefix is None else (), ())
        if (old.layout, old.prefix, old.keys) != (new.layout, new.prefix, new.keys):
            raise ConflictError(
                "the folder holds another export",
                sqlstate="IU217",
                detail=f"there: {_described(old)}; asked for: {_described(new)}",
                hint="Export to another folder, or the same again: iucore export --to DIR",
            )
        check_not_behind(connection, old)
        renamed: Mapping[str, str] = {}
        known = file_digests(old)
        scanned = {str(path) for path in tree.scan()}
        if known.keys() - scanned and scanned - known.keys():
            from iucore.textcode.status import look  # which needs this module

            renamed = look(connection, tree, old).renamed
        return _Writer(connection, tree, old, discard_edits, renamed).write(new, list(found.values()), progress)


def _described(selection: Manifest) -> str:
    asked = f"--prefix {selection.prefix}" if selection.prefix is not None else " ".join(selection.keys)
    return f"{asked} (layout {selection.layout})"


def selected(connection: Connection, keys: Sequence[str], prefix: str | None) -> list[str]:
    """The keys; for a prefix, of its own collection and of every one below it that is no part of another."""
    if prefix is None:
        return sorted(set(keys))
    listed = collections.list_collections(connection, prefix=prefix, limit=None)
    return [each.key for each in listed if "#" not in each.key and f"{each.key}/".startswith(f"{prefix}/")]


def document_path(key: str, kind: str, prefix: str | None) -> PurePosixPath:
    """Where a collection stands below the folder of an export: its key, without the prefix, as a file's name.

    A workflow's file is Markdown, and gets a name that says so.

    >>> document_path("docs/a%20b.md", "file", "docs"), document_path("check", "workflow", None)
    (PurePosixPath('a b.md'), PurePosixPath('check.md'))
    """
    # The collection of the prefix itself is named by its last segment, as a file that is copied into a folder.
    path = cut.path_of_key(f"{prefix}/{key.rpartition('/')[2]}" if key == prefix else key, prefix or "")
    if kind == "workflow" and path.suffix not in cut.MARKDOWN_SUFFIXES:
        path = path.with_name(f"{path.name}.md")
    return path


def steps_path(key: str, path: str) -> str:
    """Where the steps of a workflow are shown, beside its text.

    >>> steps_path("check", "ops/check.md")
    'ops/check.steps.md'
    """
    return str(PurePosixPath(path).with_name(f"{key.rpartition('/')[2].removesuffix('.md')}.steps.md"))


def piece_path(address: str, key: str, version: int | None) -> str:
    """Where a piece stands in the layout of pieces; a version to which it is pinned stands beside it.

    >>> piece_path("docs/a.txt#one", "docs/a.txt", None), piece_path("shared/clause", "docs/a.md", 2)
    ('docs/a.txt/one.txt', 'shared/clause@2.md')
    """
    document, _, fragment = address.partition("#")
    names = [*document.split("/"), fragment] if fragment else document.split("/")
    path = "/".join(unquote_to_bytes(name).decode("utf-8", "surrogateescape") for name in names)
    suffix = PurePosixPath(key.partition("#")[0]).suffix.lower() if fragment else ".md"
    at = "" if version is None else f"@{version}"
    return f"{path}{at}{suffix if suffix in cut.FOLDER_SUFFIXES else '.md'}"


def order_text(document: Document) -> str:
    """The file that gives the order of a document: one member a line.

    >>> print(order_text(Document("a", "a", UUID(int=1), "file", "A", 1, "", 1, (Piece("a#x", 1, "", 0, 1, (1,)),))))
    # The order of a, one member a line. New lines may name a file of this export or the address of a piece.
    a#x
    <BLANKLINE>
    """
    lines = [
        f"# The order of {document.key}, one member a line. "
        "New lines may name a file of this export or the address of a piece."
    ]
    before = 0
    for line, member in order_lines(document):
        if member != before:
            lines.append(line)
        before = member
    return "\n".join(lines) + "\n"


def order_lines(document: Document) -> Iterator[tuple[str, int]]:
    """For each piece the line of its member in the order, and the number of the member."""
    for piece in document.pieces:
        if piece.within:
            yield f"collection {piece.within[0]}", piece.members[0]
        else:
            yield f"{piece.address}@{piece.version}" if piece.pinned else piece.address, piece.members[0]


def file_digests(old: Manifest) -> dict[str, str]:
    """The sha256 of every file of an export as it was written, by path."""
    found = {}
    for document in old.documents:
        if old.layout == "documents":
            found[document.path] = document.sha256
        else:
            found[document.path] = hashlib.sha256(order_text(document).encode()).hexdigest()
            found.update((piece.file, piece.sha256) for piece in document.pieces if piece.file is not None)
        if document.steps is not None:
            found[document.steps] = document.steps_sha256 or ""
    return found


def check_ranges(document: Document, data: bytes) -> None:
    """That the bytes of an unedited file are the pieces that the manifest says.

    Raises:
        InvalidError: IU050.
    """
    view = memoryview(data)
    for piece in document.pieces:
        if hashlib.sha256(view[piece.start : piece.start + piece.bytes]).hexdigest() != piece.sha256:
            raise manifest.invalid(
                f"{document.path}: bytes {piece.start} to {piece.start + piece.bytes} are not {piece.address}"
            )


class _Writer:
    """One export into one tree."""

    def __init__(
        self, connection: Connection, tree: Tree, old: Manifest, discard_edits: bool, renamed: Mapping[str, str]
    ) -> None:
        self.connection = connection
        self.tree = tree
        self.old = old
        self.discard_edits = discard_edits
        self.before = {
            document.collection: dataclasses.replace(document, path=renamed.get(document.path, document.path))
            for document in old.documents
        }
        self.known = file_digests(old)
        self.known |= {new: self.known[was] for was, new in renamed.items()}
        self.renamed = set(renamed)
        self.edited: list[str] = []
        self.done: set[str] = set()
        self.applied: set[str] = set()
        self.restore = True  # write files that were deleted
        self.kept = 0
        self.unchanged = 0

    def write(
        self, new: Manifest, found: list[ExportedCollection], progress: Callable[[int, int], None] | None
    ) -> Exported:
        with self.tree.stage() as stage:
            documents = []
            for number, document in enumerate(self.exported(stage, found, new), start=1):
                documents.append(document)
                if progress is not None:
                    progress(number, len(found))
            new = new.replaced(documents)
            check_names(PurePosixPath(path) for path in sorted(new.files()))
            removed = self.leave(stage, new)
            if self.edited:
                raise ConflictError(
                    "the export would overwrite files that were edited since the last one",
                    sqlstate="IU217",
                    detail="\n".join(map(cut.printable, sorted(set(self.edited)))),
                    hint="See what was edited with iucore plan DIR and bring it in with iucore apply DIR; or overwrite "
                    "it with --discard-edits.",
                )
            stage.put(MANIFEST, manifest.dump(new))
            done = stage.commit()
        return Exported(
            len(documents),
            sum(len(document.pieces) for document in documents),
            done.written,
            done.unchanged + self.unchanged,
            removed,
            self.kept,
            sum(document.bytes for document in documents),
            new.change,
        )

    def exported(self, stage: Stage, found: list[ExportedCollection], new: Manifest) -> Iterator[Document]:
        """Stage the files of collections; the entries of their documents."""
        before = {each.key: self.before.get(each.collection_id) for each in found}
        same = {each.key: old for each in found if (old := before[each.key]) is not None and is_same(old, each)}
        now = standing(self.connection, [each for each in found if each.key not in same])
        for each in found:
            entry = same.get(each.key) or now[each.key].document(self.path(each, new), "", new.layout)
            yield self.document(stage, entry, before[each.key], new.layout, same=each.key in same)

    def path(self, each: ExportedCollection, new: Manifest) -> str:
        """Where it stood, so that a file that was renamed keeps its name; else where its key says."""
        if (before := self.before.get(each.collection_id)) is not None:
            return before.path
        if new.layout == "pieces":
            return str(document_path(each.key, "file", None) / ORDER)
        return str(document_path(each.key, each.kind, new.prefix))

    def refresh(
        self, stage: Stage, keys: Sequence[str], files: Mapping[str, str], landed: Collection[str]
    ) -> list[Document]:
        """Stage the files of some collections; the entries in the manifest that change."""
        self.applied = set(files)
        self.restore = False
        self.known |= dict(files)
        changed = {
            document.collection: self.before[document.collection]
            for document in self.old.documents
            if document.path in self.renamed
        }
        for document in self.exported(stage, list(current(self.connection, keys).values()), self.old):
            # An edit made meanwhile stands on what was exported before, unless all of that has landed.
            if document.path not in self.edited or document.path in landed:
                changed[document.collection] = document
        return list(changed.values())

    def document(self, stage: Stage, entry: Document, before: Document | None, layout: str, *, same: bool) -> Document:
        """Stage the files of one collection; its entry, completed."""
        if layout == "pieces":
            entry = dataclasses.replace(entry, sha256=entry.sha256 or self.sha256(entry))
            order = order_text(entry).encode()
            self.put(stage, entry.path, hashlib.sha256(order).hexdigest(), lambda: [order], same=same)
            self.put_pieces(stage, entry)
        else:
            sha256 = self.put(stage, entry.path, entry.sha256, lambda: self.chunks(entry), same=same, document=before)
            entry = dataclasses.replace(entry, sha256=sha256)
        if entry.steps is not None:
            text = collections.render_workflow(self.connection, key=entry.key, format="checklist").encode()
            sha256 = hashlib.sha256(text).hexdigest()
            self.put(stage, entry.steps, sha256, lambda: [text], same=same)
            entry = dataclasses.replace(entry, steps_sha256=sha256)
        return entry

    def put(
        self,
        stage: Stage,
        path: str,
        sha256: str,
        chunks: Callable[[], Iterable[bytes]],
        *,
        same: bool,
        document: Document | None = None,
    ) -> str:
        """Stage a file unless it is right already, or was edited; the sha256 of what it should be.

        ``sha256`` is empty where only a render can tell it. ``same``: the collection has not moved on.
        """
        try:
            data = self.tree.read(PurePosixPath(path))
        except FileNotFoundError:
            present = None
        else:
            present = hashlib.sha256(data).hexdigest()
            if document is not None and present == document.sha256:
                check_ranges(document, data)
            del data
        if present is not None and present == sha256:
            self.unchanged += 1
            return sha256
        if present is not None and present != self.known.get(path) and not self.discard_edits:
            if same:
                self.kept += 1
                return sha256
            digest = hashlib.sha256()
            for chunk in chunks():
                digest.update(chunk)
            if present == digest.hexdigest():
                self.unchanged += 1
            else:
                self.edited.append(path)
            return digest.hexdigest()
        digest = hashlib.sha256()
        content = _hashed(chunks(), digest)
        if present is None and path in self.known and not self.restore:
            for _ in content:
                pass
        else:
            stage.put(PurePosixPath(path), content)
        return digest.hexdigest()

    def put_pieces(self, stage: Stage, document: Document) -> None:
        """Stage the files of pieces; a piece that stands in many documents has one."""
        bodies: dict[tuple[str, int], bytes] = {}

        def body(piece: Piece) -> Iterator[bytes]:
            if not bodies:
                for each in collections.render_pieces(self.connection, key=document.key):
                    bodies[each.address, each.version] = each.body.encode()
            yield bodies[piece.address, piece.version]

        for piece in document.pieces:
            if piece.file is not None and piece.file not in self.done:
                self.done.add(piece.file)
                same = self.known.get(piece.file) == piece.sha256
                self.put(stage, piece.file, piece.sha256, partial(body, piece), same=same)

    def chunks(self, each: Document) -> Iterator[bytes]:
        """The text; a large one piece by piece, which takes three statements instead of one."""
        if each.bytes <= _AT_ONCE:
            yield collections.render(self.connection, key=each.key).encode()
            return
        for piece in collections.render_pieces(self.connection, key=each.key):
            yield piece.body.encode()

    def sha256(self, each: Document) -> str:
        digest = hashlib.sha256()
        for chunk in self.chunks(each):
            digest.update(chunk)
        return digest.hexdigest()

    def leave(self, stage: Stage, new: Manifest) -> int:
        """Stage the removal of files whose collection or piece is no longer in the export."""
        left = sorted((self.old.files() | self.applied) - new.files() - self.renamed)
        removed = 0
        for path in left:
            try:
                present = hashlib.sha256(self.tree.read(PurePosixPath(path))).hexdigest()
            except FileNotFoundError:
                continue
            if present == self.known[path] or self.discard_edits:
                stage.remove(PurePosixPath(path))
                removed += 1
            else:
                self.edited.append(path)
        return removed


def _hashed(chunks: Iterable[bytes], digest: Digest) -> Iterator[bytes]:
    for chunk in chunks:
        digest.update(chunk)
        yield chunk


def refresh(
    connection: Connection,
    directory: Path,
    *,
    keys: Sequence[str],
    files: Mapping[str, str],
    renamed: Mapping[str, str],
    landed: Collection[str],
    trusted: str,
) -> list[str]:
    """Export some collections again after their files were applied, and leave the others; at REPEATABLE READ.

    Args:
        connection: of the caller.
        directory: that holds the export.
        keys: of the collections.
        files: sha256 of files as they were applied: these may be overwritten.
        renamed: the path in the manifest to the path where the file stands now.
        landed: paths of files whose text is what the database has now.
        trusted: sha256 of a manifest that was read as a whole before.

    Returns:
        The paths of files that were left as they are, since they were edited meanwhile.

    Raises:
        As ``export``.
    """
    with Tree(directory) as tree, tree.stage() as stage:
        data = manifest_bytes(tree)
        known = hashlib.sha256(data).hexdigest() == trusted and not renamed
        old = manifest.excerpt(data, keys) if known else None
        whole = old is None
        old = manifest.load(data) if old is None else old
        writer = _Writer(connection, tree, old, False, renamed)
        documents = writer.refresh(stage, keys, files, landed)
        if whole:
            by_id = {document.collection: document for document in (*old.documents, *documents)}
            new = old.replaced(by_id.values())
            if old.prefix is None:
                new = dataclasses.replace(new, keys=tuple(sorted({*old.keys, *(one.key for one in documents)})))
            check_names(PurePosixPath(path) for path in sorted(new.files()))
            writer.leave(stage, new)
            stage.put(MANIFEST, manifest.dump(new))
        else:
            stage.put(MANIFEST, manifest.spliced(data, documents))
        stage.commit()
        return sorted(set(writer.edited))

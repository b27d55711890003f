"""What the edits of an exported folder would do to the database: aligned, merged, and written down as governed calls.

Nothing here writes to the database or to the folder.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from iucore import collections, units
from iucore._call import Call
from iucore.errors import InvalidError
from iucore.textcode import cut, manifest, merge
from iucore.textcode.align import align, closest
from iucore.textcode.export import (
    Standing,
    current,
    file_digests,
    is_same,
    manifest_bytes,
    order_lines,
    standing,
)
from iucore.textcode.manifest import Document, Manifest, Piece
from iucore.textcode.status import ALIKE, Found, check_database, look
from iucore.textcode.tree import Tree, check_names

if TYPE_CHECKING:
    from sqlalchemy import Connection

Token = tuple[str, int]
"""``("member", number)``, ``("old", place)`` of an edited document, ``("new", n)`` or ``("put", n)``."""


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """One file that is not as it was exported.

    ``state`` is ``edited``, ``new``, ``renamed``, ``deleted``, ``landed`` (the database says the same already),
    ``generated`` (it was edited and is never read back) or ``moved on`` (it is as it was exported, and the database is
    not); ``was`` is the path that a renamed file had.
    """

    path: str
    key: str | None
    state: str
    was: str | None = None


@dataclass(frozen=True, slots=True)
class PlannedPiece:
    """One piece that would change.

    Attributes:
        path: of the file.
        key: of its collection.
        state: ``edited``, ``new``, ``moved``, ``split``, ``merged``, ``missing`` or ``conflict``.
        address: of the piece; a new one will get it.
        version: that was exported; None for a new piece.
        moved: whether it stands at another place too.
        forked: the piece that a clone with the edit takes the place of.
        old: its text as it was exported; None for a new piece.
        new: its text as it will be; None for one that leaves.
        elsewhere: keys of the other documents that an edit changes too.
        detail: what more there is to say.
    """

    path: str
    key: str
    state: str
    address: str
    version: int | None
    moved: bool = False
    forked: str | None = None
    old: str | None = None
    new: str | None = None
    elsewhere: tuple[str, ...] = ()
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What a document will be: the sha256 of its file now, and of its render after the apply."""

    path: str
    key: str
    file_sha256: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Base:
    """What a plan was made on: these collections and the heads of these pieces, as one digest."""

    keys: tuple[str, ...]
    addresses: tuple[str, ...]
    sha256: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What an apply would do.

    Attributes:
        manifest_sha256: of the manifest that it was made with.
        files: that are not as they were exported.
        pieces: that would change.
        unchanged: how many pieces stay as they are.
        calls: the governed calls, without reason, actor and request key.
        base: what it was made on.
        results: what each edited document will be.
        touched: keys of all documents of the export that it changes.
        applied: sha256 of each file that was read, by the path where it stands.
        marked: for each file with conflicts its text with conflict marks, by path.
    """

    manifest_sha256: str
    files: tuple[PlannedFile, ...]
    pieces: tuple[PlannedPiece, ...]
    unchanged: int
    calls: tuple[Call, ...]
    base: Base
    results: tuple[Result, ...]
    touched: tuple[str, ...]
    applied: Mapping[str, str] = field(default_factory=dict)
    marked: Mapping[str, str] = field(default_factory=dict)

    @property
    def conflicts(self) -> list[PlannedPiece]:
        """What must be settled before it can be applied."""
        return [piece for piece in self.pieces if piece.state == "conflict"]

    @property
    def missing(self) -> list[PlannedPiece]:
        """What leaves its collection when that is allowed."""
        return [piece for piece in self.pieces if piece.state in ("missing", "merged")]


def digest_of(connection: Connection, keys: Sequence[str], addresses: Sequence[str]) -> Base:
    """The state of collections and of the heads of pieces, now."""
    keys, addresses = sorted(set(keys)), sorted(set(addresses))
    digest = hashlib.sha256()
    found = current(connection, keys)
    for key in keys:
        now = found.get(key)
        digest.update(repr((key, now and (str(now.collection_id), now.composition_sha256))).encode())
    for shown in units.show_many(connection, addresses=addresses, bodies=False):
        used = {each.key for each in units.where_used(connection, address=shown.address)}
        digest.update(repr((shown.address, shown.head_version, shown.lifecycle, sorted(used))).encode())
    return Base(tuple(keys), tuple(addresses), digest.hexdigest())


def plan(
    connection: Connection,
    directory: Path,
    *,
    fork: bool = False,
    fork_pieces: Iterable[str] = (),
    level: int = 6,
    kind: str | None = None,
) -> Plan:
    """Align the edited files of a folder with their pieces, and merge them with what the database has become.

    Args:
        connection: of the caller; at REPEATABLE READ the plan sees one moment.
        directory: that holds the export.
        fork: clone each edited piece that also stands in other documents, instead of changing it there.
        fork_pieces: addresses to clone so.
        level: in new files, headings deeper than this one begin no piece.
        kind: of new pieces; None: that of the piece before, in new files ``text``.

    Raises:
        NotFoundError: IU044, the folder holds no export.
        InvalidError: IU012, IU013, IU014 (a file is not text, or too long), IU031, IU050, IU010 (a new file's name),
            IU053.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     done = export(connection, Path(folder), keys=["guide.md"])
    ...     _ = Path(folder, "guide.md").write_text("Second, edited.\\n# One\\n")
    ...     [(piece.state, piece.address) for piece in plan(connection, Path(folder)).pieces]
    [('edited', 'guide/two')]
    """
    with Tree(directory) as tree:
        data = manifest_bytes(tree)
        old = manifest.load(data)
        found = look(connection, tree, old)
        planner = _Planner(connection, tree, old, found, fork, frozenset(fork_pieces), level, kind)
        return planner.plan(hashlib.sha256(data).hexdigest())


@dataclass(slots=True)
class _Place:
    """One place of a piece in an edited document, and what the file makes of it."""

    path: str
    document: Document
    piece: Piece
    old: str
    new: str | None = None  # None: it is missing
    moved: bool = False
    merged_into: str | None = None
    dropped: bool = False  # with the nested collection in which it stands
    put: int | None = None  # the place that it was moved to, in another collection
    text: str | None = None  # what the piece will say here, when all is merged
    address: str = ""  # of the clone that takes its place
    landed: bool = False  # the database says so already
    conflict: str | None = None
    marked: str | None = None  # its text with conflict marks

    @property
    def owner(self) -> str:
        return self.piece.within[-1] if self.piece.within else self.document.key

    @property
    def member(self) -> int:
        return self.piece.members[-1]

    @property
    def name(self) -> str:
        return f"@{self.member}"


@dataclass(slots=True)
class _New:
    """A new piece; ``after`` is the place before it, whose kind it gets."""

    path: str
    document: Document
    body: str
    split_from: str | None
    after: _Place | None
    address: str = ""
    title: str = ""
    kind: str = "text"
    owner: str = ""  # the collection that gets it
    born: bool = True  # not when it turned out to be a piece of another file, or one that somebody else added here


@dataclass(slots=True)
class _Put:
    """One more place of a piece that exists, perhaps in the stead of another."""

    path: str
    document: Document
    address: str
    version: int | None
    place: _Place | None
    owner: str = ""  # the collection that gets it


@dataclass(slots=True)
class _Edited:
    """An edited document: its text as items in order, and the places in it by index."""

    path: str
    document: Document
    sha256: str
    places: list[_Place]
    items: list[Token] = field(default_factory=list)


class _Planner:
    def __init__(
        self,
        connection: Connection,
        tree: Tree,
        old: Manifest,
        found: Found,
        fork: bool,
        fork_pieces: frozenset[str],
        level: int,
        kind: str | None,
    ) -> None:
        self.connection = connection
        self.tree = tree
        self.old = old
        self.found = found
        self.fork = fork
        self.fork_pieces = fork_pieces
        self.level = level
        self.kind = kind
        self.current = found.current
        moved = [document for document in old.documents if not is_same(document, self.current.get(document.key))]
        check_database(connection, old, self.current, moved)
        self.moved = {document.key for document in moved}
        self.now: dict[str, Standing] = {}  # of the edited documents
        self.files: list[PlannedFile] = []
        self.edited_files: dict[str, str] = {}  # with the sha256 of each
        self.pieces: list[PlannedPiece] = []
        self.results: list[Result] = []
        self.edited: list[_Edited] = []
        self.new: list[_New] = []
        self.put: list[_Put] = []
        self.documents: list[cut.Document] = []  # of new files
        self.showing: dict[str, set[str]] = {}  # and in which a collection stands, by its key
        self.used: dict[str, set[str]] = {}  # keys of the documents in which a piece stands, by its address
        self.taken: dict[str, set[str]] = {}  # addresses of pieces, by the key of the document that they begin with
        self.ours: dict[str, list[list[Token]]] = {}  # the orders that the files make of a collection
        self.theirs: dict[str, list[Token]] = {}  # and the orders that the database has now
        self.fresh: dict[str, str] = {}  # in the layout of pieces: new files by the addresses that they would get
        self.named: dict[str, str] = {}  # and what a line of an order may call a piece
        self.clones: list[Call] = []
        self.edits: list[Call] = []
        self.swaps: list[Call] = []  # pins and replacements

    # ------------------------------------------------------------------------------------------------- the phases

    def plan(self, manifest_sha256: str) -> Plan:
        stand = {self.found.renamed.get(path, path) for path in self.old.files()} | set(self.found.new)
        check_names(PurePosixPath(path) for path in sorted(stand))
        self.compare_files()
        self.load()
        self.align()
        self.match_across_files()
        self.name_new_pieces()
        self.order_files()
        self.theirs = self.standing_orders()
        self.merge_texts()
        orders = self.merge_orders()
        composed = self.compose(orders)
        self.expect(orders)
        self.add_documents()
        self.report()
        calls = (
            *self.birth_calls(),
            *self.clones,
            *sorted(self.edits, key=lambda call: str(call.arguments["p_address"])),
            *composed,
            *self.swaps,
            *self.document_calls(),
        )
        keys = {edited.document.key for edited in self.edited}
        edited = [place for place in self.places() if place.new not in (None, place.old) and not place.address]
        addresses = {place.piece.address for place in edited}
        owners = {str(call.arguments["p_key"]) for call in (*composed, *self.swaps)}
        touched = keys | {
            document.key
            for document in self.old.documents
            if any(piece.address in addresses or owners.intersection(piece.within) for piece in document.pieces)
            or document.key in owners
        }
        changed = sum(piece.version is not None for piece in self.pieces)
        return Plan(
            manifest_sha256=manifest_sha256,
            files=tuple(self.files),
            pieces=tuple(self.pieces),
            unchanged=sum(len(document.pieces) for document in self.old.documents) - changed,
            calls=calls,
            base=digest_of(self.connection, sorted(keys), sorted(addresses | {put.address for put in self.put})),
            results=tuple(self.results),
            touched=tuple(sorted(touched | {result.key for result in self.results})),
            applied={
                **{self.found.renamed.get(path, path): digest for path, digest in self.edited_files.items()},
                **{
                    new.path: hashlib.sha256(new.body.encode()).hexdigest()
                    for new in self.new
                    if new.path in self.found.new
                },
            },
            marked=self.marked_files(),
        )

    def places(self) -> Iterator[_Place]:
        for edited in self.edited:
            yield from edited.places

    def compare_files(self) -> None:
        """Which files are edited, new, renamed or gone."""
        known = file_digests(self.old)
        documents = {document.path: document for document in self.old.documents}
        generated = {document.steps for document in self.old.documents}
        edited: dict[str, str] = {}
        for path in sorted(known):
            document, digest = documents.get(path), self.found.digests.get(path)
            stands = self.found.renamed.get(path, path)
            key = None if document is None else document.key
            if stands != path:
                self.files.append(PlannedFile(stands, key, "renamed", path))
            if digest is None:
                self.files.append(PlannedFile(path, key, "deleted"))
            elif digest != known[path]:
                state = "generated" if path in generated else "edited"
                if document is not None and self.landed(document, digest):
                    state = "landed"
                    self.results.append(Result(stands, document.key, digest, digest))
                self.files.append(PlannedFile(stands, key, state))
                if state == "edited":
                    edited[path] = digest
            elif document is not None and document.key in self.moved:
                self.files.append(PlannedFile(stands, key, "moved on"))
        for document in self.old.documents:
            if document.path in edited or any(piece.file in edited for piece in document.pieces):
                stands = self.found.renamed.get(document.path, document.path)
                if document.key not in self.current:
                    gone = "it was edited in the file, and the collection is gone in the database"
                    self.pieces.append(PlannedPiece(stands, document.key, "conflict", document.key, None, detail=gone))
                    continue
                digest = self.found.digests.get(document.path, "")
                self.edited.append(_Edited(stands, document, digest, []))
        self.edited_files = edited

    def landed(self, document: Document, digest: str) -> bool:
        """Whether the database says already what the file says."""
        if self.old.layout == "pieces" or document.key not in self.moved or document.key not in self.current:
            return False
        return hashlib.sha256(collections.render(self.connection, key=document.key).encode()).hexdigest() == digest

    def load(self) -> None:
        """The texts of the edited documents as they were exported, and the heads of their pieces."""
        wanted = {(one.address, one.version): one for each in self.edited for one in each.document.pieces}
        shown = self.show(list(wanted))
        for edited in self.edited:
            for piece in edited.document.pieces:
                body = shown[piece.address, piece.version].body or ""
                path = edited.path if piece.file is None else self.found.renamed.get(piece.file, piece.file)
                edited.places.append(_Place(path, edited.document, piece, body))
        self.shown = shown
        self.now = standing(self.connection, [self.current[edited.document.key] for edited in self.edited])
        rows = [row for now in self.now.values() for row in now.pieces]
        self.row = {row.members[-1]: row for row in rows}
        self.nested = dict(pair for row in rows for pair in zip(row.members, row.within, strict=False))
        for edited in self.edited:
            for piece in edited.document.pieces:
                for member, key in zip(piece.members, piece.within, strict=False):
                    if self.nested.get(member, key) != key:
                        raise manifest.invalid(f"{edited.document.path}: member {member} is not {key}")
        addresses = {address for address, _ in wanted}
        stale = {(row.address, row.head_version) for row in rows if row.address in addresses}
        shown.update(self.show([one for one in stale if one not in shown]))
        self.heads = {address: shown[address, version] for address, version in stale}

    def show(self, versions: list[tuple[str, int]]) -> dict[tuple[str, int], units.ShownPiece]:
        found = units.show_many(
            self.connection,
            addresses=[address for address, _ in versions],
            versions=[version for _, version in versions],
        )
        return {(shown.address, shown.version): shown for shown in found}

    def align(self) -> None:
        """Which part of an edited file is which piece."""
        if self.old.layout == "pieces":
            self.read_pieces()
            return
        for edited in self.edited:
            text = self.text(edited.path)
            places = edited.places
            suffix = PurePosixPath(edited.path).suffix
            found = align([place.old for place in places], text, suffix=suffix)
            before: _Place | None = None
            for part in found.parts:
                if part.base is not None:
                    before = places[part.base]
                    before.new, before.moved = part.body, part.moved
                    edited.items.append(("old", part.base))
                else:
                    split = None if part.split_from is None else places[part.split_from].piece.address
                    self.new.append(_New(edited.path, edited.document, part.body, split, before))
                    edited.items.append(("new", len(self.new) - 1))
                self.check_length(part.body, edited.path)
            for missing, into in found.merged.items():
                places[missing].merged_into = places[into].piece.address

    def check_length(self, body: str, path: str) -> None:
        if len(body) > units.MAX_BODY_BYTES // 4 and len(body.encode()) > units.MAX_BODY_BYTES:
            raise cut.FileError(
                f"a piece would be longer than {units.MAX_BODY_BYTES} bytes",
                sqlstate="IU014",
                detail=path,
                hint="Divide it by headings (Markdown) or blank lines (plain text).",
            )

    def read_pieces(self) -> None:
        """In the layout of pieces: the edited files of pieces, and the edited files of orders."""
        texts: dict[str, str] = {}
        # What a line may call a piece: the name of its file, with or without suffix; and its address.
        for path in self.found.new:
            address = _address_of(path, _beside_order(path, self.old))
            self.fresh[address] = path
            self.named[path] = self.named[path.removesuffix(PurePosixPath(path).suffix)] = address
        for piece in (piece for document in self.old.documents for piece in document.pieces if not piece.within):
            line = f"{piece.address}@{piece.version}" if piece.pinned else piece.address
            self.named[piece.file or ""] = line
        for edited in self.edited:
            for place in edited.places:
                file = place.piece.file
                if file in self.edited_files:
                    if file not in texts:
                        texts[file] = self.text(place.path)
                        self.check_length(texts[file], file)
                    place.new = texts[file]
                else:
                    place.new = place.old
            if edited.document.path in self.edited_files:
                self.read_order(edited)
            else:
                edited.items = [("old", index) for index in range(len(edited.places))]
        # A piece that one order lost and another gained has moved.
        lost = {place.piece.address: place for place in self.places() if place.new is None and not place.piece.pinned}
        for number, put in enumerate(self.put):
            if put.version is None and put.address in lost:
                place = lost.pop(put.address)
                put.place, place.put, place.new = place, number, texts.get(place.piece.file or "", place.old)

    def read_order(self, edited: _Edited) -> None:
        members: dict[str, list[list[int]]] = {}
        for index, (line, member) in enumerate(order_lines(edited.document)):
            slots = members.setdefault(line, [])
            if index and member == edited.places[index - 1].piece.members[0]:
                slots[-1].append(index)
            else:
                slots.append([index])
        folder = str(PurePosixPath(edited.document.path).parent)
        for number, line in enumerate(map(str.strip, self.text(edited.path).splitlines()), start=1):
            if not line or line.startswith("#"):
                continue
            line = self.named.get(f"{folder}/{line}") or self.named.get(line) or line
            if members.get(line):
                edited.items += [("old", index) for index in members[line].pop(0)]
            elif line in self.fresh:
                before = next((edited.places[token[1]] for token in reversed(edited.items) if token[0] == "old"), None)
                path = self.fresh.pop(line)
                self.new.append(_New(path, edited.document, self.text(path), None, before, line))
                edited.items.append(("new", len(self.new) - 1))
            else:
                self.put.append(self.added(edited, line, f"{edited.path}, line {number}: {line[:200]}"))
                edited.items.append(("put", len(self.put) - 1))
        kept = [token[1] for token in edited.items if token[0] == "old"]
        stay = {kept[position] for position in merge.increasing(kept)}
        for index, place in enumerate(edited.places):
            if index not in kept:
                place.new = None
            place.moved = index in kept and index not in stay

    def added(self, edited: _Edited, line: str, where: str) -> _Put:
        """The piece that a new line of an order names, perhaps with a version."""
        address, _, version = line.rpartition("@") if "@" in line else (line, "", "")
        own = [place for place in edited.places if not place.piece.within and place.piece.address == address]
        if any(place.piece.pinned != bool(version) or str(place.piece.version) != version for place in own if version):
            why, hint = "an order does not pin or unpin", "Do it with iucore collection pin, then export again."
        elif any(new.address == line for new in self.new):
            return _Put(edited.path, edited.document, line, None, None)
        elif (not version or version.isdecimal()) and units.show_many(
            self.connection, addresses=[address], versions=[int(version)] if version else None, bodies=False
        ):
            return _Put(edited.path, edited.document, address, int(version) if version else None, None)
        else:
            why = "a line of an order names nothing"
            hint = "Write the address of a piece, or the name of a file beside the order."
        raise InvalidError(why, sqlstate="IU053", detail=where, hint=hint)

    def text(self, path: str) -> str:
        try:
            return cut.decode(self.tree.read(PurePosixPath(path)))
        except InvalidError as error:
            if not error.detail.startswith(path):
                error.detail = f"{path}, {error.detail}"
            raise

    def match_across_files(self) -> None:
        """A new text that is, or resembles, a piece missing from another file is that piece."""
        lost = [place for place in self.places() if place.new is None and not place.piece.pinned]
        found = [
            (edited, position, self.new[token[1]])
            for edited in self.edited
            for position, token in enumerate(edited.items)
            if token[0] == "new" and self.old.layout == "documents"
        ]
        if not lost or not found:
            return
        equal = {new.body: nth for nth, (_, _, new) in reversed(list(enumerate(found)))}
        pairs = [(nth, equal.pop(place.old)) for nth, place in enumerate(lost) if place.old in equal]
        pairs += closest([place.old for place in lost], [new.body for _, _, new in found], least=ALIKE)
        for nth, other in pairs:
            place, (edited, position, new) = lost[nth], found[other]
            if place.put is None and new.born and place.document is not edited.document:
                place.put, place.new, place.merged_into = len(self.put), new.body, None
                self.put.append(_Put(edited.path, edited.document, place.piece.address, None, place))
                edited.items[position] = ("put", place.put)
                new.born = False

    def name_new_pieces(self) -> None:
        """Addresses below the key of their document, as the cutter gives them; titles and kinds."""
        first = {edited.path: edited.places[0] for edited in self.edited if edited.places}
        for new in self.new:
            if not new.born:
                continue
            segment = self.segment(new.body, new.path)
            new.title = segment.title
            new.address = new.address or self.free(new.document.key, segment.slug)
            like = new.after or first.get(new.path)
            if self.kind is not None:
                new.kind = self.kind
            elif like is not None:
                new.kind = self.shown[like.piece.address, like.piece.version].kind

    def free(self, key: str, slug: str) -> str:
        """An address for a new piece of a document that no piece has."""
        root = key.partition("#")[0]
        if root not in self.taken:
            listed = units.list_pieces(self.connection, prefix=f"{root}#", limit=None)
            self.taken[root] = {piece.address for piece in listed}
        address = _free(f"{root}#{slug}", self.taken[root])
        self.taken[root].add(address)
        return address

    # ------------------------------------------------------------------------------------------------------- texts

    def merge_texts(self) -> None:
        """One text for each edited piece, out of every place where a file edited it and of what the database has."""
        groups: dict[str, list[_Place]] = {}
        missing = {place.member: place for place in self.places() if place.new is None and not place.dropped}
        for place in self.places():
            if place.new is not None and place.new != place.old:
                groups.setdefault(place.piece.address, []).append(place)
                if (other := missing.get(place.member)) is not None:
                    self.clash(place, f"it was edited here, and taken out in {other.path}")
            elif place.new is None and not place.dropped and self.changed_there(place):
                self.clash(place, "it is missing in the file, and was edited in the database")
        for address, places in sorted(groups.items()):
            if any(place.conflict for place in places):
                continue
            forked = address in self.fork_pieces or (self.fork and bool(self.elsewhere(places[0])))
            if forked:
                for place in places:
                    self.fork_place(place)
            else:
                self.merge_piece(places)

    def changed_there(self, place: _Place) -> bool:
        row = self.row.get(place.member)
        return row is not None and (row.address, row.version) != (place.piece.address, place.piece.version)

    def lost_there(self, place: _Place) -> str | None:
        """Why an edit cannot land at its place any more."""
        row = self.row.get(place.member)
        if row is None:
            return "it was edited in the file, and taken out in the database"
        if row.address != place.piece.address:
            return f"it was edited in the file, and {row.address} was put in its place in the database"
        if row.pinned != place.piece.pinned or (row.pinned and row.version != place.piece.version):
            return "it was edited in the file, and its pin was changed in the database"
        return None

    def merge_piece(self, places: list[_Place]) -> None:
        first = places[0]
        head = self.heads.get(first.piece.address)
        for place in places:
            why = self.lost_there(place)
            if why is None and place.piece.pinned and head is not None and head.version != place.piece.version:
                why = f"it is pinned to version {place.piece.version}, and the piece has version {head.version} by now"
            if why is not None:
                self.clash(place, why)
        if head is None or any(place.conflict for place in places):
            return
        base, ours = first, first.new or ""
        for place in places[1:]:
            if place.piece.version != base.piece.version:
                self.clash(place, f"it was edited where it shows version {base.piece.version} too")
                return
            found = merge.merge_text(base.old, ours, place.new or "", names=(first.path, "exported", place.path))
            if found.text is None:
                self.clash(place, f"it was edited in {first.path} too, on the same lines", found.marked)
                return
            ours = found.text
        text = ours
        if head.version != base.piece.version:
            found = merge.merge_text(base.old, ours, head.body or "")
            if found.text is None:
                for place in places:
                    self.clash(place, "the same lines were edited in the database", found.marked)
                return
            text = found.text
        for place in places:
            place.text = text
        if text == head.body:
            for place in places:
                place.landed = True
            return
        version = head.head_version + 1
        self.edits.append(self.edit(first, first.piece.address, head.head_version, text, head.title))
        for place in places:
            if place.put is not None and place.piece.pinned:
                self.put[place.put].version = version
            elif place.piece.pinned:
                named = {"p_key": place.owner, "p_member": place.name, "p_version": version}
                self.swaps.append(Call("fn_iu_collection_pin", named))

    def edit(self, place: _Place, address: str, version: int, text: str, title: str) -> Call:
        """The call that gives a piece its text; a title that came from the text follows it."""
        named: dict[str, object] = {"p_address": address, "p_expected_version": version, "p_body": text}
        derived = self.segment(place.old, place.path).title
        if title == derived and (follows := self.segment(text, place.path).title) != derived:
            named["p_title"] = follows
        return Call("fn_iu_edit", named)

    def segment(self, body: str, path: str) -> cut.Segment:
        """What the cutter makes of the beginning of a piece."""
        name = PurePosixPath(path).name
        return cut.cut(body, suffix=PurePosixPath(path).suffix, name=cut.clean_title(name))[0]

    def fork_place(self, place: _Place) -> None:
        """A clone with the edit takes the place of the piece."""
        row, head = self.row.get(place.member), self.heads.get(place.piece.address)
        why = self.lost_there(place)
        if why is not None or row is None or head is None:
            self.clash(place, why or "it was taken out in the database")
            return
        if place.piece.within:
            others = self.shown_in(place.owner, place.document)
            if others:
                names = ", ".join(others)
                self.clash(place, f"it stands in {place.owner}, which {names} shows too: a clone would change that")
                return
        text, source = place.new or "", place.piece.version
        if not place.piece.pinned and head.version != source:
            found = merge.merge_text(place.old, text, head.body or "")
            if found.text is None:
                self.clash(place, "the same lines were edited in the database", found.marked)
                return
            text, source = found.text, head.version
        title = self.segment(text, place.path).title
        slug = cut.slugify(title) or "section"
        place.address = self.free(place.document.key, slug)
        place.text = text
        named = {"p_source": place.piece.address, "p_address": place.address, "p_version": source}
        self.clones.append(Call("fn_iu_clone", named))
        shown = self.shown[place.piece.address, source]
        self.clones.append(self.edit(place, place.address, 1, text, shown.title))
        if place.put is not None:
            self.put[place.put].address, self.put[place.put].version = place.address, None
            return
        named = {"p_key": place.owner, "p_member": place.name, "p_piece": place.address}
        self.swaps.append(Call("fn_iu_collection_replace", named))

    def shown_in(self, owner: str, document: Document) -> tuple[str, ...]:
        """The other documents that show a collection, and so every change of its order."""
        if owner not in self.showing:
            used = collections.where_used(self.connection, key=owner)
            self.showing[owner] = {each.key.partition("#")[0] for each in used}
        return tuple(sorted(self.showing[owner] - {document.key.partition("#")[0]}))

    def elsewhere(self, place: _Place) -> tuple[str, ...]:
        """The other documents in which a piece stands."""
        address = place.piece.address
        if address not in self.used:
            used = units.where_used(self.connection, address=address)
            self.used[address] = {each.key.partition("#")[0] for each in used}
        return tuple(sorted(self.used[address] - {place.document.key.partition("#")[0]}))

    def clash(self, place: _Place, why: str, marked: str | None = None) -> None:
        place.conflict, place.marked = why, (place.new or "") if marked is None else marked

    # ------------------------------------------------------------------------------------------------------ orders

    def order_files(self) -> None:
        """What the files make of the order of every collection that the edited documents are made of."""
        for edited in self.edited:
            for prefix, order in self.wanted(edited).items():
                self.ours.setdefault(_owner(edited.document, prefix), []).append(order)

    def merge_orders(self) -> dict[str, list[Token]]:
        """The order of every collection that the edited documents are made of, out of the files and the database."""
        base: dict[str, list[Token]] = {}
        owners: dict[str, _Edited] = {}
        for edited in self.edited:
            for prefix, order in _orders(edited.document.pieces).items():
                owner = _owner(edited.document, prefix)
                base[owner] = order
                owners.setdefault(owner, edited)
        orders = {}
        for owner, old in base.items():
            changed = [order for order in self.ours.get(owner, []) if order != old]
            wanted = changed[0] if changed else old
            if any(order != wanted for order in changed):
                raise InvalidError(
                    "the order of a collection was changed in two places, differently",
                    sqlstate="IU053",
                    detail=f"{owner}, in {owners[owner].path}",
                    hint="Change it in one place, or with: iucore collection reorder",
                )
            now = self.theirs.get(owner, [])
            wanted = self.recognised(wanted, [token for token in now if token not in old])
            orders[owner], clashes = merge.merge_order(old, wanted, now)
            for clash in clashes:
                self.clash(self.place_of(owners[owner], clash.token[1]), clash.why)
        return {**self.theirs, **orders}

    def wanted(self, edited: _Edited) -> dict[tuple[int, ...], list[Token]]:
        """What a file makes of the order of each collection in it.

        A nested collection is moved as one when its pieces still stand together; a piece that was moved out of its
        collection leaves it, and is put into the one where it stands now. What is new belongs to the collection of the
        piece before it.
        """
        places = edited.places
        found: dict[tuple[int, ...], list[Token]] = {}

        def members(token: Token) -> tuple[int, ...]:
            return places[token[1]].piece.members if token[0] == "old" else ()

        def walk(prefix: tuple[int, ...], items: list[Token]) -> None:
            depth = len(prefix)
            at_home = [token[0] == "old" and members(token)[:depth] == prefix for token in items]
            spans = _spans(items, at_home, depth, members)
            order: list[Token] = []
            position = 0
            while position < len(items):
                token = items[position]
                if position in spans:
                    child, end = spans[position]
                    order.append(("member", child))
                    walk((*prefix, child), items[position:end])
                    position = end
                    continue
                if token[0] != "old":
                    order.append(token)
                    (self.new if token[0] == "new" else self.put)[token[1]].owner = _owner(edited.document, prefix)
                elif at_home[position] and len(members(token)) == depth + 1:
                    order.append(("member", members(token)[depth]))
                else:
                    place = places[token[1]]
                    version = place.piece.version if place.piece.pinned else None
                    place.put = len(self.put)
                    put = _Put(edited.path, edited.document, place.piece.address, version, place)
                    put.owner = _owner(edited.document, prefix)
                    self.put.append(put)
                    order.append(("put", place.put))
                position += 1
            found[prefix] = order

        walk((), edited.items)
        # A nested collection none of whose pieces is left leaves as one, and stays what it is.
        for place in places:
            members_of = place.piece.members
            place.dropped = any(members_of[:depth] not in found for depth in range(1, len(members_of)))
        return found

    def standing_orders(self) -> dict[str, list[Token]]:
        """The order of every collection that the edited documents are made of now."""
        found: dict[str, list[Token]] = {}
        for edited in self.edited:
            now = self.now[edited.document.key]
            found.setdefault(now.key, [])
            for prefix, order in _orders(now.pieces).items():
                found[_owner(now, prefix)] = order
        return found

    def recognised(self, order: list[Token], added: list[Token]) -> list[Token]:
        """The order with the pieces that somebody added here and there alike taken for one."""
        rows = [self.row[token[1]] for token in added if token[1] in self.row]
        texts = {row.content_sha256: ("member", row.members[-1]) for row in reversed(rows)}
        found = []
        for token in order:
            if token[0] == "new" and texts:
                new = self.new[token[1]]
                same = texts.pop(hashlib.sha256(new.body.encode()).hexdigest(), None)
                if same is not None:
                    new.born = False
                    token = same
            found.append(token)
        return found

    def place_of(self, edited: _Edited, member: int) -> _Place:
        return next(place for place in edited.places if member in place.piece.members)

    def compose(self, orders: Mapping[str, list[Token]]) -> list[Call]:
        """The composer calls that make each order of what it is now."""
        calls = []
        for owner, order in sorted(orders.items()):
            for step in merge.steps(self.theirs.get(owner, []), order):
                kind, number = step.token
                named: dict[str, object] = {"p_key": owner}
                if step.verb == "add":
                    named["p_member"] = self.new[number].address if kind == "new" else self.put[number].address
                    if kind == "put" and self.put[number].version is not None:
                        named["p_version"] = self.put[number].version
                else:
                    named["p_member"] = f"@{number}"
                if step.at is not None:
                    named["p_at"] = step.at
                if step.anchor is not None:
                    named["p_anchor"] = f"@{step.anchor[1]}"
                calls.append(Call(f"fn_iu_collection_{step.verb}", named))
        return calls

    # --------------------------------------------------------------------------------------- what it all comes to

    def expect(self, orders: Mapping[str, list[Token]]) -> None:
        """The text of each edited document after the apply."""
        texts = {
            place.piece.address: place.text for place in self.places() if place.text is not None and not place.address
        }
        here = {place.member: place.text for place in self.places() if place.text is not None}
        fresh = {new.address: new.body for new in self.new if new.born}

        def text(owner: str) -> Iterator[str]:
            for kind, number in orders.get(owner, ()):
                if kind == "new":
                    yield self.new[number].body
                elif kind == "put":
                    put = self.put[number]
                    if put.place is not None and put.place.text is not None:
                        yield put.place.text
                    elif put.address in fresh:
                        yield fresh[put.address]
                    else:
                        floats = put.address in texts and put.version is None
                        yield texts[put.address] if floats else self.body(put.address, put.version)
                elif number in self.nested:
                    yield from text(self.nested[number])
                elif (own := here.get(number)) is not None:
                    yield own
                else:
                    row = self.row[number]
                    floats = row.address in texts and not row.pinned
                    yield texts[row.address] if floats else self.body(row.address, row.version)

        for edited in self.edited:
            if not any(place.conflict for place in edited.places):
                digest = hashlib.sha256()
                for part in text(edited.document.key):
                    digest.update(part.encode())
                self.results.append(Result(edited.path, edited.document.key, edited.sha256, digest.hexdigest()))

    def body(self, address: str, version: int | None) -> str:
        if version is None and address in self.heads:
            version = self.heads[address].version
        if version is None:
            return units.show(self.connection, address=address).body
        if (address, version) not in self.shown:
            self.shown.update(self.show([(address, version)]))
        return self.shown[address, version].body or ""

    def add_documents(self) -> None:
        """New files, cut into pieces."""
        if self.old.layout == "pieces":
            self.files += [PlannedFile(path, None, "new") for path in self.found.new]
            return
        documents = []
        for path in self.found.new:
            document = cut.cut_document(
                self.text(path), path=PurePosixPath(path), prefix=self.old.prefix or "", level=self.level
            )
            documents.append((path, document))
        taken = current(self.connection, [document.key for _, document in documents])
        addresses = [piece.address for _, document in documents for piece in document.pieces]
        born = {shown.address for shown in units.show_many(self.connection, addresses=addresses, bodies=False)}
        for path, document in documents:
            text = "".join(piece.body for piece in document.pieces)
            digest = hashlib.sha256(text.encode()).hexdigest()
            self.results.append(Result(path, document.key, digest, digest))
            if document.key in taken and collections.render(self.connection, key=document.key) == text:
                # Applied before, by a call whose folder was not brought up to date.
                self.files.append(PlannedFile(path, document.key, "landed"))
                continue
            self.files.append(PlannedFile(path, None, "new"))
            self.documents.append(document)
            for piece in document.pieces:
                detail = ""
                if document.key in taken:
                    detail = f"there is a collection {document.key}: rename the file, then iucore export --to DIR"
                elif piece.address in born:
                    detail = "a piece has this address: rename the file"
                state = "conflict" if detail else "new"
                self.pieces.append(
                    PlannedPiece(path, document.key, state, piece.address, None, new=piece.body, detail=detail)
                )

    def birth_calls(self) -> list[Call]:
        births = [
            {"address": new.address, "kind": new.kind, "title": new.title, "body": new.body}
            for new in self.new
            if new.born
        ]
        return [Call("fn_iu_create_many", {"p_pieces": json.dumps(births, ensure_ascii=False)})] if births else []

    def document_calls(self) -> list[Call]:
        made = cut.Plan(tuple(self.documents)).calls(reason="", kind=self.kind or "text")
        return [
            Call(call.function, {name: value for name, value in call.arguments.items() if name not in _SHARED})
            for call in made
        ]

    def report(self) -> None:
        """One line for each piece that changes, in the order of the files."""
        for edited in self.edited:
            key = edited.document.key
            for kind, number in edited.items:
                if kind == "new":
                    new = self.new[number]
                    state = "split" if new.split_from else "new"
                    detail = f"out of {new.split_from}" if new.split_from else ""
                    if not new.born:
                        continue
                    shown = self.shown_in(new.owner, new.document)
                    self.pieces.append(
                        PlannedPiece(
                            new.path, key, state, new.address, None, new=new.body, elsewhere=shown, detail=detail
                        )
                    )
                elif kind == "put":
                    self.report_put(edited, self.put[number])
                else:
                    self.report_place(edited.places[number])
            for place in edited.places:
                if place.new is None:
                    self.report_place(place)
        if self.old.layout == "pieces":
            # One file is one piece, in however many documents it stands.
            seen: dict[tuple[str, str, str], PlannedPiece] = {}
            for piece in self.pieces:
                seen.setdefault((piece.path, piece.address, piece.state), piece)
            self.pieces = list(seen.values())

    def report_put(self, edited: _Edited, put: _Put) -> None:
        detail = "stands here too"
        piece = PlannedPiece(edited.path, edited.document.key, "moved", put.address, put.version, True, detail=detail)
        shown = set(self.shown_in(put.owner, edited.document))
        if put.place is not None:
            place = put.place
            changed = place.new != place.old
            shown |= set(() if place.dropped else self.shown_in(place.owner, place.document))
            shown |= set(self.elsewhere(place) if changed and not place.address else ())
            piece = dataclasses.replace(
                piece,
                state="edited" if changed else "moved",
                version=place.piece.version,
                forked=place.piece.address if place.address else None,
                old=place.old if changed else None,
                new=place.text if changed else None,
                detail=f"from {place.document.path}",
            )
        self.pieces.append(dataclasses.replace(piece, elsewhere=tuple(sorted(shown - {edited.document.key}))))

    def report_place(self, place: _Place) -> None:
        """What happens to a piece at its place; one that was put elsewhere is reported there."""
        changed = place.new != place.old
        if place.conflict is not None:
            state, detail = "conflict", place.conflict
        elif place.put is not None and (place.new is None or self.put[place.put].path != place.path):
            return
        elif place.new is None:
            state = "missing" if place.merged_into is None else "merged"
            detail = "" if place.merged_into is None else f"into {place.merged_into}"
        elif changed and not place.landed:
            times = sum(piece.address == place.piece.address for piece in place.document.pieces)
            detail = f"stands {times} times in this document" if times > 1 else ""
            detail = f"as {place.address}, in place of {place.piece.address}" if place.address else detail
            state = "edited"
        elif place.moved or place.put is not None:
            state, detail = "moved", ""
        else:
            return
        self.pieces.append(
            PlannedPiece(
                place.path,
                place.document.key,
                state,
                place.address or place.piece.address,
                place.piece.version,
                place.moved or place.put is not None,
                place.piece.address if place.address else None,
                place.old if changed else None,
                place.new if place.text is None else place.text,
                self.changes_too(place),
                detail,
            )
        )

    def changes_too(self, place: _Place) -> tuple[str, ...]:
        """The other documents that change with a piece: by its text, or by its place."""
        found: set[str] = set()
        if place.new is not None and place.new != place.old and not place.address:
            found.update(self.elsewhere(place))
        if (place.new is None and not place.dropped) or place.moved or place.put is not None:
            found.update(self.shown_in(place.owner, place.document))
        return tuple(sorted(found))

    def marked_files(self) -> dict[str, str]:
        """The text of each file with conflicts, with marks around what clashes."""
        if self.old.layout == "pieces":
            return {place.path: place.marked for place in self.places() if place.marked is not None}
        found = {}
        for edited in self.edited:
            if any(place.marked is not None for place in edited.places):
                parts = []
                for kind, number in edited.items:
                    if kind == "old":
                        place = edited.places[number]
                        parts.append((place.new or "") if place.marked is None else place.marked)
                    elif kind == "new":
                        parts.append(self.new[number].body)
                    elif (from_place := self.put[number].place) is not None:
                        parts.append(from_place.new or "")
                found[edited.path] = "".join(parts)
        return found


_SHARED = ("p_reason", "p_actor", "p_request_key")


def _free(address: str, taken: Collection[str]) -> str:
    """The address, or the first one with a number behind it that is not taken.

    >>> _free("a#b", ["a#b", "a#b-2"])
    'a#b-3'
    """
    found, number = address, 1
    while found in taken:
        number += 1
        found = f"{address}-{number}"
    return found


def _beside_order(path: str, old: Manifest) -> str | None:
    """The key of the document in whose folder a file of the layout of pieces stands."""
    folder = PurePosixPath(path).parent
    return next((one.key for one in old.documents if PurePosixPath(one.path).parent == folder), None)


def _address_of(path: str, key: str | None) -> str:
    """The address of a new piece by its file; one that stands beside an order is a part of that document.

    >>> _address_of("a.md/one.md", "a.md"), _address_of("shared/clause.md", None)
    ('a.md#one', 'shared/clause')
    """
    plain = PurePosixPath(path)
    plain = plain.with_suffix("") if plain.suffix in cut.FOLDER_SUFFIXES else plain
    return cut.key_of_path(plain, "") if key is None else f"{key}#{cut.key_of_path(PurePosixPath(plain.name), '')}"


def _owner(document: Document | Standing, prefix: tuple[int, ...]) -> str:
    """The key of the collection to which memberships lead."""
    if not prefix:
        return document.key
    depth = len(prefix)
    return next(each.within[depth - 1] for each in document.pieces if tuple(each.members[:depth]) == prefix)


def _orders(pieces: Iterable[Piece | collections.ExportedPiece]) -> dict[tuple[int, ...], list[Token]]:
    """The members of each collection that pieces are in, in order, by the memberships that lead to it."""
    found: dict[tuple[int, ...], dict[Token, None]] = {(): {}}
    for piece in pieces:
        for depth, member in enumerate(piece.members):
            found.setdefault(tuple(piece.members[:depth]), {})["member", member] = None
    return {prefix: list(order) for prefix, order in found.items()}


def _spans(
    items: Sequence[Token], at_home: Sequence[bool], depth: int, members: Callable[[Token], tuple[int, ...]]
) -> dict[int, tuple[int, int]]:
    """Which runs of the items are nested collections: from where to (member, end)."""
    nested: dict[int, list[int]] = {}
    for position, token in enumerate(items):
        if at_home[position] and len(members(token)) > depth + 1:
            nested.setdefault(members(token)[depth], []).append(position)
    if not nested:
        return {}
    whole = {
        child: all(items[at][0] != "old" or at in own for at in range(own[0], own[-1] + 1))
        for child, own in nested.items()
    }
    stay = set(range(len(items)))
    if not all(whole.values()):
        home = [at for at in range(len(items)) if at_home[at]]
        stay = {home[nth] for nth in merge.increasing([items[at][1] for at in home])}
    spans = {}
    for child, own in nested.items():
        kept = own if whole[child] else [at for at in own if at in stay]
        if kept:
            end = kept[-1] + 1
            while end < len(items) and items[end][0] == "new":
                end += 1
            spans[kept[0]] = (child, end)
    return spans

"""The manifest of an export: which file is which collection, and which bytes of it are which piece."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

from iucore.errors import InvalidError
from iucore.textcode import cut
from iucore.textcode.tree import check_names

NAME = "iucore-manifest.json"
FORMAT = "iucore-export"
VERSION = 1
LAYOUTS = ("documents", "pieces")

_SHA256 = re.compile(r"[0-9a-f]{64}")
_HEX = re.compile(r"[0-9a-f]*")


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of a document.

    Attributes:
        address: of the piece.
        version: that the document shows.
        sha256: of its body, in hex.
        start: the byte of the document at which it begins.
        bytes: its length.
        members: numbers of the memberships that lead from the collection to the piece, the last one its own.
        within: keys of the nested collections on that way.
        pinned: whether the membership shows this version whatever the head becomes.
        label: of a workflow's step.
        file: where its text stands, in the layout of pieces.
    """

    address: str
    version: int
    sha256: str
    start: int
    bytes: int
    members: tuple[int, ...]
    within: tuple[str, ...] = ()
    pinned: bool = False
    label: str | None = None
    file: str | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """One collection as it was exported.

    Attributes:
        path: of its file below the folder; in the layout of pieces, of the file that gives their order.
        key: of the collection.
        collection: its id, which no other database has.
        kind: ``file`` or ``workflow``.
        title: of the collection.
        change: the newest change that made it what it is here.
        sha256: of the rendered text, in hex.
        bytes: the length of the rendered text.
        pieces: in order; their ranges cover the text without gap.
        steps: of a workflow, the file that shows its steps; written for readers, never read back.
        steps_sha256: of that file, in hex.
    """

    path: str
    key: str
    collection: UUID
    kind: str
    title: str
    change: int
    sha256: str
    bytes: int
    pieces: tuple[Piece, ...]
    steps: str | None = None
    steps_sha256: str | None = None

    def composition_sha256(self) -> str:
        """As ``fn_iu_export_collections`` computes it: equal when nothing has moved on."""
        lines = [
            f"{'/'.join(map(str, piece.members))} {piece.address} {piece.version} {piece.sha256} "
            f"{'t' if piece.pinned else 'f'}{'' if piece.label is None else f' {piece.label}'}\n"
            for piece in self.pieces
        ]
        return hashlib.sha256("".join(lines).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an export wrote; ``prefix`` or ``keys`` is what it was asked for."""

    layout: str
    prefix: str | None
    keys: tuple[str, ...]
    documents: tuple[Document, ...]

    @property
    def change(self) -> int:
        """The newest change that the export shows; 0 when it is empty."""
        return max((document.change for document in self.documents), default=0)

    def files(self) -> set[str]:
        """The paths of all files that belong to the export, but for the manifest."""
        found = {document.path for document in self.documents}
        for document in self.documents:
            found.update(piece.file for piece in document.pieces if piece.file is not None)
            if document.steps is not None:
                found.add(document.steps)
        return found

    def replaced(self, documents: Iterable[Document]) -> Manifest:
        """The same selection with these documents, in the order of their paths."""
        return dataclasses.replace(self, documents=tuple(sorted(documents, key=lambda one: one.path.encode())))


_DEFAULTS = {
    field.name: field.default for field in dataclasses.fields(Piece) if field.default is not dataclasses.MISSING
}
_ALWAYS = {field.name for field in dataclasses.fields(Piece)} - _DEFAULTS.keys()


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def dump(manifest: Manifest) -> bytes:
    """The bytes of a manifest: JSON with one piece a line, the same for the same export."""
    head: dict[str, Any] = {"format": FORMAT, "version": VERSION, "layout": manifest.layout}
    if manifest.prefix is not None:
        head["prefix"] = manifest.prefix
    else:
        head["keys"] = manifest.keys
    head["change"] = manifest.change
    lines = ["{"]
    lines += [f"{_dumped(name)}: {_dumped(value)}," for name, value in head.items()]
    lines.append('"documents": [')
    for document in manifest.documents:
        lines += _lines(document)
        lines[-1] += ","
    if manifest.documents:
        lines[-1] = lines[-1].removesuffix(",")
    lines += ["]", "}", ""]
    return "\n".join(lines).encode()


def _lines(document: Document) -> list[str]:
    fields = {
        field.name: getattr(document, field.name)
        for field in dataclasses.fields(Document)
        if field.name != "pieces" and getattr(document, field.name) is not None
    }
    fields["collection"] = str(document.collection)
    lines = [f'{_dumped(fields)[:-1]}, "pieces": [']
    for piece in document.pieces:
        line = (
            f'  {{"address": {_dumped(piece.address)}, "version": {piece.version}, "sha256": "{piece.sha256}", '
            f'"start": {piece.start}, "bytes": {piece.bytes}, "members": {list(piece.members)}'
        )
        for name, default in _DEFAULTS.items():
            if (value := getattr(piece, name)) != default:
                line += f', "{name}": {_dumped(value)}'
        lines.append(f"{line}}},")
    if document.pieces:
        lines[-1] = lines[-1].removesuffix(",")
    lines.append("]}")
    return lines


def excerpt(data: bytes, keys: Iterable[str]) -> Manifest | None:
    """Only the documents with these keys, of a manifest that ``load`` has read before; None when it must read it again.

    Reading all of a large manifest takes longer than applying one edit.

    Raises:
        As ``load``.
    """
    blocks = []
    for key in keys:
        found = _block(data, key)
        if found is None:
            return None
        blocks.append(data[slice(*found)].removesuffix(b","))
    begin, end = data.find(_DOCUMENTS), data.rfind(b"\n]\n}\n")
    if not 0 <= begin < end or b'"layout": "documents"' not in data[:begin]:
        return None
    changes = [json.loads(block)["change"] for block in blocks]
    head = re.sub(rb'"change": \d+,', b'"change": %d,' % max(changes, default=0), data[:begin])
    return load(head + _DOCUMENTS + b",\n".join(blocks) + data[end:])


def spliced(data: bytes, documents: Sequence[Document]) -> bytes:
    """A manifest with these documents in the place of those with their keys, out of which ``excerpt`` was taken."""
    change = int(re.search(rb'"change": (\d+),', data)[1])  # type: ignore[index]
    for document in documents:
        begin, end = _block(data, document.key)  # type: ignore[misc]
        block = "\n".join(_lines(document)).encode()
        data = data[:begin] + block + (b"," if data[begin:end].endswith(b",") else b"") + data[end:]
        change = max(change, document.change)
    return re.sub(rb'"change": \d+,', b'"change": %d,' % change, data, count=1)


_DOCUMENTS = b'\n"documents": [\n'


def _block(data: bytes, key: str) -> tuple[int, int] | None:
    """Where the lines of a document stand, with the comma behind them."""
    at = data.find(f', "key": {_dumped(key)}, "collection": '.encode())
    begin = data.rfind(b'\n{"path": ', 0, at) + 1 if at >= 0 else 0
    end = data.find(b"\n]}", at) + 3
    if not begin or end < at:
        return None
    return begin, end + (data[end : end + 1] == b",")


def load(data: bytes) -> Manifest:
    """Read a manifest, believing nothing: every name, type, path, number and range is looked at.

    Raises:
        InvalidError: IU050 with what is wrong and where; IU031 for a path that may not be.

    >>> load(dump(Manifest("documents", "guide", (), ()))).prefix
    'guide'
    """
    try:
        found = json.loads(data, parse_constant=_constant)
    except (ValueError, RecursionError) as error:
        if b"\n<<<<<<< " in data:
            raise InvalidError(
                "the manifest of the export has conflict marks",
                sqlstate="IU050",
                detail=NAME,
                hint=f"Take either side of it whole (git checkout --ours {NAME}); iucore apply DIR does the rest.",
            ) from None
        raise invalid(f"it is not JSON: {error}") from None
    head = _Reader(found, "the manifest")
    if head.text("format") != FORMAT:
        raise invalid(f"its format is not {FORMAT!r}")
    if (version := head.number("version")) != VERSION:
        raise invalid(f"its version is {version}, and this iucore reads version {VERSION}")
    layout = head.text("layout")
    if layout not in LAYOUTS:
        raise invalid(f"its layout is {layout!r}, not one of {', '.join(LAYOUTS)}")
    prefix = head.text("prefix") if "prefix" in head.fields else None
    keys = () if prefix is not None else tuple(head.texts("keys"))
    for key in keys if prefix is None else (prefix,):
        _key(key, "the manifest")
    change = head.number("change", least=0)
    documents = tuple(_document(each, number, layout) for number, each in enumerate(head.array("documents"), start=1))
    head.end()
    manifest = Manifest(layout, prefix, keys, documents)
    if change != manifest.change:
        raise invalid(f"its change is {change}, and that of its newest document {manifest.change}")
    _once("the key", [document.key for document in documents])
    _once("the collection", [str(document.collection) for document in documents])
    _once("the path", [document.path for document in documents])
    check_names(PurePosixPath(path) for path in sorted(manifest.files()))
    return manifest


def _document(value: Any, number: int, layout: str) -> Document:
    where = f"document {number}"
    reader = _Reader(value, where)
    path = reader.text("path")
    where = reader.where = f"document {number} ({path})"
    key = reader.text("key")
    _key(key, where)
    try:
        collection = UUID(text := reader.text("collection"))
    except ValueError:
        raise invalid(f"{where}: {text!r} is not the id of a collection") from None
    kind = reader.text("kind")
    if kind not in ("file", "workflow"):
        raise invalid(f"{where}: its kind is {kind!r}")
    title = reader.text("title")
    change = reader.number("change")
    sha256 = reader.sha256("sha256")
    length = reader.number("bytes", least=0)
    steps = reader.text("steps") if kind == "workflow" else None
    steps_sha256 = reader.sha256("steps_sha256") if steps is not None else None
    values = reader.array("pieces")
    reader.end()
    plain = _plain_pieces(values, length)
    if plain is not None and layout == "documents":
        return Document(path, key, collection, kind, title, change, sha256, length, tuple(plain), steps, steps_sha256)
    pieces = []
    start = 0
    for nth, each in enumerate(values, start=1):
        piece = _piece(each, f"{where}, piece {nth}", layout)
        if piece.start != start:
            raise invalid(f"{where}, piece {nth}: it begins at byte {piece.start}, and should at {start}")
        start += piece.bytes
        pieces.append(piece)
    if start != length:
        raise invalid(f"{where}: its pieces have {start} bytes, and it has {length}")
    _once(f"{where}: the membership", [str(piece.members) for piece in pieces])
    return Document(path, key, collection, kind, title, change, sha256, length, tuple(pieces), steps, steps_sha256)


def _plain_pieces(values: list[Any], length: int) -> list[Piece] | None:
    """As ``_piece``, of all pieces of a document: column by column, where they have the least that they must have and
    nothing is wrong, as in nearly every document. None: look at each."""
    if not all(type(value) is dict and value.keys() == _ALWAYS for value in values):
        return None
    addresses, versions, digests, starts, lengths, members = (
        [value[name] for value in values] for name in ("address", "version", "sha256", "start", "bytes", "members")
    )
    if (
        {*map(type, addresses), *map(type, digests)} <= {str}
        and {*map(type, versions), *map(type, starts), *map(type, lengths)} <= {int}
        and {*map(type, members)} <= {list}
        and {*map(len, members)} <= {1}
        and all(addresses)
        and "".join(addresses).isascii()
        and {*map(len, digests)} <= {64}
        and _HEX.fullmatch("".join(digests))
        and all(0 < version < 2**63 for version in versions)
        and min(lengths, default=0) >= 0
        and [*accumulate(lengths, initial=0)] == [*starts, length]
        and all(type(member) is int and 0 < member < 2**63 for (member,) in members)
        and len({member for (member,) in members}) == len(members)
    ):
        return [*map(Piece, addresses, versions, digests, starts, lengths, map(tuple, members))]
    return None


def _piece(value: Any, where: str, layout: str) -> Piece:
    reader = _Reader(value, where)
    piece = Piece(
        reader.text("address"),
        reader.number("version"),
        reader.sha256("sha256"),
        reader.number("start", least=0),
        reader.number("bytes", least=0),
        tuple(reader.numbers("members")),
        tuple(reader.texts("within")) if "within" in reader.fields else (),
        reader.flag("pinned") if "pinned" in reader.fields else False,
        reader.text("label") if "label" in reader.fields else None,
        reader.text("file") if layout == "pieces" else None,
    )
    if len(piece.members) != len(piece.within) + 1:
        raise invalid(f"{where}: {len(piece.members)} memberships lead through {len(piece.within)} collections")
    reader.end()
    return piece


class _Reader:
    """One object of the manifest; each name is taken once, and none may be left."""

    def __init__(self, value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise invalid(f"{where} is not an object")
        self.fields: dict[str, Any] = value
        self.where = where

    def take(self, name: str, shape: type) -> Any:
        value = self.fields.pop(name, None)
        if not isinstance(value, shape) or (isinstance(value, bool) and shape is not bool):
            raise invalid(f"{self.where}: {name!r} is missing, or not {_SHAPES[shape]}")
        return value

    def text(self, name: str) -> str:
        value: str = self.take(name, str)
        if not value.isprintable():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise invalid(f"{self.where}: {name!r} holds a lone surrogate") from None
        if not value:
            raise invalid(f"{self.where}: {name!r} is empty")
        return value

    def number(self, name: str, least: int = 1) -> int:
        value: int = self.take(name, int)
        if not least <= value < 2**63:
            raise invalid(f"{self.where}: {name!r} is {value}")
        return value

    def flag(self, name: str) -> bool:
        value: bool = self.take(name, bool)
        return value

    def sha256(self, name: str) -> str:
        value: str = self.take(name, str)
        if not _SHA256.fullmatch(value):
            raise invalid(f"{self.where}: {name!r} is not 64 hexadecimal digits")
        return value

    def array(self, name: str) -> list[Any]:
        value: list[Any] = self.take(name, list)
        return value

    def texts(self, name: str) -> list[str]:
        values = self.array(name)
        if not all(isinstance(value, str) for value in values):
            raise invalid(f"{self.where}: {name!r} holds more than texts")
        return values

    def numbers(self, name: str) -> list[int]:
        values = self.array(name)
        if not values or not all(type(value) is int and 0 < value < 2**63 for value in values):
            raise invalid(f"{self.where}: {name!r} is empty, or holds more than numbers")
        return values

    def end(self) -> None:
        for name in self.fields:
            raise invalid(f"{self.where}: the name {name!r} is unknown")


_SHAPES = {str: "a text", int: "a whole number", bool: "true or false", list: "an array"}


def _constant(name: str) -> None:
    raise ValueError(f"JSON has no {name}")


def _key(key: str, where: str) -> None:
    try:
        cut.check_address(key)
    except InvalidError as error:
        raise invalid(f"{where}: {error.detail or error.message} is not a key") from None


def _once(what: str, values: list[str]) -> None:
    if len(set(values)) < len(values):
        twice = next(value for value in values if values.count(value) > 1)
        raise invalid(f"{what} {twice} stands twice")


def invalid(
    why: str, hint: str = "Take the manifest back from version control, or export again to another folder."
) -> InvalidError:
    """The refusal of a manifest."""
    return InvalidError(
        "the manifest of the export is not as it was written",
        sqlstate="IU050",
        detail=f"{NAME}: {why}",
        hint=hint,
    )

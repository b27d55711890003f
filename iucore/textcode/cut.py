"""Cut documents into pieces at their structure, losing no byte.

Everything here is pure but ``discover`` and ``read_paths``, which read files, and ``reusable`` and ``apply``, which run
governed calls in the caller's transaction.
"""

from __future__ import annotations

import errno
import functools
import hashlib
import html
import io
import json
import os
import re
import stat
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_from_bytes, unquote_to_bytes

from iucore import _call, units
from iucore._call import Call
from iucore._check import MAX_BODY_BYTES
from iucore.errors import InvalidError

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from sqlalchemy import Connection

MARKDOWN_SUFFIXES = (".md", ".markdown")
FOLDER_SUFFIXES = (*MARKDOWN_SUFFIXES, ".txt")
MAX_ADDRESS_BYTES = 1024
MAX_FILE_BYTES = 256 * 1024 * 1024
MAX_TITLE = 300
MAX_SLUG = 60
UNTITLED = "(untitled)"

_BOM = "\ufeff"
_FRONT_MATTER_START = re.compile(r"---[ \t]*[\r\n]")
_SEGMENT = r"(?:[A-Za-z0-9._~-]|%[0-9A-F]{2})+"
_ENCODED_PLAIN = re.compile("%(?:00|2[DEF]|3[0-9]|4[1-9A-F]|5[0-9AF]|6[1-9A-F]|7[0-9AE])")
_ADDRESS = re.compile(rf"(?!\.\.?(?:[/#]|\Z)){_SEGMENT}(?:/(?!\.\.?(?:[/#]|\Z)){_SEGMENT})*(?:#{_SEGMENT})?")
_VERSIONED_FOLDERS = frozenset({".git", ".hg", ".svn"})


class CutError(Exception):
    """The cutter broke its own promise: the pieces do not join to the text, or the parser failed."""


class FileError(InvalidError):
    """A file that cannot become pieces; ``offset`` is the byte at which it breaks the rule, if there is one."""

    def __init__(self, message: str, *, sqlstate: str, detail: str = "", hint: str = "", offset: int | None = None):
        """As ``IucoreError``, with the byte offset kept as a number."""
        super().__init__(message, sqlstate=sqlstate, detail=detail, hint=hint)
        self.offset = offset


# ---------------------------------------------------------------------------------------------- text to segments


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of whole lines of one document.

    Attributes:
        kind: ``front-matter``, ``preamble``, ``section`` or ``paragraph``.
        level: of the heading that begins it, 1 to 6; 0 for what no heading begins.
        title: satisfies the rule for titles.
        slug: unique inside the document, ``[a-z0-9-]``.
        body: the text, exactly as it stands.
        line: the number of its first line, from 1.
    """

    kind: str
    level: int
    title: str
    slug: str
    body: str
    line: int


def split_lines(text: str) -> list[str]:
    r"""Lines with their ends. A line ends with ``\r\n``, ``\r`` or ``\n`` and with nothing else.

    >>> split_lines("a\r\nb\rc\x0cd\u2028e\n")
    ['a\r\n', 'b\r', 'c\x0cd\u2028e\n']
    """
    return io.StringIO(text, newline="").readlines()


def cut(text: str, *, suffix: str, level: int = 6, name: str = UNTITLED) -> list[Segment]:
    """Cut by the suffix of a file name: Markdown for ``.md`` and ``.markdown``, plain text for all others."""
    if suffix.lower() in MARKDOWN_SUFFIXES:
        return cut_markdown(text, level=level, name=name)
    return cut_text(text, name=name)


def cut_markdown(text: str, *, level: int = 6, name: str = UNTITLED) -> list[Segment]:
    r"""Cut Markdown at its headings of depth 1 to ``level``, by CommonMark's block structure.

    A heading inside a fence, an HTML block, a list or a block quote is text. Front matter is a piece of its own, and so
    is what stands before the first heading. Blank lines, link definitions and whatever else no block covers stay with
    the piece they follow. ``name`` is the title where the text offers none.

    >>> [(piece.kind, piece.title, piece.body) for piece in cut_markdown("Hello\n# One\n~~~\n# no\n~~~\nTwo\n===\n")]
    [('preamble', 'Hello', 'Hello\n'), ('section', 'One', '# One\n~~~\n# no\n~~~\n'), ('section', 'Two', 'Two\n===\n')]
    """
    if not 1 <= level <= 6:
        raise ValueError(f"level must be 1 to 6, not {level}")
    # A BOM hides front matter and a heading on the first line from the parser; it stays in the body of the first piece.
    source = text.removeprefix(_BOM)
    try:
        tokens = _parser(_FRONT_MATTER_START.match(source) is not None).parse(source)
    except Exception as error:
        raise CutError(f"the Markdown parser failed: {error!r}") from error
    lines = split_lines(text)
    starts: list[tuple[int, str, int, str]] = []
    first = tokens[0] if tokens else None
    if first is not None and first.type == "front_matter":
        starts.append((0, "front-matter", 0, ""))
        first = tokens[1] if len(tokens) > 1 else None
    headings = [
        (token.map[0], "section", int(token.tag[1]), tokens[index + 1].content)
        for index, token in enumerate(tokens)
        if token.type == "heading_open" and not token.level and token.map and int(token.tag[1]) <= level
    ]
    begin = headings[0][0] if headings else len(lines)
    if first is not None and first.map and first.map[0] < begin:
        starts.append((first.map[0], "preamble", 0, ""))
    elif not starts and "".join(lines[:begin]).removeprefix(_BOM).strip(" \t\r\n"):
        starts.append((0, "preamble", 0, ""))  # link definitions only: no token stands for them
    starts += headings
    if not starts:
        starts.append((0, "preamble", 0, ""))
    # Leading blank lines have nothing to follow: they belong to the first piece.
    starts[0] = (0, *starts[0][1:])
    ends = [start[0] for start in starts[1:]] + [len(lines)]
    drafts = []
    for (start, kind, depth, heading), end in zip(starts, ends, strict=True):
        body = "".join(lines[start:end])
        if kind == "section":
            title = clean_title(plain_heading(heading), fallback=UNTITLED)
            drafts.append(_Draft(kind, depth, title, slugify(title) or "section", body, start))
        elif kind == "preamble":
            drafts.append(_Draft(kind, 0, _first_words(body, fallback=name), kind, body, start))
        else:
            drafts.append(_Draft(kind, 0, "Front matter", kind, body, start))
    return _finished(text, drafts)


def cut_text(text: str, *, name: str = UNTITLED) -> list[Segment]:
    r"""Cut plain text into paragraphs: runs of lines that are not blank, each with the blank lines that follow.

    >>> [piece.body for piece in cut_text("\none\nmore\n\n\ntwo")]
    ['\none\nmore\n\n\n', 'two']
    """
    lines = split_lines(text)
    starts = [0]
    written = False  # the current paragraph has a line that is not blank
    blank = True  # the line before is blank
    for number, line in enumerate(lines):
        empty = not (line.removeprefix(_BOM) if number == 0 else line).strip()
        if not empty:
            if blank and written:
                starts.append(number)
            written = True
        blank = empty
    drafts = []
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        body = "".join(lines[start:end])
        title = _first_words(body, fallback=name)
        drafts.append(_Draft("paragraph", 0, title, slugify(title) or "section", body, start))
    return _finished(text, drafts)


@dataclass(slots=True)
class _Draft:
    kind: str
    level: int
    title: str
    slug: str
    body: str
    start: int


def _finished(text: str, drafts: list[_Draft]) -> list[Segment]:
    if "".join([draft.body for draft in drafts]) != text:
        raise CutError("the pieces do not join to the text that was cut; nothing may be stored")
    slugs = unique_slugs([draft.slug for draft in drafts])
    return [
        Segment(draft.kind, draft.level, draft.title, slug, draft.body, draft.start + 1)
        for draft, slug in zip(drafts, slugs, strict=True)
    ]


@functools.cache
def _parser(front_matter: bool) -> MarkdownIt:
    from markdown_it import MarkdownIt
    from mdit_py_plugins.front_matter import front_matter_plugin

    parser = MarkdownIt("commonmark")
    if front_matter:
        parser.use(front_matter_plugin)
    parser.core.ruler.enableOnly(["normalize", "block"])
    return parser


# --------------------------------------------------------------------------------------------- titles and addresses

_MARK = re.compile(r"[\[<*~_`\\&]")
_LINK = re.compile(r"!?\[([^\[\]]*)\](?:\((?:[^()]|\([^()]*\))*\)|\[[^\[\]]*\])?")
_AUTOLINK = re.compile(r"<([A-Za-z][A-Za-z0-9+.-]*:[^<>\s]*)>")
_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<!--.*?-->")
_STARS = re.compile(r"(?<=[^\s\\])[*~]+|(?<!\\)[*~]+(?=\S)")
_UNDERSCORES = re.compile(r"(?<![\w\\])_+(?=\S)|(?<=[^\s_\\])_+(?!\w)")
_CODE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
_SPACES = re.compile(r" {2,}")
# The characters that iucore.fn_iu_is_name refuses (a test compares the two), and the two that no database text holds.
_FORBIDDEN = re.compile(
    "[\x00\ud800-\udfff"
    r"\u0001-\u001f\u007f-\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f"
    r"\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0e\ufeff\uffa0\ufff0-\uffff"
    r"\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
_SLUG = {code: " " for code in range(128) if not chr(code).isalnum()} | {ord("'"): None}


def clean_title(text: str, *, fallback: str = UNTITLED) -> str:
    r"""The text made to satisfy the rule for titles: forbidden characters become spaces, spaces collapse, 300 remain.

    >>> clean_title(" a\u202eb\t\u200b c ")
    'a b c'
    """
    text = text[: 8 * MAX_TITLE]
    text = _FORBIDDEN.sub(" ", text)
    if "  " in text:
        text = _SPACES.sub(" ", text)
    text = text.strip(" ")[:MAX_TITLE].rstrip(" ")
    if text:
        return text
    return clean_title(fallback) if fallback != UNTITLED else UNTITLED


def plain_heading(source: str) -> str:
    """A heading's inline source without its commonest marks; not a parser of inlines.

    >>> plain_heading("The *new* [policy](https://example.org/a) for `fn_*` and snake_case")
    'The new policy for fn_* and snake_case'
    """
    source = source[: 8 * MAX_TITLE]
    if not _MARK.search(source):
        return source
    parts = []
    position = 0
    for code in _CODE.finditer(source):
        parts += [_plain_inline(source[position : code.start()]), code.group(2)]
        position = code.end()
    parts.append(_plain_inline(source[position:]))
    # A link whose text holds a code span is split by it; its two ends come together here.
    joined = "".join(parts)
    return _LINK.sub(r"\1", joined) if len(parts) > 1 and "](" in joined else joined


def _plain_inline(source: str) -> str:
    if "[" in source:
        source = _LINK.sub(r"\1", _LINK.sub(r"\1", source))  # twice: an image inside a link
    if "<" in source:
        source = _TAG.sub("", _AUTOLINK.sub(r"\1", source))
    if "*" in source or "~" in source:
        source = _STARS.sub("", source)
    if "_" in source:
        source = _UNDERSCORES.sub("", source)
    if "`" in source:
        source = source.replace("`", "")
    if "\\" in source:
        source = re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", source)
    return html.unescape(source) if "&" in source else source


def _first_words(body: str, *, fallback: str) -> str:
    words = clean_title(body, fallback="").split(" ") if body else [""]
    text = ""
    for word in words[:10]:
        if text and len(text) + len(word) >= 80:
            break
        text += f" {word}" if text else word
    if text in ("", UNTITLED):
        return clean_title(fallback)
    return text[:80]


def slugify(title: str) -> str:
    """The part of an address that a title gives: ``[a-z0-9-]``, at most 60 characters, possibly nothing.

    >>> slugify("Straße & Café: the 2nd")
    'strasse-cafe-the-2nd'
    """
    if title.isascii():
        text = title.lower()
    else:
        # Decompose before folding: styled capitals become plain capitals first.
        text = "".join([c for c in unicodedata.normalize("NFKD", title) if not unicodedata.combining(c)])
        text = _NOT_ASCII.sub(" ", text.replace("’", "").casefold())
    return "-".join(text.translate(_SLUG).split())[:MAX_SLUG].strip("-")


def unique_slugs(slugs: Sequence[str]) -> list[str]:
    """Number the repeated ones. A slug that stands by itself keeps its form, whatever comes before it.

    >>> unique_slugs(["foo", "foo", "foo-2"])
    ['foo', 'foo-3', 'foo-2']
    """
    natural = set(slugs)
    used: set[str] = set()
    counters: dict[str, int] = {}
    result = []
    for slug in slugs:
        candidate = slug
        while candidate in used or (candidate is not slug and candidate in natural):
            counters[slug] = counters.get(slug, 1) + 1
            number = f"-{counters[slug]}"
            candidate = slug[: MAX_SLUG - len(number)].rstrip("-") + number
        used.add(candidate)
        result.append(candidate)
    return result


def check_address(address: str) -> None:
    """Refuse what the grammar of addresses and keys does not allow (IU010)."""
    if len(address) > MAX_ADDRESS_BYTES:
        raise InvalidError(
            f"the address is longer than {MAX_ADDRESS_BYTES} bytes",
            sqlstate="IU010",
            detail=f"{len(address)} bytes: {address[:80]}...",
            hint="Use a shorter prefix, or shorter names of folders and files.",
        )
    if not _ADDRESS.fullmatch(address) or _ENCODED_PLAIN.search(address):
        raise InvalidError(
            "malformed address",
            sqlstate="IU010",
            detail=repr(address),
            hint="Segments of A-Z a-z 0-9 - . _ ~ and %XX, joined by '/'; none empty, '.' or '..'; nothing encoded "
            "that needs no encoding, no %2F or %00.",
        )


def key_of_path(path: PurePosixPath, prefix: str) -> str:
    """The key of a document: the prefix, unless it is empty, and the percent-quoted relative path.

    >>> key_of_path(PurePosixPath("a b/ä.md"), "docs")
    'docs/a%20b/%C3%A4.md'
    """
    _check_prefix(prefix)
    parts = (quote_from_bytes(os.fsencode(part), safe="") for part in path.parts)
    key = "/".join([prefix, *parts] if prefix else parts)
    if path.is_absolute() or not path.parts:
        raise InvalidError("not a relative path", sqlstate="IU010", detail=repr(str(path)))
    check_address(key)
    return key


def path_of_key(key: str, prefix: str) -> PurePosixPath:
    """The relative path from which ``key_of_path`` made the key; refuses every other key (IU031).

    >>> path_of_key("docs/a%20b/%C3%A4.md", "docs")
    PurePosixPath('a b/ä.md')
    """
    _check_prefix(prefix)

    def refused(why: str) -> InvalidError:
        return InvalidError(f"the key is not the name of a file: {why}", sqlstate="IU031", detail=f"key: {key}")

    above = f"{prefix}/" if prefix else ""
    if not key.startswith(above):
        raise refused(f"it does not stand below {prefix!r}")
    parts = []
    for segment in key.removeprefix(above).split("/"):
        name = unquote_to_bytes(segment)
        if name in (b"", b".", b".."):
            raise refused("a segment is empty, '.' or '..'")
        if b"/" in name or b"\0" in name:
            raise refused("a segment holds a quoted '/' or U+0000")
        if quote_from_bytes(name, safe="") != segment:
            # Otherwise two keys would name one file.
            raise refused(f"the segment {segment!r} is not in its canonical form")
        parts.append(os.fsdecode(name))
    return PurePosixPath(*parts)


def _check_prefix(prefix: str) -> None:
    if prefix:
        check_address(prefix)
    if "#" in prefix:
        raise InvalidError("a prefix has no fragment", sqlstate="IU010", detail=f"prefix: {prefix}")


# ----------------------------------------------------------------------------------------------------- documents


@dataclass(frozen=True, slots=True)
class Piece:
    """A segment with its address; ``byte_length`` and ``sha256`` (hex) are those of the body in UTF-8."""

    address: str
    kind: str
    level: int
    title: str
    body: str
    sha256: str
    byte_length: int


@dataclass(frozen=True, slots=True)
class Composition:
    """A collection to be created; a member is ``{"piece": address}`` or ``{"collection": key}``."""

    key: str
    kind: str
    title: str
    members: tuple[dict[str, str], ...]


@dataclass(frozen=True, slots=True)
class Document:
    """One file as pieces.

    Attributes:
        path: relative; where the document is written when it is rendered into a folder.
        key: of the collection that is the document.
        title: the first heading of depth 1, else the first heading, else the name of the file.
        pieces: in the order of the text.
        compositions: children before parents; the last one is the document itself.
    """

    path: PurePosixPath
    key: str
    title: str
    pieces: tuple[Piece, ...]
    compositions: tuple[Composition, ...]

    @property
    def byte_length(self) -> int:
        """Of the whole text."""
        return sum(piece.byte_length for piece in self.pieces)


def cut_document(
    text: str, *, path: PurePosixPath, prefix: str, level: int = 6, nest: bool = False, suffix: str | None = None
) -> Document:
    """Cut one text and give its pieces their addresses.

    Raises:
        InvalidError: IU010 for an address that is too long.
        FileError: IU014 for a piece over the limit, with the byte offset of the piece.
        CutError: the pieces do not join to the text.
    """
    key = key_of_path(path, prefix)
    name = clean_title(path.name, fallback=UNTITLED)
    segments = cut(text, suffix=path.suffix if suffix is None else suffix, level=level, name=name)
    pieces = []
    offset = 0
    for segment in segments:
        data = segment.body.encode()
        if len(data) > MAX_BODY_BYTES:
            raise FileError(
                f"a piece is longer than {MAX_BODY_BYTES} bytes",
                sqlstate="IU014",
                detail=f"{len(data)} bytes from line {segment.line}",
                hint="Divide it by headings (Markdown) or blank lines (plain text).",
                offset=offset,
            )
        offset += len(data)
        address = f"{key}#{segment.slug}"
        if len(address) > MAX_ADDRESS_BYTES:
            check_address(address)
        digest = hashlib.sha256(data).hexdigest()
        pieces.append(Piece(address, segment.kind, segment.level, segment.title, segment.body, digest, len(data)))
    sections = [piece for piece in pieces if piece.level]
    top = next((piece for piece in sections if piece.level == 1), sections[0] if sections else None)
    title = top.title if top is not None and top.title != UNTITLED else name
    compositions = _nested(key, title, pieces) if nest else (Composition(key, "file", title, _members(pieces)),)
    return Document(path, key, title, tuple(pieces), compositions)


def _members(pieces: Iterable[Piece]) -> tuple[dict[str, str], ...]:
    return tuple({"piece": piece.address} for piece in pieces)


def _nested(key: str, title: str, pieces: Sequence[Piece]) -> tuple[Composition, ...]:
    """One collection for every heading with deeper headings below it. Depth is bounded by the six levels."""
    done: list[Composition] = []
    root: list[dict[str, str]] = []
    open_sections: list[tuple[Piece, list[dict[str, str]]]] = []

    def close() -> None:
        piece, members = open_sections.pop()
        done.append(Composition(piece.address, "file", piece.title, tuple(members)))

    for piece, follower in zip(pieces, [*pieces[1:], None], strict=True):
        while open_sections and open_sections[-1][0].level >= piece.level:
            close()
        parent = open_sections[-1][1] if open_sections else root
        if piece.level and follower is not None and follower.level > piece.level:
            parent.append({"collection": piece.address})
            open_sections.append((piece, [{"piece": piece.address}]))
        else:
            parent.append({"piece": piece.address})
    while open_sections:
        close()
    done.append(Composition(key, "file", title, tuple(root)))
    return tuple(done)


# ------------------------------------------------------------------------------------------------------- reading


@dataclass(frozen=True, slots=True)
class Source:
    """A file to read, and the relative path that names its document. ``listed``: found in a folder, not named."""

    path: Path
    relative: PurePosixPath
    listed: bool = False


@dataclass(frozen=True, slots=True)
class BadFile:
    """A file that cannot be cut.

    Attributes:
        path: as it was given or found.
        code: one of ours (IU012, ...), or the name of an operating system's error (ENOENT, ...), or ``parser``.
        message: what is wrong.
        offset: the byte at which it is wrong; None where no single byte is.
        hint: what to do; may be empty.
    """

    path: str
    code: str
    message: str
    offset: int | None = None
    hint: str = ""

    def __str__(self) -> str:
        """One line, printable whatever bytes the name is made of."""
        where = "" if self.offset is None else f" at byte {self.offset}"
        return f"{printable(self.path)}: {self.message}{where} ({self.code})"


def printable(path: str | Path) -> str:
    r"""A file name for people: bytes that are not UTF-8 and control characters are shown as ``\xNN``.

    >>> printable("a\udcff.md")
    'a\\xff.md'
    """
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join([c if c.isprintable() else c.encode("unicode_escape").decode() for c in text])


@dataclass(frozen=True, slots=True)
class Found:
    """What ``discover`` found: the files to read, what cannot be read, and the links it did not follow."""

    sources: tuple[Source, ...]
    bad: tuple[BadFile, ...]
    links: tuple[str, ...]


def discover(paths: Iterable[str | Path], *, include: Sequence[str] = (), cwd: Path | None = None) -> Found:
    """Turn files, folders and globs into sources, in the order given; a folder's files are sorted by their bytes.

    A file that is named keeps its path below ``cwd``, or its base name if it stands elsewhere; a file found in a folder
    has its path below that folder. A folder gives ``.md``, ``.markdown`` and ``.txt``, or what matches one of
    ``include`` (against the name or the path below the folder). Folders of version control are passed over. No
    symbolic link is followed, unless it is itself what was named.
    """
    here = Path.cwd() if cwd is None else cwd
    search = _Search(include)
    for given in paths:
        path = Path(os.path.normpath(here / given))
        if os.path.lexists(path):
            if path.is_dir():
                search.folder(path)
            else:
                search.sources.append(Source(path, _below(path, here) or PurePosixPath(path.name)))
        elif any(mark in str(given) for mark in "*?["):
            search.glob(path, here)
        else:
            search.bad.append(_os_error(str(given), OSError(errno.ENOENT, os.strerror(errno.ENOENT))))
    return Found(tuple(search.sources), tuple(search.bad), tuple(search.links))


def _below(path: Path, folder: Path) -> PurePosixPath | None:
    return PurePosixPath(path.relative_to(folder)) if path.is_relative_to(folder) else None


class _Search:
    def __init__(self, include: Sequence[str]) -> None:
        self.include = include
        self.sources: list[Source] = []
        self.bad: list[BadFile] = []
        self.links: list[str] = []

    def entries(self, folder: Path) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as found:
                return sorted(found, key=lambda entry: os.fsencode(entry.name))
        except OSError as error:
            self.bad.append(_os_error(str(folder), error))
            return []

    def folder(self, root: Path) -> None:
        found: list[Source] = []
        folders = [root]
        while folders:
            for entry in self.entries(folders.pop()):
                path = Path(entry.path)
                relative = PurePosixPath(path.relative_to(root))
                if entry.is_symlink():
                    if self.wanted(relative) or path.is_dir():
                        self.links.append(entry.path)
                elif entry.is_dir(follow_symlinks=False):
                    if entry.name not in _VERSIONED_FOLDERS:
                        folders.append(path)
                elif entry.is_file(follow_symlinks=False) and self.wanted(relative):
                    found.append(Source(path, relative, listed=True))
        self.sources += sorted(found, key=lambda source: os.fsencode(str(source.relative)))

    def wanted(self, relative: PurePosixPath) -> bool:
        if not self.include:
            return relative.suffix.lower() in FOLDER_SUFFIXES
        return any(
            fnmatchcase(relative.name, pattern) or fnmatchcase(str(relative), pattern) for pattern in self.include
        )

    def glob(self, pattern: Path, here: Path) -> None:
        parts = pattern.parts
        first = next(index for index, part in enumerate(parts) if any(mark in part for mark in "*?["))
        root = Path(*parts[:first])
        found = dict.fromkeys(self.matches(root, parts[first:])) if root.is_dir() else {}
        if not found:
            self.bad.append(BadFile(str(pattern), "ENOENT", "no file matches the pattern"))
        for path in sorted(found, key=os.fsencode):
            relative = _below(path, here) or PurePosixPath(path.relative_to(root))
            self.sources.append(Source(path, relative, listed=True))

    def matches(self, folder: Path, parts: tuple[str, ...]) -> Iterator[Path]:
        """Files below the folder; as in a shell, a name that begins with a dot only matches a dot."""
        head, rest = parts[0], parts[1:]
        if head == "**":
            yield from self.matches(folder, rest or ("*",))
        for entry in self.entries(folder):
            if entry.name.startswith(".") and not head.startswith("."):
                continue
            if not (head == "**" or fnmatchcase(entry.name, head)):
                continue
            path = Path(entry.path)
            if entry.is_symlink():
                if not rest or path.is_dir():
                    self.links.append(entry.path)
            elif entry.is_dir(follow_symlinks=False):
                if head == "**":
                    yield from self.matches(path, parts)
                elif rest:
                    yield from self.matches(path, rest)
            elif not rest and head != "**" and entry.is_file(follow_symlinks=False):
                yield path


def read_text(source: Source) -> str:
    """The text of one regular file.

    Raises:
        FileError: IU012 (U+0000) or IU013 (not UTF-8), with the byte offset; IU014 (over 256 MiB, the limit of a
            render); IU031 (not a regular file).
        OSError: it cannot be read.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY | (os.O_NOFOLLOW if source.listed else 0)
    descriptor = os.open(source.path, flags)  # O_NONBLOCK: opening a named pipe must not wait for a writer
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise FileError("not a regular file", sqlstate="IU031")
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise FileError(f"the file is longer than {MAX_FILE_BYTES} bytes", sqlstate="IU014", offset=MAX_FILE_BYTES)
    return decode(data)


def decode(data: bytes) -> str:
    """Bytes as text; refuses U+0000 (IU012) and what is not UTF-8 (IU013), whichever comes first."""
    zero = data.find(b"\0")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        if zero < 0 or error.start < zero:
            raise FileError(
                "not UTF-8",
                sqlstate="IU013",
                detail=f"byte offset: {error.start}",
                hint="Convert it, for example with: iconv -f latin1 -t utf-8",
                offset=error.start,
            ) from None
        text = ""
    if zero >= 0:
        raise FileError(
            "the text holds U+0000",
            sqlstate="IU012",
            detail=f"byte offset: {zero}",
            hint="Is it a binary file? PostgreSQL cannot store U+0000 in text.",
            offset=zero,
        )
    return text


def _os_error(path: str, error: OSError) -> BadFile:
    code = errno.errorcode.get(error.errno or 0, "EIO")
    return BadFile(path, code, error.strerror or str(error))


def read_paths(
    paths: Iterable[str | Path],
    *,
    prefix: str,
    level: int = 6,
    nest: bool = False,
    include: Sequence[str] = (),
    keep_going: bool = False,
    progress: Callable[[int, int, Source], None] | None = None,
    cwd: Path | None = None,
) -> Plan:
    """Read and cut every file. Bad files are collected, never raised: look at ``Plan.bad``.

    Args:
        paths: files, folders and globs; see ``discover``.
        prefix: of the keys, such as ``policies``.
        level: headings deeper than this one do not begin a piece.
        nest: a heading with deeper headings becomes a collection of its own.
        include: globs for the files of folders, instead of ``.md``, ``.markdown`` and ``.txt``.
        keep_going: whether ``Plan.calls`` works in spite of bad files.
        progress: called after each file with (files done, files in all, the file).
        cwd: stands for the current folder.

    Raises:
        InvalidError: IU010 for a malformed prefix.
    """
    _check_prefix(prefix)
    if not 1 <= level <= 6:
        raise ValueError(f"level must be 1 to 6, not {level}")
    found = discover(paths, include=include, cwd=cwd)
    bad = list(found.bad)
    documents: list[Document] = []
    taken: dict[PurePosixPath, Path] = {}
    for number, source in enumerate(found.sources, start=1):
        first = taken.setdefault(source.relative, source.path)
        if first is source.path:
            try:
                text = read_text(source)
                documents.append(
                    cut_document(text, path=source.relative, prefix=prefix, level=level, nest=nest, suffix=None)
                )
            except FileError as error:
                bad.append(BadFile(str(source.path), error.sqlstate, error.message, error.offset, error.hint))
            except InvalidError as error:
                bad.append(BadFile(str(source.path), error.sqlstate, error.message, hint=error.hint))
            except OSError as error:
                bad.append(_os_error(str(source.path), error))
            except CutError as error:
                bad.append(BadFile(str(source.path), "parser", str(error)))
        elif first != source.path:
            bad.append(
                BadFile(
                    str(source.path),
                    "IU031",
                    f"would have the same key as {printable(first)}",
                    hint="Cut them with two prefixes, or from the folder that holds both.",
                )
            )
        if progress is not None:
            progress(number, len(found.sources), source)
    return Plan(tuple(documents), tuple(bad), found.links, len(found.sources), keep_going)


# --------------------------------------------------------------------------------------------------------- plans


@dataclass(frozen=True, slots=True)
class Plan:
    """What a cut would do. ``links`` are the symbolic links that were not followed; ``files`` counts those read."""

    documents: tuple[Document, ...]
    bad: tuple[BadFile, ...] = ()
    links: tuple[str, ...] = ()
    files: int = 0
    keep_going: bool = False

    @property
    def pieces(self) -> int:
        """How many pieces the documents have."""
        return sum(len(document.pieces) for document in self.documents)

    @property
    def contents(self) -> int:
        """How many distinct bodies there are."""
        return len({piece.sha256 for document in self.documents for piece in document.pieces})

    @property
    def byte_length(self) -> int:
        """Of all documents together, in UTF-8."""
        return sum(document.byte_length for document in self.documents)

    def check(self) -> None:
        """Refuse a set with bad files, naming them all, unless it was read with ``keep_going``."""
        if self.bad and not self.keep_going:
            codes = [bad.code for bad in self.bad if bad.code.startswith("IU")]
            raise InvalidError(
                f"{len(self.bad)} of the files cannot be cut; nothing was done",
                sqlstate=codes[0] if codes else "IU031",
                detail="\n".join(map(str, self.bad)),
                hint="Repair or leave out these files, or cut the others with --keep-going.",
            )

    def reused(self, reuse: Mapping[str, str]) -> int:
        """How many pieces ``calls`` does not give birth to when it is given the same mapping."""
        standing = self._standing(reuse)
        return sum(not _is_born(piece, standing, reuse) for document in self.documents for piece in document.pieces)

    def _standing(self, reuse: Mapping[str, str] | None) -> dict[str, str]:
        """For each piece the address that stands for it in its document."""
        pieces = (piece for document in self.documents for piece in document.pieces)
        if reuse is None:
            return {piece.address: piece.address for piece in pieces}
        known: dict[str, str] = {}
        return {
            piece.address: reuse.get(piece.sha256) or known.setdefault(piece.sha256, piece.address) for piece in pieces
        }

    def calls(
        self,
        *,
        reason: str,
        kind: str = "text",
        actor: str | None = None,
        request_key: str | None = None,
        reuse: Mapping[str, str] | None = None,
        chunk_bytes: int = 32 * 1024 * 1024,
    ) -> list[Call]:
        """The governed calls that make the documents: births first, then each collection after its members.

        Args:
            reason: recorded with every call.
            kind: a registered kind, given to every piece.
            actor: the claimed actor.
            request_key: each call gets it with ``:1``, ``:2``, ... behind it.
            reuse: sha256 (hex) of existing bodies to the address of a piece that has it at its head. Given, also when
                empty, a body is born once: a piece with a known body stands for every further one that is equal.
            chunk_bytes: of JSON in one call. One piece is never divided.

        Raises:
            InvalidError: there are bad files and the plan was not read with ``keep_going``.
        """
        self.check()
        standing = self._standing(reuse)
        calls: list[Call] = []

        def call(function: str, arguments: dict[str, Any]) -> None:
            numbered = None if request_key is None else f"{request_key}:{len(calls) + 1}"
            shared = {"p_reason": reason, "p_actor": actor, "p_request_key": numbered}
            calls.append(Call(function, arguments | shared))

        for births in self._births(standing, reuse, kind, chunk_bytes):
            call("fn_iu_create_many", {"p_pieces": births})
        for document in self.documents:
            for composition in document.compositions:
                members = [
                    {"piece": standing[member["piece"]]} if "piece" in member else member
                    for member in composition.members
                ]
                arguments = {
                    "p_key": composition.key,
                    "p_kind": composition.kind,
                    "p_title": composition.title,
                    "p_members": json.dumps(members),
                }
                call("fn_iu_collection_create", arguments)
        return calls

    def _births(
        self, standing: Mapping[str, str], reuse: Mapping[str, str] | None, kind: str, chunk_bytes: int
    ) -> Iterator[str]:
        items: list[str] = []
        size = 0
        for document in self.documents:
            for piece in document.pieces:
                if not _is_born(piece, standing, reuse):
                    continue
                birth = {"address": piece.address, "kind": kind, "title": piece.title, "body": piece.body}
                item = json.dumps(birth, ensure_ascii=False)
                length = len(item.encode()) + 1
                if items and size + length > chunk_bytes:
                    yield f"[{','.join(items)}]"
                    items, size = [], 0
                items.append(item)
                size += length
        if items:
            yield f"[{','.join(items)}]"


@dataclass(frozen=True, slots=True)
class Applied:
    """What ``apply`` did."""

    born: int
    reused: int
    collections: int


def apply(
    connection: Connection,
    plan: Plan,
    *,
    reason: str,
    kind: str = "text",
    actor: str | None = None,
    request_key: str | None = None,
    reuse: bool = False,
) -> Applied:
    r"""Give birth to the pieces of a plan and compose its documents, all or nothing within the caller's transaction.

    Calls ``fn_iu_create_many`` and ``fn_iu_collection_create``. With ``reuse`` a body is not born again that an active
    piece of the kind has at its head (``reusable``), or that an earlier piece of the plan has.

    Raises:
        InvalidError: the plan has bad files and was not read with ``keep_going``; and as ``units.create_many`` and
            ``collections.create``.
        ConflictError: IU201 or IU204, an address or key is taken.

    >>> document = cut_document("# One\n\nText.\n", path=PurePosixPath("one.md"), prefix="example")
    >>> apply(connection, Plan((document,)), reason="an example")
    Applied(born=1, reused=0, collections=1)
    """
    plan.check()
    known = reusable(connection, plan, kind=kind) if reuse else None
    for call in plan.calls(reason=reason, kind=kind, actor=actor, request_key=request_key, reuse=known):
        _call.execute(connection, call)
    reused = 0 if known is None else plan.reused(known)
    return Applied(plan.pieces - reused, reused, sum(len(document.compositions) for document in plan.documents))


def reusable(connection: Connection, plan: Plan, *, kind: str = "text") -> dict[str, str]:
    """Which bodies of a plan active pieces of a kind have at their heads: sha256 (hex) to address.

    Calls ``fn_iu_find_content``; the result is the ``reuse`` of ``Plan.calls``.
    """
    bodies = sorted({piece.sha256 for document in plan.documents for piece in document.pieces})
    standing = units.find_content(connection, sha256=bodies, kind=kind)
    return {found.content_sha256: found.address for found in standing}


def _is_born(piece: Piece, standing: Mapping[str, str], reuse: Mapping[str, str] | None) -> bool:
    return reuse is None or (standing[piece.address] == piece.address and piece.sha256 not in reuse)

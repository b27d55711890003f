"""What holds for every document: 2,000 nasty ones are cut in the first test alone."""

from __future__ import annotations

import os
import re
from itertools import accumulate
from pathlib import PurePosixPath

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from mdit_py_plugins.front_matter import front_matter_plugin

from iucore.textcode import cut as c

PLAIN = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

WORDS = [
    "text",
    "foo",
    "foo-2",
    "e\u0301",
    "\u202eabc\u202c",
    "\u2066x\u2069",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\ufe0f",
    "\u200b",
    "a\x85b",
    "a\x0cb",
    "a\x0bb",
    "a\u2028b",
    "\ufeff",
    "\ufffd",
    "\u00a0",
    "*x* `y` [z](w)",
    "<b>x</b>",
    "&amp;",
    "\\",
    "\0",
    "中文",
    "x" * 90,
]
STARTS = [
    "# ",
    "## ",
    "### ",
    "###### ",
    "####### ",
    "#",
    "#\t",
    "   # ",
    "    # ",
    "\t# ",
    "> ",
    "> # ",
    ">",
    "- ",
    "- # ",
    "* > ## ",
    "1. ",
    "1) # ",
    "  ",
    "   ",
    "    ",
    "\t",
    "\\# ",
    "|",
    "\ufeff# ",
    "\x0c# ",
]
WHOLE = [
    "",
    "",
    "",
    " ",
    "\t",
    "```",
    "````",
    "   ```",
    "    ```",
    "``` # info",
    "```a`b",
    "~~~",
    "~~~~~",
    " ~~~ x",
    "> ```",
    "- ```",
    "  ```",
    "<!--",
    "-->",
    "<!-- # x -->",
    "<pre>",
    "</pre>",
    "<pre># x",
    "<script>",
    "</script>",
    "<div>",
    "</div>",
    "<custom-tag>",
    "<?",
    "?>",
    "<!X",
    "<![CDATA[",
    "]]>",
    "===",
    "=",
    "---",
    "--- ",
    "----",
    "-",
    "...",
    " ===",
    "    ===",
    "> ===",
    "- ===",
    "***",
    "title: x",
    "[foo]: /url",
    "[foo]:",
    "/url",
    "[foo]: /url 'title",
    "title'",
    "[foo]: <",
    "[",
    "]:",
    "| a | b |",
    "|---|---|",
    "\x0c",
    "\x85",
    "\u2028",
]

line = st.one_of(
    st.sampled_from(WHOLE),
    st.builds("".join, st.tuples(st.sampled_from(STARTS), st.sampled_from(WORDS))),
    st.sampled_from(WORDS),
    st.text(max_size=6).filter(lambda text: "\r" not in text and "\n" not in text),
)
end = st.sampled_from(["\n", "\n", "\n", "\r\n", "\r"])


@st.composite
def documents(draw) -> str:
    parts = [draw(st.sampled_from(["", "", "", "\ufeff", "---\n", "\ufeff---\r\n"]))]
    # One kind of line end for most documents, a mixture for the others.
    one = draw(st.sampled_from([None, "\n", "\n", "\r\n", "\r"]))
    for content in draw(st.lists(line, max_size=25)):
        parts += [content, one or draw(end)]
    if draw(st.booleans()):
        parts = parts[:-1]
    return "".join(parts)


def blocks(text: str) -> list[tuple[int, int, str]]:
    """The blocks at the top level, (first line, line after the last, type), by a parser of our own making."""
    source = text[1:] if text.startswith("\ufeff") else text
    parser = MarkdownIt("commonmark")
    if re.match(r"---[ \t]*(\r|\n)", source):
        parser.use(front_matter_plugin)
    source = source.replace("\r\n", "\n").replace("\r", "\n")
    return [
        (token.map[0], token.map[1], f"{token.type}{token.tag}")
        for token in parser.parse(source)
        if token.level == 0 and token.nesting >= 0 and token.map
    ]


def starts_of(text: str, segments: list[c.Segment]) -> list[int]:
    """The lines at which pieces begin, counted from the characters and not from what the cutter says."""
    lengths = [0, *accumulate(len(segment.body) for segment in segments)][:-1]
    lines = [0, *accumulate(len(part) for part in re.split(r"(?<=\n)|(?<=\r)(?!\n)", text))]
    return [lines.index(length) for length in lengths]


def check_names(segments: list[c.Segment]) -> None:
    slugs = [segment.slug for segment in segments]
    assert len(set(slugs)) == len(slugs)
    for segment in segments:
        assert re.fullmatch(r"[a-z0-9-]{1,60}", segment.slug), segment.slug
        title = segment.title
        assert 1 <= len(title) <= 300
        assert title == title.strip()
        assert not re.search(r"[\x00-\x1f\x7f-\xa0\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]|  ", title), ascii(
            title
        )
        title.encode()


@settings(PLAIN, max_examples=2000)
@given(documents())
def test_nothing_is_lost_and_no_block_is_cut(text):
    segments = c.cut_markdown(text, name="a.md")
    assert "".join(segment.body for segment in segments) == text
    assert all(segment.body for segment in segments) or len(segments) == 1
    check_names(segments)
    found = blocks(text)
    starts = starts_of(text, segments)
    assert [segment.line - 1 for segment in segments] == starts
    for start in starts:
        for first, after, kind in found:
            assert not first < start < after, f"line {start} is inside {kind} {first}-{after}"
    headings = [(first, kind[-1]) for first, _, kind in found if kind.startswith("heading_open")]
    sections = [(start, str(segment.level)) for start, segment in zip(starts, segments, strict=True) if segment.level]
    if sections and headings and sections[0][0] == 0:
        headings[0] = (0, headings[0][1])  # leading blank lines belong to the first piece
    assert sections == headings


@settings(PLAIN, max_examples=300)
@given(documents(), st.integers(1, 6), st.booleans(), st.sampled_from(["a.md", "b c.txt", "é"]))
def test_documents_have_valid_unique_addresses_and_keep_their_order(text, level, nest, name):
    document = c.cut_document(text, path=PurePosixPath("x", name), prefix="p", level=level, nest=nest)
    assert "".join(piece.body for piece in document.pieces) == text
    assert all(piece.level <= level for piece in document.pieces)
    addresses = [piece.address for piece in document.pieces]
    assert len(set(addresses)) == len(addresses)
    for address in addresses:
        c.check_address(address)
        assert address.startswith(f"{document.key}#")
    made: dict[str, list[str]] = {}
    for composition in document.compositions:
        assert composition.key not in made
        assert composition.members
        made[composition.key] = [
            address
            for member in composition.members
            for address in ([member["piece"]] if "piece" in member else made.pop(member["collection"]))
        ]
    assert made == {document.key: addresses}


@settings(PLAIN, max_examples=300)
@given(documents())
def test_fewer_levels_only_join_pieces(text):
    fine = [piece.body for piece in c.cut_markdown(text)]
    edges = set(accumulate(map(len, fine)))
    for level in (1, 2, 3):
        assert set(accumulate(len(piece.body) for piece in c.cut_markdown(text, level=level))) <= edges


@settings(PLAIN, max_examples=300)
@given(documents())
def test_plain_text_is_cut_after_blank_lines_only(text):
    segments = c.cut_text(text)
    assert "".join(segment.body for segment in segments) == text
    check_names(segments)
    for segment in segments[:-1]:
        assert not c.split_lines(segment.body)[-1].strip()
    for segment in segments[1:]:
        assert c.split_lines(segment.body)[0].strip()


@settings(PLAIN, max_examples=300)
@given(st.text(), st.sampled_from(["", "x", "\u200b"]))
def test_every_title_can_be_cleaned(text, fallback):
    title = c.clean_title(text, fallback=fallback)
    assert 1 <= len(title) <= 300
    assert c.clean_title(title) == title
    assert not c._FORBIDDEN.search(title)
    assert title == title.strip(" ")
    assert re.fullmatch(r"[a-z0-9-]{0,60}", c.slugify(title))
    c.plain_heading(text)


@settings(PLAIN, max_examples=300)
@given(st.lists(st.sampled_from(["a", "a-2", "a-3", "b", "a-2-2", "x" * 60, "x" * 58 + "-2"]), max_size=40))
def test_slugs_never_collide(slugs):
    unique = c.unique_slugs(slugs)
    assert len(set(unique)) == len(unique) == len(slugs)
    assert all(len(slug) <= 60 for slug in unique)
    for position, slug in enumerate(slugs):
        if slugs.index(slug) == position:
            assert unique[position] == slug


@settings(PLAIN, max_examples=300)
@given(st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=4))
def test_every_name_has_one_key_and_comes_back(parts):
    names = [os.fsdecode(part.replace(b"/", b"_").replace(b"\0", b"0")) for part in parts]
    if {".", ".."} & set(names):
        return
    path = PurePosixPath(*names)
    assert c.path_of_key(c.key_of_path(path, "p/q"), "p/q") == path


@settings(PLAIN, max_examples=300)
@given(st.binary(max_size=40))
def test_bytes_are_refused_at_the_right_place_or_come_back(data):
    try:
        assert c.decode(data).encode() == data
        assert b"\0" not in data
    except c.FileError as error:
        good = data[: error.offset]
        good.decode()
        assert b"\0" not in good
        if error.sqlstate == "IU012":
            assert data[error.offset] == 0
        else:
            assert error.sqlstate == "IU013"

"""The cutter's rules, one by one."""

from __future__ import annotations

import hashlib
import time
from pathlib import PurePosixPath

import pytest

from iucore import errors
from iucore.textcode import cut as c


def bodies(text: str, **options) -> list[str]:
    return [piece.body for piece in c.cut_markdown(text, **options)]


def shape(text: str, **options) -> list[tuple[str, int, str]]:
    return [(piece.kind, piece.level, piece.body) for piece in c.cut_markdown(text, **options)]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", []),
        ("a", ["a"]),
        ("\r\n\r\r\n\n", ["\r\n", "\r", "\r\n", "\n"]),
        ("a\x0bb\x0cc\x1cd\x85e\u2028f\u2029g\n", ["a\x0bb\x0cc\x1cd\x85e\u2028f\u2029g\n"]),
        ("a\rb", ["a\r", "b"]),
    ],
)
def test_lines_end_with_three_things_only(text, lines):
    assert c.split_lines(text) == lines


def test_headings_of_both_forms_begin_pieces():
    assert shape("# A\ntext\n\nB\n=\nC\nc\n---\n###### D") == [
        ("section", 1, "# A\ntext\n\n"),
        ("section", 1, "B\n=\n"),
        ("section", 2, "C\nc\n---\n"),
        ("section", 6, "###### D"),
    ]


@pytest.mark.parametrize(
    "block",
    [
        "```\n# no\n```\n",
        "````\n```\n# no\n````\n",
        "~~~ info\n# no\n\n# no\n~~~\n",
        "   ```\n# no\n   ```\n",
        "<!--\n# no\n\n# no\n-->\n",
        "<pre>\n\n# no\n\n</pre>\n",
        "<div>\n# no\n</div>\n",
        "<?php\n\n# no\n?>\n",
        "<![CDATA[\n\n# no\n]]>\n",
        "> # no\n> text\n",
        "> no\n> ===\n",
        "- # no\n  text\n",
        "1. no\n   ===\n",
        "- text\n\n  ## no\n",
        "    # no\n",
        "\t# no\n",
        "text\n\n    # no\n    ====\n",
        "#no\n",
        "####### no\n",
        "\\# no\n",
        "text\n    # no\n",
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_what_looks_like_a_heading_and_is_none(block, end):
    text = f"# One\n\n{block}\n# Two\n".replace("\n", end)
    first = f"# One\n\n{block}\n".replace("\n", end)
    assert bodies(text) == [first, f"# Two{end}"]


def test_a_fence_without_an_end_reaches_to_the_end():
    assert bodies("# A\n```\n# no\n\n# no") == ["# A\n```\n# no\n\n# no"]


def test_level_limits_the_depth():
    text = "# A\n## B\n### C\nD\n---\n"
    assert bodies(text, level=1) == [text]
    assert bodies(text, level=2) == ["# A\n", "## B\n### C\n", "D\n---\n"]
    for wrong in (0, 7):
        with pytest.raises(ValueError, match="1 to 6"):
            c.cut_markdown(text, level=wrong)


def test_front_matter_preamble_and_sections():
    assert shape("---\ntitle: x\n# no\n---\n\nHello\n\n# A\n") == [
        ("front-matter", 0, "---\ntitle: x\n# no\n---\n\n"),
        ("preamble", 0, "Hello\n\n"),
        ("section", 1, "# A\n"),
    ]
    assert shape("---\na: 1\n---\n\n\n# A\n") == [
        ("front-matter", 0, "---\na: 1\n---\n\n\n"),
        ("section", 1, "# A\n"),
    ]
    assert shape("---\r\na: 1\r\n---\r\ntext") == [
        ("front-matter", 0, "---\r\na: 1\r\n---\r\n"),
        ("preamble", 0, "text"),
    ]
    assert shape("---\na: 1\n---\n") == [("front-matter", 0, "---\na: 1\n---\n")]


@pytest.mark.parametrize(
    "text", ["---\ntitle: x\n\n# A\n", "-----\nx\n-----\n# A\n", "--- x\ny\n---\n# A\n", "\n---\nx\n---\n"]
)
def test_front_matter_must_be_closed_be_first_and_have_three_dashes(text):
    assert "front-matter" not in {piece.kind for piece in c.cut_markdown(text)}


def test_a_byte_order_mark_hides_nothing_and_stays():
    assert shape("\ufeff# A\n# B\n") == [("section", 1, "\ufeff# A\n"), ("section", 1, "# B\n")]
    assert shape("\ufeff---\na: 1\n---\n# A\n")[0] == ("front-matter", 0, "\ufeff---\na: 1\n---\n")
    assert shape("\ufeff") == [("preamble", 0, "\ufeff")]
    assert bodies("\ufeff\n\n# A\n") == ["\ufeff\n\n# A\n"]
    assert c.cut_markdown("\ufeffHello")[0].title == "Hello"


def test_leading_blank_lines_belong_to_the_first_piece():
    assert bodies("\n \t\n# A\n\n\n# B") == ["\n \t\n# A\n\n\n", "# B"]
    assert bodies("\n\ntext\n# A") == ["\n\ntext\n", "# A"]


def test_link_definitions_stay_with_what_they_follow():
    assert bodies("# A\n\n[x]: /x\n\n# B\n[y]: /y\n") == ["# A\n\n[x]: /x\n\n", "# B\n[y]: /y\n"]
    assert shape("[x]: /x\n\n# A\n")[0] == ("preamble", 0, "[x]: /x\n\n")
    assert shape("[x]: /x\nA\n===\n") == [("preamble", 0, "[x]: /x\n"), ("section", 1, "A\n===\n")]
    assert bodies("---\na: 1\n---\n[x]: /x\n\n# A\n") == ["---\na: 1\n---\n[x]: /x\n\n", "# A\n"]


def test_an_empty_document_is_one_empty_piece():
    for segments in (c.cut_markdown("", name="a.md"), c.cut_text("", name="a.md")):
        assert [(s.body, s.title, s.line) for s in segments] == [("", "a.md", 1)]
    assert bodies(" \n\n") == [" \n\n"]


def test_form_feeds_and_other_separators_do_not_begin_lines():
    assert bodies("a\x0c# no\n# A\x0c\u2028# no\n") == ["a\x0c# no\n", "# A\x0c\u2028# no\n"]
    assert bodies("x\x85# no\n") == ["x\x85# no\n"]


def test_u0000_does_not_move_the_lines():
    assert bodies("\0a\n# B\0\n") == ["\0a\n", "# B\0\n"]


def test_line_numbers():
    assert [piece.line for piece in c.cut_markdown("a\r\n\r\n# B\r\n# C")] == [1, 3, 4]


def test_plain_text_is_cut_into_paragraphs():
    assert [s.body for s in c.cut_text("\n\na\nb\n \t\n\nc\r\n\r\nd\re\r\r")] == [
        "\n\na\nb\n \t\n\n",
        "c\r\n\r\n",
        "d\re\r\r",
    ]
    assert [s.body for s in c.cut_text("\ufeff\n\na\n\nb")] == ["\ufeff\n\na\n\n", "b"]
    assert [s.body for s in c.cut_text("a\n\n\x0c\nb")] == ["a\n\n\x0c\n", "b"]
    assert [s.body for s in c.cut_text(" \n\n")] == [" \n\n"]
    assert c.cut_text("# A\n# B\n")[0].body == "# A\n# B\n"


def test_the_suffix_decides():
    text = "# A\n\ntext\n\n# B\n"
    for suffix in (".md", ".MD", ".markdown"):
        assert len(c.cut(text, suffix=suffix)) == 2
    for suffix in (".txt", "", ".rst"):
        assert len(c.cut(text, suffix=suffix)) == 3


@pytest.mark.parametrize(
    ("source", "title"),
    [
        ("# The *new* **policy** ~~old~~ #", "The new policy old"),
        ("# [Link](https://example.org/a_(b)) and [ref][x]", "Link and ref"),
        ("# ![logo](a.png) Name", "logo Name"),
        ("# [![logo](a.png)](b) Name", "logo Name"),
        ("# Use `fn_iu_*` in snake_case_names and _so_", "Use fn_iu_* in snake_case_names and so"),
        ("# 2 * 3", "2 * 3"),
        ("# [`code`](x) here", "code here"),
        ('# <a name="x"></a>Anchored', "Anchored"),
        ("# <https://example.org> up", "https://example.org up"),
        ("# A &amp; B \\* C", "A & B * C"),
        ("#", c.UNTITLED),
        ("# \u200b\u202e", c.UNTITLED),
        ("# a\tb\u00a0\u00a0c", "a b c"),
        ("Two\nlines\n===", "Two lines"),
        ("# e\u0301 \u4e2d\u6587 \U0001f600", "e\u0301 \u4e2d\u6587 \U0001f600"),
        (f"# {'x' * 400}", "x" * 300),
        (f"# {'x' * 299} y", "x" * 299),
    ],
)
def test_titles_of_headings(source, title):
    assert [piece.title for piece in c.cut_markdown(source)] == [title]


def test_titles_of_other_pieces():
    assert c.cut_text("One two three four five six seven eight nine ten eleven")[0].title == (
        "One two three four five six seven eight nine ten"
    )
    assert c.cut_text("x" * 500)[0].title == "x" * 80
    assert c.cut_markdown("\n\n", name="file.md")[0].title == "file.md"


def test_the_title_rule_is_the_database_s(connection):
    """fn_iu_is_name and ours refuse the same characters."""
    refused = connection.exec_driver_sql(
        "select n from (select generate_series(1, 131071) union all select generate_series(917504, 921599)) as s (n)"
        " where n not between 55296 and 57343 and not iucore.fn_iu_is_name('a' || chr(n) || 'b', 300)"
    ).scalars()
    looked_at = [*range(1, 0xD800), *range(0xE000, 0x20000), *range(0xE0000, 0xE1000)]
    assert set(refused) == {point for point in looked_at if c._FORBIDDEN.match(chr(point))}


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Hello, World!", "hello-world"),
        ("Don't", "dont"),
        ("Ünïcödé Straße", "unicode-strasse"),
        ("A–B", "a-b"),
        ("ﬁle ½", "file-1-2"),
        ("𝑨 İß", "a-iss"),
        ("中文", ""),
        ("--", ""),
        ("x" * 80, "x" * 60),
        ("x" * 59 + " y", "x" * 59),
    ],
)
def test_slugs(title, slug):
    assert c.slugify(title) == slug


def test_slugs_are_unique_whatever_stands_in_the_text():
    assert c.unique_slugs(["foo-2", "foo", "foo", "foo-2"]) == ["foo-2", "foo", "foo-3", "foo-2-2"]
    long = "x" * 60
    assert c.unique_slugs([long, long, "x" * 58 + "-2"]) == [long, "x" * 58 + "-3", "x" * 58 + "-2"]
    many = c.unique_slugs(["a"] * 20000 + ["a-7"])
    assert len(set(many)) == 20001
    assert many[-1] == "a-7"
    assert [s.slug for s in c.cut_markdown("text\n# Preamble\n# 中文\n# 日本\n")] == [
        "preamble",
        "preamble-2",
        "section",
        "section-2",
    ]


def test_cutting_is_deterministic():
    text = "# A\n# A\n# B\n# A-2\n"
    assert c.cut_markdown(text) == c.cut_markdown(text)
    assert [s.slug for s in c.cut_markdown(text)] == ["a", "a-3", "b", "a-2"]


@pytest.mark.parametrize(
    "name", ["a.md", "a b.md", "é.md", "50%.md", "a#b.md", "a\\b.md", "a\udcff\udcfe.md", "~.-_", "\n"]
)
def test_keys_are_reversible(name):
    path = PurePosixPath("folder", name)
    key = c.key_of_path(path, "p/q")
    assert key.startswith("p/q/folder/")
    assert c._ADDRESS.fullmatch(key)
    assert c.path_of_key(key, "p/q") == path


@pytest.mark.parametrize(
    "key",
    [
        "p",
        "p/",
        "px/a",
        "other/a",
        "p/../a",
        "p/a/..",
        "p/./a",
        "p//a",
        "p/a%2Fb",
        "p/a%00b",
        "p/%2E%2E/a",
        "p/%2E",
        "p/%61",
        "p/%c3%a4",
        "p/a%zz",
        "p/a b",
        "p/a#b",
    ],
)
def test_keys_that_name_no_file_are_refused(key):
    with pytest.raises(errors.InvalidError) as caught:
        c.path_of_key(key, "p")
    assert caught.value.sqlstate == "IU031"


@pytest.mark.parametrize(
    "prefix", ["/a", "a/", "a//b", "a/../b", ".", "a b", "a#b", "a%2Fb", "a%00", "a%ff", "x" * 1025]
)
def test_prefixes_follow_the_grammar(prefix):
    with pytest.raises(errors.InvalidError) as caught:
        c.key_of_path(PurePosixPath("a"), prefix)
    assert caught.value.sqlstate == "IU010"


def test_paths_that_are_not_relative_or_too_long_are_refused():
    for path in ("/a", "", "..", "a/../b", "x\0", "/".join(["y" * 200] * 6)):
        with pytest.raises(errors.InvalidError) as caught:
            c.key_of_path(PurePosixPath(path), "p")
        assert caught.value.sqlstate == "IU010"
    with pytest.raises(errors.InvalidError) as caught:  # the key fits, an address does not
        c.cut_document("# A long enough title\n", path=PurePosixPath(f"{'d/' * 505}a.md"), prefix="p")
    assert caught.value.sqlstate == "IU010"


def test_a_document_has_addresses_hashes_and_a_title():
    document = c.cut_document("intro\n## B\n# A é\n", path=PurePosixPath("x y.md"), prefix="docs")
    assert document.key == "docs/x%20y.md"
    assert document.title == "A é"
    assert document.byte_length == len("intro\n## B\n# A é\n".encode())
    assert [piece.address for piece in document.pieces] == [
        "docs/x%20y.md#preamble",
        "docs/x%20y.md#b",
        "docs/x%20y.md#a-e",
    ]
    for piece in document.pieces:
        assert piece.sha256 == hashlib.sha256(piece.body.encode()).hexdigest()
    assert document.compositions == (
        c.Composition("docs/x%20y.md", "file", "A é", tuple({"piece": piece.address} for piece in document.pieces)),
    )
    assert c.cut_document("text", path=PurePosixPath("a.md"), prefix="p").title == "a.md"


def flattened(document: c.Document) -> list[str]:
    collections = {composition.key: composition for composition in document.compositions}

    def walk(key: str):
        for member in collections[key].members:
            if "piece" in member:
                yield member["piece"]
            else:
                yield from walk(member["collection"])

    return list(walk(document.key))


def test_nesting_keeps_the_order():
    text = "---\na: 1\n---\nintro\n# A\n### B\n## C\n#### D\n#### E\n# F\n## G\n# H\n"
    document = c.cut_document(text, path=PurePosixPath("a.md"), prefix="p", nest=True)
    assert flattened(document) == [piece.address for piece in document.pieces]
    assert [(composition.key, composition.members) for composition in document.compositions] == [
        ("p/a.md#c", ({"piece": "p/a.md#c"}, {"piece": "p/a.md#d"}, {"piece": "p/a.md#e"})),
        ("p/a.md#a", ({"piece": "p/a.md#a"}, {"piece": "p/a.md#b"}, {"collection": "p/a.md#c"})),
        ("p/a.md#f", ({"piece": "p/a.md#f"}, {"piece": "p/a.md#g"})),
        (
            "p/a.md",
            (
                {"piece": "p/a.md#front-matter"},
                {"piece": "p/a.md#preamble"},
                {"collection": "p/a.md#a"},
                {"collection": "p/a.md#f"},
                {"piece": "p/a.md#h"},
            ),
        ),
    ]


def test_a_piece_over_the_limit_is_refused_with_its_place(monkeypatch):
    monkeypatch.setattr(c, "MAX_BODY_BYTES", 10)
    c.cut_document("# Aé\n# B89012\n", path=PurePosixPath("a.md"), prefix="p")
    with pytest.raises(c.FileError) as caught:
        c.cut_document("# Aé\n# B8901234\n", path=PurePosixPath("a.md"), prefix="p")
    assert (caught.value.sqlstate, caught.value.offset) == ("IU014", 6)


def test_a_cut_that_loses_text_is_an_error(monkeypatch):
    monkeypatch.setattr(c, "split_lines", lambda text: text.splitlines())
    with pytest.raises(c.CutError):
        c.cut_markdown("# A\n# B\n")
    with pytest.raises(c.CutError):
        c.cut_text("a\n\nb\n")


def test_a_failing_parser_is_an_error(monkeypatch):
    class Failing:
        def parse(self, source):
            raise IndexError(source)

    monkeypatch.setattr(c, "_parser", lambda front_matter: Failing())
    with pytest.raises(c.CutError, match="IndexError"):
        c.cut_markdown("# A\n")


@pytest.mark.parametrize(
    "unit",
    [
        "# [",
        "# `",
        "# *",
        "# ![[",
        "# <a",
        "# <!--",
        "# [a](",
        "# \\",
        "[a]: b 'x\n",
        "> ",
        "- ",
        "<!--\n",
        "a\n",
        "---\n",
        "\n\r",
    ],
)
def test_work_grows_with_the_text(unit):
    """Hostile repetition of 40,000 bytes stays within what an honest text of 100 times the size would take."""
    text = unit * (40_000 // len(unit))
    before = time.process_time()
    assert "".join(bodies(text)) == text
    assert time.process_time() - before < 5

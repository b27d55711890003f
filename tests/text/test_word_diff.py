"""The diff of words: what a reviewer sees, and that both texts can be read back from it."""

from __future__ import annotations

import io
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iucore.cli._diff import words
from iucore.textcode.cut import split_lines

NO_END = "\\ No newline at end of file"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def body(old: str, new: str) -> str:
    """The diff of short texts without its one heading."""
    heading, _, rest = words(old, new, io.StringIO()).partition("\n")
    assert re.fullmatch(r"@@ -\d+(,\d+)? \+\d+(,\d+)? @@", heading)
    return rest


def test_nothing_changed():
    assert words("", "", io.StringIO()) == words("a\r\nb", "a\r\nb", io.StringIO()) == ""


def test_hunks_have_three_lines_of_context():
    old = [f"line {number}\n" for number in range(1, 31)]
    new = [*old[:4], "line 5b\n", *old[5:11], "line twelve\n", *old[12:20], *old[21:], "more\n"]
    assert words("".join(old), "".join(new), io.StringIO()) == (
        "@@ -2,14 +2,14 @@\nline 2\nline 3\nline 4\nline [-5-]{+5b+}\nline 6\nline 7\nline 8\nline 9\nline 10\n"
        "line 11\nline [-12-]{+twelve+}\nline 13\nline 14\nline 15\n"
        "@@ -18,7 +18,6 @@\nline 18\nline 19\nline 20\n[-line 21-]\nline 22\nline 23\nline 24\n"
        "@@ -28,3 +27,4 @@\nline 28\nline 29\nline 30\n{+more+}\n"
    )


@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [
        ("The quick brown fox.\n", "The slow red fox!\n", "The [-quick brown-]{+slow red+} fox[-.-]{+!+}\n"),
        ("one  two\n", "one two three\n", "one[-  -]{+ +}two{+ three+}\n"),
        ("foo one\n", "foo two\nextra\n", "foo [-one-]{+two+}\n{+extra+}\n"),
        ("foo one\nextra\n", "foo two\n", "foo [-one-]{+two+}\n[-extra-]\n"),
        ("a\n", "", "[-a-]\n"),
        ("", "a\n\nb\n", "{+a+}\n{+\\n+}\n{+b+}\n"),
        ("", "a", f"{{+a+}}\n{{+{NO_END}+}}\n"),
        ("a\nb", "a\n", f"a\n[-b-]\n[-{NO_END}-]\n"),
        # A line that lost its text is not a line that went.
        ("a\nb\n", "\nb\n", "[-a-]\n{+\\n+}\nb\n"),
        ("\nb\n", "a\nb\n", "[-\\n-]\n{+a+}\nb\n"),
        ("a\n\nb\n", "a\nb\n", "a\n[-\\n-]\nb\n"),
        ("a b\n", "a\nb\n", "a[- -]{+\\n+}\nb\n"),
        ("a\nb\n", "a b\n", "a[-\\n-]{+ +}b\n"),
        # Ends of lines.
        ("a\r\nb\r\n", "a\nb\n", "a[-\\r\\n-]{+\\n+}\nb[-\\r\\n-]{+\\n+}\n"),
        ("a\r\nb\r\n", "a\r\nc\r\n", "a\\r\n[-b-]{+c+}\\r\n"),
        ("a\rb\r", "a\rc\r", "a\\r\n[-b-]{+c+}\\r\n"),
        ("a\n", "a\r", "a[-\\n-]{+\\r+}\n"),
        ("\r\n", "\n", "[-\\r\\n-]\n{+\\n+}\n"),
        ("a\r\n", "", "[-a\\r-]\n"),
        ("a", "a\n", f"a{{+\\n+}}\n[-{NO_END}-]\n"),
        ("a\n", "a", f"a[-\\n-]\n{{+{NO_END}+}}\n"),
        ("a", "b", f"[-a-]{{+b+}}\n{NO_END}\n"),
        ("a\nb", "a\nc\nb", f"a\n{{+c+}}\nb\n{NO_END}\n"),
        # What does not show.
        (
            "a\u202eb\u200b\u00a0\t\x1b[0m\n",
            "a b\u200b\u00a0\t\x1b[0m\n",
            "a[-\\u202e-]{+ +}b\\u200b\u00a0\t\\x1b[0m\n",
        ),
        ("a b\n", "a\u00a0b\n", "a[- -]{+\\xa0+}b\n"),
        ("a\n", "a\ud800\u2066\n", "a{+\\ud800\\u2066+}\n"),
        ("a\x0cb\u2028\x85\n", "a\x0cc\u2028\x85\n", "a\\x0c[-b-]{+c+}\\u2028\\x85\n"),
        ("ae\u0301b\n", "ae\u0300b\n", "[-ae\u0301-]{+ae\u0300+}b\n"),
        ("[-a-]\n", "[-b-]\n", "[-[-a-]{+b+}-]\n"),
    ],
)
def test_what_is_shown(old, new, shown):
    assert body(old, new) == shown


def test_colours_stand_for_the_brackets(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert words("a b\nc\n", "a \u200bd\n", Terminal()) == (
        "\x1b[36m@@ -1,2 +1 @@\x1b[0m\na \x1b[31mb\x1b[0m\x1b[32m\\u200bd\x1b[0m\n\x1b[31mc\x1b[0m\n"
    )
    monkeypatch.setenv("NO_COLOR", "1")
    assert words("a\n", "b\n", Terminal()) == "@@ -1 +1 @@\n[-a-]{+b+}\n"


# What may stand in a text whose diff is read back: no bracket, nothing that does not show, no backslash, one end.
TEXTS = st.lists(
    st.one_of(st.sampled_from(["a", "b", "cd", " ", "  ", "\n", "\n", ".", ", ", "e\u0301"]), st.just("x y z\n")),
    max_size=14,
).map("".join)


def lines_of(shown: str, side: str) -> list[str]:
    """The lines of one side (``-`` old, ``+`` new), from the lines of a hunk."""
    text = ""
    lines = shown.splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if NO_END in line:
            if line in (NO_END, {"-": f"[-{NO_END}-]", "+": f"{{+{NO_END}+}}"}[side]):
                text = text.removesuffix("\n")
            continue
        parts = []
        for removed, added, kept in re.findall(r"\[-(.*?)-\]|\{\+(.*?)\+\}|([^\[{]+)", line):
            parts.append(("-", removed) if removed else ("+", added) if added else ("", kept))
        text += "".join(part for sign, part in parts if sign in ("", side)).replace("\\n", "\n")
        signs = {sign for sign, _ in parts}
        if following == f"{{+{NO_END}+}}" or (parts and parts[-1][0] == "+" and parts[-1][1].endswith("\\n")):
            owner = "+"  # in the first case it is taken back by what follows, in the second it is written out
        else:
            owner = signs.pop() if len(signs) == 1 else ""
        written_out = parts and parts[-1][0] == owner and parts[-1][1].endswith("\\n")
        if owner in ("", side) and not written_out:
            text += "\n"
    return split_lines(text)


@given(TEXTS, TEXTS)
@settings(max_examples=200)
def test_both_texts_can_be_read_back(old, new):
    sides = {"-": split_lines(old), "+": split_lines(new)}
    hunks = re.split(r"^(@@ .* @@)\n", words(old, new, io.StringIO()), flags=re.MULTILINE)
    assert hunks[0] == "" and (len(hunks) > 1) == (old != new)
    outside: dict[str, list[str]] = {"-": [], "+": []}
    seen = {"-": 0, "+": 0}
    for heading, shown in zip(hunks[1::2], hunks[2::2], strict=True):
        for sign, side in sides.items():
            found = re.search(rf"\{sign}(\d+)(?:,(\d+))?", heading)
            length = int(found[2] or 1)
            start = int(found[1]) - (length > 0)
            assert lines_of(shown, sign) == side[start : start + length]
            outside[sign] += side[seen[sign] : start]
            seen[sign] = start + length
    assert outside["-"] + sides["-"][seen["-"] :] == outside["+"] + sides["+"][seen["+"] :]


@given(st.text(st.sampled_from("a b\r\n\x00\u202e\u200b\ud800\u2028\x85\x1b[]-{}+\\\u00a0\u0301")), st.text())
@settings(max_examples=200)
def test_every_text_is_shown_and_nothing_hides(old, new):
    for stream in (io.StringIO(), Terminal()):
        shown = words(old, new, stream)
        assert shown == "" if old == new else shown.endswith("\n")
        plain = re.sub(r"\x1b\[[0-9]+m", "", shown) if stream.isatty() else shown
        assert all(character.isprintable() or character in "\t\n\xa0" for character in plain)


def test_long_texts_are_fast():
    old = "".join(f"Line {number} of a text with a number of words, {number % 7}.\n" for number in range(5000))
    start = time.process_time()
    shown = words(old, old.replace("words", "letters").replace("3.", "3!"), io.StringIO())
    assert shown.count("[-words-]{+letters+}") == 5000
    assert words("x " * 100_000, "y " + "x " * 100_000 + "z", io.StringIO())
    assert time.process_time() - start < 5

"""fn_iu_search: what it finds, by which way, and that no text to search for and no body is an error."""

from __future__ import annotations

import base64
import itertools
import random
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from functions_helpers import Database, Row
from test_static import log_in


def found(db: Database, text: str, **more: Any) -> list[tuple[str, str]]:
    return [(row["address"], row["found_by"]) for row in db.call("search", text=text, **more)]


def addresses(db: Database, text: str, **more: Any) -> list[str]:
    return [row["address"] for row in db.call("search", text=text, **more)]


def first(db: Database, text: str, **more: Any) -> Row:
    return db.call("search", text=text, **more)[0]


@pytest.fixture
def leave(db: Database) -> Database:
    db.piece("policies/leave", "Ask a week before.\nHolidays are paid.\n", title="Annual leave")
    db.piece("policies/pay", "Pay day is the last day of the month.\n", title="Pay")
    db.piece("guide/holidays-abroad", "Tell us where you are.\n", title="Going away")
    db.file("handbook", "policies/leave", {"piece": "policies/leave", "version": 1})
    db.file("all", {"collection": "handbook"}, "policies/pay")
    return db


# ---------------------------------------------------------------- words


def test_words_of_title_address_and_body_together(leave: Database) -> None:
    assert found(leave, "week ANNUAL policies") == [("policies/leave", "words")]
    assert found(leave, "holidays") == [("guide/holidays-abroad", "words"), ("policies/leave", "words")]
    assert addresses(leave, "ask or month") == ["policies/leave", "policies/pay"]
    assert addresses(leave, "day -holidays") == ["policies/pay"]
    assert addresses(leave, '"week before"') == ["policies/leave"]
    # All words, not any; and a phrase in its order.
    assert addresses(leave, "week month") == []
    assert found(leave, '"before week"') == []
    assert addresses(leave, "policies/leave") == ["policies/leave"]
    assert [row["title"] for row in leave.call("search", text="pay")] == ["Pay"]


def test_a_result_says_where_it_stands_and_marks_what_was_found(leave: Database) -> None:
    row = first(leave, "holidays", prefix="policies/")
    assert row == {
        "address": "policies/leave",
        "kind": "text",
        "version": 1,
        "title": "Annual leave",
        "lifecycle": "active",
        "places": 2,
        "found_by": "words",
        "rank": row["rank"],
        "snippet": "Ask a week before. \x02Holidays\x03 are paid. ",
    }
    assert 0 < row["rank"] < 1
    leave.one("collection_remove", key="all", member="handbook")
    leave.one("collection_soft_delete", key="handbook")
    assert first(leave, "holidays", prefix="policies/")["places"] == 0


def test_prefix_collection_and_limit_narrow(leave: Database) -> None:
    assert addresses(leave, "holidays", prefix="guide/") == ["guide/holidays-abroad"]
    assert addresses(leave, "holidays or month", collection="handbook") == ["policies/leave"]
    assert sorted(addresses(leave, "holidays or month", collection="all")) == ["policies/leave", "policies/pay"]
    assert addresses(leave, "abroad", collection="all") == []
    assert len(addresses(leave, "holidays", limit=1)) == 1
    assert addresses(leave, "holidays", limit=0) == []
    assert len(addresses(leave, "holidays", limit=None)) == 2
    leave.one("collection_remove", key="all", member="policies/pay")
    assert addresses(leave, "month", collection="all") == []


def test_heads_only_unless_all_versions_and_never_what_is_soft_deleted(leave: Database) -> None:
    leave.edit("policies/leave", "Ask a day before.\n")
    assert addresses(leave, "week") == []
    rows = leave.call("search", text="before", all_versions=True)
    assert sorted(row["version"] for row in rows) == [1, 2]
    assert [row["version"] for row in leave.call("search", text="week", all_versions=True)] == [1]
    leave.one("retire", address="policies/leave")
    assert [(row["version"], row["lifecycle"]) for row in leave.call("search", text="before")] == [(3, "retired")]
    leave.one("soft_delete", address="policies/leave")
    assert leave.call("search", text="before", all_versions=True) == []
    leave.one("restore", address="policies/leave")
    assert addresses(leave, "before") == ["policies/leave"]


VECTOR = """
select u.address
from iucore.information_unit as u
join iucore.unit_version as v on v.unit_id = u.unit_id and v.version = u.head_version
join iucore.unit_content as c on c.content_sha256 = v.content_sha256
where to_tsvector('simple', lower(v.title collate {0})) || to_tsvector('simple', lower(u.address collate {0}))
    || to_tsvector('simple', lower(translate(u.address, '/._~%%-', '      ') collate {0}))
    || to_tsvector('simple', lower(left(c.body, 65536) collate {0}))
        @@ websearch_to_tsquery('simple', lower(%s collate {0}))
order by 1
"""


def folding(db: Database) -> str:
    """A collation that knows the small letters of all letters, as the function looks for one."""
    for name in ("default", "pg_c_utf8", "und-x-icu", "C.utf8"):
        known = db.query("select from pg_collation where collname = %s and collencoding in (-1, 6)", [name])
        if known and db.value(f"select lower('Ü' collate \"{name}\")") == "ü":
            return f'"{name}"'
    return '"default"'


SAID = (
    *(
        "leave",
        "LEAVE",
        "Straße",
        "straße",
        "ΟΔΟΣ",
        "οδος",
        "οδοσ",
        "İstanbul",
        "istanbul",
        "naïve",
        "a_b",
        "a%b",
        "100%",
    ),
    *(
        "it's",
        "it''s",
        "C:\\dir",
        "\\",
        "%",
        "_",
        "http://a.example/b?c=d",
        "a-b-c",
        "x/y.z",
        "mail@example.org",
        "1.5e3",
    ),
    *("&amp;", "<b>", "週間前", "é", "e\u0301", "!", "|", "!(", "'", "''", "or", "and", "-5", "\u202e"),
)
SIGNS = ("", "", "", "-", '"')


def queries() -> list[str]:
    chosen = random.Random(7)
    made = list(SAID)
    for _ in range(250):
        words = []
        for _ in range(chosen.randint(1, 4)):
            sign = chosen.choice(SIGNS)
            word = " ".join(chosen.sample(SAID, 2)) + '"' if sign == '"' else chosen.choice(SAID)
            words.append(chosen.choice(("", "", "-")) * (sign == '"') + sign + word)
        made.append(chosen.choice((" ", " ", " or ")).join(words))
    return made


def test_words_are_what_full_text_itself_finds(db: Database) -> None:
    """What is looked for first, to spare a tsvector for each body, leaves nothing out and adds nothing."""
    chosen = random.Random(5)
    for number in range(120):
        body = chosen.choice((" ", "\n", ", ")).join(chosen.sample(SAID, chosen.randint(0, 6)))
        db.piece(f"p/{number}", body, title=f"T {chosen.choice(SAID[:12])}")
    seen = 0
    vector = VECTOR.format(folding(db))
    for query in queries():
        whole = [address for (address,) in db.query(vector, [query])]
        got = db.call("search", text=query, limit=None)
        by_words = sorted(row["address"] for row in got if row["found_by"] == "words")
        assert by_words == whole, query
        assert {row["found_by"] for row in got} <= ({"words"} if whole else {"substring", "similar"}), query
        seen += 0 < len(whole) < 120
    assert seen > 150


def test_of_very_many_the_newest_are_ranked(db: Database) -> None:
    db.piece("best", "common")
    pieces = [
        {"address": f"n/{number}", "kind": "text", "title": "T", "body": f"common {number}"} for number in range(5000)
    ]
    db.call("create_many", pieces=pieces)
    assert first(db, "common")["address"] != "best"
    assert first(db, "common", prefix="b")["address"] == "best"
    rows = db.call("search", text="common", limit=None)
    assert len(rows) == 5001 and rows[0]["address"] == "best"


# ---------------------------------------------------------------- substring


def test_text_without_spaces_is_found_as_a_substring(db: Database) -> None:
    db.piece("ja", "休暇は一週間前に申請してください。\n")
    db.piece("th", "พนักงานต้องแจ้งล่วงหน้า")
    row = first(db, "週間前")
    assert (row["address"], row["found_by"], row["rank"]) == ("ja", "substring", 0)
    assert row["snippet"] == "休暇は一\x02週間前\x03に申請してください。 "
    assert found(db, "แจ้งล่วง") == [("th", "substring")]


def test_a_substring_in_any_case_also_of_signs(db: Database) -> None:
    db.piece("a", "The Überstunden-Regel: 100% (§ 3) \\o/ _x_\n")
    db.piece("b", "nothing")
    for text in ("überst", "BERSTUND", "100%", "(§ 3)", "\\o/", "_x_", '"stunden-reg"', "%"):
        assert addresses(db, text)[:1] == ["a"], text
    assert found(db, "o_h") == [], "_ and % are no wildcards"
    assert found(db, "b%g") == []


def test_a_body_cannot_forge_the_marks(db: Database) -> None:
    db.piece("a", "one \x02two\x03 three\tfour\r\nfive")
    assert first(db, "three")["snippet"] == "one two \x02three\x03 four five"
    assert first(db, "thre")["snippet"] == "one two \x02thre\x03e four five"


# ---------------------------------------------------------------- similar


@pytest.mark.parametrize("schema", ["public", 'Odd "schema"'])
def test_what_is_similar_where_the_database_has_pg_trgm(leave: Database, schema: str) -> None:
    if not leave.value("select exists (select from pg_available_extensions where name = 'pg_trgm')"):
        pytest.skip("this server has no pg_trgm")
    assert found(leave, "holidys") == []
    leave.refuses("IU057", "search", text="holidys", similar=True)
    quoted = '"' + schema.replace('"', '""') + '"'
    leave.connection.execute(f"create schema if not exists {quoted}; create extension pg_trgm schema {quoted}")
    # A function of the name in the path of the caller is not the extension's.
    leave.connection.execute(
        "create schema trap; create function trap.word_similarity(text, text) returns real language sql"
        " as 'select 1::real / 0'"
    )
    leave.connection.execute("set search_path = trap, public")
    rows = leave.call("search", text="holidys")
    assert {row["address"] for row in rows} == {"policies/leave", "guide/holidays-abroad"}
    assert {row["found_by"] for row in rows} == {"similar"} and all(row["rank"] >= 0.4 for row in rows)
    assert [row["rank"] for row in rows] == sorted((row["rank"] for row in rows), reverse=True)
    # What is found as it is comes first, unless similar is asked for.
    assert found(leave, "annual") == [("policies/leave", "words")]
    assert found(leave, "annual", similar=True) == [("policies/leave", "similar")]
    assert found(leave, "zzzzzzzz") == []


def test_similar_leaves_nothing_out_that_word_similarity_finds(db: Database) -> None:
    """Counting trigrams first spares the function for most bodies."""
    if not db.value("select exists (select from pg_available_extensions where name = 'pg_trgm')"):
        pytest.skip("this server has no pg_trgm")
    db.connection.execute("create extension pg_trgm")
    chosen = random.Random(3)
    words = ["".join(chosen.choices("abcdeé週", k=chosen.randint(1, 7))) for _ in range(60)]
    for number in range(150):
        db.piece(f"p/{number}", " ".join(chosen.sample(words, 4)))
    compared = 0
    for word, other in itertools.product(words[:20], ("", words[30], words[31] + "aa")):
        text = f"{word} {other}".strip()
        whole = db.query(
            "select u.address from iucore.information_unit as u"
            " join iucore.unit_content as c on c.content_sha256 = u.head_sha256"
            " where public.word_similarity(%s, 'T ' || u.address || ' ' || c.body) >= 0.4 order by 1",
            [text],
        )
        assert sorted(addresses(db, text, similar=True, limit=None)) == [address for (address,) in whole], text
        compared += len(whole)
    assert compared > 500


def test_a_role_that_may_not_use_the_extension_searches_without(
    db: Database, login: Callable[[str | None], str]
) -> None:
    if not db.value("select exists (select from pg_available_extensions where name = 'pg_trgm')"):
        pytest.skip("this server has no pg_trgm")
    db.piece("a", "holidays")
    db.connection.execute("create schema closed; create extension pg_trgm schema closed")
    with log_in(login("iucore_reader")) as connection:
        reader = Database(connection)
        assert found(reader, "holidys") == []
        assert found(reader, "olid") == [("a", "substring")]
        assert "not open to role" in (
            reader.refuses("IU057", "search", text="x", similar=True).diag.message_detail or ""
        )


# ---------------------------------------------------------------- whatever is given

NASTY = (
    *(
        "'",
        "''",
        '"',
        '""',
        "\\",
        "!",
        "!!",
        "&",
        "|",
        "((",
        "))",
        "<->",
        ":*",
        "a:*b",
        "-",
        "- -",
        "or",
        "or or",
        "!(a",
        "\x01",
    ),
    *(
        "a" * 1000,
        "é" * 1000,
        "-a " * 300,
        '"a" ' * 250,
        "(" * 999,
        "§",
        "\u202e",
        "\U0001f600",
        "%",
        "_",
        "%s",
        "{}",
        "$1",
    ),
    *("--", "/*", "';select 1/0;--", "StartSel=<x>", "\x02x\x03", "\n", "\u00a0"),
)


def test_no_text_is_an_error_and_nobody_is_told_of_long_words(db: Database) -> None:
    told: list[str] = []
    db.connection.add_notice_handler(lambda diagnostic: told.append(diagnostic.message_primary or ""))
    db.piece("long", base64.b64encode(b"x" * 30_000).decode())
    for text in NASTY:
        if text.strip(" "):
            db.call("search", text=text)
    assert told == []
    for text in ("", "   ", None, "a" * 1001):
        assert db.refuses("IU057", "search", text=text).diag.message_hint
    db.refuses("IU003", "search", text="a", collection="nope")
    db.file("f")
    db.one("collection_soft_delete", key="f")
    db.refuses("IU212", "search", text="a", collection="f")


WIDE = {
    "words": " ".join(f"w{number}" for number in range(40_000)),
    "four bytes, hyphens": "-".join(chr(0x20000 + number) for number in range(60_000)),
    "four bytes": " ".join(chr(0x20000 + number) for number in range(40_000)),
    "addresses": " ".join(f"a{number}.example/{number}" for number in range(12_000)),
    "growing letters": "".join(f"Ⱥ{number}İ " for number in range(15_000)),
    "one word": "x" * 1_000_000,
}


def test_a_body_of_any_size_is_born_and_searched(db: Database) -> None:
    for number, body in enumerate(WIDE.values()):
        db.piece(f"wide/{number}", body)
    db.piece("huge", "word " * 3_300_000 + "needle")
    for text in ("w7", "a7.example/7", "needle", "Ⱥ7i", "nothingofit"):
        db.call("search", text=text)
    assert addresses(db, "w7") == ["wide/0"]
    # Behind the part that full text reads.
    assert found(db, "needle") == [("huge", "substring")]
    # The limit is real.
    with pytest.raises(psycopg.errors.ProgramLimitExceeded):
        db.query("select to_tsvector('simple', string_agg('w' || n, ' ')) from generate_series(1, 200000) as n")

"""Ranks: byte order, room at every place, bounded length, and no trap in a linguistic collation."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from functions_helpers import Database
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import make_url

from iucore.operations import migrate

SHARED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
LONGEST = 120
numbers = st.integers(-(2**62), 2**62) | st.integers(-70, 70) | st.sampled_from([61, 62, -62, -63, 3843, 3844, -3845])


def encode(db: Database, values: list[int]) -> list[str]:
    return [
        rank
        for (rank,) in db.query(
            "select iucore.fn_iu_rank_encode(n) from unnest(%s::bigint[]) with ordinality as t (n, o) order by o",
            [values],
        )
    ]


@given(values=st.lists(numbers, min_size=2, max_size=30))
@settings(max_examples=60, suppress_health_check=SHARED)
def test_encoding_keeps_order_and_is_undone_by_decoding(db: Database, values: list[int]) -> None:
    ranks = encode(db, values)
    pairs = sorted(zip(values, ranks, strict=True))
    assert [rank.encode() for _, rank in pairs] == sorted(rank.encode() for rank in ranks)
    assert len(set(ranks)) == len(set(values))
    assert db.value("select iucore.fn_iu_rank_decode(%s)", ["".join(ranks)]) == values


@given(data=st.lists(st.lists(numbers, min_size=1, max_size=4), min_size=2, max_size=2, unique_by=tuple))
@settings(max_examples=200, suppress_health_check=SHARED)
def test_between_any_two_lists_there_is_room(db: Database, data: list[list[int]]) -> None:
    low, high = sorted(data)
    one, two = ("".join(encode(db, part)) for part in (low, high))
    assert one.encode() < two.encode(), "lists compare as their text does"
    middle = db.value("select iucore.fn_iu_rank_between(%s, %s)", [one, two])
    assert one.encode() < middle.encode() < two.encode()


@given(places=st.lists(st.floats(0, 1), max_size=60), seed=st.integers(0, 2**32))
@settings(max_examples=25, suppress_health_check=SHARED)
def test_any_sequence_of_inserts_keeps_order(db: Database, places: list[float], seed: int) -> None:
    ranks: list[str] = []
    narrow = random.Random(seed)
    for place in places:
        at = round(place * len(ranks)) if narrow.random() < 0.5 else len(ranks) // 2
        low = ranks[at - 1] if at else None
        high = ranks[at] if at < len(ranks) else None
        rank = db.value("select iucore.fn_iu_rank_between(%s, %s)", [low, high])
        assert (low is None or low.encode() < rank.encode()) and (high is None or rank.encode() < high.encode())
        ranks.insert(at, rank)
    assert [rank.encode() for rank in ranks] == sorted(rank.encode() for rank in ranks)


# Inserts inside one statement each, so that 10,000 calls cost seconds and not minutes.
INSERTS = """
do $$
declare
    v_low bigint;
    v_high bigint;
    v_new bigint;
begin
    select min(member_id), max(member_id) into v_low, v_high from iucore.fn_iu_collection_members('f');
    for i in 1..{count} loop
        select member_id into v_new
        from iucore.fn_iu_collection_add('f', case when i % 2 = 0 then 'p' else 'q' end, 'r', {place});
        {next};
        -- One transaction for all would keep every dead state of the collection's row.
        if i % 50 = 0 then commit; end if;
        -- The server's autovacuum is off, and a plan made for an empty table is no plan for a full one.
        if i in (100, 1000) then analyze iucore.collection_member, iucore.change; end if;
    end loop;
end
$$
"""
ROADS = {
    "ascending": ("'before', '@' || v_high", "v_low := v_new"),
    "descending": ("'after', '@' || v_low", "v_high := v_new"),
    "last": ("'last'", "null"),
    "first": ("'first'", "null"),
    "zigzag": (
        "case when i % 2 = 0 then 'after' else 'before' end, '@' || case when i % 2 = 0 then v_low else v_high end",
        "if i % 2 = 0 then v_low := v_new; else v_high := v_new; end if",
    ),
}
EXPECTED: dict[str, Callable[[int], str]] = {
    "ascending": lambda n: "p" + "qp" * (n // 2) + "q",
    "descending": lambda n: "p" + "pq" * (n // 2) + "q",
    "last": lambda n: "pq" + "qp" * (n // 2),
    "first": lambda n: "pq" * (n // 2) + "pq",
    "zigzag": lambda n: "p" + "p" * (n // 2) + "q" * (n // 2) + "q",
}


@pytest.mark.parametrize("road", ROADS)
def test_thousands_of_inserts_at_one_place_keep_ranks_short(db: Database, road: str) -> None:
    count = 10_000 if road == "descending" else 2_000
    db.piece("p", "p")
    db.piece("q", "q")
    db.file("f", "p", "q")
    early = db.value("select max(change_id) from iucore.change")
    place, following = ROADS[road]
    db.connection.execute(INSERTS.format(count=count, place=place, next=following))
    longest, different, members = db.query(
        "select max(length(rank)), count(distinct rank), count(*) from iucore.fn_iu_collection_members('f')"
    )[0]
    assert longest <= LONGEST
    assert different == members == count + 2
    assert db.render("f") == EXPECTED[road](count)
    assert db.render("f", as_of_change=early) == "pq"
    # As of moments on the way, with the spreads in between.
    for added in range(100, count, count // 10):
        text = db.render("f", as_of_change=early + added)
        assert text == EXPECTED[road](added)


def test_a_crowded_place_spreads_by_itself(db: Database) -> None:
    for name in "pq":
        db.piece(name, name)
    db.file("f", "p", "q")
    place, following = ROADS["zigzag"]
    db.connection.execute(INSERTS.format(count=1000, place=place, next=following))
    spreads = db.query(
        "select opened_change, count(*) from iucore.collection_member group by opened_change having count(*) > 10"
    )
    assert spreads, "1000 inserts in a zigzag cannot all fit in 120 characters"
    assert len(spreads) < 20
    assert db.render("f") == EXPECTED["zigzag"](1000)


MOVES = """
do $$
declare
    v_members bigint[] := array(select member_id from iucore.fn_iu_collection_members('f') order by position);
    v_low bigint := v_members[1];
    v_high bigint := v_members[2];
begin
    for i in 3..cardinality(v_members) loop
        if i % 2 = 0 then
            perform iucore.fn_iu_collection_reorder('f', '@' || v_members[i], 'r', 'after', '@' || v_low);
            v_low := v_members[i];
        else
            perform iucore.fn_iu_collection_reorder('f', '@' || v_members[i], 'r', 'before', '@' || v_high);
            v_high := v_members[i];
        end if;
    end loop;
end
$$
"""


def test_moves_into_a_crowded_place_spread_by_themselves(db: Database) -> None:
    """Neither loses nor doubles the member that moves while all get new ranks."""
    count = 700
    db.piece("p", "p")
    db.file("f", *["p"] * count)
    numbers = [row["member_id"] for row in db.call("collection_members", key="f")]
    born = db.value("select max(change_id) from iucore.change")
    db.connection.execute(MOVES)
    spreads = db.query(
        "select opened_change from iucore.collection_member where opened_change > %s"
        " group by opened_change having count(*) > 10",
        [born],
    )
    assert spreads, "700 moves in a zigzag cannot all fit in 120 characters"
    expected = [numbers[0], *numbers[3::2], *reversed(numbers[2::2]), numbers[1]]
    assert [row["member_id"] for row in db.call("collection_members", key="f")] == expected
    past = db.call("collection_members", key="f", as_of_change=born)
    assert [row["member_id"] for row in past] == numbers
    (spread, *_) = spreads[0]
    for change in (spread - 1, spread):
        assert {row["member_id"] for row in db.call("collection_members", key="f", as_of_change=change)} == set(numbers)


def linguistic(admin: psycopg.Connection[Any]) -> list[str]:
    """Options of databases whose default collation is not that of bytes."""
    options = []
    names = {name.lower() for (name,) in admin.execute("select collname from pg_collation where collprovider = 'c'")}
    options += [
        f"lc_collate '{name}' lc_ctype '{name}' locale_provider libc" for name in ("en_US.utf8",) if name in names
    ]
    icu = admin.execute("select count(*) from pg_collation where collprovider = 'i' and collname = 'en-US-x-icu'")
    if icu.fetchone() == (1,):
        options.append("locale_provider icu icu_locale 'en-US' locale 'C'")
    return options


def test_order_does_not_depend_on_the_locale(new_database: Callable[..., str], admin: psycopg.Connection[Any]) -> None:
    choices = linguistic(admin)
    if not choices:
        pytest.skip("this server has no linguistic collation")
    for options in choices:
        url = new_database(options)
        migrate.upgrade(url)
        place = make_url(url)
        with psycopg.connect(
            host=place.host, port=place.port, user=place.username, dbname=place.database
        ) as connection:
            check_order(Database(connection))


def check_order(db: Database) -> None:
    # The trap: under a linguistic collation 'Zk' stands after 'a0', and 'B' between 'a' and 'c'.
    assert db.value("select 'Zk' > 'a0'"), "the database was to have a linguistic collation"
    names = ["a", "B", "c", "Z", "z", "_", "-", "~", "0", "A"]
    db.call("create_many", pieces=[{"address": n, "kind": "text", "title": "T", "body": n} for n in names])
    assert [row["address"] for row in db.call("list")] == sorted(names)
    assert [row["address"] for row in db.call("list", prefix="a")] == ["a"]
    db.file("f")
    model: list[str] = []
    dice = random.Random(1)
    history = {}
    for n in range(150):
        name = dice.choice(names)
        if n % 5 == 4 and len(model) > 2:
            members = db.query("select member_id from iucore.fn_iu_collection_members('f') order by position")
            source, target = dice.sample(range(len(model)), 2)
            moved = model[source]
            anchor = model[target]
            db.one(
                "collection_reorder",
                key="f",
                member=f"@{members[source][0]}",
                at="after",
                anchor=f"@{members[target][0]}",
            )
            del model[source]
            model.insert((target if target < source else target - 1) + 1, moved)
            assert anchor in model
        else:
            at = dice.choice([0, 0, 0, len(model), dice.randint(0, len(model))])
            members = db.query("select member_id from iucore.fn_iu_collection_members('f') order by position")
            if at == 0:
                db.add("f", name, at="first")
            elif at == len(model):
                db.add("f", name)
            else:
                db.add("f", name, at="before", anchor=f"@{members[at][0]}")
            model.insert(at, name)
        history[db.value("select max(change_id) from iucore.change")] = "".join(model)
    assert db.members("f") == model
    db.file("g", {"collection": "f"}, "a", {"collection": "f"})
    assert db.render("g") == "".join(model) + "a" + "".join(model)
    assert "".join(row["body"] for row in db.call("render_pieces", key="g")) == db.render("g")
    db.one("collection_rebalance", key="f")
    assert db.members("f") == model
    for change, text in history.items():
        assert db.render("f", as_of_change=change) == text
    assert [row["key"] for row in db.call("collection_list")] == ["f", "g"]

"""The ledger: what recomputing it finds, whoever altered what, and what a reader of it gets."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Iterator

import psycopg
import pytest
from pytest_postgresql.executors.noop import NoopExecutor
from servers import url_of
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

from iucore import collections, events, ledger, units
from iucore.errors import ConflictError, InvalidError, OperationError
from iucore.operations import audit
from iucore.operations.audit import Anchor

EVENTS = 24


def sql(connection: Connection, *statements: str) -> None:
    for statement in statements:
        connection.exec_driver_sql(statement, execution_options={"no_parameters": True})


def fill(connection: Connection) -> None:
    """Facts of the immediate lane and events of the delayed one, in turns; sequenced in several batches."""
    for number in range(4):
        made = units.create(connection, address=f"a/{number}", kind="text", title="T", body="x", reason="r")
        for version in range(made.version, 5):
            units.edit(
                connection, address=f"a/{number}", expected_version=version, body=f"{version} 'é' \\", reason="r"
            )
        collections.create(connection, key=f"c/{number}", kind="file", title="C", reason="r", actor='ann, "b" \\')
        connection.commit()
        while ledger.sequence(connection, limit=4).remaining:
            connection.commit()
        connection.commit()


@pytest.fixture(scope="module")
def filled(admin: psycopg.Connection, at_head: NoopExecutor) -> Iterator[str]:
    """URL of one database for the tests that take back what they do."""
    name = f"t_{uuid.uuid4().hex}"
    admin.execute(f'create database {name} template "{at_head.template_dbname}"')
    engine = create_engine(url_of(name), poolclass=NullPool)
    with engine.connect() as connection:
        fill(connection)
    yield url_of(name)
    admin.execute(f"drop database {name} with (force)")


@pytest.fixture
def own(filled: str) -> Iterator[Connection]:
    """A transaction on that database, past the triggers; rolled back."""
    with create_engine(filled, poolclass=NullPool).connect() as connection, connection.begin() as transaction:
        sql(connection, "set local session_replication_role = replica")
        yield connection
        transaction.rollback()


def test_whole(own: Connection) -> None:
    head = ledger.head(own)
    assert (head.position, head.events, head.anchor_position) == (EVENTS, EVENTS, None)
    assert (head.sequenced_position, head.sequenced_hash) == (head.position, head.hash)
    seen: list[tuple[int, int]] = []
    found = audit.verify(own, limit=5, progress=lambda done, total: seen.append((done, total)))
    assert (found.positions, found.head, found.count, found.hash) == (EVENTS, EVENTS, EVENTS, head.hash.hex())
    assert (found.bad_position, found.problem, found.stray) == (None, None, [])
    assert seen == [(5, 24), (10, 24), (15, 24), (20, 24), (24, 24)]


def test_chain_is_sha256_of_what_stands_there(own: Connection) -> None:
    """Recomputed here, from the texts; the hash before the first is empty."""
    before = b""
    rows = own.exec_driver_sql(
        "select l.hash, iucore.fn_iu_ledger_text(l.event_id, l.event_type, l.aggregatetype, l.aggregateid,"
        " l.subject, l.delivery_lane, l.payload, l.change_id, l.actor, l.claimed_actor, l.traceparent, l.created_at)"
        " from iucore.event_log as l order by l.position"
    ).all()
    for hash, said in rows:
        before = hashlib.sha256(before + said.encode()).digest()
        assert bytes(hash) == before
    texts = [said for _, said in rows]
    assert len(set(texts)) == EVENTS
    sql(
        own,
        "set local timezone = 'Asia/Kolkata'",
        "set local datestyle = 'SQL, DMY'",
        "set local bytea_output = 'escape'",
    )
    assert audit.verify(own).problem is None, "whatever the session's settings"


# Alters the database; first bad position, what is said of it.
ITS_ID = "(select event_id from iucore.event_log where position = {0})"
OUTBOX = f"update iucore.event_outbox set payload = payload || '{{{{\"x\": 1}}}}' where id = {ITS_ID}"
EDIT = "update iucore.event_log set payload = payload || '{{\"x\": 1}}' where position = {0}"
COPY = (
    "insert into iucore.event_log select (jsonb_populate_record(l, jsonb_build_object('position', {1}, 'event_id',"
    " gen_random_uuid()))).* from iucore.event_log as l where l.position = {0}"
)
# The chain over again, from a position on.
REHASH = """
do $$
declare
    v record;
    v_hash bytea := coalesce((select hash from iucore.event_log where position = {0} - 1), '');
begin
    for v in select * from iucore.event_log as l where l.position >= {0} order by l.position loop
        v_hash := sha256(v_hash || convert_to(iucore.fn_iu_ledger_text(v.event_id, v.event_type, v.aggregatetype,
            v.aggregateid, v.subject, v.delivery_lane, v.payload, v.change_id, v.actor, v.claimed_actor, v.traceparent,
            v.created_at), 'UTF8'));
        update iucore.event_log set hash = v_hash where position = v.position;
    end loop;
end
$$
"""
REMEMBER = """
insert into iucore.sequencer_batch (system_identifier, seen, position, hash)
select b.system_identifier, b.seen, l.position, l.hash
from (select * from iucore.event_log order by position desc limit 1) as l,
    (select * from iucore.sequencer_batch order by batch desc limit 1) as b
"""
# By way of negative positions: two events never have one.
SWAP = "update iucore.event_log set position = -({0} + {1} - position) where position in ({0}, {1})"
DOWN = "update iucore.event_log set position = -(position - 1) where position > {0}"
UP = "update iucore.event_log set position = -(position + 1) where position >= {0}"
THERE = "update iucore.event_log set position = -position where position < 0"


@pytest.mark.parametrize("at", [1, 2, 7, 15, EVENTS])
@pytest.mark.parametrize("limit", [1, 4, 10_000])
def test_an_altered_event(own: Connection, at: int, limit: int) -> None:
    def found() -> tuple[int | None, str]:
        verdict = audit.verify(own, limit=limit)
        assert verdict.positions == (verdict.bad_position or 0) - 1
        return verdict.bad_position, verdict.problem or ""

    def tampered(*statements: str, told: str, where: int = at) -> None:
        with own.begin_nested() as savepoint:
            sql(own, *(statement.format(at, other) for statement in statements))
            assert found() == (where, told)
            savepoint.rollback()

    other = at + 1 if at < EVENTS else at - 1
    hash = "the hash is not that of the event in its place"
    tampered(EDIT, told=hash)
    tampered(OUTBOX, told="the event differs from the one in the outbox")
    tampered(EDIT, OUTBOX, told=hash)
    tampered(EDIT, REHASH, REMEMBER, told="the event differs from the one in the outbox")
    for column, value in {
        "event_type": "'x.y'",
        "aggregatetype": "'x'",
        "aggregateid": "'x'",
        "subject": "subject || ' '",
        "delivery_lane": "'x'",
        "change_id": "change_id + 1",
        "actor": "'x'",
        "claimed_actor": "coalesce(claimed_actor, '') || 'x'",
        "traceparent": "''",
        "created_at": "created_at + interval '1 microsecond'",
        "hash": "sha256(hash)",
        "event_id": "gen_random_uuid()",
    }.items():
        tampered(f"update iucore.event_log set {column} = {value} where position = {{0}}", told=hash)
    tampered(
        "delete from iucore.event_outbox where id = (select event_id from iucore.event_log where position = {0})",
        told="the event is not in the outbox",
    )
    tampered(
        COPY.replace("'event_id',", "'slot', (l.slot + 1) % 5, 'event_id',").replace("{1}", "{0}"),
        told="two events have this position",
    )
    first = min(at, other)
    tampered(SWAP, THERE, told=hash, where=first)
    if at < EVENTS:
        tampered("delete from iucore.event_log where position = {0}", told="no event has this position")
        tampered(
            "delete from iucore.event_log where position = {0}",
            DOWN,
            THERE,
            told=hash,
        )
        tampered(
            UP,
            THERE,
            COPY.replace("{1}", "{0}").replace("l.position = {0}", "l.position = {0} + 1"),
            told=hash,
        )


def test_a_cut_tail(own: Connection) -> None:
    kept = audit.anchor(own)
    assert kept is not None and (kept.position, kept.count) == (EVENTS, EVENTS)
    sql(own, "delete from iucore.event_log where position > 20")
    found = audit.verify(own)
    assert (found.bad_position, found.problem) == (21, "the tail is cut: the sequencer came to position 24")
    assert found.positions == 20 and len(found.stray) == 4, "and what was cut is stray"
    assert audit.anchor(own) is None, "such an end is no anchor"
    sql(own, REMEMBER, "delete from iucore.event_outbox where id not in (select event_id from iucore.event_log)")
    assert audit.verify(own).problem is None, "whoever rewrote everything"
    found = audit.verify(own, anchors=[kept])
    assert (found.bad_position, found.problem) == (21, "the tail is cut: an anchor knows position 24")
    sql(own, "delete from iucore.event_log")
    assert audit.verify(own).bad_position == 1


def test_everything_rewritten(own: Connection) -> None:
    anchors = [Anchor(4, "", None), Anchor(9, "", 9), Anchor(EVENTS, "", EVENTS)]
    anchors = [Anchor(one.position, ledger_hash(own, one.position), one.count) for one in anchors]
    assert audit.verify(own, anchors=anchors, limit=3).problem is None
    assert audit.verify(own, anchors=anchors).anchors == 3
    sql(own, EDIT.format(7, 0), OUTBOX.format(7, 0), REHASH.format(7), REMEMBER)
    assert audit.verify(own).problem is None
    found = audit.verify(own, anchors=anchors, limit=4)
    assert (found.bad_position, found.problem) == (
        9,
        "the hash is not that of the anchor: this event or one before it was rewritten",
    )
    wrong = audit.verify(own, anchors=[Anchor(4, ledger_hash(own, 4), 5)])
    assert wrong.bad_position == 4 and "counted 5" in (wrong.problem or "")


def ledger_hash(connection: Connection, position: int) -> str:
    found: str = connection.exec_driver_sql(
        f"select encode(hash, 'hex') from iucore.event_log where position = {position}"
    ).scalar_one()
    return found


def test_an_end_that_the_sequencer_did_not_make(own: Connection) -> None:
    with own.begin_nested() as savepoint:
        made = "e0000000-0000-7000-8000-000000000000"
        sql(
            own,
            "insert into iucore.event_outbox (id, aggregatetype, aggregateid, type, payload, event_subject_ref,"
            " delivery_lane, change_id, actor, claimed_actor, created_at, slot)"
            f" select '{made}', aggregatetype, aggregateid, type, payload, event_subject_ref, delivery_lane, change_id,"
            f" actor, claimed_actor, created_at, slot from iucore.event_outbox where id = {ITS_ID.format(EVENTS)}",
            COPY.format(EVENTS, EVENTS + 1).replace("gen_random_uuid()", f"'{made}'"),
            REHASH.format(EVENTS + 1),
        )
        found = audit.verify(own)
        assert (found.bad_position, found.problem) == (25, "the event was not put there by the sequencer")
        savepoint.rollback()
    sql(own, "update iucore.sequencer_batch set hash = sha256('x')")
    found = audit.verify(own)
    assert (found.bad_position, found.problem) == (24, "the hash is not the one that the sequencer remembers")


def test_stray(own: Connection) -> None:
    sql(own, "delete from iucore.event_log where position in (select max(position) from iucore.event_log)", REMEMBER)
    found = audit.verify(own)
    assert found.problem is None and [type(one) for one in found.stray] == [ledger.Stray]


def test_read(own: Connection) -> None:
    everything = ledger.read(own)
    assert [one.position for one in everything] == list(range(1, EVENTS + 1))
    paged: list[ledger.LoggedEvent] = []
    while page := ledger.read(own, after=paged[-1].position if paged else 0, limit=5):
        paged += page
    assert paged == everything
    assert {one.event_type for one in ledger.read(own, event_type="unit.edited")} == {"unit.edited"}
    assert everything[5].claimed_actor == 'ann, "b" \\' and everything[0].payload["version"] == 1
    with pytest.raises(TypeError, match="after must be int"):
        ledger.read(own, after="1")  # type: ignore[arg-type]


def test_the_order_of_commits_not_of_ids(connection: Connection, url: str) -> None:
    """A transaction that began first and commits last keeps nobody waiting and loses nothing."""
    with create_engine(url, poolclass=NullPool).connect() as slow:
        units.create(slow, address="slow", kind="text", title="T", body="slow", reason="r")
        units.create(connection, address="fast", kind="text", title="T", body="fast", reason="r")
        connection.commit()
        assert ledger.sequence(connection).head == 1
        connection.commit()
        slow.commit()
        assert ledger.sequence(connection).head == 2
        connection.commit()
    assert [one.subject for one in ledger.read(connection)] == ["fast", "slow"]
    assert [one.subject for one in events.list_events(connection)] == ["slow", "fast"]


def test_errors_of_the_sequencer(connection: Connection) -> None:
    with pytest.raises(InvalidError, match="IU054"):
        ledger.sequence(connection, limit=0)
    connection.rollback()
    units.create(connection, address="a", kind="text", title="T", body="x", reason="r")
    connection.commit()
    assert ledger.sequence(connection).head == 1
    connection.commit()
    with connection.begin():
        sql(
            connection,
            "set local session_replication_role = replica",
            "update iucore.sequencer_batch set system_identifier = 1",
        )
    with pytest.raises(OperationError, match="IU915") as caught:
        ledger.sequence(connection)
    assert "iucore sequencer rebase" in caught.value.hint
    connection.rollback()
    units.create(connection, address="b", kind="text", title="T", body="x", reason="r")
    connection.commit()
    done = ledger.rebase(connection, reason="restored")
    connection.commit()
    assert (done.sequenced, done.head, done.changed) == (2, 3, True), "the event of the rebase too"
    assert ledger.sequence(connection).head == 3 and audit.verify(connection).problem is None


# Moves what there is into a quarter that is past.
OLD = """
do $$
declare
    v_slot smallint := date_part('quarter', now() at time zone 'UTC' - interval '3 months')::smallint;
begin
    set local session_replication_role = replica;
    update iucore.event_outbox set slot = v_slot, created_at = created_at - interval '3 months' where slot <> 0;
end
$$
"""
OLDER = """
set local session_replication_role = replica;
update iucore.event_log set sequenced_at = sequenced_at - interval '3 months';
update iucore.change set changed_at = changed_at - interval '3 months'
"""


def test_after_a_prune(connection: Connection) -> None:
    made = units.create(connection, address="a", kind="text", title="T", body="x", reason="r")
    for version in range(1, 6):
        units.edit(connection, address="a", expected_version=version, body=f"{version}", reason="r")
    sql(connection, OLD)
    connection.commit()
    assert made.version == 1 and ledger.sequence(connection, limit=10).head == 6
    sql(connection, OLDER)
    connection.commit()
    start, end = Anchor(3, ledger_hash(connection, 3), 3), Anchor(6, ledger_hash(connection, 6), 6)
    moment = connection.exec_driver_sql("select now() - interval '1 day'").scalar_one()
    connection.rollback()
    with pytest.raises(InvalidError, match="IU018"):
        events.prune(connection, before=moment.replace(tzinfo=None), reason="r")
    for number in range(2):
        units.create(connection, address=f"b/{number}", kind="text", title="T", body="x", reason="r")
    connection.commit()
    (gone,) = events.prune(connection, before=moment, reason="kept long enough")
    connection.commit()
    assert (gone.events, gone.attempts) == (5, 0) and gone.first_at < gone.last_at < moment
    assert ledger.sequence(connection).head == 9, "two births, and the event of the prune"
    connection.commit()
    found = audit.verify(connection, anchors=[start, end], limit=2)
    assert (found.begin, found.positions, found.head) == (6, 4, 9)
    assert (found.anchors, found.older, found.problem, found.stray) == (1, 1, None, [])
    assert audit.verify(connection, anchors=[Anchor(6, "0" * 64, 6)]).bad_position == 6
    assert events.prune(connection, before=moment, reason="again") == []


def test_a_prune_refuses(connection: Connection) -> None:
    units.create(connection, address="a", kind="text", title="T", body="x", reason="r")
    units.edit(connection, address="a", expected_version=1, body="y", reason="r")
    sql(connection, OLD)
    connection.commit()
    moment = connection.exec_driver_sql("select now()").scalar_one()
    connection.rollback()
    with pytest.raises(ConflictError, match="IU220") as caught:
        events.prune(connection, before=moment, reason="r")
    assert "is not in the ledger yet" in caught.value.detail and "iucore status" in caught.value.hint


HASH = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    "written",
    [
        f"5:{HASH}:5",
        f" 5:{HASH.upper()}:5 \r\n",
        f"# of Monday\n\n5:{HASH}:5\n",
        json.dumps({"position": 5, "hash": HASH, "count": 5}),
        json.dumps([{"position": 5, "hash": HASH, "count": 5}], indent=2),
        f"position\thash\tcount\n5\t{HASH}\t5\n",
        f"position,hash,count\n5,{HASH},5\n",
    ],
)
def test_parse_an_anchor(written: str) -> None:
    assert audit.parse(written) == [Anchor(5, HASH, 5)]


def test_parse_anchors() -> None:
    several = "".join(json.dumps({"position": at, "hash": HASH, "count": at}) + "\n" for at in (1, 2))
    assert [one.position for one in audit.parse(several)] == [1, 2]
    assert audit.parse("0::0") == [Anchor(0, "", 0)] and str(Anchor(0, "", 0)) == "0::0"
    for anchor in (Anchor(7, HASH, 7), Anchor(7, HASH, None)):
        assert audit.parse(str(anchor)) == [anchor]


@pytest.mark.parametrize(
    "written",
    [
        "",
        "\n# nothing\n",
        "5",
        "x",
        f"5:{HASH[:-1]}",
        f"x:{HASH}",
        f"5:{HASH}:x",
        f"-5:{HASH}",
        "5:",
        "{}",
        "[1]",
        '"a"',
        f"5:{HASH[:-1]}g",
        "null",
        f"0:{HASH}",
    ],
)
def test_no_anchor(written: str) -> None:
    with pytest.raises(InvalidError, match="IU056"):
        audit.parse(written)


def test_both_drivers(filled: str) -> None:
    found: list[Callable[[], object]] = []
    results = []
    for driver in ("psycopg2", "psycopg"):
        engine = create_engine(filled.replace("+psycopg2", f"+{driver}"), poolclass=NullPool)
        with engine.connect() as connection:
            kept = audit.anchor(connection)
            assert kept is not None
            verdict = audit.verify(connection, anchors=[kept])
            results.append(
                (kept, verdict, [(one.position, one.event_id, one.payload) for one in ledger.read(connection)])
            )
    assert results[0] == results[1] and not found

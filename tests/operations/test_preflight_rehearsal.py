"""``iucore db rehearse``: up, down and up on a copy; the evidence of it, and evidence that is damaged or foreign."""

from __future__ import annotations

import json
import shutil
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from apply_helpers import HEAD, REVISIONS, Place, place

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "delivery"))

from cluster_helpers import own_cluster
from servers import url_of

from iucore import errors, inventory
from iucore.embedded import Cluster
from iucore.operations import evidence, migrate, preflight

BEFORE = REVISIONS[-2]


@pytest.fixture(scope="module")
def scratch() -> Iterator[Cluster]:
    """Another server."""
    with own_cluster({"fsync": "off", "autovacuum": "off"}) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def rehearsed(admin: psycopg.Connection, scratch: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A database of the revision before with registered things, a switched gate and content, rehearsed on a scratch."""
    name = f"t_{uuid.uuid4().hex}"
    admin.execute(f"create database {name} template template0 encoding 'UTF8'")
    made = Place(url_of(name), tmp_path_factory.mktemp("rehearsal"))
    migrate.upgrade(made.url, BEFORE)
    made.execute(
        "select * from iucore.fn_iu_create('a', 'text', 'A', E'a\\n', 'r');"
        " select * from iucore.fn_iu_kind_register('own', 'Own', 'Own', 'r');"
        " select * from iucore.fn_iu_axis_register('own', 'Own', 'union', 'r');"
        " select iucore.fn_iu_gate_set('delivery', true, 'secret reason');"
        " select iucore.fn_iu_route_set('unit.created', true, 'r')"
    )
    before, there = made.state(), databases(scratch)
    steps = made.objects("db", "rehearse", "--scratch", scratch.url())
    assert [(one["step"], one["to"]) for one in steps] == [
        ("restore", BEFORE),
        ("up", HEAD),
        ("down", BEFORE),
        ("up again", HEAD),
    ]
    assert all(one["as_expected"] for one in steps)
    assert steps[0]["fingerprint"] == steps[2]["fingerprint"] != steps[1]["fingerprint"] == steps[3]["fingerprint"]
    assert databases(scratch) == there, "its database is dropped again"
    yield made
    assert made.state() == before
    admin.execute(f"drop database {name} with (force)")


@pytest.fixture
def old(rehearsed: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """The same database, with evidence of this test alone: of the one rehearsal."""
    shutil.copytree(rehearsed.folder / "evidence", tmp_path / "evidence")
    made = Place(rehearsed.url, tmp_path)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    return made


def databases(cluster: Cluster) -> list[str]:
    with psycopg.connect(cluster.url()) as connection:
        return [row[0] for row in connection.execute("select datname from pg_database order by datname")]


def found(of: Place) -> evidence.Evidence:
    with of.engine.connect() as connection:
        newest = evidence.newest("rehearsal", evidence.identity(connection))
    assert newest is not None
    return newest


def check_13(of: Place) -> preflight.Check:
    with of.engine.connect() as connection:
        return preflight.preflight(connection, backups=of.backups).checks[12]


def test_what_is_copied(old: Place) -> None:
    body = found(old).body
    # Registries are copied, content and what people wrote are not.
    assert body["rows"]["unit_kind"] == 9 and body["rows"]["axis"] == 1 and body["rows"]["gate_switch"] == 1
    assert not {"information_unit", "unit_content", "change_result", "event_outbox"} & body["rows"].keys()
    assert "secret reason" not in found(old).path.read_text()
    assert check_13(old).green


def test_a_new_database_on_a_temporary_server(
    new_database: Callable[[], str], scratch: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Place(new_database(), tmp_path)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    done = made.run("db", "rehearse")
    assert "a temporary PostgreSQL is started" in done.stderr
    assert found(made).body["bound"]["base"] is None and check_13(made).green
    # One that went somewhere else does not hide it, and does not do.
    made.run("db", "rehearse", "--to", "0002", "--scratch", scratch.url())
    assert found(made).body["bound"]["goal"] == "0002" and check_13(made).green
    made.run("backup", "create", "--to", str(made.backups))
    assert all(check["green"] for check in made.objects("preflight", "--base", "base"))
    found(made).path.unlink()
    migrate.upgrade(made.url, "0001")
    late = check_13(made)
    assert not late.green and "it began at another revision" in late.figure and late.next == "iucore db rehearse"
    migrate.downgrade(made.url, "base")
    again = made.objects("preflight", "--base", "base")
    assert all(check["green"] for check in again) and again[3]["figure"] == "at base, as expected"


def test_nothing_is_pending(new_database: Callable[[], str], tmp_path: Path) -> None:
    made = place(new_database, tmp_path, HEAD)
    assert "nothing is pending" in made.run("db", "rehearse").stderr
    assert check_13(made).figure == "nothing is pending"
    assert "IU912" in made.run("db", "rehearse", "--to", "0003", code=1).stderr


def test_a_revision_that_does_not_come_back_is_named(
    old: Place, scratch: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IUCORE_SCRATCH_URL", scratch.url())
    downgrade = migrate.downgrade

    def leaves_something(target: str, revision: str, **more: str) -> None:
        downgrade(target, revision, **more)
        with psycopg.connect(target.replace("+psycopg2", "")) as connection:
            connection.execute("create function iucore.fn_iu_left() returns int language sql return 1")

    with monkeypatch.context() as patch:
        patch.setattr(migrate, "downgrade", leaves_something)
        failed = old.run("db", "rehearse", code=1)
    assert "IU937" in failed.stderr and f"down to {BEFORE}: unexpected function iucore.fn_iu_left()" in failed.stderr
    assert [step["step"] for step in found(old).body["steps"]] == ["restore", "up", "down"]
    red = check_13(old)
    assert not red.green and f"the newest rehearsal failed: down to {BEFORE}: unexpected function" in red.figure
    assert databases(scratch) == ["iucore", "postgres", "template0", "template1"]

    with monkeypatch.context() as patch:
        patch.setattr(inventory, "expected", lambda _=None: [])
        drifted = old.run("db", "rehearse", code=1)
    assert "IU904" in drifted.stderr and "unexpected column iucore.axis.axis" in drifted.stderr


def test_scratch_servers_that_will_not_do(old: Place) -> None:
    same = old.run("db", "rehearse", "--scratch", old.url, code=1)
    assert "IU938" in same.stderr and "the server of the database itself" in same.stderr
    gone = old.run("db", "rehearse", "--scratch", "postgresql://127.0.0.1:1/x", code=1)
    assert "IU938" in gone.stderr and "Traceback" not in gone.output


def test_another_major_version_is_named(old: Place) -> None:
    one = found(old)
    one.path.unlink()
    evidence.write("rehearsal", one.identity, one.body | {"server_version": "99.1"})
    assert not check_13(old).green and "rehearsed up, down and up on 99.1" in check_13(old).figure
    assert "--scratch URL" in str(check_13(old).next)
    with old.engine.connect() as connection:
        assert preflight.preflight(connection, backups=old.backups, target="staging").checks[12].green
    evidence.write("rehearsal", one.identity, one.body)
    assert check_13(old).green


def test_evidence_that_does_not_fit(old: Place) -> None:
    one = found(old)
    one.path.unlink()
    for name, said in (("frozen", "of other migrations"), ("fingerprint", "of other objects"), ("goal", "to another")):
        evidence.write("rehearsal", one.identity, one.body | {"bound": one.body["bound"] | {name: "x"}})
        assert not check_13(old).green and said in check_13(old).figure


def test_evidence_that_is_damaged_or_foreign_is_refused_by_name(old: Place) -> None:
    path = found(old).path
    whole = path.read_text()

    def refused(sqlstate: str, text: str) -> None:
        path.write_text(text)
        with pytest.raises(errors.OperationError) as refusal:
            found(old)
        assert refusal.value.sqlstate == sqlstate and str(path) in refusal.value.detail and refusal.value.hint
        red = check_13(old)
        assert not red.green and str(path) in red.figure

    refused("IU935", whole.replace('"wrong": []', '"wrong": ["x"]'))
    refused("IU935", whole[: len(whole) // 2])
    refused("IU935", "")
    refused("IU935", "[]")
    refused("IU935", json.dumps({"digest": "x"}))
    said = json.loads(whole)
    digest = said.pop("digest")
    assert evidence.digest(said) == digest
    for change in ({"kind": "other"}, {"made_at": "2026-01-01T00:00:00"}, {"body": []}, {"identity": {}}):
        other: dict[str, Any] = said | change
        refused("IU935", json.dumps(other | {"digest": evidence.digest(other)}))
    foreign = said | {"identity": said["identity"] | {"database_oid": 1}}
    refused("IU936", json.dumps(foreign | {"digest": evidence.digest(foreign)}))
    path.write_text(whole)
    assert check_13(old).green


def test_evidence_of_this_very_database_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IUCORE_EVIDENCE", str(tmp_path / "evidence"))
    here = evidence.Identity("1", "texts", 2, "18.1")
    assert evidence.newest("run", here) is None
    first = evidence.write("run", here, {"n": 1})
    evidence.write("run", replace(here, system_identifier="9"), {"n": 2})
    evidence.write("run", replace(here, database_oid=3), {"n": 3})
    evidence.write("run", replace(here, database="before"), {"n": 4})
    evidence.write("preflight", here, {"n": 5})
    assert [one.body for one in evidence.every("run", here)] == [{"n": 1}]
    assert evidence.read(first).identity == here
    # The last that was written is the newest, whatever a clock says.
    text = first.read_text()
    said = json.loads(text) | {"made_at": "2099-01-01T00:00:00+00:00"}
    del said["digest"]
    first.write_text(json.dumps(said | {"digest": evidence.digest(said)}))
    evidence.write("run", replace(here, server_version="18.2"), {"n": 6})
    assert [one.body["n"] for one in evidence.every("run", here)] == [6, 1]
    assert [path.name for path in (tmp_path / "evidence").rglob("*.new")] == []
    assert first.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileNotFoundError):
        evidence.read(tmp_path / "nothing.json")
    monkeypatch.delenv("IUCORE_EVIDENCE")
    assert evidence.folder().name == "evidence"

"""``iucore closeout``: a report from measured facts, kept as a governed file."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from apply_helpers import HEAD, Place, place, prepared

from iucore import inventory
from iucore.operations import migrate

BEFORE = "0021"
HEADINGS = [
    "Outcome (run)",
    "Database (now)",
    "Revisions (run, now)",
    "Backup (run, now)",
    "Preflight (run)",
    "Objects (run)",
    "Inventory (run, now)",
    "Rows (run, now)",
    "Proofs (run)",
    "Delivery (now)",
    "Gates (run, now)",
    "Ready to go back (now)",
    "Ready to be switched off (now)",
    "What is wrong (now)",
    "What was not done",
]


@pytest.fixture(scope="module")
def shared(admin: psycopg.Connection, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with prepared(admin, tmp_path_factory.mktemp("closeout"), BEFORE) as made:
        yield made


@pytest.fixture
def applied(shared: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    shared.begin(monkeypatch, BEFORE)
    shared.run("db", "apply", "--yes")
    return shared


def sections(text: str) -> dict[str, str]:
    parts = re.split(r"^## (.+)\n\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def rows(section: str) -> dict[str, list[str]]:
    """Rows of the tables of a section by their first cell."""
    lines = [line[2:-2].split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return {line[0]: line[1:] for line in lines if line[0] != "---"}


def test_every_fact_is_there_and_says_where_it_is_from(applied: Place) -> None:
    text = applied.run("closeout").stdout
    found = sections(text)
    assert list(found) == HEADINGS
    assert rows(found["Outcome (run)"])["outcome"] == ["done: applied, verified and proven"]
    revisions = rows(found["Revisions (run, now)"])
    assert [revisions[when] for when in ("before", "after", "now")] == [[BEFORE], [HEAD], [HEAD]]
    backup = rows(found["Backup (run, now)"])
    assert backup["still there (now)"] == ["yes"] and len(backup["sha256 (run)"][0]) == 64
    checks = rows(found["Preflight (run)"])
    assert [checks[str(number)][1] for number in range(1, 15)] == ["green"] * 14
    before, after = inventory.expected(BEFORE), inventory.expected(HEAD)
    added = {(one.kind, one.object) for one in after} - {(one.kind, one.object) for one in before}
    objects = rows(found["Objects (run)"])
    assert objects["all"][0] == str(len(added))
    assert objects["view"][0] == str(sum(kind == "view" for kind, _ in added))
    assert rows(found["Inventory (run, now)"])["now"][:2] == [f"{len(after)}/{len(after)}", "none"]
    assert rows(found["Rows (run, now)"])["information_unit"] == ["1", "1", "1"]
    assert rows(found["Proofs (run)"])["render"][0] == "ok"
    assert rows(found["Delivery (now)"])["attempts sent"] == ["0"]
    assert rows(found["Gates (run, now)"])["delivery"] == ["closed", "closed"]
    assert f"iucore db rollback {BEFORE}" in found["Ready to go back (now)"]
    assert "Nothing is sent" in found["What was not done"]


def test_it_measures_again(applied: Place) -> None:
    applied.execute("select iucore.fn_iu_gate_set('delivery', true, 'r'); select iucore.fn_iu_sequence()")
    applied.execute("select * from iucore.fn_iu_create('b', 'text', 'B', 'b', 'r')")
    applied.execute("create function iucore.fn_iu_stray() returns int language sql return 1")
    found = sections(applied.run("closeout").stdout)
    assert rows(found["Gates (run, now)"])["delivery"] == ["closed", "open"]
    assert rows(found["Rows (run, now)"])["information_unit"] == ["1", "1", "2"]
    inventoried = rows(found["Inventory (run, now)"])
    assert inventoried["after (run)"][1] == "none"
    assert inventoried["now"][1] == "unexpected function iucore.fn_iu_stray()"
    assert int(rows(found["Delivery (now)"])["events in the ledger: the last position"][0]) > 0


def test_it_is_the_same_twice_and_holds_no_secret(applied: Place) -> None:
    password = Path(os.environ["PGPASSFILE"]).read_text().strip().rsplit(":", 1)[1]
    url = applied.environment["IUCORE_DATABASE_URL"]
    secret = url.replace("postgres@", f"postgres:{password}@") + "?passfile=/tmp/secrets"

    def text(*arguments: str) -> str:
        return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "", applied.run(*arguments, "closeout").stdout)

    assert text() == text() == text("--url", secret)
    assert password not in text("--url", secret) and f"| reached as | {url} |" in text("--url", secret)


def test_it_is_kept_as_a_governed_file(applied: Place, tmp_path: Path) -> None:
    report = tmp_path / "closeout.md"
    key = "operations/closeout.md"
    applied.run("closeout", "-o", str(report), "--store", key, "-m", "release")
    assert applied.run("render", key).stdout_bytes == report.read_bytes()
    listed = applied.objects("collection", "list", "--prefix", "operations/")
    assert [one["key"] for one in listed] == [key]
    assert len(applied.objects("collection", "show", key)) == len(HEADINGS) + 1
    again = applied.run("closeout", "--store", key, "-m", "again", code=5)
    assert "IU204" in again.stderr
    wrong = applied.run("closeout", "--store", "/a b", "-m", "r", code=1)
    assert "IU031" in wrong.stderr and "hint: Write KEY like the name of a file" in wrong.stderr
    assert applied.run("closeout", "--store", key, code=2).stderr.count("-m REASON")
    assert "go with --store" in applied.run("closeout", "-m", "r", code=2).stderr


def test_of_another_run_and_of_none(applied: Place, new_database: Callable[[], str], tmp_path: Path) -> None:
    applied.ready()
    applied.run("db", "rollback", "--yes")
    back = sections(applied.run("closeout").stdout)
    assert rows(back["Outcome (run)"])["outcome"] == ["done: taken back and verified"]
    assert rows(back["Preflight (run)"])["13"][1] in ("green", "red, does not count")
    assert "Check 13 of the preflight did not count" in back["What was not done"]
    assert rows(back["Objects (run)"])["all"][2] != "0"
    run_id = applied.runs()[0]["run"]
    up = sections(applied.run("closeout", "--run", run_id).stdout)
    assert rows(up["Revisions (run, now)"])["after"] == [HEAD]
    assert "nothing to take back" in up["Ready to go back (now)"]
    missing = applied.run("closeout", "--run", "0" * 32, code=1)
    assert "no run has this id" in missing.stderr

    other = place(new_database, tmp_path, HEAD)
    lonely = other.run("closeout")
    assert "No run of this database is known" in lonely.stdout and "next: iucore db apply" in lonely.stderr
    empty = Place(new_database(), tmp_path)
    assert migrate.current(empty.url) is None
    assert "base" in rows(sections(empty.run("closeout").stdout)["Revisions (run, now)"])["now"]

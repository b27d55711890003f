"""The past, without a database: hashes, shape, and the present in its newest frozen copy."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess

import pytest
from migration_helpers import REVISIONS, ROOT, TREE, Revision, complaint

from iucore.operations import migrate

each = pytest.mark.parametrize("revision", REVISIONS, ids=lambda one: one.path.stem)


def test_every_frozen_file_has_its_hash_and_no_hash_lacks_its_file() -> None:
    assert TREE.recorded() == TREE.hash_lines()


def test_sha256sum_reads_the_hashes() -> None:
    if shutil.which("sha256sum") is None:
        pytest.skip("no sha256sum")
    command = ["sha256sum", "--check", "--quiet", "--strict", "frozen.sha256"]
    assert subprocess.run(command, cwd=ROOT / "alembic", check=False).returncode == 0


def test_present_is_the_newest_frozen_copy() -> None:
    newest = TREE.newest()
    present = TREE.present()
    assert sorted(present.keys() - newest.keys()) == [], "listed by no revision"
    differing = [
        name for name, path in present.items() if path.read_bytes() != (newest[name].folder / name).read_bytes()
    ]
    assert differing == [], "run scripts/freeze"


def test_inventory_of_the_present_is_that_of_the_newest_revision() -> None:
    newest = (REVISIONS[-1].folder / "inventory.txt").read_bytes()
    assert (ROOT / "sql" / "inventory.txt").read_bytes() == newest


def test_one_line_of_revisions_with_one_head() -> None:
    assert [one.down for one in REVISIONS] == [None, *(one.id for one in REVISIONS[:-1])]
    assert [one.id for one in REVISIONS] == [f"{number:04d}" for number in range(1, len(REVISIONS) + 1)]
    assert migrate.heads() == [REVISIONS[-1].id]
    assert migrate.revisions() == [one.id for one in REVISIONS]


@each
def test_docstring_has_its_three_sections(revision: Revision) -> None:
    docstring = ast.get_docstring(ast.parse(revision.text)) or ""
    for section in ("Objects", "Locks", "Loses"):
        assert re.search(rf"^{section}\b[^:]*:\s*\S", docstring, re.MULTILINE), section
    assert "name each" not in docstring, "the template's words are still there"


@each
def test_folder_holds_what_is_listed_and_nothing_else(revision: Revision) -> None:
    listed = {*revision.listed, "undo.sql", "verify.sql", "inventory.txt"}
    assert {path.name for path in revision.folder.iterdir()} == listed
    assert len(revision.listed) == len(set(revision.listed))


@each
def test_revision_imports_only_op(revision: Revision) -> None:
    assert imports(revision.text) == {"alembic"}


@each
def test_every_file_runs_alone_in_psql(revision: Revision) -> None:
    for path in revision.folder.glob("*.sql"):
        assert complaint(path.read_bytes().decode("utf-8")) == "", path.name


@each
def test_verify_names_every_object_of_the_revision(revision: Revision) -> None:
    from migration_helpers import delta

    text = (revision.folder / "verify.sql").read_text("utf-8")
    made = delta(revision.id)
    assert made or revision.id == "0017", "0017 makes rows only"
    for item in made:
        assert f"'{item.fingerprint}', '{item.kind}', '{item.object}'" in text


def test_no_package_below_alembic() -> None:
    assert list((ROOT / "alembic").rglob("__init__.py")) == []


def test_env_imports_nothing_of_iucore() -> None:
    roots = imports((ROOT / "alembic" / "env.py").read_text("utf-8"))
    assert "iucore" not in roots
    assert "alembic" in roots


def imports(text: str) -> set[str]:
    """The first name of every import."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return found - {"__future__"}

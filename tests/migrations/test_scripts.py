"""scripts/freeze, scripts/new-revision and scripts/offline-sql, on a copy of the checkout."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from migration_helpers import REVISIONS, ROOT, Tree

from iucore.operations import migrate

SCRIPT = {"freeze": "_freeze.py", "new-revision": "_new_revision.py", "offline-sql": "_offline_sql.py"}


@pytest.fixture
def copy(tmp_path: Path) -> Tree:
    home = tmp_path / "a checkout"
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("alembic", "sql", "iucore", "scripts"):
        shutil.copytree(ROOT / name, home / name, ignore=ignore)
    return Tree(home)


def run(tree: Tree, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(tree.root)}
    command = [sys.executable, str(tree.root / "scripts" / SCRIPT[script]), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def files(tree: Tree) -> dict[str, bytes]:
    return {
        str(path.relative_to(tree.root)): path.read_bytes()
        for path in [*tree.alembic.rglob("*"), tree.sql / "inventory.txt"]
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_freezing_again_changes_nothing(copy: Tree, new_database: Callable[[], str]) -> None:
    before = files(copy)
    done = run(copy, "freeze", "--all-unreleased", "--url", new_database())
    assert done.returncode == 0, done.stderr
    assert files(copy) == before


def test_the_life_of_a_change(copy: Tree, new_database: Callable[[], str]) -> None:
    url = new_database()
    (copy.alembic / "released").write_text(f"{REVISIONS[-1].id}\n", "utf-8")
    function = next(path for name, path in copy.present().items() if name.startswith("fn_iu_"))
    text = function.read_text("utf-8")
    function.write_text(re.sub(r"(?m)^(comment on function .* is )\s*'[^']*'", r"\1'changed'", text), "utf-8")
    assert function.read_text("utf-8") != text
    new = copy.sql / "functions" / "fn_iu_brand_new.sql"
    new.write_text(
        "create function iucore.fn_iu_brand_new() returns text language sql immutable\n"
        "as $$ select ':x %'::text $$;\n\n"
        "alter function iucore.fn_iu_brand_new() owner to iucore_owner;\n",
        "utf-8",
    )

    refused = run(copy, "freeze", "--url", url)
    assert refused.returncode != 0
    assert "fn_iu_brand_new.sql" in refused.stderr

    made = run(copy, "new-revision", "brand_new")
    assert made.returncode == 0, made.stderr
    revision = copy.revisions()[-1]
    assert revision.path.name == f"{len(REVISIONS) + 1:04d}_brand_new.py"
    assert set(revision.files) == {function.name, new.name}
    replaced = next(one for one in REVISIONS if function.name in one.files)
    assert f'op.run_sql("{replaced.folder.name}/{function.name}")' in revision.text
    assert "drop function iucore.fn_iu_brand_new;" in (revision.folder / "undo.sql").read_text("utf-8")

    frozen = run(copy, "freeze", "--url", url)
    assert frozen.returncode == 0, frozen.stderr
    assert (revision.folder / function.name).read_bytes() == function.read_bytes()
    assert copy.recorded() == copy.hash_lines()
    verify = (revision.folder / "verify.sql").read_text("utf-8")
    assert "fn_iu_brand_new()" in verify
    assert "each of the 2 objects" in verify

    # A file of a released revision is not edited any more.
    old = copy.revisions()[0].folder / "undo.sql"
    old.write_text(old.read_text("utf-8") + "select 1;\n", "utf-8")
    refused = run(copy, "freeze", "--url", url)
    assert refused.returncode != 0
    assert "a released revision was edited" in refused.stderr


def test_a_released_object_is_changed_by_a_new_revision_only(copy: Tree, new_database: Callable[[], str]) -> None:
    (copy.alembic / "released").write_text(f"{REVISIONS[-1].id}\n", "utf-8")
    path = next(iter(copy.present().values()))
    path.write_text(path.read_text("utf-8") + "-- changed\nselect 1;\n", "utf-8")
    refused = run(copy, "freeze", "--url", new_database())
    assert refused.returncode != 0
    assert "list it in a new revision" in refused.stderr


def test_offline_sql_prints_the_script(copy: Tree) -> None:
    last = REVISIONS[-1].id
    for arguments, expected in (
        ((), migrate.offline_sql()),
        ((f"{last}:base",), migrate.offline_sql(last, "base")),
        ((f"{last}:base", "--lose-rows"), migrate.offline_sql(last, "base", lose_rows=True)),
    ):
        done = run(copy, "offline-sql", *arguments)
        assert (done.returncode, done.stdout) == (0, expected), done.stderr
    refused = run(copy, "offline-sql", "9999:head")
    assert refused.returncode != 0
    assert "unknown revision" in refused.stderr
    assert "Traceback" not in refused.stderr

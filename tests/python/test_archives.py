"""Real documents become governed pieces and come back byte for byte, through the database."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from iucore import collections
from iucore.textcode import cut

ROOT = Path(__file__).resolve().parents[2]
CORPORA = Path(os.environ.get("IUCORE_CORPORA") or ROOT.parent / "shared" / "corpora")

# Python before 3.11.4 has no filters.
_DATA: Any = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}


@pytest.mark.corpora
@pytest.mark.parametrize("nest", [False, True], ids=["flat", "nested"])
@pytest.mark.parametrize("name", ["site-policy", "runbooks", "commonmark-spec", "enhancements"])
def test_archive_comes_back(connection: Connection, tmp_path: Path, name: str, nest: bool) -> None:
    archive = CORPORA / f"{name}.tar.xz"
    if not archive.exists():
        pytest.skip(f"no archive {name}")
    if nest and name == "enhancements":
        pytest.skip("parsed once; the others are cut both ways")
    with tarfile.open(archive) as content:
        content.extractall(tmp_path, **_DATA)
    plan = cut.read_paths([tmp_path], prefix=name, nest=nest, include=["*"])
    assert not plan.bad
    applied = cut.apply(connection, plan, reason="an archive", reuse=True)
    assert applied.born + applied.reused == plan.pieces
    files = {source.relative: source.path for source in cut.discover([tmp_path], include=["*"]).sources}
    assert len(plan.documents) == len(files) == sum(path.is_file() for path in tmp_path.rglob("*"))
    differ = [
        document.key
        for document in plan.documents
        if collections.render(connection, key=document.key).encode() != files[document.path].read_bytes()
    ]
    assert differ == []

"""Real documents, whole: every archive that is found is cut and joined again."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from iucore.textcode import cut as c
from iucore.textcode.tree import write_tree

CHECKOUT = Path(__file__).resolve().parents[2]
CORPORA = Path(os.environ.get("IUCORE_CORPORA") or CHECKOUT.parent / "shared" / "corpora")

# Python before 3.11.4 has no filters.
_DATA: Any = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}


@pytest.mark.corpora
@pytest.mark.parametrize("name", ["site-policy", "runbooks", "commonmark-spec", "enhancements"])
def test_an_archive_comes_back(name, tmp_path):
    archive = CORPORA / f"{name}.tar.xz"
    if not archive.is_file():
        pytest.skip("the archive is not here")
    source = tmp_path / "source"
    with tarfile.open(archive) as packed:
        packed.extractall(source, **_DATA)
    plan = c.read_paths([source], prefix=name, nest=True, include=["*"])
    assert plan.bad == ()
    originals = {
        path.relative_to(source): path.read_bytes()
        for path in source.rglob("*")
        if path.is_file() and not path.is_symlink()
    }
    assert {Path(document.path) for document in plan.documents} == set(originals)
    for document in plan.documents:
        assert "".join(piece.body for piece in document.pieces).encode() == originals[Path(document.path)]
    addresses = [piece.address for document in plan.documents for piece in document.pieces]
    assert len(set(addresses)) == len(addresses)
    for address in addresses:
        c.check_address(address)
    back = tmp_path / "back"
    write_tree(
        back,
        (
            (c.path_of_key(document.key, name), (piece.body.encode() for piece in document.pieces))
            for document in plan.documents
        ),
    )
    assert {path.relative_to(back): path.read_bytes() for path in back.rglob("*") if path.is_file()} == originals

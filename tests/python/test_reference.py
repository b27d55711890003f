"""docs/reference is what scripts/reference writes."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from sqlalchemy import Connection

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("page", ["functions.md", "tables.md", "errors.md", "cli.md"])
def test_page_is_up_to_date(connection: Connection, page: str) -> None:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "scripts" / "_reference.py")
    assert spec is not None
    assert spec.loader is not None
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    made = reference.pages(connection)[page]
    assert (ROOT / "docs" / "reference" / page).read_text() == made, "run scripts/reference"

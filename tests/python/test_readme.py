"""What README.md shows works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import Connection

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_python_example(connection: Connection) -> None:
    (example,) = blocks("python")
    exec(compile(example, "README.md", "exec"), {"connection": connection})


def test_sql_example(connection: Connection) -> None:
    (example,) = blocks("sql")
    create, render, where_used = example.strip().splitlines()
    assert connection.exec_driver_sql(create).one().version == 1
    connection.exec_driver_sql(
        "select * from iucore.fn_iu_collection_create('travel.md', 'file', 'T', 'r', '[{\"piece\": \"travel/limit\"}]')"
    )
    assert connection.exec_driver_sql(render.replace("'2026-05-01'", "clock_timestamp()")).scalar_one()
    assert connection.exec_driver_sql(where_used).one().key == "travel.md"


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))], ids=lambda page: page.name
)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target

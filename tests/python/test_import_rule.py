"""DESIGN: cli -> textcode, delivery, operations, commands -> concept modules -> _call -> errors.

Arrows point right only.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "iucore"
# A module may import only from layers with a smaller number. Modules of one package (cli, textcode, delivery,
# operations) are one unit; concept modules are one unit each and never import each other.
LAYERS = {
    "errors": 0,
    "delivery.transport": 1,  # what an event and its outcome are, for those who write a transport
    "_paths": 0,
    "_call": 1,
    "_check": 1,
    "embedded": 1,
    "inventory": 2,
    "units": 2,
    "collections": 2,
    "axes": 2,
    "gates": 2,
    "events": 2,
    "routes": 2,
    "ledger": 2,
    "batches": 2,
    "_target": 2,
    "textcode": 3,
    "delivery": 3,
    "operations": 3,
    "commands": 3,
    "cli": 4,
}


def unit_of(module: str) -> str:
    parts = module.split(".")
    return "delivery.transport" if parts[1:3] == ["delivery", "transport"] else parts[1]


def imports() -> Iterator[tuple[str, str]]:
    for path in PACKAGE.rglob("*.py"):
        own = "iucore." + ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                raise AssertionError(f"{path}: relative import")
            else:
                continue
            for name in names:
                yield own, name


def test_arrows_point_right_only() -> None:
    wrong = []
    for own, name in imports():
        if own == "iucore.__init__" or not name.startswith("iucore.") or name == "iucore.__version__":
            continue
        here, there = unit_of(own), unit_of(name)
        if here != there and LAYERS[there] >= LAYERS[here] and not (here == "_check" and there == "errors"):
            wrong.append(f"{own} imports {name}")
    assert not wrong


def test_every_module_has_a_layer() -> None:
    units = {path.name.removesuffix(".py") for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert units - {"__init__", "__pycache__", "py.typed", "_data"} == set(LAYERS) - {"delivery.transport"}


@pytest.mark.parametrize("foreign", ["alembic.versions", "scripts", "tests"])
def test_the_package_imports_nothing_from_outside(foreign: str) -> None:
    assert not [name for _, name in imports() if name == foreign or name.startswith(foreign + ".")]


def test_alembic_folder_never_becomes_a_package() -> None:
    assert not list((ROOT / "alembic").rglob("__init__.py"))


def test_revisions_and_env_import_nothing_of_iucore() -> None:
    for path in (ROOT / "alembic").rglob("*.py"):
        assert "iucore" not in {
            name.split(".")[0]
            for node in ast.walk(ast.parse(path.read_text()))
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
        }, path

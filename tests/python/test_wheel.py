"""The built wheel alone, outside the checkout, upgrades a database and runs the command line."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """The unpacked wheel: what pip puts into site-packages, without touching this environment's."""
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path / "dist")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    (archive,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(archive) as content:
        names = content.namelist()
        content.extractall(tmp_path / "site")
    assert not [
        name for name in names if name.split("/")[0] not in ("iucore", f"{archive.name.rsplit('-', 3)[0]}.dist-info")
    ]
    return tmp_path / "site"


def test_wheel_alone(wheel: Path, tmp_path: Path, new_database: Callable[..., str]) -> None:
    url = new_database()
    away = tmp_path / "away from the checkout"
    away.mkdir()
    (away / "note.md").write_bytes(b"# Note\r\n\r\nText.\r\n")
    environment = os.environ | {"PYTHONPATH": str(wheel), "IUCORE_DATABASE_URL": url}

    def iucore(*arguments: str) -> bytes:
        done = subprocess.run(
            [sys.executable, "-m", "iucore.cli", *arguments],
            cwd=away,
            env=environment,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    where = subprocess.run(
        [sys.executable, "-c", "import iucore; print(iucore.__file__)"],
        cwd=away,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert where.stdout.startswith(str(wheel)), "the checkout is tested, not the wheel"
    iucore("db", "upgrade")
    verified = iucore("inventory", "verify").decode().split()[0]
    assert len(set(verified.split("/"))) == 1
    assert verified != "0/0"
    iucore("cut", "note.md", "--prefix", "away", "--apply", "-m", "from the wheel")
    assert iucore("render", "away/note.md") == (away / "note.md").read_bytes()

"""Every command of docs/tutorial.md runs, in its order, in one folder and one database."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_tutorial(tmp_path: Path, new_database: Callable[..., str]) -> None:
    blocks = re.findall(r"^```\n(.*?)^```", (ROOT / "docs" / "tutorial.md").read_text(), re.MULTILINE | re.DOTALL)
    script = "".join(blocks)
    assert script.startswith("iucore db up\n")
    environment = os.environ | {
        "IUCORE_DATABASE_URL": new_database(),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    done = subprocess.run(
        ["bash", "-euxo", "pipefail", "-c", script.removeprefix("iucore db up\n")],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Up to 500 euros." in done.stdout
    assert (tmp_path / "back" / "travel.md").read_bytes() == (tmp_path / "policies" / "travel.md").read_bytes()

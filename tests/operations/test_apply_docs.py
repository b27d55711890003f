"""Every command of docs/apply.md runs, in its order, on a database of the release before."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from apply_helpers import HEAD, REVISIONS, ROOT, place, process_environment


def test_the_road_of_an_apply_and_back(tmp_path: Path, new_database: Callable[[], str]) -> None:
    of = place(new_database, tmp_path, REVISIONS[-2])
    state = of.state()
    up, down = re.findall(r"^```\n(.*?)^```", (ROOT / "docs" / "apply.md").read_text(), re.MULTILINE | re.DOTALL)
    environment = process_environment(of) | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

    def bash(script: str) -> str:
        done = subprocess.run(
            ["bash", "-euxo", "pipefail", "-c", script],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    said = bash(up)
    assert of.whole() == HEAD
    assert "outcome    done" in said and "# Closeout of run " in said
    assert (tmp_path / "closeout.md").read_text().startswith("# Closeout of run ")
    bash(down)
    assert of.state() == state
    assert "taken back and verified" in (tmp_path / "closeout-back.md").read_text()

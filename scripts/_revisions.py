"""What scripts/freeze, scripts/new-revision and the tests know about revisions. Reads files only."""

from __future__ import annotations

import ast
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

OWN = ("undo.sql", "verify.sql", "inventory.txt")
"""What stands in every revision's folder beside its frozen SQL."""


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision: ``versions/NNNN_slug.py`` and its folder."""

    id: str
    down: str | None
    files: tuple[str, ...]
    kept: tuple[str, ...]
    path: Path
    text: str

    @property
    def folder(self) -> Path:
        return self.path.with_suffix("")

    @property
    def listed(self) -> tuple[str, ...]:
        """The frozen files: those that it applies, and those that it only keeps (KEPT)."""
        return self.files + self.kept


class Tree:
    """A checkout: the present in sql/, the past in alembic/."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.alembic = root / "alembic"
        self.sql = root / "sql"
        self.hashes = self.alembic / "frozen.sha256"

    def revisions(self) -> list[Revision]:
        """Oldest first."""
        return [read(path) for path in sorted((self.alembic / "versions").glob("[0-9]*.py"))]

    def present(self) -> dict[str, Path]:
        """The files of sql/ by name; names are unique."""
        found: dict[str, Path] = {}
        for path in sorted(self.sql.glob("*/*.sql")):
            if path.name in found:
                raise SystemExit(f"two files of one name: {found[path.name]} and {path}")
            if path.name in OWN:
                raise SystemExit(f"this name stands for something else in a revision: {path}")
            found[path.name] = path
        return found

    def released(self) -> str:
        """The newest released revision, '' when none is."""
        path = self.alembic / "released"
        return path.read_text("utf-8").strip() if path.exists() else ""

    def is_released(self, revision: Revision) -> bool:
        return revision.id <= self.released()

    def newest(self) -> dict[str, Revision]:
        """For each name the newest revision that lists it."""
        return {name: revision for revision in self.revisions() for name in revision.listed}

    def present_order(self) -> list[Path]:
        """The present in an order in which it can be applied: as the revisions first name it, the views last.

        A table goes behind the functions that it names. A function may have come to read what a later revision made:
        set check_function_bodies to off.
        """
        present = self.present()
        order: dict[str, Path] = {}
        for name in (name for revision in self.revisions() for name in revision.listed if name in present):
            if present[name].parent.name == "tables":
                needed = re.findall(r"\biucore\.(fn_iu_\w+)", present[name].read_text("utf-8"))
                order |= {f"{one}.sql": present[f"{one}.sql"] for one in needed if f"{one}.sql" not in order}
            order.setdefault(name, present[name])
        return sorted(order.values(), key=lambda path: path.parent.name == "views")

    def hash_lines(self) -> dict[str, str]:
        """Path below alembic/ -> sha256, of every file that is in a revision now."""
        lines: dict[str, str] = {}
        for revision in self.revisions():
            for path in [revision.path, *sorted(revision.folder.iterdir())]:
                lines[path.relative_to(self.alembic).as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
        return lines

    def recorded(self) -> dict[str, str]:
        """The same as frozen.sha256 says."""
        if not self.hashes.exists():
            return {}
        pairs = [line.split("  ", 1) for line in self.hashes.read_text("utf-8").splitlines()]
        return {path: digest for digest, path in pairs}


def read(path: Path) -> Revision:
    """Read a revision without running it."""
    text = path.read_text("utf-8")
    values: dict[str, object] = {}
    for node in ast.parse(text).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and target.id in ("revision", "down_revision", "FILES", "KEPT"):
            values[target.id] = ast.literal_eval(node.value)  # type: ignore[attr-defined]
    return Revision(
        id=str(values["revision"]),
        down=values["down_revision"],  # type: ignore[arg-type]
        files=tuple(values["FILES"]),  # type: ignore[arg-type]
        kept=tuple(values.get("KEPT", ())),  # type: ignore[arg-type]
        path=path,
        text=text,
    )


def complaint(text: str) -> str:
    """Why a file could not be run by psql as it is run by a driver; '' when it can."""
    if not text.endswith(";\n"):
        return "does not end with ';' and a line end"
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("\\"):
            return f"line {number} would be a command of psql"
    return ""

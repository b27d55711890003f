"""Make the next revision: its .py, its folder, and an undo.sql to fill in. Then: edit both, and run scripts/freeze."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from _revisions import Revision, Tree
from mako.template import Template

KINDS = {"functions": "function", "views": "view", "tables": "table"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/new-revision", description=__doc__)
    parser.add_argument("slug", help="two or three words: lower case, joined by _")
    parser.add_argument("--message", default="", help="first line of the docstring")
    options = parser.parse_args()
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", options.slug):
        raise SystemExit(f"not a slug such as add_route: {options.slug}")
    tree = Tree(Path(__file__).resolve().parent.parent)
    revisions, newest = tree.revisions(), tree.newest()
    waiting = [name for name, revision in newest.items() if not (revision.folder / name).exists()]
    if waiting:
        raise SystemExit(f"listed but not frozen yet: {', '.join(waiting)}: run scripts/freeze --all-unreleased first")
    number = f"{int(revisions[-1].id) + 1 if revisions else 1:04d}"
    folder = tree.alembic / "versions" / f"{number}_{options.slug}"
    changed = [path for name, path in tree.present().items() if differs(path, newest.get(name))]
    changed.sort(key=lambda path: (list(ORDER).index(path.parent.name) if path.parent.name in ORDER else 9, path.name))
    replaced = [path for path in changed if path.name in newest]
    text = str(
        Template(filename=str(tree.alembic / "script.py.mako"), output_encoding=None).render(
            message=options.message or options.slug.replace("_", " ").capitalize(),
            up_revision=number,
            down_revision=revisions[-1].id if revisions else None,
            files=[path.name for path in changed],
            replaced=[f"{newest[path.name].folder.name}/{path.name}" for path in replaced],
            folder=folder.name,
        )
    )
    folder.mkdir()
    folder.with_suffix(".py").write_text(text, "utf-8")
    (folder / "undo.sql").write_text(undo([path for path in changed if path not in replaced]), "utf-8")
    print(f"{folder.with_suffix('.py').relative_to(tree.root)}: {len(changed)} files, {len(replaced)} of them replace")
    print("Next: put FILES in the order of their needs, fill in the docstring and undo.sql, run scripts/freeze.")


ORDER = ("grants", "tables", "functions", "views", "seed")


def differs(path: Path, revision: Revision | None) -> bool:
    """Whether the present differs from its newest frozen copy, or has none."""
    copy = revision.folder / path.name if revision else None
    return copy is None or not copy.exists() or copy.read_bytes() != path.read_bytes()


def undo(made: list[Path]) -> str:
    """A skeleton: the new objects are dropped, last made first."""
    lines = ["-- Count the rows that this would lose first, and raise IU903 unless iucore.undo_may_lose_rows is on.\n"]
    for path in reversed(made):
        text = path.read_text("utf-8")
        kind = KINDS.get(path.parent.name)
        if kind == "function":
            for name in dict.fromkeys(re.findall(r"(?im)^create (?:or replace )?function ([a-z0-9_.]+)", text)):
                lines.append(f"drop function {name};\n")
        elif kind:
            lines.append(f"drop {kind} iucore.{path.stem};\n")
        else:
            lines.append(f"-- take back: {path.parent.name}/{path.name}\n")
    return "".join(lines)


if __name__ == "__main__":
    main()

"""A whole archive of documents: read and cut, born, composed, rendered and compared, beside git and the parser."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from _bench import data
from _bench.harness import Line, Skipped, paired
from _bench.server import Bench, Database
from iucore import _call, collections
from iucore.textcode import cut

NAME = "enhancements.tar.xz"
# Nothing of the user's own configuration; no automatic work in the background.
_GIT = ("git", "-c", "gc.auto=0", "-c", "user.name=bench", "-c", "user.email=bench@example.org")
_BYTES = """
select sum(pg_table_size(c.oid)), sum(pg_indexes_size(c.oid))
from pg_class as c where c.relnamespace = 'iucore'::regnamespace and c.relkind = 'r'"""

# Python before 3.11.4 has no filters.
_DATA: Any = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}


@dataclass(slots=True)
class _Seen:
    """What one pass saw."""

    seconds: dict[str, float]
    documents: int = 0
    pieces: int = 0
    identical: int = 0
    source_bytes: int = 0
    table_bytes: int = 0
    index_bytes: int = 0


def archive(bench: Bench) -> Iterator[Line]:
    """The whole way of one archive, then its parts."""
    if bench.corpora is None or not (bench.corpora / NAME).is_file():
        raise Skipped(f"no {NAME} in {bench.corpora}; give its folder with --corpora or IUCORE_CORPORA")
    if shutil.which("git") is None:
        raise Skipped("no git")
    with tempfile.TemporaryDirectory(prefix="iucore-bench-") as home:
        tree = Path(home) / "tree"
        unpack(bench.corpora / NAME, tree, bench.sizes.files)
        passes: list[_Seen] = []
        numbers = iter(range(1_000))

        def ours() -> float:
            with bench.database() as database:
                seen = _pass(database, tree, f"archive/{next(numbers)}")
                passes.append(seen)
                return sum(seen.seconds.values())

        line = paired(
            "archive",
            NAME.removesuffix(".tar.xz"),
            "git add, commit, checkout",
            ours,
            lambda: _git(tree, Path(home) / "git"),
            rounds=min(3, bench.sizes.rounds),
            reads="times",
        )
        seen = passes[-1]
        megabytes = seen.source_bytes / 1e6
        yield replace(
            line,
            note=f"{seen.identical}/{seen.documents} identical, {seen.pieces:,} pieces, {megabytes:.1f} MB,"
            f" {megabytes / line.ours:.2f} MB/s",
        )
        for part, spent in seen.seconds.items():
            share = spent / sum(seen.seconds.values())
            yield replace(
                line,
                case=f"of which {part}",
                beside="the whole",
                ours=spent,
                theirs=line.ours,
                ratio=share,
                low=share,
                high=share,
                rounds=1,
                note=f"{megabytes / spent:.1f} MB/s",
            )
        yield paired(
            "archive",
            "read and cut",
            "read and parse",
            lambda: _discard(cut.read_paths([tree], prefix="archive")),
            lambda: _parse(tree),
            rounds=min(3, bench.sizes.rounds),
            reads="times",
        )
        whole = (seen.table_bytes + seen.index_bytes) / seen.source_bytes
        yield replace(
            line,
            case="bytes in the database",
            beside="bytes of the source",
            ours=0.0,
            theirs=0.0,
            ratio=whole,
            low=whole,
            high=whole,
            rounds=1,
            note=f"tables {seen.table_bytes / seen.source_bytes:.2f}, "
            f"indexes {seen.index_bytes / seen.source_bytes:.2f}",
        )


def unpack(source: Path, tree: Path, files: int | None) -> None:
    """The documents of the archive and nothing else, so that both sides handle the same files."""
    with tarfile.open(source) as packed:
        members = [
            member for member in packed if member.isfile() and Path(member.name).suffix.lower() in cut.FOLDER_SUFFIXES
        ]
        packed.extractall(tree, members=members[:files], **_DATA)


def _pass(database: Database, tree: Path, prefix: str) -> _Seen:
    seen = _Seen({})
    began = time.perf_counter()

    def lap(part: str) -> None:
        nonlocal began
        seen.seconds[part] = seen.seconds.get(part, 0.0) + time.perf_counter() - began
        began = time.perf_counter()

    plan = cut.read_paths([tree], prefix=prefix)
    calls = plan.calls(reason=data.REASON)
    lap("cut")
    before = _sizes(database)
    engine = create_engine(database.url.set(drivername="postgresql+psycopg"), poolclass=NullPool)
    began = time.perf_counter()
    with engine.connect() as connection:
        with connection.begin():
            for call in calls:
                if call.function == "fn_iu_collection_create":
                    break
                _call.execute(connection, call)
            lap("birth")
            for call in calls:
                if call.function == "fn_iu_collection_create":
                    _call.execute(connection, call)
        lap("compose")
        texts = {
            document.path: collections.render(connection, key=document.key).encode() for document in plan.documents
        }
        lap("render")
    for path, text in texts.items():
        seen.identical += hashlib.sha256(text).digest() == hashlib.sha256((tree / path).read_bytes()).digest()
    lap("compare")
    after = _sizes(database)
    seen.documents, seen.pieces, seen.source_bytes = len(plan.documents), plan.pieces, plan.byte_length
    seen.table_bytes, seen.index_bytes = (late - early for late, early in zip(after, before, strict=True))
    return seen


def _sizes(database: Database) -> tuple[int, int]:
    with database.admin() as connection:
        row = connection.execute(_BYTES).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def _git(tree: Path, home: Path) -> float:
    shutil.rmtree(home, ignore_errors=True)
    repository, out = home / "repository", home / "out"
    out.mkdir(parents=True)
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1"}

    def run(work: Path, *command: str) -> None:
        at = ("--git-dir", str(repository), "--work-tree", str(work))
        subprocess.run([*_GIT, *at, *command], check=True, capture_output=True, env=environment, cwd=work)

    subprocess.run([*_GIT, "init", "--bare", str(repository)], check=True, capture_output=True, env=environment)
    began = time.perf_counter()
    run(tree, "add", "--force", "--all")
    run(tree, "commit", "--message", "bench")
    run(out, "checkout", "--force", "HEAD", "--", ".")
    return time.perf_counter() - began


def _parse(tree: Path) -> None:
    """The parser that the cutter uses, set as the cutter sets it: blocks, no inlines."""
    parser = MarkdownIt("commonmark")
    parser.core.ruler.enableOnly(["normalize", "block"])
    for source in cut.discover([tree]).sources:
        text = cut.read_text(source)
        if source.path.suffix.lower() in cut.MARKDOWN_SUFFIXES:
            parser.parse(text)


def _discard(_: object) -> None:
    return None

"""A folder of text and the database: export, status, plan and apply, beside git and beside the bare reading."""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from _bench import archive, data
from _bench.harness import Line, Side, Skipped, turns
from _bench.server import Bench, Database, conninfo
from iucore.textcode import cut

PREFIX = "bench"
_EDITS = 500
_GENERATED = (680, 47)  # files, pieces in each: as the archive
_WORDS = re.compile(rb"^[A-Za-z][^\r\n]*", re.MULTILINE)
_BODIES = """
select u.address, c.body from iucore.information_unit as u
join iucore.unit_content as c on c.content_sha256 = u.head_sha256"""


# In a process as small as can be: a child takes over the peak of memory of the process that made it.
_LAUNCH = """
import json, os, sys, time
began = time.perf_counter()
process = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(process, 0)
print(json.dumps([time.perf_counter() - began, os.waitstatus_to_exitcode(status), usage.ru_maxrss]), file=sys.stderr)
"""


@dataclass(slots=True)
class _Command:
    """A command in a process of its own: what it took, each time, and its peak of memory."""

    environment: Mapping[str, str]
    folder: Path
    seconds: list[float] = field(default_factory=list)
    megabytes: float = 0.0

    def run(self, *arguments: str) -> float:
        """The seconds from the start of the process to its end."""
        program = shutil.which(arguments[0]) or arguments[0]
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _LAUNCH, program, *arguments[1:]],
            env=self.environment,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=True,
        )
        *said, last = done.stderr.decode(errors="replace").splitlines()
        spent, code, kilobytes = json.loads(last)
        if code:
            raise OSError(f"{' '.join(arguments)} ended with {code}: {' '.join(said)}")
        self.seconds.append(spent)
        self.megabytes = max(self.megabytes, kilobytes / 1024)
        return float(spent)


def textcode(bench: Bench) -> Iterator[Line]:
    """The round trip of a whole archive: what each command takes from the shell until it ends."""
    if shutil.which("git") is None:
        raise Skipped("no git")
    with tempfile.TemporaryDirectory(prefix="iucore-bench-") as home, bench.database() as database:
        yield from _Trip(bench, database, Path(home)).lines()


class _Trip:
    """One folder, one repository of git with the same files, one database."""

    def __init__(self, bench: Bench, database: Database, home: Path) -> None:
        self.rounds = min(3, bench.sizes.rounds)
        self.url = conninfo(database.url)
        self.home = home
        self.tree = home / "tree"
        source = home / "source"
        _documents(bench, source)
        engine = create_engine(database.url.set(drivername="postgresql+psycopg"), poolclass=NullPool)
        with engine.begin() as connection:
            planned = cut.read_paths([source], prefix=PREFIX)
            cut.apply(connection, planned, reason=data.REASON)
        database.settle()
        self.about = f"{len(planned.documents)} files, {planned.pieces:,} pieces, {planned.byte_length / 1e6:.1f} MB"
        # With the bytecode kept, as an installed command has it; without the user's own configuration of git.
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        self.environment = inherited | {
            "PYTHONPYCACHEPREFIX": str(home / "pycache"),
            "HOME": str(home),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_DIR": str(home / "git"),
            "GIT_WORK_TREE": str(self.tree),
            "IUCORE_DATABASE_URL": self.url,
        }
        self.iucore = (sys.executable, "-m", "iucore.cli")
        self.git = ("git", "-c", "gc.auto=0", "-c", "user.name=bench", "-c", "user.email=bench@example.org")
        self.edits = 0
        self.start_up = 0.0

    def lines(self) -> Iterator[Line]:
        """Every command, in the order of a round trip."""
        tree = str(self.tree)
        yield from self.compared(
            "start-up, with one question to the database",
            self.command("kind", "list"),
            {"git --version": lambda: self.run(*self.git, "--version")},
            goal="",
        )
        export = ("export", "--prefix", PREFIX, "--to", tree, "--quiet")
        self.run(*self.iucore, *export)
        self.run(*self.git, "init", "--quiet")
        self.run(*self.git, "add", "--all")
        self.run(*self.git, "commit", "--quiet", "--message", "exported")
        numbers = iter(range(1_000))
        reading = {"read all files, select all bodies": self.read}

        def new_folder() -> tuple[str, ...]:
            shutil.rmtree(self.home / "other", ignore_errors=True)
            return (*export[:4], str(self.home / "other"), "--quiet")

        def check_out() -> float:
            return self.run(*self.git, "checkout-index", "--all", f"--prefix={self.home / f'out-{next(numbers)}'}/")

        yield from self.compared(
            "export into an empty folder",
            self.command(new_folder),
            {"git checkout-index": check_out, **reading},
            goal="at most 5 s",
            note=self.about,
        )
        yield from self.compared(
            "export again",
            self.command(*export),
            {"git checkout-index": lambda: self.run(*self.git, "checkout-index", "--all", "--force", "-u"), **reading},
            goal="",
        )
        git_status = {"git status": lambda: self.run(*self.git, "status", "--porcelain")}
        git_diff = {"git diff": lambda: self.run(*self.git, "diff", "--no-ext-diff")}
        yield from self.compared(
            "status", self.command("status", tree), {**git_status, **reading}, goal="at most 1 s", note="nothing edited"
        )
        yield from self.compared("plan, nothing edited", self.command("plan", tree), git_diff, goal="")
        before = self.edit(1)
        yield from self.compared(
            "plan, 1 edit", self.command("plan", tree), {**git_diff, **reading}, goal="at most 2 s"
        )
        _write(before)
        before = self.edit(_EDITS)
        yield from self.compared(
            f"plan, {len(before)} edits in {len(before)} files", self.command("plan", tree), git_diff, goal=""
        )
        _write(before)
        plan = str(self.home / "plan.json")

        def planned() -> tuple[str, ...]:
            self.edit(1)
            self.run(*self.iucore, "plan", tree, "-o", plan)
            return ("apply", plan, "-m", data.REASON)

        def edited() -> tuple[str, ...]:
            self.edit(1)
            return ("apply", tree, "-m", data.REASON)

        def committed() -> float:
            return self.run(*self.git, "add", "--all") + self.run(*self.git, "commit", "--quiet", "--message", "edited")

        beside = {"git add, commit": committed}
        goal = "at most 0.2 s beyond start-up"
        yield from self.compared("apply of a plan, 1 edit", self.command(planned), beside, goal=goal)
        yield from self.compared("apply of the folder, 1 edit", self.command(edited), beside, goal="")

    def command(self, *arguments: str | Callable[[], tuple[str, ...]]) -> tuple[_Command, Side]:
        """A command of iucore; a callable makes its arguments each time, and does not count."""
        command = _Command(self.environment, self.home)

        def run() -> float:
            given = [part for each in arguments for part in ((each,) if isinstance(each, str) else each())]
            return command.run(*self.iucore, *given)

        return command, run

    def compared(
        self, case: str, ours: tuple[_Command, Side], others: Mapping[str, Side], *, goal: str, note: str = ""
    ) -> Iterator[Line]:
        """A line for each of the others; the first has what more there is to say."""
        command, run = ours
        made = turns("textcode", case, run, others, rounds=self.rounds, reads="times")
        spent = statistics.median(command.seconds[1:])
        if self.start_up:
            beyond = f"{max(0.0, spent - self.start_up):.2f} s beyond start-up"
        else:
            self.start_up, beyond = spent, ""
        notes = (beyond, f"peak {command.megabytes:.0f} MB", f"goal: {goal}" if goal else "", note)
        yield replace(made[0], note="; ".join(filter(None, notes)))
        for line in made[1:]:
            yield replace(line, case=f"{case}, bare")

    def run(self, *arguments: str) -> float:
        """A command that is not measured for memory."""
        return _Command(self.environment, self.home).run(*arguments)

    def read(self) -> None:
        """The limit: every byte of the folder, and every body of the database in one statement."""
        for path in self.files():
            path.read_bytes()
        with psycopg.connect(self.url) as connection:
            connection.execute(_BODIES).fetchall()

    def files(self) -> list[Path]:
        return sorted(path for path in self.tree.rglob("*") if path.suffix in cut.FOLDER_SUFFIXES and path.is_file())

    def edit(self, count: int) -> dict[Path, bytes]:
        """Put a word into a line of that many files, other ones each time; what they held before."""
        files = self.files()
        self.edits += 1
        # Not the first ones twice: a file that was edited has been applied.
        chosen = [files[(self.edits + nth) % len(files)] for nth in range(min(count, len(files)))]
        before = {path: path.read_bytes() for path in chosen}
        for path, text in before.items():
            lines = list(_WORDS.finditer(text))
            at = lines[len(lines) // 2].end() if lines else len(text)
            path.write_bytes(b"%s edited %d%s" % (text[:at], self.edits, text[at:]))
        return before


def _write(files: Mapping[Path, bytes]) -> None:
    for path, text in files.items():
        path.write_bytes(text)


def _documents(bench: Bench, tree: Path) -> None:
    """Those of the archive; where it is not, others of the same shape."""
    if bench.corpora is not None and (bench.corpora / archive.NAME).is_file():
        archive.unpack(bench.corpora / archive.NAME, tree, bench.sizes.files)
        return
    files, pieces = _GENERATED
    for number in range(min(files, bench.sizes.files or files)):
        path = tree / f"part-{number % 20}" / f"{number}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(data.text(f"{number}/{nth}") for nth in range(pieces)))

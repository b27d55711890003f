"""The demo: documents become governed pieces and come back byte for byte."""

from __future__ import annotations

import argparse
import difflib
import hashlib
import os
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from iucore import collections, units
from iucore._target import normalise_url
from iucore.embedded import Cluster
from iucore.errors import IucoreError
from iucore.operations import migrate
from iucore.textcode import cut

ROOT = Path(__file__).resolve().parent.parent
PREFIX = "demo"
DATABASE = "iucore_demo"


def main() -> int:
    """Run every step; 1 when one document did not come back."""
    parser = argparse.ArgumentParser(prog="scripts/demo", description="Show iucore at work on files.")
    parser.add_argument("path", nargs="*", help="files or folders (default: README.md and docs/ of the project)")
    paths = parser.parse_args().path or [str(ROOT / "README.md"), str(ROOT / "docs")]
    if "" in paths:
        parser.error("a path is empty")
    began = time.perf_counter()

    with step("read and cut the documents"):
        plan = cut.read_paths(paths, prefix=PREFIX)
    if plan.bad:
        for bad in plan.bad:
            print(f"   refused: {bad}", file=sys.stderr)
        print("Nothing was written: correct these files, or leave them out.", file=sys.stderr)
        return 1
    if not plan.documents:
        print("No document was found; give Markdown or text files.", file=sys.stderr)
        return 2

    with step("start the embedded PostgreSQL"):
        # A cluster for each checkout. As root the server runs as nobody, who may not be able to reach the checkout.
        mark = hashlib.sha256(os.fsencode(ROOT)).hexdigest()[:12]
        home = Path(f"/var/lib/iucore/demo-{mark}") if os.geteuid() == 0 else ROOT / ".iucore" / "demo"
        cluster = Cluster(home)
        own = cluster.up()
        url = normalise_url(own).set(database=DATABASE)
    with step(f"make the database {DATABASE} anew and upgrade it to head"):
        admin = create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with admin.connect() as connection:
            connection.execute(text(f"drop database if exists {DATABASE} with (force)"))
            connection.execute(text(f"create database {DATABASE}"))
        migrate.upgrade(url.render_as_string(hide_password=False))

    engine = create_engine(url, poolclass=NullPool)
    with (
        engine.begin() as connection,
        step(f"give birth to {plan.pieces} pieces and compose {len(plan.documents)} files"),
    ):
        cut.apply(connection, plan, reason="scripts/demo")
    with engine.begin() as connection, step("render every document and compare the bytes"):
        files = {source.relative: source.path for source in cut.discover(paths).sources}
        sources = {document.key: files[document.path].read_bytes() for document in plan.documents}
        same = sum(collections.render(connection, key=key).encode() == bytes_ for key, bytes_ in sources.items())
    with engine.begin() as connection:
        shared_edit(connection, list(sources))
        counts = connection.execute(
            text(
                "select (select count(*) from iucore.information_unit), (select count(*) from iucore.unit_content),"
                " (select sum(byte_length) from iucore.unit_content)"
            )
        ).one()

    iucore = shlex.quote(str(ROOT / ".venv/bin/iucore"))
    print(f"""
documents           {len(sources):>10}
pieces              {counts[0]:>10}
distinct contents   {counts[1]:>10}
bytes in            {sum(map(len, sources.values())):>10}
bytes of contents   {counts[2]:>10}
identical           {f"{same}/{len(sources)}":>10}
seconds             {time.perf_counter() - began:>10.1f}

Try next:
  export IUCORE_DATABASE_URL={shlex.quote(own.replace("/iucore?", f"/{DATABASE}?"))}
  {iucore} collection list
  {iucore} render {shlex.quote(next(iter(sources)))}

The server goes on running. Stop it, or remove it with all its data:
  {iucore} db down --data {shlex.quote(str(home))}
  {iucore} db reset --yes --data {shlex.quote(str(home))}""")
    return 0 if same == len(sources) else 1


def shared_edit(connection: Connection, keys: list[str]) -> None:
    """Let one piece stand in two documents, edit it, move it, and look at the past."""
    first, *others = keys
    members = collections.members(connection, key=first)
    piece = members[len(members) // 2].address
    if others:
        second = others[0]
    else:
        second = f"{PREFIX}/second"
        rest = [{"piece": member.address} for member in members if member.address != piece]
        collections.create(
            connection, key=second, kind="file", title="A second document", members=rest[:1], reason="scripts/demo"
        )
    added = collections.add(connection, key=second, member=piece, at="first", reason="the same text stands here too")
    before = {key: collections.render(connection, key=key) for key in (first, second)}

    head = units.show(connection, address=piece)
    edited = units.edit(
        connection,
        address=piece,
        expected_version=head.version,
        body=head.body + "\nThis sentence was added once.\n",
        reason="say it once, for both",
    )
    print(f"\nOne piece, {piece}, stands in {first} and {second}. After one edit:")
    for key, old in before.items():
        lines = difflib.unified_diff(
            old.splitlines(), collections.render(connection, key=key).splitlines(), n=0, lineterm=""
        )
        changed = [line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---")]
        print(f"   {key}: {'  '.join(changed)}")

    moved = collections.reorder(
        connection, key=second, member=f"@{added.member_id}", at="last", reason="it belongs at the end"
    )
    print(f"Moved to the end of {second}{'' if moved.changed else ' (it stood there already)'}. Its history:")
    for change in collections.history(connection, key=second):
        print(f"   change {change.change_id:>3}  {change.verb:<20} +{change.opened} -{change.closed}  {change.reason}")
    print(f"The history of the piece {piece}:")
    for version in units.history(connection, address=piece):
        size = f"{version.byte_length:>6} bytes"
        print(f"   version {version.version}  {size}  change {version.change_id:>3}  {version.reason}")
    past = collections.render(connection, key=second, as_of_change=edited.change_id - 1)
    print(f"As of change {edited.change_id - 1}, before the edit, {second} is as it was: {past == before[second]}")


@contextmanager
def step(what: str) -> Iterator[None]:
    """Say what is done and how long it took."""
    print(f"-> {what}", end="", flush=True)
    began = time.perf_counter()
    try:
        yield
    finally:
        print(f" ({time.perf_counter() - began:.1f} s)", flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        sys.exit(130)
    except (IucoreError, OSError) as error:
        print(f"\n{error}\n{getattr(error, 'hint', '')}".rstrip(), file=sys.stderr)
        sys.exit(1)

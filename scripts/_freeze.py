"""Copy the present into the newest revision, and write what a database at each revision must contain."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from _revisions import OWN, Revision, Tree, complaint
from sqlalchemy import create_engine, make_url, pool

from iucore import inventory
from iucore.inventory import Item
from iucore.operations import migrate

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/freeze", description=__doc__)
    parser.add_argument("--all-unreleased", action="store_true", help="freeze every revision that is not released yet")
    parser.add_argument("--url", default=os.environ.get("IUCORE_DATABASE_URL"), help="a server for a scratch database")
    options = parser.parse_args()
    tree = Tree(ROOT)
    revisions = tree.revisions()
    if not revisions:
        raise SystemExit("no revision yet: make one with scripts/new-revision SLUG")
    chosen = [revision for revision in revisions if not tree.is_released(revision)]
    if not options.all_unreleased:
        chosen = chosen[-1:]
    check_released(tree)
    copy(tree, chosen)
    check_shape(tree)
    with scratch(options.url) as url:
        record(url, revisions, chosen)
    newest = (revisions[-1].folder / "inventory.txt").read_bytes()
    (tree.sql / "inventory.txt").write_bytes(newest)
    lines = "".join(f"{digest}  {path}\n" for path, digest in sorted(tree.hash_lines().items()))
    tree.hashes.write_text(lines, "utf-8")
    print(f"frozen: {', '.join(one.id for one in chosen) or 'nothing'}; {len(newest.splitlines())} objects at head")


def check_released(tree: Tree) -> None:
    """What is released never changes again."""
    recorded, now = tree.recorded(), tree.hash_lines()
    released = [
        one.path.relative_to(tree.alembic).as_posix().removesuffix(".py")
        for one in tree.revisions()
        if tree.is_released(one)
    ]
    for stem in released:
        old = {path: digest for path, digest in recorded.items() if path.startswith((f"{stem}.py", f"{stem}/"))}
        new = {path: digest for path, digest in now.items() if path.startswith((f"{stem}.py", f"{stem}/"))}
        if old != new:
            changed = sorted(path for path, _ in old.items() ^ new.items())
            raise SystemExit(f"a released revision was edited: {', '.join(dict.fromkeys(changed))}")


def copy(tree: Tree, chosen: list[Revision]) -> None:
    """Copy each present file, byte for byte, to the newest revision that lists it."""
    present, newest = tree.present(), tree.newest()
    unlisted = sorted(str(present[name].relative_to(tree.root)) for name in present.keys() - newest.keys())
    if unlisted:
        raise SystemExit("listed by no revision (add to FILES): " + ", ".join(unlisted))
    ids = {revision.id for revision in chosen}
    for name, revision in newest.items():
        if name not in present:
            continue  # a step of the migration itself, or an object that is no more
        target = revision.folder / name
        content = present[name].read_bytes()
        if target.exists() and target.read_bytes() == content:
            continue
        if revision.id not in ids:
            way = "list it in a new revision" if tree.is_released(revision) else "run scripts/freeze --all-unreleased"
            raise SystemExit(f"{name} differs from its copy in {revision.folder.name}: {way}")
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(content)
        print(f"copied {name} to {revision.folder.name}")
    for revision in chosen:
        for path in sorted(revision.folder.iterdir()):
            if path.name in present and path.name not in revision.listed:
                path.unlink()
                print(f"removed {path.name} from {revision.folder.name}, which does not list it")


def check_shape(tree: Tree) -> None:
    """Each file stands alone in psql as well: it ends a statement, and no line is a command of psql."""
    for revision in tree.revisions():
        for name in (*revision.listed, "undo.sql"):
            path = revision.folder / name
            if not path.exists():
                raise SystemExit(f"{revision.path.name} lists {name}, which is neither in sql/ nor in its folder")
            trouble = complaint(path.read_text("utf-8"))
            if trouble:
                raise SystemExit(f"{path.relative_to(tree.root)}: {trouble}")
        extra = {path.name for path in revision.folder.iterdir()} - {*revision.listed, *OWN}
        if extra:
            raise SystemExit(f"{revision.folder.name} holds what it does not list: {', '.join(sorted(extra))}")


@contextmanager
def scratch(url: str | None) -> Iterator[str]:
    """A database of our own, dropped at the end."""
    if not url:
        from iucore.embedded import Cluster

        url = Cluster.default().up()
    server = make_url(url)
    server = server.set(drivername="postgresql+psycopg2")
    name = f"iucore_freeze_{secrets.token_hex(4)}"
    engine = create_engine(server, poolclass=pool.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"create database {name} template template0 encoding 'UTF8'")
        try:
            yield server.set(database=name).render_as_string(hide_password=False)
        finally:
            connection.exec_driver_sql(f"drop database if exists {name} with (force)")


def record(url: str, revisions: list[Revision], chosen: list[Revision]) -> None:
    """Go through all revisions, and write the inventory and verify.sql of the chosen ones."""
    engine = create_engine(url, poolclass=pool.NullPool)
    before: list[Item] = []
    for revision in revisions:
        migrate.upgrade(engine, revision.id, verify="no")
        with engine.connect() as connection:
            items = inventory.actual(connection)
        if revision.id in {one.id for one in chosen}:
            (revision.folder / "inventory.txt").write_text(inventory.render(items), "utf-8")
            made = [item for item in items if item not in set(before)]
            (revision.folder / "verify.sql").write_text(verify_sql(revision, made), "utf-8")
        elif inventory.render(items) != (revision.folder / "inventory.txt").read_text("utf-8"):
            raise SystemExit(
                f"{revision.folder.name} no longer gives its inventory.txt: run scripts/freeze --all-unreleased"
            )
        before = items


def verify_sql(revision: Revision, made: list[Item]) -> str:
    """A read-only block that raises IU904 unless each object that the revision made is as it was made."""
    if not made:
        return f"-- Read only. Revision {revision.id} made rows and no object: there is none to compare.\nselect;\n"
    query = (
        "".join(
            line
            for line in (ROOT / "sql" / "inventory.sql").read_text("utf-8").splitlines(keepends=True)
            if not line.lstrip().startswith("--")
        )
        .strip()
        .rstrip(";")
    )
    query = query[: query.rindex("order by o.kind")].rstrip()
    # Rows only where the revision made some: before, their tables are not there.
    kinds = {item.kind for item in made}
    registry = "".join(registry_sql(one.sql) for one in inventory.registry_queries() if one.kind in kinds)
    declared = "    v_rows jsonb := '[]';\n" if registry else ""
    if registry:
        query += "\n\nunion all\nselect r.kind, r.object, r.fingerprint\n"
        query += "from jsonb_to_recordset(v_rows) as r (kind text, object text, fingerprint text)"
    # The query begins with its own WITH: it goes on inside ours.
    inner = "\n".join(f"        {line}" if line else "" for line in query.splitlines())
    values = ",\n".join(
        "            ("
        + ", ".join("'" + text.replace("'", "''") + "'" for text in (one.fingerprint, one.kind, one.object))
        + ")"
        for one in made
    )
    tag = f"$iu_verify_{revision.id}$"
    if tag in inner or tag in values or tag in registry:
        raise SystemExit(f"{tag} stands inside the query")
    return f"""\
-- Read only. Raises IU904 unless each of the {len(made)} objects that this revision made or replaced is as it was made.
-- Written by scripts/freeze from sql/inventory.sql; run it while the database is at revision {revision.id}.
do {tag}
declare
    v_path constant text := pg_catalog.current_setting('search_path');
    v_differ text;
{declared}begin
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
{registry}    with wanted (fingerprint, kind, object) as (
        values
{values}
    ),

    found as (
{inner}
    )

    select string_agg(
        concat(w.kind, ' ', w.object, case when f.object is null then ' is missing' else ' is altered' end), E'\\n'
        order by w.kind collate "C", w.object collate "C"
    )
    into v_differ
    from wanted as w
    left join found as f on f.kind = w.kind and f.object = w.object
    where f.fingerprint is distinct from w.fingerprint;
    perform pg_catalog.set_config('search_path', v_path, true);
    if v_differ is not null then
        raise exception using
            errcode = 'IU904',
            message = 'objects of revision {revision.id} are missing or altered',
            detail = v_differ,
            hint = 'Compare the whole database with: iucore inventory verify';
    end if;
end
{tag};
"""


def registry_sql(query: str) -> str:
    """A block that adds the rows of one query to ``v_rows``; none where a table is missing, which is named itself."""
    inner = "\n".join(f"            {line}" if line else "" for line in query.splitlines())
    return f"""\
    begin
        select v_rows || coalesce(jsonb_agg(q), '[]')
        into v_rows
        from (
{inner}
        ) as q;
    exception
        when undefined_table then
            null;
    end;
"""


if __name__ == "__main__":
    sys.exit(main())

"""``op.run_sql`` sends the bytes of a file: online by both drivers, and offline through psql."""

from __future__ import annotations

import argparse
import hashlib
import io
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from migration_helpers import ROOT, engine_for, psql, run_psql

NASTY = (
    "\n\tselect ':literal', :'name', ':x', '%', '%%', '%(x)s', '%s', $1;\r\n"
    "  -- a comment of psql? \\q \\connect\n"
    "\r\r\n a lone CR\rhere, a form feed\f, a tab\t, two  spaces, no end of line \n"
    "E'\\n\\t\\\\' \\\\ C:\\temp ${brace} {{x}} {x} %% :: := :name::text\n"
    "é e\u0301 \u202e \U0001f600 \ufeff \u200b \u2028 \x85 \u00a0 ' \" ` ; -- /* */\n"
)
BEFORE = "-- é :name %(x)s %% \\ 'one quote\n/* :'literal' ; \n*/\n"
REVISION = """
from alembic import op
revision = "0001"
down_revision = None
def upgrade(): op.run_sql("0001_nasty/nasty.sql")
def downgrade(): op.run_sql({down!r})
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """An alembic tree with our env.py, and one revision that makes functions of nasty text and CRLF."""
    home = tmp_path / "a folder with 100% blanks"
    folder = home / "versions" / "0001_nasty"
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "alembic" / "env.py", home)
    sql = (
        f"{BEFORE}create function public.nasty() returns text language sql\n"
        f"as $body$ select $text${NASTY}$text$ $body$;\n"
        "create table public.nasty (percent text default '%(x)s %% :a', literal text default ':literal');\r\n"
        "insert into public.nasty default values; insert into public.nasty values ('100%', E'\\t:b\\\\');\n"
        "comment on table public.nasty is ':name \t% %%';\n"
    )
    (folder / "nasty.sql").write_bytes(sql.encode("utf-8"))
    (folder.parent / "0001_nasty.py").write_text(REVISION.format(down="../env.py"), "utf-8")
    return home


def config(tree: Path, output: io.StringIO | None = None) -> Config:
    made = Config(output_buffer=output, cmd_opts=argparse.Namespace(x=[]))
    made.set_main_option("script_location", str(tree).replace("%", "%%"))
    return made


def online(tree: Path, url: str, driver: str) -> None:
    with engine_for(url, driver).connect() as connection:
        made = config(tree)
        made.attributes["connection"] = connection
        command.upgrade(made, "head")


def facts(url: str) -> list[object]:
    with engine_for(url).connect() as connection:
        rows = connection.exec_driver_sql(
            "select md5(p.prosrc), md5(public.nasty()), obj_description('public.nasty'::regclass),"
            " (select string_agg(percent || '|' || literal, '&' order by percent) from public.nasty)"
            " from pg_proc p where p.oid = 'public.nasty()'::regprocedure",
            execution_options={"no_parameters": True},
        ).all()
    return list(rows[0])


def expected() -> list[object]:
    def md5(text: str) -> str:
        return hashlib.md5(text.encode("utf-8")).hexdigest()

    return [
        md5(f" select $text${NASTY}$text$ "),
        md5(NASTY),
        ":name \t% %%",
        "%(x)s %% :a|:literal&100%|\t:b\\",
    ]


@pytest.mark.parametrize("driver", ["psycopg2", "psycopg"])
def test_online_the_bytes_arrive(new_database: Callable[[], str], tree: Path, driver: str) -> None:
    url = new_database()
    online(tree, url, driver)
    assert facts(url) == expected()


@pytest.mark.skipif(psql() is None, reason="no psql on this machine")
def test_offline_the_bytes_arrive(new_database: Callable[[], str], tree: Path, tmp_path: Path) -> None:
    output = io.StringIO(newline="")
    command.upgrade(config(tree, output), "head", sql=True)
    script = tmp_path / "script.sql"
    script.write_bytes(output.getvalue().encode("utf-8"))
    assert (tree / "versions" / "0001_nasty" / "nasty.sql").read_bytes() in script.read_bytes()
    url = new_database()
    done = run_psql(url, script)
    assert done.returncode == 0, done.stderr
    assert facts(url) == expected()


@pytest.mark.skipif(psql() is None, reason="no psql on this machine")
def test_the_file_in_psql_gives_the_same(new_database: Callable[[], str], tree: Path) -> None:
    url = new_database()
    done = run_psql(url, tree / "versions" / "0001_nasty" / "nasty.sql")
    assert done.returncode == 0, done.stderr
    assert facts(url) == expected()


def test_a_path_may_not_leave_the_versions(new_database: Callable[[], str], tree: Path) -> None:
    url = new_database()
    online(tree, url, "psycopg2")
    with engine_for(url).connect() as connection, pytest.raises(CommandError, match="not below"):
        made = config(tree)
        made.attributes["connection"] = connection
        command.downgrade(made, "base")
    assert facts(url) == expected()


def test_bytes_that_are_not_utf8_are_refused(new_database: Callable[[], str], tree: Path) -> None:
    (tree / "versions" / "0001_nasty" / "nasty.sql").write_bytes(b"select '\xff';\n")
    with pytest.raises(UnicodeDecodeError):
        online(tree, new_database(), "psycopg2")


def test_a_transaction_of_the_caller_is_refused(new_database: Callable[[], str], tree: Path) -> None:
    with engine_for(new_database()).connect() as connection:
        connection.exec_driver_sql("select 1")
        made = config(tree)
        made.attributes["connection"] = connection
        with pytest.raises(CommandError, match="inside a transaction"):
            command.upgrade(made, "head")


@pytest.mark.parametrize("setting", ["lock_timeout=5", "lock_timeout=1s'; drop table x; --", "wait=soon"])
def test_a_setting_that_is_no_duration_is_refused(tree: Path, setting: str) -> None:
    made = config(tree, io.StringIO())
    made.cmd_opts.x.append(setting)
    with pytest.raises(CommandError, match="not a duration"):
        command.upgrade(made, "head", sql=True)

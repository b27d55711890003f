"""Where the migrations and the SQL stand: beside a checkout's package, or inside an installed wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_DATA = _PACKAGE / "_data"


def alembic_dir() -> Path:
    """The folder with ``env.py`` and ``versions/``."""
    return _root() / "alembic"


def sql_dir() -> Path:
    """The folder with the present SQL."""
    return _root() / "sql"


def _root() -> Path:
    return _DATA if _DATA.is_dir() else _PACKAGE.parent

"""stdout is data, stderr is talk."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import chain, islice
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from iucore.cli._context import Context, coloured
from iucore.cli._errors import visible

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from rich.text import Text


def write(data: bytes) -> None:
    """Exact bytes on stdout."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def emit_rows(context: Context, shape: type[DataclassInstance], rows: Iterable[DataclassInstance]) -> None:
    """Rows of one shape, in the format of the run; as they come, where the format is one of lines."""
    names = [field.name for field in dataclasses.fields(shape)]
    found = ([_plain(getattr(row, name)) for name in names] for row in rows)
    # The first row before the header: when it cannot be had, nothing stands on stdout.
    table = chain([*islice(found, 1)], found)
    match context.shape:
        case "json":
            write(_json([dict(zip(names, row, strict=True)) for row in table], indent=2))
        case "jsonl":
            _stream(_json(dict(zip(names, row, strict=True))) for row in table)
        case "table":
            _table(names, ([_short(*cell) for cell in zip(names, row, strict=True)] for row in table))
        case "csv":
            _stream(_csv(row) for row in chain([names], table))
        case _:
            _stream(_tsv(row) for row in chain([names], table))


def emit_one(context: Context, row: DataclassInstance) -> None:
    """One thing: an object in JSON, a line for each field in a table, one row elsewhere."""
    if context.shape in ("json", "jsonl"):
        fields = {field.name: _plain(getattr(row, field.name)) for field in dataclasses.fields(row)}
        write(_json(fields, indent=2 if context.shape == "json" else None))
    elif context.shape == "table":
        cells = [(field.name, _plain(getattr(row, field.name))) for field in dataclasses.fields(row)]
        _table(None, [(name, _short(name, value)) for name, value in cells])
    else:
        emit_rows(context, type(row), [row])


def emit_value(context: Context, name: str, value: str | None, *, absent: str = "") -> None:
    """A single value: an object with one member in JSON, the bare value elsewhere."""
    if context.shape in ("json", "jsonl"):
        write(_json({name: value}, indent=2 if context.shape == "json" else None))
    else:
        write(f"{absent if value is None else value}\n".encode("utf-8", "surrogateescape"))


class Progress:
    """A line on stderr that is written over; only on a terminal."""

    def __init__(self, context: Context, verb: str, total: int = 0) -> None:
        """Say what is being done, and how much there is."""
        self.verb = verb
        self.total = total
        self.shown = not context.quiet and sys.stderr is not None and sys.stderr.isatty()
        self.length = 0

    def __call__(self, done: int, total: int | None = None, *_: Any) -> None:
        """Show how much is done; the last step clears the line."""
        total = self.total if total is None else total
        if not self.shown or (done % 20 and done != total):
            return
        line = f"{self.verb} {done}/{total}"
        click.echo("\r" + line.ljust(self.length), nl=False, err=True)
        self.length = len(line)
        if done == total:
            click.echo("\r" + " " * self.length + "\r", nl=False, err=True)


def _plain(value: Any) -> Any:
    """A value that JSON knows."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return str(value)


def _json(value: Any, indent: int | None = None) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=indent) + "\n").encode("utf-8", "backslashreplace")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


_TSV = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def _short(name: str, value: Any) -> Any:
    """A value for the cells of a table: of a digest the first digits tell one from another."""
    return value[:12] if name.endswith("sha256") and value is not None else value


class Marked(str):
    """A text for a table on a terminal, in which ``units.SNIPPET_MARKS`` stand around what is shown bold."""

    __slots__ = ()


def _styled(value: Any) -> Text:
    """A cell; what does not show is written as escapes."""
    from rich.text import Text

    if not isinstance(value, Marked):
        return Text(visible(_cell(value)))
    text = Text()
    for part in re.split("(\x02[^\x03]*)", value):
        text.append(visible(part.strip("\x02\x03")), "bold" if part.startswith("\x02") else None)
    return text


def _stream(lines: Iterable[bytes]) -> None:
    sys.stdout.buffer.writelines(lines)
    sys.stdout.buffer.flush()


def _csv(row: Sequence[Any]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerow([_cell(value) for value in row])
    return text.getvalue().encode("utf-8", "backslashreplace")


def _tsv(row: Sequence[Any]) -> bytes:
    return ("\t".join([_cell(value).translate(_TSV) for value in row]) + "\n").encode("utf-8", "backslashreplace")


def _table(names: Sequence[str] | None, rows: Iterable[Sequence[Any]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    text = io.StringIO()
    terminal = sys.stdout.isatty()
    colour = coloured(sys.stdout)
    console = Console(
        file=text,
        force_terminal=terminal,
        no_color=not colour,
        width=None if terminal else 240,
        highlight=False,
        legacy_windows=False,
    )
    table = Table(
        box=box.SIMPLE_HEAD if names else None,
        show_header=names is not None,
        pad_edge=False,
        padding=(0, 0 if names else 1),  # the box puts a space between columns
    )
    for name in names or ("", ""):
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(_styled(value) for value in row))
    console.print(table)
    write(text.getvalue().encode(sys.stdout.encoding or "utf-8", "backslashreplace"))

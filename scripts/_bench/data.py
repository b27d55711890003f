"""The same rows on every machine."""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import Iterator, Sequence

import psycopg

Piece = dict[str, str]
KIND = "text"
REASON = "scripts/bench"
_SYLLABLES = ("ka", "lo", "mi", "ren", "tus", "van", "del", "or", "ist", "pha", "gen", "u", "bra", "cen", "dor", "el")


def text(seed: str) -> str:
    """A section of Markdown of 150 to 900 bytes; equal seeds give equal texts."""
    source = random.Random(seed)
    words = ["".join(source.choices(_SYLLABLES, k=source.randint(1, 4))) for _ in range(source.randint(20, 110))]
    lines = [" ".join(words[at : at + 12]) for at in range(0, len(words), 12)]
    return f"## {seed}\n\n" + "\n".join(lines) + "\n\n"


def pieces(prefix: str, count: int) -> list[Piece]:
    """Pieces ``<prefix>/0``, ``<prefix>/1``, ...: no two bodies are equal."""
    return [
        {"address": f"{prefix}/{n}", "kind": KIND, "title": f"Section {n}", "body": text(f"{prefix}/{n}")}
        for n in range(count)
    ]


def load(connection: psycopg.Connection, prefix: str, count: int, chunk: int = 10_000) -> list[str]:
    """Give birth to pieces; returns their addresses."""
    made = pieces(prefix, count)
    for at in range(0, count, chunk):
        connection.execute(
            "select count(*) from iucore.fn_iu_create_many(%s, %s)", (json.dumps(made[at : at + chunk]), REASON)
        )
    return [piece["address"] for piece in made]


def compose(connection: psycopg.Connection, key: str, members: Sequence[dict[str, object]]) -> str:
    """Make a file of members; returns its key."""
    connection.execute(
        "select * from iucore.fn_iu_collection_create(%s, 'file', %s, %s, %s)",
        (key, key, REASON, json.dumps(members)),
    )
    return key


def of_pieces(addresses: Sequence[str], **more: object) -> list[dict[str, object]]:
    """Members that are pieces."""
    return [{"piece": address, **more} for address in addresses]


def uuids() -> Iterator[str]:
    """UUIDs in time order, as the product's are, so that both sides fill their indexes alike."""
    source = random.Random(time.time_ns())
    number = time.time_ns() // 1_000_000 << 16
    while True:
        number += 16
        chance = (0b10 << 62) | source.getrandbits(62)
        hexed = f"{number >> 16:012x}7{number & 0xFFF:03x}{chance:016x}"
        yield f"{hexed[:8]}-{hexed[8:12]}-{hexed[12:16]}-{hexed[16:20]}-{hexed[20:]}"


def copy_text(rows: Sequence[Sequence[object]]) -> bytes:
    """Rows in the text format of COPY."""
    table = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})
    return "".join("\t".join(str(value).translate(table) for value in row) + "\n" for row in rows).encode()


def sha256(body: str) -> str:
    """In the input form of bytea."""
    return "\\x" + hashlib.sha256(body.encode()).hexdigest()

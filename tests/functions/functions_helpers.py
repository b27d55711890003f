"""Calls of governed functions by SQL, and what a refusal must look like."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

Row = dict[str, Any]


class Database:
    """The functions of iucore on one connection in autocommit mode."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        connection.autocommit = True
        self.connection = connection

    def query(self, statement: str, arguments: Sequence[Any] = ()) -> list[Any]:
        """Rows as tuples."""
        return self.connection.execute(statement, arguments or None).fetchall()

    def value(self, statement: str, arguments: Sequence[Any] = ()) -> Any:
        """The one value of the one row."""
        ((value,),) = self.query(statement, arguments)
        return value

    def call(self, name: str, /, **arguments: Any) -> list[Row]:
        """`select * from iucore.fn_iu_<name>(p_... => ...)`; writers get a reason when none is given."""
        if name in WRITERS:
            arguments.setdefault("reason", "test")
        statement = sql.SQL("select * from iucore.{}({})").format(
            sql.Identifier("fn_iu_" + name),
            sql.SQL(", ").join(sql.SQL("{} => %s").format(sql.Identifier("p_" + key)) for key in arguments),
        )
        values = [
            json.dumps(value) if key in JSON_ARGUMENTS and not isinstance(value, str | None) else value
            for key, value in arguments.items()
        ]
        with self.connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(statement, values).fetchall()

    def one(self, name: str, /, **arguments: Any) -> Row:
        """The one row of a call."""
        (row,) = self.call(name, **arguments)
        return row

    def piece(self, address: str, body: str = "", **more: Any) -> Row:
        """Births a piece of kind text."""
        return self.one("create", **{"address": address, "kind": "text", "title": "T", "body": body, **more})

    def edit(self, address: str, body: str, **more: Any) -> Row:
        """Edits the head."""
        head = self.value("select head_version from iucore.information_unit where address = %s", [address])
        return self.one("edit", address=address, expected_version=head, body=body, **more)

    def file(self, key: str, *members: Any, kind: str = "file", **more: Any) -> Row:
        """Creates a collection; a member is an address or an object."""
        items = [{"piece": member} if isinstance(member, str) else member for member in members]
        return self.one("collection_create", key=key, kind=kind, title="C", members=items, **more)

    def add(self, key: str, member: str, **more: Any) -> Row:
        """Adds to a collection."""
        return self.one("collection_add", key=key, member=member, **more)

    def nest(self, key: str, child: str, **more: Any) -> Row:
        """Adds a collection to a collection."""
        return self.add(key, child, member_kind="collection", **more)

    def render(self, key: str, **as_of: Any) -> str:
        """The text of a collection."""
        return self.one("render", key=key, **as_of)["fn_iu_render"]

    def members(self, key: str, **as_of: Any) -> list[str]:
        """Addresses and keys in order."""
        return [row["address"] for row in self.call("collection_members", key=key, **as_of)]

    def counts(self) -> dict[str, int]:
        """Rows of every table of the schema that this login may read."""
        names = [
            name
            for (name,) in self.query(
                "select relname from pg_class where relnamespace = 'iucore'::regnamespace and relkind in ('r', 'p')"
                " and not relispartition and has_table_privilege(oid, 'select') order by relname"
            )
        ]
        statement = sql.SQL(" union all ").join(
            sql.SQL("select {}, count(*) from iucore.{}").format(sql.Literal(name), sql.Identifier(name))
            for name in names
        )
        return dict(self.connection.execute(statement).fetchall())

    def refuses(self, code: str, name: str, /, **arguments: Any) -> psycopg.Error:
        """The call ends with this SQLSTATE, in the shape of all errors, and no table has a row more or less."""
        before = self.counts()
        with pytest.raises(psycopg.Error) as caught:
            self.call(name, **arguments)
        error = caught.value
        assert error.sqlstate == code, f"{name}: {error.sqlstate} instead of {code}: {error}"
        assert not code.startswith("IU") or error.diag.message_hint, "an error says what to do next"
        assert self.counts() == before
        return error


JSON_ARGUMENTS = {"pieces", "members", "attributes", "transitions", "target"}

WRITERS = {
    "kind_register",
    "create",
    "create_many",
    "edit",
    "clone",
    "lifecycle_set",
    "collection_create",
    "collection_add",
    "collection_remove",
    "collection_reorder",
    "collection_pin",
    "collection_unpin",
    "collection_replace",
    "collection_rebalance",
    "step_set",
    "axis_register",
    "axis_set",
    "axis_refresh",
    "gate_set",
    "event_type_register",
    "route_register",
    "route_set",
    "soft_delete",
    "restore",
    "retire",
    "record_render",
    "record_validation",
    "collection_soft_delete",
    "collection_restore",
    "route_configure",
    "route_replay",
    "route_skip",
    "sequencer_rebase",
    "events_prune",
}
# What a worker calls: definers too, but no governed change.
WORKERS = {
    "sequence",
    "delivery_take",
    "delivery_allowed",
    "delivery_renew",
    "delivery_record",
    "delivery_dry_run",
    "wake",
}

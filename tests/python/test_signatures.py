"""Each wrapper says what its function in the catalog says: names, defaults, result columns."""

from __future__ import annotations

import dataclasses
import inspect
import re
import typing
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection

from iucore import _call, axes, batches, collections, errors, events, gates, ledger, routes, units

MODULES = (units, collections, axes, gates, events, routes, ledger, batches)

# Granted because other functions that run with the caller's rights, or views, call them. Not verbs.
INTERNAL = {
    "fn_iu_as_of",
    "fn_iu_assert_render",
    "fn_iu_collection_find",
    "fn_iu_collection_id",
    "fn_iu_collection_measure",
    "fn_iu_is_address",
    "fn_iu_is_attributes",
    "fn_iu_is_name",
    "fn_iu_is_open",
    "fn_iu_ledger_chain",
    "fn_iu_ledger_hash",
    "fn_iu_ledger_text",
    "fn_iu_limit",
    "fn_iu_members_at",
    "fn_iu_mermaid_text",
    "fn_iu_pieces_at",
    "fn_iu_refuse_content",
    "fn_iu_refuse_deleted_collection",
    "fn_iu_refuse_unknown_piece",
    "fn_iu_route_lag",
    "fn_iu_standing_in",
    "fn_iu_text",  # for callers that hold bytes and no decoder
    "fn_iu_text_prefix",
    "fn_iu_unit_id",
    "fn_iu_uuid7",
    "fn_iu_workflow_reached",
    "fn_iu_workflow_ways",
}

# What a call is given for an argument that is not text.
GIVEN = {
    "expected_version": 1,
    "pieces": [],
    "values": ["a"],
    "sha256": ["a"],
    "keys": ["a"],
    "addresses": ["a"],
    "versions": [1],
    "bodies": False,
    "open": True,
    "enabled": False,
    "delta": True,
    "before": datetime.now(UTC),
    "claim": 1,
    "handled": 0,
}

CATALOG = """
    select p.proname, p.proretset, p.pronargdefaults, p.proargmodes::text[] as modes, p.proargnames as names,
        format_type(p.prorettype, null) as returns, p.pronargs
    from pg_proc as p
    where p.pronamespace = 'iucore'::regnamespace
"""


def wrappers() -> dict[str, typing.Callable[..., typing.Any]]:
    """Every public function; one that gives pages goes through a wrapper."""
    found = {}
    for module in MODULES:
        for name, value in vars(module).items():
            if inspect.isgeneratorfunction(value):
                continue
            if inspect.isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_"):
                found[f"{module.__name__.rpartition('.')[2]}.{name}"] = value
    return found


WRAPPERS = wrappers()


def called(wrapper: typing.Callable[..., typing.Any]) -> str:
    names = set(re.findall(r'"(fn_iu_\w+)"', inspect.getsource(wrapper)))
    assert len(names) == 1, names
    assert f"``{min(names)}``" in (wrapper.__doc__ or ""), "the docstring names the function that is called"
    return names.pop()


def shape_of(wrapper: typing.Callable[..., typing.Any]) -> type:
    returned = typing.get_type_hints(wrapper, {**vars(inspect.getmodule(wrapper)), "Connection": Connection})["return"]
    inner = typing.get_args(returned)
    return inner[0] if inner else returned


@pytest.mark.parametrize("name", WRAPPERS)
def test_wrapper_equals_function(name: str, connection: Connection) -> None:
    wrapper = WRAPPERS[name]
    function = called(wrapper)
    row = connection.exec_driver_sql(CATALOG + f" and p.proname = '{function}'").mappings().one()
    arguments = (row["names"] or [])[: row["pronargs"]]
    required = row["pronargs"] - row["pronargdefaults"]
    parameters = list(inspect.signature(wrapper).parameters.values())
    first, rest = parameters[0], parameters[1:]
    assert first.name == "connection"
    assert all(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in rest)
    assert [f"p_{parameter.name}" for parameter in rest] == arguments
    assert [parameter.default is inspect.Parameter.empty for parameter in rest] == [
        place < required for place in range(len(arguments))
    ]
    shape = shape_of(wrapper)
    columns = [column for mode, column in zip(row["modes"] or [], row["names"] or [], strict=False) if mode == "t"]
    if columns and shape is not batches.Batch:
        assert row["proretset"]
        assert [field.name for field in dataclasses.fields(shape)] == columns
        assert shape.__dataclass_params__.frozen and hasattr(shape, "__slots__")
    else:
        assert (shape, row["returns"]) in (
            (str, "text"),
            (bool, "boolean"),
            (int, "bigint"),
            (batches.Batch, "record"),  # a batch is one thing: its rows are the events in it
        )


def codes(text: str) -> set[str]:
    """The SQLSTATEs that a text names; ``IU010 to IU017`` are all of them."""
    found = set(re.findall(r"IU\d{3}", text))
    for first, last in re.findall(r"IU(\d{3}) to IU(\d{3})", text):
        found |= {f"IU{number:03}" for number in range(int(first), int(last) + 1)}
    return found


@pytest.mark.parametrize("name", WRAPPERS)
def test_docstring_names_what_the_function_raises(name: str, connection: Connection) -> None:
    source = connection.exec_driver_sql(
        "select prosrc from pg_proc where pronamespace = 'iucore'::regnamespace"
        f" and proname = '{called(WRAPPERS[name])}'"
    ).scalar_one()
    header = re.search(r"-- Raises: ((?:.*\n *--)*.*)", source)
    documented = (WRAPPERS[name].__doc__ or "").partition("Raises:")[2]
    assert codes(header[1] if header else "") - codes(documented) == set()
    for code in codes(documented):
        shape = errors.class_for(code)
        assert shape is not None
        line = re.search(rf" {shape.__name__}: [^:]*?{code}| {shape.__name__}: [^:]*? to ", documented)
        assert line, f"{code} is a {shape.__name__}"


def test_every_verb_is_wrapped(connection: Connection) -> None:
    granted = connection.exec_driver_sql(
        CATALOG
        + """ and exists (
            select from aclexplode(p.proacl) as a join pg_roles as r on r.oid = a.grantee
            where r.rolname ^@ 'iucore_' and r.rolname <> 'iucore_owner'
        )"""
    ).mappings()
    names = {row["proname"] for row in granted}
    wrapped = {called(wrapper) for wrapper in WRAPPERS.values()}
    assert wrapped - names == set()
    assert names - wrapped == INTERNAL


def test_recorder_keeps_the_call_and_sends_nothing() -> None:
    recorder = _call.Recorder()
    for name, wrapper in WRAPPERS.items():
        given: dict[str, typing.Any] = {}
        for parameter in list(inspect.signature(wrapper).parameters.values())[1:]:
            if parameter.default is inspect.Parameter.empty:
                given[parameter.name] = GIVEN.get(parameter.name, "x")
        with pytest.raises(_call.Recorded):
            wrapper(recorder, **given)
        assert recorder.calls[-1].function == called(wrapper), name
    assert len(recorder.calls) == len(WRAPPERS)

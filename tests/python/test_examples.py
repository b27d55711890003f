"""The examples in the docstrings of the concept modules, in the order of the source, each module in one database."""

from __future__ import annotations

import doctest
import importlib
import tempfile
from pathlib import Path
from types import ModuleType
from uuid import UUID

import pytest
from sqlalchemy import Connection

from iucore import axes, batches, collections, events, gates, ledger, routes, units
from iucore.textcode import align, apply, cut, export, manifest, merge, plan, status

CONCEPTS = {
    "units": units,
    "collections": collections,
    "axes": axes,
    "gates": gates,
    "events": events,
    "routes": routes,
    "ledger": ledger,
    "batches": batches,
}
PURE = [
    "_call",
    "_check",
    "_target",
    "errors",
    "inventory",
    "operations.apply",
    "operations.audit",
    "operations.closeout",
    "operations.health",
    "operations.metrics",
    "operations.migrate",
    "operations.migration_plan",
]
FLAGS = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL


@pytest.mark.parametrize("name", CONCEPTS)
def test_examples_of_concepts(name: str, connection: Connection) -> None:
    examples = [
        test
        for test in doctest.DocTestFinder(recurse=True).find(
            CONCEPTS[name], f"iucore.{name}", extraglobs={"connection": connection, **CONCEPTS}
        )
        if test.examples
    ]
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    for example in sorted(examples, key=lambda test: test.lineno or 0):
        runner.run(example)
    assert runner.summarize(verbose=False).failed == 0
    documented = {example.name.rpartition(".")[2] for example in examples}
    functions = {key for key, value in vars(CONCEPTS[name]).items() if callable(value) and key[0].islower()}
    own = {key for key in functions if getattr(CONCEPTS[name], key).__module__ == f"iucore.{name}"}
    assert own <= documented


@pytest.mark.parametrize("module", [align, apply, cut, export, manifest, merge, plan, status])
def test_examples_of_textcode(module: ModuleType, connection: Connection) -> None:
    for name, body in (("one", "# One\n"), ("two", "Second.\n")):
        units.create(connection, address=f"guide/{name}", kind="text", title=name, body=body, reason="new")
    members = [{"piece": "guide/two"}, {"piece": "guide/one"}]
    collections.create(connection, key="guide.md", kind="file", title="Guide", members=members, reason="new")
    given = {"connection": connection, "tempfile": tempfile, "Path": Path, "UUID": UUID, "export": export.export}
    failed, attempted = doctest.testmod(module, extraglobs=given, optionflags=FLAGS)
    assert attempted and not failed


@pytest.mark.parametrize("name", PURE)
def test_pure_examples(name: str) -> None:
    failed, attempted = doctest.testmod(importlib.import_module(f"iucore.{name}"), optionflags=FLAGS)
    assert attempted and not failed

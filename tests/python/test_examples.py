"""The examples in the docstrings of the concept modules, in the order of the source, each module in one database."""

from __future__ import annotations

import doctest
import importlib

import pytest
from sqlalchemy import Connection

from iucore import axes, collections, events, gates, routes, units
from iucore.textcode import cut

CONCEPTS = {
    "units": units,
    "collections": collections,
    "axes": axes,
    "gates": gates,
    "events": events,
    "routes": routes,
}
PURE = ["_call", "_check", "_target", "errors", "inventory"]
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


def test_examples_of_the_cutter(connection: Connection) -> None:
    failed, attempted = doctest.testmod(cut, extraglobs={"connection": connection}, optionflags=FLAGS)
    assert attempted and not failed


@pytest.mark.parametrize("name", PURE)
def test_pure_examples(name: str) -> None:
    failed, attempted = doctest.testmod(importlib.import_module(f"iucore.{name}"), optionflags=FLAGS)
    assert attempted and not failed

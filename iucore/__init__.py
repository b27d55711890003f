"""Governed text pieces in PostgreSQL.

The concepts are modules: ``iucore.units``, ``iucore.collections``, ``iucore.axes``, ``iucore.gates``, ``iucore.events``
and ``iucore.routes``; ``iucore.errors`` has what they raise. Each is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from iucore import axes, collections, commands, errors, events, gates, routes, units

__version__ = "0.1.0"
__all__ = ["__version__", "axes", "collections", "commands", "errors", "events", "gates", "routes", "units"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return import_module(f"iucore.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

"""Read the target of a route key by key, and the environment variables that it names."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Mapping, Sequence

from iucore.delivery.transport import target_error
from iucore.errors import OperationError

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
# A secret of Standard Webhooks: one without + / = would be a name too.
_PASTED = re.compile("whsec_", re.IGNORECASE)


class Target:
    """A target without unknown keys. Errors name keys and never repeat a value."""

    def __init__(self, transport: str, target: Mapping[str, object], known: Sequence[str]) -> None:
        """Refuse what is not known: a misspelt key would be a setting that silently is not made."""
        self.transport, self.known, self._target = transport, known, target
        unknown = sorted(set(target) - set(known))
        if unknown:
            # A name that is not a plain word may be a value in the wrong place.
            named = [key for key in unknown if key.isidentifier() and len(key) <= 40]
            raise self.error("unknown key" + (f": {', '.join(named)}" if named else ""))

    def error(self, detail: str) -> OperationError:
        """The error to raise, with the known keys."""
        return target_error(self.transport, detail, hint=f"Keys of {self.transport}: {', '.join(self.known)}.")

    def text(self, key: str, default: str | None = None) -> str:
        """A text that is not empty."""
        value = self._target.get(key, default)
        if value is None:
            raise self.error(f"{key} is missing")
        if not isinstance(value, str) or not value or not value.isprintable():
            raise self.error(f"{key} is not a text in one line")
        return value

    def optional(self, key: str) -> str | None:
        """A text, or None where there is none."""
        return None if self._target.get(key) is None else self.text(key)

    def texts(self, key: str) -> list[str]:
        """A text or a list of at least one."""
        value = self._target.get(key)
        if not isinstance(value, list):
            return [self.text(key)]
        if not value or not all(isinstance(part, str) and part and part.isprintable() for part in value):
            raise self.error(f"{key} is not a list of texts")
        return value

    def variables(self, key: str) -> list[str]:
        """The name of an environment variable or a list of at least one; a secret in its place is refused."""
        names = self.texts(key)
        if any(_PASTED.match(name) for name in names):
            raise self.error(f"{key} holds a secret; it names an environment variable of the worker that holds it")
        if not all(_VARIABLE.fullmatch(name) for name in names):
            raise self.error(f"{key} does not name an environment variable")
        return names

    def variable(self, key: str) -> str | None:
        """The name of one environment variable, or None where there is none."""
        if self.optional(key) is None:
            return None
        (name,) = self.variables(key)
        return name

    def seconds(self, key: str, default: float) -> float:
        """A number of seconds, up to ten minutes."""
        value = self._target.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 600:
            raise self.error(f"{key} is not a number of seconds from above 0 to 600")
        return float(value)

    def authorities(self, key: str) -> ssl.SSLContext:
        """Checks certificates against the system's authorities, or those of the file that the key names."""
        path = self.optional(key)
        try:
            return ssl.create_default_context(cafile=path)
        except (OSError, ssl.SSLError):
            raise self.error(f"{key} is not a readable file of certificates") from None


def end_of(timeout: float, deadline: float) -> float:
    """When to stop: after the transport's own limit or at the end of the lease, whatever comes first."""
    return min(time.monotonic() + timeout, deadline)

"""Turns stored records back into the values that were recorded.

The types are passed in: `infra` knows neither messages nor ports, only that they are dataclasses
and protocols.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import NoneType
from typing import Any, get_type_hints

import msgspec

from infra.trace.records import StoredRaised
from infra.trace.unions import needs_restoring, restored

_RAISED_BY = ("actors", "domain", "infra", "builtins")
"""Where exception classes are looked up: a crash file may come from anywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceTypes:
    """The types that can occur in a trace."""

    messages: Mapping[str, type]
    """By name."""
    values: Mapping[str, type]
    """Dataclasses that actors are constructed with, by name."""
    ports: Mapping[str, type]
    """Protocols, by the name under which their calls are recorded."""
    actors: Mapping[str, type]
    """By name."""


class Unanswered:
    """Stands for a handle that was given out: a timer, a subscription."""

    def close(self) -> None:
        """Do nothing."""

    def cancel(self) -> None:
        """Do nothing."""


class TraceDecoder:
    """Decodes with the types of one program version."""

    def __init__(self, types: TraceTypes) -> None:
        self.types = types
        self._decoder = cache(msgspec.msgpack.Decoder)

    def message(self, kind: str, payload: msgspec.Raw) -> Any:
        """Return a message.

        Raises:
            KeyError: this program has no such message.
            msgspec.ValidationError: its fields have changed since.
        """
        return self._decoded(self.types.messages[kind], payload)

    def argument(self, stored: Any) -> Any:
        """Return what an actor was constructed with, as `tagged` stored it."""
        if isinstance(stored, list | tuple) and len(stored) == 2:  # noqa: PLR2004 (name, fields)
            kind = self.types.values.get(stored[0])
            if kind is not None:
                return restored(stored[1], kind)
        return stored

    def result(self, port: str, method: str, stored: msgspec.Raw) -> Any:
        """Return what a port answered; a handle comes back as one that does nothing."""
        kind = self._returned(port, method)
        if kind is NoneType:
            return None
        if getattr(kind, "_is_protocol", False):
            return Unanswered()
        return self._decoded(kind, stored)

    def _decoded(self, kind: Any, stored: msgspec.Raw) -> Any:
        if needs_restoring(kind):
            return restored(msgspec.msgpack.decode(stored), kind)
        return self._decoder(kind).decode(stored)

    def _returned(self, port: str, method: str) -> Any:
        return _hints(getattr(self.types.ports[port], method))["return"]


@cache
def _hints(function: Any) -> dict[str, Any]:
    return get_type_hints(function)


def exception_of(raised: StoredRaised) -> BaseException:
    """Return an exception like the one raised; a stand-in if its class is unknown."""
    module, _, name = raised.kind.partition(":")
    found: Any = None
    if module.partition(".")[0] in _RAISED_BY:
        try:
            found = getattr(importlib.import_module(module), name, None)
        except ImportError:
            found = None
    if isinstance(found, type) and issubclass(found, BaseException):
        made = found.__new__(found, *raised.arguments)
        made.args = tuple(raised.arguments)
        return made
    stand_in = type(name or "UnknownError", (Exception,), {})
    return stand_in(raised.cause.partition(": ")[2])  # type: ignore[no-any-return]

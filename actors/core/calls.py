"""Ports that note what the actor at work asks of them, so that it can be asked again in a replay.

A message alone does not say why an actor did something: what its ports answered does.
"""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from time import perf_counter_ns
from typing import Any, TypeVar, cast

from actors.core.trace import Call, Handling, Raised

_at_work: ContextVar[Handling | None] = ContextVar("at_work", default=None)
"""Of the thread that runs."""

Port = TypeVar("Port")


def begin(handling: Handling | None) -> None:
    """Let the calls of this thread belong to a handling; None: to nobody."""
    _at_work.set(handling)


def note(call: Call) -> None:
    """Add a call to the handling at work in this thread."""
    handling = _at_work.get()
    if handling is not None:
        handling.calls.append(call)


def noted(port: Port, name: str, opens: Mapping[str, str] | None = None) -> Port:
    """Return a port that passes every call on, and notes those of actors.

    Args:
        port: any object with methods; each must be called with positional arguments.
        name: under which its calls are noted.
        opens: methods whose result is a port itself, and its name.
    """
    return cast(Port, _NotedPort(port, name, opens or {}))


def raised(error: BaseException, details: str = "") -> Raised:
    """Return an exception without its frames, also one that cannot say its text."""
    return Raised(type(error), error.args, cause_of(error), details)


def cause_of(error: BaseException) -> str:
    """Return an exception's type and text, also of one that cannot say its text."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 (the report must be made)
        return type(error).__name__


class _NotedPort:
    def __init__(self, port: Any, name: str, opens: Mapping[str, str]) -> None:
        self._port = port
        self._name = name
        self._opens = opens

    def __getattr__(self, method: str) -> Callable[..., Any]:
        call = self._noting(method, getattr(self._port, method))
        setattr(self, method, call)  # asked for once
        return call

    def _noting(self, method: str, function: Callable[..., Any]) -> Callable[..., Any]:
        name, opened = self._name, self._opens.get(method)

        def call(*arguments: Any) -> Any:
            handling = _at_work.get()
            if handling is None:
                return function(*arguments)
            began_ns = perf_counter_ns()
            try:
                result = function(*arguments)
            except BaseException as error:
                took_ns = perf_counter_ns() - began_ns
                handling.calls.append(Call(name, method, arguments, None, raised(error), took_ns))
                raise
            took_ns = perf_counter_ns() - began_ns
            handling.calls.append(Call(name, method, arguments, result, None, took_ns))
            return result if opened is None else noted(result, opened)

        return call

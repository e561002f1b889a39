"""Ports that record the calls of the working actor, so that a replay can answer them.

A message alone does not explain what an actor did: the answers of its ports are needed too.
"""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from time import perf_counter_ns
from typing import Any, TypeVar, cast

from actors.core.trace import Call, Handling, Raised

_at_work: ContextVar[Handling | None] = ContextVar("at_work", default=None)
"""Handling of the running thread."""

Port = TypeVar("Port")


def begin(handling: Handling | None) -> None:
    """Assign the calls of this thread to a handling; None: to none."""
    _at_work.set(handling)


def note(call: Call) -> None:
    """Add a call to the current handling of this thread."""
    handling = _at_work.get()
    if handling is not None:
        handling.calls.append(call)


def noted(port: Port, name: str, opens: Mapping[str, str] | None = None) -> Port:
    """Return a port that passes every call on, and records those of actors.

    Args:
        port: any object with methods; each must be called with positional arguments.
        name: under which its calls are recorded.
        opens: methods whose result is itself a port, with its name.
    """
    return cast(Port, _NotedPort(port, name, opens or {}))


def raised(error: BaseException, details: str = "") -> Raised:
    """Return an exception without its frames, even one whose text cannot be had."""
    return Raised(type(error), error.args, cause_of(error), details)


def cause_of(error: BaseException) -> str:
    """Return an exception's type and text, even if `str` fails."""
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
        setattr(self, method, call)  # looked up once
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

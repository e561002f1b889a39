"""Who listens to an asset's news."""

import threading
from collections.abc import Iterable
from typing import Generic, Protocol, TypeVar

from domain.trading.matching import Event
from domain.trading.orders import OrderUpdate
from domain.trading.positions import Execution

Listener = TypeVar("Listener")


class Subscribers(Generic[Listener]):
    """At most one listener per asset: the newest incarnation's. Safe from any thread."""

    def __init__(self) -> None:
        """Start without listeners."""
        self._lock = threading.Lock()
        self._listeners: dict[str, tuple[object, Listener]] = {}

    def add(self, asset: str, listener: Listener) -> "Seat":
        """Let a listener hear of an asset, in the place of whoever did before."""
        seat = Seat(self, asset)
        with self._lock:
            self._listeners[asset] = (seat, listener)
        return seat

    def get(self, asset: str) -> Listener | None:
        """Return who hears of an asset."""
        with self._lock:
            held = self._listeners.get(asset)
            return None if held is None else held[1]

    def leave(self, asset: str, seat: "Seat") -> None:
        """End a listener's hearing, unless its successor already sits there."""
        with self._lock:
            held = self._listeners.get(asset)
            if held is not None and held[0] is seat:
                del self._listeners[asset]


class Seat:
    """One listener's place."""

    def __init__(self, subscribers: "Subscribers[Listener]", asset: str) -> None:
        """Made by `Subscribers.add` alone."""
        self._subscribers = subscribers
        self._asset = asset

    def close(self) -> None:
        """Leave; may be called twice."""
        self._subscribers.leave(self._asset, self)


class NewsListener(Protocol):
    """Whom a matching engine's news are told."""

    def on_execution(self, execution: Execution) -> None:
        """Take an execution."""

    def on_order(self, update: OrderUpdate) -> None:
        """Take news of an order."""


def tell(listener: NewsListener | None, events: Iterable[Event]) -> None:
    """Tell what a matching engine has done; nobody where none listens."""
    if listener is None:
        return
    for event in events:
        if isinstance(event, Execution):
            listener.on_execution(event)
        else:
            listener.on_order(event)

"""The listeners of each asset's updates."""

import threading
from collections.abc import Iterable
from typing import Generic, Protocol, TypeVar

from domain.trading.matching import Event
from domain.trading.orders import OrderUpdate
from domain.trading.positions import Execution

Listener = TypeVar("Listener")


class Subscribers(Generic[Listener]):
    """At most one listener per asset: the newest incarnation's. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: dict[str, tuple[object, Listener]] = {}

    def add(self, asset: str, listener: Listener) -> "Seat":
        """Subscribe a listener to an asset, replacing the previous one."""
        seat = Seat(self, asset)
        with self._lock:
            self._listeners[asset] = (seat, listener)
        return seat

    def get(self, asset: str) -> Listener | None:
        with self._lock:
            held = self._listeners.get(asset)
            return None if held is None else held[1]

    def leave(self, asset: str, seat: "Seat") -> None:
        """Remove a listener, unless its successor has already replaced it."""
        with self._lock:
            held = self._listeners.get(asset)
            if held is not None and held[0] is seat:
                del self._listeners[asset]


class Seat:
    """The subscription of one listener."""

    def __init__(self, subscribers: "Subscribers[Listener]", asset: str) -> None:
        """Only `Subscribers.add` constructs it."""
        self._subscribers = subscribers
        self._asset = asset

    def close(self) -> None:
        """Unsubscribe; may be called twice."""
        self._subscribers.leave(self._asset, self)


class NewsListener(Protocol):
    """Receives the updates of a matching engine."""

    def on_execution(self, execution: Execution) -> None:
        """Take an execution."""

    def on_order(self, update: OrderUpdate) -> None:
        """Take an update of an order."""


def tell(listener: NewsListener | None, events: Iterable[Event]) -> None:
    """Report what a matching engine has done to the listener, if there is one."""
    if listener is None:
        return
    for event in events:
        if isinstance(event, Execution):
            listener.on_execution(event)
        else:
            listener.on_order(event)

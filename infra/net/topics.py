"""The wanted topics, independent of the connection."""

import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass


class Waker:
    """Wakes the stream's thread while it waits for bytes; thread-safe."""

    def __init__(self) -> None:
        """Construct a waker that is not open yet."""
        self._lock = threading.Lock()
        self._ends: tuple[socket.socket, socket.socket] | None = None

    def open(self) -> None:
        """Open its sockets."""
        with self._lock:
            self._ends = socket.socketpair()
            for end in self._ends:
                end.setblocking(False)

    def close(self) -> None:
        """Close its sockets."""
        with self._lock:
            for end in self._ends or ():
                end.close()
            self._ends = None

    def wake(self) -> None:
        """Wake the thread."""
        with self._lock:
            if self._ends is not None:
                with suppress(BlockingIOError):
                    self._ends[1].send(b"!")

    def receiver(self) -> socket.socket | None:
        """Return the socket that becomes readable on a wake; None while it is not open."""
        return None if self._ends is None else self._ends[0]

    def clear(self) -> None:
        """Drop the wakes so far."""
        receiver = self.receiver()
        if receiver is not None:
            with suppress(BlockingIOError):
                receiver.recv(4096)


@dataclass(slots=True, eq=False)
class TopicSubscription:
    """A wanted topic. Adding the topic again creates a new subscription."""

    down_since_s: float
    """Since when the topic has not been live, monotonic, while it is not."""
    silences: int = 0
    """How often in a row it fell silent while other topics were live."""


class TopicSubscriptions:
    """The wanted topics. Thread-safe."""

    def __init__(self, waker: Waker) -> None:
        """Start empty; each change wakes the stream."""
        self._lock = threading.Lock()
        self._waker = waker
        self._by_topic: dict[str, TopicSubscription] = {}

    def add(self, topic: str) -> None:
        """Add a topic; one that exists is added anew."""
        with self._lock:
            self._by_topic[topic] = TopicSubscription(time.monotonic())
        self._waker.wake()

    def remove(self, topic: str) -> None:
        with self._lock:
            self._by_topic.pop(topic, None)
        self._waker.wake()

    def now(self) -> dict[str, TopicSubscription]:
        """Return the wanted topics."""
        with self._lock:
            return dict(self._by_topic)

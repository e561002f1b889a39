"""The topics that are wanted, whatever the connection."""

import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass


class Waker:
    """Wakes the stream's thread out of its waiting for bytes; rung from any thread."""

    def __init__(self) -> None:
        """Make a bell that is not open yet."""
        self._lock = threading.Lock()
        self._ends: tuple[socket.socket, socket.socket] | None = None

    def open(self) -> None:
        """Let it be rung."""
        with self._lock:
            self._ends = socket.socketpair()
            for end in self._ends:
                end.setblocking(False)

    def close(self) -> None:
        """Let go of its sockets."""
        with self._lock:
            for end in self._ends or ():
                end.close()
            self._ends = None

    def ring(self) -> None:
        """Wake the thread."""
        with self._lock:
            if self._ends is not None:
                with suppress(BlockingIOError):
                    self._ends[1].send(b"!")

    def receiver(self) -> socket.socket | None:
        """Return what becomes readable when it rings; None while it is not open."""
        return None if self._ends is None else self._ends[0]

    def quiet(self) -> None:
        """Take the rings so far as heard."""
        receiver = self.receiver()
        if receiver is not None:
            with suppress(BlockingIOError):
                receiver.recv(4096)


@dataclass(slots=True, eq=False)
class TopicSubscription:
    """That a topic is wanted. Asking for it anew makes a new wish."""

    down_since_s: float
    """Monotonic time since when the topic does not flow, while it does not."""
    silences: int = 0
    """How often in a row it fell silent while other topics flowed."""


class TopicSubscriptions:
    """The wanted topics. Safe from any thread."""

    def __init__(self, bell: Waker) -> None:
        """Want nothing; each change rings the bell."""
        self._lock = threading.Lock()
        self._bell = bell
        self._by_topic: dict[str, TopicSubscription] = {}

    def add(self, topic: str) -> None:
        """Want a topic, anew where it was wanted."""
        with self._lock:
            self._by_topic[topic] = TopicSubscription(time.monotonic())
        self._bell.ring()

    def remove(self, topic: str) -> None:
        """Want a topic no longer."""
        with self._lock:
            self._by_topic.pop(topic, None)
        self._bell.ring()

    def now(self) -> dict[str, TopicSubscription]:
        """Return what is wanted."""
        with self._lock:
            return dict(self._by_topic)

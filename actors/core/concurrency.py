"""What the actors need from their environment: loops of their own, queues, and time.

In a process these are threads and the monotonic clock. A simulation runs both in one thread, in an
order that it chooses; no other file of the actors knows which of the two it runs on. Locks that are
held for only a few statements are real locks in both: nothing waits while holding one.
"""

import queue
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol


class Queue(Protocol):
    """First in, first out; put from anywhere."""

    def put(self, item: Any) -> None:
        """Add an item."""

    def get(self, *, timeout: float | None = None) -> Any:
        """Wait for the oldest item.

        Args:
            timeout: seconds; None: forever.

        Raises:
            queue.Empty: none came in time.
        """

    def empty(self) -> bool:
        """Tell whether the queue is empty."""


class Flag(Protocol):
    """An event that happens once."""

    def set(self) -> None:
        """Set the flag."""

    def is_set(self) -> bool:
        """Tell whether it is set."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set, for some seconds at most, and return whether it is."""


class Condition(AbstractContextManager[bool, bool | None], Protocol):
    """A condition variable; held while the state is checked."""

    def wait_for(self, predicate: Callable[[], bool], timeout: float | None = None) -> bool:
        """Wait until a predicate holds, for some seconds at most, and return whether it does."""

    def notify_all(self) -> None:
        """Wake all waiters, to check again."""


class Loop(Protocol):
    """A function that runs concurrently with its caller."""

    def is_alive(self) -> bool:
        """Tell whether it has not returned yet."""

    def join(self, timeout: float | None = None) -> None:
        """Wait until it has returned, for some seconds at most."""


class Concurrency(Protocol):
    """Runs the actors and their supervisor."""

    def now_s(self) -> float:
        """Return monotonic time, seconds."""

    def start(self, run: Callable[[], None], name: str) -> Loop:
        """Run a function concurrently; it does not keep the process alive."""

    def queue(self) -> Queue:
        """Return an empty queue."""

    def flag(self) -> Flag:
        """Return a new flag, not set."""

    def condition(self) -> Condition:
        """Return a new condition, not held."""


class Threads:
    """Real threads in real time."""

    def now_s(self) -> float:
        """Return monotonic time, seconds."""
        return time.monotonic()

    def start(self, run: Callable[[], None], name: str) -> Loop:
        """Run a function in a thread of its own."""
        thread = threading.Thread(target=run, name=name, daemon=True)
        thread.start()
        return thread

    def queue(self) -> Queue:
        return queue.SimpleQueue()

    def flag(self) -> Flag:
        """Return a new flag, not set."""
        return threading.Event()

    def condition(self) -> Condition:
        """Return a new condition, not held."""
        return threading.Condition()


THREADS = Threads()

"""What the actors need of whoever runs them: loops of their own, queues, and time.

In a process these are threads and the monotonic clock. A simulation plays both in one thread, in an
order that it chooses; no other file of the actors knows which of the two it runs on. What is held
for no longer than a few statements (locks) stays a lock in both: nobody waits while holding one.
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
            timeout: seconds; None: for ever.

        Raises:
            queue.Empty: none came in time.
        """

    def empty(self) -> bool:
        """Tell whether nothing waits."""


class Flag(Protocol):
    """Something that happens once."""

    def set(self) -> None:
        """Let it have happened."""

    def is_set(self) -> bool:
        """Tell whether it has."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it has, for some seconds at most, and return whether it has."""


class Condition(AbstractContextManager[bool, bool | None], Protocol):
    """Something that changes, and those who wait for it; held while it is looked at."""

    def wait_for(self, predicate: Callable[[], bool], timeout: float | None = None) -> bool:
        """Wait until a predicate holds, for some seconds at most, and return whether it does."""

    def notify_all(self) -> None:
        """Let those who wait look again."""


class Loop(Protocol):
    """A function that runs beside its caller."""

    def is_alive(self) -> bool:
        """Tell whether it has not returned yet."""

    def join(self, timeout: float | None = None) -> None:
        """Wait until it has returned, for some seconds at most."""


class Concurrency(Protocol):
    """Who runs the actors and their supervisor."""

    def now_s(self) -> float:
        """Return monotonic time, seconds."""

    def start(self, run: Callable[[], None], name: str) -> Loop:
        """Run a function beside the caller; it keeps no process alive."""

    def queue(self) -> Queue:
        """Return an empty queue."""

    def flag(self) -> Flag:
        """Return a flag that is not set."""

    def condition(self) -> Condition:
        """Return a condition that nobody holds."""


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
        """Return an empty queue."""
        return queue.SimpleQueue()

    def flag(self) -> Flag:
        """Return a flag that is not set."""
        return threading.Event()

    def condition(self) -> Condition:
        """Return a condition that nobody holds."""
        return threading.Condition()


THREADS = Threads()

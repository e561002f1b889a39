"""Counts the messages in transit, so that one can wait until nothing is left to do."""

import threading


class WorkCounter:
    """The number of messages sent and not yet completed.

    "Every mailbox is empty" would be wrong: a handler may still work, and may still send. A message
    counts from before it is put until what its handler sent has been put; a message that caused a
    crash counts until the actor is ready again or given up.
    """

    def __init__(self) -> None:
        """Start idle."""
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._count = 0

    def add(self, count: int = 1) -> None:
        """Count messages that are about to be put."""
        with self._lock:
            self._count += count

    def done(self, count: int = 1) -> None:
        """Count messages as done."""
        with self._lock:
            self._count -= count
            if not self._count:
                self._changed.notify_all()

    def wait_quiet(self, timeout_s: float) -> bool:
        """Wait until nothing is in transit; return False on timeout."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._count, timeout_s)

    @property
    def count(self) -> int:
        """Number of messages in transit."""
        return self._count

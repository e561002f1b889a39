"""How many requests were answered with which HTTP status."""

import threading
from collections import Counter


class Tally:
    """Counts in one thread, and is read in others."""

    def __init__(self) -> None:
        """Begin with none."""
        self._lock = threading.Lock()
        self._counts: Counter[int] = Counter()

    def add(self, status: int) -> None:
        """Count one more."""
        with self._lock:
            self._counts[status] += 1

    def counts(self) -> dict[int, int]:
        """Return how many there were, by status."""
        with self._lock:
            return dict(self._counts)

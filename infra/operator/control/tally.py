"""Counts answered requests by HTTP status."""

import threading
from collections import Counter


class Tally:
    """Counts in one thread, and can be read in others."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[int] = Counter()

    def add(self, status: int) -> None:
        """Count a request."""
        with self._lock:
            self._counts[status] += 1

    def counts(self) -> dict[int, int]:
        """Return the counts by status."""
        with self._lock:
            return dict(self._counts)

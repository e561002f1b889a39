"""Limits requests: so many a second from each caller."""

import time
from collections.abc import Callable, Hashable

_MOST_CALLERS = 1000
"""Most callers remembered; the one idle for longest is forgotten first, and starts afresh."""


class Bucket:
    """A token bucket: at most so many a second, and as many at once."""

    def __init__(self, per_second: int, now_s: Callable[[], float] = time.monotonic) -> None:
        """Start full."""
        self._per_second = per_second
        self._now_s = now_s
        self._left = float(per_second)
        self._seen_s = now_s()

    def take(self) -> bool:
        """Tell whether one more request is allowed."""
        now_s = self._now_s()
        gained = (now_s - self._seen_s) * self._per_second
        self._left, self._seen_s = min(float(self._per_second), self._left + gained), now_s
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


class Buckets:
    """A bucket for each caller."""

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._buckets: dict[Hashable, Bucket] = {}

    def take(self, caller: Hashable) -> bool:
        """Tell whether one more request of a caller is allowed."""
        bucket = self._buckets.pop(caller, None) or Bucket(self._per_second)
        self._buckets[caller] = bucket
        if len(self._buckets) > _MOST_CALLERS:
            del self._buckets[next(iter(self._buckets))]
        return bucket.take()

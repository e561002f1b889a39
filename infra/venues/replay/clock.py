"""A clock that stands still until the replay moves it."""

import heapq
import threading
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(order=True)
class ReplayTimer:
    """A pending call."""

    due_ms: int
    index: int
    call: Callable[[], None] | None = field(compare=False)

    def cancel(self) -> None:
        self.call = None


class ReplayClock:
    """The candles' time. Thread-safe; only the replay moves it."""

    def __init__(self, start_ms: int) -> None:
        self._now_ms = start_ms
        self._lock = threading.Lock()
        self._timers: list[ReplayTimer] = []
        self._made = 0

    def now_ms(self) -> int:
        """Return the present, ms since 1970 UTC."""
        return self._now_ms

    def call_at(self, due_ms: int, call: Callable[[], None]) -> ReplayTimer:
        """Call once when the clock reaches or passes a time."""
        with self._lock:
            self._made += 1
            timer = ReplayTimer(due_ms, self._made, call)
            heapq.heappush(self._timers, timer)
            return timer

    def step(self, to_ms: int) -> bool:
        """Move to the next call that is due and make it, or else to the given time.

        Returns:
            Whether a call was made; its consequences belong to its time, before the next step.
        """
        while (timer := self._next_due(to_ms)) is not None:
            if timer.call is not None:
                self._now_ms = max(self._now_ms, timer.due_ms)
                timer.call()
                return True
        self._now_ms = max(self._now_ms, to_ms)
        return False

    def _next_due(self, until_ms: int) -> ReplayTimer | None:
        with self._lock:
            if self._timers and self._timers[0].due_ms <= until_ms:
                return heapq.heappop(self._timers)
            return None

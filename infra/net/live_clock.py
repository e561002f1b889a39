"""The trading clock of a running market: the exchange's time, and calls scheduled on it."""

import heapq
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from loguru import logger

_LOOK_AGAIN_S = 0.5
"""Longest sleep: the exchange's time may be corrected while a call is pending."""


@dataclass(order=True)
class LiveTimer:
    """A pending call."""

    due_ms: int
    index: int
    call: Callable[[], None] | None = field(compare=False)

    def cancel(self) -> None:
        self.call = None


class LiveClock:
    """The exchange's time, with one thread that makes the calls when due."""

    def __init__(self, now_ms: Callable[[], int], *, speed: float = 1.0) -> None:
        """Start the thread.

        Args:
            now_ms: the exchange's time, ms since 1970 UTC.
            speed: how much faster than real time it runs; 1 except for simulations.
        """
        self.now_ms = now_ms
        self._speed = speed
        self._changed = threading.Condition()
        self._timers: list[LiveTimer] = []
        self._made = 0
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="clock", daemon=True)
        self._thread.start()

    def call_at(self, due_ms: int, call: Callable[[], None]) -> LiveTimer:
        """Call once when the clock has reached a time. The call must only tell."""
        with self._changed:
            self._made += 1
            timer = LiveTimer(due_ms, self._made, call)
            heapq.heappush(self._timers, timer)
            if self._timers[0] is timer:  # otherwise the thread waits for an earlier one
                self._changed.notify()
            return timer

    def close(self) -> None:
        """Cancel all calls."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join(5.0)

    def _run(self) -> None:
        while (timer := self._next_due()) is not None:
            call = timer.call
            try:
                if call is not None:
                    call()
            except Exception:  # noqa: BLE001 (one call must not end the others)
                logger.opt(exception=True).error("a timed call failed")

    def _next_due(self) -> LiveTimer | None:
        """Wait for the next call that is due; None once closed."""
        with self._changed:
            while not self._is_closed:
                if not self._timers:
                    self._changed.wait()
                    continue
                wait_s = (self._timers[0].due_ms - self.now_ms()) / 1000 / self._speed
                if wait_s <= 0:
                    return heapq.heappop(self._timers)
                self._changed.wait(min(wait_s, _LOOK_AGAIN_S))
            return None

"""The exchange's clock: running at a given speed, or standing still until told to jump."""

import time


def wall_ms() -> int:
    """Return this machine's time in ms since 1970 UTC."""
    return time.time_ns() // 1_000_000


class Clock:
    """The exchange's time in ms since 1970 UTC.

    With a speed it runs that many times faster than real time. Without one it is in lock-step: it
    stands still until `jump_to`.
    """

    def __init__(self, start_ms: int, speed: float | None) -> None:
        self.speed = speed
        self.offset_ms = 0
        """How far the time shown to clients is ahead of the true one: a fault."""
        self._start_ms = start_ms
        self._started_s = time.monotonic()

    @property
    def is_lockstep(self) -> bool:
        """Tell whether time stands still between two calls of `jump_to`."""
        return self.speed is None

    def now_ms(self) -> int:
        """Return the true time."""
        if self.speed is None:
            return self._start_ms
        elapsed_s = time.monotonic() - self._started_s
        return self._start_ms + int(elapsed_s * 1000 * self.speed)

    def told_ms(self) -> int:
        """Return the time shown to clients."""
        return self.now_ms() + self.offset_ms

    def real_s_until(self, time_ms: int) -> float:
        """Return the real seconds until a time; 0 if it is past."""
        if self.speed is None:
            return 0.0
        return max(0.0, (time_ms - self.now_ms()) / 1000 / self.speed)

    def jump_to(self, time_ms: int) -> None:
        """Set a lock-step clock to this time."""
        if self.speed is not None:
            raise ValueError(f"only a lock-step clock jumps, found one at speed {self.speed}")
        self._start_ms = time_ms

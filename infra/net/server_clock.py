"""The venue's time, measured by this machine."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

_S = 1000.0
_MAX_AGE_S = 300.0
"""When a measurement should be repeated."""
_DRIFT_MS_PER_S = 0.1
"""How fast a measurement ages; a quartz clock is far better, a busy virtual machine is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    base_ms: float
    """The venue's time at zero of our monotonic clock."""
    error_ms: float
    """Half of the round trip time."""
    at_s: float


class ServerClock:
    """The venue's time as our own monotonic clock plus a measured offset; thread-safe.

    It runs on monotonic time, so that a step of the machine's wall clock does not move it. Until
    the first measurement it shows the wall clock. A new measurement may set it back a little.
    """

    def __init__(
        self,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
        wall_s: Callable[[], float] = time.time,
        speed: float = 1.0,
    ) -> None:
        """Start on the wall clock.

        Args:
            monotonic_s: our clock for durations, seconds.
            wall_s: the machine's time, seconds since 1970 UTC.
            speed: how much faster than ours the venue's clock runs; 1 except for simulations.
        """
        self._monotonic_s = monotonic_s
        self._wall_s = wall_s
        self._lock = threading.Lock()
        self._measured: _Measured | None = None
        self._is_doubted = False
        self._ms_per_s = _S * speed
        self._unmeasured_base_ms = wall_s() * _S - monotonic_s() * self._ms_per_s
        self._speed = speed
        self._started_ms: tuple[float, float] | None = (0.0, 0.0) if speed == 1 else None
        """The venue's and the machine's time at the common starting point."""

    def now_ms(self) -> int:
        """Return the venue's time, ms since 1970 UTC."""
        with self._lock:
            measured = self._measured
        base_ms = self._unmeasured_base_ms if measured is None else measured.base_ms
        return int(base_ms + self._monotonic_s() * self._ms_per_s)

    def passing_in(self, real_ms: int) -> int:
        """Return how far the venue's time moves on in so much of ours, ms."""
        return int(real_ms * self._speed)

    def seconds_until(self, due_ms: int) -> float:
        """Return the seconds, by our clock, until a time of the venue."""
        return (due_ms - self.now_ms()) / self._ms_per_s

    def learn(self, *, asked_s: float, answered_s: float, server_ms: float) -> None:
        """Take a measurement; the more accurate one is kept, allowing for age.

        Args:
            asked_s: monotonic time before the request was sent.
            answered_s: monotonic time after the answer arrived.
            server_ms: the venue's time in the answer.
        """
        found = _Measured(
            base_ms=server_ms - (asked_s + answered_s) / 2 * self._ms_per_s,
            error_ms=(answered_s - asked_s) / 2 * self._ms_per_s,
            at_s=answered_s,
        )
        with self._lock:
            known = self._measured
            if self._started_ms is None:
                self._started_ms = server_ms, self._wall_ms_at((asked_s + answered_s) / 2)
            if known is None or self._is_doubted or found.error_ms <= _error_ms(known, answered_s):
                self._measured = found
            self._is_doubted = False

    def doubt(self) -> None:
        """Note that the venue rejected our time: the next measurement is used, however poor."""
        with self._lock:
            self._is_doubted = True

    @property
    def is_usable(self) -> bool:
        """Tell whether the time is measured and not in doubt."""
        with self._lock:
            return self._measured is not None and not self._is_doubted

    @property
    def is_fresh(self) -> bool:
        """Tell whether it is usable and need not be measured again yet."""
        with self._lock:
            measured, is_doubted = self._measured, self._is_doubted
        if measured is None or is_doubted:
            return False
        return self._monotonic_s() - measured.at_s < _MAX_AGE_S

    @property
    def offset_ms(self) -> int | None:
        """The venue's time minus the machine's wall clock; None until measured.

        At a speed other than 1: how far they have drifted apart since the first measurement.
        """
        with self._lock:
            started_ms = self._started_ms
            if self._measured is None or started_ms is None:
                return None
        venue_ms = (self.now_ms() - started_ms[0]) / self._speed
        return round(venue_ms - (self._wall_s() * _S - started_ms[1]))

    @property
    def error_ms(self) -> float | None:
        """The possible error; None until measured."""
        with self._lock:
            measured = self._measured
        return None if measured is None else _error_ms(measured, self._monotonic_s())

    def _wall_ms_at(self, monotonic_s: float) -> float:
        return (self._wall_s() - self._monotonic_s() + monotonic_s) * _S


def _error_ms(measured: _Measured, now_s: float) -> float:
    return measured.error_ms + (now_s - measured.at_s) * _DRIFT_MS_PER_S

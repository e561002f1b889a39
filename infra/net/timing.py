"""Time limits of a stream, and the clock they are measured by."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamTiming:
    """Time limits of a stream, in monotonic time."""

    backoff_initial_s: float = 0.25
    """Longest wait after the first failure; it doubles with each further one."""
    backoff_max_s: float = 30.0
    backoff_jitter_fraction: float = 0.5
    """Each wait is cut by a random part of up to this fraction."""
    stable_s: float = 30.0
    """A connection that lasted this long resets the back-off."""
    slow_retry_s: float = 60.0
    """Wait after refused credentials, and for a refused topic."""
    banned_s: float = 600.0
    """Wait after HTTP 403, with which the venue bans an address."""
    connect_s: float = 10.0
    """Longest silence while connecting, shaking hands, or inside a frame."""
    answer_s: float = 10.0
    """Longest wait for the answer to auth, subscribe or ping."""
    ping_s: float = 20.0
    tick_s: float = 0.5
    """How often the thread checks the time."""
    stale_s: Mapping[str, float] = field(default_factory=lambda: {"kline": 90.0, "tickers": 60.0})
    """Longest silence of a topic, by the topic's first part. A class not named here may rightly be
    silent: it is proven by the subscription's acknowledgement and by pongs."""
    max_message_bytes: int = 4_000_000

    def patience_s(self, topic: str) -> float | None:
        """Return how long a topic may be silent; None: forever."""
        return self.stale_s.get(topic.partition(".")[0])


class ListeningClock:
    """Monotonic time, excluding periods in which the stream's thread did not listen.

    So a slow callback, or a suspended machine, cannot be mistaken for a slow venue.
    """

    def __init__(self, tick_s: float) -> None:
        """Expect a tick every so many seconds."""
        self._tick_s = tick_s
        self._excused_s = 0.0
        self._ticked_s = time.monotonic()

    def now_s(self) -> float:
        """Return this clock's time, seconds."""
        return self.real_s() - self._excused_s

    @staticmethod
    def real_s() -> float:
        """Return plain monotonic time."""
        return time.monotonic()

    def real_s_of(self, now_s: float) -> float:
        """Return the monotonic time for a time of this clock."""
        return now_s + self._excused_s

    def start(self) -> None:
        """Start expecting ticks."""
        self._ticked_s = self.real_s()

    def tick(self, real_s: float) -> None:
        """Note that the thread is listening; the time by which a tick was late is excluded."""
        self._excused_s += max(0.0, real_s - self._ticked_s - self._tick_s)
        self._ticked_s = real_s

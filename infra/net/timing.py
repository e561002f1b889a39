"""How patient a stream is, and the clock that its patience runs on."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamTiming:
    """How patient a stream is. All of it runs on monotonic time."""

    backoff_initial_s: float = 0.25
    """Longest wait after the first failure; it doubles with each further one."""
    backoff_max_s: float = 30.0
    backoff_jitter_fraction: float = 0.5
    """Each wait is cut by a random part of up to this fraction."""
    stable_s: float = 30.0
    """A connection that held as long lets the back-off begin anew."""
    slow_retry_s: float = 60.0
    """Wait after refused credentials, and for a refused topic."""
    banned_s: float = 600.0
    """Wait after HTTP 403, by which the venue bans an address."""
    connect_s: float = 10.0
    """Longest silence while connecting, shaking hands, or inside a frame."""
    answer_s: float = 10.0
    """Longest wait for the answer to auth, subscribe or ping."""
    ping_s: float = 20.0
    tick_s: float = 0.5
    """How often the thread looks at the time."""
    stale_s: Mapping[str, float] = field(default_factory=lambda: {"kline": 90.0, "tickers": 60.0})
    """Longest silence of a topic, by the topic's first word. A class that is not named here may
    rightly be silent: it is proven by the subscription's acknowledgement and by pongs."""
    max_message_bytes: int = 4_000_000

    def patience_s(self, topic: str) -> float | None:
        """Return for how long a topic may be silent; None where it may be for ever."""
        return self.stale_s.get(topic.partition(".")[0])


class ListeningClock:
    """Monotonic time without the time in which the stream's thread did not listen.

    So a slow callback, or a machine that slept, cannot be mistaken for a slow venue.
    """

    def __init__(self, tick_s: float) -> None:
        """Expect a tick each so many seconds."""
        self._tick_s = tick_s
        self._excused_s = 0.0
        self._ticked_s = time.monotonic()

    def now_s(self) -> float:
        """Return this clock's time."""
        return self.real_s() - self._excused_s

    @staticmethod
    def real_s() -> float:
        """Return plain monotonic time."""
        return time.monotonic()

    def real_s_of(self, now_s: float) -> float:
        """Return the monotonic time of a time of this clock."""
        return now_s + self._excused_s

    def start(self) -> None:
        """Begin to expect ticks."""
        self._ticked_s = self.real_s()

    def tick(self, real_s: float) -> None:
        """Note that the thread listens; a tick that came late is excused."""
        self._excused_s += max(0.0, real_s - self._ticked_s - self._tick_s)
        self._ticked_s = real_s

"""Stops a strategy that never returns, and reports the close at which it hung."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from domain.strategies.contract import show_close

LIMIT_S = 10.0
"""Limit of computing time for a strategy's answer to one close."""
_PER_CANDLE_S = 0.001
"""Additional limit for each candle that is folded at once."""
_AGAIN_S = 1.0
"""Pause before the next attempt if the strategy has swallowed the exception."""


class EndlessError(BaseException):
    """A strategy has not answered; not an `Exception`, so that its own handlers do not catch it."""


class EndlessWatch:
    """Measures the computing time of a strategy; other load of the machine does not count."""

    def __init__(self, limit_s: float = LIMIT_S) -> None:
        """Set the limit; nothing is watched yet.

        Args:
            limit_s: of computing time, for the answer to one close.
        """
        self._limit_s = limit_s
        self._is_watching = False
        self.asset = ""
        """Asset whose strategy was called last."""
        self._t_ms = 0

    def on_close(self, asset: str, t_ms: int, candles: int) -> None:
        """Note the next call, for one candle or several at once."""
        self.asset, self._t_ms = asset, t_ms
        if self._is_watching:
            limit_s = self._limit_s + candles * _PER_CANDLE_S
            signal.setitimer(signal.ITIMER_VIRTUAL, limit_s, _AGAIN_S)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Raise EndlessError inside the block if an answer takes too long; main thread only."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGVTALRM, self._end)
        self._is_watching = True
        try:
            yield
        finally:
            self._is_watching = False
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.signal(signal.SIGVTALRM, before)

    def _end(self, _signal: int, _frame: FrameType | None) -> None:
        raise EndlessError(
            f"no answer in {self._limit_s:g} s of computing at the close of "
            f"{show_close(self._t_ms)}; a loop without end?"
        )

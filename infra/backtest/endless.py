"""Ends a strategy that computes without end, and tells at which close it did."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from domain.strategies.contract import show_close

LIMIT_S = 10.0
"""Of computing, for what a strategy says of one close."""
_PER_CANDLE_S = 0.001
"""More for each candle that is folded at once."""
_AGAIN_S = 1.0
"""Until the next try where the strategy has swallowed what should have ended it."""


class EndlessError(BaseException):
    """A strategy has not answered; no `Exception`, so that its own handlers let it pass."""


class EndlessWatch:
    """Measures what a strategy computes; what else the machine does does not count."""

    def __init__(self, limit_s: float = LIMIT_S) -> None:
        """Watch nothing yet.

        Args:
            limit_s: of computing, for what is said of one close.
        """
        self._limit_s = limit_s
        self._is_watching = False
        self.asset = ""
        """Whose strategy was asked last."""
        self._t_ms = 0

    def on_close(self, asset: str, t_ms: int, candles: int) -> None:
        """Take note of what is asked next, of one candle or of several at once."""
        self.asset, self._t_ms = asset, t_ms
        if self._is_watching:
            limit_s = self._limit_s + candles * _PER_CANDLE_S
            signal.setitimer(signal.ITIMER_VIRTUAL, limit_s, _AGAIN_S)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Raise EndlessError in here where an answer takes longer; in the main thread alone."""
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

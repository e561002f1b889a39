"""Averages, volatility and correlation of closes: float64, causal, O(1) per candle.

The same closes always give the same bits, whether they are folded one by one (a running actor) or
all at once (an actor that restarts): a restart must not change a single decision.
"""

import math
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def ema_alpha(period: int) -> float:
    """Return the weight of the newest close in an average of `period` candles."""
    return 2.0 / (period + 1)


def ema_next(value: float, close: float, alpha: float) -> float:
    """Return the average after one more close."""
    return value + alpha * (close - value)


def ema_series(closes: Sequence[float], period: int) -> list[float]:
    """Return the average after each close, seeded with the first one.

    Args:
        closes: (n,) python floats, quote per base, oldest first.
        period: candles, >= 1.

    Returns:
        (n,) python floats, the same bits as `ema_next` gives one by one.
    """
    alpha = ema_alpha(period)
    return list(accumulate(closes, lambda value, close: value + alpha * (close - value)))


class CloseWindow:
    """The newest closes of one asset, enough for `returns` log returns."""

    __slots__ = ("_closes", "_full")

    def __init__(self, returns: int, closes: Iterable[float] = ()) -> None:
        """Keep the last `returns` + 1 closes."""
        self._full = returns + 1
        self._closes: deque[float] = deque(closes, maxlen=self._full)

    def append(self, close: float) -> None:
        """Add the newest close."""
        self._closes.append(close)

    def log_returns(self) -> Array | None:
        """Return the (n,) log returns, oldest first; None while fewer than n are known."""
        if len(self._closes) < self._full:
            return None
        returns: Array = np.diff(np.log(np.array(self._closes)))
        return returns


def volatility(returns: Array) -> float:
    """Return the sample standard deviation of (n,) log returns, n >= 2."""
    off = returns - np.add.reduce(returns) / len(returns)
    return math.sqrt(float(np.add.reduce(off * off)) / (len(returns) - 1))


def correlation(left: Array | None, right: Array | None) -> float | None:
    """Return Pearson's correlation of two (n,) series, in [-1, 1].

    Returns:
        None if it is not defined: a series is missing or does not vary.
    """
    if left is None or right is None:
        return None
    count = len(left)
    left_off = left - np.add.reduce(left) / count
    right_off = right - np.add.reduce(right) / count
    # Sums of products, not a dot product: BLAS may sum in another order from run to run.
    left_sum = float(np.add.reduce(left_off * left_off))
    right_sum = float(np.add.reduce(right_off * right_off))
    if left_sum <= 0.0 or right_sum <= 0.0:
        return None
    found = float(np.add.reduce(left_off * right_off)) / math.sqrt(left_sum * right_sum)
    return max(-1.0, min(1.0, found))


class Rsi:
    """The fold of Wilder's relative strength index.

    Source: Wilder, New Concepts in Technical Trading Systems (1978). The first averages are plain
    means of `period` changes; from then on each is (avg * (period - 1) + x) / period.
    """

    __slots__ = ("_changes", "_close", "_gain", "_loss", "_period")

    def __init__(self, period: int) -> None:
        """Start before the first close; `period` in candles."""
        self._period = period
        self._changes = 0
        self._close: float | None = None
        self._gain = self._loss = 0.0
        """Sums until `period` changes are known, then averages, quote."""

    def apply(self, close: float) -> None:
        """Fold one more close."""
        before, self._close = self._close, close
        if before is None:
            return
        change, period = close - before, self._period
        gain, loss = max(change, 0.0), max(-change, 0.0)
        self._changes += 1
        if self._changes <= period:
            self._gain += gain
            self._loss += loss
            if self._changes == period:
                self._gain /= period
                self._loss /= period
            return
        self._gain = (self._gain * (period - 1) + gain) / period
        self._loss = (self._loss * (period - 1) + loss) / period

    @property
    def value(self) -> float | None:
        """The index, 0 to 100; None before `period` changes are known."""
        if self._changes < self._period:
            return None
        if self._loss == 0:
            return 100.0 if self._gain > 0 else 50.0
        return 100.0 - 100.0 / (1.0 + self._gain / self._loss)

"""Averages, volatility and correlation of closes: float64, causal, O(1) per candle.

The same closes always give the same bits, whether they are folded one by one (a running actor) or
all at once (an actor that restarts): a restart must not change a single decision.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
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

    __slots__ = ("_closes", "_end", "_full")

    def __init__(self, returns: int, closes: Sequence[float] = ()) -> None:
        """Keep the last `returns` + 1 closes."""
        self._full = returns + 1
        newest = closes[-self._full :]
        self._closes = np.empty(2 * self._full)
        """The newest ones end before `_end`; with room for more, so that few are ever moved."""
        self._end = len(newest)
        self._closes[: self._end] = newest

    def append(self, close: float) -> None:
        """Add the newest close."""
        if self._end == len(self._closes):
            self._closes[: self._full] = self._closes[self._full :]
            self._end = self._full
        self._closes[self._end] = close
        self._end += 1

    def log_returns(self) -> Array | None:
        """Return the (n,) log returns, oldest first; None while fewer than n are known."""
        if self._end < self._full:
            return None
        logs = np.log(self._closes[self._end - self._full : self._end])
        returns: Array = logs[1:] - logs[:-1]
        return returns


def volatility(returns: Array) -> float:
    """Return the sample standard deviation of (n,) log returns, n >= 2."""
    off = returns - np.add.reduce(returns) / len(returns)
    return math.sqrt(float(np.add.reduce(off * off)) / (len(returns) - 1))


@dataclass(frozen=True, slots=True)
class Deviations:
    """One series' part of its correlations with others."""

    values: Array
    """(n,) the series without its mean."""
    square_sum: float


def deviations(series: Array) -> Deviations:
    """Return the deviations of an (n,) series from its mean."""
    values = series - np.add.reduce(series) / len(series)
    return Deviations(values, float(np.add.reduce(values * values)))


def correlation(left: Deviations | None, right: Deviations | None) -> float | None:
    """Return Pearson's correlation of two series of n values, in [-1, 1].

    Returns:
        None if it is not defined: a series is missing or does not vary.
    """
    if left is None or right is None or left.square_sum <= 0.0 or right.square_sum <= 0.0:
        return None
    # A sum of products, not a dot product: BLAS may sum in another order from run to run.
    products = float(np.add.reduce(left.values * right.values))
    found = products / math.sqrt(left.square_sum * right.square_sum)
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

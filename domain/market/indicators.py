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
        None where it cannot be judged: a series is missing or does not vary.
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

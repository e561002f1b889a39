"""Confirmations and triggers over a whole history, computed at once."""

from collections.abc import Collection
from itertools import accumulate

import numpy as np

from domain.market.averages import ema_arrays
from domain.market.indicators import Array
from domain.strategies.base import CandleRules, Parameters
from domain.strategies.confirmed_trend_rules import ConfirmedTrendRules
from domain.strategies.history import Closes, History, Line, entries_after

_FORGETS = 60
"""Length of a chunk in periods: after as many an average has the same bits wherever it began."""
_CHUNKS = 16
"""With fewer, folding in python is quicker."""


class ConfirmedTrendHistory(History):
    """What `ConfirmedTrendLong` gives at every close."""

    @staticmethod
    def periods(parameters: Parameters) -> Collection[int]:
        """Return the periods of trigger, trend and MACD line."""
        rules = ConfirmedTrendRules.read(parameters)
        return (
            rules.ema_trigger_period,
            rules.ema_trend_period,
            rules.macd_fast_period,
            rules.macd_slow_period,
        )

    def __init__(self, closes: Closes, parameters: Parameters, candles: CandleRules) -> None:
        """Compute everything."""
        self._rules = rules = ConfirmedTrendRules.read(parameters)
        self.close = close = closes.series.close
        self.trigger = closes.average(rules.ema_trigger_period)
        self.trend = closes.average(rules.ema_trend_period)
        self._compute_oscillators(closes)
        self.is_active = self._confirmations() >= rules.entry_confirmation_level
        self.is_active[: candles.warmup_candles] = False
        crossed = (close[:-1] < self.trigger[:-1]) & (close[1:] > self.trigger[1:])
        triggers = 1 + np.flatnonzero(crossed)
        self.entries, self.origins = entries_after(
            triggers[triggers >= candles.warmup_candles],
            self.is_active,
            rules.max_entry_wait_candles,
        )

    def strength(self, index: int) -> float:
        """Return how far the close lies above the trend average, a fraction of it."""
        close, trend = float(self.close[index]), float(self.trend[index])
        return (close - trend) / trend

    def lines(self) -> list[Line]:
        """Return the averages, MACD, RSI and the number of confirmations."""
        rules = self._rules
        trigger, trend = rules.ema_trigger_period, rules.ema_trend_period
        confirmations = self._confirmations().astype(np.float64)
        plain = {
            ("macd", "MACD"): self._macd,
            ("macd_signal", "MACD signal"): self._macd_signal,
            ("rsi", f"RSI {rules.rsi_period}"): self._rsi,
            ("confirmations", "confirmations"): confirmations,
            ("confidence", "confidence"): confirmations / 3,
        }
        return [
            Line(name="ema_trigger", label=f"EMA {trigger}", figures=self.trigger),
            Line(name="ema_trend", label=f"EMA {trend}", figures=self.trend),
            *(
                Line(name=name, label=label, figures=figures, is_price=False)
                for (name, label), figures in plain.items()
            ),
        ]

    def _compute_oscillators(self, closes: Closes) -> None:
        rules = self._rules
        fast, slow, signal = (
            rules.macd_fast_period,
            rules.macd_slow_period,
            rules.macd_signal_period,
        )
        self._macd = line = closes.computed(
            ("macd", fast, slow), lambda: closes.average(fast) - closes.average(slow)
        )
        self._macd_signal = closes.computed(
            ("macd signal", fast, slow, signal), lambda: ema_arrays([(line, signal)])[0]
        )
        self._rsi = closes.computed(
            ("rsi", rules.rsi_period), lambda: rsi_array(self.close, rules.rsi_period)
        )

    def _confirmations(self) -> "np.ndarray[tuple[int], np.dtype[np.int8]]":
        agree = (self.close > self.trend).astype(np.int8)
        agree += self._macd > self._macd_signal
        agree += self._rsi > self._rules.rsi_level
        return agree


def rsi_array(closes: Array, period: int) -> Array:
    """Return the index after each of (n,) closes, bit for bit as `Rsi`; NaN before the first."""
    found = np.full(len(closes), np.nan)
    if len(closes) <= period:
        return found
    change = np.diff(closes)
    gain = _wilder(np.maximum(change, 0.0), period)
    loss = _wilder(np.maximum(-change, 0.0), period)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = 100.0 - 100.0 / (1.0 + gain / loss)
    found[period:] = np.where(loss == 0.0, np.where(gain > 0.0, 100.0, 50.0), value)
    return found


def _wilder(values: Array, period: int) -> Array:
    """Return the (n - period + 1,) averages, from that of the first `period` values on."""
    *_, total = accumulate(values[:period].tolist(), initial=0.0)
    begun, rest = np.array([total / period]), values[period:]
    length = _FORGETS * period
    count = len(rest) // length
    if count >= _CHUNKS:
        rows = np.ascontiguousarray(rest[: count * length].reshape(count, length).T)
        begun = np.concatenate([begun, _folded(rows, total / period, period)])
        rest = rest[count * length :]
    kept, start = period - 1, float(begun[-1])
    ended = accumulate(rest.tolist(), lambda mean, x: (mean * kept + x) / period, initial=start)
    return np.concatenate([begun[:-1], list(ended)])


def _folded(rows: Array, start: float, period: int) -> Array:
    """Return the averages of (length, chunks) values: chunks are columns, each follows the last.

    As in `domain.market.averages`: the chunks are folded side by side until each began where the
    one before it ended.
    """
    starts, out = np.zeros(rows.shape[1]), np.empty_like(rows)
    starts[0] = start
    while True:
        mean = starts
        for row, found in zip(rows, out, strict=True):
            mean = np.multiply(mean, period - 1, out=found)
            mean += row
            mean /= period
        if np.array_equal(starts[1:], out[-1, :-1]):
            return out.T.reshape(-1)
        starts[1:] = out[-1, :-1]

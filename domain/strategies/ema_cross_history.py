"""Regime and crosses of the short system over a whole history, computed at once."""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from domain.market.indicators import Array
from domain.market.instruments import DAY_MS
from domain.strategies.base import CandleRules, Parameters
from domain.strategies.ema_cross_rules import CrossKind, EmaCrossRules
from domain.strategies.history import Closes, History, Indices, Line, entries_after


class EmaCrossHistory(History):
    """What `EmaCrossShort` gives at every close."""

    @staticmethod
    def periods(parameters: Parameters) -> Collection[int]:
        """Return the periods of both averages."""
        rules = EmaCrossRules.read(parameters)
        return rules.ema_short_period, rules.ema_long_period

    def __init__(self, closes: Closes, parameters: Parameters, candles: CandleRules) -> None:
        """Compute everything."""
        self._rules, self._candles = EmaCrossRules.read(parameters), candles
        self.close = closes.series.close
        self.ema_short = closes.average(self._rules.ema_short_period)
        self.ema_long = closes.average(self._rules.ema_long_period)
        self._first_close_ms = int(closes.series.open_time_ms[0]) + candles.candle_ms
        self.is_active = (
            (self.close < self.ema_short)
            & (self.close < self.ema_long)
            & (self.ema_short < self.ema_long)
        )
        self.is_active[: candles.warmup_candles] = False
        made = cross_counts(
            self._rules, candles.warmup_candles, self.close, self.ema_short, self.ema_long
        )
        self.crosses: Indices = np.flatnonzero(made)
        """(m,) indices of the closes with crosses that can open a position."""
        self._made = made[self.crosses].astype(np.int64)
        self._count_today = self._counts_of_day(self._made)
        self._end_days_of_too_many()
        self.entries, self.origins = self._entries()

    def strength(self, index: int) -> float:
        """Return how far the close lies below the long average, a fraction of it."""
        close, long = float(self.close[index]), float(self.ema_long[index])
        return (long - close) / long

    def lines(self) -> list[Line]:
        """Return both averages, the crosses of the day and the newest signal's confidence."""
        rules = self._rules
        short, long = rules.ema_short_period, rules.ema_long_period
        return [
            Line(name="ema_short", label=f"EMA {short}", figures=self.ema_short),
            Line(name="ema_long", label=f"EMA {long}", figures=self.ema_long),
            Line(
                name="crosses_today",
                label="crosses today",
                figures=self.crosses_today().astype(np.float64),
                is_price=False,
            ),
            Line(
                name="confidence",
                label="signal confidence",
                figures=self._confidence(),
                is_price=False,
            ),
        ]

    def _confidence(self) -> Array:
        """Return the newest signal's share of the crosses that can open a position; (n,)."""
        newest, known = self._newest_crosses()
        found = np.full(len(self.close), np.nan)
        found[known] = self._made[newest[known]] / len(self._rules.entry_crosses)
        return found

    def _newest_crosses(self) -> tuple[Indices, NDArray[np.bool_]]:
        """Return the newest of `crosses` up to each of (n,) closes, and whether there is one."""
        newest = np.searchsorted(self.crosses, np.arange(len(self.close)), side="right") - 1
        return newest, newest >= 0

    def crosses_today(self) -> Indices:
        """Return the (n,) count of the day up to each close, its own crosses included (2.3)."""
        newest, known = self._newest_crosses()
        found = np.zeros(len(self.close), dtype=np.int64)
        cross = self.crosses[newest[known]]
        is_same_day = self._days(cross) == self._days(np.flatnonzero(known))
        found[known] = np.where(is_same_day, self._count_today[newest[known]], 0)
        return found

    def _days(self, indices: Indices) -> Indices:
        days: Indices = (self._first_close_ms + indices * self._candles.candle_ms) // DAY_MS
        return days

    def _counts_of_day(self, counts: Indices) -> Indices:
        """Return, for each close with crosses, the day's count with them (2.3)."""
        so_far, days = np.cumsum(counts), self._days(self.crosses)
        firsts = np.searchsorted(days, days)
        found: Indices = so_far - (so_far - counts)[firsts]
        return found

    def _end_of_day(self, index: int) -> int:
        """Return the index of the next day's first close."""
        candle_ms = self._candles.candle_ms
        midnight_ms = ((self._first_close_ms + index * candle_ms) // DAY_MS + 1) * DAY_MS
        return -((self._first_close_ms - midnight_ms) // candle_ms)

    def _end_days_of_too_many(self) -> None:
        # From the first cross above the limit on, the rest of its day is inactive (3.2).
        for index in self.crosses[self._count_today > self._rules.cross_threshold].tolist():
            self.is_active[index : self._end_of_day(index)] = False

    def _entries(self) -> tuple[Sequence[int], Sequence[int]]:
        may_enter = self.is_active.copy()
        # From the cross that reaches the limit on, the rest of the day opens nothing (4.6).
        for index in self.crosses[self._count_today >= self._rules.cross_threshold].tolist():
            may_enter[index : self._end_of_day(index)] = False
        longest = self._rules.entry_window_ms // self._candles.candle_ms
        return entries_after(self.crosses, may_enter, longest)


def cross_counts(
    rules: EmaCrossRules, warmup_candles: int, close: Array, short: Array, long: Array
) -> NDArray[np.int8]:
    """Return how many crosses that can open a position each of (n,) closes made."""
    pairs = {
        CrossKind.PRICE_BELOW_SHORT: (close, short),
        CrossKind.PRICE_BELOW_LONG: (close, long),
        CrossKind.SHORT_BELOW_LONG: (short, long),
    }
    made = np.zeros(len(close), dtype=np.int8)
    for kind in rules.entry_crosses:
        upper, lower = pairs[kind]
        made[1:] += (upper[:-1] > lower[:-1]) & (upper[1:] < lower[1:])
    made[:warmup_candles] = 0
    return made

"""One asset's regime, and the closes at which it may wish to enter, over its whole history.

The same as `Signals` and `AssetState` say close by close, as far as no position, no cooldown and
no earlier use of a cross matter.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from domain.backtesting.market import AssetMarket
from domain.market.instruments import DAY_MS, utc_day
from domain.strategies.base import CandleRules, Value
from domain.strategies.ema_cross_short import CrossKind, EmaCrossRules

Places = NDArray[np.int64]


class AssetSignals:
    """What the candles alone say. Places count the asset's own closes, from 0."""

    def __init__(self, market: AssetMarket, rules: EmaCrossRules, candles: CandleRules) -> None:
        """Compute everything; the market must be prepared for both averages."""
        self.close = market.series.close
        self.ema_short = market.average(rules.ema_short_period)
        self.ema_long = market.average(rules.ema_long_period)
        self._first_close_ms = int(market.series.open_time_ms[0]) + candles.candle_ms
        self._rules, self._candles = rules, candles
        self.is_active = (
            (self.close < self.ema_short)
            & (self.close < self.ema_long)
            & (self.ema_short < self.ema_long)
        )
        """(n,) regime ACTIVE (3.3), cooldowns left out."""
        self.is_active[: candles.warmup_candles] = False
        self.crosses, self._counts = self._crosses()
        """(m,) places of the closes with crosses that can open a position."""
        self._cross_places: list[int] = self.crosses.tolist()
        self._count_today = self._counts_of_day()
        self._end_days_of_too_many()
        self._ends = self._ends_of_activity()
        self.signals, self.wish_crosses = self._signals()
        """Places of the closes at which a flat asset may wish to enter, and of their crosses."""

    def end_of_activity(self, place: int) -> int:
        """Return the first close after an active one that is not active; n where none is."""
        at = bisect_right(self._ends, place)
        return self._ends[at] if at < len(self._ends) else len(self.close)

    def signal_at(self, place: int) -> int | None:
        """Return the place of the cross that a wish at this close would use."""
        at = bisect_left(self.signals, place)
        found = at < len(self.signals) and self.signals[at] == place
        return self.wish_crosses[at] if found else None

    def first_signal(self, first: int, used_cross: int) -> int | None:
        """Return the first wish from a place on that uses a later cross than one used."""
        at = max(bisect_left(self.signals, first), bisect_right(self.wish_crosses, used_cross))
        return self.signals[at] if at < len(self.signals) else None

    def crosses_today(self, place: int) -> int:
        """Return the count of the day up to a close, its own crosses included (2.3)."""
        at = bisect_right(self._cross_places, place) - 1
        if at < 0 or self._day(self._cross_places[at]) != self._day(place):
            return 0
        return int(self._count_today[at])

    def lines(self) -> list[tuple[str, NDArray[np.float64]]]:
        """Return the averages as lines to be drawn: name and (n,) values."""
        rules = self._rules
        return [
            (f"EMA {rules.ema_short_period}", self.ema_short),
            (f"EMA {rules.ema_long_period}", self.ema_long),
        ]

    def values(self, place: int) -> tuple[Value, ...]:
        """Return the figures of a close, as the strategy names them."""
        rules = self._rules
        return (
            Value(
                name="ema_short",
                label=f"EMA {rules.ema_short_period}",
                figure=float(self.ema_short[place]),
            ),
            Value(
                name="ema_long",
                label=f"EMA {rules.ema_long_period}",
                figure=float(self.ema_long[place]),
            ),
            Value(
                name="crosses_today",
                label="crosses today",
                figure=self.crosses_today(place),
                is_price=False,
            ),
        )

    def wishes_between(self, first: int, end: int, used_cross: int) -> range:
        """Return which of the wishes lie in [first, end) and use a later cross than one used."""
        begin = max(bisect_left(self.signals, first), bisect_right(self.wish_crosses, used_cross))
        return range(begin, max(begin, bisect_left(self.signals, end)))

    def _crosses(self) -> tuple[Places, Places]:
        places = [self._crosses_of(kind) for kind in self._rules.entry_crosses]
        every = np.concatenate(places) if places else np.zeros(0, dtype=np.int64)
        found, counts = np.unique(every[every >= self._candles.warmup_candles], return_counts=True)
        return found, counts

    def _crosses_of(self, kind: CrossKind) -> Places:
        upper, lower = {
            CrossKind.PRICE_BELOW_SHORT: (self.close, self.ema_short),
            CrossKind.PRICE_BELOW_LONG: (self.close, self.ema_long),
            CrossKind.SHORT_BELOW_LONG: (self.ema_short, self.ema_long),
        }[kind]
        return 1 + np.flatnonzero((upper[:-1] > lower[:-1]) & (upper[1:] < lower[1:]))

    def _day(self, place: int) -> int:
        return utc_day(self._first_close_ms + place * self._candles.candle_ms)

    def _days(self, places: Places) -> Places:
        days: Places = (self._first_close_ms + places * self._candles.candle_ms) // DAY_MS
        return days

    def _counts_of_day(self) -> Places:
        """Return, for each close with crosses, the day's count with them (2.3)."""
        so_far, days = np.cumsum(self._counts), self._days(self.crosses)
        firsts = np.searchsorted(days, days)
        return so_far - (so_far - self._counts)[firsts]

    def _end_days_of_too_many(self) -> None:
        # From the cross that is too many on, the rest of its day is inactive (3.2).
        for place in self.crosses[self._count_today > self._rules.cross_threshold].tolist():
            midnight_ms = (self._day(place) + 1) * DAY_MS
            end = -((self._first_close_ms - midnight_ms) // self._candles.candle_ms)
            self.is_active[place:end] = False

    def _ends_of_activity(self) -> list[int]:
        ends: list[int] = (1 + np.flatnonzero(self.is_active[:-1] & ~self.is_active[1:])).tolist()
        return ends

    def _signals(self) -> tuple[list[int], list[int]]:
        rules = self._rules
        longest = rules.entry_window_ms // self._candles.candle_ms
        # A cross is the newest one until the next.
        until = np.append(self.crosses[1:], len(self.close))
        found = [np.zeros(0, dtype=np.int64)]
        crosses = [np.zeros(0, dtype=np.int64)]
        for age in range(longest + 1):
            at = self.crosses + age
            is_signal = at < until
            is_signal[is_signal] = self.is_active[at[is_signal]]
            # At a close of the next day the cross counts no more.
            is_same_day = self._days(at) == self._days(self.crosses)
            is_signal &= np.where(is_same_day, self._count_today, 0) < rules.cross_threshold
            found.append(at[is_signal])
            crosses.append(self.crosses[is_signal])
        order = np.argsort(places := np.concatenate(found), kind="stable")
        return places[order].tolist(), np.concatenate(crosses)[order].tolist()


def funding_places(market: AssetMarket, interval_ms: int) -> list[int]:
    """Return the places of the candles that open at a settlement, in order."""
    return sorted(set(_funding_places(market, interval_ms)))


def _funding_places(market: AssetMarket, interval_ms: int) -> Iterator[int]:
    series = market.series
    first_ms, last_ms = int(series.open_time_ms[0]), int(series.open_time_ms[-1])
    history = series.funding
    times = [*range(-(-first_ms // interval_ms) * interval_ms, last_ms + 1, interval_ms)]
    if history is not None:
        times = [time for time in times if not history.first_ms <= time <= history.last_ms]
        times += [time for time in history.rates if first_ms <= time <= last_ms]
    for time_ms in times:
        place, rest = divmod(time_ms - first_ms, series.candle_ms)
        if not rest:
            yield place

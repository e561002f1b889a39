"""Candles of all intervals, merged incrementally from five-minute candles as they close."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from infra.venues.simulator.prices.candles import Kline
from infra.venues.simulator.prices.market import Market
from infra.venues.simulator.prices.minutes import merged
from infra.venues.simulator.prices.periods import period_start_ms

BASE = "5"
_BELOW_BASE = frozenset({"1", "3"})
"""Intervals that cannot be merged from five-minute candles."""


class Series:
    """One symbol's candles of one interval; all but the newest never change again."""

    def __init__(self, interval: str) -> None:
        self.bars: list[Kline] = []
        self.times: list[int] = []
        self.taken = 0
        """Number of parts merged so far."""
        self._interval = interval

    def take(self, parts: Sequence[Kline]) -> None:
        """Merge what has closed since the last call; `parts` are all parts so far."""
        for part in parts[self.taken :]:
            start_ms = period_start_ms(self._interval, part.open_time_ms)
            if self.times and self.times[-1] == start_ms:
                self.bars[-1] = merged([self.bars[-1], part], start_ms)
            else:
                self.bars.append(_begun(part, start_ms))
                self.times.append(start_ms)
        self.taken = len(parts)

    def with_live(self, parts: Sequence[Kline]) -> list[Kline]:
        """Return the candle under way, and those that the parts complete before it."""
        made: list[Kline] = []
        for part in parts:
            start_ms = period_start_ms(self._interval, part.open_time_ms)
            if not made and self.times and self.times[-1] == start_ms:
                made.append(merged([self.bars[-1], part], start_ms))
            elif made and made[-1].open_time_ms == start_ms:
                made[-1] = merged([made[-1], part], start_ms)
            else:
                made.append(_begun(part, start_ms))
        return made


class Window(NamedTuple):
    """Consecutive candles of one series."""

    symbol: str
    interval: str
    bars: list[Kline]
    """All candles of the series."""
    first: int
    last: int
    """The window is `bars[first:last]`, all closed, and the live ones after them."""
    live: list[Kline]


class Bars:
    """All symbols' candles of all intervals."""

    def __init__(self, market: Market) -> None:
        """Merge the candles of a market on demand."""
        self._market = market
        self._series: dict[tuple[str, str], Series] = {}
        self._minutes: dict[str, list[Kline]] = {}

    def begin(self, symbol: str, interval: str) -> None:
        """Build candles below five minutes from trades from now on."""
        if interval in _BELOW_BASE:
            self._market.keep_minutes(symbol)

    def live(self, symbol: str, interval: str) -> Kline:
        """Return the candle under way."""
        if interval == BASE:
            return self._market.live(symbol)
        return self._taken(symbol, interval).with_live(self._live_parts(symbol, interval))[-1]

    def window(
        self, symbol: str, interval: str, begin: int | None, end: int | None, limit: int
    ) -> Window:
        """Return candles by their open times.

        With a start but no end the oldest are returned, otherwise the newest.
        """
        series = self._taken(symbol, interval)
        live = series.with_live(self._live_parts(symbol, interval))
        done = len(series.bars)
        if live and done and series.times[-1] == live[0].open_time_ms:
            done -= 1
        first = 0 if begin is None else bisect_left(series.times, begin, 0, done)
        last = done if end is None else bisect_right(series.times, end, 0, done)
        live = [
            bar
            for bar in live
            if (begin is None or bar.open_time_ms >= begin)
            and (end is None or bar.open_time_ms <= end)
        ]
        if begin is not None and end is None:
            last = max(first, min(last, first + limit))
            live = live[: limit - (last - first)]
        else:
            live = live[-limit:]
            first = max(first, last - (limit - len(live)))
        return Window(symbol, interval, series.bars, first, max(first, last), live)

    def _taken(self, symbol: str, interval: str) -> Series:
        series = self._series.get((symbol, interval))
        if series is None:
            series = self._series[symbol, interval] = Series(interval)
        series.take(self._parts(symbol, interval))
        return series

    def _parts(self, symbol: str, interval: str) -> Sequence[Kline]:
        if interval not in _BELOW_BASE:
            return self._market.closed(symbol)
        return self._closed_minutes(symbol)

    def _live_parts(self, symbol: str, interval: str) -> list[Kline]:
        if interval not in _BELOW_BASE:
            return [self._market.live(symbol)]
        return self._market.live_minutes(symbol)

    def _closed_minutes(self, symbol: str) -> list[Kline]:
        minutes = self._minutes.setdefault(symbol, [])
        for kline in self._market.closed(symbol)[len(minutes) // 5 :]:
            minutes += self._market.minutes(symbol, kline)
        return minutes


def _begun(part: Kline, start_ms: int) -> Kline:
    """Return the candle that a part begins: mostly the part itself, as there are many of them."""
    return part if part.open_time_ms == start_ms else merged([part], start_ms)

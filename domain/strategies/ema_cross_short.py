"""Short while price and averages fall in step, entered on a fresh bearish cross.

The rules are sections 1 to 4 and 6 of the strategy: regime ACTIVE while close < short EMA < long
EMA and the day had few crosses; an entry uses the newest cross within its window, once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from domain.market.candles import CandleSeries
from domain.market.indicators import ema_alpha, ema_next, ema_series
from domain.market.instruments import DAY_MS, Candle, Side, utc_day
from domain.strategies.base import CandleRules, Evaluation, Parameters, Signal, Strategy, Value
from domain.strategies.ema_cross_history import cross_counts
from domain.strategies.ema_cross_rules import CrossKind, EmaCrossRules
from domain.strategies.explanation import Condition

_CROSSES = "crosses today"


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """A close and its two averages."""

    close: float
    ema_short: float
    ema_long: float


def bearish_crosses(before: Levels, now: Levels) -> tuple[CrossKind, ...]:
    """Return what crossed downward from one close to the next.

    A touch is not a cross: both must be strictly apart before and after.
    """
    found = []
    if before.close > before.ema_short and now.close < now.ema_short:
        found.append(CrossKind.PRICE_BELOW_SHORT)
    if before.close > before.ema_long and now.close < now.ema_long:
        found.append(CrossKind.PRICE_BELOW_LONG)
    if before.ema_short > before.ema_long and now.ema_short < now.ema_long:
        found.append(CrossKind.SHORT_BELOW_LONG)
    return tuple(found)


class EmaCrossShort(Strategy):
    """The strategy of the short system."""

    side = Side.SELL

    def __init__(self, parameters: Parameters, candles: CandleRules) -> None:
        """Start before the first candle."""
        super().__init__(parameters, candles)
        self.rules = EmaCrossRules.read(parameters)
        self._alpha_short = ema_alpha(self.rules.ema_short_period)
        self._alpha_long = ema_alpha(self.rules.ema_long_period)
        self.levels: Levels | None = None
        self.newest_signal_ms: int | None = None
        """Close time of the newest cross that can open a position."""
        self.newest_crosses = ""
        """The crosses at that close, as names of `CrossKind` joined by +."""
        self.crosses_today = 0
        """Number of crosses that can open a position, in the UTC day of the newest close."""

    def fold(self, candle: Candle, before_ms: int | None) -> tuple[str, ...]:
        """Fold a candle and return the crosses that it made."""
        before, self.levels = self.levels, self._levels_after(candle.close)
        if before_ms is None or utc_day(candle.close_time_ms) != utc_day(before_ms):
            self.crosses_today = 0
        if before is None or not self.is_warm:
            return ()
        crosses = bearish_crosses(before, self.levels)
        admitted = [kind for kind in crosses if kind in self.rules.entry_crosses]
        if admitted:
            self.newest_signal_ms = candle.close_time_ms
            self.newest_crosses = "+".join(admitted)
            self.crosses_today += len(admitted)
        return crosses

    def _levels_after(self, close: float) -> Levels:
        if self.levels is None:
            return Levels(close=close, ema_short=close, ema_long=close)
        return Levels(
            close=close,
            ema_short=ema_next(self.levels.ema_short, close, self._alpha_short),
            ema_long=ema_next(self.levels.ema_long, close, self._alpha_long),
        )

    def evaluate(self) -> Evaluation:
        """Return regime, averages and the newest cross."""
        levels = self.levels
        if levels is None:
            raise ValueError("expected a candle before an evaluation")
        return Evaluation(
            regime=tuple(self._regime_conditions(levels)),
            values=self._values(levels),
            note=_position_note(levels),
            signal=self._newest_signal(levels),
            entry=(_fewer(self.crosses_today, self.rules.cross_threshold),),
        )

    def _regime_conditions(self, levels: Levels) -> Iterator[Condition]:
        close, short, long = levels.close, levels.ema_short, levels.ema_long
        threshold = self.rules.cross_threshold
        yield _at_most(self.crosses_today, threshold)
        yield Condition(
            name="close", figure=close, needs="< EMA short", limit=short, holds=close < short
        )
        yield Condition(
            name="close", figure=close, needs="< EMA long", limit=long, holds=close < long
        )
        yield Condition(
            name="EMA short", figure=short, needs="< EMA long", limit=long, holds=short < long
        )

    def _values(self, levels: Levels) -> tuple[Value, ...]:
        short, long = self.rules.ema_short_period, self.rules.ema_long_period
        return (
            Value(name="ema_short", label=f"EMA {short}", figure=levels.ema_short),
            Value(name="ema_long", label=f"EMA {long}", figure=levels.ema_long),
            _crosses_value(self.crosses_today),
            *self._confidence(),
        )

    def _confidence(self) -> tuple[Value, ...]:
        """Return the newest signal's share of the kinds of crosses that can open a position."""
        if self.newest_signal_ms is None:
            return ()
        made = self.newest_crosses.count("+") + 1
        return (_confidence_value(made, len(self.rules.entry_crosses)),)

    def _newest_signal(self, levels: Levels) -> Signal | None:
        if self.newest_signal_ms is None:
            return None
        return Signal(
            signal_ms=self.newest_signal_ms,
            kinds=self.newest_crosses,
            side=self.side,
            strength=(levels.ema_long - levels.close) / levels.ema_long,
            max_age_ms=self.rules.entry_window_ms,
        )

    def refold(self, series: CandleSeries) -> None:
        """Fold all candles of a series at once: bit for bit as one by one, but much faster."""
        if not len(series):
            return
        rules, closes = self.rules, series.close.tolist()
        short = ema_series(closes, rules.ema_short_period)
        long = ema_series(closes, rules.ema_long_period)
        self.t_ms = int(series.open_time_ms[-1]) + series.candle_ms
        self.closes_seen = len(closes)
        self.levels = Levels(close=closes[-1], ema_short=short[-1], ema_long=long[-1])
        made = cross_counts(
            rules, self.candles.warmup_candles, series.close, np.array(short), np.array(long)
        )
        times = series.open_time_ms + series.candle_ms
        crossed = np.flatnonzero(made)
        if crossed.size:
            newest = int(crossed[-1])
            self.newest_signal_ms = int(times[newest])
            before, now = (
                Levels(close=closes[i], ema_short=short[i], ema_long=long[i])
                for i in (newest - 1, newest)
            )
            kinds = bearish_crosses(before, now)
            self.newest_crosses = "+".join(k for k in kinds if k in rules.entry_crosses)
        midnight = utc_day(self.t_ms) * DAY_MS
        self.crosses_today = int(made[times >= midnight].sum())


# Counts are small and stay the same for hours: the value of each is made only once.


@lru_cache(maxsize=256, typed=True)
def _at_most(crosses: int, limit: int) -> Condition:
    holds = crosses <= limit
    return Condition(name=_CROSSES, figure=crosses, needs="<=", limit=limit, holds=holds)


@lru_cache(maxsize=256, typed=True)
def _fewer(crosses: int, limit: int) -> Condition:
    holds = crosses < limit
    return Condition(name=_CROSSES, figure=crosses, needs="<", limit=limit, holds=holds)


@lru_cache(maxsize=256, typed=True)
def _crosses_value(crosses: int) -> Value:
    return Value(name="crosses_today", label=_CROSSES, figure=crosses, is_price=False)


@lru_cache(maxsize=256, typed=True)
def _confidence_value(made: int, admitted: int) -> Value:
    return Value(
        name="confidence", label="signal confidence", figure=made / admitted, is_price=False
    )


def _position_note(levels: Levels) -> str:
    below = (levels.close < levels.ema_short, levels.close < levels.ema_long)
    if all(below):
        return "below both EMAs"
    above = (levels.close > levels.ema_short, levels.close > levels.ema_long)
    return "above both EMAs" if all(above) else "between the EMAs"

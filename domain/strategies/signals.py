"""What one asset's closes say: averages, crosses, the daily count (strategy 1 and 2)."""

from collections.abc import Sequence

import numpy as np

from domain.market.candles import CandleSeries
from domain.market.indicators import CloseWindow, ema_alpha, ema_next, ema_series
from domain.market.instruments import DAY_MS, utc_day
from domain.rules import StrategyRules
from domain.strategies.crosses import CrossKind, Levels, bearish_crosses


class Signals:
    """The fold of one asset's closed candles.

    Always true: after any number of closes the state is what `refold` makes of the same closes.
    """

    __slots__ = (
        "_alpha_long",
        "_alpha_short",
        "_rules",
        "closes_seen",
        "crosses_today",
        "levels",
        "newest_crosses",
        "newest_signal_ms",
        "t_ms",
        "window",
    )

    def __init__(self, rules: StrategyRules) -> None:
        """Start before the first candle."""
        self._rules = rules
        self._alpha_short = ema_alpha(rules.ema_short_period)
        self._alpha_long = ema_alpha(rules.ema_long_period)
        self.t_ms: int | None = None
        """Close time of the newest candle."""
        self.closes_seen = 0
        self.levels: Levels | None = None
        self.newest_signal_ms: int | None = None
        """Close time of the newest cross that can open a position."""
        self.newest_crosses = ""
        """What was crossed then, as names of `CrossKind` joined by +."""
        self.crosses_today = 0
        """Crosses that can open a position, in the UTC day of the newest close."""
        self.window = CloseWindow(rules.volatility_window)

    @property
    def is_warm(self) -> bool:
        """Tell whether the newest close may record a cross or decide anything."""
        return self.closes_seen > self._rules.warmup_candles

    def apply(self, close_time_ms: int, close: float) -> tuple[CrossKind, ...]:
        """Fold one more close and return the crosses it made.

        Args:
            close_time_ms: later than every close before it.
            close: quote per base.
        """
        before, self.levels = self.levels, self._levels_after(close)
        if self.t_ms is None or utc_day(close_time_ms) != utc_day(self.t_ms):
            self.crosses_today = 0
        self.t_ms = close_time_ms
        self.closes_seen += 1
        self.window.append(close)
        if before is None or not self.is_warm:
            return ()
        crosses = bearish_crosses(before, self.levels)
        admitted = [kind for kind in crosses if kind in self._rules.entry_crosses]
        if admitted:
            self.newest_signal_ms = close_time_ms
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

    @classmethod
    def refold(cls, rules: StrategyRules, series: CandleSeries) -> "Signals":
        """Return the state after all candles of the series, folded at once."""
        signals = cls(rules)
        if not len(series):
            return signals
        closes = series.close.tolist()
        short = ema_series(closes, rules.ema_short_period)
        long = ema_series(closes, rules.ema_long_period)
        signals.t_ms = int(series.open_time_ms[-1]) + series.candle_ms
        signals.closes_seen = len(closes)
        signals.levels = Levels(close=closes[-1], ema_short=short[-1], ema_long=long[-1])
        signals.window = CloseWindow(rules.volatility_window, closes)
        made = _cross_counts(rules, closes, short, long)
        times = series.open_time_ms + series.candle_ms
        crossed = np.flatnonzero(made)
        if crossed.size:
            place = int(crossed[-1])
            signals.newest_signal_ms = int(times[place])
            before, now = (
                Levels(close=closes[i], ema_short=short[i], ema_long=long[i])
                for i in (place - 1, place)
            )
            kinds = bearish_crosses(before, now)
            signals.newest_crosses = "+".join(k for k in kinds if k in rules.entry_crosses)
        midnight = utc_day(signals.t_ms) * DAY_MS
        signals.crosses_today = int(made[times >= midnight].sum())
        return signals


def _cross_counts(
    rules: StrategyRules, closes: Sequence[float], short: Sequence[float], long: Sequence[float]
) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """Return how many crosses that can open a position each close made."""
    close_a, short_a, long_a = np.array(closes), np.array(short), np.array(long)
    pairs = {
        CrossKind.PRICE_BELOW_SHORT: (close_a, short_a),
        CrossKind.PRICE_BELOW_LONG: (close_a, long_a),
        CrossKind.SHORT_BELOW_LONG: (short_a, long_a),
    }
    made = np.zeros(len(closes), dtype=np.int64)
    for kind in rules.entry_crosses:
        upper, lower = pairs[kind]
        made[1:] += (upper[:-1] > lower[:-1]) & (upper[1:] < lower[1:])
    made[: rules.warmup_candles] = 0
    return made

"""What the strategy's pages say of one asset, written apart from the domain: the plain way.

It shares with the domain the names of rules and candles, and nothing that decides.
"""

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from domain.market.candles import CandleSeries
from domain.rules import AssetRules, TradingRules
from domain.strategies.registry import CONFIRMED_TREND_LONG

DAY_MS, HOUR_MS, MINUTE_MS = 86_400_000, 3_600_000, 60_000
Prices = tuple[float, float, float, float]


def exact(number: float) -> Decimal:
    return Decimal(repr(float(number)))


def to_step(value: Decimal, step: Decimal, rounding: str = ROUND_FLOOR) -> Decimal:
    return (value / step).to_integral_value(rounding) * step


class Ema:
    """Seeded with the first value."""

    def __init__(self, period: int) -> None:
        self.alpha, self.value = 2 / (period + 1), math.nan

    def fold(self, x: float) -> float:
        y = self.value
        self.value = x if math.isnan(y) else y + self.alpha * (x - y)
        return self.value


class Rsi:
    """Wilder's; below its level, and before it is known, it does not agree."""

    def __init__(self, period: int) -> None:
        self.period, self.changes, self.gain, self.loss = period, 0, 0.0, 0.0

    def fold(self, change: float) -> None:
        up, down = max(change, 0.0), max(-change, 0.0)
        self.changes += 1
        n = self.period
        if self.changes <= n:
            self.gain, self.loss = self.gain + up / n, self.loss + down / n
        else:
            self.gain = (self.gain * (n - 1) + up) / n
            self.loss = (self.loss * (n - 1) + down) / n

    def is_above(self, level: float) -> bool:
        if self.changes < self.period:
            return False
        if self.loss == 0:
            return (100.0 if self.gain > 0 else 50.0) > level
        return 100 - 100 / (1 + self.gain / self.loss) > level


class ShortSignals:
    """ema_cross_short, sections 2 to 4."""

    sign = -1

    def __init__(self, parameters, _candle_ms):
        self.p = parameters
        self.short, self.long = (
            Ema(parameters[f"ema_{name}_period"]) for name in ("short", "long")
        )
        self.newest_ms, self.counted, self.before = None, [], None
        self.window_ms = parameters["entry_window_minutes"] * MINUTE_MS

    def fold(self, t_ms, close, decides):
        before = self.before
        short, long = self.short.fold(close), self.long.fold(close)
        self.before = (close, short, long)
        if not decides:
            return
        was, was_short, was_long = before
        found = {
            "PRICE_BELOW_SHORT": was > was_short and close < short,
            "PRICE_BELOW_LONG": was > was_long and close < long,
            "SHORT_BELOW_LONG": was_short > was_long and short < long,
        }
        crosses = [t_ms for name in self.p["entry_crosses"] if found[name]]
        self.newest_ms = t_ms if crosses else self.newest_ms
        self.counted = [x for x in self.counted + crosses if x // DAY_MS == t_ms // DAY_MS]
        count = len(self.counted)
        falls = close < short < long
        self.is_active = falls and count <= self.p["cross_threshold"]
        self.may_enter = self.is_active and count < self.p["cross_threshold"]
        self.strength = (long - close) / long


class LongSignals:
    """confirmed_trend_long, sections 2 and 3 of its page."""

    sign = 1

    def __init__(self, parameters, candle_ms):
        self.p = parameters
        self.trigger, self.trend = (
            Ema(parameters[f"ema_{name}_period"]) for name in ("trigger", "trend")
        )
        self.fast, self.slow, self.signal = (
            Ema(parameters[f"macd_{name}_period"]) for name in ("fast", "slow", "signal")
        )
        self.rsi = Rsi(parameters["rsi_period"])
        self.newest_ms, self.before = None, None
        self.window_ms = parameters["max_entry_wait_candles"] * candle_ms

    def fold(self, t_ms, close, decides):
        before = self.before
        trigger, trend = self.trigger.fold(close), self.trend.fold(close)
        line = self.fast.fold(close) - self.slow.fold(close)
        signal = self.signal.fold(line)
        self.before = (close, trigger)
        if before is not None:
            self.rsi.fold(close - before[0])
        if not decides:
            return
        if before[0] < before[1] and close > trigger:
            self.newest_ms = t_ms
        agreeing = (close > trend) + (line > signal) + self.rsi.is_above(self.p["rsi_level"])
        self.is_active = self.may_enter = agreeing >= self.p["entry_confirmation_level"]
        self.strength = (close - trend) / trend


class Held:
    """An open position."""

    def __init__(self, asset, t_ms, qty, price, fee):
        stops, tick, sign = asset.rules.stops, asset.rules.instrument.tick_size, asset.sign
        nearer, farther = (ROUND_CEILING, ROUND_FLOOR) if sign > 0 else (ROUND_FLOOR, ROUND_CEILING)
        self.t_ms, self.qty, self.price, self.fee, self.funding = t_ms, qty, price, fee, Decimal(0)
        distances = (stops.stop_loss_fraction, stops.trail_fraction)
        distance = min(d for d in distances if d is not None)
        self.stop = to_step(price * (1 - sign * distance), tick, nearer)
        gain = stops.take_profit_fraction
        self.target = None if gain is None else to_step(price * (1 + sign * gain), tick, farther)
        self.best, self.moved = price, False
        self._stops, self._tick, self._nearer, self._sign = stops, tick, nearer, sign

    def follow(self, x: Decimal) -> None:
        """Move the trailing stop after a price."""
        sign = self._sign
        self.best = max(self.best * sign, x * sign) * sign
        level = self.best * (1 - sign * self._stops.trail_fraction)
        new = to_step(level, self._tick, self._nearer)
        if (new - self.stop * (1 + sign * self._stops.min_ratchet_fraction)) * sign > 0:
            self.stop, self.moved = new, True


class Asset:
    """One asset: its candles, signals, position and rest."""

    def __init__(self, rules: AssetRules, series: CandleSeries, shared: TradingRules) -> None:
        spec = rules.terms.strategy
        kind = LongSignals if spec.name == CONFIRMED_TREND_LONG else ShortSignals
        self.rules, self.name, self.sign = rules, rules.asset, kind.sign
        self.signals = kind(spec.parameters, series.candle_ms)
        self.funding = series.funding
        self.warmup, self.window = shared.candles.warmup_candles, shared.candles.volatility_window
        columns = (series.open, series.high, series.low, series.close)
        prices = zip(*(column.tolist() for column in columns), strict=True)
        self.candles: dict[int, Prices] = dict(
            zip(series.open_time_ms.tolist(), prices, strict=True)
        )
        self.returns: list[float] = []
        self.closes, self.close, self.used_ms = 0, math.nan, None
        self.held: Held | None = None
        self.rest_end_ms, self.losses, self.exits = 0, 0, []
        self.runs = self.decides = False

    def fold(self, t_ms: int, close: float) -> None:
        if self.closes:
            self.returns.append(math.log(close / self.close))
        self.closes, self.close = self.closes + 1, close
        self.decides = self.closes > self.warmup
        self.signals.fold(t_ms, close, self.decides)

    def wants_entry(self, t_ms: int) -> bool:
        newest = self.signals.newest_ms
        return (
            self.decides
            and self.signals.may_enter
            and newest is not None
            and newest != self.used_ms
            and t_ms - newest <= self.signals.window_ms
            and self.held is None
            and t_ms >= self.rest_end_ms
        )

    def own_exit(self, t_ms: int) -> str | None:
        if self.held is None or not self.decides:
            return None
        if self.sign < 0 and not self.signals.is_active:
            return "REGIME"
        longest = self.rules.stops.max_hold_ms
        return "TIME" if longest is not None and t_ms - self.held.t_ms >= longest else None

    def newest_returns(self) -> list[float] | None:
        found = self.returns[-self.window :]
        return found if len(found) == self.window else None

    def sigma(self) -> float:
        found = self.newest_returns()
        if found is None:
            return 0.0
        mean = math.fsum(found) / len(found)
        return math.sqrt(math.fsum((x - mean) ** 2 for x in found) / (len(found) - 1))


def correlation(one: Asset, other: Asset) -> float | None:
    """Return Pearson's, signed by the sides; None where it is not judged."""
    x, y = one.newest_returns(), other.newest_returns()
    if not (one.runs and other.runs and x and y) or min(x) == max(x) or min(y) == max(y):
        return None
    mean_x, mean_y = math.fsum(x) / len(x), math.fsum(y) / len(y)
    dx, dy = [v - mean_x for v in x], [v - mean_y for v in y]
    both = math.fsum(a * b for a, b in zip(dx, dy, strict=True))
    norm = math.sqrt(math.fsum(a * a for a in dx) * math.fsum(b * b for b in dy))
    return max(-1.0, min(1.0, both / norm)) * one.sign * other.sign

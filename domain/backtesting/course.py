"""The account over time: its worst drawdowns, rolling figures, and benchmarks."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from domain.backtesting.result import BacktestResult, EquitySeries
from domain.market.candles import Times
from domain.market.indicators import Array
from domain.market.instruments import DAY_MS
from domain.market.ratios import DAYS_PER_YEAR
from domain.trading.cooldowns import CooldownReason
from domain.trading.orders import ExitReason
from domain.trading.streaks import LossStreak


@dataclass(frozen=True, slots=True, kw_only=True)
class Fall:
    """A drawdown: equity below its highest so far, from the peak until it is reached again."""

    fraction: float
    """Lost fraction of the peak at the deepest point."""
    peak_ms: int
    deepest_ms: int
    recovered_ms: int | None
    """When the peak was reached again; None: not until the end."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rolling:
    """Annual figures over the last days before each midnight."""

    time_ms: Times
    """(n,) midnights, and the end."""
    sharpe: Array
    """(n,); NaN where nothing moved."""
    volatility: Array
    """(n,) standard deviation of the daily returns, a fraction."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Benchmark:
    """What the balance would have become by holding all assets in equal parts from one close on.

    Without leverage, fees and funding.
    """

    start_ms: int
    """The first close at which every asset's strategy could trade."""
    hold: Array
    """(n,) at the closes of the equity: bought and held. Quote."""
    short: Array
    """(n,), likewise: sold short and held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """A period in which the portfolio opened nothing."""

    begin_ms: int
    end_ms: int
    reason: str


def worst_falls(equity: EquitySeries, initial: float, start_ms: int, count: int) -> list[Fall]:
    """Return the deepest drawdowns, worst first; the starting balance is the first peak.

    Args:
        equity: at every close.
        initial: balance at the start, quote.
        start_ms: time of the starting balance, before the first close.
        count: at most so many.
    """
    levels = np.concatenate([[initial], equity.equity])
    times = np.concatenate([[start_ms], equity.time_ms])
    falls = sorted(_falls(levels, times), key=lambda fall: -fall.fraction)
    return falls[:count]


def _falls(levels: Array, times: Times) -> Iterator[Fall]:
    top = np.maximum.accumulate(levels)
    edges = np.diff(np.concatenate([[0], (levels < top).astype(np.int8), [0]]))
    for begin, end in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True):
        deepest = begin + int(levels[begin:end].argmin())
        yield Fall(
            fraction=float(1.0 - levels[deepest] / top[deepest]),
            peak_ms=int(times[begin - 1]),
            deepest_ms=int(times[deepest]),
            recovered_ms=int(times[end]) if end < len(levels) else None,
        )


def rolling(equity: EquitySeries, returns: Array, days: int) -> Rolling:
    """Return the rolling figures.

    Args:
        equity: at every close.
        returns: (d,) daily, by `daily_returns` of the equity.
        days: days in a window; with fewer days there are no figures.
    """
    is_midnight = equity.time_ms % DAY_MS == 0
    is_midnight[-1] = True
    time_ms = equity.time_ms[is_midnight][days - 1 :]
    if len(returns) < days:
        return Rolling(time_ms=time_ms[:0], sharpe=np.zeros(0), volatility=np.zeros(0))
    windows = np.lib.stride_tricks.sliding_window_view(returns, days)
    spread = windows.std(axis=1, ddof=1)
    mean = windows.mean(axis=1)
    year = math.sqrt(DAYS_PER_YEAR)
    sharpe = np.full(len(spread), np.nan)
    np.divide(mean * year, spread, out=sharpe, where=spread > 0)
    return Rolling(time_ms=time_ms, sharpe=sharpe, volatility=spread * year)


def benchmark(result: BacktestResult) -> Benchmark:
    """Return what holding the assets would have made of the starting balance."""
    time_ms, start_ms = result.equity.time_ms, warm_ms(result)
    growth = np.mean([_growth(result, asset, start_ms) for asset in result.histories], axis=0)
    initial = result.initial_balance
    is_held = time_ms >= start_ms
    return Benchmark(
        start_ms=start_ms,
        hold=np.where(is_held, initial * growth, initial),
        short=np.where(is_held, initial * np.maximum(0.0, 2.0 - growth), initial),
    )


def warm_ms(result: BacktestResult) -> int:
    """Return the first close at which every asset's strategy has finished its warm-up."""
    closes = result.rules.candles.warmup_candles
    found = [
        int(market.series.open_time_ms[0]) + max(1, closes) * market.series.candle_ms
        for market in result.market.assets.values()
    ]
    return min(max(found), int(result.equity.time_ms[-1]))


def _growth(result: BacktestResult, asset: str, start_ms: int) -> Array:
    """Return an asset's close / its close at the start, at each close of the equity."""
    series = result.market.assets[asset].series
    close_ms = series.open_time_ms + series.candle_ms
    indices = np.searchsorted(close_ms, result.equity.time_ms, side="right") - 1
    start = max(0, int(np.searchsorted(close_ms, start_ms, side="right")) - 1)
    growth: Array = series.close[np.maximum(indices, 0)] / series.close[start]
    return growth


def exposure(result: BacktestResult) -> tuple[Times, Array]:
    """Return when the open notional changed, and its value from then on, quote.

    At entry prices; a reduced position counts with the quantity of its trade until its end.
    """
    changes = [
        (time_ms, sign * float(trade.qty * trade.entry_price))
        for trade in result.trades
        for time_ms, sign in ((trade.entry_ms, 1), (trade.exit_ms, -1))
    ]
    changes += [(one.opened_ms, float(one.open_notional)) for one in result.open_positions]
    times, indices = np.unique(
        np.array([time_ms for time_ms, _ in changes], dtype=np.int64), return_inverse=True
    )
    sums = np.zeros(len(times), dtype=np.float64)
    np.add.at(sums, indices, np.array([change for _, change in changes]))
    return times, np.cumsum(sums)


def rests(result: BacktestResult) -> list[Rest]:
    """Return the periods in which the portfolio opened nothing, by their start."""
    end_ms = int(result.equity.time_ms[-1])
    found = [
        Rest(
            begin_ms=fired.t_ms,
            end_ms=end_ms if fired.reason is ExitReason.HALT else fired.cooldown_end_ms,
            reason=str(fired.reason),
        )
        for fired in result.protections
    ]
    return sorted([*found, *_streak_rests(result)], key=lambda rest: rest.begin_ms)


def _streak_rests(result: BacktestResult) -> Iterator[Rest]:
    rules, streak = result.rules.protection, LossStreak()
    for trade in result.trades:
        after = streak.apply(
            trade, limit=rules.loss_streak, cooldown_ms=rules.loss_streak_cooldown_ms
        )
        if after.cooldown_end_ms != streak.cooldown_end_ms:
            reason = str(CooldownReason.LOSS_STREAK)
            yield Rest(begin_ms=trade.exit_ms, end_ms=after.cooldown_end_ms, reason=reason)
        streak = after


def halted_fraction(result: BacktestResult) -> float:
    """Return the fraction of the span after a halt, in [0, 1]."""
    begin_ms, end_ms = result.begin_ms, int(result.equity.time_ms[-1])
    halts = [fired.t_ms for fired in result.protections if fired.reason is ExitReason.HALT]
    return (end_ms - min(halts)) / (end_ms - begin_ms) if halts else 0.0

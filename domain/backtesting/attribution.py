"""Sources of a backtest's result: months, assets, regimes, and how assets moved together."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from domain.backtesting.market import AssetMarket
from domain.backtesting.result import BacktestResult, EquitySeries
from domain.market.candles import Times
from domain.market.indicators import Array
from domain.market.instruments import DAY_MS, utc_day
from domain.portfolio.performance import diversification
from domain.portfolio.performance import risk_shares as shares_of
from domain.strategies.base import Regime
from domain.trading.cooldowns import AssetCooldown
from domain.trading.positions import Trade


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthlyReturn:
    """Return of one UTC month on the equity at its start."""

    year: int
    month: int
    fraction: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RegimeSpan:
    """Consecutive closes with one regime, from the first of them to the first of the next span."""

    begin_ms: int
    end_ms: int
    regime: Regime


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairCorrelation:
    """How two assets moved together, once a day."""

    assets: tuple[str, str]
    time_ms: Times
    """(n,) closes."""
    correlation: Array
    """(n,) in [-1, 1], over the window of the strategy; NaN where one did not move."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskShare:
    """One asset's share of the variance of the daily PnL."""

    asset: str
    volatility: float
    """Standard deviation of its daily PnL, quote."""
    fraction: float | None
    """Covariance of its daily PnL with that of all / variance of that of all; the shares add up
    to 1. None if nothing ever moved."""


def monthly_returns(equity: EquitySeries, initial: float) -> list[MonthlyReturn]:
    """Return the months' returns, oldest first; the first and the last may be cut short."""
    # A close at midnight belongs to the day, and so the month, that it ends.
    months = (equity.time_ms - 1).astype("datetime64[ms]").astype("datetime64[M]")
    lasts = np.append(np.flatnonzero(months[1:] != months[:-1]), len(months) - 1)
    found, before = [], initial
    for last in lasts.tolist():
        after = float(equity.equity[last])
        year, month = divmod(int(months[last].astype(np.int64)), 12)
        found.append(
            MonthlyReturn(year=1970 + year, month=month + 1, fraction=after / before - 1.0)
        )
        before = after
    return found


def regime_spans(result: BacktestResult, asset: str) -> list[RegimeSpan]:
    """Return an asset's regimes over its whole history, its own cooldowns included."""
    series = result.market.assets[asset].series
    close_ms = series.open_time_ms + series.candle_ms
    state = np.where(result.histories[asset].is_active, 1, 0)
    cooldown = AssetCooldown(result.rules.cooldown)
    for trade in (trade for trade in result.trades if trade.asset == asset):
        cooldown.apply(trade)
        rests = (close_ms >= trade.exit_ms) & (close_ms < cooldown.end_ms)
        state[rests] = 2
    names = (Regime.INACTIVE, Regime.ACTIVE, Regime.COOLDOWN)
    begins = np.concatenate([[0], 1 + np.flatnonzero(np.diff(state))])
    ends = np.concatenate([close_ms[begins[1:]], [close_ms[-1] + series.candle_ms]])
    return [
        RegimeSpan(begin_ms=int(close_ms[b]), end_ms=int(end), regime=names[state[b]])
        for b, end in zip(begins, ends, strict=True)
    ]


def pair_correlations(result: BacktestResult) -> list[PairCorrelation]:
    """Return the correlation of log returns of each pair, at each midnight that has a window."""
    window = result.rules.candles.volatility_window
    assets = list(result.market.assets.values())
    return [_correlation(left, right, window) for left, right in combinations(assets, 2)]


def daily_pnl(result: BacktestResult) -> tuple[Times, dict[str, Array]]:
    """Return the days (ms of their start), and by asset the (days,) PnL of trades that ended."""
    first = utc_day(int(result.equity.time_ms[0]))
    count = utc_day(int(result.equity.time_ms[-1])) - first + 1
    booked = {asset: np.zeros(count) for asset in result.histories}
    for trade in result.trades:
        booked[trade.asset][utc_day(trade.exit_ms) - first] += float(trade.pnl)
    return (first + np.arange(count, dtype=np.int64)) * DAY_MS, booked


def risk_shares(result: BacktestResult) -> list[RiskShare]:
    """Return each asset's share of the risk actually taken."""
    _, booked = daily_pnl(result)
    shares = shares_of(booked)
    return [
        RiskShare(asset=asset, volatility=float(np.std(pnl)), fraction=shares.get(asset))
        for asset, pnl in booked.items()
    ]


def diversification_benefit(result: BacktestResult) -> float | None:
    """Return how much less the daily PnL of all moves than the sum of its parts, in [0, 1]."""
    return diversification(daily_pnl(result)[1].values())


def hold_minutes(trades: Sequence[Trade]) -> Array:
    """Return the (n,) hold times of trades, minutes."""
    return np.array([(trade.exit_ms - trade.entry_ms) / 60_000 for trade in trades])


def _correlation(left: AssetMarket, right: AssetMarket, window: int) -> PairCorrelation:
    first, end = max(left.offset, right.offset) + window, min(left.end, right.end)
    closes = np.arange(first, max(first, end))
    first_close_ms = int(left.series.open_time_ms[0]) + left.series.candle_ms
    time_ms = first_close_ms + (closes - left.offset) * left.series.candle_ms
    is_midnight = time_ms % DAY_MS == 0
    values = [_at(left, right, int(close), window) for close in closes[is_midnight]]
    return PairCorrelation(
        assets=(left.asset, right.asset),
        time_ms=time_ms[is_midnight],
        correlation=np.array(values, dtype=np.float64),
    )


def _at(left: AssetMarket, right: AssetMarket, close: int, window: int) -> float:
    x, y = (
        asset.log_returns(close - asset.offset - window, close - asset.offset)
        for asset in (left, right)
    )
    if not np.ptp(x) or not np.ptp(y):
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])

"""The figures by which backtests are compared.

A figure is None if it is not defined: no trade, no loss, no day.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from domain.backtesting.result import BacktestResult, EquitySeries
from domain.backtesting.summary import figures
from domain.market.indicators import Array
from domain.market.instruments import DAY_MS, MINUTE_MS
from domain.market.ratios import DAYS_PER_YEAR, sharpe_ratio
from domain.trading.decisions import DenialReason
from domain.trading.orders import ExitReason
from domain.trading.positions import Trade

_SHORTEST_GROWTH_MS = 30 * DAY_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawdown:
    """The largest drawdown: the deepest fall of equity below its highest so far, at closes."""

    fraction: float
    """Lost fraction of the peak, in [0, 1] while equity is positive."""
    start_ms: int | None
    """Time of the peak; None if equity never fell."""
    end_ms: int | None
    """Time of the deepest point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetFigures:
    """Figures over trades, of one asset or of all. Money is quote."""

    trades: int
    wins: int
    """Number of trades with pnl > 0."""
    win_rate: float | None
    """Wins / trades."""
    profit_factor: float | None
    """Sum of the pnl of winning trades / that of losing ones; positive."""
    expectancy: float | None
    """Mean pnl of a trade."""
    average_hold_minutes: float | None
    pnl: float
    """Total pnl, net of fees, funding included."""
    fees: float
    """Fees of both legs; positive is a cost."""
    funding: float
    """Funding; positive is received."""
    exits_by_reason: Mapping[ExitReason, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestFigures:
    """Figures of a whole run.

    Returns are those of UTC days, from the balance at the start to the equity at each midnight and
    at the end; the first and the last day may be incomplete. The risk-free rate is 0.
    """

    total: AssetFigures
    per_asset: Mapping[str, AssetFigures]
    refusals_by_reason: Mapping[DenialReason, int]
    final_balance: float
    """Wallet balance at the end, quote."""
    final_equity: float
    """Equity at the end, with open positions at the last closes."""
    total_return: float
    """Final equity / starting balance - 1."""
    cagr: float | None
    """Compound annual growth: (final equity / starting balance) ** (365 days / span) - 1; None over
    less than 30 days, from which no annual growth follows."""
    sharpe: float | None
    """Mean of the daily returns / their sample standard deviation (ddof 1) * sqrt(365)."""
    sortino: float | None
    """Mean of the daily returns / root of the mean square of the negative ones, over all days,
    * sqrt(365)."""
    calmar: float | None
    """cagr / maximum drawdown."""
    drawdown: Drawdown
    exposure_time: float
    """Fraction of the span with at least one open position."""


def backtest_figures(result: BacktestResult, start_ms: int | None = None) -> BacktestFigures:
    """Return the figures of a run.

    Args:
        result: of the run.
        start_ms: what is before it is warm-up, in which nothing was traded, and does not count;
            None: the result's own start.
    """
    start_ms = result.begin_ms if start_ms is None else start_ms
    equity = result.equity.since(start_ms)
    end_ms = int(equity.time_ms[-1])
    final = float(equity.equity[-1])
    returns = daily_returns(equity, result.initial_balance)
    growth = growth_a_year(final / result.initial_balance, end_ms - start_ms)
    fall = max_drawdown(equity, result.initial_balance, start_ms)
    return BacktestFigures(
        total=trade_figures(result.trades),
        per_asset={
            asset: trade_figures([trade for trade in result.trades if trade.asset == asset])
            for asset in result.histories
        },
        refusals_by_reason=result.refusals_by_reason,
        final_balance=float(equity.balance[-1]),
        final_equity=final,
        total_return=final / result.initial_balance - 1.0,
        cagr=growth,
        sharpe=sharpe_ratio(returns),
        sortino=sortino_ratio(returns),
        calmar=None if growth is None or not fall.fraction else growth / fall.fraction,
        drawdown=fall,
        exposure_time=_exposure_ms(result, end_ms) / (end_ms - start_ms),
    )


def trade_figures(trades: Sequence[Trade]) -> AssetFigures:
    found, count = figures(trades), len(trades)
    held_ms = sum(trade.exit_ms - trade.entry_ms for trade in trades)
    return AssetFigures(
        trades=count,
        wins=found.wins,
        win_rate=found.win_rate,
        profit_factor=found.profit_factor,
        expectancy=float(found.pnl) / count if count else None,
        average_hold_minutes=held_ms / count / MINUTE_MS if count else None,
        pnl=float(found.pnl),
        fees=float(found.fees),
        funding=float(found.funding),
        exits_by_reason=found.exits,
    )


def daily_returns(equity: EquitySeries, initial: float) -> Array:
    """Return the (days,) returns from midnight to midnight, UTC, and to the last close."""
    is_midnight = equity.time_ms % DAY_MS == 0
    is_midnight[-1] = True
    levels = np.concatenate([[initial], equity.equity[is_midnight]])
    returns: Array = levels[1:] / levels[:-1] - 1.0
    return returns


def sortino_ratio(returns: Array) -> float | None:
    """Return the annual Sortino ratio of (n,) daily returns; the target is 0."""
    downside = math.sqrt(float(np.mean(np.minimum(returns, 0.0) ** 2))) if len(returns) else 0.0
    return float(np.mean(returns)) / downside * math.sqrt(DAYS_PER_YEAR) if downside else None


def max_drawdown(equity: EquitySeries, initial: float, start_ms: int) -> Drawdown:
    """Return the deepest fall; the starting balance is the first peak."""
    levels = equity.equity
    top = np.maximum(np.maximum.accumulate(levels), initial)
    falls = top - levels
    falls /= top
    deepest = int(falls.argmax())
    if falls[deepest] <= 0.0:
        return Drawdown(fraction=0.0, start_ms=None, end_ms=None)
    # The last close at the peak, not the first: from there on equity only fell.
    peaks = np.flatnonzero(levels[:deepest] == top[deepest])
    return Drawdown(
        fraction=float(falls[deepest]),
        start_ms=int(equity.time_ms[peaks[-1]]) if len(peaks) else start_ms,
        end_ms=int(equity.time_ms[deepest]),
    )


def growth_a_year(growth: float, span_ms: int) -> float | None:
    """Return the compound annual growth of a growth (1.1 is ten percent) over a span.

    None over less than 30 days: a lucky week, compounded over a year, would be millions of percent.
    """
    if growth <= 0.0 or span_ms < _SHORTEST_GROWTH_MS:
        return None
    return float(growth ** (DAYS_PER_YEAR * DAY_MS / span_ms)) - 1.0


def _exposure_ms(result: BacktestResult, end_ms: int) -> int:
    spans = [(trade.entry_ms, trade.exit_ms) for trade in result.trades]
    spans += [(position.opened_ms, end_ms) for position in result.open_positions]
    total, reached = 0, 0
    for begin, end in sorted(spans):
        total += max(0, end - max(begin, reached))
        reached = max(reached, end)
    return total

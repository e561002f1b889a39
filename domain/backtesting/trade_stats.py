"""Statistics of single trades: wins and losses, streaks, and price excursions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from domain.backtesting.market import AssetMarket
from domain.backtesting.result import BacktestResult
from domain.market.instruments import Side
from domain.trading.orders import ExitReason
from domain.trading.positions import Trade

_AT_STOP = (ExitReason.STOP_LOSS, ExitReason.TRAILING_STOP)


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeStats:
    """Figures of some trades. Money is quote; None if not defined."""

    average_win: float | None
    """Mean pnl of the winning trades."""
    average_loss: float | None
    """Mean pnl of the losing trades, negative."""
    payoff: float | None
    """Average win / average loss, as a positive number."""
    longest_wins: int
    """Most winning trades in a row, by exit time."""
    longest_losses: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Excursion:
    """How far the price went while a trade was open, fractions of the entry price, >= 0.

    As precise as a candle's high and low: prices of the entry's candle before the entry count too.
    Of the exit's candle only the exit price counts.
    """

    adverse: float
    """MAE: against the position."""
    favorable: float
    """MFE: for it."""


def trade_stats(trades: Sequence[Trade]) -> TradeStats:
    """Return the figures of some trades, in the order of their exits."""
    pnl = [float(trade.pnl) for trade in trades]
    win, loss = (_mean(value for value in pnl if sign * value > 0) for sign in (1, -1))
    return TradeStats(
        average_win=win,
        average_loss=loss,
        payoff=None if win is None or loss is None else win / -loss,
        longest_wins=_longest(value > 0 for value in pnl),
        longest_losses=_longest(value < 0 for value in pnl),
    )


def excursions(result: BacktestResult) -> list[Excursion]:
    """Return the excursions of each trade, in the same order."""
    return [_excursion(trade, result.market.assets[trade.asset]) for trade in result.trades]


def _excursion(trade: Trade, market: AssetMarket) -> Excursion:
    series = market.series
    open_ms, step_ms = int(series.open_time_ms[0]), series.candle_ms
    first = (trade.entry_ms - open_ms) // step_ms
    entry, leaves = float(trade.entry_price), float(trade.exit_price)
    # The exit's candle continued without the trade: a stop was its worst price, a target its
    # best. An exit at a close is filled in the next candle, milliseconds later.
    is_inside = trade.reason in (*_AT_STOP, ExitReason.TAKE_PROFIT)
    whole = slice(first, (trade.exit_ms - is_inside - open_ms) // step_ms)
    highs = [entry, leaves, *series.high[whole].tolist()]
    lows = [entry, leaves, *series.low[whole].tolist()]
    up, down = max(highs) / entry - 1.0, 1.0 - min(lows) / entry
    is_short = trade.side is Side.SELL
    return Excursion(adverse=up if is_short else down, favorable=down if is_short else up)


def _mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return float(np.mean(found)) if found else None


def _longest(flags: Iterable[bool]) -> int:
    longest = run = 0
    for flag in flags:
        run = run + 1 if flag else 0
        longest = max(longest, run)
    return longest

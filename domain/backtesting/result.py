"""The result of a backtest, from which reports, sweeps and figures are made."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from domain.backtesting.market import Market
from domain.fast_init import fast_init
from domain.market.candles import Flags, Times
from domain.market.indicators import Array
from domain.portfolio.protection import ProtectionState
from domain.rules import TradingRules
from domain.strategies.history import Line
from domain.trading.decisions import DenialReason, Protection
from domain.trading.positions import Position, Trade


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EquitySeries:
    """The account at every close of the grid, as the portfolio sees it (strategy 10.3 c).

    That is after the fills inside the candle and before those at its close; only the last close
    is taken after its fills, so that the series ends with the final account.
    """

    time_ms: Times
    """(n,), ms since 1970 UTC."""
    balance: Array
    """(n,) float64, quote; wallet balance."""
    equity: Array
    """(n,) float64, quote; balance plus unrealized PnL at the closes."""

    def since(self, start_ms: int) -> "EquitySeries":
        """Return the closes after a time, as views."""
        first = int(np.searchsorted(self.time_ms, start_ms, side="right"))
        return EquitySeries(
            time_ms=self.time_ms[first:], balance=self.balance[first:], equity=self.equity[first:]
        )


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An entry signal that was denied at a close."""

    asset: str
    t_ms: int
    reason: DenialReason
    signal_ms: int
    """Close time of the signal that the entry would have used."""


class AssetHistory(Protocol):
    """The strategy's results at one asset's closes."""

    is_active: Flags
    """(n,) regime ACTIVE, without cooldowns."""

    def lines(self) -> list[Line]:
        """Return the figures at all closes, by the strategy's own names."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BacktestResult:
    """Everything known about a run."""

    rules: TradingRules
    market: Market
    """Candles and averages, by asset."""
    histories: Mapping[str, AssetHistory]
    """Regimes and figures of the strategy, by asset."""
    trades: list[Trade]
    """By exit time, then by the order of assets in the settings."""
    open_positions: list[Position]
    """Open positions at the end; they are not trades."""
    refused: list[Refused]
    """By time, then by the order of assets in the settings."""
    protections: list[Protection]
    """Emergencies and halts, by time."""
    equity: EquitySeries
    protection: ProtectionState
    """State at the end: peak, start of the day, what has fired; equity as of its last change."""
    counts_from_ms: int | None = None
    """What is before it was not traded and does not count; None: everything counts."""

    @property
    def begin_ms(self) -> int:
        """Start of what counts."""
        return self.market.first_open_ms if self.counts_from_ms is None else self.counts_from_ms

    @property
    def is_halted(self) -> bool:
        """Tell whether the portfolio is halted at the end."""
        return self.protection.is_halted

    @property
    def candles(self) -> int:
        """Candles of all assets, those carried forward included."""
        return self.market.candles

    @property
    def initial_balance(self) -> float:
        """Quote."""
        return float(self.rules.fills.initial_balance)

    @property
    def refusals_by_reason(self) -> Mapping[DenialReason, int]:
        """One count per signal and close (7.5)."""
        return Counter(refused.reason for refused in self.refused)

    @property
    def exits_by_reason(self) -> Mapping[str, int]:
        """Number of trades by the reason of their end."""
        return Counter(trade.reason for trade in self.trades)

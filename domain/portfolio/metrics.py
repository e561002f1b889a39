"""Present figures of the portfolio and of each pair (multi-pair 6.7).

Money is counted, never added up from percentages: realized PnL is the cash of all executions
(fees and funding of open positions included), so that equity = paid in + realized + unrealized.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from domain.market.instruments import Side
from domain.portfolio.groups import deployed_of
from domain.portfolio.snapshots import PairTally, PortfolioSnapshot
from domain.rules import TradingRules
from domain.trading.positions import ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class PairMetrics:
    """One pair. Amounts are quote; returns, shares and rates are fractions."""

    asset: str
    side: Side | None
    """Of the open position; None: flat."""
    deployed_capital: Decimal
    closed_positions: int
    unrealized_pnl: Decimal
    realized_pnl: Decimal
    total_return: Decimal | None
    """Total PnL / all money paid in; None if none was."""
    contribution: Decimal | None
    """Share of the portfolio's total PnL; None if that is 0."""
    concentration: Decimal | None
    """Deployed / equity; None: the equity is not positive."""
    win_rate: Decimal | None
    """None before the first closed position."""

    @property
    def unrealized_return(self) -> Decimal | None:
        """Unrealized PnL / deployed amount; None if nothing is deployed."""
        return _share(self.unrealized_pnl, self.deployed_capital)

    @property
    def active_positions(self) -> int:
        """0 or 1."""
        return int(self.side is not None)

    @property
    def total_pnl(self) -> Decimal:
        """Realized and unrealized PnL."""
        return self.realized_pnl + self.unrealized_pnl


@dataclass(frozen=True, slots=True, kw_only=True)
class PortfolioMetrics:
    """All pairs together; units as for one pair."""

    equity: Decimal
    total_capital: Decimal
    """Capital limit of the settings, else the equity."""
    available_capital: Decimal
    deployed_capital: Decimal
    active_positions: int
    closed_positions: int
    unrealized_pnl: Decimal
    realized_pnl: Decimal
    total_return: Decimal | None
    """Total PnL / (starting balance + all transfers); None if that is not positive."""
    concentration: Decimal | None
    """Largest deployed / equity."""
    win_rate: Decimal | None
    pairs: Mapping[str, PairMetrics]
    """By asset, in the order of the settings."""

    @property
    def unrealized_return(self) -> Decimal | None:
        """Unrealized PnL / deployed amount; None if nothing is deployed."""
        return _share(self.unrealized_pnl, self.deployed_capital)

    @property
    def total_pnl(self) -> Decimal:
        """Realized and unrealized PnL."""
        return self.realized_pnl + self.unrealized_pnl


def metrics(found: PortfolioSnapshot, rules: TradingRules) -> PortfolioMetrics:
    unrealized = {
        asset: held.unrealized_pnl(found.prices.get(asset, held.avg_entry_price))
        for asset, held in found.positions.items()
    }
    total_pnl = found.cash + sum(unrealized.values(), ZERO)
    pairs = {
        asset.asset: _pair(asset.asset, unrealized.get(asset.asset, ZERO), total_pnl, found, rules)
        for asset in rules.assets
    }
    deployed = [pair.deployed_capital for pair in pairs.values()]
    tallies = found.tallies.values()
    return PortfolioMetrics(
        equity=found.equity,
        total_capital=found.equity if rules.total_capital is None else rules.total_capital,
        available_capital=found.capital - sum(deployed, ZERO),
        deployed_capital=sum(deployed, ZERO),
        active_positions=len(found.positions),
        closed_positions=found.trades,
        unrealized_pnl=total_pnl - found.cash,
        realized_pnl=found.cash,
        total_return=_share(total_pnl, found.balance - found.cash),
        concentration=_share(max(deployed, default=ZERO), found.equity),
        win_rate=_rate(sum(tally.wins for tally in tallies), found.trades),
        pairs=pairs,
    )


def _pair(
    asset: str,
    unrealized: Decimal,
    total_pnl: Decimal,
    found: PortfolioSnapshot,
    rules: TradingRules,
) -> PairMetrics:
    tally, held = found.tallies.get(asset, PairTally()), found.positions.get(asset)
    deployed = ZERO if held is None else deployed_of(asset, held.notional, rules)
    own_pnl = tally.cash + unrealized
    return PairMetrics(
        asset=asset,
        side=None if held is None else held.side,
        deployed_capital=deployed,
        closed_positions=tally.trades,
        unrealized_pnl=unrealized,
        realized_pnl=tally.cash,
        total_return=_share(own_pnl, found.balance - found.cash),
        contribution=own_pnl / total_pnl if total_pnl else None,
        concentration=_share(deployed, found.equity),
        win_rate=_rate(tally.wins, tally.trades),
    )


def _share(amount: Decimal, whole: Decimal) -> Decimal | None:
    return amount / whole if whole > 0 else None


def _rate(wins: int, trades: int) -> Decimal | None:
    return Decimal(wins) / trades if trades else None

"""Figures of a run, over trades and equity samples."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from domain.portfolio.protection import ProtectionState
from domain.trading.orders import ExitReason
from domain.trading.positions import ZERO, Trade


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeFigures:
    """Figures of some trades. Money is quote."""

    trades: int
    wins: int
    """Number of trades with pnl > 0."""
    pnl: Decimal
    fees: Decimal
    funding: Decimal
    gross_profit: Decimal
    """Total pnl of winning trades."""
    gross_loss: Decimal
    """Total pnl of losing trades, as a positive number."""
    exits: Mapping[ExitReason, int]

    @property
    def win_rate(self) -> float | None:
        """Fraction of winning trades; None without trades."""
        return self.wins / self.trades if self.trades else None

    @property
    def profit_factor(self) -> float | None:
        """Gross profit over gross loss; None without a losing trade."""
        return float(self.gross_profit / self.gross_loss) if self.gross_loss else None


def figures(trades: Sequence[Trade]) -> TradeFigures:
    wins = [trade.pnl for trade in trades if trade.pnl > 0]
    losses = [trade.pnl for trade in trades if trade.pnl < 0]
    return TradeFigures(
        trades=len(trades),
        wins=len(wins),
        pnl=sum((trade.pnl for trade in trades), ZERO),
        fees=sum((trade.fees for trade in trades), ZERO),
        funding=sum((trade.funding for trade in trades), ZERO),
        gross_profit=sum(wins, ZERO),
        gross_loss=-sum(losses, ZERO),
        exits=Counter(trade.reason for trade in trades),
    )


def max_drawdown(samples: Sequence[ProtectionState]) -> Decimal:
    """Return the largest drawdown of the sampled equity, as a fraction of the peak."""
    peak = deepest = ZERO
    for sample in samples:
        peak = max(peak, sample.equity)
        if peak:
            deepest = max(deepest, (peak - sample.equity) / peak)
    return deepest


def in_order(trades: Sequence[Trade], assets: Sequence[str]) -> list[Trade]:
    """Return trades by exit time, then by the order of assets in the settings."""
    return sorted(trades, key=lambda trade: (trade.exit_ms, assets.index(trade.asset)))

"""What people are shown of the present."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from domain.decisions import Report
from domain.positions import Position


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetSnapshot:
    """One asset as its actor sees it."""

    asset: str
    report: Report | None
    """Of the newest close; None before the first."""
    position: Position | None
    closes_seen: int
    cooldown_minutes: int
    """Whole minutes of the asset's own cooldown that are left."""
    cooldown_reason: str
    loss_streak: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PortfolioSnapshot:
    """The portfolio as its actor sees it. Money is quote."""

    balance: Decimal
    equity: Decimal
    exposure: Decimal
    drawdown: Decimal
    """Fraction of the peak, at the newest close."""
    daily_loss: Decimal
    positions: Mapping[str, Position]
    prices: Mapping[str, Decimal]
    global_cooldown_end_ms: int
    is_halted: bool
    is_reduced: bool
    trades: int
    realized_pnl: Decimal

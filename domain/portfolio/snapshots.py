"""Snapshots of the present, for display."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from domain.fast_init import fast_init
from domain.portfolio.rebalancing import Advice
from domain.strategies.explanation import Explanation
from domain.trading.decisions import AssetEvaluation, Denial
from domain.trading.positions import ZERO, Position


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetSnapshot:
    """The state of one asset."""

    asset: str
    report: AssetEvaluation | None
    """Evaluation of the newest close; None before the first."""
    position: Position | None
    closes_seen: int
    cooldown_minutes: int
    """Whole minutes left of the asset's own cooldown."""
    cooldown_reason: str
    loss_streak: int
    cooldown_end_ms: int = 0
    """The asset is in its cooldown at each t before this."""
    newest_signal_ms: int | None = None
    explanation: Explanation | None = None
    """The conditions of the decision at the newest close."""
    denial: Denial | None = None
    """Denial of the newest close's entry signal."""


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class PairTally:
    """Totals over all executions of an asset."""

    cash: Decimal = ZERO
    """Change of the balance, quote: PnL of closed positions, all fees, all funding."""
    trades: int = 0
    wins: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PortfolioSnapshot:
    """The state of the portfolio. Money is quote; assets are in the order of the settings."""

    balance: Decimal
    equity: Decimal
    exposure: Decimal
    drawdown: Decimal
    """Fraction of the peak, at the newest close."""
    daily_loss: Decimal
    """Fraction of the day's first equity, at the newest close; negative on a winning day."""
    positions: Mapping[str, Position]
    prices: Mapping[str, Decimal]
    global_cooldown_end_ms: int
    """The portfolio is in its cooldown at each t before this."""
    is_halted: bool
    is_reduced: bool
    trades: int
    realized_pnl: Decimal
    global_cooldown_reason: str = ""
    """LOSS_STREAK, or the emergency; empty if there was no cooldown yet."""
    streak: int = 0
    """Losing trades in a row."""
    open_correlation: float | None = None
    """Mean pairwise correlation of the open positions at the newest close; None: not judged."""
    correlations: Mapping[tuple[str, str], float | None] = field(default_factory=dict)
    """Of each asset with each other open one at the newest close; None: not judged."""
    paused: tuple[str, ...] = ()
    """Assets that the operator has paused."""
    panic_since_ms: int | None = None
    """Start of the operator's panic; None: there is none."""
    panic_by: str = ""
    """In a panic: who requested it."""
    not_flat: tuple[str, ...] = ()
    """In a panic: assets that the exchange has not yet shown to be flat."""
    outdated: str = ""
    """What the journal was found to lack, until a rearm; empty: nothing."""
    malfunctions: Mapping[str, str] = field(default_factory=dict)
    """What is broken, by its source."""
    suspended: tuple[str, ...] = ()
    """Assets that get no new positions: given up, or frozen."""
    capital: Decimal = ZERO
    """The balance that sizing and limits use."""
    cash: Decimal = ZERO
    """Earned or lost by all executions: the balance without payments."""
    entry_capital: Decimal = ZERO
    """The amount that the loss of capital is measured against; 0: not known."""
    size_multiplier: Decimal = Decimal(1)
    """Size factor of new entries, by drawdown and correlation."""
    tallies: Mapping[str, PairTally] = field(default_factory=dict)
    advice: tuple[Advice, ...] = ()
    """Of each open position, at the newest closes."""
    day_start_equity: Decimal = ZERO
    """Equity at the start of the UTC day; 0: not known."""

    @property
    def unrealized_pnl(self) -> Decimal:
        """PnL of all open positions at the prices, quote; those without a price count as 0."""
        return sum(
            (
                held.unrealized_pnl(self.prices.get(asset, held.avg_entry_price))
                for asset, held in self.positions.items()
            ),
            ZERO,
        )

    @property
    def today(self) -> Decimal:
        """Change of the equity since the start of the UTC day, quote, at the prices."""
        return self.equity - self.day_start_equity if self.day_start_equity else ZERO

    @property
    def today_return(self) -> Decimal:
        """The same as a fraction of the equity at the start of the day."""
        return self.today / self.day_start_equity if self.day_start_equity else ZERO

    def at(self, newest: Mapping[str, Decimal]) -> "PortfolioSnapshot":
        """Return the snapshot valued at newer prices, by asset.

        Drawdown and daily loss stay as they were judged at the newest close.
        """
        valued = replace(self, prices={**self.prices, **newest})
        moved = valued.unrealized_pnl - self.unrealized_pnl
        return replace(valued, equity=self.equity + moved)


@dataclass(frozen=True, slots=True, kw_only=True)
class StopSnapshot:
    """The stop of an open position."""

    stop_loss: Decimal
    """The level where it should be."""
    best: Decimal | None
    """Most favourable price since the entry; None if the stop does not trail."""
    is_armed: bool
    """Whether a trailing stop has moved from its first level."""
    confirmed_stop_loss: Decimal | None
    """The level that the exchange reported last; None: it reported none."""
    confirmed_ms: int | None
    """When the exchange reported it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionSnapshot:
    """One asset's orders and stops."""

    asset: str
    is_unprotected: bool
    """The open position had no stop at the exchange at the last check."""
    stop: StopSnapshot | None = None
    """None if nothing is open."""

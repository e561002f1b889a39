"""What people are shown of the present."""

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
    """One asset as its actor sees it."""

    asset: str
    report: AssetEvaluation | None
    """Of the newest close; None before the first."""
    position: Position | None
    closes_seen: int
    cooldown_minutes: int
    """Whole minutes of the asset's own cooldown that are left."""
    cooldown_reason: str
    loss_streak: int
    cooldown_end_ms: int = 0
    """The asset rests at each t before this."""
    newest_signal_ms: int | None = None
    explanation: Explanation | None = None
    """Why the newest close was decided as it was."""
    denial: Denial | None = None
    """Of the entry signal of the newest close."""


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class PairTally:
    """What all executions of an asset have come to."""

    cash: Decimal = ZERO
    """Change of the balance, quote: PnL of what was closed, all fees, all funding."""
    trades: int = 0
    wins: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PortfolioSnapshot:
    """The portfolio as its actor sees it. Money is quote; assets stand in the settings' order."""

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
    """The portfolio rests at each t before this."""
    is_halted: bool
    is_reduced: bool
    trades: int
    realized_pnl: Decimal
    global_cooldown_reason: str = ""
    """LOSS_STREAK, or which emergency; empty where there was no cooldown yet."""
    streak: int = 0
    """Losing trades in a row."""
    open_correlation: float | None = None
    """Mean pairwise correlation of the open positions at the newest close; None: not judged."""
    correlations: Mapping[tuple[str, str], float | None] = field(default_factory=dict)
    """Of each asset with each other open one at the newest close; None: not judged."""
    paused: tuple[str, ...] = ()
    """Assets that the operator has paused."""
    panic_since_ms: int | None = None
    """Since when the operator lets nothing be open at all; None: it may."""
    panic_by: str = ""
    """In a panic: who asked for it."""
    not_flat: tuple[str, ...] = ()
    """In a panic: assets of which the exchange has not said yet that nothing is open."""
    outdated: str = ""
    """What the journal is found to lack, until a rearm; empty where it lacks nothing."""
    malfunctions: Mapping[str, str] = field(default_factory=dict)
    """What is broken, by its source."""
    suspended: tuple[str, ...] = ()
    """Assets that get no new positions: given up, or frozen."""
    capital: Decimal = ZERO
    """What sizing and limits use as the balance."""
    cash: Decimal = ZERO
    """Earned or lost by all executions: the balance without what was paid in."""
    entry_capital: Decimal = ZERO
    """What the loss of capital is measured against; 0: not known."""
    size_multiplier: Decimal = Decimal(1)
    """On new entries, by drawdown and correlation."""
    tallies: Mapping[str, PairTally] = field(default_factory=dict)
    advice: tuple[Advice, ...] = ()
    """Of each open position, at the newest closes."""
    day_start_equity: Decimal = ZERO
    """What the UTC day began with; 0: not known."""

    @property
    def unrealized_pnl(self) -> Decimal:
        """PnL of all open positions at the prices, quote; one without a price counts as 0."""
        return sum(
            (
                held.unrealized_pnl(self.prices.get(asset, held.avg_entry_price))
                for asset, held in self.positions.items()
            ),
            ZERO,
        )

    @property
    def today(self) -> Decimal:
        """Change of the equity since the UTC day began, quote, at the prices."""
        return self.equity - self.day_start_equity if self.day_start_equity else ZERO

    @property
    def today_return(self) -> Decimal:
        """The same as a fraction of what the day began with."""
        return self.today / self.day_start_equity if self.day_start_equity else ZERO

    def at(self, newest: Mapping[str, Decimal]) -> "PortfolioSnapshot":
        """Return it valued at newer prices, by asset.

        Drawdown and daily loss stay as they were judged at the newest close.
        """
        valued = replace(self, prices={**self.prices, **newest})
        moved = valued.unrealized_pnl - self.unrealized_pnl
        return replace(valued, equity=self.equity + moved)


@dataclass(frozen=True, slots=True, kw_only=True)
class StopSnapshot:
    """The stop of an open position as its execution knows it."""

    stop_loss: Decimal
    """Where it belongs."""
    best: Decimal | None
    """The most favourable price since the entry; None where the stop does not trail."""
    is_armed: bool
    """A trailing stop was moved from where the entry put it."""
    confirmed_stop_loss: Decimal | None
    """Where the exchange said last that it stands; None where it has said of none."""
    confirmed_ms: int | None
    """When it said so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionSnapshot:
    """One asset's orders and stops as its execution sees them."""

    asset: str
    is_unprotected: bool
    """The open position had no stop at the exchange when it was looked at last."""
    stop: StopSnapshot | None = None
    """None where nothing is open."""

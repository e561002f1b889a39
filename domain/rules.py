"""The numbers of the strategy, as the domain uses them.

Settings are read and checked in `infra/settings`, which fills these values once; nothing here
has a default, so that each default is in one place: `settings.yaml`.
Fractions are fractions: 0.07 is seven percent. Money and prices are USDT.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from domain.market.funding import FundingRule
from domain.market.instruments import Instrument
from domain.strategies.base import CandleRules, StrategySpec


@dataclass(frozen=True, slots=True, kw_only=True)
class StopPolicy:
    """How a position is protected and when it ends by itself (5.3, 6.2; multi-pair 4).

    Always true: `stop_loss_fraction` or `trail_fraction` is set. Fractions are of the price.
    """

    stop_loss_fraction: Decimal | None
    take_profit_fraction: Decimal | None
    trail_fraction: Decimal | None
    """Distance of the trailing stop from the best price; None: the stop stays where it is."""
    min_ratchet_fraction: Decimal
    """The stop moves only by more than this fraction of itself."""
    max_hold_ms: int | None

    @property
    def first_distance(self) -> Decimal:
        """Distance of the first stop from the entry, a fraction of it: the smaller one set."""
        found = [d for d in (self.stop_loss_fraction, self.trail_fraction) if d is not None]
        return min(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryTerms:
    """Terms that a position keeps from its opening until it is flat, whatever the settings say."""

    strategy: StrategySpec
    stops: StopPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskRules:
    """How much a position may lose (section 5)."""

    unprotected_position_ms: int
    trail_interval_ms: int
    """Least time between two moves of a trailing stop at the exchange."""
    volatility_sizing: bool
    volatility_target: float
    """Standard deviation of one candle's log return at which the full size is taken."""
    volatility_min_multiplier: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectionRules:
    """When the whole portfolio is protected (section 8). None: that protection is off."""

    drawdown_steps: tuple[tuple[Decimal, Decimal], ...]
    """Drawdowns from which new entries are smaller, rising, each with its size multiplier."""
    drawdown_restore_fraction: Decimal
    """Below it entries have their full size again."""
    drawdown_emergency_fraction: Decimal | None
    drawdown_rearm_fraction: Decimal
    drawdown_halt_fraction: Decimal | None
    max_daily_loss_fraction: Decimal | None
    capital_loss_fraction: Decimal | None
    """Fraction of the entry capital whose loss closes everything and halts; positive."""
    high_correlation_threshold: float | None
    high_correlation_size_level: float | None
    """Mean correlation of the open positions above which new entries are smaller."""
    high_correlation_size_multiplier: Decimal
    loss_streak: int | None
    """Losing trades in a row over the whole portfolio."""
    loss_streak_cooldown_ms: int
    emergency_cooldown_ms: int
    stale_data_ms: int
    malfunction_closes_all: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CooldownRules:
    """Cooldowns of an asset after a trade (section 9). None: no cooldown for that reason."""

    short_hold_ms: int | None
    short_hold_cooldown_ms: int
    loss_streak: int | None
    loss_streak_cooldown_ms: int
    trades_per_hour: int | None
    trades_per_hour_cooldown_ms: int
    trades_per_day: int | None
    trades_per_day_cooldown_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRules:
    """What the portfolio approves (section 7; multi-pair 6). None: no such limit.

    Exposures and amounts are multiples of the balance: 2.1 is 210 percent.
    """

    max_total_exposure: Decimal
    """Gross exposure."""
    max_positions: int
    max_simultaneous_entries: int | None
    correlation_limit: float | None
    max_position_size: Decimal | None
    """Deployed amount (notional / leverage) of one position."""
    max_correlated_exposure: Decimal | None
    """Exposure of one correlation group."""
    correlation_group_threshold: float
    """Correlation above which an asset counts in the group of an asset without a named group."""
    max_concentration: Decimal | None
    """Total deployed amount of the largest positions of one group."""
    concentration_top_n: int
    """How many of the largest count, the new one included."""
    min_entry_fraction: Decimal
    coordination_window_ms: int
    reservation_ms: int
    max_concurrent_submissions: int
    """Entry orders in flight at once, over all assets."""
    rebalance_threshold: Decimal | None
    """Drift of a position's weight from its target above which rebalancing is advised."""
    max_spread_bps: Decimal | None = None
    """Spread at the exchange above which nothing is opened. Live only."""
    max_depth_share: Decimal | None = None
    """Fraction of the order book within 10 basis points that an entry may take. Live only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetRules:
    """One asset's share, strategy, stops and instrument."""

    asset: str
    """Base coin: BTC."""
    allocation_fraction: Decimal
    leverage: Decimal
    instrument: Instrument
    terms: EntryTerms
    correlation_group: str | None = None

    @property
    def stops(self) -> StopPolicy:
        """The stop policy of new positions."""
        return self.terms.stops


@dataclass(frozen=True, slots=True, kw_only=True)
class FillRules:
    """What the matching engine charges (section 10)."""

    initial_balance: Decimal
    slippage_fraction: Decimal
    taker_fee_rate: Decimal
    funding: FundingRule
    stop_gap_fraction: Decimal = Decimal(0)
    """How far a stop inside a candle fills past its trigger, as a fraction of the way to the
    candle's extreme."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CapitalChange:
    """A change of the capital that may be used, from a time on. Quote; None: the whole wallet."""

    ts_ms: int
    before: Decimal | None
    limit: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingRules:
    """All rules of one run. `assets` is in the order of the settings, which breaks every tie."""

    candles: CandleRules
    risk: RiskRules
    protection: ProtectionRules
    cooldown: CooldownRules
    approval: ApprovalRules
    fills: FillRules
    assets: tuple[AssetRules, ...]
    total_capital: Decimal | None = None
    """Quote; what sizing and limits use at most, plus what was earned or lost since."""
    capital_changes: tuple[CapitalChange, ...] = ()
    """Of the capital in the run so far, oldest first; none: it was set before the first trade."""

    order: tuple[str, ...] = ()
    """All assets that the books may contain, including those that left, in the order that breaks
    every tie; empty: those of `assets`."""

    joins_ms: Mapping[str, int] = field(default_factory=dict)
    """By asset the first close that it takes part in, where it was added to the run."""

    @property
    def former(self) -> tuple[str, ...]:
        """Assets that are no longer traded: what they earned or lost stays in the books."""
        if not self.order:
            return ()
        traded = {rules.asset for rules in self.assets}
        return tuple(asset for asset in self.order if asset not in traded)

    @property
    def trailing(self) -> tuple[AssetRules, ...]:
        """The assets whose positions open with a trailing stop."""
        return tuple(asset for asset in self.assets if asset.stops.trail_fraction is not None)

    def order_of(self, asset: str) -> int:
        """Return the asset's place in the order that breaks every tie.

        Raises:
            KeyError: there is no such asset.
        """
        for index, name in enumerate(self.order or (rules.asset for rules in self.assets)):
            if name == asset:
                return index
        raise KeyError(asset)

    def asset(self, name: str) -> AssetRules:
        """Return the rules of a traded asset.

        Raises:
            KeyError: it is not traded.
        """
        for rules in self.assets:
            if rules.asset == name:
                return rules
        raise KeyError(name)

    def assets_at(self, t_ms: int) -> list[str]:
        """Return the assets that have joined by a close, in the order of the settings."""
        joins_ms = self.joins_ms
        return [r.asset for r in self.assets if joins_ms.get(r.asset, 0) <= t_ms]

"""The numbers of the strategy, as the domain uses them.

Settings are read and checked in `infra/settings`, which fills these values once; nothing here
has a default, so that each default stands in one place: `settings.yaml`.
Fractions are fractions: 0.07 is seven percent. Money and prices are USDT.
"""

from dataclasses import dataclass
from decimal import Decimal

from domain.market.instruments import Instrument
from domain.strategies.crosses import CrossKind


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyRules:
    """When an asset is short, and when it lets go (strategy sections 1 to 4 and 6)."""

    candle_ms: int
    ema_short_period: int
    ema_long_period: int
    warmup_candles: int
    """Closes that only feed the indicators."""
    entry_crosses: tuple[CrossKind, ...]
    """Each at most once."""
    cross_threshold: int
    """Crosses a UTC day: at this count nothing is opened, above it a position is closed."""
    entry_window_ms: int
    entry_max_age_ms: int
    max_hold_ms: int
    volatility_window: int
    """Log returns in volatility and correlation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskRules:
    """What a position may lose (section 5)."""

    stop_loss_fraction: Decimal
    take_profit_fraction: Decimal
    unprotected_position_ms: int
    volatility_sizing: bool
    volatility_target: float
    """Standard deviation of one candle's log return at which the full size is taken."""
    volatility_min_multiplier: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectionRules:
    """When the whole portfolio is protected (section 8)."""

    drawdown_reduce_fraction: Decimal
    drawdown_restore_fraction: Decimal
    drawdown_size_multiplier: Decimal
    drawdown_emergency_fraction: Decimal
    drawdown_rearm_fraction: Decimal
    drawdown_halt_fraction: Decimal
    max_daily_loss_fraction: Decimal
    high_correlation_threshold: float
    loss_streak: int
    """Losing trades in a row over the whole portfolio."""
    loss_streak_cooldown_ms: int
    emergency_cooldown_ms: int
    stale_data_ms: int
    malfunction_closes_all: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CooldownRules:
    """How long an asset rests after a trade (section 9)."""

    short_hold_ms: int
    short_hold_cooldown_ms: int
    loss_streak: int
    loss_streak_cooldown_ms: int
    trades_per_hour: int
    trades_per_hour_cooldown_ms: int
    trades_per_day: int
    trades_per_day_cooldown_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRules:
    """What the portfolio grants (section 7)."""

    max_total_exposure: Decimal
    """Gross exposure as a multiple of the balance: 2.1 is 210 percent."""
    max_positions: int
    max_simultaneous_entries: int
    correlation_limit: float
    max_correlated_exposure: Decimal | None
    """Exposure of one correlation group as a multiple of the balance; None: no cap."""
    correlation_group_threshold: float
    min_entry_fraction: Decimal
    coordination_window_ms: int
    reservation_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetRules:
    """One asset's share and instrument."""

    asset: str
    """Base coin: BTC."""
    allocation_fraction: Decimal
    leverage: Decimal
    instrument: Instrument


@dataclass(frozen=True, slots=True, kw_only=True)
class FillRules:
    """What the matching engine charges (section 10)."""

    initial_balance: Decimal
    slippage_fraction: Decimal
    taker_fee_rate: Decimal
    funding_rate: Decimal
    """Fraction of the notional per settlement; positive: shorts receive."""
    funding_interval_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingRules:
    """All rules of one run. `assets` is in the order of the settings, which breaks every tie."""

    strategy: StrategyRules
    risk: RiskRules
    protection: ProtectionRules
    cooldown: CooldownRules
    approval: ApprovalRules
    fills: FillRules
    assets: tuple[AssetRules, ...]

    def order_of(self, asset: str) -> int:
        """Return the asset's place in the settings."""
        for place, rules in enumerate(self.assets):
            if rules.asset == asset:
                return place
        raise KeyError(asset)

    def asset(self, name: str) -> AssetRules:
        """Return one asset's rules."""
        return self.assets[self.order_of(name)]

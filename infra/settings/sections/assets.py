"""Settings of what is traded, and how much of it."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated

from domain.market.instruments import Instrument
from domain.rules import ApprovalRules
from domain.strategies.registry import BUILT_IN, EMA_CROSS_SHORT
from infra.settings import fields
from infra.settings.sections.values import (
    SECOND_MS,
    Candles,
    Correlation,
    Count,
    Exposure,
    Flag,
    Fraction,
    HoldHours,
    Ms,
    Positive,
    Ratchet,
    RsiLevel,
    Seconds,
    Section,
    Share,
    Symbol,
    ms,
)

StrategyName = Annotated[
    str, fields.name_or(BUILT_IN, r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", "module:Class")
]


QUOTE = "USDT"

MAY_BE_NONE = frozenset({"stop_loss_pct", "take_profit_pct", "trail_pct", "max_hold_hours"})
"""Settings of an asset for which null means none, whatever its strategy's section says."""


class InstrumentSettings(Section):
    """Order filters, used where no exchange is queried."""

    qty_step: Positive
    min_order_qty: Positive
    tick_size: Positive
    min_notional_value: Positive
    max_market_order_qty: Positive

    def instrument(self, symbol: str) -> Instrument:
        """Return the domain's instrument."""
        return Instrument(
            symbol=symbol,
            qty_step=self.qty_step,
            min_order_qty=self.min_order_qty,
            tick_size=self.tick_size,
            min_notional=self.min_notional_value,
            max_market_order_qty=self.max_market_order_qty,
        )


class AssetSettings(Section):
    """One asset's strategy and share; what is left out comes from the strategy's section."""

    symbol: Symbol
    enabled: Flag = True
    strategy: StrategyName = EMA_CROSS_SHORT
    correlation_group: (
        Annotated[str, fields.text(r"[A-Za-z0-9_][A-Za-z0-9_ .-]{0,39}", "a group's name")] | None
    ) = None
    allocation_pct: Share | None = None
    leverage: Annotated[Decimal, fields.leverage("100")] | None = None
    trail_pct: Fraction | None = None
    min_ratchet_pct: Ratchet | None = None
    stop_loss_pct: Fraction | None = None
    take_profit_pct: Fraction | None = None
    max_hold_hours: HoldHours | None = None
    entry_confirmation_level: Annotated[int, fields.whole("of 3 confirmations", 1, 3)] | None = None
    max_entry_wait_candles: Annotated[int, fields.whole("candles", 0, 1000)] | None = None
    ema_trigger_period: Candles | None = None
    ema_trend_period: Candles | None = None
    macd_fast_period: Candles | None = None
    macd_slow_period: Candles | None = None
    macd_signal_period: Candles | None = None
    rsi_period: Candles | None = None
    rsi_level: RsiLevel | None = None
    parameters: Mapping[str, str] = {}
    """Parameters of a strategy named `module:Class`."""

    def says(self, name: str) -> bool:
        """Tell whether the asset overrides the section: by a value, or by null that means none."""
        return getattr(self, name) is not None or (
            name in MAY_BE_NONE and name in self.model_fields_set
        )


class PortfolioSettings(Section):
    """Which assets are traded and what they may hold together."""

    total_allocation_pct: Share
    assets: tuple[AssetSettings, ...]
    total_capital: Annotated[Decimal, fields.number("USDT, or null", "1", "1000000000000")] | None
    max_total_exposure_pct: Exposure
    max_positions: Annotated[int, fields.whole("positions, or null", 1, 1000)] | None
    max_simultaneous_entries: Count | None
    max_concurrent_submissions: Count
    correlation_limit: Correlation | None
    max_position_size_pct: Share | None
    max_correlated_exposure_pct: Exposure | None
    correlation_group_threshold: Correlation
    max_concentration_pct: Exposure | None
    concentration_top_n: Count
    emergency_liquidation_loss_pct: Annotated[Decimal, fields.fraction("-0.999", "-0.001")] | None
    rebalance_threshold_pct: Fraction | None
    max_spread_bps: Annotated[Decimal, fields.basis_points("0.01", "1000")] | None
    max_depth_share: Share | None
    min_entry_fraction: Share
    coordination_window_ms: Ms
    reservation_seconds: Seconds

    @property
    def enabled_assets(self) -> tuple[AssetSettings, ...]:
        """Return the assets that are traded, in the order of the settings."""
        return tuple(asset for asset in self.assets if asset.enabled)

    @property
    def order(self) -> tuple[str, ...]:
        """Return all assets, in the order of the settings, including those no longer traded."""
        names = tuple(asset.symbol.removesuffix(QUOTE) for asset in self.assets)
        return names if len(self.enabled_assets) < len(self.assets) else ()

    def grant_rules(self) -> ApprovalRules:
        """Return the rules by which the portfolio approves entries."""
        limit, correlation = self.max_positions, self.correlation_limit
        return ApprovalRules(
            max_total_exposure=self.max_total_exposure_pct,
            max_positions=len(self.enabled_assets) if limit is None else limit,
            max_simultaneous_entries=self.max_simultaneous_entries,
            max_concurrent_submissions=self.max_concurrent_submissions,
            correlation_limit=None if correlation is None else float(correlation),
            max_position_size=self.max_position_size_pct,
            max_correlated_exposure=self.max_correlated_exposure_pct,
            correlation_group_threshold=float(self.correlation_group_threshold),
            max_concentration=self.max_concentration_pct,
            concentration_top_n=self.concentration_top_n,
            rebalance_threshold=self.rebalance_threshold_pct,
            max_spread_bps=self.max_spread_bps,
            max_depth_share=self.max_depth_share,
            min_entry_fraction=self.min_entry_fraction,
            coordination_window_ms=self.coordination_window_ms,
            reservation_ms=ms(self.reservation_seconds, SECOND_MS),
        )

"""What is traded, and how much of it."""

from decimal import Decimal
from typing import Annotated

from domain.market.instruments import Instrument
from domain.rules import ApprovalRules, AssetRules
from infra.settings import fields
from infra.settings.sections.values import (
    SECOND_MS,
    Correlation,
    Count,
    Exposure,
    Flag,
    Ms,
    Positive,
    Seconds,
    Section,
    Share,
    Symbol,
    ms,
)

_QUOTE = "USDT"


class InstrumentSettings(Section):
    """An exchange's filters where no exchange is asked."""

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
    """One asset's share of the balance."""

    symbol: Symbol
    allocation_pct: Share
    leverage: Annotated[Decimal, fields.leverage("100")]
    enabled: Flag

    def rules(self, instrument: InstrumentSettings) -> AssetRules:
        """Return the rules of the asset, named after its base coin."""
        return AssetRules(
            asset=self.symbol.removesuffix(_QUOTE),
            allocation_fraction=self.allocation_pct,
            leverage=self.leverage,
            instrument=instrument.instrument(self.symbol),
        )


class PortfolioSettings(Section):
    """Which assets are traded and what they may hold together."""

    total_allocation_pct: Share
    assets: tuple[AssetSettings, ...]
    max_total_exposure_pct: Exposure
    max_positions: Annotated[int, fields.whole("positions, or null", 1, 1000)] | None
    max_simultaneous_entries: Count
    correlation_limit: Correlation
    max_correlated_exposure_pct: Exposure | None
    correlation_group_threshold: Correlation
    min_entry_fraction: Share
    coordination_window_ms: Ms
    reservation_seconds: Seconds

    @property
    def enabled_assets(self) -> tuple[AssetSettings, ...]:
        """Return the assets that are traded, in the order of the settings."""
        return tuple(asset for asset in self.assets if asset.enabled)

    def grant_rules(self) -> ApprovalRules:
        """Return what the portfolio grants."""
        limit = self.max_positions
        return ApprovalRules(
            max_total_exposure=self.max_total_exposure_pct,
            max_positions=len(self.enabled_assets) if limit is None else limit,
            max_simultaneous_entries=self.max_simultaneous_entries,
            correlation_limit=float(self.correlation_limit),
            max_correlated_exposure=self.max_correlated_exposure_pct,
            correlation_group_threshold=float(self.correlation_group_threshold),
            min_entry_fraction=self.min_entry_fraction,
            coordination_window_ms=self.coordination_window_ms,
            reservation_ms=ms(self.reservation_seconds, SECOND_MS),
        )

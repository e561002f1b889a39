"""The terms of one asset: its own settings, or else those of its strategy's section."""

from decimal import Decimal, InvalidOperation
from typing import TypeVar

from domain.market.instruments import HOUR_MS, Instrument
from domain.rules import AssetRules, EntryTerms, StopPolicy
from domain.strategies.base import Parameter, Parameters, StrategySpec
from domain.strategies.registry import CONFIRMED_TREND_LONG, EMA_CROSS_SHORT
from infra.settings.sections.assets import QUOTE, AssetSettings
from infra.settings.sections.strategy import ConfirmedTrendSettings, RiskSettings, StrategySettings
from infra.settings.sections.values import ms

DEFAULTS = {
    "allocation_pct": Decimal("0.07"),
    "leverage": Decimal(10),
    "min_ratchet_pct": Decimal("0.01"),
}
"""Default for assets not using confirmed_trend_long, if neither they nor a section set it (5.1)."""

_TREND = (
    "ema_trigger_period",
    "ema_trend_period",
    "macd_fast_period",
    "macd_slow_period",
    "macd_signal_period",
    "rsi_period",
    "entry_confirmation_level",
    "max_entry_wait_candles",
)
"""Parameters of confirmed_trend_long that are whole numbers."""

Value = TypeVar("Value")


def asset_rules(
    asset: AssetSettings,
    instrument: Instrument,
    strategy: StrategySettings,
    trend: ConfirmedTrendSettings,
    risk: RiskSettings,
) -> AssetRules:
    """Return the rules of an asset, named after its base coin."""
    is_trend = asset.strategy == CONFIRMED_TREND_LONG
    allocation = trend.allocation_pct if is_trend else DEFAULTS["allocation_pct"]
    leverage = trend.leverage if is_trend else DEFAULTS["leverage"]
    return AssetRules(
        asset=asset.symbol.removesuffix(QUOTE),
        allocation_fraction=_own(asset.allocation_pct, allocation),
        leverage=_own(asset.leverage, leverage),
        instrument=instrument,
        terms=EntryTerms(
            strategy=strategy_spec(asset, strategy, trend),
            stops=_trend_stops(asset, trend) if is_trend else _stops(asset, strategy, risk),
        ),
        correlation_group=asset.correlation_group,
    )


def _own(value: Value | None, default: Value) -> Value:
    return default if value is None else value


def _said(asset: AssetSettings, name: str, default: Decimal | None) -> Decimal | None:
    said: Decimal | None = getattr(asset, name)
    return said if asset.says(name) else default


def strategy_spec(
    asset: AssetSettings, strategy: StrategySettings, trend: ConfirmedTrendSettings
) -> StrategySpec:
    """Return the strategy of an asset with its parameters."""
    if asset.strategy == EMA_CROSS_SHORT:
        return StrategySpec(name=EMA_CROSS_SHORT, parameters=strategy.parameters())
    if asset.strategy == CONFIRMED_TREND_LONG:
        return StrategySpec(name=CONFIRMED_TREND_LONG, parameters=_trend_parameters(asset, trend))
    parameters = {name: _parsed(text) for name, text in asset.parameters.items()}
    return StrategySpec(name=asset.strategy, parameters=parameters)


def _trend_parameters(asset: AssetSettings, trend: ConfirmedTrendSettings) -> Parameters:
    said = {name: _own(getattr(asset, name), getattr(trend, name)) for name in _TREND}
    return said | {"rsi_level": float(_own(asset.rsi_level, trend.rsi_level))}


def _parsed(text: str) -> Parameter:
    """Return a parameter of a user-defined strategy as the number it looks like."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    return int(number) if "." not in text and "e" not in text.lower() else float(number)


def _trend_stops(asset: AssetSettings, trend: ConfirmedTrendSettings) -> StopPolicy:
    hours = _said(asset, "max_hold_hours", trend.max_hold_hours)
    return StopPolicy(
        stop_loss_fraction=_said(asset, "stop_loss_pct", trend.stop_loss_pct),
        take_profit_fraction=_said(asset, "take_profit_pct", trend.take_profit_pct),
        trail_fraction=_said(asset, "trail_pct", trend.trail_pct),
        min_ratchet_fraction=_own(asset.min_ratchet_pct, trend.min_ratchet_pct),
        max_hold_ms=None if hours is None else ms(hours, HOUR_MS),
    )


def _stops(asset: AssetSettings, strategy: StrategySettings, risk: RiskSettings) -> StopPolicy:
    hours = _said(asset, "max_hold_hours", strategy.max_hold_hours)
    return StopPolicy(
        stop_loss_fraction=_said(asset, "stop_loss_pct", risk.stop_loss_pct),
        take_profit_fraction=_said(asset, "take_profit_pct", risk.take_profit_pct),
        trail_fraction=asset.trail_pct,
        min_ratchet_fraction=_own(asset.min_ratchet_pct, DEFAULTS["min_ratchet_pct"]),
        max_hold_ms=None if hours is None else ms(hours, HOUR_MS),
    )

"""When a position is opened and closed, and what may be lost with it."""

from decimal import Decimal
from typing import Annotated

from domain.market.instruments import HOUR_MS, MINUTE_MS
from domain.rules import CooldownRules, ProtectionRules, RiskRules, StrategyRules
from domain.strategies.crosses import CrossKind
from infra.settings import fields
from infra.settings.sections.values import (
    SECOND_MS,
    Candles,
    Correlation,
    Count,
    Flag,
    Fraction,
    Hours,
    Minutes,
    Ms,
    Seconds,
    Section,
    Share,
    ms,
)


class StrategySettings(Section):
    """When an asset enters and leaves."""

    candle_minutes: Annotated[
        int, fields.one_of(("1", "3", "5", "15", "30", "60", "120", "240", "360", "720"))
    ]
    ema_short_period: Candles
    ema_long_period: Candles
    warmup_candles: Candles
    entry_crosses: tuple[Annotated[CrossKind, fields.one_of(CrossKind)], ...]
    cross_threshold: Count
    entry_window_minutes: Minutes
    entry_max_age_ms: Ms
    max_hold_hours: Annotated[Decimal, fields.number("hours", "0.01", "8760")]
    volatility_window: Candles

    def rules(self) -> StrategyRules:
        """Return the rules of entry and exit."""
        return StrategyRules(
            candle_ms=self.candle_minutes * MINUTE_MS,
            ema_short_period=self.ema_short_period,
            ema_long_period=self.ema_long_period,
            warmup_candles=self.warmup_candles,
            entry_crosses=tuple(dict.fromkeys(self.entry_crosses)),
            cross_threshold=self.cross_threshold,
            entry_window_ms=self.entry_window_minutes * MINUTE_MS,
            entry_max_age_ms=self.entry_max_age_ms,
            max_hold_ms=ms(self.max_hold_hours, HOUR_MS),
            volatility_window=self.volatility_window,
        )


class AssetCooldownSettings(Section):
    """How long an asset rests after a trade."""

    short_hold_hours: Hours
    short_hold_cooldown_hours: Hours
    loss_streak: Count
    loss_streak_cooldown_hours: Hours
    trades_per_hour: Count
    trades_per_hour_cooldown_minutes: Minutes
    trades_per_day: Count
    trades_per_day_cooldown_hours: Hours

    def rules(self) -> CooldownRules:
        """Return the rules of an asset's cooldowns."""
        return CooldownRules(
            short_hold_ms=ms(self.short_hold_hours, HOUR_MS),
            short_hold_cooldown_ms=ms(self.short_hold_cooldown_hours, HOUR_MS),
            loss_streak=self.loss_streak,
            loss_streak_cooldown_ms=ms(self.loss_streak_cooldown_hours, HOUR_MS),
            trades_per_hour=self.trades_per_hour,
            trades_per_hour_cooldown_ms=self.trades_per_hour_cooldown_minutes * MINUTE_MS,
            trades_per_day=self.trades_per_day,
            trades_per_day_cooldown_ms=ms(self.trades_per_day_cooldown_hours, HOUR_MS),
        )


class GlobalCooldownSettings(Section):
    """How long the whole portfolio rests."""

    loss_streak_cooldown_hours: Hours
    emergency_cooldown_hours: Hours


class CooldownSettings(Section):
    """How long an asset or the portfolio rests."""

    per_asset_settings: AssetCooldownSettings
    global_settings: GlobalCooldownSettings


class ExecutionSettings(Section):
    """How orders and stops are watched."""

    reconcile_seconds: Seconds
    naked_position_seconds: Seconds


class RiskSettings(Section):
    """What a position and the portfolio may lose."""

    stop_loss_pct: Fraction
    take_profit_pct: Fraction
    volatility_sizing: Flag
    volatility_target: Annotated[Decimal, fields.fraction("0.00001", "0.05")]
    volatility_min_multiplier: Share
    drawdown_levels: tuple[Fraction, Fraction]
    drawdown_size_multiplier: Share
    drawdown_restore_pct: Fraction
    drawdown_rearm_pct: Fraction
    max_portfolio_drawdown_pct: Fraction
    max_daily_loss_pct: Fraction
    high_correlation_threshold: Correlation
    portfolio_loss_streak: Count
    stale_data_seconds: Seconds
    malfunction_closes_all: Flag

    def rules(self, execution: ExecutionSettings) -> RiskRules:
        """Return what one position may lose."""
        return RiskRules(
            stop_loss_fraction=self.stop_loss_pct,
            take_profit_fraction=self.take_profit_pct,
            unprotected_position_ms=ms(execution.naked_position_seconds, SECOND_MS),
            volatility_sizing=self.volatility_sizing,
            volatility_target=float(self.volatility_target),
            volatility_min_multiplier=float(self.volatility_min_multiplier),
        )

    def protection_rules(self, cooldown: GlobalCooldownSettings) -> ProtectionRules:
        """Return what the whole portfolio may lose, and how long it then rests."""
        reduce, emergency = self.drawdown_levels
        return ProtectionRules(
            drawdown_reduce_fraction=reduce,
            drawdown_restore_fraction=self.drawdown_restore_pct,
            drawdown_size_multiplier=self.drawdown_size_multiplier,
            drawdown_emergency_fraction=emergency,
            drawdown_rearm_fraction=self.drawdown_rearm_pct,
            drawdown_halt_fraction=self.max_portfolio_drawdown_pct,
            max_daily_loss_fraction=self.max_daily_loss_pct,
            high_correlation_threshold=float(self.high_correlation_threshold),
            loss_streak=self.portfolio_loss_streak,
            loss_streak_cooldown_ms=ms(cooldown.loss_streak_cooldown_hours, HOUR_MS),
            emergency_cooldown_ms=ms(cooldown.emergency_cooldown_hours, HOUR_MS),
            stale_data_ms=ms(self.stale_data_seconds, SECOND_MS),
            malfunction_closes_all=self.malfunction_closes_all,
        )

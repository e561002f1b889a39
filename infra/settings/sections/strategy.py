"""Settings of entries and exits, and of risk limits."""

from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator

from domain.market.instruments import HOUR_MS, MINUTE_MS
from domain.rules import CooldownRules, ProtectionRules, RiskRules
from domain.strategies.base import CandleRules, Parameters
from domain.strategies.ema_cross_rules import CrossKind
from infra.settings import fields
from infra.settings.sections.values import (
    SECOND_MS,
    Candles,
    Correlation,
    Count,
    Flag,
    Fraction,
    HoldHours,
    Hours,
    Minutes,
    Ms,
    Ratchet,
    RsiLevel,
    Seconds,
    Section,
    Share,
    ms,
)


class StrategySettings(Section):
    """When an asset of ema_cross_short enters and leaves, and what all strategies share."""

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
    max_hold_hours: HoldHours | None
    volatility_window: Candles

    def candle_rules(self) -> CandleRules:
        """Return the rules of candles, which all strategies share."""
        return CandleRules(
            candle_ms=self.candle_minutes * MINUTE_MS,
            warmup_candles=self.warmup_candles,
            entry_max_age_ms=self.entry_max_age_ms,
            volatility_window=self.volatility_window,
        )

    def parameters(self) -> Parameters:
        """Return the parameters of ema_cross_short."""
        return {
            "ema_short_period": self.ema_short_period,
            "ema_long_period": self.ema_long_period,
            "entry_crosses": tuple(dict.fromkeys(str(kind) for kind in self.entry_crosses)),
            "cross_threshold": self.cross_threshold,
            "entry_window_minutes": self.entry_window_minutes,
        }


class ConfirmedTrendSettings(Section):
    """When an asset of confirmed_trend_long enters and leaves, unless the asset overrides it."""

    allocation_pct: Share
    leverage: Annotated[Decimal, fields.leverage("100")]
    ema_trigger_period: Candles
    ema_trend_period: Candles
    macd_fast_period: Candles
    macd_slow_period: Candles
    macd_signal_period: Candles
    rsi_period: Candles
    rsi_level: RsiLevel
    entry_confirmation_level: Annotated[int, fields.whole("of 3 confirmations", 1, 3)]
    max_entry_wait_candles: Annotated[int, fields.whole("candles", 0, 1000)]
    trail_pct: Fraction | None
    min_ratchet_pct: Ratchet
    stop_loss_pct: Fraction | None
    take_profit_pct: Fraction | None
    max_hold_hours: HoldHours | None


class AssetCooldownSettings(Section):
    """How long an asset rests after a trade."""

    short_hold_hours: Hours | None
    short_hold_cooldown_hours: Hours
    loss_streak: Count | None
    loss_streak_cooldown_hours: Hours
    trades_per_hour: Count | None
    trades_per_hour_cooldown_minutes: Minutes
    trades_per_day: Count | None
    trades_per_day_cooldown_hours: Hours

    def rules(self) -> CooldownRules:
        """Return the rules of an asset's cooldowns."""
        return CooldownRules(
            short_hold_ms=None
            if self.short_hold_hours is None
            else ms(self.short_hold_hours, HOUR_MS),
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
    """Cooldowns of an asset and of the portfolio."""

    per_asset_settings: AssetCooldownSettings
    global_settings: GlobalCooldownSettings


class ExecutionSettings(Section):
    """How orders and stops are watched."""

    reconcile_seconds: Seconds
    naked_position_seconds: Seconds
    trail_min_interval_ms: Ms


class RiskSettings(Section):
    """What a position and the portfolio may lose."""

    stop_loss_pct: Fraction | None
    take_profit_pct: Fraction | None
    volatility_sizing: Flag
    volatility_target: Annotated[Decimal, fields.fraction("0.00001", "0.05")]
    volatility_min_multiplier: Share
    drawdown_levels: Annotated[
        tuple[Fraction, Fraction] | None, BeforeValidator(lambda found: found or None)
    ]
    """Null and an empty list mean the same."""
    drawdown_steps: tuple[tuple[Fraction, Share], ...] | None
    drawdown_size_multiplier: Share
    drawdown_restore_pct: Fraction
    drawdown_rearm_pct: Fraction
    max_portfolio_drawdown_pct: Fraction | None
    max_daily_loss_pct: Fraction | None
    high_correlation_threshold: Correlation | None
    high_correlation_size_level: Correlation | None
    high_correlation_size_multiplier: Share
    portfolio_loss_streak: Count | None
    stale_data_seconds: Seconds
    malfunction_closes_all: Flag

    def rules(self, execution: ExecutionSettings) -> RiskRules:
        """Return the stop policy of one position."""
        return RiskRules(
            trail_interval_ms=execution.trail_min_interval_ms,
            unprotected_position_ms=ms(execution.naked_position_seconds, SECOND_MS),
            volatility_sizing=self.volatility_sizing,
            volatility_target=float(self.volatility_target),
            volatility_min_multiplier=float(self.volatility_min_multiplier),
        )

    def protection_rules(
        self, cooldown: GlobalCooldownSettings, capital_loss: Decimal | None
    ) -> ProtectionRules:
        """Return the loss limits of the whole portfolio, and its cooldowns."""
        reduce, emergency = self.drawdown_levels or (None, None)
        steps = self.drawdown_steps or ()
        if self.drawdown_steps is None and reduce is not None:
            steps = ((reduce, self.drawdown_size_multiplier),)
        threshold, level = self.high_correlation_threshold, self.high_correlation_size_level
        return ProtectionRules(
            drawdown_steps=steps,
            drawdown_restore_fraction=self.drawdown_restore_pct,
            drawdown_emergency_fraction=emergency,
            drawdown_rearm_fraction=self.drawdown_rearm_pct,
            drawdown_halt_fraction=self.max_portfolio_drawdown_pct,
            max_daily_loss_fraction=self.max_daily_loss_pct,
            capital_loss_fraction=capital_loss,
            high_correlation_threshold=None if threshold is None else float(threshold),
            high_correlation_size_level=None if level is None else float(level),
            high_correlation_size_multiplier=self.high_correlation_size_multiplier,
            loss_streak=self.portfolio_loss_streak,
            loss_streak_cooldown_ms=ms(cooldown.loss_streak_cooldown_hours, HOUR_MS),
            emergency_cooldown_ms=ms(cooldown.emergency_cooldown_hours, HOUR_MS),
            stale_data_ms=ms(self.stale_data_seconds, SECOND_MS),
            malfunction_closes_all=self.malfunction_closes_all,
        )

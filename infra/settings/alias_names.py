"""Alternative names of settings, by section: what they are called elsewhere."""

from collections.abc import Mapping

from domain.strategies.registry import CONFIRMED_TREND_LONG
from infra.settings.problems import Key

_TREND = (
    "ema_trigger_period",
    "ema_trend_period",
    "macd_fast_period",
    "macd_slow_period",
    "macd_signal_period",
    "rsi_period",
    "rsi_level",
    "entry_confirmation_level",
    "max_entry_wait_candles",
    "trail_pct",
    "min_ratchet_pct",
)
"""For confirmed_trend_long, if a file has one section for everything of a strategy."""

_TREND_OTHERWISE = {
    "trailing_stop_pct": "trail_pct",
    "trailing_pct": "trail_pct",
    "ratchet_pct": "min_ratchet_pct",
    "macd_fast": "macd_fast_period",
    "macd_slow": "macd_slow_period",
    "macd_signal": "macd_signal_period",
    "rsi_threshold": "rsi_level",
    "confirmation_level": "entry_confirmation_level",
    "min_confirmations": "entry_confirmation_level",
    "max_entry_wait": "max_entry_wait_candles",
}

ASSET: Mapping[str, str] = {
    **_TREND_OTHERWISE,
    "position_size_pct": "allocation_pct",
    "per_asset_allocation_pct": "allocation_pct",
    "asset_allocation_pct": "allocation_pct",
    "leverage_per_asset": "leverage",
    "max_leverage": "leverage",
    "group": "correlation_group",
    "max_holding_hours": "max_hold_hours",
}
"""Names in an asset's own mapping."""

_SHARES: Mapping[str, str] = {
    "per_asset_allocation_pct": "allocation_pct",
    "asset_allocation_pct": "allocation_pct",
    "position_size_pct": "allocation_pct",
    "allocation_pct": "allocation_pct",
    "leverage_per_asset": "leverage",
    "leverage": "leverage",
}
FOR_EACH_ASSET: Mapping[Key, Mapping[str, str]] = {("portfolio",): _SHARES, ("risk",): _SHARES}
"""Names in a section, for each asset without a value of its own."""

_PORTFOLIO_OTHERWISE = {
    "max_portfolio_exposure": "max_total_exposure_pct",
    "max_portfolio_exposure_pct": "max_total_exposure_pct",
    "max_exposure_pct": "max_total_exposure_pct",
    "max_open_positions": "max_positions",
    "max_concurrent_positions": "max_positions",
    "max_concurrent": "max_concurrent_submissions",
    "max_concentration_exposure_pct": "max_concentration_pct",
    "max_correlation": "correlation_limit",
    "correlation_threshold": "correlation_limit",
    "emergency_liquidation_pct": "emergency_liquidation_loss_pct",
}
_PORTFOLIO_IN_RISK = (
    "total_capital",
    "max_total_exposure_pct",
    "max_positions",
    "max_position_size_pct",
    "max_correlated_exposure_pct",
    "max_concentration_pct",
    "correlation_limit",
    "emergency_liquidation_loss_pct",
    "rebalance_threshold_pct",
)
_RISK_OTHERWISE = {
    "max_drawdown_pct": "max_portfolio_drawdown_pct",
    "daily_loss_limit_pct": "max_daily_loss_pct",
    "max_loss_per_day_pct": "max_daily_loss_pct",
    "max_consecutive_losses": "portfolio_loss_streak",
}
_RISK_IN_OTHERS = (
    "stop_loss_pct",
    "take_profit_pct",
    "max_daily_loss_pct",
    "max_portfolio_drawdown_pct",
    "high_correlation_threshold",
)
_RESTS = {
    "quick_exit_threshold_hours": "short_hold_hours",
    "quick_exit_cooldown_hours": "short_hold_cooldown_hours",
    "consecutive_losses": "loss_streak",
    "consecutive_loss_threshold": "loss_streak",
    "max_consecutive_losses": "loss_streak",
    "consecutive_loss_cooldown_hours": "loss_streak_cooldown_hours",
    "max_trades_per_hour": "trades_per_hour",
    "max_trades_per_hour_cooldown_minutes": "trades_per_hour_cooldown_minutes",
    "hourly_trades_cooldown_minutes": "trades_per_hour_cooldown_minutes",
    "max_trades_per_day": "trades_per_day",
    "max_trades_per_day_cooldown_hours": "trades_per_day_cooldown_hours",
    "daily_trades_cooldown_hours": "trades_per_day_cooldown_hours",
}
_OF_ALL = {
    "portfolio_loss_cooldown_hours": "loss_streak_cooldown_hours",
    "global_loss_cooldown_hours": "loss_streak_cooldown_hours",
    "global_cooldown_hours": "emergency_cooldown_hours",
}
_STREAKS = ("portfolio_consecutive_losses", "portfolio_loss_threshold", "portfolio_loss_streak")
_PER_ASSET: Key = ("cooldown", "per_asset_settings")
_GLOBAL: Key = ("cooldown", "global_settings")

_COOLDOWN: Mapping[str, Key] = {
    **{name: (*_PER_ASSET, to) for name, to in _RESTS.items()},
    **{to: (*_PER_ASSET, to) for to in dict.fromkeys(_RESTS.values())},
    **{name: (*_GLOBAL, to) for name, to in _OF_ALL.items()},
    "emergency_cooldown_hours": (*_GLOBAL, "emergency_cooldown_hours"),
    **dict.fromkeys(_STREAKS, ("risk", "portfolio_loss_streak")),
}

SECTIONS: Mapping[Key, Mapping[str, Key]] = {
    ("portfolio",): {
        "pairs": ("portfolio", "assets"),
        **{name: ("portfolio", to) for name, to in _PORTFOLIO_OTHERWISE.items()},
        **{name: ("risk", name) for name in _RISK_IN_OTHERS},
        **{name: ("risk", to) for name, to in _RISK_OTHERWISE.items()},
    },
    ("strategy",): {
        "ema_short": ("strategy", "ema_short_period"),
        "ema_long": ("strategy", "ema_long_period"),
        "short_ema_period": ("strategy", "ema_short_period"),
        "long_ema_period": ("strategy", "ema_long_period"),
        "warmup_periods": ("strategy", "warmup_candles"),
        "timeframe_minutes": ("strategy", "candle_minutes"),
        "max_crosses_per_day": ("strategy", "cross_threshold"),
        "max_holding_hours": ("strategy", "max_hold_hours"),
        "stop_loss_pct": ("risk", "stop_loss_pct"),
        "take_profit_pct": ("risk", "take_profit_pct"),
        **{name: (CONFIRMED_TREND_LONG, name) for name in _TREND},
        **{name: (CONFIRMED_TREND_LONG, to) for name, to in _TREND_OTHERWISE.items()},
    },
    (CONFIRMED_TREND_LONG,): {
        "position_size_pct": (CONFIRMED_TREND_LONG, "allocation_pct"),
        **{name: (CONFIRMED_TREND_LONG, to) for name, to in _TREND_OTHERWISE.items()},
    },
    ("risk",): {
        **{name: ("risk", to) for name, to in _RISK_OTHERWISE.items()},
        **{name: ("portfolio", name) for name in _PORTFOLIO_IN_RISK},
        **{name: ("portfolio", to) for name, to in _PORTFOLIO_OTHERWISE.items()},
        **{name: (CONFIRMED_TREND_LONG, name) for name in ("trail_pct", "min_ratchet_pct")},
        "trailing_stop_pct": (CONFIRMED_TREND_LONG, "trail_pct"),
    },
    ("cooldown",): {
        "per_asset": _PER_ASSET,
        "global": _GLOBAL,
        **_COOLDOWN,
    },
    _PER_ASSET: {name: (*_PER_ASSET, to) for name, to in _RESTS.items()},
    _GLOBAL: {name: (*_GLOBAL, to) for name, to in _OF_ALL.items()},
}
"""What each alternative name is read as, by section, in reading order."""

"""The parameters of the multi-pair system's strategy."""

from dataclasses import dataclass

from domain.strategies.base import Parameters, fraction, number


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmedTrendRules:
    """The parameters, by the names of the settings' section `confirmed_trend_long`."""

    ema_trigger_period: int
    ema_trend_period: int
    macd_fast_period: int
    macd_slow_period: int
    macd_signal_period: int
    rsi_period: int
    rsi_level: float
    entry_confirmation_level: int
    """How many of the three must agree."""
    max_entry_wait_candles: int
    """Age of the trigger at entry, at most."""

    @classmethod
    def read(cls, parameters: Parameters) -> "ConfirmedTrendRules":
        """Return the parameters with their types."""
        return cls(
            ema_trigger_period=number(parameters, "ema_trigger_period"),
            ema_trend_period=number(parameters, "ema_trend_period"),
            macd_fast_period=number(parameters, "macd_fast_period"),
            macd_slow_period=number(parameters, "macd_slow_period"),
            macd_signal_period=number(parameters, "macd_signal_period"),
            rsi_period=number(parameters, "rsi_period"),
            rsi_level=fraction(parameters, "rsi_level"),
            entry_confirmation_level=number(parameters, "entry_confirmation_level"),
            max_entry_wait_candles=number(parameters, "max_entry_wait_candles"),
        )

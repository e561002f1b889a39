"""Rules and figures as in traces of format 0: one strategy, one stop policy for all pairs."""

from collections.abc import Mapping
from typing import Any

_MINUTE_MS = 60_000
Fields = dict[str, Any]
_VALUES = {
    "ema_short": ("EMA {ema_short_period}", True),
    "ema_long": ("EMA {ema_long_period}", True),
    "crosses_today": ("crosses today", False),
}
"""Strategy figures that were fields of a message: the label today, and whether it is a price."""


def rules_of_today(old: Fields) -> Fields:
    """Return the fields of `domain.rules.TradingRules`; what had no limit then has none."""
    if "strategy" not in old:
        return old
    strategy, risk, protection, fills = (
        old["strategy"],
        old["risk"],
        old["protection"],
        old["fills"],
    )
    terms = {"strategy": _strategy(strategy), "stops": _stops(strategy, risk)}
    return {
        "candles": {
            name: strategy[name]
            for name in ("candle_ms", "warmup_candles", "entry_max_age_ms", "volatility_window")
        },
        "risk": {
            "unprotected_position_ms": risk["naked_position_ms"],
            "trail_interval_ms": 0,
            **_named(risk, "volatility_"),
        },
        "protection": _protection(protection),
        "cooldown": old["cooldown"],
        "approval": old["grant"]
        | {
            "max_position_size": None,
            "max_concentration": None,
            "concentration_top_n": 1,
            "max_concurrent_submissions": 1_000,
            "rebalance_threshold": None,
        },
        "fills": _named(fills, "initial_", "slippage_", "taker_")
        | {"funding": {"rate": fills["funding_rate"], "interval_ms": fills["funding_interval_ms"]}},
        "assets": [asset | {"terms": terms} for asset in old["assets"]],
    }


def _strategy(old: Fields) -> Fields:
    names = ("ema_short_period", "ema_long_period", "entry_crosses", "cross_threshold")
    window = {"entry_window_minutes": old["entry_window_ms"] // _MINUTE_MS}
    return {"name": "ema_cross_short", "parameters": {n: old[n] for n in names} | window}


def _stops(strategy: Fields, risk: Fields) -> Fields:
    return {
        "stop_loss_fraction": risk["stop_loss_fraction"],
        "take_profit_fraction": risk["take_profit_fraction"],
        "trail_fraction": None,
        "min_ratchet_fraction": "0.01",
        "max_hold_ms": strategy["max_hold_ms"],
    }


def _protection(old: Fields) -> Fields:
    step = [old["drawdown_reduce_fraction"], old["drawdown_size_multiplier"]]
    gone = ("drawdown_reduce_fraction", "drawdown_size_multiplier")
    return {name: value for name, value in old.items() if name not in gone} | {
        "drawdown_steps": [step],
        "capital_loss_fraction": None,
        "high_correlation_size_level": None,
        "high_correlation_size_multiplier": "1",
    }


def _named(old: Fields, *beginnings: str) -> Fields:
    return {name: value for name, value in old.items() if name.startswith(beginnings)}


def with_values(fields: Fields, strategy: Mapping[str, Any]) -> Fields:
    """Return the fields with the strategy's figures turned into labelled values.

    Args:
        fields: of a message, or of a value in one.
        strategy: the parameters, which are part of the labels.
    """
    if "ema_short" not in fields:
        return fields
    figures = {name: figure for name in _VALUES if (figure := fields.get(name)) is not None}
    values = [
        {
            "name": name,
            "label": _VALUES[name][0].format_map(strategy),
            "figure": figure,
            "is_price": _VALUES[name][1],
        }
        for name, figure in figures.items()
    ]
    kept = {name: value for name, value in fields.items() if name not in _VALUES}
    return kept | {"values": values}

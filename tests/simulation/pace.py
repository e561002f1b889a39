"""Settings under which an hour holds dozens of trades; one set for each seed."""

import json
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from infra.settings import Settings, load_settings
from tests.chaos.harness.command import SETTINGS as CHAOS
from tests.chaos.harness.command import TREND, merged, with_file

_TIMERS: dict[str, Any] = {
    "strategy": {"entry_max_age_ms": 60_000},
    "supervision": {"max_restarts": 5, "hang_seconds": 30, "backoff_max_seconds": 10},
    "execution": {"reconcile_seconds": 120},
    "trace": {"enabled": False},
}
_PACE = merged({name: CHAOS[name] for name in CHAOS if name != "supervision"}, _TIMERS)
_RISKY: dict[str, Any] = {
    "risk": {
        "max_daily_loss_pct": 0.9,
        "drawdown_levels": [0.8, 0.9],
        "max_portfolio_drawdown_pct": 0.95,
    }
}
"""Losses halt nothing, so that trading goes on."""


def _assets(*strategies: str) -> dict[str, Any]:
    symbols = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
    assets = [
        {"symbol": symbol, "allocation_pct": 0.07, "leverage": 10, "strategy": strategy}
        for symbol, strategy in zip(symbols, strategies, strict=True)
    ]
    return {"portfolio": {"assets": assets}, "confirmed_trend_long": TREND}


_SHORT, _LONG = "ema_cross_short", "confirmed_trend_long"
VARIANTS: tuple[Mapping[str, Any], ...] = (
    merged(_PACE, _RISKY),
    merged(merged(_PACE, _RISKY), _assets(_LONG, _LONG, _LONG)),
    merged(merged(_PACE, _RISKY), _assets(_SHORT, _LONG, _LONG)),
    _PACE,
    merged(merged(_PACE, _RISKY), {"portfolio": {"max_total_exposure_pct": 1.5}}),
)


@cache
def settings_of(place: int) -> Settings:
    """Return one of the sets."""
    return _loaded(VARIANTS[place])


def settings_for(seed: int, file: Path | None) -> Settings:
    """Return the settings of a seed's world.

    Raises:
        ConfigError: the file cannot be used.
    """
    return settings_of(seed % len(VARIANTS)) if file is None else _from_file(file)


@cache
def _from_file(file: Path) -> Settings:
    return _loaded(with_file(_PACE, file))


def _loaded(plain: Mapping[str, Any]) -> Settings:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "settings.yaml"
        file.write_text(json.dumps(plain))
        return load_settings(file, environ={}, dotenv=None)

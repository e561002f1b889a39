"""Settings as a journal notes them, read again."""

import json
from pathlib import Path

import pytest

from domain.errors import ConfigError
from infra.settings import Settings, load_settings
from infra.settings.comparison import differences, flat
from infra.settings.stored import settings_before, settings_of

DAY_MS = 86_400_000
OTHERS = {
    "strategy": {"entry_crosses": ["SHORT_BELOW_LONG"], "ema_short_period": 7},
    "risk": {"drawdown_levels": [0.11, 0.16], "stop_loss_pct": 0.02, "volatility_sizing": True},
    "portfolio": {
        "max_positions": 1,
        "assets": [
            {"symbol": "ETHUSDT", "allocation_pct": 0.11, "leverage": 3, "enabled": True},
            {"symbol": "BTCUSDT", "allocation_pct": 0.10, "leverage": 5, "enabled": False},
        ],
    },
}
WITHOUT = {
    "confirmed_trend_long": {"max_hold_hours": 5, "stop_loss_pct": 0.03},
    "portfolio": {
        "assets": [
            {
                "symbol": "ETHUSDT",
                "strategy": "confirmed_trend_long",
                "trail_pct": None,
                "max_hold_hours": None,
            },
            {"symbol": "BTCUSDT", "take_profit_pct": None, "trail_pct": 0.01},
        ],
    },
}
SECRETS = {"BYBIT_API_KEY": "planted-key-1", "BYBIT_API_SECRET": "planted-secret-2"}


def loaded(folder: Path, content: object) -> Settings:
    file = folder / "my.yaml"
    file.write_text(json.dumps(content))
    return load_settings(file, environ=SECRETS, dotenv=None)


@pytest.mark.parametrize("content", [{}, OTHERS, WITHOUT], ids=["defaults", "others", "without"])
def test_what_was_noted_makes_the_same_rules(tmp_path: Path, content: object) -> None:
    settings = loaded(tmp_path, content)

    found = settings_of(flat(settings, "salt"), "journal")

    assert found.trading_rules() == settings.trading_rules()
    assert found.portfolio == settings.portfolio


def test_the_settings_of_a_day_are_those_before_later_changes(tmp_path: Path) -> None:
    first, second = flat(loaded(tmp_path, {}), "salt"), flat(loaded(tmp_path, OTHERS), "salt")
    lines = "\n".join(f"{key}: {change}" for key, change in differences(first, second).items())
    changes = [(3 * DAY_MS + 5, lines)]

    assert settings_before(second, changes, 3 * DAY_MS) == first
    assert settings_before(second, changes, 4 * DAY_MS) == second


def test_settings_of_another_version_are_one_clear_line(tmp_path: Path) -> None:
    noted = flat(loaded(tmp_path, {}), "salt") | {"strategy.gone": "1"}

    with pytest.raises(ConfigError, match=r"journal: the settings recorded there .*strategy\.gone"):
        settings_of(noted, "journal")

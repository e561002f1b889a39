"""What differs between the settings of two starts, and that no secret shows in it."""

from typing import Any

import pytest

from infra.settings import Settings, load_settings
from infra.settings.comparison import differences, flat

SECRETS = {
    "BYBIT_API_KEY": "first-key",
    "BYBIT_API_SECRET": "first-secret",
    "TELEGRAM_BOT_TOKEN": "1:first-token",
    "TELEGRAM_ADMIN_CHAT_ID": "4711",
    "HEARTBEAT_URL": "https://first.example/beat",
}


def read(**environ: str) -> Settings:
    return load_settings(None, environ=environ, dotenv=None)


def changes(old: Settings, new: Settings, salt: str = "s") -> dict[str, str]:
    return differences(flat(old, salt), flat(new, salt))


def test_every_change_is_told_by_its_key() -> None:
    found = changes(read(), read(STOP_LOSS_PCT="0.02", LEVERAGE_PER_ASSET="5", LOG_LEVEL="DEBUG"))

    assert found == {
        "risk.stop_loss_pct": "0.015 -> 0.02",
        "logging.level": "INFO -> DEBUG",
        **{f"portfolio.assets[{a}USDT].leverage": "10 -> 5" for a in ("BTC", "ETH", "SOL")},
    }


def test_what_is_the_same_is_no_change() -> None:
    assert changes(read(**SECRETS), read(**SECRETS)) == {}


def test_an_asset_that_came_is_told() -> None:
    found = differences({}, {"portfolio.assets[XRPUSDT].enabled": "true"})

    assert found == {"portfolio.assets[XRPUSDT].enabled": "nothing -> true"}


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_that_changed_is_named_and_not_shown(name: str) -> None:
    others: dict[str, Any] = SECRETS | {name: SECRETS[name].replace("first", "other") + "0"}

    found = changes(read(**SECRETS), read(**others))

    assert list(found.values()) == ["a secret -> another secret"]
    assert list(changes(read(), read(**SECRETS)).values()) == ["null -> a secret"] * len(SECRETS)


def test_what_is_kept_of_a_secret_is_too_little_to_find_it_by() -> None:
    kept = flat(read(**SECRETS), "salt")

    for value in SECRETS.values():
        assert not any(value in text for text in kept.values())
    assert len(kept["exchange.api_key"]) == len("secret 1234")

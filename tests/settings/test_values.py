"""Wrong and contradicting settings are refused, all at once, each with place and what is allowed."""

# ruff: noqa: E501 (an error is one line of text)

import json
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from types import NoneType
from typing import Any, get_args

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import BaseModel

from domain.errors import ConfigError
from domain.rules import TradingRules
from infra.settings import Settings, load_settings
from infra.settings.sections.assets import AssetSettings

Errors = Callable[[str], list[str]]
SHIPPED = Path(__file__).parents[2] / "settings.yaml"


def load(file: Path, text: str) -> Settings:
    file.write_text(text, encoding="utf-8")
    return load_settings(file, environ={}, dotenv=None)


@pytest.fixture
def errors_of(tmp_path: Path) -> Errors:
    """Return the error lines of a file, without its folder and without lines of the shipped one."""

    def errors(text: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load(tmp_path / "my.yaml", text)
        heading, *lines = str(caught.value).replace(f"{tmp_path}/", "").splitlines()
        assert heading.split()[0] == str(len(lines))
        return [re.sub(rf"{SHIPPED}:[0-9]+", "settings.yaml", line) for line in lines]

    return errors


WRONG_VALUES = [
    (
        "portfolio:\n  total_allocation_pct: 7",
        2,
        "portfolio.total_allocation_pct: found 7; allowed: a fraction from 0.001 to 1 (7 looks like a percentage: write 0.07)",
    ),
    (
        "portfolio: {total_allocation_pct: 7%}",
        1,
        "portfolio.total_allocation_pct: found '7%'; allowed: a fraction from 0.001 to 1 (7% is a percentage: write 0.07)",
    ),
    (
        'portfolio:\n  total_allocation_pct: "0,21"',
        2,
        "portfolio.total_allocation_pct: found '0,21'; allowed: a fraction from 0.001 to 1 (write it with a point: 0.21)",
    ),
    (
        "portfolio:\n  max_total_exposure_pct: 210",
        2,
        "portfolio.max_total_exposure_pct: found 210; allowed: a multiple of the balance from 0.01 to 50 (210 looks like a percentage: write 2.1)",
    ),
    (
        "portfolio: {max_positions: 0}",
        1,
        "portfolio.max_positions: found 0; allowed: a whole number (positions, or null) from 1 to 1000",
    ),
    (
        "risk:\n\n  stop_loss_pct: 1.5",
        3,
        "risk.stop_loss_pct: found 1.5; allowed: a fraction from 0.001 to 0.999 (1.5 looks like a percentage: write 0.015)",
    ),
    (
        "risk: {stop_loss_pct: -0.015}",
        1,
        "risk.stop_loss_pct: found -0.015; allowed: a fraction from 0.001 to 0.999",
    ),
    (
        "risk: {take_profit_pct: true}",
        1,
        "risk.take_profit_pct: found true; allowed: a fraction from 0.001 to 0.999",
    ),
    (
        "risk: {take_profit_pct: .nan}",
        1,
        "risk.take_profit_pct: found .nan; allowed: a fraction from 0.001 to 0.999",
    ),
    (
        "risk: {take_profit_pct: -.inf}",
        1,
        "risk.take_profit_pct: found -.inf; allowed: a fraction from 0.001 to 0.999",
    ),
    (
        "risk: {take_profit_pct: [0.06]}",
        1,
        "risk.take_profit_pct: found a list of 1; allowed: a fraction from 0.001 to 0.999",
    ),
    (
        "risk: {take_profit_pct: {a: 1}}",
        1,
        "risk.take_profit_pct: found a mapping; allowed: a fraction from 0.001 to 0.999",
    ),
    (
        "risk:\n  volatility_target:",
        2,
        "risk.volatility_target: found nothing; allowed: a fraction from 0.00001 to 0.05",
    ),
    ("risk: {volatility_sizing: 3}", 1, "risk.volatility_sizing: found 3; allowed: true or false"),
    (
        "risk: {drawdown_levels: [0.1]}",
        1,
        "risk.drawdown_levels[1]: is missing; allowed: a list with all its items",
    ),
    (
        "risk: {drawdown_levels: [0.1, 0.15, 0.2]}",
        1,
        "risk.drawdown_levels: found a list of 3; allowed: fewer items",
    ),
    ("risk: {drawdown_levels: 0.1}", 1, "risk.drawdown_levels: found 0.1; allowed: a list"),
    (
        "strategy: {ema_short_period: 1e30}",
        1,
        "strategy.ema_short_period: found 1e30; allowed: a whole number (candles) from 2 to 100000",
    ),
    (
        "strategy: {ema_short_period: 240.5}",
        1,
        "strategy.ema_short_period: found 240.5; allowed: a whole number (candles) from 2 to 100000",
    ),
    (
        "strategy: {ema_short_period: 0240}",
        1,
        "strategy.ema_short_period: found 0240; allowed: a whole number (candles) from 2 to 100000",
    ),
    (
        "strategy: {candle_minutes: 7}",
        1,
        "strategy.candle_minutes: found 7; allowed: one of 1, 3, 5, 15, 30, 60, 120, 240, 360, 720",
    ),
    (
        "strategy:\n  entry_crosses:\n    - PRICE_BELOW_SHORT\n    - PRICE_BELOW_LNG",
        4,
        "strategy.entry_crosses[1]: found PRICE_BELOW_LNG; allowed: one of PRICE_BELOW_SHORT, PRICE_BELOW_LONG, SHORT_BELOW_LONG (did you mean PRICE_BELOW_LONG?)",
    ),
    (
        "replay: {slippage_bps: 0.0002}",
        1,
        "replay.slippage_bps: found 0.0002; allowed: 0, or a number of basis points from 0.01 to 1000 (0.0002 looks like a fraction: write 2)",
    ),
    (
        "replay: {taker_fee_rate: 0.055}",
        1,
        "replay.taker_fee_rate: found 0.055; allowed: a fraction from 0 to 0.01 (0.055 looks like a percentage: write 0.00055)",
    ),
    ("replay: 7", 1, "replay: found 7; allowed: a mapping (key: value)"),
    ("replay:", 1, "replay: found nothing; allowed: a mapping (key: value)"),
    (
        "logging: {level: infos}",
        1,
        "logging.level: found infos; allowed: one of TRACE, DEBUG, INFO, SUCCESS, WARNING, ERROR, CRITICAL (did you mean INFO?)",
    ),
    (
        "logging: {rotation: 24:00}",
        1,
        "logging.rotation: found '24:00'; allowed: a UTC time of day, like 00:00",
    ),
    ("database: {file: ' '}", 1, "database.file: found ' '; allowed: a file name, or null"),
    (
        "instruments:\n  btcusdt: {}",
        2,
        "instruments.btcusdt: found btcusdt; allowed: a USDT perpetual in capitals, like BTCUSDT",
    ),
    (
        'instruments: {BTCUSDT: {tick_size: "0"}}',
        1,
        "instruments.BTCUSDT.tick_size: found 0; allowed: a number (above zero) from 0.00000001 to 1000000000",
    ),
    (
        "risk:\n  stop_los_pct: 0.02",
        2,
        "risk.stop_los_pct: unknown key; did you mean stop_loss_pct?",
    ),
    ("portfolo: {}", 1, "portfolo: unknown key; did you mean portfolio?"),
    (
        "leverage: 5",
        1,
        "leverage: unknown key; did you mean portfolio.assets.leverage or confirmed_trend_long.leverage?",
    ),
    (
        "database: {xyz: 5}",
        1,
        "database.xyz: unknown key; allowed here: file, url, host, port, name, user, password, busy_timeout_ms",
    ),
    ('risk: {"a\\nb": 1}', 1, "risk.'a\\nb': unknown key; allowed here: "),
]


@pytest.mark.parametrize(("text", "line", "error"), WRONG_VALUES)
def test_wrong_value_is_named_with_file_line_key_value_and_what_is_allowed(
    errors_of: Errors, text: str, line: int, error: str
) -> None:
    (first, *_) = errors_of(text)

    assert first.startswith(f"my.yaml:{line}: {error}")


def assets(*items: str) -> str:
    return "portfolio:\n  assets:\n" + "".join(f"    - {{{item}}}\n" for item in items)


BTC = "symbol: BTCUSDT, allocation_pct: 0.07, leverage: 10, enabled: true"
ETH = "symbol: ETHUSDT, allocation_pct: 0.07, leverage: 10, enabled: true"

WRONG_ASSETS = [
    (
        BTC.replace("10", "0.1"),
        "portfolio.assets[1].leverage: found 0.1; allowed: a leverage (notional / margin) from 1 to 100 (0.1 looks like margin / notional: write 10)",
    ),
    (
        BTC.replace("0.07", "7"),
        "portfolio.assets[1].allocation_pct: found 7; allowed: a fraction from 0.001 to 1 (7 looks like a percentage: write 0.07)",
    ),
    (
        BTC.replace("BTCUSDT", "btc"),
        "portfolio.assets[1].symbol: found btc; allowed: a USDT perpetual in capitals, like BTCUSDT",
    ),
    (
        BTC.replace("symbol: BTCUSDT, ", ""),
        "portfolio.assets[1].symbol: is missing; needed here: "
        + ", ".join(AssetSettings.model_fields),
    ),
    (
        BTC.replace("BTC", "DOGE"),
        "portfolio.assets[1].symbol: found DOGEUSDT; allowed: a symbol of `instruments`: BTCUSDT, ETHUSDT, SOLUSDT",
    ),
    (
        ETH,
        "portfolio.assets[1].symbol: found ETHUSDT; allowed: each symbol once; it is portfolio.assets[0].symbol = ETHUSDT (my.yaml:3)",
    ),
]


@pytest.mark.parametrize(("item", "error"), WRONG_ASSETS)
def test_wrong_asset_is_named_with_its_line_and_index(
    errors_of: Errors, item: str, error: str
) -> None:
    assert errors_of(assets(ETH, item)) == [f"my.yaml:4: {error}"]


CONTRADICTIONS = [
    (
        "strategy: {ema_short_period: 600}",
        "my.yaml:1: strategy.ema_short_period: found 600; allowed: below strategy.ema_long_period = 600 (settings.yaml)",
    ),
    (
        "strategy: {entry_crosses: []}",
        "my.yaml:1: strategy.entry_crosses: found an empty list, so nothing is ever opened; allowed: a cross",
    ),
    (
        "strategy: {entry_max_age_ms: 2000}",
        "settings.yaml: portfolio.coordination_window_ms: found 2000; allowed: below strategy.entry_max_age_ms = 2000 (my.yaml:1)",
    ),
    (
        "risk: {drawdown_levels: [0.15, 0.15]}",
        "my.yaml:1: risk.drawdown_levels[0]: found 0.15; allowed: below risk.drawdown_levels[1] = 0.15 (my.yaml:1)",
    ),
    (
        "portfolio: {total_allocation_pct: 0.2}",
        "my.yaml:1: portfolio.total_allocation_pct: found 0.2; allowed: at least 0.21, the sum of the enabled assets' portfolio.assets[0].allocation_pct",
    ),
    (
        assets(BTC.replace("true", "false")),
        "my.yaml:2: portfolio.assets: found no enabled asset; allowed: at least one",
    ),
    (
        "portfolio: {assets: []}",
        "my.yaml:1: portfolio.assets: found no enabled asset; allowed: at least one",
    ),
    (
        "risk: {stop_loss_pct: 0.0939, take_profit_pct: 0.1}\n" + assets(BTC),
        "my.yaml:1: risk.stop_loss_pct: found 0.0939; allowed: below 0.0939, where a short is liquidated with portfolio.assets[0].leverage = 10 (my.yaml:4)",
    ),
    (
        "supervision: {backoff_max_seconds: 0.05}",
        "settings.yaml: supervision.backoff_initial_seconds: found 0.1; allowed: at most supervision.backoff_max_seconds = 0.05 (my.yaml:1)",
    ),
    (
        'instruments: {BTCUSDT: {min_order_qty: "120"}}',
        "my.yaml:1: instruments.BTCUSDT.min_order_qty: found 120; allowed: at most instruments.BTCUSDT.max_market_order_qty = 119 (settings.yaml)",
    ),
    (
        "strategy: {candle_minutes: 720}",
        "settings.yaml: replay.funding_interval_hours: found 8; allowed: a multiple of strategy.candle_minutes = 720 (my.yaml:1)",
    ),
    (
        "exchange: {clock_speed: 60}",
        "my.yaml:1: exchange.clock_speed: found 60; allowed: 1, unless exchange.rest_url is on this machine",
    ),
    (
        'exchange: {rest_url: "https://api.bybit.com", private_stream_url: "wss://x.y/v5/private"}',
        "settings.yaml: exchange.public_stream_url: found nothing; allowed: all of rest_url, public_stream_url, private_stream_url, or none",
    ),
    (
        "exchange: {api_key: a-key}",
        "my.yaml:1: exchange.api_key: found a value that is not shown; allowed: null, with BYBIT_API_KEY set in the environment or in .env",
    ),
    (
        'notifications: {telegram_bot_token: "1:a"}',
        "my.yaml:1: notifications.telegram_bot_token: found a value that is not shown; allowed: null, with TELEGRAM_BOT_TOKEN set in the environment or in .env",
    ),
    (
        "exchange: {testnet: true, demo: true}",
        "my.yaml:1: exchange.demo: found true; allowed: false beside exchange.testnet = true (my.yaml:1)",
    ),
]


@pytest.mark.parametrize(("text", "error"), CONTRADICTIONS)
def test_contradiction_is_named_with_both_settings_and_where_each_stands(
    errors_of: Errors, text: str, error: str
) -> None:
    (only,) = errors_of(text)

    assert only.startswith(error)


AT_THE_LIMIT = [
    "strategy: {ema_short_period: 599}",
    "strategy: {entry_max_age_ms: 2001}",
    "risk: {drawdown_levels: [0.149, 0.15]}",
    "risk: {stop_loss_pct: 0.0938}",
    "portfolio: {total_allocation_pct: 0.21}",
    "supervision: {backoff_max_seconds: 0.1}",
    'instruments: {BTCUSDT: {min_order_qty: "119"}}',
    assets(BTC, BTC.replace("BTC", "DOGE").replace("true", "false")),
    assets(BTC, ETH.replace("0.07", "0.9").replace("true", "false")),
    "exchange: {testnet: false, demo: true}",
    'exchange: {clock_speed: 60, rest_url: "http://127.0.0.1:1", public_stream_url: "ws://127.0.0.1:1/v5/public/linear", private_stream_url: "ws://127.0.0.1:1/v5/private"}',
]


@pytest.mark.parametrize("text", AT_THE_LIMIT)
def test_settings_just_short_of_a_contradiction_are_accepted(tmp_path: Path, text: str) -> None:
    assert isinstance(load(tmp_path / "my.yaml", text), Settings)


def test_all_errors_are_reported_at_once_in_the_order_of_their_lines(errors_of: Errors) -> None:
    errors = errors_of("""
risk:
  stop_loss_pct: 7
  naked_seconds: 5
strategy:
  ema_short_period: 700
  max_hold_hours: soon
portfolio:
  assets:
    - {symbol: BTCUSDT, allocation_pct: 0.5, leverage: 10, enabled: maybe}
    - {symbol: BTCUSDT, allocation_pct: 0.5, leverage: 10, enabled: true}
""")

    assert [error.split(": found ")[0].split(": unknown")[0] for error in errors] == [
        "my.yaml:3: risk.stop_loss_pct",
        "my.yaml:4: risk.naked_seconds",
        "my.yaml:6: strategy.ema_short_period",
        "my.yaml:7: strategy.max_hold_hours",
        "my.yaml:10: portfolio.assets[0].enabled",
        "my.yaml:11: portfolio.assets[1].symbol",
    ]


def test_contradiction_with_a_shipped_value_names_its_line_in_the_shipped_file(
    tmp_path: Path,
) -> None:
    lines = SHIPPED.read_text(encoding="utf-8").splitlines()
    (line,) = [i for i, text in enumerate(lines, start=1) if "ema_long_period:" in text]

    with pytest.raises(ConfigError, match=rf"= 600 \({SHIPPED}:{line}\)$"):
        load(tmp_path / "my.yaml", "strategy: {ema_short_period: 600}")


@pytest.mark.parametrize("text", ["0.0700000000000000000001", "7e-2", "0.07", "+.07", '"0.07"'])
def test_number_is_taken_from_its_text_without_rounding(tmp_path: Path, text: str) -> None:
    settings = load(tmp_path / "my.yaml", f"risk: {{take_profit_pct: {text}}}")

    assert settings.risk.take_profit_pct == Decimal(text.strip('"'))


@pytest.mark.parametrize(("text", "digits"), [("1e4", "10000"), ("10000.50", "10000.50")])
def test_money_is_kept_without_exponent(tmp_path: Path, text: str, digits: str) -> None:
    settings = load(tmp_path / "my.yaml", f"replay: {{initial_balance: {text}}}")

    assert str(settings.replay.initial_balance) == digits


@given(number=st.decimals("0.001", "0.999", places=12))
def test_fraction_is_always_exactly_what_the_file_says(
    tmp_path_factory: pytest.TempPathFactory, number: Decimal
) -> None:
    file = tmp_path_factory.getbasetemp() / "fraction.yaml"

    settings = load(file, f"risk: {{take_profit_pct: {number}}}")

    assert settings.risk.take_profit_pct == number


def leaves(tree: Any, key: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of every number of a YAML tree; instruments write theirs in quotes."""
    for step, below in tree.items() if isinstance(tree, dict) else enumerate(tree):
        if isinstance(below, dict | list):
            yield from leaves(below, (*key, step))
        elif type(below) in (int, float) or key[:1] == ("instruments",):
            yield (*key, step)


NUMBERS = list(leaves(yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))))
NO_NUMBER = st.sampled_from(
    [
        "nan",
        "-inf",
        "true",
        "",
        "1e999",
        "-1e9",
        "0x10",
        "1_000",
        "1e99999999999",
        "\u0663",
        "9" * 99,
    ]
) | st.text(st.characters(exclude_characters="0123456789", exclude_categories=["Cs"]))
GARBAGE = NO_NUMBER.map(json.dumps) | st.sampled_from(["~", "[1]", "{a: 1}", ".nan", "-.inf"])


def replaced(key: tuple[str | int, ...], raw: str) -> str:
    """Return the shipped settings with one value put in as raw YAML."""
    tree = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    parent = tree
    for step in key[:-1]:
        parent = parent[step]
    parent[key[-1]] = "THE-VALUE"
    return json.dumps(tree).replace('"THE-VALUE"', raw)


def test_property_below_reaches_every_section_with_numbers() -> None:
    assert len(NUMBERS) > 70
    assert {key[0] for key in NUMBERS} == {
        "backup",
        "events",
        "control",
        "web",
        "start",
        "portfolio",
        "strategy",
        "confirmed_trend_long",
        "risk",
        "cooldown",
        "supervision",
        "feed",
        "execution",
        "health",
        "replay",
        "simulation",
        "instruments",
        "database",
        "logging",
        "trace",
        "exchange",
        "notifications",
    }


def may_be_null(key: tuple[str | int, ...]) -> bool:
    """Tell whether null is a value of a setting, by the declaration of its section."""
    hint: Any = Settings
    for step in key:
        if isinstance(step, str) and isinstance(hint, type) and issubclass(hint, BaseModel):
            hint = hint.model_fields[step].annotation
        else:  # an item of a list, an entry of a mapping
            hint = get_args(hint)[-1 if isinstance(step, str) else 0]
    return NoneType in get_args(hint)


@pytest.mark.parametrize(
    "key", [key for key in NUMBERS if may_be_null(key) and key != ("risk", "stop_loss_pct")]
)
def test_a_limit_that_may_be_null_is_off(tmp_path: Path, key: tuple[str | int, ...]) -> None:
    settings = load(tmp_path / "null.yaml", replaced(key, "null"))

    assert isinstance(settings.trading_rules(), TradingRules)


@pytest.mark.parametrize(
    ("text", "part", "field"),
    [
        ("portfolio: {max_simultaneous_entries: null}", "approval", "max_simultaneous_entries"),
        ("portfolio: {correlation_limit: null}", "approval", "correlation_limit"),
        ("risk: {max_daily_loss_pct: null}", "protection", "max_daily_loss_fraction"),
        ("risk: {max_portfolio_drawdown_pct: null}", "protection", "drawdown_halt_fraction"),
        ("risk: {drawdown_levels: null}", "protection", "drawdown_emergency_fraction"),
        ("risk: {drawdown_levels: []}", "protection", "drawdown_emergency_fraction"),
        ("risk: {high_correlation_threshold: null}", "protection", "high_correlation_threshold"),
        ("risk: {portfolio_loss_streak: null}", "protection", "loss_streak"),
        ("cooldown: {per_asset_settings: {short_hold_hours: null}}", "cooldown", "short_hold_ms"),
        ("cooldown: {per_asset_settings: {loss_streak: null}}", "cooldown", "loss_streak"),
        ("cooldown: {per_asset_settings: {trades_per_hour: null}}", "cooldown", "trades_per_hour"),
        ("cooldown: {per_asset_settings: {trades_per_day: null}}", "cooldown", "trades_per_day"),
    ],
)
def test_null_switches_one_rule_off(tmp_path: Path, text: str, part: str, field: str) -> None:
    rules = load(tmp_path / "null.yaml", text).trading_rules()

    assert getattr(getattr(rules, part), field) is None


@given(key=st.sampled_from(NUMBERS), raw=GARBAGE)
def test_garbage_in_place_of_any_number_is_always_a_config_error_that_names_the_key(
    tmp_path_factory: pytest.TempPathFactory, key: tuple[str | int, ...], raw: str
) -> None:
    file = tmp_path_factory.getbasetemp() / "garbage.yaml"
    name = str(key[-1]) if isinstance(key[-1], str) else f"{key[-2]}[{key[-1]}]"

    assume(raw != "~" or not may_be_null(key))
    with pytest.raises(ConfigError) as caught:
        load(file, replaced(key, raw))

    assert f"{file}:1: " in str(caught.value)
    assert f"{name}: found " in str(caught.value)

"""Settings that hardly do what was meant are obeyed, and told."""

# ruff: noqa: E501 (a doubt is one line of text)

import re
from pathlib import Path

import pytest

from infra.settings import SettingsSource
from infra.settings.doubts import doubts

SHIPPED = Path(__file__).parents[2] / "settings.yaml"
TREND = "symbol: BTCUSDT, strategy: confirmed_trend_long"


def of_one(item: str, portfolio: str = "") -> str:
    return f"portfolio:\n  {portfolio}\n  assets:\n    - {{{item}}}\n"


def found_in(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "my.yaml"
    file.write_text(text, encoding="utf-8")
    source = SettingsSource(file, environ={}, dotenv=None)
    source.settings()
    lines = [line.replace(f"{tmp_path}/", "") for line in doubts(source.merged())]
    return [re.sub(rf"{SHIPPED}:[0-9]+", "settings.yaml", line) for line in lines]


DOUBTS = [
    (
        "strategy: {warmup_candles: 599, volatility_window: 20}",
        "settings.yaml: strategy.ema_long_period: found 600; probably meant: at most strategy.warmup_candles = 599 (my.yaml:1)",
    ),
    (
        "strategy: {volatility_window: 3000}",
        "my.yaml:1: strategy.volatility_window: found 3000; probably meant: below strategy.warmup_candles = 3000 (settings.yaml)",
    ),
    (
        of_one(TREND) + "confirmed_trend_long: {ema_trend_period: 3001}",
        "my.yaml:5: confirmed_trend_long.ema_trend_period: found 3001; probably meant: at most strategy.warmup_candles = 3000 (settings.yaml)",
    ),
    (
        of_one(f"{TREND}, rsi_period: 3001"),
        "my.yaml:4: portfolio.assets[0].rsi_period: found 3001; probably meant: at most strategy.warmup_candles = 3000 (settings.yaml)",
    ),
    (
        "risk: {max_portfolio_drawdown_pct: 0.15}",
        "settings.yaml: risk.drawdown_levels[1]: found 0.15; probably meant: below risk.max_portfolio_drawdown_pct = 0.15 (my.yaml:1)",
    ),
    (
        "risk: {drawdown_restore_pct: 0.10}",
        "my.yaml:1: risk.drawdown_restore_pct: found 0.10; probably meant: below risk.drawdown_levels[0] = 0.10 (settings.yaml)",
    ),
    (
        "risk: {drawdown_rearm_pct: 0.15}",
        "my.yaml:1: risk.drawdown_rearm_pct: found 0.15; probably meant: below risk.drawdown_levels[1] = 0.15 (settings.yaml)",
    ),
    (
        "portfolio: {max_total_exposure_pct: 0.34}",
        "my.yaml:1: portfolio.max_total_exposure_pct: found 0.34; probably meant: at least 0.350, else portfolio.assets[0].allocation_pct = 0.07 (settings.yaml) and portfolio.assets[0].leverage = 10 (settings.yaml) never enter at full size",
    ),
    (
        of_one(TREND, "max_correlated_exposure_pct: 0.02"),
        "my.yaml:2: portfolio.max_correlated_exposure_pct: found 0.02; probably meant: at least 0.025",
    ),
    (
        of_one(TREND, "max_concentration_pct: 0.02"),
        "my.yaml:2: portfolio.max_concentration_pct: found 0.02; probably meant: at least 0.025",
    ),
    (
        of_one(TREND, "max_position_size_pct: 0.04"),
        "my.yaml:2: portfolio.max_position_size_pct: found 0.04; probably meant: at least 0.05, else confirmed_trend_long.allocation_pct = 0.05 (settings.yaml) never enters at full size",
    ),
    (
        of_one(f"{TREND}, correlation_group: majors"),
        "my.yaml:4: portfolio.assets[0].correlation_group: found majors; probably meant: a group only with portfolio.max_correlated_exposure_pct or portfolio.max_concentration_pct, else it limits nothing",
    ),
]


@pytest.mark.parametrize(("text", "line"), DOUBTS)
def test_doubt_is_one_line_with_both_settings(tmp_path: Path, text: str, line: str) -> None:
    first, *_ = found_in(tmp_path, text)

    assert first.startswith(line)


NONE = [
    "strategy: {candle_minutes: 5}",
    "strategy: {warmup_candles: 600}",
    "strategy: {volatility_window: 2999}",
    "confirmed_trend_long: {ema_trend_period: 3001}",
    "risk: {max_portfolio_drawdown_pct: 0.151}",
    "risk: {drawdown_restore_pct: 0.099}",
    "risk: {drawdown_rearm_pct: 0.149}",
    "risk: {drawdown_levels: null, max_portfolio_drawdown_pct: null}",
    "portfolio: {max_total_exposure_pct: 0.35}",
    of_one(TREND, "max_position_size_pct: 0.05"),
    of_one(TREND, "max_position_size_pct: 0.04") + "risk: {volatility_sizing: true}",
    of_one(f"{TREND}, correlation_group: a", "max_correlated_exposure_pct: 0.025"),
    of_one(f"{TREND}, correlation_group: a", "max_concentration_pct: 0.025"),
]


@pytest.mark.parametrize("text", NONE)
def test_settings_just_short_of_a_doubt_are_told_nothing(tmp_path: Path, text: str) -> None:
    assert found_in(tmp_path, text) == []

"""Settings under the names that others give them are read as ours, and errors keep theirs."""

from pathlib import Path

import pytest

from domain.errors import ConfigError
from infra.settings import SettingsSource
from infra.settings.alias_names import ASSET, FOR_EACH_ASSET, SECTIONS
from infra.settings.explanation import explain
from infra.settings.sections.assets import AssetSettings
from infra.settings.sections.whole import Settings

OTHERS = """\
portfolio:
  total_capital: 5000
  max_portfolio_exposure: 2.5
  assets:
    - symbol: "BTC"
    - symbol: "ETH/USDT"
      position_size_pct: 0.05
    - symbol: SOLUSDT
      strategy: confirmed_trend_long
      leverage: 2
strategy:
  ema_short: 200
  rsi_level: 55
risk:
  per_asset_allocation_pct: 0.06
  leverage_per_asset: 8
  max_drawdown_pct: 0.18
  max_position_size_pct: 0.10
  trail_pct: 0.03
cooldown:
  quick_exit_threshold_hours: 2
  max_trades_per_day: 9
  per_asset:
    consecutive_losses: 4
  portfolio_loss_streak: 6
"""
OURS = """\
portfolio:
  total_capital: 5000
  max_total_exposure_pct: 2.5
  max_position_size_pct: 0.10
  assets:
    - {symbol: BTCUSDT, allocation_pct: 0.06, leverage: 8}
    - {symbol: ETHUSDT, allocation_pct: 0.05, leverage: 8}
    - {symbol: SOLUSDT, strategy: confirmed_trend_long, allocation_pct: 0.06, leverage: 2}
strategy: {ema_short_period: 200}
confirmed_trend_long: {rsi_level: 55, trail_pct: 0.03}
risk: {max_portfolio_drawdown_pct: 0.18, portfolio_loss_streak: 6}
cooldown: {per_asset_settings: {short_hold_hours: 2, trades_per_day: 9, loss_streak: 4}}
"""


def source(tmp_path: Path, text: str, **environ: str) -> SettingsSource:
    file = tmp_path / "my.yaml"
    file.write_text(text, encoding="utf-8")
    return SettingsSource(file, environ=environ, dotenv=None)


def error(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        source(tmp_path, text).settings()
    (_, only) = str(caught.value).replace(f"{tmp_path}/", "").splitlines()
    return only


def test_other_names_make_the_same_settings(tmp_path):
    found, wanted = source(tmp_path, OTHERS).settings(), source(tmp_path, OURS).settings()

    assert found == wanted


def test_what_a_file_says_for_each_asset_holds_for_the_shipped_ones(tmp_path):
    found = source(tmp_path, "risk: {per_asset_allocation_pct: 0.03}").settings()

    assert [str(asset.allocation_pct) for asset in found.portfolio.assets] == ["0.03"] * 3


def test_a_variable_wins_over_another_name(tmp_path):
    found = source(tmp_path, OTHERS, LEVERAGE_PER_ASSET="4").settings()

    assert [str(asset.leverage) for asset in found.portfolio.assets] == ["4"] * 3


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "risk:\n  per_asset_allocation_pct: 7",
            (
                "my.yaml:2: risk.per_asset_allocation_pct: found 7; allowed: a fraction from 0.001 "
                "to 1 (7 looks like a percentage: write 0.07)"
            ),
        ),
        (
            "cooldown:\n  per_asset:\n    quick_exit_threshold_hours: soon",
            (
                "my.yaml:3: cooldown.per_asset.quick_exit_threshold_hours: found soon; allowed: a "
                "number (hours) from 0 to 8760"
            ),
        ),
        (
            "strategy:\n  ema_short: 600",
            "my.yaml:2: strategy.ema_short: found 600; allowed: below strategy.ema_long_period",
        ),
        (
            "strategy:\n  ema_short: 200\n  ema_short_period: 210",
            (
                "my.yaml:2: strategy.ema_short: found beside strategy.ema_short_period "
                "(my.yaml:3), which is the same; allowed: one of the two"
            ),
        ),
        (
            "risk: {emergency_liquidation_loss_pct: -10}",
            (
                "my.yaml:1: risk.emergency_liquidation_loss_pct: found -10; allowed: a fraction "
                "from -0.999 to -0.001"
            ),
        ),
        (
            "portfolio: {assets: [{symbol: btc}]}",
            "my.yaml:1: portfolio.assets[0].symbol: found btc",
        ),
    ],
)
def test_a_wrong_value_is_told_by_the_name_in_the_file_and_never_guessed(tmp_path, text, told):
    assert error(tmp_path, text).startswith(told)


def test_a_limit_that_may_exceed_the_balance_may_do_so_under_its_other_name(tmp_path):
    found = source(tmp_path, "risk: {max_portfolio_exposure: 3.5}").settings()

    assert str(found.portfolio.max_total_exposure_pct) == "3.5"


def test_what_was_translated_and_where_each_value_comes_from_is_explained(tmp_path):
    lines = list(explain(source(tmp_path, OTHERS, STOP_LOSS_PCT="0.02")))
    text = "\n".join(lines).replace(f"{tmp_path}/", "")

    assert "my.yaml:15: risk.per_asset_allocation_pct: read as portfolio.assets[*]." in text
    assert "my.yaml:5: portfolio.assets[0].symbol: read as portfolio.assets[0].symbol = " in text
    btc = lines.index("BTCUSDT: ema_cross_short")
    sol = lines.index("SOLUSDT: confirmed_trend_long")
    rows = {line.split()[0]: line.split(None, 2)[1:] for line in lines[sol + 1 :]}
    assert rows["leverage"][0] == "2"
    assert rows["stop_loss_pct"][0] == "0.02"
    assert rows["stop_loss_pct"][1].startswith("environment variable STOP_LOSS_PCT")
    assert rows["trail_pct"][0] == "0.03"
    assert rows["trail_pct"][1].endswith("my.yaml:19 (risk.trail_pct)")
    assert rows["macd_fast_period"][1].startswith("settings.yaml:")
    assert not any("macd" in line for line in lines[btc:sol])


def test_no_other_name_hides_one_of_ours_and_each_is_read_as_one_of_ours():
    for section, names in SECTIONS.items():
        own = model_at(section).model_fields if section != ("cooldown",) else {}
        assert not names.keys() & own.keys()
        for key in names.values():
            assert key[-1] in model_at(key[:-1]).model_fields, key
    for section, shares in FOR_EACH_ASSET.items():
        assert not shares.keys() & model_at(section).model_fields.keys()
    assert not ASSET.keys() & AssetSettings.model_fields.keys()
    assert set(ASSET.values()) <= AssetSettings.model_fields.keys()


def model_at(key):
    model = Settings
    for step in key:
        model = model.model_fields[step].annotation
    return model

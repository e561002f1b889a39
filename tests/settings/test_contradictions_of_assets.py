"""What contradicts in one asset, by whichever strategy it is traded, is refused and named."""

# ruff: noqa: E501 (an error is one line of text)

import re
from pathlib import Path

import pytest

from domain.errors import ConfigError
from domain.market.instruments import Side
from domain.strategies.base import Evaluation, Strategy
from infra.settings import Settings, SettingsSource, load_settings
from infra.settings.pairs import node_of, settings_text
from infra.settings.problems import Place
from infra.settings.sections.assets import AssetSettings

SHIPPED = Path(__file__).parents[2] / "settings.yaml"
TREND = "symbol: BTCUSDT, strategy: confirmed_trend_long"
SHORT = "symbol: ETHUSDT"


class Narrow(Strategy):
    """A strategy that needs a parameter, and never signals."""

    side = Side.BUY

    def __init__(self, parameters, candles):
        super().__init__(parameters, candles)
        self.width = float(parameters["width"])

    def fold(self, _candle, _before_ms):
        return ()

    def evaluate(self):
        return Evaluation(regime=(), values=())


def assets(*items: str, portfolio: str = "") -> str:
    lines = [f"  {portfolio}"] if portfolio else []
    return "\n".join(["portfolio:", *lines, "  assets:", *(f"    - {{{i}}}" for i in items), ""])


def load(tmp_path: Path, text: str, **environ: str) -> Settings:
    file = tmp_path / "my.yaml"
    file.write_text(text, encoding="utf-8")
    return load_settings(file, environ=environ, dotenv=None)


def errors(tmp_path: Path, text: str, **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text, **environ)
    _, *lines = str(caught.value).replace(f"{tmp_path}/", "").splitlines()
    return [re.sub(rf"{SHIPPED}:[0-9]+", "settings.yaml", line) for line in lines]


CONTRADICTIONS = [
    (
        assets(TREND) + "confirmed_trend_long: {trail_pct: null}",
        "my.yaml:3: portfolio.assets[0]: found no stop for BTCUSDT; allowed: confirmed_trend_long.stop_loss_pct or confirmed_trend_long.trail_pct, or both",
    ),
    (
        assets(f"{TREND}, trail_pct: null"),
        "my.yaml:3: portfolio.assets[0]: found no stop for BTCUSDT; allowed: confirmed_trend_long.stop_loss_pct or portfolio.assets[0].trail_pct, or both",
    ),
    (
        assets(SHORT) + "risk: {stop_loss_pct: null}",
        "my.yaml:3: portfolio.assets[0]: found no stop for ETHUSDT; allowed: risk.stop_loss_pct or portfolio.assets[0].trail_pct, or both",
    ),
    (
        assets(f"{TREND}, leverage: 50"),
        "settings.yaml: confirmed_trend_long.trail_pct: found 0.02; allowed: below 0.0139, where a long is liquidated with portfolio.assets[0].leverage = 50 (my.yaml:3)",
    ),
    (
        assets(f"{SHORT}, stop_loss_pct: 0.3"),
        "my.yaml:3: portfolio.assets[0].stop_loss_pct: found 0.3; allowed: below 0.0939, where a short is liquidated with portfolio.assets[0].leverage = 10 (the default)",
    ),
    (
        assets(TREND, TREND.replace("BTC", "ETH")) + "confirmed_trend_long: {allocation_pct: 0.2}",
        "settings.yaml: portfolio.total_allocation_pct: found 0.21; allowed: at least 0.4, the sum of the enabled assets' 2 x confirmed_trend_long.allocation_pct = 0.2 (my.yaml:5)",
    ),
    (
        assets(f"{TREND}, allocation_pct: 0.3"),
        "settings.yaml: portfolio.total_allocation_pct: found 0.21; allowed: at least 0.3, the sum of the enabled assets' portfolio.assets[0].allocation_pct = 0.3 (my.yaml:3)",
    ),
    (
        assets(TREND) + "confirmed_trend_long: {macd_fast_period: 26}",
        "my.yaml:4: confirmed_trend_long.macd_fast_period: found 26; allowed: below confirmed_trend_long.macd_slow_period = 26 (settings.yaml)",
    ),
    (
        assets(f"{TREND}, macd_slow_period: 12"),
        "settings.yaml: confirmed_trend_long.macd_fast_period: found 12; allowed: below portfolio.assets[0].macd_slow_period = 12 (my.yaml:3)",
    ),
    (
        "risk: {drawdown_steps: [[0.10, 0.5], [0.08, 0.75]]}",
        "my.yaml:1: risk.drawdown_steps[0][0]: found 0.10; allowed: below risk.drawdown_steps[1][0] = 0.08 (my.yaml:1)",
    ),
    (
        "risk: {drawdown_steps: [[0.05, 0.5]]}",
        "settings.yaml: risk.drawdown_restore_pct: found 0.05; allowed: below risk.drawdown_steps[0][0] = 0.05 (my.yaml:1)",
    ),
    (
        "risk: {drawdown_steps: []}",
        "my.yaml:1: risk.drawdown_steps: found an empty list; allowed: pairs [drawdown, size], or null",
    ),
    (
        assets("symbol: BTCUSDT, strategy: confirmed_trend_short"),
        "my.yaml:3: portfolio.assets[0].strategy: found confirmed_trend_short; allowed: ema_cross_short, confirmed_trend_long, or module:Class (did you mean confirmed_trend_long?)",
    ),
    (
        assets('symbol: BTCUSDT, strategy: "no.such:Thing"'),
        "my.yaml:3: portfolio.assets[0].strategy: found 'no.such:Thing'; allowed: a strategy that can be imported: \"the strategy no.such:Thing cannot be imported: ModuleNotFoundError: No module named 'no'\"",
    ),
    (
        assets(f'symbol: BTCUSDT, strategy: "{__name__}:Narrow"'),
        f"my.yaml:3: portfolio.assets[0].strategy: found '{__name__}:Narrow'; allowed: a strategy that takes its parameters (none): \"strategy {__name__}:Narrow, at its start: raised KeyError: 'width'\"",
    ),
    (
        assets(f'symbol: BTCUSDT, strategy: "{__name__}:Narrow", parameters: {{width: wide}}'),
        f"my.yaml:3: portfolio.assets[0].strategy: found '{__name__}:Narrow'; allowed: a strategy that takes its parameters (width): \"strategy {__name__}:Narrow, at its start: raised ValueError: ",
    ),
    (
        assets(f"{TREND}, parameters: {{width: 3}}"),
        "my.yaml:3: portfolio.assets[0].parameters: found values; allowed: only for a strategy named module:Class, not for confirmed_trend_long, which has its section",
    ),
]


@pytest.mark.parametrize(("text", "error"), CONTRADICTIONS)
def test_contradiction_in_an_asset_is_one_line_with_both_settings(tmp_path, text, error):
    (only,) = errors(tmp_path, text)

    assert only.startswith(error)


AT_THE_LIMIT = [
    assets(f"{TREND}, stop_loss_pct: 0.015") + "confirmed_trend_long: {trail_pct: null}",
    assets(f"{SHORT}, trail_pct: 0.02") + "risk: {stop_loss_pct: null}",
    # The nearer one of two stops counts.
    assets(f"{SHORT}, stop_loss_pct: 0.3, trail_pct: 0.02"),
    assets(f"{TREND}, leverage: 36", portfolio="max_total_exposure_pct: 2.1"),
    "confirmed_trend_long: {macd_fast_period: 26}",
    assets(TREND) + "strategy: {ema_short_period: 600, entry_crosses: []}",
    "risk: {drawdown_steps: [[0.06, 0.75], [0.10, 0.5]]}",
    "risk: {drawdown_levels: null, drawdown_steps: null, max_portfolio_drawdown_pct: null}",
    "risk: {drawdown_levels: []}",
    assets(f'symbol: BTCUSDT, strategy: "{__name__}:Narrow", parameters: {{width: 3}}'),
]


@pytest.mark.parametrize("text", AT_THE_LIMIT)
def test_settings_just_short_of_a_contradiction_in_an_asset_are_accepted(tmp_path, text):
    assert isinstance(load(tmp_path, text), Settings)


def test_null_of_a_pair_means_none_and_what_it_leaves_out_is_its_sections(tmp_path):
    text = assets(
        f"{TREND}, trail_pct: null, max_hold_hours: null",
        "symbol: SOLUSDT, strategy: confirmed_trend_long",
        f"{SHORT}, take_profit_pct: null",
    )
    settings = load(
        tmp_path, text + "confirmed_trend_long: {stop_loss_pct: 0.03, max_hold_hours: 5}"
    )

    bare, plain, short = (asset.stops for asset in settings.trading_rules().assets)
    assert (bare.trail_fraction, bare.max_hold_ms, str(bare.stop_loss_fraction)) == (
        None,
        None,
        "0.03",
    )
    assert (str(plain.trail_fraction), plain.max_hold_ms) == ("0.02", 18_000_000)
    assert (short.take_profit_fraction, str(short.stop_loss_fraction)) == (None, "0.015")
    for asset in settings.portfolio.assets:
        node = node_of(settings_text(asset), Place())
        assert AssetSettings.model_validate(node.plain()).says("trail_pct") is asset.says(
            "trail_pct"
        )


def test_a_pair_may_have_periods_of_its_own(tmp_path):
    own = {"ema_trigger_period": 7, "ema_trend_period": 30, "macd_fast_period": 3}
    own |= {"macd_slow_period": 8, "macd_signal_period": 4, "rsi_period": 5, "rsi_level": 45}
    said = ", ".join(f"{name}: {value}" for name, value in own.items())
    settings = load(
        tmp_path,
        assets(
            f"{TREND}, {said}",
            "symbol: SOLUSDT, strategy: confirmed_trend_long, macd_fast: 9, rsi_threshold: 55",
        ),
    )

    first, second = (asset.terms.strategy for asset in settings.trading_rules().assets)
    assert {name: first.parameters[name] for name in own} == own
    assert second.parameters["ema_trigger_period"] == 50
    assert (second.parameters["macd_fast_period"], second.parameters["rsi_level"]) == (9, 55.0)


def test_variables_hold_for_each_asset_whatever_its_strategy_and_whatever_it_says(tmp_path):
    text = assets(TREND, f"{SHORT}, stop_loss_pct: 0.03", "symbol: SOLUSDT")
    changed = load(
        tmp_path,
        text,
        ASSET_ALLOCATION_PCT="0.06",
        LEVERAGE_PER_ASSET="4",
        STOP_LOSS_PCT="0.011",
        TAKE_PROFIT_PCT="0.05",
    )

    for asset in changed.trading_rules().assets:
        stops = asset.terms.stops
        assert (str(asset.allocation_fraction), str(asset.leverage)) == ("0.06", "4")
        assert (str(stops.stop_loss_fraction), str(stops.take_profit_fraction)) == ("0.011", "0.05")


def test_a_variable_says_in_errors_that_it_holds_for_each_asset(tmp_path):
    found = errors(tmp_path, assets(f"{SHORT}, stop_loss_pct: 0.02"), STOP_LOSS_PCT="0.3")

    assert found[0].startswith(
        "environment variable STOP_LOSS_PCT: portfolio.assets[*].stop_loss_pct: found 0.3; allowed: below 0.0939"
    )


def test_a_value_put_over_the_files_may_be_one_that_no_asset_says(tmp_path):
    file = tmp_path / "my.yaml"
    file.write_text(assets(TREND, SHORT), encoding="utf-8")
    source = SettingsSource(file, environ={}, dotenv=None)

    changed = source.settings({"portfolio.assets[*].leverage": "3"}, source="--sweep")

    assert [str(asset.leverage) for asset in changed.portfolio.assets] == ["3", "3"]
    with pytest.raises(ConfigError, match=r"portfolio\.assets\[5\]\.leverage: unknown key"):
        source.settings({"portfolio.assets[5].leverage": "3"}, source="--sweep")

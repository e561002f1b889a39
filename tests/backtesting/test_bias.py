"""The check for bias finds what was planted, and nothing in the engine itself."""

import io
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from bin.backtest import main
from domain.backtesting.bias import CUTS, WARM_UPS, look_ahead, warm_ups
from domain.backtesting.market import Market
from domain.backtesting.run import run_backtest
from infra.backtest.bias import render
from tests.backtesting.markets import Recipe, lively_rules, random_market

RULES = lively_rules(candles={"warmup_candles": 150})
CANDLES = random_market(Recipe(seed=8, candles=1_500, jumps=0.01, late=True, has_funding=True))


@pytest.mark.parametrize("seed", range(4))
def test_the_engine_does_not_look_ahead(seed):
    candles = random_market(Recipe(seed=seed, candles=900, jumps=0.02, missing=0.02))
    runs = []

    found = look_ahead(candles, RULES, run_backtest, lambda: runs.append(1))

    assert found.leaks == ()
    assert found.decisions > 100
    assert len(runs) == 1 + CUTS


# Plants.


def knows_the_next_close(market, rules):
    """Decide on the close that comes next."""
    shifted = {
        name: replace(asset.series, close=np.append(asset.series.close[1:], asset.series.close[-1]))
        for name, asset in market.assets.items()
    }
    return run_backtest(Market(shifted), rules)


def knows_how_far_the_whole_history_goes(market, rules):
    """Take the stop from the range of all candles."""
    closes = next(iter(market.assets.values())).series.close
    spread = Decimal(repr(round(float(closes.std() / closes.mean()), 6)))
    distance = Decimal("0.004") + spread / 100
    assets = []
    for asset in rules.assets:
        stops = replace(asset.stops, stop_loss_fraction=distance)
        assets.append(replace(asset, terms=replace(asset.terms, stops=stops)))
    return run_backtest(market, replace(rules, assets=tuple(assets)))


def forgets_what_lost(market, rules):
    """Leave out the trades that ended badly."""
    result = run_backtest(market, rules)
    return replace(result, trades=[trade for trade in result.trades if trade.pnl > 0])


def paints_its_averages(market, rules):
    """Show averages that were smoothed in both directions."""
    result = run_backtest(market, rules)
    for history in result.histories.values():
        history.ema_long = (history.ema_long + history.ema_long.mean()) / 2
    return result


@pytest.mark.parametrize(
    "plant",
    [
        knows_the_next_close,
        knows_how_far_the_whole_history_goes,
        forgets_what_lost,
        paints_its_averages,
    ],
)
def test_a_planted_look_ahead_is_found(plant):
    found = look_ahead(CANDLES, RULES, plant)

    assert found.leaks
    assert all(leak.with_future != leak.without for leak in found.leaks)
    shown = _shown(found, warm_ups(CANDLES, RULES, run_backtest))
    assert "Look-ahead!" in shown
    assert found.leaks[0].with_future in shown


# Warm-up.


def test_an_average_forgets_what_came_before_its_warm_up():
    runs = []

    found = warm_ups(CANDLES, RULES, run_backtest, lambda: runs.append(1))

    assert [run.candles for run in found.runs] == [int(150 * part) for part in WARM_UPS]
    assert len(runs) == len(WARM_UPS)
    errors = [run.price_error for run in found.runs]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] == 0.0
    assert found.at_usual.is_settled
    assert found.at_usual.of_entries > 10
    assert "Warm-up settled." in _shown(look_ahead(CANDLES, RULES, run_backtest), found)


def test_a_warm_up_that_is_too_short_is_told():
    hasty = lively_rules(
        candles={"warmup_candles": 90}, strategy={"ema_short_period": 40, "ema_long_period": 90}
    )
    candles = random_market(Recipe(seed=4, candles=3_000, volatility=0.004))

    found = warm_ups(candles, hasty, run_backtest)

    usual = found.at_usual
    assert not usual.is_settled
    assert usual.regimes > 0
    assert usual.price_error > 1e-4
    assert "Warm-up too short." in _shown(look_ahead(candles, hasty, run_backtest), found)


def test_all_runs_trade_from_the_same_close_on():
    found = []

    def remembered(market, rules):
        found.append(run_backtest(market, rules))
        return found[-1]

    warm_ups(CANDLES, RULES, remembered)

    starts = {
        int(result.market.first_open_ms) + result.rules.candles.warmup_candles * 300_000
        for result in found
    }
    assert len(starts) == 1
    assert all(trade.entry_ms > min(starts) for result in found for trade in result.trades)


def _shown(ahead, warm) -> str:
    out = io.StringIO()
    Console(width=500, file=out).print(render(ahead, warm))
    return out.getvalue()


# The command.

app = typer.Typer()
app.command()(main)


def folder_with(path: Path, candles: int) -> Path:
    market = random_market(Recipe(seed=5, candles=candles, assets=1, volatility=0.004))
    columns = {
        name: getattr(market["BTC"], name) for name in ("open", "high", "low", "close", "volume")
    }
    table = pa.table({"open_time": market["BTC"].open_time_ms, **columns})
    pq.write_table(table, path / "BTCUSDT.parquet")
    (path / "settings.yaml").write_text(
        "portfolio:\n  assets:\n"
        "    - {symbol: BTCUSDT, allocation_pct: 0.07, leverage: 10, enabled: true}\n"
    )
    return path


def invoke(folder: Path, *more: str):
    words = ["--candles", str(folder), "--settings", str(folder / "settings.yaml"), *more]
    return CliRunner().invoke(app, words)


def test_the_command_gives_both_verdicts(tmp_path):
    end = invoke(folder_with(tmp_path, 9_000), "--check-bias")

    assert end.exit_code == 0, end.stderr
    assert "No look-ahead." in end.stdout
    assert "Warm-up" in end.stdout
    assert "3,000 *" in end.stdout


def test_the_command_fails_where_something_looks_ahead(tmp_path, monkeypatch):
    monkeypatch.setattr("infra.backtest.bias.run_backtest", knows_the_next_close)

    end = invoke(folder_with(tmp_path, 9_000), "--check-bias")

    assert end.exit_code == 1
    assert "Look-ahead!" in end.stdout


@pytest.mark.parametrize(
    ("candles", "more", "told"),
    [
        (2_000, (), "expected 6,000 candles or more"),
        (9_000, ("--json",), "--json does not go with --check-bias"),
        (9_000, ("--sweep", "risk.stop_loss_pct=0.01"), "does not go with --sweep"),
    ],
)
def test_wrong_use_is_told_in_a_line(tmp_path, candles, more, told):
    end = invoke(folder_with(tmp_path, candles), "--check-bias", *more)

    assert (end.exit_code, end.stderr.count("\n")) == (2, 1)
    assert told in end.stderr

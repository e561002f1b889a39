"""A backtest by whichever way its strategies allow comes to the same."""

import csv
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from bin.backtest import main
from domain.backtesting.histories import can_leap
from domain.backtesting.market import Market
from domain.backtesting.result import BacktestResult
from domain.backtesting.run import play_close_by_close, run_backtest
from domain.rules import TradingRules
from domain.strategies.base import StrategySpec
from domain.strategies.registry import CONFIRMED_TREND_LONG, EMA_CROSS_SHORT
from tests.backtesting.markets import NAMES, Recipe, lively_rules, random_market

LONGS = "binance_perp_2025-07_2025-09_12pairs"
MIXED = [CONFIRMED_TREND_LONG, EMA_CROSS_SHORT, CONFIRMED_TREND_LONG]
Play = Callable[[Market, TradingRules, Callable[[int], None]], BacktestResult]
app = typer.Typer()
app.command()(main)


def of_both_ways(recipe: Recipe, rules: TradingRules) -> tuple[BacktestResult, BacktestResult]:
    candles = random_market(recipe)
    return run_backtest(Market(candles), rules), play_close_by_close(Market(candles), rules)


@pytest.mark.parametrize("play", [run_backtest, play_close_by_close])
def test_a_backtest_tells_how_far_it_is_up_to_its_last_candle(play: Play) -> None:
    market = Market(random_market(Recipe(seed=3, candles=300, late=True)))
    told: list[int] = []

    play(market, lively_rules(), told.append)

    candles = [market.candles_before(closes) for closes in told]
    assert candles == sorted(candles)
    assert (candles[0] < candles[-1], candles[-1]) == (True, market.candles)


@settings(max_examples=25)
@given(st.integers(0, 1000), st.booleans(), st.sampled_from([None, Decimal("0.01")]))
def test_both_ways_leave_the_same_result(seed: int, late: bool, trail: Decimal | None) -> None:
    rules = lively_rules(kinds=MIXED, stops={"trail_fraction": trail})

    leapt, plain = of_both_ways(Recipe(seed=seed, candles=500, jumps=0.01, late=late), rules)

    for name in ("trades", "open_positions", "refused", "protections"):
        assert getattr(leapt, name) == getattr(plain, name)
    np.testing.assert_array_equal(leapt.equity.time_ms, plain.equity.time_ms)
    np.testing.assert_allclose(leapt.equity.balance, plain.equity.balance, rtol=1e-9)
    np.testing.assert_allclose(leapt.equity.equity, plain.equity.equity, rtol=1e-9)
    assert list(leapt.histories) == list(plain.histories) == list(NAMES)
    for name, history in leapt.histories.items():
        noted = plain.histories[name]
        np.testing.assert_array_equal(history.is_active, noted.is_active)
        lines = {line.name: line for line in noted.lines()}
        for line in history.lines():
            assert (lines[line.name].label, lines[line.name].is_price) == (
                line.label,
                line.is_price,
            )
            np.testing.assert_array_equal(line.figures, lines[line.name].figures)


def test_candles_of_others_lengthen_the_grid_alike() -> None:
    rules = lively_rules(kinds=MIXED)
    fewer = replace(rules, assets=rules.assets[:1])

    leapt, plain = of_both_ways(Recipe(seed=3, candles=400, late=True), fewer)

    assert leapt.trades
    assert leapt.trades == plain.trades
    np.testing.assert_allclose(leapt.equity.equity, plain.equity.equity, rtol=1e-9)


def test_a_strategy_of_the_users_own_is_played_close_by_close() -> None:
    rules = lively_rules()
    own = StrategySpec(name="examples.own_strategy:Breakout", parameters={"channel_candles": 20})
    first = replace(rules.assets[0], terms=replace(rules.assets[0].terms, strategy=own))
    mixed = replace(rules, assets=(first, *rules.assets[1:]))

    result = run_backtest(Market(random_market(Recipe(seed=2, candles=600))), mixed)

    assert not can_leap(mixed)
    assert {trade.side for trade in result.trades if trade.asset == "BTC"} == {"BUY"}
    assert {trade.side for trade in result.trades if trade.asset == "ETH"} == {"SELL"}
    labels = [line.label for line in result.histories["BTC"].lines()]
    assert labels
    assert not any("EMA" in label for label in labels)


@pytest.fixture(scope="module")
def longs(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the csv of trades that the command makes of twelve pairs."""
    trades = tmp_path_factory.mktemp("longs") / "trades.csv"
    end = CliRunner().invoke(
        app,
        [
            *("--candles", str(shared_data / "market" / LONGS)),
            *("--settings", str(shared_data / "expected" / f"{LONGS}.settings.yaml")),
            *("--trades", str(trades)),
        ],
    )
    assert end.exit_code == 0, end.stderr
    assert "89,878.897184" in end.stdout
    return trades


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


def test_a_portfolio_of_longs_makes_the_expected_trades(longs: Path, shared_data: Path) -> None:
    found, expected = rows(longs), rows(shared_data / "expected" / f"{LONGS}.trades.csv")

    assert len(found) == len(expected) == 499
    for mine, known in zip(found, expected, strict=True):
        assert list(mine) == list(known)
        for name, text in known.items():
            if name in {"asset", "side", "entry_time_ms", "exit_time_ms", "reason"}:
                assert mine[name] == text
            else:
                assert float(mine[name]) == pytest.approx(float(text), rel=0, abs=1e-6)

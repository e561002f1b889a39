"""A backtest makes the trades of an implementation that was written apart from the domain."""

from collections import Counter

from hypothesis import given, settings

from domain.backtesting.market import Market
from domain.backtesting.result import BacktestResult
from domain.backtesting.run import run_backtest
from domain.rules import TradingRules
from domain.strategies.registry import CONFIRMED_TREND_LONG, EMA_CROSS_SHORT
from tests.backtesting.markets import Recipe, lively_rules, random_market
from tests.backtesting.reference_run import ReferenceRun
from tests.backtesting.test_engine import recipes, rule_sets


def held_against_the_reference(recipe: Recipe, rules: TradingRules) -> BacktestResult:
    candles = random_market(recipe)
    found, expected = run_backtest(Market(candles), rules), ReferenceRun(candles, rules).run()

    names = ("asset", "entry_ms", "exit_ms", "qty", "entry_price", "exit_price")
    names += ("fees", "funding", "pnl", "reason")
    assert [tuple(getattr(t, name) for name in names) for t in found.trades] == expected.trades
    refused = Counter((one.asset, one.t_ms, str(one.reason)) for one in found.refused)
    assert refused == Counter(expected.refused)
    return found


@settings(max_examples=100)
@given(recipes, rule_sets)
def test_trades_are_those_of_the_reference_on_any_market(
    recipe: Recipe, rules: TradingRules
) -> None:
    held_against_the_reference(recipe, rules)


def test_mixed_portfolios_trade_as_the_reference_does() -> None:
    trades = 0
    kinds = [CONFIRMED_TREND_LONG, EMA_CROSS_SHORT, CONFIRMED_TREND_LONG]
    for seed in range(4):
        recipe = Recipe(seed=seed, candles=700, common=0.3, jumps=0.003, has_funding=True)
        trades += len(held_against_the_reference(recipe, lively_rules(kinds=kinds)).trades)

    assert trades > 50

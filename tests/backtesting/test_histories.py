"""What a strategy says of a whole history is what its fold says, close by close."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.backtesting.histories import history_of
from domain.backtesting.market import Market
from domain.market.instruments import DAY_MS
from domain.rules import TradingRules
from domain.strategies.base import Regime
from domain.strategies.ema_cross_history import EmaCrossHistory
from domain.strategies.ema_cross_rules import CrossKind
from domain.strategies.history import History
from domain.strategies.registry import CONFIRMED_TREND_LONG
from domain.trading.asset import AssetState
from tests.backtesting.markets import Recipe, lively_rules, random_market

recipes = st.builds(
    Recipe,
    seed=st.integers(0, 1000),
    candles=st.integers(20, 700),
    flat=st.sampled_from([0.0, 0.5, 1.0]),
    decimals=st.sampled_from([0, 2]),
    missing=st.sampled_from([0.0, 0.3]),
    late=st.booleans(),
    assets=st.just(1),
)
kinds = st.lists(st.sampled_from(list(CrossKind)), min_size=1, unique=True).map(tuple)
crosses = st.builds(
    lively_rules,
    strategy=st.fixed_dictionaries(
        {
            "cross_threshold": st.sampled_from([1, 4, 12]),
            "entry_crosses": kinds,
            "entry_window_minutes": st.sampled_from([0, 5, 33]),
        }
    ),
)
trends = st.builds(
    lively_rules,
    kinds=st.just([CONFIRMED_TREND_LONG]),
    trend=st.fixed_dictionaries(
        {
            "ema_trigger_period": st.sampled_from([1, 4]),
            "macd_signal_period": st.sampled_from([2, 9]),
            "rsi_period": st.sampled_from([1, 2, 14, 60]),
            "rsi_level": st.sampled_from([30.0, 50.0, 99.0]),
            "entry_confirmation_level": st.integers(1, 3),
            "max_entry_wait_candles": st.sampled_from([0, 5, 40]),
        }
    ),
)


@settings(max_examples=120)
@given(recipes, st.one_of(crosses, trends))
def test_a_history_says_at_each_close_what_the_fold_says(
    recipe: Recipe, rules: TradingRules
) -> None:
    market = Market(random_market(recipe))
    history, fold = history_of(market, "BTC", rules), AssetState("BTC", rules)
    series = market.assets["BTC"].series

    for index in range(len(series)):
        fold.apply_candle(series.candle(index))
        report = fold.report(may_enter=True)
        assert report is not None
        assert history.is_active[index] == (report.regime is Regime.ACTIVE)
        hold_figures_against_the_fold(history, index, fold)
        origin = history.entry_at(index)
        asked = None if report.signal is None else report.signal.signal_ms
        assert asked == (None if origin is None else market.time_ms(origin))
        if report.signal is not None:
            assert history.strength(index) == report.signal.strength


def hold_figures_against_the_fold(history: History, index: int, fold: AssetState) -> None:
    said = {value.name: value for value in fold.strategy.evaluate().values}
    for line in history.lines():
        figure = float(line.figures[index])
        if line.name not in said:
            assert math.isnan(figure)
            continue
        value = said[line.name]
        assert (line.label, line.is_price) == (value.label, value.is_price)
        assert figure == value.figure
    assert set(said) <= {line.name for line in history.lines()}


def test_a_day_of_too_many_crosses_ends_at_midnight() -> None:
    rules = lively_rules(strategy={"cross_threshold": 8})
    market = Market(random_market(Recipe(seed=1, candles=700, assets=1)))

    history = history_of(market, "BTC", rules)

    assert isinstance(history, EmaCrossHistory)
    today = history.crosses_today()
    crowded = [index for index in history.crosses.tolist() if today[index] > 8]
    assert crowded
    for index in crowded:
        days = [market.time_ms(at) // DAY_MS for at in range(index, market.closes)]
        same_day = days.count(days[0])
        assert not history.is_active[index : index + same_day].any()
    assert history.is_active.any()

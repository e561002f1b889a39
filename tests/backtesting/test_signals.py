"""Regimes, counts and wishes of a whole history are those of the fold, close by close."""

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.backtesting.market import Market
from domain.backtesting.signals import AssetSignals
from domain.market.instruments import DAY_MS
from domain.strategies.base import Regime
from domain.strategies.ema_cross_short import CrossKind
from domain.trading.asset import AssetState
from domain.trading.decisions import AssetEvaluation
from tests.backtesting.markets import Recipe, lively_rules, random_market

recipes = st.builds(
    Recipe,
    seed=st.integers(0, 1000),
    candles=st.integers(20, 700),
    flat=st.sampled_from([0.0, 0.5]),
    decimals=st.sampled_from([0, 2]),
    missing=st.sampled_from([0.0, 0.3]),
    late=st.booleans(),
    assets=st.just(1),
)
kinds = st.lists(st.sampled_from(list(CrossKind)), min_size=1, unique=True).map(tuple)


@settings(max_examples=60)
@given(recipes, kinds, st.sampled_from([1, 4, 12]), st.sampled_from([0, 300_000, 2_000_000]))
def test_signals_of_a_history_are_those_of_the_fold(
    recipe: Recipe, entry_crosses: tuple[CrossKind, ...], threshold: int, window_ms: int
) -> None:
    strategy = {
        "cross_threshold": threshold,
        "entry_crosses": entry_crosses,
        "entry_window_ms": window_ms,
    }
    rules = lively_rules(strategy=strategy)
    market = Market(random_market(recipe))
    market.prepare([rules.strategy.ema_short_period, rules.strategy.ema_long_period])
    asset = market.assets["BTC"]
    signals, fold = AssetSignals(asset, rules.strategy), AssetState("BTC", rules)

    reports = []
    for place, close in enumerate(asset.series.close.tolist()):
        fold.apply_candle(market.time_ms(place), close)
        report = fold.report(may_enter=True)
        assert isinstance(report, AssetEvaluation)
        reports.append(report)

    assert signals.is_active.tolist() == [one.regime is Regime.ACTIVE for one in reports]
    assert signals.ema_short.tolist() == [one.ema_short for one in reports]
    assert signals.ema_long.tolist() == [one.ema_long for one in reports]
    for place, report in enumerate(reports):
        assert signals.crosses_today(place) == report.crosses_today
        cross = signals.signal_at(place)
        signaled = None if cross is None else market.time_ms(cross)
        assert signaled == (None if report.signal is None else report.signal.signal_ms)


def test_a_day_of_too_many_crosses_ends_at_midnight() -> None:
    rules = lively_rules(strategy={"cross_threshold": 8})
    market = Market(random_market(Recipe(seed=1, candles=700, assets=1)))
    market.prepare([rules.strategy.ema_short_period, rules.strategy.ema_long_period])

    signals = AssetSignals(market.assets["BTC"], rules.strategy)

    crowded = [place for place in signals.crosses.tolist() if signals.crosses_today(place) > 8]
    assert crowded
    for place in crowded:
        days = [market.time_ms(at) // DAY_MS for at in range(place, market.closes)]
        same_day = days.count(days[0])
        assert not signals.is_active[place : place + same_day].any()
    assert signals.is_active.any()

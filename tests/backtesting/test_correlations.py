"""Rough correlations are as near to the exact ones as they promise, or say that they are not."""

from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.backtesting.correlations import MARGIN, RoughCorrelations
from domain.backtesting.market import Market
from domain.backtesting.windows import HistoryWindows
from domain.market.indicators import CloseWindow, correlation
from tests.backtesting.markets import Recipe, random_market

recipes = st.builds(
    Recipe,
    seed=st.integers(0, 1000),
    candles=st.integers(30, 300),
    volatility=st.sampled_from([1e-5, 0.003, 0.05]),
    common=st.sampled_from([0.0, 0.9, 1.0]),
    jumps=st.sampled_from([0.0, 0.05]),
    jump_size=st.just(0.5),
    missing=st.sampled_from([0.0, 0.9]),
    late=st.booleans(),
    flat=st.sampled_from([0.0, 0.95]),
    decimals=st.sampled_from([2, 8]),
)
WINDOW = 20


@settings(max_examples=60)
@given(recipes)
def test_rough_correlations_are_near_the_exact_ones_or_left_to_them(recipe: Recipe) -> None:
    market = Market(random_market(recipe))
    windows, rough = HistoryWindows(market, WINDOW), RoughCorrelations(WINDOW)
    judged = 0

    for left, right in combinations(market.assets.values(), 2):
        values = rough._between(left, right, 0, market.closes)
        for close, value in enumerate(values.tolist()):
            t_ms = market.time_ms(close)
            exact = correlation(
                windows.deviations(left.asset, t_ms), windows.deviations(right.asset, t_ms)
            )
            if exact is None:
                assert not np.isfinite(value)
            elif np.isfinite(value):
                judged += 1
                assert abs(value - exact) < MARGIN / 10
            else:
                assert value == np.inf
    if not (recipe.late or recipe.missing or recipe.flat or recipe.jumps) and recipe.candles > 40:
        assert judged or recipe.volatility < 1e-3


@settings(max_examples=30)
@given(recipes)
def test_returns_cut_out_of_a_history_are_those_of_the_growing_window(recipe: Recipe) -> None:
    market = Market(random_market(recipe))
    windows = HistoryWindows(market, WINDOW)

    for asset in market.assets.values():
        growing = CloseWindow(WINDOW)
        for index, close in enumerate(asset.series.close.tolist()):
            growing.append(close)
            expected = growing.log_returns()
            found = windows.returns(asset.asset, market.time_ms(asset.offset + index))
            if expected is None:
                assert found is None
            else:
                np.testing.assert_array_equal(found, expected, strict=True)
        assert windows.returns(asset.asset, market.time_ms(asset.end)) is None

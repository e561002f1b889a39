"""Averages, volatility and correlation against known numbers, numpy and statistics."""

import math
import statistics
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.market.indicators import (
    Array,
    CloseWindow,
    correlation,
    deviations,
    ema_alpha,
    ema_next,
    ema_series,
    volatility,
)

prices = st.floats(min_value=0.01, max_value=1e6)
closes_lists = st.lists(prices, min_size=1, max_size=60)
periods = st.integers(min_value=1, max_value=30)


def test_average_is_seeded_with_the_first_close_and_moves_by_two_over_period_plus_one() -> None:
    assert ema_series([1.0, 2.0, 3.0, 5.0], 3) == [1.0, 1.5, 2.25, 3.625]
    assert ema_alpha(240) == 2 / 241


@given(closes_lists, periods)
def test_average_over_all_closes_is_bit_for_bit_the_one_made_close_by_close(closes, period) -> None:
    one_by_one = [closes[0]]
    for close in closes[1:]:
        one_by_one.append(ema_next(one_by_one[-1], close, ema_alpha(period)))

    assert ema_series(closes, period) == one_by_one


@given(closes_lists, periods, st.data())
def test_average_never_looks_ahead(closes, period, data) -> None:
    known = data.draw(st.integers(min_value=0, max_value=len(closes)))

    assert ema_series(closes[:known], period) == ema_series(closes, period)[:known]


def test_volatility_is_the_sample_standard_deviation() -> None:
    assert volatility(np.array([1.0, 2.0, 3.0, 4.0])) == pytest.approx(math.sqrt(5 / 3))


@given(st.lists(prices, min_size=3, max_size=40))
def test_volatility_of_a_window_is_that_of_its_log_returns(closes) -> None:
    logs = [math.log(after / before) for before, after in pairwise(closes)]

    returns = CloseWindow(len(closes) - 1, closes).log_returns()

    assert returns is not None
    assert volatility(returns) == pytest.approx(statistics.stdev(logs), rel=1e-6, abs=1e-12)


@given(closes_lists, st.integers(min_value=1, max_value=20))
def test_window_has_the_newest_returns_and_none_before_it_is_full(closes, wanted) -> None:
    window = CloseWindow(wanted)
    for close in closes:
        window.append(close)

    returns = window.log_returns()

    if len(closes) <= wanted:
        assert returns is None
    else:
        assert returns is not None
        expected = np.diff(np.log(closes))[-wanted:]
        np.testing.assert_array_equal(returns, expected)
        np.testing.assert_array_equal(CloseWindow(wanted, closes).log_returns(), expected)


def correlated(left: Array, right: Array) -> float | None:
    return correlation(deviations(left), deviations(right))


def test_correlation_of_known_series() -> None:
    left = np.array([1.0, 2.0, 3.0, 4.0, 5.0])

    assert correlated(left, left * 3 - 7) == pytest.approx(1)
    assert correlated(left, -left) == pytest.approx(-1)
    assert correlated(left, np.array([2.0, 1.0, 4.0, 3.0, 5.0])) == pytest.approx(0.8)


def test_correlation_and_volatility_agree_with_numpy_and_statistics_on_random_returns() -> None:
    random = np.random.default_rng(7)

    for _ in range(50):
        left, noise = random.normal(scale=0.002, size=(2, 288))
        right = random.uniform(-1, 1) * left + noise
        found = correlated(left, right)
        assert found == pytest.approx(np.corrcoef(left, right)[0, 1], abs=1e-12)
        assert found == pytest.approx(statistics.correlation(left, right), abs=1e-12)
        assert volatility(left) == pytest.approx(statistics.stdev(left.tolist()), rel=1e-12)


@settings(max_examples=50)
@given(st.lists(st.tuples(prices, prices), min_size=3, max_size=30))
def test_correlation_does_not_depend_on_which_asset_comes_first(pairs) -> None:
    left, right = np.array(pairs).T

    assert correlated(left, right) == correlated(right, left)


def test_correlation_with_a_missing_or_a_flat_series_is_not_judged() -> None:
    left, flat = np.array([0.1, -0.2, 0.3]), np.zeros(3)

    assert correlation(None, deviations(left)) is None
    assert correlation(deviations(left), None) is None
    assert correlated(left, flat) is None
    assert correlated(flat, left) is None

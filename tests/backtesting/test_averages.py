"""Averages in chunks are bit for bit those of the fold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.market import averages
from domain.market.averages import ema_arrays
from domain.market.indicators import Array, Rsi, ema_series
from domain.strategies.confirmed_trend_history import rsi_array


@pytest.fixture(scope="module", autouse=True)
def _small_chunks():
    """Cut what a test can afford into many chunks, which hardly forget: the hard case."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(averages, "_SHORTEST", 20)
        patch.setattr(averages, "_FORGETS", 0.5)
        patch.setattr(averages, "_CHUNKS", 2)
        yield


def walk(seed: int, length: int, volatility: float, flat: float) -> Array:
    random = np.random.default_rng(seed)
    steps = random.normal(scale=volatility, size=length)
    steps[random.random(length) < flat] = 0.0
    return np.round(100.0 * np.exp(np.cumsum(steps)), 4) + 0.01


walks = st.builds(
    walk,
    st.integers(0, 1000),
    st.integers(0, 900),
    st.sampled_from([0.0, 0.002, 0.5]),
    st.sampled_from([0.0, 0.9]),
)


@settings(max_examples=60)
@given(st.lists(st.tuples(walks, st.integers(1, 300)), min_size=1, max_size=5))
def test_averages_of_any_histories_are_bit_for_bit_those_made_close_by_close(jobs) -> None:
    found = ema_arrays(jobs)

    for average, (closes, period) in zip(found, jobs, strict=True):
        np.testing.assert_array_equal(average, ema_series(closes.tolist(), period), strict=True)


def test_chunks_of_the_real_length_give_the_same_bits(monkeypatch) -> None:
    monkeypatch.setattr(averages, "_SHORTEST", 1_500)
    monkeypatch.setattr(averages, "_FORGETS", 6.0)
    closes = walk(1, 60_000, 0.002, 0.01)

    (found,) = ema_arrays([(closes, 600)])

    np.testing.assert_array_equal(found, ema_series(closes.tolist(), 600))


@pytest.mark.parametrize("period", [1, 3, 14])
@pytest.mark.parametrize("flat", [0.0, 0.95])
def test_an_rsi_in_chunks_has_the_bits_of_the_one_made_close_by_close(period, flat) -> None:
    closes, fold, expected = walk(3, 15_000, 0.002, flat), Rsi(period), []

    found = rsi_array(closes, period)

    for close in closes.tolist():
        fold.apply(close)
        expected.append(np.nan if fold.value is None else fold.value)
    np.testing.assert_array_equal(found, np.array(expected))

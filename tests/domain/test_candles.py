"""A series is an unbroken grid of closed candles, and gaps are filled from the past only."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.market.candles import CandleSeries, carry_forward
from domain.market.instruments import Candle

CANDLE_MS = 300_000
START_MS = 1_743_699_900_000
COLUMNS = ("open", "high", "low", "close", "volume")


def history(steps: list[int]) -> dict[str, np.ndarray]:
    """Return the columns of candles that lie so many candles after one another."""
    n = len(steps)
    first, moves = steps[:1], steps[1:]
    close = 100.0 + np.arange(n)
    return {
        "open_time_ms": START_MS + CANDLE_MS * np.cumsum([*(0 for _ in first), *moves], dtype="i8"),
        "open": close - 0.25,
        "high": close + 0.5,
        "low": close - 0.75,
        "close": close,
        "volume": 7.0 + np.arange(n),
    }


def filled(steps: list[int]) -> CandleSeries:
    return carry_forward(**history(steps), candle_ms=CANDLE_MS)


def assert_same(one: CandleSeries, other: CandleSeries) -> None:
    for name in ("open_time_ms", *COLUMNS, "carried"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


gaps = st.lists(st.integers(min_value=1, max_value=6), min_size=1, max_size=30)


@given(gaps)
def test_filled_grid_is_unbroken_from_the_first_candle_to_the_last(steps: list[int]) -> None:
    times = history(steps)["open_time_ms"]

    series = filled(steps)

    expected = np.arange(times[0], times[-1] + CANDLE_MS, CANDLE_MS)
    np.testing.assert_array_equal(series.open_time_ms, expected)


@given(gaps)
def test_candles_that_were_there_are_unchanged_and_not_flagged(steps: list[int]) -> None:
    columns = history(steps)

    series = filled(steps)

    kept = ~series.carried
    np.testing.assert_array_equal(series.open_time_ms[kept], columns["open_time_ms"])
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(series, name)[kept], columns[name], err_msg=name)


@given(gaps)
def test_carried_candle_is_flat_at_the_last_close_without_volume(steps: list[int]) -> None:
    series = filled(steps)

    assert series.carried.sum() == sum(steps[1:]) - len(steps[1:])
    for i in np.flatnonzero(series.carried):
        candle, last_close = series.candle(i), series.candle(i - 1).close
        assert (candle.open, candle.high, candle.low, candle.close) == (last_close,) * 4
        assert candle.volume == 0


@given(gaps, st.data())
def test_filling_never_looks_ahead(steps: list[int], data: st.DataObject) -> None:
    known = data.draw(st.integers(min_value=1, max_value=len(steps)))

    early, late = filled(steps[:known]), filled(steps)

    assert_same(early, late.until(early.candle(-1).close_time_ms))


def test_filling_leaves_its_arguments_writable_and_shares_no_memory_with_them() -> None:
    columns = history([1, 1, 2])
    series = carry_forward(**columns, candle_ms=CANDLE_MS)

    columns["close"][:] = 0

    assert series.close.tolist() == [100.0, 101.0, 101.0, 102.0]


def test_filling_no_candles_gives_none() -> None:
    series = filled([])

    assert len(series) == 0
    assert series.index_at_close(0) is None
    assert len(series.until(START_MS)) == 0
    assert len(series.between(0, START_MS)) == 0


@pytest.mark.parametrize("shift_ms", [-CANDLE_MS, -2 * CANDLE_MS, 1, -1])
def test_times_that_do_not_rise_in_whole_candles_are_refused(shift_ms: int) -> None:
    columns = history([1, 1, 1])
    columns["open_time_ms"][2] += shift_ms

    with pytest.raises(ValueError, match="rise in whole candles of 300000 ms"):
        carry_forward(**columns, candle_ms=CANDLE_MS)


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_of_other_lengths_than_the_times_are_refused(name: str) -> None:
    columns = history([1, 1, 1])
    columns[name] = np.append(columns[name], 1.0)

    with pytest.raises(ValueError, match="one length"):
        carry_forward(**columns, candle_ms=CANDLE_MS)


@pytest.mark.parametrize("name", ["open_time_ms", *COLUMNS, "carried"])
def test_series_cannot_be_written_to(name: str) -> None:
    series = filled([1, 1])

    with pytest.raises(ValueError, match="read-only"):
        getattr(series, name)[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        getattr(series.until(START_MS + CANDLE_MS), name)[0] = 0


def test_candle_has_python_numbers_and_closes_one_candle_after_its_open() -> None:
    candle = filled([1, 1, 1]).candle(1)

    assert candle == Candle(
        open_time_ms=START_MS + CANDLE_MS,
        close_time_ms=START_MS + 2 * CANDLE_MS,
        open=100.75,
        high=101.5,
        low=100.25,
        close=101.0,
        volume=8.0,
    )
    assert {type(candle.open_time_ms), type(candle.close_time_ms)} == {int}
    assert {type(getattr(candle, name)) for name in COLUMNS} == {float}


@pytest.mark.parametrize("block", [1, 2, 1_024])
def test_all_candles_are_those_asked_for_one_by_one(
    monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr("domain.market.candles._BLOCK", block)
    series = filled([1, 3, 1, 1])

    found = list(series.candles())

    assert found == [series.candle(i) for i in range(len(series))]
    assert {type(getattr(found[0], name)) for name in COLUMNS} == {float}
    assert type(found[0].open_time_ms) is int
    assert list(filled([]).candles()) == []


@given(gaps, st.integers(min_value=-3, max_value=40), st.sampled_from([-1, 0, 1]))
def test_index_at_close_is_that_of_the_candle_with_this_very_close_time(
    steps: list[int], candles: int, shift_ms: int
) -> None:
    series = filled(steps)
    close_time_ms = START_MS + candles * CANDLE_MS + shift_ms

    index = series.index_at_close(close_time_ms)

    closes = (series.open_time_ms + CANDLE_MS).tolist()
    assert index == (closes.index(close_time_ms) if close_time_ms in closes else None)


@given(gaps, st.integers(min_value=-3, max_value=40), st.sampled_from([-1, 0, 1]))
def test_until_keeps_exactly_the_candles_closed_by_then(
    steps: list[int], candles: int, shift_ms: int
) -> None:
    series = filled(steps)
    now_ms = START_MS + candles * CANDLE_MS + shift_ms

    part = series.until(now_ms)

    closed = series.open_time_ms + CANDLE_MS <= now_ms
    np.testing.assert_array_equal(part.open_time_ms, series.open_time_ms[closed])
    np.testing.assert_array_equal(part.close, series.close[closed])
    np.testing.assert_array_equal(part.carried, series.carried[closed])


@given(
    gaps,
    st.integers(min_value=-3, max_value=40),
    st.integers(min_value=-3, max_value=40),
    st.sampled_from([-1, 0, 1]),
)
@example([1] * 10, -3, 5, 0)
def test_between_keeps_exactly_the_candles_opened_from_one_time_until_before_the_other(
    steps: list[int], first: int, end: int, shift_ms: int
) -> None:
    series = filled(steps)
    from_ms, to_ms = START_MS + first * CANDLE_MS + shift_ms, START_MS + end * CANDLE_MS + shift_ms

    part = series.between(from_ms, to_ms)

    inside = (from_ms <= series.open_time_ms) & (series.open_time_ms < to_ms)
    np.testing.assert_array_equal(part.open_time_ms, series.open_time_ms[inside])
    np.testing.assert_array_equal(part.volume, series.volume[inside])


def test_parts_of_a_series_are_views() -> None:
    series = filled([1, 1, 2, 1])

    assert np.shares_memory(series.until(START_MS + 3 * CANDLE_MS).close, series.close)
    assert np.shares_memory(series.between(START_MS, START_MS + CANDLE_MS).low, series.low)

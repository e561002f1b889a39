"""The generated market and its ticks: shape, statistics, repeatability."""

import itertools
import math
import statistics
from decimal import Decimal

import pytest

from infra.venues.simulator.prices.candles import CandleClosed, Tick
from infra.venues.simulator.prices.generator import CANDLE_MS, CandleGenerator
from infra.venues.simulator.prices.market import Market, tick_ms
from infra.venues.simulator.prices.sources import GeneratedSource
from tests.venues.simulator.clients import BTC, INSTRUMENTS

START_MS = 1_743_465_600_000


def made(seed: int, count: int) -> list:
    generator = CandleGenerator(INSTRUMENTS, seed)
    return [generator.step() for _ in range(count)]


def returns(candles: list, symbol: str) -> list[float]:
    return [math.log(float(c[symbol].close / c[symbol].open)) for c in candles]


def market(seed: int = 3, step_ms: int = 1_000) -> Market:
    source = GeneratedSource(INSTRUMENTS, seed, START_MS)
    return Market(source, INSTRUMENTS, seed=seed, history=50, tick_ms=step_ms)


def test_the_same_seed_gives_the_same_candles_and_another_gives_others() -> None:
    assert made(1, 50) == made(1, 50)
    assert made(1, 50) != made(2, 50)


def test_each_candle_opens_at_the_close_before_and_stays_inside_its_extremes() -> None:
    candles = made(5, 2_000)

    for instrument in INSTRUMENTS:
        rows = [candle[instrument.symbol] for candle in candles]
        assert all(left.close == right.open for left, right in itertools.pairwise(rows))
        for row in rows:
            assert row.low <= min(row.open, row.close) <= max(row.open, row.close) <= row.high
            assert all(p % instrument.tick_size == 0 for p in (row.high, row.low, row.close))
            assert row.volume > 0


def test_volatility_tails_and_correlation_are_those_of_a_market() -> None:
    candles = made(11, 6_000)

    btc, eth = returns(candles, BTC), returns(candles, "ETHUSDT")

    sigma = statistics.stdev(btc)
    kurtosis = statistics.fmean(((r - statistics.fmean(btc)) / sigma) ** 4 for r in btc)
    assert 0.0006 < sigma < 0.003
    assert kurtosis > 4.5
    assert 0.5 < statistics.correlation(btc, eth) < 0.95


@pytest.mark.parametrize("step_ms", [1_000, 30_000, 100_000])
def test_ticks_reach_high_low_and_close_of_their_candle(step_ms: int) -> None:
    course, source = market(step_ms=step_ms), GeneratedSource(INSTRUMENTS, 3, START_MS)
    planned = source.plans(50)[BTC]

    ticks, closed = [], None
    while closed is None:
        for event in course.next_events():
            if isinstance(event, CandleClosed):
                closed = event
            elif event.symbol == BTC:
                ticks.append(event)

    kline = closed.klines[BTC]
    assert (kline.open, kline.high, kline.low, kline.close) == (
        planned.open,
        planned.high,
        planned.low,
        planned.close,
    )
    assert kline.volume == planned.volume
    assert len(ticks) == CANDLE_MS // step_ms
    assert all(left.last == right.open for left, right in itertools.pairwise(ticks))
    assert closed.time_ms == kline.open_time_ms + CANDLE_MS


def test_a_gap_begins_beyond_the_price_and_the_market_goes_on_from_there() -> None:
    course = market()
    next(iter(course.next_events()))
    before = course.last_price(BTC)

    tick = course.move(BTC, before + 1000, course.next_ms(), is_gap=True)
    later = [e for _ in range(5) for e in course.next_events() if isinstance(e, Tick)]

    assert (tick.open, tick.low) == (before + 1000, before + 1000)
    near = [e.last for e in later if e.symbol == BTC]
    assert all(abs(price / (before + 1000) - 1) < Decimal("0.01") for price in near)


@pytest.mark.parametrize(
    ("speed", "step_ms"), [(1.0, 1_000), (10.0, 1_000), (100.0, 10_000), (1000.0, 100_000)]
)
def test_there_are_ten_ticks_a_real_second_at_most(speed: float, step_ms: int) -> None:
    assert tick_ms(speed) == step_ms
    assert tick_ms(None) == CANDLE_MS

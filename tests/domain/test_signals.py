"""Crosses, the daily count and their causality, held against a plain second formulation."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.market.instruments import DAY_MS, HOUR_MS, MINUTE_MS
from domain.rules import StrategyRules
from domain.strategies.base import Regime, market_regime, regime
from domain.strategies.ema_cross_short import CrossKind, Levels, bearish_crosses
from domain.strategies.signals import Signals
from tests.domain.builders import CANDLE_MS, RULES, series

MIDNIGHT_MS = 20_000 * DAY_MS
SHORT, LONG, BOTH = CrossKind

rules_of_markets = st.builds(
    lambda short, long, warmup, crosses, window, candle_ms: replace(
        RULES.strategy,
        ema_short_period=short,
        ema_long_period=long,
        warmup_candles=warmup,
        entry_crosses=tuple(crosses),
        volatility_window=window,
        candle_ms=candle_ms,
    ),
    st.integers(1, 8),
    st.integers(1, 15),
    st.integers(0, 12),
    st.sets(st.sampled_from(CrossKind)),
    st.integers(1, 10),
    st.sampled_from([5 * MINUTE_MS, HOUR_MS, 8 * HOUR_MS]),
)
# Few prices make touches; many make crosses of every kind.
closes_of_markets = st.one_of(
    st.lists(st.sampled_from([98.0, 99.0, 100.0, 101.0, 102.0]), min_size=1, max_size=60),
    st.lists(st.floats(min_value=90, max_value=110), min_size=1, max_size=60),
)


def naive(rules: StrategyRules, closes: list[float], times: list[int]) -> dict[str, Any]:
    """Write strategy 1.2, 1.3, 2.1 and 2.3 down again, from the first close to the last."""
    short = long = closes[0]
    found: list[tuple[int, str]] = []
    here: list[str] = []
    for number, (p1, t_ms) in enumerate(zip(closes, times, strict=True), start=1):
        here = []
        if number == 1:
            continue
        p0, short0, long0 = closes[number - 2], short, long
        short = short0 + 2 / (rules.ema_short_period + 1) * (p1 - short0)
        long = long0 + 2 / (rules.ema_long_period + 1) * (p1 - long0)
        if number > rules.warmup_candles:
            if p0 > short0 and p1 < short:
                here.append("PRICE_BELOW_SHORT")
            if p0 > long0 and p1 < long:
                here.append("PRICE_BELOW_LONG")
            if short0 > long0 and short < long:
                here.append("SHORT_BELOW_LONG")
        found += [(t_ms, kind) for kind in here if CrossKind(kind) in rules.entry_crosses]
    today = times[-1] - times[-1] % DAY_MS
    return {
        "levels": (closes[-1], short, long),
        "crosses": here,
        "newest_signal_ms": found[-1][0] if found else None,
        "newest_crosses": "+".join(kind for t_ms, kind in found if t_ms == found[-1][0]),
        "crosses_today": len([t_ms for t_ms, _ in found if t_ms >= today]),
        "is_warm": len(closes) > rules.warmup_candles,
    }


def state(signals: Signals) -> tuple[Any, ...]:
    """Return all that the signals know, floats as their bits."""
    assert signals.levels is not None
    returns = signals.window.log_returns()
    return (
        signals.t_ms,
        signals.closes_seen,
        signals.is_warm,
        signals.newest_signal_ms,
        signals.newest_crosses,
        signals.crosses_today,
        *(
            value.hex()
            for value in (signals.levels.close, signals.levels.ema_short, signals.levels.ema_long)
        ),
        None if returns is None else returns.tobytes(),
    )


def times_of(rules: StrategyRules, closes: list[float], first_ms: int) -> list[int]:
    return [first_ms + place * rules.candle_ms for place in range(len(closes))]


candles_before_midnight = st.integers(min_value=0, max_value=40)


@settings(max_examples=150)
@given(rules_of_markets, closes_of_markets, candles_before_midnight)
def test_each_close_gives_what_the_rules_give_when_recomputed_from_scratch(
    rules, closes, before
) -> None:
    times = times_of(rules, closes, MIDNIGHT_MS - before * rules.candle_ms)
    signals = Signals(rules)

    for known, (close, t_ms) in enumerate(zip(closes, times, strict=True), start=1):
        crosses = signals.apply(t_ms, close)

        expected = naive(rules, closes[:known], times[:known])
        assert signals.levels is not None
        assert {
            "levels": (signals.levels.close, signals.levels.ema_short, signals.levels.ema_long),
            "crosses": list(crosses),
            "newest_signal_ms": signals.newest_signal_ms,
            "newest_crosses": signals.newest_crosses,
            "crosses_today": signals.crosses_today,
            "is_warm": signals.is_warm,
        } == expected


@settings(max_examples=150)
@given(rules_of_markets, closes_of_markets, candles_before_midnight)
def test_refolding_any_prefix_gives_bit_for_bit_the_signals_of_that_moment(
    rules, closes, before
) -> None:
    first_ms = MIDNIGHT_MS - before * rules.candle_ms
    whole = series(closes, first_ms, candle_ms=rules.candle_ms)
    signals = Signals(rules)

    for t_ms, close in zip(times_of(rules, closes, first_ms), closes, strict=True):
        signals.apply(t_ms, close)

        assert state(Signals.refold(rules, whole.until(t_ms))) == state(signals)


@given(rules_of_markets, closes_of_markets, candles_before_midnight, st.data())
def test_refolded_signals_go_on_like_those_that_never_stopped(rules, closes, before, data) -> None:
    first_ms = MIDNIGHT_MS - before * rules.candle_ms
    known = data.draw(st.integers(min_value=0, max_value=len(closes)))
    never_stopped = Signals(rules)
    restarted = Signals.refold(
        rules,
        series(closes, first_ms, candle_ms=rules.candle_ms).until(
            first_ms + (known - 1) * rules.candle_ms
        ),
    )

    for place, (t_ms, close) in enumerate(
        zip(times_of(rules, closes, first_ms), closes, strict=True)
    ):
        crosses = never_stopped.apply(t_ms, close)
        if place >= known:
            assert restarted.apply(t_ms, close) == crosses

    assert state(restarted) == state(never_stopped)


def test_folding_no_candle_gives_signals_that_know_nothing() -> None:
    signals = Signals.refold(RULES.strategy, series([1.0]).until(0))

    assert (signals.t_ms, signals.levels, signals.closes_seen) == (None, None, 0)


@pytest.mark.parametrize(("number", "counted"), [(3000, 0), (3001, 2)])
def test_first_close_that_may_record_a_cross_is_number_3001(number: int, counted: int) -> None:
    closes = [*(100.0 for _ in range(number - 2)), 101.0, 90.0]
    one_by_one = Signals(RULES.strategy)
    for place, close in enumerate(closes):
        crosses = one_by_one.apply(MIDNIGHT_MS + place * CANDLE_MS, close)
    at_once = Signals.refold(RULES.strategy, series(closes, MIDNIGHT_MS))

    assert bool(crosses) == bool(counted)
    for signals in (one_by_one, at_once):
        assert signals.crosses_today == counted
        assert (signals.newest_signal_ms is not None) == bool(counted)
        assert signals.is_warm == bool(counted)


def flat_rules(**changes: Any) -> StrategyRules:
    """Return rules whose averages hardly move, so that prices alone cross them."""
    return replace(
        RULES.strategy,
        ema_short_period=10**9,
        ema_long_period=10**9 + 1,
        warmup_candles=0,
        **changes,
    )


def test_two_crosses_at_one_close_count_as_two() -> None:
    signals = Signals(flat_rules())

    for place, close in enumerate([100.0, 101.0, 99.0]):
        crosses = signals.apply(MIDNIGHT_MS + place * CANDLE_MS, close)

    assert crosses == (SHORT, LONG)
    assert signals.crosses_today == 2
    assert signals.newest_signal_ms == MIDNIGHT_MS + 2 * CANDLE_MS


@pytest.mark.parametrize(("last_ms", "today"), [(MIDNIGHT_MS - CANDLE_MS, 4), (MIDNIGHT_MS, 2)])
def test_cross_at_midnight_belongs_to_the_new_day(last_ms: int, today: int) -> None:
    closes = [100.0, 101.0, 99.0, 101.0, 99.0]
    first_ms = last_ms - 4 * CANDLE_MS
    one_by_one = Signals(flat_rules())
    for place, close in enumerate(closes):
        one_by_one.apply(first_ms + place * CANDLE_MS, close)

    assert one_by_one.crosses_today == today
    assert Signals.refold(flat_rules(), series(closes, first_ms)).crosses_today == today


def test_count_of_yesterday_is_gone_at_midnight_but_its_newest_cross_is_not() -> None:
    signals = Signals(flat_rules())
    closes = [100.0, 101.0, 99.0, 99.0]

    for place, close in enumerate(closes):
        signals.apply(MIDNIGHT_MS + (place - 3) * CANDLE_MS, close)

    assert signals.crosses_today == 0
    assert signals.newest_signal_ms == MIDNIGHT_MS - CANDLE_MS


def test_cross_that_cannot_open_is_told_but_neither_counted_nor_remembered() -> None:
    signals = Signals(flat_rules(entry_crosses=tuple({BOTH})))

    for place, close in enumerate([100.0, 101.0, 99.0]):
        crosses = signals.apply(MIDNIGHT_MS + place * CANDLE_MS, close)

    assert crosses == (SHORT, LONG)
    assert (signals.crosses_today, signals.newest_signal_ms) == (0, None)


values = st.sampled_from([99.0, 100.0, 101.0])
levels = st.builds(Levels, close=values, ema_short=values, ema_long=values)


@given(levels, levels)
def test_cross_is_strictly_above_before_and_strictly_below_now(before, now) -> None:
    expected = []
    if before.close > before.ema_short and now.close < now.ema_short:
        expected.append(SHORT)
    if before.close > before.ema_long and now.close < now.ema_long:
        expected.append(LONG)
    if before.ema_short > before.ema_long and now.ema_short < now.ema_long:
        expected.append(BOTH)

    assert list(bearish_crosses(before, now)) == expected


@settings(max_examples=300)
@given(levels, st.integers(min_value=0, max_value=14), st.integers(min_value=0, max_value=13))
def test_market_is_active_below_both_averages_in_order_up_to_the_threshold(
    now, crosses, threshold
) -> None:
    if crosses > threshold:
        expected = Regime.INACTIVE
    elif now.close < now.ema_short < now.ema_long and now.close < now.ema_long:
        expected = Regime.ACTIVE
    else:
        expected = Regime.INACTIVE

    assert market_regime(now, crosses, cross_threshold=threshold) is expected


@pytest.mark.parametrize("market", [Regime.ACTIVE, Regime.INACTIVE])
def test_cooldown_goes_before_what_the_market_says(market: Regime) -> None:
    assert regime(market, in_cooldown=True) is Regime.COOLDOWN
    assert regime(market, in_cooldown=False) is market

"""Crosses, the daily count and their causality, held against a plain second formulation."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.market.candles import CandleSeries
from domain.market.instruments import DAY_MS, HOUR_MS, MINUTE_MS
from domain.rules import TradingRules
from domain.strategies.base import Regime
from domain.strategies.ema_cross_short import (
    CrossKind,
    EmaCrossRules,
    EmaCrossShort,
    Levels,
    bearish_crosses,
)
from domain.trading.asset import AssetState
from tests.domain.builders import CANDLE_MS, RULES, candle, changed, ema_cross, series

MIDNIGHT_MS = 20_000 * DAY_MS
SHORT, LONG, BOTH = CrossKind

rules_of_markets = st.builds(
    lambda short, long, warmup, crosses, candle_ms: changed(
        strategy={
            "ema_short_period": short,
            "ema_long_period": long,
            "entry_crosses": tuple(crosses),
        },
        candles={"warmup_candles": warmup, "candle_ms": candle_ms},
    ),
    st.integers(1, 8),
    st.integers(1, 15),
    st.integers(0, 12),
    st.sets(st.sampled_from(CrossKind)),
    st.sampled_from([5 * MINUTE_MS, HOUR_MS, 8 * HOUR_MS]),
)
# Few prices make touches; many make crosses of every kind.
closes_of_markets = st.one_of(
    st.lists(st.sampled_from([98.0, 99.0, 100.0, 101.0, 102.0]), min_size=1, max_size=60),
    st.lists(st.floats(min_value=90, max_value=110), min_size=1, max_size=60),
)


def read(rules: TradingRules) -> EmaCrossRules:
    return EmaCrossRules.read(rules.assets[0].terms.strategy.parameters)


def naive(whole: TradingRules, closes: list[float], times: list[int]) -> dict[str, Any]:
    """Write strategy 1.2, 1.3, 2.1 and 2.3 down again, from the first close to the last."""
    rules, warmup = read(whole), whole.candles.warmup_candles
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
        if number > warmup:
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
        "is_warm": len(closes) > warmup,
    }


def state(signals: EmaCrossShort) -> tuple[Any, ...]:
    """Return all that the strategy knows, floats as their bits."""
    assert signals.levels is not None
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
    )


def refolded(rules: TradingRules, known: CandleSeries) -> EmaCrossShort:
    signals = ema_cross(rules)
    signals.refold(known)
    return signals


def times_of(rules: TradingRules, closes: list[float], first_ms: int) -> list[int]:
    return [first_ms + index * rules.candles.candle_ms for index in range(len(closes))]


candles_before_midnight = st.integers(min_value=0, max_value=40)


def confidence(signals: EmaCrossShort) -> float | None:
    values = {value.name: value.figure for value in signals.evaluate().values}
    return values.get("confidence")


def share_of(newest_crosses: str, rules: Any) -> float | None:
    """Return what of the kinds that can open a position the newest signal consists of."""
    kinds = [kind for kind in newest_crosses.split("+") if kind]
    of_all = dict(ema_cross(rules).parameters)["entry_crosses"]
    return len(kinds) / len(of_all) if kinds else None


@settings(max_examples=150)
@given(rules_of_markets, closes_of_markets, candles_before_midnight)
def test_each_close_gives_what_the_rules_give_when_recomputed_from_scratch(
    rules, closes, before
) -> None:
    times = times_of(rules, closes, MIDNIGHT_MS - before * rules.candles.candle_ms)
    signals = ema_cross(rules)

    for known, (close, t_ms) in enumerate(zip(closes, times, strict=True), start=1):
        crosses = signals.apply(candle(t_ms, close, rules.candles.candle_ms))

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
        assert confidence(signals) == share_of(expected["newest_crosses"], rules)


@settings(max_examples=150)
@given(rules_of_markets, closes_of_markets, candles_before_midnight)
def test_refolding_any_prefix_gives_bit_for_bit_the_signals_of_that_moment(
    rules, closes, before
) -> None:
    first_ms = MIDNIGHT_MS - before * rules.candles.candle_ms
    whole = series(closes, first_ms, candle_ms=rules.candles.candle_ms)
    signals = ema_cross(rules)

    for t_ms, close in zip(times_of(rules, closes, first_ms), closes, strict=True):
        signals.apply(candle(t_ms, close, rules.candles.candle_ms))

        assert state(refolded(rules, whole.until(t_ms))) == state(signals)


@given(rules_of_markets, closes_of_markets, candles_before_midnight, st.data())
def test_refolded_signals_go_on_like_those_that_never_stopped(rules, closes, before, data) -> None:
    first_ms = MIDNIGHT_MS - before * rules.candles.candle_ms
    known = data.draw(st.integers(min_value=0, max_value=len(closes)))
    never_stopped = ema_cross(rules)
    restarted = refolded(
        rules,
        series(closes, first_ms, candle_ms=rules.candles.candle_ms).until(
            first_ms + (known - 1) * rules.candles.candle_ms
        ),
    )

    for index, (t_ms, close) in enumerate(
        zip(times_of(rules, closes, first_ms), closes, strict=True)
    ):
        newest = candle(t_ms, close, rules.candles.candle_ms)
        crosses = never_stopped.apply(newest)
        if index >= known:
            assert restarted.apply(newest) == crosses

    assert state(restarted) == state(never_stopped)


def test_folding_no_candle_gives_signals_that_know_nothing() -> None:
    signals = refolded(RULES, series([1.0]).until(0))

    assert (signals.t_ms, signals.levels, signals.closes_seen) == (None, None, 0)


@pytest.mark.parametrize(("number", "counted"), [(3000, 0), (3001, 2)])
def test_first_close_that_may_record_a_cross_is_number_3001(number: int, counted: int) -> None:
    closes = [*(100.0 for _ in range(number - 2)), 101.0, 90.0]
    one_by_one = ema_cross(RULES)
    for index, close in enumerate(closes):
        crosses = one_by_one.apply(candle(MIDNIGHT_MS + index * CANDLE_MS, close))
    at_once = refolded(RULES, series(closes, MIDNIGHT_MS))

    assert bool(crosses) == bool(counted)
    for signals in (one_by_one, at_once):
        assert signals.crosses_today == counted
        assert (signals.newest_signal_ms is not None) == bool(counted)
        assert signals.is_warm == bool(counted)


def flat_rules(**parameters: Any) -> TradingRules:
    """Return rules whose averages hardly move, so that prices alone cross them."""
    periods = {"ema_short_period": 10**9, "ema_long_period": 10**9 + 1}
    return changed(strategy={**periods, **parameters}, candles={"warmup_candles": 0})


def test_two_crosses_at_one_close_count_as_two() -> None:
    signals = ema_cross(flat_rules())

    for index, close in enumerate([100.0, 101.0, 99.0]):
        crosses = signals.apply(candle(MIDNIGHT_MS + index * CANDLE_MS, close))

    assert crosses == (SHORT, LONG)
    assert signals.crosses_today == 2
    assert signals.newest_signal_ms == MIDNIGHT_MS + 2 * CANDLE_MS


@pytest.mark.parametrize(("last_ms", "today"), [(MIDNIGHT_MS - CANDLE_MS, 4), (MIDNIGHT_MS, 2)])
def test_cross_at_midnight_belongs_to_the_new_day(last_ms: int, today: int) -> None:
    closes = [100.0, 101.0, 99.0, 101.0, 99.0]
    first_ms = last_ms - 4 * CANDLE_MS
    one_by_one = ema_cross(flat_rules())
    for index, close in enumerate(closes):
        one_by_one.apply(candle(first_ms + index * CANDLE_MS, close))

    assert one_by_one.crosses_today == today
    assert refolded(flat_rules(), series(closes, first_ms)).crosses_today == today


def test_count_of_yesterday_is_gone_at_midnight_but_its_newest_cross_is_not() -> None:
    signals = ema_cross(flat_rules())
    closes = [100.0, 101.0, 99.0, 99.0]

    for index, close in enumerate(closes):
        signals.apply(candle(MIDNIGHT_MS + (index - 3) * CANDLE_MS, close))

    assert signals.crosses_today == 0
    assert signals.newest_signal_ms == MIDNIGHT_MS - CANDLE_MS


def test_cross_that_cannot_open_is_told_but_neither_counted_nor_remembered() -> None:
    signals = ema_cross(flat_rules(entry_crosses=(BOTH,)))

    for index, close in enumerate([100.0, 101.0, 99.0]):
        crosses = signals.apply(candle(MIDNIGHT_MS + index * CANDLE_MS, close))

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

    strategy = ema_cross(changed(strategy={"cross_threshold": threshold}))
    strategy.levels, strategy.crosses_today = now, crosses

    assert strategy.evaluate().market_regime is expected


@pytest.mark.parametrize("market", [Regime.ACTIVE, Regime.INACTIVE])
def test_cooldown_goes_before_what_the_market_says(market: Regime) -> None:
    asset = AssetState("BTC", flat_rules())
    asset.apply_candle(candle(MIDNIGHT_MS, 100.0))
    assert isinstance(asset.strategy, EmaCrossShort)
    close = 98.0 if market is Regime.ACTIVE else 102.0
    asset.strategy.levels = Levels(close=close, ema_short=99.0, ema_long=100.0)

    found = []
    for end_ms in (0, MIDNIGHT_MS + 1):
        asset.cooldown.end_ms = end_ms
        report = asset.report(may_enter=True)
        assert report is not None
        found.append(report.regime)

    assert found == [market, Regime.COOLDOWN]

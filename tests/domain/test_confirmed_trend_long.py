"""Triggers, confirmations and indicators of the long strategy, held against a plain formulation."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.market.indicators import Rsi
from domain.market.instruments import Side
from domain.rules import TradingRules
from domain.strategies.base import Regime
from domain.strategies.confirmed_trend_long import ConfirmedTrendLong
from domain.strategies.registry import make_strategy
from domain.trading.asset import AssetState
from domain.trading.orders import ExitReason
from tests.domain.builders import (
    CANDLE_MS,
    NOON_MS,
    candle,
    changed,
    entry,
    fill,
    series,
    with_trend,
)

WILDER = [44.34, 44.09, 44.15, 43.61, 44.33, 44.83, 45.10, 45.42, 45.84, 46.08]
WILDER += [45.89, 46.03, 45.61, 46.28, 46.28, 46.00, 46.03, 46.41, 46.22, 45.64]
"""Closes of a published worked example of RSI(14)."""


def trend_rules(*, warmup: int = 0, **parameters: Any) -> TradingRules:
    return changed(with_trend("BTC", **parameters), candles={"warmup_candles": warmup})


def trend(rules: TradingRules) -> ConfirmedTrendLong:
    made = make_strategy(rules.asset("BTC").terms.strategy, rules.candles)
    assert isinstance(made, ConfirmedTrendLong)
    return made


def values(strategy: ConfirmedTrendLong) -> dict[str, float]:
    return {value.name: value.figure for value in strategy.evaluate().values}


def folded(strategy: ConfirmedTrendLong, closes: list[float]) -> list[tuple[str, ...]]:
    return [
        strategy.apply(candle(NOON_MS + index * CANDLE_MS, close))
        for index, close in enumerate(closes)
    ]


# Indicators.


def test_rsi_gives_the_published_numbers() -> None:
    rsi, found = Rsi(14), []
    for close in WILDER:
        rsi.apply(close)
        found.append(rsi.value)

    assert found[:14] == [None] * 14
    assert found[14:] == pytest.approx([70.46, 66.25, 66.48, 69.35, 66.29, 57.92], abs=0.01)


@pytest.mark.parametrize(
    ("closes", "value"),
    [([1.0, 2.0, 3.0], 100.0), ([3.0, 2.0, 1.0], 0.0), ([2.0] * 3, 50.0), ([1.0, 2.0], None)],
)
def test_rsi_at_its_ends(closes: list[float], value: float | None) -> None:
    rsi = Rsi(2)
    for close in closes:
        rsi.apply(close)

    assert rsi.value == value


def test_macd_and_its_signal_by_hand() -> None:
    strategy = trend(
        trend_rules(macd_fast_period=1, macd_slow_period=3, macd_signal_period=3)
    )  # weights of the newest: 1, 1/2, 1/2

    found = []
    for index, close in enumerate([10.0, 12.0, 11.0]):
        strategy.apply(candle(NOON_MS + index * CANDLE_MS, close))
        found.append((values(strategy)["macd"], values(strategy)["macd_signal"]))

    assert found == [(0.0, 0.0), (1.0, 0.5), (0.0, 0.25)]


# The whole, written again from the first close.


def ema(closes: list[float], period: int) -> list[float]:
    found = closes[:1]
    for close in closes[1:]:
        found.append(found[-1] + 2 / (period + 1) * (close - found[-1]))
    return found


def naive_rsi(closes: list[float], period: int) -> float | None:
    changes = [now - before for before, now in pairwise(closes)]
    if len(changes) < period:
        return None
    gain = sum(max(change, 0.0) for change in changes[:period]) / period
    loss = sum(max(-change, 0.0) for change in changes[:period]) / period
    for change in changes[period:]:
        gain = (gain * (period - 1) + max(change, 0.0)) / period
        loss = (loss * (period - 1) + max(-change, 0.0)) / period
    if loss == 0:
        return 100.0 if gain > 0 else 50.0
    return 100 - 100 / (1 + gain / loss)


def naive(closes: list[float], parameters: dict[str, int], warmup: int) -> dict[str, Any]:
    trigger = ema(closes, parameters["ema_trigger_period"])
    trend_average = ema(closes, parameters["ema_trend_period"])
    fast = ema(closes, parameters["macd_fast_period"])
    slow = ema(closes, parameters["macd_slow_period"])
    line = [left - right for left, right in zip(fast, slow, strict=True)]
    signal = ema(line, parameters["macd_signal_period"])
    rsi = naive_rsi(closes, parameters["rsi_period"])
    triggers = [
        index
        for index in range(max(1, warmup), len(closes))
        if closes[index - 1] < trigger[index - 1] and closes[index] > trigger[index]
    ]
    agreed = [closes[-1] > trend_average[-1], line[-1] > signal[-1], rsi is not None and rsi > 50]
    return {
        "confirmations": sum(agreed),
        "triggered": bool(triggers) and triggers[-1] == len(closes) - 1,
        "signal_ms": NOON_MS + triggers[-1] * CANDLE_MS if triggers else None,
        "strength": (closes[-1] - trend_average[-1]) / trend_average[-1],
    }


periods = st.fixed_dictionaries(
    {
        "ema_trigger_period": st.integers(1, 6),
        "ema_trend_period": st.integers(1, 12),
        "macd_fast_period": st.integers(1, 4),
        "macd_slow_period": st.integers(2, 9),
        "macd_signal_period": st.integers(1, 5),
        "rsi_period": st.integers(1, 6),
    }
)
markets = st.one_of(
    st.lists(st.sampled_from([98.0, 99.0, 100.0, 101.0, 102.0]), min_size=1, max_size=40),
    st.lists(st.floats(min_value=90, max_value=110), min_size=1, max_size=40),
)


@settings(max_examples=120)
@given(periods, markets, st.integers(0, 8), st.integers(1, 3))
def test_each_close_gives_what_the_rules_give_when_recomputed_from_scratch(
    parameters, closes, warmup, level
) -> None:
    rules = trend_rules(warmup=warmup, entry_confirmation_level=level, **parameters)
    strategy = trend(rules)

    for known, close in enumerate(closes, start=1):
        triggers = strategy.apply(candle(NOON_MS + (known - 1) * CANDLE_MS, close))

        found, expected = strategy.evaluate(), naive(closes[:known], parameters, warmup)
        assert bool(triggers) == expected["triggered"]
        assert values(strategy)["confirmations"] == expected["confirmations"]
        active = expected["confirmations"] >= level
        assert found.market_regime is (Regime.ACTIVE if active else Regime.INACTIVE)
        assert (found.signal and found.signal.signal_ms) == expected["signal_ms"]
        if found.signal is not None:
            assert found.signal.strength == expected["strength"]


@settings(max_examples=60)
@given(periods, markets, st.data())
def test_refolding_a_history_and_going_on_is_like_never_having_stopped(
    parameters, closes, data
) -> None:
    rules = trend_rules(warmup=3, **parameters)
    known = data.draw(st.integers(0, len(closes)))
    never_stopped, restarted = trend(rules), trend(rules)

    restarted.refold(series(closes, NOON_MS).until(NOON_MS + (known - 1) * CANDLE_MS))
    for index, close in enumerate(closes):
        newest = candle(NOON_MS + index * CANDLE_MS, close)
        signaled = never_stopped.apply(newest)
        if index >= known:
            assert restarted.apply(newest) == signaled

    assert restarted.evaluate() == never_stopped.evaluate()
    assert (restarted.t_ms, restarted.closes_seen) == (
        never_stopped.t_ms,
        never_stopped.closes_seen,
    )


# Entries and exits.

FALL_AND_RISE = [100.0] * 5 + [99.0] * 3 + [103.0]
"""The last close is a trigger: above EMA(50) after three below it, and all three confirm."""


def asset_after(closes: list[float], rules: TradingRules | None = None) -> AssetState:
    asset = AssetState("BTC", rules or trend_rules())
    for index, close in enumerate(closes):
        asset.apply_candle(candle(NOON_MS + index * CANDLE_MS, close))
    return asset


def signal_of(asset: AssetState) -> Any:
    report = asset.report(may_enter=True)
    assert report is not None
    return report.signal


def test_trigger_that_is_confirmed_asks_for_a_long() -> None:
    signal = signal_of(asset_after(FALL_AND_RISE, trend_rules(rsi_period=3)))

    assert signal.side is Side.BUY
    assert signal.signal_ms == NOON_MS + 8 * CANDLE_MS
    assert signal.kinds == "PRICE_ABOVE_TRIGGER"


@pytest.mark.parametrize(("later", "asks"), [(0, True), (5, True), (6, False)])
def test_trigger_opens_while_it_is_five_candles_old_at_most(later: int, asks: bool) -> None:
    closes = FALL_AND_RISE + [103.0 + index for index in range(1, later + 1)]

    assert (signal_of(asset_after(closes, trend_rules(rsi_period=3))) is not None) == asks


@pytest.mark.parametrize("wait", [0, 2])
def test_wait_of_a_trigger_is_a_setting(wait: int) -> None:
    rules = trend_rules(rsi_period=3, max_entry_wait_candles=wait)
    young = FALL_AND_RISE + [104.0] * wait

    assert signal_of(asset_after(young, rules)) is not None
    assert signal_of(asset_after([*young, 105.0], rules)) is None


@pytest.mark.parametrize(("level", "asks"), [(1, True), (2, True), (3, False)])
def test_trigger_needs_its_number_of_confirmations(level: int, asks: bool) -> None:
    # Too few closes for an RSI: it does not agree.
    rules = trend_rules(rsi_period=14, entry_confirmation_level=level)

    assert (signal_of(asset_after(FALL_AND_RISE, rules)) is not None) == asks


def test_a_newer_trigger_replaces_an_older_one_and_opens_again() -> None:
    rules = trend_rules(rsi_period=3, entry_confirmation_level=1)
    asset = asset_after(FALL_AND_RISE, rules)
    first = signal_of(asset)
    opened = entry("BTC", 1, 103, first.signal_ms, side=Side.BUY)
    asset.apply_execution(opened)
    asset.apply_execution(fill(Side.SELL, 1, 104, ts_ms=first.signal_ms + 1))
    asset.cooldown.end_ms = 0
    again = signal_of(asset)

    for index, close in enumerate([99.0, 104.0], start=9):
        asset.apply_candle(candle(NOON_MS + index * CANDLE_MS, close))

    assert again is None
    assert signal_of(asset).signal_ms == NOON_MS + 10 * CANDLE_MS


@pytest.mark.parametrize(("warmup", "asks"), [(8, True), (9, False)])
def test_trigger_of_the_warm_up_is_not_recorded(warmup: int, asks: bool) -> None:
    closes = [*FALL_AND_RISE, 104.0]
    asset = asset_after(closes, trend_rules(warmup=warmup, rsi_period=3))

    assert (signal_of(asset) is not None) == asks


def test_a_touch_of_the_average_is_no_trigger() -> None:
    strategy = trend(trend_rules(ema_trigger_period=10**9))

    assert folded(strategy, [100.0, 100.0, 101.0]) == [(), (), ()]
    assert strategy.newest_signal_ms is None


def test_inactive_regime_closes_no_long_and_no_time_ends_it() -> None:
    asset = asset_after(FALL_AND_RISE, trend_rules(rsi_period=3))
    asset.apply_execution(entry("BTC", 1, 103, NOON_MS + 8 * CANDLE_MS, side=Side.BUY))
    for index in range(9, 400):
        asset.apply_candle(candle(NOON_MS + index * CANDLE_MS, 90.0 - index / 100))

    report = asset.report(may_enter=True)

    assert report is not None
    assert report.regime is Regime.INACTIVE
    assert report.strategy_exit is None


# A position stays under what it was opened with.


def test_position_of_another_strategy_is_judged_by_the_one_that_opened_it() -> None:
    """The settings say confirmed_trend_long by now; the open short is of ema_cross_short."""
    before = changed(
        strategy={"ema_short_period": 2, "ema_long_period": 4}, candles={"warmup_candles": 0}
    )
    terms = before.asset("BTC").terms
    rules = changed(with_trend("BTC"), candles={"warmup_candles": 0})
    falling = [100.0, 99.0, 98.0, 97.0]
    asset, at_once = AssetState("BTC", rules), AssetState("BTC", rules)

    asset.apply_candles(series(falling[:2], NOON_MS))
    for index in (2, 3):
        asset.apply_candle(candle(NOON_MS + index * CANDLE_MS, falling[index]))
    at_once.apply_candles(series(falling, NOON_MS))
    exits = []
    for state in (asset, at_once):
        state.apply_execution(entry("BTC", 1, 97, NOON_MS + 3 * CANDLE_MS, terms=terms))
        kept = state.report(may_enter=True)
        state.apply_candle(candle(NOON_MS + 4 * CANDLE_MS, 110.0))
        left = state.report(may_enter=True)
        assert kept is not None
        assert left is not None
        exits.append((kept.strategy_exit, left.strategy_exit))

    assert exits == [(None, ExitReason.REGIME)] * 2


def test_candles_between_a_restart_and_an_old_grants_fill_reach_the_opener() -> None:
    """Else its averages would miss them, and judge by prices of another time."""
    before = changed(
        strategy={"ema_short_period": 2, "ema_long_period": 4}, candles={"warmup_candles": 0}
    )
    terms = before.asset("BTC").terms
    asset = AssetState("BTC", changed(with_trend("BTC"), candles={"warmup_candles": 0}))
    asset.apply_candles(series([100.0, 99.0], NOON_MS))
    asset.apply_candle(candle(NOON_MS + 2 * CANDLE_MS, 120.0))

    asset.apply_execution(entry("BTC", 1, 120, NOON_MS + 2 * CANDLE_MS, terms=terms))
    report = asset.report(may_enter=True)

    assert report is not None
    assert report.strategy_exit is ExitReason.REGIME


def test_time_limit_of_a_position_is_the_one_it_was_opened_with() -> None:
    rules = trend_rules()
    terms = changed(rules, stops={"max_hold_ms": 3 * CANDLE_MS}).asset("BTC").terms
    asset = asset_after([100.0], rules)
    asset.apply_execution(entry("BTC", 1, 100, NOON_MS, side=Side.BUY, terms=terms))
    found = []
    for index in (1, 2, 3):
        asset.apply_candle(candle(NOON_MS + index * CANDLE_MS, 100.0))
        report = asset.report(may_enter=True)
        assert report is not None
        found.append(report.strategy_exit)

    assert found == [None, None, ExitReason.TIME]

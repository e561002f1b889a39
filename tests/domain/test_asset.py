"""When an asset signals an entry and when it lets go: each condition at its edge."""

from dataclasses import replace
from typing import Any

import pytest

from domain.market.indicators import CloseWindow
from domain.market.instruments import DAY_MS, HOUR_MS, MINUTE_MS, Side
from domain.strategies.base import Regime, Value
from domain.strategies.ema_cross_short import CrossKind, EmaCrossShort, Levels
from domain.trading.asset import AssetState
from domain.trading.decisions import AssetEvaluation, EntrySignal
from domain.trading.orders import ExitReason
from tests.domain.builders import (
    CANDLE_MS,
    NOON_MS,
    RULES,
    averages,
    candle,
    changed,
    entry,
    fill,
    series,
    short,
    trade,
)

FALLING = Levels(close=90.0, ema_short=95.0, ema_long=100.0)
"""Below both averages, and they in order: active."""
RISING = Levels(close=110.0, ema_short=105.0, ema_long=100.0)


CONFIDENCE = Value(name="confidence", label="signal confidence", figure=0.5, is_price=False)
"""Of a signal by one of the two kinds of crosses that can open a position."""


def asset_at(
    levels: Levels = FALLING,
    *,
    crosses_today: int = 1,
    signal_ms: int | None = NOON_MS,
    closes_seen: int = 3001,
) -> AssetState:
    """Return an asset that stands at a close at noon."""
    asset = AssetState("BTC", RULES)
    strategy = strategy_of(asset)
    strategy.t_ms, strategy.levels, asset.close = NOON_MS, levels, levels.close
    strategy.closes_seen = closes_seen
    strategy.crosses_today, strategy.newest_signal_ms = crosses_today, signal_ms
    strategy.newest_crosses = "PRICE_BELOW_LONG"
    return asset


def strategy_of(asset: AssetState) -> EmaCrossShort:
    assert isinstance(asset.strategy, EmaCrossShort)
    return asset.strategy


def reported(asset: AssetState, *, may_enter: bool = True) -> AssetEvaluation:
    report = asset.report(may_enter=may_enter)
    assert report is not None
    return report


def signals(asset: AssetState) -> bool:
    return reported(asset).signal is not None


def test_active_asset_with_a_fresh_cross_signals_an_entry() -> None:
    report = reported(asset_at())

    assert report == AssetEvaluation(
        asset="BTC",
        t_ms=NOON_MS,
        close=90.0,
        values=(*averages(95.0, 100.0), CONFIDENCE),
        note="below both EMAs",
        regime=Regime.ACTIVE,
        strategy_exit=None,
        signal=EntrySignal(
            signal_ms=NOON_MS,
            kinds="PRICE_BELOW_LONG",
            side=Side.SELL,
            volatility=0.0,
            strength=0.1,
        ),
    )


def test_signal_carries_the_volatility_of_the_window() -> None:
    asset = asset_at()
    asset.window = CloseWindow(2, [1.0, 2.0, 1.0])

    signal = reported(asset).signal

    assert signal is not None
    assert signal.volatility == pytest.approx(0.980258)  # ln 2 * sqrt 2


@pytest.mark.parametrize(
    "levels",
    [
        RISING,
        Levels(close=95.0, ema_short=95.0, ema_long=100.0),
        Levels(close=90.0, ema_short=100.0, ema_long=100.0),
        Levels(close=97.0, ema_short=98.0, ema_long=96.0),
    ],
)
def test_market_that_is_not_active_gives_no_entry_and_closes_a_position(levels: Levels) -> None:
    asset, holder = asset_at(levels), asset_at(levels)
    holder.position = short("BTC", 1, 100, NOON_MS - MINUTE_MS)

    assert reported(asset).regime is Regime.INACTIVE
    assert not signals(asset)
    assert reported(asset).strategy_exit is None
    assert reported(holder).strategy_exit is ExitReason.REGIME


@pytest.mark.parametrize(
    ("age_ms", "signaled"), [(0, True), (15 * MINUTE_MS, True), (15 * MINUTE_MS + 1, False)]
)
def test_cross_opens_until_it_is_15_minutes_old(age_ms: int, signaled: bool) -> None:
    assert signals(asset_at(signal_ms=NOON_MS - age_ms)) == signaled


def test_asset_without_a_cross_signals_nothing() -> None:
    assert not signals(asset_at(signal_ms=None))


def test_cross_that_opened_a_position_opens_no_other_but_a_newer_one_does() -> None:
    asset = asset_at()

    asset.apply_execution(entry("BTC", 1, 100, NOON_MS))
    asset.apply_execution(fill(Side.BUY, 1, 90, ts_ms=NOON_MS + 2 * HOUR_MS))
    asset.cooldown.end_ms = 0
    again = signals(asset)
    strategy_of(asset).newest_signal_ms = NOON_MS + 1

    assert asset.used_signal_ms == NOON_MS
    assert not again
    assert signals(asset)


def test_signal_that_was_not_approved_is_repeated_while_the_cross_is_young() -> None:
    asset = asset_at()
    first = reported(asset).signal
    asset.strategy.t_ms = NOON_MS + 15 * MINUTE_MS
    later = reported(asset).signal
    asset.strategy.t_ms = NOON_MS + 15 * MINUTE_MS + CANDLE_MS

    assert first == later
    assert not signals(asset)


def test_asset_in_a_position_does_not_signal_even_as_it_exits() -> None:
    holder = asset_at()
    holder.position = short("BTC", 1, 100, NOON_MS - 24 * HOUR_MS)

    report = reported(holder)

    assert (report.strategy_exit, report.signal) == (ExitReason.TIME, None)


def test_asset_that_the_exchange_stopped_out_inside_the_candle_may_enter_at_its_close() -> None:
    asset = asset_at()
    asset.apply_execution(entry("BTC", 1, 100, NOON_MS - 2 * HOUR_MS))

    asset.apply_execution(fill(Side.BUY, 1, 102, ts_ms=NOON_MS, reason=ExitReason.STOP_LOSS))

    assert signals(asset)


def test_order_under_way_or_a_pause_forbids_the_entry_but_not_the_exit() -> None:
    holder = asset_at(RISING)
    holder.position = short("BTC", 1, 100)

    assert reported(asset_at(), may_enter=False).signal is None
    assert reported(asset_at(), may_enter=False).regime is Regime.ACTIVE
    assert reported(holder, may_enter=False).strategy_exit is ExitReason.REGIME


@pytest.mark.parametrize(("end_ms", "rests"), [(NOON_MS + 1, True), (NOON_MS, False)])
def test_cooldown_of_the_asset_forbids_the_entry_until_its_end(end_ms: int, rests: bool) -> None:
    asset = asset_at()
    asset.cooldown.end_ms = end_ms

    assert reported(asset).regime is (Regime.COOLDOWN if rests else Regime.ACTIVE)
    assert signals(asset) != rests


@pytest.mark.parametrize(("end_ms", "rests"), [(NOON_MS + 1, True), (NOON_MS, False)])
def test_cooldown_of_the_portfolio_shows_until_its_end(end_ms: int, rests: bool) -> None:
    asset = asset_at()
    asset.global_cooldown_end_ms = end_ms

    assert reported(asset).regime is (Regime.COOLDOWN if rests else Regime.ACTIVE)


@pytest.mark.parametrize(
    ("count", "signaled", "regime"),
    [(11, True, Regime.ACTIVE), (12, False, Regime.ACTIVE), (13, False, Regime.INACTIVE)],
)
def test_at_twelve_crosses_nothing_is_opened_and_above_a_position_is_closed(
    count: int, signaled: bool, regime: Regime
) -> None:
    asset, holder = asset_at(crosses_today=count), asset_at(crosses_today=count)
    holder.position = short("BTC", 1, 100)

    assert reported(asset).values == (*averages(95.0, 100.0, count), CONFIDENCE)
    assert signals(asset) == signaled
    assert reported(asset).regime is regime
    assert reported(holder).strategy_exit is (ExitReason.REGIME if count == 13 else None)


@pytest.mark.parametrize(
    ("held_ms", "reason"), [(24 * HOUR_MS - 1, None), (24 * HOUR_MS, ExitReason.TIME)]
)
def test_position_is_closed_once_held_for_24_hours_from_its_fill(held_ms, reason) -> None:
    for end_ms in (0, NOON_MS + 1):
        holder = asset_at()
        holder.cooldown.end_ms = end_ms  # in any regime
        holder.position = replace(
            short("BTC", 1, 100, NOON_MS - held_ms), decided_ms=NOON_MS - 2 * DAY_MS
        )

        assert reported(holder).strategy_exit is reason


def test_regime_goes_before_time() -> None:
    holder = asset_at(RISING)
    holder.position = short("BTC", 1, 100, NOON_MS - 24 * HOUR_MS)

    assert reported(holder).strategy_exit is ExitReason.REGIME


def test_cooldown_never_closes_a_position() -> None:
    holder = asset_at()
    holder.position = short("BTC", 1, 100)
    holder.cooldown.end_ms = holder.global_cooldown_end_ms = NOON_MS + DAY_MS

    report = reported(holder)

    assert (report.regime, report.strategy_exit) == (Regime.COOLDOWN, None)


def test_cooldown_hides_no_exit_that_the_market_asks_for() -> None:
    holder = asset_at(RISING)
    holder.position = short("BTC", 1, 100)
    holder.cooldown.end_ms = NOON_MS + DAY_MS

    assert reported(holder).strategy_exit is ExitReason.REGIME


@pytest.mark.parametrize(("closes_seen", "warm"), [(3000, False), (3001, True)])
def test_asset_decides_nothing_before_close_number_3001(closes_seen: int, warm: bool) -> None:
    asset, holder = asset_at(closes_seen=closes_seen), asset_at(RISING, closes_seen=closes_seen)
    holder.position = short("BTC", 1, 100)

    assert signals(asset) == warm
    assert reported(asset).regime is (Regime.ACTIVE if warm else Regime.INACTIVE)
    assert reported(holder).strategy_exit is (ExitReason.REGIME if warm else None)


def test_asset_has_nothing_to_report_before_its_first_candle() -> None:
    assert AssetState("BTC", RULES).report(may_enter=True) is None


def test_closed_trade_rests_the_asset_from_its_exit() -> None:
    asset = asset_at()

    opened = asset.apply_execution(entry("BTC", 1, 100, NOON_MS))
    closed = asset.apply_execution(fill(Side.BUY, 1, 90, ts_ms=NOON_MS + HOUR_MS - 1))

    assert (opened.trade, closed.trade is None) == (None, False)
    assert asset.position is None
    assert asset.cooldown.end_ms == NOON_MS + 2 * HOUR_MS - 1


def test_partly_filled_entry_uses_its_cross_and_holds_a_position() -> None:
    asset = asset_at()

    asset.apply_execution(entry("BTC", "0.1", 100, NOON_MS))

    assert asset.used_signal_ms == NOON_MS
    assert asset.position is not None
    assert not signals(asset)


def test_candles_folded_at_once_and_one_by_one_report_the_same() -> None:
    rules = changed(
        strategy={
            "ema_short_period": 2,
            "ema_long_period": 4,
        },
        candles={"warmup_candles": 3, "volatility_window": 3},
    )
    closes = [100.0, 101.0, 102.0, 103.0, 104.0, 99.0, 98.0]
    one, other = AssetState("BTC", rules), AssetState("BTC", rules)
    crosses: list[Any] = []

    one.apply_candles(series([1.0]))
    one.apply_candles(series(closes))
    for index, close in enumerate(closes):
        crosses += other.apply_candle(candle(NOON_MS + index * CANDLE_MS, close))

    assert one.report(may_enter=True) == other.report(may_enter=True)
    assert signals(one)
    assert set(crosses) == set(CrossKind)


def test_losses_of_an_asset_end_in_its_long_cooldown() -> None:
    asset = asset_at()
    for _ in range(3):
        asset.cooldown.apply(trade(-1, exit_ms=NOON_MS - HOUR_MS))

    assert not signals(asset)
    assert reported(asset).regime is Regime.COOLDOWN

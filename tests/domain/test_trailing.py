"""The trailing stop: exact, never loosened, and met inside a candle in the order of its path."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.backtesting.plain_loop import InsideCandle
from domain.market.instruments import Instrument, Side
from domain.rules import StopPolicy, TradingRules
from domain.trading.matching import CandlePrices, MatchingEngine
from domain.trading.orders import ExitReason, OrderRequest
from domain.trading.positions import Execution
from domain.trading.sizing import ProtectiveLevels, protective_levels
from domain.trading.trailing import StopState, first_stop, follow, is_tighter, policy_of
from tests.domain.builders import (
    CANDLE_MS,
    NOON_MS,
    RULES,
    candle,
    changed,
    dec,
    long,
    position,
    short,
    with_trend,
)

BTC = RULES.asset("BTC").instrument
"""Prices on 0.1."""
TRAIL = StopPolicy(
    stop_loss_fraction=None,
    take_profit_fraction=None,
    trail_fraction=Decimal("0.02"),
    min_ratchet_fraction=Decimal("0.01"),
    max_hold_ms=None,
)


def trailing(**changes: Any) -> StopPolicy:
    return replace(TRAIL, **{name: dec(value) for name, value in changes.items()})


def stop_at(side: Side, stop_loss: object, best: object) -> StopState:
    levels = ProtectiveLevels(stop_loss=dec(stop_loss), take_profit=None)
    return StopState(side=side, levels=levels, best=dec(best))


def after(state: StopState, *prices: object, stops: StopPolicy = TRAIL) -> StopState:
    for price in prices:
        state = follow(state, dec(price), stops, BTC)
    return state


# The first stop.


@pytest.mark.parametrize(
    ("stop", "trail", "distance"),
    [("0.015", "0.02", "0.015"), ("0.03", "0.02", "0.02"), (None, "0.02", "0.02")],
)
def test_first_stop_is_at_the_smaller_distance_that_is_set(stop, trail, distance) -> None:
    fractions = {"stop_loss_fraction": None if stop is None else dec(stop)}
    policy = replace(TRAIL, trail_fraction=dec(trail), **fractions)

    assert policy.first_distance == dec(distance)
    assert protective_levels(Decimal(1000), Side.BUY, policy, BTC) == ProtectiveLevels(
        stop_loss=1000 * (1 - dec(distance)), take_profit=None
    )
    assert protective_levels(Decimal(1000), Side.SELL, policy, BTC) == ProtectiveLevels(
        stop_loss=1000 * (1 + dec(distance)), take_profit=None
    )


def test_best_is_the_average_entry_fill_at_first_whatever_was_before() -> None:
    rules = changed(stops={"trail_fraction": Decimal("0.02"), "stop_loss_fraction": None})

    state = first_stop(long("BTC", 2, "1000.05"), rules)

    assert state.best == Decimal("1000.05")
    assert state.levels.stop_loss == Decimal("980.1")  # 980.049 toward the entry
    assert state.reason is ExitReason.STOP_LOSS


def test_position_keeps_the_policy_that_it_was_opened_with() -> None:
    opened = replace(long("BTC", 1, 1000), terms=with_trend("BTC").asset("BTC").terms)

    assert policy_of(opened, RULES).trail_fraction == Decimal("0.02")
    assert first_stop(opened, RULES).levels == ProtectiveLevels(
        stop_loss=Decimal(980), take_profit=None
    )
    assert policy_of(long("BTC", 1, 1000), RULES) == RULES.asset("BTC").stops


# The ratchet.


@pytest.mark.parametrize(
    ("price", "stop_loss"),
    [
        ("1010", "980"),  # 989.8: not more than 980 * 1.01 = 989.8
        ("1010.1", "989.9"),  # 989.898, toward the price
        ("1020", "999.6"),
        ("900", "980"),
    ],
)
def test_stop_of_a_long_moves_by_more_than_the_ratchet_alone(price, stop_loss) -> None:
    state = after(stop_at(Side.BUY, 980, 1000), price)

    assert state.levels.stop_loss == dec(stop_loss)
    assert state.best == max(Decimal(1000), dec(price))
    assert state.reason is (
        ExitReason.STOP_LOSS if stop_loss == "980" else ExitReason.TRAILING_STOP
    )


@pytest.mark.parametrize(
    ("price", "stop_loss"),
    [
        ("990", "1020"),  # 1009.8: not less than 1020 * 0.99 = 1009.8
        ("989.9", "1009.6"),  # 1009.698, toward the price
        ("1100", "1020"),
    ],
)
def test_stop_of_a_short_is_mirrored(price, stop_loss) -> None:
    state = after(stop_at(Side.SELL, 1020, 1000), price)

    assert state.levels.stop_loss == dec(stop_loss)
    assert state.best == min(Decimal(1000), dec(price))


def test_ratchet_is_judged_in_exact_decimals() -> None:
    """0.1 * 3 is not 0.3 in floats: one bit would move the stop."""
    fine = Instrument(
        symbol="XUSDT",
        qty_step=Decimal(1),
        min_order_qty=Decimal(1),
        tick_size=Decimal("0.0001"),
        min_notional=Decimal(5),
        max_market_order_qty=Decimal(1000),
    )
    policy = trailing(trail_fraction="0.1", min_ratchet_fraction="0.1")
    state = StopState(
        side=Side.BUY,
        levels=ProtectiveLevels(stop_loss=Decimal("0.9"), take_profit=None),
        best=Decimal(1),
    )

    equal = follow(state, Decimal("1.1"), policy, fine)  # 0.99, and 0.9 * 1.1
    beyond = follow(state, Decimal("1.1002"), policy, fine)

    assert equal.levels.stop_loss == Decimal("0.9")
    assert beyond.levels.stop_loss == Decimal("0.9902")


def test_price_that_did_not_move_the_stop_is_still_the_best_later() -> None:
    policy = trailing(min_ratchet_fraction="0.015")
    state = after(stop_at(Side.BUY, 980, 1000), 1012, 1005, stops=policy)

    assert (state.levels.stop_loss, state.best) == (980, 1012)


def test_position_without_a_trail_is_left_alone() -> None:
    state = stop_at(Side.BUY, 980, 1000)

    assert follow(state, Decimal(2000), RULES.asset("BTC").stops, BTC) is state


prices = st.lists(st.decimals(min_value=500, max_value=2000, places=2), min_size=1, max_size=30)
sides = st.sampled_from(Side)
policies = st.builds(
    lambda trail, ratchet, stop: replace(
        TRAIL, trail_fraction=trail, min_ratchet_fraction=ratchet, stop_loss_fraction=stop
    ),
    st.sampled_from(["0.005", "0.02", "0.1"]).map(Decimal),
    st.sampled_from(["0", "0.001", "0.01", "0.05"]).map(Decimal),
    st.sampled_from([None, Decimal("0.01"), Decimal("0.03")]),
)


@settings(max_examples=200)
@given(sides, policies, prices)
def test_stop_is_never_loosened_and_stays_behind_the_best_price(side, policy, path) -> None:
    rules = changed(stops={name: getattr(policy, name) for name in policy.__slots__})
    state = first_stop(position("BTC", side, 1, path[0]), rules)
    first, seen = state.levels.stop_loss, path[:1]

    for price in path:
        before, state = state, follow(state, price, policy, BTC)
        seen.append(price)

        level = state.levels.stop_loss
        best = max(seen) if side is Side.BUY else min(seen)
        assert state.best == best
        assert level == before.levels.stop_loss or is_tighter(level, before.levels.stop_loss, side)
        if level != before.levels.stop_loss:
            moved = abs(level - before.levels.stop_loss)
            assert moved > before.levels.stop_loss * policy.min_ratchet_fraction
            assert level % BTC.tick_size == 0
            assert abs(best - level) <= best * policy.trail_fraction
            assert abs(best - level) > best * policy.trail_fraction - BTC.tick_size
        assert state.is_moved == (level != first)


@settings(max_examples=100)
@given(sides, st.decimals(500, 2000, places=1), st.decimals(500, 2000, places=1))
def test_level_that_would_loosen_the_stop_is_not_taken(side, standing, wanted) -> None:
    state = stop_at(side, standing, 1000)

    found = state.tightened(wanted)

    expected = max(standing, wanted) if side is Side.BUY else min(standing, wanted)
    assert found.levels.stop_loss == expected
    assert found.is_moved == (expected != standing)


# Inside a candle.

FREE = {"slippage_fraction": Decimal(0), "taker_fee_rate": Decimal(0)}


def trail_rules(*, gap: object = 0, **stops: Any) -> TradingRules:
    policy = {
        "stop_loss_fraction": None,
        "take_profit_fraction": None,
        "trail_fraction": Decimal("0.02"),
        **{name: dec(value) for name, value in stops.items()},
    }
    return changed(stops=policy, fills={**FREE, "stop_gap_fraction": dec(gap)})


def played(
    side: Side, prices: tuple[object, ...], rules: TradingRules, entry: object = 1000
) -> tuple[list[tuple[ExitReason | None, Decimal]], StopState]:
    """Return how one candle (open, high, low, close) ends a position, and where its stop stood."""
    engine = MatchingEngine(rules.fills)
    engine.submit(
        OrderRequest(
            client_order_id="x", asset="BTC", side=side, qty=Decimal(1), reduce_only=False
        ),
        NOON_MS,
    )
    engine.fill("x", dec(entry), NOON_MS)
    opened = engine.positions["BTC"]
    stop = first_stop(opened, rules)
    engine.set_stops("BTC", stop.levels)
    names = ("open", "high", "low", "close")
    inside = candle(NOON_MS + CANDLE_MS, **dict(zip(names, map(float, prices), strict=True)))
    events, stop = InsideCandle(engine, rules, inside).events(opened, stop)
    ends = [(one.reason, one.price) for one in events if isinstance(one, Execution)]
    return ends, stop


@pytest.mark.parametrize(
    ("open_", "high", "low", "close", "path"),
    [
        (10, 13, 9, 12, (10, 9, 13, 12)),
        (10, 13, 9, 10, (10, 9, 13, 10)),  # equal: like a rise
        (12, 13, 9, 10, (12, 13, 9, 10)),
    ],
)
def test_path_goes_to_the_low_first_where_the_candle_rose(open_, high, low, close, path) -> None:
    found = CandlePrices(open=dec(open_), high=dec(high), low=dec(low), close=dec(close))

    assert found.path == path


@pytest.mark.parametrize(
    ("prices", "end", "stop_loss"),
    [
        # A rise: the low comes before the high, and meets the stop of before.
        ((1000, 1050, 985, 1040), None, "1029"),
        ((1000, 1050, 980, 1040), (ExitReason.STOP_LOSS, "980"), None),
        # A fall: the high first, and the low then meets the stop that it has raised.
        ((1000, 1050, 1010, 995), (ExitReason.TRAILING_STOP, "1029"), None),
        # The close meets the stop that the high has raised.
        ((1000, 1050, 999, 1020), (ExitReason.TRAILING_STOP, "1029"), None),
        # A gap: at the open.
        ((970, 1050, 960, 1040), (ExitReason.STOP_LOSS, "970"), None),
        ((1000, 1005, 990, 1001), None, "980"),
    ],
)
def test_long_meets_the_prices_of_a_candle_in_order(prices, end, stop_loss) -> None:
    ends, stop = played(Side.BUY, prices, trail_rules())

    assert ends == ([] if end is None else [(end[0], dec(end[1]))])
    if stop_loss is not None:
        assert stop.levels.stop_loss == dec(stop_loss)


@pytest.mark.parametrize(
    ("prices", "end", "stop_loss"),
    [
        ((1000, 1015, 950, 960), None, "969"),  # a fall: the high first
        ((1000, 1020, 950, 960), (ExitReason.STOP_LOSS, "1020"), None),
        ((1000, 1001, 950, 1000.5), (ExitReason.TRAILING_STOP, "969"), None),
        ((1030, 1040, 950, 960), (ExitReason.STOP_LOSS, "1030"), None),
    ],
)
def test_short_meets_them_mirrored(prices, end, stop_loss) -> None:
    ends, stop = played(Side.SELL, prices, trail_rules())

    assert ends == ([] if end is None else [(end[0], dec(end[1]))])
    if stop_loss is not None:
        assert stop.levels.stop_loss == dec(stop_loss)


def test_target_is_met_before_the_trail_follows_the_same_price() -> None:
    rules = trail_rules(take_profit_fraction="0.05")

    assert played(Side.BUY, (1000, 1060, 999, 1050), rules)[0] == [(ExitReason.TAKE_PROFIT, 1050)]
    assert played(Side.BUY, (1055, 1060, 999, 1050), rules)[0] == [(ExitReason.TAKE_PROFIT, 1055)]


@pytest.mark.parametrize(
    ("side", "prices", "gap", "filled_at"),
    [
        (Side.BUY, (1000, 1001, 940, 945), "0.5", 960),  # 980, half of the way to 940
        (Side.BUY, (1000, 1001, 940, 945), "0.1", 976),
        (Side.BUY, (1000, 1001, 940, 945), "0", 980),
        (Side.BUY, (970, 1001, 940, 945), "0.5", 970),  # at the open: no gap on top
        # The extreme is the whole candle's, also where it lies before the hit.
        (Side.BUY, (1000, 1060, 990, 1001), "0.5", Decimal("1014.4")),
        (Side.SELL, (1000, 1060, 999, 1050), "0.5", 1040),
    ],
)
def test_stop_inside_a_candle_fills_further_by_the_gap_fraction(
    side, prices, gap, filled_at
) -> None:
    ((_, price),) = played(side, prices, trail_rules(gap=gap))[0]

    assert price == filled_at


def test_gap_fraction_holds_for_a_stop_that_does_not_trail() -> None:
    rules = changed(fills={**FREE, "stop_gap_fraction": Decimal("0.5")})
    ends, _ = played(Side.SELL, (1000, 1035, 999, 1030), rules)

    assert ends == [(ExitReason.STOP_LOSS, 1025)]  # 1015, half of the way to 1035


def test_flat_candle_of_a_short_moves_nothing() -> None:
    opened = short("BTC", 1, 1000)

    assert played(Side.SELL, (1000, 1000, 1000, 1000), trail_rules()) == (
        [],
        first_stop(opened, trail_rules()),
    )

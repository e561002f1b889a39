"""Sizes stand on the step, and stops on the tick that loses no more than asked."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.market.instruments import Instrument, Side
from domain.trading.entry_sizes import entry_size, smallest_order
from domain.trading.sizing import (
    ProtectiveLevels,
    order_qty,
    protective_levels,
    target_notional,
    volatility_multiplier,
)
from tests.domain.builders import RULES, changed, dec

steps = st.sampled_from(["0.001", "0.01", "0.1", "1", "5"]).map(Decimal)
instruments = st.builds(
    lambda step, least, most, tick, notional: Instrument(
        symbol="XUSDT",
        qty_step=step,
        min_order_qty=step * least,
        tick_size=tick,
        min_notional=Decimal(notional),
        max_market_order_qty=step * most,
    ),
    steps,
    st.integers(1, 20),
    st.integers(1, 5000),
    st.sampled_from(["0.0001", "0.01", "0.1", "0.5"]).map(Decimal),
    st.integers(0, 50),
)
prices = st.decimals(min_value=100, max_value=100_000, places=5)


@settings(max_examples=200)
@given(st.decimals(min_value=0, max_value=20_000, places=4), prices, instruments)
def test_qty_is_the_largest_on_the_step_that_notional_and_market_allow(
    notional, price, instrument
) -> None:
    qty = order_qty(notional, price, instrument)

    step, most = instrument.qty_step, instrument.max_market_order_qty
    if qty is None:
        largest = min(notional // price // step * step, notional / price // step * step, most)
        assert largest < instrument.min_order_qty or largest * price < instrument.min_notional
    else:
        assert qty % step == 0
        assert qty * price <= notional
        assert (qty + step) * price > notional or qty == most
        assert instrument.min_order_qty <= qty <= most
        assert qty * price >= instrument.min_notional


@pytest.mark.parametrize(
    ("notional", "price", "qty"),
    [
        ("7000", "83849", "0.083"),  # rounded down to the step
        ("83.849", "83849", "0.001"),  # exactly the minimum qty
        ("83.848", "83849", None),
        ("5", "5000", "0.001"),  # exactly the minimum notional
        ("5", "4999", None),
        ("11900", "100", "119"),  # exactly the largest market order
        ("12000", "100", "119"),
    ],
)
def test_qty_of_bitcoin_at_the_edges_of_its_filters(notional, price, qty) -> None:
    instrument = RULES.asset("BTC").instrument

    found = order_qty(Decimal(notional), Decimal(price), instrument)

    assert found == (None if qty is None else Decimal(qty))


def test_target_is_balance_times_allocation_times_leverage_times_multiplier() -> None:
    assert target_notional(Decimal(10_000), RULES.asset("BTC"), Decimal("0.5")) == 3500


@settings(max_examples=200)
@given(prices, instruments)
def test_stop_of_a_short_loses_at_most_what_was_asked_and_lies_within_a_tick_of_it(
    price, instrument
) -> None:
    asked_stop, asked_target = price * Decimal("1.015"), price * Decimal("0.94")

    levels = protective_levels(price, Side.SELL, RULES.asset("BTC").stops, instrument)

    tick = instrument.tick_size
    assert levels.stop_loss % tick == levels.take_profit % tick == 0
    assert asked_stop - tick < levels.stop_loss <= asked_stop
    assert asked_target <= levels.take_profit < asked_target + tick


@given(prices, instruments)
def test_stop_of_a_long_loses_at_most_what_was_asked(price, instrument) -> None:
    asked_stop, asked_target = price * Decimal("0.985"), price * Decimal("1.06")

    levels = protective_levels(price, Side.BUY, RULES.asset("BTC").stops, instrument)

    tick = instrument.tick_size
    assert asked_stop <= levels.stop_loss < asked_stop + tick
    assert asked_target - tick < levels.take_profit <= asked_target


def test_levels_around_an_entry_that_is_not_on_the_tick() -> None:
    levels = protective_levels(
        Decimal("83832.23017"), Side.SELL, RULES.asset("BTC").stops, RULES.asset("BTC").instrument
    )

    # 85089.713622... and 78802.296359...
    assert levels == ProtectiveLevels(stop_loss=Decimal("85089.7"), take_profit=Decimal("78802.3"))


@pytest.mark.parametrize(
    ("sigma", "multiplier"),
    [
        (0.001, "1"),
        (0.002, "1"),
        (0.0025, "0.8"),
        (0.004, "0.5"),
        (0.008, "0.25"),
        (0.1, "0.25"),
        (0.0, "1"),
    ],
)
def test_volatility_shrinks_a_position_to_a_quarter_at_most(sigma: float, multiplier: str) -> None:
    off = RULES.risk
    on = changed(
        risk={
            "volatility_sizing": True,
            "volatility_target": 0.002,
            "volatility_min_multiplier": 0.25,
        }
    ).risk

    assert volatility_multiplier(sigma, on) == dec(multiplier)
    assert volatility_multiplier(sigma, off) == 1


@settings(max_examples=200)
@given(prices, instruments)
def test_the_smallest_order_is_the_least_notional_that_buys_a_qty(price, instrument) -> None:
    least = smallest_order(instrument, price)
    hair = Decimal("1e-12")

    if least <= instrument.max_market_order_qty * price:
        assert order_qty(least + hair, price, instrument) is not None
    assert order_qty(least - hair, price, instrument) is None


def test_an_entry_with_the_least_capital_is_the_smallest_order() -> None:
    asset, price = RULES.assets[0], Decimal(83_849)

    found = entry_size(asset, asset.instrument, RULES, price, Decimal(100))
    again = entry_size(asset, asset.instrument, RULES, price, found.least_capital)

    assert found.full == Decimal(70)
    assert found.least == Decimal("83.849")
    assert abs(again.full - found.least) < Decimal("1e-20")
    assert found.reduced < found.full

"""Prices and quantities meet the venue's grid exactly."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.market.instruments import DAY_MS, Instrument, exact, utc_day
from tests.domain.builders import RULES

BTC = RULES.asset("BTC").instrument
instruments = st.sampled_from([asset.instrument for asset in RULES.assets])
amounts = st.decimals(min_value="0.0001", max_value="1000000", places=7)


@given(instruments, amounts)
def test_qty_is_rounded_down_to_a_multiple_of_the_step(instrument: Instrument, qty) -> None:
    rounded = instrument.round_qty(qty)

    assert rounded % instrument.qty_step == 0
    assert qty - instrument.qty_step < rounded <= qty


@given(instruments, amounts)
def test_price_is_rounded_to_the_next_tick_on_either_side(instrument: Instrument, price) -> None:
    up, down = instrument.round_price_up(price), instrument.round_price_down(price)

    assert up % instrument.tick_size == down % instrument.tick_size == 0
    assert up - instrument.tick_size < price <= up
    assert down <= price < down + instrument.tick_size


def test_price_on_the_tick_stays() -> None:
    assert BTC.round_price_up(Decimal("100.1")) == Decimal("100.1")
    assert BTC.round_price_down(Decimal("100.1")) == Decimal("100.1")


@pytest.mark.parametrize(
    ("value", "text"), [(83849.1, "83849.1"), (0.1 + 0.2, "0.30000000000000004")]
)
def test_float_becomes_the_decimal_that_it_prints_as(value: float, text: str) -> None:
    assert exact(value) == Decimal(text)


def test_midnight_belongs_to_the_new_day() -> None:
    assert utc_day(20_000 * DAY_MS - 1) == 19_999
    assert utc_day(20_000 * DAY_MS) == 20_000


def test_asset_is_found_by_name_and_placed_by_the_settings() -> None:
    assert [RULES.order_of(name) for name in ("BTC", "ETH", "SOL")] == [0, 1, 2]
    assert RULES.asset("ETH").instrument.symbol == "ETHUSDT"

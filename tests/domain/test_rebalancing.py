"""Advice says how far a position has drifted, and a reduce by it ends on the target."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.market.instruments import Side
from domain.portfolio.rebalancing import Advice, Rebalance, advise
from domain.rules import TradingRules
from tests.domain.builders import RULES, changed, position

EQUITY = Decimal(10_000)
LOOSE = changed(approval={"rebalance_threshold": Decimal("0.10"), "max_position_size": None})
BTC = LOOSE.asset("BTC")
SIDES = st.sampled_from(Side)
QTYS = st.decimals(min_value=Decimal("0.001"), max_value=Decimal(100), places=3)
CLOSES = st.decimals(min_value=Decimal(1), max_value=Decimal(100_000), places=1)


def advice(
    qty: object,
    close: object,
    *,
    side: Side = Side.SELL,
    equity: Decimal = EQUITY,
    rules: TradingRules = LOOSE,
) -> Advice:
    held = position("BTC", side, qty, close)
    (found,) = advise({"BTC": held}, {"BTC": Decimal(str(close))}, equity, rules)
    return found


def test_the_advice_is_what_a_hand_calculation_gives() -> None:
    # The target of 20 % of 10,000 at leverage 4 is 8,000 of notional; 0.1 at 100,000 are 10,000.
    rules = replace(
        LOOSE,
        assets=(
            replace(BTC, allocation_fraction=Decimal("0.2"), leverage=Decimal(4)),
            *LOOSE.assets[1:],
        ),
    )

    found = advice("0.1", 100_000, rules=rules)

    assert (found.weight, found.drift) == (Decimal("0.25"), Decimal("0.25"))
    assert (found.action, found.qty) == (Rebalance.REDUCE, Decimal("0.020"))
    smaller = advice("0.05", 100_000, rules=rules)
    assert (smaller.action, smaller.qty) == (Rebalance.ADD, Decimal("0.030"))


@pytest.mark.parametrize("factor", ["0.9", "1", "1.1"])
def test_a_drift_of_exactly_the_threshold_is_no_reason_to_trade(factor: str) -> None:
    notional = EQUITY * BTC.allocation_fraction * BTC.leverage * Decimal(factor)

    found = advice(notional / 100, 100)

    assert (found.action, found.qty) == (None, Decimal(0))


def test_without_a_threshold_only_what_is_too_large_is_told() -> None:
    rules = changed(approval={"rebalance_threshold": None, "max_position_size": Decimal("0.5")})

    found = advice(1, 100_000, rules=rules)

    assert found.action is None
    assert found.is_oversize
    assert found.is_worth_telling


def test_nothing_is_advised_without_equity_or_a_close() -> None:
    held = {"BTC": position("BTC", Side.BUY, 1, 100)}

    assert list(advise(held, {"BTC": Decimal(100)}, Decimal(0), LOOSE)) == []
    assert list(advise(held, {}, EQUITY, LOOSE)) == []


@given(qty=QTYS, close=CLOSES, side=SIDES)
def test_a_reduce_by_the_advice_always_ends_within_a_step_above_the_target(
    qty: Decimal, close: Decimal, side: Side
) -> None:
    found = advice(qty, close, side=side)
    if found.action is not Rebalance.REDUCE:
        return

    left = advice(qty - found.qty, close, side=side)

    step = BTC.instrument.qty_step
    assert 0 < found.qty < qty
    assert found.qty % step == 0
    assert 0 <= left.weight - left.target < step * close / BTC.leverage / EQUITY


@given(qty=QTYS, close=CLOSES)
def test_long_and_short_are_always_advised_alike(qty: Decimal, close: Decimal) -> None:
    assert advice(qty, close, side=Side.BUY) == advice(qty, close, side=Side.SELL)


@given(qty=QTYS, close=CLOSES)
def test_an_action_always_points_against_the_drift(qty: Decimal, close: Decimal) -> None:
    found = advice(qty, close)

    assert (found.qty > 0) == (found.action is not None)
    if found.action is not None:
        assert (found.action is Rebalance.REDUCE) == (found.drift > 0)


def test_the_target_of_the_rules_is_the_share_of_the_settings() -> None:
    assert advice(1, 100).target == RULES.asset("BTC").allocation_fraction

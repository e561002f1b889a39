"""Whose part what is open has in the risk of all."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.market.instruments import DAY_MS
from domain.portfolio.attribution import attribute

RNG = np.random.default_rng(7)
MOVES = RNG.normal(0, 0.01, (3, 60))
RETURNS = dict(zip(("BTC", "ETH", "SOL"), MOVES, strict=True))
AMOUNTS = st.floats(-10_000, 10_000).filter(lambda amount: abs(amount) > 1)


@given(st.dictionaries(st.sampled_from(list(RETURNS)), AMOUNTS, min_size=1))
def test_shares_add_up_to_one_and_spreading_never_adds_risk(held: dict[str, float]) -> None:
    found = attribute(held, RETURNS, DAY_MS)

    assert found is not None
    assert sum(part.share for part in found.parts) == pytest.approx(1.0)
    assert found.volatility <= found.alone * (1 + 1e-9)
    own = sum(np.array([held[part.asset]]) * RETURNS[part.asset] for part in found.parts)
    assert found.volatility == pytest.approx(float(np.std(own, ddof=1)) * math.sqrt(365))


def test_one_position_is_all_of_the_risk_and_saves_nothing() -> None:
    found = attribute({"BTC": -500.0}, RETURNS, DAY_MS)

    assert found is not None
    assert found.parts[0].share == pytest.approx(1.0)
    assert found.diversification == pytest.approx(0.0)
    assert found.volatility == pytest.approx(500 * found.parts[0].volatility)


def test_a_hedge_takes_risk_away() -> None:
    twin = {"BTC": MOVES[0], "ETH": MOVES[0] + 1e-6 * MOVES[1]}

    found = attribute({"BTC": 1000.0, "ETH": -400.0}, twin, DAY_MS)

    assert found is not None
    assert found.parts[1].share < 0
    assert found.diversification == pytest.approx(1 - 600 / 1400, abs=1e-3)


def test_nothing_open_and_nothing_known_is_no_risk() -> None:
    assert attribute({}, RETURNS, DAY_MS) is None
    assert attribute({"XRP": 10.0}, RETURNS, DAY_MS) is None
    assert attribute({"BTC": 10.0}, {"BTC": np.zeros(5)}, DAY_MS) is None

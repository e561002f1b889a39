"""Order books are read as the exchange has them, thin ones too."""

import random
from decimal import Decimal

import pytest

from domain.errors import BadDataError
from domain.market.instruments import Side
from infra.net.server_clock import ServerClock
from infra.venues.bybit.limits import bybit_limiter
from infra.venues.bybit.rest import BybitRest
from infra.venues.bybit.shapes.market import order_book
from tests.venues.simulator.clients import BTC, running


@pytest.fixture
def exchange():
    with running(speed=None) as client:
        yield client


def test_a_thin_book_is_seen(exchange):
    rest = BybitRest(
        None,
        exchange.sim.base_url,
        limiter=bybit_limiter(),
        clock=ServerClock(),
        rng=random.Random(0),
    )
    try:
        usual = rest.order_book(BTC)
        exchange.control("faults", kind="thin_book", symbol=BTC, fraction="0.1", rate="0.002")
        thin = rest.order_book(BTC)
    finally:
        rest.close()

    assert usual.spread_bps < 1
    assert usual.bids[0][0] < usual.asks[0][0]
    assert 15 < thin.spread_bps < 25
    assert thin.bids[0][1] == usual.bids[0][1] * Decimal("0.1")
    assert usual.depth(Side.BUY) > thin.depth(Side.BUY) == 0


@pytest.mark.parametrize("levels", [[["1"]], ["1"], [["x", "1"]], [[None, None]]])
def test_a_level_that_cannot_be_read_is_bad_data(levels):
    with pytest.raises(BadDataError, match=BTC):
        order_book({"s": BTC, "b": levels, "a": []}, BTC)

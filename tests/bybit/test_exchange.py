"""What the account's stream tells reaches the asset's listener as news, or as a doubt."""

import pytest

from infra.bybit.exchange import BybitExchange
from infra.bybit.shapes.positions import position_of
from infra.bybit.shapes.row import Row


class Market:
    """A market in which no price moves."""

    def tickers(self, _symbol, _on_ticker):
        return self

    def close(self):
        """Hold nothing."""


class Listener:
    def __init__(self):
        self.doubts = []

    def on_doubt(self, why):
        self.doubts.append(why)


ROW = {"symbol": "BTCUSDT", "side": "Sell", "size": "0.1", "avgPrice": "100", "markPrice": "100"}


@pytest.mark.parametrize(
    ("changes", "doubts"),
    [
        ({"stopLoss": "101.5"}, 0),
        ({"stopLoss": ""}, 1),
        ({"stopLoss": "0"}, 1),
        ({"side": "", "size": "0"}, 0),
    ],
)
def test_a_position_without_a_stop_is_seen_to_at_once(changes, doubts):
    exchange = BybitExchange(None, Market(), symbols={"BTC": "BTCUSDT"}, now_ms=lambda: 1)
    listener = Listener()
    exchange.subscribe("BTC", listener)

    exchange.on_position("BTC", position_of(Row("position", ROW | {"positionIdx": 0} | changes), 1))
    exchange.on_position("ETH", position_of(Row("position", ROW | {"positionIdx": 0}), 1))

    assert len(listener.doubts) == doubts


def test_news_that_nobody_could_read_are_asked_for_at_once():
    exchange = BybitExchange(None, Market(), symbols={"BTC": "BTCUSDT"}, now_ms=lambda: 1)
    listener = Listener()
    exchange.subscribe("BTC", listener)

    exchange.on_unreadable("execution")

    assert len(listener.doubts) == 1

"""The market's streams, over a real socket: candles and prices are what was said, or nothing."""

import random
from contextlib import suppress
from decimal import Decimal
from functools import cache

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed

from infra.net.pool import ConnectionPool
from infra.venues.bybit.public_stream import PublicStream
from tests.fuzzing.campaign import examples
from tests.fuzzing.mutations import as_json, damaged, is_an_object, is_number, mutated
from tests.fuzzing.recorded import messages
from tests.fuzzing.test_account_stream import TIMING
from tests.fuzzing.truth import is_candle
from tests.venues.bybit.stream_server import WAIT_S, Ear, StreamServer, kline, ticker

CANDLE_MS = 300_000
KLINE, TICKERS = "kline.5.BTCUSDT", "tickers.BTCUSDT"
GOOD = {"lastPrice": "100", "markPrice": "101"}


@cache
def kinds() -> list[str]:
    """Return what there is in the market's topics."""
    return sorted(kind for kind, m in messages().items() if m.get("topic") in {KLINE, TICKERS})


class House:
    """Candles and prices of one symbol; what is sent is followed by good ones."""

    def __init__(self) -> None:
        self.server, self.ear = StreamServer(), Ear()
        self._pool = ConnectionPool(self.server.url, rng=random.Random(1), timing=TIMING)
        self.market = PublicStream(self._pool, candle_minutes=5)
        self._start = 1_800_000_000_000
        self.market.candles("BTCUSDT", self._hear("candle"), on_lost=self._hear("lost"))
        self._client = self.server.next_client()
        self.market.tickers("BTCUSDT", self._hear("prices"))
        asked: set[str] = set()
        while asked != {KLINE, TICKERS}:
            asked |= {*self._client.next_request("subscribe")["args"]}
        assert self.news_of(b"{}")

    def dropped(self) -> int:
        """Return how much was refused so far."""
        drops = [sum(stats.drops.values()) for stats in self._pool.stats()]
        return sum(self.market.refused().values()) + sum(drops)

    def raised(self) -> int:
        return sum(stats.drops.get("callback raised", 0) for stats in self._pool.stats())

    def news_of(self, message: bytes) -> list[tuple]:
        """Send a message, then good prices and a good candle; return what was told before that."""
        told: list[tuple] = []
        self._start += CANDLE_MS
        with suppress(ConnectionClosed):
            self._client.connection.send(message, text=True)
        while True:
            self._start += CANDLE_MS
            with suppress(ConnectionClosed):
                self._client.send(ticker(**GOOD))
                self._client.send(kline(start=self._start))
            while (news := self.ear.heard.get(timeout=WAIT_S))[0] != "lost":
                if news[0] == "candle" and news[1].open_time_ms == self._start:
                    return told
                told.append(news)
            self._client = self.server.next_client()
            self._client.next_request("subscribe")

    def shifted(self, message: dict) -> dict:
        """Return a message with its candle at the time of the next one."""
        start = self._start + CANDLE_MS
        end = start + CANDLE_MS - 1
        if message["topic"] != KLINE:
            return message
        rows = [row | {"start": start, "end": end} for row in message["data"]]
        return message | {"ts": end + 1, "data": rows}

    def close(self) -> None:
        closed = self._pool.close(15.0)
        self.server.stop()
        assert closed

    def _hear(self, kind: str):
        return lambda value: self.ear.heard.put((kind, value))


@pytest.fixture(scope="module")
def house():
    made = House()
    yield made
    made.close()


def is_closed(item: object) -> bool:
    return isinstance(item, dict) and item.get("confirm") is True


def are_prices(data: object, found) -> bool:
    """Tell whether prices are those of a message, or those before it."""
    said = data if isinstance(data, dict) else {}
    pairs = (("lastPrice", found.last_price), ("markPrice", found.mark_price))
    return all(
        value == Decimal(GOOD[name]) or is_number(said.get(name), value) for name, value in pairs
    )


def check(message: object, told: list[tuple], refused: int) -> None:
    """Check that what was told is what a message says, or that a refusal was counted."""
    found = message if isinstance(message, dict) else {}
    topic, data = found.get("topic"), found.get("data")
    candles = [news[1] for news in told if news[0] == "candle"]
    assert all(are_prices(data, news[1]) for news in told if news[0] == "prices")
    if topic != KLINE or not isinstance(data, list):
        assert candles == []
        assert refused or (topic == TICKERS and isinstance(data, dict))
        return
    assert all(
        any(is_closed(item) and is_candle(item, candle) for item in data) for candle in candles
    )
    for item in data:
        is_open = isinstance(item, dict) and item.get("confirm") is False
        assert refused or is_open or any(is_candle(item, candle) for candle in candles)


@examples(300)
@given(data=st.data())
def test_candles_and_prices_are_what_was_said_or_one_counted_refusal(house, data):
    kind = data.draw(st.sampled_from(kinds()))
    message = data.draw(mutated(house.shifted(messages()[kind])))
    before, text = house.dropped(), as_json(message)

    told = house.news_of(text)

    check(message if is_an_object(text) else None, told, house.dropped() - before)


@examples(100)
@given(data=st.data())
def test_damaged_bytes_cost_no_more_than_a_connection_and_are_counted(house, data):
    kind = data.draw(st.sampled_from(kinds()))
    text = data.draw(damaged(as_json(house.shifted(messages()[kind]))))
    before = house.dropped()

    told = house.news_of(text)

    check(orjson.loads(text) if is_an_object(text) else None, told, house.dropped() - before)


def test_no_callback_has_raised(house):
    assert house.news_of(b"{}")
    assert house.raised() == 0

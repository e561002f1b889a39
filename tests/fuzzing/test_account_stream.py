"""The account's stream, over a real socket: whatever arrives costs no more than itself."""

import random
from collections import deque
from contextlib import suppress
from functools import cache
from itertools import count

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed

from domain.market.instruments import Side
from infra.net.timing import StreamTiming
from infra.venues.bybit.private_stream import TOPICS, PrivateStream
from tests.fuzzing.campaign import examples
from tests.fuzzing.mutations import as_json, damaged, is_an_object, mutated
from tests.fuzzing.recorded import messages
from tests.fuzzing.truth import is_absent, is_told_of
from tests.venues.bybit.stream_server import WAIT_S, Account, StreamServer

TIMING = StreamTiming(
    backoff_initial_s=0.001, backoff_max_s=0.005, tick_s=0.02, slow_retry_s=0.01, answer_s=60.0
)
TRADES = {"Trade", "AdlTrade", "BustTrade"}
SIDES = {"Buy": Side.BUY, "Sell": Side.SELL}


@cache
def kinds() -> list[str]:
    """Return what there is in the account's topics."""
    return sorted(kind for kind in messages() if kind.split()[0] in TOPICS)


class House:
    """A stream at a server; what is sent is followed by a message that is known to be good."""

    def __init__(self) -> None:
        self.server = StreamServer()
        self.account = Account()
        self.stream = PrivateStream(
            self.server.url,
            api_key="key",
            api_secret="secret",
            assets={"BTCUSDT": "BTC"},
            listener=self.account,
            now_ms=lambda: 1_700_000_000_000,
            rng=random.Random(1),
            timing=TIMING,
        )
        self.stream.start()
        self._client = self.server.next_client()
        self.account.expect("connected")
        self._numbers = count(1)

    def dropped(self) -> int:
        """Return how much was refused so far."""
        return sum(self.stream.refused().values()) + sum(self.stream.stats().drops.values())

    def news_of(self, message: bytes) -> list[tuple]:
        """Send a message and a good one, and return what was told before the good one."""
        self._client.connection.send(message, text=True)
        told: list[tuple] = []
        while True:
            marker = f"BTC-{next(self._numbers)}-exit-1"
            with suppress(ConnectionClosed):
                self._client.send(good_order(marker))
            while (news := self.account.heard.get(timeout=WAIT_S))[0] != "lost":
                if news[0] == "order" and news[2].client_order_id == marker:
                    return told
                told.append(news)
            self._client = self.server.next_client()
            self.account.expect("connected")

    def close(self) -> None:
        closed = self.stream.close(15.0)
        self.server.stop()
        assert closed


def good_order(client_order_id: str) -> dict:
    kind = next(name for name in kinds() if name.startswith("order Sell"))
    (row,) = messages()[kind]["data"]
    return messages()[kind] | {"data": [row | {"orderLinkId": client_order_id}]}


@pytest.fixture(scope="module")
def house():
    made = House()
    yield made
    made.close()


def is_of_a_stop(row: object) -> bool:
    """Tell whether an order is one that the exchange made, of which the position tells."""
    return (
        isinstance(row, dict)
        and is_absent(row.get("orderLinkId"))
        and row.get("createType") != "CreateByUser"
    )


@examples(300)
@given(data=st.data())
def test_news_are_what_their_fields_say_or_one_counted_refusal(house, data):
    message = data.draw(mutated(messages()[data.draw(st.sampled_from(kinds()))]))
    before = house.dropped()

    heard = house.news_of(as_json(message))

    refused, told = house.dropped() - before, [news for news in heard if news[0] in TOPICS]
    topic, rows = (
        (message.get("topic"), message.get("data"))
        if is_an_object(as_json(message))
        else (None, None)
    )
    if topic not in TOPICS or not isinstance(rows, list):
        assert (refused, told) == (refused or 1, [])
        return
    waiting = deque(rows)
    for news in told:
        assert news[0] == topic
        while not is_told_of(waiting.popleft(), news):
            pass
    silent = sum(map(is_of_a_stop, rows)) if topic == "order" else 0
    assert len(told) + refused + silent >= len(rows)


@examples(100)
@given(data=st.data())
def test_damaged_bytes_cost_no_more_than_a_connection_and_are_counted(house, data):
    message = data.draw(damaged(as_json(messages()[data.draw(st.sampled_from(kinds()))])))
    before = house.dropped()

    told = house.news_of(message)

    assert house.dropped() > before or is_an_object(message)
    for news in (news for news in told if news[0] in TOPICS):
        assert any(is_told_of(row, news) for row in orjson.loads(message)["data"])


@examples(100)
@given(kind=st.sampled_from(["answer to auth", "answer to subscribe"]), data=st.data())
def test_answers_in_disorder_are_no_news(house, kind, data):
    told = house.news_of(as_json(data.draw(mutated(messages()[kind]))))

    assert [news for news in told if news[0] in TOPICS] == []


def test_what_cannot_be_read_is_told_as_such_and_no_callback_has_raised(house):
    told = house.news_of(as_json({"topic": "execution", "data": [{"symbol": "BTCUSDT"}, None]}))

    assert told == [("unreadable", "execution")] * 2
    assert "callback raised" not in house.stream.stats().drops

"""The market's and the account's streams from the server's bytes to domain values."""

import random
from decimal import Decimal

import orjson
import pytest

from domain.errors import AccessDeniedError
from domain.trading.orders import ExitReason, OrderStatus
from infra.net.pool import ConnectionPool
from infra.net.timing import StreamTiming
from infra.venues.bybit.private_stream import TOPICS, PrivateStream, login_args
from infra.venues.bybit.public_stream import PublicStream
from infra.venues.bybit.shapes.market import Ticker
from tests.venues.bybit.stream_server import (
    WAIT_S,
    Account,
    Ear,
    StreamServer,
    kline,
    ticker,
    until,
)

START = 1_672_324_800_000
CANDLE_MS = 300_000
FAST = StreamTiming(
    backoff_initial_s=0.02, backoff_max_s=0.1, tick_s=0.02, slow_retry_s=0.1, answer_s=10.0
)


@pytest.fixture
def server():
    made = StreamServer()
    yield made
    made.stop()


@pytest.fixture
def market(server):
    pool = ConnectionPool(server.url, rng=random.Random(1), timing=FAST)
    yield PublicStream(pool, candle_minutes=5)
    assert pool.close(15.0)


@pytest.fixture
def account():
    return Account()


@pytest.fixture
def private(server, account):
    made = PrivateStream(
        server.url,
        api_key="key",
        api_secret="secret",
        assets={"BTCUSDT": "BTC", "ETHUSDT": "ETH"},
        listener=account,
        now_ms=lambda: START,
        rng=random.Random(1),
        timing=FAST,
    )
    made.start()
    yield made
    assert made.close(15.0)


def push(topic, *items, **changes):
    return {"id": "1", "topic": topic, "creationTime": START, "data": list(items)} | changes


ORDER = {
    "orderId": "1",
    "symbol": "BTCUSDT",
    "category": "linear",
    "orderLinkId": "BTC-1-entry-1",
    "orderStatus": "Filled",
    "cumExecQty": "0.5",
    "updatedTime": str(START),
}
EXECUTION = {
    "symbol": "ETHUSDT",
    "category": "linear",
    "execId": "e-1",
    "execTime": str(START),
    "execType": "Trade",
    "side": "Buy",
    "execQty": "0.5",
    "execPrice": "100",
    "execFee": "0.0275",
    "orderLinkId": "",
    "createType": "CreateByStopLoss",
}


def test_a_closed_candle_reaches_its_subscriber_once(server, market):
    ear = Ear()
    market.candles(
        "BTCUSDT",
        lambda candle: ear.on_message("", candle),
        on_connected=lambda down_s: ear.on_connected("", down_s),
        on_lost=lambda reason: ear.on_lost("", reason),
    )
    client = server.next_client()
    assert client.next_request("subscribe")["args"] == ["kline.5.BTCUSDT"]

    client.send(kline(confirm=False))
    for start in (START, START, START - CANDLE_MS, START + CANDLE_MS):
        client.send(kline(start=start))

    ear.expect("connected")
    closed = [ear.expect("message")[2].open_time_ms for _ in range(2)]
    assert closed == [START, START + CANDLE_MS]
    assert market.refused() == {}


def test_prices_begin_anew_with_the_snapshot_of_the_next_connection(server, market):
    ear = Ear()
    market.tickers(
        "BTCUSDT",
        lambda found: ear.on_message("", found),
        on_lost=lambda reason: ear.on_lost("", reason),
    )
    first = server.next_client()
    first.next_request("subscribe")
    first.send(ticker(lastPrice="100", markPrice="101"))
    first.send(ticker(kind="delta", markPrice="102"))
    assert [ear.expect("message")[2].mark_price for _ in range(2)] == [101, 102]

    first.cut()
    ear.expect("lost")
    second = server.next_client()
    second.next_request("subscribe")
    second.send(ticker(kind="delta", markPrice="103"))
    second.send(ticker(lastPrice="99", markPrice="98"))

    assert ear.expect("message")[2] == Ticker(
        symbol="BTCUSDT", last_price=Decimal(99), mark_price=Decimal(98), ts_ms=START
    )


def test_a_bad_message_is_one_refusal_and_the_next_is_read(server, market):
    ear = Ear()
    market.candles("BTCUSDT", lambda candle: ear.on_message("", candle))
    market.tickers("BTCUSDT", lambda found: ear.on_message("", found))
    client = server.next_client()
    client.next_request("subscribe")
    until(lambda: len(client.requests.queue) or client.requests.empty())

    client.send(kline(open="x"))
    client.send({"topic": "kline.5.BTCUSDT", "type": "snapshot", "ts": "?", "data": []})
    client.send({"topic": "kline.5.BTCUSDT", "type": "snapshot", "ts": START, "data": {}})
    client.send({"topic": "kline.5.BTCUSDT", "type": "snapshot", "ts": START, "data": [None]})
    client.send(kline(confirm="true"))
    client.send(kline())

    assert ear.expect("message")[2].open_time_ms == START
    assert market.refused() == {"kline": 5}


def test_a_message_that_may_have_closed_a_candle_lets_candles_be_asked_for(server, market):
    ear = Ear()
    market.candles(
        "BTCUSDT",
        lambda candle: ear.on_message("", candle),
        on_connected=lambda down_s: ear.on_connected("", down_s),
    )
    client = server.next_client()
    client.next_request("subscribe")
    client.send(kline(confirm=False))
    ear.expect("connected")

    client.send(kline(confirm=False, open="x"))
    client.send(kline(open="x"))
    client.send(kline())

    assert ear.heard.get(timeout=WAIT_S) == ("connected", "", 0.0)
    assert ear.heard.get(timeout=WAIT_S)[0] == "message"


def test_the_account_is_connected_once_all_its_topics_are(server, private, account):
    client = server.next_client()
    login = client.next_request("auth")
    assert login["args"] == login_args("key", "secret", START + 10_000)
    assert client.next_request("subscribe")["args"] == list(TOPICS)

    assert account.heard.get(timeout=WAIT_S)[0] == "connected"
    client.cut()

    assert account.heard.get(timeout=WAIT_S)[0] == "lost"
    assert account.heard.get(timeout=WAIT_S)[0] == "connected"
    assert private.stats().live == set(TOPICS)
    assert account.hush() == []


def test_news_of_the_account_reach_the_listener_as_domain_values(server, private, account):
    client = server.next_client()
    account.expect("connected")

    client.send(push("order", ORDER))
    client.send(push("execution", EXECUTION, EXECUTION | {"execId": "e-2"}))
    flat = {"symbol": "BTCUSDT", "side": "", "size": "0", "markPrice": "7", "positionIdx": 0}
    client.send(push("position", flat))

    _, asset, update = account.expect("order")
    assert (asset, update.status, update.filled_qty) == ("BTC", OrderStatus.FILLED, Decimal("0.5"))
    _, asset, execution = account.expect("execution")
    assert (asset, execution.reason) == ("ETH", ExitReason.STOP_LOSS)
    assert account.expect("execution")[2].exec_id == "e-2"
    assert account.expect("position")[2].ts_ms == START
    assert private.refused() == {}


def test_what_is_not_ours_is_counted_and_what_is_bad_costs_nothing_else(server, private, account):
    client = server.next_client()
    account.expect("connected")

    client.send(push("order", ORDER | {"symbol": "XRPUSDT"}, ORDER | {"category": "spot"}))
    foreign = ORDER | {"orderLinkId": ""}
    client.send(push("order", foreign | {"createType": "CreateByUser"}))
    client.send(push("order", foreign | {"createType": "CreateByStopLoss"}))
    client.send(push("execution", EXECUTION | {"execType": "Settle"}))
    client.send(push("order", None, ORDER | {"orderStatus": "?"}, ORDER))
    client.send(push("order", ORDER, creationTime="?"))
    client.send(push("order", data="?"))
    client.send(push("position", {"symbol": "BTCUSDT"}))

    assert account.expect("order")[1] == "BTC"
    assert account.expect("order")[1] == "BTC"
    assert [account.expect("unreadable")[1] for _ in range(2)] == ["order", "position"]
    assert private.refused() == {
        "foreign": 2,
        "order without an id of ours": 1,
        "execution of another kind": 1,
        "order": 4,
        "position": 1,
    }
    assert account.hush() == []


def damaged(message):
    """Yield a message once for each of its parts and each way to spoil that part."""

    def places(value, path=()):
        steps = value.items() if isinstance(value, dict) else enumerate(value)
        for step, part in steps:
            yield (*path, step)
            if isinstance(part, dict | list):
                yield from places(part, (*path, step))

    for path in places(message):
        for junk in (None, "", "x", "NaN", -1, 1e300, [], {}, [[]], {"a": 1}, True):
            copy = orjson.loads(orjson.dumps(message))
            holder = copy
            for step in path[:-1]:
                holder = holder[step]
            holder[path[-1]] = junk
            yield copy


def test_no_damaged_example_of_the_venue_ends_a_connection(
    server, market, private, account, shared_data
):
    ear = Ear()
    client = server.next_client()
    account.expect("connected")
    market.candles("BTCUSDT", lambda candle: ear.on_message("", candle))
    market.tickers("BTCUSDT", lambda found: ear.on_message("", found))
    public = server.next_client()
    public.next_request("subscribe")

    sent = 0
    for path in sorted((shared_data / "bybit-fixtures/bybit-docs").glob("ws-*.json")):
        for message in damaged(orjson.loads(path.read_bytes())):
            client.send(message)
            public.send(message)
            sent += 1
    client.send(push("order", ORDER | {"orderLinkId": "the-last"}))
    public.send(kline(start=START + 1000 * CANDLE_MS))

    while account.expect("order")[2].client_order_id != "the-last":
        pass
    while getattr(ear.expect("message")[2], "open_time_ms", 0) != START + 1000 * CANDLE_MS:
        pass
    assert sent > 3000
    assert server.handshakes == 2
    assert "callback raised" not in private.stats().drops


def test_wrong_keys_are_told_to_the_listener(server, account):
    server.answers["auth"] = server.deny_auth
    stream = PrivateStream(
        server.url,
        api_key="key",
        api_secret="wrong",
        assets={},
        listener=account,
        now_ms=lambda: START,
        rng=random.Random(1),
        timing=FAST,
    )
    stream.start()

    assert isinstance(account.expect("denied")[2], AccessDeniedError)
    until(lambda: stream.stats().attempts >= 2)
    assert stream.stats().denied is not None
    assert b"wrong" not in orjson.dumps(repr(stream.stats()))
    assert stream.close(15.0)

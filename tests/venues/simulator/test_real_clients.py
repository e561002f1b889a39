"""pybit and ccxt, unmodified but for the address, are the judges."""

import asyncio
import queue
from collections.abc import Iterator
from decimal import localcontext

import ccxt
import ccxt.pro
import pytest
from pybit.exceptions import FailedRequestError, InvalidRequestError
from requests.exceptions import ConnectionError as RequestsConnectionError

from tests.venues.simulator.clients import (
    BTC,
    PATIENCE_S,
    Client,
    LoopWebSocket,
    eventually,
    point_ccxt,
    pybit_http,
    remembering,
)

PAIR = "BTC/USDT:USDT"
CANDLES = (301, 302)
"""Candles of the exchange: one more if one closes meanwhile."""


@pytest.fixture(autouse=True)
def _own_rounding() -> Iterator[None]:
    """Undo how ccxt lets this thread round, for the tests that follow."""
    with localcontext():
        yield


def test_pybit_reads_trades_and_looks_things_up(client: Client) -> None:
    http = pybit_http(client.sim)
    market = {"category": "linear", "symbol": BTC}

    http.set_leverage(buyLeverage="5", sellLeverage="5", **market)
    placed = http.place_order(
        side="Sell",
        orderType="Market",
        qty="0.01",
        orderLinkId="py-1",
        stopLoss=client.at("1.02"),
        takeProfit=client.at("0.95"),
        tpslMode="Full",
        **market,
    )["result"]
    client.done("py-1")

    found = http.get_order_history(orderLinkId="py-1", **market)["result"]["list"]
    assert [order["orderId"] for order in found] == [placed["orderId"]]
    assert http.get_positions(**market)["result"]["list"][0]["leverage"] == "5"
    assert len(http.get_open_orders(**market)["result"]["list"]) == 2
    assert len(http.get_kline(interval="5", limit=1000, **market)["result"]["list"]) in CANDLES
    assert http.get_wallet_balance(accountType="UNIFIED")["result"]["list"][0]["coin"]
    with pytest.raises(InvalidRequestError, match="OrderLinkedID is duplicate"):
        http.place_order(side="Sell", orderType="Market", qty="0.01", orderLinkId="py-1", **market)


def test_pybit_streams_subscribe_and_hear_of_an_order(client: Client) -> None:
    sim = client.sim
    private = LoopWebSocket(
        "private", sim.ws_url, api_key=sim.keys.api_key, api_secret=sim.keys.api_secret
    )
    public = LoopWebSocket("linear", sim.ws_url)
    heard, remember = remembering()
    private.order_stream(remember)
    private.execution_stream(remember)
    private.position_stream(remember)
    private.wallet_stream(remember)
    candles, remember_candle = remembering()
    public.kline_stream(5, BTC, remember_candle)
    public.ticker_stream(BTC, lambda _: None)
    eventually(client.state, lambda s: sum(len(x["topics"]) for x in s["streams"]) == 6)

    client.order("Sell", "0.01", orderLinkId="py-2")

    topics = set()
    while topics != {"order", "execution", "position", "wallet"}:
        topics.add(heard.get(timeout=PATIENCE_S)["topic"])
    assert candles.get(timeout=PATIENCE_S)["topic"] == f"kline.5.{BTC}"
    private.exit()
    public.exit()


def test_pybit_streams_come_back_after_a_cut(client: Client) -> None:
    public = LoopWebSocket("linear", client.sim.ws_url)
    heard: queue.Queue = queue.Queue()
    public.kline_stream(5, BTC, heard.put)
    heard.get(timeout=PATIENCE_S)

    client.control("faults", kind="cut", path="/v5/public")
    eventually(client.state, lambda s: s["faults"][0]["fired"] == 1)
    while not heard.empty():
        heard.get()

    assert heard.get(timeout=PATIENCE_S)["topic"] == f"kline.5.{BTC}"
    public.exit()


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "answer_lost"}, RequestsConnectionError),
        ({"kind": "unreadable_body"}, FailedRequestError),
        ({"kind": "http_status", "status": 502, "processed": True}, FailedRequestError),
        ({"kind": "ret_code", "code": 10016, "processed": True}, InvalidRequestError),
    ],
)
def test_pybit_fails_as_it_was_measured_and_the_order_exists(
    client: Client, fault: dict, error: type[Exception]
) -> None:
    http = pybit_http(client.sim)
    client.control("faults", **fault)

    with pytest.raises(error):
        http.place_order(
            category="linear",
            symbol=BTC,
            side="Sell",
            orderType="Market",
            qty="0.01",
            orderLinkId="f",
        )

    assert client.done("f")["orderStatus"] == "Filled"
    assert len(client.records()["orders"]) == 1


def test_ccxt_loads_markets_trades_and_reads_everything(client: Client) -> None:
    keys = client.sim.keys
    exchange = point_ccxt(
        ccxt.bybit({"apiKey": keys.api_key, "secret": keys.api_secret, "enableRateLimit": False}),
        client.sim,
    )
    exchange.session.trust_env = False
    markets = exchange.load_markets()
    last = float(client.last())

    order = exchange.create_order(
        PAIR,
        "market",
        "sell",
        0.05,
        params={
            "stopLoss": {"triggerPrice": last * 1.02},
            "takeProfit": {"triggerPrice": last * 0.95},
            "clientOrderId": "cx-1",
        },
    )
    client.done("cx-1")

    assert set(markets) == {PAIR, "ETH/USDT:USDT", "SOL/USDT:USDT"}
    position = exchange.fetch_position(PAIR)
    assert (position["side"], position["contracts"]) == ("short", 0.05)
    assert len(exchange.fetch_open_orders(PAIR)) == 2
    assert exchange.fetch_closed_orders(PAIR)[0]["id"] == order["id"]
    assert exchange.fetch_my_trades(PAIR)[0]["order"] == order["id"]
    assert exchange.fetch_balance()["USDT"]["total"] < 10_000
    assert len(exchange.fetch_ohlcv(PAIR, "5m", limit=1000)) in CANDLES
    with pytest.raises(ccxt.NoChange):
        exchange.set_position_mode(hedged=False, symbol=PAIR)


def test_ccxt_pro_watches_candles_and_private_news(client: Client) -> None:
    keys = client.sim.keys

    async def watch() -> list:
        exchange = point_ccxt(
            ccxt.pro.bybit(
                {"apiKey": keys.api_key, "secret": keys.api_secret, "enableRateLimit": False}
            ),
            client.sim,
        )
        try:
            await exchange.load_markets()
            candles = await exchange.watch_ohlcv(PAIR, "5m")
            ticker = await exchange.watch_ticker(PAIR)
            waiting = [
                asyncio.create_task(exchange.watch_orders(PAIR)),
                asyncio.create_task(exchange.watch_my_trades(PAIR)),
                asyncio.create_task(exchange.watch_balance()),
            ]
            topics = {"order", "execution", "wallet"}
            await asyncio.to_thread(
                eventually,
                client.state,
                lambda s: any(topics <= set(stream["topics"]) for stream in s["streams"]),
            )
            await exchange.create_order(PAIR, "market", "sell", 0.05)
            return [candles, ticker, *await asyncio.gather(*waiting)]
        finally:
            await exchange.close()

    candles, ticker, orders, trades, balance = asyncio.run(asyncio.wait_for(watch(), 30))

    assert candles[-1][4] > 0
    assert ticker["last"] > 0
    assert orders[0]["status"] == "closed"
    assert trades[0]["amount"] == 0.05
    assert balance["USDT"]["total"] < 10_000

"""What the simulated exchange really sends: a body of each path, a message of each topic."""

from functools import cache
from typing import Any

import orjson

from tests.venues.bybit.stream_server import SHARED
from tests.venues.simulator.clients import BTC, Client, Listener, eventually, running

START_MS = 1_700_000_000_000
LINK_ID = "BTC-1700000000-entry-1"
Recorded = dict[str, Any]


@cache
def answers() -> Recorded:
    """Return an envelope of each path, as it is while a position is open."""
    return _record()[0]


@cache
def messages() -> Recorded:
    """Return a message of each topic, answers to requests included, by its name.

    The venue's own examples are among them where they are at hand.
    """
    documents = sorted((SHARED / "bybit-fixtures/bybit-docs").glob("ws-*.json"))
    examples = [orjson.loads(path.read_bytes()) for path in documents]
    of_topics = [message for message in examples if "topic" in message]
    named = {f"{m['topic']} documented {place}": m for place, m in enumerate(of_topics)}
    return _record()[1] | named


@cache
def _record() -> tuple[Recorded, Recorded]:
    with running(start_ms=START_MS) as client:
        private = Listener(client, "/v5/private", "order", "execution", "position", "wallet")
        bodies = _bodies(client)
        closing = client.order("Buy", "0.01", reduceOnly=True, orderLinkId="BTC-1700000300-exit-1")
        assert closing["retCode"] == 0, closing
        private.rows("execution", lambda row: row["side"] == "Buy")
        private.rows("position", lambda row: row["size"] == "0")
        private.close()
    # Requests that are signed cannot be in time at an exchange that runs so fast.
    with running(start_ms=START_MS, speed=500.0) as client:
        public = Listener(client, "/v5/public/linear", f"kline.5.{BTC}", f"tickers.{BTC}")
        public.rows(f"kline.5.{BTC}", lambda row: row["confirm"])
        public.close()
    return bodies, _by_kind([*public.heard, *private.heard])


def _bodies(client: Client) -> Recorded:
    created = client.order(
        "Sell",
        "0.01",
        orderLinkId=LINK_ID,
        stopLoss=client.at("1.02"),
        takeProfit=client.at("0.95"),
    )
    assert created["retCode"] == 0, created
    eventually(client.position, lambda row: row["side"] == "Sell")
    since_ms = client.public("/v5/market/time")["time"] - 3_600_000
    client.control("transfer", amount="50")
    public = {
        "/v5/market/time": {},
        "/v5/market/instruments-info": {"symbol": BTC},
        "/v5/market/kline": {"symbol": BTC, "interval": "5", "limit": 5},
        "/v5/market/tickers": {"symbol": BTC},
        "/v5/market/funding/history": {"symbol": BTC, "limit": 3},
        "/v5/market/risk-limit": {"symbol": BTC},
    }
    private = {
        "/v5/order/realtime": {"symbol": BTC, "orderFilter": "StopOrder"},
        "/v5/order/history": {"symbol": BTC, "orderLinkId": LINK_ID},
        "/v5/execution/list": {"symbol": BTC, "startTime": since_ms},
        "/v5/position/list": {"symbol": BTC},
        "/v5/account/info": {},
        "/v5/account/wallet-balance": {"accountType": "UNIFIED", "coin": "USDT"},
        "/v5/account/fee-rate": {"symbol": BTC},
        "/v5/account/transaction-log": {"accountType": "UNIFIED", "currency": "USDT"},
        "/v5/user/query-api": {},
    }
    found = {"/v5/order/create": created}
    for path, query in public.items():
        found[path] = client.public(path, category="linear", **query)
    for path, query in private.items():
        found[path] = client.get(path, **query)
    for path, answer in found.items():
        assert answer["retCode"] == 0, (path, answer)
    return found


def _by_kind(heard: list[dict[str, Any]]) -> Recorded:
    """Return the newest message of each kind, of executions and orders one of each side."""
    found: Recorded = {}
    for message in heard:
        topic, data = message.get("topic"), message.get("data")
        if topic is None:
            found[f"answer to {message.get('op')}"] = message
        elif isinstance(data, list) and topic in {"order", "execution"}:
            found[f"{topic} {data[0]['side']} {data[0].get('orderStatus', '')}".rstrip()] = message
        elif topic.startswith("kline"):
            found[f"kline {'closed' if data[0]['confirm'] else 'open'}"] = message
        else:
            found[f"{topic} {message.get('type', '')}".rstrip()] = message
    return found

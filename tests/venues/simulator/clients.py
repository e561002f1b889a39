"""Clients of the simulated exchange: our own raw one, and the real ones pointed at it."""

import hashlib
import hmac
import json
import queue
import threading
import time
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from urllib.parse import urlencode

import requests
from pybit.unified_trading import HTTP, WebSocket
from websockets.sync.client import connect

from infra.settings import load_settings
from infra.venues.simulator.exchange import SimulatedExchange
from infra.venues.simulator.options import SimulatorOptions
from infra.venues.simulator.shapes.text import text

RULES = load_settings(None, environ={}, dotenv=None).trading_rules()
INSTRUMENTS = [asset.instrument for asset in RULES.assets]
BTC = "BTCUSDT"
PATIENCE_S = 30


def options(**more) -> SimulatorOptions:
    given = {"instruments": INSTRUMENTS, "fills": RULES.fills, "history": 300, "seed": 7}
    return SimulatorOptions(**(given | more))


def eventually(ask, until=bool):
    """Ask again and again until the answer will do."""
    ends_s = time.monotonic() + PATIENCE_S
    while not until(answer := ask()):
        assert time.monotonic() < ends_s, f"the last answer was {answer}"
        threading.Event().wait(0.01)
    return answer


class Client:
    """Signs and sends requests; says nothing of what they mean."""

    def __init__(self, sim: SimulatedExchange) -> None:
        self.sim = sim
        self.session = requests.Session()
        self.session.trust_env = False

    def signed(self, payload: str, *, stamp_ms: int | None = None, **wrong) -> dict[str, str]:
        stamp = str(stamp_ms or self.public("/v5/market/time")["time"])
        key, secret = self.sim.keys.api_key, self.sim.keys.api_secret
        message = f"{stamp}{key}5000{payload}"
        sign = hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()
        return {
            "X-BAPI-API-KEY": key,
            "X-BAPI-SIGN": sign,
            "X-BAPI-TIMESTAMP": stamp,
            "X-BAPI-RECV-WINDOW": "5000",
        } | wrong

    def public(self, path: str, **params) -> dict:
        return self.session.get(self.sim.base_url + path, params=params, timeout=10).json()

    def get_raw(self, path: str, *, stamp_ms=None, wrong=None, **params) -> requests.Response:
        query = urlencode(params)
        headers = self.signed(query, stamp_ms=stamp_ms, **(wrong or {}))
        return self.session.get(f"{self.sim.base_url}{path}?{query}", headers=headers, timeout=10)

    def get(self, path: str, **params) -> dict:
        return self.get_raw(path, category="linear", **params).json()

    def post_raw(self, path: str, timeout_s: float = 10, **body) -> requests.Response:
        text = json.dumps({"category": "linear", **body})
        return self.session.post(
            self.sim.base_url + path, data=text, headers=self.signed(text), timeout=timeout_s
        )

    def post(self, path: str, **body) -> dict:
        return self.post_raw(path, **body).json()

    def control(self, path: str, /, **body) -> dict:
        return self.session.post(f"{self.sim.base_url}/sim/{path}", json=body, timeout=10).json()

    def state(self) -> dict:
        return self.session.get(f"{self.sim.base_url}/sim/state", timeout=10).json()

    def records(self) -> dict:
        return self.session.get(f"{self.sim.base_url}/sim/records", timeout=10).json()

    # Words of the trade.

    def last(self, symbol: str = BTC) -> Decimal:
        return Decimal(self.state()["prices"][symbol]["last"])

    def at(self, factor: str, symbol: str = BTC) -> str:
        """Return a multiple of the last price, on the tick, as the exchange writes it."""
        tick = next(i.tick_size for i in INSTRUMENTS if i.symbol == symbol)
        return text((self.last(symbol) * Decimal(factor)).quantize(tick))

    def order(self, side: str, qty: str, **more) -> dict:
        body = {"symbol": BTC, "side": side, "orderType": "Market", "qty": qty}
        return self.post("/v5/order/create", **(body | more))

    def short(self, qty: str = "0.01", **more) -> dict:
        """Open a short with both stops, and wait until it stands."""
        levels = {"stopLoss": self.at("1.02"), "takeProfit": self.at("0.95")}
        answer = self.order("Sell", qty, **(levels | more))
        assert answer["retCode"] == 0, answer
        eventually(self.position, lambda row: row["side"] == "Sell")
        return answer["result"]

    def position(self, symbol: str = BTC) -> dict:
        return self.get("/v5/position/list", symbol=symbol)["result"]["list"][0]

    def open_orders(self, **more) -> list[dict]:
        return self.get("/v5/order/realtime", symbol=BTC, **more)["result"]["list"]

    def history(self, **more) -> list[dict]:
        return self.get("/v5/order/history", symbol=BTC, **more)["result"].get("list", [])

    def executions(self, **more) -> list[dict]:
        return self.get("/v5/execution/list", symbol=BTC, **more)["result"]["list"]

    def done(self, link_id: str) -> dict:
        """Return an order once it has ended."""
        rows = eventually(lambda: self.history(orderLinkId=link_id))
        return rows[0]


@contextmanager
def running(**more):
    """Yield a client of a fresh exchange."""
    with SimulatedExchange(options(**more)) as sim:
        yield Client(sim)


class Listener:
    """A stream that remembers what it heard."""

    def __init__(self, client: Client, path: str, *topics: str) -> None:
        self._stack = ExitStack()
        self.socket = self._stack.enter_context(connect(client.sim.ws_url + path, proxy=None))
        self.heard: list[dict] = []
        if path.endswith("private"):
            keys, expires = client.sim.keys, client.public("/v5/market/time")["time"] + 10_000
            sign = keys.sign(f"GET/realtime{expires}")
            self.send(op="auth", args=[keys.api_key, expires, sign])
            assert self.next(lambda m: m.get("op") == "auth")["success"]
        if topics:
            self.send(op="subscribe", args=list(topics), req_id="s1")
            assert self.next(lambda m: m.get("op") == "subscribe")["success"]
            eventually(
                client.state, lambda s: any(set(topics) <= set(x["topics"]) for x in s["streams"])
            )

    def send(self, **message) -> None:
        self.socket.send(json.dumps(message))

    def receive(self, timeout_s: float = PATIENCE_S) -> dict:
        message = json.loads(self.socket.recv(timeout=timeout_s))
        self.heard.append(message)
        return message

    def next(self, is_meant) -> dict:
        while True:
            message = self.receive()
            if is_meant(message):
                return message

    def rows(self, topic: str, is_meant=lambda _: True) -> dict:
        """Return the next row of a topic that is meant."""
        while True:
            message = self.next(lambda m: m.get("topic") == topic)
            data = message["data"]
            for row in data if isinstance(data, list) else [data]:
                if is_meant(row):
                    return row

    def close(self) -> None:
        self._stack.close()


def pybit_http(sim: SimulatedExchange, **more) -> HTTP:
    http = HTTP(api_key=sim.keys.api_key, api_secret=sim.keys.api_secret, **more)
    http.endpoint = sim.base_url
    http.client.trust_env = False
    return http


class LoopWebSocket(WebSocket):
    """pybit's stream, with nothing changed but the address."""

    def __init__(self, channel_type, base, **more):
        self.base = base
        super().__init__(channel_type, testnet=False, **more)

    def _connect(self, url):
        super()._connect(f"{self.base}/v5/{url.split('/v5/', 1)[1]}")


def point_ccxt(client, sim: SimulatedExchange):
    """Give a ccxt client the exchange's address."""
    client.urls["api"] = dict.fromkeys(("spot", "futures", "v2", "public", "private"), sim.base_url)
    public, private = f"{sim.ws_url}/v5/public/linear", f"{sim.ws_url}/v5/private"
    client.urls["api"]["ws"] = {
        "public": dict.fromkeys(("linear", "spot", "inverse", "option"), public),
        "private": {"spot": {"unified": private}, "contract": private, "trade": private},
    }
    return client


def remembering() -> tuple[queue.Queue, object]:
    """Return a queue and the callback that fills it."""
    heard: queue.Queue = queue.Queue()
    return heard, heard.put

"""Batches, order entry by WebSocket, absent clients, and what an order may ask beside its price."""

import json
from decimal import Decimal

import pytest
import websocket

from tests.venues.simulator.clients import BTC, Client, Listener, eventually, running

BATCH = "/v5/order/{}-batch"
LIMIT = {"symbol": BTC, "side": "Buy", "orderType": "Limit", "qty": "0.01"}


def codes(answer: dict) -> list[int]:
    return [note["code"] for note in answer["retExtInfo"]["list"]]


def test_each_order_of_a_batch_is_accepted_or_refused_by_itself(client: Client) -> None:
    low = client.at("0.97")
    rows = [
        {**LIMIT, "price": low, "orderLinkId": "a"},
        {**LIMIT, "price": low, "orderLinkId": "a"},
        {**LIMIT, "price": low, "qty": "0.0001", "orderLinkId": "c"},
        {**LIMIT, "price": low, "orderLinkId": "d", "symbol": "NOUSDT"},
    ]

    made = client.post(BATCH.format("create"), request=rows)
    lower = client.at("0.96")
    moved = client.post(
        BATCH.format("amend"), request=[{"symbol": BTC, "orderLinkId": "a", "price": lower}]
    )
    shown = client.open_orders()
    ended = client.post(
        BATCH.format("cancel"),
        request=[{"symbol": BTC, "orderLinkId": "a"}, {"symbol": BTC, "orderLinkId": "b"}],
    )

    assert (made["retCode"], codes(made)) == (0, [0, 110072, 10001, 10001])
    first, second = made["result"]["list"][:2]
    assert first["orderId"]
    assert first["createAt"]
    assert second == {
        "category": "linear",
        "symbol": BTC,
        "orderId": "",
        "orderLinkId": "a",
        "createAt": "",
    }
    assert [row["price"] for row in shown] == [lower]
    assert (codes(moved), codes(ended)) == ([0], [0, 110001])
    assert client.open_orders() == []


@pytest.mark.parametrize("rows", [None, [], [{}] * 21, ["x"], "x"])
def test_a_batch_that_is_none_is_refused(client: Client, rows: object) -> None:
    assert client.post(BATCH.format("create"), request=rows)["retCode"] == 10001


class Session:
    """A client of /v5/trade."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.socket = websocket.create_connection(f"{client.sim.ws_url}/v5/trade", timeout=10)

    def ask(self, **message: object) -> dict:
        self.socket.send(json.dumps(message))
        return json.loads(self.socket.recv())

    def enter(self) -> dict:
        keys, expires = self.client.sim.keys, self.now() + 10_000
        return self.ask(
            op="auth", args=[keys.api_key, expires, keys.sign(f"GET/realtime{expires}")]
        )

    def now(self) -> int:
        return self.client.public("/v5/market/time")["time"]

    def order(self, what: str, number: str = "", off_ms: int = 0, **args: object) -> dict:
        header = {"X-BAPI-TIMESTAMP": str(self.now() + off_ms), "X-BAPI-RECV-WINDOW": "5000"}
        more = {"reqId": number} if number else {}
        args = {"category": "linear"} | args
        return self.ask(op=f"order.{what}", header=header, args=[args], **more)


@pytest.fixture
def session(client: Client):
    made = Session(client)
    assert made.enter()["retCode"] == 0
    yield made
    made.socket.shutdown()


def test_orders_are_created_amended_and_canceled_by_websocket(session: Session) -> None:
    client = session.client
    prices = [client.at("0.97"), client.at("0.96")]

    made = session.order("create", "r-1", **LIMIT, price=prices[0], orderLinkId="w")
    moved = session.order("amend", "r-2", symbol=BTC, orderLinkId="w", price=prices[1])
    row = client.open_orders()[0]
    ended = session.order("cancel", "r-3", symbol=BTC, orderLinkId="w")
    batch = session.order("create-batch", "r-4", request=[{**LIMIT, "price": prices[0]}])

    assert (made["reqId"], made["retCode"], made["op"]) == ("r-1", 0, "order.create")
    assert made["data"]["orderId"] == row["orderId"]
    assert made["header"]["X-Bapi-Limit"] == "10"
    assert (moved["retCode"], row["price"], ended["retCode"]) == (0, prices[1], 0)
    assert batch["retExtInfo"]["list"] == [{"code": 0, "msg": "OK"}]
    assert session.ask(op="ping")["op"] == "pong"


def test_a_session_refuses_what_it_cannot_do(session: Session) -> None:
    tiny = {**LIMIT, "price": "1", "qty": "0"}

    answers = [
        session.order("create", "same", **tiny),
        session.order("create", "same", **tiny),
        session.order("create", off_ms=-9_000, **tiny),
        session.order("create", **{**tiny, "category": "spot"}),
        session.order("nothing"),
        session.enter(),
    ]

    assert [a["retCode"] for a in answers] == [10001, 20006, 10002, 10404, 10404, 20001]
    assert "reqId" not in answers[2]


def test_a_session_needs_a_login(client: Client) -> None:
    stranger = Session(client)

    refused = stranger.order("create", **LIMIT, price="1")
    wrong = stranger.ask(op="auth", args=["key", 1, "sign"])

    assert (refused["retCode"], wrong["retCode"]) == (10005, 10004)
    assert client.records()["orders"] == []
    stranger.socket.shutdown()


def test_both_ways_share_one_rate_limit(session: Session) -> None:
    answers = [session.order("cancel", symbol=BTC)["retCode"] for _ in range(11)]

    assert answers == [10001] * 10 + [10006]
    assert session.client.post("/v5/order/cancel", symbol=BTC)["retCode"] == 10006


def test_orders_of_a_client_that_stays_away_are_canceled_and_stops_are_not(client: Client) -> None:
    client.short()
    client.order("Buy", "0.01", orderType="Limit", price=client.at("0.97"), orderLinkId="l")
    assert (
        client.post("/v5/order/disconnected-cancel-all", product="DERIVATIVES", timeWindow=3)[
            "retCode"
        ]
        == 0
    )
    watch, other = (Listener(client, "/v5/private", "dcp.future") for _ in range(2))

    other.close()
    watch.close()

    order = client.done("l")
    assert order["cancelType"] == "CancelByDCP"
    assert {row["stopOrderType"] for row in client.open_orders()} == {"StopLoss", "TakeProfit"}
    info = client.get("/v5/account/query-dcp-info")["result"]["dcpInfos"]
    assert info == [{"product": "DERIVATIVES", "dcpStatus": "ON", "timeWindow": "3"}]


@pytest.mark.parametrize("wrong", [{"timeWindow": 2}, {"timeWindow": 301}, {"product": "SPOT"}])
def test_an_absence_that_cannot_be_watched_is_refused(client: Client, wrong: dict) -> None:
    body = {"product": "DERIVATIVES", "timeWindow": 10} | wrong

    assert client.post("/v5/order/disconnected-cancel-all", **body)["retCode"] == 10001


def test_margin_is_added_to_an_isolated_position_until_it_is_closed(tmp_path) -> None:
    path, given = "/v5/position/add-margin", {"speed": None, "state": tmp_path / "state"}
    with running(**given) as client:
        crossed = client.post(path, symbol=BTC, margin="10")
        client.post("/v5/account/set-margin-mode", setMarginMode="ISOLATED_MARGIN")
        flat = client.post(path, symbol=BTC, margin="10")
        client.order("Buy", "0.02")
        before = Decimal(client.position()["liqPrice"])
        added = client.post(path, symbol=BTC, margin="20")["result"]
        too_much = client.post(path, symbol=BTC, margin="-21")["retCode"]

    with running(**given) as client:
        after = Decimal(client.position()["liqPrice"])
        client.order("Sell", "0.02", reduceOnly=True)
        client.order("Buy", "0.02")
        again = Decimal(client.position()["liqPrice"])

    assert (crossed["retCode"], flat["retCode"], too_much) == (110015, 110033, 110078)
    assert Decimal(added["liqPrice"]) == after == before - 1_000
    assert again == pytest.approx(before, rel=Decimal("0.001"))


def test_an_order_is_checked_before_it_is_sent(client: Client) -> None:
    body = {"symbol": BTC, "side": "Buy", "orderType": "Market", "qty": "0.5"}

    found = client.post("/v5/order/pre-check", **body)["result"]

    assert (found["preImrE4"], found["preMmrE4"]) == (0, 0)
    assert found["postImrE4"] > found["postMmrE4"] > 0
    assert client.records()["orders"] == []


def test_the_price_limits_are_those_that_orders_are_held_to(client: Client) -> None:
    found = client.public("/v5/market/price-limit", symbol=BTC)["result"]

    over = client.order("Buy", "0.01", orderType="Limit", price=str(Decimal(found["buyLmt"]) + 50))

    assert over["retCode"] == 110003
    assert Decimal(found["sellLmt"]) < client.last() < Decimal(found["buyLmt"])


@pytest.mark.parametrize(
    ("kind", "tolerance", "status"),
    [("TickSize", "1", "Cancelled"), ("TickSize", "2000", "Filled"), ("Percent", "0.5", "Filled")],
)
def test_a_market_order_fills_within_its_slippage_tolerance_or_not_at_all(
    client: Client, kind: str, tolerance: str, status: str
) -> None:
    more = {"slippageToleranceType": kind, "slippageTolerance": tolerance}

    client.order("Sell", "0.01", orderLinkId="s", **more)

    order = client.done("s")
    assert (order["orderStatus"], order["slippageToleranceType"]) == (status, kind)
    assert order["slippageTolerance"] == tolerance


@pytest.mark.parametrize(
    "wrong",
    [
        {"slippageTolerance": "1"},
        {"slippageToleranceType": "Percent"},
        {"slippageToleranceType": "Percent", "slippageTolerance": "11"},
        {"slippageToleranceType": "TickSize", "slippageTolerance": "1.5"},
        {"slippageToleranceType": "TickSize", "slippageTolerance": "1", "stopLoss": "99999"},
    ],
)
def test_a_tolerance_that_cannot_be_is_refused(client: Client, wrong: dict) -> None:
    levels = {"stopLoss": client.at("1.02")} if "stopLoss" in wrong else {}

    assert client.order("Sell", "0.01", **(wrong | levels))["retCode"] == 10001


def test_what_an_order_asks_of_its_matching_is_shown(client: Client) -> None:
    client.order("Sell", "0.01", orderLinkId="s", smpType="CancelBoth", rpiTakerAccess=True)

    order = eventually(lambda: client.history(orderLinkId="s"))[0]
    assert (order["smpType"], order["rpiTakerAccess"]) == ("CancelBoth", True)

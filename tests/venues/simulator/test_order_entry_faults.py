"""Order entry by WebSocket, when requests or answers are lost, late or spoiled."""

import json
from collections.abc import Iterator

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.venues.simulator.clients import BTC, PATIENCE_S, Client, Listener

TRADE = "/v5/trade"


@pytest.fixture
def entry(client: Client) -> Iterator[ClientConnection]:
    with connect(client.sim.ws_url + TRADE, proxy=None) as socket:
        keys, expires = client.sim.keys, client.public("/v5/market/time")["time"] + 10_000
        sign = keys.sign(f"GET/realtime{expires}")
        socket.send(json.dumps({"op": "auth", "args": [keys.api_key, expires, sign]}))
        assert json.loads(socket.recv(PATIENCE_S))["retCode"] == 0
        yield socket


def create(client: Client, socket: ClientConnection, name: str) -> str | bytes:
    """Ask for an order, and return the answer as it came."""
    body = {"category": "linear", "symbol": BTC, "side": "Buy", "orderType": "Market"}
    header = {"X-BAPI-TIMESTAMP": str(client.public("/v5/market/time")["time"])}
    args = [{**body, "qty": "0.01", "orderLinkId": name}]
    socket.send(json.dumps({"op": "order.create", "reqId": name, "header": header, "args": args}))
    return socket.recv(PATIENCE_S)


@pytest.mark.parametrize("path", [{"path": TRADE}, {}], ids=["by stream", "by request"])
@pytest.mark.parametrize(("kind", "is_done"), [("answer_lost", True), ("request_lost", False)])
def test_the_connection_drops_before_or_after_the_order_is_there(
    client: Client, entry: ClientConnection, kind: str, is_done: bool, path: dict
) -> None:
    client.control("faults", kind=kind, **path)

    with pytest.raises(ConnectionClosed):
        create(client, entry, "a")

    assert [row["orderLinkId"] for row in client.records()["orders"]] == ["a"] * is_done


@pytest.mark.parametrize("processed", [True, False])
def test_a_code_in_the_answers_place_says_nothing_of_the_order(
    client: Client, entry: ClientConnection, processed: bool
) -> None:
    client.control("faults", kind="ret_code", path=TRADE, code=10016, processed=processed)

    answer = json.loads(create(client, entry, "a"))

    assert (answer["retCode"], answer["reqId"]) == (10016, "a")
    assert len(client.records()["orders"]) == processed
    assert json.loads(create(client, entry, "b"))["retCode"] == 0


def test_an_answer_that_is_no_json_comes_of_an_order_that_is_there(
    client: Client, entry: ClientConnection
) -> None:
    client.control("faults", kind="unreadable_body", path=TRADE)

    answer = create(client, entry, "a")

    with pytest.raises(ValueError, match="Expecting value"):
        json.loads(answer)
    assert client.done("a")["orderStatus"] == "Filled"


def test_faults_of_order_entry_leave_rest_and_other_streams_alone(
    client: Client, entry: ClientConnection
) -> None:
    stream = Listener(client, "/v5/public/linear", f"tickers.{BTC}")
    client.control("faults", kind="answer_lost", path=TRADE)
    client.control("faults", kind="cut", path=TRADE)

    with pytest.raises(ConnectionClosed):
        entry.recv(PATIENCE_S)

    assert client.order("Buy", "0.01")["retCode"] == 0
    stream.send(op="ping")
    assert stream.next(lambda message: message.get("op") == "ping")["success"]
    stream.close()


def test_a_handshake_of_order_entry_is_refused(client: Client) -> None:
    client.control("faults", kind="http_status", path=TRADE, status=503)

    with pytest.raises(InvalidStatus), connect(client.sim.ws_url + TRADE, proxy=None):
        pass

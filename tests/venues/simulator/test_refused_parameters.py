"""What the exchange documents and does not simulate is refused, never accepted in silence."""

import pytest

from tests.venues.simulator.clients import BTC, Client, eventually

CREATE, AMEND, STOP = "/v5/order/create", "/v5/order/amend", "/v5/position/trading-stop"
LIMITED = {"tpLimitPrice": "1", "slLimitPrice": "1", "tpOrderType": "Limit", "slOrderType": "Limit"}
BEST = {"bboSideType": "Queue", "bboLevel": "1", "timeInForce": "RPI"}


@pytest.mark.parametrize(("name", "value"), [*LIMITED.items(), *BEST.items()])
def test_an_order_that_asks_for_more_than_is_simulated_is_refused(
    client: Client, name: str, value: str
) -> None:
    answer = client.order("Sell", "0.01", **{name: value})

    assert (answer["retCode"], name in answer["retMsg"]) == (10001, True)
    assert client.records()["orders"] == []


@pytest.mark.parametrize(("name", "value"), [*LIMITED.items()])
def test_a_stop_that_asks_for_more_than_is_simulated_changes_nothing(
    client: Client, name: str, value: str
) -> None:
    client.short()
    before = client.position()["stopLoss"]
    body = {"symbol": BTC, "tpslMode": "Full", "positionIdx": 0, "stopLoss": client.at("1.03")}

    answer = client.post(STOP, **(body | {name: value}))

    assert (answer["retCode"], name in answer["retMsg"]) == (10001, True)
    assert client.position()["stopLoss"] == before


def test_a_direction_without_a_trigger_is_no_order_at_once(client: Client) -> None:
    answer = client.order("Sell", "0.01", triggerDirection=2)

    assert (answer["retCode"], "triggerPrice" in answer["retMsg"]) == (10001, True)
    assert client.records()["orders"] == []


def test_what_asks_for_nothing_and_names_that_nobody_knows_are_accepted(client: Client) -> None:
    nothing = {"tpOrderType": "Market", "smpType": "None", "rpiTakerAccess": False, "bboLevel": ""}

    answer = client.order("Sell", "0.01", **nothing, isLeverage=1, ofNobody="x")

    assert answer["retCode"] == 0


def test_an_amended_entry_brings_the_stops_that_it_was_amended_to(client: Client) -> None:
    entry = {"orderType": "Limit", "orderLinkId": "l", "price": client.at("0.97")}
    client.order("Buy", "0.01", **entry, stopLoss=client.at("0.9"), takeProfit=client.at("1.1"))
    eventually(client.open_orders)
    stop = client.at("0.94")

    moved = client.post(AMEND, symbol=BTC, orderLinkId="l", stopLoss=stop, takeProfit="0")
    row = client.open_orders()[0]
    client.control("price", symbol=BTC, factor="0.965")
    eventually(client.position, lambda position: position["side"] == "Buy")

    assert moved["retCode"] == 0
    assert (row["stopLoss"], row["takeProfit"]) == (stop, "")
    assert (client.position()["stopLoss"], client.position()["takeProfit"]) == (stop, "")


@pytest.mark.parametrize("wrong", [{"stopLoss": "1.2"}, {"takeProfit": "0.8"}])
def test_an_entry_is_not_amended_to_a_stop_on_the_wrong_side(client: Client, wrong: dict) -> None:
    client.order("Buy", "0.01", orderType="Limit", orderLinkId="l", price=client.at("0.97"))
    eventually(client.open_orders)

    levels = {name: client.at(factor) for name, factor in wrong.items()}
    answer = client.post(AMEND, symbol=BTC, orderLinkId="l", **levels)

    assert answer["retCode"] == 10001
    assert (client.open_orders()[0]["stopLoss"], client.open_orders()[0]["takeProfit"]) == ("", "")


def test_cancel_all_leaves_the_position_its_stops_where_only_conditional_orders_are_meant(
    client: Client,
) -> None:
    client.short()
    client.order("Buy", "0.01", triggerPrice=client.at("1.01"), triggerDirection=1)
    eventually(client.open_orders, lambda rows: len(rows) == 3)
    kinds = {"symbol": BTC, "orderFilter": "StopOrder", "stopOrderType": "Stop"}

    ended = client.post("/v5/order/cancel-all", **kinds)["result"]["list"]

    assert len(ended) == 1
    assert {row["stopOrderType"] for row in client.open_orders()} == {"StopLoss", "TakeProfit"}


def test_executions_are_found_by_coin(client: Client) -> None:
    client.short()

    assert client.get("/v5/execution/list", baseCoin="BTC")["result"]["list"]
    assert not client.get("/v5/execution/list", baseCoin="ETH")["result"]["list"]
    assert not client.get("/v5/execution/list", settleCoin="USDC")["result"]["list"]


def test_the_transaction_log_is_filtered_as_asked(client: Client) -> None:
    client.short()
    client.control("transfer", amount="5")

    def found(**asked: str) -> set[str]:
        path = "/v5/account/transaction-log"
        rows = client.get_raw(path, accountType="UNIFIED", **asked).json()["result"]["list"]
        return {row["type"] for row in rows}

    assert found() == {"TRADE", "TRANSFER_IN"}
    assert found(category="linear") == found(baseCoin="BTC") == {"TRADE"}
    assert found(currency="USDC") == found(baseCoin="ETH") == found(transSubType="movePosition")
    assert found(currency="USDC") == set()


def test_positions_come_page_by_page(client: Client) -> None:
    for symbol, qty in ((BTC, "0.01"), ("ETHUSDT", "0.1"), ("SOLUSDT", "1")):
        client.order("Buy", qty, symbol=symbol)
    eventually(client.state, lambda found: len(found["positions"]) == 3)

    first = client.get("/v5/position/list", settleCoin="USDT", limit=2)["result"]
    cursor = first["nextPageCursor"]
    second = client.get("/v5/position/list", settleCoin="USDT", limit=2, cursor=cursor)["result"]

    cursor = second["nextPageCursor"]
    beyond = client.get("/v5/position/list", settleCoin="USDT", limit=2, cursor=cursor)["result"]

    symbols = [row["symbol"] for page in (first, second) for row in page["list"]]
    assert symbols == [BTC, "ETHUSDT", "SOLUSDT"]
    assert (beyond["list"], beyond["nextPageCursor"]) == ([], "")

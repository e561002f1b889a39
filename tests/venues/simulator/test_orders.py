"""Orders, stops and positions as REST shows them."""

from decimal import Decimal

import pytest

from tests.venues.simulator.clients import BTC, Client, eventually, running


def test_a_market_order_is_acknowledged_and_then_fills_as_ioc(client: Client) -> None:
    answer = client.order("Sell", "0.01", orderLinkId="e-1")

    order = client.done("e-1")
    assert answer["result"] == {"orderId": order["orderId"], "orderLinkId": "e-1"}
    assert (order["orderStatus"], order["timeInForce"]) == ("Filled", "IOC")
    (fill,) = client.executions()
    assert fill["orderId"] == order["orderId"]
    fee = Decimal(fill["execPrice"]) * Decimal("0.01") * Decimal("0.00055")
    assert Decimal(fill["execFee"]) == pytest.approx(fee, abs=Decimal("1e-7"))


def test_an_entry_brings_its_full_stops_and_its_close_clears_them(client: Client) -> None:
    client.short("0.02")
    waiting = {order["stopOrderType"]: order for order in client.open_orders()}

    client.order("Buy", "0.02", reduceOnly=True, orderLinkId="x-1")
    closed = client.done("x-1")

    assert set(waiting) == {"StopLoss", "TakeProfit"}
    stop = waiting["StopLoss"]
    assert (stop["orderStatus"], stop["reduceOnly"], stop["qty"]) == ("Untriggered", True, "0.02")
    assert closed["orderStatus"] == "Filled"
    cleared = [o for o in client.history() if o["stopOrderType"] in waiting]
    assert {o["cancelType"] for o in cleared} == {"CancelByTpSlTsClear"}
    assert client.open_orders() == []
    assert client.position()["side"] == ""


def test_stops_follow_the_size_of_the_position(client: Client) -> None:
    client.short("0.02")

    client.order("Buy", "0.005", reduceOnly=True, orderLinkId="x-1")
    client.done("x-1")

    assert {order["qty"] for order in client.open_orders()} == {"0.015"}


def test_a_stop_that_is_passed_fills_at_its_price_and_a_gap_fills_beyond(client: Client) -> None:
    client.short()
    stop = Decimal(client.position()["stopLoss"])
    client.control("price", symbol=BTC, factor="1.03")
    at_stop = client.executions()[0]
    client.short()
    far = client.last() * Decimal("1.05")
    client.control("price", symbol=BTC, factor="1.05", gap=True)
    beyond = client.executions()[0]

    slip = 1 + Decimal("0.0002")
    assert Decimal(at_stop["execPrice"]) == stop * slip
    assert at_stop["stopOrderType"] == "StopLoss"
    assert Decimal(beyond["execPrice"]) >= far * Decimal("0.999")


def test_trading_stop_moves_the_same_order_and_zero_removes_it(client: Client) -> None:
    client.short()
    before = {o["stopOrderType"]: o["orderId"] for o in client.open_orders()}
    body = {"symbol": BTC, "tpslMode": "Full", "positionIdx": 0}
    level = client.at("1.03")

    moved = client.post("/v5/position/trading-stop", stopLoss=level, **body)
    again = client.post("/v5/position/trading-stop", stopLoss=level, **body)
    after = {o["stopOrderType"]: o["orderId"] for o in client.open_orders()}
    removed = client.post("/v5/position/trading-stop", stopLoss="0", **body)

    assert (moved["retCode"], again["retCode"], removed["retCode"]) == (0, 34040, 0)
    assert again["retMsg"] == "not modified"
    assert after == before
    assert [o["stopOrderType"] for o in client.open_orders()] == ["TakeProfit"]
    assert client.position()["stopLoss"] == ""


def test_limit_orders_rest_are_amended_and_fill_when_traded_through(client: Client) -> None:
    body = {"orderType": "Limit", "orderLinkId": "l-1"}
    client.order("Buy", "0.01", price=client.at("0.97"), **body)
    resting = eventually(client.open_orders)[0]

    price = client.at("0.98")
    client.post("/v5/order/amend", symbol=BTC, orderLinkId="l-1", price=price, qty="0.02")
    client.control("price", symbol=BTC, factor="0.975")
    order = client.done("l-1")

    assert resting["orderStatus"] == "New"
    assert (order["orderStatus"], order["cumExecQty"]) == ("Filled", "0.02")
    fill = client.executions()[0]
    assert fill["isMaker"]
    assert Decimal(fill["execPrice"]) == Decimal(price)


def test_conditional_orders_wait_and_post_only_never_takes(client: Client) -> None:
    client.order("Buy", "0.01", triggerPrice=client.at("1.01"), triggerDirection=1, orderLinkId="c")
    waiting = eventually(client.open_orders)[0]
    client.order(
        "Buy",
        "0.01",
        orderType="Limit",
        price=client.at("1.01"),
        timeInForce="PostOnly",
        orderLinkId="p",
    )
    refused = client.done("p")
    client.control("price", symbol=BTC, factor="1.02")

    assert (waiting["orderStatus"], waiting["stopOrderType"]) == ("Untriggered", "Stop")
    assert refused["rejectReason"] == "EC_PostOnlyWillTakeLiquidity"
    assert client.done("c")["orderStatus"] == "Filled"


def test_closing_with_qty_zero_closes_all_and_closed_pnl_agrees_with_the_wallet(
    client: Client,
) -> None:
    client.short("0.03")
    client.control("price", symbol=BTC, factor="0.99")

    client.order("Buy", "0", reduceOnly=True, closeOnTrigger=True, orderLinkId="z")
    client.done("z")

    rows = client.get("/v5/position/closed-pnl", symbol=BTC)["result"]["list"]
    log = client.get("/v5/account/transaction-log")["result"]["list"]
    wallet = client.get_raw("/v5/account/wallet-balance", accountType="UNIFIED").json()
    balance = Decimal(wallet["result"]["list"][0]["totalWalletBalance"])
    assert rows[0]["side"] == "Buy"
    assert Decimal(rows[0]["closedPnl"]) == pytest.approx(balance - 10_000, abs=Decimal("1e-6"))
    assert Decimal(log[0]["cashBalance"]) == balance


def test_funding_is_an_execution_of_its_own_and_has_the_other_sign_in_the_log(
    client: Client,
) -> None:
    client.short()

    client.control("position", symbol=BTC, action="funding", rate="0.001")

    paid = client.executions(execType="Funding")[0]
    log = client.get("/v5/account/transaction-log", type="SETTLEMENT")["result"]["list"][0]
    assert Decimal(paid["execFee"]) < 0
    assert Decimal(log["funding"]) == -Decimal(paid["execFee"])
    assert client.position()["size"] == "0.01"


@pytest.mark.parametrize("mode", ["REGULAR_MARGIN", "ISOLATED_MARGIN"])
def test_a_position_is_taken_over_at_the_mark_price(client: Client, mode: str) -> None:
    client.post("/v5/account/set-margin-mode", setMarginMode=mode)
    client.order("Sell", "0.5", orderLinkId="s")
    client.done("s")
    price = client.position()["liqPrice"]

    mark = str((Decimal(price) * Decimal("1.001")).quantize(Decimal("0.1")))
    client.control("price", symbol=BTC, mark=mark)

    assert client.executions()[0]["execType"] == "BustTrade"
    assert client.position()["side"] == ""
    order = client.history(orderId=client.executions()[0]["orderId"])[0]
    assert order["createType"] == "CreateByTakeOver_PassThrough"


def test_lists_are_newest_first_and_their_cursors_miss_nothing() -> None:
    with running(speed=50.0) as client:
        for i in range(7):
            client.order("Sell", "0.01", orderLinkId=f"n-{i}")
            client.done(f"n-{i}")

        seen, cursor = [], ""
        while True:
            page = client.get("/v5/order/history", symbol=BTC, limit=3, cursor=cursor)["result"]
            seen += [order["orderLinkId"] for order in page["list"]]
            cursor = page["nextPageCursor"]
            if not cursor:
                break

        assert seen == [f"n-{i}" for i in reversed(range(7))]


REFUSALS = {
    "unknown symbol": ({"symbol": "XXXUSDT"}, 10001, "Symbol Is Invalid"),
    "off the step": ({"qty": "0.0105"}, 10001, "Qty invalid"),
    "no side": ({"side": "Up"}, 10001, "params error: side invalid"),
    "too large": ({"qty": "5000"}, 10001, "exceeds maximum limit"),
    "too dear": ({"qty": "100"}, 110007, "ab not enough for new order"),
    "wrong idx": ({"positionIdx": 1}, 10001, "position idx not match position mode"),
    "long id": ({"orderLinkId": "x" * 37}, 10001, "orderLinkId"),
    "nothing to reduce": ({"reduceOnly": True}, 110017, "current position is zero"),
    "stop below a short": ({"stopLoss": "1000"}, 10001, "StopLoss:1000000000 set for Sell"),
    "target above a short": ({"takeProfit": "999000"}, 10001, "TakeProfit:"),
    "limit far away": ({"orderType": "Limit", "price": "1000"}, 110003, "permissible"),
    "trigger passed": ({"triggerPrice": "1000", "triggerDirection": 1}, 110092, "expect Rising"),
}


def test_wrong_orders_are_refused_with_the_codes_and_words_of_the_real_one() -> None:
    with running(speed=None) as client:
        for wrong, code, words in REFUSALS.values():
            body = {"symbol": BTC, "side": "Sell", "orderType": "Market", "qty": "0.01"}
            answer = client.post("/v5/order/create", **(body | wrong))
            assert (answer["retCode"], words in answer["retMsg"]) == (code, True), answer
        client.control("price", symbol="SOLUSDT", price="20")
        tiny = client.order("Sell", "0.1", symbol="SOLUSDT")
        assert tiny["retCode"] == 110094
        assert tiny["retMsg"] == "Order does not meet minimum order value 5USDT"
        assert client.records()["orders"] == []


def test_a_link_id_is_accepted_once_and_settings_that_stay_say_so(client: Client) -> None:
    client.order("Sell", "0.01", orderLinkId="twice")
    again = client.order("Sell", "0.01", orderLinkId="twice")
    leverage = {"symbol": BTC, "buyLeverage": "10", "sellLeverage": "10"}
    same = client.post("/v5/position/set-leverage", **leverage)
    mode = client.post("/v5/position/switch-mode", symbol=BTC, mode=0)
    gone = client.post("/v5/order/cancel", symbol=BTC, orderLinkId="never")

    assert (again["retCode"], again["retMsg"]) == (110072, "OrderLinkedID is duplicate")
    assert (same["retCode"], mode["retCode"], gone["retCode"]) == (110043, 110025, 110001)
    assert len(client.records()["orders"]) == 1


def test_a_flat_symbol_has_a_row_only_where_it_is_asked_for(client: Client) -> None:
    assert client.position()["size"] == "0"
    assert client.get("/v5/position/list", settleCoin="USDT")["result"]["list"] == []
    assert client.get("/v5/position/list")["retCode"] == 10001


def test_money_brought_in_and_taken_out_is_in_the_wallet_and_in_the_log():
    with running() as client:
        client.control("transfer", amount="250.5")
        client.control("transfer", amount="-100")

        rows = client.get_raw("/v5/account/transaction-log").json()["result"]["list"]
        found = [(row["type"], row["change"], row["cashBalance"]) for row in rows]

        assert [kind for kind, _, _ in found] == ["TRANSFER_OUT", "TRANSFER_IN"]
        assert [Decimal(change) for _, change, _ in found] == [Decimal(-100), Decimal("250.5")]
        assert Decimal(found[0][2]) == Decimal(client.state()["wallet"])


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"orderType": "Limit", "price": "0.97"},
        {"triggerPrice": "1.01", "triggerDirection": 1},
    ],
)
def test_an_order_is_found_from_its_acknowledgement_on(client: Client, more: dict) -> None:
    prices = {name: client.at(more[name]) for name in ("price", "triggerPrice") if name in more}

    for number in range(5):
        made = client.order("Buy", "0.01", orderLinkId=f"o-{number}", **(more | prices))
        named = {"orderId": made["result"]["orderId"]}
        rows = client.open_orders(**named) or client.history(**named)

        assert rows[0]["orderStatus"] in {"New", "Filled", "Untriggered"}


def test_a_slowly_matched_order_is_not_found_before(client: Client) -> None:
    client.control("faults", kind="slow_matching", seconds=600)

    client.order("Buy", "0.01", orderLinkId="o")

    assert client.open_orders(orderLinkId="o") == client.history(orderLinkId="o") == []

"""Trailing stops, stops of parts of a position, and conditional orders with a limit."""

from decimal import Decimal

import pytest

from tests.venues.simulator.clients import BTC, Client, eventually, running

STOP = "/v5/position/trading-stop"
SLIP = Decimal("0.0002")


def opened(client: Client, side: str, qty: str = "0.02", **more: object) -> None:
    assert client.order(side, qty, **more)["retCode"] == 0
    eventually(client.position, lambda row: row["side"] == side)


def stop(client: Client, mode: str = "Full", **more: object) -> int:
    body = {"symbol": BTC, "tpslMode": mode, "positionIdx": 0}
    return client.post(STOP, **body, **more)["retCode"]


def move(client: Client, price: Decimal) -> None:
    client.control("price", symbol=BTC, price=str(price))


@pytest.fixture
def still():
    """Yield a client of a market that moves only by hand."""
    with running(speed=None) as made:
        yield made


@pytest.mark.parametrize(("side", "sign"), [("Buy", 1), ("Sell", -1)])
def test_a_trailing_stop_follows_the_best_price_and_never_goes_back(
    still: Client, side: str, sign: int
) -> None:
    opened(still, side)
    last = still.last()
    assert stop(still, trailingStop="500") == 0
    triggers = []
    for step in (0, 300, 1000, 800):
        move(still, last + sign * step)
        triggers.append(Decimal(still.open_orders()[0]["triggerPrice"]) - last)

    move(still, last + sign * 400)

    assert triggers == [sign * -500, sign * -200, sign * 500, sign * 500]
    fill = still.executions()[0]
    assert fill["stopOrderType"] == "TrailingStop"
    assert Decimal(fill["execPrice"]) == (last + sign * 500) * (1 - sign * SLIP)
    assert still.position()["side"] == ""
    assert still.position()["trailingStop"] == "0"


def test_a_trailing_stop_waits_for_its_active_price(still: Client) -> None:
    opened(still, "Buy")
    last = still.last()
    active = still.at("1.01")

    stop(still, trailingStop="300", activePrice=active)
    move(still, last - 900)
    waiting = still.position()
    move(still, Decimal(active) + 100)
    move(still, Decimal(active) - 200)

    assert (waiting["side"], waiting["trailingStop"]) == ("Buy", "300")
    assert Decimal(still.executions()[0]["execPrice"]) == (Decimal(active) - 200) * (1 - SLIP)


@pytest.mark.parametrize(
    "wrong", [{"activePrice": "0.99"}, {"trailingStop": "0.05"}, {"trailingStop": "9999999"}]
)
def test_a_trailing_stop_that_cannot_be_is_refused(still: Client, wrong: dict) -> None:
    opened(still, "Buy")
    levels = {"trailingStop": "300"} | wrong
    if "activePrice" in levels:
        levels["activePrice"] = still.at(levels["activePrice"])

    assert stop(still, **levels) == 10001
    assert still.open_orders() == []


def test_a_stop_loss_and_a_trailing_stop_stand_side_by_side(still: Client) -> None:
    opened(still, "Buy")
    last = still.last()

    codes = [stop(still, stopLoss=str(last - 100), trailingStop="300") for _ in range(2)]
    kinds = {row["stopOrderType"] for row in still.open_orders()}
    move(still, last - 150)

    assert codes == [0, 34040]
    assert kinds == {"StopLoss", "TrailingStop"}
    assert still.executions()[0]["stopOrderType"] == "StopLoss"
    assert still.open_orders() == []


def test_a_stop_that_names_no_index_is_of_the_one_way_position(still: Client) -> None:
    still.short()

    one_way = still.post("/v5/position/trading-stop", symbol=BTC, trailingStop="900")
    assert (one_way["retCode"], still.position()["trailingStop"]) == (0, "900")
    still.order("Buy", "0.01", orderLinkId="end", reduceOnly=True)
    still.done("end")
    still.post("/v5/position/switch-mode", symbol=BTC, mode=3)
    hedged = still.post("/v5/position/trading-stop", symbol=BTC, trailingStop="900")
    assert (hedged["retCode"], hedged["retMsg"]) == (
        10001,
        "position idx not match position mode",
    )


def test_zero_removes_a_trailing_stop(still: Client) -> None:
    opened(still, "Buy")
    stop(still, trailingStop="300")

    assert (stop(still, trailingStop="0"), stop(still, trailingStop="0")) == (0, 34040)
    assert still.open_orders() == []


def test_a_trailing_stop_keeps_its_level_over_a_restart(tmp_path) -> None:
    given = {"speed": None, "start_ms": 1_743_469_200_000, "state": tmp_path / "state"}
    with running(**given) as client:
        opened(client, "Buy")
        stop(client, trailingStop="500")
        move(client, client.last() + 700)
        before = client.open_orders()[0]["triggerPrice"]

    with running(**given) as client:
        assert client.open_orders()[0]["triggerPrice"] == before
        assert client.position()["trailingStop"] == "500"


def test_partial_stops_close_their_part_and_end_each_other(still: Client) -> None:
    opened(still, "Buy", "0.05")
    last = still.last()
    sizes = {"tpSize": "0.02", "slSize": "0.02"}

    code = stop(still, "Partial", stopLoss=str(last - 500), takeProfit=str(last + 500), **sizes)
    kinds = {row["stopOrderType"]: row["qty"] for row in still.open_orders()}
    move(still, last + 600)

    assert code == 0
    assert kinds == {"PartialStopLoss": "0.02", "PartialTakeProfit": "0.02"}
    assert still.position()["size"] == "0.03"
    assert still.open_orders() == []
    (ended,) = [row for row in still.history() if row["stopOrderType"] == "PartialStopLoss"]
    assert ended["cancelType"] == "CancelByOCOSlCanceledByTpTriggered"


def test_partial_stops_add_up_and_go_with_the_position(still: Client) -> None:
    opened(still, "Sell", "0.05")
    last = still.last()
    for distance in (300, 600):
        assert stop(still, "Partial", stopLoss=str(last + distance), slSize="0.02") == 0
    assert len(still.open_orders()) == 2

    still.order("Buy", "0.05", reduceOnly=True)

    cleared = [row for row in still.history() if row["stopOrderType"] == "PartialStopLoss"]
    assert {row["cancelType"] for row in cleared} == {"CancelByTpSlTsClear"}


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"slSize": "9"},
        {"slSize": "0.0001"},
        {"slSize": "0.01", "slOrderType": "Limit"},
        {"slSize": "0.01", "slLimitPrice": "1"},
        {"slSize": "0.01", "trailingStop": "100"},
    ],
)
def test_a_partial_stop_that_cannot_be_is_refused(still: Client, wrong: dict) -> None:
    opened(still, "Buy")

    assert stop(still, "Partial", stopLoss=still.at("0.98"), **wrong) == 10001
    assert still.open_orders() == []


def test_a_partial_target_with_a_limit_becomes_a_resting_order(still: Client) -> None:
    opened(still, "Buy")
    last = still.last()
    limit = str(last + 700)
    more = {"tpSize": "0.01", "tpOrderType": "Limit", "tpLimitPrice": limit}

    stop(still, "Partial", takeProfit=str(last + 500), **more)
    move(still, last + 600)
    resting = still.open_orders()[0]
    move(still, last + 800)

    assert (resting["orderStatus"], resting["orderType"], resting["price"]) == (
        "New",
        "Limit",
        limit,
    )
    assert Decimal(still.executions()[0]["execPrice"]) == Decimal(limit)
    assert still.position()["size"] == "0.01"


def test_an_entry_brings_partial_stops_of_its_own_size(still: Client) -> None:
    opened(still, "Buy", "0.02")
    levels = {"tpslMode": "Partial", "stopLoss": still.at("0.98"), "takeProfit": still.at("1.02")}

    still.order("Buy", "0.01", orderLinkId="p", **levels)

    assert still.done("p")["tpslMode"] == "Partial"
    assert {row["qty"] for row in still.open_orders()} == {"0.01"}
    assert still.position()["stopLoss"] == ""


def test_a_stop_limit_order_rests_at_its_price_once_it_is_triggered(still: Client) -> None:
    last = still.last()
    body = {"orderType": "Limit", "triggerDirection": 1, "triggerPrice": str(last + 500)}
    still.order("Buy", "0.01", price=str(last + 400), orderLinkId="sl", **body)
    waiting = still.open_orders()[0]

    move(still, last + 600)
    resting = still.open_orders()[0]
    move(still, last + 300)

    assert (waiting["orderStatus"], waiting["stopOrderType"]) == ("Untriggered", "Stop")
    assert resting["orderStatus"] == "New"
    assert Decimal(still.executions()[0]["execPrice"]) == last + 400


def test_conditional_orders_bind_no_margin_until_they_are_triggered(still: Client) -> None:
    last = still.last()
    body = {"triggerDirection": 1, "triggerPrice": str(last + 500)}

    accepted = still.order("Buy", "100", orderLinkId="large", **body)
    move(still, last + 600)

    assert accepted["retCode"] == 0
    order = still.done("large")
    assert (order["orderStatus"], order["cumExecQty"]) == ("Cancelled", "0")
    assert order["cancelType"] == "CancelByCannotAffordOrderCost"

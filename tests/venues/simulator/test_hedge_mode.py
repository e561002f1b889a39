"""Position modes: by symbol and by coin, and the two sides that hedge mode keeps apart."""

from decimal import Decimal

import pytest

from tests.venues.simulator.clients import BTC, Client, eventually, running

SWITCH = "/v5/position/switch-mode"
LONG, SHORT = 1, 2


@pytest.fixture
def hedged(client: Client) -> Client:
    assert client.post(SWITCH, symbol=BTC, mode=3)["retCode"] == 0
    return client


def sides(client: Client) -> dict[int, tuple[str, str]]:
    rows = client.get("/v5/position/list", symbol=BTC)["result"]["list"]
    return {row["positionIdx"]: (row["side"], row["size"]) for row in rows}


def trade(client: Client, side: str, idx: int, qty: str = "0.01", **more: object) -> None:
    answer = client.order(side, qty, positionIdx=idx, **more)
    assert answer["retCode"] == 0, answer
    order_id = answer["result"]["orderId"]
    eventually(lambda: client.history(orderId=order_id))


def test_both_sides_are_open_at_once_each_with_its_own_stop(hedged: Client) -> None:
    trade(hedged, "Buy", LONG, "0.02", stopLoss=hedged.at("0.97"))
    trade(hedged, "Sell", SHORT, "0.01", stopLoss=hedged.at("1.03"))
    both = sides(hedged)

    hedged.control("price", symbol=BTC, factor="0.96")

    assert both == {LONG: ("Buy", "0.02"), SHORT: ("Sell", "0.01")}
    assert sides(hedged) == {LONG: ("", "0"), SHORT: ("Sell", "0.01")}
    assert [row["positionIdx"] for row in hedged.open_orders()] == [SHORT]


def test_the_closing_side_reduces_its_own_position_alone(hedged: Client) -> None:
    trade(hedged, "Buy", LONG, "0.02")
    trade(hedged, "Sell", SHORT, "0.02")

    trade(hedged, "Sell", LONG, "0.005")

    assert sides(hedged) == {LONG: ("Buy", "0.015"), SHORT: ("Sell", "0.02")}
    flat = hedged.order("Sell", "0.01", symbol="ETHUSDT", positionIdx=LONG)
    assert flat["retMsg"] == "position idx not match position mode"


@pytest.mark.parametrize("idx", [0, 3])
def test_an_order_must_name_a_side(hedged: Client, idx: int) -> None:
    assert hedged.order("Buy", "0.01", positionIdx=idx)["retCode"] == 10001


def test_nothing_is_closed_that_is_not_there(hedged: Client) -> None:
    assert hedged.order("Buy", "0.01", positionIdx=SHORT)["retCode"] == 110017


def test_a_trading_stop_is_of_one_side(hedged: Client) -> None:
    trade(hedged, "Buy", LONG)
    trade(hedged, "Sell", SHORT)
    level = hedged.at("0.95")

    answer = hedged.post(
        "/v5/position/trading-stop", symbol=BTC, tpslMode="Full", positionIdx=LONG, stopLoss=level
    )

    rows = hedged.get("/v5/position/list", symbol=BTC)["result"]["list"]
    assert answer["retCode"] == 0
    assert [row["stopLoss"] for row in rows] == [level, ""]


def test_a_mode_changes_by_symbol_and_by_coin_where_nothing_is_open(client: Client) -> None:
    client.order("Buy", "0.01")
    eventually(client.position, lambda row: row["side"] == "Buy")

    refused = client.post(SWITCH, symbol=BTC, mode=3)
    by_coin = client.post(SWITCH, coin="USDT", mode=3)
    again = client.post(SWITCH, coin="USDT", mode=3)
    same = client.post(SWITCH, symbol="ETHUSDT", mode=3)

    assert (refused["retCode"], by_coin["retCode"], again["retCode"]) == (110024, 0, 0)
    assert same["retCode"] == 110025
    assert list(sides(client)) == [0]
    eth = client.get("/v5/position/list", symbol="ETHUSDT")["result"]["list"]
    assert [row["positionIdx"] for row in eth] == [LONG, SHORT]


def test_money_of_both_sides_adds_up_and_survives_a_restart(tmp_path) -> None:
    given = {"speed": None, "start_ms": 1_743_469_200_000, "state": tmp_path / "state"}
    with running(**given) as client:
        client.post(SWITCH, symbol=BTC, mode=3)
        trade(client, "Buy", LONG, "0.02")
        trade(client, "Sell", SHORT, "0.01")
        client.control("price", symbol=BTC, factor="1.01")
        trade(client, "Sell", LONG, "0.02")
        before = client.state()
        rows = client.get("/v5/position/closed-pnl", symbol=BTC)["result"]["list"]
        executions = client.get("/v5/account/transaction-log")["result"]["list"]

    with running(**given) as client:
        after = client.state()
        left = sides(client)

    assert left == {LONG: ("", "0"), SHORT: ("Sell", "0.01")}
    still = ("positionIdx", "side", "size", "entryPrice", "curRealisedPnl", "cumRealisedPnl")
    (was,), (now,) = before["positions"], after["positions"]
    assert {name: now[name] for name in still} == {name: was[name] for name in still}
    assert Decimal(after["wallet"]) == Decimal(before["wallet"])
    assert sum(Decimal(row["change"]) for row in executions) == pytest.approx(
        Decimal(before["wallet"]) - 10_000, abs=Decimal("1e-6")
    )
    assert Decimal(rows[0]["closedPnl"]) > 0

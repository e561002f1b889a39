"""Whatever clients, people and faults do, the exchange's books stay true."""

import random
from decimal import Decimal
from pathlib import Path

import pytest

from tests.venues.simulator.clients import INSTRUMENTS, Client, running

SYMBOLS = [instrument.symbol for instrument in INSTRUMENTS]
STEPS = 250


def something(client: Client, chance: random.Random, i: int) -> None:
    """Do one thing that may or may not be accepted."""
    symbol = chance.choice(SYMBOLS)
    instrument = next(x for x in INSTRUMENTS if x.symbol == symbol)
    qty = str(instrument.min_order_qty * chance.randint(1, 40))
    side, body = chance.choice(["Buy", "Sell"]), {"symbol": symbol, "orderLinkId": f"o-{i}"}
    up, down = client.at("1.01", symbol), client.at("0.99", symbol)
    stops = {"stopLoss": up, "takeProfit": down} if side == "Sell" else {"stopLoss": down}
    match chance.randrange(10):
        case 0 | 1:
            client.order(side, qty, **body, **stops)
        case 2:
            client.order(side, qty, **body)
        case 3:
            client.order(side, qty, reduceOnly=True, **body)
        case 4:
            price = down if side == "Buy" else up
            client.order(side, qty, orderType="Limit", price=price, **body)
        case 5:
            rising = side == "Buy"
            trigger = {"triggerPrice": up if rising else down, "triggerDirection": 2 - rising}
            client.order(side, qty, **trigger, **body)
        case 6:
            level = chance.choice(["0", up, down])
            client.post("/v5/position/trading-stop", symbol=symbol, positionIdx=0, stopLoss=level)
        case 7:
            client.post("/v5/order/cancel-all", symbol=symbol)
        case 8:
            action = chance.choice(["close", "liquidate", "adl", "funding", "remove_stops"])
            client.control("position", symbol=symbol, action=action)
            client.control("faults", kind="partial_fill", fraction="0.5")
        case _:
            factor, gap = chance.choice(["0.98", "0.995", "1.005", "1.02"]), chance.random() < 0.5
            client.control("price", symbol=symbol, factor=factor, gap=gap)
            client.control("advance")


def check(client: Client) -> None:
    state, records = client.state(), client.records()
    sizes = {row["symbol"]: row["size"] for row in state["positions"]}
    for order in state["open_orders"]:
        if order["stopOrderType"] in {"StopLoss", "TakeProfit"}:
            assert order["qty"] == sizes[order["symbol"]], order
        if order["reduceOnly"] and not order["triggerPrice"]:
            assert order["symbol"] in sizes, order
    flows = [Decimal(row["execPnl"]) - Decimal(row["execFee"]) for row in records["executions"]]
    assert abs(Decimal(state["wallet"]) - 10_000 - sum(flows)) < Decimal("1e-4")
    for symbol in SYMBOLS:
        signed = Decimal(0)
        for row in records["executions"]:
            if row["symbol"] == symbol and row["execType"] != "Funding":
                signed += Decimal(row["execQty"]) * (1 if row["side"] == "Buy" else -1)
        assert abs(signed) == Decimal(sizes.get(symbol, "0"))
    for order in records["orders"]:
        filled = sum(
            Decimal(row["execQty"])
            for row in records["executions"]
            if row["orderId"] == order["orderId"]
        )
        assert filled == Decimal(order["cumExecQty"]) <= Decimal(order["qty"]), order


@pytest.mark.parametrize("seed", [1, 2])
def test_books_stay_true_and_outlive_a_restart(tmp_path: Path, seed: int) -> None:
    chance, state = random.Random(seed), tmp_path / "state.jsonl"
    with running(speed=None, state=state) as client:
        for i in range(STEPS):
            something(client, chance, i)
            if i % 25 == 0:
                check(client)
        check(client)
        before, records = client.state(), client.records()

    with running(speed=None, state=state) as client:
        after, again = client.state(), client.records()
        check(client)

    assert len(records["executions"]) > 50
    assert again == records
    # A sum of the same payments in another order may differ in its 28th digit.
    assert Decimal(after["wallet"]) == pytest.approx(
        Decimal(before["wallet"]), abs=Decimal("1e-18")
    )
    for name in ("positions", "open_orders", "time_ms", "prices"):
        assert after[name] == before[name], name

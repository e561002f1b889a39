"""A market of many pairs, and long positions in it."""

import itertools
import math
import statistics
from decimal import Decimal

import pytest

from domain.market.instruments import Instrument
from infra.venues.simulator.prices.generator import CandleGenerator
from tests.venues.simulator.clients import BTC, INSTRUMENTS, Client, eventually, running

# Symbol, quantity step, tick size, largest market order.
_ROWS = """
AVAX 0.1 0.001 26000 | ADA 1 0.0001 960000 | XRP 0.1 0.0001 660000 | DOGE 1 0.00001 3600000
LINK 0.1 0.001 35000 | DOT 0.1 0.001 120000 | LTC 0.1 0.01 14000 | BNB 0.01 0.1 2000
UNI 0.1 0.001 60000 | NEAR 0.1 0.001 150000 | SUI 10 0.0001 400000 | TRX 1 0.00001 2500000
AAVE 0.01 0.01 5000 | BCH 0.01 0.1 2500 | ATOM 0.1 0.001 55000 | MATIC 1 0.0001 800000
OP 0.1 0.0001 150000 | APE 0.1 0.0001 200000
"""


def instrument(symbol: str, step: str, tick: str, largest: str) -> Instrument:
    return Instrument(
        symbol=symbol,
        qty_step=Decimal(step),
        min_order_qty=Decimal(step),
        tick_size=Decimal(tick),
        min_notional=Decimal(5),
        max_market_order_qty=Decimal(largest),
    )


PAIRS = [
    instrument(f"{row.split()[0]}USDT", *row.split()[1:])
    for line in _ROWS.strip().splitlines()
    for row in line.split("|")
    if row.strip()
]
MANY = [instrument(f"S{number:03}USDT", "0.1", "0.001", "10000") for number in range(600)]


def test_each_pair_moves_on_its_tick_and_its_orders_are_worth_enough() -> None:
    generator = CandleGenerator([*INSTRUMENTS, *PAIRS], 5)
    candles = [generator.step() for _ in range(500)]

    for pair in PAIRS:
        rows = [candle[pair.symbol] for candle in candles]
        assert all(left.close == right.open for left, right in itertools.pairwise(rows))
        assert len({row.close for row in rows}) > 50
        for row in rows:
            assert all(price % pair.tick_size == 0 for price in (row.high, row.low, row.close))
            assert row.volume % pair.qty_step == 0
            assert row.volume > 0
            assert pair.max_market_order_qty * row.close > 10_000


def test_pairs_share_a_factor_and_have_noise_of_their_own() -> None:
    generator = CandleGenerator(PAIRS[:6], 11)
    candles = [generator.step() for _ in range(2_000)]
    moves = [
        [
            math.log(float(candle[pair.symbol].close / candle[pair.symbol].open))
            for candle in candles
        ]
        for pair in PAIRS[:6]
    ]

    found = [statistics.correlation(*both) for both in itertools.combinations(moves, 2)]

    assert all(0.4 < correlation < 0.95 for correlation in found)


def test_any_number_of_symbols_is_listed_and_told() -> None:
    with running(instruments=MANY, history=3, speed=None) as client:
        rows = client.public("/v5/market/tickers", category="linear")["result"]["list"]

        assert len(rows) == 600
        assert all(Decimal(row["lastPrice"]) > 0 for row in rows)


def test_a_long_position_pays_funding_and_earns_what_the_price_rises(client: Client) -> None:
    client.order("Buy", "0.02", stopLoss=client.at("0.98"), takeProfit=client.at("1.05"))
    eventually(client.position, lambda row: row["side"] == "Buy")
    client.control("position", symbol=BTC, action="funding", rate="0.001")
    client.control("price", symbol=BTC, factor="1.02")
    client.order("Sell", "0.02", reduceOnly=True, orderLinkId="x")
    client.done("x")

    paid = client.executions(execType="Funding")[0]
    (closed,) = client.get("/v5/position/closed-pnl", symbol=BTC)["result"]["list"]
    bought, sold = Decimal(closed["avgEntryPrice"]), Decimal(closed["avgExitPrice"])
    fees = Decimal(closed["openFee"]) + Decimal(closed["closeFee"])
    assert Decimal(paid["execFee"]) > 0
    assert closed["side"] == "Sell"
    assert Decimal(closed["closedPnl"]) == pytest.approx(
        Decimal("0.02") * (sold - bought) - fees, abs=Decimal("1e-6")
    )


def test_a_long_stop_is_amended_in_place_and_fills_below(client: Client) -> None:
    client.order("Buy", "0.01", stopLoss=client.at("0.98"))
    eventually(client.position, lambda row: row["side"] == "Buy")
    (before,) = client.open_orders()
    raised = client.at("0.99")

    client.post(
        "/v5/position/trading-stop", symbol=BTC, tpslMode="Full", positionIdx=0, stopLoss=raised
    )
    (after,) = client.open_orders()
    client.control("price", symbol=BTC, factor="0.985")

    assert after["orderId"] == before["orderId"]
    assert (after["triggerPrice"], after["triggerDirection"], after["side"]) == (raised, 2, "Sell")
    fill = client.executions()[0]
    assert Decimal(fill["execPrice"]) == Decimal(raised) * (1 - Decimal("0.0002"))
    assert client.position()["side"] == ""


@pytest.mark.parametrize("mode", ["REGULAR_MARGIN", "ISOLATED_MARGIN"])
def test_a_long_position_is_taken_over_where_the_mark_price_falls_to(
    client: Client, mode: str
) -> None:
    client.post("/v5/account/set-margin-mode", setMarginMode=mode)
    client.order("Buy", "1", orderLinkId="e")
    client.done("e")
    row = client.position()
    liquidation = Decimal(row["liqPrice"])

    client.control("price", symbol=BTC, price=str(liquidation.quantize(Decimal("0.1")) - 1))

    assert 0 < liquidation < Decimal(row["avgPrice"])
    bust = client.executions()[0]
    assert (bust["execType"], bust["side"]) == ("BustTrade", "Sell")
    assert client.position()["side"] == ""

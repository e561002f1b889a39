"""Market days by name."""

from decimal import Decimal
from itertools import pairwise

import pytest

from infra.venues.simulator.profiles import ProfileName, with_profile
from tests.venues.simulator.clients import BTC, Client, options, running

START_MS = 1_743_469_200_000
STILL = {"speed": None, "start_ms": START_MS, "history": 300}


def day(name: ProfileName, **more: object):
    """Run an exchange on a market day."""
    chosen = with_profile(options(**more), name)
    fields = ("fills", "faults", "book_size", "crash_after")
    return running(**more, **{field: getattr(chosen, field) for field in fields})


def candles(client: Client, symbol: str = BTC) -> list[list[Decimal]]:
    answer = client.public("/v5/market/kline", symbol=symbol, interval="5", limit=60)
    return [[Decimal(cell) for cell in row] for row in reversed(answer["result"]["list"])]


@pytest.mark.parametrize("symbol", [BTC, "ETHUSDT", "SOLUSDT"])
def test_the_crash_takes_half_of_every_price_in_one_candle_and_gives_most_back(symbol: str) -> None:
    with day(ProfileName.CRASH, **STILL) as client:
        client.control("advance", candles=45)
        rows = [row for row in candles(client, symbol) if row[0] >= START_MS]

    falls = [1 - row[3] / row[1] for row in rows]
    worst = falls.index(max(falls))
    assert worst == 12
    assert Decimal("0.49") < falls[worst] < Decimal("0.66")
    assert all(fall < Decimal("0.2") for i, fall in enumerate(falls) if i != worst)
    assert all(left[4] == right[1] for left, right in pairwise(rows[:-1]))
    assert rows[worst + 26][4] > rows[worst][1] * Decimal("0.8")


def test_the_crash_is_the_same_after_a_restart(tmp_path) -> None:
    given = {**STILL, "state": tmp_path / "state"}
    with day(ProfileName.CRASH, **given) as client:
        client.control("advance", candles=20)
        before = candles(client)

    with day(ProfileName.CRASH, **given) as client:
        after = {row[0]: row[:5] for row in candles(client)}

    assert all(after[row[0]] == row[:5] for row in before[:-1] if row[0] in after)


def test_a_long_position_without_room_does_not_live_through_the_crash() -> None:
    with day(ProfileName.CRASH, **STILL) as client:
        client.post("/v5/account/set-margin-mode", setMarginMode="ISOLATED_MARGIN")
        client.session.delete(f"{client.sim.base_url}/sim/faults")
        client.order("Buy", "0.01")
        client.control("advance", candles=14)

        assert client.executions()[0]["execType"] == "BustTrade"


def test_a_thin_book_costs_more_and_fills_in_part() -> None:
    with day(ProfileName.THIN_BOOK, speed=None) as client:
        size = client.public("/v5/market/orderbook", category="linear", symbol=BTC)["result"]
        statuses = []
        for number in range(30):
            client.order("Sell", "0.01", orderLinkId=f"o-{number}")
            statuses.append(client.done(f"o-{number}")["orderStatus"])
        last, fill = client.last(), client.executions()[0]

    assert size["b"][0][1] == "0.001"
    assert {"Filled", "Cancelled"} == set(statuses)
    assert Decimal(fill["execPrice"]) < last * Decimal("0.997")


def test_funding_spikes_every_hour() -> None:
    with day(ProfileName.FUNDING_SPIKE, **STILL) as client:
        client.order("Buy", "0.01")
        client.control("advance", candles=25)
        paid = client.executions(execType="Funding")
        row = client.public("/v5/market/instruments-info", category="linear", symbol=BTC)

    assert len(paid) >= 2
    assert Decimal(paid[0]["feeRate"]) == Decimal("0.01")
    assert row["result"]["list"][0]["fundingInterval"] == 60


def test_an_outage_is_a_row_of_faults_that_come_and_go() -> None:
    with day(ProfileName.OUTAGE, speed=1.0) as client:
        waiting = [fault["kind"] for fault in client.state()["faults"]]

    assert waiting == ["mute", "http_status", "ret_code", "half_open", "down", "answer_late"]

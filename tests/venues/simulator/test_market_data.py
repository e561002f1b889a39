"""Candles of all intervals, order books, trades and what else the public side tells."""

import itertools
from decimal import Decimal

import pytest

from infra.venues.simulator.prices.periods import INTERVALS, period_end_ms, period_start_ms
from tests.venues.simulator.clients import BTC, Client, Listener, running
from tests.venues.simulator.test_many_pairs import MANY

PUBLIC = "/v5/public/linear"
MINUTE_MS, DAY_MS = 60_000, 86_400_000
START_MS = 1_743_469_200_000
"""2025-04-01 01:00 UTC, a Tuesday."""


def rows(client: Client, interval: str, **more: object) -> list[list[str]]:
    answer = client.public("/v5/market/kline", symbol=BTC, interval=interval, **more)
    assert answer["retCode"] == 0, answer
    return answer["result"]["list"]


def numbers(row: list[str]) -> list[Decimal]:
    return [Decimal(cell) for cell in row]


def test_candles_of_each_interval_are_those_of_five_minutes_put_together() -> None:
    with running(speed=None, history=3_000, start_ms=START_MS) as client:
        client.control("advance", candles=7)
        base = [numbers(row) for row in reversed(rows(client, "5", limit=1000))]
        for interval in ("15", "30", "60", "120", "240", "360", "720", "D"):
            for made in map(numbers, rows(client, interval, limit=3)):
                start = int(made[0])
                parts = [r for r in base if period_start_ms(interval, int(r[0])) == start]
                assert made[1:5] == [
                    parts[0][1],
                    max(r[2] for r in parts),
                    min(r[3] for r in parts),
                    parts[-1][4],
                ]
                assert made[5] == sum(r[5] for r in parts)


@pytest.mark.parametrize("interval", sorted(INTERVALS))
def test_candles_are_asked_for_in_parts_that_join(interval: str) -> None:
    with running(speed=None, history=700, start_ms=START_MS) as client:
        whole = rows(client, interval, limit=200)
        end = int(whole[0][0])
        newer = rows(client, interval, limit=2)
        older = rows(client, interval, end=int(newer[-1][0]) - 1, limit=2)
        from_start = rows(client, interval, start=int(whole[-1][0]), limit=2)

    times = [int(row[0]) for row in whole]
    assert newer + older == whole[:4]
    assert from_start == whole[-2:]
    assert all(period_start_ms(interval, time) == time for time in times)
    assert all(
        period_end_ms(interval, older) == newer for newer, older in itertools.pairwise(times)
    )
    assert end <= START_MS


def test_weeks_begin_on_monday_and_months_on_their_first_day() -> None:
    monday, first_of_april = START_MS - 25 * 3_600_000, START_MS - 3_600_000

    assert period_start_ms("W", START_MS) == monday
    assert period_start_ms("M", START_MS) == first_of_april
    assert period_end_ms("M", first_of_april) == first_of_april + 30 * DAY_MS


def test_minutes_add_up_to_their_five_whether_watched_or_not() -> None:
    with running(speed=60.0, start_ms=START_MS, history=5) as client:
        stream = Listener(client, PUBLIC, f"kline.1.{BTC}", f"kline.5.{BTC}")
        watched = stream.rows(
            f"kline.5.{BTC}", lambda row: row["confirm"] and row["start"] > START_MS
        )
        minutes = rows(client, "1", start=watched["start"], end=watched["end"])
        told = {
            row["start"]: row
            for message in stream.heard
            if message.get("topic") == f"kline.1.{BTC}"
            for row in message["data"]
            if row["confirm"]
        }
        unwatched = rows(client, "5", end=START_MS - 1, limit=1)[0]
        guessed = rows(client, "1", start=unwatched[0], end=START_MS - 1)
        stream.close()

    for whole, parts in (
        ([watched[name] for name in ("open", "high", "low", "close", "volume")], minutes),
        (unwatched[1:6], guessed),
    ):
        found = [numbers(row) for row in reversed(parts)]
        assert [int(row[0]) % 300_000 for row in found] == [i * MINUTE_MS for i in range(5)]
        assert [Decimal(cell) for cell in whole] == [
            found[0][1],
            max(row[2] for row in found),
            min(row[3] for row in found),
            found[-1][4],
            sum(row[5] for row in found),
        ]
    for row in minutes[1:]:
        assert told[int(row[0])]["close"] == row[4]


def test_longer_candles_are_pushed_and_confirmed_at_their_end() -> None:
    with running(speed=500.0, start_ms=START_MS) as client:
        stream = Listener(client, PUBLIC, f"kline.15.{BTC}")

        ended = stream.rows(f"kline.15.{BTC}", lambda row: row["confirm"])
        next_one = stream.rows(f"kline.15.{BTC}", lambda row: not row["confirm"])
        stream.close()
        (asked,) = rows(client, "15", start=ended["start"], end=ended["end"])

    assert ended["end"] == ended["start"] + 15 * MINUTE_MS - 1
    assert next_one["start"] == ended["end"] + 1
    assert asked[1:6] == [ended[name] for name in ("open", "high", "low", "close", "volume")]


@pytest.mark.parametrize("kind", ["mark-price", "index-price", "premium-index-price"])
def test_candles_of_other_prices_have_no_volume(client: Client, kind: str) -> None:
    answer = client.public(f"/v5/market/{kind}-kline", symbol=BTC, interval="60", limit=3)

    found = answer["result"]["list"]
    assert [len(row) for row in found] == [5, 5, 5]
    if kind != "premium-index-price":
        # The newest one is under way, and may have moved between the two questions.
        closed = rows(client, "60", limit=2, end=int(found[1][0]))
        assert found[1:] == [row[:5] for row in closed]


class Book:
    """What a client makes of a stream's book."""

    def __init__(self) -> None:
        self.sides: dict[str, dict[str, str]] = {"a": {}, "b": {}}
        self.number = 0

    def take(self, message: dict) -> None:
        data = message["data"]
        if message["type"] == "snapshot":
            self.sides = {"a": {}, "b": {}}
        else:
            assert data["u"] == self.number + 1
        self.number = data["u"]
        for name, side in self.sides.items():
            for price, size in data[name]:
                assert message["type"] == "snapshot" or side.get(price) != size
                if size == "0":
                    del side[price]
                else:
                    side[price] = size


@pytest.mark.parametrize("depth", [50, 200, 1000])
def test_a_book_of_changes_stays_the_book_that_is_asked_for(depth: int) -> None:
    with running(speed=None) as client:
        topic = f"orderbook.{depth}.{BTC}"
        early = Listener(client, PUBLIC, topic)
        books = [Book(), Book()]
        books[0].take(early.next(lambda m: m.get("topic") == topic))
        for factor in ("1.0001", "0.9999"):
            client.control("price", symbol=BTC, factor=factor)
            books[0].take(early.next(lambda m: m.get("topic") == topic))
        late = Listener(client, PUBLIC, topic)
        books[1].take(late.next(lambda m: m.get("topic") == topic))
        client.control("price", symbol=BTC, factor="1.00005")
        for book, stream in zip(books, (early, late), strict=True):
            book.take(stream.next(lambda m: m.get("topic") == topic))
            stream.close()
        asked = client.public("/v5/market/orderbook", symbol=BTC, category="linear", limit=depth)

    for book in books:
        assert book.sides == {name: dict(asked["result"][name]) for name in ("a", "b")}
        assert len(book.sides["b"]) == depth
    assert books[0].number == books[1].number


def test_recent_trades_are_those_that_were_told(client: Client) -> None:
    stream = Listener(client, PUBLIC, f"publicTrade.{BTC}")
    client.control("price", symbol=BTC, factor="1.001")
    told = stream.rows(f"publicTrade.{BTC}")
    stream.close()

    answer = client.public("/v5/market/recent-trade", category="linear", symbol=BTC)

    found = {row["execId"]: row for row in answer["result"]["list"]}
    assert found[told["i"]]["price"] == told["p"]
    assert found[told["i"]]["side"] == told["S"]


def test_a_liquidation_is_told_to_all(client: Client) -> None:
    stream = Listener(client, PUBLIC, f"allLiquidation.{BTC}", "insurance.USDT", "adlAlert.USDT")
    older = Listener(client, PUBLIC, f"liquidation.{BTC}")
    client.order("Buy", "0.01", orderLinkId="e")
    client.done("e")

    client.control("position", symbol=BTC, action="liquidate")

    row = stream.rows(f"allLiquidation.{BTC}")
    same = older.rows(f"liquidation.{BTC}")
    assert (row["s"], row["S"], row["v"]) == (BTC, "Buy", "0.01")
    assert [*same.values()] == [*row.values()]
    assert {*same} == {"updatedTime", "symbol", "side", "size", "price"}
    stream.close()
    older.close()


def test_price_limits_are_told_as_prices_move(client: Client) -> None:
    stream = Listener(client, PUBLIC, f"priceLimit.{BTC}")

    row = stream.rows(f"priceLimit.{BTC}")

    assert Decimal(row["sellLmt"]) < client.last() < Decimal(row["buyLmt"])
    stream.close()


def test_statistics_are_well_formed(client: Client) -> None:
    named = {"category": "linear", "symbol": BTC, "limit": 3}
    interest = client.public("/v5/market/open-interest", intervalTime="1h", **named)["result"]
    ratio = client.public("/v5/market/account-ratio", period="1h", **named)["result"]
    wrong = client.public("/v5/market/open-interest", intervalTime="2h", **named)

    for found in (interest["list"], ratio["list"]):
        times = [int(row["timestamp"]) for row in found]
        assert times == sorted(times, reverse=True)
        assert {left - right for left, right in itertools.pairwise(times)} == {3_600_000}
    assert wrong["retCode"] == 10001
    assert client.public("/v5/market/historical-volatility", category="option")["result"] == []
    assert BTC in client.public("/v5/market/insurance")["result"]["list"][0]["symbols"]
    assert client.public("/v5/market/adlAlert", symbol=BTC)["result"]["list"][0]["symbol"] == BTC
    assert client.public("/v5/system/status")["result"] == {"list": []}


@pytest.mark.parametrize(
    ("path", "period"), [("open-interest", "intervalTime"), ("account-ratio", "period")]
)
def test_statistics_come_page_by_page(client: Client, path: str, period: str) -> None:
    named = {"category": "linear", "symbol": BTC, period: "1h"}
    whole = client.public(f"/v5/market/{path}", limit=5, **named)["result"]["list"]
    first = client.public(f"/v5/market/{path}", limit=2, **named)["result"]
    oldest_ms, cursor = int(whole[-1]["timestamp"]), first["nextPageCursor"]

    second = client.public(
        f"/v5/market/{path}", limit=9, startTime=oldest_ms, cursor=cursor, **named
    )["result"]
    beyond = client.public(
        f"/v5/market/{path}", startTime=oldest_ms, cursor=second["nextPageCursor"], **named
    )["result"]

    assert first["list"] + second["list"] == whole
    assert (beyond["list"], beyond["nextPageCursor"]) == ([], "")
    wrong = client.public(f"/v5/market/{path}", cursor="x", **named)
    assert (wrong["retCode"], "cursor" in wrong["retMsg"]) == (10001, True)


def test_instruments_come_page_by_page() -> None:
    with running(instruments=MANY, history=3, speed=None) as client:
        path, seen, cursor = "/v5/market/instruments-info", [], ""
        while True:
            page = client.public(path, category="linear", limit=250, cursor=cursor)["result"]
            seen.append([row["symbol"] for row in page["list"]])
            cursor = page["nextPageCursor"]
            if not cursor:
                break
        usual = client.public(path, category="linear")["result"]
        one = client.public(path, category="linear", baseCoin="S007")["result"]["list"]

    assert [len(page) for page in seen] == [250, 250, 100]
    assert [symbol for page in seen for symbol in page] == [
        instrument.symbol for instrument in MANY
    ]
    assert (len(usual["list"]), bool(usual["nextPageCursor"])) == (500, True)
    assert [row["symbol"] for row in one] == ["S007USDT"]


def test_no_instrument_is_of_a_special_type(client: Client) -> None:
    asked = {"category": "linear", "symbolType": "innovation"}

    assert client.public("/v5/market/instruments-info", **asked)["result"]["list"] == []


@pytest.mark.parametrize("category", ["spot", "inverse", "option"])
def test_other_categories_are_empty_but_well_formed(client: Client, category: str) -> None:
    for path in ("instruments-info", "tickers", "recent-trade"):
        answer = client.public(f"/v5/market/{path}", category=category)

        assert answer["retCode"] == 0, path
        assert answer["result"]["list"] == []
    assert client.get_raw("/v5/account/fee-rate", category=category).json()["retCode"] == 0


def test_announcements_of_maintenance_have_a_stream_of_their_own(client: Client) -> None:
    stream = Listener(client, "/v5/public/misc/status", "system.status")

    stream.send(op="subscribe", args=[f"tickers.{BTC}"])
    other = stream.next(lambda m: m.get("op") == "subscribe")
    stream.close()

    assert other["ret_msg"] == f"error:handler not found,topic:tickers.{BTC}"


def test_all_depths_of_the_book_begin_with_a_snapshot_of_that_depth(client: Client) -> None:
    for depth in (50, 200, 500, 1000):
        stream = Listener(client, "/v5/public/linear", f"orderbook.{depth}.{BTC}")
        first = stream.next(lambda message: "data" in message)
        stream.close()

        assert (first["type"], len(first["data"]["b"]), len(first["data"]["a"])) == (
            "snapshot",
            depth,
            depth,
        )


def test_leverages_are_told_of_flat_symbols_and_risk_limits_follow_by_themselves(
    client: Client,
) -> None:
    client.post("/v5/position/set-leverage", symbol=BTC, buyLeverage="7", sellLeverage="7")

    (row,) = client.get("/v5/position/symbol-info", symbol=BTC)["result"]["list"]
    limit = client.post("/v5/position/set-risk-limit", symbol=BTC, riskId=1)
    none = client.post("/v5/position/set-risk-limit", symbol=BTC, riskId=10_000)
    book = client.public("/v5/market/full_orderbook", category="linear", symbol=BTC)["result"]

    assert (row["leverage"], row["positionIdx"]) == ("7", 0)
    assert (limit["result"]["riskId"], none["retCode"]) == (1, 10001)
    assert len(book["b"]) == len(book["a"]) == 1000

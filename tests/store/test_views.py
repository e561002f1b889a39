"""The views for people, on both databases, and the queries that the documentation shows."""

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from domain.facts import ClosedCandle
from domain.market.instruments import Candle, Side
from domain.portfolio.protection import initial_state
from domain.trading.orders import ExitReason
from domain.trading.positions import Execution, ExecutionKind, Trade
from infra.settings import load_settings
from infra.store.location import Location
from infra.store.opening import open_store
from infra.store.reading import Reading, open_reading
from infra.store.views import NAMES

DAY_MS = 86_400_000
NOON_MS = 1_746_100_800_000  # 2025-05-01T12:00
ROOT = Path(__file__).resolve().parents[2]
QUERIES = re.findall(r"(?ms)^```sql\n(.*?)^```", (ROOT / "docs" / "sql.md").read_text())


def fill(number: int, side: Side, qty: str, price: str, **other: Any) -> Execution:
    return Execution(
        exec_id=f"{number}",
        asset="BTC",
        ts_ms=NOON_MS + number,
        kind=ExecutionKind.TRADE,
        side=side,
        qty=Decimal(qty),
        price=Decimal(price),
        fee=Decimal("0.1"),
        **other,
    )


FILLS = (
    # From flat to flat, in amounts that floats do not add up to zero.
    fill(1, Side.BUY, "0.1", "100"),
    fill(2, Side.BUY, "0.2", "100"),
    fill(3, Side.SELL, "0.3", "101"),
    # Open: a short of 2 at 95 on average, after one of 3 was reduced by 1.
    fill(4, Side.SELL, "1", "98"),
    fill(5, Side.SELL, "2", "93.5"),
    fill(6, Side.BUY, "1", "90"),
    replace(
        fill(7, Side.SELL, "0", "0"),
        kind=ExecutionKind.FUNDING,
        fee=Decimal(0),
        funding=Decimal("0.25"),
    ),
)


def trade(asset: str, day: int, pnl: str) -> Trade:
    return Trade(
        asset=asset,
        side=Side.SELL,
        entry_ms=NOON_MS + day * DAY_MS - 90_000,
        exit_ms=NOON_MS + day * DAY_MS,
        qty=Decimal(2),
        entry_price=Decimal(100),
        exit_price=Decimal(99),
        fees=Decimal("0.5"),
        funding=Decimal("-0.25"),
        pnl=Decimal(pnl),
        reason=ExitReason.TIME,
        decided_ms=None,
    )


@pytest.fixture(params=["sqlite", "postgres"])
def reading(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Reading]:
    location: Location = tmp_path / "journal.sqlite"
    if request.param == "postgres":
        location = request.getfixturevalue("cluster").new_address()
    store = open_store(location, lambda: NOON_MS, busy_timeout_ms=5_000)
    journal = store.open("execution/BTC", lambda: None)
    bitcoin = load_settings(None, environ={}, dotenv=None).trading_rules().asset("BTC")
    journal.record_asset(bitcoin)
    journal.record_asset(replace(bitcoin, leverage=Decimal(5)))
    candle = Candle(
        open_time_ms=NOON_MS,
        close_time_ms=NOON_MS + 300_000,
        open=90.0,
        high=95.0,
        low=89.0,
        close=91.5,
        volume=3.0,
    )
    first = initial_state(Decimal(10_000), NOON_MS)
    journal.append(
        ClosedCandle(asset="BTC", candle=candle),
        *FILLS,
        trade("BTC", 0, "1.5"),
        trade("BTC", 0, "-0.5"),
        trade("ETH", 0, "2"),
        trade("ETH", 1, "-4"),
        first,
        replace(first, t_ms=NOON_MS + 1, equity=Decimal(9_900)),
    )
    journal.close()
    with closing(open_reading(location)) as opened:
        yield opened
    store.release()


def test_an_asset_is_shown_as_it_was_stored_last(reading: Reading) -> None:
    (row,) = reading.rows("SELECT * FROM assets")

    assert (row["asset"], row["symbol"], float(row["leverage"])) == ("BTC", "BTCUSDT", 5)
    assert row["since_utc"] == "2025-05-01 12:00:00"


def test_what_is_open_is_shown_with_its_average_price_and_no_more(reading: Reading) -> None:
    (row,) = reading.rows("SELECT * FROM positions")

    assert (row["asset"], row["direction"], float(row["qty"])) == ("BTC", "short", 2)
    assert float(row["entry_price"]) == pytest.approx(95)
    assert float(row["unrealized_pnl"]) == pytest.approx(7)
    assert (float(row["fees"]), float(row["funding"])) == pytest.approx((0.3, 0.25))
    assert row["opened_ms"] == NOON_MS + 4


def test_a_trade_is_shown_with_times_that_can_be_read(reading: Reading) -> None:
    row = reading.rows("SELECT * FROM trades ORDER BY fact_id")[0]

    assert (row["direction"], row["entry_utc"]) == ("short", "2025-05-01 11:58:30")
    assert (row["exit_utc"], row["day"]) == ("2025-05-01 12:00:00", "2025-05-01")
    assert float(row["held_minutes"]) == 1.5
    assert float(row["return_fraction"]) == pytest.approx(0.0075)


def test_a_day_adds_up_by_asset_and_as_a_whole(reading: Reading) -> None:
    found_rows = reading.rows("SELECT * FROM daily_performance")
    rows = sorted(found_rows, key=lambda row: (row["day"], row["asset"]))

    found = [(row["day"], row["asset"], row["trades"], row["wins"], row["pnl"]) for row in rows]
    assert [(d, a, int(t), int(w), float(p)) for d, a, t, w, p in found] == [
        ("2025-05-01", "BTC", 2, 1, 1.0),
        ("2025-05-01", "ETH", 1, 1, 2.0),
        ("2025-05-01", "all", 3, 2, 3.0),
        ("2025-05-02", "ETH", 1, 0, -4.0),
        ("2025-05-02", "all", 1, 0, -4.0),
    ]
    assert float(rows[2]["end_equity"]) == 9_900
    assert float(rows[2]["end_drawdown_fraction"]) == pytest.approx(0.01)
    assert rows[0]["end_equity"] is None


def test_every_view_has_rows_of_the_candles_and_facts(reading: Reading) -> None:
    counts = {name: len(reading.rows(f"SELECT * FROM {name}")) for name in NAMES}

    assert counts == {
        "assets": 1,
        "market_data": 1,
        "positions": 1,
        "trades": 4,
        "daily_performance": 5,
    }


def test_the_documentation_shows_ten_queries() -> None:
    assert len(QUERIES) == 10


@pytest.mark.parametrize("query", QUERIES, ids=range(1, len(QUERIES) + 1))
def test_a_query_of_the_documentation_runs_on_both_databases(reading: Reading, query: str) -> None:
    found = reading.rows(query.strip().rstrip(";").replace("%", "%%"))

    assert isinstance(found, list)

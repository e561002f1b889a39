"""Trailing longs over twelve recorded pairs: the trades are the expected ones."""

import csv
from pathlib import Path

import pytest

from domain.backtesting.plain_loop import Backtest
from domain.backtesting.summary import in_order
from domain.market.instruments import DAY_MS, Side
from domain.trading.positions import Trade
from infra.candles.files import read_candles
from infra.settings import load_settings

MARKET = "binance_perp_2025-07_2025-09_12pairs"
FIRST_MS = 1_751_328_000_000
"""2025-07-01 00:00 UTC."""
PART_DAYS = 24
"""Ten of them warm up; the rest holds dozens of trades."""
SIDES = {Side.BUY: "long", Side.SELL: "short"}


def played(data: Path, until_ms: int | None = None) -> list[Trade]:
    settings = data / "expected" / f"{MARKET}.settings.yaml"
    rules = load_settings(settings, environ={}, dotenv=None).trading_rules()
    by_symbol = read_candles(
        data / "market" / MARKET,
        [asset.instrument.symbol for asset in rules.assets],
        candle_ms=rules.candles.candle_ms,
    )
    candles = {asset.asset: by_symbol[asset.instrument.symbol] for asset in rules.assets}
    if until_ms is not None:
        candles = {name: series.until(until_ms) for name, series in candles.items()}
    return in_order(Backtest(candles, rules).run().trades, list(candles))


def expected(data: Path) -> list[dict[str, str]]:
    with (data / "expected" / f"{MARKET}.trades.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def assert_same(trades: list[Trade], rows: list[dict[str, str]]) -> None:
    assert len(trades) == len(rows)
    for found, row in zip(trades, rows, strict=True):
        assert [found.asset, SIDES[found.side], found.entry_ms, found.exit_ms, found.reason] == [
            row["asset"],
            row["side"],
            int(row["entry_time_ms"]),
            int(row["exit_time_ms"]),
            row["reason"],
        ]
        for name in ("qty", "entry_price", "exit_price", "fees", "funding", "pnl"):
            value = pytest.approx(float(row[name]), rel=1e-6, abs=1e-12)
            assert float(getattr(found, name)) == value, (name, row)


def test_trades_of_the_first_weeks_are_the_expected_ones(shared_data: Path) -> None:
    until_ms = FIRST_MS + PART_DAYS * DAY_MS

    trades = played(shared_data, until_ms)

    rows = [row for row in expected(shared_data) if int(row["exit_time_ms"]) <= until_ms]
    assert {"STOP_LOSS", "TRAILING_STOP"} <= {row["reason"] for row in rows}
    assert_same(trades, rows)


@pytest.mark.complete
def test_trades_of_the_whole_market_are_the_expected_ones(shared_data: Path) -> None:
    rows = expected(shared_data)

    assert len(rows) == 499
    assert_same(played(shared_data), rows)

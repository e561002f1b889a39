"""The live system at a simulated exchange in lock-step: it must trade as the replay does.

REST, streams, journal and reconciliation are those that trade live; the rules are the same.
"""

import csv
import json
import os
import re
import subprocess
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from domain.market.candles import CandleSeries
from domain.market.instruments import HOUR_MS
from tests.programs import run_program
from tests.replay.runs import LIVELY, made_up_market

ROOT = Path(__file__).resolve().parents[2]
BYBIT = Path("bybit_perp_2025-04_2025-07")
MONEY = ("fees", "funding", "pnl")
"""The exchange reports them with eight decimals."""
DAY = 288

Row = dict[str, str]


def run(
    folder: Path, *arguments: object, timeout_s: float = 115, module: str = "bin.run_actors"
) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return run_program(
        *(module, *map(str, arguments)),
        cwd=folder,
        env=kept | {"PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1", "COLUMNS": "200"},
        timeout_s=timeout_s,
    )


def trades(
    folder: Path, name: str, *arguments: object, timeout_s: float = 115
) -> tuple[list[Row], str]:
    """Return the trades of a run, and its refusals as the summary counts them."""
    rows, printed = played(folder, name, *arguments, timeout_s=timeout_s)
    refusals = next(line for line in printed.splitlines() if line.startswith("Refusals:"))
    return rows, refusals


def played(
    folder: Path, name: str, *arguments: object, timeout_s: float = 115
) -> tuple[list[Row], str]:
    """Return the trades of a run, and what it printed."""
    file = folder / f"{name}.csv"
    given = (*arguments, "--run-dir", folder / name, "--trades", file)
    done = run(folder, *given, timeout_s=timeout_s)
    assert done.returncode == 0, done.stderr
    assert "Restarts: none" in done.stdout
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines)), done.stdout


def over_sockets(folder: Path, *arguments: object, timeout_s: float = 115) -> tuple[list[Row], str]:
    options = ("--mode", "sim", "--speed", "max", *arguments)
    return trades(folder, "sockets", *options, timeout_s=timeout_s)


def published_trades(shared_data: Path) -> list[Row]:
    with (shared_data / "expected" / f"{BYBIT}.trades.csv").open(newline="") as lines:
        return list(csv.DictReader(lines))


def assert_same(found: list[Row], expected: list[Row]) -> None:
    assert [without_money(row) for row in found] == [without_money(row) for row in expected]
    for one, other in zip(found, expected, strict=True):
        assert {k: float(one[k]) for k in MONEY} == pytest.approx(
            {k: float(other[k]) for k in MONEY}, abs=1e-7
        )


def without_money(row: Row) -> dict[str, str | float]:
    prices = {name: float(row[name]) for name in ("qty", "entry_price", "exit_price")}
    exact = {name: value for name, value in row.items() if name not in (*MONEY, *prices)}
    return exact | {name: round(price, 9) for name, price in prices.items()}


def _by_entry(row: Row) -> tuple[str, str]:
    return row["entry_time_ms"], row["asset"]


def write_candles(folder: Path, market: dict[str, CandleSeries]) -> None:
    for asset, series in market.items():
        with (folder / f"{asset}USDT.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("open_time", "open", "high", "low", "close", "volume"))
            for i in range(len(series)):
                c = series.candle(i)
                writer.writerow((c.open_time_ms, c.open, c.high, c.low, c.close, 1))


def write_funding(folder: Path, market: dict[str, CandleSeries]) -> None:
    """Write a settlement every quarter of an hour, each with its rate, for all but one asset."""
    for place, (asset, series) in enumerate(list(market.items())[:-1]):
        first_ms, last_ms = int(series.open_time_ms[0]), int(series.open_time_ms[-1])
        times = list(range(first_ms, last_ms, HOUR_MS // 4))
        rates = [(-1) ** i * (0.0002 + 0.00001 * i + 0.000003 * place) for i in range(len(times))]
        table = pa.table({"time_ms": pa.array(times, pa.int64()), "rate": pa.array(rates)})
        parquet.write_table(table, folder / f"{asset}USDT.funding.parquet")


def balance_of(printed: str) -> float:
    """Return the last balance that the summary of a run shows."""
    found = re.search(r"Balance \S+ -> (\S+) USDT", printed)
    assert found is not None, printed
    return float(found[1].replace(",", ""))


def test_recorded_candles_make_the_trades_of_the_replay(tmp_path: Path, shared_data: Path) -> None:
    candles = shared_data / "market" / BYBIT
    end = "2025-04-22"

    found, refusals = over_sockets(tmp_path, "--candles", candles, "--to", end)
    expected, expected_refusals = trades(tmp_path, "replay", "--candles", candles, "--to", end)

    assert len(found) > 10
    assert_same(found, expected)
    assert refusals == expected_refusals
    last_ms = max(int(row["exit_time_ms"]) for row in found)
    until_then = [
        row for row in published_trades(shared_data) if int(row["exit_time_ms"]) <= last_ms
    ]
    assert_same(sorted(found, key=_by_entry), sorted(until_then, key=_by_entry))


@pytest.mark.complete
@pytest.mark.timeout(900)
def test_three_months_make_the_published_trades(tmp_path: Path, shared_data: Path) -> None:
    candles = shared_data / "market" / BYBIT

    found, _ = over_sockets(tmp_path, "--candles", candles, timeout_s=850)

    expected = sorted(published_trades(shared_data), key=_by_entry)
    assert len(expected) == 177
    assert_same(sorted(found, key=_by_entry), expected)


def test_a_market_full_of_stops_and_emergencies_makes_the_trades_of_the_replay(
    tmp_path: Path,
) -> None:
    write_candles(tmp_path, made_up_market(5, 3 * DAY))
    settings = tmp_path / "lively.yaml"
    on_the_grid = {f"{asset}USDT": {"tick_size": "0.01"} for asset in ("BTC", "ETH", "SOL")}
    settings.write_text(json.dumps(LIVELY | {"instruments": on_the_grid}))
    given = ("--candles", tmp_path, "--settings", settings)

    found, refusals = over_sockets(tmp_path, *given)
    expected, expected_refusals = trades(tmp_path, "replay", *given)

    assert_same(found, expected)
    assert refusals == expected_refusals
    exits = Counter(row["reason"] for row in found)
    assert {"STOP_LOSS", "TAKE_PROFIT", "REGIME"} <= set(exits)
    assert exits.total() > 50


def test_trailing_stops_follow_each_price_of_a_candle_as_in_the_replay(tmp_path: Path) -> None:
    write_candles(tmp_path, made_up_market(7, 3 * DAY))
    settings = tmp_path / "lively.yaml"
    trailing = {"trail_pct": 0.003, "min_ratchet_pct": 0.0001}
    own = ({}, trailing, {**trailing, "strategy": "confirmed_trend_long"})
    assets = [a | more for a, more in zip(LIVELY["portfolio"]["assets"], own, strict=True)]
    changed = {
        "portfolio": LIVELY["portfolio"] | {"assets": assets},
        "confirmed_trend_long": {"ema_trigger_period": 5, "ema_trend_period": 20},
        "replay": LIVELY.get("replay", {}) | {"stop_gap_fraction": 0.3},
        "instruments": {f"{asset}USDT": {"tick_size": "0.01"} for asset in ("BTC", "ETH", "SOL")},
    }
    settings.write_text(json.dumps(LIVELY | changed))
    given = ("--candles", tmp_path, "--settings", settings)

    found, refusals = over_sockets(tmp_path, *given)
    expected, expected_refusals = trades(tmp_path, "replay", *given)

    assert_same(found, expected)
    assert refusals == expected_refusals
    exits = Counter((row["asset"], row["reason"]) for row in found)
    assert exits["BTC", "STOP_LOSS"]
    assert min(exits["ETH", "TRAILING_STOP"], exits["SOL", "TRAILING_STOP"]) > 5


def test_recorded_funding_is_settled_alike_by_backtest_replay_and_exchange(tmp_path: Path) -> None:
    market = made_up_market(5, 2 * DAY)
    write_candles(tmp_path, market)
    write_funding(tmp_path, market)
    settings = tmp_path / "lively.yaml"
    on_the_grid = {f"{asset}USDT": {"tick_size": "0.01"} for asset in market}
    settings.write_text(json.dumps(LIVELY | {"instruments": on_the_grid}))
    given = ("--candles", tmp_path, "--settings", settings)

    sockets = ("--mode", "sim", "--speed", "max")
    found, found_printed = played(tmp_path, "sockets", *sockets, *given)
    expected, expected_printed = played(tmp_path, "replay", *given)
    leapt = run(
        tmp_path, *given, "--trades", tmp_path / "leapt.csv", "--json", module="bin.backtest"
    )

    assert_same(found, expected)
    assert leapt.returncode == 0, leapt.stderr
    assert (tmp_path / "leapt.csv").read_bytes() == (tmp_path / "replay.csv").read_bytes()
    balance = float(json.loads(leapt.stdout)["final_balance"])
    assert balance_of(expected_printed) == pytest.approx(balance, abs=1e-5)
    assert balance_of(found_printed) == pytest.approx(balance, abs=1e-5)
    funded = [row for row in expected if float(row["funding"])]
    assert {row["asset"] for row in funded} >= {"BTC", "ETH"}
    assert any(float(row["funding"]) < 0 for row in funded), "the constant rate is never paid"


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (("--speed", "max"), "--speed max needs --mode sim and --candles DIR"),
        (("--speed", "max", "--candles", "."), "--speed max needs --mode sim and --candles DIR"),
        (("--mode", "sim", "--candles", "."), "--mode sim --candles DIR needs --speed max"),
        (("--speed", "3"), "simulation.speed in the settings"),
    ],
)
def test_options_that_do_not_go_together_are_told(
    tmp_path: Path, arguments: tuple[str, ...], wanted: str
) -> None:
    done = run(tmp_path, *arguments)

    assert done.returncode == 2
    assert wanted in done.stderr
    assert "Traceback" not in done.stderr

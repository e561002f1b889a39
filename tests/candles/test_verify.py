"""Each kind of damage is planted in a folder that was sound before, and must be told."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from bin.candles import app
from infra.candles.checks import Limits, check_folder

STEP = 300_000
HOUR = 3_600_000
BEGIN = 1_767_225_600_000
"""2026-01-01."""
ROWS = 600


def candles() -> dict[str, np.ndarray]:
    close = 100 + np.sin(np.arange(ROWS) / 20)
    opened = np.append(close[:1], close[:-1])
    return {
        "open_time": BEGIN + STEP * np.arange(ROWS, dtype=np.int64),
        "open": opened,
        "high": np.maximum(opened, close),
        "low": np.minimum(opened, close),
        "close": close,
        "volume": np.ones(ROWS),
    }


def funding() -> dict[str, np.ndarray]:
    return {
        "time_ms": BEGIN + 8 * HOUR * np.arange(90, dtype=np.int64),
        "rate": np.full(90, 0.0001),
    }


def write(file: Path, columns: dict[str, np.ndarray]) -> None:
    pq.write_table(pa.table(columns), file)


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "BTCUSDT.parquet", candles())
    write(tmp_path / "BTCUSDT.funding.parquet", funding())
    return tmp_path


def found(folder: Path, *, limits: Limits | None = None) -> dict[str, dict[str, int]]:
    reports = check_folder(folder, limits or Limits(), None)
    return {
        report.path.name: {finding.kind: finding.count for finding in report.findings}
        for report in reports
        if report.findings
    }


def without(columns, *places):
    return {name: np.delete(values, places) for name, values in columns.items()}


def at(columns, place, **values):
    for name, value in values.items():
        columns[name][place] = value
    return columns


def doubled(columns, place):
    return {name: np.insert(v, place, v[place]) for name, v in columns.items()}


def swapped(columns, place):
    for values in columns.values():
        values[[place, place + 1]] = values[[place + 1, place]]
    return columns


def test_a_sound_folder_has_no_findings(folder):
    end = CliRunner().invoke(app, ["verify", str(folder)])

    assert found(folder) == {}
    assert end.exit_code == 0
    assert "BTCUSDT.parquet" in end.stdout


@pytest.mark.parametrize(
    ("damaged", "told"),
    [
        (without(candles(), 100, 101, 300), {"gap": 2}),
        (doubled(candles(), 100), {"duplicate": 1}),
        (at(candles(), 100, open_time=BEGIN + 100 * STEP + 7), {"off-grid": 1, "gap": None}),
        (
            at(candles(), 0, open_time=1_767_225_600),
            {"outside 2009 to 2100": 1, "gap": 1},
        ),
        (at(candles(), 9, close=np.nan), {"impossible close": 1}),
        (at(candles(), 9, high=50.0), {"impossible high": 1, "impossible open": 1}),
        (at(candles(), 9, volume=-1.0), {"impossible volume": 1}),
        (at(candles(), 9, low=60.0), {"range of a candle": 1}),
        (
            at(candles(), 9, high=103.0, close=103.0),
            {"jump between candles": 1},
        ),
        (without(candles(), *range(ROWS)), {"empty": 1}),
        ({"open_time": np.arange(3)}, {"unreadable": 1}),
    ],
    ids=lambda value: "+".join(value) if all(type(v) is int for v in value.values()) else "",
)
def test_damaged_candles_are_told(folder, damaged, told):
    write(folder / "BTCUSDT.parquet", damaged)

    end = CliRunner().invoke(app, ["verify", str(folder)])

    ours = found(folder)["BTCUSDT.parquet"]
    assert {kind: ours.get(kind) for kind in told} == told
    assert set(found(folder)) == {"BTCUSDT.parquet"}
    assert end.exit_code == 1
    assert all(f"BTCUSDT.parquet: {kind}: " in end.stdout for kind in told if told[kind])


def test_disorder_is_told_and_where(folder):
    write(folder / "BTCUSDT.parquet", swapped(candles(), 100))

    end = CliRunner().invoke(app, ["verify", str(folder)])

    assert found(folder)["BTCUSDT.parquet"]["out of order"] == 1
    assert "out of order: 2026-01-01T08:20:00Z after 2026-01-01T08:25:00Z" in end.stdout


def test_a_gap_is_told_with_its_candles_and_its_place(folder):
    write(folder / "BTCUSDT.parquet", without(candles(), 100, 101))

    end = CliRunner().invoke(app, ["verify", str(folder)])

    assert "BTCUSDT.parquet: gap: 2 candles after 2026-01-01T08:15:00Z\n" in end.stdout


@pytest.mark.parametrize(
    ("damaged", "told"),
    [
        (without(funding(), 10), {"gap": 1}),
        (without(funding(), 10, 11), {"gap": 1}),
        (doubled(funding(), 10), {"duplicate": 1}),
        (swapped(funding(), 10), {"out of order": 1}),
        (at(funding(), 10, time_ms=BEGIN + 80 * HOUR + 60_000), {"off-grid": 1}),
        (at(funding(), 10, rate=np.inf), {"impossible rate": 1}),
        (at(funding(), 10, rate=-0.05), {"suspicious rate": 1}),
        (without(funding(), *range(90)), {"empty": 1}),
        ({"time_ms": np.arange(3)}, {"unreadable": 1}),
    ],
    ids=lambda value: "+".join(value) if all(type(v) is int for v in value.values()) else "",
)
def test_damaged_funding_is_told(folder, damaged, told):
    write(folder / "BTCUSDT.funding.parquet", damaged)

    ours = found(folder)

    assert set(ours) == {"BTCUSDT.funding.parquet"}
    assert {kind: ours["BTCUSDT.funding.parquet"].get(kind) for kind in told} == told


def test_an_interval_that_the_exchange_changed_is_no_gap(folder):
    hours = np.concatenate([np.arange(0, 80, 8), np.arange(80, 120, 4), np.arange(120, 160, 1)])
    hours = np.append(hours, np.arange(160, 240, 8))
    times = BEGIN + HOUR * hours.astype(np.int64)
    columns = {"time_ms": times, "rate": np.zeros(len(times))}

    write(folder / "BTCUSDT.funding.parquet", columns)
    sound = found(folder)
    write(folder / "BTCUSDT.funding.parquet", without(columns, 14))

    assert sound == {}
    assert found(folder)["BTCUSDT.funding.parquet"] == {"gap": 1}


def test_limits_decide_what_is_suspicious(folder):
    tight = Limits(jump=-1.0, range=0.0, funding_rate=0.00005)

    ours = found(folder, limits=tight)

    assert set(ours["BTCUSDT.parquet"]) == {"jump between candles", "range of a candle"}
    assert ours["BTCUSDT.funding.parquet"] == {"suspicious rate": 90}


def test_csv_is_checked_and_a_twin_told(folder):
    (folder / "BTCUSDT.csv").write_text("open_time,open,high,low,close,volume\n1,2,x,4,5,6\n")

    ours = found(folder)

    assert ours["BTCUSDT.csv"] == {"second file": 1, "unreadable": 1, "empty": 1}
    assert ours["BTCUSDT.parquet"] == {"second file": 1}


def test_no_file_of_another_kind_is_taken_for_a_second_one(folder):
    hours = {**candles(), "open_time": BEGIN + HOUR * np.arange(ROWS, dtype=np.int64)}
    for name in ("BTCUSDT.mark_1h.parquet", "BTCUSDT.mark_1h.csv", ".BTCUSDT.parquet.csv"):
        write(folder / name, hours)

    assert found(folder) == {}


def test_funding_under_other_names_is_checked_and_in_another_format_refused(folder):
    theirs = {"open_time": funding()["time_ms"], "funding_rate": funding()["rate"]}
    write(folder / "BTCUSDT.funding.parquet", theirs)
    sound = found(folder)
    half = {"open_time": theirs["open_time"], "rate": theirs["funding_rate"]}
    write(folder / "BTCUSDT.funding.parquet", half)
    mixed = found(folder)
    (folder / "ETHUSDT.funding.csv").write_text("time_ms,rate\n")

    end = CliRunner().invoke(app, ["verify", str(folder)])

    assert (sound, mixed) == ({}, {})
    assert end.exit_code == 1
    assert "found funding that is not read, expected ETHUSDT.funding.parquet" in end.stdout
    assert "second file" not in end.stdout


def test_a_folder_without_candles_is_a_wrong_use(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        end = CliRunner().invoke(app, ["verify", str(folder)])

        assert end.exit_code == 2
        assert end.stderr.count("\n") == 1

"""The command as a user meets it: a real process, its words, its files and its exit code."""

import csv
import json
import subprocess
from pathlib import Path

import pytest

from tests.command.test_run_actors import BYBIT, environment, rows
from tests.programs import run_program

KEYS = {
    "trades",
    "final_balance",
    "total_return",
    "cagr",
    "sharpe",
    "sortino",
    "calmar",
    "max_drawdown",
    "max_drawdown_start",
    "max_drawdown_end",
    "win_rate",
    "profit_factor",
    "expectancy",
    "average_hold_minutes",
    "exposure_time",
    "fees",
    "funding",
    "exits_by_reason",
    "refusals_by_reason",
    "per_asset",
    "engine_seconds",
    "candles",
}
START_MS = 1_743_465_600_000


def run(tmp_path: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    words = ("bin.backtest", *map(str, arguments))
    return run_program(*words, cwd=tmp_path, env=environment(), timeout_s=110)


@pytest.fixture
def candles(tmp_path: Path) -> Path:
    """Return a folder with an hour of candles of each asset."""
    folder = tmp_path / "candles"
    folder.mkdir()
    lines = [f"{START_MS + i * 300_000},10,11,9,10,1" for i in range(12)]
    text = "\n".join(["open_time,open,high,low,close,volume", *lines])
    for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT"):
        (folder / f"{symbol}.csv").write_text(text)
    return folder


def test_trades_and_figures_of_real_candles_are_those_of_the_actors(
    tmp_path: Path, shared_data: Path
) -> None:
    span = ("--candles", shared_data / BYBIT, "--to", "2025-05-10", "--trades")
    quiet = ("--no-progress", "--run-dir", "run")
    words = ("bin.run_actors", *map(str, span), "actors.csv", *quiet)
    actors = run_program(*words, cwd=tmp_path, env=environment(), timeout_s=110)

    done = run(tmp_path, *span, "trades.csv", "--equity", "equity.csv")

    assert (actors.returncode, done.returncode, done.stderr) == (0, 0, "")
    assert len(rows(tmp_path / "trades.csv")) > 30
    assert (tmp_path / "trades.csv").read_bytes() == (tmp_path / "actors.csv").read_bytes()
    balance = next(line for line in done.stdout.splitlines() if line.startswith("Balance"))
    assert balance in actors.stdout
    equity = rows(tmp_path / "equity.csv")
    assert list(equity[0]) == ["time_ms", "balance", "equity"]
    assert f"{float(equity[-1]['balance']):,.6f}" in balance


def test_the_whole_set_gives_the_expected_trades(tmp_path: Path, shared_data: Path) -> None:
    expected = rows(shared_data / "expected" / f"{BYBIT.name}.trades.csv")

    done = run(
        tmp_path, "--candles", shared_data / BYBIT, "--trades", tmp_path / "out.csv", "--json"
    )

    found = json.loads(done.stdout)
    assert set(found) >= KEYS
    assert found["trades"] == len(expected) == 177
    assert found["final_balance"] == pytest.approx(8341.578166, abs=5e-7)
    assert found["exits_by_reason"] == {"REGIME": 176, "TAKE_PROFIT": 1}
    assert found["refusals_by_reason"] == {"CORRELATION": 159, "GLOBAL_COOLDOWN": 148}
    assert found["per_asset"]["ETH"]["trades"] == 63
    assert found["candles"] == 77_757
    names = ("asset", "entry_time_ms", "exit_time_ms", "reason")
    with (tmp_path / "out.csv").open(newline="") as file:
        assert [[row[name] for name in names] for row in csv.DictReader(file)] == [
            [row[name] for name in names] for row in expected
        ]


def test_without_a_trade_figures_are_null_and_nothing_fails(tmp_path: Path, candles: Path) -> None:
    done = run(tmp_path, "--candles", candles, "--balance", "500", "--json")
    shown = run(tmp_path, "--candles", candles)

    found = json.loads(done.stdout)
    assert (found["trades"], found["final_balance"], found["total_return"]) == (0, 500.0, 0.0)
    for name in ("sharpe", "sortino", "calmar", "win_rate", "profit_factor", "expectancy"):
        assert found[name] is None
    assert found["max_drawdown"] == 0.0
    assert found["max_drawdown_start"] is None
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "36 candles" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--balance", "much"], "--balance much: expected USDT, a number from 1 to 1E12"),
        (["--balance", "nan"], "--balance nan: expected USDT"),
        (["--balance", "0.5"], "--balance 0.5: expected USDT"),
        (["--from", "yesterday"], "--from yesterday: not an ISO time"),
        (["--to", "2031-01-01"], "expected a range within"),
        (["--trades", "no/such/folder/t.csv"], "the trades cannot be written: No such file"),
        (["--equity", "no/such/folder/e.csv"], "the equity cannot be written: No such file"),
    ],
)
def test_wrong_use_is_told_in_a_line_without_a_traceback(
    tmp_path: Path, candles: Path, arguments: list[str], words: str
) -> None:
    done = run(tmp_path, "--candles", candles, *arguments)

    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_folder_without_candles_is_named(tmp_path: Path) -> None:
    done = run(tmp_path, "--candles", tmp_path)

    assert done.returncode == 2
    assert "BTCUSDT.parquet" in done.stderr
    assert "Traceback" not in done.stderr


def test_settings_that_hardly_do_what_was_meant_run_and_are_told(
    tmp_path: Path, candles: Path
) -> None:
    settings = tmp_path / "my.yaml"
    settings.write_text("portfolio: {max_position_size_pct: 0.05}\n")

    done = run(tmp_path, "--candles", candles, "--settings", settings)

    assert done.returncode == 0
    assert "my.yaml:1: portfolio.max_position_size_pct: found 0.05; probably meant" in done.stderr

"""The command as a user meets it: a real process, its words and its exit code."""

import csv
import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import pytest

from infra.process.times import read_time
from tests.programs import run_program

ROOT = Path(__file__).resolve().parents[2]
BYBIT = Path("market") / "bybit_perp_2025-04_2025-07"
EXACT = ("asset", "side", "entry_time_ms", "exit_time_ms", "reason")
LOOK_EVERY_S = 0.05
CLOSE = ("entry_price", "exit_price", "fees", "funding", "pnl")


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "bin.run_actors", *map(str, arguments)]


def environment(**more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return (
        kept
        | {"PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1", "WEB_ENABLED": "false", "COLUMNS": "200"}
        | more
    )


def run(tmp_path: Path, *arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
    words = ("bin.run_actors", *map(str, arguments))
    return run_program(*words, cwd=tmp_path, env=environment(**more), timeout_s=110)


def replay(tmp_path: Path, candles: Path, *more: object) -> subprocess.CompletedProcess[str]:
    run_dir = tmp_path / "run"
    trades = tmp_path / "trades.csv"
    return run(tmp_path, "--candles", candles, "--run-dir", run_dir, "--trades", trades, *more)


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.fixture
def candles(tmp_path: Path) -> Path:
    """Return a folder with an hour of candles of each asset."""
    folder = tmp_path / "candles"
    folder.mkdir()
    for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT"):
        lines = [f"{1_743_465_600_000 + i * 300_000},10,11,9,10,1" for i in range(12)]
        text = "\n".join(["open_time,open,high,low,close,volume", *lines])
        (folder / f"{symbol}.csv").write_text(text + "\n")
    return folder


@pytest.mark.parametrize(
    "until", ["2025-05-20", pytest.param(None, marks=pytest.mark.complete, id="all")]
)
def test_real_candles_give_the_expected_trades_and_balance(
    tmp_path: Path, shared_data: Path, until: str | None
) -> None:
    expected = rows(shared_data / "expected" / f"{BYBIT.name}.trades.csv")
    span = () if until is None else ("--to", until)
    if until is not None:
        until_ms = read_time("--to", until)
        expected = [row for row in expected if int(row["exit_time_ms"]) <= until_ms]

    done = replay(tmp_path, shared_data / BYBIT, "--mode", "replay", "--no-progress", *span)

    found = rows(tmp_path / "trades.csv")
    assert done.returncode == 0, done.stderr
    assert len(found) > 50
    assert [[row[key] for key in EXACT] for row in found] == [
        [row[key] for key in EXACT] for row in expected
    ]
    assert [Decimal(row["qty"]) for row in found] == [Decimal(row["qty"]) for row in expected]
    for key in CLOSE:
        assert [float(row[key]) for row in found] == pytest.approx(
            [float(row[key]) for row in expected], rel=1e-6, abs=1e-12
        )
    if until is None:
        assert "8,341.578166 USDT" in done.stdout
        assert "Refusals: CORRELATION 159, GLOBAL_COOLDOWN 148" in done.stdout


def test_crashes_at_random_leave_the_same_file_byte_for_byte(
    tmp_path: Path, shared_data: Path
) -> None:
    span = ("--to", "2025-04-25", "--no-progress")
    replay(tmp_path, shared_data / BYBIT, *span)
    undisturbed = (tmp_path / "trades.csv").read_bytes()

    done = replay(tmp_path, shared_data / BYBIT, *span, "--drill", "crash=0.01", "--seed", 3)

    assert done.returncode == 0, done.stderr
    assert done.stderr.count("DrillError") > 200
    assert (tmp_path / "trades.csv").read_bytes() == undisturbed
    assert undisturbed.count(b"\n") > 15


def test_a_suspended_asset_is_named_and_the_run_goes_on(tmp_path: Path, candles: Path) -> None:
    done = replay(tmp_path, candles, "--drill", "suspend=ETH@2025-04-01T00:30")

    assert done.returncode == 0
    assert "asset/ETH was given up: suspend drill" in done.stdout
    assert "36 candles" in done.stdout


def test_a_poisoned_asset_is_given_up_after_its_limit(tmp_path: Path, candles: Path) -> None:
    quick = tmp_path / "quick.yaml"
    quick.write_text("supervision: {max_restarts: 2, backoff_initial_seconds: 0.01}")

    done = replay(tmp_path, candles, "--drill", "poison=ETH@2025-04-01T00:30", "--settings", quick)

    assert done.returncode == 0
    assert "asset/ETH was given up: DrillError: poison drill" in done.stdout
    assert "Restarts: asset/ETH 2\n" in done.stdout


WRONG = {
    "no such folder": (["--candles", "nowhere"], ["nowhere"]),
    "unknown drill": (["--drill", "explode=1"], ["--drill explode=1", "crash=P"]),
    "drill of an unknown asset": (["--drill", "suspend=XRP@2025-04-01"], ["BTC, ETH, SOL"]),
    "probability over one": (["--drill", "crash=2"], ["crash=2", "below 1"]),
    "time that is none": (["--from", "yesterday"], ["--from yesterday", "ISO"]),
    "time outside the data": (["--from", "2031-01-01"], ["2031"]),
    "no such settings": (["--settings", "nowhere.yaml"], ["nowhere.yaml"]),
    "mode that is none": (["--mode", "dream"], ["dream", "replay"]),
    "trades into no folder": (["--trades", "nowhere/x.csv"], ["nowhere/x.csv"]),
}


@pytest.mark.parametrize("wrong", WRONG, ids=list(WRONG))
def test_wrong_use_is_told_in_a_line_without_a_traceback(
    tmp_path: Path, candles: Path, wrong: str
) -> None:
    arguments, words = WRONG[wrong]

    done = run(tmp_path, "--candles", candles, "--run-dir", tmp_path / "run", *arguments)

    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr


def test_all_wrong_settings_are_told_at_once(tmp_path: Path, candles: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "risk:\n  stop_loss_pct: 1.5\n  take_profit: 0.06\nstrategy:\n  ema_short_period: 700\n"
    )

    done = replay(tmp_path, candles, "--settings", "mine.yaml")

    assert done.returncode == 2
    assert "mine.yaml:2: risk.stop_loss_pct" in done.stderr
    assert "did you mean take_profit_pct" in done.stderr
    assert "ema_short_period" in done.stderr


def test_without_candles_the_option_is_named(tmp_path: Path) -> None:
    done = run(tmp_path, "--mode", "replay")

    assert done.returncode == 2
    assert "--mode replay needs --candles DIR" in done.stderr


def test_the_journal_of_another_mode_is_never_replaced(tmp_path: Path, candles: Path) -> None:
    replay(tmp_path, candles)
    file = tmp_path / "run" / "journal.sqlite"
    with sqlite3.connect(file) as database:
        database.execute("UPDATE meta SET value = 'live' WHERE key = 'mode'")
    database.close()

    done = replay(tmp_path, candles)

    assert done.returncode == 2
    assert "holds the facts of mode live" in done.stderr
    database = sqlite3.connect(file)
    assert database.execute("SELECT value FROM meta WHERE key = 'mode'").fetchall() == [("live",)]
    database.close()


def test_a_replay_may_be_repeated_in_its_directory(tmp_path: Path, candles: Path) -> None:
    first = replay(tmp_path, candles)
    second = replay(tmp_path, candles)

    assert (first.returncode, second.returncode) == (0, 0)
    assert "36 candles" in second.stdout


def test_logs_are_json_lines_with_actor_and_asset(tmp_path: Path, shared_data: Path) -> None:
    replay(tmp_path, shared_data / BYBIT, "--to", "2025-04-17")

    lines = (tmp_path / "run" / "logs" / "replay.jsonl").read_text().splitlines()

    entries = [json.loads(line) for line in lines]
    entry = next(entry for entry in entries if entry.get("kind") == "entry")
    assert entry["actor"] == "notifier"
    assert isinstance(entry["trace_id"], int)
    assert entry["message"].startswith("📉 BTC: SHORT opened; Entry $83,832.2; Qty 0.083 BTC")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_by_signal_ends_in_order_with_the_summary(
    tmp_path: Path, shared_data: Path, number: signal.Signals
) -> None:
    arguments = ["--candles", shared_data / BYBIT, "--run-dir", tmp_path / "run"]
    process = subprocess.Popen(
        command(*arguments, "--trades", tmp_path / "trades.csv"),
        cwd=tmp_path,
        env=environment(LOG_LEVEL="DEBUG"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    log = tmp_path / "run" / "logs" / "replay.jsonl"
    _wait_for_a_line(log, process)

    process.send_signal(number)
    shown, errors = process.communicate(timeout=60)

    assert process.returncode == 0, errors
    assert "(ended early)" in shown
    assert "Trades" in shown
    assert (tmp_path / "trades.csv").exists()


def test_two_runs_cannot_share_a_directory(tmp_path: Path, shared_data: Path) -> None:
    arguments = ["--candles", shared_data / BYBIT, "--run-dir", tmp_path / "run"]
    first = subprocess.Popen(
        command(*arguments),
        cwd=tmp_path,
        env=environment(LOG_LEVEL="DEBUG"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _wait_for_a_line(tmp_path / "run" / "logs" / "replay.jsonl", first)

    second = run(tmp_path, *arguments)
    first.send_signal(signal.SIGKILL)
    first.wait(60)
    third = run(tmp_path, *arguments, "--to", "2025-04-05")

    assert second.returncode == 2
    assert "another run uses this directory" in second.stderr
    assert third.returncode == 0, third.stderr


def _wait_for_a_line(log: Path, process: "subprocess.Popen[str] | subprocess.Popen[bytes]") -> None:
    """Wait until the run has logged something, so that it is known to be under way."""
    while not (log.exists() and log.read_bytes()):
        assert process.poll() is None, "the run ended before it logged anything"
        # A look that spins would take the time of what it waits for.
        with suppress(subprocess.TimeoutExpired):
            process.wait(LOOK_EVERY_S)

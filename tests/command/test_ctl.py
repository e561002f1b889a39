"""bin/ctl at the default run: real processes, killed by real signals."""

import getpass
import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.operator.control.token import read_address
from tests.actors.test_dead_letters import CANDLE, REJECTED
from tests.actors.test_kept_dead_letters import crash_over
from tests.command.test_sim_run import PATIENCE_S, QUICK, ROOT, SimRun, journal
from tests.programs import run_program

DONE, REFUSED, WRONG_USE, NOT_RUNNING, UNCONFIRMED, LATE = range(6)


Start = Callable[..., SimRun]
"""Starts the run with more settings than the quick ones."""


def ctl(run_dir: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run_program(
        *("bin.ctl", "--run-dir", str(run_dir), *words),
        cwd=run_dir.parent,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"},
        timeout_s=PATIENCE_S,
    )


def told(run_dir: Path, *words: str) -> Any:
    found = ctl(run_dir, "--json", *words)
    assert found.returncode == DONE, found
    return json.loads(found.stdout)


def wait(wanted: Callable[[], Any], run: SimRun) -> Any:
    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s:
        found = wanted()
        if found:
            return found
        assert run.process.poll() is None, run.shown()
    raise AssertionError(run.shown())


def wait_for_commands(run: SimRun) -> None:
    run.wait_for(lambda line: "commands are accepted at" in line)


def is_in_panic(run: SimRun) -> bool:
    data = told(run.run_dir, "status")["data"]
    return data["panic_since_ms"] is not None and not data["not_flat"]


def set_aside(run_dir: Path) -> list[str]:
    return [each["id"] for each in told(run_dir, "deadletters")["data"]["letters"]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    runs: list[SimRun] = []

    def begin(more: str = "") -> SimRun:
        runs.append(SimRun(tmp_path, more))
        return runs[-1]

    yield begin
    for run in runs:
        if run.process.poll() is None:
            run.process.kill()
            run.process.wait(60)
        run.out.close()


def test_pauses_and_panics_outlive_kills_and_come_by_file_and_signal(
    start: Start, tmp_path: Path
) -> None:
    dropped, left = crash_over(tmp_path / "run", REJECTED, CANDLE)
    run = start()
    run_dir = run.run_dir
    wait_for_commands(run)
    assert told(run_dir, "pause", "btc")["title"].startswith("BTC")
    restarted = told(run_dir, "restart", "asset/ETH")["data"]
    assert (restarted["old_generation"], restarted["new_generation"]) == (1, 2)
    assert len(restarted["went_on"]) == restarted["others"] > 5
    assert ctl(run_dir, "panic").returncode == UNCONFIRMED
    assert ctl(run_dir, "rearm", "--yes").returncode == REFUSED
    assert ctl(run_dir, "restart", "asset/DOGE").returncode == REFUSED
    assert ctl(run_dir, "log", "loud").returncode == WRONG_USE
    wait(lambda: set_aside(run_dir) == [dropped, left], run)
    told(run_dir, "drop", dropped)
    run.end(signal.SIGKILL)
    # Nobody is there to answer; the next start does what is asked.
    assert ctl(run_dir, "panic", "--yes").returncode == LATE

    run = start()
    wait_for_commands(run)
    wait(lambda: is_in_panic(run), run)
    wait(lambda: set_aside(run_dir) == [left], run)
    assert not (run_dir / "PANIC").exists()
    run.end(signal.SIGKILL)

    run = start()
    wait_for_commands(run)
    wait(lambda: is_in_panic(run), run)
    assert told(run_dir, "status")["data"]["paused"] == ["BTC"]
    told(run_dir, "rearm", "--yes")
    assert not is_in_panic(run)
    run.process.send_signal(signal.SIGUSR2)
    wait(lambda: is_in_panic(run), run)
    assert not any(float(row["size"]) for row in run.exchange("/sim/state")["positions"])
    assert run.end(signal.SIGINT) == 0, run.shown()
    assert "Traceback" not in run.shown()

    assert ctl(run_dir, "status").returncode == NOT_RUNNING
    trail = told(run_dir, "audit", "--asset", "BTC")
    paused = next(entry["what"] for entry in trail if entry["kind"] == "operator_command")
    assert paused.endswith("pause BTC -> BTC: nothing is opened until resume")
    whole = [entry["what"] for entry in told(run_dir, "audit", "--last", "1000")]
    for who in (", by the file: panic", "SIGUSR2: panic", ": rearm", ": status"):
        assert any(who in what for what in whole), who


HURRIED = """
control: {requests_per_second: 100}
risk: {take_profit_pct: %s, stop_loss_pct: %s}
notifications: {report_time: "%s"}
"""


def test_changed_settings_are_told_and_every_deed_is_in_the_audit_with_its_cause(
    start: Start, tmp_path: Path
) -> None:
    run = start(HURRIED % ("0.06", "0.0151", "00:05"))
    run_dir = run.run_dir
    run.wait_for(lambda line: "SHORT closed" in line)
    wait_for_commands(run)
    assert ctl(run_dir, "reload", "--json").returncode == DONE
    assert run.end(signal.SIGINT) == 0, run.shown()
    assert not any("Settings changed" in line for line in run.lines())

    run = start(HURRIED % ("0.06", "0.0152", "00:06"))
    line = run.wait_for(lambda line: "Settings changed" in line)
    assert "risk.stop_loss_pct: 0.0151 -> 0.0152" in line
    wait_for_commands(run)
    (tmp_path / "quick.yaml").write_text(QUICK + HURRIED % ("0.061", "0.0152", "12:00"))
    reloaded = told(run_dir, "reload")
    assert reloaded["data"]["changed"] == {"notifications.report_time": "00:06 -> 12:00"}
    assert reloaded["data"]["refused"] == {"risk.take_profit_pct": "0.06 -> 0.061"}
    assert ctl(run_dir, "reload").returncode == REFUSED
    (tmp_path / "quick.yaml").write_text("risk: {stop_loss_pct: 7}")
    assert ctl(run_dir, "reload").returncode == REFUSED
    regimes = told(run_dir, "regimes")
    assert regimes["lines"][-1].startswith("ACTIVE ")
    token = (run_dir / "control.token").read_text()
    (run_dir / "control.token").write_text("x" * 43)
    assert ctl(run_dir, "panic", "--yes").returncode == REFUSED
    (run_dir / "control.token").write_text(token)
    assert told(run_dir, "status")["data"]["panic_since_ms"] is None
    assert run.end(signal.SIGINT) == 0, run.shown()

    trail = told(run_dir, "audit", "--last", "100000")
    by_kind = {kind: [e for e in trail if e["kind"] == kind] for kind in {e["kind"] for e in trail}}
    assert {"grant", "intent", "order_update", "execution", "trade"} <= by_kind.keys()
    assert [entry["what"].partition(": ")[0] for entry in by_kind["settings_change"]] == [
        "at the start",
        f"http/ctl-{getpass.getuser()}",
    ]
    assert any("access POST /panic" in e["what"] for e in by_kind["operator_command"])
    assert [entry for entry in trail if entry["kind"] != "asset" and not entry["trace_id"]] == []


WIDE = "\nrisk: {stop_loss_pct: 0.05, take_profit_pct: 0.3}\n"


def test_a_lost_journal_with_positions_open_opens_nothing_until_rearm(start: Start) -> None:
    run = start(WIDE)
    wait_for_commands(run)
    run.exchange("/sim/position", symbol="SOLUSDT", action="open", qty="1", side="Sell")
    run.end(signal.SIGKILL)
    for file in run.run_dir.glob("journal.sqlite*"):
        file.unlink()

    run = start(WIDE)
    notice = run.wait_for(lambda line: "the journal is lost" in line)
    assert "SOL" in notice
    assert "rearm" in notice
    # Killed once more: what holds is a fact.
    run.end(signal.SIGKILL)

    run = start(WIDE)
    wait_for_commands(run)
    status = told(run.run_dir, "status")
    assert status["data"]["is_halted"]
    for question in ("status", "risk", "health"):
        assert "HALTED until rearm" in ctl(run.run_dir, question).stdout, question
    address = read_address(run.run_dir)
    assert address is not None
    with urllib.request.urlopen(f"{address.url}/metrics", timeout=30) as page:
        assert "\ntrading_halted 1.0\n" in page.read().decode()
    (held,) = (row for row in run.exchange("/sim/state")["positions"] if row["symbol"] == "SOLUSDT")
    assert float(held["size"])
    assert float(held["stopLoss"])
    assert journal(run.run_dir, "SELECT fact_id FROM decision_grant") == []

    assert "rearmed" in told(run.run_dir, "rearm", "--yes")["title"]
    assert not told(run.run_dir, "status")["data"]["is_halted"]
    assert run.end(signal.SIGINT) == 0, run.shown()


def test_where_nothing_runs_it_says_how_to_start(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()

    found = ctl(tmp_path / "run", "status")

    assert found.returncode == NOT_RUNNING
    assert "bin/run-actors" in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize("words", [["pause"], ["trades", "x"], ["sell"], ["audit"]])
def test_wrong_use_is_one_clear_error(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "run").mkdir()

    found = ctl(tmp_path / "run", *words)

    assert found.returncode == WRONG_USE
    assert "Traceback" not in found.stderr


def test_help_about_a_command_needs_no_run(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()

    found, unknown = ctl(tmp_path / "run", "help", "pause"), ctl(tmp_path / "run", "help", "fly")

    assert found.returncode == 0
    assert "Usage: bin/ctl pause" in found.stdout
    assert "Open no new positions." in found.stdout
    assert unknown.returncode == 2
    assert unknown.stderr == "'fly' is not a command; help lists all\n"

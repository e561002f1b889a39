"""bin/ctl at the default run: real processes, killed by real signals."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.command.test_sim_run import PATIENCE_S, ROOT, SimRun

DONE, REFUSED, WRONG_USE, NOT_RUNNING, UNCONFIRMED = range(5)


def ctl(run_dir: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bin.ctl", "--run-dir", str(run_dir), *words],
        check=False,
        cwd=run_dir.parent,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
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
    run.wait_for(lambda line: "commands are taken at" in line)


def is_in_panic(run: SimRun) -> bool:
    data = told(run.run_dir, "status")["data"]
    return data["panic_since_ms"] is not None and not data["not_flat"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], SimRun]]:
    runs: list[SimRun] = []

    def begin() -> SimRun:
        runs.append(SimRun(tmp_path))
        return runs[-1]

    yield begin
    for run in runs:
        if run.process.poll() is None:
            run.process.kill()
            run.process.wait(60)
        run.out.close()


def test_pauses_and_panics_outlive_kills_and_come_by_file_and_signal(
    start: Callable[[], SimRun],
) -> None:
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
    # Asked for, and killed before anybody could act.
    os.kill(run.process.pid, signal.SIGSTOP)
    (run_dir / "PANIC").touch()
    run.end(signal.SIGKILL)

    run = start()
    wait_for_commands(run)
    wait(lambda: is_in_panic(run), run)
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
    for who in ("the file PANIC: panic", "SIGUSR2: panic", ": rearm", ": status"):
        assert any(who in what for what in whole), who


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

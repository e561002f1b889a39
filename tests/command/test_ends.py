"""How the process ends when actors do not do as they should: what a service manager sees."""

import signal
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.command.test_sim_run import SimRun

Begin = Callable[..., SimRun]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    runs: list[SimRun] = []

    def start(drill: str, supervision: str) -> SimRun:
        quick = f"simulation: {{speed: 240}}\nsupervision: {{{supervision}}}\n"
        runs.append(SimRun(tmp_path, quick=quick, words=("--drill", drill)))
        return runs[-1]

    yield start
    for run in runs:
        if run.process.poll() is None:
            run.process.kill()
            run.process.wait(60)
        run.out.close()


def test_without_its_portfolio_it_stops_in_order_and_ends_with_1(begin: Begin) -> None:
    run = begin("poison=portfolio@0s", "max_restarts: 1, shutdown_seconds: 10")

    code = run.process.wait(100)

    assert code == 1, run.shown()
    assert any("portfolio was given up: DrillError: poison drill" in line for line in run.lines())
    told = notices(run.run_dir)
    assert any("portfolio" in text and "given up" in text for text in told), told
    assert any("an actor that all need was given up" in text for text in told), told


def test_it_stops_though_its_actors_hang(begin: Begin) -> None:
    run = begin("hang=0.1:600", "hang_seconds: 600, start_seconds: 600, shutdown_seconds: 2")
    run.wait_for(lambda line: "commands are taken at" in line)
    run.process.send_signal(signal.SIGTERM)

    code = run.process.wait(100)

    assert code == 0, run.shown()
    assert any("did not stop in time and were abandoned" in line for line in run.lines())


def notices(run_dir: Path) -> list[str]:
    database = sqlite3.connect(run_dir / "journal.sqlite")
    try:
        return [text for (text,) in database.execute("SELECT text FROM notice")]
    finally:
        database.close()

"""Paper trading as a user meets it: a real market at a fast clock, a process that is killed."""

import json
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.command.mode_runs import ModeRun, settings_at
from tests.venues.simulator.clients import Client

Start = Callable[..., ModeRun]
EAGER = {
    "ema_short_period": 5,
    "ema_long_period": 12,
    "warmup_candles": 40,
    "volatility_window": 20,
    "cross_threshold": 200,
    "entry_max_age_ms": 120_000,
}


def acts(run_dir: Path) -> list[dict[str, Any]]:
    """Return what the paper account has stored after its opening."""
    return [json.loads(line) for line in (run_dir / "paper.state").read_text().splitlines()[1:]]


def executions(run_dir: Path) -> list[str]:
    return [execution["exec_id"] for act in acts(run_dir) for execution in act["executions"]]


def booked(run_dir: Path) -> list[str]:
    database = sqlite3.connect(run_dir / "journal.sqlite")
    try:
        rows = database.execute("SELECT exec_id FROM execution ORDER BY fact_id").fetchall()
        return [row[0] for row in rows]
    finally:
        database.close()


def test_a_killed_paper_run_keeps_its_account_and_asks_for_no_key(
    start: Start, bybit: Client
) -> None:
    settings = settings_at(bybit, strategy=EAGER)
    killed = start("paper", settings)
    killed.wait_for("SHORT opened")
    killed.end(signal.SIGKILL)
    before = acts(killed.run_dir)

    run = start("paper", settings)
    run.wait_for("SHORT closed")
    code = run.end()

    assert code == 0, run.shown()
    after = acts(run.run_dir)
    assert after[: len(before)] == before
    ids = executions(run.run_dir)
    assert len(ids) == len(set(ids)) >= 2
    assert set(booked(run.run_dir)) == set(ids)
    assert bybit.records()["orders"] == []

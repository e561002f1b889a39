"""The default run as a user meets it: the system and its simulated exchange, real processes."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.programs import Program

ROOT = Path(__file__).resolve().parents[2]
QUICK = """
simulation: {speed: 240, seed: 120}
strategy: {entry_max_age_ms: 120000, ema_short_period: 5, ema_long_period: 12, warmup_candles: 40,
           volatility_window: 20, cross_threshold: 200}
supervision: {shutdown_seconds: 10}
"""
"""Four candles every five seconds, and in this market a trade ends after 5, 7, 16 and 20 of them;
an entry may age on a slow machine."""
PATIENCE_S = 100
LOOK_EVERY_S = 0.05


class SimRun:
    """One start of the default run in a directory."""

    def __init__(
        self,
        folder: Path,
        more: str = "",
        quick: str = QUICK,
        words: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.run_dir = folder / "run"
        (folder / "quick.yaml").write_text(quick + more)
        self.log = self.run_dir / "logs" / "sim.jsonl"
        self._skip = self.log.stat().st_size if self.log.exists() else 0
        self.out = (folder / "out.txt").open("w+")
        self.process = Program(
            "bin.run_actors",
            *("--run-dir", str(self.run_dir), "--settings", str(folder / "quick.yaml")),
            *words,
            cwd=folder,
            env={
                **{k: os.environ[k] for k in ("PATH", "HOME") if k in os.environ},
                "PYTHONPATH": str(ROOT),
                "PYTHONSAFEPATH": "1",
                "WEB_ENABLED": "false",
                **(environ or {}),
            },
            stdout=folder / "out.txt",
        )

    def lines(self) -> list[str]:
        """Return what this start has logged."""
        if not self.log.exists():
            return []
        with self.log.open("rb") as lines:
            lines.seek(self._skip)
            return [json.loads(line)["message"] for line in lines if line.endswith(b"\n")]

    def wait_for(self, wanted: Callable[[str], Any]) -> str:
        """Return the first logged line that is wanted."""
        deadline_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline_s:
            found = next(filter(wanted, self.lines()), None)
            if found is not None:
                return found
            assert self.process.poll() is None, self.shown()
            # A look that spins would take the time of what it waits for.
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(LOOK_EVERY_S)
        raise AssertionError(self.shown())

    def exchange(self, path: str, **act: str) -> Any:
        """Return what the simulated exchange itself knows, or let something happen there."""
        line = self.wait_for(lambda line: "the simulated exchange is at" in line)
        host = re.search(r"http://\S+", line)
        assert host is not None
        body = json.dumps(act).encode() if act else None
        with urllib.request.urlopen(f"{host[0]}{path}", body, timeout=10) as answer:
            return json.load(answer)

    def shown(self) -> str:
        self.out.flush()
        self.out.seek(0)
        return self.out.read()

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)


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


def journal(run_dir: Path, query: str) -> list[tuple[Any, ...]]:
    database = sqlite3.connect(run_dir / "journal.sqlite")
    try:
        return database.execute(query).fetchall()
    finally:
        database.close()


def booked_ids(run_dir: Path) -> list[str]:
    return [row[0] for row in journal(run_dir, "SELECT exec_id FROM execution ORDER BY fact_id")]


def test_the_default_run_trades_and_stops_in_order(start: Callable[[], SimRun]) -> None:
    run = start()

    opened = run.wait_for(lambda line: "SHORT opened" in line)
    run.wait_for(lambda line: "SHORT closed" in line)
    code = run.end(signal.SIGINT)

    assert code == 0, run.shown()
    assert opened.split()[1] in {"BTC:", "ETH:", "SOL:"}
    summary = run.shown()
    assert re.search(r"Balance 10,000\.00 -> [\d,.]+ USDT, equity ", summary)
    assert re.search(r"│ trades +│", summary), summary
    assert "Refusals: " in summary
    assert "Restarts: " in summary
    assert "…" not in run.shown(), "a number was cut"
    assert "Traceback" not in run.shown()


def test_a_killed_run_goes_on_where_it_was_and_books_everything_once(
    start: Callable[[], SimRun],
) -> None:
    killed = start()
    killed.wait_for(lambda line: "SHORT opened" in line)
    killed.end(signal.SIGKILL)
    before = booked_ids(killed.run_dir)

    run = start()
    run.wait_for(lambda line: "SHORT closed" in line)
    run.wait_for(lambda line: "the simulated exchange is at" in line)
    records = run.exchange("/sim/records")
    run.end(signal.SIGTERM)

    booked = booked_ids(run.run_dir)
    assert booked[: len(before)] == before
    assert len(booked) == len(set(booked))
    assert {execution["execId"] for execution in records["executions"]} <= set(booked)
    ids = [order["orderLinkId"] for order in records["orders"] if order["orderLinkId"]]
    assert len(ids) == len(set(ids))


def test_two_default_runs_cannot_share_a_directory(start: Callable[[], SimRun]) -> None:
    first = start()
    first.wait_for(lambda line: "the simulated exchange is at" in line)

    second = start()

    assert second.process.wait(60) == 2
    assert "another run uses this directory" in second.shown()


def test_the_books_agree_with_the_exchange(start: Callable[[], SimRun]) -> None:
    run = start()
    run.wait_for(lambda line: "SHORT closed" in line)
    records = run.exchange("/sim/records")["executions"]
    run.end(signal.SIGINT)

    stored = journal(run.run_dir, "SELECT exec_id, qty, price, fee, funding FROM execution")
    booked = {row[0]: tuple(map(Decimal, row[1:])) for row in stored}
    assert len(records) >= 2
    for execution in records:
        names = ("execQty", "execPrice", "execFee")
        qty, price, fee, funding = booked[execution["execId"]]
        assert (qty, price, fee - funding) == tuple(Decimal(execution[name]) for name in names)

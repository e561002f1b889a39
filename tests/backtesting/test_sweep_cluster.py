"""A sweep on a real Dask cluster: a scheduler and two workers, each a process of its own."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from domain.backtesting.market import Market
from domain.backtesting.sweep import Combination, batches, play
from domain.errors import ConfigError
from infra.backtest.cluster import Cluster
from tests.backtesting.markets import Recipe, lively_rules, random_market

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "backtest.md"
PATIENCE_S = 60
MARKET = Market(random_market(Recipe(seed=3, candles=6_000, assets=2)))
TRIED = [
    Combination(
        values={}, rules=lively_rules(strategy={"ema_short_period": 5, "ema_long_period": period})
    )
    for period in range(10, 34)
]


def start(command: str, *options: object, folder: Path = ROOT) -> subprocess.Popen:
    """Start what the page says, in the project's folder, with options that keep it to itself."""
    told = PAGE.read_text(encoding="utf-8")
    (words,) = re.findall(rf"`([^`]*dask {command}[^`]*)`", told)
    path, *words = words.replace(" tcp://HOST:PORT", "").split()
    name, value = path.split("=")
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.Popen(
        [*words, *map(str, options)],
        cwd=folder,
        env={"HOME": os.environ.get("HOME", "/"), "PATH": programs, name: value},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def eventually(ask):
    ends_s = time.monotonic() + PATIENCE_S
    while not (answer := ask()):
        assert time.monotonic() < ends_s
        threading.Event().wait(0.02)
    return answer


@contextmanager
def cluster(folder: Path, *, workers: int = 2, scheduler_in: Path = ROOT, workers_in: Path = ROOT):
    """Yield the scheduler's address and its workers' processes."""
    folder.mkdir(exist_ok=True)
    file = folder / "scheduler.json"
    processes = [
        start(
            "scheduler",
            *("--host", "127.0.0.1", "--port", "0", "--no-dashboard"),
            *("--dashboard-address", "127.0.0.1:0", "--scheduler-file", file),
            folder=scheduler_in,
        )
    ]
    try:
        eventually(lambda: file.exists() and file.read_text().strip().endswith("}"))
        address = json.loads(file.read_text())["address"]
        processes += [
            start(
                "worker",
                address,
                *("--host", "127.0.0.1", "--no-nanny", "--no-dashboard"),
                *("--local-directory", folder / f"worker-{number}"),
                folder=workers_in,
            )
            for number in range(workers)
        ]
        yield address, processes[1:]
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait(10)


def test_a_killed_worker_loses_no_run(tmp_path):
    made = batches(TRIED, (), size=1)
    expected = {batch.number: play(MARKET, batch) for batch in made}

    with cluster(tmp_path) as (address, workers), Cluster(address) as found:
        eventually(lambda: found.cores() == 2)
        got, killed_after = {}, 0
        for number, scores in found.play(MARKET, made):
            got[number] = scores
            if len(got) == 3:
                workers[0].send_signal(signal.SIGKILL)
                killed_after = len(got)
        eventually(lambda: found.cores() == 1)

    assert killed_after == 3
    assert got == expected


def test_a_cluster_that_cannot_play_is_told(tmp_path, monkeypatch):
    made = batches(TRIED, (), size=12)

    elsewhere = {"the scheduler": {"scheduler_in": tmp_path}, "a worker": {"workers_in": tmp_path}}
    for who, where in elsewhere.items():
        with (
            cluster(tmp_path / who, **where) as (address, _),
            Cluster(address) as found,
            pytest.raises(ConfigError) as without_project,
        ):
            list(found.play(MARKET, made))

        said = str(without_project.value)
        assert f"--scheduler {address}: {who} does not have this project" in said
        assert "No module named 'domain'" in said
    monkeypatch.setattr("infra.backtest.cluster._PATIENCE_S", 1.0)
    with (
        cluster(tmp_path / "empty", workers=0) as (address, _),
        pytest.raises(ConfigError) as without_workers,
    ):
        Cluster(address)
    assert f"--scheduler {address}: it has no workers" in str(without_workers.value)

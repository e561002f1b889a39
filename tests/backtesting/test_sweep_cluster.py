"""A sweep on a real Dask cluster: a scheduler and two workers, each a process of its own."""

import json
import os
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
from infra.sweeps.cluster import Cluster
from tests.backtesting.markets import Recipe, lively_rules, random_market

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60
MARKET = Market(random_market(Recipe(seed=3, candles=6_000, assets=2)))
TRIED = [
    Combination(
        values={}, rules=lively_rules(strategy={"ema_short_period": 5, "ema_long_period": period})
    )
    for period in range(10, 34)
]


def start(*words: str, folder: Path, project: Path = ROOT) -> subprocess.Popen:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.Popen(
        [sys.executable, "-m", *words],
        cwd=folder,
        env=kept | {"PYTHONPATH": str(project), "PYTHONSAFEPATH": "1"},
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
def cluster(folder: Path, *, workers: int = 2, project: Path = ROOT):
    """Yield the scheduler's address and its workers' processes."""
    folder.mkdir(exist_ok=True)
    file = folder / "scheduler.json"
    processes = [
        start(
            "distributed.cli.dask_scheduler",
            *("--host", "127.0.0.1", "--port", "0", "--no-dashboard"),
            *("--dashboard-address", "127.0.0.1:0", "--scheduler-file", str(file)),
            folder=folder,
        )
    ]
    try:
        eventually(lambda: file.exists() and file.read_text().strip().endswith("}"))
        address = json.loads(file.read_text())["address"]
        processes += [
            start(
                "distributed.cli.dask_worker",
                address,
                *("--host", "127.0.0.1", "--nthreads", "1", "--no-nanny", "--no-dashboard"),
                *("--local-directory", str(folder / f"worker-{number}")),
                folder=folder,
                project=project,
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

    with (
        cluster(tmp_path, project=tmp_path) as (address, _),
        Cluster(address) as found,
        pytest.raises(ConfigError) as without_project,
    ):
        list(found.play(MARKET, made))

    assert f"--scheduler {address}: a worker does not have this project" in str(
        without_project.value
    )
    monkeypatch.setattr("infra.sweeps.cluster._PATIENCE_S", 1.0)
    with (
        cluster(tmp_path / "empty", workers=0) as (address, _),
        pytest.raises(ConfigError) as without_workers,
    ):
        Cluster(address)
    assert f"--scheduler {address}: it has no workers" in str(without_workers.value)

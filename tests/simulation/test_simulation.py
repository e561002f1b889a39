"""Whole systems in one thread: the same by the same seed, and no promise broken."""

import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from tests.simulation.terms import Terms

ROOT = Path(__file__).resolve().parents[2]
SEEDS = range(1, 201)
MINUTES = 8.0


def simulate(*words: str, hash_seed: str = "0") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation.command", *words],
        cwd=ROOT,
        env={
            "PYTHONPATH": str(ROOT),
            "PYTHONSAFEPATH": "1",
            "COLUMNS": "200",
            "PYTHONHASHSEED": hash_seed,
        },
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )


def hash_of(run: subprocess.CompletedProcess[str]) -> str:
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout.partition("event hash ")[2].split()[0]


@pytest.mark.timeout(600)
def test_equal_seeds_give_equal_events_whatever_the_order_of_sets() -> None:
    words = ("--seeds", "1", "--minutes", "12", "--seed")

    hashes = {hash_of(simulate(*words, "10", hash_seed=hash_seed)) for hash_seed in ("1", "2")}

    assert len(hashes) == 1
    assert hash_of(simulate(*words, "4")) not in hashes


@pytest.mark.timeout(600)
def test_no_promise_is_broken_in_any_of_many_worlds() -> None:
    play = Terms(minutes=MINUTES).play

    with ProcessPoolExecutor(os.cpu_count(), get_context("forkserver")) as pool:
        outcomes = list(pool.map(play, SEEDS, chunksize=5))

    assert [(o.seed, o.problems) for o in outcomes if o.problems] == []
    assert sum(o.deaths for o in outcomes) > len(SEEDS)
    assert sum(o.orders for o in outcomes) > len(SEEDS)


def test_a_kind_of_trouble_that_does_not_exist_is_one_clear_error() -> None:
    run = simulate("--without", "earthquake")

    assert run.returncode == 2
    assert "found earthquake; allowed: kill, crash" in " ".join(run.stderr.split())
    assert "Traceback" not in run.stderr


def test_a_report_says_what_was_met_and_what_was_not(tmp_path: Path) -> None:
    page = tmp_path / "report.html"

    run = simulate("--seeds", "2", "--seed", "5", "--minutes", "5", "--report", str(page))

    assert run.returncode == 0, run.stdout + run.stderr
    text = page.read_text(encoding="utf-8")
    assert "2 worlds, no promise broken" in text
    assert "pairs of the table were not met" in text

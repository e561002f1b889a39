"""Whole systems, killed and misled: real processes, real sockets, real SIGKILLs."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUNS = 7
"""Each meets another kill point; with its neighbour, all of them."""


def chaos(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.chaos.harness.command", *words],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )


@pytest.mark.timeout(420)
@pytest.mark.parametrize("first", [1, 1 + RUNS])
def test_no_promise_is_broken_whatever_dies(tmp_path: Path, first: int) -> None:
    words = ("--runs", str(RUNS), "--seed", str(first), "--jobs", "2")
    page = tmp_path / "report.html"

    run = chaos(tmp_path, *words, "--report", str(page), "--keep", str(tmp_path / "runs"))

    assert run.returncode == 0, run.stdout + run.stderr
    assert f"{RUNS} runs, " in run.stdout
    assert run.stdout.count("kill ") > RUNS
    assert "no promise broken" in page.read_text()


def test_a_soak_writes_its_figures_to_the_report(tmp_path: Path) -> None:
    page = tmp_path / "report.html"

    run = chaos(tmp_path, "--soak", "8s", "--report", str(page), "--keep", str(tmp_path / "kept"))

    assert run.returncode == 0, run.stdout + run.stderr
    for words in ("memory mb", "sockets", "reconnects", "actor restarts", "memory slope"):
        assert words in page.read_text()


@pytest.mark.complete
@pytest.mark.timeout(900)
def test_nothing_piles_up_in_five_minutes(tmp_path: Path) -> None:
    run = chaos(tmp_path, "--soak", "5m", "--keep", str(tmp_path / "kept"))

    assert run.returncode == 0, run.stdout + run.stderr
    assert "actor restarts" in run.stdout


def test_a_fault_that_does_not_exist_is_one_clear_error(tmp_path: Path) -> None:
    run = chaos(tmp_path, "--faults", "earthquake")

    assert run.returncode == 2
    assert "found earthquake; allowed: all, none, answer_lost" in " ".join(run.stderr.split())
    assert "Traceback" not in run.stderr

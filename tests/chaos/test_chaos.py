"""Whole systems, killed and misled: real processes, real sockets, real SIGKILLs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from infra.secrets.sources import write_new_key

ROOT = Path(__file__).resolve().parents[2]
RUNS = 7
"""Each meets another kill point; with its neighbour, all of them."""


def chaos(folder: Path, *words: str, timeout_s: float = 800.0) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.chaos.harness.command", *words],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=timeout_s,
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


@pytest.mark.complete
@pytest.mark.timeout(5_400)
@pytest.mark.usefixtures("cluster")
def test_no_promise_is_broken_where_a_server_holds_the_journal_and_is_killed(
    tmp_path: Path,
) -> None:
    words = ("--database", "postgres", "--runs", "100", "--jobs", "2")

    run = chaos(tmp_path, *words, "--keep", str(tmp_path / "runs"), timeout_s=5_000)

    assert run.returncode == 0, run.stdout + run.stderr
    (row,) = (line for line in run.stdout.splitlines() if line.startswith("│ server killed"))
    assert int(row.split("│")[3]) >= 30


@pytest.mark.complete
@pytest.mark.timeout(900)
def test_no_promise_is_broken_where_all_that_is_stored_is_encrypted(tmp_path: Path) -> None:
    write_new_key(tmp_path / "key")
    settings = {"storage": {"encryption": "on", "key": f"file:{tmp_path / 'key'}"}}
    (tmp_path / "my.yaml").write_text(json.dumps(settings))
    words = ("--settings", "my.yaml", "--runs", str(2 * RUNS), "--jobs", "2")

    run = chaos(tmp_path, *words, "--keep", str(tmp_path / "runs"))

    assert run.returncode == 0, run.stdout + run.stderr
    assert list((tmp_path / "runs").glob("*/run/encryption.json"))
    assert not list((tmp_path / "runs").rglob("*.jsonl"))


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

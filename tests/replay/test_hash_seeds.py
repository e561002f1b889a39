"""Nothing that is decided, told or asked depends on the seed of Python's hashes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SEEDS = ("0", "2", "3", "5")
PATIENCE_S = 120.0


def begin(seed: str, what: str, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.replay.seeded", what, str(folder)]
    environ = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, cwd=ROOT, env=environ, stdout=pipe, stderr=subprocess.DEVNULL, text=True
    )


def end(child: subprocess.Popen[str]) -> Any:
    printed, _ = child.communicate(timeout=PATIENCE_S)
    assert child.returncode == 0
    return json.loads(printed)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("seeds")


@pytest.fixture(scope="module")
def played(folder: Path) -> dict[str, Any]:
    children = {seed: begin(seed, "play", folder / seed) for seed in SEEDS}
    return {seed: end(child) for seed, child in children.items()}


def test_all_seeds_trade_refuse_and_tell_alike(played: dict[str, Any]) -> None:
    first, *others = played.values()

    assert len(first["trades"]) > 10
    assert "being closed" in " ".join(first["answers"])
    for other in others:
        assert other == first


@pytest.mark.usefixtures("played")
def test_a_trace_of_one_seed_runs_again_under_every_other(folder: Path) -> None:
    children = [begin(seed, "again", folder / SEEDS[0]) for seed in SEEDS[1:]]

    for child in children:
        found = end(child)

        assert found["differences"] == []
        assert found["messages"]["portfolio"] > 100

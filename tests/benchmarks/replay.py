"""A lock-step replay of the whole system, as a process of its own."""

import re
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RUNS = 3


def measure(candles: Path) -> Iterator[tuple[str, str, str]]:
    """Yield the rate of the median run and the peak memory of the largest."""
    rates = sorted(rate_of(candles) for _ in range(RUNS))
    peak_mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    spread = f"{rates[RUNS // 2]:,.0f} asset-candles/s ({rates[0]:,.0f} to {rates[-1]:,.0f})"
    yield "lock-step replay through all actors", spread, ">= 4,000/s"
    yield "peak memory of the replay", f"{peak_mib:.0f} MiB", "<= 200 MiB"


def rate_of(candles: Path, *more: str) -> float:
    """Return the asset-candles a second that a run over candle files tells of itself."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "bin.run_actors",
                *("--candles", str(candles), "--run-dir", folder, "--no-progress", *more),
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
    found = re.search(r"\(([\d,]+)/s\)", done.stdout)
    assert found is not None, done.stdout
    return float(found[1].replace(",", ""))

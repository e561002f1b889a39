"""The memory of the default run."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

MEMORY_S = 25.0
_ROOT = Path(__file__).resolve().parents[2]


def measure(_candles: Path) -> Iterator[tuple[str, str, str]]:
    """Yield the most that the default run held, without its simulated exchange."""
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [sys.executable, "-m", "bin.run_actors", "--run-dir", folder],
            cwd=_ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        most, deadline_s = 0, time.monotonic() + MEMORY_S
        try:
            while time.monotonic() < deadline_s and process.poll() is None:
                most = max(most, psutil.Process(process.pid).memory_info().rss)
                time.sleep(0.5)
            assert process.poll() is None, "the system ended by itself"
        finally:
            process.terminate()
            process.wait(30)
    yield "memory of the running system, 3 assets", f"{most / 2**20:.0f} MiB", "<= 150 MB"

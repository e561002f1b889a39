"""The whole system at the simulated exchange in lock-step, over its sockets."""

from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.replay import rate_of


def measure(candles: Path) -> Iterator[tuple[str, str, str]]:
    """Yield the rate of one run; the warm-up, which is fetched at once, counts as played."""
    rate = rate_of(candles, "--mode", "sim", "--speed", "max")
    yield "lock-step over sockets, live connection", f"{rate:,.0f} asset-candles/s", ">= 860/s"

"""A sweep on all cores, the start of its processes included."""

import time
from collections.abc import Iterator
from pathlib import Path

from domain.backtesting.market import Market
from domain.backtesting.sweep import Combination, batches
from infra.backtest.local import cores, play_locally
from tests.benchmarks.backtest import LONG_PERIODS, SHORT_PERIODS, rules_of, with_periods
from tests.benchmarks.made_market import YEAR, made_market

RUNS = 3


def measure(_candles: Path) -> Iterator[tuple[str, str, str]]:
    """Yield the time of the first sweep, and of the best with processes that wait for work."""
    rules = rules_of(1)
    tried = [
        Combination(values={}, rules=with_periods(rules, short, long))
        for short in SHORT_PERIODS
        for long in LONG_PERIODS
    ]
    times = [_sweep_s(tried) for _ in range(RUNS)]
    what = f"sweep of {len(tried)} pairs, 1 asset x 1 year, {cores()} cores"
    yield what, f"{times[0]:.2f} s ({min(times):.2f} s without the start)", "<= 2 s on two"


def _sweep_s(tried: list[Combination]) -> float:
    market = Market(made_market(["A0"], YEAR))
    began_s = time.perf_counter()
    market.prepare({"A0": [*SHORT_PERIODS, *LONG_PERIODS]})
    made = batches(tried, (), size=8)
    assert len(dict(play_locally(market, made))) == len(made)
    return time.perf_counter() - began_s

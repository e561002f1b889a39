"""Made-up markets for benchmarks: candles as long and as busy as real ones, without a file."""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from domain.market.candles import CandleSeries, carry_forward

FIRST_MS = 1_577_836_800_000
CANDLE_MS = 300_000
YEAR = 365 * 288
"""Candles of five minutes."""
_SWINGS_DAYS = (2.3, 5.1, 11.7)


def made_market(assets: list[str], candles: int, *, swing: float = 0.04) -> dict[str, CandleSeries]:
    """Return correlated random walks on waves that last for days.

    The waves keep the default settings trading: on a plain random walk, as on the real sets, they
    lose until the portfolio halts, after which a backtest has little left to do.
    """
    random = np.random.default_rng(1)
    shared = random.standard_t(4, size=candles)
    return {name: _series(random, shared, candles, swing) for name in assets}


def _series(
    random: np.random.Generator, shared: np.ndarray, candles: int, swing: float
) -> CandleSeries:
    steps = 0.0011 * (0.77 * shared + 0.63 * random.standard_t(4, size=candles))
    logs = np.cumsum(steps)
    logs -= np.linspace(0.0, logs[-1], candles)
    days = np.arange(candles) / 288
    for wave, phase in zip(_SWINGS_DAYS, random.uniform(0.0, 2 * np.pi, 3), strict=True):
        logs += swing * np.sin(2 * np.pi * days / wave + phase)
    close = np.round(1000.0 * np.exp(logs), 2)
    open_ = np.concatenate([close[:1], close[:-1]])
    spread = np.abs(random.normal(scale=0.0006, size=(2, candles)))
    return carry_forward(
        FIRST_MS + CANDLE_MS * np.arange(candles, dtype=np.int64),
        open_,
        np.round(np.maximum(open_, close) * (1 + spread[0]), 2),
        np.round(np.minimum(open_, close) * (1 - spread[1]), 2),
        close,
        np.ones(candles),
        CANDLE_MS,
    )


def write_candles(folder: Path, market: dict[str, CandleSeries]) -> None:
    """Write a parquet file for each symbol, as `bin/backtest` reads them."""
    for symbol, series in market.items():
        columns = {"open_time": series.open_time_ms} | {
            name: getattr(series, name) for name in ("open", "high", "low", "close", "volume")
        }
        parquet.write_table(pa.table(columns), folder / f"{symbol}.parquet")


if __name__ == "__main__":
    # A process of its own: a child's peak memory begins with what its parent held.
    write_candles(Path(sys.argv[1]), made_market(["BTCUSDT", "ETHUSDT", "SOLUSDT"], 4 * YEAR))

"""Runs of a sweep on all cores of this machine; the candles are in memory only once."""

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

from domain.backtesting.market import Market
from domain.backtesting.sweep import Batch, Score, play
from domain.errors import TradingError

_SHARED_FROM = 50_000
"""Size in bytes from which an array is shared as a memory-mapped file instead of copied."""


def cores() -> int:
    """Return how many processes this machine can run at once."""
    return int(_joblib().cpu_count())


def processes(most: int | None) -> int:
    """Return how many processes a sweep may use: one per core, up to what is allowed."""
    return cores() if most is None else min(cores(), most)


def _joblib() -> Any:
    # Imported here: most backtests are not sweeps, and it would cost them a tenth of a second.
    return import_module("joblib")


def play_locally(
    market: Market, batches: Sequence[Batch], *, at_once: int | None = None
) -> Iterator[tuple[int, list[Score]]]:
    """Yield each batch's number and scores, as they arrive.

    Args:
        market: the candles.
        batches: what to play.
        at_once: number of processes; None: one per core.

    Raises:
        TradingError: a process was killed, mostly for lack of memory.
    """
    joblib = _joblib()
    parallel = joblib.Parallel(
        n_jobs=min(at_once or cores(), len(batches)),
        return_as="generator_unordered",
        max_nbytes=_SHARED_FROM,
        mmap_mode="r",
    )
    try:
        yield from parallel(joblib.delayed(_numbered)(market, batch) for batch in batches)
    except joblib.externals.loky.process_executor.TerminatedWorkerError as error:
        raise TradingError(
            "--sweep: a process of the sweep was killed; is there too little memory?"
        ) from error


def _numbered(market: Market, batch: Batch) -> tuple[int, list[Score]]:
    return batch.number, play(market, batch)

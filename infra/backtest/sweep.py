"""A sweep, from its options to its tables: one backtest for each combination of values."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from domain.backtesting.histories import average_periods
from domain.backtesting.market import Market
from domain.backtesting.run import run_backtest
from domain.backtesting.sweep import (
    FIGURES,
    Batch,
    Combination,
    Score,
    SweepResult,
    Window,
    batches,
    gathered,
    windows,
)
from domain.errors import ConfigError
from domain.market.instruments import DAY_MS
from infra.backtest.cluster import Cluster
from infra.backtest.local import play_locally, processes
from infra.backtest.plan import combinations, read_sweep
from infra.backtest.run import BacktestOptions, write_page
from infra.backtest.sweep_files import write_sweep
from infra.candles.market_input import read_market
from infra.operator.terminal.screen import Screen
from infra.operator.terminal.sweep import render
from infra.settings import SettingsSource, default_dotenv

_BATCHES_A_CORE = 6
"""Batch size: small enough that the bar moves, cores finish together, and a lost batch is cheap."""
_LARGEST_BATCH = 50
_FLOAT_BYTES = 8
_SHARED_AVERAGES = 500_000_000
"""Most bytes of precomputed averages; above, each process computes those that it needs."""


_Play = Callable[[Market, Sequence[Batch]], Iterator[tuple[int, list[Score]]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepOptions:
    """The options of the command line."""

    sweep: str
    samples: int | None
    seed: int
    sort: str
    walk_forward: str | None
    scheduler: str | None
    csv: Path | None
    plain: BacktestOptions
    """Options that a single backtest has as well."""


def run_sweep_command(options: SweepOptions, screen: Screen) -> None:
    """Run all combinations, write the CSV file, and print the tables.

    Raises:
        ConfigError: the options or settings are wrong.
        BadDataError: the candle files are wrong.
        UnavailableError: the cluster failed.
        TradingError: a process on this machine failed.
    """
    began_s = time.monotonic()
    market, result = sweep(options, screen)
    if options.csv is not None:
        write_sweep(options.csv, result)
    if options.plain.report is not None:
        best = run_backtest(market, result.rows[0].combination.rules)
        write_page(options.plain.report, options.plain.candles, best, result)
    Screen().print(render(result, time.monotonic() - began_s))


def sweep(options: SweepOptions, screen: Screen) -> tuple[Market, SweepResult]:
    """Return the candles, and the results of all combinations. Raises as `run_sweep_command`."""
    if options.sort not in FIGURES:
        raise ConfigError(f"--sort {options.sort}: expected one of {', '.join(FIGURES)}")
    train_test = _read_walk_forward(options.walk_forward)
    source = SettingsSource(options.plain.settings, environ=os.environ, dotenv=default_dotenv())
    tried = combinations(
        read_sweep(options.sweep), source, samples=options.samples, seed=options.seed
    )
    market = _market(options, tried)
    found = () if train_test is None else _windows(market, tried, *train_test)
    most = source.settings().replay.max_workers
    with _player(options.scheduler, most) as (at_once, play):
        made = _batches(tried, found, at_once)
        if not found:
            _prepare(market, tried)
        scores = _watched(play(market, made), made, screen)
    return market, gathered(tried, found, scores, made, sort=options.sort)


def _read_walk_forward(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    train, _, test = text.partition(":")
    if not (train.isdecimal() and test.isdecimal() and int(train) and int(test)):
        raise ConfigError(f"--walk-forward {text}: expected TRAIN:TEST in whole days, like 90:30")
    return int(train) * DAY_MS, int(test) * DAY_MS


def _market(options: SweepOptions, tried: list[Combination]) -> Market:
    rules = tried[0].rules
    if any(one.rules.candles.candle_ms != rules.candles.candle_ms for one in tried):
        raise ConfigError("--sweep strategy.candle_minutes: the files hold candles of one length")
    assets = {asset.asset: asset for one in tried for asset in one.rules.assets}
    every = replace(rules, assets=tuple(assets.values()))
    return Market(
        read_market(options.plain.candles, every, options.plain.from_time, options.plain.to_time)
    )


def _windows(
    market: Market, tried: list[Combination], train_ms: int, test_ms: int
) -> tuple[Window, ...]:
    candle_ms = market.candle_ms
    warmup_ms = max(one.rules.candles.warmup_candles for one in tried) * candle_ms
    first_ms, end_ms = market.first_open_ms + warmup_ms, market.time_ms(market.closes - 1)
    found = windows(first_ms, end_ms, train_ms=train_ms, test_ms=test_ms)
    if not found:
        needed, there = (train_ms + test_ms) / DAY_MS, max(0, end_ms - first_ms) / DAY_MS
        raise ConfigError(
            f"--walk-forward: expected candles of {needed:g} days or more after the warm-up of "
            f"{warmup_ms / DAY_MS:.1f} days, found {there:.1f}"
        )
    return found


def _batches(tried: list[Combination], found: tuple[Window, ...], at_once: int) -> list[Batch]:
    runs = len(tried) * max(1, 2 * len(found))
    size = min(max(1, runs // (at_once * _BATCHES_A_CORE)), _LARGEST_BATCH)
    return batches(tried, found, size=size)


def _prepare(market: Market, tried: list[Combination]) -> None:
    """Compute the averages of all combinations once, for all processes."""
    periods: dict[str, set[int]] = {}
    for one in tried:
        for asset, needed in average_periods(one.rules).items():
            periods.setdefault(asset, set()).update(needed)
    most = max(map(len, periods.values()), default=0)
    if most * market.candles * _FLOAT_BYTES <= _SHARED_AVERAGES:
        market.prepare(periods)


@contextmanager
def _player(scheduler: str | None, most: int | None) -> Iterator[tuple[int, _Play]]:
    """Yield how many batches can run at once, and the function that runs them.

    Args:
        scheduler: address of a cluster; None: this machine.
        most: number of processes on this machine; None: one per core.
    """
    if scheduler is None:
        at_once = processes(most)
        yield at_once, partial(play_locally, at_once=at_once)
        return
    with Cluster(scheduler) as cluster:
        yield max(1, cluster.cores()), cluster.play


def _watched(
    played: Iterator[tuple[int, list[Score]]], made: list[Batch], screen: Screen
) -> dict[int, list[Score]]:
    """Return the scores of all batches by number, showing a progress bar."""
    bar = Progress(
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("backtests, left"),
        TimeRemainingColumn(),
        console=screen,
        disable=not screen.is_terminal,
    )
    scores = {}
    with bar:
        task = bar.add_task("", total=sum(len(batch.rules) for batch in made))
        for number, found in played:
            scores[number] = found
            bar.advance(task, len(found))
    return scores

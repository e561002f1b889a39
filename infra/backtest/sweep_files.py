"""Sweeps as CSV."""

import csv
import os
from collections.abc import Iterator
from pathlib import Path

from domain.backtesting.sweep import FIGURES, SweepResult, SweepRow, mean_score
from domain.errors import ConfigError


def write_sweep(file: Path, result: SweepResult) -> None:
    """Write a row for each combination, the best in sample first; the whole file or nothing.

    The columns are the settings, then the figures in sample (`sharpe`), then, after a walk-forward,
    those out of sample (`out_of_sample_sharpe`); with windows each is the mean over them.

    Raises:
        ConfigError: the file cannot be written.
    """
    unfinished = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    try:
        with unfinished.open("w", newline="", encoding="utf-8") as out:
            writer = csv.writer(out, lineterminator="\n")
            writer.writerows(_lines(result))
        unfinished.replace(file)
    except OSError as error:
        raise ConfigError(f"{file}: the sweep cannot be written: {error.strerror}") from error


def _lines(result: SweepResult) -> Iterator[list[str]]:
    unseen = [f"out_of_sample_{name}" for name in FIGURES] if result.windows else []
    yield [*result.rows[0].combination.values, *FIGURES, *unseen]
    for row in result.rows:
        yield [*row.combination.values.values(), *_figures(row)]


def _figures(row: SweepRow) -> Iterator[str]:
    for scores in (row.in_sample, row.out_of_sample):
        if scores:
            mean = mean_score(scores)
            values = (getattr(mean, name) for name in FIGURES)
            yield from ("" if value is None else repr(value) for value in values)

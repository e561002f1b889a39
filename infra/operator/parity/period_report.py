"""The report of a period of a run, beside the backtest of the same candles."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path

from domain.errors import ConfigError
from infra.operator.parity.period import read_period
from infra.operator.report.equity_files import write_equity
from infra.operator.terminal.backtest import as_json as json_text
from infra.operator.terminal.backtest import render
from infra.operator.terminal.screen import Screen
from infra.process.progress_file import ProgressFile
from infra.process.times import read_time
from infra.store.location import Location


@dataclass(frozen=True, slots=True)
class PeriodOptions:
    """The options of the command line."""

    from_time: str | None
    to_time: str | None
    equity: Path | None
    """File for balance and equity at every close."""
    progress: Path | None
    """File to write the progress to."""


def write_period_report(
    journal: Location, report: Path, options: PeriodOptions, *, as_json: bool
) -> None:
    """Write the page, and print the result of the run in the period.

    Raises:
        ConfigError: an option is wrong, or the journal holds nothing of the period.
    """
    # Importing plotly takes a third of a second: only the page needs it.
    from infra.operator.report.page import render as page  # noqa: PLC0415

    from_ms = None if options.from_time is None else read_time("--from", options.from_time)
    to_ms = None if options.to_time is None else read_time("--to", options.to_time)
    progress = ProgressFile(options.progress)
    progress.tell("reading")
    began_s = time.perf_counter()
    found = read_period(
        journal,
        from_ms,
        to_ms,
        lambda market: progress.counter("playing", market.candles, market.candles_before),
    )
    took_s = time.perf_counter() - began_s
    progress.tell("writing")
    if options.equity is not None:
        write_equity(options.equity, found.run.equity)
    try:
        report.write_text(page(found.run, (), beside=found.backtest), encoding="utf-8")
    except OSError as error:
        text = f"--report {report}: cannot be written: {error.strerror}"
        raise ConfigError(text) from error
    if as_json:
        sys.stdout.write(json_text(found.run, took_s) + "\n")
    else:
        Screen().print(render(found.run, took_s))

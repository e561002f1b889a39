"""The comparison of a run with its rules, from its options to what it prints.

Every close of the day is decided once more by the functions of the backtest, on the books that the
facts had then. What was not done so is told with its cause; so is what fills cost against the
slippage and fees that a backtest assumes. It only reads.
"""

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from infra.operator.parity.day import parity_of
from infra.operator.parity.period_report import PeriodOptions, write_period_report
from infra.operator.parity.text import as_object, line_of, summary
from infra.operator.terminal.screen import Screen
from infra.settings import SettingsSource, default_dotenv
from infra.store.location import find_journal


@dataclass(frozen=True, slots=True)
class ParityOptions:
    """What the command line says."""

    directory: Path
    """Of the run."""
    day: str | None
    settings: Path | None
    report: Path | None
    """The page; None: the day is compared."""
    period: PeriodOptions
    """Of the report."""
    as_json: bool


def run_parity_command(options: ParityOptions) -> bool:
    """Print how a run compares, or write its report, and tell whether nothing differs.

    Raises:
        ConfigError: an option is wrong, or there is nothing to compare.
    """
    source = SettingsSource(options.settings, environ=os.environ, dotenv=default_dotenv())
    journal = find_journal(options.directory)
    if options.report is not None:
        write_period_report(journal, options.report, options.period, as_json=options.as_json)
        return True
    given = None if options.settings is None else lambda pairs: source.settings(pairs=pairs)
    found = parity_of(journal, given, options.day)
    if options.as_json:
        sys.stdout.write(f"{json.dumps(as_object(found), default=str)}\n")
    else:
        screen = Screen(soft_wrap=True)
        for line in (*summary(found), *map(line_of, found.differences)):
            screen.print(line, highlight=False)
    return not found.differences

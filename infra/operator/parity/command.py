"""The comparison of a run with its rules, from its options to its output.

Every close of the day is decided again by the functions of the backtest, on the books as of then.
Every difference is reported with its cause; so is the cost of fills against the slippage and fees
assumed by a backtest. It only reads.
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
    """The options of the command line."""

    directory: Path
    """Directory of the run."""
    day: str | None
    settings: Path | None
    report: Path | None
    """The report page; None: a day is compared."""
    period: PeriodOptions
    """Options of the report."""
    as_json: bool


def run_parity_command(options: ParityOptions) -> bool:
    """Print the comparison of a run, or write its report; return whether nothing differs.

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

"""The command `bin/parity`: what a run did on a day, held against what the rules decide.

Every close of the day is decided once more by the functions of the backtest, on the books that the
facts had then. What was not done so is told with its cause; so is what fills cost against the
slippage and fees that a backtest assumes. It only reads. Exit codes: 0 all alike, 1 something
differs, 2 wrong use.
"""

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from bin.command import VAR, WRONG_USE, start
from domain.errors import ConfigError
from infra.operator.parity.day import parity_of
from infra.operator.parity.period_report import PeriodOptions, write_period_report
from infra.operator.parity.text import as_object, line_of, summary
from infra.operator.terminal.screen import Screen
from infra.settings import SettingsSource, default_dotenv
from infra.store.location import journal_location
from infra.venues.modes import read_run_name

ALIKE, DIFFERS = range(2)


def main(
    *,
    run_dir: Annotated[
        Path | None, typer.Option(help="Run directory; its mode's by default.")
    ] = None,
    mode: Annotated[str, typer.Option(help="Whose run, where it is in var/MODE.")] = "sim",
    day: Annotated[
        str | None, typer.Option(help="UTC day, 2025-05-01; the newest by default.")
    ] = None,
    settings: Annotated[
        Path | None,
        typer.Option(help="What differs from settings.yaml; the run's own of that day by default."),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(help="Write a page: the run, and the backtest of its candles beside it."),
    ] = None,
    from_time: Annotated[
        str | None, typer.Option("--from", metavar="ISO", help="Of --report: first close, UTC.")
    ] = None,
    to_time: Annotated[
        str | None, typer.Option("--to", metavar="ISO", help="Of --report: last close, UTC.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Hold what a run did on a day against what the rules decide."""
    screen = Screen(soft_wrap=True)
    try:
        directory = run_dir or VAR / read_run_name(mode)
        source = SettingsSource(settings, environ=os.environ, dotenv=default_dotenv())
        journal = journal_location(directory, source.settings().database, mode)
        if report is not None:
            options = PeriodOptions(
                report=report, from_time=from_time, to_time=to_time, as_json=as_json
            )
            write_period_report(journal, options)
            return
        given = None if settings is None else lambda pairs: source.settings(pairs=pairs)
        found = parity_of(journal, given, day)
    except ConfigError as error:
        screen.print(str(error), style="red", highlight=False)
        raise typer.Exit(WRONG_USE) from None
    if as_json:
        print(json.dumps(as_object(found), default=str))
    else:
        for line in (*summary(found), *map(line_of, found.differences)):
            screen.print(line, highlight=False)
    raise typer.Exit(DIFFERS if found.differences else ALIKE)


if __name__ == "__main__":
    start(main, "parity")

"""The command `bin/parity`: compares what a run did on a day with what the rules decide."""

from pathlib import Path
from typing import Annotated

import typer

from bin.command import MISUSED, VAR, WRONG_USE, one_line, start
from domain.errors import TradingError
from infra.operator.parity.command import ParityOptions, run_parity_command
from infra.operator.parity.period_report import PeriodOptions
from infra.venues.modes import read_run_name

ALIKE, DIFFERS = range(2)


def main(
    *,
    run_dir: Annotated[
        Path | None, typer.Option(help="Run directory; default: that of the mode.")
    ] = None,
    mode: Annotated[str, typer.Option(help="Mode of the run, if it is in var/MODE.")] = "sim",
    day: Annotated[
        str | None, typer.Option(help="UTC day, like 2025-05-01; default: the newest.")
    ] = None,
    settings: Annotated[
        Path | None,
        typer.Option(help="Overrides settings.yaml; default: the run's own settings of that day."),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(help="Write an HTML report: the run beside a backtest of its candles."),
    ] = None,
    from_time: Annotated[
        str | None, typer.Option("--from", metavar="ISO", help="With --report: first close, UTC.")
    ] = None,
    to_time: Annotated[
        str | None, typer.Option("--to", metavar="ISO", help="With --report: last close, UTC.")
    ] = None,
    equity: Annotated[Path | None, typer.Option(help="With --report: equity as CSV.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    progress: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    """Compare what a run did on a day with what the rules decide."""
    # Not 1, which says that something differs: a strategy of the user's own may fail here too.
    with one_line({**MISUSED, TradingError: WRONG_USE}):
        directory = run_dir or VAR / read_run_name(mode)
        period = PeriodOptions(from_time, to_time, equity, progress)
        options = ParityOptions(directory, day, settings, report, period, as_json)
        is_alike = run_parity_command(options)
    raise typer.Exit(ALIKE if is_alike else DIFFERS)


if __name__ == "__main__":
    start(main, "parity")

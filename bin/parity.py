"""The command `bin/parity`: what a run did on a day, held against what the rules decide."""

from pathlib import Path
from typing import Annotated

import typer

from bin.command import VAR, one_line, start
from infra.operator.parity.command import ParityOptions, run_parity_command
from infra.operator.parity.period_report import PeriodOptions
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
    equity: Annotated[Path | None, typer.Option(help="Of --report: its equity, as csv.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    progress: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    """Hold what a run did on a day against what the rules decide."""
    with one_line():
        directory = run_dir or VAR / read_run_name(mode)
        period = PeriodOptions(from_time, to_time, equity, progress)
        options = ParityOptions(directory, mode, day, settings, report, period, as_json)
        is_alike = run_parity_command(options)
    raise typer.Exit(ALIKE if is_alike else DIFFERS)


if __name__ == "__main__":
    start(main, "parity")

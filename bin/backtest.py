"""The command `bin/backtest`: reads its options and hands over."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bin.backtest_run import BacktestOptions, run_backtest_command
from domain.errors import BadDataError, ConfigError

WRONG_USE = 2


def main(
    *,
    candles: Annotated[
        Path, typer.Option(help="Folder with a file per symbol, BTCUSDT.parquet or .csv.")
    ],
    settings: Annotated[Path | None, typer.Option(help="What differs from settings.yaml.")] = None,
    from_time: Annotated[
        str | None,
        typer.Option("--from", metavar="ISO", help="First candle's open time, UTC."),
    ] = None,
    to_time: Annotated[
        str | None,
        typer.Option("--to", metavar="ISO", help="Last candle's close time, UTC."),
    ] = None,
    balance: Annotated[
        str | None,
        typer.Option(metavar="USDT", help="Starting balance; replay.initial_balance by default."),
    ] = None,
    trades: Annotated[Path | None, typer.Option(help="Write all trades as csv.")] = None,
    equity: Annotated[
        Path | None, typer.Option(help="Write balance and equity at every close as csv.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write a page with all plots; opens offline.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object in place of the summary.")
    ] = False,
) -> None:
    """Trade recorded candles by the rules of the live system, and tell what came of it."""
    screen = Console(stderr=True)
    options = BacktestOptions(
        candles=candles,
        settings=settings,
        from_time=from_time,
        to_time=to_time,
        balance=balance,
        trades=trades,
        equity=equity,
        report=report,
        as_json=as_json,
    )
    try:
        run_backtest_command(options)
    except (ConfigError, BadDataError) as error:
        screen.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(WRONG_USE) from error


if __name__ == "__main__":
    typer.run(main)

"""The command `bin/backtest`: reads its options and hands over."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bin.backtest_run import BacktestOptions, run_backtest_command
from bin.sweep import SweepOptions, run_sweep_command
from domain.backtesting.sweep import FIGURES
from domain.errors import BadDataError, ConfigError, TradingError

GAVE_UP, WRONG_USE = 1, 2


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
    sweep: Annotated[
        str | None,
        typer.Option(
            metavar="KEY=A:B:STEP,KEY=V,V",
            help="Try every combination of settings, e.g. "
            "strategy.ema_short_period=120:360:40,risk.stop_loss_pct=0.01,0.02.",
        ),
    ] = None,
    samples: Annotated[
        int | None, typer.Option(min=1, help="Sweep: as many combinations, by chance.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Sweep: of --samples.")] = 0,
    sort: Annotated[
        str, typer.Option(metavar="FIGURE", help=f"Sweep: {', '.join(FIGURES)}.")
    ] = "sharpe",
    walk_forward: Annotated[
        str | None,
        typer.Option(
            metavar="TRAIN:TEST",
            help="Sweep: choose on TRAIN days, judge on the TEST days after them, and move on.",
        ),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(metavar="tcp://HOST:PORT", help="Sweep: on a Dask cluster."),
    ] = None,
    sweep_csv: Annotated[
        Path | None, typer.Option(help="Sweep: write all combinations as csv.")
    ] = None,
) -> None:
    """Trade recorded candles by the rules of the live system, and tell what came of it."""
    screen = Console(stderr=True)
    plain = BacktestOptions(
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
    swept = SweepOptions(
        sweep=sweep or "",
        samples=samples,
        seed=seed,
        sort=sort,
        walk_forward=walk_forward,
        scheduler=scheduler,
        csv=sweep_csv,
        candles=candles,
        settings=settings,
        from_time=from_time,
        to_time=to_time,
    )
    try:
        _check_together(plain, swept, is_sweep=sweep is not None)
        if sweep is None:
            run_backtest_command(plain)
        else:
            run_sweep_command(swept, screen)
    except TradingError as error:
        screen.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        is_wrong_use = isinstance(error, ConfigError | BadDataError)
        raise typer.Exit(WRONG_USE if is_wrong_use else GAVE_UP) from error


def _check_together(plain: BacktestOptions, swept: SweepOptions, *, is_sweep: bool) -> None:
    of_one = {
        "--balance": plain.balance,
        "--trades": plain.trades,
        "--equity": plain.equity,
        "--report": plain.report,
        "--json": plain.as_json,
    }
    of_many = {
        "--samples": swept.samples,
        "--walk-forward": swept.walk_forward,
        "--scheduler": swept.scheduler,
        "--sweep-csv": swept.csv,
    }
    out_of_place = [name for name, value in (of_one if is_sweep else of_many).items() if value]
    if out_of_place:
        where = "does not go with --sweep" if is_sweep else "needs --sweep"
        raise ConfigError(f"{out_of_place[0]} {where}")


if __name__ == "__main__":
    typer.run(main)

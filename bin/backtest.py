"""The command `bin/backtest`: reads its options and starts a backtest."""

from pathlib import Path
from typing import Annotated

import typer

from bin.command import FAILED, MISUSED, SettingsFile, one_line, start
from domain.backtesting.sweep import FIGURES
from domain.errors import TradingError
from infra.backtest.bias import run_bias_command
from infra.backtest.gap import run_gap_command
from infra.backtest.options import DEFAULT_SORT, check_together
from infra.backtest.run import BacktestOptions, run_backtest_command
from infra.backtest.sweep import SweepOptions, run_sweep_command
from infra.operator.terminal.screen import Screen


def main(
    *,
    candles: Annotated[
        Path, typer.Option(help="Folder with one file per symbol, BTCUSDT.parquet or .csv.")
    ],
    settings: SettingsFile = None,
    from_time: Annotated[
        str | None, typer.Option("--from", metavar="ISO", help="First candle's open time, UTC.")
    ] = None,
    to_time: Annotated[
        str | None, typer.Option("--to", metavar="ISO", help="Last candle's close time, UTC.")
    ] = None,
    assets: Annotated[
        str | None, typer.Option(metavar="BTC,ETH", help="Only these; default: all.")
    ] = None,
    balance: Annotated[
        str | None,
        typer.Option(metavar="USDT", help="Starting balance; replay.initial_balance by default."),
    ] = None,
    trades: Annotated[Path | None, typer.Option(help="Write all trades as CSV.")] = None,
    equity: Annotated[
        Path | None, typer.Option(help="Write balance and equity at every close as CSV.")
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Write an HTML report with all plots (sweep: of the best run, with heat maps)."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of the summary.")
    ] = False,
    check_bias: Annotated[
        bool,
        typer.Option(
            "--check-bias",
            help="Check for look-ahead (exit code 1), and whether the warm-up is long enough.",
        ),
    ] = False,
    gap_check: Annotated[
        bool,
        typer.Option(
            "--gap-check",
            help="Repeat with stops that fill past their triggers (stop_gap_fraction 0, 0.1, 0.5).",
        ),
    ] = False,
    sweep: Annotated[
        str | None,
        typer.Option(
            metavar="KEY=VALUES",
            help="Try every combination of settings, separated by commas: "
            "KEY=FROM:TO:STEP or risk.stop_loss_pct=0.01,0.02.",
        ),
    ] = None,
    samples: Annotated[
        int | None, typer.Option(min=1, help="Sweep: try this many random combinations.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Sweep: seed of --samples.")] = 0,
    sort: Annotated[
        str, typer.Option(metavar="FIGURE", help=f"Sweep: sort by {', '.join(FIGURES)}.")
    ] = DEFAULT_SORT,
    walk_forward: Annotated[
        str | None,
        typer.Option(
            metavar="TRAIN:TEST",
            help="Sweep: choose on TRAIN days, evaluate on the TEST days after them, repeat.",
        ),
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(metavar="tcp://HOST:PORT", help="Sweep: run on a Dask cluster.")
    ] = None,
    sweep_csv: Annotated[
        Path | None, typer.Option(help="Sweep: write all combinations as CSV.")
    ] = None,
    progress: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    """Trade recorded candles with the rules of the live system, and print a summary."""
    screen = Screen(stderr=True)
    plain = BacktestOptions(
        candles=candles,
        assets=assets,
        settings=settings,
        from_time=from_time,
        to_time=to_time,
        balance=balance,
        trades=trades,
        equity=equity,
        report=report,
        as_json=as_json,
        progress=progress,
    )
    swept = SweepOptions(
        sweep=sweep or "",
        samples=samples,
        seed=seed,
        sort=sort,
        walk_forward=walk_forward,
        scheduler=scheduler,
        csv=sweep_csv,
        plain=plain,
    )
    with one_line({**MISUSED, TradingError: FAILED}):
        check_together(plain, swept, is_bias=check_bias, is_gap=gap_check)
        if check_bias:
            if not run_bias_command(candles, settings, from_time, to_time, screen):
                raise typer.Exit(FAILED)
        elif gap_check:
            run_gap_command(candles, settings, from_time, to_time)
        elif sweep is not None:
            run_sweep_command(swept, screen)
        else:
            run_backtest_command(plain)


if __name__ == "__main__":
    start(main, "backtest")

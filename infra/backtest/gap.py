"""Shows the results of a backtest if stops fill beyond their triggers."""

import os
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.table import Table

from domain.backtesting.market import Market
from domain.backtesting.stop_gaps import GapRun, gap_runs
from infra.candles.market_input import read_market
from infra.operator.terminal.screen import Screen
from infra.settings import default_dotenv, load_settings


def run_gap_command(
    candles: Path, settings: Path | None, from_time: str | None, to_time: str | None
) -> None:
    """Run the backtest once for each fraction, and print the results.

    Raises:
        ConfigError: the options or settings are wrong.
        BadDataError: the candle files are wrong.
    """
    rules = load_settings(settings, environ=os.environ, dotenv=default_dotenv()).trading_rules()
    market = Market(read_market(candles, rules, from_time, to_time))
    Screen().print(render(list(gap_runs(market, rules)), rules.fills.stop_gap_fraction))


def render(runs: Sequence[GapRun], set_to: object) -> Table:
    """Return the runs as a table, with that of the settings marked."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.title = "Stops that fill past their trigger, by a fraction of the way to the extreme"
    table.title_justify = "left"
    for name in ("fraction", "trades", "stops", "balance USDT", "return", "drawdown"):
        table.add_column(name, justify="right", no_wrap=True)
    for run in runs:
        found, mark = run.figures, " *" if run.fraction == set_to else "  "
        table.add_row(
            f"{run.fraction:f}{mark}",
            f"{found.total.trades:,}",
            f"{run.stops:,}",
            f"{found.final_balance:,.2f}",
            f"{found.total_return:+.2%}",
            f"{found.drawdown.fraction:.2%}",
        )
    return table

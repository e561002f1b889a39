"""A backtest, from its options to its output."""

import os
import sys
import time
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path

from domain.backtesting.figures import BacktestFigures
from domain.backtesting.market import Market
from domain.backtesting.result import BacktestResult
from domain.backtesting.run import run_backtest
from domain.backtesting.stop_gaps import without_gaps
from domain.backtesting.sweep import SweepResult
from domain.errors import ConfigError
from domain.rules import TradingRules
from infra.candles.market_input import read_market
from infra.operator.report.equity_files import write_equity
from infra.operator.report.trade_files import write_trades
from infra.operator.terminal.backtest import as_json, render
from infra.operator.terminal.screen import Screen
from infra.process.progress_file import ProgressFile
from infra.settings import SettingsSource, default_dotenv
from infra.settings.doubts import doubts

_LARGEST_BALANCE = Decimal("1E12")


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestOptions:
    """The options of the command line."""

    candles: Path
    assets: str | None
    """Assets of the settings to use, comma-separated; None: all."""
    settings: Path | None
    from_time: str | None
    to_time: str | None
    balance: str | None
    trades: Path | None
    equity: Path | None
    report: Path | None
    as_json: bool
    progress: Path | None = None
    """File to write the progress to; None: none."""


def run_backtest_command(options: BacktestOptions) -> None:
    """Run a backtest, write the requested files, and print its summary or JSON object.

    Raises:
        ConfigError: the options or settings are wrong.
        BadDataError: the candle files are wrong.
    """
    source = SettingsSource(options.settings, environ=os.environ, dotenv=default_dotenv())
    rules = source.settings().trading_rules()
    for line in doubts(source.merged()):
        Screen(stderr=True).print(line, soft_wrap=True)
    rules = _with_assets(_with_balance(rules, options.balance), options.assets)
    progress = ProgressFile(options.progress)
    progress.tell("reading")
    market = Market(read_market(options.candles, rules, options.from_time, options.to_time))
    told = progress.counter("playing", market.candles, market.candles_before)
    began_s = time.perf_counter()
    result = run_backtest(market, rules, told)
    engine_s = time.perf_counter() - began_s
    told = progress.counter("playing without gaps", market.candles, market.candles_before)
    no_gaps = without_gaps(market, rules, told)
    progress.tell("writing")
    _write(options, result, no_gaps)
    if options.as_json:
        sys.stdout.write(as_json(result, engine_s, no_gaps) + "\n")
    else:
        Screen().print(render(result, engine_s, no_gaps))


def _with_assets(rules: TradingRules, text: str | None) -> TradingRules:
    if text is None:
        return rules
    wanted = [name.strip() for name in text.split(",")]
    known = {asset.asset: asset for asset in rules.assets}
    for name in wanted:
        if name not in known:
            raise ConfigError(f"--assets {text}: {name} is none of {', '.join(known)}")
    return replace(rules, assets=tuple(known[name] for name in known if name in wanted))


def _write(
    options: BacktestOptions, result: BacktestResult, no_gaps: BacktestFigures | None
) -> None:
    if options.trades is not None:
        write_trades(options.trades, result.trades)
    if options.equity is not None:
        write_equity(options.equity, result.equity)
    if options.report is not None:
        write_page(options.report, options.candles, result, no_gaps=no_gaps)


def write_page(
    file: Path,
    candles: Path,
    result: BacktestResult,
    sweep: SweepResult | None = None,
    no_gaps: BacktestFigures | None = None,
) -> None:
    """Write the report of a backtest, and of the sweep that it is the best of.

    Args:
        file: the page.
        candles: folder of the candle files.
        result: of the backtest.
        sweep: None: there was none.
        no_gaps: the result if stops filled at their triggers; None: they do.

    Raises:
        ConfigError: it cannot be written.
    """
    # Importing plotly takes a third of a second: only the page needs it.
    from infra.operator.report.page import sources_of, write_report  # noqa: PLC0415
    from infra.operator.report.sweep_plots import sweep_plots  # noqa: PLC0415

    symbols = [asset.instrument.symbol for asset in result.rules.assets]
    try:
        more = [] if sweep is None else sweep_plots(sweep)
        write_report(file, result, sources_of(candles, symbols), more, no_gaps)
    except OSError as error:
        raise ConfigError(f"--report {file}: cannot be written: {error.strerror}") from error


def _with_balance(rules: TradingRules, text: str | None) -> TradingRules:
    if text is None:
        return rules
    try:
        balance = Decimal(text)
    except InvalidOperation:
        balance = Decimal("NaN")
    if not (balance.is_finite() and 1 <= balance <= _LARGEST_BALANCE):
        raise ConfigError(f"--balance {text}: expected USDT, a number from 1 to 1E12")
    return replace(rules, fills=replace(rules.fills, initial_balance=balance))

"""Backtests: the engine alone, the whole process, growth with candles and assets, many runs."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from domain.backtesting.market import Market
from domain.backtesting.result import BacktestResult
from domain.backtesting.run import run_backtest
from domain.market.candles import CandleSeries
from domain.rules import TradingRules
from domain.strategies.registry import CONFIRMED_TREND_LONG
from infra.settings import SettingsSource, load_settings
from tests.benchmarks.made_market import YEAR, made_market

ROOT = Path(__file__).resolve().parents[2]
RUNS = 5
PAIRS = 12
SHORT_PERIODS = range(120, 320, 20)
LONG_PERIODS = range(400, 900, 50)


def measure(_candles: Path) -> Iterator[tuple[str, str, str]]:
    """Yield the times of backtests over made-up markets that trade to their end."""
    yield from _process()
    for years in (1, 2, 4):
        yield _row(3, years, "<= 0.5 s" if years == 4 else "linear")
    for assets in (1, 10, 30):
        yield _row(assets, 1, "linear")
    what = f"backtest engine, {PAIRS} pairs x 1 year, longs with trailing stops"
    yield _measured(what, long_rules_of(PAIRS), 1, "")
    yield _many_runs()


def rules_of(assets: int) -> TradingRules:
    """Return the default rules for A0, A1, ..., each with the filters of SOLUSDT."""
    rules = load_settings(None, environ={}, dotenv=None).trading_rules()
    names = [f"A{number}" for number in range(assets)]
    return replace(
        rules,
        assets=tuple(replace(rules.assets[-1], asset=name) for name in names),
        approval=replace(rules.approval, max_positions=assets),
    )


def long_rules_of(assets: int) -> TradingRules:
    """Return rules of a multi-pair portfolio of longs, in three groups; it is never halted."""
    source = SettingsSource(None, environ={}, dotenv=None)
    rules = source.settings({"portfolio.assets[*].strategy": CONFIRMED_TREND_LONG}).trading_rules()
    pair = replace(rules.assets[-1], allocation_fraction=Decimal("0.05"), leverage=Decimal(1))
    approval = replace(
        rules.approval,
        max_positions=10,
        max_simultaneous_entries=None,
        correlation_limit=None,
        max_total_exposure=Decimal(1),
        max_position_size=Decimal("0.05"),
        max_correlated_exposure=Decimal("0.2"),
    )
    protection = replace(
        rules.protection,
        drawdown_steps=(),
        drawdown_emergency_fraction=None,
        drawdown_halt_fraction=None,
        max_daily_loss_fraction=None,
        high_correlation_threshold=None,
        loss_streak=None,
    )
    names = [f"A{number}" for number in range(assets)]
    groups = ("a", "b", "c")
    return replace(
        rules,
        approval=approval,
        protection=protection,
        assets=tuple(
            replace(pair, asset=name, correlation_group=groups[number % len(groups)])
            for number, name in enumerate(names)
        ),
    )


def with_periods(rules: TradingRules, short: int, long: int) -> TradingRules:
    """Return the rules with other averages for every asset."""
    assets = []
    for asset in rules.assets:
        spec = asset.terms.strategy
        periods = {"ema_short_period": short, "ema_long_period": long}
        spec = replace(spec, parameters={**spec.parameters, **periods})
        assets.append(replace(asset, terms=replace(asset.terms, strategy=spec)))
    return replace(rules, assets=tuple(assets))


def write_market(folder: Path) -> None:
    """Write four years of candles of three assets, in another process to keep this one small."""
    command = [sys.executable, "-m", "tests.benchmarks.made_market", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True)


def run_process(folder: Path) -> tuple[float, dict[str, float], int]:
    """Return the seconds of `bin/backtest` with trades written, its figures, its peak in MiB."""
    command = ["-m", "bin.backtest", "--candles", str(folder), "--json"]
    began_s = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, *command, "--trades", str(folder / "trades.csv")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        printed = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - began_s
    assert process.returncode == 0
    return seconds, json.loads(printed), usage.ru_maxrss // 1024


def _row(assets: int, years: int, goal: str) -> tuple[str, str, str]:
    what = f"backtest engine, {assets} assets x {years} years"
    return _measured(what, rules_of(assets), years, goal)


def _measured(what: str, rules: TradingRules, years: int, goal: str) -> tuple[str, str, str]:
    market = made_market([asset.asset for asset in rules.assets], years * YEAR)
    best_s, result = min((_timed(market, rules) for _ in range(RUNS)), key=lambda run: run[0])
    rate = result.candles / best_s
    measured = f"{best_s:.2f} s, {len(result.trades):,} trades, {rate / 1e6:.1f} M candles/s"
    return what, measured, goal


def _timed(market: dict[str, CandleSeries], rules: TradingRules) -> tuple[float, BacktestResult]:
    began_s = time.perf_counter()
    result = run_backtest(Market(market), rules)
    return time.perf_counter() - began_s, result


def _process() -> Iterator[tuple[str, str, str]]:
    with tempfile.TemporaryDirectory() as folder:
        write_market(Path(folder))
        runs = sorted(run_process(Path(folder))[::2] for _ in range(3))
    yield "bin/backtest, parquet in, trades out, 3 x 4 years", f"{runs[0][0]:.2f} s", "<= 2 s"
    yield "its peak memory", f"{max(peak for _, peak in runs)} MiB", "<= 400 MiB"


def _many_runs() -> tuple[str, str, str]:
    market, rules = Market(made_market(["A0"], YEAR)), rules_of(1)
    began_s = time.perf_counter()
    market.prepare({"A0": [*SHORT_PERIODS, *LONG_PERIODS]})
    trades = 0
    for short in SHORT_PERIODS:
        for long in LONG_PERIODS:
            trades += len(run_backtest(market, with_periods(rules, short, long)).trades)
    seconds = time.perf_counter() - began_s
    what = "100 runs, pairs of averages, 1 asset x 1 year, one core"
    return what, f"{seconds:.2f} s, {trades:,} trades", "<= 2 s on two"

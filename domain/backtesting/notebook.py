"""A backtest in one call, for notebooks: arrays or data frames in, trades, equity, figures out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from domain.backtesting.figures import BacktestFigures, backtest_figures
from domain.backtesting.market import Market
from domain.backtesting.result import BacktestResult, EquitySeries
from domain.backtesting.run import run_backtest
from domain.market.candles import CandleSeries, Floats, Times, carry_forward
from domain.rules import TradingRules
from domain.trading.positions import Trade

_PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Backtest:
    """A run and its figures."""

    trades: list[Trade]
    """By exit time, then by the order of assets in the settings."""
    equity: EquitySeries
    figures: BacktestFigures
    result: BacktestResult
    """Everything known about the run."""


def backtest(data: Mapping[str, Any], rules: TradingRules) -> Backtest:
    """Run the rules over candles, and return the result.

    Args:
        data: candles by asset (BTC) or symbol (BTCUSDT), for some or all assets of the rules. Each
            is a `CandleSeries`, or a table with columns by name, like a data frame or a dict of
            arrays: open_time (integer ms since 1970 UTC, or datetime64; without such a
            column the index of a data frame), open, high, low and close; (n,), oldest first. Gaps
            are carried forward.
        rules: from settings, by `load_settings(...).trading_rules()`.

    Raises:
        ValueError: an asset is unknown, a column is missing, or a candle is impossible.
    """
    assets = {asset.instrument.symbol: asset.asset for asset in rules.assets}
    assets |= {asset.asset: asset.asset for asset in rules.assets}
    unknown = [name for name in data if name not in assets]
    if unknown:
        raise ValueError(f"{unknown[0]}: expected one of {', '.join(assets)}, as the settings name")
    candles = {assets[name]: _series(name, table, rules) for name, table in data.items()}
    if len(candles) < len(data):
        raise ValueError(f"expected each asset once, found {', '.join(data)}")
    result = run_backtest(Market(candles), rules)
    return Backtest(
        trades=result.trades,
        equity=result.equity,
        figures=backtest_figures(result),
        result=result,
    )


def _series(name: str, table: Any, rules: TradingRules) -> CandleSeries:
    if isinstance(table, CandleSeries):
        return table
    times = _times(name, table)
    prices = {column: _floats(name, table, column) for column in _PRICES}
    _check(name, times, prices, rules.candles.candle_ms)
    try:
        return carry_forward(
            times, **prices, volume=np.zeros(len(times)), candle_ms=rules.candles.candle_ms
        )
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _times(name: str, table: Any) -> Times:
    if not hasattr(table, "__contains__"):
        raise ValueError(f"{name}: expected a table of candles, found {type(table).__name__}")
    column = "open_time" in table
    if not column and not hasattr(table, "index"):
        raise ValueError(f"{name}: expected a column open_time, found {_columns(table)}")
    given = table["open_time"] if column else table.index
    # Data frames keep times with a zone as objects; converted to plain ones, they are in UTC.
    has_zone = getattr(getattr(given, "dtype", None), "tz", None) is not None
    times = np.asarray(given, dtype="datetime64[ms]" if has_zone else None)
    if times.dtype.kind == "M":
        times = times.astype("datetime64[ms]").astype(np.int64)
    if times.dtype.kind not in "iu":
        found = f"{times.dtype}, as {times[0]!r}" if len(times) else str(times.dtype)
        raise ValueError(f"{name}: expected open_time in integer ms or datetime64, found {found}")
    return times.astype(np.int64)


def _floats(name: str, table: Any, column: str) -> Floats:
    if column not in table:
        raise ValueError(f"{name}: expected a column {column}, found {_columns(table)}")
    try:
        return np.array(table[column], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: expected numbers in column {column}: {error}") from error


def _columns(table: Any) -> str:
    return ", ".join(map(str, table)) or "none"


def _check(name: str, times: Times, prices: Mapping[str, Floats], candle_ms: int) -> None:
    for column, values in prices.items():
        if values.shape != times.shape:
            raise ValueError(
                f"{name}: expected {times.shape} values in column {column} as in open_time, "
                f"found {values.shape}"
            )
        _refuse(name, ~(np.isfinite(values) & (values > 0)), f"a price above 0 in column {column}")
    low, high = prices["low"], prices["high"]
    for column in ("open", "close"):
        values = prices[column]
        _refuse(name, (values < low) | (values > high), f"{column} between low and high")
    _refuse(name, times % candle_ms != 0, f"open_time on the grid of {candle_ms} ms")


def _refuse(name: str, broken: Any, expected: str) -> None:
    if broken.any():
        raise ValueError(f"{name}: row {int(broken.argmax())}: expected {expected}")

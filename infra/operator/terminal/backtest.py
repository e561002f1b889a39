"""The results of a backtest, for a terminal and as JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from domain.backtesting.figures import AssetFigures, BacktestFigures, backtest_figures
from domain.backtesting.result import BacktestResult
from infra.operator.terminal.screen import headed
from infra.operator.terminal.summary import counts_text, halted_text, open_text, trades_table
from infra.process.times import show_time


def as_json(
    result: BacktestResult, engine_seconds: float, no_gaps: BacktestFigures | None = None
) -> str:
    """Return one JSON object; times are ISO, UTC; undefined values are null.

    Args:
        result: of the backtest.
        engine_seconds: the time it took.
        no_gaps: the result if stops filled at their triggers; None: they do.
    """
    found = backtest_figures(result)
    shown = {
        **_trades(found.total),
        "final_balance": found.final_balance,
        "final_equity": found.final_equity,
        "total_return": found.total_return,
        "cagr": found.cagr,
        "sharpe": found.sharpe,
        "sortino": found.sortino,
        "calmar": found.calmar,
        "max_drawdown": found.drawdown.fraction,
        "max_drawdown_start": _iso(found.drawdown.start_ms),
        "max_drawdown_end": _iso(found.drawdown.end_ms),
        "exposure_time": found.exposure_time,
        "refusals_by_reason": _sorted(found.refusals_by_reason),
        "per_asset": {asset: _trades(mine) for asset, mine in found.per_asset.items()},
        "engine_seconds": engine_seconds,
        "candles": result.candles,
    }
    if no_gaps is not None:
        shown["without_stop_gaps"] = {
            "final_balance": no_gaps.final_balance,
            "total_return": no_gaps.total_return,
            "max_drawdown": no_gaps.drawdown.fraction,
        }
    return json.dumps(shown, indent=2, allow_nan=False)


def render(
    result: BacktestResult, engine_seconds: float, no_gaps: BacktestFigures | None = None
) -> RenderableType:
    """Return the summary for a terminal; the arguments are those of `as_json`."""
    found = backtest_figures(result)
    carried = {
        asset: int(market.series.carried.sum()) for asset, market in result.market.assets.items()
    }
    parts: list[RenderableType] = [
        _headline(result, found, engine_seconds),
        _figures_table(found, no_gaps),
        trades_table(list(result.histories), result.trades),
        counts_text("Refusals", _sorted(found.refusals_by_reason)),
        counts_text("Protections", _protections(result)),
        counts_text("Carried forward", carried),
        *map(open_text, result.open_positions),
    ]
    if result.is_halted:
        parts.append(halted_text())
    return Group(*parts)


def _headline(result: BacktestResult, found: BacktestFigures, engine_seconds: float) -> Text:
    begin, end = result.begin_ms, int(result.equity.time_ms[-1])
    rate = result.candles / engine_seconds if engine_seconds else 0.0
    return headed(
        f"{_minute(begin)} to {_minute(end)} UTC",
        "bold",
        f": {result.candles:,} candles in "
        f"{engine_seconds:.2f} s ({rate:,.0f}/s)\n"
        f"Balance {result.initial_balance:,.2f} -> {found.final_balance:,.6f} USDT "
        f"({found.final_balance - result.initial_balance:+,.2f})",
    )


def _figures_table(found: BacktestFigures, no_gaps: BacktestFigures | None) -> Table:
    fall = found.drawdown
    span = "" if fall.start_ms is None else f" ({_minute(fall.start_ms)} to {_minute(fall.end_ms)})"
    table = Table(show_header=False, title="Figures", title_justify="left")
    for name, text in {
        "total return": f"{found.total_return:+.2%}",
        "CAGR": _optional(found.cagr, "+.2%"),
        "Sharpe, Sortino, Calmar": ", ".join(
            _optional(value, ".2f") for value in (found.sharpe, found.sortino, found.calmar)
        ),
        "maximum drawdown": f"{fall.fraction:.2%}{span}",
        "expectancy USDT": _optional(found.total.expectancy, "+,.2f"),
        "average hold, minutes": _optional(found.total.average_hold_minutes, ",.0f"),
        "time with a position": f"{found.exposure_time:.1%}",
    }.items():
        table.add_row(name, text)
    if no_gaps is not None:
        table.add_row("with stops at their triggers", _without_gaps(no_gaps))
    return table


def _without_gaps(found: BacktestFigures) -> str:
    """Return the results that a backtest would have if its stops filled at their triggers."""
    return (
        f"balance {found.final_balance:,.2f}, return {found.total_return:+.2%}, "
        f"drawdown {found.drawdown.fraction:.2%}"
    )


def _trades(found: AssetFigures) -> dict[str, Any]:
    return asdict(found) | {"exits_by_reason": _sorted(found.exits_by_reason)}


def _sorted(counts: Mapping[Any, int]) -> dict[str, int]:
    return {str(name): counts[name] for name in sorted(counts)}


def _protections(result: BacktestResult) -> dict[str, int]:
    reasons = [protection.reason for protection in result.protections]
    return {str(reason): reasons.count(reason) for reason in dict.fromkeys(reasons)}


def _optional(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _iso(time_ms: int | None) -> str | None:
    return None if time_ms is None else f"{_minute(time_ms).replace(' ', 'T')}:00Z"


def _minute(time_ms: int | None) -> str:
    return "" if time_ms is None else show_time(time_ms)

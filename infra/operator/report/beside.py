"""A run compared with the backtest of its candles: figures, equity, and every trade of both."""

from collections.abc import Iterator

import plotly.graph_objects as go

from domain.backtesting.figures import BacktestFigures, backtest_figures
from domain.backtesting.result import BacktestResult
from domain.market.instruments import Side
from domain.operator import wording as say
from domain.trading.positions import Trade
from infra.operator.report.detail import add_line
from infra.operator.report.html import optional, price_text, table
from infra.operator.report.style import BLUE, ORANGE, over_time
from infra.process.times import show_time

_BPS = 10_000
_TRADES = (
    "asset",
    "side",
    "in, UTC",
    "entry: run",
    "backtest",
    "worse by, bps",
    "exit: run",
    "backtest",
    "worse by, bps",
    "reason: run",
    "backtest",
    "PnL USDT: run",
    "backtest",
)
_Pair = tuple[Trade | None, Trade | None]


def beside_plot(run: BacktestResult, backtest: BacktestResult) -> go.Figure:
    """Return a plot of both equities."""
    figure = go.Figure()
    for name, found, color in (("run", run, BLUE), ("backtest", backtest, ORANGE)):
        add_line(
            figure,
            found.equity.equity,
            begin_ms=int(found.equity.time_ms[0]),
            step_ms=found.market.candle_ms,
            at={},
            name=name,
            line={"color": color, "width": 1.5},
        )
    figure.update_yaxes(title="USDT", tickformat=",~f")
    title = "Equity of the run and of the backtest"
    return over_time(figure, run, title, hovermode="x unified")


def beside_tables(run: BacktestResult, backtest: BacktestResult) -> str:
    """Return the figures of both, and their trades side by side."""
    pairs = list(_pairs(run, backtest))
    both = sum(None not in pair for pair in pairs)
    told = (
        f"{both} trades were made by both, {sum(b is None for _, b in pairs)} only by the run, "
        f"{sum(r is None for r, _ in pairs)} only by the backtest. The backtest knows no pauses, "
        "commands or outages, and starts without open positions."
    )
    trades = table([_row(*pair) for pair in pairs], _TRADES, numbers_from=3)
    return (
        f"<h2>Beside the backtest of the same candles</h2>{_figures(run, backtest)}"
        f"<h2>Every fill of both</h2><p class=span>{told}</p><div class=scroll>{trades}</div>"
    )


def _figures(run: BacktestResult, backtest: BacktestResult) -> str:
    columns = [_texts(backtest_figures(found)) for found in (run, backtest)]
    rows = [(name, columns[0][name], columns[1][name]) for name in columns[0]]
    return table(rows, ("", "run", "backtest"), numbers_from=1)


def _texts(found: BacktestFigures) -> dict[str, str]:
    return {
        "equity at the end, USDT": f"{found.final_equity:,.2f}",
        "total return": f"{found.total_return:+.2%}",
        "maximum drawdown": f"{found.drawdown.fraction:.2%}",
        "Sharpe": optional(found.sharpe, ".2f"),
        "trades": f"{found.total.trades:,}",
        "win rate": optional(found.total.win_rate, ".1%"),
        "profit factor": optional(found.total.profit_factor, ".2f"),
        "PnL of closed trades, USDT": f"{found.total.pnl:+,.2f}",
        "fees, USDT": f"{found.total.fees:,.2f}",
        "funding, USDT": f"{found.total.funding:+,.2f}",
        "average hold, minutes": optional(found.total.average_hold_minutes, ",.0f"),
        "entries denied": f"{sum(found.refusals_by_reason.values()):,}",
    }


def _pairs(run: BacktestResult, backtest: BacktestResult) -> Iterator[_Pair]:
    """Yield trades by entry, paired if both entered in the same candle."""
    candle_ms = run.market.candle_ms
    by_entry = [
        {(trade.entry_ms // candle_ms, trade.asset): trade for trade in found.trades}
        for found in (run, backtest)
    ]
    for key in sorted({*by_entry[0], *by_entry[1]}):
        yield by_entry[0].get(key), by_entry[1].get(key)


def _row(run: Trade | None, backtest: Trade | None) -> tuple[str, ...]:
    known = run or backtest
    assert known is not None  # noqa: S101 (a pair has one at least)
    entry_sign = 1 if known.side is Side.BUY else -1
    return (
        known.asset,
        say.direction(known.side).lower(),
        show_time(known.entry_ms),
        "" if run is None else price_text(run.entry_price),
        "" if backtest is None else price_text(backtest.entry_price),
        _worse(run, backtest, "entry_price", entry_sign),
        "" if run is None else price_text(run.exit_price),
        "" if backtest is None else price_text(backtest.exit_price),
        _worse(run, backtest, "exit_price", -entry_sign),
        "" if run is None else str(run.reason),
        "" if backtest is None else str(backtest.reason),
        "" if run is None else f"{run.pnl:+,.2f}",
        "" if backtest is None else f"{backtest.pnl:+,.2f}",
    )


def _worse(run: Trade | None, backtest: Trade | None, price: str, sign: int) -> str:
    if run is None or backtest is None:
        return ""
    made, expected = float(getattr(run, price)), float(getattr(backtest, price))
    worse = round(sign * (made / expected - 1) * _BPS, 1)
    return f"{worse:+.1f}" if worse else "0.0"

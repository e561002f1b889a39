"""Plots over time: equity with its drawdown, each asset's market, correlations."""

from collections.abc import Sequence
from itertools import cycle

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from domain.backtesting.attribution import pair_correlations, regime_spans
from domain.backtesting.result import BacktestResult
from domain.market.instruments import Side
from domain.strategies.base import Regime
from domain.trading.positions import Trade
from infra.operator.report.course_plots import rests_traces
from infra.operator.report.detail import add_candles, add_line
from infra.operator.report.style import (
    BLUE,
    GRAY,
    INK,
    ORANGE,
    PURPLE,
    RED,
    over_time,
    sign_color,
)
from infra.process.times import show_time

LINES = (BLUE, ORANGE, PURPLE)
"""Colors of a strategy's lines."""

_REGIME_LEVEL = {Regime.INACTIVE: 0, Regime.ACTIVE: 1, Regime.COOLDOWN: 2}
_DIRECTION = {Side.SELL: "short", Side.BUY: "long"}
_SYMBOL = {Side.SELL: "triangle-down", Side.BUY: "triangle-up"}
_REGIME_COLORS = [
    [0.0, "rgba(255,255,255,0)"],
    [0.33, "rgba(255,255,255,0)"],
    [0.33, "rgba(192,57,43,0.13)"],
    [0.67, "rgba(192,57,43,0.13)"],
    [0.67, "rgba(127,140,141,0.25)"],
    [1.0, "rgba(127,140,141,0.25)"],
]


def equity_plot(result: BacktestResult) -> go.Figure:
    """Return a plot of equity at every close, drawdown, and when nothing was opened."""
    series = result.equity
    begin_ms, step_ms = int(series.time_ms[0]), result.market.candle_ms
    top = np.maximum(np.maximum.accumulate(series.equity), result.initial_balance)
    drawdown = (series.equity - top) / top * 100
    figure = make_subplots(
        rows=3, cols=1, shared_xaxes=True, row_heights=[0.62, 0.23, 0.15], vertical_spacing=0.03
    )
    for row, (name, values, color, fill) in enumerate(
        (("equity", series.equity, BLUE, "none"), ("drawdown", drawdown, RED, "tozeroy")), start=1
    ):
        add_line(
            figure,
            values,
            begin_ms=begin_ms,
            step_ms=step_ms,
            at={"row": row, "col": 1},
            name=name,
            fill=fill,
            line={"color": color, "width": 1.5},
        )
    figure.update_yaxes(title="USDT", tickformat=",~f", row=1, col=1)
    figure.update_yaxes(title="%", row=2, col=1)
    for trace in rests_traces(result):
        figure.add_trace(trace, row=3, col=1)
    figure.update_yaxes(type="category", row=3, col=1)
    return over_time(
        figure,
        result,
        "Equity, drawdown, and when nothing was opened",
        height=620,
        hovermode="x unified",
    )


def market_plot(result: BacktestResult, asset: str) -> go.Figure:
    """Return a plot of an asset's price and averages over its regime, with every trade."""
    series, history = result.market.assets[asset].series, result.histories[asset]
    begin_ms = int(series.open_time_ms[0]) + series.candle_ms
    prices = [line for line in history.lines() if line.is_price]
    figure = make_subplots(specs=[[{"secondary_y": True}]])
    figure.add_trace(_regimes(result, asset), secondary_y=True)
    for name, values, color, width in (
        ("close", series.close, INK, 1.0),
        *(
            (line.label, line.figures, color, 1.5)
            for line, color in zip(prices, cycle(LINES), strict=False)
        ),
    ):
        add_line(
            figure,
            np.asarray(values),
            begin_ms=begin_ms,
            step_ms=series.candle_ms,
            at={},
            name=name,
            line={"color": color, "width": width},
            hoverinfo="x+y+name",
        )
        if name == "close":
            add_candles(figure, series)
    trades = [trade for trade in result.trades if trade.asset == asset]
    for trace in _trades(trades):
        figure.add_trace(trace)
    # Plotly reserves room for the labels of the second axis, which has none.
    figure.update_xaxes(domain=[0, 1], rangeslider={"visible": False})
    levels = _levels(result, asset)
    figure.update_yaxes(title="USDT", tickformat=",~f", range=levels, secondary_y=False)
    figure.update_yaxes(visible=False, range=[0, 1], fixedrange=True, secondary_y=True)
    title = (
        f"{', '.join([f'{asset}: price', *(line.label for line in prices)])}, "
        "regime (red: may enter, gray: cooldown), "
        "trades (exit blue circle: won, orange x: lost)"
    )
    return over_time(figure, result, title, height=560, hovermode="closest")


def _levels(result: BacktestResult, asset: str) -> list[float] | None:
    """Return the price range of the traded period; None: all candles count, plotly finds it.

    Prices of the warm-up could flatten those of the traded period.
    """
    series = result.market.assets[asset].series
    counts = series.open_time_ms >= result.begin_ms
    if counts.all() or not counts.any():
        return None
    low, high = float(series.low[counts].min()), float(series.high[counts].max())
    room = 0.08 * (high - low)
    return [low - room, high + room]


_NAMED_PAIRS = 10


def correlations_plot(result: BacktestResult) -> go.Figure:
    """Return a plot of the correlation of each pair, and the limit that denies entries."""
    figure, pairs = go.Figure(), pair_correlations(result)
    for pair in pairs:
        figure.add_scatter(
            x=pair.time_ms,
            y=pair.correlation,
            name=" / ".join(pair.assets),
            mode="lines",
        )
    limit = result.rules.approval.correlation_limit
    if limit is not None:
        dashed = {"color": GRAY, "dash": "dash"}
        figure.add_hline(y=limit, line=dashed, annotation_text="entry limit")
    window = result.rules.candles.volatility_window
    figure.update_yaxes(title="Pearson")
    title = f"Correlations at midnight, over {window} candles"
    # More names would cover the plot; a line shows its name on hover.
    is_few = len(pairs) <= _NAMED_PAIRS
    hover = "x unified" if is_few else "closest"
    return over_time(figure, result, title, hovermode=hover, showlegend=is_few)


def _regimes(result: BacktestResult, asset: str) -> go.Heatmap:
    spans = regime_spans(result, asset)
    return go.Heatmap(
        x=[spans[0].begin_ms, *(span.end_ms for span in spans)],
        y=[0, 1],
        z=[[_REGIME_LEVEL[span.regime] for span in spans]],
        zmin=0,
        zmax=2,
        colorscale=_REGIME_COLORS,
        showscale=False,
        hoverinfo="skip",
        name="regime",
    )


def _trades(trades: Sequence[Trade]) -> list[go.Scatter]:
    # Entries are drawn last, and exits hollow: over months they overlap.
    size = max(6, 11 - len(trades) // 20)
    exits = go.Scatter(
        x=[trade.exit_ms for trade in trades],
        y=[float(trade.exit_price) for trade in trades],
        mode="markers",
        name="exit",
        marker={
            "symbol": ["circle-open" if trade.pnl > 0 else "x-open" for trade in trades],
            "size": size,
            "color": [sign_color(float(trade.pnl)) for trade in trades],
            "line": {"width": 2},
        },
        text=[_told(trade) for trade in trades],
        hoverinfo="text",
    )
    entries = go.Scatter(
        x=[trade.entry_ms for trade in trades],
        y=[float(trade.entry_price) for trade in trades],
        mode="markers",
        name="entry",
        marker={
            "symbol": [_SYMBOL[trade.side] for trade in trades],
            "size": size + 1,
            "color": PURPLE,
            "line": {"width": 1, "color": "white"},
        },
        text=[_told(trade) for trade in trades],
        hoverinfo="text",
    )
    return [_ways(trades), exits, entries]


def _ways(trades: Sequence[Trade]) -> go.Scatter:
    x: list[float | None] = []
    y: list[float | None] = []
    for trade in trades:
        x += [trade.entry_ms, trade.exit_ms, None]
        y += [float(trade.entry_price), float(trade.exit_price), None]
    line = {"color": PURPLE, "width": 1, "dash": "dot"}
    return go.Scatter(x=x, y=y, mode="lines", line=line, hoverinfo="skip", showlegend=False)


def _told(trade: Trade) -> str:
    held_minutes = (trade.exit_ms - trade.entry_ms) // 60_000
    return "<br>".join(
        [
            f"<b>{trade.asset} {_DIRECTION[trade.side]}</b> {trade.qty}",
            f"in  {show_time(trade.entry_ms)} at {trade.entry_price:,.4f}",
            f"out {show_time(trade.exit_ms)} at {trade.exit_price:,.4f}",
            f"{trade.reason}, held {held_minutes // 60}h {held_minutes % 60:02d}m",
            f"PnL {trade.pnl:+,.2f}, fees {trade.fees:,.2f}, funding {trade.funding:+,.2f} USDT",
        ]
    )

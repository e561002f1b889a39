"""Plots over all trades: months, reasons, hold times, profits, and each asset's contribution."""

import calendar

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from domain.backtesting.attribution import (
    daily_pnl,
    hold_minutes,
    monthly_returns,
    risk_shares,
)
from domain.backtesting.figures import trade_figures
from domain.backtesting.result import BacktestResult
from domain.backtesting.trade_stats import excursions
from domain.market.indicators import Array
from infra.operator.report.style import (
    BLUE,
    GAIN,
    GRAY,
    GREEN,
    HEIGHT,
    INK,
    LOSS,
    color_of,
    sign_color,
    styled,
)
from infra.process.times import show_time

_BINS = 60
_MONTHS = [calendar.month_abbr[month] for month in range(1, 13)]


def months_plot(result: BacktestResult) -> go.Figure:
    """Return a heat map of monthly returns: a row per year, a column per month."""
    months = monthly_returns(result.equity, result.initial_balance)
    years = sorted({month.year for month in months})
    shown = np.full((len(years), 12), np.nan)
    for month in months:
        shown[years.index(month.year), month.month - 1] = month.fraction * 100
    largest = max(0.01, float(np.nanmax(np.abs(shown))))
    texts = [["" if np.isnan(value) else f"{value:+.1f} %" for value in row] for row in shown]
    figure = go.Figure(
        go.Heatmap(
            z=shown,
            x=_MONTHS,
            y=[str(year) for year in years],
            text=texts,
            texttemplate="%{text}",
            colorscale=[[0, LOSS], [0.5, "#ffffff"], [1, GAIN]],
            zmin=-largest,
            zmax=largest,
            showscale=False,
            hoverongaps=False,
        )
    )
    figure.update_yaxes(type="category", autorange="reversed")
    return styled(figure, "Monthly returns, %", height=140 + 60 * len(years))


def reasons_plot(result: BacktestResult) -> go.Figure:
    """Return a plot of why trades ended, and why entries were denied."""
    figure = make_subplots(
        rows=1, cols=2, subplot_titles=("Exits", "Refusals"), horizontal_spacing=0.2
    )
    counts: list[list[tuple[str, int]]] = [
        [(str(reason), count) for reason, count in found.items()]
        for found in (result.exits_by_reason, result.refusals_by_reason)
    ]
    for column, (found, color) in enumerate(zip(counts, (BLUE, GRAY), strict=True), start=1):
        ordered = sorted(found, key=lambda pair: pair[1])
        figure.add_bar(
            x=[count for _, count in ordered],
            y=[name for name, _ in ordered],
            orientation="h",
            text=[count for _, count in ordered],
            marker_color=color,
            showlegend=False,
            row=1,
            col=column,
        )
    return styled(figure, "Exits and denials by reason")


def trades_plot(result: BacktestResult) -> go.Figure:
    """Return a plot of how long trades were held, and what they earned."""
    pnl = np.array([float(trade.pnl) for trade in result.trades])
    figure = make_subplots(
        rows=1, cols=2, subplot_titles=("Hold time, minutes", "PnL of a trade, USDT")
    )
    figure.add_histogram(
        x=hold_minutes(result.trades), marker_color=BLUE, showlegend=False, row=1, col=1
    )
    counts, middles, width = _binned(pnl)
    figure.add_bar(
        x=middles,
        y=counts,
        width=width,
        marker_color=[sign_color(middle) for middle in middles],
        showlegend=False,
        row=1,
        col=2,
    )
    figure.update_yaxes(title="trades")
    return styled(figure, "Trades", bargap=0.05)


def excursions_plot(result: BacktestResult) -> go.Figure:
    """Return a plot of adverse and favorable excursions of each trade against its PnL."""
    found, pnl = excursions(result), [float(trade.pnl) for trade in result.trades]
    figure = make_subplots(
        rows=1,
        cols=2,
        subplot_titles=("Adverse excursion (MAE), %", "Favorable excursion (MFE), %"),
    )
    for column, moves in enumerate(
        ([one.adverse for one in found], [one.favorable for one in found]), start=1
    ):
        figure.add_scatter(
            x=[move * 100 for move in moves],
            y=pnl,
            mode="markers",
            marker={"size": 6, "color": [sign_color(value) for value in pnl], "opacity": 0.6},
            text=[f"{trade.asset} {show_time(trade.exit_ms)}" for trade in result.trades],
            hovertemplate="%{text}<br>%{x:.2f} %, %{y:+,.2f} USDT<extra></extra>",
            showlegend=False,
            row=1,
            col=column,
        )
    figure.update_yaxes(title="PnL, USDT", col=1)
    return styled(figure, "How far prices went while a trade was open")


def assets_plot(result: BacktestResult) -> go.Figure:
    """Return a plot of each asset's contribution: in total, by component, and over time."""
    names = list(result.histories)
    figures = [
        trade_figures([trade for trade in result.trades if trade.asset == name]) for name in names
    ]
    figure = make_subplots(
        rows=1, cols=2, subplot_titles=("Components, USDT", "PnL over time, USDT")
    )
    gross = [found.pnl + found.fees - found.funding for found in figures]
    for title, values, color in (
        ("price moves", gross, INK),
        ("fees", [-found.fees for found in figures], GRAY),
        ("funding", [found.funding for found in figures], GREEN),
    ):
        figure.add_bar(x=names, y=values, name=title, marker_color=color, row=1, col=1)
    days_ms, booked = daily_pnl(result)
    for index, name in enumerate(names):
        figure.add_scatter(
            x=days_ms,
            y=np.cumsum(booked[name]),
            name=name,
            line={"color": color_of(index), "shape": "hv"},
            legend="legend2",
            row=1,
            col=2,
        )
    figure.update_xaxes(type="date", row=1, col=2)
    # A separate legend for each, under its plot: components and assets share no colors.
    below = {"orientation": "h", "yanchor": "top", "y": -0.13, "xanchor": "center"}
    return styled(
        figure,
        "Contribution of each asset",
        barmode="relative",
        height=HEIGHT + 60,
        margin={"b": 110},
        legend={**below, "x": 0.22},
        legend2={**below, "x": 0.78},
    )


def risk_plot(result: BacktestResult) -> go.Figure:
    """Return a plot of each asset's share of the volatility of daily PnL."""
    shares = risk_shares(result)
    names = [share.asset for share in shares]
    fractions = [0.0 if share.fraction is None else share.fraction * 100 for share in shares]
    figure = make_subplots(
        rows=1, cols=2, subplot_titles=("Share of the risk, %", "Volatility of daily PnL, USDT")
    )
    figure.add_bar(
        x=names,
        y=fractions,
        text=[f"{value:.0f} %" for value in fractions],
        marker_color=[sign_color(-value) for value in fractions],
        showlegend=False,
        row=1,
        col=1,
    )
    figure.add_bar(
        x=names,
        y=[share.volatility for share in shares],
        marker_color=GRAY,
        showlegend=False,
        row=1,
        col=2,
    )
    return styled(figure, "Where the risk came from")


def _binned(values: Array) -> tuple[Array, Array, float]:
    """Return counts, centers and the width of bins, none of which holds both losses and gains."""
    if not len(values):
        return np.zeros(0), np.zeros(0), 1.0
    width = max(float(np.ptp(values)) / _BINS, 0.01)
    indices = np.floor(values / width)
    found, counts = np.unique(indices, return_counts=True)
    return counts.astype(np.float64), (found + 0.5) * width, width

"""Plots of the account over time: against holding, rolling figures, exposure, pauses."""

from itertools import cycle

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from domain.backtesting.course import Rest, benchmark, exposure, rests, rolling, warm_ms
from domain.backtesting.figures import daily_returns
from domain.backtesting.result import BacktestResult
from domain.trading.cooldowns import CooldownReason
from domain.trading.orders import ExitReason
from infra.operator.report.detail import add_line
from infra.operator.report.style import BLUE, GRAY, GREEN, ORANGE, PURPLE, RED, over_time
from infra.process.times import show_time

DAYS = 30
"""Days in a window of the rolling figures."""
_REST_COLORS = {
    "warm-up": "#d5d8dc",
    str(CooldownReason.LOSS_STREAK): ORANGE,
    str(ExitReason.HALT): RED,
}


def rests_traces(result: BacktestResult) -> list[go.Scatter]:
    """Return a row of spans for each reason why nothing was opened."""
    warm_up = Rest(begin_ms=result.market.first_open_ms, end_ms=warm_ms(result), reason="warm-up")
    found = [warm_up, *rests(result)]
    colors = cycle((PURPLE, BLUE, GREEN, "#117864"))
    names = dict.fromkeys(rest.reason for rest in found)
    return [
        _spans(
            [rest for rest in found if rest.reason == name], _REST_COLORS.get(name) or next(colors)
        )
        for name in names
    ]


def _spans(found: list[Rest], color: str) -> go.Scatter:
    x: list[int | None] = []
    for rest in found:
        x += [rest.begin_ms, rest.end_ms, None]
    name = found[0].reason.lower().replace("_", " ")
    told = [f"{name}<br>{show_time(r.begin_ms)} to {show_time(r.end_ms)}" for r in found]
    return go.Scatter(
        x=x,
        y=[name if time is not None else None for time in x],
        mode="lines",
        name=name,
        line={"color": color, "width": 9},
        text=[text for text in told for _ in range(3)],
        hoverinfo="text",
        showlegend=False,
    )


def benchmark_plot(result: BacktestResult) -> go.Figure:
    """Return a plot of the account against holding the assets with the same money."""
    series, found = result.equity, benchmark(result)
    figure = go.Figure()
    for name, values, color in (
        ("strategy", series.equity, BLUE),
        ("bought and held", found.hold, GREEN),
        ("sold short and held", found.short, ORANGE),
    ):
        add_line(
            figure,
            values,
            begin_ms=int(series.time_ms[0]),
            step_ms=result.market.candle_ms,
            at={},
            name=name,
            line={"color": color, "width": 1.5},
        )
    figure.update_yaxes(title="USDT", tickformat=",~f")
    title = "Against holding all assets in equal parts, without leverage, fees and funding"
    return over_time(figure, result, title, hovermode="x unified")


def rolling_plot(result: BacktestResult) -> go.Figure:
    """Return a plot of Sharpe and volatility over the last days before each midnight."""
    equity = result.equity.since(result.begin_ms)
    found = rolling(equity, daily_returns(equity, result.initial_balance), DAYS)
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.06)
    for row, (name, values, color) in enumerate(
        (("Sharpe", found.sharpe, BLUE), ("volatility, %", found.volatility * 100, ORANGE)),
        start=1,
    ):
        figure.add_scatter(
            x=found.time_ms,
            y=values,
            name=name,
            mode="lines",
            line={"color": color, "width": 1.5},
            row=row,
            col=1,
        )
    figure.update_yaxes(title="Sharpe", row=1, col=1)
    figure.update_yaxes(title="% a year", row=2, col=1)
    return over_time(figure, result, f"Over the last {DAYS} days, annual", hovermode="x unified")


def exposure_plot(result: BacktestResult) -> go.Figure:
    """Return a plot of the open notional, at entry prices, and its limit."""
    times, notional = exposure(result)
    series, most = result.equity, float(result.rules.approval.max_total_exposure)
    figure = go.Figure()
    figure.add_scatter(
        x=times,
        y=notional,
        name="open notional",
        mode="lines",
        line={"color": PURPLE, "width": 1, "shape": "hv"},
        fill="tozeroy",
    )
    every = max(1, len(series.time_ms) // DAYS**2)
    figure.add_scatter(
        x=series.time_ms[::every],
        y=series.balance[::every] * most,
        name="limit of the whole",
        mode="lines",
        line={"color": GRAY, "dash": "dash", "width": 1},
    )
    figure.update_yaxes(title="USDT", tickformat=",~f")
    return over_time(figure, result, "Exposure", hovermode="x unified")

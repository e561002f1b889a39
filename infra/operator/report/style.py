"""The common style of all plots."""

from typing import Any

import plotly.graph_objects as go

from domain.backtesting.result import BacktestResult

GAIN, LOSS = "#2166ac", "#c85a11"
"""Distinguishable also for readers who cannot tell red from green."""
RED, GREEN, BLUE, ORANGE, PURPLE, GRAY, INK = (
    "#c0392b",
    "#1e8449",
    "#2e6da4",
    "#d68910",
    "#7d3c98",
    "#95a5a6",
    "#22313f",
)
ASSET_COLORS = (BLUE, ORANGE, PURPLE, "#117864", "#b03a2e", "#5d6d7e", "#9a7d0a", "#1f618d")
HEIGHT = 380
TITLE_PX = 30
"""Height of the margin above a plot, for its title."""


def styled(figure: go.Figure, title: str, **layout: Any) -> go.Figure:
    """Return a figure in the page's look."""
    figure.update_layout(
        title={
            "text": title,
            "x": 0.01,
            "y": 1,
            "yref": "container",
            "yanchor": "top",
            "pad": {"t": 12},
            "font": {"size": 16},
        },
        template="plotly_white",
        font={"family": "system-ui, sans-serif", "color": INK, "size": 12},
        margin={"l": 80, "r": 20, "t": 70, "b": 40},
        height=HEIGHT,
        hoverlabel={"align": "left"},
        # On the left: plotly's own buttons appear on the right.
        legend={"orientation": "h", "y": 1, "yanchor": "bottom", "x": 0, "xanchor": "left"},
    )
    figure.update_layout(**layout)
    return figure


def span_of(result: BacktestResult) -> tuple[int, int]:
    """Return the start of trading and the last close, ms: the initial range of all time axes."""
    return result.begin_ms, int(result.equity.time_ms[-1])


def over_time(figure: go.Figure, result: BacktestResult, title: str, **layout: Any) -> go.Figure:
    """Return a figure in the page's style, whose time axis is aligned with the others."""
    # With an explicit range, a double click shows everything again, whatever part is drawn.
    figure.update_xaxes(type="date", range=list(span_of(result)))
    # The same margins for all, whatever their labels need.
    return styled(figure, title, margin={"autoexpand": False}, **layout)


def color_of(index: int) -> str:
    """Return the color of an asset by its index in the settings."""
    return ASSET_COLORS[index % len(ASSET_COLORS)]


def sign_color(value: float) -> str:
    """Return the color of a gain, or of a loss."""
    return GAIN if value >= 0 else LOSS

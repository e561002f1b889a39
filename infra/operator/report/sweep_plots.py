"""Plots of a sweep: a figure over two of its settings at a time."""

from itertools import combinations

import numpy as np
import plotly.graph_objects as go

from domain.backtesting.heat_map import HeatMap, heat_map
from domain.backtesting.sweep import SweepResult, less_is_better
from infra.operator.report.style import GAIN, LOSS, styled

_MOST_PAIRS = 6
_NEUTRAL = {
    **dict.fromkeys(("pnl", "total_return", "sharpe", "sortino", "calmar", "expectancy"), 0.0),
    "profit_factor": 1.0,
}
"""Value shown in white, between the colors of a loss and a gain; other figures have none."""


def sweep_plots(result: SweepResult) -> list[go.Figure]:
    """Return a heat map for each pair of settings; after a walk-forward also one out of sample."""
    values = [row.combination.values for row in result.rows]
    keys = [key for key in values[0] if len({one[key] for one in values}) > 1]
    pairs = list(combinations(keys, 2))[:_MOST_PAIRS]
    kinds = (False, True) if result.windows else (False,)
    return [
        _plot(heat_map(result, x_key, y_key, result.sort, is_out_of_sample=kind), result, kind)
        for x_key, y_key in pairs
        for kind in kinds
    ]


def _plot(found: HeatMap, result: SweepResult, is_out_of_sample: bool) -> go.Figure:  # noqa: FBT001
    texts = [["" if np.isnan(cell) else f"{cell:.3g}" for cell in row] for row in found.cells]
    colors = [GAIN, "#ffffff", LOSS] if less_is_better(result.sort) else [LOSS, "#ffffff", GAIN]
    figure = go.Figure(
        go.Heatmap(
            z=found.cells,
            x=found.x_values,
            y=found.y_values,
            text=texts,
            texttemplate="%{text}",
            colorscale=[[index / 2, color] for index, color in enumerate(colors)],
            zmid=_NEUTRAL.get(result.sort),
            hoverongaps=False,
            hovertemplate=f"{found.x_key} %{{x}}<br>{found.y_key} %{{y}}<br>%{{z:.4g}}"
            "<extra></extra>",
        )
    )
    figure.update_xaxes(type="category", title=found.x_key)
    figure.update_yaxes(type="category", title=found.y_key)
    where = "out of sample" if is_out_of_sample else "in sample"
    title = (
        f"{result.sort} {where}, mean over all else that was swept; "
        f"the page shows the best in sample of {len(result.rows):,} combinations"
    )
    return styled(figure, title, height=200 + 30 * len(found.y_values))

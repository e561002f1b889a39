"""A figure of a sweep over two of its settings, ready to be drawn."""

from dataclasses import dataclass

import numpy as np

from domain.backtesting.sweep import Score, SweepResult, mean_score
from domain.market.indicators import Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HeatMap:
    """A figure over two of the swept settings."""

    x_key: str
    y_key: str
    x_values: tuple[str, ...]
    y_values: tuple[str, ...]
    cells: Array
    """(y, x) float64: mean over all other settings; NaN: no run, or not defined."""


def heat_map(
    result: SweepResult, x_key: str, y_key: str, figure: str, *, is_out_of_sample: bool = False
) -> HeatMap:
    """Return a figure over two swept settings.

    Args:
        result: the sweep's result.
        x_key: a swept setting.
        y_key: another one.
        figure: one of FIGURES.
        is_out_of_sample: use the out-of-sample scores of a walk forward.
    """
    cells: dict[tuple[str, str], list[Score]] = {}
    for row in result.rows:
        values = row.combination.values
        scores = row.out_of_sample if is_out_of_sample else row.in_sample
        cells.setdefault((values[y_key], values[x_key]), []).extend(scores)
    ys = sorted({y for y, _ in cells}, key=_number_first)
    xs = sorted({x for _, x in cells}, key=_number_first)

    def cell(y: str, x: str) -> float:
        value: float | None = getattr(mean_score(cells.get((y, x), ())), figure)
        return np.nan if value is None else value

    return HeatMap(
        x_key=x_key,
        y_key=y_key,
        x_values=tuple(xs),
        y_values=tuple(ys),
        cells=np.array([[cell(y, x) for x in xs] for y in ys]),
    )


def _number_first(text: str) -> tuple[bool, float, str]:
    try:
        return False, float(text), text
    except ValueError:
        return True, 0.0, text

"""Long lines that stay quick to draw: few points at first, more detail when zoomed in.

A browser draws a few thousand points without lag, but a year has a hundred thousand closes. So the
page holds all of them, and shows the lowest and highest of each group; a script on the page does so
again for the visible part, and fits the height to it. When few enough candles are visible, they
replace the line of their closes.
"""

from base64 import b64encode
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from domain.market.candles import CandleSeries
from domain.market.indicators import Array
from infra.operator.report.style import GAIN, LOSS

CANDLES = 400
"""Most visible candles: more would be narrower than their outlines."""
POINTS = 3_000
"""Most points of one line, about as many as a screen has columns."""

SCRIPT = """
function decoded(text) {
  const bytes = Uint8Array.from(atob(text), c => c.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}
function thinned(line, from, to, points) {
  const first = Math.max(0, Math.floor((from - line.begin_ms) / line.step_ms));
  const end = Math.min(line.values.length, Math.ceil((to - line.begin_ms) / line.step_ms) + 1);
  const every = Math.max(1, Math.ceil(2 * (end - first) / points)), x = [], y = [];
  for (let begin = first; begin < end; begin += every) {
    let low = begin, high = begin;
    for (let i = begin; i < Math.min(end, begin + every); i++) {
      if (line.values[i] < line.values[low]) low = i;
      if (line.values[i] > line.values[high]) high = i;
    }
    for (const i of low === high ? [low] : [Math.min(low, high), Math.max(low, high)]) {
      x.push(line.begin_ms + i * line.step_ms);
      y.push(line.values[i]);
    }
  }
  return [x, y];
}
function candlesIn(candles, from, to) {
  const first = Math.max(0, Math.floor((from - candles.begin_ms) / candles.step_ms));
  const end = Math.min(candles.close.length,
    Math.ceil((to - candles.begin_ms) / candles.step_ms) + 1);
  const shown = {x: [], open: [], high: [], low: [], close: []};
  if (end - first > candles.most) return shown;
  for (let i = first; i < end; i++) {
    shown.x.push(candles.begin_ms + (i - 0.5) * candles.step_ms);
    for (const part of ['open', 'high', 'low', 'close']) shown[part].push(candles[part][i]);
  }
  return shown;
}
function heights(plot, places, shown) {
  const ends = {}, ranges = {};
  places.forEach((place, i) => {
    const trace = plot.data[place], name = (trace.yaxis || 'y').replace('y', 'yaxis');
    const values = trace.fill === 'tozeroy' ? [0, ...shown[i][1]] : shown[i][1];
    (ends[name] = ends[name] || []).push(Math.min(...values), Math.max(...values));
  });
  for (const [name, values] of Object.entries(ends)) {
    const low = Math.min(...values), high = Math.max(...values), margin = 0.05 * (high - low) || 1;
    if (Number.isFinite(low)) ranges[`${name}.range`] = [low - margin, high + margin];
  }
  return ranges;
}
for (const plot of document.querySelectorAll('.js-plotly-plot')) {
  const detail = (plot.layout.meta || {}).detail;
  if (!detail) continue;
  const lines = detail.lines.map(line => ({...line, values: decoded(line.values)}));
  const places = lines.map(line => line.trace);
  const candles = detail.candles && {...detail.candles};
  for (const part of candles ? ['open', 'high', 'low', 'close'] : [])
    candles[part] = decoded(candles[part]);
  plot.on('plotly_relayout', async changed => {
    const axis = plot._fullLayout.xaxis, [from, to] = axis.range.map(axis.r2c);
    const shown = lines.map(line => thinned(line, from, to, detail.points));
    // New values of x make plotly guess the axes anew; it must not.
    const axes = {};
    for (const name of Object.keys(plot.layout).filter(name => name.startsWith('xaxis'))) {
      axes[`${name}.type`] = 'date';
      axes[`${name}.range`] = [from, to];
    }
    if (!Object.keys(changed).some(name => name.startsWith('yaxis')))
      Object.assign(axes, heights(plot, places, shown));
    if (candles) {
      const all = candlesIn(candles, from, to), range = axes['yaxis.range'];
      const isShown = all.x.length > 0;
      if (isShown) {
        shown[places.indexOf(candles.line)] = [[], []];
        if (range) axes['yaxis.range'] =
          [Math.min(range[0], ...all.low), Math.max(range[1], ...all.high)];
      }
      if (isShown || plot.data[candles.trace].x.length) {
        const data = Object.fromEntries(Object.entries(all).map(([part, of]) => [part, [of]]));
        await Plotly.restyle(plot, data, [candles.trace]);
      }
    }
    const data = {x: shown.map(xy => xy[0]), y: shown.map(xy => xy[1])};
    Plotly.update(plot, data, axes, places);
  });
}
"""
"""Script that runs at the end of the page, when all plots exist."""


def add_line(
    figure: go.Figure,
    values: Array,
    *,
    begin_ms: int,
    step_ms: int,
    at: dict[str, int],
    **look: Any,
) -> None:
    """Add a line of evenly spaced values to a figure.

    Args:
        figure: gets the line, and all its values for the page's script.
        values: (n,).
        begin_ms: time of the first, ms since 1970 UTC.
        step_ms: from one to the next.
        at: row and column of the subplot; empty if there is only one.
        look: of the trace, in plotly's terms.
    """
    indices = kept(values, POINTS)
    figure.add_scatter(
        x=begin_ms + indices * step_ms,
        y=values[indices].astype(np.float32),
        mode="lines",
        **look,
        **at,
    )
    line = {
        "trace": len(figure.data) - 1,
        "begin_ms": begin_ms,
        "step_ms": step_ms,
        "values": _packed(values),
    }
    before = figure.layout.meta["detail"] if figure.layout.meta else {"lines": []}
    detail = {**before, "points": POINTS, "lines": [*before["lines"], line]}
    figure.update_layout(meta={"detail": detail})


def add_candles(figure: go.Figure, series: CandleSeries) -> None:
    """Let candles replace the newest line, that of their closes, when zoomed in."""
    figure.add_candlestick(
        x=[],
        open=[],
        high=[],
        low=[],
        close=[],
        name="candles",
        showlegend=False,
        # Distinguished not only by color: rising candles are hollow.
        increasing={"line": {"color": GAIN, "width": 1}, "fillcolor": "white"},
        decreasing={"line": {"color": LOSS, "width": 1}, "fillcolor": LOSS},
    )
    detail = figure.layout.meta["detail"]
    candles = {
        "trace": len(figure.data) - 1,
        "line": detail["lines"][-1]["trace"],
        "most": CANDLES,
        "begin_ms": int(series.open_time_ms[0]) + series.candle_ms,
        "step_ms": series.candle_ms,
        "open": _packed(series.open),
        "high": _packed(series.high),
        "low": _packed(series.low),
        "close": _packed(series.close),
    }
    figure.update_layout(meta={"detail": {**detail, "candles": candles}})


def _packed(values: Array) -> str:
    return b64encode(values.astype("<f4").tobytes()).decode()


def kept(values: Array, points: int) -> NDArray[np.int64]:
    """Return the indices of the lowest and highest value of each group of (n,) values, in order."""
    every = max(1, -(-2 * len(values) // points))
    padded = np.pad(values, (0, -len(values) % every), mode="edge").reshape(-1, every)
    begins = np.arange(len(padded)) * every
    both = np.concatenate([begins + padded.argmin(axis=1), begins + padded.argmax(axis=1)])
    return np.unique(np.minimum(both, len(values) - 1))

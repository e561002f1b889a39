"""The page: figures first, then the plots, then its sources."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from domain.backtesting.attribution import diversification_benefit
from domain.backtesting.course import halted_fraction
from domain.backtesting.figures import BacktestFigures, backtest_figures
from domain.backtesting.result import BacktestResult
from domain.backtesting.trade_stats import trade_stats
from domain.operator import wording as say
from infra.operator.report.beside import beside_plot, beside_tables
from infra.operator.report.course_plots import benchmark_plot, exposure_plot, rolling_plot
from infra.operator.report.detail import SCRIPT
from infra.operator.report.html import optional, table
from infra.operator.report.narrow import STACK_SCRIPT
from infra.operator.report.parameters import parameters
from infra.operator.report.style import TITLE_PX, span_of
from infra.operator.report.sum_plots import (
    assets_plot,
    excursions_plot,
    months_plot,
    reasons_plot,
    risk_plot,
    trades_plot,
)
from infra.operator.report.tables import tables
from infra.operator.report.time_plots import correlations_plot, equity_plot, market_plot

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #22313f; margin: 0 auto; max-width: 1200px;
  padding: 1rem }
h1 { margin: 0 } .span { color: #5d6d7e; margin: 0 0 1rem }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: .6rem }
.tile { background: #f4f6f7; border-radius: 6px; padding: .5rem .8rem }
.tile b { display: block; font-size: 1.25rem; font-variant-numeric: tabular-nums }
.tile span { color: #5d6d7e; font-size: .85rem }
.plot { margin: 1.2rem 0 }
table { border-collapse: collapse; font-size: .9rem } details { margin: .6rem 0 }
td, th { padding: .15rem .8rem .15rem 0; text-align: left; border-bottom: 1px solid #e5e8e8;
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere }
.groups { columns: 320px } .groups > div { break-inside: avoid }
.scroll { max-height: 480px; overflow: auto } .scroll th { position: sticky; top: 0;
  background: #fff }
.scroll td, .scroll th { overflow-wrap: normal; white-space: nowrap }
.n { text-align: right; white-space: nowrap } h3 { margin: .8rem 0 .2rem; font-size: 1rem }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file that the candles came from."""

    symbol: str
    file: str
    sha256: str


def write_report(
    file: Path,
    result: BacktestResult,
    sources: Sequence[Source],
    more: Sequence[go.Figure] = (),
    no_gaps: BacktestFigures | None = None,
) -> None:
    """Write a backtest as one page.

    Args:
        file: the page; an existing one is replaced.
        result: to show.
        sources: the files of the candles.
        more: further plots, such as those of a sweep; shown after the equity.
        no_gaps: the result if stops filled at their triggers; None: they do.

    Raises:
        OSError: it cannot be written.
    """
    file.write_text(render(result, sources, more, no_gaps), encoding="utf-8")


def sources_of(directory: Path, symbols: Sequence[str]) -> list[Source]:
    """Return the candle files of some symbols, with their hashes."""
    return [
        Source(symbol=symbol, file=found.name, sha256=sha256(found.read_bytes()).hexdigest())
        for symbol in symbols
        for found in sorted(directory.glob(f"{symbol}.*"))
    ]


def render(
    result: BacktestResult,
    sources: Sequence[Source],
    more: Sequence[go.Figure] = (),
    no_gaps: BacktestFigures | None = None,
    *,
    beside: BacktestResult | None = None,
) -> str:
    """Return the page.

    Args:
        result: see `write_report`, also for the others.
        sources: likewise.
        more: likewise.
        no_gaps: likewise.
        beside: the backtest of the same candles, if the result is that of a run.
    """
    title = "Backtest" if beside is None else "Run"
    plots = [
        equity_plot(result),
        *([] if beside is None else [beside_plot(result, beside)]),
        *more,
        benchmark_plot(result),
        rolling_plot(result),
        exposure_plot(result),
        *(market_plot(result, asset) for asset in result.histories),
        months_plot(result),
        reasons_plot(result),
        trades_plot(result),
        excursions_plot(result),
        assets_plot(result),
        risk_plot(result),
        *([correlations_plot(result)] if len(result.histories) > 1 else []),
    ]
    return "\n".join(
        [
            "<!doctype html><html lang=en><head><meta charset=utf-8>",
            "<meta name=viewport content='width=device-width, initial-scale=1'>",
            f"<link rel=icon href='data:,'><title>{title}</title><style>{_STYLE}</style>",
            f"<script>{get_plotlyjs()}</script></head><body>",
            f"<h1>{title}</h1><p class=span>{_span(result)}</p>",
            _tiles(result, no_gaps),
            *([] if beside is None else [beside_tables(result, beside)]),
            *map(_plot, plots),
            *tables(result),
            _data(result, sources),
            "<details open><summary><b>Parameters</b></summary>",
            parameters(result.rules),
            "</details>",
            f"<script>{STACK_SCRIPT}{SCRIPT}</script></body></html>",
        ]
    )


def _plot(figure: go.Figure) -> str:
    # As a heading: plotly does not wrap titles, and cuts what a phone has no room for.
    title = figure.layout.title.text
    figure.update_layout(
        title=None,
        meta={**(figure.layout.meta or {}), "title": title},
        margin={"t": figure.layout.margin.t - TITLE_PX},
    )
    html = figure.to_html(
        full_html=False,
        include_plotlyjs=False,
        config={"responsive": True, "displaylogo": False, "scrollZoom": True},
    )
    return f"<div class=plot><h3>{title}</h3>{html}</div>"


def _span(result: BacktestResult) -> str:
    begin, end = (say.utc(int(time_ms)) for time_ms in span_of(result))
    halted = " The portfolio ended halted." if result.is_halted else ""
    assets = ", ".join(result.histories)
    return f"{begin} to {end}, {result.candles:,} candles of {assets}.{halted}"


def _tiles(result: BacktestResult, no_gaps: BacktestFigures | None) -> str:
    found, stats = backtest_figures(result), trade_stats(result.trades)
    halted = halted_fraction(result)
    after_halt = f" ({halted:.0%} of the time after a halt)" if halted else ""
    shown = {
        "final balance, USDT": f"{found.final_balance:,.2f}",
        "total return": f"{found.total_return:+.2%}",
        "CAGR": optional(found.cagr, "+.2%"),
        "maximum drawdown": f"{found.drawdown.fraction:.2%}",
        f"Sharpe{after_halt}": optional(found.sharpe, ".2f"),
        "Sortino": optional(found.sortino, ".2f"),
        "Calmar": optional(found.calmar, ".2f"),
        "trades": f"{found.total.trades:,}",
        "win rate": optional(found.total.win_rate, ".1%"),
        "profit factor": optional(found.total.profit_factor, ".2f"),
        "expectancy, USDT": optional(found.total.expectancy, "+,.2f"),
        "average win, USDT": optional(stats.average_win, "+,.2f"),
        "average loss, USDT": optional(stats.average_loss, "+,.2f"),
        "payoff (average win / loss)": optional(stats.payoff, ".2f"),
        "most wins in a row": f"{stats.longest_wins}",
        "most losses in a row": f"{stats.longest_losses}",
        "average hold, minutes": optional(found.total.average_hold_minutes, ",.0f"),
        "time with a position": f"{found.exposure_time:.1%}",
        "diversification benefit": optional(diversification_benefit(result), ".0%"),
        "fees, USDT": f"{found.total.fees:,.2f}",
        "funding, USDT": f"{found.total.funding:+,.2f}",
    }
    if no_gaps is not None:
        shown["final balance with stops at their triggers, USDT"] = f"{no_gaps.final_balance:,.2f}"
    tiles = (
        f"<div class=tile><b>{text}</b><span>{name}</span></div>" for name, text in shown.items()
    )
    return f"<div class=tiles>{''.join(tiles)}</div>"


def _data(result: BacktestResult, sources: Sequence[Source]) -> str:
    carried = {
        asset: int(market.series.carried.sum()) for asset, market in result.market.assets.items()
    }
    rows = [(source.symbol, source.file, f"SHA-256 {source.sha256}") for source in sources]
    rows += [(asset, "candles carried forward", str(count)) for asset, count in carried.items()]
    return f"<h2>Data</h2>{table(rows)}"

"""The summary of a replay on a terminal."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from domain.backtesting.summary import TradeFigures, figures
from domain.market.instruments import Side
from domain.text import plain
from domain.trading.positions import Position, Trade
from infra.operator.terminal.screen import headed
from infra.process.times import show_time

_SIDE_BY_SIDE = 5
"""Number of assets whose figures fit side by side on a narrow screen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """The contents of the summary."""

    assets: Sequence[str]
    trades: Sequence[Trade]
    refusals: Mapping[str, int]
    max_drawdown: Decimal
    initial_balance: Decimal
    final_balance: Decimal
    open_positions: Sequence[Position]
    restarts: Mapping[str, int]
    given_up: Mapping[str, str]
    """Cause by address."""
    is_halted: bool
    carried_forward: Mapping[str, int]
    """Number of candles missing in the files, by asset."""
    first_ms: int
    last_ms: int | None
    """The last played close; None if there was none."""
    is_complete: bool
    seconds: float
    candles: int


def render(summary: RunSummary) -> RenderableType:
    """Return the summary for a terminal."""
    parts: list[RenderableType] = [_headline(summary), trades_table(summary.assets, summary.trades)]
    parts += [
        counts_text("Refusals", summary.refusals),
        counts_text("Restarts", summary.restarts),
        counts_text("Carried forward", summary.carried_forward),
    ]
    parts += [open_text(position) for position in summary.open_positions]
    parts += [
        headed(f"{name} was given up", "red", f": {plain(why)}")
        for name, why in summary.given_up.items()
    ]
    if summary.is_halted:
        parts.append(halted_text())
    return Group(*(part for part in parts if part != ""))


def _headline(summary: RunSummary) -> Text:
    end = "nothing" if summary.last_ms is None else _time(summary.last_ms)
    how = "" if summary.is_complete else " (ended early)"
    gained = summary.final_balance - summary.initial_balance
    rate = summary.candles / summary.seconds if summary.seconds else 0.0
    return headed(
        f"{_time(summary.first_ms)} to {end}{how}",
        "bold",
        f": {summary.candles:,} candles in {summary.seconds:.1f} s ({rate:,.0f}/s)\n"
        f"Balance {summary.initial_balance:,.2f} -> {summary.final_balance:,.6f} USDT "
        f"({gained:+,.2f}), maximum drawdown {summary.max_drawdown:.2%}",
    )


def trades_table(assets: Sequence[str], trades: Sequence[Trade]) -> Table:
    """Return trade figures for each asset and the total: few assets side by side, many in rows."""
    columns = {
        asset: figures([trade for trade in trades if trade.asset == asset]) for asset in assets
    }
    columns["Total"] = figures(trades)
    return _side_by_side(columns) if len(assets) <= _SIDE_BY_SIDE else _in_rows(columns)


def _side_by_side(columns: Mapping[str, TradeFigures]) -> Table:
    table = Table("", title="Trades", title_justify="left")
    for name in columns:
        table.add_column(name, justify="right")
    for name, cell in _ROWS.items():
        table.add_row(name, *(cell(column) for column in columns.values()))
    for reason in columns["Total"].exits:
        counts = (str(column.exits.get(reason, 0)) for column in columns.values())
        table.add_row(f"exits {reason}", *counts)
    return table


def _in_rows(columns: Mapping[str, TradeFigures]) -> Table:
    table = Table("", title="Trades", title_justify="left")
    for name in _ROWS:
        table.add_column(name.removesuffix(" USDT"), justify="right")
    for name, column in columns.items():
        table.add_row(name, *(cell(column) for cell in _ROWS.values()))
    exits = columns["Total"].exits
    table.caption = counts_text("Exits", {str(reason): exits[reason] for reason in exits})
    table.caption_justify = "left"
    return table


def halted_text() -> Text:
    """Return a note that nothing is opened any more."""
    return Text("The portfolio is halted: it opens nothing until the operator's rearm.", "red")


def _share(column: TradeFigures) -> str:
    return "-" if column.win_rate is None else f"{column.win_rate:.1%}"


def _factor(column: TradeFigures) -> str:
    return "-" if column.profit_factor is None else f"{column.profit_factor:.2f}"


def counts_text(title: str, counts: Mapping[str, int]) -> str:
    """Return counts in a line, without those of 0."""
    shown = [f"{name} {count}" for name, count in counts.items() if count]
    return f"{title}: {', '.join(shown) or 'none'}"


def open_text(position: Position) -> str:
    """Return a line about an open position."""
    side = "long" if position.side is Side.BUY else "short"
    return (
        f"Open: {position.asset} {side} {position.qty} at {position.avg_entry_price:f} "
        f"since {_time(position.opened_ms)}"
    )


def _time(ms: int) -> str:
    return f"{show_time(ms)} UTC"


_ROWS: dict[str, Callable[[TradeFigures], str]] = {
    "trades": lambda f: str(f.trades),
    "win rate": _share,
    "profit factor": _factor,
    "PnL USDT": lambda f: f"{f.pnl:+,.2f}",
    "fees USDT": lambda f: f"{f.fees:,.2f}",
    "funding USDT": lambda f: f"{f.funding:+,.2f}",
}

"""The page's tables: by asset, by exit reason, drawdowns, benchmarks, pauses, every trade."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from domain.backtesting.course import Fall, benchmark, rests, worst_falls
from domain.backtesting.figures import backtest_figures, max_drawdown, trade_figures
from domain.backtesting.result import BacktestResult, EquitySeries
from domain.backtesting.trade_stats import Excursion, excursions, trade_stats
from domain.market.indicators import Array
from domain.market.instruments import DAY_MS
from domain.operator import wording as say
from domain.portfolio.performance import DAYS, Performance, PerformanceBooks
from domain.trading.positions import Trade
from infra.operator.report.html import optional, price_text, table
from infra.process.times import show_time

_WORST = 5
_SHOWN = 2_000
"""Most trades shown: a browser draws no more without lag."""
_SPLIT = (
    "trades",
    "won",
    "PnL USDT",
    "fees",
    "funding",
    "profit factor",
    "expectancy",
    "average win",
    "average loss",
    "payoff",
    "MAE",
    "MFE",
)
_RISK = (
    "held on average",
    "share of PnL",
    f"Sharpe, {DAYS} d",
    f"volatility, {DAYS} d",
    "share of risk",
)
_TRADE = (
    "asset",
    "side",
    "in, UTC",
    "out, UTC",
    "exit",
    "held",
    "qty",
    "entry",
    "exit price",
    "PnL USDT",
    "fees",
    "funding",
    "MAE",
    "MFE",
)

_Told = Sequence[tuple[Trade, Excursion]]


def tables(result: BacktestResult) -> list[str]:
    """Return the tables, each under its title."""
    told = list(zip(result.trades, excursions(result), strict=True))
    by_asset = _grouped(told, lambda trade: trade.asset, list(result.histories))
    reasons = sorted({str(trade.reason) for trade in result.trades})
    by_reason = _grouped(told, lambda trade: str(trade.reason), reasons)
    return [
        f"<h2>By asset</h2>{_split('asset', {**by_asset, 'all': told})}",
        f"<h2>Return and risk by asset</h2>{_risk(result)}",
        f"<h2>By exit reason</h2>{_split('exit', by_reason)}",
        f"<h2>Worst drawdowns</h2>{_falls(result)}",
        f"<h2>Against holding</h2>{_rivals(result)}",
        f"<h2>Halts, emergencies and cooldowns of the portfolio</h2>{_rests(result)}",
        f"<h2>Trades</h2>{_trades(told)}",
    ]


def _grouped(told: _Told, key: Callable[[Trade], str], names: Iterable[str]) -> dict[str, _Told]:
    return {name: [each for each in told if key(each[0]) == name] for name in names}


def _split(what: str, groups: Mapping[str, _Told]) -> str:
    rows = [(name, *_split_row(told)) for name, told in groups.items()]
    return f"<div class=scroll>{table(rows, (what, *_SPLIT), numbers_from=1)}</div>"


def _split_row(told: _Told) -> tuple[str, ...]:
    trades = [trade for trade, _ in told]
    found, stats = trade_figures(trades), trade_stats(trades)
    return (
        f"{found.trades:,}",
        optional(found.win_rate, ".1%"),
        f"{found.pnl:+,.2f}",
        f"{found.fees:,.2f}",
        f"{found.funding:+,.2f}",
        optional(found.profit_factor, ".2f"),
        optional(found.expectancy, "+,.2f"),
        optional(stats.average_win, "+,.2f"),
        optional(stats.average_loss, "+,.2f"),
        optional(stats.payoff, ".2f"),
        optional(_mean([each.adverse for _, each in told]), ".2%"),
        optional(_mean([each.favorable for _, each in told]), ".2%"),
    )


def _risk(result: BacktestResult) -> str:
    """Return the table of the per-asset figures that a running system shows."""
    books, equity = PerformanceBooks(), result.equity.since(result.begin_ms)
    for trade in result.trades:
        books.add_trade(trade, None)
    is_day_end = equity.time_ms % DAY_MS == 0
    is_day_end[-1] = True
    for t_ms, level in zip(equity.time_ms[is_day_end], equity.equity[is_day_end], strict=True):
        books.add_equity(int(t_ms), float(level))
    found = books.performances()
    parts = {name: found.assets.get(name, Performance()) for name in result.histories}
    told = {**parts, "all": found.total}
    rows = [_risk_row(name, one, found.total) for name, one in told.items()]
    return f"<div class=scroll>{table(rows, ('asset', *_RISK), numbers_from=1)}</div>"


def _risk_row(name: str, found: Performance, total: Performance) -> tuple[str, ...]:
    held_ms = found.average_hold_ms
    return (
        name,
        "-" if held_ms is None else say.duration(held_ms),
        optional(float(found.pnl / total.pnl) if total.pnl else None, ".1%"),
        optional(found.sharpe, ".2f"),
        optional(found.volatility, ".1%"),
        optional(found.risk_share, ".1%"),
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _falls(result: BacktestResult) -> str:
    begin_ms, end_ms = result.begin_ms, int(result.equity.time_ms[-1])
    found = worst_falls(result.equity.since(begin_ms), result.initial_balance, begin_ms, _WORST)
    head = ("depth", "from", "deepest", "recovered", "to the deepest", "in all")
    rows = table([_fall(fall, end_ms) for fall in found], head, numbers_from=4)
    return f"<div class=scroll>{rows}</div>"


def _fall(fall: Fall, end_ms: int) -> tuple[str, ...]:
    over_ms = end_ms if fall.recovered_ms is None else fall.recovered_ms
    return (
        f"{fall.fraction:.2%}",
        say.utc(fall.peak_ms),
        say.utc(fall.deepest_ms),
        "not by the end" if fall.recovered_ms is None else say.utc(fall.recovered_ms),
        say.duration(fall.deepest_ms - fall.peak_ms),
        say.duration(over_ms - fall.peak_ms),
    )


def _rivals(result: BacktestResult) -> str:
    found, figures = benchmark(result), backtest_figures(result)
    rows = [
        (
            "strategy",
            f"{figures.final_equity:,.2f}",
            f"{figures.total_return:+.2%}",
            f"{figures.drawdown.fraction:.2%}",
        ),
        _rival(result, "bought and held", found.hold),
        _rival(result, "sold short and held", found.short),
    ]
    since = f"<p class=span>All assets in equal parts from {say.utc(found.start_ms)} on.</p>"
    head = ("", "at the end, USDT", "return", "worst drawdown")
    return f"{since}<div class=scroll>{table(rows, head, numbers_from=1)}</div>"


def _rival(result: BacktestResult, name: str, levels: Array) -> tuple[str, ...]:
    series = EquitySeries(time_ms=result.equity.time_ms, balance=levels, equity=levels)
    fall = max_drawdown(series, result.initial_balance, result.market.first_open_ms)
    growth = levels[-1] / result.initial_balance - 1.0
    return name, f"{levels[-1]:,.2f}", f"{growth:+.2%}", f"{fall.fraction:.2%}"


def _rests(result: BacktestResult) -> str:
    rows = [
        (
            rest.reason,
            say.utc(rest.begin_ms),
            say.utc(rest.end_ms),
            say.duration(rest.end_ms - rest.begin_ms),
        )
        for rest in rests(result)
    ]
    if not rows:
        return "<p>There were none.</p>"
    head = ("why", "from", "until", "how long")
    return f"<div class=scroll>{table(rows, head, numbers_from=3)}</div>"


def _trades(told: _Told) -> str:
    rows = [_trade(trade, excursion) for trade, excursion in told[:_SHOWN]]
    more = (
        f"<p class=span>The first {_SHOWN:,} of {len(told):,}; --trades writes all.</p>"
        if len(told) > _SHOWN
        else ""
    )
    return f"{more}<div class=scroll>{table(rows, _TRADE, numbers_from=5)}</div>"


def _trade(trade: Trade, excursion: Excursion) -> tuple[str, ...]:
    return (
        trade.asset,
        say.direction(trade.side).lower(),
        show_time(trade.entry_ms),
        show_time(trade.exit_ms),
        str(trade.reason),
        say.duration(trade.exit_ms - trade.entry_ms),
        f"{trade.qty:f}",
        price_text(trade.entry_price),
        price_text(trade.exit_price),
        f"{trade.pnl:+,.2f}",
        f"{trade.fees:,.2f}",
        f"{trade.funding:+,.2f}",
        f"{excursion.adverse:.2%}",
        f"{excursion.favorable:.2%}",
    )

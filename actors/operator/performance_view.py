"""Trade figures, of all time or a period, over all assets and each."""

from collections.abc import Sequence
from dataclasses import replace

from actors.operator.tables import Row, table_reply
from domain.backtesting.summary import figures
from domain.market.instruments import DAY_MS
from domain.operator import wording as say
from domain.operator.commands import ALL
from domain.operator.performance import UNKNOWN, run_texts
from domain.operator.replies import Reply
from domain.portfolio.metrics import PortfolioMetrics
from domain.portfolio.performance import Performances
from domain.trading.positions import Trade

_SHOWN = ("trades", "won", "profit factor", "PnL", "fees", "funding")


def performance_view(
    trades: Sequence[Trade],
    assets: Sequence[str],
    period: str,
    now_ms: int,
    whole_run: Performances | None = None,
    money: PortfolioMetrics | None = None,
) -> Reply:
    """Return the figures of the trades that were closed in a period.

    Args:
        trades: all.
        assets: in the order of the settings; others that have trades follow.
        period: `all`, or empty: all time; else the days before now: 30d.
        now_ms: the present.
        whole_run: performance over all facts, whatever the period; None: not known.
        money: current PnL figures; None: not known.
    """
    days = int(period[:-1]) if period.endswith("d") else None
    from_ms = 0 if days is None else now_ms - days * DAY_MS
    meant = [trade for trade in trades if trade.exit_ms >= from_ms]
    whole = performance(meant)
    others = sorted({trade.asset for trade in meant} - set(assets))
    of_asset = {a: performance([t for t in meant if t.asset == a]) for a in (*assets, *others)}
    rows: list[Row] = [(ALL, *(whole[name] for name in _SHOWN))]
    rows += [(asset, *(found[name] for name in _SHOWN)) for asset, found in of_asset.items()]
    title = "Performance" if days is None else f"Performance, last {days} d"
    data = {**whole, "assets": of_asset, "from_ms": from_ms}
    reply = table_reply(title, ("asset", *_SHOWN), rows, data)
    if whole_run is None:
        return reply
    shown = run_texts(whole_run, money)
    lines = [
        f"{asset}: {', '.join(f'{name} {text}' for name, text in each.items() if text != UNKNOWN)}"
        for asset, each in shown.items()
        if set(each.values()) != {UNKNOWN}
    ]
    return replace(reply, lines=tuple(lines), data={**data, "whole_run": shown})


def performance(trades: Sequence[Trade]) -> dict[str, str]:
    """Return trade figures; or the reason if there is none."""
    sums = figures(trades)
    no_factor = "no loss" if trades else "no trades"
    return {
        "trades": str(sums.trades),
        "won": "no trades" if sums.win_rate is None else say.percent(sums.win_rate),
        "profit factor": no_factor if sums.profit_factor is None else f"{sums.profit_factor:.2f}",
        "PnL": f"{sums.pnl:+,.2f}",
        "fees": f"{sums.fees:,.2f}",
        "funding": f"{sums.funding:+,.2f}",
        **{f"ended by {reason}": str(count) for reason, count in sums.exits.items()},
    }

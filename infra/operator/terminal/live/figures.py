"""The performance of each asset, and of all together."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from rich.text import Text

from domain.operator import wording as say
from domain.operator.performance import UNKNOWN, performance_texts
from domain.operator.system import VenueLink
from domain.portfolio.metrics import PairMetrics, PortfolioMetrics, metrics
from domain.portfolio.performance import Performance
from infra.operator.terminal.live.rows import Column, chosen, flowing, safe, table
from infra.operator.terminal.live.scene import Scene

_RANKS = {
    "hold": 6,
    "Sharpe": 4,
    "volatility": 9,
    "slippage": 8,
    "fees": 12,
    "MAE": 10,
    "MFE": 11,
    "risk share": 7,
}
"""Ranks of the columns: those with the lowest are left out last."""
_PROCESS = ("journal connections", "orders", "request p50", "request p99", "log level")
"""Health figures that belong to no asset."""


def figures_table(scene: Scene, width: int) -> list[Text]:
    """Return a row for the total, one for each asset, and below them what does not fit beside."""
    portfolio = scene.seen.portfolio
    if portfolio is None:
        return [Text("the portfolio does not answer", "bold bright_red")]
    money = metrics(portfolio, scene.rules)
    names = Column(title="asset", cells=[safe(name, "bold") for name in ("all", *money.pairs)])
    columns = [*_money(money), *_trading(scene, list(money.pairs))]
    health = scene.seen.health
    process = [
        Text.assemble((f"{name} ", "dim"), safe(health[name]))
        for name in _PROCESS
        if name in health
    ]
    links = _links(scene, width)
    return [*_tables(names, columns, width), *links, *flowing(process, width)]


def _tables(names: Column, columns: Sequence[Column], width: int) -> Iterator[Text]:
    """Yield tables, the most important columns first, until each column was shown."""
    left = [column for column in columns if not column.is_empty]
    while left:
        shown = chosen([names, *left], width)
        yield from table(shown, width)
        if len(shown) == 1:
            return
        left = [column for column in left if column not in shown]


def _money(money: PortfolioMetrics) -> list[Column]:
    sums: list[PortfolioMetrics | PairMetrics] = [money, *money.pairs.values()]
    opened = [_share(each.unrealized_return, signed=True) for each in sums]
    shares = [_contribution(each) for each in sums]
    won = [_share(each.win_rate) for each in sums]
    return [
        Column(title="PnL USDT", cells=[_pnl(s.total_pnl) for s in sums], is_number=True, rank=1),
        Column(title="open", cells=opened, is_number=True, rank=2),
        Column(title="share", cells=shares, is_number=True, rank=5),
        Column(title="won", cells=won, is_number=True, rank=3),
    ]


def _trading(scene: Scene, assets: Sequence[str]) -> Iterator[Column]:
    done = scene.seen.performance
    found = [done.total, *(done.assets.get(asset, Performance()) for asset in assets)]
    texts = [performance_texts(each) for each in found]
    for name, rank in _RANKS.items():
        cells = [Text(each[name]) for each in texts]
        yield Column(title=name, cells=cells, is_number=True, rank=rank)


def _links(scene: Scene, width: int) -> list[Text]:
    links = list(scene.seen.links.values())
    if not links:
        return []
    columns = [
        Column(title="asset", cells=[safe(one.asset, "bold") for one in links]),
        Column(title="stream", cells=[_stream(one) for one in links]),
        Column(
            title="orders/min",
            cells=[Text(f"{one.orders_per_minute:.1f}") for one in links],
            is_number=True,
        ),
        Column(title="p50 ms", cells=[_ms(one.request_p50_ms) for one in links], is_number=True),
        Column(title="p99 ms", cells=[_ms(one.request_p99_ms) for one in links], is_number=True),
    ]
    return table(columns, width)


def _stream(link: VenueLink) -> Text:
    return Text("connected") if link.is_streaming else Text("NOT CONNECTED", "bold bright_red")


def _ms(found: float | None) -> Text:
    return Text() if found is None else Text(f"{found:.0f}")


def _contribution(each: PortfolioMetrics | PairMetrics) -> Text:
    return Text() if isinstance(each, PortfolioMetrics) else _share(each.contribution)


def _share(fraction: Decimal | None, *, signed: bool = False) -> Text:
    if fraction is None:
        return Text(UNKNOWN, "dim")
    return Text(say.signed_percent(fraction, 2) if signed else say.percent(fraction))


def _pnl(value: Decimal) -> Text:
    return Text(f"{value:+,.2f}", "green" if value >= 0 else "red")

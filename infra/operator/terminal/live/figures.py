"""What each asset, and all together, have come to so far."""

from decimal import Decimal

from rich.text import Text

from domain.operator import wording as say
from domain.operator.performance import UNKNOWN, performance_texts
from domain.portfolio.metrics import PairMetrics, PortfolioMetrics, metrics
from domain.portfolio.performance import Performance
from infra.operator.terminal.live.rows import Column, safe, table
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
"""Which columns are left out last where there is little room: those with the lowest."""


def figures_table(scene: Scene, width: int) -> list[Text]:
    """Return a row for all together, and one for each asset."""
    portfolio = scene.seen.portfolio
    if portfolio is None:
        return [Text("the portfolio does not answer", "bold bright_red")]
    money, done = metrics(portfolio, scene.rules), scene.seen.performance
    of_asset = {name: done.assets.get(name, Performance()) for name in money.pairs}
    sums: list[PortfolioMetrics | PairMetrics] = [money, *money.pairs.values()]
    texts = [performance_texts(each) for each in (done.total, *of_asset.values())]
    names = ["all", *money.pairs]
    columns = [
        Column(title="asset", cells=[safe(name, "bold") for name in names]),
        Column(
            title="PnL USDT", cells=[_pnl(each.total_pnl) for each in sums], is_number=True, rank=1
        ),
        Column(
            title="open",
            cells=[_share(each.unrealized_return, signed=True) for each in sums],
            is_number=True,
            rank=2,
        ),
        Column(title="share", cells=[_contribution(each) for each in sums], is_number=True, rank=5),
        Column(title="won", cells=[_share(each.win_rate) for each in sums], is_number=True, rank=3),
        *(
            Column(
                title=name, cells=[Text(each[name]) for each in texts], is_number=True, rank=rank
            )
            for name, rank in _RANKS.items()
        ),
    ]
    return table(columns, width)


def _contribution(each: PortfolioMetrics | PairMetrics) -> Text:
    return Text() if isinstance(each, PortfolioMetrics) else _share(each.contribution)


def _share(fraction: Decimal | None, *, signed: bool = False) -> Text:
    if fraction is None:
        return Text(UNKNOWN, "dim")
    return Text(say.signed_percent(fraction, 2) if signed else say.percent(fraction))


def _pnl(value: Decimal) -> Text:
    return Text(f"{value:+,.2f}", "green" if value >= 0 else "red")

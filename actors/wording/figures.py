"""Texts on the performance of each asset, and of all together, since the start of a run."""

from collections.abc import Iterable, Mapping
from itertools import chain

from actors.messages import LinksSampled
from domain.operator import wording as say
from domain.operator.commands import ALL
from domain.operator.performance import UNKNOWN, run_texts
from domain.operator.system import VenueLink
from domain.portfolio.metrics import metrics
from domain.portfolio.performance import Performances
from domain.portfolio.snapshots import PortfolioSnapshot
from domain.rules import TradingRules

_OF_ASSET = ("Sharpe", "volatility", "slippage", "fees", "MAE", "MFE")
"""Figures of an asset not in the report's other lines; more would not fit into one message."""


def since_the_start(
    found: Performances, portfolio: PortfolioSnapshot | None, rules: TradingRules
) -> list[str]:
    """Return the defined figures; nothing before the first fill."""
    if not found.assets:
        return []
    texts = run_texts(found, None if portfolio is None else metrics(portfolio, rules))
    whole = _known(texts.pop(ALL))
    if found.diversification is not None:
        whole.append(f"diversification {found.diversification:.0%}")
    of_assets = {asset: _known(each, _OF_ASSET) for asset, each in texts.items()}
    parts = [say.listed(f"{asset}:", known) for asset, known in of_assets.items() if known]
    return ["Since the start:", *say.listed("All:", whole), *chain.from_iterable(parts)]


def connections(found: LinksSampled) -> list[str]:
    """Return the links to the exchange, one per line, and the connections to the journal."""
    return [
        "Streams, orders/min, requests p50/p99:",
        *(_link(link) for link in found.links),
        f"Journal connections: {found.journal_connections}",
    ]


def _link(link: VenueLink) -> str:
    stream = "up" if link.is_streaming else "DOWN"
    p50_ms, p99_ms = link.request_p50_ms, link.request_p99_ms
    took = "" if p50_ms is None or p99_ms is None else f", {p50_ms:.0f}/{p99_ms:.0f} ms"
    return f"{link.asset} {stream}, {link.orders_per_minute:.1f}/min{took}"


def _known(texts: Mapping[str, str], names: Iterable[str] | None = None) -> list[str]:
    wanted = texts if names is None else names
    return [f"{name} {texts[name]}" for name in wanted if texts[name] != UNKNOWN]

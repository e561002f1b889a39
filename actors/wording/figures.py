"""Words on what each asset, and all together, have come to since the start of a run."""

from collections.abc import Iterable, Mapping
from itertools import chain

from domain.operator import wording as say
from domain.operator.commands import ALL
from domain.operator.performance import UNKNOWN, run_texts
from domain.portfolio.metrics import metrics
from domain.portfolio.performance import Performances
from domain.portfolio.snapshots import PortfolioSnapshot
from domain.rules import TradingRules

_OF_ASSET = ("Sharpe", "volatility", "slippage", "fees", "MAE", "MFE")
"""What the report's other lines do not say of an asset; more would not fit one message."""


def since_the_start(
    found: Performances, portfolio: PortfolioSnapshot | None, rules: TradingRules
) -> list[str]:
    """Return the figures that are defined; nothing before the first fill."""
    if not found.assets:
        return []
    texts = run_texts(found, None if portfolio is None else metrics(portfolio, rules))
    whole = _known(texts.pop(ALL))
    if found.diversification is not None:
        whole.append(f"diversification {found.diversification:.0%}")
    of_assets = {asset: _known(each, _OF_ASSET) for asset, each in texts.items()}
    parts = [say.listed(f"{asset}:", known) for asset, known in of_assets.items() if known]
    return ["Since the start:", *say.listed("All:", whole), *chain.from_iterable(parts)]


def _known(texts: Mapping[str, str], names: Iterable[str] | None = None) -> list[str]:
    wanted = texts if names is None else names
    return [f"{name} {texts[name]}" for name in wanted if texts[name] != UNKNOWN]

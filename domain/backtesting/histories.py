"""The strategies' results over the whole histories of a run."""

from collections.abc import Collection, Mapping

from domain.backtesting.market import Market
from domain.rules import TradingRules
from domain.strategies.history import History
from domain.strategies.registry import history_class


def history_of(market: Market, asset: str, rules: TradingRules) -> History:
    """Return what an asset's strategy gives at all its closes.

    Raises:
        ValueError: the strategy offers no history.
    """
    spec = rules.asset(asset).terms.strategy
    history = history_class(spec.name)
    if history is None:
        raise ValueError(f"expected a strategy with a history, found {spec.name}")
    market.prepare({asset: history.periods(spec.parameters)})
    return history(market.assets[asset], spec.parameters, rules.candles)


def can_leap(rules: TradingRules) -> bool:
    """Tell whether each strategy can compute its whole history at once."""
    return all(history_class(asset.terms.strategy.name) for asset in rules.assets)


def average_periods(rules: TradingRules) -> Mapping[str, Collection[int]]:
    """Return by asset the periods of the averages that a run with these rules needs."""
    found = {}
    for asset in rules.assets:
        history = history_class(asset.terms.strategy.name)
        if history is not None:
            found[asset.asset] = history.periods(asset.terms.strategy.parameters)
    return found

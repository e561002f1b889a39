"""Which positions count as one: named groups, and measured ones (multi-pair 6.2)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from domain.fast_init import fast_init
from domain.market.instruments import Side
from domain.rules import TradingRules
from domain.trading.positions import ZERO

Correlate = Callable[[str, str], float | None]
"""Returns Pearson's correlation of two assets; None if it cannot be judged."""


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An open position, or an approval still in flight, as the limits see it."""

    side: Side
    notional: Decimal
    """At its entry, quote."""


def signed(correlation: float | None, left: Side, right: Side) -> float | None:
    """Return the correlation of two positions: a hedge is not a concentration (6.2a)."""
    return correlation if correlation is None or left is right else -correlation


def group_of(
    asset: str,
    side: Side,
    held: Mapping[str, Held],
    rules: TradingRules,
    correlate: Correlate,
) -> dict[str, Held]:
    """Return what is held in an asset's correlation group, without the asset itself.

    Args:
        asset: the asset whose group.
        side: the side of its present or future position.
        held: by asset.
        rules: names and threshold.
        correlate: unsigned.
    """
    name = rules.asset(asset).correlation_group
    others = {other: one for other, one in held.items() if other != asset}
    if name is not None:
        return {o: one for o, one in others.items() if rules.asset(o).correlation_group == name}
    threshold = rules.approval.correlation_group_threshold
    return {
        other: one
        for other, one in others.items()
        if (signed(correlate(asset, other), side, one.side) or 0.0) > threshold
    }


def deployed_of(asset: str, notional: Decimal, rules: TradingRules) -> Decimal:
    """Return what a position ties up: its entry notional without leverage, quote."""
    return notional / rules.asset(asset).leverage


def largest_deployed(held: Mapping[str, Held], count: int, rules: TradingRules) -> Decimal:
    """Return the sum of the largest deployed amounts, quote."""
    deployed = (deployed_of(asset, one.notional, rules) for asset, one in held.items())
    return sum(sorted(deployed, reverse=True)[:count], ZERO)

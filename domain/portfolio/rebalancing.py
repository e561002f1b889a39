"""Rebalancing advice: how far each position has drifted from its target (multi-pair 6.6).

It changes no trade. The operator acts on it with `reduce`; nothing acts on ADD.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from domain.rules import AssetRules, TradingRules
from domain.trading.positions import Position


class Rebalance(StrEnum):
    """The direction in which a position should change."""

    REDUCE = "REDUCE"
    ADD = "ADD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """One open position against its target. Weights are fractions of the equity."""

    asset: str
    weight: Decimal
    """Deployed at the newest close: qty * close / leverage / equity."""
    target: Decimal
    drift: Decimal
    """weight / target - 1."""
    action: Rebalance | None
    """None: the drift is within its threshold, or less than one quantity step."""
    qty: Decimal
    """Base units to reduce or add, on the step; 0 without an action."""
    is_oversize: bool
    """The weight is above `max_position_size_pct`."""

    @property
    def is_worth_telling(self) -> bool:
        """Tell whether there is anything to do."""
        return self.action is not None or self.is_oversize


def advise(
    positions: Mapping[str, Position],
    closes: Mapping[str, Decimal],
    equity: Decimal,
    rules: TradingRules,
) -> Iterator[Advice]:
    """Yield the advice for each open position; none without a positive equity.

    Args:
        positions: by asset.
        closes: newest close of each asset; a position without a close is not judged.
        equity: quote, at these closes.
        rules: targets and thresholds.
    """
    for asset, position in positions.items():
        if asset in closes and equity > 0:
            yield _advice(position, closes[asset], equity, rules)


def _advice(position: Position, close: Decimal, equity: Decimal, rules: TradingRules) -> Advice:
    asset, limits = rules.asset(position.asset), rules.approval
    target = asset.allocation_fraction
    weight = position.qty * close / asset.leverage / equity
    drift = weight / target - 1
    action, qty = None, Decimal(0)
    if limits.rebalance_threshold is not None and abs(drift) > limits.rebalance_threshold:
        qty = _qty(abs(target - weight), close, equity, asset)
        action = (Rebalance.REDUCE if drift > 0 else Rebalance.ADD) if qty else None
    most = limits.max_position_size
    return Advice(
        asset=position.asset,
        weight=weight,
        target=target,
        drift=drift,
        action=action,
        qty=qty,
        is_oversize=most is not None and weight > most,
    )


def _qty(difference: Decimal, close: Decimal, equity: Decimal, asset: AssetRules) -> Decimal:
    return asset.instrument.round_qty(difference * equity * asset.leverage / close)

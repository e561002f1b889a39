"""How much of the deployed money is in the largest positions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from domain.portfolio.groups import deployed_of
from domain.rules import TradingRules
from domain.trading.positions import ZERO, Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Concentration:
    """One open position in the ranking. Shares are fractions of the total deployed amount."""

    asset: str
    deployed: Decimal
    """Entry notional / leverage, quote."""
    share: Decimal
    cumulative: Decimal
    """Share of this position and all larger ones."""
    of_equity: Decimal | None
    """None: the equity is not positive."""


def ranked(
    positions: Mapping[str, Position], equity: Decimal, rules: TradingRules
) -> Iterator[Concentration]:
    """Yield the open positions by deployed amount, largest first."""
    amounts = {asset: deployed_of(asset, p.notional, rules) for asset, p in positions.items()}
    whole, so_far = sum(amounts.values(), ZERO), ZERO
    for asset, deployed in sorted(amounts.items(), key=lambda item: -item[1]):
        so_far += deployed
        yield Concentration(
            asset=asset,
            deployed=deployed,
            share=deployed / whole,
            cumulative=so_far / whole,
            of_equity=deployed / equity if equity > 0 else None,
        )

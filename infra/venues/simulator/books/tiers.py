"""Margin and liquidation: tiers, requirements, liquidation prices.

Sources: Bybit's help center (isolated USDT contracts) and the tiers of BTCUSDT as recorded in 2023.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from domain.market.instruments import Side


class MarginMode(StrEnum):
    """How the account covers its positions."""

    CROSS = "REGULAR_MARGIN"
    ISOLATED = "ISOLATED_MARGIN"
    PORTFOLIO = "PORTFOLIO_MARGIN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """The requirements up to a notional."""

    number: int
    limit: Decimal
    """USDT."""
    maintenance_rate: Decimal
    initial_rate: Decimal
    max_leverage: Decimal
    deduction: Decimal
    """Deduction in USDT that makes the requirement continuous across tiers."""


def _tiers(rows: list[tuple[str, str, str, str]]) -> tuple[Tier, ...]:
    made: list[Tier] = []
    for i, (limit, maintenance, initial, leverage) in enumerate(rows):
        deduction = Decimal(0)
        if made:
            more = Decimal(maintenance) - made[-1].maintenance_rate
            deduction = made[-1].deduction + made[-1].limit * more
        made.append(
            Tier(
                number=i + 1,
                limit=Decimal(limit),
                maintenance_rate=Decimal(maintenance),
                initial_rate=Decimal(initial),
                max_leverage=Decimal(leverage),
                deduction=deduction,
            )
        )
    return tuple(made)


TIERS = _tiers(
    [
        ("2000000", "0.005", "0.01", "100.00"),
        ("10000000", "0.01", "0.02", "50.00"),
        ("20000000", "0.015", "0.03", "33.33"),
        ("100000000", "0.025", "0.05", "20.00"),
        ("1000000000", "0.05", "0.1", "10.00"),
    ]
)
"""Used for every symbol; only the first tier of BTCUSDT is known to be right."""


def tier_of(notional: Decimal) -> Tier:
    return next((tier for tier in TIERS if notional <= tier.limit), TIERS[-1])


def maintenance_margin(notional: Decimal) -> Decimal:
    """Return the maintenance margin of a position, without its closing fee."""
    tier = tier_of(notional)
    return notional * tier.maintenance_rate - tier.deduction


def isolated_liquidation_price(
    side: Side, entry_price: Decimal, qty: Decimal, leverage: Decimal, added: Decimal
) -> Decimal | None:
    """Return the mark price at which an isolated position is liquidated; None: none.

    `added` is margin in USDT beyond the initial margin.
    """
    notional = entry_price * qty
    away = (notional / leverage - maintenance_margin(notional) + added) / qty
    price = entry_price - away if side is Side.BUY else entry_price + away
    return price if price > 0 else None


def bankruptcy_price(side: Side, entry_price: Decimal, leverage: Decimal) -> Decimal:
    """Return the price at which an isolated position has lost its initial margin."""
    away = entry_price / leverage
    return max(Decimal(0), entry_price - away if side is Side.BUY else entry_price + away)


def cross_liquidation_price(
    side: Side, mark_price: Decimal, qty: Decimal, equity: Decimal, other_margin: Decimal
) -> Decimal | None:
    """Return the mark price at which equity equals all maintenance margin, others unchanged.

    Args:
        side: of the position.
        mark_price: the current one.
        qty: of the position.
        equity: of the account at current mark prices.
        other_margin: maintenance margin of the other positions.

    Returns:
        None if there is no such price above 0.
    """
    rate = tier_of(qty * mark_price).maintenance_rate
    if side is Side.SELL:
        price = (equity + qty * mark_price - other_margin) / (qty * (1 + rate))
    else:
        price = (qty * mark_price + other_margin - equity) / (qty * (1 - rate))
    return price if price > 0 else None

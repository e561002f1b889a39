"""What waits to be traded at an exchange around its last price."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from domain.market.instruments import Side

_NEAR = Decimal("0.001")
"""10 basis points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderBook:
    """Both sides as (price, base units), the best first; a side may be empty."""

    bids: tuple[tuple[Decimal, Decimal], ...]
    asks: tuple[tuple[Decimal, Decimal], ...]

    @property
    def mid(self) -> Decimal | None:
        """Price between the best ones; None where a side is empty."""
        if not self.bids or not self.asks:
            return None
        return (self.bids[0][0] + self.asks[0][0]) / 2

    @property
    def spread_bps(self) -> Decimal | None:
        """Between the best prices, basis points of the mid; None where a side is empty."""
        mid = self.mid
        return None if mid is None else (self.asks[0][0] - self.bids[0][0]) / mid * 10_000

    def depth(self, side: Side) -> Decimal:
        """Return what a market order meets within 10 basis points of the mid, base units.

        Args:
            side: of the order: BUY meets the asks.
        """
        mid = self.mid
        if mid is None:
            return Decimal(0)
        if side is Side.BUY:
            return _sum(qty for price, qty in self.asks if price <= mid * (1 + _NEAR))
        return _sum(qty for price, qty in self.bids if price >= mid * (1 - _NEAR))


def _sum(found: Iterable[Decimal]) -> Decimal:
    return sum(found, Decimal(0))

"""The order book of an asset around its last price."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from domain.market.instruments import Side

_NEAR = Decimal("0.001")
"""10 basis points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderBook:
    """Both sides as (price, base units), best first; a side may be empty."""

    bids: tuple[tuple[Decimal, Decimal], ...]
    asks: tuple[tuple[Decimal, Decimal], ...]

    @property
    def mid(self) -> Decimal | None:
        """Price halfway between the best bid and ask; None if a side is empty."""
        if not self.bids or not self.asks:
            return None
        return (self.bids[0][0] + self.asks[0][0]) / 2

    @property
    def spread_bps(self) -> Decimal | None:
        """Gap between the best bid and ask, basis points of the mid; None if a side is empty."""
        mid = self.mid
        return None if mid is None else (self.asks[0][0] - self.bids[0][0]) / mid * 10_000

    def depth(self, side: Side) -> Decimal:
        """Return the base units that a market order finds within 10 basis points of the mid.

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

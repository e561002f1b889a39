"""Positions as reported by the venue."""

from dataclasses import dataclass
from decimal import Decimal

from domain.market.instruments import Side
from domain.trading.sizing import ProtectiveLevels
from infra.venues.bybit.shapes.row import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionRow:
    """One position as reported by the venue. Always true: `side` is None if `qty` is 0."""

    symbol: str
    side: Side | None
    qty: Decimal
    avg_entry_price: Decimal | None
    """None if flat."""
    mark_price: Decimal | None
    """None only if flat."""
    liq_price: Decimal | None
    """None if there is none within reach; an estimate under cross margin."""
    stop_loss: Decimal | None
    take_profit: Decimal | None
    trailing_stop: Decimal | None
    """Distance, quote."""
    leverage: Decimal | None
    position_idx: int
    """0 in one-way mode; 1 and 2 are the two sides of hedge mode."""
    ts_ms: int
    """The venue's time of the answer."""
    updated_ms: int | None
    """When the venue last changed it."""

    @property
    def is_flat(self) -> bool:
        """Tell whether nothing is open."""
        return not self.qty

    @property
    def stops(self) -> ProtectiveLevels | None:
        """Both full-position stops; None if there is no stop loss."""
        if self.stop_loss is None:
            return None
        return ProtectiveLevels(stop_loss=self.stop_loss, take_profit=self.take_profit)


def position_of(row: Row, ts_ms: int) -> PositionRow:
    """Return a position, from an answer or from the private stream.

    Args:
        row: of the venue.
        ts_ms: the venue's time of the answer.
    """
    qty = row.qty("size")
    entry_price = "avgPrice" if row.has("avgPrice") else "entryPrice"
    return PositionRow(
        symbol=row.text("symbol"),
        side=row.side("side") if qty else None,
        qty=qty,
        avg_entry_price=row.price(entry_price) if qty else None,
        mark_price=row.price("markPrice") if qty else row.maybe_price("markPrice"),
        liq_price=row.maybe_price("liqPrice"),
        stop_loss=row.price_if_any("stopLoss"),
        take_profit=row.price_if_any("takeProfit"),
        trailing_stop=row.maybe_price("trailingStop"),
        leverage=row.maybe_price("leverage"),
        position_idx=row.integer("positionIdx"),
        ts_ms=ts_ms,
        updated_ms=row.maybe_time_ms("updatedTime"),
    )

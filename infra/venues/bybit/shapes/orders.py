"""Orders as reported by the venue."""

from dataclasses import dataclass
from decimal import Decimal

from domain.errors import BadDataError
from domain.market.instruments import Side
from domain.trading.orders import OrderStatus, OrderUpdate
from domain.trading.positions import ZERO
from infra.venues.bybit.shapes.row import Row

_STATUSES = {
    "Created": OrderStatus.ACCEPTED,
    "New": OrderStatus.ACCEPTED,
    "Untriggered": OrderStatus.ACCEPTED,
    "Triggered": OrderStatus.ACCEPTED,
    "PartiallyFilled": OrderStatus.PARTIALLY_FILLED,
    "Filled": OrderStatus.FILLED,
    # Canceled orders may have been partly filled; `filled_qty` says so.
    "Cancelled": OrderStatus.CANCELED,
    "PartiallyFilledCanceled": OrderStatus.CANCELED,
    "Deactivated": OrderStatus.CANCELED,
    "Rejected": OrderStatus.REJECTED,
}
_PROTECTIVE = frozenset(
    {"StopLoss", "PartialStopLoss", "TakeProfit", "PartialTakeProfit", "TrailingStop"}
)
_MAY_LACK_QTY = frozenset({OrderStatus.ACCEPTED, OrderStatus.REJECTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueOrder:
    """One order as reported by the venue, ours or not."""

    venue_order_id: str
    client_order_id: str | None
    symbol: str
    side: Side | None
    status: OrderStatus
    """UNKNOWN if the venue uses an unknown word."""
    qty: Decimal | None
    filled_qty: Decimal
    """Cumulative."""
    reduce_only: bool
    stop_order_type: str | None
    """`StopLoss`, `TakeProfit` ...; None for an order that is not conditional."""
    trigger_price: Decimal | None
    ts_ms: int
    """When it last changed."""
    detail: str

    @property
    def is_protective(self) -> bool:
        """Tell whether it is a stop of the position, which has no id of ours and ends with it."""
        return self.client_order_id is None and self.stop_order_type in _PROTECTIVE

    def update(self, client_order_id: str) -> OrderUpdate:
        """Return the order as an update under our own id."""
        return OrderUpdate(
            client_order_id=client_order_id,
            status=self.status,
            filled_qty=self.filled_qty,
            ts_ms=self.ts_ms,
            detail=self.detail,
        )


def order_of(row: Row) -> VenueOrder:
    """Return an order, from an answer or from the private stream."""
    words = (row.word(name) for name in ("rejectReason", "cancelType"))
    raw_status = row.text("orderStatus")
    known = _STATUSES.get(raw_status)
    details = [word for word in words if word is not None]
    return VenueOrder(
        venue_order_id=row.text("orderId"),
        client_order_id=row.text_if_any("orderLinkId"),
        symbol=row.text("symbol"),
        side=row.maybe_side("side"),
        status=OrderStatus.UNKNOWN if known is None else known,
        qty=row.maybe_decimal("qty"),
        filled_qty=_filled_qty(row, known),
        reduce_only=row.flag("reduceOnly"),
        stop_order_type=row.word("stopOrderType"),
        trigger_price=row.maybe_price("triggerPrice"),
        ts_ms=row.maybe_time_ms("updatedTime") or row.time_ms("createdTime"),
        detail=", ".join(details if known is not None else [raw_status, *details]),
    )


def _filled_qty(row: Row, status: OrderStatus | None) -> Decimal:
    # A filled or canceled order without a quantity would look as if it never traded.
    if status in _MAY_LACK_QTY and not row.has("cumExecQty"):
        return ZERO
    filled_qty = row.qty("cumExecQty")
    if status is OrderStatus.FILLED and not filled_qty:
        raise BadDataError("order: expected cumExecQty of a filled order, found 0")
    return filled_qty

"""What a close may close, and what its order has left open."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

from domain.trading.decisions import Close, Protection
from domain.trading.order import Order
from domain.trading.orders import OrderStatus, Purpose
from domain.trading.positions import ZERO, Position


def is_close_under_way(orders: Iterable[Order]) -> bool:
    """Tell whether one of an asset's orders may still close something."""
    return any(order.is_under_way and order.intent.purpose is not Purpose.ENTRY for order in orders)


def is_younger(position: Position, t_ms: int) -> bool:
    """Tell whether a position was opened by a later decision than t's, or by t's own."""
    if position.decided_ms is None:
        return position.opened_ms > t_ms
    return position.decided_ms >= t_ms


def closes_left(protection: Protection, positions: Mapping[str, Position]) -> Iterator[Close]:
    """Return what a protection has closed that is still open."""
    for close in protection.closes:
        position = positions.get(close.asset)
        if position is not None and not is_younger(position, protection.t_ms):
            yield close


def has_left_open(order: Order, position: Position | None) -> bool:
    """Tell whether a close has ended before the position that it was to close."""
    if order.is_under_way or order.intent.reason is None or position is None:
        return False
    is_filled = order.state.status is OrderStatus.FILLED
    return not is_filled and not is_younger(position, order.intent.decided_ms)


def unfinished_close(orders: Iterable[Order], position: Position | None) -> Order | None:
    """Return the newest close where it has left its position open.

    Args:
        orders: of the asset, oldest first.
        position: what is open.
    """
    closes = [order for order in orders if _is_whole_close(order)]
    return closes[-1] if closes and has_left_open(closes[-1], position) else None


def _is_whole_close(order: Order) -> bool:
    return order.intent.purpose not in (Purpose.ENTRY, Purpose.REDUCE)


def left_to_reduce(qty: Decimal, sent: Sequence[Order]) -> Decimal:
    """Return what a partial close has still to send: 0 while it is under way, or was refused.

    Only what was filled in part goes on; what the exchange has refused is for the operator.

    Args:
        qty: base units in all.
        sent: its orders so far, oldest first.
    """
    if not sent:
        return qty
    last = sent[-1].state
    if last.status is not OrderStatus.CANCELED or not last.filled_qty:
        return ZERO
    return max(ZERO, qty - sum((order.state.filled_qty for order in sent), ZERO))


def next_attempt(orders: Iterable[Order], decided_ms: int, purpose: Purpose) -> int:
    """Return the number of the next attempt at a close, from 1.

    Two decisions of one second count as one: the ids of orders tell them apart by this alone.
    """
    return 1 + sum(
        order.intent.decided_ms // 1000 == decided_ms // 1000 and order.intent.purpose is purpose
        for order in orders
    )

"""What a close may close, and what its orders have left open."""

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
    """Tell whether a position was opened by the decision of t or a later one."""
    if position.decided_ms is None:
        return position.opened_ms > t_ms
    return position.decided_ms >= t_ms


def closes_left(protection: Protection, positions: Mapping[str, Position]) -> Iterator[Close]:
    """Return those of a protection's closes whose positions are still open."""
    for close in protection.closes:
        position = positions.get(close.asset)
        if position is not None and not is_younger(position, protection.t_ms):
            yield close


def has_left_open(order: Order, position: Position | None) -> bool:
    """Tell whether a close has ended without closing its position."""
    if order.is_under_way or order.intent.reason is None or position is None:
        return False
    is_filled = order.state.status is OrderStatus.FILLED
    return not is_filled and not is_younger(position, order.intent.decided_ms)


def unfinished_close(orders: Iterable[Order], position: Position | None) -> Order | None:
    """Return the newest close if it has left its position open.

    Args:
        orders: of the asset, oldest first.
        position: what is open.
    """
    closes = [order for order in orders if _is_whole_close(order)]
    return closes[-1] if closes and has_left_open(closes[-1], position) else None


def _is_whole_close(order: Order) -> bool:
    return order.intent.purpose not in (Purpose.ENTRY, Purpose.REDUCE)


def left_to_reduce(qty: Decimal, sent: Sequence[Order]) -> Decimal:
    """Return what a partial close still has to send: 0 with an order in flight, or after a refusal.

    Only a partial fill is continued; after a refusal by the exchange the operator decides.

    Args:
        qty: base units in total.
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

    Two decisions in one second count as one: only the attempt tells their order ids apart.
    """
    return 1 + sum(
        order.intent.decided_ms // 1000 == decided_ms // 1000 and order.intent.purpose is purpose
        for order in orders
    )

"""What makes a position smaller: closes, attempt after attempt, and the operator's partial ones.

At most one such order is in flight at a time. A close continues until what it closes is gone; a
reduce is sent once, and continues only if it was cut short. What is closed needs no reduce, and a
close requested during a reduce follows it.
"""

from decimal import Decimal

from actors.execution.alarms import not_closed, not_reduced
from actors.execution.context import ExecutionContext
from actors.execution.orders import Orders
from actors.messages import ClosePosition, ReducePosition
from domain.trading.closing import (
    has_left_open,
    is_close_under_way,
    is_younger,
    left_to_reduce,
    next_attempt,
    unfinished_close,
)
from domain.trading.intents import close_intent
from domain.trading.order import Order
from domain.trading.orders import ExitReason, OrderStatus, Purpose
from domain.trading.positions import Position

CLOSE_ATTEMPTS = 6
"""Attempts at one close, at growing intervals, before the operator is alerted."""


class Exits:
    """The closes and reductions of one asset, and those that have to wait."""

    def __init__(self, context: ExecutionContext, orders: Orders) -> None:
        """Take over what an earlier incarnation left; the portfolio repeats its reductions."""
        self._context = context
        self._orders = orders
        unfinished = unfinished_close(context.books.orders.values(), context.books.position)
        self._unfinished = None if unfinished is None else _command_of(unfinished)
        """A close whose order ended before the position was closed."""
        self._due_ms = 0
        """When that may be retried in any case."""
        self._after_reduce: ClosePosition | None = None
        """A close requested during a reduce, which leaves the rest open."""
        self._reduction: ReducePosition | None = None
        """One that was requested while the position was unknown, or during another order."""

    @property
    def is_wanted(self) -> bool:
        """Tell whether something is to be closed and may still be open."""
        waits = self._unfinished is not None or self._after_reduce is not None
        return waits or self._is_under_way

    def close(self, command: ClosePosition) -> None:
        """Close what is open, if an earlier decision than the command's has opened it."""
        position = self._context.books.position
        if position is None or is_younger(position, command.t_ms):
            return
        if position.is_external and command.purpose is not Purpose.OPERATOR:
            return  # whoever opened it by hand decides
        if not self._is_under_way:
            self._unfinished = None
            self._send(position, command.t_ms, command.purpose, command.reason)
        elif self._is_reduced_now:
            self._after_reduce = command
        elif not self._context.agenda.is_answered:
            self._context.agenda.begin()

    def reduce(self, command: ReducePosition) -> None:
        """Reduce once the exchange has reported the position, and nothing else is in flight."""
        self._reduction = command
        if not self._context.agenda.is_certain:
            self._context.agenda.begin()
        self.go_on()

    def go_on(self) -> None:
        """Do what has waited for the end of an order, or for an answer, and can now be done."""
        self._close_rest()
        if (
            self._reduction is not None
            and self._context.agenda.is_certain
            and not self._is_under_way
        ):
            command, self._reduction = self._reduction, None
            self._send_left(command)

    def go_on_after(self, order: Order | None) -> None:
        """Continue after an order that has just ended; None if none has."""
        if order is None:
            return
        if order.intent.purpose is Purpose.REDUCE:
            self._close_rest()
            self._after_reduction(order)
        elif has_left_open(order, self._context.books.position):
            self._after_close(order)

    def retry(self) -> None:
        """Make the next attempt at a close, now that the exchange has reported the position.

        While rounds follow quickly because stops cannot be set, it keeps its own interval.
        """
        if not self._context.agenda.is_certain and self._context.now_ms < self._due_ms:
            return
        command, self._unfinished = self._unfinished, None
        if command is not None:
            self.close(command)

    @property
    def _is_under_way(self) -> bool:
        return is_close_under_way(self._context.books.orders.values())

    @property
    def _is_reduced_now(self) -> bool:
        under_way = self._context.books.under_way()
        return any(order.intent.purpose is Purpose.REDUCE for order in under_way)

    def _send(
        self,
        position: Position,
        decided_ms: int,
        purpose: Purpose,
        reason: ExitReason,
        qty: Decimal | None = None,
    ) -> None:
        intent = close_intent(
            position,
            decided_ms=decided_ms,
            purpose=purpose,
            reason=reason,
            attempt=next_attempt(self._context.books.orders.values(), decided_ms, purpose),
            qty=qty,
        )
        self._orders.intend(intent)
        self.go_on_after(self._orders.send(intent))

    def _after_close(self, order: Order) -> None:
        """Close what an ended close has left open."""
        command, filled_qty = _command_of(order), order.state.filled_qty
        if order.state.status is OrderStatus.CANCELED and filled_qty:
            left_qty = order.intent.request.qty - filled_qty
            position = self._context.books.position
            if position is not None and position.qty == left_qty:
                self.close(command)
            else:  # the updates of its fills are still in transit
                self._unfinished = command
                self._context.agenda.begin()
            return
        # It may have been refused because the position is gone: query that first.
        self._unfinished = command
        self._context.agenda.doubt(
            f"{order.client_order_id} has closed nothing: {order.state.status}"
        )
        attempt = order.intent.attempt
        if attempt >= CLOSE_ATTEMPTS:
            self._context.alarms.tell(not_closed(order.intent))
        self._due_ms = self._context.agenda.ask_again(min(attempt, CLOSE_ATTEMPTS) - 1)

    def _close_rest(self) -> None:
        """Close what a reduce has left, if that was requested meanwhile."""
        if self._after_reduce is not None and not self._is_reduced_now:
            command, self._after_reduce = self._after_reduce, None
            self.close(command)

    def _after_reduction(self, order: Order) -> None:
        """Send the rest of an order that was cut short, or report that it was refused."""
        t_ms = order.intent.decided_ms
        if not order.state.filled_qty:
            self._context.alarms.tell(not_reduced(order))
        elif order.state.status is not OrderStatus.FILLED and self._reduction is None:
            whole = self._reductions_of(t_ms)[0].intent.request
            self.reduce(ReducePosition(asset=whole.asset, t_ms=t_ms, qty=whole.qty))

    def _send_left(self, command: ReducePosition) -> None:
        position = self._context.books.position
        left = left_to_reduce(command.qty, self._reductions_of(command.t_ms))
        if position is not None and not is_younger(position, command.t_ms) and left:
            self._send(position, command.t_ms, Purpose.REDUCE, ExitReason.REDUCE, left)

    def _reductions_of(self, t_ms: int) -> list[Order]:
        return [
            order
            for order in self._context.books.orders.values()
            if order.intent.purpose is Purpose.REDUCE and order.intent.decided_ms == t_ms
        ]


def _command_of(close: Order) -> ClosePosition:
    """Return the command for which a close was sent."""
    intent = close.intent
    if intent.reason is None:
        message = f"expected a close, found the entry {close.client_order_id}"
        raise ValueError(message)
    return ClosePosition(
        asset=intent.request.asset,
        t_ms=intent.decided_ms,
        purpose=intent.purpose,
        reason=intent.reason,
    )

"""Commands to close, attempt after attempt, until what they close is gone."""

from actors.execution.alarms import not_closed
from actors.execution.context import ExecutionContext
from actors.execution.orders import Orders
from actors.messages import ClosePosition
from domain.trading.closing import (
    has_left_open,
    is_close_under_way,
    is_younger,
    next_attempt,
    unfinished_close,
)
from domain.trading.intents import close_intent
from domain.trading.order import Order
from domain.trading.orders import OrderStatus, Purpose

CLOSE_ATTEMPTS = 6
"""Attempts at one close, further and further apart, before a person is called."""


class Closes:
    """At most one close is under way at a time."""

    def __init__(self, context: ExecutionContext, orders: Orders) -> None:
        """Take over the asset's closes, and what an earlier life has left of them."""
        self._context = context
        self._orders = orders
        unfinished = unfinished_close(context.books.orders.values(), context.books.position)
        self._unfinished = None if unfinished is None else _command_of(unfinished)
        """A close whose order ended before the position did."""
        self._due_ms = 0
        """When that may be tried again in any case."""
        self._after_reduce: ClosePosition | None = None
        """A close that was asked for during a reduce, which leaves the rest open."""

    @property
    def is_under_way(self) -> bool:
        """Tell whether an order may still close something."""
        return is_close_under_way(self._context.books.orders.values())

    @property
    def is_wanted(self) -> bool:
        """Tell whether something is to be closed and may still be open."""
        waits = self._unfinished is not None or self._after_reduce is not None
        return waits or self.is_under_way

    @property
    def _is_reduced_now(self) -> bool:
        under_way = self._context.books.under_way()
        return any(order.intent.purpose is Purpose.REDUCE for order in under_way)

    def close(self, command: ClosePosition) -> None:
        """Close what is open, if an earlier decision than the command's has opened it."""
        position = self._context.books.position
        if position is None or is_younger(position, command.t_ms):
            return
        if position.is_external and command.purpose is not Purpose.OPERATOR:
            return  # opened by hand: the one who opened it decides
        if not self.is_under_way:
            self._unfinished = None
            orders = self._context.books.orders.values()
            intent = close_intent(
                position,
                decided_ms=command.t_ms,
                purpose=command.purpose,
                reason=command.reason,
                attempt=next_attempt(orders, command.t_ms, command.purpose),
            )
            self._orders.intend(intent)
            self._orders.send(intent)
        elif self._is_reduced_now:
            self._after_reduce = command
        elif not self._context.rounds.is_answered:
            self._context.rounds.begin()

    def go_on_after(self, order: Order) -> None:
        """Close what the end of a close has left open."""
        if not has_left_open(order, self._context.books.position):
            return
        command, filled_qty = _command_of(order), order.state.filled_qty
        if order.state.status is OrderStatus.CANCELED and filled_qty:
            left_qty = order.intent.request.qty - filled_qty
            position = self._context.books.position
            if position is not None and position.qty == left_qty:
                self.close(command)
            else:  # the news of its fills are still on their way
                self._unfinished = command
                self._context.rounds.begin()
            return
        # Perhaps it was refused because the position is gone: what is true is asked first.
        self._unfinished = command
        self._context.rounds.doubt(
            f"{order.client_order_id} has closed nothing: {order.state.status}"
        )
        attempt = order.intent.attempt
        if attempt >= CLOSE_ATTEMPTS:
            self._context.alarms.tell(not_closed(order.intent))
        self._due_ms = self._context.rounds.ask_again(min(attempt, CLOSE_ATTEMPTS) - 1)

    def go_on_after_reduce(self) -> None:
        """Close what a reduce has left, where that was asked for meanwhile."""
        if self._after_reduce is not None and not self._is_reduced_now:
            command, self._after_reduce = self._after_reduce, None
            self.close(command)

    def go_on(self) -> None:
        """Make the next attempt at a close, now that the exchange has said what is open.

        While rounds follow each other quickly, because stops cannot be set, it waits its own time.
        """
        if not self._context.rounds.is_certain and self._context.now_ms < self._due_ms:
            return
        command, self._unfinished = self._unfinished, None
        if command is not None:
            self.close(command)


def _command_of(close: Order) -> ClosePosition:
    """Return the command that a close was sent for."""
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

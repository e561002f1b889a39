"""The operator's partial closes: each is sent once, and goes on only where it was cut short."""

from actors.execution.alarms import not_reduced
from actors.execution.context import ExecutionContext
from actors.execution.orders import Orders
from actors.messages import ReducePosition
from domain.trading.closing import is_close_under_way, is_younger, left_to_reduce, next_attempt
from domain.trading.intents import close_intent
from domain.trading.order import Order
from domain.trading.orders import ExitReason, OrderStatus, Purpose


class Reductions:
    """At most one is under way, and none beside a close: what is closed needs no reduce."""

    def __init__(self, context: ExecutionContext, orders: Orders) -> None:
        """Begin with nothing asked for; the portfolio tells again what is not done."""
        self._context = context
        self._orders = orders
        self._waiting: ReducePosition | None = None
        """Asked for while nobody knew what was open, or during another one."""

    def reduce(self, command: ReducePosition) -> None:
        """Do it as soon as the exchange has said what is open, and nothing is under way."""
        self._waiting = command
        if not self._context.rounds.is_certain:
            self._context.rounds.begin()
        self.go_on()

    def go_on(self) -> None:
        """Do what has waited, where it need not wait any longer."""
        if self._waiting is not None and self._context.rounds.is_certain and not self._is_closing:
            command, self._waiting = self._waiting, None
            self._send_left(command)

    def _send_left(self, command: ReducePosition) -> None:
        position = self._context.books.position
        left = left_to_reduce(command.qty, self._sent(command.t_ms))
        if position is None or is_younger(position, command.t_ms) or not left:
            return
        intent = close_intent(
            position,
            decided_ms=command.t_ms,
            purpose=Purpose.REDUCE,
            reason=ExitReason.REDUCE,
            attempt=next_attempt(self._context.books.orders.values(), command.t_ms, Purpose.REDUCE),
            qty=left,
        )
        self._orders.intend(intent)
        self._orders.send(intent)

    def go_on_after(self, order: Order) -> None:
        """Send what an order that was cut short has left, or tell that it was refused."""
        t_ms = order.intent.decided_ms
        if not order.state.filled_qty:
            self._context.alarms.tell(not_reduced(order))
        elif order.state.status is not OrderStatus.FILLED and self._waiting is None:
            whole = self._sent(t_ms)[0].intent.request
            self.reduce(ReducePosition(asset=whole.asset, t_ms=t_ms, qty=whole.qty))

    @property
    def _is_closing(self) -> bool:
        return is_close_under_way(self._context.books.orders.values())

    def _sent(self, t_ms: int) -> list[Order]:
        return [
            order
            for order in self._context.books.orders.values()
            if order.intent.purpose is Purpose.REDUCE and order.intent.decided_ms == t_ms
        ]

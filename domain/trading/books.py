"""The books of one asset: its orders and executions, and the position that results."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from domain.trading.order import Order
from domain.trading.orders import OrderUpdate, is_our_id
from domain.trading.positions import ZERO, Execution, ExecutionKind, Position, Trade, book

LOOK_BACK_MS = 86_400_000
"""How much earlier than the newest known execution an unknown one may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """One execution and its effect on the books."""

    execution: Execution
    """The execution, completed from our intent."""
    facts: tuple[Execution | Trade | OrderUpdate, ...]
    """To be stored together; the execution is the first."""
    before: Position | None
    after: Position | None
    trade: Trade | None
    order: Order | None
    """Its order after it; None: the venue acted by itself."""

    @property
    def has_grown(self) -> bool:
        return self.after is not None and (self.before is None or self.before.qty < self.after.qty)


class Books:
    """The fold of one asset's orders and executions."""

    def __init__(
        self, orders: Iterable[Order], executions: Iterable[Execution], known_ms: int
    ) -> None:
        """Fold what is stored.

        Args:
            orders: of the asset, oldest first.
            executions: of the asset, in the order in which they were booked.
            known_ms: until when all executions are known, if none is stored.
        """
        self.orders = {order.client_order_id: order for order in orders}
        """Orders by id, oldest first."""
        self.position: Position | None = None
        self._booked: set[str] = set()
        self.newest_lost: Execution | None = None
        """The newest execution of one of our orders that is not stored."""
        self._executed_qty: dict[str, Decimal] = {}
        """Booked quantity by order."""
        self._newest_ms = known_ms
        """Up to when executions are known, except late ones."""
        for execution in executions:
            self._remember(execution)
            self.position = book(self.position, execution).position

    def has_booked(self, exec_id: str) -> bool:
        """Tell whether an execution was booked already."""
        return exec_id in self._booked

    def order_of(self, execution: Execution) -> Order | None:
        """Return our order that an execution filled; None: the venue acted by itself."""
        return self.orders.get(execution.client_order_id or "")

    def under_way(self) -> list[Order]:
        """Return the orders that can still change something, oldest first."""
        return [order for order in self.orders.values() if order.is_under_way]

    def lacks_executions(self, order: Order) -> bool:
        """Tell whether an order has filled more than was booked."""
        executed_qty = self._executed_qty.get(order.client_order_id, ZERO)
        return order.state.filled_qty > executed_qty

    def unexplained(self) -> list[Order]:
        """Return the orders that have filled more than was booked, oldest first."""
        return [order for order in self.orders.values() if self.lacks_executions(order)]

    def can_follow(self, execution: Execution) -> bool:
        """Tell whether an execution can be booked next: one that only reduces needs a position.

        If not, an earlier one is not booked yet.
        """
        order = self.order_of(execution)
        only_reduces = (
            execution.reason is not None if order is None else order.intent.request.reduce_only
        )
        if execution.kind is ExecutionKind.FUNDING or not only_reduces:
            return True
        position = self.position
        return (
            position is not None
            and execution.side is position.side.opposite
            and execution.qty <= position.qty
        )

    def since_ms(self, now_ms: int) -> int:
        """Return from when on executions may be unknown; late ones are found twice, not lost."""
        open_ms = [order.intent.decided_ms for order in (*self.under_way(), *self.unexplained())]
        return min(self._newest_ms, now_ms, *open_ms) - LOOK_BACK_MS

    def note_heard(self, through_ms: int) -> None:
        """Record that the exchange has listed all executions up to a time."""
        self._newest_ms = max(self._newest_ms, through_ms)

    def posting(self, execution: Execution) -> Posting:
        """Return what an execution would do, without doing it."""
        order = self.order_of(execution)
        if order is not None:
            execution = order.explain(execution)
        booked = book(self.position, execution)
        facts: list[Execution | Trade | OrderUpdate] = [execution]
        if booked.trade is not None:
            facts.append(booked.trade)
        if order is not None:
            # The order's update may get lost, or arrive later.
            executed_qty = self._executed_qty.get(order.client_order_id, ZERO)
            filled = order.filled_by(execution, executed_qty)
            facts.append(filled)
            order = order.apply(filled)
        return Posting(
            execution=execution,
            facts=tuple(facts),
            before=self.position,
            after=booked.position,
            trade=booked.trade,
            order=order,
        )

    def post(self, posting: Posting) -> None:
        """Apply a posting, once its facts are stored."""
        self._remember(posting.execution)
        self.position = posting.after
        if posting.order is not None:
            self.orders[posting.order.client_order_id] = posting.order

    def lacks_order(self, execution: Execution) -> bool:
        """Tell whether an execution belongs to one of our orders that is not stored."""
        return self.order_of(execution) is None and is_our_id(
            execution.asset, execution.client_order_id
        )

    def _remember(self, execution: Execution) -> None:
        if self.lacks_order(execution):
            self.newest_lost = execution
        self._booked.add(execution.exec_id)
        self._newest_ms = execution.ts_ms
        order_id = execution.client_order_id
        if order_id is not None:
            executed_qty = self._executed_qty.get(order_id, ZERO)
            self._executed_qty[order_id] = executed_qty + execution.qty

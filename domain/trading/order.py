"""An order: its intent and its state."""

from dataclasses import dataclass, replace
from decimal import Decimal

from domain.trading.orders import INTENDED, Intent, OrderState, OrderStatus, OrderUpdate
from domain.trading.positions import Execution


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An intent and the state of its order."""

    intent: Intent
    state: OrderState = INTENDED
    origin: tuple[int, int] | None = None
    """Trace id and message id of its cause."""

    @property
    def client_order_id(self) -> str:
        """Our own id of the order."""
        return self.intent.request.client_order_id

    @property
    def is_under_way(self) -> bool:
        """Tell whether the order may still change something."""
        return not self.state.is_terminal

    def apply(self, update: OrderUpdate) -> "Order":
        """Return the order after one more update."""
        return replace(self, state=self.state.apply(update))

    def explain(self, execution: Execution) -> Execution:
        """Return one of its executions, completed from the intent."""
        return replace(
            execution,
            decided_ms=self.intent.decided_ms,
            reason=self.intent.reason,
            signal_ms=self.intent.signal_ms,
            terms=self.intent.terms,
        )

    def filled_by(self, execution: Execution, executed_qty: Decimal) -> OrderUpdate:
        """Return the order's update that one more execution implies.

        Args:
            execution: the newest.
            executed_qty: of those before it. The newest update may include this one already.
        """
        filled_qty = executed_qty + execution.qty
        is_whole = filled_qty >= self.intent.request.qty
        return OrderUpdate(
            client_order_id=self.client_order_id,
            status=OrderStatus.FILLED if is_whole else OrderStatus.PARTIALLY_FILLED,
            filled_qty=filled_qty,
            ts_ms=execution.ts_ms,
        )

"""The facts: what is stored, once and for ever. All else is derived from them.

Facts have one sequence over all kinds; a fact's number in it is its `fact_id`.
"""

from dataclasses import dataclass, replace
from decimal import Decimal

from domain.market.instruments import Candle
from domain.operator.commands import OperatorCommand, SettingsChanged
from domain.portfolio.protection import ProtectionState
from domain.trading.decisions import Decision, Denial
from domain.trading.orders import INTENDED, Intent, OrderState, OrderStatus, OrderUpdate
from domain.trading.positions import Execution, Trade
from domain.trading.transfers import Transfer


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedCandle:
    """The first accepted version of a closed candle."""

    asset: str
    candle: Candle


Fact = (
    ClosedCandle
    | Decision
    | Denial
    | Intent
    | OrderUpdate
    | Execution
    | Trade
    | ProtectionState
    | Transfer
    | OperatorCommand
    | SettingsChanged
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredExecution:
    """An execution with its number."""

    fact_id: int
    execution: Execution


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFact:
    """A fact that waits to be stored."""

    batch: int
    """Number of the batch with which it is stored, all or none."""
    fact: Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChange:
    """Two equity samples in a row between which the protection changed."""

    before: ProtectionState
    after: ProtectionState


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredNews:
    """A fact that people hear of, with its number."""

    fact_id: int
    fact: Execution | Trade | OrderUpdate | Decision | StateChange | SettingsChanged


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An intent and what became of it."""

    intent: Intent
    state: OrderState = INTENDED
    origin: tuple[int, int] | None = None
    """Trace id and message id of the message that caused it."""

    @property
    def client_order_id(self) -> str:
        """Our own id of the order."""
        return self.intent.request.client_order_id

    @property
    def is_under_way(self) -> bool:
        """Tell whether the order can still change something."""
        return not self.state.is_terminal

    def apply(self, update: OrderUpdate) -> "Order":
        """Return the order after one more piece of news."""
        return replace(self, state=self.state.apply(update))

    def explain(self, execution: Execution) -> Execution:
        """Return one of its executions with what the intent knows of it."""
        return replace(
            execution,
            decided_ms=self.intent.decided_ms,
            reason=self.intent.reason,
            signal_ms=self.intent.signal_ms,
        )

    def filled_by(self, execution: Execution, executed_qty: Decimal) -> OrderUpdate:
        """Return what one more execution says of the order.

        Args:
            execution: the newest.
            executed_qty: of those before it. News of the order may know of this one already.
        """
        filled_qty = executed_qty + execution.qty
        is_whole = filled_qty >= self.intent.request.qty
        return OrderUpdate(
            client_order_id=self.client_order_id,
            status=OrderStatus.FILLED if is_whole else OrderStatus.PARTIALLY_FILLED,
            filled_qty=filled_qty,
            ts_ms=execution.ts_ms,
        )

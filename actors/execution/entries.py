"""Approvals that become an entry, or provably none."""

from actors.execution.context import ExecutionContext
from actors.execution.orders import Orders
from domain.errors import JournalError, StaleApprovalError
from domain.trading.decisions import Approval
from domain.trading.intents import entry_intent
from domain.trading.order import Order
from domain.trading.orders import Intent


class Entries:
    """Uses each approval at most once."""

    def __init__(self, context: ExecutionContext, orders: Orders) -> None:
        """Take over the asset's entries."""
        self._context = context
        self._orders = orders

    def open(self, approval: Approval) -> None:
        """Use an approval; if repeated, repeat the outcome."""
        order = self._context.books.orders.get(approval.client_order_id)
        if order is not None:
            self._orders.tell_submitted(order)
            self._orders.repeat_answer(order)
            return
        intent = entry_intent(approval, self._context.rules)
        refused = self._why_not_open(approval)
        if refused is not None:
            self._orders.void(intent, refused)
            return
        try:
            self._orders.intend(intent)
        except (StaleApprovalError, JournalError) as error:
            self._orders.void(intent, str(error))
            return
        self._orders.send(intent)

    def resolve(self, approval: Approval) -> None:
        """Report the outcome of an approval, or void it."""
        order = self._context.books.orders.get(approval.client_order_id)
        if order is None:
            intent = entry_intent(approval, self._context.rules)
            self._orders.void(intent, "the approval was never used")
        elif order.is_under_way:
            self._context.agenda.begin()
        else:
            self._orders.repeat_answer(order)

    def send_again(self, order: Order) -> None:
        """Resend an entry that provably never arrived, while it may still be sent."""
        why_not = self._why_not_send(order.intent)
        if why_not is None:
            self._orders.send(order.intent)
        else:
            self._orders.give_up(order, why_not)

    def _why_not_open(self, approval: Approval) -> str | None:
        if self._context.books.position is not None:
            return "a position is open"
        if self._context.books.under_way():
            return "an order is in flight"
        if not self._context.agenda.is_certain:
            return "the exchange's state is not known yet"
        return self._context.backlog.shortage() or self._why_too_old(approval.t_ms)

    def _why_not_send(self, intent: Intent) -> str | None:
        newest, approved = self._context.journal.newest_epoch(), intent.protection_epoch or 0
        if newest > approved:
            return f"it was approved in protection epoch {approved}, which is now {newest}"
        return self._context.backlog.shortage() or self._why_too_old(intent.decided_ms)

    def _why_too_old(self, decided_ms: int) -> str | None:
        age_ms = self._context.now_ms - decided_ms
        limit_ms = self._context.rules.candles.entry_max_age_ms
        return (
            f"the approval is {age_ms} ms old, limit {limit_ms} ms" if age_ms > limit_ms else None
        )

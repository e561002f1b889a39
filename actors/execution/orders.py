"""The life of an order: its intent on disk, its submission, its executions, its end.

The state of an order after each event; "-" if that adds nothing to what is known:

state             no answer  void  accepted  partly filled     refused   canceled  filled
INTENDED          UNKNOWN    VOID  ACCEPTED  PARTIALLY_FILLED  REJECTED  CANCELED  FILLED
UNKNOWN           -          VOID  ACCEPTED  PARTIALLY_FILLED  REJECTED  CANCELED  FILLED
VOID              -          -     ACCEPTED  PARTIALLY_FILLED  REJECTED  CANCELED  FILLED
ACCEPTED          -          -     -         PARTIALLY_FILLED  REJECTED  CANCELED  FILLED
PARTIALLY_FILLED  -          -     -         -                 REJECTED  CANCELED  FILLED
REJECTED          -          -     -         -                 -         CANCELED  FILLED
CANCELED          -          -     -         -                 -         -         FILLED
FILLED            -          -     -         -                 -         -         -

event             source
no answer         send
void              give_up
accepted          send, hear
partly filled     hear, book
refused           send, hear
canceled          hear
filled            hear, book

An order begins as INTENDED (`intend`), or as VOID if it is never sent (`void`). VOID, REJECTED,
CANCELED and FILLED end it, and its sender continues from there (`Exits.go_on_after`). A close that
the exchange did not process is UNKNOWN until it is resent, an entry REJECTED.
"""

from dataclasses import replace
from functools import partial

from actors.execution.context import ExecutionContext
from actors.messages import (
    EntrySubmitted,
    OrderRejected,
    PositionChanged,
    PositionOpened,
    TradeClosed,
)
from actors.names import NOTIFIER, PORTFOLIO
from domain.errors import (
    AccessDeniedError,
    OrderNotProcessedError,
    OrderRefusedError,
    OutcomeUnknownError,
)
from domain.trading.books import Posting
from domain.trading.order import Order
from domain.trading.orders import INTENDED, Intent, OrderStatus, OrderUpdate, Purpose
from domain.trading.positions import ZERO, Execution

_UNANSWERED = (OrderStatus.INTENDED, OrderStatus.UNKNOWN)
UNREAD_SENDS = 5
"""How often a close that the exchange did not process is resent under its id."""


class Orders:
    """Sends what is stored (see `Backlog` for closes), and stores the outcome."""

    def __init__(self, context: ExecutionContext) -> None:
        """Start with the orders of the books."""
        self._context = context
        self._unread: dict[str, int] = {}
        """How often each close was sent without being processed by the exchange."""

    def intend(self, intent: Intent) -> None:
        """Store what is about to be sent; a close continues even if that is refused.

        Raises:
            StaleApprovalError: a protection has fired since the entry was approved; nothing is
                stored.
            JournalError: an entry cannot be stored.
        """
        if intent.purpose is Purpose.ENTRY:
            self._context.backlog.store_now(intent)
        else:
            self._context.backlog.store(intent, protects=True)
        order = Order(intent=intent, origin=self._context.actor.origin)
        self._context.books.orders[order.client_order_id] = order

    def send(self, intent: Intent) -> Order | None:
        """Send what is stored, once, and store the answer; return the order if that ends it."""
        order_id = intent.request.client_order_id
        try:
            update = self._context.exchange.submit(intent.request, self._context.is_ours)
        except OrderNotProcessedError as error:
            update = self._unread_news(intent, str(error))
        except (OrderRefusedError, AccessDeniedError) as error:
            update = self._news(order_id, OrderStatus.REJECTED, str(error))
        except OutcomeUnknownError as error:
            self._unread.pop(order_id, None)
            update = self._news(order_id, OrderStatus.UNKNOWN, str(error))
            self._context.agenda.doubt(f"{order_id} may or may not have been accepted: {error}")
        else:
            self._unread.pop(order_id, None)
        return self.apply(self._context.books.orders[order_id], update)

    def hear(self, update: OrderUpdate) -> Order | None:
        """Take an update of an order from the exchange; return the order if that ends it."""
        order = self._context.books.orders.get(update.client_order_id)
        if order is None:
            return None
        self._context.go_on_with(order)
        return self.apply(order, update)

    def apply(self, order: Order, update: OrderUpdate) -> Order | None:
        """Store an update that adds to what is known; return the order if that ends it."""
        after = order.apply(update)
        if after.state == order.state:
            return None
        self._context.backlog.store(update)
        self._context.books.orders[order.client_order_id] = after
        if order.state.status in _UNANSWERED:
            self.tell_submitted(after)
        if after.is_under_way:
            return None
        self.repeat_answer(after, update.detail)
        return after

    def book(self, execution: Execution) -> bool:
        """Book a new execution, and tell whether the position has grown."""
        books = self._context.books
        if books.has_booked(execution.exec_id):
            return False
        order = books.order_of(execution)
        if order is not None:
            self._context.go_on_with(order)
        posting = books.posting(execution)
        self._context.backlog.store(*posting.facts, on_stored=partial(self._tell, posting))
        books.post(posting)
        return posting.has_grown

    def _tell(self, posting: Posting, fact_ids: list[int]) -> None:
        changed = PositionChanged(fact_id=fact_ids[0], execution=posting.execution)
        self._context.tell_deciders(changed)
        if posting.trade is not None:
            self._context.actor.tell(NOTIFIER, TradeClosed(trade=posting.trade))
        if posting.after is not None and posting.has_grown:
            opened = PositionOpened(
                position=posting.after, client_order_id=posting.execution.client_order_id
            )
            self._context.actor.tell(NOTIFIER, opened)

    def tell_submitted(self, order: Order) -> None:
        """Tell the portfolio that an entry is no longer in transit to the exchange."""
        if order.intent.purpose is Purpose.ENTRY and order.state.status not in _UNANSWERED:
            submitted = EntrySubmitted(
                asset=self._context.asset, client_order_id=order.client_order_id
            )
            self._context.actor.tell(PORTFOLIO, submitted)

    def was_not_read(self, order: Order) -> bool:
        """Tell whether the exchange did not process an order, so that it may be resent as it is."""
        return 0 < self._unread.get(order.client_order_id, 0) <= UNREAD_SENDS

    def give_up(self, order: Order, why: str) -> None:
        """End an order that provably never arrived, and will not be resent."""
        self.apply(order, self._news(order.client_order_id, OrderStatus.VOID, why))

    def void(self, intent: Intent, why: str) -> None:
        """Store an entry as never sent."""
        order_id = intent.request.client_order_id
        voided = self._news(order_id, OrderStatus.VOID, why)
        # An entry that is never sent needs no permission: the newest epoch lets it be stored.
        self._context.backlog.store(replace(intent, protection_epoch=None), voided)
        order = Order(
            intent=intent, state=INTENDED.apply(voided), origin=self._context.actor.origin
        )
        self._context.books.orders[order_id] = order
        self.repeat_answer(order, why)

    def repeat_answer(self, order: Order, detail: str = "") -> None:
        """Report that an order ended without a fill; fills are reported as facts."""
        if order.is_under_way or order.state.filled_qty:
            return
        rejected = OrderRejected(
            asset=self._context.asset,
            client_order_id=order.client_order_id,
            purpose=order.intent.purpose,
            detail=detail or order.state.status,
        )
        self._context.tell_deciders(rejected)

    def _unread_news(self, intent: Intent, why: str) -> OrderUpdate:
        """Return the update for an order that the exchange did not process.

        A close is resent as it is, a few times; the grounds of an entry may no longer apply.
        """
        order_id = intent.request.client_order_id
        self._unread[order_id] = self._unread.get(order_id, 0) + 1
        if intent.purpose is Purpose.ENTRY or self._unread[order_id] > UNREAD_SENDS:
            return self._news(order_id, OrderStatus.REJECTED, why)
        self._context.agenda.doubt(f"{order_id} was not processed, and is sent again: {why}")
        return self._news(order_id, OrderStatus.UNKNOWN, why)

    def _news(self, order_id: str, status: OrderStatus, detail: str) -> OrderUpdate:
        return OrderUpdate(
            client_order_id=order_id,
            status=status,
            filled_qty=ZERO,
            ts_ms=self._context.now_ms,
            detail=detail,
        )

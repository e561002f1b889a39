"""The queries to the exchange, and what follows from its answers."""

from collections import Counter

from loguru import logger

from actors.execution.agenda import Ask, Begin, LookUp, Question, SetStops
from actors.execution.alarms import foreign_order
from actors.execution.context import ExecutionContext
from actors.execution.entries import Entries
from actors.execution.exits import Exits
from actors.execution.orders import Orders
from actors.execution.reconciliation.comparison import Comparison
from actors.execution.reconciliation.flattening import Flattening
from actors.execution.reconciliation.reorder_buffer import ReorderBuffer
from actors.execution.stops.stops import Stops
from actors.messages import JournalOutdated
from actors.names import NOTIFIER, PORTFOLIO
from domain.errors import OrderRefusedError, OutcomeUnknownError
from domain.trading.orders import ExitReason, Purpose, RestingOrder, is_our_id
from domain.trading.positions import Execution, ExecutionKind, VenuePosition
from domain.trading.recovery import recognized

_UNEXPLAINED = (None, ExitReason.EXTERNAL)
ORDERS_EVERY = 10
"""Number of routine rounds per query of resting orders."""
MOST_MISSES = 60
"""Rounds to wait for an order's executions before the exchange's position must suffice."""


class Reconciler:
    """One method per query."""

    def __init__(
        self,
        context: ExecutionContext,
        *,
        orders: Orders,
        entries: Entries,
        exits: Exits,
        stops: Stops,
        comparison: Comparison,
        flattening: Flattening,
    ) -> None:
        """Start without reported foreign orders."""
        self._context = context
        self._orders = orders
        self._entries = entries
        self._exits = exits
        self._stops = stops
        self._comparison = comparison
        self._flattening = flattening
        self._foreign: set[str] = set()
        """Foreign orders already reported."""
        self._arrivals = ReorderBuffer()
        self._missed: Counter[str] = Counter()
        """How often the executions of a filled order could not be read yet."""

    def put(self, question: Question) -> None:
        """Send a query, and process its answer.

        Raises:
            UnavailableError, AccessDeniedError, BadDataError: it has to be repeated.
        """
        match question:
            case Begin():
                self._begin(question)
            case Ask.STOPS:
                self._ask_stops()
            case Ask.EXECUTIONS:
                self._ask_executions()
            case Ask.LISTED:
                self._book_unseen()
            case LookUp(client_order_id=order_id):
                self._look_up(order_id)
            case Ask.RESTING:
                self._ask_resting()
            case Ask.POSITION:
                self._ask_position()
            case Ask.MOVE_STOP:
                self._stops.move()
            case SetStops(levels=levels):
                self._stops.set_newest(levels)

    def _begin(self, begun: Begin) -> None:
        """Plan a round: executions, resting orders, position; then send its first query."""
        for execution in self._arrivals.overdue():
            self.book(execution)
        is_listed = begun.number % ORDERS_EVERY == 0
        questions: list[Question] = []
        if self._context.books.position is not None and not begun.is_routine:
            questions.append(Ask.STOPS)  # a missing stop cannot wait
        questions.append(Ask.EXECUTIONS)
        if self._flattening.is_wanted or not begun.is_routine or is_listed:
            questions.append(Ask.RESTING)
        first, *others = [*self._context.agenda.take_all(), *questions, Ask.POSITION]
        self._context.agenda.ask_first(*others)
        self.put(first)

    def hear(self, execution: Execution) -> None:
        """Book a pushed execution, or query the exchange if it names no order.

        Booked without its order, one of ours would count as someone else's forever.
        """
        books = self._context.books
        if books.has_booked(execution.exec_id):
            return
        execution = self._recognized(execution)
        is_explained = books.can_follow(execution) and (
            execution.reason not in _UNEXPLAINED
            or execution.kind is ExecutionKind.FUNDING
            or books.order_of(execution) is not None
        )
        if self._arrivals.take(execution, is_explained=is_explained):
            self.book(execution)
        else:
            self._context.agenda.begin()

    def book(self, execution: Execution) -> None:
        """Book an execution, and check the stops of what it has opened."""
        is_lost = self._context.books.lacks_order(execution)
        if self._orders.book(self._recognized(execution)):
            self._context.agenda.ask(Ask.STOPS)
        if is_lost:
            self.tell_lost()

    def tell_lost(self) -> None:
        """Tell the portfolio about the newest of our orders that the journal lacks."""
        lost = self._context.books.newest_lost
        if lost is not None and lost.client_order_id is not None:
            outdated = JournalOutdated(
                asset=self._context.asset, client_order_id=lost.client_order_id, ts_ms=lost.ts_ms
            )
            self._context.actor.tell(PORTFOLIO, outdated)

    def _recognized(self, execution: Execution) -> Execution:
        stops = self._context.rules.asset(self._context.asset).stops
        found = recognized(execution, self._context.books, max_hold_ms=stops.max_hold_ms)
        return self._stops.named(found)

    def _ask_stops(self) -> None:
        venue_position = self._context.exchange.venue_position(self._context.asset)
        self._stops.protect(venue_position, is_explained=not self._comparison.has_stayed)

    def _ask_executions(self) -> None:
        """Book missed executions, then look up each order that they do not complete."""
        self._book_unseen()
        under_way = self._context.books.under_way()
        self._context.agenda.ask_first(*(LookUp(order.client_order_id) for order in under_way))

    def _book_unseen(self) -> None:
        """Book what the exchange lists, and doubt a list that lacks a known fill."""
        context = self._context
        listed = context.exchange.executions(context.asset, context.books.since_ms(context.now_ms))
        for execution in self._arrivals.merge(listed):
            self.book(execution)
        if self._arrivals.are_waiting:
            context.agenda.doubt("an execution was reported that is not listed yet")
        # Otherwise an asset idle for weeks would query all of them each time.
        context.books.note_heard(context.now_ms)
        for order in context.books.unexplained():
            order_id = order.client_order_id
            self._missed[order_id] += 1
            # A list may lag; one that never shows the fill must not block the asset forever.
            if self._missed[order_id] <= MOST_MISSES:
                context.agenda.doubt(f"{order_id} has filled, its executions are not listed yet")

    def _look_up(self, order_id: str) -> None:
        order = self._context.books.orders[order_id]
        if not order.is_under_way:
            return
        if self._orders.was_not_read(order):
            self._exits.go_on_after(self._orders.send(order.intent))
            return
        update = self._context.exchange.order(self._context.asset, order_id)
        if update is not None:
            self._exits.go_on_after(self._orders.apply(order, update))
            if self._context.books.lacks_executions(self._context.books.orders[order_id]):
                self._context.agenda.ask_first(Ask.LISTED)
        elif order.intent.purpose is Purpose.ENTRY:
            self._entries.send_again(order)
        else:
            self._exits.go_on_after(self._orders.send(order.intent))

    def _ask_resting(self) -> None:
        """Cancel resting orders with our ids that should not be there; leave others alone.

        In a panic all are canceled: a resting order could open a position after it.
        """
        found = self._context.exchange.open_orders(self._context.asset)
        self._flattening.count_resting(len(found))
        for resting in found:
            order_id = resting.client_order_id
            if self._flattening.is_wanted:
                self._cancel(resting)
                continue
            if order_id is None or not is_our_id(self._context.asset, order_id):
                self._tell_foreign(resting)
                continue
            order = self._context.books.orders.get(order_id)
            if order is None or not order.is_under_way:
                self._cancel(resting)

    def _cancel(self, resting: RestingOrder) -> None:
        order_id = resting.client_order_id or resting.venue_order_id
        name, asset = self._context.actor.name, self._context.asset
        logger.bind(actor=name, asset=asset).warning(
            "{}: {} is open at the exchange but should not be: it is canceled", name, order_id
        )
        try:
            self._context.exchange.cancel(asset, resting, self._context.is_ours)
        except (OrderRefusedError, OutcomeUnknownError) as error:
            self._context.agenda.doubt(f"{order_id} could not be canceled: {error}")

    def _tell_foreign(self, resting: RestingOrder) -> None:
        if resting.venue_order_id not in self._foreign:
            self._foreign.add(resting.venue_order_id)
            self._context.actor.tell(NOTIFIER, foreign_order(self._context.asset, resting))

    def _ask_position(self) -> None:
        venue_position = self._context.exchange.venue_position(self._context.asset)
        self._comparison.compare(venue_position)
        if self._comparison.is_frozen:
            self._take_over(venue_position)
        self._stops.protect(venue_position, is_explained=not self._comparison.has_stayed)

    def _take_over(self, venue_position: VenuePosition) -> None:
        """In a panic, book an unexplained position of the exchange, so that it is closed."""
        taken = self._flattening.takes_over(
            self._comparison.missing(venue_position), venue_position
        )
        if taken is not None:
            logger.bind(actor=self._context.actor.name, asset=self._context.asset).warning(
                "the exchange's quantity is taken over: {} {:f}", taken.side, taken.qty
            )
            self.book(taken)
            self._context.agenda.ask_again()

"""Executions: stored once, then told to everyone whom they concern."""

from functools import partial

from actors.execution.context import ExecutionContext
from actors.messages import PositionChanged, PositionOpened, TradeClosed
from actors.names import NOTIFIER
from domain.trading.books import Posting
from domain.trading.positions import Execution


class Booking:
    """Books what the exchange reports, however often it does."""

    def __init__(self, context: ExecutionContext) -> None:
        """Take over the asset's executions."""
        self._context = context

    def take(self, execution: Execution) -> bool:
        """Book an execution that is new, and tell whether more is open than before."""
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

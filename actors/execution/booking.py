"""Executions: stored once, then told to everyone whom they concern."""

from actors.execution.desk import Desk
from actors.messages import PositionChanged, PositionOpened, TradeClosed
from actors.names import NOTIFIER
from domain.trading.books import Posting
from domain.trading.positions import Execution


class Booking:
    """Books what the exchange reports, however often it does."""

    def __init__(self, desk: Desk) -> None:
        """Take over the asset's executions."""
        self._desk = desk

    def take(self, execution: Execution) -> bool:
        """Book an execution that is new, and tell whether more is open than before."""
        books = self._desk.books
        if books.has_booked(execution.exec_id):
            return False
        order = books.order_of(execution)
        if order is not None:
            self._desk.go_on_with(order)
        posting = books.posting(execution)
        fact_id = self._desk.journal.append(*posting.facts)[0]
        books.post(posting)
        self._desk.tell_deciders(PositionChanged(fact_id=fact_id, execution=posting.execution))
        self._tell_people(posting)
        return posting.has_grown

    def _tell_people(self, posting: Posting) -> None:
        if posting.trade is not None:
            self._desk.actor.tell(NOTIFIER, TradeClosed(trade=posting.trade))
        if posting.after is not None and posting.has_grown:
            opened = PositionOpened(
                position=posting.after, client_order_id=posting.execution.client_order_id
            )
            self._desk.actor.tell(NOTIFIER, opened)

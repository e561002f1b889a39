"""Grants on their way: reserved until they fill, fail, or are asked about."""

from actors.messages import EntryGranted, OrderRejected, ReservationExpired, ResolveEntry
from actors.names import asset_name, execution_name
from actors.portfolio.desk import Desk
from domain.portfolio.grants import is_on_its_way
from domain.trading.decisions import Grant


class Reservations:
    """What the books have reserved, and until when nobody asks what became of it."""

    def __init__(self, desk: Desk) -> None:
        """Speak for the books of a desk."""
        self._desk = desk

    def recover(self, asset: str, executed: set[str | None]) -> None:
        """Reserve what was granted and has neither filled nor failed, and tell it again."""
        grant = self._desk.journal.newest_grant(asset)
        if grant is None or grant.client_order_id in executed:
            return
        if is_on_its_way(grant, self._desk.journal.orders(asset)):
            self._desk.books.reserved[asset] = grant
            self.expect(grant)
            self.tell_again(asset)

    def expect(self, grant: Grant) -> None:
        """Ask what became of a grant, once it should have filled."""
        due_ms = grant.t_ms + self._desk.rules.grant.reservation_ms
        self._desk.timers.remind(grant.asset, due_ms, ReservationExpired(grant=grant))

    def expire(self, grant: Grant) -> None:
        """Ask the execution what became of a grant that neither filled nor failed."""
        if self._desk.books.reserved.get(grant.asset) == grant:
            self._ask(grant)

    def resolve(self, asset: str) -> None:
        """Ask at once, because nobody may ever act on the grant."""
        grant = self._desk.books.reserved.get(asset)
        if grant is not None:
            self._ask(grant)

    def reject(self, message: OrderRejected) -> None:
        """Free what will never fill."""
        grant = self._desk.books.reserved.get(message.asset)
        if grant is not None and grant.client_order_id == message.client_order_id:
            self._desk.books.release(grant)

    def tell_again(self, asset: str) -> None:
        """Tell an asset what it was granted and has not done yet."""
        grant = self._desk.books.reserved.get(asset)
        if grant is not None:
            self._desk.tell(asset_name(asset), EntryGranted(grant=grant))

    def _ask(self, grant: Grant) -> None:
        self._desk.tell(execution_name(grant.asset), ResolveEntry(grant=grant))

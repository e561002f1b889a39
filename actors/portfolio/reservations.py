"""Approvals in progress: reserved until they fill, fail, or are looked up."""

from actors.messages import OrderRejected, ReservationExpired, ResolveEntry
from actors.names import execution_name
from actors.portfolio.context import PortfolioContext
from actors.portfolio.submissions import Submissions
from domain.portfolio.approvals import is_on_its_way
from domain.trading.decisions import Approval
from domain.trading.orders import Purpose


class Reservations:
    """What the books have reserved, and when its outcome is to be looked up."""

    def __init__(self, context: PortfolioContext, submissions: Submissions) -> None:
        """Manage the reservations of a portfolio context."""
        self._context = context
        self._submissions = submissions

    def recover(self, asset: str, executed: set[str | None]) -> None:
        """Reserve what was approved and has not failed; folding its fill releases it.

        There may be a fill that no close has counted yet.
        """
        approval = self._context.journal.newest_approval(asset)
        if approval is None:
            return
        is_filled = approval.client_order_id in executed
        if is_filled or is_on_its_way(approval, self._context.journal.orders(asset)):
            self._context.books.reserved[asset] = approval
            self.expect(approval)

    def expect(self, approval: Approval) -> None:
        """Look up an approval once it should have filled."""
        due_ms = approval.t_ms + self._context.rules.approval.reservation_ms
        self._context.timers.remind(approval.asset, due_ms, ReservationExpired(approval=approval))

    def expire(self, approval: Approval) -> None:
        """Ask the execution for the outcome of an approval that neither filled nor failed."""
        reserved = self._context.books.reserved.get(approval.asset)
        if reserved is not None and reserved.client_order_id == approval.client_order_id:
            self._ask(approval)

    def resolve(self, asset: str) -> None:
        """Ask at once, because the approval may never be used."""
        approval = self._context.books.reserved.get(asset)
        if approval is not None:
            self._ask(approval)

    def reject(self, message: OrderRejected) -> None:
        """Release what will never fill."""
        approval = self._context.books.reserved.get(message.asset)
        if approval is not None and approval.client_order_id == message.client_order_id:
            self._context.books.release(approval)
        if message.purpose is Purpose.ENTRY:
            self._submissions.free(message.asset)

    def tell_again(self, asset: str) -> None:
        """Resend an asset's approval that it has not used yet."""
        approval = self._context.books.reserved.get(asset)
        if approval is not None:
            self._submissions.tell_again(approval)

    def _ask(self, approval: Approval) -> None:
        self._context.tell(execution_name(approval.asset), ResolveEntry(approval=approval))

"""Approvals in transit to the exchange: at most so many at once, the others in rank order."""

from collections import deque
from collections.abc import Iterable

from actors.messages import EntryApproved
from actors.names import asset_name
from actors.portfolio.context import PortfolioContext
from domain.trading.decisions import Approval


class Submissions:
    """Sends each approval once a slot is free (multi-pair 6.5).

    A slot is taken until the exchange has answered the order, or the order provably does not exist;
    a crash of the asset or of its execution frees it. An approval that waits too long is sent all
    the same, and the execution refuses it as too old.
    """

    def __init__(self, context: PortfolioContext) -> None:
        """Start with all slots free."""
        self._context = context
        self._waiting: deque[Approval] = deque()
        self._sending: set[str] = set()
        """Assets whose approval was sent, and whose order has no answer yet."""

    def add(self, approvals: Iterable[Approval]) -> None:
        """Queue approvals after waiting ones, in order."""
        self._waiting.extend(approvals)
        self._go_on()

    def tell_again(self, approval: Approval) -> None:
        """Resend an approval; a waiting one is sent in its turn."""
        if approval not in self._waiting:
            self._tell(approval)

    def free(self, asset: str) -> None:
        """Free an asset's slot."""
        self._sending.discard(asset)
        self._go_on()

    def _go_on(self) -> None:
        limit = self._context.rules.approval.max_concurrent_submissions
        self._sending &= self._context.books.reserved.keys()
        while self._waiting and len(self._sending) < limit:
            approval = self._waiting.popleft()
            if self._context.books.reserved.get(approval.asset) == approval:
                self._sending.add(approval.asset)
                self._tell(approval)

    def _tell(self, approval: Approval) -> None:
        self._context.tell(asset_name(approval.asset), EntryApproved(approval=approval))

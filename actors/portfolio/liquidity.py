"""Order books, checked before an entry is approved."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from actors.portfolio.context import PortfolioContext
from actors.ports import Feed
from domain.errors import BadDataError, UnavailableError
from domain.portfolio.liquidity import judges_liquidity, too_thin, unknown_book
from domain.trading.decisions import Approval, Decision, Denial


class Liquidity:
    """Whether the market is deep enough for what a decision approves."""

    def __init__(self, context: PortfolioContext, feed: Feed) -> None:
        self._context = context
        self._feed = feed

    def judge(self, decision: Decision) -> Decision:
        """Return a decision without entries for which the market is too thin."""
        if not judges_liquidity(self._context.rules.approval) or not decision.approvals:
            return decision
        found = list(self._thin(decision.approvals))
        denied = {denial.asset for denial in found}
        for approval in decision.approvals:
            if approval.asset in denied:
                self._context.books.release(approval)
        approvals = tuple(a for a in decision.approvals if a.asset not in denied)
        return replace(decision, approvals=approvals, denials=(*decision.denials, *found))

    def _thin(self, approvals: Sequence[Approval]) -> Iterator[Denial]:
        is_answered = True
        for approval in approvals:
            try:
                # After one unanswered query the portfolio waits for no others.
                book = self._feed.order_book(approval.asset) if is_answered else None
            except (BadDataError, UnavailableError):
                is_answered, book = False, None
            if not is_answered:
                yield unknown_book(approval)
            elif book is not None:
                denial = too_thin(approval, book, self._context.rules.approval)
                if denial is not None:
                    yield denial

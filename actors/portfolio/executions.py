"""Executions, each processed once: from a message, or from the journal."""

from collections.abc import Sequence

from actors.portfolio.context import PortfolioContext
from actors.portfolio.watching import Watching
from domain.facts import StoredExecution


class Executions:
    """Tracks up to which fact each asset's executions were processed."""

    def __init__(self, context: PortfolioContext, watching: Watching) -> None:
        """Start with no executions."""
        self._context = context
        self._watching = watching
        self._applied_through = dict.fromkeys((*context.assets, *context.rules.former), 0)

    def hear(self, stored: Sequence[StoredExecution]) -> None:
        """Apply to the books what they do not have yet."""
        for fact in stored:
            asset = fact.execution.asset
            # No asset has left with an open position: executions of others do not concern us.
            if fact.fact_id > self._applied_through.get(asset, fact.fact_id):
                self._applied_through[asset] = fact.fact_id
                self._context.books.hear(fact.execution)
                self._watching.note_move()

    def catch_up(self, asset: str) -> None:
        """Process what was stored but not announced."""
        self.hear(self._context.journal.executions(asset, self._applied_through[asset]))

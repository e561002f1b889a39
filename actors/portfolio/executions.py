"""Executions, each heard once: by message, or from the journal."""

from collections.abc import Sequence

from actors.portfolio.context import PortfolioContext
from actors.portfolio.watching import Watching
from domain.facts import StoredExecution


class Executions:
    """Up to which fact each asset's executions were heard."""

    def __init__(self, context: PortfolioContext, watching: Watching) -> None:
        """Have heard nothing."""
        self._context = context
        self._watching = watching
        self._applied_through = dict.fromkeys((*context.assets, *context.rules.former), 0)

    def hear(self, stored: Sequence[StoredExecution]) -> None:
        """Let the books hear what they have not heard yet."""
        for fact in stored:
            asset = fact.execution.asset
            # Nobody has left with something open: what is heard of others is no business of ours.
            if fact.fact_id > self._applied_through.get(asset, fact.fact_id):
                self._applied_through[asset] = fact.fact_id
                self._context.books.hear(fact.execution)
                self._watching.note_move()

    def catch_up(self, asset: str) -> None:
        """Hear what was stored without being told."""
        self.hear(self._context.journal.executions(asset, self._applied_through[asset]))

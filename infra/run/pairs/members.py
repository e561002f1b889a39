"""The running actors, as those see them who let a pair join or leave."""

from concurrent.futures import Future
from typing import Any, Protocol

from domain.operator.commands import OperatorCommand
from domain.operator.pairs import PairChange
from domain.portfolio.snapshots import PortfolioSnapshot
from domain.rules import TradingRules

Origin = Any
"""The message that is the cause of what is stored, as the actors have it; None: there is none."""


class Members(Protocol):
    """The running actors."""

    @property
    def rules(self) -> TradingRules:
        """Those of the pairs that are traded now."""

    def ask_pair(
        self, change: PairChange, operator: str, origin: Origin
    ) -> Future[OperatorCommand]:
        """Let the portfolio judge and store a change, and return where its answer will be."""

    def join(self, rules: TradingRules, asset: str) -> bool:
        """Start the actors of one asset more, and tell whether all were ready in time."""

    def leave(self, rules: TradingRules, asset: str) -> bool:
        """End the actors of an asset that is flat."""

    def portfolio_snapshot(self) -> PortfolioSnapshot | None:
        """Return what the portfolio sees; None where it does not answer."""

    def note(self, what: str, detail: str, sender: str) -> Origin:
        """Note in the trace what is done without an actor."""

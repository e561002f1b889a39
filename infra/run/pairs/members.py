"""The running actors, as seen by the parts that add and remove pairs."""

from concurrent.futures import Future
from typing import Any, Protocol

from domain.operator.commands import OperatorCommand
from domain.operator.pairs import PairChange
from domain.portfolio.snapshots import PortfolioSnapshot
from domain.rules import TradingRules

Origin = Any
"""The message that causes what is stored; None: there is none."""


class Members(Protocol):
    """The running actors."""

    @property
    def rules(self) -> TradingRules:
        """The rules of the pairs traded now."""

    def ask_pair(
        self, change: PairChange, operator: str, origin: Origin
    ) -> Future[OperatorCommand]:
        """Ask the portfolio to check and store a change, and return the future answer."""

    def join(self, rules: TradingRules, asset: str) -> bool:
        """Start the actors of one more asset, and return whether all were ready in time."""

    def leave(self, rules: TradingRules, asset: str) -> bool:
        """Stop the actors of a flat asset."""

    def portfolio_snapshot(self) -> PortfolioSnapshot | None:
        """Return the portfolio's snapshot; None if it does not answer."""

    def note(self, what: str, detail: str, sender: str) -> Origin:
        """Record in the trace what is done outside actors."""

"""State shared by the parts of the portfolio."""

from dataclasses import dataclass

from actors.backlog import Backlog
from actors.core.actor import SupervisedActor
from actors.messages import Message
from actors.portfolio.timers import Timers
from actors.ports import Journal
from domain.portfolio.state import PortfolioState
from domain.rules import TradingRules


@dataclass(frozen=True, slots=True, kw_only=True)
class PortfolioContext:
    """The portfolio's tools, and the actor in whose name the parts send."""

    actor: SupervisedActor
    rules: TradingRules
    journal: Journal
    backlog: Backlog
    books: PortfolioState
    timers: Timers

    @property
    def now_ms(self) -> int:
        """The time of the current message."""
        return self.actor.now_ms

    @property
    def assets(self) -> tuple[str, ...]:
        """All assets, in the order of the settings."""
        return tuple(asset.asset for asset in self.rules.assets)

    def between_closes(self) -> int:
        """Return the current time as the key of a decision between closes."""
        return self.books.between_closes(self.now_ms)

    def tell(self, receiver: str, message: Message) -> None:
        """Send a message in the actor's name."""
        self.actor.tell(receiver, message)

"""What the parts of the portfolio share."""

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
    """The portfolio's tools, and the actor for which the parts speak."""

    actor: SupervisedActor
    rules: TradingRules
    journal: Journal
    backlog: Backlog
    books: PortfolioState
    timers: Timers

    @property
    def now_ms(self) -> int:
        """The time of the message at hand."""
        return self.actor.now_ms

    @property
    def assets(self) -> tuple[str, ...]:
        """All assets, in the order of the settings."""
        return tuple(asset.asset for asset in self.rules.assets)

    def between_closes(self) -> int:
        """Return the present as the name of a decision that is no close's."""
        return self.books.between_closes(self.now_ms)

    def tell(self, receiver: str, message: Message) -> None:
        """Tell somebody something in the actor's name."""
        self.actor.tell(receiver, message)

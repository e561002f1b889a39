"""State shared by the parts of an execution."""

from dataclasses import dataclass

from actors.backlog import Backlog
from actors.core.actor import SupervisedActor
from actors.core.envelope import Origin
from actors.execution.agenda import Agenda
from actors.execution.alarms import Alarms
from actors.messages import Message
from actors.names import PORTFOLIO, asset_name
from actors.ports import Exchange, Journal
from domain.rules import TradingRules
from domain.trading.books import Books
from domain.trading.order import Order


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionContext:
    """One asset's tools, and the actor in whose name the parts send."""

    actor: SupervisedActor
    asset: str
    rules: TradingRules
    exchange: Exchange
    journal: Journal
    backlog: Backlog
    books: Books
    agenda: Agenda
    alarms: Alarms

    @property
    def now_ms(self) -> int:
        """The time of the current message."""
        return self.actor.now_ms

    def is_ours(self) -> bool:
        """Tell whether this incarnation may still act at the exchange."""
        return self.actor.incarnation.is_ours()

    def tell_deciders(self, message: Message) -> None:
        """Send to the two that decide: the asset and the portfolio."""
        for receiver in (asset_name(self.asset), PORTFOLIO):
            self.actor.tell(receiver, message)

    def go_on_with(self, order: Order) -> None:
        """Make an order's update part of the causal tree in which the order began."""
        self.actor.continue_trace(None if order.origin is None else Origin(*order.origin))

"""The running actors, as used by the parts that command and watch them."""

import threading
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from actors.core.envelope import Origin
from actors.core.supervisor import Supervisor
from actors.core.system import ActorCrashedError, ActorSystem, DeadLetterError
from actors.messages import Describe, LinksSampled, Noted, OperatorAsked, SystemChanged
from actors.names import NOTIFIER, PORTFOLIO, asset_name, execution_name
from actors.ports import Clock
from actors.wording.system import RunInfo
from domain.operator.commands import Command, CommandName, OperatorCommand
from domain.operator.pairs import PairChange
from domain.operator.system import VenueLink
from domain.portfolio.snapshots import AssetSnapshot, PortfolioSnapshot
from domain.rules import TradingRules

_QUIET_CHECK_S = 0.2
_ANSWER_S = 0.5
"""How long to wait for an actor's answer."""
_PORTFOLIO_ANSWER_S = 5.0
"""A portfolio that cannot store is delayed by a second at a time, and still has to answer."""


@dataclass(kw_only=True)
class Runtime:
    """The actors of one run, and access to them."""

    rules: TradingRules
    info: RunInfo
    clock: Clock
    system: ActorSystem
    supervisor: Supervisor
    stop_requested: threading.Event = field(default_factory=threading.Event)

    def note(self, what: str, detail: str, sender: str) -> Origin:
        """Record in the trace what is done outside actors, as the cause of what is stored."""
        return self.system.note(Noted(what=what, detail=detail), sender=sender)

    def tell_operator(self, key: str, title: str, detail: str) -> None:
        """Notify the operator about the system, once per key."""
        message = SystemChanged(key=key, title=title, detail=detail)
        self.system.address(NOTIFIER).tell(message, sender="runtime")

    def tell_links(self, links: Iterable[VenueLink], journal_connections: int) -> None:
        """Send the notifier the state of the connections, for its reports."""
        message = LinksSampled(links=tuple(links), journal_connections=journal_connections)
        self.system.address(NOTIFIER).tell(message, sender="runtime")

    def suspend(self, address: str, cause: str) -> None:
        """Give an actor up, as if it had crashed too often."""
        self.supervisor.give_up(address, cause)

    def restarts(self) -> dict[str, int]:
        """Return how often each actor was restarted."""
        return {child.spec.address: child.restarts for child in self.supervisor.children()}

    def given_up(self) -> dict[str, str]:
        """Return which actors were given up, and why."""
        return {
            child.spec.address: child.given_up_because
            for child in self.supervisor.children()
            if child.given_up_because is not None
        }

    def asset_snapshot(self, asset: str) -> AssetSnapshot | None:
        """Return an asset's snapshot; None if it does not answer."""
        return self._ask(asset_name(asset), _ANSWER_S)  # type: ignore[no-any-return]

    def portfolio_snapshot(
        self, timeout_s: float = _PORTFOLIO_ANSWER_S
    ) -> PortfolioSnapshot | None:
        """Return the portfolio's snapshot; None if it does not answer."""
        return self._ask(PORTFOLIO, timeout_s)  # type: ignore[no-any-return]

    def ask_pair(
        self, change: PairChange, operator: str, origin: Origin | None
    ) -> Future[OperatorCommand]:
        """Ask the portfolio to check and store a change of pairs; return the future answer."""
        command = Command(name=CommandName.PAIRS, argument=change.written())
        message = OperatorAsked(command=command, operator=operator)
        address = self.system.address(PORTFOLIO)
        return address.question(message, sender="operator", origin=origin)

    def depths(self) -> dict[str, int]:
        """Return how many messages wait at each address."""
        return {a.name: a.mailbox.depth for a in self.system.addresses()}

    def describable(self) -> list[str]:
        """Return the addresses that answer with a snapshot."""
        assets = [asset.asset for asset in self.rules.assets]
        return [PORTFOLIO, *map(asset_name, assets), *map(execution_name, assets)]

    def question(self, address: str) -> Future[Any]:
        """Ask for an actor's snapshot, and return the future answer."""
        return self.system.address(address).question(Describe(), sender="runtime")

    def _ask(self, address: str, timeout_s: float) -> Any:
        try:
            return self.system.address(address).ask(
                Describe(), sender="runtime", timeout_s=timeout_s
            )
        except (TimeoutError, ActorCrashedError, DeadLetterError):
            return None

    def is_to_end(self) -> bool:
        """Tell whether the run is to end."""
        return self.stop_requested.is_set() or self.supervisor.escalated.is_set()

    def wait_quiet(self) -> bool:
        """Wait until no message is in transit; return False if the run is to end."""
        while not self.system.work.wait_quiet(_QUIET_CHECK_S):
            if self.is_to_end():
                return False
        return not self.is_to_end()

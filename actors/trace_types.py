"""The types of the actors that occur in a trace: messages, ports and classes."""

from collections.abc import Iterator, Mapping

from actors.account import AccountActor
from actors.asset import AssetActor
from actors.core.actor import Around, SupervisedActor
from actors.core.messages import Message
from actors.core.rerun import AROUND
from actors.execution.actor import ExecutionActor
from actors.notifier import NotifierActor
from actors.portfolio.actor import PortfolioActor
from actors.ports import Clock, Exchange, Feed, Journal, Journals, Outbox, Outboxes, Wallet
from actors.watch import LiveChecks
from actors.wording.system import RunInfo
from domain.operator.notices import NoticeRules
from domain.rules import TradingRules

PORTS: Mapping[str, type] = {
    AROUND: Around,
    "clock": Clock,
    "exchange": Exchange,
    "feed": Feed,
    "journal": Journal,
    "journals": Journals,
    "outbox": Outbox,
    "outboxes": Outboxes,
    "wallet": Wallet,
}
"""Ports of actors, by the name under which their calls are recorded."""
ACTORS: Mapping[str, type[SupervisedActor]] = {
    actor.__qualname__: actor
    for actor in (AccountActor, AssetActor, ExecutionActor, NotifierActor, PortfolioActor)
}
VALUES: Mapping[str, type] = {
    kind.__name__: kind for kind in (TradingRules, LiveChecks, NoticeRules, RunInfo)
}
"""Types that actors are constructed with."""


def messages() -> dict[str, type[Message]]:
    """Return all message types by name."""
    return {kind.__name__: kind for kind in _kinds(Message)}


def _kinds(base: type[Message]) -> Iterator[type[Message]]:
    for kind in base.__subclasses__():
        yield kind
        yield from _kinds(kind)

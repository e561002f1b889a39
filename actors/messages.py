"""All messages, in the order of data flow: to read this is to read the system.

Commands are imperative and have one receiver; events are in the past tense. A message that
announces a stored fact carries its `fact_id`.
"""

from dataclasses import dataclass
from decimal import Decimal

from actors.core.messages import GivenUp, Message, Ping, Restarted
from domain.market.instruments import Candle, Side
from domain.operator.commands import Command
from domain.operator.system import VenueLink
from domain.portfolio.rebalancing import Advice
from domain.portfolio.snapshots import AssetSnapshot, PortfolioSnapshot
from domain.strategies.base import Regime
from domain.strategies.explanation import Explanation
from domain.trading.decisions import Approval, AssetEvaluation, Denial, Protection
from domain.trading.orders import ExitReason, OrderUpdate, Purpose
from domain.trading.positions import Execution, Position, Trade
from domain.trading.transfers import Transfer

__all__ = [
    "AskAccount",
    "AssetFlat",
    "AssetReported",
    "CandleClosed",
    "ClosePosition",
    "ConnectionLost",
    "ConnectionRestored",
    "ContinueReconcile",
    "CooldownEnded",
    "CoordinationEnded",
    "Describe",
    "EntryApproved",
    "EntryDenied",
    "EntrySubmitted",
    "ExecutionSeen",
    "FeedConnected",
    "FeedLost",
    "Flatten",
    "GivenUp",
    "GlobalCooldownStarted",
    "LossStreakReached",
    "MalfunctionBegan",
    "MalfunctionEnded",
    "Message",
    "OpenPosition",
    "OperatorAsked",
    "OrderRejected",
    "OrderSeen",
    "Ping",
    "PositionChanged",
    "PositionDiffers",
    "PositionMarked",
    "PositionOpened",
    "PositionUnprotected",
    "PriceSeen",
    "ProtectionFired",
    "Reconcile",
    "ReconcileMatch",
    "ReconcileMismatch",
    "RegimeChanged",
    "ReportDue",
    "ReservationExpired",
    "ResolveEntry",
    "Restarted",
    "RiskRaised",
    "StateTold",
    "StateWanted",
    "StopDue",
    "StopSeen",
    "StoreAgain",
    "StoreDue",
    "SystemChanged",
    "SystemStopping",
    "TradeClosed",
    "TransferSeen",
    "WalletSeen",
    "WatchDue",
]


# From the runtime.


@dataclass(frozen=True, slots=True, kw_only=True)
class Describe(Message):
    """Query, from the runtime to an asset, execution or portfolio: answered by its snapshot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorAsked(Message):
    """Command, from the runtime to the portfolio: answered by the stored OperatorCommand."""

    command: Command
    operator: str
    """Who asked, and through which channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreAgain(Message):
    """Timer, from an execution or the portfolio to itself: store what the journal has refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted(Message):
    """Event, of something done outside actors: recorded in the trace as the cause of a fact."""

    what: str
    detail: str


# From the feed.


@dataclass(frozen=True, slots=True, kw_only=True)
class CandleClosed(Message):
    """Event, from an asset's feed to its AssetActor."""

    candle: Candle


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedConnected(Message):
    """Event, from an asset's feed to its AssetActor: it works again, candles may be missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedLost(Message):
    """Event, from an asset's feed to its AssetActor: no candles arrive any more."""

    reason: str


# From the assets to the portfolio, and back.


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetReported(Message):
    """Event, from an AssetActor to the portfolio: one close and its evaluation."""

    report: AssetEvaluation
    explanation: Explanation | None = None
    """The reasons, for explanation by the trace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreDue(Message):
    """Timer, from an AssetActor to itself: store the candles that were accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoordinationEnded(Message):
    """Timer, from the portfolio to itself: decide a close without the missing evaluations."""

    t_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryApproved(Message):
    """Event, from the portfolio to an AssetActor: its entry is approved, its notional reserved."""

    approval: Approval


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryDenied(Message):
    """Event, from the portfolio to an AssetActor, which notifies of each signal's first denial."""

    denial: Denial


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalCooldownStarted(Message):
    """Event, from the portfolio to all assets: no new positions before a time."""

    end_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationExpired(Message):
    """Timer, from the portfolio to itself: an approval should have become an order by now."""

    approval: Approval


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchDue(Message):
    """Timer, from the portfolio to itself: check the current state between closes."""


# From the account to the portfolio.


@dataclass(frozen=True, slots=True, kw_only=True)
class AskAccount(Message):
    """Timer, from the account to itself: query transfers and balance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferSeen(Message):
    """Event, from the account to the portfolio, which stores it. It may be repeated."""

    transfer: Transfer


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletSeen(Message):
    """Event, from the account to the portfolio: the balance according to the exchange."""

    ts_ms: int
    balance: Decimal


# To the execution of an asset.


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPosition(Message):
    """Command, from an AssetActor to its execution: use an approval."""

    approval: Approval


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosePosition(Message):
    """Command, from an AssetActor or the portfolio to an execution: close what is open.

    Only a position opened by an earlier decision is closed, so a repeat cannot close a later one.
    """

    asset: str
    t_ms: int
    purpose: Purpose
    reason: ExitReason


@dataclass(frozen=True, slots=True, kw_only=True)
class ReducePosition(Message):
    """Command, from the portfolio to an execution: close a part of what is open.

    A repeat is not executed again: its orders are found by its time.
    """

    asset: str
    t_ms: int
    """When it was decided; a position of a later decision is left alone."""
    qty: Decimal
    """Total quantity in base units, a multiple of the step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flatten(Message):
    """Command, from the portfolio to an execution: close the position and cancel all orders.

    Answered by AssetFlat, however long that takes.
    """

    asset: str
    t_ms: int
    """Time of the panic; what someone else opened later is left alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveEntry(Message):
    """Command, from the portfolio to an execution: report an approval's outcome, or void it."""

    approval: Approval


# From the exchange to the execution.


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionSeen(Message):
    """Event, from the exchange to an execution. A hint: the exchange is queried if it matters."""

    execution: Execution


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSeen(Message):
    """Event, from the exchange to an execution."""

    update: OrderUpdate


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconcile(Message):
    """Timer, from an execution to itself: query the exchange's true state."""

    is_routine: bool = False
    """Whether nothing is in doubt, so that rare changes need not be queried each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContinueReconcile(Message):
    """Event, from an execution to itself: send the next pending query."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionMarked(Message):
    """Event, from the exchange through an execution to the portfolio: the mark price."""

    asset: str
    ts_ms: int
    mark_price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceSeen(Message):
    """Event, from the exchange to an execution: prices since the previous message.

    Only the newest waiting one is kept; it spans the prices of the others.
    """

    asset: str
    ts_ms: int
    last_price: Decimal
    high: Decimal
    low: Decimal
    since_ms: int
    """Time of the earliest price in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopSeen(Message):
    """Event, from the exchange to an execution: it has trailed the stop itself."""

    asset: str
    ts_ms: int
    best: Decimal
    stop_loss: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class StopDue(Message):
    """Timer, from an execution to itself: move the stop to the newest waiting level."""


# From the execution to the asset, the portfolio and the notifier.


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionChanged(Message):
    """Event, from an execution to its AssetActor and the portfolio: a fill, or funding."""

    fact_id: int
    execution: Execution


@dataclass(frozen=True, slots=True, kw_only=True)
class EntrySubmitted(Message):
    """Event, from an execution to the portfolio: the exchange has answered an entry order."""

    asset: str
    client_order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRejected(Message):
    """Event, from an execution to its AssetActor and the portfolio: an order without a fill.

    It may be repeated: an order ends only once.
    """

    asset: str
    client_order_id: str
    purpose: Purpose
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetFlat(Message):
    """Event, from an execution to the portfolio: the exchange confirms that nothing is open."""

    asset: str
    t_ms: int
    """Time of the Flatten that it answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileMismatch(Message):
    """Event, from an execution to the portfolio: its books and the exchange do not agree."""

    asset: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileMatch(Message):
    """Event, from an execution to the portfolio: they agree again."""

    asset: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalOutdated(Message):
    """Event, from an execution to the portfolio: the journal lacks an order of ours."""

    asset: str
    client_order_id: str
    ts_ms: int
    """When it was executed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MalfunctionBegan(Message):
    """Event, from an execution to the portfolio: the exchange is unreachable (8.8)."""

    source: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MalfunctionEnded(Message):
    """Event, from an execution to the portfolio."""

    source: str


# To the notifier: what the operator is notified of.
#
# Facts are only announced: the notifier reads them itself, so that a crash between storing and
# sending never hides a trade or a protection. Of the rest, important events are repeated after a
# restart of the notifier, under the same key.


@dataclass(frozen=True, slots=True, kw_only=True)
class RegimeChanged(Message):
    """Event, from an AssetActor."""

    report: AssetEvaluation
    previous: Regime


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionOpened(Message):
    """Event, from an execution: its fills are stored."""

    position: Position
    client_order_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeClosed(Message):
    """Event, from an execution: the trade is stored."""

    trade: Trade


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionDiffers(Message):
    """Event, from an execution: the exchange and the books differ lastingly."""

    asset: str
    since_ms: int
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionUnprotected(Message):
    """Event, from an execution: a position was found without its stop (5.4)."""

    asset: str
    since_ms: int
    is_set_again: bool
    """Otherwise the position is closed, unless it was opened by hand."""
    is_by_hand: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectionFired(Message):
    """Event, from the portfolio: the decision is stored."""

    protection: Protection


@dataclass(frozen=True, slots=True, kw_only=True)
class LossStreakReached(Message):
    """Event, from the portfolio: too many losing trades in a row started a cooldown (8.7)."""

    end_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RebalanceAdvised(Message):
    """Event, from the portfolio: a position has drifted from its target; no trade follows.

    It may be repeated; a position and direction is notified once per UTC day.
    """

    advice: Advice
    side: Side
    opened_ms: int
    """Time when the position was opened."""
    t_ms: int
    """The close."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskRaised(Message):
    """Event, from any actor: a danger without a message type of its own, with its text."""

    key: str
    """The same danger has the same key, however often it is sent."""
    asset: str | None
    what: str
    figures: str
    """What was found against its limit."""
    effect: str
    """What was closed, and what is blocked until when."""
    advice: str
    """What the operator can do."""
    group: str = ""
    """Dangers of one group within seconds become one notice; empty: a notice of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLost(Message):
    """Event, from an AssetActor or an execution: a connection was lost."""

    asset: str
    what: str
    """The feed, or the exchange."""
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionRestored(Message):
    """Event, from an AssetActor or an execution."""

    asset: str
    what: str
    down_ms: int
    candles: int | None = None
    """Number of candles closed meanwhile and fetched now; None for connections without candles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemChanged(Message):
    """Event, from the runtime or the portfolio: something was changed, or a channel has stopped."""

    key: str
    title: str
    detail: str
    answered: str = ""
    """Who requested the change and got an answer, and through which channel; empty: nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemStopping(Message):
    """Event, from the runtime: all actors are about to be stopped."""

    why: str


# What the notifier needs for its reports.


@dataclass(frozen=True, slots=True, kw_only=True)
class LinksSampled(Message):
    """Event, from the runtime to the notifier, once a minute: the links to exchange and journal."""

    links: tuple[VenueLink, ...]
    journal_connections: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StateWanted(Message):
    """Query, from the notifier to the assets and the portfolio: answered by StateTold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateTold(Message):
    """Answer, to the notifier."""

    snapshot: AssetSnapshot | PortfolioSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportDue(Message):
    """Timer, from the notifier to itself: a report is due, or the wait for its answers is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CooldownEnded(Message):
    """Timer, from the notifier to itself."""

    asset: str | None
    """None for the portfolio's."""
    end_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OutageDue(Message):
    """Timer, from the notifier to itself: it is time to notify of lost or restored connections."""

    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupDue(Message):
    """Timer, from the notifier to itself: the wait for the dangers of a group is over."""

    group: str

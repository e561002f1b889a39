"""The actor that trades one asset: first intents to disk, then orders to the exchange.

Receives: OpenPosition, ClosePosition, ReducePosition, ResolveEntry, Flatten; ExecutionSeen,
OrderSeen, PositionMarked, PriceSeen, StopSeen from the exchange; Reconcile, StopDue, StoreAgain
from its timers, ContinueReconcile from itself; Describe from the runtime; Restarted, GivenUp.
Publishes: PositionChanged, OrderRejected to the asset and the portfolio; PositionMarked to the
portfolio, and EntrySubmitted, AssetFlat, ReconcileMismatch, ReconcileMatch, JournalOutdated,
MalfunctionBegan, MalfunctionEnded; PositionOpened, TradeClosed, PositionDiffers,
PositionUnprotected, ConnectionLost, ConnectionRestored, RiskRaised to the notifier.
Owns: the asset's orders and stops at the exchange, and the journal of both.

What the exchange pushes is a hint. Whenever the actor cannot know (after its start, after a missing
answer), it queries the exchange for the true state, and repeats that until it is answered; until
then it opens nothing.
"""

from decimal import Decimal

from loguru import logger

from actors.backlog import Backlog
from actors.core.actor import Incarnation, SupervisedActor
from actors.execution.agenda import Agenda
from actors.execution.alarms import Alarms
from actors.execution.context import ExecutionContext
from actors.execution.entries import Entries
from actors.execution.exits import Exits
from actors.execution.orders import Orders
from actors.execution.reconciliation.comparison import Comparison
from actors.execution.reconciliation.connectivity import VenueConnectivity
from actors.execution.reconciliation.flattening import Flattening
from actors.execution.reconciliation.loop import ReconcileLoop
from actors.execution.reconciliation.reconciler import Reconciler
from actors.execution.stops.price_span import PriceSpan
from actors.execution.stops.stops import Stops
from actors.messages import (
    ClosePosition,
    ContinueReconcile,
    Describe,
    ExecutionSeen,
    Flatten,
    GivenUp,
    Message,
    OpenPosition,
    OrderSeen,
    PositionMarked,
    PriceSeen,
    Reconcile,
    ReducePosition,
    ResolveEntry,
    Restarted,
    StopDue,
    StopSeen,
    StoreAgain,
)
from actors.names import NOTIFIER, PORTFOLIO
from actors.ports import Clock, Exchange, Journals
from domain.portfolio.snapshots import ExecutionSnapshot
from domain.rules import TradingRules
from domain.trading.books import Books
from domain.trading.order import Order
from domain.trading.orders import Intent, OrderUpdate
from domain.trading.positions import Execution


class ExecutionActor(SupervisedActor):
    """Executes one asset's orders at the exchange."""

    def __init__(
        self,
        incarnation: Incarnation,
        *,
        asset: str,
        rules: TradingRules,
        exchange: Exchange,
        clock: Clock,
        journals: Journals,
        ask_again_ms: int = 1_000,
        reconcile_ms: int | None = None,
        stale_ms: int | None = None,
        facts_until_ms: int | None = None,
    ) -> None:
        """Take over `execution/NAME`.

        Args:
            incarnation: of this actor.
            asset: of the orders.
            rules: the limits.
            exchange: that they are sent to.
            clock: for timers.
            journals: of the facts.
            ask_again_ms: pause before an unanswered query to the exchange is repeated.
            reconcile_ms: interval of routine reconciliation; None: never.
            facts_until_ms: when the newest fact before this process was stored; None: none.
            stale_ms: how long it may be silent before that is a malfunction; None: forever.
        """
        super().__init__(incarnation)
        self._asset = asset
        self._rules = rules
        self._exchange = exchange
        self._journals = journals
        self._clock = clock
        self._ask_again_ms = ask_again_ms
        self._facts_until_ms = facts_until_ms
        self._stale_ms = stale_ms
        self._prices = PriceSpan()
        self._is_trailing = False
        self._alarms = Alarms(self)
        self._agenda = Agenda(
            self, asset, clock, ask_again_ms=ask_again_ms, reconcile_ms=reconcile_ms
        )

    def on_start(self) -> None:
        """Fold the facts, then query the exchange for what has happened since."""
        context = self._open_context()
        self._books = context.books
        self._orders = Orders(context)
        self._entries = Entries(context, self._orders)
        self._exits = Exits(context, self._orders)
        self._stops = self.hold(Stops(context, self._exits, self._clock))
        self._flattening = Flattening(context, self._exits)
        self._comparison = Comparison(context)
        self._connectivity = VenueConnectivity(context, stale_ms=self._stale_ms)
        self._reconciler = Reconciler(
            context,
            orders=self._orders,
            entries=self._entries,
            exits=self._exits,
            stops=self._stops,
            comparison=self._comparison,
            flattening=self._flattening,
        )
        self._loop = ReconcileLoop(
            self._agenda,
            self._reconciler,
            connectivity=self._connectivity,
            exits=self._exits,
            flattening=self._flattening,
        )
        self._reconciler.tell_lost()
        self._agenda.begin()
        self._loop.finish()
        self._note_trailing()

    def _open_context(self) -> ExecutionContext:
        journal = self.hold(self._journals.open(self.name, lambda: self.origin))
        self.hold_if_ours(lambda: self._exchange.subscribe(self._asset, self))
        self.hold(self._agenda)
        backlog = self.hold(Backlog(self, journal, self._clock, again_ms=self._ask_again_ms))
        waiting = [Order(intent=intent) for intent in backlog.waiting(Intent)]
        orders = [*journal.orders(self._asset), *waiting]
        stored = journal.executions(self._asset)
        known_ms = self.now_ms
        if self._facts_until_ms is not None:
            known_ms = min(known_ms, self._facts_until_ms)
        self._backlog = backlog
        return ExecutionContext(
            actor=self,
            asset=self._asset,
            rules=self._rules,
            exchange=self._exchange,
            journal=journal,
            backlog=backlog,
            books=Books(orders, [fact.execution for fact in stored], known_ms),
            agenda=self._agenda,
            alarms=self._alarms,
        )

    def handle(self, message: Message) -> ExecutionSnapshot | None:
        """Handle a message, then what has waited for it."""
        answer = self._on_message(message)
        self._exits.go_on()
        return answer

    def _on_message(self, message: Message) -> ExecutionSnapshot | None:
        match message:
            case Describe():
                return ExecutionSnapshot(
                    asset=self._asset,
                    is_unprotected=self._stops.is_unprotected,
                    stop=self._stops.snapshot(),
                )
            case OpenPosition(approval=approval):
                self._entries.open(approval)
            case ClosePosition():
                self._exits.close(message)
            case ReducePosition():
                self._exits.reduce(message)
            case ResolveEntry(approval=approval):
                self._entries.resolve(approval)
            case Flatten():
                self._flattening.begin(message)
            case ExecutionSeen(execution=execution):
                self._reconciler.hear(execution)
            case OrderSeen(update=update):
                self._exits.go_on_after(self._orders.hear(update))
            case Reconcile(is_routine=is_routine):
                self._agenda.begin(is_routine=is_routine)
            case ContinueReconcile():
                self._loop.go_on()
            case StoreAgain():
                self._store_again()
            case PositionMarked(mark_price=mark_price):
                self._connectivity.pass_on(message, is_open=self._books.position is not None)
                self._stops.watch(mark_price)
            case PriceSeen():
                self._prices.taken(message)
                self._stops.follow(message)
            case StopSeen():
                self._stops.adopt(message)
            case StopDue():
                self._stops.move()
            case Restarted(address=address):
                self._on_restarted(address)
            case GivenUp():
                pass
            case _:
                self.refuse(message)
        self._note_trailing()
        return None

    def _note_trailing(self) -> None:
        """Accept prices only while a stop trails them: they come ten times a second."""
        self._is_trailing = self._stops.is_trailing
        if not self._is_trailing:
            self._prices.forget()

    def _store_again(self) -> None:
        if self._backlog.flush():
            self._agenda.begin()  # the outcome of orders that were sent meanwhile

    def _on_restarted(self, address: str) -> None:
        if address == NOTIFIER:
            self._alarms.tell_again()
        if address == PORTFOLIO:
            self._comparison.tell_again()
            self._reconciler.tell_lost()
            self._connectivity.tell_again()

    # Called by the exchange, in its own thread.

    def on_execution(self, execution: Execution) -> None:
        self.hand_in(ExecutionSeen(execution=execution), sender=f"exchange/{self._asset}")

    def on_order(self, update: OrderUpdate) -> None:
        self.hand_in(OrderSeen(update=update), sender=f"exchange/{self._asset}")

    def on_doubt(self, why: str) -> None:
        """Reconcile what may have been missed."""
        logger.bind(actor=self.name, asset=self._asset).info("{}: {}", self.name, why)
        self.hand_in(Reconcile(), sender=f"exchange/{self._asset}", latest="ask")

    def on_mark_price(self, ts_ms: int, mark_price: Decimal) -> None:
        """Take the mark price; only the newest waiting one is kept."""
        message = PositionMarked(asset=self._asset, ts_ms=ts_ms, mark_price=mark_price)
        self.hand_in(message, sender=f"exchange/{self._asset}", latest="mark")

    def on_price(self, ts_ms: int, last_price: Decimal) -> None:
        """Take the newest price, if a stop trails it; waiting prices are spanned by one message."""
        if not self._is_trailing or self._prices.is_newest(last_price):
            return
        message = self._prices.spanned(self._asset, ts_ms, last_price)
        self.hand_in(message, sender=f"exchange/{self._asset}", latest="price")

    def on_stop_moved(self, ts_ms: int, best: Decimal, stop_loss: Decimal) -> None:
        """Take a move of the stop that the exchange itself has made."""
        message = StopSeen(asset=self._asset, ts_ms=ts_ms, best=best, stop_loss=stop_loss)
        self.hand_in(message, sender=f"exchange/{self._asset}")

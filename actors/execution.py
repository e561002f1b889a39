"""The actor that trades one asset: intents on disk first, then the exchange, then the news.

Receives: OpenPosition, ClosePosition, ResolveEntry, Flatten; ExecutionSeen, OrderSeen,
PositionMarked from the exchange; Restarted, GivenUp.
Publishes: PositionChanged, OrderRejected to the asset and the portfolio; PositionMarked to the
portfolio, and AssetFlat, AssetFrozen, AssetThawed, MalfunctionBegan, MalfunctionEnded;
PositionOpened, TradeClosed, PositionDiffers, PositionNaked, ConnectionLost, ConnectionRestored,
RiskRaised to the notifier.
Owns: the asset's orders and stops at the exchange, and the journal of both.

What the exchange tells is a hint. Whenever the actor cannot know (after its start, after an answer
that never came), it asks the exchange what is true, and asks again until it is answered; until then
it opens nothing.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from functools import partial

from loguru import logger

from actors.core.actor import Incarnation, SupervisedActor
from actors.core.envelope import Origin
from actors.messages import (
    AskExchange,
    AskNext,
    AssetFlat,
    AssetFrozen,
    AssetThawed,
    ClosePosition,
    ConnectionLost,
    ConnectionRestored,
    Describe,
    ExecutionSeen,
    Flatten,
    GivenUp,
    MalfunctionBegan,
    MalfunctionEnded,
    Message,
    OpenPosition,
    OrderRejected,
    OrderSeen,
    PositionChanged,
    PositionDiffers,
    PositionMarked,
    PositionNaked,
    PositionOpened,
    ResolveEntry,
    Restarted,
    RiskRaised,
    TradeClosed,
)
from actors.names import NOTIFIER, PORTFOLIO, asset_name
from actors.ports import Clock, Exchange, Journals, Timer
from actors.risks import access_denied, foreign_order, not_closed
from domain.closing import (
    has_left_open,
    is_close_under_way,
    is_younger,
    next_attempt,
    unfinished_close,
)
from domain.decisions import Grant
from domain.errors import (
    AccessDeniedError,
    BadDataError,
    OrderNotProcessedError,
    OrderRefusedError,
    OutcomeUnknownError,
    StaleGrantError,
    UnavailableError,
)
from domain.facts import Fact, Order
from domain.intents import close_intent, entry_intent
from domain.market import Side
from domain.orders import (
    INTENDED,
    ExitReason,
    Intent,
    OrderStatus,
    OrderUpdate,
    Purpose,
    RestingOrder,
    is_our_id,
)
from domain.positions import ZERO, Booked, Execution, Holding, Position, book
from domain.rules import TradingRules
from domain.sizing import ProtectiveLevels, protective_levels
from domain.snapshots import ExecutionSnapshot

_EXCHANGE = "exchange"
ALARMING_DIFFERENCES = 3
ALARMING_SILENCES = 3
MOST_DOUBLINGS = 3
"""Of the pause between attempts to reach an exchange that does not answer, in a panic."""
UNREAD_SENDS = 5
"""How often a close that the exchange did not look at is sent again under its id."""
CLOSE_ATTEMPTS = 6
"""Attempts at one close, further and further apart, before a person is called."""
SIGNS_OF_LIFE = 6
"""How often the portfolio hears a price within the time after which silence is a malfunction."""
ORDERS_EVERY = 10
"""Every so many timed rounds the exchange is asked what rests there."""
NO_ANSWER = (UnavailableError, AccessDeniedError, BadDataError)
"""A question to the exchange that has to be asked again."""
LOOK_BACK_MS = 86_400_000
"""How far before the newest known execution an unknown one may lie."""


class ExecutionActor(SupervisedActor):
    """One asset's hand at the exchange."""

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
    ) -> None:
        """Take over `execution/NAME`.

        Args:
            incarnation: the life.
            asset: whose orders.
            rules: the limits.
            exchange: where they go.
            clock: for timers.
            journals: where the facts are.
            ask_again_ms: pause before the exchange is asked again what it did not answer.
            reconcile_ms: how often it is asked what is true, come what may; None: never.
            stale_ms: how long it may be silent before that is a malfunction; None: for ever.
        """
        super().__init__(incarnation)
        self._asset = asset
        self._rules = rules
        self._exchange, self._clock, self._journals = exchange, clock, journals
        self._ask_again_ms = ask_again_ms
        self._reconcile_ms = reconcile_ms
        self._stale_ms = stale_ms
        self._agenda: deque[Callable[[], None]] = deque()
        """Questions of the round under way: one a message, so that no round looks like a hang."""
        self._is_asked = False
        """A message to itself is on its way that puts the next question."""
        self._has_doubted = False
        """The round under way has found something that is not as it should be."""
        self._is_whole = False
        """The round under way asks everything: only then the next may wait a whole period."""
        self._is_to_repeat = False
        """Something came up during the round under way: another one follows it."""
        self._rounds = 0
        self._orders: dict[str, Order] = {}
        self._seen: set[str] = set()
        """Ids of the executions that are booked."""
        self._position: Position | None = None
        self._naked_since_ms: int | None = None
        """Since when the open position has no stop loss at the exchange."""
        self._differences = 0
        """How often in a row the exchange held another quantity than the books."""
        self._silences = 0
        """How often in a row it did not answer."""
        self._silent_since_ms = 0
        self._is_out_of_reach = False
        """The portfolio was told so."""
        self._is_frozen = False
        """Books and exchange differ for good; likewise."""
        self._unread: dict[str, int] = {}
        """How often each close was sent that the exchange did not look at."""
        self._unfinished: ClosePosition | None = None
        """A close whose order ended before the position did."""
        self._flatten: Flatten | None = None
        """Nothing may be open or rest, and the exchange has not said yet that nothing does."""
        self._resting: int | None = None
        """How many orders rested when that was asked last, whoever sent them; None: not yet."""
        self._foreign: set[str] = set()
        """Orders of others that were told."""
        self._marked_ms = 0
        self._alarms: dict[str, Message] = {}
        """The newest of each kind; told again once the notifier was restarted."""
        self._is_certain = False
        """The exchange has answered every question since the last doubt."""
        self._timer: Timer | None = None

    def on_start(self) -> None:
        """Fold the facts, then ask the exchange what has happened since."""
        self._journal = self.hold(self._journals.open(self.name, lambda: self.origin))
        self.hold(self._exchange.subscribe(self._asset, self))
        self._orders = {o.client_order_id: o for o in self._journal.orders(self._asset)}
        self._newest_execution_ms = self.now_ms
        for stored in self._journal.executions(self._asset):
            self._seen.add(stored.execution.exec_id)
            self._newest_execution_ms = stored.execution.ts_ms
            self._position = book(self._position, stored.execution).position
        unfinished = unfinished_close(self._orders.values(), self._position)
        self._unfinished = None if unfinished is None else _command_of(unfinished)
        self._ask_exchange()
        while self._agenda:
            self._put_next()

    def handle(self, message: Message) -> ExecutionSnapshot | None:
        """Do what a message says."""
        match message:
            case Describe():
                is_naked = self._naked_since_ms is not None
                return ExecutionSnapshot(asset=self._asset, is_naked=is_naked)
            case OpenPosition(grant=grant):
                self._on_open(grant)
            case ClosePosition():
                self._on_close(message)
            case ResolveEntry(grant=grant):
                self._on_resolve(grant)
            case Flatten():
                self._flatten, self._resting = message, None
                self._ask_exchange()
            case ExecutionSeen(execution=execution):
                self._on_execution(execution)
            case OrderSeen(update=update):
                self._on_order(update)
            case AskExchange(is_routine=is_routine):
                self._ask_exchange(is_routine=is_routine)
            case AskNext():
                self._is_asked = False
                self._put_next()
            case PositionMarked():
                self._on_marked(message)
            case Restarted(address=address):
                self._on_restarted(address)
            case GivenUp():
                pass
            case _:
                self.refuse(message)
        return None

    def _on_open(self, grant: Grant) -> None:
        order = self._orders.get(grant.client_order_id)
        if order is not None:
            self._repeat_answer(order)
            return
        intent = entry_intent(grant, self._rules)
        refused = self._why_not_enter(grant)
        if refused is not None:
            self._void(intent, refused)
            return
        try:
            self._intend(intent)
        except StaleGrantError as error:
            self._void(intent, str(error))
            return
        self._send(intent)

    def _on_close(self, command: ClosePosition) -> None:
        position = self._position
        if position is None or is_younger(position, command.t_ms):
            return
        if position.is_external and command.purpose is not Purpose.OPERATOR:
            return  # opened by hand: the one who opened it decides
        under_way = [order for order in self._orders.values() if is_close_under_way(order)]
        if not under_way:
            self._unfinished = None
            intent = close_intent(
                position,
                decided_ms=command.t_ms,
                purpose=command.purpose,
                reason=command.reason,
                attempt=next_attempt(self._orders.values(), command.t_ms, command.purpose),
            )
            self._intend(intent)
            self._send(intent)
        elif not self._is_certain:
            self._ask_exchange()

    def _on_resolve(self, grant: Grant) -> None:
        order = self._orders.get(grant.client_order_id)
        if order is None:
            self._void(entry_intent(grant, self._rules), "the grant was never used")
        elif order.is_under_way:
            self._ask_exchange()
        else:
            self._repeat_answer(order)

    def _on_execution(self, execution: Execution) -> None:
        if execution.exec_id in self._seen:
            return
        order = self._orders.get(execution.client_order_id or "")
        if order is not None:
            self._go_on_with(order)
            execution = order.explain(execution)
        booked = book(self._position, execution)
        facts: list[Fact] = [execution]
        if booked.trade is not None:
            facts.append(booked.trade)
        if order is not None:
            # The news of the order may get lost, or come later.
            filled = order.filled_by(execution)
            facts.append(filled)
            self._orders[order.client_order_id] = order.apply(filled)
        fact_id = self._journal.append(*facts)[0]
        self._seen.add(execution.exec_id)
        self._newest_execution_ms = execution.ts_ms
        before, self._position = self._position, booked.position
        for receiver in (asset_name(self._asset), PORTFOLIO):
            self.tell(receiver, PositionChanged(fact_id=fact_id, execution=execution))
        self._tell_people(before, booked, execution)
        if _has_grown(before, self._position):
            self._ask(self._ask_stops)

    def _on_marked(self, message: PositionMarked) -> None:
        """Pass the price on: always where a position needs it, else as a sign of life."""
        pause_ms = 0 if self._stale_ms is None else self._stale_ms // SIGNS_OF_LIFE
        is_due = self._stale_ms is not None and message.ts_ms - self._marked_ms >= pause_ms
        if self._position is not None or is_due:
            self._marked_ms = message.ts_ms
            self.tell(PORTFOLIO, message, latest=f"mark/{self._asset}")

    def _tell_people(self, before: Position | None, booked: Booked, execution: Execution) -> None:
        if booked.trade is not None:
            self.tell(NOTIFIER, TradeClosed(trade=booked.trade))
        if booked.position is not None and _has_grown(before, booked.position):
            opened = PositionOpened(
                position=booked.position, client_order_id=execution.client_order_id
            )
            self.tell(NOTIFIER, opened)

    def _on_order(self, update: OrderUpdate) -> None:
        order = self._orders.get(update.client_order_id)
        if order is None:
            return
        self._go_on_with(order)
        self._apply_update(order, update)

    def _on_restarted(self, address: str) -> None:
        if address == NOTIFIER:
            for alarm in self._alarms.values():
                self.tell(NOTIFIER, alarm)
        if address == PORTFOLIO:
            self._tell_portfolio()

    def _tell_portfolio(self) -> None:
        """Repeat what keeps it from opening anything."""
        if self._is_frozen:
            self.tell(PORTFOLIO, AssetFrozen(asset=self._asset))
        if self._is_out_of_reach:
            detail = f"the exchange does not answer for {self._asset}"
            self.tell(PORTFOLIO, MalfunctionBegan(source=self.name, detail=detail))

    def release(self) -> None:
        """Let go of the timer."""
        if self._timer is not None:
            self._timer.cancel()

    # Called by the exchange, from its own thread.

    def on_execution(self, execution: Execution) -> None:
        """Take an execution."""
        self.hand_in(ExecutionSeen(execution=execution), sender=f"exchange/{self._asset}")

    def on_order(self, update: OrderUpdate) -> None:
        """Take news of an order."""
        self.hand_in(OrderSeen(update=update), sender=f"exchange/{self._asset}")

    def on_doubt(self, why: str) -> None:
        """Ask the exchange what may have been missed."""
        logger.bind(actor=self.name, asset=self._asset).info("{}: {}", self.name, why)
        self.hand_in(AskExchange(), sender=f"exchange/{self._asset}", latest="ask")

    def on_mark_price(self, ts_ms: int, mark_price: Decimal) -> None:
        """Take the mark price; only the newest that still waits is kept."""
        message = PositionMarked(asset=self._asset, ts_ms=ts_ms, mark_price=mark_price)
        self.hand_in(message, sender=f"exchange/{self._asset}", latest="mark")

    # Asking the exchange.

    def _ask_exchange(self, *, is_routine: bool = False) -> None:
        """Begin a round: book what happened unseen, settle what is open, set the stops right."""
        if self._agenda:
            # News that keep coming must not keep the round under way from its end.
            self._is_to_repeat = True
            return
        self._rounds += 1
        self._has_doubted, self._is_whole, self._is_to_repeat = False, True, False
        if self._position is not None and not is_routine:
            self._agenda.append(self._ask_stops)  # a missing stop is what cannot wait
        self._agenda.append(self._ask_executions)
        if self._flatten or not is_routine or self._rounds % ORDERS_EVERY == 0:
            self._agenda.append(self._ask_orders)
        self._agenda.append(self._ask_holding)
        self._go_on_asking()

    def _ask(self, question: Callable[[], None]) -> None:
        if self._ask_holding not in self._agenda:  # which answers every other question too
            self._agenda.append(question)
        self._go_on_asking()

    def _go_on_asking(self) -> None:
        if self._agenda and not self._is_asked:
            self._is_asked = True
            self.tell(self.name, AskNext())

    def _put_next(self) -> None:
        """Put the next question; the round ends with the last, or where nobody answers."""
        if not self._agenda:
            return
        try:
            self._agenda.popleft()()
        except NO_ANSWER as error:
            self._agenda.clear()
            self._on_silence(error)
            return
        if self._agenda:
            self._go_on_asking()
        else:
            self._end_round()

    def _end_round(self) -> None:
        self._on_answer()
        if self._is_to_repeat:
            self._ask_exchange()
            return
        if self._has_doubted:
            return
        self._is_certain = True
        self._go_on_closing()
        is_whole, self._is_whole = self._is_whole, False
        if is_whole:
            self._go_on_flattening()
        is_at_rest = is_whole and not self._has_doubted and self._flatten is None
        if self._reconcile_ms is not None and is_at_rest:
            self._ask_again_in(self._reconcile_ms, is_routine=True)

    def _ask_executions(self) -> None:
        for execution in self._exchange.executions(self._asset, self._since_ms()):
            self._on_execution(execution)
        under_way = [order for order in self._orders.values() if order.is_under_way]
        for order in reversed(under_way):
            self._agenda.appendleft(partial(self._look_up, order.client_order_id))

    def _ask_orders(self) -> None:
        """Cancel what rests under an id of ours and is not ours to rest; leave others alone.

        In a panic nothing is left: what rests could open a position after it.
        """
        found = self._exchange.open_orders(self._asset)
        self._resting = len(found)
        for resting in found:
            order_id = resting.client_order_id
            if self._flatten is not None:
                self._cancel(resting)
                continue
            if order_id is None or not is_our_id(self._asset, order_id):
                self._tell_foreign(resting)
                continue
            order = self._orders.get(order_id)
            if order is None or not order.is_under_way:
                self._cancel(resting)

    def _cancel(self, resting: RestingOrder) -> None:
        order_id = resting.client_order_id or resting.venue_order_id
        logger.bind(actor=self.name, asset=self._asset).warning(
            "{}: {} rests at the exchange, where it should not: it is canceled",
            self.name,
            order_id,
        )
        try:
            self._exchange.cancel(self._asset, resting, self.incarnation.is_ours)
        except (OrderRefusedError, OutcomeUnknownError) as error:
            self._doubt(f"{order_id} could not be canceled: {error}")

    def _tell_foreign(self, resting: RestingOrder) -> None:
        if resting.venue_order_id in self._foreign:
            return
        self._foreign.add(resting.venue_order_id)
        self.tell(NOTIFIER, foreign_order(self._asset, resting))

    def _ask_holding(self) -> None:
        holding = self._exchange.holding(self._asset)
        self._compare(holding)
        self._protect(holding)

    def _ask_stops(self) -> None:
        self._protect(self._exchange.holding(self._asset))

    def _on_silence(self, error: Exception) -> None:
        self._doubt(str(error))
        self._silences += 1
        if self._flatten is not None:
            doublings = min(self._silences - 1, MOST_DOUBLINGS)
            self._ask_again_in(self._ask_again_ms << doublings)
        if self._silences == 1:
            self._silent_since_ms = self.now_ms
        if isinstance(error, AccessDeniedError):
            self._on_denied(error)
        # A single answer may get lost; only a silence that stays is worth a word.
        if self._silences == ALARMING_SILENCES:
            lost = ConnectionLost(asset=self._asset, what=_EXCHANGE, detail=str(error))
            self.tell(NOTIFIER, lost)
        silent_ms = self.now_ms - self._silent_since_ms
        is_stale = self._stale_ms is not None and silent_ms >= self._stale_ms
        if is_stale and not self._is_out_of_reach:
            self._is_out_of_reach = True
            self._tell_portfolio()

    def _on_denied(self, error: AccessDeniedError) -> None:
        """Ask again, slowly: a denial may pass, and asking often can prolong it."""
        self._ask_again_in(max(self._ask_again_ms, self._reconcile_ms or 0))
        self._alarm(access_denied(self._asset, str(error), self._silent_since_ms))

    def _on_answer(self) -> None:
        if self._silences >= ALARMING_SILENCES:
            down_ms = self.now_ms - self._silent_since_ms
            restored = ConnectionRestored(asset=self._asset, what=_EXCHANGE, down_ms=down_ms)
            self.tell(NOTIFIER, restored)
        self._silences = 0
        if self._is_out_of_reach:
            self._is_out_of_reach = False
            self.tell(PORTFOLIO, MalfunctionEnded(source=self.name))

    def _alarm(self, alarm: Message) -> None:
        kind = type(alarm).__name__
        if isinstance(alarm, RiskRaised):
            kind = alarm.key.partition("/")[0]
            told = self._alarms.get(kind)
            if isinstance(told, RiskRaised) and told.key == alarm.key:
                return
        self._alarms[kind] = alarm
        self.tell(NOTIFIER, alarm)

    def _compare(self, holding: Holding) -> None:
        """Open nothing while the exchange holds another quantity than the books."""
        booked = ZERO if self._position is None else self._position.signed_qty
        if holding.signed_qty == booked:
            self._thaw()
            return
        self._differences += 1
        text = f"the exchange holds {holding.signed_qty:f}, the books say {booked:f}"
        self._doubt(text)
        # An execution may be on its way; only a difference that stays is worth an alarm.
        if self._differences == ALARMING_DIFFERENCES:
            self._alarm(PositionDiffers(asset=self._asset, since_ms=self.now_ms, detail=text))
            self._is_frozen = True
            self._tell_portfolio()
        if self._is_frozen:
            # What quick questions did not explain is asked again, but not for ever every second.
            self._ask_again_in(max(self._ask_again_ms, self._reconcile_ms or 0))

    def _thaw(self) -> None:
        self._differences = 0
        if self._is_frozen:
            self._is_frozen = False
            self.tell(PORTFOLIO, AssetThawed(asset=self._asset))

    def _since_ms(self) -> int:
        """Return from when on executions may be unknown; late ones are found twice, not lost."""
        return min(self._newest_execution_ms, self.now_ms) - LOOK_BACK_MS

    def _look_up(self, order_id: str) -> None:
        order = self._orders[order_id]
        if not order.is_under_way:
            return
        if 0 < self._unread.get(order_id, 0) <= UNREAD_SENDS:
            self._send(order.intent)
            return
        update = self._exchange.order(self._asset, order_id)
        if update is not None:
            self._apply_update(order, update)
        elif order.intent.purpose is not Purpose.ENTRY:
            self._send(order.intent)
        else:
            why_not = self._why_not_send(order.intent)
            if why_not is None:
                self._send(order.intent)
            else:
                news = self._news(order_id, OrderStatus.VOID, why_not)
                self._apply_update(order, news)

    def _doubt(self, why: str) -> None:
        """Open nothing, and ask again in a while."""
        logger.bind(actor=self.name, asset=self._asset).warning("{}: {}", self.name, why)
        self._is_certain = False
        self._has_doubted = True
        self._ask_again_in(self._ask_again_ms)

    def _ask_again_in(self, pause_ms: int, *, is_routine: bool = False) -> None:
        if self._timer is not None:
            self._timer.cancel()
        question = AskExchange(is_routine=is_routine)
        # A doubt that waits must not be replaced by a routine question.
        latest = "routine" if is_routine else "ask"
        self._timer = self._clock.call_at(
            self.now_ms + pause_ms,
            lambda: self.hand_in(question, sender="clock", latest=latest),
        )

    # Orders.

    def _send(self, intent: Intent) -> None:
        order_id = intent.request.client_order_id
        try:
            update = self._exchange.submit(intent.request, self.incarnation.is_ours)
        except OrderNotProcessedError as error:
            update = self._unread_news(intent, str(error))
        except (OrderRefusedError, AccessDeniedError) as error:
            update = self._news(order_id, OrderStatus.REJECTED, str(error))
        except OutcomeUnknownError as error:
            self._unread.pop(order_id, None)
            update = self._news(order_id, OrderStatus.UNKNOWN, str(error))
            self._doubt(f"{order_id} may or may not have been accepted: {error}")
        else:
            self._unread.pop(order_id, None)
        self._apply_update(self._orders[order_id], update)

    def _unread_news(self, intent: Intent, why: str) -> OrderUpdate:
        """Return what becomes of an order that the exchange did not look at.

        A close is sent again as it is, a few times; what an entry was decided on may be over.
        """
        order_id = intent.request.client_order_id
        self._unread[order_id] = self._unread.get(order_id, 0) + 1
        if intent.purpose is Purpose.ENTRY or self._unread[order_id] > UNREAD_SENDS:
            return self._news(order_id, OrderStatus.REJECTED, why)
        self._doubt(f"{order_id} was not looked at, and is sent again: {why}")
        return self._news(order_id, OrderStatus.UNKNOWN, why)

    def _apply_update(self, order: Order, update: OrderUpdate) -> None:
        after = order.apply(update)
        if after.state == order.state:
            return
        self._journal.append(update)
        self._orders[order.client_order_id] = after
        if not after.is_under_way:
            self._repeat_answer(after, update.detail)
            self._on_ended(after)

    def _repeat_answer(self, order: Order, detail: str = "") -> None:
        """Tell that an order ended without a fill; fills are told as facts."""
        if order.is_under_way or order.state.filled_qty:
            return
        for receiver in (asset_name(self._asset), PORTFOLIO):
            rejected = OrderRejected(
                asset=self._asset,
                client_order_id=order.client_order_id,
                purpose=order.intent.purpose,
                detail=detail or order.state.status,
            )
            self.tell(receiver, rejected)

    def _on_ended(self, order: Order) -> None:
        """Close what the end of a close has left open."""
        if not has_left_open(order, self._position):
            return
        command, filled_qty = _command_of(order), order.state.filled_qty
        if order.state.status is OrderStatus.CANCELED and filled_qty:
            left_qty = order.intent.request.qty - filled_qty
            if self._position is not None and self._position.qty == left_qty:
                self._on_close(command)
            else:  # the news of its fills are still on their way
                self._unfinished = command
                self._ask_exchange()
            return
        # Perhaps it was refused because the position is gone: what is true is asked first.
        self._unfinished = command
        self._doubt(f"{order.client_order_id} has closed nothing: {order.state.status}")
        self._ask_again_in(self._pause_ms(order.intent))

    def _go_on_closing(self) -> None:
        """Make the next attempt at a close, now that the exchange has said what is open."""
        command, self._unfinished = self._unfinished, None
        if command is not None:
            self._on_close(command)

    def _go_on_flattening(self) -> None:
        """Close what is open, or tell that the exchange holds nothing of ours any more.

        The round that ends here has found the books to be the exchange's.
        """
        wanted = self._flatten
        if wanted is None or self._has_doubted:
            return
        position = self._position
        is_closed = position is None or is_younger(position, wanted.t_ms)
        is_idle = not any(order.is_under_way for order in self._orders.values())
        if is_closed and is_idle and self._resting == 0:
            self._flatten = None
            self.tell(PORTFOLIO, AssetFlat(asset=self._asset, t_ms=wanted.t_ms))
            return
        self._on_close(
            ClosePosition(
                asset=self._asset,
                t_ms=wanted.t_ms,
                purpose=Purpose.OPERATOR,
                reason=ExitReason.OPERATOR,
            )
        )
        self._ask_again_in(self._ask_again_ms)

    def _pause_ms(self, intent: Intent) -> int:
        """Return the pause before the next attempt at a close; call a person after too many."""
        if intent.attempt >= CLOSE_ATTEMPTS:
            self._alarm(not_closed(intent))
        return self._ask_again_ms << (min(intent.attempt, CLOSE_ATTEMPTS) - 1)

    def _intend(self, intent: Intent) -> None:
        self._journal.append(intent)
        self._orders[intent.request.client_order_id] = Order(intent=intent, origin=self.origin)

    def _void(self, intent: Intent, detail: str) -> None:
        order_id = intent.request.client_order_id
        voided = self._news(order_id, OrderStatus.VOID, detail)
        # An entry that will never be sent needs no leave: the newest epoch lets it be stored.
        self._journal.append(replace(intent, protection_epoch=None), voided)
        state = INTENDED.apply(voided)
        self._orders[order_id] = Order(intent=intent, state=state, origin=self.origin)
        self._repeat_answer(self._orders[order_id], detail)

    def _why_not_enter(self, grant: Grant) -> str | None:
        if self._position is not None:
            return "a position is open"
        if any(order.is_under_way for order in self._orders.values()):
            return "an order is under way"
        if not self._is_certain:
            return "the exchange has not said yet what is true"
        return self._why_too_old(grant.t_ms)

    def _why_not_send(self, intent: Intent) -> str | None:
        """Return why an entry that never arrived is not sent again."""
        newest, granted = self._journal.newest_epoch(), intent.protection_epoch or 0
        if newest > granted:
            return f"it was granted in protection epoch {granted}, by now it is {newest}"
        return self._why_too_old(intent.decided_ms)

    def _why_too_old(self, decided_ms: int) -> str | None:
        age_ms, limit_ms = self.now_ms - decided_ms, self._rules.strategy.entry_max_age_ms
        return (
            f"the grant is {age_ms} ms old, {limit_ms} are allowed" if age_ms > limit_ms else None
        )

    # Positions.

    def _protect(self, holding: Holding) -> None:
        """Have both stops stand at the exchange where the average entry price puts them."""
        if not holding.signed_qty:
            self._naked_since_ms = None
            return
        side, entry_price = self._entered(holding)
        if entry_price is None:
            return
        wanted = protective_levels(
            entry_price, side, self._rules.risk, self._rules.asset(self._asset).instrument
        )
        if (holding.stop_loss, holding.take_profit) != (wanted.stop_loss, wanted.take_profit):
            if holding.stop_loss is None and self._naked_since_ms is None:
                self._naked_since_ms = self.now_ms
            self._agenda.appendleft(partial(self._set_stops, wanted))

    def _entered(self, holding: Holding) -> tuple[Side, Decimal | None]:
        """Return side and price of the entry: the books', or the exchange's where they know none.

        A position that the books do not explain gets a stop like any other, once its stop is
        missing; a stop that somebody set for it is left alone.
        """
        if self._position is not None:
            return self._position.side, self._position.avg_entry_price
        side = Side.BUY if holding.signed_qty > 0 else Side.SELL
        is_unexplained = self._differences > 1 and holding.stop_loss is None
        return side, holding.avg_entry_price if is_unexplained else None

    def _set_stops(self, wanted: ProtectiveLevels) -> None:
        try:
            self._exchange.set_stops(self._asset, wanted, self.incarnation.is_ours)
        except (*NO_ANSWER, OrderRefusedError, OutcomeUnknownError) as error:
            self._doubt(f"the stops could not be set: {error}")
            self._close_if_naked()
        else:
            # A stop that is not seen yet right after its entry is no danger, and no news.
            if self._stands_long():
                self._tell_naked(is_set_again=True)
            self._naked_since_ms = None

    def _stands_long(self) -> bool:
        opened_ms = self.now_ms if self._position is None else self._position.opened_ms
        return self.now_ms - opened_ms >= self._rules.risk.naked_position_ms

    def _tell_naked(self, *, is_set_again: bool) -> None:
        if self._naked_since_ms is not None:
            naked = PositionNaked(
                asset=self._asset, since_ms=self._naked_since_ms, is_set_again=is_set_again
            )
            self._alarm(naked)

    def _close_if_naked(self) -> None:
        """Close a position that stands without a stop for too long, since none can be set."""
        since_ms, limit_ms = self._naked_since_ms, self._rules.risk.naked_position_ms
        if since_ms is None or self.now_ms - since_ms < limit_ms:
            return
        if not any(map(is_close_under_way, self._orders.values())):
            self._tell_naked(is_set_again=False)
            command = ClosePosition(
                asset=self._asset,
                t_ms=self.now_ms,
                purpose=Purpose.NAKED,
                reason=ExitReason.NAKED,
            )
            self._on_close(command)

    def _go_on_with(self, order: Order) -> None:
        """Make the news of an order part of the causal tree that it began in."""
        self.continue_trace(None if order.origin is None else Origin(*order.origin))

    def _news(self, order_id: str, status: OrderStatus, detail: str) -> OrderUpdate:
        return OrderUpdate(
            client_order_id=order_id,
            status=status,
            filled_qty=ZERO,
            ts_ms=self.now_ms,
            detail=detail,
        )


def _has_grown(before: Position | None, after: Position | None) -> bool:
    return after is not None and (before is None or before.qty < after.qty)


def _command_of(close: Order) -> ClosePosition:
    """Return the command that a close was sent for."""
    intent = close.intent
    if intent.reason is None:
        message = f"expected a close, found the entry {close.client_order_id}"
        raise ValueError(message)
    return ClosePosition(
        asset=intent.request.asset,
        t_ms=intent.decided_ms,
        purpose=intent.purpose,
        reason=intent.reason,
    )

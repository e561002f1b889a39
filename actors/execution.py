"""The actor that trades one asset: intents on disk first, then the exchange, then the news.

Receives: OpenPosition, ClosePosition, ResolveEntry; ExecutionSeen, OrderSeen, PositionMarked from
the exchange; Restarted, GivenUp.
Publishes: PositionChanged, OrderRejected to the asset and the portfolio; PositionMarked to the
portfolio; PositionOpened, TradeClosed to the notifier.
Owns: the asset's orders and stops at the exchange, and the journal of both.
"""

from dataclasses import replace
from decimal import Decimal

from actors.asset import raise_unknown
from actors.core.actor import Incarnation, SupervisedActor
from actors.core.envelope import Origin
from actors.messages import (
    ClosePosition,
    ExecutionSeen,
    GivenUp,
    Message,
    OpenPosition,
    OrderRejected,
    OrderSeen,
    PositionChanged,
    PositionMarked,
    PositionOpened,
    ResolveEntry,
    Restarted,
    TradeClosed,
)
from actors.names import NOTIFIER, PORTFOLIO, asset_name
from actors.ports import Exchange, Journal, Journals, Subscription
from domain.decisions import Grant
from domain.errors import OrderRefusedError, OutcomeUnknownError, StaleGrantError
from domain.facts import Fact, Order
from domain.market import Side
from domain.orders import (
    INTENDED,
    Intent,
    OrderRequest,
    OrderStatus,
    OrderUpdate,
    Purpose,
    client_order_id,
)
from domain.positions import ZERO, Execution, Position, book
from domain.rules import TradingRules
from domain.sizing import protective_levels


class ExecutionActor(SupervisedActor):
    """One asset's hand at the exchange."""

    def __init__(
        self,
        incarnation: Incarnation,
        *,
        asset: str,
        rules: TradingRules,
        exchange: Exchange,
        journals: Journals,
    ) -> None:
        """Take over `execution/NAME`."""
        super().__init__(incarnation)
        self._asset = asset
        self._rules = rules
        self._exchange = exchange
        self._journals = journals
        self._orders: dict[str, Order] = {}
        self._seen: set[str] = set()
        """Ids of the executions that are booked."""
        self._position: Position | None = None
        self._journal: Journal | None = None
        self._subscription: Subscription | None = None

    def on_start(self) -> None:
        """Fold the facts, then book what the exchange did meanwhile and settle what is open."""
        self._journal = self._journals.open(self.name, lambda: self.origin)
        self._subscription = self._exchange.subscribe(self._asset, self)
        self._orders = {o.client_order_id: o for o in self._journal.orders(self._asset)}
        for stored in self._journal.executions(self._asset):
            self._seen.add(stored.execution.exec_id)
            self._position = book(self._position, stored.execution).position
        for execution in self._exchange.executions(self._asset):
            self._on_execution(execution)
        for order in list(self._orders.values()):
            if order.is_under_way:
                self._look_up(order)
        self._protect()

    def handle(self, message: Message) -> None:
        """Do what a message says."""
        match message:
            case OpenPosition(grant=grant):
                self._on_open(grant)
            case ClosePosition():
                self._on_close(message)
            case ResolveEntry(grant=grant):
                self._on_resolve(grant)
            case ExecutionSeen(execution=execution):
                self._on_execution(execution)
            case OrderSeen(update=update):
                self._on_order(update)
            case PositionMarked():
                self.tell(PORTFOLIO, message, latest=f"mark/{self._asset}")
            case Restarted() | GivenUp():
                pass
            case _:
                raise_unknown(self.name, message)

    def _on_open(self, grant: Grant) -> None:
        order = self._orders.get(_entry_id(grant))
        if order is not None:
            self._repeat_answer(order)
            return
        intent = self._entry_intent(grant)
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
        if position is None or any(map(_is_close_under_way, self._orders.values())):
            return
        if position.decided_ms is not None and position.decided_ms >= command.t_ms:
            return
        intent = self._close_intent(command, position)
        self._intend(intent)
        self._send(intent)

    def _on_resolve(self, grant: Grant) -> None:
        order = self._orders.get(_entry_id(grant))
        if order is None:
            self._void(self._entry_intent(grant), "the grant was never used")
        elif order.is_under_way:
            self._look_up(order)
        else:
            self._repeat_answer(order)

    def _on_execution(self, execution: Execution) -> None:
        if execution.exec_id in self._seen:
            return
        execution = self._explain(execution)
        booked = book(self._position, execution)
        facts: list[Fact] = [execution]
        if booked.trade is not None:
            facts.append(booked.trade)
        fact_id = self._append(*facts)
        self._seen.add(execution.exec_id)
        before, self._position = self._position, booked.position
        for receiver in (asset_name(self._asset), PORTFOLIO):
            self.tell(receiver, PositionChanged(fact_id=fact_id, execution=execution))
        if booked.trade is not None:
            self.tell(NOTIFIER, TradeClosed(trade=booked.trade))
        if self._position is not None and (before is None or before.qty < self._position.qty):
            self._protect()
            opened = PositionOpened(
                position=self._position, client_order_id=execution.client_order_id
            )
            self.tell(NOTIFIER, opened)

    def _on_order(self, update: OrderUpdate) -> None:
        order = self._orders.get(update.client_order_id)
        if order is None:
            return
        self.continue_trace(None if order.origin is None else Origin(*order.origin))
        self._apply_update(order, update)

    def release(self) -> None:
        """Let go of the exchange's news and the journal."""
        if self._subscription is not None:
            self._subscription.close()
        if self._journal is not None:
            self._journal.close()

    # Called by the exchange, from its own thread.

    def on_execution(self, execution: Execution) -> None:
        """Take an execution."""
        self.hand_in(ExecutionSeen(execution=execution), sender=f"exchange/{self._asset}")

    def on_order(self, update: OrderUpdate) -> None:
        """Take news of an order."""
        self.hand_in(OrderSeen(update=update), sender=f"exchange/{self._asset}")

    def on_mark_price(self, ts_ms: int, mark_price: Decimal) -> None:
        """Take the mark price; only the newest that still waits is kept."""
        message = PositionMarked(asset=self._asset, ts_ms=ts_ms, mark_price=mark_price)
        self.hand_in(message, sender=f"exchange/{self._asset}", latest="mark")

    # Orders.

    def _send(self, intent: Intent) -> None:
        order_id = intent.request.client_order_id
        try:
            update = self._exchange.submit(intent.request, self.incarnation.is_ours)
        except OrderRefusedError as error:
            update = self._news(order_id, OrderStatus.REJECTED, str(error))
        except OutcomeUnknownError as error:
            update = self._news(order_id, OrderStatus.UNKNOWN, str(error))
        self._apply_update(self._orders[order_id], update)

    def _look_up(self, order: Order) -> None:
        update = self._exchange.order(self._asset, order.client_order_id)
        if update is not None:
            self._apply_update(order, update)
        elif order.intent.purpose is not Purpose.ENTRY or self._is_young(order.intent.decided_ms):
            self._send(order.intent)
        else:
            detail = "never arrived, and too old to be sent"
            self._apply_update(order, self._news(order.client_order_id, OrderStatus.VOID, detail))

    def _apply_update(self, order: Order, update: OrderUpdate) -> None:
        after = order.apply(update)
        if after.state == order.state:
            return
        self._append(update)
        self._orders[order.client_order_id] = after
        if not after.is_under_way:
            self._repeat_answer(after, update.detail)
            self._go_on_closing(after)

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

    def _go_on_closing(self, order: Order) -> None:
        """Close what a partly filled close has left; its order is terminal."""
        intent = order.intent
        was_partial = order.state.status is OrderStatus.CANCELED and order.state.filled_qty
        if intent.reason is None or not was_partial or self._position is None:
            return
        command = ClosePosition(
            asset=self._asset,
            t_ms=intent.decided_ms,
            purpose=intent.purpose,
            reason=intent.reason,
        )
        self._on_close(command)

    def _intend(self, intent: Intent) -> None:
        self._append(intent)
        self._orders[intent.request.client_order_id] = Order(intent=intent, origin=self.origin)

    def _void(self, intent: Intent, detail: str) -> None:
        order_id = intent.request.client_order_id
        voided = self._news(order_id, OrderStatus.VOID, detail)
        # An entry that will never be sent needs no leave: the newest epoch lets it be stored.
        self._append(replace(intent, protection_epoch=None), voided)
        state = INTENDED.apply(voided)
        self._orders[order_id] = Order(intent=intent, state=state, origin=self.origin)
        self._repeat_answer(self._orders[order_id], detail)

    def _entry_intent(self, grant: Grant) -> Intent:
        levels = protective_levels(
            grant.price, Side.SELL, self._rules.risk, self._rules.asset(self._asset).instrument
        )
        request = OrderRequest(
            client_order_id=_entry_id(grant),
            asset=self._asset,
            side=Side.SELL,
            qty=grant.qty,
            reduce_only=False,
            stop_loss=levels.stop_loss,
            take_profit=levels.take_profit,
        )
        return Intent(
            request=request,
            decided_ms=grant.t_ms,
            purpose=Purpose.ENTRY,
            attempt=1,
            reason=None,
            cross_ms=grant.cross_ms,
            protection_epoch=grant.protection_epoch,
        )

    def _close_intent(self, command: ClosePosition, position: Position) -> Intent:
        attempt = 1 + sum(
            order.intent.decided_ms == command.t_ms and order.intent.purpose is command.purpose
            for order in self._orders.values()
        )
        request = OrderRequest(
            client_order_id=client_order_id(self._asset, command.t_ms, command.purpose, attempt),
            asset=self._asset,
            side=Side.BUY if position.side is Side.SELL else Side.SELL,
            qty=position.qty,
            reduce_only=True,
        )
        return Intent(
            request=request,
            decided_ms=command.t_ms,
            purpose=command.purpose,
            attempt=attempt,
            reason=command.reason,
            cross_ms=None,
            protection_epoch=None,
        )

    def _why_not_enter(self, grant: Grant) -> str | None:
        if self._position is not None:
            return "a position is open"
        if any(order.is_under_way for order in self._orders.values()):
            return "an order is under way"
        if not self._is_young(grant.t_ms):
            return f"the grant is {self.now_ms - grant.t_ms} ms old"
        return None

    def _is_young(self, decided_ms: int) -> bool:
        return self.now_ms - decided_ms <= self._rules.strategy.entry_max_age_ms

    # Positions.

    def _explain(self, execution: Execution) -> Execution:
        """Return an execution with what its intent knows of it."""
        order = self._orders.get(execution.client_order_id or "")
        if order is None:
            return execution
        self.continue_trace(None if order.origin is None else Origin(*order.origin))
        return replace(
            execution,
            decided_ms=order.intent.decided_ms,
            reason=order.intent.reason,
            cross_ms=order.intent.cross_ms,
        )

    def _protect(self) -> None:
        """Have both stops stand at the exchange where the average entry price puts them."""
        if self._position is None:
            return
        wanted = protective_levels(
            self._position.avg_entry_price,
            self._position.side,
            self._rules.risk,
            self._rules.asset(self._asset).instrument,
        )
        if self._exchange.stops(self._asset) != wanted:
            self._exchange.set_stops(self._asset, wanted, self.incarnation.is_ours)

    def _append(self, *facts: Fact) -> int:
        if self._journal is None:
            message = "the journal is not open"
            raise RuntimeError(message)
        return self._journal.append(*facts)[0]

    def _news(self, order_id: str, status: OrderStatus, detail: str) -> OrderUpdate:
        return OrderUpdate(
            client_order_id=order_id,
            status=status,
            filled_qty=ZERO,
            ts_ms=self.now_ms,
            detail=detail,
        )


def _entry_id(grant: Grant) -> str:
    return client_order_id(grant.asset, grant.t_ms, Purpose.ENTRY, 1)


def _is_close_under_way(order: Order) -> bool:
    return order.is_under_way and order.intent.purpose is not Purpose.ENTRY

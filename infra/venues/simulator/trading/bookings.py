"""Books executions: their effects on order, account and protection of the position."""

from decimal import Decimal

from domain.trading.positions import ZERO, Execution, ExecutionKind, Position
from infra.venues.simulator.books.account import closed_qty
from infra.venues.simulator.position_keys import symbol_of
from infra.venues.simulator.records import ExecType, VenueExecution, VenueOrder
from infra.venues.simulator.trading.context import VenueContext
from infra.venues.simulator.trading.requests import PartialStops


class Bookings:
    """Books executions.

    Always true: after `settle` the protection follows the position, and reduce-only orders without
    a position are gone.
    """

    def __init__(self, context: VenueContext) -> None:
        """Book to the parts of a venue context."""
        self._account = context.account
        self._market = context.market
        self._ledger = context.ledger
        self._protection = context.protection
        self._sink = context.sink

    def trade(
        self,
        order: VenueOrder,
        qty: Decimal,
        price: Decimal,
        time_ms: int,
        *,
        is_maker: bool,
        exec_type: ExecType = ExecType.TRADE,
    ) -> None:
        """Trade an order at exactly this price."""
        engine, before = self._account.engine, self._account.position(order.key)
        number = len(engine.executions(order.key)) + 1
        execution = engine.book_execution(
            Execution(
                exec_id=f"{order.key}-{number}",
                asset=order.key,
                ts_ms=time_ms,
                kind=ExecutionKind.TRADE,
                side=order.side,
                qty=qty,
                price=price,
                fee=qty * price * self._account.fee_rate(is_maker=is_maker),
                client_order_id=order.order_id,
            )
        )
        self.take_in(order, before, execution, is_maker=is_maker, exec_type=exec_type)

    def take_in(
        self,
        order: VenueOrder,
        before: Position | None,
        execution: Execution,
        *,
        is_maker: bool,
        exec_type: ExecType = ExecType.TRADE,
    ) -> None:
        """Record what the engine has booked on its order."""
        order.filled_qty += execution.qty
        order.filled_notional += execution.qty * execution.price
        order.fee += execution.fee
        if order.reduce_only and not order.is_protective:
            order.qty = max(order.filled_qty, min(order.qty, before.qty if before else order.qty))
        rate = self._account.fee_rate(is_maker=is_maker)
        closed = len(self._account.closed)
        self._note(before, execution, order, exec_type, fee_rate=rate, is_maker=is_maker)
        if len(self._account.closed) > closed:
            order.closed_pnl += self._account.closed[-1].pnl

    def settle_funding(self, key: str, price: Decimal, rate: Decimal, time_ms: int) -> None:
        """Pay funding on the position at a mark price."""
        before = self._account.position(key)
        for event in self._account.engine.settle_funding(key, price, rate, time_ms):
            if isinstance(event, Execution):
                self._note(before, event, None, ExecType.FUNDING, fee_rate=rate)
        if before is not None:
            self._sink.position(key)

    def settle(self, order: VenueOrder, before: Position | None) -> None:
        """Bring stops and reduce-only orders in line with the position after a fill."""
        key, after = order.key, self._account.position(order.key)
        if before is not None and (after is None or after.side is not before.side):
            self._protection.clear(key)
            for other in self._ledger.open_orders(order.symbol):
                if other.key == key and other.reduce_only and other.is_open:
                    is_stop = other.is_stop_of_position
                    how = "CancelByTpSlTsClear" if is_stop else "CancelByReduceOnly"
                    self._ledger.cancel(other, how)
        if after is None or not order.filled_qty:
            return
        has_levels = order.stop_loss is not None or order.take_profit is not None
        if has_levels and after.side is order.side and order.tpsl_mode == "Partial":
            self._protection.add_partial(key, _stops_of(order))
        elif has_levels and after.side is order.side:
            parent, protection = order.link_id, self._protection
            protection.set(key, "StopLoss", order.stop_loss, order.sl_trigger_by, parent)
            protection.set(key, "TakeProfit", order.take_profit, order.tp_trigger_by, parent)
        self._protection.follow(key)

    def _note(
        self,
        before: Position | None,
        execution: Execution,
        order: VenueOrder | None,
        exec_type: ExecType,
        *,
        fee_rate: Decimal,
        is_maker: bool = False,
    ) -> None:
        is_funding = exec_type is ExecType.FUNDING
        made = VenueExecution(
            seq=self._ledger.next_seq(),
            exec_id=self._ledger.new_id(),
            exec_type=exec_type,
            booked=execution,
            order_id=order.order_id if order else f"{execution.ts_ms // 1000}-8-592324-1-2",
            link_id=order.link_id if order else "",
            order_type="UNKNOWN" if order is None else "Market" if order.is_market else "Limit",
            stop_order_type=(order.stop_order_type if order else "") or "UNKNOWN",
            create_type=order.create_type if order else "",
            order_qty=order.qty if order else execution.qty,
            order_price=order.price if order else ZERO,
            leaves_qty=order.leaves_qty if order else ZERO,
            is_maker=is_maker,
            fee_rate=fee_rate,
            mark_price=self._market.mark_price(symbol_of(execution.asset)),
            closed_qty=ZERO if is_funding else closed_qty(before, execution.side, execution.qty),
            leverage=self._account.books[execution.asset].leverage,
        )
        self._account.note(before, made)
        self._sink.execution(made)


def _stops_of(order: VenueOrder) -> PartialStops:
    return PartialStops(
        qty=order.filled_qty,
        parent_link_id=order.link_id,
        stop_loss=order.stop_loss,
        take_profit=order.take_profit,
        sl_trigger_by=order.sl_trigger_by,
        tp_trigger_by=order.tp_trigger_by,
        sl_limit_price=order.sl_limit_price,
        tp_limit_price=order.tp_limit_price,
    )

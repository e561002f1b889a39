"""Order entry and matching: what becomes of every order, stop and position."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Protocol

from domain.market import Side
from domain.matching import CandlePrices
from domain.orders import ExitReason, OrderRequest
from domain.positions import ZERO, Execution, ExecutionKind, Position
from infra.simulator import refusals
from infra.simulator.account import MAKER_FEE_RATE, Account, PositionView, closed_qty
from infra.simulator.account_settings import AccountSettings
from infra.simulator.margin import MarginMode
from infra.simulator.order_checks import OrderChecks
from infra.simulator.order_ledger import NewOrder, OrderLedger, Sink
from infra.simulator.prices.candles import Tick
from infra.simulator.prices.market import Market
from infra.simulator.protection import Protection
from infra.simulator.records import ExecType, Status, VenueExecution, VenueOrder

_RISE = 1


class Chances(Protocol):
    """The faults that the venue itself commits."""

    def partial_fill(self, symbol: str) -> Decimal | None:
        """Return the fraction that the next market order fills before it is canceled."""

    def rejects(self, symbol: str) -> str | None:
        """Return why the next order is rejected after its acknowledgement."""


class Venue:
    """All orders of the one account, and the rules by which they fill.

    Always true: what rests, fills and ends is in the ledger; after each fill the protection follows
    the position, and reduce-only orders without a position are gone.
    """

    def __init__(
        self,
        account: Account,
        market: Market,
        sink: Sink,
        chances: Chances,
        now_ms: Callable[[], int],
        seed: int,
    ) -> None:
        """Start without orders."""
        self.account = account
        self.ledger = OrderLedger(market, sink, now_ms, seed)
        self.protection = Protection(account, self.ledger, sink)
        self._market = market
        self._sink = sink
        self._chances = chances
        self.settings = AccountSettings(account, self.ledger, sink)
        self._checks = OrderChecks(account, market, self.ledger)

    # Orders of the client.

    def create(self, wanted: NewOrder) -> VenueOrder:
        """Accept an order; `process` decides later what becomes of it.

        Raises:
            RefusedError: nothing was accepted.
        """
        instrument = self.ledger.instrument(wanted.symbol)
        if wanted.qty == 0 and wanted.reduce_only and wanted.close_on_trigger:
            wanted = replace(wanted, qty=self._whole_position(wanted))
        self._checks.check(wanted, instrument)
        order = self.ledger.new(wanted)
        self._checks.check_balance(order)
        self.ledger.keep(order)
        self._sink.order(order)
        return order

    def process(self, order_id: str) -> None:
        """Let an accepted order meet the market; once only."""
        order = self.ledger.orders[order_id]
        if order.status is not Status.CREATED:
            return
        reason = self._chances.rejects(order.symbol)
        if reason is not None:
            order.reject_reason = reason
            self.ledger.end(order, Status.REJECTED)
        elif order.trigger_price is not None:
            self.ledger.rest(order, Status.UNTRIGGERED)
        elif order.is_market:
            self._fill_market(order, self._market.last_price(order.symbol))
        else:
            self._meet_book(order)
        self._sink.position(order.symbol)

    def amend(
        self,
        order: VenueOrder,
        *,
        qty: Decimal | None,
        price: Decimal | None,
        trigger_price: Decimal | None,
    ) -> VenueOrder:
        """Change an open order in place.

        Raises:
            RefusedError: the order is not open, or the new values are wrong.
        """
        self.process(order.order_id)
        if not order.is_open:
            raise refusals.no_such_order()
        instrument = self.ledger.instrument(order.symbol)
        if qty is not None:
            self._checks.check_qty(qty, instrument, is_market=order.is_market)
            if qty <= order.filled_qty:
                raise refusals.RefusedError(
                    110064,
                    "The modified contract quantity cannot be less than "
                    "or equal to the filled quantity.",
                )
        for level in (price, trigger_price):
            if level is not None and level % instrument.tick_size:
                raise refusals.invalid("price")
        order.qty = qty or order.qty
        order.price = price or order.price
        order.trigger_price = trigger_price or order.trigger_price
        if order.is_protective:
            self.protection.arm(order.symbol)
        self.ledger.touch(order)
        self._sink.position(order.symbol)
        if not order.is_market and order.trigger_price is None:
            self._meet_book(order)
        return order

    def cancel(self, order: VenueOrder, cancel_type: str = "CancelByUser") -> VenueOrder:
        """End an open order.

        Raises:
            RefusedError: it is not open.
        """
        self.process(order.order_id)
        if not order.is_open:
            raise refusals.no_such_order()
        if order.is_protective:
            self.protection.cancel(order, cancel_type)
        else:
            self.ledger.cancel(order, cancel_type)
        self._sink.position(order.symbol)
        return order

    # The position's own stops and settings.

    def view(self, symbol: str) -> PositionView:
        """Return a symbol's position as it is reported."""
        return self.account.view(symbol, self.protection.levels(symbol))

    def trading_stop(
        self,
        symbol: str,
        stop_loss: Decimal | None,
        take_profit: Decimal | None,
        *,
        sl_trigger_by: str = "LastPrice",
        tp_trigger_by: str = "LastPrice",
    ) -> None:
        """Set, move (None: leave) or remove (0) the full stops of a position.

        Raises:
            RefusedError: flat, nothing changed, or a level on the wrong side.
        """
        position = self.account.position(symbol)
        if position is None:
            raise refusals.wrong("can not set tp/sl/ts for zero position")
        present = self.protection.levels(symbol)
        wanted = {"StopLoss": stop_loss, "TakeProfit": take_profit}
        asked = {kind: level for kind, level in wanted.items() if level is not None}
        if all(level == present.get(kind, ZERO) for kind, level in asked.items()):
            raise refusals.stop_not_modified()
        self._checks.check_levels(
            position.side,
            self._market.last_price(symbol),
            stop_loss or None,
            take_profit or None,
        )
        for level in asked.values():
            if level % self.ledger.instrument(symbol).tick_size:
                raise refusals.invalid("price")
        self.protection.set(symbol, "StopLoss", stop_loss, sl_trigger_by)
        self.protection.set(symbol, "TakeProfit", take_profit, tp_trigger_by)
        self.protection.follow(symbol)
        self._sink.position(symbol)

    # The market moves.

    def settle_funding(self, symbol: str, price: Decimal, rate: Decimal, time_ms: int) -> None:
        """Let funding be paid on the position at a mark price."""
        before = self.account.position(symbol)
        for event in self.account.engine.settle_funding(symbol, price, rate, time_ms):
            if isinstance(event, Execution):
                self._note(before, event, None, ExecType.FUNDING, fee_rate=rate)
        if before is not None:
            self._sink.position(symbol)

    def move(self, tick: Tick) -> None:
        """Let a price's move reach stops, resting orders and the liquidation price."""
        symbol = tick.symbol
        if symbol in self.account.engine.positions:
            self._reach_stops(tick)
        for order in self.ledger.open_orders(symbol):
            if not order.is_open or order.is_protective:
                continue
            if order.status is Status.UNTRIGGERED:
                self._reach_trigger(order, tick)
            elif _trades_through(order, tick):
                self._fill_resting(order, tick.time_ms)
        if symbol in self.account.engine.positions:
            self._reach_liquidation(tick)

    # By hand, and by the exchange's own force.

    def trade_by_hand(self, symbol: str, side: Side, qty: Decimal, *, reduce_only: bool) -> None:
        """Trade as a person does who uses the same account."""
        order = self.ledger.own(
            symbol,
            side,
            qty,
            create_type="CreateByClosing" if reduce_only else "CreateByUser",
            reduce_only=reduce_only,
        )
        self._fill_market(order, self._market.last_price(symbol), whole=True)
        self._sink.position(symbol)

    def liquidate(self, symbol: str, price: Decimal | None = None) -> None:
        """Take a position over, at the bankruptcy price unless another is given."""
        position = self.account.position(symbol)
        if position is None:
            return
        for order in self.ledger.open_orders(symbol):
            if not order.is_protective:
                self.ledger.cancel(order, "CancelByPrepareLiq")
        taken_at = price or self.account.takeover_price(symbol, self._market.mark_price(symbol))
        self._force(position, position.qty, taken_at, "CreateByTakeOver_PassThrough", ExecType.BUST)

    def deleverage(self, symbol: str, fraction: Decimal) -> None:
        """Reduce a position as auto-deleveraging does, at the mark price."""
        position = self.account.position(symbol)
        if position is None:
            return
        step = self.ledger.instrument(symbol)
        qty = max(step.qty_step, step.round_qty(position.qty * fraction))
        price = self._market.mark_price(symbol)
        self._force(
            position, min(qty, position.qty), price, "CreateByAdl_PassThrough", ExecType.ADL
        )

    # An earlier run.

    def restore_order(self, order: VenueOrder) -> None:
        """Take up an order of an earlier run; the newest state of each comes last."""
        self.ledger.restore(order)
        if order.is_protective:
            self.protection.restore(order)

    def restore_execution(self, execution: VenueExecution) -> None:
        """Take up an execution of an earlier run."""
        self.ledger.skip_to(execution.seq)
        self.account.restore(execution)

    def resume(self) -> None:
        """Arm the stops and process what an earlier run had only acknowledged."""
        for symbol in self._market.instruments:
            self.protection.arm(symbol)
        for order in self.ledger.open_orders():
            self.process(order.order_id)

    def _whole_position(self, wanted: NewOrder) -> Decimal:
        position = self.account.position(wanted.symbol)
        if position is None:
            raise refusals.nothing_to_reduce()
        return position.qty

    # The life of an order.

    def _meet_book(self, order: VenueOrder) -> None:
        """Let a limit order take, rest or be canceled, as its time in force says."""
        is_buy = order.side is Side.BUY
        best = (self._market.ask_price if is_buy else self._market.bid_price)(order.symbol)
        crosses = order.price >= best if is_buy else order.price <= best
        if crosses and order.time_in_force == "PostOnly":
            order.reject_reason = "EC_PostOnlyWillTakeLiquidity"
            self.ledger.end(order, Status.CANCELLED)
        elif crosses:
            self._fill_limit(order, best, self.ledger.now_ms(), is_maker=False)
        elif order.time_in_force in {"IOC", "FOK"}:
            order.reject_reason = "EC_NoImmediateQtyToFill"
            self.ledger.end(order, Status.CANCELLED)
        else:
            self.ledger.rest(order, order.status if order.is_open else Status.NEW)

    def _fill_market(
        self,
        order: VenueOrder,
        price: Decimal,
        *,
        time_ms: int | None = None,
        whole: bool = False,
    ) -> None:
        """Fill at a price worsened by the slippage, whole unless a fault forbids it."""
        instrument = self.ledger.instrument(order.symbol)
        fraction = None if whole else self._chances.partial_fill(order.symbol)
        qty = order.qty if fraction is None else instrument.round_qty(order.qty * fraction)
        before, engine = self.account.position(order.symbol), self.account.engine
        if qty and self._can_fill(order):
            request = OrderRequest(
                client_order_id=order.order_id,
                asset=order.symbol,
                side=order.side,
                qty=qty,
                reduce_only=order.reduce_only,
            )
            engine.submit(request, self.ledger.now_ms())
            for event in engine.fill(order.order_id, price, time_ms or self.ledger.now_ms()):
                if isinstance(event, Execution):
                    self._take_in(order, before, event, is_maker=False)
        if order.filled_qty and fraction is None:
            self.ledger.end(order, Status.FILLED)
        else:
            if order.filled_qty or fraction is not None:
                order.reject_reason = "EC_NoImmediateQtyToFill"
            else:
                order.cancel_type = "CancelByReduceOnly"
            self.ledger.end(order, Status.CANCELLED)
        self._settle(order, before)

    def _fill_limit(
        self, order: VenueOrder, price: Decimal, time_ms: int, *, is_maker: bool
    ) -> None:
        before = self.account.position(order.symbol)
        if not self._can_fill(order):
            self.ledger.cancel(order, "CancelByReduceOnly")
            return
        qty = order.leaves_qty
        if order.reduce_only and before is not None:
            qty = min(qty, before.qty)
            order.qty = order.filled_qty + qty
        rate = MAKER_FEE_RATE if is_maker else self.account.rules.taker_fee_rate
        execution = self._book(order, qty, price, rate, time_ms)
        self._take_in(order, before, execution, is_maker=is_maker)
        self.ledger.end(order, Status.FILLED)
        self._settle(order, before)

    def _fill_resting(self, order: VenueOrder, time_ms: int) -> None:
        self._fill_limit(order, order.price, time_ms, is_maker=True)
        self._sink.position(order.symbol)

    def _can_fill(self, order: VenueOrder) -> bool:
        if not order.reduce_only:
            return True
        position = self.account.position(order.symbol)
        return position is not None and position.side is not order.side

    def _book(
        self, order: VenueOrder, qty: Decimal, price: Decimal, rate: Decimal, time_ms: int
    ) -> Execution:
        engine = self.account.engine
        number = len(engine.executions(order.symbol)) + 1
        return engine.book_execution(
            Execution(
                exec_id=f"{order.symbol}-{number}",
                asset=order.symbol,
                ts_ms=time_ms,
                kind=ExecutionKind.TRADE,
                side=order.side,
                qty=qty,
                price=price,
                fee=qty * price * rate,
                client_order_id=order.order_id,
            )
        )

    def _take_in(
        self,
        order: VenueOrder,
        before: Position | None,
        execution: Execution,
        *,
        is_maker: bool,
        exec_type: ExecType = ExecType.TRADE,
    ) -> None:
        """Write an execution to its order."""
        order.filled_qty += execution.qty
        order.filled_notional += execution.qty * execution.price
        order.fee += execution.fee
        if order.reduce_only and not order.is_protective:
            order.qty = max(order.filled_qty, min(order.qty, before.qty if before else order.qty))
        rate = MAKER_FEE_RATE if is_maker else self.account.rules.taker_fee_rate
        closed = len(self.account.closed)
        self._note(before, execution, order, exec_type, fee_rate=rate, is_maker=is_maker)
        if len(self.account.closed) > closed:
            order.closed_pnl += self.account.closed[-1].pnl

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
            seq=self.ledger.next_seq(),
            exec_id=self.ledger.new_id(),
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
            mark_price=self._market.mark_price(execution.asset),
            closed_qty=ZERO if is_funding else closed_qty(before, execution.side, execution.qty),
            leverage=self.account.books[execution.asset].leverage,
        )
        self._sink.execution(self.account.note(before, made))

    def _settle(self, order: VenueOrder, before: Position | None) -> None:
        """Bring stops and reduce-only orders in line with the position after a fill."""
        symbol, after = order.symbol, self.account.position(order.symbol)
        if before is not None and (after is None or after.side is not before.side):
            self.protection.clear(symbol)
            for other in self.ledger.open_orders(symbol):
                if other.reduce_only and other.is_open:
                    self.ledger.cancel(other, "CancelByReduceOnly")
        if after is None or not order.filled_qty:
            return
        has_levels = order.stop_loss is not None or order.take_profit is not None
        if has_levels and after.side is order.side:
            self.protection.set(symbol, "StopLoss", order.stop_loss, order.sl_trigger_by)
            self.protection.set(symbol, "TakeProfit", order.take_profit, order.tp_trigger_by)
        self.protection.follow(symbol)

    def _force(
        self, position: Position, qty: Decimal, price: Decimal, how: str, exec_type: ExecType
    ) -> None:
        side = Side.BUY if position.side is Side.SELL else Side.SELL
        order = self.ledger.own(position.asset, side, qty, create_type=how, reduce_only=True)
        rate = self.account.rules.taker_fee_rate
        execution = self._book(order, qty, price, rate, self.ledger.now_ms())
        self._take_in(order, position, execution, is_maker=False, exec_type=exec_type)
        self.ledger.end(order, Status.FILLED)
        self._settle(order, position)
        self._sink.position(position.asset)

    # What a tick reaches.

    def _reach_stops(self, tick: Tick) -> None:
        before = self.account.engine.positions[tick.symbol]
        prices = CandlePrices(open=tick.open, high=tick.high, low=tick.low)
        for event in self.account.engine.trade_through(tick.symbol, prices, tick.time_ms):
            if isinstance(event, Execution):
                kind = "StopLoss" if event.reason is ExitReason.STOP_LOSS else "TakeProfit"
                self._trigger_stop(self.protection.pair(tick.symbol)[kind], before, event)
                return
        for order in self.protection.pair(tick.symbol).values():
            if order.trigger_by == "MarkPrice" and self._is_reached(order, tick):
                order.status = Status.TRIGGERED
                self._fill_market(order, tick.last, time_ms=tick.time_ms, whole=True)
                self._sink.position(tick.symbol)
                return

    def _trigger_stop(self, order: VenueOrder, before: Position, execution: Execution) -> None:
        order.status = Status.TRIGGERED
        order.price = self.ledger.bound(order.symbol, order.side, execution.price)
        order.qty = execution.qty
        self._take_in(order, before, execution, is_maker=False)
        self.ledger.end(order, Status.FILLED)
        self._settle(order, before)
        self._sink.position(order.symbol)

    def _is_reached(self, order: VenueOrder, tick: Tick) -> bool:
        trigger = order.trigger_price or ZERO
        high, low = tick.high, tick.low
        if order.trigger_by == "MarkPrice":
            high = self._market.mark_of(tick.symbol, high)
            low = self._market.mark_of(tick.symbol, low)
        return high >= trigger if order.trigger_direction == _RISE else low <= trigger

    def _reach_trigger(self, order: VenueOrder, tick: Tick) -> None:
        if not self._is_reached(order, tick):
            return
        trigger = order.trigger_price or ZERO
        order.status = Status.TRIGGERED
        if order.is_market:
            rising = order.trigger_direction == _RISE
            price = max(trigger, tick.open) if rising else min(trigger, tick.open)
            self._fill_market(order, price, time_ms=tick.time_ms)
        else:
            self._meet_book(order)
        self._sink.position(order.symbol)

    def _reach_liquidation(self, tick: Tick) -> None:
        price = self.account.liquidation_price(tick.symbol)
        if price is None:
            return
        is_short = self.account.engine.positions[tick.symbol].side is Side.SELL
        worst = self._market.mark_of(tick.symbol, tick.high if is_short else tick.low)
        if worst >= price if is_short else worst <= price:
            is_isolated = self.account.margin_mode is MarginMode.ISOLATED
            self.liquidate(tick.symbol, None if is_isolated else worst)


def _trades_through(order: VenueOrder, tick: Tick) -> bool:
    return tick.low < order.price if order.side is Side.BUY else tick.high > order.price

"""Order entry and matching: what becomes of every order, stop and position."""

import random
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Protocol

from domain.market import Instrument, Side
from domain.matching import CandlePrices
from domain.orders import ExitReason, OrderRequest
from domain.positions import ZERO, Execution, ExecutionKind, Position
from domain.sizing import ProtectiveLevels
from infra.simulator import refusals
from infra.simulator.account import MAKER_FEE_RATE, Account, PositionView, closed_qty
from infra.simulator.margin import TIERS, MarginMode
from infra.simulator.market import Market, Tick
from infra.simulator.records import ExecType, Status, StopRecord, VenueExecution, VenueOrder

_LINK_ID = re.compile(r"[A-Za-z0-9_-]{1,36}")
_BAND = Decimal("0.05")
"""How far beyond the mark price a limit order may reach."""
_MOST_ACTIVE = 500
_MOST_CONDITIONAL = 10
_NEVER = Decimal("Infinity")
_RISE, _FALL = 1, 2
LIMIT_FACTOR = 10
"""Largest limit order, in largest market orders."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """What a client asks for, read but not checked."""

    symbol: str
    side: Side
    is_market: bool
    qty: Decimal
    price: Decimal | None
    time_in_force: str
    position_idx: int
    link_id: str
    reduce_only: bool
    close_on_trigger: bool
    stop_loss: Decimal | None
    take_profit: Decimal | None
    sl_trigger_by: str
    tp_trigger_by: str
    trigger_price: Decimal | None
    trigger_direction: int
    trigger_by: str


class Sink(Protocol):
    """Whom the venue tells what has changed."""

    def order(self, order: VenueOrder) -> None:
        """Take an order's new state."""

    def execution(self, execution: VenueExecution) -> None:
        """Take an execution."""

    def position(self, symbol: str) -> None:
        """Take note that a position was touched."""

    def stops(self, record: StopRecord) -> None:
        """Take the stops that a position has from now on."""

    def settings(self) -> None:
        """Take note that leverage or a mode has changed."""


class Chances(Protocol):
    """The faults that the venue itself commits."""

    def partial_fill(self, symbol: str) -> Decimal | None:
        """Return the fraction that the next market order fills before it is canceled."""

    def rejects(self, symbol: str) -> str | None:
        """Return why the next order is rejected after its acknowledgement."""


class Venue:
    """All orders of the one account, and the rules by which they fill.

    Always true: an orderLinkId is accepted once; a flat symbol has no protective orders, and the
    qty of a protective order is the position's.
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
        self.orders: dict[str, VenueOrder] = {}
        self.stop_records: list[StopRecord] = []
        self._market = market
        self._sink = sink
        self._chances = chances
        self._now_ms = now_ms
        self._ids = random.Random(f"{seed}/ids")  # noqa: S311 - ids of a toy exchange
        self._by_link: dict[str, VenueOrder] = {}
        self._open: dict[str, VenueOrder] = {}
        self._protective: dict[str, dict[str, VenueOrder]] = {}
        self._seq = 1_000_000

    # Orders of the client.

    def create(self, wanted: NewOrder) -> VenueOrder:
        """Accept an order; `process` decides later what becomes of it.

        Raises:
            RefusedError: nothing was accepted.
        """
        instrument = self.instrument(wanted.symbol)
        if wanted.qty == 0 and wanted.reduce_only and wanted.close_on_trigger:
            wanted = replace(wanted, qty=self._whole_position(wanted))
        self._check(wanted, instrument)
        order = self._new(wanted, instrument)
        if self.account.order_margin(order) > self.account.available(self.open_orders()):
            raise refusals.not_enough_balance()
        self._keep(order)
        self._sink.order(order)
        return order

    def process(self, order_id: str) -> None:
        """Let an accepted order meet the market; once only."""
        order = self.orders[order_id]
        if order.status is not Status.CREATED:
            return
        reason = self._chances.rejects(order.symbol)
        if reason is not None:
            order.reject_reason = reason
            self._end(order, Status.REJECTED)
        elif order.trigger_price is not None:
            self._rest(order, Status.UNTRIGGERED)
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
        instrument = self.instrument(order.symbol)
        if qty is not None:
            self._check_qty(qty, instrument, is_market=order.is_market)
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
            self._arm(order.symbol)
        self._touch(order)
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
        self._cancel(order, cancel_type)
        self._sink.position(order.symbol)
        return order

    def find(self, order_id: str, link_id: str) -> VenueOrder | None:
        """Return an order that queries can see; the order id goes first."""
        order = self.orders.get(order_id) if order_id else self._by_link.get(link_id)
        if order is None or order.status is Status.CREATED:
            return None
        return order

    def accepted(self, order_id: str, link_id: str) -> VenueOrder | None:
        """Return an order whether queries can see it yet or not."""
        return self.orders.get(order_id) if order_id else self._by_link.get(link_id)

    def open_orders(self) -> Iterator[VenueOrder]:
        """Return what rests, oldest first, and what waits to be processed."""
        return iter(list(self._open.values()))

    def instrument(self, symbol: str) -> Instrument:
        """Return a symbol's filters.

        Raises:
            RefusedError: there is no such symbol.
        """
        found = self._market.instruments.get(symbol)
        if found is None:
            raise refusals.wrong("Symbol Is Invalid" if symbol else "params error: symbol invalid")
        return found

    # The position's own stops and settings.

    def stops(self, symbol: str) -> dict[str, Decimal]:
        """Return the trigger prices of a position's StopLoss and TakeProfit."""
        pair = self._protective.get(symbol, {})
        return {
            kind: order.trigger_price
            for kind, order in pair.items()
            if order.trigger_price is not None
        }

    def view(self, symbol: str) -> PositionView:
        """Return a symbol's position as it is reported."""
        return self.account.view(symbol, self.stops(symbol))

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
        present = self.stops(symbol)
        wanted = {"StopLoss": stop_loss, "TakeProfit": take_profit}
        asked = {kind: level for kind, level in wanted.items() if level is not None}
        if all(level == present.get(kind, ZERO) for kind, level in asked.items()):
            raise refusals.stop_not_modified()
        self._check_levels(
            position.side,
            self._market.last_price(symbol),
            stop_loss or None,
            take_profit or None,
        )
        for level in asked.values():
            if level % self.instrument(symbol).tick_size:
                raise refusals.invalid("price")
        self._set_stop(symbol, "StopLoss", stop_loss, sl_trigger_by)
        self._set_stop(symbol, "TakeProfit", take_profit, tp_trigger_by)
        self._stops_changed(symbol)
        self._sink.position(symbol)

    def set_leverage(self, symbol: str, leverage: Decimal) -> None:
        """Change a symbol's leverage.

        Raises:
            RefusedError: it is the same, or out of range.
        """
        self.instrument(symbol)
        if not 1 <= leverage <= TIERS[0].max_leverage:
            raise refusals.RefusedError(110013, "cannot set leverage gt maxLeverage by risk limit")
        if self.account.books[symbol].leverage == leverage:
            raise refusals.leverage_not_modified()
        self.account.books[symbol].leverage = leverage
        self._sink.settings()
        self._sink.position(symbol)

    def switch_mode(self, *, is_hedged: bool) -> None:
        """Change between one-way and hedge mode.

        Raises:
            RefusedError: it is the same, or something is open.
        """
        if self.account.is_hedged == is_hedged:
            raise refusals.position_mode_not_modified()
        if self.account.engine.positions:
            raise refusals.RefusedError(
                110024, "You have an existing position, so the position mode cannot be switched"
            )
        if self._open:
            raise refusals.RefusedError(
                110028, "You have existing open orders, so the position mode cannot be switched"
            )
        self.account.is_hedged = is_hedged
        self._sink.settings()

    def set_margin_mode(self, mode: MarginMode) -> None:
        """Change the account's margin mode.

        Raises:
            RefusedError: something is open.
        """
        if mode is self.account.margin_mode:
            return
        if self.account.engine.positions or self._open:
            reason = "You have open positions or orders"
            raise refusals.RefusedError(
                3400045,
                "Set margin mode failed",
                {"reasons": [{"reasonCode": "3400000", "reasonMsg": reason}]},
            )
        self.account.margin_mode = mode
        self.account.changed_ms = self._now_ms()
        self._sink.settings()

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
        for order in [order for order in self._open.values() if order.symbol == symbol]:
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
        order = self._own_order(
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
        for order in [order for order in self._open.values() if order.symbol == symbol]:
            if not order.is_protective:
                self._cancel(order, "CancelByPrepareLiq")
        taken_at = price or self.account.takeover_price(symbol, self._market.mark_price(symbol))
        self._force(position, position.qty, taken_at, "CreateByTakeOver_PassThrough", ExecType.BUST)

    def deleverage(self, symbol: str, fraction: Decimal) -> None:
        """Reduce a position as auto-deleveraging does, at the mark price."""
        position = self.account.position(symbol)
        if position is None:
            return
        step = self.instrument(symbol)
        qty = max(step.qty_step, step.round_qty(position.qty * fraction))
        price = self._market.mark_price(symbol)
        self._force(
            position, min(qty, position.qty), price, "CreateByAdl_PassThrough", ExecType.ADL
        )

    # An earlier run.

    def restore_order(self, order: VenueOrder) -> None:
        """Take up an order of an earlier run; the newest state of each comes last."""
        self._seq = max(self._seq, order.seq)
        self.orders[order.order_id] = order
        if order.link_id:
            self._by_link[order.link_id] = order
        self._open.pop(order.order_id, None)
        if order.is_open or order.status is Status.CREATED:
            self._open[order.order_id] = order
        pair = self._protective.setdefault(order.symbol, {})
        if order.is_protective and order.is_open:
            pair[order.stop_order_type] = order
        elif order.is_protective and pair.get(order.stop_order_type, order).seq == order.seq:
            pair.pop(order.stop_order_type, None)

    def restore_execution(self, execution: VenueExecution) -> None:
        """Take up an execution of an earlier run."""
        self._seq = max(self._seq, execution.seq)
        self.account.restore(execution)

    def resume(self) -> None:
        """Arm the stops and process what an earlier run had only acknowledged."""
        self._ids = random.Random(f"{self._ids.random()}/{self._seq}")  # noqa: S311
        for symbol in self._market.instruments:
            self._arm(symbol)
        for order in list(self._open.values()):
            self.process(order.order_id)

    # Checks of a new order.

    def _check(self, wanted: NewOrder, instrument: Instrument) -> None:
        if self.account.is_hedged or wanted.position_idx:
            raise refusals.wrong_position_idx()
        if wanted.link_id:
            if not _LINK_ID.fullmatch(wanted.link_id):
                raise refusals.invalid("orderLinkId")
            if wanted.link_id in self._by_link:
                raise refusals.duplicate_link_id()
        self._check_qty(
            wanted.qty,
            instrument,
            is_market=wanted.is_market,
            is_capped=not wanted.reduce_only,
        )
        price = self._market.last_price(wanted.symbol)
        if not wanted.is_market:
            price = self._checked_price(wanted, instrument)
        if wanted.reduce_only:
            self._check_reducing(wanted)
        elif wanted.qty * price < instrument.min_notional:
            raise refusals.below_minimum_notional(instrument.min_notional)
        self._check_levels(wanted.side, price, wanted.stop_loss, wanted.take_profit)
        for level in (wanted.stop_loss, wanted.take_profit, wanted.trigger_price):
            if level is not None and level % instrument.tick_size:
                raise refusals.invalid("price")
        self._check_trigger(wanted)
        self._check_counts(wanted)

    def _check_qty(
        self, qty: Decimal, instrument: Instrument, *, is_market: bool, is_capped: bool = True
    ) -> None:
        if qty <= 0 or qty % instrument.qty_step:
            raise refusals.off_step()
        if qty < instrument.min_order_qty:
            raise refusals.below_minimum_qty()
        limit = instrument.max_market_order_qty * (1 if is_market else LIMIT_FACTOR)
        if is_capped and qty > limit:
            raise refusals.above_maximum_qty(qty, limit)

    def _checked_price(self, wanted: NewOrder, instrument: Instrument) -> Decimal:
        price = wanted.price
        if price is None or price <= 0 or price % instrument.tick_size:
            raise refusals.invalid("price")
        mark_price = self._market.mark_price(wanted.symbol)
        is_buy = wanted.side is Side.BUY
        beyond = price > mark_price * (1 + _BAND) if is_buy else price < mark_price * (1 - _BAND)
        if beyond:
            raise refusals.price_out_of_band()
        return price

    def _check_reducing(self, wanted: NewOrder) -> None:
        if wanted.stop_loss is not None or wanted.take_profit is not None:
            raise refusals.wrong("reduce-only order can not set tp/sl")
        position = self.account.position(wanted.symbol)
        if wanted.trigger_price is None and (position is None or position.side is wanted.side):
            raise refusals.nothing_to_reduce()

    def _check_levels(
        self, side: Side, base: Decimal, stop_loss: Decimal | None, take_profit: Decimal | None
    ) -> None:
        word, is_long = ("Buy", True) if side is Side.BUY else ("Sell", False)
        if take_profit is not None and (take_profit <= base if is_long else take_profit >= base):
            raise refusals.stop_on_wrong_side("TakeProfit", take_profit, word, base, higher=is_long)
        if stop_loss is not None and (stop_loss >= base if is_long else stop_loss <= base):
            raise refusals.stop_on_wrong_side("StopLoss", stop_loss, word, base, higher=not is_long)

    def _check_trigger(self, wanted: NewOrder) -> None:
        if wanted.trigger_price is None:
            return
        if wanted.trigger_direction not in {_RISE, _FALL}:
            raise refusals.invalid("triggerDirection")
        current = self._market.last_price(wanted.symbol)
        rising = wanted.trigger_direction == _RISE
        passed = wanted.trigger_price <= current if rising else wanted.trigger_price >= current
        if passed:
            raise refusals.trigger_already_passed(wanted.trigger_price, current, rising=rising)

    def _check_counts(self, wanted: NewOrder) -> None:
        mine = [order for order in self._open.values() if order.symbol == wanted.symbol]
        waiting = sum(order.stop_order_type == "Stop" for order in mine)
        if wanted.trigger_price is not None and waiting >= _MOST_CONDITIONAL:
            raise refusals.RefusedError(
                110009, "The number of stop orders exceeds the maximum allowable limit"
            )
        if len(mine) - waiting >= _MOST_ACTIVE:
            raise refusals.RefusedError(110020, "Not allowed to have more than 500 active orders.")

    def _whole_position(self, wanted: NewOrder) -> Decimal:
        position = self.account.position(wanted.symbol)
        if position is None:
            raise refusals.nothing_to_reduce()
        return position.qty

    # The life of an order.

    def _new(self, wanted: NewOrder, instrument: Instrument) -> VenueOrder:
        last_price = self._market.last_price(wanted.symbol)
        is_conditional = wanted.trigger_price is not None
        return VenueOrder(
            seq=self._next_seq(),
            order_id=self._new_id(),
            link_id=wanted.link_id,
            symbol=wanted.symbol,
            side=wanted.side,
            is_market=wanted.is_market,
            qty=wanted.qty,
            price=wanted.price or ZERO
            if not wanted.is_market
            else _bound(instrument, wanted.side, last_price),
            time_in_force="IOC" if wanted.is_market else wanted.time_in_force,
            created_ms=self._now_ms(),
            updated_ms=self._now_ms(),
            reduce_only=wanted.reduce_only,
            close_on_trigger=wanted.close_on_trigger,
            stop_loss=wanted.stop_loss,
            take_profit=wanted.take_profit,
            sl_trigger_by=wanted.sl_trigger_by,
            tp_trigger_by=wanted.tp_trigger_by,
            trigger_price=wanted.trigger_price,
            trigger_direction=wanted.trigger_direction if is_conditional else 0,
            trigger_by=wanted.trigger_by if is_conditional else "",
            stop_order_type="Stop" if is_conditional else "",
            last_price_on_created=last_price,
        )

    def _own_order(
        self,
        symbol: str,
        side: Side,
        qty: Decimal,
        *,
        create_type: str,
        reduce_only: bool,
        trigger_price: Decimal | None = None,
        stop_order_type: str = "",
        trigger_by: str = "",
        trigger_direction: int = 0,
    ) -> VenueOrder:
        last_price = self._market.last_price(symbol)
        order = VenueOrder(
            seq=self._next_seq(),
            order_id=self._new_id(),
            link_id="",
            symbol=symbol,
            side=side,
            is_market=True,
            qty=qty,
            price=_bound(self.instrument(symbol), side, last_price) if not trigger_price else ZERO,
            time_in_force="IOC",
            created_ms=self._now_ms(),
            updated_ms=self._now_ms(),
            reduce_only=reduce_only,
            close_on_trigger=bool(stop_order_type),
            trigger_price=trigger_price,
            trigger_direction=trigger_direction,
            trigger_by=trigger_by,
            stop_order_type=stop_order_type,
            create_type=create_type,
            last_price_on_created=last_price,
        )
        self._keep(order)
        return order

    def _keep(self, order: VenueOrder) -> None:
        self.orders[order.order_id] = order
        self._open[order.order_id] = order
        if order.link_id:
            self._by_link[order.link_id] = order

    def _touch(self, order: VenueOrder) -> None:
        order.updated_ms = max(order.updated_ms, self._now_ms())
        self._sink.order(order)

    def _rest(self, order: VenueOrder, status: Status) -> None:
        order.status = status
        self._touch(order)

    def _end(self, order: VenueOrder, status: Status) -> None:
        order.status = status
        self._open.pop(order.order_id, None)
        self._touch(order)

    def _cancel(self, order: VenueOrder, cancel_type: str) -> None:
        order.cancel_type = cancel_type
        waited = order.status is Status.UNTRIGGERED
        if order.is_protective:
            self._protective.get(order.symbol, {}).pop(order.stop_order_type, None)
            self._arm(order.symbol)
            self._record_stops(order.symbol)
        self._end(order, Status.DEACTIVATED if waited else Status.CANCELLED)

    def _meet_book(self, order: VenueOrder) -> None:
        """Let a limit order take, rest or be canceled, as its time in force says."""
        is_buy = order.side is Side.BUY
        best = (self._market.ask_price if is_buy else self._market.bid_price)(order.symbol)
        crosses = order.price >= best if is_buy else order.price <= best
        if crosses and order.time_in_force == "PostOnly":
            order.reject_reason = "EC_PostOnlyWillTakeLiquidity"
            self._end(order, Status.CANCELLED)
        elif crosses:
            self._fill_limit(order, best, self._now_ms(), is_maker=False)
        elif order.time_in_force in {"IOC", "FOK"}:
            order.reject_reason = "EC_NoImmediateQtyToFill"
            self._end(order, Status.CANCELLED)
        else:
            self._rest(order, order.status if order.is_open else Status.NEW)

    def _fill_market(
        self,
        order: VenueOrder,
        price: Decimal,
        *,
        time_ms: int | None = None,
        whole: bool = False,
    ) -> None:
        """Fill at a price worsened by the slippage, whole unless a fault forbids it."""
        instrument = self.instrument(order.symbol)
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
            engine.submit(request, self._now_ms())
            for event in engine.fill(order.order_id, price, time_ms or self._now_ms()):
                if isinstance(event, Execution):
                    self._take_in(order, before, event, is_maker=False)
        if order.filled_qty and fraction is None:
            self._end(order, Status.FILLED)
        else:
            if order.filled_qty or fraction is not None:
                order.reject_reason = "EC_NoImmediateQtyToFill"
            else:
                order.cancel_type = "CancelByReduceOnly"
            self._end(order, Status.CANCELLED)
        self._settle(order, before)

    def _fill_limit(
        self, order: VenueOrder, price: Decimal, time_ms: int, *, is_maker: bool
    ) -> None:
        before = self.account.position(order.symbol)
        if not self._can_fill(order):
            self._cancel(order, "CancelByReduceOnly")
            return
        qty = order.leaves_qty
        if order.reduce_only and before is not None:
            qty = min(qty, before.qty)
            order.qty = order.filled_qty + qty
        rate = MAKER_FEE_RATE if is_maker else self.account.rules.taker_fee_rate
        execution = self._book(order, qty, price, rate, time_ms)
        self._take_in(order, before, execution, is_maker=is_maker)
        self._end(order, Status.FILLED)
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
            seq=self._next_seq(),
            exec_id=self._new_id(),
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
            self._clear_stops(symbol)
            for other in [other for other in self._open.values() if other.symbol == symbol]:
                if other.reduce_only and other.is_open:
                    self._cancel(other, "CancelByReduceOnly")
        if after is None or not order.filled_qty:
            return
        has_levels = order.stop_loss is not None or order.take_profit is not None
        if has_levels and after.side is order.side:
            self._set_stop(symbol, "StopLoss", order.stop_loss, order.sl_trigger_by)
            self._set_stop(symbol, "TakeProfit", order.take_profit, order.tp_trigger_by)
        self._stops_changed(symbol)

    def _force(
        self, position: Position, qty: Decimal, price: Decimal, how: str, exec_type: ExecType
    ) -> None:
        side = Side.BUY if position.side is Side.SELL else Side.SELL
        order = self._own_order(position.asset, side, qty, create_type=how, reduce_only=True)
        rate = self.account.rules.taker_fee_rate
        execution = self._book(order, qty, price, rate, self._now_ms())
        self._take_in(order, position, execution, is_maker=False, exec_type=exec_type)
        self._end(order, Status.FILLED)
        self._settle(order, position)
        self._sink.position(position.asset)

    # Protective orders.

    def _set_stop(self, symbol: str, kind: str, level: Decimal | None, trigger_by: str) -> None:
        """Create, move or (0) remove one of the position's stops; None leaves it."""
        position = self.account.engine.positions[symbol]
        pair = self._protective.setdefault(symbol, {})
        present = pair.get(kind)
        if level is None or (present is not None and present.trigger_price == level):
            return
        if level == 0:
            if present is not None:
                self._cancel(present, "CancelByTpSlTsClear")
            return
        if present is not None:
            present.trigger_price, present.trigger_by = level, trigger_by
            self._touch(present)
            return
        is_short = position.side is Side.SELL
        order = self._own_order(
            symbol,
            Side.BUY if is_short else Side.SELL,
            position.qty,
            create_type=f"CreateBy{kind}",
            reduce_only=True,
            trigger_price=level,
            stop_order_type=kind,
            trigger_by=trigger_by,
            trigger_direction=_RISE if is_short == (kind == "StopLoss") else _FALL,
        )
        pair[kind] = order
        self._rest(order, Status.UNTRIGGERED)

    def _clear_stops(self, symbol: str) -> None:
        for order in list(self._protective.pop(symbol, {}).values()):
            if order.is_open:
                order.cancel_type = "CancelByTpSlTsClear"
                self._end(order, Status.DEACTIVATED)
        self.account.engine.stops.pop(symbol, None)
        self._record_stops(symbol)

    def _stops_changed(self, symbol: str) -> None:
        position = self.account.engine.positions[symbol]
        for order in self._protective.get(symbol, {}).values():
            if order.qty != position.qty:
                order.qty = position.qty
                self._touch(order)
        self._arm(symbol)
        self._record_stops(symbol)

    def _arm(self, symbol: str) -> None:
        """Give the engine the stops that the last price triggers."""
        position = self.account.position(symbol)
        if position is None:
            return
        armed = {
            kind: order.trigger_price
            for kind, order in self._protective.get(symbol, {}).items()
            if order.trigger_by != "MarkPrice" and order.trigger_price is not None
        }
        above, below = _NEVER, ZERO
        is_short = position.side is Side.SELL
        never_lost, never_won = (above, below) if is_short else (below, above)
        self.account.engine.set_stops(
            symbol,
            ProtectiveLevels(
                stop_loss=armed.get("StopLoss", never_lost),
                take_profit=armed.get("TakeProfit", never_won),
            ),
        )

    def _record_stops(self, symbol: str) -> None:
        position, stops = self.account.position(symbol), self.stops(symbol)
        qty = ZERO if position is None else position.qty
        record = StopRecord(
            ts_ms=self._now_ms(),
            symbol=symbol,
            signed_qty=-qty if position is not None and position.side is Side.SELL else qty,
            stop_loss=stops.get("StopLoss"),
            take_profit=stops.get("TakeProfit"),
        )
        self.stop_records.append(record)
        self._sink.stops(record)

    def _reach_stops(self, tick: Tick) -> None:
        before = self.account.engine.positions[tick.symbol]
        prices = CandlePrices(open=tick.open, high=tick.high, low=tick.low)
        for event in self.account.engine.trade_through(tick.symbol, prices, tick.time_ms):
            if isinstance(event, Execution):
                kind = "StopLoss" if event.reason is ExitReason.STOP_LOSS else "TakeProfit"
                self._trigger_stop(self._protective[tick.symbol][kind], before, event)
                return
        for order in list(self._protective.get(tick.symbol, {}).values()):
            if order.trigger_by == "MarkPrice" and self._is_reached(order, tick):
                order.status = Status.TRIGGERED
                self._fill_market(order, tick.last, time_ms=tick.time_ms, whole=True)
                self._sink.position(tick.symbol)
                return

    def _trigger_stop(self, order: VenueOrder, before: Position, execution: Execution) -> None:
        order.status = Status.TRIGGERED
        order.price = _bound(self.instrument(order.symbol), order.side, execution.price)
        order.qty = execution.qty
        self._take_in(order, before, execution, is_maker=False)
        self._end(order, Status.FILLED)
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

    def _next_seq(self) -> int:
        self._seq += 1
        return self._seq

    def _new_id(self) -> str:
        return str(uuid.UUID(int=self._ids.getrandbits(128), version=4))


def _trades_through(order: VenueOrder, tick: Tick) -> bool:
    return tick.low < order.price if order.side is Side.BUY else tick.high > order.price


def _bound(instrument: Instrument, side: Side, price: Decimal) -> Decimal:
    if side is Side.BUY:
        return instrument.round_price_up(price * (1 + _BAND))
    return instrument.round_price_down(price * (1 - _BAND))

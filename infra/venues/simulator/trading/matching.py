"""Matches accepted orders with the market: they fill, rest, wait for a trigger, or end."""

from decimal import Decimal

from domain.market.instruments import Side
from domain.trading.matching import worsened
from domain.trading.orders import OrderRequest
from domain.trading.positions import Execution
from infra.venues.simulator.records import Status, VenueOrder
from infra.venues.simulator.trading.bookings import Bookings
from infra.venues.simulator.trading.context import VenueContext


class Matching:
    """Matches orders and prices."""

    def __init__(self, context: VenueContext, bookings: Bookings) -> None:
        """Match the orders of a venue context."""
        self._account = context.account
        self._market = context.market
        self._ledger = context.ledger
        self._sink = context.sink
        self._chances = context.chances
        self._bookings = bookings

    def process(self, order: VenueOrder) -> None:
        """Process an accepted order; once only."""
        if order.status is not Status.CREATED:
            return
        reason = self._chances.rejects(order.symbol)
        if reason is not None:
            order.reject_reason = reason
            self._ledger.end(order, Status.REJECTED)
        elif order.trigger_price is not None:
            self._ledger.rest(order, Status.UNTRIGGERED)
        elif order.is_market:
            self.fill_market(order, self._market.last_price(order.symbol))
        else:
            self.meet_book(order)
        self._sink.position(order.key)

    def meet_book(self, order: VenueOrder) -> None:
        """Fill, rest or cancel a limit order, according to its time in force."""
        is_buy = order.side is Side.BUY
        best = (self._market.ask_price if is_buy else self._market.bid_price)(order.symbol)
        crosses = order.price >= best if is_buy else order.price <= best
        if crosses and order.time_in_force == "PostOnly":
            order.reject_reason = "EC_PostOnlyWillTakeLiquidity"
            self._ledger.end(order, Status.CANCELLED)
        elif crosses:
            self._fill_limit(order, best, self._ledger.now_ms(), is_maker=False)
        elif order.time_in_force in {"IOC", "FOK"}:
            order.reject_reason = "EC_NoImmediateQtyToFill"
            self._ledger.end(order, Status.CANCELLED)
        else:
            self._ledger.rest(order, order.status if order.is_open else Status.NEW)

    def fill_resting(self, order: VenueOrder, time_ms: int) -> None:
        """Fill an order whose price the market has traded through."""
        self._fill_limit(order, order.price, time_ms, is_maker=True)
        self._sink.position(order.key)

    def fill_market(
        self,
        order: VenueOrder,
        price: Decimal,
        *,
        time_ms: int | None = None,
        whole: bool = False,
    ) -> None:
        """Fill at a price worsened by the slippage, completely unless a fault prevents it."""
        instrument = self._ledger.instrument(order.symbol)
        fraction = None if whole else self._chances.partial_fill(order.symbol)
        qty = order.qty if fraction is None else instrument.round_qty(order.qty * fraction)
        before = self._account.position(order.key)
        is_near = self._is_within_tolerance(order, price)
        if qty and is_near and self._can_fill(order):
            self._take(order, qty, price, time_ms or self._ledger.now_ms())
        if order.filled_qty and fraction is None:
            self._ledger.end(order, Status.FILLED)
        else:
            if order.filled_qty or fraction is not None or not is_near:
                order.reject_reason = "EC_NoImmediateQtyToFill"
            else:
                order.cancel_type = "CancelByReduceOnly"
            self._ledger.end(order, Status.CANCELLED)
        self._bookings.settle(order, before)

    def _is_within_tolerance(self, order: VenueOrder, price: Decimal) -> bool:
        tolerance = order.slippage_tolerance
        if tolerance is None:
            return True
        is_buy = order.side is Side.BUY
        best = (self._market.ask_price if is_buy else self._market.bid_price)(order.symbol)
        tick_size = self._ledger.instrument(order.symbol).tick_size
        away = (
            tolerance * tick_size if order.slippage_type == "TickSize" else best * tolerance / 100
        )
        filled_at = worsened(price, order.side, self._account.rules)
        return filled_at <= best + away if is_buy else filled_at >= best - away

    def _take(self, order: VenueOrder, qty: Decimal, price: Decimal, time_ms: int) -> None:
        """Fill an order by the matching engine, with its slippage and fees."""
        before, engine = self._account.position(order.key), self._account.engine
        request = OrderRequest(
            client_order_id=order.order_id,
            asset=order.key,
            side=order.side,
            qty=qty,
            reduce_only=order.reduce_only,
        )
        engine.submit(request, self._ledger.now_ms())
        for event in engine.fill(order.order_id, price, time_ms):
            if isinstance(event, Execution):
                self._bookings.take_in(order, before, event, is_maker=False)

    def _fill_limit(
        self, order: VenueOrder, price: Decimal, time_ms: int, *, is_maker: bool
    ) -> None:
        before = self._account.position(order.key)
        if not self._can_fill(order):
            self._ledger.cancel(order, "CancelByReduceOnly")
            return
        qty = order.leaves_qty
        if order.reduce_only and before is not None:
            qty = min(qty, before.qty)
            order.qty = order.filled_qty + qty
        self._bookings.trade(order, qty, price, time_ms, is_maker=is_maker)
        self._ledger.end(order, Status.FILLED)
        self._bookings.settle(order, before)

    def _can_fill(self, order: VenueOrder) -> bool:
        if not order.reduce_only:
            return True
        position = self._account.position(order.key)
        return position is not None and position.side is not order.side

"""What a price move triggers: stops, conditional and resting orders, liquidation."""

from decimal import Decimal

from domain.market.instruments import Side
from domain.trading.matching import CandlePrices
from domain.trading.orders import ExitReason
from domain.trading.positions import ZERO, Execution, Position
from infra.venues.simulator.books.tiers import MarginMode
from infra.venues.simulator.prices.candles import Tick
from infra.venues.simulator.records import Status, VenueOrder
from infra.venues.simulator.trading.bookings import Bookings
from infra.venues.simulator.trading.context import VenueContext
from infra.venues.simulator.trading.force import Force
from infra.venues.simulator.trading.matching import Matching

_RISE = 1


class Triggers:
    """Checks every tick."""

    def __init__(
        self, context: VenueContext, bookings: Bookings, matching: Matching, force: Force
    ) -> None:
        """Check the orders of a venue context."""
        self._account = context.account
        self._margins = context.margins
        self._market = context.market
        self._ledger = context.ledger
        self._protection = context.protection
        self._sink = context.sink
        self._bookings = bookings
        self._matching = matching
        self._force = force

    def move(self, tick: Tick) -> None:
        """Trigger the stops, resting orders and liquidation that a price move reaches."""
        symbol = tick.symbol
        for key in self._account.keys(symbol):
            if key in self._account.engine.positions and not self._reach_trailing_stop(key, tick):
                self._reach_stops(key, tick)
        for order in self._ledger.open_orders(symbol):
            if not order.is_open or order.is_protective:
                continue
            if order.status is Status.UNTRIGGERED:
                self._reach_trigger(order, tick)
            elif _trades_through(order, tick):
                self._matching.fill_resting(order, tick.time_ms)
        for key in self._account.keys(symbol):
            if key in self._account.engine.positions:
                self._reach_liquidation(key, tick)

    def _reach_stops(self, key: str, tick: Tick) -> None:
        before = self._account.engine.positions[key]
        prices = _prices(tick)
        events = self._account.engine.trade_through(key, prices, tick.time_ms, whole=tick.whole)
        for event in events:
            if isinstance(event, Execution):
                kind = "StopLoss" if event.reason is ExitReason.STOP_LOSS else "TakeProfit"
                self._trigger_stop(self._protection.pair(key)[kind], before, event)
                return
        for order in self._protection.pair(key).values():
            if order.trigger_by != "LastPrice" and self._is_reached(order, tick):
                order.status = Status.TRIGGERED
                self._matching.fill_market(order, tick.last, time_ms=tick.time_ms, whole=True)
                self._sink.position(key)
                return

    def _reach_trailing_stop(self, key: str, tick: Tick) -> bool:
        """Move the trailing stop along with a price move; return whether the stop was reached."""
        order = self._protection.pair(key).get("TrailingStop")
        if order is None:
            return False
        is_long = order.side is Side.SELL
        stop_loss = self._protection.levels(key).get("StopLoss")
        for price in _prices(tick).path:
            trigger = order.trigger_price or ZERO
            is_reached = price <= trigger if is_long else price >= trigger
            if order.active_price is None and is_reached:
                # The stop loss goes first if it is nearer.
                if stop_loss is not None and (stop_loss > trigger) == is_long:
                    return False
                at_price = price if price == tick.open else trigger
                order.status = Status.TRIGGERED
                self._matching.fill_market(order, at_price, time_ms=tick.time_ms, whole=True)
                self._sink.position(key)
                return True
            self._follow(order, price, is_long=is_long)
        return False

    def _follow(self, order: VenueOrder, price: Decimal, *, is_long: bool) -> None:
        active = order.active_price
        if active is not None and (price < active if is_long else price > active):
            return
        order.active_price = None
        distance, trigger = order.trailing_distance or ZERO, order.trigger_price or ZERO
        wanted = price - distance if is_long else price + distance
        if (wanted > trigger) if is_long else (wanted < trigger):
            order.trigger_price = wanted
        if active is not None or order.trigger_price != trigger:
            self._ledger.remember(order)

    def _trigger_stop(self, order: VenueOrder, before: Position, execution: Execution) -> None:
        order.status = Status.TRIGGERED
        order.price = self._ledger.bound(order.symbol, order.side, execution.price)
        order.qty = execution.qty
        self._bookings.take_in(order, before, execution, is_maker=False)
        self._ledger.end(order, Status.FILLED)
        self._bookings.settle(order, before)
        self._sink.position(order.key)

    def _is_reached(self, order: VenueOrder, tick: Tick) -> bool:
        trigger = order.trigger_price or ZERO
        high, low = tick.high, tick.low
        if order.trigger_by != "LastPrice":  # the index equals the mark price
            high = self._market.mark_of(tick.symbol, high)
            low = self._market.mark_of(tick.symbol, low)
        return high >= trigger if order.trigger_direction == _RISE else low <= trigger

    def _reach_trigger(self, order: VenueOrder, tick: Tick) -> None:
        if not self._is_reached(order, tick):
            return
        trigger = order.trigger_price or ZERO
        order.status = Status.TRIGGERED
        self._end_other(order)
        if not self._margins.covers(order, self._ledger.open_orders()):
            self._ledger.cancel(order, "CancelByCannotAffordOrderCost")
        elif order.is_market:
            rising = order.trigger_direction == _RISE
            price = max(trigger, tick.open) if rising else min(trigger, tick.open)
            self._matching.fill_market(order, price, time_ms=tick.time_ms)
        else:
            self._matching.meet_book(order)
        self._sink.position(order.key)

    def _end_other(self, order: VenueOrder) -> None:
        """Cancel the stop that is paired with a triggered one."""
        other = self._ledger.find(order.oco_id, "") if order.oco_id else None
        if other is not None and other.is_open:
            is_loss = order.stop_order_type == "PartialStopLoss"
            lost, won = "TpCanceledBySlTriggered", "SlCanceledByTpTriggered"
            self._ledger.cancel(other, f"CancelByOCO{lost if is_loss else won}")

    def _reach_liquidation(self, key: str, tick: Tick) -> None:
        price = self._margins.liquidation_price(key)
        if price is None:
            return
        is_short = self._account.engine.positions[key].side is Side.SELL
        worst = self._market.mark_of(tick.symbol, tick.high if is_short else tick.low)
        if worst >= price if is_short else worst <= price:
            is_isolated = self._account.margin_mode is MarginMode.ISOLATED
            if is_isolated and self._add_margin(key, worst):
                return
            self._force.liquidate(key, None if is_isolated else worst)

    def _add_margin(self, key: str, worst: Decimal) -> bool:
        """Add margin from the account to a position, if that is enabled and enough to save it."""
        book = self._account.books[key]
        if not book.adds_margin:
            return False
        free = self._margins.available(self._ledger.open_orders())
        wanted = self._margins.wanted_margin(key, worst, free)
        if not wanted:
            return False
        book.added_margin += wanted
        self._sink.margin(key)
        self._sink.position(key)
        return True


def _trades_through(order: VenueOrder, tick: Tick) -> bool:
    return tick.low < order.price if order.side is Side.BUY else tick.high > order.price


def _prices(tick: Tick) -> CandlePrices:
    return CandlePrices(open=tick.open, high=tick.high, low=tick.low, close=tick.last)

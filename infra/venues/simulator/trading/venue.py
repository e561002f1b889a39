"""Order entry: orders from clients, and orders restored from an earlier run."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from infra.venues.simulator import refusals
from infra.venues.simulator.books.account import Account
from infra.venues.simulator.books.margins import Margins
from infra.venues.simulator.books.position_view import PositionView, position_view
from infra.venues.simulator.position_keys import opening_side
from infra.venues.simulator.prices.market import Market
from infra.venues.simulator.records import VenueOrder
from infra.venues.simulator.trading.bookings import Bookings
from infra.venues.simulator.trading.checks import OrderChecks
from infra.venues.simulator.trading.context import VenueContext
from infra.venues.simulator.trading.force import Force
from infra.venues.simulator.trading.ledger import OrderLedger
from infra.venues.simulator.trading.matching import Matching
from infra.venues.simulator.trading.ports import Chances, Sink
from infra.venues.simulator.trading.position_stops import PositionStops
from infra.venues.simulator.trading.protection import Protection
from infra.venues.simulator.trading.requests import Amendment, NewOrder
from infra.venues.simulator.trading.settings import AccountSettings
from infra.venues.simulator.trading.triggers import Triggers


class Venue:
    """All orders of the one account, and the rules by which they fill."""

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
        self.margins = Margins(account, market)
        self.ledger = OrderLedger(market, sink, now_ms, seed)
        self.protection = Protection(account, self.ledger, sink)
        self.settings = AccountSettings(account, self.margins, self.ledger, sink)
        context = VenueContext(
            account=account,
            margins=self.margins,
            market=market,
            ledger=self.ledger,
            protection=self.protection,
            sink=sink,
            chances=chances,
        )
        self.bookings = Bookings(context)
        self.matching = Matching(context, self.bookings)
        self.force = Force(context, self.bookings, self.matching)
        self.triggers = Triggers(context, self.bookings, self.matching, self.force)
        self._checks = OrderChecks(context)
        self.stops = PositionStops(context, self._checks)
        self._market = market
        self._sink = sink

    # Orders of the client.

    def create(self, wanted: NewOrder) -> VenueOrder:
        """Accept an order; `Matching.process` decides its outcome later.

        Raises:
            RefusedError: nothing was accepted.
        """
        order = self.draft(wanted)
        self.ledger.keep(order)
        self._sink.order(order)
        return order

    def draft(self, wanted: NewOrder) -> VenueOrder:
        """Return the order that would be accepted.

        Raises:
            RefusedError: it would not be.
        """
        instrument = self.ledger.instrument(wanted.symbol)
        if opening_side(wanted.position_idx) is wanted.side.opposite:
            wanted = replace(wanted, reduce_only=True)
        if wanted.qty == 0 and wanted.reduce_only and wanted.close_on_trigger:
            wanted = replace(wanted, qty=self._whole_position(wanted))
        self._checks.check(wanted, instrument)
        order = self.ledger.new(wanted)
        self._checks.check_balance(order)
        return order

    def amend(self, order: VenueOrder, wanted: Amendment) -> VenueOrder:
        """Change an open order in place.

        Raises:
            RefusedError: the order is not open, or the new values are wrong.
        """
        self.matching.process(order)
        if not order.is_open:
            raise refusals.no_such_order()
        self._checks.check_amendment(order, wanted)
        order.qty = wanted.qty or order.qty
        order.price = wanted.price or order.price
        order.trigger_price = wanted.trigger_price or order.trigger_price
        order.trigger_by = wanted.trigger_by
        if wanted.stop_loss is not None:
            order.stop_loss = wanted.stop_loss or None
        if wanted.take_profit is not None:
            order.take_profit = wanted.take_profit or None
        order.sl_trigger_by, order.tp_trigger_by = wanted.sl_trigger_by, wanted.tp_trigger_by
        order.tpsl_mode = wanted.tpsl_mode
        order.sl_limit_price, order.tp_limit_price = wanted.sl_limit_price, wanted.tp_limit_price
        if order.is_protective:
            self.protection.arm(order.key)
        self.ledger.touch(order)
        self._sink.position(order.key)
        if not order.is_market and order.trigger_price is None:
            self.matching.meet_book(order)
        return order

    def cancel(self, order: VenueOrder, cancel_type: str = "CancelByUser") -> VenueOrder:
        """Cancel an open order.

        Raises:
            RefusedError: it is not open.
        """
        self.matching.process(order)
        if not order.is_open:
            raise refusals.no_such_order()
        if order.is_protective:
            self.protection.cancel(order, cancel_type)
        else:
            self.ledger.cancel(order, cancel_type)
        self._sink.position(order.key)
        return order

    # Reporting.

    def view(self, key: str) -> PositionView:
        """Return a position as reported."""
        stops, trailing = self.protection.levels(key), self.protection.trailing(key)
        return position_view(self.account, self.margins, self._market, key, stops, trailing)

    # Restoring.

    def restore_order(self, order: VenueOrder) -> None:
        """Restore an order of an earlier run; the newest state of each comes last."""
        self.ledger.restore(order)
        if order.is_protective:
            self.protection.restore(order)

    def resume(self) -> None:
        """Arm the stops, and process what an earlier run had only acknowledged."""
        for symbol in self._market.instruments:
            for key in self.account.keys(symbol):
                self.protection.arm(key)
        for order in self.ledger.open_orders():
            self.matching.process(order)

    def _whole_position(self, wanted: NewOrder) -> Decimal:
        position = self.account.position(wanted.key)
        if position is None:
            raise refusals.nothing_to_reduce()
        return position.qty

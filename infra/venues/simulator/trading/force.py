"""Trades without a client's order: by hand, and forced by the exchange."""

from decimal import Decimal

from domain.market.instruments import Side
from domain.trading.positions import Position
from infra.venues.simulator.position_keys import LONG, ONE_WAY, SHORT, position_key, symbol_of
from infra.venues.simulator.records import ExecType, Status
from infra.venues.simulator.trading.bookings import Bookings
from infra.venues.simulator.trading.context import VenueContext
from infra.venues.simulator.trading.matching import Matching


class Force:
    """Opens, closes and liquidates positions."""

    def __init__(self, context: VenueContext, bookings: Bookings, matching: Matching) -> None:
        """Act on the account of a venue context."""
        self._account = context.account
        self._margins = context.margins
        self._market = context.market
        self._ledger = context.ledger
        self._sink = context.sink
        self._bookings = bookings
        self._matching = matching

    def trade_by_hand(self, symbol: str, side: Side, qty: Decimal, *, reduce_only: bool) -> None:
        """Trade like a person using the same account."""
        long_side = side.opposite if reduce_only else side
        idx = LONG if long_side is Side.BUY else SHORT
        key = position_key(symbol, idx if symbol in self._account.hedged else ONE_WAY)
        order = self._ledger.own(
            key,
            side,
            qty,
            create_type="CreateByClosing" if reduce_only else "CreateByUser",
            reduce_only=reduce_only,
        )
        self._matching.fill_market(order, self._market.last_price(symbol), whole=True)
        self._sink.position(key)

    def liquidate(self, key: str, price: Decimal | None = None) -> None:
        """Liquidate a position, at the bankruptcy price unless another is given.

        A long without leverage is bankrupt only at 0, where nothing trades: then at one tick.
        """
        position = self._account.position(key)
        if position is None:
            return
        for order in self._ledger.open_orders(symbol_of(key)):
            if order.key == key and not order.is_protective:
                self._ledger.cancel(order, "CancelByPrepareLiq")
        tick_size = self._ledger.instrument(symbol_of(key)).tick_size
        taken_at = max(price or self._margins.takeover_price(key), tick_size)
        self._take(position, position.qty, taken_at, "CreateByTakeOver_PassThrough", ExecType.BUST)

    def deleverage(self, key: str, fraction: Decimal) -> None:
        """Reduce a position at the mark price, as auto-deleveraging does."""
        position = self._account.position(key)
        if position is None:
            return
        step = self._ledger.instrument(symbol_of(key))
        qty = max(step.qty_step, step.round_qty(position.qty * fraction))
        price = self._market.mark_price(symbol_of(key))
        self._take(position, min(qty, position.qty), price, "CreateByAdl_PassThrough", ExecType.ADL)

    def _take(
        self, position: Position, qty: Decimal, price: Decimal, how: str, exec_type: ExecType
    ) -> None:
        side = position.side.opposite
        order = self._ledger.own(position.asset, side, qty, create_type=how, reduce_only=True)
        now_ms = self._ledger.now_ms()
        self._bookings.trade(order, qty, price, now_ms, is_maker=False, exec_type=exec_type)
        self._ledger.end(order, Status.FILLED)
        self._bookings.settle(order, position)
        self._sink.position(position.asset)

"""The ledger of all orders: their ids and states, and the reporting of each change."""

import random
import uuid
from collections.abc import Callable, Collection, Iterator
from decimal import Decimal

from domain.market.instruments import Instrument, Side
from domain.trading.positions import ZERO
from infra.venues.simulator import refusals
from infra.venues.simulator.position_keys import idx_of, symbol_of
from infra.venues.simulator.prices.market import Market
from infra.venues.simulator.records import Status, VenueOrder
from infra.venues.simulator.trading.ports import Sink
from infra.venues.simulator.trading.requests import NewOrder

BAND = Decimal("0.05")
"""How far beyond the current price an order may trade, as a fraction."""


class OrderLedger:
    """Every order ever accepted.

    Always true: `open` holds what can still change; an orderLinkId stands for one order.
    """

    def __init__(self, market: Market, sink: Sink, now_ms: Callable[[], int], seed: int) -> None:
        self.orders: dict[str, VenueOrder] = {}
        self.now_ms = now_ms
        self._market = market
        self._sink = sink
        self._ids = random.Random(f"{seed}/ids")  # noqa: S311 - ids of a toy exchange
        self._by_link: dict[str, VenueOrder] = {}
        self._open: dict[str, VenueOrder] = {}
        self._seq = 1_000_000

    def instrument(self, symbol: str) -> Instrument:
        """Return a symbol's filters.

        Raises:
            RefusedError: there is no such symbol.
        """
        found = self._market.instruments.get(symbol)
        if found is None:
            raise refusals.wrong("Symbol Is Invalid" if symbol else "params error: symbol invalid")
        return found

    @property
    def symbols(self) -> Collection[str]:
        """All tradable symbols."""
        return self._market.instruments

    def last_price(self, symbol: str) -> Decimal:
        return self._market.last_price(symbol)

    def find(self, order_id: str, link_id: str) -> VenueOrder | None:
        """Return an order, visible to queries or not; the order id takes precedence."""
        return self.orders.get(order_id) if order_id else self._by_link.get(link_id)

    def open_orders(self, symbol: str = "") -> Iterator[VenueOrder]:
        """Return resting and unprocessed orders, oldest first; of one symbol or all."""
        found = [order for order in self._open.values() if symbol in {"", order.symbol}]
        return iter(found)

    def new(self, wanted: NewOrder) -> VenueOrder:
        """Return a client's order, not added yet."""
        last_price = self._market.last_price(wanted.symbol)
        is_conditional = wanted.trigger_price is not None
        price = wanted.price or ZERO
        if wanted.is_market:
            price = self.bound(wanted.symbol, wanted.side, last_price)
        return VenueOrder(
            seq=self.next_seq(),
            order_id=self.new_id(),
            link_id=wanted.link_id,
            symbol=wanted.symbol,
            position_idx=wanted.position_idx,
            side=wanted.side,
            is_market=wanted.is_market,
            qty=wanted.qty,
            price=price,
            time_in_force="IOC" if wanted.is_market else wanted.time_in_force,
            created_ms=self.now_ms(),
            updated_ms=self.now_ms(),
            reduce_only=wanted.reduce_only,
            close_on_trigger=wanted.close_on_trigger,
            stop_loss=wanted.stop_loss,
            take_profit=wanted.take_profit,
            sl_trigger_by=wanted.sl_trigger_by,
            tp_trigger_by=wanted.tp_trigger_by,
            slippage_type=wanted.slippage_type,
            slippage_tolerance=wanted.slippage_tolerance,
            smp_type=wanted.smp_type,
            takes_rpi=wanted.takes_rpi,
            tpsl_mode=wanted.tpsl_mode,
            sl_limit_price=wanted.sl_limit_price,
            tp_limit_price=wanted.tp_limit_price,
            trigger_price=wanted.trigger_price,
            trigger_direction=wanted.trigger_direction if is_conditional else 0,
            trigger_by=wanted.trigger_by if is_conditional else "",
            stop_order_type="Stop" if is_conditional else "",
            last_price_on_created=last_price,
        )

    def own(
        self,
        key: str,
        side: Side,
        qty: Decimal,
        *,
        create_type: str,
        reduce_only: bool,
        trigger_price: Decimal | None = None,
        stop_order_type: str = "",
        trigger_by: str = "",
        trigger_direction: int = 0,
        limit_price: Decimal | None = None,
    ) -> VenueOrder:
        """Add and return an order of the exchange itself; a market order unless it has a limit."""
        symbol = symbol_of(key)
        last_price = self._market.last_price(symbol)
        order = VenueOrder(
            seq=self.next_seq(),
            order_id=self.new_id(),
            link_id="",
            symbol=symbol,
            position_idx=idx_of(key),
            side=side,
            is_market=limit_price is None,
            qty=qty,
            price=limit_price or (ZERO if trigger_price else self.bound(symbol, side, last_price)),
            time_in_force="IOC" if limit_price is None else "GTC",
            created_ms=self.now_ms(),
            updated_ms=self.now_ms(),
            reduce_only=reduce_only,
            close_on_trigger=bool(stop_order_type),
            trigger_price=trigger_price,
            trigger_direction=trigger_direction,
            trigger_by=trigger_by,
            stop_order_type=stop_order_type,
            create_type=create_type,
            last_price_on_created=last_price,
        )
        self.keep(order)
        return order

    def keep(self, order: VenueOrder) -> None:
        """Add an order."""
        self.orders[order.order_id] = order
        if order.link_id:
            self._by_link[order.link_id] = order
        if order.is_open or order.status is Status.CREATED:
            self._open[order.order_id] = order
        else:
            self._open.pop(order.order_id, None)

    def touch(self, order: VenueOrder) -> None:
        """Report a change."""
        order.updated_ms = max(order.updated_ms, self.now_ms())
        self._sink.order(order)

    def remember(self, order: VenueOrder) -> None:
        """Record a change without reporting it."""
        self._sink.remember(order)

    def rest(self, order: VenueOrder, status: Status) -> None:
        """Mark an order as resting."""
        order.status = status
        self.touch(order)

    def end(self, order: VenueOrder, status: Status) -> None:
        """Close an order."""
        order.status = status
        self._open.pop(order.order_id, None)
        self.touch(order)

    def cancel(self, order: VenueOrder, cancel_type: str) -> None:
        """Close an order that was not completely filled."""
        order.cancel_type = cancel_type
        waited = order.status is Status.UNTRIGGERED
        self.end(order, Status.DEACTIVATED if waited else Status.CANCELLED)

    def restore(self, order: VenueOrder) -> None:
        """Restore one state of an order of an earlier run."""
        self.skip_to(order.seq)
        self.keep(order)

    def skip_to(self, seq: int) -> None:
        """Make all further numbers larger, and all further ids new."""
        if seq > self._seq:
            self._seq = seq
            self._ids = random.Random(f"{self._ids.random()}/{seq}")  # noqa: S311

    def bound(self, symbol: str, side: Side, price: Decimal) -> Decimal:
        """Return the worst price at which a market order may trade."""
        instrument = self.instrument(symbol)
        if side is Side.BUY:
            return instrument.round_price_up(price * (1 + BAND))
        return instrument.round_price_down(price * (1 - BAND))

    @property
    def seq(self) -> int:
        """The newest assigned number."""
        return self._seq

    def next_seq(self) -> int:
        self._seq += 1
        return self._seq

    def new_id(self) -> str:
        """Return a new, unused id."""
        return str(uuid.UUID(int=self._ids.getrandbits(128), version=4))


def price_limits(market: Market, symbol: str) -> tuple[Decimal, Decimal]:
    """Return the highest price for buying and the lowest for selling."""
    mark_price, instrument = market.mark_price(symbol), market.instruments[symbol]
    return (
        instrument.round_price_down(mark_price * (1 + BAND)),
        instrument.round_price_up(mark_price * (1 - BAND)),
    )

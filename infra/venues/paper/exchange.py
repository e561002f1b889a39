"""The exchange of paper trading: our orders and stops meet the real market's prices."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from domain.errors import BadDataError, FencedError, StopPassedError, UnavailableError
from domain.trading.matching import CandlePrices, Event
from domain.trading.orders import OrderRequest, OrderStatus, OrderUpdate, RestingOrder
from domain.trading.positions import FLAT, ZERO, Execution, Position, VenuePosition
from domain.trading.sizing import ProtectiveLevels
from domain.trading.trailing import is_passed
from infra.venues.bybit.errors import AlreadyAcceptedError, NeverSentError
from infra.venues.bybit.rest import BybitRest
from infra.venues.bybit.shapes.market import Ticker
from infra.venues.paper.account import PaperAccount
from infra.venues.replay.subscribers import NewsListener, Seat, Subscribers, tell

_FRESH_S = 5.0
"""An older price is fetched again: nothing may fill at an outdated price."""
_MARK_EVERY_S = 0.5


class Listener(NewsListener, Protocol):
    """Receives the prices of one asset. The calls must only tell."""

    def on_mark_price(self, ts_ms: int, mark_price: Decimal) -> None:
        """Take the mark price."""

    def on_price(self, ts_ms: int, last_price: Decimal) -> None:
        """Take the last traded price."""


@dataclass(slots=True)
class _Quote:
    """The newest price of an asset."""

    last_price: Decimal
    heard_s: float
    marked_s: float


class PaperExchange:
    """One paper account; thread-safe."""

    def __init__(
        self,
        account: PaperAccount,
        rest: BybitRest,
        *,
        symbols: Mapping[str, str],
        now_ms: Callable[[], int],
    ) -> None:
        """Keep the parts; nothing is asked yet.

        Args:
            account: whose orders fill here.
            rest: fetches prices that no stream has delivered.
            symbols: by asset.
            now_ms: the exchange's time.
        """
        self._account = account
        self._rest = rest
        self._symbols = symbols
        self._now_ms = now_ms
        self._lock = threading.Lock()
        self._quotes: dict[str, _Quote] = {}
        self._subscribers: Subscribers[Listener] = Subscribers()

    # The port.

    def submit(self, order: OrderRequest, is_ours: Callable[[], bool]) -> OrderUpdate:
        """Fill an order at the last price; the answer says that it was accepted."""
        price = self._price(order.asset)
        with self._lock:
            if not is_ours():
                raise FencedError("a replaced incarnation tried to act at the exchange")
            if self._account.engine.order(order.client_order_id) is not None:
                raise AlreadyAcceptedError(f"{order.client_order_id} was sent before")
            ts_ms = self._now_ms()
            events = self._account.submit(order, price, ts_ms)
        tell(self._subscribers.get(order.asset), events)
        return OrderUpdate(
            client_order_id=order.client_order_id,
            status=OrderStatus.ACCEPTED,
            filled_qty=ZERO,
            ts_ms=ts_ms,
        )

    def order(self, asset: str, client_order_id: str) -> OrderUpdate | None:  # noqa: ARG002
        """Return the state of an order; None if it never arrived."""
        with self._lock:
            return self._account.engine.order(client_order_id)

    def executions(self, asset: str, since_ms: int) -> Sequence[Execution]:
        """Return the asset's executions from a time on, oldest first."""
        with self._lock:
            return [e for e in self._account.engine.executions(asset) if e.ts_ms >= since_ms]

    def venue_position(self, asset: str) -> VenuePosition:
        """Return the open position and its stops."""
        with self._lock:
            engine = self._account.engine
            position, stops = engine.positions.get(asset), engine.stops.get(asset)
        if position is None:
            return FLAT
        return VenuePosition(
            signed_qty=position.signed_qty,
            stop_loss=None if stops is None else stops.stop_loss,
            take_profit=None if stops is None else stops.take_profit,
        )

    def open_orders(self, asset: str) -> Sequence[RestingOrder]:  # noqa: ARG002
        """Return nothing: orders never rest here."""
        return ()

    def cancel(self, asset: str, order: RestingOrder, is_ours: Callable[[], bool]) -> None:
        """Do nothing: orders never rest here."""

    def set_stops(self, asset: str, levels: ProtectiveLevels, is_ours: Callable[[], bool]) -> bool:
        """Move the stops of the open position; return False if it is gone."""
        with self._lock:
            if not is_ours():
                raise FencedError("a replaced incarnation tried to act at the exchange")
            position, quote = self._account.position(asset), self._quotes.get(asset)
            if position is None:
                return False
            level = levels.stop_loss
            if quote is not None and is_passed(quote.last_price, level, position.side):
                raise StopPassedError(f"the price {quote.last_price:f} has passed {level:f}")
            self._account.set_stops(asset, levels)
            return True

    def subscribe(self, asset: str, listener: Listener) -> Seat:
        """Send the asset's updates to a listener from now on."""
        return self._subscribers.add(asset, listener)

    # Events of the market.

    def on_ticker(self, asset: str, ticker: Ticker) -> None:
        """Match a price with the stops, and pass it on; mark prices only now and then."""
        now_s, price = time.monotonic(), ticker.last_price
        with self._lock:
            events = self._account.meet(
                asset, CandlePrices(open=price, high=price, low=price, close=price), ticker.ts_ms
            )
            known = self._quotes.get(asset)
            marked_s = now_s - _MARK_EVERY_S if known is None else known.marked_s
            is_mark_due = now_s - marked_s >= _MARK_EVERY_S
            self._quotes[asset] = _Quote(price, now_s, now_s if is_mark_due else marked_s)
        tell(self._subscribers.get(asset), events)
        listener = self._subscribers.get(asset)
        if listener is None:
            return
        listener.on_price(ticker.ts_ms, price)
        if is_mark_due:
            listener.on_mark_price(ticker.ts_ms, ticker.mark_price)

    def forget_price(self, asset: str) -> None:
        """Discard the price from a lost stream."""
        with self._lock:
            self._quotes.pop(asset, None)

    def open_position(self, asset: str) -> tuple[Position, int] | None:
        """Return an open position, and the time up to which its funding is settled."""
        with self._lock:
            position = self._account.position(asset)
            return None if position is None else (position, self._account.settled_ms(position))

    def act(self, asset: str, deed: Callable[[PaperAccount], Iterable[Event]]) -> None:
        """Apply an event to the account, and report the results."""
        with self._lock:
            events = list(deed(self._account))
        tell(self._subscribers.get(asset), events)

    def _price(self, asset: str) -> Decimal:
        with self._lock:
            quote = self._quotes.get(asset)
        if quote is not None and time.monotonic() - quote.heard_s < _FRESH_S:
            return quote.last_price
        try:
            return self._rest.ticker(self._symbols[asset]).last_price
        except (UnavailableError, BadDataError) as error:
            raise NeverSentError(f"{asset} has no price to fill at: {error}") from error

"""The exchange port for Bybit: orders by REST, updates by the account's stream."""

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType
from typing import Protocol

from loguru import logger

from domain.errors import (
    AccessDeniedError,
    OrderRefusedError,
    StopPassedError,
    UnprovenError,
)
from domain.market.instruments import Side
from domain.trading.orders import OrderRequest, OrderStatus, OrderUpdate, RestingOrder
from domain.trading.positions import ZERO, Execution, UnmanagedPosition, VenuePosition
from domain.trading.sizing import ProtectiveLevels
from domain.trading.transfers import Transfer
from infra.net.pool import Subscription
from infra.venues.bybit.endpoints.orders import VENUE_ID
from infra.venues.bybit.errors import RefusedError, UnknownOutcomeError
from infra.venues.bybit.public_stream import PublicStream
from infra.venues.bybit.rest import BybitRest
from infra.venues.bybit.shapes.market import Ticker
from infra.venues.bybit.shapes.positions import PositionRow

RECV_WINDOW_MS = 5_000
MARK_EVERY_S = 0.5
_DEAF_S = 10.0
_PROOFS = 2
"""Number of look-ups that must agree that an order never arrived."""


class Listener(Protocol):
    """Receives the updates of one asset. The calls must only tell."""

    def on_execution(self, execution: Execution) -> None:
        """Take an execution."""

    def on_order(self, update: OrderUpdate) -> None:
        """Take an update of an order."""

    def on_mark_price(self, ts_ms: int, mark_price: Decimal) -> None:
        """Take the mark price."""

    def on_price(self, ts_ms: int, last_price: Decimal) -> None:
        """Take the last traded price."""

    def on_doubt(self, why: str) -> None:
        """Learn that updates may have been missed."""


class BybitExchange:
    """One account; thread-safe. Also the listener of the account's stream."""

    def __init__(
        self,
        rest: BybitRest,
        market: PublicStream,
        *,
        symbols: Mapping[str, str],
        rests: Mapping[str, BybitRest] = MappingProxyType({}),
        former: frozenset[str] = frozenset(),
        now_ms: Callable[[], int],
        valid_ms: int = RECV_WINDOW_MS,
        priced: frozenset[str] | None = None,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep the parts; nothing is asked yet.

        Args:
            rest: the account.
            market: delivers prices.
            symbols: by asset.
            rests: clients of assets that have a key of their own.
            former: symbols formerly traded here.
            now_ms: the exchange's time.
            valid_ms: how long a signed request may take effect, by the exchange's time.
            priced: assets whose last price, without mark price, is passed on; None: all, with
                mark prices.
            monotonic_s: real time, for the tolerated downtime of the account's stream and the
                interval of mark prices.
        """
        self._rest, self._rests = rest, rests
        self._market = market
        self._symbols = symbols
        self.former = former
        self._now_ms, self._valid_ms = now_ms, valid_ms
        self._priced = priced
        self._lock = threading.Lock()
        self._listeners: dict[str, Listener] = {}
        self._monotonic_s = monotonic_s
        self._deaf_since_s: float | None = -math.inf
        """Since when the account's stream has not been subscribed to all topics; None: it is."""
        self._absent: dict[str, tuple[int, int]] = {}
        """By client order id: the time from which look-ups prove absence, and how many have."""

    # The port.

    def submit(self, order: OrderRequest, is_ours: Callable[[], bool]) -> OrderUpdate:
        """Send an order once; the answer says that it was accepted, not that it filled.

        Nothing is opened while the account's stream has been down for more than a moment: its
        outcome would be learned late. After a short interruption, missed updates are fetched.
        """
        deaf_since_s = self._deaf_since_s
        is_deaf = deaf_since_s is not None and self._monotonic_s() - deaf_since_s > _DEAF_S
        if is_deaf and not order.reduce_only:
            raise OrderRefusedError("the account's stream is down, so nothing is opened")
        # What proved that an earlier send of this id never arrived proves nothing about this one.
        self._forget_proof(order.client_order_id)
        try:
            self._rest_of(order.asset).place_order(order, is_ours)
        except UnknownOutcomeError as error:
            proves_from_ms = self._now_ms() if error.dead_after_ms is None else error.dead_after_ms
            with self._lock:
                self._absent[order.client_order_id] = (proves_from_ms, 0)
            raise
        self._forget_proof(order.client_order_id)
        return OrderUpdate(
            client_order_id=order.client_order_id,
            status=OrderStatus.ACCEPTED,
            filled_qty=ZERO,
            ts_ms=self._now_ms(),
        )

    def order(self, asset: str, client_order_id: str) -> OrderUpdate | None:
        """Return what the exchange knows about an order; None if it provably never arrived."""
        asked_ms = self._now_ms()
        update = self._rest_of(asset).find_order(self._symbols[asset], client_order_id)
        with self._lock:
            if update is not None:
                self._absent.pop(client_order_id, None)
                return self._told(update)
            # Unknown here: sent by an earlier process, at the latest just before it died, or by an
            # incarnation whose send hangs, at the latest by now.
            proves_from_ms, proofs = self._absent.get(
                client_order_id, (self._now_ms() + self._valid_ms, 0)
            )
            proofs += asked_ms > proves_from_ms
            self._absent[client_order_id] = (proves_from_ms, proofs)
        if proofs < _PROOFS:
            raise UnprovenError(f"{client_order_id} is not found, which proves nothing yet")
        return None

    def executions(self, asset: str, since_ms: int) -> Sequence[Execution]:
        """Return the asset's executions from a time on, oldest first."""
        found = self._rest_of(asset).executions(self._symbols[asset], since_ms)
        return sorted(found.executions, key=lambda execution: execution.ts_ms)

    def venue_position(self, asset: str) -> VenuePosition:
        """Return the open position and its stops."""
        position = self._rest_of(asset).position(self._symbols[asset])
        return VenuePosition(
            signed_qty=-position.qty if position.side is Side.SELL else position.qty,
            stop_loss=position.stop_loss,
            take_profit=position.take_profit,
            avg_entry_price=position.avg_entry_price,
        )

    def open_orders(self, asset: str) -> Sequence[RestingOrder]:
        """Return the asset's resting orders, except the stops of its position."""
        return [
            RestingOrder(
                venue_order_id=order.venue_order_id,
                client_order_id=order.client_order_id,
                side=order.side,
                qty=order.qty,
            )
            for order in self._rest_of(asset).open_orders(self._symbols[asset])
            if not order.is_protective
        ]

    def cancel(self, asset: str, order: RestingOrder, is_ours: Callable[[], bool]) -> None:
        """Request the cancellation of an order; do nothing if it is gone."""
        rest, symbol, order_id = self._rest_of(asset), self._symbols[asset], order.client_order_id
        if order_id is None:
            rest.cancel(symbol, order.venue_order_id, is_ours, id_name=VENUE_ID)
        else:
            rest.cancel(symbol, order_id, is_ours)

    def set_stops(self, asset: str, levels: ProtectiveLevels, is_ours: Callable[[], bool]) -> bool:
        """Move the stops of the open position in place; return False if it is gone."""
        try:
            position = self._rest_of(asset).set_stops(self._symbols[asset], levels, is_ours)
        except RefusedError as error:
            if error.is_stop_passed:
                raise StopPassedError(str(error)) from error
            raise
        return not position.is_flat

    def subscribe(self, asset: str, listener: Listener) -> "_Seat":
        """Send the asset's updates to a listener, replacing the previous one."""
        with self._lock:
            self._listeners[asset] = listener
        return _Seat(self, asset, listener, self._prices(asset, listener))

    def _prices(self, asset: str, listener: Listener) -> Subscription | None:
        symbol = self._symbols[asset]
        if self._priced is None:
            return self._market.tickers(symbol, _Prices(listener, self._monotonic_s))
        if asset not in self._priced:
            return None
        return self._market.tickers(symbol, lambda t: listener.on_price(t.ts_ms, t.last_price))

    def leave(self, asset: str, listener: Listener) -> None:
        """Remove a listener, unless its successor has already replaced it."""
        with self._lock:
            if self._listeners.get(asset) is listener:
                del self._listeners[asset]

    # The wallet's port.

    def transfers(self, since_ms: int) -> Sequence[Transfer]:
        """Return deposits and withdrawals from a time on, oldest first."""
        ours = self.former | frozenset(self._symbols.values())
        return [
            Transfer(
                # The venue does not promise that its id is unique across kinds.
                transfer_id=f"{found.transfer_id}/{found.kind}/{found.ts_ms}",
                ts_ms=found.ts_ms,
                kind=found.kind,
                amount=found.amount,
            )
            for found in self._rest.transfers(ours, since_ms)
        ]

    def balance(self) -> Decimal:
        """Return the wallet balance, USDT."""
        return self._rest.wallet().balance

    def unmanaged_positions(self) -> Sequence[UnmanagedPosition]:
        """Return the open positions in symbols that are not traded here."""
        ours = frozenset(self._symbols.values())
        return [
            UnmanagedPosition(
                symbol=position.symbol,
                signed_qty=-position.qty if position.side is Side.SELL else position.qty,
                avg_entry_price=position.avg_entry_price,
                stop_loss=position.stop_loss,
            )
            for position in self._rest.open_positions()
            if position.symbol not in ours
        ]

    # Callbacks of the account's stream.

    def on_order(self, asset: str, update: OrderUpdate) -> None:
        """Pass on an update of an order."""
        listener = self._listener(asset)
        if listener is not None:
            listener.on_order(self._told(update))

    def on_execution(self, execution: Execution) -> None:
        """Pass on an execution."""
        listener = self._listener(execution.asset)
        if listener is not None:
            listener.on_execution(execution)

    def on_position(self, asset: str, position: PositionRow) -> None:
        """Have a position without a stop loss dealt with; quantities are booked from executions."""
        listener = self._listener(asset)
        if listener is not None and position.qty and position.stop_loss is None:
            listener.on_doubt("its position has no stop loss")

    def on_unreadable(self, topic: str) -> None:
        """Have all assets reconcile, as the content of the update is unknown."""
        self._doubt(f"asks what happened, since news of the topic {topic} could not be read")

    def on_connected(self, down_s: float) -> None:
        """Have all assets reconcile what was missed."""
        self._deaf_since_s = None
        logger.info("the account's stream works, after {:.1f} s", down_s)
        self._doubt("asks what happened while the account's stream was down")

    def reconcile_all(self, why: str) -> None:
        """Have all assets reconcile."""
        self._doubt(why)

    def on_lost(self, reason: str) -> None:
        """Note that updates will be missed."""
        self._deaf_since_s = self._monotonic_s()
        logger.warning("the account's stream is lost: {}", reason)

    def on_denied(self, error: AccessDeniedError) -> None:
        """Note that the login is refused."""
        logger.error("the account's stream refuses the login: {}", error)

    def _rest_of(self, asset: str) -> BybitRest:
        return self._rests.get(asset, self._rest)

    def _told(self, update: OrderUpdate) -> OrderUpdate:
        """Return an update whose text can be stored and shown: the venue's may quote a key."""
        return replace(update, detail=self._rest.keys.hidden(update.detail))

    def _forget_proof(self, client_order_id: str) -> None:
        with self._lock:
            self._absent.pop(client_order_id, None)

    def _doubt(self, why: str) -> None:
        with self._lock:
            listeners = list(self._listeners.values())
        for listener in listeners:
            listener.on_doubt(why)

    def _listener(self, asset: str) -> Listener | None:
        with self._lock:
            return self._listeners.get(asset)


class _Seat:
    """The subscription of one listener."""

    def __init__(
        self, exchange: BybitExchange, asset: str, listener: Listener, prices: Subscription | None
    ) -> None:
        self._exchange = exchange
        self._asset = asset
        self._listener = listener
        self._prices = prices

    def close(self) -> None:
        """Unsubscribe; may be called twice."""
        if self._prices is not None:
            self._prices.close()
        self._exchange.leave(self._asset, self._listener)


class _Prices:
    """Passes on last prices, and a mark price now and then: they come ten times a second."""

    def __init__(self, listener: Listener, monotonic_s: Callable[[], float]) -> None:
        self._listener = listener
        self._monotonic_s = monotonic_s
        self._told_s = -math.inf

    def __call__(self, ticker: Ticker) -> None:
        self._listener.on_price(ticker.ts_ms, ticker.last_price)
        now_s = self._monotonic_s()
        if now_s - self._told_s >= MARK_EVERY_S:
            self._told_s = now_s
            self._listener.on_mark_price(ticker.ts_ms, ticker.mark_price)

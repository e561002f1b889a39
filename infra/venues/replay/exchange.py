"""The exchange of a replay: the matching engine behind the exchange port."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Protocol

from domain.backtesting.plain_loop import InsideCandle
from domain.errors import FencedError
from domain.market.funding import FundingHistory
from domain.market.instruments import Candle, exact
from domain.rules import TradingRules
from domain.trading.matching import MatchingEngine
from domain.trading.orders import OrderRequest, OrderUpdate, Purpose, RestingOrder
from domain.trading.positions import FLAT, Execution, VenuePosition
from domain.trading.sizing import ProtectiveLevels
from domain.trading.trailing import StopState, is_tighter
from infra.venues.replay.clock import ReplayClock
from infra.venues.replay.subscribers import NewsListener, Seat, Subscribers, tell


class Listener(NewsListener, Protocol):
    """Receives the updates of one asset."""

    def on_mark_price(self, ts_ms: int, mark_price: Decimal) -> None:
        """Take the mark price."""

    def on_stop_moved(self, ts_ms: int, best: Decimal, stop_loss: Decimal) -> None:
        """Learn that the stop has trailed the best price."""


_AT_CLOSE = (
    Purpose.EXIT,
    Purpose.EMERGENCY,
    Purpose.OPERATOR,
    Purpose.REDUCE,
    Purpose.NAKED,
    Purpose.ENTRY,
)
"""The sequence in which the orders of one close fill (strategy 10.3 e)."""


class ReplayExchange:
    """One account. Orders rest until the replay fills them; thread-safe."""

    def __init__(
        self,
        rules: TradingRules,
        clock: ReplayClock,
        funding: Mapping[str, FundingHistory | None],
    ) -> None:
        """Start flat, with the starting balance; funding by asset."""
        self._rules = rules
        self._funding = funding
        self._clock = clock
        self._lock = threading.Lock()
        self._subscribers: Subscribers[Listener] = Subscribers()
        self.engine = MatchingEngine(rules.fills)
        self._stops: dict[str, StopState] = {}
        """Trailing stops of open positions; this exchange trails them itself, price by price."""

    # The port.

    def submit(self, order: OrderRequest, is_ours: Callable[[], bool]) -> OrderUpdate:
        """Accept an order, which rests until the close."""
        with self._lock:
            _check(is_ours)
            return self.engine.submit(order, self._clock.now_ms())

    def order(self, asset: str, client_order_id: str) -> OrderUpdate | None:  # noqa: ARG002
        """Return the state of an order; None if it never arrived."""
        with self._lock:
            return self.engine.order(client_order_id)

    def executions(self, asset: str, since_ms: int) -> Sequence[Execution]:
        """Return the asset's executions from a time on, oldest first."""
        with self._lock:
            return [e for e in self.engine.executions(asset) if e.ts_ms >= since_ms]

    def venue_position(self, asset: str) -> VenuePosition:
        """Return the open position and its stops."""
        with self._lock:
            position, stops = self.engine.positions.get(asset), self.engine.stops.get(asset)
            state = self._stops.get(asset)
        if position is None:
            return FLAT
        return VenuePosition(
            signed_qty=position.signed_qty,
            stop_loss=None if stops is None else stops.stop_loss,
            take_profit=None if stops is None else stops.take_profit,
            trailed_best=None if state is None else state.best,
        )

    def open_orders(self, asset: str) -> Sequence[RestingOrder]:  # noqa: ARG002
        """Return nothing: there are only our orders, which are looked up by id."""
        return ()

    def cancel(self, asset: str, order: RestingOrder, is_ours: Callable[[], bool]) -> None:
        """Do nothing: no order is unknown here."""

    def set_stops(self, asset: str, levels: ProtectiveLevels, is_ours: Callable[[], bool]) -> bool:
        """Move the stops of the open position; return False if it is gone."""
        with self._lock:
            _check(is_ours)
            self._set_stops(asset, levels)
            return asset in self.engine.positions

    def subscribe(self, asset: str, listener: Listener) -> Seat:
        """Send the asset's updates to a listener from now on."""
        return self._subscribers.add(asset, listener)

    # Called by the replay.

    def trade_inside(self, candles: Iterable[tuple[str, Candle]]) -> bool:
        """Process the prices inside the candles; report what happened, and the closing marks.

        Returns:
            Whether anything was reported.
        """
        has_told = False
        for asset, candle in candles:
            with self._lock:
                position = self.engine.positions.get(asset)
                before = self._stops.get(asset)
                if position is None or before is None:
                    continue
                inside = InsideCandle(self.engine, self._rules, candle, self._funding.get(asset))
                events, after = inside.events(position, before)
                self._stops[asset] = after
            if after.levels != before.levels:
                self._tell_stop(asset, candle.close_time_ms, after)
            tell(self._subscribers.get(asset), events)
            self._tell_mark(asset, candle)
            has_told = True
        return has_told

    def fill_at_close(self, closes: Mapping[str, float], t_ms: int) -> bool:
        """Fill the resting orders at their assets' closes; report what happened.

        An asset without a close at t is skipped: its orders keep resting.

        Returns:
            Whether there were any.
        """
        with self._lock:
            resting = [order for order in self.engine.resting() if order.asset in closes]
        orders = sorted(resting, key=self._turn)
        for order in orders:
            with self._lock:
                price = exact(closes[order.asset])
                events = self.engine.fill(order.client_order_id, price, t_ms)
                self._follow_position(order.asset)
            tell(self._subscribers.get(order.asset), events)
        return bool(orders)

    def _set_stops(self, asset: str, levels: ProtectiveLevels) -> None:
        """Move both stops; a trailed stop is never loosened."""
        state = self._stops.get(asset)
        if state is None:
            return
        is_loosening = state.is_moved and not is_tighter(
            levels.stop_loss, state.levels.stop_loss, state.side
        )
        if is_loosening:
            levels = replace(levels, stop_loss=state.levels.stop_loss)
        self._stops[asset] = replace(state, levels=levels)
        self.engine.set_stops(asset, levels)

    def _follow_position(self, asset: str) -> None:
        position, levels = self.engine.positions.get(asset), self.engine.stops.get(asset)
        if position is None or levels is None:
            self._stops.pop(asset, None)
            return
        self._stops[asset] = StopState(
            side=position.side, levels=levels, best=position.avg_entry_price
        )

    def _turn(self, order: OrderRequest) -> tuple[int, int]:
        purpose = Purpose(order.client_order_id.rsplit("-", 2)[1])
        return _AT_CLOSE.index(purpose), self._rules.order_of(order.asset)

    def _tell_stop(self, asset: str, t_ms: int, stop: StopState) -> None:
        listener = self._subscribers.get(asset)
        if listener is not None:
            listener.on_stop_moved(t_ms, stop.best, stop.levels.stop_loss)

    def _tell_mark(self, asset: str, candle: Candle) -> None:
        listener = self._subscribers.get(asset)
        if listener is not None:
            listener.on_mark_price(candle.close_time_ms, exact(candle.close))


def _check(is_ours: Callable[[], bool]) -> None:
    if not is_ours():
        message = "a replaced incarnation tried to act at the exchange"
        raise FencedError(message)

"""An exchange for one account: market orders, full-position stops, fees, funding, a wallet.

Pure and deterministic: it acts only when called, with prices and times as arguments. The replay
drives it candle by candle; the simulated exchange and paper trading use the same engine.
"""

from dataclasses import dataclass
from decimal import Decimal

from domain.fast_init import fast_init
from domain.market.instruments import Side
from domain.rules import FillRules
from domain.trading.orders import ExitReason, OrderRequest, OrderStatus, OrderUpdate
from domain.trading.positions import ZERO, Execution, ExecutionKind, Position, book
from domain.trading.sizing import ONE, ProtectiveLevels
from domain.trading.trailing import is_passed

Event = OrderUpdate | Execution


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class CandlePrices:
    """The prices of one candle, exact."""

    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal

    @property
    def path(self) -> tuple[Decimal, Decimal, Decimal, Decimal]:
        """The four prices in the order in which a trailing stop meets them (multi-pair 5)."""
        if self.close >= self.open:
            return self.open, self.low, self.high, self.close
        return self.open, self.high, self.low, self.close

    def extreme_against(self, side: Side) -> Decimal:
        """Return the worst price for a position of this side."""
        return self.low if side is Side.BUY else self.high


class MatchingEngine:
    """One account at an exchange that always has a counterparty.

    Always true: `wallet` is the starting balance plus the cash of every execution; a position
    results from executions only; a flat asset has no stops.
    """

    def __init__(self, rules: FillRules) -> None:
        """Start flat, with the starting balance."""
        self._rules = rules
        self._orders: dict[str, OrderUpdate] = {}
        self._resting: dict[str, OrderRequest] = {}
        self._executions: dict[str, list[Execution]] = {}
        self.wallet = rules.initial_balance
        self.positions: dict[str, Position] = {}
        self.stops: dict[str, ProtectiveLevels] = {}

    def submit(self, order: OrderRequest, ts_ms: int) -> OrderUpdate:
        """Accept a market order, which waits for `fill`, or reject it.

        Returns:
            The state of the order, terminal if it was rejected.

        Raises:
            ValueError: the id was used before.
        """
        if order.client_order_id in self._orders:
            message = f"client_order_id must be new, {order.client_order_id} was used before"
            raise ValueError(message)
        denied = self._refusal(order)
        status = OrderStatus.ACCEPTED if denied is None else OrderStatus.REJECTED
        if denied is None:
            self._resting[order.client_order_id] = order
        return self._record(order.client_order_id, status, ZERO, ts_ms, denied or "")

    def resting(self) -> list[OrderRequest]:
        """Return the accepted orders that wait for a fill, oldest first."""
        return list(self._resting.values())

    def order(self, client_order_id: str) -> OrderUpdate | None:
        """Return the newest state of an order; None: it never arrived."""
        return self._orders.get(client_order_id)

    def executions(self, asset: str) -> list[Execution]:
        """Return all executions of an asset, oldest first."""
        return list(self._executions.get(asset, ()))

    def set_stops(self, asset: str, levels: ProtectiveLevels) -> None:
        """Move the stops of a position; do nothing without one."""
        if asset in self.positions:
            self.stops[asset] = levels

    def fill(self, client_order_id: str, price: Decimal, ts_ms: int) -> list[Event]:
        """Fill a waiting order completely at a price worsened by the slippage.

        A reduce-only order is cut to the position, and canceled if none is left.
        """
        order = self._resting.pop(client_order_id)
        qty = self._fillable(order)
        if not qty:
            return [self._record(client_order_id, OrderStatus.CANCELED, ZERO, ts_ms, "flat")]
        execution = self._trade(
            order.asset, order.side, qty, price, ts_ms, client_order_id=client_order_id
        )
        is_open = order.asset in self.positions
        if is_open and order.stop_loss is not None:
            self.stops[order.asset] = ProtectiveLevels(
                stop_loss=order.stop_loss, take_profit=order.take_profit
            )
        return [execution, self._record(client_order_id, OrderStatus.FILLED, qty, ts_ms, "")]

    def settle_funding(self, asset: str, price: Decimal, rate: Decimal, ts_ms: int) -> list[Event]:
        """Pay or receive funding on the open position: shorts receive a positive rate."""
        position = self.positions.get(asset)
        if position is None:
            return []
        execution = funding_execution(position, price, rate, ts_ms, exec_id=self._exec_id(asset))
        return [self.book_execution(execution)]

    def trade_through(
        self,
        asset: str,
        prices: CandlePrices,
        ts_ms: int,
        stop_reason: ExitReason = ExitReason.STOP_LOSS,
        whole: CandlePrices | None = None,
    ) -> list[Event]:
        """Let a candle's prices reach the stops of the open position, the stop loss first.

        Args:
            asset: whose position.
            prices: of a candle, or of a part of one.
            ts_ms: time of the fill.
            stop_reason: of an exit at the stop loss.
            whole: the candle, if `prices` are a part of it; stops fill toward its extreme.
        """
        position, stops = self.positions.get(asset), self.stops.get(asset)
        if position is None or stops is None:
            return []
        gap = self._rules.stop_gap_fraction
        reached = reached_stop(stops, position.side, prices, gap, whole)
        return self._end_at(position, reached, ts_ms, stop_reason)

    def touch(
        self,
        asset: str,
        price: Decimal,
        prices: CandlePrices,
        ts_ms: int,
        *,
        is_open: bool,
        stop_reason: ExitReason = ExitReason.STOP_LOSS,
    ) -> list[Event]:
        """Let one price of a candle reach the stops of the open position, the stop loss first.

        Args:
            asset: whose position.
            price: one of the candle's path.
            prices: the candle's, for how far a stop fills past its trigger.
            ts_ms: time of the fill.
            is_open: whether it is the candle's open, at which stops fill.
            stop_reason: of an exit at the stop loss.
        """
        position, stops = self.positions.get(asset), self.stops.get(asset)
        if position is None or stops is None:
            return []
        gap = self._rules.stop_gap_fraction
        reached = touched_stop(stops, position.side, price, prices, gap, is_open=is_open)
        return self._end_at(position, reached, ts_ms, stop_reason)

    def _end_at(
        self,
        position: Position,
        reached: tuple[Decimal, ExitReason] | None,
        ts_ms: int,
        stop_reason: ExitReason,
    ) -> list[Event]:
        if reached is None:
            return []
        price, reason = reached
        if reason is ExitReason.STOP_LOSS:
            reason = stop_reason
        side = position.side.opposite
        return [self._trade(position.asset, side, position.qty, price, ts_ms, reason=reason)]

    def book_execution(self, execution: Execution) -> Execution:
        """Book an execution from outside: of a limit order, forced, or restored."""
        booked = book(self.positions.get(execution.asset), execution)
        self.wallet += booked.cash
        self._executions.setdefault(execution.asset, []).append(execution)
        if booked.trade is not None:
            self.stops.pop(execution.asset, None)
        if booked.position is None:
            self.positions.pop(execution.asset, None)
        else:
            self.positions[execution.asset] = booked.position
        return execution

    def restore_order(self, update: OrderUpdate) -> None:
        """Restore how an order of an earlier incarnation ended; its executions are booked apart."""
        self._orders[update.client_order_id] = update

    def _refusal(self, order: OrderRequest) -> str | None:
        if order.qty <= 0:
            return "qty is not positive"
        if order.reduce_only and order.asset not in self.positions:
            return "current position is zero, cannot fix reduce-only order qty"
        return None

    def _fillable(self, order: OrderRequest) -> Decimal:
        if not order.reduce_only:
            return order.qty
        position = self.positions.get(order.asset)
        if position is None or position.side is order.side:
            return ZERO
        return min(order.qty, position.qty)

    def _trade(
        self,
        asset: str,
        side: Side,
        qty: Decimal,
        price: Decimal,
        ts_ms: int,
        *,
        client_order_id: str | None = None,
        reason: ExitReason | None = None,
    ) -> Execution:
        filled_at = worsened(price, side, self._rules)
        execution = Execution(
            exec_id=self._exec_id(asset),
            asset=asset,
            ts_ms=ts_ms,
            kind=ExecutionKind.TRADE,
            side=side,
            qty=qty,
            price=filled_at,
            fee=taker_fee(qty, filled_at, self._rules),
            client_order_id=client_order_id,
            reason=reason,
        )
        return self.book_execution(execution)

    def _record(
        self, order_id: str, status: OrderStatus, filled: Decimal, ts_ms: int, detail: str
    ) -> OrderUpdate:
        update = OrderUpdate(
            client_order_id=order_id, status=status, filled_qty=filled, ts_ms=ts_ms, detail=detail
        )
        self._orders[order_id] = update
        return update

    def _exec_id(self, asset: str) -> str:
        return f"{asset}-{len(self._executions.get(asset, ())) + 1}"


def worsened(price: Decimal, side: Side, rules: FillRules) -> Decimal:
    """Return what a market order fills at: sells lower, buys higher, by the slippage."""
    slippage = rules.slippage_fraction
    return price * (ONE + slippage if side is Side.BUY else ONE - slippage)


def taker_fee(qty: Decimal, price: Decimal, rules: FillRules) -> Decimal:
    """Return the fee of a fill, quote."""
    return qty * price * rules.taker_fee_rate


def funding_execution(
    position: Position, price: Decimal, rate: Decimal, ts_ms: int, *, exec_id: str
) -> Execution:
    """Return what a settlement pays or takes: shorts receive a positive rate."""
    received = position.qty * price * rate
    return Execution(
        exec_id=exec_id,
        asset=position.asset,
        ts_ms=ts_ms,
        kind=ExecutionKind.FUNDING,
        side=position.side,
        qty=position.qty,
        price=price,
        funding=received if position.side is Side.SELL else -received,
    )


def reached_stop(
    stops: ProtectiveLevels,
    side: Side,
    prices: CandlePrices,
    stop_gap_fraction: Decimal = ZERO,
    whole: CandlePrices | None = None,
) -> tuple[Decimal, ExitReason] | None:
    """Return the price, without slippage, at which a candle ends a position; stop loss first.

    A gap through the level fills at the open: worse for the stop, better for the target.

    Args:
        stops: the current ones.
        side: of the position.
        prices: of the candle.
        stop_gap_fraction: how far a stop fills past its trigger, of the way to the extreme.
        whole: the candle with the extreme, if the prices are a part of it.
    """
    at_open = _touched(stops, side, prices.open, is_open=True)
    if at_open is not None and at_open[1] is ExitReason.STOP_LOSS:
        return at_open
    against = prices.extreme_against(side)
    if is_passed(against, stops.stop_loss, side):
        extreme = against if whole is None else whole.extreme_against(side)
        return _gapped(stops.stop_loss, extreme, stop_gap_fraction), ExitReason.STOP_LOSS
    if at_open is not None:
        return at_open
    along = prices.high if side is Side.BUY else prices.low
    target = stops.take_profit
    if target is not None and is_reached(along, target, side):
        return target, ExitReason.TAKE_PROFIT
    return None


def touched_stop(
    stops: ProtectiveLevels,
    side: Side,
    price: Decimal,
    prices: CandlePrices,
    stop_gap_fraction: Decimal = ZERO,
    *,
    is_open: bool,
) -> tuple[Decimal, ExitReason] | None:
    """Return the price, without slippage, at which one price of a candle's path ends a position.

    Args:
        stops: the current ones.
        side: of the position.
        price: one of the path.
        prices: of the candle, for how far a stop fills past its trigger.
        stop_gap_fraction: how far that is, of the way to the extreme.
        is_open: whether it is the candle's open, at which stops fill.
    """
    reached = _touched(stops, side, price, is_open=is_open)
    if reached is None or is_open or reached[1] is not ExitReason.STOP_LOSS:
        return reached
    extreme = prices.extreme_against(side)
    return _gapped(stops.stop_loss, extreme, stop_gap_fraction), ExitReason.STOP_LOSS


def is_reached(price: Decimal, take_profit: Decimal, side: Side) -> bool:
    """Tell whether a price has reached the target of a long, or of a short."""
    return price >= take_profit if side is Side.BUY else price <= take_profit


def _touched(
    stops: ProtectiveLevels, side: Side, price: Decimal, *, is_open: bool
) -> tuple[Decimal, ExitReason] | None:
    """Return where one price ends a position: at the price itself at an open, else at the level."""
    target = stops.take_profit
    if is_passed(price, stops.stop_loss, side):
        return (price if is_open else stops.stop_loss), ExitReason.STOP_LOSS
    if target is not None and is_reached(price, target, side):
        return (price if is_open else target), ExitReason.TAKE_PROFIT
    return None


def _gapped(trigger: Decimal, extreme: Decimal, fraction: Decimal) -> Decimal:
    return trigger + fraction * (extreme - trigger) if fraction else trigger

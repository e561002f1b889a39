"""The one account: the matching engine's books, and what the exchange reports of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from domain.market import Side
from domain.matching import MatchingEngine
from domain.positions import ZERO, Position
from domain.rules import FillRules
from infra.simulator.margin import (
    MarginMode,
    bankruptcy_price,
    cross_liquidation_price,
    isolated_liquidation_price,
    maintenance_margin,
    tier_of,
)
from infra.simulator.prices.market import Market
from infra.simulator.records import (
    ClosedPnl,
    Deposit,
    ExecType,
    Transaction,
    VenueExecution,
    VenueOrder,
)

MAKER_FEE_RATE = Decimal("0.0002")


@dataclass(slots=True, kw_only=True)
class SymbolBook:
    """What the account keeps of one symbol besides the position."""

    leverage: Decimal = Decimal(10)
    open_fees: Decimal = ZERO
    """Fees of the part that is still open."""
    realized_now: Decimal = ZERO
    """Since the position was opened, fees and funding included."""
    realized_ever: Decimal = ZERO
    opened_ms: int = 0
    updated_ms: int = 0
    seq: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionView:
    """A symbol's position at the present mark price; flat has no side."""

    symbol: str
    side: Side | None
    qty: Decimal
    avg_entry_price: Decimal
    notional: Decimal
    """At the entry price."""
    mark_price: Decimal
    unrealized_pnl: Decimal
    leverage: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal
    liquidation_price: Decimal | None
    bankruptcy_price: Decimal | None
    break_even_price: Decimal
    stop_loss: Decimal | None
    take_profit: Decimal | None
    tier: int
    tier_limit: Decimal
    realized_now: Decimal
    realized_ever: Decimal
    opened_ms: int
    updated_ms: int
    seq: int


class Account:
    """Money, positions and their history.

    Always true: everything here but the settings follows from the executions, in their order.
    """

    def __init__(self, rules: FillRules, market: Market) -> None:
        """Start flat with the starting balance, cross margin and one-way positions."""
        self.rules = rules
        self.engine = MatchingEngine(rules)
        self.margin_mode = MarginMode.CROSS
        self.is_hedged = False
        self.changed_ms = 0
        self.books = {symbol: SymbolBook() for symbol in market.instruments}
        self.executions: list[VenueExecution] = []
        self.closed: list[ClosedPnl] = []
        self.transactions: list[Transaction] = []
        self.deposits: list[Deposit] = []
        self._market = market

    def note(self, before: Position | None, execution: VenueExecution) -> VenueExecution:
        """Keep an execution that the engine has just booked.

        Args:
            before: the position that the execution met.
            execution: what was booked.

        Returns:
            The execution with what it closed.
        """
        booked = execution.booked
        book = self.books[booked.asset]
        self.executions.append(execution)
        after = self.engine.positions.get(booked.asset)
        cash_flow = ZERO
        if execution.exec_type is not ExecType.FUNDING:
            cash_flow = self._note_trade(before, execution, book)
        change = cash_flow - execution.cost
        if before is None:
            book.realized_now = ZERO
            book.opened_ms = booked.ts_ms
        book.realized_now += change
        book.realized_ever += change
        book.updated_ms = booked.ts_ms
        book.seq = execution.seq
        self.transactions.append(
            Transaction(
                execution=execution,
                cash_flow=cash_flow,
                change=change,
                balance=self.engine.wallet,
                position_qty=ZERO if after is None else after.qty,
            )
        )
        return execution

    def deposit(self, amount: Decimal, seq: int, ts_ms: int) -> Deposit:
        """Bring money in, or take it out."""
        self.engine.wallet += amount
        deposit = Deposit(seq=seq, ts_ms=ts_ms, amount=amount, balance=self.engine.wallet)
        self.deposits.append(deposit)
        return deposit

    def restore(self, execution: VenueExecution) -> None:
        """Book an execution of an earlier run."""
        before = self.engine.positions.get(execution.booked.asset)
        self.engine.book_execution(execution.booked)
        self.note(before, execution)

    def position(self, symbol: str) -> Position | None:
        """Return the open position."""
        return self.engine.positions.get(symbol)

    def equity(self) -> Decimal:
        """Return the wallet with all unrealized profit at the mark prices."""
        return self.engine.wallet + self.unrealized_pnl()

    def unrealized_pnl(self) -> Decimal:
        """Return the profit of all positions at the mark prices."""
        return sum(
            (
                position.unrealized_pnl(self._market.mark_price(symbol))
                for symbol, position in self.engine.positions.items()
            ),
            ZERO,
        )

    def initial_margin(self, symbol: str) -> Decimal:
        """Return what a position binds, its closing fee included."""
        position = self.position(symbol)
        if position is None:
            return ZERO
        notional = position.qty * self._market.mark_price(symbol)
        return notional / self.books[symbol].leverage + notional * self.rules.taker_fee_rate

    def maintenance(self, symbol: str) -> Decimal:
        """Return a position's maintenance margin, its closing fee included."""
        position = self.position(symbol)
        if position is None:
            return ZERO
        notional = position.qty * self._market.mark_price(symbol)
        return maintenance_margin(notional) + notional * self.rules.taker_fee_rate

    def positions_margin(self) -> Decimal:
        """Return what all positions bind."""
        return sum((self.initial_margin(symbol) for symbol in self.engine.positions), ZERO)

    def orders_margin(self, orders: Iterator[VenueOrder]) -> Decimal:
        """Return what open orders bind."""
        return sum((self.order_margin(order) for order in orders), ZERO)

    def order_margin(self, order: VenueOrder) -> Decimal:
        """Return what one order binds: nothing where it only reduces."""
        if order.reduce_only or order.is_protective:
            return ZERO
        qty, position = order.leaves_qty, self.position(order.symbol)
        if position is not None and position.side is not order.side:
            qty = max(ZERO, qty - position.qty)
        is_priced = order.price > 0 and not order.is_market
        price = order.price if is_priced else self._market.last_price(order.symbol)
        rate = 1 / self.books[order.symbol].leverage + 2 * self.rules.taker_fee_rate
        return qty * price * rate

    def available(self, orders: Iterator[VenueOrder]) -> Decimal:
        """Return what new orders may bind."""
        bound = self.positions_margin() + self.orders_margin(orders)
        if self.margin_mode is MarginMode.ISOLATED:
            return self.engine.wallet - bound
        return self.equity() - bound

    def liquidation_price(self, symbol: str) -> Decimal | None:
        """Return the mark price at which the position is taken over; None: none."""
        position = self.position(symbol)
        if position is None:
            return None
        if self.margin_mode is MarginMode.ISOLATED:
            return isolated_liquidation_price(
                position.side,
                position.avg_entry_price,
                position.qty,
                self.books[symbol].leverage,
            )
        others = sum(
            (self.maintenance(other) for other in self.engine.positions if other != symbol), ZERO
        )
        mark_price = self._market.mark_price(symbol)
        return cross_liquidation_price(
            position.side, mark_price, position.qty, self.equity(), others
        )

    def takeover_price(self, symbol: str, mark_price: Decimal) -> Decimal:
        """Return the price at which a liquidated position goes over."""
        position = self.engine.positions[symbol]
        if self.margin_mode is not MarginMode.ISOLATED:
            return mark_price
        leverage = self.books[symbol].leverage
        return bankruptcy_price(position.side, position.avg_entry_price, leverage)

    def view(self, symbol: str, stops: dict[str, Decimal]) -> PositionView:
        """Return a symbol's position as it is reported."""
        position, book = self.position(symbol), self.books[symbol]
        mark_price = self._market.mark_price(symbol)
        entry_price = ZERO if position is None else position.avg_entry_price
        notional = ZERO if position is None else position.notional
        tier = tier_of(notional)
        return PositionView(
            symbol=symbol,
            side=None if position is None else position.side,
            qty=ZERO if position is None else position.qty,
            avg_entry_price=entry_price,
            notional=notional,
            mark_price=mark_price,
            unrealized_pnl=ZERO if position is None else position.unrealized_pnl(mark_price),
            leverage=book.leverage,
            initial_margin=self.initial_margin(symbol),
            maintenance_margin=self.maintenance(symbol),
            liquidation_price=self.liquidation_price(symbol),
            bankruptcy_price=None
            if position is None
            else bankruptcy_price(position.side, entry_price, book.leverage),
            break_even_price=self._break_even(position, book),
            stop_loss=stops.get("StopLoss"),
            take_profit=stops.get("TakeProfit"),
            tier=tier.number,
            tier_limit=tier.limit,
            realized_now=book.realized_now,
            realized_ever=book.realized_ever,
            opened_ms=book.opened_ms,
            updated_ms=max(book.updated_ms, book.opened_ms),
            seq=book.seq,
        )

    def _break_even(self, position: Position | None, book: SymbolBook) -> Decimal:
        if position is None:
            return ZERO
        rate = max(self.rules.taker_fee_rate, Decimal("0.00055"))
        if position.side is Side.SELL:
            return (position.notional + book.realized_now) / (position.qty * (1 + rate))
        return (position.notional - book.realized_now) / (position.qty * (1 - rate))

    def _note_trade(
        self, before: Position | None, execution: VenueExecution, book: SymbolBook
    ) -> Decimal:
        booked, closed_qty = execution.booked, execution.closed_qty
        open_share = (booked.qty - closed_qty) / booked.qty
        cash_flow = ZERO
        if before is not None and closed_qty:
            entry_price = before.avg_entry_price
            gain = closed_qty * (booked.price - entry_price)
            cash_flow = gain if before.side is Side.BUY else -gain
            open_fee = book.open_fees * closed_qty / before.qty
            close_fee = booked.fee * closed_qty / booked.qty
            book.open_fees -= open_fee
            self.closed.append(
                ClosedPnl(
                    seq=execution.seq,
                    symbol=booked.asset,
                    order_id=execution.order_id,
                    side=booked.side,
                    order_type=execution.order_type,
                    exec_type=execution.exec_type,
                    order_qty=execution.order_qty,
                    order_price=execution.order_price,
                    qty=closed_qty,
                    entry_price=entry_price,
                    exit_price=booked.price,
                    open_fee=open_fee,
                    close_fee=close_fee,
                    pnl=cash_flow - open_fee - close_fee,
                    leverage=execution.leverage or book.leverage,
                    ts_ms=booked.ts_ms,
                )
            )
            if open_share:
                book.realized_now, book.opened_ms = ZERO, booked.ts_ms
        book.open_fees += booked.fee * open_share
        return cash_flow


def closed_qty(before: Position | None, side: Side, qty: Decimal) -> Decimal:
    """Return how much of a fill closes the position that it meets."""
    if before is None or before.side is side:
        return ZERO
    return min(qty, before.qty)

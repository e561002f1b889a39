"""The one account: the matching engine's books, and their history."""

from collections.abc import Iterable
from decimal import Decimal

from domain.market.instruments import Side
from domain.rules import FillRules
from domain.trading.matching import MatchingEngine
from domain.trading.positions import ZERO, Position
from infra.venues.simulator.books.tiers import MarginMode
from infra.venues.simulator.position_keys import LONG, SHORT, position_key
from infra.venues.simulator.records import (
    AccountState,
    ClosedPnl,
    Deposit,
    ExecType,
    SymbolBook,
    Transaction,
    VenueExecution,
)

MAKER_FEE_RATE = Decimal("0.0002")


class Account:
    """Money, positions and their history.

    Always true: everything here except the settings follows from the executions in order, or from a
    saved state and the executions after it.
    """

    def __init__(self, rules: FillRules, symbols: Iterable[str]) -> None:
        """Start flat with the starting balance, cross margin and one-way positions."""
        self.rules = rules
        self.engine = MatchingEngine(rules)
        self.margin_mode = MarginMode.CROSS
        self.hedged: set[str] = set()
        """Symbols in hedge mode."""
        self.changed_ms = 0
        self.books = {
            position_key(symbol, idx): SymbolBook() for symbol in symbols for idx in (0, 1, 2)
        }
        """By the position's key."""
        self.executions: list[VenueExecution] = []
        self.closed: list[ClosedPnl] = []
        self.transactions: list[Transaction] = []
        self.deposits: list[Deposit] = []

    def position(self, key: str) -> Position | None:
        return self.engine.positions.get(key)

    def keys(self, symbol: str) -> list[str]:
        """Return the positions that a symbol may have: one, or the two sides of hedge mode."""
        if symbol in self.hedged:
            return [position_key(symbol, LONG), position_key(symbol, SHORT)]
        return [symbol]

    def fee_rate(self, *, is_maker: bool) -> Decimal:
        """Return what a trade costs, as a fraction of its value."""
        return MAKER_FEE_RATE if is_maker else self.rules.taker_fee_rate

    def deposit(self, amount: Decimal, seq: int, ts_ms: int) -> Deposit:
        """Bring money in, or take it out."""
        self.engine.wallet += amount
        deposit = Deposit(seq=seq, ts_ms=ts_ms, amount=amount, balance=self.engine.wallet)
        self.deposits.append(deposit)
        return deposit

    def state(self, seq: int) -> AccountState:
        """Return the state after all executions and deposits; `seq` is the newest number."""
        return AccountState(
            seq=seq,
            wallet=self.engine.wallet,
            positions=dict(self.engine.positions),
            books=dict(self.books),
        )

    def resume(self, state: AccountState) -> None:
        """Restore the state of an earlier run."""
        self.engine.wallet = state.wallet
        self.engine.positions = dict(state.positions)
        self.books |= state.books

    def restore(self, execution: VenueExecution) -> None:
        """Book an execution of an earlier run."""
        before = self.position(execution.booked.asset)
        self.engine.book_execution(execution.booked)
        self.note(before, execution)

    def note(self, before: Position | None, execution: VenueExecution) -> None:
        """Record an execution that the engine has just booked.

        Args:
            before: the position that the execution met.
            execution: what was booked.
        """
        booked = execution.booked
        book = self.books[booked.asset]
        self.executions.append(execution)
        after = self.position(booked.asset)
        cash_flow = ZERO
        if execution.exec_type is not ExecType.FUNDING:
            cash_flow = self._note_trade(before, execution, book)
        change = cash_flow - execution.cost
        if after is None or (before is not None and after.side is not before.side):
            book.added_margin = ZERO
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

    def _note_trade(
        self, before: Position | None, execution: VenueExecution, book: SymbolBook
    ) -> Decimal:
        """Record what a trade closed, and return its profit before fees."""
        booked, closed_qty = execution.booked, execution.closed_qty
        open_share = (booked.qty - closed_qty) / booked.qty
        cash_flow = ZERO
        if before is not None and closed_qty:
            gain = closed_qty * (booked.price - before.avg_entry_price)
            cash_flow = gain if before.side is Side.BUY else -gain
            open_fee = book.open_fees * closed_qty / before.qty
            book.open_fees -= open_fee
            self.closed.append(_closed_pnl(before, execution, book, cash_flow, open_fee))
            if open_share:
                book.realized_now, book.opened_ms = ZERO, booked.ts_ms
        book.open_fees += booked.fee * open_share
        return cash_flow


def closed_qty(before: Position | None, side: Side, qty: Decimal) -> Decimal:
    """Return how much of a fill closes the existing position."""
    if before is None or before.side is side:
        return ZERO
    return min(qty, before.qty)


def _closed_pnl(
    before: Position,
    execution: VenueExecution,
    book: SymbolBook,
    cash_flow: Decimal,
    open_fee: Decimal,
) -> ClosedPnl:
    booked = execution.booked
    close_fee = booked.fee * execution.closed_qty / booked.qty
    return ClosedPnl(
        seq=execution.seq,
        symbol=execution.symbol,
        order_id=execution.order_id,
        side=booked.side,
        order_type=execution.order_type,
        exec_type=execution.exec_type,
        order_qty=execution.order_qty,
        order_price=execution.order_price,
        qty=execution.closed_qty,
        entry_price=before.avg_entry_price,
        exit_price=booked.price,
        open_fee=open_fee,
        close_fee=close_fee,
        pnl=cash_flow - open_fee - close_fee,
        leverage=execution.leverage or book.leverage,
        ts_ms=booked.ts_ms,
    )

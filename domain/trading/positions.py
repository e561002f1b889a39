"""Executions, and the positions and trades that they make."""

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from domain.fast_init import fast_init
from domain.market.instruments import Side
from domain.rules import EntryTerms
from domain.trading.orders import ExitReason

ZERO = Decimal(0)


class ExecutionKind(StrEnum):
    """What an execution moves: a trade moves quantity, funding moves only money."""

    TRADE = "TRADE"
    FUNDING = "FUNDING"


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One execution as the venue reports it, completed from our intent."""

    exec_id: str
    """Unique at the venue."""
    asset: str
    ts_ms: int
    kind: ExecutionKind
    side: Side
    qty: Decimal
    price: Decimal
    fee: Decimal = ZERO
    """Quote; positive is a cost."""
    funding: Decimal = ZERO
    """Quote; positive is received."""
    client_order_id: str | None = None
    """None: the venue acted by itself."""
    decided_ms: int | None = None
    """Close time t of our decision; None: the venue acted by itself."""
    reason: ExitReason | None = None
    """Reason of a reduction; None for an entry."""
    signal_ms: int | None = None
    """The signal that an entry uses."""
    terms: EntryTerms | None = None
    """Of an entry; None if an older version sent it, or if the venue acted by itself."""


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """A round trip from flat to flat."""

    asset: str
    side: Side
    """Of the entry: SELL is a short."""
    entry_ms: int
    exit_ms: int
    qty: Decimal
    entry_price: Decimal
    """Average over the entry's fills."""
    exit_price: Decimal
    fees: Decimal
    funding: Decimal
    pnl: Decimal
    """Net of fees, funding included."""
    reason: ExitReason
    decided_ms: int | None
    """Close time of the exit's decision; None: the venue acted by itself."""


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """An open position and what it has cost so far."""

    asset: str
    side: Side
    qty: Decimal
    """Base units still open, > 0."""
    opened_ms: int
    decided_ms: int | None
    signal_ms: int | None
    open_notional: Decimal
    """What the open part cost, quote."""
    entry_qty: Decimal
    """Over all fills of entries, closed again or not; likewise below."""
    entry_notional: Decimal
    exit_qty: Decimal = ZERO
    exit_notional: Decimal = ZERO
    fees: Decimal = ZERO
    funding: Decimal = ZERO
    reason: ExitReason | None = None
    """Of the first exit other than the operator's reduce."""
    exit_decided_ms: int | None = None
    terms: EntryTerms | None = None
    """The terms at its opening; None if no decision opened it."""

    @property
    def signed_qty(self) -> Decimal:
        """Base units; negative is short."""
        return self.qty if self.side is Side.BUY else -self.qty

    @property
    def is_external(self) -> bool:
        """Tell whether something other than our decision opened it."""
        return self.decided_ms is None

    @property
    def avg_entry_price(self) -> Decimal:
        """What the open part cost, quote per base."""
        return self.open_notional / self.qty

    @property
    def notional(self) -> Decimal:
        """The open part at its entry price, quote."""
        return self.open_notional

    def unrealized_pnl(self, mark_price: Decimal) -> Decimal:
        """Return the open part's profit at a price, gross of exit costs."""
        return _gain(self.side, self.open_notional, self.qty * mark_price)


@dataclass(frozen=True, slots=True, kw_only=True)
class VenuePosition:
    """The exchange's view of an asset's position, which decides on the quantity."""

    signed_qty: Decimal
    """Base units; negative is short, 0 is flat."""
    stop_loss: Decimal | None
    """Trigger price of the full-position stop; None: there is none."""
    take_profit: Decimal | None
    avg_entry_price: Decimal | None = None
    """Quote per base; None if flat, or if it cannot be known."""
    trailed_best: Decimal | None = None
    """Most favourable price since the entry, of a stop that the exchange itself trails."""


FLAT = VenuePosition(signed_qty=ZERO, stop_loss=None, take_profit=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnmanagedPosition:
    """An open position of the account that belongs to no asset of the settings."""

    symbol: str
    signed_qty: Decimal
    """Base units; negative is short."""
    avg_entry_price: Decimal | None
    stop_loss: Decimal | None
    """None: it has no stop."""


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Booked:
    """The effect of one execution: the position after it, the cash it moved, the trade it ended."""

    position: Position | None
    cash: Decimal
    """Change of the wallet balance, quote."""
    trade: Trade | None = None


class _Exits(NamedTuple):
    """Totals over all exits of a position."""

    qty: Decimal
    notional: Decimal
    fees: Decimal
    reason: ExitReason | None
    decided_ms: int | None


def book(position: Position | None, execution: Execution) -> Booked:
    """Return the effect of an execution on a position.

    A fill that is larger than the position it closes opens the rest the other way.
    """
    if execution.kind is ExecutionKind.FUNDING:
        return _book_funding(position, execution)
    if position is None or execution.side is position.side:
        return _book_entry(position, execution)
    if execution.qty <= position.qty:
        return _book_exit(position, execution)
    return _book_through_flat(position, execution)


def _book_funding(position: Position | None, execution: Execution) -> Booked:
    if position is not None:
        position = replace(position, funding=position.funding + execution.funding)
    return Booked(position=position, cash=execution.funding)


def _book_entry(position: Position | None, execution: Execution) -> Booked:
    cost = execution.qty * execution.price
    if position is None:
        larger = Position(
            asset=execution.asset,
            side=execution.side,
            qty=execution.qty,
            opened_ms=execution.ts_ms,
            decided_ms=execution.decided_ms,
            signal_ms=execution.signal_ms,
            open_notional=cost,
            entry_qty=execution.qty,
            entry_notional=cost,
            fees=execution.fee,
            terms=execution.terms,
        )
    else:
        larger = replace(
            position,
            qty=position.qty + execution.qty,
            open_notional=position.open_notional + cost,
            entry_qty=position.entry_qty + execution.qty,
            entry_notional=position.entry_notional + cost,
            fees=position.fees + execution.fee,
        )
    return Booked(position=larger, cash=-execution.fee)


def _book_exit(position: Position, execution: Execution) -> Booked:
    is_last = execution.qty == position.qty
    names = position.reason is None and (is_last or execution.reason is not ExitReason.REDUCE)
    cost = position.open_notional if is_last else execution.qty * position.avg_entry_price
    proceeds = execution.qty * execution.price
    exits = _Exits(
        qty=position.exit_qty + execution.qty,
        notional=position.exit_notional + proceeds,
        fees=position.fees + execution.fee,
        reason=_exit_reason(execution) if names else position.reason,
        decided_ms=execution.decided_ms if names else position.exit_decided_ms,
    )
    cash = _gain(position.side, cost, proceeds) - execution.fee
    if is_last:
        return Booked(position=None, cash=cash, trade=_trade(position, exits, execution.ts_ms))
    smaller = replace(
        position,
        qty=position.qty - execution.qty,
        open_notional=position.open_notional - cost,
        exit_qty=exits.qty,
        exit_notional=exits.notional,
        fees=exits.fees,
        reason=exits.reason,
        exit_decided_ms=exits.decided_ms,
    )
    return Booked(position=smaller, cash=cash)


def _exit_reason(execution: Execution) -> ExitReason:
    """Return a trade's reason after an exit; a reduce that leaves nothing open is a close."""
    if execution.reason is ExitReason.REDUCE:
        return ExitReason.OPERATOR
    return execution.reason or ExitReason.EXTERNAL


def _book_through_flat(position: Position, execution: Execution) -> Booked:
    share = position.qty / execution.qty
    closing = replace(execution, qty=position.qty, fee=execution.fee * share)
    opening = replace(
        execution, qty=execution.qty - position.qty, fee=execution.fee - closing.fee, reason=None
    )
    closed, opened = _book_exit(position, closing), _book_entry(None, opening)
    return replace(opened, cash=closed.cash + opened.cash, trade=closed.trade)


def _trade(position: Position, exits: _Exits, exit_ms: int) -> Trade:
    gross = _gain(position.side, position.entry_notional, exits.notional)
    return Trade(
        asset=position.asset,
        side=position.side,
        entry_ms=position.opened_ms,
        exit_ms=exit_ms,
        qty=position.entry_qty,
        entry_price=position.entry_notional / position.entry_qty,
        exit_price=exits.notional / exits.qty,
        fees=exits.fees,
        funding=position.funding,
        pnl=gross - exits.fees + position.funding,
        reason=exits.reason or ExitReason.EXTERNAL,
        decided_ms=exits.decided_ms,
    )


def _gain(side: Side, entered_for: Decimal, left_for: Decimal) -> Decimal:
    """Return the gain of a long or a short between two notionals."""
    return left_for - entered_for if side is Side.BUY else entered_for - left_for

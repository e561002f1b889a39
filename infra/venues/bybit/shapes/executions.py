"""Executions, and the reasons of those that the venue made."""

from dataclasses import dataclass
from decimal import Decimal

from domain.market.instruments import Side
from domain.trading.orders import ExitReason
from domain.trading.positions import ZERO, Execution, ExecutionKind
from infra.venues.bybit.shapes.queries import asset_of
from infra.venues.bybit.shapes.row import Row

_FUNDING = "Funding"
_TRADES = frozenset({"Trade", "AdlTrade", "BustTrade"})

# Auto-deleveraging closes a position, mostly a winning one, because of others' losses. In our books
# that is an external close: LIQUIDATION would mean that our own margin was insufficient.
_REASONS_BY_KIND = {
    "BustTrade": ExitReason.LIQUIDATION,
    "AdlTrade": ExitReason.EXTERNAL,
}
_REASONS_BY_CREATION = {  # without a suffix as in CreateByAdl_PassThrough
    "CreateByLiq": ExitReason.LIQUIDATION,
    "CreateByTakeOver": ExitReason.LIQUIDATION,
    "CreateByAdl": ExitReason.EXTERNAL,
    "CreateByStopLoss": ExitReason.STOP_LOSS,
    "CreateByPartialStopLoss": ExitReason.STOP_LOSS,
    "CreateByTakeProfit": ExitReason.TAKE_PROFIT,
    "CreateByPartialTakeProfit": ExitReason.TAKE_PROFIT,
    "CreateByTrailingStop": ExitReason.TRAILING_STOP,
    "CreateByTrailingProfit": ExitReason.TRAILING_STOP,
}
_REASONS_BY_STOP = {
    "StopLoss": ExitReason.STOP_LOSS,
    "PartialStopLoss": ExitReason.STOP_LOSS,
    "TakeProfit": ExitReason.TAKE_PROFIT,
    "PartialTakeProfit": ExitReason.TAKE_PROFIT,
    "TrailingStop": ExitReason.TRAILING_STOP,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueExecution:
    """One execution, with details that only the venue's row holds."""

    execution: Execution
    exec_type: str
    """The venue's word: `Trade`, `Funding`, `AdlTrade`, `BustTrade` ..."""
    venue_order_id: str | None
    leaves_qty: Decimal | None
    """Quantity left of the order after it."""
    seq: int

    @property
    def is_known_type(self) -> bool:
        """Tell whether the effect of this type is known."""
        return self.exec_type in _TRADES or self.exec_type == _FUNDING


@dataclass(frozen=True, slots=True, kw_only=True)
class Executions:
    """Executions, oldest first, each id once."""

    items: tuple[VenueExecution, ...]

    @property
    def executions(self) -> tuple[Execution, ...]:
        """The executions as the domain knows them.

        Those of an unknown type are left out, as in the stream: once booked as money, one could
        not be booked as a trade when its type becomes known.
        """
        return tuple(item.execution for item in self.items if item.is_known_type)


def execution_of(row: Row) -> VenueExecution:
    """Return an execution, from an answer or from the private stream.

    Only trades, and what the venue traded for us (ADL, liquidation), move quantity. Funding, and
    any unknown type, moves only money.
    """
    exec_type = row.text("execType")
    return VenueExecution(
        execution=_quantity(row, exec_type) if exec_type in _TRADES else _money(row, exec_type),
        exec_type=exec_type,
        venue_order_id=row.maybe_text("orderId"),
        leaves_qty=row.maybe_decimal("leavesQty"),
        seq=row.maybe_integer("seq") or 0,
    )


def _quantity(row: Row, exec_type: str) -> Execution:
    qty, price = row.price("execQty"), row.price("execPrice")
    return Execution(
        exec_id=row.text("execId"),
        asset=asset_of(row.text("symbol")),
        ts_ms=row.time_ms("execTime"),
        kind=ExecutionKind.TRADE,
        side=row.side("side"),
        qty=qty,
        price=price,
        fee=_cost(row, qty * price),
        client_order_id=row.text_if_any("orderLinkId"),
        reason=_exit_reason(row, exec_type),
    )


def _money(row: Row, exec_type: str) -> Execution:
    if exec_type == _FUNDING:
        # The quantity and price of a payment are not booked either, but are told.
        qty, price = row.price_if_any("execQty") or ZERO, row.price_if_any("execPrice") or ZERO
        cost = _cost(row, qty * price)
    else:
        # Nothing of it is booked, and nothing is known of how its fields are meant.
        qty, price = row.maybe_decimal("execQty") or ZERO, row.maybe_decimal("execPrice") or ZERO
        cost = row.maybe_decimal("execFee") or ZERO
    return Execution(
        exec_id=row.text("execId"),
        asset=asset_of(row.text("symbol")),
        ts_ms=row.time_ms("execTime"),
        kind=ExecutionKind.FUNDING,
        # The side of a payment is not booked, and the venue need not give one.
        side=row.maybe_side("side") or Side.SELL,
        qty=qty,
        price=price,
        funding=-cost,
    )


def _cost(row: Row, notional: Decimal) -> Decimal:
    """Return a fee or a payment, negative if received; it is no more than what it is charged on."""
    return row.decimal_within("execFee", notional) if notional else row.decimal("execFee")


def _exit_reason(row: Row, exec_type: str) -> ExitReason | None:
    """Return why the venue or someone else closed; None for entries and our own orders."""
    made_by, stop_type = row.word("createType") or "", row.word("stopOrderType") or ""
    by_venue = (
        _REASONS_BY_KIND.get(exec_type)
        or _REASONS_BY_CREATION.get(made_by.partition("_")[0])
        or _REASONS_BY_STOP.get(stop_type)
    )
    if by_venue is not None or row.maybe_text("orderLinkId") is not None:
        return by_venue
    return ExitReason.EXTERNAL if row.maybe_decimal("closedSize") else None

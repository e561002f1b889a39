"""Orders: their ids, requests to the venue, and how their state changes."""

import re
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from domain.market.instruments import Side
from domain.rules import EntryTerms

_ID = re.compile(r"[A-Za-z0-9_-]{1,36}")


class Purpose(StrEnum):
    """Why an order is sent. Five letters at most: the value is part of the order's id."""

    ENTRY = "entry"
    EXIT = "exit"
    EMERGENCY = "emerg"
    OPERATOR = "oper"
    REDUCE = "reduc"
    """The operator's partial close; the rest of the position stays open."""
    NAKED = "naked"


class ExitReason(StrEnum):
    """Why a trade ended."""

    STOP_LOSS = "STOP_LOSS"
    TAKE_PROFIT = "TAKE_PROFIT"
    TRAILING_STOP = "TRAILING_STOP"
    REGIME = "REGIME"
    TIME = "TIME"
    OPERATOR = "OPERATOR"
    REDUCE = "REDUCE"
    """Only of executions: a trade is not named after an exit that left it open."""
    DRAWDOWN = "DRAWDOWN"
    HALT = "HALT"
    DAILY_LOSS = "DAILY_LOSS"
    CORRELATION = "CORRELATION"
    CAPITAL_LOSS = "CAPITAL_LOSS"
    MALFUNCTION = "MALFUNCTION"
    NAKED = "NAKED"
    LIQUIDATION = "LIQUIDATION"
    EXTERNAL = "EXTERNAL"


class OrderStatus(StrEnum):
    """What is known of an order's state, weakest evidence first.

    The order of the members is the order of evidence: a later member overrules an earlier one,
    in whatever order the updates arrive. A void order was proven never sent; if the venue
    knows it all the same, the venue is right.
    """

    INTENDED = "INTENDED"
    UNKNOWN = "UNKNOWN"
    VOID = "VOID"
    ACCEPTED = "ACCEPTED"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    REJECTED = "REJECTED"
    CANCELED = "CANCELED"
    FILLED = "FILLED"


_EVIDENCE = {status: rank for rank, status in enumerate(OrderStatus)}
_TERMINAL = frozenset(
    {OrderStatus.VOID, OrderStatus.REJECTED, OrderStatus.CANCELED, OrderStatus.FILLED}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """A market order as it is sent to the venue."""

    client_order_id: str
    asset: str
    side: Side
    qty: Decimal
    reduce_only: bool
    stop_loss: Decimal | None = None
    """Trigger price of a full-position stop; entries only."""
    take_profit: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """An order as it was decided: stored before it is sent."""

    request: OrderRequest
    decided_ms: int
    """Close time t of the decision."""
    purpose: Purpose
    attempt: int
    reason: ExitReason | None
    """Reason of the close; None for an entry."""
    signal_ms: int | None
    """Close time of the signal that an entry uses."""
    protection_epoch: int | None
    """The epoch of an entry's approval; None if no epoch stops the order: for a close, or an entry
    that is only stored as void."""
    terms: EntryTerms | None = None
    """Of an entry; None in facts of older versions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderUpdate:
    """An update of one order, from the venue or from our own proof that it was never sent."""

    client_order_id: str
    status: OrderStatus
    filled_qty: Decimal
    """Cumulative."""
    ts_ms: int
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestingOrder:
    """An open order at the venue, whoever sent it."""

    venue_order_id: str
    client_order_id: str | None
    side: Side | None
    qty: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderState:
    """What is known of one order.

    Always true: the same updates in any order, repeated or not, give the same state.
    """

    status: OrderStatus = OrderStatus.INTENDED
    filled_qty: Decimal = Decimal(0)

    @property
    def is_terminal(self) -> bool:
        """Tell whether nothing more can happen to the order."""
        return self.status in _TERMINAL

    def apply(self, update: OrderUpdate) -> "OrderState":
        """Return the state after one more update."""
        news_is_stronger = _EVIDENCE[update.status] > _EVIDENCE[self.status]
        return replace(
            self,
            status=update.status if news_is_stronger else self.status,
            filled_qty=max(self.filled_qty, update.filled_qty),
        )


INTENDED = OrderState()
"""Stored, and nothing more is known."""


def client_order_id(asset: str, decided_ms: int, purpose: Purpose, attempt: int) -> str:
    """Return the id of an order: the same decision always has the same id.

    Raises:
        ValueError: the id would break the venue's rule (1 to 36 of A-Z a-z 0-9 - _).
    """
    made = f"{asset}-{decided_ms // 1000}-{purpose.value}-{attempt}"
    if not _ID.fullmatch(made):
        message = f"client_order_id must be 1 to 36 of A-Z a-z 0-9 - _, was {made!r}"
        raise ValueError(message)
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderId:
    """The parts of an id that `client_order_id` made."""

    decided_ms: int
    """Time of the decision, to the second."""
    purpose: Purpose
    attempt: int


def read_order_id(asset: str, found: str | None) -> OrderId | None:
    """Return the parts of an id; None if `client_order_id` makes no such id for the asset."""
    purposes = "|".join(purpose.value for purpose in Purpose)
    pattern = rf"{re.escape(asset)}-([0-9]+)-({purposes})-([0-9]+)"
    match = None if found is None else re.fullmatch(pattern, found, re.ASCII)
    if match is None:
        return None
    decided_s, purpose, attempt = match.groups()
    return OrderId(decided_ms=int(decided_s) * 1000, purpose=Purpose(purpose), attempt=int(attempt))


def is_our_id(asset: str, found: str | None) -> bool:
    """Tell whether `client_order_id` makes such an id for the asset."""
    return read_order_id(asset, found) is not None

"""Bybit's stream messages as domain values.

A reader is tolerant: what it does not need may be absent or new. What it does need and cannot read
it refuses with `BadDataError`, which costs that one item and nothing else; the REST audit brings
what a refused item would have said.
"""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from loguru import logger

from domain.errors import BadDataError
from domain.market import Candle, Side
from domain.orders import ExitReason, OrderStatus, OrderUpdate
from domain.positions import ZERO, Execution, ExecutionKind

Value = TypeVar("Value")
Item = Mapping[str, Any]
"""One entry of a message's data."""

_LATEST_MS = 10**14
_TIME_DIGITS = 14
_LARGEST_EXPONENT = 18
"""Of ten: no price, quantity or balance is larger, or smaller than its inverse."""

_SIDES = {"Buy": Side.BUY, "Sell": Side.SELL}

_STATUSES = {
    "New": OrderStatus.ACCEPTED,
    "Untriggered": OrderStatus.ACCEPTED,
    "Triggered": OrderStatus.ACCEPTED,
    "PartiallyFilled": OrderStatus.PARTIALLY_FILLED,
    "Rejected": OrderStatus.REJECTED,
    "Filled": OrderStatus.FILLED,
    # Canceled orders may have been filled in part, then `filled_qty` says so.
    "Cancelled": OrderStatus.CANCELED,
    "PartiallyFilledCanceled": OrderStatus.CANCELED,
    "Deactivated": OrderStatus.CANCELED,
}
_MAY_LACK_QTY = frozenset({OrderStatus.ACCEPTED, OrderStatus.REJECTED})
_NO_DETAIL = frozenset({"", "EC_NoError", "UNKNOWN"})

_TRADES = frozenset({"Trade", "AdlTrade", "BustTrade"})

# Auto-deleveraging takes a position because of others' losses, mostly a winning one. In our books
# that is a close by another hand: LIQUIDATION would say that our own margin was short.
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
class Ticker:
    """The prices of one symbol that this system needs."""

    symbol: str
    last_price: Decimal
    """Quote per base, of the newest trade."""
    mark_price: Decimal
    """Quote per base; positions are valued and liquidated at it."""
    ts_ms: int
    """The venue's time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionSeen:
    """A position as the venue holds it.

    Always true: `side` and `avg_entry_price` are None exactly where `qty` is zero.
    """

    asset: str
    side: Side | None
    """SELL is a short; None is flat."""
    qty: Decimal
    """Base units, >= 0."""
    avg_entry_price: Decimal | None
    stop_loss: Decimal | None
    """Trigger price; None where none is set."""
    take_profit: Decimal | None
    mark_price: Decimal | None
    ts_ms: int
    """When the venue sent it."""
    seq: int | None
    """The venue's order of events on the symbol: later is larger."""
    position_idx: int
    """0 in one-way mode; 1 and 2 are the two positions of hedge mode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletSeen:
    """The unified account as the venue holds it. None is what the venue did not say."""

    ts_ms: int
    total_equity: Decimal | None
    """USD, over all coins."""
    usdt_wallet_balance: Decimal | None
    """Realized, USDT."""
    usdt_equity: Decimal | None
    """Wallet balance plus unrealized PnL, USDT."""


class Refusals:
    """Counts what could not be read, by kind, where it is dropped. Safe from any thread."""

    def __init__(self) -> None:
        """Start at zero."""
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def attempt(self, kind: str, read: Callable[[], Value]) -> Value | None:
        """Return what a reader returns; None, and one refusal of this kind, where it cannot."""
        try:
            return read()
        except BadDataError as error:
            self.count(kind, str(error))
            return None

    def count(self, kind: str, what: str) -> None:
        """Count; log the first, second, fourth ...: a flood must not fill the disk."""
        with self._lock:
            self._counts[kind] += 1
            count = self._counts[kind]
        if count & (count - 1) == 0:
            logger.warning("refused {} ({} so far): {}", kind, count, what)

    def counts(self) -> Mapping[str, int]:
        """Return the counts so far."""
        with self._lock:
            return dict(self._counts)


class CandleReader:
    """Closed candles of one symbol: each once, in the order of their times."""

    def __init__(self, candle_ms: int) -> None:
        """Read candles of one length, in ms."""
        self._candle_ms = candle_ms
        self._newest_ms = -1

    def read(self, item: Item, sent_ms: int) -> Candle | None:
        """Return the candle that an item closes; None where it is open, old or known.

        Args:
            item: one entry of a kline topic.
            sent_ms: when the venue sent the message.

        Raises:
            BadDataError: a closed candle breaks its contract.
        """
        if _mapping(item).get("confirm") is not True:
            return None
        candle = candle_of(item, self._candle_ms)
        # A single candle of the future would hide all that follow it.
        if candle.close_time_ms > sent_ms + self._candle_ms:
            raise BadDataError(f"expected a candle closed by {sent_ms}, found {_shown(item)}")
        if candle.open_time_ms <= self._newest_ms:
            return None
        self._newest_ms = candle.open_time_ms
        return candle


class TickerReader:
    """The prices of one symbol, merged from a snapshot and the changes after it."""

    def __init__(self, symbol: str) -> None:
        """Start without prices."""
        self._symbol = symbol
        self._last_price: Decimal | None = None
        self._mark_price: Decimal | None = None

    def read(self, message: Item) -> Ticker | None:
        """Return the prices after a message; None while one is missing.

        Raises:
            BadDataError: the message breaks its contract; the prices are as they were.
        """
        item = _mapping(message.get("data"))
        if item.get("symbol", self._symbol) != self._symbol:
            raise BadDataError(f"expected {self._symbol}, found {item.get('symbol')!r}")
        last_price, mark_price = _price(item, "lastPrice"), _price(item, "markPrice")
        ts_ms = _time_ms(message, "ts")
        if message.get("type") == "snapshot":
            self._last_price = self._mark_price = None
        self._last_price = last_price or self._last_price
        self._mark_price = mark_price or self._mark_price
        if self._last_price is None or self._mark_price is None:
            return None
        return Ticker(
            symbol=self._symbol,
            last_price=self._last_price,
            mark_price=self._mark_price,
            ts_ms=ts_ms,
        )


def items_of(message: Item) -> list[Any]:
    """Return the entries of a message's data.

    Raises:
        BadDataError: it has none.
    """
    data = message.get("data")
    if not isinstance(data, list):
        raise BadDataError(f"expected a list of data, found {type(data).__name__}")
    return data


def candle_of(item: Item, candle_ms: int) -> Candle:
    """Return an item of a kline topic as a closed candle, whether it is closed or not.

    Raises:
        BadDataError: it breaks the contract of a candle.
    """
    item = _mapping(item)
    open_time_ms = _time_ms(item, "start")
    opened, high, low, close = (_required(item, key) for key in ("open", "high", "low", "close"))
    volume = _required(item, "volume")
    if open_time_ms % candle_ms or not 0 < low <= min(opened, close) <= max(opened, close) <= high:
        raise BadDataError(f"expected a candle, found {_shown(item)}")
    if volume < 0 or item.get("end", open_time_ms + candle_ms - 1) != open_time_ms + candle_ms - 1:
        raise BadDataError(f"expected a candle of {candle_ms} ms, found {_shown(item)}")
    return Candle(
        open_time_ms=open_time_ms,
        close_time_ms=open_time_ms + candle_ms,
        open=float(opened),
        high=float(high),
        low=float(low),
        close=float(close),
        volume=float(volume),
    )


def symbol_of(item: Item) -> str | None:
    """Return the symbol of a perpetual; None for what is no linear contract, such as spot.

    Raises:
        BadDataError: there is none.
    """
    item = _mapping(item)
    if item.get("category", "linear") != "linear":
        return None
    return _name(item, "symbol")


def order_of(item: Item) -> OrderUpdate | None:
    """Return news of one of our orders; None where the order has no id of ours.

    Raises:
        BadDataError: the status is unknown, or a needed field is absent or unreadable.
    """
    client_order_id = _optional_name(item, "orderLinkId")
    if client_order_id is None:
        return None
    status = _STATUSES.get(_name(item, "orderStatus"))
    if status is None:
        raise BadDataError(f"expected an order status, found {item.get('orderStatus')!r}")
    filled = _optional(item, "cumExecQty")
    # A filled or canceled order without a quantity would read as one that never traded.
    if filled is None and status not in _MAY_LACK_QTY:
        raise BadDataError(f"expected cumExecQty of a {status} order, found {_shown(item)}")
    if (filled or ZERO) < 0 or (status is OrderStatus.FILLED and not filled):
        raise BadDataError(f"expected cumExecQty of a {status} order, found {filled}")
    words = (item.get("rejectReason"), item.get("cancelType"))
    return OrderUpdate(
        client_order_id=client_order_id,
        status=status,
        filled_qty=filled or ZERO,
        ts_ms=_time_ms(item, "updatedTime"),
        detail=" ".join(w for w in words if isinstance(w, str) and w not in _NO_DETAIL),
    )


def execution_of(item: Item, asset: str) -> Execution | None:
    """Return an execution; None for a kind that this system does not trade in.

    Raises:
        BadDataError: a needed field is absent or unreadable.
    """
    kind = _name(item, "execType")
    if kind == "Funding":
        return _funding_of(item, asset)
    if kind not in _TRADES:
        return None
    client_order_id = _optional_name(item, "orderLinkId")
    return Execution(
        exec_id=_name(item, "execId"),
        asset=asset,
        ts_ms=_time_ms(item, "execTime"),
        kind=ExecutionKind.TRADE,
        side=_side(item),
        qty=_positive(item, "execQty"),
        price=_positive(item, "execPrice"),
        fee=_required(item, "execFee"),
        client_order_id=client_order_id,
        reason=_exit_reason(item, kind, client_order_id),
    )


def position_of(item: Item, asset: str, sent_ms: int | None) -> PositionSeen:
    """Return a position as the venue holds it; size 0 is flat, whatever side it names.

    Args:
        item: one entry of the position topic.
        asset: whose position it is.
        sent_ms: when the venue sent the message; by default when the position last changed.

    Raises:
        BadDataError: a needed field is absent or unreadable.
    """
    qty = _required(item, "size")
    if qty < 0:
        raise BadDataError(f"expected a size of at least 0, found {qty}")
    seq, index = item.get("seq"), item.get("positionIdx", 0)
    return PositionSeen(
        asset=asset,
        side=_side(item) if qty else None,
        qty=qty,
        avg_entry_price=_positive(item, "entryPrice") if qty else None,
        stop_loss=_price(item, "stopLoss"),
        take_profit=_price(item, "takeProfit"),
        mark_price=_price(item, "markPrice"),
        ts_ms=_time_ms(item, "updatedTime") if sent_ms is None else sent_ms,
        seq=seq if type(seq) is int else None,
        position_idx=index if type(index) is int else 0,
    )


def wallet_of(item: Item, sent_ms: int | None) -> WalletSeen:
    """Return the account as the venue holds it.

    Args:
        item: one entry of the wallet topic.
        sent_ms: when the venue sent the message.

    Raises:
        BadDataError: it is not dated, or a number is unreadable.
    """
    item = _mapping(item)
    if sent_ms is None:
        raise BadDataError("expected creationTime of a wallet message, found none")
    coins = item.get("coin")
    usdt: Item = {}
    for coin in coins if isinstance(coins, list) else ():
        if isinstance(coin, Mapping) and coin.get("coin") == "USDT":
            usdt = coin
    return WalletSeen(
        ts_ms=sent_ms,
        total_equity=_optional(item, "totalEquity"),
        usdt_wallet_balance=_optional(usdt, "walletBalance"),
        usdt_equity=_optional(usdt, "equity"),
    )


def pushed_ms_of(message: Item) -> int:
    """Return when the venue sent a public message.

    Raises:
        BadDataError: it does not say.
    """
    return _time_ms(message, "ts")


def sent_ms_of(message: Item) -> int | None:
    """Return when the venue sent a private message; None where it does not say.

    Raises:
        BadDataError: it says so unreadably.
    """
    return None if message.get("creationTime") is None else _time_ms(message, "creationTime")


def _funding_of(item: Item, asset: str) -> Execution:
    return Execution(
        exec_id=_name(item, "execId"),
        asset=asset,
        ts_ms=_time_ms(item, "execTime"),
        kind=ExecutionKind.FUNDING,
        # Nobody books the side of a payment, and the venue need not name one.
        side=_SIDES.get(str(item.get("side")), Side.SELL),
        qty=_optional(item, "execQty") or ZERO,
        price=_optional(item, "execPrice") or ZERO,
        funding=-_required(item, "execFee"),
    )


def _exit_reason(item: Item, kind: str, client_order_id: str | None) -> ExitReason | None:
    """Return why the venue, or somebody else, closed; None for an entry and for our own orders."""
    creation = str(item.get("createType")).partition("_")[0]
    by_venue = (
        _REASONS_BY_KIND.get(kind)
        or _REASONS_BY_CREATION.get(creation)
        or _REASONS_BY_STOP.get(str(item.get("stopOrderType")))
    )
    if by_venue is not None or client_order_id is not None:
        return by_venue
    return ExitReason.EXTERNAL if _optional(item, "closedSize") else None


def _mapping(item: Any) -> Item:
    if not isinstance(item, Mapping):
        raise BadDataError(f"expected an object, found {type(item).__name__}")
    return item


def _name(item: Item, key: str) -> str:
    found = item.get(key)
    if not isinstance(found, str) or not found:
        raise BadDataError(f"expected {key} as a text, found {found!r}")
    return found


def _optional_name(item: Item, key: str) -> str | None:
    return None if item.get(key) in (None, "") else _name(item, key)


def _side(item: Item) -> Side:
    side = _SIDES.get(str(item.get("side")))
    if side is None:
        raise BadDataError(f"expected side as Buy or Sell, found {item.get('side')!r}")
    return side


def _time_ms(item: Item, key: str) -> int:
    found = item.get(key)
    if (
        isinstance(found, str)
        and found.isascii()
        and found.isdigit()
        and len(found) <= _TIME_DIGITS
    ):
        found = int(found)
    if type(found) is not int or not 0 < found < _LATEST_MS:
        raise BadDataError(f"expected {key} as a time in ms, found {found!r}")
    return found


def _optional(item: Item, key: str) -> Decimal | None:
    """Return a number; None where it is absent or empty, as the venue writes what it lacks."""
    found = item.get(key)
    if found is None or found == "":
        return None
    if isinstance(found, bool) or not isinstance(found, str | int | float):
        raise BadDataError(f"expected {key} as a number, found {type(found).__name__}")
    try:
        number = Decimal(str(found))
    except InvalidOperation as error:
        raise BadDataError(f"expected {key} as a number, found {str(found)[:40]!r}") from error
    if not number.is_finite() or (number and abs(number.adjusted()) > _LARGEST_EXPONENT):
        raise BadDataError(f"expected {key} as a number of this world, found {str(found)[:40]!r}")
    return number


def _required(item: Item, key: str) -> Decimal:
    number = _optional(item, key)
    if number is None:
        raise BadDataError(f"expected {key}, found none in {_shown(item)}")
    return number


def _positive(item: Item, key: str) -> Decimal:
    number = _required(item, key)
    if number <= 0:
        raise BadDataError(f"expected {key} above 0, found {number}")
    return number


def _price(item: Item, key: str) -> Decimal | None:
    """Return a price; None where it is absent, or 0, by which the venue says none."""
    number = _optional(item, key)
    if number is not None and number < 0:
        raise BadDataError(f"expected {key} of at least 0, found {number}")
    return number or None


def _shown(item: Item) -> str:
    return str(dict(item))[:200]

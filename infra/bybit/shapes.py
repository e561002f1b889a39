"""The venue's JSON as values: what must be there is checked, what may be absent never aborts.

Every function here takes parsed JSON of any shape and returns values, or raises BadDataError that
names the field. Numbers become Decimal from the venue's own text.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, DecimalException
from enum import StrEnum
from typing import Never

from domain.errors import BadDataError
from domain.market import MINUTE_MS, Candle, Instrument, Side
from domain.orders import ExitReason, OrderRequest, OrderStatus, OrderUpdate
from domain.positions import ZERO, Execution, ExecutionKind
from domain.sizing import ProtectiveLevels

CATEGORY = "linear"
QUOTE = "USDT"

_LONGEST = 500
_MOST_DIGITS = 30
_LARGEST_INT = 10**18
_NUMBER = re.compile(r"[+-]?[0-9]{1,40}(\.[0-9]{0,40})?([eE][+-]?[0-9]{1,3})?")
_NO_WORDS = frozenset({"", "UNKNOWN", "EC_NoError", "None"})
"""What the venue writes where there is nothing to say."""


# Values.


class MarginMode(StrEnum):
    """How the account's margin is shared; the venue's own words."""

    ISOLATED = "ISOLATED_MARGIN"
    CROSS = "REGULAR_MARGIN"
    PORTFOLIO = "PORTFOLIO_MARGIN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A perpetual as the venue lists it now."""

    instrument: Instrument
    status: str
    """`Trading`, or the venue's word for why not."""
    max_leverage: Decimal | None
    funding_interval_ms: int | None
    launch_ms: int | None
    """Since when it is traded."""

    @property
    def is_trading(self) -> bool:
        """Tell whether it can be traded without limits."""
        return self.status == "Trading"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticker:
    """Prices of one perpetual."""

    symbol: str
    ts_ms: int
    last_price: Decimal
    mark_price: Decimal
    funding_rate: Decimal | None
    """Of the next settlement, fraction of the notional; positive: longs pay."""
    next_funding_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VenuePosition:
    """One position as the venue holds it. Always true: `side` is None where `qty` is 0."""

    symbol: str
    side: Side | None
    qty: Decimal
    avg_entry_price: Decimal | None
    """None where flat."""
    mark_price: Decimal | None
    """None only where flat."""
    liq_price: Decimal | None
    """None where there is none in reach; an estimate under cross margin."""
    stop_loss: Decimal | None
    take_profit: Decimal | None
    trailing_stop: Decimal | None
    """Distance, quote."""
    leverage: Decimal | None
    position_idx: int
    """0 in one-way mode; 1 and 2 are the two sides of hedge mode."""
    ts_ms: int
    """The venue's time when it said so."""
    updated_ms: int | None
    """When the venue last changed it."""

    @property
    def is_flat(self) -> bool:
        """Tell whether nothing is open."""
        return not self.qty

    @property
    def stops(self) -> ProtectiveLevels | None:
        """Both full-position stops, None where one is missing."""
        if self.stop_loss is None or self.take_profit is None:
            return None
        return ProtectiveLevels(stop_loss=self.stop_loss, take_profit=self.take_profit)


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueOrder:
    """One order as the venue holds it, ours or not."""

    venue_order_id: str
    client_order_id: str | None
    symbol: str
    side: Side | None
    status: OrderStatus
    """UNKNOWN where the venue uses a word that we do not know."""
    qty: Decimal | None
    filled_qty: Decimal
    """Cumulative."""
    reduce_only: bool
    stop_order_type: str | None
    """`StopLoss`, `TakeProfit` ...; None for an order that is not conditional."""
    trigger_price: Decimal | None
    ts_ms: int
    """When it last changed."""
    detail: str

    def update(self, client_order_id: str) -> OrderUpdate:
        """Return the order as news under our own id."""
        return OrderUpdate(
            client_order_id=client_order_id,
            status=self.status,
            filled_qty=self.filled_qty,
            ts_ms=self.ts_ms,
            detail=self.detail,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueExecution:
    """One execution with what only the venue's row holds."""

    execution: Execution
    exec_type: str
    """The venue's word: `Trade`, `Funding`, `AdlTrade`, `BustTrade` ..."""
    venue_order_id: str | None
    leaves_qty: Decimal | None
    """What was left of the order after it."""
    seq: int

    @property
    def is_known_type(self) -> bool:
        """Tell whether we know what this type moves."""
        return self.exec_type in _QUANTITY_TYPES or self.exec_type == _FUNDING


@dataclass(frozen=True, slots=True, kw_only=True)
class Executions:
    """Executions, oldest first, each id once."""

    items: tuple[VenueExecution, ...]
    unknown_types: Mapping[str, int]
    """How many there were of each type that we do not know; they moved no quantity of ours."""

    @property
    def executions(self) -> tuple[Execution, ...]:
        """The executions as the domain knows them."""
        return tuple(item.execution for item in self.items)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wallet:
    """The account's USDT."""

    ts_ms: int
    balance: Decimal
    """Wallet balance, USDT, without unrealized PnL."""
    equity: Decimal
    """Balance plus unrealized PnL, USDT."""
    available: Decimal
    """What new positions can use: USD over all coins under cross margin, else USDT."""
    account_equity: Decimal | None
    """Over all coins, USD; None where the venue leaves it empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeRates:
    """Fractions of the notional."""

    taker: Decimal
    maker: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """A change of the balance that no trade and no funding explains."""

    transfer_id: str
    ts_ms: int
    kind: str
    """The venue's word: `TRANSFER_IN`, `TRANSFER_OUT`, `BONUS`, `INTEREST` ..."""
    currency: str
    amount: Decimal
    """Of the currency; positive is received."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeyInfo:
    """What the API key may do."""

    is_read_only: bool
    can_trade: bool
    """Derivatives: orders and positions."""
    can_withdraw: bool
    ips: tuple[str, ...]
    """Addresses it is bound to; empty where it is not bound."""
    days_left: int | None
    """Until it expires; None where the venue does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountInfo:
    """How the account is set up."""

    margin_mode: MarginMode | None
    """None where the venue uses a word that we do not know."""
    unified_status: int
    """1 classic; 3, 4 unified 1.0; 5, 6 unified 2.0."""


# Names and numbers on their way out.


def symbol_of(asset: str) -> str:
    """Return the perpetual of a base coin."""
    return asset + QUOTE


def asset_of(symbol: str) -> str:
    """Return the base coin of a perpetual."""
    return symbol.removesuffix(QUOTE)


def plain(number: Decimal) -> str:
    """Return a number as the venue reads it, never with an exponent."""
    return format(number, "f")


def interval_of(candle_ms: int) -> str:
    """Return the venue's name of a candle length below a day.

    Raises:
        ValueError: the venue has no such candles.
    """
    minutes, rest = divmod(candle_ms, MINUTE_MS)
    if rest or minutes not in {1, 3, 5, 15, 30, 60, 120, 240, 360, 720}:
        raise ValueError(f"expected a candle length that the venue has, was {candle_ms} ms")
    return str(minutes)


def order_query(order: OrderRequest) -> dict[str, object]:
    """Return a market order as the venue wants it, its stops attached for the whole position."""
    query: dict[str, object] = {
        "category": CATEGORY,
        "symbol": symbol_of(order.asset),
        "side": _VENUE_SIDES[order.side],
        "orderType": "Market",
        "qty": plain(order.qty),
        "positionIdx": 0,
        "orderLinkId": order.client_order_id,
        "reduceOnly": order.reduce_only,
    }
    return query | _stops_query(order.stop_loss, order.take_profit)


def stops_query(symbol: str, levels: ProtectiveLevels) -> dict[str, object]:
    """Return full-position stops as the venue wants them."""
    query: dict[str, object] = {"category": CATEGORY, "symbol": symbol, "positionIdx": 0}
    return query | _stops_query(levels.stop_loss, levels.take_profit)


def _stops_query(stop_loss: Decimal | None, take_profit: Decimal | None) -> dict[str, object]:
    query: dict[str, object] = {}
    if stop_loss is not None:
        query |= {"stopLoss": plain(stop_loss), "slTriggerBy": _TRIGGER, "slOrderType": "Market"}
    if take_profit is not None:
        query |= {"takeProfit": plain(take_profit), "tpTriggerBy": _TRIGGER}
        query |= {"tpOrderType": "Market"}
    if query:
        query["tpslMode"] = "Full"
    return query


# The tolerant reader.


class Row:
    """One JSON object of the venue."""

    def __init__(self, what: str, raw: object) -> None:
        """Take parsed JSON.

        Args:
            what: names it in errors.
            raw: anything.

        Raises:
            BadDataError: it is not an object.
        """
        if not isinstance(raw, dict):
            raise BadDataError(f"{what}: expected an object, found {_shown(raw)}")
        self._what = what
        self._raw = raw

    def text(self, name: str) -> str:
        """Return a text that must be there and not be empty."""
        found = self.maybe_text(name)
        return self._missing(name, "a text") if found is None else found

    def maybe_text(self, name: str) -> str | None:
        """Return a text; None where it is absent or empty."""
        found = self._raw.get(name)
        return found if isinstance(found, str) and 0 < len(found) <= _LONGEST else None

    def word(self, name: str) -> str | None:
        """Return a text that says something; None for the venue's ways to say nothing."""
        found = self.maybe_text(name)
        return None if found in _NO_WORDS else found

    def decimal(self, name: str) -> Decimal:
        """Return a finite number that must be there."""
        found = self.maybe_decimal(name)
        return self._missing(name, "a number") if found is None else found

    def maybe_decimal(self, name: str) -> Decimal | None:
        """Return a finite number; None where it is absent, empty or unreadable."""
        return _decimal(self._raw.get(name))

    def price(self, name: str) -> Decimal:
        """Return a number above zero that must be there."""
        found = self.maybe_price(name)
        return self._missing(name, "a number above zero") if found is None else found

    def maybe_price(self, name: str) -> Decimal | None:
        """Return a number above zero; None where it is absent or the venue's zero for none."""
        found = self.maybe_decimal(name)
        return found if found is not None and found > 0 else None

    def qty(self, name: str) -> Decimal:
        """Return a number that is not negative and must be there."""
        found = self.maybe_decimal(name)
        return self._missing(name, "a qty") if found is None or found < 0 else found

    def integer(self, name: str) -> int:
        """Return a whole number that must be there."""
        found = self.maybe_integer(name)
        return self._missing(name, "a whole number") if found is None else found

    def maybe_integer(self, name: str) -> int | None:
        """Return a whole number; None where it is absent or unreadable."""
        return _integer(self._raw.get(name))

    def flag(self, name: str) -> bool:
        """Return whether a flag is set; an absent one is not."""
        return self._raw.get(name) in (True, 1, "true", "1")

    def side(self, name: str) -> Side:
        """Return a side that must be there."""
        found = self.maybe_side(name)
        return self._missing(name, "Buy or Sell") if found is None else found

    def maybe_side(self, name: str) -> Side | None:
        """Return a side; None where there is none."""
        return _SIDES.get(self.maybe_text(name) or "")

    def row(self, name: str) -> "Row":
        """Return an object inside that must be there."""
        return Row(f"{self._what}.{name}", self._raw.get(name))

    def items(self, name: str) -> list[object]:
        """Return a list inside that must be there."""
        found = self._raw.get(name)
        return found if isinstance(found, list) else self._missing(name, "a list")

    def maybe_items(self, name: str) -> list[object]:
        """Return a list inside, empty where there is none."""
        found = self._raw.get(name)
        return found if isinstance(found, list) else []

    def rows(self, name: str) -> list["Row"]:
        """Return a list of objects inside that must be there."""
        return [Row(f"{self._what}.{name}", item) for item in self.items(name)]

    def has(self, name: str) -> bool:
        """Tell whether a field is there, whatever it holds."""
        return name in self._raw

    def _missing(self, name: str, expected: str) -> Never:
        found = _shown(self._raw[name]) if name in self._raw else "nothing"
        raise BadDataError(f"{self._what}: expected {expected} in field {name}, found {found}")


# Market.


def listings(result: object) -> dict[str, Listing]:
    """Return the perpetuals of one page of instruments."""
    rows = Row("instruments", result).rows("list")
    return {row.text("symbol"): _listing(row) for row in rows}


def _listing(row: Row) -> Listing:
    lots, minutes = row.row("lotSizeFilter"), row.maybe_integer("fundingInterval")
    instrument = Instrument(
        symbol=row.text("symbol"),
        qty_step=lots.price("qtyStep"),
        min_order_qty=lots.price("minOrderQty"),
        tick_size=row.row("priceFilter").price("tickSize"),
        min_notional=lots.qty("minNotionalValue"),
        max_market_order_qty=lots.price("maxMktOrderQty"),
    )
    leverage = row.row("leverageFilter") if row.has("leverageFilter") else Row("none", {})
    return Listing(
        instrument=instrument,
        status=row.text("status"),
        max_leverage=leverage.maybe_price("maxLeverage"),
        funding_interval_ms=None if minutes is None else minutes * MINUTE_MS,
        launch_ms=row.maybe_integer("launchTime"),
    )


def candles(result: object, symbol: str, candle_ms: int) -> list[Candle]:
    """Return the candles of one page, oldest first, the open one included.

    Raises:
        BadDataError: a candle contradicts itself, lies off the grid, or is of another symbol.
    """
    page = Row("kline", result)
    if page.maybe_text("symbol") not in {symbol, None}:
        raise BadDataError(f"kline: expected {symbol}, found {page.maybe_text('symbol')}")
    found = [_candle(item, candle_ms) for item in page.items("list")]
    return sorted(found, key=lambda candle: candle.open_time_ms)


def _candle(item: object, candle_ms: int) -> Candle:
    if not isinstance(item, list) or len(item) < len(_CANDLE_FIELDS):
        raise BadDataError(f"kline: expected {_CANDLE_FIELDS}, found {_shown(item)}")
    row = Row("kline", dict(zip(_CANDLE_FIELDS, item, strict=False)))
    open_time_ms = row.integer("start")
    candle = Candle(
        open_time_ms=open_time_ms,
        close_time_ms=open_time_ms + candle_ms,
        open=float(row.price("open")),
        high=float(row.price("high")),
        low=float(row.price("low")),
        close=float(row.price("close")),
        volume=float(row.qty("volume")),
    )
    is_sound = candle.low <= min(candle.open, candle.close)
    is_sound &= candle.high >= max(candle.open, candle.close)
    if not is_sound or open_time_ms % candle_ms or open_time_ms <= 0:
        raise BadDataError(f"kline: expected low <= open, close <= high on the grid, was {candle}")
    return candle


def funding_rates(result: object, symbol: str) -> dict[int, Decimal]:
    """Return the rates of one page of settlements by time, ms.

    Raises:
        BadDataError: one is not readable, or of another symbol.
    """
    rows = Row("funding/history", result).rows("list")
    others = {row.text("symbol") for row in rows} - {symbol}
    if others:
        raise BadDataError(f"funding/history: expected {symbol}, found {', '.join(others)}")
    return {row.integer("fundingRateTimestamp"): row.decimal("fundingRate") for row in rows}


def ticker(result: object, symbol: str, ts_ms: int) -> Ticker:
    """Return one perpetual's prices."""
    row = _only(Row("tickers", result), symbol)
    return Ticker(
        symbol=symbol,
        ts_ms=ts_ms,
        last_price=row.price("lastPrice"),
        mark_price=row.price("markPrice"),
        funding_rate=row.maybe_decimal("fundingRate"),
        next_funding_ms=row.maybe_integer("nextFundingTime"),
    )


def server_time_ms(result: object) -> float:
    """Return the venue's time, ms since 1970 UTC."""
    row = Row("time", result)
    return float(row.price("timeNano") / 1_000_000)


# Orders, executions, positions.


def order(row: Row) -> VenueOrder:
    """Return an order, from an answer or from the private stream."""
    words = (row.word(name) for name in ("rejectReason", "cancelType"))
    raw_status = row.text("orderStatus")
    known = _STATUSES.get(raw_status)
    details = [word for word in words if word is not None]
    return VenueOrder(
        venue_order_id=row.text("orderId"),
        client_order_id=row.maybe_text("orderLinkId"),
        symbol=row.text("symbol"),
        side=row.maybe_side("side"),
        status=OrderStatus.UNKNOWN if known is None else known,
        qty=row.maybe_decimal("qty"),
        filled_qty=row.qty("cumExecQty"),
        reduce_only=row.flag("reduceOnly"),
        stop_order_type=row.word("stopOrderType"),
        trigger_price=row.maybe_price("triggerPrice"),
        ts_ms=row.maybe_integer("updatedTime") or row.integer("createdTime"),
        detail=", ".join(details if known is not None else [raw_status, *details]),
    )


def execution(row: Row) -> VenueExecution:
    """Return an execution, from an answer or from the private stream.

    Only trades, and what the venue traded for us (ADL, liquidation), move quantity. Funding and
    every type that we do not know are booked as money alone.
    """
    exec_type = row.text("execType")
    read = _quantity if exec_type in _QUANTITY_TYPES else _money
    return VenueExecution(
        execution=read(row, exec_type),
        exec_type=exec_type,
        venue_order_id=row.maybe_text("orderId"),
        leaves_qty=row.maybe_decimal("leavesQty"),
        seq=row.maybe_integer("seq") or 0,
    )


def _quantity(row: Row, exec_type: str) -> Execution:
    return Execution(
        exec_id=row.text("execId"),
        asset=asset_of(row.text("symbol")),
        ts_ms=row.integer("execTime"),
        kind=ExecutionKind.TRADE,
        side=row.side("side"),
        qty=row.price("execQty"),
        price=row.price("execPrice"),
        fee=row.decimal("execFee"),
        client_order_id=row.maybe_text("orderLinkId"),
        reason=_QUANTITY_TYPES[exec_type] or _reason(row),
    )


def _money(row: Row, _: str) -> Execution:
    return Execution(
        exec_id=row.text("execId"),
        asset=asset_of(row.text("symbol")),
        ts_ms=row.integer("execTime"),
        kind=ExecutionKind.FUNDING,
        side=row.maybe_side("side") or Side.BUY,
        qty=row.maybe_decimal("execQty") or ZERO,
        price=row.maybe_decimal("execPrice") or ZERO,
        funding=-row.decimal("execFee"),
    )


def _reason(row: Row) -> ExitReason | None:
    stop_type, made_by = row.word("stopOrderType") or "", row.word("createType") or ""
    return _STOP_REASONS.get(stop_type) or _MAKER_REASONS.get(made_by)


def position(row: Row, ts_ms: int) -> VenuePosition:
    """Return a position, from an answer or from the private stream.

    Args:
        row: the venue's words.
        ts_ms: the venue's time of the answer.
    """
    qty = row.qty("size")
    entry_price = "avgPrice" if row.has("avgPrice") else "entryPrice"
    return VenuePosition(
        symbol=row.text("symbol"),
        side=row.side("side") if qty else None,
        qty=qty,
        avg_entry_price=row.price(entry_price) if qty else None,
        mark_price=row.price("markPrice") if qty else row.maybe_price("markPrice"),
        liq_price=row.maybe_price("liqPrice"),
        stop_loss=row.maybe_price("stopLoss"),
        take_profit=row.maybe_price("takeProfit"),
        trailing_stop=row.maybe_price("trailingStop"),
        leverage=row.maybe_price("leverage"),
        position_idx=row.integer("positionIdx"),
        ts_ms=ts_ms,
        updated_ms=row.maybe_integer("updatedTime"),
    )


# The account.


def wallet(result: object, ts_ms: int, margin_mode: MarginMode | None) -> Wallet:
    """Return the account's USDT.

    Args:
        result: the venue's answer.
        ts_ms: its time.
        margin_mode: under ISOLATED the account-wide figures do not apply; None: not known, they
            are used where the venue fills them.

    Raises:
        BadDataError: there is no USDT in the answer. An absent coin is not taken for zero, which
            would look like the loss of everything.
    """
    accounts = Row("wallet", result).rows("list")
    if not accounts:
        raise BadDataError("wallet: expected an account in field list, found none")
    account = accounts[0]
    coins = [coin for coin in account.rows("coin") if coin.maybe_text("coin") == QUOTE]
    if not coins:
        raise BadDataError(f"wallet: expected {QUOTE} in field coin, found none")
    balance = coins[0].decimal("walletBalance")
    return Wallet(
        ts_ms=ts_ms,
        balance=balance,
        equity=_equity(account, coins[0], balance),
        available=_available(account, coins[0], balance, margin_mode),
        account_equity=account.maybe_decimal("totalEquity"),
    )


def _equity(account: Row, coin: Row, balance: Decimal) -> Decimal:
    equity, unrealized_pnl = coin.maybe_decimal("equity"), coin.maybe_decimal("unrealisedPnl")
    if equity is not None:
        return equity
    if unrealized_pnl is not None:
        return balance + unrealized_pnl
    return account.decimal("totalEquity")


def _available(account: Row, coin: Row, balance: Decimal, mode: MarginMode | None) -> Decimal:
    account_wide = account.maybe_decimal("totalAvailableBalance")
    if account_wide is not None and mode is not MarginMode.ISOLATED:
        return account_wide
    used = ("totalPositionIM", "totalOrderIM", "locked", "bonus")
    return balance - sum((coin.maybe_decimal(name) or ZERO for name in used), ZERO)


def fee_rates(result: object, symbol: str) -> FeeRates:
    """Return the fees that the account pays for a perpetual."""
    row = _only(Row("fee-rate", result), symbol)
    return FeeRates(taker=row.decimal("takerFeeRate"), maker=row.decimal("makerFeeRate"))


def transfer(row: Row) -> Transfer | None:
    """Return a line of the transaction log; None where a trade or funding explains it."""
    kind = row.text("type")
    if kind in _EXPLAINED:
        return None
    return Transfer(
        transfer_id=row.text("id"),
        ts_ms=row.integer("transactionTime"),
        kind=kind,
        currency=row.text("currency"),
        amount=row.decimal("change"),
    )


def api_key_info(result: object) -> ApiKeyInfo:
    """Return what the key may do.

    Raises:
        BadDataError: the permissions are not readable; a key of unknown power is not used.
    """
    row = Row("query-api", result)
    permissions = row.row("permissions")
    contract = {"Order", "Position"} <= _words(permissions.maybe_items("ContractTrade"))
    derivatives = "DerivativesTrade" in _words(permissions.maybe_items("Derivatives"))
    return ApiKeyInfo(
        is_read_only=row.integer("readOnly") != 0,
        can_trade=contract or derivatives,
        can_withdraw="Withdraw" in _words(permissions.items("Wallet")),
        ips=tuple(sorted(_words(row.maybe_items("ips")) - {"*", ""})),
        days_left=row.maybe_integer("deadlineDay"),
    )


def account_info(result: object) -> AccountInfo:
    """Return how the account is set up."""
    row = Row("account", result)
    mode = row.text("marginMode")
    return AccountInfo(
        margin_mode=MarginMode(mode) if mode in set(MarginMode) else None,
        unified_status=row.integer("unifiedMarginStatus"),
    )


_TRIGGER = "LastPrice"
"""Stops trigger on the last price, as the decisions are made on it."""
_VENUE_SIDES = {Side.BUY: "Buy", Side.SELL: "Sell"}
_SIDES = {name: side for side, name in _VENUE_SIDES.items()}
_CANDLE_FIELDS = ("start", "open", "high", "low", "close", "volume")
_FUNDING = "Funding"
_QUANTITY_TYPES: Mapping[str, ExitReason | None] = {
    "Trade": None,
    "AdlTrade": ExitReason.EXTERNAL,
    "BustTrade": ExitReason.LIQUIDATION,
}
_STOP_REASONS = {
    "StopLoss": ExitReason.STOP_LOSS,
    "PartialStopLoss": ExitReason.STOP_LOSS,
    "TakeProfit": ExitReason.TAKE_PROFIT,
    "PartialTakeProfit": ExitReason.TAKE_PROFIT,
    "TrailingStop": ExitReason.TRAILING_STOP,
}
_MAKER_REASONS = {
    "CreateByStopLoss": ExitReason.STOP_LOSS,
    "CreateByPartialStopLoss": ExitReason.STOP_LOSS,
    "CreateByTakeProfit": ExitReason.TAKE_PROFIT,
    "CreateByPartialTakeProfit": ExitReason.TAKE_PROFIT,
    "CreateByTrailingStop": ExitReason.TRAILING_STOP,
    "CreateByLiq": ExitReason.LIQUIDATION,
    "CreateByTakeOver_PassThrough": ExitReason.LIQUIDATION,
    "CreateByAdl_PassThrough": ExitReason.EXTERNAL,
    "CreateByClosing": ExitReason.EXTERNAL,
}
_STATUSES = {
    "Created": OrderStatus.ACCEPTED,
    "New": OrderStatus.ACCEPTED,
    "Untriggered": OrderStatus.ACCEPTED,
    "Triggered": OrderStatus.ACCEPTED,
    "PartiallyFilled": OrderStatus.PARTIALLY_FILLED,
    "Filled": OrderStatus.FILLED,
    "Cancelled": OrderStatus.CANCELED,
    "PartiallyFilledCanceled": OrderStatus.CANCELED,
    "Deactivated": OrderStatus.CANCELED,
    "Rejected": OrderStatus.REJECTED,
}
_EXPLAINED = frozenset({"TRADE", "SETTLEMENT", "LIQUIDATION", "ADL", "DELIVERY"})


def _only(page: Row, symbol: str) -> Row:
    for row in page.rows("list"):
        if row.maybe_text("symbol") == symbol:
            return row
    raise BadDataError(f"expected {symbol} in field list, found none")


def _words(items: list[object]) -> set[str]:
    return {item for item in items if isinstance(item, str)}


def _decimal(raw: object) -> Decimal | None:
    """Return a finite number of a sane size; floats are read as they print."""
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        return None
    try:
        text = raw if isinstance(raw, str) else repr(raw)
        found = Decimal(text) if _NUMBER.fullmatch(text) else None
    except (DecimalException, ValueError):
        return None
    if found is None or abs(found.adjusted()) > _MOST_DIGITS:
        return None
    return found


def _integer(raw: object) -> int | None:
    found = _decimal(raw)
    if found is None or found != found.to_integral_value() or abs(found) > _LARGEST_INT:
        return None
    return int(found)


def _shown(raw: object) -> str:
    if isinstance(raw, str | int | float) or raw is None:
        return repr(raw)[:60]
    return f"a {type(raw).__name__}"

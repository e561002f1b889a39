"""Market data: listings, candles and prices of perpetuals."""

from dataclasses import dataclass
from decimal import Decimal

from domain.errors import BadDataError
from domain.market.instruments import MINUTE_MS, Candle, Instrument
from domain.market.order_book import OrderBook
from infra.venues.bybit.shapes.messages import Item, pushed_ms_of
from infra.venues.bybit.shapes.row import Row, shown

_CANDLE_FIELDS = ("start", "open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A perpetual as currently listed."""

    instrument: Instrument
    status: str
    """`Trading`, or the venue's word for another state."""
    max_leverage: Decimal | None
    funding_interval_ms: int | None
    launch_ms: int | None
    """Time of its launch."""

    @property
    def is_trading(self) -> bool:
        """Tell whether it can be traded without restrictions."""
        return self.status == "Trading"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticker:
    """The prices of one symbol used by this system."""

    symbol: str
    last_price: Decimal
    """Quote per base, of the newest trade."""
    mark_price: Decimal
    """Quote per base; positions are valued and liquidated at it."""
    ts_ms: int
    """The venue's time."""


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
        funding_interval_ms=None if minutes is None or minutes <= 0 else minutes * MINUTE_MS,
        launch_ms=row.maybe_time_ms("launchTime"),
    )


def candles(result: object, symbol: str, candle_ms: int) -> list[Candle]:
    """Return the candles of one page, oldest first, including the open one.

    Raises:
        BadDataError: a candle is inconsistent, off the time grid, or of another symbol.
    """
    page = Row("kline", result)
    if page.maybe_text("symbol") not in {symbol, None}:
        raise BadDataError(f"kline: expected {symbol}, found {page.maybe_text('symbol')}")
    found = [_candle(item, candle_ms) for item in page.items("list")]
    return sorted(found, key=lambda candle: candle.open_time_ms)


def candle_of(row: Row, candle_ms: int) -> Candle:
    """Return a candle, closed or not.

    Raises:
        BadDataError: it is inconsistent or off the time grid.
    """
    open_time_ms = row.time_ms("start")
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
    end_ms = row.maybe_integer("end")
    is_sound &= end_ms is None or end_ms == candle.close_time_ms - 1
    if not is_sound or open_time_ms % candle_ms:
        raise BadDataError(f"kline: expected low <= open, close <= high on the grid, was {candle}")
    return candle


def _candle(item: object, candle_ms: int) -> Candle:
    if not isinstance(item, list) or len(item) < len(_CANDLE_FIELDS):
        raise BadDataError(f"kline: expected {_CANDLE_FIELDS}, found {shown(item)}")
    return candle_of(Row("kline", dict(zip(_CANDLE_FIELDS, item, strict=False))), candle_ms)


def funding_rates(result: object, symbol: str) -> dict[int, Decimal]:
    """Return the rates of one page of settlements by time, ms.

    Raises:
        BadDataError: one cannot be read, or is of another symbol.
    """
    rows = Row("funding/history", result).rows("list")
    others = {row.text("symbol") for row in rows} - {symbol}
    if others:
        raise BadDataError(f"funding/history: expected {symbol}, found {', '.join(others)}")
    return {row.time_ms("fundingRateTimestamp"): row.decimal("fundingRate") for row in rows}


def maintenance_rate(result: object, symbol: str, notional: Decimal) -> Decimal:
    """Return the maintenance margin rate of the smallest tier that holds a notional.

    Raises:
        BadDataError: a tier cannot be read, or none is large enough.
    """
    rows = [
        row
        for row in Row("risk-limit", result).rows("list")
        if row.maybe_text("symbol") == symbol and row.decimal("riskLimitValue") >= notional
    ]
    if not rows:
        raise BadDataError(f"risk-limit: expected a tier of {symbol} up to {notional}, found none")
    return min(rows, key=lambda row: row.decimal("riskLimitValue")).decimal("maintenanceMargin")


def ticker(result: object, symbol: str, ts_ms: int) -> Ticker:
    """Return one perpetual's prices."""
    row = Row("tickers", result).row_of_symbol(symbol)
    return Ticker(
        symbol=symbol,
        last_price=row.price("lastPrice"),
        mark_price=row.price("markPrice"),
        ts_ms=ts_ms,
    )


def order_book(result: object, symbol: str) -> OrderBook:
    """Return both sides of one perpetual's order book, the best level first."""
    row = Row(f"order book of {symbol}", result)
    bids, asks = (tuple(_level(symbol, item) for item in row.items(side)) for side in ("b", "a"))
    return OrderBook(bids=bids, asks=asks)


def _level(symbol: str, item: object) -> tuple[Decimal, Decimal]:
    if not isinstance(item, list) or len(item) != len(("price", "size")):
        raise BadDataError(f"order book of {symbol}: expected [price, size], found {shown(item)}")
    row = Row(f"order book of {symbol}", {"price": item[0], "size": item[1]})
    return row.price("price"), row.qty("size")


def server_time_ms(result: object) -> float:
    """Return the venue's time, ms since 1970 UTC."""
    row = Row("time", result)
    return float(row.price("timeNano") / 1_000_000)


class CandleReader:
    """Closed candles of one symbol: each once, in order of time."""

    def __init__(self, candle_ms: int) -> None:
        """Read candles of one length, in ms."""
        self._candle_ms = candle_ms
        self._newest_ms = -1

    def read(self, item: Item, sent_ms: int) -> Candle | None:
        """Return the candle that an item closes; None if it is open, old or known.

        Args:
            item: one entry of a kline topic.
            sent_ms: when the venue sent the message.

        Raises:
            BadDataError: a closed candle is invalid.
        """
        row = Row("kline", item)
        if not row.boolean("confirm"):
            return None
        candle = candle_of(row, self._candle_ms)
        # A single candle from the future would hide all that follow it.
        if candle.close_time_ms > sent_ms + self._candle_ms:
            raise BadDataError(f"kline: expected a candle closed by {sent_ms}, was {candle}")
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
            BadDataError: the message is invalid; the prices remain unchanged.
        """
        row, ts_ms = Row("tickers", message.get("data")), pushed_ms_of(message)
        symbol = row.maybe_text("symbol") or self._symbol
        if symbol != self._symbol:
            raise BadDataError(f"tickers: expected {self._symbol}, found {symbol}")
        last_price, mark_price = row.price_if_any("lastPrice"), row.price_if_any("markPrice")
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

"""The public side of REST: time, instruments, candles, tickers, book, funding, tiers."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import islice

from infra.venues.simulator import refusals
from infra.venues.simulator.books.tiers import TIERS
from infra.venues.simulator.core import Simulator
from infra.venues.simulator.faults.kinds import Kind
from infra.venues.simulator.faults.spec import FaultSpec
from infra.venues.simulator.prices.generator import CANDLE_MS
from infra.venues.simulator.rest.paging import part
from infra.venues.simulator.rest.params import CATEGORIES, Params
from infra.venues.simulator.shapes.market import instrument_row
from infra.venues.simulator.shapes.text import Json, text
from infra.venues.simulator.trading.ledger import price_limits

_LISTED, _MOST_LISTED = 500, 1000


def server_time(core: Simulator, _: Params) -> Json:
    """GET /v5/market/time."""
    now_ms = core.clock.told_ms()
    return {"timeSecond": str(now_ms // 1000), "timeNano": str(now_ms * 1_000_000)}


def instruments_info(core: Simulator, params: Params) -> Json:
    """GET /v5/market/instruments-info; only USDT perpetuals exist here."""
    category = params.one_of("category", *CATEGORIES)
    is_trading = params.text("status", "Trading") == "Trading"
    if category != "linear" or not is_trading or params.text("symbolType"):
        return {"category": category, "list": [], "nextPageCursor": ""}
    symbol, base = params.text("symbol"), params.text("baseCoin")
    found = [core.venue.ledger.instrument(symbol)] if symbol else [*core.options.listed]
    found = [
        one
        for one in found
        if (not base or one.symbol == f"{base}USDT")
        and core.faults.take(Kind.DELISTED, symbol=one.symbol) is None
    ]
    shown, cursor = part(found, params, limit=_LISTED, most=_MOST_LISTED)
    interval_ms = core.options.fills.funding.interval_ms
    rows = [instrument_row(one, interval_ms) for one in shown]
    return {"category": category, "list": rows, "nextPageCursor": cursor}


def tickers(core: Simulator, params: Params) -> Json:
    """GET /v5/market/tickers."""
    category = params.one_of("category", *CATEGORIES)
    symbol = params.text("symbol")
    found = (
        [core.venue.ledger.instrument(symbol).symbol] if symbol else list(core.market.instruments)
    )
    rows = [core.tickers.rest_fields(symbol) for symbol in found] if category == "linear" else []
    return {"category": category, "list": rows}


def orderbook(core: Simulator, params: Params) -> Json:
    """GET /v5/market/orderbook."""
    params.one_of("category", "linear")
    symbol = core.venue.ledger.instrument(params.text("symbol")).symbol
    levels = max(1, min(params.integer("limit", 25) or 25, 1000))
    now_ms = core.clock.told_ms()
    thin = core.faults.take(Kind.THIN_BOOK, symbol=symbol)
    book = core.books.view(symbol, levels)
    if thin is not None:
        book |= _thinned(book, thin)
    return {**book, "ts": now_ms, "cts": now_ms}


def _thinned(book: Json, fault: FaultSpec) -> Json:
    apart = (fault.rate or Decimal(0)) / 2
    return {
        side: [
            [text(Decimal(price) * (1 + sign * apart)), text(Decimal(size) * fault.fraction)]
            for price, size in book[side]
        ]
        for side, sign in (("b", -1), ("a", 1))
    }


def funding_history(core: Simulator, params: Params) -> Json:
    """GET /v5/market/funding/history; before the first candle the rate was constant."""
    params.one_of("category", "linear")
    symbol = core.venue.ledger.instrument(params.text("symbol")).symbol
    begin, end = params.integer("startTime"), params.integer("endTime")
    if begin is not None and end is None:
        raise refusals.wrong("endTime is required with startTime")
    now_ms = core.clock.now_ms()
    newest_ms = min(now_ms if end is None else end, now_ms) // CANDLE_MS * CANDLE_MS
    limit = max(1, min(params.integer("limit", 200) or 200, 200))
    settled = _settled(core, symbol, newest_ms, 0 if begin is None else begin)
    rows = [
        {"symbol": symbol, "fundingRate": text(rate), "fundingRateTimestamp": str(time_ms)}
        for time_ms, rate in islice(settled, limit)
    ]
    return {"category": "linear", "list": rows}


def _settled(
    core: Simulator, symbol: str, newest_ms: int, oldest_ms: int
) -> Iterator[tuple[int, Decimal]]:
    """Yield the times and rates of a symbol's settlements, newest first."""
    for time_ms in range(newest_ms, oldest_ms - 1, -CANDLE_MS):
        rate = core.funding.rate(symbol, time_ms)
        if rate is not None:
            yield time_ms, rate


def risk_limit(core: Simulator, params: Params) -> Json:
    """GET /v5/market/risk-limit."""
    params.one_of("category", "linear")
    symbol = params.text("symbol")
    found = (
        [core.venue.ledger.instrument(symbol).symbol] if symbol else list(core.market.instruments)
    )
    rows = [
        {
            "id": tier.number,
            "symbol": name,
            "riskLimitValue": text(tier.limit),
            "maintenanceMargin": text(tier.maintenance_rate),
            "initialMargin": text(tier.initial_rate),
            "isLowestRisk": 1 if tier.number == 1 else 0,
            "maxLeverage": str(tier.max_leverage),
            "mmDeduction": "" if tier.number == 1 else text(tier.deduction),
        }
        for name in found
        for tier in TIERS
    ]
    return {"category": "linear", "list": rows, "nextPageCursor": ""}


def price_limit(core: Simulator, params: Params) -> Json:
    """GET /v5/market/price-limit."""
    params.one_of("category", "linear", default="linear")
    instrument = core.venue.ledger.instrument(params.text("symbol"))
    highest, lowest = price_limits(core.market, instrument.symbol)
    return {
        "symbol": instrument.symbol,
        "buyLmt": text(highest),
        "sellLmt": text(lowest),
        "ts": str(core.clock.told_ms()),
    }


def coin_info(core: Simulator, params: Params) -> Json:
    """GET /v5/asset/coin/query-info: USDT and the contracts' coins, without chains."""
    coins = ["USDT", *(one.symbol.removesuffix("USDT") for one in core.options.listed)]
    asked = params.text("coin")
    rows = [
        {"name": coin, "coin": coin, "remainAmount": "0", "chains": []}
        for coin in coins
        if asked in {"", coin}
    ]
    return {"rows": rows}

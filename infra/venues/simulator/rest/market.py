"""The public side of REST: time, instruments, candles, tickers, book, funding, tiers."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from typing import Any

from infra.venues.simulator import refusals
from infra.venues.simulator.books.tiers import TIERS
from infra.venues.simulator.core import Simulator
from infra.venues.simulator.prices.candles import Kline
from infra.venues.simulator.prices.generator import CANDLE_MS
from infra.venues.simulator.rest.params import Params
from infra.venues.simulator.shapes.market import instrument_row, kline_row
from infra.venues.simulator.shapes.text import Json, text
from infra.venues.simulator.trading.ledger import BAND

_MINUTE_MS = 60_000
_INTERVALS = {
    **{str(minutes): minutes * _MINUTE_MS for minutes in (5, 15, 30, 60, 120, 240, 360, 720)},
    "D": 1440 * _MINUTE_MS,
}
_CATEGORIES = ("spot", "linear", "inverse", "option")


def server_time(core: Simulator, _: Params) -> Json:
    """GET /v5/market/time."""
    now_ms = core.clock.told_ms()
    return {"timeSecond": str(now_ms // 1000), "timeNano": str(now_ms * 1_000_000)}


def instruments_info(core: Simulator, params: Params) -> Json:
    """GET /v5/market/instruments-info; only USDT perpetuals exist here."""
    category = params.one_of("category", *_CATEGORIES)
    is_trading = params.text("status", "Trading") == "Trading"
    symbol, rows = params.text("symbol"), []
    if category == "linear" and is_trading:
        found = [core.venue.ledger.instrument(symbol)] if symbol else core.options.instruments
        rows = [instrument_row(instrument) for instrument in found]
    return {"category": category, "list": rows, "nextPageCursor": ""}


def kline(core: Simulator, params: Params) -> Json:
    """GET /v5/market/kline; the candle under way comes first."""
    params.one_of("category", "linear", default="linear")
    symbol = core.venue.ledger.instrument(params.text("symbol")).symbol
    interval_ms = _INTERVALS.get(params.required("interval"))
    if interval_ms is None:
        raise refusals.wrong("Invalid period!")
    limit = min(params.integer("limit", 200) or 200, 1000)
    begin, end = params.integer("start"), params.integer("end")
    klines = [*core.market.closed(symbol), core.market.live(symbol)]
    if interval_ms == CANDLE_MS:
        found = _cut(klines, begin, end, limit)
    else:
        found = _cut(_merged(klines, interval_ms), begin, end, limit)
    return {
        "symbol": symbol,
        "category": "linear",
        "list": [kline_row(row) for row in reversed(found)],
    }


def tickers(core: Simulator, params: Params) -> Json:
    """GET /v5/market/tickers."""
    category = params.one_of("category", *_CATEGORIES)
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
    levels = max(1, min(params.integer("limit", 25) or 25, 500))
    return core.tickers.book(symbol, levels, core.clock.told_ms())


def funding_history(core: Simulator, params: Params) -> Json:
    """GET /v5/market/funding/history; before the candles the rate was always the same."""
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
    """Yield the times and rates of a symbol's settlements, the newest first."""
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
    mark_price = core.market.mark_price(instrument.symbol)
    return {
        "symbol": instrument.symbol,
        "buyLmt": text(instrument.round_price_down(mark_price * (1 + BAND))),
        "sellLmt": text(instrument.round_price_up(mark_price * (1 - BAND))),
        "ts": str(core.clock.told_ms()),
    }


def coin_info(_core: Simulator, _params: Params) -> Json:
    """GET /v5/asset/coin/query-info; ccxt asks for it, and finds no coins."""
    rows: list[Any] = []
    return {"rows": rows}


def _cut(klines: list[Kline], begin: int | None, end: int | None, limit: int) -> list[Kline]:
    found = [
        kline
        for kline in klines
        if (begin is None or kline.open_time_ms >= begin)
        and (end is None or kline.open_time_ms <= end)
    ]
    # From a start without an end the oldest are given, else the newest.
    return found[:limit] if begin is not None and end is None else found[-limit:]


def _merged(klines: list[Kline], interval_ms: int) -> list[Kline]:
    groups: dict[int, list[Kline]] = {}
    for kline in klines:
        groups.setdefault(kline.open_time_ms // interval_ms * interval_ms, []).append(kline)
    return [
        Kline(
            open_time_ms=open_time_ms,
            open=group[0].open,
            high=max(kline.high for kline in group),
            low=min(kline.low for kline in group),
            close=group[-1].close,
            volume=sum((kline.volume for kline in group[1:]), group[0].volume),
            turnover=sum((kline.turnover for kline in group[1:]), group[0].turnover),
        )
        for open_time_ms, group in groups.items()
    ]

"""Market statistics beside prices: trades, open interest, ratios, insurance, status."""

from collections.abc import Iterator, Sequence
from urllib.parse import quote, unquote

from infra.venues.simulator import refusals
from infra.venues.simulator.core import Simulator
from infra.venues.simulator.prices.periods import DAY_MS, MINUTE_MS
from infra.venues.simulator.rest.params import CATEGORIES, Params
from infra.venues.simulator.shapes.market import adl_row, insurance_row, recent_trade_row
from infra.venues.simulator.shapes.text import Json, text

_PERIODS = {
    "5min": 5 * MINUTE_MS,
    "15min": 15 * MINUTE_MS,
    "30min": 30 * MINUTE_MS,
    "1h": 60 * MINUTE_MS,
    "4h": 240 * MINUTE_MS,
    "1d": DAY_MS,
}


def recent_trades(core: Simulator, params: Params) -> Json:
    """GET /v5/market/recent-trade; newest first."""
    category = params.one_of("category", *CATEGORIES)
    if category != "linear":
        return {"category": category, "list": []}
    symbol, limit = _symbol(core, params), _limit(params, 500, 1000)
    trades = [*core.market.trades(symbol)][-limit:]
    rows = [recent_trade_row(symbol, trade) for trade in reversed(trades)]
    return {"category": "linear", "list": rows}


def open_interest(core: Simulator, params: Params) -> Json:
    """GET /v5/market/open-interest; it never changes here."""
    params.one_of("category", "linear")
    symbol = _symbol(core, params)
    interest = core.tickers.open_interest(symbol)
    rows = [
        {
            "openInterest": text(interest),
            "singleOpenInterest": text(interest / 2),
            "timestamp": str(time_ms),
        }
        for time_ms in _times(core, params, "intervalTime", _limit(params, 50, 200))
    ]
    return {
        "symbol": symbol,
        "category": "linear",
        "list": rows,
        "nextPageCursor": _cursor(rows),
    }


def account_ratio(core: Simulator, params: Params) -> Json:
    """GET /v5/market/account-ratio; as many are long as short."""
    params.one_of("category", "linear")
    symbol = _symbol(core, params)
    rows = [
        {"symbol": symbol, "buyRatio": "0.5", "sellRatio": "0.5", "timestamp": str(time_ms)}
        for time_ms in _times(core, params, "period", _limit(params, 50, 500))
    ]
    return {"list": rows, "nextPageCursor": _cursor(rows)}


def insurance(core: Simulator, params: Params) -> Json:
    """GET /v5/market/insurance; one pool for all symbols."""
    rows = [insurance_row(core.market.instruments)]
    if params.text("coin") not in {"", "USDT"}:
        rows = []
    return {"updatedTime": str(_day_ms(core)), "list": rows}


def adl_alert(core: Simulator, params: Params) -> Json:
    """GET /v5/market/adlAlert; the pool is full."""
    named = params.text("symbol")
    symbols = [_symbol(core, params)] if named else list(core.market.instruments)
    return {"updatedTime": str(core.clock.told_ms()), "list": [adl_row(name) for name in symbols]}


def system_status(_core: Simulator, _params: Params) -> Json:
    """GET /v5/system/status: no maintenance is announced."""
    return {"list": []}


def _symbol(core: Simulator, params: Params) -> str:
    return core.venue.ledger.instrument(params.text("symbol")).symbol


def _limit(params: Params, usual: int, most: int) -> int:
    return max(1, min(params.integer("limit", usual) or usual, most))


def _times(core: Simulator, params: Params, name: str, limit: int) -> Iterator[int]:
    step_ms = _PERIODS.get(params.text(name))
    if step_ms is None:
        raise refusals.invalid(name)
    now_ms = core.clock.now_ms()
    end_ms = params.integer("endTime")
    newest_ms = min(now_ms, now_ms if end_ms is None else end_ms) // step_ms * step_ms
    if params.text("cursor"):
        newest_ms = min(newest_ms, _told_until_ms(params) - step_ms)
    oldest_ms = max(params.integer("startTime") or 0, newest_ms - (limit - 1) * step_ms)
    yield from range(newest_ms, oldest_ms - 1, -step_ms)


def _cursor(rows: Sequence[Json]) -> str:
    """Return the cursor of the next page; the last page with rows has one too."""
    return quote(f"lastid=0&lasttime={int(rows[-1]['timestamp']) // 1000}", safe="") if rows else ""


def _told_until_ms(params: Params) -> int:
    # Clients return a cursor URL-quoted once, twice or not at all.
    found = unquote(unquote(params.text("cursor"))).rpartition("lasttime=")[2]
    if not found.isdigit():
        raise refusals.invalid("cursor")
    return int(found) * 1000


def _day_ms(core: Simulator) -> int:
    return core.clock.told_ms() // DAY_MS * DAY_MS

"""Candles over REST: of trades and of mark, index and premium prices, in all intervals."""

from collections.abc import Callable

import orjson

from infra.venues.simulator import refusals
from infra.venues.simulator.core import Simulator
from infra.venues.simulator.faults.kinds import Kind
from infra.venues.simulator.prices.bars import Window
from infra.venues.simulator.prices.candles import Kline
from infra.venues.simulator.prices.periods import INTERVALS
from infra.venues.simulator.rest.params import Params
from infra.venues.simulator.shapes.market import kline_row
from infra.venues.simulator.shapes.text import Json

_DEFAULT, _MOST = 200, 1000
_PRICES = 5
"""Columns of a row that has no volume: the open time and four prices."""


def kline(core: Simulator, params: Params) -> Json:
    """GET /v5/market/kline; the candle under way comes first."""
    symbol, found = _found(core, params)
    rows = core.kline_rows.done(found)
    rows += [orjson.dumps(kline_row(bar)) for bar in found.live]
    written = orjson.Fragment(b"[" + b",".join(reversed(rows)) + b"]")
    return {"symbol": symbol, "category": "linear", "list": written}


def price_kline(core: Simulator, params: Params) -> Json:
    """GET /v5/market/mark-price-kline and index-price-kline: both equal the last price."""
    return _of_prices(core, params, lambda bar: kline_row(bar)[:_PRICES])


def premium_kline(core: Simulator, params: Params) -> Json:
    """GET /v5/market/premium-index-price-kline: the mark price always equals the index."""
    return _of_prices(core, params, lambda bar: [str(bar.open_time_ms), *["0"] * (_PRICES - 1)])


def _of_prices(core: Simulator, params: Params, shape: Callable[[Kline], list[str]]) -> Json:
    symbol, found = _found(core, params)
    bars = [*found.bars[found.first : found.last], *found.live]
    return {"symbol": symbol, "category": "linear", "list": [shape(bar) for bar in reversed(bars)]}


def _found(core: Simulator, params: Params) -> tuple[str, Window]:
    params.one_of("category", "linear", default="linear")
    symbol = core.venue.ledger.instrument(params.text("symbol")).symbol
    if core.faults.take(Kind.DELISTED, symbol=symbol) is not None:
        raise refusals.wrong("Symbol Is Invalid")
    interval = params.required("interval")
    if interval not in INTERVALS:
        raise refusals.wrong("Invalid period!")
    limit = max(1, min(params.integer("limit", _DEFAULT) or _DEFAULT, _MOST))
    begin, end = params.integer("start"), params.integer("end")
    return symbol, core.bars.window(symbol, interval, begin, end, limit)

"""The JSON of the market: instruments, candles, trades."""

from decimal import Decimal

from domain.market.instruments import Instrument, Side
from infra.venues.simulator.books.tiers import TIERS
from infra.venues.simulator.prices.candles import Kline
from infra.venues.simulator.prices.generator import CANDLE_MS
from infra.venues.simulator.shapes.text import Json, side_word, text


def instrument_row(of: Instrument) -> Json:
    """Return a row of instruments-info."""
    base = of.symbol.removesuffix("USDT")
    decimals = max(0, -int(of.tick_size.normalize().as_tuple().exponent))
    return {
        "symbol": of.symbol,
        "symbolId": 5,
        "contractType": "LinearPerpetual",
        "status": "Trading",
        "baseCoin": base,
        "quoteCoin": "USDT",
        "launchTime": "1585526400000",
        "deliveryTime": "0",
        "deliveryFeeRate": "",
        "priceScale": str(decimals),
        "leverageFilter": {
            "minLeverage": "1",
            "maxLeverage": str(TIERS[0].max_leverage),
            "leverageStep": "0.01",
        },
        "priceFilter": {
            "minPrice": str(of.tick_size),
            "maxPrice": "1999999.80",
            "tickSize": str(of.tick_size),
        },
        "lotSizeFilter": {
            "maxOrderQty": text(of.max_market_order_qty * 10),
            "minOrderQty": str(of.min_order_qty),
            "qtyStep": str(of.qty_step),
            "postOnlyMaxOrderQty": text(of.max_market_order_qty * 10),
            "maxMktOrderQty": text(of.max_market_order_qty),
            "minNotionalValue": str(of.min_notional),
        },
        "unifiedMarginTrade": True,
        "fundingInterval": 480,
        "settleCoin": "USDT",
        "copyTrading": "both",
        "upperFundingRate": "0.00375",
        "lowerFundingRate": "-0.00375",
        "isPreListing": False,
        "preListingInfo": None,
        "riskParameters": {"priceLimitRatioX": "0.05", "priceLimitRatioY": "0.05"},
        "symbolType": "",
    }


def kline_row(kline: Kline) -> list[str]:
    """Return a row of kline."""
    prices = (kline.open, kline.high, kline.low, kline.close, kline.volume)
    return [str(kline.open_time_ms), *map(text, prices), text(round(kline.turnover, 4))]


def kline_push(kline: Kline, *, is_closed: bool, now_ms: int) -> Json:
    """Return the data of a kline message."""
    return {
        "start": kline.open_time_ms,
        "end": kline.open_time_ms + CANDLE_MS - 1,
        "interval": "5",
        "open": text(kline.open),
        "close": text(kline.close),
        "high": text(kline.high),
        "low": text(kline.low),
        "volume": text(kline.volume),
        "turnover": text(round(kline.turnover, 4)),
        "confirm": is_closed,
        "timestamp": now_ms,
    }


def trade_push(
    symbol: str, side: Side, qty: Decimal, price: Decimal, time_ms: int, seq: int
) -> Json:
    """Return the data of a publicTrade message."""
    return {
        "T": time_ms,
        "s": symbol,
        "S": side_word(side),
        "v": text(qty),
        "p": text(price),
        "L": "PlusTick" if side is Side.BUY else "MinusTick",
        "i": f"{symbol}-{seq}",
        "BT": False,
        "seq": seq,
    }

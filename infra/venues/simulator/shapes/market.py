"""The JSON of the market: instruments, candles, trades."""

from collections.abc import Iterable

from domain.market.instruments import Instrument
from infra.venues.simulator.books.tiers import TIERS
from infra.venues.simulator.prices.candles import Kline, Trade
from infra.venues.simulator.prices.periods import period_end_ms
from infra.venues.simulator.records import VenueExecution
from infra.venues.simulator.shapes.text import Json, side_word, text

_INSURANCE = "100000000"


def instrument_row(of: Instrument, funding_interval_ms: int) -> Json:
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
        "fundingInterval": funding_interval_ms // 60_000,
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
    prices = (kline.open, kline.high, kline.low, kline.close, kline.volume)
    return [str(kline.open_time_ms), *map(text, prices), text(round(kline.turnover, 4))]


def kline_push(kline: Kline, interval: str, *, is_closed: bool, now_ms: int) -> Json:
    """Return the data of a kline message."""
    return {
        "start": kline.open_time_ms,
        "end": period_end_ms(interval, kline.open_time_ms) - 1,
        "interval": interval,
        "open": text(kline.open),
        "close": text(kline.close),
        "high": text(kline.high),
        "low": text(kline.low),
        "volume": text(kline.volume),
        "turnover": text(round(kline.turnover, 4)),
        "confirm": is_closed,
        "timestamp": now_ms,
    }


def trade_push(symbol: str, trade: Trade) -> Json:
    """Return the data of a publicTrade message."""
    return {
        "T": trade.time_ms,
        "s": symbol,
        "S": "Buy" if trade.is_buy else "Sell",
        "v": text(trade.qty),
        "p": text(trade.price),
        "L": "PlusTick" if trade.is_buy else "MinusTick",
        "i": trade_id(symbol, trade),
        "BT": False,
        "RPI": False,
        "seq": trade.number,
    }


def recent_trade_row(symbol: str, trade: Trade) -> Json:
    return {
        "execId": trade_id(symbol, trade),
        "symbol": symbol,
        "price": text(trade.price),
        "size": text(trade.qty),
        "side": "Buy" if trade.is_buy else "Sell",
        "time": str(trade.time_ms),
        "isBlockTrade": False,
        "isRPITrade": False,
        "seq": str(trade.number),
    }


def trade_id(symbol: str, trade: Trade) -> str:
    """Return the unique id of a trade."""
    return f"{symbol}-{trade.time_ms}-{trade.number}"


def insurance_row(symbols: Iterable[str]) -> Json:
    return {
        "coin": "USDT",
        "symbols": ",".join(symbols),
        "balance": _INSURANCE,
        "value": _INSURANCE,
    }


def insurance_push(symbols: Iterable[str], now_ms: int) -> Json:
    """Return the data of an insurance message."""
    row = {name: value for name, value in insurance_row(symbols).items() if name != "value"}
    return {**row, "updateTime": str(now_ms)}


def adl_row(symbol: str) -> Json:
    return {
        "coin": "USDT",
        "symbol": symbol,
        "balance": _INSURANCE,
        "maxBalance": "",
        "insurancePnlRatio": "-0.3",
        "pnlRatio": "0",
        "adlTriggerThreshold": "10000",
        "adlStopRatio": "-0.25",
    }


def adl_push(symbol: str) -> Json:
    """Return the data of an adlAlert message: numbers where REST has texts."""
    return {
        "c": "USDT",
        "s": symbol,
        "b": int(_INSURANCE),
        "mb": int(_INSURANCE),
        "i_pr": -0.3,
        "pr": 0,
        "adl_tt": 10000,
        "adl_sr": -0.25,
    }


def liquidation_push(execution: VenueExecution) -> Json:
    """Return the data of an allLiquidation message; its side is that of the position."""
    booked = execution.booked
    return {
        "T": booked.ts_ms,
        "s": execution.symbol,
        "S": side_word(booked.side.opposite),
        "v": text(booked.qty),
        "p": text(booked.price),
    }

"""Names, numbers and orders in the venue's format."""

from decimal import Decimal

from domain.market.instruments import MINUTE_MS, Side
from domain.trading.orders import OrderRequest
from domain.trading.sizing import ProtectiveLevels

CATEGORY = "linear"
QUOTE = "USDT"
_TRIGGER = "LastPrice"
"""Stops trigger on the last price, which decisions are based on too."""
_VENUE_SIDES = {Side.BUY: "Buy", Side.SELL: "Sell"}


def symbol_of(asset: str) -> str:
    """Return the perpetual of a base coin."""
    return asset + QUOTE


def asset_of(symbol: str) -> str:
    """Return the base coin of a perpetual."""
    return symbol.removesuffix(QUOTE)


def plain(number: Decimal) -> str:
    """Return a number in the venue's format, without an exponent."""
    return format(number, "f")


def interval_of(candle_ms: int) -> str:
    """Return the venue's name for a candle length below a day.

    Raises:
        ValueError: the venue has no such candles.
    """
    minutes, rest = divmod(candle_ms, MINUTE_MS)
    if rest or minutes not in {1, 3, 5, 15, 30, 60, 120, 240, 360, 720}:
        raise ValueError(f"expected a candle length that the venue has, was {candle_ms} ms")
    return str(minutes)


def order_query(order: OrderRequest) -> dict[str, object]:
    """Return a market order in the venue's format, with stops for the whole position attached."""
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
    """Return full-position stops in the venue's format."""
    query: dict[str, object] = {"category": CATEGORY, "symbol": symbol, "positionIdx": 0}
    query |= _stops_query(levels.stop_loss, levels.take_profit)
    if levels.take_profit is None:
        query["takeProfit"] = "0"  # 0 cancels an existing level
    return query


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

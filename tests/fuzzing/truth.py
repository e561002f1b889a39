"""What a value may be, given the row of the venue's words that it was read from."""

from decimal import Decimal

from domain.market.instruments import Candle, Side
from domain.trading.positions import Execution, ExecutionKind
from infra.venues.bybit.shapes.positions import PositionRow
from tests.fuzzing.mutations import is_number

TRADES = {"Trade", "AdlTrade", "BustTrade"}
SIDES = {"Buy": Side.BUY, "Sell": Side.SELL}
CANDLE = ("open", "high", "low", "close", "volume")


def is_absent(raw: object) -> bool:
    return raw is None or raw == ""


def is_level(raw: object, value: Decimal | None) -> bool:
    """Tell whether a price that may be absent, or zero for none, was read from this."""
    if value is None:
        return is_absent(raw) or is_number(raw, Decimal(0))
    return is_number(raw, value)


def is_told_of(row: object, news: tuple) -> bool:
    """Tell whether news of the account say what a row says, and nothing that it does not."""
    kind, asset, value = news
    if not isinstance(row, dict) or row.get("symbol") != f"{asset}USDT":
        return False
    if kind == "execution":
        return is_execution(row, value)
    if kind == "position":
        return is_position(row, value)
    filled = row.get("cumExecQty", 0)
    return row.get("orderLinkId") == value.client_order_id and is_number(filled, value.filled_qty)


def is_execution(row: dict, value: Execution) -> bool:
    if row.get("execId") != value.exec_id or not is_number(row.get("execTime"), value.ts_ms):
        return False
    fee, link_id = row.get("execFee"), row.get("orderLinkId")
    if value.kind is ExecutionKind.FUNDING:
        return row.get("execType") not in TRADES and is_number(fee, -value.funding)
    return (
        row.get("execType") in TRADES
        and SIDES.get(row.get("side")) is value.side
        and is_number(row.get("execQty"), value.qty)
        and is_number(row.get("execPrice"), value.price)
        and is_number(fee, value.fee)
        and (
            is_absent(link_id)
            if value.client_order_id is None
            else link_id == value.client_order_id
        )
    )


def is_position(row: dict, value: PositionRow) -> bool:
    entry = row["avgPrice"] if "avgPrice" in row else row.get("entryPrice")
    side = SIDES.get(row.get("side")) if value.qty else None
    return (
        is_number(row.get("size"), value.qty)
        and value.side is side
        and (side is not None or not value.qty)
        and (not value.qty or is_number(entry, value.avg_entry_price))
        and is_level(row.get("stopLoss"), value.stop_loss)
        and is_level(row.get("takeProfit"), value.take_profit)
    )


def is_candle(row: dict, value: Candle) -> bool:
    return (
        is_number(row.get("start"), value.open_time_ms)
        and all(is_number(row.get(name), Decimal(repr(getattr(value, name)))) for name in CANDLE)
        and 0 < value.low <= min(value.open, value.close)
        and value.high >= max(value.open, value.close)
    )

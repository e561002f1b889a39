"""The JSON of positions."""

from infra.venues.simulator.books.position_view import PositionView
from infra.venues.simulator.shapes.text import Json, money, optional, side_word, text


def position_row(view: PositionView) -> Json:
    """Return a position as REST shows it."""
    is_flat = view.side is None
    return {
        "positionIdx": view.position_idx,
        "riskId": view.tier,
        "riskLimitValue": text(view.tier_limit),
        "symbol": view.symbol,
        "side": side_word(view.side),
        "size": text(view.qty),
        "avgPrice": text(round(view.avg_entry_price, 8)),
        "positionValue": money(view.notional) if not is_flat else "",
        "tradeMode": 0,
        "positionStatus": "Normal",
        "autoAddMargin": int(view.adds_margin),
        "adlRankIndicator": 0 if is_flat else 2,
        "leverage": text(view.leverage),
        "breakEvenPrice": "" if is_flat else money(view.break_even_price),
        "positionBalance": money(view.initial_margin),
        "markPrice": text(view.mark_price),
        "liqPrice": ""
        if view.liquidation_price is None
        else text(round(view.liquidation_price, 4)),
        "bustPrice": "" if view.bankruptcy_price is None else text(round(view.bankruptcy_price, 4)),
        "positionMM": money(view.maintenance_margin),
        "positionMMByMp": money(view.maintenance_margin),
        "positionIM": money(view.initial_margin),
        "positionIMByMp": money(view.initial_margin),
        "tpslMode": "Full",
        "takeProfit": optional(view.take_profit),
        "stopLoss": optional(view.stop_loss),
        "trailingStop": text(view.trailing_stop),
        "unrealisedPnl": "" if is_flat else money(view.unrealized_pnl),
        "curRealisedPnl": money(view.realized_now),
        "cumRealisedPnl": money(view.realized_ever),
        "seq": view.seq or -1,
        "isReduceOnly": False,
        "mmrSysUpdateTime": "",
        "mmrSysUpdatedTime": "",
        "leverageSysUpdatedTime": "",
        "sessionAvgPrice": "",
        "openTime": 0 if is_flat else view.opened_ms,
        "createdTime": str(view.opened_ms),
        "updatedTime": str(view.updated_ms),
    }


def position_push(view: PositionView) -> Json:
    """Return a position as the stream shows it: other names, and 0 where REST has nothing."""
    row = position_row(view)
    row["entryPrice"] = row.pop("avgPrice")
    del row["mmrSysUpdateTime"]
    for name in ("positionValue", "breakEvenPrice", "unrealisedPnl", "takeProfit", "stopLoss"):
        row[name] = row[name] or "0"
    return {**row, "category": "linear", "sessionAvgPrice": "0", "netDeltaRatio": "0"}

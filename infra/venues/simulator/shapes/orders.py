"""The JSON of orders and executions."""

from decimal import Decimal

from infra.venues.simulator.records import ExecType, VenueExecution, VenueOrder
from infra.venues.simulator.shapes.text import Json, money, optional, side_word, text


def order_row(order: VenueOrder) -> Json:
    """Return an order as REST shows it."""
    average = order.filled_notional / order.filled_qty if order.filled_qty else None
    price = order.price or order.last_price_on_created
    return {
        "orderId": order.order_id,
        "orderLinkId": order.link_id,
        "parentOrderLinkId": order.parent_link_id,
        "blockTradeId": "",
        "symbol": order.symbol,
        "price": text(order.price),
        "qty": text(order.qty),
        "side": side_word(order.side),
        "isLeverage": "",
        "marketUnit": "",
        "positionIdx": order.position_idx,
        "orderStatus": order.shown_status.value,
        "createType": order.create_type,
        "cancelType": order.cancel_type,
        "rejectReason": order.reject_reason,
        "avgPrice": "" if average is None else text(round(average, 8)),
        "leavesQty": text(order.leaves_qty),
        "leavesValue": text(order.leaves_qty * price),
        "cumExecQty": text(order.filled_qty),
        "cumExecValue": text(order.filled_notional),
        "cumExecFee": money(order.fee),
        "timeInForce": order.time_in_force,
        "orderType": "Market" if order.is_market else "Limit",
        "stopOrderType": order.stop_order_type,
        "orderIv": "",
        "triggerPrice": optional(order.trigger_price),
        "takeProfit": optional(order.take_profit),
        "stopLoss": optional(order.stop_loss),
        "tpTriggerBy": order.tp_trigger_by if order.take_profit is not None else "",
        "slTriggerBy": order.sl_trigger_by if order.stop_loss is not None else "",
        "triggerDirection": order.trigger_direction,
        "triggerBy": order.trigger_by,
        "lastPriceOnCreated": text(order.last_price_on_created),
        "reduceOnly": order.reduce_only,
        "closeOnTrigger": order.close_on_trigger,
        "smpType": order.smp_type,
        "smpGroup": 0,
        "smpOrderId": "",
        "tpslMode": _tpsl_mode(order),
        "tpLimitPrice": optional(order.tp_limit_price),
        "slLimitPrice": optional(order.sl_limit_price),
        "placeType": "",
        "slippageToleranceType": order.slippage_type or "UNKNOWN",
        "slippageTolerance": optional(order.slippage_tolerance),
        "createdTime": str(order.created_ms),
        "updatedTime": str(order.updated_ms),
        "extraFees": "",
        "cumFeeDetail": {"USDT": money(order.fee)} if order.fee else {},
        "rpiTakerAccess": order.takes_rpi,
        "rpiMatchedQty": "0",
    }


def _tpsl_mode(order: VenueOrder) -> str:
    has_levels = order.stop_loss is not None or order.take_profit is not None
    if order.stop_order_type.startswith("Partial"):
        return "Partial"
    return order.tpsl_mode or "Full" if has_levels or order.is_protective else ""


def order_push(order: VenueOrder) -> Json:
    """Return an order as the stream shows it."""
    row = order_row(order)
    del row["extraFees"]
    for name in ("slippageTolerance", "tpLimitPrice", "slLimitPrice"):
        row[name] = row[name] or "0"
    return {
        **row,
        "tpslMode": row["tpslMode"] or "UNKNOWN",
        "category": "linear",
        "closedPnl": money(order.closed_pnl),
        "feeCurrency": "USDT" if order.fee else "",
    }


def execution_row(execution: VenueExecution) -> Json:
    """Return an execution as REST shows it."""
    booked = execution.booked
    is_funding = execution.exec_type is ExecType.FUNDING
    return {
        "symbol": execution.symbol,
        "orderType": execution.order_type,
        "underlyingPrice": "",
        "orderLinkId": execution.link_id,
        "side": side_word(booked.side),
        "indexPrice": "",
        "orderId": execution.order_id,
        "stopOrderType": execution.stop_order_type,
        "createType": execution.create_type,
        "leavesQty": text(execution.leaves_qty),
        "execTime": str(booked.ts_ms),
        "feeCurrency": "USDT",
        "isMaker": execution.is_maker,
        "execFee": money(execution.cost),
        "feeRate": text(execution.fee_rate),
        "execId": execution.exec_id,
        "tradeIv": "",
        "blockTradeId": "",
        "markPrice": text(execution.mark_price),
        "execPrice": text(booked.price),
        "markIv": "",
        "orderQty": text(execution.order_qty),
        "orderPrice": text(execution.order_price),
        "execValue": money(booked.qty * booked.price),
        "execType": execution.exec_type.value,
        "execQty": text(booked.qty),
        "closedSize": "" if is_funding else text(execution.closed_qty),
        "extraFees": "",
        "execFeeV2": "",
        "marketUnit": "",
        "seq": execution.seq,
    }


def execution_push(execution: VenueExecution, pnl: Decimal) -> Json:
    """Return an execution as the stream shows it."""
    row = execution_row(execution)
    del row["execFeeV2"]
    return {
        **row,
        "category": "linear",
        "isLeverage": "0",
        "execPnl": money(pnl),
        "extraFees": [],
    }


def fast_execution_push(execution: VenueExecution) -> Json:
    """Return an execution as the fast stream shows it: the essential fields only."""
    row = execution_row(execution)
    names = ("symbol", "execId", "execPrice", "execQty", "orderId", "isMaker", "orderLinkId")
    return {
        "category": "linear",
        **{name: row[name] for name in (*names, "side", "execTime", "seq")},
    }

"""The JSON of the exchange: one function per shape, all numbers as strings."""

from decimal import Decimal
from typing import Any

from domain.market import Instrument, Side
from infra.simulator.books.position_view import PositionView
from infra.simulator.books.tiers import TIERS
from infra.simulator.prices.candles import Kline
from infra.simulator.prices.generator import CANDLE_MS
from infra.simulator.records import (
    ClosedPnl,
    Deposit,
    ExecType,
    Transaction,
    VenueExecution,
    VenueOrder,
)

Json = dict[str, Any]


def text(number: Decimal) -> str:
    """Return a number as the exchange writes it: plain, without needless zeros."""
    written = format(number, "f")
    if "." in written:
        written = written.rstrip("0").rstrip(".")
    return "0" if written in {"-0", ""} else written


def money(number: Decimal) -> str:
    """Return an amount with at most eight decimals."""
    return text(number.quantize(Decimal("1e-8")))


def optional(number: Decimal | None, absent: str = "") -> str:
    """Return a number, or what stands where there is none."""
    return absent if number is None else text(number)


def side_word(side: Side | None) -> str:
    """Return Buy, Sell or nothing."""
    return "" if side is None else side.value.capitalize()


# Market.


def instrument(of: Instrument) -> Json:
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


# Orders and executions.


def order_row(order: VenueOrder) -> Json:
    """Return an order as REST shows it."""
    average = order.filled_notional / order.filled_qty if order.filled_qty else None
    price = order.price or order.last_price_on_created
    has_levels = order.stop_loss is not None or order.take_profit is not None
    return {
        "orderId": order.order_id,
        "orderLinkId": order.link_id,
        "blockTradeId": "",
        "symbol": order.symbol,
        "price": text(order.price),
        "qty": text(order.qty),
        "side": side_word(order.side),
        "isLeverage": "",
        "positionIdx": 0,
        "orderStatus": order.status.value,
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
        "smpType": "None",
        "smpGroup": 0,
        "smpOrderId": "",
        "tpslMode": "Full" if has_levels or order.is_protective else "",
        "tpLimitPrice": "",
        "slLimitPrice": "",
        "placeType": "",
        "slippageToleranceType": "UNKNOWN",
        "slippageTolerance": "",
        "createdTime": str(order.created_ms),
        "updatedTime": str(order.updated_ms),
        "extraFees": "",
        "cumFeeDetail": {"USDT": money(order.fee)} if order.fee else {},
        "rpiTakerAccess": False,
        "rpiMatchedQty": "0",
    }


def order_push(order: VenueOrder) -> Json:
    """Return an order as the stream shows it."""
    row = order_row(order)
    for absent in ("slippageToleranceType", "slippageTolerance", "extraFees", "isLeverage"):
        del row[absent]
    return {
        **row,
        "category": "linear",
        "closedPnl": money(order.closed_pnl),
        "feeCurrency": "USDT" if order.fee else "",
    }


def execution_row(execution: VenueExecution) -> Json:
    """Return an execution as REST shows it."""
    booked = execution.booked
    is_funding = execution.exec_type is ExecType.FUNDING
    return {
        "symbol": booked.asset,
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
        "seq": execution.seq,
    }


def execution_push(execution: VenueExecution, pnl: Decimal) -> Json:
    """Return an execution as the stream shows it."""
    return {
        **execution_row(execution),
        "category": "linear",
        "isLeverage": "0",
        "marketUnit": "",
        "execPnl": money(pnl),
        "extraFees": [],
    }


# Positions and money.


def position_row(view: PositionView) -> Json:
    """Return a position as REST shows it."""
    is_flat = view.side is None
    return {
        "positionIdx": 0,
        "riskId": view.tier,
        "riskLimitValue": text(view.tier_limit),
        "symbol": view.symbol,
        "side": side_word(view.side),
        "size": text(view.qty),
        "avgPrice": text(round(view.avg_entry_price, 8)),
        "positionValue": money(view.notional) if not is_flat else "",
        "tradeMode": 0,
        "positionStatus": "Normal",
        "autoAddMargin": 0,
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
        "trailingStop": "0",
        "unrealisedPnl": "" if is_flat else money(view.unrealized_pnl),
        "curRealisedPnl": money(view.realized_now),
        "cumRealisedPnl": money(view.realized_ever),
        "seq": view.seq or -1,
        "isReduceOnly": False,
        "mmrSysUpdateTime": "",
        "leverageSysUpdatedTime": "",
        "sessionAvgPrice": "",
        "createdTime": str(view.opened_ms),
        "updatedTime": str(view.updated_ms),
    }


def position_push(view: PositionView) -> Json:
    """Return a position as the stream shows it: other names, and 0 where REST has nothing."""
    row = position_row(view)
    row["entryPrice"] = row.pop("avgPrice")
    row["mmrSysUpdatedTime"] = row.pop("mmrSysUpdateTime")
    for name in ("positionValue", "breakEvenPrice", "unrealisedPnl", "takeProfit", "stopLoss"):
        row[name] = row[name] or "0"
    return {**row, "category": "linear", "sessionAvgPrice": "0"}


def wallet_row(
    *,
    wallet: Decimal,
    unrealized_pnl: Decimal,
    positions_margin: Decimal,
    orders_margin: Decimal,
    maintenance: Decimal,
    available: Decimal,
    realized: Decimal,
) -> Json:
    """Return the account's money; a USDT counts as a USD."""
    equity = wallet + unrealized_pnl
    initial = positions_margin + orders_margin
    im_rate = money(initial / equity) if equity > 0 else "0"
    mm_rate = money(maintenance / equity) if equity > 0 else "0"
    return {
        "totalEquity": money(equity),
        "accountIMRate": im_rate,
        "accountIMRateByMp": im_rate,
        "totalMarginBalance": money(equity),
        "totalInitialMargin": money(initial),
        "totalInitialMarginByMp": money(initial),
        "accountType": "UNIFIED",
        "totalAvailableBalance": money(max(Decimal(0), available)),
        "accountMMRate": mm_rate,
        "accountMMRateByMp": mm_rate,
        "totalPerpUPL": money(unrealized_pnl),
        "totalWalletBalance": money(wallet),
        "accountLTV": "0",
        "totalMaintenanceMargin": money(maintenance),
        "totalMaintenanceMarginByMp": money(maintenance),
        "coin": [
            {
                "availableToBorrow": "",
                "bonus": "0",
                "accruedInterest": "0",
                "availableToWithdraw": "",
                "totalOrderIM": money(orders_margin),
                "equity": money(equity),
                "totalPositionMM": money(maintenance),
                "usdValue": money(equity),
                "spotHedgingQty": "0",
                "unrealisedPnl": money(unrealized_pnl),
                "collateralSwitch": True,
                "borrowAmount": "0",
                "totalPositionIM": money(positions_margin),
                "walletBalance": money(wallet),
                "cumRealisedPnl": money(realized),
                "locked": "0",
                "marginCollateral": True,
                "coin": "USDT",
                "spotBorrow": "0",
            }
        ],
    }


def closed_pnl_row(closed: ClosedPnl) -> Json:
    """Return a row of closed-pnl."""
    return {
        "symbol": closed.symbol,
        "orderType": closed.order_type,
        "leverage": text(closed.leverage),
        "updatedTime": str(closed.ts_ms),
        "side": side_word(closed.side),
        "orderId": closed.order_id,
        "closedPnl": money(closed.pnl),
        "openFee": money(closed.open_fee),
        "closeFee": money(closed.close_fee),
        "avgEntryPrice": money(closed.entry_price),
        "qty": text(closed.order_qty),
        "cumEntryValue": money(closed.qty * closed.entry_price),
        "createdTime": str(closed.ts_ms),
        "orderPrice": text(closed.order_price),
        "closedSize": text(closed.qty),
        "avgExitPrice": money(closed.exit_price),
        "execType": closed.exec_type.value,
        "fillCount": "1",
        "cumExitValue": money(closed.qty * closed.exit_price),
    }


def deposit_row(deposit: Deposit) -> Json:
    """Return a transfer's row of the transaction log."""
    nothing = ("symbol", "side", "funding", "orderLinkId", "orderId", "feeRate", "bonusChange")
    return {
        **dict.fromkeys(nothing, ""),
        "transSubType": "",
        "id": f"592324_transfer_{deposit.seq}",
        "fee": "",
        "change": money(deposit.amount),
        "cashFlow": money(deposit.amount),
        "transactionTime": str(deposit.ts_ms),
        "type": "TRANSFER_IN" if deposit.amount > 0 else "TRANSFER_OUT",
        "size": "",
        "qty": "",
        "cashBalance": money(deposit.balance),
        "currency": "USDT",
        "category": "",
        "tradePrice": "",
        "tradeId": "",
        "extraFees": "",
    }


def transaction_row(transaction: Transaction) -> Json:
    """Return a row of the transaction log; positive funding was received."""
    execution = transaction.execution
    booked = execution.booked
    is_funding = execution.exec_type is ExecType.FUNDING
    return {
        "transSubType": "",
        "id": f"592324_{booked.asset}_{execution.seq}",
        "symbol": booked.asset,
        "side": side_word(booked.side),
        "funding": money(booked.funding) if is_funding else "",
        "orderLinkId": execution.link_id,
        "orderId": execution.order_id,
        "fee": "0" if is_funding else money(booked.fee),
        "change": money(transaction.change),
        "cashFlow": money(transaction.cash_flow),
        "transactionTime": str(booked.ts_ms),
        "type": "SETTLEMENT" if is_funding else "TRADE",
        "feeRate": text(execution.fee_rate),
        "bonusChange": "",
        "size": text(transaction.position_qty),
        "qty": text(booked.qty),
        "cashBalance": money(transaction.balance),
        "currency": "USDT",
        "category": "linear",
        "tradePrice": text(booked.price),
        "tradeId": execution.exec_id,
        "extraFees": "",
    }

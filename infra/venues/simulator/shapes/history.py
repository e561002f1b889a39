"""The JSON of history: closed positions, transfers, transactions."""

from infra.venues.simulator.records import ClosedPnl, Deposit, ExecType, Transaction
from infra.venues.simulator.shapes.text import Json, money, side_word, text


def closed_pnl_row(closed: ClosedPnl) -> Json:
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
        "id": f"592324_{execution.symbol}_{execution.seq}",
        "symbol": execution.symbol,
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

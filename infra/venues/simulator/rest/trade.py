"""Orders and executions over REST."""

from decimal import Decimal

from domain.trading.positions import ZERO
from infra.venues.simulator import refusals
from infra.venues.simulator.books.tiers import maintenance_margin
from infra.venues.simulator.core import Simulator
from infra.venues.simulator.faults.kinds import Kind
from infra.venues.simulator.records import VenueExecution, VenueOrder
from infra.venues.simulator.rest.paging import page, window
from infra.venues.simulator.rest.params import Params
from infra.venues.simulator.rest.stops import PARTIAL, limit_of_stop, read_tpsl_mode
from infra.venues.simulator.shapes.orders import execution_row, order_row
from infra.venues.simulator.shapes.text import Json
from infra.venues.simulator.trading.requests import Amendment, NewOrder

_CLOSED_KEPT = 500
_NOT_SIMULATED = ("bboSideType", "bboLevel")
_SELF_MATCH = ("None", "CancelMaker", "CancelTaker", "CancelBoth")
_FILTERS = ("", "Order", "StopOrder", "OpenOrder")


def create(core: Simulator, params: Params) -> Json:
    """POST /v5/order/create; the answer comes before the order meets the market."""
    return _ids(core.entry.submit(_new_order(params)))


def pre_check(core: Simulator, params: Params) -> Json:
    """POST /v5/order/pre-check: the margin rates before and after an order, in 1/10,000."""
    margins = core.venue.margins
    order = core.venue.draft(_new_order(params))
    before_im = margins.of_positions() + margins.of_orders(core.venue.ledger.open_orders())
    before_mm = margins.maintenance_of_positions()
    equity = margins.equity()
    more_mm = maintenance_margin(order.leaves_qty * core.market.mark_price(order.symbol))
    after = (
        before_im + margins.of_order(order),
        before_mm + (ZERO if order.reduce_only else more_mm),
    )

    def rate(amount: Decimal) -> int:
        return int(amount / equity * 10_000) if equity > 0 else 0

    return {
        **_ids(order),
        "preImrE4": rate(before_im),
        "preMmrE4": rate(before_mm),
        "postImrE4": rate(after[0]),
        "postMmrE4": rate(after[1]),
    }


def _new_order(params: Params) -> NewOrder:
    _linear(params)
    mode = read_tpsl_mode(params)
    params.refuse(*_NOT_SIMULATED)
    is_market = params.one_of("orderType", "Market", "Limit") == "Market"
    qty = params.number("qty")
    if qty is None:
        raise refusals.off_step()
    return NewOrder(
        symbol=params.text("symbol"),
        side=params.side(),
        is_market=is_market,
        qty=qty,
        price=params.number("price"),
        time_in_force=params.one_of("timeInForce", "GTC", "IOC", "FOK", "PostOnly", default="GTC"),
        position_idx=params.integer("positionIdx", 0) or 0,
        link_id=params.text("orderLinkId"),
        reduce_only=params.flag("reduceOnly"),
        close_on_trigger=params.flag("closeOnTrigger"),
        stop_loss=params.number("stopLoss") or None,
        take_profit=params.number("takeProfit") or None,
        sl_trigger_by=params.trigger_by("slTriggerBy"),
        tp_trigger_by=params.trigger_by("tpTriggerBy"),
        slippage_type=params.one_of("slippageToleranceType", "", "UNKNOWN", "TickSize", "Percent"),
        slippage_tolerance=params.number("slippageTolerance"),
        # Here an account's orders never meet each other, nor retail price improvement orders.
        smp_type=params.one_of("smpType", *_SELF_MATCH, default="None"),
        takes_rpi=params.flag("rpiTakerAccess"),
        tpsl_mode=mode,
        sl_limit_price=limit_of_stop(params, "sl"),
        tp_limit_price=limit_of_stop(params, "tp"),
        trigger_price=params.number("triggerPrice") or None,
        trigger_direction=params.integer("triggerDirection", 0) or 0,
        trigger_by=params.trigger_by("triggerBy"),
    )


def amend(core: Simulator, params: Params) -> Json:
    """POST /v5/order/amend."""
    _linear(params)
    order = _named(core, params)
    mode = read_tpsl_mode(params) if params.text("tpslMode") else order.tpsl_mode
    if mode != PARTIAL:
        params.refuse("tpLimitPrice", "slLimitPrice")
    core.venue.amend(
        order,
        Amendment(
            qty=params.number("qty"),
            price=params.number("price"),
            trigger_price=params.number("triggerPrice"),
            trigger_by=params.trigger_by("triggerBy", order.trigger_by),
            stop_loss=params.number("stopLoss"),
            take_profit=params.number("takeProfit"),
            sl_trigger_by=params.trigger_by("slTriggerBy", order.sl_trigger_by),
            tp_trigger_by=params.trigger_by("tpTriggerBy", order.tp_trigger_by),
            tpsl_mode=mode,
            sl_limit_price=params.number("slLimitPrice") or order.sl_limit_price,
            tp_limit_price=params.number("tpLimitPrice") or order.tp_limit_price,
        ),
    )
    return _ids(order)


def cancel(core: Simulator, params: Params) -> Json:
    """POST /v5/order/cancel."""
    _linear(params)
    order = _named(core, params)
    core.venue.cancel(order)
    return _ids(order)


def cancel_all(core: Simulator, params: Params) -> Json:
    """POST /v5/order/cancel-all; without a filter the position's stops are canceled too."""
    _linear(params)
    if not any(params.text(name) for name in ("symbol", "baseCoin", "settleCoin")):
        raise refusals.wrong("params error: symbol, baseCoin or settleCoin is required")
    ended = []
    for order in core.venue.ledger.open_orders():
        core.venue.matching.process(order)
        if order.is_open and _is_meant(order, params):
            ended.append(core.venue.cancel(order))
    return {"list": [_ids(order) for order in ended], "success": "1"}


def realtime(core: Simulator, params: Params) -> Json:
    """GET /v5/order/realtime: open orders, and on request recently closed ones."""
    _linear(params)
    names = ("symbol", "baseCoin", "settleCoin", "orderId", "orderLinkId")
    if not any(params.text(name) for name in names):
        raise refusals.wrong("params error: symbol, baseCoin or settleCoin is required")
    orders = core.venue.ledger.orders.values()
    opened = [order for order in orders if order.is_open or order.is_pending]
    closed = [order for order in orders if order.is_closed][-_CLOSED_KEPT:]
    if core.faults.take(Kind.FORGET_CLOSED, path="/v5/order/realtime"):
        closed = []
    if params.text("orderId") or params.text("orderLinkId"):
        found = _by_id(opened + closed, params)
    else:
        wants_closed = params.text("openOnly", "0") == "1"
        found = [
            order for order in (closed if wants_closed else opened) if _is_meant(order, params)
        ]
    return page(found, params, limit=20, most=50, seq=lambda order: order.seq, shape=order_row)


def history(core: Simulator, params: Params) -> Json:
    """GET /v5/order/history."""
    _linear(params)
    lag = core.faults.take(Kind.HISTORY_LAG, path="/v5/order/history")
    now_ms = core.clock.now_ms()
    newest_ms = now_ms - (int(lag.seconds * 1000) if lag else 0)
    begin, end = window(params, core.clock.told_ms())
    has_window = bool(params.text("startTime") or params.text("endTime"))
    status = params.text("orderStatus")
    found = [
        order
        for order in core.venue.ledger.orders.values()
        if order.is_closed
        and (lag is None or order.updated_ms <= newest_ms)
        and (not has_window or begin <= order.created_ms <= end)
        and (not status or order.status.value == status)
        and _is_meant(order, params)
    ]
    if params.text("orderId") or params.text("orderLinkId"):
        found = _by_id(found, params)
    return page(found, params, limit=20, most=50, seq=lambda order: order.seq, shape=order_row)


def executions(core: Simulator, params: Params) -> Json:
    """GET /v5/execution/list."""
    _linear(params)
    begin, end = window(params, core.clock.told_ms())
    has_window = bool(params.text("startTime") or params.text("endTime"))
    names = ("symbol", "baseCoin", "settleCoin", "orderId", "orderLinkId", "execType")
    wanted = {name: params.text(name) for name in names}

    def is_meant(execution: VenueExecution) -> bool:
        found = {
            "symbol": execution.symbol,
            "baseCoin": execution.symbol.removesuffix("USDT"),
            "settleCoin": "USDT",
            "orderId": execution.order_id,
            "orderLinkId": execution.link_id,
            "execType": execution.exec_type.value,
        }
        is_inside = not has_window or begin <= execution.booked.ts_ms <= end
        return is_inside and all(not ask or found[name] == ask for name, ask in wanted.items())

    return page(
        [execution for execution in core.account.executions if is_meant(execution)],
        params,
        limit=50,
        most=100,
        seq=lambda execution: execution.seq,
        shape=execution_row,
    )


def _linear(params: Params) -> None:
    params.one_of("category", "linear")


def _named(core: Simulator, params: Params) -> VenueOrder:
    order_id, link_id = params.text("orderId"), params.text("orderLinkId")
    if not order_id and not link_id:
        raise refusals.wrong("params error: OrderId or orderLinkId is required")
    core.venue.ledger.instrument(params.text("symbol"))
    order = core.venue.ledger.find(order_id, link_id)
    if order is None or order.symbol != params.text("symbol"):
        raise refusals.no_such_order()
    return order


def _by_id(orders: list[VenueOrder], params: Params) -> list[VenueOrder]:
    order_id, link_id = params.text("orderId"), params.text("orderLinkId")
    if order_id:
        return [order for order in orders if order.order_id == order_id]
    return [order for order in orders if order.link_id == link_id]


def _is_meant(order: VenueOrder, params: Params) -> bool:
    symbol, base = params.text("symbol"), params.text("baseCoin")
    settle, kind = params.text("settleCoin", "USDT"), params.one_of("orderFilter", *_FILTERS)
    stop_kind, is_conditional = params.text("stopOrderType"), bool(order.stop_order_type)
    return (
        (not symbol or order.symbol == symbol)
        and (not base or order.symbol == f"{base}USDT")
        and settle == "USDT"
        and (not kind or is_conditional == (kind == "StopOrder"))
        and stop_kind in {"", order.stop_order_type}
    )


def _ids(order: VenueOrder) -> Json:
    return {"orderId": order.order_id, "orderLinkId": order.link_id}

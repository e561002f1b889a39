"""Positions, settings and money over REST."""

from decimal import Decimal
from operator import itemgetter

from infra.venues.simulator import refusals
from infra.venues.simulator.books.account import MAKER_FEE_RATE
from infra.venues.simulator.books.tiers import MarginMode
from infra.venues.simulator.core import Simulator
from infra.venues.simulator.position_keys import position_key, symbol_of
from infra.venues.simulator.rest.paging import page, part, window
from infra.venues.simulator.rest.params import CATEGORIES, Params
from infra.venues.simulator.rest.stops import limit_of_stop, read_tpsl_mode
from infra.venues.simulator.shapes.history import closed_pnl_row, deposit_row, transaction_row
from infra.venues.simulator.shapes.positions import position_row
from infra.venues.simulator.shapes.text import Json, text
from infra.venues.simulator.shapes.wallet import wallet_row
from infra.venues.simulator.trading.requests import PartialStops, StopRequest

_HEDGE, _ONE_WAY = "3", "0"
_DCP, _DCP_LEAST_S, _DCP_MOST_S, _DCP_DEFAULT_S = "DERIVATIVES", 3, 300, 10


def positions(core: Simulator, params: Params) -> Json:
    """GET /v5/position/list; a flat symbol has a row only if it is requested."""
    params.one_of("category", "linear")
    symbol, settle = params.text("symbol"), params.text("settleCoin")
    if symbol:
        found = core.account.keys(core.venue.ledger.instrument(symbol).symbol)
    elif settle or params.text("baseCoin"):
        base = params.text("baseCoin")
        keys = sorted(core.account.engine.positions) if settle in {"", "USDT"} else []
        found = [key for key in keys if not base or symbol_of(key) == f"{base}USDT"]
    else:
        raise refusals.wrong("params error: symbol or settleCoin is required")
    keys, cursor = part(found, params, limit=20, most=200, is_last_named=True)
    rows = [position_row(core.venue.view(key)) for key in keys]
    return {"list": rows, "nextPageCursor": cursor, "category": "linear"}


def set_leverage(core: Simulator, params: Params) -> Json:
    """POST /v5/position/set-leverage."""
    params.one_of("category", "linear")
    buy, sell = params.number("buyLeverage"), params.number("sellLeverage")
    if buy is None or sell is None or buy != sell:
        raise refusals.wrong("buy leverage invalid")
    core.venue.settings.set_leverage(params.text("symbol"), buy)
    return {}


def switch_mode(core: Simulator, params: Params) -> Json:
    """POST /v5/position/switch-mode; by coin, all symbols without positions and orders."""
    params.one_of("category", "linear")
    is_hedged = params.one_of("mode", _ONE_WAY, _HEDGE) == _HEDGE
    if params.text("symbol"):
        symbol = core.venue.ledger.instrument(params.text("symbol")).symbol
        core.venue.settings.switch_mode(symbol, is_hedged=is_hedged)
    else:
        params.one_of("coin", "USDT")
        core.venue.settings.switch_all_modes(is_hedged=is_hedged)
    return {}


def trading_stop(core: Simulator, params: Params) -> Json:
    """POST /v5/position/trading-stop."""
    params.one_of("category", "linear")
    mode, key = read_tpsl_mode(params), position_key_of(core, params)
    stop_loss, take_profit = params.number("stopLoss"), params.number("takeProfit")
    by_stop, by_target = (params.trigger_by(name) for name in ("slTriggerBy", "tpTriggerBy"))
    if mode == "Full":
        # Sizes count only in the other mode, as documented; clients send them all the same.
        wanted = StopRequest(
            stop_loss=stop_loss,
            take_profit=take_profit,
            sl_trigger_by=by_stop,
            tp_trigger_by=by_target,
            trailing_distance=params.number("trailingStop"),
            active_price=params.number("activePrice"),
        )
        core.venue.stops.set_full(key, wanted)
        return {}
    params.refuse("trailingStop", "activePrice")
    core.venue.stops.add_partial(
        key,
        PartialStops(
            qty=_partial_qty(params, stop_loss, take_profit),
            stop_loss=stop_loss,
            take_profit=take_profit,
            sl_trigger_by=by_stop,
            tp_trigger_by=by_target,
            sl_limit_price=limit_of_stop(params, "sl"),
            tp_limit_price=limit_of_stop(params, "tp"),
        ),
    )
    return {}


def _partial_qty(params: Params, stop_loss: Decimal | None, take_profit: Decimal | None) -> Decimal:
    sizes = {
        params.number(name)
        for name, level in (("slSize", stop_loss), ("tpSize", take_profit))
        if level
    }
    if len(sizes) != 1 or None in sizes:
        raise refusals.invalid("tpSize, slSize")
    return sizes.pop() or Decimal(0)


def position_key_of(core: Simulator, params: Params) -> str:
    """Return the key of the position that a request refers to; without an index it is one-way.

    Raises:
        RefusedError: it names none that the symbol can have.
    """
    symbol = core.venue.ledger.instrument(params.text("symbol")).symbol
    key = position_key(symbol, params.integer("positionIdx") or 0)
    if key not in core.account.keys(symbol):
        raise refusals.wrong_position_idx()
    return key


def closed_pnl(core: Simulator, params: Params) -> Json:
    """GET /v5/position/closed-pnl."""
    params.one_of("category", "linear")
    begin, end = window(params, core.clock.told_ms())
    symbol = params.text("symbol")
    rows = [
        closed
        for closed in core.account.closed
        if (not symbol or closed.symbol == symbol) and begin <= closed.ts_ms <= end
    ]
    return page(
        rows,
        params,
        limit=50,
        most=100,
        seq=lambda closed: closed.seq,
        shape=closed_pnl_row,
    )


def account_info(core: Simulator, _: Params) -> Json:
    """GET /v5/account/info."""
    return {
        "marginMode": core.account.margin_mode.value,
        "updatedTime": str(core.account.changed_ms),
        "unifiedMarginStatus": 5,
        "dcpStatus": "OFF" if core.dcp.window_s is None else "ON",
        "timeWindow": core.dcp.window_s or _DCP_DEFAULT_S,
        "smpGroup": 0,
        "isMasterTrader": False,
        "spotHedgingStatus": "OFF",
    }


def set_dcp(core: Simulator, params: Params) -> Json:
    """POST /v5/order/disconnected-cancel-all; for derivatives only."""
    if params.one_of("product", "DERIVATIVES", "OPTIONS", "SPOT", default="OPTIONS") != _DCP:
        raise refusals.not_simulated("product")
    window_s = params.integer("timeWindow") or 0
    if not _DCP_LEAST_S <= window_s <= _DCP_MOST_S:
        raise refusals.invalid("timeWindow")
    core.dcp.set_window(window_s)
    return {}


def dcp_info(core: Simulator, _: Params) -> Json:
    """GET /v5/account/query-dcp-info."""
    window = core.dcp.window_s
    if window is None:
        return {"dcpInfos": []}
    return {"dcpInfos": [{"product": _DCP, "dcpStatus": "ON", "timeWindow": str(window)}]}


def wallet_balance(core: Simulator, params: Params) -> Json:
    """GET /v5/account/wallet-balance."""
    params.one_of("accountType", "UNIFIED")
    row = wallet_row(core.venue)
    coins = params.text("coin")
    if coins and "USDT" not in coins.split(","):
        row["coin"] = []
    return {"list": [row]}


def fee_rate(core: Simulator, params: Params) -> Json:
    """GET /v5/account/fee-rate."""
    if params.one_of("category", *CATEGORIES, default="linear") != "linear":
        return {"list": []}
    symbol = params.text("symbol")
    found = (
        [core.venue.ledger.instrument(symbol).symbol] if symbol else list(core.market.instruments)
    )
    taker, maker = text(core.options.fills.taker_fee_rate), text(MAKER_FEE_RATE)
    return {
        "list": [{"symbol": name, "takerFeeRate": taker, "makerFeeRate": maker} for name in found]
    }


def set_margin_mode(core: Simulator, params: Params) -> Json:
    """POST /v5/account/set-margin-mode."""
    mode = params.one_of("setMarginMode", *(mode.value for mode in MarginMode))
    core.venue.settings.set_margin_mode(MarginMode(mode))
    return {"reasons": []}


def transaction_log(core: Simulator, params: Params) -> Json:
    """GET /v5/account/transaction-log."""
    begin, end = window(params, core.clock.told_ms())
    lines = [
        *((t.execution.seq, transaction_row(t)) for t in core.account.transactions),
        *((d.seq, deposit_row(d)) for d in core.account.deposits),
    ]
    rows = [
        (seq, row)
        for seq, row in sorted(lines, key=itemgetter(0))
        if begin <= int(row["transactionTime"]) <= end and _is_asked_for(row, params)
    ]
    found = page(rows, params, limit=20, most=50, seq=itemgetter(0), shape=itemgetter(1))
    del found["category"]
    return found


def _is_asked_for(row: Json, params: Params) -> bool:
    base = params.text("baseCoin")
    names = ("type", "category", "currency", "transSubType")
    is_same = all(params.text(name) in {"", row[name]} for name in names)
    return is_same and (not base or row["symbol"] == f"{base}USDT")


def query_api(core: Simulator, _: Params) -> Json:
    """GET /v5/user/query-api: a key that may trade contracts, and not withdraw."""
    key = core.gate.asking
    zeros = dict.fromkeys(("userIDInt64", "inviterIDInt64", "affiliateIDInt64"), "0")
    nothing = (
        "Options",
        "Derivatives",
        "CopyTrading",
        "BlockTrade",
        "Exchange",
        "NFT",
        "Affiliate",
        "Earn",
        "FiatP2P",
        "FiatConvertBroker",
        "FiatGlobalPay",
        "FiatBitPay",
        "BitCard",
        "ByXPost",
        "Spot",
        "Wallet",
    )
    permissions: dict[str, list[str]] = {name: [] for name in nothing}
    permissions["ContractTrade"] = ["Order", "Position"]
    return {
        "id": "1",
        "note": "simulated",
        "apiKey": key.api_key,
        "readOnly": int(key.is_read_only),
        "secret": "",
        "permissions": permissions,
        "ips": list(key.ips),
        "type": 1,
        "deadlineDay": key.days_left,
        "expiredAt": "2099-01-01T00:00:00Z",
        "createdAt": "2025-01-01T00:00:00Z",
        "unified": 0,
        "uta": 1,
        "userID": key.uid,
        "inviterID": 0,
        "vipLevel": "No VIP",
        "mktMakerLevel": "0",
        "affiliateID": 0,
        "rsaPublicKey": "",
        "isMaster": True,
        "parentUid": "0",
        "kycLevel": "LEVEL_1",
        "kycRegion": "",
        **zeros,
    }

"""The handler of each path, and its rate limit."""

from collections.abc import Callable
from dataclasses import dataclass

from infra.venues.simulator.core import Simulator
from infra.venues.simulator.rest import (
    account,
    batch,
    elsewhere,
    klines,
    margin,
    market,
    statistics,
    trade,
)
from infra.venues.simulator.rest.elsewhere import nothing
from infra.venues.simulator.rest.outcome import Outcome
from infra.venues.simulator.rest.params import Params
from infra.venues.simulator.shapes.text import Json

Handler = Callable[[Simulator, Params], Json | Outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The handler of one path."""

    method: str
    handle: Handler
    limit: int = 0
    """Requests per second; 0: public, without key and limit."""
    lists: bool = False
    """Whether it lists something of the account, which is empty in other categories."""


def _get(handle: Handler, limit: int = 0) -> Endpoint:
    return Endpoint(method="GET", handle=handle, limit=limit)


def _list(handle: Handler) -> Endpoint:
    return Endpoint(method="GET", handle=handle, limit=50, lists=True)


def _post(handle: Handler, limit: int) -> Endpoint:
    return Endpoint(method="POST", handle=handle, limit=limit)


_ELSEWHERE = {
    "/v5/market/rpi_orderbook": _get(elsewhere.rpi_orderbook),
    "/v5/market/full_orderbook": _get(elsewhere.full_orderbook),
    "/v5/position/symbol-info": _get(elsewhere.leverages, 10),
    "/v5/position/set-risk-limit": _post(elsewhere.set_risk_limit, 10),
    "/v5/market/index-price-components": _get(elsewhere.index_components),
    "/v5/market/historical-volatility": _get(elsewhere.volatility),
    "/v5/market/delivery-price": _get(nothing(category="", list=[], nextPageCursor="")),
    "/v5/market/new-delivery-price": _get(nothing(category="", list=[])),
    "/v5/market/fee-group-info": _get(nothing(list=[])),
    "/v5/position/move-history": _get(nothing(list=[], nextPageCursor=""), 10),
    "/v5/position/get-closed-positions": _get(nothing(category="", list=[], nextPageCursor=""), 10),
    "/v5/account/withdrawal": _get(elsewhere.transferable, 10),
    "/v5/account/collateral-info": _get(elsewhere.collateral, 10),
    "/v5/account/smp-group": _get(nothing(smpGroup=0), 10),
    "/v5/account/user-setting-config": _get(
        nothing(lpaSpot=False, lpaPerp=False, smsef=False, fmsef=False), 10
    ),
    "/v5/account/instruments-info": _get(market.instruments_info, 10),
    "/v5/account/mmp-state": _get(nothing(result=[]), 10),
    "/v5/account/borrow-history": _get(nothing(list=[], nextPageCursor=""), 10),
    "/v5/account/demo-apply-money": _post(elsewhere.apply_money, 1),
    "/v5/asset/coin-greeks": _get(nothing(list=[]), 10),
    "/v5/asset/transfer/query-account-coins-balance": _get(elsewhere.coin_balances, 5),
    "/v5/asset/transfer/query-account-coin-balance": _get(elsewhere.coin_balance, 5),
    "/v5/asset/transfer/query-inter-transfer-list": _get(nothing(list=[], nextPageCursor=""), 5),
    "/v5/asset/transfer/query-universal-transfer-list": _get(
        nothing(list=[], nextPageCursor=""), 5
    ),
    "/v5/asset/delivery-record": _get(nothing(category="", list=[], nextPageCursor=""), 5),
    "/v5/asset/settlement-record": _get(nothing(category="", list=[], nextPageCursor=""), 5),
    "/v5/asset/deposit/query-record": _get(nothing(rows=[], nextPageCursor=""), 5),
    "/v5/asset/withdraw/query-record": _get(nothing(rows=[], nextPageCursor=""), 5),
    "/v5/user/query-sub-members": _get(nothing(subMembers=[]), 10),
    "/v5/user/get-member-type": _get(nothing(accounts=[]), 10),
    "/v5/user/submembers": _get(nothing(subMembers=[], nextPageCursor="0"), 10),
    "/v5/asset/exchange/order-record": _get(nothing(orderBody=[], nextPageCursor=""), 5),
    "/v5/asset/exchange/query-coin-list": _get(nothing(coins=[]), 5),
    "/v5/asset/deposit/query-internal-record": _get(nothing(rows=[], nextPageCursor=""), 5),
    "/v5/asset/transfer/query-sub-member-list": _get(
        nothing(subMemberIds=[], transferableSubMemberIds=[]), 5
    ),
    "/v5/asset/transfer/query-transfer-coin-list": _get(nothing(list=["USDT"]), 5),
    "/v5/spot-margin-trade/state": _get(
        nothing(spotLeverage="", spotMarginMode="0", effectiveLeverage=""), 10
    ),
    **{
        f"/v5/pre-upgrade/{what}": _get(nothing(list=[], nextPageCursor="", category=""), 10)
        for what in (
            "order/history",
            "execution/list",
            "position/closed-pnl",
            "account/transaction-log",
            "asset/delivery-record",
            "asset/settlement-record",
        )
    },
    "/v5/position/switch-isolated": _post(elsewhere.not_for_unified, 10),
    "/v5/position/set-tpsl-mode": _post(elsewhere.not_for_unified, 10),
}
"""Mostly things that are not simulated, of which an account here has none."""
ENDPOINTS = {
    "/v5/market/time": _get(market.server_time),
    "/v5/market/instruments-info": _get(market.instruments_info),
    "/v5/market/kline": _get(klines.kline),
    "/v5/market/mark-price-kline": _get(klines.price_kline),
    "/v5/market/index-price-kline": _get(klines.price_kline),
    "/v5/market/premium-index-price-kline": _get(klines.premium_kline),
    "/v5/market/recent-trade": _get(statistics.recent_trades),
    "/v5/market/open-interest": _get(statistics.open_interest),
    "/v5/market/account-ratio": _get(statistics.account_ratio),
    "/v5/market/insurance": _get(statistics.insurance),
    "/v5/market/adlAlert": _get(statistics.adl_alert),
    "/v5/system/status": _get(statistics.system_status),
    "/v5/market/tickers": _get(market.tickers),
    "/v5/market/orderbook": _get(market.orderbook),
    "/v5/market/funding/history": _get(market.funding_history),
    "/v5/market/risk-limit": _get(market.risk_limit),
    "/v5/market/price-limit": _get(market.price_limit),
    "/v5/order/create": _post(trade.create, 10),
    "/v5/order/amend": _post(trade.amend, 10),
    "/v5/order/cancel": _post(trade.cancel, 10),
    "/v5/order/cancel-all": _post(trade.cancel_all, 10),
    "/v5/order/create-batch": _post(batch.create, 10),
    "/v5/order/amend-batch": _post(batch.amend, 10),
    "/v5/order/cancel-batch": _post(batch.cancel, 10),
    "/v5/order/pre-check": _post(trade.pre_check, 10),
    "/v5/order/disconnected-cancel-all": _post(account.set_dcp, 5),
    "/v5/order/realtime": _list(trade.realtime),
    "/v5/order/history": _list(trade.history),
    "/v5/execution/list": _list(trade.executions),
    "/v5/position/list": _list(account.positions),
    "/v5/position/set-leverage": _post(account.set_leverage, 10),
    "/v5/position/switch-mode": _post(account.switch_mode, 10),
    "/v5/position/trading-stop": _post(account.trading_stop, 10),
    "/v5/position/add-margin": _post(margin.add, 10),
    "/v5/position/set-auto-add-margin": _post(margin.set_auto_add, 10),
    "/v5/position/confirm-pending-mmr": _post(margin.confirm, 10),
    "/v5/position/closed-pnl": _list(account.closed_pnl),
    "/v5/account/info": _get(account.account_info, 50),
    "/v5/account/query-dcp-info": _get(account.dcp_info, 5),
    "/v5/account/wallet-balance": _get(account.wallet_balance, 50),
    "/v5/account/fee-rate": _get(account.fee_rate, 5),
    "/v5/account/set-margin-mode": _post(account.set_margin_mode, 5),
    "/v5/account/transaction-log": _get(account.transaction_log, 50),
    "/v5/user/query-api": _get(account.query_api, 10),
    **_ELSEWHERE,
    "/v5/asset/coin/query-info": _get(market.coin_info, 5),
}

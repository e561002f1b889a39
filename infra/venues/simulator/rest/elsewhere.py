"""Endpoints about what an account has beside contracts: mostly empty, well-formed answers."""

from decimal import Decimal
from typing import Any

from infra.venues.simulator import refusals
from infra.venues.simulator.books.tiers import TIERS
from infra.venues.simulator.core import Simulator
from infra.venues.simulator.position_keys import idx_of
from infra.venues.simulator.rest.outcome import Outcome
from infra.venues.simulator.rest.params import Params
from infra.venues.simulator.shapes.text import Json, money, text

_MOST_APPLIED = Decimal(100_000)


def nothing(**empty: Any) -> Any:
    """Return a handler that finds nothing; `empty` is its result."""

    def answer(_core: Simulator, params: Params) -> Any:
        category = params.text("category")
        return {**empty, "category": category} if "category" in empty else dict(empty)

    return answer


def volatility(_core: Simulator, _params: Params) -> Outcome:
    """GET /v5/market/historical-volatility, whose result is itself a list: no options exist."""
    return Outcome([])


def not_for_unified(_core: Simulator, _params: Params) -> Json:
    """Refuse what only classic accounts may request.

    Raises:
        RefusedError: always.
    """
    raise refusals.not_for_unified()


def rpi_orderbook(core: Simulator, params: Params) -> Json:
    """GET /v5/market/rpi_orderbook: the book, without any retail price improvement orders."""
    params.one_of("category", "linear", "spot")
    symbol = core.venue.ledger.instrument(params.text("symbol")).symbol
    limit = params.integer("limit") or 1
    if not 1 <= limit <= 50:  # noqa: PLR2004 - as documented
        raise refusals.invalid("limit")
    book, now_ms = core.books.view(symbol, limit), core.clock.told_ms()
    sides = {side: [[*level, "0"] for level in book[side]] for side in ("a", "b")}
    return {**book, **sides, "ts": now_ms, "cts": now_ms}


def full_orderbook(core: Simulator, params: Params) -> Json:
    """GET /v5/market/full_orderbook: as deep as the deepest streamed book."""
    params.one_of("category", "linear")
    symbol = core.venue.ledger.instrument(params.text("symbol")).symbol
    now_ms = core.clock.told_ms()
    return {**core.books.view(symbol, 1000), "ts": now_ms, "cts": now_ms}


def leverages(core: Simulator, params: Params) -> Json:
    """GET /v5/position/symbol-info: each symbol's leverage, including flat ones."""
    params.one_of("category", "linear")
    named = params.text("symbol")
    symbols = [core.venue.ledger.instrument(named).symbol] if named else core.market.instruments
    rows = [
        {
            "symbol": symbol,
            "leverage": text(core.account.books[key].leverage),
            "side": "",
            "positionIdx": idx_of(key),
        }
        for symbol in symbols
        for key in core.account.keys(symbol)
    ]
    return {"category": "linear", "list": rows}


def set_risk_limit(core: Simulator, params: Params) -> Json:
    """POST /v5/position/set-risk-limit: it follows the position, whatever is requested."""
    params.one_of("category", "linear")
    core.venue.ledger.instrument(params.text("symbol"))
    number = params.integer("riskId")
    for tier in TIERS:
        if tier.number == number:
            return {
                "category": "linear",
                "riskId": tier.number,
                "riskLimitValue": text(tier.limit),
            }
    raise refusals.invalid("riskId")


def index_components(core: Simulator, params: Params) -> Json:
    """GET /v5/market/index-price-components: only this exchange."""
    symbol = core.venue.ledger.instrument(params.text("indexName")).symbol
    price = text(core.market.mark_price(symbol))
    part = {
        "exchange": "Bybit",
        "spotPair": symbol,
        "equivalentPrice": price,
        "multiplier": "1",
        "price": price,
        "weight": "1",
    }
    return {
        "indexName": symbol,
        "lastPrice": price,
        "updateTime": str(core.clock.told_ms()),
        "components": [part],
    }


def transferable(core: Simulator, params: Params) -> Json:
    """GET /v5/account/withdrawal."""
    free = max(Decimal(0), core.venue.margins.available(core.venue.ledger.open_orders()))
    names = params.text("coinName", "USDT").split(",")
    found = {name: money(free) if name == "USDT" else "0" for name in names}
    return {"availableWithdrawal": found[names[0]], "availableWithdrawalMap": found}


def collateral(core: Simulator, params: Params) -> Json:
    """GET /v5/account/collateral-info: USDT, of which nothing can be borrowed."""
    del core
    row = {
        "currency": "USDT",
        "collateralRatio": "1",
        "marginCollateral": True,
        "collateralSwitch": True,
        "borrowable": False,
        **dict.fromkeys(("borrowUsageRate", "hourlyBorrowRate", "borrowAmount"), "0"),
        **dict.fromkeys(("availableToBorrow", "maxBorrowingAmount", "freeBorrowAmount"), "0"),
        **dict.fromkeys(("otherBorrowAmount", "freeBorrowingLimit"), "0"),
        "freeBorrowingAmount": "",
    }
    return {"list": [row] if params.text("currency", "USDT") == "USDT" else []}


def coin_balances(core: Simulator, params: Params) -> Json:
    """GET /v5/asset/transfer/query-account-coins-balance; all is in the unified account."""
    kind, coins = params.required("accountType"), params.text("coin", "USDT").split(",")
    return {
        "memberId": "592324",
        "accountType": kind,
        "balance": [_coin(core, kind, coin) for coin in coins],
    }


def coin_balance(core: Simulator, params: Params) -> Json:
    """GET /v5/asset/transfer/query-account-coin-balance."""
    kind, coin = params.required("accountType"), params.required("coin")
    balance = {**_coin(core, kind, coin), "transferSafeAmount": "", "ltvTransferSafeAmount": ""}
    ids = {"accountId": "592324", "memberId": "592324", "bizType": 1}
    return {**ids, "accountType": kind, "balance": balance}


def apply_money(core: Simulator, params: Params) -> Json:
    """POST /v5/account/demo-apply-money: deposit USDT, or with adjustType 1 withdraw it."""
    is_taken = params.one_of("adjustType", "0", "1", default="0") == "1"
    asked = params.raw("utaDemoApplyMoney")
    rows = (
        [Params(row) for row in asked if isinstance(row, dict)] if isinstance(asked, list) else []
    )
    amounts = [row.number("amountStr") for row in rows if row.text("coin") == "USDT"]
    if len(amounts) != 1 or not amounts[0] or amounts[0] > _MOST_APPLIED:
        raise refusals.invalid("utaDemoApplyMoney")
    core.hand.deposit(-amounts[0] if is_taken else amounts[0])
    return {}


def _coin(core: Simulator, kind: str, coin: str) -> Json:
    is_there = kind == "UNIFIED" and coin == "USDT"
    wallet = money(core.account.engine.wallet) if is_there else "0"
    free = core.venue.margins.available(core.venue.ledger.open_orders()) if is_there else Decimal(0)
    return {
        "coin": coin,
        "walletBalance": wallet,
        "transferBalance": money(max(Decimal(0), free)),
        "bonus": "0",
    }

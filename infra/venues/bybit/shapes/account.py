"""The account: its money, its fees, its key, and how it is set up."""

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from domain.errors import BadDataError
from domain.trading.positions import ZERO
from domain.trading.transfers import FOREIGN
from infra.venues.bybit.shapes.queries import CATEGORY, QUOTE
from infra.venues.bybit.shapes.row import Row

_EXPLAINED = frozenset({"TRADE", "SETTLEMENT", "LIQUIDATION", "ADL", "DELIVERY"})


class MarginMode(StrEnum):
    """How the account's margin is shared; in the venue's own words."""

    ISOLATED = "ISOLATED_MARGIN"
    CROSS = "REGULAR_MARGIN"
    PORTFOLIO = "PORTFOLIO_MARGIN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wallet:
    """The account's USDT."""

    ts_ms: int
    balance: Decimal
    """Wallet balance, USDT, without unrealized PnL."""
    equity: Decimal
    """Balance plus unrealized PnL, USDT."""
    available: Decimal
    """Available for new positions: USD over all coins under cross margin, else USDT."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeRates:
    """Fractions of the notional."""

    taker: Decimal
    maker: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """A change of the balance other than by trades and funding."""

    transfer_id: str
    ts_ms: int
    kind: str
    """The venue's word: `TRANSFER_IN`, `TRANSFER_OUT`, `BONUS`, `INTEREST` ...; for a trade or
    funding that is not ours `FOREIGN`, the word and the symbol."""
    currency: str
    amount: Decimal
    """In units of the currency; positive is received."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeyInfo:
    """What the API key may do."""

    uid: str | None
    """The account's number at the venue."""
    is_read_only: bool
    can_trade: bool
    """Permission for derivatives: orders and positions."""
    can_withdraw: bool
    ips: tuple[str, ...]
    """IP addresses it is bound to; empty if it is not bound."""
    days_left: int | None
    """Days until it expires; None if the venue does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountInfo:
    """How the account is set up."""

    margin_mode: MarginMode | None
    """None if the venue uses an unknown word."""
    unified_status: int
    """1 classic; 3, 4 unified 1.0; 5, 6 unified 2.0."""


def wallet(result: object, ts_ms: int, margin_mode: MarginMode | None) -> Wallet:
    """Return the account's USDT.

    Args:
        result: the venue's answer.
        ts_ms: its time.
        margin_mode: under ISOLATED the account-wide figures do not apply; None: unknown, they are
            used if the venue fills them in.

    Raises:
        BadDataError: there is no USDT in the answer. A missing coin is not taken as zero, which
            would look like a total loss.
    """
    accounts = Row("wallet", result).rows("list")
    if not accounts:
        raise BadDataError("wallet: expected an account in field list, found none")
    account = accounts[0]
    coins = [coin for coin in account.rows("coin") if coin.maybe_text("coin") == QUOTE]
    if not coins:
        raise BadDataError(f"wallet: expected {QUOTE} in field coin, found none")
    balance = coins[0].decimal("walletBalance")
    return Wallet(
        ts_ms=ts_ms,
        balance=balance,
        equity=_equity(account, coins[0], balance),
        available=_available(account, coins[0], balance, margin_mode),
    )


def _equity(account: Row, coin: Row, balance: Decimal) -> Decimal:
    """Return the coin's equity, or else the account's.

    Balance, sizes and limits are in USDT; `totalEquity` is in USD over all coins, so the price of
    another coin in the account would count as our gain or loss. It is better than nothing.
    """
    equity, unrealized_pnl = coin.maybe_decimal("equity"), coin.maybe_decimal("unrealisedPnl")
    if equity is not None:
        return equity
    if unrealized_pnl is not None:
        return balance + unrealized_pnl
    return account.decimal("totalEquity")


def _available(account: Row, coin: Row, balance: Decimal, mode: MarginMode | None) -> Decimal:
    account_wide = account.maybe_decimal("totalAvailableBalance")
    if account_wide is not None and mode is not MarginMode.ISOLATED:
        return account_wide
    used = ("totalPositionIM", "totalOrderIM", "locked", "bonus")
    return balance - sum((coin.maybe_decimal(name) or ZERO for name in used), ZERO)


def fee_rates(result: object, symbol: str) -> FeeRates:
    """Return the fees that the account pays for a perpetual."""
    row = Row("fee-rate", result).row_of_symbol(symbol)
    return FeeRates(taker=row.decimal("takerFeeRate"), maker=row.decimal("makerFeeRate"))


def transfer(row: Row, ours: Collection[str]) -> Transfer | None:
    """Return a line of the transaction log; None if it is a trade or funding of ours.

    Args:
        row: of the venue.
        ours: the perpetuals traded here. Other trades in the account change the balance without
            being in our books; spot trades even use the same symbols.
    """
    kind, line_id = row.text("type"), row.text("id")
    if kind in _EXPLAINED:
        symbol, category = row.maybe_text("symbol"), row.maybe_text("category")
        if symbol in ours and category in {CATEGORY, None}:
            return None
        kind = f"{FOREIGN} {kind} {category or ''} {symbol or 'no symbol'}".replace("  ", " ")
        line_id = row.maybe_text("tradeId") or line_id
    return Transfer(
        transfer_id=line_id,
        ts_ms=row.integer("transactionTime"),
        kind=kind,
        currency=row.text("currency"),
        amount=row.decimal("change"),
    )


def api_key_info(result: object) -> ApiKeyInfo:
    """Return what the key may do.

    Raises:
        BadDataError: the permissions cannot be read; a key with unknown permissions is not used.
    """
    row = Row("query-api", result)
    permissions = row.row("permissions")
    contract = {"Order", "Position"} <= _words(permissions.maybe_items("ContractTrade"))
    derivatives = "DerivativesTrade" in _words(permissions.maybe_items("Derivatives"))
    uid = row.maybe_integer("userID")
    return ApiKeyInfo(
        uid=None if uid is None else str(uid),
        is_read_only=row.integer("readOnly") != 0,
        can_trade=contract or derivatives,
        can_withdraw="Withdraw" in _words(permissions.items("Wallet")),
        ips=tuple(sorted(_words(row.maybe_items("ips")) - {"*", ""})),
        days_left=row.maybe_integer("deadlineDay"),
    )


def account_info(result: object) -> AccountInfo:
    """Return how the account is set up."""
    row = Row("account", result)
    mode = row.text("marginMode")
    return AccountInfo(
        margin_mode=MarginMode(mode) if mode in set(MarginMode) else None,
        unified_status=row.integer("unifiedMarginStatus"),
    )


def _words(items: list[object]) -> set[str]:
    return {item for item in items if isinstance(item, str)}

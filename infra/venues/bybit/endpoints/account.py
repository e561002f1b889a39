"""The account: its money, its key, and how it is set up."""

from collections.abc import Collection
from functools import partial

from pybit.unified_trading import HTTP  # type: ignore[import-untyped]

from infra.venues.bybit.endpoints.base import RestEndpoints
from infra.venues.bybit.http.outcome import Answer
from infra.venues.bybit.http.send_fence import always
from infra.venues.bybit.limits import Kind
from infra.venues.bybit.shapes.account import (
    AccountInfo,
    ApiKeyInfo,
    FeeRates,
    MarginMode,
    Transfer,
    Wallet,
    account_info,
    api_key_info,
    fee_rates,
    transfer,
    wallet,
)
from infra.venues.bybit.shapes.queries import CATEGORY, QUOTE
from infra.venues.bybit.shapes.row import Row

_LOG_PAGE = 50
_MODE_UNCHANGED = frozenset({110025, 110026})


class AccountCalls(RestEndpoints):
    """One account."""

    def set_margin_mode(self, mode: MarginMode) -> None:
        """Set the margin mode of the whole account. Raises as `place_order`."""
        query = {"setMarginMode": mode.value}
        self._wire.post(Kind.SETTING, HTTP.set_margin_mode, query, always, done=_MODE_UNCHANGED)

    def account_info(self) -> AccountInfo:
        """Return the margin mode and the kind of account."""
        return self._wire.get(
            Kind.READ, HTTP.get_account_info, {}, lambda answer: account_info(answer.result)
        )

    def api_key_info(self) -> ApiKeyInfo:
        """Return what the key may do."""
        return self._wire.get(
            Kind.READ, HTTP.get_api_key_information, {}, lambda answer: api_key_info(answer.result)
        )

    def wallet(self, margin_mode: MarginMode | None = None) -> Wallet:
        """Return balance, equity and available margin, USDT.

        Args:
            margin_mode: of the account, if known.

        Raises:
            UnavailableError: no answer within the budget.
            BadDataError: a figure is missing.
        """
        query = {"accountType": "UNIFIED", "coin": QUOTE}

        def read(answer: Answer) -> Wallet:
            return wallet(answer.result, self._wire.time_of(answer), margin_mode)

        return self._wire.get(Kind.READ, HTTP.get_wallet_balance, query, read)

    def fee_rate(self, symbol: str) -> FeeRates | None:
        """Return the fees that the account pays; None in demo trading, which does not tell."""
        if self.is_demo:
            return None
        query = {"category": CATEGORY, "symbol": symbol}
        return self._wire.get(
            Kind.SETTING,
            HTTP.get_fee_rates,
            query,
            lambda answer: fee_rates(answer.result, symbol),
        )

    def transfers(
        self, ours: Collection[str], since_ms: int, until_ms: int | None = None
    ) -> tuple[Transfer, ...]:
        """Return the balance changes other than our own trades and funding, oldest first.

        Args:
            ours: the perpetuals traded here.
            since_ms: earliest time, inclusive.
            until_ms: latest time, inclusive; None: now.
        """
        query = {"accountType": "UNIFIED", "currency": QUOTE}
        found: dict[tuple[str, str, int], Transfer] = {}
        read = partial(_transfers, ours)
        for page in self._wire.history(
            HTTP.get_transaction_log, query, _LOG_PAGE, since_ms, until_ms, read
        ):
            for item in page:
                if item is not None:
                    found[item.transfer_id, item.kind, item.ts_ms] = item
        return tuple(sorted(found.values(), key=lambda item: item.ts_ms))


def _transfers(ours: Collection[str], answer: Answer) -> list[Transfer | None]:
    return [transfer(row, ours) for row in Row("transaction-log", answer.result).rows("list")]

"""Account settings that a client may change: leverage, position mode, margin mode."""

from decimal import Decimal

from infra.venues.simulator import refusals
from infra.venues.simulator.books.account import Account
from infra.venues.simulator.books.margins import Margins
from infra.venues.simulator.books.tiers import TIERS, MarginMode
from infra.venues.simulator.position_keys import LONG, ONE_WAY, SHORT, position_key
from infra.venues.simulator.trading.ledger import OrderLedger
from infra.venues.simulator.trading.ports import Sink


class AccountSettings:
    """Changes settings, if nothing prevents it."""

    def __init__(self, account: Account, margins: Margins, ledger: OrderLedger, sink: Sink) -> None:
        self._account = account
        self._margins = margins
        self._ledger = ledger
        self._sink = sink

    def set_leverage(self, symbol: str, leverage: Decimal) -> None:
        """Change a symbol's leverage.

        Raises:
            RefusedError: it is the same, or out of range.
        """
        self._ledger.instrument(symbol)
        if not 1 <= leverage <= TIERS[0].max_leverage:
            raise refusals.RefusedError(110013, "cannot set leverage gt maxLeverage by risk limit")
        if self._account.books[symbol].leverage == leverage:
            raise refusals.leverage_not_modified()
        for idx in (ONE_WAY, LONG, SHORT):
            self._account.books[position_key(symbol, idx)].leverage = leverage
        self._sink.settings()
        for key in self._account.keys(symbol):
            self._sink.position(key)

    def switch_mode(self, symbol: str, *, is_hedged: bool) -> None:
        """Change a symbol between one-way and hedge mode.

        Raises:
            RefusedError: it is the same, or something is open.
        """
        if (symbol in self._account.hedged) == is_hedged:
            raise refusals.position_mode_not_modified()
        if self._has_position(symbol):
            raise refusals.RefusedError(
                110024, "You have an existing position, so the position mode cannot be switched"
            )
        if any(self._ledger.open_orders(symbol)):
            raise refusals.RefusedError(
                110028, "You have existing open orders, so the position mode cannot be switched"
            )
        self._set_mode(symbol, is_hedged=is_hedged)

    def switch_all_modes(self, *, is_hedged: bool) -> None:
        """Change all symbols that have neither a position nor an order."""
        for symbol in self._ledger.symbols:
            if not self._has_position(symbol) and not any(self._ledger.open_orders(symbol)):
                self._set_mode(symbol, is_hedged=is_hedged)

    def add_margin(self, key: str, amount: Decimal) -> None:
        """Add margin to an isolated position, or remove added margin.

        Raises:
            RefusedError: flat, not isolated, or more than is available.
        """
        if self._account.margin_mode is not MarginMode.ISOLATED:
            raise refusals.RefusedError(110015, "The position is in cross margin mode")
        if self._account.position(key) is None:
            raise refusals.RefusedError(110033, "can not set margin without position")
        book = self._account.books[key]
        if amount == 0:
            raise refusals.RefusedError(110027, "Margin is not modified")
        if book.added_margin + amount < 0:
            raise refusals.RefusedError(110078, "Added margin more than max can reduce margin")
        if amount > self._margins.available(self._ledger.open_orders()):
            raise refusals.RefusedError(110014, "Insufficient available balance")
        book.added_margin += amount
        self._sink.margin(key)
        self._sink.position(key)

    def set_auto_add(self, key: str, *, is_on: bool) -> None:
        """Set whether an isolated position takes margin by itself before liquidation.

        Raises:
            RefusedError: it is switched on while margin is not isolated.
        """
        if is_on and self._account.margin_mode is not MarginMode.ISOLATED:
            raise refusals.RefusedError(110015, "The position is in cross margin mode")
        self._account.books[key].adds_margin = is_on
        self._sink.settings()
        self._sink.position(key)

    def _has_position(self, symbol: str) -> bool:
        return any(self._account.position(key) for key in self._account.keys(symbol))

    def _set_mode(self, symbol: str, *, is_hedged: bool) -> None:
        if is_hedged:
            self._account.hedged.add(symbol)
        else:
            self._account.hedged.discard(symbol)
        self._sink.settings()

    def set_margin_mode(self, mode: MarginMode) -> None:
        """Change the account's margin mode.

        Raises:
            RefusedError: something is open.
        """
        if mode is self._account.margin_mode:
            return
        if self._account.engine.positions or any(self._ledger.open_orders()):
            reason = "You have open positions or orders"
            raise refusals.RefusedError(
                3400045,
                "Set margin mode failed",
                {"reasons": [{"reasonCode": "3400000", "reasonMsg": reason}]},
            )
        self._account.margin_mode = mode
        self._account.changed_ms = self._ledger.now_ms()
        self._sink.settings()

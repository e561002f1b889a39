"""Leverage, position mode and margin mode: what a client may set of its account."""

from decimal import Decimal

from infra.venues.simulator import refusals
from infra.venues.simulator.books.account import Account
from infra.venues.simulator.books.tiers import TIERS, MarginMode
from infra.venues.simulator.trading.ledger import OrderLedger
from infra.venues.simulator.trading.ports import Sink


class AccountSettings:
    """Changes settings where nothing stands against it."""

    def __init__(self, account: Account, ledger: OrderLedger, sink: Sink) -> None:
        """Change the settings of an account."""
        self._account = account
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
        self._account.books[symbol].leverage = leverage
        self._sink.settings()
        self._sink.position(symbol)

    def switch_mode(self, *, is_hedged: bool) -> None:
        """Change between one-way and hedge mode.

        Raises:
            RefusedError: it is the same, or something is open.
        """
        if self._account.is_hedged == is_hedged:
            raise refusals.position_mode_not_modified()
        if self._account.engine.positions:
            raise refusals.RefusedError(
                110024, "You have an existing position, so the position mode cannot be switched"
            )
        if any(self._ledger.open_orders()):
            raise refusals.RefusedError(
                110028, "You have existing open orders, so the position mode cannot be switched"
            )
        self._account.is_hedged = is_hedged
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

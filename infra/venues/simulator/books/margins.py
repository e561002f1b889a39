"""The margin required by positions and orders at current mark prices."""

from collections.abc import Iterator
from decimal import Decimal

from domain.market.instruments import Side
from domain.trading.positions import ZERO
from infra.venues.simulator.books.account import Account
from infra.venues.simulator.books.tiers import (
    MarginMode,
    bankruptcy_price,
    cross_liquidation_price,
    isolated_liquidation_price,
    maintenance_margin,
)
from infra.venues.simulator.position_keys import symbol_of
from infra.venues.simulator.prices.market import Market
from infra.venues.simulator.records import Status, VenueOrder


class Margins:
    """Requirements in USDT, and the prices at which they are no longer met."""

    def __init__(self, account: Account, market: Market) -> None:
        """Read an account and a market; nothing here changes them."""
        self._account = account
        self._market = market
        self._fee_rate = account.rules.taker_fee_rate

    # Assets.

    def unrealized_pnl(self) -> Decimal:
        """Return the profit of all positions at the mark prices."""
        return sum(
            (
                position.unrealized_pnl(self._market.mark_price(symbol_of(key)))
                for key, position in self._account.engine.positions.items()
            ),
            ZERO,
        )

    def equity(self) -> Decimal:
        """Return the wallet with all unrealized profit at the mark prices."""
        return self._account.engine.wallet + self.unrealized_pnl()

    def available(self, orders: Iterator[VenueOrder]) -> Decimal:
        """Return the margin available for new orders."""
        bound = self.of_positions() + self.of_orders(orders)
        if self._account.margin_mode is MarginMode.ISOLATED:
            return self._account.engine.wallet - bound
        return self.equity() - bound

    # Requirements.

    def initial(self, key: str) -> Decimal:
        """Return the initial margin of a position, including its closing fee."""
        notional, book = self._notional(key), self._account.books[key]
        return notional / book.leverage + notional * self._fee_rate + book.added_margin

    def maintenance(self, key: str) -> Decimal:
        """Return a position's maintenance margin, including its closing fee."""
        notional = self._notional(key)
        return maintenance_margin(notional) + notional * self._fee_rate

    def of_positions(self) -> Decimal:
        """Return the initial margin of all positions."""
        return sum((self.initial(key) for key in self._account.engine.positions), ZERO)

    def maintenance_of_positions(self, but: str = "") -> Decimal:
        """Return the maintenance margin of all positions, or of all but one."""
        keys = self._account.engine.positions
        return sum((self.maintenance(key) for key in keys if key != but), ZERO)

    def of_orders(self, orders: Iterator[VenueOrder]) -> Decimal:
        """Return the initial margin of open orders."""
        return sum((self.of_order(order) for order in orders), ZERO)

    def of_order(self, order: VenueOrder) -> Decimal:
        """Return the initial margin of one order: none if it only reduces."""
        is_waiting = order.trigger_price is not None and order.status is not Status.NEW
        if order.reduce_only or order.is_protective or is_waiting:
            return ZERO
        return self._needed(order)

    def covers(self, order: VenueOrder, orders: Iterator[VenueOrder]) -> bool:
        """Tell whether the account can cover a triggered order."""
        return order.reduce_only or self._needed(order) <= self.available(orders)

    def _needed(self, order: VenueOrder) -> Decimal:
        qty, position = order.leaves_qty, self._account.position(order.key)
        if position is not None and position.side is not order.side:
            qty = max(ZERO, qty - position.qty)
        is_priced = order.price > 0 and not order.is_market
        price = order.price if is_priced else self._market.last_price(order.symbol)
        rate = 1 / self._account.books[order.key].leverage + 2 * self._fee_rate
        return qty * price * rate

    # Liquidation.

    def liquidation_price(self, key: str) -> Decimal | None:
        """Return the mark price at which the position is liquidated; None: none."""
        position = self._account.position(key)
        if position is None:
            return None
        if self._account.margin_mode is MarginMode.ISOLATED:
            return isolated_liquidation_price(
                position.side,
                position.avg_entry_price,
                position.qty,
                self._account.books[key].leverage,
                self._account.books[key].added_margin,
            )
        others = self.maintenance_of_positions(but=key)
        mark_price = self._market.mark_price(symbol_of(key))
        return cross_liquidation_price(
            position.side, mark_price, position.qty, self.equity(), others
        )

    def takeover_price(self, key: str) -> Decimal:
        """Return the price at which a liquidated position is taken over."""
        position = self._account.engine.positions[key]
        if self._account.margin_mode is not MarginMode.ISOLATED:
            return self._market.mark_price(symbol_of(key))
        book = self._account.books[key]
        price = bankruptcy_price(position.side, position.avg_entry_price, book.leverage)
        added = book.added_margin / position.qty
        return max(ZERO, price - added) if position.side is Side.BUY else price + added

    def wanted_margin(self, key: str, mark_price: Decimal, free: Decimal) -> Decimal:
        """Return the margin that restores an isolated position's initial distance to liquidation.

        Args:
            key: of an open position, whose liquidation price the mark price has reached.
            mark_price: the current one.
            free: available in the account, USDT.

        Returns:
            USDT; 0 if that would not save it.
        """
        position = self._account.engine.positions[key]
        price = self.liquidation_price(key)
        beyond = ZERO if price is None else position.qty * abs(mark_price - price)
        leverage = self._account.books[key].leverage
        usual = position.notional / leverage - maintenance_margin(position.notional)
        wanted = min(beyond + usual, free)
        return wanted if wanted > beyond else ZERO

    def _notional(self, key: str) -> Decimal:
        position = self._account.position(key)
        return ZERO if position is None else position.qty * self._market.mark_price(symbol_of(key))

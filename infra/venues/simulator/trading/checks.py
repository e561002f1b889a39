"""Checks that an order must pass before it is accepted."""

import re
from decimal import Decimal

from domain.market.instruments import Instrument, Side
from infra.venues.simulator import refusals
from infra.venues.simulator.records import VenueOrder
from infra.venues.simulator.trading.context import VenueContext
from infra.venues.simulator.trading.ledger import BAND
from infra.venues.simulator.trading.requests import Amendment, NewOrder

_LINK_ID = re.compile(r"[A-Za-z0-9_-]{1,36}")
_MOST_ACTIVE = 500
_MOST_CONDITIONAL = 10
_RISE, _FALL = 1, 2
_TOLERANCES = {
    "TickSize": (Decimal(1), Decimal(10_000), Decimal(1)),
    "Percent": (Decimal("0.01"), Decimal(10), Decimal("0.01")),
}
"""Minimum, maximum and step of a slippage tolerance."""
LIMIT_FACTOR = 10
"""Largest limit order, as a multiple of the largest market order."""


class OrderChecks:
    """Refuses what the exchange would refuse; changes nothing."""

    def __init__(self, context: VenueContext) -> None:
        """Read an account, a market and the existing orders."""
        self._account = context.account
        self._margins = context.margins
        self._market = context.market
        self._ledger = context.ledger

    def check(self, wanted: NewOrder, instrument: Instrument) -> None:
        """Refuse a new order that breaks a rule."""
        if wanted.key not in self._account.keys(wanted.symbol):
            raise refusals.wrong_position_idx()
        self._check_link_id(wanted.link_id)
        self.check_qty(
            wanted.qty,
            instrument,
            is_market=wanted.is_market,
            is_capped=not wanted.reduce_only,
        )
        price = self._market.last_price(wanted.symbol)
        if not wanted.is_market:
            price = self._checked_price(wanted, instrument)
        if wanted.reduce_only:
            self._check_reducing(wanted)
        elif wanted.qty * price < instrument.min_notional:
            raise refusals.below_minimum_notional(instrument.min_notional)
        self.check_levels(wanted.side, price, wanted.stop_loss, wanted.take_profit)
        for level in (wanted.stop_loss, wanted.take_profit, wanted.trigger_price):
            if level is not None and level % instrument.tick_size:
                raise refusals.invalid("price")
        if wanted.trigger_price is None and wanted.trigger_direction:
            raise refusals.invalid("triggerPrice")
        if wanted.trigger_price is not None:
            self._check_trigger(wanted.symbol, wanted.trigger_price, wanted.trigger_direction)
        self._check_slippage(wanted)
        self._check_counts(wanted)

    def check_amendment(self, order: VenueOrder, wanted: Amendment) -> None:
        """Refuse a change that breaks a rule."""
        instrument = self._ledger.instrument(order.symbol)
        if wanted.qty is not None:
            self.check_qty(wanted.qty, instrument, is_market=order.is_market)
            if wanted.qty <= order.filled_qty:
                raise refusals.below_filled_qty()
        levels = (wanted.price, wanted.trigger_price, wanted.stop_loss, wanted.take_profit)
        for level in levels:
            if level is not None and level % instrument.tick_size:
                raise refusals.invalid("price")
        if wanted.trigger_price:
            self._check_trigger(order.symbol, wanted.trigger_price, order.trigger_direction)
        if not (wanted.stop_loss or wanted.take_profit):
            return
        if order.reduce_only:
            raise refusals.wrong("reduce-only order can not set tp/sl")
        price = wanted.price or order.price
        if order.is_market:  # and still waiting for its trigger
            price = wanted.trigger_price or order.trigger_price or order.price
        self.check_levels(order.side, price, wanted.stop_loss or None, wanted.take_profit or None)

    def check_balance(self, order: VenueOrder) -> None:
        """Refuse an order that the account cannot cover."""
        available = self._margins.available(self._ledger.open_orders())
        if self._margins.of_order(order) > available:
            raise refusals.not_enough_balance()

    def check_qty(
        self, qty: Decimal, instrument: Instrument, *, is_market: bool, is_capped: bool = True
    ) -> None:
        """Refuse a qty that is not a multiple of the step, or out of range."""
        if qty <= 0 or qty % instrument.qty_step:
            raise refusals.off_step()
        if qty < instrument.min_order_qty:
            raise refusals.below_minimum_qty()
        limit = instrument.max_market_order_qty * (1 if is_market else LIMIT_FACTOR)
        if is_capped and qty > limit:
            raise refusals.above_maximum_qty(qty, limit)

    def check_levels(
        self, side: Side, base: Decimal, stop_loss: Decimal | None, take_profit: Decimal | None
    ) -> None:
        """Refuse stops on the wrong side of a price."""
        word, is_long = ("Buy", True) if side is Side.BUY else ("Sell", False)
        if take_profit is not None and (take_profit <= base if is_long else take_profit >= base):
            raise refusals.stop_on_wrong_side("TakeProfit", take_profit, word, base, higher=is_long)
        if stop_loss is not None and (stop_loss >= base if is_long else stop_loss <= base):
            raise refusals.stop_on_wrong_side("StopLoss", stop_loss, word, base, higher=not is_long)

    @staticmethod
    def _check_slippage(wanted: NewOrder) -> None:
        kind, tolerance = wanted.slippage_type, wanted.slippage_tolerance
        if kind not in _TOLERANCES:
            if tolerance is not None:
                raise refusals.invalid("slippageToleranceType")
            return
        has_more = wanted.trigger_price or wanted.stop_loss or wanted.take_profit
        if not wanted.is_market or has_more:
            raise refusals.invalid("slippageToleranceType")
        least, most, step = _TOLERANCES[kind]
        if tolerance is None or not least <= tolerance <= most or tolerance % step:
            raise refusals.invalid("slippageTolerance")

    def _check_link_id(self, link_id: str) -> None:
        if link_id and not _LINK_ID.fullmatch(link_id):
            raise refusals.invalid("orderLinkId")
        if link_id and self._ledger.find("", link_id) is not None:
            raise refusals.duplicate_link_id()

    def _checked_price(self, wanted: NewOrder, instrument: Instrument) -> Decimal:
        price = wanted.price
        if price is None or price <= 0 or price % instrument.tick_size:
            raise refusals.invalid("price")
        mark_price = self._market.mark_price(wanted.symbol)
        is_buy = wanted.side is Side.BUY
        beyond = price > mark_price * (1 + BAND) if is_buy else price < mark_price * (1 - BAND)
        if beyond:
            raise refusals.price_out_of_band()
        return price

    def _check_reducing(self, wanted: NewOrder) -> None:
        if wanted.stop_loss is not None or wanted.take_profit is not None:
            raise refusals.wrong("reduce-only order can not set tp/sl")
        position = self._account.position(wanted.key)
        if wanted.trigger_price is None and (position is None or position.side is wanted.side):
            raise refusals.nothing_to_reduce()

    def _check_trigger(self, symbol: str, trigger: Decimal, direction: int) -> None:
        if direction not in {_RISE, _FALL}:
            raise refusals.invalid("triggerDirection")
        current = self._market.last_price(symbol)
        rising = direction == _RISE
        if trigger <= current if rising else trigger >= current:
            raise refusals.trigger_already_passed(trigger, current, rising=rising)

    def _check_counts(self, wanted: NewOrder) -> None:
        mine = list(self._ledger.open_orders(wanted.symbol))
        waiting = sum(order.stop_order_type == "Stop" for order in mine)
        if wanted.trigger_price is not None and waiting >= _MOST_CONDITIONAL:
            raise refusals.RefusedError(
                110009, "The number of stop orders exceeds the maximum allowable limit"
            )
        if len(mine) - waiting >= _MOST_ACTIVE:
            raise refusals.RefusedError(110020, "Not allowed to have more than 500 active orders.")

"""Stops that a client sets for an open position."""

from decimal import Decimal

from domain.market.instruments import Side
from domain.trading.positions import ZERO, Position
from infra.venues.simulator import refusals
from infra.venues.simulator.position_keys import symbol_of
from infra.venues.simulator.trading.checks import OrderChecks
from infra.venues.simulator.trading.context import VenueContext
from infra.venues.simulator.trading.requests import PartialStops, StopRequest


class PositionStops:
    """Checks stops, and passes them to the protection of the position."""

    def __init__(self, context: VenueContext, checks: OrderChecks) -> None:
        """Set the stops of a venue context's positions."""
        self._account = context.account
        self._market = context.market
        self._ledger = context.ledger
        self._protection = context.protection
        self._sink = context.sink
        self._checks = checks

    def set_full(self, key: str, wanted: StopRequest) -> None:
        """Set, move (None: leave) or remove (0) the stops of the whole position.

        Raises:
            RefusedError: flat, nothing changed, or a level on the wrong side.
        """
        position = self._position(key)
        if not self._changes_anything(key, wanted):
            raise refusals.stop_not_modified()
        self._check(key, position, wanted)
        self._protection.set(key, "StopLoss", wanted.stop_loss, wanted.sl_trigger_by)
        self._protection.set(key, "TakeProfit", wanted.take_profit, wanted.tp_trigger_by)
        if wanted.trailing_distance is not None:
            self._protection.trail(key, wanted.trailing_distance, wanted.active_price or None)
        self._protection.follow(key)
        self._sink.position(key)

    def add_partial(self, key: str, wanted: PartialStops) -> None:
        """Add stops for a part of the position.

        Raises:
            RefusedError: flat, too large, or a level on the wrong side.
        """
        position = self._position(key)
        instrument = self._ledger.instrument(symbol_of(key))
        self._checks.check_qty(wanted.qty, instrument, is_market=False, is_capped=False)
        if wanted.qty > position.qty:
            raise refusals.wrong("The quantity of stops exceeds that of the position")
        self._check_levels(key, position, wanted.stop_loss, wanted.take_profit)
        self._check_ticks(key, wanted.sl_limit_price, wanted.tp_limit_price)
        self._protection.add_partial(key, wanted)
        self._sink.position(key)

    def _position(self, key: str) -> Position:
        position = self._account.position(key)
        if position is None:
            raise refusals.wrong("can not set tp/sl/ts for zero position")
        return position

    def _changes_anything(self, key: str, wanted: StopRequest) -> bool:
        levels, trailing = self._protection.levels(key), self._protection.trailing(key)
        asked = {
            "StopLoss": (wanted.stop_loss, levels.get("StopLoss", ZERO)),
            "TakeProfit": (wanted.take_profit, levels.get("TakeProfit", ZERO)),
            "distance": (wanted.trailing_distance, trailing),
            "active": (wanted.active_price, None),
        }
        return any(new is not None and new != present for new, present in asked.values())

    def _check(self, key: str, position: Position, wanted: StopRequest) -> None:
        self._check_levels(key, position, wanted.stop_loss, wanted.take_profit)
        self._check_ticks(key, wanted.trailing_distance, wanted.active_price)
        if wanted.active_price and not wanted.trailing_distance:
            raise refusals.invalid("trailingStop")
        last_price = self._market.last_price(symbol_of(key))
        if wanted.active_price:
            # A trailing stop becomes active in profit not yet reached.
            self._checks.check_levels(position.side, last_price, None, wanted.active_price)
        begin = wanted.active_price or last_price
        if position.side is Side.BUY and (wanted.trailing_distance or ZERO) >= begin:
            raise refusals.invalid("trailingStop")

    def _check_levels(
        self,
        key: str,
        position: Position,
        stop_loss: Decimal | None,
        take_profit: Decimal | None,
    ) -> None:
        base = self._market.last_price(symbol_of(key))
        self._checks.check_levels(position.side, base, stop_loss or None, take_profit or None)
        self._check_ticks(key, stop_loss, take_profit)

    def _check_ticks(self, key: str, *prices: Decimal | None) -> None:
        tick_size = self._ledger.instrument(symbol_of(key)).tick_size
        if any(price is not None and price % tick_size for price in prices):
            raise refusals.invalid("price")

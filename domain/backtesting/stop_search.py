"""Finds the candle that ends a position at its stop or its target, over a whole history at once.

Floats, with a margin, tell which candles may end it or move its stop; those are judged exactly, by
the functions that judge every candle in the plain loop.
"""

import math
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from domain.fast_init import fast_init
from domain.market.candles import CandleSeries
from domain.market.instruments import Instrument, Side, exact
from domain.rules import StopPolicy
from domain.trading.matching import CandlePrices, reached_stop, touched_stop
from domain.trading.orders import ExitReason
from domain.trading.sizing import ONE
from domain.trading.trailing import StopState, follow

_ROOM = 1e-12
"""A candle is judged exactly if a price comes this close to a level, as a fraction of it."""
_FIRST_BLOCK = 512
"""Candles that are searched at once; doubled each time that none of them matters."""


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class StopFill:
    """How a candle ends a position."""

    index: int
    """Index of the candle."""
    price: Decimal
    """Price without slippage."""
    reason: ExitReason


class StopSearch:
    """The search over one asset's candles."""

    def __init__(
        self,
        series: CandleSeries,
        instrument: Instrument,
        policy: StopPolicy,
        stop_gap_fraction: Decimal,
    ) -> None:
        """Take the candles and the rules of their stops."""
        self._series, self._instrument, self._policy = series, instrument, policy
        self._gap = stop_gap_fraction

    def first_fill(self, stop: StopState, begin: int, end: int) -> StopFill | None:
        """Return the fill in the first of the candles [begin, end) that ends the position."""
        index = self._next(stop, begin, end)
        while index is not None:
            stop, reached = self._judged(stop, index)
            if reached is not None:
                return StopFill(index=index, price=reached[0], reason=reached[1])
            index = self._next(stop, index + 1, end)
        return None

    def prices(self, index: int) -> CandlePrices:
        """Return the exact prices of a candle."""
        series = self._series
        return CandlePrices(
            open=exact(float(series.open[index])),
            high=exact(float(series.high[index])),
            low=exact(float(series.low[index])),
            close=exact(float(series.close[index])),
        )

    def _next(self, stop: StopState, begin: int, end: int) -> int | None:
        """Return the first candle that may end the position or move its stop."""
        series, (below, above) = self._series, self._bounds(stop)
        size = _FIRST_BLOCK
        while begin < end:
            block = slice(begin, min(end, begin + size))
            matters = (series.low[block] <= below) | (series.high[block] >= above)
            found = int(matters.argmax())
            if matters[found]:
                return begin + found
            begin, size = begin + size, 2 * size
        return None

    def _bounds(self, stop: StopState) -> tuple[float, float]:
        """Return the low and the high beyond which a candle may matter."""
        levels = stop.levels
        at_stop, target = float(levels.stop_loss), levels.take_profit
        if stop.side is Side.BUY:
            above = min(self._moves_from(stop), math.inf if target is None else float(target))
            return at_stop * (1.0 + _ROOM), above * (1.0 - _ROOM)
        below = max(self._moves_from(stop), -math.inf if target is None else float(target))
        return below * (1.0 + _ROOM), at_stop * (1.0 - _ROOM)

    def _moves_from(self, stop: StopState) -> float:
        """Return the price beyond which the stop moves: its level then passes the next tick."""
        trail, ratchet = self._policy.trail_fraction, self._policy.min_ratchet_fraction
        tick, standing = self._instrument.tick_size, stop.levels.stop_loss
        if stop.side is Side.BUY:
            if trail is None:
                return math.inf
            ticks = (standing * (ONE + ratchet) / tick).to_integral_value(rounding=ROUND_FLOOR)
            return float(ticks * tick / (ONE - trail))
        if trail is None:
            return -math.inf
        ticks = (standing * (ONE - ratchet) / tick).to_integral_value(rounding=ROUND_CEILING)
        return float(ticks * tick / (ONE + trail))

    def _judged(
        self, stop: StopState, index: int
    ) -> tuple[StopState, tuple[Decimal, ExitReason] | None]:
        prices = self.prices(index)
        if self._policy.trail_fraction is None:
            return stop, reached_stop(stop.levels, stop.side, prices, self._gap)
        for step, price in enumerate(prices.path):
            reached = touched_stop(
                stop.levels, stop.side, price, prices, self._gap, is_open=step == 0
            )
            if reached is not None:
                is_target = reached[1] is ExitReason.TAKE_PROFIT
                return stop, (reached[0], reached[1] if is_target else stop.reason)
            stop = follow(stop, price, self._policy, self._instrument)
        return stop, None

"""The trailing stop: follows the best price of a position and is never loosened.

Exact decimals: a price is the decimal of its shortest text. The rules are 4.2 and 5 of the
multi-pair system.
"""

from dataclasses import dataclass, replace
from decimal import Decimal

from domain.fast_init import fast_init
from domain.market.instruments import Instrument, Side
from domain.rules import StopPolicy, TradingRules
from domain.trading.orders import ExitReason
from domain.trading.positions import Position
from domain.trading.sizing import ONE, ProtectiveLevels, protective_levels, rounded_toward


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class StopState:
    """The stop of one open position.

    Always true: for a long, `best` and the stop loss never fall; for a short they never rise.
    """

    side: Side
    """Of the position."""
    levels: ProtectiveLevels
    best: Decimal
    """Most favourable price since the entry, at first the average entry fill."""
    is_moved: bool = False
    """The stop was moved from its first level: the trail is active."""

    @property
    def reason(self) -> ExitReason:
        """The reason of an exit at the stop (4.3)."""
        return ExitReason.TRAILING_STOP if self.is_moved else ExitReason.STOP_LOSS

    def refilled(self, first: "StopState") -> "StopState":
        """Return the state after a further fill of the entry; `first` follows its new average.

        Until the stop has moved it follows the average entry price; after that it is never
        loosened.
        """
        is_long = self.side is Side.BUY
        best = max(self.best, first.best) if is_long else min(self.best, first.best)
        moved = self.levels.stop_loss
        if not self.is_moved or is_tighter(first.levels.stop_loss, moved, self.side):
            moved = first.levels.stop_loss
        levels = replace(first.levels, stop_loss=moved)
        return replace(self, levels=levels, best=best)

    def tightened(self, stop_loss: Decimal) -> "StopState":
        """Return the state with the stop at a level, unless that would loosen it."""
        if not is_tighter(stop_loss, self.levels.stop_loss, self.side):
            return self
        levels = ProtectiveLevels(stop_loss=stop_loss, take_profit=self.levels.take_profit)
        return StopState(side=self.side, levels=levels, best=self.best, is_moved=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class StopMoved:
    """A move of a position's stop. Stored; the newest one rebuilds the stop after a restart."""

    asset: str
    opened_ms: int
    """When the position was opened, to which the move belongs."""
    best: Decimal
    stop_loss: Decimal
    ts_ms: int
    confirmed_stop_loss: Decimal | None = None
    """The newest level that the exchange has confirmed; None: none yet."""
    confirmed_ms: int | None = None
    """When it was confirmed."""


def is_tighter(level: Decimal, standing: Decimal, side: Side) -> bool:
    """Tell whether a stop at a level is tighter than the current one."""
    return level > standing if side is Side.BUY else level < standing


def is_passed(price: Decimal, stop_loss: Decimal, side: Side) -> bool:
    """Tell whether a price has reached the stop of a long, or of a short."""
    return price <= stop_loss if side is Side.BUY else price >= stop_loss


def follow(
    state: StopState, price: Decimal, stops: StopPolicy, instrument: Instrument
) -> StopState:
    """Return the state after one more price of the asset (4.2).

    The stop moves only if the new level is beyond the current one by more than the ratchet;
    exactly the ratchet is not enough.
    """
    if stops.trail_fraction is None:
        return state
    is_long = state.side is Side.BUY
    best = max(state.best, price) if is_long else min(state.best, price)
    if best != state.best:
        state = replace(state, best=best)
    lose = -ONE if is_long else ONE
    level = rounded_toward(best, best * (ONE + lose * stops.trail_fraction), instrument)
    least = state.levels.stop_loss * (ONE - lose * stops.min_ratchet_fraction)
    return state.tightened(level) if is_tighter(level, least, state.side) else state


def policy_of(position: Position, rules: TradingRules) -> StopPolicy:
    """Return the stop policy that a position was opened with."""
    if position.terms is not None:
        return position.terms.stops
    return rules.asset(position.asset).stops


def first_stop(position: Position, rules: TradingRules) -> StopState:
    """Return the first stop of a position, around its average entry (5.3)."""
    asset = rules.asset(position.asset)
    policy = policy_of(position, rules)
    entry = position.avg_entry_price
    levels = protective_levels(entry, position.side, policy, asset.instrument)
    return StopState(side=position.side, levels=levels, best=entry)

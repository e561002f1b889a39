"""Finds the first of many closes at which the portfolio's protection could change anything.

Between two events positions and balance do not change, only prices move. So equity is a series of
sums, and most spans of closes are quickly found to be idle: no level of section 8 is reached, in
floats, with a margin. What is not surely idle is judged exactly.
"""

import math
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from domain.market.candles import Flags
from domain.market.indicators import Array
from domain.portfolio.protection import ProtectionState
from domain.rules import ProtectionRules

MARGIN = 1e-9
"""Margin for the difference of floats and decimals, a fraction of the peak or the day's start."""


class Levels(NamedTuple):
    """The limits as floats, and which of them can act on a state."""

    peak: float
    day_start: float
    above: float
    """At this drawdown or more something may happen."""
    below: float
    """At this drawdown or less something may happen."""
    daily_loss: float
    """At this daily loss or more something may happen."""
    least_equity: float
    """At this equity or less the loss of entry capital may fire."""


class Limits:
    """The limits of section 8 as floats."""

    def __init__(self, rules: ProtectionRules) -> None:
        self._steps = [float(level) for level, _ in rules.drawdown_steps]
        self._restore = float(rules.drawdown_restore_fraction)
        self._emergency = _or_never(rules.drawdown_emergency_fraction)
        self._rearm = float(rules.drawdown_rearm_fraction)
        self._halt = _or_never(rules.drawdown_halt_fraction)
        self._daily_loss = _or_never(rules.max_daily_loss_fraction)
        self._capital_loss = _or_never(rules.capital_loss_fraction)
        self._newest: tuple[ProtectionState, Levels] | None = None

    def acting_on(self, state: ProtectionState) -> Levels:
        """Return the limits that can act on a state."""
        # Called before and after each event, though not every event changes the state.
        if self._newest is None or self._newest[0] is not state:
            self._newest = state, self._acting_on(state)
        return self._newest[1]

    def _acting_on(self, state: ProtectionState) -> Levels:
        above = math.inf if state.is_halted else self._halt
        below = -math.inf
        step = state.reduction_step
        if step:
            below = [self._restore, *self._steps][step - 1]
        if step < len(self._steps):
            above = min(above, self._steps[step])
        if state.is_emergency_armed:
            above = min(above, self._emergency)
        else:
            below = max(below, self._rearm)
        has_fired_today = state.daily_loss_day == state.day
        return Levels(
            peak=float(state.peak_equity),
            day_start=float(state.day_start_equity),
            above=above - MARGIN,
            below=below + MARGIN,
            daily_loss=math.inf if has_fired_today else self._daily_loss - MARGIN,
            least_equity=float(state.entry_capital) * (1.0 - self._capital_loss + MARGIN)
            if state.is_capital_armed
            else -math.inf,
        )


def is_idle(lowest: float, highest: float, found: Levels) -> bool:
    """Tell whether no equity between two values, in any order, reaches a level."""
    if found.day_start <= 0.0:
        return False
    top = max(found.peak, highest)
    return (
        (top - lowest) / top < found.above
        and (found.peak - highest) / found.peak > found.below
        and (found.day_start - lowest) / found.day_start < found.daily_loss
        and lowest > found.least_equity
    )


def needs_check(equity: Array, found: Levels) -> Flags:
    """Return at which of (n,) equities a level may be reached."""
    top = np.maximum(np.maximum.accumulate(equity), found.peak)
    drawdown = (top - equity) / top
    if found.day_start <= 0.0:
        return np.ones(len(equity), dtype=np.bool_)
    lost = (found.day_start - equity) / found.day_start
    flags: Flags = (drawdown >= found.above) | (drawdown <= found.below)
    return flags | (lost >= found.daily_loss) | (equity <= found.least_equity)


def _or_never(limit: Decimal | None) -> float:
    return math.inf if limit is None else float(limit)

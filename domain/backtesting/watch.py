"""Finds the first of many closes at which the portfolio's protection could change anything.

Between two events the positions and the balance stand still and only prices move. So equity is a
line of sums, and most spans of closes are seen at a glance to be quiet: no level of section 8 is
reached, in floats, with room to spare. What is not surely quiet is left to be judged exactly.
"""

from dataclasses import dataclass

import numpy as np

from domain.candles import Flags
from domain.indicators import Array
from domain.protection import ProtectionState
from domain.rules import ProtectionRules

MARGIN = 1e-9
"""Room for the difference of floats and decimals, as a fraction of the peak or the day's start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """The limits, as floats, and which of them can act on a state."""

    peak: float
    day_start: float
    above: float
    """At a drawdown from this on something may happen."""
    below: float
    """At a drawdown up to this something may happen."""
    daily_loss: float
    """At a daily loss from this on something may happen."""


def levels(state: ProtectionState, rules: ProtectionRules) -> Levels:
    """Return what can act on a state."""
    above, below = [], [-np.inf]
    if state.is_reduced:
        below.append(float(rules.drawdown_restore_fraction))
    else:
        above.append(float(rules.drawdown_reduce_fraction))
    if state.is_emergency_armed:
        above.append(float(rules.drawdown_emergency_fraction))
    else:
        below.append(float(rules.drawdown_rearm_fraction))
    if not state.is_halted:
        above.append(float(rules.drawdown_halt_fraction))
    has_fired_today = state.daily_loss_day == state.day
    return Levels(
        peak=float(state.peak_equity),
        day_start=float(state.day_start_equity),
        above=min(above, default=np.inf) - MARGIN,
        below=max(below) + MARGIN,
        daily_loss=np.inf if has_fired_today else float(rules.max_daily_loss_fraction) - MARGIN,
    )


def is_quiet(lowest: float, highest: float, found: Levels) -> bool:
    """Tell whether no equity between two, in any order, reaches a level."""
    if found.day_start <= 0.0:
        return False
    top = max(found.peak, highest)
    return (
        (top - lowest) / top < found.above
        and (found.peak - highest) / found.peak > found.below
        and (found.day_start - lowest) / found.day_start < found.daily_loss
    )


def loud(equity: Array, found: Levels) -> Flags:
    """Return at which of (n,) equities a level may be reached."""
    top = np.maximum(np.maximum.accumulate(equity), found.peak)
    drawdown = (top - equity) / top
    if found.day_start <= 0.0:
        return np.ones(len(equity), dtype=np.bool_)
    lost = (found.day_start - equity) / found.day_start
    flags: Flags = (drawdown >= found.above) | (drawdown <= found.below)
    return flags | (lost >= found.daily_loss)

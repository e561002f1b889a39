"""Bearish crosses of price and averages (strategy section 2)."""

from dataclasses import dataclass
from enum import StrEnum


class CrossKind(StrEnum):
    """What fell below what."""

    PRICE_BELOW_SHORT = "PRICE_BELOW_SHORT"
    PRICE_BELOW_LONG = "PRICE_BELOW_LONG"
    SHORT_BELOW_LONG = "SHORT_BELOW_LONG"


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """A close and its two averages."""

    close: float
    ema_short: float
    ema_long: float


def bearish_crosses(before: Levels, now: Levels) -> tuple[CrossKind, ...]:
    """Return what crossed downward from one close to the next.

    A touch is no cross: both sides must lie strictly apart before and after.
    """
    found = []
    if before.close > before.ema_short and now.close < now.ema_short:
        found.append(CrossKind.PRICE_BELOW_SHORT)
    if before.close > before.ema_long and now.close < now.ema_long:
        found.append(CrossKind.PRICE_BELOW_LONG)
    if before.ema_short > before.ema_long and now.ema_short < now.ema_long:
        found.append(CrossKind.SHORT_BELOW_LONG)
    return tuple(found)

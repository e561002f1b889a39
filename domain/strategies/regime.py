"""The regime of one asset at a close (strategy section 3)."""

from enum import StrEnum

from domain.strategies.crosses import Levels


class Regime(StrEnum):
    """Whether an asset may be short."""

    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"
    COOLDOWN = "COOLDOWN"


def market_regime(levels: Levels, crosses_today: int, *, cross_threshold: int) -> Regime:
    """Return the regime that the market alone gives (3.2 to 3.4), cooldowns left out."""
    if crosses_today > cross_threshold:
        return Regime.INACTIVE
    below_both = levels.close < levels.ema_short and levels.close < levels.ema_long
    if below_both and levels.ema_short < levels.ema_long:
        return Regime.ACTIVE
    return Regime.INACTIVE


def regime(market: Regime, *, in_cooldown: bool) -> Regime:
    """Return the regime with cooldowns of the asset or the portfolio put first (3.1)."""
    return Regime.COOLDOWN if in_cooldown else market

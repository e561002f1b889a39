"""The regime of one asset at a close (strategy section 3)."""

from collections.abc import Iterator
from enum import StrEnum

from domain.strategies.crosses import Levels
from domain.strategies.explanation import Condition


class Regime(StrEnum):
    """Whether an asset may be short."""

    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"
    COOLDOWN = "COOLDOWN"


def market_regime(levels: Levels, crosses_today: int, *, cross_threshold: int) -> Regime:
    """Return the regime that the market alone gives (3.2 to 3.4), cooldowns left out."""
    conditions = regime_conditions(levels, crosses_today, cross_threshold=cross_threshold)
    return Regime.ACTIVE if all(each.holds for each in conditions) else Regime.INACTIVE


def regime_conditions(
    levels: Levels, crosses_today: int, *, cross_threshold: int
) -> Iterator[Condition]:
    """Yield what must hold for the market alone to make a regime active (3.2 to 3.4)."""
    close, short, long = levels.close, levels.ema_short, levels.ema_long
    yield Condition(
        name="crosses today",
        figure=crosses_today,
        needs="<=",
        limit=cross_threshold,
        holds=crosses_today <= cross_threshold,
    )
    yield Condition(
        name="close", figure=close, needs="< EMA short", limit=short, holds=close < short
    )
    yield Condition(name="close", figure=close, needs="< EMA long", limit=long, holds=close < long)
    yield Condition(
        name="EMA short", figure=short, needs="< EMA long", limit=long, holds=short < long
    )


def regime(market: Regime, *, in_cooldown: bool) -> Regime:
    """Return the regime with cooldowns of the asset or the portfolio put first (3.1)."""
    return Regime.COOLDOWN if in_cooldown else market

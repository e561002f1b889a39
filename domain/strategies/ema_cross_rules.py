"""The parameters of the short system."""

from dataclasses import dataclass
from enum import StrEnum

from domain.market.instruments import MINUTE_MS
from domain.strategies.base import Parameters, number


class CrossKind(StrEnum):
    """Which line fell below which."""

    PRICE_BELOW_SHORT = "PRICE_BELOW_SHORT"
    PRICE_BELOW_LONG = "PRICE_BELOW_LONG"
    SHORT_BELOW_LONG = "SHORT_BELOW_LONG"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmaCrossRules:
    """The parameters, by the names of the settings' section `strategy`."""

    ema_short_period: int
    ema_long_period: int
    entry_crosses: tuple[CrossKind, ...]
    """Kinds that can open a position; all of them count toward the day's total."""
    cross_threshold: int
    """Crosses per UTC day: at this count nothing is opened, above it a position is closed."""
    entry_window_ms: int

    @classmethod
    def read(cls, parameters: Parameters) -> "EmaCrossRules":
        """Return the parameters with their types."""
        kinds = parameters["entry_crosses"]
        return cls(
            ema_short_period=number(parameters, "ema_short_period"),
            ema_long_period=number(parameters, "ema_long_period"),
            entry_crosses=tuple(CrossKind(kind) for kind in kinds)  # type: ignore[union-attr]
            if not isinstance(kinds, str)
            else (CrossKind(kinds),),
            cross_threshold=number(parameters, "cross_threshold"),
            entry_window_ms=number(parameters, "entry_window_minutes") * MINUTE_MS,
        )

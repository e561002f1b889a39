"""What is traded: candles, instruments, sides, and time in candles."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from enum import StrEnum

from domain.fast_init import fast_init

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
MINUTE_MS = 60_000


class Side(StrEnum):
    """Side of an order or a fill."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def opposite(self) -> "Side":
        """The side that closes what this one opened."""
        return Side.BUY if self is Side.SELL else Side.SELL


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Candle:
    """A closed candle of one asset.

    Always true: low <= open, close <= high; the times lie on the candle grid.
    """

    open_time_ms: int
    close_time_ms: int
    """Open time plus the candle's length: the time of the decision on its close."""
    open: float
    high: float
    low: float
    close: float
    volume: float
    """Base units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """The venue's filters of one USDT perpetual."""

    symbol: str
    qty_step: Decimal
    min_order_qty: Decimal
    tick_size: Decimal
    min_notional: Decimal
    """USDT."""
    max_market_order_qty: Decimal

    def round_qty(self, qty: Decimal) -> Decimal:
        """Return the qty rounded down to the step."""
        return (qty // self.qty_step) * self.qty_step

    def round_price_up(self, price: Decimal) -> Decimal:
        """Return the price rounded up to the tick."""
        ticks = (price / self.tick_size).to_integral_value(rounding=ROUND_CEILING)
        return ticks * self.tick_size

    def round_price_down(self, price: Decimal) -> Decimal:
        """Return the price rounded down to the tick."""
        ticks = (price / self.tick_size).to_integral_value(rounding=ROUND_FLOOR)
        return ticks * self.tick_size


def exact(value: float) -> Decimal:
    """Return the decimal that a float prints as: 83849.1 becomes Decimal("83849.1")."""
    return Decimal(repr(value))


def utc_day(time_ms: int) -> int:
    """Return the number of the UTC day; 00:00:00 belongs to the new day."""
    return time_ms // DAY_MS

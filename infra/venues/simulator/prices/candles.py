"""Market events: candles as they happened, and the moves inside them."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from domain.trading.matching import CandlePrices
from infra.venues.simulator.prices.generator import Plan

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kline:
    """A candle as it happened."""

    open_time_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    turnover: Decimal


class Trade(NamedTuple):
    """One public trade."""

    number: int
    """Rising per symbol."""
    time_ms: int
    price: Decimal
    qty: Decimal
    is_buy: bool
    """Whether the taker bought."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One symbol's move from the price before it.

    Between two ticks the market is continuous: it trades at every price from low to high.
    """

    symbol: str
    time_ms: int
    open: Decimal
    """Where the move begins: possibly beyond a stop, after a gap."""
    high: Decimal
    low: Decimal
    last: Decimal
    qty: Decimal
    number: int
    """Quantity of its trade."""
    whole: CandlePrices | None = None
    """The prices of the whole candle, if lock-step goes through it price by price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CandleClosed:
    """All symbols' candles of one open time are complete."""

    time_ms: int
    klines: Mapping[str, Kline]


Event = Tick | CandleClosed


def planned(plan: Plan, open_time_ms: int) -> Kline:
    """Return the candle of a plan that was followed."""
    return Kline(
        open_time_ms=open_time_ms,
        open=plan.open,
        high=plan.high,
        low=plan.low,
        close=plan.close,
        volume=plan.volume,
        turnover=plan.volume * (plan.open + plan.close) / 2,
    )


def flat(price: Decimal, open_time_ms: int) -> Kline:
    """Return a candle in which nothing has traded yet."""
    return Kline(
        open_time_ms=open_time_ms,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=_ZERO,
        turnover=_ZERO,
    )


def still(price: Decimal) -> Plan:
    """Return the plan of a price that does not move."""
    return Plan(open=price, high=price, low=price, close=price, volume=_ZERO)

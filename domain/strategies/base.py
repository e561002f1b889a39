"""What a strategy is: a pure fold of closed candles that says when a position is wanted.

A strategy knows nothing about the portfolio, orders, or time beyond the candle. What it returns at
a close is generic: conditions, named values and a signal, which the code that sizes, stores,
explains or draws them need not understand.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from domain.fast_init import fast_init
from domain.market.candles import CandleSeries
from domain.market.instruments import Candle, Side
from domain.strategies.explanation import Condition

Parameter = bool | int | float | str | tuple[str, ...]
Parameters = Mapping[str, Parameter]
"""Parameters by their names in the strategy's section of the settings."""
_SPARE_CANDLES = 500
"""Closes fetched beyond the warm-up, so that averages depend less on the first one."""


class Regime(StrEnum):
    """Whether an asset may be entered."""

    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"
    COOLDOWN = "COOLDOWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class CandleRules:
    """Candle parameters that all strategies share."""

    candle_ms: int
    warmup_candles: int
    """Number of closes that only feed the indicators."""
    entry_max_age_ms: int
    volatility_window: int
    """Number of log returns in volatility and correlation."""

    @property
    def history_candles(self) -> int:
        """Number of closes fetched at a start."""
        return self.warmup_candles + _SPARE_CANDLES


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategySpec:
    """The strategy of an asset and its parameters."""

    name: str
    """A name of the registry, or `module:Class`."""
    parameters: Parameters


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A figure that explains what was decided at a close."""

    name: str
    """Name in data, like ema_short."""
    label: str
    """Name in text, like EMA 240."""
    figure: int | float
    is_price: bool = True
    """A price, quote per base; otherwise a plain number."""


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """A chance to open one position, once, within a limited time."""

    signal_ms: int
    """Close time of the candle that made it; with the asset, its identity."""
    kinds: str
    """Names of what caused it, joined by +."""
    side: Side
    strength: float
    """Ranks otherwise equal signals, high first."""
    max_age_ms: int


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What a strategy found at the newest close."""

    regime: tuple[Condition, ...]
    """The regime is ACTIVE if all of them hold."""
    values: tuple[Value, ...]
    note: str = ""
    """What the values mean, in a few words."""
    signal: Signal | None = None
    """The newest signal, however old."""
    entry: tuple[Condition, ...] = ()
    """Conditions of an entry besides the regime, the signal's age, and that it is unused."""

    @property
    def market_regime(self) -> Regime:
        """The regime by the market alone, without cooldowns."""
        return Regime.ACTIVE if all(each.holds for each in self.regime) else Regime.INACTIVE


class Strategy(ABC):
    """The fold of one asset's closed candles.

    Always true: after any number of closes the state is the one that `refold` gives for them.
    Signals of the warm-up are not recorded.
    """

    side: Side
    """Side of the positions that it opens."""
    version: str = "1"
    """Raise it whenever the same candles may give other decisions."""
    exits_when_inactive: bool = True
    """Whether a position is closed once the regime is INACTIVE."""

    def __init__(self, parameters: Parameters, candles: CandleRules) -> None:
        """Start before the first candle.

        Args:
            parameters: by name; all of the strategy's section.
            candles: what all strategies share.
        """
        self.parameters = parameters
        self.candles = candles
        self.t_ms: int | None = None
        """Close time of the newest candle."""
        self.closes_seen = 0

    @property
    def is_warm(self) -> bool:
        """Tell whether the newest close may record a signal or decide anything."""
        return self.closes_seen > self.candles.warmup_candles

    def apply(self, candle: Candle) -> tuple[str, ...]:
        """Fold one more closed candle, later than all before, and return what it signaled."""
        before_ms, self.t_ms = self.t_ms, candle.close_time_ms
        self.closes_seen += 1
        return self.fold(candle, before_ms)

    def refold(self, series: CandleSeries) -> None:
        """Fold all candles of a series, oldest first, from the start."""
        for i in range(len(series)):
            self.apply(series.candle(i))

    @abstractmethod
    def fold(self, candle: Candle, before_ms: int | None) -> tuple[str, ...]:
        """Fold a candle that `t_ms` and `closes_seen` already include; return what it signaled.

        Args:
            candle: the newest.
            before_ms: close time of the candle before; None for the first.
        """

    @abstractmethod
    def evaluate(self) -> Evaluation:
        """Return the result at the newest close; at least one candle was folded."""


def number(parameters: Parameters, name: str) -> int:
    """Return a parameter that must be a whole number."""
    value = parameters[name]
    if not isinstance(value, int):
        message = f"expected {name} to be a whole number, found {value!r}"
        raise TypeError(message)
    return value


def fraction(parameters: Parameters, name: str) -> float:
    """Return a parameter that must be a number."""
    value = parameters[name]
    if not isinstance(value, int | float):
        message = f"expected {name} to be a number, found {value!r}"
        raise TypeError(message)
    return float(value)

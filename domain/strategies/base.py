"""What a strategy is: a pure fold of closed candles that says when a position is wanted.

A strategy knows nothing of the portfolio, of orders, or of time beyond the candle. What it says at
a close is generic: conditions, named values and a signal, which whoever sizes, stores, explains
or draws them need not understand.
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
"""By the names of the strategy's section in the settings."""


class Regime(StrEnum):
    """Whether an asset may be entered."""

    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"
    COOLDOWN = "COOLDOWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class CandleRules:
    """What all strategies share of candles."""

    candle_ms: int
    warmup_candles: int
    """Closes that only feed the indicators."""
    entry_max_age_ms: int
    volatility_window: int
    """Log returns in volatility and correlation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategySpec:
    """Which strategy decides for an asset, and with which parameters."""

    name: str
    """Of the registry, or `module:Class`."""
    parameters: Parameters


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A figure that explains a close."""

    name: str
    """For programs: ema_short."""
    label: str
    """For people: EMA 240."""
    figure: int | float
    is_price: bool = True
    """Quote per base; a plain number else."""


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """Something that can open one position, once, for a while."""

    signal_ms: int
    """Close time of the candle that made it; with the asset, its identity."""
    kinds: str
    """What made it, as names joined by +."""
    side: Side
    strength: float
    """Ranks signals that are equal otherwise, high first."""
    max_age_ms: int


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What a strategy says of the newest close."""

    regime: tuple[Condition, ...]
    """All must hold for the regime to be ACTIVE."""
    values: tuple[Value, ...]
    note: str = ""
    """What the values mean, in a few words."""
    signal: Signal | None = None
    """The newest one, however old."""
    entry: tuple[Condition, ...] = ()
    """What must hold for an entry beside the regime, the signal's age, and that it is unused."""

    @property
    def market_regime(self) -> Regime:
        """The regime that the market alone gives, cooldowns left out."""
        return Regime.ACTIVE if all(each.holds for each in self.regime) else Regime.INACTIVE


class Strategy(ABC):
    """The fold of one asset's closed candles.

    Always true: after any number of closes the state is what `refold` makes of the same closes.
    Signals of the warm-up are not recorded.
    """

    side: Side
    """Of the positions that it opens."""
    version: str = "1"
    """Changes whenever the same candles can give other decisions."""
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
        """Fold a candle that `t_ms` and `closes_seen` count already; return what it signaled.

        Args:
            candle: the newest.
            before_ms: close time of the candle before; None for the first.
        """

    @abstractmethod
    def evaluate(self) -> Evaluation:
        """Return what the newest close means; at least one candle was folded."""


def number(parameters: Parameters, name: str) -> int:
    """Return a parameter that is a whole number."""
    value = parameters[name]
    if not isinstance(value, int):
        message = f"expected {name} to be a whole number, found {value!r}"
        raise TypeError(message)
    return value


def fraction(parameters: Parameters, name: str) -> float:
    """Return a parameter that is a number."""
    value = parameters[name]
    if not isinstance(value, int | float):
        message = f"expected {name} to be a number, found {value!r}"
        raise TypeError(message)
    return float(value)

"""What a strategy gives at all closes of one asset at once: optional, and much faster than a fold.

A backtest leaps from event to event with strategies that have it, and plays others close by close.
"""

from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from domain.market.candles import CandleSeries, Flags
from domain.market.indicators import Array
from domain.strategies.base import CandleRules, Parameters

Indices = NDArray[np.int64]
"""Indices of closes of one asset."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Line:
    """A figure of the strategy at every close."""

    name: str
    """Name in data, like ema_short."""
    label: str
    """Name in text, like EMA 240."""
    figures: Array
    """(n,), NaN where there is none."""
    is_price: bool = True
    """A price, quote per base; otherwise a plain number."""


class Closes(Protocol):
    """The candles of one asset, with what all runs compute from them once."""

    @property
    def series(self) -> CandleSeries:
        """The candles."""

    def average(self, period: int) -> Array:
        """Return the (n,) exponential average after each close."""

    def computed(self, key: Hashable, make: Callable[[], Array]) -> Array:
        """Return what `make` returned the first time that this key was requested."""


class History(ABC):
    """What a strategy gives at each of an asset's closes, as far as it depends on candles alone.

    Always true: each close has the regime and the signal that `Strategy.evaluate` gives there.
    """

    is_active: Flags
    """(n,) regime ACTIVE; false in the warm-up."""
    entries: Sequence[int]
    """Indices, rising, of the closes at which a flat asset may ask to enter."""
    origins: Sequence[int]
    """Indices of the signals that these entries would use, rising."""

    @staticmethod
    @abstractmethod
    def periods(parameters: Parameters) -> Collection[int]:
        """Return the periods of the averages that a history needs."""

    @abstractmethod
    def __init__(self, closes: Closes, parameters: Parameters, candles: CandleRules) -> None:
        """Compute everything.

        Args:
            closes: of one asset, with the averages of `periods`.
            parameters: of the strategy.
            candles: what all strategies share.
        """

    @abstractmethod
    def strength(self, index: int) -> float:
        """Return the strength of an entry."""

    @abstractmethod
    def lines(self) -> list[Line]:
        """Return the figures at all closes, by the strategy's own names."""

    def entry_at(self, index: int) -> int | None:
        """Return the index of the signal that an entry at this close would use."""
        at = bisect_left(self.entries, index)
        found = at < len(self.entries) and self.entries[at] == index
        return self.origins[at] if found else None

    def first_entry(self, first: int, used: int) -> int | None:
        """Return the first entry from an index on whose signal is later than the used one."""
        at = max(bisect_left(self.entries, first), bisect_right(self.origins, used))
        return self.entries[at] if at < len(self.entries) else None

    def entries_between(self, first: int, end: int, used: int) -> range:
        """Return the entries in [first, end) whose signals are later than the used one."""
        begin = max(bisect_left(self.entries, first), bisect_right(self.origins, used))
        return range(begin, max(begin, bisect_left(self.entries, end)))


def entries_after(
    signals: Indices, may_enter: Flags, longest: int
) -> tuple[Sequence[int], Sequence[int]]:
    """Return the entries that signals allow, and the signals that they use.

    Args:
        signals: indices; each is the newest one until the next.
        may_enter: (n,) whether the other conditions hold at a close.
        longest: for how many closes after its own a signal may be used.
    """
    until = np.append(signals[1:], len(may_enter))
    found = [np.zeros(0, dtype=np.int64)]
    origins = [np.zeros(0, dtype=np.int64)]
    for age in range(longest + 1):
        at = signals + age
        is_entry = at < until
        is_entry[is_entry] = may_enter[at[is_entry]]
        found.append(at[is_entry])
        origins.append(signals[is_entry])
    order = np.argsort(indices := np.concatenate(found), kind="stable")
    return indices[order].tolist(), np.concatenate(origins)[order].tolist()

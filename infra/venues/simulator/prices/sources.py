"""Where the market's candles come from: a seed, or files."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

from domain.market.candles import CandleSeries
from domain.market.funding import FundingHistory
from domain.market.instruments import Candle, Instrument, exact
from infra.venues.simulator.prices.generator import CANDLE_MS, CandleGenerator, Plan

MARK_EVERY = 288
_KEPT = 8
"""How far back candles can be requested again, at most."""
Mark = dict[str, Any]
"""A generator's state before the candle with a `number`, as JSON values."""


class Source(Protocol):
    """Candles by number; number 0 opens at `first_open_ms`."""

    first_open_ms: int
    first_number: int
    """Lowest candle number still available."""
    funding: Mapping[str, FundingHistory | None]
    """Historical settlements by symbol; without them the constant rate applies."""

    @property
    def mark(self) -> Mark | None:
        """The newest mark, one per `MARK_EVERY` candles; None if candles are not generated."""

    def plans(self, number: int) -> Mapping[str, Plan] | None:
        """Return the candles of one open time by symbol; None after the last."""


class GeneratedSource:
    """Endless candles from a seed."""

    def __init__(
        self,
        instruments: Sequence[Instrument],
        seed: int,
        first_open_ms: int,
        mark: Mark | None = None,
        others: Sequence[Instrument] = (),
    ) -> None:
        """Open the first candle at a time on the candle grid; start from a mark if given."""
        self.first_open_ms = first_open_ms
        self.first_number = 0
        self.funding: Mapping[str, FundingHistory | None] = {}
        self.mark: Mark | None = None
        self._generator = CandleGenerator(instruments, seed, others)
        self._made: dict[int, dict[str, Plan]] = {}
        self._following = 0
        if mark is not None:
            self.first_number = self._following = mark["number"]
            self._generator.resume(mark["state"])

    def plans(self, number: int) -> Mapping[str, Plan] | None:
        """Return the candles of one open time by symbol; only the newest can be requested again."""
        while self._following <= number:
            if self._following % MARK_EVERY == 0:
                self.mark = {"number": self._following, "state": self._generator.state()}
            self._made[self._following] = self._generator.step()
            self._made.pop(self._following - _KEPT, None)
            self._following += 1
        return self._made[number]


class RecordedSource:
    """The candles of files, for the time that all symbols cover."""

    def __init__(self, candles: Mapping[str, CandleSeries]) -> None:
        """Take the period that all series cover."""
        self._candles = candles
        first_ms = max(series.candle(0).open_time_ms for series in candles.values())
        end_ms = min(series.candle(-1).close_time_ms for series in candles.values())
        self.first_open_ms = first_ms
        self.first_number = 0
        self.mark: Mark | None = None
        self.funding: Mapping[str, FundingHistory | None] = {
            symbol: series.funding for symbol, series in candles.items()
        }
        self.count = max(0, (end_ms - first_ms) // CANDLE_MS)

    def plans(self, number: int) -> Mapping[str, Plan] | None:
        """Return the candles of one open time by symbol; None after the last."""
        if not 0 <= number < self.count:
            return None
        close_ms = self.first_open_ms + (number + 1) * CANDLE_MS
        found = {}
        for symbol, series in self._candles.items():
            index = series.index_at_close(close_ms)
            if index is None:
                raise ValueError(f"{symbol}: found no candle that closes at {close_ms}")
            found[symbol] = _plan(series.candle(index))
        return found


def _plan(candle: Candle) -> Plan:
    return Plan(
        open=exact(candle.open),
        high=exact(candle.high),
        low=exact(candle.low),
        close=exact(candle.close),
        volume=max(Decimal(0), exact(candle.volume)),
    )

"""One asset's closed candles as an unbroken grid (strategy 1.1, 1.4, 10.5)."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.market.funding import FundingHistory
from domain.market.instruments import Candle

Times = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
_BLOCK = 1_024
"""Candles that are converted to plain numbers at once."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CandleSeries:
    """Closed candles of one asset, oldest first; n may be 0.

    Always true: open times are `candle_ms` apart; no array can be written to. A
    series takes over the arrays that it is made from: they become read-only in place.
    """

    open_time_ms: Times
    """(n,), ms since 1970 UTC."""
    open: Floats
    """(n,), quote per base, as are high, low and close."""
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    """(n,), base units."""
    carried: Flags
    """(n,), true where a missing candle was carried forward."""
    candle_ms: int
    funding: FundingHistory | None = None
    """Settlements as they happened; None: only the constant rate is known."""

    def __post_init__(self) -> None:
        """Make the arrays read-only."""
        for array in (self.open, self.high, self.low, self.close, self.volume):
            array.flags.writeable = False
        self.open_time_ms.flags.writeable = False
        self.carried.flags.writeable = False

    def __len__(self) -> int:
        """Return the number of candles, those carried forward included."""
        return len(self.open_time_ms)

    def candle(self, i: int) -> Candle:
        """Return candle i; as in a list, -1 is the newest."""
        open_time_ms: int = self.open_time_ms.item(i)
        return Candle(
            open_time_ms=open_time_ms,
            close_time_ms=open_time_ms + self.candle_ms,
            open=self.open.item(i),
            high=self.high.item(i),
            low=self.low.item(i),
            close=self.close.item(i),
            volume=self.volume.item(i),
        )

    def candles(self) -> Iterator[Candle]:
        """Yield all candles, oldest first; several times as fast as `candle`."""
        for first in range(0, len(self), _BLOCK):
            part = slice(first, first + _BLOCK)
            columns = (self.open, self.high, self.low, self.close, self.volume)
            rows = zip(
                self.open_time_ms[part].tolist(),
                *(column[part].tolist() for column in columns),
                strict=True,
            )
            for open_time_ms, open_, high, low, close, volume in rows:
                yield Candle(
                    open_time_ms=open_time_ms,
                    close_time_ms=open_time_ms + self.candle_ms,
                    open=open_,
                    high=high,
                    low=low,
                    close=close,
                    volume=volume,
                )

    def index_at_close(self, close_time_ms: int) -> int | None:
        """Return the index of the candle that closes exactly at this time; None: none does."""
        candles, rest = divmod(close_time_ms - self._start_ms(), self.candle_ms)
        return candles - 1 if rest == 0 and 0 < candles <= len(self) else None

    def until(self, close_time_ms: int) -> "CandleSeries":
        """Return the candles closed by this time (close time <= it), as views."""
        return self._views(0, (close_time_ms - self._start_ms()) // self.candle_ms)

    def between(self, from_ms: int, to_ms: int) -> "CandleSeries":
        """Return the candles with from_ms <= open time < to_ms, as views."""
        return self._views(
            -((self._start_ms() - from_ms) // self.candle_ms),
            -((self._start_ms() - to_ms) // self.candle_ms),
        )

    def _start_ms(self) -> int:
        return int(self.open_time_ms[0]) if len(self) else 0

    def _views(self, first: int, end: int) -> "CandleSeries":
        # Clipped at 0, since a slice would count a negative end from the back.
        part = slice(max(first, 0), max(end, 0))
        return CandleSeries(
            open_time_ms=self.open_time_ms[part],
            open=self.open[part],
            high=self.high[part],
            low=self.low[part],
            close=self.close[part],
            volume=self.volume[part],
            carried=self.carried[part],
            candle_ms=self.candle_ms,
            funding=self.funding,
        )


def carry_forward(
    open_time_ms: Times,
    open: Floats,  # noqa: A002 - the column's name
    high: Floats,
    low: Floats,
    close: Floats,
    volume: Floats,
    candle_ms: int,
) -> CandleSeries:
    """Return the candles as a series in which each gap is carried forward and flagged.

    A carried candle has open = high = low = close = the last close, and volume 0.

    Args:
        open_time_ms: (n,) int64, ms, rising in whole candles; n may be 0.
        open: (n,) float64, quote per base.
        high: the same.
        low: the same.
        close: the same.
        volume: (n,) float64, base units.
        candle_ms: length of a candle.

    Returns:
        A series from the first candle to the last; it shares no memory with the arguments.

    Raises:
        ValueError: the arrays differ in length, or the times do not rise in whole candles.
    """
    columns = (open, high, low, close, volume)
    if any(len(column) != len(open_time_ms) for column in columns):
        raise ValueError("expected arrays of one length")
    steps = np.diff(open_time_ms, append=open_time_ms[-1:] + candle_ms)
    if np.any(steps <= 0) or np.any(steps % candle_ms):
        raise ValueError(f"expected open times that rise in whole candles of {candle_ms} ms")
    if np.all(steps == candle_ms):
        return CandleSeries(
            open_time_ms=open_time_ms.copy(),
            open=open.copy(),
            high=high.copy(),
            low=low.copy(),
            close=close.copy(),
            volume=volume.copy(),
            carried=np.zeros(len(close), dtype=np.bool_),
            candle_ms=candle_ms,
        )
    repeats = steps // candle_ms
    source = np.repeat(np.arange(len(close)), repeats)
    carried = np.ones(len(source), dtype=np.bool_)
    carried[np.cumsum(repeats) - repeats] = False

    def flat(column: Floats) -> Floats:
        return np.where(carried, close[source], column[source])

    return CandleSeries(
        open_time_ms=open_time_ms[:1] + candle_ms * np.arange(len(source)),
        open=flat(open),
        high=flat(high),
        low=flat(low),
        close=close[source],
        volume=np.where(carried, 0.0, volume[source]),
        carried=carried,
        candle_ms=candle_ms,
    )

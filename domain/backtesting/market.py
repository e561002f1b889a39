"""The candles of all assets on one grid of closes, and what all runs over them share."""

from bisect import bisect_left
from collections.abc import Callable, Collection, Hashable, Mapping
from functools import cached_property

import numpy as np

from domain.market.averages import ema_arrays
from domain.market.candles import CandleSeries, Times
from domain.market.indicators import Array


class AssetMarket:
    """One asset's candles; `offset` is the index of its first close among those of all assets."""

    def __init__(self, asset: str, series: CandleSeries, offset: int) -> None:
        """Take the candles; everything else is computed when it is needed."""
        self.asset = asset
        self.series = series
        self.offset = offset
        self.end = offset + len(series)
        """One past its last close."""
        self._averages: dict[int, Array] = {}
        self._computed: dict[Hashable, Array] = {}
        self._funded: dict[int, list[int]] = {}

    def log_returns(self, first: int, end: int) -> Array:
        """Return the (end - first,) log returns [first, end); i leads from close i to i + 1."""
        found: Array = np.diff(np.log(self.series.close[first : end + 1]))
        return found

    def average(self, period: int) -> Array:
        """Return the (n,) average after each close; see `Market.prepare`."""
        return self._averages[period]

    def computed(self, key: Hashable, make: Callable[[], Array]) -> Array:
        """Return what `make` returned the first time that this key was requested."""
        if key not in self._computed:
            self._computed[key] = make()
        return self._computed[key]

    def first_funding(self, index: int, interval_ms: int) -> int | None:
        """Return the first candle from an index on that opens at a settlement."""
        if interval_ms not in self._funded:
            self._funded[interval_ms] = _funding_indices(self.series, interval_ms)
        indices = self._funded[interval_ms]
        at = bisect_left(indices, index)
        return indices[at] if at < len(indices) else None

    def is_open(self, close: int) -> bool:
        """Tell whether the asset has a candle that ends at this close of the grid."""
        return self.offset <= close < self.end


class Market:
    """The candles of all assets. Runs with different rules over the same candles share it.

    Always true: close number g of the grid is at `first_close_ms` + g * `candle_ms`.
    """

    def __init__(self, candles: Mapping[str, CandleSeries]) -> None:
        """Lay the candles of each asset on one grid.

        Raises:
            ValueError: an asset has no candles, or the grids do not fit together.
        """
        if not candles:
            raise ValueError("expected candles of one asset or more, found none")
        for asset, series in candles.items():
            if not len(series):
                raise ValueError(f"{asset}: expected candles, found none")
        self.candle_ms = next(iter(candles.values())).candle_ms
        self.first_open_ms = min(int(series.open_time_ms[0]) for series in candles.values())
        self.first_close_ms = self.first_open_ms + self.candle_ms
        self.assets = {asset: self._placed(asset, series) for asset, series in candles.items()}
        self.closes = max(asset.end for asset in self.assets.values())
        """Number of closes of the grid."""

    @property
    def candles(self) -> int:
        """Number of candles of all assets, those carried forward included."""
        return sum(len(asset.series) for asset in self.assets.values())

    def candles_before(self, close: int) -> int:
        """Return the number of candles of all assets that end before this close of the grid."""
        return sum(max(0, min(close, one.end) - one.offset) for one in self.assets.values())

    @cached_property
    def times_ms(self) -> Times:
        """The (n,) times of all closes; read-only."""
        found: Times = self.first_close_ms + self.candle_ms * np.arange(self.closes)
        found.flags.writeable = False
        return found

    def time_ms(self, close: int) -> int:
        return self.first_close_ms + close * self.candle_ms

    def first_close_from(self, time_ms: int) -> int:
        """Return the number of the first close at or after a time."""
        return -((self.first_close_ms - time_ms) // self.candle_ms)

    def prepare(self, periods: Mapping[str, Collection[int]]) -> None:
        """Compute the averages of these periods, by asset, unless they exist."""
        wanted = [
            (asset, period)
            for name, asset in self.assets.items()
            for period in dict.fromkeys(periods.get(name, ()))
            if period not in asset._averages  # noqa: SLF001 - filled here, for all at once
        ]
        found = ema_arrays([(asset.series.close, period) for asset, period in wanted])
        for (asset, period), average in zip(wanted, found, strict=True):
            asset._averages[period] = average  # noqa: SLF001

    def _placed(self, asset: str, series: CandleSeries) -> AssetMarket:
        offset, rest = divmod(int(series.open_time_ms[0]) - self.first_open_ms, self.candle_ms)
        if rest or series.candle_ms != self.candle_ms:
            raise ValueError(
                f"{asset}: expected candles of {self.candle_ms} ms on the grid of the others"
            )
        return AssetMarket(asset, series, offset)


def _funding_indices(series: CandleSeries, interval_ms: int) -> list[int]:
    """Return the rising indices of the candles that open at a settlement."""
    first_ms, last_ms = int(series.open_time_ms[0]), int(series.open_time_ms[-1])
    history = series.funding
    times = np.arange(-(-first_ms // interval_ms) * interval_ms, last_ms + 1, interval_ms)
    if history is not None:
        known = np.array([*history.rates], dtype=np.int64)
        is_constant = (times < history.first_ms) | (times > history.last_ms)
        is_inside = (known >= first_ms) & (known <= last_ms)
        times = np.concatenate([times[is_constant], known[is_inside]])
    indices, rest = np.divmod(times - first_ms, series.candle_ms)
    found: list[int] = np.unique(indices[rest == 0]).tolist()
    return found

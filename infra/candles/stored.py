"""The candles of a run's own journal, in the form of backtest input."""

from collections.abc import Sequence

import numpy as np

from domain.market.candles import CandleSeries, carry_forward
from domain.market.instruments import Candle


def series_of(candles: Sequence[Candle], candle_ms: int) -> CandleSeries:
    """Return an asset's candles, in any order, with gaps carried forward."""
    ordered = sorted(candles, key=lambda candle: candle.open_time_ms)
    return carry_forward(
        open_time_ms=np.array([c.open_time_ms for c in ordered], dtype=np.int64),
        open=np.array([c.open for c in ordered]),
        high=np.array([c.high for c in ordered]),
        low=np.array([c.low for c in ordered]),
        close=np.array([c.close for c in ordered]),
        volume=np.array([c.volume for c in ordered]),
        candle_ms=candle_ms,
    )

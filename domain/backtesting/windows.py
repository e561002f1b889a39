"""The log returns behind volatility and correlation, as slices of a whole history."""

from domain.backtesting.market import Market
from domain.market.candles import CandleSeries
from domain.market.indicators import Array
from domain.trading.decisions import AssetEvaluation


class HistoryWindows:
    """`domain.portfolio.windows.Windows` over candles that are all known beforehand."""

    def __init__(self, market: Market, length: int) -> None:
        """Take the candles and the number of log returns in a window."""
        self._market = market
        self._length = length

    def append(self, report: AssetEvaluation) -> None:
        """Do nothing: the close is known."""

    def remember(self, asset: str, series: CandleSeries) -> None:
        """Do nothing: the closes are known."""

    def newest_ms(self, asset: str) -> int:
        """Return the time of the asset's newest close."""
        return self._market.time_ms(self._market.assets[asset].end - 1)

    def returns(self, asset: str, t_ms: int) -> Array | None:
        """Return the (n,) log returns up to t; None without a candle at t, or if too few."""
        found = self._market.assets[asset]
        index, rest = divmod(t_ms - self._market.first_close_ms, self._market.candle_ms)
        index -= found.offset
        if rest or not self._length <= index < len(found.series):
            return None
        return found.log_returns(index - self._length, index)

"""The log returns behind volatility and correlation, as slices of a whole history."""

from domain.backtesting.market import Market
from domain.market.candles import CandleSeries
from domain.market.indicators import Array, Deviations, deviations
from domain.trading.decisions import AssetEvaluation


class HistoryWindows:
    """`domain.portfolio.windows.Windows` over candles that are all known beforehand."""

    def __init__(self, market: Market, length: int) -> None:
        """Take the candles and the number of log returns in a window."""
        self._market = market
        self._length = length
        self._deviations: dict[str, tuple[int, Deviations | None]] = {}
        """Of each asset's newest requested close, with its time."""

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

    def deviations(self, asset: str, t_ms: int) -> Deviations | None:
        """Return those of the log returns up to t; None where there are none."""
        known = self._deviations.get(asset)
        if known is None or known[0] != t_ms:
            returns = self.returns(asset, t_ms)
            known = t_ms, None if returns is None else deviations(returns)
            self._deviations[asset] = known
        return known[1]

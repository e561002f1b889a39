"""The log returns behind correlations (strategy 7.3, 8.6)."""

from typing import Protocol

from domain.market.candles import CandleSeries
from domain.market.indicators import CloseWindow, Deviations, deviations
from domain.rules import TradingRules
from domain.trading.decisions import AssetEvaluation


class Windows(Protocol):
    """The newest log returns of each asset."""

    def append(self, report: AssetEvaluation) -> None:
        """Append a reported close; a known one changes nothing."""

    def remember(self, asset: str, series: CandleSeries) -> None:
        """Replace all closes by ones that did not come as reports."""

    def newest_ms(self, asset: str) -> int:
        """Return the time of the asset's newest known close, 0 before the first."""

    def deviations(self, asset: str, t_ms: int) -> Deviations | None:
        """Return those of the log returns up to t; None if they do not reach t, or are too few."""


class ReportedWindows:
    """Windows that grow with each reported close."""

    def __init__(self, rules: TradingRules) -> None:
        """Start before the first close of each asset."""
        self._returns = rules.candles.volatility_window
        self._windows = {asset.asset: CloseWindow(self._returns) for asset in rules.assets}
        self._newest_ms = dict.fromkeys(self._windows, 0)
        self._deviations: dict[str, Deviations | None] = {}
        """Of the newest closes; an asset among ten is correlated with nine others."""

    def append(self, report: AssetEvaluation) -> None:
        """Append a reported close; a known one changes nothing."""
        if report.t_ms > self._newest_ms[report.asset]:
            self._windows[report.asset].append(report.close)
            self._newest_ms[report.asset] = report.t_ms
            self._deviations.pop(report.asset, None)

    def remember(self, asset: str, series: CandleSeries) -> None:
        """Replace all closes by ones that did not come as reports."""
        newest = series.close[-self._returns - 1 :].tolist()
        self._windows[asset] = CloseWindow(self._returns, newest)
        self._deviations.pop(asset, None)
        if len(series):
            self._newest_ms[asset] = int(series.open_time_ms[-1]) + series.candle_ms

    def newest_ms(self, asset: str) -> int:
        """Return the time of the asset's newest known close, 0 before the first."""
        return self._newest_ms[asset]

    def deviations(self, asset: str, t_ms: int) -> Deviations | None:
        """Return those of the log returns up to t; None if they do not reach t, or are too few."""
        if self._newest_ms[asset] != t_ms:
            return None
        if asset not in self._deviations:
            returns = self._windows[asset].log_returns()
            self._deviations[asset] = None if returns is None else deviations(returns)
        return self._deviations[asset]

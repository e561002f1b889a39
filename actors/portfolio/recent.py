"""The newest closes of an asset, used for correlations and values."""

from actors.names import asset_name
from actors.portfolio.context import PortfolioContext
from actors.ports import Feed
from domain.market.candles import CandleSeries
from domain.market.instruments import exact


class RecentCloses:
    """Reads each asset's newest closes from the feed."""

    def __init__(self, context: PortfolioContext, feed: Feed) -> None:
        """Fill the books of a portfolio context."""
        self._context = context
        self._feed = feed

    def remember(self, asset: str) -> None:
        """Give the books an asset's closes; of a given-up one its newest price."""
        series = self._series(asset)
        if not self._context.actor.is_given_up(asset_name(asset)):
            self._context.books.remember_closes(asset, series)
        elif len(series):
            self._context.books.remember_price(asset, exact(float(series.close[-1])))

    def fill_gap(self, asset: str, t_ms: int) -> None:
        """Give the books the closes up to t that did not arrive as evaluations."""
        self._context.books.remember_closes(asset, self._series(asset).until(t_ms))

    def _series(self, asset: str) -> CandleSeries:
        # One more than the window holds, as closes after t are cut off.
        return self._feed.recent(asset, self._context.rules.candles.volatility_window + 2)

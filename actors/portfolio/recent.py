"""The newest closes of an asset, behind correlations and values."""

from actors.names import asset_name
from actors.portfolio.context import PortfolioContext
from actors.ports import Feed
from domain.market.candles import CandleSeries
from domain.market.instruments import exact


class RecentCloses:
    """What the feed has of each asset."""

    def __init__(self, context: PortfolioContext, feed: Feed) -> None:
        """Fill the books of a desk."""
        self._context = context
        self._feed = feed

    def remember(self, asset: str) -> None:
        """Let the books know an asset's closes; of one that was given up its newest price."""
        series = self._series(asset)
        if not self._context.actor.is_given_up(asset_name(asset)):
            self._context.books.remember_closes(asset, series)
        elif len(series):
            self._context.books.remember_price(asset, exact(float(series.close[-1])))

    def fill_gap(self, asset: str, t_ms: int) -> None:
        """Let the books know the closes up to t that were not heard as reports."""
        self._context.books.remember_closes(asset, self._series(asset).until(t_ms))

    def _series(self, asset: str) -> CandleSeries:
        # One more than the window holds: what came after t is cut off again.
        return self._feed.recent(asset, self._context.rules.candles.volatility_window + 2)

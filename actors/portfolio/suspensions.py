"""Assets that get no new positions."""

from actors.names import asset_name, execution_name
from actors.portfolio.context import PortfolioContext


class Suspensions:
    """Tracks which executions are in doubt, and which actors were given up."""

    def __init__(self, context: PortfolioContext) -> None:
        """Start with the given-up actors."""
        self._context = context
        self._frozen: set[str] = set()
        self.look()

    def freeze(self, asset: str) -> None:
        """Suspend an asset while its execution is in doubt."""
        self._frozen.add(asset)
        self.look()

    def thaw(self, asset: str) -> None:
        """End the suspension, unless something else requires it."""
        self._frozen.discard(asset)
        self.look()

    def look(self) -> None:
        """Update the given-up actors."""
        given_up = self._context.actor.is_given_up
        self._context.books.suspended = self._frozen | {
            asset
            for asset in self._context.assets
            if given_up(execution_name(asset)) or given_up(asset_name(asset))
        }

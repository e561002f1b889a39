"""Assets that get no new positions."""

from actors.names import asset_name, execution_name
from actors.portfolio.context import PortfolioContext


class Suspensions:
    """Whose execution is in doubt, and who was given up."""

    def __init__(self, context: PortfolioContext) -> None:
        """Look who was given up."""
        self._context = context
        self._frozen: set[str] = set()
        self.look()

    def freeze(self, asset: str) -> None:
        """Open nothing while its execution does not know what is true."""
        self._frozen.add(asset)
        self.look()

    def thaw(self, asset: str) -> None:
        """Let it be opened again, where nothing else forbids it."""
        self._frozen.discard(asset)
        self.look()

    def look(self) -> None:
        """Take note of who is given up now."""
        given_up = self._context.actor.is_given_up
        self._context.books.suspended = self._frozen | {
            asset
            for asset in self._context.assets
            if given_up(execution_name(asset)) or given_up(asset_name(asset))
        }

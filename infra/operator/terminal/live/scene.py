"""Everything that the screen shows, as one value."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from rich.text import Text

from domain.operator.system import SystemSnapshot
from domain.rules import TradingRules
from domain.trading.positions import Position, Trade
from infra.store.reader import StoredOrder


class Panel(StrEnum):
    """The panels below the money, in the order of the TAB key."""

    ASSETS = "assets"
    TRADES = "trades"
    FIGURES = "figures"
    ORDERS = "orders"
    ACTORS = "actors"
    LOG = "log"
    HELP = "help"

    @property
    def following(self) -> "Panel":
        """The panel that TAB shows next; help has its own key."""
        round_trip = [panel for panel in Panel if panel is not Panel.HELP]
        index = round_trip.index(self) if self in round_trip else -1
        return round_trip[(index + 1) % len(round_trip)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One moment of a run."""

    seen: SystemSnapshot
    rules: TradingRules
    events: Sequence[Text] = ()
    """Lines of the log, oldest first."""
    trades: Sequence[Trade] = ()
    """Closed trades, newest first; read only for their panel, like the orders."""
    orders: Sequence[StoredOrder] = ()
    """Newest first."""
    trace: Text = field(default_factory=Text)
    """Whether a trace is written."""
    panel: Panel = Panel.ASSETS
    note: str = ""
    """Shown instead of the keys: a question, or the answer to a key."""
    has_keys: bool = True
    """Whether keys are read."""

    def position(self, asset: str) -> Position | None:
        """Return the position of an asset, as far as an actor answers."""
        portfolio = self.seen.portfolio
        if portfolio is not None:
            return portfolio.positions.get(asset)
        found = self.seen.assets.get(asset)
        return None if found is None else found.position

    def price(self, asset: str) -> Decimal | float | None:
        """Return the newest price, or else the newest close; None if neither is known."""
        feed, found = self.seen.feeds.get(asset), self.seen.assets.get(asset)
        if feed is not None and feed.price is not None:
            return feed.price
        return None if found is None or found.report is None else found.report.close

    def pnl(self, asset: str) -> Decimal | None:
        """Return the unrealized PnL of an asset's position; None: no position, or no price."""
        position, portfolio = self.position(asset), self.seen.portfolio
        valued = None if portfolio is None else portfolio.prices.get(asset)
        price = self.price(asset) if valued is None else valued
        if position is None or price is None:
            return None
        return position.unrealized_pnl(Decimal(str(price)))

    @property
    def assets(self) -> list[str]:
        """All assets: those of the settings in order, then others with a position."""
        names = [rules.asset for rules in self.rules.assets]
        portfolio = self.seen.portfolio
        held = () if portfolio is None else portfolio.positions
        return [*names, *(name for name in held if name not in names)]

    @property
    def held(self) -> list[str]:
        """Assets with a position."""
        return [asset for asset in self.assets if self.position(asset) is not None]

"""A run's ties to the outer world."""

from dataclasses import dataclass

from infra.venues.bybit.connection import BybitConnection, MarketConnection
from infra.venues.paper.connection import PaperConnection


@dataclass(frozen=True, kw_only=True)
class Connection:
    """The market, and the account whose orders are traded: at the exchange, or on paper."""

    market: MarketConnection
    account: BybitConnection | PaperConnection

    def start(self) -> None:
        """Begin to hear of the account."""
        self.account.start()

    def close(self) -> None:
        """Let go of everything."""
        self.account.close()
        self.market.close()

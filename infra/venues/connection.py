"""A run's connection to the market and the account."""

from dataclasses import dataclass

from infra.venues.bybit.connection import BybitConnection, MarketConnection
from infra.venues.paper.connection import PaperConnection


@dataclass(frozen=True, kw_only=True)
class Connection:
    """The market, and the account that is traded: at the exchange, or on paper."""

    market: MarketConnection
    account: BybitConnection | PaperConnection

    def start(self) -> None:
        """Start the account's stream."""
        self.account.start()

    def close(self) -> None:
        """Close all connections."""
        self.account.close()
        self.market.close()

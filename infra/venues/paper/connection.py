"""The paper account at the real market, assembled from its parts."""

from collections.abc import Collection
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path

from domain.errors import ConfigError
from domain.rules import TradingRules
from infra.net.pool import Subscription
from infra.net.stream_stats import StreamStats
from infra.secrets.cipher import STATE, cipher_of
from infra.venues.bybit.connection import MarketConnection
from infra.venues.bybit.listings import NotTradableError, find_listing
from infra.venues.bybit.obstacles import Obstacles
from infra.venues.bybit.shapes.market import Listing
from infra.venues.paper.account import PaperAccount
from infra.venues.paper.exchange import PaperExchange
from infra.venues.paper.memory import Memory
from infra.venues.paper.offline_catch_up import OfflineCatchUp


class PaperConnection:
    """An account that needs no key and places no orders at the venue."""

    warnings: tuple[str, ...] = ()
    wallet = None
    """There are no deposits to a paper account, or withdrawals from it."""

    def __init__(self, market: MarketConnection, rules: TradingRules, file: Path) -> None:
        """Continue an existing account; nothing is connected yet.

        Args:
            market: whose prices fill the orders; closed by its owner.
            rules: leverage, fills, and the starting balance of a new account.
            file: the account's own.

        Raises:
            ConfigError: the file cannot be read.
        """
        self._market = market
        self._account = PaperAccount(rules, Memory(file, cipher_of(file.parent, STATE)))
        self._candle_ms = rules.candles.candle_ms
        self._unseen: OfflineCatchUp | None = None
        self._subscriptions: dict[str, Subscription] = {}
        self._funding_interval_ms: dict[str, int] = {}
        self.wallet = None
        self.exchange = PaperExchange(
            self._account,
            market.rest,
            symbols=market.symbols,
            now_ms=market.server_clock.now_ms,
        )

    def prepare(self, rules: TradingRules, delisted: Collection[str] = ()) -> TradingRules:
        """Return the rules with the venue's filters and the account's balance.

        Args:
            rules: of the settings.
            delisted: symbols that are no longer traded; they keep their filters.

        Raises:
            ConfigError: an asset cannot be traded as configured; lists all problems.
            UnavailableError: the venue does not answer.
        """
        listings = _listings(self._market, rules, delisted)
        self._funding_interval_ms = {
            asset.asset: _interval_ms(listings.get(asset.asset), rules) for asset in rules.assets
        }
        self._unseen = OfflineCatchUp(
            self._account,
            self.exchange,
            self._market.rest,
            symbols=self._market.symbols,
            candle_ms=self._candle_ms,
            funding_interval_ms=self._funding_interval_ms,
            now_ms=self._market.server_clock.now_ms,
        )
        instruments = {asset: listing.instrument for asset, listing in listings.items()}
        assets = tuple(
            replace(a, instrument=instruments.get(a.asset, a.instrument)) for a in rules.assets
        )
        fills = replace(rules.fills, initial_balance=self._account.engine.wallet)
        return replace(rules, assets=assets, fills=fills)

    def start(self) -> None:
        """Start passing the market's prices to the account."""
        if self._unseen is None:
            raise ValueError("expected a connection that was prepared")
        for asset in list(self._market.symbols):
            self._hear(asset, self._unseen)
        self._unseen.start()

    def listing(self, symbol: str) -> Listing:
        """Return the venue's listing of a perpetual; as `BybitConnection.listing`."""
        return find_listing(self._market.rest, symbol, Decimal(1))

    def open_there(self, symbol: str) -> str:
        """Return the open position of a symbol, in words; empty if there is none."""
        names = [name for name, traded in self._market.symbols.items() if traded == symbol]
        held = [self.exchange.venue_position(name).signed_qty for name in names]
        return " and ".join(f"a position of {abs(qty):f}" for qty in held if qty)

    def join(self, rules: TradingRules, asset: str) -> None:
        """Start passing the prices of one more asset to the account.

        Raises:
            ConfigError: it cannot be traded with its leverage.
            UnavailableError: the venue does not list it, or does not answer.
        """
        if self._unseen is None:
            raise ValueError("expected a connection that was prepared")
        joining = rules.asset(asset)
        symbol = joining.instrument.symbol
        listing = find_listing(self._market.rest, symbol, joining.leverage)
        self._funding_interval_ms[asset] = _interval_ms(listing, rules)
        self._account.change(rules)
        self._hear(asset, self._unseen)

    def leave(self, asset: str) -> None:
        """Stop passing on an asset's prices."""
        subscription = self._subscriptions.pop(asset, None)
        if subscription is not None:
            subscription.close()

    def stream_stats(self) -> list[StreamStats]:
        """Return nothing: the account has no stream of its own."""
        return []

    def refused(self) -> dict[tuple[str, str], int]:
        """Return nothing: unreadable market data is counted by the market."""
        return {}

    def close(self) -> None:
        """Stop; may be called twice."""
        for subscription in self._subscriptions.values():
            subscription.close()
        if self._unseen is not None:
            self._unseen.close()

    def _hear(self, asset: str, unseen: OfflineCatchUp) -> None:
        self._subscriptions[asset] = self._market.stream.tickers(
            self._market.symbols[asset],
            partial(self.exchange.on_ticker, asset),
            on_connected=partial(self._on_connected, asset, unseen),
            on_lost=partial(self._on_lost, asset, unseen),
        )

    def _on_connected(self, asset: str, unseen: OfflineCatchUp, _down_s: float) -> None:
        unseen.on_connected(asset)

    def _on_lost(self, asset: str, unseen: OfflineCatchUp, _why: str) -> None:
        self.exchange.forget_price(asset)
        unseen.on_lost(asset)


def _interval_ms(listing: Listing | None, rules: TradingRules) -> int:
    told_ms = None if listing is None else listing.funding_interval_ms
    return told_ms or rules.fills.funding.interval_ms


def _listings(
    market: MarketConnection, rules: TradingRules, delisted: Collection[str]
) -> dict[str, Listing]:
    found: dict[str, Listing] = {}
    obstacles = Obstacles("the assets cannot be traded:")
    for asset in rules.assets:
        symbol = asset.instrument.symbol
        if symbol in delisted:
            continue
        try:
            found[asset.asset] = find_listing(market.rest, symbol, asset.leverage)
        except (ConfigError, NotTradableError) as error:
            obstacles.add(str(error), may_pass=isinstance(error, NotTradableError))
    obstacles.check()
    return found

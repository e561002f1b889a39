"""A connection to Bybit assembled from its parts: the market, and one account."""

import time
from collections.abc import Callable, Collection
from contextlib import closing
from dataclasses import dataclass, replace
from decimal import Decimal
from random import Random
from typing import Protocol

from loguru import logger

from domain.errors import ConfigError
from domain.market.instruments import Candle
from domain.rules import TradingRules
from domain.text import counted
from infra.net.live_clock import LiveClock
from infra.net.pool import ConnectionPool, ConnectLimiter
from infra.net.server_clock import ServerClock
from infra.net.stream_stats import StreamStats
from infra.venues.bybit.account import prepare_account
from infra.venues.bybit.api_key import check_asset_keys, check_beside
from infra.venues.bybit.credentials import Credentials, KeyInUse
from infra.venues.bybit.errors import ReadRefusedError
from infra.venues.bybit.exchange import RECV_WINDOW_MS, BybitExchange
from infra.venues.bybit.feed import BybitFeed, CandlePen
from infra.venues.bybit.limits import BybitLimiter, bybit_limiter
from infra.venues.bybit.listings import find_listing
from infra.venues.bybit.private_stream import PrivateStream
from infra.venues.bybit.public_stream import PublicStream
from infra.venues.bybit.rest import BybitRest
from infra.venues.bybit.shapes.account import MarginMode
from infra.venues.bybit.shapes.market import Listing
from infra.venues.bybit.shapes.queries import symbol_of
from infra.venues.bybit.venues import Venue

_LOOK_S = 0.2
"""Pause between two checks whether a new key works."""


def account_reader(venue: Venue) -> BybitRest:
    """Return a client for queries before there is a connection; the caller closes it."""
    return BybitRest(
        venue.credentials,
        venue.rest_url,
        limiter=bybit_limiter(),
        clock=ServerClock(speed=venue.speed),
        rng=Random(),  # noqa: S311 (jitter)
        is_demo=venue.is_demo,
        ssl_context=venue.ssl_context,
    )


class Timer(Protocol):
    """A pending call."""

    def cancel(self) -> None:
        """Cancel the call."""


class TradingClock(Protocol):
    """The exchange's time, and calls scheduled on it."""

    def now_ms(self) -> int:
        """Return the present, ms since 1970 UTC."""

    def call_at(self, due_ms: int, call: Callable[[], None]) -> Timer:
        """Call once when the clock reaches a time. The call must only tell."""

    def close(self) -> None:
        """Cancel all calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How time passes for a connection, and how often it may send requests."""

    server_clock: ServerClock
    clock: TradingClock
    limiter: BybitLimiter


def real_pace(speed: float = 1.0) -> Pace:
    """Return the pace of an exchange with a running clock."""
    server_clock = ServerClock(speed=speed)
    return Pace(
        server_clock=server_clock,
        clock=LiveClock(server_clock.now_ms, speed=speed),
        limiter=bybit_limiter(),
    )


class MarketConnection:
    """REST, public streams, clock and feed of one venue; it trades nothing."""

    def __init__(
        self,
        venue: Venue,
        rules: TradingRules,
        open_journal: Callable[[str], CandlePen],
        read_recent: Callable[[str, int], list[Candle]],
        *,
        max_connections: int,
        rng: Random,
        pace: Pace | None = None,
    ) -> None:
        """Prepare the parts; nothing is connected yet.

        Args:
            venue: address and key.
            rules: names the assets and their candles.
            open_journal: opens a journal for candles.
            read_recent: returns the newest stored candles of an asset.
            max_connections: most stream connections; with more assets they are shared.
            rng: for jitter.
            pace: of its time; None: a running clock, at the venue's speed.
        """
        pace = pace or real_pace(venue.speed)
        self.server_clock = pace.server_clock
        self.rest = BybitRest(
            venue.credentials,
            venue.rest_url,
            limiter=pace.limiter,
            clock=self.server_clock,
            rng=rng,
            is_demo=venue.is_demo,
            ssl_context=venue.ssl_context,
        )
        self.clock = pace.clock
        self.connect_limiter = ConnectLimiter()
        self._pool = ConnectionPool(
            venue.public_stream_url,
            rng=rng,
            max_connections=max_connections,
            timing=venue.timing,
            limiter=self.connect_limiter,
            ssl_context=venue.ssl_context,
        )
        self.stream = PublicStream(self._pool, candle_minutes=rules.candles.candle_ms // 60_000)
        self.symbols = {asset.asset: asset.instrument.symbol for asset in rules.assets}
        """By asset; changes with the pairs, so other threads must iterate over a copy."""
        self.former = frozenset(symbol_of(asset) for asset in rules.former)
        """Symbols formerly traded here."""
        self.feed = BybitFeed(
            self.rest,
            self.stream,
            open_journal,
            read_recent,
            symbols=self.symbols,
            candle_ms=rules.candles.candle_ms,
            history=rules.candles.history_candles,
            now_ms=self.server_clock.now_ms,
        )

    def measure_clock(self) -> None:
        """Measure the exchange's time.

        Raises:
            UnavailableError: the exchange does not answer.
        """
        self.rest.sync_clock()

    def stream_stats(self) -> list[StreamStats]:
        """Return the counters of the public streams; from any thread."""
        return self._pool.stats()

    def refused(self) -> dict[tuple[str, str], int]:
        """Return the number of unreadable items by source and kind; from any thread."""
        sources = {"market": self.stream.refused(), "rest": self.rest.refused()}
        return {(source, kind): n for source, found in sources.items() for kind, n in found.items()}

    def close(self) -> None:
        self.clock.close()
        self._pool.close()
        self.rest.close()


class BybitConnection:
    """One account at a venue: its exchange port, and its stream."""

    def __init__(
        self,
        market: MarketConnection,
        venue: Venue,
        *,
        rng: Random,
        priced: frozenset[str] | None = None,
    ) -> None:
        """Prepare the parts; nothing is connected yet.

        Args:
            market: of the same venue; closed by its owner.
            venue: of the account.
            rng: for jitter.
            priced: assets whose last price, without mark price, is passed on between closes; None:
                all assets, with mark prices.

        Raises:
            ValueError: the venue comes without a key.
        """
        if venue.credentials is None:
            raise ValueError("expected a venue with a key")
        self._rest = market.rest
        self.asset_rests = {
            asset: market.rest.beside(credentials) for asset, credentials in venue.of_assets.items()
        }
        """Clients of assets that have a key of their own."""
        self._assets = {symbol: asset for asset, symbol in market.symbols.items()}
        """By symbol."""
        now_ms = market.server_clock.now_ms
        self.exchange = BybitExchange(
            market.rest,
            market.stream,
            symbols=market.symbols,
            rests=self.asset_rests,
            former=market.former,
            now_ms=now_ms,
            valid_ms=market.server_clock.passing_in(RECV_WINDOW_MS),
            priced=priced,
        )
        self.wallet = self.exchange
        self.warnings: tuple[str, ...] = ()
        self._venue, self._market, self._rng = venue, market, rng
        self._private = self._stream_of(venue.credentials)

    def _stream_of(self, credentials: Credentials) -> PrivateStream:
        venue = self._venue
        return PrivateStream(
            venue.private_stream_url,
            api_key=credentials.api_key,
            api_secret=credentials.api_secret,
            assets=self._assets,
            listener=self.exchange,
            now_ms=self._market.server_clock.now_ms,
            rng=self._rng,
            timing=venue.timing,
            limiter=self._market.connect_limiter,
            ssl_context=venue.ssl_context,
        )

    def change_key(
        self,
        credentials: Credentials,
        is_settled: Callable[[], bool],
        *,
        asset: str | None = None,
        patience_s: float = 60.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Trade with another key of the account from now on.

        The new key's stream runs beside the old one's until everything is settled under the new
        key; what both report is booked once. Nothing that was sent is sent again. The key of a
        single asset has no stream of its own.

        Args:
            credentials: the new key.
            is_settled: tells whether no order is unanswered and the books match the exchange.
            asset: one of `asset_rests`, whose key it is; None: the account's key.
            patience_s: how long to wait for the new stream, and then for the settling.
            sleep: waits some seconds.

        Raises:
            ConfigError: the new key cannot be used; the old one remains in use.
            UnavailableError: the venue does not answer; the same.
        """
        with closing(self._rest.beside(credentials)) as other:
            check_beside(self._rest, other)
        if asset is not None:
            keys = self.asset_rests[asset].keys
            self._sign_by(credentials, keys, is_settled, patience_s, sleep)
            return
        stream = self._stream_of(credentials)
        try:
            stream.start()
            _wait(lambda: stream.is_live, "its stream was not confirmed", patience_s, sleep)
            self._sign_by(credentials, self._rest.keys, is_settled, patience_s, sleep)
        except BaseException:
            stream.close()
            raise
        self._private, former = stream, self._private
        former.close()

    def _sign_by(
        self,
        credentials: Credentials,
        keys: KeyInUse,
        is_settled: Callable[[], bool],
        patience_s: float,
        sleep: Callable[[float], None],
    ) -> None:
        """Sign with a new key, and again with the old one if not everything gets settled."""
        old = keys.now
        try:
            keys.change(credentials)
            self.exchange.reconcile_all("asks what is so under the new key")
            _wait(is_settled, "not everything was settled under it", patience_s, sleep)
        except BaseException:
            if old is not None:
                keys.change(old)
            raise

    @property
    def rest(self) -> BybitRest:
        """The client of the account, signing with the key in use."""
        return self._rest

    @property
    def assets(self) -> dict[str, str]:
        """Return the asset of each traded symbol."""
        return dict(self._assets)

    def prepare(self, rules: TradingRules, delisted: Collection[str] = ()) -> TradingRules:
        """Prepare the account, and return the rules with the venue's filters and the balance.

        Args:
            rules: of the settings.
            delisted: symbols that are no longer traded; they keep their filters.

        Raises:
            ConfigError: the key or the account cannot be used.
            UnavailableError: the exchange does not answer.
        """
        of_keys = check_asset_keys(self._rest, self.asset_rests)
        report = prepare_account(self._rest, rules.assets, MarginMode.ISOLATED, delisted=delisted)
        for change in report.changes:
            logger.info("corrected at the exchange: {}", change)
        self.warnings = (*report.warnings, *of_keys)
        for warning in self.warnings:
            logger.warning("{}", warning)
        listed = {prepared.asset: prepared.listing.instrument for prepared in report.assets}
        assets = tuple(
            replace(a, instrument=listed.get(a.asset, a.instrument)) for a in rules.assets
        )
        balance = self._rest.wallet(report.margin_mode).balance
        return replace(rules, assets=assets, fills=replace(rules.fills, initial_balance=balance))

    def listing(self, symbol: str) -> Listing:
        """Return how the venue lists a perpetual.

        Raises:
            UnavailableError: it is not listed, or the venue does not answer.
        """
        return find_listing(self._rest, symbol, Decimal(1))

    def open_there(self, symbol: str) -> str:
        """Return open positions and resting orders in a symbol, in words; empty if there are none.

        Raises:
            UnavailableError: the venue does not answer.
            BadDataError: its answer cannot be read.
        """
        opened = [row for row in self._rest.open_positions() if row.symbol == symbol]
        found = [f"a position of {row.qty:f}" for row in opened if not row.is_flat]
        try:
            orders = self._rest.open_orders(symbol)
        except ReadRefusedError:
            orders = ()  # the symbol no longer exists
        return " and ".join(found + ([counted(len(orders), "order")] if orders else []))

    def join(self, rules: TradingRules, asset: str) -> None:
        """Prepare the account for one more asset, and receive its updates from now on.

        Raises:
            ConfigError: the account cannot be used.
            UnavailableError: the venue does not answer, or does not apply a change.
        """
        joining = rules.asset(asset)
        report = prepare_account(self._rest, [joining], MarginMode.ISOLATED)
        for change in report.changes:
            logger.info("corrected at the exchange: {}", change)
        self._assets[joining.instrument.symbol] = asset

    def leave(self, asset: str) -> None:
        """Stop receiving updates of an asset; its past results still count as our own."""
        for symbol in [symbol for symbol, name in self._assets.items() if name == asset]:
            self.exchange.former |= {symbol}
            self._assets.pop(symbol)

    def start(self) -> None:
        """Start the account's stream."""
        self._private.start()

    def stream_stats(self) -> list[StreamStats]:
        """Return the counters of the account's stream; from any thread."""
        return [self._private.stats()]

    def refused(self) -> dict[tuple[str, str], int]:
        """Return the number of unreadable items by source and kind; from any thread."""
        return {("account", kind): n for kind, n in self._private.refused().items()}

    def close(self) -> None:
        """Stop the stream and close the clients."""
        self._private.close()
        for rest in self.asset_rests.values():
            rest.close()


def _wait(
    is_so: Callable[[], bool], otherwise: str, patience_s: float, sleep: Callable[[float], None]
) -> None:
    deadline_s = time.monotonic() + patience_s
    while not is_so():
        if time.monotonic() > deadline_s:
            raise ConfigError(f"the new key is not used: {otherwise} in {patience_s:.0f} s")
        sleep(_LOOK_S)

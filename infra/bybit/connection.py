"""All parts of one account's connection, put together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Protocol

from domain.market import Candle
from domain.rules import TradingRules
from infra.bybit.clock import ServerClock
from infra.bybit.exchange import BybitExchange
from infra.bybit.feed import BybitFeed, CandlePen
from infra.bybit.http.client import Credentials
from infra.bybit.limits import Limiter
from infra.bybit.pool import ConnectionPool, ConnectLimiter
from infra.bybit.private_stream import PrivateStream
from infra.bybit.public_stream import PublicStream
from infra.bybit.rest import BybitRest
from infra.live_clock import LiveClock

_SPARE_CANDLES = 500
"""Fetched beyond the warm-up, so that an average has forgotten how it was seeded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    """Where an account is, and its key."""

    rest_url: str
    public_stream_url: str
    private_stream_url: str
    credentials: Credentials
    is_demo: bool = False
    speed: float = 1.0
    """How much faster than real time its clock runs; 1 but for simulations."""


class Timer(Protocol):
    """A call that is still to come."""

    def cancel(self) -> None:
        """Let it not happen."""


class TradingClock(Protocol):
    """The exchange's time, and calls at given times of it."""

    def now_ms(self) -> int:
        """Return the present."""

    def call_at(self, due_ms: int, call: Callable[[], None]) -> Timer:
        """Call once when the clock reaches a time. The call must only tell."""

    def close(self) -> None:
        """Make no more calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How time passes for a connection, and how often it may ask."""

    server_clock: ServerClock
    clock: TradingClock
    limiter: Limiter


def real_pace(speed: float = 1.0) -> Pace:
    """Return the pace of an exchange whose clock runs by itself."""
    server_clock = ServerClock(speed=speed)
    return Pace(
        server_clock=server_clock,
        clock=LiveClock(server_clock.now_ms, speed=speed),
        limiter=Limiter(),
    )


class BybitConnection:
    """REST, streams, clock, feed and exchange of one account."""

    def __init__(
        self,
        venue: Venue,
        rules: TradingRules,
        open_pen: Callable[[str], CandlePen],
        read_recent: Callable[[str, int], list[Candle]],
        *,
        max_connections: int,
        rng: Random,
        pace: Pace | None = None,
    ) -> None:
        """Connect nothing yet.

        Args:
            venue: where, and with which key.
            rules: names the assets and their candles.
            open_pen: takes a pen of the journal for candles.
            read_recent: returns the newest stored candles of an asset.
            max_connections: above it assets share stream connections.
            rng: for jitter.
            pace: of its time; None: it runs by itself, at the venue's speed.
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
        )
        self.clock = pace.clock
        limiter = ConnectLimiter()
        self._pool = ConnectionPool(
            venue.public_stream_url, rng=rng, max_connections=max_connections, limiter=limiter
        )
        market = PublicStream(self._pool, candle_minutes=rules.strategy.candle_ms // 60_000)
        symbols = {asset.asset: asset.instrument.symbol for asset in rules.assets}
        now_ms = self.server_clock.now_ms
        self.feed = BybitFeed(
            self.rest,
            market,
            open_pen,
            read_recent,
            symbols=symbols,
            candle_ms=rules.strategy.candle_ms,
            history=rules.strategy.warmup_candles + _SPARE_CANDLES,
            now_ms=now_ms,
        )
        self.exchange = BybitExchange(self.rest, market, symbols=symbols, now_ms=now_ms)
        self._private = PrivateStream(
            venue.private_stream_url,
            api_key=venue.credentials.api_key,
            api_secret=venue.credentials.api_secret,
            assets=_by_symbol(symbols),
            listener=self.exchange,
            now_ms=now_ms,
            rng=rng,
            limiter=limiter,
        )

    def measure_clock(self) -> None:
        """Learn the exchange's time.

        Raises:
            UnavailableError: the exchange does not answer.
        """
        self.rest.sync_clock()

    def start(self) -> None:
        """Begin to hear of the account."""
        self._private.start()

    def close(self) -> None:
        """Let go of everything."""
        self.clock.close()
        self._private.close()
        self._pool.close()
        self.rest.close()


def _by_symbol(symbols: Mapping[str, str]) -> dict[str, str]:
    return {symbol: asset for asset, symbol in symbols.items()}

"""Bybit's REST interface as typed calls: pybit signs, failures are classified here.

Reads are repeated within a budget. A request that changes something is sent once: its outcome is
classified as accepted, definitely refused, accepted before, never sent, or unknown.
"""

import random
import ssl
import time
from collections.abc import Callable, Mapping
from copy import copy

from infra.net.server_clock import ServerClock
from infra.net.tls import tls_context
from infra.venues.bybit.credentials import Credentials, KeyInUse
from infra.venues.bybit.endpoints.account import AccountCalls
from infra.venues.bybit.endpoints.market import MarketCalls
from infra.venues.bybit.endpoints.orders import OrderCalls
from infra.venues.bybit.endpoints.positions import PositionCalls
from infra.venues.bybit.http.client import PATIENCE, Patience
from infra.venues.bybit.http.meter import RequestStats
from infra.venues.bybit.http.transport import RestTransport
from infra.venues.bybit.limits import BybitLimiter


class BybitRest(MarketCalls, OrderCalls, PositionCalls, AccountCalls):
    """One account; thread-safe, each thread has a connection of its own."""

    def __init__(
        self,
        credentials: Credentials | None,
        base_url: str,
        *,
        limiter: BybitLimiter,
        clock: ServerClock,
        rng: random.Random,
        is_demo: bool = False,
        patience: Patience = PATIENCE,
        ssl_context: ssl.SSLContext | None = None,
        monotonic_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Prepare the transport; nothing is connected yet.

        Args:
            credentials: None if only market data is read.
            base_url: of the venue, without a path.
            limiter: shared by all users of the account or the IP address.
            clock: the venue's time, measured through this client.
            rng: for the jitter of retries.
            is_demo: demo trading, which has no fee rates.
            patience: time limits.
            ssl_context: for https; None: one made by `tls_context`.
            monotonic_s: seconds, for budgets and round trips.
            sleep: waits some seconds.
        """
        wire = RestTransport(
            credentials,
            base_url,
            limiter=limiter,
            clock=clock,
            rng=rng,
            patience=patience,
            ssl_context=ssl_context or tls_context(),
            monotonic_s=monotonic_s,
            sleep=sleep,
        )
        super().__init__(wire, is_demo=is_demo)
        self.clock = clock

    def beside(self, credentials: Credentials) -> "BybitRest":
        """Return a client that signs with another key and shares limiter, clock and meter."""
        other = copy(self)
        other._wire = self._wire.beside(credentials)  # noqa: SLF001 (of this class)
        return other

    @property
    def keys(self) -> KeyInUse:
        """The key that signs; another key of the account may replace it."""
        return self._wire.keys

    def stats(self) -> RequestStats:
        """Return the number of requests and their durations; from any thread."""
        return self._wire.meter.stats()

    def refused(self) -> Mapping[str, int]:
        """Return the number of unreadable answers by call; from any thread."""
        return self._wire.refusals.counts()

    def close(self) -> None:
        """Close the connections of all threads; the next call opens new ones."""
        self._wire.close()

    def sync_clock(self, samples: int = 3) -> None:
        """Measure the venue's time; the quickest round trip counts.

        Raises:
            UnavailableError: nothing could be measured.
            BadDataError: the answer held no time.
        """
        self._wire.sync_clock(samples)

"""Bybit's REST interface as typed calls: pybit signs, everything that can go wrong is decided here.

Reads are repeated inside a budget. A request that changes something is sent once: whatever came
back is told apart as refused for certain, accepted before, never sent, or unknown.
"""

import random
import ssl
import time
from collections.abc import Callable, Mapping
from copy import copy

from infra.net.server_clock import ServerClock
from infra.net.tls import tls_context
from infra.venues.bybit.endpoints.account import AccountCalls
from infra.venues.bybit.endpoints.market import MarketCalls
from infra.venues.bybit.endpoints.orders import OrderCalls
from infra.venues.bybit.endpoints.positions import PositionCalls
from infra.venues.bybit.http.client import PATIENCE, Credentials, KeyInUse, Patience
from infra.venues.bybit.http.meter import RequestStats
from infra.venues.bybit.http.transport import RestTransport
from infra.venues.bybit.limits import BybitLimiter


class BybitRest(MarketCalls, OrderCalls, PositionCalls, AccountCalls):
    """One account; safe from any thread, each of which gets a connection of its own."""

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
        """Connect nothing yet.

        Args:
            credentials: None where only the market is read.
            base_url: where the venue is, without a path.
            limiter: shared by all who use the account or the address.
            clock: the venue's time, measured here.
            rng: spreads the retries.
            is_demo: demo trading, which has no fee rates.
            patience: how long things may take.
            ssl_context: for https; None: what `tls_context` makes.
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
        """Return one that signs by another key of the account; limiter, clock and meter are one."""
        other = copy(self)
        other._wire = self._wire.beside(credentials)  # noqa: SLF001 (of this class)
        return other

    @property
    def keys(self) -> KeyInUse:
        """The key that signs; another one of the account may take its place."""
        return self._wire.keys

    def stats(self) -> RequestStats:
        """Return how many requests there were, and how long they took; from any thread."""
        return self._wire.meter.stats()

    def refused(self) -> Mapping[str, int]:
        """Return how many answers could not be read, by the call; from any thread."""
        return self._wire.refusals.counts()

    def close(self) -> None:
        """Close the connections of all threads; the next call opens new ones."""
        self._wire.close()

    def sync_clock(self, samples: int = 3) -> None:
        """Measure the venue's time; the quickest of the round trips counts.

        Raises:
            UnavailableError: nothing could be measured.
            BadDataError: the answer held no time.
        """
        self._wire.sync_clock(samples)

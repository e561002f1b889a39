"""Where Bybit's three worlds are, and which of them a connection goes to."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from infra.net.timing import StreamTiming
from infra.net.tls import LEAST, tls_context
from infra.venues.bybit.http.client import Credentials


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    """Where an account is, and its key."""

    rest_url: str
    public_stream_url: str
    private_stream_url: str
    credentials: Credentials | None
    """None where only the market is read."""
    of_assets: Mapping[str, Credentials] = field(default_factory=dict)
    """Keys of the same account by which single assets trade, in the place of the one for all."""
    is_demo: bool = False
    speed: float = 1.0
    """How much faster than real time its clock runs; 1 but for simulations."""
    least_tls: str = LEAST
    """Version of TLS below which no connection is made."""
    timing: StreamTiming = field(default_factory=StreamTiming)
    """How patient its streams are."""

    def at(
        self,
        *,
        rest_url: str | None,
        public_stream_url: str | None,
        private_stream_url: str | None,
        speed: float,
        least_tls: str,
        of_assets: Mapping[str, Credentials],
    ) -> "Venue":
        """Return the same elsewhere; None: there as before."""
        return replace(
            self,
            rest_url=rest_url or self.rest_url,
            public_stream_url=public_stream_url or self.public_stream_url,
            private_stream_url=private_stream_url or self.private_stream_url,
            speed=speed,
            least_tls=least_tls,
            of_assets=of_assets,
        )

    @property
    def ssl_context(self) -> ssl.SSLContext:
        """Of its https and wss connections."""
        return tls_context(self.least_tls)


def mainnet(credentials: Credentials | None) -> Venue:
    """Return the real market; with a key it is real money."""
    return Venue(
        rest_url="https://api.bybit.com",
        public_stream_url="wss://stream.bybit.com/v5/public/linear",
        private_stream_url="wss://stream.bybit.com/v5/private",
        credentials=credentials,
    )


def testnet(credentials: Credentials) -> Venue:
    """Return the testnet: a market of its own, and play money."""
    return Venue(
        rest_url="https://api-testnet.bybit.com",
        public_stream_url="wss://stream-testnet.bybit.com/v5/public/linear",
        private_stream_url="wss://stream-testnet.bybit.com/v5/private",
        credentials=credentials,
    )


def demo(credentials: Credentials) -> Venue:
    """Return demo trading: play money in the real market, which has no public stream of its own."""
    return replace(
        mainnet(credentials),
        rest_url="https://api-demo.bybit.com",
        private_stream_url="wss://stream-demo.bybit.com/v5/private",
        is_demo=True,
    )

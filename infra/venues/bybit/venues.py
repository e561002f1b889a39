"""The addresses of Bybit's three environments, and the one that a connection uses."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from infra.net.timing import StreamTiming
from infra.net.tls import LEAST, tls_context
from infra.venues.bybit.credentials import Credentials


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    """The environment of an account, and its key."""

    rest_url: str
    public_stream_url: str
    private_stream_url: str
    credentials: Credentials | None
    """None if only market data is read."""
    of_assets: Mapping[str, Credentials] = field(default_factory=dict)
    """Keys of the same account for single assets, used instead of the account's key."""
    is_demo: bool = False
    speed: float = 1.0
    """How much faster than real time its clock runs; 1 except for simulations."""
    least_tls: str = LEAST
    """Lowest TLS version accepted."""
    timing: StreamTiming = field(default_factory=StreamTiming)
    """Time limits of its streams."""

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
        """Return the same venue at other addresses; None: unchanged."""
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
        """The TLS context of its connections."""
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
    """Return the testnet: a separate market, with play money."""
    return Venue(
        rest_url="https://api-testnet.bybit.com",
        public_stream_url="wss://stream-testnet.bybit.com/v5/public/linear",
        private_stream_url="wss://stream-testnet.bybit.com/v5/private",
        credentials=credentials,
    )


def demo(credentials: Credentials) -> Venue:
    """Return demo trading: play money in the real market, whose public stream it shares."""
    return replace(
        mainnet(credentials),
        rest_url="https://api-demo.bybit.com",
        private_stream_url="wss://stream-demo.bybit.com/v5/private",
        is_demo=True,
    )

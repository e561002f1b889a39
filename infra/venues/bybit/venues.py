"""Where Bybit's three worlds are, and which of them a connection goes to."""

from dataclasses import dataclass, field, replace

from infra.net.timing import StreamTiming
from infra.venues.bybit.http.client import Credentials


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    """Where an account is, and its key."""

    rest_url: str
    public_stream_url: str
    private_stream_url: str
    credentials: Credentials | None
    """None where only the market is read."""
    is_demo: bool = False
    speed: float = 1.0
    """How much faster than real time its clock runs; 1 but for simulations."""
    timing: StreamTiming = field(default_factory=StreamTiming)
    """How patient its streams are."""

    def at(
        self,
        *,
        rest_url: str | None,
        public_stream_url: str | None,
        private_stream_url: str | None,
        speed: float,
    ) -> "Venue":
        """Return the same elsewhere; None: there as before."""
        return replace(
            self,
            rest_url=rest_url or self.rest_url,
            public_stream_url=public_stream_url or self.public_stream_url,
            private_stream_url=private_stream_url or self.private_stream_url,
            speed=speed,
        )


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

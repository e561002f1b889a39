"""Each asset's link to the exchange: its stream, its order rate, the latency of its requests."""

from collections import Counter, deque
from collections.abc import Iterable, Mapping

from domain.operator.system import VenueLink
from infra.net.stream_stats import StreamStats
from infra.venues.bybit.http.meter import RequestStats

_RATE_S = 60.0


class OrderRate:
    """Orders per minute of each asset, from their sums at each sample."""

    def __init__(self) -> None:
        self._looks: deque[tuple[float, Counter[str]]] = deque()

    def look(self, orders: Mapping[tuple[str, str], int], now_s: float) -> dict[str, float]:
        """Return the rates over the last minute.

        Args:
            orders: all so far, by asset and purpose.
            now_s: monotonic.
        """
        sums: Counter[str] = Counter()
        for (asset, _), count in orders.items():
            sums[asset] += count
        self._looks.append((now_s, sums))
        while len(self._looks) > 2 and now_s - self._looks[1][0] >= _RATE_S:  # noqa: PLR2004 (a span has two ends)
            self._looks.popleft()
        since_s, before = self._looks[0]
        span_s = now_s - since_s
        return {a: (n - before[a]) * 60 / span_s if span_s > 0 else 0.0 for a, n in sums.items()}


def links_of(
    symbols: Mapping[str, str],
    requests: RequestStats,
    streams: Iterable[StreamStats],
    rates: Mapping[str, float],
) -> dict[str, VenueLink]:
    """Return the link of each asset.

    Args:
        symbols: at the exchange, by asset.
        requests: statistics of all requests.
        streams: statistics of all connections.
        rates: orders per minute, by asset.
    """
    topics = {topic for stream in streams for topic in stream.live}
    streaming = {topic.rpartition(".")[2] for topic in topics if topic.startswith("kline.")}
    found = {}
    for asset, symbol in list(symbols.items()):
        p50_s, p99_s = requests.symbols.get(symbol, (None, None))
        found[asset] = VenueLink(
            asset=asset,
            is_streaming=symbol in streaming,
            orders_per_minute=rates.get(asset, 0.0),
            request_p50_ms=None if p50_s is None else p50_s * 1000,
            request_p99_ms=None if p99_s is None else p99_s * 1000,
        )
    return found

"""The freshness of each asset's prices."""

import time
from collections.abc import Mapping

from domain.market.instruments import exact
from domain.operator.system import FeedState
from infra.venues.bybit.connection import MarketConnection


def feed_states(market: MarketConnection, stale_ms: int) -> Mapping[str, FeedState]:
    """Return the newest price of each asset, and its age; from stale_ms on it is stale."""
    now_s, stale_s = time.monotonic(), stale_ms / 1000
    found = {}
    for asset, symbol in list(market.symbols.items()):
        heard_s = market.stream.heard_s(symbol)
        age_s = None if heard_s is None else now_s - heard_s
        close = market.stream.newest_close(symbol)
        found[asset] = FeedState(
            asset=asset,
            age_s=age_s,
            is_stale=age_s is not None and age_s >= stale_s,
            price=None if close is None else exact(close),
        )
    return found

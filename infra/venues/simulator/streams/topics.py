"""Public topics: their parts, and which exist."""

from collections.abc import Container
from typing import NamedTuple

from infra.venues.simulator.prices.periods import INTERVALS

OF_SYMBOL = frozenset({"tickers", "publicTrade", "allLiquidation", "liquidation", "priceLimit"})
OF_COIN = frozenset({"insurance", "adlAlert"})
DEPTHS = frozenset({"1", "50", "200", "500", "1000"})
_COINS = frozenset({"USDT", "USDC", "inverse"})


class Topic(NamedTuple):
    """The parts of a topic."""

    kind: str
    detail: str
    """Interval or depth; empty if there is none."""
    symbol: str
    """Symbol, or the coin."""


def read_topic(topic: str, symbols: Container[str]) -> Topic | None:
    """Return the parts of a public topic; None if there is no such topic."""
    parts = topic.split(".")
    if len(parts) == 2:  # noqa: PLR2004 - kind and symbol
        kind, symbol = parts
        is_known = (kind in OF_SYMBOL and symbol in symbols) or (
            kind in OF_COIN and symbol in _COINS
        )
        return Topic(kind, "", symbol) if is_known else None
    if len(parts) == 3:  # noqa: PLR2004 - and interval or depth
        kind, detail, symbol = parts
        details = {"kline": INTERVALS, "orderbook": DEPTHS}.get(kind, frozenset())
        return Topic(kind, detail, symbol) if detail in details and symbol in symbols else None
    return None

"""Order books: both sides around the last price, first a snapshot, then changes."""

from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from infra.venues.simulator.prices.market import Market
from infra.venues.simulator.shapes.text import Json, text

_FIRST_UPDATE = 100
"""1 would mean to clients that the service was restarted."""
_PRICES_KEPT = 1 << 17
"""Number of cached price texts: the same prices recur all the time."""


class _Sides(NamedTuple):
    """The prices of a book in ticks, rising; a side has no gaps."""

    bids: range
    asks: range


class OrderBooks:
    """The books of all symbols, in each subscribed depth."""

    def __init__(self, market: Market, size: Decimal) -> None:
        """Read a market; each level has the same size, in smallest orders."""
        self._market = market
        self._size = size
        self._told: dict[tuple[str, int], _Sides] = {}
        self._updates: dict[tuple[str, int], int] = {}

    def size(self, symbol: str) -> Decimal:
        """Return the size of each level, base units."""
        return self._market.instruments[symbol].min_order_qty * self._size

    def view(self, symbol: str, depth: int) -> Json:
        """Return both sides, best first, without the time."""
        number = self._updates.get((symbol, depth), _FIRST_UPDATE)
        return self._whole(symbol, self._sides(symbol, depth), number)

    def snapshot(self, symbol: str, depth: int, *, is_watched: bool) -> Json:
        """Return the book as last sent to its subscribers, or the current one if it has none."""
        key = symbol, depth
        if not is_watched or key not in self._told:
            self._told[key] = self._sides(symbol, depth)
        number = self._updates.setdefault(key, _FIRST_UPDATE)
        return self._whole(symbol, self._told[key], number)

    def changes(self, symbol: str, depth: int) -> Json | None:
        """Return what has changed since the last call; None if nothing has."""
        key = symbol, depth
        told, now = self._told.get(key, _Sides(range(0), range(0))), self._sides(symbol, depth)
        if told == now:
            return None
        self._told[key] = now
        self._updates[key] = self._updates.get(key, _FIRST_UPDATE) + 1
        bids, asks = (
            self._levels(symbol, _without(was, will_be), "0")
            + self._levels(symbol, _without(will_be, was), self._written_size(symbol))
            for was, will_be in zip(told, now, strict=True)
        )
        return self._data(symbol, bids, asks, self._updates[key])

    def _sides(self, symbol: str, depth: int) -> _Sides:
        tick_size = self._market.instruments[symbol].tick_size
        bid = int(self._market.bid_price(symbol) / tick_size)
        ask = int(self._market.ask_price(symbol) / tick_size)
        return _Sides(range(max(1, bid - depth + 1), bid + 1), range(ask, ask + depth))

    def _whole(self, symbol: str, sides: _Sides, number: int) -> Json:
        size = self._written_size(symbol)
        bids = self._levels(symbol, reversed(sides.bids), size)
        return self._data(symbol, bids, self._levels(symbol, sides.asks, size), number)

    def _written_size(self, symbol: str) -> str:
        return text(self.size(symbol))

    def _levels(self, symbol: str, prices: Iterable[int], size: str) -> list[list[str]]:
        tick_size = self._market.instruments[symbol].tick_size
        return [[_written(price, tick_size), size] for price in prices]

    def _data(self, symbol: str, bids: list[list[str]], asks: list[list[str]], number: int) -> Json:
        seq = self._market.trade_number(symbol)
        return {"s": symbol, "b": bids, "a": asks, "u": number, "seq": seq}


@lru_cache(_PRICES_KEPT)
def _written(ticks: int, tick_size: Decimal) -> str:
    return text(ticks * tick_size)


def _without(run: range, other: range) -> Iterable[int]:
    """Return the numbers of one range that are not in another."""
    below = range(run.start, min(run.stop, other.start))
    return chain(below, range(max(run.start, other.stop), run.stop)) if other else run

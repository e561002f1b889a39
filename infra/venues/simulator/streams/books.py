"""Order books: both sides around the last price, told whole first and then by what changes."""

from decimal import Decimal

from infra.venues.simulator.prices.market import Market
from infra.venues.simulator.shapes.text import Json, text

_FIRST_UPDATE = 100
"""1 would tell clients that the service was restarted."""
Levels = dict[Decimal, str]


class OrderBooks:
    """The books of all symbols, of each depth that somebody listens to."""

    def __init__(self, market: Market, size: Decimal) -> None:
        """Look at a market; at each level stands a size, in smallest orders."""
        self._market = market
        self._size = size
        self._told: dict[tuple[str, int], tuple[Levels, Levels]] = {}
        self._updates: dict[tuple[str, int], int] = {}

    def size(self, symbol: str) -> Decimal:
        """Return what stands at each level, base units."""
        return self._market.instruments[symbol].min_order_qty * self._size

    def view(self, symbol: str, depth: int) -> Json:
        """Return both sides, best first, without the time."""
        bids, asks = self._levels(symbol, depth)
        number = self._updates.get((symbol, depth), _FIRST_UPDATE)
        return self._data(symbol, bids, asks, number)

    def snapshot(self, symbol: str, depth: int, *, is_watched: bool) -> Json:
        """Return the book as those know it who listen to it, or as it is where nobody does."""
        key = symbol, depth
        if not is_watched or key not in self._told:
            self._told[key] = self._levels(symbol, depth)
        bids, asks = self._told[key]
        return self._data(symbol, bids, asks, self._updates.setdefault(key, _FIRST_UPDATE))

    def changes(self, symbol: str, depth: int) -> Json | None:
        """Return what has changed since the last time; None where nothing has."""
        key = symbol, depth
        told, now = self._told.get(key, ({}, {})), self._levels(symbol, depth)
        sides = [_difference(*pair) for pair in zip(told, now, strict=True)]
        if not any(sides):
            return None
        self._told[key] = now
        self._updates[key] = self._updates.get(key, _FIRST_UPDATE) + 1
        return self._data(symbol, sides[0], sides[1], self._updates[key])

    def _levels(self, symbol: str, depth: int) -> tuple[Levels, Levels]:
        tick_size, size = self._market.instruments[symbol].tick_size, text(self.size(symbol))
        bid, ask = self._market.bid_price(symbol), self._market.ask_price(symbol)
        bids = {bid - i * tick_size: size for i in range(depth) if bid > i * tick_size}
        return bids, {ask + i * tick_size: size for i in range(depth)}

    def _data(self, symbol: str, bids: Levels, asks: Levels, number: int) -> Json:
        return {
            "s": symbol,
            "b": [[text(price), size] for price, size in bids.items()],
            "a": [[text(price), size] for price, size in asks.items()],
            "u": number,
            "seq": self._market.trade_number(symbol),
        }


def _difference(told: Levels, now: Levels) -> Levels:
    gone = dict.fromkeys(told.keys() - now.keys(), "0")
    come = {price: now[price] for price in now.keys() - told.keys()}
    return gone | come

"""What is told of a book is the book, however far and near zero its price moves."""

from dataclasses import dataclass, field
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from infra.venues.simulator.streams.books import OrderBooks
from tests.venues.simulator.clients import BTC, INSTRUMENTS

TICK = INSTRUMENTS[0].tick_size
MOVES = st.lists(st.integers(min_value=1, max_value=150), min_size=1, max_size=12)


@dataclass
class Prices:
    """The market as far as books look at it."""

    ticks: int
    instruments: dict = field(default_factory=lambda: {one.symbol: one for one in INSTRUMENTS})

    def bid_price(self, _symbol: str) -> Decimal:
        return self.ticks * TICK

    def ask_price(self, _symbol: str) -> Decimal:
        return (self.ticks + 1) * TICK

    def trade_number(self, _symbol: str) -> int:
        return 1


def apply(side: dict, levels: list[list[str]]) -> None:
    for price, size in levels:
        if size == "0":
            assert side.pop(price)
        else:
            assert price not in side
            side[price] = size


@given(prices=MOVES, depth=st.sampled_from([1, 50]))
def test_the_first_book_and_all_changes_make_the_book_of_now(prices: list[int], depth: int) -> None:
    market = Prices(prices[0])
    books = OrderBooks(market, Decimal(20))
    first = books.snapshot(BTC, depth, is_watched=False)
    sides, number = {name: dict(first[name]) for name in "ba"}, first["u"]

    for market.ticks in prices[1:]:
        changes = books.changes(BTC, depth)
        if changes is not None:
            assert changes["u"] == number + 1
            number = changes["u"]
            for name, side in sides.items():
                apply(side, changes[name])

    now = books.view(BTC, depth)
    assert {name: dict(now[name]) for name in "ba"} == sides
    assert now["u"] == number
    bids, asks = ([Decimal(price) for price, _ in now[name]] for name in "ba")
    assert bids == sorted(bids, reverse=True)
    assert asks == sorted(asks)
    assert (bids[0], asks[0] - bids[0]) == (market.ticks * TICK, TICK)
    assert bids[-1] > 0

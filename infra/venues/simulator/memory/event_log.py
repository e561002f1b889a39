"""Records events and reports them to the clients concerned."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from infra.venues.simulator.books.account import Account
from infra.venues.simulator.memory.state_file import (
    DEPOSITS,
    EXECUTIONS,
    KLINES,
    ORDERS,
    STOPS,
    StateFile,
)
from infra.venues.simulator.memory.summary import summary
from infra.venues.simulator.prices.candles import CandleClosed
from infra.venues.simulator.prices.market import Market
from infra.venues.simulator.records import (
    Deposit,
    ExecType,
    Status,
    StopRecord,
    VenueExecution,
    VenueOrder,
)
from infra.venues.simulator.shapes.orders import execution_push, fast_execution_push, order_push
from infra.venues.simulator.shapes.positions import position_push
from infra.venues.simulator.shapes.wallet import wallet_row
from infra.venues.simulator.streams.hub import FAST, Hub
from infra.venues.simulator.streams.market_publisher import MarketPublisher
from infra.venues.simulator.trading.venue import Venue


class EventLog:
    """The venue's sink; what it takes reaches the disk and the streams with the next `commit`.

    Orders and executions are reported one by one, positions and money once per commit.
    """

    def __init__(
        self,
        state: StateFile,
        hub: Hub,
        publisher: MarketPublisher,
        account: Account,
        market: Market,
        venue: Callable[[], Venue],
    ) -> None:
        """Write to a state file, and report to the clients of a hub.

        Args:
            state: takes the lines.
            hub: takes the messages for clients.
            publisher: publishes liquidations.
            account: of the venue.
            market: whose candles are recorded.
            venue: whose positions are reported; it is constructed with this log.
        """
        self.done_ms = 0
        """Time up to which the market has been processed."""
        self._state = state
        self._hub = hub
        self._publisher = publisher
        self._account = account
        self._market = market
        self._venue = venue
        self._marked = market.mark
        self._touched: dict[str, None] = {}
        self._is_wallet_touched = False
        self._started: dict[str, Any] = {}

    def commit(self) -> None:
        """Report what was touched to clients, and write down what has changed."""
        touched, self._touched = list(self._touched), {}
        for key in touched:
            self._hub.publish_private("position", [position_push(self._venue().view(key))])
        if self._is_wallet_touched:
            self._is_wallet_touched = False
            self._hub.publish_private("wallet", [wallet_row(self._venue())])
            self.done_until(self.done_ms)
        self._state.flush()
        if self._state.is_long:
            self._state.rewrite(self._started, self._summary())

    # Called by the venue.

    def order(self, order: VenueOrder) -> None:
        """Write an order down, and report it once queries can see it."""
        self._state.add("order", ORDERS.dump_python(order, mode="json"))
        if order.status is not Status.CREATED:
            self._is_wallet_touched = True
            self._hub.publish_private("order", [order_push(order)])

    def remember(self, order: VenueOrder) -> None:
        """Write an order down without reporting it."""
        self._state.add("order", ORDERS.dump_python(order, mode="json"))

    def execution(self, execution: VenueExecution) -> None:
        """Write an execution down, and report it."""
        self._state.add("execution", EXECUTIONS.dump_python(execution, mode="json"))
        self._publisher.execution(execution)
        self._is_wallet_touched = True
        pnl = self._account.transactions[-1].cash_flow
        self._hub.publish_private("execution", [execution_push(execution, pnl)])
        if execution.exec_type is ExecType.TRADE:
            self._hub.publish_private(FAST, [fast_execution_push(execution)])

    def position(self, key: str) -> None:
        """Report a position with the next commit."""
        self._touched[key] = None

    def stops(self, record: StopRecord) -> None:
        """Write a position's stops down."""
        self._state.add("stops", STOPS.dump_python(record, mode="json"))

    def margin(self, key: str) -> None:
        """Write down a position's added margin."""
        book = self._account.books[key]
        self._state.add("margin", [key, str(book.added_margin), book.opened_ms])

    def settings(self) -> None:
        """Write the account's settings down."""
        self._state.add("settings", self._settings())

    # Other records.

    def start(self, started: Mapping[str, Any]) -> None:
        """Write down the seed and start time of this run."""
        self._started = dict(started)
        self._state.add("start", self._started)

    def deposit(self, deposit: Deposit) -> None:
        """Write down a deposit or withdrawal."""
        self._state.add("deposit", DEPOSITS.dump_python(deposit, mode="json"))
        self._is_wallet_touched = True

    def factors(self) -> None:
        """Write down that a price was moved by hand."""
        self._state.add("factors", self._market.factors())

    def candles(self, closed: CandleClosed) -> None:
        """Write down candles that the source does not have, and the state of a generator."""
        if any(factor != "1" for factor in self._market.factors().values()):
            self._state.add("klines", KLINES.dump_python(dict(closed.klines), mode="json"))
        if self._market.mark is not self._marked:
            self._marked = self._market.mark
            self._state.add("mark", self._marked)

    def done_until(self, time_ms: int) -> None:
        """Write down up to when the market has been processed."""
        self.done_ms = time_ms
        self._state.add("time", time_ms)

    def _settings(self) -> dict[str, Any]:
        return {
            "margin_mode": self._account.margin_mode.value,
            "hedged": sorted(self._account.hedged),
            "adds_margin": [s for s, book in self._account.books.items() if book.adds_margin],
            "leverage": {s: str(book.leverage) for s, book in self._account.books.items()},
        }

    def _summary(self) -> Iterator[tuple[str, Any]]:
        yield "settings", self._settings()
        yield "factors", self._market.factors()
        yield from summary(self._venue(), self._state.kept)
        yield "time", self.done_ms

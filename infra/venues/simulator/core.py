"""The exchange behind its sockets: assembles its parts, starts and stops them."""

from infra.venues.simulator.books.account import Account
from infra.venues.simulator.clock import Clock, wall_ms
from infra.venues.simulator.disconnect_protection import DisconnectProtection
from infra.venues.simulator.entry import OrderEntry
from infra.venues.simulator.faults.book import FaultBook
from infra.venues.simulator.faults.of_venue import VenueFaults
from infra.venues.simulator.gate import Gate, RateLimits
from infra.venues.simulator.manual.actions import ManualActions
from infra.venues.simulator.manual.fault_executor import FaultExecutor
from infra.venues.simulator.memory.event_log import EventLog
from infra.venues.simulator.memory.restoring import check_symbols, restore_market, restore_venue
from infra.venues.simulator.memory.state_file import Memory, StateFile
from infra.venues.simulator.opening import opening
from infra.venues.simulator.options import SimulatorOptions
from infra.venues.simulator.prices.bars import Bars
from infra.venues.simulator.prices.funding import Funding
from infra.venues.simulator.prices.market import Market, tick_ms
from infra.venues.simulator.shapes.kline_rows import KlineRows
from infra.venues.simulator.streams.books import OrderBooks
from infra.venues.simulator.streams.client_session import ClientSession
from infra.venues.simulator.streams.hub import Hub
from infra.venues.simulator.streams.market_publisher import MarketPublisher
from infra.venues.simulator.streams.tickers import Tickers
from infra.venues.simulator.tasks import Tasks
from infra.venues.simulator.timeline import Timeline
from infra.venues.simulator.trading.venue import Venue
from infra.venues.simulator.wire import Wire


class Simulator:
    """All parts of one exchange, which run in one event loop."""

    def __init__(self, options: SimulatorOptions) -> None:
        """Start afresh, or continue from the state file.

        Raises:
            ConfigError: candles, state, port or faults cannot be used.
        """
        self.options = options
        self.state = StateFile(options.state, kept=options.kept)
        memory = self.state.read()
        self.seed = memory.start.seed if memory else options.seed
        # Prices.
        with self.state.refusing():
            source, history, start_ms = opening(options, self.seed, memory)
        self.clock = Clock(start_ms, options.speed)
        self.market = Market(
            source,
            options.listed,
            seed=self.seed,
            history=history,
            tick_ms=tick_ms(options.speed),
            walked=options.walked,
        )
        self.bars = Bars(self.market)
        self.kline_rows = KlineRows()
        self.funding = Funding(source, options.fills)
        # Sockets.
        self.faults = FaultBook(self.seed)
        self.wire = Wire(options.port)
        self.gate = Gate(options.keys, self.clock, checks_time=self._checks_time())
        self.limits = RateLimits(ip_limit=options.ip_limit)
        self.hub = Hub(self.clock, self.faults, self.wire, self.seed)
        self.books = OrderBooks(self.market, options.book_size)
        self.tickers = Tickers(self.market, self.books, options.fills, self.funding)
        publisher = MarketPublisher(
            self.market, self.bars, self.books, self.tickers, self.hub, self.clock, self.faults
        )
        self.reception = ClientSession(
            self.hub, self.gate, self.clock, self.faults, self.wire, publisher, self.seed
        )
        # Orders, positions and money.
        self.account = Account(options.fills, self.market.instruments)
        self.chronicle = EventLog(
            self.state, self.hub, publisher, self.account, self.market, lambda: self.venue
        )
        chances = VenueFaults(self.faults)
        self.venue = Venue(
            self.account, self.market, self.chronicle, chances, self.clock.now_ms, self.seed
        )
        self.tasks = Tasks()
        self.entry = OrderEntry(
            self.venue, self.clock, self.faults, self.chronicle, self.tasks, self.seed
        )
        self.dcp = DisconnectProtection(self.hub, self.venue, self.chronicle, self.tasks)
        # What drives them.
        self.hand = ManualActions(self.market, self.venue, publisher, self.chronicle)
        self.acts = FaultExecutor(
            self.faults, self.hand, self.market, self.hub, self.wire, self.chronicle, self.tasks
        )
        self.timeline = Timeline(
            self.clock, self.market, self.funding, self.venue, publisher, self.chronicle, self.acts
        )
        for spec in options.faults:
            self.acts.check(spec)
        self._begin(source.first_open_ms, memory)

    def start(self) -> None:
        """Start time and scheduled faults; called inside the loop."""
        for spec in self.options.faults:
            self.acts.add(spec)
        if not self.clock.is_lockstep:
            self.tasks.spawn(self.timeline.run())

    async def close(self) -> None:
        """Stop everything."""
        await self.tasks.close()
        await self.wire.close()
        self.state.close()

    def _checks_time(self) -> bool:
        wanted = self.options.checks_time
        return not self.clock.is_lockstep if wanted is None else wanted

    def _begin(self, first_open_ms: int, memory: Memory | None) -> None:
        self.state.open()
        self.chronicle.start(
            {
                "seed": self.seed,
                "first_open_ms": first_open_ms,
                "speed": self.options.speed,
                "time_ms": self.clock.now_ms(),
                "wall_ms": wall_ms(),
            }
        )
        if memory is None:
            self._begin_anew(self.clock.now_ms())
        else:
            with self.state.refusing():
                self._go_on(memory)
        self.chronicle.commit()

    def _begin_anew(self, now_ms: int) -> None:
        self.timeline.skip_to(now_ms)
        self.timeline.begin()
        self.chronicle.done_until(now_ms)

    def _go_on(self, memory: Memory) -> None:
        check_symbols(memory, self.market.instruments, self.options.state)
        restore_market(memory, self.market)
        self.timeline.skip_to(memory.time_ms)
        restore_venue(memory, self.venue)
        self.timeline.begin()
        self.chronicle.done_until(memory.time_ms)
        self.venue.resume()
        self.timeline.catch_up()

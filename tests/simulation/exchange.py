"""The simulated exchange's own books and rules, in virtual time and without a socket."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from random import Random
from types import SimpleNamespace
from typing import Any

import orjson

from domain.market.instruments import Instrument
from domain.rules import FillRules
from infra.venues.simulator.books.account import Account
from infra.venues.simulator.control import Control
from infra.venues.simulator.faults.book import FaultBook
from infra.venues.simulator.faults.kinds import Kind
from infra.venues.simulator.faults.of_venue import VenueFaults
from infra.venues.simulator.faults.spec import FaultSpec
from infra.venues.simulator.manual.actions import ManualActions
from infra.venues.simulator.prices.bars import Bars
from infra.venues.simulator.prices.candles import CandleClosed, Kline, Tick
from infra.venues.simulator.prices.funding import Funding
from infra.venues.simulator.prices.generator import CANDLE_MS
from infra.venues.simulator.prices.market import Market
from infra.venues.simulator.prices.sources import GeneratedSource
from infra.venues.simulator.records import Status, VenueExecution, VenueOrder
from infra.venues.simulator.refusals import RefusedError
from infra.venues.simulator.rest.endpoints import ENDPOINTS
from infra.venues.simulator.rest.outcome import Outcome
from infra.venues.simulator.rest.params import Params
from infra.venues.simulator.shapes.kline_rows import KlineRows
from infra.venues.simulator.shapes.orders import execution_push, order_push
from infra.venues.simulator.shapes.positions import position_push
from infra.venues.simulator.streams.books import OrderBooks
from infra.venues.simulator.trading.requests import NewOrder
from infra.venues.simulator.trading.venue import Venue
from tests.simulation.scheduler import Scheduler

START_MS = 1_736_121_600_000
"""2025-01-06 00:00 UTC, when the world's time is 0."""
TICK_MS = 20_000
_WRONG_TIME = 10002
_AHEAD_MS = 1_000

Answer = tuple[int, str, Any]
"""Code, words and result."""


class Exchange:
    """One account at one market. Everything that happens there is told to `on_news` and so on."""

    def __init__(
        self,
        scheduler: Scheduler,
        instruments: list[Instrument],
        fills: FillRules,
        seed: int,
        history: int,
    ) -> None:
        self._scheduler = scheduler
        self._rng = Random(f"{seed}/exchange")
        self.on_news: Callable[[str, dict[str, Any]], None] = lambda _topic, _row: None
        """Of the account: takes a topic and a row as the stream shows it."""
        self.on_candle: Callable[[str, Kline], None] = lambda _symbol, _kline: None
        self.on_tick: Callable[[Tick], None] = lambda _tick: None
        source = GeneratedSource(instruments, seed, START_MS - history * CANDLE_MS)
        self.market = Market(source, instruments, seed=seed, history=history, tick_ms=TICK_MS)
        self.account = Account(fills, self.market.instruments)
        self.faults = FaultBook(seed, scheduler.now_s)
        self._touched: dict[str, None] = {}
        self._funding = Funding(source, fills)
        self._funded_ms = self.market.open_time_ms
        chances = VenueFaults(self.faults)
        self.venue = Venue(self.account, self.market, self, chances, self.now_ms, seed)
        self.hand = ManualActions(self.market, self.venue, self, self)  # type: ignore[arg-type]
        self._core: Any = SimpleNamespace(
            account=self.account,
            bars=Bars(self.market),
            books=OrderBooks(self.market, Decimal(20)),
            clock=SimpleNamespace(now_ms=self.now_ms, told_ms=self.now_ms, speed=1.0),
            chronicle=self,
            entry=self,
            faults=self.faults,
            funding=self._funding,
            hub=SimpleNamespace(streams=[], joined=0),
            kline_rows=KlineRows(),
            market=self.market,
            options=SimpleNamespace(fills=fills, instruments=instruments, speed=1.0),
            seed=seed,
            venue=self.venue,
        )
        self._control = Control(self._core)
        self._expect_market()

    def now_ms(self) -> int:
        """Return the exchange's time."""
        return START_MS + self._scheduler.now_us // 1000

    # What clients ask.

    def answer(self, path: str, query: Mapping[str, Any], sent_ms: int | None) -> Answer:
        """Do what a request asks for; `sent_ms` is its timestamp, None of a public one."""
        if sent_ms is not None and not self.now_ms() - 5_000 <= sent_ms < self.now_ms() + _AHEAD_MS:
            return _WRONG_TIME, "invalid request, please check your server timestamp", {}
        asked = Params({name: value for name, value in query.items() if value is not None})
        try:
            made = ENDPOINTS[path].handle(self._core, asked)
        except RefusedError as refused:
            return refused.code, refused.text, refused.result
        finally:
            self.commit()
        outcome = made if isinstance(made, Outcome) else Outcome(made)
        return outcome.code, outcome.text, orjson.loads(orjson.dumps(outcome.result))

    def submit(self, wanted: NewOrder) -> VenueOrder:
        """Accept an order, and let it meet the market a moment later."""
        order = self.venue.create(wanted)
        slow = self.faults.take(Kind.SLOW_MATCHING, symbol=order.symbol)
        order.is_shown = slow is None
        delay_s = self._rng.uniform(0.005, 0.02) if slow is None else slow.seconds
        self._scheduler.call_in(delay_s, lambda: self._process(order))
        return order

    def _process(self, order: VenueOrder) -> None:
        self.venue.matching.process(order)
        self.commit()

    # What others do.

    def act(self, symbol: str, spec: FaultSpec) -> None:
        """Let somebody do something to a position or a price."""
        try:
            self.hand.act(symbol, spec)
        finally:
            self.commit()

    # What judges read.

    def state(self) -> Any:
        """Return money and positions now."""
        return self._control.state(None)

    def positions(self) -> list[Any]:
        """Return the positions as the stream shows them, also those that are closed."""
        return [position_push(self.venue.view(key)) for key in self.account.engine.positions]

    def records(self) -> Any:
        """Return every order ever accepted, every execution, and the stops over time."""
        return self._control.records(None)

    # How the market goes on.

    def _expect_market(self) -> None:
        due_ms = self.market.next_ms()
        self._scheduler.call_in((due_ms - self.now_ms()) / 1000, self._happen)

    def _happen(self) -> None:
        while self.market.next_ms() <= self.now_ms():
            for event in self.market.next_events():
                if isinstance(event, Tick):
                    self.venue.triggers.move(event)
                    self.on_tick(event)
                else:
                    self._close(event)
            self.commit()
        self._expect_market()

    def _close(self, closed: CandleClosed) -> None:
        for symbol, kline in closed.klines.items():
            self.on_candle(symbol, kline)
        open_ms = self.market.open_time_ms
        if open_ms == self._funded_ms:
            return
        self._funded_ms = open_ms
        for symbol in self.market.instruments:
            rate = self._funding.rate(symbol, open_ms)
            if rate is not None:
                price = self.market.mark_of(symbol, self.market.live(symbol).open)
                self.venue.bookings.settle_funding(symbol, price, rate, open_ms)

    # What the venue tells.

    def commit(self) -> None:
        """Tell of the positions that were touched."""
        touched, self._touched = list(self._touched), {}
        for key in touched:
            self.on_news("position", position_push(self.venue.view(key)))

    def order(self, order: VenueOrder) -> None:
        """Tell of an order."""
        if order.status is not Status.CREATED:
            self.on_news("order", order_push(order))

    def execution(self, execution: VenueExecution) -> None:
        """Tell of an execution."""
        pnl = self.account.transactions[-1].cash_flow
        self.on_news("execution", execution_push(execution, pnl))

    def position(self, key: str) -> None:
        """Tell of a position at the end of what is being done."""
        self._touched[key] = None

    def tick(self, tick: Tick) -> None:
        """Tell of a price that was moved by hand."""
        self.on_tick(tick)

    def nothing(self, *_: object) -> None:
        """Tell nobody."""

    remember = margin = stops = settings = factors = deposit = nothing

"""The exchange's heart: clock, market, venue, streams and memory, tied together."""

import asyncio
import contextlib
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from domain.errors import ConfigError
from domain.funding import funding_rate
from domain.market import Instrument
from domain.rules import FillRules
from infra.candle_files import read_candles
from infra.simulator.acts import act_on_position
from infra.simulator.books.account import Account
from infra.simulator.books.tiers import MarginMode
from infra.simulator.clock import Clock
from infra.simulator.faults.book import Fault, FaultBook
from infra.simulator.faults.kinds import ACTS, Kind
from infra.simulator.faults.spec import FaultSpec
from infra.simulator.gate import DEFAULT_KEYS, Gate, Keys, RateLimits
from infra.simulator.prices.candles import CandleClosed, Tick
from infra.simulator.prices.generator import CANDLE_MS
from infra.simulator.prices.market import Market, tick_ms
from infra.simulator.prices.sources import GeneratedSource, Mark, RecordedSource, Source
from infra.simulator.records import Status, StopRecord, VenueExecution, VenueOrder
from infra.simulator.shapes.orders import execution_push, order_push
from infra.simulator.shapes.positions import position_push
from infra.simulator.shapes.wallet import wallet_row
from infra.simulator.state_file import (
    DEPOSITS,
    EXECUTIONS,
    KLINES,
    ORDERS,
    STOPS,
    Memory,
    StateFile,
)
from infra.simulator.streams.hub import Hub
from infra.simulator.streams.reception import Reception
from infra.simulator.streams.tickers import Tickers
from infra.simulator.trading.ledger import NewOrder
from infra.simulator.trading.venue import Venue
from infra.simulator.wire import Wire

_LONGEST_AWAY_MS = 3_600_000
"""Exchange time that may pass while the exchange is not running."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorOptions:
    """What an exchange is made of."""

    instruments: Sequence[Instrument]
    fills: FillRules
    port: int = 0
    speed: float | None = 1.0
    """Exchange seconds per real second; None: lock-step."""
    seed: int = 0
    candles: Path | None = None
    """Folder of candle files; None: the market comes from the seed."""
    from_ms: int | None = None
    """Lowest open time of the files' candles."""
    to_ms: int | None = None
    """Highest close time of the files' candles."""
    history: int = 3_500
    """Closed candles at the start; fewer where the files have less than twice as many."""
    start_ms: int | None = None
    """When a generated market starts; None: now."""
    faults: Sequence[FaultSpec] = ()
    keys: Keys = DEFAULT_KEYS
    state: Path | None = None
    """File that the exchange goes on from, and is kept in."""
    checks_time: bool | None = None
    """Whether a request's timestamp must fit; None: only where the clock runs by itself."""


class Simulator:
    """The exchange behind its sockets. All of it lives in one event loop."""

    def __init__(self, options: SimulatorOptions) -> None:
        """Begin, or go on from the state file.

        Raises:
            ConfigError: candles, state, port or faults cannot be used.
        """
        self.options = options
        self.state = StateFile(options.state)
        memory = self.state.read()
        self.seed = int(memory.start["seed"]) if memory else options.seed
        source, history, start_ms = self._open_source(memory)
        self._source = source
        self.clock = Clock(start_ms, options.speed)
        self.market = Market(
            source,
            options.instruments,
            seed=self.seed,
            history=history,
            tick_ms=tick_ms(options.speed),
        )
        self.wire = Wire(options.port)
        self.faults = FaultBook(self.seed)
        checks_time = options.checks_time
        if checks_time is None:
            checks_time = not self.clock.is_lockstep
        self.gate = Gate(options.keys, self.clock, checks_time=checks_time)
        self.limits = RateLimits()
        self.account = Account(options.fills, self.market.instruments)
        self.venue = Venue(self.account, self.market, self, self, self.clock.now_ms, self.seed)
        self.hub = Hub(self.clock, self.faults, self.wire, self.seed)
        self.tickers = Tickers(self.market, options.fills, self.funding_rate)
        self.reception = Reception(
            self.hub,
            self.gate,
            self.clock,
            self.faults,
            self.wire,
            symbols=self.market.instruments,
            snapshot=lambda topic: self.tickers.snapshot(topic, self.clock.told_ms()),
            seed=self.seed,
        )
        self._chance = random.Random(f"{self.seed}/core")  # noqa: S311 - delays, not secrets
        self._touched: dict[str, None] = {}
        self._is_wallet_touched = False
        self._funded_ms = -1
        self._marked = source.mark if isinstance(source, GeneratedSource) else None
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()
        self.failed = asyncio.Event()
        self.failure: BaseException | None = None
        """What ended a task that should not have ended: a bug, which ends the exchange."""
        self.done_ms = self.clock.now_ms()
        """Up to which the market was done with."""
        for spec in options.faults:
            self._check_symbol(spec)
        self._begin(source, memory)

    # Its life.

    def start(self) -> None:
        """Let time run and faults fall due; called inside the loop."""
        for spec in self.options.faults:
            self.add_fault(spec)
        if not self.clock.is_lockstep:
            self._spawn(self._run())

    async def close(self) -> None:
        """Stop everything."""
        self._closing.set()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.wire.close()
        self.state.close()

    async def pause(self, seconds: float) -> None:
        """Wait real seconds, but not beyond the end of the exchange."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)

    def advance(self) -> bool:
        """Let a lock-step clock jump to the next candle's close.

        Returns:
            Whether there was one.
        """
        moved = False
        while self.step():
            moved = True
            if self.market.is_at_open:
                break
        return moved

    def step(self) -> bool:
        """Let a lock-step clock go to the next event that touches the account, or closes candles.

        Returns:
            Whether there was one.
        """
        if self.market.is_over:
            return False
        before = len(self.account.transactions)
        if self.market.is_at_open:
            self._fund()
        self.clock.jump_to(self.market.next_ms())
        self._happen()
        if not self.market.is_at_open and len(self.account.transactions) == before:
            self._happen()
        return True

    def submit(self, wanted: NewOrder) -> VenueOrder:
        """Accept an order, and let it meet the market a moment later."""
        order = self.venue.create(wanted)
        slow = self.faults.take(Kind.SLOW_MATCHING, symbol=order.symbol)
        if slow is not None:
            self._later(slow.seconds, order.order_id)
        elif self.clock.is_lockstep or self.faults.take(Kind.INSTANT):
            self.venue.matching.process(order)
        else:
            self._later(self._chance.uniform(0.005, 0.020), order.order_id)
        self.commit()
        return order

    def commit(self) -> None:
        """Tell clients what was touched, and write down what has changed."""
        touched, self._touched = list(self._touched), {}
        for symbol in touched:
            row = position_push(self.venue.view(symbol))
            self.hub.publish_private("position", [row])
        if self._is_wallet_touched:
            self._is_wallet_touched = False
            self.hub.publish_private("wallet", [wallet_row(self.venue)])
            self.state.add("time", self.done_ms)
        self.state.flush()

    def funding_rate(self, symbol: str, time_ms: int) -> Decimal | None:
        """Return the rate that is settled at a time on the candle grid; None where none is."""
        return funding_rate(time_ms, self.options.fills, self._source.funding.get(symbol))

    # Faults and what people do.

    def add_fault(self, spec: FaultSpec) -> Fault:
        """Take a fault in; an act is done when it is due.

        Raises:
            ConfigError: it is about a symbol that is not traded here.
        """
        self._check_symbol(spec)
        fault = self.faults.add(spec)
        if spec.kind in ACTS and not spec.recurs:
            # The answer to whoever asked for it shall still get through.
            is_deadly = spec.kind in {Kind.DOWN, Kind.REFUSE}
            self._spawn(self._act_later(fault, max(spec.after_s, 0.05 if is_deadly else 0.0)))
        return fault

    def act(self, spec: FaultSpec) -> bool:
        """Do what a fault of an act asks for, to every symbol unless it names one.

        Returns:
            Whether it met anything: a position, a stop or a stream.

        Raises:
            ConfigError: it is about a symbol that is not traded here.
        """
        self._check_symbol(spec)
        if spec.kind in {Kind.DOWN, Kind.REFUSE}:
            self._spawn(self._out_of_order(spec))
            has_met = True
        elif spec.kind is Kind.CUT:
            has_met = self.hub.cut(spec.path)
        elif spec.kind is Kind.HALF_OPEN:
            has_met = self.hub.freeze(spec.path)
        else:
            symbols = [spec.symbol] if spec.symbol else list(self.market.instruments)
            has_met = sum(self._act_on(symbol, spec) for symbol in symbols) > 0
        self.commit()
        return has_met

    def move_price(self, symbol: str, price: Decimal, *, is_gap: bool) -> None:
        """Move a price by hand."""
        self.venue.ledger.instrument(symbol)
        tick = self.market.move(symbol, price, self.clock.now_ms(), is_gap=is_gap)
        self.state.add("factors", self.market.factors())
        self._take(tick)
        self.commit()

    def deposit(self, amount: Decimal) -> None:
        """Bring money into the account by hand, or take it out."""
        now_ms, seq = self.clock.now_ms(), self.venue.ledger.next_seq()
        deposit = self.account.deposit(amount, seq, now_ms)
        self.state.add("deposit", DEPOSITS.dump_python(deposit, mode="json"))
        self._is_wallet_touched = True
        self.commit()

    # What the venue tells (its Sink).

    def order(self, order: VenueOrder) -> None:
        """Write an order down, and tell of it once queries can see it."""
        self.state.add("order", ORDERS.dump_python(order, mode="json"))
        if order.status is not Status.CREATED:
            self._is_wallet_touched = True
            self.hub.publish_private("order", [order_push(order)])

    def execution(self, execution: VenueExecution) -> None:
        """Write an execution down, and tell of it."""
        self.state.add("execution", EXECUTIONS.dump_python(execution, mode="json"))
        self._is_wallet_touched = True
        pnl = self.account.transactions[-1].cash_flow
        self.hub.publish_private("execution", [execution_push(execution, pnl)])

    def position(self, symbol: str) -> None:
        """Tell of a position at the end of what is being done."""
        self._touched[symbol] = None

    def stops(self, record: StopRecord) -> None:
        """Write a position's stops down."""
        self.state.add("stops", STOPS.dump_python(record, mode="json"))

    def settings(self) -> None:
        """Write the account's settings down."""
        self.state.add(
            "settings",
            {
                "margin_mode": self.account.margin_mode.value,
                "is_hedged": self.account.is_hedged,
                "leverage": {s: str(book.leverage) for s, book in self.account.books.items()},
            },
        )

    # What goes wrong in the venue (its Chances).

    def partial_fill(self, symbol: str) -> Decimal | None:
        """Return the fraction that the next market order fills before it is canceled."""
        spec = self.faults.take(Kind.PARTIAL_FILL, symbol=symbol)
        return None if spec is None else spec.fraction

    def rejects(self, symbol: str) -> str | None:
        """Return why the next order is rejected after its acknowledgement."""
        spec = self.faults.take(Kind.REJECT, symbol=symbol)
        return None if spec is None else spec.reason

    # Beginning.

    def _open_source(self, memory: Memory | None) -> tuple[Source, int, int]:
        """Return the candles, how many are closed at the start, and when that is."""
        options = self.options
        if options.candles is not None:
            symbols = [instrument.symbol for instrument in options.instruments]
            recorded = RecordedSource(
                read_candles(
                    options.candles,
                    symbols,
                    candle_ms=CANDLE_MS,
                    from_ms=options.from_ms,
                    to_ms=options.to_ms,
                )
            )
            history = min(options.history, recorded.count // 2)
            if memory is not None:
                closed = min(_closed(recorded, memory.time_ms), recorded.count)
                return recorded, closed, self._time_now(memory)
            return recorded, history, recorded.first_open_ms + history * CANDLE_MS
        if memory is not None:
            first_ms = int(memory.start["first_open_ms"])
            closed = (memory.time_ms - first_ms) // CANDLE_MS
            mark = self._mark(memory, closed - options.history)
            made = GeneratedSource(options.instruments, self.seed, first_ms, mark)
            return made, closed, self._time_now(memory)
        start_ms = _wall_ms() if options.start_ms is None else options.start_ms
        opened_ms = start_ms // CANDLE_MS * CANDLE_MS
        if options.speed is None:
            start_ms = opened_ms
        first_ms = opened_ms - options.history * CANDLE_MS
        made = GeneratedSource(options.instruments, self.seed, first_ms)
        return made, options.history, start_ms

    def _mark(self, memory: Memory, number: int) -> Mark | None:
        """Return the newest mark up to a candle, so that older ones need not be made again."""
        symbols = {instrument.symbol for instrument in self.options.instruments}
        found = [
            mark
            for mark in memory.marks
            if mark["number"] <= number and mark["state"]["walkers"].keys() == symbols
        ]
        return found[-1] if found else None

    def _time_now(self, memory: Memory) -> int:
        # A running clock ran on while the exchange was away, as a real one's does; but only so
        # far that the start stays quick, since all of it is traded through.
        speed = memory.start["speed"]
        if self.options.speed is None or speed is None:
            return memory.time_ms
        away_ms = _wall_ms() - int(memory.start["wall_ms"])
        ran_on_ms = int(memory.start["time_ms"]) + int(away_ms * speed)
        return max(memory.time_ms, min(ran_on_ms, memory.time_ms + _LONGEST_AWAY_MS))

    def _begin(self, source: Source, memory: Memory | None) -> None:
        self.state.open()
        start = {
            "seed": self.seed,
            "first_open_ms": source.first_open_ms,
            "speed": self.options.speed,
            "time_ms": self.clock.now_ms(),
            "wall_ms": _wall_ms(),
        }
        self.state.add("start", start)
        if memory is None:
            self._skip_to(self.clock.now_ms())
        else:
            self._restore(memory)
        if not self.clock.is_lockstep:
            self._funded_ms = self.market.open_time_ms
        self.state.add("time", self.done_ms)
        if memory is not None:
            self.venue.resume()
            if not self.clock.is_lockstep:
                self._catch_up(self.clock.now_ms())
        self.commit()

    def _restore(self, memory: Memory) -> None:
        traded = {order.symbol for order in memory.orders}
        unknown = sorted(traded - self.market.instruments.keys())
        if unknown:
            raise ConfigError(
                f"{self.options.state}: was traded in {', '.join(unknown)}, which the settings do"
                " not have any more: name them under instruments, or begin with another file"
            )
        klines: dict[str, list[Any]] = {}
        for happened in memory.klines:
            for symbol, kline in KLINES.validate_python(happened).items():
                klines.setdefault(symbol, []).append(kline)
        self.market.restore(klines, memory.factors)
        self._skip_to(memory.time_ms)
        self.done_ms = memory.time_ms
        for execution in memory.executions:
            self.venue.restore_execution(execution)
        for order in memory.orders:
            self.venue.restore_order(order)
        for deposit in memory.deposits:
            self.venue.ledger.skip_to(deposit.seq)
            self.account.deposit(deposit.amount, deposit.seq, deposit.ts_ms)
        self.venue.protection.records += memory.stops
        if memory.settings:
            self.account.margin_mode = MarginMode(memory.settings["margin_mode"])
            self.account.is_hedged = memory.settings["is_hedged"]
            for symbol, leverage in memory.settings["leverage"].items():
                if symbol in self.account.books:
                    self.account.books[symbol].leverage = Decimal(leverage)

    def _skip_to(self, time_ms: int) -> None:
        # What was done with before is gone through again without anybody noticing.
        while not self.clock.is_lockstep and self.market.next_ms() <= time_ms:
            for _ in self.market.next_events():
                pass

    # Time.

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self.clock.real_s_until(self.market.next_ms()))
            now_ms = self.clock.now_ms()
            while self.market.next_ms() <= now_ms:
                self._happen()
                # Clients are served between two events even where time has run ahead.
                await asyncio.sleep(0)

    def _catch_up(self, until_ms: int) -> None:
        while self.market.next_ms() <= until_ms:
            self._happen()

    def _happen(self) -> None:
        self.done_ms = self.market.next_ms()
        for event in self.market.next_events():
            if isinstance(event, Tick):
                self._take(event)
            else:
                self._close_candle(event)
        self.commit()

    def _take(self, tick: Tick) -> None:
        self.venue.triggers.move(tick)
        symbol, now_ms = tick.symbol, max(tick.time_ms, self.done_ms)
        topics = self.tickers.pushes(tick, now_ms)
        if self.clock.is_lockstep:
            del topics[f"kline.5.{symbol}"]  # the candle closes at the same time
        for topic, make in topics.items():
            if self.hub.has_listeners(topic):
                message = make()
                if message is not None:
                    self.hub.publish(topic, message, symbol)

    def _close_candle(self, closed: CandleClosed) -> None:
        for symbol, kline in closed.klines.items():
            topic = f"kline.5.{symbol}"
            if self.hub.has_listeners(topic) and not self.faults.take(
                Kind.LOSE_CONFIRM, symbol=symbol, topic=topic
            ):
                push = self.tickers.kline(symbol, kline, closed.time_ms, is_closed=True)
                self.hub.publish(topic, push, symbol)
        if any(factor != "1" for factor in self.market.factors().values()):
            self.state.add("klines", KLINES.dump_python(dict(closed.klines), mode="json"))
        if isinstance(self._source, GeneratedSource) and self._source.mark is not self._marked:
            self._marked = self._source.mark
            self.state.add("mark", self._marked)
        self.state.add("time", self.done_ms)
        if not self.clock.is_lockstep:
            self._fund()
        for fault in self.faults.recurring_acts():
            if self.faults.is_tossed(fault) and self.act(fault.spec):
                fault.happen()

    def _fund(self) -> None:
        """Settle funding at the open of the candle under way, where it is due."""
        open_ms = self.market.open_time_ms
        if open_ms == self._funded_ms:
            return
        self._funded_ms = open_ms
        for symbol in self.market.instruments:
            rate = self.funding_rate(symbol, open_ms)
            if rate is not None:
                opened = self.market.mark_of(symbol, self.market.live(symbol).open)
                self.venue.bookings.settle_funding(symbol, opened, rate, open_ms)

    # Doing things.

    def _check_symbol(self, spec: FaultSpec) -> None:
        known = self.market.instruments
        if spec.symbol and spec.symbol not in known:
            expected = ", ".join(known)
            raise ConfigError(f"{spec.kind}: symbol: found {spec.symbol}, expected of {expected}")

    def _act_on(self, symbol: str, spec: FaultSpec) -> bool:
        done = self._deeds()
        instrument = self.venue.ledger.instrument(symbol)
        if spec.kind is Kind.PRICE_GAP:
            wanted = self.market.last_price(symbol) * (1 + spec.fraction)
            self.move_price(symbol, instrument.round_price_down(wanted), is_gap=True)
            return True
        act_on_position(self.venue, self.market, self.options.fills, instrument, spec)
        return self._deeds() > done

    def _deeds(self) -> int:
        return len(self.account.transactions) + len(self.venue.protection.records)

    async def _act_later(self, fault: Fault, delay_s: float) -> None:
        times = fault.spec.times or 1
        for _ in range(times):
            await asyncio.sleep(delay_s)
            if fault.left == 0 or not self.faults.knows(fault):
                return
            if self.act(fault.spec):
                fault.happen()

    async def _out_of_order(self, spec: FaultSpec) -> None:
        await self.wire.refuse()
        streams = {stream.peer for stream in self.hub.streams}
        self.wire.drop_all(streams if spec.kind is Kind.REFUSE else set())
        await asyncio.sleep(spec.outage_s)
        await self.wire.listen_again()

    def _later(self, delay_s: float, order_id: str) -> None:
        self._spawn(self._process_later(delay_s, order_id))

    async def _process_later(self, delay_s: float, order_id: str) -> None:
        await asyncio.sleep(delay_s)
        self.venue.matching.process(self.venue.ledger.orders[order_id])
        self.commit()

    def _spawn(self, coroutine: Any) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.failure = task.exception()
            self.failed.set()

    def records(self) -> Mapping[str, Any]:
        """Return all that the exchange has accepted and done, for whoever checks it."""
        return {
            "orders": [
                {**order_push(order), "seq": order.seq}
                for order in self.venue.ledger.orders.values()
            ],
            "executions": [
                execution_push(transaction.execution, transaction.cash_flow)
                for transaction in self.account.transactions
            ],
            "stops": [
                {
                    name: str(value) if isinstance(value, Decimal) else value
                    for name, value in asdict(record).items()
                }
                for record in self.venue.protection.records
            ],
        }


def _closed(source: Source, time_ms: int) -> int:
    return (time_ms - source.first_open_ms) // CANDLE_MS


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000

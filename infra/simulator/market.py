"""Prices on their way through time: ticks inside candles, closed candles, the book's top."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import pairwise

from domain.market import Instrument
from infra.simulator.generator import CANDLE_MS, Plan
from infra.simulator.sources import Source

TICKS_MS = (1_000, 2_000, 5_000, 10_000, 20_000, 30_000, 60_000, 100_000)
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kline:
    """A candle as it happened."""

    open_time_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    turnover: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One symbol's move from the price before it.

    Between two ticks the market is continuous: it trades at every price from low to high.
    """

    symbol: str
    time_ms: int
    open: Decimal
    """Where the move begins: beyond a stop after a gap."""
    high: Decimal
    low: Decimal
    last: Decimal
    qty: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class CandleClosed:
    """All symbols' candles of one open time are complete."""

    time_ms: int
    klines: Mapping[str, Kline]


Event = Tick | CandleClosed


@dataclass(slots=True, kw_only=True)
class _Course:
    """One symbol's present."""

    instrument: Instrument
    last: Decimal
    live: Kline
    path: list[Decimal]
    plan: Plan
    factor: Decimal = Decimal(1)
    """What operators have moved the price by, against the source."""
    mark_factor: Decimal = Decimal(1)
    closed: list[Kline] = field(default_factory=list)


class Market:
    """The prices of all symbols up to `time_ms`."""

    def __init__(
        self,
        source: Source,
        instruments: Sequence[Instrument],
        *,
        seed: int,
        history: int,
        tick_ms: int,
    ) -> None:
        """Stand at the open of the candle after the history.

        Args:
            source: candles by number.
            instruments: of the symbols, in the order of the settings.
            seed: of the ticks inside candles.
            history: candles that are closed already.
            tick_ms: exchange time between two ticks; a whole candle means lock-step.
        """
        self.instruments = {instrument.symbol: instrument for instrument in instruments}
        self.tick_ms = tick_ms
        self._source = source
        self._seed = seed
        self._number = history
        self._ticks_done = 0
        self._courses: dict[str, _Course] = {}
        self.is_over = False
        """Whether the source has no more candles: prices stand still."""
        self._begin(history)

    # What is true now.

    @property
    def open_time_ms(self) -> int:
        """Open time of the candle under way."""
        return self._source.first_open_ms + self._number * CANDLE_MS

    def last_price(self, symbol: str) -> Decimal:
        """Return the price of the newest trade."""
        return self._courses[symbol].last

    def mark_price(self, symbol: str) -> Decimal:
        """Return the mark price: the last one, unless an operator moved it."""
        course = self._courses[symbol]
        return self.mark_of(symbol, course.last)

    def mark_of(self, symbol: str, last_price: Decimal) -> Decimal:
        """Return the mark price that goes with a last price."""
        course = self._courses[symbol]
        if course.mark_factor == 1:
            return last_price
        return course.instrument.round_price_down(last_price * course.mark_factor)

    def bid_price(self, symbol: str) -> Decimal:
        """Return the best bid."""
        return self._courses[symbol].last

    def ask_price(self, symbol: str) -> Decimal:
        """Return the best ask: a tick above the bid."""
        course = self._courses[symbol]
        return course.last + course.instrument.tick_size

    def live(self, symbol: str) -> Kline:
        """Return the candle under way."""
        return self._courses[symbol].live

    def closed(self, symbol: str) -> list[Kline]:
        """Return the closed candles, oldest first; not to be changed."""
        return self._courses[symbol].closed

    @property
    def is_at_open(self) -> bool:
        """Tell whether nothing has happened yet in the candle under way."""
        return not self._ticks_done

    # How it goes on.

    def next_ms(self) -> int:
        """Return the time of the next event."""
        if self._is_lockstep or self._ticks_done == self._ticks:
            return self.open_time_ms + CANDLE_MS
        return self.open_time_ms + (self._ticks_done + 1) * self.tick_ms - 1

    def next_events(self) -> Iterator[Event]:
        """Yield what happens at `next_ms`; each is true when it is yielded."""
        if self._ticks_done < self._ticks:
            for symbol in self._courses:
                yield self._tick(symbol)
            self._ticks_done += 1
        else:
            yield self._close()

    def move(self, symbol: str, price: Decimal, time_ms: int, *, is_gap: bool) -> Tick:
        """Move a price by hand; the source goes on from there."""
        course = self._courses[symbol]
        course.factor *= price / course.last
        begin = price if is_gap else course.last
        course.path = [self._scaled(course, wanted) for wanted in self._path(symbol)]
        return self._to(symbol, price, begin, time_ms, course.instrument.qty_step)

    def move_mark(self, symbol: str, mark_price: Decimal | None) -> None:
        """Part the mark price from the last one by a factor; None lets it follow again."""
        course = self._courses[symbol]
        course.mark_factor = Decimal(1) if mark_price is None else mark_price / course.last

    # State that a restart needs beyond the source.

    def factors(self) -> dict[str, str]:
        """Return by symbol what the source's prices are multiplied by."""
        return {symbol: str(course.factor) for symbol, course in self._courses.items()}

    def restore(self, klines: Mapping[str, Sequence[Kline]], factors: Mapping[str, str]) -> None:
        """Put candles that happened in place of those of the source, and take its factors up."""
        for symbol, happened in klines.items():
            course = self._courses[symbol]
            number = {kline.open_time_ms: i for i, kline in enumerate(course.closed)}
            for kline in happened:
                if kline.open_time_ms in number:
                    course.closed[number[kline.open_time_ms]] = kline
        for symbol, course in self._courses.items():
            course.factor = Decimal(factors.get(symbol, "1"))
            if course.closed:
                course.last = course.closed[-1].close
        self._open_candle()

    @property
    def _is_lockstep(self) -> bool:
        return self.tick_ms >= CANDLE_MS

    @property
    def _ticks(self) -> int:
        return 1 if self._is_lockstep else CANDLE_MS // self.tick_ms

    def _begin(self, history: int) -> None:
        for number in range(self._source.first_number, history):
            plans = self._source.plans(number)
            if plans is None:
                raise ValueError(f"expected {history} candles of history, found {number}")
            open_time_ms = self._source.first_open_ms + number * CANDLE_MS
            for symbol, plan in plans.items():
                if symbol not in self._courses:
                    self._courses[symbol] = self._course(symbol, plan, open_time_ms)
                course = self._courses[symbol]
                course.closed.append(_kline(plan, open_time_ms))
                course.last = plan.close
        if not self._courses:
            plans = self._source.plans(0) or {}
            for symbol, plan in plans.items():
                self._courses[symbol] = self._course(symbol, plan, self.open_time_ms)
        self._open_candle()

    def _course(self, symbol: str, plan: Plan, open_time_ms: int) -> _Course:
        return _Course(
            instrument=self.instruments[symbol],
            last=plan.open,
            live=_flat(plan.open, open_time_ms),
            path=[],
            plan=plan,
        )

    def _open_candle(self) -> None:
        plans = self._source.plans(self._number)
        self.is_over = plans is None
        self._ticks_done = 0
        for symbol, course in self._courses.items():
            still = Plan(
                open=course.last, high=course.last, low=course.last, close=course.last, volume=ZERO
            )
            course.plan = plans[symbol] if plans is not None else still
            if plans is None:
                course.factor = Decimal(1)
            opened = course.last
            if self._is_lockstep and course.factor == 1:
                opened = course.plan.open
            course.live = _flat(opened, self.open_time_ms)
            course.path = [self._scaled(course, wanted) for wanted in self._path(symbol)]

    def _path(self, symbol: str) -> list[Decimal]:
        """Return the source's price at each tick of the candle; high, low and close are reached."""
        plan, count = self._courses[symbol].plan, self._ticks
        if self._is_lockstep:
            return [plan.close]
        chance = random.Random(f"{self._seed}/{symbol}/{self.open_time_ms}")  # noqa: S311
        first, second = sorted(chance.sample(range(count - 1), 2))
        extremes = (plan.high, plan.low) if chance.random() < 0.5 else (plan.low, plan.high)  # noqa: PLR2004
        stations = [
            (-1, plan.open),
            (first, extremes[0]),
            (second, extremes[1]),
            (count - 1, plan.close),
        ]
        path: list[Decimal] = []
        width = (plan.high - plan.low) / 12
        for (begin, left), (end, right) in pairwise(stations):
            for i in range(begin + 1, end):
                straight = left + (right - left) * (i - begin) / (end - begin)
                wanted = straight + width * Decimal(str(round(chance.gauss(0, 1), 4)))
                path.append(max(plan.low, min(plan.high, wanted)))
            path.append(right)
        return path

    @staticmethod
    def _scaled(course: _Course, price: Decimal) -> Decimal:
        exact = price * course.factor
        if course.factor == 1 and exact % course.instrument.tick_size == 0:
            return exact
        return max(course.instrument.tick_size, course.instrument.round_price_down(exact))

    def _tick(self, symbol: str) -> Tick:
        course = self._courses[symbol]
        if not self._is_lockstep:
            time_ms = self.next_ms()
            qty = self._volume(course, self._ticks_done + 1) - self._volume(
                course, self._ticks_done
            )
            target = course.path[self._ticks_done]
            return self._to(symbol, target, course.last, time_ms, qty)
        plan, time_ms = course.plan, self.open_time_ms + CANDLE_MS
        high, low, last = (
            self._scaled(course, price) for price in (plan.high, plan.low, plan.close)
        )
        opened = course.live.open
        course.last = last
        course.live = Kline(
            open_time_ms=self.open_time_ms,
            open=opened,
            high=max(high, opened),
            low=min(low, opened),
            close=last,
            volume=plan.volume,
            turnover=plan.volume * last,
        )
        return Tick(
            symbol=symbol,
            time_ms=time_ms,
            open=opened,
            high=course.live.high,
            low=course.live.low,
            last=last,
            qty=plan.volume,
        )

    def _volume(self, course: _Course, ticks: int) -> Decimal:
        if ticks == self._ticks:
            return course.plan.volume
        return course.instrument.round_qty(course.plan.volume * ticks / self._ticks)

    def _to(self, symbol: str, price: Decimal, begin: Decimal, time_ms: int, qty: Decimal) -> Tick:
        course = self._courses[symbol]
        course.last = price
        live = course.live
        course.live = replace(
            live,
            high=max(live.high, price),
            low=min(live.low, price),
            close=price,
            volume=live.volume + qty,
            turnover=live.turnover + qty * price,
        )
        return Tick(
            symbol=symbol,
            time_ms=time_ms,
            open=begin,
            high=max(begin, price),
            low=min(begin, price),
            last=price,
            qty=qty,
        )

    def _close(self) -> CandleClosed:
        klines = {}
        for symbol, course in self._courses.items():
            course.closed.append(course.live)
            klines[symbol] = course.live
        self._number += 1
        self._open_candle()
        return CandleClosed(time_ms=self.open_time_ms, klines=klines)


def tick_ms(speed: float | None) -> int:
    """Return the exchange time between two ticks: ten a real second at most."""
    if speed is None:
        return CANDLE_MS
    return next((step for step in TICKS_MS if step >= 100 * speed), TICKS_MS[-1])


def _kline(plan: Plan, open_time_ms: int) -> Kline:
    return Kline(
        open_time_ms=open_time_ms,
        open=plan.open,
        high=plan.high,
        low=plan.low,
        close=plan.close,
        volume=plan.volume,
        turnover=plan.volume * (plan.open + plan.close) / 2,
    )


def _flat(price: Decimal, open_time_ms: int) -> Kline:
    return Kline(
        open_time_ms=open_time_ms,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=ZERO,
        turnover=ZERO,
    )

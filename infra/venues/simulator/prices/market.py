"""All symbols' prices over time: ticks inside candles, closed candles."""

import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal

from domain.market.instruments import Instrument
from domain.trading.matching import CandlePrices
from infra.venues.simulator.prices.candles import CandleClosed, Event, Kline, Tick, Trade, still
from infra.venues.simulator.prices.generator import CANDLE_MS
from infra.venues.simulator.prices.minutes import likely_minutes
from infra.venues.simulator.prices.paths import path
from infra.venues.simulator.prices.price_path import PricePath
from infra.venues.simulator.prices.sources import Mark, Source

_PRICES = 4
"""Prices per candle when lock-step goes through it price by price."""
_TICKS_MS = (1_000, 2_000, 5_000, 10_000, 20_000, 30_000, 60_000, 100_000)


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
        walked: Collection[str] = (),
    ) -> None:
        """Start at the open of the candle after the history.

        Args:
            source: candles by number.
            instruments: of the symbols, in the order of the settings.
            seed: for the ticks inside candles.
            history: number of candles already closed.
            tick_ms: exchange time between two ticks; a whole candle means lock-step.
            walked: symbols that lock-step moves through a candle price by price (open, the nearer
                extreme, the other one, close), all at the candle's close; the others make one
                move.
        """
        self.instruments = {instrument.symbol: instrument for instrument in instruments}
        self._source = source
        self._seed = seed
        self._tick_ms = tick_ms
        self._is_lockstep = tick_ms >= CANDLE_MS
        self.walked = frozenset(walked) if self._is_lockstep else frozenset()
        self._ticks = self._ticks_inside(tick_ms)
        self._ticks_done = 0
        self._number = history
        self.is_over = False
        """Whether the source has no more candles, so that prices stand still."""
        first_plans = source.plans(source.first_number) or {}
        self._courses = {
            symbol: PricePath(self.instruments[symbol], plan, self.open_time_ms)
            for symbol, plan in first_plans.items()
        }
        self._skip_history(history)
        self._open_candle()

    # Current state.

    @property
    def open_time_ms(self) -> int:
        """Open time of the candle under way."""
        return self._open_time_ms(self._number)

    @property
    def is_at_open(self) -> bool:
        """Tell whether nothing has happened yet in the candle under way."""
        return not self._ticks_done

    def last_price(self, symbol: str) -> Decimal:
        return self._courses[symbol].last

    def mark_price(self, symbol: str) -> Decimal:
        """Return the mark price: the last price, unless an operator moved it."""
        return self.mark_of(symbol, self._courses[symbol].last)

    def mark_of(self, symbol: str, last_price: Decimal) -> Decimal:
        """Return the mark price that goes with a last price."""
        return self._courses[symbol].mark_of(last_price)

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
        """Return the closed candles, oldest first; the caller must not change them."""
        return self._courses[symbol].closed

    def trades(self, symbol: str) -> Sequence[Trade]:
        """Return the newest trades, oldest first."""
        return self._courses[symbol].trades

    def trade_number(self, symbol: str) -> int:
        """Return the number of the newest trade."""
        return self._courses[symbol].traded

    def keep_minutes(self, symbol: str) -> None:
        """Keep the minutes of candles, starting with the candle under way."""
        course = self._courses[symbol]
        if course.minutes is None and not self._is_lockstep:
            course.minutes = {}

    def live_minutes(self, symbol: str) -> list[Kline]:
        """Return the minutes of the candle under way that have begun."""
        return self._courses[symbol].live_minutes()

    def minutes(self, symbol: str, kline: Kline) -> list[Kline]:
        """Return the five minutes of a closed candle: as they happened, if they were kept."""
        kept = self._courses[symbol].minutes or {}
        found = kept.pop(kline.open_time_ms, None)
        return found or likely_minutes(kline, self.instruments[symbol], self._seed)

    @property
    def mark(self) -> Mark | None:
        """The newest state of the source's generator; None if it has none."""
        return self._source.mark

    # Progress.

    def next_ms(self) -> int:
        """Return the time of the next event."""
        if self._is_lockstep or self._ticks_done == self._ticks:
            return self.open_time_ms + CANDLE_MS
        return self.open_time_ms + (self._ticks_done + 1) * self._tick_ms - 1

    def next_events(self) -> Iterator[Event]:
        """Yield the events at `next_ms`; each has taken effect when it is yielded."""
        if self._ticks_done < self._ticks:
            for course in self._courses.values():
                if not self._is_lockstep or self._goes_on(course):
                    yield self._tick(course)
            self._ticks_done += 1
        else:
            yield self._close()

    def move(self, symbol: str, price: Decimal, time_ms: int, *, is_gap: bool) -> Tick:
        """Move a price by hand; the source continues from there."""
        course = self._courses[symbol]
        course.factor *= price / course.last
        course.follow(self._path(symbol))
        begin = price if is_gap else course.last
        return course.move(price, begin, time_ms, course.instrument.qty_step)

    def move_mark(self, symbol: str, mark_price: Decimal | None) -> None:
        """Set the mark price to a multiple of the last price; None lets it follow again."""
        course = self._courses[symbol]
        course.mark_factor = Decimal(1) if mark_price is None else mark_price / course.last

    # State that a restart needs beyond the source.

    def factors(self) -> dict[str, str]:
        """Return by symbol the factor on the source's prices."""
        return {symbol: str(course.factor) for symbol, course in self._courses.items()}

    def restore(self, klines: Mapping[str, Sequence[Kline]], factors: Mapping[str, str]) -> None:
        """Replace the source's candles by those that happened, and restore the factors."""
        for symbol, course in self._courses.items():
            course.restore(klines.get(symbol, ()), Decimal(factors.get(symbol, "1")))
        self._open_candle()

    # From candle to candle.

    def _skip_history(self, history: int) -> None:
        for number in range(self._source.first_number, history):
            plans = self._source.plans(number)
            if plans is None:
                raise ValueError(f"expected {history} candles of history, found {number}")
            for symbol, plan in plans.items():
                self._courses[symbol].skip(plan, self._open_time_ms(number))

    def _open_candle(self) -> None:
        plans = self._source.plans(self._number)
        self.is_over = plans is None
        self._ticks_done = 0
        for symbol, course in self._courses.items():
            plan = still(course.last) if plans is None else plans[symbol]
            if plans is None:
                course.factor = Decimal(1)
            course.open(plan, self.open_time_ms, at_plan=self._is_lockstep)
            course.follow(self._path(symbol))

    def _path(self, symbol: str) -> Sequence[Decimal]:
        if self._is_lockstep:
            plan = self._courses[symbol].plan
            prices = CandlePrices(open=plan.open, high=plan.high, low=plan.low, close=plan.close)
            return prices.path
        chance = random.Random(f"{self._seed}/{symbol}/{self.open_time_ms}")  # noqa: S311
        return path(self._courses[symbol].plan, self._ticks, chance)

    def _ticks_inside(self, tick_ms: int) -> int:
        if self._is_lockstep:
            return _PRICES if self.walked else 1
        return CANDLE_MS // tick_ms

    def _goes_on(self, course: PricePath) -> bool:
        """Tell whether a symbol moves in this part of a candle in lock-step."""
        is_last = self._ticks_done == self._ticks - 1
        return is_last or course.instrument.symbol in self.walked

    def _tick(self, course: PricePath) -> Tick:
        if self._is_lockstep:
            if course.instrument.symbol not in self.walked:
                return course.move_whole()
            return course.walk(self._ticks_done, self._ticks, self.next_ms())
        return course.tick(self._ticks_done, self._ticks, self.next_ms())

    def _close(self) -> CandleClosed:
        klines = {symbol: course.close() for symbol, course in self._courses.items()}
        self._number += 1
        self._open_candle()
        return CandleClosed(time_ms=self.open_time_ms, klines=klines)

    def _open_time_ms(self, number: int) -> int:
        return self._source.first_open_ms + number * CANDLE_MS


def tick_ms(speed: float | None) -> int:
    """Return the exchange time between two ticks: at most ten per real second."""
    if speed is None:
        return CANDLE_MS
    return next((step for step in _TICKS_MS if step >= 100 * speed), _TICKS_MS[-1])

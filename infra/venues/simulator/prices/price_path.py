"""One symbol's prices: the candle under way, earlier candles, and moves by hand."""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from domain.market.instruments import Instrument
from domain.trading.matching import CandlePrices
from infra.venues.simulator.prices.candles import Kline, Tick, Trade, flat, planned
from infra.venues.simulator.prices.generator import CANDLE_MS, Plan
from infra.venues.simulator.prices.minutes import minutes_of_trades
from infra.venues.simulator.prices.periods import MINUTE_MS

_TRADES_KEPT = 1_000


class PricePath:
    """The price of one symbol; it follows its plan unless an operator moves it."""

    def __init__(self, instrument: Instrument, plan: Plan, open_time_ms: int) -> None:
        """Start at the open of the first candle."""
        self.instrument = instrument
        self.last = plan.open
        self.live = flat(plan.open, open_time_ms)
        self.plan = plan
        self.closed: list[Kline] = []
        self.factor = Decimal(1)
        """Factor of the operator's moves against the source's prices."""
        self.mark_factor = Decimal(1)
        self.trades: deque[Trade] = deque(maxlen=_TRADES_KEPT)
        """The newest trades, oldest first."""
        self.minutes: dict[int, list[Kline]] | None = None
        """Minutes of closed candles by open time; None: they are not kept."""
        self._path: list[Decimal] = []
        self.traded = 0

    # Whole candles.

    def skip(self, plan: Plan, open_time_ms: int) -> None:
        """Record a candle as planned."""
        self.closed.append(planned(plan, open_time_ms))
        self.last = plan.close

    def restore(self, happened: Sequence[Kline], factor: Decimal) -> None:
        """Replace the source's candles by those that happened, and restore the factor."""
        number = {kline.open_time_ms: i for i, kline in enumerate(self.closed)}
        for kline in happened:
            if kline.open_time_ms in number:
                self.closed[number[kline.open_time_ms]] = kline
        self.factor = factor
        if self.closed:
            self.last = self.closed[-1].close

    def open(self, plan: Plan, open_time_ms: int, *, at_plan: bool) -> None:
        """Begin a candle, where the last one ended or at its plan's own open."""
        self.plan = plan
        is_moved = self.factor != 1
        opened = plan.open if at_plan and not is_moved else self.last
        self.live = flat(opened, open_time_ms)

    def close(self) -> Kline:
        """End the candle under way, and return it."""
        self.closed.append(self.live)
        if self.minutes is not None:
            self.minutes[self.live.open_time_ms] = self.live_minutes(whole=True)
        return self.live

    def live_minutes(self, *, whole: bool = False) -> list[Kline]:
        """Return the minutes of the candle under way: those that have begun, or all five."""
        live = self.live
        trades = [trade for trade in self.trades if trade.time_ms >= live.open_time_ms]
        made = minutes_of_trades(live.open, live.open_time_ms, trades)
        while whole and len(made) < CANDLE_MS // MINUTE_MS:
            made.append(flat(made[-1].close, made[-1].open_time_ms + MINUTE_MS))
        return made

    # Moves inside a candle.

    def follow(self, path: Sequence[Decimal]) -> None:
        """Follow the source's prices at each tick from now on."""
        self._path = [self._scaled(price) for price in path]

    def tick(self, number: int, ticks: int, time_ms: int) -> Tick:
        """Make one of a candle's moves."""
        qty = self._volume(number + 1, ticks) - self._volume(number, ticks)
        return self.move(self._path[number], self.last, time_ms, qty)

    def walk(self, number: int, ticks: int, time_ms: int) -> Tick:
        """Make one of a candle's moves; the first is the gap to its open."""
        price = self._path[number]
        qty = self._volume(number + 1, ticks) - self._volume(number, ticks)
        opened, last = self._path[0], self._path[-1]
        whole = CandlePrices(open=opened, high=max(self._path), low=min(self._path), close=last)
        tick = self.move(price, self.last if number else price, time_ms, qty)
        return replace(tick, whole=whole)

    def move(self, price: Decimal, begin: Decimal, time_ms: int, qty: Decimal) -> Tick:
        """Move to a price; after a gap `begin` differs from the last price."""
        self.last = price
        live = self.live
        self.live = replace(
            live,
            high=max(live.high, price),
            low=min(live.low, price),
            close=price,
            volume=live.volume + qty,
            turnover=live.turnover + qty * price,
        )
        high, low = max(begin, price), min(begin, price)
        return self._moved(begin, high, low, time_ms, qty)

    def move_whole(self) -> Tick:
        """Go through the whole candle in one move."""
        plan, opened = self.plan, self.live.open
        high, low, last = map(self._scaled, (plan.high, plan.low, plan.close))
        self.last = last
        self.live = replace(
            self.live,
            high=max(high, opened),
            low=min(low, opened),
            close=last,
            volume=plan.volume,
            turnover=plan.volume * last,
        )
        time_ms = self.live.open_time_ms + CANDLE_MS
        return self._moved(opened, self.live.high, self.live.low, time_ms, plan.volume)

    # The mark price.

    def mark_of(self, last_price: Decimal) -> Decimal:
        """Return the mark price that goes with a last price: the same, unless moved by hand."""
        if self.mark_factor == 1:
            return last_price
        return self.instrument.round_price_down(last_price * self.mark_factor)

    def _moved(
        self, begin: Decimal, high: Decimal, low: Decimal, time_ms: int, qty: Decimal
    ) -> Tick:
        self.traded += 1
        trade = Trade(
            number=self.traded,
            # The trade of a whole candle lies inside it.
            time_ms=min(time_ms, self.live.open_time_ms + CANDLE_MS - 1),
            price=self.last,
            qty=max(qty, self.instrument.qty_step),
            is_buy=self.last >= begin,
        )
        self.trades.append(trade)
        return Tick(
            number=self.traded,
            symbol=self.instrument.symbol,
            time_ms=time_ms,
            open=begin,
            high=high,
            low=low,
            last=self.last,
            qty=qty,
        )

    def _volume(self, ticks_done: int, ticks: int) -> Decimal:
        if ticks_done == ticks:
            return self.plan.volume
        return self.instrument.round_qty(self.plan.volume * ticks_done / ticks)

    def _scaled(self, price: Decimal) -> Decimal:
        exact = price * self.factor
        if self.factor == 1 and exact % self.instrument.tick_size == 0:
            return exact
        return max(self.instrument.tick_size, self.instrument.round_price_down(exact))
